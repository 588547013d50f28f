#!/usr/bin/env python3
"""Situations of `setup` as a whole from public reports: servers, sudo, containers, services, shared and broken files.

docs/clients-situations.md names the report behind each case.
"""

import base64
import json
import os
import stat
import subprocess

from harness import Sandbox, Skip, case, helper_argv, main

AUTH = base64.b64encode(b"me:secret").decode()
NEW_KEY = ("--name", "Test User", "--email", "test@example.com", "--no-passphrase")
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


class User(Sandbox):
    """A user with a store, and with a password in docker's file."""

    def __init__(self, store=True, **more):
        super().__init__()
        if store:
            self.make_store()
        self.config.write_text(json.dumps({"auths": {"h.example": {"auth": AUTH}}, **more}))
        self.config.chmod(0o600)

    @property
    def config(self):
        return self.docker / "config.json"

    def setup(self, *options, before=(), **more):
        return self.run([*before, *helper_argv("setup", *(options or ("--yes",)))], **more)

    def in_mounts(self, script, *words):
        """Runs setup in a mount namespace that a shell script prepares; $1... are the words."""
        argv = ["unshare", "-m", "sh", "-ec", f'{script}\nshift {len(words)}; exec "$@"', "sh", *words]
        if self.run(["unshare", "-m", "true"]).rc != 0:
            raise Skip("mounting needs root here")
        return self.run([*argv, *helper_argv("setup", "--yes")])


def words_of(result):
    return " ".join((result.out + result.err).decode().split())


def said(result, *words):
    text = words_of(result)
    assert all(word in text for word in words), (words, text)


def refused(result, *words):
    assert result.rc == 1 and result.err.count(b"\n") == 1, result
    said(result, *words)


def need_root():
    if os.geteuid() != 0:
        raise Skip("only root can change the user")


# --- files that cannot be replaced --------------------------------------------------------------


@case("a bind-mounted config.json is refused before anything is stored, with a solution")
def _():
    with User() as user:
        result = user.in_mounts('mount --bind "$1" "$1"', user.config)
        refused(result, "mount point", "mount its directory instead")
        assert user.list() == {} and AUTH in user.config.read_text()


@case("a read-only ~/.docker, as from a Kubernetes secret, is refused before anything is stored")
def _():
    with User() as user:
        result = user.in_mounts('mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"', user.docker)
        refused(result, "Read-only file system")
        assert user.list() == {}


@case("a link to a writable file on another file system: setup succeeds, and names docker's problem with it")
def _():
    with User() as user:
        user.config.unlink()
        place = user.dir / "elsewhere"
        place.mkdir()
        result = user.in_mounts('mount -t tmpfs none "$1"; echo "{}" > "$1/x"; ln -s "$1/x" "$2"', place, user.config)
        refused(result, "everything is set up", "docker login would not work", "another file system")


@case("a link to a read-only file system, as on NixOS, is refused before anything is stored")
def _():
    with User() as user:
        user.config.unlink()
        place = user.dir / "elsewhere"
        place.mkdir()
        result = user.in_mounts('mount -t tmpfs none "$1"; echo "{}" > "$1/x"; mount -o remount,ro "$1"; ln -s "$1/x" "$2"',
                                place, user.config)
        refused(result, "Read-only file system")
        assert "credsStore" not in user.run(["cat", user.config]).out.decode()


@case("an empty config.json, as docker leaves on a full disk, counts as one without members")
def _():
    with User() as user:
        user.config.write_text("")
        user.setup(check=True)
        assert json.loads(user.config.read_text()) == {"credsStore": "pass"}


@case("a full disk: setup fails with a one-line error, the password stays, and no temporary file is left")
def _():
    with User() as user:
        place = user.dir / "small"
        place.mkdir()
        script = ('mount -t tmpfs -o size=64k none "$1"; cp "$2" "$1"; head -c 1000000 /dev/zero > "$1/fill" 2> /dev/null || true;'
                  'export DOCKER_CONFIG="$1"; trap \'ls -A "$1" >&2; cat "$1/config.json" >&2\' 0')
        if user.run(["unshare", "-m", "true"]).rc != 0:
            raise Skip("mounting needs root here")
        result = user.run(["unshare", "-m", "sh", "-c", f'{script}; "$3" setup --yes; true', "sh", place, user.config,
                           *helper_argv()])
        lines = result.err.decode().splitlines()
        assert "No space left" in lines[0] and lines[1:3] == ["config.json", "fill"] and AUTH in lines[3], result
        assert user.list() == {}


# --- the owner of the home directory--------------------------------------------------------------


@case("root through sudo with a user's HOME is refused, because the user could not read root's files")
def _():
    need_root()
    with User() as user:
        os.chown(user.home, NOBODY, NOBODY)
        before = user.snapshot()
        refused(user.setup(env={"SUDO_USER": "someone"}), str(user.home), "as someone without sudo")
        assert user.snapshot() == before and AUTH in user.config.read_text()


