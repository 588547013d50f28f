#!/usr/bin/env python3
"""`registryd ls`, `show`, `du`, `rm` and `tag`, with and without a server; the JSON of `verify` and
`garbage-collect`.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import hashlib
import json
import os
import pty
import re
import subprocess

from harness import case, main
from plain_registry import PROGRAM, TIMEOUT_S, Server, line

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PASSWORD = "secret"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Content:
    """A registry with one user, and the commands on its storage."""

    def __enter__(self):
        self.server = Server(line("alice", PASSWORD), STORAGE_DELETE_ENABLED="true").__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def call(self, method, path, body=None, headers=None):
        return self.server.call("alice", PASSWORD, method, path, body, headers)

    def blob(self, repository, content):
        """Pushes a blob; returns its digest and size."""
        status = self.call("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}",
                           content)[0]
        assert status == 201, status
        return {"digest": digest_of(content), "size": len(content)}

    def put(self, repository, reference, manifest):
        content = json.dumps(manifest).encode()
        status, answer = self.call(
            "PUT", f"/v2/{repository}/manifests/{reference or digest_of(content)}", content,
                                   {"Content-Type": manifest["mediaType"]})
        assert status == 201, answer
        return {"mediaType": manifest["mediaType"], "digest": digest_of(content),
                "size": len(content)}

    def image(self, repository, tag, layers, architecture="amd64", **more):
        """Pushes an image of these layers (each a text); returns its descriptor. more: members of
        its configuration.
        """
        config = {"os": "linux", "architecture": architecture, "created": "2026-11-30T00:00:00Z",
                  "config": {"Entrypoint": ["/bin/app"], "Env": ["A=b"],
                             "Labels": {"team": "blue"}},
                  "history": [{"created_by": "RUN nothing", "empty_layer": True}] +
                             [{"created_by": f"COPY {number} /"} for number in range(len(layers))],
                  **more}
        manifest = {"schemaVersion": 2, "mediaType": IMAGE,
                    "config": {"mediaType": CONFIG,
                               **self.blob(repository, json.dumps(config).encode())},
                    "layers": [{"mediaType": LAYER, **self.blob(repository, layer.encode())}
                               for layer in layers]}
        return self.put(repository, tag, manifest)

    def run(self, *words, expected=0, **more):
        """Returns the standard output of `registryd WORD...`."""
        done = subprocess.run([PROGRAM, *words, "--config", self.server.config],
                              cwd=self.server.dir, env=self.server.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False, **more)
        assert done.returncode == expected, done
        assert (expected == 0
                or len(done.stderr.splitlines()) == 1
                and done.stderr.startswith("registryd: ")), done
        return done.stdout if expected == 0 else done.stderr

    def json(self, *words):
        return json.loads(self.run(*words, "--json"))

    def answer(self, text, *words):
        """Runs a command on a terminal, and types text."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.server.dir)
            os.execve(PROGRAM, [PROGRAM, *words, "--config", str(self.server.config)],
                      self.server.env)
        os.write(terminal, text.encode())
        printed = b""
        try:
            while piece := os.read(terminal, 4096):
                printed += piece
        except OSError:
            pass    # the terminal ends with the program
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), printed.decode()

    def tags(self, repository):
        return [row["tag"] for row in self.json("ls", repository)["tags"]]


def rows(table):
    """Returns the lines of a table, each as a list of words."""
    return [re.split(r" {2,}", row.strip()) for row in table.splitlines()]


# --- ls and show ----------------------------------------------------------------------------------


@case("ls lists repositories and tags, the latest first, with size and platforms, with and without "
      "a running server")
