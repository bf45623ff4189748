#pragma once
// Asks the cluster who a token belongs to (TokenReview, authentication.k8s.io/v1) and whether that
// account may: verb get or post on the non-resource URL /penstock/admin (SubjectAccessReview,
// authorization.k8s.io/v1). On the controller's thread.
#include <functional>
#include <memory>
#include <string>

#include "controller/admin/guard.h"
#include "controller/kube/client.h"

namespace penstock::admin {

class TokenReview {
 public:
  explicit TokenReview(kube::Client& client) : client_(client) {}
  ~TokenReview() { *is_alive_ = false; }
  void review(const std::string& token, Right right, Guard::OnVerdict on_verdict);

 private:
  struct Attempt;
  void check_access(const std::shared_ptr<Attempt>& attempt, const std::string& review);

  kube::Client& client_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

/// The body of a SubjectAccessReview for the account that a TokenReview's answer names, or a
/// verdict where it names none. Public for tests and the fuzzer.
struct ReviewedToken {
  Verdict verdict;  // status 200: `access_review` decides
  std::string access_review;
};
ReviewedToken read_token_review(const std::string& json, Right right);
/// Is the access allowed?
bool read_access_review(const std::string& json);

}  // namespace penstock::admin
