#!/usr/bin/env python3
"""`doctor` where gpg, its keys, the environment or docker's configuration are at fault: the proof decides."""

import os
import shutil
import stat
import time

from doctor_patient import URL
from harness import Sandbox, need
from registry import Registry
from situations import Row, run_table

DCH = "https://github.com/docker/docker-credential-helpers/issues/"
OWN = "tried by hand"


def append(name, text):
    def make(user):
        with open(user.gnupg / name, "a") as file:
            file.write(text)
        user.end_agent()
    return make


def break_conf(text):
    """A gpg.conf with which gpg does nothing; gpgconf waits long for it, so it is put right in the end."""
    def make(user):
        before = (user.gnupg / "gpg.conf").read_text()
        (user.gnupg / "gpg.conf").write_text(before + text)
        yield
        (user.gnupg / "gpg.conf").write_text(before)
    return make


def garble(name):
    def make(user):
        user.run(["gpg-connect-agent", "/bye"], check=True)
        (user.gnupg / name).write_bytes(b"\x0b" * 1000)
    return make


def write_gpg_id(form):
    """A .gpg-id with this content: bytes, in which KEY is the fingerprint and SUB that of its subkey."""
    def make(user):
        listing = user.run(["gpg", "-k", "--with-colons", user.key]).out.decode().split("\n")
        subkey = [line.split(":")[9] for line in listing if line.startswith("fpr:")][1]
        (user.prefix / ".gpg-id").write_bytes(form.replace(b"KEY", user.key.encode()).replace(b"SUB", subkey.encode()))
    return make


def without_entries(make):
    def both(user):
        shutil.rmtree(user.folder)
        make(user)
    return both


def set_env(**env):
    def make(user):
        for name, value in env.items():
            user.env[name] = value.format(user=user)
    return make


