#!/usr/bin/env python3
"""Many concurrent helpers on one store, as with parallel pulls of docker compose and logins at the same time.

Every secret has its number at both ends, which reveals a truncated secret, a mixture of two
secrets and an outdated secret.
"""

import concurrent.futures
import itertools
import re
import threading
import time

from harness import Sandbox, case, is_wrapped, main, shared_sandbox

URL = "https://example.com"
USERS = ("alice", "bob", "zed")
WIDTH = 4 if is_wrapped() else 12
RUN_S = 8 if is_wrapped() else 3

USER = shared_sandbox()
USER.make_store()


def secret_of(number):
    return f"<{number}|{'.' * 3000}|{number}>"


def number_of(secret):
    """Returns the number of the secret; raises if the secret is incomplete."""
    found = re.fullmatch(r"<(\d+)\|\.{3000}\|(\d+)>", secret)
    assert found and found[1] == found[2], f"a broken secret: {secret[:20]!r}...{secret[-20:]!r} ({len(secret)})"
    return int(found[1])


def at_once(*jobs):
    """Runs all jobs at the same time; returns their results in order, or raises the first failure."""
    start = threading.Barrier(len(jobs))

    def run(job):
        start.wait()
        return job()

    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(run, job) for job in jobs]]


def storing(url, username, number):
    return lambda: USER.store(url, username, secret_of(number))


def erasing(url):
    return lambda: USER.erase(url)


def assert_tidy():
    assert USER.leftovers() == [], f"left behind: {USER.leftovers()}"


def users_of(url):
    return sorted(path.name for path in USER.server_folder(url).rglob("*.gpg"))


class Writer:
    """Stores numbered secrets in sequence, each for the user name that its number selects.

    before and after are the bounds of what a reader may return: the last number whose store had
    ended when the reader started, and the last whose store had started when the reader ended.
    """

    def __init__(self, usernames):
        self.usernames = usernames
        self.finished, self.started = -1, -1

    def step(self):
        self.started += 1
        USER.store(URL, self.username(self.started), secret_of(self.started))
        self.finished = self.started

    def username(self, number):
        return self.usernames[number % len(self.usernames)]

    def run_until(self, end):
        while time.monotonic() < end:
            self.step()

    def check(self, answer, before, after):
        assert answer is not None, "not found, although an entry always existed"
        username, secret = answer
        number = number_of(secret)
        assert before <= number <= after, f"secret {number}, but {before}..{after} could be seen"
        assert username == self.username(number), f"secret {number} with the name of another user, {username}"


def read_until(writer, end):
    """Calls get in a loop; returns the number of calls and of different secrets."""
    seen = set()
    for count in itertools.count(1):
        before = writer.finished
        answer = USER.get(URL)
        writer.check(answer, before, writer.started)
        seen.add(answer[1])
        if time.monotonic() >= end:
            return count, len(seen)


def get_during_stores(usernames):
    USER.erase(URL)
    writer = Writer(usernames)
    writer.step()
    end = time.monotonic() + RUN_S
    _, *readers = at_once(lambda: writer.run_until(end), *[lambda: read_until(writer, end)] * 2)
    print(f"# {writer.finished} stores; gets and different answers by reader: {readers}")
    assert writer.finished > 1 and all(seen > 1 for _, seen in readers), "readers and writer did not meet"
    assert_tidy()


@case("parallel stores of one entry leave one complete secret")
def _():
    at_once(*[storing(URL, "me", number) for number in range(WIDTH)])
    username, secret = USER.get(URL)
    assert username == "me" and number_of(secret) in range(WIDTH), f"{username} {secret[:20]}"
    assert users_of(URL) == ["me.gpg"], users_of(URL)
    assert_tidy()


@case("parallel stores for different servers all succeed, in a store without a directory for docker")
def _():
    with Sandbox() as user:
        user.make_store(user.make_key())
        urls = [f"https://{number}.example.com" for number in range(WIDTH)]
        at_once(*[lambda url=url: user.store(url, "me", url) for url in urls])
        assert user.list() == {url: "me" for url in urls}, user.list()
        assert [user.get(url) for url in urls] == [("me", url) for url in urls]
        assert user.leftovers() == [], user.leftovers()


@case("parallel stores of different users on one server leave one user with that user's secret")
def _():
    for turn in range(2 if is_wrapped() else 6):
        url = f"{URL}/users-{turn}"
        at_once(*[storing(url, f"user-{number}", number) for number in range(WIDTH)])
        username, secret = USER.get(url)
        assert username == f"user-{number_of(secret)}", f"{username} has secret {number_of(secret)}"
        assert users_of(url) == [f"{username}.gpg"], users_of(url)
        assert_tidy()


@case("parallel stores of users with and without a slash on one server leave one user")
def _():
    url, names = f"{URL}/slash", ["tenancy/one", "tenancy/two", "tenancy/deep/three", "four"]
    at_once(*[storing(url, name, number) for number, name in enumerate(names)])
    username, secret = USER.get(url)
    assert username == names[number_of(secret)], f"{username} has secret {number_of(secret)}"
    assert len(users_of(url)) == 1, users_of(url)
    assert_tidy()


