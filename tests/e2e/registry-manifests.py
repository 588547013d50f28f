#!/usr/bin/env python3
"""Pushing and deleting manifests: end-7 and end-9 of the OCI distribution specification 1.1."""

import json

from harness import case, main
from registry_client import (CONFIG, DOCKER_IMAGE, DOCKER_LIST, IMAGE, INDEX, LAYER, descriptor,
                             digest, serve, shared)


def index_of(manifests, media_type=INDEX, **more):
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests,
                       **more}).encode()


def assert_refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer


@case("end-7a: a push by tag and by digest is 201 with Location and digest; the bytes are "
      "stored unchanged")
def _():
    server = shared()
    name = server.new_name()
    manifest = json.dumps(json.loads(server.make_image(name)), indent=3).encode() + b"\n\n"
    for reference in ("v1", digest(manifest)):
        answer = server.put_manifest(name, reference, manifest)
        assert answer.status == 201, answer
        assert answer.location.endswith(f"/v2/{name}/manifests/{digest(manifest)}"), answer
        assert answer.headers["Docker-Content-Digest"] == digest(manifest), answer
        assert "OCI-Subject" not in answer.headers
        assert server.get_manifest(name, reference).body == manifest


@case("end-7a: all media types that clients push are served with the same type: images, indexes, "
      "docker's types")
def _():
    server = shared()
    name = server.new_name()
    image = server.make_image(name)
    docker = json.loads(image)
    docker["mediaType"] = DOCKER_IMAGE
    docker = json.dumps(docker).encode()
    bare = json.loads(image)
    del bare["mediaType"]
    bare = json.dumps(bare).encode()
    for manifest, media_type in ((image, IMAGE), (docker, DOCKER_IMAGE), (bare, IMAGE)):
        assert server.put_manifest(name, "t", manifest, media_type).status == 201
        assert server.get_manifest(name, "t").headers["Content-Type"] == media_type
    for media_type, child, child_type in ((INDEX, image, IMAGE),
                                          (DOCKER_LIST, docker, DOCKER_IMAGE)):
        index = index_of([descriptor(child_type, child,
                                     platform={"os": "linux", "architecture": "amd64"})],
                         media_type)
        assert server.put_manifest(name, "i", index, media_type).status == 201
        answer = server.get_manifest(name, "i")
        assert (answer.headers["Content-Type"], answer.body) == (media_type, index), answer
    nested = index_of([descriptor(INDEX, index_of([descriptor(IMAGE, image)]))])
    assert server.put_manifest(name, "inner", index_of([descriptor(IMAGE, image)])).status == 201
    assert server.put_manifest(name, "nested", nested).status == 201


@case("end-7a: parameters of a Content-Type are dropped")
def _():
    server = shared()
    name = server.new_name()
    image = server.make_image(name)
    assert server.put_manifest(name, "t", image, IMAGE + "; charset=utf-8").status == 201
    assert server.get_manifest(name, "t").headers["Content-Type"] == IMAGE


@case("end-7a: a digest that does not match the bytes is 400 DIGEST_INVALID")
def _():
    server = shared()
    name = server.new_name()
    image = server.make_image(name)
    assert_refused(server.put_manifest(name, digest(b"other"), image), 400, "DIGEST_INVALID")
    assert_refused(server.put_manifest(name, "sha256:baddigeststring", image), 400,
                   "DIGEST_INVALID")
    assert server.get_manifest(name, digest(image)).status == 404


@case("end-7a: an invalid manifest is 400 MANIFEST_INVALID, and nothing is stored")
def _():
    server = shared()
    name = server.new_name()
    image = json.loads(server.make_image(name))
    both = {**image, "manifests": []}
    deep = (b'{"schemaVersion":2,"mediaType":"' + IMAGE.encode() + b'","config":' + b"[" * 10000
            + b"]" * 10000 + b"}")
    wrong_size = json.loads(json.dumps(image))
    wrong_size["config"]["size"] = -1
    wrong_digest = json.loads(json.dumps(image))
    wrong_digest["layers"][0]["digest"] = "sha256:x"
    for body, media_type in ((b"{", IMAGE), (b"", IMAGE), (b"[]", IMAGE), (b"null", IMAGE),
                             (json.dumps(image).encode(), INDEX),
                             (json.dumps(image).encode(), "text/plain"),
                             (json.dumps(both).encode(), IMAGE), (deep, IMAGE),
                             (json.dumps(wrong_size).encode(), IMAGE),
                             (json.dumps(wrong_digest).encode(), IMAGE),
                             (b'{"schemaVersion":1,"name":"a"}',
                              "application/vnd.docker.distribution.manifest.v1+json")):
        assert_refused(server.put_manifest(name, "bad", body, media_type), 400, "MANIFEST_INVALID")
    assert server.get_manifest(name, "bad").status == 404


