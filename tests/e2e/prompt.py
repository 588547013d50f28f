#!/usr/bin/env python3
"""A key with a passphrase: gpg's prompt appears on the user's terminal, or the error names the real cause.

Docker runs a helper with pipes for stdin and stdout and without GPG_TTY, so gpg finds no
terminal unless the helper does. gpg's own error in this situation is only "No secret key".
"""

import os
import re
import shutil
import subprocess
import time

from harness import Result, Sandbox, Skip, assert_refused, case, helper_argv, main, need, need_fast_path, shared_sandbox
from terminal import Terminal

URL = "https://example.com"
SECRET = "the secret"
PASSPHRASE = "correct horse"
FAST_S = 60  # an unanswered prompt would wait longer
TIMEOUT_S = 300
CANCEL = "\t\t\r"  # from the passphrase field past <OK> to <Cancel>

USER = shared_sandbox()
# English messages, and no terminal or display except the ones that each case sets up.
USER.env.update(LC_ALL="C", TERM="xterm")


def write_agent_conf(user, pinentry):
    """Writes gpg-agent.conf with a cheap key derivation, to save time."""
    (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {pinentry}\ns2k-count 65536\n")


def lock(user=USER, pinentry="pinentry-curses"):
    """Starts a new agent with this pinentry and an empty passphrase cache.

    The agent is running, so the helper talks to it without gpg; with DOCKER_CREDENTIAL_PASS_FAST=0 gpg does.
    """
    program = pinentry if pinentry.startswith("/") else need(pinentry)
    if not (user.prefix / ".gpg-id").exists():
        write_agent_conf(user, program)
        user.make_store(user.make_key(passphrase=PASSPHRASE))
        user.store(URL, "me", SECRET)
    write_agent_conf(user, program)
    user.end_agent()
    user.run(["gpg-connect-agent", "/bye"], check=True)


def unlock(user=USER):
    """Puts the passphrase into the agent's cache, as an earlier prompt does."""
    argv = ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase-fd=0", "-qd", user.entry(URL, "me")]
    user.run(argv, PASSPHRASE.encode(), check=True)


def start(user, action, document, terminal=None, stderr_on_terminal=True, env=None):
    """Starts the helper in a new session, with the terminal, if any, as its controlling terminal."""
    merged = {name: value for name, value in {**user.env, **(env or {})}.items() if value is not None}
    helper = subprocess.Popen(
        helper_argv(action), env=merged, cwd=user.dir, start_new_session=True,
        preexec_fn=terminal.take if terminal else None, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=terminal.slave if terminal and stderr_on_terminal else subprocess.PIPE)
    helper.stdin.write(document)
    helper.stdin.close()
    return helper


def finish(helpers, terminals):
    """Serves the terminals until all helpers have exited; returns their results."""
    end = time.monotonic() + TIMEOUT_S
    while any(helper.poll() is None for helper in helpers):
        for terminal in terminals:
            terminal.watch(0.02)
        if time.monotonic() > end:
            for helper in helpers:
                helper.kill()
            raise AssertionError(f"no end after {TIMEOUT_S} s; on the terminal: {[t.screen for t in terminals]}")
    return [Result(helper.returncode, helper.stdout.read(), helper.stderr.read() if helper.stderr else b"")
            for helper in helpers]


def get(terminal=None, user=USER, **more):
    helper = start(user, "get", URL.encode(), terminal, **more)
    return finish([helper], [terminal] if terminal else [])[0]


def get_quickly(**more):
    """Runs get without a terminal, and asserts that it does not wait."""
    begin = time.monotonic()
    result = get(**more)
    span = time.monotonic() - begin
    assert span < FAST_S, f"took {span:.1f} s: {result}"
    return result


def assert_got_it(result):
    assert result.rc == 0, result
    assert result.out == b'{"ServerURL":"%s","Username":"me","Secret":"%s"}\n' % (URL.encode(), SECRET.encode()), result


def assert_says(result, *patterns):
    """Asserts a one-line error that matches all patterns: the cause and the solution."""
    assert_refused(result)
    for pattern in patterns:
        assert re.search(pattern, result.out.decode(), re.IGNORECASE), f"does not say {pattern!r}: {result}"


# --- with a terminal --------------------------------------------------------

@case("without a command: a pipe gets only the usage line, a terminal also gets a hint to setup and doctor")
def _():
    with Sandbox() as user, Terminal() as terminal:
        usage = b"Usage: docker-credential-pass <store|get|erase|list|version>\n"
        piped = user.run(helper_argv())
        assert (piped.rc, piped.out, piped.err) == (1, usage, b""), piped
        shown = subprocess.run(helper_argv(), stdin=terminal.slave, stdout=terminal.slave, stderr=subprocess.PIPE, env=user.env)
        screen = os.read(terminal.master, 65536).replace(b"\r\n", b"\n")
        assert shown.returncode == 1 and shown.stderr == b"" and screen.startswith(usage), (shown, screen)
        assert b"docker-credential-pass setup " in screen and b"docker-credential-pass doctor " in screen, screen


@case("with stderr on the terminal and no GPG_TTY, as docker runs the helper, the prompt appears and get succeeds")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal))
        assert terminal.prompts == 1, terminal.prompts


