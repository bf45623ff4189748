#pragma once
// The paths whose instructions are counted. Each runs its operation `times` times within `measure`,
// or within turns of a SmallWorker; what surrounds the operation is not counted.
namespace penstock::instructions {

// codecs.cpp
void parse_request(int times);
void parse_response(int times);
void write_request(int times);
void write_response(int times);
void decode_chunked(int times);
// lookups.cpp
void find_route_of_1_host(int times);
void find_route_of_5000_hosts(int times);
void find_identity(int times);
// upstreams.cpp
void pick_round_robin(int times);
void pick_least_connections(int times);
void pick_consistent_hash(int times);
void keep_and_take(int times);
// records.cpp
void write_log_line(int times);
void observe_metrics(int times);
void arm_deadline(int times);
// exchanges.cpp
void get_1k(int times);
void get_1k_of_5000_hosts(int times);
void get_1k_short_head(int times);
void post_10k(int times);
void connect_get_close(int times);
void relay_step(int times);

}  // namespace penstock::instructions
