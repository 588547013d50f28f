#!/usr/bin/env python3
"""How fast registryd is, beside Debian's docker-registry and, for plain files, nginx.

All serve the same data with the same certificate, and the two registries the same user (bcrypt, cost 10). Each step
runs on all of them in turn, in each of the rounds, so that whatever else the machine does at the time
falls on all of them. The server's own processor time per request is the figure that the machine disturbs least.

    tests/bench/registry-bench.py [--rounds N] [--seconds N] [--cost N] [--big MIB] path/to/registryd

Needs the packages wrk, apache2-utils, curl, openssl, docker-registry and nginx-light (what is not there is left out).
"""

import argparse
import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import tempfile
import time

USER, PASSWORD = "user", "secret-of-the-benchmark"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ROW = "{:<34} {:<16} {:>12} {:>9} {:>14} {:>9}"
TICKS_S = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Server:
    """One program that serves, in a folder of its own."""

    def __init__(self, name, bench):
        self.name, self.bench = name, bench
        self.dir = bench.dir / name
        self.dir.mkdir()
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"

    def start(self, argv, env):
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                                            env={"PATH": os.environ["PATH"], **env}, start_new_session=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not start: " + (self.dir / "log").read_text()[-500:])

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self.process.kill()

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

    def peak_mib(self):
        text = "".join(pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.processes())
        return max(map(int, re.findall(r"VmHWM:\s+(\d+)", text))) / 1024

    def connect(self):
        return http.client.HTTPSConnection("localhost", self.port, context=self.bench.trust)

    def request(self, connection, method, path, body=None, headers=()):
        connection.request(method, path.replace(self.url, ""), body, {**self.bench.auth, **dict(headers)})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers

    def push_blob(self, connection, name, content):
        status, headers = self.request(connection, "POST", f"/v2/{name}/blobs/uploads/")
        assert status == 202, status
        place = headers["Location"]
        place += ("&" if "?" in place else "?") + "digest=" + digest(content)
        status, _ = self.request(connection, "PUT", place, content, {"Content-Type": "application/octet-stream"})
        assert status == 201, status
        return {"digest": digest(content), "size": len(content)}

    def push_image(self, blobs):
        connection = self.connect()
        layers = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **self.push_blob(connection, "bench", blob)}
                  for blob in blobs]
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", **self.push_blob(connection, "bench", b"{}")}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers})
        status, _ = self.request(connection, "PUT", "/v2/bench/manifests/latest", manifest.encode(),
                                 {"Content-Type": MANIFEST_TYPE})
        assert status == 201, status


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="registry-bench.", dir="/tmp"))
        self.servers, self.results = [], {}
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.auth = {"Authorization": f"Basic {token}", "Accept": MANIFEST_TYPE}
        self.make_files()

    def make_files(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], cwd=self.dir, check=True, capture_output=True)
        self.trust = ssl.create_default_context(cafile=self.dir / "cert.pem")
        users = subprocess.run(["htpasswd", "-iBn", "-C", str(self.arguments.cost), USER], input=PASSWORD.encode(),
                               check=True, capture_output=True).stdout
        (self.dir / "htpasswd").write_bytes(users)
        (self.dir / "htpasswd").chmod(0o600)
        self.blobs = {"1 KiB": os.urandom(1 << 10), "1 MiB": os.urandom(1 << 20), "256 MiB": os.urandom(1 << 20) * 256}

    def settings(self, server):
        return {
            "REGISTRY_AUTH": "htpasswd",
            "REGISTRY_AUTH_HTPASSWD_REALM": "bench",
            "REGISTRY_AUTH_HTPASSWD_PATH": str(self.dir / "htpasswd"),
            "REGISTRY_HTTP_ADDR": f"127.0.0.1:{server.port}",
            "REGISTRY_HTTP_HOST": server.url,
            "REGISTRY_HTTP_TLS_CERTIFICATE": str(self.dir / "cert.pem"),
            "REGISTRY_HTTP_TLS_KEY": str(self.dir / "key.pem"),
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(server.dir / "data"),
        }

    def start_registry(self, name, program):
        server = Server(name, self)
        (server.dir / "config.yml").write_text("version: 0.1\nstorage:\n  filesystem: {}\nhttp: {}\n")
        server.start([program, "serve", "config.yml"], self.settings(server))
        server.push_image(self.blobs.values())
        self.servers.append(server)

    def start_nginx(self):
        server = Server("nginx", self)
        for name, content in self.blobs.items():
            (server.dir / digest(content)).write_bytes(content)
        (server.dir / "conf").write_text(f"""
            daemon off; {"user root;" if os.geteuid() == 0 else ""} worker_processes auto; pid {server.dir}/pid; error_log {server.dir}/log;
            events {{ worker_connections 4096; }}
            http {{ access_log off; sendfile on; keepalive_requests 1000000;
              client_body_temp_path {server.dir}/a; proxy_temp_path {server.dir}/b; fastcgi_temp_path {server.dir}/c;
              uwsgi_temp_path {server.dir}/d; scgi_temp_path {server.dir}/e;
              server {{ listen 127.0.0.1:{server.port} ssl backlog=4096; root {server.dir};
                ssl_certificate {self.dir}/cert.pem; ssl_certificate_key {self.dir}/key.pem;
                location ~ ^/v2/bench/blobs/(.*)$ {{ try_files /$1 =404; }} }} }}""")
        server.start([shutil.which("nginx"), "-c", str(server.dir / "conf"), "-p", str(server.dir)], {})
        self.servers.append(server)

    # --- steps: each answers (rate, its unit) --------------------------------------------------

    def wrk(self, server, path, connections):
        words = [f"{name}: {value}" for name, value in self.auth.items()]
        out = subprocess.run(["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{self.arguments.seconds}s",
                              *[word for value in words for word in ("-H", value)], server.url + path],
                             capture_output=True, text=True).stdout
        if "Non-2xx" in out:
            raise RuntimeError(f"{server.name} refuses {path}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])

    def ab(self, server, path):
        words = [f"{name}: {value}" for name, value in self.auth.items()]
        out = subprocess.run(["ab", "-q", "-c32", f"-t{self.arguments.seconds}", "-n1000000",
                              *[word for value in words for word in ("-H", value)], server.url + path],
                             capture_output=True, text=True).stdout
        return float(re.search(r"Requests per second:\s+([\d.]+)", out)[1])

    def curl(self, server, *words):
        config = "".join(f'header = "{name}: {value}"\n' for name, value in self.auth.items())
        return subprocess.run(["curl", "-sS", "--fail", "-K", "-", "--cacert", str(self.dir / "cert.pem"), *words],
                              input=config, capture_output=True, text=True, check=True).stdout

    def download(self, server, path):
        begin = time.monotonic()
        self.curl(server, "-o", "/dev/null", server.url + path)
        return len(self.blobs["256 MiB"]) / (1 << 20) / (time.monotonic() - begin)

    def upload(self, server, is_stream):
        """One blob of a size of its own, POST and PUT or PATCH and PUT."""
        size = self.arguments.big << 20
        block = secrets.token_bytes(1 << 20)
        path = self.dir / "big"
        with open(path, "wb") as out:
            for _ in range(self.arguments.big):
                out.write(block)
        name = digest(path.read_bytes())
        begin = time.monotonic()
        place = self.curl(server, "-X", "POST", "-o", "/dev/null", "-w", "%header{location}",
                          server.url + "/v2/bench/blobs/uploads/")
        if is_stream:
            place = self.curl(server, "-T", str(path), "-X", "PATCH", "-H", "Transfer-Encoding: chunked",
                              "-H", "Content-Type: application/octet-stream", "-o", "/dev/null", "-w",
                              "%header{location}", place)
        place += ("&" if "?" in place else "?") + "digest=" + name
        body = ["-X", "PUT", "-H", "Content-Length: 0"] if is_stream else ["-T", str(path)]
        self.curl(server, *body, "-H", "Content-Type: application/octet-stream", place)
        return size / (1 << 20) / (time.monotonic() - begin)

    def small_uploads(self, server):
        contents = [secrets.token_bytes(4096) for _ in range(200)]

        def push(part):
            connection = server.connect()
            for content in part:
                server.push_blob(connection, "bench", content)
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(push, [contents[i::8] for i in range(8)]))
        return len(contents) / (time.monotonic() - begin)

    def steps(self):
        blob = {name: f"/v2/bench/blobs/{digest(content)}" for name, content in self.blobs.items()}
        is_registry = lambda server: server.name != "nginx"
        return [
            ("GET /v2/, 32 connections", "/s", is_registry, lambda s: self.wrk(s, "/v2/", 32)),
            ("GET /v2/, 1 connection", "/s", is_registry, lambda s: self.wrk(s, "/v2/", 1)),
            ("manifest by tag", "/s", is_registry, lambda s: self.wrk(s, "/v2/bench/manifests/latest", 32)),
            ("manifest, new connection each", "/s", is_registry, lambda s: self.ab(s, "/v2/bench/manifests/latest")),
            ("blob of 1 KiB", "/s", None, lambda s: self.wrk(s, blob["1 KiB"], 32)),
            ("blob of 1 KiB, 1000 connections", "/s", None, lambda s: self.wrk(s, blob["1 KiB"], 1000)),
            ("blob of 1 MiB", "/s", None, lambda s: self.wrk(s, blob["1 MiB"], 32)),
            ("blob of 256 MiB, 1 connection", "MiB/s", None, lambda s: self.download(s, blob["256 MiB"])),
            (f"upload {self.arguments.big} MiB, POST PUT", "MiB/s", is_registry, lambda s: self.upload(s, False)),
            (f"upload {self.arguments.big} MiB, stream", "MiB/s", is_registry, lambda s: self.upload(s, True)),
            ("upload 200 x 4 KiB, 8 at once", "/s", is_registry, self.small_uploads),
        ]

    def measure(self, step, unit, server, run):
        begin, cpu = time.monotonic(), server.cpu_s()
        try:
            rate = run(server)
        except (AttributeError, TypeError, RuntimeError, subprocess.CalledProcessError) as why:
            print(f"# {step}: {server.name}: {why}")
            rate = 0.0
        count = rate * (time.monotonic() - begin)
        per_item_us = (server.cpu_s() - cpu) / count * 1e6 if count else 0
        self.results.setdefault((step, unit), {}).setdefault(server.name, []).append(
            (rate, per_item_us, server.peak_mib()))

    def run(self):
        for round_ in range(self.arguments.rounds):
            for step, unit, wanted, run in self.steps():
                for server in self.servers:
                    if not wanted or wanted(server):
                        self.measure(step, unit, server, run)
            print(f"# round {round_ + 1} of {self.arguments.rounds}", flush=True)

    def report(self):
        print(ROW.format("step", "server", "median", "unit", "CPU us each", "ratio"))
        for (step, unit), by_server in self.results.items():
            ours = statistics.median(rate for rate, _, _ in by_server["registryd"])
            for name, figures in by_server.items():
                rate = statistics.median(figure[0] for figure in figures)
                ratio = f"{ours / rate:.2f}" if rate else "-"
                print(ROW.format(step, name, f"{rate:.1f}", unit, f"{statistics.median(f[1] for f in figures):.1f}",
                                 ratio if name != "registryd" else ""))
        for server in self.servers:
            print(f"# {server.name}: at most {server.peak_mib():.0f} MiB resident")

    def close(self):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("registryd")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each step")
    parser.add_argument("--cost", type=int, default=10, help="of bcrypt")
    parser.add_argument("--big", type=int, default=512, help="MiB of the large upload")
    bench = Bench(parser.parse_args())
    try:
        bench.start_registry("registryd", str(pathlib.Path(bench.arguments.registryd).resolve()))
        if shutil.which("docker-registry"):
            bench.start_registry("docker-registry", shutil.which("docker-registry"))
        if shutil.which("nginx"):
            bench.start_nginx()
        bench.run()
        bench.report()
    finally:
        bench.close()


main()
