#!/usr/bin/env python3
"""The command line of registryd: commands and options of registry:2, and the search for the
configuration file.
"""

import hashlib
import os
import re
import shutil
import subprocess

from configured_server import PROGRAM, TIMEOUT_S, Directory, assert_refused
from harness import Skip, case, main, need


# --- commands ------------------------------------------------------------------------------------

@case("--version, -v and version print the same; an unknown and a missing command are refused")
def _():
    with Directory() as directory:
        said = {directory.run(word).out for word in ("--version", "-v", "version")}
        assert len(said) == 1 and re.fullmatch(rb"registryd \(.+\) \d+\.\d+\.\d+\n", said.pop())
        assert_refused(directory.run("serv\x1be"), "serv?e", "--help")
        assert_refused(directory.run("serve", "a", "b"), "one")
        nothing = directory.run()
        assert (nothing.rc == 1 and nothing.out == b""
                and nothing.err.startswith(b"Usage: registryd <")), nothing


@case("each command has its own help: usage, options, an example, exit statuses")
def _():
    with Directory() as directory:
        summary = directory.run("--help").out
        commands = "".join(re.search(r"<([^>]*)>", summary.decode())[1].split()).split("|")
        assert len(commands) >= 7 and directory.run("help").out == summary, commands
        for command in commands:
            said = directory.run(command, "--help")
            text = said.out.decode()
            assert (said.rc == 0 and not said.err
                    and text.startswith(f"Usage: registryd {command}")), said
            assert (directory.run(command, "-h").out == directory.run("help", command).out
                    == said.out), command
            assert "Exit status: 0" in text and max(map(len, text.splitlines())) <= 80, text
            assert (command == "version"
                    or "Example" in text
                    and f"\n  registryd {command} " in text.replace("sudo ", "")), text
            assert command in ("help", "version") or "--help " in text, text
        for words in (("init", "/nonexistent", "--help"), ("garbage-collect", "--dry-run", "-h")):
            assert directory.run(*words).out == directory.run("help", words[0]).out, words
        assert_refused(directory.run("help", "serv\x1be"), "serv?e", "--help")


# --- option syntax of registry:2 ------------------------------------------------------------------

class Garbage:
    """A storage with an unreferenced blob and an untagged manifest, and its configuration."""

    def __init__(self, directory, name):
        self.root = directory.path / name / "docker/registry/v2"
        self.orphan = self.put(b"orphan")
        layer, config = self.put(b"layer"), self.put(b"{}")
        manifest = (
            '{"schemaVersion":2,'
            '"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
            '"config":{"mediaType":"application/vnd.docker.container.image.v1+json",'
            '"size":2,"digest":"sha256:%s"},'
            '"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip",'
            '"size":5,"digest":"sha256:%s"}]}' % (config, layer)).encode()
        self.untagged = self.put(manifest)
        for kind in (f"_manifests/revisions/sha256/{self.untagged}", f"_layers/sha256/{layer}",
                     f"_layers/sha256/{config}"):
            link = self.root / "repositories/a" / kind / "link"
            link.parent.mkdir(parents=True)
            link.write_text("sha256:" + kind.rpartition("/")[2])
        (self.root / "repositories/a/_manifests/tags").mkdir()
        self.config = directory.write(f"{name}.yml", f"version: 0.1\nstorage: {{filesystem: "
                                                     f"{{rootdirectory: {directory.path}/{name}}}, "
                                                  "delete: {enabled: true}}\nhttp: {addr: ':0'}\n")

    def put(self, content):
        name = hashlib.sha256(content).hexdigest()
        path = self.root / "blobs/sha256" / name[:2] / name / "data"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return name

    def has(self, name):
        return (self.root / "blobs/sha256" / name[:2] / name).exists()

    def outcome(self):
        """Returns whether the unreferenced blob and the untagged manifest still exist."""
        return self.has(self.orphan), self.has(self.untagged)


# Options before or after the configuration file: None if they are refused, or which of the two
# objects remain.
OPTIONS = {
    (): (False, True), ("-m",): (False, False), ("--delete-untagged",): (False, False),
    ("--delete-untagged=true",): (False, False),
    ("--delete-untagged=false",): (False, True), ("-m=false",): (False, True),
    ("-m=1",): (False, False),
    ("--delete-untagged", "--delete-untagged=false"): (False, True),
    ("-d",): (True, True), ("--dry-run",): (True, True), ("--dry-run=T",): (True, True),
    ("-md",): (True, True), ("-dm",): (True, True),
    ("-md=false",): (False, False), ("--dry-run=false", "-m"): (False, False),
    ("--dry-run=0",): (False, True),
    ("--dry-run=yes",): None, ("--dry-run=",): None, ("--dry",): None, ("-dry-run",): None,
    ("-delete-untagged",): None,
    ("--nope",): None, ("-x",): None, ("--help=maybe",): None,
}


