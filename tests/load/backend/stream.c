// What is no HTTP: echoes, and the two directions of bulk.
#include <string.h>
#include <sys/socket.h>

#include "backend.h"

enum { kMask = 4, kLongestFrame = 125, kCommand = 16, kCheckedEvery = 8 };

static bool send_all(struct Connection* c, const char* bytes, size_t size) {
  const ssize_t sent = send(c->fd, bytes, size, MSG_NOSIGNAL);
  if (sent > 0) counters.bytes_sent += (uint64_t)sent;
  return sent == (ssize_t)size;
}

bool echo_input(struct Connection* c, const char* bytes, size_t size) {
  counters.messages++;
  return send_all(c, bytes, size);
}

/// Size of the frame at the beginning of `bytes`; 0 where it is not complete.
static size_t frame_size(const unsigned char* bytes, size_t size) {
  if (size < 2) return 0;
  const size_t whole = 2u + kMask + (bytes[1] & 0x7fu);
  return size < whole ? 0 : whole;
}

/// A short masked frame goes back without its mask.
static bool echo_frame(struct Connection* c, const unsigned char* frame) {
  const size_t length = frame[1] & 0x7fu;
  char out[2 + kLongestFrame];
  if (length > kLongestFrame || (frame[1] & 0x80) == 0) return false;
  out[0] = (char)frame[0];
  out[1] = (char)length;
  for (size_t i = 0; i < length; i++) out[2 + i] = (char)(frame[6 + i] ^ frame[2 + i % kMask]);
  counters.messages++;
  return send_all(c, out, 2 + length);
}

bool websocket_input(struct Connection* c, const char* bytes, size_t size) {
  if (c->input_size > 0) {
    if (!keep_input(c, bytes, size)) return false;
    bytes = c->input;
    size = c->input_size;
  }
  size_t frame;
  while ((frame = frame_size((const unsigned char*)bytes, size)) > 0) {
    if (!echo_frame(c, (const unsigned char*)bytes)) return false;
    bytes += frame;
    size -= frame;
  }
  memmove(c->input, bytes, size);
  c->input_size = size;
  return size < kMostInput;
}

bool bulk_received(struct Connection* c) {
  if (c->is_damaged) counters.damaged++;
  counters.messages++;
  return send_all(c, c->is_damaged ? "E" : "K", 1);
}

/// A command is G or P with 15 digits: send so many bytes, or take them and answer K, or E where
/// they were not the pattern.
bool bulk_input(struct Connection* c, const char* bytes, size_t size) {
  const size_t missing = kCommand - c->input_size;
  const size_t used = size < missing ? size : missing;
  if (!keep_input(c, bytes, used)) return false;
  if (c->input_size < kCommand) return true;
  c->input[c->input_size] = '\0';
  const uint64_t length = strtoull(c->input + 1, NULL, 10);
  const bool sends = c->input[0] == 'G';
  c->input_size = 0;
  counters.requests++;
  if (sends) {
    c->head_size = 0;
    c->head_sent = 0;
    c->send_left = length;
    c->send_offset = 0;
    return used == size && flush(c);
  }
  c->receive_left = length;
  c->receive_offset = 0;
  c->is_checked = counters.requests % kCheckedEvery == 1;
  c->is_damaged = false;
  if (take_body(c, bytes + used, size - used) != size - used) return false;
  return c->receive_left > 0 || bulk_received(c);
}
