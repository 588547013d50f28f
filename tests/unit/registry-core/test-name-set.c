#include <stdio.h>

#include "registry/core/store-private.h"
#include "tests/unit/check.h"

static void names_are_remembered(void **state)
{
    struct name_set *set = name_set_new();

    (void)state;
    assert_false(name_set_has(set, "a"));
    name_set_add(set, "a");
    name_set_add(set, "a");
    name_set_add(set, "a/b");
    assert_true(name_set_has(set, "a"));
    assert_true(name_set_has(set, "a/b"));
    assert_false(name_set_has(set, "a/"));
    name_set_free(set);
    name_set_free(NULL);
}

static void too_many_are_forgotten(void **state)
{
    struct name_set *set = name_set_new();
    char name[16];

    (void)state;
    name_set_add(set, "first");
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "%d", i);
        name_set_add(set, name);
    }
    assert_false(name_set_has(set, "first"));
    assert_true(name_set_has(set, name));
    name_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_remembered),
        cmocka_unit_test(too_many_are_forgotten),
    };

    return cmocka_run_group_tests_name("store-name-set", tests, NULL, NULL);
}
