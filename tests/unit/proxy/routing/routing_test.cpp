#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "proxy/routing/compile.h"

namespace penstock::routing {
namespace {

using snapshot::PathMatch;

snapshot::Route route(std::string path, PathMatch match, std::string upstream = "up") {
  snapshot::Route out;
  out.path = std::move(path);
  out.match = match;
  out.upstream = std::move(upstream);
  return out;
}

std::string find(const std::vector<snapshot::Route>& routes, std::string_view path) {
  const PathIndex index(routes);
  const auto match = index.find(path);
  if (!match) return "none";
  const auto& found = routes[match->route];
  return std::string(match->redirects_to_slash ? "redirect " : "") +
         (found.match == PathMatch::kExact ? "= " : "") + found.path;
}

TEST(PathIndex, ExactTakesOnlyItself) {
  const std::vector routes{route("/foo", PathMatch::kExact)};
  EXPECT_EQ(find(routes, "/foo"), "= /foo");
  EXPECT_EQ(find(routes, "/foo/"), "none");
  EXPECT_EQ(find(routes, "/foo/bar"), "none");
  EXPECT_EQ(find(routes, "/FOO"), "none");
}

TEST(PathIndex, PrefixGoesByPathElement) {
  const std::vector routes{route("/foo", PathMatch::kPrefix)};
  EXPECT_EQ(find(routes, "/foo"), "/foo");
  EXPECT_EQ(find(routes, "/foo/"), "/foo");
  EXPECT_EQ(find(routes, "/foo/bar/baz"), "/foo");
  EXPECT_EQ(find(routes, "/foobar"), "none");
  EXPECT_EQ(find(routes, "/"), "none");
}

TEST(PathIndex, PrefixWithSlashRedirectsItsBareForm) {
  const std::vector routes{route("/", PathMatch::kPrefix), route("/foo/", PathMatch::kPrefix)};
  EXPECT_EQ(find(routes, "/foo"), "redirect /foo/");
  EXPECT_EQ(find(routes, "/foo/"), "/foo/");
  EXPECT_EQ(find(routes, "/foo/x"), "/foo/");
  EXPECT_EQ(find(routes, "/foox"), "/");
  const std::vector claimed{route("/foo", PathMatch::kExact), route("/foo/", PathMatch::kPrefix)};
  EXPECT_EQ(find(claimed, "/foo"), "= /foo");
}

TEST(PathIndex, ExactComesBeforePrefixAndLongestPrefixWins) {
  const std::vector routes{route("/", PathMatch::kPrefix), route("/a", PathMatch::kPrefix),
                           route("/a/b", PathMatch::kExact), route("/a/b", PathMatch::kPrefix),
                           route("/a/b/c/d", PathMatch::kPrefix)};
  EXPECT_EQ(find(routes, "/a/b"), "= /a/b");
  EXPECT_EQ(find(routes, "/a/b/x"), "/a/b");
  EXPECT_EQ(find(routes, "/a/b/c/d/e"), "/a/b/c/d");
  EXPECT_EQ(find(routes, "/a/x"), "/a");
  EXPECT_EQ(find(routes, "/x" + std::string(5000, '/')), "/");
}

/// What the index must give, said plainly: the whole path exactly, else as a prefix, else with the
/// slash that is missing, else the longest prefix that ends where an element ends.
std::string find_plainly(const std::vector<snapshot::Route>& routes, const std::string& path) {
  const snapshot::Route* best = nullptr;
  for (const auto& each : routes) {
    if (each.match == PathMatch::kExact && each.path == path) return "= " + each.path;
  }
  for (const auto& each : routes) {
    if (each.match == PathMatch::kPrefix && each.path == path) return each.path;
  }
  for (const auto& each : routes) {
    if (each.match != PathMatch::kPrefix) continue;
    if (!path.ends_with('/') && each.path == path + "/") return "redirect " + each.path;
    const auto& text = each.path;
    const bool ends_element =
        path.size() > text.size() && (text.ends_with('/') || path[text.size()] == '/');
    if (!path.starts_with(text) || !ends_element) continue;
    if (best == nullptr || best->path.size() < text.size()) best = &each;
  }
  return best == nullptr ? "none" : best->path;
}

TEST(PathIndex, AgreesWithThePlainRuleOnRandomRoutes) {
  std::minstd_rand random(7);
  const auto random_path = [&] {
    std::string path = "/";
    for (auto size = random() % 6; size > 0; --size) {
      const char next = "ab/"[random() % 3];
      if (next != '/' || path.back() != '/') path += next;
    }
    return path;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<snapshot::Route> routes;
    for (auto count = 1 + random() % 6; count > 0; --count) {
      routes.push_back(
          route(random_path(), random() % 3 == 0 ? PathMatch::kExact : PathMatch::kPrefix));
    }
    for (int i = 0; i < 10; ++i) {
      const auto path = random_path();
      ASSERT_EQ(find(routes, path), find_plainly(routes, path)) << path;
    }
  }
}

snapshot::PartPtr part(snapshot::Part value) {
  return std::make_shared<const snapshot::Part>(std::move(value));
}

std::pair<snapshot::PartKey, snapshot::PartPtr> host_part(const std::string& name,
                                                          std::vector<snapshot::Route> routes) {
  snapshot::Host host{name, "", std::move(routes)};
  return {{snapshot::PartKind::kHost, name}, part(std::move(host))};
}

std::pair<snapshot::PartKey, snapshot::PartPtr> upstream_part(const std::string& name) {
  snapshot::Upstream upstream;
  upstream.name = name;
  return {{snapshot::PartKind::kUpstream, name}, part(std::move(upstream))};
}

std::pair<snapshot::PartKey, snapshot::PartPtr> endpoints_part(const std::string& name,
                                                               std::uint16_t port) {
  snapshot::Endpoints endpoints{name, {{"10.0.0.1", port, 1}}};
  return {{snapshot::PartKind::kEndpoints, name}, part(std::move(endpoints))};
}

std::string host_for(const RoutingTable& table, std::string_view host) {
  const auto* found = table.find_host(host);
  return found == nullptr ? "none" : found->host->name;
}

class CompilerTest : public testing::Test {
 protected:
  Compiled apply(decltype(snapshot::Update::parts) parts, bool is_whole = false) {
    ++version_;
    auto compiled = compiler_.compile({is_whole ? 0 : version_ - 1, version_, std::move(parts)});
    EXPECT_TRUE(compiled);
    return *compiled;
  }

