#!/usr/bin/env python3
"""What the web page needs from the server: its files, and its extension of the API (docs/page.md).

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import datetime
import gzip
import hashlib
import http.client
import json
import re
import subprocess
import time

from clock_layer import ClockLayer
from harness import case, main
from plain_registry import PROGRAM, TIMEOUT_S, Server, line, wait_for

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip, deflate, br"}
HOUR_S = 60 * 60
FROM_PAGE = {"X-Requested-With": "registryd-page"}
USERS = "".join(line(user, "secret") for user in ("alice", "bob", "root"))
RULES = """
allow alice pull,push team/**
allow anyone pull public/**
allow root all **
"""


class Page(Server):
    """A registry with the users above. `ask` sends one request."""

    def __init__(self, htpasswd=USERS, rules=None, **settings):
        if htpasswd is None:
            settings["AUTH"] = "none"
        if rules is not None:
            settings["AUTH_HTPASSWD_ACCESS"] = "access"
        super().__init__(htpasswd, files={"access": rules} if rules is not None else None,
                         STORAGE_DELETE_ENABLED="true", **settings)

    def ask(self, path, user=None, headers=None, method="GET", password="secret", body=None):
        """Status, headers and body of the answer; user None sends no login."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        headers = dict(headers or {})
        if user is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        try:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def read(self, path, user=None, **more):
        """The JSON of an answer, which must be 200."""
        status, headers, body = self.ask(path, user, **more)
        assert status == 200, (path, user, status, body)
        assert headers["Cache-Control"] == "no-store", headers
        return json.loads(body)

    def push_blob(self, repository, content, user="root"):
        status, _, body = self.ask(f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}", user, method="POST", body=content,
                                   headers={"Content-Type": "application/octet-stream"})
        assert status == 201, (repository, status, body)
        return {"digest": digest_of(content), "size": len(content)}

    def push_manifest(self, repository, reference, manifest, user="root"):
        content = json.dumps(manifest).encode()
        reference = reference or digest_of(content)
        status, _, body = self.ask(f"/v2/{repository}/manifests/{reference}", user, method="PUT", body=content,
                                   headers={"Content-Type": manifest["mediaType"]})
        assert status == 201, (repository, reference, status, body)
        return {"mediaType": manifest["mediaType"], "digest": digest_of(content), "size": len(content)}

    def push(self, repository, tag, what="1", user="root", layer=b"a layer", config=None, **members):
        """An image for linux/amd64 whose layer and configuration are as given. Returns its descriptor."""
        config = json.dumps(config or {"os": "linux", "architecture": "amd64", "what": what}).encode()
        return self.push_manifest(repository, tag, {
            "schemaVersion": 2, "mediaType": IMAGE, "config": {"mediaType": CONFIG, **self.push_blob(repository, config, user)},
            "layers": [{"mediaType": LAYER, **self.push_blob(repository, layer, user)}], **members}, user)

    def tags(self, repository, query="", user="root"):
        return self.read(f"/v2/{repository}/_page/tags?{query}", user)


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def names(rows):
    return [row["name"] for row in rows]


# --- the files ---------------------------------------------------------------

@case("a browser gets the page at /, and everybody else the empty answer of registry:2")
def _():
    with Page() as server:
        status, headers, body = server.ask("/", headers=BROWSER)
        assert status == 200 and headers["Content-Encoding"] == "gzip", headers
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert gzip.decompress(body).lower().startswith(b"<!doctype html>")
        for others in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "text/html;q=0"} | {"Accept-Encoding": "gzip"},
                       BROWSER | {"Accept-Encoding": "identity"}, BROWSER | {"Accept-Encoding": "gzip;q=0"}):
            status, headers, body = server.ask("/", headers=others)
            assert (status, body) == (200, b""), (others, status, body)
        for method in ("POST", "DELETE", "PUT"):
            assert server.ask("/", headers=BROWSER, method=method)[::2] == (200, b""), method


@case("the page carries the headers that keep other code out, and nothing of it is loaded from elsewhere")
def _():
    with Page() as server:
        _, headers, body = server.ask("/", headers=BROWSER)
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'",
                     "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"):
            assert part in policy.split("; "), policy
        assert "unsafe" not in policy and "http" not in policy, policy
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert not re.search(rb"(?:src|href)\s*=\s*[\"']?(?:https?:|//|/)", gzip.decompress(body)), "an absolute reference"


def references(server):
    """The files that the document refers to, as paths with their versions."""
    return re.findall(r'["\'](?:\./)?(_page/[^"\']+)["\']', gzip.decompress(server.ask("/", headers=BROWSER)[2]).decode())


@case("HEAD and If-None-Match work for the page and its files; a file with its version is cached for ever")
def _():
    with Page() as server:
        for path in ["/", *("/" + name for name in references(server))]:
            status, headers, body = server.ask(path, headers=BROWSER)
            assert status == 200 and gzip.decompress(body), path
            assert ("no-cache" if path == "/" else "immutable") in headers["Cache-Control"], (path, headers["Cache-Control"])
            head = server.ask(path, headers=BROWSER, method="HEAD")
            assert head[0] == 200 and head[2] == b"" and head[1]["Content-Length"] == str(len(body)), path
            again = server.ask(path, headers=BROWSER | {"If-None-Match": headers["Etag"]})
            assert again[0] == 304 and again[2] == b"" and again[1]["Etag"] == headers["Etag"], path
            other = re.sub(r"_page/\w+/", "_page/0123456789abcdef/", path)
            assert server.ask(other, headers=BROWSER)[1]["Cache-Control"] == "no-cache", other


@case("paths below /_page/ that name no file are 404, whatever they contain")
def _():
    with Page() as server:
        for path in ("x", "x/x", "x/", "x/..", "..", "../v2/", "%2e%2e/%2e%2e/etc/passwd", "index.html", "%00", "a" * 96, "a" * 5000, "page.js/", "//", "%"):
            status = server.ask("/_page/" + path, headers=BROWSER)[0]
            assert status in (401, 404), (path, status)
        assert server.ask("/_page/", headers=BROWSER)[0] in (401, 404)
        assert server.ask("/_page/x", headers=BROWSER, method="POST")[0] == 405


@case("with http.prefix the page is below it, and the path without a slash leads there")
def _():
    with Page(HTTP_PREFIX="/registry/one/") as server:
        assert server.ask("/", headers=BROWSER)[2] == b"", "outside the prefix the page would not find the API"
        assert server.ask("/registry/one/", headers=BROWSER)[1]["Content-Encoding"] == "gzip"
        for name in references(server):
            assert server.ask("/registry/one/" + name, headers=BROWSER)[0] == 200, name
        status, headers, _ = server.ask("/registry/one", headers=BROWSER)
        assert (status, headers["Location"]) == (301, "/registry/one/")
        assert server.read("/registry/one/v2/_page/self")["user"] is None
        assert server.ask("/v2/_page/self")[0] == 404 or server.ask("/v2/_page/self")[0] == 401


@case("page.enabled: false turns off the page and its extension, and leaves everything else as it is")
def _():
    with Page(rules=RULES, PAGE_ENABLED="false") as server:
        status, headers, body = server.ask("/", headers=BROWSER)
        assert (status, body, headers["Vary"]) == (200, b"", None)
        for path in ("/_page/page.js", "/v2/_page/self", "/v2/_page/repositories", "/v2/_page/space", "/v2/_page/health",
                     "/v2/public/a/_page/tags", "/v2/public/a/_page/space"):
            assert server.ask(path)[0] == 401, path
            assert server.ask(path, "root")[0] == 404, path
        assert server.ask("/v2/", headers=FROM_PAGE)[1]["WWW-Authenticate"].startswith("Bearer ")
    with Page(PAGE_ENABLED="false") as server:
        assert server.ask("/v2/", headers=FROM_PAGE)[1]["WWW-Authenticate"].startswith("Basic ")


# --- who is asking -----------------------------------------------------------

@case("self says how to log in, and checks the login that is sent")
def _():
    with Page() as server:
        nobody = server.read("/v2/_page/self", headers={"Host": "registry.example:5000"})
        assert nobody == {"user": None, "login": "basic", "tokens": False, "anonymous": False, "host": "registry.example:5000",
                          "insecure": True, "push": False, "delete_enabled": True, "health": False, "catalog": False}, nobody
        alice = server.read("/v2/_page/self", "alice")
        assert alice["user"] == "alice" and alice["health"] and alice["catalog"] and alice["push"] and re.match(r"\d+\.\d+", alice["version"]), alice
        status, headers, _ = server.ask("/v2/_page/self", "alice", password="wrong")
        assert status == 401 and headers["WWW-Authenticate"].startswith("Basic ")
    with Page(rules=RULES, HTTP_HOST="https://shown.example/elsewhere") as server:
        nobody = server.read("/v2/_page/self")
        assert (nobody["login"], nobody["tokens"], nobody["anonymous"], nobody["host"]) == ("token", True, True, "shown.example")
        assert nobody["service"] == "Registry Realm" and nobody["insecure"] is False, nobody
        assert nobody["catalog"] is True and nobody["push"] is False, nobody
        assert not server.read("/v2/_page/self", "alice")["push"] and server.read("/v2/_page/self", "root")["push"]
    with Page(None, STORAGE_MAINTENANCE_READONLY_ENABLED="true") as server:
        nobody = server.read("/v2/_page/self")
        assert (nobody["login"], nobody["anonymous"], nobody["delete_enabled"]) == ("none", True, False), nobody
        assert "version" in nobody and nobody["push"] is False, nobody
    with Page(None) as server:
        assert server.read("/v2/_page/self")["push"] is True


@case("a refused request of the page does not make the browser ask for a password; others are asked as always")
def _():
    with Page() as server:
        for path, user in (("/v2/", None), ("/v2/_page/self", "alice"), ("/v2/a/tags/list", "alice")):
            status, headers, _ = server.ask(path, user, FROM_PAGE, password="wrong")
            assert status == 401 and "basic" not in headers["WWW-Authenticate"].lower().split(), headers
            status, headers, _ = server.ask(path, user, password="wrong")
            assert status == 401 and headers["WWW-Authenticate"].startswith("Basic "), headers


# --- tags --------------------------------------------------------------------

@case("tags come newest first with digest, type, platforms, size, who pushed and when it was pulled")
def _():
    with Page(rules=RULES) as server:
        first = server.push("team/app", "first", user="alice")
        amd = server.push("team/app", None, "x")
        arm = server.push("team/app", None, config={"os": "linux", "architecture": "arm", "variant": "v7"})
        index = server.push_manifest("team/app", "both", {
            "schemaVersion": 2, "mediaType": INDEX, "manifests": [
                {**amd, "platform": {"os": "linux", "architecture": "amd64"}},
                {**arm, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
                {**arm, "platform": {"os": "unknown", "architecture": "unknown"}}]})
        chart = server.push("team/app", "chart", artifactType="application/vnd.example+json")
        answer = server.tags("team/app")
        assert names(answer["tags"]) == ["chart", "both", "first"] and answer["next"] is None and answer["complete"], answer
        assert answer["total"] == 3 and answer["may_delete"] is True
        rows = {row["name"]: row for row in answer["tags"]}
        assert rows["first"]["digest"] == first["digest"] and rows["both"]["digest"] == index["digest"]
        assert rows["first"]["pushed_by"] == "alice" and rows["both"]["pushed_by"] == "root", rows
        assert rows["chart"]["artifact_type"] == "application/vnd.example+json" and rows["chart"]["digest"] == chart["digest"]
        assert rows["first"]["media_type"] == IMAGE and rows["both"]["media_type"] == INDEX
        size = len(b"a layer") + len(json.dumps({"os": "linux", "architecture": "amd64", "what": "1"}))
        assert rows["first"]["bytes"] == size and rows["first"]["platforms"] == [
            {"os": "linux", "architecture": "amd64", "digest": first["digest"], "bytes": size}], rows["first"]
        assert [(one["architecture"], one.get("variant"), one["digest"]) for one in rows["both"]["platforms"]] == [
            ("amd64", None, amd["digest"]), ("arm", "v7", arm["digest"])], rows["both"]
        assert rows["both"]["bytes"] == sum(one["bytes"] for one in rows["both"]["platforms"])
        for row in answer["tags"]:
            pushed = datetime.datetime.strptime(row["pushed"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
            assert abs(pushed.timestamp() - time.time()) < 3600 and "pulled" not in row, row
        assert server.tags("team/app", user="alice")["may_delete"] is False


@case("a pull is shown; looking at an image on the page is none")
def _():
    with Page() as server:
        server.push("app", "seen")
        server.push("app", "pulled")
        assert server.ask("/v2/app/manifests/seen", "root", FROM_PAGE)[0] == 200
        assert server.ask("/v2/app/manifests/pulled", "root")[0] == 200
        server.restart()  # writes the record of pulls
        rows = {row["name"]: row for row in server.tags("app")["tags"]}
        assert "pulled" in rows["pulled"] and "pulled" not in rows["seen"], rows


@case("search, order, pages and a platform find the same tags as the standard list")
def _():
    with Page() as server:
        for number in range(12):
            server.push("app", f"v{number}", config={"os": "linux", "architecture": ("amd64", "arm64")[number % 2], "n": number})
        every = server.tags("app", "n=200")
        assert names(every["tags"]) == [f"v{number}" for number in reversed(range(12))]
        assert names(server.tags("app", "order=name")["tags"]) == sorted(names(every["tags"]))
        assert names(server.tags("app", "search=V1")["tags"]) == ["v11", "v10", "v1"]
        assert server.tags("app", "search=v+1+0")["total"] == 1
        assert server.tags("app", "search=nothing")["tags"] == []
        for query, expected in (("", names(every["tags"])), ("order=name&", sorted(names(every["tags"]))),
                                ("platform=arm64&", [f"v{number}" for number in (11, 9, 7, 5, 3, 1)]),
                                ("platform=linux/amd64&", [f"v{number}" for number in (10, 8, 6, 4, 2, 0)]),
                                ("platform=s390x&", []), ("platform=arm&", []), ("platform=linux&", [])):
            found, last = [], ""
            while last is not None:
                answer = server.tags("app", f"{query}n=5&last={last}")
                found += names(answer["tags"])
                assert len(answer["tags"]) <= 5 and (last == "" or answer["tags"] or answer["next"] is None), answer
                last = answer["next"]
            assert found == expected, (query, found)


@case("tags that are asked for by name are found without a search, and the answer says what may be done")
def _():
    with Page(rules=RULES) as server:
        for tag in ("1", "1.0", "21"):
            server.push("team/app", tag)
        answer = server.tags("team/app", "names=1.0+gone+1+../x", "alice")
        assert names(answer["tags"]) == ["1.0", "1"] and answer["total"] == 2 and answer["complete"], answer
        assert answer["next"] is None and answer["may_delete"] is False and answer["tags"][0]["pushed_by"] == "root"
        assert server.tags("team/app", "names=gone") == {"tags": [], "next": None, "total": 0, "complete": True, "may_delete": True}
        assert server.ask("/v2/team/app/_page/tags?names=" + "x" * 2000, "alice")[0] == 400
        assert server.ask("/v2/team/app/_page/tags?names=1", "bob")[0] == 403


@case("a second server on the same storage sees pushes, moves and deletes within seconds")
def _():
    with Page() as one:
        one.push("app", "a")
        one.push("app", "b")
        with Page(STORAGE_FILESYSTEM_ROOTDIRECTORY=str(one.dir / "data")) as two:
            assert names(two.tags("app")["tags"]) == ["b", "a"]
            one.push("app", "a", "moved")
            one.push("app", "c")
            wait_for(lambda: names(two.tags("app")["tags"]) == ["c", "a", "b"], "the other server's pushes")
            assert one.ask("/v2/app/manifests/b", "root", method="DELETE")[0] == 202
            assert names(one.tags("app")["tags"]) == ["c", "a"]
            wait_for(lambda: names(two.tags("app")["tags"]) == ["c", "a"], "the other server's delete")


@case("tags that cannot be read, and unknown manifests, do not hide the others")
def _():
    with Page() as server:
        moved = server.push("app", "damaged")
        server.push("app", "whole", "whole")
        lost = server.push("app", "lost", "lost")
        root = server.dir / "data/docker/registry/v2"
        (root / "repositories/app/_manifests/tags/nonsense/current").mkdir(parents=True)
        (root / "repositories/app/_manifests/tags/nonsense/current/link").write_text("nonsense")
        for digest, action in ((moved["digest"], "damage"), (lost["digest"], "remove")):
            data = root / "blobs/sha256" / digest[7:9] / digest[7:] / "data"
            data.write_bytes(b"{}") if action == "damage" else data.unlink()
        server.restart()
        rows = {row["name"]: row for row in server.tags("app")["tags"]}
        assert set(rows) == {"damaged", "whole", "lost"}, rows
        assert rows["damaged"]["damaged"] is True and rows["lost"]["missing"] is True and rows["whole"]["bytes"] > 0, rows


# --- repositories ------------------------------------------------------------

REPOSITORIES = ("alone", "a/one", "b", "b/x/1", "b/x/2", "b/y", "b-z", "team/app", "team/web/api", "public/app", "secret/app")


@case("repositories are found by words and by path, in pages, grouped by the next part of the path")
def _():
    with Page() as server:
        for repository in REPOSITORIES:
            server.push(repository, "latest")
        server.push("b", "second")

        def read(query):
            return server.read(f"/v2/_page/repositories?{query}", "root")

        answer = read("n=200")
        assert sorted(names(answer["repositories"])) == sorted(REPOSITORIES) and answer["next"] is None
        assert answer["total"] == len(REPOSITORIES)
        tags = {row["name"]: row["tags"] for row in answer["repositories"]}
        assert tags["b"] == 2 and tags["a/one"] == 1, tags
        assert all(re.match(r"\d{4}-\d\d-\d\dT", row["updated"]) for row in answer["repositories"]), answer
        assert names(read("search=APP")["repositories"]) == ["public/app", "secret/app", "team/app"]
        assert names(read("search=app+t")["repositories"]) == ["secret/app", "team/app"]
        assert names(read("path=b/&search=x")["repositories"]) == ["b/x/1", "b/x/2"]
        assert names(read("path=b")["repositories"]) == ["b/x/1", "b/x/2", "b/y"]
        top = read("group=1")
        assert names(top["repositories"]) == ["a/one", "alone", "b", "b-z", "public/app", "secret/app"], top
        assert [(one["path"], one["repositories"]) for one in top["groups"]] == [("b/", 3), ("team/", 2)]
        below = read("group=1&path=b/")
        assert names(below["repositories"]) == ["b/y"] and below["groups"] == [{"path": "b/x/", "repositories": 2}]
        for query in ("", "group=1&", "search=a&", "path=b/&group=1&"):
            whole, rows, groups, last = read(query + "n=200"), [], [], ""
            while last is not None:
                page = read(f"{query}n=2&last={last}")
                rows += page["repositories"]
                groups += page.get("groups", [])
                assert page["total"] == whole["total"]
                last = page["next"]
            assert rows == whole["repositories"] and groups == whole.get("groups", []), (query, names(rows), groups)
        server.push("new/one", "latest")
        assert "new/one" in names(read("n=200")["repositories"]), "this server's pushes are seen at once"


@case("repositories without tags, with an upload only, and of another server")
def _():
    with Page() as one:
        one.push("untagged", None)
        one.push_blob("blobs", b"only a blob")
        assert one.ask("/v2/uploading/blobs/uploads/", "root", method="POST", body=b"")[0] == 202
        with Page(STORAGE_FILESYSTEM_ROOTDIRECTORY=str(one.dir / "data")) as two:
            rows = two.read("/v2/_page/repositories", "root")["repositories"]
            assert rows == [{"name": "blobs", "tags": 0}, {"name": "untagged", "tags": 0}], rows
            one.push("more", "latest")
            wait_for(lambda: "more" in names(two.read("/v2/_page/repositories", "root")["repositories"]), "the other server's push")


# --- space, deletion and health ----------------------------------------------

def stored(server):
    """The bytes of all blobs on the disk."""
    return sum(path.stat().st_size for path in (server.dir / "data/docker/registry/v2/blobs").rglob("data"))


@case("space says what repositories and tags have alone and shared, what a collection frees, and how it grew")
def _():
    with Page() as server:
        server.push("one", "a", layer=b"x" * 1000)
        server.push("one", "b", "2", layer=b"x" * 1000)
        server.push("two", "c", "3", layer=b"x" * 1000)
        server.push("two", "d", "4", layer=b"y" * 500)
        answer = server.read("/v2/_page/space", "root")
        rows = {row["name"]: row for row in answer["repositories"]}
        assert rows["one"]["shared"] == rows["two"]["shared"] == answer["shared"] == 1000, answer
        assert answer["total"] == stored(server) == 1000 + rows["one"]["alone"] + rows["two"]["alone"], answer
        assert answer["free_by_collection"] == 0
        assert [point["bytes"] for point in answer["history"]] == [answer["total"]] and answer["as_of"], answer
        assert names(server.read("/v2/_page/space?path=tw", "root")["repositories"]) == ["two"]
        tags = server.read("/v2/one/_page/space", "root")
        assert tags["shared"] == 1000 and tags["alone"] == rows["one"]["alone"], tags
        assert {row["name"]: row["shared"] for row in tags["tags"]} == {"a": 1000, "b": 1000} and tags["complete"], tags
        assert sum(row["alone"] for row in tags["tags"]) == tags["alone"] and tags["untagged"] == 0
        digest = server.tags("two", "search=d")["tags"][0]["digest"]
        assert server.ask(f"/v2/two/manifests/{digest}", "root", method="DELETE")[0] == 202
        server.restart()  # measures again, because nothing is in memory
        again = server.read("/v2/_page/space", "root")
        assert again["free_by_collection"] > 500 and len(again["history"]) == 1, again
        assert server.ask("/v2/none/_page/space", "root")[0] == 404


@case("consequences of a deletion: the tags that go along, referrers, and what is freed")
def _():
    with Page() as server:
        image = server.push("app", "one", layer=b"x" * 1000)
        server.push("app", "two", layer=b"x" * 1000)  # the same manifest
        other = server.push("app", "other", "2", layer=b"x" * 1000)
        signature = server.push("app", None, "sig", layer=b"signed", subject=image, artifactType="application/vnd.example.signature")
        server.push("elsewhere", "copy", "2", layer=b"z")

        def read(query):
            return server.read(f"/v2/app/_page/consequences?{query}", "root")

        answer = read("digest=" + image["digest"])
        assert sorted(answer["tags"]) == ["one", "two"] and answer["referrers"] == 1, answer
        config = len(json.dumps({"os": "linux", "architecture": "amd64", "what": "1"}))
        assert answer["bytes_freed"] == image["size"] + config, "the layer is in another image, too"
        answer = read("digest=" + other["digest"])
        assert answer["tags"] == ["other"] and answer["bytes_freed"] == other["size"], "another repository has the configuration"
        assert read("digest=" + signature["digest"])["tags"] == []
        assert read("tag=one") == {"tags": ["one"], "tag_count": 1, "referrers": 0, "bytes_freed": 0}
        for query, status in (("digest=sha256:" + "0" * 64, 404), ("tag=none", 404), ("", 400), ("tag=..", 400), ("digest=x", 400),
                              (f"tag=one&digest={image['digest']}", 400), ("digest=" + "a" * 300, 400), ("tag=%00", 400)):
            assert server.ask(f"/v2/app/_page/consequences?{query}", "root")[0] == status, query


@case("health: storage, uploads, the last collection and failed logins, for those who have the action health")
def _():
    with Page(rules=RULES + "allow root health **\n", STORAGE_MAINTENANCE_GARBAGECOLLECT_ENABLED="true") as server:
        server.push("app", "latest")
        assert server.ask("/v2/app/blobs/uploads/", "root", method="POST", body=b"")[0] == 202
        server.ask("/v2/", "alice", password="typed <b>wrong</b>")
        wait_for(lambda: "result" in server.read("/v2/_page/health", "root").get("last_collection", {}), "the first collection")
        health = server.read("/v2/_page/health", "root")
        assert health["storage"]["writable"] and health["storage"]["reachable"], health
        assert 0 < health["storage"]["free"] <= health["storage"]["total"], health
        assert [(one["repository"], one["bytes"]) for one in health["uploads"]] == [("app", 0)] and "started" in health["uploads"][0]
        assert health["last_collection"]["completed"] >= health["last_collection"]["started"], health
        assert health["last_collection"]["result"] == "done" and "certificate" not in health, health
        logins = health["failed_logins"]
        assert logins["count"] == 1 and logins["last"][0]["user"] == "alice" and logins["last"][0]["address"] == "127.0.0.1", logins
        assert server.read("/v2/_page/self", "root")["health"] is True
        for user, status in (("alice", 403), ("bob", 403), (None, 403)):
            assert server.ask("/v2/_page/health", user)[0] == status, user
            assert server.read("/v2/_page/self", user)["health"] is False
        rules = server.dir / "access"
        for user, line_shown in (("root", "allow root health **"), ("alice", None), ("-", None)):
            done = subprocess.run([PROGRAM, "access", "explain", "--file", rules, user, "health"], capture_output=True, check=False)
            assert done.returncode == (0 if line_shown else 1) and b"see the health of the registry" in done.stdout, done
            assert (line_shown or "no: no rule").encode() in done.stdout, done
        for wrong in ("allow root health team/**", "allow root pull,health a b", "allow root health"):
            rules.write_text(wrong + "\n")
            done = subprocess.run([PROGRAM, "access", "check", rules], capture_output=True, check=False)
            assert done.returncode == 2 and b"access line 1: " in done.stderr, (wrong, done)
    with Page() as server:
        assert server.ask("/v2/_page/health")[0] == 401
        assert "failed_logins" in server.read("/v2/_page/health", "alice"), "without rules every user may"
    with Page(None) as server:
        assert "failed_logins" not in server.read("/v2/_page/health"), "nobody logs in"


# --- rights ------------------------------------------------------------------

class Daily:
    """A registry whose clocks a test moves."""

    def __enter__(self):
        self.clock = ClockLayer()
        self.server = Page(variables=self.clock.environment()).__enter__()
        self.records = self.server.dir / "data/docker/registry/v2/registryd"
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def points(self):
        """The recorded points: time and bytes."""
        record = self.records / "page/space"
        rows = record.read_text(encoding="ascii").splitlines() if record.exists() else []
        return [tuple(map(int, row.split())) for row in rows]

    def wait_for_points(self, count):
        wait_for(lambda: len(self.points()) == count, f"{count} points instead of {self.points()}")

    def pass_hours(self, hours):
        """Moves the clocks, and waits until the server's thread has done all that was due. It writes the record of
        pulls once an hour at the beginning of its round, so the next such record is the end of this round."""
        for step in (hours - 2, 2):
            before = self.read_pulls()
            self.clock.move(step * HOUR_S)
            wait_for(lambda before=before: self.read_pulls() != before, "the server to see the new time")

    def read_pulls(self):
        record = self.records / "pulls"
        return record.read_text(encoding="ascii") if record.exists() else ""

    def collect(self):
        """Removes what no tag refers to, by the command."""
        subprocess.run([PROGRAM, "garbage-collect", "--delete-untagged", self.server.config], check=True,
                       env=self.server.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)


@case("the size of the registry is recorded once a day if something has changed, although nobody looks")
def _():
    with Daily() as daily:
        daily.server.push("team/app", "1", layer=b"x" * 1000)
        daily.pass_hours(4)
        daily.wait_for_points(1)
        daily.server.push("team/app", "2", layer=b"y" * 50000)
        daily.pass_hours(20)
        assert len(daily.points()) == 1, daily.points()
        daily.pass_hours(6)
        daily.wait_for_points(2)
        # Nothing changes for two days.
        daily.pass_hours(25)
        daily.pass_hours(25)
        assert len(daily.points()) == 2, daily.points()
        # A collection is a change, also by a command, of which the server knows nothing.
        assert daily.server.ask("/v2/team/app/manifests/2", "root", method="DELETE")[0] == 202
        daily.pass_hours(3)
        daily.wait_for_points(3)
        daily.pass_hours(25)
        assert len(daily.points()) == 3, daily.points()
        daily.collect()
        daily.pass_hours(3)
        daily.wait_for_points(4)
        (first_s, one), (second_s, two), (third_s, three), (_, four) = daily.points()
        assert second_s - first_s >= 24 * HOUR_S and third_s - second_s > 48 * HOUR_S, daily.points()
        assert one > 1000 and two - one > 50000 and three == two and four == one, daily.points()
        history = daily.server.read("/v2/_page/space", "root")["history"]
        assert [point["bytes"] for point in history[:4]] == [one, two, three, four], history


@case("space considers only what the user may pull, and growth is for those who may pull everything")
def _():
    with Page(rules=RULES) as server:
        for number, repository in enumerate(("team/app", "secret/app", "public/app")):
            server.push(repository, "latest", str(number), layer=b"shared layer")
        image = server.tags("team/app", user="alice")["tags"][0]["digest"]
        with Page(rules=RULES) as fewer:
            fewer.push("team/app", "latest", "0", layer=b"shared layer")
            fewer.push("public/app", "latest", "2", layer=b"shared layer")
            for user, paths in (("alice", ("_page/space", "team/app/_page/space", f"team/app/_page/consequences?digest={image}")),
                                (None, ("_page/space", "public/app/_page/space"))):
                for path in paths:
                    answers = [one.read("/v2/" + path, user) for one in (server, fewer)]
                    for answer in answers:
                        answer.pop("as_of", None)
                    assert answers[0] == answers[1], (user, path, answers)
                    assert "history" not in answers[0] and "free_by_collection" not in answers[0]
        for rules, is_all in (("allow root pull **", True), ("allow root pull secret/** team/** public/**", False),
                              ("allow root pull *\nallow root pull */*", False)):
            server.write(rules + "\n", server.dir / "access")
            wait_for(lambda is_all=is_all: ("history" in server.read("/v2/_page/space", "root")) == is_all,
                     f"the history with {rules}")
            assert ("free_by_collection" in server.read("/v2/_page/space", "root")) == is_all
        server.write(RULES, server.dir / "access")
        for path in ("secret/app/_page/space", "secret/app/_page/consequences?tag=latest"):
            assert (server.ask("/v2/" + path, "alice")[0], server.ask("/v2/" + path)[0]) == (403, 401), path


