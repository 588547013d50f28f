#!/usr/bin/env python3
"""The authority of `registryd init`: for which names clients trust it, and who can read its key."""

import contextlib
import os
import pwd
import socket
import ssl
import subprocess

from harness import Skip, case, is_sanitized, main, need
from raw_http import basic, head
from registry import registryd
from registry_client import digest
from registry_directory import TIMEOUT_S, ask, init, make, scratch, serving

GOOD = basic("me", "secret") + b"Connection: close\r\n"


# --- clients: each returns whether it trusts the registry at that host and port ------------------

def ask_python(directory, host, port):
    try:
        return ask(directory, port, host=host) == 200
    except ssl.SSLCertVerificationError:
        return False


def ask_curl(directory, host, port):
    done = subprocess.run([need("curl"), "-sS", "--noproxy", "*", "--cacert", directory / "ca.crt",
                           "-u", "me:secret",
                           f"https://{host}:{port}/v2/"], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False)
    assert done.returncode in (0, 60), done
    return done.returncode == 0


def ask_skopeo(directory, host, port):
    """Tests Go's crypto/x509, which docker and podman use, too. Docker does not verify a registry
    on loopback.
    """
    certificates = directory.parent / "skopeo"
    certificates.mkdir(exist_ok=True)
    (certificates / "ca.crt").write_bytes((directory / "ca.crt").read_bytes())
    done = subprocess.run([need("skopeo"), "list-tags", "--cert-dir", certificates, "--creds",
                           "me:secret",
                           f"docker://{host}:{port}/none"], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False)
    assert any(word in done.stderr for word in ("x509", "404", "not known to registry")), done
    return "x509" not in done.stderr


CLIENTS = (ask_python, ask_curl, ask_skopeo)


def verify_with_openssl(directory):
    done = subprocess.run([need("openssl"), "verify", "-x509_strict", "-purpose", "sslserver",
                           "-CAfile", directory / "ca.crt",
                           directory / "certs/registry.crt"], capture_output=True, text=True,
                          check=False)
    return done.returncode == 0


