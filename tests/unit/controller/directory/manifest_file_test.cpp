#include "controller/directory/manifest_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/directory/service_manifest.h"

namespace penstock::directory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Manifests, HoldSeveralDocumentsAndLists) {
  const auto out = parse_manifests(
      "web.yaml", service("a") + "---\n---\n# nothing\n---\n" + service("b") +
                      "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, "
                      "metadata: {name: c, namespace: n}}\n---\napiVersion: apps/v1\nkind: "
                      "Deployment\nmetadata: {name: d}\n");
  ASSERT_EQ(out.documents.size(), 3U);
  EXPECT_EQ(out.documents[0]->key, (objects::ObjectKey{objects::Kind::kService, "default", "a"}));
  EXPECT_EQ(out.documents[2]->key.name_space, "n");
  EXPECT_EQ(out.ignored, 1U);
  EXPECT_THAT(out.problems, IsEmpty());
}

TEST(Manifests, KnowTheLineOfEveryField) {
  const auto out = parse_manifests("web.yaml", service("a") + "---\n" + service("b"));
  ASSERT_EQ(out.documents.size(), 2U);
  EXPECT_EQ(out.documents[0]->where("/spec/ports/0/port"), "web.yaml:7");
  EXPECT_EQ(out.documents[1]->where("/spec/ports/0/port"), "web.yaml:15");
  EXPECT_EQ(out.documents[1]->where("/spec/ports/0/targetPort"), "web.yaml:15");
  EXPECT_EQ(out.documents[1]->where("/metadata/name"), "web.yaml:12");
}

TEST(Manifests, TypeScalarsAsKubectlDoes) {
  const auto out = parse_manifests("c.yaml", R"(apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1", b: 1, c: yes, d: 'no', e: ~, f: 017, g: 1.5, h: text, i: 0x10, j: !!str 7, k: on it}
)");
  ASSERT_EQ(out.documents.size(), 1U);
  EXPECT_THAT(out.documents[0]->json,
              HasSubstr(R"("data":{"a":"1","b":1,"c":true,"d":"no","e":null,"f":15,"g":1.5,)"
                        R"("h":"text","i":16,"j":"7","k":"on it"})"));
}

TEST(Manifests, TakeStringDataOfSecretsAsData) {
  const auto out = parse_manifests(
      "s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hello}\n");
  ASSERT_EQ(out.documents.size(), 1U);
  EXPECT_THAT(out.documents[0]->json, HasSubstr(R"("data":{"a":"aGVsbG8="})"));
}

TEST(Manifests, SayWhereAFileIsBroken) {
  const auto out = parse_manifests("bad.yaml", service("a") + "---\na: [1\nb: }\n");
  EXPECT_TRUE(out.is_broken);
  ASSERT_EQ(out.problems.size(), 1U);
  EXPECT_THAT(to_string(out.problems[0]), HasSubstr("bad.yaml:1"));
}

TEST(Manifests, RefuseTextThatIsNoDocument) {
  for (const auto* text : {",", "a: 1\n--- \n, b\n", "[1]\n[2]\n", ",# A\n\"x\nrpec:\n"}) {
    EXPECT_TRUE(parse_manifests("x.yaml", text).is_broken) << text;
  }
}

TEST(Manifests, HarmOnlyTheObjectThatIsIncomplete) {
  const auto out = parse_manifests(
      "x.yaml", "kind: Service\n---\napiVersion: v1\nkind: Service\nmetadata: {}\n---\n- 1\n---\n" +
                    service("a") +
                    "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, name: b}\n");
  EXPECT_FALSE(out.is_broken);
  ASSERT_EQ(out.documents.size(), 1U);
  std::vector<std::string> problems;
  for (const auto& each : out.problems) problems.push_back(to_string(each));
  EXPECT_THAT(problems, ElementsAre(HasSubstr("x.yaml:1: apiVersion"),
                                    HasSubstr("x.yaml:3: Service: metadata.name"),
                                    HasSubstr("x.yaml:7: expected an object"), HasSubstr("twice")));
}

std::vector<std::string> problems_of(const std::string& text) {
  std::vector<std::string> out;
  for (const auto& each : parse_manifests("x.yaml", text).problems) out.push_back(to_string(each));
  return out;
}

