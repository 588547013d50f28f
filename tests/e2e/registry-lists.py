#!/usr/bin/env python3
"""Lists: tags (end-8) and referrers (end-12) of the OCI distribution specification 1.1, and
registry:2's catalog.
"""

import json
import re
import urllib.parse

from harness import case, main
from registry_client import EMPTY, IMAGE, INDEX, descriptor, digest, serve, shared


def next_page(answer):
    """Returns the target of the Link header (RFC 8288), or None."""
    link = answer.headers["Link"]
    return link and re.fullmatch('<([^>]+)>; rel="next"', link)[1]


def pages(path, key):
    """Returns all items of a list, page by page."""
    server, found = shared(), []
    while path:
        answer = server.call("GET", path)
        assert answer.status == 200, answer
        found.append(answer.json[key])
        path = next_page(answer)
    return found


def tagged(tags):
    server = shared()
    name = server.new_name()
    image = server.make_image(name)
    for tag in tags:
        assert server.put_manifest(name, tag, image).status == 201
    return name


# --- end-8 --------------------------------------------------------------------------------------


@case("end-8a: all tags, sorted, with the repository's name")
def _():
    tags = ["v1", "a", "C", "v10", "b", "_x", "1.0", "v1.0-rc.1"]
    name = tagged(tags)
    answer = shared().call("GET", f"/v2/{name}/tags/list")
    assert answer.status == 200 and answer.json == {"name": name, "tags": sorted(tags)}, answer
    assert (answer.headers["Content-Type"].startswith("application/json")
            and not answer.headers["Link"])


@case("end-8b: pages of n tags, Link to the next page, exclusive last; also with only "
      "n or only last")
def _():
    tags = sorted(f"t{i}" for i in range(7))
    name = tagged(tags)
    path = f"/v2/{name}/tags/list"
    assert pages(path + "?n=3", "tags") == [tags[:3], tags[3:6], tags[6:]]
    assert pages(path + "?n=7", "tags") == [tags]
    assert pages(path + "?n=100", "tags") == [tags]
    assert pages(path + "?n=2&last=t4", "tags") == [tags[5:]]
    assert pages(path + "?last=t4", "tags") == [tags[5:]]
    assert pages(path + "?last=t4x", "tags") == [tags[5:]]
    assert pages(path + "?last=z", "tags") == [[]]


@case("end-8b: n=0 is an empty list without Link; an invalid number is 400 "
      "PAGINATION_NUMBER_INVALID")
def _():
    name = tagged(["a"])
    answer = shared().call("GET", f"/v2/{name}/tags/list?n=0")
    assert answer.json["tags"] == [] and not answer.headers["Link"], answer
    for value in ("x", "-1", "1.5", "", "99999999999999999999999"):
        answer = shared().call("GET", f"/v2/{name}/tags/list?n={value}")
        assert (answer.status, answer.code) == (400, "PAGINATION_NUMBER_INVALID"), (value, answer)


@case("end-8a: an unknown repository is 404 NAME_UNKNOWN")
def _():
    answer = shared().call("GET", "/v2/no/such/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN"), answer
    assert answer.json["errors"][0]["detail"] == {"name": "no/such"}


@case("tags.maxtags limits a page of tags, and Link leads to the next one")
def _():
    with serve(TAGS_MAXTAGS=2) as server:
        image = server.make_image("a")
        for tag in ("x", "y", "z"):
            assert server.put_manifest("a", tag, image).status == 201
        first = server.call("GET", "/v2/a/tags/list")
        assert first.json["tags"] == ["x", "y"]
        assert server.call("GET", next_page(first)).json["tags"] == ["z"]
        refused = server.call("GET", "/v2/a/tags/list?n=3")
        assert (refused.status, refused.code) == (400, "PAGINATION_NUMBER_INVALID")


# --- the catalog ----------------------------------------------------------------------------------


@case("the catalog lists each repository once, also nested ones, and is paginated")
def _():
    with serve() as server:
        names = ["a", "a/b", "a-b", "a.b/c", "a/b/c/d", "z", "b/x"]
        for name in names:
            server.push_image(name, "v")
        found, path = [], "/v2/_catalog?n=2"
        while path:
            answer = server.call("GET", path)
            assert len(answer.json["repositories"]) <= 2, answer
            found += answer.json["repositories"]
            path = next_page(answer)
        assert sorted(found) == sorted(names) and len(found) == len(names), found
        assert server.call("GET", "/v2/_catalog").json["repositories"] == found
        assert server.call("GET", "/v2/_catalog?n=0").json == {"repositories": []}
        for value in ("x", "-1", "1001"):
            answer = server.call("GET", f"/v2/_catalog?n={value}")
            assert (answer.status, answer.code) == (400, "PAGINATION_NUMBER_INVALID"), (
                value, answer)


@case("an empty registry has an empty catalog, and catalog.maxentries limits a page")
def _():
    with serve(CATALOG_MAXENTRIES="2") as server:
        assert server.call("GET", "/v2/_catalog").json == {"repositories": []}
        for name in "abc":
            server.push_image(name, "v")
        assert server.call("GET", "/v2/_catalog").json["repositories"] == ["a", "b"]
        assert server.call("GET", "/v2/_catalog?n=3").status == 400


# --- end-12 ---------------------------------------------------------------------------------------


