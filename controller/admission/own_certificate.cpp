#include "controller/admission/own_certificate.h"

#include <fmt/format.h>

#include "controller/admission/certificates.h"
#include "controller/kube/paths.h"
#include "proxy/base/base64.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

constexpr std::chrono::seconds kCheckEvery{60};
constexpr std::chrono::seconds kRetry{3};
constexpr std::chrono::hours kRenewBefore{24 * 120};
constexpr std::string_view kConfigurations = "validatingwebhookconfigurations";

std::string value_of(const objects::Secret& secret, const std::string& key) {
  const auto found = secret.data.find(key);
  return found == secret.data.end() ? "" : found->second;
}

}  // namespace

std::optional<std::string> authority_patch(const std::string& configuration,
                                           const std::string& authority_pem) {
  simdjson::dom::parser parser;
  simdjson::dom::array webhooks;
  if (parser.parse(configuration)["webhooks"].get(webhooks) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  const auto wanted = base::encode_base64(authority_pem);
  std::string operations;
  std::size_t index = 0;
  for (const auto webhook : webhooks) {
    std::string_view name;
    std::string_view bundle;
    if (webhook["name"].get(name) != simdjson::SUCCESS) return std::nullopt;
    const bool has_it =
        webhook["clientConfig"]["caBundle"].get(bundle) == simdjson::SUCCESS && bundle == wanted;
    if (!has_it) {
      operations += fmt::format(
          R"({}{{"op":"test","path":"/webhooks/{}/name","value":"{}"}},{{"op":"add","path":"/webhooks/{}/clientConfig/caBundle","value":"{}"}})",
          operations.empty() ? "" : ",", index, base::escape_json(name), index, wanted);
    }
    ++index;
  }
  return operations.empty() ? "" : "[" + operations + "]";
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

std::string OwnCertificate::secret_json(const Kept& kept) const {
  const auto version = kept.version.empty() ? ""
                                            : fmt::format(R"(,"resourceVersion":"{}")",
                                                          base::escape_json(kept.version));
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{{"name":"{}","namespace":"{}"{}}},"data":{{"ca":"{}","cert":"{}","key":"{}"}}}})",
      options_.name, options_.name_space, version, base::encode_base64(kept.authority),
      base::encode_base64(kept.chain), base::encode_base64(kept.key));
}

void OwnCertificate::fail(std::string_view what, const kube::Response& response) {
  base::log::warn(
      "admission: {}: {}", what,
      response.status == 0 ? response.failure : fmt::format("status {}", response.status));
  timer_.after(kRetry, [this] { check(); });
}

void OwnCertificate::check() {
  call_ =
      client_.get(secret_path(), [this](const kube::Response& response) { take_secret(response); });
}

void OwnCertificate::take_secret(const kube::Response& response) {
  if (response.status == 404) return create();
  if (!response.is_ok()) return fail("the Secret cannot be read", response);
  objects::Parser parser;
  simdjson::dom::parser json;
  std::string_view version;
  const auto parsed = parser.parse(objects::Kind::kSecret, response.body);
  if (!parsed ||
      json.parse(response.body)["metadata"]["resourceVersion"].get(version) != simdjson::SUCCESS) {
    return fail("the Secret is not one", response);
  }
  const auto& secret = *std::get<objects::Ptr<objects::Secret>>(*parsed);
  const Kept kept{std::string(version), value_of(secret, "ca"), value_of(secret, "cert"),
                  value_of(secret, "key")};
  const auto end = end_of(kept.chain);
  if (!end || *end - std::chrono::system_clock::now() < kRenewBefore) return renew(kept);
  tell_authority(kept.authority, [this, kept] { adopt(kept); });
}

void OwnCertificate::create() { renew({}); }

void OwnCertificate::renew(const Kept& kept) {
  const auto service = options_.name + "." + options_.name_space;
  std::vector<std::string> names = {"DNS:" + service + ".svc", "DNS:" + service};
  if (!options_.ip.empty()) names.push_back("IP:" + options_.ip);
  const auto made = make_certificates(names);
  if (!made) return fail(made.error().message, {});
  const Kept next{kept.version, made->authority_pem + first_of(kept.authority), made->chain_pem,
                  made->key_pem};
  tell_authority(next.authority, [this, next] {
    const auto on_written = [this](const kube::Response& response) {
      // Another replica was first: what it has written is what counts.
      if (response.status == 409 || response.is_ok()) return check();
      fail("the Secret cannot be written", response);
    };
    call_ = next.version.empty()
                ? client_.create(kube::collection_path("v1", "secrets", options_.name_space),
                                 secret_json(next), on_written)
                : client_.put(secret_path(), secret_json(next), on_written);
  });
}

void OwnCertificate::adopt(const Kept& kept) {
  if (in_use_ != kept.chain) {
    on_certificate_(kept.chain, kept.key);
    in_use_ = kept.chain;
  }
  timer_.after(kCheckEvery, [this] { check(); });
}

void OwnCertificate::tell_authority(const std::string& authority, std::function<void()> next) {
  const auto path =
      kube::object_path("admissionregistration.k8s.io/v1", kConfigurations, "", options_.name);
  call_ = client_.get(path, [this, authority, next](const kube::Response& response) {
    if (response.status == 404) return next();  // not asked yet: told when it is there
    if (!response.is_ok()) return fail("the webhook's configuration cannot be read", response);
    patch_authority(response.body, authority, next);
  });
}

void OwnCertificate::patch_authority(const std::string& configuration, const std::string& authority,
                                     std::function<void()> next) {
  const auto operations = authority_patch(configuration, authority);
  if (!operations) return fail("the webhook's configuration is not one", {});
  if (operations->empty()) return next();
  kube::Request request;
  request.method = "PATCH";
  request.path =
      kube::object_path("admissionregistration.k8s.io/v1", kConfigurations, "", options_.name);
  request.body = *operations;
  request.content_type = "application/json-patch+json";
  call_ = client_.send(std::move(request), [this, next](const kube::Response& response) {
    if (!response.is_ok()) return fail("the webhook's configuration cannot be written", response);
    next();
  });
}

}  // namespace penstock::admission
