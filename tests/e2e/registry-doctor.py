#!/usr/bin/env python3
"""`registryd doctor` finds problems of a registry, prints commands that fix them, and finds nothing
if there are no problems.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import contextlib
import datetime
import http.server
import json
import os
import pathlib
import shlex
import subprocess
import threading
import time

from harness import Skip, case, main, need
from registry import free_port, registryd
from registry_directory import TIMEOUT_S, init, make, scratch, serving

PROGRAM = registryd()


def run(config, expected, *words, env=None):
    done = subprocess.run([PROGRAM, "doctor", *words, config], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False,
                          env={"PATH": os.environ["PATH"], **(env or {}), **{
                              name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")
                              if name in os.environ}})
    assert (done.returncode, done.stderr) == (expected, ""), done
    return done.stdout


def find(config, expected, **more):
    """Returns the findings by id, except the one that no server is running."""
    findings = json.loads(run(config, expected, "--json", **more))["findings"]
    return {finding["id"]: finding for finding in findings if finding["id"] != "server-silent"}


@contextlib.contextmanager
def directory(*words, **more):
    with scratch() as place:
        make(place / "r", *words, **more)
        yield place / "r"


def certify(place, *words, days=100, name="localhost", alternative=True):
    """Replaces the certificate by one that OpenSSL creates."""
    key = place / "certs/registry.key"
    names = ("-addext", f"subjectAltName=DNS:{name}") if alternative else ()
    subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", place / "certs/registry.crt", "-subj", f"/CN={name}", "-days",
                    str(days), *names, *words],
                   check=True, capture_output=True)
    key.chmod(0o600)


def set_line(place, old, new):
    config = place / "config.yml"
    text = config.read_text()
    assert old in text, (old, text)
    config.write_text(text.replace(old, new, 1))


# --- all is well ----------------------------------------------------------------------------------


@case("in a directory of registryd init, the only finding is that no server is running; with a "
      "server there is none")
def _():
    with scratch() as place:
        port = make(place / "r")
        config = place / "r/config.yml"
        assert "warning: cannot connect to 127.0.0.1 port" in run(config, 0)
        before = sorted(path.name for path in (place / "r").rglob("*"))
        with serving(place / "r", port):
            assert (run(config, 0).startswith("no problems found")
                    and json.loads(run(config, 0, "--json")) == {"findings": []})
            assert before == sorted(path.name for path in (place / "r").rglob("*")
                                    if path.name not in ("docker", "registry", "v2")
                                    and "docker" not in path.parts)


# --- one thing is wrong ---------------------------------------------------------------------------


def remove_users(place):
    (place / "auth/htpasswd").unlink()


def empty_users(place):
    (place / "auth/htpasswd").write_text("# nobody\n")


def public_users(place):
    (place / "auth/htpasswd").chmod(0o644)


def open_users(place):
    (place / "auth/htpasswd").chmod(0o602)


def spoil_line(place):
    with open(place / "auth/htpasswd", "a", encoding="ascii") as file:
        file.write("nocolon\nold:{SHA}x\n")


def spoil_rules(place):
    (place / "auth/access").write_text("allow alice pull **\nallow alice fly **\n")
    set_line(place, "    realm: Registry Realm",
             f"    realm: Registry Realm\n    access: {place}/auth/access")


def public_key(place):
    (place / "certs/registry.key").chmod(0o644)


def other_key(place):
    certificate = (place / "certs/registry.crt").read_bytes()
    certify(place)
    (place / "certs/registry.crt").write_bytes(certificate)


def remove_certificate(place):
    (place / "certs/registry.crt").unlink()


def spoil_certificate(place):
    (place / "certs/registry.crt").write_text("no certificate\n")


def name_host(place):
    set_line(place, "http:", "http:\n  host: https://registry.example.com")


def ignored_setting(place):
    set_line(place, "  addr:", "  adr: x\n  addr:")


def wrong_version(place):
    set_line(place, "version: 0.1", "version: 0.2")


def wide_open(place):
    text = (place / "config.yml").read_text()
    (place / "config.yml").write_text(text[:text.index("auth:")] + text[text.index("http:"):])


def no_tls(place):
    text = (place / "config.yml").read_text()
    (place / "config.yml").write_text(text[:text.index("  tls:")])


def foreign_address(place):
    set_line(place, "addr: :", "addr: 203.0.113.9:")


def plant_link(place):
    (place / "data/docker/registry/v2/blobs").mkdir(parents=True)
    (place / "data/docker/registry/v2/blobs/sha256").symlink_to("/etc")


def from_the_future(place):
    path = place / "data/docker/registry/v2/repositories"
    path.mkdir(parents=True)
    os.utime(path, (time.time() + 10000000,) * 2)


def lose_bytes(place):
    """As a power failure does."""
    for name in ("11" * 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"):  # the second one is that of nothing
        path = place / "data/docker/registry/v2/blobs/sha256" / name[:2] / name / "data"
        path.parent.mkdir(parents=True)
        path.touch()


def add_stranger(place):
    """Puts a certificate behind the server's own that did not issue it."""
    certs = place / "certs"
    before = [(path, path.read_bytes()) for path in (certs / "registry.crt", certs / "registry.key")]
    certify(place, name="other")
    other = (certs / "registry.crt").read_bytes()
    for path, content in before:
        path.write_bytes(content)
    with open(certs / "registry.crt", "ab") as file:
        file.write(other)


