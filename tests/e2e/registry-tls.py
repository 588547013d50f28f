#!/usr/bin/env python3
"""TLS: the findings of a scanner, client certificates, and certificate files that change under
load.
"""

import base64
import contextlib
import http.client
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree

from harness import case, main, need
from plain_registry import wait_for
from registry import AUTHORITY, Registry

EC = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


class Authority:
    """A certificate authority that writes name.crt and name.key into a directory."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        directory.mkdir(exist_ok=True)
        self._run("req", "-x509", "-newkey", *EC, "-nodes", "-keyout", f"{name}.key", "-out",
                  f"{name}.crt", "-days", "2",
                  "-subj", f"/CN={name}", *AUTHORITY)
        self.certificate = directory / f"{name}.crt"

    def _run(self, *words):
        subprocess.run([need("openssl"), *words], cwd=self.directory, check=True,
                       capture_output=True)

    def sign(self, name, extensions="extendedKeyUsage=clientAuth\n", key=EC, times=("-days", "2")):
        """Returns the paths of the certificate and its key."""
        (self.directory / "extensions").write_text(extensions + "authorityKeyIdentifier=keyid\n")
        self._run("req", "-newkey", *key, "-nodes", "-keyout", f"{name}.key", "-out", "request",
                  "-subj", f"/CN={name}")
        self._run("x509", "-req", "-in", "request", "-CA", f"{self.name}.crt", "-CAkey",
                  f"{self.name}.key", *times,
                  "-extfile", "extensions", "-out", f"{name}.crt")
        return self.directory / f"{name}.crt", self.directory / f"{name}.key"


def expired():
    """Returns openssl's options for an expired certificate: 3.4 and later refuse a negative number
    of days.
    """
    known = subprocess.run([need("openssl"), "x509", "-help"], capture_output=True, check=False)
    if b"-not_after" in known.stdout + known.stderr:
        return "-not_before", "20200101000000Z", "-not_after", "20200102000000Z"
    return "-days", "-1"


def context(registry, pair=None, version=None, verify=True):
    trust = ssl.create_default_context(
        cafile=registry.ca) if verify else ssl._create_unverified_context()
    if version:
        trust.minimum_version = trust.maximum_version = version
    if pair:
        trust.load_cert_chain(*pair)
    return trust


def status(registry, pair=None, version=None):
    """Returns the status of GET / (which needs no login), or the reason of a failed handshake."""
    connection = http.client.HTTPSConnection("localhost", registry.port, timeout=300,
                                             context=context(registry, pair, version))
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except (ssl.SSLError, OSError, http.client.HTTPException) as why:
        return str(why)
    finally:
        connection.close()


# --- a scanner's findings -------------------------------------------------------------------------


def scan(registry):
    report = registry.dir / "scan.xml"
    subprocess.run([need("sslscan"), "--no-colour", "--show-certificate", f"--xml={report}",
                    f"127.0.0.1:{registry.port}"],
                   check=True, capture_output=True, timeout=120)
    return xml.etree.ElementTree.parse(report).getroot().find("ssltest")


@case("sslscan finds only TLS 1.2 and 1.3, only ciphers with forward secrecy and AEAD, and no "
      "known vulnerability")
def _():
    with Registry() as registry:
        for kind, key in (("ECDSA", EC), ("RSA", ["rsa:2048"])):
            certificate, private = Authority(registry.dir / "made",
                                             "made").sign("localhost",
                                                          "subjectAltName=DNS:localhost\n", key)
            os.replace(private, registry.dir / "privkey.key")
            os.replace(certificate, registry.dir / "cert.crt")
            registry.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "certificate loaded" in registry.log.read_text(),
                     "the certificate was not loaded")
            found = scan(registry)
            versions = {(one.get("type"), one.get("version")): one.get("enabled")
                        for one in found.iter("protocol")}
            assert ({name for name, enabled in versions.items() if enabled == "1"}
                    == {("tls", "1.2"), ("tls", "1.3")}), versions
            assert {("ssl", "3"), ("tls", "1.0"), ("tls", "1.1")} <= set(versions), versions
            ciphers = {(one.get("sslversion"), one.get("cipher")) for one in found.iter("cipher")}
            assert {version for version, _ in ciphers} == {"TLSv1.2", "TLSv1.3"}, ciphers
            for version, cipher in ciphers:
                good = (r"TLS_(AES|CHACHA20)_.*" if version == "TLSv1.3"
                        else rf"ECDHE-{kind}-(AES(128|256)-GCM-SHA\d+|CHACHA20-POLY1305)")
                assert re.fullmatch(good, cipher), (version, cipher)
            groups = {one.get("name") for one in found.iter("group")}
            assert groups == {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}, groups
            assert all(one.get("supported") == "0"
                       for one in (*found.iter("compression"), *found.iter("renegotiation")))
            assert all(one.get("vulnerable") == "0" for one in found.iter("heartbleed"))
            print(f"# {kind}:", sorted(cipher for _, cipher in ciphers), sorted(groups))
        assert registry.process.poll() is None


# --- client certificates --------------------------------------------------------------------------


@contextlib.contextmanager
def mutual(**more):
    """Yields a registry that requires certificates of the authority `clients`, and that authority.
    """
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="dcp-clients.", dir="/tmp"))
        clients = Authority(pathlib.Path(directory), "clients")
        registry = stack.enter_context(MutualRegistry(clients,
                                                      HTTP_TLS_CLIENTCAS=f"[{clients.certificate}]",
                                                      **more))
        yield registry, clients


class MutualRegistry(Registry):
    """A registry whose readiness check presents a client certificate."""

    def __init__(self, clients, **settings):
        self.pair = clients.sign("usual")
        super().__init__(**settings)

    def _is_ready(self):
        end = time.monotonic() + 300
        while time.monotonic() < end and self.process.poll() is None:
            if status(self, self.pair) == 200:
                return True
            time.sleep(0.05)
        return False


@case("http.tls.clientcas: a client without a valid client certificate of a listed authority "
      "gets no answer")
def _():
    with mutual() as (registry, clients):
        other = Authority(registry.dir / "other", "clients")  # another authority with the same name
        middle = clients.sign("middle",
                              "basicConstraints=critical,CA:TRUE\n"
                              "keyUsage=critical,keyCertSign,cRLSign\n")
        strangers = {
            "none": None,
            "another authority's": other.sign("usual"),
            "a certificate of another authority with the same name": (
                other.certificate, other.directory / "clients.key"),
            "a server certificate": clients.sign("server", "extendedKeyUsage=serverAuth\n"),
            "an expired one": clients.sign("old", times=expired()),
        }
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for what, pair in strangers.items():
                assert status(registry, pair, version) != 200, (version, what)
            for what, pair in {"the usual one": registry.pair,
                               "one without a purpose": clients.sign("any", "")}.items():
                assert status(registry, pair, version) == 200, (version, what)
        # An intermediate authority signed it: it is valid with the chain, and invalid without.
        below = Authority(clients.directory, "unused")
        below.name = "middle"
        certificate, key = below.sign("leaf")
        chain = registry.dir / "chain.crt"
        chain.write_bytes(certificate.read_bytes() + middle[0].read_bytes())
        assert status(registry, (chain, key)) == 200
        assert status(registry, (certificate, key)) != 200
        assert registry.process.poll() is None


@case("with a client certificate, a password is still required; curl and skopeo "
      "present certificates")
def _():
    with mutual() as (registry, _):
        crt, key = registry.pair
        curl = [need("curl"), "-sS", "--noproxy", "*", "--cacert", registry.ca, "-o", "/dev/null",
                "-w", "%{http_code}",
                f"{registry.url}/v2/"]
        assert (subprocess.run([*curl, "--cert", crt, "--key", key], capture_output=True,
                               check=True).stdout
                == b"401")
        login = f"{registry.username}:{registry.password}"
        done = subprocess.run([*curl, "--cert", crt, "--key", key, "-K", "-"],
                              input=f'user = "{login}"'.encode(), capture_output=True,
                              check=True)
        assert done.stdout == b"200", done
        assert subprocess.run(curl, capture_output=True, check=False).returncode != 0
        directory = registry.dir / "certs.d"
        directory.mkdir()
        (directory / "ca.crt").write_bytes(registry.ca.read_bytes())
        inspect = [need("skopeo"), "list-tags", "--cert-dir", directory, "--authfile",
                   registry.dir / "auth.json",
                   f"docker://{registry.host}/nothing"]
        env = {"PATH": os.environ["PATH"], "HOME": str(registry.dir)}
        (registry.dir / "auth.json").write_text("{}")
        without = subprocess.run(inspect, env=env, capture_output=True, text=True, check=False)
        # curl reports the alert or the closed connection, whichever it sees first.
        assert (without.returncode != 0
                and "required" not in without.stderr.replace("certificate required", "")), without
        # Docker's /etc/docker/certs.d/HOST uses the same file names.
        (directory / "client.cert").write_bytes(crt.read_bytes())
        (directory / "client.key").write_bytes(key.read_bytes())
        shown = subprocess.run(inspect, env=env, capture_output=True, text=True, check=False)
        assert ("authentication required" in shown.stderr
                or "unauthorized" in shown.stderr.lower()), shown


@case("clientauth verify-client-cert-if-given: no certificate is accepted, an invalid one is not")
def _():
    with mutual(HTTP_TLS_CLIENTAUTH="verify-client-cert-if-given") as (registry, _):
        other = Authority(registry.dir / "other", "other")
        assert status(registry) == 200
        assert status(registry, registry.pair) == 200
        assert status(registry, other.sign("usual")) != 200


@case("the next connection uses changed authorities; with a broken file the old ones stay, and the "
      "log names the file")
def _():
    with mutual() as (registry, clients):
        before = registry.pair
        kept = clients.certificate.read_bytes()
        clients.certificate.write_text("nonsense")
        registry.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "stays in use" in registry.log.read_text(),
                 "the broken file is not reported")
        assert str(clients.certificate) in registry.log.read_text()
        assert status(registry, before) == 200
        new = Authority(registry.dir / "new", "new")
        clients.certificate.write_bytes(new.certificate.read_bytes())
        registry.process.send_signal(signal.SIGHUP)
        wait_for(lambda: status(registry, new.sign("usual")) == 200,
                 "the new authority is not loaded")
        assert status(registry, before) != 200
        clients.certificate.write_bytes(kept + new.certificate.read_bytes())
        registry.process.send_signal(signal.SIGHUP)
        wait_for(lambda: status(registry, before) == 200, "the change is not loaded")


# --- files that change ----------------------------------------------------------------------------


def served(registry):
    """Returns the certificate that the server presents now, in DER."""
    plain = socket.create_connection(("127.0.0.1", registry.port))
    with context(registry, verify=False).wrap_socket(plain, server_hostname="localhost") as raw:
        return raw.getpeercert(binary_form=True)


@case("repeated replacement of certificates and users under load fails no request")
def _():
    with Registry() as registry:
        made = Authority(registry.dir / "made", "made")
        trust = ssl.create_default_context(cafile=registry.ca)
        trust.load_verify_locations(made.certificate)
        is_over, failures, counts = threading.Event(), [], []
        token = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()

        def ask(is_kept):
            count, connection = 0, None
            while not is_over.is_set():
                try:
                    connection = connection or http.client.HTTPSConnection(
                        "localhost", registry.port, timeout=300, context=trust)
                    connection.request("GET", "/v2/", headers={"Authorization": f"Basic {token}"})
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 200, answer.status
                    count += 1
                    if not is_kept:
                        connection.close()
                        connection = None
                except Exception as why:
                    failures.append(why)
                    return
            counts.append(count)
        threads = [threading.Thread(target=ask, args=(i % 2 == 0,)) for i in range(4)]
        for thread in threads:
            thread.start()
        seen = {served(registry)}
        for i in range(8):
            certificate, key = made.sign("localhost", "subjectAltName=DNS:localhost\n")
            for source, target in ((key, "privkey.key"),
                                   (certificate, "cert.crt"))[::-1 if i % 2 else 1]:
                os.replace(source, registry.dir / target)
            registry.add_user("another")
            registry.process.send_signal(signal.SIGHUP)
            wait_for(lambda: served(registry) not in seen, "the new certificate is not served")
            seen.add(served(registry))
        is_over.set()
        for thread in threads:
            thread.join()
        assert not failures, failures
        assert len(seen) == 9 and min(counts) > 10, (len(seen), counts)
        print(f"# {len(seen) - 1} certificates, {sum(counts)} requests")


@case("a new certificate is loaded when its key arrives, without another signal; until then the "
      "old one is served")
def _():
    with Registry() as registry:
        before = served(registry)
        certificate, key = Authority(registry.dir / "made",
                                     "made").sign("localhost", "subjectAltName=DNS:localhost\n")
        os.replace(certificate, registry.dir / "cert.crt")
        registry.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "does not belong to" in registry.log.read_text(),
                 "the mismatch is not reported")
        assert served(registry) == before
        os.replace(key, registry.dir / "privkey.key")
        wait_for(lambda: served(registry) != before, "the key is not noticed")


@case("a world-readable key and world-writable files cause warnings, and registryd starts")
def _():
    with Registry() as registry:
        assert "every user of this machine" not in registry.log.read_text(), (
            registry.log.read_text())
        (registry.dir / "privkey.key").chmod(0o644)
        (registry.dir / "cert.crt").chmod(0o666)
        (registry.dir / "htpasswd").chmod(0o646)
        registry.restart("registryd")
        log = registry.log.read_text()
        assert re.search(r"level=warn.*every user of this machine can read the key .*privkey.key",
                         log), log
        assert re.search(r"level=error.*every user of this machine can change .*cert.crt", log), log
        assert re.search(r"level=warn.*htpasswd can be changed by every user", log), log


main()
