"""Registries whose data is in a bucket of Ceph's gateway, and the requests that the gateway receives from them."""

import collections
import concurrent.futures
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from ceph_gateway import CephGateway
from registry_servers import Server, digest
from s3_client import S3

BUCKET, ROOT = "bench", "docker/registry/v2/"
STORE_BYTES = 16 << 30
CACHE_SIZE = "2GiB"
REQUEST = re.compile(r'beast: .*? "(\w+) (\S+) HTTP/1\.1" (\d+)')
BACKGROUND = ("/registryd/servers/", "/registryd/doomed")
AT_ONCE = 8


class Gateway(CephGateway):
    """Frees the bytes of deleted objects at once. Its log has a line for each request."""

    def _create(self):
        super()._create()
        with open(self.dir / "ceph.conf", "a") as conf:
            conf.write("rgw gc obj min wait = 1\nrgw gc processor period = 2\n"
                       f"[osd]\nmemstore device bytes = {STORE_BYTES}\n")

    def client(self):
        return S3(self.endpoint, self.access_key, self.secret_key, BUCKET)

    def requests(self, action):
        """Returns (method, key or query, status) of each request that the gateway received during the action."""
        log = self.dir / "log" / "client.rgw.a.log"
        begin = log.stat().st_size
        start, end = (f"{word}-{time.monotonic_ns()}" for word in ("start", "end"))
        self._ask(start)
        action()
        self._ask(end)
        text = ""
        while f"/{BUCKET}/{end} " not in text:  # the gateway writes its log a little later
            with open(log, errors="replace") as lines:
                lines.seek(begin)
                text = lines.read()
        found = REQUEST.findall(text)
        targets = [target for _, target, _ in found]
        found = found[targets.index(f"/{BUCKET}/{start}") + 1:targets.index(f"/{BUCKET}/{end}")]
        return [request for request in found if not any(word in request[1] for word in BACKGROUND)]

    def _ask(self, key):
        client = self.client()
        client.get(key)
        client.close()


def count(requests):
    """Returns a text such as "5: 3 GET, 2 PUT"."""
    methods = collections.Counter(method for method, _, _ in requests)
    return f"{len(requests)}: " + ", ".join(f"{number} {name}" for name, number in sorted(methods.items()))


class BucketServer(Server):
    gateway = None

    def drop_blob(self, name):
        hexadecimal = name.removeprefix("sha256:")
        client = self.gateway.client()
        client.call("DELETE", f"{ROOT}blobs/sha256/{hexadecimal[:2]}/{hexadecimal}/data")
        client.close()


def start_bucket_registry(world, name, program, gateway, has_cache=False):
    """registryd or docker-registry, without TLS and users, so that the difference is in how they use the bucket."""
    server = BucketServer(world, name, is_tls=False)
    server.gateway = gateway
    # Purging old uploads would visit all repositories while requests are counted.
    (server.dir / "config.yml").write_text("version: 0.1\nstorage:\n  s3: {}\n  maintenance: {uploadpurging: {enabled: false}}\n"
                                           "http: {}\n")
    settings = {"ACCESSKEY": gateway.access_key, "SECRETKEY": gateway.secret_key, "REGION": gateway.region,
                "REGIONENDPOINT": gateway.endpoint, "BUCKET": BUCKET}
    settings = {f"REGISTRY_STORAGE_S3_{word}": value for word, value in settings.items()}
    settings |= {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{server.port}", "REGISTRY_HTTP_HOST": server.url,
                 "REGISTRY_STORAGE_REDIRECT_DISABLE": "true", "REGISTRY_CATALOG_MAXENTRIES": "100000"}
    if has_cache:
        settings |= {"REGISTRY_STORAGE_CACHE_DIRECTORY": str(server.dir / "cache"), "REGISTRY_STORAGE_CACHE_MAXSIZE": CACHE_SIZE}
    server.command = ([program, "serve", "config.yml"], settings)
    return server.start(*server.command)


def gateway_server(world, gateway):
    """The gateway itself as a server of the benchmark."""
    server = Server(world, "gateway", is_tls=False)
    server.url, server.port, server.process = gateway.endpoint, gateway.port, gateway.daemons["gateway"]
    server.stop = lambda: None
    return server


def signed_get(gateway, key):
    """Returns the path and the headers of a GET, which the gateway accepts for 15 minutes."""
    client = gateway.client()
    sent = []
    client._send = lambda method, target, headers, body: sent.append((target, headers))
    client.call("GET", key)
    path, headers = sent[0]
    return path, {name.title(): value for name, value in headers.items() if name != "host"} | {"Host": client.host}


def blob_key(name):
    hexadecimal = name.removeprefix("sha256:")
    return f"{ROOT}blobs/sha256/{hexadecimal[:2]}/{hexadecimal}/data"


def fill(gateway, repositories, tags):
    """Writes what a push leaves: repositories with a layer and a tag, and one repository of many tags."""
    manifest = digest(b"{}")
    link = f"_layers/sha256/{manifest[7:]}/link"
    keys = [f"many/r{number:05}/{rest}" for number in range(repositories)
            for rest in (link, "_manifests/tags/latest/current/link")]
    keys += [f"tags/_manifests/tags/t{number:05}/current/link" for number in range(tags)] + [f"tags/{link}"]

    def put(part):
        client = gateway.client()
        for key in part:
            assert client.put(f"{ROOT}repositories/{key}", manifest.encode()).status == 200
        client.close()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(put, [keys[i::AT_ONCE] for i in range(AT_ONCE)]))
