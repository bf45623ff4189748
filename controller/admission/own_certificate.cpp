#include "controller/admission/own_certificate.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/admission/certificates.h"
#include "controller/kube/paths.h"
#include "proxy/base/base64.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

constexpr std::chrono::seconds kCheckEvery{60};
constexpr std::chrono::seconds kRetry{3};
constexpr std::chrono::milliseconds kLookAgain{300};
constexpr std::chrono::hours kRenewBefore{24 * 120};
constexpr std::string_view kConfigurations = "validatingwebhookconfigurations";
/// Of replicas that renew at the same time each may leave one.
constexpr std::size_t kMostAuthorities = 4;

std::string value_of(const objects::Secret& secret, const std::string& key) {
  const auto found = secret.data.find(key);
  return found == secret.data.end() ? "" : found->second;
}

/// The bundle that a webhook is to have; empty where the one that it has will do.
std::string bundle_for(std::string_view present_base64, const std::string& authority_pem) {
  const auto decoded = base::decode_base64(present_base64);
  const auto present = certificates_of(decoded.value_or(""), kMostAuthorities);
  auto wanted = certificates_of(authority_pem, kMostAuthorities);
  if (wanted.empty() || std::ranges::find(present, wanted.front()) != present.end()) return {};
  for (const auto& each : present) {
    const bool is_new = std::ranges::find(wanted, each) == wanted.end();
    if (is_new && wanted.size() < kMostAuthorities) wanted.push_back(each);
  }
  std::string bundle;
  for (const auto& each : wanted) bundle += each;
  return bundle;
}

std::string configuration_path(const std::string& name) {
  return kube::object_path("admissionregistration.k8s.io/v1", kConfigurations, "", name);
}

}  // namespace

std::optional<std::string> authority_patch(const std::string& configuration,
                                           const std::string& authority_pem) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array webhooks;
  std::string_view version;
  const bool is_read = parser.parse(configuration).get(root) == simdjson::SUCCESS &&
                       root["webhooks"].get(webhooks) == simdjson::SUCCESS &&
                       root["metadata"]["resourceVersion"].get(version) == simdjson::SUCCESS;
  if (!is_read) return std::nullopt;
  std::string operations;
  std::size_t index = 0;
  for (const auto webhook : webhooks) {
    std::string_view present;
    if (webhook["clientConfig"]["caBundle"].get(present) != simdjson::SUCCESS) present = {};
    if (const auto bundle = bundle_for(present, authority_pem); !bundle.empty()) {
      operations +=
          fmt::format(R"(,{{"op":"add","path":"/webhooks/{}/clientConfig/caBundle","value":"{}"}})",
                      index, base::encode_base64(bundle));
    }
    ++index;
  }
  if (operations.empty()) return "";
  return fmt::format(R"([{{"op":"test","path":"/metadata/resourceVersion","value":"{}"}}{}])",
                     base::escape_json(version), operations);
}

OwnCertificate::OwnCertificate(asio::io_context& io, kube::Client& client, Options options,
                               OnCertificate on_certificate)
    : client_(client),
      options_(std::move(options)),
      on_certificate_(std::move(on_certificate)),
      timer_(io) {}

std::string OwnCertificate::secret_path() const {
  return kube::object_path("v1", "secrets", options_.name_space, options_.name);
}

/// Where there is a Secret only this is changed of it: its labels are of whoever installed it.
std::string OwnCertificate::secret_json(const Kept& kept) const {
  const auto version = kept.version.empty() ? ""
                                            : fmt::format(R"(,"resourceVersion":"{}")",
                                                          base::escape_json(kept.version));
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"{}","namespace":"{}"{}}},"data":{{"ca":"{}","cert":"{}","key":"{}"}}}})",
      base::escape_json(options_.name), base::escape_json(options_.name_space), version,
      base::encode_base64(kept.authority), base::encode_base64(kept.chain),
      base::encode_base64(kept.key));
}

std::chrono::seconds OwnCertificate::retry_delay() {
  constexpr unsigned kMostDoublings = 5;
  return std::min(kCheckEvery, kRetry * (1U << std::min(failures_++, kMostDoublings)));
}

void OwnCertificate::fail(std::string_view what, const kube::Response& response) {
  base::log::warn("admission: {}: {}", what, response.failure_text());
  timer_.after(retry_delay(), [this] { check(); });
}

