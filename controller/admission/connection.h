#pragma once
// One connection of the API server to the admission webhook, and what all of them share. On the
// server's thread.
//
// A stranger in the cluster may connect as well. So a request says how long its body is before a
// byte of it is taken, all bodies together have a bound, every wait has an end, and where there are
// too many connections the one that has said nothing for longest makes room.
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controller/admission/server.h"
#include "proxy/base/clock.h"

namespace penstock::admission {

class Connection;
using TlsContext = std::shared_ptr<asio::ssl::context>;

struct Connections {
  AskJudge ask;
  ReviewReader reader;  // one: it needs many times the memory of what it reads
  std::size_t body_bytes_left = 32U << 20;
  std::map<const Connection*, std::shared_ptr<Connection>> open;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, TlsContext context, Connections& all)
      : context_(std::move(context)), stream_(std::move(socket), *context_), all_(all) {}

  void start();
  /// Between two requests, or not that far; a request under way is not disturbed.
  bool is_idle() const { return is_idle_; }
  base::SteadyTime idle_since() const { return idle_since_; }
  /// Ends it at once.
  void drop();

 private:
  void read();
  void take_head(base::error_code code);
  /// The status that refuses a request by its head alone; 0 where there is none.
  unsigned refusal() const;
  bool reserve(std::size_t size);
  void release();
  void take_body(base::error_code code);
  void take_review();
  void ask(Review review);
  void reply(unsigned status, std::string body, bool is_last);
  void close();
  void be_idle();

  TlsContext context_;
  boost::beast::ssl_stream<boost::beast::tcp_stream> stream_;
  Connections& all_;
  bool is_idle_ = true;
  base::SteadyTime idle_since_ = std::chrono::steady_clock::now();
  bool is_last_ = false;
  std::size_t reserved_ = 0;
  boost::beast::flat_buffer buffer_{128U << 10};  // at most; a longer body goes past it in pieces
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;
};

}  // namespace penstock::admission
