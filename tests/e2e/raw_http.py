"""A client that sends raw bytes, and parses answers strictly by HTTP/1.1 (RFC 9112).

    with Raw(port) as raw:
        raw.send(b"GET /v2/ HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        answer = raw.read()
        assert answer.status == 401 and answer.code == "UNAUTHORIZED"
"""

import base64
import json
import re
import socket

TIMEOUT_S = 300
HOST = b"Host: localhost\r\n"


def basic(user, password):
    """Returns an Authorization header; user and password are text or bytes."""
    pair = [part if isinstance(part, bytes) else part.encode() for part in (user, password)]
    return b"Authorization: Basic " + base64.b64encode(b":".join(pair)) + b"\r\n"


def head(method, target, *headers, version="HTTP/1.1"):
    """Returns the head of a request; headers are whole lines."""
    target = target if isinstance(target, bytes) else target.encode()
    return method.encode() + b" " + target + b" " + version.encode() + b"\r\n" + HOST + b"".join(
        headers) + b"\r\n"


class Answer:
    """status, headers (by lower-case name) and body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        """Returns the specification's error code, after checking the format of the body."""
        assert self.headers["content-type"].startswith("application/json"), self
        errors = json.loads(self.body)["errors"]
        assert {"code", "message"} <= set(errors[0]), self
        return errors[0]["code"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]}"


class Raw:
    """One connection. source is the local address."""

    def __init__(self, port, source="127.0.0.1", wrap=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        if wrap:
            self.socket = wrap(self.socket)
        self.read_already = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def is_closed(self):
        """Waits until the server closes the connection (True) or sends more bytes (False)."""
        try:
            return self._more() == b""
        except ConnectionError:
            return True

    def _more(self):
        if self.read_already:
            taken, self.read_already = self.read_already, b""
            return taken
        return self.socket.recv(1 << 16)

    def _until(self, end):
        data = b""
        while end not in data:
            piece = self._more()
            if not piece:
                raise EOFError(data)
            data += piece
        data, _, self.read_already = data.partition(end)
        return data

    def _exactly(self, size):
        data = self._more() if size else b""
        while len(data) < size:
            piece = self._more()
            if not piece:
                raise EOFError(data)
            data += piece
        if size:
            self.read_already = data[size:]
        return data[:size]

    def read(self, method="GET"):
        """Returns the next answer; raises if it is invalid, EOFError if the server closed the
        connection.
        """
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        status = re.fullmatch(rb"HTTP/1\.1 ([1-5]\d\d) [^\r\n]*", lines[0])
        assert status, lines[0]
        headers = {}
        for line in lines[1:]:
            field = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)",
                                 line)
            assert field, line
            headers[field[1].decode().lower()] = field[2].decode("latin-1").strip()
        number = int(status[1])
        if number == 100:
            return self.read(method)
        size = 0 if method == "HEAD" or number in (204, 304) else int(headers["content-length"])
        return Answer(number, headers, self._exactly(size))


def ask(port, data, method="GET", **options):
    """Sends data on a new connection; returns the answer, or None if the server closed it without
    one.
    """
    with Raw(port, **options) as raw:
        try:
            return raw.send(data).read(method)
        except (EOFError, ConnectionError):
            return None
