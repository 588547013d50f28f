#!/usr/bin/env python3
"""registryd with its data in an S3 bucket of Ceph's gateway: what it does on a directory, and what only a bucket needs.

LOAD=full waits until garbage is older than the grace.
"""

import base64
import collections
import concurrent.futures
import http.client
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from bucket_registry import World, wait_until
from fault_proxy import FaultProxy
from harness import Sandbox, Skip, case, is_sanitized, main, need
from registry import Registry, free_port, registryd
from registry_client import ACCEPT, IMAGE, Answer, Client, digest

MEBIBYTE = 1 << 20
IS_SANITIZED = is_sanitized(registryd())
IS_FULL = os.environ.get("LOAD") == "full"


def maps(registry):
    if os.geteuid() != 0:
        raise Skip("only root can read the memory map of a process that cannot be debugged")
    return pathlib.Path(f"/proc/{registry.process.pid}/maps").read_text(encoding="utf-8")


class Side:
    """A configuration for `registryd copy`: of a directory, or of a bucket."""

    def __init__(self, place, name, directory=None):
        gateway = World.gateway
        storage = f"filesystem: {{rootdirectory: '{directory}'}}" if directory else (
            f"s3: {{accesskey: {gateway.access_key}, secretkey: {gateway.secret_key}, region: {gateway.region}, "
            f"regionendpoint: '{gateway.endpoint}', bucket: {name}}}")
        self.config = place / f"{name}.yml"
        self.config.write_text(f"version: 0.1\nstorage:\n  {storage}\nhttp: {{}}\n", encoding="utf-8")


def copy_words(source, target, *words):
    return [registryd(), "copy", "--from", source.config, "--to", target.config, *words]


def copy(source, target, *words):
    """Returns the counts that it prints."""
    done = subprocess.run(copy_words(source, target, "--json", "--quiet", *words), capture_output=True, text=True, timeout=600,
                          check=False)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def links_of(bucket):
    """The repositories' links in a bucket, with their text."""
    prefix, keys, start = "docker/registry/v2/", [], {}
    while True:
        answer = bucket.call("GET", query={"list-type": "2", "prefix": f"{prefix}repositories/", **start})
        keys += answer.texts("Key")
        if answer.texts("IsTruncated") != ["true"]:
            break
        start = {"start-after": keys[-1]}
    return {key[len(prefix):]: bucket.get(key).body for key in keys if key.endswith("/link") and "/_uploads/" not in key}


def links_below(directory):
    root = directory / "docker/registry/v2"
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "repositories").rglob("link")}


@case("copy moves a registry from a directory into a bucket, to another bucket, and back; kill -9 loses nothing")
def _():
    first, second = World.bucket("copied"), World.bucket("copied-again")
    with Registry() as source, Sandbox() as user:
        sides = [Side(user.dir, "source", source.dir / "data"), Side(user.dir, "copied"), Side(user.dir, "copied-again"),
                 Side(user.dir, "back", user.dir / "back")]
        (user.dir / "back").mkdir()
        for tag in ("v1", "v2"):
            source.push_image("moved", tag)
        source.push_blob("moved", random.randbytes(40 * MEBIBYTE))

        process = subprocess.Popen(copy_words(*sides[:2]), stdout=subprocess.DEVNULL)
        wait_until(lambda: process.poll() is not None or "copy/" in " ".join(
            first.call("GET", query={"list-type": "2", "prefix": "docker/registry/v2/registryd/copy/"}).texts("Key")))
        process.kill()
        process.wait()
        copy(*sides[:2])
        assert links_of(first) == links_below(source.dir / "data")
        assert copy(*sides[:2])["blobs"] == 0, "the second copy began anew"

        source.push_image("moved/late", "v1")
        assert Client(source).call("DELETE", "/v2/moved/manifests/v1").status == 202
        assert copy(*sides[:2])["surplus"] == 1
        assert copy(*sides[:2], "--delete")["removed"] == 1
        copy(*sides[1:3])
        copy(*sides[2:])
        assert links_of(second) == links_of(first) == links_below(user.dir / "back")
        with Registry(STORAGE_FILESYSTEM_ROOTDIRECTORY=user.dir / "back") as back, World.registry("copied-again") as again:
            for registry in (back, again):
                assert Client(registry).call("GET", "/v2/moved/tags/list").json["tags"] == ["v2"]
                done = registry.run_program("verify")
                assert done.returncode == 0 and "0 damaged, 0 missing" in done.stdout, done


