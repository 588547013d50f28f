/*
 * The system-call filter on other architectures. The BPF program is generated for each architecture, and interpreted for
 * the calls that C libraries make there and for calls of an attacker.
 */
#include "registry/confine/calls.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"

enum { PROGRAM_MAX = 4096, PID = 4321, CALLS_MAX = 40 };

#define ERRNO(code) (SECCOMP_RET_ERRNO | (code))

struct machine {
    const char *name;
    uint32_t architecture;   /* libseccomp's, which is the kernel's AUDIT_ARCH_... */
    const char *made[CALLS_MAX]; /* calls of C libraries that exist or have this name only there */
};

static const struct machine machines[] = {
    {"x86_64", SCMP_ARCH_X86_64,
     {"newfstatat", "open", "stat", "lstat", "access", "poll", "epoll_wait", "fadvise64", "sendfile", "time", "mkdir",
      "unlink", "rename", "sync_file_range"}},
    {"aarch64", SCMP_ARCH_AARCH64,
     {"newfstatat", "ppoll", "pselect6", "epoll_pwait", "fadvise64", "sendfile", "mkdirat", "unlinkat", "renameat", "linkat",
      "faccessat", "sync_file_range"}},
    {"riscv64", SCMP_ARCH_RISCV64,
     {"newfstatat", "ppoll", "pselect6", "epoll_pwait", "fadvise64", "sendfile", "mkdirat", "unlinkat", "renameat2", "linkat",
      "faccessat", "sync_file_range"}},
    {"arm", SCMP_ARCH_ARM,
     {"fstat64", "lstat64", "stat64", "fstatat64", "_llseek", "fcntl64", "ftruncate64", "statfs64", "fstatfs64", "sendfile64",
      "arm_fadvise64_64", "arm_sync_file_range", "getuid32", "geteuid32", "getgid32", "getegid32", "_newselect", "recv", "send",
      "sigreturn", "futex_time64", "clock_gettime64", "clock_getres_time64", "clock_nanosleep_time64", "ppoll_time64",
      "pselect6_time64", "rt_sigtimedwait_time64", "utimensat_time64", "poll", "epoll_wait"}},
    {"i386", SCMP_ARCH_X86,
     {"fstat64", "lstat64", "stat64", "fstatat64", "_llseek", "fcntl64", "ftruncate64", "statfs64", "fstatfs64", "sendfile64",
      "fadvise64_64", "sync_file_range", "getuid32", "geteuid32", "getgid32", "getegid32", "_newselect", "sigreturn",
      "futex_time64", "clock_gettime64", "clock_getres_time64", "clock_nanosleep_time64", "ppoll_time64", "pselect6_time64",
      "rt_sigtimedwait_time64", "utimensat_time64", "poll", "time"}},
    {"ppc64el", SCMP_ARCH_PPC64LE, {"newfstatat", "poll", "epoll_wait", "fadvise64", "sendfile", "sync_file_range2"}},
};

/* Calls of C libraries and of the server on all architectures. */
static const char *const made_everywhere[] = {
    "read", "pread64", "readv", "write", "pwrite64", "writev", "close", "openat", "openat2", "faccessat2", "statx", "getdents64",
    "readlinkat", "fsync", "fdatasync", "fallocate", "flock", "umask", "dup3", "accept4", "recvfrom", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername", "epoll_create1", "epoll_ctl", "eventfd2",
    "pipe2", "futex", "clock_nanosleep", "restart_syscall", "brk", "munmap", "mremap", "madvise", "mlock", "munlock",
    "set_robust_list", "rseq", "sched_getaffinity", "membarrier", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigtimedwait", "exit", "exit_group", "getpid", "gettid", "clock_gettime", "getrandom",
};

static const char *const deadly_everywhere[] = {
    "execve", "execveat", "ptrace", "process_vm_readv", "bpf", "mount", "unshare", "setns", "setuid", "setgid", "setresuid",
    "setgroups", "init_module", "io_uring_setup", "keyctl", "userfaultfd", "perf_event_open", "open_by_handle_at", "capset",
};
static const char *const deadly_with_32_bits[] = {"setuid32", "setgid32", "setresuid32", "setresgid32", "setgroups32"};

static const char *const refused_everywhere[] = {
    "socket", "connect", "bind", "listen", "socketpair", "kill", "tkill", "symlinkat", "mknodat", "fchmodat", "fchownat",
    "memfd_create", "process_madvise", "pidfd_open", "seccomp", "landlock_restrict_self", "setsid", "wait4", "shmget",
    "personality", "open_tree", "fsopen", "splice", "chdir", "fchmod", "vfork", "fork", "futex_waitv",
};

struct program {
    struct sock_filter instructions[PROGRAM_MAX];
    size_t count;
};

