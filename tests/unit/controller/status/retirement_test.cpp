#include "controller/status/retirement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/status/replicas.h"
#include "tests/unit/controller/status/retirement_api.h"

namespace penstock::status {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kIngresses[] = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/";
constexpr char kReports[] = "/apis/penstock.dev/v1alpha1/namespaces/shop/ingressreports/";
constexpr char kReplicas[] = "/apis/penstock.dev/v1alpha1/namespaces/edge/replicareports/";
constexpr char kTcp[] = "/apis/penstock.dev/v1alpha1/namespaces/shop/tcpservices/";
constexpr char kService[] = "/api/v1/namespaces/edge/services/door";
constexpr char kPods[] = "/api/v1/namespaces/edge/pods/";

std::string status_with(const std::string& entries) {
  return R"({"loadBalancer":{"ingress":[)" + entries + "]}}";
}

class Retired : public testing::Test {
 protected:
  Retired() {
    api_["/apis/networking.k8s.io/v1/ingressclasses/ours"].rest = R"("spec":{"controller":"us"})";
    api_["/apis/networking.k8s.io/v1/ingressclasses/theirs"].rest =
        R"("spec":{"controller":"them"})";
    options_.translate.controller_class = "us";
    options_.name_space = "edge";
    options_.lease = "leader";
    options_.lease_duration = std::chrono::milliseconds(20);
    options_.addresses = {"192.0.2.1", "edge.test"};
  }
  void put_ingress(const std::string& name, const std::string& class_name,
                   const std::string& entries) {
    api_[kIngresses + name] = {"", fmt::format(R"("spec":{{"ingressClassName":"{}"}})", class_name),
                               status_with(entries)};
  }
  void put_lease(const std::string& holder, int seconds) {
    api_[kOurLease].rest =
        fmt::format(R"("metadata":{{"resourceVersion":"7"}},"spec":{{"holderIdentity":"{}",)"
                    R"("leaseDurationSeconds":{}}})",
                    holder, seconds);
  }
  void put_pod(const std::string& name, const std::string& node) {
    api_[kPods + name] = {
        R"(,"labels":{"app":"p"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet",)"
        R"("name":"set","uid":"u-set","controller":true}])",
        fmt::format(R"("spec":{{"nodeName":"{}"}})", node)};
    options_.pod_selector = "app=p";
  }
  void put_report(const std::string& name, const std::string& controller) {
    api_[kReports + name].rest = fmt::format(R"("report":{{"controller":"{}"}})", controller);
  }
  void put_replica(const std::string& name, const std::string& group, const std::string& more) {
    api_[kReplicas + name] = {more, fmt::format(R"("report":{{"group":"{}"}})", group)};
  }

  /// The failure, or nothing.
  std::string run(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    kube::ClusterAccess access;
    access.server = api_.url();
    kube::Caller caller(access, std::chrono::steady_clock::now() + time);
    lines_.clear();
    Retirement retirement(caller, options_,
                          [this](const std::string& line) { lines_.push_back(line); });
    const auto done = retirement.run();
    return done ? "" : done.error().message;
  }

  RetirementApi api_;
  Retirement::Options options_;
  std::vector<std::string> lines_;
};

TEST_F(Retired, IngressesLoseOurAddressesAndNoOthers) {
  put_ingress("one", "ours", R"({"ip":"192.0.2.1"},{"hostname":"edge.test"})");
  put_ingress("mixed", "ours", R"({"hostname":"other.test"},{"ip":"192.0.2.1"})");
  put_ingress("other", "ours", R"({"ip":"192.0.2.9"})");
  put_ingress("their", "theirs", R"({"ip":"192.0.2.1"})");
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "one"), status_with(""));
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "mixed"),
            status_with(R"({"hostname":"other.test"})"));
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "other"),
            status_with(R"({"ip":"192.0.2.9"})"));
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "their"),
            status_with(R"({"ip":"192.0.2.1"})"));
  EXPECT_THAT(lines_, Contains("Ingresses: 2 statuses cleared, 2 left with addresses that are not "
                               "ours"));
  api_.take_writes();
  EXPECT_EQ(run(), "");
  EXPECT_THAT(api_.take_writes(), ElementsAre(HasSubstr("DELETE"))) << "of a Lease that is not";
}