@case("with stdin, stdout and stderr redirected the prompt appears on the controlling terminal")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        result = get(terminal, stderr_on_terminal=False)
        assert_got_it(result)
        assert terminal.prompts == 1 and result.err == b"", result


@case("an agent that was started without a terminal also shows the prompt")
def _():
    lock()
    unlock()
    USER.run(["gpgconf", "--reload", "gpg-agent"], check=True)
    with Terminal(PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal))
        assert terminal.prompts == 1, terminal.prompts


@case("an invalid GPG_TTY does no harm if there is a terminal")
def _():
    for wrong in ("not a tty", "/dev/tty", "/dev/pts/99999", "/dev/null", ""):
        for stderr_on_terminal in (True, False):
            lock()
            with Terminal(PASSPHRASE + "\r") as terminal:
                assert_got_it(get(terminal, stderr_on_terminal=stderr_on_terminal, env={"GPG_TTY": wrong}))


@case("a GPG_TTY that names another terminal is used")
def _():
    lock()
    with Terminal() as here, Terminal(PASSPHRASE + "\r") as there:
        helper = start(USER, "get", URL.encode(), here, env={"GPG_TTY": there.name})
        assert_got_it(finish([helper], [here, there])[0])
        assert (here.prompts, there.prompts) == (0, 1), (here.prompts, there.prompts)


@case("without TERM in the environment the prompt still appears")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal, env={"TERM": None}))


@case("after one wrong passphrase the prompt appears again, and get succeeds")
def _():
    lock()
    with Terminal("wrong\r", PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal))
        assert terminal.prompts == 2, terminal.prompts


@case("a passphrase that stays wrong is reported as wrong")
def _():
    lock()
    with Terminal(*["wrong\r"] * 3) as terminal:
        assert_says(get(terminal), "passphrase", "wrong|bad|incorrect")


@case("a cancelled prompt is reported as cancelled")
def _():
    lock()
    with Terminal(CANCEL) as terminal:
        assert_says(get(terminal), "cancel")
        assert terminal.prompts == 1, terminal.prompts


def screen_of_prompt(env):
    lock()
    with Terminal(CANCEL) as terminal:
        assert_says(get(terminal, env=env), "cancel")
        dialog = re.sub(rb"\x1b[^A-Za-z]*[A-Za-z]|\x1b\(B|[^ -~]+", b" ", terminal.seen).decode()
        return " ".join(dialog.split())


@case("the prompt has the same text whether gpg requests it or the helper does without gpg")
def _():
    need_fast_path()
    by_gpg = screen_of_prompt({"DOCKER_CREDENTIAL_PASS_FAST": "0"})
    assert "Please enter the passphrase" in by_gpg and "ECDH key" in by_gpg and "main key ID" in by_gpg, by_gpg
    assert screen_of_prompt({"DOCKER_CREDENTIAL_PASS_FAST": None, "PATH": USER.path_without("gpg")}) == by_gpg


@case("in a language other than English gpg requests the prompt, because gpg has the translations")
def _():
    need_fast_path()
    lock()
    german = {"LC_ALL": None, "LC_MESSAGES": "de_DE.UTF-8", "DOCKER_CREDENTIAL_PASS_FAST": None}
    with Terminal() as terminal:
        assert_says(get(terminal, env={**german, "PATH": USER.path_without("gpg")}), "gpg", "PATH")
        assert terminal.prompts == 0
    unlock()
    assert_got_it(get(env={**german, "PATH": USER.path_without("gpg")}))


@case("concurrent gets on a locked key all succeed after one prompt")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        # Only the session leader gets the controlling terminal; the others find the terminal through stderr.
        first = start(USER, "get", URL.encode(), terminal)
        env = {"GPG_TTY": terminal.name}
        rest = [start(USER, "get", URL.encode(), env=env) for _ in range(3)]
        for result in finish([first, *rest], [terminal]):
            assert_got_it(result)


@case("store needs no passphrase, and does not prompt")
def _():
    lock()
    document = b'{"ServerURL":"https://other.example.com","Username":"me","Secret":"x"}'
    with Terminal() as terminal:
        result = finish([start(USER, "store", document, terminal)], [terminal])[0]
        assert (result.rc, result.out, terminal.prompts) == (0, b"", 0), result


# --- without a terminal---------------------------------------------------------

