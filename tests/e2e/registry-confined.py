#!/usr/bin/env python3
"""The running server has dropped privileges, access to files and system calls, and still has what
it needs.
"""

import ctypes
import errno
import os
import pathlib
import platform
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

from harness import ROOT, Skip, case, is_sanitized, main, need
from plain_registry import Server, line, wait_for
from raw_http import ask, basic, head
from registry import Registry, free_port, registryd
from registry_client import digest

IS_SANITIZED = is_sanitized(registryd())
GOOD = basic("me", "secret")
SECRET = b"content outside the storage"


def need_plain():
    if IS_SANITIZED:
        raise Skip("sanitizers need what the confinement removes")


def need_root():
    if os.getuid() != 0:
        raise Skip("only root can change the user")


def threads(process):
    """Returns /proc's status of each thread: {field: value}."""
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        yield dict(re.findall(r"^(\w+):\s+(.*)$", (task / "status").read_text(encoding="ascii"),
                              re.MULTILINE))


def push(server, content, name="a"):
    answer = ask(server.port,
                 head("POST", f"/v2/{name}/blobs/uploads/?digest={digest(content)}", GOOD,
                      b"Content-Length: %d\r\n" % len(content)) + content)
    return answer.status


def pull(server, content, name="a"):
    return ask(server.port, head("GET", f"/v2/{name}/blobs/{digest(content)}", GOOD))


def blob_path(server, content):
    hexadecimal = digest(content).split(":")[1]
    blobs = server.dir / "data/docker/registry/v2/blobs/sha256"
    return blobs / hexadecimal[:2] / hexadecimal / "data"


@case("every thread has no capabilities, cannot regain any, and has a system-call filter")
def _():
    with Server(line("me", "secret")) as server:
        assert push(server, b"content") == 201  # starts worker threads
        found = list(threads(server.process))
        assert len(found) > 5, found
        for thread in found:
            assert thread["NoNewPrivs"] == "1", thread
            for name in ("CapInh", "CapPrm", "CapEff",
                         "CapAmb") + (("CapBnd",) if os.getuid() == 0 else ()):
                assert int(thread[name], 16) == 0, (name, thread)
            assert thread["Seccomp"] == ("0" if IS_SANITIZED else "2"), thread
        assert "runs without" not in server.log(), server.log()


@case("confinement.enabled: false changes no privileges")
def _():
    with Server(line("me", "secret"), CONFINEMENT_ENABLED="false") as server:
        assert push(server, b"content") == 201
        for thread in threads(server.process):
            assert thread["Seccomp"] == "0" and thread["NoNewPrivs"] == "0", thread


def link_out(server):
    """Replaces a pushed blob by a link to an outside file with the same bytes; returns the answer
    to a pull.
    """
    with tempfile.TemporaryDirectory(prefix="dcp-outside.", dir="/tmp") as folder:
        outside = pathlib.Path(folder) / "outside"
        outside.write_bytes(SECRET)
        assert push(server, SECRET) == 201
        path = blob_path(server, SECRET)
        path.unlink()
        path.symlink_to(outside)
        return pull(server, SECRET)


@case("a link from the storage to a file outside is not followed, confined or not, and the answer "
      "does not reveal it")
def _():
    need_plain()
    for confinement in ("false", "true"):
        with Server(line("me", "secret"), CONFINEMENT_ENABLED=confinement) as server:
            answer = link_out(server)
            assert answer.status in (404, 500, 503) and answer.code, answer
            assert SECRET not in answer.body and b"outside" not in answer.body, answer
            assert "a symbolic link is in its path" in server.log(), server.log()
            assert (push(server, b"the next one") == 201
                    and pull(server, b"the next one").body == b"the next one")


