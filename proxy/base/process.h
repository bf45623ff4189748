#pragma once

namespace penstock::base {

/// Call first in main. Private keys are in this process's memory: it is never written to disk by a
/// crash nor read by a debugger of the same user; files are made for this user alone; a peer that
/// is gone is an error value and no signal.
void harden_process();
/// As many descriptors as the system lets this process have.
void raise_descriptor_limit();

}  // namespace penstock::base
