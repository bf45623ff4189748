#include "controller/admission/certificates.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "proxy/base/openssl.h"

namespace penstock::admission {
namespace {

constexpr long kYear = 365L * 24 * 3600;
constexpr long kClockSkew = 3600;

using Key = base::EvpKeyPtr;
using Certificate = base::X509Ptr;
using Extension = std::unique_ptr<X509_EXTENSION, base::OpenSslDeleter<X509_EXTENSION_free>>;

struct Subject {
  std::string common_name;
  std::string alternative_names;  // "DNS:a,DNS:b"; empty for the authority
};

bool add_extension(X509* certificate, int id, const std::string& value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_extensions(X509* certificate, const Subject& subject) {
  if (subject.alternative_names.empty()) {
    return add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, NID_key_usage, "critical,keyCertSign");
  }
  return add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, NID_subject_alt_name, subject.alternative_names);
}

/// Signed by the issuer, or by itself where there is none.
Certificate issue(const Subject& subject, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate out(X509_new());
  std::uint64_t serial = 0;
  if (!out || RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return {};
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), serial >> 1);
  X509_set_version(out.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -kClockSkew);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), kYear);
  auto* name = X509_get_subject_name(out.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(subject.common_name.c_str()),
                             -1, -1, 0);
  X509_set_issuer_name(out.get(), issuer == nullptr ? name : X509_get_subject_name(issuer));
  const bool is_made =
      X509_set_pubkey(out.get(), key) == 1 && add_extensions(out.get(), subject) &&
      X509_sign(out.get(), issuer_key == nullptr ? key : issuer_key, EVP_sha256()) > 0;
  return is_made ? std::move(out) : Certificate();
}

}  // namespace

base::Result<CertificateSet> make_certificates(const std::vector<std::string>& names) {
  std::string alternatives;
  for (const auto& name : names) {
    alternatives.append(alternatives.empty() ? "" : ",").append(name);
  }
  const Key authority_key(EVP_EC_gen("P-256"));
  const Key key(EVP_EC_gen("P-256"));
  CertificateSet out;
  if (authority_key && key && !names.empty()) {
    // A name of its own for each authority: two of one name and different keys are mixed up.
    const auto stamp = std::to_string(std::time(nullptr));
    const auto authority =
        issue({"Penstock admission authority " + stamp, ""}, authority_key.get(), nullptr, nullptr);
    const auto leaf = authority ? issue({"Penstock admission", alternatives}, key.get(),
                                        authority.get(), authority_key.get())
                                : Certificate();
    if (leaf)
      out = {base::pem_of(authority.get()), base::pem_of(leaf.get()), base::pem_of(key.get())};
  }
  ERR_clear_error();
  if (out.authority_pem.empty() || out.chain_pem.empty() || out.key_pem.empty()) {
    return base::fail("a certificate for the admission webhook cannot be made");
  }
  return out;
}

std::optional<base::WallTime> end_of(const std::string& pem) {
  const auto certificate = base::read_certificate(pem);
  std::tm time{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &time) != 1) {
    return std::nullopt;
  }
  return std::chrono::system_clock::from_time_t(timegm(&time));
}

std::vector<std::string> certificates_of(const std::string& pem, std::size_t most) {
  std::vector<std::string> out;
  const auto bio = base::open_pem(pem);
  while (bio && out.size() < most) {
    const Certificate each(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!each) break;
    out.push_back(base::pem_of(each.get()));
  }
  ERR_clear_error();
  return out;
}

bool is_signed_by(const std::string& chain_pem, const std::string& authority_pem) {
  const auto leaf = base::read_certificate(chain_pem);
  const auto authority = base::read_certificate(authority_pem);
  const bool is_signed =
      leaf && authority && X509_verify(leaf.get(), X509_get0_pubkey(authority.get())) == 1;
  ERR_clear_error();
  return is_signed;
}

}  // namespace penstock::admission
