#!/usr/bin/env python3
"""The recipients of an entry: the formats of .gpg-id, overrides, unusable keys, the options of
PASSWORD_STORE_GPG_OPTS, and signed .gpg-id files."""

import os
import re
import shutil

from harness import Sandbox, Skip, assert_refused, case, helper_argv, is_wrapped, main, need, shared_sandbox

URL = "https://example.com"
USER = shared_sandbox()
PAST = ["gpg", "--batch", "--passphrase=", "--faked-system-time=20200101T000000!"]


def quick_key(uid, *how, gpg=("gpg", "--batch", "--passphrase=")):
    """Makes a key with gpg --quick-gen-key; returns its fingerprint."""
    made = USER.run([*gpg, "--status-fd=1", "--quick-gen-key", uid, *how], check=True).out.decode()
    return next(line.split()[3] for line in made.splitlines() if " KEY_CREATED " in line)


def edit_key(fingerprint, *commands):
    USER.run(["gpg", "--batch", "--edit-key", fingerprint, *commands, "save"], check=True)


def revoke(fingerprint):
    certificate = (USER.gnupg / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
    USER.run(["gpg", "--batch", "--import"], certificate.replace(":-----BEGIN", "-----BEGIN").encode(), check=True)


def own_trust(fingerprint, level):
    USER.run(["gpg", "--batch", "--import-ownertrust"], f"{fingerprint}:{level}:\n".encode(), check=True)


def colons(fingerprint, *more):
    shown = USER.run(["gpg", "--batch", "--with-colons", *more, "-k", fingerprint], check=True).out.decode()
    return [line.split(":") for line in shown.splitlines()]


def subkey(fingerprint, usage):
    """Returns fingerprint and keygrip of the key's subkey for this usage ("e" or "s")."""
    lines = colons(fingerprint, "--with-keygrip")
    at = next(n for n, line in enumerate(lines) if line[0] == "sub" and usage in line[11])
    return (next(line[9] for line in lines[at:] if line[0] == "fpr"),
            next(line[9] for line in lines[at:] if line[0] == "grp"))


def make_expired():
    fingerprint = quick_key("Eve <eve@example.com>", "ed25519", "sign", "1d", gpg=PAST)
    USER.run([*PAST, "--quick-add-key", fingerprint, "cv25519", "encr", "1d"], check=True)
    return fingerprint


def make_stale():
    """Makes a valid key with an expired encryption subkey."""
    fingerprint = quick_key("Sam <sam@example.com>", "ed25519", "sign", "never", gpg=PAST)
    USER.run([*PAST, "--quick-add-key", fingerprint, "cv25519", "encr", "1d"], check=True)
    return fingerprint


def make_revoked():
    fingerprint = USER.make_key("Ron <ron@example.com>")
    revoke(fingerprint)
    return fingerprint


def make_disabled():
    fingerprint = USER.make_key("Dan <dan@example.com>")
    edit_key(fingerprint, "disable")
    return fingerprint


def make_untrusted():
    fingerprint = USER.make_key("Una <una@example.com>")
    own_trust(fingerprint, 2)
    return fingerprint


ALICE = USER.make_key("Alice Example <alice@example.com>")
BOB = USER.make_key("Bob Example (work) <bob@example.org>")
CAROL = USER.make_key("Carol <carol@example.com>")
UNTRUSTED = make_untrusted()
UNUSABLE = {  # the reason in the error; the keys' names must not contain these words
    "missing": (rb"no (public )?key|not found|not known|unknown|no such|not in",
                "nobody@example.com", "0" * 39 + "1"),
    "expired": (rb"expired", "eve@example.com", make_expired()),
    "with an expired subkey": (rb"expired", "sam@example.com", make_stale()),
    "revoked": (rb"revoked", "ron@example.com", make_revoked()),
    "disabled": (rb"disabled", "dan@example.com", make_disabled()),
    "for signatures only": (rb"\b(no|without|lacks)\b.*encrypt|only.*sign|cannot be used (for|to) encrypt",
                            "sue@example.com", quick_key("Sue <sue@example.com>", "ed25519", "sign", "never")),
    "untrusted": (rb"trust", "una@example.com", UNTRUSTED),
}


# --- packets of entries -----------------------------------------------------

def key_id(fingerprint):
    return subkey(fingerprint, "e")[0][-16:]


def packets(path=None, *options):
    return USER.run(["gpg", "--batch", "--list-packets", *options, path or USER.entry(URL, "me")], check=True).out.decode()


def recipients(path=None):
    """Returns the sorted key ids of the packets that name a recipient, including duplicates.

    It does not decrypt: gpg 2.4 tries its keys on hidden recipients, and exits with 2 after a wrong key.
    """
    return sorted(re.findall(r"^:pubkey enc packet: .* keyid ([0-9A-F]{16})$", packets(path, "--list-only"), re.M))


def fresh(text=None):
    """Makes an empty store with this .gpg-id (text or bytes; None: without one)."""
    shutil.rmtree(USER.prefix, ignore_errors=True)
    USER.prefix.mkdir(mode=0o700)
    if text is not None:
        (USER.prefix / ".gpg-id").write_bytes(text if isinstance(text, bytes) else text.encode())


def stored_for(*fingerprints, **more):
    """Stores a login, and asserts that the entry has exactly these recipients and can be read."""
    USER.store(URL, "me", "secret", **more)
    wanted = sorted(key_id(one) for one in fingerprints)
    assert recipients() == wanted, (recipients(), wanted)
    assert USER.get(URL) == ("me", "secret")


def refused_for(*words, reason=b"", **more):
    """Asserts that store fails with these words in one line, and that nothing changes."""
    before = USER.snapshot()
    done = USER.store(URL, "me", "new", check=False, **more)
    assert_refused(done, *words)
    assert re.search(reason, done.out, re.I), f"the reason ({reason}) is missing: {done}"
    assert USER.snapshot() == before, "the store has changed"


def with_gpg_conf(*lines):
    """Adds these lines to gpg.conf inside a with block."""
    return Configuration(USER.gnupg / "gpg.conf", lines)


class Configuration:
    def __init__(self, path, lines):
        self.path, self.lines, self.before = path, lines, path.read_text()

    def __enter__(self):
        self.path.write_text(self.before + "".join(f"{line}\n" for line in self.lines))

    def __exit__(self, *_):
        self.path.write_text(self.before)


# --- forms of .gpg-id -------------------------------------------------------

def id_forms():
    encryption, keygrip = subkey(ALICE, "e")
    spaced = "  ".join(" ".join(half[n:n + 4] for n in range(0, 20, 4)) for half in (ALICE[:20], ALICE[20:]))
    return {"a fingerprint": ALICE, "a fingerprint in lower case": ALICE.lower(), "a fingerprint with spaces": spaced,
            "a fingerprint with 0x": "0x" + ALICE, "a long id": ALICE[-16:], "a long id with 0x": "0x" + ALICE[-16:],
            "a short id": ALICE[-8:], "a subkey's fingerprint": encryption, "a subkey's fingerprint!": encryption + "!",
            "a subkey's long id!": encryption[-16:] + "!", "a keygrip": "&" + keygrip,
            "an address": "alice@example.com", "an address in brackets": "<alice@example.com>",
            "a whole user id": "Alice Example <alice@example.com>",
            "an exact user id": "=Alice Example <alice@example.com>", "a part of a user id": "Alice Ex"}


for form, text in id_forms().items():
    @case(f".gpg-id may name a key by {form}")
    def _(text=text):
        fresh(f"{text}\n")
        stored_for(ALICE)


@case("a line that looks like an option is the name of a key")
def _():
    for line in ("--hidden", "--armor", "--file", "-r", "--"):
        fresh(f"{ALICE}\n{line}\n")
        refused_for(line)


@case("gpg.conf groups work, also with spaces in their names, with one key and with several")
def _():
    with with_gpg_conf(f"group team = {ALICE} {BOB}", f"group big group = {CAROL}", "group abc = alice@example.com"):
        fresh("team\n")
        stored_for(ALICE, BOB)
        fresh("big group\nabc\n")
        stored_for(ALICE, CAROL)


@case("a group with an unusable member is refused, and the error names the member")
def _():
    with with_gpg_conf(f"group team = {ALICE} ron@example.com"):
        fresh("team\n")
        refused_for("ron@example.com")


@case("comments, spaces, carriage returns, empty lines and a last line without newline are accepted")
def _():
    fresh("# the team\n\n"
          f"  \t alice@example.com \t\r\n   \r\n#bob\n{BOB}   # Bob\r\n\t# nobody@example.com\r\n"
          "Carol <carol@example.com>#home")
    stored_for(ALICE, BOB, CAROL)
    fresh(ALICE)
    stored_for(ALICE)
    fresh(f"{ALICE}\r")
    stored_for(ALICE)


@case("a key that is named twice is one recipient")
def _():
    fresh(f"{ALICE}\nalice@example.com\n{ALICE}\n")
    stored_for(ALICE)


@case("several recipients: one visible packet each, no compression, no file name, no other packets")
def _():
    fresh(f"{ALICE}\n{BOB}\n{CAROL}\n")
    stored_for(ALICE, BOB, CAROL)
    shown = packets()
    assert ":compressed packet:" not in shown and ":signature packet:" not in shown, shown
    assert shown.count(":literal data packet:") == 1 and 'name=""' in shown, shown
    assert USER.entry(URL, "me").read_bytes()[0] & 0x80, "an entry must be binary"


@case("gpg.conf's encrypt-to and default keys add no recipient")
def _():
    with with_gpg_conf(f"encrypt-to {BOB}", f"hidden-encrypt-to {CAROL}", "default-recipient-self",
                       f"default-key {BOB}"):
        fresh(f"{ALICE}\n")
        stored_for(ALICE)


@case("a hundred names of one key, and a .gpg-id of 100 KB, are accepted")
def _():
    fresh("# " + "x" * 100000 + "\n" + f"{ALICE}\n" * 100)
    stored_for(ALICE)


# --- search for .gpg-id ----------------------------------------------------------

@case("docker-credential-helpers/.gpg-id takes precedence over the store's")
def _():
    fresh(f"{ALICE}\n")
    USER.folder.mkdir()
    (USER.folder / ".gpg-id").write_text(f"{BOB}\n")
    stored_for(BOB)


@case("the server directory's .gpg-id takes precedence over all others, also for a nested user")
def _():
    fresh(f"{ALICE}\n")
    USER.server_folder(URL).mkdir(parents=True)
    (USER.folder / ".gpg-id").write_text(f"{BOB}\n")
    (USER.server_folder(URL) / ".gpg-id").write_text(f"{CAROL}\n")
    stored_for(CAROL)
    USER.store(URL, "tenancy/me", "secret")
    assert recipients(USER.entry(URL, "tenancy/me")) == [key_id(CAROL)]
    assert USER.get(URL) == ("tenancy/me", "secret")


@case("a .gpg-id in a nested user's directory takes precedence over the server directory's")
def _():
    fresh(f"{ALICE}\n")
    (USER.server_folder(URL) / "tenancy").mkdir(parents=True)
    (USER.server_folder(URL) / "tenancy" / ".gpg-id").write_text(f"{BOB}\n")
    USER.store(URL, "tenancy/me", "secret")
    assert recipients(USER.entry(URL, "tenancy/me")) == [key_id(BOB)]


@case("a .gpg-id above the store is ignored")
def _():
    fresh()
    above = USER.prefix.parent / ".gpg-id"
    above.write_text(f"{ALICE}\n")
    try:
        refused_for(".gpg-id")
    finally:
        above.unlink()


@case("a .gpg-id that is a symbolic link is followed")
def _():
    fresh()
    (USER.dir / "ids").write_text(f"{BOB}\n")
    (USER.prefix / ".gpg-id").symlink_to(USER.dir / "ids")
    stored_for(BOB)


@case("an overwritten entry gets the current recipients, not those of the old entry")
def _():
    fresh(f"{ALICE}\n")
    stored_for(ALICE)
    (USER.prefix / ".gpg-id").write_text(f"{BOB}\n{CAROL}\n")
    stored_for(BOB, CAROL)


@case("PASSWORD_STORE_KEY overrides every .gpg-id; spaces separate ids; an empty value counts as unset")
def _():
    fresh(f"{ALICE}\n")
    stored_for(BOB, env={"PASSWORD_STORE_KEY": BOB})
    stored_for(BOB, CAROL, env={"PASSWORD_STORE_KEY": f" {BOB}\t carol@example.com\n"})
    stored_for(ALICE, env={"PASSWORD_STORE_KEY": ""})
    fresh("nobody@example.com\n")
    stored_for(BOB, env={"PASSWORD_STORE_KEY": BOB})
    fresh()
    stored_for(BOB, env={"PASSWORD_STORE_KEY": BOB})


@case("an unusable PASSWORD_STORE_KEY is refused, and the error names it")
def _():
    fresh(f"{ALICE}\n")
    refused_for("nobody@example.com", env={"PASSWORD_STORE_KEY": "nobody@example.com"})
    refused_for("nobody@example.com", env={"PASSWORD_STORE_KEY": f"{ALICE} nobody@example.com"})


# --- unusable keys ----------------------------------------------------------

for kind, (reason, address, fingerprint) in UNUSABLE.items():
    @case(f"a key {kind}: store names the key and the reason, and changes nothing")
    def _(reason=reason, names=(address, fingerprint)):
        for name in names:
            fresh(f"{name}\n")
            refused_for(name, reason=reason)

    @case(f"a key {kind} among valid ones: store fails, and the old entry stays")
    def _(reason=reason, names=(address, fingerprint)):
        for name in names:
            fresh(f"{ALICE}\n")
            USER.store(URL, "me", "old")
            (USER.prefix / ".gpg-id").write_text(f"{ALICE}\n{name}\n{BOB}\n")
            refused_for(name, reason=reason)
            assert USER.get(URL) == ("me", "old")


@case("a primary key selected with '!', which cannot encrypt, is refused, and the error names it")
def _():
    fresh(f"{ALICE}!\n")
    refused_for(f"{ALICE}!")


# --- no network -------------------------------------------------------------

class WatchedDirmngr:
    """A with block in which gpg may search keys on the network, with a fake dirmngr that records calls."""

    def __init__(self, *conf):
        self.called, self.program = USER.dir / "dirmngr-called", USER.dir / "dirmngr"
        self.program.write_text(f"#!/bin/sh\necho called >>{self.called}\nexit 1\n")
        self.program.chmod(0o755)
        self.called.unlink(missing_ok=True)
        self.conf, self.lines = USER.gnupg / "gpg.conf", (f"dirmngr-program {self.program}", *conf)
        self.before = self.conf.read_text()

    def __enter__(self):
        self.conf.write_text("".join(f"{line}\n" for line in self.lines))   # the sandbox's lines disable dirmngr
        return self

    def __exit__(self, *_):
        self.conf.write_text(self.before)

    def holds_that_only_gpg_calls(self, *argv):
        assert not self.called.exists(), "dirmngr was started"
        USER.run(["gpg", "--batch", *argv], b"x")
        assert self.called.exists(), "gpg itself does not start dirmngr either, so this case proves nothing"


@case("a missing e-mail recipient does not start dirmngr, although gpg itself would")
def _():
    fresh("nobody@example.com\n")
    with WatchedDirmngr() as dirmngr:
        refused_for("nobody@example.com")
        dirmngr.holds_that_only_gpg_calls("-e", "-r", "nobody@example.com")


@case("a missing signer does not start dirmngr, although gpg itself would")
def _():
    fresh(f"{ALICE}\n")
    stranger = sign_as_stranger()
    with WatchedDirmngr("auto-key-retrieve", "keyserver hkp://127.0.0.1:9") as dirmngr:
        refused_for(".gpg-id", env=signing(stranger))
        dirmngr.holds_that_only_gpg_calls("--verify", USER.prefix / ".gpg-id.sig", USER.prefix / ".gpg-id")


@case("store and get connect only to local sockets, with an existing and a missing recipient")
def _():
    if is_wrapped():
        raise Skip("strace does not work with the wrapper")
    trace = USER.dir / "trace"
    watched = [need("strace"), "-f", "-e", "trace=execve,connect", "-o", trace, *helper_argv()]
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}   # no ptrace in ptrace
    for run in (lambda: stored_for(ALICE, argv=watched, env=env), lambda: USER.get(URL, argv=watched, env=env),
                lambda: refused_for("nobody@example.com", argv=watched,
                                    env={**env, "PASSWORD_STORE_KEY": "nobody@example.com"})):
        fresh(f"{ALICE}\n")
        USER.store(URL, "me", "secret")
        with WatchedDirmngr():
            run()
        seen = trace.read_text()
        assert "execve(" in seen and not re.search(r'execve\("[^"]*dirmngr|S\.dirmngr', seen), seen
        assert not re.search(r"connect\(.*AF_INET", seen), seen


