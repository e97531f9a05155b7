// Stands before malloc and swift_retain of the libraries: symbols of the executable come first, also for the calls that the
// Swift runtime and the standard library make. Linux with glibc; elsewhere the counts stay 0.
#define _GNU_SOURCE
#include "CCounters.h"

#include <stddef.h>

static __thread counters_t counters;

counters_t counters_now(void) { return counters; }

#if defined(__linux__) && defined(__GLIBC__)
#include <dlfcn.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    counters.allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    counters.allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    counters.allocations++;
    return __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    counters.allocations++;
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : 12;
}

typedef void *(*retain_function)(void *);

static void *retain_with(const char *name, retain_function *next, void *object) {
    if (!*next) *next = (retain_function)dlsym(RTLD_NEXT, name);
    counters.retains++;
    return (*next)(object);
}

void *swift_retain(void *object) {
    static retain_function next;
    return retain_with("swift_retain", &next, object);
}

void *swift_bridgeObjectRetain(void *object) {
    static retain_function next;
    return retain_with("swift_bridgeObjectRetain", &next, object);
}
#endif
