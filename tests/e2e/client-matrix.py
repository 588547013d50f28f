#!/usr/bin/env python3
"""Every login that a client could use before `setup` it can use after it.

A row of the matrix is a file with logins under some name, and what else is configured. The real clients (docker,
compose, buildx, podman, buildah, skopeo) are asked for the login before and after, and must give the same answers;
docs/clients.md says why each row is what it is. LOAD=full runs all rows, an ordinary run every ninth of the product.
"""

import atexit
import base64
import itertools
import json
import os
import shutil

from docker_user import ContainersUser, find_secret
from fake_dockerd import FakeDockerd, FakeRegistry
from harness import Skip, case, main, need
from registry import Registry

HUB = "https://index.docker.io/v1/"
OTHER_STORE = "other"
IS_FULL = os.environ.get("LOAD") == "full"


class MatrixUser(ContainersUser):
    """With `below_run` set, programs see that directory as /run/containers, and nothing else below /run."""

    below_run = None
    IN_OWN_RUN = ('mount -t tmpfs none /run && mkdir /run/containers && mount --bind "$0" /run/containers && '
                  'exec "$@"')

    def run(self, argv, *args, **more):
        if self.below_run:
            argv = ["unshare", "-m", "sh", "-c", self.IN_OWN_RUN, self.below_run, *argv]
        return super().run(argv, *args, **more)


class World:
    """One registry and one user for all rows; each row begins with the files that it names, and no others."""

    def __init__(self):
        for program in ("docker", "skopeo", "podman"):
            need(program)
        self.registry = Registry()
        self.user = MatrixUser(self.registry, drop_in=False)
        atexit.register(self.registry.close)
        atexit.register(self.user.close)
        self.registry.push_image()
        self.registry.push_image("team/busybox")
        self.team_password = self.registry.add_user("teamuser")
        self.host = self.registry.host
        self._write_other_helper()
        self.dockerd = FakeDockerd(self.user.dir / "docker.sock")
        self.user.env["DOCKER_HOST"] = self.dockerd.host
        self.context = self.user.dir / "context"
        self.context.mkdir()
        (self.context / "Dockerfile").write_text("FROM scratch\n")
        (self.context / "compose.yml").write_text(
            f"services:\n  one:\n    image: {self.host}/busybox:latest\n")
        self.compose = find_compose(self.user)
        self.env = dict(self.user.env)

    def _write_other_helper(self):
        """A helper for other registries: it has a login to elsewhere.example alone."""
        path = self.user.dir / "bin" / f"docker-credential-{OTHER_STORE}"
        answer = json.dumps({"ServerURL": "elsewhere.example", "Username": "elsewhere", "Secret": "x"})
        path.write_text('#!/bin/sh\nread -r server\n[ "$server" = elsewhere.example ] || '
                        "{ echo credentials not found in native keychain; exit 1; }\n" f"echo '{answer}'\n")
        path.chmod(0o755)

    def reset(self):
        user = self.user
        for place in (user.docker, user.run_dir, user.containers, user.folder):
            shutil.rmtree(place, ignore_errors=True)
        for place in (user.docker, user.run_dir, user.containers / "registries.conf.d"):
            place.mkdir(mode=0o700, parents=True)
        (user.home / ".dockercfg").unlink(missing_ok=True)
        (user.home / "named.json").unlink(missing_ok=True)
        user.env, user.below_run = dict(self.env), None

    def path(self, source):
        user = self.user
        return {"docker": user.docker / "config.json", "dockercfg": user.home / ".dockercfg",
                "runtime": user.run_dir / "containers/auth.json", "config": user.containers / "auth.json",
                "named": user.home / "named.json"}[source]

    def auth(self, who="testuser"):
        password = self.registry.password if who == "testuser" else self.team_password
        return {"auth": base64.b64encode(f"{who}:{password}".encode()).decode()}

    def write(self, source, auths, **more):
        auths = {key.replace("R", self.host, 1) if key.startswith(("R", "http")) else key: self.auth(who)
                 for key, who in auths.items()}
        path = self.path(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(auths if source == "dockercfg" else {"auths": auths, **more}, indent=1))
        if source == "named":
            self.user.env["REGISTRY_AUTH_FILE"] = str(path)

    # --- what the clients say ----------------------------------------------------------------

    def who(self, program, server):
        """Whose login podman or skopeo would use; None: nobody's."""
        result = self.user.client(program, "login", "--get-login", server)
        return result.out.decode().strip() if result.rc == 0 else None

    def pulls(self, *argv):
        """The login that a client of docker's daemon sends along."""
        self.dockerd.seen.clear()
        self.user.run([*argv], cwd=self.context)
        return self.dockerd.seen.get("pull")

    def builds(self):
        """The logins that the daemon would take for an image of R and of Docker Hub from all that `docker build` without
        BuildKit sends along: one under exactly that name, else one for that host."""
        self.dockerd.seen.clear()
        self.user.run(["docker", "build", "-q", "."], cwd=self.context, env={"DOCKER_BUILDKIT": "0"})
        sent = self.dockerd.seen.get("build", {})
        by_host = {bare_host(name): login for name, login in sent.items()}
        return {self.host: sent.get(self.host) or by_host.get(self.host), HUB: sent.get(HUB)}

    def skopeo_sees(self, image):
        result = self.user.client("skopeo", "inspect", f"docker://{self.host}/{image}")
        return result.rc == 0

    def answers(self, asked=("docker", "skopeo", "podman")):
        found = {}
        if "docker" in asked:
            found["docker"] = self.user.inspect().rc == 0
            found["docker pull"] = self.pulls("docker", "pull", "-q", f"{self.host}/busybox:latest")
            found["docker pull from Docker Hub"] = self.pulls("docker", "pull", "-q", "me/private")
            found.update((f"docker build {host}", login) for host, login in self.builds().items())
        if "compose" in asked and self.compose:
            found["compose"] = self.pulls(*self.compose, "-f", self.context / "compose.yml", "pull")
        if "buildah" in asked and shutil.which("buildah"):
            found["buildah R"] = self.who("buildah", self.host)
            found["buildah docker.io"] = self.who("buildah", "docker.io")
        if "skopeo" in asked:
            found["skopeo R"] = self.who("skopeo", self.host)
            found["skopeo docker.io"] = self.who("skopeo", "docker.io")
            found["skopeo elsewhere"] = self.who("skopeo", "elsewhere.example")
            found["skopeo R/team/busybox"] = self.skopeo_sees("team/busybox:latest")
        if "podman" in asked:
            found["podman R"] = self.who("podman", self.host)
            found["podman docker.io"] = self.who("podman", "docker.io")
        return found

    def exposed(self):
        """The files in which a password can be read."""
        found = {str(path) for word in (self.registry.password, self.team_password)
                 for path, _ in find_secret(self.user.dir, word)}
        below_run = self.user.below_run
        return sorted(path.replace(below_run, "/run/containers") if below_run else path for path in found)

    def setup(self, *options, check=True):
        result = self.user.helper("setup", "--yes", *options)
        assert not check or result.rc == 0, result
        return result


