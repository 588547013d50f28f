#!/usr/bin/env python3
"""Compares registryd with docker-registry and nginx: the same requests, clients, certificate and
cipher.

    tests/bench/registry-bench.py [--rounds N] [--seconds N] [--big MIB] [--only WORDS]
    build/registry/registryd

Servers take turns within each round. A ratio compares rates of the same round; the median of the
rounds is printed. On a machine with other load, ratios are more reliable than rates, and the
server's CPU time for each request is the most reliable. Authentication is on for registryd and
docker-registry; docker-registry runs with bcrypt cost 10 and with cost 5. registryd and
docker-registry write a log line for each request. nginx has neither authentication nor a log.

Needs .ci/install-dependencies bench. A large repository has a benchmark of its own:
big-repository.py.
"""

import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import command_line
import registry_loads as loads
from registry_servers import MIB, World, start_nginx, start_registry
from registry_steps import ROW, Step, verdict

OURS, PLAIN, NGINX, NGINX_PLAIN = "registryd", "registryd-plain", "nginx", "nginx-plain"
COST_5, COST_10 = "docker-registry-5", "docker-registry-10"


def make_steps(world, arguments):
    seconds, big = arguments.seconds, arguments.big
    kib, mib, large = (world.blob_path(name) for name in world.blobs)

    def wrk(path, connections, *nginx_path, length=seconds, **more):
        return lambda server: loads.wrk(server,
                                        nginx_path[0] if nginx_path and "nginx" in server.name
                                        else path,
                                        connections, length, **more)
    return [
        Step("GET /v2/", "/s", wrk("/v2/", 32, kib), [OURS, NGINX, COST_10],
             {NGINX: 0.6, COST_10: 500}),
        Step("manifest by tag", "/s", wrk("/v2/bench/manifests/latest", 32, kib),
             [OURS, NGINX, COST_10],
             {NGINX: 0.6, COST_10: 500}),
        Step("manifest by digest", "/s", lambda s: loads.wrk(
            s, kib if s.name == NGINX else f"/v2/bench/manifests/{s.manifest}", 32, seconds),
             [OURS, NGINX, COST_10],
            {NGINX: 0.6, COST_10: 500}),
        Step("HEAD blob", "/s", lambda s: loads.ab_head(s, kib, seconds), [OURS, NGINX, COST_10],
             {NGINX: 0.6, COST_10: 500}),
        Step("GET /v2/, 1000 connections", "/s", wrk("/v2/", 1000, kib, length=seconds * 3),
             [OURS, NGINX]),
        Step("GET /v2/, new connection each", "/s",
             lambda s: loads.new_connections(s, kib if s.name == NGINX else "/v2/",
                                             seconds),
             [OURS, NGINX, COST_5, COST_10], {NGINX: 0.75, COST_5: 4, COST_10: 50}),
        Step("blob of 1 KiB", "/s", wrk(kib, 32), [OURS, NGINX], {NGINX: 0.7}),
        Step("blob of 1 KiB, 1000 connections", "/s", wrk(kib, 1000, length=seconds * 3),
             [OURS, NGINX], {NGINX: 0.7}),
        Step("blob of 1 KiB, no TLS", "/s", wrk(kib, 32), [PLAIN, NGINX_PLAIN]),
        Step("blob of 1 MiB", "MiB/s", wrk(mib, 32), [OURS, NGINX], {NGINX: 0.85}),
        Step("Range of 1 MiB", "MiB/s",
             wrk(large, 32, headers={"Range": f"bytes={8 * MIB}-{9 * MIB - 1}"}), [OURS, NGINX],
             {NGINX: 0.85}),
        Step("blob of 256 MiB", "MiB/s", wrk(large, 4), [OURS, NGINX], {NGINX: 0.95}),
        Step("blob of 1 MiB, no TLS", "MiB/s", wrk(mib, 32), [PLAIN, NGINX_PLAIN],
             {NGINX_PLAIN: 0.85}),
        Step("blob of 256 MiB, no TLS", "MiB/s", wrk(large, 4), [PLAIN, NGINX_PLAIN],
             {NGINX_PLAIN: 0.9}),
        *[Step(f"upload of {big} MiB, {name}", "MiB/s", lambda s,
               how=how: loads.upload(s, how, big), [OURS, COST_5],
               {COST_5: 1.5})
          for name, how in (("monolithic", loads.upload_whole), ("streamed", loads.upload_stream),
                            ("in chunks", loads.upload_chunks))],
        Step("8 uploads of 64 MiB at once", "MiB/s", lambda s: loads.upload_parallel(s, 8, 64),
             [OURS, COST_10],
             {COST_10: 2}),
        Step("200 uploads of 4 KiB, 8 at once", "/s", loads.upload_small, [OURS, COST_10, COST_5],
             {COST_10: 2, COST_5: 2}),
    ]


