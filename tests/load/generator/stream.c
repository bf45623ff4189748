// TCP and UDP: short messages that are echoed, and bulk: in both directions, or to UDP clients.
#include <string.h>

#include "generator.h"

enum { kMessage = 64, kCommand = 16 };

static void begin_ping(struct Client* c) {
  client_send(c, pattern_at(c->turn * kMessage), kMessage, 0);
}

static void ping_input(struct Client* c, const char* bytes, size_t size) {
  if (c->input_size > 0 || size < kMessage) {
    if (!keep_input(c, bytes, size)) return broken(c, "a long message");
    bytes = c->input;
    size = c->input_size;
  }
  if (size < kMessage) return;
  c->input_size = 0;
  if (size != kMessage || !pattern_matches(bytes, kMessage, c->turn * kMessage))
    return broken(c, "another message");
  unit_done(c);
}

/// Half of the connections send, half of them receive; those of UDP receive.
static void begin_bulk(struct Client* c) {
  c->uploads = (c - clients) % 2 == 1 && !options.is_udp;
  snprintf(c->message, sizeof c->message, "%c%015lu", c->uploads ? 'P' : 'G', options.size);
  c->receive_left = c->uploads ? 0 : options.size;
  c->receive_offset = 0;
  c->is_checked = c->turn % kCheckedEvery == 1;
  client_send(c, c->message, kCommand, c->uploads ? options.size : 0);
}

static void bulk_input(struct Client* c, const char* bytes, size_t size) {
  if (c->uploads) {
    if (size != 1 || bytes[0] != 'K' || c->send_left > 0)
      return broken(c, "the backend got other bytes");
    return unit_done(c);
  }
  const unsigned life = c->life;
  const size_t used = take_body(c, bytes, size);
  if (c->life != life) return;
  if (used < size) return broken(c, "more bytes than asked for");
  if (c->receive_left == 0) unit_done(c);
}

const struct Protocol kPing = {.name = "ping", .begin = begin_ping, .input = ping_input};
const struct Protocol kBulk = {.name = "bulk", .begin = begin_bulk, .input = bulk_input};
