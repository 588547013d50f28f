#!/usr/bin/env python3
"""gpg, gpg-agent, pinentry or git hangs, prints garbage, floods or crashes: an accurate one-line error, nothing lost or left.

The timeout is one second here. After it, the program and all of its child processes must be gone.
"""

import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import time

from harness import Skip, assert_refused, case, is_wrapped, main, shared_sandbox
from hostile import assert_safe_to_show, run_helper

URL = "https://example.com"
IS_LONG = os.environ.get("LOAD") == "full"
PATIENCE_S = 1
LONGEST_S = 30  # the limit for a timeout of one second, on a busy machine

USER = shared_sandbox()
USER.env["DOCKER_CREDENTIAL_PASS_FAST"] = "0"  # these cases test gpg; fast-decrypt.py tests agents, too
KEY = USER.make_store()[0]
USER.store(URL, "me", "old")
REAL = {name: shutil.which(name) for name in ("gpg", "git")}
BIN = USER.dir / "fake-bin"
BIN.mkdir()
RUBBISH = USER.dir / "rubbish"
# Fixed garbage, because random bytes could form a version or a status line. Its first line does not end with a number.
RUBBISH.write_bytes(random.Random(1).randbytes(100000))


# --- programs on PATH ----------------------------------------------------------------------------------------

# Parts of a gpg that answers --version correctly and then runs SCRIPT; FD is the descriptor of its status lines.
HONEST_VERSION = 'for a in "$@"; do [ "$a" = --version ] && exec {real} "$@"; done\n'
STATUS_FD = 'FD=1; while [ $# -gt 0 ]; do [ "$1" = --status-fd ] && FD=$2; shift; done\n'


def fake(program, script, honest_version=True):
    path = BIN / program
    path.unlink(missing_ok=True)
    begin = HONEST_VERSION.format(real=REAL.get(program)) if honest_version else ""
    path.write_text(f"#!/bin/bash\n{begin}{script}\n")
    path.chmod(0o755)


def clear():
    for path in BIN.iterdir():
        path.unlink()


def run(*args, stdin=b"", **env):
    """Runs the helper with BIN first on PATH."""
    return run_helper(USER, *args, stdin=stdin, longest_s=LONGEST_S * (10 if is_wrapped() else 1),
                      env={"PATH": f"{BIN}:{USER.env['PATH']}", "DOCKER_CREDENTIAL_PASS_TIMEOUT": PATIENCE_S, **env})


def document(secret="new"):
    return json.dumps({"ServerURL": URL, "Username": "me", "Secret": secret}).encode()


