#include "controller/admission/certificate_files.h"

#include <fstream>

namespace penstock::admission {
namespace {

constexpr std::chrono::seconds kReadEvery{10};

constexpr std::size_t kMostBytes = 1U << 20;  // as of a Secret

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string out(kMostBytes, '\0');
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(file.gcount()));
  return out;
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
    // Also where it cannot be used: that is said once, and files that are half replaced come again.
    in_use_ = std::move(now);
    (void)on_certificate_(chain, key);
  }
  timer_.after(kReadEvery, [this] { check(); });
}

}  // namespace penstock::admission
