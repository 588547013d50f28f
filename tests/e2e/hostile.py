"""Shared by the hostile-* topics: programs with limits, and texts that must not reach a terminal."""

import os
import re
import tempfile
import time

from harness import Result, helper_argv, is_sanitized

# Long enough for a busy machine; a program that hangs takes longer.
LONGEST_S = 60
MOST_MEMORY_KIB = 300 << 10

# Names that attack a terminal: an escape sequence, a bell, C1 controls in UTF-8 and as a byte, a line end, a character that
# reverses the text direction, and invalid UTF-8.
EVIL_NAMES = [b"a\x1b[2J\x1b]0;owned\x07", b"b\xc2\x9b31m", b"c\x9b31m", b"d\nerror: all is well", b"e\r\x08\x7f",
              "f\u202egpj".encode(), b"g\xff\xfe\xc0\xaf", "h\u2028i\u0085".encode()]

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def assert_safe_to_show(text, may_have_lines=True):
    """Asserts that the text is UTF-8 without control characters, except line ends."""
    shown = text.decode()  # fails for invalid UTF-8
    found = UNSAFE.search(shown)
    assert not found, f"{found[0]!r} in {text!r}"
    assert may_have_lines or shown.count("\n") <= 1, f"more than one line: {text!r}"


def run_watched(user, argv, stdin=b"", env=None, longest_s=LONGEST_S):
    """Runs a program with limits on time and memory; returns its Result, with .seconds."""
    merged = {**user.env, **(env or {})}
    merged = {name: str(value) for name, value in merged.items() if value is not None}
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin)
        source.seek(0)
        begin = time.monotonic()
        pid = os.posix_spawnp(argv[0], argv, merged, file_actions=[
            (os.POSIX_SPAWN_DUP2, source.fileno(), 0), (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, err.fileno(), 2)])
        done, status, usage = 0, 0, None
        while not done:
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if not done and time.monotonic() - begin > longest_s:
                os.kill(pid, 9)
                os.wait4(pid, 0)
                raise AssertionError(f"{argv} did not end within {longest_s} s")
            if not done:
                time.sleep(0.005)
        out.seek(0)
        err.seek(0)
        result = Result(os.waitstatus_to_exitcode(status), out.read(), err.read())
    result.seconds = time.monotonic() - begin
    assert usage.ru_maxrss < MOST_MEMORY_KIB * (4 if is_sanitized() else 1), f"{argv} took {usage.ru_maxrss >> 10} MiB"
    assert result.rc in (0, 1), f"{argv}: {result}"
    return result


def run_helper(user, *args, stdin=b"", **more):
    return run_watched(user, helper_argv(*args), stdin, **more)