void OwnCertificate::check() {
  call_ =
      client_.get(secret_path(), [this](const kube::Response& response) { take_secret(response); });
}

void OwnCertificate::take_secret(const kube::Response& response) {
  if (response.status == 404) return renew({});
  if (!response.is_ok()) return fail("the Secret cannot be read", response);
  objects::Parser parser;
  simdjson::dom::parser json;
  std::string_view version;
  const auto parsed = parser.parse(objects::Kind::kSecret, response.body);
  if (!parsed ||
      json.parse(response.body)["metadata"]["resourceVersion"].get(version) != simdjson::SUCCESS) {
    return fail("the Secret cannot be used", {0, {}, {}, "it is not as an API server writes one"});
  }
  const auto& secret = *std::get<objects::Ptr<objects::Secret>>(*parsed);
  const Kept kept{std::string(version), value_of(secret, "ca"), value_of(secret, "cert"),
                  value_of(secret, "key")};
  const auto end = end_of(kept.chain);
  const bool can_serve =
      end && *end > std::chrono::system_clock::now() && is_signed_by(kept.chain, kept.authority);
  if (!can_serve) return renew(kept);
  tell_authority(kept.authority, [this, kept] { adopt(kept); });
}

void OwnCertificate::adopt(const Kept& kept) {
  if (auto now = kept.chain + kept.key; now != in_use_) {
    if (!on_certificate_(kept.chain, kept.key)) {
      timer_.after(retry_delay(), [this, kept] { renew(kept); });
      return;
    }
    in_use_ = std::move(now);
  }
  const auto end = end_of(kept.chain);
  if (!end || *end - std::chrono::system_clock::now() < kRenewBefore) return renew(kept);
  failures_ = 0;
  timer_.after(kCheckEvery, [this] { check(); });
}

void OwnCertificate::renew(const Kept& kept) {
  const auto service = options_.name + "." + options_.name_space;
  std::vector<std::string> names = {"DNS:" + service + ".svc", "DNS:" + service};
  if (!options_.ip.empty()) names.push_back("IP:" + options_.ip);
  const auto made = make_certificates(names);
  if (!made) return fail("it has no certificate", {0, {}, {}, made.error().message});
  auto authorities = made->authority_pem;
  for (const auto& before : certificates_of(kept.authority, 1)) authorities += before;
  const Kept next{kept.version, authorities, made->chain_pem, made->key_pem};
  tell_authority(next.authority, [this, next] { write(next); });
}

void OwnCertificate::write(const Kept& kept) {
  const auto on_written = [this](const kube::Response& response) {
    // Refused where another replica was first: what it has written is what counts. Read again in
    // both cases, and not at once: something might undo every write.
    const bool is_written = response.status == 409 || response.is_ok();
    if (!is_written) return fail("the Secret cannot be written", response);
    timer_.after(kLookAgain, [this] { check(); });
  };
  call_ = kept.version.empty()
              ? client_.create(kube::collection_path("v1", "secrets", options_.name_space),
                               secret_json(kept), on_written)
              : client_.merge_patch(secret_path(), secret_json(kept), on_written);
}

void OwnCertificate::tell_authority(const std::string& authority, std::function<void()> next) {
  call_ = client_.get(configuration_path(options_.name),
                      [this, authority, next](const kube::Response& response) {
                        if (response.status == 404) return next();  // told when it is there
                        if (!response.is_ok()) {
                          return fail("the webhook's configuration cannot be read", response);
                        }
                        patch_authority(response.body, authority, next);
                      });
}

void OwnCertificate::patch_authority(const std::string& configuration, const std::string& authority,
                                     std::function<void()> next) {
  const auto operations = authority_patch(configuration, authority);
  if (!operations) {
    return fail("the webhook's configuration cannot be used",
                {0, {}, {}, "it is not as an API server writes one"});
  }
  if (operations->empty()) return next();
  kube::Request request;
  request.method = "PATCH";
  request.path = configuration_path(options_.name);
  request.body = *operations;
  request.content_type = "application/json-patch+json";
  call_ = client_.send(std::move(request), [this, next](const kube::Response& response) {
    // Refused as well where another replica has written it since: then all is looked at anew.
    if (!response.is_ok()) return fail("the webhook's configuration cannot be written", response);
    next();
  });
}

}  // namespace penstock::admission
