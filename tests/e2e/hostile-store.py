#!/usr/bin/env python3
"""Hostile stores and configuration files: nothing hangs, nothing outside changes, and no raw bytes are printed."""

import base64
import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import threading
import time

from harness import Sandbox, Skip, assert_refused, case, helper_argv, helper_path, is_wrapped, main, shared_sandbox
from hostile import EVIL_NAMES, assert_safe_to_show, run_helper

URL = "https://example.com"
GIB = 1 << 30

USER = shared_sandbox()
KEY = USER.make_store()[0]
MESSAGE = USER.encrypt(b"secret", KEY)


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def fresh():
    """Returns to a store without docker's entries."""
    for path in (USER.folder, USER.folder.with_name(USER.folder.name + ".pipe"), USER.dir / "outside",
                 *USER.prefix.glob(".gpg-id*")):
        remove(path)
    USER.prefix.chmod(0o700)
    (USER.prefix / ".gpg-id").write_text(KEY + "\n")
    folder = USER.server_folder(URL)
    folder.mkdir(parents=True)
    return folder


def request(username="me", url=URL, secret="new"):
    return json.dumps({"ServerURL": url, "Username": username, "Secret": secret}).encode()


def store(username="me"):
    return run_helper(USER, "store", stdin=request(username))


def get():
    return run_helper(USER, "get", stdin=URL.encode())


def erase():
    return run_helper(USER, "erase", stdin=URL.encode())


def make_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket is limited in length
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(here)


# Functions that create each kind of object that is not a regular file.
STRANGE = {
    "a pipe": os.mkfifo,
    "a socket": make_socket,
    "a link to an endless device": lambda path: path.symlink_to("/dev/full"),
    "a link to a terminal": lambda path: path.symlink_to("/dev/tty"),
    "a link to a pipe": lambda path: (os.mkfifo(f"{path}.pipe"), path.symlink_to(f"{path}.pipe")),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
}


# --- not regular files ---------------------------------------------------------------------------------------


# Links that store refuses to write through; it replaces the others.
REFUSED = {"a link to an endless device", "a link to a terminal", "a link to a pipe"}


@case("pipes, sockets, devices and bad links with an entry's name are skipped, never opened, and erase removes them")
def _():
    for name, make in STRANGE.items():
        folder = fresh()
        make(folder / "me.gpg")
        assert get().out == b"credentials not found in native keychain\n", name
        assert run_helper(USER, "list").out == b"{}\n", name
        result = store()
        if name in REFUSED:
            assert_refused(result, "is a link to something other than an encrypted message")
        else:
            assert result.rc == 0 and USER.get(URL) == ("me", "new"), (name, result)
            assert stat.S_ISREG(os.lstat(folder / "me.gpg").st_mode), name
        (folder / "me.gpg").unlink()
        make(folder / "you.gpg")
        assert erase().rc == 0 and not folder.exists(), name


@case("the same in place of a server's directory and of docker-credential-helpers: an error or not-found, and never a hang")
def _():
    for name, make in [*STRANGE.items(), ("a file", lambda path: path.write_bytes(MESSAGE))]:
        for path in (USER.server_folder(URL), USER.folder):
            fresh()
            shutil.rmtree(path)
            make(path)
            for result in (get(), run_helper(USER, "list"), store(), erase()):
                assert_safe_to_show(result.out + result.err)
            assert_refused(store(), "cannot") if path == USER.folder else None
            assert not (path.parent / "nowhere").exists()


@case("a directory with an entry's name is searched, and store reports that it is in the way")
def _():
    folder = fresh()
    (folder / "me.gpg").mkdir()
    assert USER.get(URL) is None
    assert_refused(store(), "me.gpg", "directory")
    assert USER.leftovers() == [folder / "me.gpg"], USER.leftovers()


