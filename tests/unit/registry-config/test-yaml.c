#include "registry/config/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

static struct yaml_tree *parse(const char *text)
{
    CLEANUP_FREE char *exact = copy_exactly(text, strlen(text));
    struct yaml_tree *tree = NULL;
    struct error err = {0};

    if (yaml_parse("c.yml", YAML_FILE, exact, strlen(text), &tree, &err) < 0)
        fail_msg("%s", err.text);
    return tree;
}

/* The tree in one line: {a: 'text', b: [plain]}. */
static void print_tree(FILE *to, const struct yaml_tree *tree)
{
    const char *brackets = tree->kind == YAML_MAPPING ? "{}" : "[]";

    if (tree->kind == YAML_SCALAR) {
        assert_int_equal(strlen(tree->text), tree->size);
        fprintf(to, tree->is_plain ? "%s" : "'%s'", tree->text);
        return;
    }
    fputc(brackets[0], to);
    for (size_t i = 0; i < tree->count; i++) {
        fprintf(to, "%s%s%s", i ? ", " : "", tree->members[i].name ? tree->members[i].name : "",
                tree->members[i].name ? ": " : "");
        print_tree(to, tree->members[i].value);
    }
    fputc(brackets[1], to);
}

static void check_tree(const char *text, const char *wanted)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse(text);
    CLEANUP_FREE char *printed = NULL;
    size_t size;
    FILE *to = open_memstream(&printed, &size);

    assert_non_null(to);
    print_tree(to, tree);
    fclose(to);
    assert_string_equal(printed, wanted);
}

static const struct { const char *text, *tree;
} trees[] = {
    {"", ""},
    {"# nothing\n", ""},
    {"---\n", ""},
    {"a", "a"},
    {"\"a\"", "'a'"},
    {"a: 1\nb:\n  c: true\n  d: 'true'\n", "{a: 1, b: {c: true, d: 'true'}}"},
    {"- a\n- - b\n- {c: d}\n", "[a, [b], {c: d}]"},
    {"{\"enabled\":true}", "{enabled: true}"},
    {"a:\nb: ~\nc: ''\n", "{a: , b: ~, c: ''}"},
    {"a: :5000\n", "{a: :5000}"},
    {"a: >\n  b\n  c\n", "{a: 'b c\n'}"},
    {"\xEF\xBB\xBF"
     "a: b\n",
     "{a: b}"},
    {"a: b\n...\n", "{a: b}"},
    {"%YAML 1.1\n---\na: b\n", "{a: b}"},
    /* tags */
    {"a: !!str 1\nb: !!int \"1\"\nc: ! yes\n", "{a: '1', b: 1, c: 'yes'}"},
    {"!!map {a: !!seq [b]}", "{a: [b]}"},
    /* aliases */
    {"a: &x 1\nb: *x\n", "{a: 1, b: 1}"},
    {"a: &x {c: &y [d]}\nb: *x\ne: *y\n", "{a: {c: [d]}, b: {c: [d]}, e: [d]}"},
    {"a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}"},
    {"a: &x 'q'\nb: *x\n", "{a: 'q', b: 'q'}"},
    /* merge keys: own members have precedence, then the first merged */
    {"a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", "{a: {p: 1, q: 2}, b: {q: 3, p: 1}}"},
    {"a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  <<: [*x, *y]\n",
     "{a: {p: 1}, b: {p: 2, q: 2}, c: {p: 1, q: 2}}"},
    {"a: {<<: &x {p: 1}}\nb: *x\n", "{a: {p: 1}, b: {p: 1}}"},
    {"a: {'<<': b}\n", "{a: {<<: b}}"},
};

static void documents_become_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
        check_tree(trees[i].text, trees[i].tree);
}

