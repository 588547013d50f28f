#!/usr/bin/env python3
"""`docker-credential-pass doctor`: the store's keys, and the passphrase."""

import os
import shutil
import time

from doctor_patient import URL, Patient, check, said, skip_without_mounts
from harness import Sandbox, case, main, need
from terminal import Terminal


# --- keys -------------------------------------------------------------------------------------------------


def make_key_by(user, *words, **more):
    return user.run(["gpg", "--batch", "--quiet", "--passphrase", "", *words], check=True, **more)


@case("key-unknown: repaired from pass's copy of the key if there is one, else by a new setup")
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


@case("key-not-trusted: the user's own key, imported")
def _():
    with Patient() as user, Sandbox() as before:
        mine = before.make_key("mine@example.com")
        user.run(["gpg", "--batch", "--quiet", "--import"], before.run(["gpg", "--batch", "--export-secret-keys", mine]).out, check=True)
        (user.prefix / ".gpg-id").write_text(mine + "\n")
        shutil.rmtree(user.folder)
        assert not check(user, "key-not-trusted", "bad")


@case("secret-key-missing: no logout is advised; entry-unreadable: a login replaces the entry")
def _():
    with Patient() as user:
        kept = user.run(["gpg", "--batch", "--export-secret-keys", user.key]).out
        user.end_agent()
        shutil.rmtree(user.gnupg / "private-keys-v1.d")
        found, rc = user.doctor()
        assert rc == 1 and set(found) == {"secret-key-missing"} and not found["secret-key-missing"]["commands"], found
        user.run(["gpg", "--batch", "--quiet", "--import"], kept, check=True)
        assert user.doctor() == ({}, 0)
    with Patient() as user, Sandbox() as other:
        theirs = other.make_key("other@example.com")
        user.entry(URL, "me").write_bytes(other.encrypt(b"secret", theirs))
        found, rc = user.doctor()
        assert rc == 1 and found["entry-unreadable"]["commands"] == [f"docker login {URL}"], found
        user.store(URL, "me", "again")  # as docker login does
        assert user.doctor() == ({}, 0)


@case("an expired encryption subkey is reported by doctor and setup")
def _():
    with Patient() as user:
        user.run(["gpg", "--batch", "--quiet", "--quick-set-expire", user.key, "seconds=1", "*"], check=True)
        time.sleep(2)
        result = user.helper("setup", "--yes")
        assert result.rc == 1 and b"has expired" in result.err and b"There is nothing to do" not in result.out, result
        found, rc = user.doctor()
        assert rc == 1 and set(found) == {"key-expired"}, found
        left = user.type_and_ask_again(found["key-expired"]["commands"])
        assert left == ({}, 0), left


@case("a gpg.conf group in .gpg-id, a subkey with an exclamation mark and PASSWORD_STORE_KEY all work")
def _():
    with Patient() as user:
        listing = user.run(["gpg", "-k", "--with-colons"]).out.decode().split("\n")
        subkey = [line.split(":")[9] for line in listing if line.startswith("fpr:")][1]
        with open(user.gnupg / "gpg.conf", "a") as conf:
            conf.write(f"group team={user.key}\n")
        for name in ("team", f"{subkey}!", "me@example.com"):
            (user.prefix / ".gpg-id").write_text(name + "\n")
            assert user.doctor() == ({}, 0), name
        (user.prefix / ".gpg-id").unlink()
        assert user.doctor(env={"PASSWORD_STORE_KEY": user.key}) == ({}, 0)


