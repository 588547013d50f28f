#!/usr/bin/env python3
"""`registryd garbage-collect` while servers accept pushes: it removes nothing that a push needs.

    LOAD=full  runs for minutes

Two servers share one storage directory. Clients push images and indexes with a few shared layers, as docker does: they
ask for a layer, upload it if it is missing, wait, and push the manifest. Collectors run one after another. To provide
garbage all the time and to provoke races, a thread backdates every object that no client relies on. The collector
treats such an object as old garbage until the next client asks for it.
"""

import contextlib
import fcntl
import json
import os
import random
import subprocess
import threading
import time

from harness import Skip, case, main
from registry import Registry
from registry_client import BYTES, CONFIG, IMAGE, INDEX, Client, descriptor, digest
from storage_choice import HAS_BUCKET

IS_FULL = os.environ.get("LOAD") == "full"
DURATION_S = 120 if IS_FULL else 5
LONGEST_PAUSE_S = 7 if IS_FULL else 1  # between the request for a layer and the push of the manifest; shorter than GRACE
GRACE = "2m"
PUSHERS, LAYERS, CHILDREN = 6, 12, 4
OLD = (1000000000, 1000000000)


def need_directory():
    if HAS_BUCKET:
        raise Skip("needs the files of a directory; test-collection.c and test-uploads.c have such cases for a bucket")


class World:
    """Knows which objects clients rely on."""

    def __init__(self, root):
        self.root, self.lock = root, threading.Lock()
        self.holders = {}  # digest -> number of clients that rely on it
        self.released = {}  # digest -> how many collections had started when the last client released it
        self.counts = {"started": 0, "pushed": 0, "found": 0, "uploaded": 0, "collections": 0, "pulled": 0, "refused": 0}
        self.layers = [random.Random(number).randbytes(300 + 3000 * number) for number in range(LAYERS)]

    @contextlib.contextmanager
    def relying_on(self, contents):
        digests = [digest(content) for content in contents]
        with self.lock:
            for name in digests:
                self.holders[name] = self.holders.get(name, 0) + 1
        try:
            yield
        finally:
            with self.lock:
                for name in digests:
                    self.holders[name] -= 1
                    self.released[name] = self.counts["started"]

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def age(self):
        """
        Backdates the objects that no client relies on. An object that was released during a collection waits for the next one:
        the collector may have read the repository before the push, and no clock goes back while a collection runs.
        """
        with self.lock:
            for name in [name for name, count in self.holders.items()
                         if count == 0 and self.released.get(name, -1) < self.counts["started"]]:
                hex_ = name.partition(":")[2]
                for path in (self.root / f"blobs/sha256/{hex_[:2]}/{hex_}/data",
                             *self.root.glob(f"repositories/*/*/_layers/sha256/{hex_}/link"),
                             *self.root.glob(f"repositories/*/*/_manifests/revisions/sha256/{hex_}/link")):
                    with contextlib.suppress(FileNotFoundError):
                        os.utime(path, OLD)


