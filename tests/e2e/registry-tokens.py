#!/usr/bin/env python3
"""Tokens: what the token server gives, what a token gives, and how it ends.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import concurrent.futures
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
from plain_registry import line, wait_for
from registry import Registry
from token_registry import (FORM, IMAGE, LAYER, PASSWORD, REALM, RULES, USERS, TokenRegistry,
                            actions, basic, bearer, claims_of, code_of,
                            decode, digest_of)

# --- the challenge --------------------------------------------------------------------------------


@case("a 401 has one Bearer challenge with the realm, the service and the scope")
def _():
    with TokenRegistry() as registry:
        host = f"127.0.0.1:{registry.server.port}"

        def challenge(method, path, **headers):
            status, answer, body = registry.call(method, path, None, headers)
            assert (status, code_of(body) if body else "UNAUTHORIZED") == (401, "UNAUTHORIZED"), (
                status, body)
            assert len(answer.get_all("WWW-Authenticate")) == 1, answer
            return answer["WWW-Authenticate"]

        start = f'Bearer realm="http://{host}/token",service="{REALM}"'
        assert challenge("GET", "/v2/") == start
        assert (challenge("HEAD", "/v2/team/app/manifests/v1")
                == start + ',scope="repository:team/app:pull"')
        assert (challenge("PUT", "/v2/team/app/manifests/v1")
                == start + ',scope="repository:team/app:pull,push"')
        assert (challenge("DELETE", "/v2/team/app/manifests/v1")
                == start + ',scope="repository:team/app:delete"')
        assert challenge("POST",
                         f"/v2/team/app/blobs/uploads/?mount={digest_of(LAYER)}&from=base") == \
            start + ',scope="repository:team/app:pull,push repository:base:pull"'
        assert challenge("GET", "/v2/_catalog", **bearer(registry.fetch("bob")["token"])) == \
            start + ',scope="registry:catalog:*",error="insufficient_scope"'
        assert challenge("GET", "/v2/", **bearer("x.y.z")) == start + ',error="invalid_token"'
        # Nobody but a trusted proxy says where passwords are sent.
        forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https",
                  "Forwarded": "host=evil.example"}
        assert challenge("GET", "/v2/", **forged) == start
        assert challenge("GET", "/v2/",
                         Host="other.example:5000").startswith(
                             'Bearer realm="http://other.example:5000/token"')
    with TokenRegistry(HTTP_TRUSTEDPROXIES="[127.0.0.1]", HTTP_PREFIX="/a/b/") as registry:
        forwarded = {"X-Forwarded-Host": "registry.example", "X-Forwarded-Proto": "https"}
        answer = registry.call("GET", "/a/b/v2/", None, forwarded)[1]["WWW-Authenticate"]
        assert answer.startswith('Bearer realm="https://registry.example/a/b/token"'), answer
        assert registry.status("GET", "/a/b/token", None, basic("alice")) == 200
    with TokenRegistry(HTTP_HOST="https://registry.example/x") as registry:
        answer = registry.call("GET", "/v2/")[1]["WWW-Authenticate"]
        assert answer.startswith('Bearer realm="https://registry.example/x/token"'), answer


@case("without an access file, or with tokens off, there is no token server and the "
      "challenge is Basic")
def _():
    for registry in (TokenRegistry(rules=None), TokenRegistry(AUTH_HTPASSWD_TOKENS="false")):
        with registry:
            assert registry.call("GET", "/v2/")[1]["WWW-Authenticate"] == f'Basic realm="{REALM}"'
            assert registry.status("GET", "/token", None, basic("alice")) == 404
            assert (registry.call("GET", "/v2/", None, bearer("a.b.c"))[1]["WWW-Authenticate"]
                    == f'Basic realm="{REALM}"')
            assert not (registry.storage / "private").exists()
    with TokenRegistry(rules=None, AUTH_HTPASSWD_TOKENS="true") as registry:
        token = registry.fetch("bob", "repository:any/thing:*")["token"]
        assert registry.status("POST", "/v2/any/thing/blobs/uploads/", b"", bearer(token)) == 202
        assert registry.status("POST", "/v2/other/blobs/uploads/", b"", bearer(token)) == 401
        assert registry.fetch(None, "repository:any/thing:pull", expected=401)


# --- what the token server gives ------------------------------------------------------------------


@case("a token has the scopes that were asked for and that the rules permit")
def _():
    with TokenRegistry() as registry:
        def give(user, *scopes):
            return actions(registry.fetch(user, *scopes)["token"])

        app, public = ("repository", "team/app"), ("repository", "public/x")
        assert give("alice") == {}
        assert give("alice", "repository:team/app:pull") == {app: {"pull"}}
        assert give("alice", "repository:team/app:pull,push,delete") == {app: {"pull", "push"}}
        assert give("root", "repository:team/app:*") == {app: {"pull", "push", "delete"}}
        # Push-new is decided when a tag is pushed
        assert give("carol", "repository:team/app:push") == {app: {"push"}}
        assert give("bob", "repository:team/app:pull") == {app: set()}
        both = {app: {"pull", "push"}, public: {"pull"}}
        assert (give("alice", "repository:team/app:pull", "repository:public/x:pull,push",
                     "repository:team/app:push")
                == both)
        assert give("alice", "repository:team/app:pull,push  repository:public/x:pull,push") == both
        assert give("bob", "registry:catalog:*") == {("registry", "catalog"): {"*"}}
        ignored = ("repository:UPPER:pull", "repository:../../x:pull", "registry:other:*",
                   "thing:team/app:pull", "x", "a:b",
                   "repository:team/app", ":::", "repository::pull")
        assert give("alice", *ignored) == {}
        assert give("alice", "repository:team/app:fly") == {app: set()}
        # without a login
        assert (give(None, "repository:public/x:pull,push", "repository:team/app:pull")
                == {public: {"pull"}, app: set()})
        for scopes in ((), ("repository:team/app:pull",), ("repository:public/x:push",)):
            assert code_of(registry.fetch(None, *scopes, expected=401)) == "UNAUTHORIZED"


@case("POST supports the grants password and refresh_token, and refuses invalid forms")
def _():
    with TokenRegistry() as registry:
        scope = "repository:team/app:pull"
        first = registry.post(grant_type="password", username="alice", password=PASSWORD,
                              scope=scope, access_type="offline")
        assert (claims_of(first["token"])["sub"] == "alice"
                and first["refresh_token"].startswith("rdi_"))
        assert "refresh_token" not in registry.post(grant_type="password", username="alice",
                                                    password=PASSWORD)
        second = registry.refresh(first["refresh_token"])
        assert (actions(second["token"]) == {("repository", "team/app"): {"pull"}}
                and "refresh_token" not in second)
        again = registry.post(grant_type="refresh_token", refresh_token=first["refresh_token"],
                              access_type="offline")
        assert again["refresh_token"] == first["refresh_token"]  # no new one
        registry.post(401, grant_type="password", username="alice", password="wrong")
        registry.post(401, grant_type="refresh_token", refresh_token="rdi_" + "A" * 88)
        registry.post(401, grant_type="refresh_token", refresh_token=first["token"])
        for wrong in ({}, {"grant_type": "none"}, {"grant_type": "password"},
                      {"grant_type": "refresh_token"},
                      {"grant_type": "password", "username": "alice", "password": "a\0b"},
                      {"grant_type": "password", "username": "alice", "password": PASSWORD,
                       "service": "other"}):
            registry.post(400, **wrong)
        assert (registry.status("POST", "/token", "grant_type=password&username=%zz&password=x",
                                {"Content-Type": FORM})
                == 400)
        assert registry.status("POST", "/token", "x" * 20000, {"Content-Type": FORM}) == 413
        assert registry.status("GET", "/token?service=other", None, basic("alice")) == 400
        assert registry.call("GET", "/token", None,
                             basic("alice", "wrong"))[1]["WWW-Authenticate"].startswith("Basic ")
        assert registry.status("GET", "/token", None, bearer(second["token"])) == 401
        assert registry.status("PUT", "/token", b"", basic("alice")) == 405


@case("a client ends its own identity token, and only that one")
def _():
    with TokenRegistry() as registry:
        def revoke(body, headers=None):
            return registry.call("POST", "/token/revoke", body, {"Content-Type": FORM, **(headers or {})})

        mine, other = registry.log_in(), registry.log_in()
        assert registry.status("GET", "/v2/team/app/tags/list", None, basic("<token>", mine)) == 404  # it is cached now
        status, headers, body = revoke(urllib.parse.urlencode({"token": mine, "token_type_hint": "refresh_token"}))
        assert (status, body, headers["Cache-Control"]) == (200, b"", "no-store"), (status, body)
        assert registry.status("GET", "/v2/team/app/tags/list", None, basic("<token>", mine)) == 401
        registry.refresh(mine, expected=401)
        registry.refresh(other)
        for unknown in (mine, "rdi_" + "A" * 88, "x", ""):
            assert revoke(f"token={unknown}")[0] == 200, unknown
        for wrong in ("", "tokens=x", f"token={other}&token={other}", f"token={other}%zz", "token=a%00b"):
            assert revoke(wrong)[0] == 400, wrong
        assert revoke("token=" + "x" * 20000)[0] == 413
        assert revoke(f"token={other}", basic("alice"))[0] == 400
        assert registry.status("GET", f"/token/revoke?token={other}", None, basic("alice")) == 405
        registry.refresh(other)
    with TokenRegistry(AUTH_HTPASSWD_TOKENS="false") as registry:
        assert registry.status("POST", "/token/revoke", "token=x", {"Content-Type": FORM, **basic("alice")}) == 404


@case("repeated parameters are refused")
def _():
    with TokenRegistry() as registry:
        grant = f"grant_type=password&username=alice&password={PASSWORD}"
        assert registry.status("POST", "/token", grant, {"Content-Type": FORM}) == 200
        for more in ("grant_type=password", "username=root", "password=x", "%75sername=root",
                     "service=a&service=b", "client_id=&client_id="):
            assert (registry.status("POST", "/token", f"{grant}&{more}", {"Content-Type": FORM})
                    == 400), more
        for twice in ("service=Registry+Realm&service=other", "account=alice&account=root",
                      "offline_token=true&offline_token="):
            assert registry.status("GET", "/token?" + twice, None, basic("alice")) == 400, twice
        # What is no form at all.
        for body in (json.dumps({"grant_type": "password", "username": "alice",
                                 "password": PASSWORD}), "", "&&&", "=", "%", "grant_type"):
            assert (registry.status("POST", "/token", body, {"Content-Type": "application/json"})
                    == 400), body


@case("guesses at the token server count like other guesses")
def _():
    with TokenRegistry(AUTH_HTPASSWD_GUESSES="3") as registry:
        statuses = [registry.status("GET", "/token", None, basic("alice", f"wrong{i}"))
                    for i in range(5)]
        assert statuses[:3] == [401] * 3 and statuses[-1] == 429, statuses
        assert registry.status("GET", "/v2/", None, basic("alice", "wrong")) == 429


# --- what a token gives ---------------------------------------------------------------------------

REQUESTS = [
    ("GET", "tags/list", {"pull"}), ("HEAD", "manifests/latest", {"pull"}),
    ("GET", f"blobs/{digest_of(LAYER)}", {"pull"}),
    ("POST", "blobs/uploads/", {"pull", "push"}), ("PUT", "manifests/new", {"pull", "push"}),
    ("DELETE", "manifests/absent", {"delete"}),
    ("DELETE", f"blobs/{digest_of(b'absent')}", {"delete"}),
]
GIVEN = {"alice": {"pull", "push"}, "bob": set(), "carol": {"pull", "push"},
         "root": {"pull", "push", "delete"}}


@case("both the token's scopes and the rules must allow a request")
def _():
    with TokenRegistry() as registry:
        registry.push_blob("root", "team/app")
        for user, count in itertools.product(USERS, range(4)):
            for asked in itertools.combinations(("pull", "push", "delete"), count):
                scopes = [f"repository:team/app:{','.join(asked)}"] if asked else []
                token = registry.fetch(user, *scopes)["token"]
                for method, path, needs in REQUESTS:
                    status, headers, body = registry.call(method, f"/v2/team/app/{path}",
                                                          b"{}" if method == "PUT" else b"",
                                                          {"Content-Type": IMAGE, **bearer(token)})
                    what = (user, asked, method, path, status, body)
                    if needs <= set(asked) & GIVEN[user]:
                        assert status not in (401, 403), what
                    elif asked and not needs <= GIVEN[user]:
                        # The user is known, and another token would not help
                        assert status == 403, what
                    else:
                        assert (status == 401
                                and 'error="insufficient_scope"'
                                in headers["WWW-Authenticate"]), what


@case("a changed rule takes effect at once for existing tokens, and does not extend their scopes")
def _():
    with TokenRegistry() as registry:
        registry.push_blob("root", "team/app")
        token = registry.fetch("alice", "repository:team/app:pull,push",
                               "repository:secret:pull")["token"]
        blob = f"/v2/team/app/blobs/{digest_of(LAYER)}"
        assert registry.status("GET", blob, None, bearer(token)) == 200
        registry.server.write("allow alice pull secret\n", registry.server.dir / "access")
        wait_for(lambda: registry.status("GET", blob, None, bearer(token)) == 403,
                 "the rule still holds")
        status, headers, _ = registry.call("GET", "/v2/secret/tags/list", None, bearer(token))
        assert status == 401 and "insufficient_scope" in headers["WWW-Authenticate"], (
            status, headers)


@case("mounts, the catalog, push-new and immutable tags follow token and rules")
def _():
    manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(LAYER),
        "size": len(LAYER)}, "layers": []})
    with TokenRegistry(RULES + "immutable v* team/**\n") as registry:
        for repository in ("shared", "hidden", "team/app"):
            registry.push_blob("root", repository)

        def mount(source, *scopes):
            token = registry.fetch("alice", *scopes)["token"]
            return registry.status("POST",
                                   f"/v2/team/new/blobs/uploads/?mount={digest_of(LAYER)}{source}",
                                   b"", bearer(token))

        new = "repository:team/new:pull,push"
        assert (mount("&from=shared", new) == mount("", new)
                == mount("&from=hidden", new, "repository:hidden:pull") == 202)
        assert mount("&from=shared", new, "repository:shared:pull") == 201

        token = registry.fetch("alice", "registry:catalog:*")["token"]
        assert json.loads(registry.call("GET", "/v2/_catalog", None,
                                        bearer(token))[2])["repositories"] == \
            ["shared", "team/app", "team/new"]
        assert (registry.status("GET", "/v2/_catalog", None,
                                bearer(registry.fetch("alice", new)["token"]))
                == 401)

        def put(user, tag, text):
            token = registry.fetch(user, "repository:team/app:pull,push")["token"]
            return registry.status("PUT", f"/v2/team/app/manifests/{tag}", text,
                                   {"Content-Type": IMAGE, **bearer(token)})

        other = manifest.replace("{", '{"annotations": {"a": "b"}, ', 1)
        assert put("carol", "one", manifest) == 201 and put("carol", "one", other) == 403
        assert put("alice", "one", other) == 201
        assert put("alice", "v1", manifest) == 201 and put("root", "v1", other) == 403


# --- identity tokens ------------------------------------------------------------------------------


@case("an identity token ends when it is revoked, when the password changes, and when the "
      "user is removed")
def _():
    with TokenRegistry() as registry:
        tokens = {user: registry.log_in(user) for user in ("alice", "carol", "root")}
        spare = registry.log_in()
        assert registry.status("GET", "/v2/", None, basic("<token>", tokens["root"])) == 200
        assert registry.status("GET", "/token", None, basic("<token>", tokens["alice"])) == 200
        access = registry.refresh(tokens["carol"])["token"]
        assert registry.status("GET", "/v2/", None, bearer(access)) == 200

        shown = registry.command("list", "--user", "alice").splitlines()
        assert (len(shown) == 3
                and all(word in shown[1] for word in ("alice", "docker", "127.0.0.1"))), shown
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
        wait_for(lambda: registry.status("GET", "/v2/", None, bearer(access)) == 401,
                 "the access token outlives the password")
        assert registry.status("GET", "/v2/", None, basic("<token>", tokens["root"])) == 401
        assert "3 tokens revoked" in registry.command("revoke", "--all")
        registry.refresh(spare, expected=401)
        assert registry.command("list") == ""


@case("the storage contains no token, and neither other users nor routes can read its secrets")
def _():
    with TokenRegistry() as registry:
        identity, secret = registry.log_in(), registry.storage / "private"
        assert not find_secret(registry.server.dir, identity)
        for path in (secret, *secret.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, path
        secret.chmod(0o755)  # as after a restored backup
        registry.server.restart()
        assert secret.stat().st_mode & 0o777 == 0o700
        for path in ("private/keys/identity", "private/keys/signing-1",
                     "../private/keys/signing-1"):
            for url in (f"/v2/{path}", f"/v2/x/blobs/{path}", f"/v2/{path}/manifests/v1",
                        f"/v2/x/../../../{path}"):
                assert registry.status("GET", url, None, basic("root")) in (400, 404), url
        assert "private" not in registry.call("GET", "/v2/_catalog", None,
                                              basic("root"))[2].decode()


@case("a damaged record is a server error that the log names, and does not affect other tokens")
def _():
    with TokenRegistry() as registry:
        identity, other = registry.log_in(), registry.log_in("carol")
        registry.refresh(other)
        record = next(path for path in (registry.storage / "private/identity").rglob("*-*")
                      if '"alice"' in path.read_text())
        for text in ("", "{}", '{"user": "alice"}', "x" * 9000):
            record.write_text(text)
            registry.refresh(identity, expected=500)
            assert registry.status("GET", "/v2/", None, basic("<token>", identity)) == 500
            registry.refresh(other)
        wait_for(lambda: "not a valid record of an identity token" in registry.server.log(),
                 "the log does not name the record")
        shown = registry.command("list").splitlines()
        damaged = [row for row in shown if "damaged" in row]
        assert len(damaged) == 1 and sum("carol" in row for row in shown) == 1, shown
        registry.command("revoke", damaged[0].split()[0])
        registry.refresh(identity, expected=401)
        registry.refresh(other)


@case("a client that fetches an identity token each time displaces only its own tokens")
def _():
    with TokenRegistry() as registry:
        mine, others = registry.log_in(), registry.log_in("carol")
        flood = [registry.log_in(client="regclient") for _ in range(60)]
        shown = registry.command("list", "--user", "alice").splitlines()[1:]
        assert 40 <= sum("regclient" in row for row in shown) <= 50, len(shown)
        assert sum("docker" in row for row in shown) == 1
        registry.refresh(mine)
        registry.refresh(others)
        registry.refresh(flood[-1])


@case("if a password changes while it is checked, the token for the old password is invalid")
def _():
    old, new = line("alice", PASSWORD, cost=11), line("alice", "new", cost=11)
    with TokenRegistry(users=("root",)) as registry:
        # At the end the user is removed
        for change in (new, new + line("bob", PASSWORD), line("bob", PASSWORD)):
            registry.server.write(old)
            wait_for(lambda: registry.status("GET", "/v2/", None, basic("alice", "new")) == 401,
                     "the file is not read")
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                answer = pool.submit(registry.call, "GET", "/token?offline_token=true", None,
                                     basic("alice"))
                time.sleep(0.03)  # somewhere in the middle; the assertions hold wherever it is
                registry.server.write(change)
                witness = basic("bob") if "bob" in change else basic("alice", "new")
                wait_for(lambda: registry.status("GET", "/v2/", None, witness) == 200,
                         "the changed file is not read")
                status, _, body = answer.result()
            assert status in (200, 401), (status, body)
            members = json.loads(body)
            if status == 200:
                registry.secrets += [members["token"], members["refresh_token"]]
                status = registry.status("GET", "/v2/", None, bearer(members["token"]))
                assert status == 401, status
                registry.refresh(members["refresh_token"], expected=401)


# --- keys -----------------------------------------------------------------------------------------


@case("servers with a shared storage accept each other's tokens, also after a race for the first "
      "key and after a rotation")
def _():
    with TokenRegistry() as one:
        other = TokenRegistry(STORAGE_FILESYSTEM_ROOTDIRECTORY=str(one.server.dir / "data"))
        with other:
            # The same users, as servers of one storage have them
            other.server.write("".join(one.users.values()))
            tokens = {registry: registry.fetch("alice", "repository:team/app:pull")["token"]
                      for registry in (one, other)}
            identity = one.log_in()
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
            second.write_text(re.sub(r"\d+", lambda match: str(int(match[0]) - 86400), text,
                                     count=1))
            one.server.restart()
            assert not (one.storage / "private/keys/signing-1").exists()
            assert one.status("GET", "/v2/", None, bearer(tokens[one])) == 401
            assert one.status("GET", "/v2/", None, bearer(one.refresh(identity)["token"])) == 200


@case("token rotate --distrust-old ends every token of a stolen key, and a running server "
      "continues with the new key")
def _():
    with TokenRegistry() as registry:
        identity = registry.log_in()
        token = registry.refresh(identity)["token"]
        stolen = (registry.storage / "private/keys/signing-1").read_text().partition("\n")[2]
        header = json.loads(decode(token.split(".")[0]))
        forged = registry.sign({**claims_of(token), "sub": "root", "cred": None, "access": [
            {"type": "repository", "name": "any/thing", "actions": ["pull", "push", "delete"]}]},
                               header, stolen)
        assert registry.status("GET", "/v2/", None, bearer(token)) == 200
        assert registry.status("GET", "/v2/any/thing/tags/list", None, bearer(forged)) == 404
        registry.command("rotate", "extra", rc=1)
        registry.command("rotate", "--all", rc=1)
        registry.command("list", "--distrust-old", rc=1)
        assert "removed" in registry.command("rotate", "--distrust-old")
        assert (sorted(path.name for path in (registry.storage / "private/keys").iterdir())
                == ["identity", "signing-2"])
        # Without it, the server reads the keys twice a minute
        registry.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: registry.status("GET", "/v2/", None, bearer(token)) == 401,
                 "the old key is trusted")
        assert registry.status("GET", "/v2/any/thing/tags/list", None, bearer(forged)) == 401
        token = registry.refresh(identity)["token"]
        assert registry.status("GET", "/v2/team/app/tags/list", None, bearer(token)) == 404


# --- real clients ---------------------------------------------------------------------------------


def token_command(registry, *words):
    env = {name: str(value) for name, value in registry._settings().items()}
    return subprocess.run([registry.program, "token", *words, "--config",
                           registry.dir / "config.yml"], env=env, check=True,
                          capture_output=True, text=True).stdout


@case("docker stores an identity token instead of the password; docker, skopeo and podman use it "
      "until it is revoked")
def _():
    need("docker"), need("skopeo")
    with Registry(AUTH_HTPASSWD_TOKENS="true") as registry, ContainersUser(registry) as user:
        registry.push_image()
        docker = {"DOCKER_CONFIG": str(user.docker)}

        def inspect():
            return user.run([need("docker"), "manifest", "inspect",
                             f"{registry.host}/busybox:latest"], env={**user.env, **docker})

        assert b"unauthorized" in inspect().err
        done = user.run([need("docker"), "login", "-u", registry.username, "--password-stdin",
                         registry.host],
                        registry.password.encode(), env={**user.env, **docker})
        assert done.rc == 0 and b"Login Succeeded" in done.out, done
        assert [path.stem for path in user.entries()] == ["<token>"]
        stored = json.loads(user.run(["docker-credential-pass", "get"], registry.host.encode()).out)
        assert stored["Username"] == "<token>" and stored["Secret"].startswith("rdi_")
        assert (not find_secret(user.dir, registry.password)
                and not find_secret(user.dir, stored["Secret"]))
        assert inspect().rc == 0
        image = f"docker://{registry.host}/busybox"
        assert user.skopeo_inspects()
        copied = user.client("skopeo", "copy", f"{image}:latest",
                             f"docker://{registry.host}/other:v1")
        assert copied.rc == 0, copied
        listed = user.client("skopeo", "list-tags", f"docker://{registry.host}/other")
        assert json.loads(listed.out)["Tags"] == ["v1"], listed
        assert user.client("skopeo", "delete", f"docker://{registry.host}/other:v1").rc == 0
        if shutil.which("podman") and os.path.isdir("/sys/fs/cgroup") and os.geteuid() == 0:
            pulled = user.client("podman", "pull", f"{registry.host}/busybox:latest")
            assert pulled.rc == 0, pulled
        wait_for(lambda: "manifest deleted" in pathlib.Path(registry.log).read_text(),
                 "skopeo deletes nothing")
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
