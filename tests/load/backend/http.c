// GET .../1k, .../100k, .../10m answer with so much of the pattern; .../head with the request's own
// head; a POST is checked and answered with 2 bytes; a WebSocket echoes.
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "backend.h"

static const struct Size {
  const char* name;
  uint64_t bytes;
} kSizes[] = {{"/1k ", 1024}, {"/100k ", 100 * 1024}, {"/10m ", 10 * 1024 * 1024}};

/// The value of a header of a head that ends with a zero byte, or NULL. `name` begins with "\r\n".
static const char* header(const char* head, const char* name) {
  const char* found = strcasestr(head, name);
  return found == NULL ? NULL : found + strlen(name);
}

static bool reply(struct Connection* c, const char* status, uint64_t length) {
  c->head_sent = 0;
  c->head_size = (size_t)snprintf(c->head, sizeof c->head,
                                  "HTTP/1.1 %s\r\nServer: bench\r\n"
                                  "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                                  "Content-Type: application/octet-stream\r\n"
                                  "Content-Length: %lu\r\n\r\n",
                                  status, length);
  c->send_left = length;
  c->send_offset = 0;
  counters.requests++;
  return flush(c);
}

static bool reply_with_head(struct Connection* c, const char* head, size_t size) {
  static char text[kMostInput + 256];
  const int length =
      snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", size,
               (int)size, head);
  counters.requests++;
  return send(c->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
}

static bool upgrade(struct Connection* c, const char* key) {
  char text[64];
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned char accept[64];
  const int size = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  EVP_Digest(text, (size_t)size, hash, NULL, EVP_sha1(), NULL);
  EVP_EncodeBlock(accept, hash, 20);
  c->head_sent = 0;
  c->head_size = (size_t)snprintf(c->head, sizeof c->head,
                                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                  accept);
  c->kind = kWebSocket;
  counters.requests++;
  return flush(c);
}

bool http_received(struct Connection* c) {
  if (c->is_damaged) counters.damaged++;
  return reply(c, c->is_damaged ? "500 Damaged" : "200 OK", 2);
}

static bool answer(struct Connection* c, const char* head, size_t size) {
  const char* end_of_line = strchr(head, '\r');
  const char* last = memrchr(head, '/', (size_t)(end_of_line - head) - strlen(" HTTP/1.1"));
  if (last == NULL) return false;
  const char* key = header(head, "\r\nSec-WebSocket-Key: ");
  if (key != NULL) return upgrade(c, key);
  for (size_t i = 0; i < sizeof kSizes / sizeof *kSizes; i++)
    if (strncmp(last, kSizes[i].name, strlen(kSizes[i].name)) == 0)
      return reply(c, "200 OK", kSizes[i].bytes);
  if (strncmp(last, "/head ", 6) == 0) return reply_with_head(c, head, size);
  return reply(c, "404 Not Found", 0);
}

/// One whole head, ended by a zero byte; what follows it belongs to the body.
static bool request(struct Connection* c, const char* head, size_t head_size, const char* rest,
                    size_t rest_size) {
  const char* length = head[0] == 'P' ? header(head, "\r\nContent-Length: ") : NULL;
  if (length == NULL) return rest_size == 0 && answer(c, head, head_size);
  c->receive_left = strtoull(length, NULL, 10);
  c->receive_offset = 0;
  c->is_checked = true;
  c->is_damaged = false;
  if (take_body(c, rest, rest_size) != rest_size) return false;
  return c->receive_left > 0 || http_received(c);
}

bool http_input(struct Connection* c, const char* bytes, size_t size) {
  static char head[kMostInput + 1];
  if (c->input_size > 0) {  // The head came in pieces.
    if (!keep_input(c, bytes, size)) return false;
    bytes = c->input;
    size = c->input_size;
  }
  const char* end = memmem(bytes, size, "\r\n\r\n", 4);
  if (end == NULL) return c->input_size > 0 || keep_input(c, bytes, size);
  const size_t head_size = (size_t)(end - bytes) + 4;
  if (head_size > kMostInput) return false;
  memcpy(head, bytes, head_size);
  head[head_size] = '\0';
  const bool goes_on = request(c, head, head_size, bytes + head_size, size - head_size);
  c->input_size = 0;
  if (!goes_on) counters.failed++;
  return goes_on;
}
