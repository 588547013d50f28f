#!/usr/bin/env python3
"""Compares a repository of 100,000 tags and 1,000,000 blobs with one of 300 tags: the same requests
alternate.

    tests/bench/big-repository.py [--tags N] [--blobs N] [--rounds N] [--directory DIRECTORY]
    build/registry/registryd

The large one is written to the disk in registry:2's layout (about 12 GB in small directories, which
takes a few minutes), and removed at the end. Blobs that are never requested share one file. The
first list of tags after a change of the repository reads the whole directory; its time is printed
separately.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile
import time

import command_line
from registry_servers import MANIFEST_TYPE, World, digest, start_registry

LAYOUT = "docker/registry/v2"
TAGS_OF_SMALL = 300
MIDDLE = {"small": "v0000099", "large": "v0050000"}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)


class Maker:
    """Writes a repository as registry:2 does."""

    def __init__(self, root):
        self.root = root / LAYOUT
        self.repository = self.root / "repositories/bench"

    def blob_directory(self, name):
        return self.root / f"blobs/sha256/{name[7:9]}/{name[7:]}"

    def add_blob(self, content):
        name = digest(content)
        write(self.blob_directory(name) / "data", content)
        write(self.repository / f"_layers/sha256/{name[7:]}/link", name.encode())
        return {"digest": name, "size": len(content)}

    def add_image(self, tag, layer):
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       **self.add_blob(b"{}")},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar",
                        **self.add_blob(layer)}]}).encode()
        name = digest(manifest)
        write(self.blob_directory(name) / "data", manifest)
        write(self.repository / f"_manifests/revisions/sha256/{name[7:]}/link", name.encode())
        write(self.repository / f"_manifests/tags/{tag}/current/link", name.encode())
        write(self.repository / f"_manifests/tags/{tag}/index/sha256/{name[7:]}/link",
              name.encode())
        return name

    def fill(self, tags, blobs, image):
        link = self.repository / f"_manifests/revisions/sha256/{image[7:]}/link"
        for i in range(tags):
            directory = f"{self.repository}/_manifests/tags/v{i:07d}"
            os.mkdir(directory)
            os.mkdir(directory + "/current")
            link_many(link, directory + "/current/link", i)
        layers, bytes_root = f"{self.repository}/_layers/sha256/", f"{self.root}/blobs/sha256/"
        for i in range(256):
            os.makedirs(f"{bytes_root}{i:02x}", exist_ok=True)
        for i in range(blobs):
            name = os.urandom(32).hex()
            os.mkdir(layers + name)
            link_many(link, f"{layers}{name}/link", i)
            directory = f"{bytes_root}{name[:2]}/{name}"
            os.mkdir(directory)
            link_many(link, directory + "/data", i)


def link_many(source, path, i):
    """Links files; copies the source from time to time, because ext4 allows at most 65,000 links to
    a file.
    """
    copy = f"{source}.{i // 20000}"
    if not os.path.exists(copy):
        shutil.copy(source, copy)
    os.link(copy, path)


class Asker:
    """Sends requests over one connection; returns milliseconds."""

    def __init__(self, server):
        self.server, self.connection = server, server.connect()

    def ask(self, method, path, body=None, headers=()):
        begin = time.perf_counter()
        status, _ = self.server.request(self.connection, method, path, body,
                                        {"Accept": MANIFEST_TYPE, **dict(headers)})
        assert status in (200, 201, 202), (method, path, status)
        return (time.perf_counter() - begin) * 1000


def requests(image, layer):
    """Returns the name and the function of each request."""
    return [
        ("page of tags, the first", lambda asker: asker.ask("GET", "/v2/bench/tags/list?n=100")),
        ("page of tags, in the middle",
         lambda asker: asker.ask(
             "GET", f"/v2/bench/tags/list?n=100&last={MIDDLE[asker.server.name]}")),
        ("manifest by tag", lambda asker: asker.ask("GET", "/v2/bench/manifests/latest")),
        ("manifest by digest", lambda asker: asker.ask("GET", f"/v2/bench/manifests/{image}")),
        ("HEAD blob", lambda asker: asker.ask("HEAD", f"/v2/bench/blobs/{layer}")),
        ("GET blob", lambda asker: asker.ask("GET", f"/v2/bench/blobs/{layer}")),
        ("upload of a blob", lambda asker: upload(asker)),
    ]


def upload(asker):
    begin = time.perf_counter()
    asker.server.push_blob(asker.connection, "bench", os.urandom(1024))
    return (time.perf_counter() - begin) * 1000


def measure(askers, image, layer, rounds):
    row = "{:<30} {:>12} {:>12} {:>8}"
    print(row.format("median ms", "small", "large", "ratio"))
    for name, run in requests(image, layer):
        seen = [[], []]
        for _ in range(rounds):
            for i, asker in enumerate(askers):
                seen[i].append(run(asker))
        small, large = map(statistics.median, seen)
        print(row.format(name, f"{small:.3f}", f"{large:.3f}", f"{large / small:.2f}"), flush=True)


def main():
    parser = command_line.Parser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("registryd", type=command_line.program)
    parser.add_argument("--tags", type=command_line.count, default=100_000)
    parser.add_argument("--blobs", type=command_line.count, default=1_000_000)
    parser.add_argument("--rounds", type=command_line.count, default=200)
    parser.add_argument("--directory", type=command_line.directory, default="/tmp",
                        help="of the repositories, while it runs")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="registry-bench.", dir=arguments.directory))
    world, servers = World(), []
    layer = os.urandom(1024)
    try:
        begin = time.monotonic()
        for name in ("small", "large"):
            image = Maker(directory / name).add_image("latest", layer)
        Maker(directory / "small").fill(TAGS_OF_SMALL, 0, image)
        Maker(directory / "large").fill(arguments.tags, arguments.blobs, image)
        print(f"# made in {time.monotonic() - begin:.0f} s")
        for name in ("small", "large"):
            servers.append(start_registry(world, name, arguments.registryd, 10,
                                          storage=directory / name))
        askers = [Asker(server) for server in servers]
        time.sleep(3)  # recent changes are not cached
        for asker in askers:
            asker.ask("GET", "/v2/")
            print(f"# {asker.server.name}: the first page after a change "
                  f"{asker.ask('GET', '/v2/bench/tags/list?n=100'):.1f} ms")
        measure(askers, image, digest(layer), arguments.rounds)
        for server in servers:
            print(f"# {server.name}: at most {server.memory_mib('VmHWM'):.1f} MiB resident")
    finally:
        for server in servers:
            server.stop()
        world.close()
        shutil.rmtree(directory, ignore_errors=True)


main()
