#include "controller/objects/tcp_tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "proxy/base/text.h"

namespace penstock::objects {
namespace {

constexpr std::size_t kMostCertificates = 16;
constexpr std::size_t kMostNames = 64;
constexpr std::size_t kMostProtocols = 16;
constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxProtocol = 255;  // RFC 7301 3.1

constexpr std::array kModes = {Named<TlsMode>{"Passthrough", TlsMode::kPassthrough},
                               Named<TlsMode>{"Terminate", TlsMode::kTerminate}};
constexpr std::array kAuthModes = {Named<ClientAuthMode>{"Optional", ClientAuthMode::kOptional},
                                   Named<ClientAuthMode>{"Required", ClientAuthMode::kRequired}};
constexpr std::array kStartTls = {
    Named<StartTls>{"None", StartTls::kOff}, Named<StartTls>{"Postgres", StartTls::kPostgres},
    Named<StartTls>{"SMTP", StartTls::kSmtp}, Named<StartTls>{"MySQL", StartTls::kMySql}};
constexpr std::array kVersions = {Named<bool>{"1.2", true}, Named<bool>{"1.3", false}};

bool is_label(std::string_view label) {
  const auto is_inner = [](char c) {
    return base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, is_inner);
}

bool is_server_name(std::string_view name) {
  if (name.size() > kMaxName) return false;
  if (name.starts_with("*.")) name.remove_prefix(2);
  return std::ranges::all_of(base::split(name, '.'), is_label);
}

void check_terminated(const Json& tls, const ListenerTls& listener) {
  if (listener.certificates.empty()) {
    tls.fail("certificateRefs: expected at least one with mode Terminate, got none");
  }
  if (listener.certificates.size() > kMostCertificates) {
    tls.fail(fmt::format("certificateRefs: expected at most {}, got {}", kMostCertificates,
                         listener.certificates.size()));
  }
}

void check_passed_through(const Json& tls) {
  for (const auto* key : {"certificateRefs", "minVersion", "cipherSuites", "curves", "alpn",
                          "clientAuth", "starttls"}) {
    if (!tls.get(key).is_absent()) {
      tls.fail(fmt::format("{}: expected with mode Terminate only", key));
    }
  }
}

/// Words that OpenSSL's lists are made of; what they mean is checked where they are used.
std::vector<std::string> parse_words(const Json& json, std::string_view key) {
  auto words = json.texts(key);
  for (const auto& word : words) {
    const bool is_word =
        !word.empty() && word.size() <= kMaxLabel && std::ranges::all_of(word, [](char c) {
          return base::is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 c == '-' || c == '_';
        });
    if (!is_word) json.get(key).fail(fmt::format("expected names, got '{}'", word));
  }
  if (words.size() > kMostNames) {
    json.get(key).fail(fmt::format("expected at most {}, got {}", kMostNames, words.size()));
  }
  return words;
}

std::string secret_name(const Json& ref) {
  ref.limit_text("name", 1, kMaxName);
  auto name = ref.text("name");
  if (name.empty()) ref.fail("name: expected the name of a Secret, got none");
  return name;
}

/// The Secret that the field names; empty without the field.
std::string referred(const Json& json, std::string_view key) {
  const auto ref = json.get(key);
  if (ref.is_absent()) return {};
  ref.allow_only({"name"});
  return secret_name(ref);
}

}  // namespace

std::vector<std::string> parse_protocols(const Json& json, std::string_view key) {
  auto protocols = json.texts(key);
  if (protocols.size() > kMostProtocols) {
    json.get(key).fail(
        fmt::format("expected at most {}, got {}", kMostProtocols, protocols.size()));
  }
  for (const auto& each : protocols) {
    if (each.empty() || each.size() > kMaxProtocol) {
      json.get(key).fail(fmt::format("expected protocols of 1 to 255 bytes, got '{}'", each));
    }
  }
  return protocols;
}

std::vector<std::string> parse_server_names(const Json& match) {
  std::vector<std::string> names;
  if (!match.get("sni").is_absent()) match.limit_items("sni", 1, kMostNames);
  match.for_each("sni", [&](const Json& item) {
    const auto text = item.own_text();
    auto name = base::to_lower(text);
    if (!is_server_name(name)) {
      item.fail(fmt::format("expected a DNS name such as db.example.com or *.example.com, got '{}'",
                            text));
    }
    names.push_back(std::move(name));
  });
  std::ranges::sort(names);
  const auto repeats = std::ranges::unique(names);
  names.erase(repeats.begin(), repeats.end());
  return names;
}

ListenerTls parse_listener_tls(const Json& listener) {
  ListenerTls out;
  const auto tls = listener.get("tls");
  if (tls.is_absent()) return out;
  tls.allow_only({"mode", "certificateRefs", "minVersion", "cipherSuites", "curves", "alpn",
                  "clientAuth", "starttls"});
  if (tls.get("mode").is_absent()) tls.fail("mode: expected Terminate or Passthrough, got none");
  out.mode = choose(tls, "mode", kModes, TlsMode::kTerminate);
  if (out.mode == TlsMode::kPassthrough) {
    check_passed_through(tls);
    return out;
  }
  tls.for_each("certificateRefs", [&](const Json& item) {
    item.allow_only({"name", "namespace"});
    item.limit_text("namespace", 0, kMaxLabel);
    out.certificates.push_back({secret_name(item), item.text("namespace")});
  });
  check_terminated(tls, out);
  out.allows_tls12 = choose(tls, "minVersion", kVersions, true);
  out.ciphers = parse_words(tls, "cipherSuites");
  out.curves = parse_words(tls, "curves");
  out.protocols = parse_protocols(tls, "alpn");
  out.start_tls = choose(tls, "starttls", kStartTls, StartTls::kOff);
  const auto auth = tls.get("clientAuth");
  if (auth.is_absent()) return out;
  auth.allow_only({"mode", "caRef"});
  if (auth.get("mode").is_absent()) auth.fail("mode: expected Optional or Required, got none");
  out.client_auth = choose(auth, "mode", kAuthModes, ClientAuthMode::kRequired);
  out.client_authority = referred(auth, "caRef");
  if (out.client_authority.empty()) auth.fail("caRef: expected the name of a Secret, got none");
  return out;
}

BackendTls parse_backend_tls(const Json& backend, const std::string& host) {
  BackendTls out;
  const auto tls = backend.get("tls");
  if (tls.is_absent()) return out;
  tls.allow_only({"serverName", "caRef", "verify", "clientCertRef"});
  out.is_enabled = true;
  tls.limit_text("serverName", 1, kMaxName);
  out.server_name = base::to_lower(tls.text("serverName"));
  if (out.server_name.empty()) out.server_name = host;
  out.verifies = tls.boolean("verify", true);
  out.authority = referred(tls, "caRef");
  out.certificate = referred(tls, "clientCertRef");
  if (out.verifies && out.server_name.empty()) {
    tls.fail("serverName: expected the name that the certificate is for, got none");
  }
  return out;
}

}  // namespace penstock::objects
