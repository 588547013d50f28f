#!/usr/bin/env python3
"""Commands that do not serve: the rights of `garbage-collect` and `verify`, run by root on another
user's storage; `htpasswd`, `init`.
"""

import fcntl
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import time

from harness import Skip, case, is_sanitized, main
from registry import registryd

PROGRAM = registryd()
IS_SANITIZED = is_sanitized(PROGRAM)
TIMEOUT_S = 300
VERBS = (("verify",), ("garbage-collect",))


class Storage:
    """A storage below a directory that all users can enter, with one repository that has no
    manifests.
    """

    def __init__(self, owner=None):
        if os.getuid() != 0:
            raise Skip("only root can drop privileges")
        self.owner = pwd.getpwnam(owner) if owner else None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dcp-offline.", dir="/tmp"))
        self.dir.chmod(0o755)
        self.root = self.dir / "data/docker/registry/v2"
        (self.root / "blobs/sha256").mkdir(parents=True)
        (self.root / "repositories/a/_manifests").mkdir(parents=True)
        self.config = self.dir / "config.yml"
        self.configure()
        self.give_to_owner()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def configure(self, more=""):
        self.config.write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {self.dir}/data\n"
                               f"http:\n  addr: 127.0.0.1:0\n{more}")
        self.config.chmod(0o600)  # root reads it before it changes the user

    def give_to_owner(self):
        if self.owner:
            data = self.dir / "data"
            for path in (data, *data.rglob("*")):
                os.lchown(path, self.owner.pw_uid, self.owner.pw_gid)

    def run(self, *words):
        return subprocess.run([PROGRAM, *words, self.config], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True,
                              timeout=TIMEOUT_S, cwd="/", check=False)

    def status_of(self, *words):
        """Returns /proc's status of the process after its work, while a full pipe blocks it."""
        reader, writer = os.pipe()
        size = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
        os.write(writer, bytes(size))
        process = subprocess.Popen([PROGRAM, *words, self.config], stdin=subprocess.DEVNULL,
                                   stdout=writer, cwd="/")
        os.close(writer)
        try:
            end = time.monotonic() + TIMEOUT_S
            while "pipe" not in (
                    pathlib.Path(f"/proc/{process.pid}/wchan").read_text(encoding="ascii")):
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.02)
            text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.MULTILINE))
        finally:
            while os.read(reader, 1 << 16):
                pass
            os.close(reader)
            assert process.wait(TIMEOUT_S) == 0


def check_confined(status, words):
    assert (status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0
            and int(status["CapBnd"], 16) == 0), (words, status)
    assert status["Seccomp"] == ("0" if IS_SANITIZED else "2"), (words, status)


@case("root changes to the user and group of the storage's owner, drops other groups, "
      "and is confined")
def _():
    for words in VERBS:
        with Storage("nobody") as storage:
            status = storage.status_of(*words)
            assert set(status["Uid"].split()) == {str(storage.owner.pw_uid)}, (words, status)
            assert (set(status["Gid"].split()) == {str(storage.owner.pw_gid)}
                    and not status["Groups"].strip()), (words, status)
            check_confined(status, words)


@case("if the owner has no entry in the user database, the numeric IDs of the directory are used")
def _():
    with Storage("nobody") as storage:
        for path in (storage.dir / "data", *(storage.dir / "data").rglob("*")):
            os.lchown(path, 54321, 54322)
        status = storage.status_of("garbage-collect")
        assert (set(status["Uid"].split()) == {"54321"}
                and set(status["Gid"].split()) == {"54322"}), status


@case("if root owns the storage, the process stays root without capabilities, and is confined")
def _():
    for words in VERBS:
        with Storage() as storage:
            status = storage.status_of(*words)
            assert set(status["Uid"].split()) == {"0"}, (words, status)
            check_confined(status, words)


@case("root changes to confinement.user; with confinement.enabled: false it stays root")
def _():
    with Storage("nobody") as storage:
        storage.configure("confinement:\n  user: nobody\n")
        assert set(storage.status_of("verify")["Uid"].split()) == {str(storage.owner.pw_uid)}
        storage.configure("confinement:\n  enabled: false\n")
        status = storage.status_of("verify")
        assert set(status["Uid"].split()) == {"0"} and status["Seccomp"] == "0", status


@case("no file outside the storage is removed or changed through a link in it, for any owner "
      "of the storage")
def _():
    for owner in ("nobody", None):
        if not owner and IS_SANITIZED:
            continue  # without Landlock
        for place in ("_temporary", "blobs/sha256/ab", "blobs", "repositories/evil",
                      "repositories/a/_manifests"):
            with Storage(owner) as storage:
                precious = storage.dir / "precious"
                (precious / "directory").mkdir(parents=True)
                (precious / "file").write_text("precious")
                link = storage.root / place
                if link.is_dir():
                    shutil.rmtree(link)
                link.symlink_to(precious)
                storage.give_to_owner()
                storage.run("garbage-collect", "--delete-untagged")
                assert sorted(path.name for path in precious.iterdir()) == ["directory", "file"], (
                    owner, place)
                assert (precious / "file").read_text() == "precious", (owner, place)


@case("if another user replaced a storage directory by a link, the process gets only that "
      "user's privileges")
def _():
    with Storage() as storage:
        nobody = pwd.getpwnam("nobody")
        (storage.dir / "data/docker").rename(storage.dir / "elsewhere")
        (storage.dir / "data/docker").symlink_to(storage.dir / "elsewhere")
        status = storage.status_of("verify")
        assert set(status["Uid"].split()) == {"0"}, status  # the link belongs to root
        os.lchown(storage.dir / "data/docker", nobody.pw_uid, nobody.pw_gid)
        status = storage.status_of("verify")
        assert set(status["Uid"].split()) == {str(nobody.pw_uid)}, status


@case("htpasswd and init can neither gain privileges nor run a program nor use the network")
def _():
    with tempfile.TemporaryDirectory(prefix="dcp-offline.", dir="/tmp") as place:
        for words in (["htpasswd", "-ic", f"{place}/htpasswd", "me"],
                      ["init", f"{place}/r", "--host", "localhost", "--user", "me",
                       "--password-stdin"]):
            process = subprocess.Popen([PROGRAM, *words], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            end = time.monotonic() + TIMEOUT_S
            # Of its status, while it waits for the password; /proc/PID/wchan is for root only
            text = ""
            while not ("NoNewPrivs:\t1" in text
                       and f"Seccomp:\t{0 if IS_SANITIZED else 2}" in text):
                assert time.monotonic() < end and process.poll() is None, text
                time.sleep(0.02)
                text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            _, stderr = process.communicate(b"secret\n", TIMEOUT_S)
            assert process.returncode == 0, stderr


main()
