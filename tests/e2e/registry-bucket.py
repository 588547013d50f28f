#!/usr/bin/env python3
"""registryd with its data in an S3 bucket of Ceph's gateway: what it does on a directory, and what only a bucket needs.

LOAD=full waits until garbage is older than the grace.
"""

import concurrent.futures
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
from harness import Sandbox, case, is_sanitized, main, need
from registry import Registry, registryd
from registry_client import ACCEPT, IMAGE, Client, digest

MEBIBYTE = 1 << 20
IS_SANITIZED = is_sanitized(registryd())
IS_FULL = os.environ.get("LOAD") == "full"


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


def maps(registry):
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
                              "layers": []}).encode() for number in range(8)]

        def push(number):
            return Client((one, two)[number % 2]).call("PUT", "/v2/r/manifests/t", bodies[number], content_type=IMAGE).status

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert list(pool.map(push, range(8))) == [201] * 8
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
