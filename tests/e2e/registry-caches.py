#!/usr/bin/env python3
"""registryd behind common HTTP caches: squid, varnish, and nginx with proxy_cache.

An answer through a cache must be the same as the server's own answer, regardless of earlier
requests. An answer without a body must not make a cache serve an empty blob (a 304 with
"Content-Length: 0" once did). Caches that are not installed are skipped. Headers that control
caching are compared with those of docker-registry.
"""

import atexit
import base64
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import Skip, case, main, need
from plain_registry import TIMEOUT_S, Server, line
from registry import free_port
from registry_client import BYTES, CONFIG, IMAGE, LAYER, descriptor, digest

BLOB = bytes(range(256)) * 200
RANGE = "bytes=100-299"
USER = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}


class Anonymous(Server):
    """A registry without authentication, so that caches may store its answers."""

    def _start(self):
        self.env = {name: value for name, value in self.env.items()
                    if not name.startswith("REGISTRY_AUTH")}
        super()._start()


# --- the caches ---------------------------------------------------------------------------


def nginx(directory, port, origin):
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "conf").write_text(f"""
        daemon off; {user} worker_processes 1; pid {directory}/pid; error_log {directory}/log;
        events {{ worker_connections 64; }}
        http {{ access_log off;
          proxy_cache_path {directory}/cache keys_zone=registry:1m; proxy_temp_path {directory}/b;
          client_body_temp_path {directory}/a; fastcgi_temp_path {directory}/c; uwsgi_temp_path {directory}/d;
          scgi_temp_path {directory}/e;
          server {{ listen 127.0.0.1:{port};
            location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache registry; proxy_cache_revalidate on;
              proxy_http_version 1.1; proxy_no_cache $http_authorization; proxy_cache_bypass $http_authorization; }} }} }}""")
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(directory / "conf"), "-p",
            str(directory)]


def squid(directory, port, origin):
    directory.chmod(0o777)  # squid changes the user if it is started by root
    (directory / "conf").write_text(f"""
http_port 127.0.0.1:{port} accel defaultsite=localhost
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest originserver login=PASSTHRU name=registry
http_access allow all
cache_peer_access registry allow all
cache_mem 16 MB
maximum_object_size_in_memory 4 MB
memory_pools off
access_log none
cache_log {directory}/log
pid_filename none
coredump_dir {directory}
pinger_enable off
shutdown_lifetime 0 seconds
netdb_filename none
visible_hostname localhost
""")
    return [shutil.which("squid") or "/usr/sbin/squid", "-N", "-f", str(directory / "conf")]


def varnish(directory, port, origin):
    jail = ["-j", "none"] if os.geteuid() == 0 else []
    return [shutil.which("varnishd") or "/usr/sbin/varnishd", *jail, "-F", "-a",
            f"127.0.0.1:{port}", "-b",
            f"127.0.0.1:{origin}", "-n", str(directory / "work"), "-s", "malloc,16m"]


CACHES = {"nginx": nginx, "squid": squid, "varnish": varnish}


class Cache:
    """A cache on its own port, in front of a server."""

    def __init__(self, name, server):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cache.", dir="/tmp"))
        self.port = free_port()
        argv = CACHES[name](self.dir, self.port, server.port)
        if not os.access(argv[0], os.X_OK):
            shutil.rmtree(self.dir)
            raise Skip(f"{name} is not installed")
        with open(self.dir / "out", "wb") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            cwd=self.dir)
        atexit.register(self.close)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                ask(self, "/v2/")
                return
            time.sleep(0.02)
        raise RuntimeError(f"{name} does not start: " + (self.dir / "out").read_text()[-800:])

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Answer:
    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {len(self.body)} bytes"


def ask(place, path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body,
                           {name.replace("_", "-"): value for name, value in headers.items()})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def push_blob(server, content, **headers):
    start = ask(server, "/v2/a/blobs/uploads/", "POST", Content_Length="0", **headers)
    place = start.headers["Location"].partition(f":{server.port}")[2]
    place += ("&" if "?" in place else "?") + "digest=" + digest(content)
    assert ask(server, place, "PUT", content, Content_Type=BYTES, **headers).status == 201
    return f"/v2/a/blobs/{digest(content)}"


def new_blob(server, **headers):
    return push_blob(server, os.urandom(16) + BLOB, **headers)


def push_manifest(server, tag, layer):
    push_blob(server, b"{}")
    push_blob(server, layer)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE,
                           "config": descriptor(CONFIG, b"{}"),
                           "layers": [descriptor(LAYER, layer)]}).encode()
    assert ask(server, f"/v2/a/manifests/{tag}", "PUT", manifest, Content_Type=IMAGE).status == 201
    return manifest


_things = {}


def origin(kind=Anonymous, program=None):
    key = (kind, program)
    if key not in _things:
        more = {"program": program} if program else {}
        server = kind(line("me", "secret"), STORAGE_DELETE_ENABLED="true", **more)
        atexit.register(server.__exit__)
        _things[key] = server.__enter__()
    return _things[key]


def cache(name, server):
    key = (name, server)
    if key not in _things:
        _things[key] = Cache(name, server)
    return _things[key]


def assert_same(through, direct, *names):
    assert through.status == direct.status, (through, direct)
    assert through.body == direct.body, (through, direct)
    for name in ("Content-Type", "Docker-Content-Digest", "ETag", *names):
        assert through.headers[name] == direct.headers[name], (name, through, direct)


# --- requirements for every cache ----------------------------------------------------------


def blobs_are_whole(front, server):
    path = new_blob(server)
    direct = ask(server, path)
    for _ in range(3):
        assert_same(ask(front, path), direct, "Content-Length", "Cache-Control")


