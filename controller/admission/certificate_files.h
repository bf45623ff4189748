#pragma once
// The webhook's certificate from two files, read again when they change (a mounted Secret). Runs on
// the controller's thread.
#include <functional>
#include <string>

#include "controller/kube/one_timer.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::admission {

class CertificateFiles {
 public:
  using OnCertificate =
      std::function<base::Result<void>(const std::string& chain_pem, const std::string& key_pem)>;

  CertificateFiles(asio::io_context& io, std::string certificate, std::string key,
                   OnCertificate on_certificate);
  void check();

 private:
  std::string certificate_;
  std::string key_;
  OnCertificate on_certificate_;
  kube::OneTimer timer_;
  std::string in_use_;
};

}  // namespace penstock::admission
