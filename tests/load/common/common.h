// What the load generator and the backend of the bench share: the bytes that travel, sockets,
// clocks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Byte i of every body is byte i % kPeriod of one fixed sequence. The period is a prime, so that
// pieces which were swapped, lost or repeated at the size of anybody's buffer do not go unnoticed.
enum { kPeriod = 65521, kChunk = 256 * 1024 };

void pattern_init(void);
/// kChunk bytes of the pattern that begin at `offset` of a body.
const char* pattern_at(uint64_t offset);
bool pattern_matches(const char* bytes, size_t size, uint64_t offset);

_Noreturn void die(const char* what);
uint64_t now_ns(void);
/// As many descriptors as this process may have.
void raise_descriptor_limit(void);
void set_nodelay(int fd);
