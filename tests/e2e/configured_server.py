"""registryd, or docker-registry, with a configuration that a test writes: a file, variables, or
both.
"""

import http.client
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from harness import Result, need
from registry import free_port, registryd

PROGRAM = registryd()
TIMEOUT_S = 300
KEPT = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX")


def programs():
    """Returns the programs to test for settings that registry:2 supports, too."""
    peer = shutil.which("docker-registry")
    return [PROGRAM, peer] if peer else [PROGRAM]


class Directory:
    """A temporary directory for one case, and the environment of the programs that run in it."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="dcp-config.", dir="/tmp"))
        self.env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.env["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"] = str(self.path / "data")
        # Do not read the configuration of a registry that is installed here
        self.env["REGISTRY_CONFIGURATION_PATH"] = ""
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, content):
        (self.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(self.path / name)

    def run(self, *words, **env):
        """Runs the program until it exits; for configurations that prevent a start."""
        done = subprocess.run([PROGRAM, *words], env={**self.env, **env}, cwd=self.path,
                              stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIMEOUT_S)
        return Result(done.returncode, done.stdout, done.stderr)

    def make_certificate(self):
        subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", "privkey.key", "-out", "cert.crt", "-days", "2", "-subj",
                        "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-addext",
                        "keyUsage=critical,digitalSignature,keyCertSign"], cwd=self.path,
                       check=True, capture_output=True)


class Server:
    """A running server. socket_path: a socket to listen on instead of a port. owner: the numeric
    user ID that runs it.
    """

    def __init__(self, directory, *words, program=PROGRAM, is_tls=False, socket_path=None,
                 owner=None, **env):
        self.directory, self.is_tls, self.socket_path = directory, is_tls, socket_path
        self.port = free_port()
        env = {name: str(value).replace("PORT", str(self.port)) for name, value in env.items()}
        if program != PROGRAM and not words:  # registry:2 needs a file
            words = [directory.write("peer.yml",
                                     "version: 0.1\nstorage: {filesystem: {}}\nhttp: {}\n")]
        words = [self._with_port(word) for word in words]
        self.log_path = directory.path / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program, "serve", *words],
                                            env={**directory.env, **env}, cwd=directory.path,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            user=owner)

    def _with_port(self, path):
        file = self.directory.path / path
        file.write_text(file.read_text().replace("PORT", str(self.port)))
        return path

    def __enter__(self):
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.connect().close()
                return self
            except OSError:
                time.sleep(0.02)
        self.__exit__()
        raise AssertionError(f"does not start: {self.log()}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def connect(self):
        if self.socket_path:
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(TIMEOUT_S)
            plain.connect(str(self.socket_path))
            return plain
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)
        if not self.is_tls:
            return plain
        return ssl.create_default_context(cafile=str(self.directory.path / "cert.crt")).wrap_socket(
            plain, server_hostname="localhost")

    def request(self, method, path, headers=None):
        """Returns status, headers and body."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=TIMEOUT_S)
        connection.sock = self.connect()
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def raw(self, sent):
        """Sends raw bytes; returns everything that the server sends back."""
        with self.connect() as connection:
            connection.sendall(sent)
            connection.settimeout(TIMEOUT_S)
            answer = b""
            while more := connection.recv(65536):
                answer += more
            return answer

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """Stops it with SIGTERM, as an administrator does; returns its whole log."""
        self.process.terminate()
        assert self.process.wait(timeout=TIMEOUT_S) == 0, self.log()
        return self.log()


def assert_refused(result, *words):
    """The exit status is 1, and standard error is one line that contains every word."""
    assert result.rc == 1 and result.out == b"", result
    assert (result.err.count(b"\n") == 1 and result.err.endswith(b"\n")
            and result.err.startswith(b"registryd: ")), result
    for word in words:
        assert word.encode() in result.err, f"does not say {word!r}: {result}"
