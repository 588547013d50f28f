#!/usr/bin/env python3
"""`docker-credential-pass setup`: from nothing to a login without the warning, and nothing lost on the way."""

import base64
import json
import os
import random
import re
import stat
import subprocess
import time

from docker_user import ContainersUser, DockerUser, find_secret, is_nowhere, need_podman, warns
from harness import Sandbox, case, helper_argv, main, need
from registry import Registry
from terminal import Terminal

NEW_KEY = ("--name", "Test User", "--email", "test@example.com", "--no-passphrase")
PASSPHRASE = "correct horse 5 battery"
KILLS = 50
TIMEOUT_S = 300


def setup(user, *options, check=True, **more):
    result = user.helper("setup", *options, **more)
    assert not check or result.rc == 0, f"setup: {result}"
    return result


def said(result, *words):
    """The words stand in what it said, however the lines are wrapped."""
    text = " ".join((result.out + result.err).decode().split())
    for word in words:
        assert word in text, f"does not say {word!r}: {result}"


def assert_refused(user, result, before, *words):
    """One line on stderr, exit status 1, and nothing changed."""
    assert result.rc == 1 and result.err.startswith(b"docker-credential-pass: ") and result.err.count(b"\n") == 1, result
    said(result, *words)
    assert everything(user) == before, "something was changed"


def everything(user):
    """Modes and contents of all that lies in the user's home directory, and gpg's secret keys."""
    found = {}
    for path in [*user.home.rglob("*"), *user.gnupg.glob("private-keys-v1.d/*")]:
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path)] = (path.lstat().st_mode, content)
    return found


def config_of(user):
    return user.docker / "config.json"


def auth(username, secret):
    return base64.b64encode(f"{username}:{secret}".encode()).decode()


def only_docker(user):
    """podman, buildah and skopeo are not installed, so only docker reads the user's files."""
    user.env["PATH"] = user.path_without("podman", "buildah", "skopeo")


def gpg_id(user, folder="."):
    return (user.prefix / folder / ".gpg-id").read_text()


# --- from nothing -------------------------------------------------------------------------------


@case("a user who has nothing: setup, docker login without a warning, and the password is nowhere readable")
def _():
    with Registry() as registry, DockerUser(registry, config={}, store=False) as user:
        registry.push_image()
        config_of(user).unlink()
        result = setup(user, "--yes", *NEW_KEY)
        said(result, "made the key", "made the password store", "encrypted and decrypted a text", "Ready")
        assert user.config == {"credsStore": "pass"}
        assert stat.S_IMODE(config_of(user).stat().st_mode) == 0o600
        assert stat.S_IMODE(user.prefix.stat().st_mode) == 0o700
        user.login()
        assert user.is_let_in()
        is_nowhere(user, registry.password)
        assert user.leftovers() == []


