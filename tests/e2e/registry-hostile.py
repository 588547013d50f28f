#!/usr/bin/env python3
"""Hostile requests: none is authenticated, all get a correct answer, and none leaves data behind.
"""

import contextlib
import functools
import json
import os
import re
import time

from harness import Skip, case, is_sanitized, main
from malformed_requests import CHUNKED, GOOD, MALFORMED, NO_REQUESTS, START
from plain_registry import Server, line, wait_for
from raw_http import HOST, Raw, ask, basic, head
from registry import registryd
from registry_client import CONFIG, EMPTY, IMAGE, INDEX, LAYER, digest

IS_SANITIZED = is_sanitized(registryd())
BLOB, UPLOAD = digest(b"blob"), "00000000-0000-4000-8000-000000000000"
ROUTES = [
    ("GET", "/v2/"), ("HEAD", "/v2/"), ("GET", "/v2/_catalog"), ("GET", "/v2/a/tags/list"),
    ("GET", "/v2/a/manifests/t"),
    ("HEAD", "/v2/a/manifests/t"), ("PUT", "/v2/a/manifests/t"), ("DELETE", "/v2/a/manifests/t"),
    ("GET", f"/v2/a/manifests/{BLOB}"), ("GET", f"/v2/a/blobs/{BLOB}"),
    ("HEAD", f"/v2/a/blobs/{BLOB}"),
    ("DELETE", f"/v2/a/blobs/{BLOB}"), ("POST", "/v2/a/blobs/uploads/"),
    ("POST", f"/v2/a/blobs/uploads/?digest={BLOB}"),
    ("POST", f"/v2/a/blobs/uploads/?mount={BLOB}&from=b"), ("GET", f"/v2/a/blobs/uploads/{UPLOAD}"),
    ("PATCH", f"/v2/a/blobs/uploads/{UPLOAD}"),
    ("PUT", f"/v2/a/blobs/uploads/{UPLOAD}?digest={BLOB}"),
    ("DELETE", f"/v2/a/blobs/uploads/{UPLOAD}"), ("GET", f"/v2/a/referrers/{BLOB}"),
    ("GET", "/v2/nothing"),
    ("GET", "/nothing"), ("OPTIONS", "/v2/"), ("TRACE", "/v2/"), ("PROPFIND", "/v2/a/tags/list"),
]


@functools.cache
def shared():
    """Returns the server that most cases share."""
    stack = contextlib.ExitStack()
    server = stack.enter_context(Server(line("me", "secret") + line("you", "other"),
                                        AUTH_HTPASSWD_GUESSES="0",
                                        STORAGE_DELETE_ENABLED="true"))
    import atexit
    atexit.register(stack.close)
    return server


# --- authentication -------------------------------------------------------------------------------

