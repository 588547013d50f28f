#!/usr/bin/env python3
"""`docker-credential-pass doctor`: gpg's configuration, files and agent, with a table for each kind of fault."""

import json
import os
import pathlib
import re
import shutil

from doctor_patient import URL, Patient, both_ways
from harness import case, helper_argv, main
from situations import german


# --- gpg itself ---------------------------------------------------------------------------------------------


@case("gpg-missing, gpg-opts")
def _():
    with Patient() as user:
        found, rc = user.doctor(env={"PATH": user.path_without("gpg")})
        assert rc == 1 and "apt-get install -y gnupg" in found["gpg-missing"]["commands"][0], found
        found, rc = user.doctor(env={"PASSWORD_STORE_GPG_OPTS": "--recipient x"})
        assert rc == 1 and found["gpg-opts"]["commands"] == ["unset PASSWORD_STORE_GPG_OPTS"], found
        user.env["PASSWORD_STORE_GPG_OPTS"] = "--recipient x"
        assert user.type_and_ask_again(found["gpg-opts"]["commands"]) == ({}, 0)


@case("gnupg-home-mode; a missing home directory means no key yet, and setup makes one")
def _():
    both_ways(lambda user: user.gnupg.chmod(0o755), "gnupg-home-mode", "warning")
    with Patient() as user:
        user.end_agent()
        shutil.rmtree(user.gnupg)
        shutil.rmtree(user.prefix)
        for _ in range(2):  # gpg creates the directory during the first call
            found, rc = user.doctor()
            assert rc == 1 and set(found) == {"no-key", "store-missing"}, found
            assert found["no-key"]["commands"] == ["docker-credential-pass setup"], found


def append(name, text):
    def make(user):
        with open(user.gnupg / name, "a") as file:
            file.write(text)
    return make


def garble(name):
    return lambda user: (user.gnupg / name).write_bytes(b"\x0b" * 1000)


# Faults of gpg's configuration and files: description, function, finding, part of gpg's message.
FAULTS = (
    ("trust-model x", append("gpg.conf", "trust-model x\n"), "gpg-conf-invalid", "'x'"),
    ("agent-program", append("gpg.conf", "agent-program /nonexistent\n"), "agent-program-wrong", "/nonexistent"),
    ("a corrupt trustdb.gpg", garble("trustdb.gpg"), "encrypt-failed", "trustdb.gpg"),
    ("a corrupt pubring.kbx", garble("pubring.kbx"), None, ""),
)


@case("an unrecognised fault is shown with gpg's own message, in every language, without advice to delete or log out")
def _():
    for name, make, wanted, words in FAULTS:
        with Patient() as user:
            make(user)
            user.end_agent()
            for language in (None, german()):
                found, rc = user.doctor(env=language)
                text = json.dumps(found)
                assert rc == 1 and (wanted is None or wanted in found) and words in text, (name, found)
                assert not re.search(r"docker logout|docker login h|\brm |is damaged|has no key|secret key is not here", text), (name, found)
                result = user.run(helper_argv("get"), URL.encode(), env={"DOCKER_CREDENTIAL_PASS_FAST": "0", **(language or {})})
                assert result.rc == 1 or name in ("a corrupt trustdb.gpg",), (name, result)
                assert not re.search(rb"damaged|secret key is not here", result.out), (name, result)


@case("files of gpg that the user cannot read are named, and the command for root repairs them")
def _():
    for name in ("pubring.kbx", "trustdb.gpg", "private-keys-v1.d"):
        with Patient() as user:
            user.become()
            path = user.gnupg / name
            os.chown(path, 0, 0)
            path.chmod(0o700 if path.is_dir() else 0o600)
            found, rc = user.doctor()
            assert rc == 1 and set(found) == {"gnupg-unreadable"} and name in found["gnupg-unreadable"]["what"], found
            command = found["gnupg-unreadable"]["commands"][0]
            assert command.startswith(("su -c ", "sudo ")), command
            user.as_root("sh", "-c", command.removeprefix("sudo "))
            user.end_agent()
            assert user.doctor() == ({}, 0)
            if path.is_dir():
                continue  # gpg-agent corrects the mode of its own directory
            path.chmod(0)
            user.end_agent()
            found, rc = user.doctor()
            assert rc == 1 and set(found) == {"gnupg-unreadable"}, found
            assert user.type_and_ask_again(found["gnupg-unreadable"]["commands"]) == ({}, 0)


# --- the agent ------------------------------------------------------------------------------------------------


@case("no-autostart and no agent: doctor starts none, and reports the same error as get")
def _():
    with Patient() as user:
        append("gpg.conf", "no-autostart\n")(user)
        user.end_agent()
        for language in (None, german()):
            found, rc = user.doctor(env=language)
            assert rc == 1 and set(found) == {"agent-not-started"}, found
            result = user.helper("get", stdin=URL.encode(), env=language)
            assert result.rc == 1 and b"gpg-agent cannot be reached" in result.out, result
        assert user.type_and_ask_again(found["agent-not-started"]["commands"]) == ({}, 0)


@case("a forwarded agent (restricted socket, only public keys): no prompt without --prompt, works with it")
def _():
    with Patient() as user, Patient(key=None) as remote:
        remote.import_key(user.export_key(user.key))
        remote.make_store(user.key)
        (remote.gnupg / "gpg.conf").write_text("no-autostart\n")
        user.run(["gpg-connect-agent", "/bye"], check=True)
        extra = user.run(["gpgconf", "--list-dirs", "agent-extra-socket"], check=True).out.decode().strip()
        here = remote.run(["gpgconf", "--list-dirs", "agent-socket"], check=True).out.decode().strip()
        remote.end_agent()
        pathlib.Path(here).write_text(f"%Assuan%\nsocket={extra}\n")
        remote.store(URL, "me", "secret")
        found, rc = remote.doctor()
        # Over that socket a client cannot forbid prompts of GnuPG 2.2's agent; with 2.4 it can.
        assert not found and (rc, remote.steps["decrypt"]) in ((2, "locked"), (0, "passed")), (found, rc, remote.steps)
        found, rc = remote.doctor("--prompt")
        assert (found, rc) == ({}, 0), found
        assert remote.get(URL) == ("me", "secret")
        pathlib.Path(here).unlink()


@case("socket-path-too-long")
def _():
    with Patient() as user:
        long = user.dir / ("x" * 100)
        shutil.copytree(user.gnupg, long, ignore=lambda _, names: [name for name in names if name.startswith("S.")])
        if (pathlib.Path("/run/user") / str(os.geteuid())).is_dir():
            return  # gpg's socket is in /run, so its path is short
        found, rc = user.doctor(env={"GNUPGHOME": str(long)})
        assert rc == 1 and "GNUPGHOME" in found["socket-path-too-long"]["commands"][0], found


main()
