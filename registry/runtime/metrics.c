/*
 * Counts, and formats the counters for Prometheus. A request is counted once, when it is over.
 */
#include "registry/runtime/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/macros.h"

/*
 * The values of the label "method" in Prometheus' Go library, which registry:2 uses; the last one
 * is for all other methods.
 */
static const char *const methods[] = {
    "get",     "head",  "post",    "put",    "patch",   "delete",
    "options", "trace", "connect", "notify", "unknown",
};

/* Upper bounds of the histograms: durations in microseconds, sizes in bytes. */
static const uint64_t duration_bounds[] = {
    5000,    10000,   25000,   50000,    100000,   250000,   500000,
    1000000, 2500000, 5000000, 10000000, 25000000, 60000000,
};
enum {
    SIZE_BOUNDS = 22,
    SMALLEST_SIZE = 1024,
    CODES_MAX = 64,
    BOUND_TEXT_SIZE = 32,
    LABELS_SIZE = 96
};
enum { STORAGE_BOUNDS = 11 }; /* the first of duration_bounds, as in registry:2's storage metrics */

/*
 * For requests without a status: nginx and others use these when the client disconnects, and on a
 * timeout.
 */
enum { CODE_CLIENT_LEFT = 499, CODE_CUT = 408 };

struct durations {
    uint64_t buckets[ARRAY_SIZE(duration_bounds) + 1];
    uint64_t sum_us;
};

struct sizes {
    uint64_t buckets[SIZE_BOUNDS + 1];
    uint64_t sum;
};

struct series {
    uint64_t by_code[CODES_MAX];
    struct durations durations;
};

struct handler {
    const char *name;
    uint64_t in_flight;
    struct sizes request_sizes, response_sizes;
    struct series by_method[ARRAY_SIZE(methods)];
};

struct metrics {
    /* the statuses that have occurred, in order of their first occurrence; 0: none yet */
    unsigned codes[CODES_MAX];
    uint64_t failures;
    uint64_t events[METRICS_ACTIONS][METRICS_OBJECTS];
    struct durations storage[METRICS_STORAGE_ACTIONS];
    size_t handler_count;
    struct handler handlers[];
};

struct metrics *metrics_new(const char *const *handlers, size_t count)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics) + count * sizeof(metrics->handlers[0]));

    if (!metrics)
        return NULL;
    metrics->handler_count = count;
    for (size_t i = 0; i < count; i++)
        metrics->handlers[i].name = handlers[i];
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

/* --- counting ------------------------------------------------------------------------- */

