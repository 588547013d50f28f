"""Users with an encryption key on a smartcard, which fake_scdaemon.py simulates."""

import contextlib
import shlex
import sys

from harness import ROOT, Sandbox

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
    """Returns gpg-agent's public key, a canonical S-expression."""
    result = user.run(["gpg-connect-agent", "--decode", f"/datafile {user.dir}/public", f"READKEY {grip}", "/bye"], check=True)
    data = (user.dir / "public").read_bytes()
    assert data.startswith(b"(10:public-key"), (data, result)
    return data


def hand_over_card(user, owner):
    """Gives user a store for owner's key, and a card (a directory, user.card) with its secret key."""
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


@contextlib.contextmanager
def card_holder():
    """Yields a user with a login and an encryption key on a card; user.card is the card's directory."""
    with Sandbox() as owner, Sandbox() as user:
        hand_over_card(user, owner)
        yield user


def count(user, log, word):
    return [line.split(" ")[0] for line in (user.card / log).read_text().splitlines()].count(word)
