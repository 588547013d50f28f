#!/usr/bin/env python3
"""registryd reports a full, read-only or broken disk and a lack of descriptors, threads or memory,
and loses nothing.

    LOAD=full  runs for minutes

A request that fails is answered with 5xx in the specification's format. Everything that was
acknowledged before stays intact. When the cause is gone, everything works again without
intervention.
"""

import contextlib
import errno
import http.client
import json
import os
import random
import resource
import subprocess
import tempfile
import time

from fault_layer import FaultLayer
from harness import Skip, case, main
from registry import Registry
from registry_client import Client, digest

IS_FULL = os.environ.get("LOAD") == "full"
RANDOM_S = 60 if IS_FULL else 3
NAMES = {errno.EIO: "EIO", errno.ENOSPC: "ENOSPC", errno.EROFS: "EROFS", errno.EMFILE: "EMFILE",
         errno.ENOMEM: "ENOMEM",
         errno.EDQUOT: "EDQUOT", errno.EACCES: "EACCES"}
STATUS = {errno.EIO: 500, errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EROFS: 503, errno.EMFILE: 503,
          errno.ENOMEM: 503}
CODE = {500: "UNKNOWN", 503: "UNAVAILABLE", 507: "UNAVAILABLE"}


class Refused(Exception):
    """The registry answered with a well-formed 5xx."""

    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


class Books:
    """One client, and everything that the registry acknowledged to it."""

    def __init__(self, registry, name="faults/one"):
        self.client, self.name = Client(registry, tries=1), name
        self.blobs, self.tags, self.manifests, self.unsure = {}, {}, {}, set()
        self.random = random.Random(7)

    def must(self, answer, *statuses):
        if answer.status >= 500:
            # HEAD has no body, and an answer may have none when memory is exhausted
            if answer.body:
                assert answer.code == CODE[answer.status], answer
            raise Refused(answer)
        assert answer.status in statuses, answer
        return answer

    def push_blob(self, content):
        client = self.client
        place = self.must(client.call("POST", f"/v2/{self.name}/blobs/uploads/"), 202).location
        half = len(content) // 2
        place = self.must(client.patch(place, content[:half]), 202).location
        self.must(client.finish(place, digest(content), content[half:]), 201)
        self.blobs[digest(content)] = content

    def push_image(self, tag, size=3000):
        config, layer = b'{"architecture":"amd64","os":"linux"}', self.random.randbytes(size)
        for content in (config, layer):
            self.push_blob(content)
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       "digest": digest(config),
                       "size": len(config)},
            "layers": [{"mediaType": "application/octet-stream", "digest": digest(layer),
                        "size": len(layer)}]}).encode()
        self.manifests[digest(manifest)] = manifest
        self.unsure.add(tag)
        self.must(self.client.put_manifest(self.name, tag, manifest), 201)
        self.unsure.discard(tag)
        self.tags[tag] = digest(manifest)

    def pull(self, tag):
        manifest = self.must(self.client.get_manifest(self.name, tag), 200)
        for layer in manifest.json["layers"]:
            blob = self.must(self.client.call("GET", f"/v2/{self.name}/blobs/{layer['digest']}"),
                             200)
            assert digest(blob.body) == layer["digest"], (tag, layer)

    def look(self):
        """Sends cheap requests that change nothing."""
        client = self.client
        self.must(client.call("GET", "/v2/"), 200)
        self.must(client.call("GET", f"/v2/{self.name}/tags/list"), 200)
        self.must(client.call("GET", "/v2/_catalog"), 200)
        self.must(client.get_manifest(self.name, "kept", "HEAD"), 200)
        self.must(client.call("GET", f"/v2/{self.name}/referrers/{digest(b'nothing')}"), 200)

    def delete(self, tag):
        self.unsure.add(tag)
        self.must(self.client.call("DELETE", f"/v2/{self.name}/manifests/{tag}"), 202, 404)
        self.unsure.discard(tag)
        self.tags.pop(tag, None)

    def check(self):
        """Checks that everything acknowledged exists. A refused request may have taken effect."""
        for name, content in self.blobs.items():
            answer = self.client.call("GET", f"/v2/{self.name}/blobs/{name}")
            assert answer.status == 200 and answer.body == content, (name, answer)
        for tag in {*self.tags, *self.unsure}:
            answer = self.client.get_manifest(self.name, tag)
            if answer.status == 404 and tag in self.unsure:
                self.tags.pop(tag, None)
                continue
            assert answer.status == 200 and answer.body == self.manifests[digest(answer.body)], (
                tag, answer)
            assert tag in self.unsure or digest(answer.body) == self.tags[tag], tag
            self.tags[tag] = digest(answer.body)
        self.unsure = set()

    def try_all(self):
        """Sends every kind of request; returns the statuses of the refused ones."""
        refused = []
        for act in (lambda: self.push_image("new"), lambda: self.pull("kept"), self.look,
                    lambda: self.delete("new")):
            try:
                act()
            except Refused as refusal:
                refused.append(refusal.answer.status)
            except (http.client.IncompleteRead, http.client.HTTPException, OSError):
                refused.append(None)  # cut off in the middle of a body
                self.client = Client(self.client.registry, tries=1)
        return refused


