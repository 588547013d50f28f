/*
 * .gpg-id: ids are lines without spaces at their ends and without comments, each with its newline.
 */
#include <string.h>

#include "common/macros.h"
#include "helper/pass/gpg-id.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

static void check_line(const char *line, size_t size)
{
    REQUIRE(size > 0);
    REQUIRE(!memchr(line, '#', size));
    REQUIRE(!strchr(" \t\r", line[0]) && !strchr(" \t\r", line[size - 1]));
}

/* PASSWORD_STORE_KEY: the same for words. */
static void check_words(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = strndup((const char *)data, size), *ids = NULL;

    REQUIRE(text && gpg_id_parse_words(text, &ids) == 0);
    for (const char *at = ids; *at; at += strcspn(at, "\n") + 1) {
        REQUIRE(strchr(at, '\n') && *at != '\n');
        REQUIRE(strcspn(at, " \t") >= strcspn(at, "\n"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *ids = NULL;

    check_words(data, size);
    fuzz_was_accepted = gpg_id_parse((const char *)data, size, &ids) == 0;
    if (!fuzz_was_accepted)
        return 0;
    for (const char *at = ids; *at; at += strcspn(at, "\n") + 1) {
        REQUIRE(strchr(at, '\n'));
        check_line(at, strcspn(at, "\n"));
    }
    REQUIRE(strlen(ids) <= size + 1);
    return 0;
}
