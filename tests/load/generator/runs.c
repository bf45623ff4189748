#include <string.h>

#include "generator.h"

enum { kWindow = 64 };  // of run_each
static const uint64_t kStall = 5000000000ULL;
static const uint64_t kMillisecond = 1000000ULL;

uint64_t busy_clients;

static enum { kClosed, kEach, kRate, kDraining } mode = kDraining;
static uint64_t deadline;       // no unit begins after it
static uint64_t next_each;      // of kEach
static uint64_t began, issued;  // of kRate
static double interval;
// Those that wait for a unit, in the order in which they became free.
static struct Client** waiting;
static uint64_t first_waiting, waiting_count;

static uint64_t* latencies;
static uint64_t latency_count, most_latencies;

static void wait_for_unit(struct Client* c) {
  const uint64_t size = (uint64_t)options.connections;
  waiting[(first_waiting + waiting_count++) % size] = c;
}

static struct Client* take_waiting(void) {
  struct Client* c = waiting[first_waiting];
  first_waiting = (first_waiting + 1) % (uint64_t)options.connections;
  waiting_count--;
  return c;
}

static uint64_t intended(uint64_t unit) { return began + (uint64_t)((double)unit * interval); }

/// A unit of an open loop counts from when it should have begun: a proxy that lags behind does not
/// get fewer of them to answer.
static void begin_due(void) {
  const uint64_t now = now_ns();
  while (waiting_count > 0 && intended(issued) <= now && intended(issued) < deadline) {
    struct Client* c = take_waiting();
    c->began = intended(issued++);
    client_begin(c);
  }
}

static void begin_each(void) {
  while (busy_clients < kWindow && next_each < (uint64_t)options.connections)
    client_begin(&clients[next_each++]);
}

void client_is_free(struct Client* c) {
  switch (mode) {
    case kClosed:
      if (now_ns() < deadline) return client_begin(c);
      break;
    case kRate:
      if (latency_count < most_latencies) latencies[latency_count++] = now_ns() - c->began;
      break;
    case kEach:
    case kDraining:
      break;
  }
  wait_for_unit(c);
}

/// Serves until nothing is under way. What does not move for long is given up: the run has failed.
static void drain(void) {
  uint64_t units = totals.units, moved = now_ns(), bytes = totals.bytes;
  while (busy_clients > 0) {
    clients_serve(now_ns() + 100 * kMillisecond);
    if (totals.units != units || totals.bytes != bytes) moved = now_ns();
    units = totals.units;
    bytes = totals.bytes;
    if (mode == kEach) begin_each();
    if (now_ns() - moved < kStall) continue;
    mode = kDraining;
    for (int i = 0; i < options.connections; i++)
      if (clients[i].is_busy) broken(&clients[i], "no answer");
  }
}

void runs_init(void) {
  waiting = calloc((size_t)options.connections, sizeof(struct Client*));
  if (waiting == NULL) die("calloc");
}

static void all_wait(void) {
  first_waiting = waiting_count = 0;
  for (int i = 0; i < options.connections; i++) wait_for_unit(&clients[i]);
}

void run_for(uint64_t nanoseconds) {
  mode = kClosed;
  deadline = now_ns() + nanoseconds;
  waiting_count = 0;
  for (int i = 0; i < options.connections; i++) client_begin(&clients[i]);
  drain();
  mode = kDraining;
}

void run_each(void) {
  mode = kEach;
  next_each = 0;
  waiting_count = 0;
  begin_each();
  drain();
  mode = kDraining;
}

static int compare(const void* a, const void* b) {
  const uint64_t left = *(const uint64_t*)a, right = *(const uint64_t*)b;
  return (left > right) - (left < right);
}

static double percentile_us(double share) {
  if (latency_count == 0) return 0;
  uint64_t index = (uint64_t)((double)latency_count * share);
  if (index >= latency_count) index = latency_count - 1;
  return (double)latencies[index] / 1000;
}

void run_at_rate(double per_second, uint64_t nanoseconds) {
  most_latencies = (uint64_t)(per_second * (double)nanoseconds / 1e9) + 16;
  latencies = calloc(most_latencies, sizeof *latencies);
  if (latencies == NULL) die("calloc");
  latency_count = issued = 0;
  interval = 1e9 / per_second;
  all_wait();
  mode = kRate;
  began = now_ns() + kMillisecond;
  deadline = began + nanoseconds;
  while (intended(issued) < deadline && totals.errors == 0) {
    begin_due();
    clients_serve(waiting_count > 0 ? intended(issued) : deadline);
  }
  drain();
  mode = kDraining;
  qsort(latencies, latency_count, sizeof *latencies, compare);
  totals.p50_us = percentile_us(0.5);
  totals.p99_us = percentile_us(0.99);
  totals.max_us = percentile_us(1);
  free(latencies);
}
