#!/usr/bin/env python3
"""One store, three programs: our helper, pass and Docker's Go helper read each other's entries."""

import contextlib

from harness import NOT_FOUND, Sandbox, case, go_helper, main, need

URL = "https://example.com:5000"
SECRETS = ("secret", "two\nlines\n{}", "\u00e9 <&> \"\\")


@contextlib.contextmanager
def sandbox(*, git=False, keys=1):
    """Yields (user, fingerprints): a user with pass and a store for one or more keys."""
    need("pass")
    with Sandbox() as user:
        made = [user.make_key(f"Key {n} <key{n}@example.com>") for n in range(keys)]
        user.make_store(*made, git=git)
        yield user, made


def pass_(user, *args, stdin=b"", **more):
    return user.run(["pass", *args], stdin, check=True, **more).out


def name(user, url, username):
    """Returns pass's name of an entry."""
    return str(user.entry(url, username).relative_to(user.prefix))[:-len(".gpg")]


def they_read_ours(user, username="me", **more):
    for secret in SECRETS:
        user.store(URL, username, secret, **more)
        assert pass_(user, "show", name(user, URL, username)) == secret.encode()
        assert user.get(URL, argv=[go_helper()]) == (username, secret)


def we_read_pass(user, username="me", **more):
    for secret in SECRETS:
        pass_(user, "insert", "-m", "-f", name(user, URL, username), stdin=secret.encode(), **more)
        assert user.get(URL) == (username, secret)


def we_read_go(user, username="me", **more):
    for secret in SECRETS:
        user.store(URL, username, secret, argv=[go_helper()], **more)
        assert user.get(URL) == (username, secret)


def all_ways(user, **more):
    they_read_ours(user, **more)
    we_read_pass(user, **more)
    we_read_go(user, **more)
    they_read_ours(user, **more)


def stores_everyone_reads():
    """Returns {description of a store: function that sets it up for two keys and returns extra environment}."""

    def group(user, _):
        with (user.gnupg / "gpg.conf").open("a") as conf:
            conf.write("group team = key0@example.com key1@example.com\n")
        (user.prefix / ".gpg-id").write_text("team\n")

    def below(user, keys):
        pass_(user, "init", "-p", "docker-credential-helpers", keys[1])

    def signed(user, keys):
        env = {"PASSWORD_STORE_SIGNING_KEY": keys[0]}
        pass_(user, "init", *keys, env=env)
        assert (user.prefix / ".gpg-id.sig").is_file()
        return env

    def git(user, _):
        user.make_git()

    return {"of one recipient": lambda user, keys: pass_(user, "init", keys[0]) and None,
            "of several recipients": lambda user, keys: None, "of a gpg.conf group": group,
            "with a .gpg-id of its own for Docker": below, "with a signed .gpg-id": signed, "in git": git}


for kind, prepare in stores_everyone_reads().items():
    @case(f"a store {kind}: pass, the Go helper and we read each other's entries")
    def _(prepare=prepare):
        with sandbox(keys=2) as (user, keys):
            env = prepare(user, keys)
            all_ways(user, env=env)
            assert user.list() == user.list(argv=[go_helper()]) == {URL: "me"}


@case("in git our commits and messages are the same as the Go helper's, and the work tree is clean")
def _():
    with sandbox(git=True) as (user, _):
        messages = []
        for write in (user.store, lambda *args: user.store(*args, argv=[go_helper()])):
            write(URL, "me", "secret")
            user.erase(URL, argv=None if write == user.store else [go_helper()])
            messages.append(user.git("log", "-2", "--format=%s").splitlines())
        assert messages[0] == messages[1], messages
        assert user.git("status", "--porcelain") == ""


@case("pass init with one more key re-encrypts our entry, and we still read it; also back to one key")
def _():
    with sandbox() as (user, keys):
        for url, username, secret in ((URL, "me", "one\ntwo"), ("quay.io", "team/robot", "")):
            user.store(url, username, secret)
        other = user.make_key("Other <other@example.com>")
        for ids in ([*keys, other], [other], keys):
            before = user.entry(URL, "me").read_bytes()
            pass_(user, "init", *ids)
            assert user.entry(URL, "me").read_bytes() != before, "pass did not re-encrypt the entry"
            assert user.get(URL) == ("me", "one\ntwo") and user.get("quay.io") == ("team/robot", "")


