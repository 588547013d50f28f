#!/usr/bin/env python3
"""`doctor` with a store that is shared, mounted, copied or hostile."""

import errno
import os
import shutil
import struct
import subprocess

from doctor_patient import URL
from fault_layer import FaultLayer
from harness import Skip, helper_argv, need
from situations import Row, log_in_again, run_table

OWN = "tried by hand"
RUNS = "an attacker's program ran"


def place_of(user, which):
    return {"root": user.prefix, "all": user.folder, "server": user.server_folder(URL), "entry": user.entry(URL, "me"),
            ".gpg-id": user.prefix / ".gpg-id"}[which]


def give_to_root(*places, mode=None):
    """Makes root the owner, without access for the user, as `sudo docker login` does."""
    def make(user):
        for which in places:
            os.chown(place_of(user, which), 0, 0)
            if mode is not None:
                place_of(user, which).chmod(mode)
    return make


def set_mode(which, mode):
    return lambda user: place_of(user, which).chmod(mode)


def mount(command):
    def make(user):
        need("unshare")
        user.namespace = command.format(user=user)
        if user.run(["true"]).rc != 0:
            raise Skip("mounting needs root here")
    return make


def link_store(user):
    real = user.dir / "dropbox"
    user.prefix.rename(real)
    user.prefix.symlink_to(real)


def link_folder(user):
    """Makes docker-credential-helpers a link into another store, as in stores that combine several."""
    real = user.dir / "other-store"
    real.mkdir(mode=0o700)
    user.folder.rename(real / "docker")
    user.folder.symlink_to(real / "docker")


def link_server(user):
    real = user.dir / "elsewhere"
    user.server_folder(URL).rename(real)
    user.server_folder(URL).symlink_to(real)


def link_entry(user):
    real = user.dir / "elsewhere.gpg"
    user.entry(URL, "me").rename(real)
    user.entry(URL, "me").symlink_to(real)


def copy_beside(name):
    """Makes a conflicted copy, as a synchronisation program does."""
    return lambda user: shutil.copy2(user.entry(URL, "me"), user.server_folder(URL) / name) and None


def make_file(path, text="x"):
    def make(user):
        file = user.prefix / path
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
    return make


def with_git(make=None):
    def both(user):
        user.make_git()
        return make(user) if make else None
    return both


def git_config(*words):
    """Sets a program in the repository's configuration; it must not run."""
    def make(user):
        user.make_git()
        user.run(["git", "-C", user.prefix, "config", words[0], words[1].format(user=user)], check=True)
        yield
        assert not (user.dir / "ran").exists(), RUNS
    return make


def hook(name):
    def make(user):
        user.make_git()
        (user.prefix / ".git/hooks").mkdir(exist_ok=True)
        program = user.prefix / ".git/hooks" / name
        program.write_text(f"#!/bin/sh\ntouch {user.dir}/ran\n")
        program.chmod(0o755)
        yield
        assert not (user.dir / "ran").exists(), RUNS
    return make


def bare_repository(user):
    """Makes a directory in the store that looks like a repository, with a monitor in its configuration."""
    user.make_git()
    bare = user.prefix / "work.git"
    user.run(["git", "init", "-q", "--bare", bare], check=True)
    (bare / "config").write_text(f"[core]\nrepositoryformatversion = 0\nbare = false\nworktree = {user.prefix}\nfsmonitor = touch {user.dir}/ran\n")
    yield
    assert not (user.dir / "ran").exists(), RUNS


def foreign_git(user):
    user.make_git()
    subprocess.run(["chown", "-R", "root:root", str(user.prefix / ".git")], check=True)


def lock_index(user):
    user.make_git()
    (user.prefix / ".git/index.lock").touch()


def change_unrecorded(user):
    user.make_git()
    shutil.copy2(user.entry(URL, "me"), user.entry(URL, "you"))
    user.entry(URL, "me").unlink()


def team(user):
    """Makes a store that a group shares on purpose."""
    user.prefix.chmod(0o2770)
    for path in (user.folder, user.server_folder(URL)):
        path.chmod(0o2770)
    user.entry(URL, "me").chmod(0o660)


def without(call, code):
    """Makes a system call fail in every program, as on a file system that does not have it. A login must work twice."""
    def make(user):
        layer = FaultLayer()
        user.env.update(layer.environment())
        with layer.failing(call, code):
            for _ in range(2):
                user.store(URL, "me", "new")
            assert user.get(URL) == ("me", "new")
            yield
            assert layer.failed(call) > 0, "the call was never made"
    return make


