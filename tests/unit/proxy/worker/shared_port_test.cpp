// One port that several streams share by server names.
#include <map>

#include "tests/unit/proxy/worker/stream_tls_fixture.h"

namespace penstock::worker {
namespace {

using namespace std::chrono_literals;
using snapshot::StreamEntrance;

class SharedPortTest : public StreamTlsTest {
 protected:
  SharedPortTest() {
    log_.set_path(log_path_);
    global_.access_log.stream_format = "$proxy_upstream_name $status $reason.";
    set(snapshot::PartKind::kGlobal, "", global_);
    set_certificate("a/first", pair_);
    stream_.tls.mode = StreamTlsMode::kPassthrough;
    stream_.log_name = "nobody";
  }
  ~SharedPortTest() override {
    stop();
    std::filesystem::remove(log_path_);
  }

  /// A stream of its own, which has what its rules name.
  snapshot::Stream& add(const std::string& object, std::vector<snapshot::StreamRule> rules,
                        StreamTlsMode mode = StreamTlsMode::kPassthrough) {
    auto& made = members_[object];
    made.name = stream_.name + "/n/" + object;
    made.address = stream_.address;
    made.port = stream_.port;
    made.name_space = "n";
    made.object = object;
    made.owner = "TCPService n/" + object;
    made.log_name = "log-of-" + object;
    made.entrance = StreamEntrance::kNames;
    made.tls.mode = mode;
    if (mode == StreamTlsMode::kTerminate) made.tls.certificates = {"a/first"};
    made.rules = std::move(rules);
    return made;
  }
  void drop(const std::string& object) {
    remove(snapshot::PartKind::kStream, members_[object].name);
    members_.erase(object);
    sent_.erase(object);
  }
  /// As the controller does, what has not changed is not sent again.
  void delegate() {
    stream_.delegates.clear();
    for (const auto& [object, member] : members_) {
      auto& sent = sent_[object];
      if (sent != member) set(snapshot::PartKind::kStream, member.name, member);
      sent = member;
      for (const auto& rule : member.rules) {
        for (const auto& name : rule.server_names) stream_.delegates.push_back({name, member.name});
        if (rule.server_names.empty()) stream_.delegates.push_back({"", member.name});
      }
    }
    std::ranges::sort(stream_.delegates, {}, &snapshot::StreamDelegate::server_name);
  }
  void share() {
    delegate();
    serve();
  }
  /// Sessions of an object that run now; -1 where it has never had one.
  int active(const std::string& object) {
    const auto text = metrics_.text(0, 0);
    const auto line = "penstock_stream_sessions_active{stream=\"" + stream_.name +
                      "\",namespace=\"n\",name=\"" + object + "\"} ";
    const auto at = text.find(line);
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + line.size()));
  }
  void wait_active(const std::string& object, int count) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (active(object) != count && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(2ms);
    }
    EXPECT_EQ(active(object), count) << object;
  }
  void expect_line(std::string_view line) {
    const auto log = wait_for_log(line);
    EXPECT_TRUE(log.contains(line)) << line << " is not in " << log;
  }

  std::map<std::string, snapshot::Stream> members_;
  std::map<std::string, snapshot::Stream> sent_;
};

