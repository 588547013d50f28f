#!/usr/bin/env python3
"""`doctor` with faults of gpg, its keys, the environment or docker's configuration: the trial login decides."""

import base64
import os
import shutil
import time

from doctor_patient import URL
from harness import Sandbox, Skip, need
from situations import Row, log_in_again, run_table

DCH = "https://github.com/docker/docker-credential-helpers/issues/"
OWN = "tried by hand"


def append(name, text):
    def make(user):
        with open(user.gnupg / name, "a") as file:
            file.write(text)
        user.end_agent()
    return make


def break_conf(text):
    """Writes a gpg.conf that makes gpg fail; restores it at the end, because gpgconf waits long with it."""
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
    """Writes a .gpg-id with this content (bytes); KEY stands for the fingerprint and SUB for that of the subkey."""
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

def symmetric_entry(user):
    encrypted = user.run(["gpg", "--batch", "-q", "--pinentry-mode", "loopback", "--passphrase", "x", "-c", "-o", "-"], b"secret", check=True)
    user.entry(URL, "me").write_bytes(encrypted.out)
    user.end_agent()


def tilde_home(user):
    """Moves the keys to ~/.gnupg, and names it as an environment file does."""
    user.end_agent()
    user.gnupg.rename(user.home / ".gnupg")
    user.env["GNUPGHOME"] = "~/.gnupg"


GPG_REFUSES = (["gpg", "--batch", "-k"], {"gpg-conf-invalid"})  # GnuPG 2.4 and later refuse unknown options
AGENT_REFUSES = (["gpg-agent", "--gpgconf-test"], {"agent-conf-invalid"})

CONFIGURATION = [
    Row("gpg.conf has a value that gpg refuses (trust-model x)", OWN, break_conf("trust-model x\n"),
        {"gpg-conf-invalid"}, words=("'x'",), has_cure=False),
    Row("gpg.conf has an option that this gpg does not know", "https://github.com/jvalecillos/vscode-gpg/issues/14",
        append("gpg.conf", "no-such-option-yet\n"), refused=GPG_REFUSES),
    Row("gpg.conf begins with a byte order mark", OWN,
        lambda user: (user.gnupg / "gpg.conf").write_bytes(b"\xef\xbb\xbfno-auto-key-locate\ndisable-dirmngr\n") and None),
    Row("an option of gpg-agent stands in gpg.conf", "https://github.com/Homebrew/legacy-homebrew/issues/40288",
        append("gpg.conf", "pinentry-program /usr/bin/pinentry\n"), refused=GPG_REFUSES),
    Row("gpg.conf has obsolete options", "https://github.com/linode/docs/issues/3036",
        append("gpg.conf", "use-agent\nno-emit-version\nkeyserver hkps://keys.openpgp.org\npersonal-cipher-preferences AES256\n"),
        refused=GPG_REFUSES),
    Row("gpg-agent.conf has obsolete options", "https://github.com/linode/docs/issues/3036",
        append("gpg-agent.conf", "use-standard-socket\nwrite-env-file\n"), refused=AGENT_REFUSES),
    Row("gpg-agent.conf has an option that the agent does not know", "https://github.com/jamessan/vim-gnupg/pull/73",
        append("gpg-agent.conf", "no-such-option\n"), refused=AGENT_REFUSES),
    Row("gpg.conf has encrypt-to and default-key with keys that are not here", OWN,
        append("gpg.conf", "encrypt-to 0xDEADBEEFDEADBEEF\ndefault-key 0xDEADBEEFDEADBEEF\n")),
    Row("gpg.conf has throw-keyids", OWN, append("gpg.conf", "throw-keyids\n")),
    Row("gpg.conf has debug-level guru, so gpg writes plaintext into files", OWN,
        append("gpg.conf", "debug-level guru\n"), {"gnupg-debug"}, words=("debug-level guru",),
        before="nothing, and a login wrote the password into a file"),
    Row("gpg-agent.conf has debug crypto, so the agent logs session keys", "https://github.com/Nitrokey/gnupg-docker/issues/2",
        append("gpg-agent.conf", "log-file /dev/null\ndebug ipc,crypto\n"), {"gnupg-debug"}, rc=0, before="nothing"),
    Row("PASSWORD_STORE_GPG_OPTS is --no-throw-keyids", OWN, set_env(PASSWORD_STORE_GPG_OPTS="--no-throw-keyids")),
    Row("PASSWORD_STORE_GPG_OPTS could send plaintext elsewhere", OWN, set_env(PASSWORD_STORE_GPG_OPTS="--recipient x"), {"gpg-opts"}),
    Row("trustdb.gpg is corrupt", OWN, garble("trustdb.gpg"), {"encrypt-failed"}, words=("trustdb.gpg",), has_cure=False),
    Row("pubring.kbx is corrupt", OWN, garble("pubring.kbx"), {"encrypt-failed", "entry-fails"}, has_cure=False, words=("ctb=0b",), before="gpg-agent cannot be reached, and a command that does not help"),
    Row("gpg.conf has rfc2440, so gpg refuses what it has encrypted", OWN, append("gpg.conf", "rfc2440\n"), {"decrypt-failed"},
        words=("no MDC",), has_cure=False, before="the entry is damaged"),
    Row("gpg's clock is wrong", OWN, append("gpg.conf", "faked-system-time 20100101T000000\n"),
        {"key-invalid"}, words=("clock",), has_cure=False),
    Row("an entry has a passphrase of its own (gpg -c)", OWN, symmetric_entry, {"no-terminal"}, rc=2, has_cure=False,
        before="the passphrase prompt was cancelled"),
    Row("GNUPGHOME has a ~, which gpg expands", OWN, tilde_home),
    Row("GNUPGHOME does not exist", OWN, set_env(GNUPGHOME="{user.dir}/none"), {"gnupg-home-missing"}, has_cure=False,
        before="there is no key yet, and a command that does not help"),
    Row("gpg is not installed", "https://github.com/jareware/docker-volume-backup/issues/64",
        lambda user: user.env.update(PATH=user.path_without("gpg")), {"gpg-missing"}, reader="root"),
]


