#ifndef CCOUNTERS_H
#define CCOUNTERS_H

#include <stdint.h>

/// What this thread has done since it started: calls of malloc and its relatives, and of swift_retain.
typedef struct {
    uint64_t allocations;
    uint64_t retains;
} counters_t;

counters_t counters_now(void);

#endif
