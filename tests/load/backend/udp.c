// UDP: echoes, and answers of many datagrams that leave in one call, as QUIC servers send them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"

enum {
  kBatch = 32,
  kRoom = 2048,
  kCommand = 16,
  kPiece = 1200,
  kMostPieces = 48,
  kBuffer = 8 << 20
};

static char rooms[kBatch][kRoom];
static struct sockaddr_in peers[kBatch];
static struct iovec pieces[kBatch];
static struct mmsghdr messages[kBatch];

int udp_open(const char* port) {
  const int size = kBuffer;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) die("bind");
  return fd;
}

static void send_pieces(int fd, struct sockaddr_in* peer, uint64_t size) {
  for (uint64_t offset = 0; offset < size;) {
    const uint64_t left = size - offset, most = (uint64_t)kPiece * kMostPieces;
    struct iovec part = {(void*)pattern_at(offset), (size_t)(left < most ? left : most)};
    const uint16_t piece = kPiece;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof piece)] = {0};
    struct msghdr message = {.msg_name = peer,
                             .msg_namelen = sizeof *peer,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr* segment = CMSG_FIRSTHDR(&message);
    segment->cmsg_level = IPPROTO_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof piece);
    memcpy(CMSG_DATA(segment), &piece, sizeof piece);
    if (sendmsg(fd, &message, 0) < 0) {
      counters.failed++;
      return;
    }
    counters.bytes_sent += part.iov_len;
    offset += part.iov_len;
  }
}

/// Whether it was a command; it is then answered.
static bool obey(int fd, int i) {
  char line[kCommand + 1] = {0};
  if (messages[i].msg_len != kCommand || rooms[i][0] != 'G') return false;
  memcpy(line, rooms[i], kCommand);
  counters.requests++;
  send_pieces(fd, &peers[i], strtoull(line + 1, NULL, 10));
  return true;
}

void udp_serve(int fd) {
  for (int i = 0; i < kBatch; i++) {
    pieces[i] = (struct iovec){rooms[i], kRoom};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                          .msg_namelen = sizeof peers[i],
                                          .msg_iov = &pieces[i],
                                          .msg_iovlen = 1};
  }
  const int got = recvmmsg(fd, messages, kBatch, MSG_DONTWAIT, NULL);
  int echoes = 0;
  for (int i = 0; i < got; i++) {
    counters.bytes_received += messages[i].msg_len;
    if (obey(fd, i)) continue;
    pieces[i].iov_len = messages[i].msg_len;
    counters.bytes_sent += messages[i].msg_len;
    messages[echoes++] = messages[i];
  }
  if (echoes == 0) return;
  counters.messages += (uint64_t)echoes;
  if (sendmmsg(fd, messages, (unsigned)echoes, 0) < echoes) counters.failed++;
}
