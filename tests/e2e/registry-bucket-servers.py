#!/usr/bin/env python3
"""Two registryds on one bucket of Ceph's gateway: behind nginx and haproxy, and while they
and the gateway are killed.

LOAD=full  100 kills
"""

import concurrent.futures
import http.client
import os
import random
import subprocess
import threading
import time

from bucket_registry import World, wait_until
from harness import case, main, need
from registry import free_port
from registry_client import Client, digest

MEBIBYTE = 1 << 20
KILLS = int(os.environ.get("KILLS", "100" if os.environ.get("LOAD") == "full" else "3"))
CLIENTS = 4

NGINX = """daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir}/nginx-body;
    proxy_temp_path {dir}/nginx-proxy;
    fastcgi_temp_path {dir}/nginx-fastcgi;
    uwsgi_temp_path {dir}/nginx-uwsgi;
    scgi_temp_path {dir}/nginx-scgi;
    upstream registries {{
        server 127.0.0.1:{ports[0]};
        server 127.0.0.1:{ports[1]};
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {dir}/cert.crt;
        ssl_certificate_key {dir}/privkey.key;
        client_max_body_size 0;
        location / {{
            proxy_pass https://registries;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_read_timeout 300;
            proxy_set_header Host $http_host;
            proxy_next_upstream off;
        }}
    }}
}}
"""


HAPROXY = """global
    maxconn 256
defaults
    mode http
    timeout connect 60s
    timeout client 300s
    timeout server 300s
    option redispatch
frontend front
    bind 127.0.0.1:{port} ssl crt {dir}/haproxy.pem
    default_backend registries
backend registries
    balance roundrobin
    server one 127.0.0.1:{ports[0]} ssl verify none
    server two 127.0.0.1:{ports[1]} ssl verify none
"""