def make_key_by(user, *words):
    user.run(["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *words], check=True)
    listing = user.run(["gpg", "-k", "--with-colons"]).out.decode()
    return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr")]


def write_config(text):
    def make(user):
        (user.docker / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return make


# --- gpg's configuration --------------------------------------------------------------------------------------

CONFIGURATION = [
    Row("gpg.conf has a value that gpg refuses (trust-model x)", OWN, break_conf("trust-model x\n"),
        {"gpg-conf-invalid"}, words=("'x'",), has_cure=False),
    Row("gpg.conf has an option that this gpg does not know", "https://github.com/jvalecillos/vscode-gpg/issues/14",
        append("gpg.conf", "no-such-option-yet\n")),
    Row("gpg.conf begins with a byte order mark", "https://github.com/geluk/pass-winmenu/issues/22",
        lambda user: (user.gnupg / "gpg.conf").write_bytes(b"\xef\xbb\xbfno-auto-key-locate\ndisable-dirmngr\n") and None),
    Row("an option of gpg-agent stands in gpg.conf", "https://github.com/Homebrew/legacy-homebrew/issues/40288",
        append("gpg.conf", "pinentry-program /usr/bin/pinentry\n")),
    Row("gpg.conf has obsolete options", "https://github.com/linode/docs/issues/3036",
        append("gpg.conf", "use-agent\nno-emit-version\nkeyserver hkps://keys.openpgp.org\npersonal-cipher-preferences AES256\n")),
    Row("gpg-agent.conf has obsolete options", "https://github.com/linode/docs/issues/3036",
        append("gpg-agent.conf", "use-standard-socket\nwrite-env-file\n")),
    Row("gpg-agent.conf has an option that the agent does not know", "https://github.com/jamessan/vim-gnupg/pull/73",
        append("gpg-agent.conf", "no-such-option\n")),
    Row("gpg.conf has encrypt-to and default-key with keys that are not here", OWN,
        append("gpg.conf", "encrypt-to 0xDEADBEEFDEADBEEF\ndefault-key 0xDEADBEEFDEADBEEF\n")),
    Row("gpg.conf has throw-keyids", OWN, append("gpg.conf", "throw-keyids\n")),
    Row("PASSWORD_STORE_GPG_OPTS is --no-throw-keyids", OWN, set_env(PASSWORD_STORE_GPG_OPTS="--no-throw-keyids")),
    Row("PASSWORD_STORE_GPG_OPTS could send plaintext elsewhere", OWN, set_env(PASSWORD_STORE_GPG_OPTS="--recipient x"), {"gpg-opts"}),
    Row("trustdb.gpg is corrupt", OWN, garble("trustdb.gpg"), {"encrypt-failed"}, words=("trustdb.gpg",), has_cure=False),
    Row("pubring.kbx is corrupt", OWN, garble("pubring.kbx"), {"encrypt-failed", "entry-fails"}, has_cure=False, words=("ctb=0b",)),
    Row("gpg is not installed", "https://github.com/jareware/docker-volume-backup/issues/64",
        lambda user: user.env.update(PATH=user.path_without("gpg")), {"gpg-missing"}, reader="root"),
]


# --- whom .gpg-id names ---------------------------------------------------------------------------------------


def import_public_only(user):
    """A key of which only the public part was imported, and trusted."""
    with Sandbox() as other:
        theirs = other.make_key("imported@example.com")
        user.import_key(other.export_key(theirs))
    write_gpg_id(theirs.encode() + b"\n")(user)


def import_untrusted(user):
    with Sandbox() as other:
        mine = other.make_key("mine@example.com")
        user.run(["gpg", "--batch", "--quiet", "--import"], other.run(["gpg", "--batch", "--export-secret-keys", mine]).out, check=True)
    write_gpg_id(mine.encode() + b"\n")(user)


def colleague(user):
    with Sandbox() as other:
        theirs = other.make_key("colleague@example.com")
        user.import_key(other.export_key(theirs), trust=False)
    write_gpg_id(b"KEY\n" + theirs.encode() + b"\n")(user)


def colleague_in_public_keys(user):
    with Sandbox() as other:
        theirs = other.make_key("colleague@example.com")
        (user.prefix / ".public-keys").mkdir(mode=0o700)
        (user.prefix / ".public-keys" / theirs).write_bytes(other.run(["gpg", "--export", theirs]).out)
    write_gpg_id(b"KEY\n" + theirs.encode() + b"\n")(user)


def expire_subkey(user):
    user.run(["gpg", "--batch", "--quiet", "--quick-set-expire", user.key, "seconds=1", "*"], check=True)
    time.sleep(2)


def expired(user):
    make_key_by(user, "--faked-system-time", "20200101T000000", "--quick-gen-key", "old@x", "future-default", "default", "1d")
    user.make_store("old@x")


def revoke(user):
    user.run(["gpg", "--batch", "--quiet", "--import"],
             (user.gnupg / f"openpgp-revocs.d/{user.key}.rev").read_text().replace("\n:-----", "\n-----").encode(), check=True)


def revoke_subkey(user):
    user.run(["gpg", "--batch", "--quiet", "--command-fd", "0", "--edit-key", user.key],
             b"key 1\nrevkey\ny\n0\n\ny\nsave\n", check=True)


def disable(user):
    user.run(["gpg", "--batch", "--quiet", "--command-fd", "0", "--edit-key", user.key], b"disable\n", check=True)


def sign_only(user):
    make_key_by(user, "--quick-gen-key", "sign@x", "ed25519", "sign", "never")
    user.make_store("sign@x")


PINENTRY = """#!/bin/sh
echo OK
while read -r word rest; do
    case $word in
    GETPIN) printf 'D %s\\n' '{answer}'; echo OK ;;
    BYE) echo OK; exit ;;
    *) echo OK ;;
    esac
done
"""


def answer_pinentry(make, answer=""):
    """The person types this whenever a pinentry asks; an empty answer is a key without a passphrase."""
    def both(user):
        program = user.dir / "pinentry"
        program.write_text(PINENTRY.format(answer=answer))
        program.chmod(0o755)
        (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {program}\n")
        make(user)
        user.run(["gpgconf", "--kill", "gpg-agent"])
    return both


def log_in_again(make):
    """The server is a registry that runs, so that docker login can be typed. What make does to its entry is mended so."""
    def both(user):
        need("docker")
        with Registry() as registry:
            user.env.update(SSL_CERT_FILE=str(registry.ca), DOCKER_HOST="unix:///nonexistent/docker.sock")
            user.store(registry.host, registry.username, "secret")
            shutil.rmtree(user.server_folder(URL))
            make(user, user.entry(registry.host, registry.username))
            user.answers = ((r"Username", registry.username + "\n"), (r"Password", registry.password + "\n"))
            yield
    return both


def rotate(user, entry):
    """The store was given a new key without encrypting the entries again."""
    with Sandbox() as other:
        old = other.make_key("old@example.com")
        entry.write_bytes(other.encrypt(b"secret", old))


RECIPIENTS = [
    Row(".gpg-id has a word of `gpg -K`'s output", DCH + "199", without_entries(write_gpg_id(b"sec\n")), {"key-unknown"},
        answers=((r"Proceed|\[Y/n\]", "y\n"),)),
    Row(".gpg-id names a key that is nowhere, and there are logins", DCH + "217", write_gpg_id(b"harbor-user\n"), {"key-unknown"},
        has_cure=False),
    Row("only the public part of the key was imported", DCH + "140", without_entries(import_public_only), {"secret-key-missing"},
        has_cure=False),
    Row("the key was imported without its trust", DCH + "127", without_entries(import_untrusted), {"key-not-trusted"}),
    Row("a colleague's key is not signed", "https://github.com/docker/desktop-linux/issues/25", colleague, {"key-not-trusted"},
        answers=((r"\(y/N\)", "y\n"),)),
    Row("a colleague's key is only in the store's .public-keys", "https://github.com/gopasspw/gopass/issues/1635",
        colleague_in_public_keys, {"key-unknown"}, left={"key-not-trusted"}, after=1),
    Row("the subkey for encryption has expired", OWN, expire_subkey, {"key-expired"}),
    Row("the key has expired", "https://github.com/gopasspw/gopass/issues/1635", expired, {"key-expired"}, key=None),
    Row("the key was revoked", OWN, answer_pinentry(without_entries(revoke)), {"key-revoked"}, answers=(
        (r"Your name", "\n"), (r"Your e-mail", "\n"), (r"\[Y/n\]", "y\n"))),
    Row("the subkey for encryption was revoked", OWN, answer_pinentry(revoke_subkey), {"key-cannot-encrypt"}),
    Row("the key is disabled", OWN, disable, {"key-disabled"}),
    Row("the key can only sign", OWN, answer_pinentry(sign_only), {"key-cannot-encrypt"}, key=None),
    Row(".gpg-id has a short key id", "https://github.com/android-password-store/Android-Password-Store/issues/2919",
        lambda user: write_gpg_id(user.key[-8:].encode() + b"\n")(user)),
    Row(".gpg-id has a long key id with 0x and an exclamation mark", "https://github.com/LukeSmithxyz/mutt-wizard/issues/728",
        write_gpg_id(b"0xSUB!\n")),
    Row(".gpg-id has an e-mail address, comments and blanks", OWN, write_gpg_id(b"# team\n\n  me@example.com  # me\n")),
    Row(".gpg-id has a group of gpg.conf", OWN, lambda user: (append("gpg.conf", f"group team={user.key}\n")(user),
                                                              write_gpg_id(b"team\n")(user))[:0] or None),
    Row(".gpg-id was written on Windows, with CRLF", "https://github.com/geluk/pass-winmenu/issues/22", write_gpg_id(b"KEY\r\n"),
        {"gpg-id-crlf"}, rc=0),
    Row(".gpg-id has no newline at its end", "https://github.com/android-password-store/Android-Password-Store/issues/1343",
        write_gpg_id(b"KEY"), {"gpg-id-no-newline"}, rc=0),
    Row(".gpg-id begins with a byte order mark", "https://github.com/geluk/pass-winmenu/issues/22",
        write_gpg_id(b"\xef\xbb\xbfKEY\n"), {"gpg-id-bom"}, rc=0),
    Row(".gpg-id is in UTF-16, as PowerShell's > writes it", "https://github.com/geluk/pass-winmenu/issues/22",
        lambda user: (user.prefix / ".gpg-id").write_bytes(f"{user.key}\r\n".encode("utf-16")), {"gpg-id-utf16"}),
    Row(".gpg-id is empty", DCH + "140", without_entries(write_gpg_id(b"# nobody\n")), {"gpg-id-empty"}),
    Row("a .gpg-id of docker-credential-helpers' own", DCH + "102",
        lambda user: (user.prefix / ".gpg-id").rename(user.folder / ".gpg-id") and None),
    Row("the key was rotated, and an entry is for the old one", DCH + "299", log_in_again(rotate), {"entry-unreadable"}),
    Row("PASSWORD_STORE_SIGNING_KEY is set, and .gpg-id has no signature", OWN,
        lambda user: user.env.update(PASSWORD_STORE_SIGNING_KEY=user.key), {"gpg-id-signature"}),
]

run_table("doctor", [*CONFIGURATION, *RECIPIENTS])
