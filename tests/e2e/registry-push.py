#!/usr/bin/env python3
"""Pushing blobs: end-4, end-5, end-6, end-11, end-13 and end-14 of the OCI distribution
specification 1.1.
"""

import concurrent.futures
import hashlib
import os
import re
import socket
import ssl

from harness import case, main
from plain_registry import wait_for
from registry_client import BYTES, digest, serve, shared

CONTENT = b"0123456789" * 1000


def pulled(name, content, algorithm="sha256"):
    return shared().call("GET", f"/v2/{name}/blobs/{digest(content, algorithm)}").body == content


def assert_created(answer, name, content, algorithm="sha256"):
    assert answer.status == 201, answer
    assert answer.location.endswith(f"/v2/{name}/blobs/{digest(content, algorithm)}"), (
        answer.location)
    assert answer.headers["Docker-Content-Digest"] == digest(content, algorithm), answer
    assert pulled(name, content, algorithm)


@case("end-4a, end-6: POST, then PUT with the whole blob, is 201 with its Location")
def _():
    server = shared()
    name = server.new_name()
    answer = server.call("POST", f"/v2/{name}/blobs/uploads/")
    assert answer.status == 202 and answer.headers["Range"] == "0-0", answer
    assert answer.headers["Docker-Upload-UUID"] in answer.location, answer
    assert_created(server.finish(answer.location, digest(CONTENT), CONTENT), name, CONTENT)


@case("end-4b: one POST with the digest and the whole blob is 201")
def _():
    server = shared()
    name = server.new_name()
    for content in (CONTENT, b""):
        answer = server.call("POST", f"/v2/{name}/blobs/uploads/?digest={digest(content)}", content,
                             content_type=BYTES)
        assert_created(answer, name, content)


@case("end-4b: a digest that does not match the body is 400 DIGEST_INVALID")
def _():
    server = shared()
    name = server.new_name()
    answer = server.call("POST", f"/v2/{name}/blobs/uploads/?digest={digest(b'other')}", CONTENT,
                         content_type=BYTES)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID"), answer
    assert server.call("HEAD", f"/v2/{name}/blobs/{digest(CONTENT)}").status == 404


@case("end-5, end-6: a streamed PATCH without Content-Range, then an empty PUT, as docker does")
def _():
    server = shared()
    name = server.new_name()
    pieces = [CONTENT[i:i + 3000] for i in range(0, len(CONTENT), 3000)]
    answer = server.patch(server.start(name), iter(pieces), Transfer_Encoding="chunked")
    assert answer.status == 202 and answer.headers["Range"] == f"0-{len(CONTENT) - 1}", answer
    assert_created(server.finish(answer.location, digest(CONTENT)), name, CONTENT)


@case("end-5: chunks in order with Content-Range, the last one in the PUT")
def _():
    server = shared()
    name = server.new_name()
    location = server.start(name)
    for first in (0, 3000, 6000):
        answer = server.patch(location, CONTENT[first:first + 3000],
                              Content_Range=f"{first}-{first + 2999}")
        assert answer.status == 202 and answer.headers["Range"] == f"0-{first + 2999}", answer
        location = answer.location
    answer = server.finish(location, digest(CONTENT), CONTENT[9000:], Content_Range="9000-9999")
    assert_created(answer, name, CONTENT)


@case("end-5: a chunk out of order is 416 with the offset to continue at, and changes nothing")
def _():
    server = shared()
    name = server.new_name()
    location = server.start(name)
    assert server.patch(location, CONTENT[5000:], Content_Range="5000-9999").status == 416
    answer = server.patch(location, CONTENT[:5000], Content_Range="0-4999")
    assert answer.status == 202, answer
    for first, last in ((0, 4999), (4999, 9998), (5001, 10000)):
        refused = server.patch(answer.location, CONTENT[first:last + 1],
                               Content_Range=f"{first}-{last}")
        assert refused.status == 416, (first, refused)
        assert refused.headers["Range"] == "0-4999" and refused.location, refused
    assert_created(server.finish(answer.location, digest(CONTENT), CONTENT[5000:]), name, CONTENT)


@case("end-6: a last chunk out of order is 416, and the upload can still be completed")
def _():
    server = shared()
    name = server.new_name()
    location = server.patch(server.start(name), CONTENT[:5000], Content_Range="0-4999").location
    assert (server.finish(location, digest(CONTENT), CONTENT[5000:], Content_Range="0-4999").status
            == 416)
    assert_created(server.finish(location, digest(CONTENT), CONTENT[5000:],
                                 Content_Range="5000-9999"), name, CONTENT)


