#!/usr/bin/env python3
"""Interfaces for other programs: metrics with registry:2's names (compared with docker-registry),
log fields, events, failed logins.
"""

import http.client
import itertools
import json
import os
import re
import time

from harness import case, main, need
from plain_registry import Server, line, wait_for
from raw_http import Raw, ask, basic, head
from registry_client import digest

GOOD, EMPTY = basic("me", "secret"), b"{}"
numbers = itertools.count()
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
# Metrics that only docker-registry has: its own process, and calls of its storage driver that ours
# does not need.
NOT_OURS = re.compile(r"(go|process|promhttp)_|registry_notifications_")
NOT_OUR_LABELS = re.compile(r'action="(Move|URLFor)"')


def length(size):
    return b"Content-Length: %d\r\n" % size


def call(server, method, target, *headers, body=b"", user=GOOD):
    return ask(server.port, head(method, target, user, *headers, length(len(body))) + body, method)


def manifest(number):
    return json.dumps({"schemaVersion": 2, "mediaType": DOCKER_IMAGE, "layers": [], "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest(EMPTY),
        "size": 2}, "n": number}).encode()


def push_blob(server, name, data):
    location = call(server, "POST", f"/v2/{name}/blobs/uploads/").headers["location"]
    location = re.sub("^https?://[^/]*", "", location)
    answer = call(server, "PUT", location + f"&digest={digest(data)}", body=data)
    assert answer.status == 201, answer


def push_manifest(server, name, reference, data):
    answer = call(server, "PUT", f"/v2/{name}/manifests/{reference}",
                  b"Content-Type: " + DOCKER_IMAGE.encode() + b"\r\n", body=data)
    assert answer.status == 201, answer


def use(server):
    """Sends each kind of request once, and some that fail."""
    accept = b"Accept: " + DOCKER_IMAGE.encode() + b"\r\n"
    push_blob(server, "a/b", EMPTY)
    push_manifest(server, "a/b", "t", manifest(1))
    for method, path in (("GET", "/v2/"), ("GET", "/v2/_catalog"), ("GET", "/v2/a/b/tags/list"),
                         ("GET", "/v2/a/b/manifests/t"),
                         ("HEAD", "/v2/a/b/manifests/t"), ("GET", f"/v2/a/b/blobs/{digest(EMPTY)}"),
                         ("GET", "/v2/a/b/manifests/none"),
                         ("HEAD", f"/v2/a/b/blobs/{digest(b'none')}"),
                         ("DELETE", f"/v2/a/b/manifests/{digest(manifest(1))}")):
        call(server, method, path, accept)
    call(server, "GET", f"/v2/a/b/blobs/{digest(EMPTY)}",
         b'If-None-Match: "' + digest(EMPTY).encode() + b'"\r\n')
    ask(server.port, head("GET", "/v2/"))


def metrics(server):
    """Returns the samples (name and labels, one bucket for each series), and the types by name."""
    connection = http.client.HTTPConnection("127.0.0.1", server.debug_port, timeout=300)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    samples, types = {}, {}
    for each in text.splitlines():
        if each.startswith("# TYPE "):
            types[each.split()[2]] = each.split()[3]
        elif not each.startswith("#"):
            name, value = each.rsplit(" ", 1)
            samples[name] = float(value)
    return samples, types


def labels(samples, name):
    """Returns the sets of labels of a metric, as text."""
    return {sample[len(name):] for sample in samples if sample.startswith(name + "{")}


@case("metrics have registry:2's names, types, labels and buckets, and the same requests "
      "count the same")
