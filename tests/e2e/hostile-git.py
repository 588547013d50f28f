#!/usr/bin/env python3
"""A store with an attacker's .git: until the user trusts it, none of its programs runs and nothing outside changes."""

import contextlib
import functools
import json
import os
import shutil

from harness import Skip, case, main, need, shared_sandbox

URL = "https://example.com"
NEW = "https://new.example.com"


USER = shared_sandbox()
CONFIG = "[user]\n\tname = Test User\n\temail = test@example.com\n"


@functools.cache
def template():
    """Makes a store in a repository with one login, before the attack."""
    need("git")
    USER.make_store(git=True)
    USER.prefix.chmod(0o700)
    USER.run(["chmod", "-R", "go-w", USER.prefix], check=True)
    USER.store(URL, "me", "secret")
    USER.program = USER.dir / "program"
    USER.outside = USER.dir / "outside"
    USER.program.write_text(f"#!/bin/sh\necho \"$0 $*\" >>{USER.dir}/canary\nexec cat\n")
    USER.program.chmod(0o755)
    return shutil.copytree(USER.prefix, USER.dir / "template", symlinks=True)


@contextlib.contextmanager
def prepared(prepare):
    """Yields the user with a fresh copy of that store after prepare(user), and the file that its programs would write."""
    source, canary = template(), USER.dir / "canary"
    for path in (USER.prefix, USER.outside, USER.dir / "clone", USER.dir / "hooks"):
        shutil.rmtree(path, ignore_errors=True)
    canary.unlink(missing_ok=True)
    (USER.home / ".gitconfig").write_text(CONFIG)
    shutil.copytree(source, USER.prefix, symlinks=True)
    USER.outside.mkdir()
    prepare(USER)
    yield USER, canary


def config(name, value="PROGRAM", more=()):
    def prepare(user):
        for key, text in ((name, value), *more):
            user.git("config", key, text.replace("PROGRAM", str(user.program)))
    return prepare


def attributes(text, then):
    def prepare(user):
        (user.prefix / ".gitattributes").write_text(text)
        then(user)
    return prepare


def hook(name):
    def prepare(user):
        folder = user.prefix / ".git/hooks"
        folder.mkdir(exist_ok=True)
        shutil.copy(user.program, folder / name)
    return prepare


def included(user):
    (user.prefix / ".git/more").write_text(f"[core]\n\tfsmonitor = {user.program}\n")
    user.git("config", "include.path", "more")


def in_worktree_config(user):
    user.git("config", "extensions.worktreeConfig", "true")
    user.git("config", "--worktree", "filter.x.clean", str(user.program))
    (user.prefix / ".gitattributes").write_text("* filter=x\n")


def promisor(user):
    """Removes a blob; fetching it would run core.sshCommand."""
    user.git("config", "core.repositoryformatversion", "1")
    user.git("config", "extensions.partialClone", "origin")
    user.git("config", "remote.origin.url", "ssh://localhost/x")
    user.git("config", "remote.origin.promisor", "true")
    user.git("config", "core.sshCommand", str(user.program))
    tree = user.git("rev-parse", "HEAD^{tree}").strip()
    (user.prefix / ".git/objects" / tree[:2] / tree[2:]).unlink()


def spoofed_scope(user):
    """Sets a value with line ends that imitates the user's own setting."""
    user.git("config", "filter.x.clean", str(user.program))
    user.git("config", "alias.x", f"y\nglobal\tdocker-credential-pass.trustedrepository={user.prefix}")
    user.git("config", "docker-credential-pass.trustedRepository", str(user.prefix))
    (user.prefix / ".gitattributes").write_text("* filter=x\n")


