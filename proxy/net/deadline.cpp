#include "proxy/net/deadline.h"

#include <algorithm>
#include <utility>

namespace penstock::net {

void Deadline::expire_in(base::Duration duration) {
  if (duration <= base::Duration::zero()) {
    is_armed_ = false;
    return;
  }
  at_ = wheel_->clock_.now() + duration;
  is_armed_ = true;
  // A slot that comes up earlier looks at the deadline again, so only an earlier time moves it.
  if (is_linked_ && slot_time_ <= at_) return;
  unlink();
  wheel_->link(*this);
}

void Deadline::unlink() {
  if (!is_linked_) return;
  (previous_ != nullptr ? previous_->next_ : wheel_->slots_[slot_]) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  previous_ = next_ = nullptr;
  is_linked_ = false;
  --wheel_->linked_;
}

void DeadlineWheel::link(Deadline& deadline) {
  const auto furthest = swept_until_ + kTick * static_cast<int>(kSlots - 2);
  // One tick on, so that the slot is swept when the time has surely passed.
  deadline.slot_time_ =
      std::clamp<base::SteadyTime>(deadline.at_ + kTick, swept_until_ + kTick, furthest);
  deadline.slot_ = slot_of(deadline.slot_time_);
  deadline.previous_ = nullptr;
  deadline.next_ = slots_[deadline.slot_];
  if (deadline.next_ != nullptr) deadline.next_->previous_ = &deadline;
  slots_[deadline.slot_] = &deadline;
  deadline.is_linked_ = true;
  ++linked_;
  start_timer();
}

void DeadlineWheel::start_timer() {
  if (is_ticking_ || linked_ == 0) return;
  is_ticking_ = true;
  timer_.expires_after(kTick);
  timer_.async_wait([this](base::error_code code) {
    is_ticking_ = false;
    if (code) return;
    sweep(std::chrono::steady_clock::now());
    start_timer();
  });
}

void DeadlineWheel::sweep(base::SteadyTime now) {
  const auto ticks = std::min<std::int64_t>((now - swept_until_) / kTick, kSlots);
  if (now - swept_until_ > kTick * static_cast<int>(kSlots))
    swept_until_ = now - kTick * static_cast<int>(kSlots);
  for (std::int64_t i = 0; i < ticks; ++i) {
    swept_until_ += kTick;
    const auto slot = slot_of(swept_until_);
    Deadline* rest = std::exchange(slots_[slot], nullptr);
    while (rest != nullptr) {
      auto* deadline = rest;
      rest = deadline->next_;
      if (rest != nullptr) rest->previous_ = nullptr;
      deadline->next_ = deadline->previous_ = nullptr;
      deadline->is_linked_ = false;
      --linked_;
      if (!deadline->is_armed_) continue;
      if (deadline->at_ > now) {
        link(*deadline);
        continue;
      }
      deadline->is_armed_ = false;
      deadline->has_expired_ = true;
      // Only closes: the pending operation completes later, from the loop, never from here.
      deadline->target_->close();
    }
  }
}

}  // namespace penstock::net
