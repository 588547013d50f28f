#!/usr/bin/env python3
"""Rights: what the rules of an access file allow, and that nothing else is possible.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import hashlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import threading
import urllib.parse

from harness import case, main, need
from plain_registry import PROGRAM, TIMEOUT_S, Server, line, wait_for

IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG, LAYER = b"{}", b"a layer"
MISSING = "sha256:" + "0" * 64
PASSWORD = "secret"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


MANIFEST = json.dumps({
    "schemaVersion": 2, "mediaType": IMAGE,
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(CONFIG),
               "size": len(CONFIG)},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(LAYER),
                "size": len(LAYER)}],
}).encode()
OTHER_MANIFEST = MANIFEST.replace(b'{"schemaVersion"',
                                  b'{"annotations": {"a": "b"}, "schemaVersion"')

USERS = ("alice", "bob", "root", "anyone", "robot+ci")


class Guarded:
    """A registry with these rules and with USERS. Its requests are made by `call`."""

    def __init__(self, rules, users=USERS, **settings):
        self.server = Server("".join(line(user, PASSWORD) for user in users),
                             files={"access": rules},
                             STORAGE_DELETE_ENABLED="true", AUTH_HTPASSWD_ACCESS="access",
                             **settings)
        self.rules = self.server.dir / "access"

    def write(self, rules):
        self.server.write(rules, self.rules)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def call(self, user, method, path, body=None, headers=None, password=PASSWORD):
        """Status, headers and body of the answer; user None has no login."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
        headers = dict(headers or {})
        if user is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(
                f"{user}:{password}".encode()).decode()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def status(self, *words, **more):
        return self.call(*words, **more)[0]

    def push_blob(self, user, repository, content, expected=201):
        status = self.status(user, "POST",
                             f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}",
                             content,
                             {"Content-Type": "application/octet-stream"})
        assert status == expected, (user, repository, status)

    def push(self, user, repository, reference="latest", manifest=MANIFEST):
        for content in (CONFIG, LAYER):
            self.push_blob(user, repository, content)
        return self.status(user, "PUT", f"/v2/{repository}/manifests/{reference}", manifest,
                           {"Content-Type": IMAGE})

    def catalog(self, user, query=""):
        status, headers, body = self.call(user, "GET", "/v2/_catalog" + query)
        assert status == 200, (user, status, body)
        return json.loads(body)["repositories"], headers.get("Link")


def code_of(body):
    return json.loads(body)["errors"][0]["code"]


RULES = """
group team alice robot+ci
allow @team pull,push team/**
allow anyone pull public/**
allow users pull base/*
allow bob pull,push-new releases/**
allow "anyone" pull odd
allow root all **
"""

EVERYTHING = {"pull", "push", "delete"}


def model(user, repository):
    """What RULES give, written down once more without looking at how they are read."""
    granted = set()
    if repository.startswith("team/") and user in ("alice", "robot+ci"):
        granted |= {"pull", "push"}
    if repository.startswith("public/"):
        granted |= {"pull"}
    if (repository.startswith("base/") and repository.count("/") == 1
        and user not in (None, "robot+ci")):
        granted |= {"pull"}
    if repository.startswith("releases/") and user == "bob":
        granted |= {"pull", "push"}
    if repository == "odd" and user == "anyone":
        granted |= {"pull"}
    if user == "root":
        granted |= EVERYTHING
    return granted


REPOSITORIES = ("team/app", "team/a/b", "team", "public/x", "base/x", "base/x/y", "releases/1",
                "odd", "other")

