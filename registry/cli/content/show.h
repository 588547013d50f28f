#pragma once

#include "registry/cli/content/image.h"

/* The data that `registryd show` prints; all borrowed. */
struct shown {
    struct store *store;
    const struct image *image;
    const char *tag;           /* "" if the operand has a digest */
    int64_t pushed_s;          /* when the tag was pushed, in seconds since 1970; 0: unknown */
    const struct json *config; /* NULL: it has none */
    const struct image *referrers;
    size_t referrer_count;
};

/* Print tables, or JSON. 0 or negative. In show-text.c and show-json.c. */
int show_text(const struct shown *shown, struct error *err) MUST_USE;
int show_json(const struct shown *shown, struct error *err) MUST_USE;

/*
 * The type of a referrer: its artifact type or, without one, the type of its configuration or
 * manifest. Borrowed.
 */
const char *show_referrer_type(const struct image *referrer);