TEST_F(Retired, OnlyTheNamespaceThatIsWatched) {
  put_ingress("one", "ours", R"({"ip":"192.0.2.1"})");
  options_.watch_namespace = "elsewhere";
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "one"), status_with(R"({"ip":"192.0.2.1"})"));
}

TEST_F(Retired, TheLeaseIsTakenAndGoesWithWhatMakesThePods) {
  put_lease("penstock-a", 1);
  put_pod("penstock-a", "node");
  put_pod("penstock-b", "node");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(run(), "");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500))
      << "half of the holder's own duration";
  const auto lease = kube::see_lease("{" + api_[kOurLease].rest + "}");
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_EQ(lease->holder, "penstock-retire");
  EXPECT_EQ(lease->duration, std::chrono::seconds(600));
  EXPECT_EQ(lease->version, "7") << "of what was seen, or a renewal could be overwritten";
  ASSERT_EQ(lease->owners.size(), 1U);
  EXPECT_EQ(lease->owners[0], (kube::Owner{"apps/v1", "ReplicaSet", "set", "u-set"}));
  EXPECT_THAT(lines_[0], HasSubstr("goes with ReplicaSet set"));
}

TEST_F(Retired, ThePodsAreThoseWithTheLabelsOfTheHolder) {
  put_lease("penstock-a", 1);
  put_pod("penstock-a", "node");
  options_.pod_selector.clear();
  EXPECT_EQ(run(), "");
  EXPECT_THAT(lines_[0], HasSubstr("goes with ReplicaSet set"));
  // Again, where the holder is no pod: what owns the Lease stays.
  EXPECT_EQ(run(), "");
  EXPECT_THAT(lines_[0], HasSubstr("goes with ReplicaSet set"));
  EXPECT_TRUE(api_.has(kOurLease));
}

TEST_F(Retired, PodsThatHaveNoLeaseYetGetNone) {
  put_pod("penstock-a", "node");
  EXPECT_EQ(run(), "");
  ASSERT_TRUE(api_.has(kOurLease));
  EXPECT_THAT(api_[kOurLease].rest, HasSubstr(R"("holderIdentity":"penstock-retire")"));
}

TEST_F(Retired, WithoutPodsTheLeaseIsDeleted) {
  put_lease("somebody's-laptop-1", 1);
  EXPECT_EQ(run(), "");
  EXPECT_FALSE(api_.has(kOurLease));
  EXPECT_THAT(lines_, Contains("Lease edge/leader: deleted"));
}

/// As a run that has failed leaves it: a replica may be about to take it.
TEST_F(Retired, ALeaseThatNobodyHoldsIsTakenAsWell) {
  put_lease("", 1);
  EXPECT_EQ(run(), "");
  EXPECT_THAT(lines_[0], HasSubstr("held for 600 s"));
}

TEST_F(Retired, NothingIsDoneWhereTheLeaderMayWriteForLonger) {
  put_lease("penstock-a", 120);
  put_ingress("one", "ours", R"({"ip":"192.0.2.1"})");
  EXPECT_THAT(run(), HasSubstr("penstock-a may write for another 60 s"));
  EXPECT_THAT(api_.take_writes(), IsEmpty());
}

TEST_F(Retired, WhatChangesMeanwhileIsLookedAtAgain) {
  put_ingress("one", "ours", R"({"ip":"192.0.2.1"})");
  api_.contended = std::string(kIngresses) + "one";
  api_.contentions = 2;
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(api_.contended), status_with(""));
  api_.contentions = 1000;
  api_[api_.contended].status = status_with(R"({"ip":"192.0.2.1"})");
  EXPECT_EQ(run(), "Ingress shop/one: somebody writes it again and again");
}

