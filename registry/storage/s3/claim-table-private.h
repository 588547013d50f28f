#pragma once

#include <pthread.h>

#include "registry/storage/s3/claim-table.h"

/* Shared by claim-table.c, which has the table and its thread, and claim-share.c. */

enum { CLAIMS_KEPT_MAX = 1024 };

/* Of the shared line of this server. */
enum line_state {
    LINE_NONE,
    LINE_CHANGING, /* a thread takes it, renews it or gives it back */
    LINE_HELD,
};

struct claim_entry {
    struct claim_entry *next;
    unsigned references; /* of requests, and of a thread that gives the line back */
    unsigned sharers;    /* requests that rely on the line */
    unsigned waiting_alone;
    bool is_alone; /* a request has the claim alone, or keeps sharers away until it has */
    enum line_state state;
    uint64_t generation; /* of the line; changes when it ends */
    struct claim_line line;
    bool is_wanted;               /* somebody on another server waits to be alone */
    int64_t used_s;               /* when the last sharer left */
    int64_t unkept_until_s;       /* until then the last sharer gives the line back */
    int64_t ask_after_ms, ask_ms; /* when others had the claim */
    char key[];
};

struct claims {
    struct s3 *s3;
    pthread_mutex_t mutex; /* protects the rest */
    pthread_cond_t changed;
    pthread_cond_t keeper; /* wakes the thread */
    pthread_t thread;      /* from the first shared claim on */
    bool has_thread, is_ending;
    struct claim_entry *entries;
    size_t lines; /* in the objects of claims */
};

/* All of these are called with the mutex held. */

/* Starts the thread. Without it no line is kept. */
void claims_start_thread(struct claims *claims);

/* Somebody waits to be alone: the line is not kept. */
void claims_note_wish(struct claims *claims, struct claim_entry *entry);

/* The line is in the object no more, or nobody may rely on it. */
void claims_end_line(struct claims *claims, struct claim_entry *entry);

/* Nobody uses the line, and nobody of this server waits to take it over. */
bool claims_is_idle(const struct claim_entry *entry);
