/*
 * A log line with a client's input as message and fields: it is one line of UTF-8 without terminal
 * sequences, and valid JSON in the JSON formats.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/macros.h"
#include "common/utf8.h"
#include "registry/runtime/log-line.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_utf8(const char *text, size_t size)
{
    for (size_t at = 0, taken; at < size; at += taken) {
        uint32_t point;

        taken = utf8_decode((const unsigned char *)text + at, size - at, &point);
        REQUIRE(point != UTF8_REPLACEMENT || taken > 1);
    }
}

static void check_line(enum log_formatter formatter, const char *message, const char *value)
{
    static struct log_line line;
    CLEANUP(json_freep) struct json *document = NULL;
    const struct log_field fields[] = {
        log_text("http.request.uri", value),
        log_integer("status", -1),
        log_text("http.request.host", message),
        log_duration("duration", strlen(value) * 1000003),
    };

    log_line_begin(&line, formatter, LOG_LEVEL_INFO, message);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        log_line_add(&line, &fields[i]);
    log_line_end(&line);
    REQUIRE(line.used > 1 && line.used <= LOG_LINE_MAX && line.text[line.used - 1] == '\n');
    for (size_t i = 0; i < line.used - 1; i++)
        REQUIRE((unsigned char)line.text[i] >= ' ' && line.text[i] != 0x7F);
    check_utf8(line.text, line.used);
    if (formatter != LOG_FORMATTER_TEXT)
        REQUIRE(json_parse_public(line.text, line.used, &document) == 0 &&
                json_get_text(
                    json_find(document, formatter == LOG_FORMATTER_LOGSTASH ? "message" : "msg")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = calloc(1, size + 1);
    size_t first;

    REQUIRE(text);
    if (size)
        memcpy(text, data, size);
    first = strcspn(text, "\n");
    for (enum log_formatter formatter = LOG_FORMATTER_TEXT; formatter <= LOG_FORMATTER_LOGSTASH;
         formatter++) {
        check_line(formatter, text, text + first);
        check_line(formatter, text + first, text);
    }
    fuzz_was_accepted = true;
    return 0;
}
