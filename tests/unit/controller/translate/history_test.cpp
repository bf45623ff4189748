// Over random histories of objects, what the translator has become equals what a fresh one makes of
// the same world, and the changes it gave add up to it.
#include <algorithm>
#include <random>

#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

class History {
 public:
  explicit History(unsigned seed) : random_(seed), cluster_(options()) {
    for (auto& pair : pairs_) pair = test::make_certificate({"a.example", "*.example", "h0.test"});
    for (const auto* name : {"n0", "n1"}) {
      cluster_.apply({{Kind::kNamespace, "", name},
                      false,
                      fmt::format(R"({{"metadata":{{"name":"{}"}}}})", name),
                      {}});
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto batch = 1 + pick(3);
      for (int j = 0; j < batch; ++j) change();
      step();
      if (testing::Test::HasFailure()) return;
    }
  }

 private:
  static Options options() {
    Options out;
    out.namespace_selector = *objects::LabelSelector::parse("served!=no");
    out.config_map = "n0/settings";
    out.tcp_services = "n0/tcp";
    out.udp_services = "n0/udp";
    out.default_backend = "n0/s0";
    out.https_port = 9002;  // where TCPServices can have names
    out.passes_tls_through = true;
    out.default_certificate = "n0/c0";
    out.fallback_chain_pem = "chain";
    out.fallback_key_pem = "key";
    return out;
  }

  int pick(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }
  std::string name(std::string_view prefix, int count) {
    return fmt::format("n{}/{}{}", pick(2), prefix, pick(count));
  }

  void change() {
    switch (pick(13)) {
      case 0:
      case 1:
        return change_ingress();
      case 2:
        return change_service();
      case 3:
        return change_slice();
      case 4:
        return change_secret();
      case 5:
        return change_class();
      case 6:
        return change_config();
      case 7:
        return change_stream(Kind::kTcpService);
      case 8:
        return change_stream(Kind::kUdpService);
      case 9:
        return change_namespace();
      case 10:
        return change_policy();
      case 11:
        return change_grant();
      default:
        return change_addresses();
    }
  }

  bool removes(Kind kind, const std::string& path) {
    if (pick(4) != 0) return false;
    cluster_.remove(kind, path);
    return true;
  }

  std::string host() {
    static constexpr std::array kHosts = {"a.example", "b.example", "*.example", "h0.test", ""};
    return kHosts[static_cast<std::size_t>(pick(5))];
  }

