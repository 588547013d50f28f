"""A proxy before an HTTP store that behaves as stores and networks do on a bad day.

    with FaultProxy(port_of_the_store, seed=1) as proxy:
        proxy.endpoint ...
        proxy.faults = {"busy": 0.5}      # of all requests; "cut", "lost", "slow" and "silent", too
        proxy.counts                      # how often each came
        proxy.silenced                    # the first lines of the requests without an answer

busy: 503 instead of an answer. cut: the answer ends after some bytes. lost: the request is passed on, its answer is not. slow: the
answer comes in small pieces. silent: the request is not passed on, and the connection stays open. Each request is drawn once; a
seed makes the draws the same, though not their order.
"""

import collections
import random
import socket
import threading
import time

BUSY = (b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 60\r\nConnection: close\r\n\r\n"
        b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>   ")
PIECE, PAUSE_S = 16 << 10, 0.002


class Closed(Exception):
    """A connection has ended."""


class Reader:
    """Reads lines and counted bytes from a socket."""

    def __init__(self, connection):
        self.connection, self.kept = connection, b""

    def more(self):
        try:
            data = self.connection.recv(1 << 16)
        except OSError as failure:
            raise Closed from failure
        if not data:
            raise Closed
        self.kept += data

    def head(self):
        while b"\r\n\r\n" not in self.kept:
            self.more()
        head, _, self.kept = self.kept.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def take(self, most):
        if not self.kept:
            self.more()
        data, self.kept = self.kept[:most], self.kept[most:]
        return data


def header(head, name):
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def body_size(head):
    return int(header(head, b"content-length") or 0)


class FaultProxy:
    def __init__(self, port, seed):
        self.port, self.random = port, random.Random(seed)
        self.faults, self.counts, self.silenced = {}, collections.Counter(), []
        self.lock, self.is_over = threading.Lock(), False

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.listener.close()

    def _draw(self):
        """The fault of a request, or None."""
        with self.lock:
            number = self.random.random()
            for fault, share in self.faults.items():
                if number < share:
                    self.counts[fault] += 1
                    return fault
                number -= share
            self.counts["right"] += 1
            return None

    def _accept(self):
        while not self.is_over:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        store = None
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            requests = Reader(client)
            while True:
                head = requests.head()
                fault = self._draw()
                if fault == "busy":
                    client.sendall(BUSY)
                    return
                if fault == "silent":
                    self.silenced.append(head.split(b"\r\n")[0].decode())
                    while True:  # until the client gives up
                        requests.more()
                if not store:
                    store = socket.create_connection(("127.0.0.1", self.port))
                    store.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    answers = Reader(store)
                store.sendall(head)
                self._pass_body(requests, store, body_size(head))
                if not self._answer(head, answers, client, fault):
                    return
        except (Closed, OSError):
            pass
        finally:
            client.close()
            if store:
                store.close()

    @staticmethod
    def _pass_body(source, target, size):
        while size > 0:
            data = source.take(size)
            target.sendall(data)
            size -= len(data)

    def _answer(self, request, answers, client, fault):
        """Passes on the answer; returns whether the connection goes on."""
        head = answers.head()
        while head.startswith(b"HTTP/1.1 100"):
            head = answers.head()
        if fault == "lost":
            return False
        has_body = not request.startswith(b"HEAD ") and head[9:12] not in (b"204", b"304")
        size = body_size(head) if has_body else 0
        if has_body and header(head, b"transfer-encoding"):
            return self._answer_chunked(head, answers, client, fault)
        with self.lock:
            cut_at = self.random.randrange(len(head) + size) if fault == "cut" else None
        return self._send(head, size, answers, client, cut_at, fault == "slow")

    @staticmethod
    def _send(head, size, answers, client, cut_at, is_slow):
        left = len(head) + size if cut_at is None else cut_at
        client.sendall(head[:left])
        left -= min(left, len(head))
        while left > 0:
            data = answers.take(min(left, PIECE if is_slow else 1 << 16))
            client.sendall(data)
            left -= len(data)
            if is_slow:
                time.sleep(PAUSE_S)
        return cut_at is None and header(head, b"connection") != b"close"

    @staticmethod
    def _answer_chunked(head, answers, client, fault):
        """Until the last chunk; a cut comes after the head."""
        client.sendall(head)
        if fault == "cut":
            return False
        while True:
            while b"\r\n" not in answers.kept:
                answers.more()
            line, _, answers.kept = answers.kept.partition(b"\r\n")
            client.sendall(line + b"\r\n")
            left = int(line.split(b";")[0], 16) + 2
            is_last = left == 2
            while left > 0:
                data = answers.take(left)
                client.sendall(data)
                left -= len(data)
            if is_last:
                return True