# --- PASSWORD_STORE_GPG_OPTS ------------------------------------------------

def options(text):
    return {"PASSWORD_STORE_GPG_OPTS": text}


@case("PASSWORD_STORE_GPG_OPTS: with a trust option an untrusted key works")
def _():
    for text in ("--trust-model=always", "--trust-model always", "--always-trust", " --yes\t--always-trust\n"):
        fresh(f"{UNTRUSTED}\n")
        stored_for(UNTRUSTED, env=options(text))
    refused_for(UNTRUSTED, env=options("--trust-model=pgp"))


@case("PASSWORD_STORE_GPG_OPTS: an expired or revoked key does not work, even if every key is trusted")
def _():
    for kind in ("missing", "expired", "revoked", "for signatures only"):   # gpg accepts a disabled key then
        fresh(f"{UNUSABLE[kind][2]}\n")
        refused_for(UNUSABLE[kind][2], env=options("--trust-model=always"))


@case("PASSWORD_STORE_GPG_OPTS: store and get use the keys in --homedir")
def _():
    elsewhere = USER.dir / "empty-gnupg"
    elsewhere.mkdir(mode=0o700, exist_ok=True)
    fresh(f"{ALICE}\n")
    for text in (f"--homedir {USER.gnupg}", f"--homedir={USER.gnupg}"):
        env = {"GNUPGHOME": elsewhere, **options(text)}
        stored_for(ALICE, env=env)
        assert USER.get(URL, env=env) == ("me", "secret")
    assert_refused(USER.store(URL, "me", "new", check=False, env={"GNUPGHOME": elsewhere}), ALICE)
    USER.run(["gpgconf", "--kill", "all"], env={"GNUPGHOME": elsewhere})


