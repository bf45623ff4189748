#pragma once
// Failures as values. `Result<T>` is for what a user or a file said (a sentence for a person);
// `IoResult<T>` is for the data path (an error code, no allocation).
#include <expected>
#include <string>
#include <utility>

#include "proxy/base/asio.h"

namespace penstock::base {

/// What went wrong, as one sentence without a final full stop that a person can act on.
struct Error {
  std::string message;
  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

template <class T>
using IoResult = std::expected<T, error_code>;

inline std::unexpected<Error> fail(std::string message) {
  return std::unexpected(Error{std::move(message)});
}

inline std::unexpected<error_code> io_fail(error_code code) { return std::unexpected(code); }

template <class E>
  requires std::is_enum_v<E>
std::unexpected<error_code> io_fail(E code) {
  return std::unexpected(error_code(code));
}

/// The calling thread's errno as an error code.
inline error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace penstock::base
