// GET and POST. The heads of all requests are written before the first is sent.
#include <string.h>
#include <strings.h>

#include "generator.h"

static struct Request {
  char* head;
  size_t size;
}* requests;
static size_t request_count, next_request;

static void write_request(struct Request* request, int host, int path) {
  char text[512], name[64] = "bench.test", folder[32] = "";
  const bool posts = options.protocol == &kPost;
  if (options.hosts > 0) snprintf(name, sizeof name, "h%d.bench.test", host);
  if (options.paths > 0) snprintf(folder, sizeof folder, "/p%d", path);
  int size = snprintf(text, sizeof text,
                      "%s %s/%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nAccept: */*\r\n",
                      posts ? "POST" : "GET", folder, options.what, name);
  if (posts)
    size +=
        snprintf(text + size, sizeof text - (size_t)size, "Content-Length: %lu\r\n", options.size);
  size += snprintf(text + size, sizeof text - (size_t)size, "%s\r\n",
                   options.once ? "Connection: close\r\n" : "");
  request->size = (size_t)size;
  request->head = strdup(text);
}

void http_init(void) {
  const int hosts = options.hosts > 0 ? options.hosts : 1;
  const int paths = options.paths > 0 ? options.paths : 1;
  request_count = (size_t)hosts * (size_t)paths;
  requests = calloc(request_count, sizeof *requests);
  if (requests == NULL) die("calloc");
  for (int host = 0; host < hosts; host++)
    for (int path = 0; path < paths; path++)
      write_request(&requests[host * paths + path], host, path);
}

static void begin(struct Client* c) {
  const struct Request* request = &requests[next_request];
  // All of them in an order that no cache foresees; 7919 is a prime.
  next_request = (next_request + 7919) % request_count;
  c->receive_offset = 0;
  c->is_checked = options.size < kChunk / 4 || c->turn % kCheckedEvery == 0;
  client_send(c, request->head, request->size, options.protocol == &kPost ? options.size : 0);
}

size_t take_body(struct Client* c, const char* bytes, size_t size) {
  const size_t part = size < c->receive_left ? size : (size_t)c->receive_left;
  if (c->is_checked && !pattern_matches(bytes, part, c->receive_offset)) {
    broken(c, "a body with other bytes");
    return size;
  }
  c->receive_offset += part;
  c->receive_left -= part;
  return part;
}

bool keep_input(struct Client* c, const char* bytes, size_t size) {
  if (c->input == NULL) c->input = malloc(kMostInput);
  if (c->input == NULL || size > kMostInput - c->input_size) return false;
  memcpy(c->input + c->input_size, bytes, size);
  c->input_size += size;
  return true;
}

static void answered(struct Client* c) {
  if (options.once)
    c->has_answer = true;  // The unit ends with its connection.
  else
    unit_done(c);
}

/// A whole head: the status must be 200, the length the one that was asked for.
static bool read_head(struct Client* c, const char* head, size_t size) {
  char text[kMostInput + 1];
  memcpy(text, head, size);
  text[size] = '\0';
  const char* length = strcasestr(text, "\r\ncontent-length:");
  if (strncmp(text, "HTTP/1.1 200 ", 13) != 0) {
    broken(c, "status is not 200");
  } else if (length == NULL) {
    broken(c, "no length");
  } else {
    c->receive_left = strtoull(length + 17, NULL, 10);
    if (options.protocol == &kPost ? c->receive_left == 2 : c->receive_left == options.size)
      return true;
    broken(c, "another length");
  }
  return false;
}

static void input(struct Client* c, const char* bytes, size_t size) {
  const unsigned life = c->life;
  if (c->receive_left == 0 && !c->has_answer) {
    if (c->input_size > 0) {
      if (!keep_input(c, bytes, size)) return broken(c, "a long head");
      bytes = c->input;
      size = c->input_size;
    }
    const char* end = memmem(bytes, size, "\r\n\r\n", 4);
    if (end == NULL) {
      if (c->input_size == 0 && !keep_input(c, bytes, size)) broken(c, "a long head");
      return;
    }
    const size_t head = (size_t)(end - bytes) + 4;
    if (head > kMostInput) return broken(c, "a long head");
    c->input_size = 0;
    if (!read_head(c, bytes, head)) return;
    bytes += head;
    size -= head;
  }
  const size_t used = take_body(c, bytes, size);
  if (c->life != life) return;
  if (used < size) return broken(c, "more bytes than announced");
  if (c->receive_left == 0) answered(c);
}

const struct Protocol kGet = {.name = "get", .begin = begin, .input = input};
const struct Protocol kPost = {.name = "post", .begin = begin, .input = input};
