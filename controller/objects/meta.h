#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace penstock::objects {

/// The parts of an object's metadata that anything here reads.
struct Meta {
  std::string name_space;
  std::string name;
  std::int64_t created = 0;  // seconds since 1970; 0 where neither manifest nor source say
  std::int64_t generation = 0;
  std::string uid;
  std::map<std::string, std::string> annotations;  // without kubectl's own copy of the object
  std::map<std::string, std::string> labels;
};

/// Older first; of two created in the same second the one whose "namespace/name" is greater, as
/// ingress-nginx does.
inline bool is_older(const Meta& a, const Meta& b) {
  if (a.created != b.created) return a.created < b.created;
  if (a.name_space != b.name_space) return a.name_space > b.name_space;
  return a.name > b.name;
}

/// What a message says after the name of the one that goes first where both are of one age.
inline constexpr std::string_view kWhyFirst =
    "which is as old: then the later name in the alphabet goes first";

}  // namespace penstock::objects