# Each route and method below /v2/NAME/, with what it needs. {upload} is a session of the
# repository.
REQUESTS = [
    ("GET", "tags/list", {"pull"}), ("HEAD", "tags/list", {"pull"}),
    ("GET", "manifests/latest", {"pull"}), ("HEAD", "manifests/latest", {"pull"}),
    ("GET", f"manifests/{MISSING}", {"pull"}),
    ("GET", f"blobs/{digest_of(LAYER)}", {"pull"}), ("HEAD", f"blobs/{digest_of(LAYER)}", {"pull"}),
    ("GET", f"blobs/{MISSING}", {"pull"}), ("GET", f"referrers/{digest_of(MANIFEST)}", {"pull"}),
    ("POST", "blobs/uploads/", {"pull", "push"}),
    ("POST", f"blobs/uploads/?mount={digest_of(LAYER)}&from=other", {"pull", "push"}),
    ("GET", "blobs/uploads/{upload}", {"pull"}),
    ("PATCH", "blobs/uploads/{upload}", {"pull", "push"}),
    ("PUT", "blobs/uploads/{upload}?digest=" + MISSING, {"pull", "push"}),
    ("PUT", "manifests/new-{serial}", {"pull", "push"}),
    ("PUT", f"manifests/{digest_of(MANIFEST)}", {"pull", "push"}),
    ("DELETE", "manifests/absent", {"delete"}), ("DELETE", f"manifests/{MISSING}", {"delete"}),
    ("DELETE", f"blobs/{MISSING}", {"delete"}),
]


@case("every route and method gives each user exactly the rights that the rules grant")
def _():
    with Guarded(RULES) as registry:
        for repository in REPOSITORIES:
            assert registry.push("root", repository) == 201
        serial = itertools.count()
        for repository, user, (method, path,
                               needs) in itertools.product(REPOSITORIES, (None, *USERS), REQUESTS):
            upload = ""
            if "{upload}" in path:
                _, headers, _ = registry.call("root", "POST", f"/v2/{repository}/blobs/uploads/")
                upload = urllib.parse.urlsplit(headers["Location"]).path.rpartition("/")[2]
            url = f"/v2/{repository}/" + path.replace("{upload}",
                                                      upload).replace("{serial}", str(next(serial)))
            body = MANIFEST if method == "PUT" and "manifests" in path else b""
            status, _, answer = registry.call(user, method, url, body, {"Content-Type": IMAGE})
            allowed = needs <= model(user, repository)
            refusal = 401 if user is None else 403
            assert (status not in (401, 403)) if allowed else status == refusal, (
                user, method, url, status, answer)
            if not allowed and method != "HEAD":
                assert code_of(answer) == ("UNAUTHORIZED" if user is None else "DENIED"), answer


@case("a refusal does not reveal whether the object exists")
def _():
    with Guarded("allow root all **\n") as registry:
        assert registry.push("root", "there") == 201
        for user, (method, path, _) in itertools.product((None, "alice"), REQUESTS):
            path = path.replace("{upload}",
                                "3fa85f64-5717-4562-b3fc-2c963f66afa6").replace("{serial}", "1")
            answers = [registry.call(user, method, f"/v2/{name}/{path}")
                       for name in ("there", "gonex")]
            shown = [(status, sorted(name for name, _ in headers.items()),
                      body.replace(b"there", b"gonex"))
                     for status, headers, body in answers]
            assert shown[0] == shown[1], shown


@case("the catalog lists only repositories that the user may pull, also across pages")
def _():
    names = [f"r{i:02}" for i in range(40)]
    rules = "allow root all **\n" + "".join(f"allow alice pull {name}\n"
                                            for name in names[::3]) + "allow anyone pull r05\n"
    with Guarded(rules) as registry:
        for name in names:
            registry.push_blob("root", name, LAYER)
        assert registry.catalog("root")[0] == names
        visible = sorted({*names[::3], "r05"})
        assert registry.catalog("alice")[0] == visible
        assert registry.catalog(None)[0] == ["r05"] and registry.catalog("robot+ci")[0] == ["r05"]
        for size in (1, 2, 5, len(visible), len(visible) + 1):
            seen, query = [], f"?n={size}"
            while query:
                page, link = registry.catalog("alice", query)
                assert len(page) <= size and (len(page) == size or not link), (page, link)
                seen += page
                query = "?" + link.partition("?")[2].partition(">")[0] if link else None
            assert seen == visible, (size, seen)
        # The last page has no link, though hidden repositories follow.
        assert registry.catalog(None, "?n=1") == (["r05"], None)


