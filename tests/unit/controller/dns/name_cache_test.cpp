#include "controller/dns/name_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "dns_server.h"

namespace penstock::dns {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

class Cache : public testing::Test {
 protected:
  Cache() {
    conf_.servers = {server_.address()};
    conf_.timeout = milliseconds(50);
    conf_.attempts = 1;
    timing_.shortest = timing_.not_found = milliseconds(30);
    resolver_ = std::make_unique<Resolver>(io_, conf_);
    server_.records["web"] = {{"10.0.0.1"}, {}, 0};
  }
  void start(const std::set<std::string>& names) {
    cache_ = std::make_unique<NameCache>(
        io_, *resolver_,
        [this](const std::string& name, const NameCache::Addresses& addresses) {
          std::string line = name;
          for (const auto& address : addresses) line += ' ' + address.to_string();
          log_.push_back(line);
        },
        timing_);
    cache_->set_names(names);
  }
  bool until(std::size_t count) {
    return run_until(io_, [&] { return log_.size() >= count; });
  }
  bool until_asked_again() {
    const auto before = server_.asked.size();
    return run_until(io_, [&] { return server_.asked.size() >= before + 3; });
  }

  asio::io_context io_;
  DnsServer server_{io_};
  ResolvConf conf_;
  NameTiming timing_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<NameCache> cache_;
  std::vector<std::string> log_;
};

TEST_F(Cache, TellsOnlyChanges) {
  start({"web"});
  EXPECT_EQ(cache_->find("web"), nullptr);
  ASSERT_TRUE(until(1));
  ASSERT_TRUE(until_asked_again());
  server_.records["web"].v4 = {"10.0.0.3", "10.0.0.2"};
  ASSERT_TRUE(until(2));
  server_.records["web"].v4 = {"10.0.0.2", "10.0.0.3"};  // round robin is no change
  ASSERT_TRUE(until_asked_again());
  EXPECT_THAT(log_, ElementsAre("web 10.0.0.1", "web 10.0.0.2 10.0.0.3"));
  EXPECT_EQ(cache_->find("web")->size(), 2U);
}

TEST_F(Cache, AsksAgainAtTheTtl) {
  server_.records["web"].ttl = 1;
  start({"web"});
  ASSERT_TRUE(until(1));
  const auto began = std::chrono::steady_clock::now();
  server_.records["web"].v4 = {"10.0.0.2"};
  ASSERT_TRUE(until(2));
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, milliseconds(900));
  EXPECT_LT(took, milliseconds(5000));
  EXPECT_EQ(server_.asked.size(), 2U);
}

TEST_F(Cache, TtlIsBoundedAbove) {
  server_.records["web"].ttl = 2'000'000;
  timing_.longest = milliseconds(50);
  start({"web"});
  ASSERT_TRUE(until_asked_again());
}

TEST_F(Cache, KeepsTheLastAnswerWhileServersFail) {
  start({"web"});
  ASSERT_TRUE(until(1));
  server_.failing["web"] = DnsServer::kServerFailure;
  ASSERT_TRUE(until_asked_again());
  EXPECT_EQ(cache_->failure_of("web"), Failure::kUnavailable);
  server_.failing.clear();
  server_.is_silent = true;
  ASSERT_TRUE(until_asked_again());
  EXPECT_THAT(log_, ElementsAre("web 10.0.0.1"));
  EXPECT_EQ(cache_->find("web")->size(), 1U);
  server_.is_silent = false;
  server_.records["web"].v4 = {"10.0.0.2"};
  ASSERT_TRUE(until(2));
  EXPECT_FALSE(cache_->failure_of("web"));
}

TEST_F(Cache, NameThatIsTakenAwayHasNoAddresses) {
  start({"web"});
  ASSERT_TRUE(until(1));
  server_.records.clear();
  ASSERT_TRUE(until(2));
  EXPECT_EQ(log_.back(), "web");
  server_.records["web"] = {{"10.0.0.7"}, {}, 0};
  ASSERT_TRUE(until(3));
  EXPECT_EQ(log_.back(), "web 10.0.0.7");
}

TEST_F(Cache, ForgetsNamesThatAreNoLongerWanted) {
  server_.records["api"] = {{"10.0.0.5"}, {}, 0};
  start({"web"});
  ASSERT_TRUE(until(1));
  cache_->set_names({"api"});
  EXPECT_EQ(cache_->find("web"), nullptr);
  ASSERT_TRUE(until(2));
  server_.asked.clear();
  ASSERT_TRUE(until_asked_again());
  EXPECT_EQ(std::count(server_.asked.begin(), server_.asked.end(), "A web"), 0);
  EXPECT_THAT(log_, ElementsAre("web 10.0.0.1", "api 10.0.0.5"));
}

TEST_F(Cache, MayGoWhileNamesAreBeingAsked) {
  server_.is_silent = true;
  start({"web", "api"});
  ASSERT_TRUE(run_until(io_, [&] { return server_.asked.size() == 2; }));
  cache_.reset();
  run_until(io_, [] { return false; }, milliseconds(200));
  EXPECT_TRUE(log_.empty());
}

}  // namespace
}  // namespace penstock::dns