# --- recipients -----------------------------------------------------------------------------------------------


def import_public_only(user):
    """Imports only the public part of a key, with trust."""
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
    """Sets the answer to each pinentry prompt; an empty answer means a key without a passphrase."""
    def both(user):
        program = user.dir / "pinentry"
        program.write_text(PINENTRY.format(answer=answer))
        program.chmod(0o755)
        (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {program}\n")
        make(user)
        user.end_agent()
    return both


def rotate(user, entry):
    """Changes the store's key without re-encrypting the entries."""
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
    Row("the key has expired", OWN, expired, {"key-expired"}, key=None),
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
        write_gpg_id(b"\xef\xbb\xbfKEY\n"), {"gpg-id-bom"}, rc=0, before="gpg has no such key"),
    Row(".gpg-id is in UTF-16, as PowerShell's > writes it", "https://github.com/geluk/pass-winmenu/issues/22",
        lambda user: (user.prefix / ".gpg-id").write_bytes(f"{user.key}\r\n".encode("utf-16")), {"gpg-id-utf16"}, before="told to change line ends, which does not help"),
    Row(".gpg-id is empty", OWN, without_entries(write_gpg_id(b"# nobody\n")), {"gpg-id-empty"}),
    Row("a .gpg-id of docker-credential-helpers' own", OWN,
        lambda user: (user.prefix / ".gpg-id").rename(user.folder / ".gpg-id") and None),
    Row("the key was rotated, and an entry is for the old one", DCH + "299", log_in_again(rotate), {"entry-unreadable"}),
    Row("PASSWORD_STORE_SIGNING_KEY is set, and .gpg-id has no signature", OWN,
        lambda user: user.env.update(PASSWORD_STORE_SIGNING_KEY=user.key), {"gpg-id-signature"}),
]

# --- the environment ------------------------------------------------------------------------------------------


def no_pass(user):
    """Hides `pass` from PATH, because with it docker chooses the helper automatically."""
    user.env["PATH"] = f"{user.dir / 'bin'}:{user.path_without('pass')}"


def other_helper(user):
    other = user.dir / "other"
    other.mkdir()
    (other / "docker-credential-pass").write_text("#!/bin/sh\n")
    (other / "docker-credential-pass").chmod(0o755)
    user.env["PATH"] = f"{other}:{user.env['PATH']}"


def plaintext(user):
    auth = base64.b64encode(b"me:secret").decode()
    write_config('{"auths": {"h": {"auth": "%s"}}, "credsStore": "pass"}' % auth)(user)
    (user.docker / "config.json").chmod(0o644)


def with_passphrase(make=None):
    """Makes a key with a passphrase that is not cached; the person types it at the pinentry prompt."""
    def both(user):
        user.make_store(user.key)
        user.store(URL, "me", "secret")
        answer_pinentry(make or (lambda user: None), "pw 1")(user)
    return both


def read_only_config(user):
    need("unshare")
    user.namespace = f"mount --bind {user.docker / 'config.json'} {user.docker / 'config.json'}"
    if user.run(["true"]).rc != 0:
        raise Skip("mounting needs root here")


