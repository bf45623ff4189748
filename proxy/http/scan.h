#pragma once
// Searches over the bytes of a head, sixteen at a time where the processor has SSE2.
namespace penstock::http {

/// The first byte that cannot stand in a field value (RFC 9110 5.5: visible characters, SP, HTAB
/// and obs-text can), or `end`.
const char* find_not_field_byte(const char* at, const char* end);

}  // namespace penstock::http