def _():
    need("docker-registry")
    found = []
    for program in ("docker-registry", None):
        with Server(line("me", "secret"), **({"program": need(program)} if program else {}),
                    STORAGE_DELETE_ENABLED="true") as server:
            use(server)
            time.sleep(0.2)  # docker-registry counts after the answer
            found.append(metrics(server))
    (theirs, their_types), (ours, our_types) = found
    wanted = {name: kind for name, kind in their_types.items() if not NOT_OURS.match(name)}
    assert wanted.items() <= our_types.items(), set(wanted.items()) - set(our_types.items())
    for name in wanted:
        suffixes = ["_bucket", "_count"] if wanted[name] == "histogram" else [""]
        for suffix in suffixes:
            missing = {each for each in labels(theirs, name + suffix) - labels(ours, name + suffix)
                       if not NOT_OUR_LABELS.search(each)}
            assert not missing, (name, sorted(missing)[:10])
    for sample, value in theirs.items():
        if (sample.startswith(("registry_http_requests_total",
                               "registry_http_request_duration_seconds_count"))
            and "base" not in sample):
            assert ours[sample] == value, (sample, value, ours[sample])
    cached = {kind: ours[f'registry_storage_cache_total{{type="{kind}"}}']
              for kind in ("Hit", "Miss", "Request")}
    assert cached["Request"] == cached["Hit"] + cached["Miss"] > 0, cached
    assert (set(labels(ours, "registry_http_in_flight_requests"))
            > set(labels(theirs, "registry_http_in_flight_requests")))
    assert all(value == 0 for sample, value in ours.items()
               if sample.startswith("registry_http_in_flight")), ours


@case("every request is counted with a status: also 412, 431 and 505, disconnected clients, and "
      "connections that the server ended")
def _():
    with Server(line("me", "secret"), HTTP_TIMEOUTS_HEAD="1s") as server:
        push_blob(server, "a", EMPTY)
        assert (call(server, "GET", f"/v2/a/blobs/{digest(EMPTY)}", b'If-Match: "none"\r\n').status
                == 412)
        with Raw(server.port) as raw:
            assert raw.send(b"GET /v2/ HTTP/1.1\r\n" + b"X: " + b"a" * 100_000).read().status == 431
        with Raw(server.port) as raw:
            assert raw.send(b"GET /v2/ HTTP/3.0\r\nHost: a\r\n\r\n").read().status == 505
        with Raw(server.port) as raw:
            raw.send(head("PUT", "/v2/a/manifests/t", GOOD, length(100)) + b"x")
            time.sleep(0.3)
        counted = lambda: {sample for sample in metrics(server)[0]
                           if sample.startswith("registry_http_requests_total")}
        wait_for(lambda: any('code="499"' in sample for sample in counted()),
                 "the client that left is counted")
        codes = {re.search(r'code="(\d+)"', sample)[1] for sample in counted()}
        assert {"412", "431", "505", "499"} <= codes and "0" not in codes, codes


@case("events are counted and logged: repository, tag, digest, size, type and user; pulls "
      "at level debug")
def _():
    with Server(line("me", "secret"), STORAGE_DELETE_ENABLED="true", LOG_LEVEL="debug") as server:
        data = manifest(1)
        push_blob(server, "a", EMPTY)
        push_manifest(server, "a", "t", data)
        assert (call(server, "POST", f"/v2/b/blobs/uploads/?mount={digest(EMPTY)}&from=a").status
                == 201)
        assert call(server, "GET", "/v2/a/manifests/t").status == 200
        assert call(server, "GET", f"/v2/a/blobs/{digest(EMPTY)}").status == 200
        assert call(server, "DELETE", "/v2/a/manifests/t").status == 202
        assert call(server, "DELETE", f"/v2/a/manifests/{digest(data)}").status == 202
        assert call(server, "DELETE", f"/v2/b/blobs/{digest(EMPTY)}").status == 202
        counted = {sample: value for sample, value in metrics(server)[0].items()
                   if sample.startswith("registry_events_total")}
        for action, kind in (("push", "blob"), ("push", "manifest"), ("mount", "blob"),
                             ("pull", "blob"), ("pull", "manifest"),
                             ("delete", "tag"), ("delete", "manifest"), ("delete", "blob")):
            assert counted[f'registry_events_total{{action="{action}",object="{kind}"}}'] == 1, (
                counted)
        log = server.log()
    quoted = digest(data)
    pushed = re.search(r"level=info msg=\"manifest pushed\" .*", log)[0]
    for field in ("auth.user.name=me", f'event.digest="{quoted}"', "event.repository=a",
                  "event.tag=t", f"event.size={len(data)}",
                  f"event.mediatype={DOCKER_IMAGE}"):
        assert field in pushed, (field, pushed)
    assert re.search(r"level=info msg=\"blob mounted\" .*event.from=a .*event.repository=b", log), (
        log)
    assert re.search(r"level=debug msg=\"blob pulled\" .*event.repository=a", log), log