TEST(Manifests, NameWhatWasMeantByANearMiss) {
  const auto of = [](std::string_view version, std::string_view kind) {
    return problems_of(
        fmt::format("apiVersion: {}\nkind: {}\nmetadata: {{name: a}}\n", version, kind));
  };
  EXPECT_THAT(of("penstock.dev/v1alpha1", "TcpService"),
              ElementsAre("x.yaml:1: TcpService of penstock.dev/v1alpha1 is not read, did you mean "
                          "TCPService of penstock.dev/v1alpha1?"));
  for (const auto& [version, kind] : std::initializer_list<std::pair<const char*, const char*>>{
           {"networking.k8s.io/v1", "ingress"},
           {"networking.k8s.io/v1", "Ingres"},
           {"networking.k8s.io/v1beta1", "Ingress"},
           {"extensions/v1beta1", "Ingress"},
           {"v1", "Ingress"},
           {"networking.k8s.io/v1beta1", "IngressClass"},
           {"penstock.dev/v1", "TCPService"},
           {"penstock.dev/v1alpha1", "TCPServices"},
           {"discovery.k8s.io/v1beta1", "EndpointSlice"}}) {
    EXPECT_THAT(of(version, kind), ElementsAre(HasSubstr("did you mean"))) << version << kind;
  }
  EXPECT_THAT(of("penstock.dev/v1alpha1", "Route"),
              ElementsAre(HasSubstr("has TCPService, UDPService and StreamPortPolicy alone")));
  for (const auto& [version, kind] : std::initializer_list<std::pair<const char*, const char*>>{
           {"apps/v1", "Deployment"},
           {"v1", "ServiceAccount"},
           {"v1", "Endpoints"},
           {"networking.k8s.io/v1", "NetworkPolicy"},
           {"config.openshift.io/v1", "Ingress"},
           {"serving.knative.dev/v1", "Service"},
           {"penstock.dev/v1alpha1", "IngressReport"}}) {
    EXPECT_THAT(of(version, kind), IsEmpty()) << version << kind;
  }
}

TEST(Manifests, TellOfFieldsOfAnIngressThatDoNotExist) {
  EXPECT_THAT(problems_of(R"(apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotation: {}
spec:
  ingressClass: nginx
  rule: []
  rules:
  - hosts: g.localhost
    http:
      paths:
      - path: /
        pathtype: Prefix
        backend: {serviceName: web, servicePort: 80}
  - host: F_x!.localhost
  - host: 10.0.0.1
  - host: '*.shop.example'
  tls:
  - hosts: [ok.example, NO.example]
status: {anything: 1}
)"),
              ElementsAre(HasSubstr("x.yaml:5: Ingress default/web: metadata.annotation: there is no "
                                    "such field, did you mean annotations?"),
                          HasSubstr("x.yaml:7: Ingress default/web: spec.ingressClass: there is no "
                                    "such field, did you mean ingressClassName?"),
                          HasSubstr("x.yaml:8: Ingress default/web: spec.rule: there is no such "
                                    "field, did you mean rules?"),
                          HasSubstr("x.yaml:10: Ingress default/web: spec.rules[0].hosts: there is no "
                                    "such field, did you mean host?"),
                          HasSubstr("x.yaml:14: Ingress default/web: "
                                    "spec.rules[0].http.paths[0].pathtype: there is no such field, "
                                    "did you mean pathType?"),
                          HasSubstr("backend.serviceName: there is no such field, did you mean "
                                    "service?"),
                          HasSubstr("backend.servicePort: there is no such field, did you mean "
                                    "service?"),
                          HasSubstr("x.yaml:16: Ingress default/web: spec.rules[1].host: expected a "
                                    "name of lower-case letters"),
                          HasSubstr("x.yaml:17: Ingress default/web: spec.rules[2].host: expected a "
                                    "name, got the address '10.0.0.1'"),
                          HasSubstr("x.yaml:20: Ingress default/web: spec.tls[0].hosts[1]: expected a "
                                    "name of lower-case letters")));
}

TEST(Manifests, TellOfNoMoreFieldsOfAnObjectThanAHundred) {
  std::string text =
      "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n";
  for (int i = 0; i < 1000; ++i) text += fmt::format("  {}{}: 1\n", std::string(100, 'x'), i);
  const auto out = parse_manifests("x.yaml", text);
  EXPECT_EQ(out.problems.size(), 100U);
  EXPECT_EQ(out.documents.size(), 1U);
}

TEST(Manifests, TakeWhatAnApiServerTakesForHosts) {
  const auto label = std::string(70, 'a');  // it bounds the name, not its labels
  const auto out = parse_manifests(
      "x.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n"
                "  tls: [{hosts: [10.0.0.1], secretName: s}]\n  rules: [{host: " +
                    label + ".example}]\n");
  EXPECT_THAT(out.problems, IsEmpty());
}

TEST(Manifests, GiveANamespaceTheLabelWithItsName) {
  const auto out = parse_manifests(
      "n.yaml",
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: '007', labels: {team: data}}\n");
  ASSERT_EQ(out.documents.size(), 1U);
  EXPECT_THAT(out.documents[0]->json,
              HasSubstr(R"("labels":{"team":"data","kubernetes.io/metadata.name":"007"})"));
}

TEST(Manifests, RefuseAliasesThatUnfoldWithoutEnd) {
  std::string text =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nl0: &l0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    text += fmt::format("l{0}: &l{0} [*l{1},*l{1},*l{1},*l{1},*l{1},*l{1},*l{1},*l{1},*l{1}]\n", i,
                        i - 1);
  }
  const auto out = parse_manifests("bomb.yaml", text);
  EXPECT_THAT(out.documents, IsEmpty());
  ASSERT_EQ(out.problems.size(), 1U);
  EXPECT_THAT(out.problems[0].message, HasSubstr("too large"));
}

}  // namespace
}  // namespace penstock::directory