@case("end-5: a Content-Range that is invalid or does not match the body's length is 400")
def _():
    server = shared()
    name = server.new_name()
    location = server.start(name)
    for value in ("x", "bytes 0-9/10", "0-", "9-0", "-9", "0-99999999999999999999", "0-8"):
        answer = server.patch(location, CONTENT[:10], Content_Range=value)
        assert answer.status in (400, 416), (value, answer)
    assert server.call("GET", location).headers["Range"] == "0-0"


@case("end-13: GET of an upload is 204 with the received range; also with an old Location")
def _():
    server = shared()
    name = server.new_name()
    first = server.start(name)
    second = server.patch(first, CONTENT[:7000]).location
    for location in (first, second):
        answer = server.call("GET", location)
        assert (answer.status, answer.headers["Range"]) == (204, "0-6999"), answer
        assert answer.location, answer
    assert_created(server.finish(server.call("GET", first).location, digest(CONTENT),
                                 CONTENT[7000:]), name, CONTENT)


@case("end-13: bytes that arrived before a connection broke are kept, and the upload "
      "continues after them")
def _():
    server = shared()
    name = server.new_name()
    location = server.start(name)
    path = re.sub("^https://[^/]+", "", location)
    raw = server.trust.wrap_socket(socket.create_connection(("127.0.0.1", server.registry.port)),
                                   server_hostname="localhost")
    raw.sendall(f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
                f"{server.auth['Authorization']}\r\n"
                f"Content-Type: {BYTES}\r\nContent-Length: 10000\r\n\r\n".encode() + CONTENT[:6000])
    # Only our end: the kernel drops unread bytes when the connection closes. A bucket shows the bytes
    # once the request has ended.
    raw.shutdown(socket.SHUT_WR)
    wait_for(lambda: server.call("GET", location).headers["Range"] == "0-5999",
             "the first bytes do not arrive")
    raw.close()
    results = []

    def goes_on():
        results.append(server.patch(server.call("GET", location).location, CONTENT[6000:],
                                    Content_Range="6000-9999"))
        return results[-1].status != 429
    wait_for(goes_on, "the upload stays locked")
    result = results[-1]
    assert result.status == 202, result
    assert_created(server.finish(result.location, digest(CONTENT)), name, CONTENT)


@case("end-14: DELETE of an upload is 204, and the upload is unknown afterwards")
def _():
    server = shared()
    location = server.start(server.new_name())
    assert server.call("DELETE", location).status == 204
    for method in ("GET", "DELETE", "PATCH"):
        answer = server.call(method, location, b"x" if method == "PATCH" else None)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN"), (method, answer)
    assert server.finish(location, digest(CONTENT), CONTENT).status == 404


@case("unknown uploads and those of another repository are 404 BLOB_UPLOAD_UNKNOWN")
def _():
    server = shared()
    name = server.new_name()
    location = server.start(name)
    for wrong in (location.replace(name, "some/other"),
                  f"/v2/{name}/blobs/uploads/00000000-0000-0000-0000-000000000000",
                  f"/v2/{name}/blobs/uploads/nonsense"):
        answer = server.call("GET", wrong)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN"), (wrong, answer)


@case("end-6: wrong, malformed and missing digests and unknown algorithms are 400 DIGEST_INVALID")
def _():
    server = shared()
    name = server.new_name()
    for wrong in ("sha256:baddigeststring", "md5:d41d8cd98f00b204e9800998ecf8427e", "nonsense", "",
                  digest(b"other")):
        answer = server.finish(server.start(name), wrong, CONTENT)
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID"), (wrong, answer)
    answer = server.call("PUT", server.start(name), CONTENT)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID"), answer
    assert server.call("HEAD", f"/v2/{name}/blobs/{digest(CONTENT)}").status == 404


