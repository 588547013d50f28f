#!/usr/bin/env python3
"""Real clients against registryd: TLS, one user, and our helper as the store of the password."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

from harness import Sandbox, Skip, case, helper_path, main, need
from registry import Registry
from registry_client import DOCKER_IMAGE, IMAGE, INDEX, Client, descriptor, digest


class User(Sandbox):
    """A new user with a key, a password store, docker and other clients, and one registry."""

    def __init__(self, registry):
        super().__init__()
        self.registry, self.host = registry, registry.host
        self.make_store(self.make_key())
        programs = self.dir / "bin"
        programs.mkdir()
        (programs / "docker-credential-pass").symlink_to(helper_path())
        config = self.dir / "docker"
        config.mkdir()
        (config / "config.json").write_text('{"credsStore": "pass"}')
        drop_in = self.home / ".config/containers/registries.conf.d"
        drop_in.mkdir(parents=True)
        (drop_in / "pass.conf").write_text('credential-helpers = ["pass"]\n')
        self.env.update(PATH=f"{programs}:{self.env['PATH']}", SSL_CERT_FILE=str(registry.ca),
                        DOCKER_HOST=f"unix://{self.dir}/docker.sock", XDG_RUNTIME_DIR=str(self.dir))
        self.env.pop("DOCKER_CONFIG", None)
        # Only for docker: skopeo and podman read this variable, too
        self.docker_config = {"DOCKER_CONFIG": str(config)}

    def do(self, *argv, stdin=None, is_right=True):
        """Runs a program; returns its output. is_right says whether it must succeed or fail."""
        env = {**self.env, **(self.docker_config if argv[0] == "docker" else {})}
        result = subprocess.run([str(word) for word in argv], input=stdin, env=env,
                                capture_output=True, text=True,
                                timeout=300, check=False)
        assert (result.returncode == 0) == is_right, (argv, result)
        return result.stdout + result.stderr

    def log_in(self):
        out = self.do("docker", "login", "-u", self.registry.username, "--password-stdin",
                      self.host,
                      stdin=self.registry.password)
        assert "Login Succeeded" in out and "WARNING" not in out, out

    def holds_password(self):
        """Returns the files in the user's directory that contain the password."""
        return [path for path in pathlib.Path(self.dir).rglob("*")
                if path.is_file() and self.registry.password.encode() in path.read_bytes()]


@contextlib.contextmanager
def newcomer():
    with Registry() as registry, User(registry) as user:
        yield user, Client(registry)


@case("docker: refused with docker's own message before the login, works after it, refused "
      "after the logout")
def _():
    need("docker")
    with newcomer() as (user, server):
        # The only type that docker 20 inspects without a daemon
        server.push_image("team/app", "v1", mediaType=DOCKER_IMAGE)
        question = ("docker", "manifest", "inspect", f"{user.host}/team/app:v1")
        assert "no basic auth credentials" in user.do(*question, is_right=False)
        user.log_in()
        assert json.loads(user.do(*question))["schemaVersion"] == 2
        assert not user.holds_password()
        user.do("docker", "logout", user.host)
        assert "no basic auth credentials" in user.do(*question, is_right=False)


def make_directory_image(directory, size):
    """Makes an image of one layer in skopeo's dir: format; returns its manifest."""
    directory.mkdir()
    layer, config = os.urandom(size), b'{"architecture":"amd64","os":"linux"}'
    for content in (layer, config):
        (directory / digest(content).split(":")[1]).write_bytes(content)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE,
                           "config": descriptor("application/vnd.oci.image.config.v1+json", config),
                           "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip",
                                                 layer)]}).encode()
    return manifest


def make_directory_index(directory, size):
    """Makes an index of three architectures, each with one layer of the given size."""
    directory.mkdir()
    children = []
    for architecture in ("amd64", "arm64", "riscv64"):
        inner = directory / "inner"
        manifest = make_directory_image(inner, size)
        for path in inner.iterdir():
            path.rename(directory / path.name)
        inner.rmdir()
        (directory / f"{digest(manifest).split(':')[1]}.manifest.json").write_bytes(manifest)
        children.append(descriptor(IMAGE, manifest,
                                   platform={"os": "linux", "architecture": architecture}))
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    (directory / "manifest.json").write_bytes(index)
    (directory / "version").write_text("Directory Transport Version: 1.1\n")
    return index


@case("skopeo: push and pull of an index of three architectures with 24 MiB layers keep the "
      "digests; tags, inspect, delete")
def _():
    need("skopeo")
    with newcomer() as (user, server):
        user.log_in()
        directory, back = user.dir / "index", user.dir / "back"
        index = make_directory_index(directory, 24 << 20)
        image = f"docker://{user.host}/sk/app"
        user.do("skopeo", "copy", "--all", "--preserve-digests", f"dir:{directory}", f"{image}:v1")
        assert server.get_manifest("sk/app", "v1").body == index
        user.do("skopeo", "copy", "--all", "--preserve-digests", f"{image}:v1", f"dir:{back}")
        for path in directory.iterdir():
            assert (back / path.name).read_bytes() == path.read_bytes(), path.name
        user.do("skopeo", "copy", "--all", f"{image}:v1", f"docker://{user.host}/sk/other:v2")
        assert json.loads(user.do("skopeo", "list-tags", image))["Tags"] == ["v1"]
        assert json.loads(user.do("skopeo", "inspect", f"{image}:v1"))["Digest"] == digest(index)
        user.do("skopeo", "delete", f"{image}:v1")
        assert server.get_manifest("sk/app", "v1").status == 404
        assert server.get_manifest("sk/other", "v2").status == 200


