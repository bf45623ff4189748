#include "proxy/http/h1_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::http {
namespace {

std::uint16_t status_of(const std::string& head, HeadLimits limits = {}) {
  RequestHead out;
  return parse_request_head(head, limits, out).status;
}

std::string get(const std::string& fields) { return "GET / HTTP/1.1\r\n" + fields + "\r\n"; }

TEST(RequestHead, ReadsLineFieldsAndFraming) {
  const std::string head =
      "POST /a%20b/c?x=1&y HTTP/1.1\r\nHost: Shop.Example:8080\r\nContent-Length: 12\r\n"
      "X-Thing:  padded \t\r\n\r\n";
  RequestHead out;
  ASSERT_FALSE(parse_request_head(head, {}, out));
  EXPECT_EQ(out.method, "POST");
  EXPECT_EQ(out.path, "/a%20b/c");
  EXPECT_EQ(out.query, "x=1&y");
  EXPECT_EQ(out.path_and_query, "/a%20b/c?x=1&y");
  EXPECT_EQ(out.authority, "Shop.Example:8080");
  EXPECT_EQ(out.framing, Framing::kLength);
  EXPECT_EQ(out.content_length, 12U);
  EXPECT_TRUE(out.keeps_alive);
  EXPECT_EQ(out.headers.find("x-thing")->value, "padded");
}

TEST(RequestHead, AnAbsoluteTargetNamesTheAuthority) {
  const std::string head = "GET http://a.example/p?q HTTP/1.1\r\nHost: b.example\r\n\r\n";
  RequestHead out;
  ASSERT_FALSE(parse_request_head(head, {}, out));
  EXPECT_EQ(out.authority, "a.example");
  EXPECT_EQ(out.path_and_query, "/p?q");
}

TEST(RequestHead, RefusesAmbiguousFraming) {
  const std::string host = "Host: a\r\n";
  EXPECT_EQ(status_of(get(host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(status_of(get(host + "Content-Length: 1\r\nContent-Length: 2\r\n")), 400);
  EXPECT_EQ(status_of(get(host + "Content-Length: 1, 1\r\n")), 400);
  for (const auto* bad : {"+1", "-1", "0x1", "1 1", "", "99999999999999999999", "1.0"}) {
    EXPECT_EQ(status_of(get(host + "Content-Length: " + bad + "\r\n")), 400) << bad;
  }
  EXPECT_EQ(status_of(get(host + "Transfer-Encoding: gzip\r\n")), 501);
  for (const auto* bad : {"chunked, chunked", "gzip, chunked", "xchunked", "chunked;q=1", ""}) {
    EXPECT_EQ(status_of(get(host + "Transfer-Encoding: " + bad + "\r\n")), 400) << bad;
  }
  EXPECT_EQ(status_of(get(host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
            400);
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(RequestHead, RefusesWhatTwoReadersCouldReadDifferently) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400) << "bare LF";
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400) << "bare LF in a field";
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), 400) << "bare CR";
  EXPECT_EQ(status_of(get("Host: a\r\nX: 1\r\n folded\r\n")), 400) << "obs-fold";
  EXPECT_EQ(status_of(get(" Host: a\r\n")), 400) << "white space before the first field";
  EXPECT_EQ(status_of(get("Host : a\r\n")), 400) << "space before the colon";
  EXPECT_EQ(status_of(get("Host: a\r\n: x\r\n")), 400) << "empty name";
  EXPECT_EQ(status_of(get("Host: a\r\nX(y): x\r\n")), 400) << "name is no token";
  EXPECT_EQ(status_of(get("Host: a\r\nnocolon\r\n")), 400);
  EXPECT_EQ(status_of(get(std::string("Host: a\r\nX: a\0b\r\n", 17))), 400) << "NUL";
  EXPECT_EQ(status_of(get("Host: a\r\nX: a\x01\r\n")), 400) << "control byte";
}

TEST(RequestHead, ChecksTheRequestLine) {
  const std::string rest = "\r\nHost: a\r\n\r\n";
  EXPECT_EQ(status_of("GET / HTTP/2.0" + rest), 505);
  EXPECT_EQ(status_of("CONNECT a:443 HTTP/1.1" + rest), 405);
  for (const auto* bad :
       {"GET /", "GET  / HTTP/1.1", "G(T / HTTP/1.1", "GET /a b HTTP/1.1", "GET x HTTP/1.1",
        "GET / http/1.1", "GET / HTTP/1.1 ", "GET / HTTP/11", " GET / HTTP/1.1", "GET * HTTP/1.1",
        "GET ftp://a/ HTTP/1.1", "GET http:///x HTTP/1.1", "GET /#f HTTP/1.1"}) {
    EXPECT_EQ(status_of(bad + rest), 400) << bad;
  }
  EXPECT_EQ(status_of("OPTIONS * HTTP/1.1" + rest), 0);
}

TEST(RequestHead, ChecksTheHost) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400) << "missing in 1.1";
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0) << "may be missing in 1.0";
  EXPECT_EQ(status_of(get("Host: a\r\nHost: a\r\n")), 400);
  for (const auto* bad : {"a/b", "u@a", "a,b", "a b", "a:b", "a:123456", "[::1", "[x]", "a?b"}) {
    EXPECT_EQ(status_of(get("Host: " + std::string(bad) + "\r\n")), 400) << bad;
  }
}

