/*
 * Builds the seccomp filter, which decides which system calls registryd can make. It lists the
 * allowed calls and, where necessary, their arguments: no executable memory, no new process (only
 * threads), no new socket unless it opens connections. All other calls fail with EPERM, because a C
 * library may try a call and have a fallback. Calls that only an attacker makes end the process.
 *
 * Calls are listed by name, because architectures have different calls (missing names are skipped),
 * and because a C library may define a name as a macro (musl: pread64). docs/system-calls.md says
 * where each name comes from.
 */
#include "registry/confine/calls.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "registry/confine/confine-private.h"

enum { API_KILL_PROCESS = 3 }; /* libseccomp's number for kernels that can end a process */

static const char *const allowed[] = {
    /* bytes */
    "read",
    "pread64",
    "readv",
    "preadv",
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "sendfile",
    "sendfile64",
    "lseek",
    "_llseek",
    "close",
    /* files; Landlock decides which ones */
    "open",
    "openat",
    "openat2",
    "access",
    "faccessat",
    "faccessat2",
    "stat",
    "lstat",
    "fstat",
    "stat64",
    "lstat64",
    "fstat64",
    "newfstatat",
    "fstatat64",
    "statx",
    "statfs",
    "fstatfs",
    "statfs64",
    "fstatfs64",
    "readlink",
    "readlinkat",
    "getdents64",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "sync_file_range2",
    "arm_sync_file_range",
    "ftruncate",
    "ftruncate64",
    "fallocate",
    "fadvise64",
    "fadvise64_64",
    "arm_fadvise64_64",
    "utimensat",
    "utimensat_time64",
    "flock",
    "fcntl",
    "fcntl64",
    "umask",
    "dup",
    "dup3",
    /* existing sockets, and connections accepted from them */
    "accept",
    "accept4",
    "recv",
    "recvfrom",
    "send",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    /* waiting */
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "_newselect",
    "pselect6",
    "pselect6_time64",
    "eventfd2",
    "pipe2",
    "futex",
    "futex_time64",
    "nanosleep",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "restart_syscall",
    "sched_yield",
    /* memory */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "mlock",
    "mlock2",
    "munlock",
    /* threads, signals and their end */
    "set_robust_list",
    "rseq",
    "sched_getaffinity",
    "membarrier",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigreturn",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "sigaltstack",
    "exit",
    "exit_group",
    /* identity and time */
    "getpid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getuid32",
    "geteuid32",
    "getgid32",
    "getegid32",
    "getpriority",
    "getrusage",
    "sysinfo",
    "uname",
    "times",
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_getres_time64",
    "gettimeofday",
    "time",
    "getrandom",
};

static const char *const deadly[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "bpf",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "setns",
    "unshare",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "perf_event_open",
    "userfaultfd",
    "open_by_handle_at",
    "io_uring_setup",
    "add_key",
    "request_key",
    "keyctl",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setuid32",
    "setgid32",
    "setreuid32",
    "setregid32",
    "setresuid32",
    "setresgid32",
    "setgroups32",
    "capset",
    "reboot",
    "swapon",
    "swapoff",
    "iopl",
    "ioperm",
};