TEST_F(SharedPortTest, EachNameHasAStreamOfItsOwn) {
  TlsPeerOptions options;
  options.pair = pair_;
  Backend exact(secure_named("exact", options));
  Backend wild(named("wild"));
  Backend rest(secure_named("rest", options));
  set_upstream("exact", {exact.port()});
  set_upstream("wild", {wild.port()});
  set_upstream("rest", {rest.port()});
  add("exact", {rule("exact", {"db.example.com"})});
  add("wild", {rule("wild", {"*.example.com", "*.deep.example.com"})}, StreamTlsMode::kTerminate);
  add("rest", {rule("rest")});
  share();
  EXPECT_EQ(ask_for("db.example.com"), "exact/db.example.com got hello");
  EXPECT_EQ(ask_for("DB.Example.com"), "exact/DB.Example.com got hello");
  EXPECT_EQ(ask_for("other.example.com"), "wild got hello");
  EXPECT_EQ(ask_for("a.b.example.com"), "wild got hello") << "any number of labels";
  EXPECT_EQ(ask_for("example.com"), "rest/example.com got hello");
  EXPECT_EQ(ask_for("elsewhere.test"), "rest/elsewhere.test got hello");
  EXPECT_EQ(ask_for(""), "rest/ got hello");
  // Each is counted and logged in the name of its own object.
  expect_line("log-of-exact 200 ");
  expect_line("log-of-wild 200 ");
  expect_line("log-of-rest 200 ");
  wait_active("exact", 0);
  wait_active("wild", 0);
  EXPECT_FALSE(wait_for_log("log-of-rest").contains("nobody"));
}

TEST_F(SharedPortTest, AHelloComesInPiecesAndGoesOnWhole) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  add("first", {rule("up", {"db.example.com"})});
  add("second", {rule("up", {"other.example.com"})});
  share();
  const auto hello = test::make_client_hello("other.example.com");
  const auto bytes = test::spread_over_records(hello, 50);
  Client client(stream_.port);
  for (std::size_t at = 0; at < bytes.size(); at += 70) {
    client.send(bytes.substr(at, 70));
    std::this_thread::sleep_for(1ms);
  }
  client.send("and more");
  client.end();
  EXPECT_EQ(client.receive_all(), "up got " + bytes + "and more");
  expect_line("log-of-second 200 ");
}

TEST_F(SharedPortTest, WhoHasNoNameOfItGetsNowhere) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  add("first", {rule("up", {"db.example.com"})});
  add("second", {rule("up", {"*.other.example"})});
  share();
  for (const auto& bytes :
       {test::make_client_hello("example.com"), test::make_client_hello("other.example"),
        test::make_client_hello(""), std::string("GET / HTTP/1.1\r\n\r\n"), std::string()}) {
    Client client(stream_.port);
    client.send(bytes);
    client.end();
    EXPECT_EQ(client.receive_all(), "");
  }
  EXPECT_EQ(backend.accepted, 0);
  expect_line("nobody 502 no_rule.");
  expect_line("nobody 500 tls_failure.");
}

TEST_F(SharedPortTest, EachKeepsToItsOwnAccessListAndLimits) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  add("shut", {rule("up", {"shut.example.com"})}, StreamTlsMode::kTerminate).access.denied = {
      *base::IpNet::parse("127.0.0.0/8")};
  add("small", {rule("up", {"small.example.com"})}, StreamTlsMode::kTerminate).limits.connections =
      1;
  add("free", {rule("up", {"free.example.com"})}, StreamTlsMode::kTerminate);
  share();
  EXPECT_TRUE(ask_for("shut.example.com").starts_with("failed: "));
  expect_line("log-of-shut 403 denied.");
  TlsPeerOptions options;
  options.server_name = "small.example.com";
  Connection connection(stream_.port);
  TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
  ASSERT_TRUE(peer.is_secured()) << peer.failure();
  EXPECT_TRUE(ask_for("small.example.com").starts_with("failed: "));
  expect_line("log-of-small 503 limit.");
  EXPECT_EQ(ask_for("free.example.com"), "up got hello");
}

TEST_F(SharedPortTest, WhomNobodyAdmitsIsNotWaitedFor) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  add("one", {rule("up", {"one.example.com"})}).access.denied = {*base::IpNet::parse("127.0.0.1")};
  add("two", {rule("up", {"two.example.com"})}).access.allowed = {
      *base::IpNet::parse("10.0.0.0/8")};
  share();
  Client client(stream_.port);
  EXPECT_EQ(client.receive_all(), "") << "without having said a word";
  expect_line("nobody 403 denied.");
}

