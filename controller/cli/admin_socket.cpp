#include "controller/cli/admin_socket.h"

#include <fmt/format.h>

#include <iostream>
#include <optional>

#include "controller/objects/json.h"
#include "proxy/base/text.h"

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

void AdminSocket::tell_of_unopened(const std::string& port) {
  const auto number = port.substr(port.find_last_of("/:") + 1);
  const auto answer = ask("GET", "/v1/streams", {{"q", number}});
  if (number.empty() || !answer) return;  // the question itself will say what is wrong
  const auto is_open = objects::read_json<bool>(*answer, [&](const objects::Json& json) {
    bool out = !json.text("next").empty();  // not all of them were looked at
    json.for_each("items", [&](const objects::Json& each) {
      const auto protocol = base::to_lower(each.text("protocol"));
      out |= port.starts_with(protocol + "/") &&
             std::to_string(each.integer("port", 0, objects::kMaxPort, 0)) == number;
    });
    return out;
  });
  if (is_open && !*is_open) std::cerr << "note: nobody has opened the port " << port << "\n";
}

}  // namespace penstock::cli
