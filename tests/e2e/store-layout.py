#!/usr/bin/env python3
"""The layout of the store: paths, modes, users, names, erasing, and invalid stores.

Prompts, crashes, concurrency, git and recipients have their own files.
"""

import functools
import os
import re
import shutil
import stat

from harness import NOT_FOUND, Sandbox, assert_refused, case, main, need_fast_path, shared_sandbox

URL = "https://example.com"
USER = shared_sandbox()
IDS = (USER.make_key(),)


def fresh(*lines):
    """Makes an empty store; lines are the content of its .gpg-id."""
    if USER.prefix.is_symlink():
        USER.prefix.unlink()
    shutil.rmtree(USER.prefix, ignore_errors=True)
    USER.make_store(*(lines or IDS))


@functools.lru_cache
def encrypted(secret):
    return USER.encrypt(secret, *IDS)


def put(name, secret=b"secret", url=URL):
    """Makes an entry with gpg and mkdir, without a helper."""
    path = USER.entry(url, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encrypted(secret))
    return path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def store_is_refused(*words, url=URL, name="me", secret="secret", **more):
    """Asserts that store fails with a one-line error and changes nothing."""
    before = USER.snapshot()
    assert_refused(USER.store(url, name, secret, check=False, **more), *words)
    assert USER.snapshot() == before, set(USER.snapshot().items()) ^ set(before.items())


def get_is_refused(*words, **more):
    assert_refused(USER.helper("get", stdin=URL.encode(), **more), *words)


def entry_name(name="me", url=URL):
    """Returns how an error may name an entry: the end of its path."""
    return str(USER.entry(url, name).relative_to(USER.folder))[:-len(".gpg")]


# --- paths and modes --------------------------------------------------------

@case("an entry is docker-credential-helpers/<base64url of the URL, padded>/<user>.gpg")
def _():
    fresh()
    for url, folder in (("https://index.docker.io/v1/", "aHR0cHM6Ly9pbmRleC5kb2NrZXIuaW8vdjEv"),
                        ("quay.io", "cXVheS5pbw=="), ("ghcr.io:443", "Z2hjci5pbzo0NDM="), ("a?>b~", "YT8-Yn4="),
                        ("\u00ff\u00bf?", "w7_Cvz8=")):
        USER.store(url, "me", "secret")
        assert (USER.folder / folder / "me.gpg").is_file(), (url, list(USER.folder.iterdir()))
    assert USER.leftovers() == []


@case("only the entry is created")
def _():
    fresh()
    before = set(USER.snapshot())
    USER.store(URL, "me", "secret")
    created = set(USER.snapshot()) - before
    assert created == {str(USER.folder), str(USER.server_folder(URL)), str(USER.entry(URL, "me"))}, created


@case("directories are 0700 and files 0600, whatever the caller's umask")
def _():
    for umask in (0, 0o22, 0o77):
        fresh()
        USER.store(URL, "team/me", "secret", umask=umask)
        entry = USER.entry(URL, "team/me")
        assert mode(entry) == 0o600, (umask, oct(mode(entry)))
        for folder in (entry.parent, USER.server_folder(URL), USER.folder):
            assert mode(folder) == 0o700, (umask, folder, oct(mode(folder)))


@case("PASSWORD_STORE_UMASK sets the modes; an empty value counts as unset")
def _():
    for umask, folders, files in (("022", 0o755, 0o644), ("027", 0o750, 0o640), ("0077", 0o700, 0o600),
                                  ("0", 0o777, 0o666), ("", 0o700, 0o600)):
        fresh()
        USER.store(URL, "me", "secret", env={"PASSWORD_STORE_UMASK": umask})
        shown = [mode(path) for path in (USER.folder, USER.server_folder(URL), USER.entry(URL, "me"))]
        assert shown == [folders, folders, files], (umask, [oct(each) for each in shown])


@case("an invalid PASSWORD_STORE_UMASK is refused by name, and nothing is written")
def _():
    fresh()
    for umask in ("private", "9", "08", "-077", "0x1f", "77777", "0 77"):
        store_is_refused("PASSWORD_STORE_UMASK", env={"PASSWORD_STORE_UMASK": umask})


