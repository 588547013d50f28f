#!/usr/bin/env python3
"""How long do the requests of a user take while another user misbehaves?

For each attack (tests/bench/registry_attacks.py), one client sends GET /v2/ and GET /healthz one
after the other. Their 99th percentiles are measured twice: while honest requests of the same shape
arrive on as many connections as the attack has, and while the attack runs. The ratio of the two is
the cost of the attack for others. It should be at most 3; docs/performance.md has figures.

    tests/bench/misbehaving-user.py [--seconds 4] [--connections 48] [--only WORD...] [--rounds 2]

Run it as root, so that the server gets a higher priority than other programs of this machine, and
the measuring client the highest one. Otherwise the figures show how long these two wait for a
processor. Real attackers have machines of their own, so the processes of both loads get the lowest
priority.
"""

import itertools
import multiprocessing
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import command_line
from registry_attacks import (ACCESS, ATTACKS, EMPTY, LARGE, LAYER, TLS_ATTACKS, USERS, Connection,
                              digest, image, push_blob, put)

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER_NICENESS, CLIENT_NICENESS = -15, -19


def set_niceness(pid, niceness):
    """Sets the niceness of the whole session of a process, if the kernel schedules by session,
    otherwise of the process.
    """
    if os.geteuid() != 0:
        return
    try:
        pathlib.Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
    except OSError:
        os.setpriority(os.PRIO_PROCESS, pid, niceness)


