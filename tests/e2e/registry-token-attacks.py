#!/usr/bin/env python3
"""Attacks on tokens and on the token server: each must be refused, and must not harm other clients.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import hashlib
import hmac
import http.client
import itertools
import json
import socket
import subprocess
import time
import urllib.parse

from harness import case, main, need
from plain_registry import TIMEOUT_S, line, wait_for
from raw_http import Raw, head
from token_issuer import Issuer
from token_registry import (FORM, LAYER, PASSWORD, REALM, TokenRegistry, actions, basic, bearer,
                            claims_of, code_of, decode, digest_of,
                            encode)

BLOB = f"/v2/team/app/blobs/{digest_of(LAYER)}"
PULL = "repository:team/app:pull"
ORDER_OF_ED25519 = 2**252 + 27742317777372353535851937790883648493
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def packed(value):
    return encode((value if isinstance(value, str) else json.dumps(value)).encode())


def public_key(registry):
    """Returns the public half of the registry's key in PEM."""
    return subprocess.run([need("openssl"), "pkey", "-pubout"], check=True, capture_output=True,
                          input=registry.signing_key().encode()).stdout


class Forger:
    """Makes tokens out of a valid one."""

    def __init__(self, registry):
        self.registry = registry
        self.good = registry.fetch("alice", PULL)["token"]
        self.claims, self.now = claims_of(self.good), int(time.time())
        self.head, self.payload, self.signature = self.good.split(".")
        self.header = json.loads(decode(self.head))

    def status(self, token, path=BLOB):
        if 40 < len(token) < 9000:
            self.registry.secrets.append(token)
        return self.registry.status("GET", path, None, bearer(token))

    def refuse(self, tokens):
        """Asserts that each of these tokens is refused, and that the valid one still is not."""
        accepted = {name: status
                    for name, status in ((name, self.status(token))
                                         for name, token in tokens.items()) if status != 401}
        assert not accepted, accepted
        assert self.status(self.good) == 200

    def with_header(self, header, signature=None):
        signature = self.signature if signature is None else signature
        return f"{packed(header)}.{self.payload}.{signature}"

    def with_claims(self, **changes):
        """Returns a token signed with the registry's own key, in which these claims differ. None
        removes a claim.
        """
        return self.registry.sign({name: value for name, value in {**self.claims, **changes}.items()
                                   if value is not None})

    def with_text(self, more):
        """Returns such a token in whose JSON this text follows the last claim."""
        return self.registry.sign(json.dumps(self.claims)[:-1] + more)

    def with_hmac(self, key, algorithm="HS256"):
        signed = f"{packed({**self.header, 'alg': algorithm})}.{self.payload}"
        return f"{signed}.{encode(hmac.new(key, signed.encode(), 'sha256').digest())}"


# --- the signature --------------------------------------------------------------------------------


