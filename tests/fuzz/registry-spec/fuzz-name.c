/*
 * Names: our grammar is equivalent to the specification's regular expressions.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "registry/spec/name.h"
#include "tests/fuzz/fuzz.h"

#define PART "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define HEX "[0-9a-f]"

bool fuzz_was_accepted;

static regex_t repository, tag, upload;

static void compile_once(void)
{
    static bool is_done;

    if (is_done)
        return;
    is_done = true;
    REQUIRE(regcomp(&repository, "^" PART "(/" PART ")*$", REG_EXTENDED | REG_NOSUB) == 0);
    REQUIRE(regcomp(&tag, "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$", REG_EXTENDED | REG_NOSUB) == 0);
    REQUIRE(regcomp(&upload, "^" HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}$",
                    REG_EXTENDED | REG_NOSUB) == 0);
}

static bool matches(const regex_t *expression, const char *text, size_t size, size_t limit)
{
    return size <= limit && strlen(text) == size && regexec(expression, text, 0, NULL, 0) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = malloc(size + 1);

    REQUIRE(text);
    compile_once();
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    fuzz_was_accepted = name_is_repository(text, size);
    REQUIRE(fuzz_was_accepted == matches(&repository, text, size, NAME_MAX_SIZE));
    REQUIRE(name_is_tag(text, size) == matches(&tag, text, size, TAG_MAX_SIZE));
    REQUIRE(name_is_upload(text, size) == matches(&upload, text, size, UPLOAD_ID_SIZE));
    return 0;
}
