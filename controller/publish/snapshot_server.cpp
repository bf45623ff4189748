#include "controller/publish/snapshot_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <set>

#include "proxy/base/log.h"
#include "proxy/snapshot/codec.h"

namespace penstock::publish {
namespace {

using Protocol = asio::local::stream_protocol;
using snapshot::Message;

/// A proxy that is being replaced may linger beside its successor; more is a mistake.
constexpr std::size_t kMaxProxies = 8;

/// Versions never repeat, also across restarts, as long as the clock does not run backwards by more
/// than the time between two publications.
std::uint64_t next_version(std::uint64_t last) {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  return std::max(last + 1, static_cast<std::uint64_t>(now));
}

base::Result<void> check_peer(base::LocalSocket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return base::fail(fmt::format("its credentials cannot be read: {}", std::strerror(errno)));
  }
  if (peer.uid != geteuid()) {
    return base::fail(fmt::format("it runs as user {}, expected {}", peer.uid, geteuid()));
  }
  return {};
}

bool is_listened_on(asio::io_context& io, const std::string& path) {
  base::LocalSocket probe(io);
  base::error_code code;
  probe.connect(Protocol::endpoint(path), code);
  return !code;
}

}  // namespace

/// One proxy.
class SnapshotServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(SnapshotServer& server, base::LocalSocket socket)
      : server_(&server), socket_(std::move(socket)) {}

  void start() {
    snapshot::Hello hello;
    hello.fingerprint = snapshot::schema_fingerprint();
    hello.program = "penstock-controller " PENSTOCK_VERSION;
    send(Message(hello));
    read();
  }
  /// Nothing of the server is touched any more.
  void leave() {
    server_ = nullptr;
    base::error_code ignored;
    socket_.close(ignored);
  }
  bool is_proxy() const { return is_greeted_ && !is_reader_; }
  std::uint64_t serving() const { return serving_; }
  void change(const std::map<snapshot::PartKey, snapshot::PartPtr>& changes) {
    if (!is_greeted_) return;
    for (const auto& [key, part] : changes) waiting_.insert(key);
    send_waiting();
  }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](base::error_code code, std::size_t size) {
                              if (self->server_ == nullptr) return;
                              if (code) return self->end("");
                              self->frames_.feed({self->buffer_.data(), size});
                              self->take_messages();
                            });
  }

  void take_messages() {
    while (server_ != nullptr) {
      auto message = frames_.next();
      if (!message) return end(message.error().message);
      if (!*message) return read();
      take(std::move(**message));
    }
  }

  void take(Message message) {
    if (const auto* hello = std::get_if<snapshot::Hello>(&message)) return greet(*hello);
    if (!is_proxy()) return end("it sent a message that only a proxy sends");
    if (const auto* adopted = std::get_if<snapshot::Adopted>(&message)) {
      if (adopted->version == in_flight_) {
        acknowledged_ = serving_ = in_flight_;
        in_flight_ = 0;
        sent_.clear();
      }
      server_->events_.on_adopted(*adopted);
    } else if (const auto* refused = std::get_if<snapshot::Refused>(&message)) {
      if (refused->version == in_flight_) {
        // It still serves what it had. What was refused goes along with the next change.
        in_flight_ = 0;
        waiting_.merge(sent_);
        sent_.clear();
        server_->events_.on_refused(*refused);
        return;
      }
    } else if (const auto* health = std::get_if<snapshot::HealthReport>(&message)) {
      if (server_->events_.on_health) server_->events_.on_health(*health);
      return;
    } else {
      return end("it sent a message that only a controller sends");
    }
    if (server_ != nullptr) send_waiting();
  }

  void greet(const snapshot::Hello& hello) {
    if (is_greeted_) return end("it said who it is twice");
    if (const auto why = snapshot::mismatch(hello)) return end(*why);
    is_greeted_ = true;
    is_reader_ = hello.is_reader;
    if (is_reader_) return send_waiting();
    acknowledged_ = hello.serving == server_->current_.version ? hello.serving : 0;
    serving_ = acknowledged_;
    base::log::info("{} has connected, serving version {}", hello.program, hello.serving);
    server_->events_.on_proxies(server_->proxies());
    if (server_ != nullptr) send_waiting();
  }

  void send_waiting() {
    const auto& current = server_->current_;
    if (in_flight_ != 0 || current.version == 0) return;
    if (acknowledged_ != 0 && waiting_.empty()) return;
    if (acknowledged_ == 0 && has_sent_whole_ && waiting_.empty()) return;
    snapshot::Update update;
    update.base = acknowledged_;
    update.version = current.version;
    if (acknowledged_ == 0) {
      for (const auto& [key, part] : current.parts) update.parts.emplace_back(key, part);
      has_sent_whole_ = true;
    } else {
      for (const auto& key : waiting_) {
        const auto found = current.parts.find(key);
        update.parts.emplace_back(key, found == current.parts.end() ? nullptr : found->second);
      }
    }
    sent_ = std::exchange(waiting_, {});
    in_flight_ = update.version;
    send(Message(std::move(update)));
  }

  void send(const Message& message) {
    outgoing_.push_back(snapshot::encode_frame(message));
    server_->bytes_sent_ += outgoing_.back().size();
    if (outgoing_.size() == 1) write();
  }
  void write() {
    asio::async_write(socket_, asio::buffer(outgoing_.front()),
                      [self = shared_from_this()](base::error_code code, std::size_t) {
                        if (self->server_ == nullptr) return;
                        if (code) return self->end("");
                        self->outgoing_.pop_front();
                        if (!self->outgoing_.empty()) self->write();
                      });
  }

  void end(const std::string& why) {
    if (!why.empty()) base::log::error("the connection of a peer is closed: {}", why);
    auto* server = server_;
    leave();
    server->drop(this);
  }

  SnapshotServer* server_;
  base::LocalSocket socket_;
  std::array<char, 4096> buffer_{};
  snapshot::FrameReader frames_;
  std::list<std::string> outgoing_;
  bool is_greeted_ = false;
  bool is_reader_ = false;
  bool has_sent_whole_ = false;
  std::uint64_t acknowledged_ = 0;  // 0: the next update is the whole snapshot
  std::uint64_t serving_ = 0;       // 0: nothing of ours yet
  std::uint64_t in_flight_ = 0;
  std::set<snapshot::PartKey> waiting_;  // changed since the last update was sent
  std::set<snapshot::PartKey> sent_;     // what is in flight
};

