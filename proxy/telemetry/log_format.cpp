#include "proxy/telemetry/log_format.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/telemetry/trace.h"

namespace penstock::telemetry {

class FieldWriter {
 public:
  FieldWriter(std::string& out, snapshot::LogEscape escape) : out_(out), escape_(escape) {}

  /// What came from the network: escaped.
  void text(std::string_view value) {
    if (value.empty()) return absent();
    switch (escape_) {
      case snapshot::LogEscape::kDefault:
        return escape_default(value);
      case snapshot::LogEscape::kJson:
        out_ += base::escape_json(value);
        return;
      case snapshot::LogEscape::kNone:
        out_ += base::escape_controls(value);
        return;
    }
  }
  /// What we made ourselves.
  void plain(std::string_view value) {
    if (value.empty()) return absent();
    out_ += value;
  }
  void number(std::uint64_t value) {
    std::array<char, 20> digits;
    out_.append(digits.data(), std::to_chars(digits.data(), digits.end(), value).ptr);
  }
  /// Seconds with milliseconds.
  void seconds(base::Duration value) {
    if (value.count() < 0) return absent();
    const auto all = static_cast<std::uint64_t>(value.count());
    number(all / 1000);
    const auto rest = all % 1000;
    const std::array<char, 4> part{'.', digit(rest / 100), digit(rest / 10 % 10), digit(rest % 10)};
    out_.append(part.data(), part.size());
  }
  void absent() {
    if (escape_ != snapshot::LogEscape::kJson) out_ += '-';
  }
  std::string& out() { return out_; }

 private:
  static char digit(std::uint64_t value) { return static_cast<char>('0' + value); }
  static constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> table{};
    for (std::size_t c = 0x20; c <= 0x7e; ++c) table[c] = c != '"' && c != '\\';
    return table;
  }();
  void escape_default(std::string_view value) {
    for (;;) {
      const auto* at = value.data();
      const auto* const end = at + value.size();
      while (at != end && kPlain[static_cast<unsigned char>(*at)]) ++at;
      out_.append(value.data(), at);
      if (at == end) return;
      fmt::format_to(std::back_inserter(out_), "\\x{:02X}", static_cast<unsigned char>(*at));
      value = {at + 1, end};
    }
  }

  std::string& out_;
  snapshot::LogEscape escape_;
};

