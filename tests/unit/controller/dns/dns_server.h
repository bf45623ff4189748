#pragma once
// A DNS server on a loopback UDP port that answers from a table which the test may change.
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/text.h"

namespace penstock::dns {

class DnsServer {
 public:
  struct Record {
    std::vector<std::string> v4;
    std::vector<std::string> v6;
    std::uint32_t ttl = 1;
    std::vector<std::string> srv = {};  // "priority weight port target"
  };
  static constexpr int kServerFailure = 2;
  static constexpr int kNoSuchName = 3;

  explicit DnsServer(asio::io_context& io) : socket_(io, {asio::ip::address_v4::loopback(), 0}) {
    receive();
  }
  std::string address() const {
    return fmt::format("127.0.0.1:{}", socket_.local_endpoint().port());
  }

  std::map<std::string, Record> records;
  std::map<std::string, int> failing;  // name to response code
  bool is_silent = false;
  bool sends_garbage = false;
  std::vector<std::string> asked;  // "A web.example"

 private:
  void receive() {
    socket_.async_receive_from(asio::buffer(input_), peer_,
                               [this](boost::system::error_code code, std::size_t size) {
                                 if (code) return;
                                 answer(size);
                                 receive();
                               });
  }
  void answer(std::size_t size) {
    std::string name;
    std::size_t at = 12;
    while (at < size && input_[at] != 0) {
      if (!name.empty()) name += '.';
      const std::size_t length = static_cast<unsigned char>(input_[at]);
      name.append(input_.data() + at + 1, length);
      at += length + 1;
    }
    const std::size_t end = at + 5;
    const bool is_v6 = input_[at + 2] == 28;
    const bool is_srv = input_[at + 2] == 33;
    asked.push_back((is_srv ? "SRV " : is_v6 ? "AAAA " : "A ") + name);
    if (is_silent) return;
    std::string reply(input_.data(), end);
    const auto found = records.find(name);
    const auto addresses = found == records.end() ? std::vector<std::string>()
                           : is_srv               ? found->second.srv
                           : is_v6                ? found->second.v6
                                                  : found->second.v4;
    int code = found == records.end() ? kNoSuchName : 0;
    if (const auto bad = failing.find(name); bad != failing.end()) code = bad->second;
    reply[2] = static_cast<char>(0x81);
    reply[3] = static_cast<char>(0x80 | code);
    reply.replace(6, 6, std::string(6, '\0'));
    if (code == 0) {
      reply[6] = static_cast<char>(addresses.size() >> 8);
      reply[7] = static_cast<char>(addresses.size());
      for (const auto& text : addresses) {
        reply +=
            is_srv ? srv_record(text, found->second.ttl) : record(text, is_v6, found->second.ttl);
      }
    }
    if (sends_garbage) reply = reply.substr(0, end) + "\xff\xff\xff";
    socket_.send_to(asio::buffer(reply), peer_);
  }
  static std::string srv_record(const std::string& text, std::uint32_t ttl) {
    const auto fields = base::split(text, ' ');
    std::string data;
    for (int i = 0; i < 3; ++i) {
      const auto number = *base::parse_integer<std::uint16_t>(fields[static_cast<std::size_t>(i)]);
      data += {static_cast<char>(number >> 8), static_cast<char>(number)};
    }
    for (const auto label : base::split(fields[3], '.')) {
      data += static_cast<char>(label.size());
      data += label;
    }
    if (!data.ends_with('\0')) data += '\0';
    std::string bytes("\xc0\x0c\x00\x21\x00\x01", 6);
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(ttl >> shift);
    bytes += {static_cast<char>(data.size() >> 8), static_cast<char>(data.size())};
    return bytes + data;
  }
  static std::string record(const std::string& text, bool is_v6, std::uint32_t ttl) {
    std::string bytes("\xc0\x0c\x00", 3);
    bytes += static_cast<char>(is_v6 ? 28 : 1);
    bytes += std::string("\x00\x01", 2);
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(ttl >> shift);
    bytes += '\0';
    bytes += static_cast<char>(is_v6 ? 16 : 4);
    const auto add = [&](const auto& raw) { bytes.append(raw.begin(), raw.end()); };
    if (is_v6) {
      add(asio::ip::make_address_v6(text).to_bytes());
    } else {
      add(asio::ip::make_address_v4(text).to_bytes());
    }
    return bytes;
  }

  asio::ip::udp::socket socket_;
  std::array<char, 2048> input_{};
  asio::ip::udp::endpoint peer_;
};

template <class Predicate>
bool run_until(asio::io_context& io, Predicate is_done,
               std::chrono::milliseconds most = std::chrono::seconds(15)) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (!is_done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    io.restart();
    io.run_one_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace penstock::dns