def grant_by_acl(user):
    """Lets a backup's user read the store by an access control list, whose mask shows as the mode of the group."""
    def acl(permissions):
        entries = [(1, 7, -1), (2, permissions, 4242), (4, 0, -1), (16, permissions, -1), (32, 0, -1)]
        return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, who & 0xffffffff) for tag, bits, who in entries)
    try:
        for path in (user.prefix, user.folder, user.server_folder(URL)):
            os.setxattr(path, "system.posix_acl_access", acl(5))
        os.setxattr(user.entry(URL, "me"), "system.posix_acl_access", acl(4))
    except OSError:
        raise Skip("this file system has no access control lists") from None


def no_passwd_entry(user):
    user.become()
    os.chown(user.home, 0, 0)
    user.home.chmod(0o777)


def unmounted(user):
    """Makes an unmounted store (a tomb or a USB stick): its directory exists and is empty."""
    shutil.rmtree(user.prefix)
    user.prefix.mkdir(mode=0o700)


def lose_gpg_id(user):
    (user.prefix / ".gpg-id").unlink()


def shared_read_only(user):
    """Makes a store of root's that a group may read."""
    user.become()
    for path in (user.prefix, user.folder, user.server_folder(URL)):
        os.chown(path, 0, user.uid)
        path.chmod(0o2750)
    for path in (user.entry(URL, "me"), user.prefix / ".gpg-id"):
        os.chown(path, 0, user.uid)
        path.chmod(0o640)


def merging(user):
    """Leaves a merge with a conflict."""
    user.make_git()
    entry = user.entry(URL, "me")
    user.git("checkout", "-q", "-b", "other")
    entry.write_bytes(user.encrypt(b"theirs", user.key))
    user.git("commit", "-qam", "theirs")
    user.git("checkout", "-q", "-")
    ours = user.encrypt(b"ours", user.key)
    entry.write_bytes(ours)
    user.git("commit", "-qam", "ours")
    user.run(["git", "-C", user.prefix, "merge", "-q", "other"])
    entry.write_bytes(ours) # git takes a message without a zero byte for text, and writes its marks into it
    entry.chmod(0o600)


def own_hook(script, is_refused):
    """Gives the user a hook for all repositories; doctor must not leave anything, nor run what follows a commit."""
    def make(user):
        user.make_git()
        hooks = user.home / "hooks"
        hooks.mkdir()
        for name, text in (("pre-commit", script), ("post-commit", f"touch {user.dir}/ran")):
            (hooks / name).write_text(f"#!/bin/sh\n{text}\n")
            (hooks / name).chmod(0o755)
        user.run(["git", "config", "--global", "core.hooksPath", "~/hooks"], check=True)
        temporary = user.dir / "tmp"
        temporary.mkdir()
        user.env["TMPDIR"] = str(temporary)
        before = user.git("status", "--porcelain")
        yield
        assert not (user.dir / "ran").exists() and not list(temporary.iterdir()) and user.git("status", "--porcelain") == before
        said = user.run(helper_argv("setup", "--yes")).out
        assert (b"hook" in said) == is_refused, said
    return make


def nowhere_to_try(user):
    """Leaves no place for the repository in which hooks are tried."""
    hook = own_hook("exit 1", True)(user)
    next(hook)
    user.env["TMPDIR"] = "/nonexistent"


def sign_commits(key, name="commit.gpgsign"):
    def make(user):
        user.make_git()
        for setting, value in ((name, "true"), ("user.signingkey", key or user.key)):
            user.run(["git", "config", "--global", setting, value], check=True)
    return make


def append_only(place):
    """Lets names be added to a directory, and none be removed. Nothing may be left in it."""
    def make(user):
        path = place(user)
        before = sorted(path.iterdir())
        if user.run(["chattr", "+a", path]).rc != 0:
            raise Skip("this file system, or this user, cannot make a directory append-only")
        yield
        user.run(["chattr", "-a", path], check=True)
        assert sorted(path.iterdir()) == before, list(path.iterdir())
    return make


SETUP = ((r"\[Y/n\]", "y\n"),)

