// Both ends of the push over a real socket: the controller's server and the proxy's client with
// real workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "controller/publish/snapshot_server.h"
#include "proxy/control/snapshot_client.h"
#include "proxy/snapshot/codec.h"
#include "proxy/worker/worker_pool.h"
#include "tests/unit/controller/publish/changes.h"

namespace penstock::publish {
namespace {

namespace fs = std::filesystem;
using snapshot::PartKey;
using snapshot::PartKind;

snapshot::PartPtr host_part(const std::string& name, const std::string& path = "/") {
  snapshot::Host out;
  out.name = name;
  snapshot::Route route;
  route.path = path;
  out.routes.push_back(route);
  return part(out);
}

/// A proxy without the rest of its program.
class Proxy {
 public:
  Proxy(asio::io_context& io, const std::string& socket,
        std::optional<control::StateFile> state = {})
      : client(io, socket, std::move(state),
               [this](auto table, const auto& change) {
                 last = table;
                 pool.adopt(std::move(table), change);
               }),
        pool(
            io, 2, [](std::size_t) { return std::make_unique<worker::Worker>(); },
            [this](std::uint64_t version, std::vector<std::string> problems) {
              client.on_serving(version, problems);
            }) {
    pool.start();
    client.start();
  }
  ~Proxy() {
    pool.drain(base::Duration(0));
    pool.drain(base::Duration(0));
    pool.join();
  }
  control::SnapshotClient client;
  worker::WorkerPool pool;
  std::shared_ptr<const routing::RoutingTable> last;
};

class PushTest : public testing::Test {
 protected:
  PushTest() : folder_(fs::temp_directory_path() / ("push." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    make_server();
  }
  ~PushTest() override {
    server_.reset();
    fs::remove_all(folder_);
  }

  std::string socket() const { return folder_ / "socket"; }
  void make_server() {
    ServerEvents events;
    events.on_adopted = [this](const snapshot::Adopted& adopted) { adopted_.push_back(adopted); };
    events.on_refused = [this](const snapshot::Refused& refused) { refused_.push_back(refused); };
    events.on_proxies = [this](std::size_t count) { proxies_.push_back(count); };
    auto server = SnapshotServer::listen(io_, socket(), std::move(events));
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }
  template <class Condition>
  bool wait_for(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(50));
    }
    return condition();
  }
  bool wait_adopted(std::uint64_t version) {
    return wait_for([&] { return !adopted_.empty() && adopted_.back().version == version; });
  }
  static Changes base() {
    return {{{PartKind::kGlobal, ""}, part(snapshot::Global{})},
            {{PartKind::kHost, "a.example"}, host_part("a.example")}};
  }

  asio::io_context io_;
  fs::path folder_;
  std::unique_ptr<SnapshotServer> server_;
  std::vector<snapshot::Adopted> adopted_;
  std::vector<snapshot::Refused> refused_;
  std::vector<std::size_t> proxies_;
};

/// The other end of the socket, by hand.
class Peer {
 public:
  Peer(asio::io_context& io, const std::string& path) : socket_(io), bytes_(4096, '\0') {
    socket_.connect(asio::local::stream_protocol::endpoint(path));
    read();
  }
  void send(const snapshot::Message& message) { send(snapshot::encode_frame(message)); }
  void send(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }
  bool has_ended() const { return has_ended_; }
  const snapshot::Update* update() const { return update_ ? &*update_ : nullptr; }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(bytes_), [this](base::error_code code, std::size_t size) {
      if (code == asio::error::operation_aborted) return;
      has_ended_ = code.failed();
      if (has_ended_) return;
      frames_.feed(std::string_view(bytes_).substr(0, size));
      for (auto message = frames_.next(); message && *message; message = frames_.next()) {
        if (auto* update = std::get_if<snapshot::Update>(&**message)) update_ = std::move(*update);
      }
      read();
    });
  }

  base::LocalSocket socket_;
  std::string bytes_;
  snapshot::FrameReader frames_;
  std::optional<snapshot::Update> update_;
  bool has_ended_ = false;
};

