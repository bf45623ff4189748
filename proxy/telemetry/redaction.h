#pragma once
// Bytes of a session as somebody may see them who looks for a fault: framing and the shape of a
// protocol can be read, what was said cannot.
#include <string>
#include <string_view>

namespace penstock::telemetry {

/// Appends 'a' for each small letter, 'A' for each capital, '9' for each digit; other printable
/// ASCII as it is, a backslash or a quote after a backslash; \0, \r, \n and \t in these two
/// characters; '.' for every other byte. At most two characters for a byte, printable ASCII all of
/// them.
void append_redacted(std::string_view bytes, std::string& out);

}  // namespace penstock::telemetry
