#pragma once
// The admission webhook as a whole: its server, its certificate and the judge, between the server's
// thread and the controller's.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "controller/admission/certificate_files.h"
#include "controller/admission/judge.h"
#include "controller/admission/own_certificate.h"
#include "controller/admission/server.h"

namespace penstock::admission {

class Webhook {
 public:
  struct Options {
    std::string address;           // ":8443"
    std::string certificate_file;  // both empty: our own
    std::string key_file;
    std::string name_space;  // of our pod
    std::string name;
  };
  /// Nothing while the cluster is not known yet.
  using GetSite = std::function<std::optional<Site>()>;
  /// How long a review has taken within the controller.
  using OnJudged = std::function<void(const Verdict&, std::chrono::nanoseconds)>;

  static base::Result<std::unique_ptr<Webhook>> start(asio::io_context& io, kube::Client& client,
                                                      Options options, GetSite get_site,
                                                      OnJudged on_judged);

 private:
  Webhook(asio::io_context& io, GetSite get_site, OnJudged on_judged);
  void take(const Review& review, base::SteadyTime began, const Answer& answer);
  base::Result<void> use(const std::string& chain_pem, const std::string& key_pem);

  asio::io_context& io_;
  GetSite get_site_;
  OnJudged on_judged_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  std::unique_ptr<Server> server_;
  std::optional<OwnCertificate> own_;
  std::optional<CertificateFiles> files_;
};

}  // namespace penstock::admission
