#!/usr/bin/env python3
"""To whom an entry is encrypted: .gpg-id and its forms, what overrides it, what makes a key unusable,
the options of PASSWORD_STORE_GPG_OPTS, and signed .gpg-id files."""

import os
import re
import shutil

from harness import Sandbox, Skip, assert_refused, case, helper_argv, is_wrapped, main, need, shared_sandbox

URL = "https://example.com"
USER = shared_sandbox()
PAST = ["gpg", "--batch", "--passphrase=", "--faked-system-time=20200101T000000!"]


def quick_key(uid, *how, gpg=("gpg", "--batch", "--passphrase=")):
    """A key made by gpg --quick-gen-key; its fingerprint."""
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
    """Fingerprint and keygrip of the key's subkey for this usage ("e" or "s")."""
    lines = colons(fingerprint, "--with-keygrip")
    at = next(n for n, line in enumerate(lines) if line[0] == "sub" and usage in line[11])
    return (next(line[9] for line in lines[at:] if line[0] == "fpr"),
            next(line[9] for line in lines[at:] if line[0] == "grp"))


def make_expired():
    fingerprint = quick_key("Eve <eve@example.com>", "ed25519", "sign", "1d", gpg=PAST)
    USER.run([*PAST, "--quick-add-key", fingerprint, "cv25519", "encr", "1d"], check=True)
    return fingerprint


