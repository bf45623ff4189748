#pragma once
// Makes bytes of a session fit to be looked at: what is not printable becomes '.', and what is known
// to be a credential becomes '***'. It knows, in either case of letters:
//
//   HTTP      values of headers named like authorization, cookie, token, secret or key (RFC 9110)
//   SMTP, POP3, IMAP, FTP   AUTH, AUTHENTICATE, PASS, APOP, LOGIN, and the lines that follow
//   Redis     AUTH, plain and as an array (RESP); HELLO ... AUTH
//   SASL      a line of nothing but base64 (RFC 4648) of 16 characters or more
//   PostgreSQL   PasswordMessage and SASL messages ('p')
//   MySQL     the client's handshake response and what follows it in the same phase
//   anything  password=..., "token": "...", and the like
//
// A protocol that it does not know is shown as it is. Fed piece by piece, one redactor for each
// direction: a credential that goes on in the next piece stays hidden.
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::telemetry {

class Redactor {
 public:
  /// `is_from_client`: messages of the database protocols are looked for on this side only.
  explicit Redactor(bool is_from_client) : is_from_client_(is_from_client) {}

  /// At most as long as the piece and a few stars.
  std::string operator()(std::string_view piece);

 private:
  bool is_database_secret(std::string_view piece) const;
  void add_line(std::string_view line, bool is_whole, std::string& out);

  bool is_from_client_;
  bool is_in_secret_ = false;       // the last line was hidden to its end, which has not come
  std::uint32_t hidden_lines_ = 0;  // that are still to come
};

}  // namespace penstock::telemetry
