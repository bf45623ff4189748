#include "proxy/net/reactor.h"

#include <cerrno>
#include <system_error>

namespace penstock::net {
namespace {

/// The mailbox stands in epoll as null: it is the only thing that is not a Watched.
constexpr void* kMailbox = nullptr;
constexpr std::uint32_t kEverything = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

bool control(int epoll, int operation, int descriptor, std::uint32_t events, void* what) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = what;
  return ::epoll_ctl(epoll, operation, descriptor, &event) == 0;
}

}  // namespace

Reactor::Reactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_ || !control(epoll_.get(), EPOLL_CTL_ADD, mailbox_.descriptor(), EPOLLIN, kMailbox)) {
    throw std::system_error(errno, std::system_category(), "epoll");
  }
}

bool Reactor::watch(int descriptor, Watched& watched) {
  return control(epoll_.get(), EPOLL_CTL_ADD, descriptor, kEverything, &watched);
}

bool Reactor::watch_level(int descriptor, Watched& watched) {
  return control(epoll_.get(), EPOLL_CTL_ADD, descriptor, EPOLLIN, &watched);
}

void Reactor::watch_once(int descriptor, Watched& watched, std::uint32_t events) {
  control(epoll_.get(), EPOLL_CTL_MOD, descriptor, events | EPOLLONESHOT, &watched);
}

void Reactor::widen(int descriptor, Watched& watched) {
  control(epoll_.get(), EPOLL_CTL_MOD, descriptor, kEverything, &watched);
}

void Reactor::pause(int descriptor, Watched& watched, bool is_paused) {
  control(epoll_.get(), EPOLL_CTL_MOD, descriptor, is_paused ? 0U : EPOLLIN, &watched);
}

void Reactor::unwatch(int descriptor, const Watched& watched) {
  control(epoll_.get(), EPOLL_CTL_DEL, descriptor, 0, nullptr);
  forget(watched);
}

void Reactor::forget(const Watched& watched) {
  for (int i = next_in_batch_; i < batch_size_; ++i) {
    auto& event = batch_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &watched) event.events = 0;
  }
}

void Reactor::run_ready() {
  running_.swap(ready_);
  for (const auto waiter : running_) waiter.resume();
  running_.clear();
}

void Reactor::turn(base::Duration longest) {
  run_ready();
  auto wait = ready_.empty() ? wheel_.until_next_tick(clock_.now()) : base::Duration(0);
  if (wait.count() < 0 || (longest.count() >= 0 && longest < wait)) wait = longest;
  batch_size_ = ::epoll_wait(epoll_.get(), batch_.data(), kBatch, static_cast<int>(wait.count()));
  clock_.refresh();
  for (next_in_batch_ = 0; next_in_batch_ < batch_size_;) {
    const auto event = batch_[static_cast<std::size_t>(next_in_batch_++)];
    if (event.data.ptr == kMailbox) {
      mailbox_.run_all();
    } else if (event.events != 0) {
      static_cast<Watched*>(event.data.ptr)->on_events(event.events);
    }
  }
  batch_size_ = 0;
  wheel_.sweep(clock_.now());
}

void Reactor::run() {
  while (!is_stopped_) turn(base::Duration(-1));
}

}  // namespace penstock::net
