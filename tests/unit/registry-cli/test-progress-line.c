#include "registry/cli/progress-line.h"

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
    struct progress progress = {step, "blobs", 12, 40, UINT64_C(1) << 30, UINT64_C(3) << 30};
    const char *text = shown(&line, &progress, 100 * 1000);

    (void)state;
    assert_non_null(
        strstr(text, "reading: 12 of 40 blobs, 1.0 GiB of 3.0 GiB, 10.2 MiB a second, "));
    assert_non_null(strstr(text, "3 minutes 20 seconds left\n"));
}

static void counts_have_a_time_left_if_the_total_is_known(void **state)
{
    struct progress_line line = {.columns = 200};
    struct progress marking = {"marking", "repositories", 5, 10, 0, 0},
                    counting = {"counting", "blobs", 5, 0, 0, 0};

    (void)state;
    assert_string_equal(shown(&line, &marking, 60 * 1000),
                        "marking: 5 of 10 repositories, 1 minute left\n");
    assert_string_equal(shown(&line, &counting, 60 * 1000), "counting: 5 blobs\n");
}

/* More may be found than was counted, because pushes continue. */
static void nothing_is_divided_by_zero(void **state)
{
    struct progress_line line = {.columns = 200};
    struct progress first = {step, "blobs", 0, 40, 0, 1000},
                    more = {step, "blobs", 41, 40, 2000, 1000};

    (void)state;
    assert_non_null(strstr(shown(&line, &first, 0), "0 of 40 blobs, 0 B of 1000 B"));
    assert_null(strstr(shown(&line, &more, 1000), "left"));
}

static void a_line_is_shown_when_it_is_due(void **state)
{
    struct progress_line line = {.columns = 200}, quiet = {.is_quiet = true};
    struct progress progress = {step, "blobs", 1, 2, 0, 0},
                    next = {"sweeping", "parts", 1, 2, 0, 0};

    (void)state;
    assert_string_equal(shown(&quiet, &progress, 1000), "");
    assert_string_not_equal(shown(&line, &progress, 1000), "");
    assert_true(line.next_ms >= monotonic_ms() + 20 * 1000); /* half a minute, without a terminal */
    progress_line_show(&line,
                       &next); /* a new step has a clock of its own, and shows nothing at once */
    assert_true(line.step == next.step && line.next_ms > monotonic_ms());
}

static void a_line_on_a_terminal_never_wraps(void **state)
{
    struct progress_line line = {.has_terminal = true, .columns = 20};
    struct progress progress = {step, "blobs", 100000, 200000, 0, 0};
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
        cmocka_unit_test(nothing_is_divided_by_zero),
        cmocka_unit_test(a_line_is_shown_when_it_is_due),
        cmocka_unit_test(a_line_on_a_terminal_never_wraps),
    };

    return cmocka_run_group_tests_name("progress-line", tests, NULL, NULL);
}