# Invalid credentials and the expected status: 401, or 400 and 431 if the request itself is invalid.
STRANGERS = {
    "nothing": (b"", 401),
    "a wrong password": (basic("me", "secre"), 401),
    "another user's password": (basic("me", "other"), 401),
    "an unknown user": (basic("nobody", "secret"), 401),
    "an empty pair": (basic("", ""), 401),
    "an empty password": (basic("me", ""), 401),
    "a NUL after the password": (basic("me", b"secret\0"), 401),
    "a NUL after the user": (basic(b"me\0", "secret"), 401),
    "invalid UTF-8": (basic(b"m\xff\xfe", b"\x80secret"), 401),
    "the user in upper case": (basic("ME", "secret"), 401),
    "no colon": (b"Authorization: Basic bWU=\r\n", 401),
    "no base64": (b"Authorization: Basic ****\r\n", 401),
    "base64 of the URL alphabet": (b"Authorization: Basic bWU6c2VjcmV0_-\r\n", 401),
    "truncated base64": (GOOD[:-3] + b"\r\n", 401),
    "nothing after the scheme": (b"Authorization: Basic\r\n", 401),
    "an empty header": (b"Authorization:\r\n", 401),
    "no scheme": (GOOD.replace(b"Basic ", b""), 401),
    "a scheme that starts with Basic": (GOOD.replace(b"Basic ", b"Basics "), 401),
    "Bearer": (GOOD.replace(b"Basic ", b"Bearer "), 401),
    "Digest": (b'Authorization: Digest username="me", response="secret"\r\n', 401),
    "two logins in one header": (GOOD[:-2] + b", Basic " + GOOD[21:], 401),
    "the login in a folded line": (GOOD[:21] + b"\r\n " + GOOD[21:-6] + b"\r\n  " + GOOD[-6:], 400),
    "the login for a proxy": (b"Proxy-" + GOOD, 401),
    "the login as a cookie": (GOOD.replace(b"Authorization:", b"Cookie: Authorization="), 401),
    "a password of 7,000 bytes": (basic("me", "s" * 7000), 401),
    "a user of 7,000 bytes": (basic("m" * 7000, "secret"), 401),
    "a header of 40,000 bytes": (basic("me", "s" * 30000), 431),
    "the login twice": (GOOD + GOOD, 400),
    "a wrong login, then the right one": (basic("me", "x") + GOOD, 400),
    "the right login, then a wrong one": (GOOD + basic("me", "x"), 400),
    "a blank before the colon": (GOOD.replace(b":", b" :", 1), 400),
}


@case("every route rejects requests without valid credentials, in whatever form they are sent")
def _():
    server = shared()
    for what, (header, status) in STRANGERS.items():
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(Raw(server.port))
            for method, path in ROUTES:
                answer = raw.send(head(method, path, header)).read(method)
                assert answer.status == status, (what, method, path, answer)
                if status == 401:
                    assert answer.headers["www-authenticate"] == 'Basic realm="Registry Realm"', (
                        what, answer)
                    assert method == "HEAD" or answer.code == "UNAUTHORIZED", (
                        what, method, path, answer)
                else:
                    # The server closes the connection after an invalid request
                    raw = stack.enter_context(Raw(server.port))
    for method, path in ROUTES:
        answer = ask(server.port, head(method, path, GOOD, b"Content-Length: 0\r\n"), method)
        assert answer.status not in (401, 429) and answer.status < 500, (method, path, answer)


@case("a rejected request does not reveal what exists")
def _():
    server = shared()
    assert server.process.poll() is None
    with Raw(server.port) as raw:
        location = raw.send(head("POST", f"/v2/there/blobs/uploads/?digest={BLOB}", GOOD,
                                 b"Content-Length: 4\r\n") + b"blob").read()
        assert location.status == 201, location
        for path in ("/v2/{}/tags/list", f"/v2/{{}}/blobs/{BLOB}", "/v2/{}/manifests/t"):
            answers = [raw.send(head("GET", path.format(name))).read()
                       for name in ("there", "thery")]
            assert answers[0].body == answers[1].body.replace(b"thery", b"there"), answers
            assert answers[0].headers.keys() == answers[1].headers.keys(), answers


# --- pipelining ---------------------------------------------------------------------------------

@case("50 requests in one write get 50 answers, HEAD gets no body, and a body is not "
      "read as a request")
def _():
    with Raw(shared().port) as raw:
        wanted = [("GET", "/v2/", 200), ("HEAD", "/v2/a/manifests/t", 404),
                  ("GET", "/v2/a/manifests/t", 404),
                  ("GET", "/v2/_catalog", 200), ("HEAD", f"/v2/a/blobs/{BLOB}", 404)] * 10
        raw.send(b"".join(head(method, path, GOOD) for method, path, _ in wanted))
        for method, path, status in wanted:
            answer = raw.read(method)
            assert answer.status == status, (method, path, answer)
        body = head("DELETE", "/v2/a/manifests/t", GOOD)
        for method, target in (("GET", "/v2/"), ("DELETE", "/v2/a/manifests/t"),
                               ("POST", "/v2/_catalog")):
            raw.send(head(method, target, GOOD, b"Content-Length: %d\r\n" % len(body)) + body
                     + head("GET", "/v2/", GOOD))
            raw.read(method)
            assert raw.read().status == 200, (method, target)


