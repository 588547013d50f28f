#!/usr/bin/env python3
"""The same requests, in the same order, to docker-registry 2.8.2 and to registryd.

Where the OCI distribution specification is silent, clients expect registry:2's answers, so the
answers of both programs must be equal, including headers and error codes. KNOWN lists the
differences with their reasons. An entry whose answers no longer differ is a failure, too.
"""

import functools
import http.client
import json
import re

from harness import case, main, need
from registry import Registry
from registry_client import (ACCEPT, BYTES, DOCKER_IMAGE, DOCKER_LIST, IMAGE, INDEX, LAYER, Client,
                             descriptor, digest)

COMPARED = ("Content-Type", "Content-Range", "Range", "Location", "Link", "Etag", "Allow",
            "Cache-Control",
            "Www-Authenticate", "Docker-Content-Digest", "Docker-Distribution-Api-Version")
HELLO, ABSENT = b"hello", digest(b"nobody pushed this")
NO_UUID = "00000000-0000-0000-0000-000000000000"
BROKEN = "the connection broke"

# The reason of each difference, and the requests with different answers.
DIFFERENCES = {
    "an unauthenticated client learns nothing, not even which routes exist":
        ["without credentials: no route"],
    "the API version header is on /, too":
        ["without credentials: /", "GET /", "HEAD /", "POST /", "PUT /", "DELETE /", "PATCH /",
         "OPTIONS /"],
    "the redirection has its text for every method":
        ["POST /v2", "PUT /v2", "DELETE /v2", "PATCH /v2", "OPTIONS /v2"],
    "an invalid name is NAME_INVALID (Error codes), an invalid digest DIGEST_INVALID, as JSON":
        ["route /v2/UPPER/tags/list", "route /v2/a_/tags/list", "route /v2/a/b/blobs/x"],
    "an error has the specification's format (Error codes), also for an unknown route or method":
        ["route /v2/a/b", "route /v2/a/b/", "route /v2/a/b/tags", "route /v2/a/b/manifests/",
         "route /v2/a/b/manifests/.x",
         "route /v2/a/b/blobs/", "route /nothing", "route /v3/", "route /v1/_ping",
         "wrong method POST /v2/a/manifests/x",
         f"wrong method PATCH /v2/a/blobs/{ABSENT}", "manifest: put as a tag of 129 letters"],
    "paths are not cleaned: a name that the specification does not allow is refused":
        ["route /v2/a/b/tags/list/", "route /v2//tags/list", "route /v2/a//b/tags/list",
         "route /v2/a/./b/tags/list",
         "route /v2/_catalog/"],
    "every route with GET supports HEAD (RFC 9110 section 9.3.2)":
        ["wrong method PUT /v2/a/tags/list", "wrong method POST /v2/_catalog"],
    "the method is checked before the session":
        ["wrong method GET /v2/a/blobs/uploads/",
         f"wrong method POST /v2/a/blobs/uploads/{NO_UUID}"],
    "a client that lost an answer can continue with any Location of the session (end-13)":
        ["upload: status by the first Location", "upload: status again"],
    "a chunk out of order is 416 (end-5)":
        ["upload: chunk after a gap"],
    "an unknown session is BLOB_UPLOAD_UNKNOWN (Error codes)":
        ["upload: for a digest of other bytes, status", "upload: unknown, status",
         "upload: unknown, chunk",
         "upload: unknown, end"],
    "a whole blob can be pushed in one POST (end-4b)":
        ["upload: in one POST", "deletes off: put a blob"],
    "a mount without `from` works (end-11: from is optional)":
        ["a mount from nowhere"],
    "Range applies only to GET (RFC 9110 section 14.2)":
        [f"blob: HEAD with Range {wanted}" for wanted in (
            "bytes=1-3", "bytes=-2", "bytes=2-", "bytes=0-0", "bytes=0-99", "bytes=9-", "bytes=3-1",
            "bytes=0-1,3-4", "bytes=x",
            "lines=1-2", "bytes=-0", "bytes=0-4")],
    "registry:2's 416 and 412 announce the blob's length, and send less":
        ["blob: Range bytes=9-", "blob: Range bytes=3-1", "blob: Range bytes=x",
         "blob: If-Match of another"],
    "a Range with a unit other than bytes is ignored (RFC 9110 section 14.2)":
        ["blob: Range lines=1-2"],
    "a range of the last 0 bytes is not satisfiable (RFC 9110 section 14.1.2)":
        ["blob: Range bytes=-0"],
    "an invalid digest is the client's error, not a 500":
        ["manifest: put by a short digest", "manifest of a short digest: get"],
    "the error says what is wrong with the manifest":
        ["manifest: that is no JSON", "manifest: of nothing", "manifest: as text",
         "manifest: of another type than it says",
         "manifest: of schema 1"],
    "without a Content-Type, the manifest's own mediaType applies":
        ["manifest: without a type"],
    "a manifest that is too large is 413 (end-7a)":
        ["manifest: of 5 MiB"],
    "without a type in Accept, the manifest is served as pushed (Pulling manifests), not converted "
    "to schema 1 or hidden":
        ["manifest: get without Accept", "manifest: docker's without Accept",
         "manifest: get with Accept */*"],
    "304 has the ETag (RFC 9110 section 15.4.5)":
        ["manifest: If-None-Match", "manifest: If-None-Match without quotes"],
    "tags are sorted and paginated; n must be a number (end-8)":
        ["tags", "tags?n=2", "tags?n=2&last=a", "tags?last=b", "tags?n=0", "tags?n=-1", "tags?n=x",
         "tags?n=100",
         "catalog?n=-1", "catalog?n=x", "tags after deletes"],
    "referrers (end-12)":
        ["referrers"],
    "a tag can be deleted (end-9)":
        ["delete a tag", "delete a tag that is not there"],
    "the error names the manifest":
        ["delete a manifest again"],
    "405 has the specification's format":
        ["read-only: an upload", "read-only: a manifest", "read-only: a delete"],
}
KNOWN = {name: reason for reason, names in DIFFERENCES.items() for name in names}


