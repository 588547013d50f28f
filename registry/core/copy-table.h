#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "registry/core/digest-set.h"

/*
 * What the threads of a copy know about blobs, so that each is copied once: a hash table of 34
 * bytes for each digest, filled to two thirds. Any thread may call these functions.
 */
enum copy_state {
    COPY_UNKNOWN,
    COPY_EXPECTED, /* it is in the totals of the progress */
    COPY_BUSY,     /* a thread is copying it */
    COPY_THERE,    /* the destination has it */
    COPY_GIVEN_UP, /* the source's bytes are damaged or missing, which was reported */
};

struct copy_slot;

struct copy_table {
    pthread_mutex_t lock; /* protects everything below */
    pthread_cond_t has_changed;
    struct copy_slot *slots; /* their number is a power of two, or 0 */
    size_t size, count;
};

void copy_table_init(struct copy_table *table);
void copy_table_done(struct copy_table *table);

/*
 * Waits while another thread copies the blob. Returns true if the caller must copy it and call
 * copy_table_end(). *ret is the state before. COPY_BUSY: memory is exhausted.
 */
bool copy_table_begin(struct copy_table *table, const struct digest *digest, enum copy_state *ret);

/* Sets the state of a digest that is in the table. */
void copy_table_end(struct copy_table *table, const struct digest *digest, enum copy_state state);

/* Makes the state of an unknown digest COPY_EXPECTED. 1 if it was unknown, 0, or -ENOMEM. */
int copy_table_expect(struct copy_table *table, const struct digest *digest);
