#!/usr/bin/env python3
"""`registryd ls`, `du`, `rm`, `tag` and `prune` beside a running server: what its clients, its page, its quotas
and its records show afterwards.

With TEST_STORAGE=bucket the data is in a bucket. REGISTRYD names the program under test (default:
build/registry/registryd of this checkout).
"""

import json
import os
import subprocess
import threading
import time

import page_content
from harness import case, main
from plain_registry import PROGRAM, TIMEOUT_S, Server, line, wait_for
from storage_choice import HAS_BUCKET

RULES = """
allow admin all **
allow admin health **
immutable v* team/**
retain newest=1 team/**
always keep* team/**
quota 300kB team/** shared
"""


def end_second():
    """Makes what is written next newer than everything before: the times of a bucket are whole seconds."""
    if HAS_BUCKET:
        second = int(time.time())
        wait_for(lambda: int(time.time()) > second, "the next second")


class Registry:
    """A server, a client and the commands on its storage."""

    def __enter__(self):
        self.server = Server(line("admin", "secret"), files={"access": RULES}, STORAGE_DELETE_ENABLED="true",
                             AUTH_HTPASSWD_ACCESS="access").__enter__()
        self.server.env["REGISTRY_AUTH_HTPASSWD_ACCESS"] = str(self.server.dir / "access")
        self.content = page_content.Content(self.server)
        return self

    def __exit__(self, *_):
        self.content.connection.close()
        self.server.__exit__()

    def chore(self, *words, status=0):
        done = subprocess.run([PROGRAM, *words], env=self.server.env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == status, done
        return done.stdout if status == 0 else done.stderr

    def on(self, *words, status=0):
        """Runs a command that takes --config."""
        return self.chore(*words, "--config", str(self.server.config), status=status)

    def ask(self, path, method="GET", body=None, headers=None):
        status, text = self.server.call("admin", "secret", method, path, body, headers)
        return status, text

    def read(self, path):
        status, text = self.ask(path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    def digest(self, reference, repository="team/app"):
        """What a client gets for a tag; None: there is no such tag."""
        status, text = self.ask(f"/v2/{repository}/manifests/{reference}", headers={"Accept": page_content.IMAGE})
        assert status in (200, 404), (reference, status, text)
        return page_content.digest_of(text) if status == 200 else None

    def on_page(self, repository="team/app"):
        """What the page shows of each tag."""
        return {row["name"]: row for row in self.read(f"/v2/{repository}/_page/tags")["tags"]}

    def tags(self, repository="team/app"):
        return self.read(f"/v2/{repository}/tags/list")["tags"]

    def wait_for_page(self, names, repository="team/app"):
        wait_for(lambda: list(self.on_page(repository)) == names, f"the page to show {names}")


@case("rm and tag beside a server: clients see them at once, the page within seconds, and who pushed is never wrong")
def _():
    with Registry() as registry:
        one = registry.content.image("team/app", "1", ["1" * 90])
        end_second()
        two = registry.content.image("team/app", "2", ["2" * 90])
        # The server has everything in its memory, also that there is no tag "new".
        assert registry.digest("new") is None and registry.digest("2") == two["digest"]
        assert registry.on_page()["2"]["pushed_by"] == "admin"
        assert registry.read("/v2/_page/repositories")["repositories"][0]["tags"] == 2
        # A new tag
        end_second()
        registry.on("tag", "team/app:1", "new")
        assert registry.digest("new") == one["digest"] and registry.tags() == ["1", "2", "new"]
        registry.wait_for_page(["new", "2", "1"])
        assert registry.on_page()["new"]["digest"] == one["digest"]
        assert "pushed_by" not in registry.on_page()["new"]
        # A tag that moves: the user who pushed it did not push this
        end_second()
        registry.on("tag", "team/app:1", "2")
        assert registry.digest("2") == one["digest"]
        wait_for(lambda: next(iter(registry.on_page())) == "2", "the tag that moved to be the newest")
        row = registry.on_page()["2"]
        assert row["digest"] == one["digest"] and "pushed_by" not in row, row
        # A tag that goes, and comes again
        registry.on("rm", "team/app:2", "--yes")
        assert registry.digest("2") is None and registry.tags() == ["1", "new"]
        registry.wait_for_page(["new", "1"])
        wait_for(lambda: registry.read("/v2/_page/repositories")["repositories"][0]["tags"] == 2, "the number of tags")
        registry.content.image("team/app", "2", ["2" * 90])
        assert registry.digest("2") == two["digest"] and registry.on_page()["2"]["pushed_by"] == "admin"
        # A manifest with its tags
        assert "with it the tags 1, new" in registry.on("rm", f"team/app@{one['digest']}", "--yes")
        assert [registry.digest(reference) for reference in ("1", "new", one["digest"])] == [None] * 3
        registry.wait_for_page(["2"])


@case("a tag that is immutable for clients is not moved by tag without --force; a new one is created")
def _():
    with Registry() as registry:
        one = registry.content.image("team/app", "1", ["one"])
        two = registry.content.image("team/app", "v1", ["two"])
        status, text = registry.ask("/v2/team/app/manifests/v1", "PUT", b"{}", {"Content-Type": page_content.IMAGE})
        assert status in (400, 403), (status, text)
        refusal = registry.on("tag", "team/app:1", "v1", status=1)
        assert "team/app:v1 is immutable" in refusal and "--force" in refusal and refusal.count("\n") == 1, refusal
        assert registry.digest("v1") == two["digest"]
        registry.on("tag", "team/app:1", "v2")
        registry.on("tag", "team/app:1", "v2")  # it stays where it is
        assert registry.digest("v2") == one["digest"]
        registry.on("tag", "team/app:1", "v1", "--force")
        assert registry.digest("v1") == one["digest"]
        registry.server.write("allow\n", registry.server.dir / "access")
        refusal = registry.on("tag", "team/app:1", "3", status=1)
        assert "access" in refusal and "allow" in refusal and refusal.count("\n") == 1, refusal
        assert registry.digest("3") is None


@case("prune beside a server keeps what its rules keep; the server shows the rest as gone, and the space of the quota "
      "is free again")
def _():
    with Registry() as registry:
        for tag in ("v1", "keep-this", "old", "new"):
            registry.content.image("team/app", tag, [tag.encode() * (20000 if tag == "old" else 20)])
            end_second()
        used = registry.read("/v2/_page/space")["total"]
        assert used > 60000
        age(registry)
        assert "last_collection" not in registry.read("/v2/_page/health")
        printed = registry.chore("prune", "--grace", "2m", str(registry.server.config))
        assert "removed team/app:old: " in printed and printed.count("removed team/app:") == 1, printed
        assert registry.digest("old") is None and registry.tags() == ["keep-this", "new", "v1"]
        wait_for(lambda: sorted(registry.on_page()) == ["keep-this", "new", "v1"], "the page to show three tags")
        assert list(registry.read("/v2/_page/health")["last_collection"]) == ["completed"]
        if HAS_BUCKET:
            return  # what is young stays, and the times of a bucket cannot be set
        printed = registry.chore("garbage-collect", "--delete-untagged", "--grace", "2m", str(registry.server.config))
        assert printed.count("blob eligible for deletion: ") == 3, printed
        # The quota counts again, so a push that had no room before has room now.
        body = b"x" * 220000

        def push():
            return registry.ask(f"/v2/team/app/blobs/uploads/?digest={page_content.digest_of(body)}", "POST", body)[0]

        registry.content.blob("team/app", b"y" * 70000, page_content.LAYER)
        wait_for(lambda: push() == 201, "room for 220 kB")


def age(registry):
    """Makes everything in the storage an hour old, each tag in the order in which it was pushed."""
    if HAS_BUCKET:
        return
    for directory, _, names in os.walk(registry.server.dir / "data"):
        for name in names:
            path = os.path.join(directory, name)
            times = os.stat(path)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns - 3600 * 10**9))


