/* Each test confines a child process, which then tries an attacker's actions. */
#include "registry/confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

/* The child's actions: returns 0 if all have the expected result, or the line number of the first failure. */
typedef int attempt(void);

#define MUST(condition)      \
    do {                     \
        if (!(condition))    \
            return __LINE__; \
    } while (0)

#define REFUSED(call, code) ((call) < 0 && errno == (code))

static int confine_and_try(attempt *try)
{
    static const char *const files[] = {"auth/htpasswd", NULL, "certs/live/key"};
    struct confinement confinement = {.storage = "data", .cache = "cache", .files = files, .file_count = ARRAY_SIZE(files)};
    struct error err = {0};

    if (confine_identity(&confinement, &err) < 0 || confine_rest(&confinement, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return try();
}

static void lay_out(void)
{
    make_directory("data/docker/registry/v2");
    make_file("data/there", "there");
    make_file("cache/there", "there");
    make_file("auth/htpasswd", "me:hash");
    make_file("certs/archive/key1", "key");
    make_directory("certs/live");
    make_link("certs/live/key", "../archive/key1");
    make_file("secret", "secret");
    make_link("data/way-out", "../secret");
    make_file("elsewhere/there", "secret");
    make_link("data/directory-out", "../elsewhere");
}

/* A user-mode emulator (qemu-aarch64) supports neither Landlock nor seccomp. */
static bool has_confinement(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* its version */) >= 2 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static void need_confinement(void)
{
    if (!confine_is_sanitized() && !has_confinement())
        skip();
}

/* Returns the child's status from waitpid(); 0 under a sanitizer, where nothing can be tested. */
static int status_of(attempt *try)
{
    pid_t child;
    int status = 0;

    if (confine_is_sanitized())
        return 0;
    if (access("data", F_OK) < 0)
        lay_out();
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(confine_and_try(try));
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void run_attempt(attempt *try)
{
    int status;

    need_confinement();
    status = status_of(try);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("line %d of the child's actions (signal %d)", WEXITSTATUS(status), WTERMSIG(status));
}

/* --- files ------------------------------------------------------------------------------- */

static int use_the_storage(void)
{
    int fd = open("data/new", O_RDWR | O_CREAT | O_EXCL, 0600);
    char text[8];

    MUST(fd >= 0 && write(fd, "bytes", 5) == 5 && fsync(fd) == 0 && ftruncate(fd, 3) == 0);
    MUST(mkdir("data/directory", 0700) == 0 && rename("data/new", "data/directory/moved") == 0);
    MUST(link("data/directory/moved", "data/linked") == 0 && unlink("data/linked") == 0);
    MUST(pread(fd, text, sizeof(text), 0) == 3 && close(fd) == 0);
    MUST(unlink("data/directory/moved") == 0 && rmdir("data/directory") == 0);
    return 0;
}

static void the_storage_can_be_used(void **state)
{
    (void)state;
    run_attempt(use_the_storage);
}

static int use_the_cache(void)
{
    int fd = open("cache/new", O_RDWR | O_CREAT | O_EXCL, 0600);

    MUST(fd >= 0 && write(fd, "bytes", 5) == 5 && close(fd) == 0);
    MUST(rename("cache/new", "cache/there") == 0 && access("cache", R_OK) == 0);
    MUST(open("cache/there", O_RDONLY) >= 0 && unlink("cache/there") == 0);
    MUST(REFUSED(mkdir("cache/directory", 0700), EACCES));
    MUST(REFUSED(symlink("../secret", "cache/link"), EPERM) || errno == EACCES);
    MUST(REFUSED(rename("data/there", "cache/there"), EACCES) || errno == EXDEV);
    return 0;
}

static void files_of_the_cache_can_be_written_and_removed(void **state)
{
    (void)state;
    run_attempt(use_the_cache);
}

/* The files that it reads may be replaced by new files. */
static int read_the_files(void)
{
    MUST(open("auth/htpasswd", O_RDONLY) >= 0);
    MUST(open("auth/new", O_RDONLY) >= 0);
    MUST(open("certs/live/key", O_RDONLY) >= 0);
    MUST(open("certs/archive/key2", O_RDONLY) >= 0);
    MUST(REFUSED(open("auth/htpasswd", O_WRONLY), EACCES));
    MUST(REFUSED(unlink("auth/htpasswd"), EACCES));
    MUST(REFUSED(open("auth/more", O_WRONLY | O_CREAT, 0600), EACCES));
    return 0;
}

static void files_can_be_read_and_not_changed(void **state)
{
    (void)state;
    make_file("auth/new", "new");
    make_file("certs/archive/key2", "key");
    run_attempt(read_the_files);
}

static int leave_the_storage(void)
{
    MUST(REFUSED(open("secret", O_RDONLY), EACCES));
    MUST(REFUSED(open("data/way-out", O_RDONLY), EACCES));
    MUST(REFUSED(open("data/../secret", O_RDONLY), EACCES));
    MUST(REFUSED(open("data/directory-out/there", O_RDONLY), EACCES));
    MUST(REFUSED(open("data/directory-out/new", O_WRONLY | O_CREAT, 0600), EACCES));
    MUST(REFUSED(rename("data/there", "elsewhere/stolen"), EACCES) || errno == EXDEV);
    MUST(REFUSED(open("/etc/passwd", O_RDONLY), EACCES));
    MUST(REFUSED(open("/proc/self/mem", O_RDWR), EACCES));
    MUST(REFUSED(open("/dev/null", O_RDWR), EACCES));
    return 0;
}

static void nothing_else_can_be_reached(void **state)
{
    (void)state;
    run_attempt(leave_the_storage);
}

/* --- calls ------------------------------------------------------------------------------- */

static void *leave_a_mark(void *mark)
{
    *(int *)mark = 1;
    return NULL;
}

static int start_a_thread(void)
{
    pthread_t thread;
    int mark = 0;

    MUST(pthread_create(&thread, NULL, leave_a_mark, &mark) == 0);
    MUST(pthread_setname_np(thread, "other") != ENOSYS && pthread_join(thread, NULL) == 0 && mark == 1);
    MUST(malloc(100 << 20) != NULL);
    return 0;
}

static void threads_and_memory_allocation_work(void **state)
{
    (void)state;
    run_attempt(start_a_thread);
}

static int do_more_than_serve(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM));
    MUST(REFUSED(socket(AF_UNIX, SOCK_DGRAM, 0), EPERM));
    MUST(REFUSED(fork(), EPERM));
    MUST(REFUSED((int)syscall(SYS_clone3, NULL, 0), ENOSYS));
    MUST(page != MAP_FAILED && REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC), EPERM));
    MUST(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM);
    MUST(REFUSED(kill(getppid(), 0), EPERM));
    MUST(REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), EPERM));
    MUST(REFUSED(chmod("data/there", 04755), EPERM));
    MUST(REFUSED(symlink("/etc/passwd", "data/link"), EPERM));
    MUST(REFUSED(mknod("data/device", S_IFIFO | 0600, 0), EPERM));
    return 0;
}

