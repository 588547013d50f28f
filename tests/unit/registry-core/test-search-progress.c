#include <stdio.h>

#include "registry/core/search-progress.h"
#include "tests/unit/check.h"

static enum search_state begin(struct search_progress *progress, const char *name,
                               struct search_position *ret)
{
    return search_progress_begin(progress, name, 0, ret);
}

static void a_search_continues_where_it_ended(void **state)
{
    struct search_progress *progress = search_progress_new();
    struct search_position position;

    (void)state;
    assert_int_equal(begin(progress, "a", &position), SEARCH_MINE);
    assert_int_equal(position.algorithm, DIGEST_SHA256);
    assert_string_equal(position.last, "");
    assert_int_equal(begin(progress, "a", &position), SEARCH_BUSY);
    assert_int_equal(begin(progress, "a/b", &position), SEARCH_MINE);

    position = (struct search_position){.algorithm = DIGEST_SHA512, .last = "12"};
    search_progress_end(progress, "a", &position);
    position = (struct search_position){0};
    assert_int_equal(begin(progress, "a", &position), SEARCH_MINE);
    assert_int_equal(position.algorithm, DIGEST_SHA512);
    assert_string_equal(position.last, "12");

    search_progress_end(progress, "a", NULL);
    assert_int_equal(begin(progress, "a", &position), SEARCH_DONE);
    assert_int_equal(begin(progress, "a/b", &position), SEARCH_BUSY);
    search_progress_free(progress);
    search_progress_free(NULL);
}

static void too_many_are_forgotten(void **state)
{
    struct search_progress *progress = search_progress_new();
    struct search_position position;
    char name[16];

    (void)state;
    search_progress_end(progress, "first", NULL);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "%d", i);
        search_progress_end(progress, name, NULL);
    }
    assert_int_equal(begin(progress, "first", &position), SEARCH_MINE);
    assert_int_equal(begin(progress, name, &position), SEARCH_DONE);
    search_progress_free(progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_continues_where_it_ended),
        cmocka_unit_test(too_many_are_forgotten),
    };

    return cmocka_run_group_tests_name("search-progress", tests, NULL, NULL);
}