def closed_directory(user):
    os.chown(user.docker, 0, 0)
    user.docker.chmod(0o755)


def unreadable(name):
    """Makes root the owner of a file of gpg, as sudo gpg does."""
    def make(user):
        path = user.gnupg / name
        os.chown(path, 0, 0)
        path.chmod(0o700 if path.is_dir() else 0o600)
        user.end_agent()
    return make


PASSPHRASE = dict(store=False, passphrase="pw 1")
ENVIRONMENT = [
    Row("the key has a passphrase, and there is no terminal", DCH + "118", with_passphrase(), {"no-terminal", "slow-key"}, rc=2,
        after=2, **PASSPHRASE),
    Row("the same with throw-keyids", OWN, with_passphrase(append("gpg.conf", "throw-keyids\n")), {"no-terminal", "slow-key"}, rc=2,
        is_typed=False, is_long=True, **PASSPHRASE),
    Row("the same with pinentry-mode loopback", OWN, with_passphrase(append("gpg.conf", "pinentry-mode loopback\n")),
        {"no-terminal", "slow-key"}, rc=2, is_typed=False, is_long=True, **PASSPHRASE),
    Row("GPG_TTY is \"not a tty\", as pass sets it in a pipe", "https://github.com/docker/compose/issues/12773",
        with_passphrase(set_env(GPG_TTY="not a tty")), {"gpg-tty-wrong", "no-terminal", "slow-key"}, rc=2, is_typed=False, **PASSPHRASE),
    Row("GPG_TTY is a terminal of tmux's that is gone", OWN,
        with_passphrase(set_env(GPG_TTY="/dev/pts/4096")), {"gpg-tty-wrong", "no-terminal", "slow-key"}, rc=2, is_typed=False, is_long=True,
        **PASSPHRASE),
    Row("pinentry-program is that of a Mac", "https://github.com/drduh/YubiKey-Guide/pull/510",
        with_passphrase(lambda user: (user.gnupg / "gpg-agent.conf").write_text("pinentry-program /opt/homebrew/bin/pinentry-mac\n") and None),
        {"pinentry-missing", "slow-key"}, is_typed=False, before="no command", **PASSPHRASE),
    Row("pinentry-program is in quotes", OWN,
        with_passphrase(lambda user: (user.gnupg / "gpg-agent.conf").write_text(f'pinentry-program "{user.dir}/pinentry"\n') and None),
        {"no-terminal", "slow-key"}, rc=2, is_typed=False, is_long=True, **PASSPHRASE),
    Row("PASSWORD_STORE_KEY names the key", OWN, lambda user: user.env.update(PASSWORD_STORE_KEY=user.key)),
    Row("GNUPGHOME's mode lets others look", OWN, lambda user: user.gnupg.chmod(0o755), {"gnupg-home-mode"}, rc=0),
    Row("pubring.kbx belongs to root after sudo gpg", OWN, unreadable("pubring.kbx"), {"gnupg-unreadable"}, reader="sudo"),
    Row("trustdb.gpg belongs to root after sudo gpg", OWN, unreadable("trustdb.gpg"), {"gnupg-unreadable"}, reader="su"),
    Row("private-keys-v1.d belongs to root after sudo gpg", OWN, unreadable("private-keys-v1.d"), {"gnupg-unreadable"}, reader="sudo"),
    Row("HOME does not exist", OWN, set_env(HOME="/nonexistent"), {"home-missing"}, has_cure=False),
    Row("root with the HOME of a user, as after sudo -E", DCH + "212", lambda user: os.chown(user.home, 12345, 12345),
        {"home-of-another"}, rc=0, reader="root", is_typed=False),
    Row("another docker-credential-pass comes first on PATH", DCH + "158", other_helper, {"other-helper-first"}, rc=0),
]

def no_key(user):
    """Makes a new user without a key and a store."""
    shutil.rmtree(user.gnupg)


def long_home(user):
    """Moves GNUPGHOME to a deep directory, as in a build workspace."""
    if os.path.isdir(f"/run/user/{os.geteuid()}"):
        raise Skip("sockets are in /run/user here, with a short path")
    user.end_agent()
    long = user.dir / ("x" * 100)
    shutil.copytree(user.gnupg, long, ignore=lambda _, names: [name for name in names if name.startswith("S.")])
    user.gnupg.rename(user.home / ".gnupg")
    user.env["GNUPGHOME"] = str(long)


def rsa(user):
    fingerprint = make_key_by(user, "--quick-gen-key", "rsa@x", "rsa3072", "sign,cert", "never")[0]
    make_key_by(user, "--quick-add-key", fingerprint, "rsa3072", "encr", "never")
    user.make_store("rsa@x")