@case("ls, show, du, verify, garbage-collect, tag and rm do on a bucket what they do in a directory, beside a server")
def _():
    World.bucket("chores")
    with World.registry("chores") as server, Sandbox() as user:
        (user.dir / "data").mkdir()
        bucket, directory = Side(user.dir, "chores"), Side(user.dir, "directory", user.dir / "data")
        server.push_image("app", "v1")
        server.push_image("team/other", "x")
        server.push_blob("app", b"of no manifest")
        copy(bucket, directory)

        def run(side, *words):
            place = [side.config] if words[0] in ("verify", "garbage-collect") else ["--config", side.config]
            done = subprocess.run([registryd(), *words, *place], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=600, check=False)
            return done.returncode, re.sub('"pushed":"[^"]*"', "", done.stdout), done.stderr

        for words in (("tag", "app:v1", "v2"), ("rm", "--yes", "app:v1"), ("ls", "app", "--json"), ("ls", "--json"),
                      ("show", "app:v2", "--json"), ("du", "--json"), ("verify", "--json"),
                      ("garbage-collect", "--json", "--grace", "2m")):
            results = [run(side, *words) for side in (bucket, directory)]
            assert results[0] == results[1] and results[0][0] == 0, results
        assert Client(server).call("GET", "/v2/app/tags/list").json["tags"] == ["v2"]
        assert Client(server).call("GET", "/v2/app/manifests/v1", headers={"Accept": ACCEPT}).status == 404


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


class SilentUpload:
    """A PATCH whose client sends the beginning of its body, and the rest only with finish()."""

    def __init__(self, client, content, begin):
        self.client, self.content, self.location = client, content, client.start("silent")
        target = urllib.parse.urlsplit(self.location)
        self.connection = http.client.HTTPSConnection("localhost", client.registry.port, context=client.trust, timeout=300)
        self.connection.putrequest("PATCH", f"{target.path}?{target.query}")
        for name, value in {**client.auth, "Content-Type": "application/octet-stream", "Content-Length": len(content)}.items():
            self.connection.putheader(name, str(value))
        self.connection.endheaders()
        self.connection.send(content[:begin])
        self.begin = begin

    def finish(self):
        self.connection.send(self.content[self.begin:])
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 202, answer.status
        assert self.client.finish(answer.getheader("Location"), digest(self.content)).status == 201
        self.connection.close()


@case("clients that fall silent in the middle of an upload do not delay the uploads of others, and go on later")
def _():
    World.bucket("silent")
    with World.registry("silent", STORAGE_S3_CHUNKSIZE=5 * MEBIBYTE, HTTP_TIMEOUTS_TRANSFER="10m") as registry:
        client = Client(registry)
        contents = [random.Random(number).randbytes(6 * MEBIBYTE + number) for number in range(12)]
        silent = [SilentUpload(client, content, 3 * MEBIBYTE) for content in contents]
        begin = time.monotonic()
        client.push_blob("r", random.Random(99).randbytes(17 * MEBIBYTE))
        took = time.monotonic() - begin
        # Without taking back memory it would take the ten minutes of http.timeouts.transfer.
        assert took < 300, f"{took:.0f} s"
        for upload in silent:
            upload.finish()
        for content in contents:
            assert client.call("GET", f"/v2/silent/blobs/{digest(content)}").body == content


