#!/usr/bin/env python3
"""A scdaemon for gpg-agent (scdaemon-program) with a card; another user's agent holds the card's secret key.

    tests/e2e/fake_scdaemon.py DIRECTORY

DIRECTORY contains: serial; grip; agent (the path of that agent's socket); pin; and log, to which each command is appended.
A file named missing means that there is no card (or, if it has a number, that error), a file named blocked that its PIN is blocked. As the real one, it also listens on
a socket: gpg-agent has one pipe to it, and a second connection that needs the card at the same time goes through the socket.
"""

import os
import pathlib
import socket
import sys
import threading

if sys.argv[1:] in (["--help"], ["-h"]):
    print(__doc__.strip())
    sys.exit()

SCD = 6 << 24
CARD_NOT_PRESENT, BAD_PIN, PIN_BLOCKED = SCD | 112, SCD | 87, SCD | 130
HERE = pathlib.Path(sys.argv[1])


PEER = threading.local()  # .input and .out of this thread's connection
SOCKET = HERE / f"scd.{os.getpid()}"


def say(line):
    PEER.out.write(line + b"\n")
    PEER.out.flush()


def hear():
    return PEER.input.readline().rstrip(b"\n")


def log(line):
    with open(HERE / "log", "ab") as out:
        out.write(line + b"\n")


def unescape(text):
    out, at = b"", 0
    while at < len(text):
        out += bytes([int(text[at + 1:at + 3], 16)]) if text[at:at + 1] == b"%" else text[at:at + 1]
        at += 3 if text[at:at + 1] == b"%" else 1
    return out


def escape(data):
    return data.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def ask_pin():
    """Returns the PIN from the agent's pinentry, or None."""
    say(b"INQUIRE NEEDPIN ||Please enter the PIN")
    pin = b""
    while True:
        line = hear()
        if line.startswith(b"D "):
            pin += unescape(line[2:])
        elif line == b"END":
            return pin.rstrip(b"\0").decode()
        else:
            return None


def decrypt(point):
    """Returns the shared point, computed by the agent that has the secret key."""
    with socket.socket(socket.AF_UNIX) as other:
        other.connect((HERE / "agent").read_text())
        with other.makefile("rwb") as lines:
            lines.readline()
            expression = b"(7:enc-val(4:ecdh(1:e%d:%s)))" % (len(point), point)
            value = b""
            for command in (b"SETKEY " + (HERE / "grip").read_bytes(), b"PKDECRYPT"):
                lines.write(command + b"\n")
                lines.flush()
                while not (line := lines.readline()).startswith((b"OK", b"ERR")):
                    if line.startswith(b"INQUIRE CIPHERTEXT"):
                        lines.write(b"D " + escape(expression) + b"\nEND\n")
                        lines.flush()
                    elif line.startswith(b"D "):
                        value += unescape(line[2:-1])
    size, _, rest = value[len(b"(5:value"):].partition(b":")
    return rest[:int(size)]


def answer(line, state):
    word = line.split(b" ")[0]
    serial = (HERE / "serial").read_bytes()
    if (HERE / "missing").exists() and word in (b"SERIALNO", b"LEARN", b"PKDECRYPT", b"SETDATA", b"READKEY"):
        return SCD | int((HERE / "missing").read_text() or CARD_NOT_PRESENT)
    if word == b"SERIALNO":
        if b"--demand=" in line and not line.endswith(serial):
            return CARD_NOT_PRESENT
        say(b"S SERIALNO " + serial)
    elif word == b"SETDATA":
        more = line.split(b" ")[1:]
        state["data"] = state["data"] + more[1] if more[0] == b"--append" else more[0]
    elif word == b"PKDECRYPT":
        if (HERE / "blocked").exists():
            return PIN_BLOCKED
        if ask_pin() != (HERE / "pin").read_text():
            return BAD_PIN
        say(b"S PADDING 0")
        say(b"D " + escape(decrypt(bytes.fromhex(state["data"].decode()))))
    elif word == b"GETINFO" and b"version" in line:
        say(b"D 2.2.40")
    elif word == b"GETINFO" and b"socket_name" in line:
        say(b"D " + os.fsencode(SOCKET))
    return 0


def serve(stream, out):
    PEER.input, PEER.out = stream, out
    state = {"data": b""}
    say(b"OK GNU Privacy Guard's Smartcard server ready")
    while line := PEER.input.readline():
        line = line.rstrip(b"\n")
        log(line)
        if line == b"BYE":
            say(b"OK closing connection")
            return
        code = answer(line, state)
        say(b"ERR %d refused" % code if code else b"OK")


def serve_connection(connection):
    with connection, connection.makefile("rb") as stream, connection.makefile("wb") as out:
        serve(stream, out)


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_connection, args=(connection,), daemon=True).start()


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fsencode(SOCKET))
    listener.listen()
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    finally:
        SOCKET.unlink(missing_ok=True)


main()
