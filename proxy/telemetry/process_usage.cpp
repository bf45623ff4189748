#include "proxy/telemetry/process_usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <string>

#include "proxy/base/text.h"

namespace penstock::telemetry {
namespace {

using prometheus::MetricType;

// Of getrusage(2), whatever the file system has.
constexpr double kBlock = 512;
constexpr std::size_t kStartTicks = 22;  // field of stat, counted from 1
constexpr std::size_t kState = 3;        // the first field after the name

/// The beginning; what is asked for stands there.
std::string read_proc(const char* path) {
  std::array<char, 1024> buffer;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  const auto got = read(file, buffer.data(), buffer.size());
  close(file);
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "";
}

double seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void add_value(Families& out, const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  (type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) = value;
  family(out, name, help, type).metric.push_back(std::move(metric));
}

}  // namespace

std::optional<ProcessMemory> parse_statm(std::string_view text, std::uint64_t page_size) {
  const auto fields = base::split(text, ' ');
  if (fields.size() < 2) return std::nullopt;
  const auto all = base::parse_integer<std::uint64_t>(fields[0]);
  const auto resident = base::parse_integer<std::uint64_t>(fields[1]);
  if (!all || !resident) return std::nullopt;
  return ProcessMemory{*all * page_size, *resident * page_size};
}

std::optional<std::uint64_t> parse_start_ticks(std::string_view stat) {
  const auto name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) return std::nullopt;
  const auto fields = base::split(stat.substr(name_end + 2), ' ');
  if (fields.size() <= kStartTicks - kState) return std::nullopt;
  return base::parse_integer<std::uint64_t>(fields[kStartTicks - kState]);
}

void add_process(Families& out) {
  add_value(out, "nginx_ingress_controller_nginx_process_num_procs", "Processes of the proxy.",
            MetricType::Gauge, 1);
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    add_value(out, "nginx_ingress_controller_nginx_process_cpu_seconds_total",
              "CPU time of the proxy, user and system.", MetricType::Counter,
              seconds(usage.ru_utime) + seconds(usage.ru_stime));
    add_value(out, "nginx_ingress_controller_nginx_process_read_bytes_total",
              "Bytes that the proxy read from disks.", MetricType::Counter,
              static_cast<double>(usage.ru_inblock) * kBlock);
    add_value(out, "nginx_ingress_controller_nginx_process_write_bytes_total",
              "Bytes that the proxy wrote to disks.", MetricType::Counter,
              static_cast<double>(usage.ru_oublock) * kBlock);
  }
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (const auto memory = parse_statm(read_proc("/proc/self/statm"), page)) {
    add_value(out, "nginx_ingress_controller_nginx_process_resident_memory_bytes",
              "Memory of the proxy that is in RAM.", MetricType::Gauge,
              static_cast<double>(memory->resident));
    add_value(out, "nginx_ingress_controller_nginx_process_virtual_memory_bytes",
              "Address space of the proxy.", MetricType::Gauge,
              static_cast<double>(memory->virtual_size));
  }
  timespec wall{};
  timespec since_boot{};
  const auto ticks = parse_start_ticks(read_proc("/proc/self/stat"));
  if (ticks && clock_gettime(CLOCK_REALTIME, &wall) == 0 &&
      clock_gettime(CLOCK_BOOTTIME, &since_boot) == 0) {
    const auto begun = static_cast<double>(*ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
    add_value(out, "nginx_ingress_controller_nginx_process_oldest_start_time_seconds",
              "When the proxy began, in seconds since 1970.", MetricType::Gauge,
              seconds(wall) - seconds(since_boot) + begun);
  }
}

}  // namespace penstock::telemetry
