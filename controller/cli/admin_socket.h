#pragma once
// Asks the admin socket of a running proxy (docs/admin.md), one thing at a time.
#include <map>
#include <string>

#include "controller/admin/proxy_client.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::cli {

inline constexpr char kAdminSocket[] = "/run/penstock/admin.sock";

class AdminSocket {
 public:
  using Parameters = std::map<std::string, std::string, std::less<>>;

  explicit AdminSocket(std::string path) : path_(std::move(path)), client_(io_, path_) {}

  /// The JSON of an answer with status 200, within ten seconds; else why there is none.
  base::Result<std::string> ask(const std::string& method, const std::string& resource,
                                Parameters parameters);
  /// Writes a note to standard error where no stream has the port ("tcp/5432"): it waits for one.
  void tell_of_unopened(const std::string& port);

 private:
  std::string path_;
  asio::io_context io_;
  admin::ProxyClient client_;
};

}  // namespace penstock::cli