@case("a link from the storage to an outside directory: nothing is written there")
def _():
    need_plain()
    with Server(line("me", "secret")) as server:
        assert push(server, b"content") == 201
        outside = server.dir / "outside"
        outside.mkdir()
        (server.dir / "data/docker/registry/v2/repositories/evil").symlink_to(outside)
        answer = ask(server.port,
                     head("POST", "/v2/evil/blobs/uploads/", GOOD, b"Content-Length: 0\r\n"))
        assert answer.status >= 500 and answer.code, answer
        assert not list(outside.iterdir())
        assert push(server, b"more") == 201


@case("files that editors, ACME clients and Kubernetes replace are reloaded")
def _():
    with Registry() as registry:
        before = registry.password
        # Kubernetes: htpasswd -> ..data/htpasswd; ..data -> a directory. Kubernetes replaces the
        # link ..data.
        mounted = registry.dir / "mounted"
        (mounted / "..first").mkdir(parents=True)
        (mounted / "..data").symlink_to("..first")
        shutil.copy(registry.dir / "htpasswd", mounted / "..first/htpasswd")
        (mounted / "htpasswd").symlink_to("..data/htpasswd")
        registry.settings["REGISTRY_AUTH_HTPASSWD_PATH"] = mounted / "htpasswd"
        # Let's Encrypt: files in live/ are links into archive/.
        (registry.dir / "archive").mkdir()
        (registry.dir / "live").mkdir()
        for name in ("cert.crt", "privkey.key"):
            shutil.copy(registry.dir / name, registry.dir / "archive" / f"1-{name}")
            (registry.dir / "live" / name).symlink_to(f"../archive/1-{name}")
        registry.settings["REGISTRY_HTTP_TLS_CERTIFICATE"] = registry.dir / "live/cert.crt"
        registry.settings["REGISTRY_HTTP_TLS_KEY"] = registry.dir / "live/privkey.key"
        registry.restart("registryd")
        assert registry.request("GET", "/v2/") == 200
        registry.password = registry.add_user(registry.username)
        (mounted / "..second").mkdir()
        shutil.copy(registry.dir / "htpasswd", mounted / "..second/htpasswd")
        (mounted / "..new").symlink_to("..second")
        (mounted / "..new").rename(mounted / "..data")
        assert registry.password != before and registry.request("GET", "/v2/") == 200
        for name in ("cert.crt", "privkey.key"):
            shutil.copy(registry.dir / name, registry.dir / "archive" / f"2-{name}")
            (registry.dir / "new").symlink_to(f"../archive/2-{name}")
            (registry.dir / "new").rename(registry.dir / "live" / name)
        registry.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "certificate loaded" in registry.log.read_text(), registry.log.read_text())
        assert "Permission denied" not in registry.log.read_text(), registry.log.read_text()


@case("the administrator may move parts of the storage elsewhere and link to them")
def _():
    with Server(line("me", "secret")) as server:
        assert push(server, b"content") == 201
        (server.dir / "data/docker").rename(server.dir / "disk")
        (server.dir / "data/docker").symlink_to(server.dir / "disk")
        server.restart()
        assert pull(server, b"content").body == b"content"
        assert push(server, b"more") == 201 and pull(server, b"more").body == b"more"


@case("root with a port below 1024 becomes confinement.user, who owns the storage and can "
      "read the files")
def _():
    need_root()
    user = pwd.getpwnam("nobody")
    port = next(port for port in range(1023, 600, -1) if is_free(port))
    with Server(line("me", "secret"), CONFINEMENT_USER="nobody", HTTP_ADDR=f"127.0.0.1:{port}",
                owner=user.pw_uid, port=port) as server:
        assert push(server, b"content") == 201
        for thread in threads(server.process):
            assert (set(thread["Uid"].split()) == {str(user.pw_uid)}
                    and set(thread["Gid"].split()) == {str(user.pw_gid)}), thread
            assert (set(thread["Groups"].split()) <= {str(user.pw_gid)}
                    and int(thread["CapEff"], 16) == 0), thread
        assert blob_path(server, b"content").stat().st_uid == user.pw_uid
        server.write(line("me", "secret") + line("new", "other"))
        os.chown(server.file, user.pw_uid, -1)
        assert server.status("new", "other") == 200


