/*
 * Reads http.limits and http.timeouts. registry:2 has no such limits; it leaves them to a proxy.
 */
#include "registry/config/settings-private.h"

enum { CONNECTIONS_MAX = 1000000, RATE_MAX = 1 << 30 };

/* Values over a year are reduced to a year, so that a deadline cannot overflow. */
static int read_timeout(const struct reader *reader, const char *path, uint64_t *timeout_ms)
{
    const uint64_t longest = (uint64_t)366 * 24 * 60 * 60 * 1000;
    int r = reader_get_duration(reader, path, timeout_ms);

    if (*timeout_ms > longest)
        *timeout_ms = longest;
    return r;
}

int settings_read_limits(const struct reader *reader, struct settings_limits *limits)
{
    int r = reader_get_unsigned(reader, "http.limits.connections", 1, CONNECTIONS_MAX,
                                &limits->connections);

    if (r == 0)
        r = reader_get_unsigned(reader, "http.limits.peraddress", 0, CONNECTIONS_MAX,
                                &limits->per_address);
    if (r == 0)
        r = reader_get_unsigned(reader, "http.limits.minrate", 0, RATE_MAX, &limits->min_rate);
    if (r == 0)
        r = read_timeout(reader, "http.timeouts.head", &limits->head_ms);
    if (r == 0)
        r = read_timeout(reader, "http.timeouts.idle", &limits->idle_ms);
    if (r == 0)
        r = read_timeout(reader, "http.timeouts.transfer", &limits->transfer_ms);
    return r;
}
