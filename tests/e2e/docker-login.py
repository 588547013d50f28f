#!/usr/bin/env python3
"""Real clients log in to a real TLS registry, and no password stays readable.

Docker's client needs no daemon for login, logout and manifest inspect. It does not check the
certificate of a server on localhost, but podman, skopeo and the upload of the test image do.
"""

import base64
import json

from docker_user import (NOT_LOGGED_IN, ContainersUser, DockerUser, find_secret, is_nowhere, need_podman, readable_forms,
                         warns)
from harness import Sandbox, Skip, case, main, need
from registry import Registry

# --- docker ------------------------------------------------------------------

@case("docker login: no warning, one encrypted entry, and no password in config.json")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        user.login()
        assert user.config == {"auths": {registry.host: {}}, "credsStore": "pass"}, user.config
        assert user.entries() == [user.entry(registry.host, "testuser")], user.entries()
        assert user.decrypt(user.entries()[0]) == registry.password.encode()
        assert user.list() == {registry.host: "testuser"}


@case("an image is refused before docker login, served after it, refused after docker logout")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        registry.push_image()
        assert not user.is_let_in()
        user.login()
        assert user.is_let_in()
        user.logout()
        assert not user.is_let_in()


@case("docker login: the password is not in the user's directories, in plain text, base64 or hex")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        registry.push_image()
        user.login()
        assert user.is_let_in()
        is_nowhere(user, registry.password)


@case("control: without the helper docker warns, and the search finds the password")
def _():
    # Docker chooses a helper on its own only if no registry is configured yet.
    config = {"auths": {"other.example.com": {}}}
    with Registry() as registry, DockerUser(registry, config) as user:
        result = user.try_login()
        assert result.rc == 0 and warns(result), result
        found = find_secret(user.dir, registry.password)
        assert found and {path for path, _ in found} == {user.config_file}, found


@case("control: the search finds every form of a password at every position in a file, and in names")
def _():
    secret = "pw-" + "5a" * 12
    with Sandbox() as user:
        for name, form in readable_forms(secret).items():
            (user.home / "seeded").write_bytes(b"\x00before" + form + b"after\xff")
            assert (user.home / "seeded", name) in find_secret(user.dir, secret), name
        for username in ("a", "ab", "abc"):
            (user.home / "seeded").write_bytes(base64.b64encode(f"{username}:{secret}".encode()))
            assert find_secret(user.dir, secret), username
        (user.home / "seeded").rename(user.home / f"{secret}.gpg")
        (user.home / f"{secret}.gpg").write_bytes(b"")
        assert find_secret(user.dir, secret)


@case("a wrong password is refused and stores nothing")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        result = user.try_login(password="pw-wrong")
        assert result.rc == 1 and b"Login Succeeded" not in result.out, result
        assert user.entries() == [] and user.list() == {} and user.get(registry.host) is None
        assert not user.folder.exists() or not any(user.folder.iterdir()), list(user.folder.rglob("*"))
        is_nowhere(user, "pw-wrong")


@case("a wrong password leaves the entry of an earlier login unchanged")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        user.login()
        assert user.try_login(password="pw-wrong").rc == 1
        assert user.get(registry.host) == ("testuser", registry.password)


@case("a second login with a new password replaces the first")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        registry.push_image()
        old = registry.password
        user.login()
        new = registry.add_user("testuser")
        user.login("testuser", new)
        assert user.get(registry.host) == ("testuser", new) and len(user.entries()) == 1
        assert user.is_let_in()
        is_nowhere(user, old)
        is_nowhere(user, new)


@case("a second login as another user replaces the first user's")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        # This name sorts after the first one, so that it wins only because it is the last login.
        other = registry.add_user("zoe")
        user.login()
        user.login("zoe", other)
        assert user.get(registry.host) == ("zoe", other), user.get(registry.host)
        assert user.entries() == [user.entry(registry.host, "zoe")], user.entries()


@case("docker logout removes the entry, its directory and the registry in docker's file")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        user.login()
        user.logout()
        assert user.get(registry.host) is None and user.list() == {}
        assert not user.server_folder(registry.host).exists()
        assert user.config == {"auths": {}, "credsStore": "pass"}, user.config


@case("docker logout without a login, and a second docker logout, print no warning")
def _():
    with Registry() as registry, DockerUser(registry) as user:
        user.logout("never.example.com")
        user.login()
        user.logout()
        user.logout()


@case("docker logout of one registry keeps the other's login")
def _():
    with Registry() as one, Registry() as other, DockerUser(one) as user:
        user.trust(one, other)
        user.login()
        user.login("testuser", other.password, other.host)
        user.logout(one.host)
        assert user.list() == {other.host: "testuser"}
        assert user.get(other.host) == ("testuser", other.password)


