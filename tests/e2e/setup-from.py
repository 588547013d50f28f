#!/usr/bin/env python3
"""`setup --from HELPER` imports the logins of another credential helper, and loses nothing."""

import atexit
import functools
import json
import os
import shutil

from docker_user import find_secret
from harness import Sandbox, case, helper_path, main, shared_sandbox

HUB = "https://index.docker.io/v1/"
LOGINS = {
    "a.example": ("me", "pw-one"),
    "b.example:5000": ("me", "pw \"two\" \u00e9\\"),
    HUB: ("<token>", "pw-three"),
    HUB + "access-token": ("me", "pw-four"),
    "https://odd.example/v2/": ("a b", ""),
}

# A credential helper that keeps its logins in a file, and logs its calls.
HELPER = '''#!/usr/bin/python3
import json, os, sys
place = os.path.join(os.path.dirname(os.path.realpath(__file__)), "logins.json")
logins, verb, server = json.load(open(place)), sys.argv[1], sys.stdin.read()
open(place + ".log", "a").write(verb + " " + server + "\\n")
print("a line on stderr", file=sys.stderr)
if verb == "list":
    print(json.dumps({name: login[0] for name, login in logins.items()}))
elif verb == "get" and server in logins and logins[server][1] is not None:
    print(json.dumps({"ServerURL": server, "Username": logins[server][0], "Secret": logins[server][1]}))
elif verb == "get":
    print("credentials not found in native keychain"), sys.exit(1)
else:
    del logins[server]
    json.dump(logins, open(place, "w"))
'''


@functools.cache
def path_of_docker_alone():
    return shared_sandbox().path_without("podman", "buildah", "skopeo")


class User(Sandbox):
    """A user of docker-credential-keychain, without podman and skopeo."""

    def __init__(self, logins=None, config=None, helper=HELPER):
        super().__init__()
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        (self.bin / "docker-credential-pass").symlink_to(helper_path())
        (self.bin / "docker-credential-keychain").write_text(helper)
        (self.bin / "docker-credential-keychain").chmod(0o755)
        (self.bin / "logins.json").write_text(json.dumps(LOGINS if logins is None else logins))
        self.env["PATH"] = f"{self.bin}:{path_of_docker_alone()}"
        self.config_file = self.docker / "config.json"
        self.config_file.write_text(json.dumps({"credsStore": "keychain"} if config is None else config))
        self.make_store()

    @property
    def config(self):
        return json.loads(self.config_file.read_text())

    @property
    def left(self):
        return json.loads((self.bin / "logins.json").read_text())

    def asked(self, verb):
        log = self.bin / "logins.json.log"
        return [line for line in log.read_text().splitlines() if line.startswith(verb)] if log.exists() else []

    def setup(self, *options, check=True):
        result = self.helper("setup", "--yes", "--from", "keychain", *options)
        assert not check or result.rc == 0, result
        return result


def refused(user, *words, options=()):
    """Asserts one line and exit status 1; docker is not switched, and the other helper keeps everything."""
    config, left = user.config_file.read_bytes(), user.left
    result = user.setup(*options, check=False)
    assert result.rc == 1 and result.err.startswith(b"docker-credential-pass: ") and result.err.count(b"\n") == 1, result
    for word in words:
        assert word.encode() in result.err, (word, result)
    assert (user.config_file.read_bytes(), user.left) == (config, left)
    return result


@case("all logins are stored, docker is switched, and the other helper keeps its logins")
def _():
    with User() as user:
        result = user.setup()
        for server, login in LOGINS.items():
            assert user.get(server) == login, server
        assert user.config == {"credsStore": "pass"} and user.left == {name: list(login) for name, login in LOGINS.items()}
        assert user.asked("erase") == []
        for word in ("pw-one", "pw-three", "pw-four"):
            assert word not in (result.out + result.err).decode()
            assert not find_secret(user.home, word)
        assert len(user.asked("get")) == len(LOGINS)
        assert user.setup().rc == 0, "a second run imports the same again"


@case("--dry-run lists the logins without requesting a password, and changes nothing")
def _():
    with User() as user:
        before = user.snapshot()
        result = user.setup("--dry-run")
        for server in LOGINS:
            assert server in result.out.decode(), result
        assert user.asked("get") == [] and user.snapshot() == before and user.config == {"credsStore": "keychain"}