# --- paths, names, digests ------------------------------------------------------------------------

EVIL_PARTS = [
    "..", "%2e%2e", "%2E.", "..%2f..", "..%2f..%2f..%2fetc%2fpasswd", "%252e%252e", "..%5c..", ".",
    "%00", "a%00b", "%0d%0aX-Evil:1",
    "%0a", "%", "%4", "%zz", "%c0%ae%c0%ae", "%ff%fe", "\xff\xfe", "%ed%a0%80", "a" * 8192,
    "%61" * 2500, "-", "_", "A", "a//b",
    "a;b", "a?b", "a%3fb", "a%23b", "~", "$(id)", "%20", "a%7fb", "a%e2%80%aeb", "*",
    "sha256:" + "a" * 63, "sha256:" + "A" * 64,
    "sha256:" + "a" * 65, "sha512:" + "a" * 64, "md5:" + "a" * 32, "sha256:", ":" + "a" * 64,
    "sha256%3a..", "x" * 129,
]
TEMPLATES = [
    ("GET", "/v2/{}/tags/list"), ("GET", "/v2/a/{}/tags/list"), ("GET", "/v2/a/manifests/{}"),
    ("PUT", "/v2/a/manifests/{}"),
    ("DELETE", "/v2/a/manifests/{}"), ("GET", "/v2/a/blobs/{}"), ("DELETE", "/v2/a/blobs/{}"),
    ("GET", "/v2/a/referrers/{}"),
    ("GET", "/v2/a/blobs/uploads/{}"), ("PATCH", "/v2/a/blobs/uploads/{}"),
    ("PUT", "/v2/a/blobs/uploads/{}?digest=" + BLOB),
    ("PUT", f"/v2/a/blobs/uploads/{UPLOAD}?digest={{}}"), ("POST", "/v2/{}/blobs/uploads/"),
    ("POST", "/v2/a/blobs/uploads/?digest={}"),
    ("POST", f"/v2/b/blobs/uploads/?mount={{}}&from=a"),
    ("POST", f"/v2/b/blobs/uploads/?mount={BLOB}&from={{}}"),
    ("POST", "/v2/b/blobs/uploads/?digest-algorithm={}"),
    ("GET", "/v2/_catalog?n={}"), ("GET", "/v2/_catalog?last={}"),
    ("GET", "/v2/a/tags/list?last={}"),
    ("GET", f"/v2/a/referrers/{BLOB}?artifactType={{}}"), ("GET", "/{}"), ("GET", "/v2/{}"),
]


def tree(server):
    """Returns the files next to the data directory, and all names in it."""
    return sorted(str(path.relative_to(server.dir)) for path in server.dir.rglob("*"))


@case("percent-encoding, dots, NUL, invalid UTF-8 and 8 KiB are refused in every part "
      "of every path")
def _():
    server = shared()
    before = [name for name in tree(server) if not name.startswith("data/")]
    for method, template in TEMPLATES:
        with Raw(server.port) as raw:
            for part in EVIL_PARTS:
                target = template.format(part).encode("latin-1")
                answer = raw.send(head(method, target, GOOD, b"Content-Length: 0\r\n")).read()
                assert answer.status in (200, 201, 202, 400, 404, 405), (method, target, answer)
                assert answer.status < 400 or answer.code, (method, target)
                assert "x-evil" not in answer.headers, (method, target, answer)
                assert (method == "GET" or answer.status >= 400
                        or target.startswith((b"/v2/b/", b"/v2/~", b"/v2/x"))), (
                            method, target, answer)
    assert [name for name in tree(server) if not name.startswith("data/")] == before
    names = [name for name in tree(server) if "_uploads" not in name]
    assert not [name for name in names if ".." in name or "%" in name or not name.isprintable()], (
        names)
    assert server.status("me", "secret") == 200


