#include "controller/dns/resolver.h"

#include <arpa/nameser.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "controller/dns/channel.h"
#include "proxy/base/text.h"

namespace penstock::dns {

namespace {

constexpr std::chrono::seconds kForever{3600 * 24};

std::vector<base::Address> sorted(std::vector<base::Address> addresses) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

int parse_answer(const unsigned char* bytes, int size, bool is_v6, Answer& answer) {
  int count = kMaxAddresses;
  int smallest = std::numeric_limits<int>::max();
  if (!is_v6) {
    std::array<ares_addrttl, kMaxAddresses> found{};
    const int code = ares_parse_a_reply(bytes, size, nullptr, found.data(), &count);
    if (code != ARES_SUCCESS) return code;
    for (int i = 0; i < count; ++i) {
      answer.addresses.emplace_back(asio::ip::address_v4(ntohl(found[i].ipaddr.s_addr)));
      smallest = std::min(smallest, found[i].ttl);
    }
  } else {
    std::array<ares_addr6ttl, kMaxAddresses> found{};
    const int code = ares_parse_aaaa_reply(bytes, size, nullptr, found.data(), &count);
    if (code != ARES_SUCCESS) return code;
    for (int i = 0; i < count; ++i) {
      asio::ip::address_v6::bytes_type raw;
      std::memcpy(raw.data(), &found[i].ip6addr, raw.size());
      answer.addresses.emplace_back(asio::ip::address_v6(raw));
      smallest = std::min(smallest, found[i].ttl);
    }
  }
  if (answer.addresses.empty()) return ARES_ENODATA;
  answer.ttl = std::chrono::seconds(std::max(0, smallest));
  return ARES_SUCCESS;
}

/// c-ares keeps no TTL of SRV records.
std::chrono::seconds smallest_ttl(const unsigned char* bytes, int size) {
  ns_msg message;
  if (ns_initparse(bytes, size, &message) != 0) return std::chrono::seconds(0);
  constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();  // RFC 2181 section 8
  auto smallest = kMost;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) return std::chrono::seconds(0);
    smallest = std::min<std::uint32_t>(smallest, ns_rr_ttl(record));
  }
  return std::chrono::seconds(smallest);
}

/// A target of "." says that there is none (RFC 2782).
int parse_srv(const unsigned char* bytes, int size, Answer& answer) {
  struct Free {
    void operator()(void* records) const { ares_free_data(records); }
  };
  ares_srv_reply* first = nullptr;
  const int code = ares_parse_srv_reply(bytes, size, &first);
  const std::unique_ptr<ares_srv_reply, Free> owner(first);
  if (code != ARES_SUCCESS) return code;
  for (const auto* each = first; each != nullptr; each = each->next) {
    auto name = base::to_lower(each->host);
    if (name.ends_with('.')) name.pop_back();
    if (name.empty() || each->port == 0 || answer.targets.size() >= kMaxAddresses) continue;
    answer.targets.push_back({each->priority, each->weight, each->port, std::move(name)});
  }
  std::sort(answer.targets.begin(), answer.targets.end());
  answer.ttl = smallest_ttl(bytes, size);
  return answer.targets.empty() ? ARES_ENODATA : ARES_SUCCESS;
}

bool says_nothing_there(int code) { return code == ARES_ENODATA || code == ARES_ENOTFOUND; }

}  // namespace

Question read_question(std::string_view text) {
  using Type = Question::Type;
  constexpr std::pair<std::string_view, Type> kTypes[] = {
      {"A ", Type::kA}, {"AAAA ", Type::kAaaa}, {"SRV ", Type::kSrv}};
  for (const auto& [prefix, type] : kTypes) {
    if (text.starts_with(prefix)) return {type, text.substr(prefix.size())};
  }
  return {Type::kAny, text};
}

std::string_view to_string(Failure failure) {
  switch (failure) {
    case Failure::kBadName:
      return "not a valid name";
    case Failure::kNotFound:
      return "no such name";
    case Failure::kUnavailable:
      return "no DNS server answered";
    case Failure::kTooMany:
      return "too many names are being resolved";
  }
  return "unknown failure";
}

class Resolver::Channel : public std::enable_shared_from_this<Resolver::Channel> {
 public:
  using OnDone = std::function<void(ResolveResult)>;

  Channel(asio::io_context& io, ResolvConf conf)
      : io_(io),
        conf_(std::move(conf)),
        ares_(std::make_unique<AresChannel>(io, conf_.servers, conf_.timeout, conf_.attempts)) {}

