#include "controller/admission/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>

#include "controller/admission/certificates.h"
#include "tests/support/tls_peer.h"

namespace penstock::admission {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kReview =
    R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","namespace":"shop","name":"new","kind":{"group":"networking.k8s.io","version":"v1","kind":"Ingress"},"object":{"metadata":{"name":"new"}}}})";

std::string post(std::string_view body, std::string_view more = "") {
  return fmt::format(
      "POST /penstock/v1?timeout=10s HTTP/1.1\r\nHost: a\r\n{}"
      "Content-Length: {}\r\n\r\n{}",
      more, body.size(), body);
}

/// A server and blocking clients of it.
class AdmissionServer : public testing::Test {
 protected:
  class Client {
   public:
    explicit Client(std::uint16_t port) {
      socket_.connect({asio::ip::address_v4::loopback(), port});
      peer_.emplace(socket_.native_handle(), test::TlsPeer::kClient, test::TlsPeerOptions{});
    }
    test::TlsPeer& peer() { return *peer_; }
    /// One that ends the connection.
    std::string ask(std::string_view request) {
      peer_->send(request);
      return peer_->receive_all();
    }
    /// Head and body of an answer after which the connection stays.
    std::string ask_one(std::string_view request) {
      peer_->send(request);
      std::string text;
      while (!text.ends_with("\r\n\r\n")) {
        const auto byte = peer_->receive(1);
        if (byte.empty()) return text;
        text += byte;
      }
      const auto at = text.find("Content-Length: ");
      return text + peer_->receive(std::stoul(text.substr(at + 16)));
    }

   private:
    asio::io_context io_;
    asio::ip::tcp::socket socket_{io_};
    std::optional<test::TlsPeer> peer_;
  };

  void SetUp() override {
    auto started = Server::start("127.0.0.1:0", [this](const Review&, const Answer& answer) {
      ++asked_;
      answer(has_verdict_ ? std::optional(Verdict{false, "no", {}}) : std::nullopt);
    });
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
  }
  void give_certificate() {
    const auto made = make_certificates({"DNS:a"});
    ASSERT_TRUE(server_->set_certificate(made->chain_pem, made->key_pem));
  }

  std::atomic<int> asked_ = 0;
  std::atomic<bool> has_verdict_ = true;
  std::unique_ptr<Server> server_;
};

TEST_F(AdmissionServer, TakesAPairThatFits) {
  const auto one = make_certificates({"DNS:a"});
  const auto other = make_certificates({"DNS:a"});
  EXPECT_TRUE(server_->set_certificate(one->chain_pem, one->key_pem));
  EXPECT_FALSE(server_->set_certificate(one->chain_pem, other->key_pem));
  EXPECT_FALSE(server_->set_certificate("", ""));
  const AskJudge nobody = [](const Review&, const Answer&) {};
  EXPECT_FALSE(Server::start("8443", nobody));
  EXPECT_FALSE(Server::start(fmt::format("127.0.0.1:{}", server_->port()), nobody));
}

TEST_F(AdmissionServer, WithoutACertificateNobodyIsServed) {
  EXPECT_FALSE(Client(server_->port()).peer().is_secured());
}

TEST_F(AdmissionServer, AnswersOneReviewAfterTheOther) {
  give_certificate();
  Client client(server_->port());
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.ask_one(post(kReview));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(answer, HasSubstr(R"("uid":"u","allowed":false)"));
  }
  EXPECT_EQ(asked_, 3);
  has_verdict_ = false;
  EXPECT_THAT(client.ask_one(post(kReview)), StartsWith("HTTP/1.1 503"));
}

TEST_F(AdmissionServer, WhatIsNoReviewReachesNoJudge) {
  give_certificate();
  const auto ask = [&](const std::string& request) { return Client(server_->port()).ask(request); };
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask(post("{")), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 411"));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask(post("{}", "X: " + std::string(20'000, 'x') + "\r\n")),
              StartsWith("HTTP/1.1 431"));
  EXPECT_EQ(ask("nonsense\r\n\r\n"), "");
  EXPECT_EQ(asked_, 0);
}

TEST_F(AdmissionServer, BodiesHaveABoundTogether) {
  give_certificate();
  Client probe(server_->port());
  // Whatever was sent before has been read when some reviews have been answered.
  const auto catch_up = [&] {
    for (int i = 0; i < 4; ++i) {
      EXPECT_THAT(probe.ask_one(post(kReview)), StartsWith("HTTP/1.1 200"));
    }
  };
  const std::string large(9'000'000, 'x');
  const std::string begun = post(large).substr(0, 200);
  std::deque<Client> slow;
  for (int i = 0; i < 3; ++i) slow.emplace_back(server_->port()).peer().send(begun);
  catch_up();
  EXPECT_THAT(Client(server_->port()).ask(begun), StartsWith("HTTP/1.1 503"));
  slow.pop_front();
  catch_up();
  EXPECT_THAT(Client(server_->port()).ask(post(large)), StartsWith("HTTP/1.1 400"));
}

TEST_F(AdmissionServer, ConnectionsThatSayNothingMakeRoom) {
  give_certificate();
  std::deque<Client> idle;
  for (int i = 0; i < 128; ++i) ASSERT_TRUE(idle.emplace_back(server_->port()).peer().is_secured());
  Client late(server_->port());
  ASSERT_TRUE(late.peer().is_secured());
  EXPECT_THAT(late.ask_one(post(kReview)), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(idle.front().peer().receive_all(), "");
  EXPECT_THAT(idle.back().ask_one(post(kReview)), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace penstock::admission
