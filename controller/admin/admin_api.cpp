#include "controller/admin/admin_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "controller/admin/page.h"
#include "controller/objects/json.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/json_writer.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::admin {
namespace {

using base::HttpReply;
using base::HttpRequest;

constexpr std::string_view kApi = "/api/v1/";
constexpr std::string_view kProxy = "proxy/";
constexpr std::array<std::string_view, 9> kReads = {"summary",  "hosts",        "upstreams",
                                                    "streams",  "certificates", "errors",
                                                    "sessions", "tap",          "actions"};
constexpr std::array<std::string_view, 5> kActions = {"drain", "undrain", "log-level", "tap",
                                                      "tap-end"};
constexpr std::size_t kLongestParameters = 512;  // of an audit line

std::string parameters_of(const HttpRequest& request) {
  auto out = query_of(request);
  if (out.size() > kLongestParameters) out.replace(kLongestParameters, out.npos, "...");
  return out.empty() ? "-" : out.substr(1);
}

/// So that no text forges a field of the line.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kLongestParameters)) {
    const bool is_plain = c > ' ' && c < 0x7f && c != '"' && c != '%' && c != '\\';
    if (is_plain) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

/// The sentence of `http_error`, or the body as it is.
std::string why_of(const HttpReply& reply) {
  auto error = objects::read_json<std::string>(
      reply.body, [](const objects::Json& json) { return json.text("error"); });
  return error && !error->empty() ? *error : std::string(base::trim(reply.body));
}

/// One line for each action and each refusal: who, what, with what result.
void audit(const HttpRequest& request, std::string_view user, int status, std::string_view why) {
  std::vector<base::log::Field> fields{
      {"user", user.empty() ? "-" : plain(user)}, {"peer", request.peer.to_string()},
      {"method", plain(request.method)},          {"path", plain(request.path)},
      {"parameters", parameters_of(request)},     {"result", static_cast<std::uint64_t>(status)},
  };
  if (!why.empty()) fields.emplace_back("why", why);
  base::log::write(base::log::Level::kInfo, "audit", fields);
}

HttpReply refusal(const Verdict& verdict) {
  auto out = base::http_error(verdict.status, verdict.why);
  if (verdict.status == 401) out.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (verdict.status == 429 || verdict.status == 503) out.headers.emplace_back("Retry-After", "60");
  return out;
}

HttpReply whoami(std::string_view user) {
  base::JsonWriter json;
  json.begin_object().member("user", user).end_object();
  return {200, json.take() + "\n", "application/json", {}};
}

}  // namespace

base::Result<std::unique_ptr<AdminApi>> AdminApi::start(asio::io_context& controller,
                                                        AdminOptions options,
                                                        AdminSources sources) {
  base::error_code code;
  const auto address = asio::ip::make_address(options.address, code);
  if (code) {
    return base::fail(
        fmt::format("--admin-bind-address: expected an IP address, got '{}'", options.address));
  }
  if (!address.is_loopback() && !options.tls) {
    return base::fail(fmt::format(
        "--admin-bind-address {}: tokens travel in clear to others than this host alone; "
        "set --admin-certificate-file and --admin-key-file",
        options.address));
  }
  if (!options.token_file.empty()) {
    if (const auto token = read_token(options.token_file); !token) {
      return base::fail("--admin-token-file: " + token.error().message);
    }
  }
  if (options.token_file.empty() && !sources.review) {
    return base::fail(
        "--admin-port: nobody could sign in: set --admin-token-file, or run in a "
        "cluster with --admin-token-review");
  }
  const base::TcpEndpoint endpoint(address, options.port);
  std::unique_ptr<AdminApi> out(new AdminApi(controller, std::move(options), std::move(sources)));
  auto server = base::HttpServer::listen(
      out->io_, endpoint, out->options_.tls,
      [self = out.get()](const HttpRequest& request, const Answer& answer) {
        self->handle(request, answer);
      });
  if (!server) return base::fail("--admin-port: " + server.error().message);
  out->server_ = std::move(*server);
  out->thread_ = std::thread([self = out.get()] { self->io_.run(); });
  base::log::info("the status page is at {}://{}/", out->options_.tls ? "https" : "http",
                  base::format_endpoint(address, out->port()));
  return out;
}

