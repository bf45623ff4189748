#include "controller/status/service_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/kube/scripted_server.h"

namespace penstock::status {
namespace {

using objects::Kind;
using objects::Protocol;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr PortKey tcp(int port) { return {Protocol::kTcp, static_cast<std::uint16_t>(port)}; }
constexpr PortKey udp(int port) { return {Protocol::kUdp, static_cast<std::uint16_t>(port)}; }

objects::ServicePort entry(std::string name, PortKey key, objects::PortRef target) {
  return {std::move(name), key.number, key.protocol, std::move(target)};
}
std::vector<std::string> names(const std::vector<PortEntry>& entries) {
  std::vector<std::string> out;
  for (const auto& each : entries) out.push_back(entry_name(each.key));
  return out;
}

class Plan : public testing::Test {
 protected:
  Plan() {
    service_.meta.name_space = "a";
    service_.meta.name = "edge";
    service_.meta.uid = "u";
    service_.ports = {entry("http", tcp(80), {0, "http"})};
  }
  PortPlan plan(std::size_t most = kMostServicePorts) {
    return plan_ports(held_, {world_, service_}, most);
  }

  HeldPorts held_;
  world::World world_;
  objects::Service service_;
};

template <class T>
void add_stream(std::map<snapshot::PartKey, snapshot::PartPtr>& parts, std::uint16_t port,
                const std::string& address = "", const std::string& owner = "TCPService a/b") {
  T stream;
  stream.port = port;
  stream.address = address;
  stream.owner = owner;
  const auto name = std::to_string(parts.size());
  parts[{snapshot::PartKind::kStream, name}] = std::make_shared<const snapshot::Part>(stream);
}

TEST(HeldPorts, AreThoseOfStreamsThatClientsCanReach) {
  std::map<snapshot::PartKey, snapshot::PartPtr> parts;
  for (const std::uint16_t port : {80, 443, 5432}) add_stream<snapshot::Stream>(parts, port);
  add_stream<snapshot::Stream>(parts, 6000, "127.0.0.1");
  add_stream<snapshot::Stream>(parts, 6001, "10.0.0.1");
  add_stream<snapshot::Stream>(parts, 6001, "10.0.0.2", "ConfigMap a/tcp");
  add_stream<snapshot::UdpStream>(parts, 443);
  EXPECT_EQ(held_ports(parts, {}),
            (HeldPorts{{tcp(5432), false}, {tcp(6001), true}, {udp(443), false}}));
}

TEST_F(Plan, AddsWhatIsMissingOfBothProtocols) {
  held_ = {{tcp(5432), false}, {udp(53), false}, {tcp(53), false}};
  const auto out = plan();
  EXPECT_THAT(names(out.entries), ElementsAre("tcp-53", "tcp-5432", "udp-53"));
  EXPECT_THAT(out.refusals, IsEmpty());
  EXPECT_EQ(
      apply_json(service_, {out.entries[2]}),
      R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":"a","name":"edge","uid":"u"},)"
      R"("spec":{"ports":[{"name":"udp-53","port":53,"protocol":"UDP","targetPort":53}]}})");
  EXPECT_THAT(apply_json(service_, {}), testing::Not(HasSubstr("spec")))
      << "an empty list would be owned as a whole";
}

TEST_F(Plan, LeavesAloneWhatOthersHave) {
  service_.ports.push_back(entry("db", tcp(5432), {5432, {}}));        // leads to us
  service_.ports.push_back(entry("dns", udp(53), {1053, {}}));         // the same, renumbered
  service_.ports.push_back(entry("https", tcp(8443), {0, "https"}));   // leads elsewhere
  service_.ports.push_back(entry("tcp-7000", tcp(7001), {9000, {}}));  // has our name
  service_.ports.push_back(entry("9000-tcp", tcp(9000), {9001, {}}));  // leads elsewhere
  held_ = {{tcp(5432), false},
           {udp(1053), false},
           {tcp(8444), false},
           {tcp(7000), false},
           {tcp(9000), true}};
  const auto out = plan();
  EXPECT_THAT(names(out.entries), ElementsAre("tcp-8444"));
  ASSERT_THAT(out.refusals, SizeIs(1)) << "what leads to 9000 already is enough";
  EXPECT_EQ(out.refusals.at(tcp(7000)).reason, "ServicePortTaken");
  held_ = {{tcp(7001), false}};
  EXPECT_THAT(plan().refusals.at(tcp(7001)).message,
              HasSubstr("TCP/7001 of the Service is 'tcp-7000' and leads to port 9000"));
}

TEST_F(Plan, KeepsOursAsItIs) {
  service_.ports.push_back(entry("tcp-5432", tcp(5432), {5433, {}}));
  held_ = {{tcp(5432), false}};
  EXPECT_THAT(plan().entries, ElementsAre(PortEntry{tcp(5432), {5433, {}}}));
}

TEST_F(Plan, IsBoundedAndWhatIsThereGoesFirst) {
  service_.ports.push_back(entry("tcp-9000", tcp(9000), {9000, {}}));
  held_ = {{tcp(1000), false}, {tcp(2000), true}, {tcp(9000), false}};
  const auto out = plan(2);
  EXPECT_THAT(out.entries, testing::UnorderedElementsAre(PortEntry{tcp(9000), {9000, {}}},
                                                         PortEntry{tcp(2000), {2000, {}}}));
  EXPECT_EQ(out.refusals.at(tcp(1000)).reason, "ServicePortLimit");
}

TEST_F(Plan, ANamedTargetIsThatOfTheEndpoints) {
  service_.ports = {entry("5432-tcp", tcp(5432), {0, "5432-tcp"})};
  EXPECT_NE((ServiceEntries{world_, service_}.leading_to(tcp(5432))), nullptr) << "no pod yet";
  world::Touched touched;
  const auto slice = [&](int port, const std::string& endpoints) {
    world_.apply({{Kind::kEndpointSlice, "a", "edge-1"},
                  false,
                  fmt::format(R"({{"metadata":{{"namespace":"a","name":"edge-1","labels":)"
                              R"({{"kubernetes.io/service-name":"edge"}}}},"addressType":"IPv4",)"
                              R"("ports":[{{"name":"5432-tcp","port":{}}}],"endpoints":[{}]}})",
                              port, endpoints),
                  {}},
                 touched);
  };
  slice(5433, R"({"addresses":["10.0.0.1"]})");
  EXPECT_EQ((ServiceEntries{world_, service_}.leading_to(tcp(5432))), nullptr);
  EXPECT_NE((ServiceEntries{world_, service_}.leading_to(tcp(5433))), nullptr);
}

/// A world with streams and a Service, an API server that applies to it, and the writer between.
class Writer : public testing::Test {
 protected:
  Writer()
      : translator_(options()),
        server_(io_, [this](const kube::ScriptedServer::Seen& seen) { return take(seen); }),
        client_(io_, access(server_)) {
    put_service("");
  }

