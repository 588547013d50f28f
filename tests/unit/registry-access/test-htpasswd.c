#include "registry/access/htpasswd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

#define TAIL "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define HASH(cost) "$2y$" cost "$" TAIL
#define BEFORE_BLANK " " HASH("05")
#define CHEAP HASH("03")
#define APR1 "$apr1$TyXgrfV2$wVX2naLcJUcqnSmarl7lA1"

static struct htpasswd *parse_bytes(const char *bytes, size_t size)
{
    struct htpasswd *table = NULL;

    assert_int_equal(htpasswd_parse(copy_exactly(bytes, size), size, &table), 0);
    return table;
}

#define parse(literal) parse_bytes("" literal, sizeof(literal) - 1)

static const struct htpasswd_user *find(const struct htpasswd *table, const char *name)
{
    return htpasswd_find(table, name, strlen(name));
}

/* The cost of the user's hash; 0: the user can never log in; -1: there is no such user. */
static int cost_of(const struct htpasswd *table, const char *name)
{
    const struct htpasswd_user *user = find(table, name);

    if (!user)
        return -1;
    return user->hash ? (int)user->cost : 0;
}

static void users_have_their_hashes(void **state)
{
    CLEANUP(htpasswd_unrefp)
    struct htpasswd *table = parse("bob:" HASH("10") "\nalice:" HASH("05") "\n");
    const struct htpasswd_user *user = find(table, "alice");

    (void)state;
    assert_int_equal(htpasswd_count(table), 2);
    assert_memory_equal(user->hash, HASH("05"), BCRYPT_SIZE);
    assert_memory_equal(user->name, "alice", 5);
    assert_int_equal(user->name_size, 5);
    assert_int_equal(user->line, 2);
    assert_int_equal(cost_of(table, "bob"), 10);
    assert_int_equal(cost_of(table, "carol"), -1);
    assert_int_equal(htpasswd_get_flaws(table)->count, 0);
}

/* registry:2's measured behaviour for such lines; each has user "u" at cost 5. */
static const struct written {
    const char *name, *text;
} written[] = {
    {"no newline at the end", "u:" HASH("05")},
    {"carriage returns", "\r\nu:" HASH("05") "\r\n"},
    {"blanks around", "  \t u:" HASH("05") " \t\v\f\n"},
    {"comments and empty lines",
     "# a comment: with a colon\n\n  \n  # indented\nu:" HASH("05") "\n#"},
    {"more fields", "u:" HASH("05") ":1000:comment\n"},
    {"more characters", "u:" HASH("05") "abc\n"},
    {"the last of several", "u:" HASH("04") "\nu:" APR1 "\nu:" HASH("05") "\n"},
    {"the last is far away",
     "u:" HASH("04") "\na:x\nz:y\nb:" HASH("05") "\nu:" HASH("05") "\nv:x\n"},
    {"after a line without ':'", "u\nnonsense\nu:" HASH("05") "\n"},
    {"before one", "u:" HASH("05") "\nnonsense"},
    {"a byte order mark", "\xEF\xBB\xBFu:" HASH("05") "\n"},
};

static void lines_are_read_as_registry_2_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
        CLEANUP(htpasswd_unrefp)
        struct htpasswd *table = parse_bytes(written[i].text, strlen(written[i].text));

        assert_case(written[i].name, cost_of(table, "u") == 5);
    }
}

static void names_are_compared_byte_for_byte(void **state)
{
    CLEANUP(htpasswd_unrefp)
    struct htpasswd *table = parse("u:" HASH("05") "\nu u:" HASH("06") "\nU:" HASH(
        "07") "\nn\0l:" HASH("08") "\n:" HASH("09") "\n\xC3\xA9:" HASH("10"));

    (void)state;
    assert_int_equal(cost_of(table, "u"), 5);
    assert_int_equal(cost_of(table, "u u"), 6);
    assert_int_equal(cost_of(table, "U"), 7);
    assert_int_equal(htpasswd_find(table, "n\0l", 3)->cost, 8);
    assert_int_equal(cost_of(table, "n"), -1);
    assert_int_equal(cost_of(table, ""), 9);
    assert_int_equal(htpasswd_find(table, NULL, 0)->cost, 9);
    assert_int_equal(cost_of(table, "\xC3\xA9"), 10);
    assert_int_equal(cost_of(table, "uu"), -1);
    assert_int_equal(htpasswd_count(table), 6);
}

static void other_hashes_never_match(void **state)
{
    static const char *const others[] = {
        APR1,
        "",
        "secret",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "rqXexS6ZhobKA",
        "$5$salt$hash",
        "$6$salt$hash",
        "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        BEFORE_BLANK,
        CHEAP,
        "$y$j9T$x$y",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
        char text[200];
        int size = snprintf(text, sizeof(text), "good:" HASH("05") "\nu:%s\n", others[i]);

        table = parse_bytes(text, (size_t)size);
        assert_case(others[i], cost_of(table, "u") == 0);
        assert_case(others[i], cost_of(table, "good") == 5);
        assert_case(others[i], htpasswd_get_flaws(table)->count == 1);
        assert_case(others[i], htpasswd_get_flaws(table)->first[0].kind == HTPASSWD_NOT_BCRYPT);
        assert_case(others[i], htpasswd_get_flaws(table)->first[0].line == 2);
    }
}