@case("a token with another algorithm, key or signature is refused")
def _():
    with TokenRegistry() as registry, TokenRegistry() as other, Issuer(
            ("ec", "ed")) as stranger, socket.socket() as listener:
        registry.push_blob("root", "team/app")
        forger = Forger(registry)
        assert forger.status(registry.sign(forger.claims)) == 200  # the forger's tools work
        pem = public_key(registry)
        der = subprocess.run([need("openssl"), "pkey", "-pubin", "-outform", "DER"], check=True,
                             capture_output=True, input=pem).stdout
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        own = forger.header["kid"]

        def stranger_signs(**header):
            return stranger.sign(forger.claims, {"kid": own, **header}, "ed")

        raw = decode(forger.signature)
        s = int.from_bytes(raw[32:], "little")
        larger = raw[:32] + (s + ORDER_OF_ED25519).to_bytes(32, "little")
        last = DIGITS.index(forger.signature[-1])
        plus = next(token for token in (registry.fetch("alice", PULL)["token"]
                                        for _ in itertools.count()) if set("-_") & set(token))
        forger.refuse({
            **{f"alg {alg}": registry.sign(forger.claims, {**forger.header, "alg": alg})
               for alg in ("none", "None", "NONE", "", "eddsa", "EDDSA", "Ed25519", "ES256",
                           "HS256", "RS256", "EdDSA ", "EdDSA\0", ["EdDSA"], None)},
            "no alg": registry.sign(forger.claims, {"typ": "JWT", "kid": own}),
            "alg none without a signature": forger.with_header({"alg": "none", "typ": "JWT"}, ""),
            **{f"HMAC with the public key as {name}": forger.with_hmac(key)
               for name, key in (("PEM", pem), ("stripped PEM", pem.strip()), ("DER", der),
                                 ("bytes", der[-32:]), ("nothing", b""))},
            "an HMAC key in the header": forger.with_header(
                {**forger.header, "alg": "HS256", "jwk": {"kty": "oct", "k": ""}}),
            "an embedded key": stranger_signs(jwk=stranger.jwk("ed")),
            "an embedded key, kid of it": stranger_signs(jwk=stranger.jwk("ed"),
                                                         kid=stranger.thumbprint("ed")),
            "an embedded certificate": stranger_signs(x5c=[stranger.certificate("ed")]),
            "the URL of a key set": stranger_signs(jku=url),
            "the URL of a certificate": stranger_signs(x5u=url),
            **{f"kid {kid!r:.20}": registry.sign(forger.claims, {**forger.header, "kid": kid})
               for kid in ("", "../keys/signing-1", "signing-1", "/dev/null", "file:///dev/null",
                           "' OR 1=1 --", own + "\0", own.lower(),
                           own + "=", own[:-1], "x" * 6000, "\u043a\u043b\u044e\u0447", 1, None,
                           [own], {"kid": own})},
            "no kid, another key": stranger.sign(forger.claims, {}, "ed"),
            "ES256 with the kid of our key": stranger.sign(forger.claims, {"kid": own}, "ec"),
            "the key of another registry": other.fetch("alice", PULL)["token"],
            "crit": registry.sign(forger.claims, {**forger.header, "crit": ["exp"], "exp": 1}),
            "b64": registry.sign(forger.claims, {**forger.header, "b64": False}),
            "no JSON Web Token": registry.sign(forger.claims, {**forger.header, "typ": "JOSE"}),
            "another S of the same signature": f"{forger.head}.{forger.payload}.{encode(larger)}",
            "a signature of zeros": f"{forger.head}.{forger.payload}.{encode(bytes(64))}",
            "a longer signature": f"{forger.head}.{forger.payload}.{encode(raw + b'x')}",
            "a shorter signature": f"{forger.head}.{forger.payload}.{encode(raw[:-1])}",
            "other bits in the last digit": forger.good[:-1] + DIGITS[last ^ 1],
            "padding": forger.good + "==",
            "the other base64": plus.replace("-", "+").replace("_", "/"),
        })
        listener.setblocking(False)
        try:
            listener.accept()
            raise AssertionError("the registry fetched a key")
        except BlockingIOError:
            pass


@case("malformed tokens are refused, and tokens outside the header Authorization are ignored")
def _():
    with TokenRegistry() as registry:
        registry.push_blob("root", "team/app")
        forger = Forger(registry)
        head_, payload, signature = forger.good.split(".")
        forger.refuse({
            "nothing": "", "no dots": "abc", "dots": "...", "many dots": "." * 9000,
            "blanks": "a b c", "huge": "A" * 20000,
            "no signature": f"{head_}.{payload}.", "no payload": f"{head_}..{signature}",
            "four parts": forger.good + ".x",
            "five parts": f"{head_}.{signature}.{payload}.{signature}.{signature}",
            "a tab in it": f"{head_}.\t{payload}.{signature}",
            "two tokens": f"{forger.good}, {forger.good}", "quotes": f'"{forger.good}"',
            "JSON": json.dumps({"token": forger.good}),
            "the parts in another order": f"{payload}.{head_}.{signature}",
            "wide JSON": registry.sign("[" * 3000 + "]" * 3000),
            "no object": registry.sign('"text"'),
            "two objects": registry.sign(json.dumps(forger.claims) + "{}"),
            "an identity token": registry.log_in(), "a password": PASSWORD,
        })
        query = urllib.parse.quote(forger.good)
        for path in (f"{BLOB}?access_token={query}", f"{BLOB}?token={query}",
                     f"/v2/?authorization=Bearer+{query}"):
            assert registry.status("GET", path) == 401
        for header in ("X-Registry-Auth", "Proxy-Authorization", "X-Auth-Token", "Cookie"):
            assert registry.status("GET", BLOB, None, {header: f"Bearer {forger.good}"}) == 401
        for scheme in ("Token", "Basic", "Digest", "Bearer:", "Bearer=", ""):
            assert (registry.status("GET", BLOB, None,
                                    {"Authorization": f"{scheme} {forger.good}".strip()})
                    == 401), scheme
        for user in ("<token>", "alice", ""):
            assert registry.status("GET", BLOB, None, basic(user, forger.good)) == 401, user
        with Raw(registry.server.port) as raw:
            twice = [f"Authorization: Bearer {token}\r\n".encode()
                     for token in (forger.good, "x.y.z")]
            assert raw.send(head("GET", BLOB, *twice)).read().status == 400
        for scheme in ("bearer", "BEARER", "Bearer  "):  # RFC 9110 section 11.1
            assert (registry.status("GET", BLOB, None, {"Authorization": f"{scheme} {forger.good}"})
                    == 200), scheme


