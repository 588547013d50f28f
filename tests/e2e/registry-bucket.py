#!/usr/bin/env python3
"""registryd with its data in an S3 bucket of Ceph's gateway: what it does on a directory, and what only a bucket needs.

LOAD=full waits until garbage is older than the grace.
"""

import collections
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

from bucket_registry import BucketRegistry, make_bucket
from ceph_gateway import CephGateway
from fault_proxy import FaultProxy
from harness import Sandbox, Skip, case, is_sanitized, main, need
from registry import Registry, registryd
from registry_client import ACCEPT, IMAGE, Client, digest

MEBIBYTE = 1 << 20
IS_SANITIZED = is_sanitized(registryd())
IS_FULL = os.environ.get("LOAD") == "full"
KILLS = 100 if IS_FULL else 2


class World:
    """One gateway for all cases; each has a bucket of its own."""

    gateway = None

    @classmethod
    def bucket(cls, name):
        if not cls.gateway:
            cls.gateway = CephGateway().__enter__()
        return make_bucket(cls.gateway, name)

    @classmethod
    def registry(cls, name, **settings):
        return BucketRegistry(cls.gateway, name, **settings)

    @classmethod
    def end(cls):
        if cls.gateway:
            cls.gateway.__exit__()


def wait_until(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end, "nothing happened for five minutes"
        time.sleep(0.02)


def maps(registry):
    if os.geteuid() != 0:
        raise Skip("only root can read the memory map of a process that cannot be debugged")
    return pathlib.Path(f"/proc/{registry.process.pid}/maps").read_text(encoding="utf-8")


@case("skopeo logs in, pushes, lists, pulls and deletes")
def _():
    World.bucket("clients")
    with World.registry("clients") as registry, Sandbox() as user:
        registry.push_image("seed", "v1")
        skopeo = [need("skopeo"), "--insecure-policy"]

        def do(*words, stdin=None):
            done = subprocess.run([*skopeo, *map(str, words)], env={**user.env, "SSL_CERT_FILE": str(registry.ca)}, input=stdin,
                                  capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, done
            return done.stdout

        do("login", "--authfile", user.dir / "auth", "-u", registry.username, "--password-stdin", registry.host,
           stdin=registry.password)
        auth = ("--authfile", user.dir / "auth")
        do("copy", *auth, f"docker://{registry.host}/seed:v1", f"dir:{user.dir}/one")
        do("copy", *auth, f"dir:{user.dir}/one", f"docker://{registry.host}/team/app:v2")
        assert json.loads(do("list-tags", *auth, f"docker://{registry.host}/team/app"))["Tags"] == ["v2"]
        do("delete", *auth, f"docker://{registry.host}/team/app:v2")
        client = Client(registry)
        assert client.call("GET", "/v2/_catalog").json == {"repositories": ["seed", "team/app"]}
        assert client.call("GET", "/v2/team/app/manifests/v2").status == 404
        assert client.call("GET", "/v2/seed/manifests/v1", headers={"Accept": ACCEPT}).status == 200


@case("blobs of many parts come back whole and in ranges, and two servers at one bucket see each other's")
def _():
    World.bucket("large")
    content = random.Random(1).randbytes(23 * MEBIBYTE + 7)
    name = digest(content)
    with World.registry("large", STORAGE_S3_CHUNKSIZE=5 * MEBIBYTE) as one, World.registry("large") as two:
        assert Client(one).push_blob("r", content) == name
        for client in (Client(one), Client(two)):
            assert client.call("GET", f"/v2/r/blobs/{name}").body == content
            first, last = 9 * MEBIBYTE - 5, 9 * MEBIBYTE + 5
            answer = client.call("GET", f"/v2/r/blobs/{name}", headers={"Range": f"bytes={first}-{last}"})
            assert answer.status == 206 and answer.body == content[first:last + 1]
            answer = client.call("GET", f"/v2/r/blobs/{name}", headers={"Range": f"bytes=0-9,{first}-{last},20-29"})
            assert answer.status == 206 and content[first:last + 1] in answer.body and content[20:30] in answer.body


@case("an upload goes on at another server, whose digest is that of all bytes; one request at a time writes to it")
def _():
    World.bucket("resume")
    with World.registry("resume", STORAGE_S3_CHUNKSIZE=5 * MEBIBYTE) as one, World.registry("resume") as two:
        clients = [Client(one), Client(two)]
        pieces = [random.Random(number).randbytes(size) for number, size in
                  enumerate((10, 6 * MEBIBYTE, 1, 11 * MEBIBYTE, 70000))]
        location = clients[0].start("r")
        for number, piece in enumerate(pieces):
            answer = clients[number % 2].patch(location, piece)
            assert answer.status == 202, answer
            location = answer.location
        content = b"".join(pieces)
        answer = clients[1].call("GET", location)
        assert answer.status == 204 and answer.headers["Range"] == f"0-{len(content) - 1}", answer
        assert clients[0].finish(location, digest(b"other")).status == 400
        location = clients[0].start("r")
        for number, piece in enumerate(pieces):
            location = clients[number % 2].patch(location, piece).location
        assert clients[1].finish(location, digest(content)).status == 201
        for client in clients:
            assert client.call("GET", f"/v2/r/blobs/{digest(content)}").body == content


@case("of many pushes of one tag through two servers one stays, and each blob is there")
def _():
    World.bucket("races")
    with World.registry("races") as one, World.registry("races") as two:
        clients = [Client(one), Client(two)]
        layer = clients[0].push_blob("r", b"layer")
        bodies = [json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "annotations": {"n": str(number)},
                              "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 5, "digest": layer},
                              "layers": []}).encode() for number in range(5)]

        def push(number):
            return Client((one, two)[number % 2]).call("PUT", "/v2/r/manifests/t", bodies[number], content_type=IMAGE).status

        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            assert list(pool.map(push, range(5))) == [201] * 5
        found = {client.call("GET", "/v2/r/manifests/t", headers={"Accept": ACCEPT}).body for client in clients}
        assert len(found) == 1 and found <= set(bodies), found


