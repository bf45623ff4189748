#pragma once
// nginx's log_format: text with $variables, compiled once and written many times without an
// allocation for each field. A variable that is not known stands as "-" and is named by `unknown`.
// (nginx ngx_http_log_module, log-format-upstream and log-format-stream of ingress-nginx.)
#include <string>
#include <string_view>
#include <vector>

#include "proxy/snapshot/global.h"
#include "proxy/telemetry/record.h"

namespace penstock::telemetry {

/// Where a variable's text goes; writes "-" (or nothing in JSON) for what is absent.
class FieldWriter;

template <class Record>
class LogFormat {
 public:
  LogFormat() = default;
  LogFormat(std::string_view format, snapshot::LogEscape escape);

  /// One line with its end.
  void append(const Record& record, std::string& out) const;
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  using Write = void (*)(const Record&, FieldWriter&, std::string_view argument);
  struct Piece {
    std::string literal;  // or the argument of `write`
    Write write = nullptr;
  };
  static Write find(std::string_view name, std::string& argument);

  std::vector<Piece> pieces_;
  std::vector<std::string> unknown_;
  snapshot::LogEscape escape_ = snapshot::LogEscape::kDefault;
};

using HttpLogFormat = LogFormat<HttpRecord>;
using StreamLogFormat = LogFormat<StreamRecord>;

/// The names of all variables, for the reference page.
std::vector<std::string_view> http_variables();
std::vector<std::string_view> stream_variables();

}  // namespace penstock::telemetry
