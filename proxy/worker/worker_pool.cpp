#include "proxy/worker/worker_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace penstock::worker {
namespace {

constexpr base::Duration kFirstRetry{1'000};
constexpr base::Duration kLongestRetry{30'000};

std::string text_of(const ListenProblem& problem) {
  return fmt::format("cannot open {}: {} (errno {})", problem.listener, problem.code.message(),
                     problem.code.value());
}

/// "http 0.0.0.0:80", "https [::]:443"; those of streams begin with their transport.
bool is_http(const std::string& listener) { return listener.starts_with("http"); }

/// Of a stream, and of those that share its port.
std::set<std::string> owners_of(const std::string& listener, const routing::RoutingTable& table) {
  const auto* part = table.streams().find(listener);
  if (part == nullptr) return {};
  if (const auto* udp = std::get_if<snapshot::UdpStream>(part->get())) return {udp->owner};
  const auto& stream = std::get<snapshot::Stream>(**part);
  std::set<std::string> out{stream.owner};
  for (const auto& delegate : stream.delegates) {
    const auto* other = table.streams().find(delegate.stream);
    if (other != nullptr) out.insert(std::get<snapshot::Stream>(**other).owner);
  }
  return out;
}

/// "TCPService db/mysql: cannot open tcp/3306: Address already in use (errno 98)", to each owner.
void add_sentences(const std::string& listener, const std::string& text,
                   const routing::RoutingTable& table, std::vector<std::string>& out) {
  const auto owners = owners_of(listener, table);
  if (owners.empty()) out.push_back(text);
  for (const auto& owner : owners) out.push_back(owner + ": " + text);
}

}  // namespace

/// One adoption by all workers.
struct WorkerPool::Round {
  std::shared_ptr<const routing::RoutingTable> table;
  routing::TableChange change;
  bool is_retry = false;
  std::size_t missing = 0;
  std::map<std::string, std::string> problems;
};

WorkerPool::WorkerPool(asio::io_context& control, std::size_t count, const MakeWorker& make,
                       OnServing on_serving)
    : control_(control),
      on_serving_(std::move(on_serving)),
      retry_timer_(control),
      retry_after_(kFirstRetry) {
  for (std::size_t i = 0; i < count; ++i) workers_.push_back(make(i));
}

WorkerPool::~WorkerPool() {
  *is_alive_ = false;
  join();
}

void WorkerPool::start() {
  for (const auto& worker : workers_) worker->start();
}

void WorkerPool::join() {
  for (const auto& worker : workers_) worker->join();
}

void WorkerPool::drain(base::Duration limit) {
  retry_timer_.cancel();
  for (const auto& worker : workers_) worker->drain(limit);
}

void WorkerPool::report(const ReportRequest& request, std::function<void(Report)> done) {
  auto sum = std::make_shared<Report>();
  const auto answer = std::make_shared<std::function<void(Report)>>(std::move(done));
  for (const auto& worker : workers_) {
    worker->report(request, [this, request, sum, answer, alive = is_alive_](const Report& each) {
      asio::post(control_, [this, request, sum, answer, alive, each] {
        if (!*alive) return;
        sum->add(each);
        if (sum->workers != workers_.size()) return;
        sum->finish(request);
        (*answer)(std::move(*sum));
      });
    });
  }
}

void WorkerPool::set_log_rules(const std::vector<session::LogRule>& rules) {
  for (const auto& worker : workers_) worker->set_log_rules(rules);
}

void WorkerPool::set_taps(const std::vector<telemetry::Tap>& taps) {
  for (const auto& worker : workers_) worker->set_taps(taps);
}

void WorkerPool::set_drained(const std::map<std::string, std::set<std::string>>& endpoints) {
  for (const auto& worker : workers_) worker->set_drained(endpoints);
}

void WorkerPool::adopt(std::shared_ptr<const routing::RoutingTable> table,
                       const routing::TableChange& change) {
  table_ = std::move(table);
  send(change, false);
}

void WorkerPool::send(routing::TableChange change, bool is_retry) {
  auto round = std::make_shared<Round>();
  round->table = table_;
  round->is_retry = is_retry;
  round->change = change;
  round->missing = workers_.size();
  for (const auto& worker : workers_) {
    worker->adopt(table_, change,
                  [this, round, alive = is_alive_](std::vector<ListenProblem> problems) {
                    asio::post(control_, [this, round, alive, problems = std::move(problems)] {
                      if (!*alive) return;
                      for (const auto& each : problems) {
                        round->problems[each.listener] = text_of(each);
                      }
                      if (--round->missing == 0) finish(round);
                    });
                  });
  }
}

void WorkerPool::finish(const std::shared_ptr<Round>& round) {
  // What this round did not try keeps its problem, unless the table no longer has it.
  const auto before = problems_;
  for (const auto& name : round->change.streams) problems_.erase(name);
  if (round->change.is_global_changed) {
    std::erase_if(problems_, [](const auto& each) { return is_http(each.first); });
  }
  problems_.insert(round->problems.begin(), round->problems.end());
  if (problems_.empty()) {
    retry_timer_.cancel();
    retry_after_ = kFirstRetry;
  } else if (before.empty() || problems_ != before) {
    retry_after_ = kFirstRetry;
    schedule_retry();
  }
  if (round->is_retry && problems_ == before) return;
  std::vector<std::string> sentences;
  for (const auto& [listener, text] : problems_) {
    add_sentences(listener, text, *round->table, sentences);
  }
  on_serving_(round->table->version(), std::move(sentences));
}

bool WorkerPool::has_http_ports() const {
  return std::ranges::none_of(problems_, [](const auto& each) { return is_http(each.first); });
}

void WorkerPool::schedule_retry() {
  retry_timer_.expires_after(retry_after_);
  retry_after_ = std::min(retry_after_ * 2, kLongestRetry);
  retry_timer_.async_wait([this, alive = is_alive_](base::error_code code) {
    if (code || !*alive || problems_.empty()) return;
    routing::TableChange change;
    for (const auto& [listener, text] : problems_) {
      if (is_http(listener)) {
        change.is_global_changed = true;
      } else {
        change.streams.push_back(listener);
      }
    }
    schedule_retry();
    send(std::move(change), true);
  });
}

}  // namespace penstock::worker