# --- the claims -----------------------------------------------------------------------------------


@case("tokens with wrong, expired or ambiguous claims are refused, even with a valid signature")
def _():
    with TokenRegistry() as registry:
        registry.push_blob("root", "team/app")
        forger = Forger(registry)
        now, root = forger.now, {"sub": "root", "cred": None}
        widened = packed({**forger.claims,
                          "access": [{"type": "repository", "name": "team/app",
                                      "actions": ["pull", "push"]}]})
        forger.refuse({
            "widened scopes": f"{forger.head}.{widened}.{forger.signature}",
            "expired": forger.with_claims(exp=now - 61, nbf=now - 600, iat=now - 600),
            "not yet valid": forger.with_claims(nbf=now + 3600, exp=now + 7200),
            "issued in the future": forger.with_claims(iat=now + 3600, exp=now + 7200),
            **{f"exp {exp!r:.20}": forger.with_claims(exp=exp)
               for exp in (None, 0, -1, str(now + 300), True, [now + 300], {}, 2**63, 2**64 + now,
                           1e300, "never")},
            **{f"exp {exp}": registry.sign(
                json.dumps(forger.claims).replace(f'"exp": {forger.claims["exp"]}',
                                                  f'"exp": {exp}'))
               for exp in ("1e999", "NaN", "Infinity", "0x7fffffff", "99999999999999999999999999",
                           "-0", "1e-5", "null")},
            **{f"nbf {nbf!r:.20}": forger.with_claims(nbf=nbf)
               for nbf in (2**62, 1e18, "0", -1, [], now + 1000)},
            "another service": forger.with_claims(aud="other"),
            "without aud": forger.with_claims(aud=None),
            "a longer service": forger.with_claims(aud=REALM + "x"),
            "a service with a NUL": forger.with_claims(aud=REALM + "\0x"),
            "the service in other letters": forger.with_claims(aud=REALM.lower()),
            "a list of others": forger.with_claims(aud=["x", "y"]),
            "an empty list": forger.with_claims(aud=[]),
            "a list in a list": forger.with_claims(aud=[[REALM]]),
            "a list with a number": forger.with_claims(aud=[REALM, 1]),
            "an object": forger.with_claims(aud={REALM: REALM}),
            "another issuer": forger.with_claims(iss="other"),
            "without iss": forger.with_claims(iss=None),
            "issuers": forger.with_claims(iss=["registryd"]),
            "another password": forger.with_claims(cred="0" * len(forger.claims["cred"])),
            "half a cred": forger.with_claims(cred=forger.claims["cred"][:8]),
            "cred of alice for root": forger.with_claims(sub="root"),
            "unknown user": forger.with_claims(sub="nobody"),
            "without sub": forger.with_claims(sub=None),
            "sub is a list": forger.with_claims(sub=["root"]),
            "a NUL in sub": forger.with_claims(**{**root, "sub": "root\0x"}),
            "a long sub": forger.with_claims(**{**root, "sub": "r" * 300}),
            **{f"a second {text:.12}": forger.with_text(", " + text + "}")
               for text in ('"sub": "root"', '"access": []', f'"exp": {now + 9}',
                            r'"s\u0075b": "root"', '"cred": null', '"aud": "x"')},
            "a second name in access": registry.sign(
                json.dumps({**forger.claims, "access": []})[:-3]
                + '[{"type": "repository", "name": "a", "name": "team/app", '
                  '"actions": ["pull"]}]}'),
            **{f"access {access!r:.30}": forger.with_claims(access=access)
               for access in (None, {"type": "repository"}, "repository:team/app:pull", [[]], ["x"],
                              [{}], [{"type": "repository", "name": "team/app"}],
                              [{"type": "repository", "name": "team/app", "actions": "pull"}],
                              [{"type": "repository", "name": "team/app", "actions": [1]}])},
            # No pattern in a token stands for other names.
            **{f"name {name}": forger.with_claims(
                access=[{"type": "repository", "name": name, "actions": ["*"]}])
               for name in ("*", "**", "team/*", "team/**", "team/app*", "TEAM/APP", "team/app/",
                            "/team/app", "team//app", "team/app\0", "team/../team/app")},
            **{f"type {kind}": forger.with_claims(
                access=[{"type": kind, "name": "team/app", "actions": ["pull"]}])
               for kind in ("*", "Repository", "registry", "repository(plugin)", "repository ")},
            **{f"action {action}": forger.with_claims(
                access=[{"type": "repository", "name": "team/app", "actions": [action]}])
               for action in ("PULL", "pull,push", "pul", "", "**", "pull ")},
        })
        # What the rules of JSON Web Tokens permit.
        for change in ({"aud": ["x", REALM]}, {"exp": now + 300.5}, {"nbf": int(time.time()) + 30}):
            assert forger.status(forger.with_claims(**change)) == 200, change
        # Clocks may differ by a minute
        assert (forger.status(forger.with_claims(exp=int(time.time()) - 10, nbf=None, iat=None))
                == 200)
        # A token gives no more than its user has, whatever is in it.
        every = forger.with_claims(access=[{"type": "repository", "name": name, "actions": ["*"]}
                                           for name in ("team/app", "secret")])
        assert forger.status(every) == 200 and forger.status(every, "/v2/secret/tags/list") == 403
        assert registry.status("DELETE", BLOB, None, bearer(every)) == 403