def weaken(place):
    subprocess.run([need("openssl"), "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", place / "certs/registry.key", "-out",
                    place / "certs/registry.crt", "-subj", "/CN=localhost", "-days", "100", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True)
    (place / "certs/registry.key").chmod(0o600)


def behind_proxy(place):
    no_tls(place)
    set_line(place, "addr: :", "addr: 127.0.0.1:")
    set_line(place, "http:", f"http:\n  host: https://127.0.0.1:{free_port()}")


def remove_storage(place):
    (place / "data").rmdir()


def file_as_storage(place):
    (place / "data").rmdir()
    (place / "data").write_text("")


# A change of a directory, the finding that it causes, the exit status, and a part of the printed
# command (None: no command).
SITUATIONS = (
    (remove_users, "users-missing", "bad", "registryd htpasswd -c "),
    (empty_users, "users-none", "bad", "registryd htpasswd "),
    (public_users, "users-public", "warning", "chmod o-rwx "),
    (open_users, "file-open", "bad", "chmod o-w "),
    (spoil_line, "users-line", "warning", None),
    (spoil_rules, "access-line", "bad", None),
    (public_key, "key-public", "bad", "chmod o-rwx "),
    (other_key, "key-other", "bad", None),
    (remove_certificate, "certificate-unreadable", "bad", None),
    (spoil_certificate, "certificate-unusable", "bad", None),
    (lambda place: certify(place, days=10), "certificate-expires", "warning", "--renew"),
    (lambda place: certify(place, alternative=False), "certificate-no-names", "bad", "--renew"),
    (name_host, "certificate-other-name", "bad", "--renew"),
    (add_stranger, "certificate-order", "warning", None),
    (lambda place: certify(place, "-addext", "extendedKeyUsage=clientAuth"), "certificate-use", "bad", None),
    (weaken, "certificate-weak", "bad", None),
    (behind_proxy, "proxy-untrusted", "warning", None),
    (ignored_setting, "setting", "warning", None),
    (wrong_version, "configuration", "bad", None),
    (wide_open, "no-authentication", "bad", None),
    (no_tls, "no-tls", "bad", None),
    (foreign_address, "address", "bad", None),
    (plant_link, "storage-link", "bad", None),
    (from_the_future, "clock", "warning", None),
    (lose_bytes, "storage-damage", "bad", "registryd verify"),
    (remove_storage, "storage-missing", "warning", None),
    (file_as_storage, "storage-unreachable", "bad", None),
)


@case(f"{len(SITUATIONS)} situations: each is found by its name, with its command; "
      "nothing is changed")
def _():
    for spoil, name, status, command in SITUATIONS:
        with directory() as place:
            spoil(place)
            findings = find(place / "config.yml", 1 if status == "bad" or spoil is behind_proxy else 0)
            others = set(findings) - {name, "public-silent"} - ({"setting"} if spoil in (no_tls, behind_proxy) else set())
            assert name in findings and not others, (name, findings)
            assert findings[name]["status"] == status and findings[name]["why"], findings[name]
            assert (command is None) == ("command" not in findings[name]), findings[name]
            assert command is None or command in findings[name]["command"], findings[name]


@case("each printed command fixes its finding")
def _():
    for spoil in (public_users, open_users, public_key, lambda place: certify(place, days=10)):
        with directory() as place:
            spoil(place)
            while findings := [one for one in find_any(place / "config.yml") if "command" in one]:
                command = findings[0]["command"].replace("registryd ", shlex.quote(PROGRAM) + " ",
                                                         1)
                done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL,
                                      capture_output=True, check=False)
                assert done.returncode == 0, (command, done)
            assert not find(place / "config.yml", 0)


