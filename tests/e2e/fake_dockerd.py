"""Servers that record the logins that clients send: a docker daemon, and a registry without TLS.

docker and compose send a login to the daemon in a header, and buildx sends it to the registry. These servers show
which login each client would use for Docker Hub and other registries, without a network.
"""

import base64
import http.server
import json
import re
import socketserver
import threading

API_VERSION = "1.41"


def decode(header):
    """Returns the JSON of X-Registry-Auth or X-Registry-Config, {} without the header."""
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)) or b"{}") if header else {}


def login_of(document):
    """Returns (username, secret) of an authentication object; None if it has neither password nor token."""
    document = {name.lower(): value for name, value in document.items()}  # compose 1 writes "Password"
    if document.get("identitytoken"):
        return "<token>", document["identitytoken"]
    if document.get("password"):
        return document.get("username", ""), document["password"]
    if document.get("auth"):
        username, _, secret = base64.b64decode(document["auth"]).decode().partition(":")
        return username, secret
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, document, status=200):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                            ("API-Version", API_VERSION), ("OSType", "linux")):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def take_body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def serve(self):
        self.take_body()
        path = re.sub(r"^/v1\.\d+", "", self.path).partition("?")[0]
        seen = self.server.seen
        if path == "/_ping":
            self.answer("OK")
        elif path == "/version":
            self.answer({"Version": "20.10.24", "ApiVersion": API_VERSION, "MinAPIVersion": "1.12", "Os": "linux",
                         "Arch": "amd64", "Components": []})
        elif path == "/info":
            self.answer({"ServerVersion": "20.10.24", "IndexServerAddress": "https://index.docker.io/v1/",
                         "RegistryConfig": {"IndexConfigs": {}}, "OSType": "linux", "Architecture": "x86_64"})
        elif path == "/auth":
            self.answer({"Status": "Login Succeeded"})
        elif path == "/images/create":
            seen["pull"] = login_of(decode(self.headers.get("X-Registry-Auth")))
            self.answer({"status": "Pull complete"})
        elif path == "/build":
            config = decode(self.headers.get("X-Registry-Config"))
            seen["build"] = {host: login for host in config if (login := login_of(config[host]))}
            self.answer({"stream": "Successfully built 0123456789ab"})
        else:
            self.answer({"message": "no such thing"}, 404)

    do_GET = do_POST = do_HEAD = serve

    def log_message(self, *_):
        pass


class FakeDockerd(socketserver.ThreadingUnixStreamServer):
    """Listens on a socket; `seen` has the login of the last pull, and the logins of the last build by host."""

    daemon_threads = True

    def __init__(self, path):
        self.seen = {}
        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        self.host = f"unix://{path}"

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("client", 0)  # a client on a Unix socket has no address, but the handler needs one

    def close(self):
        self.shutdown()
        self.server_close()


class FakeRegistry(http.server.ThreadingHTTPServer):
    """A registry on localhost that requires a login and has no images."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def serve(self):
            kind, _, text = self.headers.get("Authorization", "").partition(" ")
            if kind == "Basic":
                self.server.seen = tuple(base64.b64decode(text).decode().split(":", 1))
            self.send_response(404 if kind else 401)
            if not kind:
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = serve

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.seen, self.host = None, f"localhost:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def login_sent_by(self, user):
        """Returns the login that buildx sends for this user, or None."""
        self.seen = None
        user.run(["docker", "buildx", "imagetools", "inspect", f"{self.host}/busybox:latest"])
        return self.seen

    def close(self):
        self.shutdown()
        self.server_close()
