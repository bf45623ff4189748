#include "controller/dns/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dns_server.h"

namespace penstock::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<base::Address> addresses(const std::vector<std::string>& texts) {
  std::vector<base::Address> out;
  for (const auto& text : texts) out.push_back(asio::ip::make_address(text));
  return out;
}

class ResolverTest : public testing::Test {
 protected:
  ResolverTest() {
    conf_.servers = {server_.address()};
    conf_.timeout = std::chrono::milliseconds(100);
    conf_.attempts = 1;
  }
  ResolveResult resolve(const std::string& name) {
    if (!resolver_) resolver_ = std::make_unique<Resolver>(io_, conf_);
    std::optional<ResolveResult> result;
    resolver_->resolve(name, [&](ResolveResult r) { result = std::move(r); });
    EXPECT_FALSE(result) << "called within resolve()";
    EXPECT_TRUE(run_until(io_, [&] { return result.has_value(); })) << name;
    return result.value_or(std::unexpected(Failure::kBadName));
  }

  asio::io_context io_;
  DnsServer server_{io_};
  ResolvConf conf_;
  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverTest, SortedAddressesWithoutRepetition) {
  server_.records["web.example"] = {{"10.0.0.9", "10.0.0.1", "10.0.0.9"}, {"fd00::1"}, 77};
  const auto answer = resolve("web.example");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->addresses, addresses({"10.0.0.1", "10.0.0.9"}));
  EXPECT_EQ(answer->ttl, std::chrono::seconds(77));
  EXPECT_THAT(server_.asked, ElementsAre("A web.example"));
}

TEST_F(ResolverTest, IPv6OnlyWhereThereIsNoIPv4) {
  server_.records["six.example"] = {{}, {"fd00::2", "fd00::1"}, 5};
  const auto answer = resolve("six.example");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->addresses, addresses({"fd00::1", "fd00::2"}));
  EXPECT_EQ(answer->ttl, std::chrono::seconds(5));
  EXPECT_THAT(server_.asked, ElementsAre("A six.example", "AAAA six.example"));
}

TEST_F(ResolverTest, OneFamilyAlone) {
  server_.records["web.example"] = {{"10.0.0.1"}, {"fd00::1"}, 5};
  server_.records["four.example"] = {{"10.0.0.1"}, {}, 5};
  EXPECT_EQ(resolve("AAAA web.example")->addresses, addresses({"fd00::1"}));
  EXPECT_EQ(resolve("A web.example")->addresses, addresses({"10.0.0.1"}));
  const auto none = resolve("AAAA four.example");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), Failure::kNotFound);
  EXPECT_THAT(server_.asked, ElementsAre("AAAA web.example", "A web.example", "AAAA four.example"));
}

TEST_F(ResolverTest, SrvRecordsInTheirOrder) {
  server_.records["_pg._tcp.db.example"].srv = {"20 5 5433 B.example", "10 7 5432 a.example"};
  server_.records["_pg._tcp.db.example"].ttl = 42;
  const auto answer = resolve("SRV _pg._tcp.db.example");
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->targets, ElementsAre(world::SrvTarget{10, 7, 5432, "a.example"},
                                           world::SrvTarget{20, 5, 5433, "b.example"}));
  EXPECT_EQ(answer->ttl, std::chrono::seconds(42));
  EXPECT_THAT(answer->addresses, IsEmpty());
  server_.records["_no._tcp.db.example"].srv = {"0 0 0 "};
  EXPECT_FALSE(resolve("SRV _no._tcp.db.example")) << "a target of . says that there is none";
}

TEST_F(ResolverTest, SearchListAndAbsoluteNames) {
  conf_.search = {"ns.svc", "svc"};
  conf_.ndots = 5;
  server_.records["web.svc"] = {{"10.0.0.1"}, {}, 1};
  EXPECT_TRUE(resolve("web"));
  EXPECT_THAT(server_.asked, ElementsAre("A web.ns.svc", "A web.svc"));
  server_.asked.clear();
  EXPECT_EQ(resolve("web.").error(), Failure::kNotFound);
  EXPECT_THAT(server_.asked, ElementsAre("A web"));
}