namespace {

std::time_t second_of(base::WallTime time) { return std::chrono::system_clock::to_time_t(time); }

/// Texts of the current second, made once.
const std::string& time_text(base::WallTime now, const char* format, int which) {
  thread_local std::array<std::pair<std::time_t, std::string>, 2> cache{{{-1, {}}, {-1, {}}}};
  auto& [second, text] = cache[static_cast<std::size_t>(which)];
  if (const auto current = second_of(now); current != second) {
    second = current;
    text = fmt::format(fmt::runtime(format), fmt::gmtime(current));
  }
  return text;
}

void write_time_local(base::WallTime now, FieldWriter& out) {
  out.plain(time_text(now, "{:%d/%b/%Y:%H:%M:%S} +0000", 0));
}
void write_time_iso(base::WallTime now, FieldWriter& out) {
  out.plain(time_text(now, "{:%Y-%m-%dT%H:%M:%S}+00:00", 1));
}
void write_msec(base::WallTime now, FieldWriter& out) {
  out.seconds(std::chrono::duration_cast<base::Duration>(now.time_since_epoch()));
}
void write_server_address(const Client& client, FieldWriter& out) {
  out.plain(base::unmapped(client.connection->server_address()).to_string());
}
void write_host_name(FieldWriter& out) {
  static const std::string kName = [] {
    char name[256] = {};
    gethostname(name, sizeof name - 1);
    return std::string(name);
  }();
  out.plain(kName);
}

/// One value for each attempt, as nginx writes them: "a, b".
template <class Write>
void write_tries(std::span<const UpstreamTry> tries, FieldWriter& out, Write write) {
  if (tries.empty()) return out.absent();
  bool is_first = true;
  for (const auto& each : tries) {
    if (!is_first) out.out() += ", ";
    is_first = false;
    write(each);
  }
}

void write_upstream_addr(std::span<const UpstreamTry> tries, FieldWriter& out) {
  write_tries(tries, out, [&](const UpstreamTry& each) {
    base::append_endpoint(out.out(), each.address.address(), each.address.port());
  });
}
void write_upstream_times(std::span<const UpstreamTry> tries, FieldWriter& out,
                          base::Duration UpstreamTry::* time) {
  write_tries(tries, out, [&](const UpstreamTry& each) { out.seconds(each.*time); });
}
void write_upstream_bytes(std::span<const UpstreamTry> tries, FieldWriter& out,
                          std::uint64_t UpstreamTry::* count) {
  write_tries(tries, out, [&](const UpstreamTry& each) { out.number(each.*count); });
}

void write_upstream_reasons(std::span<const UpstreamTry> tries, FieldWriter& out) {
  write_tries(tries, out, [&](const UpstreamTry& each) {
    if (!each.failure) return out.absent();
    out.plain(base::word_of(*each.failure));
  });
}

template <class Record>
struct Variable {
  std::string_view name;
  void (*write)(const Record&, FieldWriter&, std::string_view);
};

using H = HttpRecord;
using S = StreamRecord;
using W = FieldWriter;
using V = std::string_view;

void write_upstream_name(const H& record, W& out, V) {
  if (record.service.empty()) return out.absent();
  auto& text = out.out();
  text.append(record.name_space).append("-").append(record.service).append("-");
  text.append(record.service_port);
}

template <class Write>
void write_trace(const H& record, W& out, Write write) {
  if (record.trace == nullptr) return out.absent();
  write(out.out(), record.trace->server);
}

// Sorted by name.
constexpr Variable<H> kHttpVariables[] = {
    {"args", [](const H& r, W& w, V) { w.text(r.query); }},
    {"body_bytes_sent", [](const H& r, W& w, V) { w.number(r.body_bytes_sent); }},
    {"bytes_sent", [](const H& r, W& w, V) { w.number(r.bytes_sent); }},
    {"connection", [](const H& r, W& w, V) { w.number(r.client.number); }},
    {"connection_requests", [](const H& r, W& w, V) { w.number(r.requests); }},
    {"host", [](const H& r, W& w, V) { w.text(r.host); }},
    {"hostname", [](const H&, W& w, V) { write_host_name(w); }},
    {"ingress_name", [](const H& r, W& w, V) { w.plain(r.ingress); }},
    {"msec", [](const H& r, W& w, V) { write_msec(r.now, w); }},
    {"namespace", [](const H& r, W& w, V) { w.plain(r.name_space); }},
    {"opentelemetry_context_traceparent",
     [](const H& r, W& w, V) { write_trace(r, w, append_traceparent); }},
    {"opentelemetry_span_id",
     [](const H& r, W& w, V) {
       write_trace(r, w, [](auto& out, const auto& server) { append_hex(out, server.span); });
     }},
    {"opentelemetry_trace_id",
     [](const H& r, W& w, V) {
       write_trace(r, w, [](auto& out, const auto& server) { append_hex(out, server.trace); });
     }},
    {"pid", [](const H&, W& w, V) { w.number(static_cast<std::uint64_t>(getpid())); }},
    {"proxy_add_x_forwarded_for",
     [](const H& r, W& w, V) {
       const auto before = r.header("x-forwarded-for");
       if (!before.empty()) {
         w.text(before);
         w.out() += ", ";
       }
       w.plain(r.client.address_text);
     }},
    {"proxy_alternative_upstream_name", [](const H&, W& w, V) { w.absent(); }},
    {"proxy_protocol_addr",
     [](const H& r, W& w, V) {
       if (!r.client.has_proxy_header) return w.absent();
       w.plain(r.client.address_text);
     }},
    {"proxy_upstream_name", write_upstream_name},
    {"query_string", [](const H& r, W& w, V) { w.text(r.query); }},
    {"remote_addr", [](const H& r, W& w, V) { w.plain(r.client.address_text); }},
    {"remote_port", [](const H& r, W& w, V) { w.number(r.client.peer.port()); }},
    {"remote_user", [](const H&, W& w, V) { w.absent(); }},
    {"req_id", [](const H& r, W& w, V) { w.text(r.request_id); }},
    {"request",
     [](const H& r, W& w, V) {
       if (r.method.empty()) return w.absent();
       w.text(r.method);
       w.out() += ' ';
       w.text(r.target);
       w.out() += r.minor_version == 0 ? " HTTP/1.0" : " HTTP/1.1";
     }},
    {"request_id", [](const H& r, W& w, V) { w.text(r.request_id); }},
    {"request_length", [](const H& r, W& w, V) { w.number(r.request_length); }},
    {"request_method", [](const H& r, W& w, V) { w.text(r.method); }},
    {"request_time", [](const H& r, W& w, V) { w.seconds(r.time); }},
    {"request_uri", [](const H& r, W& w, V) { w.text(r.target); }},
    {"scheme", [](const H& r, W& w, V) { w.plain(r.scheme); }},
    {"server_addr", [](const H& r, W& w, V) { write_server_address(r.client, w); }},
    {"server_name", [](const H& r, W& w, V) { w.plain(r.host_name); }},
    {"server_port", [](const H& r, W& w, V) { w.number(r.client.server_port); }},
    {"server_protocol",
     [](const H& r, W& w, V) { w.plain(r.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1"); }},
    {"service_name", [](const H& r, W& w, V) { w.plain(r.service); }},
    {"service_port", [](const H& r, W& w, V) { w.plain(r.service_port); }},
    {"ssl_cipher", [](const H& r, W& w, V) { w.plain(r.client.connection->tls_cipher()); }},
    {"ssl_protocol", [](const H& r, W& w, V) { w.plain(r.client.connection->tls_protocol()); }},
    {"status", [](const H& r, W& w, V) { w.number(r.status); }},
    {"the_real_ip", [](const H& r, W& w, V) { w.plain(r.client.address_text); }},
    {"time_iso8601", [](const H& r, W& w, V) { write_time_iso(r.now, w); }},
    {"time_local", [](const H& r, W& w, V) { write_time_local(r.now, w); }},
    {"upstream_addr", [](const H& r, W& w, V) { write_upstream_addr(r.tries, w); }},
    {"upstream_connect_time",
     [](const H& r, W& w, V) { write_upstream_times(r.tries, w, &UpstreamTry::connect); }},
    {"upstream_header_time",
     [](const H& r, W& w, V) { write_upstream_times(r.tries, w, &UpstreamTry::header); }},
    {"upstream_reason", [](const H& r, W& w, V) { write_upstream_reasons(r.tries, w); }},
    {"upstream_response_length",
     [](const H& r, W& w, V) { write_upstream_bytes(r.tries, w, &UpstreamTry::received); }},
    {"upstream_response_time",
     [](const H& r, W& w, V) { write_upstream_times(r.tries, w, &UpstreamTry::total); }},
    {"upstream_status",
     [](const H& r, W& w, V) {
       write_tries(r.tries, w, [&](const UpstreamTry& each) {
         w.number(each.status == 0 ? 502 : each.status);
       });
     }},
    {"uri", [](const H& r, W& w, V) { w.text(r.path); }},
};

constexpr Variable<S> kStreamVariables[] = {
    {"bytes_received", [](const S& r, W& w, V) { w.number(r.bytes_received); }},
    {"bytes_sent", [](const S& r, W& w, V) { w.number(r.bytes_sent); }},
    {"connection", [](const S& r, W& w, V) { w.number(r.client.number); }},
    {"hostname", [](const S&, W& w, V) { write_host_name(w); }},
    {"msec", [](const S& r, W& w, V) { write_msec(r.now, w); }},
    {"pid", [](const S&, W& w, V) { w.number(static_cast<std::uint64_t>(getpid())); }},
    {"protocol", [](const S& r, W& w, V) { w.plain(r.protocol); }},
    {"proxy_protocol_addr",
     [](const S& r, W& w, V) {
       if (!r.client.has_proxy_header) return w.absent();
       w.plain(r.client.address_text);
     }},
    {"proxy_upstream_name", [](const S& r, W& w, V) { w.plain(r.name); }},
    {"reason", [](const S& r, W& w, V) { w.plain(base::word_of(r.reason)); }},
    {"remote_addr", [](const S& r, W& w, V) { w.plain(r.client.address_text); }},
    {"remote_port", [](const S& r, W& w, V) { w.number(r.client.peer.port()); }},
    {"server_addr", [](const S& r, W& w, V) { write_server_address(r.client, w); }},
    {"server_port", [](const S& r, W& w, V) { w.number(r.client.server_port); }},
    {"session_time", [](const S& r, W& w, V) { w.seconds(r.time); }},
    {"status", [](const S& r, W& w, V) { w.number(base::status_of(r.reason)); }},
    {"time_iso8601", [](const S& r, W& w, V) { write_time_iso(r.now, w); }},
    {"time_local", [](const S& r, W& w, V) { write_time_local(r.now, w); }},
    {"upstream_addr", [](const S& r, W& w, V) { write_upstream_addr(r.tries, w); }},
    {"upstream_bytes_received",
     [](const S& r, W& w, V) { write_upstream_bytes(r.tries, w, &UpstreamTry::received); }},
    {"upstream_bytes_sent",
     [](const S& r, W& w, V) { write_upstream_bytes(r.tries, w, &UpstreamTry::sent); }},
    {"upstream_connect_time",
     [](const S& r, W& w, V) { write_upstream_times(r.tries, w, &UpstreamTry::connect); }},
    {"upstream_reason", [](const S& r, W& w, V) { write_upstream_reasons(r.tries, w); }},
    {"upstream_session_time",
     [](const S& r, W& w, V) { write_upstream_times(r.tries, w, &UpstreamTry::total); }},
};

template <class Record, std::size_t N>
auto find_in(const Variable<Record> (&table)[N], std::string_view name) {
  const auto found = std::ranges::find(table, name, &Variable<Record>::name);
  return found == std::end(table) ? nullptr : found->write;
}

bool is_name_char(char c) {
  return base::is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

template <class Record, std::size_t N>
std::vector<std::string_view> names_of(const Variable<Record> (&table)[N]) {
  std::vector<std::string_view> out;
  for (const auto& each : table) out.push_back(each.name);
  return out;
}

}  // namespace

template <>
HttpLogFormat::Write HttpLogFormat::find(std::string_view name, std::string& argument) {
  if (const auto write = find_in(kHttpVariables, name)) return write;
  if (!name.starts_with("http_")) return nullptr;
  argument = base::to_lower(name.substr(5));
  std::ranges::replace(argument, '_', '-');
  return [](const H& r, W& w, V header) { w.text(r.header(header)); };
}

template <>
StreamLogFormat::Write StreamLogFormat::find(std::string_view name, std::string&) {
  return find_in(kStreamVariables, name);
}

template <class Record>
LogFormat<Record>::LogFormat(std::string_view format, snapshot::LogEscape escape)
    : escape_(escape) {
  const auto add_literal = [&](std::string_view text) {
    if (text.empty()) return;
    if (pieces_.empty() || pieces_.back().write != nullptr) pieces_.emplace_back();
    pieces_.back().literal += text;
  };
  while (!format.empty()) {
    const auto dollar = format.find('$');
    add_literal(format.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    format.remove_prefix(dollar + 1);
    const bool is_braced = format.starts_with('{');
    const auto inner = is_braced ? format.substr(1) : format;
    const auto size =
        static_cast<std::size_t>(std::ranges::find_if_not(inner, is_name_char) - inner.begin());
    const auto name = inner.substr(0, size);
    const bool is_closed = !is_braced || (size < inner.size() && inner[size] == '}');
    if (name.empty() || !is_closed) {
      add_literal("$");
      continue;
    }
    format.remove_prefix(size + (is_braced ? 2 : 0));
    Piece piece;
    piece.write = find(name, piece.literal);
    if (piece.write == nullptr) {
      unknown_.emplace_back(name);
      add_literal("-");
    } else {
      pieces_.push_back(std::move(piece));
    }
  }
}

template <class Record>
void LogFormat<Record>::append(const Record& record, std::string& out) const {
  FieldWriter writer(out, escape_);
  for (const auto& piece : pieces_) {
    if (piece.write == nullptr) {
      out += piece.literal;
    } else {
      piece.write(record, writer, piece.literal);
    }
  }
  out += '\n';
}

template class LogFormat<HttpRecord>;
template class LogFormat<StreamRecord>;

std::vector<std::string_view> http_variables() { return names_of(kHttpVariables); }
std::vector<std::string_view> stream_variables() { return names_of(kStreamVariables); }

}  // namespace penstock::telemetry
