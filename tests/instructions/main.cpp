// Runs one path of the proxy many times, for callgrind to count its instructions:
//
//   instructions PATH TIMES     runs it
//   instructions --list         the names of all paths
//   instructions --build        what this program was built with
#include <fmt/format.h>
#include <gnu/libc-version.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "tests/instructions/paths.h"

namespace penstock::instructions {
namespace {

struct Path {
  std::string_view name;
  void (*run)(int times);
};

constexpr Path kPaths[] = {
    {"parse_request", parse_request},
    {"parse_response", parse_response},
    {"write_request", write_request},
    {"write_response", write_response},
    {"decode_chunked", decode_chunked},
    {"find_route_of_1_host", find_route_of_1_host},
    {"find_route_of_5000_hosts", find_route_of_5000_hosts},
    {"find_identity", find_identity},
    {"pick_round_robin", pick_round_robin},
    {"pick_least_connections", pick_least_connections},
    {"pick_consistent_hash", pick_consistent_hash},
    {"keep_and_take", keep_and_take},
    {"write_log_line", write_log_line},
    {"observe_metrics", observe_metrics},
    {"arm_deadline", arm_deadline},
    {"get_1k", get_1k},
    {"get_1k_of_5000_hosts", get_1k_of_5000_hosts},
    {"get_1k_short_head", get_1k_short_head},
    {"post_10k", post_10k},
    {"connect_get_close", connect_get_close},
    {"relay_step", relay_step},
};

#ifdef __clang__
constexpr std::string_view kCompiler = "clang++ " __clang_version__;
#else
constexpr std::string_view kCompiler = "g++ " __VERSION__;
#endif

int usage() {
  fmt::print(stderr, "usage: instructions PATH TIMES | --list | --build\n");
  return 2;
}

int run(int count, char** words) {
  const std::string_view word = count > 1 ? words[1] : "";
  if (word == "--list") {
    for (const auto& path : kPaths) fmt::print("{}\n", path.name);
    return 0;
  }
  if (word == "--build") {
    fmt::print("{}, {}, glibc {}\n", kCompiler, PENSTOCK_FLAGS, gnu_get_libc_version());
    return 0;
  }
  const auto path = std::ranges::find(kPaths, word, &Path::name);
  const int times = count == 3 ? std::atoi(words[2]) : 0;
  if (path == std::end(kPaths) || times <= 0) return usage();
  path->run(times);
  return 0;
}

}  // namespace
}  // namespace penstock::instructions

int main(int count, char** words) {
  try {
    return penstock::instructions::run(count, words);
  } catch (const std::exception& error) {
    fmt::print(stderr, "instructions: {}\n", error.what());
    return 1;
  }
}
