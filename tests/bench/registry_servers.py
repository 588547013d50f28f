"""The servers of the registry's benchmark: registryd, docker-registry and nginx, each in a
directory of its own, with the same certificate, the same user and the same blobs."""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

USER, PASSWORD = "user", "secret-of-the-benchmark"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
TICKS_S = os.sysconf("SC_CLK_TCK")
CIPHERS = "TLS_AES_128_GCM_SHA256"
MIB = 1 << 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class World:
    """The certificate, users and blobs that all servers share."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="registry-bench.", dir="/tmp"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj",
                        "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], cwd=self.dir, check=True,
                       capture_output=True)
        self.trust = ssl.create_default_context(cafile=self.dir / "cert.pem")
        for cost in (5, 10):
            line = subprocess.run(["htpasswd", "-iBn", "-C", str(cost), USER],
                                  input=PASSWORD.encode(), check=True,
                                  capture_output=True).stdout
            self.users(cost).write_bytes(line)
            self.users(cost).chmod(0o600)
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.auth = {"Authorization": f"Basic {token}"}
        self.blobs = {"1 KiB": os.urandom(1 << 10), "1 MiB": os.urandom(MIB),
                      "256 MiB": os.urandom(MIB) * 256}

    def users(self, cost):
        return self.dir / f"htpasswd-{cost}"

    def blob_path(self, name):
        return f"/v2/bench/blobs/{digest(self.blobs[name])}"

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Server:
    def __init__(self, world, name, is_tls=True):
        self.world, self.name, self.is_tls = world, name, is_tls
        self.dir = world.dir / name
        self.dir.mkdir()
        self.port = free_port()
        self.url = f"{'https' if is_tls else 'http'}://localhost:{self.port}"

    def start(self, argv, env):
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.dir,
                                            env={"PATH": os.environ["PATH"], **env},
                                            start_new_session=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.002)
        raise RuntimeError(f"{self.name} does not start: " + (self.dir / "log").read_text()[-500:])

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(30)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()

    def processes(self):
        """The server and its children (nginx has workers)."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def cpu_s(self):
        total = 0
        for pid in self.processes():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS_S
        return total

    def wait_until_idle(self):
        """Waits, because a server still checks passwords of disconnected clients, which would slow
        down the next server.
        """
        before, deadline = -1.0, time.monotonic() + 20
        while (now := self.cpu_s()) > before and time.monotonic() < deadline:
            before = now
            time.sleep(0.1)

    def memory_mib(self, what):
        """Returns memory in MiB. VmRSS: current; VmHWM: the peak since the last forget_peak()."""
        text = "".join(pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.processes())
        return max(map(int, re.findall(what + r":\s+(\d+)", text))) / 1024

    def forget_peak(self):
        for pid in self.processes():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    # --- its contents --------------------------------------------------------------

    def connect(self):
        if not self.is_tls:
            return http.client.HTTPConnection("localhost", self.port)
        return http.client.HTTPSConnection("localhost", self.port, context=self.world.trust)

    def request(self, connection, method, path, body=None, headers=()):
        connection.request(method, path.replace(self.url, ""), body,
                           {**self.world.auth, **dict(headers)})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers

    def push_blob(self, connection, name, content):
        status, headers = self.request(connection, "POST", f"/v2/{name}/blobs/uploads/")
        assert status == 202, status
        place = headers["Location"]
        place += ("&" if "?" in place else "?") + "digest=" + digest(content)
        status, _ = self.request(connection, "PUT", place, content,
                                 {"Content-Type": "application/octet-stream"})
        assert status == 201, status
        return {"digest": digest(content), "size": len(content)}

    def drop_blob(self, name):
        """Removes a blob from the disk and the page cache, because new memory is slower in a
        virtual machine.
        """
        hexadecimal = name.removeprefix("sha256:")
        blobs = self.dir / "data/docker/registry/v2/blobs/sha256"
        os.unlink(blobs / hexadecimal[:2] / hexadecimal / "data")

    def push_image(self):
        connection = self.connect()
        layers = [{"mediaType": "application/vnd.oci.image.layer.v1.tar",
                   **self.push_blob(connection, "bench", blob)}
                  for blob in self.world.blobs.values()]
        config = {"mediaType": "application/vnd.oci.image.config.v1+json",
                  **self.push_blob(connection, "bench", b"{}")}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config,
                               "layers": layers})
        status, _ = self.request(connection, "PUT", "/v2/bench/manifests/latest", manifest.encode(),
                                 {"Content-Type": MANIFEST_TYPE})
        assert status == 201, status
        self.manifest = digest(manifest.encode())


def start_registry(world, name, program, cost, is_tls=True, storage=None, access=None):
    """registryd or docker-registry: they take the same configuration. storage: an existing
    directory; access: a file.
    """
    server = Server(world, name, is_tls)
    (server.dir / "config.yml").write_text("version: 0.1\nstorage:\n  filesystem: {}\nhttp: {}\n")
    settings = {
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": "bench",
        "REGISTRY_AUTH_HTPASSWD_PATH": str(world.users(cost)),
        "REGISTRY_HTTP_ADDR": f"127.0.0.1:{server.port}",
        "REGISTRY_HTTP_HOST": server.url,
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(storage or server.dir / "data"),
    }
    if access:
        settings["REGISTRY_AUTH_HTPASSWD_ACCESS"] = str(access)
    if is_tls:
        settings |= {"REGISTRY_HTTP_TLS_CERTIFICATE": str(world.dir / "cert.pem"),
                     "REGISTRY_HTTP_TLS_KEY": str(world.dir / "key.pem")}
    server.command = ([program, "serve", "config.yml"], settings)
    return server.start(*server.command)


def start_nginx(world, name, is_tls):
    """Without session tickets: wrk resumes sessions of servers that offer them, docker does not,
    and registryd has none.
    """
    server = Server(world, name, is_tls)
    (server.dir / "v2/bench/blobs").mkdir(parents=True)
    for content in world.blobs.values():
        (server.dir / "v2/bench/blobs" / digest(content)).write_bytes(content)
    user = "user root;" if os.geteuid() == 0 else ""
    tls = f"""ssl_certificate {world.dir}/cert.pem; ssl_certificate_key {world.dir}/key.pem;
              ssl_session_tickets off; ssl_session_cache off;
              ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites {CIPHERS};""" if is_tls else ""
    (server.dir / "conf").write_text(f"""
        daemon off; {user} worker_processes auto; pid {server.dir}/pid; error_log {server.dir}/log;
        events {{ worker_connections 4096; }}
        http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
          client_body_temp_path {server.dir}/a; proxy_temp_path {server.dir}/b; fastcgi_temp_path {server.dir}/c;
          uwsgi_temp_path {server.dir}/d; scgi_temp_path {server.dir}/e;
          server {{ listen 127.0.0.1:{server.port} {'ssl' if is_tls else ''} backlog=4096; root {server.dir}; {tls} }} }}""")
    server.command = ([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(server.dir / "conf"),
                       "-p", str(server.dir)], {})
    return server.start(*server.command)
