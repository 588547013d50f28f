#pragma once

#include <stdlib.h>
#include <unistd.h>

/*
 * Ownership (docs/design/conventions.md): a local variable that owns something is declared with
 * CLEANUP(function), and is handed over with steal_ptr() or steal_fd().
 */

#define CLEANUP(function) __attribute__((cleanup(function)))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
/* A function whose last argument is NULL. */
#define NULL_TERMINATED __attribute__((sentinel))
#define MUST_USE __attribute__((warn_unused_result))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define CLEANUP_FREE CLEANUP(cleanup_free_ptr)
#define CLEANUP_CLOSE CLEANUP(cleanup_close_fd)

#define steal_ptr(pointer)                                                                         \
    __extension__({                                                                                \
        __typeof__(*(pointer)) stolen_ = *(pointer);                                               \
        *(pointer) = NULL;                                                                         \
        stolen_;                                                                                   \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

static inline void cleanup_free_ptr(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
