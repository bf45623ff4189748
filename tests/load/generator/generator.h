// The load of the bench: one thread, edge-triggered epoll, a fixed number of connections. Either a
// closed loop (each connection begins the next unit when the last one is done) or an open one
// (units begin at a fixed rate, whatever the proxy does). Every answer is checked.
#pragma once

#include <openssl/ssl.h>

#include "../common/common.h"

enum { kMostInput = 8 * 1024, kCheckedEvery = 8 };

struct Client {
  int fd;         // -1: not connected
  unsigned life;  // counts the connections it has had
  SSL* ssl;
  SSL_SESSION* session;  // of the last connection, for the next one
  bool is_busy, is_connected, is_ready;
  bool is_upgraded, has_answer, uploads;
  unsigned turn;  // units begun
  uint64_t began;
  // What is being sent: some bytes, then a part of the pattern.
  const char* out;
  size_t out_left;
  uint64_t send_left, send_offset;
  char message[160];
  // What came and is not yet understood, and the body that is being received.
  char* input;
  size_t input_size;
  uint64_t receive_left, receive_offset;
  bool is_checked;
};

/// What a unit of work is.
struct Protocol {
  const char* name;
  /// Sends what begins one unit on a ready connection.
  void (*begin)(struct Client* c);
  /// Takes what came; calls unit_done() at the end of a unit, or broken().
  void (*input)(struct Client* c, const char* bytes, size_t size);
  /// What comes before the first unit of a connection; NULL: nothing.
  void (*prepare)(struct Client* c);
};
extern const struct Protocol kGet, kPost, kWebSocket, kPing, kBulk;

struct Options {
  const struct Protocol* protocol;
  int port, connections, hosts, paths;
  uint64_t size;                      // of a body or of a bulk transfer
  const char* what;                   // last part of the path
  int is_udp, is_tls, resumes, once;  // once: a connection (UDP: a port) for each unit
};
extern struct Options options;

struct Totals {
  uint64_t units, opened, resumed, bytes, errors;
  const char* error;
  double p50_us, p99_us, max_us;  // of an open loop
};
extern struct Totals totals;

// clients.c: the life of a connection.
void clients_init(void);
void client_begin(struct Client* c);
void client_ready(struct Client* c);
void client_close(struct Client* c);
/// Sends `bytes`, which must stay, then `pattern` bytes of the pattern.
void client_send(struct Client* c, const char* bytes, size_t size, uint64_t pattern);
void unit_done(struct Client* c);
void broken(struct Client* c, const char* why);
/// Waits until `until` (0: for ever) at most and serves what has happened.
void clients_serve(uint64_t until);
extern struct Client* clients;

// runs.c: when units begin.
void runs_init(void);
void run_for(uint64_t nanoseconds);
void run_each(void);
void run_at_rate(double per_second, uint64_t nanoseconds);
/// A unit has ended: begins the next one where it is time.
void client_is_free(struct Client* c);
extern uint64_t busy_clients;

// tls.c
void tls_init(void);
void tls_open(struct Client* c);
bool tls_handshake(struct Client* c);                          // true: done
ssize_t tls_read(struct Client* c, char* bytes, size_t size);  // -1 with errno, as recv
ssize_t tls_write(struct Client* c, const char* bytes, size_t size);
void tls_close(struct Client* c);

// http.c
void http_init(void);
/// Takes the bytes of a body from what came; how many.
size_t take_body(struct Client* c, const char* bytes, size_t size);
bool keep_input(struct Client* c, const char* bytes, size_t size);
