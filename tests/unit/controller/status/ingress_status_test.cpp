#include "controller/status/ingress_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/kube/scripted_server.h"

namespace penstock::status {
namespace {

using objects::Kind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// Ingresses of a world, an API server that takes their statuses, and the writer between them.
class Statuses : public testing::Test {
 protected:
  Statuses()
      : server_(io_,
                [this](const kube::ScriptedServer::Seen& seen) {
                  return kube::ScriptedServer::answer(take(seen), "{}");
                }),
        client_(io_, access(server_)) {}

  static kube::ClusterAccess access(const kube::ScriptedServer& server) {
    kube::ClusterAccess out;
    out.server = server.url();
    return out;
  }

  int take(const kube::ScriptedServer::Seen& seen) {
    auto name = seen.target.substr(0, seen.target.rfind('/'));
    name = name.substr(name.rfind('/') + 1);
    written_.push_back(name);
    if (is_watched_) {
      put(name, seen.body.substr(1, seen.body.size() - 2));
      status_.update({"a/" + name});
    }
    return 200;
  }

  void put(const std::string& name, const std::string& status = R"("status":{})") {
    served_.insert("a/" + name);
    world_.apply(
        {{Kind::kIngress, "a", name},
         false,
         fmt::format(R"({{"metadata":{{"namespace":"a","name":"{0}","uid":"u-{0}"}},{1}}})", name,
                     status),
         {}},
        touched_);
  }
  void put_service(const std::string& address) {
    world_.apply({{Kind::kService, "a", "edge"},
                  false,
                  fmt::format(R"({{"metadata":{{"namespace":"a","name":"edge"}},)"
                              R"("spec":{{"externalIPs":["{}"]}}}})",
                              address),
                  {}},
                 touched_);
  }
  /// What is written until nothing is for a while.
  std::vector<std::string> run() {
    written_.clear();
    kube::run_until(io_, [] { return false; }, std::chrono::milliseconds(400));
    return written_;
  }

  asio::io_context io_;
  world::World world_;
  world::Touched touched_;
  std::set<std::string> served_;
  std::vector<std::string> written_;
  bool is_watched_ = true;  // what is written comes back as a change
  kube::ScriptedServer server_;
  kube::Client client_;
  IngressStatus status_{
      io_, client_, {"a/edge", {}}, [this] { return IngressStatus::View{&world_, &served_}; }};
};

TEST_F(Statuses, AllAreWrittenWhereItBeginsToLead) {
  put_service("192.0.2.1");
  put("one");
  put("two");
  status_.update({"a/one"});
  EXPECT_THAT(run(), IsEmpty());
  status_.set_leading(true);
  EXPECT_THAT(run(), UnorderedElementsAre("one", "two"));
  EXPECT_THAT(world_.find<objects::Ingress>("a/two")->load_balancer, ElementsAre("192.0.2.1"));
}

TEST_F(Statuses, OneThatComesOrIsOverwrittenIsWrittenAlone) {
  put_service("192.0.2.1");
  put("one");
  status_.set_leading(true);
  run();
  put("two");
  status_.update({"a/two"});
  EXPECT_THAT(run(), ElementsAre("two"));
  put("one");
  status_.update({"a/one"});
  EXPECT_THAT(run(), ElementsAre("one"));
}

TEST_F(Statuses, AllAreWrittenWhereTheAddressChanges) {
  put_service("192.0.2.1");
  put("one");
  put("two");
  status_.set_leading(true);
  run();
  put_service("192.0.2.2");
  status_.update({});
  EXPECT_THAT(run(), UnorderedElementsAre("one", "two"));
}

TEST_F(Statuses, WaitForTheServiceThatHasTheAddress) {
  put("one");
  status_.set_leading(true);
  EXPECT_THAT(run(), IsEmpty());
  put_service("192.0.2.1");
  status_.update({});
  EXPECT_THAT(run(), ElementsAre("one"));
}

TEST_F(Statuses, WhatIsNoLongerServedIsLeftAlone) {
  put_service("192.0.2.1");
  put("one");
  status_.set_leading(true);
  run();
  put("one");
  served_.clear();
  status_.update({"a/one"});
  EXPECT_THAT(run(), IsEmpty());
}

TEST_F(Statuses, OneThatWasNotSeenYetIsNotWrittenTwice) {
  is_watched_ = false;
  put_service("192.0.2.1");
  put("one");
  status_.set_leading(true);
  EXPECT_THAT(run(), ElementsAre("one"));
  status_.update({"a/one"});
  EXPECT_THAT(run(), IsEmpty());
}

}  // namespace
}  // namespace penstock::status
