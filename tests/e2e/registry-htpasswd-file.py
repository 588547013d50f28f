#!/usr/bin/env python3
"""`registryd htpasswd` on files: the same effect as Apache's htpasswd, but atomic, and other lines
stay unchanged.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error

from harness import Result, Skip, case, main, need
from registry import Registry, registryd

TIMEOUT_S = 300
# Apache's htpasswd made this hash of "old".
OLD = b"$2y$05$x.BBmUhGM1Fm6dYmnqMu.uvweuJzoawjAHyizJgDPYh9mv38kn//q"
HASH = rb"\$2y\$04\$[./0-9A-Za-z]{53}"


class Directory:
    """A temporary directory, with or without a file of users."""

    def __init__(self, content=None):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="dcp-htpasswd.", dir="/tmp"))
        self.file = self.path / "users"
        if content is not None:
            self.file.write_bytes(content)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def run(self, *words, stdin=b"", program=None, **more):
        """Runs the program in a new session, so that there is no terminal for a prompt."""
        argv = [program] if program else [registryd(), "htpasswd"]
        done = subprocess.run([*argv, *words], input=stdin, cwd=self.path, capture_output=True,
                              timeout=TIMEOUT_S,
                              start_new_session=True, **more)
        return Result(done.returncode, done.stdout, done.stderr)

    def names(self):
        return sorted(path.name for path in self.path.iterdir())

    def lets_in(self, user, password, file="users"):
        """Both Apache's htpasswd and registryd accept this password of the user."""
        ours = self.run("-vi", file, user, stdin=password).rc
        theirs = self.run("-vi", file, user, stdin=password, program=need("htpasswd")).rc
        assert ours == theirs and ours in (0, 3), (ours, theirs)
        return ours == 0


def when_changed(file):
    """Returns attributes that change when a file is written or replaced, but not when it is read.
    """
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def assert_refused(result, status, *words):
    assert result.rc == status and result.out == b"", result
    assert result.err.startswith(b"registryd: ") and result.err.count(b"\n") == 1, result
    for word in words:
        assert word.encode() in result.err, f"does not say {word!r}: {result}"


# --- changes ------------------------------------------------------------------------------


@case("-c creates a file with the user that only its owner can read")
def _():
    with Directory() as directory:
        result = directory.run("-cBbC4", "users", "u", "secret")
        assert result.rc == 0 and result.out == b"" and b"added u to users" in result.err, result
        assert re.fullmatch(rb"u:" + HASH + rb"\n", directory.file.read_bytes())
        assert directory.file.stat().st_mode & 0o7777 == 0o600 and directory.names() == ["users"]
        assert directory.lets_in("u", b"secret") and not directory.lets_in("u", b"Secret")


@case("without -c a missing file is an error that names -c")
def _():
    with Directory() as directory:
        for words in (("-Bb", "users", "u", "p"), ("-D", "users", "u")):
            assert_refused(directory.run(*words), 1, "users", "-c")
        assert_refused(directory.run("-vb", "users", "u", "p"), 1, "users")
        assert_refused(directory.run("-cBb", "none/users", "u", "p"), 1, "none/users")
        assert directory.names() == []


@case("-c replaces an existing file, and keeps its mode")
def _():
    with Directory(b"a:x\nnonsense\n") as directory:
        directory.file.chmod(0o640)
        assert directory.run("-cBbC4", "users", "u", "p").rc == 0
        assert re.fullmatch(rb"u:" + HASH + rb"\n", directory.file.read_bytes())
        assert directory.file.stat().st_mode & 0o7777 == 0o640


