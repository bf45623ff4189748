#pragma once
#include <array>
#include <string_view>
#include <utility>

#include "controller/settings/kinds.h"
#include "proxy/snapshot/policy/balancing.h"

namespace penstock::settings {

inline constexpr std::array kAlgorithms = {
    std::pair{std::string_view("round_robin"), snapshot::Algorithm::kRoundRobin},
    std::pair{std::string_view("ewma"), snapshot::Algorithm::kEwma},
    std::pair{std::string_view("least_conn"), snapshot::Algorithm::kLeastConnections},
    std::pair{std::string_view("ip_hash"), snapshot::Algorithm::kSourceIpHash},
    std::pair{std::string_view("hash"), snapshot::Algorithm::kHash},
    std::pair{std::string_view("random"), snapshot::Algorithm::kRandom},
    std::pair{std::string_view("random_two"), snapshot::Algorithm::kRandomTwo},
};
inline constexpr std::string_view kAlgorithmsExpected =
    "one of round_robin, ewma, least_conn, ip_hash, hash, random, random_two";

using LoadBalance = Choice<snapshot::Algorithm, kAlgorithms, kAlgorithmsExpected>;

}  // namespace penstock::settings
