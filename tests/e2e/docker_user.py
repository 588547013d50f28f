"""A user of docker, podman and skopeo with the helper under test, and a search for readable passwords."""

import base64
import json
import os
import shlex

from harness import Sandbox, Skip, helper_argv, need

NOT_LOGGED_IN = "no basic auth credentials"


# --- the search --------------------------------------------------------------

def readable_forms(secret):
    """Returns every byte string that reveals the secret, with a name for each.

    For base64 these are the parts that depend only on the secret, at each of the three
    alignments. This finds base64("user:secret") for any user name.
    """
    raw = secret.encode()
    forms = {"plain": raw, "hex": raw.hex().encode(), "UTF-16": secret.encode("utf-16-le")}
    for lead in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text = encode(b"x" * lead + raw).rstrip(b"=")
            forms[f"{name}, alignment {lead}"] = text[(lead * 4 + 2) // 3:-1]
    return forms


def find_secret(folder, secret):
    """Returns (path, form) for every file and name below the directory that contains the secret."""
    found = []
    for path in sorted(folder.rglob("*")):
        text = os.fsencode(path.name)
        if path.is_file() and not path.is_symlink():
            text += b"\n" + path.read_bytes()
        found += [(path, name) for name, form in readable_forms(secret).items() if form in text]
    return found


# --- the user ----------------------------------------------------------------

class DockerUser(Sandbox):
    """A user with a store and docker, whose docker-credential-pass is the helper under test."""

    def __init__(self, registry, config=None, store=True):
        super().__init__()
        self.registry, self.run_dir = registry, self.dir / "run"
        self.run_dir.mkdir(mode=0o700)
        self._put_helper_first()
        self.env.update(SSL_CERT_FILE=str(registry.ca), DOCKER_HOST="unix:///nonexistent/docker.sock",
                        XDG_RUNTIME_DIR=str(self.run_dir))
        self.configure({"credsStore": "pass"} if config is None else config)
        if store:
            self.make_store()

    def _put_helper_first(self):
        """Puts the helper first on PATH, where clients could otherwise find Debian's Go helper."""
        folder = self.dir / "bin"
        folder.mkdir()
        words = " ".join(shlex.quote(word) for word in helper_argv())
        (folder / "docker-credential-pass").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (folder / "docker-credential-pass").chmod(0o755)
        self.env["PATH"] = f"{folder}:{self.env['PATH']}"

    @property
    def config_file(self):
        return self.docker / "config.json"

    @property
    def config(self):
        return json.loads(self.config_file.read_text())

    def configure(self, config):
        self.config_file.write_text(json.dumps(config))

    def trust(self, *registries):
        """Trusts the authorities of all of these; up to version 28 docker does not check the certificate of a localhost."""
        authorities = self.dir / "authorities"
        authorities.write_text("".join(registry.ca.read_text() for registry in registries))
        self.env["SSL_CERT_FILE"] = str(authorities)

    def do_docker(self, *args, stdin=b""):
        return self.run([need("docker"), *args], stdin)

    def try_login(self, username=None, password=None, host=None):
        return self.do_docker("login", "-u", username or self.registry.username, "--password-stdin",
                              host or self.registry.host, stdin=(password or self.registry.password).encode())

    def login(self, *args):
        result = self.try_login(*args)
        assert result.rc == 0 and result.out.rstrip().endswith(b"Login Succeeded"), f"docker login: {result}"
        assert not warns(result), f"docker login warns: {result}"

    def logout(self, host=None):
        result = self.do_docker("logout", host or self.registry.host)
        assert result.rc == 0 and result.err == b"" and not warns(result), f"docker logout: {result}"

    def inspect(self):
        """Requests the manifest of the test image."""
        return self.do_docker("manifest", "inspect", f"{self.registry.host}/busybox:latest")

    def is_let_in(self):
        """Returns True if the registry serves the image, False if it requires a login."""
        result = self.inspect()
        if result.rc == 0:
            assert json.loads(result.out)["schemaVersion"] == 2, result
            return True
        assert NOT_LOGGED_IN.encode() in result.err, f"refused for another reason: {result}"
        return False

    def entries(self):
        return sorted(path for path in self.prefix.rglob("*.gpg"))


def warns(result):
    return b"warning" in (result.out + result.err).lower()


def is_nowhere(user, secret):
    """Asserts that the secret is not readable anywhere in the user's directories."""
    found = find_secret(user.dir, secret)
    assert not found, f"readable in {found}"


# --- the user of podman and skopeo -----------------------------------------


class ContainersUser(DockerUser):
    """A user of podman and skopeo, which ignore docker's credsStore.

    `drop_in` sets up what the README recommends: one file that names the helper for all
    registries. Without it, the case writes the configuration.
    """

    def __init__(self, registry, drop_in=True):
        super().__init__(registry)
        self.containers = self.home / ".config/containers"
        (self.containers / "registries.conf.d").mkdir(parents=True)
        if drop_in:
            (self.containers / "registries.conf.d/pass.conf").write_text('credential-helpers = ["pass"]\n')
        # podman and skopeo would use DOCKER_CONFIG for their own file; ~/.docker is the default anyway.
        del self.env["DOCKER_CONFIG"]
        self._keep_podman_inside()

    def _keep_podman_inside(self):
        """Keeps podman's directories in the sandbox; as root it would use /run and /var/lib."""
        place = self.dir / "podman"
        place.mkdir()
        (place / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{place}/graph"\nrunroot = "{place}/run"\n')
        (place / "containers.conf").write_text(
            f'[engine]\ntmp_dir = "{place}/tmp"\nstatic_dir = "{place}/static"\nvolume_path = "{place}/volumes"\n'
            f'[network]\nnetwork_config_dir = "{place}/net"\n')
        # Podman 5 warns about version 1 of the kernel's cgroups, whatever it is asked to do.
        self.env.update(CONTAINERS_STORAGE_CONF=str(place / "storage.conf"),
                        CONTAINERS_CONF=str(place / "containers.conf"), PODMAN_IGNORE_CGROUPSV1_WARNING="1")

    def client(self, program, *args, stdin=b""):
        return self.run([need(program), *args], stdin)

    def client_login(self, program):
        return self.client(program, "login", "-u", self.registry.username, "--password-stdin", self.registry.host,
                           stdin=self.registry.password.encode())

    def skopeo_inspects(self):
        """Returns True if skopeo finds a valid login, False if the registry refuses it."""
        result = self.client("skopeo", "inspect", f"docker://{self.registry.host}/busybox:latest")
        assert result.rc == 0 or b"authentication required" in result.err, f"skopeo: {result}"
        return result.rc == 0


def need_podman(user):
    """Skips if podman does not run here, for example in a container without user namespaces."""
    result = user.client("podman", "images", "-q")
    if result.rc != 0:
        raise Skip(f"podman does not run here: {result.err.decode(errors='replace').strip()[-300:]}")