  static translate::Options options() {
    translate::Options out;
    out.tcp_services = "a/tcp";
    return out;
  }
  static kube::ClusterAccess access(const kube::ScriptedServer& server) {
    kube::ClusterAccess out;
    out.server = server.url();
    return out;
  }

  kube::ScriptedServer::Reply take(const kube::ScriptedServer::Seen& seen) {
    applied_.push_back(applied_ports(seen.body));
    for (const auto& [name, status] : refused_) {
      if (seen.body.find('"' + name + '"') == std::string::npos) continue;
      return kube::ScriptedServer::answer(
          status, R"({"kind":"Status","message":"no room for )" + name + R"("})");
    }
    if (is_watched_) {
      const auto begin = seen.body.find(R"("ports":[)");
      put_service(begin == std::string::npos
                      ? ""
                      : "," + seen.body.substr(begin + 9, seen.body.size() - begin - 12));
      ports_.update();
    }
    return kube::ScriptedServer::answer(200, "{}");
  }
  static std::string applied_ports(const std::string& body) {
    std::string out;
    for (auto at = body.find(R"("name":"tcp-)"); at != std::string::npos;
         at = body.find(R"("name":"tcp-)", at + 1)) {
      const auto begin = at + 12;
      out += (out.empty() ? "" : " ") + body.substr(begin, body.find('"', begin) - begin);
    }
    return out;
  }

  void apply(Kind kind, const std::string& name, const std::string& rest) {
    world_.apply(
        {{kind, "a", name},
         false,
         fmt::format(R"({{"metadata":{{"namespace":"a","name":"{0}","uid":"u-{0}"}},{1}}})", name,
                     rest),
         {}},
        touched_);
  }
  void put_service(const std::string& more) {
    apply(Kind::kService, "edge",
          R"("spec":{"ports":[{"name":"http","port":80,"targetPort":"http"})" + more + "]}");
  }
  void hold(const std::vector<int>& ports) {
    std::string data;
    for (const auto port : ports) {
      data += fmt::format(R"({}"{}":"a/db:1")", data.empty() ? "" : ",", port);
    }
    apply(Kind::kConfigMap, "tcp", R"("data":{)" + data + "}");
    translator_.translate(world_, touched_);
    touched_ = {};
    ports_.update();
  }
  /// What is applied until nothing is for a while.
  std::vector<std::string> run(std::chrono::milliseconds most = std::chrono::milliseconds(600)) {
    applied_.clear();
    kube::run_until(io_, [] { return false; }, most);
    return applied_;
  }

