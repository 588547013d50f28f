"""The loads of tests/bench/misbehaving-user.py, honest ones and attacks. Each function is repeated
on one connection until it is told to stop."""

import base64
import hashlib
import itertools
import json
import os
import re
import socket
import ssl
import time

IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY, LAYER, MIB = b"{}", os.urandom(64 << 10), 1 << 20
LARGE = os.urandom(MIB) * 64
USERS = {"me": "secret", "mallory": "m", "honest": "h", "stranger": "s"}

# Ten thousand lines name the user stranger, and none of them allows anything in the repositories of
# the tests.
ACCESS = "".join(["allow me all **\nallow honest all **\nallow mallory all **\nquota 1MB "
                  "full/**\nquota 1000GB counted/**\n",
                  "retain pushed=365d,pulled=365d **\n",
                  *(f"allow stranger pull team-{i}/**\n" for i in range(10_000))])


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Connection:
    """A connection with a user's credentials; a request that fails opens another one."""

    tls = None  # an ssl.SSLContext, if the server uses TLS

    def __init__(self, port, user, password=None, source="127.0.0.1"):
        token = base64.b64encode(f"{user}:{password or USERS.get(user, 'x')}".encode()).decode()
        self.port, self.source = port, source
        self.fixed = f"Host: localhost\r\nAuthorization: Basic {token}\r\n"
        self.socket = None

    def open_tcp(self, receive_buffer=None):
        self.close()
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((self.source, 0))
        self.socket.connect(("127.0.0.1", self.port))
        return self

    def open(self):
        self.open_tcp()
        if self.tls:
            self.socket = self.tls.wrap_socket(self.socket)
        return self

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def head(self, method, path, *headers, size=None):
        length = f"Content-Length: {size}\r\n" if size is not None else ""
        lines = "".join(f"{each}\r\n" for each in headers)
        return f"{method} {path} HTTP/1.1\r\n{self.fixed}{lines}{length}\r\n".encode()

    def read(self, method):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise OSError("closed")
            data += piece
        text, _, rest = data.partition(b"\r\n\r\n")
        status = int(text[9:12])
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", text)
        left = 0 if method == "HEAD" or status in (204, 304) else int(length[1]) - len(rest)
        while left > 0:
            left -= len(self.socket.recv(min(left, 1 << 20)))
        location = re.search(rb"(?i)\r\nlocation: *(?:https?://[^/]*)?(\S+)", text)
        return status, location and location[1].decode()

    def ask(self, method, path, *headers, body=b""):
        if not self.socket:
            self.open()
        size = len(body) if body or method in ("POST", "PUT", "PATCH") else None
        self.socket.sendall(self.head(method, path, *headers, size=size) + body)
        return self.read(method)


def push_blob(connection, name, data):
    assert (connection.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest(data)}", body=data)[0]
            == 201)


def image(number, subject=None, values=0, layers=1):
    """values: how many small values are in a member that nobody reads."""
    members = {"schemaVersion": 2, "mediaType": IMAGE,
               "config": {"mediaType": CONFIG, "digest": digest(EMPTY), "size": 2},
               "layers": [{"mediaType": "a/b", "digest": digest(LAYER),
                           "size": len(LAYER)}] * layers, "number": number}
    if subject:
        members["subject"] = {"mediaType": IMAGE, "digest": subject, "size": 1}
    text = json.dumps(members, separators=(",", ":"))
    return (text[:-1] + ',"x":[' + ",".join(["1"] * values) + "]}").encode()


def put(connection, name, reference, data):
    return connection.ask("PUT", f"/v2/{name}/manifests/{reference}", f"Content-Type: {IMAGE}",
                          body=data)[0]


# --- loads: what one connection does, again and again ---------------------------------------------


def repeat(connection, stop, once):
    """Opens a connection again if it was closed or refused."""
    while not stop.is_set():
        try:
            once(connection)
        except (OSError, TypeError, ValueError):
            connection.close()
            time.sleep(0.001)