@case("overwriting keeps the entry's mode")
def _():
    fresh()
    USER.store(URL, "me", "one")
    for kept in (0o644, 0o600, 0o640):
        USER.entry(URL, "me").chmod(kept)
        USER.store(URL, "me", "two")
        assert mode(USER.entry(URL, "me")) == kept, oct(mode(USER.entry(URL, "me")))


@case("PASSWORD_STORE_DIR selects the store; the one in the home directory is not used")
def _():
    fresh()
    before = USER.snapshot()
    other = USER.dir / "other store"
    shutil.copytree(USER.prefix, other)
    env = {"PASSWORD_STORE_DIR": other}
    USER.store(URL, "me", "secret", env=env)
    assert USER.get(URL, env=env) == ("me", "secret") and USER.list(env=env) == {URL: "me"}
    assert (other / USER.entry(URL, "me").relative_to(USER.prefix)).is_file() and USER.snapshot() == before
    USER.erase(URL, env=env)
    assert USER.list(env=env) == {} and (other / ".gpg-id").is_file()


@case("PASSWORD_STORE_DIR is used literally: no tilde or variable is expanded, relative to the current directory")
def _():
    fresh()
    for literal in ("~/st", "$HOME/st", "relative/../st", "st/", "./st"):
        work = USER.dir / "work"
        shutil.rmtree(work, ignore_errors=True)
        (work / "relative").mkdir(parents=True)
        shutil.copytree(USER.prefix, work / literal)
        env = {"PASSWORD_STORE_DIR": literal}
        USER.store(URL, "me", "secret", env=env, cwd=work)
        assert (work / literal / USER.entry(URL, "me").relative_to(USER.prefix)).is_file(), literal
        assert USER.get(URL, env=env, cwd=work) == ("me", "secret") and USER.list(env=env, cwd=work) == {URL: "me"}
        assert USER.get(URL, env=env, cwd=USER.home) is None, literal


@case("an empty PASSWORD_STORE_DIR counts as unset")
def _():
    fresh()
    USER.store(URL, "me", "secret", env={"PASSWORD_STORE_DIR": ""})
    assert USER.get(URL, env={"PASSWORD_STORE_DIR": ""}) == ("me", "secret")
    assert USER.entry(URL, "me").is_file()


@case("a store behind a symbolic link works, and so does a linked docker-credential-helpers")
def _():
    fresh()
    elsewhere = USER.dir / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    (elsewhere / "folder").mkdir(parents=True)
    USER.prefix.rename(elsewhere / "store")
    USER.prefix.symlink_to(elsewhere / "store")
    USER.folder.symlink_to(elsewhere / "folder")
    USER.store(URL, "me", "secret")
    assert USER.get(URL) == ("me", "secret") and USER.list() == {URL: "me"}
    assert USER.prefix.is_symlink() and USER.folder.is_symlink()
    assert len(list((elsewhere / "folder").rglob("*.gpg"))) == 1


@case("an entry that is a symbolic link is written through: the link stays, its target is replaced")
def _():
    fresh()
    target = USER.dir / "target.gpg"
    target.write_bytes(encrypted(b"old"))
    target.chmod(0o640)
    entry = put("me")
    entry.unlink()
    for link in (target, os.path.relpath(target, entry.parent)):
        entry.symlink_to(link)
        USER.store(URL, "me", "new")
        assert entry.is_symlink() and os.readlink(entry) == str(link)
        assert USER.decrypt(target) == b"new" and mode(target) == 0o640 and USER.get(URL) == ("me", "new")
        entry.unlink()
    assert not [path for path in USER.dir.glob("*") if path.name.startswith(".")], "a temporary file is left"


# --- the secret -------------------------------------------------------------

@case("an entry holds exactly the secret")
def _():
    fresh()
    for secret in ("secret", "", "two\nlines", "newline\n", "crlf\r\n", " blanks ", "\u00e9\u4e2d\0x", "x" * 100000):
        USER.store(URL, "me", secret)
        assert USER.decrypt(USER.entry(URL, "me")) == secret.encode(), secret[:20]


