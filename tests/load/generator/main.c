// generator protocol=get port=8080 connections=64 ... Then, line by line on standard input:
//   run MILLISECONDS        closed loop; ends when the last unit under way has ended
//   each                    one unit on every connection
//   rate PER_SECOND MILLISECONDS   open loop
// Each is answered by a line of JSON. Nothing is under way between the lines.
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "generator.h"

struct Options options = {.what = "1k", .connections = 64, .size = 1024};

static const struct Protocol* const kProtocols[] = {&kGet, &kPost, &kWebSocket, &kPing, &kBulk};

static void choose_protocol(const char* name) {
  for (size_t i = 0; i < sizeof kProtocols / sizeof *kProtocols; i++)
    if (strcmp(kProtocols[i]->name, name) == 0) options.protocol = kProtocols[i];
}

static void read_option(const char* text) {
  const char* value = strchr(text, '=');
  const struct {
    const char* name;
    int* number;
  } numbers[] = {{"port", &options.port},       {"connections", &options.connections},
                 {"hosts", &options.hosts},     {"paths", &options.paths},
                 {"udp", &options.is_udp},      {"tls", &options.is_tls},
                 {"resumes", &options.resumes}, {"once", &options.once}};
  if (value == NULL) die(text);
  value++;
  if (strncmp(text, "protocol=", 9) == 0) return choose_protocol(value);
  if (strncmp(text, "what=", 5) == 0) {
    options.what = value;
    return;
  }
  if (strncmp(text, "size=", 5) == 0) {
    options.size = strtoull(value, NULL, 10);
    return;
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    const size_t length = strlen(numbers[i].name);
    if (strncmp(text, numbers[i].name, length) != 0 || text[length] != '=') continue;
    *numbers[i].number = atoi(value);
    return;
  }
  die(text);
}

static void report(uint64_t began) {
  uint64_t open = 0;
  for (int i = 0; i < options.connections; i++) open += clients[i].fd >= 0;
  printf(
      "{\"units\": %lu, \"seconds\": %.6f, \"bytes\": %lu, \"opened\": %lu, \"open\": %lu, "
      "\"resumed\": %lu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
      "\"errors\": %lu, \"error\": \"%s\"}\n",
      totals.units, (double)(now_ns() - began) / 1e9, totals.bytes, totals.opened, open,
      totals.resumed, totals.p50_us, totals.p99_us, totals.max_us, totals.errors,
      totals.error == NULL ? "" : totals.error);
  fflush(stdout);
}

static void obey(const char* line) {
  unsigned long milliseconds = 0;
  double rate = 0;
  const uint64_t began = now_ns();
  memset(&totals, 0, sizeof totals);
  if (sscanf(line, "run %lu", &milliseconds) == 1)
    run_for(milliseconds * 1000000ULL);
  else if (sscanf(line, "rate %lf %lu", &rate, &milliseconds) == 2)
    run_at_rate(rate, milliseconds * 1000000ULL);
  else if (strncmp(line, "each", 4) == 0)
    run_each();
  report(began);
}

int main(int count, char** arguments) {
  for (int i = 1; i < count; i++) read_option(arguments[i]);
  if (options.protocol == NULL || options.port == 0) die("protocol= and port= are needed");
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);  // An open loop must wake up on time.
  pattern_init();
  raise_descriptor_limit();
  clients_init();
  runs_init();
  http_init();
  if (options.is_tls) tls_init();
  char line[128];
  while (fgets(line, sizeof line, stdin) != NULL) obey(line);
  return 0;
}