static const struct { const char *text, *says; } refused[] = {
    {"a: b\na: c\n", "c.yml:2: the key \"a\" exists twice"},
    {"x:\n  a: b\n  c: d\n  'a': c\n", "c.yml:4: the key \"a\" exists twice"},
    {"{<<: {a: 1}, <<: {b: 1}}", "c.yml:1: the key \"<<\" exists twice"},
    {"a: [\n", "c.yml:2: invalid YAML ("},
    {"a: b: c\n", "c.yml:1: invalid YAML ("},
    {"a:\n\t- b\n", "c.yml:2: invalid YAML ("},
    {"a: \"\\q\"", "c.yml:1: invalid YAML ("},
    {"a: \xFF\n", "invalid YAML ("},
    {"a: \x01\n", "invalid YAML ("},
    {"a: b\n---\nc: d\n", "c.yml:2: a second document"},
    {"a: *b\n", "c.yml:1: unknown alias (*)"},
    {"a: &b [*b]\n", "c.yml:1: unknown alias (*)"},
    {"a: &b {c: *b}\n", "c.yml:1: unknown alias (*)"},
    {"a: !python/object b\n", "c.yml:1: unsupported tag (!)"},
    {"a: !!binary b\n", "c.yml:1: unsupported tag (!)"},
    {"a: !!map b\n", "c.yml:1: unsupported tag (!)"},
    {"a: !!str [b]\n", "c.yml:1: unsupported tag (!)"},
    {"!!python/name:x b: c\n", "c.yml:1: unsupported tag (!)"},
    {"[a]: b\n", "c.yml:1: a key must be a single value"},
    {"? {a: b}\n: c\n", "c.yml:1: a key must be a single value"},
    {"a: &x b\n*x : c\n", "c.yml:2: a key must be a single value"},
    {"\"a\\0b\": c\n", "c.yml:1: a key must not contain a NUL"},
    {"a: {<<: b}\n", "c.yml:1: \"<<\" can merge only mappings"},
    {"a: {<<: [{b: c}, d]}\n", "c.yml:1: \"<<\" can merge only mappings"},
    {"a: {<<: []}\n", "c.yml:1: \"<<\" can merge only mappings"},
};

static void check_refused(const char *text, size_t size, const char *says)
{
    CLEANUP_FREE char *exact = copy_exactly(text, size);
    struct yaml_tree *tree = NULL;
    struct error err = {0};

    assert_case(says, yaml_parse("c.yml", YAML_FILE, exact, size, &tree, &err) < 0);
    assert_says(&err, says);
    assert_null(tree);
}

static void invalid_documents_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        check_refused(refused[i].text, strlen(refused[i].text), refused[i].says);
}

/* Six lines of ten aliases each expand to a million values, without any text. */
static void aliases_of_aliases_are_bounded(void **state)
{
    char text[1000] = "a0: &a0 []\n";

    (void)state;
    for (int i = 1; i < 7; i++) {
        size_t used = strlen(text);
        int last = i - 1;

        snprintf(text + used, sizeof(text) - used,
                 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, last,
                 last, last, last, last, last, last, last, last, last);
    }
    check_refused(text, strlen(text), "too large: more than 10000 values");
}

/* The same with few values and much text. */
static void the_text_of_aliases_is_bounded(void **state)
{
    enum { LONG = 100000 };
    CLEANUP_FREE char *text = calloc(1, LONG + 1000);
    size_t used = strlen("a: &x ");

    (void)state;
    assert_non_null(text);
    snprintf(text, used + 1, "a: &x ");
    fill(text + used, 'y', LONG);
    used += LONG;
    for (int i = 0; i < 50; i++)
        used += (size_t)snprintf(text + used, 20, "\nb%d: *x", i);
    check_refused(text, used, "too large");
}

static void nesting_is_bounded(void **state)
{
    char text[YAML_DEPTH_MAX * 2 + 10];

    (void)state;
    fill(text, '[', YAML_DEPTH_MAX);
    fill(text + YAML_DEPTH_MAX, ']', YAML_DEPTH_MAX);
    yaml_tree_free(parse(text));
    fill(text, '[', YAML_DEPTH_MAX + 1);
    fill(text + YAML_DEPTH_MAX + 1, ']', YAML_DEPTH_MAX + 1);
    check_refused(text, strlen(text), "c.yml:1: nested more than 32 deep");
}