AdminApi::AdminApi(asio::io_context& controller, AdminOptions options, AdminSources sources)
    : controller_(controller),
      options_(std::move(options)),
      sources_(std::move(sources)),
      guard_(Guard::Options{options_.token_file, posted_review()}),
      proxy_(io_, options_.proxy_socket) {}

AdminApi::~AdminApi() {
  *is_alive_ = false;
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

/// Reviews happen on the controller's thread, their verdicts come back to ours.
Guard::Review AdminApi::posted_review() {
  if (!sources_.review) return {};
  return [this](const std::string& token, Right right, Guard::OnVerdict on_verdict) {
    asio::post(controller_, [this, alive = is_alive_, token, right, on_verdict] {
      if (!*alive) return;
      sources_.review(token, right, [this, alive, on_verdict](const Verdict& verdict) {
        if (!*alive) return;
        asio::post(io_, [on_verdict, verdict] { on_verdict(verdict); });
      });
    });
  };
}

void AdminApi::audit_refusal(const HttpRequest& request, const Verdict& verdict) {
  const auto left_out = refusals_.admit(std::chrono::steady_clock::now());
  if (!left_out) return;
  if (*left_out != 0) base::log::info("audit: {} refusals were left out", *left_out);
  audit(request, verdict.user, verdict.status, verdict.why);
}

void AdminApi::handle(const HttpRequest& request, const Answer& answer) {
  // With TLS no browser comes as far as this: the certificate is not of that name.
  if (!options_.tls && is_foreign_name(request.host)) {
    return answer(base::http_error(421, "expected localhost or an address as Host"));
  }
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (request.path == "/") {
    return answer(is_get ? status_page() : base::http_error(405, "not with this method"));
  }
  if (!request.path.starts_with(kApi)) return answer(base::http_error(404, "no such resource"));
  if (!is_get && request.method != "POST") {
    return answer(base::http_error(405, "not with this method"));
  }
  const auto right = is_get ? Right::kRead : Right::kAct;
  guard_.check(request, right, [this, request, answer](const Verdict& verdict) {
    if (verdict.status == 200) return serve(request, verdict.user, answer);
    // Beyond the bounds only the beginning is logged, or the log would be what is flooded.
    if (verdict.status != 429) audit_refusal(request, verdict);
    answer(refusal(verdict));
  });
}

void AdminApi::serve(const HttpRequest& request, const std::string& user, const Answer& answer) {
  const auto name = std::string_view(request.path).substr(kApi.size());
  const bool is_action = request.method == "POST";
  const auto finish = [request, user, answer, is_action](HttpReply reply) {
    if (is_action) {
      audit(request, user, reply.status, reply.status == 200 ? "" : why_of(reply));
    }
    answer(std::move(reply));
  };
  if (!is_action && name == "whoami") return finish(whoami(user));
  if (!is_action && name == "controller") return ask_controller(request, finish);
  const auto of_proxy = name.starts_with(kProxy) ? name.substr(kProxy.size()) : std::string_view();
  const bool is_known = is_action ? std::ranges::find(kActions, of_proxy) != kActions.end()
                                  : std::ranges::find(kReads, of_proxy) != kReads.end();
  if (!is_known) return finish(base::http_error(404, "no such resource"));
  const auto target = fmt::format("/v1/{}{}", of_proxy, query_of(request));
  proxy_.ask(is_action ? "POST" : "GET", target, finish);
}

void AdminApi::ask_controller(const HttpRequest& request, const Answer& answer) {
  asio::post(controller_, [this, alive = is_alive_, request, answer] {
    if (!*alive) return;
    auto reply = sources_.document(request);
    asio::post(io_, [answer, reply = std::move(reply)] { answer(reply); });
  });
}

}  // namespace penstock::admin
