/*
 * What is counted, and how it is told to Prometheus. A request is counted once, when it is over.
 */
#include "registry/cli/serve/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"

static const char *const handlers[] = {
    "base", "blob", "blob-upload", "blob-upload-chunk", "catalog", "health", "manifest", "referrers", "root", "tags", "none",
};
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"};
static const unsigned codes[] = {
    200, 201, 202, 204, 206, 301, 304, 400, 401, 404, 405, 413, 414, 416, 429, 500, 503, 507, 0,
};
/* Upper bounds in microseconds: Prometheus' own defaults. */
static const uint64_t bounds[] = {
    5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

struct series {
    uint64_t by_code[ARRAY_SIZE(codes)];
    uint64_t by_duration[ARRAY_SIZE(bounds) + 1];
    uint64_t duration_us, received, sent, failures;
};

static struct series all[ARRAY_SIZE(handlers)][ARRAY_SIZE(methods)];

static void add(uint64_t *counter, uint64_t value)
{
    __atomic_add_fetch(counter, value, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The index of text, or of the last, which stands for all others. */
static size_t find(const char *text, const char *const *names, size_t count)
{
    size_t i = 0;

    while (i < count - 1 && (!text || strcmp(text, names[i]) != 0))
        i++;
    return i;
}

void metrics_count(const struct call_report *report)
{
    struct series *series = &all[find(report->name, handlers, ARRAY_SIZE(handlers))]
                                [find(report->request->head->method, methods, ARRAY_SIZE(methods))];
    size_t code = 0, bucket = 0;

    while (code < ARRAY_SIZE(codes) - 1 && codes[code] != report->end->status)
        code++;
    while (bucket < ARRAY_SIZE(bounds) && report->end->duration_us > bounds[bucket])
        bucket++;
    add(&series->by_code[code], 1);
    add(&series->by_duration[bucket], 1);
    add(&series->duration_us, report->end->duration_us);
    add(&series->received, report->request->received);
    add(&series->sent, report->end->sent);
    add(&series->failures, report->end->failure ? 1 : 0);
}

/* --- the text ------------------------------------------------------------------------- */

static void describe(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_codes(FILE *out, const char *handler, const char *method, const struct series *series)
{
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        uint64_t count = get(&series->by_code[i]);

        if (count > 0)
            fprintf(out, "registry_http_requests_total{code=\"%u\",handler=\"%s\",method=\"%s\"} %" PRIu64 "\n", codes[i],
                    handler, method, count);
    }
}

static void print_durations(FILE *out, const char *handler, const char *method, const struct series *series)
{
    static const char name[] = "registry_http_request_duration_seconds";
    uint64_t count = 0;

    for (size_t i = 0; i <= ARRAY_SIZE(bounds); i++)
        count += get(&series->by_duration[i]);
    if (count == 0)
        return;
    count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
        count += get(&series->by_duration[i]);
        fprintf(out, "%s_bucket{handler=\"%s\",method=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, handler, method,
                (double)bounds[i] / 1e6, count);
    }
    count += get(&series->by_duration[ARRAY_SIZE(bounds)]);
    fprintf(out, "%s_bucket{handler=\"%s\",method=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, handler, method, count);
    fprintf(out, "%s_sum{handler=\"%s\",method=\"%s\"} %.6f\n", name, handler, method,
            (double)get(&series->duration_us) / 1e6);
    fprintf(out, "%s_count{handler=\"%s\",method=\"%s\"} %" PRIu64 "\n", name, handler, method, count);
}

typedef void series_printer(FILE *out, const char *handler, const char *method, const struct series *series);

static void print_each(FILE *out, series_printer *print)
{
    for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
        for (size_t j = 0; j < ARRAY_SIZE(methods); j++)
            print(out, handlers[i], methods[j], &all[i][j]);
}

static void print_value(FILE *out, const char *name, const char *help, uint64_t value)
{
    describe(out, name, "counter", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void print_sums(FILE *out)
{
    uint64_t received = 0, sent = 0, failures = 0, uploads = 0;
    size_t chunk = find("blob-upload-chunk", handlers, ARRAY_SIZE(handlers));
    size_t upload = find("blob-upload", handlers, ARRAY_SIZE(handlers));

    for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
        for (size_t j = 0; j < ARRAY_SIZE(methods); j++) {
            received += get(&all[i][j].received);
            sent += get(&all[i][j].sent);
            failures += get(&all[i][j].failures);
            uploads += i == chunk || i == upload ? get(&all[i][j].by_code[1]) : 0; /* 201 */
        }
    print_value(out, "registry_http_received_bytes_total", "Bytes of request bodies.", received);
    print_value(out, "registry_http_sent_bytes_total", "Bytes of response bodies.", sent);
    print_value(out, "registry_storage_errors_total", "Requests that failed by the server's own fault.", failures);
    print_value(out, "registry_uploads_committed_total", "Blobs that were uploaded or mounted.", uploads);
}

static void print_authentication(FILE *out, const struct authenticator *authenticator)
{
    struct authenticator_counters counters;

    if (!authenticator)
        return;
    authenticator_get_counters(authenticator, &counters);
    print_value(out, "registry_auth_granted_total", "Passwords found right.", counters.granted);
    print_value(out, "registry_auth_denied_total", "Passwords found wrong.", counters.denied);
    print_value(out, "registry_auth_remembered_total", "Passwords known from before, without bcrypt.", counters.cache_hits);
    print_value(out, "registry_auth_bcrypt_total", "Runs of bcrypt.", counters.bcrypts);
}

static void print_connections(FILE *out, const struct server *server)
{
    struct connections_counters counters;

    server_count_connections(server, &counters);
    describe(out, "registry_http_connections", "gauge", "Connections that are open.");
    fprintf(out, "registry_http_connections %" PRIu64 "\n", counters.open);
    print_value(out, "registry_http_connections_refused_total", "Connections beyond http.limits.peraddress.", counters.refused);
    print_value(out, "registry_http_connections_ended_total", "Connections ended by http.limits or http.timeouts.",
                counters.ended);
}

char *metrics_format(const struct server *server, const struct authenticator *authenticator, size_t *ret_size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_size);

    if (!out)
        return NULL;
    describe(out, "registry_http_requests_total", "counter", "Requests that are over.");
    print_each(out, print_codes);
    describe(out, "registry_http_request_duration_seconds", "histogram", "From the first line of a request to the end of its answer.");
    print_each(out, print_durations);
    print_sums(out);
    print_connections(out, server);
    print_authentication(out, authenticator);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