STORES = [
    Row("the store is a link to a synchronised directory", "https://github.com/gopasspw/gopass/issues/12", link_store),
    Row("docker-credential-helpers is a link into another store", "https://github.com/gopasspw/gopass/issues/40", link_folder),
    Row("a server's directory is a link", OWN, link_server, {"directory-link"}, rc=0, deletes=True),
    Row("an entry is a link to a file", "https://github.com/android-password-store/Android-Password-Store/issues/387", link_entry),
    Row("a link was turned into a text file by a synchronisation", "https://github.com/android-password-store/Android-Password-Store/issues/387",
        lambda user: user.entry(URL, "me").write_text("../../other/place/me.gpg") and None, {"entry-damaged"}, is_typed=False),
    Row("a file of Syncthing's beside the entry", "https://github.com/android-password-store/Android-Password-Store/issues/48",
        copy_beside("me.sync-conflict-20240101-120000-ABCDEFG.gpg"), {"several-users"}, rc=0, is_typed=False),
    Row("a conflicted copy of Nextcloud's beside the entry", OWN, copy_beside("me (conflicted copy 2024-01-01 120000).gpg"),
        {"several-users"}, rc=0, is_typed=False),
    Row("files of other programs in the store (.stfolder, .DS_Store, README)",
        "https://github.com/android-password-store/Android-Password-Store/issues/758",
        lambda user: [make_file(name)(user) for name in (".stfolder/x", ".DS_Store", "docker-credential-helpers/.DS_Store",
                                                         "docker-credential-helpers/README")][0]),
    Row("a directory that is no server's in docker-credential-helpers", OWN, lambda user: (user.folder / "not base64").mkdir(mode=0o700),
        {"directory-undecodable"}, rc=0),
    Row("an entry was edited by hand and has more lines", OWN,
        lambda user: user.entry(URL, "me").write_bytes(user.encrypt(b"secret\nlogin: me\n", user.key)) and None),
    Row("the store's directory is there and empty, because its tomb is closed", OWN, unmounted,
        {"gpg-id-missing"}, answers=SETUP),
    Row("the store is on a read-only file system", OWN,
        mount("mount --bind {user.prefix} {user.prefix}; mount -o remount,bind,ro {user.prefix}"), {"write-failed"}, has_cure=False,
        words=("Read-only",)),
    Row("the file system is full", OWN, mount(
        "cp -a {user.folder} {user.dir}/kept && mount -t tmpfs -o size=64k,nr_inodes=20,mode=700 t {user.folder} && "
        "cp -a {user.dir}/kept/. {user.folder} && rm -rf {user.dir}/kept && "
        "{{ dd if=/dev/zero of={user.folder}/.fill bs=4k 2>/dev/null || true; }}"), {"write-failed"}, has_cure=False, words=("No space",)),
    Row("one inode is left, and a login takes two", OWN, mount(
        "cp -a {user.folder} {user.dir}/kept && mount -t tmpfs -o nr_inodes=4,mode=700 t {user.folder} && "
        "cp -a {user.dir}/kept/. {user.folder} && rm -rf {user.dir}/kept"), {"write-failed"}, has_cure=False, words=("No space",),
        before="a login would work"),
    Row("docker-credential-helpers is append-only (chattr +a)", OWN, append_only(lambda user: user.folder), {"write-failed"},
        has_cure=False, words=("append-only",), before="doctor left its trial file there"),
    Row("docker's directory is append-only (chattr +a)", OWN, append_only(lambda user: user.docker), {"config-not-writable"},
        is_long=True, has_cure=False, words=("append-only",), before="doctor left its trial file there"),
    Row("the file system has no locks, as some NFS homes", "https://github.com/SwissDataScienceCenter/renku-python/issues/3669",
        without("flock", errno.ENOLCK)),
    Row("the file system refuses modes, as Windows drives in WSL and CIFS do", "https://github.com/docker/for-win/issues/6284",
        without("fchmod", errno.EPERM), before="no file can be made, though a first login works"),
    Row("another user may read the store by an access control list", "https://github.com/systemd/systemd/issues/29435",
        grant_by_acl, {"store-mode", "entry-mode"}, rc=0, is_long=True),
    Row("a team's store with mode 2770", "https://github.com/syncthing/syncthing/issues/2012", team),
    Row("a group may read a store of root's, but not write", OWN, shared_read_only,
        {"store-owner"}, reader="root", has_cure=False, before="chown -R, which takes the store from the group"),
    Row("the store's mode lets others look", OWN, set_mode("root", 0o755), {"store-mode"}, rc=0),
    Row("an entry's mode lets others read", OWN, set_mode("entry", 0o644), {"entry-mode"}, rc=0),
    Row("everybody may write to the store", OWN, set_mode("root", 0o777), {"gpg-id-writable", "store-mode"}),
    Row("docker-credential-helpers belongs to root after sudo docker login", "https://github.com/docker/docker-credential-helpers/issues/212",
        give_to_root("all"), {"store-unreadable"}, reader="sudo", before="a chmod of the store, which is refused"),
    Row("the same, by a user without sudo", "https://github.com/docker/docker-credential-helpers/issues/212", give_to_root("all"),
        {"store-unreadable"}, reader="su", before="a chmod of the store, which is refused"),
    Row("the same, and others may look into it", OWN, give_to_root("all", mode=0o755), {"store-owner"}, left={"store-mode"},
        reader="sudo"),
    Row("a server's directory belongs to root after sudo docker login", "https://github.com/docker/docker-credential-helpers/issues/212",
        give_to_root("server", "entry"), {"server-unreadable"}, reader="sudo",
        before="docker-credential-helpers could not be checked, and no command"),
    Row("a server's directory belongs to root, and others may look into it", OWN, give_to_root("server", mode=0o755),
        {"server-not-writable", "entry-owner"}, left={"entry-mode"}, reader="su"),
    Row("the whole store belongs to root", OWN, give_to_root("root", "all", "server", "entry", ".gpg-id", mode=0o700),
        {"store-unreadable"}, reader="su"),
    Row(".gpg-id belongs to root and cannot be read", OWN, give_to_root(".gpg-id", mode=0o600), {"gpg-id-unreadable"}, reader="sudo"),
    Row("the modes shut the owner out", OWN, set_mode("all", 0o500), {"store-mode"}, reader="sudo"),
    Row("a container's user without a passwd entry, in a HOME that all may write to", OWN, no_passwd_entry),
    Row("PASSWORD_STORE_DIR ends in a slash", OWN, lambda user: user.env.update(PASSWORD_STORE_DIR=f"{user.prefix}/")),
    Row("PASSWORD_STORE_DIR has a ~ that no shell has expanded", OWN, lambda user: user.env.update(PASSWORD_STORE_DIR="~/.password-store"),
        {"store-tilde"}, before="setup would have made a directory named ~"),
]

