#include "controller/program/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace penstock::program {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SecretNamespacesFlag : public testing::Test {
 protected:
  SecretNamespacesFlag() {
    add_kubernetes_flags(app_, flags_);
    add_translation_flags(app_, flags_);
  }
  /// Empty, or why it was refused.
  std::string parse(std::vector<std::string> arguments) {
    std::ranges::reverse(arguments);
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::Error& error) {
      return error.what();
    }
    return {};
  }
  const std::vector<std::string>& names() const { return flags_.translate.secret_namespaces; }

  CLI::App app_{"test", "test"};
  Flags flags_;
};

TEST_F(SecretNamespacesFlag, TakesListsAndMayComeAgain) {
  ASSERT_EQ(parse({"--secret-namespaces=shop,pay", "--http-port=8080", "--secret-namespaces",
                   "blog", "--secret-namespaces=pay"}),
            "");
  EXPECT_THAT(names(), ElementsAre("blog", "pay", "shop"));
  ASSERT_TRUE(to_options(flags_));
  EXPECT_THAT(to_options(flags_)->translate.secret_namespaces, ElementsAre("blog", "pay", "shop"));
}

TEST_F(SecretNamespacesFlag, IsAsIfItWereNotThereWhereItIsEmpty) {
  ASSERT_EQ(parse({"--secret-namespaces", ""}), "");
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(SecretNamespacesFlag, TakesNamesOfNamespacesAlone) {
  for (const auto& bad :
       std::vector<std::string>{"Shop", "a.b", "-a", "a/b", "a b", std::string(64, 'a')}) {
    EXPECT_EQ(parse({"--secret-namespaces=shop," + bad}),
              "--secret-namespaces: expected names of namespaces (at most 63 lower-case letters, "
              "digits and '-'), separated by commas, got '" +
                  bad + "'");
  }
  EXPECT_THAT(parse({"--secret-namespaces=a,,b"}), HasSubstr("got ''"));
}

TEST_F(SecretNamespacesFlag, HasABound) {
  std::string list = "n0";
  for (int i = 1; i < 64; ++i) list += ",n" + std::to_string(i);
  ASSERT_EQ(parse({"--secret-namespaces=" + list}), "");
  EXPECT_EQ(names().size(), 64U);
  EXPECT_EQ(parse({"--secret-namespaces=" + list, "--secret-namespaces=more"}),
            "--secret-namespaces: expected at most 64 namespaces, got 65");
}

TEST_F(SecretNamespacesFlag, NamesTheWatchedNamespaceOrNone) {
  ASSERT_EQ(parse({"--watch-namespace=shop", "--secret-namespaces=shop"}), "");
  EXPECT_TRUE(to_options(flags_));
  ASSERT_EQ(parse({"--watch-namespace=shop", "--secret-namespaces=shop,pay"}), "");
  const auto refused = to_options(flags_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "--secret-namespaces: expected 'shop', the one of --watch-namespace, got 'pay'");
}

}  // namespace
}  // namespace penstock::program
