#!/usr/bin/env python3
"""Garbage collection: `registryd garbage-collect` compared with docker-registry's collector.

    REGISTRYD  the program under test (default: build/registry/registryd of this checkout)

Both programs serve and collect the same directories; the test compares their output and the objects that remain.
"""

import atexit
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from harness import ROOT, Skip, case, main, need
from registry import free_port

START_TIMEOUT_S = 300

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def registryd():
    path = pathlib.Path(os.environ.get("REGISTRYD") or ROOT / "build/registry/registryd").resolve()
    if not path.is_file():
        raise Skip(f"{path} is not built")
    return str(path)


def digest_of(content, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, content).hexdigest()


class Storage:
    """A directory that either program serves or collects; it is removed when the test process ends."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dcp-collect.", dir="/tmp"))
        atexit.register(shutil.rmtree, self.dir, ignore_errors=True)
        self.data = self.dir / "data"
        self.root = self.data / "docker/registry/v2"
        self.config = self.dir / "config.yml"
        self.config.write_text(f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {self.data}\n"
                               "  delete:\n    enabled: true\nhttp: {}\n")

    def copy(self):
        other = Storage()
        shutil.copytree(self.data, other.data)
        return other

    def collect(self, program, *switches):
        """Runs a program's collector; returns (status, lines of stdout, stderr)."""
        done = subprocess.run([program, "garbage-collect", *switches, self.config], capture_output=True, timeout=120,
                              env={"PATH": os.environ["PATH"]}, check=False)
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()

    def must_collect(self, program, *switches):
        status, lines, errors = self.collect(program, *switches)
        assert status == 0, f"status {status}: {errors}"
        return lines

    def blobs(self):
        """Returns the digests of the blobs whose data exists."""
        return {"sha256:" + path.parent.name for path in self.root.glob("blobs/sha256/*/*/data")}

    def tree(self):
        """Returns all files with their contents."""
        return {str(path.relative_to(self.data)): path.read_bytes() for path in self.data.rglob("*") if path.is_file()}