@case("PASSWORD_STORE_GPG_OPTS: --armor writes text, --throw-keyids hides the recipients")
def _():
    for text in ("--armor", "-a"):
        fresh(f"{ALICE}\n")
        stored_for(ALICE, env=options(text))
        assert USER.entry(URL, "me").read_bytes().startswith(b"-----BEGIN PGP MESSAGE-----"), text
    fresh(f"{ALICE}\n{BOB}\n")
    USER.store(URL, "me", "secret", env=options("--throw-keyids"))
    assert recipients() == ["0" * 16] * 2 and USER.get(URL) == ("me", "secret")


@case("PASSWORD_STORE_GPG_OPTS: options that the helper sets anyway are accepted")
def _():
    fresh(f"{ALICE}\n")
    for text in ("", "   ", "--no-tty", "--batch", "--quiet", "-q", "--yes", "--use-agent", "--no-encrypt-to",
                 "--compress-algo=none", "--compress-algo none",
                 "--no-tty --batch --quiet --yes --use-agent --no-encrypt-to --compress-algo=none"):
        stored_for(ALICE, env=options(text))
        assert USER.get(URL, env=options(text)) == ("me", "secret"), text


@case("PASSWORD_STORE_GPG_OPTS: --pinentry-mode is passed to gpg")
def _():
    fresh(f"{ALICE}\n")
    for text in ("--pinentry-mode=error", "--pinentry-mode cancel", "--pinentry-mode=ask", "--pinentry-mode=default"):
        stored_for(ALICE, env=options(text))
        assert USER.get(URL, env=options(text)) == ("me", "secret"), text