@case("an entry of 1 GiB is refused at once; one that decompresses to 1 GiB is refused within bounded memory")
def _():
    folder = fresh()
    (folder / "me.gpg").write_bytes(MESSAGE)
    os.truncate(folder / "me.gpg", GIB)
    assert_refused(get(), "me.gpg", "larger than any credential")
    (folder / "me.gpg").unlink()
    # Compressed twice, zeros shrink by a factor of a million: 200 MiB represent any amount.
    packer = subprocess.Popen(["gpg", "--batch", "-q", "-z", "9", "-r", KEY, "-e"], env=USER.env, stdin=subprocess.PIPE,
                              stdout=open(folder / "me.gpg", "wb"))
    for _ in range(50 if not is_wrapped() else 2):
        packer.stdin.write(bytes(4 << 20))
    packer.stdin.close()
    assert packer.wait() == 0
    assert_refused(get(), "me.gpg", "larger than any credential")


# --- links -----------------------------------------------------------------------------------------------------


@case("links to files that are not encrypted messages: get reports them, store refuses, and the files stay unchanged")
def _():
    outside = USER.dir / "outside"
    for name, content in {"authorized_keys": b"ssh-ed25519 AAAA me", ".bashrc": b"alias ll='ls -l'\n", "empty": b"",
                          "pubring.gpg": USER.run(["gpg", "--export", KEY], check=True).out}.items():
        folder = fresh()
        outside.mkdir()
        (outside / name).write_bytes(content)
        (folder / "me.gpg").symlink_to(outside / name)
        assert get().rc == 1
        assert_refused(store(), "me.gpg", "link")
        assert (outside / name).read_bytes() == content and [path.name for path in outside.iterdir()] == [name]
        assert erase().rc == 0 and (outside / name).read_bytes() == content


@case("a server's directory that is a link is read but never written through, and erase removes only the link")
def _():
    outside = USER.dir / "outside"
    for target in (outside, USER.prefix / "bank"):
        folder = fresh()
        folder.rmdir()
        target.mkdir()
        for name in ("me.gpg", "pubring.gpg", "notes"):
            (target / name).write_bytes(MESSAGE)
        folder.symlink_to(target)
        assert USER.get(URL) == ("me", "secret") and USER.list() == {URL: "me"}
        for username in ("me", "a/b", "z"):
            assert_refused(store(username), "is a link")
        assert erase().rc == 0 and not folder.is_symlink()
        assert sorted(path.name for path in target.iterdir()) == ["me.gpg", "notes", "pubring.gpg"]
        shutil.rmtree(target)


@case("a directory that is swapped for a link during stores and erases: the target of the link never changes")
def _():
    outside, folder = USER.dir / "outside", fresh()
    outside.mkdir()
    (outside / "victim.gpg").write_bytes(MESSAGE)
    (outside / "inner").mkdir()
    stop = threading.Event()

    def swap():
        place = USER.folder / "swap"  # not the name of a server, so the helper ignores it
        while not stop.is_set():
            with contextlib.suppress(OSError):
                os.rename(folder, place)
            with contextlib.suppress(OSError):
                os.symlink(outside, folder)
            with contextlib.suppress(OSError):
                os.unlink(folder)
            with contextlib.suppress(OSError):
                os.rename(place, folder)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        end = time.monotonic() + (30 if os.environ.get("LOAD") == "full" else 2)
        while time.monotonic() < end:
            run_helper(USER, "store", stdin=request("inner/me"))
            run_helper(USER, "store", stdin=request("me"))
            erase()
            assert sorted(str(path.relative_to(outside)) for path in outside.rglob("*")) == ["inner", "victim.gpg"]
    finally:
        stop.set()
        swapper.join()


# --- recipients ------------------------------------------------------------------------------------------------


@case(".gpg-id that is a pipe, device, directory or socket is ignored, and one in a parent directory is used")
def _():
    for name, make in [*STRANGE.items(), ("a folder", lambda path: path.mkdir())]:
        fresh()
        make(USER.folder / ".gpg-id")
        assert store().rc == 0 and USER.get(URL) == ("me", "new"), name
        fresh()
        (USER.prefix / ".gpg-id").unlink()
        make(USER.prefix / ".gpg-id")
        assert_refused(store(), ".gpg-id")