@case("get removes carriage returns and newlines only at the end, and keeps all lines")
def _():
    fresh()
    for stored, answered in ((b"s\n", "s"), (b"s\r\n", "s"), (b"s\n\r\r\n\n", "s"), (b"s\r", "s"), (b"\n", ""),
                             (b"a\nb\n", "a\nb"), (b"\n\ns", "\n\ns"), (b"s \t\n", "s \t"), (b"a\r\nb\r\n", "a\r\nb"),
                             (b'{\n  "type": "service_account"\n}\n', '{\n  "type": "service_account"\n}')):
        put("me", stored)
        assert USER.get(URL) == ("me", answered), stored


@case("armored and compressed entries and entries with a file name can be read")
def _():
    fresh()
    for options in (["--armor"], ["--compress-algo=zlib"], ["--set-filename=x"], ["--throw-keyids"], ["-s"]):
        entry = put("me")
        made = USER.run(["gpg", "--batch", "-q", *options, "-r", IDS[0], "-e"], b"by hand", check=True)
        entry.write_bytes(made.out)
        assert USER.get(URL) == ("me", "by hand"), options


@case("get and list change nothing in the store")
def _():
    fresh()
    put("me")
    before = USER.snapshot()
    USER.get(URL)
    USER.get("elsewhere")
    USER.list()
    USER.erase("elsewhere")
    assert USER.snapshot() == before


# --- users ------------------------------------------------------------------

def users():
    """Returns the names of the entries of URL, as paths below its directory."""
    folder = USER.server_folder(URL)
    return sorted(str(path.relative_to(folder))[:-4] for path in folder.rglob("*") if path.is_file())


@case("the last login wins: another user of the same server replaces the first")
def _():
    fresh()
    for name in ("first", "second", "a/nested", "b", "first"):
        USER.store(URL, name, f"secret of {name}")
        assert USER.get(URL) == (name, f"secret of {name}") and USER.list() == {URL: name}
        assert users() == [name] and USER.leftovers() == []


@case("a new login replaces all users that the Go helper left, and nothing of other servers")
def _():
    fresh()
    for name in ("a", "b/c/d", ".hidden", "z"):
        put(name)
    put("other", url="elsewhere")
    USER.store(URL, "m", "new")
    assert users() == ["m"] and USER.leftovers() == []
    assert USER.get(URL) == ("m", "new") and USER.get("elsewhere") == ("other", "secret")


@case("users whose file and directory have the same name: the old or the new login exists, never neither")
def _():
    for old, new in (("a", "a.gpg/b"), ("a.gpg/b", "a")):
        fresh()
        USER.store(URL, old, "old")
        done = USER.store(URL, new, "new", check=False)
        if done.rc:
            assert_refused(done)
        assert USER.get(URL) == ((old, "old") if done.rc else (new, "new")), done
        assert USER.leftovers() == []


@case("with several users, get and list use the first file name in byte order")
def _():
    for names, first in ((("b", "a"), "a"), (("a", "B"), "B"), (("a", "a-b"), "a-b"), (("a1", "a"), "a"),
                         (("\u00e9", "z"), "z"), ((".hidden", "a"), ".hidden"), (("a", "~"), "a"),
                         (("x", "<token>"), "<token>")):
        fresh()
        for name in names:
            put(name, name.encode())
        assert USER.get(URL) == (first, first) and USER.list() == {URL: first}, names


@case("only <user>.gpg is a user: not .gpg-id, README, a bare .gpg, dangling links, empty directories")
def _():
    fresh()
    put("user")
    folder = USER.server_folder(URL)
    for name in (".gpg-id", "README", ".gpg", "a.gpg.bak", "a.GPG", ".a.gpg.swp", "agpg"):
        (folder / name).write_bytes(encrypted(b"wrong"))
    (folder / "a.gpg").symlink_to("nowhere")
    (folder / "b.gpg").mkdir()
    (folder / "empty" / "below").mkdir(parents=True)
    (folder / ".gpg-id").write_text(f"{IDS[0]}\n")
    assert USER.get(URL) == ("user", "secret") and USER.list() == {URL: "user"}


@case("a server directory without a user is not found and not listed")
def _():
    for name in (".gpg-id", "README", ".gpg", None):
        fresh()
        USER.server_folder(URL).mkdir(parents=True)
        if name:
            (USER.server_folder(URL) / name).write_text("x")
        assert USER.get(URL) is None and USER.list() == {}, name