@case("only a server with a bucket has libcurl in memory, and it is confined, too")
def _():
    World.bucket("confined")
    with Registry() as registry:
        registry.push_image()
        assert "libcurl" not in maps(registry) and "registryd-s3" not in maps(registry)
    with World.registry("confined") as registry:
        registry.push_image()
        assert "libcurl" in maps(registry) and "registryd-s3" in maps(registry)
        for task in pathlib.Path(f"/proc/{registry.process.pid}/task").iterdir():
            status = (task / "status").read_text(encoding="ascii")
            assert IS_SANITIZED or "\nSeccomp:\t2\n" in status, status


@case("while the store does not answer, event threads do: other requests are answered, and the health check says 503")
def _():
    World.bucket("stalled")
    content = random.Random(2).randbytes(3 * MEBIBYTE)
    with World.registry("stalled") as registry:
        client = Client(registry)
        name = client.push_blob("r", content)
        gateway = World.gateway.daemons["gateway"]
        gateway.send_signal(signal.SIGSTOP)
        try:
            stalled = [threading.Thread(target=Client(registry).call, args=("GET", f"/v2/r/blobs/{name}")) for _ in range(8)]
            for thread in stalled:
                thread.start()
            for _ in range(50):
                assert client.call("GET", "/v2/").status == 200
            health = Client(registry).call("GET", "/healthz", auth=False)
            assert health.status == 503 and health.headers["Retry-After"], health
        finally:
            gateway.send_signal(signal.SIGCONT)
        for thread in stalled:
            thread.join()
        assert client.call("GET", f"/v2/r/blobs/{name}").body == content


@case("a store that is busy, loses requests and cuts answers: each push ends right or with 503, and right ones stay")
def _():
    World.bucket("faults")
    pushes = 200 if IS_FULL else 24
    with FaultProxy(World.gateway.port, seed=1) as proxy, World.registry("faults", endpoint=proxy.endpoint,
                                                                         STORAGE_S3_CHUNKSIZE=5 * MEBIBYTE) as registry:
        def push(number):
            content = random.Random(number).randbytes(6 * MEBIBYTE if number % 8 == 0 else 1000 + number)
            client = Client(registry)
            try:
                location = client.start("r")
                answer = client.finish(location, digest(content), content)
                return content, answer.status
            except AssertionError as failure:  # of start(): it is not 202
                return content, int(str(failure).split()[0])

        for faults in ({"busy": 0.5}, {"cut": 0.1, "lost": 0.1, "busy": 0.1, "slow": 0.2}):
            proxy.faults = faults
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                results = list(pool.map(push, range(pushes)))
            proxy.faults = {}
            assert {status for _, status in results} <= {201, 503}, collections.Counter(status for _, status in results)
            assert sum(status == 201 for _, status in results) > pushes / 2, results
            assert all(proxy.counts[fault] > 0 for fault in faults), proxy.counts
            client = Client(registry)
            for content, status in results:
                answer = client.call("GET", f"/v2/r/blobs/{digest(content)}")
                assert answer.body == content if status == 201 else answer.status in (200, 404), (status, answer)