def sign_as_a_thief(directory, *names):
    """Replaces the server's certificate by one for these names, signed with the authority's key."""
    key = directory / "certs/registry.key"
    extensions = directory.parent / "extensions"
    extensions.write_text(
        f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\n"
        "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
    request = subprocess.run([need("openssl"), "req", "-new", "-key", key, "-subj", "/O=thief"],
                             capture_output=True, check=True)
    subprocess.run([need("openssl"), "x509", "-req", "-CA", directory / "ca.crt", "-CAkey",
                    directory / "authority/ca.key",
                    "-days", "2", "-extfile", extensions, "-out", directory / "certs/registry.crt"],
                   input=request.stdout,
                   capture_output=True, check=True)


@case("clients trust the registry by every name that it was created for")
def _():
    for hosts in (["localhost"], ["localhost", "127.0.0.1"], ["127.0.0.1"],
                  ["127.0.0.1", "localhost", "*.example.org", "::1"]):
        with scratch() as place:
            directory = place / "r"
            more = [word for host in hosts[1:] for word in ("--host", host)]
            port = make(directory, *more, host=hosts[0])
            assert verify_with_openssl(directory), hosts
            with serving(directory, port):
                for host in hosts:
                    if host in ("localhost", "127.0.0.1"):
                        assert all(client(directory, host, port) for client in CLIENTS), (
                            hosts, host)


@case("the authority's key cannot sign for other hosts: all clients reject such a certificate")
def _():
    for host, names, asked in ((["localhost"], ["DNS:localhost", "IP:127.0.0.1"], "127.0.0.1"),
                               (["localhost"], ["DNS:localhost", "DNS:registry-1.docker.io"],
                                "localhost"),
                               (["localhost"], ["IP:127.0.0.1"], "127.0.0.1"),
                               (["127.0.0.1"], ["DNS:localhost", "IP:127.0.0.1"], "localhost"),
                               (["127.0.0.1"], ["IP:127.0.0.2"], "127.0.0.2"),
                               (["127.0.0.1"], ["IP:127.0.0.1", "IP:::1"], "127.0.0.1"),
                               (["registry.example.com"], ["DNS:localhost"], "localhost")):
        with scratch() as place:
            directory = place / "r"
            port = make(directory, host=host[0])
            sign_as_a_thief(directory, *names)
            assert not verify_with_openssl(directory), (host, names)
            with serving(directory, port):
                for client in CLIENTS:
                    assert not client(directory, asked, port), (client.__name__, host, names)


@case("--renew keeps the names, accepts other names that the authority permits, and "
      "refuses the rest")
def _():
    with scratch() as place:
        directory = place / "r"
        port = make(directory, "--host", "127.0.0.1", "--host", "*.example.org")
        init(directory, "--renew")
        assert verify_with_openssl(directory)
        with serving(directory, port):
            assert (ask_python(directory, "localhost", port)
                    and ask_python(directory, "127.0.0.1", port))
        init(directory, "--renew", "--host", "registry.localhost", "--host", "example.org")
        assert verify_with_openssl(directory)
        before = (directory / "certs/registry.crt").read_bytes()
        for host in ("example.com", "127.0.0.2", "::1"):
            result = init(directory, "--renew", "--host", host, check=False)
            assert (result.returncode == 1 and host.encode() in result.stderr
                    and result.stderr.count(b"\n") == 1), result
        assert (directory / "certs/registry.crt").read_bytes() == before


@case("--renew works in a directory of an early version: all files at the top, an authority "
      "without constraints")
def _():
    openssl = need("openssl")
    with scratch() as place:
        directory = place / "r"
        make(directory)
        for name, old in (("certs/registry.key", "registry.key"),
                          ("certs/registry.crt", "registry.crt"), ("authority/ca.key", "ca.key")):
            (directory / name).rename(directory / old)
        subprocess.run([openssl, "req", "-x509", "-key", directory / "ca.key", "-subj", "/CN=Early",
                        "-days", "2", "-out",
                        directory / "ca.crt"], capture_output=True, check=True)
        init(directory, "--renew", "--host", "anything.example")
        done = subprocess.run([openssl, "verify", "-CAfile", directory / "ca.crt",
                               directory / "registry.crt"], capture_output=True,
                              check=False)
        assert done.returncode == 0, done


# --- the key --------------------------------------------------------------------------------------

def put_blob(directory, port, content):
    connection = connect(directory, port)
    connection.sendall(head("POST", f"/v2/a/blobs/uploads/?digest={digest(content)}", GOOD,
                        b"Content-Length: %d\r\n" % len(content)) + content)
    assert b" 201 " in read_all(connection)


def connect(directory, port):
    trust = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    return trust.wrap_socket(socket.create_connection(("127.0.0.1", port), TIMEOUT_S),
                             server_hostname="localhost")


def read_all(connection):
    answer = b""
    with contextlib.closing(connection):
        while more := connection.recv(1 << 16):
            answer += more
    return answer


@case("neither the authority's key nor the certificate's key is served through a link "
      "in the storage")
def _():
    for name in ("authority/ca.key", "certs/registry.key"):
        if name.startswith("authority") and is_sanitized(registryd()):
            continue  # without Landlock
        with scratch() as place:
            directory = place / "r"
            port = make(directory)
            secret = (directory / name).read_bytes()
            with serving(directory, port):
                put_blob(directory, port, secret)
                hexadecimal = digest(secret).split(":")[1]
                blobs = directory / "data/docker/registry/v2/blobs/sha256"
                data = blobs / hexadecimal[:2] / hexadecimal / "data"
                data.unlink()
                data.symlink_to(directory / name)
                connection = connect(directory, port)
                connection.sendall(head("GET", f"/v2/a/blobs/{digest(secret)}", GOOD))
                answer = read_all(connection)
                assert b" 200 " not in answer and secret not in answer, (name, answer[:300])


@case("the user of the service can read neither the authority's key nor its directory")
def _():
    if os.getuid() != 0:
        raise Skip("only root can change to the service's user")
    user = pwd.getpwnam("nobody")
    with scratch() as place:
        place.chmod(0o755)
        directory = place / "r"
        make(directory)
        for name in ("auth", "certs", "data"):
            for path in (directory / name, *(directory / name).rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        for name, is_readable in (("config.yml", True), ("certs/registry.key", True),
                                  ("auth/htpasswd", True), ("authority/ca.key", False)):
            done = subprocess.run(["/bin/cat", directory / name], user=user.pw_uid,
                                  group=user.pw_gid,
                                  extra_groups=[], capture_output=True, check=False, cwd="/")
            assert (done.returncode == 0) == is_readable, (name, done)


main()
