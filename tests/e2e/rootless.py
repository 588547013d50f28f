#!/usr/bin/env python3
"""The helper as rootless podman and buildah run it, as uid 0 of a user namespace: it finds the daemons of the user outside.

The key has a passphrase that only the agent outside knows. So every login that is read shows that this agent was asked.
docs/clients-situations.md has the rows.
"""

import dataclasses
import functools
import json
import os
import shlex
import shutil
import typing

from harness import Sandbox, Skip, case, helper_path, main, need, shared_sandbox

UID, URL, PASSPHRASE = 1234, "https://example.com", "a b c"
PODMAN = "https://github.com/podman-container-tools/podman/issues/"
LIBRARIES = "https://github.com/podman-container-tools/container-libs/"


def add_keyboxd(user):
    """Moves the keys into keyboxd, as in new homes of GnuPG 2.4."""
    listed = user.run(["gpgconf", "--list-components"], check=True).out.decode()
    if not any(line.startswith("keyboxd:") for line in listed.splitlines()):
        raise Skip("this GnuPG has no keyboxd")
    keys = user.run(["gpg", "--batch", "--export"], check=True).out
    (user.gnupg / "common.conf").write_text("use-keyboxd\n")
    user.run(["gpg", "--batch", "--import"], keys, check=True)
    user.end_agent()


def redirect_agent(user):
    """The workaround of the report: a file in place of the socket that a second agent would create."""
    (user.gnupg / "S.gpg-agent").write_text(f"%Assuan%\nsocket=/run/user/{UID}/gnupg/S.gpg-agent\n")


@dataclasses.dataclass
class Row:
    name: str
    report: str
    make: typing.Any = None         # a function of the user that creates the situation
    enter: str = "unshare -Ur"      # a command that runs another in a user namespace
    inside: str = ""                # shell commands as uid 0 of the namespace, before the helper runs
    has_run: bool = True            # /run/user/UID exists
    has_gpg: bool = True            # gpg itself finds the agent, not only the fast path


ROWS = [
    Row("podman login when a passphrase is cached", PODMAN + "19382"),
    Row("the agent's socket in ~/.gnupg redirects to that in /run/user", PODMAN + "13539", redirect_agent),
    Row("keyboxd runs outside and holds its database's lock", LIBRARIES + "issues/47", add_keyboxd),
    Row("a user without /run/user/UID, as after su", PODMAN + "13338", has_run=False),
    Row("a program in buildah unshare", LIBRARIES + "pull/1148", enter="unshare -Urm"),
    Row("no more user namespaces are allowed", PODMAN + "23659", inside="echo 0 >/proc/sys/user/max_user_namespaces",
        has_gpg=False),
]


def quote(*words):
    return shlex.join(str(word) for word in words)


def run_inside(user, row, verb, stdin="", **env):
    helper = quote("env", *(f"{name}={value}" for name, value in env.items()), helper_path(), *verb.split())
    inside = f"{row.inside}\n printf %s {quote(stdin)} | {helper} || echo failed"
    return f"{row.enter} sh -c {quote(inside)}"


def script(user, row, cipher):
    """The commands of root in a mount namespace of its own: outside as the user, then inside the user's namespace."""
    document = json.dumps({"ServerURL": URL, "Username": "me", "Secret": "secret"})
    by_gpg = {"DOCKER_CREDENTIAL_PASS_FAST": "0"} if row.has_gpg else {}
    lines = [
        "set -e",
        "gpgconf --create-socketdir 2>/dev/null || true",
        f"printf %s {quote(PASSPHRASE)} | gpg --batch -q --pinentry-mode loopback --passphrase-fd 0 -d {cipher} >/dev/null",
        run_inside(user, row, "store", document),
        run_inside(user, row, "get", URL),
        run_inside(user, row, "get", URL, **by_gpg),
        run_inside(user, row, "doctor --json") if row.has_gpg else "echo",
        "ls ~/.gnupg | grep -c '^S.gpg-agent$' || true",
        "gpgconf --kill all",
    ]
    as_user = quote("setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "sh", "-c", "\n".join(lines))
    runtime = f"mkdir -m 700 /run/user/{UID} && chown {UID}:{UID} /run/user/{UID}" if row.has_run else "true"
    return f"mount -t tmpfs none /run && mkdir -p /run/user && {runtime} && exec {as_user}"


def need_namespaces(user, row):
    need("setpriv")
    as_user = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups"]
    if os.geteuid() != 0 or user.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"]).rc != 0:
        raise Skip("only root can mount a private /run")
    if user.run([*as_user, *row.enter.split(), "true"]).rc != 0:
        raise Skip("users cannot create such a user namespace here")


@functools.cache
def key_owner():
    """A user with the key, which all rows share: a key with a passphrase takes seconds."""
    owner = shared_sandbox()
    owner.key = owner.make_key(passphrase=PASSPHRASE)
    owner.cipher = owner.encrypt(b"x", owner.key)
    owner.end_agent()
    return owner


def run_row(row):
    with Sandbox() as user:
        need_namespaces(user, row)
        owner = key_owner()
        shutil.copytree(owner.gnupg, user.gnupg, dirs_exist_ok=True)
        user.make_store(owner.key)
        cipher = user.home / "cipher"
        cipher.write_bytes(owner.cipher)
        (user.docker / "config.json").write_text('{"credsStore": "pass"}')
        user.end_agent()
        if row.make:
            row.make(user)
        user.gnupg.rename(user.home / ".gnupg")
        user.run(["chown", "-R", f"{UID}:{UID}", user.dir], check=True)
        result = user.run(["unshare", "-m", "sh", "-c", script(user, row, cipher)], env={"GNUPGHOME": None})
        (user.home / ".gnupg").rename(user.gnupg)
        assert result.rc == 0, result
        *answers, report, sockets = result.out.decode().splitlines()
        wanted = json.dumps({"ServerURL": URL, "Username": "me", "Secret": "secret"}, separators=(",", ":"))
        assert answers == [wanted] * 2, (row.name, answers, result.err)
        if row.has_gpg:
            steps = json.loads(report)["steps"]
            assert set(steps.values()) == {"passed"}, (row.name, report)
        # An agent that was started inside would have a socket in ~/.gnupg.
        assert int(sockets) == (0 if row.has_run and row.make is not redirect_agent else 1), (row.name, sockets)


for one in ROWS:
    @case(f"rootless: {one.name}")
    def _(row=one):
        run_row(row)


main()
