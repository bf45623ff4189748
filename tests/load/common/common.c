#include "common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

static char pattern[kPeriod + kChunk];

void pattern_init(void) {
  uint64_t state = 88172645463325252ULL;
  for (size_t i = 0; i < kPeriod; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    pattern[i] = (char)(state >> 24);
  }
  for (size_t i = kPeriod; i < sizeof pattern; i++) pattern[i] = pattern[i - kPeriod];
}

const char* pattern_at(uint64_t offset) { return pattern + offset % kPeriod; }

bool pattern_matches(const char* bytes, size_t size, uint64_t offset) {
  while (size > 0) {
    const size_t part = size < kChunk ? size : kChunk;
    if (memcmp(bytes, pattern_at(offset), part) != 0) return false;
    bytes += part;
    offset += part;
    size -= part;
  }
  return true;
}

void die(const char* what) {
  perror(what);
  exit(1);
}

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
}

void set_nodelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
