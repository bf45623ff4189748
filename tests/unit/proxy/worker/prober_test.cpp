#include "proxy/worker/prober.h"

#include "tests/unit/proxy/worker/fixture.h"

namespace penstock::worker {
namespace {

/// A prober with the last report that it made.
class ProberTest : public testing::Test {
 protected:
  void set(const std::string& upstream, const std::vector<std::uint16_t>& ports, bool has_check) {
    snapshot::Upstream part;
    part.name = upstream;
    if (has_check) part.health_check = check_;
    snapshot::Endpoints endpoints{upstream, {}};
    for (const auto port : ports) endpoints.endpoints.push_back({"127.0.0.1", port, 1});
    add(snapshot::PartKind::kUpstream, upstream, part);
    add(snapshot::PartKind::kEndpoints, upstream, endpoints);
  }
  void adopt() {
    if (version_ == 0) add(snapshot::PartKind::kGlobal, "", snapshot::Global());
    ++version_;
    auto compiled = compiler_.compile({version_ - 1, version_, std::exchange(parts_, {})});
    ASSERT_TRUE(compiled);
    prober_.adopt(*compiled->table, compiled->change);
  }
  template <class Condition>
  testing::AssertionResult within_time(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return testing::AssertionFailure();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return testing::AssertionSuccess();
  }
  std::size_t reported_down() {
    const std::lock_guard lock(mutex_);
    return report_.down.size();
  }
  std::uint64_t passed(const std::string& upstream, std::uint16_t port) {
    const auto all = metrics_.all();
    const auto found = all.find({upstream, "127.0.0.1:" + std::to_string(port)});
    return found == all.end() ? 0 : found->second->passed.get();
  }

  snapshot::HealthCheck check_ = [] {
    snapshot::HealthCheck check;
    check.type = snapshot::ProbeType::kConnect;
    check.interval = check.timeout = base::Duration(100);
    check.jitter = base::Duration(10);
    check.fails = check.passes = 2;
    return check;
  }();

 private:
  void add(snapshot::PartKind kind, const std::string& name, snapshot::Part part) {
    parts_.push_back({{kind, name}, std::make_shared<const snapshot::Part>(std::move(part))});
  }
  std::mutex mutex_;
  snapshot::HealthReport report_;
  routing::Compiler compiler_;
  std::uint64_t version_ = 0;
  decltype(snapshot::Update::parts) parts_;

 protected:
  telemetry::EndpointHealth metrics_;
  std::shared_ptr<base::HealthTable> table_ = std::make_shared<base::HealthTable>();
  Prober prober_{table_, metrics_, [this](snapshot::HealthReport report) {
                   const std::lock_guard lock(mutex_);
                   report_ = std::move(report);
                 }};
};

void keep_open(asio::ip::tcp::socket& socket) {
  char byte = 0;
  boost::system::error_code code;
  while (!code) socket.read_some(asio::buffer(&byte, 1), code);
}

TEST_F(ProberTest, AsksAnEndpointOnceHoweverManyUpstreamsHaveIt) {
  Backend backend(keep_open);
  set("one", {backend.port()}, true);
  set("two", {backend.port()}, true);
  set("unchecked", {backend.port()}, false);
  adopt();
  ASSERT_TRUE(within_time([&] { return passed("one", backend.port()) >= 5; }));
  EXPECT_LE(std::uint64_t(backend.accepted.load()), passed("two", backend.port()) + 2)
      << "they count the same questions";
  EXPECT_EQ(metrics_.all().size(), 2U);
}

TEST_F(ProberTest, ReportsWhatIsDownAndWhatIsUpAgain) {
  const auto port = free_port();
  Backend good(keep_open);
  set("db", {port, good.port()}, true);
  adopt();
  ASSERT_TRUE(within_time([&] { return reported_down() == 1; }));
  const auto healthy = [&](std::uint16_t of) {
    return metrics_.all().at({"db", "127.0.0.1:" + std::to_string(of)})->healthy.get();
  };
  EXPECT_EQ(healthy(port), 0U);
  EXPECT_EQ(healthy(good.port()), 1U);
  asio::io_context io;
  const asio::ip::tcp::acceptor comes(io, {asio::ip::make_address("127.0.0.1"), port});
  ASSERT_TRUE(within_time([&] { return reported_down() == 0; }));
  EXPECT_EQ(healthy(port), 1U);
}

TEST_F(ProberTest, StopsWhenNobodyWantsItAnyMore) {
  Backend backend(keep_open);
  set("one", {backend.port()}, true);
  adopt();
  ASSERT_TRUE(within_time([&] { return backend.accepted >= 2; }));
  set("one", {backend.port()}, false);
  adopt();
  ASSERT_TRUE(within_time([&] { return metrics_.all().empty(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const int asked = backend.accepted;
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_LE(backend.accepted, asked + 1) << "one may have been on its way";
}

TEST_F(ProberTest, EndsWhileQuestionsAreOnTheirWay) {
  check_.type = snapshot::ProbeType::kSendExpect;
  check_.expect = "never";
  check_.timeout = base::Duration(60'000);
  Backend backend(keep_open);
  set("one", {backend.port()}, true);
  adopt();
  ASSERT_TRUE(within_time([&] { return backend.accepted == 1; }));
}

}  // namespace
}  // namespace penstock::worker
