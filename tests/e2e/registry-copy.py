#!/usr/bin/env python3
"""`registryd copy` between directories: what arrives, after kills, under load, and with damage. registry-bucket.py has buckets.

LOAD=full kills the copy more often.
"""

import collections
import hashlib
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from harness import Skip, case, is_sanitized, main
from registry import Registry, registryd
from registry_client import BYTES, CONFIG, IMAGE, INDEX, LAYER, Client, descriptor, digest

KILLS = 40 if os.environ.get("LOAD") == "full" else 4
TIMEOUT_S = 600
PREFIX = "docker/registry/v2"


def link(root, key, text):
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


class Storage:
    """A directory in registry:2's layout, which a test fills and reads without a server."""

    def __init__(self, place, name):
        self.data, self.config = place / name, place / f"{name}.yml"
        self.root = self.data / PREFIX
        self.data.mkdir()
        self.config.write_text(f"version: 0.1\nstorage:\n  filesystem: {{rootdirectory: '{self.data}'}}\nhttp: {{}}\n",
                               encoding="utf-8")

    def blob(self, content):
        name = hashlib.sha256(content).hexdigest()
        path = self.data_of(f"sha256:{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"sha256:{name}"

    def data_of(self, name):
        algorithm, _, hexes = name.partition(":")
        return self.root / f"blobs/{algorithm}/{hexes[:2]}/{hexes}/data"

    def layer(self, repository, content):
        name = self.blob(content)
        link(self.root, f"repositories/{repository}/_layers/{name.replace(':', '/')}/link", name)
        return name

    def manifest(self, repository, content, tag=None):
        name = self.blob(content)
        base = f"repositories/{repository}/_manifests"
        link(self.root, f"{base}/revisions/{name.replace(':', '/')}/link", name)
        if tag:
            link(self.root, f"{base}/tags/{tag}/index/{name.replace(':', '/')}/link", name)
            link(self.root, f"{base}/tags/{tag}/current/link", name)
        return name

    def image(self, repository, tag, *layers):
        """An image; returns its manifest's digest."""
        config = json.dumps({"tag": tag, "layers": [digest(layer) for layer in layers]}).encode()
        self.layer(repository, config)
        for layer in layers:
            self.layer(repository, layer)
        return self.manifest(repository, json.dumps({
            "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(CONFIG, config),
            "layers": [descriptor(LAYER, layer) for layer in layers]}).encode(), tag)

    # --- what there is ----------------------------------------------------------------------

    def keys(self, start="repositories"):
        """Every link and record, with its text."""
        base = self.root / start
        return {str(path.relative_to(self.root)): path.read_bytes() for path in base.rglob("*")
                if path.is_file() and "_uploads" not in path.parts}

    def blobs(self):
        return {path.parent.name: path for path in (self.root / "blobs").rglob("data")}

    def tags(self):
        return {key for key in self.keys() if key.endswith("/current/link")}

    def assert_whole(self):
        """Whatever is visible leads only to what is there, and all bytes match their digests."""
        blobs = self.blobs()
        for name, path in blobs.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == name, path
        for key, text in self.keys().items():
            if not key.endswith("/link") or "/index/" in key:  # the history of a tag may name what was deleted
                continue
            _, _, name = text.decode().partition(":")
            assert name in blobs, (key, text)
            if "/_manifests/tags/" in key or "/_manifests/revisions/" in key:
                repository = key.partition("/_manifests/")[0]
                assert (self.root / repository / f"_manifests/revisions/sha256/{name}/link").is_file(), key
                self.assert_complete(repository, blobs[name])

    def assert_complete(self, repository, path):
        manifest = json.loads(path.read_bytes())
        for part in [manifest.get("config"), *manifest.get("layers", ())]:
            if part:
                name = part["digest"].replace(":", "/")
                assert (self.root / repository / f"_layers/{name}/link").is_file(), (repository, path, part)
        for part in manifest.get("manifests", ()):
            name = part["digest"].replace(":", "/")
            assert (self.root / repository / f"_manifests/revisions/{name}/link").is_file(), (repository, path, part)


def run_copy(source, target, *words, status=0, **more):
    done = subprocess.run([registryd(), "copy", "--from", source.config, "--to", target.config, *words],
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **more)
    assert done.returncode == status, done
    return done.stdout


class Place:
    """Two storages in a directory that all users can enter."""

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dcp-copy.", dir="/tmp"))
        self.dir.chmod(0o755)
        return Storage(self.dir, "source"), Storage(self.dir, "target")

    def __exit__(self, *_):
        shutil.rmtree(self.dir)


def fill(source):
    """Repositories with shared layers, an index of images, nested names, and a blob of no manifest."""
    shared = random.randbytes(3 << 20)
    for number in range(12):
        source.image(f"team/app{number % 3}", f"v{number}", shared, random.randbytes(1000 + number))
    first, second = (source.image("team", None, random.randbytes(2000)) for _ in range(2))
    source.manifest("team", json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": IMAGE, "digest": name, "size": source.data_of(name).stat().st_size} for name in (first, second)]}).encode(),
                    "both")
    source.layer("team", b"of no manifest")


@case("a copy has the same links and bytes, the next one copies nothing, and a third one what is new")
def _():
    with Place() as (source, target):
        fill(source)
        assert run_copy(source, target).endswith("0 removed; 0 damaged\n")
        target.assert_whole()
        assert target.keys() == source.keys() and set(target.blobs()) == set(source.blobs())
        assert run_copy(source, target).startswith("0 blobs and manifests copied, 0 bytes; 0 links")
        source.image("team/app0", "late", random.randbytes(5000))
        assert run_copy(source, target).startswith("3 blobs and manifests copied, ")
        assert target.keys() == source.keys()
        assert not list((target.root / "registryd").rglob("data")), "an upload was left"


@case("kill -9 at any time leaves a destination that serves only what is whole, and the next copy continues")
def _():
    with Place() as (source, target):
        fill(source)
        source.image("large", "v1", *(random.randbytes(8 << 20) for _ in range(3)))
        most = len(source.blobs()) + len(source.keys())
        for number in range(KILLS):
            seen = len(target.blobs()) + len(target.keys())
            goal = seen + random.randrange(1, 2 + (most - seen) * (number + 1) // (2 * KILLS))
            process = subprocess.Popen([registryd(), "copy", "--from", source.config, "--to", target.config],
                                       stdout=subprocess.DEVNULL)
            while process.poll() is None and len(target.blobs()) + len(target.keys()) < goal:
                time.sleep(0.002)
            process.kill()
            process.wait()
            target.assert_whole()
        run_copy(source, target)
        target.assert_whole()
        assert target.keys() == source.keys() and set(target.blobs()) == set(source.blobs())
        assert not list((target.root / "registryd").rglob("data")), "an upload was left"


@case("a source that serves pushes and deletes is copied, and a last copy makes both the same")
def _():
    with Place() as (source, target), Registry(STORAGE_FILESYSTEM_ROOTDIRECTORY=source.data) as registry:
        counts, is_over = collections.Counter(), threading.Event()

        def load(number):
            client = Client(registry)
            while not is_over.is_set():
                name = f"load/r{number}"
                registry.push_image(name, f"v{counts[number]}")
                content = random.randbytes(100)
                assert client.finish(client.start(name), digest(content), content).status == 201
                manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "layers": [],
                                       "config": descriptor(BYTES, content)}).encode()
                answer = client.call("PUT", f"/v2/{name}/manifests/moving", manifest, content_type=IMAGE)
                assert answer.status == 201, answer
                if counts[number] % 3 == 2:
                    assert client.call("DELETE", f"/v2/{name}/manifests/{digest(manifest)}").status == 202
                counts[number] += 1

        threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                seen = sum(counts.values())
                while sum(counts.values()) < seen + 4:
                    assert all(thread.is_alive() for thread in threads)
                    time.sleep(0.01)
                run_copy(source, target)
                target.assert_whole()
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        run_copy(source, target, "--delete")
        target.assert_whole()
        assert target.tags() == source.tags()
        assert {key for key in target.keys() if "/revisions/" in key} == {key for key in source.keys() if "/revisions/" in key}