@case("PASSWORD_STORE_GPG_OPTS: an unsupported option is refused by name, never ignored")
def _():
    fresh(f"{ALICE}\n")
    USER.store(URL, "me", "secret")
    for text, name in (("--output x", "--output"), ("--batch --sign", "--sign"), ("-r x", "-r"),
                       ("--group a=b", "--group"), ("--no-such-option", "--no-such-option"),
                       (f"--recipient {BOB}", "--recipient"), ("--homedirx=/tmp", "--homedirx"),
                       ("nonsense", "nonsense"), ("--homedir", "--homedir"), ("--trust-model", "--trust-model")):
        refused_for("PASSWORD_STORE_GPG_OPTS", name, env=options(text))
        assert_refused(USER.helper("get", stdin=URL.encode(), env=options(text)), name)


# --- PASSWORD_STORE_SIGNING_KEY ---------------------------------------------

def sign(fingerprint, path=None, gpg=("gpg", "--batch")):
    path = path or USER.prefix / ".gpg-id"
    USER.run([*gpg, "--yes", "--detach-sign", "--default-key", fingerprint, "-o", f"{path}.sig", path], check=True)


def sign_as_stranger():
    """Signs .gpg-id with a key from another keyring; returns its fingerprint."""
    with Sandbox() as other:
        stranger = other.make_key("Stranger <stranger@example.com>")
        other.run(["gpg", "--batch", "--detach-sign", "-o", USER.prefix / ".gpg-id.sig", USER.prefix / ".gpg-id"],
                  check=True)
        return stranger