  asio::io_context io_;
  world::World world_;
  world::Touched touched_;
  translate::Translator translator_;
  std::map<std::string, int> refused_;  // status by name of a port
  bool is_watched_ = true;              // what is applied comes back as a change
  bool is_translated_ = true;
  std::vector<std::string> applied_;
  int changes_ = 0;
  kube::ScriptedServer server_;
  kube::Client client_;
  ServicePorts ports_{io_, client_, "a/edge",
                      [this] { return ServicePorts::View{&world_, &translator_, is_translated_}; },
                      [this] { ++changes_; }};
};

TEST_F(Writer, OnlyTheLeaderWrites) {
  hold({5432});
  EXPECT_THAT(run(), IsEmpty());
  ports_.set_leading(true);
  EXPECT_THAT(run(), ElementsAre("5432"));
  EXPECT_THAT(server_.seen().back().target,
              HasSubstr("/services/edge?fieldManager=penstock-streams&force=false"));
  EXPECT_THAT(base::to_lower(server_.seen().back().head),
              HasSubstr("content-type:application/apply-patch+yaml"));
  EXPECT_GT(changes_, 0);
}

TEST_F(Writer, FollowsTheStreams) {
  ports_.set_leading(true);
  EXPECT_THAT(run(), IsEmpty()) << "there is nothing to add and nothing of ours";
  hold({5432, 5433});
  EXPECT_THAT(run(), ElementsAre("5432 5433"));
  ports_.update();
  EXPECT_THAT(run(), IsEmpty());
  hold({5433});
  EXPECT_THAT(run(), ElementsAre("5433"));
  hold({});
  EXPECT_THAT(run(), ElementsAre(""));
}

TEST_F(Writer, TakesOutWhatAnEarlierLeaderLeft) {
  put_service(R"(,{"name":"tcp-5432","port":5432,"targetPort":5432})");
  ports_.set_leading(true);
  EXPECT_THAT(run(), ElementsAre(""));
}

TEST_F(Writer, TakesNothingOutBeforeTheFirstTranslation) {
  put_service(R"(,{"name":"tcp-5432","port":5432,"targetPort":5432})");
  is_translated_ = false;
  ports_.set_leading(true);
  EXPECT_THAT(run(), IsEmpty()) << "who holds the port is not known yet";
  is_translated_ = true;
  hold({});
  EXPECT_THAT(run(), ElementsAre(""));
}

TEST_F(Writer, IsSatisfiedWithWhatAnEarlierLeaderWrote) {
  put_service(R"(,{"name":"tcp-5432","port":5432,"targetPort":5432})");
  hold({5432});
  ports_.set_leading(true);
  EXPECT_THAT(run(), IsEmpty());
  hold({5432, 5433});
  EXPECT_THAT(run(), ElementsAre("5432 5433")) << "what it does not repeat would go";
}

TEST_F(Writer, DoesNotRepeatWhatTheWatchDoesNotShowYet) {
  is_watched_ = false;
  hold({5432});
  ports_.set_leading(true);
  EXPECT_THAT(run(), ElementsAre("5432"));
  ports_.update();
  EXPECT_THAT(run(), IsEmpty());
}

TEST_F(Writer, OnePortThatIsRefusedTakesNoOtherAlong) {
  refused_["tcp-1503"] = 422;
  std::vector<int> ports;
  for (int port = 1500; port < 1508; ++port) ports.push_back(port);
  hold(ports);
  ports_.set_leading(true);
  run(std::chrono::milliseconds(2500));
  EXPECT_EQ(applied_.back(), "1500 1501 1502 1504 1505 1506 1507");
  ASSERT_THAT(ports_.refusals(), SizeIs(1));
  EXPECT_EQ(ports_.refusals().at(tcp(1503)),
            (Refusal{"ServicePortRefused", "no room for tcp-1503"}));
  hold({1503, 1507});
  EXPECT_THAT(run(), ElementsAre("1507")) << "others go while it waits";
  refused_.clear();
  run(std::chrono::milliseconds(5500));
  EXPECT_EQ(applied_.back(), "1507 1503") << "it is tried again";
  EXPECT_THAT(ports_.refusals(), IsEmpty());
}

TEST_F(Writer, AMomentsFailureIsNoRefusal) {
  refused_["tcp-5432"] = 503;
  hold({5432});
  ports_.set_leading(true);
  EXPECT_THAT(run(), ElementsAre("5432"));
  EXPECT_THAT(ports_.refusals(), IsEmpty());
  refused_.clear();
  run(std::chrono::milliseconds(5500));
  EXPECT_THAT(applied_, ElementsAre("5432"));
}

TEST_F(Writer, AnotherServiceOfThatNameBeginsAnew) {
  hold({5432});
  ports_.set_leading(true);
  run();
  world_.apply({{Kind::kService, "a", "edge"}, true, {}, {}}, touched_);
  ports_.update();
  EXPECT_THAT(run(), IsEmpty());
  put_service("");
  ports_.update();
  EXPECT_THAT(run(), ElementsAre("5432"));
}

}  // namespace
}  // namespace penstock::status
