#!/usr/bin/env python3
"""A store in git: each change is a commit of that path only, with pass's messages; git errors never lose a login."""

import concurrent.futures
import contextlib
import os
import shutil
import threading
import time

from harness import Sandbox, Skip, case, is_wrapped, main, need

URL = "https://example.com"
PARALLEL = 4 if is_wrapped() else 12


@contextlib.contextmanager
def sandbox(git=True):
    need("git")
    with Sandbox() as user:
        (user.home / ".gitconfig").write_text("[user]\n\tname = Test User\n\temail = test@example.com\n")
        user.make_store(git=git)
        yield user


def path_of(user, username="me", url=URL):
    return str(user.entry(url, username).relative_to(user.prefix))


def added(user, username="me", url=URL):
    return f"Add given password for {path_of(user, username, url)[:-len('.gpg')]} to store."


def removed(user, url=URL):
    return f"Remove {user.server_folder(url).relative_to(user.prefix)} from store."


def commits(user, at=None):
    """Returns all commits except the first, oldest first: (message, [status and path of each file])."""
    shown = user.run(["git", "-C", at or user.prefix, "log", "--reverse", "-z", "--no-renames", "--name-status",
                      "--format=%x01%B%x02"], check=True).out.decode()
    result = []
    for one in shown.split("\x01")[2:]:
        message, _, files = one.partition("\x02")
        words = [word.strip("\n") for word in files.split("\0") if word.strip("\n")]
        result.append((message.strip("\n\0"), [" ".join(pair) for pair in zip(words[::2], words[1::2])]))
    return result


def status(user, at=None):
    return user.run(["git", "-C", at or user.prefix, "status", "--porcelain", "--untracked-files=all"], check=True).out


def trust(user):
    user.run(["git", "config", "--global", "docker-credential-pass.trustedRepository", user.prefix], check=True)


def hook(user, name, text):
    """Installs a hook that the user trusts; tests/e2e/hostile-git.py has untrusted hooks."""
    trust(user)
    path = user.prefix / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def warned(user, result):
    """Checks that the login succeeded, the entry exists, and one line on stderr says what git did not do."""
    assert result.rc == 0 and result.out == b"", result
    assert result.err.count(b"\n") == 1 and result.err.endswith(b"\n") and b"git" in result.err, result
    assert user.get(URL) == ("me", "secret")


# --- the commits ------------------------------------------------------------

@case("add, overwrite and erase are one commit each, with pass's message, of that path only")
def _():
    with sandbox() as user:
        user.store(URL, "me", "one")
        user.store(URL, "me", "two")
        user.erase(URL)
        path = path_of(user)
        assert commits(user) == [(added(user), [f"A {path}"]), (added(user), [f"M {path}"]),
                                 (removed(user), [f"D {path}"])], commits(user)
        assert status(user) == b""


@case("the commit contains the entry")
def _():
    with sandbox() as user:
        user.store(URL, "me", "secret")
        shown = user.run(["git", "-C", user.prefix, "show", f"HEAD:{path_of(user)}"], check=True).out
        assert shown == user.entry(URL, "me").read_bytes()


@case("the author is the user of git's configuration")
def _():
    with sandbox() as user:
        user.store(URL, "me", "secret")
        assert user.git("log", "-1", "--format=%an <%ae>|%cn").strip() == "Test User <test@example.com>|Test User"


@case("files that others have staged or changed are not in our commits, and stay unchanged")
def _():
    with sandbox() as user:
        (user.prefix / "tracked.gpg").write_text("one")
        user.git("add", "tracked.gpg")
        user.git("commit", "-q", "-m", "theirs")
        (user.prefix / "tracked.gpg").write_text("two")
        (user.prefix / "staged.gpg").write_text("x")
        (user.prefix / "untracked.gpg").write_text("x")
        user.git("add", "staged.gpg")
        before = status(user)
        user.store(URL, "me", "secret")
        user.erase(URL)
        assert [files for _, files in commits(user)][1:] == [[f"A {path_of(user)}"], [f"D {path_of(user)}"]]
        assert status(user) == before


@case("another user of the same server: one commit for the path added, one for the path removed")
def _():
    with sandbox() as user:
        user.store(URL, "old", "secret")
        user.store(URL, "new/nested", "secret")
        made = commits(user)[1:]
        wanted = [[f"A {path_of(user, 'new/nested')}"], [f"D {path_of(user, 'old')}"]]
        assert [files for _, files in made] == wanted, made
        assert made[0][0] == added(user, "new/nested") and made[1][0].startswith("Remove docker-credential-helpers/")
        assert status(user) == b""