@case("sha512: blobs are pushed whole and in chunks, with and without digest-algorithm, and pulled")
def _():
    server = shared()
    name = server.new_name()
    assert_created(server.finish(server.start(name), digest(CONTENT, "sha512"), CONTENT), name,
                   CONTENT, "sha512")
    other = CONTENT + b"."
    location = server.start(name, "?digest-algorithm=sha512")
    location = server.patch(location, other[:5000], Content_Range="0-4999").location
    answer = server.finish(location, digest(other, "sha512"), other[5000:],
                           Content_Range=f"5000-{len(other) - 1}")
    assert_created(answer, name, other, "sha512")
    third = CONTENT + b"!"
    answer = server.call("POST", f"/v2/{name}/blobs/uploads/?digest={digest(third, 'sha512')}",
                         third, content_type=BYTES)
    assert_created(answer, name, third, "sha512")
    answer = server.call("POST", f"/v2/{name}/blobs/uploads/?digest-algorithm=md5")
    assert answer.status == 400 and answer.code, answer


@case("end-11: a mount from another repository is 201 with the blob's Location")
def _():
    server = shared()
    source, target = server.new_name(), server.new_name()
    server.push_blob(source, CONTENT)
    answer = server.call("POST",
                         f"/v2/{target}/blobs/uploads/?mount={digest(CONTENT)}&from={source}")
    assert_created(answer, target, CONTENT)


@case("end-11: a mount without `from` works, too; a mount of a missing blob starts an upload")
def _():
    server = shared()
    source, target = server.new_name(), server.new_name()
    content = os.urandom(100)
    server.push_blob(source, content)
    assert_created(server.call("POST", f"/v2/{target}/blobs/uploads/?mount={digest(content)}"),
                   target, content)
    for query in (f"mount={digest(b'nowhere')}&from={source}",
                  f"mount={digest(content)}&from=no/such",
                  f"mount={digest(b'nowhere')}"):
        answer = server.call("POST", f"/v2/{server.new_name()}/blobs/uploads/?{query}")
        assert answer.status == 202 and answer.location, (query, answer)


@case("end-10: a deleted blob is 404 in its repository, and stays in other repositories")
def _():
    server = shared()
    name, other = server.new_name(), server.new_name()
    for repository in (name, other):
        server.push_blob(repository, CONTENT)
    path = f"/v2/{name}/blobs/{digest(CONTENT)}"
    assert server.call("DELETE", path).status == 202
    assert server.call("GET", path).status == 404
    answer = server.call("DELETE", path)
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN"), answer
    assert pulled(other, CONTENT)


@case("end-10: with deletes disabled, a delete is 405 UNSUPPORTED; read-only refuses every write")
def _():
    with serve(STORAGE_DELETE_ENABLED="false") as server:
        answer = server.call("DELETE", f"/v2/a/blobs/{server.push_blob('a', CONTENT)}")
        assert (answer.status, answer.code) == (405, "UNSUPPORTED"), answer
    with serve(STORAGE_MAINTENANCE_READONLY='{"enabled":true}') as server:
        for method, path in (("POST", "/v2/a/blobs/uploads/"), ("PUT", "/v2/a/manifests/b"),
                             ("DELETE", f"/v2/a/blobs/{digest(b'')}")):
            answer = server.call(method, path, b"{}")
            assert (answer.status, answer.code) == (405, "UNSUPPORTED"), (method, answer)


@case("two concurrent requests on one upload: one writes, the other is told to wait, and no "
      "bytes are mixed")
def _():
    server = shared()
    name = server.new_name()
    content = os.urandom(1 << 20) * 8
    location = server.start(name)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(
            lambda _i: server.patch(location, content,
                                    Content_Range=f"0-{len(content) - 1}").status,
            range(2)))
    assert sorted(results)[0] == 202 and sorted(results)[1] in (416, 429), results
    answer = server.finish(location, digest(content))
    assert_created(answer, name, content)


@case("16 concurrent pushes of the same blob store it once, intact")
def _():
    server = shared()
    name = server.new_name()
    content = os.urandom(1 << 20)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _i: server.push_blob(name, content), range(16)))
    assert pulled(name, content)


@case("with Expect: 100-continue, no 100 is sent if the request is refused")
def _():
    server = shared()
    raw = server.trust.wrap_socket(socket.create_connection(("127.0.0.1", server.registry.port)),
                                   server_hostname="localhost")
    raw.sendall(b"PUT /v2/a/manifests/b HTTP/1.1\r\nHost: localhost\r\nExpect: "
                b"100-continue\r\nContent-Length: 1000000\r\n\r\n")
    assert raw.recv(4096).startswith(b"HTTP/1.1 401"), "the server asked for the body"
    raw.close()


main()
