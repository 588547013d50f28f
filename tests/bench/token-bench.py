#!/usr/bin/env python3
"""Compares requests with an access token and with a cached password.

    tests/bench/token-bench.py [--seconds 2] [--rounds 5]

The loads alternate on one server with an access file. The last rows fetch tokens. Needs wrk.
"""

import contextlib
import json
import os
import pathlib
import statistics
import urllib.parse

import command_line
import registry_loads as loads
from registry_servers import USER, World, start_registry

PROGRAM = os.environ.get("REGISTRYD") or str(
    pathlib.Path(__file__).resolve().parents[2] / "build/registry/registryd")
MANIFEST = "/v2/bench/manifests/latest"
SCOPE = "service=bench&scope=" + urllib.parse.quote("repository:bench:pull")
RULES = f"allow {USER} all **\n" + "".join(f"allow user{i} pull team-{i}/**\n" for i in range(1000))


def fetch(server, query):
    with contextlib.closing(server.connect()) as connection:
        connection.request("GET", "/token?" + query, headers=server.world.auth)
        return json.loads(connection.getresponse().read())


def main():
    parser = command_line.Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=command_line.count, default=2)
    parser.add_argument("--rounds", type=command_line.count, default=5)
    arguments = parser.parse_args()
    program = parser.check_program(PROGRAM)
    parser.need("wrk")
    world = World()
    (world.dir / "access").write_text(RULES)
    server = start_registry(world, "registryd", program, cost=5, access=world.dir / "access")
    try:
        server.push_image()
        rates = {}
        for _ in range(arguments.rounds):
            token = {"Authorization": "Bearer " + fetch(server, SCOPE)["token"]}
            for name, path, headers in (("manifest, password", MANIFEST, {}),
                                        ("manifest, token", MANIFEST, token),
                                        ("access token", "/token?" + SCOPE, {}),
                                        ("identity token", "/token?offline_token=true&" + SCOPE,
                                         {})):
                before = server.cpu_s()
                seen = loads.wrk(server, path, 32, arguments.seconds, headers)
                rates.setdefault(name, []).append((seen["per_s"],
                                                   (server.cpu_s() - before) / seen["count"] * 1e6))
                server.wait_until_idle()
        for name, rows in rates.items():
            print(f"{name:20} {statistics.median(row[0] for row in rows):9.0f}/s  "
                  f"{statistics.median(row[1] for row in rows):7.1f} us CPU")
        ratios = [a[0] / b[0]
                  for a, b in zip(rates["manifest, token"], rates["manifest, password"])]
        print(f"token / password: {statistics.median(ratios):.2f} ({min(ratios):.2f} to "
              f"{max(ratios):.2f})")
    finally:
        server.stop()
        world.close()


if __name__ == "__main__":
    main()