def _():
    with Content() as content:
        assert content.run("ls") == "" and content.json("ls") == {"repositories": []}
        first = content.image("team/app", "1", ["base", "one"])
        arm = content.image("team/app", None, ["arm"], "arm64", variant="v8")
        index = content.put("team/app", "2", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**first, "platform": {"os": "linux", "architecture": "amd64"}},
            {**arm, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}]})
        content.image("tool", "x", ["t"])
        repository = content.server.dir / "data/docker/registry/v2/repositories/team/app"
        link = repository / "_manifests/tags/1/current/link"
        os.utime(link, (1000000000, 1000000000))
        for _ in ("with the server", "without it"):
            assert (rows(content.run("ls"))
                    == [["REPOSITORY", "TAGS"], ["team/app", "2"], ["tool", "1"]])
            assert (content.json("ls")["repositories"]
                    == [{"name": "team/app", "tags": 2}, {"name": "tool", "tags": 1}])
            two, one = content.json("ls", "team/app")["tags"]
            assert (one["tag"], one["digest"], one["platforms"], one["pushed"]) == (
                "1", first["digest"], ["linux/amd64"], "2001-09-09T01:46:40Z"), one
            assert (two["tag"], two["digest"], two["platforms"], two["mediaType"]) == (
                "2", index["digest"], ["linux/amd64", "linux/arm64/v8"], INDEX), two
            assert one["bytes"] == first["size"] + len("baseone") + config_size(
                content, "team/app", first["digest"])
            table = rows(content.run("ls", "team/app"))
            assert table[0] == ["TAG", "PUSHED (UTC)", "SIZE", "PLATFORMS", "DIGEST"]
            assert (table[1][0] == "2"
                    and table[1][3:] == ["linux/amd64, linux/arm64/v8", index["digest"]])
            assert table[2][:2] == ["1", "2001-09-09 01:46"] and table[2][2].endswith(" B"), table
            content.server._stop()


def config_size(content, repository, digest):
    return content.json("show", f"{repository}@{digest}")["manifest"]["config"]["size"]


@case("show describes an image, an index and referrers")
def _():
    with Content() as content:
        image = content.image("app", "1", ["base", "one"])
        signature = {"schemaVersion": 2, "mediaType": IMAGE,
                     "artifactType": "application/vnd.dev.cosign.v1",
                     "config": {"mediaType": "application/vnd.oci.empty.v1+json",
                                **content.blob("app", b"{}")},
                     "layers": [], "subject": image, "annotations": {"by": "alice"}}
        signed = content.put("app", None, signature)
        text = content.run("show", "app:1")
        for expected in ("Name:        app:1\n", f"Digest:      {image['digest']}\n",
                         "Platform:    linux/amd64\n", "COPY 0 /",
                         'Entrypoint:  ["/bin/app"]\n', "Env:         A=b\n",
                         "application/vnd.dev.cosign.v1", "2 layers"):
            assert expected in text, (expected, text)
        assert ["team", "blue"] in rows(text) and "RUN nothing" not in text
        shown = content.json("show", "app:1")
        assert shown["config"]["config"]["Env"] == ["A=b"] and len(shown["manifest"]["layers"]) == 2
        assert shown["referrers"] == [{"digest": signed["digest"],
                                       "artifactType": "application/vnd.dev.cosign.v1"}]
        text = content.run("show", f"app@{signed['digest']}")
        assert f"Refers to:   {image['digest']}\n" in text and ["by", "alice"] in rows(text)
        index = content.put("app", "all", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**image, "platform": {"os": "linux", "architecture": "amd64"}}]})
        assert (["linux/amd64", f"{image['size']} B", IMAGE, image["digest"]]
                in rows(content.run("show", "app:all")))
        assert content.json("show", "app:all")["digest"] == index["digest"]


@case("hostile names of labels, commands and platforms do not reach the terminal; JSON stays JSON")
def _():
    evil = "\x1b]0;owned\x07\n\u202eevil"
    with Content() as content:
        content.image("app", "1", ["x"], evil, history=[{"created_by": evil}], created=evil,
                      config={"Labels": {evil: evil}, "Env": [evil], "User": evil})
        for words in (("show", "app:1"), ("ls", "app")):
            text = content.run(*words)
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text), text
        assert content.json("show", "app:1")["config"]["config"]["User"] == evil
        for config in ("[]", "{", '{"history":7,"config":[],"os":[]}',
                       '{"config":{"Env":{"a":1},"Labels":[1]},"history":[1]}'):
            content.put("app", "odd", {"schemaVersion": 2, "mediaType": IMAGE, "layers": [],
                                       "config": {"mediaType": CONFIG,
                                                  **content.blob("app", config.encode())}})
            content.run("show", "app:odd")
            content.json("show", "app:odd")
            content.run("ls", "app")


# --- du -------------------------------------------------------------------------------------------


@case("du shows the space of each repository and tag, the part that no other uses, and the part "
      "that no tag names")