@case("credHelpers: the helper keeps the login of its registry, docker that of the other")
def _():
    with Registry() as one, Registry() as other:
        with DockerUser(one, {"credHelpers": {one.host: "pass"}}) as user:
            one.push_image()
            user.trust(one, other)
            user.login()
            assert user.get(one.host) == ("testuser", one.password) and user.is_let_in()
            is_nowhere(user, one.password)
            assert warns(user.try_login("testuser", other.password, other.host))
            assert user.list() == {one.host: "testuser"}
            user.logout()
            assert user.list() == {}


@case("with `pass` on PATH and no configuration docker chooses the helper automatically")
def _():
    need("pass")
    with Registry() as registry, DockerUser(registry) as user:
        user.config_file.unlink()
        user.login()
        assert user.config["credsStore"] == "pass", user.config
        assert user.get(registry.host) == ("testuser", registry.password)


def check_failed_login(user, *words):
    """Checks the helper's error, which docker prints between back-ticks: one line with these words."""
    result = user.try_login()
    assert result.rc == 1 and b"Login Succeeded" not in result.out, result
    told = result.err.decode()
    assert "error storing credentials" in told, result
    reason = told[told.index("`") + 1:told.rindex("`")]
    assert "\n" not in reason and all(word in reason for word in words), reason
    assert user.entries() == []
    is_nowhere(user, user.registry.password)


@case("without a store docker login fails, names the store's path, and stores nothing readable")
def _():
    with Registry() as registry, DockerUser(registry, store=False) as user:
        check_failed_login(user, str(user.prefix), "pass init")


@case("with an unknown key docker login fails, names the key, and stores nothing readable")
def _():
    with Registry() as registry, DockerUser(registry, store=False) as user:
        user.make_store("nobody@example.com")
        check_failed_login(user, "nobody@example.com", ".gpg-id")


# --- podman and skopeo -------------------------------------------------------

@case("skopeo uses the entry that docker login stored (registries.conf)")
def _():
    need("skopeo")
    with Registry() as registry, ContainersUser(registry) as user:
        registry.push_image()
        assert not user.skopeo_inspects()
        user.login()
        assert user.skopeo_inspects()
        user.logout()
        assert not user.skopeo_inspects()


@case("podman uses the entry that docker login stored (registries.conf)")
def _():
    with Registry() as registry, ContainersUser(registry) as user:
        need_podman(user)
        user.login()
        result = user.client("podman", "login", registry.host)
        assert result.rc == 0 and b"Existing credentials are valid" in result.out, result


def check_client(program):
    """Tests login, use, logout and a second logout of one client, with registries.conf."""
    with Registry() as registry, ContainersUser(registry) as user:
        if program == "podman":
            need_podman(user)
        registry.push_image()
        result = user.client_login(program)
        assert result.rc == 0 and b"Login Succeeded!" in result.out, result
        assert user.get(registry.host) == ("testuser", registry.password)
        assert user.is_let_in(), "docker does not see the entry"
        is_nowhere(user, registry.password)
        # The second logout finds no entry; an error of the helper would fail the client.
        for _ in range(2):
            result = user.client(program, "logout", registry.host)
            assert result.rc == 0 and result.err == b"" and user.list() == {}, result
        assert not user.server_folder(registry.host).exists()


@case("skopeo login stores an encrypted entry, skopeo logout removes it, twice (registries.conf)")
def _():
    check_client("skopeo")


@case("podman login stores an encrypted entry, podman logout removes it, twice (registries.conf)")
def _():
    check_client("podman")


def check_auth_file(place):
    """Tests credHelpers in one of the files that skopeo reads; `place` returns its path."""
    need("skopeo")
    with Registry() as registry, ContainersUser(registry, drop_in=False) as user:
        registry.push_image()
        user.store(registry.host, "testuser", registry.password)
        assert not user.skopeo_inspects(), "credsStore alone is sufficient"
        place(user).parent.mkdir(exist_ok=True)
        place(user).write_text(json.dumps({"credHelpers": {registry.host: "pass"}}))
        assert user.skopeo_inspects()
        return user.client_login("skopeo"), find_secret(user.dir, registry.password)


@case("skopeo and podman use credHelpers in their own auth.json, also for login")
def _():
    result, readable = check_auth_file(lambda user: user.run_dir / "containers/auth.json")
    assert result.rc == 0 and not readable, (result, readable)


@case("skopeo and podman use credHelpers in docker's config.json")
def _():
    # Only for reading: their own login writes a readable auth.json, as the README says.
    check_auth_file(lambda user: user.config_file)


main()
