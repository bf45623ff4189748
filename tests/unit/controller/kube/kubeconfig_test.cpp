#include "controller/kube/kubeconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace penstock::kube {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Kubeconfig : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("kubeconfig_test." + std::to_string(getpid()));
    fs::create_directories(folder_ / "pki");
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  base::Result<ClusterAccess> read(const std::string& cluster, const std::string& user,
                                   const KubeconfigOptions& options = {}) {
    return read_kubeconfig(
        write("config",
              "apiVersion: v1\nkind: Config\ncurrent-context: main\n"
              "clusters: [{name: other, cluster: {server: 'https://other:1'}},"
              " {name: c, cluster: {" +
                  cluster +
                  "}}]\n"
                  "contexts: [{name: main, context: {cluster: c, user: u, namespace: ops}},\n"
                  " {name: second, context: {cluster: other}}]\n"
                  "users: [{name: u, user: {" +
                  user + "}}]\n"),
        options);
  }
  fs::path folder_;
};

TEST_F(Kubeconfig, InlineData) {
  const auto access = read("server: 'https://10.0.0.1:6443/', certificate-authority-data: Q0E=",
                           "client-certificate-data: Q0VSVA==, client-key-data: S0VZ");
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://10.0.0.1:6443");
  EXPECT_EQ(access->ca_pem, "CA");
  EXPECT_EQ(access->client_certificate_pem, "CERT");
  EXPECT_EQ(access->client_key_pem, "KEY");
  EXPECT_EQ(access->name_space, "ops");
  EXPECT_FALSE(access->skips_tls_verify);
}

TEST_F(Kubeconfig, FilesAreRelativeToIt) {
  write("pki/ca.pem", "FILE-CA");
  write("token", "secret\n");
  const auto access =
      read("server: 'https://a:1', certificate-authority: pki/ca.pem", "tokenFile: token");
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->ca_pem, "FILE-CA");
  EXPECT_EQ(access->token_file, folder_ / "token");
  TokenSource tokens(*access);
  const base::SteadyTime start{std::chrono::hours(1)};
  EXPECT_EQ(tokens.token(start), "secret");
  write("token", "rotated");
  EXPECT_EQ(tokens.token(start + std::chrono::seconds(9)), "secret");
  EXPECT_EQ(tokens.token(start + std::chrono::seconds(10)), "rotated");
  write("token", "again");
  tokens.expire();
  EXPECT_EQ(tokens.token(start + std::chrono::seconds(11)), "again");
  fs::remove(folder_ / "token");
  tokens.expire();
  EXPECT_EQ(tokens.token(start + std::chrono::seconds(12)), "again");
}

TEST_F(Kubeconfig, ContextByName) {
  KubeconfigOptions options;
  options.context = "second";
  const auto access = read("server: 'https://a:1'", "token: t", options);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://other:1");
  EXPECT_EQ(access->token, "");
  EXPECT_EQ(access->name_space, "default");
  options.context = "third";
  const auto none = read("server: 'https://a:1'", "token: t", options);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("'third'"));
}

TEST_F(Kubeconfig, RefusesWhatItCannotHonour) {
  const struct {
    const char* cluster;
    const char* user;
    const char* message;
  } cases[] = {
      {"server: 'https://a:1'", "exec: {command: aws}", "exec: not supported"},
      {"server: 'https://a:1'", "auth-provider: {name: gcp}", "auth-provider: not supported"},
      {"server: 'https://a:1'", "username: root, password: x", "username: not supported"},
      {"server: 'https://a:1', proxy-url: 'http://p'", "token: t", "proxy-url: not supported"},
      {"server: 'https://a:1', tls-server-name: b", "token: t", "tls-server-name: not supported"},
      {"server: 'https://a:1', insecure-skip-tls-verify: true", "token: t",
       "insecure-skip-tls-verify: refused"},
      {"server: 'http://10.0.0.1:8080'", "token: t", "not encrypted"},
      {"server: 'ftp://a'", "token: t", "https://"},
      {"namespace: x", "token: t", "https://"},
      {"server: 'https://a:1', certificate-authority-data: '*'", "token: t",
       "certificate-authority-data: not base64"},
      {"server: 'https://a:1', certificate-authority: none.pem", "token: t", "none.pem"},
      {"server: 'https://a:1'", "client-certificate-data: QQ==", "without the other"},
  };
  for (const auto& c : cases) {
    const auto access = read(c.cluster, c.user);
    ASSERT_FALSE(access) << c.message;
    EXPECT_THAT(access.error().message, HasSubstr(c.message));
  }
}

TEST_F(Kubeconfig, SkipsVerificationOnlyWhereAllowed) {
  KubeconfigOptions options;
  options.may_skip_tls_verify = true;
  const auto access =
      read("server: 'https://a:1', insecure-skip-tls-verify: true", "token: t", options);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_TRUE(access->skips_tls_verify);
}

TEST_F(Kubeconfig, BrokenFiles) {
  EXPECT_FALSE(read_kubeconfig(folder_ / "missing"));
  EXPECT_FALSE(read_kubeconfig(write("config", "")));
  EXPECT_FALSE(read_kubeconfig(write("config", "a: [")));
  EXPECT_FALSE(read_kubeconfig(write("config", "current-context: main\ncontexts: 3\n")));
  EXPECT_FALSE(read_kubeconfig(write("config", "current-context: [x]\n")));
}

TEST_F(Kubeconfig, InCluster) {
  EXPECT_FALSE(read_in_cluster("", "443", folder_));
  EXPECT_FALSE(read_in_cluster("10.96.0.1", "443", folder_));
  write("ca.crt", "CA");
  write("token", "tok\n");
  write("namespace", "penstock\n");
  const auto access = read_in_cluster("10.96.0.1", "443", folder_);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://10.96.0.1:443");
  EXPECT_EQ(access->name_space, "penstock");
  EXPECT_EQ(access->token, "tok");
  EXPECT_EQ(access->token_file, folder_ / "token");
  EXPECT_EQ(read_in_cluster("fd00::1", "443", folder_)->server, "https://[fd00::1]:443");
}

TEST_F(Kubeconfig, AFlagNamesAnotherServer) {
  ClusterAccess access;
  access.server = "https://10.0.0.1:6443";
  access.ca_pem = "CA";
  access.token = "tok";
  const auto same_authority = with_server(access, "https://api.example:6443//", "");
  ASSERT_TRUE(same_authority) << same_authority.error().message;
  EXPECT_EQ(same_authority->server, "https://api.example:6443");
  EXPECT_EQ(same_authority->ca_pem, "CA");
  EXPECT_EQ(same_authority->token, "tok");
  const auto file = write("other.crt", "OTHER");
  EXPECT_EQ(with_server(access, "https://api.example", file)->ca_pem, "OTHER");
  EXPECT_FALSE(with_server(access, "https://api.example", folder_ / "none"));
  EXPECT_FALSE(with_server(access, "http://api.example", "")) << "the token would be readable";
}

TEST(CheckServer, PlainHttpOnlyOnLoopback) {
  EXPECT_TRUE(check_server("http://127.0.0.1:8001"));
  EXPECT_TRUE(check_server("http://[::1]:8001/prefix"));
  EXPECT_TRUE(check_server("http://localhost"));
  EXPECT_FALSE(check_server("http://localhost.evil.example"));
  EXPECT_FALSE(check_server("http://127.0.0.1.nip.io"));
  EXPECT_FALSE(check_server("https://"));
}

}  // namespace
}  // namespace penstock::kube
