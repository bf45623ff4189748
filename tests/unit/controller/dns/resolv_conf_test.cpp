#include "controller/dns/resolv_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ResolvConf, AsKubernetesWritesIt) {
  const auto conf = parse_resolv_conf(
      "# a comment\nnameserver 10.96.0.10\nnameserver  fd00::a ; v6\n"
      "search shop.svc.cluster.local svc.cluster.local. cluster.local\r\n"
      "options ndots:5 timeout:1 attempts:9 rotate ndots:x\n");
  EXPECT_THAT(conf.servers, ElementsAre("10.96.0.10", "fd00::a"));
  EXPECT_THAT(conf.search,
              ElementsAre("shop.svc.cluster.local", "svc.cluster.local", "cluster.local"));
  EXPECT_EQ(conf.ndots, 5);
  EXPECT_EQ(conf.timeout, std::chrono::seconds(1));
  EXPECT_EQ(conf.attempts, 5);
}

TEST(ResolvConf, DefaultsAndTheLastSearchLine) {
  EXPECT_THAT(parse_resolv_conf("").servers, ElementsAre("127.0.0.1"));
  EXPECT_THAT(read_resolv_conf("/nonexistent").servers, ElementsAre("127.0.0.1"));
  EXPECT_THAT(parse_resolv_conf("search a b\ndomain c\nsearch .\n").search, IsEmpty());
}

TEST(Candidates, FollowNdots) {
  ResolvConf conf;
  conf.search = {"ns.svc", "svc"};
  conf.ndots = 2;
  EXPECT_THAT(candidates("web", conf), ElementsAre("web.ns.svc", "web.svc", "web"));
  EXPECT_THAT(candidates("a.b", conf), ElementsAre("a.b.ns.svc", "a.b.svc", "a.b"));
  EXPECT_THAT(candidates("a.b.c", conf), ElementsAre("a.b.c", "a.b.c.ns.svc", "a.b.c.svc"));
  EXPECT_THAT(candidates("web.", conf), ElementsAre("web"));
  EXPECT_THAT(candidates("", conf), IsEmpty());
  EXPECT_THAT(candidates(".", conf), IsEmpty());
  EXPECT_THAT(candidates(std::string(300, 'a'), conf), IsEmpty());
  EXPECT_THAT(candidates(std::string(250, 'a'), conf), ElementsAre(std::string(250, 'a')));
}

}  // namespace
}  // namespace penstock::dns