class Pusher:
    def __init__(self, world, number, client):
        self.world, self.client, self.random = world, client, random.Random()
        self.name = f"online/{number}"
        self.kept = {}  # tag -> (manifest, all blobs and manifests that it references)
        self.number = 0

    def pause(self):
        time.sleep(self.random.random() ** 3 * LONGEST_PAUSE_S)

    # --- single requests -----------------------------------------------------------------------

    def ensure_blob(self, content):
        """Does what docker does: uploads nothing that exists, and mounts a blob of another repository."""
        answer = self.client.call("HEAD", f"/v2/{self.name}/blobs/{digest(content)}")
        if answer.status == 200:
            self.world.count("found")
            return
        assert answer.status == 404, answer
        query = "" if self.random.random() < 0.5 else f"?mount={digest(content)}"
        answer = self.client.call("POST", f"/v2/{self.name}/blobs/uploads/{query}")
        if answer.status == 201:
            return
        assert answer.status == 202, answer
        answer = self.client.finish(answer.location, digest(content), content)
        assert answer.status == 201, answer
        self.world.count("uploaded")

    def put(self, reference, manifest, parts):
        """Pushes a manifest; after a 201, everything that it references must exist."""
        answer = self.client.put_manifest(self.name, reference, manifest)
        assert answer.status == 201, ("a push failed", self.name, answer)
        self.world.count("pushed")
        self.check(digest(manifest), manifest, parts)

    def check(self, reference, manifest, parts):
        answer = self.client.get_manifest(self.name, reference)
        assert answer.status == 200 and answer.body == manifest, (self.name, reference, answer)
        for content in parts:
            is_manifest = content.startswith(b'{"schemaVersion"')
            place = "manifests" if is_manifest else "blobs"
            answer = self.client.call("GET", f"/v2/{self.name}/{place}/{digest(content)}", headers={"Accept": IMAGE})
            assert answer.status == 200 and answer.body == content, (self.name, place, digest(content), answer)

    # --- images ---------------------------------------------------------------------------

    def make(self, layers, note=None):
        return json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(CONFIG, layers[0]),
                           "layers": [descriptor(BYTES, layer) for layer in layers[1:]],
                           **({"annotations": {"note": note}} if note else {})}).encode()

    def push_image(self, tag):
        layers = self.random.sample(self.world.layers, 3)
        self.number += 1
        manifest = self.make(layers, f"{self.name} {self.number}")
        with self.world.relying_on([manifest, *layers]):
            for layer in layers:
                self.ensure_blob(layer)
            self.pause()
            self.put(tag, manifest, layers)
            self.keep_or_delete(tag, manifest, layers)

    def push_blindly(self, tag):
        """Pushes a manifest without asking for its layers first: if it is accepted, the layers must stay."""
        layers = self.random.sample(self.world.layers, 2)
        self.number += 1
        manifest = self.make(layers, f"{self.name} {self.number}")
        with self.world.relying_on([manifest, *layers]):
            answer = self.client.put_manifest(self.name, tag, manifest)
            if answer.status == 400 and answer.code == "MANIFEST_BLOB_UNKNOWN":
                self.world.count("refused")
                return
            assert answer.status == 201, answer
            self.pause()
            self.check(tag, manifest, layers)
            self.keep_or_delete(tag, manifest, layers)

    def push_index(self, tag):
        """Pushes an index with a child that other clients push, too. If the child exists, it is not pushed again."""
        first = self.random.randrange(CHILDREN)
        layers = self.world.layers[first * 2:first * 2 + 2]
        child = self.make(layers)
        self.number += 1
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(IMAGE, child)],
                            "annotations": {"note": f"{self.name} {self.number}"}}).encode()
        with self.world.relying_on([index, child, *layers]):
            if self.client.get_manifest(self.name, digest(child), "HEAD").status != 200:
                for layer in layers:
                    self.ensure_blob(layer)
                self.pause()
                self.put(digest(child), child, layers)
            self.pause()
            self.put(tag, index, [child, *layers])
            self.keep_or_delete(tag, index, [child, *layers])

    def keep_or_delete(self, tag, manifest, parts):
        if self.random.random() < 0.3:
            self.kept[tag] = (manifest, parts)
            return
        self.kept.pop(tag, None)
        reference = tag if self.random.random() < 0.5 else digest(manifest)
        answer = self.client.call("DELETE", f"/v2/{self.name}/manifests/{reference}")
        assert answer.status == 202, answer

    def step(self):
        tag = self.random.choice("abc")
        if tag in self.kept:
            self.check(tag, *self.kept[tag])
        self.random.choice((self.push_image, self.push_index, self.push_blindly, self.push_blindly))(tag)


class Crew:
    """Threads that run until the time is over or one of them fails."""

    def __init__(self):
        self.is_over, self.failures, self.threads = threading.Event(), [], []

    def add(self, step, pause_s=0.0):
        def run():
            try:
                while not self.is_over.wait(pause_s):
                    step()
            except BaseException as failure:
                self.failures.append(failure)
                self.is_over.set()
        self.threads.append(threading.Thread(target=run))

    def work(self, duration_s):
        for thread in self.threads:
            thread.start()
        self.is_over.wait(duration_s)
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]


