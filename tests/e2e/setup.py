#!/usr/bin/env python3
"""`docker-credential-pass setup`: from a new user to a login without docker's warning, without losing anything."""

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
    """Asserts that the output contains the words, regardless of line breaks."""
    text = " ".join((result.out + result.err).decode().split())
    for word in words:
        assert word in text, f"does not say {word!r}: {result}"


def assert_refused(user, result, before, *words):
    """Asserts one line on stderr, exit status 1, and no change."""
    assert result.rc == 1 and result.err.startswith(b"docker-credential-pass: ") and result.err.count(b"\n") == 1, result
    said(result, *words)
    assert everything(user) == before, "a file was changed"


def everything(user):
    """Returns modes and contents of all files in the user's home directory, and gpg's secret keys."""
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
    """Hides podman, buildah and skopeo, so that only docker reads the user's files."""
    user.env["PATH"] = user.path_without("podman", "buildah", "skopeo")


def gpg_id(user, folder="."):
    return (user.prefix / folder / ".gpg-id").read_text()


# --- a new user ---------------------------------------------------------------------------------


@case("a new user: after setup, docker login prints no warning, and the password is not readable anywhere")
def _():
    with Registry() as registry, DockerUser(registry, config={}, store=False) as user:
        registry.push_image()
        config_of(user).unlink()
        result = setup(user, "--yes", *NEW_KEY)
        said(result, "generated the key", "created the password store", "encrypted and decrypted a text", "Ready")
        assert user.config == {"credsStore": "pass"}
        assert stat.S_IMODE(config_of(user).stat().st_mode) == 0o600
        assert stat.S_IMODE(user.prefix.stat().st_mode) == 0o700
        user.login()
        assert user.is_let_in()
        is_nowhere(user, registry.password)
        assert user.leftovers() == []


