#!/usr/bin/env python3
"""`registryd serve`: registry:2's settings, from a file and from environment variables; the log.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout). Where
Debian's docker-registry is installed, the cases on common behaviour run against both programs.
"""

import hashlib
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time

from configured_server import PROGRAM, TIMEOUT_S, Directory, Server, assert_refused, programs
from harness import Skip, case, main, need
from registry import free_port

# Of an unknown password
HTPASSWD = b"alice:$2y$04$abcdefghijklmnopqrstuuHYtFhcxP8gkPJSVIvXPg5VXBCSUHJFm\n"


# --- settings ---------------------------------------------------------------------------------

@case("the variables from articles on private registries work unchanged, with a port added")
def _():
    for program in programs():
        with Directory() as directory:
            directory.make_certificate()
            directory.write("htpasswd", HTPASSWD)
            with Server(directory, program=program, is_tls=True, REGISTRY_AUTH="htpasswd",
                        REGISTRY_AUTH_HTPASSWD_REALM="Registry Realm",
                        REGISTRY_AUTH_HTPASSWD_PATH=directory.path / "htpasswd",
                        REGISTRY_HTTP_HOST="https://example.com",
                        REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                        REGISTRY_HTTP_TLS_CERTIFICATE=directory.path / "cert.crt",
                        REGISTRY_HTTP_TLS_KEY=directory.path / "privkey.key",
                        REGISTRY_STORAGE_DELETE_ENABLED="true") as server:
                status, headers, _ = server.request("GET", "/v2/")
                assert ((status, headers["WWW-Authenticate"])
                        == (401, 'Basic realm="Registry Realm"')), (program, status)


@case("http.host (the whole base of Location URLs), http.prefix and http.headers, from a file and "
      "from variables")
def _():
    text = ("version: 0.1\nstorage: {filesystem: {}}\nhttp:\n  addr: 127.0.0.1:PORT\n"
            "  host: https://example.com/out/\n  prefix: /my/registry/\n  headers: {X-One: [a], "
            "X-Two: [b c]}\n")
    variables = {"REGISTRY_HTTP_ADDR": "127.0.0.1:PORT",
                 "REGISTRY_HTTP_HOST": "https://example.com/out/",
                 "REGISTRY_HTTP_PREFIX": "/my/registry/",
                 "REGISTRY_HTTP_HEADERS": "{X-One: [a], X-Two: [b c]}"}
    for program in programs():
        for is_file in (True, False):
            with Directory() as directory:
                words = [directory.write("c.yml", text)] if is_file else []
                with Server(directory, *words, program=program,
                            **({} if is_file else variables)) as server:
                    status, headers, _ = server.request("POST", "/my/registry/v2/a/blobs/uploads/")
                    assert status == 202, (program, is_file, status)
                    assert headers["Location"].startswith(
                        "https://example.com/out/v2/a/blobs/uploads/"), (program, headers)
                    assert (headers["X-One"], headers["X-Two"]) == ("a", "b c"), headers
                    assert server.request("GET", "/v2/")[0] == 404


@case("without http.host, Location URLs contain http.prefix")
def _():
    for program in programs():
        with Directory() as directory, Server(directory, program=program,
                                              REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                                        REGISTRY_HTTP_PREFIX="/my/registry/") as server:
            status, headers, _ = server.request("POST", "/my/registry/v2/a/blobs/uploads/",
                                                {"Host": "a.example:80"})
            assert status == 202, (program, status)
            assert headers["Location"].startswith(
                "http://a.example:80/my/registry/v2/a/blobs/uploads/"), (program, headers)


@case("a variable takes precedence over the file, and REGISTRY_CONFIGURATION_PATH names the file")
def _():
    for program in programs():
        with Directory() as directory:
            path = directory.write("c.yml", "version: 0.1\nstorage: {filesystem: {}}\n"
                                         "http: {addr: ':1', relativeurls: true, headers: "
                                         "{X-A: [file]}}\n")
            with Server(directory, path, program=program,
                        REGISTRY_HTTP_ADDR="127.0.0.1:PORT") as server:
                status, headers, _ = server.request("POST", "/v2/a/blobs/uploads/")
                assert status == 202 and headers["Location"].startswith("/v2/a/"), (
                    program, headers["Location"])
                assert headers["X-A"] == "file", headers
    with Directory() as directory:
        path = directory.write("c.yml", "version: 0.1\nhttp: {addr: 127.0.0.1:PORT, headers: "
                                        "{X-A: [file]}}\n")
        server = Server(directory, "c.yml")
        server.__exit__()  # it was only needed for a free port to write into the file
        with Server(directory, REGISTRY_CONFIGURATION_PATH=path,
                    REGISTRY_HTTP_ADDR="127.0.0.1:PORT") as server:
            assert server.request("GET", "/v2/")[1]["X-A"] == "file"