@case("garbage-collect reads options as registry:2 does, before and after the file")
def _():
    peer = shutil.which("docker-registry")
    for words, wanted in OPTIONS.items():
        for is_first in (True, False):
            with Directory() as directory:
                for program in [PROGRAM, peer] if peer and is_first else [PROGRAM]:
                    garbage = Garbage(directory, os.path.basename(program))
                    line = [*words, garbage.config] if is_first else [garbage.config, *words]
                    done = subprocess.run([program, "garbage-collect", *line],
                                          env={"PATH": os.environ["PATH"]}, cwd=directory.path,
                                          capture_output=True, timeout=TIMEOUT_S, check=False)
                    assert garbage.outcome() == (wanted or (True, True)), (program, line, done)
                    if program == PROGRAM:
                        assert ((done.returncode == 0) == (wanted is not None)
                                and len(done.stderr.splitlines()) == (wanted is None)), done


@case("the value of --grace may be the next argument or follow '='")
def _():
    with Directory() as directory:
        garbage = Garbage(directory, "data")
        for words in (("--grace", "90m"), ("--grace=90m",), ("-g", "90m"), ("-g90m",), ("-g=90m",),
                      ("-dg", "90m")):
            result = directory.run("garbage-collect", garbage.config, *words)
            assert (result.rc == 0 and b"1 hour 30 minutes" in result.out
                    or b"90 minutes" in result.out), (words, result)
        assert garbage.outcome() == (True, True)
        for words in (("--grace",), ("-g",), ("-gd",), ("--grace=1s",)):
            assert_refused(directory.run("garbage-collect", garbage.config, *words))


@case("--help and -h at any position print the help; '--' ends the options; at most one "
      "file is accepted")
def _():
    with Directory() as directory:
        for verb in ("serve", "verify", "garbage-collect"):
            wanted = directory.run("help", verb).out
            for words in (["--help"], ["-h"], ["none.yml", "--help"], ["--help", "none.yml"],
                          ["--help=true"], ["none.yml", "-h"]):
                result = directory.run(verb, *words)
                assert (result.rc, result.out, result.err) == (0, wanted, b""), (
                    verb, words, result)
            assert_refused(directory.run(verb, "--", "--help"), "--help", "No such file")
            assert_refused(directory.run(verb, "a.yml", "b.yml"), verb,
                           "one configuration file at most")
            assert_refused(directory.run(verb, "--version"), verb, "--version", "unknown option")


# --- the configuration file -----------------------------------------------------------------------

def run_beside_image_file(directory, config, words, **env):
    """Runs registryd where /etc contains only the configuration file of the registry:2 image
    (config=None: nothing).
    """
    if (os.getuid() != 0
        or subprocess.run([need("unshare"), "--mount", "true"], capture_output=True).returncode):
        raise Skip("this needs root and a private mount namespace")
    script = ("mount -t tmpfs none /etc && mkdir -p /etc/docker/registry && "
              "{ [ -z \"$CONFIG\" ] || cp \"$CONFIG\" /etc/docker/registry/config.yml; } && "
              "exec \"$0\" \"$@\"")
    own = {name: value for name, value in directory.env.items() if not name.startswith("REGISTRY_")}
    return subprocess.run(["unshare", "--mount", "sh", "-c", script, PROGRAM, *words],
                          cwd=directory.path,
                          env={**own, "CONFIG": config or "", **env}, capture_output=True,
                          text=True, timeout=TIMEOUT_S)


@case("every command finds the file of the registry:2 image; `registryd FILE` serves it")
def _():
    with Directory() as directory:
        (directory.path / "data/docker/registry/v2").mkdir(parents=True)
        path = directory.write("c.yml", f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: "
                                        f"{directory.path}/data}}}}\n"
                                     "http: {addr: '192.0.2.1:5000'}\n")
        for words in (["serve"], [path]):
            done = run_beside_image_file(directory, path, words)
            assert done.returncode == 1 and "192.0.2.1" in done.stderr, done
        for words in (["verify"], ["garbage-collect", "--dry-run"]):
            done = run_beside_image_file(directory, path, words)
            assert done.returncode == 0, done


@case("verify and garbage-collect without a configuration do not guess the storage directory")
def _():
    with Directory() as directory:
        for words in (["verify"], ["garbage-collect"]):
            for env in {}, {"REGISTRY_CONFIGURATION_PATH": ""}, {"REGISTRY_LOG_LEVEL": "debug"}:
                done = run_beside_image_file(directory, None, words, **env)
                assert (done.returncode == 1
                        and "no configuration says where the data is"
                        in done.stderr), (words, env, done)
            done = run_beside_image_file(
                directory, None, words,
                REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=directory.path / "data")
            assert "no configuration" not in done.stderr, done


@case("an unreadable file is named in the error")
def _():
    with Directory() as directory:
        assert_refused(directory.run("serve", "absent.yml"), "absent.yml", "No such file")
        assert_refused(directory.run("serve", REGISTRY_CONFIGURATION_PATH="gone.yml"), "gone.yml")
        assert_refused(directory.run("serve", "."), "cannot read the configuration file")


main()
