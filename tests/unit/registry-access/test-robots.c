#include "registry/access/robots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/access/age.h"
#include "registry/access/robots-file.h"
#include "tests/unit/check.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "ci sha256:" HEX " created=2026-11-30T07:41:45Z expires="

static int parse(const char *text, struct robots **ret, struct error *err)
{
    CLEANUP_FREE char *copy = copy_exactly(text, strlen(text));

    return robots_parse("robots", copy, strlen(text), ret, err);
}

static void reads_robots_and_their_rights(void **state)
{
    static const char text[] =
        "# made by hand\n\n"
        "b-2 sha256:" HEX " created=2026-01-01T00:00:00Z expires=2027-02-28T12:00:00Z\n" HEAD
        "never allow=team/**:pull,push allow=base:pull";
    CLEANUP(robots_unrefp) struct robots *robots = NULL;
    struct rules_answer answer;
    struct error err;

    (void)state;
    assert_int_equal(parse(text, &robots, &err), 0);
    assert_int_equal(robots_count(robots), 2);
    assert_string_equal(robots_get(robots, 0)->name, "b-2");
    assert_int_equal(robots_get(robots, 0)->expires_s, 1803816000);
    assert_ptr_equal(robots_find_user(robots, "robot+ci"), robots_find(robots, "ci"));
    assert_true(robots_find(robots, "ci")->expires_s == ROBOT_NEVER);
    assert_int_equal(robots_find(robots, "ci")->line_start + robots_find(robots, "ci")->line_size,
                     strlen(text));
    assert_null(robots_find_user(robots, "ci"));
    assert_null(robots_find_user(robots, "robot+c"));
    rules_decide(robots_get_rules(robots),
                 &(struct rules_question){"robot+ci", "team/x", RULES_PUSH | RULES_DELETE},
                 &answer);
    assert_int_equal(answer.granted, RULES_PUSH);
    assert_memory_equal(robots_find_allow(robots, answer.lines[1])->text, "team/**:pull,push", 17);
    rules_decide(robots_get_rules(robots),
                 &(struct rules_question){"robot+b-2", "team/x", RULES_PULL}, &answer);
    assert_int_equal(answer.granted, 0);
    assert_null(robots_find_allow(robots, 0));
    assert_null(robots_find_allow(robots, 3));
    assert_true(robots_are_of(robots, text, strlen(text)));
    assert_false(robots_are_of(robots, text, strlen(text) - 1));
}

static void refuses_invalid_lines(void **state)
{
    static const char *const wrong[] = {
        "CI sha256:" HEX " expires=never",
        "-ci sha256:" HEX " expires=never",
        "ci. sha256:" HEX " expires=never",
        "ci",
        "ci " HEX " expires=never",
        "ci sha256:" HEX,
        "ci sha512:" HEX HEX " expires=never",
        HEAD "2026-02-30T00:00:00Z",
        HEAD "2026-11-30",
        HEAD,
        HEAD "never allow=x",
        HEAD "never allow=x:fly",
        HEAD "never allow=X:pull",
        HEAD "never allow=**:health",
        HEAD "never allow=**:pull,health",
        HEAD "never allow=x:pull,",
        HEAD "never allow=:pull",
        HEAD "never allow=x:",
        HEAD "never allow=\"x\":pull",
        HEAD "never deny=x:pull",
        HEAD "never\n" HEAD "never",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct robots *robots = NULL;
        struct error err = {0};

        assert_case(wrong[i], parse(wrong[i], &robots, &err) == -EINVAL);
        assert_case(wrong[i], strncmp(err.text, "robots", 6) == 0 && !robots);
    }
}

/* "unknown action" would be wrong: users can have it. */
static void a_robot_with_health_is_refused_in_its_own_words(void **state)
{
    struct robots *robots = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(parse(HEAD "never allow=**:pull,health", &robots, &err), -EINVAL);
    assert_non_null(strstr(err.text, "line 1"));
    assert_non_null(strstr(err.text, "health, which robots cannot have"));
}

