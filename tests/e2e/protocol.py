#!/usr/bin/env python3
"""The credential helper protocol: input, output and errors, as a table of rows.

Each row is one run of the helper in a store that contains only the entries of the row's set-up.
A row that fails or only reads must leave the store unchanged.

Under valgrind, where a row takes ten times as long, only every fifth row runs; LOAD=full runs all.

With PROTOCOL_AGAINST=go the rows run against Docker's Go helper (Debian 12's 0.6.4). Rows in
KNOWN_DIFFERENCES must fail there: if one passes, the list is out of date, and the test fails.
"""

import dataclasses
import functools
import json
import os
import re
import shutil
import subprocess
import time
import typing

from harness import (NO_SERVER_URL, NO_USERNAME, NOT_FOUND, Skip, assert_refused, case, go_helper, helper_argv,
                     is_wrapped, main, shared_sandbox)

AGAINST_GO = os.environ.get("PROTOCOL_AGAINST") == "go"
UNREAD = "a pipe that stays open, whose bytes the helper must not read"
MIB = 1 << 20


@dataclasses.dataclass
class Row:
    name: str
    argv: typing.Any                # one word, or several
    stdin: typing.Any = b""         # bytes, or UNREAD
    out: typing.Any = b""           # bytes, or a function that checks the result
    rc: int = 0
    before: typing.Any = None       # called with the sandbox
    env: typing.Any = None
    to: str = ""                    # the file for stdout, if not a pipe


# --- checks -----------------------------------------------------------------

def usage(result):
    first = result.out.split(b"\n")[0]
    assert first == b"Usage: docker-credential-pass <store|get|erase|list|version>", f"usage line: {result}"
    assert result.err == b"", f"usage goes to stdout: {result}"


def version(result):
    assert re.fullmatch(rb"docker-credential-pass \([^()\n]+\) \S+\n", result.out), f"version line: {result}"
    assert result.err == b"", f"stderr must stay empty: {result}"


def refused(*words):
    return lambda result: assert_refused(result, *words)


def anything(_):
    """Accepts any output, for rows whose output is lost on purpose."""


def writes_short_escapes():
    """Returns whether the helper writes \\b and \\f instead of \\u0008 and \\u000c, as Go 1.22 and later do."""
    try:
        with open(go_helper() if AGAINST_GO else os.devnull, "rb") as helper:
            release = re.search(rb"Go buildinf:.{,64}?go1\.(\d+)", helper.read(), re.DOTALL)
    except Skip:  # each case then skips with this reason
        return False
    return bool(release) and int(release[1]) >= 22


# --- set-ups ----------------------------------------------------------------

def stores(*documents):
    def before(user):
        for document in documents:
            done = user.run([*program(), "store"], document)
            assert (done.rc, done.out, done.err) == (0, b"", b""), f"store: {done}"
    return before


@functools.lru_cache
def encrypted(secret):
    return USER.encrypt(secret, *IDS)


def lay(*entries):
    """Returns a set-up that makes the entries (url, user, secret) with gpg and mkdir, without a helper."""
    def before(user):
        for url, name, secret in entries:
            path = user.entry(url, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encrypted(secret))
    return before


def names(*pairs):
    """Returns a set-up with entries that cannot be decrypted, because list must not decrypt."""
    def before(user):
        for url, name in pairs:
            path = user.entry(url, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no message at all")
    return before


def no_store(user):
    shutil.rmtree(user.prefix)


# --- the rows ---------------------------------------------------------------

ROWS = []


def row(*args, **more):
    ROWS.append(Row(*args, **more))


def document(secret='"a"', more="", url='"u"', name='"n"'):
    """Returns a document for store; each field is JSON text, or bytes if it is invalid JSON."""
    parts = ['{"ServerURL":', url, ',"Username":', name, ',"Secret":', secret, more, "}"]
    return b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)


def sized(size):
    """Returns a document of exactly this size in one line, and its secret."""
    secret = "x" * (size - len(document('""')))
    return document(f'"{secret}"'), secret