@case("the key gets a passphrase from pinentry, after the user has answered the question")
def _():
    with Sandbox() as user:
        (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {need('pinentry-curses')}\ns2k-count 65536\n")
        user.env.update(LC_ALL="C", TERM="xterm")
        asked = rb"passphrase.*<Cancel>"
        for_the_key = [f"{PASSPHRASE}\t{PASSPHRASE}\r"] if repeats_in_one_dialog() else 2 * [PASSPHRASE + "\r"]
        # setup's test decryption asks once more, because the agent has not cached the passphrase yet.
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
    """Returns whether pinentry asks for a new passphrase and its repetition in one dialog (1.3 and later)."""
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


@case("after the answer no, or when the terminal closes, nothing is changed")
def _():
    for answer in ("n\r", "\x04"):
        with Sandbox() as user:
            before = everything(user)
            with Terminal((rb"Go on\? \[Y/n\]", answer)) as terminal:
                assert run_on(terminal, user, *NEW_KEY) == 1, terminal.seen
            assert everything(user) == before


@case("on a terminal setup asks for name and address, with a default")
def _():
    with Sandbox() as user:
        with Terminal((rb"Your name.*\[.+\]: ", "Me Myself\r"), (rb"e-mail.*\[.+@.+\]: ", "\r"),
                      (rb"Go on\? \[Y/n\]", "y\r")) as terminal:
            assert run_on(terminal, user, "--no-passphrase") == 0, terminal.seen
        assert "Me Myself <" in user.run(["gpg", "-K"]).out.decode()


@case("colour only on terminals and without NO_COLOR; at most 80 columns, except for commands and paths")
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


@case("an existing store keeps its keys")
def _():
    with Sandbox() as user:
        user.make_store()
        before = gpg_id(user)
        user.make_key("other@example.com")
        said(setup(user, "--yes"), "the password store has its key")
        assert gpg_id(user) == before


@case("the only usable key is used; --key selects one of several by any name of the key")
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


@case("with several keys the person on the terminal chooses one")
def _():
    with Sandbox() as user:
        keys = {user.make_key("one@example.com"), user.make_key("two@example.com")}
        with Terminal((rb"Which one.*\[1\]: ", "9\r"), (rb"Which one.*\[1\]: ", "2\r"), (rb"Go on\?", "\r")) as terminal:
            assert run_on(terminal, user) == 0, terminal.seen
        second = [line for line in terminal.seen.decode().splitlines() if line.startswith("  2  ")][0].split()[1]
        assert gpg_id(user) == second + "\n" and second in keys


@case("an unusable key is refused with the reason")
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


@case("--subfolder: docker's entries get another key, and the rest of the store keeps its keys")
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
        said(setup(user, "--yes", "--subfolder"), "There is nothing to do")
    with Sandbox() as user:
        user.make_store()
        user.store("https://example.com", "me", "secret")
        before = everything(user)
        assert_refused(user, setup(user, "--yes", "--subfolder", "--key", gpg_id(user).strip(), check=False), before,
                       "pass init -p docker-credential-helpers")


@case("a read-only store is detected before docker's file is changed")
def _():
    with Sandbox() as user:
        user.make_store("nobody@example.com")
        config_of(user).write_text('{"auths":{"h":{"auth":"%s"}}}' % auth("me", "secret"))
        before = everything(user)
        assert_refused(user, setup(user, "--yes", check=False), before, "nobody@example.com")


# --- docker's file ------------------------------------------------------------------------------


@case("--dry-run changes nothing; a second run changes nothing and asks nothing")
def _():
    with Sandbox() as user:
        before = everything(user)
        said(setup(user, "--dry-run", *NEW_KEY), "generate a key", "create the password store", "credsStore")
        assert everything(user) == before
        setup(user, "--yes", *NEW_KEY)
        before = everything(user)
        said(setup(user), "the password store has its key", "docker keeps passwords in the store", "There is nothing to do")
        assert everything(user) == before


@case("another credential store is replaced only with --force")
def _():
    with Sandbox() as user:
        user.make_store()
        config_of(user).write_text('{"credsStore": "secretservice"}')
        before = everything(user)
        assert_refused(user, setup(user, "--yes", check=False), before, "docker-credential-secretservice", "--force")
        setup(user, "--yes", "--force")
        assert config_of(user).read_text() == '{"credsStore": "pass"}'


@case("--host: only the passwords of one registry")
def _():
    with Sandbox() as user:
        user.make_store()
        config_of(user).write_text(json.dumps(
            {"auths": {"a.example": {"auth": auth("me", "a")}, "b.example": {"auth": auth("me", "b")}}}))
        setup(user, "--yes", "--host", "a.example")
        assert json.loads(config_of(user).read_text()) == {
            "auths": {"a.example": {}, "b.example": {"auth": auth("me", "b")}}, "credHelpers": {"a.example": "pass"}}
        assert user.get("a.example") == ("me", "a") and user.get("b.example") is None
        said(setup(user, "--host", "a.example"), "There is nothing to do")


@case("a link to the file, the file's mode and all of its other bytes are kept")
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


@case("a file that is not JSON is refused and stays unchanged")
def _():
    with Sandbox() as user:
        user.make_store()
        for text, words in (("{", "not a JSON object"), ("[]", "not a JSON object"),
                            ('{"auths":{}} x', "remove what follows it")):
            config_of(user).write_text(text)
            before = everything(user)
            assert_refused(user, setup(user, "--yes", check=False), before, "config.json", words)


# --- passwords in docker's file -------------------------------------------------------------------


def many_logins():
    """Returns the text of a file with twenty typical entries, and the expected content of the store."""
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


@case("of twenty different entries the valid ones are moved, and the others stay and are named")
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
        said(setup(user, "--yes"), "There is nothing to do")


@case("a different login in the store is kept, and docker still reads its own; an identical one is removed from the file")
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


@case("a login that the store cannot keep stays in the file and is named, and docker still reads it")
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


# --- podman and skopeo -----------------------------------------------------------------------------------


@case("--podman: podman and skopeo use docker's logins in the store, and their own passwords are moved")
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
        said(setup(user, "--podman"), "There is nothing to do")


@case("a podman login after setup is encrypted, and docker uses it")
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
