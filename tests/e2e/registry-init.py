#!/usr/bin/env python3
"""`registryd init` creates a directory from which a registry can start immediately."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import ssl
import stat
import subprocess
import tempfile
import time

from docker_user import DockerUser
from harness import Skip, case, main, need
from registry import AUTHORITY, free_port, registryd
from registry_directory import TIMEOUT_S, ask, init, make, scratch, serving

def modes(directory):
    return {str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode)
            for path in [directory, *directory.rglob("*")]}


@case("the directory is complete, and only its owner can read the secrets")
def _():
    with scratch() as place:
        make(place / "r")
        assert modes(place / "r") == {
            ".": 0o755, "config.yml": 0o644, "ca.crt": 0o644, "data": 0o700, "auth": 0o700,
            "auth/htpasswd": 0o600,
            "certs": 0o700, "certs/registry.crt": 0o644, "certs/registry.key": 0o600,
            "authority": 0o700, "authority/ca.key": 0o600}, modes(place / "r")
        assert [path.name for path in place.iterdir()] == ["r"]
        assert b"secret" not in b"".join(path.read_bytes() for path in (place / "r").rglob("*")
                                         if path.is_file())


@case("a registry starts with it; only the right login works; the certificate is valid for "
      "its names only")
def _():
    with scratch() as place:
        port = make(place / "r", "--host", "127.0.0.1")
        with serving(place / "r", port):
            assert ask(place / "r", port) == 200
            assert ask(place / "r", port, password="wrong") == 401
            assert ask(place / "r", port, host="127.0.0.1") == 200
            try:
                ask(place / "r", port, host="127.0.0.2")
                raise AssertionError("a certificate for 127.0.0.1 was accepted for 127.0.0.2")
            except ssl.SSLCertVerificationError:
                pass
        result = subprocess.run([need("openssl"), "verify", "-x509_strict", "-purpose", "sslserver",
                                 "-CAfile",
                                 place / "r/ca.crt", place / "r/certs/registry.crt"],
                                capture_output=True)
        assert result.returncode == 0, result


@case("registry:2 starts with the same directory")
def _():
    program = need("docker-registry")
    with scratch() as place:
        port = make(place / "r")
        with serving(place / "r", port, program):
            assert ask(place / "r", port) == 200


@case("docker login works with the printed lines, also if the directory's name has "
      "spaces and quotes")
def _():
    need("docker")
    with scratch() as place:
        directory = place / 'my "own" registry'
        port = free_port()
        result = init(directory, "--host", "localhost", "--user", "me", "--port", str(port),
                      password=b"")
        text = result.stdout.decode()
        password = re.search(r"stored nowhere else:\n  (\w{24})\n", text)[1]
        quoted = shlex.quote(str(directory))
        assert shlex.split(f"{quoted}/ca.crt") == [str(directory / "ca.crt")]
        for line in (f"registryd serve {quoted}/config.yml",
                     f"{quoted}/ca.crt /etc/docker/certs.d/localhost:{port}/ca.crt",
                     f"{quoted}/ca.crt ~/.config/containers/certs.d/localhost:{port}/ca.crt",
                     f"docker login -u me localhost:{port}",
                     f"curl --cacert {quoted}/ca.crt -u me"):
            assert line in text, (line, text)

        class Server:  # the attributes that DockerUser needs
            host, ca, username = f"localhost:{port}", directory / "ca.crt", "me"
        Server.password = password
        with serving(directory, port), DockerUser(Server) as user:
            user.login()


@case("each path in a printed command is absolute, and is a file of the directory")
def _():
    with scratch() as place:
        result = subprocess.run([registryd(), "init", "sub/../r", "--host", "localhost", "--user",
                                 "me", "--password-stdin"],
                                input=b"secret\n", capture_output=True, timeout=TIMEOUT_S,
                                cwd=place)
        assert result.returncode == 1, "a missing parent directory must be an error"
        result = subprocess.run([registryd(), "init", "./r", "--host", "localhost", "--user", "me",
                                 "--password-stdin"],
                                input=b"secret\n", capture_output=True, timeout=TIMEOUT_S,
                                cwd=place)
        commands = [shlex.split(line) for line in result.stdout.decode().splitlines()
                    if line.startswith("  ")]
        words = [word for command in commands for word in command
                 if word.endswith((".crt", ".yml"))]
        assert (len(words) >= 6
                and all(word.startswith((f"{place}/r/", "/etc/", "~/")) for word in words)), words
        for word in words:
            assert not word.startswith(str(place)) or pathlib.Path(word).is_file(), word


@case("the systemd service is suggested only if it can read the directory")
def _():
    with scratch() as place:
        init(place / "r", "--host", "localhost", "--user", "me", "--password-stdin")
        text = init(place / "s", "--host", "localhost", "--user", "me",
                    "--password-stdin").stdout.decode()
        assert "registryd@" not in text and "does not see" in text, text
    if os.geteuid():
        raise Skip("only root can write to /srv")
    place = pathlib.Path(tempfile.mkdtemp(prefix="registry-init.", dir="/srv"))
    try:
        text = init(place / "r", "--host", "localhost", "--user", "me",
                    "--password-stdin").stdout.decode()
        assert f"systemd-escape -p --template=registryd@.service {place}/r)" in text, text
        assert f"chown -R registryd: {place}/r/auth {place}/r/certs {place}/r/data\n" in text, text
    finally:
        shutil.rmtree(place)


@case("existing files are never changed: a directory that is not empty, a file; a missing parent "
      "directory is an error")
def _():
    with scratch() as place:
        (place / "full").mkdir()
        (place / "full/x").write_text("mine")
        (place / "file").write_text("mine")
        for name, words in (("full", "not empty"), ("file", "not a directory"),
                            ("no/such", "parent directory"), ("", "cannot be the name")):
            result = init(place / name if name else "", "--host", "h", "--user", "me",
                          "--password-stdin", check=False)
            assert (result.returncode == 1 and result.stderr.count(b"\n") == 1
                    and words in result.stderr.decode()), (name, result)
        assert (sorted(str(path.relative_to(place)) for path in place.rglob("*"))
                == ["file", "full", "full/x"])
        (place / "empty").mkdir()
        make(place / "empty/")
        assert (place / "empty/config.yml").exists()


@case("invalid arguments are refused in one line, and nothing is created")
def _():
    good = ("--host", "h", "--user", "me", "--password-stdin")
    with scratch() as place:
        for words in ((), ("--host", "h"), ("--user", "me"), ("--host", "-h", "--user", "me"),
                      ("--host", "a b", "--user", "me"),
                      ("--host", "*.x", "--user", "me"), ("--host", "", "--user", "me"),
                      ("--host", "h", "--user", "a:b", "--password-stdin"),
                      ("--host", "h", "--user", "#a", "--password-stdin"),
                      ("--host", "h", "--user", "", "--password-stdin"),
                      (*good, "--port", "0"), (*good, "--port", "x"), (*good, "--port", "65536"),
                      (*good, "--no-such"), (*good, "more"),
                      ("--renew", "--user", "me"), ("--renew", "--port", "5000"),
                      ("--renew", "--csr"), ("--host",)):
            result = init(place / "r", *words, check=False)
            assert result.returncode == 1 and result.stderr.count(b"\n") == 1, (words, result)
            assert "--renew" not in words or b"no other option" in result.stderr, (words, result)
        for password in (b"two\nlines\n", b"p" * 300, b"a\0b\n"):
            result = init(place / "r", *good, password=password, check=False)
            assert result.returncode == 1 and result.stderr.count(b"\n") == 1, (password, result)
        assert list(place.iterdir()) == []


@case("killed at any moment, it leaves the complete directory or none of that name")
def _():
    with scratch() as place:
        for i in range(20):
            process = subprocess.Popen([registryd(), "init", place / "r", "--host", "h", "--user",
                                        "me", "--password-stdin"],
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            process.stdin.write(b"secret\n")
            process.stdin.close()
            time.sleep(i * 0.006)
            process.kill()
            process.wait()
            if (place / "r").exists():
                assert len(modes(place / "r")) == 11, modes(place / "r")
            for path in place.iterdir():
                shutil.rmtree(path)


@case("--renew: a new certificate for the same key and names, which a running registry loads")
def _():
    with scratch() as place:
        directory = place / "r"
        port = make(directory, "--host", "127.0.0.1")
        key, before = (directory / "certs/registry.key").read_bytes(), (
            directory / "certs/registry.crt").read_bytes()
        with serving(directory, port) as process:
            served = ssl.get_server_certificate(("localhost", port))
            init(directory, "--renew")
            assert ((directory / "certs/registry.key").read_bytes() == key
                    and (directory / "certs/registry.crt").read_bytes() != before)
            process.send_signal(signal.SIGHUP)
            end = time.monotonic() + TIMEOUT_S
            while ssl.get_server_certificate(("localhost", port)) == served:
                assert time.monotonic() < end, "the old certificate is still served"
                time.sleep(0.1)
            assert ask(directory, port) == 200 and ask(directory, port, host="127.0.0.1") == 200
        (directory / "authority/ca.key").unlink()
        result = init(directory, "--renew", check=False)
        assert result.returncode == 1 and b"ca.key" in result.stderr, result


@case("--csr: a signing request for another authority")
def _():
    openssl = need("openssl")
    with scratch() as place:
        directory = place / "r"
        port = make(directory, "--csr")
        assert (not (directory / "authority/ca.key").exists()
                and not (directory / "certs/registry.crt").exists())
        assert stat.S_IMODE((directory / "certs/registry.key").stat().st_mode) == 0o600
        result = subprocess.run([openssl, "req", "-in", directory / "certs/registry.csr", "-noout",
                                 "-verify", "-text"], capture_output=True)
        assert result.returncode == 0 and b"DNS:localhost" in result.stdout, result
        run = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
               "-nodes", "-keyout", place / "k",
               "-out", directory / "ca.crt", "-subj", "/CN=Another", "-days", "2", *AUTHORITY]
        subprocess.run(run, check=True, capture_output=True)
        subprocess.run([openssl, "x509", "-req", "-in", directory / "certs/registry.csr", "-CA",
                        directory / "ca.crt", "-CAkey", place / "k",
                        "-copy_extensions", "copy", "-days", "2", "-out",
                        directory / "certs/registry.crt"], check=True, capture_output=True)
        with serving(directory, port):
            # OpenSSL 3.0 adds no authority key identifier
            assert ask(directory, port, is_strict=False) == 200


main()