ENVIRONMENT += [
    Row("there is no key and no store yet", DCH + "102", no_key, {"no-key", "store-missing"}, key=None, is_typed=False),
    Row("GNUPGHOME's path is too long for a socket", "https://github.com/sobolevn/git-secret/issues/806", long_home,
        {"socket-path-too-long"}),
    Row("an RSA key of 3072 bits, and many pulls at once", "https://github.com/gopasspw/gopass/issues/1016", rsa, {"rsa-memory"}, rc=0,
        key=None),
    Row("the program is not on PATH", DCH + "182", lambda user: user.env.update(PATH=user.path_without("docker-credential-pass")),
        {"helper-not-on-path"}, reader="root"),
]

def useless_helper(user):
    """Makes docker-credential-secretservice fail as it does without a desktop."""
    program = user.dir / "bin/docker-credential-secretservice"
    program.write_text("#!/bin/sh\necho 'Cannot autolaunch D-Bus without X11 $DISPLAY'\nexit 1\n")
    program.chmod(0o755)


def unusable_program(user):
    """Puts a program of Windows on PATH: it is executable, and the kernel cannot run it."""
    program = user.dir / "bin/docker-credential-desktop.exe"
    program.write_bytes(b"MZ\x90\0\3" + bytes(200))
    program.chmod(0o755)


def link_docker(user):
    user.docker.rename(user.dir / "windows")
    user.docker.symlink_to(user.dir / "windows")


def podman_as_docker(user):
    """Makes docker the script of podman-docker, without DOCKER_CONFIG, which podman reads in its own way."""
    (user.dir / "bin/docker").write_text('#!/bin/sh\nexec /usr/bin/podman "$@"\n')
    (user.dir / "bin/docker").chmod(0o755)
    del user.env["DOCKER_CONFIG"]


def podman_without_docker(user):
    """Hides docker from PATH, puts a podman there, and makes this program podman's helper."""
    no_pass(user)
    user.env["PATH"] = f"{user.dir / 'bin'}:{user.path_without('docker', 'pass')}"
    (user.dir / "bin/podman").write_text("#!/bin/sh\n")
    (user.dir / "bin/podman").chmod(0o755)
    directory = user.home / ".config/containers/registries.conf.d"
    directory.mkdir(parents=True)
    (directory / "pass.conf").write_text('credential-helpers = ["pass"]\n')
    (user.docker / "config.json").unlink()
    del user.env["DOCKER_CONFIG"]


def dead_link(user):
    (user.docker / "config.json").unlink()
    (user.docker / "config.json").symlink_to(user.dir / "gone/config.json")


def config_of_root(user):
    os.chown(user.docker / "config.json", 0, 0)
    (user.docker / "config.json").chmod(0o600)


