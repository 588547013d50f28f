#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every target has this entry, which libFuzzer calls too; it aborts where a property is broken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Set by a target: whether the parser took its last input. fuzz-main.c holds it to the file's name. */
extern bool fuzz_was_accepted;

/* Stops the program, also where assertions are compiled out. */
#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)