@case("without a rule for anyone, the catalog requires a login")
def _():
    with Guarded("allow users pull **\n") as registry:
        assert registry.status(None, "GET", "/v2/_catalog") == 401
        assert registry.catalog("alice") == ([], None)


@case("a blob is mounted only from repositories that the user may pull")
def _():
    with Guarded("allow root all **\nallow alice pull,push mine/**\nallow alice pull shared\nallow "
                 "bob pull,push mine/**\n") as registry:
        for name in ("shared", "hidden"):
            registry.push_blob("root", name, LAYER)

        def mount(user, query):
            uploads = f"/v2/mine/{user}/blobs/uploads/"
            return registry.status(user, "POST", f"{uploads}?mount={digest_of(LAYER)}{query}")

        assert (mount("bob", "&from=shared") == mount("bob", "&from=hidden")
                == mount("bob", "&from=absent") == 202)
        assert mount("bob", "") == mount("alice", "") == 202
        assert registry.status("bob", "HEAD", f"/v2/mine/bob/blobs/{digest_of(LAYER)}") == 404
        assert mount("alice", "&from=hidden") == 202
        assert mount("alice", "&from=shared") == 201
        assert registry.status("alice", "HEAD", f"/v2/mine/alice/blobs/{digest_of(LAYER)}") == 200


@case("a manifest does not reach layers of other repositories")
def _():
    with Guarded("allow root all **\nallow alice pull,push mine\n") as registry:
        assert registry.push("root", "hidden") == 201
        status, _, body = registry.call("alice", "PUT", "/v2/mine/manifests/latest", MANIFEST,
                                        {"Content-Type": IMAGE})
        assert (status, code_of(body)) == (400, "MANIFEST_BLOB_UNKNOWN"), (status, body)


@case("push-new creates tags and never replaces one, also in a race")
def _():
    with Guarded("allow bob pull,push-new **\nallow root all **\n") as registry:
        assert registry.push("bob", "r", "v1") == 201
        put = lambda user, tag, manifest: registry.call(user, "PUT", f"/v2/r/manifests/{tag}",
                                                        manifest, {"Content-Type": IMAGE})
        assert put("bob", "v1", MANIFEST)[0] == 201  # the same again changes nothing
        status, _, body = put("bob", "v1", OTHER_MANIFEST)
        assert ((status, code_of(body)) == (403, "DENIED")
                and b"the tag v1 exists, and you may only create new tags" in body), (status, body)
        assert registry.call("bob", "GET", "/v2/r/manifests/v1")[2] == MANIFEST
        assert put("bob", digest_of(OTHER_MANIFEST), OTHER_MANIFEST)[0] == 201
        assert put("bob", f"{digest_of(OTHER_MANIFEST)}?tag=v2&tag=v1", OTHER_MANIFEST)[0] == 403
        assert registry.call("bob", "GET", "/v2/r/manifests/v1")[2] == MANIFEST
        assert put("root", "v1", OTHER_MANIFEST)[0] == 201
        for i in range(20):
            results = []
            threads = [threading.Thread(
                target=lambda m=m: results.append((put("bob", f"race{i}", m)[0], m)))
                       for m in (MANIFEST, OTHER_MANIFEST) * 2]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            winner = registry.call("bob", "GET", f"/v2/r/manifests/race{i}")[2]
            assert {m for status, m in results if status == 201} == {winner}, results
            assert {status for status, m in results if m != winner} <= {403}, results


