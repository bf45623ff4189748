#include "proxy/control/taps.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "proxy/base/ip_net.h"
#include "proxy/base/json_writer.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::control {
namespace {

using base::http_error;
using base::HttpReply;
using base::HttpRequest;

constexpr std::chrono::seconds kTapCheck{1};
constexpr std::uint32_t kLongestTap = 600;  // seconds
constexpr std::uint32_t kUsualTap = 60;
constexpr std::size_t kLongestTapped = 64;  // of the text

/// 128 bits: who reads may not guess what somebody else follows.
std::string random_id() {
  std::random_device random;  // the kernel's
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

base::Result<telemetry::Tap> read_tap(const HttpRequest& request) {
  telemetry::Tap out;
  out.port = std::string(request.parameter("port"));
  const bool has_kind = out.port.starts_with("tcp/") || out.port.starts_with("udp/");
  if (!has_kind || out.port.size() < 5 || out.port.size() > kLongestTapped) {
    return base::fail(fmt::format("port: expected tcp/PORT or udp/PORT, got '{}'",
                                  std::string_view(out.port).substr(0, kLongestTapped)));
  }
  if (const auto text = request.parameter("bytes"); !text.empty()) {
    out.bytes = base::parse_integer<std::size_t>(text).value_or(0);
    if (out.bytes < 1 || out.bytes > telemetry::Tap::kMostBytes) {
      return base::fail(
          fmt::format("bytes: expected 1 to {}, got '{}'", telemetry::Tap::kMostBytes, text));
    }
  }
  const auto client = request.parameter("client");
  if (client.empty()) return out;
  const auto net = base::IpNet::parse(client);
  if (!net) return base::fail(fmt::format("client: expected an address or CIDR, got '{}'", client));
  out.clients = {*net};
  return out;
}

HttpReply lines_reply(telemetry::TapLines& written, bool is_over) {
  const auto taken = written.take();
  base::JsonWriter json;
  json.begin_object().key("lines").begin_array();
  for (const auto& each : taken.lines) json.value(std::string_view(each));
  json.end_array().member("dropped", taken.dropped).member("not_recorded", taken.not_recorded);
  json.member("is_over", is_over).end_object();
  return {200, json.take() + "\n", "application/json", {}};
}

HttpReply no_tap() { return http_error(404, "id: nobody follows under it"); }

}  // namespace

HttpReply Taps::begin(const HttpRequest& request) {
  auto tap = read_tap(request);
  if (!tap) return http_error(400, tap.error().message);
  const auto text = request.parameter("seconds");
  const auto seconds =
      text.empty() ? kUsualTap : base::parse_integer<std::uint32_t>(text).value_or(0);
  if (seconds < 1 || seconds > kLongestTap) {
    return http_error(400, fmt::format("seconds: expected 1 to {}, got '{}'", kLongestTap, text));
  }
  if (taps_.size() >= kMostTaps) {
    return http_error(409, fmt::format("{} follow sessions already", kMostTaps));
  }
  const auto now = std::chrono::steady_clock::now();
  tap->written = std::make_shared<telemetry::TapLines>();
  const auto id = random_id();
  const auto what =
      tap->bytes == 0 ? tap->port : fmt::format("{} (bytes={})", tap->port, tap->bytes);
  taps_[id] = {std::move(*tap), now + std::chrono::seconds(seconds), now};
  push();
  base::log::info("sessions of {} are followed for {} s", what, seconds);
  check_soon();
  base::JsonWriter json;
  json.begin_object().member("id", id).member("seconds", seconds).end_object();
  return {200, json.take() + "\n", "application/json", {}};
}

HttpReply Taps::take(const HttpRequest& request) {
  const auto found = taps_.find(request.parameter("id"));
  if (found == taps_.end()) return no_tap();
  auto& followed = found->second;
  followed.asked = std::chrono::steady_clock::now();
  auto reply = lines_reply(*followed.tap.written, followed.is_over);
  if (followed.is_over) taps_.erase(found);
  return reply;
}

HttpReply Taps::end(const HttpRequest& request) {
  const auto found = taps_.find(request.parameter("id"));
  if (found == taps_.end()) return no_tap();
  auto& written = *found->second.tap.written;
  written.end();
  auto reply = lines_reply(written, true);
  taps_.erase(found);
  push();
  return reply;
}

void Taps::push() {
  auto* pool = pool_();
  if (pool == nullptr) return;
  std::vector<telemetry::Tap> taps;
  for (const auto& [id, each] : taps_) {
    if (!each.is_over) taps.push_back(each.tap);
  }
  pool->set_taps(taps);
}

void Taps::check_soon() {
  timer_.expires_after(kTapCheck);
  timer_.async_wait([this](base::error_code code) {
    if (!code) check();
  });
}

void Taps::check() {
  const auto now = std::chrono::steady_clock::now();
  const auto is_left = [&](const Followed& each) { return each.asked + kPatience <= now; };
  bool has_changed = false;
  for (auto& [id, each] : taps_) {
    if (!each.is_over && each.until <= now) has_changed = each.is_over = true;
    if (each.is_over || is_left(each)) each.tap.written->end();
    if (is_left(each)) each.tap.written->take();  // sessions may hold it for as long as they last
  }
  has_changed |= std::erase_if(taps_, [&](const auto& each) { return is_left(each.second); }) > 0;
  if (has_changed) push();
  if (!taps_.empty()) check_soon();
}

}  // namespace penstock::control