@case("storage.delete.enabled and readonly control 405, as single keys and as a whole section")
def _():
    digest = "sha256:" + "0" * 64
    for env, method, path, wanted in (
            ({}, "DELETE", f"/v2/a/blobs/{digest}", 405),
            ({"REGISTRY_STORAGE_DELETE_ENABLED": "yes"}, "DELETE", f"/v2/a/blobs/{digest}", 404),
            ({}, "POST", "/v2/a/blobs/uploads/", 202),
            ({"REGISTRY_STORAGE_MAINTENANCE_READONLY": '{"enabled":true}'}, "POST",
             "/v2/a/blobs/uploads/", 405),
            ({"REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED": "true"}, "POST",
             "/v2/a/blobs/uploads/", 405)):
        with Directory() as directory, Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                                              **env) as server:
            status = server.request(method, path)[0]
            assert status == wanted, (env, method, status)


@case("catalog.maxentries limits the n that clients may request")
def _():
    with Directory() as directory, Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                                          REGISTRY_CATALOG_MAXENTRIES="5") as server:
        assert server.request("GET", "/v2/_catalog?n=5")[0] == 200
        assert server.request("GET", "/v2/_catalog?n=6")[0] == 400


def with_hosts(directory, text):
    """Returns a program that runs registryd with this /etc/hosts."""
    if (os.getuid() != 0
        or subprocess.run([need("unshare"), "--mount", "true"], capture_output=True,
                          check=False).returncode):
        raise Skip("this needs root and a private mount namespace")
    if not pathlib.Path("/proc/net/if_inet6").exists():
        raise Skip("this machine has no IPv6")
    hosts = directory.write("hosts", text)
    script = directory.write("registryd", "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind "
                                          "\"$1\" /etc/hosts && shift && exec \"$@\"' "
                                       f"sh '{hosts}' '{PROGRAM}' \"$@\"\n")
    os.chmod(script, 0o755)
    return script


@case("http.addr with a name: it listens on every address of the name, IPv4 and IPv6, on one port")
def _():
    with Directory() as directory:
        program = with_hosts(directory, "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 localhost "
                                        "both\n203.0.113.9 partly\n::1 partly\n")
        port = free_port()
        with Server(directory, program=program, REGISTRY_HTTP_ADDR="localhost:PORT",
                    REGISTRY_HTTP_DEBUG_ADDR=f"localhost:{port}") as server:
            for address in ("127.0.0.1", "::1"):
                for path, number in (("/v2/", server.port), ("/debug/health", port)):
                    connection = http.client.HTTPConnection(address, number, timeout=TIMEOUT_S)
                    connection.request("GET", path)
                    assert connection.getresponse().status == 200, (address, path)
                    connection.close()
        # If one of the addresses is in use, registryd fails, because some clients could not reach
        # it.
        with socket.socket(socket.AF_INET6) as other:
            other.bind(("::1", 0))
            other.listen()
            address = f"localhost:{other.getsockname()[1]}"
            done = subprocess.run([program, "serve"],
                                  env={**directory.env, "REGISTRY_HTTP_ADDR": address},
                                  capture_output=True, text=True,
                                  timeout=TIMEOUT_S, check=False)
            assert (done.returncode == 1
                    and f"cannot listen on {address}: Address already in use" in done.stderr), done


@case("http.net unix: registryd listens on a socket in the file system")
def _():
    with Directory() as directory:
        path = directory.path / "s"
        with Server(directory, socket_path=path, REGISTRY_HTTP_NET="unix",
                    REGISTRY_HTTP_ADDR=path) as server:
            assert server.request("GET", "/v2/")[0] == 200