def answer(secret="a", url="u", name="n"):
    """Returns get's output; the fields are the text between the JSON quotes."""
    parts = ['{"ServerURL":"', url, '","Username":"', name, '","Secret":"', secret, '"}\n']
    return b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)


def usage_of(action):
    def check(result):
        assert result.out.startswith(f"Usage: docker-credential-pass {action}\n\n".encode()), result
        assert result.err == b"", f"usage goes to stdout: {result}"
    return check


ONE = lay(("u", "n", b"a"))
NO_GPG = {"PATH": "without gpg"}   # run_row replaces it by a real PATH

# argv
row("no argument: usage, exit 1", (), b"", usage, 1)
row("two arguments: usage, exit 1", ("get", "u"), b"u", usage, 1, before=ONE)
row("--version with a second argument: usage, exit 1", ("--version", "x"), b"", usage, 1)
row("--help: usage, exit 0", "--help", b"", usage)
row("-h: usage, exit 0", "-h", b"", usage)
for action in ("store", "get", "erase", "list", "version"):
    row(f"{action} --help: the usage of {action}, exit 0", (action, "--help"), b"", usage_of(action))
row("--help of an unknown action: usage, exit 1", ("frobnicate", "--help"), b"", usage, 1)
row("--version: name, package, version", "--version", b"", version)
row("-v: name, package, version", "-v", b"", version)
row("version: name, package, version", "version", b"", version)
row("unknown action: named", "frobnicate", b"", b"docker-credential-pass: unknown action: frobnicate\n", 1)
row("empty action: unknown", "", b"", b"docker-credential-pass: unknown action: \n", 1)
row("actions are lower case", "GET", b"u", b"docker-credential-pass: unknown action: GET\n", 1, before=ONE)

# missing entries
row("list with nothing stored: {}", "list", b"", b"{}\n")
row("list without a store: {}", "list", b"", b"{}\n", before=no_store)
row("list without gpg and nothing stored: {}", "list", b"", b"{}\n", env=NO_GPG)
row("list without a home's store or gpg: {}", "list", b"", b"{}\n", before=no_store, env=NO_GPG)
row("get of a missing entry: not found", "get", b"u", NOT_FOUND, 1)
row("get without a store: not found", "get", b"u", NOT_FOUND, 1, before=no_store)
row("get of another server: not found", "get", b"v", NOT_FOUND, 1, before=ONE)
row("erase of a missing entry: silent, exit 0", "erase", b"u")
row("erase without a store: silent, exit 0", "erase", b"u", before=no_store)
row("get of empty input: no server URL", "get", b"", NO_SERVER_URL, 1, before=ONE)
row("erase of empty input: no server URL", "erase", b"", NO_SERVER_URL, 1, before=ONE)
row("get of white space: no server URL", "get", " \t\r\n\u3000\u0085\x0b\n".encode(), NO_SERVER_URL, 1, before=ONE)
row("erase of white space: no server URL", "erase", " \t\r\n\u00a0\x0c\n".encode(), NO_SERVER_URL, 1, before=ONE)
row("store without a store: refused", "store", document(), refused(".password-store"), 1, before=no_store)

# stdin that must not be read
row("list leaves stdin alone", "list", UNREAD, b'{"u":"n"}\n', before=ONE)
row("version leaves stdin alone", "version", UNREAD, version)

# get and erase: the key
row("get: ServerURL, Username, Secret, in this order", "get", b"u", answer(), before=ONE)
row("get drops a newline after the URL", "get", b"u\n", answer(), before=ONE)
row("get drops a carriage return before the newline", "get", b"u\r\n", answer(), before=ONE)
row("get drops a carriage return before the end of input", "get", b"u\r", answer(), before=ONE)
row("get joins lines without a separator", "get", b"ho\nst\r\n:1\n", answer(url="host:1"),
    before=lay(("host:1", "n", b"a")))
