// Which endpoint the datagrams of QUIC connections go to, also when their clients' addresses
// change.
#include <algorithm>
#include <map>

#include "proxy/net/quic_header.h"
#include "tests/support/quic_packets.h"
#include "tests/unit/proxy/worker/udp_fixture.h"

namespace penstock::worker::udp_ports {
namespace {

using test::quic_long_packet;
using test::quic_short_packet;

constexpr std::string_view kClientId = "client";
constexpr std::size_t kServers = 4;

/// Looks like a QUIC server: chooses an id of its own for each connection, and each datagram that
/// it sends ends with its name.
class QuicServer {
 public:
  explicit QuicServer(char name) : name_(name) {}
  std::uint16_t port() const { return backend_.port(); }
  UdpBackend& backend() { return backend_; }

 private:
  std::vector<std::string> answer(const std::string& datagram) {
    const auto header = net::read_quic_long_header(datagram);
    if (!header) return {datagram + name_};
    auto& id = ids_[std::string(header->destination)];
    if (id.empty()) {
      id = header->destination.starts_with(name_)
               ? header->destination
               : std::string(1, name_) + std::to_string(ids_.size() + 1'000'000);
    }
    return {quic_long_packet(header->source, id, header->version == 1 ? 1 : 0) + name_};
  }

  char name_;
  std::map<std::string, std::string> ids_;
  UdpBackend backend_{[this](const std::string& datagram) { return answer(datagram); }};
};

class UdpQuicTest : public UdpTest {
 protected:
  UdpQuicTest() {
    for (std::size_t i = 0; i < kServers; ++i) {
      servers_.push_back(std::make_unique<QuicServer>(static_cast<char>('a' + i)));
    }
    stream_.hash_key = snapshot::HashKey::kQuicConnectionId;
  }

  std::vector<std::uint16_t> ports() const {
    std::vector<std::uint16_t> ports;
    for (const auto& each : servers_) ports.push_back(each->port());
    return ports;
  }
  void serve_all() {
    set_upstream("up", ports(), snapshot::Algorithm::kHash);
    set_stream();
    EXPECT_TRUE(adopt().empty());
  }
  /// A port of its own for each.
  UdpClient& new_client() {
    return *clients_.emplace_back(std::make_unique<UdpClient>(stream_.port));
  }
  /// What a client chooses for a connection that it begins.
  std::string new_id() { return "first" + std::to_string(100 + clients_.size() + ++begun_); }

  /// The name of the server that answers.
  static char who(UdpClient& client, const std::string& datagram) {
    const auto answer = client.ask(datagram);
    return answer && !answer->empty() ? answer->back() : '-';
  }
  static std::string id_in(const std::string& answer) {
    const auto header = net::read_quic_long_header(answer);
    return header ? std::string(header->source) : std::string();
  }
  /// Begins a connection up to where its client has used the server's id, which is given.
  std::string connect(UdpClient& client) {
    const auto answer = client.ask(quic_long_packet(new_id(), kClientId));
    const auto id = id_in(answer.value_or(""));
    EXPECT_EQ(who(client, quic_long_packet(id, kClientId)), id.empty() ? '-' : id[0]);
    return id;
  }
  std::size_t known_ids() { return limits_->of(stream_.name)->connection_ids().size(); }

  /// Of so many connections, how many get an answer of another server after a change of their port.
  int count_lost(int connections) {
    int lost = 0;
    for (int i = 0; i < connections; ++i) {
      const auto id = connect(new_client());
      lost += who(new_client(), quic_short_packet(id)) == id[0] ? 0 : 1;
    }
    return lost;
  }