def put_blob(server, content):
    connection, name = http.client.HTTPConnection("localhost", server.port,
                                                  timeout=TIMEOUT_S), hashlib.sha256(
                                                      content).hexdigest()
    connection.sock = server.connect()
    connection.request("POST", f"/v2/a/blobs/uploads/?digest=sha256:{name}", content)
    assert connection.getresponse().status == 201
    return f"/v2/a/blobs/sha256:{name}"


@case("blobs of every size are served whole and in ranges without TLS, over TCP and over "
      "a Unix socket")
def _():
    for is_unix in (False, True):
        with Directory() as directory:
            path = directory.path / "socket" if is_unix else None
            address = {"REGISTRY_HTTP_NET": "unix",
                       "REGISTRY_HTTP_ADDR": path} if is_unix else {
                           "REGISTRY_HTTP_ADDR": "127.0.0.1:PORT"}
            with Server(directory, socket_path=path, **address) as server:
                for size in (0, 1, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 200000, 3 << 20):
                    content = os.urandom(size)
                    blob = put_blob(server, content)
                    status, headers, body = server.request("HEAD", blob)
                    assert (status, headers["Content-Length"], body) == (200, str(size), b""), (
                        size, status, headers)
                    assert server.request("GET", blob)[::2] == (200, content), size
                    if size > 20000:
                        status, _headers, body = server.request("GET", blob,
                                                                {"Range": f"bytes=7-{size - 9}"})
                        assert (status, body) == (206, content[7:size - 8]), size
                        status, _headers, body = server.request("GET", blob,
                                                                {"Range": "bytes=0-99,200-299"})
                        assert (status == 206 and content[:100] in body
                                and content[200:300] in body), size


@case("http.debug: health and metrics are on a separate address only")
def _():
    with Directory() as directory:
        port = free_port()
        with Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                    REGISTRY_HTTP_DEBUG_ADDR=f"127.0.0.1:{port}",
                    REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED="true",
                    REGISTRY_HTTP_DEBUG_PROMETHEUS_PATH="/m") as server:
            assert server.request("GET", "/v2/")[0] == 200
            assert server.request("GET", "/m")[0] == 404
            server.port = port
            status, _, body = server.request("GET", "/m")
            assert status == 200 and b"registry_http_requests_total" in body, (status, body)
            assert server.request("GET", "/debug/health")[0] == 200
            assert server.request("GET", "/metrics")[0] == 404


@case("minimumtls tls1.3 rejects a TLS 1.2 client")
def _():
    with Directory() as directory:
        directory.make_certificate()
        with Server(directory, is_tls=True, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                    REGISTRY_HTTP_TLS_CERTIFICATE="cert.crt",
                    REGISTRY_HTTP_TLS_KEY="privkey.key",
                    REGISTRY_HTTP_TLS_MINIMUMTLS="tls1.3") as server:
            assert server.request("GET", "/v2/")[0] == 200
            old = ssl.create_default_context(cafile=str(directory.path / "cert.crt"))
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                old.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                server_hostname="localhost").close()
                raise AssertionError("a TLS 1.2 client was accepted")
            except (ssl.SSLError, ConnectionError):
                pass


def listening(server):
    """Returns the addresses and ports on which the process listens in its network namespace."""
    found = set()
    for file in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{server.pid}/net/{file}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


@case("without http.addr it listens on port 5000: on loopback without TLS, on every "
      "address with TLS")
def _():
    for words, wanted in (("", lambda a: a == "0100007F"), ("tls", lambda a: set(a) == {"0"})):
        with Directory() as directory:
            env = dict(directory.env)
            if words:
                directory.make_certificate()
                env.update(REGISTRY_HTTP_TLS_CERTIFICATE="cert.crt",
                           REGISTRY_HTTP_TLS_KEY="privkey.key")
            script = 'ip link set lo up 2>/dev/null; exec "$0" serve'
            if subprocess.run([need("unshare"), "-n", "true"], capture_output=True).returncode:
                raise Skip("cannot create a network namespace here")
            server = subprocess.Popen(["unshare", "-n", "sh", "-c", script, PROGRAM], env=env,
                                      cwd=directory.path,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE)
            try:
                while b"listening on" not in (line := server.stderr.readline()):
                    assert line, "it ended"
                found = listening(server)
                assert found and all(wanted(address) and port == 5000 for address, port in found), (
                    found)
            finally:
                server.terminate()
                server.wait(timeout=TIMEOUT_S)
                server.stderr.close()