@case("only the line of the user changes, and no byte of the others")
def _():
    with Directory(b"# users: all\r\n\r\na:" + OLD + b":more\r\n  u:" + OLD
                   + b"\r\n\t# u\r\n b:{SHA}x \nc:" + OLD) as directory:
        result = directory.run("-BbC4", "users", "u", "new")
        assert result.rc == 0 and b"changed the password of u in users" in result.err, result
        expected = (re.escape(b"# users: all\r\n\r\na:" + OLD + b":more\r\n") + rb"u:" + HASH +
                    re.escape(b"\r\n\t# u\r\n b:{SHA}x \nc:" + OLD))
        assert re.fullmatch(expected, directory.file.read_bytes()), directory.file.read_bytes()
        assert directory.lets_in("u", b"new") and directory.lets_in("c", b"old")
        assert directory.run("-BbC4", "users", "d", "p").rc == 0
        assert re.fullmatch(expected + rb"\nd:" + HASH + rb"\n", directory.file.read_bytes()), (
            directory.file.read_bytes())


@case("the password is read from standard input with -i, and otherwise twice from the terminal")
def _():
    with Directory(b"") as directory:
        assert directory.run("-iC4", "users", "u", stdin=b"from input\n").rc == 0
        assert directory.lets_in("u", b"from input")
        assert_refused(directory.run("users", "u"), 1, "no terminal")
        for words, typed, status in ((["-C4"], [b"typed\n", b"typed\n"], 0),
                                     (["-C4"], [b"typed\n", b"Typed\n"], 3),
                                     (["-v"], [b"typed\n"], 0), (["-v"], [b"wrong\n"], 3)):
            assert on_terminal([*words, str(directory.file), "u"], typed) == status, (words, typed)
        assert directory.lets_in("u", b"typed")


