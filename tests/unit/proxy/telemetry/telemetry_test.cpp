#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/log_format.h"
#include "proxy/telemetry/metrics.h"

namespace penstock::telemetry {
namespace {

using snapshot::LogEscape;
using testing::HasSubstr;

struct FakeConnection final : Connection {
  base::Address server_address() const override { return asio::ip::make_address("192.0.2.1"); }
  std::string_view tls_protocol() const override { return "TLSv1.3"; }
  std::string_view tls_cipher() const override { return ""; }
};
const FakeConnection kConnection;

HttpRecord record() {
  HttpRecord out;
  out.client.connection = &kConnection;
  out.client.address = asio::ip::make_address("192.0.2.7");
  out.client.address_text = "192.0.2.7";
  out.client.peer = {out.client.address, 40000};
  out.client.server_port = 80;
  out.method = "GET";
  out.target = "/a?b";
  out.path = "/a";
  out.query = "b";
  out.host = "shop.example";
  out.status = 200;
  out.bytes_sent = 300;
  out.body_bytes_sent = 100;
  out.request_length = 50;
  out.time = base::Duration(1234);
  out.now = base::WallTime(std::chrono::seconds(1'795'532'164) + std::chrono::milliseconds(5));
  out.request_id = "abc";
  out.name_space = "n";
  out.service = "web";
  out.service_port = "80";
  return out;
}

std::string line(std::string_view format, LogEscape escape = LogEscape::kDefault,
                 const HttpRecord& of = record()) {
  std::string out;
  HttpLogFormat(format, escape).append(of, out);
  return out;
}

TEST(LogFormat, WritesTheDefaultLineOfTheOriginal) {
  auto of = record();
  const UpstreamTry tries[] = {{{asio::ip::make_address("10.0.0.1"), 8080},
                                502,
                                0,
                                0,
                                base::Duration(1),
                                base::Duration(-1),
                                base::Duration(2),
                                {}},
                               {{asio::ip::make_address("10.0.0.2"), 8080},
                                200,
                                100,
                                0,
                                base::Duration(0),
                                base::Duration(3),
                                base::Duration(4),
                                {}}};
  of.tries = tries;
  EXPECT_EQ(line(snapshot::AccessLog().http_format, LogEscape::kDefault, of),
            "192.0.2.7 - - [24/Nov/2026:14:56:04 +0000] \"GET /a?b HTTP/1.1\" 200 100 \"-\" \"-\" "
            "50 1.234 [n-web-80] [-] 10.0.0.1:8080, 10.0.0.2:8080 0, 100 0.002, 0.004 502, 200 "
            "abc\n");
}

TEST(LogFormat, ReadsNginxGrammar) {
  EXPECT_EQ(line("${status}x$status-$"), "200x200-$\n");
  EXPECT_EQ(line("$msec $time_iso8601"), "1795532164.005 2026-11-24T14:56:04+00:00\n");
  EXPECT_EQ(line("${status $"), "${status $\n");
}

TEST(LogFormat, NamesWhatItDoesNotKnow) {
  const HttpLogFormat format("$status $geoip_city $status", LogEscape::kDefault);
  EXPECT_EQ(format.unknown(), std::vector<std::string>{"geoip_city"});
  EXPECT_EQ(line("$geoip_city"), "-\n");
}

TEST(LogFormat, KeepsOneRecordOnOneLine) {
  auto of = record();
  of.target = "/a\"\\\n\x01\xff";
  EXPECT_EQ(line("$request_uri", LogEscape::kDefault, of), "/a\\x22\\x5C\\x0A\\x01\\xFF\n");
  for (const auto escape : {LogEscape::kJson, LogEscape::kNone}) {
    const auto out = line("$request_uri", escape, of);
    EXPECT_EQ(std::ranges::count(out, '\n'), 1) << out;
    EXPECT_EQ(out.find('\x01'), std::string::npos);
  }
  EXPECT_EQ(line("{\"user\":\"$http_user_agent\"}", LogEscape::kJson), "{\"user\":\"\"}\n");
}

TEST(LogFormat, FindsRequestHeaders) {
  auto of = record();
  of.header = {nullptr, [](const void*, std::string_view name) -> std::string_view {
                 return name == "x-my-header" ? "yes" : "";
               }};
  EXPECT_EQ(line("$http_x_my_header $http_other", LogEscape::kDefault, of), "yes -\n");
}

TEST(LogFormat, AsksTheConnectionForWhatCostsACall) {
  EXPECT_EQ(line("$server_addr $ssl_protocol $ssl_cipher"), "192.0.2.1 TLSv1.3 -\n");
}

TEST(LogFormat, WritesStreams) {
  StreamRecord of;
  of.client.address_text = "192.0.2.7";
  of.bytes_sent = 10;
  of.bytes_received = 20;
  of.time = base::Duration(61'005);
  of.now = record().now;
  std::string out;
  StreamLogFormat(snapshot::AccessLog().stream_format, LogEscape::kDefault).append(of, out);
  EXPECT_EQ(out, "[192.0.2.7] [24/Nov/2026:14:56:04 +0000] TCP 200 10 20 61.005\n");
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(LogWriter, WritesToItsFileAndOpensItAnew) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("log.{}", getpid());
  std::filesystem::create_directories(folder);
  const std::string path = folder / "access.log";
  const auto wait_for = [&](const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (read(path) != text && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return read(path);
  };
  {
    LogWriter writer;
    writer.set_path(path);
    LogBuffer buffer(&writer);
    buffer.lines() += "one\n";
    buffer.added();
    buffer.flush();
    EXPECT_EQ(wait_for("one\n"), "one\n");
    std::filesystem::rename(path, path + ".1");
    writer.reopen();
    EXPECT_EQ(wait_for(""), "");
    buffer.lines() += "two\n";
    buffer.added();
    buffer.flush();
    EXPECT_EQ(wait_for("two\n"), "two\n");
    EXPECT_EQ(read(path + ".1"), "one\n");
    EXPECT_EQ(writer.dropped(), 0U);
  }
  std::filesystem::remove_all(folder);
}

TEST(LogWriter, DropsAndCountsWhatAFullDiskCannotTake) {
  LogWriter writer;
  writer.set_path("/dev/full");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (writer.dropped() < 2 && std::chrono::steady_clock::now() < end) {
    writer.submit("a\nb\n", 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_GE(writer.dropped(), 2U);
}

snapshot::PartPtr host_part(const std::string& name) {
  snapshot::Host host;
  host.name = name;
  snapshot::Route route;
  route.path = "/a";
  route.name_space = "n";
  route.ingress = "i";
  route.service = "s";
  host.routes.push_back(route);
  return std::make_shared<const snapshot::Part>(std::move(host));
}

TEST(Metrics, SumOverWorkers) {
  Metrics metrics;
  const auto part = host_part("shop.example");
  const auto& route = std::get<snapshot::Host>(*part).routes[0];
  for (std::size_t i = 0; i < 2; ++i) {
    auto& worker = metrics.worker(i);
    worker.requests.add();
    auto* series = worker.find(part, route, "GET", 200);
    ASSERT_NE(series, nullptr);
    EXPECT_EQ(worker.find(part, route, "GET", 200), series);
    worker.observe(*series, record());
    worker.find(part, route, "BREW", 405)->requests.add();
    auto stream = worker.stream({"tcp/9000", "db", "mysql"});
    for (int j = 0; j < 3; ++j) stream->end(base::EndReason::kClientReset, base::Duration(1500));
    stream->connect_time.observe(kConnectTimes, base::Duration(3));
    stream->bytes_sent.add(10);
  }
  const auto text = metrics.text(7, 42);
  for (
      const auto* expected :
      {"nginx_ingress_controller_requests{namespace=\"n\",ingress=\"i\",service=\"s\",host=\"shop."
       "example\",path=\"/a\",method=\"GET\",status=\"200\",canary=\"\"} 2",
       "method=\"other\",status=\"405\"", "nginx_ingress_controller_nginx_process_requests_total 2",
       R"(penstock_stream_sessions_total{stream="tcp/9000",namespace="db",name="mysql",reason="client_reset"} 6)",
       R"(penstock_stream_sent_bytes_total{stream="tcp/9000",namespace="db",name="mysql"} 20)",
       R"(penstock_stream_session_duration_seconds_sum{stream="tcp/9000",namespace="db",name="mysql"} 9)",
       R"(penstock_stream_session_duration_seconds_bucket{stream="tcp/9000",namespace="db",name="mysql",le="1"} 0)",
       R"(penstock_stream_session_duration_seconds_bucket{stream="tcp/9000",namespace="db",name="mysql",le="10"} 6)",
       R"(penstock_stream_connect_duration_seconds_bucket{stream="tcp/9000",namespace="db",name="mysql",le="0.005"} 2)",
       "penstock_access_log_dropped_total 7", "penstock_snapshot_version 42"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
  EXPECT_THAT(text, testing::Not(HasSubstr("reason=\"limit\""))) << "what never came has no line";
  // 1.234 s lies between two bounds.
  EXPECT_THAT(text, HasSubstr("request_duration_seconds_bucket{namespace=\"n\",ingress=\"i\","
                              "service=\"s\",host=\"shop.example\",path=\"/a\",method=\"GET\","
                              "status=\"200\",canary=\"\",le=\"1\"} 0"));
  EXPECT_THAT(text, HasSubstr("le=\"2.5\"} 2"));
}

TEST(Metrics, PortsThatAreGoneMakeRoom) {
  Metrics metrics;
  auto& worker = metrics.worker(0);
  const auto held = worker.stream({"tcp/1", "n", "held"});
  for (int i = 0; worker.stream({"tcp/2", "n", std::to_string(i)}); ++i) ASSERT_LT(i, 10'000);
  EXPECT_EQ(worker.stream({"tcp/3", "n", "late"}), nullptr);
  worker.sweep();
  EXPECT_NE(worker.stream({"tcp/3", "n", "late"}), nullptr);
  EXPECT_EQ(worker.stream({"tcp/1", "n", "held"}), held);
}

TEST(Metrics, CarryTheLabelsOfTheirController) {
  Metrics metrics;
  metrics.worker(0).requests.add();
  metrics.set_instance({"k8s.io/ingress-nginx", "ingress", "penstock-7"});
  const auto text = metrics.text(0, 1);
  EXPECT_THAT(text,
              HasSubstr("nginx_process_requests_total{controller_class=\"k8s.io/ingress-nginx\","
                        "controller_namespace=\"ingress\",controller_pod=\"penstock-7\"} 1"));
  EXPECT_THAT(text, HasSubstr("penstock_snapshot_version 1\n"));
}

TEST(Metrics, BytesSentHasBucketsOfItsOwn) {
  Metrics metrics;
  const auto part = host_part("a.example");
  auto& worker = metrics.worker(0);
  auto of = record();
  of.bytes_sent = 4'000;
  worker.observe(*worker.find(part, std::get<snapshot::Host>(*part).routes[0], "GET", 200), of);
  const auto text = metrics.text(0, 0);
  const std::string name =
      "nginx_ingress_controller_bytes_sent_bucket{namespace=\"n\",ingress=\"i\",";
  EXPECT_THAT(text, HasSubstr(name));
  EXPECT_THAT(text, HasSubstr("le=\"1000\"} 0\n" + name));
  EXPECT_THAT(text, HasSubstr("le=\"10000\"} 1\n" + name));
  EXPECT_THAT(text, HasSubstr("le=\"10000000\"} 1\n"));
}

TEST(Metrics, ClientsThatNeitherWaitNorAreAnsweredAreRead) {
  Metrics metrics;
  auto& worker = metrics.worker(0);
  worker.connections_active.add(5);
  worker.connections_waiting.add(3);
  metrics.worker(1).connections_active.add(2);
  metrics.worker(1).connections_writing.add(1);
  const auto text = metrics.text(0, 0);
  for (const auto* expected : {"{state=\"active\"} 7\n", "{state=\"waiting\"} 3\n",
                               "{state=\"writing\"} 1\n", "{state=\"reading\"} 3\n"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
  worker.connections_waiting.add(9);  // as a scrape in the middle of a change may see it
  EXPECT_THAT(metrics.text(0, 0), HasSubstr("{state=\"reading\"} 0\n"));
}

TEST(Metrics, TellUpstreamsApartForAsLongAsTheyAreThere) {
  Metrics metrics;
  auto one = metrics.worker(0).upstream("shop/web/80");
  auto other = metrics.worker(1).upstream("shop/web/80");
  EXPECT_EQ(metrics.worker(0).upstream("shop/web/80"), one);
  one->connects.add(2);
  other->connects.add();
  other->reuses.add(5);
  other->active.add();
  one->fail(base::EndReason::kConnectRefused);
  const auto text = metrics.text(0, 0);
  for (const auto* expected :
       {"penstock_upstream_connections_total{upstream=\"shop/web/80\",kind=\"new\"} 3\n",
        "penstock_upstream_connections_total{upstream=\"shop/web/80\",kind=\"kept\"} 5\n",
        "penstock_upstream_failures_total{upstream=\"shop/web/80\",reason=\"connect_refused\"} 1\n",
        "penstock_upstream_active{upstream=\"shop/web/80\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
  metrics.worker(0).sweep();
  EXPECT_THAT(metrics.text(0, 0), HasSubstr("shop/web/80"));
  one.reset();
  other.reset();
  metrics.worker(0).sweep();
  metrics.worker(1).sweep();
  EXPECT_THAT(metrics.text(0, 0), testing::Not(HasSubstr("shop/web/80")));
}

TEST(Metrics, UpstreamsBeyondTheBoundCountTogether) {
  Metrics metrics;
  auto& worker = metrics.worker(0);
  std::vector<std::shared_ptr<UpstreamSeries>> all;
  for (int i = 0; i < 5'100; ++i) all.push_back(worker.upstream("n/s/" + std::to_string(i)));
  for (const auto& each : all) each->connects.add();
  EXPECT_EQ(all[5'000], all[5'099]);
  EXPECT_THAT(
      metrics.text(0, 0),
      HasSubstr("penstock_upstream_connections_total{upstream=\"other\",kind=\"new\"} 100\n"));
}

TEST(Metrics, ForgetRoutesThatAreGoneAndKeepTheirCounts) {
  Metrics metrics;
  auto& worker = metrics.worker(0);
  auto part = host_part("a.example");
  std::weak_ptr<const snapshot::Part> watched = part;
  worker.find(part, std::get<snapshot::Host>(*part).routes[0], "GET", 200)->requests.add();
  part.reset();
  EXPECT_FALSE(watched.expired());
  worker.sweep();
  EXPECT_TRUE(watched.expired());
  EXPECT_THAT(metrics.text(0, 0), HasSubstr("host=\"a.example\""));
}

TEST(Metrics, ForgetTheCountsOfRoutesThatAreGoneWhereThereAreMany) {
  Metrics metrics;
  auto& worker = metrics.worker(0);
  auto here = host_part("here.example");
  for (int i = 0; i < 30; ++i) {
    for (std::uint16_t status = 100; status < 600; ++status) {
      const auto gone = host_part("gone" + std::to_string(i) + ".example");
      worker.find(gone, std::get<snapshot::Host>(*gone).routes[0], "GET", status);
    }
    worker.find(here, std::get<snapshot::Host>(*here).routes[0], "GET", 200)->requests.add();
    worker.sweep();
  }
  EXPECT_EQ(worker.series_refused.get(), 0U);
  const auto text = metrics.text(0, 0);
  EXPECT_THAT(text, HasSubstr("host=\"here.example\",path=\"/a\",method=\"GET\",status=\"200\","
                              "canary=\"\"} 30\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("host=\"gone0.example\"")));
}

}  // namespace
}  // namespace penstock::telemetry
