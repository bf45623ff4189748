// A WebSocket carries masked messages, and each must come back as it was.
#include <string.h>

#include "generator.h"

enum { kPayload = 100, kHead = 2, kMask = 4, kEcho = kHead + kPayload };

static const char kAccept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";  // to the key below: RFC 6455
static const char kUpgrade[] =
    "GET /socket HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench/1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void prepare(struct Client* c) { client_send(c, kUpgrade, sizeof kUpgrade - 1, 0); }

/// Every message is another part of the pattern, under another mask.
static void begin(struct Client* c) {
  unsigned char* frame = (unsigned char*)c->message;
  const char* payload = pattern_at(c->turn);
  const unsigned mask = c->turn * 2654435761u;
  frame[0] = 0x82;
  frame[1] = 0x80 | kPayload;
  memcpy(frame + kHead, &mask, kMask);
  for (size_t i = 0; i < kPayload; i++)
    frame[kHead + kMask + i] = (unsigned char)payload[i] ^ frame[kHead + i % kMask];
  client_send(c, c->message, kHead + kMask + kPayload, 0);
}

static void upgraded(struct Client* c, const char* bytes, size_t size) {
  if (!keep_input(c, bytes, size)) return broken(c, "a long head");
  if (memmem(c->input, c->input_size, "\r\n\r\n", 4) == NULL) return;
  if (memcmp(c->input, "HTTP/1.1 101 ", 13) != 0 ||
      memmem(c->input, c->input_size, kAccept, sizeof kAccept - 1) == NULL)
    return broken(c, "no WebSocket");
  c->input_size = 0;
  c->is_upgraded = true;
  client_ready(c);
}

static void input(struct Client* c, const char* bytes, size_t size) {
  if (!c->is_upgraded) return upgraded(c, bytes, size);
  if (c->input_size > 0 || size < kEcho) {
    if (!keep_input(c, bytes, size)) return broken(c, "a long message");
    bytes = c->input;
    size = c->input_size;
  }
  if (size < kEcho) return;
  c->input_size = 0;
  if (size != kEcho || (unsigned char)bytes[0] != 0x82 || bytes[1] != kPayload ||
      !pattern_matches(bytes + kHead, kPayload, c->turn))
    return broken(c, "another message");
  unit_done(c);
}

const struct Protocol kWebSocket = {
    .name = "websocket", .begin = begin, .input = input, .prepare = prepare};
