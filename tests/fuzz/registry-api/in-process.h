#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "registry/api/api.h"
#include "registry/http/handler.h"
#include "tests/fuzz/memory-directory.h"

/*
 * A registry without sockets: one thread calls its endpoints as the server does. Nothing waits for a disk.
 */
struct in_process {
    struct api api; /* its store can be closed and reopened */
    struct http_handler handler;
    char root[MEMORY_DIRECTORY_SIZE]; /* the directory of the storage */
};

/* Recreates the directory; ends the program if that fails. */
void in_process_start(struct in_process *registry);
void in_process_stop(struct in_process *registry);

/* Simulates a restart, which loses all state in memory. */
void in_process_restart(struct in_process *registry);

struct sent {
    const char *method;
    const char *target; /* path and query, as a client sends them */
    const char *content_type, *content_range, *range, *accept; /* NULL: not sent */
    const void *body;
    size_t size;
    size_t chunk; /* the body arrives in pieces of this size; 0: at once */
    bool is_chunked;
};

struct answer {
    unsigned status; /* 0: no endpoint answered */
    char *body;      /* ends in a NUL that size does not count */
    size_t size;
    char location[512], digest[256], range[64], link[1024], content_type[256];
};

/* Sends a request, and checks the properties of every answer. *ret is owned by the caller, free with answer_done(). */
void in_process_send(struct in_process *registry, const struct sent *sent, struct answer *ret);
void answer_done(struct answer *answer);