row("get keeps a carriage return within a line", "get", b"u\rv", answer(url="u\\rv"), before=lay(("u\rv", "n", b"a")))
row("get drops only one carriage return before a newline", "get", b"u\r\r\nv", answer(url="u\\rv"),
    before=lay(("u\rv", "n", b"a")))
row("get keeps a carriage return at the start of a line", "get", b"u\n\rv", answer(url="u\\rv"),
    before=lay(("u\rv", "n", b"a")))
row("get ignores empty lines", "get", b"\n\n\r\nu\n\n\r\n", answer(), before=ONE)
row("get: the URL may contain a NUL", "get", b"u\0v", answer(url="u\\u0000v"), before=lay(("u\0v", "n", b"a")))
row("get: a NUL at the end is part of the URL", "get", b"u\0", NOT_FOUND, 1, before=ONE)
row("get: a URL that is not UTF-8 is found by its bytes", "get", b"u\xff", answer(url="u\\ufffd"),
    before=lay((b"u\xff", "n", b"a")))
row("get: an inner space stays", "get", b" u v ", answer(url="u v"), before=lay(("u v", "n", b"a")))
row("get: nothing but white space is normalised", "get", b"HTTPS://Host:443/", NOT_FOUND, 1,
    before=lay(("https://host/", "n", b"a")))
row("erase trims as get does", "erase", "\u00a0u\r\n\u3000\r\n".encode(), before=lay(("u", "n", b"a")))

for blank in "\t\v\f \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200b))) + "\u2028\u2029\u202f\u205f\u3000":
    row(f"get trims U+{ord(blank):04X} on both sides", "get", f"{blank}u{blank}".encode(), answer(), before=ONE)
for solid in "\x1c\x1f\u180e\u200b\ufeff":
    row(f"get does not trim U+{ord(solid):04X}", "get", f"{solid}u".encode(),
        answer(url=f"\\u{ord(solid):04x}u" if solid < " " else f"{solid}u"), before=lay((f"{solid}u", "n", b"a")))
for solid in (b"\x85", b"\xa0", b"\xe3\x80", b"\xc2"):
    row(f"get does not trim the broken bytes {solid.hex()}", "get", b"u" + solid,
        answer(url="u" + "\\ufffd" * len(solid)), before=lay((b"u" + solid, "n", b"a")))

# sizes
for size, name in ((65536, "a line of 65,536 bytes"), (200000, "a line of 200,000 bytes"), (MIB, "1 MiB in one line")):
    row(f"store accepts {name}", "get", b"u", answer(sized(size)[1]), before=stores(sized(size)[0]))
row("store accepts 1 MiB in many lines", "get", b"u", answer(),
    before=stores(document() + b"\n" * (MIB - len(document()))))
row("store refuses 1 MiB and a byte", "store", sized(MIB + 1)[0], refused(), 1)
row("store refuses 8 MiB", "store", sized(8 * MIB)[0], refused(), 1, before=ONE)
row("get accepts 1 MiB", "get", b" " * (MIB - 1) + b"u", answer(), before=ONE)
row("get refuses 1 MiB and a byte", "get", b" " * MIB + b"u", refused(), 1, before=ONE)
row("erase refuses 1 MiB and a byte", "erase", b" " * MIB + b"u", refused(), 1, before=ONE)
row("a secret that grows sixfold as JSON is returned complete", "get", b"u", answer("\\u003c" * 1000000),
    before=stores(document(b'"' + b"<" * 1000000 + b'"')))
row("a secret that grows threefold when it is read is returned complete", "get", b"u", answer("\ufffd" * 1000000),
    before=stores(document(b'"' + b"\xff" * 1000000 + b'"')))

# store: the fields
NO_URL_DOCUMENTS = {
    "null": b"null", "null and garbage": b"nullx", "an empty object": b"{}",
    "no ServerURL": b'{"Username":"n","Secret":"a"}', "an empty ServerURL": document(url='""'),
    "a null ServerURL": document(url="null"), "neither URL nor user": document(url='""', name='""'),
}
for name, text in NO_URL_DOCUMENTS.items():
    row(f"store of {name}: no server URL", "store", text, NO_SERVER_URL, 1)
