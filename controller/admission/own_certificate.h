#pragma once
// The webhook's certificate where nobody gives one: made here, kept in a Secret that all replicas
// share, renewed when a third of its time is left, its authority told to the API server.
//
// Every replica does this, without a leader: a write carries the resource version that was read, so
// that of two one is refused and looks again. A new authority is told before the certificate is
// replaced, beside those that the API server knows, so that no replica's certificate is ever
// strange to it. A certificate that cannot be renewed serves until its end. Runs on the
// controller's thread.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/objects/parse.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::admission {

class OwnCertificate {
 public:
  struct Options {
    std::string name_space;
    std::string name;  // of the Secret, the Service and the ValidatingWebhookConfiguration
    std::string ip;    // where the API server calls an address instead of the Service; or empty
  };
  using OnCertificate =
      std::function<base::Result<void>(const std::string& chain_pem, const std::string& key_pem)>;

  OwnCertificate(asio::io_context& io, kube::Client& client, Options options,
                 OnCertificate on_certificate);
  void start() { check(); }

 private:
  struct Kept {
    std::string version;    // resourceVersion
    std::string authority;  // PEM, the newest first
    std::string chain;
    std::string key;
  };
  void check();
  void take_secret(const kube::Response& response);
  void renew(const Kept& kept);
  void write(const Kept& kept);
  void adopt(const Kept& kept);
  /// Then calls `next`.
  void tell_authority(const std::string& authority, std::function<void()> next);
  void patch_authority(const std::string& configuration, const std::string& authority,
                       std::function<void()> next);
  void fail(std::string_view what, const kube::Response& response);
  /// Doubles with every failure in a row.
  std::chrono::seconds retry_delay();
  std::string secret_path() const;
  std::string secret_json(const Kept& kept) const;

  kube::Client& client_;
  Options options_;
  OnCertificate on_certificate_;
  kube::OneTimer timer_;
  kube::Call call_;
  std::string in_use_;
  unsigned failures_ = 0;  // in a row
};

/// The operations (RFC 6902) that put the first of these authorities, and then the others, before
/// those that the webhooks of a configuration have; empty where all have the first, nothing where
/// the configuration cannot be read. They are for this very version of it.
std::optional<std::string> authority_patch(const std::string& configuration,
                                           const std::string& authority_pem);

}  // namespace penstock::admission
