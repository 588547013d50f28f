#!/usr/bin/env python3
"""Bit rot on the disk: registryd never serves damaged bytes as valid, and `registryd verify` finds
them.
"""

import http.client
import random

from harness import case, main
from registry import Registry
from registry_client import Client, digest

BIG = random.Random(1).randbytes(300_000)


def file_of(registry, name):
    hex_ = name.partition(":")[2]
    return registry.dir / f"data/docker/registry/v2/blobs/sha256/{hex_[:2]}/{hex_}/data"


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


def pull(registry, path):
    """Returns the whole body, or None if it was cut off or refused."""
    client = Client(registry, tries=1)
    try:
        answer = client.call("GET", path)
    except (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionError, OSError):
        return None
    if answer.status == 200:
        return answer.body
    assert (answer.status, answer.code) == (500, "UNKNOWN"), answer
    return None


DAMAGE = {
    "a flipped bit at the start": lambda content: flipped(content, 0),
    "a flipped bit at the end": lambda content: flipped(content, len(content) - 1),
    "a flipped bit in the middle": lambda content: flipped(content, len(content) // 2),
    "a byte less": lambda content: content[:-1],
    "a byte more": lambda content: content + b"x",
    "nothing": lambda content: b"",
}


def replace(path, content):
    """Puts another file in its place, as restoring a backup does."""
    path.rename(path.with_name("old"))
    path.write_bytes(content)
    path.with_name("old").unlink()


@case("a damaged blob is never sent whole, and is served again after a repair")
def _():
    with Registry() as registry:
        client = Client(registry)
        for content in (b"small", BIG):
            name = client.push_blob("a/b", content)
            path, url = file_of(registry, name), f"/v2/a/b/blobs/{name}"
            for what, damage in DAMAGE.items():
                replace(path, damage(content))
                assert pull(registry, url) is None, (len(content), what)
                replace(path, content)
                # The first time it is hashed, the second time the result is cached
                for _ in range(2):
                    assert pull(registry, url) == content, what
        log = registry.log.read_text()
        assert f"the blob {digest(BIG)} is damaged" in log, log[-500:]


@case("a damaged manifest is refused by digest and by tag; lists omit it; it can be deleted "
      "and pushed again")
def _():
    with Registry() as registry:
        client = Client(registry)
        subject = client.push_image("a/b", "t")
        descriptor = {"mediaType": "application/vnd.oci.image.manifest.v1+json",
                      "digest": digest(subject), "size": len(subject)}
        one, two = (client.make_image("a/b", subject=descriptor, annotations={"n": str(n)})
                    for n in range(2))
        for manifest in (one, two):
            assert client.put_manifest("a/b", digest(manifest), manifest).status == 201
        path = file_of(registry, digest(one))
        for what, damage in DAMAGE.items():
            path.write_bytes(damage(one))
            answer = client.get_manifest("a/b", digest(one))
            assert (answer.status, answer.code) == (500, "UNKNOWN"), (what, answer)
            listed = client.call("GET", f"/v2/a/b/referrers/{digest(subject)}").json["manifests"]
            assert [item["digest"] for item in listed] == [digest(two)], what
        assert "is damaged" in registry.log.read_text()
        result = registry.run_program("garbage-collect", "-m")
        assert (result.returncode == 1 and digest(one) in result.stderr
                and "nothing was removed" in result.stderr), result
        assert client.put_manifest("a/b", digest(one), one).status == 201
        assert client.get_manifest("a/b", digest(one)).body == one
        path.write_bytes(b"")
        assert client.call("DELETE", f"/v2/a/b/manifests/{digest(one)}").status == 202
        assert client.get_manifest("a/b", digest(one)).status == 404


@case("verify reports each kind of damage, and nothing on an undamaged storage")
def _():
    with Registry() as registry:
        client = Client(registry)
        image = client.push_image("a/b", "t")
        name = client.push_blob("a/b", BIG)
        path = file_of(registry, name)
        root = registry.dir / "data/docker/registry/v2"
        for what, damage in DAMAGE.items():
            path.write_bytes(damage(BIG))
            result = registry.run_program("verify")
            assert result.returncode == 1 and f"damaged: {name}" in result.stdout, (what, result)
            assert "1 damaged, 0 missing" in result.stdout, (what, result)
        path.unlink()
        result = registry.run_program("verify")
        assert result.returncode == 1 and f"missing: {name}, a blob of a/b" in result.stdout, result
        path.write_bytes(BIG)
        link = root / "repositories/a/b/_manifests/tags/t/current/link"
        for wrong in (b"", b"rubbish", b"sha256:" + b"0" * 64):
            link.write_bytes(wrong)
            result = registry.run_program("verify")
            said = "missing: sha256:" if len(
                wrong) > 9 else "wrong: repositories/a/b/_manifests/tags/t/current/link"
            assert result.returncode == 1 and said in result.stdout, (wrong, result)
        link.write_text(digest(image))
        revision = root / "repositories/a/b/_manifests/revisions/sha256" / digest(image).partition(
            ":")[2] / "link"
        layer = root / "repositories/a/b/_layers/sha256" / name.partition(":")[2] / "link"
        for place in (revision, layer):
            whole = place.read_bytes()
            for wrong in (b"", b"rubbish", b"sha256:" + b"0" * 64):
                place.write_bytes(wrong)
                result = registry.run_program("verify")
                assert (result.returncode == 1
                        and f"wrong: {place.relative_to(root)}"
                        in result.stdout), (place, wrong, result)
                assert ", 1 link wrong" in result.stdout, result
            place.write_bytes(whole)
        (path.parent / "extra").write_bytes(b"unrelated")
        result = registry.run_program("verify")
        assert result.returncode == 0 and "0 damaged, 0 missing" in result.stdout, result


main()
