#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

class IpAccess final : public Filter {
 public:
  explicit IpAccess(const snapshot::IpAccess& policy)
      : allowed_(policy.allowed), denied_(policy.denied) {}

  Verdict on_request(Exchange& exchange) const override {
    const auto& client = exchange.client_address;
    if (denied_.contains(client)) return Verdict::reply(403);
    if (!allowed_.empty() && !allowed_.contains(client)) return Verdict::reply(403);
    return Verdict::next();
  }

 private:
  base::IpNetSet allowed_;
  base::IpNetSet denied_;
};

}  // namespace

FilterPtr make_ip_access(const snapshot::Route& route) {
  const auto& policy = route.policy.ip_access;
  if (policy.allowed.empty() && policy.denied.empty()) return nullptr;
  return std::make_unique<IpAccess>(policy);
}

}  // namespace penstock::filters
