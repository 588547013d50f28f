"""A pseudo-terminal with scripted answers, for interactive programs."""

import fcntl
import os
import re
import select
import struct
import termios
import time

# pinentry-curses draws a dialog from its text to its buttons; when the cursor moves to another
# button it draws only the buttons.
PROMPT = re.compile(rb"enter the passphrase.*<Cancel>", re.DOTALL)


class Terminal:
    """A terminal that types the next answer whenever a prompt appears.

    An answer is a text for pinentry's passphrase prompt, or a pair: the expected prompt (a pattern) and a text.
    """

    def __init__(self, *answers):
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.name = os.ttyname(self.slave)
        self.answers = list(answers)
        self.screen = b""       # since the last prompt
        self.seen = b""         # since the start
        self.prompts = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)
        os.close(self.slave)

    def take(self):
        """Makes this the controlling terminal; for preexec_fn in the leader of a new session."""
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def has_more(self):
        """Returns whether there is unread output."""
        return bool(select.select([self.master], [], [], 0)[0])

    def watch(self, wait_s):
        if not select.select([self.master], [], [], wait_s)[0]:
            return
        piece = os.read(self.master, 65536)
        self.screen += piece
        self.seen += piece
        prompt, answer = self.expected()
        if prompt.search(self.screen):
            self.prompts += 1
            assert answer is not None, f"one prompt too many: {self.screen!r}"
            time.sleep(0.1)  # pinentry discards input from before it is ready
            self.screen = b""
            self.answers.pop(0)
            os.write(self.master, answer.encode())

    def expected(self):
        """Returns the next prompt and its answer; None after the last one."""
        if not self.answers:
            return PROMPT, None
        answer = self.answers[0]
        return (PROMPT, answer) if isinstance(answer, str) else (re.compile(answer[0], re.DOTALL), answer[1])


class Shell:
    """An interactive shell on a terminal, into which commands are typed."""

    PROMPT = "[$?]ready> "
    READY = re.compile(rb"\[(\d+)\]ready> $")
    PATIENCE_S = int(os.environ.get("SHELL_PATIENCE_S", 300))

    def __init__(self, terminal, process):
        self.terminal, self.process, self.last = terminal, process, b""
        self.wait(())

    def wait(self, answers):
        """Waits for the next prompt, and answers questions; returns the exit status of the last command."""
        self.last = seen = b""
        end = time.monotonic() + self.PATIENCE_S
        while True:
            assert time.monotonic() < end, f"no prompt: {self.last!r}"
            if select.select([self.terminal.master], [], [], 1)[0]:
                piece = os.read(self.terminal.master, 65536)
                self.last += piece
                seen += piece
            found = self.READY.search(seen)
            if found:
                return int(found.group(1))
            for pattern, answer in answers:
                if re.search(pattern.encode(), seen, re.DOTALL):
                    time.sleep(0.05)
                    os.write(self.terminal.master, answer.encode())
                    seen = b""
                    break

    def type(self, command, answers=()):
        os.write(self.terminal.master, command.encode() + b"\n")
        return self.wait(answers)

    def end(self):
        """Exits the shell, and shells that were started in it."""
        while self.process.poll() is None:
            try:
                os.write(self.terminal.master, b"exit\n")
                if select.select([self.terminal.master], [], [], 0.2)[0]:
                    os.read(self.terminal.master, 65536)
            except OSError:
                self.process.wait()
