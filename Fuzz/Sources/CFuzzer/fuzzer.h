#pragma once

#include <stddef.h>
#include <stdint.h>

/// libFuzzer as a library: its archive has this beside a `main` of its own.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *bytes, size_t count));