@case("a registry with another service name on the same storage refuses the tokens")
def _():
    with TokenRegistry() as one:
        with TokenRegistry(STORAGE_FILESYSTEM_ROOTDIRECTORY=str(one.server.dir / "data"),
                           AUTH_HTPASSWD_REALM="another") as other:
            other.server.write("".join(one.users.values()))
            token = one.fetch("alice", PULL)["token"]
            assert one.status("GET", "/v2/", None, bearer(token)) == 200
            wait_for(lambda: other.status("GET", "/v2/", None, basic("alice")) == 200,
                     "the users are not read")
            assert other.status("GET", "/v2/", None, bearer(token)) == 401


# --- users ----------------------------------------------------------------------------------------


@case("tokens end when their user is renamed, replaced or created again; similar names are "
      "different users")
def _():
    composed, decomposed, cyrillic = "jos\u00e9", "jose\u0301", "\u0430lice"
    users = ("alice", composed, decomposed, "x")
    with TokenRegistry("allow users pull team/**\n", users=users) as registry:
        login = {user: registry.post(grant_type="password", username=user, password=PASSWORD,
                                     scope=PULL, access_type="offline") for user in users}
        kept = dict(registry.users)

        def state(user):
            """Whether the access token and the identity token are valid."""
            is_valid = registry.status("GET", "/v2/", None, bearer(login[user]["token"])) == 200
            answer = registry.call("POST", "/token", urllib.parse.urlencode(
                {"grant_type": "refresh_token", "refresh_token": login[user]["refresh_token"]}),
                                   {"Content-Type": FORM})
            return is_valid, answer[0] == 200

        def change(*lines):
            change.count += 1
            witness = f"witness{change.count}"
            registry.server.write("".join((*lines, line(witness, PASSWORD))))
            wait_for(lambda: registry.status("GET", "/v2/", None, basic(witness)) == 200,
                     "the changed file is not read")

        change.count = 0
        assert {user: state(user) for user in users} == dict.fromkeys(users, (True, True))
        assert [claims_of(login[user]["token"])["sub"] for user in users] == list(users)
        for user in (cyrillic, "ALICE", "Alice", "alice ", " alice", "alice\t", composed.upper()):
            assert registry.status("GET", "/v2/", None, basic(user)) == 401, user
        change(kept["alice"].replace("alice", "renamed"), kept[decomposed])
        assert ([state(user) for user in users]
                == [(False, False), (False, False), (True, True), (False, False)])
        change(line("alice", PASSWORD), kept[composed].replace(composed, decomposed),
               kept["x"].replace("x:", "alice2:"))
        assert not any(itertools.chain(*(state(user) for user in users)))
        change(kept["alice"])  # the old file was restored, with the old password
        assert state("alice") == (True, True)