def artifact(name, subject, artifact_type=None, config_type=EMPTY, **more):
    """Pushes an image manifest about the subject; returns how the list should describe it."""
    server = shared()
    server.push_blob(name, b"{}")
    manifest = {"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(config_type, b"{}"),
                "layers": [descriptor(EMPTY, b"{}")], "subject": subject, **more}
    if artifact_type:
        manifest["artifactType"] = artifact_type
    body = json.dumps(manifest).encode()
    answer = server.put_manifest(name, digest(body), body)
    assert answer.status == 201 and answer.headers["OCI-Subject"] == subject["digest"], answer
    expected = descriptor(IMAGE, body, artifactType=artifact_type or config_type)
    return {**expected, "annotations": more["annotations"]} if "annotations" in more else expected


def referrers(name, subject, query=""):
    answer = shared().call("GET", f"/v2/{name}/referrers/{subject}{query}")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == INDEX, answer
    index = answer.json
    assert index["schemaVersion"] == 2 and index["mediaType"] == INDEX, answer
    return answer, index["manifests"]


def by_digest(items):
    return sorted(items, key=lambda item: item["digest"])


@case("end-12a: an unknown digest has an empty index of referrers; an invalid digest is 400")
def _():
    for name in ("no/such", tagged(["v"])):
        assert referrers(name, digest(b"unknown"))[1] == []
    for wrong in ("sha256:x", "nonsense", "md5:" + "0" * 32):
        answer = shared().call("GET", f"/v2/a/referrers/{wrong}")
        assert (answer.status, answer.code) in ((400, "DIGEST_INVALID"), ), (wrong, answer)


@case("end-12a: descriptors with size, artifactType (or the config's type) and annotations; also "
      "before the subject exists")
def _():
    server = shared()
    name = server.new_name()
    image = server.make_image(name)
    subject = descriptor(IMAGE, image)
    expected = [artifact(name, subject, "application/x.signature",
                         annotations={"key": "wert \u00fc <&>"}),
                artifact(name, subject, None, "application/x.config"),
                artifact(name, subject, "application/x.sbom", layers=[])]
    assert server.put_manifest(name, "v", image).status == 201
    expected.append(artifact(name, subject, "application/x.late"))
    assert by_digest(referrers(name, subject["digest"])[1]) == by_digest(expected)
    assert referrers(name, expected[0]["digest"])[1] == []


@case("end-12a: an index may be a referrer; its artifactType is its own or missing")
def _():
    server = shared()
    name = server.new_name()
    subject = descriptor(IMAGE, b"somewhere")
    expected = []
    for more in ({}, {"artifactType": "application/x.index"}):
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [],
                           "subject": subject, **more}).encode()
        assert server.put_manifest(name, digest(body), body).status == 201
        expected.append(descriptor(INDEX, body, **more))
    assert by_digest(referrers(name, subject["digest"])[1]) == by_digest(expected)


@case("end-12b: filtering by artifactType is confirmed in OCI-Filters-Applied")
def _():
    name = shared().new_name()
    subject = descriptor(IMAGE, b"filtered")
    wanted = [artifact(name, subject, "application/x.a+json", annotations={"n": str(i)})
              for i in range(2)]
    artifact(name, subject, "application/x.b")
    answer, found = referrers(name, subject["digest"], "?artifactType=application/x.a%2Bjson")
    assert by_digest(found) == by_digest(wanted), found
    assert answer.headers["OCI-Filters-Applied"] == "artifactType", answer
    assert referrers(name, subject["digest"], "?artifactType=application/none")[1] == []
    assert "OCI-Filters-Applied" not in referrers(name, subject["digest"])[0].headers


@case("end-12a: pages by Link, also with a filter, list each referrer once")
def _():
    name = shared().new_name()
    subject = descriptor(IMAGE, b"paged")
    for i in range(7):
        artifact(name, subject, "application/x.even" if i % 2 == 0 else "application/x.odd",
                 annotations={"n": str(i)})
    for query, count in (("?n=2", 7),
                         ("?n=2&" + urllib.parse.urlencode({"artifactType": "application/x.even"}),
                          4)):
        path, found = f"/v2/{name}/referrers/{subject['digest']}{query}", []
        while path:
            answer = shared().call("GET", path)
            assert len(answer.json["manifests"]) <= 2, answer
            found += [item["digest"] for item in answer.json["manifests"]]
            path = next_page(answer)
        assert len(found) == len(set(found)) == count, found


@case("end-12a: a deleted referrer disappears from the list")
def _():
    name = shared().new_name()
    subject = descriptor(IMAGE, b"deleted")
    kept, gone = artifact(name, subject,
                          "application/x.kept"), artifact(name, subject, "application/x.gone")
    assert shared().call("DELETE", f"/v2/{name}/manifests/{gone['digest']}").status == 202
    assert referrers(name, subject["digest"])[1] == [kept]


@case("end-12a: referrers that older clients list under the tag sha256-<hex> are merged in, once")
def _():
    server = shared()
    name = server.new_name()
    subject = descriptor(IMAGE, server.push_image(name, "v"))
    listed = artifact(name, descriptor(IMAGE, b"another"), "application/x.listed")
    both = artifact(name, subject, "application/x.both")
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed, both]}
    assert server.put_manifest(name, subject["digest"].replace(":", "-"), index).status == 201
    assert by_digest(referrers(name, subject["digest"])[1]) == by_digest([listed, both])


@case("end-12a: a subject with a sha512 digest has referrers, too")
def _():
    name = shared().new_name()
    subject = descriptor(IMAGE, b"by sha512", "sha512")
    expected = artifact(name, subject, "application/x.a")
    assert referrers(name, subject["digest"])[1] == [expected]


main()
