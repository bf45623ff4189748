#include "controller/status/stream_conditions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/objects/parse.h"
#include "controller/status/events.h"

namespace penstock::status {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using translate::Reason;

const objects::ObjectKey kObject{objects::Kind::kTcpService, "db", "mysql"};

const objects::StreamAddress kAddress{"IPAddress", "192.0.2.1"};

StreamView all_well() {
  StreamView view;
  view.generation = 3;
  view.ports = {3306};
  view.ready_endpoints = 2;
  view.endpoints = 3;
  view.programmed = view.proxies = 1;
  return view;
}

std::string text(const objects::Condition& condition) {
  return condition.type + "=" + condition.status + " " + condition.reason;
}
std::vector<std::string> texts(const std::vector<objects::Condition>& conditions) {
  std::vector<std::string> out;
  for (const auto& each : conditions) out.push_back(text(each));
  return out;
}

TEST(StreamConditions, NamesTheFirstTableThatHeldTheGeneration) {
  auto view = all_well();
  view.config = "one";
  const auto first = make_status({}, view, "now");
  EXPECT_EQ(first.config, "one");
  view.config = "two";
  EXPECT_EQ(make_status(first, view, "now").config, "one") << "something else has changed";
  view.generation = 4;
  EXPECT_EQ(make_status(first, view, "now").config, "two");
  view.ports.clear();
  EXPECT_EQ(make_status(first, view, "now").config, "") << "no table holds it";
}

TEST(StreamConditions, AllWell) {
  const auto status = make_status({}, all_well(), "now");
  EXPECT_THAT(texts(status.conditions),
              ElementsAre("Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs",
                          "Programmed=True Programmed", "BackendsHealthy=True EndpointsReady",
                          "Conflicted=False NoConflict"));
  EXPECT_EQ(status.ports, "3306");
  EXPECT_EQ(status.backends, "2/3");
  EXPECT_EQ(status.replicas, "1/1");
  EXPECT_EQ(status.reason, "Programmed");
  for (const auto& each : status.conditions) {
    EXPECT_EQ(each.generation, 3);
    EXPECT_EQ(each.since, "now");
  }
}

TEST(StreamConditions, AllUnhealthySaysWhy) {
  auto view = all_well();
  view.ready_endpoints = 1;
  view.down_endpoints = {"10.0.0.1:80: connect: Connection refused"};
  EXPECT_EQ(text(make_status({}, view, "now").conditions[3]),
            "BackendsHealthy=True EndpointsReady");
  view.ready_endpoints = 0;
  const auto status = make_status({}, view, "now");
  EXPECT_EQ(text(status.conditions[3]), "BackendsHealthy=False AllUnhealthy");
  EXPECT_THAT(status.conditions[3].message, HasSubstr("10.0.0.1:80: connect: Connection refused"));
  EXPECT_EQ(status.backends, "0/3");
}

TEST(StreamConditions, ExposedIsOneOfThemWhereItIsKnown) {
  auto view = all_well();
  view.addresses = std::vector{kAddress};
  EXPECT_EQ(make_status({}, view, "now").find("Exposed"), nullptr);
  EXPECT_TRUE(make_status({}, view, "now").addresses.empty());
  view.exposed = {"Exposed", "True", "ServicePort", "m", 0, {}};
  const auto first = make_status({}, view, "then");
  EXPECT_EQ(first.find("Exposed")->since, "then");
  EXPECT_EQ(first.addresses, *view.addresses);
  EXPECT_EQ(first.reason, "Programmed");
  view.exposed = {"Exposed", "False", "ServicePortMissing", "m", 0, {}};
  const auto second = make_status(first, view, "now");
  EXPECT_EQ(second.reason, "ServicePortMissing");
  EXPECT_EQ(second.find("Programmed")->status, "True") << "it is served, whoever gets there";
  EXPECT_TRUE(second.addresses.empty());
  EXPECT_THAT(texts(transitions(first, second)), ElementsAre("Exposed=False ServicePortMissing"));
}

TEST(StreamConditions, WhatIsNotReadYetLeavesExposedAsItStands) {
  auto view = all_well();
  view.exposed = {"Exposed", "True", "HostPort", "m", 0, {}};
  view.addresses = std::vector{kAddress};
  const auto first = make_status({}, view, "then");
  view.exposed.reset();
  view.addresses.reset();
  view.may_be_exposed = true;
  EXPECT_EQ(make_status(first, view, "now"), first) << "a restart rewrites nothing";
  EXPECT_EQ(make_status({}, view, "now").find("Exposed"), nullptr);
  view.ports.clear();
  EXPECT_EQ(make_status(first, view, "now").find("Exposed"), nullptr);
}

TEST(StreamConditions, AConflictNamesTheOwner) {
  auto view = all_well();
  view.ports = {};
  view.diagnostics = {{kObject, "/spec/listeners/0/port",
                       "port 3306 is already taken by the TCPService a/b", Reason::kPortConflict}};
  const auto status = make_status({}, view, "now");
  EXPECT_EQ(text(status.conditions[0]), "Accepted=False PortConflict");
  EXPECT_EQ(text(status.conditions[2]), "Programmed=False NotAccepted");
  EXPECT_EQ(text(status.conditions[4]), "Conflicted=True PortConflict");
  EXPECT_THAT(status.conditions[4].message, HasSubstr("spec.listeners[0].port: port 3306 is "
                                                      "already taken by the TCPService a/b"));
  EXPECT_EQ(status.reason, "PortConflict");
}

TEST(StreamConditions, ANameThatAnotherHasIsAConflictOfItsOwn) {
  auto view = all_well();
  view.ports = {};
  view.diagnostics = {
      {kObject, "/spec/listeners/0/port",
       "the server name a.test of port 443 is already taken by the Ingress shop/web",
       Reason::kSniConflict}};
  const auto status = make_status({}, view, "now");
  EXPECT_EQ(text(status.conditions[0]), "Accepted=False SNIConflict");
  EXPECT_EQ(text(status.conditions[4]), "Conflicted=True SNIConflict");
  EXPECT_THAT(status.conditions[4].message, HasSubstr("taken by the Ingress shop/web"));
}

TEST(StreamConditions, EachFailureHasItsReason) {
  auto view = all_well();
  view.diagnostics = {{kObject, "", "m", Reason::kPortNotFound}};
  EXPECT_EQ(text(make_status({}, view, "").conditions[1]), "ResolvedRefs=False PortNotFound");
  view.diagnostics = {{kObject, "", "m", Reason::kInvalidSpec}};
  EXPECT_EQ(text(make_status({}, view, "").conditions[0]), "Accepted=False InvalidSpec");
  view = all_well();
  view.ready_endpoints = 0;
  EXPECT_EQ(text(make_status({}, view, "").conditions[3]), "BackendsHealthy=False NoEndpoints");
  view = all_well();
  view.bind_problems = {"cannot open tcp/3306: Address already in use (errno 98)"};
  const auto bind = make_status({}, view, "").conditions[2];
  EXPECT_EQ(text(bind), "Programmed=False BindFailed");
  EXPECT_THAT(bind.message, HasSubstr("errno 98"));
  view = all_well();
  view.proxies = 2;
  EXPECT_EQ(text(make_status({}, view, "").conditions[2]), "Programmed=False PartiallyProgrammed");
  view.programmed = 0;
  EXPECT_EQ(text(make_status({}, view, "").conditions[2]), "Programmed=False Pending");
}

TEST(StreamConditions, KeepTheirTimeUntilTheStatusChanges) {
  const auto first = make_status({}, all_well(), "then");
  EXPECT_EQ(make_status(first, all_well(), "now"), first) << "a restart rewrites nothing";
  auto view = all_well();
  view.generation = 4;
  view.ready_endpoints = 0;
  const auto second = make_status(first, view, "now");
  EXPECT_EQ(second.find("Programmed")->since, "then");
  EXPECT_EQ(second.find("BackendsHealthy")->since, "now");
  EXPECT_EQ(second.find("Programmed")->generation, 4);
}

TEST(StreamConditions, EventsAreForTransitionsOnly) {
  const auto first = make_status({}, all_well(), "t1");
  EXPECT_THAT(texts(transitions({}, first)), ElementsAre("Programmed=True Programmed"));
  auto view = all_well();
  view.ready_endpoints = 1;
  EXPECT_THAT(transitions(first, make_status(first, view, "t2")), IsEmpty())
      << "a count is no transition";
  view.ready_endpoints = 0;
  EXPECT_THAT(texts(transitions(first, make_status(first, view, "t2"))),
              ElementsAre("BackendsHealthy=False NoEndpoints"));
}

TEST(StreamStatus, IsReadAsItWasWritten) {
  auto view = all_well();
  view.exposed = {"Exposed", "True", "ServicePort", "m", 0, {}};
  view.addresses = std::vector{kAddress, {"Hostname", "edge.test"}};
  view.listeners = {{"main", "TCP", {1}, 0, {}, ""}, {"any", "TCP", {}, 7000, {}, ""}};
  const auto status = make_status({}, view, "2026-01-31T12:00:00Z");
  objects::Parser parser;
  const auto json =
      R"({"metadata":{"namespace":"db","name":"mysql"},"spec":{"listeners":[{"name":"main","port":1}],"rules":[
      {"backends":[{"host":{"name":"h","port":1}}]}]},"status":)" +
      objects::status_json(status) + "}";
  const auto parsed = parser.parse(objects::Kind::kTcpService, json);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(std::get<objects::Ptr<objects::TcpService>>(*parsed)->status, status);
}

