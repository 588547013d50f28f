"""What the tests of the page show: images, an index, signatures, SBOMs, a chart, and hostile texts."""

import base64
import hashlib
import http.client
import json

from plain_registry import TIMEOUT_S

INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
HELM = "application/vnd.cncf.helm.config.v1+json"
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
HOSTILE = "<img src=x onerror=window.hacked=1>\"'><script>window.hacked=1</script>"
COMMANDS = ["/bin/sh -c #(nop) ADD file:base in / ", "RUN /bin/sh -c apt-get update # buildkit",
            "COPY app /usr/bin/app # buildkit"]


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Content:
    """Pushes to one registry as one user."""

    def __init__(self, server, user="admin", password="secret"):
        self.login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
        self.blobs = set()

    def call(self, method, path, body=None, content_type="application/octet-stream"):
        self.connection.request(method, path, body, {"Authorization": self.login, "Content-Type": content_type})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201, 202), (method, path, answer.status, text)
        return text

    def blob(self, repository, content, media_type, **more):
        """Pushes a blob; returns its descriptor."""
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        if (repository, content) not in self.blobs:
            self.call("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}", content)
            self.blobs.add((repository, content))
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **more}

    def put(self, repository, tag, manifest):
        content = json.dumps(manifest).encode()
        media_type = manifest["mediaType"]
        self.call("PUT", f"/v2/{repository}/manifests/{tag or digest_of(content)}", content, media_type)
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def image(self, repository, tag, layers, architecture="amd64", commands=None, labels=None, env=(), **more):
        """Pushes an image; layers are texts or bytes."""
        layers = [layer if isinstance(layer, bytes) else layer.encode() for layer in layers]
        commands = (commands or COMMANDS)[:len(layers)]
        config = {
            "os": "linux", "architecture": architecture, "created": "2026-11-01T10:00:00Z", "author": "Ada",
            "config": {"Entrypoint": ["/usr/bin/app", "--serve"], "Cmd": ["--port", "80 80"], "WorkingDir": "/srv",
                       "User": "app", "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/usr/bin", *env],
                       "Labels": labels or {"org.opencontainers.image.source": "https://example.com/app"}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            "history": [*({"created_by": command} for command in commands),
                        {"created_by": "ENTRYPOINT [\"/usr/bin/app\"]", "empty_layer": True}]}
        return self.put(repository, tag, {
            "schemaVersion": 2, "mediaType": IMAGE, "config": self.blob(repository, config, CONFIG),
            "layers": [self.blob(repository, layer, LAYER) for layer in layers], **more})

    def index(self, repository, tag, platforms, **more):
        """Pushes an index; platforms: {"linux/arm64": layers}."""
        children = []
        for name, layers in platforms.items():
            system, architecture, *variant = name.split("/")
            child = self.image(repository, None, layers, architecture)
            children.append({**child, "platform": {"os": system, "architecture": architecture,
                                                   **({"variant": variant[0]} if variant else {})}})
        return self.put(repository, tag, {"schemaVersion": 2, "mediaType": INDEX,
                                          "manifests": [*children, *more.pop("manifests", [])], **more})

    def referrer(self, repository, subject, artifact_type, media_type, document, **annotations):
        """Attaches a document to a manifest."""
        return self.put(repository, None, {
            "schemaVersion": 2, "mediaType": IMAGE, "artifactType": artifact_type,
            "config": self.blob(repository, b"{}", EMPTY), "subject": subject,
            "layers": [self.blob(repository, document, media_type)],
            "annotations": {"org.opencontainers.image.created": "2026-11-02T10:00:00Z", **annotations}})

    def cosign(self, repository, subject):
        """Signs as cosign 2 does: with a tag that names the digest."""
        document = {"critical": {"identity": {"docker-reference": f"registry.example/{repository}"},
                                 "image": {"docker-manifest-digest": subject["digest"]},
                                 "type": "cosign container image signature"}, "optional": {"signer": "Ada"}}
        return self.put(repository, subject["digest"].replace(":", "-") + ".sig", {
            "schemaVersion": 2, "mediaType": IMAGE, "config": self.blob(repository, {}, CONFIG),
            "layers": [self.blob(repository, document, COSIGN,
                                 annotations={"dev.cosignproject.cosign/signature": "MEUC"})]})

    def chart(self, repository, tag):
        chart = {"apiVersion": "v2", "name": "shop", "version": tag, "appVersion": "7.1", "type": "application",
                 "description": "Sells things", "home": "https://example.com/shop", "keywords": ["shop", "web"],
                 "maintainers": [{"name": "Ada"}],
                 "dependencies": [{"name": "postgresql", "version": "15.x", "repository": "oci://registry.example/charts"}]}
        return self.put(repository, tag, {
            "schemaVersion": 2, "mediaType": IMAGE, "config": self.blob(repository, chart, HELM),
            "layers": [self.blob(repository, b"chart" * 900, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")]})


def spdx(count=3):
    return {"spdxVersion": "SPDX-2.3", "name": "app", "packages": [
        {"name": f"package-{number}", "versionInfo": f"1.{number}", "licenseConcluded": "MIT" if number % 2 else "NOASSERTION",
         "licenseDeclared": "Apache-2.0"} for number in range(count)]}


def cyclonedx():
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "metadata": {"component": {"name": "app"}},
            "components": [{"name": "openssl", "version": "3.0.11", "licenses": [{"license": {"id": "OpenSSL"}}]},
                           {"group": "org.example", "name": "parser", "version": "2.2", "licenses": [{"expression": "MIT OR ISC"}]}]}


def provenance(subject):
    algorithm, value = subject["digest"].split(":")
    return {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"name": "app", "digest": {algorithm: value}}],
            "predicate": {"buildDefinition": {"buildType": "https://example.com/build", "resolvedDependencies": [
                {"uri": "git+https://example.com/app"}]}, "runDetails": {"builder": {"id": "https://example.com/builder"}}}}


BASE, PYTHON = b"base" * 60000, b"python" * 30000


def push_team_app(content):
    """An application: tags for two platforms, the newest one for arm64 is 2.0 and signed."""
    name = "team/app"
    for tag in ("1.0", "1.1"):
        content.image(name, tag, [BASE, b"one" * 9000, f"app {tag}" * 7000])
    content.image(name, "edge-arm64", [BASE, b"edge" * 4000], "arm64")
    newest = content.index(name, "2.0", {"linux/amd64": [BASE, b"two" * 9000, b"app 2.0" * 8000],
                                         "linux/arm64": [b"arm base" * 30000, b"two" * 9000, b"app arm" * 8000]},
                           annotations={"org.opencontainers.image.description": "The second version"})
    content.image(name, "2.1-amd64", [BASE, PYTHON, b"app 2.1" * 8000], env=["MODE=fast"])
    content.cosign(name, newest)
    content.referrer(name, newest, "application/spdx+json", "application/spdx+json", spdx(250))
    content.referrer(name, newest, "application/vnd.cyclonedx+json", "application/vnd.cyclonedx+json", cyclonedx())
    content.referrer(name, newest, IN_TOTO, IN_TOTO, provenance(newest))
    return newest


def push_three(content):
    """Three repositories, below three paths."""
    push_team_app(content)
    content.image("team/web", "latest", [BASE, PYTHON, b"web" * 50000])
    content.chart("charts/shop", "0.3.0")


def push_hostile(content):
    """A repository whose every text tries to become HTML."""
    name = "hostile/app"
    image = content.image(name, "x", [b"evil layer"], commands=[HOSTILE], labels={HOSTILE: HOSTILE, "__proto__": HOSTILE},
                          env=[HOSTILE, f"A={HOSTILE}"], annotations={HOSTILE: HOSTILE, "a": "javascript:window.hacked=1"})
    content.referrer(name, image, f"text/{HOSTILE}", "application/spdx+json", {
        "spdxVersion": HOSTILE, "name": HOSTILE, "packages": [{"name": HOSTILE, "versionInfo": HOSTILE}, None, 7]})
    content.referrer(name, image, "application/vnd.example+json", "text/html", HOSTILE.encode())
    content.put(name, "chart", {"schemaVersion": 2, "mediaType": IMAGE, "layers": [content.blob(name, b"x", f"text/{HOSTILE}")],
                                "config": content.blob(name, {"name": HOSTILE, "home": "javascript:window.hacked=1",
                                                              "maintainers": HOSTILE, "dependencies": [None, HOSTILE]}, HELM)})
    content.put(name, "odd", {"schemaVersion": 2, "mediaType": IMAGE, "config": content.blob(name, b"[1, 2", CONFIG),
                              "layers": [], "annotations": {}})