def _():
    with Content() as content:
        base, common = "b" * 5000, "c" * 3000
        content.image("one", "1", [base, common, "x" * 700])
        content.image("one", "2", [base, common])
        content.image("two", "1", [base])
        content.blob("two", b"n" * 90)
        found = {row["name"]: row for row in content.json("du")["repositories"]}
        assert found["one"]["bytes"] - found["one"]["alone"] == 5000, found
        assert found["two"]["alone"] == found["two"]["bytes"] - 5000 > 90
        total = content.json("du")
        assert total["bytes"] == found["one"]["bytes"] + found["two"]["bytes"] - 5000
        tags = content.json("du", "one")
        by_tag = {row["tag"]: row for row in tags["tags"]}
        assert (by_tag["1"]["bytes"] - by_tag["1"]["alone"] == 8000
                == by_tag["2"]["bytes"] - by_tag["2"]["alone"]), tags
        assert tags["untagged"]["bytes"] == 0 and tags["bytes"] == found["one"]["bytes"]
        assert content.json("du", "two")["untagged"] == {"bytes": 90, "alone": 90, "objects": 1}
        table = rows(content.run("du", "two"))
        assert (table[0] == ["SIZE", "ALONE", "OBJECTS", "TAG"]
                and table[2] == ["90 B", "90 B", "1", "(untagged)"]), table
        assert ([row[-1] for row in rows(content.run("du"))]
                == ["REPOSITORY", "one", "two", "total, each object once"])


@case("du counts nothing for bytes that are missing, and a tag without its manifest, or with a "
      "damaged one, does not stop du or ls")
def _():
    with Content() as content:
        image = content.image("app", "1", ["x" * 600])
        content.image("app", "2", ["y" * 500])
        blobs = content.server.dir / "data/docker/registry/v2/blobs/sha256"
        hex_digest = image["digest"].partition(":")[2]
        (blobs / hex_digest[:2] / hex_digest / "data").unlink()
        by_tag = {row["tag"]: row["bytes"] for row in content.json("du", "app")["tags"]}
        assert by_tag["1"] == 0 and by_tag["2"] > 500, by_tag
        assert ([row["mediaType"] for row in content.json("ls", "app")["tags"] if row["tag"] == "1"]
                == ["missing"])
        damaged = content.image("app", "3", ["z" * 400])["digest"].partition(":")[2]
        (blobs / damaged[:2] / damaged / "data").write_text("{}")
        types = {row["tag"]: row["mediaType"] for row in content.json("ls", "app")["tags"]}
        assert (types["1"] == "missing" and types["3"] == "damaged"
                and types["2"].startswith("application/")), types


# --- rm and tag -----------------------------------------------------------------------------------


@case("rm removes a tag, or a manifest with its tags; a running server shows that immediately; "
      "garbage-collect frees the space")
def _():
    with Content() as content:
        image = content.image("app", "1", ["x"])
        for tag in ("2", "3"):
            assert content.run("tag", "app:1", tag) == f"app:{tag} refers to {image['digest']}\n"
        assert content.call("GET", "/v2/app/manifests/2")[0] == 200
        assert "would remove the tag app:2" in content.run("rm", "app:2", "--dry-run")
        assert content.call("GET", "/v2/app/manifests/2")[0] == 200
        content.run("rm", "app:2", "--yes")
        assert (content.call("GET", "/v2/app/manifests/2")[0] == 404
                and content.call("GET", "/v2/app/manifests/1")[0] == 200)
        printed = content.run("rm", f"app@{image['digest']}", "--yes")
        assert "and with it the tags 1, 3\n" in printed, printed
        assert (content.call("GET", f"/v2/app/manifests/{image['digest']}")[0] == 404
                and content.tags("app") == [])


@case("rm asks on a terminal, and without a terminal requires --yes")
def _():
    with Content() as content:
        content.image("app", "1", ["x"])
        assert "--yes" in content.run("rm", "app:1", expected=1)
        for text, status in (("n\n", 1), ("\n", 1), ("yes, please\n", 1), ("y\n", 0)):
            assert content.tags("app") == ["1"]
            found, printed = content.answer(text, "rm", "app:1")
            assert found == status and "cannot be undone" in printed, printed
        assert content.tags("app") == []


@case("tag moves a tag, prints the digest that it named before, and keeps referrers and "
      "the media type")
