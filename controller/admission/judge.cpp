#include "controller/admission/judge.h"

#include "controller/translate/diagnostic.h"

namespace penstock::admission {

Verdict judge(const Site& site, const Review& review) {
  if (review.is_removal || !review.object) return {};
  if (!*review.object) {
    const auto& error = review.object->error();
    return refuse(translate::to_string({review.key, error.pointer, error.message}));
  }
  const auto& object = **review.object;
  switch (*review.kind) {
    case objects::Kind::kIngress:
      return judge_ingress(site, *std::get<objects::Ptr<objects::Ingress>>(object));
    case objects::Kind::kTcpService:
      return judge_stream(site, *std::get<objects::Ptr<objects::TcpService>>(object));
    case objects::Kind::kUdpService:
      return judge_stream(site, *std::get<objects::Ptr<objects::UdpService>>(object));
    default:
      return {};
  }
}

}  // namespace penstock::admission
