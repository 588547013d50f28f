#!/usr/bin/env python3
"""The helper's run time, compared with Docker's Go helper, pass and gpg.

All programs do the same work on the same temporary store. They alternate within each round, so
that other load on the machine affects all of them. The agent is already running. Ratios mean
more than milliseconds; the minimum is affected least by other load. The end of the output shows
the project's limits (the bars) with the results of this run.
"""

import dataclasses
import os
import pathlib
import shutil
import statistics
import sys
import time
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import command_line  # noqa: E402
from harness import Sandbox, Skip, go_helper, helper_path  # noqa: E402

OURS = "this helper"
URL = "https://example.com"
MISSING = "https://missing.example.com"
SECRET = b"dckr_pat_0123456789abcdefghijklmnop"
ROW = "{:<26} {:<20} {:>9} {:>9} {:>12}"
# Entries to list; to list or to search one in; to get one by one
SMALL, LARGE, ALL = 1000, 10_000, 100
WITH_KEYBOXD = "get, cv25519, keyboxd"
GET, MISSED, FOUND_AMONG = "get, cv25519", "get of a missing one", f"get among {LARGE:,}"
LIST, LONG_LIST = f"list of {SMALL:,}", f"list of {LARGE:,}"
GET_ALL, STORE = f"list and {ALL} get", "store that replaces"


@dataclasses.dataclass
class Job:
    """One program for one operation, and its run times."""
    operation: str
    program: str
    argv: list
    stdin: bytes = b""
    rcs: tuple = (0,)               # expected exit statuses
    before: typing.Any = None       # not measured
    env: dict = dataclasses.field(default_factory=dict)
    # Further runs measured together with the first: (argv, stdin)
    then: list = dataclasses.field(default_factory=list)
    every: int = 1                  # measured in every Nth round
    times_ms: list = dataclasses.field(default_factory=list)


class Bench:
    """The user with keys and entries, and all jobs."""

    def __init__(self, user, helper):
        self.user, self.ours = user, helper
        self.programs = {OURS: helper, "Go helper": find_go_helper()}
        self.pass_ = shutil.which("pass", path=user.env["PATH"])
        self.gpg = shutil.which("gpg", path=user.env["PATH"])
        self.key = user.make_key()
        user.make_store(self.key)
        self.encrypted = user.encrypt(SECRET, self.key)
        self.jobs = []
        self.other_homes = []   # GnuPG homes whose daemons must be stopped

    def lay(self, url, username, content):
        """Writes an entry without a helper."""
        path = self.user.entry(url, username)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def name_of(self, path):
        """Returns pass's name of the entry."""
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

    def add_get_with_keyboxd(self, operation):
        """Adds a get for a user whose public keys are in keyboxd (GnuPG 2.4 or later), if gpg has
        keyboxd.
        """
        version = self.user.run([self.gpg, "--version"], check=True).out.decode().split()[2]
        if tuple(int(one) for one in version.split(".")[:2]) < (2, 4):
            return
        home = self.user.dir / "kbx"
        home.mkdir(mode=0o700)
        self.other_homes.append(home)
        (home / "gpg.conf").write_text("no-auto-key-locate\ndisable-dirmngr\n")
        (home / "common.conf").write_text("use-keyboxd\n")
        env = {"GNUPGHOME": str(home)}
        self.user.run([self.gpg, "--batch", "--passphrase", "", "--quick-gen-key", "k@k",
                       "future-default", "default",
                       "never"], check=True, env=env)
        encrypted = self.user.run([self.gpg, "--batch", "-q", "--compress-algo=none", "-r", "k@k",
                                   "-e"], SECRET, check=True,
                                  env=env).out
        path = self.lay(f"{URL}/keyboxd", "me", encrypted)
        self.add_helpers(operation, "get", f"{URL}/keyboxd".encode(), env=env)
        self.add(operation, "gpg -qd", [self.gpg, "--batch", "-qd", path], env=env)

    def add_store(self, operation):
        document = b'{"ServerURL":"%s","Username":"me","Secret":"%s"}' % (URL.encode(), SECRET)
        name = self.name_of(self.user.entry(URL, "me"))
        output = self.user.dir / "encrypted"
        self.add_helpers(operation, "store", document)
        self.add(operation, "pass insert -m -f", [self.pass_, "insert", "-m", "-f", name], SECRET)
        self.add(operation, "gpg -e",
                 [self.gpg, "--batch", "--yes", "-qer", self.key, "-o", output], SECRET)

    def make_store_of(self, count):
        """Makes a store with this many entries; returns its environment."""
        store = self.user.dir / f"store-{count}"
        for number in range(count):
            path = self.user.entry(f"https://{number}.example.com", "me")
            path = store / path.relative_to(self.user.prefix)
            path.parent.mkdir(parents=True)
            path.write_bytes(self.encrypted)
        shutil.copy(self.user.prefix / ".gpg-id", store)
        return {"PASSWORD_STORE_DIR": str(store)}

    def add_lists(self):
        env = self.make_store_of(SMALL)
        self.add_helpers(LIST, "list", env=env)
        self.add(LIST, "pass ls", [self.pass_, "ls"], env=env)
        env = self.make_store_of(LARGE)
        self.add(LONG_LIST, OURS, [self.ours, "list"], env=env)
        self.add(FOUND_AMONG, OURS, [self.ours, "get"], b"https://77.example.com", env=env)
        env = self.make_store_of(ALL)
        for name, path in self.programs.items():
            gets = [([path, "get"], b"https://%d.example.com" % number) for number in range(ALL)]
            self.add(GET_ALL, name, [path, "list"], env=env, then=gets,
                     every=1 if name == OURS else 8)

    def add_erase(self, operation):
        path = self.user.entry("https://erase.example.com", "me")
        more = {"before": lambda: self.lay("https://erase.example.com", "me", self.encrypted)}
        self.add_helpers(operation, "erase", b"https://erase.example.com", **more)
        self.add(operation, "pass rm -rf", [self.pass_, "rm", "-rf", self.name_of(path.parent)],
                 **more)

    def add_all(self):
        self.add("any program", "true", [shutil.which("true")])
        self.add_get(GET, URL, self.encrypted)
        self.add_get("get, rsa4096", f"{URL}/rsa",
                     self.user.encrypt(SECRET, self.user.make_key("R <r@r>", "rsa4096")))
        self.add_get_with_keyboxd(WITH_KEYBOXD)
        # Older Go helpers print an empty credential and succeed.
        self.add_helpers(MISSED, "get", MISSING.encode(), rcs=(0, 1))
        self.add_store(STORE)
        self.add_erase("erase")
        self.add_lists()


