#!/usr/bin/env python3
"""Quotas: how many bytes repositories may have together.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time

from harness import case, main, need
from plain_registry import PROGRAM, TIMEOUT_S, Server, line, wait_for

IMAGE = "application/vnd.oci.image.manifest.v1+json"
PASSWORD = "secret"
LOGIN = "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
RULES = "allow alice all **\nquota 10kB team/** shared\n"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def blob(letter, size):
    return letter.encode() * size


class Limited:
    """A registry with these rules, whose quotas have been counted."""

    def __init__(self, rules=RULES, **settings):
        self.server = Server(line("alice", PASSWORD), files={"access": rules}, AUTH_HTPASSWD_ACCESS="access",
                             STORAGE_DELETE_ENABLED="true", **settings)
        data = pathlib.Path(settings.get("STORAGE_FILESYSTEM_ROOTDIRECTORY", self.server.dir / "data"))
        self.quotas = data / "docker/registry/v2/registryd/quotas"

    def __enter__(self):
        self.server.__enter__()
        wait_for(lambda: any(self.quotas.glob("*/used")), "the quota to be counted")
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def counts(self):
        return re.findall(r"quota of [^:]*: ([^\"]*?) of ", self.server.log())

    def wait_for_count(self, more_than=0):
        wait_for(lambda: len(self.counts()) > more_than, "the quota to be counted")
        return self.counts()[-1]

    def restart(self):
        self.server.restart()
        return self.wait_for_count()

    def used(self):
        number, = self.quotas.glob("*/used")
        return int(number.read_text())

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
        try:
            headers = {"Authorization": LOGIN, **(headers or {})}
            connection.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def push(self, repository, content):
        """The status of an upload in one request."""
        return self.call("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}", content)[0]

    def start(self, repository):
        status, headers, _ = self.call("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, status
        return headers["Location"].partition("/v2/")[2]

    def push_chunked(self, repository, content):
        """As docker pushes: PATCH without a length, then PUT. Returns the status of the one that is refused, or of PUT."""
        place = "/v2/" + self.start(repository)
        pieces = (content[at:at + 1000] for at in range(0, len(content), 1000))
        status, headers, body = self.call("PATCH", place, pieces, {"Transfer-Encoding": "chunked"})
        if status != 202:
            return status, body
        place = "/v2/" + headers["Location"].partition("/v2/")[2]
        status, _, body = self.call("PUT", place + ("&" if "?" in place else "?") + "digest=" + digest_of(content))
        return status, body

    def push_manifest(self, repository, tag, config):
        manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "layers": [], "config": {
            "mediaType": "text/plain", "digest": digest_of(config), "size": len(config)}}).encode()
        return self.call("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": IMAGE})[0], manifest


def check_refusal(status, body):
    assert status == 413, (status, body)
    error, = json.loads(body)["errors"]
    assert error["code"] == "DENIED" and "the quota of team/** shared is " in error["message"], error


@case("a push beyond the quota is refused with a message: by its length, in chunks and at the end")
def _():
    with Limited() as registry:
        assert registry.push("team/a", blob("a", 6000)) == 201
        assert registry.push("other", blob("b", 60000)) == 201
        check_refusal(*registry.call("POST", f"/v2/shared/blobs/uploads/?digest={digest_of(blob('c', 4001))}", blob("c", 4001))[::2])
        check_refusal(*registry.push_chunked("team/b", blob("d", 5000)))
        # The session is gone, with its bytes.
        uploads = registry.server.dir / "data/docker/registry/v2/repositories/team/b/_uploads"
        assert not uploads.exists() or not any(uploads.iterdir())
        place = "/v2/" + registry.start("team/b")
        check_refusal(*registry.call("PATCH", place, blob("e", 4001))[::2])
        assert registry.call("PATCH", place, b"x")[0] == 404
        assert registry.used() == 6000
        assert registry.push_chunked("team/b", blob("f", 4000))[0] == 201
        assert registry.used() == 10000
        check_refusal(*registry.push_chunked("team/b", b"1"))
        assert registry.push_manifest("team/b", "x", blob("f", 4000))[0] == 413


@case("a client that announces too many bytes is refused before it sends them")
def _():
    with Limited() as registry, socket.create_connection(("127.0.0.1", registry.server.port), TIMEOUT_S) as client:
        place = registry.start("team/a")
        client.sendall(f"PATCH /v2/{place} HTTP/1.1\r\nHost: x\r\nAuthorization: {LOGIN}\r\nContent-Length: 10001\r\n"
                       "Expect: 100-continue\r\n\r\n".encode())
        answer = client.makefile("rb").readline()
        assert answer.startswith(b"HTTP/1.1 413 "), answer


@case("shared blobs count once, whether uploaded, mounted or pushed again")
def _():
    with Limited() as registry:
        content = blob("a", 6000)
        assert registry.push("other", content) == 201 and registry.used() == 0
        mount = f"blobs/uploads/?mount={digest_of(content)}"
        assert registry.call("POST", f"/v2/team/a/{mount}&from=other")[0] == 201
        assert registry.used() == 6000
        assert registry.call("POST", f"/v2/team/b/{mount}&from=team/a")[0] == 201
        assert registry.push("shared", content) == 201 and registry.push("shared", content) == 201
        assert registry.used() == 6000
        assert registry.push("other", blob("b", 6001)) == 201
        status, _, body = registry.call("POST", f"/v2/team/a/blobs/uploads/?mount={digest_of(blob('b', 6001))}&from=other")
        check_refusal(status, body)
        assert registry.restart().startswith("5.9 KiB") and registry.used() == 6000


@case("deletion and collection make room, and a restart counts blobs from other programs")
def _():
    with Limited() as registry:
        config = blob("a", 9000)
        assert registry.push("team/a", config) == 201
        status, manifest = registry.push_manifest("team/a", "x", config)
        assert status == 201 and registry.used() == 9000 + len(manifest)
        assert registry.push("team/a", blob("b", 2000)) == 413
        assert registry.call("DELETE", f"/v2/team/a/manifests/{digest_of(manifest)}")[0] == 202
        for directory, _, names in os.walk(registry.server.dir / "data"):
            for path in [directory, *(os.path.join(directory, name) for name in names)]:
                os.utime(path, (time.time() - 1e6,) * 2)
        before = len(registry.counts())
        done = subprocess.run([PROGRAM, "garbage-collect", "-g", "1h", registry.server.config], cwd=registry.server.dir,
                              env=registry.server.env, capture_output=True, check=False)
        assert done.returncode == 0, done
        assert registry.wait_for_count(before).startswith("0 bytes")
        assert registry.push("team/a", blob("b", 2000)) == 201
        # A link that registry:2 would write.
        assert registry.push("other", blob("c", 5000)) == 201
        link = registry.server.dir / f"data/docker/registry/v2/repositories/team/a/_layers/sha256/{digest_of(blob('c', 5000))[7:]}/link"
        link.parent.mkdir()
        link.write_text(digest_of(blob("c", 5000)))
        assert registry.restart() and registry.used() == 7000


@case("two servers cannot both use the last bytes")
def _():
    with Limited() as first:
        data = str(first.server.dir / "data")
        with Limited(STORAGE_FILESYSTEM_ROOTDIRECTORY=data) as second:
            statuses = []

            def push(registry, letter):
                statuses.append(registry.push(f"team/{letter}", blob(letter, 1001)))

            threads = [threading.Thread(target=push, args=(registry, letter))
                       for registry, letters in ((first, "abcdefgh"), (second, "ijklmnop")) for letter in letters]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(statuses) == [201] * 9 + [413] * 7, statuses
            assert first.used() == 9009
            assert first.restart() and first.used() == 9009


@case("a changed access file changes the limits at once, and new patterns are counted")
def _():
    with Limited() as registry:
        assert registry.push("team/a", blob("a", 6000)) == 201
        registry.server.write(RULES.replace("10kB", "12KiB"), registry.server.dir / "access")
        assert registry.push("team/a", blob("b", 6001)) == 201
        before = len(registry.counts())
        registry.server.write("allow alice all **\nquota 13kB **\n", registry.server.dir / "access")
        assert registry.call("GET", "/v2/")[0] == 200
        assert registry.wait_for_count(before).startswith("11.7 KiB")
        assert registry.push("other", blob("c", 2000)) == 413


@case("skopeo shows the message of the refusal")
def _():
    with Limited(RULES.replace("10kB", "100B")) as registry:
        image = registry.server.dir / "image"
        layer = blob("x", 5000)
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": [digest_of(layer)]}}).encode()
        manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": len(config)}, "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(layer), "size": len(layer)}]}).encode()
        (image / "blobs/sha256").mkdir(parents=True)
        for content in (layer, config, manifest):
            (image / "blobs/sha256" / digest_of(content)[7:]).write_bytes(content)
        (image / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (image / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": IMAGE, "digest": digest_of(manifest), "size": len(manifest)}]}))
        home = pathlib.Path(registry.server.dir / "home")
        home.mkdir()
        done = subprocess.run([need("skopeo"), "copy", "--dest-tls-verify=false", "--dest-creds", f"alice:{PASSWORD}",
                               f"oci:{image}", f"docker://127.0.0.1:{registry.server.port}/team/a:x"],
                              env={"PATH": os.environ["PATH"], "HOME": str(home)}, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "the quota of team/** shared is 100 bytes" in done.stderr, done


main()
