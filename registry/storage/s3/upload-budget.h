#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/storage/storage.h"

/*
 * The memory for the buffers of all uploads. An upload asks for all that it needs at once, while it
 * holds nothing, and waits in a line. So nobody holds memory while it waits for more, and those who
 * hold some do not depend on those who wait. The next one is of the owner that holds the least, and
 * among equals first come, first served. From any thread; nothing waits for a lock for long.
 *
 * While somebody waits, a thread takes memory back from uploads that nobody uses, because their
 * clients send nothing.
 */
struct upload_budget;

/* What an upload holds or waits for. Initially zero; one thread at a time. */
struct upload_grant {
    uint64_t owner;   /* whom the upload is for; set before it asks */
    size_t size;      /* bytes; 0: it has not asked */
    bool is_held;     /* it is granted, and a function has said so */
    int64_t since_ms; /* it is granted; for those that are held */

    /* protected by the budget's mutex */
    bool is_granted;
    unsigned users;            /* calls that use the upload, */
    bool is_taken_back;        /* or the budget's thread does */
    int64_t used_ms;           /* when the last of them ended */
    struct upload_grant *next; /* in the line, or among those who hold memory */
    storage_ready *ready;      /* called when it is granted; NULL: nobody is told */
    void *object;
};

/*
 * Moves the bytes of an upload elsewhere and shrinks its grant, if it can. Runs on the budget's
 * thread, while nobody else uses the upload, and waits for the store.
 */
typedef void upload_take_back(struct upload_grant *grant);

/* Memory that nobody has used for silent_ms is taken back. NULL: out of memory. */
struct upload_budget *upload_budget_new(size_t total, unsigned silent_ms,
                                        upload_take_back *take_back);
/* Takes NULL. */
void upload_budget_free(struct upload_budget *budget);

/*
 * To be called around each use of an upload: waits while its memory is being taken back, and
 * prevents that until upload_budget_unuse(). May be nested. try_use() returns false instead of
 * waiting.
 */
void upload_budget_use(struct upload_budget *budget, struct upload_grant *grant);
bool upload_budget_try_use(struct upload_budget *budget, struct upload_grant *grant);
void upload_budget_unuse(struct upload_budget *budget, struct upload_grant *grant);

/*
 * Asks for that many bytes, more than 0, unless the grant has asked before. A grant of more than
 * all there is waits until nobody else has any. Returns whether it is granted now.
 */
bool upload_budget_ask(struct upload_budget *budget, struct upload_grant *grant, size_t size);

/*
 * Calls ready(object) once when the grant is granted, or when the budget ends; maybe at once, from
 * another thread. False, and never calls it: that has happened already.
 */
bool upload_budget_notify(struct upload_budget *budget, struct upload_grant *grant,
                          storage_ready *ready, void *object);

/* Waits until the grant is granted. Returns false if the budget ends. */
bool upload_budget_wait(struct upload_budget *budget, struct upload_grant *grant);

/* Gives back all but that many bytes; 0 also leaves the line. */
void upload_budget_shrink(struct upload_budget *budget, struct upload_grant *grant, size_t size);

/* Whether somebody waits. */
bool upload_budget_is_short(struct upload_budget *budget);

/* Bytes that are granted. */
size_t upload_budget_count(struct upload_budget *budget);

/* From now on nobody waits: the server is being stopped. */
void upload_budget_end(struct upload_budget *budget);