@contextlib.contextmanager
def with_layer(**settings):
    layer = FaultLayer()
    with Registry(environment=layer.environment(), **settings) as registry:
        books = Books(registry)
        books.push_image("kept")
        books.try_all()
        yield layer, registry, books


def recover(books):
    books.check()
    books.push_image("again")
    books.pull("again")
    books.look()


@case("while a system call fails, answers are 5xx with the reason; nothing is lost, and "
      "recovery is automatic")
def _():
    with with_layer() as (layer, _, books):
        for call in ("openat", "write", "pwrite", "pread", "read", "fdatasync", "fsync", "renameat",
                     "mkdirat", "fstatat", "fstat",
                     "utimensat", "unlinkat", "flock"):
            number = (4 if call in ("openat", "write")
                      else 1 if call in ("flock", "unlinkat", "fsync", "read") else 2)
            for code in (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EROFS)[:number]:
                with layer.failing(call, code):
                    refused = books.try_all()
                    failed = layer.failed(call)
                what = f"{call} {NAMES[code]}: {refused}"
                assert {status for status in refused if status} <= {STATUS[code]}, what
                assert None not in refused or call == "pread", what
                if call in ("openat", "write", "pwrite", "fdatasync", "fsync", "renameat",
                            "fstatat"):
                    assert failed and STATUS[code] in refused, what
                    books.blobs = dict(list(books.blobs.items())[-6:])
                recover(books)


@case(f"system calls that fail at random for {RANDOM_S} s")
def _():
    with with_layer() as (layer, registry, books):
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        print(f"# seed {seed}")
        tries, refusals, deadline = 0, 0, time.monotonic() + RANDOM_S
        calls = ("openat", "write", "pwrite", "pread", "read", "fdatasync", "fsync", "renameat",
                 "mkdirat", "unlinkat",
                 "fstatat", "fstat", "utimensat", "futimens", "flock", "ftruncate", "memory")
        while time.monotonic() < deadline:
            code = chance.choice(list(STATUS))
            with layer.failing(chance.choice(calls), code, chance.randrange(30),
                               chance.choice((1, 1, 2, 5))):
                refusals += len(books.try_all())
            tries += 1
            if tries % 5 == 0:
                books.check()
                books.blobs = dict(list(books.blobs.items())[-20:])
        recover(books)
        print(f"# {tries} rounds, {refusals} refusals")
        assert tries < 20 or refusals > 2
        assert registry.process.poll() is None
        assert registry.run_program("verify").returncode == 0


@case("any single memory allocation may fail")
def _():
    with with_layer() as (layer, registry, books):
        refusals, at, reached = 0, 0, True
        while reached:  # pulls are fast: fail every allocation in turn
            with layer.failing("memory", errno.ENOMEM, at, 1):
                with contextlib.suppress(Refused, http.client.HTTPException, OSError):
                    books.pull("kept")
                reached = layer.failed("memory") > 0
            assert registry.process.poll() is None, at
            books.client = Client(registry, tries=1)
            at += 1
        assert at > 20
        places = range(10000) if IS_FULL else random.sample(range(250), 12)
        for at in places:
            with layer.failing("memory", errno.ENOMEM, at, 1):
                refused = books.try_all()
                was_reached = layer.failed("memory") > 0
            assert set(refused) <= {503, None}, (at, refused)
            refusals += len(refused)
            assert registry.process.poll() is None, at
            if not was_reached:
                break
        recover(books)
        print(f"# up to allocation {at}, {refusals} refusals")
        assert registry.run_program("verify").returncode == 0


@case("if reading a blob fails in the middle, the answer is cut off and never looks complete")
def _():
    with with_layer() as (layer, _, books):
        content = random.Random(1).randbytes(1 << 20)
        books.push_blob(content)
        for after in (0, 1, 5):
            with layer.failing("pread", errno.EIO, after):
                try:
                    answer = books.client.call("GET", f"/v2/{books.name}/blobs/{digest(content)}")
                    assert answer.status >= 500, answer.status
                except (http.client.IncompleteRead, OSError, http.client.HTTPException):
                    pass
        books.client = Client(books.client.registry)
        assert books.client.call("GET", f"/v2/{books.name}/blobs/{digest(content)}").body == content


@case("garbage-collect and verify print one line that says what failed, and remove nothing in use")
def _():
    with with_layer() as (layer, registry, books):
        for call in ("openat", "pread", "read", "renameat", "unlinkat", "fstatat", "fsync", "flock",
                     "memory"):
            for after in (0, 5, 30):
                hex_ = digest(b"garbage" + call.encode()).partition(":")[2]
                books.push_blob(b"garbage" + call.encode())
                books.blobs = {}
                root = registry.dir / "data/docker/registry/v2"
                for path in (f"blobs/sha256/{hex_[:2]}/{hex_}/data",
                             f"repositories/{books.name}/_layers/sha256/{hex_}/link"):
                    os.utime(root / path, (1000000000, 1000000000))
                with layer.failing(call, errno.ENOMEM if call == "memory" else errno.EIO, after):
                    result = registry.run_program("garbage-collect", "-q", "-m")
                assert result.returncode in (0, 1), (call, after, result)
                assert result.stderr.count("\n") == result.returncode, (call, after, result.stderr)
                tags = dict(books.tags)
                books.check()
                assert books.tags == tags
                books.pull("kept")
        with layer.failing("pread", errno.EIO):
            result = registry.run_program("verify")
            assert result.returncode == 1 and "damaged" in result.stdout, result


