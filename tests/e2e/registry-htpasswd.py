#!/usr/bin/env python3
"""`registryd htpasswd`: Apache's htpasswd and registry:2 accept its output, and it leaves no
password behind.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import tempfile
import termios
import time

from harness import Result, case, main, need
from registry import Registry, registryd

PROGRAM = registryd()
TIMEOUT_S = 300
LINE = re.compile(rb"\A([^:\n]+):\$2y\$(\d\d)\$[./0-9A-Za-z]{53}\n\n\Z")


def argv(*words):
    return [PROGRAM, "htpasswd", *words]


def run(*words, stdin=b"", **more):
    """Runs the program in a new session, so that there is no terminal for a prompt."""
    done = subprocess.run(argv(*words), input=stdin, stdout=more.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE,
                          timeout=TIMEOUT_S, start_new_session=True, **more)
    return Result(done.returncode, done.stdout or b"", done.stderr)


def line_of(result, user, cost=10):
    """Checks the format of the output, and returns the line."""
    found = LINE.match(result.out)
    assert result.rc == 0 and result.err == b"" and found, result
    assert found[1] == user.encode() and int(found[2]) == cost, result
    return result.out


def apache_takes(line, user, password):
    """Returns whether Apache's htpasswd accepts this password of the user."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(line)
        file.flush()
        done = subprocess.run([need("htpasswd"), "-vi", file.name, user], input=password,
                              capture_output=True, timeout=TIMEOUT_S)
        assert done.returncode in (0, 3), done
        return done.returncode == 0


# Apache's exit statuses.
FILE, SYNTAX, MISMATCH, TOO_LONG, BAD_USER = 1, 2, 3, 5, 6


def assert_refused(status, result, *words):
    assert result.rc == status and result.out == b"", result
    assert (result.err.startswith(b"registryd: ") and result.err.count(b"\n") == 1
            and result.err.endswith(b"\n")), result
    for word in words:
        assert word.encode() in result.err, f"does not say {word!r}: {result}"


@case("step 1 of the article works unchanged: -Bbn user password")
def _():
    line = line_of(run("-Bbn", "testuser", "testpassword"), "testuser")
    assert apache_takes(line, "testuser", b"testpassword")
    assert not apache_takes(line, "testuser", b"testpassworD")


@case("registry:2 accepts a user with the printed line")
def _():
    with Registry() as registry:
        printed = run("-inB", "ours", stdin=b"p\xc3\xa4ss: word")
        with open(registry.dir / "htpasswd", "ab") as file:
            file.write(line_of(printed, "ours"))
        registry.username, registry.password = "ours", "päss: word"
        assert registry.request("GET", "/v2/") == 200


@case("two hashes of one password differ")
def _():
    assert run("-bnC4", "u", "same").out != run("-bnC4", "u", "same").out


@case("-i reads the password from standard input, without the line end")
def _():
    for text in (b"secret", b"secret\n", b"secret\r\n"):
        assert apache_takes(line_of(run("-inC4", "u", stdin=text), "u", 4), "u", b"secret")


@case("Apache's htpasswd accepts hashes of passwords with any characters")
def _():
    for password in (b"", b" ", b"a:b", b"-n", "pässwörd 日本".encode(), b"\xff\xff\xa3",
                     b"\xff\xa3345", b"x" * 72, b"y" * 255):
        result = run("-inC4", "u", stdin=password)
        assert result.rc == 0 and apache_takes(result.out, "u", password), password


@case("a password after -b may begin with '-', and may be empty")
def _():
    assert apache_takes(line_of(run("-bnC4", "u", "-secret"), "u", 4), "u", b"-secret")
    assert apache_takes(line_of(run("-bnC4", "u", ""), "u", 4), "u", b"")


@case("a warning says that bcrypt uses only the first 72 bytes")
def _():
    assert run("-inC4", "u", stdin=b"x" * 72).err == b""
    result = run("-inC4", "u", stdin=b"x" * 73)
    assert result.rc == 0 and b"first 72 bytes" in result.err, result


@case("the cost is 10 by default, or from 4 to 17 with -C")
def _():
    line_of(run("-bn", "u", "p"), "u", 10)
    for words in (["-bnC", "4"], ["-bn", "-C", "5"], ["-C6", "-b", "-n", "-B"], ["-BbnC07"]):
        line_of(run(*words, "u", "p"), "u", int(re.search(r"\d+", "".join(words))[0]))
    for cost in ("3", "18", "0", "-1", "5x", "", "x", "99999999999999999999"):
        assert_refused(SYNTAX, run("-bn", "-C", cost, "u", "p"), "-C", "from 4 to 17")


@case("user names that the file format cannot represent are refused")
def _():
    for user, word in (("a:b", "':'"), ("a\nb", "control"), ("a\rb", "control"),
                       ("a\tb", "control"), ("a\x7fb", "control"),
                       ("", "1 to 255"), ("u" * 256, "1 to 255"), ("#u", "'#'"), (" u", "blank"),
                       ("u ", "blank")):
        assert_refused(TOO_LONG if len(user) > 255 else BAD_USER, run("-bnC4", user, "p"), word)
    line_of(run("-bnC4", "u" * 255, "p"), "u" * 255, 4)
    for user in ("a b", "ü", "a@example.com", "a#"):
        assert apache_takes(line_of(run("-bnC4", user, "p"), user, 4), user, b"p")


@case("other hashes are refused with the reason")
def _():
    for switch in "mdsp25":
        assert_refused(SYNTAX, run(f"-bn{switch}", "u", "p"), f"-{switch}", "bcrypt")


