#include "controller/kube/caller.h"

#include <fmt/format.h>

#include "controller/kube/one_timer.h"
#include "controller/kube/paths.h"

namespace penstock::kube {
namespace {

constexpr std::size_t kCallsAtOnce = 8;
constexpr int kObjectsOfPage = 500;

}  // namespace

Response Caller::ask(Request request) { return std::move(ask_some({&request, 1}).front()); }

Response Caller::get(std::string path) {
  Request request;
  request.path = std::move(path);
  return ask(std::move(request));
}

std::vector<Response> Caller::ask_all(std::vector<Request> requests) {
  std::vector<Response> out;
  out.reserve(requests.size());
  for (std::span rest(requests); !rest.empty();) {
    const auto count = std::min(kCallsAtOnce, rest.size());
    for (auto& each : ask_some(rest.first(count))) out.push_back(std::move(each));
    rest = rest.subspan(count);
  }
  return out;
}

std::vector<Response> Caller::ask_some(std::span<Request> requests) {
  std::vector<Response> out(requests.size());
  for (auto& each : out) each.failure = "no answer in time";
  std::size_t answered = 0;
  std::vector<Call> calls;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    calls.push_back(client_.send(std::move(requests[i]), [&, i](Response response) {
      out[i] = std::move(response);
      ++answered;
    }));
  }
  run_until([&] { return answered == out.size(); });
  return out;
}

base::Result<bool> Caller::list(const std::string& collection, const std::string& selector,
                                const std::function<void(const RawObject&)>& visit) {
  std::string more;
  do {
    auto response =
        get(fmt::format("{}?limit={}{}{}", collection, kObjectsOfPage, selector,
                        more.empty() ? std::string() : "&continue=" + encode_url(more)));
    if (response.status == 404) return false;
    if (!response.is_ok()) return base::fail(response.failure_text());
    const auto page = parse_list_page(response.body);
    if (!page) return std::unexpected(page.error());
    for (const auto& item : page->items) visit(item);
    more = page->continue_token;
  } while (!more.empty());
  return true;
}

bool Caller::wait(base::SteadyTime::duration time) {
  bool is_over = false;
  OneTimer timer(io_);
  timer.after(time, [&] { is_over = true; });
  return run_until([&] { return is_over; });
}

bool Caller::run_until(const std::function<bool()>& is_done) {
  const auto work = asio::make_work_guard(io_);
  io_.restart();
  while (!is_done()) {
    if (std::chrono::steady_clock::now() >= end_) return false;
    io_.run_one_until(end_);
  }
  return true;
}

}  // namespace penstock::kube
