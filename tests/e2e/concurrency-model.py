#!/usr/bin/env python3
"""Many concurrent stores, gets, erases and lists on twenty servers, checked against a model of the allowed answers.

A server is a register that holds one login or none. A get (and a list, for each of its servers) must return a state that
existed at some time between its start and its end. SEED=NUMBER repeats the sequence of calls. LOAD=full runs two hundred
calls at once for five minutes, and one minute with git.
"""

import collections
import json
import math
import os
import random
import threading
import time

from harness import Sandbox, case, is_wrapped, main

IS_LONG = os.environ.get("LOAD") == "full"
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
print(f"# SEED={SEED}", flush=True)

SERVERS = [f"https://registry-{number}.example.com" for number in range(20)]
USERS = ("alice", "bob", "team/carol", "zed")
BUSY = b"has been changing the password store"


class Write:
    """A store of a unique value, or an erase (None). It takes effect at some time between its start and its end."""

    def __init__(self, value, begin, end=math.inf):
        self.value, self.begin, self.end = value, begin, end


class Register:
    """All writes to one server, and all answers about it."""

    def __init__(self):
        self.writes = [Write(None, -1, 0)]
        self.reads = []  # (value, begin, end)

    def narrow(self):
        """Narrows the interval of each write by the reads of its value: later reads cannot return an older value."""
        by_value = {write.value: write for write in self.writes if write.value is not None}
        for value, _, end in self.reads:
            if value is not None:
                assert value in by_value, f"{value} was never stored here"
                by_value[value].end = min(by_value[value].end, end)

    def may_see(self, write, begin, end):
        """False if the write began after the read, or if another write took place entirely between them."""
        return write.begin <= end and not any(other.begin > write.end and other.end < begin for other in self.writes)

    def check(self):
        self.narrow()
        for value, begin, end in self.reads:
            candidates = [write for write in self.writes if write.value == value]
            assert any(self.may_see(write, begin, end) for write in candidates), \
                f"{value} was seen from {begin:.4f} to {end:.4f}, when it was not there: " \
                f"{[(write.value, write.begin, write.end) for write in self.writes]}"


class UserRegister(Register):
    """The register for list, which returns only the user: any store of that user is a match."""

    def narrow(self):
        pass


class Crowd:
    """Threads that make calls in sequence, and record the calls and answers."""

    def __init__(self, user, seed):
        self.user, self.random, self.lock = user, random.Random(seed), threading.Lock()
        self.registers = {url: Register() for url in SERVERS}
        self.listings = []
        self.begin, self.serial, self.done, self.failures = time.monotonic(), 0, collections.Counter(), []

    def now(self):
        return time.monotonic() - self.begin

    def choose(self):
        with self.lock:
            self.serial += 1
            return (self.random.choice(("store", "store", "get", "get", "get", "erase", "list")),
                    self.random.choice(SERVERS), self.random.choice(USERS), self.serial)

    def write(self, url, value, run):
        write = Write(value, self.now())
        with self.lock:
            self.registers[url].writes.append(write)
        result = run()
        if result.rc == 0:
            write.end = self.now()
            assert result.out == b"" and result.err == b"", result
            return
        assert result.rc == 1 and BUSY in result.out, result
        with self.lock:  # it timed out waiting for the lock, and changed nothing
            self.registers[url].writes.remove(write)
            self.done["busy"] += 1

    def store(self, url, user, serial):
        self.write(url, (user, f"secret {serial}"), lambda: self.user.store(url, user, f"secret {serial}", check=False))

    def erase(self, url, *_):
        self.write(url, None, lambda: self.user.helper("erase", stdin=url.encode()))

    def get(self, url, *_):
        begin = self.now()
        value = self.user.get(url)
        with self.lock:
            self.registers[url].reads.append((value, begin, self.now()))

    def list(self, *_):
        begin = self.now()
        listed = self.user.list()
        with self.lock:
            self.listings.append((listed, begin, self.now()))

    def work(self, end):
        while time.monotonic() < end and not self.failures:
            verb, *rest = self.choose()
            try:
                getattr(self, verb)(*rest)
                self.done[verb] += 1
            except Exception as failure:  # the main thread reports the first one
                self.failures.append(failure)

    def run(self, width, seconds):
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.work, args=(end,)) for _ in range(width)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]
        for url in SERVERS:  # the final state, without concurrent calls
            self.get(url)
        self.list()

    def check(self):
        for url, register in self.registers.items():
            try:
                register.check()
                self.check_listings(url, register)
            except AssertionError as failure:
                raise AssertionError(f"{url}: {failure}") from failure

    def check_listings(self, url, register):
        """After register.check(), which has narrowed the writes."""
        seen = UserRegister()
        seen.writes = [Write(write.value and write.value[0], write.begin, write.end) for write in register.writes]
        seen.reads = [(listed.get(url), begin, end) for listed, begin, end in self.listings]
        seen.check()


def run_crowd(user, width, seconds):
    crowd = Crowd(user, SEED)
    crowd.run(max(2, width // 6) if is_wrapped() else width, seconds)
    crowd.check()
    print(f"# {width} at once for {seconds} s: {json.dumps(crowd.done)}", flush=True)
    assert set(crowd.listings[-1][0]) <= set(SERVERS)
    assert all(crowd.done[verb] > 0 for verb in ("store", "get", "erase", "list")), crowd.done
    assert user.leftovers() == [], user.leftovers()


@case("the model rejects a value that was not stored yet or was already replaced")
def _():
    def seen(value, begin, end):
        register = Register()
        register.writes += [Write(("a", "1"), 1, 2), Write(("a", "2"), 3, 5), Write(None, 7, 8), Write(("b", "3"), 10)]
        register.reads.append((value, begin, end))
        try:
            register.check()
        except AssertionError:
            return False
        return True

    assert seen(None, 0.1, 0.5) and seen(None, 0.5, 1.5) and not seen(None, 2.5, 2.9) and seen(None, 6, 7.5) and seen(None, 9, 20)
    assert seen(("a", "1"), 0.5, 1.5) and seen(("a", "1"), 4, 4.5) and not seen(("a", "1"), 5.5, 6) and not seen(("a", "1"), 0.1, 0.9)
    assert seen(("a", "2"), 5.5, 6) and not seen(("a", "2"), 8.5, 9) and seen(("b", "3"), 11, 12) and not seen(("b", "3"), 8, 9)
    assert not seen(("a", "4"), 1, 2)
    register = Register()
    register.writes += [Write(("a", "1"), 1, 2), Write(("a", "2"), 3, 9)]
    register.reads += [(("a", "2"), 3, 4), (("a", "1"), 5, 6)]  # a later read returns an older value
    try:
        register.check()
    except AssertionError:
        return
    raise AssertionError("the model accepted an older value after a newer one")


@case("concurrent calls of all kinds: each answer was correct at some time during the call")
def _():
    with Sandbox() as user:
        user.make_store()
        run_crowd(user, 200 if IS_LONG else 32, 300 if IS_LONG else 5)


@case("the same in a git store, where each change is committed")
def _():
    with Sandbox() as user:
        user.make_store(git=True)
        run_crowd(user, 40 if IS_LONG else 8, 60 if IS_LONG else 4)
        assert user.git("status", "--porcelain") == "", user.git("status", "--porcelain")
        user.git("fsck", "--strict")


main()