for name, text in {"no Username": b'{"ServerURL":"u","Secret":"a"}', "an empty Username": document(name='""'),
                   "a null Username": document(name="null")}.items():
    row(f"store of {name}: no username", "store", text, NO_USERNAME, 1)

ESCAPES = {8: "\\u0008", 9: "\\t", 10: "\\n", 12: "\\u000c", 13: "\\r"}
if writes_short_escapes():
    ESCAPES.update({8: "\\b", 12: "\\f"})
STORED = {  # input that store must accept -> the secret that get then returns
    "one document": (document(), "a"),
    "an empty secret": (document('""'), ""),
    "no secret": (b'{"ServerURL":"u","Username":"n"}', ""),
    "a null secret": (document("null"), ""),
    "white space around everything": (b' \t\r\n{ "ServerURL" :\t"u" , "Username":"n" ,\n "Secret": "a" } \n', "a"),
    "a document over several lines": (document().replace(b",", b",\r\n") + b"\n", "a"),
    "a secret broken by a newline": (document('"a\nb"'), "ab"),
    "a secret broken by a carriage return and newline": (document('"a\r\nb"'), "ab"),
    "keys in lower case": (document().lower(), "a"),
    "keys in upper case": (b'{"SERVERURL":"u","USERNAME":"n","SECRET":"a"}', "a"),
    "keys in any order": (b'{"Secret":"a","Username":"n","ServerURL":"u"}', "a"),
    "keys with the long s": ('{"\u017ferverURL":"u","U\u017fername":"n","\u017fecret":"a"}'.encode(), "a"),
    "keys with escapes": (rb'{"\u0053erverURL":"u","User\u006eame":"n","Secre\u0074":"a"}', "a"),
    "unknown keys": (document('"a"', ',"Secrets":"b","Extra":{"Secret":"c"},"":[1,"x",null,true,{}]'), "a"),
    "an unknown key that starts with a known one and has a NUL": (document('"a"', ',"Secret\\u0000x":"b"'), "a"),
    "a duplicate: the last wins": (document('"a"', ',"Secret":"b"'), "b"),
    "a duplicate in another case: the last wins": (document('"a"', ',"sECRET":"b"'), "b"),
    "a duplicate with the long s: the last wins": (document('"a"', ',"\u017fecret":"b"'), "b"),
    "an empty duplicate: the last wins": (document('"a"', ',"Secret":""'), ""),
    "a duplicate URL and user": (document('"a"', ',"serverURL":"u","username":"n"', url='"x"', name='"y"'), "a"),
    "a null after a secret": (document('"a"', ',"Secret":null'), "a"),
    "a null after a secret, in another case": (document('"a"', ',"secret":null'), "a"),
    "a null before a secret": (document("null", ',"Secret":"a"'), "a"),
    "nulls after URL and user": (document('"a"', ',"ServerURL":null,"Username":null'), "a"),
    "garbage after the document": (document() + b"garbage", "a"),
    "a brace after the document": (document() + b"}", "a"),
    "a second document": (document() + document('"b"'), "a"),
    "a NUL after the document": (document() + b"\0", "a"),
    "broken bytes after the document": (document() + b"\xff\xfe", "a"),
    "numbers of every form": (document('"a"', ',"x":[0,-0,1,-12,3.25,1e5,1E+5,1e-5,0.1e1,1e999]'), "a"),
    "a NUL escape": (document('"a\\u0000b"'), "a\\u0000b"),
    "only NUL escapes": (document('"\\u0000\\u0000"'), "\\u0000\\u0000"),
    "every short escape": (document('"a\\"\\\\\\/\\b\\f\\n\\r\\tb"'), f'a\\"\\\\/{ESCAPES[8]}{ESCAPES[12]}\\n\\r\\tb'),
    "every control character": (document('"' + "".join(f"\\u{n:04X}" for n in range(1, 32)) + '."'),
                                "".join(ESCAPES.get(n, f"\\u{n:04x}") for n in range(1, 32))
                                + "."),
    "characters that are special in HTML": (document('"<a href=\'x\'>&amp;</a>"'),
                                   "\\u003ca href='x'\\u003e\\u0026amp;\\u003c/a\\u003e"),
    "the line separators": (document('"a\u2028b\u2029c"'), "a\\u2028b\\u2029c"),
    "text of many scripts": (document('"\x7f\x80é\u0416\u4e2d\ufffe\ufeff\U0001f600\U0010ffff"'),
                             "\x7f\x80é\u0416\u4e2d\ufffe\ufeff\U0001f600\U0010ffff"),
    "escapes of many scripts": (document('"\\u00e9\\u0416\\u4E2d\\uFFFD\\ud83d\\uDE00"'),
                                "é\u0416\u4e2d\ufffd\U0001f600"),
    "a lone high surrogate": (document('"a\\ud800b"'), "a\ufffdb"),
    "a lone low surrogate": (document('"a\\udc00b"'), "a\ufffdb"),
    "a high surrogate before another character": (document('"\\ud800\\u0041"'), "\ufffdA"),
    "surrogates in the wrong order": (document('"\\udc00\\ud800\\udc00"'), "\ufffd\U00010000"),
    "two high surrogates, then a low one": (document('"\\ud800\\ud83d\\ude00"'), "\ufffd\U0001f600"),
    "a high surrogate that ends the string": (document('"a\\ud800"'), "a\ufffd"),
    "an invalid UTF-8 byte": (document(b'"a\xffb"'), "a\ufffdb"),
    "an overlong form": (document(b'"\xc0\x80"'), "\ufffd\ufffd"),
    "a surrogate as UTF-8": (document(b'"\xed\xa0\x80"'), "\ufffd\ufffd\ufffd"),
    "beyond U+10FFFF": (document(b'"\xf4\x90\x80\x80"'), "\ufffd\ufffd\ufffd\ufffd"),
    "a truncated character": (document(b'"\xf0\x9f\x98"'), "\ufffd\ufffd\ufffd"),
    "a character truncated by another": (document(b'"\xe2\x82A"'), "\ufffd\ufffdA"),
    "invalid bytes in an unknown key": (document('"a"', b',"\xff\\ud800":1'), "a"),
    "arrays 500 deep in an unknown key": (document('"a"', ',"x":' + "[" * 500 + "]" * 500), "a"),
    "arrays 9,000 deep in an unknown key": (document('"a"', ',"x":' + "[" * 9000 + "]" * 9000), "a"),
    "objects 9,000 deep in an unknown key": (document('"a"', ',"x":' + '{"y":' * 9000 + "1" + "}" * 9000), "a"),
}
for name, (text, secret) in STORED.items():
    row(f"store accepts {name}", "get", b"u", answer(secret), before=stores(text))