def normalised(text):
    """Removes what differs from run to run: ports, upload identifiers and their state."""
    text = re.sub(r"https://localhost:\d+", "https://HOST", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    return re.sub(r"_state=[^&]*", "_state=STATE", text)


def summary(answer, method):
    """Returns what clients rely on: status, headers, and the error codes or the body."""
    headers = {name: normalised(answer.headers[name]) for name in COMPARED
               if answer.headers[name] is not None}
    kind = headers.get("Content-Type", "")
    body = None if method == "HEAD" else answer.body
    if kind.startswith("application/json") and body:
        body = json.loads(body)
        if "errors" in body:
            body = [(error["code"], error.get("detail")) for error in body["errors"]]
    if kind.startswith("multipart/byteranges"):
        boundary = answer.headers["Content-Type"].split("boundary=")[1]
        headers["Content-Type"], body = "multipart/byteranges", body and body.replace(
            boundary.encode(), b"BOUNDARY")
    if kind.startswith("text/"):
        body = None
    return answer.status, headers, body


class Recorder:
    """Sends requests to one server, and stores the answers by the request's name."""

    def __init__(self, client):
        self.client, self.answers = client, {}

    def ask(self, name, method, target, body=None, **options):
        """Sends one request; returns the answer, or None if it was incomplete."""
        assert name not in self.answers, name
        try:
            answer = self.client.call(method, target, body, **options)
        except (http.client.HTTPException, OSError):
            self.client.connection().close()
            self.client.local.connection = None
            self.answers[name] = BROKEN
            return None
        self.answers[name] = summary(answer, method)
        return answer


def manifest(config=HELLO, layers=(), **more):
    return json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(BYTES, config),
                       "layers": [descriptor(LAYER, layer) for layer in layers], **more}).encode()


def ask_who_may_come_in(ask):
    for name, headers in {
            "no credentials": {},
            "a wrong password": {"Authorization": "Basic dGVzdHVzZXI6bm8="},
            "an unknown user": {"Authorization": "Basic YmFkOmJhZA=="},
            "a bearer token": {"Authorization": "Bearer x"},
            "credentials that are not base64": {"Authorization": "Basic !!!"},
            "credentials without a colon": {"Authorization": "Basic YWJj"},
    }.items():
        ask(f"/v2/ with {name}", "GET", "/v2/", auth=False, headers=headers)
    for name, method, path in (
            ("tags", "GET", "/v2/a/b/tags/list"), ("a manifest", "GET", "/v2/a/b/manifests/x"),
            ("a manifest, to be put", "PUT", "/v2/a/b/manifests/x"),
            ("a manifest, to be deleted", "DELETE", "/v2/a/b/manifests/x"),
            ("a blob", "GET", f"/v2/a/b/blobs/{ABSENT}"),
            ("a blob, to be deleted", "DELETE", f"/v2/a/b/blobs/{ABSENT}"),
            ("a blob's HEAD", "HEAD", f"/v2/a/b/blobs/{ABSENT}"),
            ("an upload", "POST", "/v2/a/b/blobs/uploads/"),
            ("a mount", "POST", f"/v2/a/b/blobs/uploads/?mount={ABSENT}&from=c"),
            ("the catalog", "GET", "/v2/_catalog"), ("no route", "GET", "/v2/a/b/nothing"),
            ("/v2", "GET", "/v2"), ("/", "GET", "/")):
        ask(f"without credentials: {name}", method, path, auth=False)