@case("without a terminal get fails quickly, and names the missing terminal and the solution")
def _():
    for env in ({}, {"GPG_TTY": "not a tty"}, {"GPG_TTY": "/dev/tty"}, {"TERM": None}):
        lock()
        assert_says(get_quickly(env=env), "terminal", "passphrase", "run|export|unlock|key without a passphrase")


@case("the same with a desktop pinentry and no desktop")
def _():
    lock(pinentry="pinentry-gnome3")
    assert_says(get_quickly(), "terminal", "passphrase")


@case("with the passphrase cached get works without a terminal")
def _():
    lock()
    unlock()
    assert_got_it(get_quickly())


@case("with a missing pinentry-program get names pinentry, with and without a terminal")
def _():
    lock(pinentry="/nonexistent/pinentry")
    with Terminal() as terminal:
        assert_says(get_quickly(terminal=terminal), "pinentry", "install|gpg-agent.conf")
    assert_says(get_quickly(), "pinentry|terminal")


@case("a pinentry that cannot run is named")
def _():
    broken = USER.dir / "broken-pinentry"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    lock(pinentry=str(broken))
    with Terminal() as terminal:
        assert_says(get_quickly(terminal=terminal), "pinentry")


# --- no secret key, no agent ------------------------------------------------

def encryption_key_id(user, fingerprint):
    listed = user.run(["gpg", "--batch", "--with-colons", "--list-keys", fingerprint], check=True).out.decode()
    return next(line.split(":")[4] for line in listed.splitlines() if line.startswith("sub:"))


@case("a missing secret key is named with its id")
def _():
    with Sandbox() as user:
        user.env.update(LC_ALL="C")
        ids = user.make_store()
        user.store(URL, "me", SECRET)
        user.end_agent()
        shutil.rmtree(user.gnupg / "private-keys-v1.d")
        assert_says(get_quickly(user=user), "secret key", encryption_key_id(user, ids[0]))


@case("an entry for another person's key is reported with the id of that key")
def _():
    with Sandbox() as user, Sandbox() as somebody:
        user.env.update(LC_ALL="C")
        user.make_store()
        user.store(URL, "me", SECRET)
        key = somebody.make_key()
        user.entry(URL, "me").write_bytes(somebody.encrypt(SECRET.encode(), key))
        assert_says(get_quickly(user=user), "secret key", encryption_key_id(somebody, key))


@case("if the agent must not be started, the error names the agent, not the secret key")
def _():
    with Sandbox() as user:
        user.env.update(LC_ALL="C")
        lock(user)
        user.end_agent()
        with open(user.gnupg / "gpg.conf", "a") as conf:
            conf.write("no-autostart\n")
        assert_says(get_quickly(user=user), "gpg-agent")


@case("if the agent's program is missing, the error names the agent")
def _():
    with Sandbox() as user:
        user.env.update(LC_ALL="C")
        lock(user)
        user.end_agent()
        with open(user.gnupg / "gpg.conf", "a") as conf:
            conf.write("agent-program /nonexistent/gpg-agent\n")
        assert_says(get_quickly(user=user), "gpg-agent")


@case("if the path of the agent's socket is too long, the error names the agent and GNUPGHOME")
def _():
    with Sandbox() as user:
        user.env.update(LC_ALL="C")
        lock(user)
        far = user.dir / ("d" * 110)
        shutil.copytree(user.gnupg, far, ignore=lambda _, names: [name for name in names if name.startswith("S.")])
        far.chmod(0o700)
        env = {"GNUPGHOME": str(far)}
        socket = user.run(["gpgconf", "--list-dirs", "agent-socket"], env=env).out.strip()
        if len(socket) < 108:
            raise Skip("gpg uses another directory with a short path for its sockets here")
        assert_says(get_quickly(user=user, env=env), "gpg-agent", "GNUPGHOME")


@case("on a terminal a verb says which input it waits for and how to end it; docker gets no such text")
def _():
    for action, words in (("get", b"a server URL"), ("erase", b"a server URL"), ("store", b"a credential as JSON")):
        with Terminal() as terminal:
            helper = subprocess.Popen(helper_argv(action), env=USER.env, stdin=terminal.slave, stdout=subprocess.PIPE,
                                      stderr=terminal.slave)
            end = time.monotonic() + TIMEOUT_S
            while b"Ctrl-D" not in terminal.screen:
                assert time.monotonic() < end, terminal.screen
                terminal.watch(0.05)
            assert b"waiting for " + words in terminal.screen, terminal.screen
            os.write(terminal.master, b"https://nobody.example.com\n\x04")
            out = helper.communicate(timeout=TIMEOUT_S)[0]
            assert b"Ctrl-D" not in out, out
    result = USER.helper("get", stdin=b"https://nobody.example.com")
    assert result.err == b"", result


main()