static void invalid_lines_are_reported_by_number(void **state)
{
    CLEANUP(htpasswd_unrefp)
    struct htpasswd *table =
        parse("# 1\nnonsense\r\n\nu:" APR1 "\ngood:" HASH("17") "\nslow:" HASH("18") "\n");
    const struct htpasswd_flaws *flaws = htpasswd_get_flaws(table);
    static const struct htpasswd_flaw expected[] = {
        {HTPASSWD_NO_COLON, 2},
        {HTPASSWD_NOT_BCRYPT, 4},
        {HTPASSWD_SLOW, 6},
    };

    (void)state;
    assert_int_equal(flaws->count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_int_equal(flaws->first[i].kind, expected[i].kind);
        assert_int_equal(flaws->first[i].line, expected[i].line);
        assert_non_null(htpasswd_flaw_text(expected[i].kind));
    }
    assert_int_equal(cost_of(table, "slow"), 18);
}

static void further_invalid_lines_are_counted(void **state)
{
    CLEANUP_FREE char *text = calloc(1, 201);
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;

    (void)state;
    for (int i = 0; i < 200; i += 2)
        memcpy(text + i, "x\n", 2);
    table = parse_bytes(text, 200);
    assert_int_equal(htpasswd_get_flaws(table)->count, 100);
    assert_int_equal(htpasswd_get_flaws(table)->first[HTPASSWD_FLAWS_MAX - 1].line,
                     HTPASSWD_FLAWS_MAX);
}

static void the_costs_are_known(void **state)
{
    static const struct {
        const char *text;
        unsigned highest, usual;
    } costs[] = {
        {"", 0, 0},
        {"u:" APR1 "\nv\n", 0, 0},
        {"u:" HASH("05"), 5, 5},
        {"u:" HASH("05") "\nv:" HASH("12"), 12, 5},
        {"u:" HASH("12") "\nv:" HASH("05"), 12, 5},
        {"u:" HASH("12") "\nv:" HASH("10") "\nw:" HASH("10"), 12, 10},
        {"u:" HASH("31") "\nu:" HASH("10") "\n", 10, 10}, /* overridden lines are ignored */
        {"u:" HASH("10") "\nv:x\nw:x\n", 10, 10},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
        CLEANUP(htpasswd_unrefp)
        struct htpasswd *table = parse_bytes(costs[i].text, strlen(costs[i].text));

        assert_case(costs[i].text, htpasswd_highest_cost(table) == costs[i].highest);
        assert_case(costs[i].text, htpasswd_usual_cost(table) == costs[i].usual);
    }
}

/* Every one of many users is found, and no name between them. */
static void many_users_are_found(void **state)
{
    enum { COUNT = 1000, LINE = 70 };
    CLEANUP_FREE char *text = malloc(COUNT * LINE + 1);
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
    char name[20];

    (void)state;
    for (int i = 0; i < COUNT; i++) /* in another order than in the file */
        snprintf(text + i * LINE, LINE + 1, "user%04d:%s\n", i * 7 % COUNT * 2, HASH("05"));
    table = parse_bytes(text, COUNT * LINE);
    assert_int_equal(htpasswd_count(table), COUNT);
    for (int i = 0; i < 2 * COUNT; i++) {
        snprintf(name, sizeof(name), "user%04d", i);
        assert_case(name, cost_of(table, name) == (i % 2 ? -1 : 5));
    }
}

static void more_than_a_million_users_are_refused(void **state)
{
    const size_t size = ((size_t)HTPASSWD_USERS_MAX + 1) * 2;
    CLEANUP_FREE char *text = malloc(size);
    struct htpasswd *table = NULL;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < size; i += 2)
        memcpy(text + i, ":\n", 2);
    assert_int_equal(htpasswd_parse(text, size, &table), -E2BIG);
    assert_null(table);
    text[0] = '#';
    assert_int_equal(htpasswd_parse(text, size, &table), 0);
    text = NULL;
    assert_int_equal(htpasswd_count(table), 1);
    htpasswd_unref(table);
}

static void a_table_lives_until_its_last_reader_is_done(void **state)
{
    struct htpasswd *table = parse("u:" HASH("05") "\n");

    (void)state;
    assert_ptr_equal(htpasswd_ref(table), table);
    htpasswd_unref(table);
    assert_int_equal(cost_of(table, "u"), 5);
    htpasswd_unref(table);
    htpasswd_unref(NULL);
}

static void a_table_knows_its_text(void **state)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = parse("u:x\n"), *empty = parse("");

    (void)state;
    assert_true(htpasswd_is_of(table, "u:x\n", 4));
    assert_false(htpasswd_is_of(table, "u:x\n", 3));
    assert_false(htpasswd_is_of(table, "u:y\n", 4));
    assert_true(htpasswd_is_of(empty, NULL, 0));
    assert_false(htpasswd_is_of(empty, "x", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_have_their_hashes),
        cmocka_unit_test(lines_are_read_as_registry_2_reads_them),
        cmocka_unit_test(names_are_compared_byte_for_byte),
        cmocka_unit_test(other_hashes_never_match),
        cmocka_unit_test(invalid_lines_are_reported_by_number),
        cmocka_unit_test(further_invalid_lines_are_counted),
        cmocka_unit_test(the_costs_are_known),
        cmocka_unit_test(many_users_are_found),
        cmocka_unit_test(more_than_a_million_users_are_refused),
        cmocka_unit_test(a_table_lives_until_its_last_reader_is_done),
        cmocka_unit_test(a_table_knows_its_text),
    };

    return cmocka_run_group_tests_name("htpasswd", tests, NULL, NULL);
}
