/*
 * seccomp: which system calls there are for the server. What it needs is listed, with its arguments where they make the
 * difference: no memory that can be run, no process (a thread is one that shares everything), no new socket. The rest
 * is refused with EPERM, as a kernel without it would, since a C library tries this and that. What only somebody would
 * call who has taken over ends the process.
 */
#include "registry/confine/confine-private.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)

enum { API_KILL_PROCESS = 3 }; /* libseccomp's level of what the kernel has */

static const int allowed[] = {
    /* bytes */
    CALL(read), CALL(pread64), CALL(readv), CALL(preadv), CALL(write), CALL(pwrite64), CALL(writev), CALL(pwritev),
    CALL(sendfile), CALL(lseek), CALL(close),
    /* files, of which Landlock says where */
    CALL(open), CALL(openat), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(stat), CALL(lstat), CALL(fstat),
    CALL(newfstatat), CALL(statx), CALL(statfs), CALL(fstatfs), CALL(readlink), CALL(readlinkat), CALL(getdents64),
    CALL(mkdir), CALL(mkdirat), CALL(rmdir), CALL(unlink), CALL(unlinkat), CALL(rename), CALL(renameat), CALL(renameat2),
    CALL(link), CALL(linkat), CALL(fsync), CALL(fdatasync), CALL(sync_file_range), CALL(ftruncate), CALL(fallocate),
    CALL(fadvise64), CALL(utimensat), CALL(flock), CALL(fcntl), CALL(umask), CALL(dup), CALL(dup3),
    /* sockets that are there, and those that come from them */
    CALL(accept), CALL(accept4), CALL(recvfrom), CALL(recvmsg), CALL(sendto), CALL(sendmsg), CALL(shutdown),
    CALL(getsockopt), CALL(setsockopt), CALL(getsockname), CALL(getpeername),
    /* waiting */
    CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(poll), CALL(ppoll), CALL(select),
    CALL(pselect6), CALL(eventfd2), CALL(pipe2), CALL(futex), CALL(nanosleep), CALL(clock_nanosleep), CALL(restart_syscall),
    CALL(sched_yield),
    /* memory */
    CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(mlock2), CALL(munlock),
    /* threads, signals and their end */
    CALL(set_robust_list), CALL(rseq), CALL(sched_getaffinity), CALL(membarrier), CALL(rt_sigaction), CALL(rt_sigprocmask),
    CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(exit), CALL(exit_group),
    /* who and when */
    CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getpriority), CALL(getrusage),
    CALL(sysinfo), CALL(uname), CALL(times), CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time),
    CALL(getrandom),
};

static const int deadly[] = {
    CALL(execve), CALL(execveat), CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(bpf), CALL(mount),
    CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(setns), CALL(unshare), CALL(init_module), CALL(finit_module),
    CALL(delete_module), CALL(kexec_load), CALL(kexec_file_load), CALL(perf_event_open), CALL(userfaultfd),
    CALL(open_by_handle_at), CALL(io_uring_setup), CALL(add_key), CALL(request_key), CALL(keyctl), CALL(setuid),
    CALL(setgid), CALL(setreuid), CALL(setregid), CALL(setresuid), CALL(setresgid), CALL(setgroups), CALL(capset),
    CALL(reboot), CALL(swapon), CALL(swapoff), CALL(iopl), CALL(ioperm),
};

/* A call that is allowed where one of its arguments, under a mask, is this. */
static const struct {
    int call;
    unsigned argument;
    scmp_datum_t mask, value;
} conditions[] = {
    {CALL(mmap), 2, PROT_EXEC, 0},
    {CALL(mprotect), 2, PROT_EXEC, 0},
    {CALL(clone), 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM},
    {CALL(prctl), 0, ~(scmp_datum_t)0, PR_SET_NAME},
    {CALL(prlimit64), 2, ~(scmp_datum_t)0, 0}, /* to look */
    {CALL(setpriority), 0, ~(scmp_datum_t)0, PRIO_PROCESS},
    {CALL(ioctl), 1, 0xffffffff, SIOCINQ},
    {CALL(ioctl), 1, 0xffffffff, SIOCOUTQ},
    {CALL(ioctl), 1, 0xffffffff, FIONBIO},
};

static int add_conditions(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(tgkill), 1,
                             SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0xffffffff, (scmp_datum_t)getpid()));

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(conditions); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, conditions[i].call, 1,
                             SCMP_CMP(conditions[i].argument, SCMP_CMP_MASKED_EQ, conditions[i].mask, conditions[i].value));
    return r;
}

/* clone3 has its flags where a filter cannot look; without it the C library takes clone. */
static int add_rules(scmp_filter_ctx filter)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    /* A kernel before 4.14 would end the thread alone: there they are refused as the others are. */
    for (size_t i = 0; r == 0 && seccomp_api_get() >= API_KILL_PROCESS && i < ARRAY_SIZE(deadly); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    return r < 0 ? r : add_conditions(filter);
}

static int load(scmp_filter_ctx filter, struct error *err)
{
    int r = add_rules(filter);

    if (r < 0)
        return error_set_errno(err, -r, "seccomp: cannot make a filter");
    r = seccomp_load(filter);
    if (r == -EINVAL || r == -ENOSYS || r == -ECANCELED)
        return CONFINE_ABSENT;
    return r < 0 ? error_set_errno(err, -r, "seccomp: cannot put the filter in force") : 0;
}

int confine_calls(struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r;

    if (!filter)
        return error_set_oom(err);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary search, not a list */
    r = load(filter, err);
    seccomp_release(filter);
    return r;
}