@case("users with the name of a robot, a pipeline or a keyword get no additional rights")
def _():
    users = ("robot+ci", "oidc+ci", "<token>", "anyone", "users", "@team", "alice")
    rules = ("group team alice\nallow @team pull team/**\nallow anyone pull public/**\nallow users "
             "pull members/**\n")
    with TokenRegistry(rules, users=users, AUTH_HTPASSWD_ROBOTS="robots") as registry:
        def rights(user):
            answer = registry.call("GET", "/token?" + urllib.parse.urlencode(
                [("scope", f"repository:{name}:pull")
                 for name in ("team/app", "public/app", "members/app")]), None, basic(user))
            return answer[0] if answer[0] != 200 else {
                name for (_, name), given in actions(json.loads(answer[2])["token"]).items()
                if given}

        of_user = {"public/app", "members/app"}
        assert rights("alice") == {"team/app", *of_user}
        assert rights("robot+ci") == rights("<token>") == 401
        for user in ("anyone", "users", "@team"):
            assert rights(user) == of_user, user
        assert rights("oidc+ci") == {"public/app"}


# --- the token server -----------------------------------------------------------------------------


@case("wildcards and other spellings in a requested scope grant nothing")
def _():
    with TokenRegistry() as registry:
        for scope in ("repository:*:*", "repository:**:pull", "repository:team/*:pull",
                      "repository:team/**:*", "repository:Team/App:pull",
                      "REPOSITORY:team/app:pull", "repository(plugin):team/app:pull",
                      "repository:team/app/:pull", "repository:/team/app:pull",
                      "registry:*:*", "registry:catalog:pull", "*:*:*", "repository:team/app",
                      "repository:https://x/team/app:pull",
                      "repository:team/app\n:pull", "\trepository:team/app:pull",
                      "repository:team/app:pull:x"):
            token = registry.fetch("root", scope)["token"]
            assert actions(token) == {}, (scope, actions(token))
            assert registry.status("GET", "/v2/team/app/tags/list", None, bearer(token)) == 401, (
                scope)
        assert (actions(registry.fetch("root", "repository:team/app:PULL,Push,pul")["token"])
                == {("repository", "team/app"): set()})


@case("a form together with a header Authorization is refused")
def _():
    with TokenRegistry() as registry:
        form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
        identity, access = registry.log_in(), registry.fetch("alice")["token"]
        for grant in (form, {"grant_type": "refresh_token", "refresh_token": identity}, {}):
            body = urllib.parse.urlencode(grant)
            assert (registry.status("POST", "/token", body, {"Content-Type": FORM})
                    == (200 if grant else 400))
            for header in (basic("alice"), basic("root"), basic("alice", "wrong"),
                           basic("<token>", identity), bearer(access), basic(""),
                           {"Authorization": "x"}, {"Authorization": ""}):
                status, _, text = registry.call("POST", "/token", body,
                                                {"Content-Type": FORM, **header})
                assert status == 400 and b"either in the form or in the header" in text, (
                    grant, header, status, text)
        # GET takes its credentials from the header only.
        assert registry.status("GET", "/token?" + urllib.parse.urlencode(form), None) == 401
        status, _, text = registry.call("GET", "/token?"
                                        + urllib.parse.urlencode(
                                            {**form, "username": "root", "account": "root"}), None,
                                        basic("alice"))
        assert status == 200 and claims_of(json.loads(text)["token"])["sub"] == "alice"