@case("root through sudo with root's own HOME: setup says whose docker it configures")
def _():
    need_root()
    with User() as user:
        result = user.setup(env={"SUDO_USER": "someone"})
        assert result.rc == 0 and "for the docker of someone" in words_of(result), result


@case("a service without HOME: the files from the environment are used, and HOME is not needed")
def _():
    with User() as user:
        result = user.setup(env={"HOME": None, "PASSWORD_STORE_DIR": user.prefix})
        assert result.rc == 0 and user.get("h.example") == ("me", "secret"), result


@case("HOME of a user without a home directory: setup says which directory cannot be created")
def _():
    need_root()
    for home in ("/", "/nonexistent"):
        with Sandbox() as user:
            result = user.run([*AS_NOBODY, *helper_argv("setup", "--yes", *NEW_KEY)], cwd="/",
                              env={"HOME": home, "DOCKER_CONFIG": None, "GNUPGHOME": None})
            assert result.rc == 1 and b"cannot create" in result.err and b"General error" not in result.err, result


@case("after su, an XDG_RUNTIME_DIR of another user does not matter for docker, and is reported with --podman")
def _():
    need_root()
    with User() as user:
        place = user.dir / "run"
        (place / "containers").mkdir(parents=True)
        (place / "containers/auth.json").write_text("{}")
        place.chmod(0o700)
        for path in (user.dir, *user.dir.rglob("*")):
            if place not in (path, *path.parents):
                os.chown(path, NOBODY, NOBODY)
        env = {"XDG_RUNTIME_DIR": place}
        refused(user.setup("--yes", "--podman", before=AS_NOBODY, env=env), str(place), "Permission denied")
        result = user.setup(before=AS_NOBODY, env=env)
        assert result.rc == 0 and json.loads(user.config.read_text())["auths"] == {"h.example": {}}, result


@case("a relative DOCKER_CONFIG works, with a warning")
def _():
    with User() as user:
        result = user.setup(env={"DOCKER_CONFIG": "home/.docker"})
        assert result.rc == 0 and user.get("h.example") == ("me", "secret"), result
        said(result, "DOCKER_CONFIG is a relative path")


# --- keys and stores of other programs ------------------------------------------------------------


@case("a server with only an imported public key: setup says that it cannot decrypt, and what to import")
def _():
    with User(store=False) as user:
        key = user.make_key("deploy@example.com")
        user.run(["gpg", "--batch", "--yes", "--delete-secret-keys", key], check=True)
        refused(user.setup("--yes", "--key", "deploy@example.com"), "only the public part", "gpg --import")
        refused(user.setup("--yes"), "--name and --email")
        assert not user.prefix.exists()


@case("a store made by the Go helper or by hand: its check entry, a key by name, an entry with a line end")
def _():
    with User() as user:
        key = (user.prefix / ".gpg-id").read_text().strip()
        user.folder.mkdir()
        (user.folder / "docker-pass-initialized-check.gpg").write_bytes(user.encrypt(b"pass is initialized", key))
        user.server_folder("h.example\n").mkdir()
        user.entry("h.example\n", "me").write_bytes(user.encrypt(b"other", key))
        (user.prefix / ".gpg-id").write_text("Test User\n")
        user.setup(check=True)
        assert user.get("h.example") == ("me", "secret")
        assert (user.folder / "docker-pass-initialized-check.gpg").exists() and user.entry("h.example\n", "me").exists()


@case("a group's config.json that is not private: its passwords are moved, and it keeps its mode")
def _():
    with User() as user:
        user.config.chmod(0o664)
        user.setup(check=True)
        assert stat.S_IMODE(user.config.stat().st_mode) == 0o664 and AUTH not in user.config.read_text()


@case("two concurrent setups, as from a provisioning tool: one login in the store, a valid file")
def _():
    with User() as user:
        runs = [subprocess.Popen(helper_argv("setup", "--yes"), env=user.env, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE) for _ in range(3)]
        ended = [(run.communicate()[1], run.returncode) for run in runs]
        assert any(code == 0 for _, code in ended), ended
        assert all(code == 0 or b"changed by another program" in err for err, code in ended), ended
        config = json.loads(user.config.read_text())
        assert config["credsStore"] == "pass" and config["auths"] == {"h.example": {}}, config
        assert user.get("h.example") == ("me", "secret") and user.leftovers() == []


@case("a failing helper of a development container: --from fails with the helper's message, and nothing changes")
def _():
    with User(credsStore="dev-containers-1") as user:
        own = user.dir / "bin"
        own.mkdir()
        (own / "docker-credential-dev-containers-1").write_text("#!/bin/sh\necho 'not found: write EPIPE'; exit 1\n")
        (own / "docker-credential-dev-containers-1").chmod(0o755)
        before = user.config.read_bytes()
        env = {"PATH": f"{own}:{user.env['PATH']}"}
        refused(user.setup(env=env), "docker-credential-dev-containers-1", "--from dev-containers-1")
        refused(user.setup("--yes", "--from", "dev-containers-1", env=env), "write EPIPE")
        assert user.config.read_bytes() == before and user.list() == {}


main()
