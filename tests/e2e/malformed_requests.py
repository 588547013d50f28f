"""Invalid requests, and requests that two parsers could read differently: {description: bytes}."""

from raw_http import HOST, basic, head

GOOD = basic("me", "secret")
START = "/v2/a/blobs/uploads/"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = head("DELETE", "/v2/a/manifests/t", GOOD)

# The answer is 400 with the specification's JSON. The connection closes, so the following bytes are
# not a request.
MALFORMED = {
    "two lengths": head("POST", START, GOOD, b"Content-Length: 0\r\n",
                        b"Content-Length: %d\r\n" % len(SMUGGLED)),
    "the same length twice": head("POST", START, GOOD, b"Content-Length: 0\r\n",
                                  b"Content-Length: 0\r\n"),
    "a length and chunks": head("POST", START, GOOD, b"Content-Length: 4\r\n", CHUNKED)
    + b"0\r\n\r\n",
    "chunks and a length": head("POST", START, GOOD, CHUNKED, b"Content-Length: 4\r\n")
    + b"0\r\n\r\n",
    "chunked twice": head("POST", START, GOOD, CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "gzip": head("POST", START, GOOD, b"Transfer-Encoding: gzip\r\n"),
    "gzip and chunked": head("POST", START, GOOD, b"Transfer-Encoding: gzip, chunked\r\n")
    + b"0\r\n\r\n",
    "chunked with a tab": head("POST", START, GOOD, b"Transfer-Encoding: \x0bchunked\r\n")
    + b"0\r\n\r\n",
    "chunks in HTTP/1.0": head("POST", START, GOOD, CHUNKED, version="HTTP/1.0") + b"0\r\n\r\n",
    "a space before the colon of a length": head("POST", START, GOOD,
                                                 b"Content-Length : %d\r\n" % len(SMUGGLED)),
    "a space before the colon of chunks": head("POST", START, GOOD,
                                               b"Transfer-Encoding : chunked\r\n"),
    "a line end within a header": head("GET", "/v2/", GOOD, b"X: a\rContent-Length: 5\r\n"),
    "a control character in a header": head("GET", "/v2/", GOOD, b"X: a\x1b[2J\r\n"),
    "an invalid header name": head("GET", "/v2/", GOOD, b"X(y): 1\r\n"),
    "a first header that is a continuation line": b"GET /v2/ HTTP/1.1\r\n X: 1\r\n" + HOST + GOOD
    + b"\r\n",
    "a length in a folded line": head("POST", START, GOOD,
                                      b"Content-Length:\r\n %d\r\n" % len(SMUGGLED)),
    "chunks in a folded line": head("POST", START, GOOD, b"Transfer-Encoding:\r\n chunked\r\n")
    + b"0\r\n\r\n",
    "a line end without CR": head("GET", "/v2/", GOOD, b"X: a\n"),
    "a head without any CR": b"GET /v2/ HTTP/1.1\nHost: localhost\n" + GOOD.replace(b"\r\n", b"\n")
    + b"\n",
    "a NUL in a header": head("GET", "/v2/", GOOD, b"X: a\0b\r\n"),
    "a tab in the target": head("GET", "/v2/\t/a", GOOD),
    "a space after the version": b"GET /v2/ HTTP/1.1 \r\n" + HOST + GOOD + b"\r\n",
    "an empty name": head("GET", "/v2/", GOOD, b": 1\r\n"),
    "no Host": b"GET /v2/ HTTP/1.1\r\n" + GOOD + b"\r\n",
    "two Hosts": head("GET", "/v2/", GOOD, b"Host: elsewhere\r\n"),
    "lines that end in LF": head("GET", "/v2/", GOOD).replace(b"\r\n", b"\n"),
    "a header line that ends in LF": head("GET", "/v2/", GOOD, b"X: 1\nContent-Length: 5\r\n"),
    "an empty line of LF": head("GET", "/v2/", GOOD)[:-2] + b"\n",
    "a chunk size that ends in LF": head("POST", START, GOOD, CHUNKED) + b"5\nhello\r\n0\r\n\r\n",
    "an extension that ends in LF": head("POST", START, GOOD, CHUNKED) + b"2;\nxx\r\n0\r\n\r\n",
    "a chunk that ends in LF": head("POST", START, GOOD, CHUNKED) + b"5\r\nhello\n0\r\n\r\n",
    "a trailer that ends in LF": head("POST", START, GOOD, CHUNKED) + b"0\r\nX: 1\n\r\n",
    "a NUL in the target": head("GET", b"/v2/\0a/tags/list", GOOD),
    "a space in the target": head("GET", "/v2/ /a", GOOD),
}

# Invalid HTTP requests with the expected status.
NO_REQUESTS = {
    "a negative length": (head("POST", START, GOOD, b"Content-Length: -1\r\n"), 400),
    "a length with a sign": (head("POST", START, GOOD, b"Content-Length: +1\r\n"), 400),
    "a length with a letter": (head("POST", START, GOOD, b"Content-Length: 1x\r\n"), 400),
    "an empty length": (head("POST", START, GOOD, b"Content-Length: \r\n"), 400),
    "a list of lengths": (head("POST", START, GOOD, b"Content-Length: 1, 1\r\n"), 400),
    "a length of 2^63": (head("POST", START, GOOD, b"Content-Length: 9223372036854775808\r\n"),
                         413),
    "a length of 24 digits": (head("POST", START, GOOD, b"Content-Length: " + b"9" * 24 + b"\r\n"),
                              413),
    "a header of 40,000 bytes": (head("GET", "/v2/", GOOD, b"X: " + b"a" * 40000 + b"\r\n"), 431),
    "3,000 headers": (head("GET", "/v2/", GOOD, *(b"X%d: 1\r\n" % i for i in range(3000))), 431),
    "a target of 40,000 bytes": (head("GET", "/v2/" + "a" * 40000, GOOD), 414),
    "a chunk with an invalid size": (head("POST", START, GOOD, CHUNKED) + b"zz\r\n\r\n", 400),
    **{f"a chunk whose size is {size!r}": (head("POST", START, GOOD, CHUNKED) + size
                                           + b"\r\nhello\r\n0\r\n\r\n", 400)
       for size in (b"+5", b"-5", b"0x5", b" 5", b"5 ", b"5g", b"", b"5\r")},
    "a chunk longer than its size": (head("POST", START, GOOD, CHUNKED) + b"5\r\nhelloXX0\r\n\r\n",
                                     400),
    "a chunk of 2^72 bytes": (head("POST", START, GOOD, CHUNKED) + b"f" * 18 + b"\r\n\r\n", 413),
    "a chunk's size without CR": (head("POST", START, GOOD, CHUNKED) + b"5\nhello\r\n0\r\n\r\n",
                                  400),
    "a chunk's end without CR": (head("POST", START, GOOD, CHUNKED) + b"5\r\nhello\n0\r\n\r\n",
                                 400),
    "an extension without CR": (head("POST", START, GOOD, CHUNKED) + b"5;a\nhello\r\n0\r\n\r\n",
                                400),
    "no version": (b"GET /v2/\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "no colon": (head("GET", "/v2/", GOOD, b"X\r\n"), 400),
    "a cookie of 9,000 bytes and an invalid length": (
        head("POST", START, GOOD, b"Content-Length: x\r\nCookie: " + b"a" * 9000 + b"\r\n"), 400),
    "an unread extension of 2,000 bytes": (head("POST", START, GOOD, CHUNKED) + b"5;" + b"x" * 2000
                                           + b"\r\n", 431),
    "trailers of 10,000 bytes": (head("POST", START, GOOD, CHUNKED) + b"0\r\nX: " + b"x" * 10000
                                 + b"\r\n\r\n", 431),
}
