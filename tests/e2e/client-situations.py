#!/usr/bin/env python3
"""Situations of the clients from public reports: the same answers before and after `setup`, or an error with the reason.

docs/clients-situations.md names the report behind each row.
"""

import base64
import json
import os
import time

from client_world import ALL_CLIENTS, HUB, OTHER_STORE, assert_refused, compare, the_world
from harness import case, main

ACR_USER = "00000000-0000-0000-0000-000000000000:"


def config(text):
    """Returns a function that writes docker's file: a document from a function of the world, or bytes."""
    def make(world):
        document = text(world)
        world.path("docker").write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return make


def with_login(**more):
    return config(lambda world: {"auths": {world.host: world.auth()}, **more})


def docker_file():
    return json.loads(the_world().path("docker").read_text())


def empty_entry_in_auth_json(world):
    world.write("docker", {"R": "testuser"})
    world.path("runtime").parent.mkdir(parents=True)
    world.path("runtime").write_text(json.dumps({"auths": {world.host: {}}}))


def linked(world):
    world.write("docker", {"R": "testuser"})
    world.path("docker").rename(world.user.docker / "company.json")
    world.path("docker").symlink_to("company.json")


def token(world):
    return {"auths": {"me.azurecr.io": {"auth": base64.b64encode(ACR_USER.encode()).decode(), "identitytoken": "a.b.c"},
                      world.host: world.auth()}}


def findings(world):
    found = json.loads(world.user.helper("doctor", "--json").out)
    return {one["id"]: one for one in found["findings"]}


PLAIN, PODMAN, FORCE = (), ("--podman",), ("--force",)

# The files, the options of setup, words of its output, and the expected content of docker's file.
KEPT = {
    "a credsStore of a helper that is gone, beside a password in the file":
        (with_login(credsStore="desktop.exe"), [FORCE], [], {"credsStore": "pass"}),
    "credsStore spelt credStore, which docker ignores":
        (with_login(credStore="desktop"), [PLAIN, PODMAN], [], {"credStore": "desktop", "credsStore": "pass"}),
    "an empty credsStore": (with_login(credsStore=""), [PLAIN, PODMAN], [], {"credsStore": "pass"}),
    "null for credsStore and credHelpers": (with_login(credsStore=None, credHelpers=None), [PLAIN, PODMAN], [],
                                            {"credsStore": "pass"}),
    "an empty entry for the server in podman's file, and the login in docker's":
        (empty_entry_in_auth_json, [PLAIN, PODMAN], [], {}),
    "an entry without a name": (config(lambda world: {"auths": {"": world.auth(), world.host: world.auth()}}), [PLAIN],
                                ['the login for "" stays', "no client uses it"], {"credsStore": "pass"}),
    "a broken helper for another registry, which docker build asks too":
        (with_login(credHelpers={"blah.example": "false"}), [PLAIN, PODMAN], [], {"credsStore": "pass"}),
    "helpers of clouds for other registries":
        (with_login(credHelpers={"1.dkr.ecr.us-east-1.amazonaws.com": "ecr-login", "eu.gcr.io": "gcloud"}), [PLAIN, PODMAN],
         [], {"credsStore": "pass"}),
    "an entry with a user name alone, and a helper for its server":
        (config(lambda world: {"auths": {"x.example": {"username": "Other"}, world.host: world.auth()},
                               "credHelpers": {"x.example": OTHER_STORE}}), [PLAIN, PODMAN], [], {}),
    "an identity token beside an empty password": (config(token), [PLAIN, PODMAN], [], {}),
    "a login to Docker Hub in every form that nerdctl and others have written":
        (config(lambda world: {"auths": {name: world.auth() for name in (HUB, "docker.io", "index.docker.io")}}),
         [PLAIN, PODMAN], [], {}),
    "the server with and without https://, as nerdctl writes it":
        (config(lambda world: {"auths": {"https://" + world.host: world.auth(), world.host: world.auth()}}),
         [PLAIN, PODMAN], [], {"credsStore": "pass"}),
    "members of docker that have nothing to do with logins":
        (with_login(HttpHeaders={"User-Agent": "x"}, proxies={"default": {"httpProxy": "http://p:1"}},
                    currentContext="rootless", plugins={"x": {"y": "z"}}, psFormat="{{.ID}}", unknown=[1, {"a": None}]),
         [PLAIN], [], {"HttpHeaders": {"User-Agent": "x"}, "proxies": {"default": {"httpProxy": "http://p:1"}},
                       "currentContext": "rootless", "plugins": {"x": {"y": "z"}}, "psFormat": "{{.ID}}",
                       "unknown": [1, {"a": None}]}),
    "config.json as a relative link": (linked, [PLAIN], ["link with a relative target", "ln -sfn"], {"credsStore": "pass"}),
    "a login in ~/.dockercfg alone, which compose 1 and podman read":
        (lambda world: world.write("dockercfg", {"https://R/v1/": "testuser"}), [PLAIN, PODMAN], [], {"credsStore": "pass"}),
}