row("store prints nothing", "store", document())
row("store does not trim ServerURL", "get", b"u", NOT_FOUND, 1, before=stores(document(url='" u "')))
row("store and get agree on a URL with a NUL", "get", b"u\0v", answer(url="u\\u0000v"),
    before=stores(document(url='"u\\u0000v"')))
row("a lone surrogate in ServerURL is stored as U+FFFD", "get", "u\ufffd".encode(), answer(url="u\ufffd"),
    before=stores(document(url='"u\\ud800"')))
row("a lone surrogate in Username is stored as U+FFFD", "get", b"u", answer(name="n\ufffd"),
    before=stores(document(name='"n\\ud800"')))

for field in ("ServerURL", "Username", "Secret"):
    for value in ("1", "true", "false", "[]", '["u"]', "{}"):
        fields = {"url": '"u"', "name": '"n"', "secret": '"a"',
                  {"ServerURL": "url", "Username": "name", "Secret": "secret"}[field]: value}
        row(f"store refuses {field}: {value}", "store", document(**fields), refused(), 1)

REFUSED_DOCUMENTS = {
    "nothing": b"", "white space": b" \r\n\t\n", "an array": b"[]", "a document in an array": b"[" + document() + b"]",
    "a number": b"1", "a string": b'"u"', "true": b"true", "a word": b"nul",
    "a number before the same key as a string": document("1", ',"Secret":"a"'),
    "a number after the same key as a string": document('"a"', ',"Secret":1'),
    "a number in another case": document('"a"', ',"secret":1'),
    "a byte-order mark": b"\xef\xbb\xbf" + document(),
    "UTF-16": document().decode().encode("utf-16"),
    "a NUL before the document": b"\0" + document(),
    "a vertical tab before the document": b"\v" + document(),
    "a no-break space before the document": "\u00a0".encode() + document(),
    "a NUL between values": document('"a"', b"\0"),
    "a document truncated in a string": document()[:-3], "a document without its brace": document()[:-1],
    "only a brace": b"{", "only brackets, 2,000 deep": b"[" * 2000, "only brackets, 500,000 deep": b"[" * 500000,
    "objects without end, 100,000 deep": b'{"a":' * 100000,
    "arrays 10,001 deep": document('"a"', ',"x":' + "[" * 10001 + "]" * 10001),
    "arrays 400,000 deep": document('"a"', ',"x":' + "[" * 400000 + "]" * 400000),
    "a raw tab in a string": document('"a\tb"'), "a raw NUL in a string": document('"a\0b"'),
    "a raw carriage return in a string": document('"a\rb"'), "a raw 0x1f in a string": document('"a\x1fb"'),
    "a raw escape in a key": document('"a"', ',"\x1b":1'), "a raw NUL in a key": document('"a"', ',"x\0":1'),
    "an unknown escape": document('"\\x41"'), "a short \\u escape": document('"\\u12"'),
    "a \\u escape with a letter too far": document('"\\u12g4"'), "an escape at the end": document('"a\\'),
    "single quotes": document("'a'"), "a bare word": document("a"), "a key without quotes": b'{ServerURL:"u"}',
    "a trailing comma": document('"a"', ","), "a trailing comma in an array": document('"a"', ',"x":[1,]'),
    "a missing comma": b'{"ServerURL":"u" "Username":"n"}', "a missing colon": b'{"ServerURL" "u"}',
    "a number as a key": b'{1:2}', "a comment": b"/* c */" + document(),
    "01": document('"a"', ',"x":01'), "-01": document('"a"', ',"x":-01'), "1.": document('"a"', ',"x":1.'),
    ".5": document('"a"', ',"x":.5'), "-": document('"a"', ',"x":-'), "+1": document('"a"', ',"x":+1'),
    "1e": document('"a"', ',"x":1e'), "1e+": document('"a"', ',"x":1e+'), "0x1": document('"a"', ',"x":0x1'),
    "NaN": document('"a"', ',"x":NaN'), "Infinity": document('"a"', ',"x":Infinity'),
    "nul": document('"a"', ',"x":nul'),
    "TRUE": document('"a"', ',"x":TRUE'), "a bracket instead of a brace": document('"a"', ',"x":[1}'),
}
for name, text in REFUSED_DOCUMENTS.items():
    row(f"store refuses {name}", "store", text, refused(), 1)

