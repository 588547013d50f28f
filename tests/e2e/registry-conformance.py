#!/usr/bin/env python3
"""The life of every kind of object in a registry, as the OCI distribution specification defines it.

The other registry topics test the specification endpoint by endpoint; this one tests it by kind of
object. Blobs are pushed by every method and with both digest algorithms. Each kind of manifest is
pushed, listed, requested, pulled, referred to and deleted.
"""

import base64
import itertools
import json
import os
import urllib.parse

from harness import case, main
from registry_client import BYTES, CONFIG, EMPTY, IMAGE, INDEX, LAYER, descriptor, digest, shared

CHUNK = 1024
ALGORITHMS = ("sha256", "sha512")
TYPE_1, TYPE_2 = "application/vnd.example.one", "application/vnd.example.two"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"


# --- methods of pushing a blob --------------------------------------------------------------------


def begin(name):
    answer = shared().call("POST", f"/v2/{name}/blobs/uploads/")
    assert answer.status == 202, answer
    return answer.location


def with_digest(location, wanted):
    return location + ("&" if "?" in location else "?") + urllib.parse.urlencode({"digest": wanted})


def post_put(name, content, wanted):
    return shared().call("PUT", with_digest(begin(name), wanted), content, content_type=BYTES)


def post_only(name, content, wanted):
    return shared().call("POST", with_digest(f"/v2/{name}/blobs/uploads/", wanted), content,
                         content_type=BYTES)


def stream(name, content, wanted):
    pieces = (content[i:i + 300] for i in range(0, len(content), 300))
    answer = shared().patch(begin(name), pieces, Transfer_Encoding="chunked")
    assert answer.status == 202, answer
    return shared().call("PUT", with_digest(answer.location, wanted))


def send_chunk(location, content, first, last, wanted=None):
    """Sends bytes first to last by PATCH, or, if wanted is given, by the PUT that ends the upload.
    """
    headers = {"Content-Range": f"{first}-{last}"}
    method, target = ("PUT", with_digest(location, wanted)) if wanted else ("PATCH", location)
    return shared().call(method, target, content[first:last + 1], headers, content_type=BYTES)


def chunked(name, content, wanted, is_last_put=False, is_disordered=False):
    """Uploads in chunks; if is_disordered, a chunk that must be refused precedes each one."""
    location, last = begin(name), -1
    while last < len(content) - 1:
        if is_disordered:
            location = send_wrong_chunk(location, content, last, wanted if is_last_put else None)
        first, last = last + 1, min(last + CHUNK, len(content) - 1)
        ending = wanted if is_last_put and last == len(content) - 1 else None
        answer = send_chunk(location, content, first, last, ending)
        if ending:
            return answer
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{last}"), answer
        location = answer.location
    return shared().call("PUT", with_digest(location, wanted))


def send_wrong_chunk(location, content, last, wanted):
    """Sends a chunk with a gap or a chunk that starts again: both are 416. Returns the Location to
    continue with.
    """
    first = last + 1 + CHUNK
    first = first if first < len(content) else 0
    end = min(first + CHUNK - 1, len(content) - 1)
    answer = send_chunk(location, content, first, end, wanted if end == len(content) - 1 else None)
    assert answer.status == 416, answer
    answer = shared().call("GET", location)
    assert (answer.status, answer.headers["Range"]) == (204, f"0-{max(last, 0)}"), answer
    return answer.location


def chunked_put_last(name, content, wanted):
    return chunked(name, content, wanted, is_last_put=True)


def chunked_disordered(name, content, wanted):
    return chunked(name, content, wanted, is_disordered=True)


def chunked_disordered_put_last(name, content, wanted):
    return chunked(name, content, wanted, is_last_put=True, is_disordered=True)


WAYS = {
    "POST then PUT (end-4a, end-6)": post_put,
    "one POST (end-4b)": post_only,
    "streamed PATCH (end-5)": stream,
    "chunks (end-5)": chunked,
    "chunks, the last in the PUT (end-6)": chunked_put_last,
    "chunks, each after a refused one (end-5, end-13)": chunked_disordered,
    "chunks, each after a refused one, the last in the PUT": chunked_disordered_put_last,
}


# --- checks of a blob ---------------------------------------------------------------------


