"""A private registry on a free loopback port: our registryd or Debian's docker-registry.

It runs as in ../../docs/try-it and in articles on private registries: TLS with a
certificate authority of its own, one user in an htpasswd file, and environment
variables from the registry's documentation.

    with Registry() as registry:                     # or Registry(program="docker-registry")
        registry.push_image("busybox", "latest")
        ... registry.host, registry.ca, registry.username, registry.password ...

All files are in one temporary directory. Leaving the `with` block stops the server
and removes the directory.
"""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import resource
import secrets
import shutil
import socket
import ssl
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import storage_choice
from caller import for_all_users, scratch_parent
from harness import ROOT, need

START_TIMEOUT_S = 300
START_TRIES = 5

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"

# Options of `openssl req -x509` for an authority that strict verifiers (Python 3.13's default)
# accept.
AUTHORITY = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def registryd():
    """Returns the program under test; REGISTRYD names it."""
    return for_all_users(pathlib.Path(os.environ.get("REGISTRYD")
                                      or ROOT / "build/registry/registryd").resolve())


_given = set()


def free_port():
    """Returns a port for a server that starts soon. It is below the ports that the kernel assigns
    to clients (32768 and up), because a client could take such a port before the server does."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def make_layer():
    """Returns an uncompressed tar archive of one small file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        content = b"hello from a private registry\n"
        entry = tarfile.TarInfo("hello.txt")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


