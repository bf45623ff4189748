#include "controller/admission/review.h"

#include <fmt/format.h>

#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

using simdjson::dom::element;

/// The API server cuts a warning after 256 characters and all of them together after 4096.
constexpr std::size_t kLongestWarning = 250;
constexpr std::size_t kMostWarnings = 15;
constexpr std::size_t kLongestMessage = 4096;
/// The JSON library needs some fourteen times the text, and keeps it.
constexpr std::size_t kMostKept = 1U << 20;

std::string text_of(const simdjson::simdjson_result<element>& found) {
  std::string_view text;
  return found.get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

std::optional<objects::Kind> kind_of(const element& request) {
  const auto group = text_of(request["kind"]["group"]);
  const auto version = text_of(request["kind"]["version"]);
  const auto api_version = group.empty() ? version : group + "/" + version;
  const auto* info = objects::find_kind(api_version, text_of(request["kind"]["kind"]));
  if (info == nullptr) return std::nullopt;
  switch (info->kind) {
    case objects::Kind::kIngress:
    case objects::Kind::kTcpService:
    case objects::Kind::kUdpService:
    case objects::Kind::kStreamPortPolicy:
      return info->kind;
    default:
      return std::nullopt;
  }
}

std::optional<std::string> class_of(const element& object) {
  std::string_view text;
  if (object["spec"]["ingressClassName"].get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

/// Without cutting a character of UTF-8 in two.
std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return std::string(text.substr(0, most)) + "...";
}

}  // namespace

base::Result<Review> ReviewReader::read(std::string_view json) {
  element root;
  if (const auto code = outer_.parse(json.data(), json.size()).get(root);
      code != simdjson::SUCCESS) {
    return base::fail(fmt::format("expected JSON: {}", simdjson::error_message(code)));
  }
  if (text_of(root["kind"]) != "AdmissionReview" ||
      text_of(root["apiVersion"]) != "admission.k8s.io/v1") {
    return base::fail("expected an AdmissionReview of admission.k8s.io/v1");
  }
  element request;
  Review out;
  if (root["request"].get(request) != simdjson::SUCCESS || !request.is_object()) {
    return base::fail("request: expected an object, got none");
  }
  out.uid = text_of(request["uid"]);
  if (out.uid.empty()) return base::fail("request.uid: expected text, got none");
  out.kind = kind_of(request);
  if (!out.kind) return out;
  out.key = {*out.kind, text_of(request["namespace"]), text_of(request["name"])};
  element object;
  const bool has_object = request["object"].get(object) == simdjson::SUCCESS && object.is_object();
  out.is_removal = text_of(request["operation"]) == "DELETE" || !has_object ||
                   !text_of(object["metadata"]["deletionTimestamp"]).empty();
  if (out.is_removal) return out;
  out.class_name = class_of(object);
  out.object = inner_.parse(*out.kind, simdjson::minify(object));
  if (json.size() > kMostKept) {
    outer_ = simdjson::dom::parser();
    inner_ = objects::Parser();
  }
  return out;
}

std::string write_answer(std::string_view uid, const Verdict& verdict) {
  std::string more;
  if (!verdict.is_allowed) {
    more += fmt::format(R"(,"status":{{"code":400,"reason":"BadRequest","message":"{}"}})",
                        base::escape_json(shortened(verdict.message, kLongestMessage)));
  }
  std::string warnings;
  for (std::size_t i = 0; i < verdict.warnings.size(); ++i) {
    const bool is_last = i + 1 == kMostWarnings && verdict.warnings.size() > kMostWarnings;
    const auto text = is_last
                          ? fmt::format("and {} more", verdict.warnings.size() - i)
                          : shortened(base::escape_controls(verdict.warnings[i]), kLongestWarning);
    warnings += fmt::format(R"({}"{}")", warnings.empty() ? "" : ",", base::escape_json(text));
    if (is_last) break;
  }
  if (!warnings.empty()) more += fmt::format(R"(,"warnings":[{}])", warnings);
  return fmt::format(
      R"({{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{{"uid":"{}","allowed":{}{}}}}})",
      base::escape_json(uid), verdict.is_allowed, more);
}

}  // namespace penstock::admission
