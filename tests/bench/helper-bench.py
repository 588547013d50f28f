#!/usr/bin/env python3
"""How long the helper takes, beside Docker's Go helper, pass and gpg itself.

All programs do the same work on the same throwaway store, in turn within each round, so that
whatever else the machine does at the time falls on all of them. The agent runs before.
Ratios mean more than milliseconds; the minimum is the figure that the machine disturbed least.
"""

import argparse
import dataclasses
import os
import pathlib
import shutil
import statistics
import sys
import time
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Sandbox, Skip, go_helper, helper_path  # noqa: E402

OURS = "this helper"
URL = "https://example.com"
MISSING = "https://missing.example.com"
SECRET = b"dckr_pat_0123456789abcdefghijklmnop"
ROW = "{:<22} {:<20} {:>9} {:>9} {:>12}"


@dataclasses.dataclass
class Job:
    """One program for one operation, and what it took."""
    operation: str
    program: str
    argv: list
    stdin: bytes = b""
    rcs: tuple = (0,)               # exit statuses that are right
    before: typing.Any = None       # not measured
    env: dict = dataclasses.field(default_factory=dict)
    times_ms: list = dataclasses.field(default_factory=list)


class Bench:
    """The user, their keys and entries, and everything there is to measure."""

    def __init__(self, user, helper, entries):
        self.user, self.ours, self.entries = user, helper, entries
        self.programs = {OURS: helper, "Go helper": find_go_helper()}
        self.pass_ = shutil.which("pass", path=user.env["PATH"])
        self.gpg = shutil.which("gpg", path=user.env["PATH"])
        self.key = user.make_key()
        user.make_store(self.key)
        self.encrypted = user.encrypt(SECRET, self.key)
        self.jobs = []

    def lay(self, url, username, content):
        """An entry, without the cost of any helper."""
        path = self.user.entry(url, username)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def name_of(self, path):
        """What pass calls the entry."""
        return str(path.relative_to(self.user.prefix)).removesuffix(".gpg")

    def add(self, operation, program, argv, stdin=b"", **more):
        """Adds a job, unless its program is not installed."""
        if argv[0]:
            self.jobs.append(Job(operation, program, [str(word) for word in argv], stdin, **more))

    def add_helpers(self, operation, action, stdin=b"", **more):
        for name, path in self.programs.items():
            self.add(operation, name, [path, action], stdin, **more)

    def add_get(self, operation, url, content):
        path = self.lay(url, "me", content)
        self.add_helpers(operation, "get", url.encode())
        self.add(operation, "pass show", [self.pass_, "show", self.name_of(path)])
        self.add(operation, "gpg -qd", [self.gpg, "--batch", "-qd", path])

    def add_store(self, operation):
        document = b'{"ServerURL":"%s","Username":"me","Secret":"%s"}' % (URL.encode(), SECRET)
        name = self.name_of(self.user.entry(URL, "me"))
        output = self.user.dir / "encrypted"
        self.add_helpers(operation, "store", document)
        self.add(operation, "pass insert -m -f", [self.pass_, "insert", "-m", "-f", name], SECRET)
        self.add(operation, "gpg -e", [self.gpg, "--batch", "--yes", "-qer", self.key, "-o", output], SECRET)

    def add_list(self, operation):
        store = self.user.dir / "large-store"
        for number in range(self.entries):
            path = self.user.entry(f"https://{number}.example.com", "me")
            path = store / path.relative_to(self.user.prefix)
            path.parent.mkdir(parents=True)
            path.write_bytes(self.encrypted)
        shutil.copy(self.user.prefix / ".gpg-id", store)
        env = {"PASSWORD_STORE_DIR": str(store)}
        self.add_helpers(operation, "list", env=env)
        self.add(operation, "pass ls", [self.pass_, "ls"], env=env)

    def add_erase(self, operation):
        path = self.user.entry("https://erase.example.com", "me")
        more = {"before": lambda: self.lay("https://erase.example.com", "me", self.encrypted)}
        self.add_helpers(operation, "erase", b"https://erase.example.com", **more)
        self.add(operation, "pass rm -rf", [self.pass_, "rm", "-rf", self.name_of(path.parent)], **more)

    def add_all(self):
        self.add("any program", "true", [shutil.which("true")])
        self.add_get("get, cv25519", URL, self.encrypted)
        self.add_get("get, rsa4096", f"{URL}/rsa", self.user.encrypt(SECRET, self.user.make_key("R <r@r>", "rsa4096")))
        # Older Go helpers answer an empty credential, and success.
        self.add_helpers("get of a missing one", "get", MISSING.encode(), rcs=(0, 1))
        self.add_store("store that replaces")
        self.add_erase("erase")
        self.add_list(f"list of {self.entries:,}")


def find_go_helper():
    try:
        return go_helper()
    except Skip:
        return None


def run_once(user, job):
    """Runs the job once; answers how long it took, in ms."""
    stdin = user.dir / "stdin"
    stdin.write_bytes(job.stdin)
    actions = [(os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
               (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    if job.before:
        job.before()
    begin = time.perf_counter()
    pid = os.posix_spawn(job.argv[0], job.argv, {**user.env, **job.env}, file_actions=actions)
    status = os.waitpid(pid, 0)[1]
    span = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) not in job.rcs:
        sys.exit(f"{job.operation}: {job.argv} ended with {os.waitstatus_to_exitcode(status)}, not with {job.rcs}")
    return span * 1000


def measure(user, jobs, rounds):
    for job in jobs:
        run_once(user, job)  # agent, page cache
    for _ in range(rounds):
        for job in jobs:
            job.times_ms.append(run_once(user, job))


def print_table(jobs):
    print(ROW.format("operation", "program", "median ms", "min ms", "times ours"))
    ours, last = None, None
    for job in jobs:
        median = statistics.median(job.times_ms)
        ours = median if job.program == OURS else ours
        ratio = f"{median / ours:.1f}" if ours and job.program != OURS else ""
        shown = job.operation if job.operation != last else ""
        print(ROW.format(shown, job.program, f"{median:.1f}", f"{min(job.times_ms):.1f}", ratio).rstrip())
        last = job.operation


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="how often each is measured (default: 40)")
    parser.add_argument("--entries", type=int, default=1000, help="how many entries to list (default: 1000)")
    parser.add_argument("--helper", default=helper_path(), help="the helper to measure")
    options = parser.parse_args()
    with Sandbox() as user:
        bench = Bench(user, os.path.abspath(options.helper), options.entries)
        bench.add_all()
        measure(user, bench.jobs, options.rounds)
        version = user.run([bench.gpg, "--version"]).out.decode().split("\n")[0]
        print(f"{options.rounds} rounds on a machine with {os.cpu_count()} cores, {version}, agent running\n")
        print_table(bench.jobs)


main()
