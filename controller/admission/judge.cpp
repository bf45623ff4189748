#include "controller/admission/judge.h"

#include "controller/translate/class_selection.h"
#include "controller/translate/diagnostic.h"

namespace penstock::admission {
namespace {

template <class T>
bool is_ours(const Site& site, const Review& review) {
  T bare;
  bare.meta = review.object->error().meta;
  bare.meta.name_space = review.key.name_space;
  bare.class_name = review.class_name;
  translate::Reader reader(site.world, site.translator.options());
  return translate::is_ours(reader, bare, site.translator.options());
}

bool is_unreadable_one_ours(const Site& site, const Review& review) {
  switch (*review.kind) {
    case objects::Kind::kIngress:
      return is_ours<objects::Ingress>(site, review);
    case objects::Kind::kTcpService:
      return is_ours<objects::TcpService>(site, review);
    case objects::Kind::kUdpService:
      return is_ours<objects::UdpService>(site, review);
    case objects::Kind::kStreamPortPolicy:
      return is_ours<objects::StreamPortPolicy>(site, review);
    default:
      return false;
  }
}

bool is_watched(const Site& site, const objects::ObjectKey& key) {
  return site.watch_namespace.empty() || key.name_space.empty() ||
         key.name_space == site.watch_namespace;
}

}  // namespace

Verdict judge(const Site& site, const Review& review) {
  if (review.is_removal || !review.object || !is_watched(site, review.key)) return {};
  if (!*review.object) {
    if (!is_unreadable_one_ours(site, review)) return {};
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