def signing(*fingerprints):
    return {"PASSWORD_STORE_SIGNING_KEY": " ".join(fingerprints)}


SIGNED_BY_SUBKEY = USER.make_key("Dora <dora@example.com>")
USER.run(["gpg", "--batch", "--passphrase=", "--quick-add-key", SIGNED_BY_SUBKEY, "ed25519", "sign", "never"],
         check=True)


@case("PASSWORD_STORE_SIGNING_KEY: a valid signature by a listed key is accepted")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    stored_for(ALICE, env=signing(BOB))
    stored_for(ALICE, env=signing(CAROL, BOB))
    stored_for(ALICE, env=signing("bob@example.org", BOB))


@case("PASSWORD_STORE_SIGNING_KEY: a subkey's signature is accepted by the subkey's or the primary key's fingerprint")
def _():
    fresh(f"{ALICE}\n")
    sign(SIGNED_BY_SUBKEY)
    stored_for(ALICE, env=signing(SIGNED_BY_SUBKEY))
    stored_for(ALICE, env=signing(subkey(SIGNED_BY_SUBKEY, "s")[0]))


@case("PASSWORD_STORE_SIGNING_KEY: a missing or malformed signature is refused, and the error names the file")
def _():
    fresh(f"{ALICE}\n")
    USER.store(URL, "me", "old")
    refused_for(USER.prefix / ".gpg-id", env=signing(BOB))
    for text in (b"", b"garbage", encrypted_for_alice()):
        (USER.prefix / ".gpg-id.sig").write_bytes(text)
        refused_for(".gpg-id", env=signing(BOB))