# get of entries that other programs wrote
row("get prints invalid UTF-8 in the entry as \\ufffd", "get", b"u", answer("a\\ufffd\\ufffdb"),
    before=lay(("u", "n", b"a\xff\xc3b")))
row("get prints a U+FFFD in the entry unchanged", "get", b"u", answer("\ufffd"),
    before=lay(("u", "n", "\ufffd".encode())))
row("get escapes a NUL in the entry", "get", b"u", answer("a\\u0000b"), before=lay(("u", "n", b"a\0b")))
row("get escapes the user's name", "get", b"u", answer(name="\\u003ctoken\\u003e"), before=lay(("u", "<token>", b"a")))
row("get escapes the server's URL", "get", b"h?<a>&\"\\\x01\x7f",
    answer(url='h?\\u003ca\\u003e\\u0026\\"\\\\\\u0001\x7f'),
    before=lay((b"h?<a>&\"\\\x01\x7f", "n", b"a")))

# list
row("list names servers and users", "list", b"", b'{"https://index.docker.io/v1/":"me","quay.io":"robot"}\n',
    before=names(("quay.io", "robot"), ("https://index.docker.io/v1/", "me")))
row("list sorts by the bytes of the URL", "list", b"",
    '{"A":"7","B":"2","a":"1","a!":"4","a/b":"3","ab":"5","\u00e9":"6","\uffee":"9","\U0001f600":"8"}\n'.encode(),
    before=names(("a", "1"), ("B", "2"), ("a/b", "3"), ("a!", "4"), ("ab", "5"), ("\u00e9", "6"), ("A", "7"),
                 ("\U0001f600", "8"), ("\uffee", "9")))
