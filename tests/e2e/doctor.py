#!/usr/bin/env python3
"""`docker-credential-pass doctor`: each fault is made, recognised, mended by the command that is printed, and gone."""

import base64
import json
import os
import pathlib
import re
import shlex
import shutil

from harness import Sandbox, Skip, case, helper_argv, helper_path, main, need, need_fast_path
from terminal import Terminal

URL = "https://example.com"


class Patient(Sandbox):
    """A user for whom everything is in order: a key, a store, one login, docker's file, the program on PATH."""

    def __init__(self, key="me@example.com", store=True, **more):
        super().__init__()
        folder = self.dir / "bin"
        folder.mkdir()
        (folder / "docker-credential-pass").symlink_to(helper_path())
        self.env["PATH"] = f"{folder}:{self.env['PATH']}"
        self.env["LC_ALL"] = "C"
        (self.docker / "config.json").write_text('{"credsStore": "pass"}')
        self.key = self.make_key(key, **more) if key else None
        if store and key:
            self.make_store(self.key)
            self.store(URL, "me", "secret")

    def doctor(self, *options, **more):
        """The findings by their id, and the exit status."""
        result = self.helper("doctor", "--json", *options, **more)
        assert result.err == b"" and result.out.count(b"\n") == 1, result
        report = json.loads(result.out)
        assert report["ok"] == (result.rc == 0), result
        for finding in report["findings"]:
            assert set(finding) == {"id", "status", "what", "why", "commands", "fixable"}, finding
            assert finding["why"].endswith("."), finding
        return {finding["id"]: finding for finding in report["findings"]}, result.rc

    def run_command(self, command):
        return self.run(["sh", "-c", command], env={"USER": "me"})


def check(user, wanted, status, mended_by="command", options=(), **more):
    """The fault is found, alone or with what follows from it; and it is gone when it is mended in that way."""
    found, rc = user.doctor(*options, **more)
    assert wanted in found, (wanted, found)
    assert found[wanted]["status"] == status, found[wanted]
    assert (rc == 1) == any(finding["status"] == "bad" for finding in found.values()), found
    assert found[wanted]["commands"] or mended_by == "nothing", found[wanted]
    if mended_by == "command":
        for command in found[wanted]["commands"]:
            result = user.run_command(command)
            assert result.rc == 0, (command, result)
    elif mended_by == "--fix":
        assert found[wanted]["fixable"], found[wanted]
        fixed, _ = user.doctor("--fix")
        assert fixed[wanted]["status"] == "fixed", fixed
    elif callable(mended_by):
        mended_by(found[wanted]["commands"])
    if mended_by != "nothing":
        found, _ = user.doctor(*options, **more)
        assert wanted not in found, found[wanted]
    return found


def both_ways(make, wanted, status):
    """By the printed command, and by --fix."""
    for way in ("command", "--fix"):
        with Patient() as user:
            make(user)
            left = check(user, wanted, status, way)
            assert not left, left


def skip_without_mounts():
    raise Skip("mounting needs root here")


def said(result):
    """What doctor says, without the ends of its lines: where they are depends on the length of paths and figures."""
    return " ".join(result.out.decode().split())


# --- nothing is wrong -----------------------------------------------------------------------------


@case("a healthy user: nothing found, exit status 0, and the time that decrypting took")
def _():
    with Patient() as user:
        result = user.helper("doctor", "--json")
        report = json.loads(result.out)
        assert (result.rc, report["ok"], report["findings"]) == (0, True, []), result
        assert 0 <= report["decrypt_ms"] < 10000, report
        result = user.helper("doctor")
        assert "A docker login would work." in said(result) and b"\x1b" not in result.out, result
        assert not re.search(rb"^(bad|warn)", result.out, re.M), result


@case("whether the fast path decrypts or gpg, and why gpg")
def _():
    need_fast_path()
    with Patient() as user:
        for fast, way, words in ((None, "fast", "without gpg (the fast path)"), ("0", "gpg", "by gpg (it is switched off)")):
            env = {"DOCKER_CREDENTIAL_PASS_FAST": fast}
            assert json.loads(user.helper("doctor", "--json", env=env).out)["decrypt_way"] == way
            assert words in said(user.helper("doctor", env=env))
        (user.gnupg / "gpg.conf").write_text("no-autostart\n")
        text = said(user.helper("doctor", env={"DOCKER_CREDENTIAL_PASS_FAST": None}))
        assert "configuration" in text, text