@case("--erase removes the imported logins from the other helper, after docker is switched")
def _():
    with User() as user:
        user.setup("--erase")
        assert user.left == {} and user.config == {"credsStore": "pass"}
        assert user.get("a.example") == LOGINS["a.example"]
    with User() as user:
        result = user.helper("setup", "--yes", "--erase")
        assert result.rc == 1 and b"--erase needs --from" in result.err, result


@case("credHelpers entries for the other helper are switched, those for a third helper are not")
def _():
    with User(config={"credHelpers": {"a.example": "keychain", "z.example": "third"}, "credsStore": "keychain"}) as user:
        user.setup()
        assert user.config == {"credHelpers": {"a.example": "pass", "z.example": "third"}, "credsStore": "pass"}


@case("a login that the store cannot keep stays in the other helper, and docker still uses it")
def _():
    logins = {**LOGINS, "long" * 60: ("me", "x"), "dots.example": ("../me", "x"), "newline.example": ("me", "x\n")}
    with User(logins) as user:
        result = user.setup("--erase")
        stays = {name: "keychain" for name in logins if name not in LOGINS}
        assert user.config == {"credsStore": "pass", "credHelpers": stays}
        assert set(user.left) == set(stays) and b"still asks" in b" ".join(result.out.split()), result


@case("a listed server without a login is named and skipped")
def _():
    with User({"a.example": ("me", "x"), "gone.example": ("me", None)}) as user:
        result = user.setup()
        assert b"has no login for it" in b" ".join(result.out.split()) and user.get("a.example") == ("me", "x")


@case("a different login in the store: nothing is switched; after the printed erase command, setup works")
def _():
    with User() as user:
        user.store("a.example", "me", "older")
        result = refused(user, "another login for a.example", "docker-credential-pass erase")
        command = result.err.decode().split("(")[1].split(")")[0]
        assert user.run(["sh", "-c", command]).rc == 0
        user.setup()
        assert user.get("a.example") == LOGINS["a.example"]


@case("a helper that is missing, fails, exits early, prints garbage or endless output is refused, and docker keeps it")
def _():
    for text, words in (
            ("#!/bin/sh\necho the keychain is locked\nexit 1\n", "the keychain is locked"),
            ("#!/bin/sh\necho '['\n", "does not answer a JSON object"),
            ("#!/bin/sh\necho '[1]'\n", "does not answer a JSON object"),
            ("#!/bin/sh\nkill -9 $$\n", "list fails"),
            ("#!/bin/sh\nprintf 'bad\\033[31m\\n'; exit 1\n", "list fails: bad"),
            ("#!/bin/sh\nexec cat /dev/zero\n", "MiB"),
            ('#!/bin/sh\n[ "$1" = list ] && echo \'{"a.example":"me"}\' || echo "{"\n', "get does not answer"),
    ):
        with User(helper=text) as user:
            result = refused(user, words)
            assert b"\x1b" not in result.err, result
    with User() as user:
        os.unlink(user.bin / "docker-credential-keychain")
        refused(user, "docker-credential-keychain is not on PATH")
        for name, words in (("pass", "another helper"), ("../x", "name of a helper"), ("", "empty")):
            result = user.helper("setup", "--yes", "--from", name)
            assert result.rc == 1 and words.encode() in result.err, result


@case("--erase is refused if podman, which is not switched, uses the other helper")
def _():
    with User() as user:
        drop_in = user.home / ".config/containers/registries.conf.d/own.conf"
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text('credential-helpers = ["keychain"]\n')
        refused(user, "--podman", options=("--erase",))
        user.setup("--erase", "--podman")
        assert user.left == {} and (drop_in.parent / "pass.conf").exists()


def answering(**answers):
    """Returns a helper that answers each verb with a text; a text after "!" is an error."""
    lines = []
    for verb, text in answers.items():
        text, status = (text[1:], 1) if text.startswith("!") else (text, 0)
        lines.append(f"{verb}) cat <<'END'; exit {status} ;;\n{text}\nEND")
    return "#!/bin/sh\ncase $1 in\n" + "\n".join(lines) + "\n*) exit 1 ;;\nesac\n"