@case("a repository's name of 8 KiB is NAME_INVALID, a tag of 129 letters 404, digests of other "
      "lengths DIGEST_INVALID")
def _():
    server = shared()
    for target, wanted in ((f"/v2/{'a' * 8192}/tags/list", (400, "NAME_INVALID")),
                           (f"/v2/{'a' * 256}/tags/list", (400, "NAME_INVALID")),
                           (f"/v2/a/manifests/{'t' * 129}", (404, "UNSUPPORTED")),
                           (f"/v2/a/manifests/{'t' * 128}", (404, "MANIFEST_UNKNOWN")),
                           (f"/v2/a/blobs/sha256:{'a' * 63}", (400, "DIGEST_INVALID")),
                           (f"/v2/a/blobs/sha1:{'a' * 40}", (400, "DIGEST_INVALID"))):
        answer = ask(server.port, head("GET", target, GOOD))
        assert (answer.status, answer.code) == wanted, (target[:40], answer)


# --- echoed headers -------------------------------------------------------------------------------


@case("an invalid Host is not echoed, and no echoed value can end a line")
def _():
    server = shared()
    for host in (b'a"><script>', b"a b", b"a/../b", b"user@evil", b"evil\\x", b"a?b#c", b"\xff\xfe",
                 b"a" * 400, b"", b"%0d%0aX-Evil:1"):
        for headers in ((b"Host: " + host + b"\r\n",),
                        (HOST, b"X-Forwarded-Host: " + host + b"\r\n"),
                        (HOST, b"Forwarded: proto=" + host + b";host=" + host + b"\r\n"),
                        (HOST, b"X-Forwarded-Proto: " + host + b"\r\n")):
            data = b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\n" + b"".join(
                headers) + GOOD + b"Content-Length: 0\r\n\r\n"
            answer = ask(server.port, data)
            assert answer.status == 202, (host, answer)
            location = answer.headers["location"]
            # The part before a quote or a comma may be a valid host name: as in registry:2, the
            # proxy's header is used.
            assert re.fullmatch(
                r"(https?://[A-Za-z0-9.:\[\]_-]+)?/v2/a/blobs/uploads/[0-9a-f-]+\?_state=[\w-]+",
                location), location
            assert b"Forwarded" in b"".join(headers) or location.startswith("/v2/"), (
                headers, location)
            assert "x-evil" not in answer.headers, answer
    with Server(line("me", "secret"), HTTP_HOST="https://registry.example.com") as named:
        answer = ask(named.port,
                     head("POST", START, GOOD, b"X-Forwarded-Host: evil\r\n",
                          b"Content-Length: 0\r\n"))
        assert answer.headers["location"].startswith("https://registry.example.com/v2/"), answer


# --- bodies ---------------------------------------------------------------------------------------


def put_manifest(server, body, media_type=INDEX, reference="t", name="bodies"):
    return ask(server.port,
               head("PUT", f"/v2/{name}/manifests/{reference}", GOOD,
                    b"Content-Length: %d\r\n" % len(body),
                    b"Content-Type: " + media_type.encode() + b"\r\n") + body)


def push(server, content, name="bodies"):
    answer = ask(server.port,
                 head("POST", f"/v2/{name}/blobs/uploads/?digest={digest(content)}", GOOD,
                      b"Content-Length: %d\r\n" % len(content)) + content)
    assert answer.status == 201, answer
    return {"digest": digest(content), "size": len(content)}


