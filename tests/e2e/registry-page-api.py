#!/usr/bin/env python3
"""What the web page needs from the server: its files, and its extension of the API (docs/page.md).

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import gzip
import http.client
import json
import re

from harness import case, main
from plain_registry import TIMEOUT_S, Server, line

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip, deflate, br"}
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
                     "form-action 'none'", "frame-ancestors 'none'"):
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
                          "delete_enabled": True, "health": False}, nobody
        alice = server.read("/v2/_page/self", "alice")
        assert alice["user"] == "alice" and alice["health"] is True and re.match(r"\d+\.\d+", alice["version"]), alice
        status, headers, _ = server.ask("/v2/_page/self", "alice", password="wrong")
        assert status == 401 and headers["WWW-Authenticate"].startswith("Basic ")
    with Page(rules=RULES, HTTP_HOST="https://shown.example/elsewhere") as server:
        nobody = server.read("/v2/_page/self")
        assert (nobody["login"], nobody["tokens"], nobody["anonymous"], nobody["host"]) == ("token", True, True, "shown.example")
    with Page(None, STORAGE_MAINTENANCE_READONLY_ENABLED="true") as server:
        nobody = server.read("/v2/_page/self")
        assert (nobody["login"], nobody["anonymous"], nobody["delete_enabled"]) == ("none", True, False), nobody
        assert "version" in nobody


@case("a refused request of the page does not make the browser ask for a password; others are asked as always")
def _():
    with Page() as server:
        for path, user in (("/v2/", None), ("/v2/_page/self", "alice"), ("/v2/a/tags/list", "alice")):
            status, headers, _ = server.ask(path, user, FROM_PAGE, password="wrong")
            assert status == 401 and "basic" not in headers["WWW-Authenticate"].lower().split(), headers
            status, headers, _ = server.ask(path, user, password="wrong")
            assert status == 401 and headers["WWW-Authenticate"].startswith("Basic "), headers


main()
