#include "controller/status/stream_listeners.h"

#include "controller/status/port_allocations.h"

#include "tests/unit/controller/translate/fixture.h"

namespace penstock::status {
namespace {

using objects::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Listeners : public testing::Test {
 protected:
  Listeners() {
    cluster_.put(Kind::kNamespace, "db", R"("spec":{})");
    policy(9000, 9001);
  }
  void policy(int first, int last) {
    cluster_.put(Kind::kStreamPortPolicy, "pool",
                 fmt::format(R"("spec":{{"ports":[{{"start":{},"end":{}}}],"autoAllocate":true}})",
                             first, last));
  }
  void put(const std::string& name, std::string_view listeners, std::string_view allocated = "",
           int created = 5) {
    cluster_.apply({{Kind::kTcpService, "db", name},
                    false,
                    fmt::format(R"({{"metadata":{{"namespace":"db","name":"{0}","uid":"u-{0}",
      "creationTimestamp":"2026-01-01T00:00:0{3}Z"}},
      "spec":{{"listeners":[{1}],"rules":[{{"backends":[{{"host":{{"name":"h.test","port":1}}}}]}}]}},
      "status":{{"listeners":[{2}]}}}})",
                                name, listeners, allocated, created),
                    {}});
    cluster_.translate();
  }
  const objects::TcpService& find(const std::string& name) {
    return *cluster_.world.find<objects::TcpService>("db/" + name);
  }
  std::uint16_t give(const std::string& name) {
    const auto& service = find(name);
    said_ = cluster_.translator.diagnostics_of({Kind::kTcpService, "db", name});
    allocations_.give(cluster_.world, cluster_.translator, translate::kTcp, service, said_);
    return allocations_.port_of("u-" + name, service.listeners[0]);
  }
  std::vector<ListenerView> views(const std::string& name, StreamView view = {}) {
    view.diagnostics = cluster_.translator.diagnostics_of({Kind::kTcpService, "db", name});
    const auto held = held_by_owner(cluster_.translator.parts());
    const auto found = held.find("TCPService db/" + name);
    return listener_views(translate::kTcp, cluster_.translator.options(), find(name),
                          found == held.end() ? PortsAtAddress() : found->second, view);
  }

  translate::Cluster cluster_;
  PortAllocations allocations_;
  std::vector<translate::Diagnostic> said_;
};

TEST_F(Listeners, TakingAnyPortGetDifferentOnesUntilNoneIsFree) {
  for (const auto* name : {"a", "b", "c"}) put(name, R"({"name":"l","port":0})");
  const auto a = give("a");
  const auto b = give("b");
  EXPECT_THAT((std::set<int>{a, b}), ElementsAre(9000, 9001));
  EXPECT_EQ(give("a"), a) << "the watch lags behind";
  EXPECT_EQ(give("c"), 0);
  EXPECT_THAT(said_.back().message, HasSubstr("all are taken"));
  EXPECT_EQ(give("c"), 0);
  EXPECT_EQ(said_.back().reason, translate::Reason::kPortNotAllowed);
}

TEST_F(Listeners, KeepWhatTheyWereGiven) {
  put("a", R"({"name":"l","port":0})", R"({"name":"l","allocatedPort":9001})");
  EXPECT_EQ(give("a"), 9001);
  put("b", R"({"name":"l","port":0})");
  EXPECT_EQ(give("b"), 9000);
  // Who is gone leaves its port to others.
  allocations_.end_round();
  cluster_.remove(Kind::kTcpService, "db/b").translate();
  allocations_.end_round();
  put("c", R"({"name":"l","port":0})");
  EXPECT_EQ(give("c"), 9000);
}

TEST_F(Listeners, GetAnotherPortWhereSomebodyHasTheirs) {
  put("a", R"({"name":"l","port":0})", R"({"name":"l","allocatedPort":9000})");
  EXPECT_EQ(give("a"), 9000);
  put("owner", R"({"name":"l","port":9000})", "", 1);
  EXPECT_EQ(cluster_.stream("tcp/9000")->owner, "TCPService db/owner") << "the older one";
  EXPECT_EQ(give("a"), 9001);
}

