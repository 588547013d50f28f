#!/usr/bin/env python3
"""The fast path, without gpg, decrypts to the same plaintext as gpg, or leaves the message to gpg.

decrypt-fast (DECRYPT_FAST in the environment; its source is next to this file) uses only the fast path. The messages are
made by gpg, reassembled in other ways, and damaged. Every plaintext must be the one that gpg returns, and common kinds of
messages must be decrypted. LOAD=full compares thousands of messages with gpg, and takes minutes. SAVE_MESSAGES=DIRECTORY
keeps the small ones for tests/fuzz/corpus/message.
"""

import functools
import hashlib
import json
import os
import pathlib
import random
import shlex
import statistics
import sys

from caller import for_all_users
from harness import ROOT, Sandbox, Skip, assert_refused, case, helper_path, main, shared_sandbox
import openpgp
from fake_agent import FakeAgent, FakeKeyboxd

FULL = os.environ.get("LOAD") == "full"
ALGORITHMS = ["cv25519", "nistp256", "nistp384", "nistp521", "rsa2048"] + (["rsa3072", "rsa4096"] if FULL else [])
PASS = ["--compress-algo=none"]  # pass's options for gpg
SIZES = [0, 1, 15, 16, 17, 100, 191, 192, 193, 500, 511, 512, 513, 1023, 1024, 8182, 8192, 8193, 8383, 8384, 65535, 65536,
         65537, 300_000, 1 << 20]

PROGRAM = pathlib.Path(for_all_users(os.environ.get("DECRYPT_FAST") or ROOT / "build/tests/decrypt-fast"))
if os.environ.get("HAS_FAST_PATH") == "0" or not PROGRAM.exists():
    print("1..0 # SKIP the fast path is not built")
    sys.exit()

random.seed(5)
USER = shared_sandbox()
USER.env.pop("DOCKER_CREDENTIAL_PASS_FAST", None)
KEYS = {}


def key_of(algorithm):
    """Returns a recipient with this kind of encryption key; creates it at the first call."""
    if algorithm not in KEYS:
        KEYS[algorithm] = USER.make_key(f"Test {algorithm} <{algorithm}@example.com>", algorithm)
    return KEYS[algorithm]


class Tool:
    """Runs the fast path on many files."""

    def __init__(self, user=USER):
        self.user, self.path, self.number = user, PROGRAM, 0
        self.spans_us = {"answered": [], "declined": [], "failed": []}

    def __call__(self, messages, *args, **more):
        """Returns a list of (outcome, detail) for a list of messages."""
        paths = []
        for message in messages:
            self.number += 1
            path = self.user.dir / f"message-{self.number}"
            path.write_bytes(message)
            paths.append(path)
            if "SAVE_MESSAGES" in os.environ and len(message) < 4096:
                (pathlib.Path(os.environ["SAVE_MESSAGES"]) / f"{self.number}").write_bytes(message)
        stdin = "".join(f"{path}\n" for path in paths).encode()
        lines = self.user.run([self.path, *args], stdin, check=True, **more).out.decode().splitlines()
        assert len(lines) == len(messages), lines
        for path in paths:
            path.unlink()
        results = []
        for line in lines:
            rest, _, span = line.rpartition(" ")
            outcome, _, what = rest.partition(" ")
            assert outcome in self.spans_us, line
            self.spans_us[outcome].append(int(span))
            results.append((outcome, what))
        return results


TOOL = Tool()


def gpg(message, *options):
    """Returns gpg's plaintext, None if gpg fails."""
    path = USER.dir / "message"
    path.write_bytes(message)
    result = USER.run(["gpg", "--batch", "-qd", *options, path])
    return result.out if result.rc == 0 else None


def encrypt(secret, *algorithms, options=PASS, as_file=False):
    """Encrypts with gpg, from a pipe or from a file, whose size gpg knows."""
    recipients = [word for algorithm in algorithms for word in ("-r", key_of(algorithm))]
    argv = ["gpg", "--batch", "-q", *options, *recipients]
    if not as_file:
        return USER.run([*argv, "-e"], secret, check=True).out
    plain = USER.dir / "plain"
    plain.write_bytes(secret)
    return USER.run([*argv, "-o", "-", "-e", plain], check=True).out