@case("repositories that the user may not pull are in no list, group, count, search or cursor")
def _():
    with Page(rules=RULES) as server:
        seen = {"root": REPOSITORIES, "alice": ("team/app", "team/web/api", "public/app"), "bob": ("public/app",), None: ("public/app",)}
        for repository in REPOSITORIES:
            server.push(repository, "latest")
        for user, visible in seen.items():
            if user == "root":
                continue
            # The same answers come from a registry that has nothing else.
            fewer = Page(rules=RULES)
            with fewer:
                for repository in visible:
                    fewer.push(repository, "latest")
                for query in ("", "group=1", "n=1", "n=1&last=secret/a", "n=1&last=b/", "search=secret", "search=app", "path=secret/", "path=b/&group=1",
                              "last=a", "last=zzz", "group=1&n=1", "group=1&n=1&last=b/"):
                    answers = [one.read(f"/v2/_page/repositories?{query}", user) for one in (server, fewer)]
                    for answer in answers:
                        for row in answer["repositories"]:
                            row.pop("updated")
                    assert answers[0] == answers[1], (user, query, answers)
        with Page(rules="allow alice pull team/**\n") as closed:
            assert closed.ask("/v2/_page/repositories")[0] == 401
            assert closed.read("/v2/_page/repositories", "bob") == {"repositories": [], "total": 0, "next": None}


