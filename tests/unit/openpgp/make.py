#!/usr/bin/env python3
"""Recreates the files in this directory: output of gpg and gpg-agent for one keyring, the unit tests' known answers.

    keyring.kbx       the keys' pubring.kbx
    <key>.message     "known plaintext of <key>" encrypted to it, as pass has gpg do it
    <key>.value       what gpg-agent answers to PKDECRYPT for it, without the S-expression around it
    <key>.keygrip     its keygrip as gpg shows it
    <key>.description what gpg has a prompt say of it, as it goes to SETKEYDESC
"""

import pathlib
import re
import socket
import sys

if sys.argv[1:]:
    print(f"usage: tests/unit/openpgp/make.py\n\n{__doc__.strip()}")
    sys.exit(sys.argv[1:] not in (["--help"], ["-h"]))

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "e2e"))

from harness import Sandbox  # noqa: E402
import openpgp  # noqa: E402

KEYS = ["cv25519", "nistp256", "nistp384", "nistp521", "rsa2048"]


def percent(data):
    return re.sub(rb"[%\r\n]", lambda m: b"%%%02X" % m[0][0], data)


def expression(session):
    """What PKDECRYPT takes, of a session key's packet."""
    def number(at):
        size = (int.from_bytes(session[at:at + 2], "big") + 7) // 8
        return session[at + 2:at + 2 + size], at + 2 + size

    def pair(name, value):
        return b"(1:%s%d:%s)" % (name, len(value), value)

    first, at = number(10)
    padded = (b"\0" if first[0] & 0x80 else b"") + first
    if session[9] == 1:
        return b"(7:enc-val(3:rsa%s))" % pair(b"a", padded)
    return b"(7:enc-val(4:ecdh%s%s))" % (pair(b"s", session[at:]), pair(b"e", padded))


def ask_agent(user, keygrip, session):
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(10)
        agent.connect(str(user.gnupg / "S.gpg-agent"))
        lines = agent.makefile("rwb")
        lines.write(b"SETKEY %s\nPKDECRYPT\n" % keygrip.encode())
        lines.flush()
        value = b""
        for line in lines:
            if line.startswith(b"INQUIRE"):
                for at in range(0, len(expression(session)), 300):
                    lines.write(b"D " + percent(expression(session)[at:at + 300]) + b"\n")
                lines.write(b"END\n")
                lines.flush()
            assert not line.startswith(b"ERR"), line
            if line.startswith(b"D "):
                value += re.sub(rb"%(..)", lambda m: bytes.fromhex(m[1].decode()), line[2:-1])
                done = re.fullmatch(rb"\(5:value(\d+):(.*)\)\0?", value, re.DOTALL)
                if done:
                    return done[2]
        raise AssertionError(value)


def description(user, key, message):
    """From gpg itself, by strace."""
    log = user.dir / "strace"
    user.run(["strace", "-f", "-s", "2000", "-e", "trace=write", "-o", log, "gpg", "--batch", "-qd", message], check=True)
    text = re.search(r'"SETKEYDESC (.*)"', log.read_text())[1]
    text = text.replace('\\"', '"').encode()
    return re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), text)


def make(user, name):
    key = user.make_key(f"Test {name} (100% +\"ü\") <{name}@example.com>", name)
    message = HERE / f"{name}.message"
    message.write_bytes(user.encrypt(f"known plaintext of {name}".encode(), key))
    listed = user.run(["gpg", "--with-colons", "--with-keygrip", "-k", key], check=True).out.decode()
    keygrip = re.findall(r"^grp:+([0-9A-F]{40}):", listed, re.MULTILINE)[-1]
    (HERE / f"{name}.keygrip").write_text(keygrip)
    (HERE / f"{name}.value").write_bytes(ask_agent(user, keygrip, openpgp.parse(message.read_bytes())[0].body))
    (HERE / f"{name}.description").write_bytes(description(user, key, message))


with Sandbox() as user:
    for name in KEYS:
        make(user, name)
    (HERE / "keyring.kbx").write_bytes((user.gnupg / "pubring.kbx").read_bytes())