@case("an invalid command line is refused with the usage")
def _():
    for words in ((), ("-n",), ("-bn", "u"), ("-n", "u", "p"), ("-bn", "u", "p", "x"),
                  ("-nbi", "u", "p"), ("-nx", "u"),
                  ("-nr5", "u"), ("--", "u"), ("-cn", "u"), ("-nD", "u"), ("-nv", "u"),
                  ("-cD", "f", "u"), ("-cv", "f", "u"),
                  ("-Dv", "f", "u"), ("-b", "f", "u"), ("-D", "u"), ("-Db", "f", "u"),
                  ("-v", "f", "u", "p"), ("f", "u", "p")):
        assert_refused(SYNTAX, run(*words), "usage: registryd htpasswd")


@case("invalid passwords on standard input are refused")
def _():
    assert_refused(SYNTAX, run("-in", "u", stdin=b"two\nlines\n"), "one line")
    assert_refused(SYNTAX, run("-in", "u", stdin=b"n\0l"), "NUL")
    assert_refused(TOO_LONG, run("-in", "u", stdin=b"x" * 256), "255")
    assert_refused(TOO_LONG, run("-bn", "u", "x" * 256), "255")


@case("a failure to write the output is an error")
def _():
    with open("/dev/full", "wb") as full:
        assert_refused(FILE, run("-bnC4", "u", "p", stdout=full), "No space left")


@case("the password is removed from the command line during the hashing")
def _():
    started = subprocess.Popen(argv("-bnC14", "u", "on-the-line"), stdout=subprocess.PIPE)
    shown = b""
    while not shown or b"on-the-line" in shown:
        assert started.poll() is None, (
            f"it exited with the password still on its command line: {shown!r}")
        shown = pathlib.Path(f"/proc/{started.pid}/cmdline").read_bytes()
    out, _ = started.communicate(timeout=TIMEOUT_S)
    assert apache_takes(out, "u", b"on-the-line")


# --- the terminal -------------------------------------------------------------------------


class Terminal:
    """The program on a terminal of its own; its standard output is a pipe."""

    def __init__(self, *words):
        reader, writer = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.dup2(writer, 1)
            os.execv(PROGRAM, argv(*words))
        os.close(writer)
        self.output = reader
        self.screen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        os.close(self.output)

    def expect(self, text):
        end = time.monotonic() + TIMEOUT_S
        while text not in self.screen:
            assert time.monotonic() < end, f"{text!r} does not appear: {self.screen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                self.screen += os.read(self.fd, 4096)

    def type(self, text):
        os.write(self.fd, text)

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def status(self):
        """Waits for the end and returns the exit status; adds the remaining output to the screen.
        """
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        while select.select([self.fd], [], [], 0)[0]:
            try:
                self.screen += os.read(self.fd, 4096)
            except OSError:  # the other side has closed the terminal
                break
        return status


@case("the program asks for the password twice, without echo")
def _():
    with Terminal("-nC4", "u") as terminal:
        terminal.expect(b"New password: ")
        assert not terminal.echoes()
        terminal.type(b"secret\n")
        terminal.expect(b"Re-type new password: ")
        assert not terminal.echoes()
        terminal.type(b"secret\n")
        assert terminal.status() == 0, terminal.screen
        assert b"secret" not in terminal.screen, terminal.screen
        assert apache_takes(os.read(terminal.output, 4096), "u", b"secret")


@case("two different passwords print no line")
def _():
    with Terminal("-nC4", "u") as terminal:
        terminal.expect(b"New password: ")
        terminal.type(b"secret\n")
        terminal.expect(b"Re-type new password: ")
        terminal.type(b"Secret\n")
        assert terminal.status() == MISMATCH
        assert b"passwords differ" in terminal.screen, terminal.screen
        assert os.read(terminal.output, 4096) == b""


@case("end of input or a password that is too long at the prompt prints no line")
def _():
    for typed in (b"\x04", b"sec\x04\x04", b"x" * 256 + b"\n"):
        with Terminal("-nC4", "u") as terminal:
            terminal.expect(b"New password: ")
            terminal.type(typed)
            assert terminal.status() == (TOO_LONG if len(typed) > 255 else FILE), typed
            assert os.read(terminal.output, 4096) == b""


def on_a_terminal_of_its_own():
    """Sets up a process as a login shell does, also if the tests run in the background with ignored
    signals.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@case("a signal at the prompt ends the program, and the terminal echoes again")
def _():
    for number, way in ((signal.SIGINT, b"\x03"), (signal.SIGQUIT, b"\x1c"), (signal.SIGTERM, None),
                        (signal.SIGHUP, None)):
        master, slave = pty.openpty()
        started = subprocess.Popen(argv("-nC4", "u"), stdin=slave, stdout=subprocess.PIPE,
                                   stderr=slave, start_new_session=True,
                                   preexec_fn=on_a_terminal_of_its_own)
        screen = b""
        while b"New password: " not in screen:
            screen += os.read(master, 4096)
        assert not termios.tcgetattr(slave)[3] & termios.ECHO
        os.write(master, b"secr")
        os.write(master, way) if way else started.send_signal(number)
        assert started.wait(TIMEOUT_S) == -number, number
        assert termios.tcgetattr(slave)[3] & termios.ECHO, number
        assert started.stdout.read() == b""
        started.stdout.close()
        os.close(master)
        os.close(slave)


@case("without a terminal for the prompt, the error names -i")
def _():
    assert_refused(FILE, run("-n", "u", stdin=b"secret\n"), "no terminal", "-i")


main()
