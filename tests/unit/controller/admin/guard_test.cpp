#include "controller/admin/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "controller/admin/token_review.h"

namespace penstock::admin {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class GuardTest : public testing::Test {
 protected:
  ~GuardTest() override { std::filesystem::remove(path_); }

  Guard make(Guard::Review review = {}, const std::string& secret = "") {
    if (!secret.empty()) std::ofstream(path_) << secret << "\n";
    return Guard({secret.empty() ? "" : path_, std::move(review)}, [this] { return now_; });
  }
  int ask(Guard& guard, const std::string& authorization, Right right = Right::kRead,
          const char* peer = "192.0.2.1") {
    base::HttpRequest request;
    request.authorization = authorization;
    request.peer = asio::ip::make_address(peer);
    // A verdict may come after this has returned.
    const auto status = std::make_shared<int>(0);
    guard.check(request, right, [status](const Verdict& verdict) { *status = verdict.status; });
    return *status;
  }
  /// Grants "Bearer good" reads alone.
  Guard::Review reviewer() {
    return [this](const std::string& token, Right right, const Guard::OnVerdict& on_verdict) {
      ++reviews_;
      if (token != "good") return on_verdict({401, "", "unknown"});
      on_verdict({right == Right::kRead ? 200 : 403, "ann", ""});
    };
  }

  std::string path_ =
      std::filesystem::temp_directory_path() / ("guard_test." + std::to_string(getpid()));
  std::chrono::steady_clock::time_point now_ = std::chrono::steady_clock::now();
  int reviews_ = 0;
};

TEST_F(GuardTest, TheSecretOfTheFileLetsInAndMayBeChanged) {
  auto guard = make({}, "0123456789abcdef");
  EXPECT_EQ(ask(guard, "Bearer 0123456789abcdef"), 200);
  EXPECT_EQ(ask(guard, "bearer  0123456789abcdef", Right::kAct), 200);
  EXPECT_EQ(ask(guard, "Bearer 0123456789abcde"), 401);
  EXPECT_EQ(ask(guard, "Basic 0123456789abcdef"), 401);
  EXPECT_EQ(ask(guard, ""), 401);
  std::ofstream(path_) << "fedcba9876543210\n";
  EXPECT_EQ(ask(guard, "Bearer 0123456789abcdef"), 401);
  EXPECT_EQ(ask(guard, "Bearer fedcba9876543210"), 200);
  std::filesystem::remove(path_);
  EXPECT_EQ(ask(guard, "Bearer fedcba9876543210"), 401);
}

TEST_F(GuardTest, WithoutAWayToCheckNobodyGetsIn) {
  auto guard = make();
  EXPECT_EQ(ask(guard, "Bearer anything"), 401);
}

TEST_F(GuardTest, AnAttackerIsBoundedOthersAreNot) {
  auto guard = make(reviewer());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(guard, "Bearer bad" + std::to_string(i)), 401);
  EXPECT_EQ(ask(guard, "Bearer bad"), 429);
  EXPECT_EQ(ask(guard, "Bearer good"), 429);
  EXPECT_EQ(reviews_, 10);
  EXPECT_EQ(ask(guard, "Bearer good", Right::kRead, "192.0.2.2"), 200);
  // Who is known already is heard from everywhere.
  EXPECT_EQ(ask(guard, "Bearer good"), 200);
  now_ += seconds(61);
  EXPECT_EQ(ask(guard, "Bearer bad"), 401);
}

TEST_F(GuardTest, AGrantIsRememberedForAShortWhileAndForItsRight) {
  auto guard = make(reviewer());
  EXPECT_EQ(ask(guard, "Bearer good"), 200);
  EXPECT_EQ(ask(guard, "Bearer good"), 200);
  EXPECT_EQ(reviews_, 1);
  EXPECT_EQ(ask(guard, "Bearer good", Right::kAct), 403);
  now_ += seconds(31);
  EXPECT_EQ(ask(guard, "Bearer good"), 200);
  EXPECT_EQ(reviews_, 3);
}

TEST_F(GuardTest, ReviewsAtATimeAreBounded) {
  std::vector<Guard::OnVerdict> waiting;
  auto guard = make([&](const std::string&, Right, Guard::OnVerdict on_verdict) {
    waiting.push_back(std::move(on_verdict));
  });
  for (int i = 0; i < 8; ++i) EXPECT_EQ(ask(guard, "Bearer t" + std::to_string(i)), 0);
  EXPECT_EQ(ask(guard, "Bearer t9"), 503);
  waiting.front()({200, "ann", ""});
  EXPECT_EQ(ask(guard, "Bearer t0"), 200);
}

TEST_F(GuardTest, AShortSecretIsNone) {
  std::ofstream(path_) << "short\n";
  const auto token = read_token(path_);
  ASSERT_FALSE(token);
  EXPECT_THAT(token.error().message, HasSubstr("at least 16 characters, got 5"));
}

TEST(TokenReview, TheAccountThatIsNamedIsAskedAbout) {
  const auto reviewed = read_token_review(
      R"({"status":{"authenticated":true,"user":{"username":"system:serviceaccount:a:b",)"
      R"("uid":"7","groups":["x","y\"z"]}}})",
      Right::kAct);
  EXPECT_EQ(reviewed.verdict.status, 200);
  EXPECT_EQ(reviewed.verdict.user, "system:serviceaccount:a:b");
  EXPECT_EQ(reviewed.access_review,
            R"({"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":)"
            R"({"user":"system:serviceaccount:a:b","uid":"7","groups":["x","y\"z"],)"
            R"("nonResourceAttributes":{"path":"/penstock/admin","verb":"post"}}})");
}

TEST(TokenReview, WhatDoesNotSayYesIsNo) {
  const auto status = [](const std::string& json) {
    return read_token_review(json, Right::kRead).verdict.status;
  };
  EXPECT_EQ(status(R"({"status":{"authenticated":false,"user":{"username":"a"}}})"), 401);
  EXPECT_EQ(status(R"({"status":{"authenticated":"true","user":{"username":"a"}}})"), 401);
  EXPECT_EQ(status(R"({"status":{"authenticated":true,"user":{}}})"), 401);
  EXPECT_EQ(status("{}"), 401);
  EXPECT_EQ(status("no json"), 503);
  EXPECT_TRUE(read_access_review(R"({"status":{"allowed":true}})"));
  EXPECT_FALSE(read_access_review(R"({"status":{"allowed":true,"denied":true}})"));
  EXPECT_FALSE(read_access_review(R"({"status":{"allowed":1}})"));
  EXPECT_FALSE(read_access_review(""));
}

TEST(ForeignName, IsEverythingButAddressesAndLocalhost) {
  for (const char* host :
       {"localhost", "LocalHost:10258", "127.0.0.1", "10.0.0.1:10258", "[::1]", "[::1]:10258"}) {
    EXPECT_FALSE(is_foreign_name(host)) << host;
  }
  for (const char* host : {"", ":10258", "evil.example", "evil.example:10258", "localhost.example",
                           "127.0.0.1.example", "[::1", "[evil.example]:1", "[]"}) {
    EXPECT_TRUE(is_foreign_name(host)) << host;
  }
}

}  // namespace
}  // namespace penstock::admin
