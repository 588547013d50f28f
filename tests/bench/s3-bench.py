#!/usr/bin/env python3
"""Compares registryd with docker-registry on one bucket of one Ceph gateway, and counts their requests to it.

    tests/bench/s3-bench.py [--rounds N] [--seconds N] [--big MIB] [--many N] [--only WORDS] build/registry/registryd

Servers take turns within each round. A ratio compares rates of the same round; the median of the rounds is printed. There is
no TLS and no authentication, so that the difference is in how the servers use the bucket. docker-registry answers with the
bytes of a blob (redirect is off), because that is what registryd does. The gateway, its monitor and its OSD run on the same
machine, and take most of the processors: compare ratios, not rates.

Needs .ci/install-dependencies bench, and Ceph: .ci/install-dependencies test.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import command_line
import registry_loads as loads
from registry_buckets import BUCKET, Gateway, blob_key, count, fill, gateway_server, signed_get, start_bucket_registry
from registry_servers import MANIFEST_TYPE, MIB, World, digest
from registry_steps import ROW, Step

OURS, CACHED, THEIRS, STORE = "registryd", "registryd+cache", "docker-registry", "gateway"
LAYERS = 4
PULLED = tuple(kib << 10 for kib in (8, 30 << 10, 5 << 10, 1 << 10, 200))  # a configuration and layers
PULLED_AT_ONCE = "3"  # layers, as docker and podman do
ACCEPT = {"Accept": MANIFEST_TYPE}


# --- loads -----------------------------------------------------------------------------------------

def get_list(path, name, least):
    """Asks once for all names."""
    def load(server):
        connection = server.connect()
        begin = time.monotonic()
        connection.request("GET", path, headers=server.world.auth)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        taken = time.monotonic() - begin
        if answer.status != 200 or len(found[name]) < least:
            raise RuntimeError(f"{path}: {answer.status}, {len(found.get(name) or [])} names")
        return {"count": 1, "per_s": 1 / taken}
    return load


def curl_download(url, headers, mib):
    """Reads a blob with curl, alone."""
    def load(server):
        words = [word for name, value in headers(server).items() for word in ("-H", f"{name}: {value}")]
        begin = time.monotonic()
        loads.curl(server, "-o", "/dev/null", *words, server.url + url(server))
        return {"count": mib, "per_s": mib / (time.monotonic() - begin)}
    return load


def wait_for_cache(server, names):
    """Waits until blobs that were downloaded are in the disk cache."""
    while not all((server.dir / "cache" / name.removeprefix("sha256:")).exists() for name in names):
        time.sleep(0.01)


def empty_cache(server):
    if server.name != CACHED:
        return
    server.stop()
    shutil.rmtree(server.dir / "cache")
    server.start(*server.command)
    loads.curl(server, "-o", "/dev/null", server.url + "/v2/")


def pull(image):
    """As docker does: the manifest of a tag, and then its blobs, several at once."""
    mib = sum(map(len, image.blobs)) / MIB
    words = [word for blob in image.blobs for word in ("-o", "/dev/null", f"/v2/{image.name}/blobs/{digest(blob)}")]

    def load(server):
        begin = time.monotonic()
        loads.curl(server, "-o", "/dev/null", "-H", f"Accept: {MANIFEST_TYPE}", f"{server.url}/v2/{image.name}/manifests/v1")
        loads.curl(server, "--parallel", "--parallel-max", PULLED_AT_ONCE,
                   *[server.url + word if word.startswith("/v2/") else word for word in words])
        return {"count": mib, "per_s": mib / (time.monotonic() - begin)}
    return load


def fill_cache(server, world, image):
    pull(image)(server)
    names = [digest(blob) for name, blob in world.blobs.items() if name != "1 KiB"]
    for name in names:
        loads.curl(server, "-o", "/dev/null", f"{server.url}/v2/bench/blobs/{name}")
    wait_for_cache(server, names + [digest(blob) for blob in image.blobs])


def make_steps(gateway, world, image, arguments):
    seconds, big, many = arguments.seconds, arguments.big, arguments.many
    part = max(1, big // 16)

    def path_of(server, name, path):
        return signed_get(gateway, blob_key(digest(world.blobs[name]))) if server.name == STORE else (path, {})

    def wrk(name, path, connections):
        def load(server):
            target, headers = path_of(server, name, path)
            return loads.wrk(server, target, connections, seconds, headers=headers)
        return load

    def get(name):
        return world.blob_path(name)

    def curl(name):
        return curl_download(lambda s: path_of(s, name, get(name))[0], lambda s: path_of(s, name, "")[1], int(name.split()[0]))

    bars = {THEIRS: 1.5, STORE: 0.8}
    downloads = [name for name in world.blobs if name.endswith("MiB")]
    return [
        Step("manifest by tag", "/s", wrk("1 KiB", "/v2/bench/manifests/latest", 32), [OURS, THEIRS, STORE],
             {THEIRS: 3, STORE: 0.7}),
        Step("blob of 1 KiB", "/s", wrk("1 KiB", get("1 KiB"), 32), [OURS, THEIRS, STORE]),
        *[Step(f"download of {name}, curl", "MiB/s", curl(name), [OURS, THEIRS, STORE], bars) for name in downloads],
        *[Step(f"download of {name}, 4 at once", "MiB/s", wrk(name, get(name), 4), [OURS, THEIRS, STORE], bars)
          for name in downloads],
        *[Step(f"download of {name}, disk cache", "MiB/s", curl(name), [CACHED, THEIRS, STORE], bars) for name in downloads],
        *[Step(f"download of {name}, 4, disk cache", "MiB/s", wrk(name, get(name), 4), [CACHED, THEIRS, STORE], bars)
          for name in downloads],
        Step("pull of an image", "MiB/s", pull(image), [OURS, THEIRS]),
        Step("pull of an image, disk cache", "MiB/s", pull(image), [CACHED, THEIRS]),
        *[Step(f"first download of {name}", "MiB/s", curl(name), [CACHED, OURS, STORE], prepare=empty_cache) for name in downloads],
        Step(f"upload of {big} MiB", "MiB/s", lambda s: loads.upload(s, loads.upload_whole, big), [OURS, THEIRS],
             {THEIRS: 1.5}),
        Step(f"8 uploads of {part} MiB at once", "MiB/s", lambda s: loads.upload_parallel(s, 8, part), [OURS, THEIRS],
             {THEIRS: 1.5}),
        Step("200 uploads of 4 KiB, 8 at once", "/s", loads.upload_small, [OURS, THEIRS], {THEIRS: 3}),
        Step(f"catalog of {many}", "/s", get_list(f"/v2/_catalog?n={many}", "repositories", many), [OURS, THEIRS], {THEIRS: 5}),
        Step(f"list of {many} tags", "/s", get_list("/v2/tags/tags/list", "tags", many), [OURS, THEIRS], {THEIRS: 5}),
    ]


# --- requests --------------------------------------------------------------------------------------

class Image:
    """An image that was never pushed before: a configuration and layers."""

    def __init__(self, name, sizes=(1024,) * (LAYERS + 1)):
        self.name, self.blobs = name, [os.urandom(size) for size in sizes]
        config, *layers = [{"digest": digest(blob), "size": len(blob)} for blob in self.blobs]
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE,
                                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
                                    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}
                                               for layer in layers]}).encode()

    def push(self, server):
        """As docker does: looks for each blob, sends it with PATCH, and then the manifest."""
        connection = server.connect()
        for blob in self.blobs:
            server.request(connection, "HEAD", f"/v2/{self.name}/blobs/{digest(blob)}")
            _, headers = server.request(connection, "POST", f"/v2/{self.name}/blobs/uploads/")
            _, headers = server.request(connection, "PATCH", headers["Location"], blob)
            place = headers["Location"] + ("&" if "?" in headers["Location"] else "?") + "digest=" + digest(blob)
            status, _ = server.request(connection, "PUT", place)
            assert status == 201, status
        status, _ = server.request(connection, "PUT", f"/v2/{self.name}/manifests/v1", self.manifest,
                                   {"Content-Type": MANIFEST_TYPE})
        assert status == 201, status

    def pull(self, server):
        """As docker does: the digest of the tag, the manifest, and each blob."""
        connection = server.connect()
        for method, path in (("HEAD", "manifests/v1"), ("GET", f"manifests/{digest(self.manifest)}"),
                             *(("GET", f"blobs/{digest(blob)}") for blob in self.blobs)):
            status, _ = server.request(connection, method, f"/v2/{self.name}/{path}", headers=ACCEPT)
            assert status == 200, (path, status)


def ask(server, method, path):
    status, _ = server.request(server.connect(), method, path, headers=ACCEPT)
    assert status == 200, (path, status)


def restart(server):
    """Waits until the server has looked at the bucket, and what it can do."""
    server.stop()
    server.start(*server.command)
    server.request(server.connect(), "HEAD", "/v2/none/manifests/none")


def collect(server):
    """Runs a collection beside the server."""
    (program, *_), settings = server.command
    subprocess.run([program, "garbage-collect", "config.yml"], cwd=server.dir, env={"PATH": os.environ["PATH"], **settings},
                   stdout=subprocess.DEVNULL, check=True)


def report_requests(gateway, servers, many, trace):
    """Prints how many requests to the gateway each request of a client costs."""
    print("# requests to the gateway")
    def show(server, name, action):
        requests = gateway.requests(action)
        print(f"{name:<34} {server.name:<18} {count(requests)}", flush=True)
        for method, target, status in requests if trace else ():
            print("    ", method, target.replace(f"/{BUCKET}/docker/registry/v2/", ""), status)

    for server in (servers[OURS], servers[THEIRS]):
        first, image = Image(f"count/{server.name}"), Image(f"count/{server.name}")
        show(server, f"push of an image of {LAYERS + 1} blobs", lambda: first.push(server))
        show(server, "push of the next one", lambda: image.push(server))
        restart(server)
        show(server, "pull after the start", lambda: image.pull(server))
        show(server, "pull again", lambda: image.pull(server))
        for method, what in (("HEAD", "manifests/v1"), ("GET", "manifests/v1"), ("GET", f"manifests/{digest(image.manifest)}"),
                             ("HEAD", f"blobs/{digest(image.blobs[0])}"), ("GET", f"blobs/{digest(image.blobs[0])}")):
            show(server, f"{method} {what[:19]}", lambda: ask(server, method, f"/v2/{image.name}/{what}"))
        show(server, f"catalog of {many}", lambda: ask(server, "GET", f"/v2/_catalog?n={many}"))
        show(server, f"list of {many} tags", lambda: ask(server, "GET", "/v2/tags/tags/list"))
    show(servers[OURS], f"collection of {many} repositories", lambda: collect(servers[OURS]))


def main():
    parser = command_line.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("registryd", type=command_line.program)
    parser.add_argument("--rounds", type=command_line.count, default=3)
    parser.add_argument("--seconds", type=command_line.count, default=2, help="of each load of small requests")
    parser.add_argument("--big", type=command_line.count, default=1024, help="MiB of the large upload; others have a sixteenth")
    parser.add_argument("--many", type=command_line.count, default=10000, help="repositories, and tags of one")
    parser.add_argument("--only", default="", help="steps with these words in their name; \"requests\": only these are counted")
    parser.add_argument("--trace", action="store_true", help="print each counted request")
    arguments = parser.parse_args()
    parser.need("docker-registry", "wrk", "curl", "htpasswd", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the servers stop, too
    world, servers = World(), {}
    part = max(1, arguments.big // 16)
    world.blobs = {"1 KiB": world.blobs["1 KiB"]} | {f"{mib} MiB": os.urandom(MIB) * mib for mib in (part, max(1, part // 16))}
    image = Image("bench/image", PULLED)
    try:
        with Gateway() as gateway:
            assert gateway.client().call("PUT").status == 200
            fill(gateway, arguments.many, arguments.many)
            for name, program in ((OURS, arguments.registryd), (CACHED, arguments.registryd),
                                  (THEIRS, shutil.which("docker-registry"))):
                servers[name] = start_bucket_registry(world, name, program, gateway, has_cache=name == CACHED)
            servers[THEIRS].push_image()
            image.push(servers[THEIRS])
            servers[STORE] = gateway_server(world, gateway)
            print(f"# load average at the start: {os.getloadavg()[0]:.1f}")
            steps = [step for step in make_steps(gateway, world, image, arguments) if arguments.only in step.name]
            for round_ in range(arguments.rounds if steps else 0):
                fill_cache(servers[CACHED], world, image)
                for step in steps:
                    step.run(servers)
                print(f"# round {round_ + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
            print(ROW.format("step", "server", "median", "unit", "CPU us", "p99 ms", "ratio", "bar"))
            for step in steps:
                step.report()
            if arguments.only in ("", "requests"):
                report_requests(gateway, servers, arguments.many, arguments.trace)
            print(f"# load average at the end: {os.getloadavg()[0]:.1f}")
    finally:
        for server in servers.values():
            server.stop()
        world.close()


main()