def find_any(config):
    done = subprocess.run([PROGRAM, "doctor", "--json", config], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIMEOUT_S,
                          check=False)
    return json.loads(done.stdout)["findings"]


@case("a certificate that has expired, and one that is not yet valid, are found")
def _():
    with directory() as place:
        for begin, end, name in ((-20, -10, "certificate-expired"),
                                 (10, 20, "certificate-not-yet")):
            make_dated(place, begin, end)
            assert find(place / "config.yml", 1)[name]["status"] == "bad"


def make_dated(place, begin, end):
    """Creates a certificate that is valid from and until the given days from now; OpenSSL's `ca`
    can set both.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    moments = [(now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
               for days in (begin, end)]
    work = place / "certs"
    certify(place)
    subprocess.run([need("openssl"), "req", "-new", "-key", work / "registry.key", "-subj",
                    "/CN=localhost", "-out", work / "x.csr"],
                   check=True, capture_output=True)
    (work / "x.cnf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={work}/x.txt\nnew_certs_dir={work}\n"
        f"serial={work}/x.serial\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n"
        "[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost\n")
    (work / "x.txt").write_text("")
    (work / "x.serial").write_text("01\n")
    subprocess.run([need("openssl"), "ca", "-batch", "-selfsign", "-config", work / "x.cnf",
                    "-keyfile", work / "registry.key",
                    "-in", work / "x.csr", "-out", work / "registry.crt", "-startdate", moments[0],
                    "-enddate", moments[1],
                    "-notext"], check=True, capture_output=True)
    for path in work.glob("x.*"):
        path.unlink()


@case("an issuer in the chain that has expired is found, although the certificate itself is valid")
def _():
    with directory() as place:
        certs = place / "certs"
        make_dated(place, -20, -10)  # signs itself, so it can be the issuer of the next one
        (certs / "issuer.crt").write_bytes((certs / "registry.crt").read_bytes())
        (certs / "issuer.key").write_bytes((certs / "registry.key").read_bytes())
        certify(place, "-CA", certs / "issuer.crt", "-CAkey", certs / "issuer.key")
        with open(certs / "registry.crt", "ab") as file:
            file.write((certs / "issuer.crt").read_bytes())
        assert set(find(place / "config.yml", 1)) == {"certificate-issuer-expired"}, find(place / "config.yml", 1)


@case("a storage whose file system is in /etc/fstab and not mounted is found")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can mount")
    need("unshare")
    with directory() as place:
        for point, expected in ((place / "data", {"storage-not-mounted"}), (place / "elsewhere", set())):
            (place / "fstab").write_text(f"/dev/none / ext4 defaults 0 0\n/dev/none {point} ext4 defaults 0 0\nnone none swap sw 0 0\n")
            done = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/fstab && exec "$2" doctor --json "$3"', "sh",
                                   place / "fstab", PROGRAM, place / "config.yml"], capture_output=True, check=False)
            if done.returncode == 32:
                raise Skip("mounts are not permitted here")
            found = {one["id"] for one in json.loads(done.stdout)["findings"]} - {"server-silent"}
            assert found == expected, (point, done)


# --- rights ---------------------------------------------------------------------------------------


@case("if root runs doctor, it finds a storage and a key that the server's user cannot use")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    with directory() as place:
        place.parent.chmod(0o755)
        for path in (place / "data", place / "auth", place / "auth/htpasswd"):
            os.chown(path, 65534, 65534)
        # Only root can access certs/
        assert "certificate-unreadable" in find(place / "config.yml", 1)
        for path in (place / "certs", *(place / "certs").iterdir()):
            os.chown(path, 65534, 65534)
        assert not find(place / "config.yml", 0)
        (place / "data").chmod(0o500)
        finding = find(place / "config.yml", 1)["storage-not-writable"]
        assert "65534" in finding["what"] and finding["command"].startswith("chmod u+rwx "), finding
        (place / "data").chmod(0o700)
        (place / "data/docker/registry/v2/blobs").mkdir(parents=True)
        for path in (place / "data/docker", place / "data/docker/registry",
                     place / "data/docker/registry/v2"):
            os.chown(path, 65534, 65534)
        finding = find(place / "config.yml", 0)["storage-foreign"]
        assert "--reference=" in finding["command"], finding


# --- proxies --------------------------------------------------------------------------------------


class Proxy(http.server.BaseHTTPRequestHandler):
    """Answers like a registry behind a proxy, with the fault in the server's attribute."""

    def answer(self, status, *headers):
        self.send_response(status)
        for name, value in {"Docker-Distribution-Api-Version": "registry/2.0",
                            **dict(headers)}.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time()
                                        + (100000 if self.server.fault == "clock" else 0))

    def do_GET(self):   # pylint: disable=invalid-name
        fault, here = self.server.fault, f"http://127.0.0.1:{self.server.server_port}"
        if fault == "502":
            self.answer(502)
        elif fault == "other":
            self.answer(200, ("Docker-Distribution-Api-Version", ""))
        elif fault == "challenge":
            self.answer(401)
        else:
            realm = "http://10.0.0.1:5000" if fault == "realm" else here
            self.answer(401, ("WWW-Authenticate", f'Bearer realm="{realm}/token",service="x"'))

    def handle_expect_100(self):
        return True     # no interim answer: do_PUT() answers at once

    def do_PUT(self):   # pylint: disable=invalid-name
        self.answer(413 if self.server.fault == "limit" else 401)

    def log_message(self, *_):
        pass


