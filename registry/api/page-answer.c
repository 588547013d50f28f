#include "registry/api/page-answer.h"

#include <stdio.h>
#include <time.h>

static void add_name(struct text *text, const char *name)
{
    bool is_first = text->size > 0 && text->data[text->size - 1] == '{';

    text_add_string(text, is_first ? "\"" : ",\"");
    text_add_string(text, name);
    text_add_string(text, "\":");
}

void page_add_bool(struct text *text, const char *name, bool value)
{
    add_name(text, name);
    text_add_string(text, value ? "true" : "false");
}

void page_add_text(struct text *text, const char *name, const char *value)
{
    add_name(text, name);
    text_add_quoted(text, value);
}

void page_add_number(struct text *text, const char *name, uint64_t number)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%ju", (uintmax_t)number);
    add_name(text, name);
    text_add_string(text, digits);
}

void page_add_time(struct text *text, const char *name, int64_t seconds)
{
    const time_t moment = (time_t)seconds;
    char written[40];
    struct tm parts;

    add_name(text, name);
    if (gmtime_r(&moment, &parts) &&
        strftime(written, sizeof(written), "\"%Y-%m-%dT%H:%M:%SZ\"", &parts) > 0)
        text_add_string(text, written);
    else
        text_add_string(text, "null");
}

void page_answer(struct response *response, struct text *text)
{
    size_t size;
    char *data = text_steal(text, &size);

    response_set_body(response, 200, "application/json; charset=utf-8", data, size);
    response_add_header(response, "Cache-Control", "no-store");
    response_add_header(response, "X-Content-Type-Options", "nosniff");
}
