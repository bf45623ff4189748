#include "controller/admin/page.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>

#include "controller/admin/page_text.h"
#include "proxy/base/base64.h"

namespace penstock::admin {
namespace {

/// As a source expression (Content Security Policy Level 3, 2.3.1).
std::string hash_of(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return "'sha256-" +
         base::encode_base64({reinterpret_cast<const char*>(digest.data()), digest.size()}) + "'";
}

std::string replaced(std::string text, std::string_view mark, std::string_view by) {
  return text.replace(text.find(mark), mark.size(), by);
}

base::HttpReply make_page() {
  base::HttpReply out;
  out.content_type = "text/html; charset=utf-8";
  out.body = replaced(replaced(kPageHtml, "@STYLE@", kPageStyle), "@SCRIPT@", kPageScript);
  out.headers = {
      {"Content-Security-Policy",
       fmt::format("default-src 'none'; script-src {}; style-src {}; connect-src 'self'; "
                   "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                   hash_of(kPageScript), hash_of(kPageStyle))},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
  };
  return out;
}

}  // namespace

const base::HttpReply& status_page() {
  static const auto kPage = make_page();
  return kPage;
}

}  // namespace penstock::admin