# Files that docker cannot read or use either: setup names the reason, and changes nothing.
REFUSED = {
    "a credsStore of a helper that is gone": (config(lambda _: {"auths": {HUB: {}}, "credsStore": "desktop.exe"}),
                                              ["docker-credential-desktop.exe", "not on PATH", "--force"]),
    "a byte order mark": (config(lambda world: b"\xef\xbb\xbf" + json.dumps({"auths": {world.host: world.auth()}}).encode()),
                          ["byte order mark"]),
    "UTF-16": (config(lambda world: json.dumps({"auths": {world.host: world.auth()}}).encode("utf-16")),
               ["byte order mark"]),
    "a trailing comma": (config(lambda _: b'{"auths": {},}'), ["not a JSON object"]),
    "a comment": (config(lambda _: b'{ // mine\n"auths": {}}'), ["not a JSON object"]),
}


@case("situations from public reports: every client finds the same login as before")
def _():
    failures = []
    for name, (make, runs, words, expected) in KEPT.items():
        for options in runs:
            try:
                text = " ".join(compare(make, *options, asked=ALL_CLIENTS).out.decode().split())
                assert all(word in text for word in words), (words, text)
                assert all(docker_file().get(member) == value for member, value in expected.items()), docker_file()
                assert not [one for one in findings(the_world()).values() if one["status"] == "bad"]
            except AssertionError as why:
                failures.append(f"{name}, {' '.join(options) or 'plain'}: {why}")
    assert not failures, "\n".join(failures)


@case("files that docker cannot read or use are refused with the reason, and stay unchanged")
def _():
    for name, (make, words) in REFUSED.items():
        try:
            assert_refused(make, words=words)
        except AssertionError as why:
            raise AssertionError(f"{name}: {why}") from None


@case("podman login bypasses credHelpers in ~/.config/containers/auth.json until setup --podman")
def _():
    world = the_world()
    world.reset()
    world.path("config").write_text(json.dumps({"credHelpers": {world.host: "pass"}}))
    world.user.client_login("skopeo")
    assert world.exposed() == [str(world.path("runtime"))]
    world.setup("--podman")
    assert not world.exposed() and world.who("skopeo", world.host) == "testuser"
    for program in ("skopeo", "podman"):
        world.user.client_login(program)
        assert not world.exposed() and world.user.get(world.host) == ("testuser", world.registry.password)