def encrypted_for_alice():
    return USER.encrypt(b"x", ALICE)


@case("PASSWORD_STORE_SIGNING_KEY: a .gpg-id that was changed after signing is refused")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    (USER.prefix / ".gpg-id").write_text(f"{ALICE}\n{CAROL}\n")
    refused_for(".gpg-id", env=signing(BOB))


@case("PASSWORD_STORE_SIGNING_KEY: a valid signature by another key is refused")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    for other in (CAROL, ALICE, BOB[:-1] + ("0" if BOB[-1] != "0" else "1"), BOB[-16:], "bob@example.org", BOB + BOB):
        refused_for(".gpg-id", env=signing(other))


@case("PASSWORD_STORE_SIGNING_KEY: a signature by a key that is not in the keyring is refused")
def _():
    fresh(f"{ALICE}\n")
    refused_for(".gpg-id", env=signing(sign_as_stranger()))


@case("PASSWORD_STORE_SIGNING_KEY: a revoked or expired signer is refused with the reason")
def _():
    fresh(f"{ALICE}\n")
    gone = USER.make_key("Gone <gone@example.com>")
    sign(gone)
    stored_for(ALICE, env=signing(gone))
    revoke(gone)
    refused_for("revoked", env=signing(gone))
    fresh(f"{ALICE}\n")
    expired = quick_key("Oscar <oscar@example.com>", "ed25519", "sign", "1d", gpg=PAST)
    sign(expired, gpg=PAST)
    refused_for("expired", env=signing(expired))


