#!/usr/bin/env python3
"""Slow clients and clients that use up all connections: their answers, and the effect on other
clients.

LOAD=full holds 3,000 idle connections; the default is fewer.
"""

import concurrent.futures
import contextlib
import os
import socket
import threading
import time

from harness import case, main
from plain_registry import Server, line, wait_for
from raw_http import Raw, ask, basic, head
from registry_client import digest, serve

GOOD = basic("me", "secret")
START = "/v2/a/blobs/uploads/"
CONNECTIONS = 3000 if os.environ.get("LOAD") == "full" else 60
LATEST_S = 30  # the test requires that it happens; the time depends on the machine


def trickle(raw, data, every_s=0.1):
    """Sends data byte by byte; returns the seconds until the server closed the connection (None: it
    never did).
    """
    begin = time.monotonic()
    for i in range(len(data)):
        try:
            raw.send(data[i:i + 1])
            raw.socket.settimeout(every_s)
            if raw.socket.recv(1) == b"":
                return time.monotonic() - begin
        except TimeoutError:
            continue
        except OSError:
            return time.monotonic() - begin
    return None


def goes_on(server):
    return ask(server.port, head("GET", "/v2/", GOOD)).status == 200


@case("http.timeouts.head limits the time for a head that arrives byte by byte, and "
      "for a handshake")
def _():
    with Server(line("me", "secret"), HTTP_TIMEOUTS_HEAD="1s") as server, \
            concurrent.futures.ThreadPoolExecutor(8) as threads:
        long = b"X: " + b"a" * 2000
        taken = [threads.submit(lambda data=data: trickle(Raw(server.port), data))
                 for data in (head("GET", "/v2/", GOOD, long), b"G" * 500, b"\r\n" * 300,
                              b"GET /v2/ HTTP/1.1\r\n" + long)]
        for one in taken:
            assert one.result() and 0.9 < one.result() < LATEST_S, [each.result() for each in taken]
        assert goes_on(server)
        assert server.metric("registry_http_connections_ended_total") == 4
    with serve(HTTP_TIMEOUTS_HEAD="1s") as server:
        with Raw(server.registry.port) as raw:
            taken_s = trickle(raw, b"\x16\x03\x01\x01\x00" + bytes(500))
            assert taken_s and taken_s < LATEST_S, taken_s
        assert server.call("GET", "/v2/").status == 200


@case("an idle connection is closed after http.timeouts.idle, and not before")
def _():
    with Server(line("me", "secret"), HTTP_TIMEOUTS_IDLE="2s") as server, Raw(server.port) as raw:
        for _ in range(5):
            assert raw.send(head("GET", "/v2/", GOOD)).read().status == 200
            time.sleep(0.5)
        begin = time.monotonic()
        assert raw.is_closed() and time.monotonic() - begin < LATEST_S
        with Raw(server.port) as late:
            late.send(head("GET", "/v2/", GOOD)).read()
            # An incomplete head does not count as a request
            taken_s = trickle(late, b"\r\n" + b"G" * 500)
            assert taken_s and taken_s < LATEST_S, taken_s


def location(server):
    answer = ask(server.port, head("POST", START, GOOD, b"Content-Length: 0\r\n"))
    return answer.headers["location"].removeprefix("http://localhost").encode()


@case("any body slower than http.limits.minrate is cut off; received bytes of an upload stay")
def _():
    with Server(line("me", "secret"), HTTP_TIMEOUTS_TRANSFER="1s",
                HTTP_LIMITS_MINRATE="1000") as server, \
            concurrent.futures.ThreadPoolExecutor(8) as threads:
        place, length = location(server), b"Content-Length: 100000\r\n"
        chunked = b"Transfer-Encoding: chunked\r\n"

        def drip(start, data=b"x" * 600):
            with Raw(server.port) as raw:
                return trickle(raw.send(start), data)
        taken = {what: threads.submit(drip, start) for what, start in {
            "a chunk of an upload": head("PATCH", place, GOOD, length),
            "a manifest": head("PUT", "/v2/a/manifests/t", GOOD, length),
            "a body for a route without one": head("POST", "/v2/_catalog", GOOD, length),
            "a stranger's": head("PATCH", place, length),
            "the size of a chunk": head("PATCH", location(server), GOOD, chunked) + b"1\r\nx\r\n",
        }.items()}
        for what, one in taken.items():
            assert one.result() and one.result() < LATEST_S, (what, one.result())
        wait_for(lambda: ask(server.port, head("GET", place, GOOD)).headers["range"] != "0-0",
                 "the received bytes are lost")
        # Fast enough: ten times the minimum rate, in pieces.
        content = b"y" * 20000
        with Raw(server.port) as raw:
            raw.send(head("PATCH", location(server), GOOD,
                          b"Content-Length: %d\r\n" % len(content)))
            for i in range(0, len(content), 1000):
                raw.send(content[i:i + 1000])
                time.sleep(0.1)
            assert raw.read().status == 202
        assert goes_on(server)


