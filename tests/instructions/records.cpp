// What is written down of an exchange, and the time that it is given.
#include <string>
#include <string_view>

#include "proxy/net/deadline.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/log_format.h"
#include "proxy/telemetry/metrics.h"
#include "tests/instructions/collect.h"
#include "tests/instructions/paths.h"
#include "tests/instructions/samples.h"

namespace penstock::instructions {
namespace {

/// One exchange, as the end of it is told.
class Sample {
 public:
  Sample() {
    record_.client.address = client_.peer;
    record_.client.address_text = client_.peer_text;
    record_.client.peer = client_.socket_peer;
    record_.client.server_port = client_.server_port;
    record_.client.number = client_.connection;
    record_.requests = 1;
    record_.method = request_.method;
    record_.target = request_.target;
    record_.path = exchange_.path;
    record_.query = request_.query;
    record_.host = exchange_.host;
    record_.header = {&request_.headers, find_header};
    record_.request_id = exchange_.request_id;
    record_.status = 200;
    record_.bytes_sent = 1'300;
    record_.body_bytes_sent = 1'024;
    record_.request_length = request_.size;
    record_.time = base::Duration(13);
    record_.now = base::WallTime(std::chrono::seconds(1'767'225'600));
    record_.tries = exchange_.tries;
    record_.name_space = exchange_.route->name_space;
    record_.ingress = exchange_.route->ingress;
    record_.service = exchange_.route->service;
    record_.service_port = exchange_.route->service_port;
    record_.route_path = exchange_.route->path;
    record_.host_name = exchange_.host;
  }
  const telemetry::HttpRecord& record() const { return record_; }
  const filters::Exchange& exchange() const { return exchange_; }

 private:
  static std::string_view find_header(const void* headers, std::string_view name) {
    const auto* found = static_cast<const http::Headers*>(headers)->find(name);
    return found == nullptr ? std::string_view() : found->value;
  }

  routing::Compiled compiled_ = table(1, 80);
  std::string bytes_ = browser_request(host_name(0), path(2));
  http::RequestHead request_ = parsed_request(bytes_);
  filters::Exchange exchange_ = instructions::exchange(*compiled_.table, request_);
  session::ClientSide client_ = client_side();
  telemetry::HttpRecord record_;
};

class Nothing final : public net::Closable {
 public:
  void close() override {}
};

}  // namespace

void write_log_line(int times) {
  const Sample sample;
  const snapshot::AccessLog settings;
  const telemetry::HttpLogFormat format(settings.http_format, settings.escape);
  telemetry::LogBuffer buffer(nullptr);
  measure(times, [&] {
    format.append(sample.record(), buffer.lines());
    buffer.added();
  });
}

void observe_metrics(int times) {
  const Sample sample;
  const auto& exchange = sample.exchange();
  telemetry::WorkerMetrics metrics;
  measure(times, [&] {
    auto* series =
        metrics.find(*exchange.host_part, *exchange.route, sample.record().method, exchange.status);
    metrics.observe(*series, sample.record());
  });
}

/// As a turn of the loop does it, on a wheel that others use, too.
void arm_deadline(int times) {
  base::CoarseClock clock;
  net::DeadlineWheel wheel(clock);
  Nothing nothing;
  net::Deadline other(wheel, nothing);
  net::Deadline deadline(wheel, nothing);
  other.expire_in(base::Duration(60'000));
  measure(times, [&] {
    clock.refresh();
    wheel.sweep(clock.now());
    deadline.expire_in(base::Duration(60'000));
    deadline.cancel();
  });
}

}  // namespace penstock::instructions