TEST_F(ResolverTest, NameWithoutAddressesGoesOnInTheSearchList) {
  conf_.search = {"ns"};
  server_.records["web.ns"] = {};
  server_.records["web"] = {{"10.0.0.1"}, {}, 1};
  EXPECT_TRUE(resolve("web"));
  EXPECT_THAT(server_.asked, ElementsAre("A web.ns", "AAAA web.ns", "A web"));
}

TEST_F(ResolverTest, FailuresAreToldApart) {
  EXPECT_EQ(resolve("none.example").error(), Failure::kNotFound);
  server_.records["empty.example"] = {};
  EXPECT_EQ(resolve("empty.example").error(), Failure::kNotFound);
  server_.failing["bad.example"] = DnsServer::kServerFailure;
  EXPECT_EQ(resolve("bad.example").error(), Failure::kUnavailable);
  EXPECT_EQ(resolve(std::string("a\0b.example", 11)).error(), Failure::kBadName);
  EXPECT_EQ(resolve(std::string(64, 'a') + ".example").error(), Failure::kBadName);
  EXPECT_EQ(resolve("").error(), Failure::kBadName);
  server_.is_silent = true;
  EXPECT_EQ(resolve("web.example").error(), Failure::kUnavailable);
}

TEST_F(ResolverTest, AbsentIsNotSaidWhereAServerFailed) {
  conf_.search = {"bad"};
  server_.failing["web.bad"] = DnsServer::kServerFailure;
  EXPECT_EQ(resolve("web").error(), Failure::kUnavailable);
}

TEST_F(ResolverTest, GarbageIsAFailure) {
  server_.records["web.example"] = {{"10.0.0.1"}, {}, 1};
  server_.sends_garbage = true;
  EXPECT_FALSE(resolve("web.example"));
}

TEST_F(ResolverTest, AddressesAreTheirOwnAnswer) {
  EXPECT_EQ(resolve("10.1.2.3")->addresses, addresses({"10.1.2.3"}));
  EXPECT_EQ(resolve("fd00::1")->addresses, addresses({"fd00::1"}));
  EXPECT_THAT(server_.asked, IsEmpty());
}

TEST_F(ResolverTest, ManyAtOnce) {
  resolver_ = std::make_unique<Resolver>(io_, conf_);
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    const auto name = fmt::format("n{}.example", i);
    server_.records[name] = {{fmt::format("10.0.0.{}", i)}, {}, 1};
    resolver_->resolve(name, [&done, i](ResolveResult result) {
      ASSERT_TRUE(result);
      EXPECT_EQ(result->addresses, addresses({fmt::format("10.0.0.{}", i)}));
      ++done;
    });
  }
  EXPECT_TRUE(run_until(io_, [&] { return done == 100; }));
}

TEST_F(ResolverTest, TooManyAreRefused) {
  server_.is_silent = true;
  resolver_ = std::make_unique<Resolver>(io_, conf_);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < kMaxLookups + 3; ++i) {
    resolver_->resolve(fmt::format("n{}.example", i), [&](const ResolveResult& result) {
      if (result.error() == Failure::kTooMany) ++refused;
    });
  }
  EXPECT_TRUE(run_until(io_, [&] { return refused == 3; }));
}

TEST_F(ResolverTest, SilentAfterItIsGone) {
  server_.is_silent = true;
  resolver_ = std::make_unique<Resolver>(io_, conf_);
  bool is_called = false;
  resolver_->resolve("web.example", [&](const ResolveResult&) { is_called = true; });
  resolver_->resolve("10.0.0.1", [&](const ResolveResult&) { is_called = true; });
  run_until(io_, [&] { return !server_.asked.empty(); });
  resolver_->resolve("10.0.0.1", [&](const ResolveResult&) { is_called = true; });
  is_called = false;
  resolver_.reset();
  run_until(io_, [] { return false; }, std::chrono::milliseconds(300));
  EXPECT_FALSE(is_called);
}

TEST(ResolverStart, RefusesServersThatAreNoAddresses) {
  asio::io_context io;
  ResolvConf conf;
  conf.servers = {"not an address"};
  EXPECT_THROW(Resolver(io, conf), std::runtime_error);
}

}  // namespace
}  // namespace penstock::dns