@case("redirect: a client gets an address of the store that is good for one blob, skopeo follows it, and no log has it")
def _():
    World.bucket("redirect")
    content = random.Random(3).randbytes(2 * MEBIBYTE)
    name = digest(content)

    def ask(method, address, **headers):
        request = urllib.request.Request(address, method=method, headers=headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
            return answer.status, answer.headers, answer.read()

    with World.registry("redirect", STORAGE_REDIRECT_DISABLE="false", LOG_LEVEL="debug") as registry, Sandbox() as user:
        client = Client(registry)
        client.push_image("r", "v1")
        client.push_blob("r", content)
        got = client.call("GET", f"/v2/r/blobs/{name}")
        looked = client.call("HEAD", f"/v2/r/blobs/{name}")
        for answer in (got, looked):
            assert answer.status == 307 and answer.location.startswith(World.gateway.endpoint + "/"), answer
            assert answer.headers["Docker-Content-Digest"] == name and answer.headers["Cache-Control"] == "no-store", answer
        assert ask("GET", got.location)[2] == content
        assert ask("GET", got.location, Range="bytes=5-9")[::2] == (206, content[5:10])
        assert ask("HEAD", looked.location)[1]["Content-Length"] == str(len(content))
        for address, method in ((got.location, "PUT"), (got.location.replace(name[7:], digest(b"layer")[7:]), "GET")):
            try:
                raise AssertionError(ask(method, address))
            except urllib.error.HTTPError as failure:
                assert failure.code == 403, failure
        assert client.call("GET", f"/v2/r/blobs/{name}", headers={"If-None-Match": f'"{name}"'}).status == 304
        assert client.call("GET", f"/v2/r/blobs/{digest(b'none')}").status == 404
        assert client.call("GET", f"/v2/r/blobs/{name}", auth=False).status == 401
        auth = ("--authfile", user.dir / "auth")
        for words, stdin in ((("login", *auth, "-u", registry.username, "--password-stdin", registry.host), registry.password),
                             (("copy", *auth, f"docker://{registry.host}/r:v1", f"dir:{user.dir}/image"), None)):
            done = subprocess.run([need("skopeo"), "--insecure-policy", *map(str, words)], input=stdin, capture_output=True,
                                  env={**user.env, "SSL_CERT_FILE": str(registry.ca)}, text=True, timeout=300, check=False)
            assert done.returncode == 0, done
        assert (pathlib.Path(user.dir) / "image" / digest(b"layer")[7:]).read_bytes() == b"layer"
        log = registry.log.read_text()
        assert "X-Amz-Signature" not in log and f"/v2/r/blobs/{name}" in log, log
    with World.registry("redirect") as registry:
        assert Client(registry).call("GET", f"/v2/r/blobs/{name}").body == content


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


def client_of(registry, name):
    """A client of a new user."""
    client = Client(registry)
    client.auth = {"Authorization": "Basic " + base64.b64encode(f"{name}:{registry.add_user(name)}".encode()).decode()}
    return client


QUESTIONS = ("GET /v2/r/blobs/{blob}", "HEAD /v2/r/blobs/{absent}", "GET /v2/r/manifests/t", "GET /v2/r/tags/list",
             "GET /v2/r/referrers/{absent}", "GET /v2/_catalog", "POST /v2/r/blobs/uploads/", "DELETE /v2/r/manifests/t",
             "GET /v2/_page/repositories", "GET /v2/_page/health", "GET /v2/_page/space", "GET /v2/r/_page/tags")


def metrics(port):
    """The values of a registry's debug port, without those with labels."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return {name: int(value) for name, value in (line.split() for line in lines if line[0] != "#" and "{" not in line)
            if name.startswith(("registry_bucket", "registry_blob_cache"))}


def debug_health(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("GET", "/debug/health")
        return Answer(connection.getresponse())
    finally:
        connection.close()


@case("while the store hangs, event threads answer; then requests fail at once with 503, health says so, and both recover")
def _():
    World.bucket("stalled")
    port = free_port()
    with World.registry("stalled", HTTP_DEBUG_ADDR=f"127.0.0.1:{port}", HTTP_DEBUG_PROMETHEUS_ENABLED="true",
                        HEALTH_STORAGEDRIVER_INTERVAL="1s", HEALTH_STORAGEDRIVER_THRESHOLD=2) as registry:
        client = Client(registry)
        manifest = client.push_image("r", "t")
        names = {"blob": client.push_blob("r", random.Random(2).randbytes(3 * MEBIBYTE)), "absent": digest(b"absent")}
        new = client_of(registry, "new")
        users = [client_of(registry, f"user{number}") for number in range(6)]
        for user in users:  # from now on their passwords are known
            wait_until(lambda: user.call("GET", "/v2/").status == 200)  # pylint: disable=cell-var-from-loop
        answers = []

        def ask(question, user=client):
            method, target = question.format(**names).split()
            answers.append((question, user.call(method, target)))

        gateway = World.gateway.daemons["gateway"]
        gateway.send_signal(signal.SIGSTOP)
        try:
            # Of more users than there are threads that compute: if these waited for the store, a new password would wait, too.
            threads = [threading.Thread(target=ask, args=(question, user)) for question in QUESTIONS for user in users]
            for thread in threads:
                thread.start()
            for _ in range(20):
                assert client.call("GET", "/v2/").status == 200
            assert new.call("GET", "/v2/").status == 200
            assert not answers, len(answers)  # they waited for the store all the time
            wait_until(lambda: debug_health(port).status == 503)
            health = client.call("GET", "/healthz", auth=False)
            assert health.status == 503 and health.headers["Retry-After"], health
            for thread in threads:
                thread.join()
            for question, answer in answers:
                assert answer.status == 503 and answer.headers["Retry-After"] or "/_page/" in question, (question, answer)
            wait_until(lambda: metrics(port)["registry_bucket_down"] == 1)
            before = metrics(port)
            for question in QUESTIONS:
                ask(question)
                assert answers[-1][1].status == 503 and answers[-1][1].headers["Retry-After"], answers[-1]
            after = metrics(port)
            assert after["registry_bucket_refused_total"] > before["registry_bucket_refused_total"], (before, after)
            assert after["registry_bucket_failures_total"] >= 4 and after["registry_bucket_retries_total"] > 0, after
        finally:
            gateway.send_signal(signal.SIGCONT)
        wait_until(lambda: client.call("GET", "/healthz", auth=False).status == 200 and debug_health(port).status == 200)
        wait_until(lambda: client.get_manifest("r", "t").status == 200)
        assert client.get_manifest("r", "t").body == manifest and metrics(port)["registry_bucket_down"] == 0
        client.push_image("r", "new", layers=(b"another",))


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


@case("SIGTERM ends a server after http.draintimeout, although the store accepts requests and never answers")
def _():
    World.bucket("silent")
    purging = {"ENABLED": "true", "AGE": "1h", "INTERVAL": "1s", "DRYRUN": "false"}
    with FaultProxy(World.gateway.port, seed=1) as proxy, World.registry(
            "silent", endpoint=proxy.endpoint, HTTP_DRAINTIMEOUT="500ms", HEALTH_STORAGEDRIVER_ENABLED="false",
            **{f"STORAGE_MAINTENANCE_UPLOADPURGING_{name}": value for name, value in purging.items()}) as registry:
        client = Client(registry)
        client.push_image("r", "t")
        proxy.faults = {"silent": 1}

        def pull():
            try:
                assert Client(registry, tries=1).get_manifest("r", "t").status == 503
            except (OSError, http.client.HTTPException):
                pass  # the server has closed the connection

        threads = [threading.Thread(target=pull) for _ in range(4)]
        for thread in threads:
            thread.start()
        # The requests of clients, and the record of the last purge.
        wait_until(lambda: sum("current/link" in line for line in proxy.silenced) >= 4
                   and any("uploads-purged" in line for line in proxy.silenced))
        began = time.monotonic()
        registry.process.send_signal(signal.SIGTERM)
        assert registry.process.wait() == 0
        assert time.monotonic() - began < 15, "it waited for the store, whose requests may take 20 seconds"
        for thread in threads:
            thread.join()


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


class KeyEndpoint(http.server.BaseHTTPRequestHandler):
    """Gives keys to who has the token, as the endpoint of a container does; they are good for four seconds."""

    keys, token, requests = None, None, 0

    def do_GET(self):
        type(self).requests += 1
        is_right = self.headers["Authorization"] == self.token and not self.is_broken
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
        body = json.dumps({**self.keys, "Expiration": end}).encode() if is_right else b"{}"
        self.send_response(200 if is_right else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    is_broken = False

    def log_message(self, *_):
        pass


@case("keys come from the endpoint of a container, are replaced in a confined server, and their end is 503 and not a loss")
def _():
    World.bucket("endpoint")
    gateway = World.gateway
    KeyEndpoint.keys = {"AccessKeyId": gateway.access_key, "SecretAccessKey": gateway.secret_key}
    KeyEndpoint.token = "Bearer tOkEn"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeyEndpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Sandbox() as user:
        (pathlib.Path(user.dir) / "token").write_text("Bearer tOkEn\n")
        variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/credentials",
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": pathlib.Path(user.dir) / "token",
                     "HOME": user.dir}
        nothing = {"STORAGE_S3_ACCESSKEY": None, "STORAGE_S3_SECRETKEY": None}
        with World.registry("endpoint", environment=variables, LOG_LEVEL="debug", **nothing) as registry:
            client = Client(registry)
            manifest = client.push_image("r", "t")
            seen = KeyEndpoint.requests
            wait_until(lambda: KeyEndpoint.requests > seen + 1)  # the token is read again, behind the confinement
            assert client.get_manifest("r", "t").body == manifest
            KeyEndpoint.is_broken = True
            wait_until(lambda: client.get_manifest("r", "t").status == 503)
            KeyEndpoint.is_broken = False
            wait_until(lambda: client.get_manifest("r", "t").status == 200)
            log = registry.log.read_text()
            assert "the endpoint of the container, http://127.0.0.1" in log, log
            assert gateway.secret_key not in log and "tOkEn" not in log and "/credentials" not in log, log
    server.shutdown()
    server.server_close()


def cache_settings(directory, port, size="200MiB"):
    return {"STORAGE_CACHE_DIRECTORY": directory, "STORAGE_CACHE_MAXSIZE": size, "HTTP_DEBUG_ADDR": f"127.0.0.1:{port}",
            "HTTP_DEBUG_PROMETHEUS_ENABLED": "true"}


def cached(port):
    return {name.removeprefix("registry_blob_cache_").removesuffix("_total"): value for name, value in metrics(port).items() if "blob_cache" in name}


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    with open(path, "r+b") as file:
        file.write(content)


@case("a disk cache serves what the bucket has lost, and no file that is damaged, half written or of no link")
def _():
    bucket, port = World.bucket("cached"), free_port()
    small, large = random.Random(5).randbytes(70000), random.Random(6).randbytes(24 * MEBIBYTE)
    names = [digest(small), digest(large)]
    with Sandbox() as user, World.registry("cached", **cache_settings(user.dir / "cache", port)) as registry:
        files = [user.dir / "cache" / name[7:] for name in names]
        client = Client(registry)

        def is_right(number, **headers):
            answer = client.call("GET", f"/v2/r/blobs/{names[number]}", headers=headers)
            return answer.status == (206 if headers else 200) and answer.body == (small, large)[number]

        wait_until(lambda: cached(port)["ready"] == 1)
        for content in (small, large):
            client.push_blob("r", content)

        # Killed while it fills: nothing of that is left.
        connection = client.connection()
        connection.request("GET", f"/v2/r/blobs/{names[1]}", headers=client.auth)
        assert connection.getresponse().read(MEBIBYTE) == large[:MEBIBYTE]
        assert (user.dir / "cache" / f"filling-{names[1][7:]}").exists()
        registry.process.kill()
        registry.process.wait()
        registry.restart("registryd")
        client = Client(registry)
        wait_until(lambda: cached(port)["ready"] == 1)
        assert os.listdir(user.dir / "cache") == ["lock"]

        assert is_right(0) and is_right(1)
        wait_until(lambda: cached(port)["fills"] == 2)
        hits = cached(port)["hits"]
        for name in names:
            key = f"docker/registry/v2/blobs/sha256/{name[7:9]}/{name[7:]}/data"
            assert bucket.call("DELETE", key).status == 204
        assert is_right(0) and is_right(1)
        first, last = 9 * MEBIBYTE, 19 * MEBIBYTE
        answer = client.call("GET", f"/v2/r/blobs/{names[1]}", headers={"Range": f"bytes={first}-{last}"})
        assert answer.status == 206 and answer.body == large[first:last + 1], answer
        assert cached(port)["hits"] == hits + 3, cached(port)
        assert client.call("GET", f"/v2/other/blobs/{names[1]}").status == 404

        # Damaged while the server runs, and while it does not.
        for number, name in enumerate(names):
            client.push_blob("r", (small, large)[number])
            assert is_right(number)
            wait_until(files[number].exists)
            flip(files[number], 60000)
            assert is_right(number)
            wait_until(lambda: is_right(number) and cached(port)["damaged"] == number + 1)  # pylint: disable=cell-var-from-loop
        assert registry.log.read_text().count("it does not match its digest") == 2
        wait_until(lambda: is_right(1) and files[1].exists())
        registry.restart("registryd")
        client = Client(registry)
        wait_until(lambda: is_right(1) and cached(port)["hits"] > 0)
        assert client.call("DELETE", f"/v2/r/blobs/{names[1]}").status == 202
        assert client.call("GET", f"/v2/r/blobs/{names[1]}").status == 404


@case("a disk cache on a full disk takes no more blobs, which is logged once, and clients get theirs from the bucket")
def _():
    if os.geteuid() != 0:
        raise Skip("mounting a small tmpfs needs root")
    World.bucket("full")
    port, contents = free_port(), [random.Random(number).randbytes(600_000) for number in range(6)]
    with Sandbox() as user:
        directory = user.dir / "cache"
        directory.mkdir(mode=0o700)
        done = subprocess.run([need("mount"), "-t", "tmpfs", "-o", "size=1m,mode=700", "none", directory], capture_output=True,
                              check=False)
        if done.returncode != 0:
            raise Skip(f"cannot mount a tmpfs here: {done.stderr.decode().strip()}")
        try:
            with World.registry("full", **cache_settings(directory, port)) as registry:
                client = Client(registry)
                wait_until(lambda: cached(port)["ready"] == 1)
                names = [client.push_blob("r", content) for content in contents]

                def are_right():
                    return all(client.call("GET", f"/v2/r/blobs/{name}").body == content
                               for name, content in zip(names, contents, strict=True))

                wait_until(lambda: are_right() and cached(port)["hits"] >= 1 and cached(port)["bytes"] <= MEBIBYTE)
                log = registry.log.read_text()
                assert log.count("takes no more blobs until it can be written: No space left on device") == 1, log
        finally:
            subprocess.run([need("umount"), directory], check=True)


def doctor(config, directory, size, port):
    """The findings about the disk cache, with their level."""
    done = subprocess.run([registryd(), "doctor", "--json", config], capture_output=True, text=True, timeout=60, check=False, env={
        **os.environ, "REGISTRY_STORAGE_CACHE_DIRECTORY": str(directory), "REGISTRY_STORAGE_CACHE_MAXSIZE": size,
        "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}"})
    findings = {one["id"]: one for one in json.loads(done.stdout)["findings"]}
    assert "storage-unreachable" not in findings, done
    assert all(one["why"] for one in findings.values()), findings
    return {name: one for name, one in findings.items() if name.startswith("cache-")}


def files_in_the_way(directory):
    directory.rmdir()
    directory.write_bytes(b"")


def foreign_owner(directory):
    if os.geteuid() == 0:
        os.chown(directory, 1, 1)


# A change of the directory, its maximum, and the finding with its level.
CACHE_SITUATIONS = (
    (lambda directory: None, "1MiB", None, None),
    (lambda directory: directory.rmdir(), "1MiB", "cache-missing", "warning"),
    (files_in_the_way, "1MiB", "cache-unusable", "bad"),
    (lambda directory: directory.chmod(0o770), "1MiB", "cache-open", "bad"),
    (foreign_owner, "1MiB", "cache-owner" if os.geteuid() == 0 else None, "bad"),
    (lambda directory: directory.chmod(0o500), "1MiB", "cache-not-writable", "warning"),
    (lambda directory: None, "9000TB", "cache-larger-than-disk", "warning"),
    (lambda directory: None, "whole disk", "cache-room", "warning"),
)


@case(f"doctor finds what is wrong with a disk cache: {len(CACHE_SITUATIONS)} situations, and a directory that another server uses")
def _():
    World.bucket("doctor")
    with Sandbox() as user:
        config, directory, port = Side(user.dir, "doctor").config, user.dir / "cache", free_port()
        for spoil, size, name, status in CACHE_SITUATIONS:
            directory.mkdir(mode=0o700)
            spoil(directory)
            room = os.statvfs(user.dir)
            findings = doctor(config, directory, size.replace("whole disk", f"{room.f_blocks * room.f_frsize // 1000}kB"), port)
            assert set(findings) == ({name} if name else set()), (name, findings)
            assert not name or findings[name]["status"] == status, findings
            if name == "cache-open":
                subprocess.run(findings[name]["command"], shell=True, check=True)
                assert not doctor(config, directory, size, port)
            shutil.rmtree(directory, ignore_errors=True)
            directory.unlink(missing_ok=True)
        with World.registry("doctor", **cache_settings(directory, free_port(), "1MiB")) as registry:
            wait_until((directory / "lock").exists)
            assert not doctor(config, directory, "1MiB", registry.port), "the server itself uses it"
            assert set(doctor(config, directory, "1MiB", port)) == {"cache-in-use"}


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
