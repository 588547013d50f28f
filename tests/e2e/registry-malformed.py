#!/usr/bin/env python3
"""Invalid and ambiguous requests: each is refused once, in the specification's format, and the
connection closes.
"""

import contextlib
import functools
import re

from harness import Skip, case, is_sanitized, main
from malformed_requests import CHUNKED, GOOD, MALFORMED, NO_REQUESTS, SMUGGLED, START
from plain_registry import Server, line, wait_for
from raw_http import Raw, ask, head
from registry import registryd
from registry_client import digest, serve


@functools.cache
def shared():
    """Returns the server that most cases share."""
    import atexit
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(Server(line("me", "secret"), AUTH_HTPASSWD_GUESSES="0",
                                      STORAGE_DELETE_ENABLED="true",
                                      HTTP_HEADERS='{"X-Content-Type-Options": ["nosniff"]}'))


@case("an ambiguous request is 400 in the specification's format, and the bytes after it are not "
      "read as a request")
def _():
    server = shared()
    for what, data in MALFORMED.items():
        with Raw(server.port) as raw:
            answer = raw.send(data + SMUGGLED).read()
            assert (answer.status, answer.code) == (400, "UNSUPPORTED"), (what, answer)
            assert answer.headers["connection"] == "close", (what, answer)
            assert raw.is_closed(), what
    assert server.status("me", "secret") == 200


def check_refusal(raw, what, data, status):
    answer = raw.send(data).read()
    assert ((answer.status, answer.code)
            == (status, "SIZE_INVALID" if status == 413 else "UNSUPPORTED")), (what, answer)
    assert answer.headers["connection"] == "close" and "date" in answer.headers, (what, answer)
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0", (what, answer)
    assert raw.is_closed(), what  # and no second head or other bytes
    return answer


@case("an invalid request is refused once in the same format, with the registry's headers")
def _():
    server = shared()
    for what, (data, status) in NO_REQUESTS.items():
        with Raw(server.port) as raw:
            answer = check_refusal(raw, what, data, status)
            assert answer.headers["x-content-type-options"] == "nosniff", (what, answer)
    assert server.status("me", "secret") == 200


@case("the same over TLS, where the connection ends with close_notify")
def _():
    with serve() as client:
        for what, (data, status) in NO_REQUESTS.items():
            def wrap(plain):
                return client.trust.wrap_socket(plain, server_hostname="localhost",
                                                suppress_ragged_eofs=False)

            with Raw(client.registry.port, wrap=wrap) as raw:
                check_refusal(raw, what, data, status)
        assert client.call("GET", "/v2/").status == 200


@case("an invalid request after valid ones on a connection is refused, and the valid ones are "
      "answered first")
def _():
    for what, (data, status) in NO_REQUESTS.items():
        with Raw(shared().port) as raw:
            raw.send(head("GET", "/v2/", GOOD) * 3 + data)
            assert [raw.read().status for _ in range(3)] == [200] * 3, what
            check_refusal(raw, what, b"", status)


@case("each invalid request is logged with the client's address and the known parts of the request")
def _():
    with Server(line("me", "secret")) as server:
        for data, status, uri in ((head("POST", START, GOOD, b"Content-Length: x\r\n"), 400, START),
                                  (b"GET /v2/\r\n\r\n", 400, None),
                                  (head("PATCH", START, GOOD, CHUNKED) + b"zz\r\n", 400, START),
                                  (head("GET", "/v2/" + "a" * 40000), 414, None)):
            with Raw(server.port) as raw:
                client = 'http.request.remoteaddr="127.0.0.1:%d"' % raw.socket.getsockname()[1]
                assert raw.send(data).read().status == status
            wait_for(lambda: client in server.log(), server.log)
            said = [line for line in server.log().splitlines() if client in line]
            assert len(said) == 1 and f"http.response.status={status}" in said[0], said
            assert (f"http.request.uri={uri} "
                    in said[0]) if uri else "request.uri" not in said[0], said
            assert GOOD.split()[-1].decode() not in said[0], said


