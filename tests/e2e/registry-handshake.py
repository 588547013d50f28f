#!/usr/bin/env python3
"""TLS handshakes: the number of messages, and the cost of clients that stop in the middle of a
handshake.
"""

import os
import socket
import ssl
import subprocess
import time

from harness import case, descriptors_of, main
from registry_client import serve

WAITING = 50
TICKS_S = os.sysconf("SC_CLK_TCK")


def cpu_s(server):
    with open(f"/proc/{server.registry.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


class Handshake:
    """The client side of a handshake. The test decides how its messages are split."""

    def __init__(self, server, trust=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (trust or server.trust).wrap_bio(self.incoming, self.outgoing,
                                                    server_hostname="localhost")
        self.socket = socket.create_connection(("127.0.0.1", server.registry.port), 20)
        self.flights = 0

    def next_flight(self):
        """Returns the bytes to send next, b"" at the end."""
        while True:
            try:
                self.tls.do_handshake()
                flight = self.outgoing.read()
                self.flights += bool(flight)
                return flight
            except ssl.SSLWantReadError:
                flight = self.outgoing.read()
                if flight:
                    self.flights += 1
                    return flight
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionError("the server closed the connection") from None
                self.incoming.write(data)

    def ask(self, head):
        self.tls.write(head)
        self.socket.sendall(self.outgoing.read())
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionError("the server closed the connection") from None
                self.incoming.write(data)


ROOT_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@case("the server accepts the clients' first key share: no handshake needs a HelloRetryRequest")
def _():
    with serve() as server:
        for minimum, maximum in ((ssl.TLSVersion.TLSv1_2,) * 2, (ssl.TLSVersion.TLSv1_3,) * 2):
            trust = ssl.create_default_context(cafile=server.registry.ca)
            trust.minimum_version, trust.maximum_version = minimum, maximum
            handshake = Handshake(server, trust)
            while flight := handshake.next_flight():
                handshake.socket.sendall(flight)
            assert handshake.flights == 2, (maximum, handshake.flights)
            assert handshake.ask(ROOT_REQUEST).startswith(b"HTTP/1.1 200")


@case("clients that stop in the middle of a handshake cost no CPU, and can continue")
def _():
    with serve() as server:
        handshakes = [Handshake(server) for _i in range(WAITING)]
        rests = []
        # Half of them in their first message, half in their second
        for i, handshake in enumerate(handshakes):
            flight = handshake.next_flight()
            if i % 2:
                handshake.socket.sendall(flight)
                flight = handshake.next_flight()
            handshake.socket.sendall(flight[:40])
            rests.append(flight[40:])
        time.sleep(0.3)
        before, begin = cpu_s(server), time.monotonic()
        time.sleep(1)
        spent, passed = cpu_s(server) - before, time.monotonic() - begin
        print(f"# {spent:.2f} s of CPU in {passed:.2f} s with {WAITING} clients in a handshake")
        assert spent < 0.2 * passed, spent
        assert server.call("GET", "/v2/").status == 200
        for handshake, rest in zip(handshakes, rests):
            handshake.socket.sendall(rest)
            while flight := handshake.next_flight():
                handshake.socket.sendall(flight)
            assert handshake.ask(ROOT_REQUEST).startswith(b"HTTP/1.1 200")


@case("a message that arrives byte by byte is accepted")
def _():
    with serve() as server:
        handshake = Handshake(server)
        while flight := handshake.next_flight():
            for i in range(len(flight)):
                handshake.socket.sendall(flight[i:i + 1])
                if i % 50 == 0:
                    time.sleep(0.002)
        handshake.tls.write(ROOT_REQUEST)
        for byte in handshake.outgoing.read():
            handshake.socket.sendall(bytes([byte]))
        assert handshake.ask(ROOT_REQUEST).startswith(b"HTTP/1.1 200")


@case("a client that disconnects in the middle of a handshake leaves no descriptor open")
def _():
    with serve() as server:
        before = descriptors_of(server.registry.process)
        handshakes = [Handshake(server) for _i in range(WAITING)]
        for handshake in handshakes:
            handshake.socket.sendall(handshake.next_flight()[:40])
        time.sleep(0.2)
        for handshake in handshakes:
            handshake.socket.close()
        deadline = time.monotonic() + 120
        while descriptors_of(server.registry.process) > before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert descriptors_of(server.registry.process) <= before


@case("the server stops while clients are in a handshake")
def _():
    with serve() as server:
        handshakes = [Handshake(server) for _i in range(WAITING)]
        for handshake in handshakes:
            handshake.socket.sendall(handshake.next_flight()[:40])
        time.sleep(0.2)
        server.registry.process.terminate()
        try:
            assert server.registry.process.wait(20) == 0
        except subprocess.TimeoutExpired:
            raise AssertionError("the server does not stop") from None


main()