class Registry:
    """A running registry with one user.

    host      the argument of `docker login`, for example localhost:41234
    ca        the certificate that clients must trust
    ca_dir    a directory that contains only ca.crt, for --cert-dir of podman and skopeo
    username  the first user; add_user() adds more
    password  random for each registry, so that a search for it on the disk proves something
    """

    STORAGE = None  # of the configuration file; None: as storage_choice.py says

    def __init__(self, username="testuser", program="registryd", environment=None, limits=None,
                 **settings):
        """settings: variables of the registry, without REGISTRY_; environment: other variables;
        limits: for setrlimit().
        """
        self.environment, self.limits = environment or {}, limits or {}
        self.program = registryd() if program == "registryd" else need(program)
        self.settings = {f"REGISTRY_{name}": value for name, value in settings.items()}
        self.username, self.users = username, {}
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dcp-registry.", dir=scratch_parent()))
        self.log = self.dir / "log"
        self.ca_dir = self.dir / "ca"
        self.ca = self.ca_dir / "ca.crt"
        self.process = None
        try:
            self._make_certificate()
            self.password = self.add_user(username)
            self._start()
        except BaseException:
            self.close()
            raise

    def restart(self, program):
        """Restarts with another program on the same data and users."""
        self._stop()
        self.program = registryd() if program == "registryd" else need(program)
        self._start()

    def run_program(self, *words):
        """Runs another command of the program with this registry's configuration file."""
        env = {name: str(value) for name, value in self._settings().items()}
        return subprocess.run([self.program, *words, self.dir / "config.yml"], env=env,
                              capture_output=True, text=True,
                              timeout=900, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- the server --------------------------------------------------------

    def _make_certificate(self):
        """Makes a certificate authority and a certificate for localhost."""
        tool = need("openssl")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self.ca_dir.mkdir()
        (self.dir / "extensions").write_text(
            "subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
        for words in (
                ["req", "-x509", *new_key, "-keyout", "ca.key", "-out", self.ca, "-days", "2",
                 "-subj", "/CN=Throwaway authority", *AUTHORITY],
                ["req", *new_key, "-keyout", "privkey.key", "-out", "request", "-subj",
                 "/CN=localhost"],
                ["x509", "-req", "-in", "request", "-CA", self.ca, "-CAkey", "ca.key", "-days", "2",
                 "-extfile", "extensions", "-out", "cert.crt"]):
            subprocess.run([tool, *words], cwd=self.dir, check=True, capture_output=True)

    def add_user(self, username):
        """Adds a user or changes the user's password; returns the password."""
        password = "pw-" + secrets.token_hex(12)
        self.users[username] = subprocess.run([need("htpasswd"), "-iBn", username],
                                              input=password.encode(),
                                              check=True, capture_output=True).stdout.strip()
        # Renamed into place: a server that reads a file while it is written misses users.
        new = self.dir / "htpasswd.new"
        new.write_bytes(b"\n".join(self.users.values()) + b"\n")
        new.chmod(0o600)
        new.rename(self.dir / "htpasswd")
        return password

    def _settings(self):
        """Returns the variables of the server; settings may choose other authentication than
        htpasswd.
        """
        settings = {**self._defaults(), **self.environment, **self.settings}
        if settings["REGISTRY_AUTH"] != "htpasswd":
            settings = {name: value for name, value in settings.items()
                        if "AUTH_HTPASSWD" not in name}
        storage, settings = storage_choice.choose(self.program, settings)
        self.storage = self.STORAGE or storage
        return settings

    def _defaults(self):
        return {
            "PATH": os.environ["PATH"],
            "REGISTRY_AUTH": "htpasswd",
            "REGISTRY_AUTH_HTPASSWD_REALM": "Registry Realm",
            "REGISTRY_AUTH_HTPASSWD_PATH": self.dir / "htpasswd",
            "REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}",
            "REGISTRY_HTTP_HOST": self.url,
            "REGISTRY_HTTP_TLS_CERTIFICATE": self.dir / "cert.crt",
            "REGISTRY_HTTP_TLS_KEY": self.dir / "privkey.key",
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": self.dir / "data",
            **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
               if name in os.environ},
        }

    def _set_limits(self):
        for limit, value in self.limits.items():
            resource.setrlimit(limit, (value, value))

    def _start(self):
        """Starts the program; tries another port if the chosen one was taken in the meantime."""
        config = self.dir / "config.yml"
        for _ in range(START_TRIES):
            self.port = free_port()
            self.host = f"localhost:{self.port}"
            self.url = f"https://{self.host}"
            variables = {name: str(value) for name, value in self._settings().items()}
            config.write_text(f"version: 0.1\nstorage:\n  {self.storage}: {{}}\nhttp: {{}}\n")
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen(
                    [self.program, "serve", config], cwd=self.dir, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log,
                    env=variables,
                    preexec_fn=self._set_limits)
            if self._is_ready():
                return
            self._stop()
        raise RuntimeError(f"{self.program} does not start: " + self.log.read_text()[-800:])

    def _is_ready(self):
        """Returns True when the server answers, False if it exited or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.request("GET", "/v2/")
                return True
            except urllib.error.HTTPError:
                return True
            except urllib.error.URLError:
                time.sleep(0.05)
        return False

    def _stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    # --- its contents ------------------------------------------------------

    def request(self, method, location, body=None, content_type="application/octet-stream"):
        """Sends a request as the registry's user; returns the status. `location` is a path or a
        URL.
        """
        status, _ = self._send(method, location, body, content_type)
        return status

    def _send(self, method, location, body=None, content_type="application/octet-stream"):
        request = urllib.request.Request(urllib.parse.urljoin(self.url, location), data=body,
                                         method=method)
        token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        if body is not None:
            request.add_header("Content-Type", content_type)
        trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca)))
        opener = urllib.request.build_opener(trust, urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=START_TIMEOUT_S) as answer:
            return answer.status, answer.headers

    def push_blob(self, name, content):
        """Uploads one blob; returns size and digest for a manifest."""
        _, headers = self._send("POST", f"/v2/{name}/blobs/uploads/", b"")
        place = headers["Location"]
        place += ("&" if "?" in place
                  else "?") + urllib.parse.urlencode({"digest": sha256(content)})
        assert self.request("PUT", place, content) == 201
        return {"size": len(content), "digest": sha256(content)}

    def push_image(self, name="busybox", tag="latest"):
        """Uploads an image of one small file; returns the digest of its manifest."""
        layer = make_layer()
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]}}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, **self.push_blob(name, config)},
            "layers": [{"mediaType": LAYER_TYPE,
                        **self.push_blob(name, gzip.compress(layer, mtime=0))}],
        }).encode()
        assert self.request("PUT", f"/v2/{name}/manifests/{tag}", manifest, MANIFEST_TYPE) == 201
        return sha256(manifest)
