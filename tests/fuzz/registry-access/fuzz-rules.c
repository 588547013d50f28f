/*
 * Access files: any bytes are a file. In an accepted one, people with a login may do all that people
 * without one may, nobody gets an action that was not asked for, and each grant names a line of the file.
 */
#include <string.h>

#include "common/macros.h"
#include "registry/access/rules.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_was_accepted;

enum { EVERYTHING = RULES_PULL | RULES_PUSH | RULES_PUSH_NEW | RULES_DELETE };

static const char *const principals[] = {"", "alice", "bob", "anyone", "users", "robot+ci", "@team"};
static const char *const repositories[] = {"a", "team/app", "team/app/cache", "a/b/c/d", "public/x"};

static unsigned decide(const struct rules *rules, const char *principal, const char *repository, unsigned actions,
                       size_t lines)
{
    struct rules_answer answer;

    rules_decide(rules, &(struct rules_question){principal, repository, actions}, &answer);
    REQUIRE((answer.granted & ~actions) == 0);
    for (size_t i = 0; i < RULES_ACTION_COUNT; i++) {
        REQUIRE((answer.lines[i] != 0) == ((answer.granted >> i & 1) != 0));
        REQUIRE(answer.lines[i] <= lines);
    }
    return answer.granted;
}

static void check_decisions(const struct rules *rules, const char *repository, size_t lines)
{
    unsigned anonymous = decide(rules, "", repository, EVERYTHING, lines);

    rules_is_tag_immutable(rules, repository, "v1.0");
    REQUIRE(!anonymous || rules_have_anonymous(rules));
    for (size_t i = 0; i < ARRAY_SIZE(principals); i++) {
        unsigned all = decide(rules, principals[i], repository, EVERYTHING, lines), each = 0;

        for (unsigned bit = 1; bit <= RULES_DELETE; bit <<= 1)
            each |= decide(rules, principals[i], repository, bit, lines);
        REQUIRE(all == each);
        REQUIRE((anonymous & ~all) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(rules_unrefp) struct rules *rules = NULL;
    struct error err = {0};
    size_t lines = 1;

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    fuzz_was_accepted = rules_parse("access", (const char *)data, size, &rules, &err) == 0;
    REQUIRE(fuzz_was_accepted || (err.code != 0 && strncmp(err.text, "access", 6) == 0));
    if (!fuzz_was_accepted)
        return 0;
    REQUIRE(rules_are_of(rules, (const char *)data, size));
    for (size_t i = 0; i < ARRAY_SIZE(repositories); i++)
        check_decisions(rules, repositories[i], lines);
    return 0;
}
