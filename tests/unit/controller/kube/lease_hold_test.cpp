#include "controller/kube/lease_hold.h"

#include <gtest/gtest.h>

namespace penstock::kube {
namespace {

TEST(LeaseHold, IsAPatchOfTheVersionThatWasSeenOrANewLease) {
  const LeaseHold hold{"ns", "l", "me", std::chrono::seconds(600), {{"v1", "Pod", "p\"", "u"}}};
  const base::WallTime now{std::chrono::seconds(1)};
  EXPECT_EQ(hold_json(hold, "7", now),
            R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l",)"
            R"("namespace":"ns","resourceVersion":"7","ownerReferences":[{"apiVersion":"v1",)"
            R"("kind":"Pod","name":"p\"","uid":"u"}]},"spec":{"holderIdentity":"me",)"
            R"("leaseDurationSeconds":600,"acquireTime":"1970-01-01T00:00:01.000000Z",)"
            R"("renewTime":"1970-01-01T00:00:01.000000Z"}})");
  EXPECT_EQ(hold_json(hold, "", now).find("resourceVersion"), std::string::npos);
  const auto seen = see_lease(hold_json(hold, "7", now));
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->holder, "me");
  EXPECT_EQ(seen->duration, hold.duration);
  EXPECT_EQ(seen->version, "7");
  EXPECT_EQ(seen->owners, hold.owners);
}

TEST(LeaseHold, WhatIsNoLeaseIsAFailure) {
  EXPECT_FALSE(see_lease("<html>"));
  EXPECT_FALSE(see_lease(R"({"spec":{"leaseDurationSeconds":"long"}})"));
  EXPECT_TRUE(see_lease(R"({"metadata":{},"spec":{"holderIdentity":null}})"));
}

}  // namespace
}  // namespace penstock::kube
