"""The loads of the registry's benchmark. Each returns its rate and its other measurements."""

import concurrent.futures
import hashlib
import os
import re
import secrets
import subprocess
import tempfile
import threading
import time

from registry_servers import MANIFEST_TYPE, MIB

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1000.0, "m": 60000.0, "B": 1, "KB": 1 << 10, "MB": 1 << 20,
         "GB": 1 << 30}


def number(text):
    """"1.50ms" in milliseconds, "1.5GB" in bytes; 0 if wrk has no value."""
    found = re.fullmatch(r"([\d.]+)(\w+)", text)
    return float(found[1]) * UNITS[found[2]] if found else 0.0


def wrk(server, path, connections, seconds, headers=()):
    """Many requests over connections that stay open, unless a header ends them."""
    words = [f"{name}: {value}"
             for name, value in {**server.world.auth, "Accept": MANIFEST_TYPE,
                                 **dict(headers)}.items()]
    out = subprocess.run(["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{seconds}s",
                          "--latency", "--timeout",
                          "30s", *[word for value in words for word in ("-H", value)],
                          server.url + path], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(f"{server.name} refuses {path}")
    latencies = re.search(r"99%\s+(\S+)", out)
    return {"count": int(re.search(r"(\d+) requests in", out)[1]),
            "per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
            "mib_per_s": number(re.search(r"Transfer/sec:\s+(\S+)", out)[1]) / MIB,
            "p99_ms": number(latencies[1]) if latencies else 0}


def ab_head(server, path, seconds):
    """Sends HEAD with ab, because wrk waits for a body, which HEAD does not have."""
    words = [f"{name}: {value}" for name, value in server.world.auth.items()]
    out = subprocess.run(["ab", "-q", "-i", "-k", "-c32", f"-t{seconds}", "-n10000000",
                          *[word for value in words for word in ("-H", value)], server.url + path],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(f"{server.name} refuses {path}")
    return {"count": int(re.search(r"Complete requests:\s+(\d+)", out)[1]),
            "per_s": float(re.search(r"Requests per second:\s+([\d.]+)", out)[1])}


def new_connections(server, path, seconds):
    """A TLS handshake for each request, as with docker. wrk resumes the session if the server sends
    tickets.
    """
    return wrk(server, path, 32, seconds, headers={"Connection": "close"})


def curl(server, *words):
    config = "".join(f'header = "{name}: {value}"\n' for name, value in server.world.auth.items())
    return subprocess.run(["curl", "-sS", "--fail", "-K", "-", "--cacert",
                           str(server.world.dir / "cert.pem"), *words],
                          input=config, capture_output=True, text=True, check=True).stdout


class Source:
    """A file with bytes that were never sent before, and its digest. It is in memory, so that
    reading it costs little.
    """

    def __init__(self, mib):
        self.mib = mib
        self.path = f"/dev/shm/registry-bench.{os.getpid()}.{secrets.token_hex(4)}"
        block, whole = secrets.token_bytes(MIB), hashlib.sha256()
        with open(self.path, "wb") as out:
            for _ in range(mib):
                out.write(block)
                whole.update(block)
        self.digest = "sha256:" + whole.hexdigest()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.unlink(self.path)


def start_upload(server):
    return curl(server, "-X", "POST", "-o", "/dev/null", "-w", "%header{location}",
                server.url + "/v2/bench/blobs/uploads/")


def end_upload(server, place, name, *body):
    place += ("&" if "?" in place else "?") + "digest=" + name
    curl(server, *(body or ("-X", "PUT", "-H", "Content-Length: 0")), "-H",
         "Content-Type: application/octet-stream", place)


def patch(server, place, *words):
    return curl(server, "-X", "PATCH", "-H", "Content-Type: application/octet-stream", "-H",
                "Expect:", "-o", "/dev/null",
                "-w", "%header{location}", *words, place)


def upload_whole(server, source):
    end_upload(server, start_upload(server), source.digest, "-H", "Expect:", "-T", source.path)


def upload_stream(server, source):
    place = patch(server, start_upload(server), "-T", source.path, "-H",
                  "Transfer-Encoding: chunked")
    end_upload(server, place, source.digest)


def upload_chunks(server, source):
    place, size = start_upload(server), 64 * MIB
    with open(source.path, "rb") as whole:
        for first in range(0, source.mib * MIB, size):
            chunk = source.path + ".chunk"
            with open(chunk, "wb") as out:
                out.write(whole.read(size))
            place = patch(server, place, "-H", f"Content-Range: {first}-{first + size - 1}", "-T",
                          chunk)
            os.unlink(chunk)
    end_upload(server, place, source.digest)


def make_ready(mib):
    """ Writes what other servers left for the kernel to write, and uses memory that was not used
    for a while: a virtual machine has to ask its host for it, at the expense of the first server of
    a round.
    """
    os.sync()
    with tempfile.TemporaryFile(dir="/dev/shm") as scratch:
        for _ in range(mib):
            scratch.write(bytes(MIB))


def upload(server, how, mib):
    with Source(mib) as source:
        make_ready(mib)
        begin = time.monotonic()
        how(server, source)
        taken = time.monotonic() - begin
        server.drop_blob(source.digest)
        return {"count": mib, "per_s": mib / taken}


def upload_parallel(server, count, mib):
    sources = [Source(mib) for _ in range(count)]
    try:
        make_ready(count * mib)
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda source: upload_whole(server, source), sources))
        return {"count": count * mib, "per_s": count * mib / (time.monotonic() - begin)}
    finally:
        for source in sources:
            os.unlink(source.path)


def upload_small(server, count=200, at_once=8):
    contents = [secrets.token_bytes(4096) for _ in range(count)]

    def push(part):
        connection = server.connect()
        for content in part:
            server.push_blob(connection, "bench", content)
    os.sync()
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(push, [contents[i::at_once] for i in range(at_once)]))
    return {"count": count, "per_s": count / (time.monotonic() - begin)}


def memory_under_load(server, seconds):
    """Returns the peak resident MiB during requests for manifests on 1,000 connections and 8
    uploads.
    """
    server.forget_peak()
    asker = threading.Thread(target=wrk, args=(server, "/v2/bench/manifests/latest", 1000, seconds))
    asker.start()
    upload_parallel(server, 8, 64)
    asker.join()
    return server.memory_mib("VmHWM")


def start_ms(server):
    """Returns the time from the start of the program to its first answer."""
    server.stop()
    begin = time.monotonic()
    server.start(*server.command)
    connection = server.connect()
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    return (time.monotonic() - begin) * 1000
