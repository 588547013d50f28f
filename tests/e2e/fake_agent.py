"""A gpg-agent that answers by script, at the socket of a user whose own agent has ended."""

import os
import socket
import threading


class FakeAgent:
    """Answers each command with what replies (a dict: first word of the line -> bytes) has for it, else OK.

    A reply of None is silence. What it was told is in told. From mute=True on not even the greeting is said.
    """

    def __init__(self, user, replies=None, mute=False):
        self.path = str(user.gnupg / "S.gpg-agent")
        user.run(["gpgconf", "--kill", "gpg-agent"], check=True)
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
            pass  # the client has hung up

    def _answer(self, lines):
        if not self.mute:
            self._say(lines, b"OK Pleased to meet you, process 1\n")
        for line in lines:
            self.told.append(line.rstrip(b"\n"))
            reply = self.replies.get(line.split()[0].decode(errors="replace"), b"OK\n")
            if reply is not None and not self.mute and not line.startswith(b"D "):
                self._say(lines, reply)

    @staticmethod
    def _say(lines, text):
        lines.write(text)
        lines.flush()