def assert_created(answer, wanted):
    """Checks for a 201 with the digest and a Location that can be pulled; returns the answer to
    that pull.
    """
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, wanted), answer
    answer = shared().call("GET", answer.location, headers={"Accept": f"{IMAGE}, {INDEX}"})
    assert answer.status == 200, answer
    return answer.body


def assert_blob(name, content, wanted):
    for method in ("HEAD", "GET"):
        answer = shared().call(method, f"/v2/{name}/blobs/{wanted}")
        assert answer.status == 200 and answer.body == (content if method == "GET" else b""), answer
        assert answer.headers["Content-Length"] == str(len(content)), answer
        assert answer.headers["Docker-Content-Digest"] == wanted, answer


def assert_blob_goes(name, wanted):
    assert shared().call("DELETE", f"/v2/{name}/blobs/{wanted}").status == 202
    assert shared().call("HEAD", f"/v2/{name}/blobs/{wanted}").status == 404


def check_way(way, content, algorithm):
    name, wanted = shared().new_name(), digest(content, algorithm)
    assert assert_created(way(name, content, wanted), wanted) == content
    assert_blob(name, content, wanted)
    assert_blob_goes(name, wanted)


def check_wrong_digest(way, algorithm):
    """A push with a wrong digest is refused, and no blob exists under either digest."""
    name, content = shared().new_name(), os.urandom(3 * CHUNK - 5)
    wanted = digest(content, algorithm)
    answer = way(name, content + b"oh no", wanted)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID"), answer
    for gone in (wanted, digest(content + b"oh no", algorithm)):
        assert shared().call("HEAD", f"/v2/{name}/blobs/{gone}").status == 404


for (_title, _way), _algorithm in itertools.product(WAYS.items(), ALGORITHMS):
    _contents = {"512 bytes": os.urandom(512), "three chunks": os.urandom(3 * CHUNK - 5),
                 "nothing": b"", "{}": b"{}"}
    if "refused" in _title:
        _contents = {"three chunks": _contents["three chunks"]}
    for _what, _content in _contents.items():
        case(f"a blob of {_what} by {_title}, {_algorithm}")(
            lambda way=_way, content=_content,
            algorithm=_algorithm: check_way(way, content, algorithm))
    if "refused" not in _title:
        case(f"a blob that does not match its digest by {_title}, {_algorithm}")(
            lambda way=_way, algorithm=_algorithm: check_wrong_digest(way, algorithm))


def mount(name, wanted, source=None):
    query = urllib.parse.urlencode({"mount": wanted, **({"from": source} if source else {})})
    return shared().call("POST", f"/v2/{name}/blobs/uploads/?{query}")


for _algorithm in ALGORITHMS:
    @case("a mounted blob, with and without `from`, also stays in its first repository "
          f"(end-11), {_algorithm}")
    def _(algorithm=_algorithm):
        for is_named in (True, False):
            source, name, content = shared().new_name(), shared().new_name(), os.urandom(512)
            wanted = digest(content, algorithm)
            assert post_put(source, content, wanted).status == 201
            assert (assert_created(mount(name, wanted, source if is_named else None), wanted)
                    == content)
            assert_blob(name, content, wanted)
            assert_blob_goes(name, wanted)
            assert_blob(source, content, wanted)

    @case(f"a mount of a missing blob opens an upload (end-11), {_algorithm}")
    def _(algorithm=_algorithm):
        name, content = shared().new_name(), os.urandom(512)
        answer = mount(name, digest(content, algorithm), shared().new_name())
        assert answer.status == 202, answer
        answer = shared().call("PUT", with_digest(answer.location, digest(content, algorithm)),
                               content, content_type=BYTES)
        assert assert_created(answer, digest(content, algorithm)) == content


# --- manifests and their references ---------------------------------------------------------------