  std::vector<std::unique_ptr<QuicServer>> servers_;
  std::vector<std::unique_ptr<UdpClient>> clients_;
  std::size_t begun_ = 0;
};

TEST_F(UdpQuicTest, AConnectionStaysWithItsEndpointWhenTheClientsAddressChanges) {
  serve_all();
  // A client that has another port may land on another worker.
  Worker other(Telemetry{&metrics_.worker(1), &log_, limits_});
  other.start();
  EXPECT_TRUE(adopt(other).empty());
  EXPECT_EQ(count_lost(40), 0);
  EXPECT_EQ(known_ids(), 40U);
  const auto id = connect(new_client());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(who(new_client(), quic_short_packet(id)), id[0]) << "the change " << i;
    EXPECT_EQ(who(new_client(), quic_long_packet(id, kClientId)), id[0]);
  }
  other.drain(base::Duration(1));
  other.join();
}

TEST_F(UdpQuicTest, ItDoesNotWhereTheAddressIsTheKey) {
  stream_.hash_key = snapshot::HashKey::kAddressAndPort;
  serve_all();
  EXPECT_GT(count_lost(40), 10);
  EXPECT_EQ(known_ids(), 0U) << "who has not asked for it does not pay for it";
}

TEST_F(UdpQuicTest, AnIdThatNobodyKnowsIsHashed) {
  serve_all();
  std::set<char> used;
  for (int i = 0; i < 20; ++i) {
    const auto id = new_id();
    const auto first = who(new_client(), quic_long_packet(id, kClientId));
    used.insert(first);
    EXPECT_EQ(who(new_client(), quic_long_packet(id, kClientId)), first) << "of whichever address";
    EXPECT_EQ(who(new_client(), quic_short_packet(id)), first) << "in whichever header";
  }
  EXPECT_GT(used.size(), 1U);
  EXPECT_EQ(known_ids(), 0U);
}

TEST_F(UdpQuicTest, WhatIsNoQuicGoesByAddressAndPort) {
  stream_.max_requests = 1;  // so that each datagram begins a session
  serve_all();
  std::set<char> used;
  for (int i = 0; i < 20; ++i) {
    auto& client = new_client();
    const auto first = who(client, "no QUIC");
    used.insert(first);
    EXPECT_EQ(who(client, std::string("\x16\xfe\xfd", 3)), first) << "too short";
    EXPECT_EQ(who(client, quic_long_packet("", kClientId)), first) << "without an id";
    EXPECT_EQ(who(client, quic_long_packet(new_id(), kClientId, 0)), first) << "of a server";
    EXPECT_EQ(who(client, "\xc3\x01\x01\x01\x01\xff the id is cut off"), first);
  }
  EXPECT_GT(used.size(), 1U);
  EXPECT_EQ(known_ids(), 0U);
}

TEST_F(UdpQuicTest, AnIdIsLearnedWhenBothSidesHaveShownIt) {
  serve_all();
  auto& client = new_client();
  const auto id = id_in(*client.ask(quic_long_packet(new_id(), kClientId)));
  EXPECT_EQ(id.size(), 8U);
  EXPECT_EQ(known_ids(), 0U) << "an address that was made up gets no further";
  EXPECT_NE(who(client, quic_long_packet("not-named", kClientId)), '-');
  EXPECT_NE(who(client, quic_short_packet(id)), '-');
  EXPECT_EQ(known_ids(), 0U);
  EXPECT_NE(who(client, quic_long_packet(id, kClientId)), '-');
  EXPECT_EQ(known_ids(), 1U);
}

/// A Version Negotiation repeats what the client has chosen.
TEST_F(UdpQuicTest, AnIdOfAVersionNegotiationIsNotLearned) {
  serve_all();
  auto& client = new_client();
  constexpr std::uint32_t kUnknown = 0x1a2a3a4a;
  const auto id = id_in(*client.ask(quic_long_packet(new_id(), kClientId, kUnknown)));
  EXPECT_NE(who(client, quic_long_packet(id, kClientId, kUnknown)), '-');
  EXPECT_EQ(known_ids(), 0U);
}

TEST_F(UdpQuicTest, AClientHasNoMoreIdsThanItsSessionsMay) {
  serve_all();
  auto& client = new_client();
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(connect(client));
  EXPECT_EQ(known_ids(), session::QuicIds::kMost);
  for (std::size_t i = ids.size() - session::QuicIds::kMost; i < ids.size(); ++i) {
    EXPECT_EQ(who(new_client(), quic_short_packet(ids[i])), ids[i][0]) << "the last ones";
  }
}

TEST_F(UdpQuicTest, AnIdIsKnownForTheIdleTimeoutAfterItsSession) {
  stream_.idle_timeout = base::Duration(800);
  serve_all();
  const auto id = connect(new_client());
  EXPECT_TRUE(has_active(0));
  EXPECT_EQ(known_ids(), 1U);
  EXPECT_EQ(who(new_client(), quic_short_packet(id)), id[0]);
  EXPECT_TRUE(has_active(0));
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  EXPECT_NE(who(new_client(), quic_short_packet("another-id")), '-');
  EXPECT_EQ(known_ids(), 0U) << "the next one that comes clears up";
}

TEST_F(UdpQuicTest, AKnownConnectionStaysWhereNewOnesDoNotGo) {
  set_upstream("more", {servers_[0]->port()}, snapshot::Algorithm::kHash);
  set_upstream("up", {servers_[1]->port(), servers_[2]->port()}, snapshot::Algorithm::kHash);
  set_stream();
  ASSERT_TRUE(adopt().empty());
  const auto id = connect(new_client());
  stream_.backends = {{"up", 0, snapshot::ProxyProtocolOut::kNone},
                      {"more", 1, snapshot::ProxyProtocolOut::kNone}};
  set_stream();
  adopt();
  EXPECT_EQ(connect(new_client())[0], 'a');
  EXPECT_EQ(who(new_client(), quic_short_packet(id)), id[0]);
}

TEST_F(UdpQuicTest, AKnownConnectionWhoseEndpointHasLeftGoesElsewhere) {
  serve_all();
  const auto id = connect(new_client());
  std::vector<std::uint16_t> left = ports();
  std::erase(left, servers_[static_cast<std::size_t>(id[0] - 'a')]->port());
  set_upstream("up", left, snapshot::Algorithm::kHash);
  adopt();
  const auto now = who(new_client(), quic_short_packet(id));
  EXPECT_NE(now, '-');
  EXPECT_NE(now, id[0]);
}

TEST_F(UdpQuicTest, AKnownConnectionWhoseEndpointIsDeadGoesElsewhere) {
  serve_all();
  const auto id = connect(new_client());
  servers_[static_cast<std::size_t>(id[0] - 'a')].reset();
  const auto now = who(new_client(), quic_short_packet(id));
  EXPECT_NE(now, '-');
  EXPECT_NE(now, id[0]);
}

TEST_F(UdpQuicTest, AForgedDatagramMovesNobody) {
  serve_all();
  auto& client = new_client();
  const auto id = connect(client);
  auto& server = servers_[static_cast<std::size_t>(id[0] - 'a')]->backend();
  EXPECT_EQ(server.sources(), 1U);
  EXPECT_EQ(who(new_client(), quic_short_packet(id)), id[0]);
  EXPECT_EQ(server.sources(), 2U) << "a session with a socket of its own";
  EXPECT_EQ(who(client, quic_short_packet(id)), id[0]);
  EXPECT_EQ(server.sources(), 2U);
  EXPECT_FALSE(client.receive(50)) << "what another was answered";
}

}  // namespace
}  // namespace penstock::worker::udp_ports