@case("of many logins no more than 64 are decrypted, and doctor says so")
def _():
    with Patient() as user:
        entry = user.entry(URL, "me").read_bytes()
        for i in range(100):
            folder = user.server_folder(f"https://h{i}.example.com")
            folder.mkdir(mode=0o700)
            (folder / "me.gpg").write_bytes(entry)
            (folder / "me.gpg").chmod(0o600)
        assert user.doctor() == ({}, 0)
        assert "the 101 logins in it are in order (64 of them were tried)" in said(user.helper("doctor"))


@case("what it does not understand is refused; --help helps")
def _():
    with Patient(key=None) as user:
        for words in (["--no-such"], ["word"], ["--fix=1"]):
            result = user.helper("doctor", *words)
            assert result.rc == 1 and b"--json" in result.err and result.out == b"", result
        assert user.helper("doctor", "--help").out.startswith(b"Usage: docker-credential-pass doctor")


@case("for a person: what is wrong, why it matters, the command; in colour on a terminal, and 80 columns wide")
def _():
    with Patient() as user:
        user.prefix.chmod(0o755)
        result = user.helper("doctor")
        assert result.rc == 0 and b"warn   " in result.out and b"\n         chmod 700 " in result.out, result
        prose = [line for line in result.out.decode().splitlines() if not line.startswith("         ")]
        assert all(len(line) <= 80 or " " not in line.strip() for line in prose), prose


# --- environment ------------------------------------------------------------------------------------


@case("helper-not-on-path, other-helper-first")
def _():
    with Patient() as user:
        user.env["PATH"] = user.path_without("docker-credential-pass")
        found, rc = user.doctor()
        assert rc == 1 and "install " in found["helper-not-on-path"]["commands"][0], found
        other = user.dir / "other"
        other.mkdir()
        (other / "docker-credential-pass").write_text("#!/bin/sh\n")
        (other / "docker-credential-pass").chmod(0o755)
        user.env["PATH"] = f"{other}:{user.env['PATH']}"
        found = check(user, "other-helper-first", "warning")
        assert not found, found


@case("home-missing, home-of-another")
def _():
    with Patient() as user:
        found, rc = user.doctor(env={"HOME": "/nonexistent", "PASSWORD_STORE_DIR": str(user.prefix)})
        assert rc == 1 and "home-missing" in found, found
        if os.geteuid() == 0:
            os.chown(user.home, 12345, 12345)
            found, rc = user.doctor()
            assert rc == 1 and "sudo -H" in found["home-of-another"]["commands"][0], found


# --- docker's file ------------------------------------------------------------------------------------


@case("creds-store-missing")
def _():
    def hide_pass(user):
        """Without `pass` on PATH, for with it docker chooses the helper by itself."""
        user.env["PATH"] = f"{user.dir / 'bin'}:{user.path_without('pass')}"

    def empty(user):
        hide_pass(user)
        (user.docker / "config.json").write_text("{}")

    def remove(user):
        hide_pass(user)
        (user.docker / "config.json").unlink()

    both_ways(empty, "creds-store-missing", "bad")
    both_ways(remove, "creds-store-missing", "bad")
    with Patient() as user:
        (user.docker / "config.json").write_text('{"credHelpers": {"example.com": "pass"}}')
        assert user.doctor() == ({}, 0)


@case("docker chooses the helper by itself where pass is on PATH and config.json names no store")
def _():
    with Patient() as user:
        user.env["PATH"] = f"{user.dir / 'bin'}:{user.path_without('pass')}"
        (user.dir / "bin/pass").write_text("#!/bin/sh\n")
        (user.dir / "bin/pass").chmod(0o755)
        for text in (None, "{}", '{"auths": {}, "credHelpers": {}}', '{"psFormat": "table"}'):
            (user.docker / "config.json").unlink(missing_ok=True)
            if text:
                (user.docker / "config.json").write_text(text)
            assert user.doctor() == ({}, 0), text
        assert "docker chooses this program by itself" in said(user.helper("doctor"))
        (user.docker / "config.json").write_text('{"auths": {"h": {}}}')
        check(user, "creds-store-missing", "bad")