def start_all(world, arguments, servers):
    program, theirs = arguments.registryd, shutil.which("docker-registry")
    for name, path, cost, is_tls in ((OURS, program, 10, True), (PLAIN, program, 10, False),
                                     (COST_5, theirs, 5, True),
                                     (COST_10, theirs, 10, True)):
        servers[name] = start_registry(world, name, path, cost, is_tls)
        servers[name].push_image()
    for name, is_tls in ((NGINX, True), (NGINX_PLAIN, False)):
        servers[name] = start_nginx(world, name, is_tls)


def report_thousand(steps):
    """Prints the rate with 1,000 connections relative to the rate with 32."""
    by_name = {step.name: step for step in steps}
    few, many = by_name.get("GET /v2/"), by_name.get("GET /v2/, 1000 connections")
    if few and many:
        for name in (OURS, NGINX):
            ratio = statistics.median(b / a for a, b in zip(few.rates[name], many.rates[name]) if a)
            print(ROW.format("1000 connections to 32", name, "", "", "", "", f"{ratio:.2f}",
                             verdict(ratio, 0.8 if name == OURS else None)))


def report_memory(servers, seconds):
    for name in (OURS, COST_10):
        server = servers[name]
        times = [loads.start_ms(server) for _ in range(5)]
        print(f"# {name}: first answer {statistics.median(times):.1f} ms after the start "
              "(median of 5); "
              f"{server.memory_mib('VmRSS'):.1f} MiB resident when idle")
    ours = loads.memory_under_load(servers[OURS], seconds)
    print(f"# {OURS}: at most {ours:.1f} MiB resident with 1000 connections and 8 uploads")


def report_ceilings(big):
    """Prints the upper limits of an upload's speed, each measured separately on one thread."""
    block, begin = os.urandom(MIB), time.monotonic()
    whole = hashlib.sha256()
    for _ in range(big):
        whole.update(block)
    sha = big / (time.monotonic() - begin)
    out = subprocess.run(["openssl", "speed", "-seconds", "1", "-bytes", "16384", "-evp",
                          "aes-128-gcm"],
                         capture_output=True, text=True, check=True).stdout
    aes = float(out.split()[-1].rstrip("k")) * 1000 / MIB
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        begin = time.monotonic()
        for _ in range(big):
            file.write(block)
        cached = big / (time.monotonic() - begin)
        os.fdatasync(file.fileno())
        disk = big / (time.monotonic() - begin)
    print(f"# ceilings, MiB/s: SHA-256 {sha:.0f}, AES-128-GCM {aes:.0f}, page cache {cached:.0f}, "
          f"disk with fdatasync {disk:.0f}")


def main():
    parser = command_line.Parser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("registryd", type=command_line.program)
    parser.add_argument("--rounds", type=command_line.count, default=3)
    parser.add_argument("--seconds", type=command_line.count, default=2, help="of each load")
    parser.add_argument("--big", type=command_line.count, default=1024,
                        help="MiB of the large upload")
    parser.add_argument("--only", default="", help="steps with these words in their name")
    arguments = parser.parse_args()
    parser.need("docker-registry", "nginx", "wrk", "ab", "curl")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the servers stop, too
    world, servers = World(), {}
    try:
        start_all(world, arguments, servers)
        steps = [step for step in make_steps(world, arguments) if arguments.only in step.name]
        for round_ in range(arguments.rounds):
            for step in steps:
                step.run(servers)
            print(f"# round {round_ + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
        print(ROW.format("step", "server", "median", "unit", "CPU us", "p99 ms", "ratio", "bar"))
        for step in steps:
            step.report()
        report_thousand(steps)
        if not arguments.only:
            report_memory(servers, arguments.seconds * 3)
            report_ceilings(arguments.big)
    finally:
        for server in servers.values():
            server.stop()
        world.close()


main()
