#include "proxy/net/client_hello.h"

#include <gtest/gtest.h>

#include "tests/support/client_hello.h"

namespace penstock::net {
namespace {

using test::make_client_hello;
using test::spread_over_records;
using State = ClientHelloScanner::State;

constexpr char kProtocols[] = "\x02h2\x08http/1.1";

struct Scanned {
  State state;
  ClientHello hello;
};
Scanned scan(std::string_view bytes) {
  ClientHelloScanner scanner;
  const auto state = scanner.scan(bytes);
  return {state, scanner.hello()};
}

/// A hello made by hand: what OpenSSL would never send.
std::string with_extensions(const std::string& extensions, bool has_any = true) {
  const auto two = [](std::size_t size) {
    return std::string{static_cast<char>(size >> 8), static_cast<char>(size & 0xff)};
  };
  std::string body = "\x03\x03" + std::string(32, 'r') + std::string(1, '\0') +
                     std::string("\x00\x02\x13\x01", 4) + std::string("\x01\x00", 2);
  if (has_any) body += two(extensions.size()) + extensions;
  const auto message = std::string("\x01\x00", 2) + two(body.size()) + body;
  return "\x16\x03\x01" + two(message.size()) + message;
}
std::string name_extension(std::string_view name) {
  const auto size = static_cast<char>(name.size());
  return std::string{0, 0, 0,   static_cast<char>(size + 5), 0, static_cast<char>(size + 3),
                     0, 0, size} +
         std::string(name);
}

TEST(ClientHello, IsReadAsClientsSendIt) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto [state, hello] =
        scan(make_client_hello("Db.Example.COM", kProtocols, version) + "more");
    ASSERT_EQ(state, State::kDone);
    EXPECT_EQ(hello.server_name, "db.example.com");
    EXPECT_TRUE(hello.offers("h2"));
    EXPECT_TRUE(hello.offers("http/1.1"));
    EXPECT_FALSE(hello.offers("http/1.0"));
    EXPECT_FALSE(hello.offers("http/1"));
  }
  const auto bare = scan(make_client_hello(""));
  EXPECT_EQ(bare.state, State::kDone);
  EXPECT_EQ(bare.hello.server_name, "");
  EXPECT_EQ(bare.hello.protocols, "");
  EXPECT_EQ(scan(make_client_hello("dotted.example.")).hello.server_name, "dotted.example");
}

TEST(ClientHello, IsWholeAtItsLastByteHoweverItIsSpread) {
  const auto record = make_client_hello("a.example", kProtocols);
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{100}, record.size()}) {
    const auto bytes = spread_over_records(record, size);
    ClientHelloScanner scanner;
    for (std::size_t end = 0; end < bytes.size(); ++end) {
      ASSERT_EQ(scanner.scan(std::string_view(bytes).substr(0, end)), State::kIncomplete) << end;
    }
    ASSERT_EQ(scanner.scan(bytes), State::kDone) << size;
    EXPECT_EQ(scanner.hello().server_name, "a.example");
    EXPECT_TRUE(scanner.hello().offers("h2"));
  }
}

TEST(ClientHello, IsBounded) {
  // Within the limit, and just beyond it.
  EXPECT_EQ(
      scan(with_extensions(std::string("\x00\x15\x3f\x00", 4) + std::string(0x3f00, 'x'))).state,
      State::kDone);
  EXPECT_EQ(
      scan(with_extensions(std::string("\x00\x15\x3f\xcb", 4) + std::string(0x3fcb, 'x'))).state,
      State::kTooLong);
  // One that announces too much is not waited for.
  EXPECT_EQ(scan(std::string("\x16\x03\x01\x40\x00\x01\x00\x00\x10", 9)).state, State::kTooLong);
  std::string endless;
  while (endless.size() < kMaxClientHello) endless += std::string("\x16\x03\x01\x00\x01\x01", 6);
  EXPECT_NE(scan(endless).state, State::kIncomplete);
  EXPECT_EQ(scan(std::string("\x16\x03\x01\x40\x01", 5)).state, State::kMalformed);
}

TEST(ClientHello, IsToldFromOtherProtocols) {
  EXPECT_EQ(scan("").state, State::kIncomplete);
  EXPECT_EQ(scan("\x16").state, State::kIncomplete);
  EXPECT_EQ(scan("GET / HTTP/1.1\r\n").state, State::kNotTls);
  EXPECT_EQ(scan("SSH-2.0-OpenSSH_9.2\r\n").state, State::kNotTls);
  EXPECT_EQ(scan(std::string("\x80\x2e\x01\x00\x02", 5)).state, State::kNotTls) << "SSL 2.0";
  EXPECT_EQ(scan("\x16\x02").state, State::kNotTls);
  EXPECT_EQ(scan(std::string("\x16\x03\x01\x00\x00", 5)).state, State::kMalformed) << "empty";
  EXPECT_EQ(scan(std::string("\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9)).state, State::kMalformed)
      << "a server's hello";
  const auto record = make_client_hello("a.example");
  const auto spread = spread_over_records(record, 50);
  auto mixed = spread;
  mixed[55] = 0x15;  // an alert between two records
  EXPECT_EQ(scan(mixed).state, State::kMalformed);
}

TEST(ClientHello, WithoutOneMeaningIsRefused) {
  EXPECT_EQ(scan(with_extensions("", false)).state, State::kDone) << "TLS 1.2 without extensions";
  EXPECT_EQ(scan(with_extensions("")).state, State::kDone);
  EXPECT_EQ(scan(with_extensions(name_extension("a.example"))).hello.server_name, "a.example");
  const auto bad = [](const std::string& extensions) {
    return scan(with_extensions(extensions)).state == State::kMalformed;
  };
  EXPECT_TRUE(bad(name_extension("a.example") + name_extension("b.example"))) << "two names";
  EXPECT_TRUE(bad(name_extension("")));
  EXPECT_TRUE(bad(name_extension("a..b")));
  EXPECT_TRUE(bad(name_extension(".a")));
  EXPECT_TRUE(bad(name_extension("a b")));
  EXPECT_TRUE(bad(name_extension(std::string_view("a\0b", 3))));
  EXPECT_TRUE(bad(name_extension("*.example")));
  EXPECT_TRUE(bad(std::string("\x00\x00\x00\x02\x00\x00", 6))) << "an empty list";
  EXPECT_TRUE(bad(std::string("\x00\x10\x00\x02\x00\x00", 6))) << "no protocol";
  EXPECT_TRUE(bad(std::string("\x00\x10\x00\x03\x00\x01\x00", 7))) << "an empty protocol";
  EXPECT_TRUE(bad(std::string("\x00\x10\x00\x04\x00\x02\x05h", 8))) << "a cut protocol";
  EXPECT_TRUE(bad(std::string("\x00\x10\xff", 3))) << "a cut extension";
  auto trailing = make_client_hello("a.example");
  trailing += '\0';
  trailing[4] = static_cast<char>(trailing[4] + 1);
  EXPECT_EQ(scan(trailing).state, State::kMalformed) << "more in the record than the message";
}

}  // namespace
}  // namespace penstock::net
