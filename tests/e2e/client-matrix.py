#!/usr/bin/env python3
"""Every client can use the same logins after `setup` as before.

A row of the matrix is a file with logins under some name, plus other configuration. The test asks the real clients
(docker, compose, buildx, podman, buildah, skopeo) for the login before and after, and the answers must be the same.
docs/clients.md explains each row. LOAD=full runs all rows, an ordinary run every ninth of the product.
"""

import base64
import itertools
import json
import os
import shutil

from client_world import (ALL_CLIENTS, HUB, ORDINARY, OTHER_STORE, assert_kept, assert_refused, compare, the_world)
from fake_dockerd import FakeRegistry
from harness import Skip, case, main

IS_FULL = os.environ.get("LOAD") == "full"


# --- the product ------------------------------------------------------------------------------

SOURCES = ("docker", "runtime", "config", "named", "dockercfg")
FORMS = ("R", "https://R", "http://R", "https://R/v1/", "R/v2/", "R/team", "docker.io", "index.docker.io", HUB)
OTHERS = {
    "nothing else": {},
    "credHelpers for another registry": {"credHelpers": {"elsewhere.example": OTHER_STORE}},
    "an empty credHelpers and another login": {"credHelpers": {}, "extra": {"other.example": "teamuser"}},
}
OPTIONS = ((), ("--podman",))


def product():
    rows = list(itertools.product(SOURCES, FORMS, OTHERS, OPTIONS))
    return rows if IS_FULL else rows[::9]


@case("the same answers before and after: file x name of the entry x other configuration x options")
def _():
    failures = []
    for number, (source, form, other, options) in enumerate(product()):
        def make(world, source=source, form=form, other=other):
            more = dict(OTHERS[other])
            extra = more.pop("extra", {})
            form = form.replace("R", world.host) if "R" in form else form
            if source == "dockercfg":
                world.write("docker", {}, **more)
            world.write(source, {form: "testuser", **extra}, **({} if source == "dockercfg" else more))
        try:
            compare(make, *options, asked=ALL_CLIENTS if IS_FULL or number % 3 == 0 else ORDINARY)
        except AssertionError as why:
            failures.append(f"{source}, {form}, {other}, {' '.join(options) or 'plain'}: {why}")
    assert not failures, f"{len(failures)} rows:\n" + "\n".join(failures[:12])


# --- configured in one place, used in another ------------------------------------------------------


def helper_for_elsewhere(source):
    def make(world):
        world.write(source, {"R": "testuser"}, credHelpers={"elsewhere.example": OTHER_STORE})
    return make


@case("credHelpers for another registry still work for podman and skopeo, in each of the files")
def _():
    for source in ("docker", "runtime", "config", "named"):
        for options in ((), ("--podman",)):
            assert_kept(helper_for_elsewhere(source), *options)


@case("without XDG_RUNTIME_DIR, logins in /run/containers/UID/auth.json are moved and still work")
def _():
    place = the_world().user.dir / "below-run"
    for options in ((), ("--podman",)):
        for form in ("R", "R/team", "docker.io"):
            def make(world, form=form):
                file = place / f"{os.getuid()}/auth.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps({"auths": {form.replace("R", world.host): world.auth()}}))
                del world.user.env["XDG_RUNTIME_DIR"]
                world.user.below_run = str(place)
                if world.user.run(["true"]).rc != 0:
                    raise Skip("mounting needs root here")
            try:
                world = assert_kept(make, *options, words=["stays in"] if options and form == "R/team" else ())
                assert world.who("skopeo", form.replace("R", world.host)) == "testuser"
            finally:
                the_world().user.below_run = None
                shutil.rmtree(place, ignore_errors=True)


@case("a login for a path of a server still works, with and without one for the whole server")
def _():
    def beside(source, whole, part):
        def make(world):
            world.write(source, {"R": whole, "R/team": part})
        return make
    for source in ("docker", "runtime"):
        for options in ((), ("--podman",)):
            assert_kept(beside(source, "testuser", "testuser"), *options)
    assert_kept(beside("docker", "testuser", "teamuser"))
    assert_kept(beside("runtime", "testuser", "teamuser"), "--podman", words=["stays in"])
    assert_refused(beside("docker", "testuser", "teamuser"), "--podman", words=["R/team".replace("R", the_world().host)])


@case("docker finds a login for Docker Hub under its URL, and podman and skopeo as docker.io")
def _():
    for source, key in (("docker", HUB), ("docker", "docker.io"), ("runtime", "docker.io"), ("config", HUB)):
        for options in ((), ("--podman",)):
            def make(world, source=source, key=key):
                world.write(source, {key: "testuser"})
            world = assert_kept(make, *options)
            assert world.who("skopeo", "docker.io") == "testuser"
            if key == HUB and source == "docker":
                assert world.user.get(HUB) == ("testuser", world.registry.password)


