#include "proxy/base/status_server.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <string_view>

namespace penstock::base {

struct StatusServer::State {
  std::map<std::string, StatusHandler, std::less<>> handlers;
  std::string last_error;
  mg_context* server = nullptr;

  ~State() {
    if (server != nullptr) mg_stop(server);
  }
};

namespace {

using Handlers = std::map<std::string, StatusHandler, std::less<>>;

StatusReply reply_to(const mg_request_info& request, const Handlers& handlers) {
  const std::string_view method(request.request_method);
  if (method != "GET" && method != "HEAD") return {405, "only GET and HEAD\n"};
  const auto found = handlers.find(std::string_view(request.local_uri));
  return found == handlers.end() ? StatusReply{404, "not found\n"} : found->second();
}

int answer(mg_connection* connection, void* data) {
  const auto* request = mg_get_request_info(connection);
  const auto reply = reply_to(*request, *static_cast<const Handlers*>(data));
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
            "Connection: close\r\n\r\n",
            reply.status, mg_get_response_code_text(connection, reply.status),
            reply.content_type.c_str(), reply.body.size());
  if (std::string_view(request->request_method) != "HEAD") {
    mg_write(connection, reply.body.data(), reply.body.size());
  }
  return reply.status;
}

}  // namespace

StatusServer::StatusServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
StatusServer::~StatusServer() = default;

Result<std::unique_ptr<StatusServer>> StatusServer::start(
    const std::string& address, std::map<std::string, StatusHandler> handlers) {
  auto state = std::make_unique<State>();
  for (auto& [path, handler] : handlers) state->handlers.emplace(path, std::move(handler));
  const char* options[] = {"listening_ports",
                           address.c_str(),
                           "num_threads",
                           "2",
                           "request_timeout_ms",
                           "5000",
                           "max_request_size",
                           "8192",
                           "enable_directory_listing",
                           "no",
                           nullptr};
  mg_callbacks callbacks{};
  callbacks.log_message = [](const mg_connection* connection, const char* message) {
    auto* self = static_cast<State*>(mg_get_user_data(mg_get_context(connection)));
    if (self != nullptr && self->server == nullptr) self->last_error = message;
    return 1;
  };
  state->server = mg_start(&callbacks, state.get(), options);
  if (state->server == nullptr) {
    return fail(fmt::format(
        "cannot listen on {}: {}", address,
        state->last_error.empty() ? "not an address with a free port" : state->last_error));
  }
  mg_set_request_handler(state->server, "/", answer, &state->handlers);
  return std::unique_ptr<StatusServer>(new StatusServer(std::move(state)));
}

std::uint16_t StatusServer::port() const {
  mg_server_port ports[4] = {};
  return mg_get_server_ports(state_->server, 4, ports) > 0
             ? static_cast<std::uint16_t>(ports[0].port)
             : 0;
}

}  // namespace penstock::base