@functools.cache
def old_ciphers():
    """Returns the options for 3DES and other old ciphers, which gpg 2.4 refuses by default."""
    options = USER.run(["gpg", "--dump-options"], check=True).out.decode().split()
    return ["--allow-old-cipher-algos"] if "--allow-old-cipher-algos" in options else []


def described(secret):
    return f"{len(secret)} {hashlib.sha256(secret).hexdigest()}"


def assert_answered(messages, compare=FULL):
    """messages: (name, bytes, plaintext). The fast path and gpg must both return each plaintext."""
    for (name, message, secret), (outcome, what) in zip(messages, TOOL([m for _, m, _ in messages])):
        assert (outcome, what) == ("answered", described(secret)), f"{name}: {outcome} {what}"
        assert not compare or gpg(message) == secret, f"{name}: gpg returns another plaintext"


def assert_declined(messages, *args, **more):
    for (name, _), (outcome, what) in zip(messages, TOOL([m for _, m in messages], *args, **more)):
        assert outcome == "declined", f"{name}: {outcome} {what}"


def assert_right_or_declined(messages):
    """messages: (name, bytes). Returns how many the fast path decrypted."""
    count = 0
    for (name, message), (outcome, what) in zip(messages, TOOL([m for _, m in messages])):
        if outcome == "declined":
            continue
        assert outcome == "answered", f"{name}: {outcome} {what}"
        said = gpg(message)
        assert said is not None and what == described(said), f"{name}: the fast path returned {what}, and gpg {said!r:.60}"
        count += 1
    return count


# --- supported messages -----------------------------------------------------------------------

@case("every kind of key is supported, with the same plaintext as gpg's")
def _():
    messages = []
    for algorithm in ALGORITHMS:
        for cipher in ("AES", "AES192", "AES256"):
            secret = random.randbytes(random.randrange(60))
            messages.append((f"{algorithm} {cipher}", encrypt(secret, algorithm, options=[*PASS, "--cipher-algo", cipher]),
                             secret))
    assert_answered(messages, compare=True)


@case("every size up to 1 MiB, from a pipe and from a file, with a file name in the message")
def _():
    messages = []
    for size in SIZES + (random.sample(range(1, 70_000), 300) if FULL else []):
        for as_file in (False, True):
            secret = random.randbytes(size)
            messages.append((f"{size} bytes, file: {as_file}", encrypt(secret, "cv25519", as_file=as_file), secret))
    assert_answered(messages)


@case("several recipients, in every order, also ones without a secret key here")
def _():
    with Sandbox() as other:
        stranger = other.make_key("Stranger <stranger@example.com>")
        USER.import_key(other.export_key(stranger))
    KEYS["stranger"] = stranger
    messages = []
    for algorithms in (["stranger", "cv25519"], ["rsa2048", "stranger"], ["cv25519", "rsa2048", "nistp256"],
                       ["rsa2048", "cv25519"], ["stranger", "nistp521", "rsa2048"]):
        secret = random.randbytes(40)
        messages.append((algorithms, encrypt(secret, *algorithms), secret))
    assert_answered(messages, compare=True)
    assert_declined([("a stranger alone", encrypt(b"secret", "stranger"))])


@case("gpg options that do not matter for decryption: rfc4880, no version, another name")
def _():
    messages = []
    for options in (["--rfc4880"], ["--openpgp"], ["--set-filename", "secret.txt"], ["--no-emit-version"], ["--force-mdc"],
                    ["--s2k-mode", "1"], ["--personal-cipher-preferences", "AES192"]):
        secret = random.randbytes(30)
        # gpg --rfc4880 prefers 3DES, which the fast path does not support.
        messages.append((options, encrypt(secret, "cv25519", options=[*PASS, "--cipher-algo", "AES256", *options]), secret))
    assert_answered(messages, compare=True)


