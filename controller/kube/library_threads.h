#pragma once

namespace penstock::kube {

/// Keeps cpprestsdk's thread pool small: it starts 40 threads unless told otherwise before its
/// first use, and ours never block. Later calls do nothing.
void limit_library_threads();

}  // namespace penstock::kube
