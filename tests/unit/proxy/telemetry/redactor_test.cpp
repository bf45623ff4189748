#include "proxy/telemetry/redactor.h"

#include <gtest/gtest.h>

namespace penstock::telemetry {
namespace {

std::string redacted(std::string_view text) { return Redactor(true)(text); }

TEST(Redactor, LeavesWhatIsNoSecret) {
  const std::string_view text = "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n\r\n";
  EXPECT_EQ(redacted(text), text);
  EXPECT_EQ(redacted("a\tb\x01\xff"), "a\tb..");
  EXPECT_EQ(redacted(""), "");
}

TEST(Redactor, HidesHeaders) {
  EXPECT_EQ(redacted("GET / HTTP/1.1\r\nAuthorization: Basic dXNlcg==\r\nCookie: a=b; c=d\r\n"
                     "X-Api-Key: 12\r\nAccept: x\r\n\r\nbody"),
            "GET / HTTP/1.1\r\nAuthorization:***\r\nCookie:***\r\nX-Api-Key:***\r\nAccept: x\r\n"
            "\r\nbody");
}

TEST(Redactor, HidesCommands) {
  EXPECT_EQ(redacted("USER joe\r\nPASS hunter2\r\nSTAT\r\n"), "USER joe\r\nPASS***\r\nSTAT\r\n");
  EXPECT_EQ(redacted("a1 LOGIN joe hunter2\r\n"), "a1 LOGIN***\r\n");
  EXPECT_EQ(redacted("auth hunter2\r\n"), "auth***\r\n");
  EXPECT_EQ(redacted("HELLO 3 AUTH joe hunter2\r\n"), "HELLO 3 AUTH***\r\n");
}

TEST(Redactor, HidesWhatFollowsACommand) {
  Redactor redact(true);
  EXPECT_EQ(redact("AUTH LOGIN\r\n"), "AUTH***\r\n");
  EXPECT_EQ(redact("am9l\r\n"), "***\r\n") << "too short to be known by itself";
  EXPECT_EQ(redact("aHVudGVyMg==\r\n"), "***\r\n");
  const auto resp = redacted("*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n");
  EXPECT_FALSE(resp.contains("hunter2")) << resp;
  const auto hello = redacted("*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$3\r\njoe\r\n$7\r\nhunter2\r\n");
  EXPECT_FALSE(hello.contains("hunter2")) << hello;
}

TEST(Redactor, ASecretThatGoesOnInTheNextPieceStaysHidden) {
  Redactor redact(true);
  EXPECT_EQ(redact("Authorization: Bea"), "Authorization:***");
  EXPECT_EQ(redact("rer hunter"), "***");
  EXPECT_EQ(redact("2\r\nHost: a\r\n"), "***\r\nHost: a\r\n");
}

TEST(Redactor, HidesValuesByTheirNames) {
  EXPECT_EQ(redacted("user=joe&password=hunter2&x=y"), "user=joe&password=***&x=y");
  EXPECT_EQ(redacted(R"({"user":"joe","Password": "hunter2","token":"t","n":1})"),
            R"({"user":"joe","Password": "***","token":"***","n":1})");
  EXPECT_EQ(redacted("password=a password=b"), "password=*** password=***");
  EXPECT_EQ(redacted("the password is not here"), "the password is not here");
}

TEST(Redactor, HidesDatabaseMessages) {
  using namespace std::string_literals;
  EXPECT_EQ(redacted("p\0\0\0\x0dhunter2\0"s), "***");
  const auto mysql = "\x2a\0\0\x01"s + std::string(32, '\x05') + "joe\0hunter"s;
  EXPECT_EQ(redacted(mysql), "***");
  EXPECT_EQ(redacted("Q\0\0\0\x0dselect 1\0"s), "Q....select 1.") << "a query is none";
  EXPECT_EQ(redacted("\x09\0\0\0\x03select 1"s), ".....select 1");
}

TEST(Redactor, HidesLinesOfBase64) {
  EXPECT_EQ(redacted("334 VXNlcm5hbWU6\r\nAGpvZQBodW50ZXIyAGpvZQ==\r\n"), "334 VXNlcm5hbWU6\r\n***\r\n");
}

}  // namespace
}  // namespace penstock::telemetry
