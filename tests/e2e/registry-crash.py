#!/usr/bin/env python3
"""registryd is killed repeatedly during pushes, deletes and garbage collection, and loses nothing
that it acknowledged.

A collector runs at the same time, and is killed together with the server or alone. After each kill
the server is restarted, sometimes after an offline collection, and the test checks every object.
Requests that were answered with 201 or 202 have taken effect. A request in flight has taken effect
or changed nothing. All content matches its digest.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time

from harness import case, is_sanitized, main
from registry import Registry, registryd
from registry_client import Client, digest
from storage_choice import HAS_BUCKET

# In a bucket a collection waits for the lease of a killed server, 20 seconds each time.
KILLS = 10 if HAS_BUCKET else 20 if is_sanitized(registryd()) else 100
WRITERS, TAGS = 4, 3
LONGEST_S = 0.3
GONE = None


class Writer:
    """A client with a repository of its own, so that the test knows what must exist."""

    def __init__(self, number, seed):
        self.name, self.random = f"crash/{number}", random.Random(seed)
        self.tags = {}      # the acknowledged state of each: a digest, or GONE
        self.under_way = {} # the state after the request in flight, if it took effect
        self.manifests = {} # every manifest so far, by digest
        self.new_blobs = {} # blobs acknowledged since the last check

    def work(self, server, is_over):
        """Sends requests until the server has ended."""
        self.under_way = {}
        try:
            while not is_over.is_set():
                self.random.choice((self.push, self.push, self.push, self.delete_tag,
                                    self.delete_manifest))(server)
        except (http.client.HTTPException, OSError):
            pass

    def settle(self, tags, answer, status):
        assert answer.status == status, answer
        self.tags.update(tags)
        self.under_way = {}

    def push_blob(self, server, content):
        location = server.start(self.name)
        if self.random.random() < 0.5:
            half = len(content) // 2
            location = server.patch(location, content[:half]).location
            answer = server.finish(location, digest(content), content[half:])
        else:
            answer = server.finish(location, digest(content), content)
        assert answer.status == 201, answer
        self.new_blobs[digest(content)] = content

    def push(self, server):
        layers = [self.random.randbytes(self.random.choice((10, 5000, 200000)))
                  for _ in range(2)] + [b"shared by all"]
        manifest = server.make_image(self.name, [])
        fields = json.loads(manifest)
        for layer in layers:
            self.push_blob(server, layer)
            fields["layers"].append({"mediaType": "application/octet-stream",
                                     "digest": digest(layer), "size": len(layer)})
        manifest = json.dumps(fields).encode()
        tag = f"t{self.random.randrange(TAGS)}"
        self.manifests[digest(manifest)] = manifest
        self.under_way = {tag: digest(manifest)}
        self.settle({tag: digest(manifest)}, server.put_manifest(self.name, tag, manifest), 201)

    def delete_tag(self, server):
        tag = next((tag for tag, named in self.tags.items() if named), None)
        if tag:
            self.under_way = {tag: GONE}
            self.settle({tag: GONE}, server.call("DELETE", f"/v2/{self.name}/manifests/{tag}"), 202)

    def delete_manifest(self, server):
        named = next((named for named in self.tags.values() if named), None)
        if named:
            gone = {tag: GONE for tag, other in self.tags.items() if other == named}
            self.under_way = gone
            self.settle(gone, server.call("DELETE", f"/v2/{self.name}/manifests/{named}"), 202)

    def check(self, server, has_collected):
        """Checks that everything acknowledged exists; continues with the state that it finds."""
        if not has_collected:
            for name, content in self.new_blobs.items():
                answer = server.call("GET", f"/v2/{self.name}/blobs/{name}")
                assert answer.status == 200 and answer.body == content, (self.name, name, answer)
        self.new_blobs = {}
        for tag in {**self.tags, **self.under_way}:
            allowed = {self.tags.get(tag, GONE)} | ({self.under_way[tag]} if tag in self.under_way
                                                    else set())
            found = self.check_tag(server, tag)
            assert found in allowed, (self.name, tag, found, allowed)
            self.tags[tag] = found

    def check_tag(self, server, tag):
        """Returns the digest of the complete image that the tag names, or GONE."""
        answer = server.get_manifest(self.name, tag)
        if answer.status == 404:
            return GONE
        assert answer.status == 200 and answer.body == self.manifests[digest(answer.body)], (
            self.name, tag, answer)
        for layer in [answer.json["config"], *answer.json["layers"]]:
            blob = server.call("GET", f"/v2/{self.name}/blobs/{layer['digest']}")
            assert blob.status == 200 and digest(blob.body) == layer["digest"], (
                self.name, tag, layer, blob.status)
        return digest(answer.body)


def age(root):
    """Backdates what is older than ten seconds: a push takes less time here, so no push in flight
    uses it.
    """
    for path in (*root.glob("blobs/*/*/*/data"), *root.glob("repositories/*/*/_layers/*/*/link"),
                 *root.glob("repositories/*/*/_manifests/revisions/*/*/link")):
        try:
            if path.stat().st_mtime < time.time() - 10:
                os.utime(path, (1000000000, 1000000000))
        except FileNotFoundError:
            pass


class Collector:
    """Collects repeatedly while the server runs. Objects of ten seconds are backdated beyond the
    grace period.
    """

    def __init__(self, seed):
        self.random, self.count, self.killed = random.Random(seed), 0, 0

    def work(self, registry, is_over):
        env = {name: str(value) for name, value in registry._settings().items()}
        while not is_over.is_set():
            age(registry.dir / "data/docker/registry/v2")
            process = subprocess.Popen([registry.program, "garbage-collect", "-m", "-q", "--grace",
                                        "2m",
                                        registry.dir / "config.yml"], env=env,
                                       stderr=subprocess.PIPE)
            is_over.wait(self.random.uniform(0, 0.1))
            if self.random.random() < 0.5:
                process.kill()
            _, errors = process.communicate()
            assert process.returncode in (0, -signal.SIGKILL), errors
            self.count += process.returncode == 0
            self.killed += process.returncode != 0


def longest_life(registry, writer):
    """Returns how long the server may run: long enough for some pushes on a busy machine, too."""
    started = time.monotonic()
    writer.push(Client(registry))
    return max(LONGEST_S, min(1, 3 * (time.monotonic() - started)))


def kill_under_load(registry, writers, collector, seed, longest_s):
    is_over = threading.Event()
    failures = []

    def run(work, *arguments):
        try:
            work(*arguments, is_over)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(writer.work, Client(registry)))
               for writer in writers]
    threads.append(threading.Thread(target=run, args=(collector.work, registry)))
    for thread in threads:
        thread.start()
    time.sleep(random.Random(seed).uniform(0.01, longest_s))
    registry.process.kill()
    registry.process.wait()
    is_over.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@case(f"registryd, killed {KILLS} times at random moments under load, loses nothing that "
      "it acknowledged")
def _():
    seed = random.randrange(1 << 30)
    print(f"# seed {seed}")
    with Registry() as registry:
        writers = [Writer(number, seed + number) for number in range(WRITERS)]
        collector, collected = Collector(seed - 1), 0
        longest_s = longest_life(registry, writers[0])
        for kill in range(KILLS):
            kill_under_load(registry, writers, collector, seed + kill, longest_s)
            has_collected = kill % 5 == 4
            if has_collected:
                result = registry.run_program("garbage-collect", "--delete-untagged")
                assert result.returncode == 0, result
                collected += 1
            registry._start()
            server = Client(registry)
            for writer in writers:
                writer.check(server, has_collected)
        made = sum(len(writer.manifests) for writer in writers)
        print(f"# {KILLS} kills; {collector.count} collections with a running server, "
              f"{collector.killed} more killed, "
              f"{collected} alone; {made} manifests pushed")
        assert made > KILLS // 5 and collector.count and collector.killed
        assert registry.run_program("verify").returncode == 0


main()