@case("a failed login is logged as a warning with user and client, and without the password")
def _():
    with Server(line("me", "secret")) as server:
        assert call(server, "GET", "/v2/", user=basic("me", "wrong-password")).status == 401
        assert (call(server, "GET", "/v2/", user=basic('x" level=info', "wrong-password")).status
                == 401)
        assert ask(server.port, head("GET", "/v2/")).status == 401
        log = server.log()
    warnings = [each for each in log.splitlines() if "login failed" in each]
    assert len(warnings) == 2, warnings  # a request without a password is not a failed login
    assert "level=warning" in warnings[0] and "auth.user.name=me " in warnings[0], warnings[0]
    assert re.search(r'http\.request\.remoteaddr="127\.0\.0\.1:\d+"', warnings[0]), warnings[0]
    assert r'auth.user.name="x\" level=info"' in warnings[1], warnings[1]
    assert "wrong-password" not in log


@case("log lines of requests name repository, reference, digest and upload, as in registry:2")
def _():
    with Server(line("me", "secret")) as server:
        push_blob(server, "a/b", EMPTY)
        push_manifest(server, "a/b", "t", manifest(1))
        call(server, "GET", f"/v2/a/b/blobs/{digest(EMPTY)}")
        # A line is written after the answer, and may follow the line of a later request.
        for fields in ("PUT .*vars.name=a/b vars.reference=t",
                       "PUT .*vars.name=a/b vars.uuid=[0-9a-f-]{36}",
                       rf'GET .*vars.digest="{digest(EMPTY)}" vars.name=a/b'):
            wait_for(lambda: re.search("http.request.method=" + fields, server.log()), fields)


@case("logged URLs show the parameters of the API, and '*' for others, which may be secrets")
def _():
    shown = f"n=5&last=a&tag=v1&mount={digest(EMPTY)}&from=a/b&artifactType=x&scope=repository:a:pull"
    hidden = "token=hush&password=hush&access_token=hush&hush&N=hush&xtag=hush&tag[]=hush&x=y?z=hush"
    with Server(line("me", "secret")) as server:
        for path in ("/v2/a/b/tags/list", "/v2/a/b/manifests/v1", "/nothing"):
            call(server, "GET", f"{path}?{shown}&{hidden}")
            wanted = f'http.request.uri="{path}?{shown}' + 8 * "&*" + '"'
            wait_for(lambda: wanted in server.log(), wanted)
        assert "hush" not in server.log()


def forwarded(server, value, source="127.0.0.1"):
    """Returns the address in the log for a failed login with this X-Forwarded-For."""
    user = f"user{next(numbers)}"
    header = b"X-Forwarded-For: " + value.encode() + b"\r\n"
    assert (ask(server.port, head("GET", "/v2/", header, basic(user, "wrong")),
                source=source).status
            == 401)
    return re.search(rf'auth.user.name={user} .*http.request.remoteaddr="?([^" ]*)',
                     server.log())[1]