def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@case("no start, with the reason: an unknown user, no permission to change the user, files that "
      "the user cannot read")
def _():
    need_root()
    for settings, words in (({"CONFINEMENT_USER": "no-such-user-here"},
                             "there is no user no-such-user-here"),
                            ({"CONFINEMENT_USER": "nobody"}, "cannot read"),
                            ({"CONFINEMENT_USER": "nobody", "CONFINEMENT_ENABLED": "false"},
                             "needs confinement.enabled")):
        server = Server(line("me", "secret"), **settings)
        try:
            assert server.process.wait(60) == 1
            assert words in server.log(), (settings, server.log())
        finally:
            server.__exit__()


@case("root keeps the capability to read files of other users if it needs it, and logs this")
def _():
    need_root()
    with Server(line("me", "secret"), owner=pwd.getpwnam("nobody").pw_uid) as server:
        assert push(server, b"content") == 201 and server.status("me", "secret") == 200
        for thread in threads(server.process):
            assert int(thread["CapEff"], 16) == 1 << 1, thread  # CAP_DAC_OVERRIDE
        assert "root keeps CAP_DAC_OVERRIDE" in server.log(), server.log()


def without(*calls):
    """Filters this process and its children: the calls (x86-64 numbers) and PR_SET_SECCOMP do not
    exist.
    """
    def instruction(code, value, if_true=0, if_false=0):
        return struct.pack("=HBBI", code, if_true, if_false, value)
    load, jump, answer = 0x20, 0x15, 0x06
    program = instruction(load, 0)
    for number in calls:
        program += instruction(jump, number, 0, 1) + instruction(answer, 0x50000 | errno.ENOSYS)
    # The first argument of prctl
    program += instruction(jump, 157, 0, 3) + instruction(load, 16) + instruction(jump, 22, 0, 1)
    program += instruction(answer, 0x50000 | errno.EINVAL) + instruction(answer, 0x7fff0000)
    kept = ctypes.create_string_buffer(program, len(program))

    def install():
        libc = ctypes.CDLL(None, use_errno=True)
        header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(kept))
        assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, header, 0, 0) == 0
    return install


@case("on a kernel with neither Landlock nor seccomp it logs this and serves")
def _():
    need_plain()
    if platform.machine() != "x86_64":
        raise Skip("the system-call numbers are those of x86-64")
    # Seccomp, landlock_*
    with Server(line("me", "secret"), before=without(317, 444, 445, 446)) as server:
        assert push(server, b"content") == 201 and pull(server, b"content").body == b"content"
        log = server.log()
        assert ("support Landlock" in log and "support seccomp" in log
                and log.count("runs without it") == 2), log


@case("the systemd unit's exposure is below 2.0")
def _():
    analyze = need("systemd-analyze")
    text = (ROOT / "registry/registryd.service.in").read_text()
    for name, value in {"bindir": "/usr/bin", "description": "Registry",
                        "configuration": "/etc/registryd/config.yml",
                        "storage": "StateDirectory=registryd"}.items():
        text = text.replace(f"@{name}@", value)
    unit = pathlib.Path(f"/tmp/dcp-unit.{os.getpid()}.{free_port()}/registryd.service")
    unit.parent.mkdir()
    try:
        unit.write_text(text)
        done = subprocess.run([analyze, "security", "--offline=true", "--no-pager", unit],
                              capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(unit.parent)
    found = re.search(r"Overall exposure level for registryd.service: (\d+\.\d)", done.stdout)
    if not found:
        raise Skip(f"systemd-analyze cannot check a unit file: {done.stderr.strip()[:200]}")
    print(f"# {found[1]}")
    assert float(found[1]) < 2.0, done.stdout


main()