@case("ls and du beside pushes and deletions list what is there, and agree with the server afterwards")
def _():
    with Registry() as registry:
        registry.content.image("team/app", "first", ["layer"])
        stop, failures = threading.Event(), []

        def push():
            content = page_content.Content(registry.server)
            try:
                for number in range(1000):
                    content.image("team/busy", f"t{number % 5}", [f"layer {number}"])
                    content.call("DELETE", f"/v2/team/busy/manifests/t{number % 5}")
                    if stop.is_set():
                        break
            except BaseException as failure:
                failures.append(failure)
            content.connection.close()

        thread = threading.Thread(target=push)
        thread.start()
        try:
            for _ in range(3):
                for words in (("ls",), ("du",), ("ls", "team/app"), ("du", "team/app")):
                    assert "team/app" in registry.on(*words) or "first" in registry.on(*words), words
        finally:
            stop.set()
            thread.join()
        assert not failures, failures
        registry.content.image("team/busy", "last", ["layer"])
        shown = json.loads(registry.on("du", "--json"))
        assert {row["name"] for row in shown["repositories"]} == {"team/app", "team/busy"}
        listed = {row["name"]: row["tags"] for row in json.loads(registry.on("ls", "--json"))["repositories"]}
        assert listed == {name: len(registry.tags(name)) for name in ("team/app", "team/busy")}
        # The first measurement of this server is of the same storage.
        space = registry.read("/v2/_page/space")
        assert space["total"] == shown["bytes"], (space, shown)
        assert ({row["name"]: row["alone"] for row in space["repositories"]}
                == {row["name"]: row["alone"] for row in shown["repositories"]})


main()