  void change_ingress() {
    const auto path = name("i", 4);
    if (removes(Kind::kIngress, path)) return;
    static constexpr std::array kAnnotations = {
        "",
        R"("nginx.ingress.kubernetes.io/load-balance":"ewma")",
        R"("nginx.ingress.kubernetes.io/proxy-body-size":"2m")",
        R"("nginx.ingress.kubernetes.io/proxy-body-size":"soon")",
        R"("nginx.ingress.kubernetes.io/canary":"true")",
        R"("nginx.ingress.kubernetes.io/ssl-passthrough":"true")",
        R"("nginx.ingress.kubernetes.io/whitelist-source-range":"x")"};
    std::string spec = R"("rules":[)";
    const auto count = pick(3);
    for (int i = 0; i < count; ++i) {
      std::vector<std::string> paths;
      for (int j = pick(3); j > 0; --j) {
        paths.push_back(fmt::format("{} /{} s{}", pick(2) == 0 ? "Exact" : "Prefix",
                                    pick(2) == 0 ? "" : "p", pick(3)));
      }
      spec += (i > 0 ? "," : "") + rule(host(), paths);
    }
    spec += "]";
    if (pick(3) == 0) {
      spec += R"(,"defaultBackend":{"service":{"name":"s1","port":{"number":80}}})";
    }
    if (pick(2) == 0) {
      spec += fmt::format(R"(,"tls":[{{"hosts":["{}"],"secretName":"c{}"}}])", host(), pick(2));
    }
    if (pick(8) == 0) spec += R"(,"rules":7)";
    cluster_.ingress(path, spec, kAnnotations[static_cast<std::size_t>(pick(7))], pick(4));
  }
  void change_service() {
    const auto path = name("s", 3);
    if (removes(Kind::kService, path)) return;
    if (pick(3) == 0) {
      cluster_.put(
          Kind::kService, path,
          fmt::format(R"("spec":{{"type":"ExternalName","externalName":"d{}.test"}})", pick(2)));
      return;
    }
    cluster_.service(path, fmt::format(R"({{"port":{}{}}})", 80 + pick(2),
                                       pick(3) == 0 ? R"(,"protocol":"UDP")" : ""));
  }
  void change_slice() {
    const auto path = name("s", 3);
    const auto suffix = std::to_string(pick(2));
    if (removes(Kind::kEndpointSlice, path + "-" + suffix)) return;
    cluster_.slice(path, fmt::format("10.0.0.{}", pick(4)), 8080 + pick(2), suffix);
  }
  void change_secret() {
    const auto path = name("c", 2);
    if (removes(Kind::kSecret, path)) return;
    const auto& chain = pairs_[static_cast<std::size_t>(pick(3))];
    const auto& key = pairs_[static_cast<std::size_t>(pick(3))];
    cluster_.put(Kind::kSecret, path,
                 fmt::format(R"("data":{{"tls.crt":"{}","tls.key":"{}"}})",
                             test::to_base64(chain.chain), test::to_base64(key.key)));
  }
  void change_class() {
    if (removes(Kind::kIngressClass, "nginx")) return;
    cluster_.ingress_class();
  }
  void change_config() {
    if (pick(2) == 0) {
      if (removes(Kind::kConfigMap, "n0/settings")) return;
      static constexpr std::array kData = {
          R"("proxy-body-size":"3m")",         R"("keep-alive":"5")",
          R"("proxy-stream-timeout":"9s")",    R"("x":"y")",
          R"("whitelist-source-range":"z")",   "",
          R"("annotations-risk-level":"Low")", R"("annotation-value-word-blocklist":"true,oo")"};
      cluster_.put(Kind::kConfigMap, "n0/settings",
                   fmt::format(R"("data":{{{}}})", kData[static_cast<std::size_t>(pick(8))]));
      return;
    }
    const auto* path = pick(2) == 0 ? "n0/tcp" : "n0/udp";
    if (removes(Kind::kConfigMap, path)) return;
    cluster_.put(Kind::kConfigMap, path,
                 fmt::format(R"("data":{{"{}":"n{}/s{}:80"}})", 9000 + pick(3), pick(2), pick(3)));
  }
  void change_stream(Kind kind) {
    const auto path = name("t", 3);
    if (removes(kind, path)) return;
    const auto backend =
        pick(2) == 0
            ? fmt::format(R"("service":{{"name":"s{}",{}"port":80}})", pick(3), in_some_namespace())
            : fmt::format(R"("host":{{"name":"d{}.test","port":5}})", pick(2));
    static constexpr std::array kAddresses = {"", R"(,"address":"10.0.0.1")",
                                              R"(,"address":"10.0.0.2")"};
    const auto backends = fmt::format(R"("backends":[{{{}}}])", backend);
    std::string tls;
    std::string match;
    if (kind == Kind::kTcpService && pick(2) == 0) {
      tls = pick(2) == 0
                ? R"(,"tls":{"mode":"Passthrough"})"
                : fmt::format(
                      R"(,"tls":{{"mode":"Terminate","certificateRefs":[{{{}"name":"c{}"}}]}})",
                      in_some_namespace(), pick(2));
      const auto first = host();
      const auto second = host();
      if (!first.empty() && !second.empty()) {
        match = fmt::format(R"("match":{{"sni":["{}","{}"]}},)", first, second);
      }
    }
    cluster_.put(
        kind, path,
        fmt::format(
            R"("spec":{{"listeners":[{{"name":"main","port":{}{}{}}},{{"name":"more","portRange":{{"start":{},"end":{}}}{}}},{{"name":"any","port":0}}],
                   {}}},"status":{{"ports":"{}","listeners":[{{"name":"any","allocatedPort":{}}}]}})",
            9000 + pick(3), kAddresses[static_cast<std::size_t>(pick(3))], tls, 9000 + pick(2),
            9001 + pick(2), tls,
            kind == Kind::kTcpService ? R"("rules":[{)" + match + backends + "}]" : backends,
            9000 + pick(4), pick(2) == 0 ? 0 : 9000 + pick(4)),
        pick(4));
  }
  void change_namespace() {
    const auto path = fmt::format("n{}", pick(2));
    if (pick(8) == 0) {
      cluster_.remove(Kind::kNamespace, path);
      return;
    }
    cluster_.apply({{Kind::kNamespace, "", path},
                    false,
                    fmt::format(R"({{"metadata":{{"name":"{}","labels":{{"served":"{}"}}}}}})",
                                path, pick(4) == 0 ? "no" : "yes"),
                    {}});
  }
  void change_policy() {
    const auto path = fmt::format("p{}", pick(2));
    if (pick(2) == 0) {
      cluster_.remove(Kind::kStreamPortPolicy, path);
      return;
    }
    static constexpr std::array kMore = {"",
                                         R"(,"namespaceSelector":{"matchLabels":{"served":"yes"}})",
                                         R"(,"ingressClassName":"nginx")",
                                         R"(,"unknown":1)",
                                         R"(,"maxListenersPerNamespace":1)",
                                         R"(,"maxListenersPerNamespace":3)",
                                         R"(,"autoAllocate":true)"};
    cluster_.put(Kind::kStreamPortPolicy, path,
                 fmt::format(R"("spec":{{"ports":[{{"start":{},"end":9001}}]{}}})", 9000 + pick(2),
                             kMore[static_cast<std::size_t>(pick(7))]));
  }
  std::string in_some_namespace() {
    return pick(2) == 0 ? "" : fmt::format(R"("namespace":"n{}",)", pick(2));
  }
  void change_grant() {
    const auto path = name("g", 2);
    if (removes(Kind::kReferenceGrant, path)) return;
    static constexpr std::array kTo = {
        R"({"group":"","kind":"Service"})",
        R"({"group":"","kind":"Service","name":"s0"})",
        R"({"group":"","kind":"Secret"})",
        R"({"group":"","kind":"Secret","name":"c1"})",
        R"({"group":"","kind":"Secret"},{"group":"","kind":"Service"})",
        R"({"group":"","kind":"Service","unknown":1})"};
    cluster_.put(
        Kind::kReferenceGrant, path,
        fmt::format(
            R"("spec":{{"from":[{{"group":"penstock.dev","kind":"{}Service","namespace":"n{}"}}],"to":[{}]}})",
            pick(2) == 0 ? "TCP" : "UDP", pick(2), kTo[static_cast<std::size_t>(pick(6))]));
  }
  void change_addresses() {
    std::vector<base::Address> addresses;
    if (pick(3) != 0) {
      addresses.push_back(asio::ip::make_address(fmt::format("192.0.2.{}", pick(3))));
    }
    cluster_.world.set_addresses(fmt::format("d{}.test", pick(2)), addresses, cluster_.touched);
  }

  void step() {
    snapshot::Update update;
    update.base = published_.version;
    update.version = published_.version + 1;
    const auto served_before = cluster_.translator.served_ingresses();
    for (auto& [key, part] : cluster_.translate()) update.parts.emplace_back(key, part);
    std::vector<std::string> switched;
    std::ranges::set_symmetric_difference(served_before, cluster_.translator.served_ingresses(),
                                          std::back_inserter(switched));
    EXPECT_THAT(switched, testing::Each(testing::Truly([&](const std::string& path) {
                  return cluster_.translator.reviewed_ingresses().contains(path);
                })));
    snapshot::apply(update, published_);
    EXPECT_THAT(snapshot::validate(update, published_), testing::IsEmpty());
    Translator fresh(options());
    fresh.translate(cluster_.world, {});
    expect_equal(cluster_.translator.parts(), fresh.parts());
    expect_equal(published_.parts, fresh.parts());
    EXPECT_EQ(cluster_.translator.diagnostics(cluster_.world), fresh.diagnostics(cluster_.world));
    EXPECT_EQ(cluster_.translator.wanted_secrets(), fresh.wanted_secrets());
    const auto secrets = cluster_.translator.take_secrets_change();
    for (const auto& path : secrets.begun) EXPECT_TRUE(wanted_.insert(path).second) << path;
    for (const auto& path : secrets.ceased) EXPECT_EQ(wanted_.erase(path), 1U) << path;
    EXPECT_EQ(wanted_, fresh.wanted_secrets());
    EXPECT_EQ(cluster_.translator.wanted_names(), fresh.wanted_names());
    EXPECT_EQ(cluster_.translator.served_ingresses(), fresh.served_ingresses());
  }

  static void expect_equal(const std::map<snapshot::PartKey, snapshot::PartPtr>& a,
                           const std::map<snapshot::PartKey, snapshot::PartPtr>& b) {
    const auto names = [](const auto& parts) {
      std::vector<std::string> out;
      for (const auto& [key, part] : parts) {
        out.push_back(fmt::format("{} {}", snapshot::name_of(key.kind), key.name));
      }
      return out;
    };
    ASSERT_EQ(names(a), names(b));
    for (const auto& [key, part] : a) {
      EXPECT_TRUE(*part == *b.at(key)) << snapshot::name_of(key.kind) << " " << key.name;
    }
  }

  std::mt19937 random_;
  Cluster cluster_;
  snapshot::Snapshot published_;
  std::set<std::string> wanted_;  // Secrets, as the changes add up
  std::array<test::PemPair, 3> pairs_;
};

class Histories : public testing::TestWithParam<unsigned> {};

TEST_P(Histories, EndWhereAFreshTranslationEnds) { History(GetParam()).run(150); }

INSTANTIATE_TEST_SUITE_P(Seeds, Histories, testing::Range(1U, 21U));

}  // namespace
}  // namespace penstock::translate