@case("a locked key: no prompt without --prompt, exit status 2, also with throw-keyids and loopback")
def _():
    for conf in ("", "throw-keyids\n", "pinentry-mode loopback\n"):
        with Patient(store=False, passphrase="pw 1") as user:
            asked, pinentry = user.dir / "asked", user.dir / "pinentry"
            pinentry.write_text(f"#!/bin/sh\ntouch {asked}\nexit 1\n")
            pinentry.chmod(0o755)
            user.make_store(user.key)
            (user.gnupg / "gpg.conf").write_text(conf)
            user.store(URL, "me", "secret")
            (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {pinentry}\n")
            user.end_agent()
            found, rc = user.doctor()
            assert rc == 2 and set(found) == {"no-terminal", "slow-key"} and not asked.exists(), found
            assert user.steps == {"encrypt": "passed", "decrypt": "locked", "write": "passed", "entries": "locked"}, user.steps
            assert "--prompt" in said(user.helper("doctor")), conf
            found, rc = user.doctor("--prompt")
            assert rc == 1 and asked.exists() and user.steps["decrypt"] == "failed", found
            with Terminal() as terminal:  # a terminal is there, but no prompt may appear
                asked.unlink()
                found, rc = user.doctor(env={"GPG_TTY": terminal.name})
                assert rc == 2 and set(found) == {"slow-key"} and not asked.exists(), found
            found, rc = user.doctor(env={"GPG_TTY": "not a tty"})
            assert rc == 2 and "gpg-tty-wrong" in found, found


# Ways to write pinentry-program, and whether gpg-agent can run the program.
PINENTRIES = (
    ("pinentry-program {pinentry}\n", True),
    ('pinentry-program "{pinentry}"\n', True),
    ("pinentry-program {pinentry}  \n", True),
    ("  pinentry-program\t{pinentry}\t\r\n", True),
    ("pinentry-program /nonexistent\n", False),
    ('pinentry-program "/nonexistent"\n', False),
)


@case("pinentry-missing: pinentry-program of gpg-agent.conf, with quotes and spaces; also of the system's file")
def _():
    with Patient(store=False, passphrase="pw 1") as user:
        user.make_store(user.key)
        pinentry = user.dir / "pinentry"
        pinentry.write_text("#!/bin/sh\nexit 1\n")
        pinentry.chmod(0o755)
        conf = user.gnupg / "gpg-agent.conf"
        for text, is_good in PINENTRIES:
            conf.write_text(text.format(pinentry=pinentry))
            user.end_agent()
            found, rc = user.doctor()
            assert (rc, "pinentry-missing" in found) == (2 if is_good else 1, not is_good), (text, found)
        conf.unlink()
        user.end_agent()
        unshare = need("unshare")
        (user.dir / "etc/gnupg").mkdir(parents=True)
        (user.dir / "etc/gnupg/gpg-agent.conf").write_text("pinentry-program /nonexistent\n")
        (user.dir / "work").mkdir()
        mount = f"mount -t overlay o -o lowerdir=/etc,upperdir={user.dir}/etc,workdir={user.dir}/work /etc"
        if user.run([unshare, "-m", "sh", "-c", mount]).rc != 0:
            skip_without_mounts()
        result = user.run([unshare, "-m", "sh", "-c", f"{mount}; exec docker-credential-pass doctor --json"])
        found, rc = user.read_report(result)
        assert rc == 1 and "/nonexistent" in found["pinentry-missing"]["what"], found


@case("a terminal of another user, as after su: doctor and setup report it before any prompt")
def _():
    with Patient(store=False, passphrase="pw 1") as user, Terminal() as terminal:
        user.make_store(user.key)
        user.become()
        os.chmod(terminal.name, 0o600)
        found, rc = user.doctor(env={"GPG_TTY": None}, stdin=terminal.slave)
        assert rc == 1 and "script -q /dev/null" in found["terminal-of-another"]["commands"], found
        shutil.rmtree(user.prefix)
        result = user.run(["docker-credential-pass", "setup", "--yes", "--name", "n", "--email", "n@x.org"],
                          stdin=terminal.slave)
        assert result.rc == 1 and b"script -q /dev/null" in result.err and not result.out, result


@case("slow-key: judged by CPU time relative to the machine, repaired by a cheaper key derivation")
def _():
    with Patient(store=False, passphrase="pw 1") as user:
        user.make_store(user.key)
        (user.gnupg / "gpg-agent.conf").write_text("allow-preset-passphrase\n")
        user.store(URL, "me", "secret")
        unlock = ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase-fd=0", "-qd", user.entry(URL, "me")]
        user.run(unlock, b"pw 1", check=True)
        found, rc = user.doctor()
        assert rc in (0, 2) and "ms of CPU time" in found["slow-key"]["what"], found
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


main()
