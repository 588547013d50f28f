#!/usr/bin/env python3
"""Secrets are not left in memory at exit, and never written to a file, argv or a core dump.

search-memory (SEARCH_MEMORY in the environment; its source is next to this file) searches all of
the helper's memory when it exits. This needs root, because the helper is not dumpable for its
own user.
"""

import base64
import json
import os
import pathlib
import random
import re
import string
import subprocess
import sys
import time

from harness import (ROOT, Sandbox, Skip, assert_refused, case, helper_argv, helper_path, is_wrapped, main, need, need_fast_path,
                     need_tracing, shared_sandbox)

# LeakSanitizer does not work with another tracer.
UNDER_TRACER = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}

URL = "https://example.com"
LETTERS = string.ascii_letters + string.digits
FOUND = 3
NOBODY = 65534

USER = shared_sandbox()
USER.make_store()


def random_text(size=48):
    """Returns random text, so that no part of it occurs by chance."""
    return "".join(random.choices(LETTERS, k=size))


# --- search patterns --------------------------------------------------------

def base64_forms(text):
    """Returns the base64 forms of text at the three alignments, without the ends, which depend on adjacent bytes."""
    forms = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + text.encode() + b"\0" * 3).decode()
        forms.append(encoded[4 if shift else 0:-8])
    return forms


def escaped_as_go_does(text):
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    return escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def forms_of(secret):
    """Returns the lines to search for: raw, in JSON with both kinds of escapes, in base64."""
    lines = secret.split("\n") + [json.dumps(secret)[1:-1], escaped_as_go_does(secret), *base64_forms(secret)]
    return sorted({line for line in lines if len(line) >= 12})


def search(argv, stdin, *lines, user=USER, **more):
    """Runs a program and searches its memory for the lines at exit."""
    tool = pathlib.Path(os.environ.get("SEARCH_MEMORY") or ROOT / "build/tests/search-memory")
    if not tool.exists():
        raise Skip("search-memory is not built")
    need_tracing()
    if is_wrapped():
        raise Skip("the search would find the wrapper's copies")
    patterns = user.dir / "patterns"
    patterns.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    try:
        result = user.run([tool, patterns, "--", *argv], stdin, env={**UNDER_TRACER, **more.pop("env", {})}, **more)
    finally:
        patterns.unlink()
    if b"cannot trace" in result.err or b"cannot be traced" in result.err:
        raise Skip("tracing other programs is not allowed here")
    return result


def search_helper(action, stdin, *secrets, **more):
    """Runs the helper; fails if any part of the secrets is in its memory. Returns its result."""
    lines = [line for secret in secrets for line in forms_of(secret)]
    result = search(helper_argv(action), stdin, *lines, **more)
    names = "".join(f"\n  pattern {n}: {line[:60]}" for n, line in enumerate(lines, 1))
    assert b"search-memory:" not in result.err, f"{result.err.decode()}{names}"
    return result


def document(secret, **more):
    return json.dumps({"ServerURL": URL, "Username": "me", "Secret": secret, **more}).encode()


def assert_stored(result, secret):
    assert (result.rc, result.out, result.err) == (0, b"", b""), result
    assert USER.get(URL) == ("me", secret)


# --- the search itself ------------------------------------------------------

@case("control: the search finds a secret that a program still holds or has freed")
def _():
    secret = random_text()
    holder = ["sh", "-c", "read -r held; exit 0"]
    assert search(holder, f"{secret}\n".encode(), secret).rc == FOUND
    forgetful = [sys.executable, "-c", "import os; s = os.read(0, 99).hex(); s = os.read(0, 0); os._exit(0)"]
    assert search(forgetful, secret.encode(), secret.encode().hex()).rc == FOUND


@case("control: the search finds a part of a secret, and its base64 within a longer text")
def _():
    secret = random_text()
    holder = ["sh", "-c", "read -r held; exit 0"]
    assert search(holder, f"{secret[-20:]}\n".encode(), secret).rc == FOUND
    for neighbours in ("x", "xy", "xyz"):
        encoded = base64.b64encode(f"{neighbours}:{secret}:{neighbours}".encode()).decode()
        assert search(holder, f"{encoded}\n".encode(), *base64_forms(secret)).rc == FOUND, neighbours


@case("control: the search finds nothing without a secret, and returns the program's exit status")
def _():
    result = search(["sh", "-c", "read -r held; exit 7"], f"{random_text()}\n".encode(), random_text())
    assert (result.rc, result.err) == (7, b""), result


# --- get --------------------------------------------------------------------

def search_get(secret, *pieces):
    USER.store(URL, "me", secret)
    result = search_helper("get", URL.encode(), *(pieces or [secret]))
    assert result.rc == 0 and json.loads(result.out)["Secret"] == secret, result


@case("after get no part of the secret is in memory")
def _():
    search_get(random_text())