def hostile_manifests():
    """Yields (description, bytes, media type, expected status, expected code)."""
    unknown = {"mediaType": IMAGE, "digest": digest(b"nobody has this"), "size": 1}
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * 10000 + b"1" + closing * 10000
        yield ("JSON 10,000 deep",
               b'{"schemaVersion":2,"manifests":[],"annotations":' + deep + b"}", INDEX, 400,
               "MANIFEST_INVALID")
        yield ("truncated JSON with a depth of 10,000", opening * 10000, INDEX, 400,
               "MANIFEST_INVALID")
    yield "more than 4 MiB", b" " * (
        4 << 20) + b'{"schemaVersion":2}', INDEX, 413, "MANIFEST_INVALID"
    yield "4 MiB of blanks", b" " * (4 << 20), INDEX, 400, "MANIFEST_INVALID"
    many = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                       "manifests": [unknown] * 20000}).encode()
    yield "20,000 descriptors of missing manifests", many, INDEX, 400, "MANIFEST_BLOB_UNKNOWN"
    different = [{**unknown, "digest": digest(b"%d" % i)} for i in range(20000)]
    yield "20,000 different ones", json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                               "manifests": different}).encode(), \
        INDEX, 400, "MANIFEST_BLOB_UNKNOWN"
    both = {"schemaVersion": 2, "mediaType": IMAGE, "manifests": [], "config": unknown,
            "layers": []}
    yield "an image that is also an index", json.dumps(
        both).encode(), IMAGE, 400, "MANIFEST_INVALID"
    yield "a size of 2^63", json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                        "manifests": [{**unknown, "size": 1 << 63}]}).encode(), \
        INDEX, 400, "MANIFEST_INVALID"
    yield "a key twice", b'{"schemaVersion":2,"manifests":[],"mediaType":"%s","mediaType":"%s"}' % (
        INDEX.encode(), IMAGE.encode()), \
        INDEX, 400, "MANIFEST_INVALID"
    yield "2 million values", b'{"schemaVersion":2,"manifests":[],"a":[' + b"1," * (
        (2 << 20) - 100) + b"1]}", INDEX, 400, "MANIFEST_INVALID"
    yield "a NUL", b'{"schemaVersion":2,"manifests":[]}\0', INDEX, 400, "MANIFEST_INVALID"


@case("deep, large, truncated and ambiguous manifests are refused with the right code, and their "
      "memory is freed")
def _():
    server = shared()
    for what, body, media_type, status, code in hostile_manifests():
        answer = put_manifest(server, body, media_type)
        assert answer.status == status and answer.code == code, (what, answer)
        assert server.process.poll() is None, what
    assert ask(server.port, head("GET", "/v2/bodies/manifests/t", GOOD)).status == 404


@case("an index with 20,000 descriptors of an existing manifest can be pushed and pulled; an index "
      "cannot name itself")
def _():
    server = shared()
    config = {"mediaType": CONFIG, **push(server, b"{}")}
    layers = [{"mediaType": LAYER, **push(server, b"layer")}]
    image = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": config,
                        "layers": layers}).encode()
    assert put_manifest(server, image, IMAGE).status == 201
    child = {"mediaType": IMAGE, "digest": digest(image), "size": len(image)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                        "manifests": [child] * 20000}).encode()
    assert len(index) < 4 << 20 and put_manifest(server, index).status == 201
    back = ask(server.port,
               head("GET", "/v2/bodies/manifests/t", GOOD, b"Accept: " + INDEX.encode() + b"\r\n"))
    assert back.body == index
    # An index cannot contain its own digest, so the descriptor names a missing manifest.
    for member in ("manifests", "subject"):
        own = {"mediaType": INDEX, "digest": digest(b"its own"), "size": 100}
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [],
                member: [own] if member == "manifests" else own}
        answer = put_manifest(server, json.dumps(body).encode(), reference=digest(b"its own"))
        assert (answer.status == 400
                and answer.code in ("DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN")), answer
    circle = {"schemaVersion": 2, "mediaType": IMAGE,
              "config": {"mediaType": EMPTY, **push(server, b"{}")}, "layers": layers,
              "subject": child}
    assert put_manifest(server, json.dumps(circle).encode(), IMAGE, "circle").status == 201


def upload(server):
    answer = ask(server.port, head("POST", START, GOOD, b"Content-Length: 0\r\n"))
    return answer.headers["location"].removeprefix("http://localhost").encode()


