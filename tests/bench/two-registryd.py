#!/usr/bin/env python3
"""Compares the CPU time of a request in two builds of registryd: does a change make a step slower?

    tests/bench/two-registryd.py [--rounds 3] [--seconds 1] [--only WORDS] BEFORE AFTER

The CPU time is the sum of all threads of the server (/proc/PID/task/*/schedstat), which depends
less on other load than rates do. Prints the minimum of the rounds, and the ratio of the two builds.
Needs wrk.
"""

import base64
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import command_line
import registry_attacks as requests

TOKEN = base64.b64encode(b"me:secret").decode()
SMALL, LARGE = os.urandom(1 << 10), os.urandom(1 << 20)
PULLS = {
    "GET /v2/": ("/v2/", 32),
    "manifest by tag": ("/v2/b/manifests/t", 32),
    "manifest by digest": (f"/v2/b/manifests/{requests.digest(requests.image(0))}", 32),
    "blob of 1 KiB, 32 connections": (f"/v2/b/blobs/{requests.digest(SMALL)}", 32),
    "blob of 1 KiB, 1,000 connections": (f"/v2/b/blobs/{requests.digest(SMALL)}", 1000),
    "blob of 1 MiB": (f"/v2/b/blobs/{requests.digest(LARGE)}", 32),
    "list of 300 tags": ("/v2/b/tags/list", 32),
    "catalog": ("/v2/_catalog", 32),
}
PUSHES = {"push of 4 KiB": (4 << 10, 60), "push of 1 MiB": (1 << 20, 20),
          "push of 16 MiB": (16 << 20, 4)}
TAGS = 60


class Server:
    def __init__(self, program):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="two-registryd.", dir="/tmp"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        users = subprocess.run(["htpasswd", "-inB", "-C", "5", "me"], input=b"secret",
                               capture_output=True, check=True).stdout
        (self.dir / "htpasswd").write_bytes(users)
        (self.dir / "config.yml").write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: "
            f"{self.dir}/data}}}}\nconfinement: {{enabled: false}}\n"
            f"auth: {{htpasswd: {{realm: r, path: {self.dir}/htpasswd}}}}\nhttp: {{addr: "
            f"'127.0.0.1:{self.port}'}}\n")
        self.process = subprocess.Popen([program, "serve", self.dir / "config.yml"],
                                        stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.02)
        self.connection = requests.Connection(self.port, "me")
        for blob in (requests.EMPTY, requests.LAYER, SMALL, LARGE):
            for name in ("b", "tags"):
                requests.push_blob(self.connection, name, blob)
        for tag in ("t", *(f"t{number}" for number in range(300))):
            assert requests.put(self.connection, "b", tag, requests.image(0)) == 201

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def cpu_us(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def pull(self, path, connections, seconds):
        """Returns the microseconds of CPU time for each request."""
        begin = self.cpu_us()
        found = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-H",
                                f"Authorization: Basic {TOKEN}", "-H",
                                "Accept: */*", f"http://127.0.0.1:{self.port}{path}"],
                               capture_output=True, text=True).stdout
        assert "Non-2xx" not in found, found
        return (self.cpu_us() - begin) / max(1, int(re.search(r"(\d+) requests in", found)[1]))

    def push(self, size, count):
        # The server ends connections that were idle while the other steps ran
        self.connection.close()
        begin = self.cpu_us()
        for _ in range(count):
            requests.push_blob(self.connection, "b", os.urandom(16) + bytes(size - 16))
        return (self.cpu_us() - begin) / count


    def tag(self):
        """Pushes a manifest with a new tag, again and again."""
        self.connection.close()
        begin = self.cpu_us()
        for number in range(TAGS):
            tag = f"{os.urandom(4).hex()}-{number}"
            assert requests.put(self.connection, "tags", tag, requests.image(0)) == 201
        return (self.cpu_us() - begin) / TAGS


def compare(name, servers, rounds, measure):
    found = [[], []]
    for number in range(rounds):
        for i in (0, 1) if number % 2 == 0 else (1, 0):
            found[i].append(measure(servers[i]))
    before, after = (min(each) for each in found)
    print(f"{name:34} {before:10.1f} {after:10.1f} us {after / before:6.2f}", flush=True)


def main():
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=command_line.program, metavar="BEFORE")
    parser.add_argument("after", type=command_line.program, metavar="AFTER")
    parser.add_argument("--rounds", type=command_line.count, default=3)
    parser.add_argument("--seconds", type=command_line.count, default=1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    parser.need("wrk")
    servers = [Server(program) for program in (arguments.before, arguments.after)]
    try:
        for name, (path, connections) in PULLS.items():
            if arguments.only in name:
                compare(name, servers, arguments.rounds,
                        lambda server: server.pull(path, connections, arguments.seconds))
        for name, (size, count) in PUSHES.items():
            if arguments.only in name:
                compare(name, servers, arguments.rounds, lambda server: server.push(size, count))
        name = "push of a tag"
        if arguments.only in name:
            compare(name, servers, arguments.rounds, Server.tag)
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()