def find_compose(user):
    """The words that run compose, version 2 or 1; None: neither is installed."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]) and user.run([*words, "version"]).rc == 0:
            return words
    return None


def bare_host(name):
    """The server that an entry is for, by docker's rules."""
    name = name.partition("://")[2] or name
    return name.partition("/")[0]


ORDINARY = ("docker", "skopeo", "podman")
ALL_CLIENTS = (*ORDINARY, "buildah", "compose")


def compare(make, *options, asked=ORDINARY):
    """Makes the files, asks, runs setup, asks again. Answers what setup said."""
    world = the_world()
    world.reset()
    make(world)
    before, exposed = world.answers(asked), world.exposed()
    result = world.setup(*options)
    after = world.answers(asked)
    text = " ".join(result.out.decode().split())
    # A store that the clients share may give one of them a login that it did not have.
    lost = {name: (answer, after[name]) for name, answer in before.items() if answer and answer != after[name]}
    more = [place for place in world.exposed() if place not in exposed or (
        ("--podman" in options or (place == str(world.path("docker")) and "--host" not in options)) and f" stays in {place}: " not in text)]
    config = world.path("docker")
    assert not lost and not more, (f"before and after: {lost}, readable in {more}\n"
                                   f"{config.exists() and config.read_text()}\n{result.out.decode()}")
    return result


_world = []


def the_world():
    if not _world:
        _world.append(World())
    return _world[0]


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


@case("the same answers before and after: file x name of the entry x what else is configured x options")
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


# --- what is configured in one place, and used in another ------------------------------------------


def assert_kept(make, *options, words=(), **more):
    result = compare(make, *options, **more)
    text = " ".join((result.out + result.err).decode().split())
    for word in words:
        assert word in text, (word, text)
    return the_world()


def assert_refused(make, *options, words=()):
    """setup fails with one line, and no file of a client has changed."""
    world = the_world()
    world.reset()
    make(world)
    before = {path: path.read_bytes() for path in world.user.home.rglob("*.json")}
    result = world.setup(*options, check=False)
    assert result.rc == 1 and result.err.count(b"\n") == 1, result
    for word in words:
        assert word.encode() in result.err, (word, result)
    assert before == {path: path.read_bytes() for path in world.user.home.rglob("*.json")}
    return world