@case("tokens of a browser login keep their names")
def _():
    def make(world):
        world.write("docker", {HUB: "testuser", HUB + "access-token": "testuser", HUB + "refresh-token": "testuser"})
    world = assert_kept(make)
    for name in ("", "access-token", "refresh-token"):
        assert world.user.get(HUB + name), name


@case("two files with different logins for a server: setup --podman refuses, and with plain setup both still work")
def _():
    def make(world):
        world.write("docker", {"R": "testuser"})
        world.write("runtime", {"R": "teamuser"})
    assert_kept(make)
    assert_refused(make, "--podman", words=["different logins"])


@case("a different login in the store: both clients keep their login, or setup refuses")
def _():
    def make(source):
        def made(world):
            world.write(source, {"R": "testuser"})
            world.user.store(world.host, "stale", "stale")
        return made
    assert_kept(make("runtime"))
    assert_refused(make("runtime"), "--podman", words=["another login"])
    assert_refused(make("docker"), words=["another login"])
    the_world().env["PATH"], before = the_world().user.path_without("skopeo", "podman", "buildah"), the_world().env["PATH"]
    try:
        world = assert_kept(make("docker"), asked=("docker",), words=["stays in", "still reads it there"])
        assert json.loads(world.path("docker").read_text())["credHelpers"] == {world.host: ""}
    finally:
        the_world().env["PATH"] = before


@case("a password that ends in a newline still works; a newline in a JSON key is ignored")
def _():
    def make(world):
        key = base64.b64encode(b'_json_key:{"a": 1}\n').decode()
        world.path("docker").write_text(json.dumps({"auths": {"gcr.example": {"auth": key}}}))
    for _ in range(2):
        world = assert_kept(make)
        assert world.user.get("gcr.example") == ("_json_key", '{"a": 1}')
        assert json.loads(world.path("docker").read_text())["auths"] == {"gcr.example": {}}
        assert "another login" not in world.setup().out.decode()


@case("a server whose credHelpers entry names the file stays there, and --host moves it")
def _():
    def make(world):
        world.write("docker", {"R": "testuser"}, credHelpers={world.host: ""})
    world = assert_kept(make, words=["credHelpers has docker read it from the file"])
    assert_kept(make, "--host", world.host)
    assert json.loads(world.path("docker").read_text()) == {"auths": {world.host: {}}, "credHelpers": {world.host: "pass"}}


@case("empty entries, malformed entries and entries with only a user next to valid ones, and tokens")
def _():
    def make(world):
        token = {**world.auth(), "identitytoken": "t0ken"}
        bad = {"bad.example": {"auth": "%%%"}, "user.example": {"auth": base64.b64encode(b"user").decode()},
               "empty.example": {}, "token.example": token, "registry.example": {"registrytoken": "x"}}
        world.write("docker", {"https://R": "testuser"})
        config = json.loads(world.path("docker").read_text())
        config["auths"].update(bad)
        config["currentContext"] = "rootless"
        world.path("docker").write_text(json.dumps(config))
    # docker reads such a file only partly, so the test asks podman and skopeo before, and docker after.
    world = assert_kept(make, asked=("skopeo", "podman"), words=["bad.example stays", "user.example stays",
                                                                 "registry.example stays"])
    assert world.user.inspect().rc == 0 and world.user.get("token.example") == ("<token>", "t0ken")
    assert json.loads(world.path("docker").read_text())["currentContext"] == "rootless"


@case("docker before version 23 reads ~/.dockercfg if there is no config.json")
def _():
    old = "/usr/bin/docker"
    if not os.access(old, os.X_OK) or b"version 20." not in the_world().user.run([old, "--version"]).out:
        raise Skip("no docker 20 is installed")
    world = the_world()
    world.reset()
    world.write("dockercfg", {"https://R/v1/": "testuser"})
    image = f"{world.host}/busybox:latest"
    world.user.env["DOCKER_CLI_EXPERIMENTAL"] = "enabled"
    before = world.user.run([old, "manifest", "inspect", image]).rc
    world.setup()
    assert world.user.run([old, "manifest", "inspect", image]).rc == before == 0
    assert not world.exposed()


@case("--host accepts every common name of a registry")
def _():
    for typed in ("R", "https://R", "R/", "https://R/v1/"):
        def make(world):
            world.write("docker", {"https://R": "testuser", "other.example": "teamuser"})
        world = the_world()
        world = assert_kept(make, "--host", typed.replace("R", world.host))
        config = json.loads(world.path("docker").read_text())
        assert config["credHelpers"] == {world.host: "pass"} and "auth" in config["auths"]["other.example"], config
    for typed in ("docker.io", "index.docker.io", HUB):
        world = the_world()
        world.reset()
        world.write("docker", {HUB: "testuser"})
        world.setup("--host", typed)
        assert json.loads(world.path("docker").read_text())["credHelpers"][HUB] == "pass"
        assert world.user.get(HUB) == ("testuser", world.registry.password)


