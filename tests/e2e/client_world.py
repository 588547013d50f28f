"""One registry and one user of every client that is installed here, and the comparison of before with after.

    compare(make, "--podman")    makes files, asks all clients for their logins, runs setup, asks again
"""

import atexit
import base64
import json
import os
import shutil

from docker_user import ContainersUser, find_secret
from fake_dockerd import FakeDockerd
from harness import need
from registry import Registry

HUB = "https://index.docker.io/v1/"
OTHER_STORE = "other"


class MatrixUser(ContainersUser):
    """If `below_run` is set, programs see that directory as /run/containers, and an otherwise empty /run."""

    below_run = None
    IN_OWN_RUN = ('mount -t tmpfs none /run && mkdir /run/containers && mount --bind "$0" /run/containers && '
                  'exec "$@"')

    def run(self, argv, *args, **more):
        if self.below_run:
            argv = ["unshare", "-m", "sh", "-c", self.IN_OWN_RUN, self.below_run, *argv]
        return super().run(argv, *args, **more)


class World:
    """One registry and one user for all rows; each row starts with only the files that it names."""

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
        """Writes a helper for another registry: it has only a login for elsewhere.example."""
        path = self.user.dir / "bin" / f"docker-credential-{OTHER_STORE}"
        answer = json.dumps({"ServerURL": "elsewhere.example", "Username": "elsewhere", "Secret": "x"})
        path.write_text('#!/bin/sh\n[ "$1" != list ] || { echo "{}"; exit; }\nread -r server\n[ "$server" = elsewhere.example ] || '
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

    # --- answers of the clients --------------------------------------------------------------

    def who(self, program, server):
        """Returns the user of the login that podman or skopeo would use, or None."""
        result = self.user.client(program, "login", "--get-login", server)
        return result.out.decode().strip() if result.rc == 0 else None

    def pulls(self, *argv):
        """Returns the login that a client of docker's daemon sends."""
        self.dockerd.seen.clear()
        self.user.run([*argv], cwd=self.context)
        return self.dockerd.seen.get("pull")

    def builds(self):
        """Returns the logins that the daemon would use for an image of R and of Docker Hub. `docker build` without BuildKit
        sends all logins, and the daemon uses one with exactly that name, else one for that host."""
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
        """Returns the files that contain a readable password."""
        found = {str(path) for word in (self.registry.password, self.team_password)
                 for path, _ in find_secret(self.user.dir, word)}
        below_run = self.user.below_run
        return sorted(path.replace(below_run, "/run/containers") if below_run else path for path in found)

    def setup(self, *options, check=True):
        result = self.user.helper("setup", "--yes", *options)
        assert not check or result.rc == 0, result
        return result


def find_compose(user):
    """Returns the command of compose 2 or 1; None if neither is installed."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]) and user.run([*words, "version"]).rc == 0:
            return words
    return None


def bare_host(name):
    """Returns the server of an entry by docker's rules."""
    name = name.partition("://")[2] or name
    return name.partition("/")[0]


ORDINARY = ("docker", "skopeo", "podman")
ALL_CLIENTS = (*ORDINARY, "buildah", "compose")


def compare(make, *options, asked=ORDINARY):
    """Makes the files, asks the clients, runs setup, and asks again. Returns setup's output."""
    world = the_world()
    world.reset()
    make(world)
    before, exposed = world.answers(asked), world.exposed()
    result = world.setup(*options)
    after = world.answers(asked)
    text = " ".join(result.out.decode().split())
    # With a shared store, a client may get a login that it did not have before.
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


def assert_kept(make, *options, words=(), **more):
    result = compare(make, *options, **more)
    text = " ".join((result.out + result.err).decode().split())
    for word in words:
        assert word in text, (word, text)
    return the_world()


def assert_refused(make, *options, words=()):
    """Asserts that setup fails with a one-line error and changes no file of a client."""
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
