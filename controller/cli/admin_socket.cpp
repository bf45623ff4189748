#include "controller/cli/admin_socket.h"

#include <fmt/format.h>

#include <optional>

#include "controller/objects/json.h"

namespace penstock::cli {

base::Result<std::string> AdminSocket::ask(const std::string& method, const std::string& resource,
                                           Parameters parameters) {
  base::HttpRequest query;
  query.parameters = std::move(parameters);
  std::optional<base::HttpReply> reply;
  client_.ask(method, resource + admin::query_of(query),
              [&](base::HttpReply answer) { reply = std::move(answer); });
  const auto work = asio::make_work_guard(io_);
  io_.restart();
  while (!reply) io_.run_one();
  if (reply->status == 200) return std::move(reply->body);
  const auto why = objects::read_json<std::string>(
      reply->body, [](const objects::Json& json) { return json.text("error"); });
  // Nobody there: it may be another one's, such as that of `penstock run --socket`.
  const auto* hint = reply->status >= 500 ? "; --socket names the admin socket of another" : "";
  return base::fail(fmt::format("{}: {}{}", path_, why ? *why : reply->body, hint));
}

}  // namespace penstock::cli
