#pragma once
// The two messages of grpc.health.v1.Health/Check in gRPC's length-prefixed form
// (grpc.io: GRPC Health Checking Protocol, gRPC over HTTP2).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::health {

/// HealthCheckRequest{service} behind its prefix.
std::string encode_health_request(std::string_view service);
/// The status of a HealthCheckResponse behind its prefix; 1 is SERVING. None where the bytes are
/// not one whole message.
std::optional<std::uint64_t> read_health_response(std::string_view bytes);

}  // namespace penstock::health
