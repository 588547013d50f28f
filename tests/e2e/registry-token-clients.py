#!/usr/bin/env python3
"""Real clients with Basic only, with registryd's own tokens, and with those of another server: what
each of them can do.

LOAD=full runs every client with all three; otherwise only the fast ones do, and of the others,
podman uses registryd's own tokens.
"""

import contextlib
import functools
import itertools
import os
import pathlib
import signal
import subprocess
import time

from docker_user import ContainersUser, find_secret, need_podman
from harness import Skip, case, main, need
from plain_registry import wait_for
from registry import Registry
from spec_client import CONFIG, FLOWS, LAYER, Refused, SpecClient, digest, make_manifest
from token_issuer import Issuer, TokenServer

USER, SERVICE, OWN = "testuser", "Registry Realm", ("team/", "public/")
RULES = (f"allow {USER} all team/** public/** full/**\nallow anyone pull public/**\nquota "
         "20B full/**\n")
MODES = ("basic", "own", "external")

# What a client does, one after the other, and whether it must succeed. PROG is the client's name.
STEPS = {
    "pull public/x before the login": True, "pull team/x before the login": False,
    "log in with a wrong password": False,
    "log in": True, "push team/PROG": True, "pull team/PROG": True,
    "mount team/PROG as team/PROG-copy": True,
    "pull public/x beside the login": True, "push other/PROG": False, "push full/PROG": False,
    "log out": True, "push team/PROG-late": False,
    "pull public/x after the logout": True, "pull team/x after the logout": False,
}

# Where a client differs: None if there is no such step.
WITHOUT_LOGIN = ("pull public/x before the login", "pull public/x after the logout")
PULLS_ONLY = dict.fromkeys(("push team/PROG", "pull team/PROG", "mount team/PROG as team/PROG-copy",
                            "push other/PROG", "push full/PROG",
                            "push team/PROG-late"))
EXCEPTIONS = {
    # With Basic only, dockerd gives up at the challenge of GET /v2/ if it has no login.
    ("dockerd", "basic"): dict.fromkeys(WITHOUT_LOGIN, False),
    # It builds, and does not push.
    ("BuildKit", "basic"): PULLS_ONLY, ("BuildKit", "own"): PULLS_ONLY,
    ("BuildKit", "external"): PULLS_ONLY,
}


@functools.cache
def issuer():
    return Issuer(("ec",))


@contextlib.contextmanager
def serve(mode):
    """Runs a registry in this mode, with an image at public/x and at team/x."""
    (issuer().dir / "access").write_text(RULES)
    with contextlib.ExitStack() as stack:
        if mode == "external":
            server = stack.enter_context(TokenServer(issuer(), USER, "token-password", SERVICE,
                                                     below=OWN, public="public/"))
            registry = stack.enter_context(Registry(
                AUTH="token", AUTH_TOKEN_REALM=server.realm, AUTH_TOKEN_SERVICE=SERVICE,
                AUTH_TOKEN_ISSUER="test issuer",
                AUTH_TOKEN_ROOTCERTBUNDLE=str(issuer().bundle("ec"))))
            registry.password = "token-password"
        else:
            registry = stack.enter_context(Registry(AUTH_HTPASSWD_ACCESS=issuer().dir / "access",
                                                    AUTH_HTPASSWD_TOKENS="true" if mode == "own"
                                                    else "false"))
            quotas = registry.dir / "data/docker/registry/v2/registryd/quotas"
            wait_for(lambda: any(quotas.glob("*/used")), "the quota to be counted")
        filler = SpecClient("crane", registry)
        filler.log_in(USER, registry.password)
        for name in ("public/x", "team/x"):
            filler.push(name)
        yield registry


# --- the clients ----------------------------------------------------------------------------------


class Skopeo:
    """Copies between registries and directories."""

    program = "skopeo"

    def __init__(self, user):
        self.user, self.host, self.counter = user, user.registry.host, itertools.count()
        need(self.program)
        self.image = user.dir / "image"
        if not self.image.exists():
            self.image.mkdir()
            for content in (CONFIG, LAYER):
                (self.image / digest(content)[7:]).write_bytes(content)
            (self.image / "version").write_text("Directory Transport Version: 1.1\n")
            (self.image / "manifest.json").write_bytes(make_manifest())

    def do(self, *words, stdin=b"", **more):
        done = self.user.run([need(self.program), *words], stdin, **more)
        self.last = done
        return done.rc == 0

    def log_in(self, password):
        return self.do("login", "-u", USER, "--password-stdin", self.host, stdin=password.encode())

    def log_out(self):
        return self.do("logout", self.host)

    def push(self, name):
        return self.do("copy", f"dir:{self.image}", f"docker://{self.host}/{name}:v1")

    def pull(self, name):
        return self.do("copy", f"docker://{self.host}/{name}:v1",
                       f"dir:{self.user.dir}/back{next(self.counter)}")

    def copy(self, source, target):
        return self.do("copy", f"docker://{self.host}/{source}:v1",
                       f"docker://{self.host}/{target}:v1")

    def close(self):
        pass


