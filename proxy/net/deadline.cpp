#include "proxy/net/deadline.h"

#include <algorithm>
#include <utility>

namespace penstock::net {

void Deadline::expire_in(base::Duration duration) {
  if (duration <= base::Duration::zero()) {
    is_armed_ = false;
    return;
  }
  duration_ = duration;
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
  // A wheel that stood still has no slots to catch up with.
  if (linked_ == 0) swept_until_ = std::max(swept_until_, clock_.now());
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
}

base::Duration DeadlineWheel::until_next_tick(base::SteadyTime now) const {
  if (linked_ == 0) return base::Duration(-1);
  const auto left = std::chrono::ceil<base::Duration>(swept_until_ + kTick - now);
  return std::max(left, base::Duration(0));
}

void DeadlineWheel::sweep(base::SteadyTime now) {
  if (now - swept_until_ < kTick) return;
  const auto behind = kTick * static_cast<int>(kSlots);
  swept_until_ = std::max(swept_until_, now - behind);
  while (now - swept_until_ >= kTick) {
    swept_until_ += kTick;
    // One at a time: what a target does may unlink others. Those that are linked anew go to a
    // later slot.
    auto& slot = slots_[slot_of(swept_until_)];
    while (slot != nullptr) fire(*slot, now);
  }
}

void DeadlineWheel::fire(Deadline& deadline, base::SteadyTime now) {
  deadline.unlink();
  if (!deadline.is_armed_) return;
  if (deadline.at_ > now) {
    link(deadline);
    return;
  }
  if (deadline.target_->is_moving()) {
    deadline.at_ = now + deadline.duration_;
    link(deadline);
    return;
  }
  deadline.is_armed_ = false;
  deadline.has_expired_ = true;
  // A stream only closes: its pending operation completes later, from the loop, never from here.
  deadline.target_->close();
}

}  // namespace penstock::net