@case("a user with slashes is a nested entry that can be written and read")
def _():
    fresh()
    for name in ("tenancy/user", "a/b/c/d", "a/.hidden", "tenancy/oracleidentitycloudservice/me@example.com"):
        USER.store(URL, name, "secret")
        assert USER.decrypt(USER.entry(URL, name)) == b"secret"
        assert USER.get(URL) == (name, "secret") and USER.list() == {URL: name}
        USER.erase(URL)
        assert not USER.folder.exists(), list(USER.folder.rglob("*"))


@case("a user with very many parts is stored, or refused without leaving anything")
def _():
    for parts in (10, 60, 64, 65, 66, 67, 100, 500, 2000):
        fresh()
        name = "/".join(["a"] * parts)
        before = USER.snapshot()
        done = USER.store(URL, name, "secret", check=False)
        if done.rc:
            assert_refused(done)
            assert USER.snapshot() == before, f"{parts} parts were refused, but files are left: {done}"
        else:
            assert USER.get(URL) == (name, "secret") and USER.list() == {URL: name}, parts
            USER.erase(URL)
            assert not USER.folder.exists(), parts


@case("a nested user that another program wrote can be read")
def _():
    fresh()
    put("tenancy/user", b"theirs")
    (USER.server_folder(URL) / "empty").mkdir()
    assert USER.get(URL) == ("tenancy/user", "theirs") and USER.list() == {URL: "tenancy/user"}


@case("unusual user names are stored unchanged")
def _():
    fresh()
    for name in ("<token>", "a b", " a ", "\u00e9\u4e2d", "-x", "--help", "*", "$HOME", "a\\b", '"', "'", ".hidden",
                 "...", "..a", "a..", "a/..b", "x.gpg", "#x", "a:b", "a\nb", "a@b", "0", "~", "%00", ".gpg-id",
                 ".git-user"):
        USER.store(URL, name, "secret")
        assert USER.get(URL) == (name, "secret") and USER.list() == {URL: name}, name
        assert users() == [name], (name, users())


@case("a user name that would leave the directory or is not a valid file name is refused, and nothing is written")
def _():
    names = ("../../evil", "..", ".", "../x", "a/..", "a/../b", "a/./b", "./a", "a/.", "a//b", "/a", "a/", "/", "//",
             "a\0b", "\0", "a\0", ".git/config", "a/.git/b", ".git/hooks/pre-commit")
    for prepare in (lambda: None, lambda: put("me")):
        fresh()
        prepare()
        for name in names:
            outside = sorted(USER.home.rglob("*"))
            store_is_refused(name=name)
            assert sorted(USER.home.rglob("*")) == outside, name


# --- erase ------------------------------------------------------------------

@case("erase of a missing entry is silent, with and without a store")
def _():
    fresh()
    put("me", url="elsewhere")
    before = USER.snapshot()
    USER.erase(URL)
    assert USER.snapshot() == before
    shutil.rmtree(USER.prefix)
    USER.erase(URL)
    assert not USER.prefix.exists()


@case("erase removes empty directories, and keeps other servers' entries")
def _():
    fresh()
    for url in (URL, "elsewhere"):
        USER.store(url, "me", "secret")
    USER.erase(URL)
    assert not USER.server_folder(URL).exists() and USER.get("elsewhere") == ("me", "secret")
    assert USER.get(URL) is None and USER.list() == {"elsewhere": "me"}
    USER.erase("elsewhere")
    assert not USER.folder.exists() and (USER.prefix / ".gpg-id").is_file() and USER.list() == {}


@case("erase removes all users of the server, also hidden and nested ones")
def _():
    fresh()
    for name in ("a", ".hidden", "b/c", "b/d/e"):
        put(name)
    USER.erase(URL)
    assert USER.get(URL) is None and USER.list() == {} and not USER.folder.exists(), list(USER.folder.rglob("*"))


@case("erase removes an entry that cannot be decrypted, also without gpg")
def _():
    fresh()
    put("me").write_bytes(b"garbage")
    USER.erase(URL, env={"PATH": USER.path_without("gpg", "gpg2")})
    assert USER.list() == {} and not USER.folder.exists()