CONFIG = [
    Row("config.json names no store", DCH + "102", lambda user: (no_pass(user), write_config("{}")(user))[1], {"creds-store-missing"}),
    Row("there is no config.json", DCH + "102", lambda user: (no_pass(user), (user.docker / "config.json").unlink())[1],
        {"creds-store-missing"}),
    Row("config.json of Docker Desktop on Windows (desktop.exe)", DCH + "158", write_config('{"credsStore": "desktop.exe"}'),
        {"creds-store-other"}, answers=((r"\[Y/n\]", "y\n"),)),
    Row("config.json is cut off", OWN, lambda user: (no_pass(user), write_config('{"credsStore": ')(user))[1], {"config-invalid"}),
    Row("there is no config.json, and pass is installed, so docker chooses this program", OWN,
        lambda user: (user.docker / "config.json").unlink(), before="config.json names no store"),
    Row("config.json is cut off, and pass is installed", OWN, write_config('{"credsStore": '), {"config-invalid"},
        rc=0, is_typed=False, before="a login would not work"),
    Row("config.json has comments and a comma at the end", "https://github.com/moby/moby/issues/44905",
        write_config('{\n // mine\n "credsStore": "pass",\n}'), {"config-invalid"}, rc=0, before="a login would not work"),
    Row("config.json begins with a byte order mark", OWN,
        write_config(b'\xef\xbb\xbf{"credsStore": "pass"}'), {"config-invalid"}, rc=0, before="a login would not work"),
    Row("config.json is an object and something else, which docker ignores", OWN,
        lambda user: (no_pass(user), write_config('{"credsStore": "pass"}\n{"auths": {}}')(user))[1], {"config-has-more"}, rc=0,
        has_cure=False, before="a login would not work"),
    Row("the same, and the first object names no store", OWN,
        lambda user: (no_pass(user), write_config('{}{"credsStore": "pass"}')(user))[1], {"config-invalid"}, is_long=True),
    Row("credHelpers alone names this program for a registry", "https://github.com/docker/docker-credential-helpers/issues/182",
        lambda user: (no_pass(user), write_config('{"credHelpers": {"example.com": "pass"}}')(user))[1], is_long=True),
    Row("credHelpers alone names this program, and has https:// before the registry",
        "https://github.com/keirlawson/docker_credential/issues/22",
        lambda user: (no_pass(user), write_config('{"credHelpers": {"https://example.com": "pass"}}')(user))[1],
        {"creds-store-missing", "cred-helper-name"}, left={"cred-helper-name"}, words=("asks for example.com",),
        before="a login would work"),
    Row("credHelpers has another name of Docker Hub than docker", "https://github.com/GoogleContainerTools/jib/issues/2182",
        write_config('{"credsStore": "pass", "credHelpers": {"https://docker.io": "pass"}}'), {"cred-helper-name"}, rc=0,
        has_cure=False, words=("asks for https://index.docker.io/v1/",), before="nothing"),
    Row("experimental is true, where docker wants a text", "https://github.com/docker/cli/pull/2613",
        write_config('{"credsStore": "pass", "experimental": true}'), {"config-member-wrong"}, rc=0, has_cure=False,
        words=("experimental",), before="nothing"),
    Row("credHelpers names a helper of a cloud that is not installed", "https://github.com/docker/compose/issues/5978",
        write_config('{"credsStore": "pass", "credHelpers": {"gcr.io": "no-such-cloud"}}'), {"cred-helper-missing"}, rc=0, has_cure=False,
        words=("docker-credential-no-such-cloud", "gcr.io"), before="nothing"),
    Row("credsStore is secretservice on a machine without a desktop", DCH + "170",
        lambda user: (useless_helper(user), write_config('{"credsStore": "secretservice"}')(user))[1], {"creds-store-other"},
        words=("fails here",), answers=((r"\[Y/n\]", "y\n"),), before="a command that fails"),
    Row("credsStore is desktop.exe, which cannot be executed in WSL", "https://github.com/docker/for-win/issues/12091",
        lambda user: (no_pass(user), unusable_program(user), write_config('{"credsStore": "desktop.exe"}')(user))[2],
        {"creds-store-other"}, words=("fails here",), answers=((r"\[Y/n\]", "y\n"),)),
    Row("~/.docker is a link to a directory elsewhere", "https://github.com/canonical/docker-snap/issues/18", link_docker, is_long=True),
    Row("docker chooses secretservice, because pass is not installed", "https://github.com/docker/docker-credential-helpers/issues/105",
        lambda user: (no_pass(user), useless_helper(user), write_config("{}")(user))[2], {"creds-store-missing"},
        before="that docker writes the password into the file"),
    Row("docker is podman (the package podman-docker)", "https://github.com/podman-container-tools/podman/issues/14767",
        podman_as_docker, {"docker-is-podman"}, before="a login would work"),
    Row("docker is not installed, and podman uses this program", "https://github.com/podman-container-tools/podman/issues/19382",
        podman_without_docker, before="docker's file names no credential store"),
    Row("DOCKER_CONFIG names the file, not its directory", OWN,
        lambda user: user.env.update(DOCKER_CONFIG=str(user.docker / "config.json")), {"config-unreadable"}, before="no command"),
    Row("config.json is a link whose directory is gone", "https://github.com/docker/cli/issues/5281", dead_link, {"config-dead-link"},
        rc=0, deletes=True, before="a login would not work"),
    Row("config.json belongs to root, after sudo docker login with mode 0600", DCH + "212", config_of_root, {"config-unreadable"},
        rc=0, reader="sudo", before="a login would not work"),
    Row("config.json is a directory, as docker makes a missing mount", OWN,
        lambda user: ((user.docker / "config.json").unlink(), (user.docker / "config.json").mkdir())[1], {"config-unreadable"},
        before="a chmod that does not help"),
    Row("config.json is a mount of its own", OWN, read_only_config, {"config-not-writable"}, has_cure=False),
    Row("~/.docker belongs to root after sudo docker", DCH + "212", closed_directory, {"config-not-writable"}, reader="sudo"),
    Row("the same, by a user without sudo", DCH + "212", closed_directory, {"config-not-writable"}, reader="su",
        before="sudo, which this user does not have"),
    Row("passwords are left in config.json", OWN, plaintext,
        {"plaintext-auths", "config-readable-by-others"}, rc=0),
]

run_table("doctor", [*CONFIGURATION, *RECIPIENTS, *ENVIRONMENT, *CONFIG])