GET = '{"ServerURL":"","Username":"me","Secret":"pw"}'
LISTED = '{"a.example":"me"}'
HELPERS, CLI = "https://github.com/docker/docker-credential-helpers/issues/", "https://github.com/docker/cli/issues/"

# Helpers of public reports: the name, what it answers, and the imported logins, or words of the refusal.
REPORTS = {
    "get answers username and secret alone": (HELPERS + "131", "keychain", answering(
        list=LISTED, get='{"Username":"me","Secret":"pw"}'), {"a.example": ("me", "pw")}),
    "the answer has a line end of Windows and other members, as of a helper in WSL": (CLI + "3947", "desktop.exe", answering(
        list=LISTED + "\r", get='{"ServerURL":"a.example","Username":"me","Secret":"pw","Label":"x"}\r'),
        {"a.example": ("me", "pw")}),
    "list has servers with http:// and https://": ("https://github.com/docker/for-mac/issues/1881", "osxkeychain", answering(
        list='{"http://quay.example":"me","https://b.example:12392":"me"}', get=GET),
        {"http://quay.example": ("me", "pw"), "https://b.example:12392": ("me", "pw")}),
    "a server without a user, which get cannot find": ("https://github.com/docker/desktop-linux/issues/85", "desktop", answering(
        list='{"https://index.docker.io/v1//access-token":""}',
        get="!no usernames for https://index.docker.io/v1//access-token"), ["no usernames for"]),
    "get answers a text that is not JSON": ("https://github.com/bmuschko/gradle-docker-plugin/pull/909", "desktop", answering(
        list=LISTED, get="no such entry"), ["does not answer a JSON object for a.example"]),
    "the keychain has another text for a missing entry": (HELPERS + "177", "osxkeychain", answering(
        list=LISTED, get="!No stored credential for a.example"), ["No stored credential for a.example"]),
    "secretservice without a keyring": (CLI + "7148", "secretservice", answering(
        list="!The name org.freedesktop.secrets was not provided by any .service files"), ["org.freedesktop.secrets"]),
    "secretservice that D-Bus cannot start in time": ("https://github.com/docker/for-linux/issues/329", "secretservice", answering(
        list="!Error calling StartServiceByName for org.freedesktop.secrets: Timeout was reached"), ["Timeout was reached"]),
    "a helper that does not know list": (HELPERS + "24", "wincred", answering(
        list="!Usage: docker-credential-wincred <store|get|erase>"), ["list fails: Usage"]),
    "an empty keychain, of which list answers null": ("https://github.com/docker/docker-credential-helpers/issues/149", "desktop",
                                                      answering(list="null"), {}),
    "Amazon's helper, whose tokens expire after 12 hours": ("https://github.com/pulumi/pulumi-docker/issues/459", "ecr-login",
                                                            answering(list=LISTED, get=GET), ["short-lived token"]),
    "Google's helper, which creates a token at each request": ("https://github.com/hashicorp/nomad/issues/2334", "gcloud", answering(
        list=LISTED, get=GET), ["short-lived token"]),
}


@functools.cache
def shared_user():
    user = User()
    atexit.register(user.close)
    return user


for name, report in REPORTS.items():
    @case(f"reported: {name}")
    def _(report=report):
        _, helper, text, wanted = report
        user = shared_user()
        shutil.rmtree(user.folder, ignore_errors=True)
        user.config_file.write_text(json.dumps({"credsStore": helper}))
        (user.bin / f"docker-credential-{helper}").write_text(text)
        (user.bin / f"docker-credential-{helper}").chmod(0o755)
        result = user.helper("setup", "--yes", "--from", helper)
        if isinstance(wanted, dict):
            assert result.rc == 0 and user.config == {"credsStore": "pass"}, result
            assert {server: user.get(server) for server in user.list()} == wanted
        else:
            assert result.rc == 1 and result.err.count(b"\n") == 1, result
            assert all(word.encode() in result.err for word in wanted), (wanted, result)
            assert user.config == {"credsStore": helper} and user.list() == {}


@case("setup without --from names the option that imports the logins")
def _():
    with User() as user:
        result = user.helper("setup", "--yes")
        assert result.rc == 1 and b"--from keychain" in result.err and b"--force" in result.err, result


main()