TEST(RequestHead, HoldsItsLimits) {
  HeadLimits limits{.max_line = 100, .max_head = 300, .max_fields = 3, .keeps_underscores = false};
  EXPECT_EQ(status_of("GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits),
            414);
  EXPECT_EQ(status_of(get("Host: a\r\nX: " + std::string(100, 'a') + "\r\n"), limits), 431);
  EXPECT_EQ(status_of(get("Host: a\r\nB: 1\r\nC: 1\r\nD: 1\r\n"), limits), 431);
  EXPECT_EQ(check_partial_request("GET /" + std::string(100, 'a'), limits).status, 414);
  EXPECT_EQ(check_partial_request("GET / HTTP/1.1\r\n" + std::string(300, 'a'), limits).status,
            431);
  EXPECT_EQ(check_partial_request("\x16\x03\x01", limits).status, 400) << "TLS on a clear port";
  EXPECT_EQ(check_partial_request("\x16\x03\x01 \n GET", limits).status, 400) << "a line of it";
  EXPECT_EQ(check_partial_request("\r", limits).status, 0) << "of an empty line before a request";
  EXPECT_EQ(check_partial_request("GET / HTTP/1.1\r\nHost: a\r\n", limits).status, 0);
}

TEST(RequestHead, DropsUnderscoreNamesUnlessTold) {
  const auto head = get("Host: a\r\nX_Y: 1\r\n");
  RequestHead out;
  ASSERT_FALSE(parse_request_head(head, {}, out));
  EXPECT_EQ(out.headers.find("X_Y"), nullptr);
  HeadLimits keep;
  keep.keeps_underscores = true;
  ASSERT_FALSE(parse_request_head(head, keep, out));
  EXPECT_NE(out.headers.find("X_Y"), nullptr);
}

TEST(RequestHead, KnowsKeepaliveExpectAndUpgrade) {
  RequestHead out;
  const auto parse = [&](const std::string& head) {
    EXPECT_FALSE(parse_request_head(head, {}, out)) << head;
  };
  parse(get("Host: a\r\nConnection: foo, Close\r\n"));
  EXPECT_FALSE(out.keeps_alive);
  parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(out.keeps_alive);
  parse("GET / HTTP/1.0\r\n\r\n");
  EXPECT_FALSE(out.keeps_alive);
  parse(get("Host: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n"));
  EXPECT_TRUE(out.expects_continue);
  EXPECT_EQ(status_of(get("Host: a\r\nExpect: magic\r\n")), 417);
  parse(get("Host: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"));
  EXPECT_TRUE(out.upgrades_to_websocket);
  parse(get("Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"));
  EXPECT_FALSE(out.upgrades_to_websocket);
  parse(get("Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n"));
  EXPECT_FALSE(out.upgrades_to_websocket) << "an upgrade with a body could hide a request";
}

TEST(HeadScanner, FindsTheEndAtEverySplit) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto bytes = head + "rest";
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    HeadScanner scanner;
    const auto first = scanner.scan(std::string_view(bytes).substr(0, split));
    if (split < head.size()) {
      EXPECT_EQ(first, 0U) << split;
      EXPECT_EQ(scanner.scan(bytes), head.size()) << split;
    } else {
      EXPECT_EQ(first, head.size()) << split;
    }
  }
}

ResponseHead response(const std::string& head, std::string_view method = "GET") {
  ResponseHead out;
  EXPECT_FALSE(parse_response_head(head, {}, method, out)) << head;
  return out;
}

TEST(ResponseHead, KnowsItsFraming) {
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").framing, Framing::kLength);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").framing,
            Framing::kChunked);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\n\r\n").framing, Framing::kUntilClose);
  EXPECT_FALSE(response("HTTP/1.1 200 OK\r\n\r\n").keeps_alive);
  EXPECT_EQ(response("HTTP/1.1 204 No Content\r\n\r\n").framing, Framing::kNone);
  EXPECT_EQ(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n").framing,
            Framing::kNone);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD").framing,
            Framing::kNone);
  EXPECT_EQ(response("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").framing, Framing::kNone);
  EXPECT_EQ(response("HTTP/1.1 404 Not there\r\nContent-Length: 0\r\n\r\n").reason, "Not there");
}

TEST(ResponseHead, RefusesWhatMayNotBePassedOn) {
  for (const auto* bad :
       {"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
        "hello\r\n\r\n", "HTTP/1.1 200 OK\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    ResponseHead out;
    EXPECT_TRUE(parse_response_head(bad, {}, "GET", out)) << bad;
  }
}

TEST(HostOf, CutsPortAndDotAndLowersCase) {
  EXPECT_EQ(host_of("Shop.Example.:80"), "shop.example");
  EXPECT_EQ(host_of("[::1]:80"), "[::1]");
  EXPECT_EQ(host_of("10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(host_of("a:"), "a");
}

TEST(Names, AreKnownInAnyCase) {
  EXPECT_EQ(name_of("HoSt"), Name::kHost);
  EXPECT_EQ(name_of("x-forwarded-for"), Name::kXForwardedFor);
  EXPECT_EQ(name_of("X-Forwarded-Fox"), Name::kOther);
  EXPECT_EQ(name_of(""), Name::kOther);
}

}  // namespace
}  // namespace penstock::http
