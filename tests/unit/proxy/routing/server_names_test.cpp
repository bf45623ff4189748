#include "proxy/routing/server_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "proxy/routing/compile.h"

namespace penstock::routing {
namespace {

using snapshot::StreamDelegate;

std::vector<StreamDelegate> sorted(std::vector<StreamDelegate> delegates) {
  std::ranges::sort(delegates, {}, &StreamDelegate::server_name);
  return delegates;
}

std::string found(const std::vector<StreamDelegate>& delegates, std::string_view name) {
  const auto* delegate = find_delegate(delegates, name);
  return delegate == nullptr ? "nobody" : delegate->stream;
}

TEST(ServerNames, TheClosestHasIt) {
  const auto delegates = sorted({{"a.example.com", "whole"},
                                 {"*.example.com", "wild"},
                                 {"*.b.example.com", "longer"},
                                 {"*.com", "widest"},
                                 {"", "rest"}});
  EXPECT_EQ(found(delegates, "a.example.com"), "whole");
  EXPECT_EQ(found(delegates, "b.example.com"), "wild");
  EXPECT_EQ(found(delegates, "x.a.example.com"), "wild");
  EXPECT_EQ(found(delegates, "x.b.example.com"), "longer");
  EXPECT_EQ(found(delegates, "x.y.b.example.com"), "longer");
  EXPECT_EQ(found(delegates, "example.com"), "widest");
  EXPECT_EQ(found(delegates, "com"), "rest") << "a wildcard is for what is below it";
  EXPECT_EQ(found(delegates, "example.org"), "rest");
  EXPECT_EQ(found(delegates, ""), "rest");
  EXPECT_EQ(found({}, "a.example.com"), "nobody");
  EXPECT_EQ(found({{"a", "x"}}, ""), "nobody");
}

/// What is found by search is what comparing each would find.
TEST(ServerNames, TheSearchFindsWhatLookingAtEachFinds) {
  std::mt19937 random(7);
  const auto pick = [&](int count) {
    return std::uniform_int_distribution<int>(0, count - 1)(random);
  };
  const auto name = [&] {
    std::string out(1, static_cast<char>('a' + pick(2)));
    for (int i = pick(4); i > 0; --i) out.append(".").append(1, static_cast<char>('a' + pick(2)));
    return out;
  };
  for (int round = 0; round < 2'000; ++round) {
    std::vector<StreamDelegate> delegates;
    for (int i = pick(6); i >= 0; --i) {
      auto pattern = pick(3) == 0 ? name() : "*." + name();
      if (pick(8) == 0) pattern.clear();
      delegates.push_back({pattern, "of " + pattern});
    }
    delegates = sorted(std::move(delegates));
    const auto repeats = std::ranges::unique(delegates, {}, &StreamDelegate::server_name);
    delegates.erase(repeats.begin(), repeats.end());
    const auto asked = name();
    std::string best = "nobody";
    std::size_t closeness = 0;
    for (const auto& each : delegates) {
      const auto& pattern = each.server_name;
      std::size_t close = pattern.empty() ? 1 : 0;
      if (pattern == asked) close = 1'000;
      if (pattern.starts_with("*.") && asked.size() >= pattern.size() &&
          asked.ends_with(pattern.substr(1))) {
        close = pattern.size();
      }
      if (close <= closeness) continue;
      closeness = close;
      best = each.stream;
    }
    EXPECT_EQ(found(delegates, asked), best) << asked;
  }
}

TEST(ServerNames, HostsGoBeforeWildcardsOfStreams) {
  snapshot::Update update;
  update.version = 1;
  const auto add = [&](snapshot::PartKind kind, const std::string& name, snapshot::Part part) {
    update.parts.push_back({{kind, name}, std::make_shared<const snapshot::Part>(std::move(part))});
  };
  add(snapshot::PartKind::kGlobal, "", snapshot::Global{});
  for (const std::string host : {"web.test", "*.deep.test", "*.test", "_"}) {
    add(snapshot::PartKind::kHost, host, snapshot::Host{host, "", {}});
  }
  Compiler compiler;
  const auto compiled = compiler.compile(update);
  ASSERT_TRUE(compiled);
  snapshot::Stream names;
  const auto of = [&](std::string_view name) {
    const auto* delegate = find_https_delegate(*compiled->table, names, name);
    return delegate == nullptr ? "hosts" : delegate->stream;
  };
  names.delegates = sorted({{"*.test", "wild"}, {"web.deep.test", "whole"}});
  EXPECT_EQ(of("web.test"), "hosts");
  EXPECT_EQ(of("a.deep.test"), "hosts");
  EXPECT_EQ(of("web.deep.test"), "whole");
  EXPECT_EQ(of("a.b.deep.test"), "wild") << "a host's wildcard is for one label";
  EXPECT_EQ(of("other.test"), "wild") << "it was the older";
  EXPECT_EQ(of("elsewhere.org"), "hosts");
  EXPECT_EQ(of(""), "hosts");
}

}  // namespace
}  // namespace penstock::routing