TEST_F(PushTest, SendsTheWholeAndThenOnlyWhatChanges) {
  Proxy proxy(io_, socket());
  ASSERT_TRUE(wait_adopted(server_->publish(base())));
  EXPECT_EQ(proxy.last->host_count(), 1U);
  const auto before = server_->bytes_sent();
  Changes many;
  for (int i = 0; i < 500; ++i) {
    const auto name = "h" + std::to_string(i) + ".example";
    many[{PartKind::kHost, name}] = host_part(name);
  }
  ASSERT_TRUE(wait_adopted(server_->publish(many)));
  const auto whole = server_->bytes_sent() - before;
  const auto middle = server_->bytes_sent();
  ASSERT_TRUE(wait_adopted(
      server_->publish({{{PartKind::kHost, "h7.example"}, nullptr},
                        {{PartKind::kHost, "h8.example"}, host_part("h8.example", "/new")}})));
  EXPECT_EQ(proxy.last->host_count(), 500U);
  EXPECT_LT(server_->bytes_sent() - middle, whole / 50);
  EXPECT_EQ(proxy.client.serving(), server_->version());
}

TEST_F(PushTest, GathersChangesWhileOneIsOnItsWay) {
  Proxy proxy(io_, socket());
  ASSERT_TRUE(wait_adopted(server_->publish(base())));
  adopted_.clear();
  for (int i = 0; i < 100; ++i) {
    server_->publish(
        {{{PartKind::kHost, "a.example"}, host_part("a.example", "/" + std::to_string(i))}});
  }
  ASSERT_TRUE(wait_adopted(server_->version()));
  EXPECT_LE(adopted_.size(), 3U) << "the first, and all others together";
  const auto* found = proxy.last->find_host("a.example");
  EXPECT_EQ(found->host->routes[0].path, "/99");
}

TEST_F(PushTest, ARefusedVersionChangesNothingAndTheNextOneHeals) {
  Proxy proxy(io_, socket());
  const auto good = server_->publish(base());
  ASSERT_TRUE(wait_adopted(good));
  server_->publish({{{PartKind::kHost, "bad.example"}, host_part("bad.example", "no slash")},
                    {{PartKind::kHost, "b.example"}, host_part("b.example")}});
  ASSERT_TRUE(wait_for([&] { return refused_.size() == 1; }));
  EXPECT_THAT(refused_[0].reasons, testing::ElementsAre(testing::HasSubstr("no slash")));
  EXPECT_EQ(proxy.client.serving(), good);
  EXPECT_EQ(proxy.client.snapshot().version, good);
  EXPECT_EQ(proxy.last->host_count(), 1U);
  ASSERT_TRUE(wait_adopted(server_->publish({{{PartKind::kHost, "bad.example"}, nullptr}})));
  EXPECT_EQ(proxy.last->host_count(), 2U) << "b.example went along";
}

TEST_F(PushTest, AControllerThatComesBackFindsItsProxyServing) {
  Proxy proxy(io_, socket());
  const auto first = server_->publish(base());
  ASSERT_TRUE(wait_adopted(first));
  server_.reset();
  ASSERT_TRUE(wait_for([&] { return !proxy.client.is_connected(); }));
  EXPECT_EQ(proxy.client.serving(), first);
  make_server();
  auto next = base();
  next[{PartKind::kHost, "new.example"}] = host_part("new.example");
  next.erase({PartKind::kHost, "a.example"});
  const auto second = server_->publish(next);
  EXPECT_GT(second, first);
  ASSERT_TRUE(wait_adopted(second));
  EXPECT_EQ(proxy.last->host_count(), 1U);
  EXPECT_NE(proxy.last->find_host("new.example"), nullptr);
}