static void make_program_for(const struct machine *machine, const struct confinement *confinement,
                             struct program *ret)
{
    FILE *file = tmpfile();
    struct error err;

    assert_non_null(file);
    if (confine_export_calls(machine->architecture, PID, confinement, fileno(file), &err) < 0)
        fail_msg("%s: %s", machine->name, err.text);
    rewind(file);
    ret->count = fread(ret->instructions, sizeof(*ret->instructions), PROGRAM_MAX, file);
    assert_true(ret->count > 0 && ret->count < PROGRAM_MAX);
    fclose(file);
}

static void make_program(const struct machine *machine, struct program *ret)
{
    make_program_for(machine, &(const struct confinement){0}, ret);
}

static uint32_t load_word(const struct seccomp_data *data, uint32_t offset)
{
    uint32_t word;

    assert_true(offset % 4 == 0 && offset + 4 <= sizeof(*data));
    memcpy(&word, (const char *)data + offset, sizeof(word));
    return word;
}

static bool is_true(const struct sock_filter *at, uint32_t a)
{
    switch (BPF_OP(at->code)) {
    case BPF_JEQ:
        return a == at->k;
    case BPF_JGT:
        return a > at->k;
    case BPF_JGE:
        return a >= at->k;
    case BPF_JSET:
        return a & at->k;
    default:
        fail_msg("jump %#x", at->code);
        return false;
    }
}

/* Interprets the program as the kernel does. */
static uint32_t run_program(const struct program *program, const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t i = 0; i < program->count; i++) {
        const struct sock_filter *at = &program->instructions[i];

        if (at->code == (BPF_LD | BPF_W | BPF_ABS))
            a = load_word(data, at->k);
        else if (at->code == (BPF_ALU | BPF_AND | BPF_K))
            a &= at->k;
        else if (at->code == (BPF_JMP | BPF_JA))
            i += at->k;
        else if (BPF_CLASS(at->code) == BPF_JMP)
            i += is_true(at, a) ? at->jt : at->jf;
        else if (at->code == (BPF_RET | BPF_K))
            return at->k;
        else
            fail_msg("instruction %#x", at->code);
    }
    fail_msg("the program has no end");
    return 0;
}

static uint32_t ask(const struct machine *machine, const struct program *program, const char *name, unsigned argument,
                    uint64_t value)
{
    struct seccomp_data data = {
        .nr = seccomp_syscall_resolve_name_arch(machine->architecture, name),
        .arch = machine->architecture,
    };

    data.args[argument] = value;
    return run_program(program, &data);
}

static bool has_call(const struct machine *machine, const char *name)
{
    return seccomp_syscall_resolve_name_arch(machine->architecture, name) >= 0;
}

/* must_exist: a misspelled name would test nothing. */
static void expect_all(const struct machine *machine, const struct program *program, const char *const *names, size_t count,
                       bool must_exist, uint32_t wanted)
{
    for (size_t i = 0; i < count && names[i]; i++) {
        uint32_t found;

        if (!has_call(machine, names[i])) {
            assert_case(names[i], !must_exist);
            continue;
        }
        found = ask(machine, program, names[i], 0, 0);
        if (found != wanted)
            fail_msg("%s on %s: %#x, not %#x", names[i], machine->name, found, wanted);
    }
}

#define EXPECT_ALL(names, must_exist, wanted) expect_all(machine, &program, names, ARRAY_SIZE(names), must_exist, wanted)

static void calls_of_the_server_are_allowed_and_those_of_attackers_are_not(void **state)
{
    static struct program program;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        const struct machine *machine = &machines[i];

        make_program(machine, &program);
        EXPECT_ALL(machine->made, true, SECCOMP_RET_ALLOW);
        EXPECT_ALL(made_everywhere, false, SECCOMP_RET_ALLOW);
        EXPECT_ALL(deadly_everywhere, true, SECCOMP_RET_KILL_PROCESS);
        EXPECT_ALL(deadly_with_32_bits, false, SECCOMP_RET_KILL_PROCESS);
        EXPECT_ALL(refused_everywhere, false, ERRNO(EPERM));
    }
}

static void expect(const struct machine *machine, const struct program *program, const char *call, unsigned argument,
                   uint64_t value, uint32_t wanted)
{
    uint32_t found = ask(machine, program, call, argument, value);

    if (found != wanted)
        fail_msg("%s(%#llx) on %s: %#x, not %#x", call, (unsigned long long)value, machine->name, found, wanted);
}

#define EXPECT(call, argument, value, wanted) expect(machine, &program, call, argument, value, wanted)