@case("podman: login, push, pull (vfs) and logout; the password is only in the password store")
def _():
    podman = need("podman")
    if os.geteuid() != 0:
        raise Skip("podman's storage needs root here")
    if not os.path.isdir("/sys/fs/cgroup"):  # as in a bare chroot
        raise Skip("podman 5 does not start without /sys/fs/cgroup")
    with newcomer() as (user, server):
        storage = user.dir / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{user.dir}/run"\ngraphroot = '
                           f'"{user.dir}/graph"\n')
        user.env["CONTAINERS_STORAGE_CONF"] = str(storage)
        cert = f"--cert-dir={server.registry.ca_dir}"
        user.do(podman, "login", cert, "-u", server.registry.username, "--password-stdin",
                user.host,
                stdin=server.registry.password)
        assert not user.holds_password(), user.holds_password()
        (user.dir / "hello").write_text("hello\n")
        user.do("tar", "-C", user.dir, "-cf", user.dir / "root.tar", "hello")
        image = f"{user.host}/pod/app:v1"
        user.do(podman, "import", user.dir / "root.tar", image)
        user.do(podman, "push", cert, image)
        user.do(podman, "rmi", image)
        user.do(podman, "pull", cert, image)
        user.do(podman, "logout", user.host)
        user.do(podman, "rmi", image)
        user.do(podman, "pull", cert, image, is_right=False)


@case("buildah: an image that it built is pushed, and pulled again with the same id")
def _():
    buildah = need("buildah")
    if os.geteuid() != 0:
        raise Skip("buildah's storage needs root here")
    with newcomer() as (user, server):
        storage = user.dir / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{user.dir}/run"\ngraphroot = '
                           f'"{user.dir}/graph"\n')
        user.env["CONTAINERS_STORAGE_CONF"] = str(storage)
        cert, image = f"--cert-dir={server.registry.ca_dir}", f"{user.host}/build/app:v1"
        user.do(buildah, "login", cert, "-u", server.registry.username, "--password-stdin",
                user.host, stdin=server.registry.password)
        (user.dir / "hello").write_text("hello\n")
        container = user.do(buildah, "from", "scratch").split()[-1]
        user.do(buildah, "copy", container, user.dir / "hello", "/hello")
        user.do(buildah, "commit", container, image)
        made = user.do(buildah, "images", "-q", "--no-trunc", image)
        user.do(buildah, "push", cert, image)
        user.do(buildah, "rm", container)
        user.do(buildah, "rmi", image)
        user.do(buildah, "pull", cert, image)
        assert user.do(buildah, "images", "-q", "--no-trunc", image) == made


@contextlib.contextmanager
def docker_daemon(user):
    """Runs a Docker daemon for the test. It needs root and a mount namespace, which removes its
    mounts at the end.
    """
    if os.geteuid() != 0:
        raise Skip("a Docker daemon needs root")
    namespace = [need("unshare"), "--mount", "--propagation=private"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        raise Skip("cannot create a mount namespace here")
    words = [*namespace, need("dockerd"), "--storage-driver=vfs", "--iptables=false",
             "--ip6tables=false", "--bridge=none", "-H",
             user.env["DOCKER_HOST"], "--data-root", user.dir / "docker-data", "--exec-root",
             user.dir / "exec", "--pidfile",
             user.dir / "dockerd.pid"]
    with open(user.dir / "dockerd.log", "wb") as log:
        daemon = subprocess.Popen([str(word) for word in words], env=user.env,
                                  stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log)
    try:
        deadline = time.monotonic() + 300
        while (subprocess.run(["docker", "version"], env=user.env, capture_output=True,
                              check=False).returncode
               != 0):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise Skip("dockerd does not start here: "
                           + (user.dir / "dockerd.log").read_text()[-200:])
            time.sleep(0.1)
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)


@case("dockerd: import, push, remove and pull return the same image; a push without a "
      "login is refused")
def _():
    need("docker")
    with newcomer() as (user, _server), docker_daemon(user):
        (user.dir / "hello").write_text("hello\n")
        user.do("tar", "-C", user.dir, "-cf", user.dir / "root.tar", "hello")
        image = f"{user.host}/dk/app:v1"
        user.do("docker", "import", user.dir / "root.tar", image)
        made = user.do("docker", "image", "inspect", "-f", "{{.Id}}", image)
        user.do("docker", "push", image, is_right=False)
        user.log_in()
        user.do("docker", "push", image)
        user.do("docker", "rmi", image)
        user.do("docker", "pull", image)
        assert user.do("docker", "image", "inspect", "-f", "{{.Id}}", image) == made
        assert not [path for path in user.holds_password() if "docker-data" not in str(path)]


@case("50 concurrent pushes of images with shared layers leave every manifest and blob intact")
def _():
    with Registry() as registry:
        server = Client(registry)
        layers = [os.urandom(200000) for _ in range(6)]

        def push(i):
            name, mine = f"par/r{i % 5}", [layers[i % 6], layers[(i + 1) % 6], str(i).encode()]
            return name, f"t{i}", server.push_image(name, f"t{i}", layers=mine)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            pushed = list(pool.map(push, range(50)))
        for name, tag, manifest in pushed:
            assert server.get_manifest(name, tag).body == manifest
            for item in json.loads(manifest)["layers"]:
                body = server.call("GET", f"/v2/{name}/blobs/{item['digest']}").body
                assert digest(body) == item["digest"], (name, tag)
        assert not list((registry.dir / "data").rglob("_uploads/*")), (
            "upload sessions are left over")


main()