@case("config-not-writable: a mount point, a read-only directory, a directory that is missing, a link to elsewhere")
def _():
    unshare = need("unshare")
    with Patient() as user:
        config, script = user.docker / "config.json", user.dir / "doctor"
        script.write_text(f'#!/bin/sh\nset -e\neval "$1"\nexec {shlex.join(helper_argv("doctor", "--json"))}\n')
        user.run([unshare, "-m", "true"]).rc == 0 or skip_without_mounts()
        for mount, words in ((f"mount --bind {config} {config}", "because it is a mount point"),
                             (f"mount --bind {user.docker} {user.docker}; mount -o remount,bind,ro {user.docker}",
                              "Read-only file system"),
                             (f"mkdir {user.dir}/t; mount -t tmpfs t {user.dir}/t; mv {config} {user.dir}/t/c; "
                              f"ln -s {user.dir}/t/c {config}", "link to it is on another file system")):
            before = config.read_bytes()
            result = user.run([unshare, "-m", "sh", script, mount])
            found = {one["id"]: one for one in json.loads(result.out)["findings"]}
            assert result.rc == 1 and set(found) == {"config-not-writable"}, result
            assert words in found["config-not-writable"]["what"], found
            config.unlink()
            config.write_bytes(before)
        assert sorted(path.name for path in user.docker.iterdir()) == ["config.json"]


@case("creds-store-other")
def _():
    with Patient() as user:
        (user.docker / "config.json").write_text('{"credsStore": "desktop"}')
        check(user, "creds-store-other", "bad", lambda commands: user.run_command(commands[0] + " --yes"))


@case("config-invalid, config-unreadable")
def _():
    with Patient() as user:
        (user.docker / "config.json").write_text('{"credsStore": ')
        check(user, "config-invalid", "bad")
    with Patient() as user:
        (user.docker / "config.json").unlink()
        (user.docker / "config.json").mkdir()
        check(user, "config-unreadable", "bad", "nothing")


@case("plaintext-auths, config-readable-by-others")
def _():
    def make(user):
        auth = base64.b64encode(b"me:secret").decode()
        (user.docker / "config.json").write_text('{"auths": {"h": {"auth": "%s"}}, "credsStore": "pass"}' % auth)
        (user.docker / "config.json").chmod(0o644)
    with Patient() as user:
        make(user)
        left = check(user, "config-readable-by-others", "warning")
        assert set(left) == {"plaintext-auths"}, left
        left = check(user, "plaintext-auths", "warning")
        assert not left and user.get("h") == ("me", "secret")
    with Patient() as user:
        make(user)
        check(user, "config-readable-by-others", "warning", "--fix")


# --- gpg ------------------------------------------------------------------------------------------------


@case("gpg-missing, gpg-opts")
def _():
    with Patient() as user:
        found, rc = user.doctor(env={"PATH": user.path_without("gpg")})
        assert rc == 1 and "install gnupg" in found["gpg-missing"]["commands"][0], found
        found, rc = user.doctor(env={"PASSWORD_STORE_GPG_OPTS": "--recipient x"})
        assert rc == 1 and found["gpg-opts"]["commands"] == ["unset PASSWORD_STORE_GPG_OPTS"], found


@case("gnupg-home-mode, gnupg-home-owner")
def _():
    both_ways(lambda user: user.gnupg.chmod(0o755), "gnupg-home-mode", "warning")
    if os.geteuid() == 0:
        with Patient() as user:
            user.env["PATH"] = user.path_without("sudo")
            os.chown(user.gnupg, 12345, 12345)
            check(user, "gnupg-home-owner", "bad",
                  lambda commands: user.run_command(commands[0].replace("sudo ", "")))


@case("socket-path-too-long")
def _():
    with Patient() as user:
        long = user.dir / ("x" * 100)
        shutil.copytree(user.gnupg, long, ignore=lambda _, names: [name for name in names if name.startswith("S.")])
        if (pathlib.Path("/run/user") / str(os.geteuid())).is_dir():
            return  # the socket lies there, and its path is short
        found, rc = user.doctor(env={"GNUPGHOME": str(long)})
        assert rc == 1 and "GNUPGHOME" in found["socket-path-too-long"]["commands"][0], found