TEST_F(SharedPortTest, CountsWhatIsCarriedAndNoHandshake) {
  global_.access_log.stream_format = "$proxy_upstream_name:$bytes_received:$bytes_sent.";
  set(snapshot::PartKind::kGlobal, "", global_);
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  add("one", {rule("up", {"one.example.com"})}, StreamTlsMode::kTerminate);
  add("two", {rule("up", {"two.example.com"})}, StreamTlsMode::kTerminate);
  share();
  EXPECT_EQ(ask_for("two.example.com"), "up got hello");
  expect_line("log-of-two:5:12.");
}

TEST_F(SharedPortTest, TellsOfEachAndOfThePortAsAWhole) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  add("one", {rule("up", {"one.example.com"})}, StreamTlsMode::kTerminate);
  add("two", {rule("up", {"two.example.com"})}, StreamTlsMode::kTerminate);
  share();
  for (const auto* name : {"one.example.com", "two.example.com", "two.example.com"}) ask_for(name);
  wait_active("one", 0);
  wait_active("two", 0);
  std::promise<Report> told;
  ReportRequest request;
  request.streams = {stream_.name, stream_.name + "/n/one", stream_.name + "/n/two"};
  worker_.report(request, [&](Report report) { told.set_value(std::move(report)); });
  auto report = told.get_future().get();
  EXPECT_EQ(report.streams[stream_.name].sessions, 3U);
  EXPECT_EQ(report.streams[stream_.name + "/n/one"].sessions, 1U);
  EXPECT_EQ(report.streams[stream_.name + "/n/two"].sessions, 2U);
}

TEST_F(SharedPortTest, ReadsAProxyHeaderBeforeTheName) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  stream_.proxy_protocol = snapshot::ProxyProtocolIn::kRequired;
  stream_.trusted_proxies = {*base::IpNet::parse("127.0.0.1")};
  add("first", {rule("up", {"db.example.com"})});
  auto& second = add("second", {rule("up", {"two.example.com"})}, StreamTlsMode::kTerminate);
  second.rules[0].backends[0].proxy_protocol = snapshot::ProxyProtocolOut::kV1;
  second.access.allowed = {*base::IpNet::parse("192.0.2.0/24")};
  share();
  const auto ask_from = [&](const std::string& client) {
    const net::ProxyAddresses addresses{{asio::ip::make_address(client), 7},
                                        {asio::ip::make_address("198.51.100.1"), 9}};
    Connection connection(stream_.port);
    connection.send(net::encode_proxy_v2(addresses));
    TlsPeerOptions options;
    options.server_name = "two.example.com";
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    if (!peer.is_secured()) return std::string("failed");
    peer.send("hello");
    peer.end();
    return peer.receive_all();
  };
  EXPECT_EQ(ask_from("192.0.2.9"), "up got PROXY TCP4 192.0.2.9 198.51.100.1 7 9\r\nhello");
  EXPECT_EQ(ask_from("203.0.113.9"), "failed");
}

