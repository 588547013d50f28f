#include "helper/pass/git.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/check.h"
#include "tests/unit/store-fixture.h"

#define SUBJECT "docker-credential-helpers/" SERVER "/user"

/* Returns git's output for these arguments (up to NULL) in a directory; valid until the next call. */
static const char *git(const char *directory, ...)
{
    static char output[4096];
    const char *words[16] = {"git", "-C", directory, "-c", "user.name=Test", "-c", "user.email=test@example.com"};
    size_t count = 7, used = 0;
    int ends[2], status;
    va_list more;
    ssize_t n;
    pid_t pid;

    va_start(more, directory);
    while (count < ARRAY_SIZE(words) - 1 && (words[count] = va_arg(more, const char *)) != NULL)
        count++;
    va_end(more);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execvp("git", (char **)words);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], output + used, sizeof(output) - 1 - used)) > 0)
        used += (size_t)n;
    close(ends[0]);
    output[used] = '\0';
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return output;
}

static void make_repository(const char *directory)
{
    make_directory(directory);
    git(directory, "init", "-q", NULL);
    git(directory, "config", "user.name", "Test", NULL);
    git(directory, "config", "user.email", "test@example.com", NULL);
    git(directory, "config", "commit.gpgsign", "false", NULL);
}

static int git_set_up(void **state)
{
    if (store_set_up(state) != 0)
        return -1;
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    unsetenv("GIT_CONFIG_COUNT");
    return setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
}

#define git_test(function) scratch_test_with(function, git_set_up)

/* Makes the user trust the repository in that directory, including its hooks. */
static void trust(const char *directory)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", scratch_directory(), directory);
    setenv("GIT_CONFIG_COUNT", "1", 1);
    setenv("GIT_CONFIG_KEY_0", "docker-credential-pass.trustedRepository", 1);
    setenv("GIT_CONFIG_VALUE_0", path, 1);
}

/* Records one change of the URL's entry; returns the result of pass_git_record(). */
static int record(bool is_removal, const char *file, struct error *err)
{
    CLEANUP(pass_store_done) struct pass_store store = open_store();
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};

    assert_int_equal(pass_changes_add(&changes, is_removal, SERVER, file), 0);
    return pass_git_record(&store, &changes, err);
}

static void assert_recorded(bool is_removal, const char *file)
{
    struct error err = {0};

    if (record(is_removal, file, &err) != 0)
        fail_msg("%s", err.text);
}

static void without_a_repository_nothing_is_done(void **state)
{
    (void)state;
    make_file(BELOW_SERVER "user.gpg", "secret");
    assert_recorded(false, "user.gpg");
    assert_tree_is("store", PASS_DIRECTORY "/\n" PASS_DIRECTORY "/" SERVER "/\n" PASS_DIRECTORY "/" SERVER "/user.gpg\n");
}

static void a_repository_above_the_store_is_not_used(void **state)
{
    (void)state;
    make_repository(".");
    make_file(BELOW_SERVER "user.gpg", "secret");
    assert_recorded(false, "user.gpg");
    assert_string_equal(git(".", "status", "--porcelain", NULL), "?? store/\n");
}

static void an_entry_and_its_removal_are_one_commit_each(void **state)
{
    (void)state;
    make_repository("store");
    make_file(BELOW_SERVER "user.gpg", "secret");
    make_file("store/other.gpg", "not ours");
    git("store", "add", "other.gpg", NULL);
    assert_recorded(false, "user.gpg");
    assert_string_equal(git("store", "log", "--format=%s", "--name-only", NULL),
                        "Add given password for " SUBJECT " to store.\n\n" SUBJECT ".gpg\n");
    assert_int_equal(unlink(BELOW_SERVER "user.gpg"), 0);
    assert_recorded(true, "user.gpg");
    assert_string_equal(git("store", "log", "-1", "--format=%s", "--name-status", NULL),
                        "Remove " SUBJECT " from store.\n\nD\t" SUBJECT ".gpg\n");
    assert_string_equal(git("store", "status", "--porcelain", NULL), "A  other.gpg\n");
}

static void unchanged_entries_are_not_committed(void **state)
{
    (void)state;
    make_repository("store");
    make_file(BELOW_SERVER "user.gpg", "secret");
    assert_recorded(false, "user.gpg");
    assert_recorded(false, "user.gpg");
    assert_recorded(true, "was-never-there.gpg");
    assert_string_equal(git("store", "rev-list", "--count", "HEAD", NULL), "1\n");
}

static void the_innermost_repository_is_used(void **state)
{
    (void)state;
    make_repository("store");
    make_repository("store/" PASS_DIRECTORY);
    make_file(BELOW_SERVER "user.gpg", "secret");
    assert_recorded(false, "user.gpg");
    assert_string_equal(git("store/" PASS_DIRECTORY, "rev-list", "--count", "HEAD", NULL), "1\n");
    assert_string_equal(git("store", "rev-list", "--count", "--all", NULL), "0\n");
}

