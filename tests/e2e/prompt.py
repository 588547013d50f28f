#!/usr/bin/env python3
"""A key with a passphrase: gpg's prompt comes up on the user's terminal, or the true cause is told.

Docker runs a helper with pipes for stdin and stdout and exports nothing, so gpg knows of no
terminal unless the helper finds it. What gpg itself says to all this is "No secret key".
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
FAST_S = 60  # a prompt that nobody answers would wait for longer
TIMEOUT_S = 300
CANCEL = "\t\t\r"  # from the passphrase past <OK>

USER = shared_sandbox()
# English messages; and no way to a prompt but the ones that each case gives.
USER.env.update(LC_ALL="C", TERM="xterm")


def write_agent_conf(user, pinentry):
    """A cheap key derivation: this is not what is measured here."""
    (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {pinentry}\ns2k-count 65536\n")


def lock(user=USER, pinentry="pinentry-curses"):
    """A new agent, which knows no passphrase, and has this pinentry.

    It runs already, so that the helper asks it without gpg; DOCKER_CREDENTIAL_PASS_FAST=0 has gpg ask.
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
    """Makes the agent know the passphrase, as an earlier prompt would."""
    argv = ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase-fd=0", "-qd", user.entry(URL, "me")]
    user.run(argv, PASSPHRASE.encode(), check=True)


def start(user, action, document, terminal=None, stderr_on_terminal=True, env=None):
    """Starts the helper in a session of its own, with the terminal, if any, in control of it."""
    merged = {name: value for name, value in {**user.env, **(env or {})}.items() if value is not None}
    helper = subprocess.Popen(
        helper_argv(action), env=merged, cwd=user.dir, start_new_session=True,
        preexec_fn=terminal.take if terminal else None, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=terminal.slave if terminal and stderr_on_terminal else subprocess.PIPE)
    helper.stdin.write(document)
    helper.stdin.close()
    return helper


def finish(helpers, terminals):
    """Serves the terminals until all the helpers have ended; answers their results."""
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
    """Without a prompt; where there is nothing to wait for nobody may be kept waiting."""
    begin = time.monotonic()
    result = get(**more)
    span = time.monotonic() - begin
    assert span < FAST_S, f"took {span:.1f} s: {result}"
    return result


def assert_got_it(result):
    assert result.rc == 0, result
    assert result.out == b'{"ServerURL":"%s","Username":"me","Secret":"%s"}\n' % (URL.encode(), SECRET.encode()), result


def assert_says(result, *patterns):
    """Refused in one line that matches all the patterns: the cause, and what to do."""
    assert_refused(result)
    for pattern in patterns:
        assert re.search(pattern, result.out.decode(), re.IGNORECASE), f"does not say {pattern!r}: {result}"


# --- with a terminal --------------------------------------------------------

@case("without a command: a pipe gets the usage line alone, a terminal is told of setup and doctor, too")
def _():
    with Sandbox() as user, Terminal() as terminal:
        usage = b"Usage: docker-credential-pass <store|get|erase|list|version>\n"
        piped = user.run(helper_argv())
        assert (piped.rc, piped.out, piped.err) == (1, usage, b""), piped
        shown = subprocess.run(helper_argv(), stdin=terminal.slave, stdout=terminal.slave, stderr=subprocess.PIPE, env=user.env)
        screen = os.read(terminal.master, 65536).replace(b"\r\n", b"\n")
        assert shown.returncode == 1 and shown.stderr == b"" and screen.startswith(usage), (shown, screen)
        assert b"docker-credential-pass setup " in screen and b"docker-credential-pass doctor " in screen, screen


@case("run as docker runs it, with stderr on the terminal and nothing exported, the prompt comes up and get succeeds")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal))
        assert terminal.prompts == 1, terminal.prompts


@case("with stdin, stdout and stderr all redirected the prompt comes up on the controlling terminal")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        result = get(terminal, stderr_on_terminal=False)
        assert_got_it(result)
        assert terminal.prompts == 1 and result.err == b"", result


@case("an agent that runs already, started without any terminal, prompts as well")
def _():
    lock()
    unlock()
    USER.run(["gpgconf", "--reload", "gpg-agent"], check=True)
    with Terminal(PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal))
        assert terminal.prompts == 1, terminal.prompts


@case("a GPG_TTY that names no terminal does no harm where there is one")
def _():
    for wrong in ("not a tty", "/dev/tty", "/dev/pts/99999", "/dev/null", ""):
        for stderr_on_terminal in (True, False):
            lock()
            with Terminal(PASSPHRASE + "\r") as terminal:
                assert_got_it(get(terminal, stderr_on_terminal=stderr_on_terminal, env={"GPG_TTY": wrong}))