static void passwords_are_random_and_digests_bound_to_names(void **state)
{
    CLEANUP(secbuf_done) struct secbuf first = {0}, second = {0};
    struct digest a, b;

    (void)state;
    assert_int_equal(robot_make_password(&first), 0);
    assert_int_equal(robot_make_password(&second), 0);
    assert_int_equal(first.size, ROBOT_PASSWORD_SIZE);
    assert_memory_equal(first.data, ROBOT_PASSWORD_PREFIX, strlen(ROBOT_PASSWORD_PREFIX));
    assert_null(memchr(first.data, '=', first.size));
    assert_false(secbuf_is_equal(&first, &second));
    assert_int_equal(robot_digest("a", &first, &a), 0);
    assert_int_equal(robot_digest("b", &first, &b), 0);
    assert_false(digest_is_equal(&a, &b));
    assert_int_equal(robot_digest("b", &second, &a), 0);
    assert_false(digest_is_equal(&a, &b));
}

static void note(void *object, const char *name, int64_t used_s)
{
    *(int64_t *)object = strcmp(name, "ci") == 0 ? used_s : -1;
}

/* A file that comes later, a robot that expired, and the time of use. */
static void follows_the_file(void **state)
{
    CLEANUP(secbuf_done) struct secbuf password = {0};
    char directory[] = "/tmp/test-robots.XXXXXX", path[64], text[400];
    struct watched_table *file = NULL;
    struct digest digest;
    struct error err;
    int64_t used_s = 0;
    FILE *out;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/robots", directory);
    assert_int_equal(robots_file_open(path, NULL, NULL, &file, &err), 0);
    assert_true(watched_table_is_current(file));
    assert_int_equal(robot_make_password(&password), 0);
    assert_int_equal(robots_file_check(file, "robot+ci", &password), ROBOTS_DENIED);
    assert_int_equal(robot_digest("ci", &password, &digest), 0);
    snprintf(text, sizeof(text), "ci sha256:%s created=2026-11-30T07:41:45Z expires=never\n",
             digest.hex);
    assert_non_null(out = fopen(path, "w"));
    fputs(text, out);
    assert_int_equal(robot_digest("old", &password, &digest), 0);
    fprintf(out, "old sha256:%s created=2020-11-30T07:41:45Z expires=2021-01-01T00:00:00Z\n",
            digest.hex);
    fclose(out);
    assert_false(watched_table_is_current(file));
    watched_table_refresh(file);
    assert_int_equal(robots_file_check(file, "robot+old", &password), ROBOTS_EXPIRED);
    robots_file_note_uses(file, 60, note, &used_s);
    assert_int_equal(used_s, 0);
    assert_int_equal(robots_file_check(file, "robot+ci", &password), ROBOTS_GRANTED);
    robots_file_note_uses(file, 60, note, &used_s);
    assert_true(used_s > 0);
    used_s = 0;
    assert_int_equal(robots_file_check(file, "robot+ci", &password), ROBOTS_GRANTED);
    robots_file_note_uses(file, 60, note, &used_s);
    assert_int_equal(used_s, 0);
    password.data[password.size - 1] ^= 1;
    assert_int_equal(robots_file_check(file, "robot+ci", &password), ROBOTS_DENIED);
    watched_table_close(file);
    unlink(path);
    rmdir(directory);
}

static void reads_ages(void **state)
{
    static const char *const wrong[] = {"",    "d",      "90",        "0d",  "-1d", "1.5d",
                                        "90D", "36501d", "99999999h", "1dd", " 1d"};
    uint64_t age_s;

    (void)state;
    assert_int_equal(age_parse("90d", 3, &age_s), 0);
    assert_int_equal(age_s, 90 * 24 * 3600);
    assert_int_equal(age_parse("12h", 3, &age_s), 0);
    assert_int_equal(age_s, 12 * 3600);
    assert_int_equal(age_parse("2w", 2, &age_s), 0);
    assert_int_equal(age_s, 14 * 24 * 3600);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_case(wrong[i], age_parse(wrong[i], strlen(wrong[i]), &age_s) == -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_robots_and_their_rights),
        cmocka_unit_test(refuses_invalid_lines),
        cmocka_unit_test(a_robot_with_health_is_refused_in_its_own_words),
        cmocka_unit_test(passwords_are_random_and_digests_bound_to_names),
        cmocka_unit_test(follows_the_file),
        cmocka_unit_test(reads_ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