@case("another program changes the file while setup runs: no change is lost")
def _():
    world = the_world()
    world.reset()
    world.write("docker", {"R": "testuser"})
    # gpg acts as the other program: setup encrypts a text after it has read the file, and before it replaces the file.
    own = world.user.dir / "racing"
    own.mkdir(exist_ok=True)
    (own / "gpg").write_text(f"""#!/bin/sh
case " $* " in *" --encrypt "*) echo '{{"auths": {{"new.example": {json.dumps(world.auth())}}}}}' > {world.path("docker")};; esac
exec /usr/bin/gpg "$@"
""")
    (own / "gpg").chmod(0o755)
    world.user.env["PATH"] = f"{own}:{world.user.env['PATH']}"
    result = world.setup(check=False)
    assert result.rc == 1 and b"changed by another program" in result.err, result
    assert list(docker_file()["auths"]) == ["new.example"] and world.user.get(world.host)


def leave(name, auths, age_s=600):
    """Makes a temporary file of an interrupted docker login."""
    def make(world):
        world.write("docker", {"R": "testuser"})
        path = world.user.docker / name
        path.write_text(auths if isinstance(auths, str) else json.dumps({"auths": auths(world)}))
        os.utime(path, (time.time() - age_s,) * 2)
    return make


@case("temporary files of interrupted logins: doctor names them, setup removes those without a new login")
def _():
    own = ".docker-credential-pass.0f8fad5b-d9cb-469f-a165-70867728950e"
    rows = {
        "docker's, with the same login": (leave("config.json1158511922", lambda world: {world.host: world.auth()}), True),
        "our own, with the same login": (leave(own, lambda world: {world.host: world.auth()}), True),
        "with another login": (leave("config.json77", lambda world: {"x.example": world.auth()}), False),
        "cut short": (leave("config.json78", '{"auths": {"x.example": {"auth": "bWU6'), False),
    }
    for name, (make, is_removed) in rows.items():
        world = the_world()
        world.reset()
        make(world)
        left = [path for path in world.user.docker.iterdir() if path.name != "config.json"]
        assert "config-leftovers" in findings(world), name
        text = " ".join(world.setup().out.decode().split())
        assert left[0].exists() != is_removed and str(left[0]) in text, (name, text)
        assert ("config-leftovers" in findings(world)) != is_removed, name
    for make in (leave("config.json79", lambda world: {}, age_s=0), leave("config.json.bak", lambda world: {})):
        world = the_world()
        world.reset()
        make(world)
        assert "config-leftovers" not in findings(world)


@case("doctor names logins that stay in their file on purpose with the reason, without a finding")
def _():
    world = the_world()
    rows = {
        "credHelpers": with_login(credHelpers={world.host: ""}),
        "part of that server": config(lambda world: {"auths": {world.host + "/team": world.auth()}}),
        "registry token": config(lambda world: {"auths": {"x.example": {"registrytoken": "t"}}}),
        "another helper": with_login(credHelpers={world.host: OTHER_STORE}),
    }
    for reason, make in rows.items():
        world.reset()
        make(world)
        world.path("docker").chmod(0o600)
        world.setup()
        result = world.user.helper("doctor")
        text = " ".join(result.out.decode().split())
        assert "plaintext-auths" not in findings(world), reason
        assert "stays in" in text and reason in text, (reason, text)


@case("doctor warns about DOCKER_CONFIG if podman uses this program, and about a helper that is not on PATH")
def _():
    world = the_world()
    world.reset()
    world.write("docker", {})
    world.setup("--podman")
    assert "podman-docker-config" not in findings(world)
    world.user.env["DOCKER_CONFIG"] = str(world.user.docker)
    assert "podman-docker-config" in findings(world)
    for store, command in (("gone", "setup --force"), (OTHER_STORE, f"setup --from {OTHER_STORE}")):
        world.reset()
        config(lambda _, store=store: {"credsStore": store})(world)
        assert command in " ".join(findings(world)["creds-store-other"]["commands"]), findings(world)


@case("DOCKER_AUTH_CONFIG is named, because docker prefers it to all other sources")
def _():
    world = the_world()
    world.reset()
    world.write("docker", {"R": "testuser"})
    world.user.env["DOCKER_AUTH_CONFIG"] = "{}"
    assert "DOCKER_AUTH_CONFIG" in world.setup("--dry-run").out.decode()


main()
