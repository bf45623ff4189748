// A server that costs next to nothing, so that the proxy in front of it is what a bench measures.
// One thread, edge-triggered epoll. It counts what it served and checks what it received.
#pragma once

#include <sys/types.h>

#include "../common/common.h"

enum Kind { kHttp, kWebSocket, kEcho, kBulk };
enum { kMostInput = 16 * 1024 };

struct Connection {
  int fd;
  enum Kind kind;
  // What came and is not yet understood: part of a head, a frame or a command.
  char input[kMostInput];
  size_t input_size;
  // A body or upload that is being received.
  uint64_t receive_left, receive_offset;
  bool is_checked, is_damaged;
  // A reply that is being sent: its head, then the pattern.
  char head[512];
  size_t head_size, head_sent;
  uint64_t send_left, send_offset;
};

struct Counters {
  uint64_t accepted, requests, messages, bytes_received, bytes_sent, damaged, failed;
};
extern struct Counters counters;

/// Answers datagrams: a command G as bulk_input does, in pieces; any other by an echo.
int udp_open(const char* port);
void udp_serve(int fd);

/// Each takes what has arrived; false ends the connection.
bool http_input(struct Connection* c, const char* bytes, size_t size);
bool websocket_input(struct Connection* c, const char* bytes, size_t size);
bool echo_input(struct Connection* c, const char* bytes, size_t size);
bool bulk_input(struct Connection* c, const char* bytes, size_t size);
/// What to do when receive_left has come down to nothing.
bool http_received(struct Connection* c);
bool bulk_received(struct Connection* c);

/// Sends what it can of head and pattern; the rest when the socket takes more.
bool flush(struct Connection* c);
/// Appends to `input`; false where it does not fit.
bool keep_input(struct Connection* c, const char* bytes, size_t size);
/// Takes bytes of a body from a read; returns how many.
size_t take_body(struct Connection* c, const char* bytes, size_t size);
