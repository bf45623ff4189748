#include "controller/kube/kubeconfig.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <fstream>

#include "proxy/base/asio.h"
#include "proxy/base/base64.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::kube {

namespace fs = std::filesystem;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t kMaxFile = 4 << 20;

Result<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFile + 1, '\0');
  if (!file) return fail(fmt::format("{}: cannot be opened for reading", path.string()));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail(fmt::format("{}: cannot be read", path.string()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxFile) return fail(fmt::format("{}: larger than 4 MiB", path.string()));
  return text;
}

std::string without_line_breaks(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return std::string(base::trim(text));
}

std::string text_of(const YAML::Node& node, const char* key) {
  const auto value = node[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

bool is_true(const YAML::Node& node, const char* key) {
  const auto value = node[key];
  return value && value.IsScalar() && value.as<bool>(false);
}

/// The map `part` of the entry called `name` in the list `list`, or an undefined node.
YAML::Node find_entry(const YAML::Node& root, const char* list, const std::string& name,
                      const char* part) {
  const auto entries = root[list];
  if (entries && entries.IsSequence()) {
    for (const auto& entry : entries) {
      if (!entry.IsMap() || text_of(entry, "name") != name) continue;
      const auto found = entry[part];
      if (found && found.IsMap()) return found;
    }
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

/// Inline data goes before a file, as in kubectl. Empty when neither is given.
Result<std::string> pem_of(const YAML::Node& node, const std::string& key, const fs::path& folder) {
  if (const auto data = text_of(node, (key + "-data").c_str()); !data.empty()) {
    auto pem = base::decode_base64(data);
    if (!pem) return fail(fmt::format("{}-data: {}", key, pem.error().message));
    return pem;
  }
  const auto file = text_of(node, key.c_str());
  if (file.empty()) return std::string();
  return read_file(folder / file);
}

Result<void> read_cluster(const YAML::Node& cluster, const fs::path& folder,
                          const KubeconfigOptions& options, ClusterAccess& access) {
  access.server = text_of(cluster, "server");
  while (access.server.ends_with('/')) access.server.pop_back();
  if (auto checked = check_server(access.server); !checked) return checked;
  for (const char* key : {"proxy-url", "tls-server-name"}) {
    if (!text_of(cluster, key).empty()) return fail(fmt::format("{}: not supported", key));
  }
  access.skips_tls_verify = is_true(cluster, "insecure-skip-tls-verify");
  if (access.skips_tls_verify && !options.may_skip_tls_verify) {
    return fail("insecure-skip-tls-verify: refused, give certificate-authority instead");
  }
  auto ca = pem_of(cluster, "certificate-authority", folder);
  if (!ca) return std::unexpected(ca.error());
  access.ca_pem = std::move(*ca);
  return {};
}

Result<void> read_user(const YAML::Node& user, const fs::path& folder, ClusterAccess& access) {
  for (const char* key : {"exec", "auth-provider", "username"}) {
    if (user[key]) {
      return fail(fmt::format("{}: not supported, use a token or a client certificate", key));
    }
  }
  auto certificate = pem_of(user, "client-certificate", folder);
  if (!certificate) return std::unexpected(certificate.error());
  auto key = pem_of(user, "client-key", folder);
  if (!key) return std::unexpected(key.error());
  if (certificate->empty() != key->empty()) {
    return fail("client-certificate and client-key: one is given without the other");
  }
  access.client_certificate_pem = std::move(*certificate);
  access.client_key_pem = std::move(*key);
  access.token = text_of(user, "token");
  if (const auto file = text_of(user, "tokenFile"); !file.empty())
    access.token_file = folder / file;
  return {};
}

Result<ClusterAccess> read_document(const YAML::Node& root, const fs::path& folder,
                                    const KubeconfigOptions& options) {
  if (!root.IsMap()) return fail("not a kubeconfig");
  const auto name = options.context.empty() ? text_of(root, "current-context") : options.context;
  if (name.empty()) return fail("current-context: not set, and no context was asked for");
  const auto context = find_entry(root, "contexts", name, "context");
  if (!context.IsDefined()) return fail(fmt::format("contexts: there is none called '{}'", name));
  const auto cluster_name = text_of(context, "cluster");
  const auto cluster = find_entry(root, "clusters", cluster_name, "cluster");
  if (!cluster.IsDefined()) {
    return fail(fmt::format("clusters: there is none called '{}'", cluster_name));
  }
  ClusterAccess access;
  if (auto done = read_cluster(cluster, folder, options, access); !done) {
    return std::unexpected(done.error());
  }
  if (const auto space = text_of(context, "namespace"); !space.empty()) access.name_space = space;
  const auto user_name = text_of(context, "user");
  if (user_name.empty()) return access;
  const auto user = find_entry(root, "users", user_name, "user");
  if (!user.IsDefined()) return fail(fmt::format("users: there is none called '{}'", user_name));
  if (auto done = read_user(user, folder, access); !done) return std::unexpected(done.error());
  return access;
}

}  // namespace

Result<ClusterAccess> read_kubeconfig(const fs::path& path, const KubeconfigOptions& options) {
  auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  try {
    auto access = read_document(YAML::Load(*text), path.parent_path(), options);
    if (!access) return fail(fmt::format("{}: {}", path.string(), access.error().message));
    return access;
  } catch (const YAML::Exception& error) {
    return fail(fmt::format("{}: {}", path.string(), error.what()));
  }
}

Result<ClusterAccess> read_in_cluster(std::string_view host, std::string_view port,
                                      const fs::path& directory) {
  if (host.empty() || port.empty()) {
    return fail("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not in a pod");
  }
  ClusterAccess access;
  const bool is_v6 = host.find(':') != host.npos && !host.starts_with('[');
  access.server =
      is_v6 ? fmt::format("https://[{}]:{}", host, port) : fmt::format("https://{}:{}", host, port);
  if (auto checked = check_server(access.server); !checked) return std::unexpected(checked.error());
  auto ca = read_file(directory / "ca.crt");
  if (!ca) return std::unexpected(ca.error());
  access.ca_pem = std::move(*ca);
  access.token_file = directory / "token";
  auto token = read_file(access.token_file);
  if (!token) return std::unexpected(token.error());
  access.token = without_line_breaks(*token);
  if (auto space = read_file(directory / "namespace")) {
    access.name_space = without_line_breaks(*space);
  }
  return access;
}

Result<ClusterAccess> with_server(ClusterAccess access, std::string url,
                                  const fs::path& authority) {
  while (url.ends_with('/')) url.pop_back();
  access.server = std::move(url);
  if (auto checked = check_server(access.server); !checked) return std::unexpected(checked.error());
  if (authority.empty()) return access;
  auto ca = read_file(authority);
  if (!ca) return std::unexpected(ca.error());
  access.ca_pem = std::move(*ca);
  return access;
}

Result<void> check_server(std::string_view url) {
  constexpr std::string_view kHttps = "https://";
  constexpr std::string_view kHttp = "http://";
  if (url.starts_with(kHttps) && url.size() > kHttps.size()) return {};
  if (!url.starts_with(kHttp)) {
    return fail(fmt::format("server: expected an https:// URL, got '{}'", url));
  }
  auto host = url.substr(kHttp.size());
  host = host.substr(0, host.find('/'));
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  base::error_code code;
  const auto address = asio::ip::make_address(std::string(host), code);
  if (host == "localhost" || (!code && address.is_loopback())) return {};
  return fail(
      fmt::format("server: '{}' is not encrypted, http is for loopback addresses only", url));
}

const std::string& TokenSource::token(base::SteadyTime now) {
  if (file_.empty() || (is_fresh_ && now - read_at_ < kReadInterval)) return token_;
  is_fresh_ = true;
  read_at_ = now;
  auto text = read_file(file_);
  if (!text) {
    base::log::warn("token file: {}; the last token stays in use", text.error().message);
  } else if (auto fresh = without_line_breaks(*text); !fresh.empty()) {
    token_ = std::move(fresh);
  }
  return token_;
}

}  // namespace penstock::kube
