"""A registry with an access file and its own tokens, and what tests need to ask for tokens and to
forge them.

    with TokenRegistry() as registry:
        token = registry.fetch("alice", "repository:team/app:pull")["token"]
"""

import base64
import hashlib
import http.client
import json
import re
import subprocess
import urllib.parse

from harness import need
from plain_registry import PROGRAM, TIMEOUT_S, Server, line

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


class TokenRegistry:
    """A registry with rules and tokens. `call` sends one request."""

    def __init__(self, rules=RULES, users=USERS, **settings):
        files = {"access": rules} if rules is not None else {}
        if rules is not None:
            settings.setdefault("AUTH_HTPASSWD_ACCESS", "access")
        self.users = {user: line(user, PASSWORD) for user in users}
        self.server = Server("".join(self.users.values()), files=files,
                             STORAGE_DELETE_ENABLED="true", **settings)
        self.secrets = []  # that must not be in the log

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        log = self.server.log()
        self.server.__exit__()
        found = [secret for secret in self.secrets for part in secret.split(".") if len(part) > 60
                 and part in log]
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
        query = urllib.parse.urlencode([("service", REALM), *(("scope", scope) for scope in scopes),
                                        *parameters.items()])
        return self.tokens_of(self.call("GET", "/token?" + query, None,
                                        basic(user) if user else None), expected)

    def post(self, expected=200, **parameters):
        body = urllib.parse.urlencode({"service": REALM, "client_id": "test", **parameters})
        return self.tokens_of(self.call("POST", "/token", body, {"Content-Type": FORM}), expected)

    def refresh(self, identity, scope="repository:team/app:pull", expected=200):
        return self.post(expected, grant_type="refresh_token", refresh_token=identity, scope=scope)

    def tokens_of(self, answer, expected):
        status, headers, body = answer
        assert status == expected, (status, body)
        if status != 200:
            return body
        members = json.loads(body)
        assert members["token"] == members["access_token"] and members["expires_in"] >= 60, members
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", members["issued_at"]), members
        assert headers["Cache-Control"] == "no-store", headers
        self.secrets += [members["token"],
                         *([members["refresh_token"]] if "refresh_token" in members else [])]
        return members

    def push_blob(self, user, repository, content=LAYER):
        status = self.status("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}",
                             content,
                             {"Content-Type": "application/octet-stream", **basic(user)})
        assert status == 201, (user, repository, status)

    def command(self, *words, rc=0):
        result = subprocess.run([PROGRAM, "token", *words, "--config", self.server.config],
                                env=self.server.env, text=True,
                                capture_output=True, cwd=self.server.dir, check=False)
        assert result.returncode == rc, (words, result)
        return result.stdout + result.stderr

    def signing_key(self):
        return (self.storage / "private/keys/signing-1").read_text().partition("\n")[2]

    def log_in(self, user="alice", client="docker"):
        """Returns an identity token."""
        return self.fetch(user, offline_token="true", client_id=client)["refresh_token"]

    def sign(self, claims, header=None, key=None):
        """A token with these claims, which are JSON text or an object, signed with the registry's
        own key.
        """
        text = claims if isinstance(claims, str) else json.dumps(claims)
        header = json.dumps(header or {"alg": "EdDSA", "typ": "JWT"})
        signed = f"{encode(header.encode())}.{encode(text.encode())}"
        directory = self.server.dir / "sign"
        directory.mkdir(exist_ok=True)
        (directory / "key").write_text(key or self.signing_key())
        (directory / "text").write_text(signed)
        done = subprocess.run([need("openssl"), "pkeyutl", "-sign", "-rawin", "-inkey",
                               directory / "key", "-in", directory / "text"],
                              check=True, capture_output=True)
        return f"{signed}.{encode(done.stdout)}"


def code_of(body):
    return json.loads(body)["errors"][0]["code"]


def actions(token):
    """Returns the rights in a token's claims."""
    return {(item["type"], item["name"]): set(item["actions"])
            for item in claims_of(token)["access"]}
