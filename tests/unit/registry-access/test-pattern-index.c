#include "registry/access/pattern-index.h"

#include <stdio.h>
#include <string.h>

#include "registry/access/pattern.h"
#include "tests/unit/check.h"

enum { ENTRIES_MAX = 64 };

static void free_indexp(struct pattern_index **index)
{
    pattern_index_free(*index);
}

static bool note_lines(void *context, const struct pattern_grant *grants, size_t count)
{
    uint64_t *lines = context;

    for (size_t i = 0; i < count; i++)
        *lines |= (uint64_t)1 << grants[i].line;
    return false;
}

/* An index of these patterns, whose lines are 0, 1, ... */
static struct pattern_index *index_of(const char *const *patterns, size_t count)
{
    struct pattern_entry entries[ENTRIES_MAX] = {0};
    struct pattern_index *index = NULL;

    for (size_t i = 0; i < count; i++) {
        assert_null(pattern_find_fault(patterns[i], strlen(patterns[i])));
        entries[i] = (struct pattern_entry){
            patterns[i], strlen(patterns[i]), {.principal = 7, .line = (uint32_t)i}};
    }
    assert_int_equal(pattern_index_new(entries, count, &index), 0);
    return index;
}

static const struct match {
    const char *pattern, *name;
    bool is_match;
} matches[] = {
    {"team/app", "team/app", true},
    {"team/app", "team/apps", false},
    {"team/app", "team", false},
    {"team/app", "team/app/x", false},
    {"team", "team", true},
    {"*", "team", true},
    {"*", "team/app", false},
    {"team/*", "team/app", true},
    {"team/*", "team", false},
    {"team/*", "team/app/x", false},
    {"team/web-*", "team/web-a", true},
    {"team/web-*", "team/web-", true},
    {"team/web-*", "team/web", false},
    {"*-web", "a-b-web", true},
    {"a*b*c", "axbxbc", true},
    {"a*b*c", "axbxb", false},
    {"a*a", "a", false},
    {"a*a", "aa", true},
    {"**", "team", true},
    {"**", "team/app/x", true},
    {"team/**", "team/app", true},
    {"team/**", "team/app/x", true},
    {"team/**", "team", false},
    {"team/**", "teams/app", false},
    {"**/cache", "cache", true},
    {"**/cache", "team/cache", true},
    {"**/cache", "team/app/cache", true},
    {"**/cache", "team/cache/app", false},
    {"team/**/cache", "team/cache", true},
    {"team/**/cache", "team/a/b/cache", true},
    {"team/**/cache", "cache", false},
    {"**/a/**", "a/x", true},
    {"**/a/**", "x/a/y/z", true},
    {"**/a/**", "x/a", false},
    {"**/a/**", "a", false},
    {"**/a/**/b", "a/b", true},
    {"**/a/**/b", "x/a/a/y/b", true},
    {"**/a/**/b", "x/b/a", false},
    {"a/**/a*", "a/b/c/ab", true},
};

static void patterns_match_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
        CLEANUP(free_indexp) struct pattern_index *index = index_of(&matches[i].pattern, 1);
        uint64_t lines = 0;

        pattern_index_visit(index, matches[i].name, note_lines, &lines);
        if ((lines != 0) != matches[i].is_match)
            fail_msg("%s and %s: %s", matches[i].pattern, matches[i].name,
                     lines ? "matches" : "does not match");
    }
}

/* More patterns than are tried one by one; each must be found beside the others. */
static void patterns_do_not_hide_each_other(void **state)
{
    static const char *const patterns[] = {
        "**",     "*",     "a*",  "ab*",  "abc*", "abcd*", "abc",      "*c",
        "*bc",    "a*c",   "b*",  "ba*",  "a-*",  "a.*",   "a_*",      "a0*",
        "abc/**", "abc/*", "*/x", "**/x", "a*/x", "abc/x", "abc/**/x", "**/abc/**",
    };
    static const char *const names[] = {"abc",     "abcd", "ab",    "a",       "bac",
                                        "a-b",     "a.c",  "a_b",   "a0",      "abc/x",
                                        "abc/y/x", "x",    "abd/x", "c/abc/d", "abc/abc/x"};
    CLEANUP(free_indexp) struct pattern_index *together = index_of(patterns, ARRAY_SIZE(patterns));

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        uint64_t lines = 0, expected = 0;

        for (size_t k = 0; k < ARRAY_SIZE(patterns); k++) {
            CLEANUP(free_indexp) struct pattern_index *alone = index_of(&patterns[k], 1);
            uint64_t line = 0;

            pattern_index_visit(alone, names[i], note_lines, &line);
            expected |= line ? (uint64_t)1 << k : 0;
        }
        pattern_index_visit(together, names[i], note_lines, &lines);
        assert_int_equal(lines, expected);
        assert_true(lines & 1); /* the pattern "**" */
    }
}