@case("a client that disconnects at any point of an upload leaves only the bytes that it had sent")
def _():
    server = shared()
    ask(server.port, head("GET", "/v2/", GOOD))
    content = os.urandom(3000)
    manifest = b'{"schemaVersion":2,"manifests":[]}'
    for method, target, body in (("POST", START.encode(), b""),
                                 ("POST", START.encode() + b"?digest=" + digest(content).encode(),
                                  content),
                                 ("PATCH", None, content), ("PUT", None, content),
                                 ("PUT", b"/v2/a/manifests/gone", manifest)):
        for framing in (b"Content-Length: %d\r\n" % len(body), CHUNKED):
            place = target or upload(server) + (b"&digest=" + digest(content).encode()
                                                if method == "PUT" else b"")
            sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if framing == CHUNKED else body
            whole = head(method, place, GOOD, framing,
                         b"Content-Type: application/octet-stream\r\n") + sent
            start = len(whole) - len(sent)
            for cut in (1, 10, start - 4, start - 1, start, start + 1, start + len(sent) // 2,
                        len(whole) - 1, len(whole)):
                with Raw(server.port) as raw:
                    raw.send(whole[:cut])
    with Raw(server.port) as one:  # one connection, plus the descriptors of an idle server
        one.send(head("GET", "/v2/", GOOD)).read()
        idle = server.descriptors()
        wait_for(lambda: server.descriptors() <= idle, "descriptors are still open")
    answer = ask(server.port,
                 head("PUT", "/v2/a/manifests/gone", GOOD,
                      b"Content-Length: %d\r\n" % len(manifest),
                      b"Content-Type: " + INDEX.encode() + b"\r\n") + manifest)
    assert answer.status == 201, answer
    assert server.status("me", "secret") == 200


@case("partial large manifests on many connections share one memory limit, and small manifests are "
      "still accepted")
def _():
    with Server(line("me", "secret")) as server, contextlib.ExitStack() as stack:
        size = (4 << 20) - 1000
        start = head("PUT", "/v2/a/manifests/t", GOOD, b"Content-Length: %d\r\n" % size,
                     b"Content-Type: " + INDEX.encode() + b"\r\n")
        held = [stack.enter_context(Raw(server.port)).send(start + b" " * (size - 1))
                for _ in range(20)]
        small = b'{"schemaVersion":2,"manifests":[]}'
        assert put_manifest(server, small).status == 201
        if not IS_SANITIZED:
            assert server.rss_kib() < 100 << 10, server.rss_kib()
        answers = [raw.send(b" ").read() for raw in held]
        assert {answer.status for answer in answers} == {400, 429}, (
            {answer.status for answer in answers})
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.code == "TOOMANYREQUESTS" and refused.headers["retry-after"], refused
        # The memory is available again
        assert put_manifest(server, b" " * (size - 100) + small).status == 201


@case("after all cases above the server uses no more memory than before")
def _():
    if IS_SANITIZED:
        raise Skip("sanitizers keep freed memory")
    with Server(line("me", "secret"), AUTH_HTPASSWD_GUESSES="0") as server:
        requests = [*MALFORMED.values(), *(data for data, _ in NO_REQUESTS.values()),
                    *(head("GET", "/v2/", header) for header, _ in STRANGERS.values()),
                    *(head(method, template.format(part).encode("latin-1"), GOOD,
                           b"Content-Length: 0\r\n")
                      for method, template in TEMPLATES[:6] for part in EVIL_PARTS)]
        bodies = [manifest[1:3] for manifest in hostile_manifests()]

        def attack():
            for data in requests:
                ask(server.port, data)
            for body, media_type in bodies:
                put_manifest(server, body, media_type)

        sizes = []
        for _ in range(4):
            attack()
            time.sleep(0.1)
            sizes.append(server.rss_kib())
        print("# memory after each round, KiB:", sizes)
        assert sizes[-1] < 40 << 10, sizes  # the worker threads' heaps grow to about 20 MiB of this


main()