static void calls_that_no_server_makes_are_refused(void **state)
{
    (void)state;
    run_attempt(do_more_than_serve);
}

static int run_a_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return 0;
}

static int become_root(void)
{
    return setresuid(0, 0, 0) < 0 ? __LINE__ : 0;
}

static int look_into_another(void)
{
    return syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0) < 0 ? __LINE__ : 0;
}

static void calls_that_only_an_attacker_makes_kill_the_process(void **state)
{
    static attempt *const attempts[] = {run_a_program, become_root, look_into_another};

    (void)state;
    need_confinement();
    for (size_t i = 0; i < ARRAY_SIZE(attempts) && !confine_is_sanitized(); i++) {
        int status = status_of(attempts[i]);

        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
}

/* --- capabilities ------------------------------------------------------------------------- */

static int hold_nothing(void)
{
    MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0 && errno == EPERM); /* seccomp refuses this call */
    MUST(REFUSED(open("not-mine", O_RDONLY), EACCES));
    return 0;
}

static void root_has_no_special_privileges(void **state)
{
    (void)state;
    if (getuid() != 0)
        return;
    make_file("not-mine", "secret");
    assert_int_equal(chown("not-mine", 65534, 65534), 0);
    assert_int_equal(chmod("not-mine", 0600), 0);
    run_attempt(hold_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(the_storage_can_be_used),
        scratch_test(files_of_the_cache_can_be_written_and_removed),
        scratch_test(files_can_be_read_and_not_changed),
        scratch_test(nothing_else_can_be_reached),
        scratch_test(threads_and_memory_allocation_work),
        scratch_test(calls_that_no_server_makes_are_refused),
        scratch_test(calls_that_only_an_attacker_makes_kill_the_process),
        scratch_test(root_has_no_special_privileges),
    };

    return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