TEST_F(Retired, ARightThatIsMissingIsToldAndTheRestIsDone) {
  put_ingress("one", "ours", R"({"ip":"192.0.2.1"})");
  put_report("one", "us");
  api_.forbidden = "PATCH " + std::string(kIngresses) + "one/status";
  EXPECT_EQ(run(), "Ingress shop/one: status 403: must not");
  EXPECT_FALSE(api_.has(std::string(kReports) + "one"));
  api_.forbidden = "GET /apis/networking.k8s.io/v1/ingresses";
  EXPECT_THAT(run(), HasSubstr("ingresses: cannot be listed: status 403: must not"));
}

TEST_F(Retired, AFailureLetsTheReplicasLeadAgain) {
  put_lease("penstock-a", 1);
  put_pod("penstock-a", "node");
  put_ingress("one", "ours", R"({"ip":"192.0.2.1"})");
  api_.forbidden = "PATCH " + std::string(kIngresses) + "one/status";
  EXPECT_THAT(run(), HasSubstr("status 403"));
  const auto lease = kube::see_lease("{" + api_[kOurLease].rest + "}");
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_EQ(lease->holder, "");
  EXPECT_THAT(lease->owners, IsEmpty());
}

TEST_F(Retired, TheAddressesOfAServiceAreOurs) {
  options_.addresses.clear();
  options_.publish_service = "edge/door";
  api_[kService] = {"", R"("spec":{"type":"LoadBalancer"})", status_with(R"({"ip":"192.0.2.7"})")};
  put_ingress("one", "ours", R"({"ip":"192.0.2.7"})");
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "one"), status_with(""));
}

TEST_F(Retired, AddressesThatAreNotKnownStayAndAreTold) {
  options_.addresses.clear();
  options_.publish_service = "edge/door";
  EXPECT_EQ(run(), "") << "nothing has an address";
  put_ingress("one", "ours", R"({"ip":"192.0.2.7"})");
  EXPECT_THAT(run(), HasSubstr("1 have addresses, and which are ours is not known: there is no "
                               "Service edge/door"));
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "one"), status_with(R"({"ip":"192.0.2.7"})"));
}

/// Through a Service outside of the namespace that is watched nothing was written.
TEST_F(Retired, AddressesOfOthersDoNotMatterWhereNoneCanBeOurs) {
  options_.addresses.clear();
  options_.publish_service = "edge/door";
  options_.watch_namespace = "shop";
  put_ingress("one", "ours", R"({"ip":"192.0.2.7"})");
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "one"), status_with(R"({"ip":"192.0.2.7"})"));
}

TEST_F(Retired, TheAddressesOfTheNodesThatRunOurPodsAreOurs) {
  options_.addresses.clear();
  put_pod("penstock-a", "n1");
  put_pod("penstock-b", "n2");
  api_["/api/v1/nodes/n1"].status =
      R"({"addresses":[{"type":"ExternalIP","address":"192.0.2.11"}]})";
  api_["/api/v1/nodes/n1"].rest = api_["/api/v1/nodes/n2"].rest = R"("spec":{})";
  api_["/api/v1/nodes/n2"].status =
      R"({"addresses":[{"type":"InternalIP","address":"192.0.2.12"}]})";
  put_ingress("one", "ours", R"({"ip":"192.0.2.11"},{"ip":"192.0.2.12"},{"ip":"192.0.2.13"})");
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "one"), status_with(R"({"ip":"192.0.2.13"})"));
}

TEST_F(Retired, ReportsOfOursAreDeletedAndThoseOfPodsGoWithThem) {
  put_report("one", "us");
  put_report("their", "them");
  put_replica("old", "leader", "");
  put_replica("penstock-a", "leader", R"(,"ownerReferences":[{"kind":"Pod"}])");
  put_replica("their", "other", "");
  EXPECT_EQ(run(), "");
  EXPECT_FALSE(api_.has(std::string(kReports) + "one"));
  EXPECT_TRUE(api_.has(std::string(kReports) + "their"));
  EXPECT_FALSE(api_.has(std::string(kReplicas) + "old"));
  EXPECT_TRUE(api_.has(std::string(kReplicas) + "penstock-a"));
  EXPECT_TRUE(api_.has(std::string(kReplicas) + "their"));
  EXPECT_THAT(lines_, Contains("IngressReports: 1 deleted"));
  EXPECT_THAT(lines_, Contains("ReplicaReports: 1 deleted, 1 go with their pods"));
}