def helper_for_elsewhere(source):
    def make(world):
        world.write(source, {"R": "testuser"}, credHelpers={"elsewhere.example": OTHER_STORE})
    return make


@case("credHelpers for another registry stay in force for podman and skopeo, in whichever file they are")
def _():
    for source in ("docker", "runtime", "config", "named"):
        for options in ((), ("--podman",)):
            assert_kept(helper_for_elsewhere(source), *options)


@case("without XDG_RUNTIME_DIR, /run/containers/UID/auth.json is read, moved, and stays in use")
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


@case("a login for a part of a server stays in use, alone and beside one for all of it")
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


@case("a login for Docker Hub is found by docker under its URL, and by podman and skopeo as docker.io")
def _():
    for source, key in (("docker", HUB), ("docker", "docker.io"), ("runtime", "docker.io"), ("config", HUB)):
        for options in ((), ("--podman",)):
            def make(world, source=source, key=key):
                world.write(source, {key: "testuser"})
            world = assert_kept(make, *options)
            assert world.who("skopeo", "docker.io") == "testuser"
            if key == HUB and source == "docker":
                assert world.user.get(HUB) == ("testuser", world.registry.password)


@case("tokens of a login in the browser keep their names")
def _():
    def make(world):
        world.write("docker", {HUB: "testuser", HUB + "access-token": "testuser", HUB + "refresh-token": "testuser"})
    world = assert_kept(make)
    for name in ("", "access-token", "refresh-token"):
        assert world.user.get(HUB + name), name


@case("two files with different logins for a server: setup --podman refuses, plain setup keeps both in use")
def _():
    def make(world):
        world.write("docker", {"R": "testuser"})
        world.write("runtime", {"R": "teamuser"})
    assert_kept(make)
    assert_refused(make, "--podman", words=["different logins"])


@case("another login in the store: both clients keep the one that they use, or setup refuses")
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
        world = assert_kept(make("docker"), asked=("docker",), words=["stays in", "goes on reading it there"])
        assert json.loads(world.path("docker").read_text())["credHelpers"] == {world.host: ""}
    finally:
        the_world().env["PATH"] = before


@case("a password that ends in a newline stays in use; in a key in JSON the newline does not count")
def _():
    def make(world):
        key = base64.b64encode(b'_json_key:{"a": 1}\n').decode()
        world.path("docker").write_text(json.dumps({"auths": {"gcr.example": {"auth": key}}}))
    for _ in range(2):
        world = assert_kept(make)
        assert world.user.get("gcr.example") == ("_json_key", '{"a": 1}')
        assert json.loads(world.path("docker").read_text())["auths"] == {"gcr.example": {}}
        assert "another login" not in world.setup().out.decode()


@case("a server that credHelpers keeps in the file stays there, and --host moves it")
def _():
    def make(world):
        world.write("docker", {"R": "testuser"}, credHelpers={world.host: ""})
    world = assert_kept(make, words=["credHelpers has docker read it from the file"])
    assert_kept(make, "--host", world.host)
    assert json.loads(world.path("docker").read_text()) == {"auths": {world.host: {}}, "credHelpers": {world.host: "pass"}}


@case("empty entries, entries that are malformed or hold only a user beside good ones, and tokens")
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
    # docker itself reads such a file only in part, so podman and skopeo are asked before, and docker after.
    world = assert_kept(make, asked=("skopeo", "podman"), words=["bad.example stays", "user.example stays",
                                                                 "registry.example stays"])
    assert world.user.inspect().rc == 0 and world.user.get("token.example") == ("<token>", "t0ken")
    assert json.loads(world.path("docker").read_text())["currentContext"] == "rootless"


@case("docker before version 23 reads ~/.dockercfg as long as there is no config.json")
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


@case("--host takes every name by which a person calls a registry")
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


@case("member names in another case: another store is not replaced, no password stays behind")
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


@case("a second hard link of config.json keeps the password, and setup says so")
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


@case("a drop-in that comes later: setup refuses; with --force its own comes after it")
def _():
    def make(world):
        world.write("runtime", {"R": "testuser"})
        (world.user.containers / "registries.conf.d/zz.conf").write_text(f'credential-helpers = ["{OTHER_STORE}"]\n')
    world = assert_refused(make, "--podman", words=["zz.conf", "no effect", "--force"])
    world.setup("--podman", "--force")
    world.user.store("new.example", "new", "x")
    assert world.who("skopeo", "new.example") == "new"


@case("another helper in registries.conf is replaced with --force alone; the default by another name is not another helper")
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


@case("with DOCKER_CONFIG set, setup --podman names the helper for every server, and says what podman will do")
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
        assert "Nothing is to be done" in world.setup(*options).out.decode()
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
