#!/usr/bin/env python3
"""Two registryd on one root directory: an upload has one writer, no blob is replaced, and kill -9 of either loses nothing.

    LOAD=full  100 kills

Clients of both servers push to shared repositories, resume uploads through the other server, delete, and collect garbage. A
request that is answered with 201 or 202 has taken effect, whichever server is killed afterwards.
"""

import http.client
import json
import os
import random
import socket
import ssl
import subprocess
import threading
import time

from harness import case, is_sanitized, main
from registry import Registry, registryd
from registry_client import BYTES, CONFIG, IMAGE, Client, descriptor, digest

IS_FULL = os.environ.get("LOAD") == "full"
KILLS = 100 if IS_FULL else 2 if is_sanitized(registryd()) else 4
CLIENTS, LONGEST_S = 4, 0.3
SHARED = [random.Random(number).randbytes(size) for number, size in enumerate((10, 3000, 200000))]


def two_servers():
    one = Registry()
    two = Registry(STORAGE_FILESYSTEM_ROOTDIRECTORY=one.dir / "data")
    return one, two


def begin_patch(server, location, size):
    """Sends the head of a PATCH, so that the server opens the session; returns the connection."""
    client = Client(server)
    path = location[location.index("/v2/"):]
    raw = client.trust.wrap_socket(socket.create_connection(("localhost", server.port), timeout=60), server_hostname="localhost")
    raw.sendall(f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {client.auth['Authorization']}\r\n"
                f"Content-Type: {BYTES}\r\nContent-Length: {size}\r\nExpect: 100-continue\r\n\r\n".encode())
    assert b"100" in raw.recv(1000).split(b"\r\n")[0]
    return raw


def status_of(raw):
    return int(raw.recv(1000).split()[1])


@case("a session that one server writes to is refused by the other, and a good blob is never replaced")
def _():
    one, two = two_servers()
    with one, two:
        good, evil = b"g" * 1000, b"E" * 1000
        first, second = Client(one), Client(two)
        first.push_blob("victim", good)
        location = first.start("m")
        raw = begin_patch(two, location, len(evil))
        assert first.patch(location, good).status == 429
        raw.sendall(evil)
        assert status_of(raw) == 202
        raw.close()
        answer = first.finish(location, digest(good))
        assert answer.status == 400 and answer.code == "DIGEST_INVALID", answer
        for client in (first, second):
            assert client.call("GET", f"/v2/victim/blobs/{digest(good)}").body == good