static const char *const faulty[] = {
    "",      "/",       "/a",           "a/",    "a//b",  "A",   "a/B",
    "a b",   "a:b",     "a\n",          "a***",  "a**",   "**a", "***",
    "**/**", "a/**/**", "**/a/**/b/**", "a\x80", "\"a\"", "a@b", "a+b",
};

static void faulty_patterns_are_named(void **state)
{
    char long_one[PATTERN_SIZE_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(faulty); i++)
        if (!pattern_find_fault(faulty[i], strlen(faulty[i])))
            fail_msg("\"%s\" is taken for a pattern", faulty[i]);
    memset(long_one, 'a', sizeof(long_one) - 1);
    long_one[sizeof(long_one) - 1] = '\0';
    assert_non_null(pattern_find_fault(long_one, PATTERN_SIZE_MAX + 1));
    assert_null(pattern_find_fault(long_one, PATTERN_SIZE_MAX));
    assert_non_null(pattern_find_fault("a\0b", 3));
}

static bool stop_at_first(void *context, const struct pattern_grant *grants, size_t count)
{
    (void)grants;
    *(size_t *)context += count;
    return true;
}

static void a_visitor_ends_the_search(void **state)
{
    static const char *const patterns[] = {"a", "*", "**", "a*"};
    CLEANUP(free_indexp) struct pattern_index *index = index_of(patterns, ARRAY_SIZE(patterns));
    size_t visited = 0;

    (void)state;
    pattern_index_visit(index, "a", stop_at_first, &visited);
    assert_int_equal(visited, 1);
}

static bool check_order(void *context, const struct pattern_grant *grants, size_t count)
{
    size_t *seen = context;

    for (size_t i = 1; i < count; i++)
        assert_true(grants[i - 1].principal < grants[i].principal ||
                    (grants[i - 1].principal == grants[i].principal &&
                     grants[i - 1].line <= grants[i].line));
    *seen += count;
    return false;
}

static void grants_come_sorted(void **state)
{
    CLEANUP(free_indexp) struct pattern_index *index = NULL;
    struct pattern_entry entries[ENTRIES_MAX];
    size_t seen = 0;

    (void)state;
    for (uint32_t i = 0; i < ENTRIES_MAX; i++)
        entries[i] = (struct pattern_entry){
            "a/*", 3, {.principal = i * 37 % 11, .line = i * 29 % ENTRIES_MAX}};
    assert_int_equal(pattern_index_new(entries, ENTRIES_MAX, &index), 0);
    pattern_index_visit(index, "a/b", check_order, &seen);
    assert_int_equal(seen, ENTRIES_MAX);
    pattern_index_visit(index, "b", check_order, &seen);
    assert_int_equal(seen, ENTRIES_MAX);
}

static void an_empty_index_matches_nothing(void **state)
{
    CLEANUP(free_indexp) struct pattern_index *index = NULL;
    size_t seen = 0;

    (void)state;
    assert_int_equal(pattern_index_new(NULL, 0, &index), 0);
    pattern_index_visit(index, "a", check_order, &seen);
    assert_int_equal(seen, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_names),
        cmocka_unit_test(patterns_do_not_hide_each_other),
        cmocka_unit_test(faulty_patterns_are_named),
        cmocka_unit_test(a_visitor_ends_the_search),
        cmocka_unit_test(grants_come_sorted),
        cmocka_unit_test(an_empty_index_matches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
