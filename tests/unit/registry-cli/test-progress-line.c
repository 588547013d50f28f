#include "registry/cli/progress-line.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-cli/capture.h"

static const char *const step = "reading";

/* What progress_line_show() writes about a step that began so long ago and whose next line is due.
 */
static const char *shown(struct progress_line *line, const struct progress *progress,
                         int64_t elapsed_ms)
{
    static struct capture capture;

    line->step = progress->step;
    line->began_ms = monotonic_ms() - elapsed_ms;
    line->next_ms = 0;
    capture_begin(&capture, STDERR_FILENO);
    progress_line_show(line, progress);
    return capture_end(&capture);
}

static void bytes_have_a_rate_and_a_time_left(void **state)
{
    struct progress_line line = {.columns = 200};
    struct progress progress = {.step = step,
                                .unit = "blobs",
                                .done = 12,
                                .total = 40,
                                .bytes_done = UINT64_C(1) << 30,
                                .bytes_total = UINT64_C(3) << 30};
    const char *text = shown(&line, &progress, 100 * 1000);

    (void)state;
    assert_non_null(
        strstr(text, "reading: 12 of 40 blobs, 1.0 GiB of 3.0 GiB, 10.2 MiB/s, "));
    assert_non_null(strstr(text, "3:20 left\n"));
}

static void counts_have_a_time_left_if_the_total_is_known(void **state)
{
    struct progress_line line = {.columns = 200};
    struct progress marking = {.step = "marking", .unit = "repositories", .done = 5, .total = 10},
                    counting = {.step = "counting", .unit = "blobs", .done = 5, .total = 0};

    (void)state;
    assert_string_equal(shown(&line, &marking, 60 * 1000),
                        "marking: 5 of 10 repositories, 1:00 left\n");
    marking.done = 1;
    assert_string_equal(shown(&line, &marking, 1000 * 1000),
                        "marking: 1 of 10 repositories, 2:30:00 left\n");
    assert_string_equal(shown(&line, &counting, 60 * 1000), "counting: 5 blobs\n");
}

/* So the line moves although all the work is in one repository. */
static void a_part_of_the_unit_is_shown_and_counts(void **state)
{
    struct progress_line line = {.columns = 200};
    struct progress part = {.step = "marking",
                            .unit = "repositories",
                            .total = 2,
                            .part_unit = "manifests",
                            .part_done = 500,
                            .part_total = 1000};

    (void)state;
    assert_string_equal(shown(&line, &part, 60 * 1000),
                        "marking: 0 of 2 repositories (500 of 1000 manifests), 3:00 left\n");
    part.done = 1;
    assert_string_equal(shown(&line, &part, 60 * 1000),
                        "marking: 1 of 2 repositories (500 of 1000 manifests), 0:20 left\n");
    part.part_total = 0;
    assert_string_equal(shown(&line, &part, 60 * 1000),
                        "marking: 1 of 2 repositories (500 manifests), 1:00 left\n");
}

/* More may be found than was counted, because pushes continue. */
static void nothing_is_divided_by_zero(void **state)
{
    struct progress_line line = {.columns = 200};
    struct progress first = {.step = step, .unit = "blobs", .total = 40, .bytes_total = 1000},
                    more = {.step = step,
                            .unit = "blobs",
                            .done = 41,
                            .total = 40,
                            .bytes_done = 2000,
                            .bytes_total = 1000};

    (void)state;
    assert_non_null(strstr(shown(&line, &first, 0), "0 of 40 blobs, 0 B of 1000 B"));
    assert_null(strstr(shown(&line, &more, 1000), "left"));
}

static void a_line_is_shown_when_it_is_due(void **state)
{
    struct progress_line line = {.columns = 200}, quiet = {.is_quiet = true};
    struct progress progress = {.step = step, .unit = "blobs", .done = 1, .total = 2},
                    next = {.step = "sweeping", .unit = "parts", .done = 1, .total = 2};

    (void)state;
    assert_string_equal(shown(&quiet, &progress, 1000), "");
    assert_string_not_equal(shown(&line, &progress, 1000), "");
    assert_true(line.next_ms >= monotonic_ms() + 20 * 1000); /* half a minute, without a terminal */
    progress_line_show(&line,
                       &next); /* a new step has a clock of its own, and shows nothing at once */
    assert_true(line.step == next.step && line.next_ms > monotonic_ms());
}

static char printed[PROGRESS_COLUMNS_MAX + 1];

static void print_line(const char *text)
{
    snprintf(printed, sizeof(printed), "%s", text);
}

static void a_server_gets_the_line_for_its_log(void **state)
{
    struct progress_line line = {.columns = PROGRESS_COLUMNS_MAX, .print = print_line};
    struct progress progress = {.step = step, .unit = "blobs", .done = 1, .total = 2};

    (void)state;
    assert_string_equal(shown(&line, &progress, 1000), "");
    assert_string_equal(printed, "reading: 1 of 2 blobs, 0:01 left");
    assert_true(line.next_ms >= monotonic_ms() + 20 * 1000);
}

static void a_line_on_a_terminal_never_wraps(void **state)
{
    struct progress_line line = {.has_terminal = true, .columns = 20};
    struct progress progress = {.step = step, .unit = "blobs", .done = 100000, .total = 200000};
    const char *text = shown(&line, &progress, 1000);

    (void)state;
    assert_string_equal(
        text, "\rreading: 100000 of \033[K"); /* one column is left, so that the line never wraps */
    assert_true(line.is_drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_a_rate_and_a_time_left),
        cmocka_unit_test(counts_have_a_time_left_if_the_total_is_known),
        cmocka_unit_test(a_part_of_the_unit_is_shown_and_counts),
        cmocka_unit_test(nothing_is_divided_by_zero),
        cmocka_unit_test(a_line_is_shown_when_it_is_due),
        cmocka_unit_test(a_server_gets_the_line_for_its_log),
        cmocka_unit_test(a_line_on_a_terminal_never_wraps),
    };

    return cmocka_run_group_tests_name("progress-line", tests, NULL, NULL);
}