class Contents:
    """Blobs and manifests that belong together, made in memory."""

    def __init__(self, algorithm="sha256"):
        self.algorithm = algorithm
        self.blobs, self.manifests, self.tags, self.referrers = {}, {}, {}, {}

    def blob(self, media_type, content, **more):
        self.blobs[digest(content, self.algorithm)] = content
        return descriptor(media_type, content, self.algorithm, **more)

    def add(self, media_type, tag=None, subject=None, artifact_type=None, annotations=None,
            **fields):
        """Adds a manifest with these fields; returns its descriptor."""
        manifest = {"schemaVersion": 2, "mediaType": media_type,
                    **({"subject": subject} if subject else {}),
                    **({"artifactType": artifact_type} if artifact_type else {}),
                    **({"annotations": annotations} if annotations else {}), **fields}
        body = json.dumps(manifest).encode()
        self.manifests[digest(body, self.algorithm)] = body
        one = descriptor(media_type, body, self.algorithm)
        if tag:
            self.tags[tag] = one["digest"]
        if subject:
            kind = artifact_type or manifest.get("config", {}).get("mediaType")
            self.referrers.setdefault(subject["digest"], []).append(
                {**one, **({"artifactType": kind} if kind else {}),
                 **({"annotations": annotations} if annotations else {})})
        return one

    def image(self, layers=2, has_data=False, **more):
        def described(media_type, content):
            return self.blob(media_type, content,
                             **({"data": base64.b64encode(content).decode()} if has_data else {}))
        config = json.dumps({"architecture": "amd64", "os": "linux",
                             "made": os.urandom(8).hex()}).encode()
        return self.add(IMAGE, config=described(CONFIG, config),
                        layers=[described(LAYER, os.urandom(100)) for _ in range(layers)], **more)

    def artifact(self, layers=None, **more):
        layers = layers or [self.blob(TYPE_1, os.urandom(2048))]
        return self.add(IMAGE, config=self.blob(EMPTY, b"{}"), layers=layers,
                        **{"artifact_type": TYPE_1, **more})

    def index(self, children=None, **more):
        children = [self.image(), self.image()] if children is None else children
        return self.add(INDEX, manifests=children, **more)


def an_image(made):
    made.image(tag="image")


def a_large_manifest(made):
    made.image(tag="large", annotations={f"large-{i}": "A" * 10000 for i in range(390)})


def an_index(made):
    made.index(tag="index")


def an_index_of_indexes(made):
    made.index([made.index(), made.index()], tag="index")


def an_empty_index(made):
    made.index([], tag="index")


def an_artifact(made):
    made.artifact(tag="artifact")


def an_artifact_without_layers(made):
    made.artifact(layers=[made.blob(EMPTY, b"{}")], tag="artifact")


def an_index_of_artifacts(made):
    made.index([made.artifact(), made.artifact()], artifact_type=TYPE_1, tag="artifact")


def artifacts_with_a_subject(made):
    subject = made.image(tag="image")
    made.image(subject=subject)
    for number, kind in enumerate((TYPE_1, TYPE_1, TYPE_2)):
        made.artifact(subject=subject, artifact_type=kind,
                      annotations={"org.example.number": str(number)}, tag=f"tag{number}")


def an_index_with_a_subject(made):
    subject = made.index(tag="index")
    made.index(subject=subject, artifact_type=TYPE_1, annotations={"org.example.a": "b"},
               tag="artifact")
    made.index(subject=subject)


def a_subject_that_is_not_there(made):
    made.artifact(subject=descriptor(IMAGE, b"not pushed", made.algorithm), tag="artifact")


def descriptors_with_data(made):
    made.image(has_data=True, tag="data")


def layers_that_are_not_distributed(made):
    absent = [{**descriptor(kind, os.urandom(9), made.algorithm),
               "urls": ["https://store.example.com/x"]}
              for kind in (FOREIGN, FOREIGN + "+gzip")]
    made.add(IMAGE, config=made.blob(CONFIG, b'{"os":"linux"}'),
             layers=[*absent, made.blob(LAYER, b"normal")], tag="foreign")


def fields_that_the_specification_does_not_know(made):
    made.index([made.image(org_example={"a": [1, None]}), made.image(x="y")], org_example="z",
               tag="fields")


def an_image_without_layers(made):
    made.image(layers=0, tag="none")


KINDS = (an_image, a_large_manifest, an_index, an_index_of_indexes, an_empty_index, an_artifact,
         an_artifact_without_layers,
         an_index_of_artifacts, artifacts_with_a_subject, an_index_with_a_subject,
         a_subject_that_is_not_there,
         descriptors_with_data, layers_that_are_not_distributed,
         fields_that_the_specification_does_not_know,
         an_image_without_layers)


def put(name, reference, body, wanted, query=""):
    answer = shared().put_manifest(name, reference, body, query=query)
    assert assert_created(answer, wanted) == body
    subject = json.loads(body).get("subject")
    assert answer.headers["OCI-Subject"] == (subject and subject["digest"]), answer
    return answer