@case("member names in another case: another store is not replaced, and no password is left")
def _():
    def store(name):
        def make(world):
            world.path("docker").write_text(json.dumps({name: OTHER_STORE}))
        return make
    for name in ("credSstore", "CredsStore", "cred\u017fstore"):
        assert_refused(store(name), words=[f"docker-credential-{OTHER_STORE}", "--from"])
    for auths, auth in (("Auths", "Auth"), ("AUTHS", "auth"), ("auth\u017f", "AUTH")):
        def make(world, auths=auths, auth=auth):
            world.path("docker").write_text(json.dumps({auths: {world.host: {auth: world.auth()["auth"]}}}))
        world = assert_kept(make)
        assert not world.exposed()


@case("a second hard link of config.json keeps the password, and setup reports it")
def _():
    def make(world):
        world.write("docker", {"R": "testuser"})
        (world.user.home / "copy").unlink(missing_ok=True)
        os.link(world.path("docker"), world.user.home / "copy")
    world = the_world()
    world.reset()
    make(world)
    result = world.setup()
    text = result.out.decode()
    command = next(line.strip() for line in text.splitlines() if line.strip().startswith("find / -xdev -inum"))
    assert "1 more hard link" in text, text
    found = world.user.run(["find", str(world.user.home), "-inum", command.split()[-1]]).out.decode()
    assert str(world.user.home / "copy") in found, found
    (world.user.home / "copy").unlink()


@case("a later drop-in file: setup refuses; with --force its own file comes last")
def _():
    def make(world):
        world.write("runtime", {"R": "testuser"})
        (world.user.containers / "registries.conf.d/zz.conf").write_text(f'credential-helpers = ["{OTHER_STORE}"]\n')
    world = assert_refused(make, "--podman", words=["zz.conf", "no effect", "--force"])
    world.setup("--podman", "--force")
    world.user.store("new.example", "new", "x")
    assert world.who("skopeo", "new.example") == "new"


@case("another helper in registries.conf is replaced only with --force; another name of the default is not another helper")
def _():
    def other(name, text):
        def make(world):
            (world.user.containers / name).write_text(text)
        return make
    assert_refused(other("registries.conf", f"credential-helpers = ['{OTHER_STORE}']\n"), "--podman",
                   words=["registries.conf", "--force"])
    assert_kept(other("registries.conf.d/aa.conf", 'credential-helpers = ["containers-auth.json"]\n'), "--podman")
    assert_kept(other("registries.conf.d/zz.conf", 'credential-helpers = ["pass"] # mine\n'), "--podman")
    assert not (the_world().user.containers / "registries.conf.d/pass.conf").exists()


@case("with DOCKER_CONFIG set, setup --podman names the helper for every server, and explains podman's behaviour")
def _():
    def make(world):
        world.write("docker", {"https://R/v1/": "testuser", HUB: "testuser"})
        world.user.env["DOCKER_CONFIG"] = str(world.user.docker)
    world = assert_kept(make, "--podman", words=["DOCKER_CONFIG is set", "env -u DOCKER_CONFIG podman login"])
    assert json.loads(world.path("docker").read_text())["credHelpers"] == {world.host: "pass", HUB: "pass"}


@case("running setup again changes nothing and loses nothing")
def _():
    for options in ((), ("--podman",)):
        def make(world):
            world.write("docker", {"https://R": "testuser", HUB: "testuser"}, credHelpers={"elsewhere.example": OTHER_STORE})
        world = assert_kept(make, *options)
        before, answers = world.path("docker").read_bytes(), world.answers()
        assert "There is nothing to do" in world.setup(*options).out.decode()
        assert (world.path("docker").read_bytes(), world.answers()) == (before, answers)


@case("buildx finds the same login before and after")
def _():
    world = the_world()
    if world.user.run(["docker", "buildx", "version"]).rc != 0:
        raise Skip("docker buildx is not installed")
    registry = FakeRegistry()
    try:
        for form in ("B", "https://B", "B/v2/", "http://B/v1/"):
            for options in ((), ("--podman",)):
                world.reset()
                world.write("docker", {form.replace("B", registry.host): "testuser"})
                before = registry.login_sent_by(world.user)
                world.setup(*options)
                assert registry.login_sent_by(world.user) == before == ("testuser", world.registry.password), form
    finally:
        registry.close()


main()
