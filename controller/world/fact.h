#pragma once
// A fact is something that a translation can have read: an object, or the answer to a question such
// as "which Ingresses name this host". Facts are what tie a change to the parts it can affect. They
// are hashes: should two ever collide, a part is computed once too often and comes out the same.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/object.h"
#include "controller/objects/reference_grant.h"
#include "proxy/base/text.h"

namespace penstock::world {

using Fact = std::uint64_t;

enum class Question : char {
  kObject = 'o',     // the object itself; asked also where it does not exist
  kHost = 'h',       // the Ingresses that name a host
  kSlices = 'e',     // the EndpointSlices of a Service
  kTcpPort = 's',    // the TCPServices that listen on a port
  kUdpPort = 'u',    // the UDPServices that do
  kNamespace = 'n',  // the TCPServices and UDPServices of a namespace
  kPolicies = 'p',   // all StreamPortPolicies
  kGrants = 'g',     // whether a ReferenceGrant permits a reference
  kClasses = 'c',    // all IngressClasses
  kAddresses = 'a',  // what a DNS name resolves to
};

constexpr Fact fact(Question question, std::string_view about) {
  const char tag[] = {static_cast<char>(question), '\0'};
  return base::fnv1a(about, base::fnv1a({tag, 1}));
}

inline Fact object_fact(objects::Kind kind, std::string_view path) {
  const char tag[] = {static_cast<char>(Question::kObject), static_cast<char>('A' + int(kind))};
  return base::fnv1a(path, base::fnv1a({tag, 2}));
}

/// Whether a grant permits the reference by the name that it has; without one: to all of the kind.
inline Fact grant_fact(const objects::Reference& reference) {
  const auto& [from, name_space, to] = reference;
  std::string about;
  for (const auto* each :
       {&from.group, &from.kind, &from.name_space, &name_space, &to.group, &to.kind, &to.name}) {
    about.append(*each).append("/");
  }
  return fact(Question::kGrants, about);
}

}  // namespace penstock::world
