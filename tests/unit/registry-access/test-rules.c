#include "registry/access/rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

static struct rules *parse(const char *text)
{
    struct rules *rules = NULL;
    struct error err = {0};

    if (rules_parse("access", text, strlen(text), &rules, &err) < 0)
        fail_msg("%s", err.text);
    return rules;
}

static struct rules_answer ask(const struct rules *rules, const char *name, const char *repository,
                               unsigned actions)
{
    struct rules_answer answer;

    rules_decide(rules, &(struct rules_question){name, repository, actions}, &answer);
    return answer;
}

static const char example[] =
    "# who may do what\n"
    "group team alice bob\n"
    "allow @team pull,push team/**\n"
    "allow anyone pull public/**\n"
    "allow users pull base/*\n"
    "allow carol, robot+ci push-new,pull releases/** mirror/** # by the pipeline\n"
    "allow \"anyone\" all odd/name\n"
    "group team\tdave , robot+deploy\r\n"
    "\n"
    "allow root all **\n";

enum {
    EVERYTHING = RULES_PULL | RULES_PUSH | RULES_PUSH_NEW | RULES_DELETE,
    ALL = RULES_PULL | RULES_PUSH | RULES_DELETE
};

static const struct decided {
    const char *name, *repository;
    unsigned granted;
} decided[] = {
    {"alice", "team/app", RULES_PULL | RULES_PUSH},
    {"bob", "team/app/x", RULES_PULL | RULES_PUSH},
    {"dave", "team/app", RULES_PULL | RULES_PUSH},
    {"robot+deploy", "team/app", RULES_PULL | RULES_PUSH},
    {"alice", "team", 0},
    {"alic", "team/app", 0},
    {"team", "team/app", 0},
    {"@team", "team/app", 0},
    {NULL, "team/app", 0},
    {"", "public/x", RULES_PULL},
    {"robot+other", "public/x", RULES_PULL},
    {"eve", "public/x", RULES_PULL},
    {"eve", "base/app", RULES_PULL},
    {"robot+ci", "base/app", 0},
    {NULL, "base/app", 0},
    {"carol", "releases/1", RULES_PULL | RULES_PUSH_NEW},
    {"robot+ci", "mirror/a/b", RULES_PULL | RULES_PUSH_NEW},
    {"anyone", "odd/name", ALL},
    {NULL, "odd/name", 0},
    {"eve", "odd/name", 0},
    {"root", "odd/name", ALL},
    {"root", "team/app", ALL},
};

static void rules_decide_as_written(void **state)
{
    CLEANUP(rules_unrefp) struct rules *rules = parse(example);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(decided); i++) {
        const struct decided *d = &decided[i];
        unsigned granted = ask(rules, d->name, d->repository, EVERYTHING).granted;

        if (granted != d->granted)
            fail_msg("%s on %s: %x, not %x", d->name ? d->name : "nobody", d->repository, granted,
                     d->granted);
        for (unsigned bit = 1; bit < EVERYTHING; bit <<= 1)
            assert_int_equal(ask(rules, d->name, d->repository, bit).granted, d->granted & bit);
    }
}

static void an_answer_names_the_line(void **state)
{
    CLEANUP(rules_unrefp) struct rules *rules = parse(example);
    struct rules_answer answer = ask(rules, "carol", "releases/1", RULES_PULL | RULES_DELETE);

    (void)state;
    assert_int_equal(answer.granted, RULES_PULL);
    assert_int_equal(answer.lines[0], 6);
    assert_int_equal(answer.lines[3], 0);
    assert_int_equal(ask(rules, "alice", "team/x", RULES_PUSH).lines[1], 3);
}

/* The health of the whole registry is no right to a repository, and "all" does not include it. */
static void health_is_an_action_of_its_own(void **state)
{
    CLEANUP(rules_unrefp)
    struct rules *rules = parse("allow root all **\nallow ops,@team health **\ngroup team alice\n"
                                "allow users pull a\nallow eve pull,health **\n");

    (void)state;
    assert_int_equal(ask(rules, "ops", "any", RULES_HEALTH).granted, RULES_HEALTH);
    assert_int_equal(ask(rules, "alice", "any", RULES_HEALTH).granted, RULES_HEALTH);
    assert_int_equal(ask(rules, "eve", "b", RULES_HEALTH | RULES_PULL).granted,
                     RULES_HEALTH | RULES_PULL);
    assert_int_equal(ask(rules, "root", "any", RULES_HEALTH).granted, 0);
    assert_int_equal(ask(rules, "bob", "any", RULES_HEALTH).granted, 0);
    assert_int_equal(ask(rules, "", "any", RULES_HEALTH).granted, 0);
    assert_int_equal(ask(rules, "ops", "b", RULES_PULL | RULES_PUSH | RULES_DELETE).granted, 0);
}

static void anonymous_rules_are_known(void **state)
{
    CLEANUP(rules_unrefp)
    struct rules *with = parse(example),
                 *without = parse("allow \"anyone\",users pull a\n");
    CLEANUP(rules_unrefp) struct rules *empty = parse("");

    (void)state;
    assert_true(rules_have_anonymous(with));
    assert_false(rules_have_anonymous(without));
    assert_false(rules_have_anonymous(empty));
    assert_int_equal(ask(empty, "root", "a", EVERYTHING).granted, 0);
}