@case("agent-unreachable")
def _():
    with Patient() as user:
        user.run(["gpgconf", "--kill", "all"])
        path = user.path_without("gpg-agent", "gpg-connect-agent")
        found, rc = user.doctor(env={"PATH": path})
        assert rc == 1 and "gpgconf --kill gpg-agent" in found["agent-unreachable"]["commands"][0], found
        assert user.doctor() == ({}, 0)


# --- the store ------------------------------------------------------------------------------------------


@case("store-missing, gpg-id-missing, gpg-id-empty")
def _():
    def set_up(user):
        return lambda commands: user.run_command(commands[0].removesuffix(" --yes") + " --yes")
    with Patient() as user:
        shutil.rmtree(user.prefix)
        check(user, "store-missing", "bad", set_up(user))
    with Patient() as user:
        (user.prefix / ".gpg-id").unlink()
        shutil.rmtree(user.folder)
        check(user, "gpg-id-missing", "bad", set_up(user))
    with Patient() as user:
        (user.prefix / ".gpg-id").write_text("# nobody\n\n")
        shutil.rmtree(user.folder)
        check(user, "gpg-id-empty", "bad")


@case("store-unreadable, gpg-id-unreadable")
def _():
    def put_file(user):
        shutil.rmtree(user.prefix)
        user.prefix.write_text("a file where a folder should be")
    with Patient() as user:
        put_file(user)
        check(user, "store-unreadable", "bad")
    with Patient() as user:
        (user.prefix / ".gpg-id").write_text("#" * (2 << 20))
        shutil.rmtree(user.folder)
        check(user, "gpg-id-unreadable", "bad")


@case("store-is-age")
def _():
    with Patient() as user:
        (user.prefix / ".gpg-id").rename(user.prefix / ".age-recipients")
        found, rc = user.doctor()
        assert rc == 1 and "PASSWORD_STORE_DIR" in found["store-is-age"]["commands"][0], found


@case("gpg-id-no-newline, gpg-id-crlf")
def _():
    def cut(user):
        (user.prefix / ".gpg-id").write_text(user.key)
    both_ways(cut, "gpg-id-no-newline", "warning")
    with Patient() as user:
        (user.prefix / ".gpg-id").write_text(user.key + "\r\n")
        assert not check(user, "gpg-id-crlf", "warning")


@case("gpg-id-signature")
def _():
    with Patient() as user:
        user.env["PASSWORD_STORE_SIGNING_KEY"] = user.key
        check(user, "gpg-id-signature", "bad", lambda commands: user.run(
            ["gpg", "--batch", "--quiet", "--detach-sign", "--yes", "-u", user.key, user.prefix / ".gpg-id"], check=True))


@case("store-mode, entry-mode, store-owner")
def _():
    both_ways(lambda user: user.prefix.chmod(0o755), "store-mode", "warning")
    both_ways(lambda user: user.entry(URL, "me").chmod(0o644), "entry-mode", "warning")
    both_ways(lambda user: user.server_folder(URL).chmod(0o755), "entry-mode", "warning")
    if os.geteuid() == 0:
        with Patient() as user:
            os.chown(user.prefix, 12345, 12345)
            check(user, "store-owner", "bad", lambda commands: user.run_command(commands[0].replace("sudo ", "")))


# --- keys -------------------------------------------------------------------------------------------------


def make_key_by(user, *words, **more):
    return user.run(["gpg", "--batch", "--quiet", "--passphrase", "", *words], check=True, **more)


@case("key-unknown: from pass's own copy where there is one, else by a new start")
def _():
    with Patient() as user, Sandbox() as colleague:
        theirs = colleague.make_key("colleague@example.com")
        (user.prefix / ".public-keys").mkdir()
        (user.prefix / ".public-keys" / theirs).write_bytes(colleague.run(["gpg", "--export", theirs]).out)
        (user.prefix / ".gpg-id").write_text(f"{user.key}\n{theirs}\n")
        left = check(user, "key-unknown", "bad")
        assert set(left) == {"key-not-trusted"}, left
        assert not check(user, "key-not-trusted", "bad", lambda commands: user.run(
            ["gpg", "--batch", "--yes", *commands[0].split()[1:]], check=True))
    with Patient() as user:
        (user.prefix / ".gpg-id").write_text("SMART\n")
        shutil.rmtree(user.folder)
        check(user, "key-unknown", "bad", lambda commands: user.run_command(commands[0] + " --yes"))