@case("a session continues through either server, and its digest covers all bytes")
def _():
    one, two = two_servers()
    with one, two:
        clients = [Client(one), Client(two)]
        for algorithm in ("sha256", "sha512"):
            pieces = [random.randbytes(random.choice((1, 1000, 70000))) for _ in range(6)]
            location = clients[0].start("r")
            for number, piece in enumerate(pieces):
                answer = clients[number // 2 % 2].patch(location, piece)
                assert answer.status == 202, answer
                location = answer.location
            content = b"".join(pieces)
            answer = clients[1].finish(location, digest(content, algorithm))
            assert answer.status == 201, answer
            for client in clients:
                assert client.call("GET", f"/v2/r/blobs/{digest(content, algorithm)}").body == content


@case("a session whose server was killed continues immediately through the other server")
def _():
    one, two = two_servers()
    with one, two:
        first, second = Client(one), Client(two)
        location = first.start("r")
        assert first.patch(location, b"first").status == 202
        raw = begin_patch(one, location, 100)
        assert second.patch(location, b"second").status == 429
        one.process.kill()
        one.process.wait()
        raw.close()
        assert second.patch(location, b"second").status == 202
        assert second.finish(location, digest(b"firstsecond")).status == 201


class Worker:
    """A client that talks to either server, on a repository that it shares with another worker."""

    def __init__(self, number, servers):
        self.servers, self.number, self.random = servers, number, random.Random()
        self.name = f"two/{number // 2}"
        self.tags = {}       # acknowledged state: tag to manifest, or None
        self.under_way = {}  # the request in flight, if it took effect
        self.contents = {}   # of manifests, and of their layers, by digest
        self.clients = {}    # by port
        self.counts = {"pushed": 0, "resumed": 0, "deleted": 0, "cut": 0}

    def client(self):
        server = self.random.choice([server for server in self.servers if server.process.poll() is None])
        if server.port not in self.clients:
            self.clients[server.port] = Client(server, tries=1)
        return self.clients[server.port]

    def work(self, is_over):
        while not is_over.is_set():
            self.under_way = {}
            try:
                self.random.choice((self.push, self.push, self.push, self.delete))()
            except (http.client.HTTPException, OSError, ssl.SSLError):
                self.counts["cut"] += 1
                self.clients = {}
                self.settle_in_flight()

    def settle_in_flight(self):
        """After a request was cut off, the check accepts the state with and without its effect."""
        for tag, named in self.under_way.items():
            self.tags[tag] = self.tags.get(tag, {None}) | {named}
        self.under_way = {}

    def push_blob(self, content):
        location, at = self.client().start(self.name), 0
        while at < len(content) and self.random.random() < 0.6:
            piece = content[at:at + self.random.randrange(1, len(content) + 1)]
            answer = self.client().patch(location, piece)
            if answer.status == 429: # a request that was cut off still holds it
                time.sleep(0.05)
                continue
            assert answer.status == 202, answer
            location, at = answer.location, at + len(piece)
            self.counts["resumed"] += 1
        answer = self.client().finish(location, digest(content), content[at:])
        assert answer.status in (201, 429), answer
        if answer.status == 429:
            raise http.client.HTTPException("held by a request that was cut off")

    def push(self):
        layers = [self.random.choice(SHARED), self.random.randbytes(self.random.choice((10, 5000, 100000)))]
        config = b"{}"
        for content in (config, *layers):
            self.push_blob(content)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(CONFIG, config),
                               "layers": [descriptor(BYTES, layer) for layer in layers],
                               "annotations": {"by": f"{self.number} {self.random.random()}"}}).encode()
        tag = f"t{self.number}-{self.random.randrange(3)}"
        self.contents.update({digest(content): content for content in (manifest, config, *layers)})
        self.under_way = {tag: digest(manifest)}
        answer = self.client().put_manifest(self.name, tag, manifest)
        assert answer.status == 201, answer
        self.tags[tag] = {digest(manifest)}
        self.counts["pushed"] += 1

    def delete(self):
        tag, named = next(((tag, named) for tag, named in self.tags.items() if len(named) == 1 and None not in named), (None, None))
        if not tag:
            return
        reference = self.random.choice((tag, next(iter(named))))
        self.under_way = {tag: None}
        answer = self.client().call("DELETE", f"/v2/{self.name}/manifests/{reference}")
        assert answer.status == 202, answer
        self.tags[tag] = {None}
        self.counts["deleted"] += 1

    def check(self, client):
        for tag, allowed in self.tags.items():
            answer = client.get_manifest(self.name, tag)
            found = None if answer.status == 404 else digest(answer.body)
            assert found in allowed, (self.name, tag, found, allowed, answer)
            self.tags[tag] = {found}
            if found is None:
                continue
            assert answer.body == self.contents[found], (self.name, tag)
            for part in (answer.json["config"], *answer.json["layers"]):
                blob = client.call("GET", f"/v2/{self.name}/blobs/{part['digest']}")
                assert blob.status == 200 and blob.body == self.contents[part["digest"]], (self.name, tag, part, blob)


def collect_until(registry, is_over, counts):
    """Collects at least once, and repeatedly until the time is over."""
    env = {name: str(value) for name, value in registry._settings().items()}
    while True:
        process = subprocess.Popen([registry.program, "garbage-collect", "-m", "-q", "--grace", "2m",
                                    registry.dir / "config.yml"], env=env, stderr=subprocess.PIPE)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        counts["collections"] += 1
        if is_over.wait(0.2):
            return


def longest_life(worker):
    """Returns how long a server may live: long enough for some pushes on a busy machine, too."""
    started = time.monotonic()
    worker.push()
    return max(LONGEST_S, min(3, 3 * (time.monotonic() - started)))


def kill_one_under_load(servers, workers, counts, longest_s):
    is_over, failures = threading.Event(), []

    def run(work, *arguments):
        try:
            work(*arguments)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(worker.work, is_over)) for worker in workers]
    threads.append(threading.Thread(target=run, args=(collect_until, servers[0], is_over, counts)))
    for thread in threads:
        thread.start()
    time.sleep(random.uniform(0.01, longest_s))
    victim = random.choice(servers)
    victim.process.kill()
    victim.process.wait()
    time.sleep(random.uniform(0, longest_s)) # the other server continues alone
    is_over.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    victim._start()


@case(f"either of two servers is killed {KILLS} times under load: nothing acknowledged is lost or wrong")
def _():
    one, two = two_servers()
    with one, two:
        servers, counts = [one, two], {"collections": 0}
        workers = [Worker(number, servers) for number in range(CLIENTS)]
        longest_s = longest_life(workers[0])
        for _ in range(KILLS):
            kill_one_under_load(servers, workers, counts, longest_s)
            for worker in workers:
                worker.check(Client(random.choice(servers)))
        for name in ("pushed", "resumed", "deleted", "cut"):
            counts[name] = sum(worker.counts[name] for worker in workers)
        print(f"# {KILLS} kills, {counts}")
        assert counts["pushed"] > KILLS // 2 and counts["resumed"] and counts["collections"]
        found = one.run_program("verify")
        assert found.returncode == 0, found.stdout


main()
