#!/usr/bin/env python3
"""The load of zot's benchmark `zb -c 10 -n 100`, on registryd and docker-registry in turn.

    tests/bench/zb-load.py [-c N] [-n N] [--rounds N] [--sizes 1,10,100] [--only WORDS] [--beside N] build/registry/registryd

Steps: the catalog; pushes in one piece and in chunks, and pulls, of images whose layer has 1, 10 or 100 MB, and a mix of
20, 70 and 10 per cent of these; 75 per cent pulls beside 25 per cent pushes. A push makes a new repository with a layer
that no other has, a configuration and a manifest. As with zb there is neither TLS nor a password. Each step of each
round has new servers with empty storage, filled before the clock starts and removed after it has stopped.

Prints requests a second (a push or a pull counts as one) and percentiles in milliseconds: the median of the rounds,
and the ratio of each round, above 1 if registryd is better. --beside N runs N programs that only compute at the same time.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

import command_line
from registry_servers import MANIFEST_TYPE, Server, World, digest

MB = 1_000_000
CHUNK = 10 * MB  # of a push in chunks
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
PERCENTILES = (50, 75, 90, 99)
MIX = (1,) * 2 + (10,) * 7 + (100,)


class Layers:
    """Layers of one size that differ in their last bytes, so that a digest costs little and sendfile(2) can send them."""

    def __init__(self, directory, size):
        self.size, self.tail_size = size, 32
        self.file = open(directory / f"layer-{size}", "w+b")
        self.start = hashlib.sha256()
        block = os.urandom(MB)
        for at in range(0, size - self.tail_size, MB):
            part = block[:min(MB, size - self.tail_size - at)]
            self.file.write(part)
            self.start.update(part)
        self.file.flush()

    def make(self):
        tail = os.urandom(self.tail_size)
        whole = self.start.copy()
        whole.update(tail)
        return tail, "sha256:" + whole.hexdigest()

    def send(self, connection, tail, first, size):
        """Sends the bytes of the layer from first to first + size."""
        end, at = first + size, first
        while at < min(end, self.size - self.tail_size):
            at += os.sendfile(connection.fileno(), self.file.fileno(), at, min(end, self.size - self.tail_size) - at)
        if size > 0 and end > self.size - self.tail_size:
            connection.sendall(tail)


class Client:
    """One connection that stays open, with as little Python as possible for a request."""

    def __init__(self, server):
        self.server = server
        self.connection = socket.create_connection(("127.0.0.1", server.port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 18)

    def head(self, method, path, size, headers):
        self.connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nContent-Length: {size}\r\n"
                                f"{headers}\r\n".encode())

    def answer(self, *statuses):
        """Returns the headers in lower case, and the body up to 256 KiB; the rest is read and discarded."""
        view, got, end = memoryview(self.buffer), 0, -1
        while end < 0:
            n = self.connection.recv_into(view[got:])
            assert n > 0, "the server has closed the connection"
            got += n
            end = self.buffer.find(b"\r\n\r\n", 0, got)
        lines = bytes(view[:end]).decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        assert status in statuses, (status, bytes(view[:got]))
        kept = bytes(view[end + 4:got])
        left = int(headers.get("content-length", 0)) - len(kept)
        assert left >= 0 and "transfer-encoding" not in headers, headers
        while left > 0:
            n = self.connection.recv_into(view[:min(left, len(view))])
            assert n > 0, "the server has closed the connection"
            left -= n
        return headers, kept

    def call(self, method, path, *statuses, body=b"", headers=""):
        self.head(method, path, len(body), headers)
        if body:
            self.connection.sendall(body)
        return self.answer(*statuses)

    def place(self, headers):
        location = headers["location"]
        return location[location.index("/v2/"):]

    def start(self, name):
        return self.place(self.call("POST", f"/v2/{name}/blobs/uploads/", 202)[0])

    def finish(self, place, name):
        return place + ("&" if "?" in place else "?") + "digest=" + name

    def push_small(self, name, content):
        self.call("PUT", self.finish(self.start(name), digest(content)), 201, body=content,
                  headers="Content-Type: application/octet-stream\r\n")

    def push_layer(self, name, layers, chunk):
        tail, layer = layers.make()
        place, at = self.start(name), 0
        while chunk and at < layers.size:
            size = min(chunk, layers.size - at)
            self.head("PATCH", place, size, f"Content-Type: application/octet-stream\r\nContent-Range: {at}-{at + size - 1}\r\n")
            layers.send(self.connection, tail, at, size)
            place = self.place(self.answer(202)[0])
            at += size
        self.head("PUT", self.finish(place, layer), layers.size - at, "Content-Type: application/octet-stream\r\n")
        layers.send(self.connection, tail, at, layers.size - at)
        self.answer(201)
        return layer

    def push(self, name, layers, chunk=0):
        layer = self.push_layer(name, layers, chunk)
        config = json.dumps({"architecture": "amd64", "os": "linux", "name": name}).encode()
        self.push_small(name, config)
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": LAYER_TYPE, "digest": layer, "size": layers.size}]}).encode()
        self.call("PUT", f"/v2/{name}/manifests/latest", 201, body=manifest, headers=f"Content-Type: {MANIFEST_TYPE}\r\n")

    def pull(self, name):
        _, body = self.call("GET", f"/v2/{name}/manifests/latest", 200, headers=f"Accept: {MANIFEST_TYPE}\r\n")
        manifest = json.loads(body)
        for part in (manifest["config"], *manifest["layers"]):
            self.call("GET", f"/v2/{name}/blobs/{part['digest']}", 200)

    def close(self):
        self.connection.close()


# --- steps: each makes a function that one request runs, given the client and the request's number ---------


class Step:
    """seed(client, layers) runs before the clock; request(client, layers, number) is measured. sizes: in MB."""

    def __init__(self, name, sizes, request, seed=lambda client, layers: None):
        self.name, self.sizes, self.request, self.seed = name, sizes, request, seed


def size_of(sizes, number):
    return sizes[number % len(sizes)]


def push_step(name, sizes, chunk):
    return Step(name, sizes, lambda client, layers, i: client.push(f"push/r{i}", layers[size_of(sizes, i)], chunk))


def seed_sizes(sizes):
    def seed(client, layers):
        for size in set(sizes):
            for i in range(5):
                client.push(f"seed/s{size}-{i}", layers[size])
    return seed


def pull(client, sizes, number):
    client.pull(f"seed/s{size_of(sizes, number)}-{number % 5}")


def pull_step(name, sizes):
    return Step(name, sizes, lambda client, layers, i: pull(client, sizes, i), seed_sizes(sizes))


def mixed_step(name, sizes):
    def request(client, layers, number):
        if number % 4 == 3:
            client.push(f"push/r{number}", layers[size_of(sizes, number)])
        else:
            pull(client, sizes, number)
    return Step(name, sizes, request, seed_sizes(sizes))


def seed_catalog(client, layers):
    for i in range(100):
        client.push(f"catalog/r{i}", layers[1])


def make_steps(sizes):
    mix = [size for size in MIX if size in sizes]
    steps = [Step("catalog", [1], lambda client, layers, i: client.call("GET", "/v2/_catalog", 200), seed_catalog)]
    for title, make in (("push in one piece", lambda name, some: push_step(name, some, 0)),
                        ("push in chunks", lambda name, some: push_step(name, some, CHUNK)),
                        ("pull", pull_step)):
        steps += [make(f"{title}, {size} MB", [size]) for size in sizes]
        if len(set(mix)) > 1:
            steps.append(make(f"{title}, 20/70/10", mix))
    steps += [mixed_step(f"75 % pull, 25 % push, {size} MB", [size]) for size in sizes]
    return steps


# --- running them ------------------------------------------------------------------------------------------


def run_client(server, step, layers, numbers, next_number, results):
    """Takes numbers until there are none, and reports the durations of the requests or what failed."""
    durations = []
    try:
        client = Client(server)
        while True:
            with next_number.get_lock():
                at, next_number.value = next_number.value, next_number.value + 1
            if at >= len(numbers):
                break
            begin = time.monotonic()
            step.request(client, layers, numbers[at])
            durations.append(time.monotonic() - begin)
        client.close()
        results.put(durations)
    except (AssertionError, OSError) as why:
        results.put(f"{type(why).__name__}: {why}")


def run_clients(server, step, layers, clients, count):
    """Returns the durations of count requests, sent by this number of clients at once, and the
    total time, in seconds. Each client is a process, because threads of Python would wait for
    each other."""
    numbers = list(range(count))
    random.Random(1).shuffle(numbers)
    fork = multiprocessing.get_context("fork")
    next_number, results = fork.Value("i", 0), fork.SimpleQueue()
    work = [fork.Process(target=run_client, args=(server, step, layers, numbers, next_number, results))
            for _ in range(clients)]
    begin = time.monotonic()
    for process in work:
        process.start()
    reports = [results.get() for _ in work]
    whole = time.monotonic() - begin
    for process in work:
        process.join()
    failures = [report for report in reports if isinstance(report, str)]
    if failures:
        raise RuntimeError(f"{server.name}, {step.name}: {failures[0]}")
    return [duration for report in reports for duration in report], whole


def start(world, program, number):
    server = Server(world, f"{pathlib.Path(program).name}-{number}", is_tls=False)
    (server.dir / "config.yml").write_text("version: 0.1\nstorage:\n  filesystem: {}\nhttp: {}\n")
    return server.start([program, "serve", "config.yml"], {
        "REGISTRY_HTTP_ADDR": f"127.0.0.1:{server.port}", "REGISTRY_HTTP_HOST": server.url,
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(server.dir / "data")})


def measure(world, program, number, step, layers, arguments):
    """(requests a second, percentiles...)"""
    server = start(world, program, number)
    try:
        client = Client(server)
        step.seed(client, layers)
        client.close()
        os.sync()
        durations, whole = run_clients(server, step, layers, arguments.c, arguments.n)
        cuts = statistics.quantiles(durations, n=100, method="inclusive")
        return (len(durations) / whole, *(cuts[percent - 1] * 1000 for percent in PERCENTILES))
    finally:
        server.stop()
        shutil.rmtree(server.dir, ignore_errors=True)


def report(name, ours, theirs):
    for title, rows in (("registryd", ours), ("docker-registry", theirs)):
        print(f"{name:<28} {title:<16}" + "".join(f"{statistics.median(column):>10.1f}" for column in zip(*rows)))
    ratios = [[a / b if i == 0 else b / a for i, (a, b) in enumerate(zip(*pair))] for pair in zip(ours, theirs)]
    print(f"{name:<28} {'ratio':<16}" + "".join(f"{statistics.median(column):>10.2f}" for column in zip(*ratios)), flush=True)


@contextlib.contextmanager
def others(count):
    """Runs programs that compute endlessly, as on a busy machine."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def main():
    parser = command_line.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("registryd", type=command_line.program)
    parser.add_argument("-c", type=command_line.count, default=10, help="clients at once")
    parser.add_argument("-n", type=command_line.count, default=100, help="requests of a step")
    parser.add_argument("--rounds", type=command_line.count, default=3)
    parser.add_argument("--sizes", type=command_line.sizes, default="1,10,100", help="of layers, in MB")
    parser.add_argument("--only", default="", help="steps with these words in their name")
    parser.add_argument("--beside", type=int, default=0, help="programs that compute beside the load")
    arguments = parser.parse_args()
    parser.need("docker-registry")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the servers end, too
    programs = [arguments.registryd, shutil.which("docker-registry")]
    sizes = arguments.sizes
    world, number = World(), 0
    try:
        layers = {size: Layers(world.dir, size * MB) for size in {1, *sizes}}
        print(f"{'step':<28} {'server':<16}" + "".join(f"{name:>10}" for name in ("/s", *(f"p{p} ms" for p in PERCENTILES))))
        with others(arguments.beside):
            for step in make_steps(sizes):
                if arguments.only not in step.name:
                    continue
                seen = ([], [])
                for round_ in range(arguments.rounds):
                    for which in ((0, 1), (1, 0))[round_ % 2]:
                        number += 1
                        seen[which].append(measure(world, programs[which], number, step, layers, arguments))
                report(step.name, *seen)
    finally:
        world.close()


main()