static void add(uint64_t *counter, uint64_t value)
{
    __atomic_add_fetch(counter, value, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static size_t find_method(const char *method)
{
    size_t i = 0;

    while (i < ARRAY_SIZE(methods) - 1 && (!method || strcasecmp(method, methods[i]) != 0))
        i++;
    return i;
}

/*
 * Finds the index of a status. Normally fewer than CODES_MAX occur; the rest share the last index.
 */
static size_t find_code(struct metrics *metrics, unsigned code)
{
    for (size_t i = 0; i < CODES_MAX; i++) {
        unsigned found = 0;

        if (__atomic_compare_exchange_n(&metrics->codes[i], &found, code, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED) ||
            found == code)
            return i;
    }
    return CODES_MAX - 1;
}

static void count_duration(struct durations *durations, uint64_t us)
{
    size_t bucket = 0;

    while (bucket < ARRAY_SIZE(duration_bounds) && us > duration_bounds[bucket])
        bucket++;
    add(&durations->buckets[bucket], 1);
    add(&durations->sum_us, us);
}

static uint64_t size_bound(size_t bucket)
{
    return (uint64_t)SMALLEST_SIZE << bucket;
}

static void count_size(struct sizes *sizes, uint64_t size)
{
    size_t bucket = 0;

    while (bucket < SIZE_BOUNDS && size > size_bound(bucket))
        bucket++;
    add(&sizes->buckets[bucket], 1);
    add(&sizes->sum, size);
}

void metrics_begin(struct metrics *metrics, size_t handler)
{
    add(&metrics->handlers[handler].in_flight, 1);
}

void metrics_end(struct metrics *metrics, size_t index, const struct metrics_request *request)
{
    struct handler *handler = &metrics->handlers[index];
    struct series *series = &handler->by_method[find_method(request->method)];
    unsigned code = request->status;

    if (code == 0)
        code = request->was_cut ? CODE_CUT : CODE_CLIENT_LEFT;
    add(&series->by_code[find_code(metrics, code)], 1);
    count_duration(&series->durations, request->duration_us);
    count_size(&handler->request_sizes, request->received);
    count_size(&handler->response_sizes, request->sent);
    add(&handler->in_flight, (uint64_t)-1);
    add(&metrics->failures, request->has_failed ? 1 : 0);
}

void metrics_count_storage(struct metrics *metrics, enum metrics_storage action, uint64_t us)
{
    count_duration(&metrics->storage[action], us);
}

void metrics_count_event(struct metrics *metrics, enum metrics_action action,
                         enum metrics_object object)
{
    add(&metrics->events[action][object], 1);
}

/* --- the text ------------------------------------------------------------------------- */

static void describe(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_value(FILE *out, const struct metrics_value *value)
{
    bool has_label = value->label;

    fprintf(out, "%s%s%s%s %" PRIu64 "\n", value->name, has_label ? "{" : "",
            has_label ? value->label : "", has_label ? "}" : "", value->value);
}

static void print_values(FILE *out, const struct metrics_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(values[i].name, values[i - 1].name) != 0)
            describe(out, values[i].name, values[i].is_gauge ? "gauge" : "counter", values[i].help);
        print_value(out, &values[i]);
    }
}

static void print_in_flight(FILE *out, const struct metrics *metrics)
{
    static const char name[] = "registry_http_in_flight_requests";

    describe(out, name, "gauge", "Requests that are being answered.");
    for (size_t i = 0; i < metrics->handler_count; i++)
        fprintf(out, "%s{handler=\"%s\"} %" PRIu64 "\n", name, metrics->handlers[i].name,
                get(&metrics->handlers[i].in_flight));
}

static void print_codes(FILE *out, const struct metrics *metrics, const struct handler *handler,
                        size_t method)
{
    for (size_t i = 0; i < CODES_MAX; i++) {
        uint64_t count = get(&handler->by_method[method].by_code[i]);

        if (count > 0)
            fprintf(
                out,
                "registry_http_requests_total{code=\"%u\",handler=\"%s\",method=\"%s\"} %" PRIu64
                "\n",
                __atomic_load_n(&metrics->codes[i], __ATOMIC_RELAXED), handler->name,
                methods[method], count);
    }
}

/* Prints a histogram with the first bounds, unless it is empty. labels are such as method="get". */
static void print_durations(FILE *out, const char *name, const char *labels,
                            const struct durations *durations, size_t bounds)
{
    uint64_t total = 0, count = 0;

    for (size_t i = 0; i <= ARRAY_SIZE(duration_bounds); i++)
        total += get(&durations->buckets[i]);
    if (total == 0)
        return;
    for (size_t i = 0; i < bounds; i++) {
        count += get(&durations->buckets[i]);
        fprintf(out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, labels,
                (double)duration_bounds[i] / 1e6, count);
    }
    fprintf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, total);
    fprintf(out, "%s_sum{%s} %.6f\n", name, labels, (double)get(&durations->sum_us) / 1e6);
    fprintf(out, "%s_count{%s} %" PRIu64 "\n", name, labels, total);
}

static void print_request_durations(FILE *out, const struct handler *handler, size_t method)
{
    char labels[LABELS_SIZE];

    snprintf(labels, sizeof(labels), "handler=\"%s\",method=\"%s\"", handler->name,
             methods[method]);
    print_durations(out, "registry_http_request_duration_seconds", labels,
                    &handler->by_method[method].durations, ARRAY_SIZE(duration_bounds));
}

static void print_storage(FILE *out, const struct metrics *metrics)
{
    static const char *const actions[] = {"GetContent", "Stat", "List", "PutContent", "Delete"};
    static const char name[] = "registry_storage_action_seconds";
    char labels[LABELS_SIZE];

    describe(out, name, "histogram", "How long calls of the storage took.");
    for (size_t i = 0; i < METRICS_STORAGE_ACTIONS; i++) {
        snprintf(labels, sizeof(labels), "action=\"%s\",driver=\"filesystem\"", actions[i]);
        print_durations(out, name, labels, &metrics->storage[i], STORAGE_BOUNDS);
    }
}