class Server:
    """A program that serves a storage on loopback, without TLS and without passwords."""

    def __init__(self, program, storage):
        self.program, self.storage = program, storage

    def __enter__(self):
        self.port = free_port()
        self.log = open(self.storage.dir / "log", "ab")
        self.process = subprocess.Popen(
            [self.program, "serve", self.storage.config], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"PATH": os.environ["PATH"], "REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}"})
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                assert self.request("GET", "/v2/")[0] == 200
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("does not start: " + (self.storage.dir / "log").read_text()[-800:])

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=300)
        self.log.close()

    def request(self, method, path, body=None, headers=None):
        """Returns (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def start_upload(self, name, query=""):
        status, headers, _ = self.request("POST", f"/v2/{name}/blobs/uploads/{query}", b"")
        assert status == 202, status
        return headers["Location"].partition(f":{self.port}")[2] or headers["Location"]

    def push_blob(self, name, content, algorithm="sha256"):
        digest = digest_of(content, algorithm)
        place = self.start_upload(name)
        status, _, text = self.request("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content,
                                       {"Content-Type": "application/octet-stream"})
        assert status == 201, (status, text)
        return digest

    def push_manifest(self, name, reference, manifest, media_type=None):
        """Pushes by tag, or by digest if reference is an algorithm; returns the digest."""
        content = json.dumps(manifest).encode()
        by_digest = reference in ("sha256", "sha512")
        digest = digest_of(content, reference if by_digest else "sha256")
        status, _, text = self.request("PUT", f"/v2/{name}/manifests/{digest if by_digest else reference}", content,
                                       {"Content-Type": media_type or manifest["mediaType"]})
        assert status == 201, (status, text)
        return digest

    def push_image(self, name, reference, what, **more):
        """Pushes an image whose layer contains `what`; returns its digest."""
        return self.push_manifest(name, reference, {
            "schemaVersion": 2, "mediaType": IMAGE, **more,
            "config": {"mediaType": CONFIG, "size": 2, "digest": self.push_blob(name, b"{}")},
            "layers": [{"mediaType": LAYER, "size": len(what), "digest": self.push_blob(name, what.encode())}]})

    def push_index(self, name, reference, *digests, media_type=INDEX):
        return self.push_manifest(name, reference, {
            "schemaVersion": 2, "mediaType": media_type,
            "manifests": [{"mediaType": IMAGE, "size": 1, "digest": digest,
                           "platform": {"os": "linux", "architecture": f"a{i}"}}
                          for i, digest in enumerate(digests)]})

    def get(self, name, reference, accept=IMAGE):
        return self.request("GET", f"/v2/{name}/manifests/{reference}", headers={"Accept": accept})

    def has(self, name, reference, accept=IMAGE):
        return self.get(name, reference, accept)[0] == 200

    def has_blob(self, name, digest):
        return self.request("HEAD", f"/v2/{name}/blobs/{digest}")[0] == 200


def peer():
    return need("docker-registry")


def with_garbage(program):
    """Returns a storage with two tagged images, an image that has lost its tag, and an unreferenced blob."""
    storage = Storage()
    with Server(program, storage) as server:
        server.push_image("a/b", "one", "one")
        server.push_image("a/b", "moved", "old")
        server.push_image("a/b", "moved", "new")
        server.push_image("c", "one", "one")
        server.push_blob("c", b"unreferenced")
    return storage


def by_repository(lines):
    """Sorts the output, because the order of directory entries varies. docker-registry writes "1 blobs"."""
    return sorted(re.sub(r"\b1 (blob|manifest)s\b", r"1 \1", line.strip()) for line in lines if line.strip())


@case("output and remaining objects are the same as docker-registry's, on the data of either program")
def _():
    for program in (peer(), registryd()):
        for switches in ([], ["--delete-untagged"]):
            ours = with_garbage(program)
            theirs = ours.copy()
            said = by_repository(ours.must_collect(registryd(), *switches))
            # docker-registry logs each deletion; the list of eligible objects is on stdout
            wanted = by_repository(re.sub(r"\b1 (blob|manifest)s\b", r"1 \1", line)  # we write "1 blob"
                                   for line in theirs.must_collect(peer(), *switches) if "level=" not in line)
            assert said == wanted, f"{switches}\nours: {said}\ntheirs: {wanted}"
            assert ours.blobs() == theirs.blobs(), switches


@case("after a collection, either program serves every tagged image")
def _():
    for program in (peer(), registryd()):
        storage = with_garbage(program)
        storage.must_collect(registryd(), "-m")
        for other in (peer(), registryd()):
            with Server(other, storage) as server:
                for name, tag in (("a/b", "one"), ("a/b", "moved"), ("c", "one")):
                    status, _, text = server.get(name, tag)
                    assert status == 200, (name, tag, status)
                    for layer in json.loads(text)["layers"]:
                        assert server.has_blob(name, layer["digest"])
                assert not server.has_blob("c", digest_of(b"unreferenced"))


@case("children of a tagged index stay, although docker-registry deletes them")
def _():
    storage = Storage()
    with Server(peer(), storage) as server:
        children = [server.push_image("a", "sha256", f"child {i}") for i in range(3)]
        server.push_index("a", "latest", *children[:2])
    theirs = storage.copy()
    storage.must_collect(registryd(), "-m")
    with Server(peer(), storage) as server:
        assert [server.has("a", child) for child in children] == [True, True, False]
        assert server.has("a", "latest", INDEX)
    theirs.must_collect(peer(), "-m")
    with Server(peer(), theirs) as server:
        assert not server.has("a", children[0]), "docker-registry now behaves like registryd: remove this difference"


@case("referrers of a tagged image stay, and are removed together with it")
def _():
    storage = Storage()
    with Server(registryd(), storage) as server:
        image = server.push_image("a", "t", "image")
        subject = {"mediaType": IMAGE, "size": 1, "digest": image}
        signature = server.push_image("a", "sha256", "signature", subject=subject)
    storage.must_collect(registryd(), "-m")
    with Server(registryd(), storage) as server:
        listed = json.loads(server.request("GET", f"/v2/a/referrers/{image}")[2])["manifests"]
        assert [item["digest"] for item in listed] == [signature]
        assert server.request("DELETE", "/v2/a/manifests/t")[0] == 202
    storage.must_collect(registryd(), "-m")
    assert storage.blobs() == set()


@case("a dry run changes nothing and prints the same output")
def _():
    storage = with_garbage(registryd())
    before = storage.tree()
    planned = storage.must_collect(registryd(), "--dry-run", "--delete-untagged")
    assert storage.tree() == before
    assert storage.must_collect(registryd(), "-m") == planned
    assert storage.tree() != before


@case("an upload in progress survives, also one that docker-registry began")
def _():
    for program in (peer(), registryd()):
        storage = Storage()
        with Server(program, storage) as server:
            place = server.start_upload("a")
            status, headers, _ = server.request("PATCH", place, b"hel", {"Content-Type": "application/octet-stream"})
            assert status == 202, status
            place = headers["Location"]
            session = headers["Docker-Upload-UUID"]
        storage.must_collect(registryd(), "-m")
        with Server(registryd(), storage) as server:
            status, _, text = server.request(
                "PUT", f"/v2/a/blobs/uploads/{session}?digest={digest_of(b'hello')}", b"lo")
            assert status == 201, (status, text)
            assert server.has_blob("a", digest_of(b"hello"))


@case("sha512: docker-registry serves it and our collector keeps it; docker-registry's keeps only the manifest")
def _():
    storage = Storage()
    with Server(registryd(), storage) as server:
        config = server.push_blob("a", b"{}", "sha512")
        manifest = {"schemaVersion": 2, "mediaType": IMAGE, "layers": [],
                    "config": {"mediaType": CONFIG, "size": 2, "digest": config}}
        digest = server.push_manifest("a", "sha512", manifest)
        content = json.dumps(manifest).encode()
        status, _, _ = server.request("PUT", f"/v2/a/manifests/{digest}?tag=t", content, {"Content-Type": IMAGE})
        assert status == 201, status
    storage.must_collect(registryd(), "-m")
    with Server(registryd(), storage) as server:
        status, headers, text = server.get("a", "t")
        assert (status, text) == (200, content) and headers["Docker-Content-Digest"] == digest
        assert server.has_blob("a", config)
    with Server(peer(), storage) as server:
        for reference in ("t", digest):
            status, _, text = server.get("a", reference)
            assert (status, text) == (200, content), (reference, status, text)
        assert server.has_blob("a", config)
    # docker-registry marks the sha512 digest, but the bytes are stored under sha256, in its own data as in ours.
    storage.must_collect(peer())
    with Server(registryd(), storage) as server:
        assert server.has("a", "t") and server.has("a", digest)
        assert not server.has_blob("a", config), "docker-registry now behaves like registryd: remove this difference"


@case("docker-registry's collector keeps referrers and indexes without blobs that registryd stored")
def _():
    storage = Storage()
    with Server(registryd(), storage) as server:
        image = server.push_image("a", "t", "image")
        signature = server.push_image("a", "s", "signature", subject={"mediaType": IMAGE, "size": 1, "digest": image})
        empty = server.push_manifest("only-an-index", "t", {"schemaVersion": 2, "manifests": []}, INDEX)
    storage.must_collect(peer())
    with Server(registryd(), storage) as server:
        assert server.has("a", "t") and server.has("a", signature)
        assert server.get("only-an-index", empty, INDEX)[1]["Content-Type"] == INDEX
        assert len(json.loads(server.request("GET", f"/v2/a/referrers/{image}")[2])["manifests"]) == 1


@case("registryd lists referrers that were pushed to docker-registry in the meantime")
def _():
    storage = Storage()
    with Server(registryd(), storage) as server:
        image = server.push_image("a", "t", "image")
    with Server(peer(), storage) as server:
        signature = server.push_image("a", "s", "signature", subject={"mediaType": IMAGE, "size": 1, "digest": image})
    with Server(registryd(), storage) as server:
        listed = json.loads(server.request("GET", f"/v2/a/referrers/{image}")[2])["manifests"]
        assert [item["digest"] for item in listed] == [signature]


@case("an unreadable manifest stops the collection before anything is removed")
def _():
    storage = with_garbage(peer())
    with Server(peer(), storage) as server:
        digest = server.push_image("z", "t", "z").partition(":")[2]
    data = storage.root / "blobs/sha256" / digest[:2] / digest / "data"
    whole = data.read_bytes()
    for torn in (b"", whole[:-1], whole.replace(b"2", b"3", 1)):
        data.write_bytes(torn)
        before = storage.tree()
        status, _, errors = storage.collect(registryd(), "-m")
        assert status == 1 and digest in errors and "nothing was removed" in errors and errors.count("\n") == 1, errors
        assert storage.tree() == before
    data.write_bytes(whole)
    storage.must_collect(registryd(), "-m")


@case("--quiet prints nothing; unknown options and a missing directory are refused")
def _():
    storage = with_garbage(registryd())
    for words in (["--silly"], ["-x"], ["--dry-run=maybe"], [str(storage.config)]):
        status, lines, errors = storage.collect(registryd(), *words)
        assert status == 1 and not lines, (words, lines)
        assert errors.startswith("registryd: ") and errors.count("\n") == 1, (words, errors)
    assert storage.must_collect(registryd(), "-q") == []
    shutil.rmtree(storage.data)
    status, _, errors = storage.collect(registryd())
    assert status == 1 and str(storage.data) in errors, errors
    assert not storage.data.exists()


main()
