#!/usr/bin/env python3
"""Does a change of an access file with 10,000 rules delay other requests?

    tests/bench/rules-change-bench.py [--rounds 5]

Two connections send requests at the same time: one for a page that needs no rules, which event
threads serve, and one for a tag list, which waits until changed rules have been read. Rounds
without and with changes alternate.
"""

import base64
import pathlib
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import command_line  # noqa: E402
from plain_registry import PROGRAM, Server, line  # noqa: E402

PASSWORD, RULES, CHANGES, PAUSE_S = "secret", 10000, 10, 0.2
LOGIN = "Authorization: Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()


def make_rules(number):
    return f"allow alice pull,push team/**\n# {number}\n" + "".join(
        f"allow user{i} pull,push team-{i}/{number}/**\n" for i in range(RULES))


class Asker(threading.Thread):
    """Sends one request after the other, and records how long each takes."""

    def __init__(self, port, path, *headers):
        super().__init__()
        self.request = "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "",
                                    ""]).encode()
        self.socket, self.times, self.is_over = socket.create_connection(
            ("127.0.0.1", port)), [], False
        self.start()

    def run(self):
        while not self.is_over:
            begin = time.perf_counter()
            self.socket.sendall(self.request)
            self.socket.recv(65536)
            self.times.append((time.perf_counter() - begin) * 1e3)
            time.sleep(0.001)
        self.socket.close()

    def stop(self):
        self.is_over = True
        self.join()
        return sorted(self.times)


def run_round(server, is_changing, numbers):
    askers = [Asker(server.port, "/"), Asker(server.port, "/v2/team/app/tags/list", LOGIN)]
    for _ in range(CHANGES):
        if is_changing:
            server.write(make_rules(next(numbers)), server.dir / "access")
        time.sleep(PAUSE_S)
    return [asker.stop() for asker in askers]


def main():
    parser = command_line.Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=command_line.count, default=5)
    arguments = parser.parse_args()
    parser.check_program(PROGRAM)
    numbers = iter(range(1, 1000000))
    with Server(line("alice", PASSWORD), files={"access": make_rules(0)},
                AUTH_HTPASSWD_ACCESS="access",
                LOG_ACCESSLOG_DISABLED="true") as server:
        seen = {}
        for _ in range(arguments.rounds):
            for is_changing in (False, True):
                for what, times in zip(("page without rules", "tag list"),
                                       run_round(server, is_changing, numbers)):
                    seen.setdefault((what, is_changing), []).append(times)
    for (what, is_changing), rounds in sorted(seen.items()):
        row = [statistics.median(times[int(len(times) * share)] for times in rounds)
               for share in (0.5, 0.9, 0.99)]
        row.append(statistics.median(times[-1] for times in rounds))
        print(f"{what:20} {'changing' if is_changing else 'as it is':9} " +
              "  ".join(f"{name} {value:7.2f} ms"
                        for name, value in zip(("median", "90 %", "99 %", "longest"), row)))


main()