def push_until(servers, number, is_over, pushed):
    """Pushes images through servers that are alive; notes what was acknowledged."""
    draws = random.Random(number)
    while not is_over.is_set():
        server = draws.choice(servers)
        layer = draws.randbytes(draws.choice((10, 5000, 200000)))
        try:
            client = Client(server, tries=1)
            manifest = client.make_image(f"r{number}", layers=(layer,))
            answer = client.put_manifest(f"r{number}", f"t{len(pushed[number])}", manifest)
        except (OSError, http.client.HTTPException, AssertionError):  # cut off, or 503
            time.sleep(0.05)
            continue
        if answer.status == 201:
            pushed[number].append((manifest, layer))


@case(f"one of two servers is killed {KILLS} times under load, and the gateway, too: what was acknowledged is there, and others go on")
def _():
    World.bucket("kills")
    with World.registry("kills") as one, World.registry("kills") as two:
        servers, pushed = [one, two], [[] for _ in range(4)]
        for kill in range(KILLS):
            is_over, before = threading.Event(), [len(done) for done in pushed]
            threads = [threading.Thread(target=push_until, args=(servers, number, is_over, pushed)) for number in range(4)]
            for thread in threads:
                thread.start()
            wait_until(lambda: sum(map(len, pushed)) > sum(before))
            victim = servers[kill % 2]
            victim.process.kill()
            victim.process.wait()
            if kill % 2:
                World.gateway.restart_gateway()
            now = sum(map(len, pushed))
            wait_until(lambda: sum(map(len, pushed)) > now)  # pylint: disable=cell-var-from-loop
            is_over.set()
            for thread in threads:
                thread.join()
            victim._start()
        for number, images in enumerate(pushed):
            for tag, (manifest, layer) in enumerate(images):
                client = Client(servers[tag % 2])
                assert client.get_manifest(f"r{number}", f"t{tag}").body == manifest, (number, tag)
                assert client.call("GET", f"/v2/r{number}/blobs/{digest(layer)}").body == layer, (number, tag)


@case("keys come from the environment or the shared file; wrong ones are one line; secrets are in no log and no answer")
def _():
    World.bucket("keys")
    gateway = World.gateway
    nothing = {"STORAGE_S3_ACCESSKEY": None, "STORAGE_S3_SECRETKEY": None}
    variables = {"AWS_ACCESS_KEY_ID": gateway.access_key, "AWS_SECRET_ACCESS_KEY": gateway.secret_key}
    with World.registry("keys", environment=variables, LOG_LEVEL="debug", **nothing) as registry:
        registry.push_image()
        log = registry.log.read_text()
        assert "the environment" in log and gateway.secret_key not in log, log
    with Sandbox() as user:
        path = pathlib.Path(user.dir) / "credentials"
        path.write_text(f"[default]\naws_access_key_id = {gateway.access_key}\naws_secret_access_key = {gateway.secret_key}\n")
        with World.registry("keys", environment={"AWS_SHARED_CREDENTIALS_FILE": path}, **nothing) as registry:
            assert Client(registry).call("GET", "/v2/busybox/tags/list").json["tags"] == ["latest"]
    try:
        with World.registry("keys", STORAGE_S3_SECRETKEY="wrong-sEcReT"):
            raise AssertionError("started with wrong keys")
    except RuntimeError as failure:
        assert "403" in str(failure) and "keys" in str(failure) and "sEcReT" not in str(failure), failure


@case("garbage is collected beside two servers: what is young stays, and with LOAD=full what is older than the grace goes")
def _():
    World.bucket("garbage")
    with World.registry("garbage") as one, World.registry("garbage") as two:
        first, second = Client(one), Client(two)
        kept = first.push_image("r", "kept")
        first.push_blob("r", b"garbage")
        if IS_FULL:
            time.sleep(130)
            assert second.call("HEAD", f"/v2/r/blobs/{digest(b'garbage')}").status == 200  # promised: it stays once more
            done = one.run_program("garbage-collect", "--grace", "2m")
            assert done.returncode == 0 and second.call("HEAD", f"/v2/r/blobs/{digest(b'garbage')}").status == 200, done
            time.sleep(130)
        done = one.run_program("garbage-collect", "--grace", "2m")
        assert done.returncode == 0, done
        found = second.call("GET", f"/v2/r/blobs/{digest(b'garbage')}").status
        assert found == (404 if IS_FULL else 200), (found, done)
        for client in (first, second):
            assert client.get_manifest("r", "kept").body == kept
            assert client.call("GET", f"/v2/r/blobs/{digest(b'layer')}").body == b"layer"
            assert client.push_blob("r", b"garbage") == digest(b"garbage")
            assert client.call("GET", f"/v2/r/blobs/{digest(b'garbage')}").body == b"garbage"


try:
    main()
finally:
    World.end()