@case("no user can replace an immutable tag, also in a race")
def _():
    with Guarded("allow root,bob pull,push **\nallow root delete **\nimmutable v*,stable "
                 "releases/**\n") as registry:
        def put(tag, manifest, name="releases/r"):
            return registry.status("root", "PUT", f"/v2/{name}/manifests/{tag}", manifest,
                                   {"Content-Type": IMAGE})

        assert (registry.push("root", "releases/r", "v1") == 201
                and registry.push("root", "team", "v1") == 201)
        assert put("v1", MANIFEST) == 201
        status, _, body = registry.call("root", "PUT", "/v2/releases/r/manifests/v1",
                                        OTHER_MANIFEST, {"Content-Type": IMAGE})
        assert ((status, code_of(body)) == (403, "DENIED")
                and b"the tag v1 is immutable and exists already" in body), (status, body)
        assert put("latest", MANIFEST) == 201 and put("latest", OTHER_MANIFEST) == 201
        assert put("v1", OTHER_MANIFEST, "team") == 201
        for i in range(10):
            results = []
            threads = [threading.Thread(target=lambda m=m,
                                        i=i: results.append((put(f"v2.{i}", m), m)))
                       for m in (MANIFEST, OTHER_MANIFEST) * 2]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            winner = registry.call("root", "GET", f"/v2/releases/r/manifests/v2.{i}")[2]
            assert {m for status, m in results if status == 201} == {winner}, results
        assert registry.status("root", "DELETE", "/v2/releases/r/manifests/v1") == 202
        assert put("v1", OTHER_MANIFEST) == 201


@case("users may cancel their uploads with the right to push")
def _():
    with Guarded("allow alice pull,push r\nallow bob pull r\n") as registry:
        location = registry.call("alice", "POST", "/v2/r/blobs/uploads/")[1]["Location"]
        path = urllib.parse.urlsplit(location).path
        assert registry.status("bob", "DELETE", path) == 403
        assert registry.status("alice", "DELETE", path) == 204


@case("wrong credentials are refused even if none are required")
def _():
    with Guarded("allow root all **\nallow anyone pull **\n") as registry:
        registry.push_blob("root", "r", LAYER)
        path = f"/v2/r/blobs/{digest_of(LAYER)}"
        assert registry.status(None, "GET", path) == 200
        assert registry.status("alice", "GET", path, password="wrong") == 401
        for text in ("Bearer x", "Basic !", "Basic", "x"):
            assert (registry.status(None, "GET", path, headers={"Authorization": text})
                    in (400, 401)), text
        assert registry.status(None, "GET", "/v2/") == 401, (
            "a login would not be asked for its password")


@case("a changed file applies to the next request; a file with a mistake is ignored")
def _():
    with Guarded("allow alice pull **\n") as registry:
        path = "/v2/r/tags/list"
        assert (registry.status("alice", "GET", path) == 404
                and registry.status("bob", "GET", path) == 403)
        registry.write("allow bob pull **\n")
        assert (registry.status("alice", "GET", path) == 403
                and registry.status("bob", "GET", path) == 404)
        registry.write("allow bob pull **\nallow alice fly **\n")
        for _ in range(3):
            assert (registry.status("alice", "GET", path) == 403
                    and registry.status("bob", "GET", path) == 404)
        log = registry.server.log()
        assert log.count('access line 2: there is no action') == 1 and "stay in force" in log, log
        registry.rules.unlink()
        assert registry.status("bob", "GET", path) == 404
        registry.write("allow alice pull **\n")
        os.kill(registry.server.process.pid, signal.SIGHUP)
        assert registry.status("alice", "GET", path) == 404


@case("the start fails with a message if the file is missing or has a mistake")
def _():
    for rules, words in (("allow alice pull,pusch team/**\n",
                          'access line 1: there is no action "pusch"'),
                         ("allow @team pull team/**\n",
                          'access line 1: no line defines the group "@team"'), (None, "access")):
        server = Server(line("alice", PASSWORD), files={"access": rules} if rules else {},
                        AUTH_HTPASSWD_ACCESS="access")
        try:
            assert server.process.wait(TIMEOUT_S) == 1
            assert words in server.log().splitlines()[-1], server.log()
        finally:
            server.__exit__()


