#pragma once
// Searches over the bytes of a head, sixteen at a time where the processor has SSE2.
namespace penstock::http {

/// The first byte that cannot stand in a field value (RFC 9110 5.5: visible characters, SP, HTAB
/// and obs-text can), or `end`.
const char* find_not_field_byte(const char* at, const char* end);

/// Where the first empty line ends at or behind `at`, also one with a bare LF (the parser is what
/// refuses that); null where none does. `begin` is where the head begins: an empty line needs an
/// end of line before it.
const char* find_empty_line(const char* begin, const char* at, const char* end);

}  // namespace penstock::http
