#!/usr/bin/env python3
"""Each allocation and each system call fails in turn: the result is a clean error or success, and nothing is lost.

The short form tests a random sample (SEED=NUMBER repeats it); LOAD=full tests all of them.
"""

import dataclasses
import json
import os
import random
import re

from harness import (NO_SERVER_URL, NO_USERNAME, NOT_FOUND, Skip, case, helper_argv, is_sanitized, is_wrapped, main, need,
                     need_tracing, preloadable, shared_sandbox)
from hostile import assert_safe_to_show

IS_LONG = os.environ.get("LOAD") == "full"
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
RNG = random.Random(SEED)
print(f"# SEED={SEED}", flush=True)

URL, OTHER = "example.com", "other.example.com"  # docker's form of the names, so that setup moves the login under this name
OLD, NEW = ("me", "old"), ("me", "new")

USER = shared_sandbox()
USER.make_store()
USER.store(OTHER, "you", "two")
USER.store(URL, *OLD)
ENTRY = USER.entry(URL, "me")
OLD_MESSAGE = ENTRY.read_bytes()
CONFIG = USER.docker / "config.json"
PLAIN = {"auths": {URL: {"auth": "bWU6cGxhaW4="}}}  # me:plain


@dataclasses.dataclass
class Call:
    """A call of the helper, and the allowed states after its success and after its failure."""
    args: tuple
    stdin: bytes
    after_success: tuple
    after_failure: tuple
    is_first: bool = False   # no entry exists before
    answer: bytes = b""      # the output on success; None: anything
    env: dict = dataclasses.field(default_factory=dict)

    def prepare(self):
        if self.is_first:
            USER.erase(URL)
        else:
            ENTRY.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            ENTRY.write_bytes(OLD_MESSAGE)
            ENTRY.chmod(0o600)
        CONFIG.write_text(json.dumps({"credsStore": "pass"} if self.args[0] != "setup" else PLAIN))


def document():
    return json.dumps({"ServerURL": URL, "Username": NEW[0], "Secret": NEW[1]}).encode()


ANSWER = json.dumps({"ServerURL": URL, "Username": OLD[0], "Secret": OLD[1]}, separators=(",", ":")).encode() + b"\n"
LISTED = json.dumps({URL: "me", OTHER: "you"}, separators=(",", ":")).encode() + b"\n"

CALLS = {
    "store": Call(("store",), document(), (NEW,), (OLD, NEW)),
    "the first store": Call(("store",), document(), (NEW,), (None, NEW), is_first=True),
    "erase": Call(("erase",), URL.encode(), (None,), (OLD, None)),
    "get": Call(("get",), URL.encode(), (OLD,), (OLD,), answer=ANSWER),
    "get by gpg": Call(("get",), URL.encode(), (OLD,), (OLD,), answer=ANSWER, env={"DOCKER_CREDENTIAL_PASS_FAST": "0"}),
    "list": Call(("list",), b"", (OLD,), (OLD,), answer=LISTED),
    "setup": Call(("setup", "--yes"), b"", (("me", "plain"),), (None, ("me", "plain")), is_first=True, answer=None),
    "doctor": Call(("doctor", "--json"), b"", (OLD,), (OLD,), answer=None),
}


def found_in_config():
    """Returns whether docker's file contains the password. The file must always be valid."""
    return bool(json.loads(CONFIG.read_text()).get("auths", {}).get(URL, {}).get("auth"))


# libgcrypt prints this on stderr when it continues after a failed allocation.
LIBGCRYPT_SAYS = b"failed to allocate memory\n"


def assert_clean(call, result, may_leave=False):
    """Checks the result of a run with a fault."""
    assert result.rc in (0, 1) or (result.rc, call.args[0]) == (2, "doctor"), result # 2: doctor could not try each step
    assert_safe_to_show(result.out + result.err)
    if result.rc == 0:
        assert call.answer is None or result.out == call.answer, result
        assert call.args[0] in ("setup", "doctor") or "warning" in result.err.decode() or result.err in (b"", LIBGCRYPT_SAYS), result
    elif call.args[0] not in ("setup", "doctor"):
        assert result.out.count(b"\n") <= 1 and (result.out.strip() or result.err.strip()), result
        assert result.out not in (NOT_FOUND, NO_SERVER_URL, NO_USERNAME), result
    assert_nothing_lost(call, call.after_success if result.rc == 0 else call.after_failure, may_leave)


# Findings that are allowed here for a healthy user: another helper is on PATH, the machine is slow.
HARMLESS = {"other-helper-first", "helper-not-on-path", "slow-key"}


def assert_no_wrong_finding(result):
    """doctor prints complete JSON or reports an error, and does not mistake a lack of memory for another fault."""
    if b"the report is incomplete" in result.err or result.out == b"out of memory\n":
        return
    for finding in json.loads(result.out)["findings"]:
        assert finding["id"] in HARMLESS or "memory" in finding["what"], finding