def framings(message):
    """Yields the same message in all packet framings of RFC 4880."""
    key, sealed = openpgp.parse(message)
    keys = [openpgp.old_format(key, 2), openpgp.old_format(key, 4), openpgp.new_format(key), openpgp.new_format(key, True)]
    frames = [openpgp.new_format(sealed), openpgp.new_format(sealed, True)]
    size = len(sealed.body)
    frames += [openpgp.in_pieces(sealed, *powers) for powers in ((9,), (10,), (9, 9), (9, 1, 2, 3), (11, 9), (9, 0, 0, 0, 0))
               if sum(1 << power for power in powers) <= size]
    frames += [openpgp.in_pieces(sealed, *[9] * (size // 512))] if size >= 512 else []
    return [(f"frame {number}", key + frame) for number, (key, frame) in
            enumerate((key, frame) for key in keys for frame in frames)]


@case("old and new packet formats, every size of a length field, partial bodies")
def _():
    answered = 0
    for size in (20, 600, 3000):
        secret = random.randbytes(size)
        messages = framings(encrypt(secret, "cv25519"))
        assert_answered([(f"{size}: {name}", message, secret) for name, message in messages], compare=True)
        answered += len(messages)
    assert answered > 40


def session_key(message):
    """Returns the session key of the message, from gpg."""
    path = USER.dir / "message"
    path.write_bytes(message)
    said = USER.run(["gpg", "--batch", "--show-session-key", "-d", path], check=True).err.decode()
    cipher, key = next(line.split("'")[1] for line in said.splitlines() if "session key:" in line).split(":")
    return f"{cipher.partition('.')[0]}:{key}"  # gpg 2.4 writes "9.2:KEY" if the message is in OCB mode


def ocb_message(content, algorithm="cv25519", cipher="AES256", **more):
    """Returns a message with packet 20 and a session key from gpg."""
    message = encrypt(b"", algorithm, options=[*PASS, "--cipher-algo", cipher])
    key = openpgp.parse(message)[0]
    return openpgp.old_format(key) + openpgp.new_format(openpgp.seal_ocb(content, session_key(message), **more))


@case("packet 20 (OCB), which gpg 2.2 reads but does not write: one chunk, many, none")
def _():
    messages = []
    for size in (0, 1, 5, 50, 63, 64, 100, 190, 255, 1000, 5000):
        for cipher, power in (("AES256", 0), ("AES", 10), ("AES192", 1)):
            secret = random.randbytes(size)
            content = openpgp.new_format(openpgp.literal(secret))
            messages.append((f"{size} {cipher} {power}", ocb_message(content, cipher=cipher, chunk_power=power), secret))
    assert_answered(messages, compare=True)


@case("an OCB entry with a bit flipped: nothing of it is answered, by the fast path or by gpg alone")
def _():
    USER.make_store(key_of("cv25519"))
    USER.store("https://example.com", "me", "old")
    entry = USER.entry("https://example.com", "me")
    for size in (20, 7000, 70_000):  # gpg hands out the first 64 KiB before it comes to the tag
        sound = ocb_message(openpgp.new_format(openpgp.literal(b"s" * size)), chunk_power=16)
        head = len(openpgp.old_format(openpgp.parse(sound)[0])) + 25  # the key's packet, and the fields before the data
        for place in (-1, -17, -33, head, head + 8, (head + len(sound)) // 2):
            damaged = bytearray(sound)
            damaged[place] ^= 1
            entry.write_bytes(damaged)
            for fast in (None, "0"):
                result = USER.helper("get", stdin=b"https://example.com", env={"DOCKER_CREDENTIAL_PASS_FAST": fast})
                assert_refused(result, entry.name)
                assert b"ssss" not in result.out + result.err, (size, place, fast, result)
        entry.write_bytes(sound)
        assert USER.get("https://example.com") == ("me", "s" * size)


# --- messages left to gpg -----------------------------------------------------------------------

@case("compressed, signed, armoured, hidden recipient, passphrase, other ciphers, text: decrypted correctly or left to gpg")
def _():
    messages = []
    for options in ([], ["--compress-algo=zip"], ["--compress-algo=bzip2"], ["-a", *PASS], ["--throw-keyids", *PASS],
                    ["--textmode", *PASS], ["--for-your-eyes-only", *PASS], ["--cipher-algo", "3DES", *old_ciphers(), *PASS],
                    ["--cipher-algo", "CAMELLIA256", *PASS], ["--cipher-algo", "TWOFISH", *PASS], ["--rfc4880"],
                    ["--hidden-recipient", key_of("rsa2048"), *PASS], ["--rfc2440", *PASS], ["-s", *PASS],
                    ["-c", "--pinentry-mode=loopback", "--passphrase", "x", *PASS]):
        for size in (0, 5, 3000) if FULL else (5,):
            secret = b"text \r\n" * size
            messages.append((f"{options} {size}", encrypt(secret, "cv25519", options=options)))
    assert_right_or_declined(messages)
    assert_declined([m for m in messages if "textmode" in m[0] or "throw" in m[0] or "'-a'" in m[0] or "zip" in m[0]])


@case("additional, missing, duplicate or reordered packets: decrypted correctly or left to gpg")
def _():
    message = encrypt(b"secret", "cv25519")
    key, sealed = message[:-len(openpgp.new_format(openpgp.parse(message)[1]))], openpgp.new_format(openpgp.parse(message)[1])
    marker, odd = b"\xCA\x03PGP", b"\xFC\x01x"
    messages = [key, sealed, sealed + key, key + key + sealed, key + sealed + sealed, marker + message, message + marker,
                key + marker + sealed, message + message, odd + message, message + odd, message + b"\0", message + b"\n",
                b"", b"\n" + message, key * 40 + sealed, b"-----BEGIN PGP MESSAGE-----\n"]
    assert_right_or_declined([(number, m) for number, m in enumerate(messages)])
    session, body = session_key(message), openpgp.new_format(openpgp.literal(b"secret"))
    contents = [body + body, b"", body[:-1], body + b"\0", b"\xCA\x03PGP" + body, openpgp.old_format(openpgp.literal(b"x")),
                openpgp.new_format(openpgp.literal(b"a\r\nb", b"t")), openpgp.new_format(openpgp.literal(b"x", b"u")),
                openpgp.new_format(openpgp.literal(b"x", name=b"_CONSOLE")), openpgp.new_format(openpgp.literal(b"x" * 99, name=b"n")),
                openpgp.in_pieces(openpgp.literal(b"y" * 2000), 9, 3), openpgp.in_pieces(openpgp.literal(b"y" * 2000), 3, 3),
                b"\xCB\x05b\0\0\0\0", b"\xCB\x06b\x09\0\0\0\0", b"\xCB\x00", b"\xAF" + b"b\0\0\0\0\0secret", key + body]
    keys = openpgp.old_format(openpgp.parse(message)[0])
    sealed = [keys + openpgp.new_format(openpgp.seal_ocb(content, session, chunk_power=power)) for content in contents
              for power in (0, 10)]
    assert assert_right_or_declined([(f"content {number}", m) for number, m in enumerate(sealed)]) >= 6


# --- damage --------------------------------------------------------------------------------------

def damaged(message, bits):
    yield from ((f"cut at {at}", message[:at]) for at in range(len(message)))
    for at in range(len(message)):
        for bit in bits:
            changed = bytearray(message)
            changed[at] ^= 1 << bit
            yield f"bit {bit} of byte {at} flipped", bytes(changed)
        if FULL:
            yield f"byte {at} taken out", message[:at] + message[at + 1:]
            yield f"byte {at} doubled", message[:at + 1] + message[at:]


@case("an entry truncated anywhere or with a flipped bit in any byte never yields a wrong plaintext")
def _():
    for algorithm in ALGORITHMS if FULL else ["cv25519", "rsa2048"]:
        for message in (encrypt(b"secret", algorithm), *([ocb_message(openpgp.new_format(openpgp.literal(b"secret")), algorithm)]
                                                         if algorithm == "cv25519" else [])):
            messages = list(damaged(message, range(8) if FULL else [random.randrange(8)]))
            if not FULL and algorithm == "rsa2048":
                messages = messages[::4]
            assert len(messages) > 100
            assert_right_or_declined(messages)


@case("the same for an entry with partial bodies and several recipients, at random places")
def _():
    message = openpgp.parse(encrypt(random.randbytes(3000), "cv25519", "nistp256"))
    whole = b"".join(map(openpgp.new_format, message[:-1])) + openpgp.in_pieces(message[-1], 9, 9, 3, 0, 10)
    messages = []
    for _ in range(2000 if FULL else 100):
        changed = bytearray(whole)
        for _ in range(random.randrange(1, 4)):
            changed[random.choice([random.randrange(300), random.randrange(len(whole))])] = random.randrange(256)
        messages.append(("changed", bytes(changed[:random.choice([len(whole), random.randrange(len(whole))])])))
    assert_right_or_declined(messages)


@case("control: a message without its authentication is never decrypted")
def _():
    message = encrypt(b"secret", "cv25519")
    key, sealed = openpgp.parse(message)
    changed = sealed.body[:-25] + bytes([sealed.body[-25] ^ 1]) + sealed.body[-24:]
    assert TOOL([openpgp.old_format(key) + openpgp.new_format(openpgp.Packet(18, changed))])[0][0] == "declined"


# --- other agents, and other homes ----------------------------------------------------------------

CANCELED = b"ERR 83886179 Operation cancelled <Pinentry>\n"  # GPG_ERR_SOURCE_PINENTRY 5, GPG_ERR_CANCELED 99
INQUIRY = b"S INQUIRE_MAXLEN 4096\nINQUIRE CIPHERTEXT\n"


@case("a card's answer without padding is accepted; a cancelled or impossible prompt is final")
def _():
    message = encrypt(b"secret", "rsa2048")
    number, key = session_key(message).split(":")
    key = bytes.fromhex(key)
    frame = bytes([int(number)]) + key + (sum(key) & 0xFFFF).to_bytes(2, "big")
    escaped = frame.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
    answer = b"S PADDING 0\nD (5:value%d:%s)\0\nOK\n" % (len(frame), escaped)
    with FakeAgent(USER, {"PKDECRYPT": INQUIRY, "END": answer}) as agent:
        assert TOOL([message]) == [("answered", described(b"secret"))]
        assert any(line.startswith(b"SETKEYDESC Please+enter+the+passphrase") for line in agent.told), agent.told
    for refusal, outcome, words in (
            (CANCELED, "failed", "the passphrase prompt was cancelled"),
            (b"ERR 67108949 No pinentry <GPG Agent>\n", "failed", "finds no pinentry"),
            (b"ERR 83918950 Inappropriate ioctl for device <Pinentry>\n", "failed", "no terminal"),
            (b"ERR 67108875 Bad passphrase <GPG Agent>\n", "failed", "the passphrase was wrong"),
            (b"ERR 67108881 No secret key <GPG Agent>\n", "declined", ""),
            (b"ERR 16810070 Cannot allocate memory <gcrypt>\n", "declined", "")):
        with FakeAgent(USER, {"PKDECRYPT": INQUIRY, "END": refusal}):
            (said, what), = TOOL([message])
            assert said == outcome and words in what, (refusal, said, what)
    TOOL.spans_us["failed"].clear()


@case("if the agent sends something else, disconnects or is missing, the message is left to gpg")
def _():
    message = encrypt(b"secret", "cv25519")
    for replies in ({"OPTION": b"ERR 67109139 Unknown IPC command\n"}, {"SETKEY": b"ERR 1 x\n"}, {"PKDECRYPT": b"D x\nOK\n"},
                    {"PKDECRYPT": b"OK\n"}, {"PKDECRYPT": b"x" * 5000 + b"\n"}, {"END": b"D (5:value2:ab)\nOK\n"}):
        with FakeAgent(USER, {"PKDECRYPT": INQUIRY, **replies}):
            assert_declined([(replies, message)])
    assert_declined([("no agent", message)])
    USER.run(["gpg-connect-agent", "/bye"], check=True)
    assert_answered([("the agent again", message, b"secret")])


@case("an agent that accepts the connection and never answers causes a timeout")
def _():
    message = encrypt(b"secret", "cv25519")
    with FakeAgent(USER, mute=True) as agent:
        assert_declined([("mute", message)], env={"DOCKER_CREDENTIAL_PASS_TIMEOUT": "1"})
        assert agent.count == 1


@case("messages are left to gpg if settings or keyrings are unknown to the fast path")
def _():
    message = encrypt(b"secret", "cv25519")
    USER.run(["gpg-connect-agent", "/bye"], check=True)
    conf = USER.gnupg / "gpg.conf"
    before = conf.read_text()
    for text, outcome in (("pinentry-mode loopback\n", "declined"), ("agent-program /nonexistent\n", "declined"),
                          ("default-key me\nkeyserver hkps://x\n", "answered")):
        conf.write_text(before + text)
        assert TOOL([message])[0][0] == outcome, text
    conf.write_text(before)
    for name, text in (("pubring.gpg", ""), ("gpg.conf-2", ""), ("common.conf", "use-keyboxd\nno-autostart\n"),
                       ("common.conf", "use-keyboxd\n")):  # there is no keyboxd
        (USER.gnupg / name).write_text(text)
        assert_declined([(name, message)])
        (USER.gnupg / name).unlink()
    assert_declined([("switched off", message)], env={"DOCKER_CREDENTIAL_PASS_FAST": "0"})
    assert_declined([("a relative home", message)], env={"GNUPGHOME": "gnupg"})
    assert_declined([("a missing home directory", message)], env={"GNUPGHOME": "/nonexistent"})
    assert TOOL([message], USER.gnupg, env={"GNUPGHOME": "/nonexistent"})[0][0] == "answered"


@case("keyboxd is used if common.conf says so, for keys of every kind; unknown keys are left to gpg")
def _():
    USER.run(["gpg-connect-agent", "/bye"], check=True)
    messages = {name: encrypt(name.encode(), name) for name in ("cv25519", "nistp256", "rsa2048")}
    hidden = USER.gnupg / "pubring.hidden"
    for name, message in messages.items():
        with FakeKeyboxd(USER) as keyboxd:
            (USER.gnupg / "pubring.kbx").rename(hidden)     # otherwise the key could come from this file
            try:
                assert TOOL([message])[0] == ("answered", described(name.encode())), name
            finally:
                hidden.rename(USER.gnupg / "pubring.kbx")
            assert [line.split()[0] for line in keyboxd.told] == [b"SEARCH", b"NEXT"], keyboxd.told
            keyboxd.keys = {}
            assert_declined([(name, message)])


@case("if keyboxd sends something else, has a key twice, disconnects or does not answer, the message is left to gpg")
def _():
    message = encrypt(b"secret", "cv25519")
    for replies in ({"SEARCH": b"ERR 134217784 x\n"}, {"SEARCH": b"OK\n"}, {"SEARCH": b"D x\nOK\n"}, {"NEXT": b"OK\n"},
                    {"NEXT": b"ERR 134217784 x\n"}, {"SEARCH": b"x" * 5000 + b"\n"}, {"SEARCH": b"INQUIRE X\n"}):
        with FakeKeyboxd(USER, replies):
            assert_declined([(replies, message)])
    with FakeKeyboxd(USER, mute=True) as keyboxd:
        for seconds in (1, 4, 16, 64):      # on a busy machine the time may be up before keyboxd is asked
            assert_declined([("mute", message)], env={"DOCKER_CREDENTIAL_PASS_TIMEOUT": str(seconds)})
            if keyboxd.count > 0:
                break
        assert keyboxd.count > 0


@case("GnuPG's own keyboxd: store, get without gpg, and the same answer with gpg")
def _():
    with Sandbox() as user:
        version = user.run(["gpg", "--version"], check=True).out.decode().split()[2]
        if tuple(int(one) for one in version.split(".")[:2]) < (2, 4):
            raise Skip(f"GnuPG {version} has no keyboxd")
        (user.gnupg / "common.conf").write_text("use-keyboxd\n")
        user.make_store()
        user.store("https://example.com", "me", "secret")
        assert user.get("https://example.com") == ("me", "secret")
        assert user.get("https://example.com", env={"PATH": user.path_without("gpg")}) == ("me", "secret")
        assert user.get("https://example.com", env={"DOCKER_CREDENTIAL_PASS_FAST": "0"}) == ("me", "secret")
        assert not (user.gnupg / "pubring.kbx").exists()


def runs_with_own_run_folder(user):
    """Returns whether a program can have a private /run here."""
    return user.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"]).rc == 0


@case("sockets in /run/user, for the default home and for another one, are found where gpg creates them")
def _():
    with Sandbox() as user:
        if os.geteuid() != 0 or not runs_with_own_run_folder(user):
            raise Skip("only root can mount a private /run")
        ids = user.make_store()
        path = user.dir / "entry"
        path.write_bytes(user.encrypt(b"secret", *ids))
        user.end_agent()
        tool = shlex.quote(str(TOOL.path))
        script = f"""mount -t tmpfs none /run && mkdir -p -m 700 /run/user/{os.geteuid()} && gpgconf --create-socketdir || exit 1
            echo {path} | {tool}
            gpgconf --list-dirs agent-socket
            gpg-connect-agent /bye
            echo {path} | {tool}
            gpgconf --kill gpg-agent"""
        standard = user.home / ".gnupg"
        standard.symlink_to(user.gnupg)
        for env, place in (({}, "gnupg/d."), ({"GNUPGHOME": None}, "gnupg/S.")):
            lines = user.run(["unshare", "-m", "sh", "-c", script], check=True, env=env).out.decode().splitlines()
            assert lines[0].startswith("declined") and place in lines[1], lines
            assert lines[2].startswith("answered " + described(b"secret")), lines


@case("in a user namespace, as with rootless podman, the agent of the outside user is found")
def _():
    with Sandbox() as user:
        if os.geteuid() != 0 or not runs_with_own_run_folder(user):
            raise Skip("only root can mount a private /run")
        uid = 1234
        as_user = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]
        if user.run([*as_user, "unshare", "-Ur", "true"]).rc != 0:
            raise Skip("users cannot create a user namespace here")
        ids = user.make_store()
        path = user.dir / "entry"
        path.write_bytes(user.encrypt(b"secret", *ids))
        user.end_agent()
        user.gnupg.rename(user.home / ".gnupg")
        user.run(["chown", "-R", uid, user.dir], check=True)
        words = " ".join(str(word) for word in as_user)
        tool = shlex.quote(str(TOOL.path))
        script = f"""mount -t tmpfs none /run && mkdir -p /run/user && mkdir -m 700 /run/user/{uid} || exit 1
            chown {uid}:{uid} /run/user/{uid}
            echo {path} | {words} unshare -Ur {tool}
            {words} gpgconf --create-socketdir
            {words} gpg-connect-agent /bye
            test -S /run/user/{uid}/gnupg/S.gpg-agent || echo no socket
            echo {path} | {words} unshare -Ur {tool}
            {words} gpgconf --kill gpg-agent"""
        lines = user.run(["unshare", "-m", "sh", "-c", script], check=True, env={"GNUPGHOME": None}).out.decode().splitlines()
        assert len(lines) == 2 and lines[0].startswith("declined"), lines
        assert lines[1].startswith("answered " + described(b"secret")), lines
        (user.home / ".gnupg").rename(user.gnupg)


@case("an agent forwarded by ssh: a restricted socket behind a redirection file, and only public keys here")
def _():
    with Sandbox() as owner, Sandbox() as user:
        key = owner.make_key()
        owner.run(["gpg-connect-agent", "/bye"], check=True)
        extra = owner.run(["gpgconf", "--list-dirs", "agent-extra-socket"], check=True).out.decode().strip()
        user.import_key(owner.export_key(key))
        user.end_agent()
        (user.gnupg / "S.gpg-agent").unlink(missing_ok=True)
        (user.gnupg / "S.gpg-agent").write_text(f"%Assuan%\nsocket={extra}\n")
        user.make_store(key)
        user.store("https://example.com", "me", "secret")
        assert user.get("https://example.com") == ("me", "secret")
        assert user.get("https://example.com", env={"PATH": user.path_without("gpg")}) == ("me", "secret")
        assert user.get("https://example.com", env={"DOCKER_CREDENTIAL_PASS_FAST": "0"}) == ("me", "secret")
        assert not any((user.gnupg / "private-keys-v1.d").glob("*.key"))


@case("gpg.conf has debug-level guru: nothing is decrypted or encrypted by gpg, which would write the password into a file")
def _():
    with Sandbox() as user:
        user.make_store()
        user.store("https://example.com", "me", "a very secret word")
        (user.gnupg / "gpg.conf").write_text("no-auto-key-locate\ndisable-dirmngr\ndebug-level guru\n")
        document = json.dumps({"ServerURL": "https://b.example", "Username": "me", "Secret": "another secret word"}).encode()
        script = f"cd {user.home} && exec {shlex.quote(helper_path())} "
        runs = [user.run(["sh", "-c", script + "store"], document)]
        if os.environ.get("HAS_FAST_PATH") != "0":
            user.run(["gpg-connect-agent", "/bye"], check=True)
            assert user.get("https://example.com") == ("me", "a very secret word")
        runs.append(user.run(["sh", "-c", script + "get"], b"https://example.com", env={"DOCKER_CREDENTIAL_PASS_FAST": "0"}))
        for result in runs:
            assert_refused(result, "gpg.conf has the line", "debug-level guru")
        assert user.list() == {"https://example.com": "me"} and not list(user.home.glob("dbgmd*"))


@case("statistics of the messages above")
def _():
    for outcome, spans in TOOL.spans_us.items():
        if spans:
            print(f"# {outcome}: {len(spans)}, median {statistics.median(spans) / 1000:.2f} ms, "
                  f"99 of 100 within {sorted(spans)[len(spans) * 99 // 100] / 1000:.2f} ms", flush=True)
    assert TOOL.spans_us["answered"] and not TOOL.spans_us["failed"]


main()