class SlowForm:
    """A login form of which only the first bytes were sent. The server says when it has accepted
    the head.
    """

    START = b"grant_type=password&username=alice&"

    def __init__(self, port, source):
        self.rest = b"password=" + PASSWORD.encode()
        self.raw = Raw(port, source)
        self.raw.send(head("POST", "/token",
                           b"Content-Type: " + FORM.encode() + b"\r\nExpect: 100-continue\r\n",
                           f"Content-Length: {len(self.START) + len(self.rest)}\r\n".encode()))
        self.raw.socket.settimeout(TIMEOUT_S)
        answer = self.raw.socket.recv(4096)
        self.is_accepted = answer.startswith(b"HTTP/1.1 100 ")
        self.is_refused = answer.startswith(b"HTTP/1.1 429 ")
        if self.is_accepted:
            self.raw.send(self.START)

    def finish(self):
        return self.raw.send(self.rest).read().status


@case("slow login forms do not prevent other clients from logging in")
def _():
    form = urllib.parse.urlencode({"grant_type": "password", "username": "alice",
                                   "password": PASSWORD}).encode()

    def log_in_from(registry, source):
        with Raw(registry.server.port, source) as raw:
            lines = (b"Content-Type: " + FORM.encode() + b"\r\n",
                     f"Content-Length: {len(form)}\r\n".encode())
            return raw.send(head("POST", "/token", *lines) + form).read().status

    with TokenRegistry(HTTP_LIMITS_MINRATE="0") as registry:  # the test may be slow, too
        slow = [SlowForm(registry.server.port, "127.0.0.1") for _ in range(256)]
        accepted = [one for one in slow if one.is_accepted]
        assert len(accepted) == 64 and all(one.is_refused for one in slow if not one.is_accepted), (
            len(accepted))
        assert log_in_from(registry, "127.0.0.1") == 429
        for source in ("127.0.0.2", "127.0.0.3"):
            assert [log_in_from(registry, source) for _ in range(3)] == [200] * 3
        # Of the same client, everything but more forms goes on.
        assert registry.status("GET", "/token", None, basic("alice")) == 200
        assert registry.status("GET", "/v2/team/app/tags/list", None, basic("alice")) == 404
        # Several clients together have 256 places, and the next client is told to come again.
        more = [SlowForm(registry.server.port, f"127.0.1.{client}") for client in range(1, 5)
                for _ in range(64)]
        assert sum(one.is_accepted for one in more) == 192
        assert log_in_from(registry, "127.0.0.2") == 429
        assert registry.status("GET", "/token", None, basic("alice")) == 200
        # A place is free again when its form is complete, and when its client has gone.
        assert accepted.pop().finish() == 200
        assert log_in_from(registry, "127.0.0.2") == 200
        for one in (*slow, *more):
            one.raw.close()
        wait_for(lambda: log_in_from(registry, "127.0.0.1") == 200, "the places stay in use")


@case("a million scopes are refused, and many scopes cost little")
def _():
    with TokenRegistry() as registry:
        many = " ".join(f"repository:r{i}:pull" for i in range(400))
        assert (registry.status("GET", "/token?scope=" + urllib.parse.quote(many), None,
                                basic("alice"))
                == 400)
        repeated = "&".join("scope=repository:team/app:pull,push" for _ in range(700))
        token = registry.tokens_of(registry.call("GET", "/token?" + repeated, None, basic("alice")),
                                   200)["token"]
        assert actions(token) == {("repository", "team/app"): {"pull", "push"}}
        million = "scope=" + "+".join(f"repository:r{i}:pull" for i in range(1000000))
        connection = http.client.HTTPConnection("127.0.0.1", registry.server.port,
                                                timeout=TIMEOUT_S)
        try:
            connection.request("POST", "/token", million, {"Content-Type": FORM})
            assert connection.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all of it was sent
        finally:
            connection.close()
        most = registry.fetch("alice",
                              *(f"repository:team/{i:0250}:pull" for i in range(30)))["token"]
        assert registry.status("GET", f"/v2/team/{7:0250}/tags/list", None, bearer(most)) == 404


if __name__ == "__main__":
    main()
