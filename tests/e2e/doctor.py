#!/usr/bin/env python3
"""`docker-credential-pass doctor`: its output, the environment, and docker's configuration file."""

import base64
import json
import os
import re
import shlex
import shutil

from doctor_patient import URL, Patient, both_ways, check, said, skip_without_mounts
from harness import case, helper_argv, main, need, need_fast_path


# --- a healthy user -------------------------------------------------------------------------------


@case("a healthy user: no finding, exit status 0, and the decryption time")
def _():
    with Patient() as user:
        result = user.helper("doctor", "--json")
        report = json.loads(result.out)
        assert (result.rc, report["ok"], report["findings"]) == (0, True, []), result
        assert 0 <= report["decrypt_ms"] < 10000, report
        result = user.helper("doctor")
        assert "A docker login would work." in said(result) and b"\x1b" not in result.out, result
        assert not re.search(rb"^(bad|warn)", result.out, re.M), result


@case("doctor reports whether the fast path or gpg decrypts, and why gpg does")
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


@case("all logins are decrypted, also if there are many")
def _():
    with Patient() as user:
        entry = user.entry(URL, "me").read_bytes()
        for i in range(100):
            server = user.server_folder(f"https://h{i}.example.com")
            server.mkdir(mode=0o700)
            (server / "me.gpg").write_bytes(entry)
            (server / "me.gpg").chmod(0o600)
        assert user.doctor() == ({}, 0)
        assert "the 101 logins in it can be read" in said(user.helper("doctor"))
        user.entry("https://h99.example.com", "me").write_bytes(entry[:-20])
        found, rc = user.doctor()
        assert rc == 1 and set(found) == {"entry-damaged"}, found


@case("unknown arguments are refused; --help prints the help")
def _():
    with Patient(key=None) as user:
        for words in (["--no-such"], ["word"], ["--fix=1"]):
            result = user.helper("doctor", *words)
            assert result.rc == 1 and b"--json" in result.err and result.out == b"", result
        assert user.helper("doctor", "--help").out.startswith(b"Usage: docker-credential-pass doctor")


@case("text output: the fault, the consequence, the command; in colour on a terminal, at most 80 columns wide")
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
        found, rc = user.doctor()
        assert rc == 0 and set(found) == {"other-helper-first"}, found
        assert user.type_and_ask_again(found["other-helper-first"]["commands"]) == ({}, 0)


@case("a missing HOME or one of another user: an error only if a login fails because of it, a warning for root")
def _():
    with Patient() as user:
        missing = {"HOME": "/nonexistent", "GNUPGHOME": None, "DOCKER_CONFIG": None}
        found, rc = user.doctor(env=missing)
        assert rc == 1 and "home-missing" in found, found
        found, rc = user.doctor(env={"HOME": "/nonexistent", "PASSWORD_STORE_DIR": str(user.prefix)})
        assert (found, rc) == ({}, 0), found  # nothing below it is needed
        if os.geteuid() == 0:
            os.chown(user.home, 12345, 12345)
            found, rc = user.doctor()
            assert rc == 0 and found["home-of-another"]["status"] == "warning", found


@case("a user without a passwd entry, in a world-writable HOME: a login works")
def _():
    with Patient() as user:
        user.become()
        os.chown(user.home, 0, 0)
        user.home.chmod(0o777)
        assert user.doctor() == ({}, 0)


# --- docker's file ------------------------------------------------------------------------------------


@case("creds-store-missing")
def _():
    def hide_pass(user):
        """Hides `pass` from PATH, because with it docker chooses the helper automatically."""
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


@case("docker chooses the helper automatically if pass is on PATH and config.json names no store")
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


@case("config-not-writable: a mount point, a read-only directory, a missing directory, a link to another file system")
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
        # With pass on PATH docker replaces the file and chooses this helper.
        check(user, "config-invalid", "warning" if shutil.which("pass") else "bad")
    with Patient() as user:
        (user.docker / "config.json").unlink()
        (user.docker / "config.json").mkdir()
        assert not check(user, "config-unreadable", "bad")


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


main()
