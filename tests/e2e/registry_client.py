"""A low-level registry client for tests.

    with serve() as server:
        answer = server.call("GET", "/v2/")
        assert answer.status == 200
"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import ssl
import threading
import urllib.parse

from registry import Registry

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
BYTES = "application/octet-stream"
ACCEPT = ", ".join((IMAGE, INDEX, DOCKER_IMAGE, DOCKER_LIST))


def digest(content, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def descriptor(media_type, content, algorithm="sha256", **more):
    return {"mediaType": media_type, "digest": digest(content, algorithm), "size": len(content),
            **more}


class Answer:
    """An answer of the server. `location` is the URL that a client would request next."""

    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """Returns the error code, after checking the format of the body (specification, "Error
        codes").
        """
        errors = self.json["errors"]
        assert isinstance(errors, list) and errors, self.body
        assert {"code", "message"} <= set(errors[0]), self.body
        assert self.headers["Content-Type"].startswith("application/json"), (
            self.headers["Content-Type"])
        return errors[0]["code"]

    @property
    def location(self):
        return self.headers["Location"]

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:300]}"


class Client:
    """Talks to a registry as one user, with one connection per thread. Retries on a broken
    connection.
    """

    def __init__(self, registry, tries=2):
        self.registry, self.local, self.tries = registry, threading.local(), tries
        self.trust = ssl.create_default_context(cafile=registry.ca)
        token = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        self.auth = {"Authorization": f"Basic {token}"}
        self.names = 0

    def new_name(self):
        """Returns the name of an unused repository."""
        self.names += 1
        return f"suite/n{self.names}-{os.urandom(3).hex()}"

    def connection(self):
        if not getattr(self.local, "connection", None):
            self.local.connection = http.client.HTTPSConnection("localhost", self.registry.port,
                                                                timeout=60,
                                                                context=self.trust)
        return self.local.connection

    def call(self, method, target, body=None, headers=None, auth=True, content_type=None):
        """Sends one request; target is a path, or a Location from an answer."""
        parts = urllib.parse.urlsplit(target)
        path = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        sent = {**(self.auth if auth else {}),
                **({"Content-Type": content_type} if content_type else {}), **(headers or {})}
        for number in range(self.tries):
            connection = self.connection()
            try:
                connection.request(method, path, body, sent,
                                   encode_chunked="Transfer-Encoding" in sent)
                return Answer(connection.getresponse())
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                connection.close()
                self.local.connection = None
                if number == self.tries - 1:
                    raise
        raise AssertionError("not reached")

    # --- common requests --------------------------------------------------------------

    def start(self, name, query=""):
        """Begins an upload; returns its Location."""
        answer = self.call("POST", f"/v2/{name}/blobs/uploads/{query}")
        assert answer.status == 202, answer
        return answer.location

    def patch(self, location, content, **headers):
        return self.call("PATCH", location, content,
                         {name.replace("_", "-"): value for name, value in headers.items()},
                         content_type=BYTES)

    def finish(self, location, name, content=None, **headers):
        """Completes the upload with a PUT."""
        query = ("&" if "?" in location else "?") + urllib.parse.urlencode({"digest": name})
        return self.call("PUT", location + query, content,
                         {key.replace("_", "-"): value for key, value in headers.items()},
                         content_type=BYTES)

    def push_blob(self, name, content, algorithm="sha256"):
        answer = self.finish(self.start(name), digest(content, algorithm), content)
        assert answer.status == 201, answer
        return digest(content, algorithm)

    def put_manifest(self, name, reference, manifest, media_type=None, query=""):
        body = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        return self.call("PUT", f"/v2/{name}/manifests/{reference}{query}", body,
                         content_type=media_type or json.loads(body)["mediaType"])

    def get_manifest(self, name, reference, method="GET", **headers):
        return self.call(method, f"/v2/{name}/manifests/{reference}",
                         headers={"Accept": ACCEPT, **headers})

    def make_image(self, name, layers=(b"layer",), algorithm="sha256", **more):
        """Pushes config and layers; returns the manifest's bytes."""
        config = b'{"architecture":"amd64","os":"linux"}'
        for content in (config, *layers):
            self.push_blob(name, content, algorithm)
        return json.dumps({
            "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(CONFIG, config, algorithm),
            "layers": [descriptor(LAYER, layer, algorithm) for layer in layers], **more}).encode()

    def push_image(self, name, tag, **more):
        manifest = self.make_image(name, **more)
        answer = self.put_manifest(name, tag, manifest)
        assert answer.status == 201, answer
        return manifest


@contextlib.contextmanager
def serve(program=None, **settings):
    """Yields a client of a new registry; REGISTRY_AGAINST names a program other than registryd."""
    with Registry(program=program or os.environ.get("REGISTRY_AGAINST") or "registryd",
                  **settings) as registry:
        yield Client(registry)


_shared = contextlib.ExitStack()


def shared():
    """Returns the server that all cases of a file share; it stops when the process exits."""
    if not hasattr(shared, "client"):
        import atexit
        shared.client = _shared.enter_context(serve())
        atexit.register(_shared.close)
    return shared.client