@case("what only the destination has is counted, and --delete removes it")
def _():
    with Place() as (source, target):
        source.image("a", "v1", b"one")
        gone = source.image("a", "v2", b"two")
        source.image("old", "v1", b"three")
        run_copy(source, target)
        base = source.root / "repositories"
        shutil.rmtree(base / "a/_manifests/tags/v2")
        shutil.rmtree(base / f"a/_manifests/revisions/{gone.replace(':', '/')}")
        shutil.rmtree(base / "old")
        assert "6 tags, manifests and links exist only in the destination" in run_copy(source, target)
        assert len(target.tags()) == 3
        assert "6 removed" in run_copy(source, target, "--delete")
        target.assert_whole()
        assert target.keys() == source.keys()
        assert not (target.root / "repositories/old/_manifests").exists()


@case("damage at the source is reported, not copied, and makes the exit status 1")
def _():
    with Place() as (source, target):
        source.image("good", "v1", b"good")
        flipped, cut, gone = (random.randbytes(size) for size in (2 << 20, 3000, 4000))
        source.image("bad", "v1", flipped, cut, gone)
        manifest = source.image("bad", "damaged", b"of a damaged manifest")
        source.data_of(digest(flipped)).write_bytes(flipped[:-1] + bytes([flipped[-1] ^ 1]))
        source.data_of(digest(cut)).write_bytes(cut[:-1])
        source.data_of(digest(gone)).unlink()
        source.data_of(manifest).write_bytes(b"{}")
        (source.root / "repositories/good/_manifests/tags/empty/current").mkdir(parents=True)
        (source.root / "repositories/good/_manifests/tags/empty/current/link").touch()
        found = json.loads(run_copy(source, target, "--json", "--quiet", status=1))
        text = "\n".join(found["findings"])
        assert found["damaged"] == len(found["findings"]) == 6, found
        for what in (digest(flipped), digest(cut), f"{digest(gone)} of bad: it is missing", "the tag bad:damaged",
                     manifest.partition(":")[2], "tags/empty/current/link: it is empty"):
            assert what in text, (what, text)
        for name in map(digest, (flipped, cut, gone)):
            assert not target.data_of(name).exists()
        assert {key.split("/")[-3] for key in target.tags()} == {"v1"}
        good, bad = (key for key in sorted(target.tags(), reverse=True))
        assert "good" in good and "bad" in bad
        assert not list((target.root / "registryd").rglob("data")), "an upload was left"
        # Once mended, the rest follows.
        for content in (flipped, cut, gone):
            source.data_of(digest(content)).write_bytes(content)
        run_copy(source, target, status=1)
        assert target.data_of(digest(flipped)).read_bytes() == flipped


