#pragma once
// How to reach a Kubernetes API server and as whom: from a kubeconfig file or from the service
// account that Kubernetes mounts into a pod. Reading happens once, at start-up; only a token file
// is read again later (TokenSource), because the kubelet rotates it.
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "proxy/base/clock.h"
#include "proxy/base/result.h"

namespace penstock::kube {

/// Everything the client needs. Holds secrets: never log it.
struct ClusterAccess {
  std::string server;  // "https://10.0.0.1:6443", without a trailing slash
  std::string ca_pem;  // empty: the system's authorities
  std::string client_certificate_pem;
  std::string client_key_pem;
  std::string token;
  std::filesystem::path token_file;  // goes before `token`, re-read when it changes
  std::string name_space = "default";
  bool skips_tls_verify = false;
};

struct KubeconfigOptions {
  std::string context;  // empty: current-context
  bool may_skip_tls_verify = false;
};

/// Files named in the kubeconfig are relative to it. Plugins (exec, auth-provider), user names with
/// passwords, proxies and tls-server-name are refused with a sentence that says so.
base::Result<ClusterAccess> read_kubeconfig(const std::filesystem::path& path,
                                            const KubeconfigOptions& options = {});

inline constexpr std::string_view kServiceAccountDirectory =
    "/var/run/secrets/kubernetes.io/serviceaccount";

/// `host` and `port` are KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT; empty means that this
/// is no pod, which is an error.
base::Result<ClusterAccess> read_in_cluster(
    std::string_view host, std::string_view port,
    const std::filesystem::path& directory = kServiceAccountDirectory);

/// The same, but for the server at this URL (--apiserver-host) with the authority in this file;
/// empty: that of `access`.
base::Result<ClusterAccess> with_server(ClusterAccess access, std::string url,
                                        const std::filesystem::path& authority);

/// https anywhere; http only to a loopback address, where there is no network to listen on.
base::Result<void> check_server(std::string_view url);

/// The bearer token of each request. A token file is read at most once every `kReadInterval`; while
/// it cannot be read the last token stays. Controller's thread.
class TokenSource {
 public:
  static constexpr std::chrono::seconds kReadInterval{10};

  explicit TokenSource(const ClusterAccess& access)
      : file_(access.token_file), token_(access.token) {}

  const std::string& token(base::SteadyTime now);
  /// The server refused the token: the next call reads the file whatever the time.
  void expire() { is_fresh_ = false; }

 private:
  std::filesystem::path file_;
  std::string token_;
  base::SteadyTime read_at_;
  bool is_fresh_ = false;
};

}  // namespace penstock::kube
