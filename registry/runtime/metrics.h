#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Counters of requests and events in Prometheus' text format, with registry:2's names and labels,
 * so that its dashboards work. Any thread may count; counting takes no lock.
 */
struct metrics;

enum { METRICS_HANDLERS_MAX = 16 };

/*
 * handlers are the values of the label "handler", borrowed, at most METRICS_HANDLERS_MAX. The
 * result is owned by the caller, free with metrics_free(). NULL: out of memory.
 */
struct metrics *metrics_new(const char *const *handlers, size_t count);
void metrics_free(struct metrics *metrics); /* accepts NULL */

/* Counts the start of a request; handler is an index into handlers. */
void metrics_begin(struct metrics *metrics, size_t handler);

/* A finished request. */
struct metrics_request {
    const char *method; /* NULL: the request could not be parsed */
    unsigned status;    /* 0: there was no answer */
    bool was_cut; /* this server closed the connection */
    bool has_failed; /* because of the server */
    uint64_t duration_us;
    uint64_t received, sent; /* bytes: of head and body; of the body */
};
void metrics_end(struct metrics *metrics, size_t handler, const struct metrics_request *request);

/* The values of the labels "action" and "object" of events. */
enum metrics_action { METRICS_PUSH, METRICS_PULL, METRICS_MOUNT, METRICS_DELETE, METRICS_ACTIONS };
enum metrics_object { METRICS_BLOB, METRICS_MANIFEST, METRICS_TAG, METRICS_OBJECTS };
void metrics_count_event(struct metrics *metrics, enum metrics_action action,
                         enum metrics_object object);

/* The kinds of storage calls that registry:2's metrics distinguish. */
enum metrics_storage {
    METRICS_GET,
    METRICS_STAT,
    METRICS_LIST,
    METRICS_PUT,
    METRICS_REMOVE,
    METRICS_STORAGE_ACTIONS
};
void metrics_count_storage(struct metrics *metrics, enum metrics_storage action, uint64_t us);

/* A value that the caller counts. Values with the same name must be adjacent. */
struct metrics_value {
    const char *name, *help;
    const char *label; /* such as type="Hit"; NULL: none */
    bool is_gauge; /* not a counter */
    uint64_t value;
};

/* Formats the text of /metrics. Owned by the caller, free with free(); NULL: out of memory. */
char *metrics_format(const struct metrics *metrics, const struct metrics_value *values,
                     size_t value_count, size_t *ret_size);
