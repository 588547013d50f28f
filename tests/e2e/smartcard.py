#!/usr/bin/env python3
"""A key on a smartcard: one PIN and one touch a get, and the truth in words when there is no card, no scdaemon, a wrong PIN."""

import contextlib
import json
import shlex
import sys

from harness import ROOT, Sandbox, assert_refused, case, main, need_fast_path

URL = "https://example.com"
SERIAL = "D2760001240102000006123456780000"
PINENTRY = """#!/bin/sh
echo OK
while read -r word rest; do
    echo "$word" >>{dir}/pinentry-log
    case $word in
    GETPIN) cat {dir}/typed; echo OK ;;
    CONFIRM|MESSAGE) echo 'ERR 83886179 Operation cancelled' ;;
    BYE) echo OK; exit ;;
    *) echo OK ;;
    esac
done
"""


def read_key(user, grip):
    """The public key as gpg-agent has it, a canonical S-expression."""
    result = user.run(["gpg-connect-agent", "--decode", f"/datafile {user.dir}/public", f"READKEY {grip}", "/bye"], check=True)
    data = (user.dir / "public").read_bytes()
    assert data.startswith(b"(10:public-key"), (data, result)
    return data


@contextlib.contextmanager
def card_holder():
    """A user with a login, whose encryption key is on a card; the card is in user.card."""
    with Sandbox() as owner, Sandbox() as user:
        key = owner.make_key()
        shown = owner.run(["gpg", "--batch", "--with-colons", "--with-keygrip", "-K"], check=True).out.decode()
        grip = [line.split(":")[9] for line in shown.splitlines() if line.startswith("grp:")][-1]
        user.card = user.dir / "card"
        user.card.mkdir()
        agent = owner.run(["gpgconf", "--list-dirs", "agent-socket"], check=True).out.decode().strip()
        for name, text in (("serial", SERIAL), ("grip", grip), ("agent", agent), ("pin", "123456"), ("log", "")):
            (user.card / name).write_text(text)
        scdaemon, pinentry = user.dir / "scdaemon", user.dir / "pinentry"
        argv = [sys.executable, str(ROOT / "tests/e2e/fake_scdaemon.py"), str(user.card)]
        scdaemon.write_text(f"#!/bin/sh\nexec {shlex.join(argv)}\n")
        pinentry.write_text(PINENTRY.format(dir=user.card))
        for program in (scdaemon, pinentry):
            program.chmod(0o755)
        (user.card / "typed").write_text("D 123456\n")
        (user.card / "pinentry-log").write_text("")
        (user.gnupg / "gpg-agent.conf").write_text(f"scdaemon-program {scdaemon}\npinentry-program {pinentry}\n")
        user.import_key(owner.export_key(key))
        serial = bytes.fromhex(SERIAL)
        stub = b"(8:shadowed5:t1-v1(%d:%s9:OPENPGP.2))" % (len(serial), serial)
        public = read_key(owner, grip).rstrip(b"\0")
        keys = user.gnupg / "private-keys-v1.d"
        keys.mkdir(mode=0o700, exist_ok=True)
        (keys / f"{grip}.key").write_bytes(b"(20:shadowed-private-key" + public[len(b"(10:public-key"):-2] + stub + b"))")
        user.make_store(key)
        user.store(URL, "me", "secret")
        user.run(["gpg-connect-agent", "/bye"], check=True)
        yield user


def count(user, log, word):
    return [line.split(" ")[0] for line in (user.card / log).read_text().splitlines()].count(word)


def get(user, **env):
    return user.helper("get", stdin=URL.encode(), env=env)


@case("a get asks for one PIN and uses the card once; store and list do neither")
def _():
    need_fast_path()
    with card_holder() as user:
        user.list()
        user.store(URL, "me", "secret")
        assert count(user, "log", "PKDECRYPT") == 0 and count(user, "pinentry-log", "GETPIN") == 0, (user.card / "log").read_text()
        result = get(user)
        assert result.rc == 0 and json.loads(result.out)["Secret"] == "secret", result
        assert count(user, "log", "PKDECRYPT") == 1 and count(user, "pinentry-log", "GETPIN") == 1
        assert get(user, DOCKER_CREDENTIAL_PASS_FAST="0").rc == 0
        assert count(user, "log", "PKDECRYPT") == 2


SITUATIONS = {
    "no card": (lambda user: (user.card / "missing").touch(), ("smartcard", "0006 12345678", "insert it"), 0),
    "a wrong PIN": (lambda user: (user.card / "typed").write_text("D 654321\n"), ("0006 12345678", "PIN was wrong"), 1),
    "a blocked PIN": (lambda user: (user.card / "blocked").touch(), ("0006 12345678", "PIN is blocked"), 1),
    "no scdaemon": (lambda user: (user.dir / "scdaemon").unlink(), ("install scdaemon",), 0),
    "no pinentry": (lambda user: (user.dir / "pinentry").unlink(), ("0006 12345678", "install pinentry"), 1),
    "no pinentry and no card": (lambda user: ((user.dir / "pinentry").unlink(), (user.card / "missing").touch()),
                                ("0006 12345678", "insert it"), 0),
    "a PIN that is cancelled": (lambda user: (user.card / "typed").write_text("ERR 83886179 cancelled\n# "),
                                ("0006 12345678", "cancelled"), 1),
}

for name, (prepare, words, most) in SITUATIONS.items():
    @case(f"{name}: said in words, and the card is not asked again")
    def _(prepare=prepare, words=words, most=most):
        need_fast_path()
        with card_holder() as user:
            prepare(user)
            user.end_agent()  # and with it a scdaemon that runs already
            user.run(["gpg-connect-agent", "/bye"], check=True)
            result = get(user)
            assert_refused(result, *words)
            assert result.err == b"", result
            assert count(user, "log", "PKDECRYPT") <= most, (user.card / "log").read_text()
            assert user.list() == {URL: "me"}


main()