ENTRIES = [
    Row(".gpg-id was lost, and there are logins", OWN, lose_gpg_id,
        {"gpg-id-missing"}, answers=SETUP, before="a command that refuses"),
    Row(".gpg-id is a directory", OWN, lambda user: (lose_gpg_id(user), (user.prefix / ".gpg-id").mkdir(mode=0o700))[0],
        {"gpg-id-unreadable"}, before="a command that refuses"),
    Row("there is no store yet", "https://github.com/docker/docker-credential-helpers/issues/102", lambda user: shutil.rmtree(user.prefix),
        {"store-missing"}, answers=SETUP),
    Row("a gopass store with age", OWN,
        lambda user: (user.prefix / ".gpg-id").rename(user.prefix / ".age-recipients") and None, {"store-is-age"}, answers=SETUP),
    Row(".gpg-id has a NUL byte", OWN, lambda user: (user.prefix / ".gpg-id").write_bytes(b"x\0y\n") and None, {"gpg-id-invalid"},
        has_cure=False),
    Row("a server's directory has files, but no entry", OWN,
        lambda user: user.entry(URL, "me").rename(user.server_folder(URL) / "me.GPG") and None, {"directory-without-entry"}, rc=0,
        has_cure=False, before="rmdir, which fails"),
    Row("a pipe is called like an entry", OWN, lambda user: os.mkfifo(user.server_folder(URL) / "pipe.gpg", 0o600), {"entry-no-file"},
        rc=0, deletes=True),
    Row("a server's directory is empty after a crash", OWN,
        lambda user: user.server_folder("https://empty").mkdir(mode=0o700), {"directory-empty"}, rc=0, deletes=True),
    Row("a temporary file of a login that was cut off", OWN, make_file("docker-credential-helpers/.docker-credential-pass.tmp"),
        {"leftover"}, rc=0),
    Row("an entry is cut off after a full disk", OWN,
        log_in_again(lambda user, entry: entry.write_bytes(entry.read_bytes()[:-20])), {"entry-damaged"}),
]