@case("end-7a: references to missing blobs and manifests are 400 MANIFEST_BLOB_UNKNOWN")
def _():
    server = shared()
    name = server.new_name()
    image = json.loads(server.make_image(name))
    image["layers"].append(descriptor(LAYER, b"never pushed"))
    answer = server.put_manifest(name, "bad", image)
    assert_refused(answer, 400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json["errors"][0]["detail"] == digest(b"never pushed")
    assert_refused(server.put_manifest(name, "bad", index_of([descriptor(IMAGE, b"never")])), 400,
                   "MANIFEST_BLOB_UNKNOWN")
    # A blob of another repository counts as missing.
    assert_refused(server.put_manifest(server.new_name(), "bad", server.make_image(name)), 400,
                   "MANIFEST_BLOB_UNKNOWN")


@case("end-7a: non-distributable and foreign layers may be missing")
def _():
    server = shared()
    name = server.new_name()
    image = json.loads(server.make_image(name))
    for media_type in ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                       "application/vnd.oci.image.layer.nondistributable.v1.tar",
                       "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"):
        image["layers"] = [descriptor(media_type, b"elsewhere", urls=["https://example.com/layer"])]
        assert server.put_manifest(name, "foreign", image).status == 201, media_type


@case("end-7a: a manifest of 4 MiB is accepted, a larger one is 413")
def _():
    server = shared()
    name = server.new_name()
    image = json.loads(server.make_image(name))
    image["annotations"] = {"filler": ""}
    size = len(json.dumps(image))
    image["annotations"]["filler"] = "x" * ((4 << 20) - size)
    body = json.dumps(image).encode()
    assert len(body) == 4 << 20
    assert server.put_manifest(name, "large", body).status == 201
    assert server.get_manifest(name, "large").body == body
    image["annotations"]["filler"] += "x"
    assert_refused(server.put_manifest(name, "larger", image), 413, "MANIFEST_INVALID")


@case("end-7a: a missing subject is accepted, and returned in OCI-Subject")
def _():
    server = shared()
    name = server.new_name()
    subject = descriptor(IMAGE, b"not there yet")
    answer = server.put_manifest(name, "s", server.make_image(name, subject=subject))
    assert (answer.status, answer.headers["OCI-Subject"]) == (201, subject["digest"]), answer
    index = index_of([], subject=subject)
    answer = server.put_manifest(name, "i", index)
    assert (answer.status, answer.headers["OCI-Subject"]) == (201, subject["digest"]), answer


@case("end-7b: a push by digest with tags returns each tag in OCI-Tag, and each tag leads "
      "to the manifest")
def _():
    server = shared()
    name = server.new_name()
    image = server.make_image(name)
    tags = [f"t{i}" for i in range(12)]
    answer = server.put_manifest(name, digest(image), image,
                                 query="?" + "&".join(f"tag={tag}" for tag in tags))
    assert answer.status == 201 and answer.headers.get_all("OCI-Tag") == tags, answer
    for tag in tags:
        assert server.get_manifest(name, tag).headers["Docker-Content-Digest"] == digest(image)
    assert server.put_manifest(name, digest(image), image, query="?tag=.bad").status == 400
    too_many = "&".join(f"tag=x{i}" for i in range(101))
    assert server.put_manifest(name, digest(image), image, query="?" + too_many).status == 414


@case("sha512: a manifest pushed by a sha512 digest can be pulled by digest and by tag, both "
      "with that digest")
def _():
    server = shared()
    name = server.new_name()
    image = server.make_image(name, algorithm="sha512")
    wanted = digest(image, "sha512")
    answer = server.put_manifest(name, wanted, image, query="?tag=v1")
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, wanted), answer
    for reference in (wanted, "v1"):
        for method in ("GET", "HEAD"):
            answer = server.get_manifest(name, reference, method)
            assert (answer.status, answer.headers["Docker-Content-Digest"]) == (200, wanted), answer
    assert server.call("DELETE", f"/v2/{name}/manifests/{wanted}").status == 202
    for reference in (wanted, "v1"):
        assert server.get_manifest(name, reference).status == 404


@case("a tag names the manifest that was pushed last; the earlier one can be pulled by digest")
def _():
    server = shared()
    name = server.new_name()
    first, second = server.push_image(name, "v",
                                      layers=[b"1"]), server.push_image(name, "v", layers=[b"2"])
    assert server.get_manifest(name, "v").body == second
    assert server.get_manifest(name, digest(first)).body == first


@case("end-9: a deleted tag is 404 and its manifest stays; deleting a manifest deletes its tags")
def _():
    server = shared()
    name = server.new_name()
    image = server.push_image(name, "a")
    for tag in ("b", "c"):
        assert server.put_manifest(name, tag, image).status == 201
    assert server.call("DELETE", f"/v2/{name}/manifests/a").status == 202
    assert_refused(server.get_manifest(name, "a"), 404, "MANIFEST_UNKNOWN")
    assert server.get_manifest(name, "b").status == 200
    assert server.call("DELETE", f"/v2/{name}/manifests/{digest(image)}").status == 202
    for reference in ("b", "c", digest(image)):
        assert_refused(server.get_manifest(name, reference), 404, "MANIFEST_UNKNOWN")
        assert_refused(server.call("DELETE", f"/v2/{name}/manifests/{reference}"), 404,
                       "MANIFEST_UNKNOWN")
    assert server.call("GET", f"/v2/{name}/tags/list").json["tags"] == []
    assert server.put_manifest(name, "b", image).status == 201


@case("end-9: with deletes disabled, deleting a manifest or a tag is 405 UNSUPPORTED")
def _():
    with serve(STORAGE_DELETE_ENABLED="no") as server:
        image = server.push_image("a", "v")
        for reference in ("v", digest(image)):
            assert_refused(server.call("DELETE", f"/v2/a/manifests/{reference}"), 405,
                           "UNSUPPORTED")


main()
