#include <gtest/gtest.h>

#include "proxy/base/duration.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/persistent_map.h"
#include "proxy/base/text.h"

namespace penstock::base {
namespace {

TEST(NginxTime, ReadsUnitsAndBareSeconds) {
  EXPECT_EQ(parse_nginx_time("30"), Duration(30'000));
  EXPECT_EQ(parse_nginx_time("500ms"), Duration(500));
  EXPECT_EQ(parse_nginx_time("1m 30s"), Duration(90'000));
  EXPECT_EQ(parse_nginx_time("1h"), Duration(3'600'000));
}

TEST(NginxTime, RefusesWhatIsNotATime) {
  for (const auto* text : {"", "soon", "-1s", "1x", "1.5s", "99999999999w", "s"}) {
    EXPECT_FALSE(parse_nginx_time(text)) << text;
  }
}

TEST(GoDuration, NeedsAUnit) {
  EXPECT_EQ(parse_go_duration("1m30s"), Duration(90'000));
  EXPECT_FALSE(parse_go_duration("30"));
}

TEST(ByteSizes, ReadSuffixesAndRefuseOverflow) {
  EXPECT_EQ(parse_byte_size("8k"), ByteSize{8192});
  EXPECT_EQ(parse_byte_size("1M"), ByteSize{1 << 20});
  EXPECT_EQ(parse_byte_size("0"), ByteSize{0});
  for (const auto* text : {"", "m", "-1", "99999999999999999999g", "1.5m"}) {
    EXPECT_FALSE(parse_byte_size(text)) << text;
  }
}

TEST(Formats, AreTheShortestExactForm) {
  EXPECT_EQ(format_duration(Duration(60'000)), "60s");
  EXPECT_EQ(format_duration(Duration(1'500)), "1500ms");
  EXPECT_EQ(format_byte_size({1 << 20}), "1m");
  EXPECT_EQ(format_byte_size({1000}), "1000");
}

TEST(IpNets, MatchByPrefix) {
  const auto net = IpNet::parse("10.1.0.0/16");
  ASSERT_TRUE(net);
  EXPECT_TRUE(net->contains(*parse_address("10.1.255.1")));
  EXPECT_FALSE(net->contains(*parse_address("10.2.0.1")));
  EXPECT_TRUE(net->contains(*parse_address("::ffff:10.1.2.3"))) << "IPv4 inside IPv6 is IPv4";
  const auto six = IpNet::parse("2001:db8::/33");
  EXPECT_TRUE(six->contains(*parse_address("2001:db8:7fff::1")));
  EXPECT_FALSE(six->contains(*parse_address("2001:db8:8000::1")));
  EXPECT_TRUE(IpNet::parse("0.0.0.0/0")->contains(*parse_address("1.2.3.4")));
  EXPECT_FALSE(IpNet::parse("0.0.0.0/0")->contains(*parse_address("::1")));
}

TEST(IpNets, PrintCanonically) {
  EXPECT_EQ(IpNet::parse("10.1.2.3/16")->to_string(), "10.1.0.0/16");
  EXPECT_EQ(IpNet::parse("10.1.2.3")->to_string(), "10.1.2.3/32");
}

TEST(IpNets, RefuseWhatIsNotANetwork) {
  for (const auto* text : {"", "10.0.0.0/33", "10.0.0/8", "x", "fe80::1%eth0", "1.2.3.4/-1"}) {
    EXPECT_FALSE(IpNet::parse(text)) << text;
  }
}

TEST(Text, SplitsListsAsUsersWriteThem) {
  EXPECT_EQ(split_list(" a, b ,,c"), (std::vector<std::string_view>{"a", "b", "c"}));
  EXPECT_TRUE(split_list("  ").empty());
}

TEST(Text, EscapesControlBytes) {
  EXPECT_EQ(escape_controls("a\nb"), "a\\x0Ab");
  EXPECT_EQ(escape_json("a\"\n\x01"), "a\\\"\\n\\u0001");
}

TEST(PersistentMap, ACopyDoesNotSeeLaterChanges) {
  PersistentMap<int>::Editor editor({});
  for (int i = 0; i < 1000; ++i) editor.set("key" + std::to_string(i), i);
  const auto before = editor.finish();
  editor.set("key7", 70);
  editor.erase("key8");
  const auto after = editor.finish();
  EXPECT_EQ(*before.find("key7"), 7);
  EXPECT_EQ(*before.find("key8"), 8);
  EXPECT_EQ(before.size(), 1000U);
  EXPECT_EQ(*after.find("key7"), 70);
  EXPECT_EQ(after.find("key8"), nullptr);
  EXPECT_EQ(after.size(), 999U);
}

TEST(PersistentMap, VisitsEveryEntryOnce) {
  PersistentMap<int>::Editor editor({});
  for (int i = 0; i < 100; ++i) editor.set(std::to_string(i), i);
  int sum = 0;
  editor.finish().for_each([&](const std::string&, int value) { sum += value; });
  EXPECT_EQ(sum, 4950);
}

}  // namespace
}  // namespace penstock::base
