#pragma once
// A feature's behaviour for one route: immutable, built once when the table is compiled. What one
// request needs to remember lives in its Exchange. A filter that a route does not use is not made,
// so it costs the route's requests nothing.
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/filters/exchange.h"

namespace penstock::filters {

/// What a filter says of a request: go on, or answer now.
class Verdict {
 public:
  static Verdict next() { return Verdict(0, {}); }
  /// One of our own error pages.
  static Verdict reply(std::uint16_t status) { return Verdict(status, {}); }
  static Verdict redirect(std::uint16_t status, std::string location) {
    return Verdict(status, std::move(location));
  }

  bool is_next() const { return status_ == 0; }
  std::uint16_t status() const { return status_; }
  std::string& location() { return location_; }

 private:
  Verdict(std::uint16_t status, std::string location)
      : status_(status), location_(std::move(location)) {}
  std::uint16_t status_;
  std::string location_;
};

class Filter {
 public:
  virtual ~Filter() = default;
  virtual Verdict on_request(Exchange&) const { return Verdict::next(); }
  /// Before the response head goes to the client, also for answers made here.
  virtual void on_response(Exchange&) const {}
};

using FilterPtr = std::unique_ptr<const Filter>;

}  // namespace penstock::filters
