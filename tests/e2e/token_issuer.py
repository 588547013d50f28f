"""A signer of JSON Web Tokens, and a token server for registry clients. The keys are those of
openssl.

    with Issuer() as issuer:
        issuer.sign({"iss": "me", "exp": time.time() + 60}, key="rsa")
"""

import base64
import functools
import hashlib
import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse

from harness import need

KEYS = {
    "ec": ("ES256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    "rsa": ("RS256", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    "ed": ("EdDSA", ["-algorithm", "ed25519"]),
}


def base64url(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_der(signature):
    """From the DER of an ECDSA signature to r and s in 32 bytes each."""
    numbers, at = [], 2
    for _ in range(2):
        size = signature[at + 1]
        numbers.append(int.from_bytes(signature[at + 2:at + 2 + size], "big").to_bytes(32, "big"))
        at += 2 + size
    return b"".join(numbers)


class Issuer:
    """Keys with self-signed certificates in a temporary directory."""

    def __init__(self, keys=tuple(KEYS)):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="issuer.", dir="/tmp"))
        self.keys = keys
        for name in keys:
            self.openssl("genpkey", *KEYS[name][1], "-out", f"{name}.key")
            self.openssl("req", "-x509", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days",
                         "2", "-out", f"{name}.crt")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def openssl(self, *words, stdin=b""):
        return subprocess.run([need("openssl"), *words], cwd=self.dir, input=stdin, check=True,
                              capture_output=True).stdout

    def bundle(self, *names):
        """Returns a file with the certificates of these keys."""
        path = self.dir / ("-".join(names) + ".pem")
        path.write_text("".join((self.dir / f"{name}.crt").read_text() for name in names))
        return path

    @functools.cache
    def certificate(self, name):
        """Returns an entry of x5c."""
        return base64.b64encode(self.openssl("x509", "-in", f"{name}.crt", "-outform",
                                             "DER")).decode()

    @functools.cache
    def public(self, name):
        return self.openssl("pkey", "-in", f"{name}.key", "-pubout", "-outform", "DER")

    def libtrust_id(self, name):
        text = base64.b32encode(hashlib.sha256(self.public(name)).digest()[:30]).decode()
        return ":".join(text[at:at + 4] for at in range(0, 48, 4))

    def jwk(self, name, **more):
        """Returns the public key as registries and issuers publish it."""
        der = self.public(name)
        if name == "ec":
            members = {"kty": "EC", "crv": "P-256", "x": base64url(der[-64:-32]),
                       "y": base64url(der[-32:])}
        elif name == "ed":
            members = {"kty": "OKP", "crv": "Ed25519", "x": base64url(der[-32:])}
        else:
            text = self.openssl("rsa", "-in", f"{name}.key", "-noout", "-modulus").decode().strip()
            members = {"kty": "RSA", "n": base64url(bytes.fromhex(text.partition("=")[2])),
                       "e": "AQAB"}
        return {**members, **more}

    def thumbprint(self, name):
        text = json.dumps(self.jwk(name), sort_keys=True, separators=(",", ":"))
        return base64url(hashlib.sha256(text.encode()).digest())

    def jwks(self, *names):
        """Returns the text of a key set, in which each key is called by its name."""
        return json.dumps(
            {"keys": [self.jwk(name, kid=name, use="sig", alg=KEYS[name][0])
                      for name in names]}) + "\n"

    def sign(self, claims, header=None, key="ec"):
        """Signs claims (a mapping, or the bytes of the payload). The header names the algorithm,
        unless it says otherwise.
        """
        header = {"alg": KEYS[key][0], "typ": "JWT", **(header or {})}
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signed = f"{base64url(json.dumps(header).encode())}.{base64url(payload)}"
        if key == "ed":
            (self.dir / "signed").write_text(signed)
            signature = self.openssl("pkeyutl", "-sign", "-rawin", "-inkey", "ed.key", "-in",
                                     "signed")
        else:
            signature = self.openssl("dgst", "-sha256", "-sign", f"{key}.key",
                                     stdin=signed.encode())
        return f"{signed}.{base64url(from_der(signature) if key == 'ec' else signature)}"


class TokenServer:
    """A token server for one user, which grants all that it is asked for below the user's
    repositories. Everybody may pull below `public`."""

    def __init__(self, issuer, user, password, service, below, public):
        outer = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers GET and POST /auth as the distribution specification says."""

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
                login = self.headers["Authorization"]
                is_user = login == "Basic " + base64.b64encode(
                    f"{user}:{password}".encode()).decode()
                self.decide(query, not login or is_user, is_user)

            def do_POST(self):
                form = urllib.parse.parse_qs(
                    self.rfile.read(int(self.headers["Content-Length"])).decode())
                is_user = (form.get("username"), form.get("password")) == ([user], [password])
                self.decide(form, is_user, is_user)

            def decide(self, asked, is_right, is_user):
                outer.asked.append(asked)
                if is_right:
                    self.answer(outer.make_token(asked, user if is_user else ""))
                    return
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def answer(self, token):
                text = json.dumps({"token": token, "access_token": token,
                                   "expires_in": 300}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.issuer, self.service, self.below, self.public = issuer, service, below, public
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self.server.server_port}/auth"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def make_token(self, query, user):
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            kind, name, actions = scope.split(":")
            is_public, is_own = name.startswith(self.public), user and name.startswith(self.below)
            allowed = [action for action in actions.split(",") if is_own
                       or (is_public and action == "pull")]
            if allowed:
                access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {"iss": "test issuer", "aud": self.service, "sub": user, "iat": now, "nbf": now,
                  "exp": now + 300,
                  "jti": str(now), "access": access}
        return self.issuer.sign(claims, {"kid": self.issuer.libtrust_id("ec")})
