#!/usr/bin/env python3
"""Retention: which tags and untagged manifests go, by `registryd prune` and on the schedule of `serve`.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import hashlib
import json
import os
import re
import subprocess
import time

from harness import case, main
from plain_registry import PROGRAM, TIMEOUT_S, Server, line, wait_for

IMAGE = "application/vnd.oci.image.manifest.v1+json"
PASSWORD = "secret"
DAY_S = 24 * 60 * 60
SCHEDULE = {"STORAGE_MAINTENANCE_GARBAGECOLLECT_ENABLED": "true"}


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Kept:
    """A registry with these rules, and one user who may do everything."""

    def __init__(self, rules, **settings):
        self.server = Server(line("alice", PASSWORD), files={"access": "allow alice all **\n" + rules},
                             AUTH_HTPASSWD_ACCESS="access", STORAGE_DELETE_ENABLED="true", **settings)
        self.repositories = self.server.dir / "data/docker/registry/v2/repositories"

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def call(self, method, path, body=None, headers=None):
        return self.server.call("alice", PASSWORD, method, path, body, headers)

    def push(self, repository, tag, days=0, content=None):
        """Pushes an image, which gets a size of some bytes and this age. Returns its digest."""
        config = (content or tag).encode()
        status = self.call("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(config)}", config)[0]
        assert status == 201, status
        manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "layers": [],
                               "config": {"mediaType": "text/plain", "digest": digest_of(config), "size": len(config)}}).encode()
        status = self.call("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": IMAGE})[0]
        assert status == 201, status
        self.age(days, self.repositories / repository / "_manifests/tags" / tag / "current/link")
        return digest_of(manifest)

    @staticmethod
    def age(days, *paths):
        for path in paths:
            when = time.time() - days * DAY_S
            os.utime(path, (when, when))

    def age_all(self, days):
        """Makes all data this much older, so that the collector's grace does not protect it."""
        for directory, _, names in os.walk(self.server.dir / "data"):
            if "_registryd" not in directory and "/tags" not in directory and "/registryd" not in directory:
                self.age(days, directory, *(os.path.join(directory, name) for name in names))

    def tags(self, repository):
        status, body = self.call("GET", f"/v2/{repository}/tags/list")
        assert status == 200, (status, body)
        return json.loads(body)["tags"]

    def prune(self, *words, expected=0):
        """What `registryd prune` prints; on failure, on standard error."""
        done = subprocess.run([PROGRAM, "prune", *words, self.server.config], cwd=self.server.dir, env=self.server.env,
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == expected, done
        return done.stderr if expected else done.stdout


RULES = """
retain newest=2,pushed=10d team/**
retain pushed=30d          team/long
always stable,keep-*       team/**
immutable v*               team/**
"""


@case("prune removes tags that no line keeps; a dry run only lists them")
def _():
    with Kept(RULES) as registry:
        for age, tag in enumerate(["a", "b", "c", "d"]):
            registry.push("team/app", tag, 100 - age)
        for repository in ("team/app", "other"):
            for tag in ("stable", "keep-1", "v1", "old"):
                registry.push(repository, tag, 200)
        for tag in ("a", "b", "c"):
            registry.push("team/long", tag, 20)
        before = {name: registry.tags(name) for name in ("team/app", "team/long", "other")}
        shown = registry.prune("--dry-run")
        assert re.findall(r"^would remove (\S+): pushed (\d+) days", shown, re.MULTILINE) == [
            ("team/app:b", "99"), ("team/app:a", "100"), ("team/app:old", "200")], shown
        assert "not among the newest 2" in shown and "would remove 3 tags" in shown, shown
        assert {name: registry.tags(name) for name in before} == before
        assert "removed 3 tags" in registry.prune()
        assert registry.tags("team/app") == ["c", "d", "keep-1", "stable", "v1"]
        assert registry.tags("team/long") == before["team/long"] and registry.tags("other") == before["other"]
        assert "removed 0 tags" in registry.prune() and registry.prune("-q") == ""


@case("recently pulled tags stay, whether pulled by tag, by HEAD or by digest")
def _():
    with Kept("retain pulled=14d **\n") as registry:
        digests = {tag: registry.push("app", tag, 100) for tag in ("by-tag", "by-head", "by-digest", "unused", "long-ago")}
        marker = registry.repositories.parent / "registryd/pulls"
        wait_for(marker.exists, "the beginning of the record of pulls")
        assert registry.call("GET", "/v2/app/manifests/long-ago")[0] == 200
        registry.server.restart()
        registry.age(50, registry.repositories / "app/_registryd/pulled/tags/long-ago")
        assert "removed 0 tags" in registry.prune() # pulls have been recorded for a moment only
        assert registry.call("GET", "/v2/app/manifests/by-tag")[0] == 200
        assert registry.call("HEAD", "/v2/app/manifests/by-head")[0] == 200
        assert registry.call("GET", f"/v2/app/manifests/{digests['by-digest']}")[0] == 200
        assert registry.call("HEAD", f"/v2/app/manifests/{digests['unused']}")[0] == 200 # a push asks like this
        registry.server.restart() # pulls are written some time later, and at the end
        marker.write_text(f"{int(time.time()) - 20 * DAY_S} {int(time.time())}\n")
        shown = registry.prune()
        assert registry.tags("app") == ["by-digest", "by-head", "by-tag"], shown
        assert "app:unused" in shown and "not pulled for 14 days" in shown, shown


@case("an untagged manifest is removed after it was seen without a tag for the configured time")
def _():
    with Kept("untagged 7d team/**\n") as registry:
        old = registry.push("team/app", "latest", content="old")
        registry.push("team/app", "latest", content="new")
        other = registry.push("other/app", "latest", content="old")
        registry.push("other/app", "latest", content="new")
        registry.age_all(30)
        record = registry.repositories / "team/app/_registryd/untagged"
        registry.prune("--dry-run")
        assert not record.exists()
        assert "0 manifests" in registry.prune()
        hexadecimal, seconds = record.read_text().split()
        assert old == "sha256:" + hexadecimal
        assert "0 manifests" in registry.prune() and record.read_text().split()[1] == seconds
        record.write_text(f"{hexadecimal} {int(seconds) - 8 * DAY_S}\n")
        assert f"would remove the untagged manifest {old}" in registry.prune("--dry-run")
        assert "1 manifest " in registry.prune()
        assert registry.call("GET", f"/v2/team/app/manifests/{old}")[0] == 404
        assert registry.call("GET", f"/v2/other/app/manifests/{other}")[0] == 200
        assert registry.call("GET", "/v2/team/app/manifests/latest")[0] == 200


@case("prune fails with a one-line message for invalid arguments")
def _():
    with Kept("") as registry:
        assert "retain" in registry.prune(expected=1)
        registry.server.write("retain newest=0 **\n", registry.server.dir / "access")
        assert "line 1" in registry.prune(expected=1)
        registry.server.write("retain newest=1 **\n", registry.server.dir / "access")
        for words in (("--grace", "1m"), ("--oops",), ("a", "b")):
            assert registry.prune(*words, expected=1).count("\n") == 1


def begun(registry):
    return registry.server.log().count("garbage collection: started")


@case("serve collects garbage on schedule: in one of two servers, within the window, and logs what was freed")
def _():
    soon = time.localtime(time.time() + 2 * 60 * 60)
    closed = f"{soon.tm_hour:02}:00-{soon.tm_hour:02}:01"
    with Kept("retain newest=1 **\n") as registry:
        for age, tag in enumerate(["a", "b"]):
            registry.push("app", tag, 100 - age)
        blob = b"x" * 5000
        assert registry.call("POST", f"/v2/app/blobs/uploads/?digest={digest_of(blob)}", blob)[0] == 201
        registry.age_all(30)
        data = str(registry.server.dir / "data")
        with Kept("", STORAGE_MAINTENANCE_GARBAGECOLLECT_WINDOW=closed, STORAGE_FILESYSTEM_ROOTDIRECTORY=data,
                  **SCHEDULE) as late:
            assert begun(late) == 0
            registry.server.env.update({f"REGISTRY_{name}": value for name, value in SCHEDULE.items()})
            with Kept("retain newest=1 **\n", STORAGE_FILESYSTEM_ROOTDIRECTORY=data, **SCHEDULE) as second:
                registry.server.restart()
                servers = (registry, second)
                wait_for(lambda: any(re.search(r"removed \d tags?,", one.server.log()) for one in servers), "a run")
                assert registry.tags("app") == ["b"]
                assert registry.call("GET", f"/v2/app/blobs/{digest_of(blob)}")[0] == 404
                assert sum(begun(one) for one in servers) == 1, [one.server.log() for one in servers]
                first = next(one for one in servers if begun(one))
                assert re.search(r"removed 1 tag, \d manifests? and \d blobs?, [\d.]+ KiB", first.server.log()), first.server.log()
                assert "removed app:a: pushed 100 days" in first.server.log()
                assert first.server.metric("registry_collect_runs_total") == 1
                assert first.server.metric("registry_collect_removed_tags_total") == 1
                assert first.server.metric("registry_collect_freed_bytes_total") >= 5000
                # A restart does not begin anew before the interval is over.
                first.server.restart()
                assert first.call("GET", "/v2/")[0] == 200 and begun(first) == 0
            assert begun(late) == 0


def add_garbage(registry, count):
    """Puts blobs that nothing refers to into the storage, as if they were pushed a month ago."""
    old = time.time() - 30 * DAY_S
    for i in range(count):
        digest = digest_of(str(i).encode())[7:]
        directory = registry.repositories.parent / f"blobs/sha256/{digest[:2]}/{digest}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "data").write_bytes(str(i).encode())
        os.utime(directory / "data", (old, old))


def count_blobs(registry):
    return sum(1 for _ in (registry.repositories.parent / "blobs/sha256").glob("*/*/data"))


def stop_while_it_collects(count):
    """Returns True if a server with so much garbage was stopped in the middle of a run; False if the run was over before."""
    with Kept("") as registry:
        registry.push("app", "a")
        registry.server._stop()
        add_garbage(registry, count)
        before = count_blobs(registry)
        registry.server.env.update({f"REGISTRY_{name}": value for name, value in SCHEDULE.items()})
        registry.server._start()
        wait_for(lambda: begun(registry), "a run")
        registry.server.process.terminate()
        assert registry.server.process.wait(TIMEOUT_S) == 0
        if "garbage collection: removed" in registry.server.log():
            return False
        assert "stopped early, because the server is being stopped" in registry.server.log(), registry.server.log()
        assert 0 < count_blobs(registry) <= before
        assert not (registry.repositories.parent / "registryd/maintenance/last").exists()
        registry.server.restart() # the next run goes to the end
        wait_for(lambda: "garbage collection: removed" in registry.server.log(), "a whole run")
        assert registry.call("GET", "/v2/app/manifests/a")[0] == 200 and count_blobs(registry) < 5
    return True


@case("SIGTERM stops a run after the current step, and the next start runs it again")
def _():
    assert any(stop_while_it_collects(count) for count in (1000, 4000, 16000, 64000))


@case("a failed run is logged and retried")
def _():
    with Kept("retain newest=1 **\n") as registry:
        digest = registry.push("app", "a")
        path = registry.repositories.parent / f"blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        path.write_bytes(b"damaged")
        registry.server.env.update({f"REGISTRY_{name}": value for name, value in SCHEDULE.items()})
        registry.server.restart()
        wait_for(lambda: "garbage collection failed" in registry.server.log(), "a failure in the log")
        assert registry.server.metric("registry_collect_failures_total") == 1
        last = registry.repositories.parent / "registryd/maintenance/last"
        wait_for(lambda: last.exists() and last.read_text().endswith("failed\n"), "the failure in the record")


main()