def ask_routes(ask):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        ask(f"{method} /v2/", method, "/v2/")
        ask(f"{method} /v2", method, "/v2")
        ask(f"{method} /", method, "/")
    for path in ("/v2/a/b", "/v2/a/b/", "/v2/UPPER/tags/list", "/v2/a_/tags/list", "/v2/a/b/tags",
                 "/v2/a/b/tags/list/",
                 "/v2/a/b/manifests/", "/v2/a/b/manifests/.x", "/v2/a/b/blobs/", "/v2/a/b/blobs/x",
                 "/v2//tags/list", "/nothing",
                 "/v3/", "/v2/a//b/tags/list", "/v2/%61/tags/list", "/v2/a/./b/tags/list",
                 "/v2/_catalog/", "/v1/_ping"):
        ask(f"route {path}", "GET", path)
    for method, path in (("PUT", "/v2/a/tags/list"), ("POST", "/v2/a/manifests/x"),
                         ("PATCH", f"/v2/a/blobs/{ABSENT}"),
                         ("POST", "/v2/_catalog"), ("GET", "/v2/a/blobs/uploads/"),
                         ("POST", f"/v2/a/blobs/uploads/{NO_UUID}")):
        ask(f"wrong method {method} {path}", method, path)


def ask_uploads(ask):
    uploads = "/v2/a/b/blobs/uploads/"
    begun = ask("upload: begin", "POST", uploads).location
    ask("upload: status", "GET", begun)
    patched = ask("upload: chunk", "PATCH", begun, HELLO, content_type=BYTES,
                  headers={"Content-Range": "0-4"}).location
    ask("upload: status after a chunk", "GET", patched)
    ask("upload: status by the first Location", "GET", begun)
    ask("upload: chunk after a gap", "PATCH", patched, HELLO, content_type=BYTES,
        headers={"Content-Range": "9-13"})
    ask("upload: status again", "GET", patched)
    begun = ask("upload: another", "POST", uploads).location
    patched = ask("upload: stream", "PATCH", begun, HELLO, content_type=BYTES).location
    patched = ask("upload: stream more", "PATCH", patched, b" world", content_type=BYTES).location
    ask("upload: end without a digest", "PUT", patched)
    begun = ask("upload: a third", "POST", uploads).location
    patched = ask("upload: its stream", "PATCH", begun, b"hello world", content_type=BYTES).location
    ask("upload: end", "PUT", f"{patched}&digest={digest(b'hello world')}", b"")
    ask("upload: status after its end", "GET", patched)
    ask("upload: end again", "PUT", f"{patched}&digest={digest(b'hello world')}", b"")
    begun = ask("upload: a fourth", "POST", uploads).location
    ask("upload: all in the PUT", "PUT", f"{begun}&digest={digest(HELLO)}", HELLO,
        content_type=BYTES)
    for name, wanted in {
            "of other bytes": ABSENT, "too short": "sha256:abc",
            "of an unknown algorithm": "md5:" + "0" * 32,
            "that is no digest": "nonsense", "that is empty": ""}.items():
        begun = ask(f"upload: for a digest {name}, begin", "POST", uploads).location
        ask(f"upload: for a digest {name}, end", "PUT", f"{begun}&digest={wanted}", HELLO,
            content_type=BYTES)
        ask(f"upload: for a digest {name}, status", "GET", begun)
    begun = ask("upload: to cancel", "POST", uploads).location
    ask("upload: cancel", "DELETE", begun)
    ask("upload: cancel again", "DELETE", begun)
    ask("upload: unknown, status", "GET", uploads + NO_UUID)
    ask("upload: unknown, chunk", "PATCH", f"{uploads}{NO_UUID}?_state=x", b"x")
    ask("upload: unknown, end", "PUT", f"{uploads}{NO_UUID}?digest={ABSENT}", b"x")
    ask("upload: in one POST", "POST", f"{uploads}?digest={digest(HELLO)}", HELLO,
        content_type=BYTES)
    for name, query in {"a mount": f"?mount={digest(HELLO)}&from=a/b",
                        "a mount of what is not there": f"?mount={ABSENT}&from=a/b",
                        "a mount from nowhere": f"?mount={digest(HELLO)}",
                        "a mount from no repository": f"?mount={digest(HELLO)}&from=x/y",
                        "a mount of no digest": "?mount=sha256:abc&from=a/b",
                        "a mount from no name": f"?mount={digest(HELLO)}&from=A"}.items():
        ask(name, "POST", f"/v2/c/d/blobs/uploads/{query}")
    ask("Location where a proxy tells the host", "POST", uploads,
        headers={"X-Forwarded-Proto": "http", "X-Forwarded-Host": "other:99"})


