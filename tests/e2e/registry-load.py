#!/usr/bin/env python3
"""Load: large blobs, many connections, password guessing. Memory stays bounded, and other clients
are not delayed.

LOAD=full uses realistic sizes (20 GiB, 2000 connections); the default sizes fit into a test run.
"""

import hashlib
import os
import pathlib
import re
import socket
import statistics
import threading
import time

from harness import Skip, case, is_sanitized, main
from registry import registryd
from registry_client import serve

IS_FULL = os.environ.get("LOAD") == "full"
BLOB_MIB = 20 << 10 if IS_FULL else 300
CONNECTIONS = 2000 if IS_FULL else 500
IS_SANITIZED = is_sanitized(registryd())


def peak_mib(server):
    with open(f"/proc/{server.registry.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024


def need_plain():
    if IS_SANITIZED:
        raise Skip("the sanitizer's own memory is counted, too")


@case("push and pull of a large blob use at most 32 MiB of memory")
def _():
    need_plain()
    with serve() as server:
        block, whole = os.urandom(1 << 20), hashlib.sha256()
        for _i in range(BLOB_MIB):
            whole.update(block)
        name = "sha256:" + whole.hexdigest()
        answer = server.patch(server.start("big"), (block for _i in range(BLOB_MIB)),
                              Transfer_Encoding="chunked")
        assert answer.status == 202, answer
        assert server.finish(answer.location, name).status == 201
        connection = server.connection()
        connection.request("GET", f"/v2/big/blobs/{name}", headers=server.auth)
        answer, back = connection.getresponse(), hashlib.sha256()
        while piece := answer.read(1 << 20):
            back.update(piece)
        assert back.hexdigest() == whole.hexdigest()
        print(f"# {peak_mib(server):.1f} MiB at most for push and pull of a blob of {BLOB_MIB} MiB")
        assert peak_mib(server) < 32, peak_mib(server)


def processor_ms(server, count=500):
    """Returns the server's CPU time per request, over all threads: it does not depend on the load
    of other processes.
    """
    def used_ns():
        tasks = pathlib.Path(f"/proc/{server.registry.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    begin = used_ns()
    for _i in range(count):
        assert server.call("GET", "/v2/").status == 200
    return (used_ns() - begin) / count / 1e6


@case("many idle connections use little memory, and do not slow down other clients")
def _():
    need_plain()
    with serve() as server:
        server.call("GET", "/v2/")
        before, held = processor_ms(server), []
        for _i in range(CONNECTIONS):
            raw = server.trust.wrap_socket(
                socket.create_connection(("127.0.0.1", server.registry.port)),
                                           server_hostname="localhost")
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            raw.recv(1000)
            held.append(raw)
        after = processor_ms(server)
        used = peak_mib(server)
        for raw in held:
            raw.close()
        print(f"# {used:.1f} MiB with {CONNECTIONS} idle connections; "
              f"GET /v2/ uses {before:.3f} ms of CPU time before, {after:.3f} with them")
        assert used < 64, f"{used} MiB for {CONNECTIONS} connections"
        assert after < before * 3 + 0.1, (before, after)


@case("password guessing on 32 connections does not delay a user with a cached login")
def _():
    with serve() as server:
        server.registry.username, known = "stranger", server.auth
        stop = threading.Event()

        def guess(number):
            while not stop.is_set():
                answer = server.call("GET", "/v2/",
                                     headers={"Authorization": "Basic Z3Vlc3M6" + f"{number:04d}"},
                                     auth=False)
                assert answer.status in (401, 429), answer
        server.call("GET", "/v2/", headers=known, auth=False)
        guessers = [threading.Thread(target=guess, args=(i,), daemon=True) for i in range(32)]
        for thread in guessers:
            thread.start()
        time.sleep(0.5)
        times = []
        for _i in range(30):
            begin = time.monotonic()
            assert server.call("GET", "/v2/", headers=known, auth=False).status == 200
            times.append(time.monotonic() - begin)
        stop.set()
        for thread in guessers:
            thread.join()
        # One bcrypt of cost 5 takes 1.4 ms; 32 of them in a row would be 45.
        assert statistics.median(times) < (2 if IS_SANITIZED else 0.5), times


main()
