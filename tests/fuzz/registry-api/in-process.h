#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "registry/api/api.h"
#include "registry/http/handler.h"
#include "tests/fuzz/memory-folder.h"

/*
 * A registry without sockets: its endpoints are called as the server calls them, in one thread. Nothing waits for a disk.
 */
struct in_process {
    struct api api; /* its store may be closed and opened again */
    struct http_handler handler;
    char root[MEMORY_FOLDER_SIZE]; /* the folder it lies in */
};

/* The folder is made anew; ends the program where that cannot be. */
void in_process_start(struct in_process *registry);
void in_process_stop(struct in_process *registry);

/* As after a restart: what is only known in memory is forgotten. */
void in_process_restart(struct in_process *registry);

struct sent {
    const char *method;
    const char *target; /* path and query, as they would be sent */
    const char *content_type, *content_range, *range, *accept; /* NULL: not sent */
    const void *body;
    size_t size;
    size_t chunk; /* the body comes in pieces of that many bytes; 0: at once */
    bool is_chunked;
};

struct answer {
    unsigned status; /* 0: no endpoint answered */
    char *body;      /* ends in a NUL that size does not count */
    size_t size;
    char location[512], digest[256], range[64], link[1024], content_type[256];
};

/* Sends a request, and holds the answer to what is true of every one. *ret is the caller's, free with answer_done(). */
void in_process_send(struct in_process *registry, const struct sent *sent, struct answer *ret);
void answer_done(struct answer *answer);