/* What is wrong, in which line, and a word of what is said of it. */
static const struct mistake {
    const char *text;
    unsigned line;
    const char *says;
} mistakes[] = {
    {"\n\ndeny alice pull x\n", 3, "\"deny\""},
    {"Allow alice pull x", 1, "\"Allow\""},
    {"allow", 1, "incomplete"},
    {"allow alice", 1, "incomplete"},
    {"allow alice pull", 1, "incomplete"},
    {"allow alice pull,", 1, "\",\""},
    {"allow alice pull x,y", 1, "blanks"},
    {"allow alice read x", 1, "\"read\""},
    {"allow alice pull,,push x", 1, "action"},
    {"allow , pull x", 1, "','"},
    {"allow alice pull,push X", 1, "upper-case"},
    {"allow alice pull x y//z", 1, "slash"},
    {"allow alice pull \"x\"", 1, "quotes"},
    {"allow @nobody pull x", 1, "@nobody"},
    {"group a b\nallow @c,@a pull x\nallow @d pull x", 2, "@c"},
    {"allow alice health team/**", 1, "allow WHO health **"},
    {"allow alice health ** a", 1, "whole registry"},
    {"allow alice pull,health a", 1, "whole registry"},
    {"group", 1, "name"},
    {"group @a b", 1, "group a"},
    {"group a @b", 1, "\"@b\""},
    {"group a users", 1, "\"users\""},
    {"group a anyone", 1, "\"anyone\""},
    {"group a \"b", 1, "second"},
    {"group a b\"c\"", 1, "inside"},
    {"group a \"b\"c", 1, "blank"},
    {"group a \"\"", 1, "empty"},
    {"group a b:c", 1, "':'"},
    {"allow \"\" pull x", 1, "empty"},
    {"immutable v*", 1, "incomplete"},
    {"immutable v*,", 1, "\",\""},
    {"immutable v/* x", 1, "\"v/*\""},
    {"immutable v*,\"x\" x", 1, "\"x\""},
    {"immutable v* X", 1, "upper-case"},
    {"allow @ pull x\nallow y", 1, "'@'"},
};

static void mistakes_are_named_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        struct rules *rules = NULL;
        struct error err = {0};
        char start[40];

        if (rules_parse("access", mistakes[i].text, strlen(mistakes[i].text), &rules, &err) !=
            -EINVAL)
            fail_msg("\"%s\" is taken", mistakes[i].text);
        snprintf(start, sizeof(start), "access line %u: ", mistakes[i].line);
        if (strncmp(err.text, start, strlen(start)) != 0 || !strstr(err.text, mistakes[i].says))
            fail_msg("\"%s\": %s", mistakes[i].text, err.text);
        assert_null(rules);
    }
}

static const struct tag_case {
    const char *repository, *tag;
    bool is_immutable;
} tag_cases[] = {
    {"releases/a", "v1", true},        {"releases/a", "v", true},
    {"releases/a/b", "v1.2-RC", true}, {"releases/a", "V1", false},
    {"releases/a", "latest", false},   {"releases/a", "stable", true},
    {"releases/a", "stables", false},  {"releases", "v1", false},
    {"team/a", "v1", false},           {"team/a", "2026-11", true},
    {"team/a", "2026", false},
};

static void immutable_tags_are_known(void **state)
{
    CLEANUP(rules_unrefp)
    struct rules *rules = parse("immutable v*, stable releases/**\nimmutable 20*-* team/* x\n");
    CLEANUP(rules_unrefp) struct rules *none = parse("allow alice all **");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tag_cases); i++) {
        const struct tag_case *c = &tag_cases[i];

        if (rules_is_tag_immutable(rules, c->repository, c->tag) != c->is_immutable)
            fail_msg("%s:%s", c->repository, c->tag);
        assert_false(rules_is_tag_immutable(none, c->repository, c->tag));
    }
    assert_int_equal(ask(rules, "alice", "releases/a", EVERYTHING).granted, 0);
}

static void a_byte_order_mark_is_skipped(void **state)
{
    CLEANUP(rules_unrefp)
    struct rules *rules = parse("\xEF\xBB\xBF"
                                "allow alice pull a");

    (void)state;
    assert_int_equal(ask(rules, "alice", "a", RULES_PULL).granted, RULES_PULL);
}

static void action_names_round_trip(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit < EVERYTHING; bit <<= 1)
        assert_int_equal(rules_action_parse(rules_action_name(bit), strlen(rules_action_name(bit))),
                         bit);
    assert_int_equal(rules_action_parse("all", 3), ALL);
    assert_int_equal(rules_action_parse("al", 2), 0);
    assert_int_equal(rules_action_parse("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_decide_as_written),
        cmocka_unit_test(an_answer_names_the_line),
        cmocka_unit_test(health_is_an_action_of_its_own),
        cmocka_unit_test(anonymous_rules_are_known),
        cmocka_unit_test(mistakes_are_named_with_their_line),
        cmocka_unit_test(immutable_tags_are_known),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(action_names_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
