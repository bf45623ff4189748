// One call of grpc.health.v1.Health/Check: HTTP/2 with prior knowledge, spoken by nghttp2.
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/health/grpc_health.h"
#include "proxy/health/probe.h"

namespace penstock::health {
namespace {

constexpr std::size_t kMostMessage = 1024;

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* what) const { Free(what); }
};
using Session = std::unique_ptr<nghttp2_session, Freed<nghttp2_session, nghttp2_session_del>>;
using Callbacks = std::unique_ptr<nghttp2_session_callbacks,
                                  Freed<nghttp2_session_callbacks, nghttp2_session_callbacks_del>>;

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// The call, fed with what arrives.
class Call {
 public:
  Call(std::string authority, std::string_view service)
      : authority_(std::move(authority)), message_(encode_health_request(service)) {}

  bool begin() {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) return false;
    const Callbacks callbacks(made);
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
    nghttp2_session* session = nullptr;
    if (nghttp2_session_client_new(&session, made, this) != 0) return false;
    session_.reset(session);
    const std::array settings = {nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    const std::array fields = {field(":method", "POST"),
                               field(":scheme", "http"),
                               field(":path", "/grpc.health.v1.Health/Check"),
                               field(":authority", authority_),
                               field("te", "trailers"),
                               field("content-type", "application/grpc"),
                               field("user-agent", "penstock-health")};
    nghttp2_data_provider body{};
    body.source.ptr = this;
    body.read_callback = read_message;
    return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) ==
               0 &&
           nghttp2_submit_request(session, nullptr, fields.data(), fields.size(), &body, nullptr) >
               0;
  }

  /// What is to be sent now. False where the peer broke the protocol.
  bool take_output(std::string& out) {
    out.clear();
    for (;;) {
      const std::uint8_t* bytes = nullptr;
      const auto size = nghttp2_session_mem_send(session_.get(), &bytes);
      if (size < 0) return false;
      if (size == 0) return true;
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
  }
  bool feed(std::string_view bytes) {
    const auto taken = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return taken == static_cast<ssize_t>(bytes.size());
  }
  bool is_over() const { return is_over_; }
  /// After a GOAWAY of ours, for what was no HTTP/2, nothing is awaited any more.
  bool is_given_up() const { return nghttp2_session_want_read(session_.get()) == 0; }

  Finding result() const {
    if (status_ != "200") return fmt::format("HTTP/2 status '{}', expected 200", status_);
    if (grpc_status_ != "0") return fmt::format("grpc-status '{}', expected 0", grpc_status_);
    const auto health = read_health_response(answer_);
    if (!health) return "sent no HealthCheckResponse";
    constexpr std::uint64_t kServing = 1;
    return *health == kServing ? Finding()
                               : fmt::format("serving status {}, expected 1 (SERVING)", *health);
  }

 private:
  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* self) {
    auto& call = *static_cast<Call*>(self);
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    constexpr std::size_t kMostShown = 16;
    const std::string text(reinterpret_cast<const char*>(value), std::min(value_size, kMostShown));
    if (key == ":status") call.status_ = base::escape_controls(text);
    if (key == "grpc-status") call.grpc_status_ = base::escape_controls(text);
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* bytes,
                     std::size_t size, void* self) {
    auto& answer = static_cast<Call*>(self)->answer_;
    if (answer.size() + size > kMostMessage) return NGHTTP2_ERR_CALLBACK_FAILURE;
    answer.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t, std::uint32_t, void* self) {
    static_cast<Call*>(self)->is_over_ = true;
    return 0;
  }
  static ssize_t read_message(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                              std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& call = *static_cast<Call*>(source->ptr);
    const auto size = std::min(room, call.message_.size() - call.sent_);
    std::memcpy(into, call.message_.data() + call.sent_, size);
    call.sent_ += size;
    if (call.sent_ == call.message_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  std::string authority_;
  std::string message_;
  std::size_t sent_ = 0;
  Session session_;
  std::string status_;
  std::string grpc_status_;
  std::string answer_;
  bool is_over_ = false;
};

}  // namespace

base::Task<Finding> probe_grpc(const Check& check, net::Stream& stream, base::TcpEndpoint peer) {
  const auto& host = check.settings.host;
  Call call(host.empty() ? base::format_endpoint(peer.address(), peer.port()) : host,
            check.settings.service);
  if (!call.begin()) co_return Finding("the call cannot be made");
  constexpr std::size_t kPiece = 2048;
  std::array<char, kPiece> piece;
  std::string out;
  std::size_t read = 0;
  for (;;) {
    if (!call.take_output(out)) co_return Finding("broke HTTP/2");
    if (!out.empty()) {
      const auto sent = co_await stream.write(out);
      if (!sent) co_return finding_of("send", sent.error());
    }
    if (call.is_over()) co_return call.result();
    if (call.is_given_up()) co_return Finding("does not speak HTTP/2");
    if (read >= kMostRead) co_return fmt::format("sent {} bytes without an answer", read);
    const auto got = co_await stream.read_some(piece);
    if (!got) co_return finding_of("receive", got.error());
    if (*got == 0) co_return fmt::format("closed the connection after {} bytes", read);
    read += *got;
    if (!call.feed({piece.data(), *got})) co_return Finding("does not speak HTTP/2");
  }
}

}  // namespace penstock::health