/* As with pass, git's variables for another repository are ignored. */
static void the_environment_does_not_redirect_git(void **state)
{
    (void)state;
    make_repository("store");
    make_repository("elsewhere");
    make_file(BELOW_SERVER "user.gpg", "secret");
    setenv("GIT_DIR", "../elsewhere/.git", 1);
    setenv("GIT_WORK_TREE", "../elsewhere", 1);
    setenv("GIT_INDEX_FILE", "../elsewhere/index", 1);
    assert_recorded(false, "user.gpg");
    assert_null(getenv("GIT_DIR"));
    assert_string_equal(git("store", "rev-list", "--count", "HEAD", NULL), "1\n");
    assert_string_equal(git("elsewhere", "rev-list", "--count", "--all", NULL), "0\n");
}

static void a_commit_that_fails_says_which_file_and_why(void **state)
{
    struct error err = {0};

    (void)state;
    make_repository("store");
    make_file(BELOW_SERVER "user.gpg", "secret");
    make_file("store/.git/hooks/pre-commit", "#!/bin/sh\necho this repository is closed >&2\nexit 1\n");
    assert_int_equal(chmod("store/.git/hooks/pre-commit", 0700), 0);
    trust("store");
    assert_int_equal(record(false, "user.gpg", &err), -EIO);
    assert_says(&err, SUBJECT ".gpg is changed, but git did not commit it: this repository is closed");
    assert_file_is(BELOW_SERVER "user.gpg", "secret");
}

static void after_a_failure_the_others_are_committed(void **state)
{
    CLEANUP(pass_store_done) struct pass_store store = PASS_STORE_INIT;
    CLEANUP(pass_changes_done) struct pass_changes changes = {0};
    struct error err = {0};

    (void)state;
    make_repository("store");
    make_repository(BELOW_DIRECTORY "YQ==");
    make_file(BELOW_DIRECTORY "YQ==/user.gpg", "a");
    make_file(BELOW_DIRECTORY "YQ==/.git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    assert_int_equal(chmod(BELOW_DIRECTORY "YQ==/.git/hooks/pre-commit", 0700), 0);
    trust(BELOW_DIRECTORY "YQ==");
    make_file(BELOW_SERVER "user.gpg", "b");
    store = open_store();
    assert_int_equal(pass_changes_add(&changes, false, "YQ==", "user.gpg"), 0);
    assert_int_equal(pass_changes_add(&changes, false, SERVER, "user.gpg"), 0);
    assert_int_equal(pass_git_record(&store, &changes, &err), -EIO);
    assert_says(&err, "YQ==/user.gpg");
    assert_string_equal(git("store", "log", "--format=%s", NULL), "Add given password for " SUBJECT " to store.\n");
}

/* A username is not a pattern: otherwise removing an untracked "*" would remove every entry. */
static void a_username_of_wildcards_is_taken_literally(void **state)
{
    (void)state;
    make_repository("store");
    make_file(BELOW_SERVER "user.gpg", "secret");
    assert_recorded(false, "user.gpg");
    assert_recorded(true, "*.gpg");
    assert_recorded(true, "[u]ser.gpg");
    assert_string_equal(git("store", "ls-files", NULL), PASS_DIRECTORY "/" SERVER "/user.gpg\n");
    make_file(BELOW_SERVER "*.gpg", "another");
    assert_recorded(false, "*.gpg");
    assert_string_equal(git("store", "log", "-1", "--format=", "--name-only", NULL), PASS_DIRECTORY "/" SERVER "/*.gpg\n");
}

/*
 * The files of a bare repository can be committed into a store. git in their directory would use its configuration, and
 * run the program that it names.
 */
static void a_directory_that_looks_like_a_repository_is_not_used(void **state)
{
    (void)state;
    make_repository("store");
    make_file(BELOW_SERVER "HEAD", "ref: refs/heads/main\n");
    make_directory(BELOW_SERVER "objects");
    make_directory(BELOW_SERVER "refs");
    make_file(BELOW_SERVER "config",
              "[core]\n\trepositoryformatversion = 0\n\tworktree = .\n\tfsmonitor = \"touch was-run; false\"\n");
    make_file(BELOW_SERVER "user.gpg", "secret");
    assert_recorded(false, "user.gpg");
    assert_string_equal(git("store", "ls-files", NULL), PASS_DIRECTORY "/" SERVER "/user.gpg\n");
    assert_is_absent(BELOW_SERVER "was-run");
    assert_is_absent("was-run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        git_test(without_a_repository_nothing_is_done),
        git_test(a_repository_above_the_store_is_not_used),
        git_test(an_entry_and_its_removal_are_one_commit_each),
        git_test(unchanged_entries_are_not_committed),
        git_test(the_innermost_repository_is_used),
        git_test(the_environment_does_not_redirect_git),
        git_test(a_commit_that_fails_says_which_file_and_why),
        git_test(a_username_of_wildcards_is_taken_literally),
        git_test(a_directory_that_looks_like_a_repository_is_not_used),
        git_test(after_a_failure_the_others_are_committed),
    };

    return cmocka_run_group_tests_name("git", tests, NULL, NULL);
}
