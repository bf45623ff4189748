#include "proxy/telemetry/process_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <map>
#include <string>

namespace penstock::telemetry {
namespace {

TEST(ProcessUsage, ReadsWhatTheKernelWrites) {
  const auto memory = parse_statm("3000 200 100 1 0 500 0\n", 4096);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->virtual_size, 3000U * 4096);
  EXPECT_EQ(memory->resident, 200U * 4096);
  EXPECT_FALSE(parse_statm("", 4096));
  EXPECT_FALSE(parse_statm("3000", 4096));
  EXPECT_FALSE(parse_statm("3000 x", 4096));
  // A name with what stands around it.
  const std::string stat =
      "7 (a) 1 (b) S 1 7 7 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 4 0 123456 1000000 200\n";
  EXPECT_EQ(parse_start_ticks(stat), 123456U);
  EXPECT_FALSE(parse_start_ticks("7 (a) S 1 7"));
  EXPECT_FALSE(parse_start_ticks("7"));
}

TEST(ProcessUsage, IsThatOfThisProcess) {
  Families families;
  add_process(families);
  std::map<std::string, double> values;
  for (const auto& each : families) {
    ASSERT_EQ(each.metric.size(), 1U) << each.name;
    const auto& metric = each.metric.front();
    values[each.name.substr(std::string("nginx_ingress_controller_nginx_process_").size())] =
        each.type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value;
  }
  EXPECT_EQ(values.size(), 7U);
  EXPECT_EQ(values["num_procs"], 1);
  EXPECT_GT(values["cpu_seconds_total"], 0);
  EXPECT_GT(values["resident_memory_bytes"], 1 << 20);
  EXPECT_GE(values["virtual_memory_bytes"], values["resident_memory_bytes"]);
  const auto now = static_cast<double>(std::time(nullptr));
  EXPECT_LE(values["oldest_start_time_seconds"], now + 2);
  EXPECT_GT(values["oldest_start_time_seconds"], now - 24 * 3600);
  EXPECT_TRUE(values.contains("read_bytes_total"));
  EXPECT_TRUE(values.contains("write_bytes_total"));
}

}  // namespace
}  // namespace penstock::telemetry