def on_terminal(words, typed):
    """Types one line at each prompt; returns the exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(registryd(), [registryd(), "htpasswd", *words])
    screen = b""
    for line in typed:
        while not screen.endswith(b"password: "):
            screen += os.read(fd, 4096)
        os.write(fd, line)
        screen = b""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return status


@case("links are followed, also a link to a file that does not exist yet")
def _():
    with Directory(b"") as directory:
        (directory.path / "below").mkdir()
        (directory.path / "one").symlink_to("below/two")
        (directory.path / "below/two").symlink_to("../users")
        assert directory.run("-BbC4", "one", "u", "p").rc == 0
        assert (directory.lets_in("u", b"p") and (directory.path / "one").is_symlink()
                and (directory.path / "below/two").is_symlink())
        (directory.path / "dangling").symlink_to(directory.path / "below/made")
        assert_refused(directory.run("-BbC4", "dangling", "u", "p"), 1, "-c")
        assert directory.run("-cBbC4", "dangling", "u", "p").rc == 0
        assert (directory.lets_in("u", b"p", "below/made")
                and (directory.path / "dangling").is_symlink())
        (directory.path / "loop").symlink_to("loop")
        assert_refused(directory.run("-BbC4", "loop", "u", "p"), 1, "loop")


@case("files that are not htpasswd files stay unchanged")
def _():
    with Directory(b"a:x\nnonsense\n") as directory:
        for words in (["-Bb", "users", "u", "p"], ["-D", "users", "a"], ["-vb", "users", "a", "p"]):
            assert_refused(directory.run(*words), 7, "users:2", "':'")
        for path in (".", "/dev/null"):
            assert_refused(directory.run("-Bb", path, "u", "p"), 1)
            assert_refused(directory.run("-cBb", path, "u", "p"), 1)
        os.mkfifo(directory.path / "pipe")
        assert_refused(directory.run("-Bb", "pipe", "u", "p"), 1, "not a regular file")
        assert directory.file.read_bytes() == b"a:x\nnonsense\n"


@case("the file keeps its owner and group")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can create a file of another user")
    with Directory(b"a:x\n") as directory:
        os.chown(directory.file, 12345, 54321)
        directory.file.chmod(0o440)
        assert directory.run("-BbC4", "users", "u", "p").rc == 0
        now = directory.file.stat()
        assert (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (12345, 54321, 0o440), now


@case("without write permission for the file or its directory, nothing changes and no "
      "temporary file is left")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    with Directory(b"a:x\n") as directory:
        # Other users may not be able to enter the build directory
        copy = directory.path / "registryd"
        shutil.copy(registryd(), copy)
        for mode, owner, file_owner in ((0o755, 0, 0), (0o777, 0, 0), (0o777, 0, 12345),
                                        (0o755, 0, 65534)):
            directory.path.chmod(mode)
            os.chown(directory.file, file_owner, file_owner)
            done = subprocess.run([copy, "htpasswd", "-BbC4", directory.file, "u", "p"],
                                  capture_output=True, user=65534,
                                  group=65534, extra_groups=[], timeout=TIMEOUT_S)
            assert done.returncode == 1 and str(directory.file).encode() in done.stderr, done
            assert (directory.file.read_bytes() == b"a:x\n"
                    and directory.names() == ["registryd", "users"]), directory.names()


@case("on a full disk nothing changes, and no temporary file is left")
def _():
    with Directory(b"a:" + b"x" * 8192 + b"\n") as directory:
        before = directory.file.read_bytes()
        done = subprocess.run(["sh", "-c", 'ulimit -f 4; exec "$0" htpasswd -BbC4 users u p',
                               registryd()], cwd=directory.path,
                              capture_output=True, timeout=TIMEOUT_S)
        assert done.returncode == 1 and b"users" in done.stderr, done
        assert directory.file.read_bytes() == before and directory.names() == ["users"], (
            directory.names())


@case("a user is removed; removing an unknown user does not change the file")
def _():
    with Directory(b"# u\na:x\nu:" + OLD + b"\n u:y\nb:z") as directory:
        result = directory.run("-D", "users", "u")
        assert result.rc == 0 and b"removed u from users" in result.err, result
        assert directory.file.read_bytes() == b"# u\na:x\nb:z"
        before = directory.file.stat()
        result = directory.run("-D", "users", "u")
        assert result.rc == 0 and b"no user u" in result.err, result
        assert directory.file.stat().st_ino == before.st_ino


@case("-v says whether the server would accept the password")
def _():
    sha = b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"
    with Directory(b"u:" + OLD + b"\nlast:x\nlast:" + OLD + b":more\nsha:" + sha
                   + b"\n") as directory:
        before = when_changed(directory.file)
        assert directory.run("-vb", "users", "u", "old").rc == 0
        assert directory.run("-vb", "users", "last", "old").rc == 0
        assert_refused(directory.run("-vb", "users", "u", "new"), 3, "u")
        assert_refused(directory.run("-vb", "users", "sha", "secret"), 3, "bcrypt")
        assert_refused(directory.run("-vb", "users", "nobody", "old"), 6, "nobody")
        assert when_changed(directory.file) == before


@case("no password is printed or stays on the command line")
def _():
    with Directory(b"u:" + OLD + b"\n") as directory:
        for words in (["-BbC4", "users", "u"], ["-vb", "users", "u"], ["-vb", "users", "nobody"],
                      ["-cBbC4", "users", "u"]):
            result = directory.run(*words, "on-the-line")
            assert b"on-the-line" not in result.out + result.err, result
        started = subprocess.Popen([registryd(), "htpasswd", "-bC14", directory.file, "u",
                                    "on-the-line"],
                                   stderr=subprocess.DEVNULL)
        shown = b""
        while not shown or b"on-the-line" in shown:
            assert started.poll() is None, (
                f"it exited with the password still on its command line: {shown!r}")
            shown = pathlib.Path(f"/proc/{started.pid}/cmdline").read_bytes()
        assert started.wait(TIMEOUT_S) == 0


# --- concurrent changes -------------------------------------------------------------------


@case("concurrent changes all take effect")
def _():
    with Directory(b"") as directory:
        started = [subprocess.Popen([registryd(), "htpasswd", "-bC4", directory.file,
                                     f"user{number}", "p"],
                                    stderr=subprocess.DEVNULL) for number in range(24)]
        assert [process.wait(TIMEOUT_S) for process in started] == [0] * 24
        assert {line.split(b":")[0] for line in directory.file.read_bytes().splitlines()} == {
            b"user%d" % number for number in range(24)}
        assert directory.names() == ["users"]


@case("readers see the old or the new file, and a signal leaves no temporary file")
def _():
    with Directory(b"a:" + b"x" * 100000 + b"\nu:" + OLD + b"\n") as directory:
        for attempt in range(30):
            started = subprocess.Popen([registryd(), "htpasswd", "-bC4", directory.file, "u", "p"],
                                       stderr=subprocess.DEVNULL)
            end = time.monotonic() + attempt * 0.0007
            while time.monotonic() < end:
                seen = directory.file.read_bytes()
                assert (seen.startswith(b"a:xxx")
                        and re.search(rb"\nu:\$2y\$0[45]\$.{53}\n\Z", seen)), seen[-80:]
            started.send_signal(signal.SIGTERM)
            assert started.wait(TIMEOUT_S) in (0, -signal.SIGTERM)
            assert directory.names() == ["users"], directory.names()


def login(registry, user, password):
    registry.username, registry.password = user, password
    try:
        return registry.request("GET", "/v2/")
    except urllib.error.HTTPError as answer:
        return answer.code


def wait_for_login(registry, user, password, status):
    deadline = time.monotonic() + 120
    while (found := login(registry, user, password)) != status:
        assert time.monotonic() < deadline, f"{user}: {found}, not {status}"
        time.sleep(0.1)


@case("a running registryd accepts a new and a changed user, and rejects a removed one")
def _():
    with Registry() as registry, Directory() as directory:
        first, password = registry.username, registry.password
        file = registry.dir / "htpasswd"
        assert login(registry, "new", "one") == 401
        assert directory.run("-iC4", str(file), "new", stdin=b"one").rc == 0
        wait_for_login(registry, "new", "one", 200)
        assert directory.run("-iC4", str(file), "new", stdin=b"two").rc == 0
        wait_for_login(registry, "new", "one", 401)
        wait_for_login(registry, "new", "two", 200)
        assert directory.run("-D", str(file), "new").rc == 0
        wait_for_login(registry, "new", "two", 401)
        wait_for_login(registry, first, password, 200)


# --- side by side with Apache's program ------------------------------------------------------

FILES = {
    "some": b"# c: x\n\na:" + OLD + b"\nu:" + OLD + b"\n# end\n",
    "empty": b"",
    "twice": b"u:" + OLD + b"\na:x\nu:" + OLD + b"\n",
    "indented": b"  u:" + OLD + b"\n\ta:x\n",
    "strange": b"u:" + OLD + b"\nnonsense\n",
    "missing": None,
}
COMMANDS = (
    ["-BbC4", "users", "u", "p"], ["-BbC4", "users", "new", "p"],
    ["-BbC4", "users", "x" * 256, "p"],
    ["-BbC4", "users", "u", "x" * 256], ["-BbC4", "users", "a:b", "p"],
    ["-BbC4", "users", "x y", ""],
    ["-cBbC4", "users", "u", "p"], ["-cBbC4", "none/users", "u", "p"], ["-BiC4", "users", "u"],
    ["-cBiC4", "users", "u"],
    ["-D", "users", "u"], ["-D", "users", "nobody"], ["-D", "users", "u:"], ["-D", "users", "#"],
    ["-Db", "users", "u", "p"],
    ["-vb", "users", "u", "old"], ["-vb", "users", "u", "new"], ["-vb", "users", "nobody", "old"],
    ["-vb", "users", "a:", "x"],
    ["-vb", "users", "u", "x" * 256], ["-vi", "users", "u"], ["-v", "-i", "users", "nobody"],
    ["-cD", "users", "u"], ["-cn", "u"], ["-nv", "u"], ["-nD", "u"], ["-Dv", "users", "u"],
    ["-bi", "users", "u", "p"],
    ["-B", "users"], ["-Bb", "users", "u"], ["-B", "users", "u", "p"], ["-D", "users"],
    ["-Z", "users", "u"], [], ["-C"],
)


def effect_of(program, content, words):
    """Returns the exit status, and the file with new hashes replaced by a placeholder."""
    with Directory(content) as directory:
        result = directory.run(*words, stdin=b"old", program=program)
        after = directory.file.read_bytes() if directory.file.exists() else None
        assert directory.names() == ([] if after is None else ["users"]), directory.names()
        return result.rc, after and re.sub(HASH, b"NEW", after)


@case("files and exit statuses are the same as those of Apache's htpasswd")
def _():
    theirs = need("htpasswd")
    for name, content in FILES.items():
        for words in COMMANDS:
            if (content, words) in ((before, said) for before, said, _, _ in DIFFERENCES):
                continue
            found, expected = effect_of(None, content, words), effect_of(theirs, content, words)
            assert found == expected, f"{name}: {words}: {found}, Apache: {expected}"


# Intended differences: file, command, our exit status and file, and Apache's.
DIFFERENCES = (
    # With Apache's program, the new user becomes a part of the last line.
    (b"a:x", ["-BbC4", "users", "u", "p"], (0, b"a:x\nu:NEW\n"), (0, b"a:xu:NEW\n")),
    # registryd keeps carriage returns.
    (b"a:x\r\nu:x\r\n", ["-BbC4", "users", "u", "p"], (0, b"a:x\r\nu:NEW\r\n"),
     (0, b"a:x\r\nu:NEW\n")),
    # registryd checks the cost as a part of the command line.
    (b"", ["-BbC3", "users", "u", "p"], (2, b""), (3, b"")),
    # Names that the server does not recognise.
    (b"", ["-BbC4", "users", "", "p"], (6, b""), (0, b":NEW\n")),
    (b"", ["-BbC4", "users", "#u", "p"], (6, b""), (0, b"#u:NEW\n")),
    (b"", ["-BbC4", "users", "a\nb", "p"], (6, b""), (0, b"a\nb:NEW\n")),
    # The server skips a byte order mark, ignores text after a hash, and uses the last line of a
    # user.
    (b"\xef\xbb\xbfu:x\n", ["-D", "users", "u"], (0, b"\xef\xbb\xbf"), (0, b"\xef\xbb\xbfu:x\n")),
    (b"u:" + OLD + b":x\n", ["-vb", "users", "u", "old"], (0, b"u:" + OLD + b":x\n"),
     (3, b"u:" + OLD + b":x\n")),
    (b"u:x\nu:" + OLD + b"\n", ["-vb", "users", "u", "old"], (0, b"u:x\nu:" + OLD + b"\n"),
     (3, b"u:x\nu:" + OLD + b"\n")),
    # registryd reports an invalid file before it checks a password.
    (FILES["strange"], ["-vb", "users", "u", "new"], (7, FILES["strange"]), (3, FILES["strange"])),
    # The server does not support other hashes.
    (b"", ["-sb", "users", "u", "p"], (2, b""), (0, b"u:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=\n")),
    (b"u:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=\n", ["-vb", "users", "u", "p"],
     (3, b"u:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=\n"), (0, b"u:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=\n")),
)


@case("the differences from Apache's htpasswd are the intended ones")
def _():
    theirs = need("htpasswd")
    for content, words, ours, apache in DIFFERENCES:
        found = effect_of(None, content, words)
        assert found == ours, f"{content} {words}: {found}"
        found = effect_of(theirs, content, words)
        assert found == apache, f"{content} {words}: Apache's htpasswd now has the result {found}"


main()