/* A call that is allowed if one of its arguments, under a mask, has this value. */
static const struct condition {
    const char *call;
    unsigned argument;
    scmp_datum_t mask, value;
} conditions[] = {
    {"mmap", 2, PROT_EXEC, 0},
    {"mmap2", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
    {"clone", 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM},
    /* no address: with one, and MSG_FASTOPEN, it would connect */
    {"sendto", 4, ~(scmp_datum_t)0, 0},
    {"prctl", 0, ~(scmp_datum_t)0, PR_SET_NAME},
    {"prlimit64", 2, ~(scmp_datum_t)0, 0}, /* only to read a limit */
    {"setpriority", 0, ~(scmp_datum_t)0, PRIO_PROCESS},
    {"ioctl", 1, 0xffffffff, SIOCINQ},
    {"ioctl", 1, 0xffffffff, SIOCOUTQ},
    {"ioctl", 1, 0xffffffff, FIONBIO},
};

/* Only for a process that opens connections and resolves names; Landlock says to which ports. */
static const char *const connecting[] = {"connect", "sendmsg", "sendmmsg", "recvmsg"};

static const struct condition sockets[] = {
    {"socket", 0, 0xffffffff, AF_INET},
    {"socket", 0, 0xffffffff, AF_INET6},
    {"socketpair", 0, 0xffffffff, AF_UNIX},
};

/* The filter that is being built, and its target. */
struct calls {
    scmp_filter_ctx filter;
    uint32_t architecture;
    pid_t pid;
    bool can_kill_process;
    bool may_connect;
};

/*
 * i386's mmap takes a pointer to its arguments, which a filter cannot follow; C libraries call
 * mmap2 there.
 */
static bool hides_arguments(const struct calls *calls, const char *name)
{
    return calls->architecture == SCMP_ARCH_X86 && strcmp(name, "mmap") == 0;
}

/* On s390x the stack is the first argument. */
static unsigned find_argument(const struct calls *calls, const struct condition *condition)
{
    bool is_swapped =
        calls->architecture == SCMP_ARCH_S390X && strcmp(condition->call, "clone") == 0;

    return is_swapped ? 1 : condition->argument;
}

/*
 * Skips a name that this libseccomp does not know, or that the filter's architecture does not have.
 */
static int add(const struct calls *calls, uint32_t action, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(calls->filter, action, number, 0);
}

/* On i386 socketcall replaces all socket calls, and a filter can only check which one it is. */
static bool is_multiplexed(const struct calls *calls, const char *name)
{
    return calls->architecture == SCMP_ARCH_X86 &&
           (strcmp(name, "sendto") == 0 || strncmp(name, "socket", strlen("socket")) == 0);
}

static int add_condition(const struct calls *calls, const struct condition *condition)
{
    int number = seccomp_syscall_resolve_name(condition->call);

    if (number == __NR_SCMP_ERROR || hides_arguments(calls, condition->call))
        return 0;
    if (is_multiplexed(calls, condition->call))
        return seccomp_rule_add(calls->filter, SCMP_ACT_ALLOW, number, 0);
    return seccomp_rule_add(calls->filter, SCMP_ACT_ALLOW, number, 1,
                            SCMP_CMP(find_argument(calls, condition), SCMP_CMP_MASKED_EQ,
                                     condition->mask, condition->value));
}

/*
 * A filter cannot check the flags of clone3, because they are in memory. If clone3 is missing, the
 * C library calls clone.
 */
static int add_rules(const struct calls *calls)
{
    const struct condition own_threads = {"tgkill", 0, 0xffffffff, (scmp_datum_t)calls->pid};
    int r = add(calls, SCMP_ACT_ERRNO(ENOSYS), "clone3");

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++)
        r = add(calls, SCMP_ACT_ALLOW, allowed[i]);
    /*
     * Before version 4.14, the kernel can end only the thread: there these calls fail like all
     * others.
     */
    for (size_t i = 0; r == 0 && calls->can_kill_process && i < ARRAY_SIZE(deadly); i++)
        r = add(calls, SCMP_ACT_KILL_PROCESS, deadly[i]);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(conditions); i++)
        r = add_condition(calls, &conditions[i]);
    for (size_t i = 0; r == 0 && calls->may_connect && i < ARRAY_SIZE(connecting); i++)
        r = add(calls, SCMP_ACT_ALLOW, connecting[i]);
    for (size_t i = 0; r == 0 && calls->may_connect && i < ARRAY_SIZE(sockets); i++)
        r = add_condition(calls, &sockets[i]);
    return r < 0 ? r : add_condition(calls, &own_threads);
}

static int make_filter(struct calls *calls, struct error *err)
{
    int r = 0;

    calls->filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!calls->filter)
        return error_set_oom(err);
    /* binary search instead of linear */
    seccomp_attr_set(calls->filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (calls->architecture != seccomp_arch_native())
        r = seccomp_arch_add(calls->filter, calls->architecture);
    if (r == 0 && calls->architecture != seccomp_arch_native())
        r = seccomp_arch_remove(calls->filter, SCMP_ARCH_NATIVE);
    if (r == 0)
        r = add_rules(calls);
    return r < 0 ? error_set_errno(err, -r, "seccomp: cannot make a filter") : 0;
}

static int load(const struct calls *calls, struct error *err)
{
    int r = seccomp_load(calls->filter);

    if (r == -EINVAL || r == -ENOSYS || r == -ECANCELED)
        return CONFINE_ABSENT;
    return r < 0 ? error_set_errno(err, -r, "seccomp: cannot enable the filter") : 0;
}

int confine_calls_of_tool(struct error *err)
{
    static const char *const network[] = {"socket", "socketcall", "connect", "bind",
                                          "listen", "accept",     "accept4"};
    struct calls calls = {.filter = seccomp_init(SCMP_ACT_ALLOW)};
    int r = 0;

    if (!calls.filter)
        return error_set_oom(err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(deadly); i++)
        r = add(&calls, SCMP_ACT_ERRNO(EPERM), deadly[i]);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(network); i++)
        r = add(&calls, SCMP_ACT_ERRNO(EPERM), network[i]);
    r = r < 0 ? error_set_errno(err, -r, "seccomp: cannot make a filter") : load(&calls, err);
    seccomp_release(calls.filter);
    return r;
}

int confine_calls(const struct confinement *confinement, struct error *err)
{
    struct calls calls = {
        .architecture = seccomp_arch_native(),
        .pid = getpid(),
        .can_kill_process = seccomp_api_get() >= API_KILL_PROCESS,
        .may_connect = confine_may_connect(confinement),
    };
    int r = make_filter(&calls, err);

    if (r == 0)
        r = load(&calls, err);
    seccomp_release(calls.filter);
    return r;
}

int confine_export_calls(uint32_t architecture, pid_t pid,
                         const struct confinement *confinement, int fd, struct error *err)
{
    struct calls calls = {.architecture = architecture,
                          .pid = pid,
                          .can_kill_process = true,
                          .may_connect = confine_may_connect(confinement)};
    int r = make_filter(&calls, err);

    if (r == 0) {
        r = seccomp_export_bpf(calls.filter, fd);
        r = r < 0 ? error_set_errno(err, -r, "seccomp: cannot write the filter") : 0;
    }
    seccomp_release(calls.filter);
    return r;
}
