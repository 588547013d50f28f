#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The entry point of every target, which libFuzzer calls, too; it aborts if a property is violated. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Set by a target: whether the parser accepted its last input. fuzz-main.c compares it with the file's name. */
extern bool fuzz_was_accepted;

/* Stops the program, also if assertions are compiled out. */
#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)