def ask_blobs(ask):
    blob = f"/v2/a/b/blobs/{digest(HELLO)}"
    ask("blob", "GET", blob)
    ask("blob: HEAD", "HEAD", blob)
    for wanted in ("bytes=1-3", "bytes=-2", "bytes=2-", "bytes=0-0", "bytes=0-99", "bytes=9-",
                   "bytes=3-1", "bytes=0-1,3-4", "bytes=x",
                   "lines=1-2", "bytes=", "bytes=-0", "bytes=0-4"):
        ask(f"blob: Range {wanted}", "GET", blob, headers={"Range": wanted})
        ask(f"blob: HEAD with Range {wanted}", "HEAD", blob, headers={"Range": wanted})
    for name, headers in {
            "If-None-Match": {"If-None-Match": f'"{digest(HELLO)}"'},
            "If-None-Match of another": {"If-None-Match": '"x"'},
            "If-None-Match *": {"If-None-Match": "*"},
            "If-None-Match, weak": {"If-None-Match": f'W/"{digest(HELLO)}"'},
            "If-Match of another": {"If-Match": '"x"'},
            "If-Match": {"If-Match": f'"{digest(HELLO)}"'},
            "If-Range": {"If-Range": f'"{digest(HELLO)}"', "Range": "bytes=1-3"},
            "If-Range of another": {"If-Range": '"x"', "Range": "bytes=1-3"}}.items():
        ask(f"blob: {name}", "GET", blob, headers=headers)
    ask("blob: in a repository that does not have it", "GET", f"/v2/x/y/blobs/{digest(HELLO)}")
    for name, wanted in {"absent": ABSENT, "of a short digest": "sha256:abc",
                         "of an unknown algorithm": "md5:" + "0" * 32}.items():
        for method in ("GET", "HEAD", "DELETE"):
            ask(f"blob {name}: {method}", method, f"/v2/a/b/blobs/{wanted}")