GITS = [
    Row("the post-commit hook of the repository", "https://github.com/ruvnet/ruflo/issues/3380", hook("post-commit"),
        {"git-programs-not-run"}, rc=0, is_typed=False),
    Row("the store is a git repository", OWN, with_git()),
    Row("the repository belongs to another user", "https://github.com/trufflesecurity/trufflehog/issues/2495", foreign_git,
        {"git-not-trusted"}, rc=0, reader="sudo", is_typed=False),
    Row("git is not installed", OWN, with_git(lambda user: user.env.update(PATH=user.path_without("git"))), {"git-missing"}, rc=0, reader="root", before="\"git could not be run\", and no command"),
    Row("git does not know who the user is", OWN, with_git(
        lambda user: (user.home / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n") and None), {"git-no-identity"}, rc=0),
    Row("git's index is corrupt", OWN, with_git(lambda user: (user.prefix / ".git/index").write_bytes(b"garbage") and None),
        {"git-broken"}, rc=0, has_cure=False, before="git records what is stored"),
    Row(".git is empty", OWN, lambda user: (user.prefix / ".git").mkdir(), {"git-broken"}, rc=0, has_cure=False,
        before="git does not know who you are"),
    Row(".git names a repository that is gone", OWN, lambda user: (user.prefix / ".git").write_text("gitdir: /nonexistent\n") and None,
        {"git-broken"}, rc=0, has_cure=False, before="a command that does not help"),
    Row("GIT_DIR names another repository", OWN, with_git(lambda user: user.env.update(GIT_DIR=str(user.dir / "other")))),
    Row("a merge has a conflict", OWN, merging, {"git-merging"}, rc=0, has_cure=False,
        before="a command that concludes the merge"),
    Row(".gitignore has *.gpg", OWN, with_git(lambda user: (user.prefix / ".gitignore").write_text("*.gpg\n") and None), {"git-ignores"},
        rc=0, has_cure=False, before="git records what is stored"),
    Row("git left its index.lock", OWN, lock_index, {"git-lock"}, rc=0, deletes=True),
    Row("changes that git has not recorded", OWN, change_unrecorded, {"git-not-recorded"}, rc=0),
    Row("a hook of the user for all repositories refuses commits", "https://github.com/gitui-org/gitui/issues/808",
        own_hook("echo no secrets here; exit 1", True), {"git-hook-refuses"}, rc=0, has_cure=False, words=("no secrets here",),
        before="git records what is stored"),
    Row("a hook of the user for all repositories accepts commits", "https://github.com/pre-commit/pre-commit/pull/2994",
        own_hook("git diff --cached --quiet && exit 1; exit 0", False), is_long=True),
    Row("a hook of the user for all repositories, and TMPDIR does not exist", OWN, nowhere_to_try, {"git-not-tried"}, rc=0, has_cure=False, is_long=True),
    Row("commit.gpgsign, and the key for it is missing", "https://github.com/desktop/desktop/issues/18015",
        sign_commits("0123456789ABCDEF"), {"git-key-missing"}, rc=0, before="git records what is stored"),
    Row("pass.signcommits, and the key for it is missing", "https://github.com/gopasspw/gopass/issues/13",
        sign_commits("nobody@example.org", "pass.signcommits"), {"git-key-missing"}, rc=0, is_long=True, before="git records what is stored"),
    Row("commit.gpgsign with the store's own key", "https://github.com/gopasspw/gopass/issues/52", sign_commits(None), is_long=True),
    Row("core.fsmonitor of the repository names a program", "https://github.com/mistralai/mistral-vibe/pull/962", git_config("core.fsmonitor", "touch {user.dir}/ran; false"),
        {"git-programs-not-run"}, rc=0, is_typed=False),
    Row("core.hooksPath of the repository", "https://github.com/atlassian/atlascode/pull/1918", git_config("core.hooksPath", "{user.prefix}/hooks"), {"git-programs-not-run"}, rc=0, is_typed=False),
    Row("filter.x.clean of the repository", "https://github.com/hashgraph-online/hol-guard/pull/1974", git_config("filter.x.clean", "touch {user.dir}/ran"),
        {"git-not-trusted"}, rc=0, is_typed=False),
    Row("include.path of the repository", OWN, git_config("include.path", "{user.prefix}/evil"), {"git-not-trusted"}, rc=0, is_typed=False),
    Row("gpg.program of the repository", OWN, git_config("gpg.program", "touch {user.dir}/ran"), {"git-not-trusted"}, rc=0, is_typed=False),
    Row("core.worktree leads elsewhere", OWN, git_config("core.worktree", "/"), {"git-not-trusted"}, rc=0, is_typed=False),
    Row("a bare repository is buried in the store", "https://github.com/libgit2/libgit2/issues/6400", bare_repository),
    Row("git-crypt's filter in a team's store", OWN, git_config("filter.git-crypt.clean", "git-crypt clean"),
        {"git-not-trusted"}, rc=0),
]

run_table("stores", [*STORES, *ENTRIES, *GITS])
