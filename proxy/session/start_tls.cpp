#include "proxy/session/start_tls.h"

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "proxy/base/text.h"
#include "proxy/session/clear_io.h"

namespace penstock::session {
namespace {

using namespace std::string_view_literals;

// PostgreSQL, Frontend/Backend Protocol 55.2.10 and 55.7: a length and a code, no type byte.
constexpr std::string_view kSslRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f"sv;
constexpr std::string_view kGssRequest = "\x00\x00\x00\x08\x04\xd2\x16\x30"sv;
constexpr char kTlsRecord = 0x16;
/// ErrorResponse: 28000, invalid_authorization_specification.
constexpr std::string_view kPostgresRefusal =
    "E\x00\x00\x00\x45SFATAL\0VFATAL\0C28000\0Mthis port takes connections with TLS only\0\0"sv;
static_assert(kPostgresRefusal.size() == 1 + 0x45);

// RFC 5321 4.5.3.1.4 (512 bytes a line), RFC 3207.
constexpr std::size_t kMaxLine = 512;
constexpr int kMostCommands = 20;
constexpr std::size_t kMaxReply = 16 << 10;

/// One line off the front of `bytes`, with its end; empty where none comes.
base::Task<std::string> take_line(net::Stream& stream, std::string& bytes) {
  for (;;) {
    if (const auto end = bytes.find('\n'); end != std::string::npos) {
      auto line = bytes.substr(0, end + 1);
      bytes.erase(0, end + 1);
      co_return line;
    }
    if (bytes.size() >= kMaxLine) co_return std::string();
    const auto before = bytes.size();
    bytes.resize(kMaxLine);
    const auto got = co_await stream.read_some(std::span(bytes).subspan(before));
    bytes.resize(before + (got ? *got : 0));
    if (!got || *got == 0) co_return std::string();
  }
}

base::Task<bool> await_postgres(net::Stream& client, std::string& early, std::string& failure) {
  for (int i = 0; i < 2; ++i) {
    const bool is_whole = co_await fill(client, early, kSslRequest.size());
    if (!early.empty() && early.front() == kTlsRecord) co_return true;
    if (!is_whole) {
      failure = "connection closed before the request for TLS";
      co_return false;
    }
    if (early.size() > kSslRequest.size()) {
      failure = "bytes in the clear behind the first message";
      co_return false;
    }
    if (early == kSslRequest) {
      early.clear();
      const bool is_said = co_await say(client, "S");
      co_return is_said;
    }
    if (early != kGssRequest) {
      co_await say(client, kPostgresRefusal);
      failure = "the client does not ask for TLS";
      co_return false;
    }
    early.clear();
    const bool is_said = co_await say(client, "N");
    if (!is_said) break;
  }
  failure = "the client does not ask for TLS";
  co_return false;
}

enum class Command : char { kHello, kExtendedHello, kHarmless, kStartTls, kQuit, kOther };

Command command_of(std::string_view line) {
  const auto text = base::trim(line.substr(0, line.find_first_of("\r\n")));
  const auto verb = base::to_lower(text.substr(0, text.find(' ')));
  if (verb == "ehlo") return Command::kExtendedHello;
  if (verb == "helo") return Command::kHello;
  if (verb == "noop" || verb == "rset") return Command::kHarmless;
  if (verb == "quit") return Command::kQuit;
  return verb == "starttls" && text == text.substr(0, verb.size()) ? Command::kStartTls
                                                                   : Command::kOther;
}

std::string_view answer_to(Command command) {
  switch (command) {
    case Command::kHello:
      return "250 penstock\r\n";
    case Command::kExtendedHello:
      return "250-penstock\r\n250 STARTTLS\r\n";
    case Command::kHarmless:
      return "250 2.0.0 OK\r\n";
    case Command::kStartTls:
      return "220 2.0.0 ready for TLS\r\n";
    case Command::kQuit:
      return "221 2.0.0 bye\r\n";
    case Command::kOther:
      break;
  }
  return "530 5.7.0 Must issue a STARTTLS command first\r\n";
}

base::Task<bool> await_smtp(net::Stream& client, std::string& early, std::string& failure) {
  failure = "the client does not ask for TLS";
  // Who speaks before the greeting does not wait for answers (RFC 5321 3.1).
  if (!early.empty()) co_return false;
  bool goes_on = co_await say(client, "220 penstock ESMTP\r\n");
  for (int i = 0; goes_on && i < kMostCommands; ++i) {
    const auto line = co_await take_line(client, early);
    if (line.empty()) break;
    const auto command = command_of(line);
    if (command == Command::kStartTls && !early.empty()) {
      failure = "bytes in the clear behind STARTTLS";
      co_return false;
    }
    goes_on = co_await say(client, answer_to(command));
    if (command == Command::kStartTls) {
      failure.clear();
      co_return goes_on;
    }
    if (command == Command::kQuit) break;
  }
  co_return false;
}

/// A reply of one or more lines: "250-..." goes on, "250 ..." ends it.
base::Task<std::string> take_reply(net::Stream& stream, std::string& bytes) {
  std::string reply;
  while (reply.size() < kMaxReply) {
    const auto line = co_await take_line(stream, bytes);
    if (line.size() < 5) break;
    reply += line;
    if (line[3] != '-') co_return reply;
  }
  co_return std::string();
}

base::Task<bool> ask_smtp(net::Stream& upstream) {
  std::string bytes;
  static constexpr std::array kSteps = {std::pair{""sv, "220"sv},
                                        std::pair{"EHLO penstock\r\n"sv, "250"sv},
                                        std::pair{"STARTTLS\r\n"sv, "220"sv}};
  for (const auto& [command, expected] : kSteps) {
    const bool is_said = co_await say(upstream, command);
    if (!is_said) co_return false;
    const auto reply = co_await take_reply(upstream, bytes);
    if (!reply.starts_with(expected) || !bytes.empty()) co_return false;
  }
  co_return true;
}

}  // namespace

base::Task<bool> await_start_tls(net::Stream& client, snapshot::StartTls protocol,
                                 std::string& early, std::string& failure) {
  bool is_ready = true;
  if (protocol == snapshot::StartTls::kPostgres) {
    is_ready = co_await await_postgres(client, early, failure);
  } else if (protocol == snapshot::StartTls::kSmtp) {
    is_ready = co_await await_smtp(client, early, failure);
  }
  co_return is_ready;
}

base::Task<bool> ask_start_tls(net::Stream& upstream, snapshot::StartTls protocol) {
  bool is_ready = true;
  if (protocol == snapshot::StartTls::kPostgres) {
    std::string answer;
    is_ready = co_await say(upstream, kSslRequest);
    if (is_ready) is_ready = co_await fill(upstream, answer, 1);
    is_ready = is_ready && answer == "S";
  } else if (protocol == snapshot::StartTls::kSmtp) {
    is_ready = co_await ask_smtp(upstream);
  }
  co_return is_ready;
}

base::Task<bool> take_greeting(net::Stream& upstream, std::string& reply) {
  std::string bytes;
  reply = co_await take_reply(upstream, bytes);
  if (reply.empty()) co_return false;
  if (reply.starts_with("220")) reply.clear();
  reply += bytes;
  co_return true;
}

}  // namespace penstock::session