def ask_manifests(ask):
    put, one, two = "/v2/a/b/manifests/", manifest(), manifest(layers=[b"hello world"])
    kind = {"content_type": IMAGE}
    ask("manifest: put", "PUT", put + "v1", one, **kind)
    ask("manifest: put again", "PUT", put + "v1", one, **kind)
    ask("manifest: put by digest", "PUT", put + digest(two), two, **kind)
    ask("manifest: put by another's digest", "PUT", put + ABSENT, one, **kind)
    ask("manifest: put by a short digest", "PUT", put + "sha256:abc", one, **kind)
    ask("manifest: put as a tag of 129 letters", "PUT", put + "t" * 129, one, **kind)
    ask("manifest: that names an absent config", "PUT", put + "bad", manifest(config=b"absent"),
        **kind)
    ask("manifest: that is no JSON", "PUT", put + "bad", b"{", **kind)
    ask("manifest: of nothing", "PUT", put + "bad", b"", **kind)
    ask("manifest: as text", "PUT", put + "bad", one, content_type="text/plain")
    ask("manifest: without a type", "PUT", put + "bad", one)
    ask("manifest: of another type than it says", "PUT", put + "bad", one,
        content_type=DOCKER_IMAGE)
    ask("manifest: of schema 1", "PUT", put + "bad", b'{"schemaVersion":1,"name":"a/b","tag":"x"}',
        content_type="application/vnd.docker.distribution.manifest.v1+json")
    ask("manifest: of 5 MiB", "PUT", put + "big", b" " * (5 << 20), **kind)
    ask("manifest: with a subject that is not there", "PUT", put + "subject",
        manifest(subject=descriptor(IMAGE, b"absent")), **kind)
    docker = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_IMAGE,
                         "config": descriptor("application/vnd.docker.container.image.v1+json",
                                              HELLO), "layers": []}).encode()
    ask("manifest: docker's", "PUT", put + "docker", docker, content_type=DOCKER_IMAGE)
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                        "manifests": [descriptor(IMAGE, one)]}).encode()
    ask("index: put", "PUT", put + "index", index, content_type=INDEX)
    ask("index: of an absent manifest", "PUT", put + "bad",
        json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                    "manifests": [descriptor(IMAGE, b"absent")]}).encode(), content_type=INDEX)
    accept = {"headers": {"Accept": ACCEPT}}
    for tag in ("v1", digest(one), "index", "docker", "nope", ABSENT, digest(two)):
        ask(f"manifest {tag}: get", "GET", put + tag, **accept)
        ask(f"manifest {tag}: HEAD", "HEAD", put + tag, **accept)
    ask("manifest of a short digest: get", "GET", put + "sha256:abc", **accept)
    ask("manifest: get without Accept", "GET", put + "v1")
    ask("manifest: docker's without Accept", "GET", put + "docker")
    ask("manifest: get with Accept */*", "GET", put + "docker", headers={"Accept": "*/*"})
    ask("manifest: If-None-Match", "GET", put + "v1",
        headers={"Accept": IMAGE, "If-None-Match": f'"{digest(one)}"'})
    ask("manifest: If-None-Match without quotes", "GET", put + "v1",
        headers={"Accept": IMAGE, "If-None-Match": digest(one)})
    ask("manifest: Range", "GET", put + "v1", headers={"Accept": IMAGE, "Range": "bytes=0-3"})
    platform = {"architecture": "amd64", "os": "linux"}
    other = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_IMAGE,
                        "layers": [descriptor(LAYER, b"hello world")],
                        "config": descriptor("application/vnd.docker.container.image.v1+json",
                                             HELLO)}).encode()
    ask("manifest: docker's for arm", "PUT", put + "arm", other, content_type=DOCKER_IMAGE)
    for tag, items in (("list",
                        [descriptor(DOCKER_IMAGE, other,
                                    platform={"architecture": "arm64", "os": "linux"}),
                         descriptor(DOCKER_IMAGE, docker, platform=platform)]),
                       ("list-arm",
                        [descriptor(DOCKER_IMAGE, other,
                                    platform={"architecture": "arm64", "os": "linux"})])):
        content = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_LIST,
                              "manifests": items}).encode()
        ask(f"docker's {tag}: put", "PUT", put + tag, content, content_type=DOCKER_LIST)
        for accepted in (DOCKER_LIST, DOCKER_IMAGE, f"{DOCKER_IMAGE}, {IMAGE}",
                         f"{DOCKER_IMAGE}, {DOCKER_LIST}"):
            ask(f"docker's {tag}: Accept {accepted}", "GET", put + tag,
                headers={"Accept": accepted})
            ask(f"docker's {tag}: HEAD, Accept {accepted}", "HEAD", put + tag,
                headers={"Accept": accepted})
        ask(f"docker's {tag}: by digest", "GET", put + digest(content),
            headers={"Accept": DOCKER_IMAGE})
    for tag in ("v1", digest(one), "index"):
        ask(f"manifest {tag}: Accept of Docker's types", "GET", put + tag,
            headers={"Accept": f"{DOCKER_IMAGE}, {DOCKER_LIST}"})
    ask("manifest docker: by digest, Accept of OCI's types", "GET", put + digest(docker),
        headers={"Accept": IMAGE})
    ask("manifest: of a repository that is not there", "GET", "/v2/no/such/manifests/x", **accept)


def ask_lists(ask):
    for tag in ("a", "b", "c"):
        ask(f"tag {tag}", "PUT", f"/v2/a/b/manifests/{tag}", manifest(), content_type=IMAGE)
    ask("tags", "GET", "/v2/a/b/tags/list")
    for query in ("n=2", "n=2&last=a", "last=b", "n=0", "n=-1", "n=x", "n=100"):
        ask(f"tags?{query}", "GET", f"/v2/a/b/tags/list?{query}")
    ask("tags of a repository that is not there", "GET", "/v2/no/such/tags/list")
    ask("tags of a repository without any", "GET", "/v2/c/d/tags/list")
    for query in ("", "n=1", "n=1&last=a/b", "last=a/b", "n=0", "n=-1", "n=x", "n=5000"):
        ask(f"catalog?{query}", "GET", f"/v2/_catalog?{query}")
    ask("referrers", "GET", f"/v2/a/b/referrers/{digest(manifest())}")