def a_head_does_not_empty_what_follows(front, server):
    path = new_blob(server)
    direct = ask(server, path)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        answer = ask(front, path, method)
        assert answer.status == 200 and int(answer.headers["Content-Length"]) == len(direct.body), (
            answer)
        assert answer.body == (direct.body if method == "GET" else b""), answer


def a_condition_does_not_empty_what_follows(front, server):
    """Conditional requests for a blob that is not cached, that is cached, and that the cache must
    revalidate. In the last case squid sends all of its copy."""
    path = new_blob(server)
    direct = ask(server, path)
    for more in ({}, {"Cache_Control": "no-cache"}, {"Cache_Control": "max-age=0"}):
        for condition in ({"If_None_Match": direct.headers["ETag"]}, {}):
            answer = ask(front, path, **condition, **more)
            assert answer.status == 200 or (condition and answer.status == 304), (
                condition, more, answer)
            assert answer.body == (b"" if answer.status == 304 else direct.body), (
                condition, more, answer)
            if answer.status == 200:
                assert int(answer.headers["Content-Length"]) == len(direct.body), answer


def ranges_are_what_was_asked_for(front, server):
    for path in (new_blob(server), new_blob(server)):
        direct = ask(server, path)
        for whole_first in (False, True):
            if whole_first:
                assert ask(front, path).body == direct.body
            answer = ask(front, path, Range=RANGE)
            assert answer.status in (200, 206), answer
            assert answer.body == (direct.body[100:300] if answer.status == 206 else direct.body), (
                answer)
        assert ask(front, path).body == direct.body


def manifests_are_whole(front, server):
    tag = f"t{os.urandom(3).hex()}"
    manifest = push_manifest(server, tag, os.urandom(100))
    for reference in (tag, digest(manifest)):
        path = f"/v2/a/manifests/{reference}"
        direct = ask(server, path, Accept=IMAGE)
        for method in ("HEAD", "GET", "HEAD", "GET"):
            answer = ask(front, path, method, Accept=IMAGE)
            assert (answer.status == 200
                    and int(answer.headers["Content-Length"]) == len(manifest)), answer
            assert answer.headers["Docker-Content-Digest"] == digest(manifest), answer
        assert_same(answer, direct, "Content-Length")
        conditional = ask(front, path, Accept=IMAGE, If_None_Match=direct.headers["ETag"])
        assert conditional.body == (b"" if conditional.status == 304 else manifest), conditional
        assert ask(front, path, Accept=IMAGE).body == manifest


def refusals_have_their_bodies(front, server):
    for path in (f"/v2/a/blobs/{digest(os.urandom(8))}", "/v2/a/manifests/missing",
                 "/v2/a/blobs/sha256:bad"):
        direct = ask(server, path)
        assert direct.status in (400, 404) and direct.body
        for method in ("GET", "HEAD", "GET"):
            answer = ask(front, path, method)
            assert answer.status == direct.status, (answer, direct)
            assert answer.body == (direct.body if method == "GET" else b""), (answer, direct)


KINDS = (blobs_are_whole, a_head_does_not_empty_what_follows,
         a_condition_does_not_empty_what_follows,
         ranges_are_what_was_asked_for, manifests_are_whole, refusals_have_their_bodies)


def make_case(name):
    @case(f"{name}: blobs, manifests, HEAD, conditions, ranges and errors are the same as directly "
          "from the server")
    def _():
        server = origin()
        front = cache(name, server)
        for kind in KINDS:
            try:
                kind(front, server)
            except AssertionError as why:
                raise AssertionError(f"{kind.__name__}: {why}") from why

    @case(f"{name}: an authenticated answer is not served to a client without a password")
    def _():
        server = origin(Server)
        front = cache(name, server)
        path = new_blob(server, **USER)
        direct = ask(server, path, **USER)
        for _ in range(2):
            assert_same(ask(front, path, **USER), direct, "Content-Length")
            refused = ask(front, path)
            assert refused.status == 401 and refused.headers["WWW-Authenticate"], refused


for _name in CACHES:
    make_case(_name)


@case("a 304 has no Content-Length, and has the headers from which a cache updates its copy")
def _():
    server = origin()
    path = new_blob(server)
    direct = ask(server, path)
    for method in ("GET", "HEAD"):
        answer = ask(server, path, method, If_None_Match=direct.headers["ETag"])
        assert answer.status == 304 and answer.body == b"", answer
        assert (answer.headers["Content-Length"] is None
                and answer.headers["Transfer-Encoding"] is None), answer
        for name in ("ETag", "Cache-Control", "Docker-Content-Digest"):
            assert answer.headers[name] == direct.headers[name], (name, answer)


@case("registryd sends the same caching headers as docker-registry")
def _():
    ours, theirs = origin(), origin(program=need("docker-registry"))
    blob, layer = os.urandom(16) + BLOB, b"layer"
    paths = [push_blob(server, blob) for server in (ours, theirs)][0:1]
    for server in (ours, theirs):
        push_manifest(server, "compared", layer)
    for path in (*paths, "/v2/a/manifests/compared"):
        etag = ask(theirs, path, Accept=IMAGE).headers["ETag"]
        for method, more in (("GET", {}), ("HEAD", {}), ("GET", {"If_None_Match": etag}),
                             ("GET", {"Range": RANGE})):
            here, there = (ask(server, path, method, Accept=IMAGE, **more)
                           for server in (ours, theirs))
            assert here.status == there.status and here.body == there.body, (
                path, method, more, here, there)
            names = ["Cache-Control", "Vary", "Age", "Expires", "Content-Range"]
            # RFC 9110 requires it in a 304; docker-registry omits it
            names += ["ETag"] if here.status != 304 else []
            for name in names:
                assert here.headers[name] == there.headers[name], (
                    path, method, more, name, here, there)


main()
