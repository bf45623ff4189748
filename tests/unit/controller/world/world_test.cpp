#include "controller/world/world.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::world {
namespace {

using objects::Kind;

objects::Change ingress(std::string_view name, std::string_view host) {
  return {{Kind::kIngress, "n", std::string(name)},
          false,
          fmt::format(R"({{"metadata":{{"namespace":"n","name":"{}"}},"spec":{{"rules":
            [{{"host":"{}","http":{{"paths":[]}}}}]}}}})",
                      name, host),
          {}};
}

TEST(World, FindsIngressesByHostAndForgetsTheOldOne) {
  World world;
  Touched first;
  world.apply(ingress("a", "one.example"), first);
  EXPECT_THAT(first.hosts, testing::ElementsAre("one.example"));
  Touched second;
  world.apply(ingress("a", "two.example"), second);
  EXPECT_THAT(second.hosts, testing::ElementsAre("one.example", "two.example"));
  EXPECT_TRUE(world.ingresses_of("one.example").empty());
  ASSERT_EQ(world.ingresses_of("two.example").size(), 1U);
  EXPECT_THAT(second.facts, testing::Contains(object_fact(Kind::kIngress, "n/a")));
  EXPECT_THAT(second.facts, testing::Contains(fact(Question::kHost, "one.example")));
}

TEST(World, RemovesAnObjectFromItsIndexes) {
  World world;
  Touched touched;
  world.apply(ingress("a", "one.example"), touched);
  objects::Change removal{{Kind::kIngress, "n", "a"}, true, {}, {}};
  world.apply(removal, touched);
  EXPECT_TRUE(world.ingresses_of("one.example").empty());
  EXPECT_EQ(world.find<objects::Ingress>("n/a"), nullptr);
}

TEST(World, KeepsTheLastGoodFormOfABrokenObject) {
  World world;
  Touched touched;
  world.apply(ingress("a", "one.example"), touched);
  objects::Change broken{{Kind::kIngress, "n", "a"}, false, R"({"spec":{"rules":5}})", {}};
  world.apply(broken, touched);
  EXPECT_EQ(world.ingresses_of("one.example").size(), 1U);
  ASSERT_EQ(world.unreadable().size(), 1U);
  EXPECT_EQ(world.unreadable().begin()->second.pointer, "/spec/rules");
  world.apply(ingress("a", "one.example"), touched);
  EXPECT_TRUE(world.unreadable().empty());
}

TEST(World, PutsABareDefaultBackendUnderTheCatchAll) {
  World world;
  Touched touched;
  world.apply({{Kind::kIngress, "n", "d"},
               false,
               R"({"metadata":{"namespace":"n","name":"d"},
    "spec":{"defaultBackend":{"service":{"name":"s","port":{"number":80}}}}})",
               {}},
              touched);
  EXPECT_EQ(world.ingresses_of(kCatchAll).size(), 1U);
}

TEST(World, TellsOnlyOfAddressesThatChanged) {
  World world;
  Touched first;
  const std::vector addresses{asio::ip::make_address("192.0.2.1")};
  world.set_addresses("db.example", addresses, first);
  EXPECT_EQ(first.facts.size(), 1U);
  Touched second;
  world.set_addresses("db.example", addresses, second);
  EXPECT_TRUE(second.empty());
  ASSERT_NE(world.addresses_of("db.example"), nullptr);
  EXPECT_EQ(world.addresses_of("other.example"), nullptr);
}

}  // namespace
}  // namespace penstock::world
