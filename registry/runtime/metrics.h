#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Counters of requests and events in Prometheus' text format, with registry:2's names and labels, so that its dashboards
 * work. Counting is for any thread and takes no lock.
 */
struct metrics;

enum { METRICS_HANDLERS_MAX = 16 };

/*
 * handlers: the values of the label "handler", borrowed, METRICS_HANDLERS_MAX at most. Owned by the caller
 * (metrics_free). NULL: out of memory.
 */
struct metrics *metrics_new(const char *const *handlers, size_t count);
void metrics_free(struct metrics *metrics); /* takes NULL */

/* A request began; handler is an index of the list. */
void metrics_begin(struct metrics *metrics, size_t handler);

/* A request that is over. */
struct metrics_request {
    const char *method; /* NULL: could not be read */
    unsigned status;    /* 0: there was no answer */
    bool was_cut;       /* by this server */
    bool has_failed;    /* by the server's own fault */
    uint64_t duration_us;
    uint64_t received, sent; /* bytes: of head and body; of the body */
};
void metrics_end(struct metrics *metrics, size_t handler, const struct metrics_request *request);

/* Something that happened in the registry. The values of the labels "action" and "object" must be constants. */
enum metrics_action { METRICS_PUSH, METRICS_PULL, METRICS_MOUNT, METRICS_DELETE, METRICS_ACTIONS };
enum metrics_object { METRICS_BLOB, METRICS_MANIFEST, METRICS_TAG, METRICS_OBJECTS };
void metrics_count_event(struct metrics *metrics, enum metrics_action action, enum metrics_object object);

/* A call of the storage driver, in registry:2's classes. */
enum metrics_storage { METRICS_GET, METRICS_STAT, METRICS_LIST, METRICS_PUT, METRICS_REMOVE, METRICS_STORAGE_ACTIONS };
void metrics_count_storage(struct metrics *metrics, enum metrics_storage action, uint64_t us);

/* A value that the caller counts. Values of one name follow each other. */
struct metrics_value {
    const char *name, *help;
    const char *label; /* such as type="Hit"; NULL: none */
    bool is_gauge; /* not a counter */
    uint64_t value;
};

/* The text of /metrics. Owned by the caller, free with free(); NULL if memory is out. */
char *metrics_format(const struct metrics *metrics, const struct metrics_value *values, size_t value_count,
                     size_t *ret_size);