def push(name, made, is_by_parameter):
    """Pushes blobs, manifests by digest, and tags: each tag by a request, or as a parameter of its
    manifest (end-7b).
    """
    for (wanted, content), way in zip(made.blobs.items(),
                                      itertools.cycle((post_put, post_only, stream, chunked))):
        assert way(name, content, wanted).status == 201
    for wanted, body in made.manifests.items():
        tags = [tag for tag, named in made.tags.items()
                if named == wanted] if is_by_parameter else []
        answer = put(name, wanted, body, wanted,
                     "?" + urllib.parse.urlencode([("tag", tag) for tag in tags]) if tags else "")
        assert sorted(answer.headers.get_all("OCI-Tag", [])) == sorted(tags), answer
    for tag, wanted in {} if is_by_parameter else made.tags.items():
        put(name, tag, made.manifests[wanted], wanted)


def assert_whole(name, made):
    answer = shared().call("GET", f"/v2/{name}/tags/list")
    assert answer.status == 200 and answer.json["tags"] == sorted(made.tags), answer
    for reference, wanted in [*made.tags.items(), *((one, one) for one in made.manifests)]:
        body = made.manifests[wanted]
        for method in ("HEAD", "GET"):
            answer = shared().get_manifest(name, reference, method)
            assert answer.status == 200 and answer.body == (body if method == "GET" else b""), (
                answer)
            assert answer.headers["Content-Type"] == json.loads(body)["mediaType"], answer
            assert answer.headers["Content-Length"] == str(len(body)), answer
            assert answer.headers["Docker-Content-Digest"] == wanted, (reference, answer)
    for wanted, content in made.blobs.items():
        assert_blob(name, content, wanted)


def in_order(descriptors):
    return sorted(descriptors, key=lambda one: one["digest"])


def read_referrers(path, check):
    """The descriptors of all pages: on a slow machine a page may end before the list does."""
    found = []
    while path:
        answer = shared().call("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, INDEX), answer
        assert (answer.json["schemaVersion"], answer.json["mediaType"]) == (2, INDEX), answer
        check(answer)
        found += answer.json["manifests"]
        link = answer.headers.get("Link")
        path = link and link[1:link.index(">")]
    return in_order(found)


def assert_filtered(answer):
    assert answer.headers["OCI-Filters-Applied"] == "artifactType", answer


def assert_referrers(name, made):
    for subject, goal in made.referrers.items():
        path = f"/v2/{name}/referrers/{subject}"
        assert read_referrers(path, lambda answer: None) == in_order(goal), goal
        for kind in {one["artifactType"] for one in goal if "artifactType" in one}:
            found = read_referrers(path + "?" + urllib.parse.urlencode({"artifactType": kind}),
                                   assert_filtered)
            assert found == in_order(one for one in goal if one.get("artifactType") == kind), kind


def assert_all_goes(name, made):
    for reference in [*made.tags, *reversed(made.manifests)]:
        assert shared().call("DELETE", f"/v2/{name}/manifests/{reference}").status == 202, reference
        assert shared().get_manifest(name, reference, "HEAD").status == 404, reference
    for subject in made.referrers:
        assert shared().call("GET", f"/v2/{name}/referrers/{subject}").json["manifests"] == []
    for wanted in made.blobs:
        assert_blob_goes(name, wanted)


def live(kind, algorithm, is_by_parameter):
    name, made = shared().new_name(), Contents(algorithm)
    kind(made)
    push(name, made, is_by_parameter)
    assert_whole(name, made)
    assert_referrers(name, made)
    assert_all_goes(name, made)


for _kind in KINDS:
    _title = _kind.__name__.replace("_", " ")
    case(f"{_title}: pushed, listed, pulled, referred to, deleted")(
        lambda kind=_kind: live(kind, "sha256", False))
    for _algorithm in ALGORITHMS:
        case(f"{_title}, tagged while it is pushed (end-7b), {_algorithm}")(
            lambda kind=_kind, algorithm=_algorithm: live(kind, algorithm, True))


@case("a manifest that does not match its digest is 400, for both algorithms")
def _():
    for algorithm in ALGORITHMS:
        name, made = shared().new_name(), Contents(algorithm)
        wanted = made.image()["digest"]
        for one, content in made.blobs.items():
            assert post_put(name, content, one).status == 201
        answer = shared().put_manifest(name, wanted, made.manifests[wanted] + b"  ")
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID"), answer
        assert shared().get_manifest(name, wanted).status == 404


main()