row("list sorts a hundred servers", "list", b"",
    json.dumps({f"h{n:03}": "n" for n in range(100)}, separators=(",", ":")).encode() + b"\n",
    before=names(*((f"h{n * 37 % 100:03}", "n") for n in range(100))))
row("list escapes URLs and users", "list", b"",
    b'{"a\\u003cb\\u003e\\u0026\\u0001\\n\\"\\\\":"\\u003ctoken\\u003e","b\\ufffd":"n","c\\u0000":"n"}\n',
    before=names((b'a<b>&\x01\n"\\', "<token>"), (b"b\xff", "n"), ("c\0", "n")))

# stdout that cannot be written
for action, stdin in (("get", b"u"), ("list", b""), ("version", b""), ("--help", b"")):
    row(f"{action} reports an error if stdout is full", action, stdin, anything, 1, before=ONE, to="/dev/full")
row("get of empty input exits 1 if stdout is full", "get", b"", anything, 1, to="/dev/full")


# Differences of the Go helper 0.6.4: row -> reason. Reasons that start with "Go" also apply to current versions.
OLD_ACTIONS = "0.6.4 has no --help and --version, prints only the version, and has another text for an unknown action"
OLD_HELP = "Go has no help for a single action, and prints the usage"
CALLER = "0.6.4 prints the path by which it was called as its name"
EMPTY = "0.6.4 returns empty fields for a missing entry"
NO_ENTRY = "Go forwards pass's error about a missing entry, with a second newline"
LINES = "Go fails at a line of 65,536 bytes (bufio.Scanner)"
LOST = "Go does not check whether its answer was written"
KNOWN_DIFFERENCES = {
    "no argument: usage, exit 1": CALLER,
    "two arguments: usage, exit 1": CALLER,
    "--version with a second argument: usage, exit 1": CALLER,
    "--help: usage, exit 0": OLD_ACTIONS,
    "-h: usage, exit 0": OLD_ACTIONS,
    **{f"{action} --help: the usage of {action}, exit 0": OLD_HELP for action in ("store", "get", "erase", "list", "version")},
    "--help of an unknown action: usage, exit 1": CALLER,
    "--version: name, package, version": OLD_ACTIONS,
    "-v: name, package, version": OLD_ACTIONS,
    "version: name, package, version": OLD_ACTIONS,
    "version leaves stdin alone": OLD_ACTIONS,
    "unknown action: named": OLD_ACTIONS,
    "empty action: unknown": OLD_ACTIONS,
    "actions are lower case": OLD_ACTIONS,
    "get of a missing entry: not found": EMPTY,
    "get without a store: not found": EMPTY,
    "get of another server: not found": EMPTY,
    "get: a NUL at the end is part of the URL": EMPTY,
    "get: nothing but white space is normalised": EMPTY,
    "store does not trim ServerURL": EMPTY,
    "erase of a missing entry: silent, exit 0": NO_ENTRY,
    "erase without a store: silent, exit 0": NO_ENTRY,
    "store without a store: refused": NO_ENTRY,
    "store accepts a line of 65,536 bytes": LINES,
    "store accepts a line of 200,000 bytes": LINES,
    "store accepts 1 MiB in one line": LINES,
    "get accepts 1 MiB": LINES,
    "a secret that grows sixfold as JSON is returned complete": LINES,
    "a secret that grows threefold when it is read is returned complete": LINES,
    "get reports an error if stdout is full": LOST,
    "version reports an error if stdout is full": LOST,
}


