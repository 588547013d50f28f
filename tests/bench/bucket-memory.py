#!/usr/bin/env python3
"""Measures the memory of registryd with its data in a bucket: uploads and downloads of one large blob, and many uploads at once.

    tests/bench/bucket-memory.py [--gib N] [--uploads N] [--mib N] build/registry/registryd

Prints the peak of the resident memory (VmHWM) for each step, and fails if one upload or download needs more than 64 MiB. The
store discards the bytes (discarding_store.py), because no Ceph of a test can hold them.
"""

import concurrent.futures
import hashlib
import http.client
import os
import sys
import time
import urllib.parse

import command_line
from discarding_store import BLOCK_SIZE, DiscardingStore
from registry_buckets import start_bucket_registry
from registry_servers import World

BAR_MIB = 64
MIB = 1 << 20


def pieces(block, size):
    """The first bytes of the pattern."""
    for at in range(0, size, BLOCK_SIZE):
        yield block[:min(BLOCK_SIZE, size - at)]


def upload(port, block, size):
    """Sends a blob with POST, PATCH and PUT, as docker does. Returns its digest."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
    hasher = hashlib.sha256()

    def hashed():
        for piece in pieces(block, size):
            hasher.update(piece)
            yield piece

    def send(method, path, body=None, headers=None):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (201, 202), (method, path, answer.status, text)
        location = urllib.parse.urlsplit(answer.headers["Location"])
        return location.path + ("?" + location.query if location.query else "")

    path = send("POST", "/v2/memory/blobs/uploads/")
    path = send("PATCH", path, hashed(), {"Content-Length": str(size), "Content-Type": "application/octet-stream"})
    digest = f"sha256:{hasher.hexdigest()}"
    send("PUT", path + ("&" if "?" in path else "?") + "digest=" + digest, headers={"Content-Length": "0"})
    connection.close()
    return digest


def download(port, digest, size):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
    connection.request("GET", f"/v2/memory/blobs/{digest}")
    answer = connection.getresponse()
    buffer, got = memoryview(bytearray(MIB)), 0
    while n := answer.readinto(buffer):
        got += n
    assert answer.status == 200 and got == size, (answer.status, got)
    connection.close()


def measure(server, name, size, action):
    """Prints how long the action takes. Returns its result, and the peak of the memory meanwhile in MiB."""
    server.forget_peak()
    begin = time.monotonic()
    result = action()
    passed, peak = time.monotonic() - begin, server.memory_mib("VmHWM")
    print(f"{name}: {passed:.0f} s, {size / MIB / passed:.0f} MiB/s, peak {peak:.1f} MiB", flush=True)
    return result, peak


def measure_all(server, block, arguments):
    """Returns the largest peak of one upload or download."""
    size, count, each = arguments.gib << 30, arguments.uploads, arguments.mib * MIB
    digest, first = measure(server, f"upload of {arguments.gib} GiB", size, lambda: upload(server.port, block, size))
    _, second = measure(server, f"download of {arguments.gib} GiB", size, lambda: download(server.port, digest, size))

    def upload_many():
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda number: upload(server.port, block, each + number), range(count)))
    measure(server, f"{count} uploads of {arguments.mib} MiB at once", count * each, upload_many)
    return max(first, second)


def main():
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=int, default=20)
    parser.add_argument("--uploads", type=int, default=100)
    parser.add_argument("--mib", type=int, default=32)
    parser.add_argument("program", type=command_line.program)
    arguments = parser.parse_args()
    world = World()
    try:
        with DiscardingStore(os.urandom(BLOCK_SIZE)) as store:
            server = start_bucket_registry(world, "registryd", arguments.program, store)
            try:
                peak = measure_all(server, store.block, arguments)
            finally:
                server.stop()
    finally:
        world.close()
    return 1 if peak > BAR_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