def _():
    with Content() as content:
        one, two = content.image("app", "1", ["x"]), content.image("app", "2", ["y"])
        assert content.run("tag", "app:1", "stable") == f"app:stable refers to {one['digest']}\n"
        assert content.run("tag", f"app@{two['digest']}", "stable") == \
            f"app:stable refers to {two['digest']}, and no longer {one['digest']}\n"
        assert content.json("show", "app:stable")["mediaType"] == IMAGE
        assert content.json("tag", "app:1", "stable") == {
            "name": "app", "tag": "stable", "digest": one["digest"], "former": two["digest"]}
        assert content.json("tag", "app:1", "stable") == {
            "name": "app", "tag": "stable", "digest": one["digest"]}
        for more, is_dry_run in (("--dry-run", True), ("--yes", False)):
            assert content.json("rm", "app:stable", more) == {
                "dryRun": is_dry_run, "name": "app", "tag": "stable", "digest": one["digest"],
                "tags": []}
        assert content.json("rm", f"app@{one['digest']}", "--yes")["tags"] == ["1"]
        content.image("app", "1", ["x"])
        content.run("tag", "app:2", "stable")
        assert content.call("HEAD", "/v2/app/manifests/stable")[0] == 200


# --- verify and garbage-collect -------------------------------------------------------------------


@case("verify and garbage-collect print JSON for scripts, and with --quiet nothing else if there "
      "is no problem")
def _():
    with Content() as content:
        image = content.image("app", "1", ["x" * 600])
        unused = content.blob("app", b"unused")
        content.server._stop()
        config = content.server.config

        def run(*words, expected=0):
            done = subprocess.run([PROGRAM, *words, config], env=content.server.env,
                                  stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
            assert (done.returncode, done.stderr) == (expected, ""), done
            return done.stdout

        found = json.loads(run("verify", "--json"))
        assert (found["findings"] == []
                and found["damaged"] == found["missing"] == found["wrong"] == 0), found
        assert found["blobs"] == 4 and found["bytes"] > 600 and run("verify", "--quiet") == ""
        found = json.loads(run("garbage-collect", "--json", "--dry-run"))
        assert found == {"eligible": [f"blob eligible for deletion: {unused['digest']}"],
                         "dryRun": True, "graceSeconds": 0,
                         "marked": 3, "blobs": 1, "manifests": 0, "bytes": len("unused")}, found
        assert json.loads(run("garbage-collect", "--json"))["bytes"] == len("unused")
        hex_digest = image["digest"].partition(":")[2]
        blobs = content.server.dir / "data/docker/registry/v2/blobs/sha256"
        (blobs / hex_digest[:2] / hex_digest / "data").write_text("{}")
        found = json.loads(run("verify", "--json", expected=1))
        assert (found["damaged"] == 1
                and found["findings"][0].startswith(f"damaged: {image['digest']}: ")), found
        assert run("verify", "--quiet", expected=1).startswith("damaged: ")


# --- mistakes -------------------------------------------------------------------------------------


@case("a wrong command line is refused in one line that says how to correct it")
def _():
    with Content() as content:
        content.image("app", "1", ["x"])
        for words, expected in (
                (("ls", "a", "b"), "one repository at most"),
                (("ls", "app:1"), "registryd show app:1"),
                (("ls", "nothing"), "there is no repository nothing"),
                (("ls", "App"), '"App" does not begin'),
                (("ls", "\x1b[31m"), '"?[31m" does not begin'),
                (("du", "app:1"), "du takes a repository"),
                (("du", "nothing"), "there is no repository"),
                (("show", "app"), "registryd ls app"),
                (("show", "app:2"), "app has no tag 2"),
                (("show", "host:5000/app"), "no host and port"),
                (("show", "app@sha256:12"), "does not end with a digest"),
                (("show",), "one REPOSITORY:TAG"),
                (("show", "app@sha256:" + "0" * 64), "no manifest of that digest"),
                (("rm", "app", "--yes"), "never a whole"),
                (("rm", "app:2", "--yes"), "has no tag 2"),
                (("rm", "app:1", "--json"), "--json cannot ask"),
                (("ls", "--yes"), 'does not take "--yes"'),
                (("tag", "app:1"), "the new tag"), (("tag", "app:1", "other:2"), "must be a tag"),
                (("tag", "app", "2"), "tag takes REPOSITORY:TAG"),
                (("tag", "app:9", "2"), "has no tag 9")):
            assert expected in content.run(*words, expected=1), (
                words, content.run(*words, expected=1))
        assert content.tags("app") == ["1"]


main()