def collect(registry, world, *switches):
    world.count("started")
    result = registry.run_program("garbage-collect", "--quiet", "--grace", GRACE, *switches)
    assert result.returncode == 0, result
    world.count("collections")


@case(f"{DURATION_S} s of pushes to two servers during collections: no push fails, and nothing in use is removed")
def _():
    with Registry() as one, Registry(STORAGE_FILESYSTEM_ROOTDIRECTORY=one.dir / "data") as two:
        world = World(one.dir / "data/docker/registry/v2")
        clients = [Client(one), Client(two)]
        pushers = [Pusher(world, number, clients[number % 2]) for number in range(PUSHERS)]
        stable = Pusher(world, "stable", clients[1])
        for layer in world.layers[:4]:
            stable.ensure_blob(layer)
        image = stable.make(world.layers[:4])
        stable.put("t", image, world.layers[:4])
        crew = Crew()
        for pusher in pushers:
            crew.add(pusher.step)
        crew.add(lambda: (stable.check("t", image, world.layers[:4]), world.count("pulled")), 0.02)
        crew.add(world.age, 0.02)
        crew.add(lambda: collect(one, world, *(["-m"] if world.counts["collections"] % 4 else [])))
        crew.work(DURATION_S)
        for pusher in pushers:
            for tag, (manifest, parts) in pusher.kept.items():
                pusher.check(tag, manifest, parts)
        collect(one, world, "-m")
        for pusher in [*pushers, stable]:
            for tag, (manifest, parts) in pusher.kept.items():
                pusher.check(tag, manifest, parts)
        found = one.run_program("verify")
        assert found.returncode == 0, found.stdout
        print(f"# {world.counts}")
        assert world.counts["uploaded"] > LAYERS, "nothing was ever collected"
        assert world.counts["collections"] > 3


@case("with a running server, new objects stay and are counted as such; old ones are removed")
def _():
    need_directory()
    with Registry() as registry:
        client, world = Client(registry), World(registry.dir / "data/docker/registry/v2")
        client.push_image("a/b", "t")
        garbage = client.push_blob("a/b", b"unreferenced")
        for switches in ([], ["-d"], ["--grace", "1h"]):
            result = registry.run_program("garbage-collect", *switches)
            assert result.returncode == 0, result
            assert ", 0 blobs and 0 manifests eligible for deletion" in result.stdout, result.stdout
            span = "1 hour" if "--grace" in switches else "1 day"
            assert result.stdout.startswith(f"keeping what was pushed or requested in the last {span},"), result.stdout
        world.holders[garbage] = 0
        world.age()
        for switches in (["-d"], []):
            result = registry.run_program("garbage-collect", *switches)
            assert ", 1 blob and 0 manifests eligible for deletion" in result.stdout, result.stdout
            assert f"blob eligible for deletion: {garbage}" in result.stdout, result.stdout
        assert client.call("HEAD", f"/v2/a/b/blobs/{garbage}").status == 404


@case("a request for an old object protects it: HEAD of a blob, HEAD and GET of a manifest, a mount")
def _():
    need_directory()
    with Registry() as registry:
        client, world = Client(registry), World(registry.dir / "data/docker/registry/v2")
        asks = {
            "HEAD blob": lambda: client.call("HEAD", f"/v2/a/b/blobs/{digest(b'layer')}"),
            "HEAD manifest": lambda: client.get_manifest("a/b", digest(manifest), "HEAD"),
            "GET manifest": lambda: client.get_manifest("a/b", digest(manifest)),
            "mount": lambda: client.call("POST", f"/v2/c/d/blobs/uploads/?mount={digest(b'layer')}&from=a/b"),
            "nothing": lambda: None,
        }
        for name, ask in asks.items():
            manifest = client.make_image("a/b")
            assert client.put_manifest("a/b", digest(manifest), manifest).status == 201
            world.holders = {digest(content): 0 for content in (b"layer", manifest)}
            world.age()
            ask()
            assert registry.run_program("garbage-collect", "-m").returncode == 0
            has_layer = client.call("GET", f"/v2/a/b/blobs/{digest(b'layer')}").status == 200
            has_manifest = client.get_manifest("a/b", digest(manifest)).status == 200
            assert has_layer == (name != "nothing"), name
            assert has_manifest == ("manifest" in name), name


