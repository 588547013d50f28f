#include "gpg/tty.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/macros.h"
#include "tests/unit/check.h"

/*
 * Each case is a process in a session of its own, so that it has the terminals of the case and
 * not those of the caller.
 */
struct pty {
    int master, slave;
    char name[64];
};

static struct pty first, second;

static void pty_done(struct pty *pty)
{
    close(pty->slave);
    close(pty->master);
}

static bool pty_init(struct pty *pty)
{
    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->master < 0 || grantpt(pty->master) < 0 || unlockpt(pty->master) < 0 ||
        ptsname_r(pty->master, pty->name, sizeof(pty->name)) != 0)
        return false;
    pty->slave = open(pty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return pty->slave >= 0;
}

static int open_terminals(void **state)
{
    (void)state;
    if (pty_init(&first) && pty_init(&second))
        return 0;
    print_message("cannot open a pseudo terminal here\n");
    exit(77);
}

static int close_terminals(void **state)
{
    (void)state;
    pty_done(&first);
    pty_done(&second);
    return 0;
}

/* The terminals of a case, and the expected result. NULL: /dev/null, unset. */
struct scene {
    const struct pty *in, *out, *err, *controlling;
    const char *gpg_tty, *expected;
};

static bool is_set_to(const char *name, const char *expected)
{
    const char *value = getenv(name);

    return value == expected || (value && expected && strcmp(value, expected) == 0);
}

static bool attach(int fd, const struct pty *pty)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    return dup2(pty ? pty->slave : null, fd) == fd && close(null) == 0;
}

/* The child's part: returns 0 for the expected result. */
static int play(void *argument)
{
    const struct scene *scene = argument;

    if (setsid() < 0 || (scene->controlling && ioctl(scene->controlling->slave, TIOCSCTTY, 0) < 0))
        return 1;
    if (!attach(STDIN_FILENO, scene->in) || !attach(STDOUT_FILENO, scene->out) || !attach(STDERR_FILENO, scene->err))
        return 2;
    if (scene->gpg_tty)
        setenv("GPG_TTY", scene->gpg_tty, 1);
    else
        unsetenv("GPG_TTY");
    gpg_tty_export();
    return is_set_to("GPG_TTY", scene->expected) ? 0 : 3;
}

static void assert_plays(const struct scene *scene)
{
    assert_int_equal(run_in_child(play, (void *)scene), 0);
}

