#!/usr/bin/env python3
"""docker-registry and registryd serve the same directory in turn, and each reads what the other
wrote.
"""

import contextlib
import json
import pathlib

from harness import case, main, need
from registry import Registry
from registry_client import IMAGE, INDEX, Client, descriptor, digest

SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
OURS, THEIRS = "registryd", "docker-registry"
LAYER = b"layer" * 10000


@contextlib.contextmanager
def begin_with(program):
    need(THEIRS)
    with Registry(program=program, HTTP_SECRET="the same for both") as registry:
        yield Client(registry)


def go_on_with(server, program):
    server.registry.restart(program)
    server.local.connection = None


def assert_whole(server, name, reference, manifest, layers=(LAYER,)):
    """Checks that the image can be pulled: its manifest by this reference, and all of its blobs."""
    answer = server.get_manifest(name, reference)
    assert (answer.status, answer.body) == (200, manifest), answer
    assert answer.headers["Content-Type"] == json.loads(manifest)["mediaType"], answer
    for layer in layers:
        answer = server.call("GET", f"/v2/{name}/blobs/{digest(layer)}")
        assert answer.status == 200 and answer.body == layer, answer


def there_and_back(first, second):
    with begin_with(first) as server:
        one = server.push_image("a/b", "one", layers=[LAYER])
        half = server.patch(server.start("a/b"), LAYER[:20000]).location
        go_on_with(server, second)
        assert_whole(server, "a/b", "one", one)
        assert_whole(server, "a/b", digest(one), one)
        assert server.call("GET", "/v2/_catalog").json == {"repositories": ["a/b"]}
        two = server.push_image("a/b", "two", layers=[LAYER, b"another"])
        assert server.put_manifest("a/b", "one", two).status == 201
        server.push_image("c", "gone")
        assert server.call("DELETE", f"/v2/a/b/manifests/{digest(one)}").status == 202
        go_on_with(server, first)
        for tag in ("one", "two"):
            assert_whole(server, "a/b", tag, two, [LAYER, b"another"])
        assert server.get_manifest("a/b", digest(one)).status == 404
        assert sorted(server.call("GET", "/v2/a/b/tags/list").json["tags"]) == ["one", "two"]
        assert server.call("GET", "/v2/_catalog").json == {"repositories": ["a/b", "c"]}
        return half


@case("pushed to docker-registry, served and changed by registryd, served by docker-registry again")
def _():
    there_and_back(THEIRS, OURS)


@case("pushed to registryd, served and changed by docker-registry, served by registryd again")
def _():
    there_and_back(OURS, THEIRS)


@case("an upload that docker-registry began continues in registryd at the same offset")
def _():
    with begin_with(THEIRS) as server:
        location = server.patch(server.start("a"), LAYER[:20000]).location
        empty = server.start("a")
        go_on_with(server, OURS)
        answer = server.call("GET", location)
        assert (answer.status, answer.headers["Range"]) == (204, "0-19999"), answer
        answer = server.patch(answer.location, LAYER[20000:30000], Content_Range="20000-29999")
        assert answer.status == 202, answer
        assert server.finish(answer.location, digest(LAYER), LAYER[30000:]).status == 201
        assert server.call("GET", f"/v2/a/blobs/{digest(LAYER)}").body == LAYER
        assert server.finish(empty, digest(b"x"), b"x").status == 201


@case("referrers that were pushed to docker-registry are listed; those that it deleted are not")
def _():
    with begin_with(THEIRS) as server:
        image = server.push_image("a", "v")
        go_on_with(server, OURS)
        subject = descriptor(IMAGE, image)
        ours = server.push_image("a", "ours", layers=[b"1"], subject=subject)
        path = f"/v2/a/referrers/{subject['digest']}"
        assert ([item["digest"] for item in server.call("GET", path).json["manifests"]]
                == [digest(ours)])
        go_on_with(server, THEIRS)
        theirs = server.push_image("a", "theirs", layers=[b"2"], subject=subject)
        assert server.call("DELETE", f"/v2/a/manifests/{digest(ours)}").status == 202
        go_on_with(server, OURS)
        assert ([item["digest"] for item in server.call("GET", path).json["manifests"]]
                == [digest(theirs)])


@case("a manifest of schema 1 that docker-registry stored is served as it is stored, and "
      "skopeo converts it")