@case("invalid UTF-8 and empty requests do no harm")
def _():
    server = shared()
    for junk in (b"\x16\x03\x01\x02\x00" + bytes(100) + b"\r\n\r\n",
                 bytes(range(128, 256)) * 4 + b"\r\n\r\n", b"\r\n" * 500, b""):
        with Raw(server.port) as raw:
            raw.send(junk)
    assert server.status("me", "secret") == 200


@case("a refused upload keeps the bytes that arrived, and can continue")
def _():
    server = shared()
    location = ask(server.port,
                   head("POST", START, GOOD, b"Content-Length: 0\r\n")).headers["location"]
    target = re.sub(r"^http://[^/]*", "", location)
    with Raw(server.port) as raw:
        check_refusal(raw, "a bad chunk",
                      head("PATCH", target, GOOD, CHUNKED) + b"5\r\nhello\r\nzz\r\n", 400)
    answer = ask(server.port, head("GET", target, GOOD))
    assert (answer.status, answer.headers["range"]) == (204, "0-4"), answer


@case("a head of the maximum length is accepted, whatever it contains, and chunk "
      "extensions are ignored")
def _():
    server = shared()
    spare = 12 << 10
    for what, data in {"a target": head("GET", "/v2/?" + "a" * (spare - 400), GOOD),
                       "arguments": head("GET", "/v2/_catalog?" + "a&" * 170, GOOD),
                       "a header": head("GET", "/v2/", GOOD,
                                        b"X: " + b"a" * (spare - 500) + b"\r\n"),
                       "headers": head("GET", "/v2/", GOOD,
                                       *(b"X%d: 1\r\n" % i for i in range(150))),
                       "a cookie": head("GET", "/v2/", GOOD,
                                        b"Cookie: a=" + b"b" * (spare // 2 - 250) + b"\r\n"),
                       "cookies": head("GET", "/v2/", GOOD,
                                       b"Cookie: " + b"; ".join(b"a%d=b" % i for i in range(120))
                                       + b"\r\n"),
                       }.items():
        with Raw(server.port) as raw:
            # The second one uses the memory that the first one left in the connection's pool
            for _ in range(2):
                assert raw.send(data).read().status in (200, 404), what
    content, sent = b"hello" * 100, b""
    for piece in range(0, len(content), 5):
        sent += b"5;a=%d;b=\"c\"\r\n" % piece + content[piece:piece + 5] + b"\r\n"
    answer = ask(server.port,
                 head("POST", START + "?digest=" + digest(content), GOOD, CHUNKED) + sent
                 + b"0;last\r\n\r\n")
    assert answer.status == 201, answer


@case("heads as long as those of single sign-on proxies and containers/storage are accepted")
def _():
    server = shared()
    for what, header in {"a cookie of 9,000 bytes": b"Cookie: " + b"a" * 9000 + b"\r\n",
                         "1,024 ranges": b"Range: bytes="
                         + b",".join(b"%d-%d" % (i * 1000000, i * 1000000 + 9) for i in range(1024))
                         + b"\r\n",
                         "a header of 20,000 bytes": b"X: " + b"a" * 20000 + b"\r\n"}.items():
        answer = ask(server.port, head("GET", "/v2/", GOOD, header))
        assert answer.status == 200, (what, answer)


@case("the memory of a refused request is freed")
def _():
    if is_sanitized(registryd()):
        raise Skip("sanitizers keep freed memory")
    with Server(line("me", "secret")) as server:
        data, sizes = head("GET", "/v2/" + "a" * 8000, b"no colon\r\n"), []
        for _ in range(3):
            for _ in range(500):
                assert ask(server.port, data).status == 400
            sizes.append(server.rss_kib())
        assert sizes[-1] < sizes[0] + 2048, sizes


main()
