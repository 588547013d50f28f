#!/usr/bin/env python3
"""Does the time of a refusal reveal that a user or a hidden repository exists?

    tests/bench/timing-bench.py [--requests 2000] [--rounds 5] [WORDS]

Each row sends two requests in a random order on one connection: one for something that exists, and
one for something that does not. It prints the ratio of the medians, and how often a request of the
first kind took longer than one of the second kind; 50 % means no difference. The rows "control"
send the same request twice, and so show the noise. The last row has a known difference, which the
benchmark must detect.
"""

import base64
import bisect
import json
import pathlib
import random
import socket
import statistics
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import command_line  # noqa: E402
from plain_registry import Server, line  # noqa: E402
from registry import registryd  # noqa: E402
from spec_client import SpecClient  # noqa: E402

PASSWORD, ZEROS = "secret", "sha256:" + "0" * 64
RULES = "allow alice pull,push team/**\nallow root all **\nallow anyone pull public/**\n" + "".join(
    f"allow alice pull group-{i}/**\n" for i in range(200))
THERE, MISSING = "hidden/there", "hidden/nowhr"  # equally long
FORM = "application/x-www-form-urlencoded"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Connection:
    """A connection that stays open. Each call returns the status and the nanoseconds until the
    answer arrived.
    """

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def measure(self, request):
        begin = time.perf_counter_ns()
        self.socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        size = 0 if request.startswith(b"HEAD") else int(next(
            (part.split(b":")[1] for part in head.split(b"\r\n")
             if part.lower().startswith(b"content-length:")), b"0"))
        while len(body) < size:
            body += self.socket.recv(65536)
        return int(head[9:12]), time.perf_counter_ns() - begin


def make_request(method, path, authorization=None, body=b"", kind="application/octet-stream"):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}",
             f"Content-Type: {kind}",
             *([f"Authorization: {authorization}"] if authorization else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def compare(server, requests, count):
    """Returns the ratio of the medians, the share of pairs in which the first kind took longer, and
    the statuses.
    """
    connection = Connection(server.port)
    times, statuses = ([], []), set()
    for request in requests:
        connection.measure(request)
    for _ in range(count):
        for i in random.sample((0, 1), 2):
            status, ns = connection.measure(requests[i])
            statuses.add(status)
            times[i].append(ns)
    connection.socket.close()
    second = sorted(times[1])
    longer = sum(bisect.bisect_left(second, ns)
                 + (bisect.bisect_right(second, ns) - bisect.bisect_left(second, ns)) / 2
                 for ns in times[0])
    return statistics.median(times[0]) / statistics.median(times[1]), longer / count ** 2, statuses


def make_rows(server):
    """{name: (two requests, whether each costs a bcrypt)}"""
    scopes = urllib.parse.quote(f"repository:{THERE}:pull repository:{MISSING}:pull")
    token = "Bearer " + json.loads(server.get("alice", PASSWORD,
                                              f"/token?scope={scopes}")[2])["token"]
    rows = {}

    def add(name, make, one, other, is_slow=False):
        rows[name] = ((make(one), make(other)), is_slow)

    for who, authorization in (("password", basic("alice", PASSWORD)), ("token", token),
                               ("nobody", None)):
        for what, method, path in (
                ("manifest", "GET", "/v2/{}/manifests/v1"),
                ("manifest HEAD", "HEAD", "/v2/{}/manifests/v1"),
                ("blob HEAD", "HEAD", "/v2/{}/blobs/" + ZEROS), ("tags", "GET", "/v2/{}/tags/list"),
                ("referrers", "GET", "/v2/{}/referrers/" + ZEROS),
                ("upload", "POST", "/v2/{}/blobs/uploads/"),
                ("delete", "DELETE", "/v2/{}/manifests/v1")):
            add(f"{what}, {who}",
                lambda name: make_request(method, path.format(name), authorization), THERE, MISSING)
    mount = "/v2/team/app/blobs/uploads/?mount=" + ZEROS + "&from={}"
    add("mount, password",
        lambda name: make_request("POST", mount.format(name), basic("alice", PASSWORD)), THERE,
        MISSING)
    add("scope, password",
        lambda name: make_request("GET", f"/token?scope=repository:{name}:pull",
                                  basic("alice", PASSWORD)),
        THERE, MISSING)
    add("user, Basic", lambda user: make_request("GET", "/v2/", basic(user, "wrong")), "alice",
        "aliec", True)
    add("user, GET /token", lambda user: make_request("GET", "/token", basic(user, "wrong")),
        "alice", "aliec", True)
    add("user, POST /token", lambda user: make_request(
        "POST", "/token", None, f"grant_type=password&username={user}&password=wrong".encode(),
        FORM), "alice", "aliec", True)
    add("robot, Basic", lambda user: make_request("GET", "/v2/", basic(user, "wrong")), "robot+ci",
        "robot+xy")
    add("control, refusal", lambda _: make_request("GET", f"/v2/{THERE}/tags/list", token), 1, 2)
    add("control, user", lambda _: make_request("GET", "/v2/", basic("alice", "wrong")), 1, 2, True)
    add("difference, of root",
        lambda name: make_request("GET", f"/v2/{name}/tags/list", basic("root", PASSWORD)), THERE,
        MISSING)
    return rows


def main():
    parser = command_line.Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=command_line.count, default=2000)
    parser.add_argument("--rounds", type=command_line.count, default=5)
    parser.add_argument("words", nargs="?", default="")
    arguments = parser.parse_args()
    parser.check_program(registryd())
    robots = ("ci sha256:" + "0" * 64
              + " created=2026-11-30T07:41:45Z expires=never allow=team/**:pull\n")
    with Server(line("alice", PASSWORD, 5) + line("root", PASSWORD, 5), program=registryd(),
                files={"access": RULES, "robots": robots},
                AUTH_HTPASSWD_ACCESS="access", AUTH_HTPASSWD_ROBOTS="robots",
                AUTH_HTPASSWD_GUESSES="0",
                STORAGE_DELETE_ENABLED="true", LOG_ACCESSLOG_DISABLED="true",
                LOG_LEVEL="error") as server:
        server.url, server.ca = f"http://127.0.0.1:{server.port}", None
        root = SpecClient("crane", server)
        root.log_in("root", PASSWORD)
        root.push(THERE)
        for name, (requests, is_slow) in make_rows(server).items():
            if arguments.words not in name:
                continue
            count = arguments.requests // (10 if is_slow else 1)
            rounds = [compare(server, requests, count) for _ in range(arguments.rounds)]
            ratios, longer = [row[0] for row in rounds], [row[1] for row in rounds]
            statuses = ",".join(str(status)
                                for status in sorted(set().union(*(row[2] for row in rounds))))
            print(f"{name:24} {statuses:8} ratio {statistics.median(ratios):.3f} "
                  f"({min(ratios):.3f} to {max(ratios):.3f})  "
                  f"longer {100 * statistics.median(longer):.1f} % ({100 * min(longer):.1f} to "
                  f"{100 * max(longer):.1f})", flush=True)


main()
