#include "controller/admission/connection.h"

#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::uint64_t kLargestBody = 9U << 20;  // as the original's
constexpr std::uint32_t kLargestHead = 16U << 10;
constexpr std::chrono::seconds kLongestHandshake{10};
/// The API server waits 30 s at most for an answer, with all that went before.
constexpr std::chrono::seconds kLongestBody{10};
constexpr std::chrono::seconds kLongestReply{10};
constexpr std::chrono::seconds kLongestClose{2};
/// The API server keeps its connections.
constexpr std::chrono::seconds kLongestIdle{120};

const char* reason_of(unsigned status) {
  switch (status) {
    case 405:
      return "POST an AdmissionReview\n";
    case 411:
      return "the request does not say how long its body is\n";
    case 413:
      return "the body is larger than 9 MiB\n";
    case 431:
      return "the head is larger than 16 KiB\n";
    default:
      return "too many large requests at a time\n";
  }
}

}  // namespace

void Connection::start() {
  beast::get_lowest_layer(stream_).expires_after(kLongestHandshake);
  stream_.async_handshake(asio::ssl::stream_base::server,
                          [self = shared_from_this()](base::error_code code) {
                            if (code) return self->drop();
                            self->read();
                          });
}

void Connection::be_idle() {
  is_idle_ = true;
  idle_since_ = std::chrono::steady_clock::now();
}

void Connection::read() {
  be_idle();
  parser_.emplace();
  parser_->header_limit(kLargestHead);
  parser_->body_limit(kLargestBody);
  beast::get_lowest_layer(stream_).expires_after(kLongestIdle);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](base::error_code code, std::size_t) { self->take_head(code); });
}

void Connection::take_head(base::error_code code) {
  is_idle_ = false;
  if (code == http::error::body_limit) return reply(413, reason_of(413), true);
  if (code == http::error::header_limit || code == http::error::buffer_overflow) {
    return reply(431, reason_of(431), true);
  }
  if (code == asio::error::eof || code == http::error::end_of_stream) return close();
  if (code) return drop();
  if (const auto status = refusal(); status != 0) return reply(status, reason_of(status), true);
  const auto size = static_cast<std::size_t>(*parser_->content_length());
  if (!reserve(size)) return reply(503, reason_of(503), true);
  is_last_ = !parser_->get().keep_alive();
  beast::get_lowest_layer(stream_).expires_after(kLongestBody);
  http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](base::error_code read, std::size_t) { self->take_body(read); });
}

unsigned Connection::refusal() const {
  if (parser_->get().method() != http::verb::post) return 405;
  const auto size = parser_->content_length();
  if (!size) return 411;
  return *size > kLargestBody ? 413 : 0;
}

bool Connection::reserve(std::size_t size) {
  if (size > all_.body_bytes_left) return false;
  all_.body_bytes_left -= size;
  reserved_ = size;
  return true;
}

void Connection::release() { all_.body_bytes_left += std::exchange(reserved_, 0); }

void Connection::take_body(base::error_code code) {
  if (code) return drop();
  try {
    take_review();
  } catch (const std::exception& error) {  // out of memory
    base::log::error("admission: a review was given up: {}", error.what());
    drop();
  }
}

void Connection::take_review() {
  auto review = all_.reader.read(parser_->get().body());
  parser_.reset();  // the text; what was read of it counts until the answer
  if (!review) return reply(400, base::escape_controls(review.error().message) + "\n", true);
  if (!review->kind) return reply(200, write_answer(review->uid, {}), is_last_);
  ask(std::move(*review));
}

void Connection::ask(Review review) {
  // Nothing of the stream is under way until the verdict has come.
  beast::get_lowest_layer(stream_).expires_never();
  auto uid = review.uid;
  // Only a weak pointer leaves this thread: a connection ends where it lives.
  all_.ask(std::move(review), [executor = stream_.get_executor(), weak = weak_from_this(),
                               uid](std::optional<Verdict> verdict) {
    asio::post(executor, [weak, uid, verdict = std::move(verdict)] {
      const auto self = weak.lock();
      if (!self) return;
      if (verdict) return self->reply(200, write_answer(uid, *verdict), self->is_last_);
      self->reply(503, "there is no verdict: the cluster is not known yet\n", self->is_last_);
    });
  });
}

void Connection::reply(unsigned status, std::string body, bool is_last) {
  release();
  response_.emplace();
  response_->result(status);
  response_->set(http::field::server, "penstock");
  response_->set(http::field::content_type, status == 200 ? "application/json" : "text/plain");
  response_->keep_alive(!is_last);
  response_->body() = std::move(body);
  response_->prepare_payload();
  beast::get_lowest_layer(stream_).expires_after(kLongestReply);
  http::async_write(stream_, *response_,
                    [self = shared_from_this(), is_last](base::error_code code, std::size_t) {
                      if (code) return self->drop();
                      if (is_last) return self->close();
                      self->read();
                    });
}

void Connection::close() {
  be_idle();
  beast::get_lowest_layer(stream_).expires_after(kLongestClose);
  stream_.async_shutdown([self = shared_from_this()](base::error_code) { self->drop(); });
}

void Connection::drop() {
  release();
  beast::get_lowest_layer(stream_).close();
  // Last: it may be what keeps this object.
  all_.open.erase(this);
}

}  // namespace penstock::admission