@case("after get of a secret with escapes or several lines, no part of it is in memory")
def _():
    search_get("".join(random_text(3) + mark for mark in '"<&>\\\t/') * 3 + "\u00fc\u2028" + random_text())
    search_get('{\n  "private_key": "' + random_text(60) + '\\n' + random_text(60) + '"\n}')


@case("after get of a long secret no part of it is in memory")
def _():
    if b"__asan_init" in pathlib.Path(helper_path()).read_bytes():
        raise Skip("the address sanitizer keeps 16 bytes on the stack, in frames that are not wiped")
    secret = random_text(60_000)
    search_get(secret, *(secret[at:at + 48] for at in (0, 1000, 4090, 33_000, 59_950)))


@case("after a get that could not write its answer, no part of the secret is in memory")
def _():
    secret = random_text()
    USER.store(URL, "me", secret)
    with open("/dev/full", "wb") as full:
        assert search_helper("get", URL.encode(), secret, stdout=full).rc == 1


@case("after a get of a tampered entry, whose plaintext gpg prints before it detects that, no part of it is in memory")
def _():
    secret = random_text()
    USER.store(URL, "me", secret)
    entry = USER.entry(URL, "me")
    content = bytearray(entry.read_bytes())
    content[-1] ^= 1
    entry.write_bytes(content)
    assert_refused(search_helper("get", URL.encode(), secret))


@case("after get no key that could decrypt the secret is in memory")
def _():
    need_fast_path()
    fast = {"DOCKER_CREDENTIAL_PASS_FAST": None}
    for _ in range(5):
        USER.store(URL, "me", random_text())
        said = USER.run(["gpg", "--batch", "--show-session-key", "-d", USER.entry(URL, "me")], check=True).err.decode()
        key = bytes.fromhex(re.search(r"session key: '[\d.]+:([0-9A-F]+)'", said)[1])
        if b"\n" in key or b"\0" in key:  # the patterns are lines of text
            continue
        # The AES key schedule starts with the key, in halves for AES-256.
        for pieces in ([key], [key[:16], key[16:]]):
            result = search(helper_argv("get"), URL.encode(), *pieces, env=fast)
            assert result.rc == 0, result.err.decode()


# --- store ------------------------------------------------------------------

@case("after a first and a replacing store, no part of the secret is in memory")
def _():
    USER.erase(URL)
    for _ in range(2):
        secret = random_text()
        assert_stored(search_helper("store", document(secret), secret), secret)


@case("after store of a secret with escapes, no part of it is in memory")
def _():
    secret = random_text()
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in secret)
    result = search_helper("store", document("?").replace(b"?", escaped.encode()), secret, escaped)
    assert_stored(result, secret)
    secret = "".join(random_text(3) + mark for mark in '"<&>\\\t/') * 3 + random_text()
    assert_stored(search_helper("store", document(secret), secret), secret)


@case("after store of a long secret no part of it is in memory")
def _():
    secret = random_text(200_000)
    pieces = [secret[at:at + 48] for at in (0, 1000, 4090, 65_500, 131_050, 199_950)]
    assert_stored(search_helper("store", document(secret), *pieces), secret)


@case("after store of a document with two secrets or other fields, no part of them is in memory")
def _():
    first, last, other = random_text(), random_text(), random_text()
    text = document(last, Other=other).replace(b'"Secret"', b'"Secret": "%s", "secret"' % first.encode(), 1)
    assert_stored(search_helper("store", text, first, last, other), last)


@case("after a refused store no part of the secret is in memory")
def _():
    secret = random_text()
    whole = document(secret)
    for refused in (document(secret, Username=""), document(secret, ServerURL=""), document(secret, Username="../x"),
                    document(secret, Username=7), whole[:-1], b"[" + whole, whole.replace(b'"Secret"', b'"Secret" "x"'),
                    whole.replace(secret.encode(), secret.encode() + b"\x01")):
        assert search_helper("store", refused, secret).rc == 1, refused


def refused_store(gpg_id=None, prepare=lambda user: None):
    """A store that fails after the helper has read the secret."""
    with Sandbox() as user:
        user.make_store(user.make_key())
        if gpg_id is not None:
            (user.prefix / ".gpg-id").write_text(gpg_id)
        prepare(user)
        secret = random_text()
        assert_refused(search_helper("store", document(secret), secret, user=user))


@case("after a store without a usable key, no part of the secret is in memory")
def _():
    refused_store("")


@case("after a store that gpg refused, no part of the secret is in memory")
def _():
    refused_store("missing@example.com\n")


@case("after a store that could not write, no part of the secret is in memory")
def _():
    refused_store(prepare=lambda user: user.folder.write_text("a file in place of a directory"))


@case("after store in a git store no part of the secret is in memory")
def _():
    with Sandbox() as user:
        user.make_store(git=True)
        secret = random_text()
        result = search_helper("store", document(secret), secret, user=user)
        assert (result.rc, result.out, result.err) == (0, b"", b""), result


# --- while it runs ----------------------------------------------------------