static void without_a_terminal_it_is_unset(void **state)
{
    static const char *const values[] = {
        NULL, "", "not a tty", "/dev/null", "/dev/tty", "/dev/pts/987654", "/dev", "/dev/", "dev/null", "/nowhere/at/all",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        assert_plays(&(struct scene){.gpg_tty = values[i]});
}

static void a_terminal_that_is_named_is_kept(void **state)
{
    (void)state;
    assert_plays(&(struct scene){.gpg_tty = first.name, .expected = first.name});
    assert_plays(&(struct scene){.gpg_tty = first.name, .expected = first.name,
                                 .in = &second, .out = &second, .err = &second, .controlling = &second});
}

static void an_invalid_value_is_replaced_by_the_terminal(void **state)
{
    static const char *const values[] = {NULL, "", "not a tty", "/dev/tty", "/dev/null", "/dev/pts/987654"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        assert_plays(&(struct scene){.gpg_tty = values[i], .err = &first, .expected = first.name});
}

/* A link may lead to a terminal for this process, but not for an agent with another view of the file system. */
static void a_terminal_outside_dev_is_not_kept(void **state)
{
    char link[] = "/tmp/unit-test-tty.XXXXXX";

    (void)state;
    assert_true(mkstemp(link) >= 0);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(first.name, link), 0);
    assert_plays(&(struct scene){.gpg_tty = link, .err = &second, .expected = second.name});
    assert_int_equal(unlink(link), 0);
}

static void any_of_the_streams_is_sufficient(void **state)
{
    (void)state;
    assert_plays(&(struct scene){.err = &first, .expected = first.name});
    assert_plays(&(struct scene){.in = &first, .expected = first.name});
    assert_plays(&(struct scene){.out = &first, .expected = first.name});
}

static void stderr_comes_first_then_stdin(void **state)
{
    (void)state;
    assert_plays(&(struct scene){.err = &first, .in = &second, .out = &second, .expected = first.name});
    assert_plays(&(struct scene){.in = &first, .out = &second, .expected = first.name});
}

static void streams_come_before_the_controlling_terminal(void **state)
{
    (void)state;
    assert_plays(&(struct scene){.err = &first, .controlling = &second, .expected = first.name});
}

/* As with docker: stdin and stdout are pipes, and stderr may be redirected. */
static void the_controlling_terminal_is_found_by_its_own_name(void **state)
{
    (void)state;
    assert_plays(&(struct scene){.controlling = &first, .expected = first.name});
    assert_plays(&(struct scene){.controlling = &first, .gpg_tty = "not a tty", .expected = first.name});
    assert_plays(&(struct scene){.controlling = &first, .gpg_tty = "/dev/tty", .expected = first.name});
}

static void a_terminal_after_a_hangup_is_not_used(void **state)
{
    struct pty gone;

    (void)state;
    assert_true(pty_init(&gone));
    pty_done(&gone);
    assert_plays(&(struct scene){.gpg_tty = gone.name});
    assert_plays(&(struct scene){.gpg_tty = gone.name, .err = &first, .expected = first.name});
}

/* The same name refers to another file in the agent. */
static void a_name_that_depends_on_the_process_is_not_kept(void **state)
{
    static const char *const values[] = {"/dev/stderr", "/dev/fd/2", "/dev/tty"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        assert_plays(&(struct scene){.gpg_tty = values[i], .err = &first, .controlling = &first, .expected = first.name});
}

static int play_without_streams(void *argument)
{
    const struct scene *scene = argument;

    if (setsid() < 0 || (scene->controlling && ioctl(scene->controlling->slave, TIOCSCTTY, 0) < 0))
        return 1;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        close(fd);
    setenv("GPG_TTY", "not a tty", 1);
    gpg_tty_export();
    return is_set_to("GPG_TTY", scene->expected) ? 0 : 3;
}

static void closed_streams_are_not_terminals(void **state)
{
    struct scene none = {0}, controlling = {.controlling = &first, .expected = first.name};

    (void)state;
    assert_int_equal(run_in_child(play_without_streams, &none), 0);
    assert_int_equal(run_in_child(play_without_streams, &controlling), 0);
}

static int export_with_term(void *given)
{
    if (given)
        setenv("TERM", given, 1);
    else
        unsetenv("TERM");
    gpg_tty_export();
    return is_set_to("TERM", given ? given : "linux") ? 0 : 1;
}

static void term_is_set_only_if_it_is_unset(void **state)
{
    char term[] = "xterm", empty[] = "";

    (void)state;
    assert_int_equal(run_in_child(export_with_term, NULL), 0);
    assert_int_equal(run_in_child(export_with_term, term), 0);
    assert_int_equal(run_in_child(export_with_term, empty), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_terminal_it_is_unset),
        cmocka_unit_test(a_terminal_that_is_named_is_kept),
        cmocka_unit_test(an_invalid_value_is_replaced_by_the_terminal),
        cmocka_unit_test(a_terminal_outside_dev_is_not_kept),
        cmocka_unit_test(any_of_the_streams_is_sufficient),
        cmocka_unit_test(stderr_comes_first_then_stdin),
        cmocka_unit_test(streams_come_before_the_controlling_terminal),
        cmocka_unit_test(the_controlling_terminal_is_found_by_its_own_name),
        cmocka_unit_test(a_terminal_after_a_hangup_is_not_used),
        cmocka_unit_test(a_name_that_depends_on_the_process_is_not_kept),
        cmocka_unit_test(closed_streams_are_not_terminals),
        cmocka_unit_test(term_is_set_only_if_it_is_unset),
    };

    return cmocka_run_group_tests_name("tty", tests, open_terminals, close_terminals);
}