TEST(StreamConditions, TellOfEachListener) {
  auto view = all_well();
  view.owner = "TCPService db/mysql";
  view.listeners = {{"main", "TCP", {3306}, 0, {}, ""}, {"more", "TCP", {}, 4000, {}, ""}};
  const translate::Diagnostic lost{kObject,
                                   "/spec/listeners/1/port",
                                   "port 4000 is taken",
                                   Reason::kPortConflict,
                                   {objects::Kind::kConfigMap, "p", "tcp"}};
  view.diagnostics = {lost};
  view.listeners[1].diagnostics = {lost};
  const auto status = make_status({}, view, "then");
  EXPECT_EQ(status.columns.conflict_with, "ConfigMap p/tcp");
  ASSERT_EQ(status.listeners.size(), 2U);
  const auto& [main, more] = std::tie(status.listeners[0], status.listeners[1]);
  EXPECT_EQ(main.name, "main");
  EXPECT_EQ(main.ports, "3306");
  EXPECT_EQ(main.owner, "TCPService db/mysql");
  EXPECT_THAT(texts(main.conditions),
              ElementsAre("Accepted=True Accepted", "Programmed=True Programmed",
                          "Conflicted=False NoConflict"));
  EXPECT_EQ(more.ports, "");
  EXPECT_EQ(more.allocated_port, 4000);
  EXPECT_EQ(more.owner, "ConfigMap p/tcp");
  EXPECT_THAT(texts(more.conditions),
              ElementsAre("Accepted=False PortConflict", "Programmed=False NotAccepted",
                          "Conflicted=True PortConflict"));
  EXPECT_EQ(make_status(status, view, "now"), status) << "times stand";
  view.listeners[0].bind_problem = "cannot open tcp/3306: Permission denied (errno 13)";
  const auto closed = make_status(status, view, "now");
  EXPECT_EQ(text(closed.listeners[0].conditions[1]), "Programmed=False BindFailed");
  EXPECT_EQ(closed.listeners[0].conditions[1].since, "now");
  EXPECT_EQ(closed.listeners[0].conditions[0].since, "then");
}

