"""registryd or docker-registry without TLS, with an htpasswd file from a test.

    with Server(line("me", "secret")) as server:
        assert server.status("me", "secret") == 200
"""

import base64
import http.client
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import storage_choice
from harness import descriptors_of, need
from registry import free_port, registryd

PROGRAM = registryd()
TIMEOUT_S = 300


class Server:
    """registryd or docker-registry on a free loopback port, with this htpasswd file (None: without
    one).
    """

    def __init__(self, htpasswd, program=PROGRAM, owner=None, port=None, before=None, files=None,
                 variables=None, **settings):
        """settings: variables of the registry, without REGISTRY_; owner: the owner of its files;
        before: a function that the process calls before it runs the program; files: {name: text} of
        more files beside the htpasswd file; variables: more variables of its environment."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="registry-auth.", dir="/tmp"))
        self.file, self.log_path = self.dir / "htpasswd", self.dir / "log"
        self.config = self.dir / "config.yml"
        self.port, self.debug_port = port or free_port(), free_port()
        if htpasswd is not None:
            self.write(htpasswd)
        for name, text in (files or {}).items():
            self.write(text, self.dir / name)
        self.env = {"PATH": os.environ["PATH"], "REGISTRY_AUTH": "htpasswd",
                    "REGISTRY_AUTH_HTPASSWD_REALM": "Registry Realm",
                    "REGISTRY_AUTH_HTPASSWD_PATH": str(self.file),
                    "REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}",
                    "REGISTRY_HTTP_DEBUG_ADDR": f"127.0.0.1:{self.debug_port}",
                    "REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED": "true",
                    "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.dir / "data")}
        self.env.update({f"REGISTRY_{name}": value for name, value in settings.items()})
        if self.env["REGISTRY_AUTH"] != "htpasswd":
            self.env = {name: value for name, value in self.env.items()
                        if "AUTH_HTPASSWD" not in name}
        self.env.update({name: os.environ[name]
                         for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
                         if name in os.environ})
        self.env.update(variables or {})
        storage, self.env = storage_choice.choose(program, self.env)
        self.config.write_text(f"version: 0.1\nstorage:\n  {storage}: {{}}\nhttp: {{}}\n")
        if owner is not None:
            (self.dir / "data").mkdir()
            for path in (self.dir, self.dir / "data", self.file):
                os.chown(path, owner, -1)
        self.program, self.before = program, before
        self._start()

    def _start(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([self.program, "serve", self.config], cwd=self.dir,
                                            env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=self.before)

    def _stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def restart(self):
        self._stop()
        self._start()
        self.__enter__()

    def __enter__(self):
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.get()
                return self
            except OSError:
                time.sleep(0.02)
        log = self.log()
        self.__exit__()
        raise AssertionError("the registry does not start: " + log)

    def __exit__(self, *_):
        self._stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def write(self, text, file=None):
        """Replaces the htpasswd file (or another one) atomically, as an editor does."""
        new = self.dir / "new"
        new.write_bytes(text if isinstance(text, bytes) else text.encode())
        new.chmod(0o600)
        new.rename(file or self.file)

    def rss_kib(self):
        """Returns its resident memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def cpu_ns(self):
        """Returns the CPU time of all its threads so far."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0])
                   for task in tasks.iterdir())

    def descriptors(self):
        return descriptors_of(self.process)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def get(self, user=None, password="", path="/v2/", authorization=None, source="127.0.0.1",
            headers=None):
        """Sends a GET from that address; returns status, headers and body."""
        if user is not None:
            pair = [part if isinstance(part, bytes) else part.encode() for part in (user, password)]
            authorization = "Basic " + base64.b64encode(b":".join(pair)).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S,
                                                source_address=(source, 0))
        try:
            connection.request("GET", path,
                               headers={**({"Authorization": authorization} if authorization
                                           else {}),
                                        **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def call(self, user, password, method, path, body=None, headers=None):
        """Sends a request with a login; returns status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        try:
            connection.request(method, path, body,
                               {"Authorization": "Basic " + login, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self, *words, **more):
        return self.get(*words, **more)[0]

    def metric(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.debug_port, timeout=TIMEOUT_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return int(re.search(rf"^{name} (\d+)$", text, re.MULTILINE)[1])


def line(user, password, cost=4):
    """Returns the line that Apache's htpasswd prints."""
    done = subprocess.run([need("htpasswd"), "-inB", "-C", str(cost), user],
                          input=password.encode(), check=True, capture_output=True)
    return done.stdout.decode().strip() + "\n"


def wait_for(condition, what):
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)
