// backend HTTP_PORT ECHO_PORT BULK_PORT; the second one for UDP, too. Answers "stats" on standard
// input with its counters.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backend.h"

struct Counters counters;

static int poller;
static char buffer[kChunk];
// Listeners and standard input are told apart from connections by where they point to.
static struct Listener {
  int fd;
  enum Kind kind;
} listeners[3];
static char standard_input, datagrams;
static int udp;

static void watch(int fd, void* what, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = what};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void listen_on(struct Listener* listener, enum Kind kind, const char* port) {
  const int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  listener->kind = kind;
  listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener->fd, (struct sockaddr*)&address, sizeof address) != 0) die("bind");
  if (listen(listener->fd, 4096) != 0) die("listen");
  watch(listener->fd, listener, EPOLLIN);
}

bool keep_input(struct Connection* c, const char* bytes, size_t size) {
  if (size > kMostInput - c->input_size) return false;
  memcpy(c->input + c->input_size, bytes, size);
  c->input_size += size;
  return true;
}

size_t take_body(struct Connection* c, const char* bytes, size_t size) {
  const size_t part = size < c->receive_left ? size : (size_t)c->receive_left;
  if (c->is_checked && !pattern_matches(bytes, part, c->receive_offset)) c->is_damaged = true;
  c->receive_offset += part;
  c->receive_left -= part;
  counters.bytes_received += part;
  return part;
}

bool flush(struct Connection* c) {
  while (c->head_sent < c->head_size || c->send_left > 0) {
    const size_t part = c->send_left < kChunk ? (size_t)c->send_left : kChunk;
    struct iovec pieces[2] = {{c->head + c->head_sent, c->head_size - c->head_sent},
                              {(void*)pattern_at(c->send_offset), part}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    counters.bytes_sent += (uint64_t)sent;
    const size_t of_head = (size_t)sent < pieces[0].iov_len ? (size_t)sent : pieces[0].iov_len;
    c->head_sent += of_head;
    c->send_left -= (uint64_t)sent - of_head;
    c->send_offset += (uint64_t)sent - of_head;
  }
  return true;
}

static bool input(struct Connection* c, const char* bytes, size_t size) {
  switch (c->kind) {
    case kHttp:
      return http_input(c, bytes, size);
    case kWebSocket:
      return websocket_input(c, bytes, size);
    case kEcho:
      return echo_input(c, bytes, size);
    case kBulk:
      return bulk_input(c, bytes, size);
  }
  return false;
}

/// Reads until the socket is drained, which a short read says where no end is near. Bodies that
/// nobody checks are dropped inside of the kernel.
static bool receive(struct Connection* c, bool is_near_end) {
  for (;;) {
    const bool drops = c->receive_left >= kChunk && !c->is_checked;
    const ssize_t size = recv(c->fd, buffer, sizeof buffer, drops ? MSG_TRUNC : 0);
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    size_t used = 0;
    if (c->receive_left > 0) {
      used = take_body(c, buffer, (size_t)size);
      if (c->receive_left == 0 && !(c->kind == kHttp ? http_received(c) : bulk_received(c)))
        return false;
    }
    if (used < (size_t)size && !input(c, buffer + used, (size_t)size - used)) return false;
    if ((size_t)size < sizeof buffer && !is_near_end) return true;
  }
}

static void serve(struct Connection* c, uint32_t events) {
  const bool is_near_end = events & EPOLLRDHUP;
  const bool goes_on = !(events & (EPOLLERR | EPOLLHUP)) && (!(events & EPOLLOUT) || flush(c)) &&
                       (!(events & EPOLLIN) || receive(c, is_near_end));
  if (goes_on) return;
  close(c->fd);
  free(c);
}

static void accept_all(struct Listener* listener) {
  for (;;) {
    const int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    set_nodelay(fd);
    struct Connection* c = malloc(sizeof *c);
    if (c == NULL) die("malloc");
    memset(c, 0, sizeof *c);
    c->fd = fd;
    c->kind = listener->kind;
    counters.accepted++;
    watch(fd, c, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }
}

/// Whatever line comes, the answer is the counters. The end of the input is the end of the program.
static void answer_driver(void) {
  char line[64];
  if (read(STDIN_FILENO, line, sizeof line) <= 0) exit(0);
  printf(
      "{\"accepted\": %lu, \"requests\": %lu, \"messages\": %lu, \"bytes_received\": %lu, "
      "\"bytes_sent\": %lu, \"damaged\": %lu, \"failed\": %lu}\n",
      counters.accepted, counters.requests, counters.messages, counters.bytes_received,
      counters.bytes_sent, counters.damaged, counters.failed);
  fflush(stdout);
}

static void dispatch(struct epoll_event* event) {
  for (size_t i = 0; i < 3; i++)
    if (event->data.ptr == &listeners[i]) return accept_all(&listeners[i]);
  if (event->data.ptr == &standard_input) return answer_driver();
  if (event->data.ptr == &datagrams) return udp_serve(udp);
  serve(event->data.ptr, event->events);
}

int main(int count, char** arguments) {
  if (count != 4) {
    fputs("usage: backend HTTP_PORT ECHO_PORT BULK_PORT\n", stderr);
    return 2;
  }
  pattern_init();
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  listen_on(&listeners[0], kHttp, arguments[1]);
  listen_on(&listeners[1], kEcho, arguments[2]);
  listen_on(&listeners[2], kBulk, arguments[3]);
  udp = udp_open(arguments[2]);
  watch(udp, &datagrams, EPOLLIN);
  watch(STDIN_FILENO, &standard_input, EPOLLIN);
  puts("{\"is_ready\": true}");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    const int ready = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < ready; i++) dispatch(&events[i]);
  }
}