@case("X-Forwarded-For is used only if the connection comes from a proxy in http.trustedproxies")
def _():
    with Server(line("me", "secret"),
                HTTP_TRUSTEDPROXIES="[127.0.0.1, '10.0.0.0/8', 'fd00::/8']") as server:
        assert forwarded(server, "192.0.2.1") == "192.0.2.1"
        # The client itself sent the first address
        assert forwarded(server, "203.0.113.9, 192.0.2.1") == "192.0.2.1"
        assert forwarded(server, "192.0.2.1, 10.1.2.3") == "192.0.2.1"
        assert forwarded(server, "192.0.2.1, 203.0.113.9, fd00::1") == "203.0.113.9"
        assert forwarded(server, "10.0.0.1, 10.0.0.2") == "10.0.0.1"
        assert forwarded(server, "[2001:db8::1]") == "2001:db8::1"
        assert forwarded(server, "192.0.2.1:4711") == "192.0.2.1"
        assert forwarded(server, "unknown").startswith("127.0.0.1:")
        assert forwarded(server, "192.0.2.1", source="127.0.0.2").startswith("127.0.0.2:")
    with Server(line("me", "secret")) as server:
        assert forwarded(server, "192.0.2.1").startswith("127.0.0.1:")


@case("guesses behind a trusted proxy are counted by client, not by proxy")
def _():
    with Server(line("me", "secret"), HTTP_TRUSTEDPROXIES="127.0.0.1",
                AUTH_HTPASSWD_GUESSES="3") as server:
        def guess(client, password="wrong"):
            return ask(server.port,
                       head("GET", "/v2/", b"X-Forwarded-For: " + client + b"\r\n",
                            basic("me", password))).status
        assert [guess(b"192.0.2.1") for _ in range(5)] == [401, 401, 401, 429, 429]
        assert guess(b"192.0.2.2") == 401
        assert guess(b"192.0.2.2", "secret") == 200


@case("an invalid list of proxies is refused")
def _():
    for value in ("10.0.0.0/33", "example.com", "[10.0.0.1/x]", "{a: b}", "300.1.1.1"):
        try:
            with Server(line("me", "secret"), HTTP_TRUSTEDPROXIES=value):
                pass
        except AssertionError as error:
            assert "must be a list of addresses and networks" in str(error), error
        else:
            raise AssertionError(value)


@case("lists omit entries that cannot be read, and the log has the reason")
def _():
    with Server(line("me", "secret")) as server:
        push_blob(server, "good", EMPTY)
        push_manifest(server, "good", "t", manifest(1))
        repositories = server.dir / "data/docker/registry/v2/repositories"
        (repositories / "bad").symlink_to("/etc")
        (repositories / "good/_manifests/tags/bad/current").mkdir(parents=True)
        os.mkfifo(repositories / "good/_manifests/tags/bad/current/link")
        assert json.loads(call(server, "GET", "/v2/_catalog").body) == {"repositories": ["good"]}
        assert json.loads(call(server, "GET", "/v2/good/tags/list").body)["tags"] == ["t"]
        for what in ("repositories/bad", "tags/bad/current/link"):
            wait_for(lambda: re.search(f"level=warning msg=.a list omits 1 entry.*{what}",
                                       server.log()), what)


@case("CORS: http.headers are in every answer, also in refusals, as with docker-registry")
def _():
    allowed = {"Access-Control-Allow-Origin": "[https://ui.example]",
               "Access-Control-Expose-Headers": "[Docker-Content-Digest]"}
    headers = "{" + ", ".join(f"{name}: {value}" for name, value in allowed.items()) + "}"
    with Server(line("me", "secret"), HTTP_HEADERS=headers) as server:
        origin = b"Origin: https://ui.example\r\n"
        answers = [call(server, method, path, origin, user=user) for method, path, user in (
            ("GET", "/v2/", GOOD), ("GET", "/v2/", b""), ("GET", "/v2/", basic("me", "wrong")),
            ("OPTIONS", "/v2/", b""),
            ("GET", "/v2/a/manifests/none", GOOD), ("PATCH", "/v2/_catalog", GOOD),
            ("GET", "/v2/a/tags/list?n=x", GOOD))]
        answers.append(ask(server.port, b"GET /v2/ HTTP/1.1\r\n" + origin + b"X : y\r\n\r\n"))
        assert [each.status for each in answers] == [200, 401, 401, 204, 404, 405, 400, 400], (
            answers)
        for each in answers:
            assert each.headers["access-control-allow-origin"] == "https://ui.example", each
            assert each.headers["access-control-expose-headers"] == "Docker-Content-Digest", each


main()