@case("changes by a proxy are found: another service, errors, no challenge, another realm, a limit "
      "on bodies, another clock")
def _():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with directory() as place:
            set_line(place, "http:", f"http:\n  host: http://127.0.0.1:{server.server_port}")
            for fault, name, status in ((None, None, 0), ("502", "public-other", 1),
                                        ("other", "public-other", 1),
                                        ("challenge", "proxy-challenge", 1),
                                        ("realm", "proxy-realm", 1),
                                        ("limit", "proxy-body-limit", 1),
                                        ("clock", "clock-differs", 0)):
                server.fault = fault
                findings = find(place / "config.yml", status)
                assert set(findings) == ({name} if name else set()), (fault, findings)
    finally:
        server.shutdown()
        server.server_close()
    with directory() as place:
        set_line(place, "http:", f"http:\n  host: http://127.0.0.1:{free_port()}")
        assert "public-silent" in find(place / "config.yml", 1)


@case("behind Debian's nginx, the limit of 1 MiB is found, and with "
      "client_max_body_size 0 it is not")
def _():
    need("nginx")
    with scratch() as place:
        port, front = make(place / "r"), free_port()
        set_line(place / "r", "http:", f"http:\n  host: http://127.0.0.1:{front}")
        with serving(place / "r", port):
            for setting, expected in (("", {"proxy-body-limit"}),
                                      ("client_max_body_size 0;", set())):
                (place / "nginx.conf").write_text(
                    f"daemon off; pid {place}/pid; error_log {place}/error;\nevents {{}}\nhttp {{ "
                    "access_log off;\n"
                    + "".join(f"{kind}_temp_path {place}/{kind};\n"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                    + f"server {{ listen 127.0.0.1:{front}; {setting} location / {{ "
                      f"proxy_pass https://127.0.0.1:{port}; "
                      "proxy_set_header Host $http_host; }} }} }}\n".replace("}}", "}"))
                process = subprocess.Popen([need("nginx"), "-c", place / "nginx.conf"],
                                           stdin=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)
                try:
                    end = time.monotonic() + TIMEOUT_S
                    while ("public-silent"
                           in (findings := {one["id"]: one
                                            for one in find_any(place / "r/config.yml")})):
                        assert time.monotonic() < end and process.poll() is None, (
                            pathlib.Path(place / "error").read_text())
                        time.sleep(0.05)
                    assert set(findings) == expected, findings
                finally:
                    process.terminate()
                    process.wait(TIMEOUT_S)


@case("a port that another program uses is found; the output is safe for a terminal")
def _():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.fault = "other"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with scratch() as place:
            init(place / "r", "--host", "localhost", "--user", "me", "--port",
                 str(server.server_port), "--password-stdin")
            set_line(place / "r", "addr: :", "addr: 127.0.0.1:")
            no_tls(place / "r")
            assert "port-taken" in find(place / "r/config.yml", 1)
    finally:
        server.shutdown()
        server.server_close()
    with directory() as place:
        set_line(place, f"{place}/auth/htpasswd", f"{place}/auth/\\e[31m")
        text = run(place / "config.yml", 1)
        assert "\x1b" not in text and "[31m" in text, text


main()