base::Result<std::unique_ptr<SnapshotServer>> SnapshotServer::listen(asio::io_context& io,
                                                                     const std::string& path,
                                                                     ServerEvents events) {
  struct stat status{};
  if (lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) {
      return base::fail(fmt::format("{}: expected a socket or nothing, found a file", path));
    }
    if (is_listened_on(io, path)) {
      return base::fail(fmt::format("{}: another controller is listening here", path));
    }
    unlink(path.c_str());
  }
  Acceptor acceptor(io);
  base::error_code code;
  acceptor.open(Protocol(), code);
  const auto mask = umask(0177);  // never open to others, not even for a moment
  if (!code) acceptor.bind(Protocol::endpoint(path), code);
  umask(mask);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) return base::fail(fmt::format("cannot listen on {}: {}", path, code.message()));
  std::unique_ptr<SnapshotServer> server(
      new SnapshotServer(io, path, std::move(acceptor), std::move(events)));
  server->accept();
  return server;
}

SnapshotServer::SnapshotServer(asio::io_context& io, std::string path, Acceptor acceptor,
                               ServerEvents events)
    : io_(io), path_(std::move(path)), acceptor_(std::move(acceptor)), events_(std::move(events)) {}

SnapshotServer::~SnapshotServer() {
  *is_alive_ = false;
  for (const auto& session : sessions_) session->leave();
  unlink(path_.c_str());
}

void SnapshotServer::accept() {
  acceptor_.async_accept(
      io_, [this, alive = is_alive_](base::error_code code, base::LocalSocket socket) {
        if (!*alive || code == asio::error::operation_aborted) return;
        if (!code) {
          const auto checked = check_peer(socket);
          if (!checked) {
            base::log::error("{}: a peer is refused: {}", path_, checked.error().message);
          } else if (sessions_.size() >= kMaxProxies) {
            base::log::error("{}: a peer is refused: {} are connected already", path_, kMaxProxies);
          } else {
            sessions_.push_back(std::make_shared<Session>(*this, std::move(socket)));
            sessions_.back()->start();
          }
        }
        accept();
      });
}

std::size_t SnapshotServer::proxies() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(sessions_, [](const auto& each) { return each->is_proxy(); }));
}

void SnapshotServer::drop(Session* session) {
  const bool was_proxy = session->is_proxy();
  sessions_.remove_if([&](const auto& each) { return each.get() == session; });
  if (was_proxy) events_.on_proxies(proxies());
}

std::size_t SnapshotServer::proxies_at(std::uint64_t version) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions_, [&](const auto& each) { return each->is_proxy() && each->serving() >= version; }));
}

std::uint64_t SnapshotServer::serving() const {
  auto least = std::numeric_limits<std::uint64_t>::max();
  for (const auto& each : sessions_) {
    if (each->is_proxy()) least = std::min(least, each->serving());
  }
  return proxies() == 0 ? 0 : least;
}

std::uint64_t SnapshotServer::publish(
    const std::map<snapshot::PartKey, snapshot::PartPtr>& changes) {
  if (changes.empty() && current_.version != 0) return current_.version;
  snapshot::Update update;
  update.base = current_.version;
  update.version = next_version(current_.version);
  update.parts.assign(changes.begin(), changes.end());
  snapshot::apply(update, current_);
  history_.add(current_.version, changes);
  const auto sessions = sessions_;
  for (const auto& session : sessions) session->change(changes);
  return current_.version;
}

}  // namespace penstock::publish
