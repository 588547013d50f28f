#!/usr/bin/env python3
"""Pulling: end-1, end-2 and end-3 of the OCI distribution specification 1.1."""

import email
import email.policy
import os
import re

from harness import case, main
from registry_client import BYTES, DOCKER_IMAGE, IMAGE, INDEX, digest, serve, shared

CONTENT = bytes(range(256)) * 40


def blob(content=CONTENT):
    """Pushes the content; returns the path for pulling it."""
    server = shared()
    name = server.new_name()
    return f"/v2/{name}/blobs/{server.push_blob(name, content)}"


def get(path, **headers):
    return shared().call("GET", path,
                         headers={key.replace("_", "-"): value for key, value in headers.items()})


# --- end-1, and related routes of registry:2 ----------------------------------------------


@case("end-1: GET /v2/ with a login is 200 with the API version")
def _():
    answer = get("/v2/")
    assert (answer.status, answer.body) == (200, b"{}"), answer
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@case("end-1: GET /v2/ without a login is 401 with a challenge and the error body")
def _():
    for headers in ({}, {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"},
                    {"Authorization": "Basic dTpw"}):
        answer = shared().call("GET", "/v2/", headers=headers, auth=False)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED"), answer
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Registry Realm"', answer
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@case("every route except health requires a login")
def _():
    for method, path in (("GET", "/v2/_catalog"), ("GET", "/v2/a/tags/list"),
                         ("HEAD", "/v2/a/manifests/b"),
                         ("POST", "/v2/a/blobs/uploads/"), ("DELETE", "/v2/a/manifests/b"),
                         ("GET", "/v2/nonsense"),
                         ("PUT", "/v2/a/manifests/b"), ("GET", f"/v2/a/referrers/{digest(b'')}"),
                         ("GET", "/elsewhere")):
        answer = shared().call(method, path, auth=False)
        assert answer.status == 401, (method, path, answer)
        assert "WWW-Authenticate" in answer.headers, answer


@case("/v2 redirects to /v2/, / and /healthz are 200, unknown paths are 404")
def _():
    server = shared()
    answer = server.call("GET", "/v2", auth=False)
    assert (answer.status, answer.location) == (301, "/v2/"), answer
    for path in ("/", "/healthz"):
        assert server.call("GET", path, auth=False).status == 200, path
    for path in ("/v3/", "/v2/a", "/v2/a/", "/v2/a/blobs", "/v2/%00/tags/list", "/v2/a%2"):
        assert get(path).status == 404, path


@case("a method that a route does not support is 405 with Allow")
def _():
    for method, path, allowed in (("PUT", "/v2/a/tags/list", "GET"),
                                  ("POST", "/v2/a/manifests/b", "DELETE"),
                                  ("PATCH", "/v2/_catalog", "GET"),
                                  ("PUT", "/v2/a/blobs/uploads/", "POST")):
        answer = shared().call(method, path)
        assert answer.status == 405, (method, path, answer)
        assert allowed in answer.headers["Allow"], answer


@case("path traversal gets the same answer as any other unknown path")
def _():
    for path in ("/v2/../../etc/passwd", "/v2/a/../b/tags/list", "/v2/..%2f..%2fetc/tags/list",
                 "/v2/%2e%2e/tags/list",
                 "/v2/a/blobs/uploads/../../../x", "/v2/A/tags/list", "/v2/a//b/tags/list",
                 "/v2/" + "a" * 300 + "/tags/list",
                 "/v2/a/manifests/" + "t" * 129, "/v2/a\x01/tags/list".replace("\x01", "%01")):
        answer = get(path)
        assert answer.status in (400, 404), (path, answer)


# --- end-2: blobs -----------------------------------------------------------------------------


@case("end-2: GET and HEAD of a blob: bytes, length, digest, ETag, cacheable for a year")
def _():
    path = blob()
    for method in ("GET", "HEAD"):
        answer = shared().call(method, path)
        assert answer.status == 200 and answer.body == (CONTENT if method == "GET" else b""), answer
        assert answer.headers["Content-Length"] == str(len(CONTENT)), answer
        assert answer.headers["Content-Type"] == BYTES, answer
        assert answer.headers["Docker-Content-Digest"] == digest(CONTENT), answer
        assert answer.headers["ETag"] == f'"{digest(CONTENT)}"', answer
        assert answer.headers["Cache-Control"] == "max-age=31536000", answer
        assert answer.headers["Accept-Ranges"] == "bytes", answer


@case("end-2: an empty blob can be pushed and pulled")
def _():
    answer = get(blob(b""))
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0"), answer


@case("end-2: a missing blob and a blob of another repository are 404 BLOB_UNKNOWN")
def _():
    server, path = shared(), blob()
    assert get(path.replace("suite/", "other/")).code == "BLOB_UNKNOWN"
    answer = get(f"/v2/{server.new_name()}/blobs/{digest(b'nobody has this')}")
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN"), answer
    assert server.call("HEAD", f"/v2/a/blobs/{digest(b'nor this')}").status == 404


@case("end-2: invalid digests are 400 or 404, never 500")
def _():
    for wrong in ("sha256:baddigeststring", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e",
                  "sha256:" + "A" * 64,
                  "sha256:" + "a" * 63, "sha512:" + "a" * 64, "sha256", ":"):
        answer = get(f"/v2/a/blobs/{wrong}")
        assert answer.status in (400, 404), (wrong, answer)
    assert get("/v2/a/blobs/sha256:abc").code == "DIGEST_INVALID"


@case("end-2, RFC 9110 section 14: one range, counted from either end, is 206 with Content-Range")
def _():
    path, size = blob(), len(CONTENT)
    for value, first, last in (("0-0", 0, 0), ("1-3", 1, 3), (f"{size - 5}-", size - 5, size - 1),
                               ("-7", size - 7, size - 1),
                               ("100-999999", 100, size - 1), (f"-{size + 5}", 0, size - 1)):
        answer = get(path, Range=f"bytes={value}")
        assert (answer.status, answer.body) == (206, CONTENT[first:last + 1]), (value, answer)
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{size}", (value, answer)
        assert answer.headers["Content-Length"] == str(last - first + 1), (value, answer)


@case("end-2, RFC 9110 section 14: a range outside the blob is a complete 416 answer "
      "with the length")
def _():
    path, size = blob(), len(CONTENT)
    for value in (f"{size}-", "500000-600000", "500-0"):
        answer = get(path, Range=f"bytes={value}")
        assert answer.status == 416, (value, answer)
        assert answer.headers["Content-Range"] == f"bytes */{size}", (value, answer)
        assert len(answer.body) == int(answer.headers["Content-Length"])
    assert get(path).status == 200  # on the same connection


@case("end-2, RFC 9110 section 14.6: several ranges get one multipart answer")
def _():
    answer = get(blob(), Range="bytes=0-1,10-12")
    boundary = re.fullmatch("multipart/byteranges; boundary=(.+)",
                            answer.headers["Content-Type"])[1].encode()
    parts = answer.body.split(b"--" + boundary)
    assert answer.status == 206 and len(parts) == 4 and parts[3] == b"--\r\n", answer
    assert parts[1].endswith(b"\r\n\r\n" + CONTENT[:2] + b"\r\n"), parts[1]
    assert b"Content-Range: bytes 10-12/" in parts[2] and CONTENT[10:13] in parts[2], parts[2]


@case("end-2, RFC 9110 section 14.6: as many as 1,024 ranges, as containers/storage asks for, "
      "get one answer")
def _():
    ranges = [(2 * i, 2 * i + i % 2) for i in range(1024)]
    answer = get(blob(), Range="bytes=" + ",".join(f"{first}-{last}" for first, last in ranges))
    text = b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n" + answer.body
    parts = email.message_from_bytes(text, policy=email.policy.HTTP).get_payload()
    assert answer.status == 206 and len(answer.body) == int(answer.headers["Content-Length"]), (
        answer.status)
    assert ([part["Content-Range"] for part in parts]
            == [f"bytes {first}-{last}/{len(CONTENT)}" for first, last in ranges])
    found = [data.split(b"\r\n\r\n", 1)[1]
             for data in answer.body.split(b"\r\n--" + answer.body[2:38])[:-1]]
    assert found == [CONTENT[first:last + 1] for first, last in ranges], found[:3]


@case("end-2: a Range with another unit or too many ranges gets the whole blob")
def _():
    path = blob()
    for value in ("lines=1-2", "bytes=" + ",".join(f"{i}-{i}" for i in range(1025))):
        assert get(path, Range=value).status == 200, value


@case("end-2, RFC 9110 section 13: If-None-Match with the digest is 304 without a body")
def _():
    path, tag = blob(), f'"{digest(CONTENT)}"'
    for value in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answer = get(path, If_None_Match=value)
        assert (answer.status, answer.body) == (304, b""), (value, answer)
    assert get(path, If_None_Match='"x"').status == 200


@case("end-2, RFC 9110 section 13: If-Match with another digest is 412, with the right one 200")
def _():
    path, tag = blob(), f'"{digest(CONTENT)}"'
    assert (answer := get(path, If_Match='"x"')).status == 412 and answer.body == b"", answer
    for value in (tag, f'"x", {tag}', "*"):
        assert get(path, If_Match=value).body == CONTENT, value


@case("end-2, RFC 9110 section 13.1.5: If-Range with the blob's ETag gets the range, with another "
      "the whole blob")
def _():
    path, tag = blob(), f'"{digest(CONTENT)}"'
    answer = get(path, If_Range=tag, Range="bytes=5-9")
    assert (answer.status, answer.body) == (206, CONTENT[5:10]), answer
    for value in ('"x"', f"W/{tag}", "Sat, 29 Oct 1994 19:43:31 GMT"):
        answer = get(path, If_Range=value, Range="bytes=5-9")
        assert (answer.status, answer.body) == (200, CONTENT), (value, answer)


@case("a large blob is served whole, and another one after it on the same connection")
def _():
    content = os.urandom(1 << 20) * 9 + b"end"
    path = blob(content)
    assert get(path).body == content
    assert get(path, Range="bytes=9437184-").body == b"end"


# --- end-3: manifests ---------------------------------------------------------------------------


@case("end-3: a manifest is served by tag and by digest, byte for byte and with its type")
def _():
    server = shared()
    name = server.new_name()
    manifest = server.push_image(name, "v1")
    for reference in ("v1", digest(manifest)):
        for method in ("GET", "HEAD"):
            answer = server.get_manifest(name, reference, method)
            assert answer.status == 200 and answer.body == (manifest if method == "GET" else b""), (
                answer)
            assert answer.headers["Content-Type"] == IMAGE, answer
            assert answer.headers["Content-Length"] == str(len(manifest)), answer
            assert answer.headers["Docker-Content-Digest"] == digest(manifest), answer
            assert answer.headers["ETag"] == f'"{digest(manifest)}"', answer


@case("end-3: only an Accept header that names manifest types can exclude a manifest")
def _():
    server = shared()
    name = server.new_name()
    server.push_image(name, "v1")
    for accept in ("*/*", "application/json", "text/html", IMAGE, f"{DOCKER_IMAGE}, */*"):
        assert (server.call("GET", f"/v2/{name}/manifests/v1", headers={"Accept": accept}).status
                == 200), accept
    assert server.call("GET", f"/v2/{name}/manifests/v1").status == 200
    # As with registry:2, a client never gets a type that it excludes.
    for accept in (DOCKER_IMAGE, INDEX):
        answer = server.call("GET", f"/v2/{name}/manifests/v1", headers={"Accept": accept})
        assert ((answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
                and IMAGE.encode() in answer.body), answer


@case("end-3: a missing manifest is 404 MANIFEST_UNKNOWN; If-None-Match is 304")
def _():
    server = shared()
    name = server.new_name()
    manifest = server.push_image(name, "v1")
    for where, reference in ((name, "nope"), (name, digest(b"nope")), ("no/such", "v1")):
        answer = server.get_manifest(where, reference)
        assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN"), answer
        assert server.get_manifest(where, reference, "HEAD").status == 404
    assert (server.get_manifest(name, "v1", **{"If-None-Match": f'"{digest(manifest)}"'}).status
            == 304)


@case("http.headers are in every answer; relative URLs and a prefix as configured")
def _():
    with serve(HTTP_HEADERS="{X-Content-Type-Options: [nosniff]}", HTTP_RELATIVEURLS="true",
               HTTP_PREFIX="/reg/") as server:
        server.registry.url += "/reg"
        answer = server.call("POST", "/reg/v2/a/blobs/uploads/")
        assert answer.status == 202 and answer.location.startswith("/reg/v2/a/blobs/uploads/"), (
            answer)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", answer
        assert server.call("GET", "/v2/").status == 404


main()