def processes():
    """Returns {pid: command line} of the processes with this user's HOME, except gpg-agent."""
    mark, found = f"HOME={USER.home}\0".encode(), {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in path.joinpath("environ").read_bytes() + b"\0":
                found[path.name] = path.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return {pid: line for pid, line in found.items() if "gpg-agent" not in line and line}


def assert_nothing_left():
    end = time.monotonic() + 15  # the program "in another session" sleeps for 12
    while (left := processes()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left, f"still running: {left}"


BY_GPG = {"DOCKER_CREDENTIAL_PASS_FAST": "0"}  # otherwise get hardly uses gpg
BOTH_WAYS = ({}, BY_GPG)
turns = itertools.cycle(("store", "get"))


def assert_holds(program, script, words, honest_version=True, verbs=None):
    """Each verb fails with a line that has the words, and the store is unchanged. The short form alternates between verbs."""
    for verb in verbs or (("store", "get") if IS_LONG else (next(turns),)):
        fake(program, script, honest_version)
        before = USER.snapshot()
        result = run(verb, stdin=document() if verb == "store" else URL.encode(), **(BY_GPG if program == "gpg" else {}))
        try:
            assert_refused(result, *words)
            assert_safe_to_show(result.out + result.err)
            assert len(result.out) < 1500 and result.err == b"", result
            assert_nothing_left()
            assert USER.snapshot() == before
        except AssertionError as error:
            raise AssertionError(f"{verb}, {program}: {script}: {error}") from error
        finally:
            clear()


# --- gpg -----------------------------------------------------------------------------------------------------

HANGS = {
    "asleep": "sleep 1000",
    "ignores signals, with such a child": "trap '' TERM; (trap '' TERM; sleep 1000; sleep 1000) & sleep 1000; wait",
    "stopped": "kill -STOP $$; sleep 1000",
    "a child keeps its output open": "sleep 1000 & exit 0",
    "in another session": "setsid sleep 12",
    "ignores signals": "trap '' TERM INT HUP; while :; do sleep 1; done",
}
SAID = {"a child keeps its output open": [], "in another session": ["something that it has started cannot be ended"]}


@case("a gpg that hangs is killed after the timeout, with its child processes, and the error says so")
def _():
    for name, script in list(HANGS.items())[:None if IS_LONG else 2]:
        assert_holds("gpg", script, SAID.get(name, ["did not end within 1 second"]))


@case("the same for a gpg that already hangs at --version; also in setup and doctor")
def _():
    assert_holds("gpg", HANGS["ignores signals, with such a child"], ["did not end within 1 second"], honest_version=False)
    fake("gpg", HANGS["asleep"], honest_version=False)
    for args in (("setup", "--yes"), ("doctor", "--json"), ("doctor",))[:None if IS_LONG else 1]:
        result = run(*args)
        assert result.rc == 1 and b"did not end within 1 second" in b" ".join((result.out + result.err).split()), result
        assert_nothing_left()
    for program in ("gpg", "git", "gpgconf") if IS_LONG else ():
        fake(program, HANGS["deaf"])
        for args in (("setup", "--yes"), ("doctor",)):
            result = run(*args)
            assert result.rc == 1 or args[0] == "setup" or program != "gpg", result  # setup does not need the other programs
            assert_safe_to_show(result.out + result.err)
            assert_nothing_left()
        clear()


@case("a program that is not gpg: garbage as version, as output or as status lines; no output with exit status 0")
def _():
    for script in ("echo hello", f"head -c 1000 {RUBBISH}", "exit 0", "exit 127"):
        assert_holds("gpg", script, ["gpg", "--version"], honest_version=False)
    for script in ("exit 0", "echo hello", "cat > /dev/null", f"head -c 10000 {RUBBISH}; cat > /dev/null",
                   STATUS_FD + f"head -c 10000 {RUBBISH} >&$FD; cat > /dev/null",
                   STATUS_FD + "printf '[GNUPG:] %s\\n' BEGIN_ENCRYPTION 'FAILURE x' '' ' ' 'NEED_PASSPHRASE' >&$FD"):
        assert_holds("gpg", script, ["gpg"])


@case("a program that cannot run is named in the error; so is a missing one")
def _():
    (BIN / "gpg").write_bytes(b"\x7fELF and no more")
    (BIN / "gpg").chmod(0o755)
    assert_refused(run("get", stdin=URL.encode(), **BY_GPG), str(BIN / "gpg"), "does not tell which GnuPG")
    clear()
    nowhere = {"PATH": USER.path_without("gpg"), **BY_GPG}
    assert_refused(USER.helper("get", stdin=URL.encode(), env=nowhere), "gpg was not found on PATH")


@case("a gpg with endless output on any of its pipes costs bounded memory and time")
def _():
    flood = "tr '\\0' x < /dev/zero"
    lines = "yes '[GNUPG:] PROGRESS x x x x'"
    scripts = [STATUS_FD + f"{flood} >&$FD", flood, STATUS_FD + f"{lines} >&$FD",
               "for fd in /proc/self/fd/*; do " + flood + " > $fd & done; wait"]
    for script in scripts if IS_LONG else scripts[:2]:
        assert_holds("gpg", script, [])
    if IS_LONG:
        assert_holds("gpg", "cat /dev/zero", [], honest_version=False)


@case("a gpg that crashes before, during or after its output never leaves a truncated entry")
def _():
    for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT):
        assert_holds("gpg", f"kill -{int(number)} $$", [f"signal {int(number)}"])
    half = f'{REAL["gpg"]} "$@" | head -c 60; kill -9 $$'
    assert_holds("gpg", half, ["signal 9"], verbs=("store",))
    told = STATUS_FD + "printf '[GNUPG:] %s\\n' 'BEGIN_ENCRYPTION 2 9' END_ENCRYPTION >&$FD; "
    assert_holds("gpg", told + f"head -c 60 {RUBBISH}; kill -9 $$", ["signal 9"], verbs=("store",))
    assert_holds("gpg", told + "exit 0", ["without encrypting"], verbs=("store",))


@case("a .gpg-id that makes gpg's command line too long is an error, and leaves no empty entry")
def _():
    (USER.prefix / ".gpg-id").write_text("x" * 1000000)
    before = USER.snapshot()
    assert_refused(run("store", stdin=document()), "without encrypting")
    assert USER.snapshot() == before
    (USER.prefix / ".gpg-id").write_text(KEY + "\n")


# --- gpg-agent and pinentry ------------------------------------------------------------------------------------


def ask_agent_pid():
    said = USER.run(["gpg-connect-agent", "getinfo pid", "/bye"], check=True).out.decode()
    return int(next(line.split()[1] for line in said.splitlines() if line.startswith("D ")))


def agent_pid():
    """Two agents that start at the same time may both answer, until one has the socket for good."""
    first, second = ask_agent_pid(), ask_agent_pid()
    while first != second:
        first, second = second, ask_agent_pid()
    return second


@case("a gpg-agent that hangs: get and doctor report it, store works without it, and everything works afterwards")
def _():
    pid = agent_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        before = USER.snapshot()
        for way in BOTH_WAYS:
            assert_refused(run("get", stdin=URL.encode(), **way), "did not end within 1 second", "gpg-agent")
            assert_nothing_left()
        result = run("doctor") if IS_LONG else run("doctor", "--json")
        assert result.rc == 1 and b"gpg-agent" in result.out, result
        assert_nothing_left()
        assert USER.snapshot() == before
        stored = run("store", stdin=document("old"))
        assert stored.rc == 0, stored
    finally:
        os.kill(pid, signal.SIGCONT)
    assert USER.get(URL) == ("me", "old")


class Locked:
    """Another key with a passphrase, and a scripted pinentry."""

    def __init__(self, script):
        self.script = script

    def __enter__(self):
        USER.locked = getattr(USER, "locked", None) or USER.make_key("Locked <locked@example.com>", passphrase="open sesame")
        pinentry = USER.dir / "pinentry"
        pinentry.unlink(missing_ok=True)
        pinentry.write_text(f"#!/bin/bash\n{self.script}\n")
        pinentry.chmod(0o755)
        self.pinentry = str(pinentry)
        (USER.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {pinentry}\n")
        USER.end_agent()
        (USER.prefix / ".gpg-id").write_text(USER.locked + "\n")
        result = run("store", stdin=document("locked"))
        assert result.rc == 0, result
        return self

    def __exit__(self, *_):
        for pid, line in processes().items():  # gpg-agent leaves pinentry running
            if self.pinentry in line:
                os.kill(int(pid), signal.SIGKILL)
        USER.end_agent()
        (USER.gnupg / "gpg-agent.conf").unlink()
        (USER.prefix / ".gpg-id").write_text(KEY + "\n")
        USER.store(URL, "me", "old")


ANSWERS = """echo OK; while read -r word rest; do case $word in
GETPIN) {before}; echo "D {passphrase}"; echo OK ;;
GETINFO) [ "$rest" = pid ] && echo "D $$"; echo OK ;;
BYE) echo OK; exit 0 ;;
*) echo OK ;;
esac; done"""


@case("the timeout does not apply while a person types the passphrase")
def _():
    for way in BOTH_WAYS if IS_LONG else (BY_GPG,):
        with Locked(ANSWERS.format(before="sleep 2", passphrase="open sesame")):
            result = run("get", stdin=URL.encode(), **way)
            assert result.rc == 0 and json.loads(result.out)["Secret"] == "locked", result
            assert result.seconds >= 2, "it did not wait for the person, so this case proves nothing"


@case("a pinentry that crashes, prints garbage or hangs at the start: an accurate error, and no hang")
def _():
    scripts = ["exit 1", ANSWERS.format(before="exit 1", passphrase="x"), 'exec -a "$0" sleep 1000', "kill -9 $$",
               f"head -c 1000 {RUBBISH}", "echo ERR 1 no", 'exec -a "$0" cat /dev/zero']
    for number, script in enumerate(scripts if IS_LONG else scripts[:2]):
        with Locked(script):
            before = USER.snapshot()
            result = run("get", stdin=URL.encode(), **BOTH_WAYS[number % 2])
            assert_refused(result)
            assert_safe_to_show(result.out + result.err)
            assert USER.snapshot() == before
    assert USER.get(URL) == ("me", "old")


# --- git -----------------------------------------------------------------------------------------------------


@case("a git that hangs, crashes, floods or prints garbage: the entry is kept, exit status 0, one line on stderr, nothing left")
def _():
    (USER.prefix / ".git").mkdir()
    try:
        for number, (script, word) in enumerate((
                ("yes; yes >&2", "did not end in time"),
                *([(HANGS["ignores signals, with such a child"], "did not end in time")] * IS_LONG),
                ("kill -9 $$", "git"), (f"head -c 100000 {RUBBISH}; exit 1", "git"), ("printf 'a\\033[2J\\nb'; exit 1", "git"),
                ("exit 127", "git"), ("echo \"fatal: Unable to create 'x.lock': File exists.\"; exit 128", "git"))):
            fake("git", script, honest_version=False)
            result = run("store", stdin=document(f"secret {number}"))
            assert result.rc == 0 and result.out == b"", (script, result)
            assert b"warning" in result.err and word.encode() in result.err, (script, result)
            assert_safe_to_show(result.err, may_have_lines=False)
            assert_nothing_left()
            clear()
            assert USER.get(URL) == ("me", f"secret {number}"), script
        # The helper does not wait for a background process of a hook.
        fake("git", "exec -a left-behind sleep 1000 & exit 0", honest_version=False)
        result = run("erase", stdin=URL.encode(), DOCKER_CREDENTIAL_PASS_TIMEOUT=600)
        left = [int(pid) for pid, line in processes().items() if line.startswith("left-behind")]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert result.rc == 0 and left, (result, left)
    finally:
        (USER.prefix / ".git").rmdir()
        clear()
    USER.store(URL, "me", "old")


@case("an invalid DOCKER_CREDENTIAL_PASS_TIMEOUT is refused, and the error names the variable")
def _():
    for text in ("0", "-1", "1s", "soon", "86401", "99999999999999999999", "1 "):
        result = run("get", stdin=URL.encode(), DOCKER_CREDENTIAL_PASS_TIMEOUT=text, **BY_GPG)
        assert_refused(result, "DOCKER_CREDENTIAL_PASS_TIMEOUT")
    assert run("get", stdin=URL.encode(), DOCKER_CREDENTIAL_PASS_TIMEOUT="").rc == 0
    assert run("get", stdin=URL.encode(), DOCKER_CREDENTIAL_PASS_TIMEOUT="86400").rc == 0


main()