@case("the key is made with a passphrase typed into pinentry, after the question is answered")
def _():
    with Sandbox() as user:
        (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {need('pinentry-curses')}\ns2k-count 65536\n")
        user.env.update(LC_ALL="C", TERM="xterm")
        asked = rb"passphrase.*<Cancel>"
        for_the_key = [f"{PASSPHRASE}\t{PASSPHRASE}\r"] if repeats_in_one_dialog() else 2 * [PASSPHRASE + "\r"]
        # Once more for the proof, because the agent has not seen it used yet.
        passphrases = [(asked, typed) for typed in [*for_the_key, PASSPHRASE + "\r"]]
        with Terminal((rb"Go on\? \[Y/n\]", "\r"), *passphrases) as terminal:
            result = run_on(terminal, user, "--name", "Test User", "--email", "test@example.com")
            assert result == 0, terminal.seen
        assert b"Ready" in terminal.seen, terminal.seen
        assert len(gpg_id(user)) == 41
        keys = [path.read_bytes() for path in user.gnupg.glob("private-keys-v1.d/*.key")]
        assert keys and all(b"protected-private-key" in key for key in keys)
        assert user.leftovers() == []


def repeats_in_one_dialog():
    """Whether pinentry asks for a new passphrase and its repetition at once (from 1.3 on), not one after the other."""
    version = subprocess.run(["pinentry-curses", "--version"], capture_output=True, check=True, text=True).stdout
    major, minor = re.search(r"(\d+)\.(\d+)", version).groups()
    return (int(major), int(minor)) >= (1, 3)


def run_on(terminal, user, *options):
    process = subprocess.Popen(helper_argv("setup", *options), env=user.env, cwd=user.dir, start_new_session=True,
                               preexec_fn=terminal.take, stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave)
    end = time.monotonic() + TIMEOUT_S
    while process.poll() is None:
        terminal.watch(0.05)
        if time.monotonic() > end:
            process.kill()
            raise AssertionError(f"setup does not end; on the terminal: {terminal.screen!r}")
    while terminal.has_more():
        terminal.watch(0.05)
    return process.returncode


@case("who answers no has nothing changed; who leaves, too")
def _():
    for answer in ("n\r", "\x04"):
        with Sandbox() as user:
            before = everything(user)
            with Terminal((rb"Go on\? \[Y/n\]", answer)) as terminal:
                assert run_on(terminal, user, *NEW_KEY) == 1, terminal.seen
            assert everything(user) == before


@case("name and address are asked for on a terminal, with a proposal")
def _():
    with Sandbox() as user:
        with Terminal((rb"Your name.*\[.+\]: ", "Me Myself\r"), (rb"e-mail.*\[.+@.+\]: ", "\r"),
                      (rb"Go on\? \[Y/n\]", "y\r")) as terminal:
            assert run_on(terminal, user, "--no-passphrase") == 0, terminal.seen
        assert "Me Myself <" in user.run(["gpg", "-K"]).out.decode()


@case("colour is for terminals alone, and NO_COLOR is heeded; nothing is wider than 80 columns but commands and paths")
def _():
    with Sandbox() as user:
        user.env["TERM"] = "xterm"
        assert b"\x1b" not in setup(user, "--dry-run", *NEW_KEY).out
        for no_colour in ("", "1"):
            user.env["NO_COLOR"] = no_colour
            with Terminal() as terminal:
                assert run_on(terminal, user, "--dry-run", *NEW_KEY) == 0
                assert (b"\x1b[" in terminal.seen) == (no_colour == ""), terminal.seen
        lines = setup(user, "--dry-run", *NEW_KEY).out.decode().splitlines()
        assert all(len(line) <= 80 or " " not in line.strip() for line in lines), lines


# --- the key ------------------------------------------------------------------------------------


@case("a store that is there keeps its keys")
def _():
    with Sandbox() as user:
        user.make_store()
        before = gpg_id(user)
        user.make_key("other@example.com")
        said(setup(user, "--yes"), "the password store has its key")
        assert gpg_id(user) == before


@case("the only usable key is taken; of several --key says which, by any name of it")
def _():
    with Sandbox() as user:
        one = user.make_key("one@example.com")
        setup(user, "--yes")
        assert gpg_id(user) == one + "\n"
    with Sandbox() as user:
        user.make_key("one@example.com")
        two = user.make_key("two@example.com")
        before = everything(user)
        result = setup(user, "--yes", check=False)
        assert result.rc == 1 and two in result.err.decode() and "--key" in result.err.decode(), result
        assert everything(user) == before
        setup(user, "--yes", "--key", "two@example.com")
        assert gpg_id(user) == two + "\n"


@case("of several keys the person on the terminal says which")
def _():
    with Sandbox() as user:
        keys = {user.make_key("one@example.com"), user.make_key("two@example.com")}
        with Terminal((rb"Which one.*\[1\]: ", "9\r"), (rb"Which one.*\[1\]: ", "2\r"), (rb"Go on\?", "\r")) as terminal:
            assert run_on(terminal, user) == 0, terminal.seen
        second = [line for line in terminal.seen.decode().splitlines() if line.startswith("  2  ")][0].split()[1]
        assert gpg_id(user) == second + "\n" and second in keys


@case("a key that is of no use is refused, and says why")
def _():
    with Sandbox() as user:
        user.run(["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "sign@x", "ed25519", "sign", "never"], check=True)
        before = everything(user)
        assert_refused(user, setup(user, "--yes", "--key", "nobody@x", check=False), before, 'no key "nobody@x"')
        assert_refused(user, setup(user, "--yes", "--key", "sign@x", check=False), before, "no valid subkey for encryption")
        assert_refused(user, setup(user, "--yes", check=False), before, "--name and --email")
        assert_refused(user, setup(user, "--yes", "--name", "A <b>", "--email", "x", check=False), before, "e-mail")
        assert_refused(user, setup(user, "--yes", "--no-such", check=False), before, "--no-such")
        assert_refused(user, setup(user, "--yes", "--podman", "--host", "x", check=False), before, "exclude each other")
        assert_refused(user, setup(user, check=False, *NEW_KEY), before, "no terminal")


@case("--subfolder: docker gets a key of its own, and the rest of the store keeps its own")
def _():
    with Sandbox() as user:
        mine = user.make_key("me@example.com")
        user.make_store(mine)
        before = gpg_id(user)
        docker = user.make_key("docker@example.com")
        setup(user, "--yes", "--subfolder", "--key", docker)
        assert gpg_id(user) == before and gpg_id(user, "docker-credential-helpers") == docker + "\n"
        user.store("https://example.com", "me", "secret")
        packets = user.run(["gpg", "--list-packets", "--list-only", user.entry("https://example.com", "me")]).out.decode()
        assert packets.count(":pubkey enc packet") == 1, packets
        said(setup(user, "--yes", "--subfolder"), "Nothing is to be done")
    with Sandbox() as user:
        user.make_store()
        user.store("https://example.com", "me", "secret")
        before = everything(user)
        assert_refused(user, setup(user, "--yes", "--subfolder", "--key", gpg_id(user).strip(), check=False), before,
                       "pass init -p docker-credential-helpers")


@case("a store that cannot be written to is found out before docker's file is touched")
def _():
    with Sandbox() as user:
        user.make_store("nobody@example.com")
        config_of(user).write_text('{"auths":{"h":{"auth":"%s"}}}' % auth("me", "secret"))
        before = everything(user)
        assert_refused(user, setup(user, "--yes", check=False), before, "nobody@example.com")


# --- docker's file ------------------------------------------------------------------------------


@case("--dry-run changes nothing; running it twice changes nothing the second time, and asks nothing")
def _():
    with Sandbox() as user:
        before = everything(user)
        said(setup(user, "--dry-run", *NEW_KEY), "make a key", "make the password store", "credsStore")
        assert everything(user) == before
        setup(user, "--yes", *NEW_KEY)
        before = everything(user)
        said(setup(user), "the password store has its key", "docker keeps passwords in the store", "Nothing is to be done")
        assert everything(user) == before


@case("another credential store is replaced with --force alone")
def _():
    with Sandbox() as user:
        user.make_store()
        config_of(user).write_text('{"credsStore": "secretservice"}')
        before = everything(user)
        assert_refused(user, setup(user, "--yes", check=False), before, "docker-credential-secretservice", "--force")
        setup(user, "--yes", "--force")
        assert config_of(user).read_text() == '{"credsStore": "pass"}'


@case("--host: one registry's passwords, and no other's")
def _():
    with Sandbox() as user:
        user.make_store()
        config_of(user).write_text(json.dumps(
            {"auths": {"a.example": {"auth": auth("me", "a")}, "b.example": {"auth": auth("me", "b")}}}))
        setup(user, "--yes", "--host", "a.example")
        assert json.loads(config_of(user).read_text()) == {
            "auths": {"a.example": {}, "b.example": {"auth": auth("me", "b")}}, "credHelpers": {"a.example": "pass"}}
        assert user.get("a.example") == ("me", "a") and user.get("b.example") is None
        said(setup(user, "--host", "a.example"), "Nothing is to be done")


@case("a link to the file, its mode and every byte of it but the change stay")
def _():
    with Sandbox() as user:
        user.make_store()
        (user.home / "dotfiles").mkdir()
        real = user.home / "dotfiles/docker.json"
        real.write_text('{\r\n   "psFormat" : "a\\u0062" ,\r\n\r\n   "x":[1,  2]}')
        real.chmod(0o640)
        config_of(user).symlink_to("../dotfiles/docker.json")
        setup(user, "--yes")
        assert config_of(user).is_symlink() and stat.S_IMODE(real.stat().st_mode) == 0o640
        assert real.read_bytes() == (b'{\r\n   "psFormat" : "a\\u0062" ,\r\n\r\n   "x":[1,  2],\r\n\r\n   "credsStore":"pass"}')
        assert sorted(path.name for path in real.parent.iterdir()) == ["docker.json"]


@case("a file that is not JSON is refused and left as it is")
def _():
    with Sandbox() as user:
        user.make_store()
        for text in ("{", "[]", '{"auths":{}} x'):
            config_of(user).write_text(text)
            before = everything(user)
            assert_refused(user, setup(user, "--yes", check=False), before, "config.json", "not a JSON object")


# --- passwords that stand there -------------------------------------------------------------------


def many_logins():
    """Twenty entries as people's files have them; returns the text, and what is to be in the store."""
    entries, stored = [], {}
    for i in range(17):
        secret = f"secret:{i} \u00e9"
        stored[f"host{i}.example:5000"] = ("me", secret)
        entries.append(f'"host{i}.example:5000" : {{"auth":"{auth("me", secret)}"  , "email" : "me@{i}"}}')
    stored["https://index.docker.io/v1/"] = ("<token>", "the-token")
    entries.insert(3, f'"https://index.docker.io/v1/": {{ "auth": "{auth("me", "x")}", "identitytoken": "the-token" }}')
    entries.insert(5, '"bad.example": {"auth": "%%%"}')
    entries.insert(7, '"empty.example": {}')
    text = '{\n  "auths": {\n      ' + ",\n\n      ".join(entries) + '\n  },\n  "unknown":{"keep" : [ 1,2 ]}, "HttpHeaders": null\n}\n'
    return text, stored


@case("twenty passwords of all sorts: those that can be are moved, the rest is untouched and named")
def _():
    with Sandbox() as user:
        only_docker(user)
        user.make_store()
        text, stored = many_logins()
        config_of(user).write_text(text)
        result = setup(user, "--yes")
        said(result, "bad.example", "not valid base64")
        for host, login in stored.items():
            assert user.get(host) == login, host
            said(result, f"the password for {host} is in the store")
        after = config_of(user).read_text()
        before, now = json.loads(text), json.loads(after)
        for host in stored:
            before["auths"][host] = {name: value for name, value in before["auths"][host].items() if name == "email"}
        assert now == {**before, "credsStore": "pass"}, after
        assert '"unknown":{"keep" : [ 1,2 ]}, "HttpHeaders": null' in after and '"bad.example": {"auth": "%%%"}' in after
        assert list(now["auths"]) == list(before["auths"])
        assert not [found for found in find_secret(user.home, "the-token") if ".gpg" not in str(found)]
        said(setup(user, "--yes"), "Nothing is to be done")


@case("another login in the store is not overwritten, and docker goes on reading its own; the same one only leaves the file")
def _():
    with Sandbox() as user:
        only_docker(user)
        user.make_store()
        user.store("same.example", "me", "secret")
        user.store("other.example", "you", "another")
        entry = user.entry("same.example", "me").read_bytes()
        config_of(user).write_text(json.dumps({"auths": {name: {"auth": auth("me", "secret")}
                                                         for name in ("same.example", "other.example")}}))
        said(setup(user, "--yes"), "other.example stays", "another login")
        assert user.get("other.example") == ("you", "another")
        assert user.entry("same.example", "me").read_bytes() == entry
        assert json.loads(config_of(user).read_text()) == {
            "auths": {"same.example": {}, "other.example": {"auth": auth("me", "secret")}},
            "credsStore": "pass", "credHelpers": {"other.example": ""}}


@case("what the store cannot take stays in the file, is named, and docker goes on reading it")
def _():
    with Sandbox() as user:
        only_docker(user)
        user.make_store()
        long = "h" * 250
        config_of(user).write_text(json.dumps({"auths": {long: {"auth": auth("me", "x")}, "dots": {"auth": auth("../me", "x")},
                                                         "good": {"auth": auth("me", "x")}}}))
        said(setup(user, "--yes"), f"{long} stays", "dots stays", "the password for good is in the store")
        config = json.loads(config_of(user).read_text())
        assert set(config["auths"]["dots"]) == {"auth"} and config["credHelpers"] == {long: "", "dots": ""}


@case(f"killed at {KILLS} random moments: no password is lost, and docker's file is always valid")
def _():
    moments = random.Random(20)
    for _ in range(KILLS):
        with Sandbox() as user:
            user.make_store()
            hosts = {f"h{i}": ("me", f"secret{i}") for i in range(6)}
            config_of(user).write_text(json.dumps({"auths": {host: {"auth": auth(*login)} for host, login in hosts.items()}}, indent=1))
            process = subprocess.Popen(helper_argv("setup", "--yes"), env=user.env, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0, 0.45))
            process.kill()
            process.wait()
            config = json.loads(config_of(user).read_text())
            for host, login in hosts.items():
                if "auth" in config["auths"][host]:
                    assert config["auths"][host]["auth"] == auth(*login) and "credsStore" not in config
                else:
                    assert config["credsStore"] == "pass" and user.get(host) == login
            setup(user, "--yes")
            config = json.loads(config_of(user).read_text())
            assert config["auths"] == {host: {} for host in hosts} and config["credsStore"] == "pass"
            assert user.get("h3") == ("me", "secret3") and user.leftovers() == []


# --- the others -------------------------------------------------------------------------------------


@case("--podman: podman and skopeo use what docker stored, and their own passwords are moved")
def _():
    need("skopeo")
    with Registry() as registry, ContainersUser(registry, drop_in=False) as user:
        registry.push_image()
        own = user.run_dir / "containers/auth.json"
        own.parent.mkdir()
        own.write_text(json.dumps({"auths": {registry.host: {"auth": auth(registry.username, registry.password)}}}))
        own.chmod(0o600)
        said(setup(user, "--yes", "--podman"), "podman, buildah and skopeo use the store", registry.host)
        assert json.loads(own.read_text()) == {"auths": {registry.host: {}}}
        is_nowhere(user, registry.password)
        assert user.skopeo_inspects()
        need_podman(user)
        result = user.client("podman", "login", "--get-login", registry.host)
        assert result.rc == 0 and result.out.decode().strip() == registry.username, result
        said(setup(user, "--podman"), "Nothing is to be done")


@case("a login by podman after setup is encrypted, and docker uses it")
def _():
    with Registry() as registry, ContainersUser(registry, drop_in=False) as user:
        registry.push_image()
        setup(user, "--yes", "--podman")
        need_podman(user)
        result = user.client_login("podman")
        assert result.rc == 0 and not warns(result), result
        is_nowhere(user, registry.password)
        user.env["DOCKER_CONFIG"] = str(user.docker)
        assert user.is_let_in()


main()
