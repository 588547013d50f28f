/*
 * Commands that doctor and registryd print are pasted into shells: a name in them is one word, and that name.
 */
#include <string.h>

#include "common/macros.h"
#include "common/shell-quote.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

/* What a POSIX shell makes of one word (2.2), where nothing outside quotes is special. */
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
