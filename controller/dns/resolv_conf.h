#pragma once
// The resolver's configuration as resolv.conf(5) writes it, and the names that a search list makes
// of one name. Pure.
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::dns {

struct ResolvConf {
  std::vector<std::string> servers;  // "10.96.0.10", "10.96.0.10:5353", "[::1]:53"
  std::vector<std::string> search;
  int ndots = 1;
  std::chrono::milliseconds timeout{5000};
  int attempts = 2;

  bool operator==(const ResolvConf&) const = default;
};

/// Unknown lines and options are skipped, as libc does.
ResolvConf parse_resolv_conf(std::string_view text);
/// A file that cannot be read gives the server 127.0.0.1, as libc does.
ResolvConf read_resolv_conf(const std::filesystem::path& path = "/etc/resolv.conf");

/// What to ask, in order, all absolute and without the final dot. A name that ends in a dot is
/// absolute; one with at least ndots dots is tried as it is before the search list, others after.
std::vector<std::string> candidates(std::string_view name, const ResolvConf& conf);

}  // namespace penstock::dns