def _():
    need(THEIRS), need("skopeo")
    signed = (pathlib.Path(__file__).parent / "signed-schema-1.json").read_bytes().rstrip()
    layer = b"a layer of schema 1\n"
    with Registry(program=THEIRS, HTTP_SECRET="the same for both",
                  COMPATIBILITY_SCHEMA1_ENABLED="true") as registry:
        server = Client(registry)
        server.push_blob("old/image", layer)
        assert server.put_manifest("old/image", "v1", signed, SCHEMA_1 + "prettyjws").status == 201
        theirs = server.get_manifest("old/image", "v1")
        assert theirs.headers["Content-Type"] == SCHEMA_1 + "prettyjws", theirs
        payload = {name: value for name, value in theirs.json.items() if name != "signatures"}
        go_on_with(server, OURS)
        ours = server.get_manifest("old/image", "v1")
        assert (ours.status == 200 and ours.json == payload
                and ours.headers["Content-Type"] == SCHEMA_1 + "json"), ours
        assert (ours.headers["Docker-Content-Digest"] == theirs.headers["Docker-Content-Digest"]
                == digest(ours.body)), ours
        assert "skopeo copy --format v2s2" in ours.headers["Warning"], ours
        assert server.get_manifest("old/image", digest(ours.body)).body == ours.body
        assert server.put_manifest("old/image", "v2", signed, SCHEMA_1 + "prettyjws").status == 400
        assert server.call("GET", "/v2/old/image/tags/list").json["tags"] == ["v1"]
        assert blobs(server) == sorted([digest(layer), digest(ours.body)])
        collect(server, OURS)
        assert blobs(server) == sorted([digest(layer), digest(ours.body)])


def collect(server, program, *words):
    server.registry._stop()
    server.registry.program, was = (need(program) if program == THEIRS
                                    else server.registry.program), server.registry.program
    result = server.registry.run_program("garbage-collect", *words)
    server.registry.program = was
    assert result.returncode == 0, result
    server.registry._start()
    server.local.connection = None


def blobs(server):
    return sorted("sha256:" + path.parent.name
                  for path in (server.registry.dir / "data").glob(
                          "docker/registry/v2/blobs/sha256/*/*/data"))


@case("each program collects the other's data with the same result: only unreferenced "
      "blobs are removed")
def _():
    left = {}
    for server_program, collector in ((OURS, OURS), (OURS, THEIRS), (THEIRS, OURS)):
        with begin_with(server_program) as server:
            kept = server.push_image("a", "kept", layers=[LAYER])
            gone = server.push_image("a", "gone", layers=[b"only here"])
            server.push_blob("b", b"no manifest names this")
            if server_program == OURS:
                server.push_blob("b", b"nor this", "sha512")
            index = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                "manifests": [descriptor(IMAGE, kept)]}).encode()
            assert server.put_manifest("a", "index", index).status == 201
            assert server.call("DELETE", f"/v2/a/manifests/{digest(gone)}").status == 202
            collect(server, collector)
            assert_whole(server, "a", "kept", kept)
            assert_whole(server, "a", "index", index)
            left[server_program, collector] = blobs(server)
            for content in (gone, b"only here", b"no manifest names this", b"nor this"):
                assert digest(content) not in left[server_program, collector]
    assert len(set(map(tuple, left.values()))) == 1, left


@case("verify finds a flipped bit and a missing file beside a running server, and no fault in "
      "docker-registry's data")
def _():
    with begin_with(THEIRS) as server:
        server.push_image("a/b", "one", layers=[LAYER])
        go_on_with(server, OURS)
        result = server.registry.run_program("verify")
        assert result.returncode == 0 and "0 damaged, 0 missing" in result.stdout, result
        data = server.registry.dir / "data/docker/registry/v2/blobs/sha256" / digest(
            LAYER)[7:9] / digest(LAYER)[7:] / "data"
        data.write_bytes(b"m" + LAYER[1:])
        result = server.registry.run_program("verify")
        assert result.returncode == 1 and f"damaged: {digest(LAYER)}" in result.stdout, result
        data.unlink()
        result = server.registry.run_program("verify")
        assert (result.returncode == 1
                and f"missing: {digest(LAYER)}, a blob of a/b" in result.stdout), result
        assert server.finish(server.start("a/b"), digest(LAYER), LAYER).status == 201
        assert server.registry.run_program("verify").returncode == 0


@case("a collection while registryd serves the directory keeps new objects")
def _():
    with begin_with(OURS) as server:
        server.push_blob("b", b"no manifest names this")
        result = server.registry.run_program("garbage-collect")
        assert result.returncode == 0 and " 0 blobs and 0 manifests eligible" in result.stdout, (
            result)
        assert blobs(server) == [digest(b"no manifest names this")]


main()