@case(".gpg-id of 1 GiB, of zeros, of random bytes, of 20,000 keys: a one-line error within bounded time and memory")
def _():
    fresh()
    path = USER.prefix / ".gpg-id"
    os.truncate(path, GIB)
    assert_refused(store(), ".gpg-id", "too large")
    for content in (bytes(1000), bytes(range(256)) * 40, b"\xff\xfe" + "key".encode("utf-16-le"), b"x" * 1000000,
                    b"".join(b"%040X\n" % n for n in range(20000))):
        path.write_bytes(content)
        result = store()
        assert_refused(result)
        assert_safe_to_show(result.out + result.err)
    assert get().out == b"credentials not found in native keychain\n"


@case("a world-writable .gpg-id is refused unless PASSWORD_STORE_SIGNING_KEY verifies it")
def _():
    for name in (".gpg-id", "."):
        fresh()
        (USER.prefix / name).chmod(0o777)
        assert_refused(store(), ".gpg-id", "every user", "chmod -R o-w")
        assert not list(USER.folder.rglob("*.gpg"))
        signed = run_helper(USER, "store", stdin=request(), env={"PASSWORD_STORE_SIGNING_KEY": KEY})
        assert_refused(signed, "signed")
        USER.run(["gpg", "--batch", "-q", "--detach-sign", USER.prefix / ".gpg-id"], check=True)
        signed = run_helper(USER, "store", stdin=request(), env={"PASSWORD_STORE_SIGNING_KEY": KEY})
        assert signed.rc == 0, signed
        chosen = run_helper(USER, "store", stdin=request(secret="chosen"), env={"PASSWORD_STORE_KEY": KEY})
        assert chosen.rc == 0 and USER.get(URL) == ("me", "chosen"), chosen
        USER.run(["sh", "-c", f"chmod -R o-w {USER.prefix}"], check=True)
        assert store().rc == 0
    fresh()
    (USER.folder / ".gpg-id").write_text(KEY + "\n")
    USER.folder.chmod(0o777)
    assert_refused(store(), "docker-credential-helpers/.gpg-id", "every user")
    USER.folder.chmod(0o1777)  # as /tmp: only the owner can replace a file
    assert store().rc == 0
    if os.geteuid() == 0:
        os.chown(USER.folder / ".gpg-id", 1234, 1234)
        assert_refused(store(), "docker-credential-helpers/.gpg-id", "every user")


# --- names with terminal sequences -----------------------------------------------------------------------------


def on_terminal(*args, stdin=b""):
    """Returns the helper's output on a terminal, without the carriage returns that the terminal adds."""
    master, slave = os.openpty()
    helper = subprocess.Popen(helper_argv(*args), env=USER.env, stdin=subprocess.PIPE, stdout=slave, stderr=slave)
    helper.communicate(stdin)
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):
        while piece := os.read(master, 65536):
            seen += piece
    os.close(master)
    return seen.replace(b"\r\n", b"\n")


@case("hostile user names: no verb prints them raw; a pipe still gets the bytes of Docker's protocol")
def _():
    for name in EVIL_NAMES:
        folder = fresh()
        (folder / os.fsdecode(name + b".gpg")).write_bytes(MESSAGE)
        listed = run_helper(USER, "list")
        expected = {URL: name.decode(errors="replace").replace("\ufffd" * 4, "\ufffd" * 4)}
        assert list(json.loads(listed.out)) == list(expected), listed
        shown = on_terminal("list")
        assert_safe_to_show(shown, may_have_lines=False)
        assert json.loads(shown) == json.loads(listed.out), shown
        shown = on_terminal("get", stdin=URL.encode())
        assert_safe_to_show(shown, may_have_lines=False)
        assert json.loads(shown)["Secret"] == "secret", shown
        (folder / os.fsdecode(name + b".gpg")).write_bytes(b"damaged")
        for result in (get(), run_helper(USER, "doctor"), run_helper(USER, "doctor", "--json")):
            assert result.rc == 1, result
            assert_safe_to_show(result.out)
            assert_safe_to_show(result.err)


