#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "generator.h"

struct Client* clients;
struct Totals totals;

static int poller;
static char buffer[kChunk];

void clients_init(void) {
  poller = epoll_create1(EPOLL_CLOEXEC);
  clients = calloc((size_t)options.connections, sizeof *clients);
  if (clients == NULL) die("calloc");
  for (int i = 0; i < options.connections; i++) clients[i].fd = -1;
}

void client_close(struct Client* c) {
  if (c->fd < 0) return;
  tls_close(c);
  close(c->fd);
  c->fd = -1;
  c->life++;
  c->is_connected = c->is_ready = c->is_upgraded = c->has_answer = false;
  c->out_left = 0;
  c->send_left = c->receive_left = 0;
  c->input_size = 0;
}

void broken(struct Client* c, const char* why) {
  if (totals.errors++ == 0) totals.error = why;
  client_close(c);
  if (!c->is_busy) return;
  c->is_busy = false;
  busy_clients--;
  client_is_free(c);
}

void unit_done(struct Client* c) {
  totals.units++;
  if (options.once) client_close(c);
  c->is_busy = false;
  busy_clients--;
  client_is_free(c);
}

static void flush(struct Client* c) {
  while (c->out_left > 0 || c->send_left > 0) {
    const size_t part = c->send_left < kChunk ? (size_t)c->send_left : kChunk;
    struct iovec pieces[2] = {{(void*)c->out, c->out_left},
                              {(void*)pattern_at(c->send_offset), part}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    // TLS takes one piece at a time.
    const struct iovec piece = pieces[c->out_left > 0 ? 0 : 1];
    const ssize_t sent = c->ssl != NULL ? tls_write(c, piece.iov_base, piece.iov_len)
                                        : sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) broken(c, "cannot send");
      return;
    }
    const size_t of_out = (size_t)sent < c->out_left ? (size_t)sent : c->out_left;
    c->out += of_out;
    c->out_left -= of_out;
    c->send_left -= (uint64_t)sent - of_out;
    c->send_offset += (uint64_t)sent - of_out;
    totals.bytes += (uint64_t)sent;
  }
}

void client_send(struct Client* c, const char* bytes, size_t size, uint64_t pattern) {
  c->out = bytes;
  c->out_left = size;
  c->send_left = pattern;
  c->send_offset = 0;
  flush(c);
}

void client_ready(struct Client* c) {
  c->is_ready = true;
  c->turn++;
  options.protocol->begin(c);
}

static void connected(struct Client* c) {
  if (options.is_tls && !tls_handshake(c)) return;
  c->is_connected = true;
  if (options.protocol->prepare != NULL) return options.protocol->prepare(c);
  client_ready(c);
}

static void client_open(struct Client* c) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)options.port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int type = options.is_udp ? SOCK_DGRAM : SOCK_STREAM;
  c->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  if (!options.is_udp) set_nodelay(c->fd);
  totals.opened++;
  const int result = connect(c->fd, (struct sockaddr*)&address, sizeof address);
  if (result != 0 && errno != EINPROGRESS) return broken(c, "cannot connect");
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl");
  if (options.is_tls) tls_open(c);
  // The first event, that it is writable, says that it is connected.
}

void client_begin(struct Client* c) {
  c->is_busy = true;
  busy_clients++;
  if (c->fd < 0) return client_open(c);
  c->turn++;
  options.protocol->begin(c);
}

/// The other side has closed. The end of a unit where each has a connection of its own; no harm
/// where nothing was going on.
static void ended(struct Client* c) {
  if (c->is_busy && options.once && c->has_answer) return unit_done(c);
  if (c->is_busy) return broken(c, "closed in the middle of a unit");
  client_close(c);
}

static void receive(struct Client* c, bool is_near_end) {
  const unsigned life = c->life;
  while (c->life == life) {
    const bool drops = c->receive_left >= kChunk && !c->is_checked && c->ssl == NULL;
    const ssize_t size = c->ssl != NULL ? tls_read(c, buffer, sizeof buffer)
                                        : recv(c->fd, buffer, sizeof buffer, drops ? MSG_TRUNC : 0);
    if (size < 0) {
      if (errno != EAGAIN) broken(c, "cannot receive");
      return;
    }
    if (size == 0) return ended(c);
    totals.bytes += (uint64_t)size;
    if (!c->is_busy) return broken(c, "bytes that nobody asked for");
    options.protocol->input(c, buffer, (size_t)size);
    const bool is_drained = (size_t)size < sizeof buffer && c->ssl == NULL && !options.is_udp;
    if (is_drained && !is_near_end) return;
  }
}

static void serve(struct Client* c, uint32_t events) {
  const unsigned life = c->life;
  if (c->fd < 0) return;
  if (events & EPOLLERR) return broken(c, "reset");
  if (!c->is_connected) {
    connected(c);
    if (!c->is_connected || c->life != life) return;
  } else if (events & EPOLLOUT) {
    flush(c);
  }
  if (c->life == life && events & (EPOLLIN | EPOLLRDHUP)) receive(c, events & EPOLLRDHUP);
}

void clients_serve(uint64_t until) {
  struct epoll_event events[256];
  struct timespec wait = {0, 0};
  const uint64_t now = until == 0 ? 0 : now_ns();
  if (until > now) {
    wait.tv_sec = (time_t)((until - now) / 1000000000ULL);
    wait.tv_nsec = (long)((until - now) % 1000000000ULL);
  }
  const int ready = epoll_pwait2(poller, events, 256, until == 0 ? NULL : &wait, NULL);
  for (int i = 0; i < ready; i++) serve(events[i].data.ptr, events[i].events);
}