@case("key-expired")
def _():
    with Patient(key=None) as user:
        make_key_by(user, "--faked-system-time", "20200101T000000", "--quick-gen-key", "old@x", "future-default", "default", "1d")
        user.make_store("old@x")
        assert not check(user, "key-expired", "bad")


@case("key-revoked, key-disabled, key-cannot-encrypt")
def _():
    with Patient() as user:
        (user.prefix / ".gpg-id").write_text("gone@x\n")
        shutil.rmtree(user.folder)
        make_key_by(user, "--quick-gen-key", "gone@x", "future-default", "default", "never")
        listing = user.run(["gpg", "-k", "--with-colons", "gone@x"]).out.decode()
        fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
        revocation = (user.gnupg / f"openpgp-revocs.d/{fingerprint}.rev").read_text().replace("\n:-----", "\n-----")
        user.run(["gpg", "--batch", "--quiet", "--import"], revocation.encode(), check=True)
        check(user, "key-revoked", "bad", lambda commands: user.run_command(commands[0] + " --yes"))
    with Patient() as user:
        user.run(["gpg", "--batch", "--quiet", "--command-fd", "0", "--edit-key", user.key], b"disable\n", check=True)
        assert not check(user, "key-disabled", "bad")
    with Patient(key=None) as user:
        make_key_by(user, "--quick-gen-key", "sign@x", "ed25519", "sign", "never")
        user.make_store("sign@x")
        check(user, "key-cannot-encrypt", "bad",
              lambda commands: make_key_by(user, "--pinentry-mode", "loopback", *commands[0].split()[1:]))


@case("key-not-trusted: one's own, imported")
def _():
    with Patient() as user, Sandbox() as before:
        mine = before.make_key("mine@example.com")
        user.run(["gpg", "--batch", "--quiet", "--import"], before.run(["gpg", "--batch", "--export-secret-keys", mine]).out, check=True)
        (user.prefix / ".gpg-id").write_text(mine + "\n")
        shutil.rmtree(user.folder)
        assert not check(user, "key-not-trusted", "bad")


@case("secret-key-missing; entry-unreadable")
def _():
    with Patient() as user:
        kept = user.run(["gpg", "--batch", "--export-secret-keys", user.key]).out
        user.run(["gpgconf", "--kill", "all"])
        shutil.rmtree(user.gnupg / "private-keys-v1.d")
        (user.dir / "backup").write_bytes(kept)
        found = check(user, "secret-key-missing", "bad", lambda commands: user.run_command(
            commands[0].replace("gpg ", "gpg --batch --quiet ").replace("SECRET-KEY-FILE", str(user.dir / "backup"))))
        assert "entry-unreadable" not in found, found
    with Patient() as user, Sandbox() as other:
        theirs = other.make_key("other@example.com")
        user.entry(URL, "me").write_bytes(other.encrypt(b"secret", theirs))
        found, rc = user.doctor()
        assert rc == 1 and found["entry-unreadable"]["commands"] == [f"docker logout {URL} && docker login {URL}"], found
        user.erase(URL)  # what docker logout does
        assert user.doctor() == ({}, 0)


@case("a locked key: no prompt without --prompt; pinentry-missing, gpg-tty-wrong, no-terminal, slow-key")
def _():
    with Patient(store=False, passphrase="pw 1") as user:
        user.make_store(user.key)
        asked = user.dir / "asked"
        pinentry = user.dir / "pinentry"
        pinentry.write_text(f"#!/bin/sh\ntouch {asked}\nexit 1\n")
        pinentry.chmod(0o755)
        conf = user.gnupg / "gpg-agent.conf"
        conf.write_text(f"pinentry-program {pinentry}\n")
        user.run(["gpgconf", "--kill", "all"])
        found, rc = user.doctor()
        assert rc == 0 and "no-terminal" in found and not asked.exists(), found
        assert "hashes the passphrase" in found["slow-key"]["what"] and "about" in found["slow-key"]["what"], found
        found, rc = user.doctor("--prompt")
        assert rc == 1 and "proof-failed" in found and asked.exists(), found
        found, rc = user.doctor(env={"GPG_TTY": "not a tty"})
        assert rc == 0 and "gpg-tty-wrong" in found, found
        conf.write_text("pinentry-program /nonexistent\n")
        user.run(["gpgconf", "--kill", "all"])
        found, rc = user.doctor()
        assert rc == 1 and "pinentry-curses" in found["pinentry-missing"]["commands"][0], found
        with Terminal() as terminal:  # where somebody could be asked, nobody is
            conf.write_text(f"pinentry-program {pinentry}\n")
            asked.unlink()
            found, rc = user.doctor(env={"GPG_TTY": terminal.name})
            assert rc == 0 and "no-terminal" not in found and not asked.exists(), found