def start_and_wait(argv, holds, **more):
    """Starts a program that waits for stdin; returns whether holds(its directory in /proc) becomes true."""
    program = subprocess.Popen(argv, env=USER.env, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, **more)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if holds(pathlib.Path(f"/proc/{program.pid}")):
                return True
            time.sleep(0.01)
        return False
    finally:
        program.kill()
        program.wait()
        program.stdin.close()


def has_no_core(proc):
    return re.search(r"^Max core file size +0 +0 ", (proc / "limits").read_text(), re.MULTILINE) is not None


@case("while it waits for input the helper cannot leave a core dump")
def _():
    assert start_and_wait(helper_argv("get"), has_no_core)


@case("while it waits, root owns its /proc files, so that the user's other programs cannot read its memory")
def _():
    more = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    is_roots = lambda proc: (proc / "environ").stat().st_uid == 0
    if subprocess.run([helper_path(), "version"], stdout=subprocess.DEVNULL, **more).returncode != 0:
        raise Skip("the helper is in a directory that an ordinary user cannot enter")
    assert start_and_wait(helper_argv("get"), is_roots, **more)


@case("control: the /proc files of another program, started in the same way, belong to its user")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can start programs as another user")
    is_users = lambda proc: (proc / "environ").stat().st_uid == NOBODY
    assert start_and_wait(["cat"], is_users, user=NOBODY, group=NOBODY, extra_groups=[])


@case("while it waits, the memory for secrets is locked, so that it is never swapped out")
def _():
    if b"__asan_init" in pathlib.Path(helper_path()).read_bytes():
        raise Skip("the address sanitizer disables mlock()")
    if os.geteuid() != 0:
        raise Skip("the limit on locked memory may be 0 for an ordinary user")

    def has_locked_memory(proc):
        locked = re.search(r"^VmLck:\s+(\d+) kB", (proc / "status").read_text(), re.MULTILINE)
        return locked is not None and int(locked[1]) > 0

    assert start_and_wait(helper_argv("get"), has_locked_memory)


def calls_with(secret, user, action, stdin, env):
    """Returns strace's lines of the helper and its child processes that contain the secret."""
    need_tracing()
    log = user.dir / "strace"
    calls = "execve,write,writev,pwrite64,sendto,sendmsg"
    result = user.run([need("strace"), "-f", "-v", "-y", "-s1000000", "-e", "signal=none", "-e", f"trace={calls}",
                       "-o", log, *helper_argv(action)], stdin, env={**UNDER_TRACER, **env})
    lines = log.read_text(errors="replace").splitlines()
    log.unlink()
    assert result.rc == 0, result
    assert any("execve(" in line and "/gpg" in line for line in lines) == bool(env["DOCKER_CREDENTIAL_PASS_FAST"]), env
    return [line for line in lines if secret in line]


def without_secret(line, secret):
    return line.replace(secret, "SECRET")[:200]


@case("the secret passes to gpg and stdout only through pipes, never through a file, argv or the environment")
def _():
    need_fast_path()
    if is_wrapped():
        raise Skip("the wrapper starts programs and writes files of its own")
    with Sandbox() as user:
        user.make_store(git=True)
        secret = random_text()
        by_gpg = {"DOCKER_CREDENTIAL_PASS_FAST": "0"}
        stored = calls_with(secret, user, "store", document(secret), by_gpg)
        got = calls_with(secret, user, "get", URL.encode(), by_gpg)
        got_fast = calls_with(secret, user, "get", URL.encode(), {"DOCKER_CREDENTIAL_PASS_FAST": None})
        for line in stored + got + got_fast:
            assert re.match(r"\d+ +writev?\(\d+<pipe:\[\d+\]>, ", line), without_secret(line, secret)
        # Store: to gpg. Get with gpg: from gpg, then to stdout. Get without gpg: to stdout, as gpg-agent never has the secret.
        assert (len(stored), len(got), len(got_fast)) == (1, 2, 1), [without_secret(line, secret) for line in stored + got]
        files = [path for path in user.dir.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
        assert files == [], files


def shows(content, secret):
    """Returns True if the content has any 8 bytes of the secret, as text or in hexadecimal."""
    squeezed = re.sub(rb"\s", b"", content).lower()
    pieces = [secret[at:at + 8].encode() for at in range(len(secret) - 7)]
    return any(piece in content or piece.hex().encode() in squeezed for piece in pieces)


@case("GPGME_DEBUG in the environment does not write the secret anywhere")
def _():
    log = USER.dir / "gpgme-log"
    for level in ("9:", "9;"):
        env = {"GPGME_DEBUG": f"{level}{log}"}
        secret = random_text()
        USER.store(URL, "me", secret, env=env)
        assert USER.get(URL, env=env) == ("me", secret)
        for path in USER.dir.rglob("*"):
            assert not path.is_file() or not shows(path.read_bytes(), secret), f"the secret is in {path}"
        log.unlink(missing_ok=True)


main()
