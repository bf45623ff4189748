#include "proxy/telemetry/trace_exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tests/support/collector.h"

namespace penstock::telemetry {
namespace {

using test::Collector;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

snapshot::TraceSettings towards(std::uint16_t port) {
  snapshot::TraceSettings settings;
  settings.collector_host = "127.0.0.1";
  settings.collector_port = port;
  settings.delay = base::Duration(20);
  return settings;
}

/// So many spans that are told apart by their names.
std::vector<std::string> spans(int count, const std::string& name = "s") {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back(R"({"name":")" + name + std::to_string(i) + "\"}");
  return out;
}

std::size_t spans_in(const std::optional<std::string>& request) {
  if (!request) return 0;
  std::size_t count = 0;
  for (auto at = request->find("\"name\":\"s"); at != std::string::npos;
       at = request->find("\"name\":\"s", at + 1)) {
    ++count;
  }
  return count;
}

void wait_until(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_TRUE(holds());
}

TEST(TraceExporter, PostsOneMessageForManySpans) {
  Collector collector;
  TraceCounts counts;
  TraceExporter exporter(counts);
  auto settings = towards(collector.port());
  settings.service_name = "edge \"one\"";
  exporter.configure(settings, {"class", "ingress", "pod-1"});
  exporter.submit(spans(3));
  const auto request = collector.take().value_or("");
  EXPECT_THAT(request, StartsWith("POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:" +
                                  std::to_string(collector.port()) + "\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(request,
              HasSubstr(R"("service.name","value":{"stringValue":"edge \u0022one\u0022"})"));
  EXPECT_THAT(request, HasSubstr(R"("k8s.pod.name","value":{"stringValue":"pod-1"})"));
  EXPECT_THAT(request, EndsWith(R"([{"name":"s0"},{"name":"s1"},{"name":"s2"}]}]}]})"));
  wait_until([&] { return counts.exported.get() == 3; });
}

TEST(TraceExporter, AMessageHasNoMoreSpansThanItMay) {
  Collector collector;
  TraceCounts counts;
  TraceExporter exporter(counts);
  auto settings = towards(collector.port());
  settings.max_batch = 4;
  exporter.configure(settings, {});
  exporter.submit(spans(10));
  EXPECT_EQ(spans_in(collector.take()), 4U);
  EXPECT_EQ(spans_in(collector.take()), 4U);
  EXPECT_EQ(spans_in(collector.take()), 2U);
  wait_until([&] { return counts.exported.get() == 10; });
}

TEST(TraceExporter, AWholeBatchDoesNotWait) {
  Collector collector;
  TraceCounts counts;
  TraceExporter exporter(counts);
  auto settings = towards(collector.port());
  settings.delay = base::Duration(600'000);
  settings.max_batch = 4;
  exporter.configure(settings, {});
  exporter.submit(spans(3));
  exporter.submit(spans(1));
  EXPECT_EQ(spans_in(collector.take()), 4U);
}

TEST(TraceExporter, WhatTheQueueHasNoRoomForIsDroppedAndCounted) {
  TraceCounts counts;
  {
    TraceExporter exporter(counts);
    auto settings = towards(1);  // nobody listens there
    settings.delay = base::Duration(600'000);
    settings.max_queue = 5;
    settings.max_batch = 100;
    exporter.configure(settings, {});
    exporter.submit(spans(8));
    EXPECT_EQ(counts.queue_full.get(), 3U);
  }
  EXPECT_EQ(counts.unreachable.get(), 5U);
  EXPECT_EQ(counts.exported.get(), 0U);
}

TEST(TraceExporter, WithoutACollectorNothingIsKept) {
  TraceCounts counts;
  TraceExporter exporter(counts);
  exporter.submit(spans(2));
  EXPECT_EQ(counts.queue_full.get(), 2U);
}

TEST(TraceExporter, TriesAgainUntilTheCollectorIsBack) {
  std::uint16_t port = 0;
  {
    port = Collector().port();
  }
  TraceCounts counts;
  TraceExporter exporter(counts);
  exporter.configure(towards(port), {});
  exporter.submit(spans(2));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(counts.unreachable.get(), 0U);
  Collector collector(port);
  EXPECT_EQ(spans_in(collector.take()), 2U);
  wait_until([&] { return counts.exported.get() == 2; });
}

TEST(TraceExporter, TriesAgainWhereTheCollectorSaysSo) {
  Collector collector;
  collector.answer_with({"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", ""});
  TraceCounts counts;
  TraceExporter exporter(counts);
  exporter.configure(towards(collector.port()), {});
  exporter.submit(spans(2));
  EXPECT_EQ(spans_in(collector.take()), 2U) << "refused for now";
  EXPECT_EQ(spans_in(collector.take()), 2U) << "no answer at all";
  EXPECT_EQ(spans_in(collector.take()), 2U);
  wait_until([&] { return counts.exported.get() == 2; });
}

TEST(TraceExporter, DoesNotTryAgainWhatIsRefusedForGood) {
  Collector collector;
  collector.answer_with({"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n"});
  TraceCounts counts;
  TraceExporter exporter(counts);
  exporter.configure(towards(collector.port()), {});
  exporter.submit(spans(2));
  ASSERT_TRUE(collector.take());
  wait_until([&] { return counts.refused.get() == 2; });
  exporter.submit(spans(1));
  EXPECT_EQ(spans_in(collector.take()), 1U);
}

TEST(TraceExporter, CountsWhatACollectorTookOnlyInPart) {
  Collector collector;
  const std::string body = R"({"partialSuccess":{"rejectedSpans":"2","errorMessage":"old"}})";
  collector.answer_with(
      {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body});
  TraceCounts counts;
  TraceExporter exporter(counts);
  exporter.configure(towards(collector.port()), {});
  exporter.submit(spans(5));
  wait_until([&] { return counts.refused.get() == 2 && counts.exported.get() == 3; });
}

TEST(TraceExporter, AnAnswerWithoutAnEndIsNotReadToItsEnd) {
  Collector collector;
  collector.answer_with({"HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x'),
                         "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
                         "220 mail.example ESMTP\r\n\r\n"});
  TraceCounts counts;
  TraceExporter exporter(counts);
  exporter.configure(towards(collector.port()), {});
  exporter.submit(spans(1));
  EXPECT_EQ(spans_in(collector.take()), 1U) << "a head without an end is no answer";
  EXPECT_EQ(spans_in(collector.take()), 1U);
  wait_until([&] { return counts.exported.get() == 1; });
  exporter.submit(spans(1));
  EXPECT_EQ(spans_in(collector.take()), 1U) << "not HTTP";
  EXPECT_EQ(spans_in(collector.take()), 1U);
  wait_until([&] { return counts.exported.get() == 2; });
}

TEST(TraceExporter, SendsWhatIsLeftAtTheEnd) {
  Collector collector;
  TraceCounts counts;
  {
    TraceExporter exporter(counts);
    auto settings = towards(collector.port());
    settings.delay = base::Duration(600'000);
    settings.max_batch = 4;
    exporter.configure(settings, {});
    exporter.submit(spans(6));
    EXPECT_EQ(spans_in(collector.take()), 4U);
  }
  EXPECT_EQ(spans_in(collector.take()), 2U);
  EXPECT_EQ(counts.exported.get(), 6U);
}

TEST(TraceExporter, GoesToAnotherCollectorWhenItIsTold) {
  Collector first;
  Collector second;
  TraceCounts counts;
  TraceExporter exporter(counts);
  exporter.configure(towards(first.port()), {});
  exporter.submit(spans(1));
  EXPECT_EQ(spans_in(first.take()), 1U);
  exporter.configure(towards(second.port()), {});
  exporter.submit(spans(2));
  EXPECT_EQ(spans_in(second.take()), 2U);
}

TEST(HttpPost, ReadsTheHeadOfAnAnswer) {
  PostAnswer answer;
  std::size_t size = 0;
  EXPECT_TRUE(read_answer_head(
      "HTTP/1.1 429 Too Many\r\ncontent-length: 12\r\nRETRY-AFTER: 7\r\n\r\n", answer, size));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(size, 12U);
  EXPECT_EQ(answer.retry_after, std::chrono::seconds(7));
  EXPECT_TRUE(read_answer_head("HTTP/1.0 200\r\nRetry-After: 99999999\r\n\r\n", answer, size));
  EXPECT_EQ(answer.retry_after, std::chrono::seconds(300));
  for (const auto* bad :
       {"", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000 X\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 -20 X\r\n\r\n"}) {
    EXPECT_FALSE(read_answer_head(bad, answer, size)) << bad;
  }
}

}  // namespace
}  // namespace penstock::telemetry