TEST(StreamStatus, IsTakenBackButForGivenPorts) {
  objects::StreamStatus status;
  status.listeners = {{"a", "TCP", "5432", "TCPService db/mysql", 0, {}}};
  EXPECT_EQ(objects::retired_status_json(status), "null");
  status.listeners.push_back({"b", "TCP", "9000", "TCPService db/mysql", 9000, {}});
  const auto json = objects::retired_status_json(status);
  EXPECT_THAT(json, HasSubstr(R"("listeners":[{"name":"b","allocatedPort":9000}])"));
  EXPECT_THAT(json, HasSubstr(R"("conditions":null)"));
}

TEST(StreamStatus, PrintsAndReadsPorts) {
  objects::StreamStatus status;
  status.ports = objects::print_ports({80, 443, 6000, 6001, 6002, 7000});
  EXPECT_EQ(status.ports, "80, 443, 6000-6002, 7000");
  for (const auto port : {80, 443, 6000, 6001, 6002, 7000}) {
    EXPECT_TRUE(status.has_port(static_cast<std::uint16_t>(port))) << port;
  }
  for (const auto port : {0, 81, 5999, 6003, 7001}) {
    EXPECT_FALSE(status.has_port(static_cast<std::uint16_t>(port))) << port;
  }
  status.ports = "x, 5-, -, 9-8";
  EXPECT_FALSE(status.has_port(5));
  EXPECT_EQ(objects::print_ports({}), "");
}

TEST(Events, AreNamedByWhatTheySay) {
  const EventText one{kObject, "uid", "PortConflict", "m", "t1", true};
  auto other = one;
  EXPECT_EQ(event_name(one), event_name(other));
  other.moment = "t2";
  EXPECT_NE(event_name(one), event_name(other));
  other = one;
  other.message = "a \"quoted\"\nmessage" + std::string(2000, 'x');
  const auto json = event_json(other, "2026-01-31T12:00:00Z");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(json).get(root), simdjson::SUCCESS) << json;
  EXPECT_EQ(std::string_view(root["involvedObject"]["kind"]), "TCPService");
  EXPECT_EQ(std::string_view(root["type"]), "Warning");
  EXPECT_LE(std::string_view(root["message"]).size(), 1024U);
}

}  // namespace
}  // namespace penstock::status