class Server:
    def __init__(self, program, is_tls):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="misbehaving.", dir="/tmp"))
        lines = [subprocess.run(["htpasswd", "-inB", "-C", "5", user], input=password.encode(),
                                check=True,
                                capture_output=True).stdout.strip()
                 for user, password in USERS.items()]
        (self.dir / "htpasswd").write_bytes(b"\n".join(lines) + b"\n")
        (self.dir / "access").write_text(ACCESS)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        env = {"PATH": os.environ["PATH"], "REGISTRY_AUTH": "htpasswd",
               "REGISTRY_AUTH_HTPASSWD_REALM": "r",
               "REGISTRY_AUTH_HTPASSWD_PATH": str(self.dir / "htpasswd"),
               "REGISTRY_AUTH_HTPASSWD_ACCESS": str(self.dir / "access"),
               "REGISTRY_AUTH_HTPASSWD_ROBOTS": str(self.dir / "robots"),
               "REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}",
               "REGISTRY_STORAGE_DELETE_ENABLED": "true",
               "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.dir / "data"),
               "REGISTRY_CONFINEMENT_ENABLED": "false"}
        if is_tls:
            env |= self.make_certificate()
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen([program, "serve"], env=env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            start_new_session=True)
        set_niceness(self.process.pid, SERVER_NICENESS)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.02)

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj",
                        "/CN=localhost"],
                       cwd=self.dir, check=True, capture_output=True)
        return {"REGISTRY_HTTP_TLS_CERTIFICATE": str(self.dir / "cert.pem"),
                "REGISTRY_HTTP_TLS_KEY": str(self.dir / "key.pem")}

    def stop(self):
        """Stops the server; returns how long that took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        taken_s = time.monotonic() - begin
        shutil.rmtree(self.dir, ignore_errors=True)
        return taken_s


def generate(load, port, count, first, stop):
    """Sends the load over count connections, in a process of its own."""
    os.setsid()
    set_niceness(os.getpid(), 0)
    threads = [threading.Thread(target=load, args=(port, stop, first + i), daemon=True)
               for i in range(count)]
    for thread in threads:
        thread.start()
    stop.wait()


class Load:
    def __init__(self, load, port, count, processes=2):
        self.stop = multiprocessing.Event()
        self.processes = [multiprocessing.Process(target=generate, daemon=True,
                                                  args=(load, port, count // processes, i * 1000,
                                                        self.stop))
                          for i in range(processes)]

    def __enter__(self):
        for process in self.processes:
            process.start()
        time.sleep(0.7)  # it is under way

    def __exit__(self, *_):
        self.stop.set()
        for process in self.processes:
            process.join(0.3)
            process.kill()
            process.join()


def measure(port, seconds):
    """Returns the 99th percentiles of GET /v2/ and of /healthz, in milliseconds."""
    connection, times = Connection(port, "me", source="127.0.0.2"), {"/v2/": [], "/healthz": []}
    connection.open()
    end = time.monotonic() + seconds
    for path in itertools.cycle(times):
        begin = time.perf_counter()
        status, _ = connection.ask("GET", path)
        times[path].append((time.perf_counter() - begin) * 1000)
        assert status == 200, (path, status)
        if time.monotonic() > end and len(times["/healthz"]) >= 100:
            break
        time.sleep(0.002)
    connection.close()
    return [sorted(each)[len(each) * 99 // 100] for each in times.values()]


def prepare(port):
    for user, name in (("honest", "honest"), ("mallory", "mallory")):
        connection = Connection(port, user)
        push_blob(connection, name, EMPTY)
        push_blob(connection, name, LAYER)
        push_blob(connection, name, LARGE)
        put(connection, name, "t", image(0))
    for number in range(8):
        assert put(connection, "mallory", f"large{number}", image(number, values=240_000)) == 201
        data = image(number, digest(b"subject"), values=240_000)
        assert put(connection, "mallory", digest(data), data) == 201
    for number in range(200):
        put(connection, "mallory", f"tag{number}", image(0))


def compare(attack, honest, server, arguments):
    """Prints a row; returns the larger ratio."""
    found = {honest: [], attack: []}
    for _ in range(arguments.rounds):
        for load, figures in found.items():
            with Load(load, server.port, arguments.connections):
                figures.append(measure(server.port, arguments.seconds / arguments.rounds))
    before, during = ([min(each) for each in zip(*figures)] for figures in found.values())
    ratios = [during[i] / before[i] for i in range(2)]
    print(f"{attack.__name__:20} {honest.__name__:20} " +
          " ".join(f"{before[i]:9.2f} {during[i]:9.2f} {ratios[i]:8.2f}" for i in range(2)),
          flush=True)
    return max(ratios)


def run_all(attacks, is_tls, arguments):
    """Returns the largest ratio."""
    attacks = {attack: honest for attack, honest in attacks.items()
               if not arguments.only or any(word in attack.__name__ for word in arguments.only)}
    if not attacks:
        return 0
    Connection.tls = ssl._create_unverified_context() if is_tls else None
    server = Server(arguments.server, is_tls)
    try:
        prepare(server.port)
        worst = max(compare(attack, honest, server, arguments)
                    for attack, honest in attacks.items())
    finally:
        taken_s = server.stop()
    print(f"the server {'with TLS ' if is_tls else ''}ended {taken_s:.1f} s after SIGTERM")
    return worst


def main():
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=command_line.seconds, default=4)
    parser.add_argument("--connections", type=command_line.count, default=48)
    parser.add_argument("--rounds", type=command_line.count, default=2)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--server", default=ROOT / "build/registry/registryd")
    arguments = parser.parse_args()
    arguments.server = parser.check_program(arguments.server)
    if os.getpgrp() != os.getpid():  # a leader of a group cannot leave its session
        os.setsid()
    set_niceness(os.getpid(), CLIENT_NICENESS)
    print(f"{'':41} {'GET /v2/ p99 in ms':>28} {'/healthz p99 in ms':>28}")
    print(f"{'attack':20} {'honest load':20} "
          + " ".join([f"{'honest':>9} {'attack':>9} {'ratio':>8}"] * 2))
    worst = max(run_all(ATTACKS, False, arguments), run_all(TLS_ATTACKS, True, arguments))
    print(f"the largest ratio: {worst:.2f}")


if __name__ == "__main__":
    main()