@case("a GPG_TTY that names another terminal is followed")
def _():
    lock()
    with Terminal() as here, Terminal(PASSPHRASE + "\r") as there:
        helper = start(USER, "get", URL.encode(), here, env={"GPG_TTY": there.name})
        assert_got_it(finish([helper], [here, there])[0])
        assert (here.prompts, there.prompts) == (0, 1), (here.prompts, there.prompts)


@case("without TERM in the environment the prompt comes up all the same")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal, env={"TERM": None}))


@case("a passphrase that is wrong once is asked for again, and get succeeds")
def _():
    lock()
    with Terminal("wrong\r", PASSPHRASE + "\r") as terminal:
        assert_got_it(get(terminal))
        assert terminal.prompts == 2, terminal.prompts


@case("a passphrase that stays wrong is told as such")
def _():
    lock()
    with Terminal(*["wrong\r"] * 3) as terminal:
        assert_says(get(terminal), "passphrase", "wrong|bad|incorrect")


@case("a prompt that is cancelled is told as such")
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


@case("the prompt is the same, word for word, whether gpg asks for it or the helper does, which needs no gpg then")
def _():
    need_fast_path()
    by_gpg = screen_of_prompt({"DOCKER_CREDENTIAL_PASS_FAST": "0"})
    assert "Please enter the passphrase" in by_gpg and "ECDH key" in by_gpg and "main key ID" in by_gpg, by_gpg
    assert screen_of_prompt({"DOCKER_CREDENTIAL_PASS_FAST": None, "PATH": USER.path_without("gpg")}) == by_gpg


@case("in another language than English the prompt is gpg's own, since gpg has the words")
def _():
    need_fast_path()
    lock()
    german = {"LC_ALL": None, "LC_MESSAGES": "de_DE.UTF-8", "DOCKER_CREDENTIAL_PASS_FAST": None}
    with Terminal() as terminal:
        assert_says(get(terminal, env={**german, "PATH": USER.path_without("gpg")}), "gpg", "PATH")
        assert terminal.prompts == 0
    unlock()
    assert_got_it(get(env={**german, "PATH": USER.path_without("gpg")}))


@case("gets at once on a locked key all succeed after one prompt")
def _():
    lock()
    with Terminal(PASSPHRASE + "\r") as terminal:
        # One session can have only one leader; stderr alone tells the others where the terminal is.
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


# --- without one ------------------------------------------------------------

@case("without a terminal get fails quickly and names the cause, the missing terminal, and the cure")
def _():
    for env in ({}, {"GPG_TTY": "not a tty"}, {"GPG_TTY": "/dev/tty"}, {"TERM": None}):
        lock()
        assert_says(get_quickly(env=env), "terminal", "passphrase", "run|export|unlock|key without a passphrase")


@case("so it does where pinentry is one for desktops and there is no desktop")
def _():
    lock(pinentry="pinentry-gnome3")
    assert_says(get_quickly(), "terminal", "passphrase")


@case("with the passphrase cached get works without a terminal")
def _():
    lock()
    unlock()
    assert_got_it(get_quickly())


@case("with a pinentry-program that does not exist get names pinentry, on a terminal and without one")
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


@case("a secret key that is missing is named, with its id")
def _():
    with Sandbox() as user:
        user.env.update(LC_ALL="C")
        ids = user.make_store()
        user.store(URL, "me", SECRET)
        user.end_agent()
        shutil.rmtree(user.gnupg / "private-keys-v1.d")
        assert_says(get_quickly(user=user), "secret key", encryption_key_id(user, ids[0]))


@case("an entry for somebody else's key is named, with the id of that key")
def _():
    with Sandbox() as user, Sandbox() as somebody:
        user.env.update(LC_ALL="C")
        user.make_store()
        user.store(URL, "me", SECRET)
        key = somebody.make_key()
        user.entry(URL, "me").write_bytes(somebody.encrypt(SECRET.encode(), key))
        assert_says(get_quickly(user=user), "secret key", encryption_key_id(somebody, key))


@case("where the agent may not be started the agent is named, not the secret key")
def _():
    with Sandbox() as user:
        user.env.update(LC_ALL="C")
        lock(user)
        user.end_agent()
        with open(user.gnupg / "gpg.conf", "a") as conf:
            conf.write("no-autostart\n")
        assert_says(get_quickly(user=user), "gpg-agent")


@case("where the agent's program does not exist the agent is named")
def _():
    with Sandbox() as user:
        user.env.update(LC_ALL="C")
        lock(user)
        user.end_agent()
        with open(user.gnupg / "gpg.conf", "a") as conf:
            conf.write("agent-program /nonexistent/gpg-agent\n")
        assert_says(get_quickly(user=user), "gpg-agent")


@case("where the path of the agent's socket is too long the agent is named, and GNUPGHOME")
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
            raise Skip("gpg has its sockets elsewhere here, on a short path")
        assert_says(get_quickly(user=user, env=env), "gpg-agent", "GNUPGHOME")


@case("a person who runs a verb by hand is told what it waits for and how to end it; docker is told nothing")
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