@case("PASSWORD_STORE_SIGNING_KEY: the signature of the nearest .gpg-id is checked")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    USER.folder.mkdir()
    (USER.folder / ".gpg-id").write_text(f"{CAROL}\n")
    refused_for(USER.folder / ".gpg-id", env=signing(BOB))
    sign(BOB, USER.folder / ".gpg-id")
    stored_for(CAROL, env=signing(BOB))


@case("PASSWORD_STORE_SIGNING_KEY: get, list and erase check no signatures; PASSWORD_STORE_KEY needs none")
def _():
    fresh(f"{ALICE}\n")
    env = signing(BOB)
    stored_for(CAROL, env={**env, "PASSWORD_STORE_KEY": CAROL})
    assert USER.get(URL, env=env) == ("me", "secret") and USER.list(env=env) == {URL: "me"}
    USER.erase(URL, env=env)
    assert USER.list() == {}


@case("PASSWORD_STORE_SIGNING_KEY: an empty value counts as unset")
def _():
    fresh(f"{ALICE}\n")
    stored_for(ALICE, env=signing(""))


@case("PASSWORD_STORE_GPG_OPTS: every option of the installed gpg is in the table, and is accepted or refused with a reason")
def _():
    with Sandbox() as user:
        user.make_store()
        user.store("https://example.com", "me", "secret")
        version = user.run(["gpg", "--version"], check=True).out.decode().split()[2]
        if tuple(int(one) for one in version.split(".")[:2]) > (2, 5):
            raise Skip(f"GnuPG {version} is newer than the table")
        shown = user.run(["gpg", "--dump-options"], check=True).out.decode().split()
        options = [one for one in shown if one[2:3].islower()]  # the other lines are headings
        assert len(options) > 300, options
        unknown, taken = [], []
        for option in options:
            value = {"--homedir": f"={user.gnupg}", "--trust-model": "=pgp", "--pinentry-mode": "=ask"}.get(option, "")
            result = user.helper("get", stdin=b"https://example.com", env={"PASSWORD_STORE_GPG_OPTS": option + value})
            if result.rc == 0:
                assert b'"secret"' in result.out, (option, result)
                taken.append(option)
            elif b"is not known here" in result.out:
                unknown.append(option)
            else:
                assert_refused(result, "PASSWORD_STORE_GPG_OPTS", option)
        assert not unknown, unknown
        assert {"--no-throw-keyids", "--armor", "--batch", "--homedir"} <= set(taken) and "--output" not in taken, taken


main()
