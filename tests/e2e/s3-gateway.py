#!/usr/bin/env python3
"""What docs/storage-s3.md relies on, tried on Ceph's gateway: conditional requests, multipart uploads, copies, lists.

STORAGE_CONTRACT is the path of the program with the storage contract's cases (tests/unit/registry-storage/test-contract.c).
"""

import os
import subprocess
import threading

from ceph_gateway import CephGateway
from harness import Skip, case, main
from s3_client import S3, sha256

CLIENTS = 4
RACED = {409, 500}  # a write lost a race inside of the gateway, and may have been made: 500 in Ceph 16, 409 in Ceph 19
PART = 5 << 20  # the least that S3 takes for a part that is not the last


class World:
    """One gateway for all cases; each has a bucket of its own."""

    gateway = None

    @classmethod
    def client(cls, bucket):
        if not cls.gateway:
            cls.gateway = CephGateway().__enter__()
        return S3(cls.gateway.endpoint, cls.gateway.access_key, cls.gateway.secret_key, bucket)

    @classmethod
    def bucket(cls, name):
        client = cls.client(name)
        answer = client.call("PUT")
        assert answer.status == 200, answer
        return client

    @classmethod
    def end(cls):
        if cls.gateway:
            cls.gateway.__exit__()


def at_once(count, function):
    """Runs function(number) in threads; returns the results, or raises what one of them raised."""
    results, failures = [None] * count, []

    def run(number):
        try:
            results[number] = function(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


@case("of several creators of a key with If-None-Match: * at most one is told that it succeeded, and nothing is replaced")
def _():
    bucket = World.bucket("create")

    def create(number):
        client = World.client("create")
        return [client.put(f"k/{key}", str(number).encode(), if_none_match="*").status for key in range(5)]

    for key, statuses in enumerate(zip(*at_once(CLIENTS, create))):
        assert statuses.count(200) <= 1 and set(statuses) <= {200, 412, *RACED}, statuses
        found = bucket.get(f"k/{key}")
        if found.status == 404:
            assert 200 not in statuses, statuses
            continue
        assert found.status == 200 and statuses[int(found.body)] != 412, (statuses, found)
        assert 200 not in statuses or int(found.body) == statuses.index(200), (statuses, found)


@case("If-Match with the bare ETag replaces what it names, also between several writers; with quotes it never matches")
def _():
    bucket = World.bucket("swap")
    first = bucket.put("n", b"0").etag
    assert first.startswith('"'), first
    assert bucket.put("n", b"x", if_match=first).status == 412
    assert bucket.put("missing", b"x", if_match=first.strip('"')).status == 412

    def count_up(_):
        client = World.client("swap")
        done = 0
        while done < 5:
            seen = client.get("n")
            answer = client.put("n", str(int(seen.body) + 1).encode(), if_match=seen.etag.strip('"'))
            assert answer.status in {200, 412, *RACED}, answer
            done += answer.status == 200
        return done

    # A write that was answered with one of RACED may have been made, so the sum is at least what was acknowledged.
    assert int(bucket.get("n").body) == 0 and sum(at_once(CLIENTS, count_up)) <= int(bucket.get("n").body)


@case("the ETag of a plain object is that of its bytes: equal bytes have equal versions")
def _():
    bucket = World.bucket("versions")
    one, two, three = (bucket.put("k", data).etag for data in (b"one", b"two", b"one"))
    assert one == three != two


@case("conditions of DELETE and of copies are not kept by this version, so they are probed for and never assumed")
def _():
    bucket = World.bucket("ignored")
    bucket.put("source", b"one")
    bucket.put("target", b"two")
    copied = bucket.call("PUT", "target", headers={"x-amz-copy-source": "/ignored/source", "if-none-match": "*"})
    deleted = bucket.call("DELETE", "source", headers={"if-match": "wrong"})
    assert copied.status in (200, 412) and deleted.status in (204, 412), (copied, deleted)
    assert bucket.get("target").body == (b"one" if copied.status == 200 else b"two")
    assert bucket.get("source").status == (404 if deleted.status == 204 else 200)


@case("a multipart upload: parts can be put again and listed, and completing is repeatable; a copy keeps the bytes and the ETag")
def _():
    bucket = World.bucket("multipart")
    upload = bucket.start_multipart("a").texts("UploadId")[0]
    assert bucket.get("a").status == 404
    bucket.put_part("a", upload, 1, b"lost")
    etags = [bucket.put_part("a", upload, number, data).etag for number, data in ((1, b"p" * PART), (2, b"end"))]
    listed = bucket.call("GET", "a", {"uploadId": upload})
    assert listed.texts("Size") == [str(PART), "3"] and listed.texts("ETag") == etags, listed
    assert bucket.complete("a", upload, etags).status == 200
    assert bucket.complete("a", upload, etags).status == 200
    tail = bucket.get("a", range=f"bytes={PART - 1}-")
    assert tail.status == 206 and tail.body == b"pend" and tail.headers["Content-Range"] == f"bytes {PART - 1}-{PART + 2}/{PART + 3}"
    bucket.call("PUT", "b", headers={"x-amz-copy-source": "/multipart/a", "x-amz-metadata-directive": "REPLACE",
                                     "x-amz-meta-epoch": "7"})
    head = bucket.call("HEAD", "b")
    assert head.etag == tail.etag and head.headers["x-amz-meta-epoch"] == "7", head.headers.items()


@case("an upload that is gone, a part that is too small and an empty list of parts are refused")
def _():
    bucket = World.bucket("refused")
    upload = bucket.start_multipart("a").texts("UploadId")[0]
    etags = [bucket.put_part("a", upload, number, b"small").etag for number in (1, 2)]
    assert bucket.complete("a", upload, etags).code == "EntityTooSmall"
    assert bucket.complete("a", upload, []).code == "MalformedXML"
    # The Ceph 19.2.0 of Ubuntu 24.04 ends an upload when it refuses to complete it.
    assert bucket.call("DELETE", "a", {"uploadId": upload}).status in (204, 404)
    assert bucket.call("DELETE", "a", {"uploadId": upload}).code == "NoSuchUpload"
    assert bucket.put_part("a", upload, 3, b"late").status == 404


@case("lists come by key, so that a-b/ comes before a/; start-after skips a prefix only if it is beyond all its keys")
def _():
    bucket = World.bucket("lists")
    for key in ("p/a/x", "p/a/y", "p/a-b/x", "p/a.c", "p/b"):
        bucket.put(key)

    def names(**query):
        answer = bucket.call("GET", "", {"list-type": "2", "prefix": "p/", "delimiter": "/",
                                         **{name.replace("_", "-"): value for name, value in query.items()}})
        keys = answer.texts("Key") + answer.texts("Prefix")[1:]
        return sorted(keys), answer

    assert names()[0] == ["p/a-b/", "p/a.c", "p/a/", "p/b"]
    assert names(start_after="p/a-b0")[0] == ["p/a.c", "p/a/", "p/b"]
    assert names(start_after="p/a0")[0] == ["p/b"]
    page, answer = names(max_keys="2")
    assert page == ["p/a-b/", "p/a.c"] and answer.texts("IsTruncated") == ["true"], page
    assert names(continuation_token=answer.texts("NextContinuationToken")[0])[0] == ["p/a/", "p/b"]


@case("bytes that do not have the signed digest are refused and leave no object")
def _():
    bucket = World.bucket("digest")
    assert bucket.call("PUT", "k", body=b"damaged", digest=sha256(b"right")).code == "XAmzContentSHA256Mismatch"
    assert bucket.get("k").status == 404


@case("objects, uploads and claims in a bucket keep the storage contract")
def _():
    program = os.environ.get("STORAGE_CONTRACT")
    if not program:
        raise Skip("the unit tests were not built")
    bucket = World.bucket("contract")
    env = {**os.environ, "S3_ENDPOINT": World.gateway.endpoint, "S3_BUCKET": bucket.bucket,
           "S3_ACCESS_KEY": bucket.access_key, "S3_SECRET_KEY": bucket.secret_key}
    done = subprocess.run([program, "bucket"], env=env, capture_output=True, text=True, check=False)
    if "without libcurl" in done.stderr:
        raise Skip("libcurl's or libexpat's headers were missing when this was built")
    assert done.returncode == 0, done.stdout + done.stderr


@case("what was acknowledged is there after the gateway was killed")
def _():
    bucket = World.bucket("kill")
    upload = bucket.start_multipart("m").texts("UploadId")[0]
    etag = bucket.put_part("m", upload, 1, b"part").etag
    bucket.put("k", b"kept")
    bucket.close()
    World.gateway.restart_gateway()
    assert bucket.get("k").body == b"kept"
    assert bucket.complete("m", upload, [etag]).status == 200 and bucket.get("m").body == b"part"


try:
    main()
finally:
    World.end()