class Balancer:
    """A proxy before two registries, each of which gets every second request. Looks like a
    registry to Client."""

    def __init__(self, program, servers):
        self.program, self.servers, self.port = need(program), servers, free_port()
        self.ca, self.username = servers[0].ca, servers[0].username
        self.password, self.dir = servers[0].password, servers[0].dir

    def _nginx(self):
        return "-c", self._config(NGINX, user="user root;" if os.geteuid() == 0 else ""), \
            "-p", self.dir, "-e", self.dir / "nginx.log"

    def _haproxy(self):
        pair = [(self.dir / name).read_text() for name in ("cert.crt", "privkey.key")]
        (self.dir / "haproxy.pem").write_text("".join(pair))
        return "-db", "-q", "-f", self._config(HAPROXY)

    def _config(self, text, **more):
        config = self.dir / "balancer.conf"
        config.write_text(text.format(dir=self.dir, port=self.port,
                                      ports=[server.port for server in self.servers], **more))
        return config

    def __enter__(self):
        words = {"nginx": self._nginx, "haproxy": self._haproxy}[os.path.basename(self.program)]()
        self.log = self.dir / "balancer.out"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([self.program, *words], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_until(self._answers)
        return self

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return Client(self).call("GET", "/v2/").status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def kill(server):
    server.process.kill()
    server.process.wait()


def requests_of(server):
    """The requests that a server has logged, as methods."""
    return server.log.read_text(errors="replace").count("http.request.method")


def collect_until(server, is_over, counts):
    """Collects again and again, until it has ended once at least."""
    while not (is_over.is_set() and counts["collections"]):
        done = server.run_program("garbage-collect", "--grace", "2m")
        assert done.returncode == 0, done
        counts["collections"] += 1


def use_as_docker(front, number):
    """Pushes, pulls, resumes an upload and deletes: each request goes to the other server."""
    client, draws, name = Client(front), random.Random(number), f"r{number}"
    pieces = [draws.randbytes(size) for size in (10, 6 * MEBIBYTE, 1, 70000)]
    location = client.start(name)
    for piece in pieces:
        answer = client.patch(location, piece)
        assert answer.status == 202, answer
        location = answer.location
    content = b"".join(pieces)
    assert client.finish(location, digest(content)).status == 201
    manifest = client.push_image(name, "t", layers=(content,))
    gone = client.push_image(name, "gone", layers=(b"gone",))
    assert client.call("DELETE", f"/v2/{name}/manifests/{digest(gone)}").status == 202
    for _ in range(2):  # once from each
        assert client.get_manifest(name, "t").body == manifest
        assert client.call("GET", f"/v2/{name}/blobs/{digest(content)}").body == content
        assert client.get_manifest(name, "gone").status == 404


def try_to_push(front):
    """Returns the manifest, or None while the balancer still sends requests to a dead server."""
    try:
        return Client(front, tries=1).push_image("r0", "after")
    except (OSError, http.client.HTTPException):
        return None
    except AssertionError as failure:
        assert str(failure).startswith(("502", "503", "504")), failure
        return None


def use_through(program):
    bucket = f"behind-{program}"
    World.bucket(bucket)
    common = {"HTTP_HOST": "", "HTTP_RELATIVEURLS": "true", "STORAGE_S3_CHUNKSIZE": 5 * MEBIBYTE}
    with World.registry(bucket, **common) as one:
        two = World.registry(bucket, AUTH_HTPASSWD_PATH=one.dir / "htpasswd", **common)
        with two, Balancer(program, [one, two]) as front:
            is_over, counts = threading.Event(), {"collections": 0}
            collector = threading.Thread(target=collect_until, args=(one, is_over, counts))
            collector.start()
            try:
                with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                    list(pool.map(lambda number: use_as_docker(front, number), range(CLIENTS)))
            finally:
                is_over.set()
                collector.join()
            assert counts["collections"], counts
            seen = [requests_of(server) for server in (one, two)]
            assert min(seen) > 10, seen

            kill(two)
            pushed = []
            wait_until(lambda: pushed.append(try_to_push(front)) or pushed[-1])
            two._start()
            for server in (one, two):
                client = Client(server)
                client.auth = Client(one).auth  # both have its users
                assert client.get_manifest("r0", "after").body == pushed[-1]


for balancer in ("nginx", "haproxy"):
    @case(f"behind {balancer} each request goes to the other server: pushes, pulls, resumed "
          "uploads and deletes, while garbage is collected, and after one of them was killed")
    def _(program=balancer):
        use_through(program)


class Worker:
    """Pushes, pulls and deletes images of its own repository through any server, and knows what was
    acknowledged.
    """

    def __init__(self, number, servers):
        self.name, self.servers, self.draws = f"r{number}", servers, random.Random(number)
        self.images = {}      # tag: (manifest, layer), or None after it was deleted
        self.unsure = set()   # tags whose delete has no answer
        self.tries = self.pushed = self.pulled = self.deleted = self.cut = 0

    def work(self, is_over):
        while not is_over.is_set():
            client = Client(self.draws.choice(self.servers), tries=1)
            try:
                self.draws.choice((self.push, self.push, self.pull, self.delete))(client)
            except (OSError, http.client.HTTPException):
                self.cut += 1
                time.sleep(0.02)  # the server is being started again

    def push(self, client):
        layer = self.draws.randbytes(self.draws.choice((10, 5000, 200000)))
        try:
            manifest = client.make_image(self.name, layers=(layer, b"shared by all"))
        except AssertionError as failure:  # of a blob: it is not 201 or 202
            assert str(failure).startswith("503"), failure
            return
        # Each has a tag of its own, because one without an answer may take effect later.
        self.tries += 1
        tag = f"t{self.tries}"
        answer = client.put_manifest(self.name, tag, manifest)
        assert answer.status in (201, 503), answer
        if answer.status == 201:
            self.images[tag] = (manifest, layer)
            self.pushed += 1

    def choose(self):
        known = [tag for tag, image in self.images.items() if image and tag not in self.unsure]
        return self.draws.choice(known) if known else None

    def pull(self, client):
        tag = self.choose()
        if tag and self.check(client, tag):
            self.pulled += 1

    def delete(self, client):
        tag = self.choose()
        if not tag or len(self.images) < 4:
            return
        self.unsure.add(tag)
        answer = client.call("DELETE", f"/v2/{self.name}/manifests/{tag}")
        assert answer.status in (202, 503), answer
        if answer.status == 202:
            self.images[tag] = None
            self.unsure.discard(tag)
            self.deleted += 1

    def check(self, client, tag, statuses=(503,)):
        """Whether the image is there and right. An answer with one of the statuses counts as no."""
        answer = client.get_manifest(self.name, tag)
        image = self.images[tag]
        if image is None:
            assert answer.status == 404 or answer.status in statuses, (self.name, tag, answer)
            return answer.status == 404
        if answer.status in statuses or (tag in self.unsure and answer.status == 404):
            return False
        assert answer.status == 200 and answer.body == image[0], (self.name, tag, answer)
        blob = client.call("GET", f"/v2/{self.name}/blobs/{digest(image[1])}")
        if blob.status in statuses:
            return False
        assert blob.status == 200 and blob.body == image[1], (self.name, tag, blob)
        return True


class Load:
    """Workers and a collector that run until the end, or until one of them finds a mistake."""

    def __init__(self, servers):
        self.workers = [Worker(number, servers) for number in range(CLIENTS)]
        self.server, self.is_over, self.failures = servers[0], threading.Event(), []
        self.collections = self.collections_cut = 0

    def _run(self, work):
        try:
            work()
        except BaseException as failure:  # pylint: disable=broad-except
            self.failures.append(failure)
            self.is_over.set()

    def _collect(self):
        while not self.is_over.is_set():
            done = self.server.run_program("garbage-collect", "--grace", "2m")
            self.collections += done.returncode == 0
            self.collections_cut += done.returncode != 0  # the gateway was away
            self.is_over.wait(1)

    def __enter__(self):
        works = [self._collect] + [lambda worker=worker: worker.work(self.is_over)
                                   for worker in self.workers]
        self.threads = [threading.Thread(target=self._run, args=(work,)) for work in works]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def pushed(self):
        assert not self.failures, self.failures[0]
        return sum(worker.pushed for worker in self.workers)

    def wait_for_pushes(self):
        before = self.pushed()
        wait_until(lambda: self.pushed() > before)


@case(f"{KILLS} kills of servers and the gateway under load: what was acknowledged is there, and "
      "clients of the others go on")
def _():
    World.bucket("kills")
    draws = random.Random(1)
    with World.registry("kills") as one, World.registry("kills") as two:
        servers, victims = [one, two], (one, two, "gateway")
        with Load(servers) as load:
            for number in range(KILLS):
                load.wait_for_pushes()
                victim = (one, "gateway", two)[number] if number < 3 else draws.choice(victims)
                if victim == "gateway":
                    World.gateway.restart_gateway()
                else:
                    kill(victim)
                    load.wait_for_pushes()  # through the survivor
                    victim._start()
            load.wait_for_pushes()
        for worker in load.workers:
            for tag in worker.images:
                for server in servers:
                    worker.check(Client(server), tag, statuses=())
        counts = [f"{name} {sum(getattr(worker, name) for worker in load.workers)}"
                  for name in ("pushed", "pulled", "deleted", "cut")]
        print(f"# kills {KILLS}, {', '.join(counts)}, collections {load.collections}, of which the gateway ended {load.collections_cut}")


try:
    main()
finally:
    World.end()
