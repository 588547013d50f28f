#pragma once

#include "registry/cli/content/image.h"

/* What `registryd show` prints; all borrowed. */
struct shown {
    struct store *store;
    const struct image *image;
    const char *tag;           /* "" if it was asked for by digest */
    int64_t pushed_s;          /* the tag, in seconds since 1970; 0: not known */
    const struct json *config; /* NULL: it has none */
    const struct image *referrers;
    size_t referrer_count;
};

/* As tables for people, or as JSON. 0 or negative. In show-text.c and show-json.c. */
int show_text(const struct shown *shown, struct error *err) MUST_USE;
int show_json(const struct shown *shown, struct error *err) MUST_USE;

/* What a referrer is: its artifact type or, without one, the type of its configuration or its
 * manifest. Borrowed. */
const char *show_referrer_type(const struct image *referrer);