TEST_F(Retired, StatusesOfStreamsAreTakenBack) {
  const std::string rest =
      R"("spec":{"ingressClassName":"%","listeners":[{"name":"a","port":5432}],)"
      R"("rules":[{"backends":[{"service":{"name":"db","port":1}}]}]})";
  const auto of_class = [&](const std::string& name) {
    auto out = rest;
    return out.replace(out.find('%'), 1, name);
  };
  const std::string written = R"({"observedGeneration":1,"ports":"5432"})";
  api_[std::string(kTcp) + "ours"] = {"", of_class("ours"), written};
  api_[std::string(kTcp) + "theirs"] = {"", of_class("theirs"), written};
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kTcp) + "theirs"), written);
  EXPECT_EQ(api_.status_of(std::string(kTcp) + "ours"), "null");
  EXPECT_THAT(lines_, Contains("TCPServices: 1 statuses cleared"));
}

TEST_F(Retired, PortsThatWereGivenStayInTheirStatuses) {
  api_[std::string(kTcp) + "any"] = {
      "",
      R"("spec":{"ingressClassName":"ours","listeners":[{"name":"a","port":0}],)"
      R"("rules":[{"backends":[{"service":{"name":"db","port":1}}]}]})",
      R"({"observedGeneration":1,"listeners":[{"name":"a","allocatedPort":9000}]})"};
  EXPECT_EQ(run(), "");
  const auto status = api_.status_of(std::string(kTcp) + "any");
  EXPECT_THAT(status, HasSubstr(R"("listeners":[{"name":"a","allocatedPort":9000}])"));
  EXPECT_THAT(status, HasSubstr(R"("observedGeneration":null)"));
  EXPECT_THAT(lines_, Contains("TCPServices: 1 statuses cleared")) << "once";
}

TEST_F(Retired, StatusesOfObjectsThatCannotBeReadGo) {
  api_[std::string(kTcp) + "broken"] = {"", R"("spec":{"listeners":7})",
                                        R"({"observedGeneration":1})"};
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kTcp) + "broken"), "null");
}

TEST_F(Retired, OurPortsLeaveTheService) {
  options_.addresses.clear();
  options_.publish_service = "edge/door";
  api_[kService].rest =
      R"("spec":{"ports":[{"name":"http","port":80,"targetPort":"http","protocol":"TCP"},)"
      R"({"name":"tcp-5432","port":5432,"targetPort":5432,"protocol":"TCP"}]})";
  EXPECT_EQ(run(), "");
  EXPECT_THAT(api_.take_writes(), Not(Contains(HasSubstr(kService))));
  options_.publishes_stream_ports = true;
  EXPECT_EQ(run(), "");
  EXPECT_THAT(api_.take_writes(), Contains("PATCH " + std::string(kService) +
                                           "?fieldManager=penstock-streams&force="
                                           "false"));
  EXPECT_THAT(lines_, Contains("Service edge/door: 1 ports of streams taken out"));
}

TEST_F(Retired, KindsThatAreNotInstalledHaveNothingToTakeBack) {
  api_.missing_kind = "penstock.dev";
  put_ingress("one", "ours", R"({"ip":"192.0.2.1"})");
  EXPECT_EQ(run(), "");
  EXPECT_EQ(api_.status_of(std::string(kIngresses) + "one"), status_with(""));
}

TEST_F(Retired, ASilentServerEndsItInTime) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_NE(run(std::chrono::milliseconds(0)), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(Placement, IsThatOfWhatMakesThePodOrOfThePod) {
  const auto bare = placement_of(R"({"metadata":{"name":"p","uid":"u"},"spec":{}})");
  ASSERT_TRUE(bare) << bare.error().message;
  EXPECT_EQ(bare->owner, (kube::Owner{"v1", "Pod", "p", "u"}));
  EXPECT_EQ(bare->node, "");
  EXPECT_FALSE(placement_of(R"({"metadata":{"ownerReferences":{}}})"));
}

}  // namespace
}  // namespace penstock::status