@case("hostile names of servers, of the store, of a verb, of an option, of a recipient")
def _():
    for name in EVIL_NAMES:
        fresh()
        evil = os.fsdecode(name)
        (USER.server_folder(name) / "me.gpg").parent.mkdir()
        (USER.server_folder(name) / "me.gpg").write_bytes(b"damaged")
        (USER.prefix / ".gpg-id").write_bytes(name.split(b"\n")[0] + b"\n")
        elsewhere = {"PASSWORD_STORE_DIR": USER.dir / evil}
        results = [run_helper(USER, "get", stdin=name), store(), run_helper(USER, "doctor"),
                   run_helper(USER, "doctor", "--json"), run_helper(USER, evil), run_helper(USER, "setup", evil),
                   run_helper(USER, "setup", "--yes", "--key", evil), run_helper(USER, "doctor", evil),
                   run_helper(USER, "store", stdin=request(), env=elsewhere),
                   run_helper(USER, "store", stdin=request(), env={"PASSWORD_STORE_GPG_OPTS": evil}),
                   run_helper(USER, "store", stdin=request(), env={"PASSWORD_STORE_KEY": evil}),
                   run_helper(USER, "setup", "--dry-run", env=elsewhere)]
        for number, result in enumerate(results):
            assert result.rc == 1 or number == len(results) - 1, (number, result)
            assert_safe_to_show(result.out)
            assert_safe_to_show(result.err)


# --- configuration files ---------------------------------------------------------------------------------------


CONFIG = USER.docker / "config.json"


def reset_config():
    for path in USER.docker.iterdir():
        remove(path)


def link_to_pipe(path):
    pipe = USER.dir / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
        pipe.chmod(0o644)
    path.symlink_to(pipe)


def mode_behind(path):
    """The mode of what a path leads to; None if it leads nowhere."""
    try:
        return path.stat().st_mode
    except OSError:
        return None


def assert_config_refused(*words, by=(("setup", "--yes"), ("setup", "--dry-run"), ("doctor", "--fix"))):
    for args in by:
        result = run_helper(USER, *args)
        # doctor only warns of what docker replaces at the next login.
        assert result.rc == 1 or args[0] == "doctor" and result.rc == 0 and b"warn " in result.out, (args, result)
        text = result.err if args[0] == "setup" else result.out
        assert_safe_to_show(result.out + result.err)
        for word in words:
            assert word.encode() in b" ".join(text.split()), (args, word, result)