static void arguments_are_checked(void **state)
{
    static struct program program;
    const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        const struct machine *machine = &machines[i];
        const char *map = has_call(machine, "mmap2") ? "mmap2" : "mmap";

        make_program(machine, &program);
        EXPECT("clone3", 0, 0, ERRNO(ENOSYS));
        EXPECT("clone", 0, thread, SECCOMP_RET_ALLOW);
        EXPECT("clone", 0, SIGCHLD, ERRNO(EPERM));
        EXPECT("clone", 0, CLONE_VM | CLONE_VFORK | SIGCHLD, ERRNO(EPERM));
        EXPECT(map, 2, PROT_READ | PROT_WRITE, SECCOMP_RET_ALLOW);
        EXPECT(map, 2, PROT_READ | PROT_EXEC, ERRNO(EPERM));
        EXPECT("mprotect", 2, PROT_READ | PROT_WRITE, SECCOMP_RET_ALLOW);
        EXPECT("mprotect", 2, PROT_EXEC, ERRNO(EPERM));
        if (has_call(machine, "sendto")) { /* on i386 it is part of socketcall */
            EXPECT("sendto", 4, 0, SECCOMP_RET_ALLOW);
            EXPECT("sendto", 4, 4096, ERRNO(EPERM));
            EXPECT("sendmsg", 0, 0, ERRNO(EPERM));
        }
        EXPECT("prctl", 0, PR_SET_NAME, SECCOMP_RET_ALLOW);
        EXPECT("prctl", 0, PR_SET_DUMPABLE, ERRNO(EPERM));
        EXPECT("tgkill", 0, PID, SECCOMP_RET_ALLOW);
        EXPECT("tgkill", 0, 1, ERRNO(EPERM));
        EXPECT("prlimit64", 2, 0, SECCOMP_RET_ALLOW);
        EXPECT("prlimit64", 2, 4096, ERRNO(EPERM));
    }
}

/* With a bucket the server opens connections, and resolves names. */
static void a_process_that_connects_has_sockets_of_the_internet_only(void **state)
{
    static struct program program;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        const struct machine *machine = &machines[i];

        make_program_for(machine, &(const struct confinement){.ports = {443}}, &program);
        EXPECT_ALL(machine->made, true, SECCOMP_RET_ALLOW);
        EXPECT_ALL(deadly_everywhere, true, SECCOMP_RET_KILL_PROCESS);
        if (!has_call(machine, "socket"))
            continue;
        EXPECT("socket", 0, AF_INET, SECCOMP_RET_ALLOW);
        EXPECT("socket", 0, AF_INET6, SECCOMP_RET_ALLOW);
        EXPECT("socket", 0, AF_UNIX, ERRNO(EPERM));
        EXPECT("socket", 0, AF_NETLINK, ERRNO(EPERM));
        EXPECT("socketpair", 0, AF_UNIX, SECCOMP_RET_ALLOW);
        EXPECT("connect", 0, 0, SECCOMP_RET_ALLOW);
        EXPECT("bind", 0, 0, ERRNO(EPERM));
        EXPECT("listen", 0, 0, ERRNO(EPERM));
    }
}

/* socketcall is one call for all socket operations. The arguments of mmap are in memory, which a filter cannot read. */
static void i386_has_special_calls(void **state)
{
    enum { SYS_SOCKET = 1, SYS_CONNECT = 3, SYS_SENDTO = 11, SYS_RECVFROM = 12, SYS_ACCEPT4 = 18 };
    static const struct machine machine_of_32_bits = {"i386", SCMP_ARCH_X86, {NULL}};
    const struct machine *machine = &machine_of_32_bits;
    static struct program program;

    (void)state;
    make_program(machine, &program);
    EXPECT("socketcall", 0, SYS_ACCEPT4, SECCOMP_RET_ALLOW);
    EXPECT("socketcall", 0, SYS_SENDTO, SECCOMP_RET_ALLOW);
    EXPECT("socketcall", 0, SYS_RECVFROM, SECCOMP_RET_ALLOW);
    EXPECT("socketcall", 0, SYS_SOCKET, ERRNO(EPERM));
    EXPECT("socketcall", 0, SYS_CONNECT, ERRNO(EPERM));
    EXPECT("mmap", 2, 0, ERRNO(EPERM));
}

/* An x86-64 process can make i386's calls, whose numbers mean something else. */
static void a_call_of_another_architecture_kills_the_process(void **state)
{
    struct seccomp_data data = {.nr = 0, .arch = SCMP_ARCH_X86};
    static struct program program;
    uint32_t found;

    (void)state;
    make_program(&machines[0], &program);
    found = run_program(&program, &data);
    assert_true(found == SECCOMP_RET_KILL_THREAD || found == SECCOMP_RET_KILL_PROCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_the_server_are_allowed_and_those_of_attackers_are_not),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(a_process_that_connects_has_sockets_of_the_internet_only),
        cmocka_unit_test(i386_has_special_calls),
        cmocka_unit_test(a_call_of_another_architecture_kills_the_process),
    };

    return cmocka_run_group_tests_name("confine-calls", tests, NULL, NULL);
}