@case("a reader slower than http.limits.minrate is disconnected; one that is fast enough "
      "gets everything")
def _():
    content = os.urandom(1 << 20) * 12  # more than all socket buffers together
    with Server(line("me", "secret"), HTTP_TIMEOUTS_TRANSFER="1s",
                HTTP_LIMITS_MINRATE="10000") as server:
        pushed = ask(server.port,
                     head("POST", f"{START}?digest={digest(content)}", GOOD,
                          b"Content-Length: %d\r\n" % len(content))
                     + content)
        assert pushed.status == 201, pushed
        wanted = head("GET", f"/v2/a/blobs/{digest(content)}", GOOD)
        with Raw(server.port, receive_buffer=4096) as slow, Raw(server.port) as quick:
            slow.send(wanted)
            quick.send(wanted)
            # Reads a few bytes from time to time: the server can then send a little, which must not
            # count as progress.
            end = time.monotonic() + LATEST_S
            most, is_left = 0, False
            back = threading.Thread(target=lambda: results.append(quick.read().body == content))
            results = []
            back.start()
            while time.monotonic() < end and not is_left:
                with contextlib.suppress(OSError):
                    slow.socket.recv(10)
                time.sleep(0.1)
                most = max(most, server.descriptors())
                is_left = server.metric("registry_http_connections_ended_total") == 1
            back.join()
            assert results == [True] and is_left, (results, is_left)
            wait_for(lambda: server.descriptors() < most - 1,
                     "the connection or its blob is still open")
        assert goes_on(server)


@case("http.limits.peraddress limits the connections of one address, not of others; closed "
      "ones are released")
def _():
    with Server(line("me", "secret"),
                HTTP_LIMITS_PERADDRESS="5") as server, contextlib.ExitStack() as stack:
        held = []

        def hold():
            """Opens one more connection; false until the server has noticed that an earlier one is
            closed.
            """
            raw = stack.enter_context(Raw(server.port))
            with contextlib.suppress(EOFError, ConnectionError):
                if raw.send(head("GET", "/v2/", GOOD)).read().status == 200:
                    held.append(raw)
            return len(held) == 5
        wait_for(hold, "five connections are not possible")
        for _ in range(3):
            assert ask(server.port, head("GET", "/v2/", GOOD)) is None
        answer = ask(server.port, head("GET", "/v2/", GOOD), source="127.0.0.2")
        assert answer and answer.status == 200, "another address"
        assert server.metric("registry_http_connections_refused_total") >= 3
        assert server.metric("registry_http_connections") >= 5
        held[0].close()
        wait_for(lambda: ask(server.port, head("GET", "/v2/", GOOD)),
                 "the closed connection still counts")


@case("near the connection limit, idle connections are closed earlier")
def _():
    with Server(line("me", "secret"), HTTP_LIMITS_CONNECTIONS=str(CONNECTIONS),
                HTTP_TIMEOUTS_IDLE="24s",
                HTTP_LIMITS_PERADDRESS="0") as server, contextlib.ExitStack() as stack:
        def hold(count):
            held = [stack.enter_context(Raw(server.port)) for _ in range(count)]
            for raw in held:
                raw.send(head("GET", "/v2/", GOOD)).read()
            return held
        few = hold(CONNECTIONS // 2)
        time.sleep(1)
        for raw in few:  # below the limit idle connections stay
            assert raw.send(head("GET", "/v2/", GOOD)).read().status == 200
        hold(CONNECTIONS // 3)
        before = server.descriptors()
        wait_for(lambda: server.descriptors() < before - CONNECTIONS // 20,
                 "no idle connection was closed")
        assert goes_on(server)


@case("neither a slow TLS client nor thousands of idle ones delay other clients")
def _():
    with serve() as server, contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", server.registry.port)))
            raw.sendall(b"\x16\x03\x01")  # a handshake that does not continue
        done = []
        for _ in range(20):
            done.append(server.call("GET", "/v2/").status)
        assert done == [200] * 20, done


main()
