#include "controller/admission/certificate_files.h"

#include <fstream>
#include <iterator>

namespace penstock::admission {
namespace {

constexpr std::chrono::seconds kCheckEvery{10};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

CertificateFiles::CertificateFiles(asio::io_context& io, std::string certificate, std::string key,
                                   OnCertificate on_certificate)
    : certificate_(std::move(certificate)),
      key_(std::move(key)),
      on_certificate_(std::move(on_certificate)),
      timer_(io) {}

void CertificateFiles::check() {
  const auto chain = read(certificate_);
  const auto key = read(key_);
  if (auto now = chain + key; now != in_use_) {
    in_use_ = std::move(now);
    on_certificate_(chain, key);
  }
  timer_.after(kCheckEvery, [this] { check(); });
}

}  // namespace penstock::admission