@case("tags are shown to those who may pull, and who pushed only to users")
def _():
    with Page(rules=RULES) as server:
        for repository in ("team/app", "public/app", "secret/app"):
            server.push(repository, "latest")
        assert server.tags("public/app", user="alice")["tags"][0]["pushed_by"] == "root"
        assert "pushed_by" not in server.tags("public/app", user=None)["tags"][0]
        for repository, user, expected in (("team/app", "alice", 200), ("team/app", "bob", 403), ("team/app", None, 401),
                                           ("secret/app", "alice", 403), ("secret/none", "alice", 403), ("team/none", "alice", 404),
                                           ("public/none", None, 404), ("secret/app", None, 401), ("secret/none", None, 401)):
            status, _, body = server.ask(f"/v2/{repository}/_page/tags", user)
            assert status == expected, (repository, user, status, body)
        denied = {server.ask(f"/v2/secret/{name}/_page/tags", "alice")[2].replace(name.encode(), b"X") for name in ("app", "none")}
        assert len(denied) == 1, "the refusal tells whether a repository exists"


# --- parameters --------------------------------------------------------------

@case("wrong parameters are refused with one error, and odd ones do no harm")
def _():
    with Page() as server:
        server.push("app", "latest")
        for query in ("n=x", "n=0", "n=-1", "n=99999999999999999999", "n=%00", "order=oldest", "order=%01", "search=%00", "search=%0a",
                      "search=" + "a" * 300, "last=x", "last=%ff%fe", "last=1", "last=-", "last=" + "9" * 30 + "-a", "last=" + "a" * 300,
                      "platform=" + "a" * 300, "platform=%1b", "search=%", "search=%zz"):
            status, _, body = server.ask(f"/v2/app/_page/tags?{query}", "root")
            assert status == 400 and len(json.loads(body)["errors"]) == 1, (query, status, body)
        for query in ("n=18446744073709551615", "search=", "search=%3Cscript%3E", "search=%ff", "search=%E2%80%AE", "platform=/", "platform=%2F%2F",
                      "platform=%0a" * 0, "last=", "order=", "&&&", "=", "x=y&n=1", "last=-5-a", "order=name&last=zzz", "n=1&n=x"):
            status, _, body = server.ask(f"/v2/app/_page/tags?{query}", "root")
            assert status == 200 and json.loads(body)["complete"], (query, status, body)
        for query in ("n=x", "n=0", "search=%00", "path=%0a", "path=" + "a" * 300, "last=" + "a" * 300, "group=" + "1" * 20, "search=" + "a" * 300):
            assert server.ask(f"/v2/_page/repositories?{query}", "root")[0] == 400, query
        for query in ("path=/", "path=//", "path=..", "path=../../etc", "last=%2f", "last=/", "group=2", "group=", "search=%ff", "path=app&group=1",
                      "path=a%2f&last=" + "a" * 250, "path=" + "a" * 254):
            server.read(f"/v2/_page/repositories?{query}", "root")
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert server.ask("/v2/app/_page/tags", "root", method=method, body=b"")[0] == 405
        assert server.ask("/v2/app/_page/tags", "root", method="HEAD")[0] == 200
        assert server.ask("/v2/app/_page/other", "root")[0] == 404


main()
