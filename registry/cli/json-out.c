#include "registry/cli/json-out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json-quote.h"
#include "common/rfc3339.h"

static void put_quoted(struct json_out *out, const char *text)
{
    CLEANUP_FREE char *quoted = json_quote_new(text);

    if (quoted)
        fputs(quoted, stdout);
    else
        out->has_failed = true;
}

/* Writes the comma and the name before a value. */
static void begin(struct json_out *out, const char *name)
{
    if (out->needs_comma)
        putchar(',');
    if (name) {
        put_quoted(out, name);
        putchar(':');
    }
    out->needs_comma = true;
}

void json_out_open(struct json_out *out, const char *name, char bracket)
{
    begin(out, name);
    putchar(bracket);
    out->needs_comma = false;
}

void json_out_close(struct json_out *out, char bracket)
{
    putchar(bracket);
    out->needs_comma = true;
}

void json_out_text(struct json_out *out, const char *name, const char *text)
{
    begin(out, name);
    put_quoted(out, text);
}

void json_out_number(struct json_out *out, const char *name, uint64_t number)
{
    begin(out, name);
    printf("%" PRIu64, number);
}

void json_out_bool(struct json_out *out, const char *name, bool value)
{
    begin(out, name);
    fputs(value ? "true" : "false", stdout);
}

void json_out_raw(struct json_out *out, const char *name, const char *json)
{
    begin(out, name);
    fputs(json, stdout);
}

void json_out_time(struct json_out *out, const char *name, int64_t seconds)
{
    char text[RFC3339_SIZE];

    rfc3339_format(seconds, text);
    json_out_text(out, name, text);
}

int json_out_end(struct json_out *out, struct error *err)
{
    putchar('\n');
    return out->has_failed ? error_set_oom(err) : 0;
}