@case("if threads run out at the start, registryd exits with an error")
def _():
    layer = FaultLayer()
    with Registry() as registry:
        registry._stop()
        env = {name: str(value)
               for name, value in {**registry._settings(), **layer.environment()}.items()}
        for after in (0, 1, 16, 17, 18, 19):
            with layer.failing("thread", errno.EAGAIN, after):
                done = subprocess.run([registry.program, "serve", registry.dir / "config.yml"],
                                      env=env, timeout=60,
                                      capture_output=True, text=True, check=False)
                assert layer.failed("thread")
            assert done.returncode == 1 and "registryd: cannot start" in done.stderr, (after, done)


# --- real failures, where the system allows them --------------------------------------------------


@contextlib.contextmanager
def small_disk(size):
    with tempfile.TemporaryDirectory(prefix="dcp-disk.", dir="/tmp") as directory:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs",
                               directory], capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise Skip("cannot mount a file system here")
        try:
            yield directory
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


def remount(directory, how):
    subprocess.run(["mount", "-o", f"remount,{how}", directory], check=True)


@case("a full disk is 507; pulls still work, and pushes work again when there is space")
def _():
    with small_disk("4m") as directory, Registry(
            STORAGE_FILESYSTEM_ROOTDIRECTORY=directory) as registry:
        books = Books(registry)
        books.push_image("kept")
        filled = os.path.join(directory, "filled")
        for room in (0, 4096, 3 * 4096, 5 * 4096, 9 * 4096, 14 * 4096):
            with contextlib.suppress(OSError), open(filled, "wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            os.truncate(filled, max(0, os.stat(filled).st_size - room))
            refused = books.try_all()
            assert set(refused) <= {507}, (room, refused)
            assert room or refused, "the disk was not full"
            books.pull("kept")
            os.unlink(filled)
            recover(books)
        big = Books(registry, "faults/big")
        for _ in range(2):
            try:
                big.push_blob(bytes(8 << 20))
                raise AssertionError("it fits")
            except Refused as refusal:
                assert refusal.answer.status == 507
        # A refused upload keeps its space until the client deletes the session or the session
        # expires.
        for session in os.listdir(
                f"{directory}/docker/registry/v2/repositories/faults/big/_uploads"):
            answer = big.client.call("DELETE", f"/v2/faults/big/blobs/uploads/{session}")
            assert answer.status == 204, answer
        recover(books)
        assert registry.run_program("verify").returncode == 0


@case("a read-only disk is 503; pulls still work, and pushes work again when it is writable")
def _():
    with small_disk("16m") as directory, Registry(
            STORAGE_FILESYSTEM_ROOTDIRECTORY=directory) as registry:
        books = Books(registry)
        books.push_image("kept")
        for path in [os.path.join(root, name) for root, _, names in os.walk(directory)
                     for name in names]:
            os.utime(path, (1000000000, 1000000000))
        remount(directory, "ro")
        assert set(books.try_all()) == {503}
        books.pull("kept")
        books.look()
        answer = books.client.call("HEAD", f"/v2/{books.name}/blobs/{next(iter(books.blobs))}")
        assert answer.status == 200, answer
        result = registry.run_program("garbage-collect", "-m")
        assert result.returncode in (0, 1) and "Traceback" not in result.stderr, result
        remount(directory, "rw")
        recover(books)


@case("without free descriptors: 503 or no connection, and recovery when other connections close")
def _():
    with Registry(limits={resource.RLIMIT_NOFILE: 64}) as registry:
        books = Books(registry)
        books.push_image("kept")
        others = []
        for _ in range(100):
            client = Client(registry, tries=1)
            try:
                client.connection().timeout = 1
                client.connection().connect()
                others.append(client)
            except OSError:
                break
        refused = []
        for client in [books.client, *others[:8]]:
            probe = Books(registry)
            probe.client = client
            try:
                probe.must(client.call("POST", f"/v2/{books.name}/blobs/uploads/"), 202)
            except Refused as refusal:
                refused.append(refusal.answer.status)
            except OSError:
                refused.append(None)
        assert set(refused) <= {503, None}, refused
        for client in others:
            client.connection().close()
        deadline = time.monotonic() + 300
        while True:
            try:
                books.client = Client(registry, tries=1)
                recover(books)
                break
            except (OSError, Refused):
                assert time.monotonic() < deadline, "registryd does not recover"
                time.sleep(0.2)
        print(f"# {len(others)} other connections, {refused}")


main()
