#include "controller/admin/guard.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <fstream>

#include "proxy/base/ip_net.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::admin {
namespace {

constexpr std::uint32_t kMostFailures = 10;
constexpr std::chrono::seconds kWindow{60};
constexpr std::size_t kMostPeers = 1024;
constexpr std::size_t kMostReviews = 8;
constexpr std::size_t kMostGranted = 256;
constexpr std::chrono::seconds kRemembered{30};
constexpr std::size_t kLongestToken = 8192;
constexpr std::size_t kShortestSecret = 16;

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() ||
      !base::equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  return base::trim(authorization.substr(kScheme.size()));
}

std::array<unsigned char, 32> digest_of(std::string_view text) {
  std::array<unsigned char, 32> out{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return out;
}

}  // namespace

bool is_foreign_name(std::string_view host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end == host.npos || !base::parse_address(host.substr(1, end - 1));
  }
  const auto name = host.substr(0, host.find(':'));
  return !base::equals_ignoring_case(name, "localhost") && !base::parse_address(name);
}

base::Result<std::string> read_token(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) {
    return base::fail(fmt::format("{}: expected a file with a token", path));
  }
  std::string token(base::trim(line));
  if (!token.empty() && token.back() == '\r') token.pop_back();
  if (token.size() < kShortestSecret) {
    return base::fail(fmt::format("{}: expected a token of at least {} characters, got {}", path,
                                  kShortestSecret, token.size()));
  }
  return token;
}

bool Guard::is_bounded_out(const base::Address& peer) {
  const auto found = failures_.find(peer);
  if (found == failures_.end()) return false;
  if (clock_() - found->second.since < kWindow) return found->second.count >= kMostFailures;
  failures_.erase(found);
  return false;
}

void Guard::add_failure(const base::Address& peer) {
  const auto now = clock_();
  if (failures_.size() >= kMostPeers && !failures_.contains(peer)) {
    std::erase_if(failures_, [&](const auto& each) { return now - each.second.since >= kWindow; });
    if (failures_.size() >= kMostPeers) {
      failures_.erase(std::ranges::min_element(failures_, {},
                                               [](const auto& each) { return each.second.since; }));
    }
  }
  auto& entry = failures_[peer];
  if (entry.count == 0) entry.since = now;
  if (++entry.count == kMostFailures) {
    base::log::warn("audit: peer={} is not heard for {} s: {} attempts failed", peer.to_string(),
                    kWindow.count(), kMostFailures);
  }
}

void Guard::check(const base::HttpRequest& request, Right right, OnVerdict on_verdict) {
  const std::string token(bearer_token(request.authorization));
  if (token.empty() || token.size() > kLongestToken) {
    return on_verdict({401, "", "expected Authorization: Bearer with a token"});
  }
  const auto digest = digest_of(token);
  const auto known = granted_.find({digest, right});
  if (known != granted_.end() && clock_() < known->second.until) {
    return on_verdict({200, known->second.user, ""});
  }
  if (is_bounded_out(request.peer)) {
    return on_verdict({429, "", "too many attempts failed; try again in a minute"});
  }
  if (!options_.token_file.empty()) {
    const auto secret = read_token(options_.token_file);
    if (!secret) base::log::error("admin token: {}", secret.error().message);
    // Digests are of one length, so that the time tells nothing of the secret.
    const bool is_equal =
        secret && CRYPTO_memcmp(digest_of(*secret).data(), digest.data(), digest.size()) == 0;
    if (is_equal) return on_verdict({200, "token-file", ""});
  }
  if (!options_.review) {
    add_failure(request.peer);
    return on_verdict({401, "", "the token is not known"});
  }
  review(token, right, request.peer, digest, std::move(on_verdict));
}

void Guard::review(const std::string& token, Right right, const base::Address& peer,
                   const Digest& digest, OnVerdict on_verdict) {
  if (reviews_ >= kMostReviews) {
    return on_verdict({503, "", "too many tokens are being reviewed; try again"});
  }
  ++reviews_;
  options_.review(token, right, [this, right, peer, digest, on_verdict](const Verdict& verdict) {
    --reviews_;
    if (verdict.status == 200) {
      const auto now = clock_();
      std::erase_if(granted_, [&](const auto& each) { return each.second.until <= now; });
      if (granted_.size() < kMostGranted) {
        granted_[{digest, right}] = {verdict.user, now + kRemembered};
      }
    } else if (verdict.status == 401 || verdict.status == 403) {
      add_failure(peer);
    }
    on_verdict(verdict);
  });
}

}  // namespace penstock::admin
