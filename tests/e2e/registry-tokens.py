#!/usr/bin/env python3
"""Tokens: what the token server gives, what a token gives, how it ends, and attacks on it.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import concurrent.futures
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import urllib.parse

from docker_user import ContainersUser, find_secret
from harness import case, main, need
from plain_registry import PROGRAM, TIMEOUT_S, Server, line, wait_for
from registry import Registry

REALM, PASSWORD, FORM = "Registry Realm", "secret", "application/x-www-form-urlencoded"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
LAYER = b"a layer"
RULES = """
allow alice pull,push team/**
allow alice pull shared
allow carol pull,push-new team/**
allow anyone pull public/**
allow root all **
"""
USERS = ("alice", "bob", "carol", "root")


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def basic(user, password=PASSWORD):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token):
    return json.loads(decode(token.split(".")[1]))


class TokenServer:
    """A registry with rules and tokens. `call` sends one request."""

    def __init__(self, rules=RULES, users=USERS, **settings):
        files = {"access": rules} if rules is not None else {}
        if rules is not None:
            settings.setdefault("AUTH_HTPASSWD_ACCESS", "access")
        self.users = {user: line(user, PASSWORD) for user in users}
        self.server = Server("".join(self.users.values()), files=files, STORAGE_DELETE_ENABLED="true", **settings)
        self.secrets = []  # that must not be in the log

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        log = self.server.log()
        self.server.__exit__()
        found = [secret for secret in self.secrets for part in secret.split(".") if len(part) > 60 and part in log]
        assert not found, f"in the log: {found}"

    @property
    def storage(self):
        return self.server.dir / "data/docker/registry/v2"

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def status(self, *words):
        return self.call(*words)[0]

    def fetch(self, user, *scopes, expected=200, **parameters):
        """GET /token; returns the answer's members."""
        query = urllib.parse.urlencode([("service", REALM), *(("scope", scope) for scope in scopes), *parameters.items()])
        return self._tokens(self.call("GET", "/token?" + query, None, basic(user) if user else None), expected)

    def post(self, expected=200, **parameters):
        body = urllib.parse.urlencode({"service": REALM, "client_id": "test", **parameters})
        return self._tokens(self.call("POST", "/token", body, {"Content-Type": FORM}), expected)

    def refresh(self, identity, scope="repository:team/app:pull", expected=200):
        return self.post(expected, grant_type="refresh_token", refresh_token=identity, scope=scope)

    def _tokens(self, answer, expected):
        status, headers, body = answer
        assert status == expected, (status, body)
        if status != 200:
            return body
        members = json.loads(body)
        assert members["token"] == members["access_token"] and members["expires_in"] >= 60, members
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", members["issued_at"]), members
        assert headers["Cache-Control"] == "no-store", headers
        self.secrets += [members["token"], *([members["refresh_token"]] if "refresh_token" in members else [])]
        return members

    def push_blob(self, user, repository, content=LAYER):
        status = self.status("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}", content,
                             {"Content-Type": "application/octet-stream", **basic(user)})
        assert status == 201, (user, repository, status)

    def command(self, *words, rc=0):
        result = subprocess.run([PROGRAM, "token", *words, "--config", self.server.config], env=self.server.env, text=True,
                                capture_output=True, cwd=self.server.dir, check=False)
        assert result.returncode == rc, (words, result)
        return result.stdout + result.stderr

    def sign(self, claims, header=None, key=None):
        """A token with these claims, which are JSON text or an object, signed with the registry's own key."""
        text = claims if isinstance(claims, str) else json.dumps(claims)
        signed = f"{encode(json.dumps(header or {'alg': 'EdDSA', 'typ': 'JWT'}).encode())}.{encode(text.encode())}"
        folder = self.server.dir / "sign"
        folder.mkdir(exist_ok=True)
        pem = key or (self.storage / "private/keys/signing-1").read_text().partition("\n")[2]
        (folder / "key").write_text(pem)
        (folder / "text").write_text(signed)
        done = subprocess.run([need("openssl"), "pkeyutl", "-sign", "-rawin", "-inkey", folder / "key", "-in", folder / "text"],
                              check=True, capture_output=True)
        return f"{signed}.{encode(done.stdout)}"


def code_of(body):
    return json.loads(body)["errors"][0]["code"]


# --- the challenge ----------------------------------------------------------------------------------


@case("401 names the token server, the service and the scope, and nothing but Bearer")
def _():
    with TokenServer() as registry:
        host = f"127.0.0.1:{registry.server.port}"

        def challenge(method, path, **headers):
            status, answer, body = registry.call(method, path, None, headers)
            assert (status, code_of(body) if body else "UNAUTHORIZED") == (401, "UNAUTHORIZED"), (status, body)
            assert len(answer.get_all("WWW-Authenticate")) == 1, answer
            return answer["WWW-Authenticate"]

        start = f'Bearer realm="http://{host}/token",service="{REALM}"'
        assert challenge("GET", "/v2/") == start
        assert challenge("HEAD", "/v2/team/app/manifests/v1") == start + ',scope="repository:team/app:pull"'
        assert challenge("PUT", "/v2/team/app/manifests/v1") == start + ',scope="repository:team/app:pull,push"'
        assert challenge("DELETE", "/v2/team/app/manifests/v1") == start + ',scope="repository:team/app:delete"'
        assert challenge("POST", f"/v2/team/app/blobs/uploads/?mount={digest_of(LAYER)}&from=base") == \
            start + ',scope="repository:team/app:pull,push repository:base:pull"'
        assert challenge("GET", "/v2/_catalog", **bearer(registry.fetch("bob")["token"])) == \
            start + ',scope="registry:catalog:*",error="insufficient_scope"'
        assert challenge("GET", "/v2/", **bearer("x.y.z")) == start + ',error="invalid_token"'
        # Nobody but a trusted proxy says where passwords are sent.
        forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
        assert challenge("GET", "/v2/", **forged) == start
        assert challenge("GET", "/v2/", Host="other.example:5000").startswith('Bearer realm="http://other.example:5000/token"')
    with TokenServer(HTTP_TRUSTEDPROXIES="[127.0.0.1]", HTTP_PREFIX="/a/b/") as registry:
        forwarded = {"X-Forwarded-Host": "registry.example", "X-Forwarded-Proto": "https"}
        answer = registry.call("GET", "/a/b/v2/", None, forwarded)[1]["WWW-Authenticate"]
        assert answer.startswith('Bearer realm="https://registry.example/a/b/token"'), answer
        assert registry.status("GET", "/a/b/token", None, basic("alice")) == 200
    with TokenServer(HTTP_HOST="https://registry.example/x") as registry:
        answer = registry.call("GET", "/v2/")[1]["WWW-Authenticate"]
        assert answer.startswith('Bearer realm="https://registry.example/x/token"'), answer


@case("without an access file, or with tokens switched off, there is no token server and Basic is asked for")
def _():
    for registry in (TokenServer(rules=None), TokenServer(AUTH_HTPASSWD_TOKENS="false")):
        with registry:
            assert registry.call("GET", "/v2/")[1]["WWW-Authenticate"] == f'Basic realm="{REALM}"'
            assert registry.status("GET", "/token", None, basic("alice")) == 404
            assert registry.call("GET", "/v2/", None, bearer("a.b.c"))[1]["WWW-Authenticate"] == f'Basic realm="{REALM}"'
            assert not (registry.storage / "private").exists()
    with TokenServer(rules=None, AUTH_HTPASSWD_TOKENS="true") as registry:
        token = registry.fetch("bob", "repository:any/thing:*")["token"]
        assert registry.status("POST", "/v2/any/thing/blobs/uploads/", b"", bearer(token)) == 202
        assert registry.status("POST", "/v2/other/blobs/uploads/", b"", bearer(token)) == 401
        assert registry.fetch(None, "repository:any/thing:pull", expected=401)


# --- what the token server gives --------------------------------------------------------------------


def actions(token):
    return {(item["type"], item["name"]): set(item["actions"]) for item in claims_of(token)["access"]}


@case("a token has the scopes that were asked for and that the rules permit")
def _():
    with TokenServer() as registry:
        def give(user, *scopes):
            return actions(registry.fetch(user, *scopes)["token"])

        app, public = ("repository", "team/app"), ("repository", "public/x")
        assert give("alice") == {}
        assert give("alice", "repository:team/app:pull") == {app: {"pull"}}
        assert give("alice", "repository:team/app:pull,push,delete") == {app: {"pull", "push"}}
        assert give("root", "repository:team/app:*") == {app: {"pull", "push", "delete"}}
        assert give("carol", "repository:team/app:push") == {app: {"push"}}  # push-new is decided when a tag is pushed
        assert give("bob", "repository:team/app:pull") == {app: set()}
        both = {app: {"pull", "push"}, public: {"pull"}}
        assert give("alice", "repository:team/app:pull", "repository:public/x:pull,push", "repository:team/app:push") == both
        assert give("alice", "repository:team/app:pull,push  repository:public/x:pull,push") == both
        assert give("bob", "registry:catalog:*") == {("registry", "catalog"): {"*"}}
        ignored = ("repository:UPPER:pull", "repository:../../x:pull", "registry:other:*", "thing:team/app:pull", "x", "a:b",
                   "repository:team/app", ":::", "repository::pull")
        assert give("alice", *ignored) == {}
        assert give("alice", "repository:team/app:fly") == {app: set()}
        # without a login
        assert give(None, "repository:public/x:pull,push", "repository:team/app:pull") == {public: {"pull"}, app: set()}
        for scopes in ((), ("repository:team/app:pull",), ("repository:public/x:push",)):
            assert code_of(registry.fetch(None, *scopes, expected=401)) == "UNAUTHORIZED"


@case("POST has the grants password and refresh_token; what is wrong or missing is refused")
def _():
    with TokenServer() as registry:
        scope = "repository:team/app:pull"
        first = registry.post(grant_type="password", username="alice", password=PASSWORD, scope=scope, access_type="offline")
        assert claims_of(first["token"])["sub"] == "alice" and first["refresh_token"].startswith("rdi_")
        assert "refresh_token" not in registry.post(grant_type="password", username="alice", password=PASSWORD)
        second = registry.refresh(first["refresh_token"])
        assert actions(second["token"]) == {("repository", "team/app"): {"pull"}} and "refresh_token" not in second
        again = registry.post(grant_type="refresh_token", refresh_token=first["refresh_token"], access_type="offline")
        assert again["refresh_token"] == first["refresh_token"]  # no new one
        registry.post(401, grant_type="password", username="alice", password="wrong")
        registry.post(401, grant_type="refresh_token", refresh_token="rdi_" + "A" * 88)
        registry.post(401, grant_type="refresh_token", refresh_token=first["token"])
        for wrong in ({}, {"grant_type": "none"}, {"grant_type": "password"}, {"grant_type": "refresh_token"},
                      {"grant_type": "password", "username": "alice", "password": "a\0b"},
                      {"grant_type": "password", "username": "alice", "password": PASSWORD, "service": "other"}):
            registry.post(400, **wrong)
        assert registry.status("POST", "/token", "grant_type=password&username=%zz&password=x", {"Content-Type": FORM}) == 400
        assert registry.status("POST", "/token", "x" * 20000, {"Content-Type": FORM}) == 413
        assert registry.status("GET", "/token?service=other", None, basic("alice")) == 400
        assert registry.call("GET", "/token", None, basic("alice", "wrong"))[1]["WWW-Authenticate"].startswith("Basic ")
        assert registry.status("GET", "/token", None, bearer(second["token"])) == 401
        assert registry.status("PUT", "/token", b"", basic("alice")) == 405


@case("a parameter that comes twice is refused, because two readers could choose differently")
def _():
    with TokenServer() as registry:
        grant = f"grant_type=password&username=alice&password={PASSWORD}"
        assert registry.status("POST", "/token", grant, {"Content-Type": FORM}) == 200
        for more in ("grant_type=password", "username=root", "password=x", "%75sername=root", "service=a&service=b", "client_id=&client_id="):
            assert registry.status("POST", "/token", f"{grant}&{more}", {"Content-Type": FORM}) == 400, more
        for twice in ("service=Registry+Realm&service=other", "account=alice&account=root", "offline_token=true&offline_token="):
            assert registry.status("GET", "/token?" + twice, None, basic("alice")) == 400, twice
        # What is no form at all.
        for body in (json.dumps({"grant_type": "password", "username": "alice", "password": PASSWORD}), "", "&&&", "=", "%", "grant_type"):
            assert registry.status("POST", "/token", body, {"Content-Type": "application/json"}) == 400, body


@case("guesses at the token server count like all others")
def _():
    with TokenServer(AUTH_HTPASSWD_GUESSES="3") as registry:
        statuses = [registry.status("GET", "/token", None, basic("alice", f"wrong{i}")) for i in range(5)]
        assert statuses[:3] == [401] * 3 and statuses[-1] == 429, statuses
        assert registry.status("GET", "/v2/", None, basic("alice", "wrong")) == 429


# --- what a token gives -----------------------------------------------------------------------------

REQUESTS = [
    ("GET", "tags/list", {"pull"}), ("HEAD", "manifests/latest", {"pull"}), ("GET", f"blobs/{digest_of(LAYER)}", {"pull"}),
    ("POST", "blobs/uploads/", {"pull", "push"}), ("PUT", "manifests/new", {"pull", "push"}),
    ("DELETE", "manifests/absent", {"delete"}), ("DELETE", f"blobs/{digest_of(b'absent')}", {"delete"}),
]
GIVEN = {"alice": {"pull", "push"}, "bob": set(), "carol": {"pull", "push"}, "root": {"pull", "push", "delete"}}


@case("a request needs the token's scopes and the rules; both are asked each time")
def _():
    with TokenServer() as registry:
        registry.push_blob("root", "team/app")
        for user, count in itertools.product(USERS, range(4)):
            for asked in itertools.combinations(("pull", "push", "delete"), count):
                scopes = [f"repository:team/app:{','.join(asked)}"] if asked else []
                token = registry.fetch(user, *scopes)["token"]
                for method, path, needs in REQUESTS:
                    status, headers, body = registry.call(method, f"/v2/team/app/{path}", b"{}" if method == "PUT" else b"",
                                                          {"Content-Type": IMAGE, **bearer(token)})
                    what = (user, asked, method, path, status, body)
                    if needs <= set(asked) & GIVEN[user]:
                        assert status not in (401, 403), what
                    elif asked and not needs <= GIVEN[user]:
                        assert status == 403, what  # the user is known, and another token would not help
                    else:
                        assert status == 401 and 'error="insufficient_scope"' in headers["WWW-Authenticate"], what


@case("a changed rule takes effect at once, whatever the token says, and gives no token more than it has")
def _():
    with TokenServer() as registry:
        registry.push_blob("root", "team/app")
        token = registry.fetch("alice", "repository:team/app:pull,push", "repository:secret:pull")["token"]
        blob = f"/v2/team/app/blobs/{digest_of(LAYER)}"
        assert registry.status("GET", blob, None, bearer(token)) == 200
        registry.server.write("allow alice pull secret\n", registry.server.dir / "access")
        wait_for(lambda: registry.status("GET", blob, None, bearer(token)) == 403, "the rule still holds")
        status, headers, _ = registry.call("GET", "/v2/secret/tags/list", None, bearer(token))
        assert status == 401 and "insufficient_scope" in headers["WWW-Authenticate"], (status, headers)


@case("mounts, the catalog, push-new and immutable tags follow token and rules")
def _():
    manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(LAYER), "size": len(LAYER)}, "layers": []})
    with TokenServer(RULES + "immutable v* team/**\n") as registry:
        for repository in ("shared", "hidden", "team/app"):
            registry.push_blob("root", repository)

        def mount(source, *scopes):
            token = registry.fetch("alice", *scopes)["token"]
            return registry.status("POST", f"/v2/team/new/blobs/uploads/?mount={digest_of(LAYER)}{source}", b"", bearer(token))

        new = "repository:team/new:pull,push"
        assert mount("&from=shared", new) == mount("", new) == mount("&from=hidden", new, "repository:hidden:pull") == 202
        assert mount("&from=shared", new, "repository:shared:pull") == 201

        token = registry.fetch("alice", "registry:catalog:*")["token"]
        assert json.loads(registry.call("GET", "/v2/_catalog", None, bearer(token))[2])["repositories"] == \
            ["shared", "team/app", "team/new"]
        assert registry.status("GET", "/v2/_catalog", None, bearer(registry.fetch("alice", new)["token"])) == 401

        def put(user, tag, text):
            token = registry.fetch(user, "repository:team/app:pull,push")["token"]
            return registry.status("PUT", f"/v2/team/app/manifests/{tag}", text, {"Content-Type": IMAGE, **bearer(token)})

        other = manifest.replace("{", '{"annotations": {"a": "b"}, ', 1)
        assert put("carol", "one", manifest) == 201 and put("carol", "one", other) == 403
        assert put("alice", "one", other) == 201
        assert put("alice", "v1", manifest) == 201 and put("root", "v1", other) == 403


# --- attacks ----------------------------------------------------------------------------------------


@case("forged, expired, foreign and malformed tokens are refused")
def _():
    with TokenServer() as registry, TokenServer() as foreign:
        registry.push_blob("root", "team/app")
        good = registry.fetch("alice", "repository:team/app:pull")["token"]
        claims, now = claims_of(good), int(time.time())
        header, payload, signature = good.split(".")

        def status(token):
            if 40 < len(token) < 9000:
                registry.secrets.append(token)
            return registry.status("GET", f"/v2/team/app/blobs/{digest_of(LAYER)}", None, bearer(token))

        def changed(**changes):
            return {name: value for name, value in {**claims, **changes}.items() if value is not None}

        assert status(good) == 200 and status(registry.sign(claims)) == 200  # the forger's tools work
        pem = subprocess.run([need("openssl"), "pkey", "-pubout"], check=True, capture_output=True,
                             input=(registry.storage / "private/keys/signing-1").read_bytes().partition(b"\n")[2]).stdout
        widened = encode(json.dumps(changed(access=[{"type": "repository", "name": "team/app", "actions": ["pull", "push"]}])).encode())

        def with_header(**members):
            return encode(json.dumps(members).encode())

        def hmac(key, head):
            import hmac as library
            return f"{head}.{payload}.{encode(library.new(key, f'{head}.{payload}'.encode(), 'sha256').digest())}"

        bad = {
            "alg none": f"{with_header(alg='none', typ='JWT')}.{payload}.",
            "alg None": f"{with_header(alg='None', typ='JWT')}.{payload}.{signature}",
            "no alg": f"{with_header(typ='JWT')}.{payload}.{signature}",
            "key confusion": hmac(pem, with_header(alg="HS256", typ="JWT")),
            "key confusion, empty": hmac(b"", with_header(alg="HS256", typ="JWT")),
            "another algorithm": f"{with_header(alg='ES256', typ='JWT')}.{payload}.{signature}",
            "widened scopes": f"{header}.{widened}.{signature}",
            "expired": registry.sign(changed(exp=now - 300, nbf=now - 600, iat=now - 600)),
            "without exp": registry.sign(changed(exp=None)),
            "not yet valid": registry.sign(changed(nbf=now + 3600, exp=now + 7200)),
            "another service": registry.sign(changed(aud="other")),
            "without aud": registry.sign(changed(aud=None)),
            "another issuer": registry.sign(changed(iss="other")),
            "another password": registry.sign(changed(cred="0" * 24)),
            "unknown user": registry.sign(changed(sub="nobody", cred="0" * 24)),
            "duplicate sub": registry.sign(json.dumps(claims)[:-1] + ', "sub": "root"}'),
            "duplicate access": registry.sign(json.dumps(claims)[:-1] + ', "access": []}'),
            "NUL in sub": registry.sign(changed(sub="root\0x", cred=None)),
            "access is no list": registry.sign(changed(access={"type": "repository"})),
            "no object": registry.sign('"text"'),
            "embedded key": registry.sign(claims, {"alg": "EdDSA", "typ": "JWT", "jwk": {"kty": "OKP"}, "kid": "x"}),
            "crit": registry.sign(claims, {"alg": "EdDSA", "typ": "JWT", "crit": ["exp"], "exp": 1}),
            "another server": foreign.fetch("alice", "repository:team/app:pull")["token"],
            "no signature": f"{header}.{payload}.", "no dots": "abc", "empty": "", "dots": "...", "padding": good + "==",
            "four parts": good + ".x", "huge": "A" * 20000, "many dots": "." * 9000, "blanks": "a b c",
        }
        refused = {name: status(token) for name, token in bad.items()}
        assert set(refused.values()) == {401}, {name: status for name, status in refused.items() if status != 401}
        assert status(good) == 200


@case("a million scopes are refused, and many scopes cost little")
def _():
    with TokenServer() as registry:
        many = " ".join(f"repository:r{i}:pull" for i in range(400))
        assert registry.status("GET", "/token?scope=" + urllib.parse.quote(many), None, basic("alice")) == 400
        repeated = "&".join("scope=repository:team/app:pull,push" for _ in range(700))
        token = registry._tokens(registry.call("GET", "/token?" + repeated, None, basic("alice")), 200)["token"]
        assert actions(token) == {("repository", "team/app"): {"pull", "push"}}
        million = "scope=" + "+".join(f"repository:r{i}:pull" for i in range(1000000))
        connection = http.client.HTTPConnection("127.0.0.1", registry.server.port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", "/token", million, {"Content-Type": FORM})
            assert connection.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all of it was sent
        finally:
            connection.close()
        most = registry.fetch("alice", *(f"repository:team/{i:0250}:pull" for i in range(30)))["token"]
        assert registry.status("GET", f"/v2/team/{7:0250}/tags/list", None, bearer(most)) == 404


# --- identity tokens --------------------------------------------------------------------------------


def log_in(registry, user="alice", client="docker"):
    return registry.fetch(user, offline_token="true", client_id=client)["refresh_token"]


@case("an identity token ends when it is revoked, when the password changes, and when the user goes")
def _():
    with TokenServer() as registry:
        tokens = {user: log_in(registry, user) for user in ("alice", "carol", "root")}
        spare = log_in(registry)
        assert registry.status("GET", "/v2/", None, basic("<token>", tokens["root"])) == 200
        assert registry.status("GET", "/token", None, basic("<token>", tokens["alice"])) == 200
        access = registry.refresh(tokens["carol"])["token"]
        assert registry.status("GET", "/v2/", None, bearer(access)) == 200

        shown = registry.command("list", "--user", "alice").splitlines()
        assert len(shown) == 3 and all(word in shown[1] for word in ("alice", "docker", "127.0.0.1")), shown
        used = [row.split() for row in shown[1:] if "never" not in row]
        assert len(used) == 1, shown
        assert "1 token revoked" in registry.command("revoke", used[0][0])
        registry.refresh(tokens["alice"], expected=401)
        registry.refresh(spare)
        assert "of 1 tokens were found" in registry.command("revoke", used[0][0], rc=1)
        assert "needs IDs of tokens" in registry.command("revoke", rc=1)
        registry.command("revoke", "--all", "--user", "alice", rc=1)
        registry.command("walk", rc=1)

        registry.users["carol"] = line("carol", "new")
        del registry.users["root"]
        registry.server.write("".join(registry.users.values()))
        registry.refresh(tokens["carol"], expected=401)
        registry.refresh(tokens["root"], expected=401)
        wait_for(lambda: registry.status("GET", "/v2/", None, bearer(access)) == 401, "the access token outlives the password")
        assert registry.status("GET", "/v2/", None, basic("<token>", tokens["root"])) == 401
        assert "3 tokens revoked" in registry.command("revoke", "--all")
        registry.refresh(spare, expected=401)
        assert registry.command("list") == ""


@case("the storage has no token, its secrets have no other readers, and no route reaches them")
def _():
    with TokenServer() as registry:
        identity, secret = log_in(registry), registry.storage / "private"
        assert not find_secret(registry.server.dir, identity)
        for path in (secret, *secret.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, path
        secret.chmod(0o755)  # as after a restored backup
        registry.server.restart()
        assert secret.stat().st_mode & 0o777 == 0o700
        for path in ("private/keys/identity", "private/keys/signing-1", "../private/keys/signing-1"):
            for url in (f"/v2/{path}", f"/v2/x/blobs/{path}", f"/v2/{path}/manifests/v1", f"/v2/x/../../../{path}"):
                assert registry.status("GET", url, None, basic("root")) in (400, 404), url
        assert "private" not in registry.call("GET", "/v2/_catalog", None, basic("root"))[2].decode()


@case("a record that is damaged is an error of the server, named in the log, and of nobody else")
def _():
    with TokenServer() as registry:
        identity, other = log_in(registry), log_in(registry, "carol")
        registry.refresh(other)
        record = next(path for path in (registry.storage / "private/identity").rglob("*-*") if '"alice"' in path.read_text())
        for text in ("", "{}", '{"user": "alice"}', "x" * 9000):
            record.write_text(text)
            registry.refresh(identity, expected=500)
            assert registry.status("GET", "/v2/", None, basic("<token>", identity)) == 500
            registry.refresh(other)
        wait_for(lambda: "no record of an identity token" in registry.server.log(), "the log does not name the record")
        shown = registry.command("list").splitlines()
        damaged = [row for row in shown if "damaged" in row]
        assert len(damaged) == 1 and sum("carol" in row for row in shown) == 1, shown
        registry.command("revoke", damaged[0].split()[0])
        registry.refresh(identity, expected=401)
        registry.refresh(other)


@case("a client that fetches an identity token each time displaces its own, and nobody else's")
def _():
    with TokenServer() as registry:
        mine, others = log_in(registry), log_in(registry, "carol")
        flood = [log_in(registry, client="regclient") for _ in range(60)]
        shown = registry.command("list", "--user", "alice").splitlines()[1:]
        assert 40 <= sum("regclient" in row for row in shown) <= 50, len(shown)
        assert sum("docker" in row for row in shown) == 1
        registry.refresh(mine)
        registry.refresh(others)
        registry.refresh(flood[-1])


@case("an old password that is being checked while it changes buys no token that outlives it")
def _():
    old, new = line("alice", PASSWORD, cost=11), line("alice", "new", cost=11)
    with TokenServer(users=("root",)) as registry:
        for change in (new, new + line("bob", PASSWORD), line("bob", PASSWORD)):  # at the end the user is removed
            registry.server.write(old)
            wait_for(lambda: registry.status("GET", "/v2/", None, basic("alice", "new")) == 401, "the file is not read")
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                answer = pool.submit(registry.call, "GET", "/token?offline_token=true", None, basic("alice"))
                time.sleep(0.03)  # somewhere in the middle; the assertions hold wherever it is
                registry.server.write(change)
                witness = basic("bob") if "bob" in change else basic("alice", "new")
                wait_for(lambda: registry.status("GET", "/v2/", None, witness) == 200, "the changed file is not read")
                status, _, body = answer.result()
            assert status in (200, 401), (status, body)
            members = json.loads(body)
            if status == 200:
                registry.secrets += [members["token"], members["refresh_token"]]
                status = registry.status("GET", "/v2/", None, bearer(members["token"]))
                assert status == 401, status
                registry.refresh(members["refresh_token"], expected=401)


# --- keys -------------------------------------------------------------------------------------------


@case("servers on one storage accept each other's tokens, also if both make the first key, and after a rotation")
def _():
    with TokenServer() as one:
        other = TokenServer(STORAGE_FILESYSTEM_ROOTDIRECTORY=str(one.server.dir / "data"))
        with other:
            other.server.write("".join(one.users.values()))  # the same users, as servers of one storage have them
            tokens = {registry: registry.fetch("alice", "repository:team/app:pull")["token"] for registry in (one, other)}
            identity = log_in(one)
            for registry, token in itertools.product((one, other), tokens.values()):
                assert registry.status("GET", "/v2/team/app/tags/list", None, bearer(token)) == 404
            assert "new key will sign" in one.command("rotate")
            assert sorted(path.name for path in (one.storage / "private/keys").iterdir()) == \
                ["identity", "signing-1", "signing-2"]
            # Six minutes later: the second key signs, the first one is still accepted.
            second = one.storage / "private/keys/signing-2"
            text = second.read_text()
            second.write_text(re.sub(r"\d+", lambda match: str(int(match[0]) - 360), text, count=1))
            one.server.restart()
            new = one.fetch("alice", "repository:team/app:pull")["token"]
            kid = [json.loads(decode(token.split(".")[0]))["kid"] for token in (tokens[one], new)]
            assert kid[0] != kid[1], kid
            for token in (*tokens.values(), new):
                assert one.status("GET", "/v2/team/app/tags/list", None, bearer(token)) == 404
            # Much later: the first key is gone.
            second.write_text(re.sub(r"\d+", lambda match: str(int(match[0]) - 86400), text, count=1))
            one.server.restart()
            assert not (one.storage / "private/keys/signing-1").exists()
            assert one.status("GET", "/v2/", None, bearer(tokens[one])) == 401
            assert one.status("GET", "/v2/", None, bearer(one.refresh(identity)["token"])) == 200


@case("token rotate --distrust-old ends every token of a stolen key, and a running server goes on with the new one")
def _():
    with TokenServer() as registry:
        identity = log_in(registry)
        token = registry.refresh(identity)["token"]
        stolen = (registry.storage / "private/keys/signing-1").read_text().partition("\n")[2]
        header = json.loads(decode(token.split(".")[0]))
        forged = registry.sign({**claims_of(token), "sub": "root", "cred": None, "access": [
            {"type": "repository", "name": "any/thing", "actions": ["pull", "push", "delete"]}]}, header, stolen)
        assert registry.status("GET", "/v2/", None, bearer(token)) == 200
        assert registry.status("GET", "/v2/any/thing/tags/list", None, bearer(forged)) == 404
        registry.command("rotate", "extra", rc=1)
        registry.command("rotate", "--all", rc=1)
        registry.command("list", "--distrust-old", rc=1)
        assert "removed" in registry.command("rotate", "--distrust-old")
        assert sorted(path.name for path in (registry.storage / "private/keys").iterdir()) == ["identity", "signing-2"]
        registry.server.process.send_signal(signal.SIGHUP)  # without it, the server reads the keys twice a minute
        wait_for(lambda: registry.status("GET", "/v2/", None, bearer(token)) == 401, "the old key is trusted")
        assert registry.status("GET", "/v2/any/thing/tags/list", None, bearer(forged)) == 401
        token = registry.refresh(identity)["token"]
        assert registry.status("GET", "/v2/team/app/tags/list", None, bearer(token)) == 404


# --- real clients -----------------------------------------------------------------------------------


def token_command(registry, *words):
    env = {name: str(value) for name, value in registry._settings().items()}
    return subprocess.run([registry.program, "token", *words, "--config", registry.dir / "config.yml"], env=env, check=True,
                          capture_output=True, text=True).stdout


@case("docker stores an identity token instead of the password; docker, skopeo and podman use it until it is revoked")
def _():
    need("docker"), need("skopeo")
    with Registry(AUTH_HTPASSWD_TOKENS="true") as registry, ContainersUser(registry) as user:
        registry.push_image()
        docker = {"DOCKER_CONFIG": str(user.docker)}

        def inspect():
            return user.run([need("docker"), "manifest", "inspect", f"{registry.host}/busybox:latest"], env={**user.env, **docker})

        assert b"unauthorized" in inspect().err
        done = user.run([need("docker"), "login", "-u", registry.username, "--password-stdin", registry.host],
                        registry.password.encode(), env={**user.env, **docker})
        assert done.rc == 0 and b"Login Succeeded" in done.out, done
        assert [path.stem for path in user.entries()] == ["<token>"]
        stored = json.loads(user.run(["docker-credential-pass", "get"], registry.host.encode()).out)
        assert stored["Username"] == "<token>" and stored["Secret"].startswith("rdi_")
        assert not find_secret(user.dir, registry.password) and not find_secret(user.dir, stored["Secret"])
        assert inspect().rc == 0
        image = f"docker://{registry.host}/busybox"
        assert user.skopeo_inspects()
        copied = user.client("skopeo", "copy", f"{image}:latest", f"docker://{registry.host}/other:v1")
        assert copied.rc == 0, copied
        listed = user.client("skopeo", "list-tags", f"docker://{registry.host}/other")
        assert json.loads(listed.out)["Tags"] == ["v1"], listed
        assert user.client("skopeo", "delete", f"docker://{registry.host}/other:v1").rc == 0
        if shutil.which("podman") and os.path.isdir("/sys/fs/cgroup") and os.geteuid() == 0:
            pulled = user.client("podman", "pull", f"{registry.host}/busybox:latest")
            assert pulled.rc == 0, pulled
        wait_for(lambda: "manifest deleted" in pathlib.Path(registry.log).read_text(), "skopeo deletes nothing")
        shown = token_command(registry, "list")
        assert registry.username in shown and "docker" in shown, shown
        token_command(registry, "revoke", "--all")
        assert inspect().rc != 0
        refused = user.client("skopeo", "inspect", f"{image}:latest")
        assert refused.rc != 0 and b"unauthorized" in refused.err, refused
        assert stored["Secret"] not in pathlib.Path(registry.log).read_text()
        done = user.run([need("docker"), "logout", registry.host], env={**user.env, **docker})
        assert done.rc == 0 and not user.entries(), done


if __name__ == "__main__":
    main()
