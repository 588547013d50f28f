#!/usr/bin/env python3
"""A store or erase that is killed, out of space or without permission loses nothing and leaves nothing behind.

The helper is killed at random moments; SEED=NUMBER in the environment repeats those of an
earlier run, as far as the timing allows. With strace, the helper is also killed at each of
its system calls in turn.
"""

import contextlib
import dataclasses
import json
import os
import random
import re
import resource
import signal
import statistics
import subprocess
import time

from harness import (Sandbox, Skip, assert_refused, case, helper_argv, is_sanitized, is_wrapped, main, need,
                     need_tracing, shared_sandbox)

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
print(f"# SEED={SEED}", flush=True)

URL = "https://example.com"
OLD = "old-" + "o" * 3000 + "-old"
NEW = "new-" + "n" * 3000 + "-new"

# The system calls by which the helper changes files; ? marks those that some architectures do not have.
RENAMES = "?rename,?renameat,?renameat2"
REMOVALS = "?unlink,?unlinkat,?rmdir"
STEPS = f"?mkdir,?mkdirat,{RENAMES},{REMOVALS},fsync,write"
MOST_CALLS = 30

# LeakSanitizer does not work under strace.
UNDER_STRACE = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}

USER = shared_sandbox()
USER.make_store()


def number_of_kills(natively):
    if is_wrapped():
        return max(5, natively // 20)
    return natively // 4 if is_sanitized() else natively


@dataclasses.dataclass
class Interruption:
    """An operation to interrupt. OLD is stored for `me` at the start, unless `before` erases it."""
    action: str
    stdin: bytes
    answers: tuple              # the allowed answers of get afterwards
    erased: bool = False

    def prepare(self, user):
        if self.erased:
            user.erase(URL)


def document(username):
    return json.dumps({"ServerURL": URL, "Username": username, "Secret": NEW}).encode()


REPLACE = Interruption("store", document("me"), (("me", OLD), ("me", NEW)))
FIRST = Interruption("store", document("me"), (None, ("me", NEW)), erased=True)
USER_BEFORE = Interruption("store", document("a"), (("me", OLD), ("a", NEW)))
USER_AFTER = Interruption("store", document("z/z"), (("me", OLD), ("z/z", NEW)))
ERASE = Interruption("erase", URL.encode(), (("me", OLD), None))


def run_and_signal(user, what, number=0, delay_s=0, to_group=False):
    """Runs the helper and sends it a signal after the delay; returns its exit status and its time.

    A signal after the end has no effect. With to_group the signal also reaches gpg and git, as with
    Ctrl-C or when a container is stopped.
    """
    helper = subprocess.Popen(helper_argv(what.action), env=user.env, cwd=user.dir, start_new_session=True,
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begin = time.monotonic()
    helper.stdin.write(what.stdin)
    helper.stdin.close()
    if number:
        time.sleep(max(0, begin + delay_s - time.monotonic()))
        if to_group:
            os.killpg(helper.pid, number)  # the group exists until wait() below
        else:
            helper.send_signal(number)
    helper.wait()
    return helper.returncode, time.monotonic() - begin


def undisturbed_s(user, what):
    """Returns the duration without interruption; the signals are spread over this time."""
    spans = []
    for _ in range(5):
        user.store(URL, "me", OLD)
        what.prepare(user)
        rc, span = run_and_signal(user, what)
        assert rc == 0, f"an undisturbed {what.action} failed"
        spans.append(span)
    return statistics.median(spans)


def moments(rng, count, span_s):
    """Returns random delays up to slightly more than the span; half are in its last part, where files change."""
    return [span_s * rng.uniform(0.6 * (n % 2), 1.15) for n in range(count)]


def check_after(user, what, may_leave_temporary=True):
    """Checks the state after an interruption; returns get's answer and the files left behind."""
    answer = user.get(URL)
    assert answer in what.answers, f"get returned {str(answer)[:60]}..."
    assert user.list() == ({URL: answer[0]} if answer else {}), f"get and list differ: {answer} {user.list()}"
    entries = {user.entry(URL, name) for name in ("me", "a", "z/z")}
    strays = [path for path in user.prefix.rglob("*.gpg") if path not in entries]
    assert strays == [], f"ends in .gpg but is not an entry: {strays}"
    files = [path for path in user.leftovers() if not path.is_dir()]
    assert may_leave_temporary or files == [], f"left behind: {files}"
    for path in files:
        assert path.parent == user.folder and path.name.startswith("."), f"temporary file in the wrong place: {path}"
        assert b"nnnnnnnn" not in path.read_bytes(), f"plaintext in {path}"
    return answer, files


def check_next_store(user):
    """Checks that the next store works and removes leftovers."""
    user.store(URL, "me", OLD)
    assert user.leftovers() == [], f"still there after the next store: {user.leftovers()}"
    assert [path.name for path in user.server_folder(URL).iterdir()] == ["me.gpg"]


def interrupt(name, what, number, natively, user=USER, to_group=False):
    """Interrupts the operation many times, and checks the state each time."""
    count, hits, changed, temporaries = number_of_kills(natively), 0, 0, 0
    span_s = undisturbed_s(user, what)
    user.store(URL, "me", OLD)
    for delay_s in moments(random.Random(f"{SEED} {name}"), count, span_s):
        what.prepare(user)
        rc, _ = run_and_signal(user, what, number, delay_s, to_group)
        answer, files = check_after(user, what, may_leave_temporary=number == signal.SIGKILL)
        hits, changed, temporaries = hits + (rc != 0), changed + (answer == what.answers[1]), temporaries + bool(files)
        check_next_store(user)
    print(f"# {name}: {hits} of {count} signals arrived before the end of {span_s * 1000:.0f} ms; "
          f"{changed} times the change took effect, {temporaries} times a temporary file was left")
    assert hits >= count / 10, "too few signals arrived in time to prove anything"


@case("200 kills at random moments of a replacing store: get returns the old or the new secret")
def _():
    interrupt("replace", REPLACE, signal.SIGKILL, 120)
    interrupt("replace, gpg killed too", REPLACE, signal.SIGKILL, 80, to_group=True)


@case("kills of a first store: get returns not-found or the new secret")
def _():
    interrupt("first", FIRST, signal.SIGKILL, 80)


@case("kills of a store for another user: get returns one of the two users with that user's secret")
def _():
    interrupt("user before", USER_BEFORE, signal.SIGKILL, 60)
    interrupt("user after", USER_AFTER, signal.SIGKILL, 60)


@case("kills of an erase: get returns the complete secret or not-found")
def _():
    interrupt("erase", ERASE, signal.SIGKILL, 60)


@case("SIGTERM during a store leaves no temporary file")
def _():
    interrupt("TERM, replace", REPLACE, signal.SIGTERM, 60)
    interrupt("TERM, first", FIRST, signal.SIGTERM, 40)


@case("SIGINT during a store, to the helper alone or also to gpg as with Ctrl-C, leaves no temporary file")
def _():
    interrupt("INT", REPLACE, signal.SIGINT, 40)
    interrupt("INT to all", REPLACE, signal.SIGINT, 40, to_group=True)


@case("SIGHUP, when the terminal is closed, leaves no temporary file")
def _():
    # Under nohup, this process and the helper would ignore the signal.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt("HUP to all", REPLACE, signal.SIGHUP, 40, to_group=True)


@case("kills of a store in a git store lose nothing, and the next store leaves nothing uncommitted")
def _():
    with Sandbox() as user:
        user.make_store(git=True)
        interrupt("git", REPLACE, signal.SIGKILL, 40, user)
        assert user.git("status", "--porcelain") == "", user.git("status", "--porcelain")
        assert user.git("fsck", "--no-dangling") == ""
        assert user.get(URL) == ("me", OLD)


# --- each system call -------------------------------------------------------

def run_with_strace(what, inject):
    """Runs the helper with an injected fault; skips if that is not possible."""
    if is_wrapped():
        raise Skip("strace would also count the system calls of the wrapper")
    argv = [need("strace"), "-qq", "-o", "/dev/null", "-e", f"trace={STEPS}", "-e", f"inject={inject}"]
    result = USER.run([*argv, *helper_argv(what.action)], what.stdin, env=UNDER_STRACE)
    if b"strace:" in result.err:
        raise Skip(f"strace cannot be used here: {result.err.decode().splitlines()[0]}")
    return result


def kill_at_each(call, what):
    """Kills the helper at the first such call, at the second, and so on; returns the number of calls."""
    for nth in range(1, MOST_CALLS):
        what.prepare(USER)
        result = run_with_strace(what, f"{call}:signal=KILL:when={nth}")
        assert result.rc in (0, -signal.SIGKILL), result
        check_after(USER, what)
        check_next_store(USER)
        if result.rc == 0:
            return nth - 1
    raise AssertionError(f"{MOST_CALLS} times {call}")


def kill_at_each_step(what):
    USER.store(URL, "me", OLD)
    kills = {call.strip("?"): kill_at_each(call, what) for call in STEPS.split(",")}
    print(f"# killed at each of {kills}")
    assert sum(kills.values()) >= 4, "too few system calls were seen to prove anything"


@case("kills at each system call of a replacing store, a first store and a store for another user: same answers as above")
def _():
    for what in (REPLACE, FIRST, USER_BEFORE, USER_AFTER):
        kill_at_each_step(what)


@case("kills at each system call of an erase: same answers as above")
def _():
    kill_at_each_step(ERASE)


def fail_at(calls, when, what, *answers):
    """Makes some of the calls fail with EIO: the helper must report it, and nothing may change."""
    USER.store(URL, "me", OLD)
    what.prepare(USER)
    result = run_with_strace(what, f"{calls}:error=EIO:when={when}")
    assert_refused(result, "Input/output error")
    assert USER.get(URL) in answers, f"{str(USER.get(URL))[:60]} after {result}"
    assert USER.leftovers() == [], f"left behind: {USER.leftovers()}"


@case("a disk error on fsync or rename of the new entry makes store fail, and the old entry stays")
def _():
    for calls in ("fsync", RENAMES):
        fail_at(calls, "1", REPLACE, ("me", OLD))
        fail_at(calls, "1", FIRST, None)
        fail_at(calls, "1", USER_BEFORE, ("me", OLD))


@case("a disk error on removing an entry makes erase fail with an error")
def _():
    fail_at(f"{REMOVALS},{RENAMES}", "1+", ERASE, ("me", OLD))


def trace(what):
    """Returns strace's output for the helper's file system calls, with the paths of descriptors."""
    need_tracing()
    log = USER.dir / "strace"
    result = USER.run([need("strace"), "-qq", "-y", "-s4096", "-o", log, "-e", "signal=none", "-e", f"trace={STEPS}",
                       *helper_argv(what.action)], what.stdin, env=UNDER_STRACE)
    assert result.rc == 0, result
    lines = log.read_text().splitlines()
    return lines


def index_of(lines, pattern, start=0):
    found = [n for n, line in enumerate(lines) if n >= start and re.search(pattern, line)]
    assert found, f"no {pattern!r} from call {start} of:\n" + "\n".join(lines)
    return found[0]


@case("the new entry is synced before the rename, and its directory afterwards")
def _():
    USER.store(URL, "me", OLD)
    lines = trace(REPLACE)
    renamed = index_of(lines, r'rename.*me\.gpg"')
    temporary = re.search(r'"([^"]*)"', lines[renamed])[1].split("/")[-1]
    synced = index_of(lines, rf"fsync\(\d+<[^>]*/{re.escape(temporary)}>")
    assert synced < renamed, "\n".join(lines)
    index_of(lines, rf"fsync\(\d+<{re.escape(str(USER.server_folder(URL)))}>", renamed)


@case("the entry of another user is removed only after the new one is renamed and synced")
def _():
    USER.store(URL, "me", OLD)
    lines = trace(USER_AFTER)
    renamed = index_of(lines, r'rename.*z\.gpg"')
    synced = index_of(lines, rf"fsync\(\d+<{re.escape(str(USER.server_folder(URL)))}/z>", renamed)
    removed = index_of(lines, r'unlink.*"[^"]*me\.gpg"')
    assert synced < removed, "\n".join(lines)


@case("a first store also syncs the parent of the server's new directory")
def _():
    USER.erase(URL)
    lines = trace(FIRST)
    made = index_of(lines, rf'mkdir.*{re.escape(USER.server_folder(URL).name)}"')
    index_of(lines, rf"fsync\(\d+<{re.escape(str(USER.folder))}>", made)


# --- no space, no permission---------------------------------------------------

@contextlib.contextmanager
def mounted_store(options):
    """Yields a user whose store is a separate file system with OLD stored."""
    if os.geteuid() != 0:
        raise Skip("mounting a small tmpfs needs root")
    with Sandbox() as user:
        ids = user.make_store(user.make_key())
        done = user.run([need("mount"), "-t", "tmpfs", "-o", options, "dcp-test", user.prefix])
        if done.rc != 0:
            raise Skip(f"cannot mount a tmpfs here: {done.err.decode().strip()}")
        try:
            user.make_store(*ids)
            user.store(URL, "me", OLD)
            yield user
        finally:
            user.run(["umount", user.prefix], check=True)


def fill_bytes(user):
    """Fills the file system to the last byte; returns a function that frees the space."""
    filler = user.prefix / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    return filler.unlink


def fill_inodes(user):
    """Uses up all inodes of the file system; returns a function that frees one."""
    names = (user.prefix / f"filler-{n}" for n in range(1000))
    with contextlib.suppress(OSError):
        for name in names:
            name.touch()
            last = name

    def free():
        for path in user.prefix.glob("filler-*"):
            path.unlink()

    assert last, "no file could be created"
    return free


def assert_refuses_and_keeps(user, *words, **more):
    """A replacing store, a first store and one for another user fail with these words, and change nothing."""
    before = user.snapshot()
    for url, name in ((URL, "me"), ("https://first.example.com", "me"), (URL, "other")):
        assert_refused(user.store(url, name, NEW, check=False, **more), *words)
        assert user.snapshot() == before, f"changed by a store that failed: {user.leftovers()}"
        assert user.get(url) == (("me", OLD) if url == URL else None)


def assert_works_again(user):
    user.store(URL, "me", NEW)
    user.store("https://first.example.com", "me", NEW)
    assert user.get(URL) == ("me", NEW) and user.leftovers() == [], user.leftovers()


@case("on a full disk store reports the error, the old entry stays, and store works when there is space again")
def _():
    with mounted_store("size=256k") as user:
        free = fill_bytes(user)
        assert_refuses_and_keeps(user, "No space left on device", user.prefix)
        free()
        assert_works_again(user)


@case("erase works while the disk is full")
def _():
    with mounted_store("size=256k") as user:
        fill_bytes(user)
        user.erase(URL)
        assert user.get(URL) is None and user.leftovers() == [], user.leftovers()


@case("without a free inode store reports the error, the old entry stays, and store works when one is free")
def _():
    with mounted_store("nr_inodes=40") as user:
        free = fill_inodes(user)
        assert_refuses_and_keeps(user, "No space left on device", user.prefix)
        free()
        assert_works_again(user)


@case("on a read-only file system store and erase report the error, and get works")
def _():
    with mounted_store("size=256k") as user:
        user.run(["mount", "-o", "remount,ro", user.prefix], check=True)
        assert_refuses_and_keeps(user, "Read-only file system", user.prefix)
        assert_refused(user.helper("erase", stdin=URL.encode()), "Read-only file system")
        assert user.get(URL) == ("me", OLD)


@case("with a file size limit below the entry's size store reports the error, and the old entry stays")
def _():
    if is_wrapped():
        raise Skip("the wrapper must write files of its own")
    with Sandbox() as user:
        # The limit would also apply to gpg's files, and kill gpg.
        with open(user.gnupg / "gpg.conf", "a") as conf:
            conf.write("no-random-seed-file\n")
        user.make_store()
        user.store(URL, "me", OLD)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
        assert_refuses_and_keeps(user, "File too large", user.prefix, preexec_fn=limit)
        assert_works_again(user)


def run_as_nobody():
    """Returns a preexec function that drops root, so that file permissions apply."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


@case("in a store without write permission store and erase report the error, and get works")
def _():
    with Sandbox() as user:
        user.make_store()
        user.store(URL, "me", OLD)
        folders = [user.prefix, user.folder, user.server_folder(URL)]
        more = {}
        if os.geteuid() == 0:
            more["preexec_fn"] = run_as_nobody
            user.end_agent()
            user.run(["chown", "-R", "65534:65534", user.dir], check=True)
            if user.run(helper_argv("version"), **more).rc != 0:
                raise Skip("the helper is in a directory that an ordinary user cannot enter")
        for folder in folders:
            folder.chmod(0o500)
        before = user.snapshot()
        for url, name in ((URL, "me"), ("https://first.example.com", "me"), (URL, "other")):
            assert_refused(user.store(url, name, NEW, check=False, **more), "Permission denied", user.prefix)
        assert_refused(user.helper("erase", stdin=URL.encode(), **more), "Permission denied")
        assert user.snapshot() == before, "changed by a command that failed"
        assert user.get(URL, **more) == ("me", OLD)
        for folder in folders:
            folder.chmod(0o700)
        user.run(["gpgconf", "--kill", "all"], **more)


main()