@case("erase of several users also leaves nothing in git")
def _():
    with sandbox() as user:
        for name in ("a", ".hidden", "b/c"):
            user.entry(URL, name).parent.mkdir(parents=True, exist_ok=True)
            user.entry(URL, name).write_bytes(b"x")
        user.git("add", ".")
        user.git("commit", "-q", "-m", "theirs")
        user.erase(URL)
        assert status(user) == b"" and user.git("ls-files", "docker-credential-helpers") == ""
        assert all(message == removed(user) for message, _ in commits(user)[1:]), commits(user)


@case("erasing an untracked entry prints nothing")
def _():
    with sandbox() as user:
        user.entry(URL, "me").parent.mkdir(parents=True)
        user.entry(URL, "me").write_bytes(b"x")
        result = user.helper("erase", stdin=URL.encode())
        assert (result.rc, result.out, result.err) == (0, b"", b"") and commits(user) == [] and status(user) == b""


@case("get, list, an erase of a missing entry and a refused store commit nothing")
def _():
    with sandbox() as user:
        user.store(URL, "me", "secret")
        before = user.git("rev-parse", "HEAD")
        user.get(URL)
        user.list()
        user.erase("elsewhere")
        user.store(URL, "../x", "secret", check=False)
        assert user.git("rev-parse", "HEAD") == before


@case("user names that are special to git are committed literally, and only these")
def _():
    with sandbox() as user:
        for name in ("*", "[a-z]", "?", "**", ":x", ":(glob)**", "-x", "--all", "a b", "\u00e9", "a\\*", '"', "!x",
                     "#x"):
            for last in ("x", name, "x"):   # a user that some of the names match as patterns is stored before and after
                user.store(URL, last, "secret")
                files = user.git("ls-files", "-z", "docker-credential-helpers").split("\0")[:-1]
                assert files == [path_of(user, last)], (name, files)
                assert status(user) == b"", (name, status(user))
        assert all(len(files) == 1 for _, files in commits(user)), [one for one in commits(user) if len(one[1]) != 1]


# --- which repository -------------------------------------------------------

@case("git does not run if the store is not a work tree")
def _():
    with sandbox(git=False) as user:
        called, shims = user.dir / "git-called", user.dir / "shims"
        shims.mkdir()
        (shims / "git").write_text(f"#!/bin/sh\necho called >>{called}\n")
        (shims / "git").chmod(0o755)
        env = {"PATH": f"{shims}:{user.env['PATH']}"}
        user.store(URL, "me", "secret", env=env)
        user.store(URL, "you", "secret", env=env)
        user.erase(URL, env=env)
        assert not called.exists()
        user.make_git()
        user.store(URL, "me", "secret", check=False, env=env)
        assert called.exists(), "the shim was never called, so this case proves nothing"


@case("a repository above the store is not used, not even if the store is a link into it")
def _():
    with sandbox(git=False) as user:
        above = user.dir / "repository"
        above.mkdir()
        user.run(["git", "init", "-q", above], check=True)
        user.prefix.rename(above / "store")
        for prefix in (above / "store", user.prefix):
            if prefix == user.prefix:
                user.prefix.symlink_to(above / "store")
            user.store(URL, "me", "secret", env={"PASSWORD_STORE_DIR": prefix})
            user.erase(URL, env={"PASSWORD_STORE_DIR": prefix})
            user.store(URL, "me", "secret", env={"PASSWORD_STORE_DIR": f"{prefix}/"})
            assert user.run(["git", "-C", above, "log"]).rc != 0, "a commit above the store"
            assert user.run(["git", "-C", above, "ls-files"], check=True).out == b""


@case("if .git in the store is not a repository, one above the store is not used")
def _():
    with sandbox(git=False) as user:
        above = user.dir / "repository"
        above.mkdir()
        user.run(["git", "init", "-q", above], check=True)
        user.prefix.rename(above / "store")
        user.prefix.symlink_to(above / "store")
        (above / "store" / ".git").mkdir()
        for prefix in (above / "store", user.prefix):
            env = {"PASSWORD_STORE_DIR": prefix}
            assert user.store(URL, "me", "secret", check=False, env=env).rc == 0
            assert user.get(URL, env=env) == ("me", "secret")
            user.erase(URL, env=env)
            assert user.run(["git", "-C", above, "log"]).rc != 0, "a commit above the store"
            assert user.run(["git", "-C", above, "ls-files"], check=True).out == b""


