/*
 * Text for output: cleaned text is UTF-8 without terminal sequences, and JSON that is escaped for a terminal has the same
 * value.
 */
#include <string.h>

#include "common/json-quote.h"
#include "common/json.h"
#include "common/printable.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* Safe and without invalid bytes; JSON may have a newline at its end. */
static void require_safe(const char *text, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        uint32_t code_point;

        length = utf8_decode((const unsigned char *)text + at, size - at, &code_point);
        REQUIRE(printable_is_safe(code_point));
        REQUIRE(code_point != UTF8_REPLACEMENT || length == 3);
    }
}

static void check_json(const uint8_t *data, size_t size)
{
    CLEANUP(secbuf_done) struct secbuf before = {0}, after = {0};
    CLEANUP(json_freep) struct json *left = NULL, *right = NULL;
    size_t quoted_size = json_quote(data, size, NULL), shown_size;
    CLEANUP_FREE char *quoted = malloc(quoted_size), *shown = NULL;

    REQUIRE(quoted);
    json_quote(data, size, quoted);
    shown_size = printable_escape_json(quoted, quoted_size, NULL);
    shown = malloc(shown_size);
    REQUIRE(shown && printable_escape_json(quoted, quoted_size, shown) == shown_size);
    require_safe(shown, shown_size);
    REQUIRE(json_parse(quoted, quoted_size, &left) == 0 && json_parse(shown, shown_size, &right) == 0);
    REQUIRE(json_copy_string(left, &before) == 0 && json_copy_string(right, &after) == 0);
    REQUIRE(secbuf_is_equal(&before, &after));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = strndup((const char *)data, size);
    size_t length;

    REQUIRE(text);
    length = strlen(text);
    printable_clean(text);
    REQUIRE(strlen(text) <= length);
    require_safe(text, strlen(text));
    check_json(data, size);
    fuzz_was_accepted = strncmp(text, (const char *)data, size) == 0 && strlen(text) == size;
    return 0;
}