def make_stale():
    """A key that is good itself, but whose encryption subkey has expired."""
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
UNUSABLE = {  # the reason that the error must give; the names must not hold its words
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


# --- looking into entries ---------------------------------------------------

def key_id(fingerprint):
    return subkey(fingerprint, "e")[0][-16:]


def packets(path=None, *options):
    return USER.run(["gpg", "--batch", "--list-packets", *options, path or USER.entry(URL, "me")], check=True).out.decode()


def recipients(path=None):
    """Key ids of the packets that name a recipient, sorted, doubles and all.

    Without decrypting: gpg 2.4 tries its keys on hidden recipients, and each wrong key is an exit status of 2.
    """
    return sorted(re.findall(r"^:pubkey enc packet: .* keyid ([0-9A-F]{16})$", packets(path, "--list-only"), re.M))


def fresh(text=None):
    """An empty store with this .gpg-id (text or bytes; none at all for None)."""
    shutil.rmtree(USER.prefix, ignore_errors=True)
    USER.prefix.mkdir(mode=0o700)
    if text is not None:
        (USER.prefix / ".gpg-id").write_bytes(text if isinstance(text, bytes) else text.encode())


def stored_for(*fingerprints, **more):
    """Stores, and holds that the entry is for exactly these keys and can be read."""
    USER.store(URL, "me", "secret", **more)
    wanted = sorted(key_id(one) for one in fingerprints)
    assert recipients() == wanted, (recipients(), wanted)
    assert USER.get(URL) == ("me", "secret")


def refused_for(*words, reason=b"", **more):
    """store fails in one line with these words, and the store stays as it is."""
    before = USER.snapshot()
    done = USER.store(URL, "me", "new", check=False, **more)
    assert_refused(done, *words)
    assert re.search(reason, done.out, re.I), f"the reason ({reason}) is missing: {done}"
    assert USER.snapshot() == before, "the store has changed"


def with_gpg_conf(*lines):
    """A with-block in which gpg.conf has these lines too."""
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
    return {"a fingerprint": ALICE, "a fingerprint in lower case": ALICE.lower(), "a fingerprint with blanks": spaced,
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


@case("a line that looks like an option is a name")
def _():
    for line in ("--hidden", "--armor", "--file", "-r", "--"):
        fresh(f"{ALICE}\n{line}\n")
        refused_for(line)


@case("gpg.conf groups work, with blanks in their names too, of one key and of several")
def _():
    with with_gpg_conf(f"group team = {ALICE} {BOB}", f"group big group = {CAROL}", "group abc = alice@example.com"):
        fresh("team\n")
        stored_for(ALICE, BOB)
        fresh("big group\nabc\n")
        stored_for(ALICE, CAROL)


@case("a group with a member that cannot be used is refused, and the member named")
def _():
    with with_gpg_conf(f"group team = {ALICE} ron@example.com"):
        fresh("team\n")
        refused_for("ron@example.com")


@case("comments, blanks, carriage returns, empty lines and a last line without newline")
def _():
    fresh("# the team\n\n"
          f"  \t alice@example.com \t\r\n   \r\n#bob\n{BOB}   # Bob\r\n\t# nobody@example.com\r\n"
          "Carol <carol@example.com>#home")
    stored_for(ALICE, BOB, CAROL)
    fresh(ALICE)
    stored_for(ALICE)
    fresh(f"{ALICE}\r")
    stored_for(ALICE)


@case("a key named twice is one recipient")
def _():
    fresh(f"{ALICE}\nalice@example.com\n{ALICE}\n")
    stored_for(ALICE)


@case("several recipients: one visible packet each, nothing compressed, no file name, nothing but the message")
def _():
    fresh(f"{ALICE}\n{BOB}\n{CAROL}\n")
    stored_for(ALICE, BOB, CAROL)
    shown = packets()
    assert ":compressed packet:" not in shown and ":signature packet:" not in shown, shown
    assert shown.count(":literal data packet:") == 1 and 'name=""' in shown, shown
    assert USER.entry(URL, "me").read_bytes()[0] & 0x80, "an entry is binary"


@case("gpg.conf's encrypt-to and default keys add no recipient")
def _():
    with with_gpg_conf(f"encrypt-to {BOB}", f"hidden-encrypt-to {CAROL}", "default-recipient-self",
                       f"default-key {BOB}"):
        fresh(f"{ALICE}\n")
        stored_for(ALICE)


@case("a hundred recipients that are one key, and a .gpg-id of 100 KB, are read")
def _():
    fresh("# " + "x" * 100000 + "\n" + f"{ALICE}\n" * 100)
    stored_for(ALICE)


# --- which .gpg-id ----------------------------------------------------------

@case("docker-credential-helpers/.gpg-id comes before the store's")
def _():
    fresh(f"{ALICE}\n")
    USER.folder.mkdir()
    (USER.folder / ".gpg-id").write_text(f"{BOB}\n")
    stored_for(BOB)


@case("the server directory's own .gpg-id comes before all others, for a nested user too")
def _():
    fresh(f"{ALICE}\n")
    USER.server_folder(URL).mkdir(parents=True)
    (USER.folder / ".gpg-id").write_text(f"{BOB}\n")
    (USER.server_folder(URL) / ".gpg-id").write_text(f"{CAROL}\n")
    stored_for(CAROL)
    USER.store(URL, "tenancy/me", "secret")
    assert recipients(USER.entry(URL, "tenancy/me")) == [key_id(CAROL)]
    assert USER.get(URL) == ("tenancy/me", "secret")


@case("a .gpg-id beside a nested user comes before the server directory's")
def _():
    fresh(f"{ALICE}\n")
    (USER.server_folder(URL) / "tenancy").mkdir(parents=True)
    (USER.server_folder(URL) / "tenancy" / ".gpg-id").write_text(f"{BOB}\n")
    USER.store(URL, "tenancy/me", "secret")
    assert recipients(USER.entry(URL, "tenancy/me")) == [key_id(BOB)]


@case("a .gpg-id above the store is not looked at")
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


@case("an overwritten entry is for today's recipients, not those of the old one")
def _():
    fresh(f"{ALICE}\n")
    stored_for(ALICE)
    (USER.prefix / ".gpg-id").write_text(f"{BOB}\n{CAROL}\n")
    stored_for(BOB, CAROL)


@case("PASSWORD_STORE_KEY overrides every .gpg-id; several ids are parted by blanks; empty, it is unset")
def _():
    fresh(f"{ALICE}\n")
    stored_for(BOB, env={"PASSWORD_STORE_KEY": BOB})
    stored_for(BOB, CAROL, env={"PASSWORD_STORE_KEY": f" {BOB}\t carol@example.com\n"})
    stored_for(ALICE, env={"PASSWORD_STORE_KEY": ""})
    fresh("nobody@example.com\n")
    stored_for(BOB, env={"PASSWORD_STORE_KEY": BOB})
    fresh()
    stored_for(BOB, env={"PASSWORD_STORE_KEY": BOB})


@case("a PASSWORD_STORE_KEY that cannot be used is refused by name")
def _():
    fresh(f"{ALICE}\n")
    refused_for("nobody@example.com", env={"PASSWORD_STORE_KEY": "nobody@example.com"})
    refused_for("nobody@example.com", env={"PASSWORD_STORE_KEY": f"{ALICE} nobody@example.com"})


# --- keys that cannot be used -----------------------------------------------

for kind, (reason, address, fingerprint) in UNUSABLE.items():
    @case(f"a key {kind}: store names it and why, and leaves the store as it was")
    def _(reason=reason, names=(address, fingerprint)):
        for name in names:
            fresh(f"{name}\n")
            refused_for(name, reason=reason)

    @case(f"a key {kind} among good ones: store fails whole, and the old entry stays")
    def _(reason=reason, names=(address, fingerprint)):
        for name in names:
            fresh(f"{ALICE}\n")
            USER.store(URL, "me", "old")
            (USER.prefix / ".gpg-id").write_text(f"{ALICE}\n{name}\n{BOB}\n")
            refused_for(name, reason=reason)
            assert USER.get(URL) == ("me", "old")


@case("the primary key alone, which cannot encrypt, is refused by name")
def _():
    fresh(f"{ALICE}!\n")
    refused_for(f"{ALICE}!")


# --- no network -------------------------------------------------------------

class WatchedDirmngr:
    """A with-block in which gpg may look for keys on the network, but finds a dirmngr that only tells of it."""

    def __init__(self, *conf):
        self.called, self.program = USER.dir / "dirmngr-called", USER.dir / "dirmngr"
        self.program.write_text(f"#!/bin/sh\necho called >>{self.called}\nexit 1\n")
        self.program.chmod(0o755)
        self.called.unlink(missing_ok=True)
        self.conf, self.lines = USER.gnupg / "gpg.conf", (f"dirmngr-program {self.program}", *conf)
        self.before = self.conf.read_text()

    def __enter__(self):
        self.conf.write_text("".join(f"{line}\n" for line in self.lines))   # instead of the sandbox's prohibitions
        return self

    def __exit__(self, *_):
        self.conf.write_text(self.before)

    def holds_that_only_gpg_calls(self, *argv):
        assert not self.called.exists(), "dirmngr was started"
        USER.run(["gpg", "--batch", *argv], b"x")
        assert self.called.exists(), "gpg alone does not start it either: this case proves nothing"


@case("a missing e-mail recipient starts no dirmngr, even where gpg alone would")
def _():
    fresh("nobody@example.com\n")
    with WatchedDirmngr() as dirmngr:
        refused_for("nobody@example.com")
        dirmngr.holds_that_only_gpg_calls("-e", "-r", "nobody@example.com")


@case("a signer that is not in the keyring starts no dirmngr, even where gpg alone would")
def _():
    fresh(f"{ALICE}\n")
    stranger = sign_as_stranger()
    with WatchedDirmngr("auto-key-retrieve", "keyserver hkp://127.0.0.1:9") as dirmngr:
        refused_for(".gpg-id", env=signing(stranger))
        dirmngr.holds_that_only_gpg_calls("--verify", USER.prefix / ".gpg-id.sig", USER.prefix / ".gpg-id")


@case("store and get connect to nothing but local sockets, whether the recipient is there or missing")
def _():
    if is_wrapped():
        raise Skip("strace and the wrapper do not mix")
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


@case("PASSWORD_STORE_GPG_OPTS: the ways to trust a key make an untrusted one work")
def _():
    for text in ("--trust-model=always", "--trust-model always", "--always-trust", " --yes\t--always-trust\n"):
        fresh(f"{UNTRUSTED}\n")
        stored_for(UNTRUSTED, env=options(text))
    refused_for(UNTRUSTED, env=options("--trust-model=pgp"))


@case("PASSWORD_STORE_GPG_OPTS: trusting every key makes no expired or revoked one work")
def _():
    for kind in ("missing", "expired", "revoked", "for signatures only"):   # gpg itself then takes a disabled one
        fresh(f"{UNUSABLE[kind][2]}\n")
        refused_for(UNUSABLE[kind][2], env=options("--trust-model=always"))


@case("PASSWORD_STORE_GPG_OPTS: --homedir is where store and get find the keys")
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


@case("PASSWORD_STORE_GPG_OPTS: what says no more than we do anyway is accepted")
def _():
    fresh(f"{ALICE}\n")
    for text in ("", "   ", "--no-tty", "--batch", "--quiet", "-q", "--yes", "--use-agent", "--no-encrypt-to",
                 "--compress-algo=none", "--compress-algo none",
                 "--no-tty --batch --quiet --yes --use-agent --no-encrypt-to --compress-algo=none"):
        stored_for(ALICE, env=options(text))
        assert USER.get(URL, env=options(text)) == ("me", "secret"), text


@case("PASSWORD_STORE_GPG_OPTS: --pinentry-mode is handed to gpg")
def _():
    fresh(f"{ALICE}\n")
    for text in ("--pinentry-mode=error", "--pinentry-mode cancel", "--pinentry-mode=ask", "--pinentry-mode=default"):
        stored_for(ALICE, env=options(text))
        assert USER.get(URL, env=options(text)) == ("me", "secret"), text


@case("PASSWORD_STORE_GPG_OPTS: an option we cannot carry out is refused by name, never ignored")
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
    """Signs .gpg-id with a key of somebody else's keyring; returns its fingerprint."""
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


@case("PASSWORD_STORE_SIGNING_KEY: a good signature by a named key is accepted")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    stored_for(ALICE, env=signing(BOB))
    stored_for(ALICE, env=signing(CAROL, BOB))
    stored_for(ALICE, env=signing("bob@example.org", BOB))


@case("PASSWORD_STORE_SIGNING_KEY: a subkey's signature counts by the subkey's and by the primary's fingerprint")
def _():
    fresh(f"{ALICE}\n")
    sign(SIGNED_BY_SUBKEY)
    stored_for(ALICE, env=signing(SIGNED_BY_SUBKEY))
    stored_for(ALICE, env=signing(subkey(SIGNED_BY_SUBKEY, "s")[0]))


@case("PASSWORD_STORE_SIGNING_KEY: no signature, or one that is none: refused, naming the file")
def _():
    fresh(f"{ALICE}\n")
    USER.store(URL, "me", "old")
    refused_for(USER.prefix / ".gpg-id", env=signing(BOB))
    for text in (b"", b"garbage", encrypted_for_alice()):
        (USER.prefix / ".gpg-id.sig").write_bytes(text)
        refused_for(".gpg-id", env=signing(BOB))


def encrypted_for_alice():
    return USER.encrypt(b"x", ALICE)


@case("PASSWORD_STORE_SIGNING_KEY: a .gpg-id that was changed after it was signed is refused")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    (USER.prefix / ".gpg-id").write_text(f"{ALICE}\n{CAROL}\n")
    refused_for(".gpg-id", env=signing(BOB))


@case("PASSWORD_STORE_SIGNING_KEY: a good signature by anyone else is refused")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    for other in (CAROL, ALICE, BOB[:-1] + ("0" if BOB[-1] != "0" else "1"), BOB[-16:], "bob@example.org", BOB + BOB):
        refused_for(".gpg-id", env=signing(other))


@case("PASSWORD_STORE_SIGNING_KEY: a signature by a key that is not in the keyring is refused")
def _():
    fresh(f"{ALICE}\n")
    refused_for(".gpg-id", env=signing(sign_as_stranger()))


@case("PASSWORD_STORE_SIGNING_KEY: a signer that was revoked, or has expired, is refused, and why is said")
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


@case("PASSWORD_STORE_SIGNING_KEY: it is the nearest .gpg-id whose signature counts")
def _():
    fresh(f"{ALICE}\n")
    sign(BOB)
    USER.folder.mkdir()
    (USER.folder / ".gpg-id").write_text(f"{CAROL}\n")
    refused_for(USER.folder / ".gpg-id", env=signing(BOB))
    sign(BOB, USER.folder / ".gpg-id")
    stored_for(CAROL, env=signing(BOB))


@case("PASSWORD_STORE_SIGNING_KEY: get, list and erase do not look at signatures; PASSWORD_STORE_KEY needs none")
def _():
    fresh(f"{ALICE}\n")
    env = signing(BOB)
    stored_for(CAROL, env={**env, "PASSWORD_STORE_KEY": CAROL})
    assert USER.get(URL, env=env) == ("me", "secret") and USER.list(env=env) == {URL: "me"}
    USER.erase(URL, env=env)
    assert USER.list() == {}


@case("PASSWORD_STORE_SIGNING_KEY: empty, it is unset")
def _():
    fresh(f"{ALICE}\n")
    stored_for(ALICE, env=signing(""))


@case("PASSWORD_STORE_GPG_OPTS: every option of this gpg is known, and each is accepted or refused for a reason")
def _():
    with Sandbox() as user:
        user.make_store()
        user.store("https://example.com", "me", "secret")
        version = user.run(["gpg", "--version"], check=True).out.decode().split()[2]
        if tuple(int(one) for one in version.split(".")[:2]) > (2, 5):
            raise Skip(f"GnuPG {version} is newer than the table")
        shown = user.run(["gpg", "--dump-options"], check=True).out.decode().split()
        options = [one for one in shown if one[2:3].islower()]  # the others are headings
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
