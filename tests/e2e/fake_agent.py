"""A gpg-agent with scripted answers, at the socket of a user whose own agent has exited."""

import os
import socket
import threading


class FakeAgent:
    """Answers each command from replies (a dict: first word of the line -> bytes), and all others with OK.

    A reply of None sends nothing. told holds the received lines. With mute=True it does not even send the greeting.
    """

    def __init__(self, user, replies=None, mute=False, name="S.gpg-agent"):
        self.path = str(user.gnupg / name)
        if name == "S.gpg-agent":
            user.end_agent()
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.replies, self.mute, self.told, self.count = replies or {}, mute, [], 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, client.makefile("rwb") as lines:
                self._answer(lines)
        except OSError:
            pass  # the client has disconnected

    def _answer(self, lines):
        if not self.mute:
            self._say(lines, b"OK Pleased to meet you, process 1\n")
        for line in lines:
            self.told.append(line.rstrip(b"\n"))
            word = line.split()[0].decode(errors="replace")
            reply = self.replies[word] if word in self.replies else self.reply(line)
            if reply is not None and not self.mute and not line.startswith(b"D "):
                self._say(lines, reply)

    def reply(self, line):
        """Returns the answer to a line that replies does not cover."""
        return b"OK\n"

    @staticmethod
    def _say(lines, text):
        lines.write(text)
        lines.flush()


class FakeKeyboxd(FakeAgent):
    """A keyboxd with a user's keys, taken from gpg's export. common.conf enables keyboxd; gpg 2.2 ignores that."""

    def __init__(self, user, replies=None, mute=False):
        self.keys = {}
        shown = user.run(["gpg", "--batch", "--with-colons", "--list-keys"], check=True).out.decode().splitlines()
        primary = None
        for fields in (line.split(":") for line in shown):
            if fields[0] == "pub":
                primary = fields[4]
                exported = user.run(["gpg", "--batch", "--export", primary], check=True).out
            if fields[0] in ("pub", "sub"):
                self.keys[fields[4]] = exported
        self.conf = user.gnupg / "common.conf"
        self.conf.write_text("use-keyboxd\n")
        super().__init__(user, replies, mute, name="S.keyboxd")

    def __exit__(self, *_):
        super().__exit__()
        self.conf.unlink()

    def reply(self, line):
        words = line.split()
        if words[0] == b"SEARCH" and words[-1][2:].decode() in self.keys:
            block = self.keys[words[-1][2:].decode()]
            pieces = [block[at:at + 300] for at in range(0, len(block), 300)]
            escaped = [one.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A") for one in pieces]
            return b"S PUBKEY_INFO 1 " + b"0" * 40 + b" -- 0 2\n" + b"".join(b"D " + one + b"\n" for one in escaped) + b"OK\n"
        return b"ERR 134217755 Not found <Keybox>\n"