/* Formats a number like Go (524288, but 1.048576e+06), because labels are compared as text. */
static void format_bound(uint64_t bound, char ret_text[BOUND_TEXT_SIZE])
{
    char *end;

    if (bound < 1000000) {
        snprintf(ret_text, BOUND_TEXT_SIZE, "%" PRIu64, bound);
        return;
    }
    snprintf(ret_text, BOUND_TEXT_SIZE, "%.9e", (double)bound);
    end = strchr(ret_text, 'e');
    if (end) {
        char *digit = end;

        while (digit[-1] == '0')
            digit--;
        memmove(digit, end, strlen(end) + 1);
    }
}

static void print_sizes(FILE *out, const char *name, const struct handler *handler,
                        const struct sizes *sizes)
{
    uint64_t total = 0, count = 0;
    char bound[BOUND_TEXT_SIZE];

    for (size_t i = 0; i <= SIZE_BOUNDS; i++)
        total += get(&sizes->buckets[i]);
    if (total == 0)
        return;
    for (size_t i = 0; i < SIZE_BOUNDS; i++) {
        count += get(&sizes->buckets[i]);
        format_bound(size_bound(i), bound);
        fprintf(out, "%s_bucket{handler=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, handler->name,
                bound, count);
    }
    count += get(&sizes->buckets[SIZE_BOUNDS]);
    fprintf(out, "%s_bucket{handler=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, handler->name, count);
    fprintf(out, "%s_sum{handler=\"%s\"} %" PRIu64 "\n", name, handler->name, get(&sizes->sum));
    fprintf(out, "%s_count{handler=\"%s\"} %" PRIu64 "\n", name, handler->name, count);
}

static void print_requests(FILE *out, const struct metrics *metrics)
{
    static const char requests[] = "registry_http_request_size_bytes",
                      responses[] = "registry_http_response_size_bytes";

    describe(out, "registry_http_requests_total", "counter", "Requests that are over.");
    for (size_t i = 0; i < metrics->handler_count * ARRAY_SIZE(methods); i++)
        print_codes(out, metrics, &metrics->handlers[i / ARRAY_SIZE(methods)],
                    i % ARRAY_SIZE(methods));
    describe(out, "registry_http_request_duration_seconds", "histogram",
             "Time from the head of a request to the end of its answer.");
    for (size_t i = 0; i < metrics->handler_count * ARRAY_SIZE(methods); i++)
        print_request_durations(out, &metrics->handlers[i / ARRAY_SIZE(methods)],
                                i % ARRAY_SIZE(methods));
    describe(out, requests, "histogram", "Bytes of requests, head and body.");
    for (size_t i = 0; i < metrics->handler_count; i++)
        print_sizes(out, requests, &metrics->handlers[i], &metrics->handlers[i].request_sizes);
    describe(out, responses, "histogram", "Bytes of the bodies of answers.");
    for (size_t i = 0; i < metrics->handler_count; i++)
        print_sizes(out, responses, &metrics->handlers[i], &metrics->handlers[i].response_sizes);
}

static void print_events(FILE *out, const struct metrics *metrics)
{
    static const char *const actions[] = {"push", "pull", "mount", "delete"}, *const objects[] = {
                                                                                  "blob",
                                                                                  "manifest",
                                                                                  "tag"};

    describe(out, "registry_events_total", "counter",
             "Blobs, manifests and tags that were pushed, pulled, mounted or deleted.");
    for (size_t i = 0; i < METRICS_ACTIONS; i++)
        for (size_t j = 0; j < METRICS_OBJECTS; j++)
            if (get(&metrics->events[i][j]) > 0)
                fprintf(out, "registry_events_total{action=\"%s\",object=\"%s\"} %" PRIu64 "\n",
                        actions[i], objects[j], get(&metrics->events[i][j]));
}

char *metrics_format(const struct metrics *metrics, const struct metrics_value *values,
                     size_t value_count, size_t *ret_size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_size);

    if (!out)
        return NULL;
    print_in_flight(out, metrics);
    print_requests(out, metrics);
    print_events(out, metrics);
    print_storage(out, metrics);
    print_values(out,
                 &(struct metrics_value){
                     .name = "registry_storage_errors_total",
                     .help = "Requests that failed because of the server.",
                     .value = get(&metrics->failures),
                 },
                 1);
    print_values(out, values, value_count);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