TEST_F(SharedPortTest, SpeaksStartTlsBeforeTheName) {
  Backend one(named("one"));
  Backend two(named("two"));
  set_upstream("one", {one.port()});
  set_upstream("two", {two.port()});
  stream_.tls.start_tls = snapshot::StartTls::kPostgres;
  for (const std::string object : {"one", "two"}) {
    add(object, {rule(object, {object + ".example.com"})}, StreamTlsMode::kTerminate)
        .tls.start_tls = snapshot::StartTls::kPostgres;
  }
  share();
  const std::string request("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8);
  const auto ask_after = [&](const std::string& first, const std::string& server_name) {
    Connection connection(stream_.port);
    connection.send(first);
    EXPECT_EQ(connection.receive(first.empty() ? 0 : 1), first.empty() ? "" : "S");
    TlsPeerOptions options;
    options.server_name = server_name;
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    if (!peer.is_secured()) return "failed: " + peer.failure();
    peer.send("hello");
    peer.end();
    return peer.receive_all();
  };
  EXPECT_EQ(ask_after(request, "one.example.com"), "one got hello");
  EXPECT_EQ(ask_after(request, "two.example.com"), "two got hello");
  EXPECT_EQ(ask_after("", "two.example.com"), "two got hello") << "TLS at once";
  // One alone has the port: it speaks for itself.
  drop("one");
  share();
  EXPECT_EQ(ask_after(request, "two.example.com"), "two got hello");
}

TEST_F(SharedPortTest, WhatOthersDoTouchesNoSession) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  for (const std::string object : {"one", "two", "three"}) {
    add(object, {rule("up", {object + ".example.com"})}, StreamTlsMode::kTerminate)
        .drain.ends_on_change = true;
  }
  auto third = members_["three"];
  members_.erase("three");
  share();
  const auto open = [&](const std::string& object) {
    TlsPeerOptions options;
    options.server_name = object + ".example.com";
    auto connection = std::make_unique<Connection>(stream_.port);
    auto peer = std::make_unique<TlsPeer>(connection->descriptor(), TlsPeer::kClient, options);
    EXPECT_TRUE(peer->is_secured()) << peer->failure();
    wait_active(object, 1);
    return std::pair{std::move(connection), std::move(peer)};
  };
  const auto first = open("one");
  const auto second = open("two");
  const auto ends_well = [](const auto& session, const std::string& text) {
    session.second->send(text);
    session.second->end();
    return session.second->receive_all();
  };
  // Somebody comes, the owner of the port goes, and the one that is left has it alone.
  members_["three"] = third;
  share();
  drop("one");
  stream_.owner = "TCPService n/two";
  share();
  expect_line("log-of-one 200 port_closed.");
  EXPECT_EQ(active("two"), 1);
  drop("three");
  share();
  EXPECT_EQ(ends_well(second, "still"), "up got still");
  wait_active("two", 0);
  // Its own change does.
  const auto last = open("two");
  members_["two"].idle_timeout = base::Duration(1'000'000);
  share();
  expect_line("log-of-two 200 spec_changed.");
}

/// A name goes from one to the other in one version: at no time is nobody there.
TEST_F(SharedPortTest, ANameThatIsLetGoIsTakenOverWithoutAGap) {
  Backend one(named("one"));
  Backend two(named("two"));
  set_upstream("one", {one.port()});
  set_upstream("two", {two.port()});
  add("one", {rule("one", {"db.example.com"})}, StreamTlsMode::kTerminate);
  share();
  std::atomic<bool> is_over = false;
  std::atomic<int> answered = 0;
  std::string wrong;
  std::thread clients([&] {
    while (!is_over) {
      const auto answer = ask_for("db.example.com");
      if (answer != "one got hello" && answer != "two got hello") wrong += answer + "; ";
      ++answered;
    }
  });
  for (int i = 0; i < 10; ++i) {
    const std::string before = i % 2 == 0 ? "one" : "two";
    const std::string after = i % 2 == 0 ? "two" : "one";
    const auto seen = answered.load();
    while (answered < seen + 3) std::this_thread::sleep_for(1ms);
    drop(before);
    add(after, {rule(after, {"db.example.com"})}, StreamTlsMode::kTerminate);
    share();
    EXPECT_EQ(ask_for("db.example.com"), after + " got hello");
  }
  is_over = true;
  clients.join();
  EXPECT_EQ(wrong, "");
}

TEST_F(SharedPortTest, APortThatIsNoLongerSharedIsOpenAllAlong) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  add("one", {rule("up", {"db.example.com"})}, StreamTlsMode::kTerminate);
  share();
  EXPECT_EQ(ask_for("db.example.com"), "up got hello");
  drop("one");
  stream_.delegates.clear();
  stream_.tls.mode = StreamTlsMode::kOff;
  stream_.rules = {rule("up")};
  serve();
  Client client(stream_.port);
  client.send("in the clear");
  client.end();
  EXPECT_EQ(client.receive_all(), "up got in the clear");
  remove(snapshot::PartKind::kStream, stream_.name);
  adopt();
  EXPECT_THROW(Client{stream_.port}, boost::system::system_error);
}

}  // namespace
}  // namespace penstock::worker