@case("pass init does not re-encrypt our entries if the keys are unchanged")
def _():
    with sandbox(keys=2) as (user, keys):
        user.store(URL, "me", "secret")
        before = user.entry(URL, "me").read_bytes()
        pass_(user, "init", *keys)
        assert user.entry(URL, "me").read_bytes() == before


@case("pass lists, moves and copies our entries")
def _():
    with sandbox() as (user, _):
        user.store(URL, "me", "secret")
        assert b"me" in pass_(user, "ls", "docker-credential-helpers")
        pass_(user, "cp", name(user, URL, "me"), name(user, "copy", "me"))
        pass_(user, "mv", name(user, URL, "me"), name(user, "moved", "you"))
        assert user.list() == {"copy": "me", "moved": "you"}
        assert user.get(URL) is None and user.get("copy") == ("me", "secret") and user.get("moved") == ("you", "secret")


@case("an entry that pass removed is not found, with and without its directory")
def _():
    with sandbox() as (user, _):
        for removed in (name(user, URL, "me"), name(user, URL, "me").rpartition("/")[0]):
            user.store(URL, "me", "secret")
            pass_(user, "rm", "-r", "-f", removed)
            assert user.get(URL) is None and user.list() == {}
            user.erase(URL)


@case("the Go helper lists and erases our entries; we list and erase the Go helper's")
def _():
    with sandbox() as (user, _):
        go = [go_helper()]
        for url in (URL, "https://index.docker.io/v1/", "quay.io"):
            user.store(url, "me", "secret")
        assert user.list(argv=go) == user.list() and len(user.list()) == 3
        user.erase(URL, argv=go)
        assert user.get(URL) is None and user.list() == user.list(argv=go) and len(user.list()) == 2
        user.store(URL, "me", "its", argv=go)
        user.erase(URL)
        assert not user.server_folder(URL).exists() and user.helper("get", stdin=URL.encode()).out == NOT_FOUND
        assert URL not in user.list(argv=go)


@case("we overwrite the Go helper's entries, and the Go helper overwrites ours")
def _():
    with sandbox() as (user, _):
        for argv, secret in ((None, "ours"), ([go_helper()], "its"), (None, "ours again")):
            user.store(URL, "me", secret, argv=argv)
            assert user.get(URL) == user.get(URL, argv=[go_helper()]) == ("me", secret)
            assert len(list(user.server_folder(URL).iterdir())) == 1


@case("after a login of a second user through our helper, the Go helper returns that user, too")
def _():
    with sandbox() as (user, _):
        user.store(URL, "a", "old", argv=[go_helper()])
        user.store(URL, "z", "new")
        assert user.get(URL) == user.get(URL, argv=[go_helper()]) == ("z", "new")


@case("a user name with slashes: pass shows our entry, we read pass's and the Go helper's")
def _():
    with sandbox() as (user, _):
        user.store(URL, "tenancy/me", "ours")
        assert pass_(user, "show", name(user, URL, "tenancy/me")) == b"ours"
        we_read_pass(user, "tenancy/me")
        we_read_go(user, "tenancy/me")
        user.erase(URL, argv=[go_helper()])
        assert user.get(URL) is None and user.list() == {}


@case("unusual characters in URLs, unusual users and long secrets work across the programs")
def _():
    with sandbox() as (user, _):
        for url, username, secret in (("a?>b~\u00ff", "<token>", "x" * 30000), ("h", "-x", " s "),
                                      ("h i", "a b", "\t")):
            user.store(url, username, secret)
            assert pass_(user, "show", "--", name(user, url, username)) == secret.encode()
            assert user.get(url, argv=[go_helper()]) == (username, secret)
            user.store(url, username, secret, argv=[go_helper()])
            assert user.get(url) == (username, secret)


main()