@case("erase of a link removes the link, not its target")
def _():
    fresh()
    target = USER.dir / "kept.gpg"
    target.write_bytes(encrypted(b"secret"))
    entry = put("me")
    entry.unlink()
    entry.symlink_to(target)
    outside = USER.dir / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "kept.gpg").write_bytes(b"x")
    (entry.parent / "folder").symlink_to(outside)
    USER.erase(URL)
    assert target.is_file() and (outside / "kept.gpg").is_file() and USER.get(URL) is None


@case("erase keeps docker-credential-helpers if it has a .gpg-id")
def _():
    fresh()
    USER.store(URL, "me", "secret")
    (USER.folder / ".gpg-id").write_text(f"{IDS[0]}\n")
    USER.erase(URL)
    assert (USER.folder / ".gpg-id").is_file() and not USER.server_folder(URL).exists()


@case("erase never removes the store itself")
def _():
    fresh()
    (USER.prefix / ".gpg-id").unlink()
    USER.store(URL, "me", "secret", env={"PASSWORD_STORE_KEY": IDS[0]})
    USER.erase(URL)
    assert USER.prefix.is_dir() and list(USER.prefix.iterdir()) == []


# --- list -------------------------------------------------------------------

@case("list skips names that are not servers: directories that are not base64, files, hidden ones, dangling links")
def _():
    fresh()
    put("me")
    for name in (".git", "not base64", "cXVheS5pbw", "cXVheS5pbw=", "a", "====", "YT8+Yn4=", "YT8", "..."):
        (USER.folder / name).mkdir()
        (USER.folder / name / "x.gpg").write_bytes(encrypted(b"x"))
    (USER.folder / "cXVheS5pbw==").write_text("a file")
    (USER.folder / "cXVheS5pbzo=").symlink_to("nowhere")
    (USER.folder / ".dcp-tmp-abc").write_text("a leftover")
    assert USER.list() == {URL: "me"}, USER.list()


@case("list needs neither gpg nor decryptable entries")
def _():
    fresh()
    put("me").write_bytes(b"garbage")
    assert USER.list() == {URL: "me"}


# --- names that are too long ------------------------------------------------

@case("a URL of 189 bytes and a user of 251 bytes work; so does the longest nested user")
def _():
    fresh()
    longest = "u" * 189
    for name in ("n" * 251, "\u00e9" * 125, "f" * 255 + "/" + "n" * 251):
        USER.store(longest, name, "secret")
        assert USER.get(longest) == (name, "secret") and USER.list() == {longest: name}
    USER.erase(longest)
    assert not USER.folder.exists()


@case("a longer URL: store names the limit and creates nothing; get finds nothing; erase is silent")
def _():
    fresh()
    for url in ("u" * 190, "u" * 192, "\u00e9" * 95, "u" * 5000, "u" * 100000):
        store_is_refused("189", url=url)
        assert USER.get(url) is None
        USER.erase(url)


@case("a longer user: store names the limit and creates nothing, and the old user stays")
def _():
    for prepare in (lambda: None, lambda: put("me")):
        fresh()
        prepare()
        for name in ("n" * 252, "\u00e9" * 126, "a/" + "n" * 252, "n" * 5000, "n" * 100000):
            store_is_refused("251", name=name)
        store_is_refused(name="f" * 256 + "/n")


@case("a user nested too deeply for a path is refused, and nothing is written")
def _():
    fresh()
    store_is_refused(name="/".join(["f" * 200] * 30))
    assert USER.leftovers() == []


# --- invalid stores ---------------------------------------------------------

@case("no store: the error names the directory and the command that creates it, and nothing is created")
def _():
    shutil.rmtree(USER.prefix)
    store_is_refused(USER.prefix, "pass init")
    missing = USER.dir / "missing"
    assert_refused(USER.store(URL, "me", "s", check=False, env={"PASSWORD_STORE_DIR": missing}), missing)
    assert not missing.exists()