@case("a .git file is followed: the store may be a linked work tree")
def _():
    with sandbox(git=False) as user:
        origin = user.dir / "origin"
        user.prefix.rename(origin)
        user.prefix = origin
        user.make_git()
        user.prefix = user.home / ".password-store"
        user.run(["git", "-C", origin, "worktree", "add", "-q", "-b", "work", user.prefix], check=True)
        assert (user.prefix / ".git").is_file()
        trust(user)
        user.store(URL, "me", "secret")
        user.erase(URL)
        assert [message for message, _ in commits(user)] == [added(user), removed(user)]
        assert status(user) == b"" and commits(user, origin) == []


@case("with nested repositories the innermost one is used, and the outer one gets no commit")
def _():
    with sandbox() as user:
        user.folder.mkdir()
        user.run(["git", "init", "-q", user.folder], check=True)
        user.run(["git", "-C", user.folder, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
        user.store(URL, "me", "secret")
        user.erase(URL)
        path = str(user.entry(URL, "me").relative_to(user.folder))
        assert commits(user, user.folder) == [(added(user), [f"A {path}"]), (removed(user), [f"D {path}"])]
        assert commits(user) == [] and (user.folder / ".git").is_dir() and status(user, user.folder) == b""


@case("git's own variables in the environment are ignored")
def _():
    with sandbox() as user:
        other = user.dir / "other"
        user.run(["git", "init", "-q", other], check=True)
        names = {"GIT_DIR": other / ".git", "GIT_WORK_TREE": other, "GIT_INDEX_FILE": other / "index",
                 "GIT_NAMESPACE": "x", "GIT_INDEX_VERSION": "4", "GIT_OBJECT_DIRECTORY": other / ".git/objects",
                 "GIT_COMMON_DIR": other / ".git", "GIT_CEILING_DIRECTORIES": user.prefix}
        for n, env in enumerate([*({name: value} for name, value in names.items()), names]):
            user.store(f"h{n}", "me", "secret", env=env)
            user.erase(f"h{n}", env=env)
            assert commits(user)[-2:] == [(added(user, url=f"h{n}"), [f"A {path_of(user, url=f'h{n}')}"]),
                                          (removed(user, f"h{n}"), [f"D {path_of(user, url=f'h{n}')}"])], env
        assert user.run(["git", "-C", other, "log"]).rc != 0 and not (other / "index").exists()
        assert status(user) == b""


@case("the current directory and a relative PASSWORD_STORE_DIR do not matter")
def _():
    with sandbox() as user:
        user.store(URL, "me", "secret", cwd="/")
        user.store(URL, "me", "secret", cwd=user.home, env={"PASSWORD_STORE_DIR": ".password-store"})
        user.store(URL, "me", "secret", cwd=user.prefix, env={"PASSWORD_STORE_DIR": "."})
        assert [files for _, files in commits(user)] == [[f"A {path_of(user)}"], [f"M {path_of(user)}"],
                                                         [f"M {path_of(user)}"]], commits(user)


@case("commits work in a store whose name is a pattern, and in one behind a link")
def _():
    with sandbox() as user:
        odd, link = user.dir / "st[o]re *", user.dir / "link"
        user.prefix.rename(odd)
        link.symlink_to(odd)
        user.prefix = odd
        for root in (odd, link):
            user.store(URL, "me", "secret", env={"PASSWORD_STORE_DIR": root})
            user.erase(URL, env={"PASSWORD_STORE_DIR": root})
        entry = str(user.server_folder(URL).relative_to(user.home / ".password-store")) + "/me.gpg"
        assert [files for _, files in commits(user)] == [[f"A {entry}"], [f"D {entry}"]] * 2, commits(user)
        assert status(user) == b""


# --- git errors -------------------------------------------------------------

@case("a hook that refuses the commit: exit 0, the entry is kept, one line of warning")
def _():
    with sandbox() as user:
        hook(user, "pre-commit", "echo 'no such luck' >&2\nexit 1")
        warned(user, user.store(URL, "me", "secret", check=False))
        assert commits(user) == []
        (user.prefix / ".git" / "hooks" / "pre-commit").unlink()
        user.store(URL, "me", "again")
        assert [files for _, files in commits(user)] == [[f"A {path_of(user)}"]] and status(user) == b""


@case("a hook that refuses the commit: erase still removes the entry and exits 0")
def _():
    with sandbox() as user:
        user.store(URL, "me", "secret")
        hook(user, "pre-commit", "exit 1")
        result = user.helper("erase", stdin=URL.encode())
        assert result.rc == 0 and result.out == b"" and result.err.count(b"\n") == 1, result
        assert user.get(URL) is None and user.list() == {}


@case("no identity: exit 0, the entry is kept, one line of warning")
def _():
    with sandbox() as user:
        (user.home / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
        warned(user, user.store(URL, "me", "secret", check=False))


@case("an ignored entry: exit 0, the entry is kept, one line of warning")
def _():
    with sandbox() as user:
        (user.prefix / ".gitignore").write_text("docker-credential-helpers\n")
        warned(user, user.store(URL, "me", "secret", check=False))


@case("no git on PATH: exit 0, the entry is kept, one line of warning")
def _():
    with sandbox() as user:
        warned(user, user.store(URL, "me", "secret", check=False, env={"PATH": user.path_without("git")}))


@case("a broken repository: exit 0, the entry is kept, one line of warning")
def _():
    with sandbox() as user:
        (user.prefix / ".git" / "index").write_bytes(b"no index")
        warned(user, user.store(URL, "me", "secret", check=False))


@case("a repository that git refuses because of its owner: exit 0, the entry is kept, one line of warning")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can give a repository to someone else")
    with sandbox() as user:
        for path in (user.prefix, user.prefix / ".git"):
            os.chown(path, 65534, 65534)
        assert user.run(["git", "-C", user.prefix, "status"]).rc != 0
        warned(user, user.store(URL, "me", "secret", check=False))


@case("output of hooks and git reaches neither our stdout nor our stderr")
def _():
    with sandbox() as user:
        for name in ("pre-commit", "post-commit", "commit-msg"):
            hook(user, name, "echo to stdout\necho to stderr >&2\ncat")
        user.store(URL, "me", "secret")     # asserts that both are empty
        user.erase(URL)
        assert len(commits(user)) == 2


@case("a message template, an editor and a pager in the configuration change nothing")
def _():
    with sandbox() as user:
        (user.dir / "template").write_text("TEMPLATE\n")
        for name, value in (("commit.template", user.dir / "template"), ("core.editor", "false"),
                            ("core.pager", "false"), ("commit.verbose", "true"), ("commit.status", "true"),
                            ("color.ui", "always")):
            user.git("config", name, value)
        user.store(URL, "me", "secret", env={"GIT_EDITOR": "false", "EDITOR": "false"})
        assert commits(user) == [(added(user), [f"A {path_of(user)}"])]


@case("a short-lived index.lock is waited for")
def _():
    with sandbox() as user:
        lock = user.prefix / ".git" / "index.lock"
        for seconds in (0.1, 0.4):
            lock.write_text("")
            release = threading.Timer(seconds, lock.unlink)
            release.start()
            user.store(URL, "me", "secret")
            release.join()
        user.erase(URL)
        assert len(commits(user)) == 3 and status(user) == b""


@case("an index.lock that stays: exit 0 within seconds, the entry is kept, one line of warning")
def _():
    with sandbox() as user:
        (user.prefix / ".git" / "index.lock").write_text("")
        began = time.monotonic()
        warned(user, user.store(URL, "me", "secret", check=False))
        assert is_wrapped() or time.monotonic() - began < 60, time.monotonic() - began
        assert (user.prefix / ".git" / "index.lock").exists(), "the lock of another process was removed"


# --- signing ----------------------------------------------------------------

@case("commits are signed if pass.signcommits is true, and not if it is false or unset")
def _():
    with sandbox() as user:
        for value, signed in (("true", True), ("false", False), ("yes", True), (None, False)):
            user.git(*(["config", "--bool", "pass.signcommits", value] if value
                       else ["config", "--unset", "pass.signcommits"]))
            user.store(URL, "me", f"{value}")
            assert ("gpgsig" in user.git("cat-file", "commit", "HEAD")) == signed, value
        user.git("config", "pass.signcommits", "true")
        user.erase(URL)
        assert user.git("log", "-1", "--format=%G?").strip() == "G"


@case("a commit that cannot be signed: exit 0, the entry is kept, one line of warning")
def _():
    with sandbox() as user:
        user.git("config", "pass.signcommits", "true")
        user.git("config", "user.signingkey", "nobody@example.com")
        warned(user, user.store(URL, "me", "secret", check=False))


# --- in parallel ------------------------------------------------------------

@case("an entry that another process's commit included counts as committed: no warning")
def _():
    with sandbox() as user:
        shims = user.dir / "shims"
        shims.mkdir()
        real = need("git")
        (shims / "git").write_text(   # pass commits everything staged between our add and our commit
            f'#!/bin/sh\ncase " $* " in *" commit "*) {real} -C {user.prefix} commit -q -m theirs;; esac\n'
            f'exec {real} "$@"\n')
        (shims / "git").chmod(0o755)
        user.store(URL, "me", "secret", env={"PATH": f"{shims}:{user.env['PATH']}"})   # asserts that stderr is empty
        assert commits(user) == [("theirs", [f"A {path_of(user)}"])] and status(user) == b""


@case("if another process's commit writes an older index over ours, the entry is staged again and committed")
def _():
    with sandbox() as user:
        user.store("other", "me", "secret")
        shims = user.dir / "shims"
        shims.mkdir()
        real = need("git")
        index = user.prefix / ".git" / "index"
        (shims / "git").write_text(   # git commit reads the index before it locks it
            f'#!/bin/sh\ncount={shims}/count\n'
            f'case " $* " in *" $VERB "*)\n  echo x >>$count\n'
            f'  [ $(wc -l <$count) -gt 2 ] || cp {user.dir}/older {index};;\nesac\nexec {real} "$@"\n')
        (shims / "git").chmod(0o755)
        for number, verb in enumerate(("status", "commit")):
            (shims / "count").unlink(missing_ok=True)
            shutil.copy(index, user.dir / "older")
            user.store(f"h{number}", "me", "secret", env={"PATH": f"{shims}:{user.env['PATH']}", "VERB": verb})
            assert added(user, url=f"h{number}") in [subject for subject, _ in commits(user)] and status(user) == b"", verb
            (shims / "count").unlink()
            shutil.copy(index, user.dir / "older")
            user.erase(f"h{number}", env={"PATH": f"{shims}:{user.env['PATH']}", "VERB": verb})
            assert status(user) == b"" and f"h{number}" not in user.git("ls-files"), verb


@case(f"{PARALLEL} concurrent stores: as many commits of one file each, and a clean work tree")
def _():
    with sandbox() as user, concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        urls = [f"h{n}" for n in range(PARALLEL)]
        list(pool.map(lambda url: user.store(url, "me", "secret"), urls))
        made = sorted(commits(user))
        assert made == sorted((added(user, url=url), [f"A {path_of(user, url=url)}"]) for url in urls), made
        assert status(user) == b"" and user.leftovers() == []


@case("after concurrent stores and erases, git's content is the same as the files")
def _():
    with sandbox() as user, concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        urls = [f"h{n}" for n in range(PARALLEL // 2)]
        for url in urls:
            user.store(url, "me", "secret")
        jobs = [pool.submit(user.erase, url) for url in urls]
        jobs += [pool.submit(user.store, f"new {url}", "me", "secret") for url in urls]
        for job in jobs:
            job.result()
        assert status(user) == b"" and set(user.list()) == {f"new {url}" for url in urls}


@case("with as many concurrent pass inserts, every one of our entries is finally committed")
def _():
    need("pass")
    with sandbox() as user, concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        count = PARALLEL // 2
        theirs = [pool.submit(user.run, ["pass", "insert", "-m", "-f", f"theirs/{n}"], b"x") for n in range(count)]
        ours = [pool.submit(user.store, f"h{n}", "me", "secret", check=False) for n in range(count)]
        answers = [job.result() for job in theirs + ours][count:]
        tracked = user.git("ls-files").splitlines()
        for n, answer in enumerate(answers):
            path = path_of(user, url=f"h{n}")
            assert path in tracked and user.git("status", "--porcelain", "--", path) == "", (path, answer)
            assert (answer.rc, answer.out, answer.err) == (0, b"", b""), f"committed, but with output: {answer}"


main()