TEST_F(Listeners, GetPortsThatOnlyThoseAskForWhoMayNotHaveThem) {
  cluster_.put(Kind::kNamespace, "web", R"("spec":{})");
  cluster_.put(Kind::kStreamPortPolicy, "pool",
               R"("spec":{"ports":[{"start":9000,"end":9001}],"autoAllocate":true,
                  "namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"db"}}})");
  cluster_.apply({{Kind::kNamespace, "", "db"},
                  false,
                  R"({"metadata":{"name":"db","labels":{"kubernetes.io/metadata.name":"db"}}})",
                  {}});
  cluster_.put(Kind::kTcpService, "web/greedy",
               R"("spec":{"listeners":[{"name":"l","portRange":{"start":9000,"end":9001}}],
                  "rules":[{"backends":[{"host":{"name":"h.test","port":1}}]}]})");
  put("a", R"({"name":"l","port":0})");
  EXPECT_THAT(give("a"), testing::AnyOf(9000, 9001));
}

TEST_F(Listeners, GetNoMoreThanTheirNamespaceMayHave) {
  cluster_.put(Kind::kStreamPortPolicy, "pool",
               R"("spec":{"ports":[{"start":9000,"end":9009}],"autoAllocate":true,
                  "maxListenersPerNamespace":2})");
  for (const auto* name : {"a", "b", "c"}) put(name, R"({"name":"l","port":0})");
  EXPECT_NE(give("a"), 0);
  EXPECT_NE(give("b"), 0);
  EXPECT_EQ(give("c"), 0);
  EXPECT_THAT(said_.back().message, HasSubstr("the namespace has as many as it may"));
}

TEST_F(Listeners, GetAPortThatTheyMayOpenForOneThatTheyNoLongerMay) {
  put("a", R"({"name":"l","port":0})", R"({"name":"l","allocatedPort":9000})");
  EXPECT_EQ(give("a"), 9000);
  policy(9005, 9005);
  cluster_.translate();
  EXPECT_EQ(give("a"), 9005);
  // It keeps what it has where there is nothing else: the policy may come back.
  allocations_ = {};
  cluster_.remove(Kind::kStreamPortPolicy, "pool");
  policy(9005, 9005);
  put("other", R"({"name":"l","port":9005})", "", 1);
  cluster_.translate();
  EXPECT_EQ(give("a"), 9000);
}

TEST_F(Listeners, GetNothingWithoutAPolicy) {
  cluster_.remove(Kind::kStreamPortPolicy, "pool");
  put("a", R"({"name":"l","port":0})");
  EXPECT_EQ(give("a"), 0);
  EXPECT_EQ(said_.size(), 1U) << "the translation has said it";
}

TEST_F(Listeners, AreTakenOneByOne) {
  policy(1024, 65535);
  put("0", R"({"name":"l","port":5001})", "", 1);
  put("a",
      R"({"name":"one","port":5000},{"name":"range","portRange":{"start":5001,"end":5003}},
         {"name":"other","port":5000,"address":"127.0.0.2"})");
  StreamView view;
  view.bind_problems = {"cannot open tcp/5003: Address already in use (errno 98)",
                        "cannot open tcp/50: Permission denied (errno 13)"};
  const auto found = views("a", view);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT(found[0].ports, ElementsAre(5000));
  EXPECT_THAT(found[0].diagnostics, IsEmpty());
  EXPECT_EQ(found[0].bind_problem, "");
  EXPECT_THAT(found[1].ports, ElementsAre(5002, 5003));
  ASSERT_EQ(found[1].diagnostics.size(), 1U);
  EXPECT_EQ(found[1].diagnostics[0].other.name, "0");
  EXPECT_THAT(found[1].bind_problem, HasSubstr("tcp/5003"));
  EXPECT_THAT(found[2].ports, IsEmpty()) << "its own first listener has every address";
  ASSERT_EQ(found[2].diagnostics.size(), 1U);
  EXPECT_EQ(found[2].diagnostics[0].other.name, "a");
}

}  // namespace
}  // namespace penstock::status
