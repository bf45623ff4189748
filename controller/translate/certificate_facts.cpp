#include "controller/translate/certificate_facts.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>

#include <chrono>
#include <ctime>
#include <memory>

#include "proxy/base/openssl.h"

namespace penstock::translate {
namespace {

void free_text(void* text) { OPENSSL_free(text); }

/// The first attribute of this kind as UTF-8.
std::string attribute(const X509_NAME* name, int kind) {
  const int at = X509_NAME_get_index_by_NID(name, kind, -1);
  if (at < 0) return {};
  const auto* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, value);
  if (size < 0) return {};
  const std::unique_ptr<unsigned char, base::OpenSslDeleter<free_text>> owner(text);
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

std::string decimal(const ASN1_INTEGER* number) {
  const std::unique_ptr<BIGNUM, base::OpenSslDeleter<BN_free>> value(
      ASN1_INTEGER_to_BN(number, nullptr));
  if (!value) return {};
  const std::unique_ptr<char, base::OpenSslDeleter<free_text>> text(BN_bn2dec(value.get()));
  return text ? std::string(text.get()) : std::string();
}

std::string algorithm_of(X509* certificate) {
  const auto* key = X509_get0_pubkey(certificate);
  switch (key == nullptr ? 0 : EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return "RSA";
    case EVP_PKEY_EC:
      return "ECDSA";
    case EVP_PKEY_ED25519:
      return "Ed25519";
    default:
      return {};
  }
}

}  // namespace

base::Result<CertificateFacts> certificate_facts(const std::string& chain_pem) {
  const auto x509 = base::read_certificate(chain_pem);
  if (!x509) return base::fail("expected a PEM certificate");
  CertificateFacts out;
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(x509.get()), &end) == 1) out.expires = timegm(&end);
  const auto* issuer = X509_get_issuer_name(x509.get());
  out.serial_number = decimal(X509_get0_serialNumber(x509.get()));
  out.issuer_common_name = attribute(issuer, NID_commonName);
  out.issuer_organization = attribute(issuer, NID_organizationName);
  out.issuer_serial_number = attribute(issuer, NID_serialNumber);
  out.public_key_algorithm = algorithm_of(x509.get());
  return out;
}

std::string why_expired(const CertificateFacts& facts, std::int64_t now) {
  if (facts.expires == 0 || facts.expires > now) return {};
  const auto day = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(facts.expires)));
  const std::chrono::year_month_day date(day);
  return fmt::format("the certificate expired on {}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

}  // namespace penstock::translate
