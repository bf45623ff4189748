#include "proxy/base/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "proxy/base/event.h"
#include "proxy/base/gate.h"

namespace penstock::base {
namespace {

Task<int> answer() { co_return 42; }
Task<int> fails() {
  throw std::runtime_error("no");
  co_return 0;
}
Task<std::unique_ptr<int>> moves() { co_return std::make_unique<int>(7); }

TEST(Task, GivesItsResultToTheAwaiter) {
  int got = 0;
  auto root = [](int& out) -> Task<void> { out = co_await answer(); };
  spawn("test", root(got));
  EXPECT_EQ(got, 42);
}

TEST(Task, IsLazyUntilAwaited) {
  bool ran = false;
  auto body = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };
  {
    auto task = body(ran);
    EXPECT_FALSE(ran);
  }
  EXPECT_FALSE(ran) << "a task that nobody awaits never starts";
}

TEST(Task, PassesAnExceptionToTheAwaiter) {
  bool caught = false;
  auto root = [](bool& flag) -> Task<void> {
    try {
      co_await fails();
    } catch (const std::runtime_error&) {
      flag = true;
    }
  };
  spawn("test", root(caught));
  EXPECT_TRUE(caught);
}

TEST(Task, MovesAMoveOnlyResult) {
  int got = 0;
  auto root = [](int& out) -> Task<void> { out = *co_await moves(); };
  spawn("test", root(got));
  EXPECT_EQ(got, 7);
}

TEST(Task, DoesNotGrowTheStackOverManyAwaits) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kRounds = 500;  // sanitizers keep a frame for every symmetric transfer
#else
  constexpr int kRounds = 200'000;
#endif
  long sum = 0;
  auto root = [](long& out) -> Task<void> {
    for (int i = 0; i < kRounds; ++i) out += co_await answer();
  };
  spawn("test", root(sum));
  EXPECT_EQ(sum, 42L * kRounds);
}

TEST(Event, ResumesTheWaiterWhenSet) {
  Event event;
  std::vector<int> order;
  auto waiter = [](Event& on, std::vector<int>& log) -> Task<void> {
    log.push_back(1);
    co_await on;
    log.push_back(3);
  };
  spawn("test", waiter(event, order));
  order.push_back(2);
  event.set();
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(Event, RemembersASignalThatCameFirst) {
  Event event;
  event.set();
  bool passed = false;
  auto waiter = [](Event& on, bool& flag) -> Task<void> {
    co_await on;
    flag = true;
  };
  spawn("test", waiter(event, passed));
  EXPECT_TRUE(passed);
}

TEST(Gate, CloseWaitsForTheLastPassAndRefusesNewOnes) {
  Gate gate;
  auto first = gate.try_enter();
  ASSERT_TRUE(first);
  bool is_closed = false;
  auto closer = [](Gate& of, bool& flag) -> Task<void> {
    co_await of.close();
    flag = true;
  };
  spawn("test", closer(gate, is_closed));
  EXPECT_FALSE(is_closed);
  EXPECT_FALSE(gate.try_enter());
  first.reset();
  EXPECT_TRUE(is_closed);
}

}  // namespace
}  // namespace penstock::base