TEST_F(PushTest, AProxyServesFromItsStateFileWithoutAController) {
  const auto state = [&] { return std::move(*control::StateFile::open(folder_ / "state")); };
  std::uint64_t version = 0;
  {
    Proxy proxy(io_, socket(), state());
    ASSERT_TRUE(wait_adopted(server_->publish(base())));
    version = server_->publish({{{PartKind::kHost, "b.example"}, host_part("b.example")}});
    ASSERT_TRUE(wait_adopted(version));
  }
  const auto bytes = server_->bytes_sent();
  {
    Proxy again(io_, socket(), state());
    ASSERT_TRUE(wait_for([&] { return again.client.serving() == version; }));
    ASSERT_TRUE(wait_for([&] { return again.client.is_connected(); }));
    EXPECT_EQ(again.last->host_count(), 2U);
  }
  EXPECT_LT(server_->bytes_sent() - bytes, 200U) << "it had the version: nothing was sent again";
  server_.reset();
  Proxy alone(io_, socket(), state());
  ASSERT_TRUE(wait_for([&] { return alone.client.serving() == version; }));
}

TEST_F(PushTest, APortThatIsTakenIsToldAndOpensWhenItIsFree) {
  asio::ip::tcp::acceptor taken(io_, {asio::ip::make_address("127.0.0.1"), 0});
  snapshot::Stream stream;
  stream.address = "127.0.0.1";
  stream.port = taken.local_endpoint().port();
  stream.name = "tcp/" + std::to_string(stream.port);
  stream.owner = "TCPService db/mysql";
  Proxy proxy(io_, socket());
  auto changes = base();
  changes[{PartKind::kStream, stream.name}] = part(stream);
  ASSERT_TRUE(wait_adopted(server_->publish(changes)));
  EXPECT_THAT(adopted_.back().problems,
              testing::ElementsAre(testing::AllOf(testing::HasSubstr("TCPService db/mysql"),
                                                  testing::HasSubstr("Address already in use"))));
  taken.close();
  EXPECT_TRUE(wait_for([&] { return adopted_.back().problems.empty(); }));
}

TEST_F(PushTest, TheSocketIsForThisUserAlone) {
  struct stat status{};
  ASSERT_EQ(stat(socket().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ServerEvents none;
  const auto second = SnapshotServer::listen(io_, socket(), none);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, testing::HasSubstr("another controller"));
}

TEST_F(PushTest, AReaderGetsTheSnapshotAndIsNoProxy) {
  server_->publish(base());
  snapshot::Hello hello;
  hello.fingerprint = snapshot::schema_fingerprint();
  hello.program = "penstock explain";
  hello.is_reader = true;
  {
    Peer reader(io_, socket());
    reader.send(snapshot::Message(hello));
    ASSERT_TRUE(wait_for([&] { return reader.update() != nullptr; }));
    EXPECT_EQ(reader.update()->version, server_->version());
    EXPECT_EQ(server_->proxies(), 0U);
    reader.send(snapshot::Message(snapshot::Adopted{server_->version(), {}}));
    EXPECT_TRUE(wait_for([&] { return reader.has_ended(); })) << "it serves nothing";
  }
  EXPECT_THAT(proxies_, testing::IsEmpty());
  EXPECT_THAT(adopted_, testing::IsEmpty());
}

TEST_F(PushTest, AnotherProtocolVersionIsAnErrorThatSaysSo) {
  Peer peer(io_, socket());
  snapshot::Hello hello;
  hello.protocol = 99;
  hello.fingerprint = snapshot::schema_fingerprint();
  hello.program = "penstock-proxy 9";
  peer.send(snapshot::Message(hello));
  EXPECT_TRUE(wait_for([&] { return peer.has_ended(); }));
  EXPECT_THAT(proxies_, testing::IsEmpty());
  EXPECT_THAT(*snapshot::mismatch(hello), testing::HasSubstr("version 99"));
}

TEST_F(PushTest, GarbageEndsTheConnectionAndNothingElse) {
  Peer peer(io_, socket());
  peer.send(std::string(64, '\xff'));
  EXPECT_TRUE(wait_for([&] { return peer.has_ended(); }));
  Proxy proxy(io_, socket());
  EXPECT_TRUE(wait_adopted(server_->publish(base())));
}

}  // namespace
}  // namespace penstock::publish
