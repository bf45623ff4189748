// Whole exchanges: everything that the proxy executes between the client's bytes and the answer's,
// but what the kernel does. One connection, so each turn of the loop has one event: a busy worker
// shares its turns among several.
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/instructions/paths.h"
#include "tests/instructions/peers.h"
#include "tests/instructions/samples.h"
#include "tests/instructions/small_worker.h"

namespace penstock::instructions {
namespace {

constexpr std::size_t kKilobyte = 1 << 10;
constexpr std::size_t kStride = 1'237;

void require_answer(const Peer& client, std::size_t body) {
  if (client.receive() <= body) throw std::logic_error("the answer is not the backend's");
}

/// GETs of 1 KiB over one kept connection on each side.
template <class MakeRequest>
void get(int times, std::size_t hosts, MakeRequest make_request) {
  Backend backend;
  SmallWorker worker(table(hosts, backend.port()), SmallWorker::Serves::kHttp);
  const auto client = Peer::connect(worker.port());
  const auto answer = response(kKilobyte);
  std::vector<std::string> requests;
  for (std::size_t i = 0; i < 100; ++i) {
    requests.push_back(make_request(host_name(i * kStride % hosts), path(i)));
  }
  auto next = requests.begin();
  worker.measure(times, [&] {
    client.send(*next);
    if (++next == requests.end()) next = requests.begin();
    worker.turn_until_news(backend);
    backend.receive();
    backend.send(answer);
    worker.turn_until_news(client);
    require_answer(client, kKilobyte);
  });
}

}  // namespace

void get_1k(int times) { get(times, 1, browser_request); }

void get_1k_of_5000_hosts(int times) { get(times, kManyHosts, browser_request); }

void get_1k_short_head(int times) {
  get(times, 1, [](const std::string& host, const std::string& target) {
    return short_request(host, target);
  });
}

void post_10k(int times) {
  constexpr std::size_t kBody = 10 << 10;
  Backend backend;
  SmallWorker worker(table(1, backend.port()), SmallWorker::Serves::kHttp);
  const auto client = Peer::connect(worker.port());
  const auto answer = response(kKilobyte);
  const auto request = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
      "Content-Length: {}\r\n\r\n{}",
      path(2), host_name(0), kBody, std::string(kBody, 'x'));
  worker.measure(times, [&] {
    client.send(request);
    for (std::size_t received = 0; received < kBody;) {
      worker.turn_until_news(backend);
      received += backend.receive();
    }
    backend.send(answer);
    worker.turn_until_news(client);
    require_answer(client, kKilobyte);
  });
}

/// A connection of its own for each request; the one to the backend is kept.
void connect_get_close(int times) {
  Backend backend;
  SmallWorker worker(table(1, backend.port()), SmallWorker::Serves::kHttp);
  const auto request = short_request(host_name(0), path(2), "Connection: close\r\n");
  const auto answer = response(kKilobyte);
  worker.measure(times, [&] {
    const auto client = Peer::connect(worker.port());
    client.send(request);
    worker.turn_until_news(backend);
    backend.receive();
    backend.send(answer);
    worker.turn_until_news(client);
    require_answer(client, kKilobyte);
    worker.turn_until_news(client);
    if (client.receive() != 0) throw std::logic_error("the connection goes on");
  });
}

/// A small message through a TCP stream, and one back.
void relay_step(int times) {
  const std::string message(64, 'x');
  Backend backend;
  SmallWorker worker(table(1, backend.port()), SmallWorker::Serves::kTcp);
  const auto client = Peer::connect(worker.port());
  worker.measure(times, [&] {
    client.send(message);
    worker.turn_until_news(backend);
    backend.receive();
    backend.send(message);
    worker.turn_until_news(client);
    client.receive();
  });
}

}  // namespace penstock::instructions
