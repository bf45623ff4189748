#include "controller/admin/token_review.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <optional>

#include "proxy/base/json_writer.h"
#include "proxy/base/log.h"

namespace penstock::admin {
namespace {

constexpr std::size_t kMostAnswer = 64 << 10;
constexpr char kPath[] = "/penstock/admin";

std::string token_review(const std::string& token) {
  base::JsonWriter json;
  json.begin_object()
      .member("apiVersion", "authentication.k8s.io/v1")
      .member("kind", "TokenReview");
  json.key("spec").begin_object().member("token", token).end_object().end_object();
  return json.take();
}

std::string_view text_at(const simdjson::dom::element& root, std::string_view pointer) {
  std::string_view out;
  return root.at_pointer(pointer).get(out) == simdjson::SUCCESS ? out : std::string_view();
}

bool is_true_at(const simdjson::dom::element& root, std::string_view pointer) {
  bool out = false;
  return root.at_pointer(pointer).get(out) == simdjson::SUCCESS && out;
}

kube::Request post(std::string path, std::string body) {
  kube::Request out;
  out.method = "POST";
  out.path = std::move(path);
  out.body = std::move(body);
  out.content_type = "application/json";
  out.max_body = kMostAnswer;
  return out;
}

/// Why the cluster did not decide.
Verdict undecided(const kube::Response& response, const char* what) {
  base::log::error("admin: {} failed: {}", what, response.failure_text());
  return {503, "", fmt::format("the cluster did not answer the {}", what)};
}

}  // namespace

struct TokenReview::Attempt {
  Right right = Right::kRead;
  Guard::OnVerdict on_verdict;
  std::string user;
  kube::Call call;
};

ReviewedToken read_token_review(const std::string& json, Right right) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(json).get(root) != simdjson::SUCCESS) {
    return {{503, "", "the TokenReview's answer is no JSON"}, ""};
  }
  const auto user = text_at(root, "/status/user/username");
  if (!is_true_at(root, "/status/authenticated") || user.empty()) {
    return {{401, "", "the token is not known"}, ""};
  }
  base::JsonWriter out;
  out.begin_object()
      .member("apiVersion", "authorization.k8s.io/v1")
      .member("kind", "SubjectAccessReview");
  out.key("spec").begin_object().member("user", user);
  out.member("uid", text_at(root, "/status/user/uid")).key("groups").begin_array();
  simdjson::dom::array groups;
  if (root.at_pointer("/status/user/groups").get(groups) == simdjson::SUCCESS) {
    for (const auto group : groups) {
      std::string_view name;
      if (group.get(name) == simdjson::SUCCESS) out.value(name);
    }
  }
  out.end_array().key("nonResourceAttributes").begin_object();
  out.member("path", kPath).member("verb", right == Right::kRead ? "get" : "post");
  out.end_object().end_object().end_object();
  return {{200, std::string(user), ""}, out.take()};
}

bool read_access_review(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  return parser.parse(json).get(root) == simdjson::SUCCESS && is_true_at(root, "/status/allowed") &&
         !is_true_at(root, "/status/denied");
}

void TokenReview::review(const std::string& token, Right right, Guard::OnVerdict on_verdict) {
  auto attempt = std::make_shared<Attempt>();
  attempt->right = right;
  attempt->on_verdict = std::move(on_verdict);
  attempt->call =
      client_.send(post("/apis/authentication.k8s.io/v1/tokenreviews", token_review(token)),
                   [this, alive = is_alive_, attempt](const kube::Response& response) {
                     if (!*alive) return;
                     if (!response.is_ok())
                       return attempt->on_verdict(undecided(response, "TokenReview"));
                     const auto reviewed = read_token_review(response.body, attempt->right);
                     if (reviewed.verdict.status != 200)
                       return attempt->on_verdict(reviewed.verdict);
                     attempt->user = reviewed.verdict.user;
                     check_access(attempt, reviewed.access_review);
                   });
}

void TokenReview::check_access(const std::shared_ptr<Attempt>& attempt, const std::string& review) {
  attempt->call = client_.send(
      post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review),
      [alive = is_alive_, attempt](const kube::Response& response) {
        if (!*alive) return;
        if (!response.is_ok()) {
          return attempt->on_verdict(undecided(response, "SubjectAccessReview"));
        }
        if (read_access_review(response.body)) return attempt->on_verdict({200, attempt->user, ""});
        attempt->on_verdict({403, attempt->user,
                             fmt::format("the account may not {} the non-resource URL {}",
                                         attempt->right == Right::kRead ? "get" : "post", kPath)});
      });
}

}  // namespace penstock::admin