@case("a blob that another program has written in part is replaced")
def _():
    with Place() as (source, target):
        source.image("a", "v1", b"x" * 5000)
        path = target.data_of(digest(b"x" * 5000))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 100)
        run_copy(source, target)
        target.assert_whole()


@case("root copies as the owner of the destination, and the source is only read")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can change the user")
    nobody = pwd.getpwnam("nobody")
    with Place() as (source, target):
        fill(source)
        os.chown(target.data, nobody.pw_uid, nobody.pw_gid)
        before = sorted((str(path), path.lstat().st_mtime_ns) for path in source.data.rglob("*"))
        run_copy(source, target)
        assert {path.lstat().st_uid for path in target.data.rglob("*")} == {nobody.pw_uid}
        assert sorted((str(path), path.lstat().st_mtime_ns) for path in source.data.rglob("*")) == before


@case("wrong command lines and configurations are refused")
def _():
    with Place() as (source, target):
        for words, text in (((), "copy needs --from CONFIG and --to CONFIG"),
                            (("--from", source.config), "copy needs"),
                            (("--from", source.config, "--to", target.config, "x"), "copy takes no operand: x"),
                            (("--from", source.config, "--to", source.config), "name the same storage"),
                            (("--from", source.config, "--to", target.dir if hasattr(target, "dir") else "/nowhere"), "/nowhere")):
            done = subprocess.run([registryd(), "copy", *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
            assert done.returncode == 1 and text in done.stderr and done.stderr.count("\n") == 1, done
        other = Storage(source.config.parent, "other")
        other.config.write_text(other.config.read_text().replace(str(other.data), f"{source.data}/../source"))
        assert "name the same storage" in subprocess.run([registryd(), "copy", "--from", source.config, "--to", other.config],
                                                         capture_output=True, text=True, timeout=TIMEOUT_S, check=False).stderr


main()
