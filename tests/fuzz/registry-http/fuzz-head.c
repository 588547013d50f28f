/*
 * Heads of requests: the end does not depend on how the bytes are split, and an accepted head has
 * the documented properties.
 */
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/http/head.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_in_pieces(const char *data, size_t size, int expected)
{
    size_t scanned = 0;
    int found = 0;

    for (size_t given = 1; given <= size && found == 0; given++)
        found = head_scan(data, given, &scanned);
    REQUIRE(size == 0 || found == expected);
}

static void check_head(const struct head *head, size_t size)
{
    REQUIRE(head->method && *head->method && head->target && *head->target && head->minor <= 1);
    REQUIRE(head->header_count <= HEAD_HEADERS_MAX && head->body_size >= -1);
    REQUIRE(!strpbrk(head->target, " \t\r\n"));
    for (unsigned i = 0; i < head->header_count; i++) {
        const char *name = head->text + head->headers[i].name,
                   *value = head->text + head->headers[i].value;

        REQUIRE(head->headers[i].name < size && head->headers[i].value < size && *name);
        REQUIRE(!strpbrk(name, " \t\r\n:") && !strpbrk(value, "\r\n"));
        REQUIRE(head_find(head, name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = calloc(1, size + 1);
    struct head head = {0};
    struct head_flaw flaw = {0};
    size_t scanned = 0;
    int end;

    REQUIRE(text);
    if (size)
        memcpy(text, data, size);
    end = head_scan(text, size, &scanned);
    REQUIRE(end <= (int)size);
    if (size < 4096)
        check_in_pieces(text, size, end);
    fuzz_was_accepted = end > 0 && head_parse(text, (size_t)end, &head, &flaw);
    if (fuzz_was_accepted)
        check_head(&head, (size_t)end);
    else if (end > 0)
        REQUIRE(flaw.status >= 400 && flaw.text);
    return 0;
}
