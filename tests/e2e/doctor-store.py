#!/usr/bin/env python3
"""`docker-credential-pass doctor`: the store, its entries, and git."""

import os
import shutil

from doctor_patient import URL, Patient, both_ways, check, skip_without_mounts
from harness import case, main, need


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
        user.prefix.write_text("a file in place of a directory")
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
        found, rc = user.doctor()
        assert rc == 1 and set(found) == {"gpg-id-signature"}, found
        assert user.type_and_ask_again(found["gpg-id-signature"]["commands"]) == ({}, 0)


@case("store-mode, entry-mode; a team's store, which is shared on purpose, causes no finding")
def _():
    both_ways(lambda user: user.prefix.chmod(0o755), "store-mode", "warning")
    both_ways(lambda user: user.entry(URL, "me").chmod(0o644), "entry-mode", "warning")
    both_ways(lambda user: user.server_folder(URL).chmod(0o755), "entry-mode", "warning")
    with Patient() as user:
        user.prefix.chmod(0o2770)
        assert user.doctor() == ({}, 0)
        if os.geteuid() == 0:
            for path in (user.prefix, user.folder, user.server_folder(URL), user.entry(URL, "me")):
                os.chown(path, 12345, 0)
            assert user.doctor() == ({}, 0)


# Files that belong to root after "sudo docker login", and the repair for an ordinary user.
FOREIGN = (
    ("store-owner", lambda user: user.folder),
    ("server-not-writable", lambda user: user.server_folder(URL)),
)


@case("directories of the store with another owner: the failing step, and the command for root")
def _():
    for wanted, place in FOREIGN:
        with Patient() as user:
            user.become()
            os.chown(place(user), 0, 0)
            place(user).chmod(0o755)
            found, rc = user.doctor()
            assert rc == 1 and found[wanted]["status"] == "bad", found
            command = found[wanted]["commands"][0]
            assert command.startswith(("su -c ", "sudo ")), command
            user.as_root("sh", "-c", command.removeprefix("sudo "))
            found, rc = user.doctor()
            assert rc == 0 and set(found) <= {"store-mode", "entry-mode"}, found


@case("a store on a read-only file system or without write permission for its owner: docker cannot save a login")
def _():
    with Patient() as user:
        unshare = need("unshare")
        if user.run([unshare, "-m", "true"]).rc != 0:
            skip_without_mounts()
        mount = f"mount --bind {user.prefix} {user.prefix}; mount -o remount,bind,ro {user.prefix}"
        result = user.run([unshare, "-m", "sh", "-c", f"{mount}; exec docker-credential-pass doctor --json"])
        found, rc = user.read_report(result)
        assert rc == 1 and set(found) == {"write-failed"} and "Read-only" in found["write-failed"]["what"], found
        assert user.steps["write"] == "failed" and user.steps["decrypt"] == "passed", user.steps
    with Patient() as user:
        user.become()
        user.folder.chmod(0o500)
        found, rc = user.doctor()
        assert rc == 1 and found["store-mode"]["status"] == "bad", found
        assert user.type_and_ask_again(found["store-mode"]["commands"]) == ({}, 0)


# --- entries ----------------------------------------------------------------------------------------------


@case("several-users, directory-empty, directory-undecodable")
def _():
    with Patient() as user:
        shutil.copy2(user.entry(URL, "me"), user.entry(URL, "you"))
        check(user, "several-users", "warning", lambda commands: user.erase(URL))
    both_ways(lambda user: user.server_folder("https://empty").mkdir(mode=0o700), "directory-empty", "warning")
    with Patient() as user:
        (user.folder / "not base64").mkdir(mode=0o700)
        assert not check(user, "directory-undecodable", "warning")


@case("entry-damaged: a truncated message, or another kind of content")
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