def find_go_helper():
    try:
        return go_helper()
    except Skip:
        return None


def spawn(user, job, argv, stdin):
    """Starts a program and waits for its end; returns the time in ms, without the preparations."""
    source = user.dir / "stdin"
    source.write_bytes(stdin)
    actions = [(os.POSIX_SPAWN_OPEN, 0, str(source), os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
               (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    env = {**user.env, **job.env}
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    status = os.waitpid(pid, 0)[1]
    span = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) not in job.rcs:
        sys.exit(f"{job.operation}: {argv} ended with {os.waitstatus_to_exitcode(status)}, not "
                 f"with {job.rcs}")
    return span * 1000


def run_once(user, job):
    """Runs the job once; returns the time in ms."""
    if job.before:
        job.before()
    return sum(spawn(user, job, argv, stdin) for argv, stdin in [(job.argv, job.stdin), *job.then])


def measure(user, jobs, rounds):
    """Measures all jobs. Each runs once before its measurement, so that caches from the previous
    job do not matter.
    """
    for number in range(rounds):
        for job in jobs:
            if number % job.every == 0:
                run_once(user, job)
                job.times_ms.append(run_once(user, job))


def print_table(jobs):
    print(ROW.format("operation", "program", "median ms", "min ms", "times ours"))
    ours, last = None, None
    for job in jobs:
        median = statistics.median(job.times_ms)
        ours = median if job.program == OURS else ours
        ratio = f"{median / ours:.1f}" if ours and job.program != OURS else ""
        shown = job.operation if job.operation != last else ""
        print(ROW.format(shown, job.program, f"{median:.2f}", f"{min(job.times_ms):.2f}",
                         ratio).rstrip())
        last = job.operation


def print_bars(jobs):
    """Prints the limits and whether this run meets them; a larger figure misses the bar."""
    median = {(job.operation, job.program): statistics.median(job.times_ms) for job in jobs}
    true, ours = median["any program", "true"], {job.operation: median[job.operation, OURS]
                                                 for job in jobs
                                                 if job.program == OURS}
    go = {job.operation: median[job.operation, "Go helper"] for job in jobs
          if job.program == "Go helper"}
    bars = [("get / gpg -qd", ours[GET] / median[GET, "gpg -qd"], 0.5),
            ("get with keyboxd / gpg -qd",
             ours[WITH_KEYBOXD] / median[WITH_KEYBOXD, "gpg -qd"] if WITH_KEYBOXD in ours
             else None, 0.6),
            ("get / Go helper", ours[GET] / go[GET] if go else None, 1 / 12),
            ("missing get / true", ours[MISSED] / true, 2),
            (f"{LIST} / true", ours[LIST] / true, 4),
            (f"{LONG_LIST} / ten times {LIST}", ours[LONG_LIST] / (10 * ours[LIST]), 1),
            (f"{GET_ALL}, in s", ours[GET_ALL] / 1000, 0.3),
            ("store / Go helper", ours[STORE] / go[STORE] if go else None, 1 / 3),
            (f"{FOUND_AMONG} / {GET}", ours[FOUND_AMONG] / ours[GET], 1.1)]
    print(f"\n{'bar':<42} {'at most':>8} {'this run':>9}")
    for name, figure, bound in bars:
        if figure is not None:
            print(f"{name:<42} {bound:>8.3f} {figure:>9.3f}  "
                  f"{'' if figure <= bound else 'MISSED'}".rstrip())


def main():
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=command_line.count, default=40,
                        help="number of measurements of each job (default: 40)")
    parser.add_argument("--helper", default=helper_path(), help="the helper to measure")
    options = parser.parse_args()
    helper = parser.check_program(options.helper)
    with Sandbox() as user:
        bench = Bench(user, helper)
        bench.add_all()
        measure(user, bench.jobs, options.rounds)
        version = user.run([bench.gpg, "--version"]).out.decode().split("\n")[0]
        print(f"{options.rounds} rounds on a machine with {os.cpu_count()} cores, {version}, "
              "agent running\n")
        print_table(bench.jobs)
        print_bars(bench.jobs)
        for home in bench.other_homes:
            user.run(["gpgconf", "--homedir", home, "--kill", "all"])


main()