class Podman(Skopeo):
    """Pushes from its own storage, and remembers where the layers are for a mount."""

    program = "podman"

    def __init__(self, user):
        super().__init__(user)
        if os.geteuid() != 0:
            raise Skip("podman's storage needs root here")
        need_podman(user)
        (user.dir / "root.tar").write_bytes(LAYER)
        assert user.client("podman", "import", user.dir / "root.tar", "base").rc == 0

    def push(self, name):
        return self.do("push", "localhost/base", f"{self.host}/{name}:v1")

    def pull(self, name):
        return self.do("pull", f"{self.host}/{name}:v1")

    def copy(self, source, target):
        return self.push(target)


class Buildah(Podman):
    """Has podman's storage."""

    program = "buildah"


class Dockerd(Skopeo):
    """docker's CLI and a daemon. It needs root and a mount namespace, which removes its mounts at
    the end.
    """

    program = "docker"

    def __init__(self, user):
        super().__init__(user)
        self.host = user.registry.host
        self.env = {"DOCKER_HOST": f"unix://{user.dir}/docker.sock",
                    "DOCKER_CONFIG": str(user.docker)}
        self.daemon = start_daemon(user, self.env["DOCKER_HOST"])
        assert self.docker("import", "-", "base", stdin=LAYER), self.last

    def docker(self, *words, stdin=b""):
        return self.do(*words, stdin=stdin, env=self.env)

    def log_in(self, password):
        return self.docker("login", "-u", USER, "--password-stdin", self.host,
                           stdin=password.encode())

    def log_out(self):
        return self.docker("logout", self.host)

    def push(self, name):
        return (self.docker("tag", "base", f"{self.host}/{name}:v1")
                and self.docker("push", f"{self.host}/{name}:v1"))

    def pull(self, name):
        return self.docker("pull", f"{self.host}/{name}:v1")

    def copy(self, source, target):
        return self.push(target)

    def close(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(120)


def start_daemon(user, address):
    if os.geteuid() != 0:
        raise Skip("a Docker daemon needs root")
    namespace = [need("unshare"), "--mount", "--propagation=private"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        raise Skip("cannot create a mount namespace here")
    words = [*namespace, need("dockerd"), "--storage-driver=vfs", "--iptables=false",
             "--ip6tables=false", "--bridge=none",
             "-H", address, "--data-root", user.dir / "docker-data", "--exec-root",
             user.dir / "exec", "--pidfile",
             # BuildKit expects no TLS on localhost without it
             user.dir / "dockerd.pid", "--insecure-registry", user.registry.url]
    with open(user.dir / "dockerd.log", "wb") as log:
        daemon = subprocess.Popen([str(word) for word in words], env=user.env,
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    end = time.monotonic() + 300
    while (subprocess.run([need("docker"), "-H", address, "version"], capture_output=True,
                          check=False).returncode
           != 0):
        if daemon.poll() is not None or time.monotonic() > end:
            daemon.kill()
            daemon.wait()
            raise Skip("dockerd does not start here: "
                       + (user.dir / "dockerd.log").read_text()[-200:])
        time.sleep(0.1)
    return daemon


class BuildKit(Dockerd):
    """The builder in the daemon; docker 20.10's CLI needs no plugin for it."""

    def pull(self, name):
        env = {**self.env, "DOCKER_BUILDKIT": "1"}
        words = ["build", "--pull", "--no-cache", "-q", "-"]
        text = f"FROM {self.host}/{name}:v1\nLABEL count={next(self.counter)}\n"
        cli = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else need("docker")
        self.last = self.user.run([cli, *words], text.encode(), env=env)
        if b"buildx component is missing" in self.last.err:
            raise Skip("docker's CLI has no builder")
        return self.last.rc == 0

    def push(self, name):
        return False

    def copy(self, source, target):
        return False


class Containerd(Dockerd):
    """ctr has no login: it gets the password with each command."""

    program = "ctr"

    def __init__(self, user):
        need("ctr")
        super().__init__(user)
        hosts = user.dir / "hosts" / self.host
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(
            f'server = "{user.registry.url}"\n[host."{user.registry.url}"]\nca = '
            f'"{user.registry.ca}"\n')
        self.flags = ["--hosts-dir", user.dir / "hosts"]
        self.login = []

    def docker(self, *words, stdin=b""):
        self.last = self.user.run([need("docker"), *words], stdin, env=self.env)
        return self.last.rc == 0

    def ctr(self, *words):
        return self.do("-a", self.user.dir / "exec/containerd/containerd.sock", *words)

    def log_in(self, password):
        self.login = ["-u", f"{USER}:{password}"]
        return self.pull("team/x")

    def log_out(self):
        self.login = []
        return True

    def pull(self, name):
        return self.ctr("content", "fetch", *self.flags, *self.login, f"{self.host}/{name}:v1")

    def pull_with_identity(self):
        """Pulls with an identity token, as docker login receives it."""
        login = SpecClient("regclient", self.user.registry)
        login.log_in(USER, self.user.registry.password)
        return self.ctr("content", "fetch", *self.flags, "--refresh", login.identities[0],
                        f"{self.host}/team/x:v1")

    def push(self, name):
        return self.ctr("images", "push", *self.flags, *self.login, f"{self.host}/{name}:v1",
                        f"{self.host}/public/x:v1")

    def copy(self, source, target):
        return self.push(target)


class Spec:
    """Clients of our own that follow the specification as crane, oras and regclient do."""

    def __init__(self, user, flow):
        self.client, self.last = SpecClient(flow, user.registry), None

    def attempt(self, function, *words, **more):
        try:
            self.last = function(*words, **more)
        except Refused as refusal:
            self.last = refusal
            return False
        return True

    def log_in(self, password):
        return self.attempt(self.client.log_in, USER, password)

    def log_out(self):
        self.client.forget()
        return True

    def push(self, name):
        return self.attempt(self.client.push, name)

    def pull(self, name):
        return self.attempt(self.client.pull, name)

    def copy(self, source, target):
        return self.attempt(self.client.push, target, source=source)

    def close(self):
        pass


CLIENTS = {"skopeo": Skopeo, "podman": Podman, "buildah": Buildah, "dockerd": Dockerd,
           "BuildKit": BuildKit, "ctr": Containerd,
           **{flow: functools.partial(Spec, flow=flow) for flow in FLOWS}}


# --- the table ------------------------------------------------------------------------------------


def count_mounts(registry, marks=itertools.count()):
    """The blobs that were mounted so far; a last request shows that the log is complete."""
    mark = f"mark-{next(marks)}"
    with contextlib.suppress(Refused):
        SpecClient("crane", registry).request("GET", f"/v2/{mark}/tags/list")
    wait_for(lambda: mark in pathlib.Path(registry.log).read_text(),
             "the log does not show the request")
    return pathlib.Path(registry.log).read_text().count("blob mounted")


def take_step(client, step, registry):
    verb, _, rest = step.partition(" ")
    name = rest.split(" ")[0]
    if step == "log in":
        return client.log_in(registry.password)
    if step == "log in with a wrong password":
        return client.log_in("wrong")
    if step == "log out":
        return client.log_out()
    if verb != "mount":
        return client.push(name) if verb == "push" else client.pull(name)
    before = count_mounts(registry)
    return client.copy(name, rest.split(" ")[2]) and count_mounts(registry) > before


def what_is_read(name):
    """What the user must read if a quota has no room. ctr shows the status only."""
    return "413" if name == "ctr" else "the quota of "


def run_client(name, mode, registry, user):
    client, wrong = CLIENTS[name](user), []
    try:
        for step, expected in STEPS.items():
            expected = EXCEPTIONS.get((name, mode), {}).get(step, expected)
            if (expected is not None
                and take_step(client, step.replace("PROG", name.lower()), registry) != expected):
                wrong.append((step, f"must{'' if expected else ' not'} succeed", client.last))
            if (expected is False and step == "push full/PROG" and mode != "external"
                and what_is_read(name) not in str(client.last)):
                wrong.append((step, "must show the words of the refusal", client.last))
        if name == "ctr" and mode == "own" and not client.pull_with_identity():
            wrong.append(("pull with an identity token", client.last))
    finally:
        client.close()
    assert not wrong, "\n".join(str((name, *row)) for row in wrong)
    found = [place for place in find_secret(user.dir, registry.password)
             if "docker-data" not in str(place[0])]
    assert not found, f"{name}: the password is in {found}"


def run_table(names, mode):
    with serve(mode) as registry, ContainersUser(registry) as user:
        for name in names:
            run_client(name, mode, registry, user)


FAST = ("skopeo", *FLOWS)
ROWS = [(FAST, mode) for mode in MODES] + [(("podman",), "own")]
if os.environ.get("LOAD") == "full":
    ROWS += [((name,), mode) for name in CLIENTS if name not in FAST for mode in MODES
             if ((name,), mode) not in ROWS]

for of_clients, of_mode in ROWS:
    case(f"{', '.join(of_clients)}, {of_mode}: login, push, pull, mount, anonymous pull beside the "
         "login, logout")(
        functools.partial(run_table, of_clients, of_mode))

main()