# --- invalid settings --------------------------------------------------------------------------

@case("an invalid value is refused with file, line, key and the allowed values")
def _():
    for text, *words in (
            ("version: 0.1\nhttp:\n  addr: 5000\n", "c.yml:3: http.addr: ", '"5000"', ":5000"),
            ("version: 0.1\nstorage:\n  delete:\n    enabled: 1\n",
             "c.yml:4: storage.delete.enabled: ", "true"),
            ("version: 0.1\nlog: {level: loud}\n", "c.yml:2: log.level: ",
             "error, warn, info, debug"),
            ("version: 0.1\nhttp: {}\nhttp: {}\n", "c.yml:3: ", "twice"),
            ("version: 0.1\n\thttp: {}\n", "c.yml:2: ", "invalid YAML"),
            ("http: {}\n", "c.yml: ", "version: 0.1")):
        with Directory() as directory:
            directory.write("c.yml", text)
            assert_refused(directory.run("serve", "c.yml"), *words)


@case("an invalid value is refused with the variable's name")
def _():
    for name, value, *words in (
            ("REGISTRY_STORAGE_DELETE_ENABLED", "1", '"1"', "true"),
            ("REGISTRY_HTTP_ADDR", "[::1]:5000", "invalid YAML", "quotes"),
            ("REGISTRY_HTTP_HOST", "example.com", "https://"),
            ("REGISTRY_HTTP_TLS_KEY", "/k", "http.tls.certificate")):
        with Directory() as directory:
            assert_refused(directory.run("serve", **{name: value}), f"{name}: ", *words)


@case("unsupported settings that protect something are refused with the reason")
def _():
    for name, value in (("REGISTRY_AUTH", "silly"), ("REGISTRY_STORAGE", "inmemory"),
                        ("REGISTRY_HTTP_TLS_LETSENCRYPT_EMAIL", "a@b.c"),
                        ("REGISTRY_PROXY_REMOTEURL", "https://a"),
                        ("REGISTRY_NOTIFICATIONS_ENDPOINTS", "[{name: a, url: http://b}]"),
                        ("REGISTRY_MIDDLEWARE", "{repository: [{name: a}]}")):
        with Directory() as directory:
            assert_refused(directory.run("serve", **{name: value}), f"{name}: ", "refused: ")


@case("ignored settings are named in a warning at start")
def _():
    with Directory() as directory:
        directory.write("c.yml",
                        "version: 0.1\nhttp: {addr: 127.0.0.1:PORT}\nredis: {addr: a}\nhtpp: {}\n"
                              "health: {file: [{file: /down}]}\n")
        with Server(directory, "c.yml", REGISTRY_PORT="tcp://10.0.0.1:5000") as server:
            log = server.stop()
            for words in ("c.yml:3: redis: ignored", "c.yml:4: htpp: ignored",
                          "c.yml:5: health.file: ignored",
                          "Ignoring REGISTRY_PORT: it is one that Kubernetes sets for a service"):
                lines = [line for line in log.splitlines() if words in line]
                assert len(lines) == 1 and "level=warning" in lines[0], (words, log)


@case("secrets appear neither in the log nor in an error")
def _():
    with Directory() as directory:
        for value in ("[sEcReT]", "*sEcReT", '"sEcReT'):
            assert b"sEcReT" not in directory.run("serve", REGISTRY_HTTP_SECRET=value).err
        with Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT", REGISTRY_HTTP_SECRET="sEcReT",
                    REGISTRY_LOG_LEVEL="debug") as server:
            server.request("POST", "/v2/a/blobs/uploads/", {"Authorization": "Basic c0VjUmVU"})
            log = server.stop()
            assert "sEcReT" not in log and "c0VjUmVU" not in log, log


# --- the log ----------------------------------------------------------------------------------

@case("each request is one line of text that starts with the time")
def _():
    with Directory() as directory, Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                                          REGISTRY_LOG_FIELDS="{service: x}") as server:
        server.request("GET", "/v2/a/tags/list")
        lines = [line for line in server.stop().splitlines() if "/v2/a/tags/list" in line]
        assert len(lines) == 1, lines
        assert re.match(r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z" level=info msg="response '
                        r'completed" service=x ', lines[0])
        assert (" http.request.method=GET " in lines[0]
                and " http.response.status=404" in lines[0]), lines