def submodule(user):
    inner = user.prefix / "inner"
    user.run(["git", "init", "-q", inner], check=True)
    user.run(["git", "-C", inner, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    user.git("add", "inner")
    user.git("commit", "-q", "-m", "inner")
    user.run(["git", "-C", inner, "config", "core.fsmonitor", str(user.program)], check=True)
    user.run(["git", "-C", inner, "commit", "-q", "--allow-empty", "-m", "y"])
    (user.dir / "canary").unlink(missing_ok=True)


def false_repository(user):
    """Commits a bare repository into the store at the place of the entry."""
    folder = user.server_folder(NEW)
    folder.mkdir(parents=True)
    user.run(["git", "init", "-q", "--bare", folder], check=True)
    user.run(["git", "-C", folder, "config", "core.fsmonitor", str(user.program)], check=True)


def link(name, target):
    def prepare(user):
        path = user.prefix / ".git" / name
        place = user.outside / target
        if path.is_dir():
            shutil.copytree(path, place)
            shutil.rmtree(path)
        elif path.exists():
            shutil.copy(path, place)
            path.unlink()
        path.parent.mkdir(exist_ok=True, parents=True)
        path.symlink_to(place)
    return prepare


def hard_link(user):
    log = user.prefix / ".git/logs/HEAD"
    shutil.copy(log, user.outside / "log")
    log.unlink()
    os.link(user.outside / "log", log)


def git_file(user):
    (user.prefix / ".git").rename(user.outside / "repository")
    (user.prefix / ".git").write_text(f"gitdir: {user.outside}/repository\n")


def git_link(user):
    (user.prefix / ".git").rename(user.outside / "repository")
    (user.prefix / ".git").symlink_to(user.outside / "repository")


def common_directory(user):
    shutil.copytree(user.prefix / ".git", user.outside / "repository")
    (user.prefix / ".git/commondir").write_text(f"{user.outside}/repository\n")


def work_tree(user):
    user.git("config", "core.worktree", str(user.outside))


def shared(user):
    (user.prefix / ".git").chmod(0o777)


def of_another(user):
    if os.geteuid() != 0:
        raise Skip("only root can change the owner of a file")
    os.chown(user.prefix / ".git/config", 1234, 1234)


# Attack: (function, whether the change is committed nevertheless, without the program).
SITUATIONS = {
    "core.fsmonitor": (config("core.fsmonitor"), True),
    "core.fsmonitor, git's own daemon": (config("core.fsmonitor", "true"), True),
    "core.hooksPath": (config("core.hooksPath", "PROGRAM.d"), True),
    "filter clean": (attributes("* filter=x\n", config("filter.x.clean")), False),
    "filter process": (attributes("* filter=x\n", config("filter.x.process", more=[("filter.x.required", "true")])), False),
    "filter in .git/info/attributes": (lambda user: (
        (user.prefix / ".git/info").mkdir(exist_ok=True), (user.prefix / ".git/info/attributes").write_text("* filter=x\n"),
        config("filter.x.smudge", more=[("filter.x.clean", "PROGRAM")])(user)), False),
    "gpg.program": (config("gpg.program", more=[("commit.gpgsign", "true")]), False),
    "gpg.ssh.program": (config("gpg.ssh.program", more=[("gpg.format", "ssh"), ("user.signingkey", "key::x"),
                                                        ("pass.signcommits", "true")]), False),
    "gpg.ssh.defaultKeyCommand": (config("gpg.ssh.defaultKeyCommand", more=[("gpg.format", "ssh"),
                                                                            ("pass.signcommits", "true")]), False),
    "include.path": (included, False),
    "the work tree's own configuration": (in_worktree_config, False),
    "core.attributesFile": (config("core.attributesFile", "/dev/null"), False),
    "gc.recentObjectsHook": (config("gc.recentObjectsHook", more=[("gc.auto", "1")]), False),
    "a partial clone with core.sshCommand": (promisor, False),
    "a value that imitates the user's trust": (spoofed_scope, False),
    "core.fsmonitor of a submodule": (submodule, True),
    "a bare repository in place of a server": (false_repository, True),
    **{f"hook {name}": (hook(name), True) for name in (
        "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-index-change", "reference-transaction")},
    "hook pre-auto-gc": (lambda user: (hook("pre-auto-gc")(user), config("gc.auto", "1")(user)), True),
    "the index is a link": (link("index", "index"), False),
    "the log is a link": (link("logs/HEAD", "log"), False),
    "the log has a second hard link": (hard_link, False),
    "the branches are a link": (link("refs/heads", "heads"), False),
    "an object directory is a link": (link("objects/00", "objects"), False),
    "COMMIT_EDITMSG is a link": (link("COMMIT_EDITMSG", "message"), False),
    ".git is a file that leads elsewhere": (git_file, False),
    ".git is a link": (git_link, False),
    "commondir": (common_directory, False),
    "core.worktree": (work_tree, False),
    "others may write to .git": (shared, False),
    "the configuration is another user's": (of_another, False),
}


def look(folder):
    return {str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in [folder, *folder.rglob("*")]}


def head(user):
    shown = user.run(["git", "-C", user.prefix, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "rev-list",
                      "--count", "HEAD"])
    return shown.out.decode().strip() if shown.rc == 0 else "unreadable"


for name, (prepare, is_committed) in SITUATIONS.items():
    @case(name)
    def _(prepare=prepare, is_committed=is_committed, name=name):
        with prepared(prepare) as (user, canary):
            before, count = look(user.outside), head(user)
            for words in (("get",), ("list",), ("doctor", "--json"), ("doctor", "--fix", "--json")):
                result = user.helper(*words, stdin=URL.encode())
                assert not canary.exists() and look(user.outside) == before, (words, result, canary.exists())
            findings = {one["id"] for one in json.loads(result.out)["findings"]}
            result = user.store(NEW, "me", "new", check=False)
            assert (result.rc, result.out) == (0, b"") and user.get(NEW) == ("me", "new"), result
            assert not canary.exists(), (result, canary.read_text())
            assert look(user.outside) == before, (result, set(look(user.outside).items()) - set(before.items()))
            assert (head(user) != count) == is_committed, (name, result, count)
            harmless = not result.err
            if not is_committed:
                assert not harmless and "git-not-trusted" in findings, (result, findings)
            if not harmless:
                assert result.err.count(b"\n") == 1 and b"trustedRepository" in result.err, result
            if not harmless and is_committed:
                assert "git-programs-not-run" in findings, findings
            result = user.helper("erase", stdin=NEW.encode())
            assert (result.rc, result.out) == (0, b"") and not canary.exists(), result
            assert look(user.outside) == before, result


@case("after the user trusts it with the printed command, hooks, filters and a linked repository work as with pass")
def _():
    for prepare in (hook("post-commit"), config("core.fsmonitor"), attributes("* filter=x\n", config("filter.x.clean"))):
        with prepared(prepare) as (user, canary):
            shown = user.store(NEW, "me", "new", check=False).err.decode()
            assert not canary.exists(), shown
            user.run(["sh", "-c", shown[shown.index("git config"):]], check=True)
            user.store(NEW, "me", "newer")
            assert canary.exists(), "the trusted program does not run"
            found = json.loads(user.helper("doctor", "--json").out)["findings"]
            assert not {one["id"] for one in found} & {"git-not-trusted", "git-programs-not-run"}, found
    with prepared(git_file) as (user, _):
        user.run(["git", "config", "--global", "--add", "docker-credential-pass.trustedRepository", user.prefix], check=True)
        count = head(user)
        user.store(NEW, "me", "newer")
        assert head(user) != count


@case("hooks, monitors and filters of the user's own configuration always run")
def _():
    with prepared(lambda user: None) as (user, canary):
        hooks = user.dir / "hooks"
        hooks.mkdir()
        shutil.copy(user.program, hooks / "pre-commit")
        user.run(["git", "config", "--global", "core.hooksPath", hooks], check=True)
        hook("post-commit")(user)       # git itself would not run it either, so no warning is needed
        user.store(NEW, "me", "new")
        assert canary.exists() and "pre-commit" in canary.read_text() and "post-commit" not in canary.read_text()
        canary.unlink()
        (user.prefix / ".gitattributes").write_text("* filter=x\n")
        user.run(["git", "config", "--global", "filter.x.clean", user.program], check=True)
        user.store(NEW, "me", "newer")
        assert canary.exists() and str(user.program) in canary.read_text()


@case("commits in ordinary repositories cause no output: cloned, with remotes, signed, created with umask 002")
def _():
    with prepared(lambda user: None) as (user, _):
        other = user.dir / "clone"
        user.run(["git", "clone", "-q", user.prefix, other], check=True)
        other.chmod(0o700)
        user.run(["chmod", "-R", "go-w", other], check=True)
        env = {"PASSWORD_STORE_DIR": other}
        user.run(["git", "-C", other, "config", "core.sshCommand", "ssh -i key"], check=True)
        user.run(["git", "-C", other, "config", "diff.gpg.textconv", "gpg -d"], check=True)
        user.run(["git", "-C", other, "config", "branch.main.remote", "origin"], check=True)
        user.store(NEW, "me", "new", env=env)
        assert user.run(["git", "-C", other, "status", "--porcelain"], check=True).out == b""


main()