# --- the runner -------------------------------------------------------------

def program():
    return [go_helper()] if AGAINST_GO else helper_argv()


def reset(user):
    shutil.rmtree(user.prefix, ignore_errors=True)
    user.make_store(*IDS)


def environment(user, one):
    return {"PATH": user.path_without("gpg", "gpg2")} if one.env is NO_GPG else one.env


def run_unread(user, argv, **more):
    """Runs the helper with bytes in a pipe as stdin; the bytes must still be there afterwards."""
    reader, writer = os.pipe()
    try:
        os.write(writer, b"untouched")
        result = user.run(argv, reader, **more)
        assert os.read(reader, 100) == b"untouched", "stdin was read"
        return result
    finally:
        os.close(reader)
        os.close(writer)


def run(user, one):
    argv = [*program(), *([one.argv] if isinstance(one.argv, str) else one.argv)]
    env = environment(user, one)
    if one.stdin is UNREAD:
        return run_unread(user, argv, env=env)
    with open(one.to or os.devnull, "wb") as sink:
        return user.run(argv, one.stdin, env=env, stdout=sink if one.to else subprocess.PIPE)


def check(one, result):
    assert result.rc == one.rc, f"exit status must be {one.rc}: {result}"
    if callable(one.out):
        return one.out(result)
    assert result.out == one.out, f"expected {one.out!r}, got {result}"
    assert result.err == b"", f"stderr must stay empty: {result}"


def run_row(one):
    reset(USER)
    if one.before:
        one.before(USER)
    before = USER.snapshot()
    result = run(USER, one)
    check(one, result)
    if one.rc or one.argv in ("get", "list"):
        assert USER.snapshot() == before, f"the store has changed: {result}"


def run_known_difference(one):
    try:
        run_row(one)
    except AssertionError:
        return
    raise AssertionError(f"no longer differs, remove it from the list ({KNOWN_DIFFERENCES[one.name]})")


USER = shared_sandbox()
IDS = (USER.make_key(),)

for each in ROWS[::5] if is_wrapped() and os.environ.get("LOAD") != "full" else ROWS:
    if AGAINST_GO and each.name in KNOWN_DIFFERENCES:
        case(f"differs: {each.name}")(functools.partial(run_known_difference, each))
    else:
        case(each.name)(functools.partial(run_row, each))


@case("every row has a unique name, and every known difference names a row")
def _():
    named = [one.name for one in ROWS]
    assert len(named) == len(set(named)), sorted(name for name in named if named.count(name) > 1)
    assert not set(KNOWN_DIFFERENCES) - set(named), set(KNOWN_DIFFERENCES) - set(named)


@case("store reads to the end of its input, also if the input is slow")
def _():
    reset(USER)
    with subprocess.Popen([*program(), "store"], env=USER.env, cwd=USER.dir, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        for piece in (document()[:9], document()[9:-1], document()[-1:], b"\n"):
            running.stdin.write(piece)
            running.stdin.flush()
            time.sleep(0.05)
        assert running.communicate(timeout=60) == (b"", b"") and running.returncode == 0
    assert USER.get("u", argv=program()) == ("n", "a")


@case("erase removes the entry that get returned, and prints nothing")
def _():
    reset(USER)
    ONE(USER)
    USER.erase("u", argv=program())
    assert not USER.server_folder("u").exists()


main()
