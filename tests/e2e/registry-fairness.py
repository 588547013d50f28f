#!/usr/bin/env python3
"""One user keeps the server busy: the effect on other users, and the resources that the server
uses.

This topic tests order and bounds; ../bench/misbehaving-user.py measures latencies.
"""

import contextlib
import json
import signal
import time

from harness import case, is_sanitized, main
from plain_registry import Server, line, wait_for
from raw_http import Raw, ask, basic, head
from registry import registryd
from registry_client import CONFIG, IMAGE, digest

BAD, GOOD = basic("mallory", "m"), basic("me", "secret")
MIB, EMPTY = 1 << 20, b"{}"
PARKED_MAX = 64  # for one user: registry/runtime/job-queue.h


def serve(**settings):
    return Server(line("mallory", "m") + line("me", "secret"), **settings)


def length(size):
    return b"Content-Length: %d\r\n" % size


def call(server, method, target, *headers, body=b""):
    return ask(server.port, head(method, target, *headers, length(len(body))) + body)


def start_upload(server, name, user):
    answer = call(server, "POST", f"/v2/{name}/blobs/uploads/", user)
    assert answer.status == 202, answer
    return answer.headers["location"].removeprefix("http://localhost")


def push_blob(server, name, user, data):
    answer = call(server, "POST", f"/v2/{name}/blobs/uploads/?digest={digest(data)}", user,
                  body=data)
    assert answer.status == 201, answer


def manifest(number, subject=None, padding=0):
    """Returns an image without layers. padding: the number of small values in a member that nobody
    reads.
    """
    members = {"schemaVersion": 2, "mediaType": IMAGE,
               "config": {"mediaType": CONFIG, "digest": digest(EMPTY), "size": len(EMPTY)},
               "layers": [], "annotations": {"number": str(number)}, "x": [1] * padding}
    if subject:
        members["subject"] = {"mediaType": IMAGE, "digest": subject, "size": 1}
    return json.dumps(members, separators=(",", ":")).encode()


def put_manifest(server, name, user, reference, data):
    return call(server, "PUT", f"/v2/{name}/manifests/{reference}", user,
                b"Content-Type: " + IMAGE.encode() + b"\r\n", body=data)


# --- an upload session that somebody holds --------------------------------------------------------


@case("of the requests for an upload session that is being written to, a few wait without a "
      "worker; the rest are refused immediately")
def _():
    with serve() as server, contextlib.ExitStack() as stack:
        location = start_upload(server, "a", BAD)
        holder = stack.enter_context(Raw(server.port)).send(
            head("PATCH", location, BAD, length(2)) + b"x")
        time.sleep(0.2)
        requests = [
            stack.enter_context(Raw(server.port)).send(head("DELETE", location, BAD, length(0)))
            for _ in range(200)]
        # All workers are free for other requests.
        push_blob(server, "b", GOOD, EMPTY)
        assert put_manifest(server, "b", GOOD, "t", manifest(1)).status == 201
        answers = [raw.read() for raw in requests]
        assert {answer.status for answer in answers} == {429}, {answer.status for answer in answers}
        busy = sum("server is busy" in answer.body.decode() for answer in answers)
        assert busy > 200 - 2 * PARKED_MAX, busy  # not parked; the others waited for a second
        assert (sum("another request is writing" in answer.body.decode() for answer in answers)
                == 200 - busy)
        assert holder.send(b"y").read().status == 202


@case("a request that waits for another one is answered when that one has ended")
def _():
    with serve() as server:
        for _ in range(5):
            location = start_upload(server, "a", GOOD)
            with Raw(server.port) as holder, Raw(server.port) as successor:
                holder.send(head("PATCH", location, GOOD, length(2)) + b"x")
                time.sleep(0.05)
                successor.send(head("PATCH", location, GOOD, length(1)) + b"z")
                holder.send(b"y")
                assert holder.read().status == 202
                answer = successor.read()
                assert answer.status == 202 and answer.headers["range"] == "0-2", answer
                # The session is free as soon as the answer has arrived.
                assert call(server, "DELETE", location, GOOD).status == 204


# --- bodies ---------------------------------------------------------------------------------------


@case("the unfinished bodies of one user are bounded, and leave room for the manifests "
      "of other users")
def _():
    with serve() as server, contextlib.ExitStack() as stack:
        push_blob(server, "b", GOOD, EMPTY)
        before = server.rss_kib()
        target, piece = head("PUT", "/v2/a/manifests/t", BAD,
                             length(4 * MIB - 1)), b" " * (MIB // 4)
        held = [stack.enter_context(Raw(server.port)) for _ in range(400)]
        for raw in held:
            with contextlib.suppress(OSError):  # refused meanwhile
                raw.send(target + piece)
        large = manifest(1)
        large += b" " * (3 * MIB - len(large))
        assert put_manifest(server, "b", GOOD, "t", large).status == 201
        grown = server.rss_kib() - before
        assert grown < 40 * 1024 or is_sanitized(registryd()), grown
        # Refused bodies are not kept.
        for raw in held:
            raw.close()
        wait_for(lambda: put_manifest(server, "b", BAD, "u", large).status == 201,
                 "the bodies are freed")


# --- the end --------------------------------------------------------------------------------------


@case("SIGTERM ends a server whose queue is full: it does not wait for jobs that have not started")
def _():
    subject, many = digest(b"subject"), 200
    with serve(HTTP_DRAINTIMEOUT="100ms") as server, contextlib.ExitStack() as stack:
        push_blob(server, "a", BAD, EMPTY)
        for number in range(6):
            data = manifest(number, subject, 150_000)
            assert put_manifest(server, "a", BAD, digest(data), data).status == 201
        path = f"/v2/a/referrers/{subject}?artifactType=none"
        begin = time.monotonic()
        assert call(server, "GET", path, BAD).status == 200
        one_s = time.monotonic() - begin
        for _ in range(many):
            stack.enter_context(Raw(server.port)).send(head("GET", path, BAD))
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(600) == 0
        taken_s = time.monotonic() - begin
        assert taken_s < many * one_s / 5, (taken_s, one_s)


main()
