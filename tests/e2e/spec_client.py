"""Clients that follow the distribution specification's token flow as crane, oras and regclient do,
each in its own way.

    client = SpecClient("regclient", registry)
    client.log_in("me", "secret")
    client.push("team/app", "v1")
"""

import base64
import hashlib
import http.client
import json
import re
import ssl
import urllib.parse

from registry import make_layer

IMAGE = "application/vnd.oci.image.manifest.v1+json"
LAYER = make_layer()

# How the clients request a token: with GET and Basic, or with POST (OAuth2), and whether they also
# request an identity token.
FLOWS = {"crane": ("GET", False), "oras": ("POST", False), "regclient": ("GET", True)}


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                     "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]}}).encode()


def make_manifest():
    parts = [{"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(content),
              "size": len(content)}
             for kind, content in (("config.v1+json", CONFIG), ("layer.v1.tar", LAYER))]
    return json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": parts[0],
                       "layers": parts[1:]}).encode()


class Refused(Exception):
    """The registry or its token server has refused a request."""


def parse_challenge(header):
    scheme, _, rest = header.partition(" ")
    return scheme.lower(), dict(re.findall(r'(\w+)="([^"]*)"', rest))


class SpecClient:
    """Sends a request without credentials first, follows the challenge, and keeps a token for each
    set of scopes.
    """

    def __init__(self, flow, registry):
        self.method, self.wants_identity = FLOWS[flow]
        self.flow, self.url = flow, registry.url
        self.trust = ssl.create_default_context(cafile=registry.ca) if registry.ca else None
        self.identities, self.log_out = [], self.forget
        self.forget()

    def forget(self):
        self.user, self.password, self.tokens, self.basic = None, None, {}, False

    # --- requests ------------------------------------------------------------

    def send(self, url, method, body=None, headers=None):
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.url, url))
        kind = (http.client.HTTPSConnection if parts.scheme == "https"
                else http.client.HTTPConnection)
        more = {"context": self.trust} if parts.scheme == "https" else {}
        connection = kind(parts.netloc, timeout=300, **more)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""),
                               body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def header_of_login(self):
        pair = f"{self.user}:{self.password}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    def fetch_token(self, challenge, scopes):
        asked = [("service", challenge["service"]), ("client_id", self.flow),
                 *(("scope", scope) for scope in scopes)]
        if self.method == "POST" and self.user:
            asked = [pair for pair in asked if pair[0] != "scope"] + [("scope", " ".join(scopes)), (
                "grant_type", "password"), ("username", self.user), ("password", self.password)]
            answer = self.send(challenge["realm"], "POST", urllib.parse.urlencode(asked),
                               {"Content-Type": "application/x-www-form-urlencoded"})
        else:
            asked += [("offline_token", "true")] if self.wants_identity and self.user else []
            answer = self.send(f"{challenge['realm']}?{urllib.parse.urlencode(asked)}", "GET", None,
                               self.header_of_login() if self.user else None)
        if answer[0] != 200:
            raise Refused(f"token server: {answer[0]}")
        members = json.loads(answer[2])
        if "refresh_token" in members:
            self.identities.append(members["refresh_token"])
        return members.get("access_token") or members["token"]

    def request(self, method, path, *scopes, body=None, headers=None):
        """Sends a request, after the first challenge with the credentials that it asks for."""
        scopes = tuple(sorted(scopes))
        for _ in range(2):
            more = ({"Authorization": f"Bearer {self.tokens[scopes]}"} if scopes in self.tokens
                    else {})
            more = self.header_of_login() if self.basic and self.user else more
            answer = self.send(path, method, body, {**(headers or {}), **more})
            if answer[0] != 401:
                break
            if more:
                raise Refused(f"{method} {path}: 401 with credentials")
            scheme, challenge = parse_challenge(answer[1]["WWW-Authenticate"])
            self.basic = scheme == "basic"
            if self.basic and not self.user:
                raise Refused(f"{method} {path}: needs a login")
            if not self.basic:
                self.tokens[scopes] = self.fetch_token(challenge, scopes)
        if answer[0] >= 400:
            raise Refused(f"{method} {path}: {answer[0]} {answer[2][:200]}")
        return answer

    # --- what people do ------------------------------------------------------

    def log_in(self, user, password):
        self.forget()
        self.user, self.password = user, password
        try:
            self.request("GET", "/v2/")
        except Refused:
            self.forget()
            raise

    def push_blob(self, name, content, *scopes, source=None):
        """Uploads a blob, or mounts it; returns the status of the first answer: 201 for a mount."""
        path = f"/v2/{name}/blobs/uploads/" + (f"?mount={digest(content)}&from={source}" if source
                                               else "")
        status, headers, _ = self.request("POST", path, *scopes, body=b"")
        if status == 202:
            place = headers["Location"]
            place += ("&" if "?" in place
                      else "?") + urllib.parse.urlencode({"digest": digest(content)})
            self.request("PUT", place, *scopes, body=content,
                         headers={"Content-Type": "application/octet-stream"})
        return status

    def push(self, name, tag="v1", source=None):
        """Pushes an image; returns the statuses of its blobs' uploads."""
        scopes = [f"repository:{name}:pull,push",
                  *([f"repository:{source}:pull"] if source else [])]
        statuses = [self.push_blob(name, content, *scopes, source=source)
                    for content in (CONFIG, LAYER)]
        self.request("PUT", f"/v2/{name}/manifests/{tag}", *scopes, body=make_manifest(),
                     headers={"Content-Type": IMAGE})
        return statuses

    def pull(self, name, tag="v1"):
        scope = f"repository:{name}:pull"
        manifest = json.loads(self.request("GET", f"/v2/{name}/manifests/{tag}", scope,
                                           headers={"Accept": IMAGE})[2])
        for part in (manifest["config"], *manifest["layers"]):
            content = self.request("GET", f"/v2/{name}/blobs/{part['digest']}", scope)[2]
            assert digest(content) == part["digest"]