@case("an invalid grace period is refused")
def _():
    with Registry() as registry:
        for wrong in ("119s", "0", "soon", "-1h", ""):
            result = registry.run_program("garbage-collect", "--grace", wrong)
            assert result.returncode == 1 and "--grace" in result.stderr and not result.stdout, result


@case("a server starts during a collection with a grace period, and killing the collector does no harm")
def _():
    with Registry() as registry:
        client = Client(registry)
        world = World(registry.dir / "data/docker/registry/v2")
        for number in range(100):
            world.holders[client.push_blob("a/b", b"garbage %d" % number)] = 0
        world.age()
        env = {name: str(value) for name, value in registry._settings().items()}
        collector = subprocess.Popen([registry.program, "garbage-collect", "-q", "--grace", GRACE,
                                      registry.dir / "config.yml"], env=env)
        with Registry(STORAGE_FILESYSTEM_ROOTDIRECTORY=registry.dir / "data"):
            collector.kill()
            collector.wait()
        client.push_image("a/b", "t")
        assert registry.run_program("garbage-collect", "-q").returncode == 0
        assert registry.run_program("verify").returncode == 0


@case("if a collector hangs while it holds its lock, pulls work, pushes are told to retry, and later succeed")
def _():
    need_directory()
    with Registry() as registry:
        client = Client(registry)
        root = registry.dir / "data/docker/registry/v2"
        image = client.push_image("a/b", "t")
        world = World(root)
        world.holders = {digest(image): 0, digest(b"layer"): 0}
        world.age()
        held = os.open(root, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        assert client.call("GET", f"/v2/a/b/blobs/{digest(b'layer')}").status == 200
        assert client.get_manifest("a/b", "t").status == 200
        answer = client.call("HEAD", f"/v2/a/b/blobs/{digest(b'layer')}")
        assert answer.status == 503, answer
        answer = client.put_manifest("a/b", "u", image)
        assert (answer.status, answer.code) == (503, "UNAVAILABLE"), answer
        os.close(held)
        assert client.put_manifest("a/b", "u", image).status == 201


@case("the server purges abandoned uploads")
def _():
    need_directory()
    with Registry(STORAGE_MAINTENANCE_UPLOADPURGING_AGE="4s", STORAGE_MAINTENANCE_UPLOADPURGING_INTERVAL="1s") as registry:
        client = Client(registry)
        old = client.start("a/b")
        assert client.patch(old, b"half").status == 202
        uploads = registry.dir / "data/docker/registry/v2/repositories/a/b/_uploads"
        assert len(list(uploads.iterdir())) == 1
        deadline = time.monotonic() + 300
        while "purging upload" not in registry.log.read_text():
            assert time.monotonic() < deadline, "the upload was not purged"
            time.sleep(0.2)
        assert not list(uploads.iterdir()), "the upload session still exists"
        assert client.patch(old, b"more").status == 404


@case("objects pushed to registry:2 during a collection stay, except blobs that it reports as existing")
def _():
    need_directory()
    with Registry(program="docker-registry") as peer:
        client, world = Client(peer), World(peer.dir / "data/docker/registry/v2")
        config = b'{"architecture":"amd64","os":"linux"}'
        for content in (b"layer", b"mounted", config):
            client.push_blob("a/b", content)
            world.holders[digest(content)] = 0
        world.age()
        client.push_blob("a/b", b"layer")  # the data exists: only the link is new
        answer = client.call("POST", f"/v2/c/d/blobs/uploads/?mount={digest(b'mounted')}&from=a/b")
        assert answer.status == 201, answer
        with Registry(STORAGE_FILESYSTEM_ROOTDIRECTORY=peer.dir / "data") as ours:
            assert ours.run_program("garbage-collect", "-m").returncode == 0
        assert client.call("HEAD", f"/v2/a/b/blobs/{digest(b'layer')}").status == 200
        assert client.call("HEAD", f"/v2/c/d/blobs/{digest(b'mounted')}").status == 200
        assert client.call("HEAD", f"/v2/a/b/blobs/{digest(config)}").status == 404


main()