  void start(std::string_view text, OnDone on_done) {
    const auto [type, name] = read_question(text);
    base::error_code code;
    const auto address = asio::ip::make_address(std::string(name), code);
    if (!code) return post(std::move(on_done), Answer{{address}, kForever});
    if (lookups_ >= kMaxLookups)
      return post(std::move(on_done), std::unexpected(Failure::kTooMany));
    auto lookup = std::make_unique<Lookup>();
    // A zero byte would end the name early and ask for another one.
    const bool is_text = name.find('\0') == name.npos;
    if (is_text) lookup->names = candidates(name, conf_);
    lookup->channel = this;
    lookup->type = type;
    lookup->asks_v6 = type == Question::Type::kAaaa;
    lookup->on_done = std::move(on_done);
    ++lookups_;
    if (lookup->names.empty()) return finish(std::move(lookup), std::unexpected(Failure::kBadName));
    ask(std::move(lookup));
  }

  /// Ends all lookups without their callbacks.
  void close() {
    is_closed_ = true;
    ares_.reset();
  }

 private:
  /// One name on its way through its candidates; owned by the query that is under way.
  struct Lookup {
    Channel* channel = nullptr;
    std::vector<std::string> names;
    std::size_t next = 0;
    Question::Type type = Question::Type::kAny;
    bool asks_v6 = false;
    bool had_server_failure = false;
    OnDone on_done;
  };

  void ask(std::unique_ptr<Lookup> lookup) {
    const auto& name = lookup->names[lookup->next];
    const int address_type = lookup->asks_v6 ? ns_t_aaaa : ns_t_a;
    const int type = lookup->type == Question::Type::kSrv ? ns_t_srv : address_type;
    ares_->query(name, type, &Channel::on_reply, lookup.release());
  }

  static void on_reply(void* argument, int status, int, unsigned char* bytes, int size) {
    std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(argument));
    if (status == ARES_EDESTRUCTION || lookup->channel->is_closed_) return;
    auto& channel = *lookup->channel;
    channel.take_reply(std::move(lookup), status, bytes, size);
  }

  void take_reply(std::unique_ptr<Lookup> lookup, int status, const unsigned char* bytes,
                  int size) {
    Answer answer;
    const auto type = lookup->type;
    if (status == ARES_SUCCESS) {
      status = type == Question::Type::kSrv ? parse_srv(bytes, size, answer)
                                            : parse_answer(bytes, size, lookup->asks_v6, answer);
    }
    if (status == ARES_SUCCESS) {
      answer.addresses = sorted(std::move(answer.addresses));
      return finish(std::move(lookup), std::move(answer));
    }
    if (status == ARES_ENODATA && type == Question::Type::kAny && !lookup->asks_v6) {
      lookup->asks_v6 = true;
      return ask(std::move(lookup));
    }
    if (status == ARES_EBADNAME) {
      return finish(std::move(lookup), std::unexpected(Failure::kBadName));
    }
    // As libc: a server that fails for one domain of the search list does not end the search, but
    // then a name that was not found is not known to be absent.
    if (status == ARES_ESERVFAIL) {
      lookup->had_server_failure = true;
    } else if (!says_nothing_there(status)) {
      return finish(std::move(lookup), std::unexpected(Failure::kUnavailable));
    }
    if (++lookup->next < lookup->names.size()) {
      lookup->asks_v6 = type == Question::Type::kAaaa;
      return ask(std::move(lookup));
    }
    const auto why = lookup->had_server_failure ? Failure::kUnavailable : Failure::kNotFound;
    finish(std::move(lookup), std::unexpected(why));
  }

  void finish(std::unique_ptr<Lookup> lookup, ResolveResult result) {
    --lookups_;
    post(std::move(lookup->on_done), std::move(result));
  }

  void post(OnDone on_done, ResolveResult result) {
    asio::post(io_, [weak = weak_from_this(), done = std::move(on_done),
                     result = std::move(result)]() mutable {
      const auto self = weak.lock();
      if (self && !self->is_closed_) done(std::move(result));
    });
  }

  asio::io_context& io_;
  ResolvConf conf_;
  std::size_t lookups_ = 0;
  bool is_closed_ = false;
  std::unique_ptr<AresChannel> ares_;
};

Resolver::Resolver(asio::io_context& io, ResolvConf conf)
    : channel_(std::make_shared<Channel>(io, std::move(conf))) {}

Resolver::~Resolver() { channel_->close(); }

void Resolver::resolve(std::string_view name, std::function<void(ResolveResult)> on_done) {
  channel_->start(name, std::move(on_done));
}

}  // namespace penstock::dns