def honest(port, stop, number):
    """Pulls an image, and each tenth time pushes one."""
    counter = itertools.count()
    connection = Connection(port, "honest", source="127.0.0.9")

    def once(connection):
        connection.ask("HEAD", "/v2/honest/manifests/t")
        connection.ask("GET", "/v2/honest/manifests/t")
        connection.ask("GET", f"/v2/honest/blobs/{digest(EMPTY)}")
        connection.ask("GET", f"/v2/honest/blobs/{digest(LAYER)}")
        n = next(counter)
        if n % 10 == 0:
            data = os.urandom(16 << 10)
            push_blob(connection, f"honest/{number}", data)
            connection.ask("HEAD", f"/v2/honest/blobs/{digest(data)}")
    repeat(connection, stop, once)


def honest_connections(port, stop, number):
    """A new connection for each request."""
    def once(connection):
        connection.ask("GET", f"/v2/honest/blobs/{digest(EMPTY)}")
        connection.close()
    repeat(Connection(port, "honest", source="127.0.0.9"), stop, once)


def honest_bodies(port, stop, number):
    """Pushes blobs of 256 KiB, each on a new connection."""
    def once(connection):
        data = os.urandom(MIB // 4)
        push_blob(connection, f"honest/{number}", data)
        connection.close()
    repeat(Connection(port, "honest", source="127.0.0.9"), stop, once)


def honest_pulls(port, stop, number):
    """Pulls a layer of 64 MiB."""
    repeat(Connection(port, "honest", source="127.0.0.9"), stop,
           lambda c: c.ask("GET", f"/v2/honest/blobs/{digest(LARGE)}"))


# --- attacks --------------------------------------------------------------------------------------


def mallory(port):
    return Connection(port, "mallory", source="127.0.0.3")


def held_session(port, stop, number):
    """DELETEs of an upload session that another connection writes to."""
    owner = mallory(port)
    location = None
    while not location:
        try:
            location = owner.ask("POST", "/v2/mallory/blobs/uploads/")[1]
        except OSError:
            owner.close()
    owner.socket.sendall(owner.head("PATCH", location, size=MIB) + b"x")
    repeat(mallory(port), stop, lambda connection: connection.ask("DELETE", location))


def colliding_manifests(port, stop, number):
    """HEADs of large manifests, more than the cache of parsed types can hold."""
    counter = itertools.count(number)
    repeat(mallory(port), stop,
           lambda c: c.ask("HEAD", f"/v2/mallory/manifests/large{next(counter) % 8}"))


def scans(port, stop, number):
    """Referrers by a type that none of them has."""
    repeat(mallory(port), stop,
           lambda c: c.ask("GET", f"/v2/mallory/referrers/{digest(b'subject')}?artifactType=none"))


def slow_manifests(port, stop, number):
    """Pushes manifests of 2 MB of small values."""
    data = image(number, values=1_000_000)
    repeat(mallory(port), stop, lambda c: put(c, "mallory", f"slow{number}", data))


def many_layers(port, stop, number):
    """Pushes manifests that name a layer ten thousand times."""
    data = image(number, layers=10_000)
    repeat(mallory(port), stop, lambda c: put(c, "mallory", f"layers{number}", data))


def endless_bodies(port, stop, number):
    """Manifests that never end, on 12 connections each."""
    open_ones = []
    while not stop.is_set():
        connection = mallory(port).open()
        try:
            head = connection.head("PUT", "/v2/mallory/manifests/t", f"Content-Type: {IMAGE}",
                                   size=4 * MIB - 1)
            connection.socket.sendall(head + b" " * (MIB // 4))
        except OSError:
            pass
        open_ones.append(connection)
        if len(open_ones) >= 12:
            open_ones.pop(0).close()


def guesses(port, stop, number):
    """Wrong passwords of users that change."""
    for n in itertools.count():
        if stop.is_set():
            return
        connection = Connection(port, f"user{number}-{n}", "wrong", source="127.0.0.3")
        try:
            connection.ask("GET", "/v2/")
        except OSError:
            pass
        connection.close()


def lists(port, stop, number):
    """The catalog and all tags of a repository that has many."""
    paths = itertools.cycle(["/v2/_catalog?n=1000", "/v2/mallory/tags/list"])
    repeat(mallory(port), stop, lambda c: c.ask("GET", next(paths)))


def ranges(port, stop, number):
    """As many ranges of one byte each as one request may name."""
    header = "Range: bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(1024))
    repeat(mallory(port), stop, lambda c: c.ask("GET", f"/v2/honest/blobs/{digest(LAYER)}", header))


def small_chunks(port, stop, number):
    """Uploads in chunks of one byte."""
    chunks = b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"

    def once(connection):
        location = connection.ask("POST", "/v2/mallory/blobs/uploads/")[1]
        connection.socket.sendall(connection.head("PATCH", location, "Transfer-Encoding: chunked")
                                  + chunks)
        connection.read("PATCH")
        connection.ask("DELETE", location)
    repeat(mallory(port), stop, once)


def sessions(port, stop, number):
    """Uploads that are started and abandoned."""
    repeat(mallory(port), stop, lambda c: c.ask("POST", "/v2/mallory/blobs/uploads/"))


def deletions(port, stop, number):
    """Pushes and deletes a manifest in a repository with many tags."""
    data = image(f"deleted {number}")

    def once(connection):
        put(connection, "mallory", digest(data), data)
        connection.ask("DELETE", f"/v2/mallory/manifests/{digest(data)}")
    repeat(mallory(port), stop, once)


def pipelines(port, stop, number):
    """A thousand requests at once, whose answers are read late."""
    def once(connection):
        connection.open()
        connection.socket.sendall(connection.head("GET", "/v2/") * 1000)
        time.sleep(0.2)
        while not stop.is_set() and connection.socket.recv(1 << 20):
            pass
    repeat(mallory(port), stop, once)


def connections(port, stop, number):
    """A new connection for each half of a head."""
    def once(connection):
        connection.open()
        connection.socket.sendall(b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 4000)
        connection.close()
    repeat(mallory(port), stop, once)


def many_bytes_of_head(port, stop, number):
    """A head of 8 KB that arrives a byte at a time."""
    def once(connection):
        connection.open()
        for byte in b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 8000:
            if stop.is_set():
                return
            connection.socket.sendall(bytes([byte]))
    repeat(mallory(port), stop, once)


def pipeline(connection, stop, head):
    """A thousand equal requests at once; their answers are read in large pieces."""
    connection.open()
    connection.socket.settimeout(0.5)
    data = head * 1000
    while data and not stop.is_set():
        data = data[connection.socket.send(data[:1 << 16]):]
        connection.socket.recv(1 << 20)


def pipelined_manifests(port, stop, number):
    """Thousands of requests for a manifest on each connection, without a wait for an answer."""
    repeat(mallory(port), stop,
           lambda c: pipeline(c, stop, c.head("GET", "/v2/honest/manifests/t")))


def not_modified(port, stop, number):
    """Thousands of requests that are answered 304 on each connection."""
    headers = (f'If-None-Match: "{digest(image(0))}"', f"Accept: {IMAGE}")
    repeat(mallory(port), stop,
           lambda c: pipeline(c, stop, c.head("GET", "/v2/honest/manifests/t", *headers)))


def missing_names(port, stop, number):
    """HEADs of manifests and blobs in repositories that do not exist, a new name each."""
    counter = itertools.count()

    def once(connection):
        name = f"missing/{number}/{next(counter)}"
        connection.ask("HEAD", f"/v2/{name}/manifests/t")
        connection.ask("HEAD", f"/v2/{name}/blobs/{digest(EMPTY)}")
    repeat(mallory(port), stop, once)


def slow_readers(port, stop, number):
    """Requests for a layer of 64 MiB of which a few bytes are read at a time, on 8 connections
    each.
    """
    open_ones = []
    while not stop.is_set():
        connection = mallory(port)
        try:
            connection.open_tcp(receive_buffer=4096)
            connection.socket.sendall(connection.head("GET", f"/v2/honest/blobs/{digest(LARGE)}"))
        except OSError:
            pass
        open_ones.append(connection)
        for each in open_ones:
            try:
                each.socket.recv(512)
            except OSError:
                pass
        if len(open_ones) >= 8:
            open_ones.pop(0).close()


def pulls(port, stop, number):
    """Pulls a layer of 64 MiB repeatedly."""
    repeat(mallory(port), stop, lambda c: c.ask("GET", f"/v2/honest/blobs/{digest(LARGE)}"))


def cut_pulls(port, stop, number):
    """Begins to pull a layer of 64 MiB, and closes the connection."""
    def once(connection):
        connection.open()
        connection.socket.sendall(connection.head("GET", f"/v2/honest/blobs/{digest(LARGE)}"))
        connection.socket.recv(4096)
        connection.close()
    repeat(mallory(port), stop, once)


def cancelled_uploads(port, stop, number):
    """Uploads that are begun, filled with 256 KiB, and cancelled."""
    def once(connection):
        location = connection.ask("POST", "/v2/mallory/blobs/uploads/")[1]
        connection.ask("PATCH", location, body=b"x" * (MIB // 4))
        connection.ask("DELETE", location)
    repeat(mallory(port), stop, once)


def wrong_digests(port, stop, number):
    """Uploads of 4 MiB whose digest is another one's."""
    data = b"x" * 4 * MIB

    def once(connection):
        location = connection.ask("POST", "/v2/mallory/blobs/uploads/")[1]
        connection.ask("PATCH", location, body=data)
        connection.ask("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest(EMPTY)}")
        connection.ask("DELETE", location)
    repeat(mallory(port), stop, once)


def tag_pages(port, stop, number):
    """A repository's tags and the catalog, an entry a page."""
    counter = itertools.count()

    def once(connection):
        last = f"tag{next(counter) % 200}"
        connection.ask("GET", f"/v2/mallory/tags/list?n=1&last={last}")
        connection.ask("GET", "/v2/_catalog?n=1&last=h")
    repeat(mallory(port), stop, once)


def mounts(port, stop, number):
    """Mounts a blob into new repositories."""
    counter = itertools.count()
    repeat(mallory(port), stop, lambda c: c.ask(
        "POST",
        f"/v2/mallory/m{number}-{next(counter)}/blobs/uploads/?mount={digest(LAYER)}&from=honest"))


def empty_parts(port, stop, number):
    """PATCHes without a byte."""
    location = mallory(port).ask("POST", "/v2/mallory/blobs/uploads/")[1]
    repeat(mallory(port), stop, lambda c: c.ask("PATCH", location))


def access_tokens(port, stop, number):
    """Fetches an access token each time."""
    query = "service=r&scope=repository:mallory:pull,push"
    repeat(mallory(port), stop, lambda c: c.ask("GET", f"/token?{query}"))


def identity_tokens(port, stop, number):
    """Fetches an identity token each time, for which the server writes a record."""
    query = "service=r&offline_token=true&client_id=bench&scope=repository:mallory:pull"
    repeat(mallory(port), stop, lambda c: c.ask("GET", f"/token?{query}"))


def forged_tokens(port, stop, number):
    """Sends access tokens that look right and have a wrong signature, a new one each time."""
    header = base64.urlsafe_b64encode(b'{"alg":"ES256","typ":"JWT","kid":"a"}').decode().rstrip("=")

    def once(connection):
        token = ".".join([header,
                          *(base64.urlsafe_b64encode(os.urandom(64)).decode().rstrip("=")
                            for _ in range(2))])
        connection.fixed = f"Host: localhost\r\nAuthorization: Bearer {token}\r\n"
        connection.ask("GET", "/v2/mallory/manifests/t")
    repeat(mallory(port), stop, once)


def robot_guesses(port, stop, number):
    """Wrong passwords of robots that change."""
    for n in itertools.count():
        if stop.is_set():
            return
        connection = Connection(port, f"robot+r{number}-{n}", "registryd_robot_" + "x" * 43,
                                source="127.0.0.3")
        try:
            connection.ask("GET", "/v2/")
        except OSError:
            pass
        connection.close()


def preflights(port, stop, number):
    """OPTIONS without a pause, as browsers send it before a request."""
    repeat(mallory(port), stop,
           lambda c: c.ask("OPTIONS", "/v2/mallory/manifests/t", "Origin: http://localhost"))


def empty_catalogs(port, stop, number):
    """The catalog of a user who may pull nothing: all repositories are compared with ten thousand
    rules.
    """
    repeat(Connection(port, "stranger", source="127.0.0.3"), stop,
           lambda c: c.ask("GET", "/v2/_catalog"))


def denials(port, stop, number):
    """Pulls that ten thousand rules do not allow."""
    counter = itertools.count()
    repeat(Connection(port, "stranger", source="127.0.0.3"), stop,
           lambda c: c.ask("GET", f"/v2/team/{next(counter)}/manifests/t"))


def over_quota(port, stop, number):
    """Pushes of 256 KiB into a repository whose quota is used up, each on a new connection."""
    def once(connection):
        data = os.urandom(MIB // 4)
        connection.ask("POST", f"/v2/full/blobs/uploads/?digest={digest(data)}", body=data)
        connection.close()
    repeat(mallory(port), stop, once)


def quota_claims(port, stop, number):
    """Pushes small blobs that one quota counts."""
    def once(connection):
        data = os.urandom(100)
        connection.ask("POST", f"/v2/counted/{number}/blobs/uploads/?digest={digest(data)}",
                       body=data)
    repeat(mallory(port), stop, once)


def many_pulls(port, stop, number):
    """HEADs of many tags, each of which is recorded as pulled."""
    counter = itertools.count()
    repeat(mallory(port), stop,
           lambda c: c.ask("HEAD", f"/v2/mallory/manifests/tag{next(counter) % 200}"))


# --- attacks on a server with TLS -----------------------------------------------------------------


def tls_handshakes(port, stop, number):
    """Handshakes, and nothing after them."""
    def once(connection):
        connection.open()
        connection.close()
    repeat(mallory(port), stop, once)


def tls_greetings(port, stop, number):
    """The first message of a handshake on each connection."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        Connection.tls.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        greeting = outgoing.read()

    def once(connection):
        connection.open_tcp()
        connection.socket.sendall(greeting)
        connection.socket.recv(1)
        connection.close()
    repeat(mallory(port), stop, once)


def tls_small_records(port, stop, number):
    """An upload in records of one byte."""
    def once(connection):
        location = connection.ask("POST", "/v2/mallory/blobs/uploads/")[1]
        connection.socket.sendall(connection.head("PATCH", location, size=4000))
        for _ in range(4000):
            connection.socket.send(b"x")
        connection.read("PATCH")
        connection.ask("DELETE", location)
    repeat(mallory(port), stop, once)


def tls_half_heads(port, stop, number):
    """Half of a head on each of 8 connections that stay open."""
    open_ones = []

    def once(_):
        connection = mallory(port).open()
        connection.socket.sendall(b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 4000)
        open_ones.append(connection)
        if len(open_ones) >= 8:
            open_ones.pop(0).close()
    repeat(mallory(port), stop, once)


def tls_pulls(port, stop, number):
    """Pulls a layer of 64 MiB repeatedly over TLS."""
    pulls(port, stop, number)


# An attack, and the honest load of the same shape: as many connections, bodies of that size, as
# many bytes to send.
ATTACKS = {
    held_session: honest, colliding_manifests: honest, scans: honest, slow_manifests: honest,
    many_layers: honest,
    endless_bodies: honest_bodies, guesses: honest_connections, lists: honest, ranges: honest,
    small_chunks: honest,
    sessions: honest, deletions: honest, pipelines: honest, connections: honest_connections,
    many_bytes_of_head: honest,
    pipelined_manifests: honest, not_modified: honest, missing_names: honest,
    slow_readers: honest_pulls,
    pulls: honest_pulls, cut_pulls: honest_connections, cancelled_uploads: honest,
    wrong_digests: honest,
    tag_pages: honest, mounts: honest, empty_parts: honest, access_tokens: honest,
    identity_tokens: honest,
    forged_tokens: honest, robot_guesses: honest_connections, preflights: honest,
    empty_catalogs: honest,
    denials: honest, over_quota: honest_bodies, quota_claims: honest, many_pulls: honest,
}
TLS_ATTACKS = {
    tls_handshakes: honest_connections, tls_greetings: honest_connections,
    tls_small_records: honest,
    tls_half_heads: honest_connections, tls_pulls: honest_pulls,
}