  Compiler compiler_;
  std::uint64_t version_ = 0;
};

TEST_F(CompilerTest, AHostIsExactThenOneLabelWildcardThenCatchAll) {
  const std::vector all{route("/", PathMatch::kPrefix)};
  const auto compiled = apply({upstream_part("up"), host_part("a.example.com", all),
                               host_part("*.example.com", all), host_part("_", all)});
  const auto& table = *compiled.table;
  EXPECT_EQ(host_for(table, "a.example.com"), "a.example.com");
  EXPECT_EQ(host_for(table, "b.example.com"), "*.example.com");
  EXPECT_EQ(host_for(table, "x.b.example.com"), "_");
  EXPECT_EQ(host_for(table, "example.com"), "_");
  EXPECT_EQ(host_for(table, "b~.example.com"), "_");
  EXPECT_EQ(host_for(table, ""), "_");
}

TEST_F(CompilerTest, AKnownHostNeverFallsToTheCatchAll) {
  const auto compiled =
      apply({upstream_part("up"), host_part("a", {route("/x", PathMatch::kPrefix)}),
             host_part("_", {route("/", PathMatch::kPrefix)})});
  EXPECT_EQ(compiled.table->find("a", "/y").route, nullptr);
  EXPECT_NE(compiled.table->find("b", "/y").route, nullptr);
}

TEST_F(CompilerTest, AnEndpointChangeTouchesNothingElse) {
  const std::vector all{route("/", PathMatch::kPrefix)};
  const auto before = apply(
      {upstream_part("up"), upstream_part("other"), endpoints_part("up", 1), host_part("a", all)});
  const auto after = apply({endpoints_part("up", 2)});
  EXPECT_EQ(after.table->find_host("a"), before.table->find_host("a"));
  const auto slot = *after.table->upstream_slot("up");
  EXPECT_EQ(after.change.upstreams, std::vector{slot});
  EXPECT_EQ(after.table->upstream(slot)->endpoints().endpoints[0].port, 2);
  EXPECT_EQ(before.table->upstream(slot)->endpoints().endpoints[0].port, 1)
      << "a request keeps the table it began with";
  const auto other = *after.table->upstream_slot("other");
  EXPECT_EQ(after.table->upstream(other), before.table->upstream(other));
}

TEST_F(CompilerTest, ASlotIsReusedOnlyByALaterUpdate) {
  const auto first = apply({upstream_part("a")});
  const auto slot = *first.table->upstream_slot("a");
  const auto second = apply({{{snapshot::PartKind::kUpstream, "a"}, nullptr}, upstream_part("b")});
  EXPECT_NE(*second.table->upstream_slot("b"), slot);
  EXPECT_EQ(second.table->upstream(slot), nullptr);
  const auto third = apply({upstream_part("c")});
  EXPECT_EQ(*third.table->upstream_slot("c"), slot);
}

TEST_F(CompilerTest, AWholeSnapshotReplacesEverything) {
  const std::vector all{route("/", PathMatch::kPrefix)};
  apply({upstream_part("old"), host_part("old", all)});
  const auto after = apply({upstream_part("up"), host_part("a", all)}, true);
  EXPECT_EQ(after.table->find_host("old"), nullptr);
  EXPECT_FALSE(after.table->upstream_slot("old"));
  EXPECT_EQ(after.table->host_count(), 1U);
}

TEST_F(CompilerTest, ABrokenCertificateLeavesTheTableAlone) {
  apply({upstream_part("up"), host_part("a", {route("/", PathMatch::kPrefix)})});
  const auto before = compiler_.last();
  snapshot::Certificate broken{"ns/tls", "nonsense", "secret nonsense"};
  const auto failed = compiler_.compile(
      {1, 2, {{{snapshot::PartKind::kCertificate, "ns/tls"}, part(std::move(broken))}}});
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().message.contains("ns/tls")) << failed.error().message;
  EXPECT_FALSE(failed.error().message.contains("nonsense")) << "no key material in messages";
  EXPECT_EQ(compiler_.last(), before);
}

}  // namespace
}  // namespace penstock::routing
