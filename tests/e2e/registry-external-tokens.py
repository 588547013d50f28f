#!/usr/bin/env python3
"""Tokens that others sign: `auth: token`, compared with docker-registry, and a pipeline's tokens as
passwords.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import functools
import hashlib
import http.client
import json
import re
import subprocess
import time

from docker_user import ContainersUser, DockerUser
from harness import case, main, need
from plain_registry import PROGRAM, Server, line, wait_for
from registry import Registry
from token_issuer import Issuer, base64url

SERVICE, ISSUER = "registry.example", "test issuer"


@functools.cache
def issuer():
    return Issuer()


@functools.cache
def stranger():
    return Issuer(("ec",))


def settings(**more):
    return {"AUTH": "token", "AUTH_TOKEN_REALM": "https://auth.example/token",
            "AUTH_TOKEN_SERVICE": SERVICE,
            "AUTH_TOKEN_ISSUER": ISSUER,
            "AUTH_TOKEN_ROOTCERTBUNDLE": str(issuer().bundle("ec", "rsa")),
            "STORAGE_DELETE_ENABLED": "true", **more}


def access(*rights):
    return [{"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (right.split(":") for right in rights)]


def claims(*rights, **more):
    now = int(time.time())
    found = {"iss": ISSUER, "aud": SERVICE, "sub": "alice", "iat": now, "nbf": now,
             "exp": now + 300, "jti": "1",
             "access": access(*rights), **more}
    return {name: value for name, value in found.items() if value is not None}


def chain(key="ec"):
    return {"x5c": [issuer().certificate(key)]}


def token(*rights, header=None, key="ec", **more):
    return issuer().sign(claims(*rights, **more), chain(key) if header is None else header, key)


def unsigned(header, signature=b""):
    return ".".join(base64url(part)
                    for part in (json.dumps(header).encode(),
                                 json.dumps(claims("repository:team/app:pull")).encode(),
                                 signature))


def foreign():
    return stranger().sign(claims("repository:team/app:pull"),
                           {"x5c": [stranger().certificate("ec")]})


def with_jwk(of):
    members = {**of.jwk("ec"), "kid": of.libtrust_id("ec")}
    return of.sign(claims("repository:team/app:pull"), {"jwk": members})


def tampered():
    head, body, signature = token("repository:team/app:pull").split(".")
    other = base64url(json.dumps(claims("repository:team/app:pull,push")).encode())
    return f"{head}.{other}.{signature}"


def other_form():
    """Returns a token with the other valid form of its ECDSA signature: (r, n - s) instead of (r,
    s).
    """
    signed, _, signature = token(PULL).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = ORDER_OF_P256 - int.from_bytes(raw[32:], "big")
    return f"{signed}.{base64url(raw[:32] + s.to_bytes(32, 'big'))}"


ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PULL, ALL = "repository:team/app:pull", "repository:team/app:pull,push,delete"

# Each returns what Authorization says; None is no header.
CREDENTIALS = {
    "nothing": lambda: None,
    "Basic": lambda: "Basic YWxpY2U6c2VjcmV0",
    "an empty Bearer": lambda: "Bearer ",
    "garbage": lambda: "Bearer garbage",
    "two dots": lambda: "Bearer a.b.c",
    "lower-case scheme": lambda: "bearer " + token(PULL),
    "x5c": lambda: "Bearer " + token(PULL),
    "x5c, RS256": lambda: "Bearer " + token(PULL, key="rsa"),
    "kid of libtrust": lambda: "Bearer " + token(PULL, header={"kid": issuer().libtrust_id("ec")}),
    "kid of libtrust, RS256": lambda: "Bearer "
    + token(PULL, header={"kid": issuer().libtrust_id("rsa")}, key="rsa"),
    "kid of another key": lambda: "Bearer "
    + token(PULL, header={"kid": issuer().libtrust_id("rsa")}),
    "unknown kid": lambda: "Bearer " + token(PULL, header={"kid": "x"}),
    "no key named": lambda: "Bearer " + token(PULL, header={}),
    "jwk": lambda: "Bearer " + with_jwk(issuer()),
    "jwk of a stranger": lambda: "Bearer " + with_jwk(stranger()),
    "x5c of a stranger": lambda: "Bearer " + foreign(),
    "x5c that is no certificate": lambda: "Bearer " + token(PULL, header={"x5c": ["AAAA"]}),
    "all rights": lambda: "Bearer " + token(ALL),
    "every action": lambda: "Bearer " + token("repository:team/app:*"),
    "push alone": lambda: "Bearer " + token("repository:team/app:push"),
    "another repository": lambda: "Bearer " + token("repository:team/other:pull,push,delete"),
    "the catalog": lambda: "Bearer " + token("registry:catalog:*"),
    "the catalog to pull": lambda: "Bearer " + token("registry:catalog:pull"),
    "another type": lambda: "Bearer " + token("registry:team/app:pull"),
    "no rights": lambda: "Bearer " + token(),
    "no access claim": lambda: "Bearer " + token(access=None),
    "rights in two entries": lambda: "Bearer " + token(PULL, "repository:team/app:push"),
    "no subject": lambda: "Bearer " + token(PULL, sub=None),
    "empty subject": lambda: "Bearer " + token(PULL, sub=""),
    "expired": lambda: "Bearer " + token(PULL, exp=int(time.time()) - 70),
    "expired within the leeway": lambda: "Bearer " + token(PULL, exp=int(time.time()) - 20),
    "without an end": lambda: "Bearer " + token(PULL, exp=None),
    "not valid yet": lambda: "Bearer " + token(PULL, nbf=int(time.time()) + 90),
    "not valid yet within the leeway": lambda: "Bearer " + token(PULL, nbf=int(time.time()) + 30),
    "another service": lambda: "Bearer " + token(PULL, aud="other.example"),
    "another issuer": lambda: "Bearer " + token(PULL, iss="other issuer"),
    "several services": lambda: "Bearer " + token(PULL, aud=[SERVICE, "other.example"]),
    "issued tomorrow": lambda: "Bearer " + token(PULL, iat=int(time.time()) + 86400),
    "none": lambda: "Bearer " + unsigned({"alg": "none", "typ": "JWT"}),
    "none with a certificate": lambda: "Bearer " + unsigned({"alg": "none", **chain()}, b"x"),
    "HS256 with the certificate as key": lambda: "Bearer "
    + unsigned({"alg": "HS256", **chain()}, b"x" * 32),
    "tampered": lambda: "Bearer " + tampered(),
    "zeros as a signature": lambda: "Bearer " + unsigned({"alg": "ES256", **chain()}, bytes(64)),
    "no signature": lambda: "Bearer " + token(PULL).rpartition(".")[0] + ".",
    "padding": lambda: "Bearer " + token(PULL) + "==",
    "the other form of the signature": lambda: "Bearer " + other_form(),
    "the URL of a key set": lambda: "Bearer "
    + token(PULL, header={"jku": "http://127.0.0.1:1/keys"}),
    "the URL of a certificate": lambda: "Bearer "
    + token(PULL, header={"x5u": "http://127.0.0.1:1/keys"}),
    "kid is a path": lambda: "Bearer " + token(PULL, header={"kid": "../../../dev/null"}),
    "a long kid": lambda: "Bearer " + token(PULL, header={"kid": "k" * 5000}),
    "an empty chain": lambda: "Bearer " + token(PULL, header={"x5c": []}),
    "a chain of two, the second trusted": lambda: "Bearer "
    + token(PULL, header={"x5c": [stranger().certificate("ec"), *chain()["x5c"]]}),
    "exp is a text": lambda: "Bearer " + token(PULL, exp=str(int(time.time()) + 300)),
    "exp is too large": lambda: "Bearer " + token(PULL, exp=2**63),
    "a list in a list of services": lambda: "Bearer " + token(PULL, aud=[[SERVICE]]),
    "a pattern as a name": lambda: "Bearer " + token("repository:team/*:pull"),
    "upper-case letters in a name": lambda: "Bearer " + token("repository:Team/App:pull"),
    "an unknown type": lambda: "Bearer " + token("*:team/app:pull"),
    "a subject in another script": lambda: "Bearer " + token(PULL, sub="\u0430lice"),
    "RS256 with a key for ES256": lambda: "Bearer "
    + token(PULL, header={"alg": "RS256", **chain("ec")}),
}

REQUESTS = [
    ("GET", "/v2/"), ("GET", "/v2/team/app/manifests/latest"),
    ("HEAD", "/v2/team/app/blobs/sha256:" + "0" * 64),
    ("GET", "/v2/team/app/tags/list"), ("GET", "/v2/_catalog"),
    ("POST", "/v2/team/app/blobs/uploads/"),
    ("PUT", "/v2/team/app/manifests/latest"),
    ("DELETE", "/v2/team/app/manifests/sha256:" + "0" * 64),
    ("GET", "/v2/team/other/tags/list"),
]

# The credentials that are judged differently, each with the reason.
KNOWN = {
    "padding": "base64url has no padding in a token (RFC 7515 section 2)",
    "several services": "registry:2 reads only one audience; registry 3 reads a list (RFC 7519)",
    "issued tomorrow": "registry:2 does not look at iat",
}


def sorted_challenge(text):
    """registry:2 writes actions in a random order."""
    return re.sub(r"(?<=:)[a-z*,]+(?=[ \"])", lambda found: ",".join(sorted(found[0].split(","))),
                  text or "")


@functools.cache
def connection_to(server):
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)


def ask(server, method, path, authorization):
    connection = connection_to(server)
    connection.request(method, path,
                       headers={"Authorization": authorization} if authorization else {})
    answer = connection.getresponse()
    body = answer.read()
    try:
        errors = [(error["code"], error.get("detail")) for error in json.loads(body)["errors"]]
    except (ValueError, KeyError, TypeError):
        errors = None
    if answer.status == 401 or answer.status < 300:
        return answer.status, sorted_challenge(
            answer.headers["WWW-Authenticate"]), errors and sorted(map(str, errors))
    return "let in", None, None  # what comes after that is no matter of rights


@case("docker-registry and registryd give the same answer to every token")
def _():
    found = {}
    with Server(None, **settings()) as ours, Server(None, need("docker-registry"),
                                                    **settings()) as theirs:
        for name, make in CREDENTIALS.items():
            authorization = make()
            for method, path in REQUESTS:
                answers = [ask(server, method, path, authorization) for server in (ours, theirs)]
                answers = ["let in" if answer[0] != 401 else answer for answer in answers]
                if answers[0] != answers[1]:
                    found.setdefault(name, []).append((method, path, *answers))
    unexpected = {name: rows for name, rows in found.items() if name not in KNOWN}
    assert not unexpected, (
        "\n".join(f"{name}: {row}" for name, rows in unexpected.items() for row in rows))
    assert set(found) == set(KNOWN), f"no longer different: {set(KNOWN) - set(found)}"


@case("a request without the required rights gets the challenge of the specification")
def _():
    with Server(None, **settings()) as server:
        status, headers, _ = server.get(path="/v2/team/app/tags/list")
        challenge = headers["WWW-Authenticate"]
        assert status == 401 and challenge == (
            'Bearer realm="https://auth.example/token",service="registry.example",'
                                               'scope="repository:team/app:pull"'), challenge
        assert ask(server, "POST",
                   "/v2/team/app/blobs/uploads/?mount=sha256:" + "0" * 64 + "&from=base",
                   None)[1].endswith(
                       'scope="repository:team/app:pull,push repository:base:pull"')
        for bad, reason in (("garbage", "invalid_token"),
                            (token("repository:team/app:push"), "insufficient_scope")):
            challenge = server.get(path="/v2/team/app/tags/list",
                                   authorization="Bearer " + bad)[1]["WWW-Authenticate"]
            assert challenge.endswith(f',error="{reason}"'), challenge
        secret = token(ALL)
        for _ in range(2):
            assert (server.get(path="/v2/team/app/tags/list", authorization="Bearer " + secret)[0]
                    == 404)
        assert secret not in server.log() and secret.split(".")[2] not in server.log()


@case("keys are read again when the file changes, and tokens of a removed key end")
def _():
    with Server(None, files={"keys.json": issuer().jwks("ec", "ed")}, **{
            **settings(AUTH_TOKEN_JWKS="keys.json"), "AUTH_TOKEN_ROOTCERTBUNDLE": ""}) as server:
        def status(name):
            return server.get(path="/v2/",
                              authorization="Bearer "
                              + token(PULL, header={"kid": name}, key=name))[0]

        kept = {name: token(PULL, header={"kid": name}, key=name) for name in ("ec", "ed", "rsa")}

        def of(name):
            return server.get(path="/v2/", authorization="Bearer " + kept[name])[0]

        assert [of(name) for name in ("ec", "ed", "rsa")] == [200, 200, 401]
        assert status("ec") == 200
        server.write("{broken\n", server.dir / "keys.json")
        assert of("ec") == 200
        wait_for(lambda: "the previous keys stay in force" in server.log(), "the mistake is logged")
        server.write(issuer().jwks("ed", "rsa"), server.dir / "keys.json")
        assert [of(name) for name in ("ec", "ed", "rsa")] == [401, 200, 200]


@case("only configured algorithms are accepted")
def _():
    with Server(None, **settings(AUTH_TOKEN_SIGNINGALGORITHMS="[RS256]")) as server:
        assert server.get(path="/v2/", authorization="Bearer " + token(PULL, key="rsa"))[0] == 200
        assert server.get(path="/v2/", authorization="Bearer " + token(PULL))[0] == 401


@case("with autoredirect, the realm has the host of the request")
def _():
    more = {"AUTH_TOKEN_AUTOREDIRECT": "true"}
    with Server(None, **settings(**more)) as ours, Server(None, need("docker-registry"),
                                                          **settings(**more)) as theirs:
        answers = [server.get(path="/v2/", headers={"Host": "hub.example"})[1]["WWW-Authenticate"]
                   for server in (ours, theirs)]
        assert (answers[0] == answers[1]
                and 'realm="https://hub.example/auth/token"' in answers[0]), answers


@case("the start fails with a message if the settings have a mistake")
def _():
    rows = [({"AUTH_TOKEN_ISSUER": ""}, "issuer is missing"),
            ({"AUTH_TOKEN_ROOTCERTBUNDLE": ""}, "rootcertbundle or jwks is missing"),
            ({"AUTH_TOKEN_ROOTCERTBUNDLE": "/nonexistent.pem"}, "/nonexistent.pem"),
            ({"AUTH_TOKEN_SIGNINGALGORITHMS": "[none]"}, "\"none\" is not supported"),
            ({"AUTH_TOKEN_SIGNINGALGORITHMS": "[HS256]"}, "\"HS256\" is not supported")]
    for more, words in rows:
        try:
            Server(None, **{**settings(), **more}).__enter__()
        except AssertionError as error:
            assert words in str(error), (words, str(error))
        else:
            raise AssertionError(f"the server starts with {more}")


def make_image(path):
    """Writes an image of one layer in skopeo's form dir:, in docker's types: docker 20.10 inspects
    no others.
    """
    layer, config = b"a layer", b"{}"
    path.mkdir()
    (path / "version").write_text("Directory Transport Version: 1.1\n")
    for content in (layer, config):
        (path / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (path / "manifest.json").write_text(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                   "size": len(config),
                   "digest": "sha256:" + hashlib.sha256(config).hexdigest()},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": len(layer),
                    "digest": "sha256:" + hashlib.sha256(layer).hexdigest()}]}))


# --- OpenID Connect tokens as passwords ----------------------------------------------------

CI = "https://ci.example"
RULES = f"""\
oidc main issuer={CI} audience={SERVICE} jwks=keys.json repository=acme/app ref=refs/heads/main
oidc branch issuer={CI} audience={SERVICE} jwks=keys.json repository=acme/app ref=refs/heads/*
allow oidc+main all acme/app
allow oidc+branch pull acme/app
allow users pull **
allow anyone pull public/**
"""


def pipeline(ref="refs/heads/main", key="rsa", header=None, **more):
    """Returns a token as a pipeline has it."""
    now = int(time.time())
    found = {"iss": CI, "aud": SERVICE, "sub": f"repo:acme/app:ref:{ref}", "repository": "acme/app",
             "ref": ref, "iat": now,
             "nbf": now, "exp": now + 300, **more}
    return issuer().sign(found, {"kid": key} if header is None else header, key)


def guarded(rules=RULES, **more):
    return Server(line("alice", "secret"),
                  files={"access": rules, "keys.json": issuer().jwks("rsa", "ec")},
                  AUTH_HTPASSWD_ACCESS="access", STORAGE_DELETE_ENABLED="true", **more)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def judge(server, user, password, method="GET", path="/v2/acme/app/tags/list"):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    connection.request(method, path, headers={"Authorization": basic(user, password)})
    status = connection.getresponse().status
    connection.close()
    return status


@case("a pipeline's token is accepted as a password, with the rights of its principal")
def _():
    with guarded() as server:
        main_token, branch_token = pipeline(), pipeline("refs/heads/topic", key="ec")
        upload = ("POST", "/v2/acme/app/blobs/uploads/")
        for _ in range(2):  # the second time from memory
            for user in ("oidc+main", "ci", "alice"):
                assert (judge(server, user, main_token) == 404
                        and judge(server, user, main_token, *upload) == 202), user
            assert (judge(server, "ci", branch_token) == 404
                    and judge(server, "ci", branch_token, *upload) == 403)
            assert judge(server, "oidc+main", branch_token) == 401
            assert judge(server, "ci", main_token, path="/v2/acme/other/tags/list") == 403
            assert judge(server, "ci", main_token, path="/v2/public/x/tags/list") == 404
            assert (judge(server, "alice", "secret") == 404
                    and judge(server, "alice", "wrong") == 401)
        for secret in (main_token, branch_token):
            assert secret not in server.log() and secret.split(".")[2] not in server.log()


@case("a pipeline's token can be exchanged for access tokens, but not for an identity token")
def _():
    with guarded() as server:
        # Not even if there is a user of that name
        server.write(line("alice", "secret") + line("oidc+main", "x"))
        for user, secret, has_identity in (("alice", "secret", True), ("ci", pipeline(), False)):
            status, _, body = server.get(user, secret, path="/token?offline_token=true")
            assert status == 200 and ("refresh_token" in json.loads(body)) == has_identity, (
                user, status)


@case("tokens that match no rule are refused, and do not count as guesses")
def _():
    with guarded(AUTH_HTPASSWD_GUESSES="5") as server:
        now = int(time.time())
        wrong = {
            "another repository": pipeline(repository="evil/app"),
            "another issuer": pipeline(iss="https://evil.example"),
            "another audience": pipeline(aud="other.example"), "expired": pipeline(exp=now - 100),
            "no end": pipeline(exp=None),
            "not valid yet": pipeline(nbf=now + 100), "a tag": pipeline("refs/tags/v1"),
            "a nested ref": pipeline("refs/heads/a/b"),
            "an unknown key": pipeline(header={"kid": "x"}),
            "HS256": unsigned({"alg": "HS256"}, b"x" * 32),
            "none": unsigned({"alg": "none"}),
            "its own key": pipeline(key="ed", header={"jwk": issuer().jwk("ed")}),
            "a list": pipeline(repository=["evil/app"]), "of the docker kind": token(PULL),
            "without a signature": pipeline().rpartition(".")[0] + ".",
        }
        for name, secret in wrong.items():
            assert judge(server, "oidc+main", secret) == 401, name
            assert judge(server, "oidc+branch", secret) == 401, name
        assert judge(server, "oidc+main", "secret") == 401
        assert judge(server, "oidc+main", pipeline()) == 404


@case("the issuer's keys and the rules are read again when they change; a file with a "
      "mistake is ignored")
def _():
    with guarded() as server:
        secret = pipeline()
        assert judge(server, "ci", secret) == 404
        server.write("broken\n", server.dir / "keys.json")
        assert judge(server, "ci", secret) == 404
        server.write(issuer().jwks("ec"), server.dir / "keys.json")
        wait_for(lambda: judge(server, "ci", secret) == 401, "the removed key ends the token")
        server.write(issuer().jwks("rsa"), server.dir / "keys.json")
        wait_for(lambda: judge(server, "ci", secret) == 404, "the key is there again")
        server.write(RULES.replace("repository=acme/app ref=refs/heads/main", "ref=x aud=y"),
                     server.dir / "access")
        assert judge(server, "ci", secret) == 404
        wait_for(lambda: "access line 1: the claim" in server.log(), "the mistake has its line")
        server.write(RULES.replace("ref=refs/heads/main", "ref=refs/heads/other"),
                     server.dir / "access")
        wait_for(lambda: judge(server, "oidc+main", secret) == 401, "the new rules are in force")


@case("registryd access explains rules for tokens")
def _():
    with guarded() as server:
        def ask_program(*words):
            done = subprocess.run([PROGRAM, "access", *words], cwd=server.dir, capture_output=True,
                                  text=True, check=False)
            return done.returncode, done.stdout + done.stderr

        assert ask_program("check", "access") == (0, "access has no mistakes\n")
        code, text = ask_program("explain", "--file", "access", "oidc+main", "push", "acme/app")
        assert (code == 0 and "line 3 allows oidc+main" in text
                and "tokens that line 1 accepts" in text), text
        assert ask_program("explain", "--file", "access", "oidc+branch", "push", "acme/app")[0] == 1
        # Not one of "users"
        assert ask_program("explain", "--file", "access", "oidc+main", "pull", "other")[0] == 1
        (server.dir / "keys.json").unlink()
        code, text = ask_program("check", "access")
        assert code == 2 and "access line 1: " in text and "keys.json" in text, text


@case("skopeo and docker log in with a pipeline's token, and fetch the registry's own "
      "tokens with it")
def _():
    (issuer().dir / "access").write_text(RULES)
    (issuer().dir / "keys.json").write_text(issuer().jwks("rsa"))
    for own in ("false", "true"):
        with Registry(AUTH_HTPASSWD_ACCESS=issuer().dir / "access",
                      AUTH_HTPASSWD_TOKENS=own) as registry:
            registry.username, registry.password = "oidc+main", pipeline()
            user = ContainersUser(registry)
            certs = str(registry.ca_dir)
            done = user.run([need("skopeo"), "login", "--cert-dir", certs, "-u", "ci",
                             "--password-stdin", registry.host],
                            pipeline().encode())
            assert done.rc == 0, done
            make_image(user.dir / "image")
            done = user.run([need("skopeo"), "copy", "--dest-cert-dir", certs,
                             f"dir:{user.dir / 'image'}",
                             f"docker://{registry.host}/acme/app:latest"])
            assert done.rc == 0, done
            docker = DockerUser(registry)
            docker.login()
            done = docker.do_docker("manifest", "inspect", f"{registry.host}/acme/app:latest")
            assert done.rc == 0, done


main()
