/*
 * Random access files, decided by registry/access/ and by a model that tries each rule in turn with
 * the simplest way to match a pattern. Both must agree on every question.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/access/pattern.h"
#include "registry/access/rules.h"
#include "tests/unit/check.h"

enum { FILES = 300, RULES = 60, GROUPS = 4, USERS = 6, QUESTIONS = 400, TEXT_MAX = 16384 };

static const char *const components[] = {"a",  "b",   "ab",  "ba",  "abc", "a-b", "*",    "a*",
                                         "*b", "a*b", "b*a", "*a*", "ab*", "*ab", "a*ab", "**"};
enum { LITERALS = 6 };

struct rule {
    unsigned principal; /* 0: anyone, 1: users, 2..: users, 2 + USERS..: groups, then a robot */
    unsigned actions;
    char pattern[64];
};

struct model {
    struct rule rules[RULES];
    bool is_member[GROUPS][USERS + 1]; /* the last: the robot */
};

static uint32_t seed;

/* The same numbers in every run. */
static unsigned roll(unsigned sides)
{
    seed = seed * 1664525 + 1013904223;
    return (unsigned)((seed >> 8) % sides);
}

static void make_path(char *ret, size_t size, bool is_pattern)
{
    unsigned count = 1 + roll(4);

    do {
        ret[0] = '\0';
        for (unsigned i = 0; i < count; i++)
            snprintf(ret + strlen(ret), size - strlen(ret), "%s%s", i ? "/" : "",
                     components[roll(is_pattern ? ARRAY_SIZE(components) : LITERALS)]);
    } while (pattern_find_fault(ret, strlen(ret)));
}

static void name_principal(unsigned principal, char ret[16])
{
    if (principal < 2)
        snprintf(ret, 16, "%s", principal ? "users" : "anyone");
    else if (principal < 2 + USERS)
        snprintf(ret, 16, "u%u", principal - 2);
    else if (principal < 2 + USERS + GROUPS)
        snprintf(ret, 16, "@g%u", principal - 2 - USERS);
    else
        snprintf(ret, 16, "robot+r");
}

static void make_model(struct model *model, char *text)
{
    char *end = text + TEXT_MAX;

    for (unsigned g = 0; g < GROUPS; g++) {
        text += snprintf(text, (size_t)(end - text), "group g%u", g);
        for (unsigned u = 0; u <= USERS; u++) {
            model->is_member[g][u] = roll(3) == 0;
            if (model->is_member[g][u])
                text += u < USERS ? snprintf(text, (size_t)(end - text), " u%u", u)
                                  : snprintf(text, (size_t)(end - text), " robot+r");
        }
        text += snprintf(text, (size_t)(end - text), "\n");
    }
    for (unsigned i = 0; i < RULES; i++) {
        struct rule *rule = &model->rules[i];
        char who[16];

        rule->principal = roll(2 + USERS + GROUPS + 1);
        rule->actions = 1 + roll(15);
        make_path(rule->pattern, sizeof(rule->pattern), true);
        name_principal(rule->principal, who);
        text += snprintf(text, (size_t)(end - text), "allow %s ", who);
        for (unsigned bit = 1, first = 1; bit <= RULES_DELETE; bit <<= 1)
            if (rule->actions & bit) {
                text += snprintf(text, (size_t)(end - text), "%s%s", first ? "" : ",",
                                 rules_action_name(bit));
                first = 0;
            }
        text += snprintf(text, (size_t)(end - text), " %s\n", rule->pattern);
    }
    assert_true(text < end);
}

static bool model_matches(const char *pattern, const char *name)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (strcmp(pattern, "**") == 0)
        return *name != '\0' && *name != '/';
    if (strncmp(pattern, "**/", 3) == 0) {
        if (model_matches(pattern + 3, name))
            return true;
        for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
            if (model_matches(pattern + 3, slash + 1))
                return true;
        return false;
    }
    if (*pattern == '*')
        return model_matches(pattern + 1, name) ||
               (*name != '\0' && *name != '/' && model_matches(pattern, name + 1));
    return *pattern == *name && model_matches(pattern + 1, name + 1);
}

/* who: 0 is nobody, 1.. are users, USERS + 1 is the robot. */
static bool model_is(const struct model *model, unsigned principal, unsigned who)
{
    if (principal == 0)
        return true;
    if (principal == 1)
        return who >= 1 && who <= USERS;
    if (principal < 2 + USERS)
        return who == principal - 1;
    if (principal < 2 + USERS + GROUPS)
        return who >= 1 && model->is_member[principal - 2 - USERS][who - 1];
    return who == USERS + 1;
}

static unsigned model_decide(const struct model *model, unsigned who, const char *name)
{
    unsigned granted = 0;

    for (unsigned i = 0; i < RULES; i++)
        if (model_is(model, model->rules[i].principal, who) &&
            model_matches(model->rules[i].pattern, name))
            granted |= model->rules[i].actions;
    return granted;
}

static void check_question(const struct model *model, const struct rules *rules, const char *text)
{
    unsigned who = roll(USERS + 2), wanted = 1 + roll(15);
    char name[64], user[16];
    struct rules_question question = {.principal = user, .repository = name, .actions = wanted};
    struct rules_answer answer;

    make_path(name, sizeof(name), false);
    name_principal(who <= USERS ? who + 1 : 2 + USERS + GROUPS, user);
    if (who == 0)
        user[0] = '\0';
    rules_decide(rules, &question, &answer);
    if (answer.granted != (model_decide(model, who, name) & wanted))
        fail_msg("%s on %s: %x of %x, the model says %x, with these rules:\n%s", user, name,
                 answer.granted, wanted, model_decide(model, who, name) & wanted, text);
}

static void the_index_agrees_with_trying_each_rule(void **state)
{
    (void)state;
    for (seed = 1; seed <= FILES;) {
        CLEANUP(rules_unrefp) struct rules *rules = NULL;
        CLEANUP_FREE char *text = calloc(1, TEXT_MAX);
        struct model model;
        struct error err = {0};
        uint32_t next = seed + 1;

        assert_non_null(text);
        make_model(&model, text);
        if (rules_parse("access", text, strlen(text), &rules, &err) < 0)
            fail_msg("%s\n%s", err.text, text);
        for (unsigned i = 0; i < QUESTIONS; i++)
            check_question(&model, rules, text);
        seed = next;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_index_agrees_with_trying_each_rule)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
