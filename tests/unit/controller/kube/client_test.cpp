#include "controller/kube/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_server.h"

namespace penstock::kube {
namespace {

using testing::HasSubstr;
using Reply = ScriptedServer::Reply;
using Seen = ScriptedServer::Seen;

class ClientTest : public testing::Test {
 protected:
  void start(ScriptedServer::Handler handler, Client::Options options = {}) {
    server_ = std::make_unique<ScriptedServer>(io_, std::move(handler));
    ClusterAccess access;
    access.server = server_->url();
    client_ = std::make_unique<Client>(io_, access, std::move(options));
  }
  void TearDown() override {
    client_.reset();
    io_.restart();
    io_.poll();
  }
  Client::OnResponse keep() {
    return [this](Response response) {
      EXPECT_TRUE(std::this_thread::get_id() == thread_);
      responses_.push_back(std::move(response));
    };
  }
  bool until(std::size_t count) {
    return run_until(io_, [&] { return responses_.size() >= count; });
  }

  std::thread::id thread_ = std::this_thread::get_id();
  asio::io_context io_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
  std::vector<Response> responses_;
};

TEST_F(ClientTest, MethodsAndBodies) {
  start([](const Seen& seen) { return ScriptedServer::answer(200, seen.method + seen.body); });
  const auto a = client_->get("/a?b=c%2F", keep());
  ASSERT_TRUE(until(1));
  const auto b = client_->create("/c", "{\"x\":1}", keep());
  ASSERT_TRUE(until(2));
  const auto c = client_->put("/d", "{}", keep());
  ASSERT_TRUE(until(3));
  const auto d = client_->merge_patch("/d/status", "{}", keep());
  ASSERT_TRUE(until(4));
  EXPECT_EQ(responses_[0].body, "GET");
  EXPECT_EQ(responses_[1].body, "POST{\"x\":1}");
  EXPECT_EQ(responses_[2].body, "PUT{}");
  EXPECT_EQ(responses_[3].body, "PATCH{}");
  EXPECT_EQ(server_->seen()[0].target, "/a?b=c%2F");
  EXPECT_THAT(server_->seen()[1].head, HasSubstr("application/json"));
  EXPECT_THAT(server_->seen()[3].head, HasSubstr("application/merge-patch+json"));
}

TEST_F(ClientTest, FailuresAreValues) {
  start([](const Seen&) { return ScriptedServer::answer(429, "busy", "Retry-After: 3\r\n"); });
  const auto a = client_->get("/", keep());
  ASSERT_TRUE(until(1));
  EXPECT_EQ(responses_[0].status, 429);
  EXPECT_EQ(responses_[0].body, "busy");
  EXPECT_EQ(responses_[0].retry_after, std::chrono::seconds(3));
  ClusterAccess nobody;
  nobody.server = "http://127.0.0.1:1";
  Client other(io_, nobody);
  const auto b = other.get("/", keep());
  ASSERT_TRUE(until(2));
  EXPECT_EQ(responses_[1].status, 0);
  EXPECT_FALSE(responses_[1].failure.empty());
}

TEST_F(ClientTest, RedirectsAreNotFollowed) {
  start([](const Seen&) { return ScriptedServer::answer(302, "", "Location: /elsewhere\r\n"); });
  const auto call = client_->get("/", keep());
  ASSERT_TRUE(until(1));
  EXPECT_EQ(responses_[0].status, 302);
  EXPECT_EQ(server_->seen().size(), 1U);
}

TEST_F(ClientTest, EndlessBodyIsCut) {
  start([](const Seen&) {
    Reply reply{{ScriptedServer::stream_head()}, false};
    for (int i = 0; i < 200; ++i) {
      reply.pieces.push_back(ScriptedServer::chunk(std::string(1000, 'x')));
    }
    return reply;
  });
  Request request;
  request.path = "/";
  request.max_body = 5000;
  const auto call = client_->send(std::move(request), keep());
  ASSERT_TRUE(until(1));
  EXPECT_TRUE(responses_[0].is_too_large);
  EXPECT_EQ(responses_[0].status, 0);
  EXPECT_TRUE(responses_[0].body.empty());
}

TEST_F(ClientTest, SilentServerTimesOut) {
  Client::Options options;
  options.call_timeout = std::chrono::seconds(1);
  start([](const Seen&) { return Reply{{}, false}; }, options);
  const auto call = client_->get("/", keep());
  ASSERT_TRUE(until(1));
  EXPECT_EQ(responses_[0].status, 0);
}

TEST_F(ClientTest, DroppedCallsStaySilent) {
  start([](const Seen&) { return ScriptedServer::answer(200, "x"); });
  {
    const auto dropped = client_->get("/dropped", keep());
  }
  const auto call = client_->get("/kept", keep());
  ASSERT_TRUE(until(1));
  run_until(io_, [] { return false; }, std::chrono::milliseconds(100));
  EXPECT_EQ(responses_.size(), 1U);
}

TEST_F(ClientTest, GoesWhileCallsAreUnderWay) {
  start([](const Seen&) { return Reply{{ScriptedServer::stream_head()}, false}; });
  std::vector<Call> calls;
  for (int i = 0; i < 20; ++i) {
    Request request;
    request.path = "/";
    calls.push_back(client_->stream(std::move(request), {}));
  }
  ASSERT_TRUE(run_until(io_, [&] { return server_->seen().size() >= 10; }));
  const auto began = std::chrono::steady_clock::now();
  client_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

}  // namespace
}  // namespace penstock::kube