static void the_size_is_bounded(void **state)
{
    CLEANUP_FREE char *text = calloc(1, YAML_SIZE_MAX + 1);

    (void)state;
    assert_non_null(text);
    fill(text, ' ', YAML_SIZE_MAX);
    yaml_tree_free(parse(text));
    check_refused(text, YAML_SIZE_MAX + 1, "c.yml: more than 1048576 bytes");
}

static void nodes_know_their_place(void **state)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse("# c\na:\n  b: c\n  d:\n    - e\n");
    const struct yaml_tree *a = yaml_tree_find(tree, "a"), *d = yaml_tree_find(a, "d");

    (void)state;
    assert_int_equal(tree->members[0].line, 2);
    assert_int_equal(a->line, 3);
    assert_int_equal(yaml_tree_find(a, "b")->column, 6);
    assert_int_equal(a->members[1].line, 4);
    assert_int_equal(d->members[0].value->line, 5);
    assert_string_equal(d->source, "c.yml");
}

static void a_variable_has_a_name_and_no_lines(void **state)
{
    struct yaml_tree *tree = NULL;
    struct error err = {0};

    (void)state;
    assert_true(yaml_parse("REGISTRY_HTTP_ADDR", YAML_VARIABLE, "[::1]:5000", 10, &tree, &err) < 0);
    assert_says(&err, "REGISTRY_HTTP_ADDR: invalid YAML (");
    assert_says(&err, "put the value in quotes");
    assert_int_equal(yaml_parse("X", YAML_VARIABLE, "a: b", 4, &tree, &err), 0);
    assert_int_equal(tree->line, 0);
    assert_int_equal(tree->members[0].line, 0);
    yaml_tree_free(tree);
}

/* A value that is not valid YAML may be a password. */
static void errors_repeat_no_values(void **state)
{
    static const char *const secrets[] = {"!sEcReT",      "*sEcReT",    "\"sEcReT",   "{sEcReT",
                                          "a: sEcReT: b", "%sEcReT",    "@sEcReT",    "`sEcReT",
                                          "\"\\sEcReT\"", "!!sEcReT x", "!s!sEcReT x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
        struct yaml_tree *tree = NULL;
        struct error err = {0};

        assert_case(secrets[i],
                    yaml_parse("X", YAML_VARIABLE, secrets[i], strlen(secrets[i]), &tree, &err) < 0);
        assert_case(secrets[i], !strstr(err.text, "cReT"));
    }
}

static const struct { const char *text; int is;
} booleans[] = {
    {"true", 1},        {"True", 1},
    {"TRUE", 1},        {"yes", 1},
    {"Yes", 1},         {"YES", 1},
    {"on", 1},          {"On", 1},
    {"ON", 1},          {"y", 1},
    {"Y", 1},           {"!!bool 'true'", 1},
    {"false", 0},       {"False", 0},
    {"FALSE", 0},       {"no", 0},
    {"No", 0},          {"NO", 0},
    {"off", 0},         {"Off", 0},
    {"OFF", 0},         {"n", 0},
    {"N", 0},           {"1", -1},
    {"0", -1},          {"tRUE", -1},
    {"yES", -1},        {"'true'", -1},
    {"!!str true", -1}, {"", -1},
    {"~", -1},          {"true false", -1},
    {"[true]", -1},     {"{true: true}", -1},
    {"t", -1},          {"enabled", -1},
};

static void booleans_are_those_of_yaml_1_1(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(booleans); i++) {
        CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse(booleans[i].text);
        bool value = booleans[i].is == 0;

        assert_case(booleans[i].text,
                    yaml_tree_get_bool(tree, &value) == (booleans[i].is < 0 ? -EINVAL : 0));
        assert_case(booleans[i].text, booleans[i].is < 0 || value == (booleans[i].is == 1));
    }
}

