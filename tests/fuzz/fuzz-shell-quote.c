/*
 * Users paste commands that doctor and registryd print into shells: a quoted name must be one word with that value.
 */
#include <string.h>

#include "common/macros.h"
#include "common/shell-quote.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* Expands one word as a POSIX shell does (2.2), if nothing outside quotes is special. */
static void unquote(const char *word, char *to)
{
    while (*word) {
        if (*word == '\'') {
            for (word++; *word != '\''; word++) {
                REQUIRE(*word);
                *to++ = *word;
            }
            word++;
        } else if (*word == '\\') {
            REQUIRE(word[1]);
            *to++ = word[1];
            word += 2;
        } else {
            REQUIRE(!strchr(" \t\n|&;<>()$`\"*?[#~!{}^", *word));
            *to++ = *word++;
        }
    }
    *to = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = strndup((const char *)data, size), *quoted = NULL, *again = NULL;

    REQUIRE(text);
    quoted = shell_quote(text);
    REQUIRE(quoted && *quoted);
    again = calloc(1, strlen(quoted) + 2);
    REQUIRE(again);
    unquote(quoted, again + 1);
    REQUIRE(strcmp(again + 1, text) == 0);
    fuzz_was_accepted = strcmp(quoted, text) == 0; /* it needs no quotes */
    return 0;
}