@case("config.json that is a pipe, device, directory, link to itself, 1 GiB or not JSON: setup and doctor refuse it unchanged")
def _():
    fresh()
    for make, word in ((os.mkfifo, "not a regular file"), (lambda path: path.mkdir(), "not a regular file"),
                       (lambda path: path.symlink_to("/dev/full"), "not a regular file"), (make_socket, "config.json"),
                       (link_to_pipe, "not a regular file"),
                       (lambda path: path.symlink_to(path.name), "symbolic links"),
                       (lambda path: (path.touch(), os.truncate(path, GIB)), "File too large"),
                       (lambda path: path.write_bytes(b"\xff\xfe{\0}\0"), "byte order mark"),
                       (lambda path: path.write_bytes(b'{"auths":' + b"[" * 200000), "not a JSON object"),
                       (lambda path: path.write_bytes(b'{"a":' * 100000 + b"1" + b"}" * 100000), "not a JSON object"),
                       (lambda path: path.write_bytes(bytes(100000)), "not a JSON object")):
        reset_config()
        make(CONFIG)
        before, target = CONFIG.lstat(), mode_behind(CONFIG)
        assert_config_refused(word)
        after = CONFIG.lstat()
        assert (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
        assert mode_behind(CONFIG) == target, "doctor --fix has changed what a link leads to"
        assert [path.name for path in USER.docker.iterdir()] == ["config.json"]
    reset_config()


@case("hostile host names and invalid UTF-8 in config.json: moved or left, and printed escaped")
def _():
    fresh()
    reset_config()
    auths = {name.decode(errors="surrogateescape"): {"auth": base64.b64encode(b"me:pass-%d" % number).decode()}
             for number, name in enumerate(EVIL_NAMES)}
    text = json.dumps({"auths": auths}, ensure_ascii=False).encode(errors="surrogateescape")
    CONFIG.write_bytes(text)
    for args in (("setup", "--dry-run"), ("doctor",), ("doctor", "--json"), ("setup", "--yes")):
        result = run_helper(USER, *args)
        assert_safe_to_show(result.out)
        assert_safe_to_show(result.err)
    assert result.rc == 0, result
    moved = json.loads(CONFIG.read_bytes().decode(errors="replace"))
    assert moved["credsStore"] == "pass" and not any("auth" in one for one in moved["auths"].values()), moved
    assert len(USER.list()) >= len(EVIL_NAMES) - 1
    reset_config()


@case("config.json keeps another owner, and a read-only directory is an error that changes nothing")
def _():
    fresh()
    reset_config()
    CONFIG.write_text('{"auths": {}}')
    if os.geteuid() != 0:
        USER.docker.chmod(0o500)
        try:
            assert_config_refused(f"cannot create a file in {USER.docker}: Permission denied", by=[("setup", "--yes")])
        finally:
            USER.docker.chmod(0o700)
        reset_config()
        raise Skip("only root can change the owner of a file")
    os.chown(CONFIG, 1234, 1234)
    result = run_helper(USER, "setup", "--yes")
    assert result.rc == 0, result
    assert (CONFIG.stat().st_uid, CONFIG.stat().st_gid) == (1234, 1234) and json.loads(CONFIG.read_text())["credsStore"] == "pass"
    reset_config()


@case("the same for podman's files: pipes, devices and huge files are refused")
def _():
    fresh()
    reset_config()
    CONFIG.write_text("{}")
    conf = USER.home / ".config/containers/registries.conf.d/pass.conf"
    auth = USER.home / ".config/containers/auth.json"
    conf.parent.mkdir(parents=True)
    for path in (conf, auth):
        for make in (os.mkfifo, lambda path: path.symlink_to("/dev/full"), lambda path: (path.touch(), os.truncate(path, GIB))):
            make(path)
            result = run_helper(USER, "setup", "--yes", "--podman", env={"REGISTRY_AUTH_FILE": auth})
            assert result.rc == 1 and path.name.encode() in result.err, result
            assert_safe_to_show(result.out + result.err)
            path.unlink()
    reset_config()


# --- doctor --------------------------------------------------------------------------------------------------


def findings(*args, **more):
    result = run_helper(USER, "doctor", "--json", *args, **more)
    return {one["id"]: one for one in json.loads(result.out)["findings"]}, result.rc


@case("doctor reports special files, directories that are links, world-writable .gpg-id files and other owners")
def _():
    folder = fresh()
    reset_config()
    CONFIG.write_text('{"credsStore": "pass"}')
    bin_dir = USER.dir / "bin"
    bin_dir.mkdir(exist_ok=True)
    if not (bin_dir / "docker-credential-pass").exists():
        (bin_dir / "docker-credential-pass").symlink_to(helper_path())
    env = {"PATH": f"{bin_dir}:{USER.env['PATH']}"}
    (folder / "me.gpg").write_bytes(MESSAGE)
    for path, mode in ((folder / "me.gpg", 0o600), (folder, 0o700), (USER.folder, 0o700)):
        path.chmod(mode)
    assert findings(env=env) == ({}, 0)
    os.mkfifo(folder / "pipe.gpg", 0o600)
    found, rc = findings(env=env)
    assert set(found) == {"entry-no-file"} and rc == 0, found
    assert found["entry-no-file"]["commands"] == [f"rm {folder}/pipe.gpg"], found
    (folder / "pipe.gpg").unlink()
    (USER.folder / "bGluaw==").symlink_to(folder.name)
    found, rc = findings(env=env)
    assert set(found) == {"directory-link"}, found
    (USER.folder / "bGluaw==").unlink()
    (USER.prefix / ".gpg-id").chmod(0o666)
    found, rc = findings(env=env)
    assert found["gpg-id-writable"]["status"] == "bad" and rc == 1, found
    USER.run(["sh", "-c", found["gpg-id-writable"]["commands"][0]], check=True)
    assert findings(env=env) == ({}, 0)
    if os.geteuid() == 0:
        os.chown(USER.prefix / ".gpg-id", 1234, 1234)
        os.chown(folder / "me.gpg", 1234, 1234)
        found, rc = findings(env=env)
        assert set(found) == {"gpg-id-owner", "entry-owner"} and rc == 0, found
    reset_config()


@case("doctor --fix repairs the store, and changes nothing behind links")
def _():
    reset_config()
    outside = USER.dir / "outside"

    def prepare(name):
        folder = fresh()
        folder.chmod(0o700)
        USER.folder.chmod(0o700)
        shutil.rmtree(outside, ignore_errors=True)
        server = outside / folder.name
        server.mkdir(parents=True)
        for path, content in ((outside / "id", KEY.encode()), (server / "me.gpg", MESSAGE),
                              (outside / ".docker-credential-pass.tmp", b"theirs"), (outside / "file", b"x")):
            path.write_bytes(content)
            path.chmod(0o644)
        (outside / "ZW1wdHk=").mkdir(mode=0o755)
        if name == ".gpg-id":
            (USER.prefix / ".gpg-id").unlink()
            (USER.prefix / ".gpg-id").symlink_to(outside / "id")
        elif name == "entry":
            (folder / "me.gpg").symlink_to(server / "me.gpg")
        elif name == "hard link":
            os.link(server / "me.gpg", folder / "me.gpg")
        elif name == "server":
            folder.rmdir()
            folder.symlink_to(server)
        elif name == "docker-credential-helpers":
            shutil.rmtree(USER.folder)
            USER.folder.symlink_to(outside)

    def look():
        return {str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
                for path in [outside, *outside.rglob("*")]}

    for name in (".gpg-id", "entry", "hard link", "server", "docker-credential-helpers"):
        prepare(name)
        before = look()
        found, _ = findings("--fix")
        assert look() == before, (name, found)
        assert not [one for one in found.values() if one["status"] == "fixed" and "outside" in one["what"]], (name, found)
        for one in found.values():
            assert name in ("hard link", "docker-credential-helpers") or not any(
                word in command for command in one["commands"] for word in ("chown", "chmod 600", "chmod 700")), (name, one)
    remove(USER.folder)
    remove(outside)


@case("a lock held by another user, who does not own the store, causes an error that names the user instead of a wait")
def _():
    if os.geteuid() != 0 or not os.path.exists("/proc/locks"):
        raise Skip("only root can start a program as another user")
    fresh()
    for parent in (USER.dir, USER.home):
        parent.chmod(0o755)
    for mode, kind in ((0o755, "LOCK_EX"), (0o755, "LOCK_SH")):
        USER.prefix.chmod(mode)
        script = (f"import fcntl, os, time; f = os.open({str(USER.prefix)!r}, os.O_RDONLY); fcntl.flock(f, fcntl.{kind}); "
                  "print('held', flush=True); time.sleep(1000)")
        with subprocess.Popen(["/usr/bin/python3", "-c", script], stdout=subprocess.PIPE, user=1234, group=1234,
                              extra_groups=[]) as holder:
            try:
                assert holder.stdout.readline() == b"held\n"
                result = store()
                assert (result.rc, result.out) == (0, b"") and str(holder.pid).encode() in result.err, result
                assert result.err.count(b"\n") == 1 and b"chmod 700" in result.err, result
                assert USER.get(URL) == ("me", "new")
                assert not USER.leftovers(), USER.leftovers()
                result = erase()
                assert result.rc == 0 and USER.get(URL) is None, result
            finally:
                holder.kill()
    fresh()
    assert store().err == b""


main()
