#include "proxy/worker/worker_pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::worker {
namespace {

constexpr base::Duration kFirstRetry{1'000};
constexpr base::Duration kLongestRetry{30'000};

/// "TCPService db/mysql: cannot open tcp/3306: Address already in use (errno 98)".
std::string sentence_of(const ListenProblem& problem, const routing::RoutingTable& table) {
  const auto text = fmt::format("cannot open {}: {} (errno {})", problem.listener,
                                problem.code.message(), problem.code.value());
  const auto* part = table.streams().find(problem.listener);
  if (part == nullptr) return text;
  const auto* stream = std::get_if<snapshot::Stream>(part->get());
  const auto& owner =
      stream != nullptr ? stream->owner : std::get<snapshot::UdpStream>(**part).owner;
  return owner + ": " + text;
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
    worker->report(request, [this, sum, answer, alive = is_alive_](const Report& each) {
      asio::post(control_, [this, sum, answer, alive, each] {
        if (!*alive) return;
        sum->add(each);
        if (sum->workers == workers_.size()) (*answer)(std::move(*sum));
      });
    });
  }
}

void WorkerPool::set_log_rules(const std::vector<session::LogRule>& rules) {
  for (const auto& worker : workers_) worker->set_log_rules(rules);
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
                        round->problems[each.listener] = sentence_of(each, *round->table);
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
    std::erase_if(problems_, [](const auto& each) { return each.first.starts_with("http"); });
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
  for (const auto& [listener, sentence] : problems_) sentences.push_back(sentence);
  on_serving_(round->table->version(), std::move(sentences));
}

void WorkerPool::schedule_retry() {
  retry_timer_.expires_after(retry_after_);
  retry_after_ = std::min(retry_after_ * 2, kLongestRetry);
  retry_timer_.async_wait([this, alive = is_alive_](base::error_code code) {
    if (code || !*alive || problems_.empty()) return;
    routing::TableChange change;
    for (const auto& [listener, sentence] : problems_) {
      if (listener.starts_with("http")) {
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