@case("slow-key: judged by the key and not by the clock, cured by the cheaper derivation")
def _():
    with Patient(store=False, passphrase="pw 1") as user:
        user.make_store(user.key)
        (user.gnupg / "gpg-agent.conf").write_text("allow-preset-passphrase\n")
        user.store(URL, "me", "secret")
        unlock = ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase-fd=0", "-qd", user.entry(URL, "me")]
        user.run(unlock, b"pw 1", check=True)
        found, rc = user.doctor()
        assert rc == 0 and "ms of CPU time" in found["slow-key"]["what"], found
        user.run_command(found["slow-key"]["commands"][0])
        user.run(["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase-fd=0", "--change-passphrase", user.key],
                 b"pw 1\npw 1\n")
        user.run(unlock, b"pw 1", check=True)
        assert "slow-key" not in user.doctor()[0]


@case("rsa-memory")
def _():
    with Patient(key=None) as user:
        make_key_by(user, "--quick-gen-key", "rsa@x", "rsa3072", "sign,cert", "never")
        listing = user.run(["gpg", "-k", "--with-colons", "rsa@x"]).out.decode()
        fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
        make_key_by(user, "--pinentry-mode", "loopback", "--quick-add-key", fingerprint, "rsa3072", "encr", "never")
        user.make_store("rsa@x")
        assert not check(user, "rsa-memory", "warning")


@case("proof-failed, where gpg encrypts and does not decrypt")
def _():
    with Patient() as user:
        real = need("gpg")
        fake = user.dir / "fake"
        fake.mkdir()
        (fake / "gpg").write_text(f'#!/bin/sh\ncase " $* " in *" --decrypt "*) exit 2;; esac\nexec {real} "$@"\n')
        (fake / "gpg").chmod(0o755)
        shutil.rmtree(user.folder)
        found, rc = user.doctor(env={"PATH": f"{fake}:{user.env['PATH']}", "DOCKER_CREDENTIAL_PASS_FAST": "0"})
        assert rc == 1 and found["proof-failed"]["commands"], found


# --- entries ----------------------------------------------------------------------------------------------


@case("several-users, folder-empty, folder-undecodable")
def _():
    with Patient() as user:
        shutil.copy2(user.entry(URL, "me"), user.entry(URL, "you"))
        check(user, "several-users", "warning", lambda commands: user.erase(URL))
    both_ways(lambda user: user.server_folder("https://empty").mkdir(mode=0o700), "folder-empty", "warning")
    with Patient() as user:
        (user.folder / "not base64").mkdir(mode=0o700)
        assert not check(user, "folder-undecodable", "warning")


@case("entry-damaged: cut off, or no message at all")
def _():
    for content in (b"", b"\x85", b"hello\n" * 20):
        with Patient() as user:
            user.entry(URL, "me").write_bytes(content)
            check(user, "entry-damaged", "bad", lambda commands: user.store(URL, "me", "again"))
    with Patient() as user:
        whole = user.entry(URL, "me").read_bytes()
        user.entry(URL, "me").write_bytes(whole[:-20])
        check(user, "entry-damaged", "bad", lambda commands: user.store(URL, "me", "again"))


@case("leftover")
def _():
    def make(user):
        (user.folder / ".docker-credential-pass.tmp").write_bytes(b"x")
        (user.folder / ".docker-credential-pass.tmp").chmod(0o600)
    both_ways(make, "leftover", "warning")


# --- git ----------------------------------------------------------------------------------------------------


@case("git-lock, git-no-identity, git-not-recorded")
def _():
    with Patient() as user:
        user.make_git()
        assert user.doctor() == ({}, 0)
        (user.prefix / ".git/index.lock").touch()
        check(user, "git-lock", "warning")
        shutil.copy2(user.entry(URL, "me"), user.entry(URL, "you"))
        user.entry(URL, "me").unlink()
        check(user, "git-not-recorded", "warning")
        (user.home / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
        check(user, "git-no-identity", "warning")


main()