static const struct { const char *text; bool is_integer; int64_t value;
} integers[] = {
    {"0", true, 0},
    {"1", true, 1},
    {"-1", true, -1},
    {"+1", true, 1},
    {"1000", true, 1000},
    {"1_000", true, 1000},
    {"0x1f", true, 31},
    {"0X1F", true, 31},
    {"0b101", true, 5},
    {"0o17", true, 15},
    {"017", true, 15},
    {"9223372036854775807", true, INT64_MAX},
    {"-0x1", true, -1},
    {"!!int '5'", true, 5},
    {"9223372036854775808", false, 0},
    {"18446744073709551617", false, 0},
    {"'1'", false, 0},
    {"1.5", false, 0},
    {"1e3", false, 0},
    {"", false, 0},
    {"-", false, 0},
    {"0x", false, 0},
    {"08", false, 0},
    {"0b2", false, 0},
    {"1a", false, 0},
    {"_1", false, 0},
    {"- 1", false, 0},
    {"--1", false, 0},
    {"+-1", false, 0},
    {"1 2", false, 0},
    {"true", false, 0},
    {"[1]", false, 0},
    {"0x-1", false, 0},
    {"1k", false, 0},
};

static void integers_are_those_of_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(integers); i++) {
        CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse(integers[i].text);
        int64_t value = 0;

        assert_case(integers[i].text,
                    (yaml_tree_get_integer(tree, &value) == 0) == integers[i].is_integer);
        assert_case(integers[i].text, value == integers[i].value);
    }
}

static void nulls_differ_from_words(void **state)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", "!!null ''"};
    static const char *const words[] = {"''",    "'~'", "'null'", "nULL", "0",
                                        "false", "[]",  "{}",     "none"};

    (void)state;
    assert_true(yaml_tree_is_null(NULL));
    for (size_t i = 0; i < ARRAY_SIZE(nulls); i++) {
        CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse(nulls[i]);

        assert_case(nulls[i], yaml_tree_is_null(tree));
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse(words[i]);

        assert_case(words[i], !yaml_tree_is_null(tree));
    }
}

static void members_are_set_and_found(void **state)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse("{a: 1, b: 2}");
    struct yaml_tree *value = parse("3");

    (void)state;
    assert_int_equal(yaml_tree_set(tree, "a", value), 0);
    assert_ptr_equal(yaml_tree_find(tree, "a"), value);
    assert_int_equal(yaml_tree_set(tree, "c", parse("4")), 0);
    assert_int_equal(tree->count, 3);
    assert_string_equal(yaml_tree_find(tree, "c")->text, "4");
    assert_null(yaml_tree_find(tree, "d"));
    assert_null(yaml_tree_find(yaml_tree_find(tree, "b"), "d"));
    assert_null(yaml_tree_find(NULL, "d"));
}

static void forgotten_values_are_wiped_and_become_null(void **state)
{
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = parse("'sEcReT'");

    (void)state;
    yaml_tree_forget(tree);
    assert_true(yaml_tree_is_null(tree));
    for (size_t i = 0; i < sizeof("sEcReT"); i++)
        assert_int_equal(tree->text[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_trees),
        cmocka_unit_test(invalid_documents_are_refused),
        cmocka_unit_test(aliases_of_aliases_are_bounded),
        cmocka_unit_test(the_text_of_aliases_is_bounded),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(the_size_is_bounded),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(a_variable_has_a_name_and_no_lines),
        cmocka_unit_test(errors_repeat_no_values),
        cmocka_unit_test(booleans_are_those_of_yaml_1_1),
        cmocka_unit_test(integers_are_those_of_go),
        cmocka_unit_test(nulls_differ_from_words),
        cmocka_unit_test(members_are_set_and_found),
        cmocka_unit_test(forgotten_values_are_wiped_and_become_null),
    };

    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