def assert_nothing_lost(call, allowed, may_leave=False):
    answer = USER.get(URL)
    assert answer in allowed, f"get returned {answer}, which is not one of {allowed}"
    assert USER.get(OTHER) == ("you", "two")
    if call.args[0] == "setup":
        assert answer or found_in_config(), "the password is neither in the store nor in docker's file"
    left = USER.leftovers()
    assert not left or may_leave, f"left behind: {left}"
    for path in left:
        assert path.is_dir() or path.name.startswith(".docker-credential-pass"), path
        if not path.is_dir():
            path.unlink()


def sample(every, most):
    """Returns all of them in the long form, a random sample in the short one."""
    every = list(every)
    return every if IS_LONG or len(every) <= most else sorted(RNG.sample(every, most))


# --- memory --------------------------------------------------------------------------------------------------

SHIM = os.environ.get("FAIL_ALLOCATION_SHIM", "")
LOG = USER.dir / "allocations"

# These libraries abort the program without memory: libgcrypt on purpose, GPGME because it frees unallocated memory.
THEIR_OWN_FAULT = re.compile(r"lib(gcrypt|gpgme|assuan|gpg-error)\.so")


def is_ended_by(result, asker):
    """Returns the library that aborted the program for lack of memory; None if the program exited normally."""
    if result.rc < 0 and THEIR_OWN_FAULT.search(asker):
        return os.path.basename(asker)
    # The dynamic linker aborts if it cannot allocate thread-local data of a library that was loaded late.
    if result.rc == 127 and result.err == b"cannot allocate memory for thread-local data: ABORT\n":
        return "ld.so"
    return None


def need_shim():
    if not os.path.exists(SHIM):
        raise Skip("FAIL_ALLOCATION_SHIM does not name the library that makes allocations fail")
    if is_wrapped() or is_sanitized():
        raise Skip("AddressSanitizer and valgrind have allocators of their own")


def run_failing(call, number, on=False, close=0):
    LOG.unlink(missing_ok=True)
    return USER.helper(*call.args, stdin=call.stdin, env={
        **call.env, "LD_PRELOAD": preloadable(SHIM), "FAIL_ALLOCATION": number, "FAIL_ALLOCATION_ON": int(on), "FAIL_CLOSE": close,
        "FAIL_ALLOCATION_LOG": LOG})


def check_allocations(name, most):
    need_shim()
    call = CALLS[name]
    call.prepare()
    assert run_failing(call, 0).rc == 0
    total = int(LOG.read_text().split()[0])
    assert total > 20, "the allocations were not counted, so this case proves nothing"
    failed, ended = 0, {}
    for number in sample(range(1, total + 1), most):
        for on in (False, True) if IS_LONG else (number % 2 == 1,):
            call.prepare()
            result = run_failing(call, number, on)
            asker = LOG.read_text().split()[1]
            failed += asker != "-"
            try:
                library = is_ended_by(result, asker)
                if library:
                    ended[library] = ended.get(library, 0) + 1
                    assert_nothing_lost(call, call.after_failure, may_leave=True)
                else:
                    assert_clean(call, result)
                # If GPGME's own allocations fail during a key listing, it lists fewer keys, without an error.
                if name == "doctor" and not library and not THEIR_OWN_FAULT.search(asker):
                    assert_no_wrong_finding(result)
            except AssertionError as error:
                raise AssertionError(f"{name}, allocation {number}{' and on' if on else ''}, of {asker}: {error}; "
                                     f"{result}") from error
    print(f"# {name}: {total} allocations; {failed} runs with a failed one; aborted by a library: {ended}", flush=True)
    assert failed > 0, "no allocation failed, so this case proves nothing"


@case("no memory for store: the old or the new entry, and a clean exit")
def _():
    check_allocations("store", 12)
    check_allocations("the first store", 6)


@case("no memory for get, list and erase: the answer or an error, and never \"not found\"")
def _():
    check_allocations("get", 10)
    check_allocations("get by gpg", 8)
    check_allocations("list", 10)
    check_allocations("erase", 10)


@case("no memory for setup and doctor: the password is in the old or the new place, and the output is complete")
def _():
    check_allocations("setup", 6)
    check_allocations("doctor", 5)


# --- system calls ----------------------------------------------------------------------------------------------