@case("no .gpg-id: the error says so and names the store")
def _():
    fresh()
    (USER.prefix / ".gpg-id").unlink()
    store_is_refused(".gpg-id", USER.prefix, "pass init")
    (USER.prefix / ".gpg-id").mkdir()
    store_is_refused(".gpg-id")


@case("a .gpg-id without a key: the error names the file")
def _():
    for text in ("", "\n\n", "# nobody\n", "  \t\n#x\n", "   # nobody", "\r\n"):
        fresh()
        (USER.prefix / ".gpg-id").write_text(text)
        store_is_refused(USER.prefix / ".gpg-id")


@case("an empty .gpg-id nearer to the entry is an error; the root's is not used instead")
def _():
    fresh()
    USER.folder.mkdir()
    (USER.folder / ".gpg-id").write_text("# nobody\n")
    store_is_refused(USER.folder / ".gpg-id")


@case("gopass's age store: the error names the kind of store")
def _():
    fresh()
    (USER.prefix / ".gpg-id").unlink()
    (USER.prefix / ".age-recipients").write_text("age1xyz\n")
    store_is_refused("gopass", USER.prefix)


@case("a failed store leaves the old entry unchanged")
def _():
    fresh()
    USER.store(URL, "me", "old")
    (USER.prefix / ".gpg-id").write_text("nobody@example.com\n")
    store_is_refused("nobody@example.com")
    assert USER.get(URL) == ("me", "old")


# --- damaged entries --------------------------------------------------------

def damaged():
    good = encrypted(b"secret" * 100)
    flipped = bytearray(good)
    flipped[-30] ^= 1
    return {"garbage": b"garbage\n", "zeros": b"\0" * 200, "text": b"secret\n" * 100, "an empty file": b"",
            "one byte": good[:1], "a key packet alone": good[:97], "half": good[:len(good) // 2],
            "all but a byte": good[:-1], "one bit wrong": bytes(flipped), "a wrong tag": b"\x85" + good[1:]}


@case("a damaged entry: get names it in a one-line error that is not the not-found text, and prints none of its content")
def _():
    fresh()
    entry = put("me")
    for name, content in damaged().items():
        entry.write_bytes(content)
        done = USER.helper("get", stdin=URL.encode())
        assert done.out != NOT_FOUND, name
        assert_refused(done, entry_name())
        assert b"secretsecret" not in done.out + done.err, (name, done)


@case("an entry for a missing key: get names the key")
def _():
    fresh()
    with Sandbox() as other:
        put("me").write_bytes(other.encrypt(b"secret", other.make_key("Other <other@example.com>")))
    get_is_refused(entry_name())


@case("the next store replaces a damaged entry")
def _():
    fresh()
    put("me").write_bytes(b"")
    USER.store(URL, "me", "new")
    assert USER.get(URL) == ("me", "new")


# --- no gpg -----------------------------------------------------------------

@case("without gpg on PATH a missing entry is not found")
def _():
    fresh()
    without = {"PATH": USER.path_without("gpg", "gpg2")}
    assert USER.get(URL, env=without) is None
    put("me")
    assert USER.get("elsewhere", env=without) is None


@case("without gpg on PATH store and get report this, and nothing is written")
def _():
    without = {"PATH": USER.path_without("gpg", "gpg2")}
    fresh()
    for prepare in (lambda: None, lambda: put("me")):
        prepare()
        before = USER.snapshot()
        refusals = [USER.store(URL, "me", "new", check=False, env=without)]
        if before.get(str(USER.entry(URL, "me"))):
            refusals.append(USER.helper("get", stdin=URL.encode(), env={**without, "DOCKER_CREDENTIAL_PASS_FAST": "0"}))
        for done in refusals:
            assert_refused(done, "gpg")
            assert re.search(rb"\bPATH\b|install", done.out), f"names neither PATH nor a solution: {done}"
        assert USER.snapshot() == before


@case("with a running agent get needs no gpg")
def _():
    need_fast_path()
    fresh()
    put("me")
    USER.get(URL)  # gpg starts the agent
    without = {"PATH": USER.path_without("gpg", "gpg2"), "DOCKER_CREDENTIAL_PASS_FAST": None}
    assert USER.get(URL, env=without) == ("me", "secret")


main(under_valgrind_each=5)