@case("the logged duration is right for a request that crosses a second boundary")
def _():
    with Directory() as directory, Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                                          REGISTRY_LOG_FORMATTER="json") as server:
        with socket.create_connection(("127.0.0.1", server.port), 20) as client:
            # The end of a second on the clock that measures durations
            time.sleep(1.9 - time.monotonic() % 1)
            client.sendall(
                b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            time.sleep(0.3)
            client.sendall(b"x")
            assert client.recv(4096).startswith(b"HTTP/1.1 202")
        lines = [json.loads(line) for line in server.stop().splitlines() if "uploads" in line]
        assert re.fullmatch(r"[\d.]+m?s", lines[0]["http.response.duration"]), lines


@case("json and logstash: every line is a JSON object for any client input")
def _():
    nasty = (b'GET /v2/a%0a%22\x1b[31m\xff"}{/tags/list HTTP/1.1\r\nHost: a"b\r\n'
             b'User-Agent: x\x1b]0;y\x07"\xff\xe2\x80\xae\r\nConnection: close\r\n\r\n')
    for formatter, time_name, message_name in (("json", "time", "msg"),
                                               ("logstash", "@timestamp", "message")):
        with Directory() as directory, Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                                        REGISTRY_LOG_FORMATTER=formatter) as server:
            server.request("GET", "/v2/")
            server.raw(nasty)
            log = server.stop()
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", log), log
            lines = [json.loads(line) for line in log.splitlines()]
            assert all({time_name, message_name, "level"} <= set(line) for line in lines), log
            assert [line for line in lines if line.get("http.response.status") == 200], log


@case("in text format, too, clients cannot forge a line or send escape sequences to the terminal")
def _():
    with Directory() as directory, Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT") as server:
        server.raw(b"GET /v2/%0Atime=x\x1b[31m HTTP/1.1\r\nHost: a\r\nUser-Agent: a\x1b[2J\" "
                   b"level=error msg=\"forged\r\n"
                   b"Connection: close\r\n\r\n")
        log = server.stop()
        assert "\x1b" not in log and all(line.startswith('time="2') for line in log.splitlines()), (
            log)
        assert 'level=error msg="forged' not in log, log


@case("log.level and log.accesslog.disabled keep requests out of the log")
def _():
    for env in ({"REGISTRY_LOG_LEVEL": "warn"}, {"REGISTRY_LOG_ACCESSLOG_DISABLED": "true"}):
        with Directory() as directory, Server(directory, REGISTRY_HTTP_ADDR="127.0.0.1:PORT",
                                              **env) as server:
            server.request("GET", "/v2/")
            log = server.stop()
            assert "response completed" not in log, log


# --- the process ---------------------------------------------------------------------------------

@case("the server leaves no core dump, and other processes of its user cannot read its memory")
def _():
    if os.geteuid():
        raise Skip("only root can run registryd as another user")
    with Directory() as directory:
        directory.path.chmod(0o777)
        try:
            server = Server(directory, owner=65534, REGISTRY_HTTP_ADDR="127.0.0.1:PORT")
        except PermissionError:
            raise Skip(f"{PROGRAM} is in a directory that other users cannot enter") from None
        with server:
            limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
            assert re.search(r"Max core file size\s+0\s+0\s", limits), limits
            # The process is not dumpable, so the kernel makes root the owner of its files in /proc.
            assert pathlib.Path(f"/proc/{server.process.pid}/mem").stat().st_uid == 0


@case("without standard streams it serves, and does not write its log to a connection")
def _():
    with Directory() as directory:
        port = free_port()
        env = {**directory.env, "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}"}
        server = Server.__new__(Server)
        server.directory, server.port = directory, port
        server.is_tls, server.socket_path = False, None
        server.log_path = pathlib.Path("/dev/null")
        server.process = subprocess.Popen(["sh", "-c", 'exec "$0" serve 0<&- 1>&- 2>&-', PROGRAM],
                                          env=env, cwd=directory.path)
        with server:
            answer = server.raw(b"GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ") and b"level=" not in answer, answer


main()