@case("get during constant replacement returns the complete old or new secret")
def _():
    get_during_stores(("me",))


@case("get during constant logins of other users always returns one user with that user's secret")
def _():
    get_during_stores(USERS)


@case("list during constant logins of other users always has the server with one of the users")
def _():
    USER.erase(URL)
    writer = Writer(USERS)
    writer.step()
    end = time.monotonic() + RUN_S / 2

    def list_until():
        while time.monotonic() < end:
            assert USER.list().get(URL) in USERS, "the server is missing from the list"

    at_once(lambda: writer.run_until(end), list_until)


def read_during_stores_and_erases(read):
    """Calls read(), which returns whether it found the entry, while the entry is stored and erased."""
    USER.erase(URL)
    end = time.monotonic() + RUN_S
    answers = set()

    def store_and_erase():
        for number in itertools.count():
            USER.store(URL, "me", secret_of(number))
            USER.erase(URL)
            if time.monotonic() >= end:
                return

    def read_until_end():
        while time.monotonic() < end:
            answers.add(read())

    at_once(store_and_erase, read_until_end, read_until_end)
    assert answers == {True, False}, "the readers saw only one of the two states, so this proves nothing"
    assert USER.get(URL) is None and not USER.server_folder(URL).exists()
    assert_tidy()


@case("get during constant stores and erases returns the complete secret or not-found")
def _():
    def read():
        answer = USER.get(URL)
        assert answer is None or (answer[0] == "me" and number_of(answer[1]) >= 0), answer
        return answer is not None

    read_during_stores_and_erases(read)


@case("list during constant stores and erases of one entry always has the other entries")
def _():
    other = f"{URL}/kept"
    USER.store(other, "me", "kept")

    def read():
        listed = USER.list()
        assert listed[other] == "me" and listed.get(URL, "me") == "me", listed
        return URL in listed

    read_during_stores_and_erases(read)
    USER.erase(other)


@case("parallel erases of one entry all succeed")
def _():
    USER.store(URL, "me", "secret")
    at_once(*[erasing(URL)] * WIDTH)
    assert USER.get(URL) is None and not USER.server_folder(URL).exists()
    assert_tidy()


@case("parallel erases of different entries remove exactly these entries")
def _():
    urls = [f"{URL}/erase-{number}" for number in range(WIDTH)]
    USER.store(f"{URL}/kept", "me", "kept")
    for url in urls:
        USER.store(url, "me", "secret")
    at_once(*[erasing(url) for url in urls])
    assert not set(urls) & set(USER.list()), USER.list()
    assert USER.get(f"{URL}/kept") == ("me", "kept")
    assert_tidy()


@case("concurrent stores and erases for one server all succeed and leave one complete secret or none")
def _():
    for _ in range(1 if is_wrapped() else 5):
        at_once(*[storing(URL, USERS[number % 3], number) for number in range(6)], *[erasing(URL)] * 6)
        answer = USER.get(URL)
        assert answer is None or answer[0] == USERS[number_of(answer[1]) % 3], answer
        assert users_of(URL) == ([f"{answer[0]}.gpg"] if answer else []), users_of(URL)
        assert_tidy()


@case("parallel stores of different entries in a git store are each committed separately")
def _():
    with Sandbox() as user:
        user.make_store(git=True)
        urls = [f"https://{number}.example.com" for number in range(WIDTH)]
        at_once(*[lambda url=url: user.store(url, "me", url) for url in urls])
        assert user.git("status", "--porcelain") == "", user.git("status", "--porcelain")
        for url in urls:
            path = str(user.entry(url, "me").relative_to(user.prefix))
            commits = user.git("log", "--format=%H", "--", path).split()
            assert len(commits) == 1, f"{path} was committed {len(commits)} times"
            shown = user.git("show", "--format=%s", "--name-only", commits[0]).split("\n\n")
            assert shown == [f"Add given password for {path.removesuffix('.gpg')} to store.", f"{path}\n"], shown


@case("parallel stores of one entry in a git store leave nothing uncommitted")
def _():
    with Sandbox() as user:
        user.make_store(git=True)
        at_once(*[lambda n=number: user.store(URL, "me", secret_of(n)) for number in range(WIDTH)])
        assert user.git("status", "--porcelain") == "", user.git("status", "--porcelain")
        assert user.leftovers() == [], user.leftovers()


def count_failures(user, argv, width):
    results = at_once(*[lambda: user.run(argv)] * width)
    return sum(result.rc != 0 for result in results)


@case("64 parallel gets with an RSA-4096 key all succeed, although gpg-agent runs out of secure memory")
def _():
    width = 16 if is_wrapped() else 64
    with Sandbox() as user:
        user.make_store(user.make_key(algo="rsa4096"))
        user.store(URL, "me", "secret")
        plain = count_failures(user, ["gpg", "--batch", "-qd", user.entry(URL, "me")], width)
        print(f"# for comparison: of {width} parallel `gpg -qd` of the same file, {plain} failed")
        answers = at_once(*[lambda: user.get(URL)] * width)
        assert set(answers) == {("me", "secret")}, set(answers)


main()