def ask_deletes(ask):
    ask("delete a tag", "DELETE", "/v2/a/b/manifests/a")
    ask("delete a tag that is not there", "DELETE", "/v2/a/b/manifests/nope")
    ask("delete a manifest", "DELETE", f"/v2/a/b/manifests/{digest(manifest())}")
    ask("delete a manifest again", "DELETE", f"/v2/a/b/manifests/{digest(manifest())}")
    ask("get a deleted manifest", "GET", f"/v2/a/b/manifests/{digest(manifest())}",
        headers={"Accept": ACCEPT})
    ask("get its tag", "GET", "/v2/a/b/manifests/b", headers={"Accept": ACCEPT})
    ask("delete a blob", "DELETE", f"/v2/a/b/blobs/{digest(HELLO)}")
    ask("delete a blob again", "DELETE", f"/v2/a/b/blobs/{digest(HELLO)}")
    ask("get a deleted blob", "GET", f"/v2/a/b/blobs/{digest(HELLO)}")
    ask("tags after deletes", "GET", "/v2/a/b/tags/list")


def ask_where_deletes_are_off(ask):
    ask("deletes off: put a blob", "POST", f"/v2/a/blobs/uploads/?digest={digest(HELLO)}", HELLO,
        content_type=BYTES)
    ask("deletes off: a blob", "DELETE", f"/v2/a/blobs/{digest(HELLO)}")
    ask("deletes off: a manifest", "DELETE", f"/v2/a/manifests/{ABSENT}")
    ask("deletes off: a tag", "DELETE", "/v2/a/manifests/x")


def ask_while_read_only(ask):
    ask("read-only: an upload", "POST", "/v2/a/blobs/uploads/")
    ask("read-only: a manifest", "PUT", "/v2/a/manifests/x", manifest(), content_type=IMAGE)
    ask("read-only: a delete", "DELETE", f"/v2/a/manifests/{ABSENT}")
    ask("read-only: a tag's list", "GET", "/v2/a/tags/list")


# The conversations for each set of settings, in this order.
CONVERSATIONS = (
    ({}, (ask_who_may_come_in, ask_routes, ask_uploads, ask_blobs, ask_manifests, ask_lists,
          ask_deletes)),
    ({"HTTP_RELATIVEURLS": "true", "HTTP_HOST": ""}, (ask_uploads,)),
    ({"STORAGE_DELETE_ENABLED": "false"}, (ask_where_deletes_are_off,)),
    ({"STORAGE_MAINTENANCE_READONLY": "{enabled: true}"}, (ask_while_read_only,)),
)


@functools.cache
def hold(number):
    """Returns both servers' answers: {name of the topic: {name of the request: (theirs, ours)}}."""
    settings, topics = CONVERSATIONS[number]
    need("docker-registry")
    with Registry(program="docker-registry", **settings) as theirs, Registry(**settings) as ours:
        recorders, answers = (Recorder(Client(theirs)), Recorder(Client(ours))), {}
        for topic in topics:
            for recorder in recorders:
                recorder.answers = {}
                topic(recorder.ask)
            answers[topic.__name__] = {name: tuple(recorder.answers.get(name)
                                                   for recorder in recorders)
                                       for name in recorders[0].answers}
    return answers


def compare(answers):
    wrong = []
    for name, (theirs, ours) in answers.items():
        if name in KNOWN and theirs == ours:
            wrong.append(f"{name}: no longer differs, though KNOWN says: {KNOWN[name]}")
        if name not in KNOWN and theirs != ours:
            wrong.append(f"{name}:\n    registry:2 {theirs}\n    registryd  {ours}")
    assert not wrong, "\n".join(wrong)
    assert answers


for index, (wanted, spoken) in enumerate(CONVERSATIONS):
    for one in spoken:
        title = one.__name__.replace("ask_", "").replace("_", " ")
        where = " with " + " ".join(f"{name}={value}"
                                    for name, value in wanted.items()) if wanted else ""
        case(f"{title}{where}: same answers as registry:2")(
            lambda i=index, name=one.__name__: compare(hold(i)[name]))


@case("every known difference belongs to a request of the test")
def _():
    asked = {name for number in range(len(CONVERSATIONS)) for topic in hold(number).values()
             for name in topic}
    assert asked >= set(KNOWN), set(KNOWN) - asked


main()