@case("10,000 rules change under load, and no request fails")
def _():
    def rules(more):
        return "".join(f"allow user{i} pull,push team-{i}/**\n"
                       for i in range(10000)) + f"allow alice pull r{more}\nallow alice pull r\n"

    with Guarded(rules("")) as registry:
        statuses, is_over = set(), threading.Event()

        def ask():
            while not is_over.is_set():
                statuses.add(registry.status("alice", "GET", "/v2/r/tags/list"))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for i in range(10):
            registry.write(rules(i))
            wait_for(lambda i=i: registry.status("alice", "GET", f"/v2/r{i}/tags/list") == 404,
                     "the rules are not read")
        is_over.set()
        for thread in threads:
            thread.join()
        assert statuses == {404}, statuses


def explain(*words):
    done = subprocess.run([PROGRAM, "access", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@case("access explain and access check agree with the server")
def _():
    with Guarded(RULES) as registry:
        assert explain("check", registry.rules) == (0, f"{registry.rules} has no mistakes\n", "")
        for user, repository, action in itertools.product((None, *USERS), REPOSITORIES,
                                                          ("pull", "push", "delete")):
            code, out, _ = explain("explain", "--file", registry.rules, user or "-", action,
                                   repository)
            allowed = action in model(user, repository) and not (user == "bob" and action == "push")
            assert (code, out.split(":")[0]) == ((0, "yes") if allowed else (1, "no")), (
                user, action, repository, out)
        code, out, _ = explain("explain", "-f", registry.rules, "alice", "push", "team/x")
        assert "line 3 allows alice to push team/x\n    allow @team pull,push team/**" in out, out
        config = registry.server.dir / "with-access.yml"
        config.write_text(
            "version: 0.1\nstorage:\n  filesystem: {}\nauth:\n  htpasswd:\n    realm: r\n"
                          f"    path: {registry.server.file}\n    access: {registry.rules}\n")
        code, out, _ = explain("explain", "-f", registry.rules, "bob", "push", "releases/x")
        assert (code == 1
                and f"\nbut {registry.rules} line 6 allows bob to push new tags\n" in out), out
        assert explain("explain", "-c", config, "robot+ci", "push", "team/x")[0] == 0
        registry.write("allow nobody pull x\n")
        assert ("does not have this user"
                in explain("explain", "-c", config, "nobody", "pull", "x")[1])
        registry.write("allow alice\n")
        code, out, err = explain("check", registry.rules)
        assert code == 2 and not out and "line 1" in err, (code, out, err)
        for words in ((), ("check",), ("explain", "a", "pull"), ("explain", "a", "all", "x"),
                      ("explain", "a", "pull", "X"),
                      ("fly",), ("check", "/nonexistent")):
            code, out, err = explain(*words)
            assert code == 2 and not out and err.count("\n") == 1, (words, code, out, err)


@case("skopeo reads public images without a login, and no others")
def _():
    with Guarded("allow root all **\nallow anyone pull public/**\n") as registry:
        for name in ("public/app", "private"):
            assert registry.push("root", name) == 201
        home = registry.server.dir / "home"
        home.mkdir()

        def inspect(name, *words):
            return subprocess.run(
                [need("skopeo"), "inspect", "--raw", "--tls-verify=false", *words,
                 f"docker://127.0.0.1:{registry.server.port}/{name}:latest"],
                env={"PATH": os.environ["PATH"], "HOME": str(home),
                     "REGISTRY_AUTH_FILE": str(home / "auth.json")},
                capture_output=True, check=False)

        shown = inspect("public/app")
        assert shown.stdout == MANIFEST, shown
        refused = inspect("private")
        assert refused.returncode != 0 and b"unauthorized" in refused.stderr.lower(), refused
        assert inspect("private", "--creds", f"root:{PASSWORD}").stdout == MANIFEST
        refused = inspect("private", "--creds", f"alice:{PASSWORD}")
        assert refused.returncode != 0 and b"denied" in refused.stderr.lower(), refused


main()