# System calls and their errors. close() is tested separately, because strace would skip the call. "?" marks calls that some
# architectures do not have.
FAULTS = {
    "openat": ("EIO", "EMFILE", "EINTR"), "read": ("EIO", "EINTR"), "write": ("EIO", "ENOSPC", "EINTR"), "fsync": ("EIO", "ENOSPC"),
    "renameat": ("EIO", "ENOSPC"), "renameat2": ("EIO", "ENOSPC"), "rename": ("EIO", "ENOSPC"), "mkdir": ("EIO", "ENOSPC"),
    "mkdirat": ("EIO", "ENOSPC"), "unlinkat": ("EIO", "EPERM"), "unlink": ("EIO", "EPERM"), "flock": ("EIO", "EINTR", "ENOLCK"),
    "fstat": ("EIO",), "newfstatat": ("EIO",), "getdents64": ("EIO",), "lseek": ("EIO",),
    "fchmod": ("EIO", "EPERM"), "pipe2": ("EMFILE",), "clone": ("EAGAIN",), "clone3": ("EAGAIN",), "vfork": ("EAGAIN",),
    "faccessat": ("EIO",), "faccessat2": ("EIO",), "access": ("EIO",), "poll": ("EINTR",), "select": ("EINTR",),
    "pselect6": ("EINTR",), "wait4": ("EINTR",), "memfd_create": ("EMFILE",), "setitimer": ("EINVAL",), "readlink": ("EIO",),
}
# A failure of these may leave the files that they should have removed.
REMOVALS = ("unlinkat", "unlink")

# Two libraries abort the program: libgcrypt if it cannot determine FIPS mode, and GPGME if it cannot read from one of its
# pipes (descriptor 0 is not one of them).
THEIR_OWN_END = re.compile(r"fips_enabled|read\([1-9]\d*<pipe:\[\d+\]>.*INJECTED")

# LeakSanitizer does not work under strace.
UNDER_STRACE = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def traced(call, *options):
    return USER.run([need("strace"), "-qq", "-y", "-o", LOG, *options, *helper_argv(*call.args)], call.stdin,
                    env={**UNDER_STRACE, **call.env})


def list_calls(call):
    """Returns each system call by name and number, from the start of the helper's own code."""
    result = traced(call, "-e", f"trace=prctl,{','.join('?' + name for name in FAULTS)}")
    if result.rc != 0:
        raise Skip(f"strace cannot be used here: {result}")
    seen, begun, found = {}, False, []
    for line in LOG.read_text(errors="replace").splitlines():
        begun = begun or "PR_SET_DUMPABLE" in line
        name = re.match(r"\w*", line)[0]
        seen[name] = seen.get(name, 0) + 1
        if begun and name in FAULTS:
            found.append((name, seen[name]))
    assert found, "no system call was seen, so this case proves nothing"
    return found


def check_system_calls(name, most):
    if is_wrapped():
        raise Skip("valgrind makes system calls of its own")
    need_tracing()  # shows which descriptor the helper reads, and so which library aborted it
    call = CALLS[name]
    call.prepare()
    faults = [(one, number, error) for one, number in list_calls(call) for error in FAULTS[one]]
    tried, ended = sample(faults, most), 0
    for one, number, error in tried:
        call.prepare()
        result = traced(call, "-e", f"trace={one}", "-e", f"inject={one}:error={error}:when={number}")
        try:
            is_dead = result.rc < 0 or b"AddressSanitizer:DEADLYSIGNAL" in result.err
            if is_dead and THEIR_OWN_END.search(LOG.read_text(errors="replace") + result.err.decode()):
                ended += 1
                assert_nothing_lost(call, call.after_failure, may_leave=True)
            else:
                assert_clean(call, result, may_leave=one in REMOVALS)
        except AssertionError as failure:
            raise AssertionError(f"{name}, {one} no. {number} with {error}: {failure}; {result}") from failure
    print(f"# {name}: {len(faults)} faults, {len(tried)} injected; {ended} times a library aborted the program", flush=True)


@case("close() returns EIO, as on a network file system after lost writes: an error is reported unless no data is affected")
def _():
    need_shim()
    for name in ("store", "the first store", "erase", "get", "list"):
        call = CALLS[name]
        call.prepare()
        assert run_failing(call, 0).rc == 0
        total = int(LOG.read_text().split()[2])
        assert total > 1, "no close() was counted, so this case proves nothing"
        for number in sample(range(1, total + 1), 2):
            call.prepare()
            result = run_failing(call, 0, close=number)
            try:
                assert_clean(call, result)
            except AssertionError as error:
                raise AssertionError(f"{name}, close() no. {number}: {error}; {result}") from error
        print(f"# {name}: {total} times close()", flush=True)


@case("system calls fail during store: the old or the new entry, and a clean exit")
def _():
    check_system_calls("store", 16)
    check_system_calls("the first store", 8)


@case("system calls fail during get, list and erase: the answer or an error, and never \"not found\"")
def _():
    check_system_calls("erase", 8)
    check_system_calls("get", 6)
    check_system_calls("get by gpg", 4)
    check_system_calls("list", 6)


@case("system calls fail during setup: the password is in the old or the new place")
def _():
    check_system_calls("setup", 5)


main()
