#include "proxy/control/snapshot_client.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "proxy/base/log.h"
#include "proxy/snapshot/codec.h"
#include "proxy/snapshot/validate.h"

namespace penstock::control {
namespace {

using snapshot::Message;

constexpr std::chrono::milliseconds kFirstRetry{50};
constexpr std::chrono::milliseconds kLongestRetry{1'000};
constexpr std::size_t kReadSize = 256 << 10;

/// What undoes an update of a snapshot that it is about to be applied to.
snapshot::Update inverse_of(const snapshot::Update& update, const snapshot::Snapshot& before) {
  snapshot::Update inverse;
  inverse.base = update.version;
  inverse.version = before.version;
  for (const auto& [key, part] : update.parts) {
    const auto found = before.parts.find(key);
    inverse.parts.emplace_back(key, found == before.parts.end() ? nullptr : found->second);
  }
  return inverse;
}

}  // namespace

SnapshotClient::SnapshotClient(asio::io_context& io, std::string socket_path,
                               std::optional<StateFile> state, Adopt adopt)
    : io_(io),
      path_(std::move(socket_path)),
      state_(std::move(state)),
      adopt_(std::move(adopt)),
      socket_(io),
      retry_timer_(io),
      retry_after_(kFirstRetry),
      buffer_(kReadSize, '\0') {}

SnapshotClient::~SnapshotClient() { *is_alive_ = false; }

void SnapshotClient::start() {
  if (state_) {
    const auto kept = state_->load();
    if (kept.version != 0) {
      snapshot::Update update;
      update.version = kept.version;
      update.parts.assign(kept.parts.begin(), kept.parts.end());
      const auto reasons = try_adopt(update);
      if (reasons.empty()) {
        base::log::info("serving version {} from the state file", kept.version);
      } else {
        base::log::error("the state file is not usable: {}", fmt::join(reasons, "; "));
      }
    }
    unsaved_.clear();
  }
  connect();
}

void SnapshotClient::connect() {
  socket_ = base::LocalSocket(io_);
  frames_ = std::make_unique<snapshot::FrameReader>();
  outgoing_.clear();
  const auto generation = ++generation_;
  socket_.async_connect(asio::local::stream_protocol::endpoint(path_),
                        [this, generation, alive = is_alive_](base::error_code code) {
                          if (!*alive || generation != generation_) return;
                          if (code) return disconnect(code.message());
                          snapshot::Hello hello;
                          hello.fingerprint = snapshot::schema_fingerprint();
                          hello.program = "penstock-proxy " PENSTOCK_VERSION;
                          hello.serving = snapshot_.version;
                          send(Message(hello));
                          read();
                        });
}

void SnapshotClient::disconnect(const std::string& why) {
  ++generation_;
  base::error_code ignored;
  socket_.close(ignored);
  if (is_greeted_ || !is_loss_reported_) {
    base::log::warn(
        "no controller at {}: {}; {}", path_, why,
        snapshot_.version == 0 ? "nothing to serve yet" : "what was adopted last serves on");
  }
  is_greeted_ = false;
  is_loss_reported_ = true;
  retry_timer_.expires_after(retry_after_);
  retry_after_ = std::min(retry_after_ * 2, kLongestRetry);
  retry_timer_.async_wait([this, alive = is_alive_](base::error_code code) {
    if (!code && *alive) connect();
  });
}

void SnapshotClient::read() {
  const auto generation = generation_;
  socket_.async_read_some(asio::buffer(buffer_), [this, generation, alive = is_alive_](
                                                     base::error_code code, std::size_t size) {
    if (!*alive || generation != generation_) return;
    if (code) return disconnect(code.message());
    frames_->feed(std::string_view(buffer_).substr(0, size));
    take_messages();
  });
}

void SnapshotClient::take_messages() {
  const auto generation = generation_;
  while (generation == generation_) {
    auto message = frames_->next();
    if (!message) return disconnect(message.error().message);
    if (!*message) return read();
    take(std::move(**message));
  }
}

void SnapshotClient::take(Message message) {
  if (const auto* hello = std::get_if<snapshot::Hello>(&message)) return greet(*hello);
  const auto* update = std::get_if<snapshot::Update>(&message);
  if (!is_greeted_ || update == nullptr) {
    return disconnect("it sent a message that does not belong here");
  }
  adopt_or_refuse(*update);
}

void SnapshotClient::greet(const snapshot::Hello& hello) {
  if (const auto why = snapshot::mismatch(hello)) {
    base::log::error("{}: {}", path_, *why);
    return disconnect(*why);
  }
  base::log::info("connected to {}", hello.program);
  is_greeted_ = true;
  is_loss_reported_ = false;
  retry_after_ = kFirstRetry;
  if (has_health_) send(Message(health_));
}

void SnapshotClient::adopt_or_refuse(const snapshot::Update& update) {
  auto reasons = try_adopt(update);
  if (!reasons.empty()) refuse(update.version, std::move(reasons));
}

std::vector<std::string> SnapshotClient::try_adopt(const snapshot::Update& update) {
  if (update.base != 0 && update.base != snapshot_.version) {
    return {fmt::format("version {} builds on {}, this proxy has {}", update.version, update.base,
                        snapshot_.version)};
  }
  // Kept apart only where everything is replaced; else the few parts that change are put back.
  snapshot::Snapshot whole_before;
  const auto undo = update.base == 0 ? snapshot::Update{} : inverse_of(update, snapshot_);
  if (update.base == 0) whole_before = snapshot_;
  snapshot::apply(update, snapshot_);
  auto reasons = snapshot::validate(update, snapshot_);
  if (reasons.empty()) {
    auto compiled = compiler_.compile(update);
    if (compiled) {
      unsaved_.push_back(update);
      adopt_(std::move(compiled->table), compiled->change);
      return {};
    }
    reasons.push_back(compiled.error().message);
  }
  if (update.base == 0) {
    snapshot_ = std::move(whole_before);
  } else {
    snapshot::apply(undo, snapshot_);
  }
  return reasons;
}

void SnapshotClient::refuse(std::uint64_t version, std::vector<std::string> reasons) {
  for (const auto& reason : reasons) {
    base::log::error("version {} is refused: {}", version, reason);
  }
  snapshot::Refused refused{version, std::move(reasons)};
  send(Message(std::move(refused)));
}

void SnapshotClient::on_serving(std::uint64_t version, const std::vector<std::string>& problems) {
  serving_ = version;
  for (const auto& problem : problems) {
    if (std::ranges::find(problems_, problem) == problems_.end()) base::log::error("{}", problem);
  }
  problems_ = problems;
  if (is_greeted_) {
    snapshot::Adopted adopted{version, problems};
    send(Message(std::move(adopted)));
  }
  while (!unsaved_.empty() && unsaved_.front().version <= version) {
    // The whole is only written where the journal asks for it, and then with all that is known.
    const auto saved = state_ ? state_->append(unsaved_.front(), snapshot_) : base::Result<void>();
    if (!saved) base::log::error("the state file cannot be written: {}", saved.error().message);
    unsaved_.pop_front();
  }
}

void SnapshotClient::report(snapshot::HealthReport report) {
  if (std::exchange(has_health_, true) && report == health_) return;
  health_ = std::move(report);
  if (is_greeted_) send(Message(health_));
}

void SnapshotClient::send(const Message& message) {
  outgoing_.push_back(snapshot::encode_frame(message));
  if (outgoing_.size() == 1) write();
}

void SnapshotClient::write() {
  const auto generation = generation_;
  asio::async_write(socket_, asio::buffer(outgoing_.front()),
                    [this, generation, alive = is_alive_](base::error_code code, std::size_t) {
                      if (!*alive || generation != generation_) return;
                      if (code) return disconnect(code.message());
                      outgoing_.pop_front();
                      if (!outgoing_.empty()) write();
                    });
}

}  // namespace penstock::control
