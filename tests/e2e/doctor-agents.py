#!/usr/bin/env python3
"""`doctor` with faults of gpg-agent, keyboxd, the pinentry or a smartcard."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import threading
import time

from card_holder import count, hand_over_card
from doctor_patient import URL, Patient
from harness import Sandbox, Skip, need
from situations import Row, run_table

OWN = "tried by hand"
YUBIKEY = "https://github.com/drduh/YubiKey-Guide/"
AGENT_LOCK, KEYBOXD_LOCK = "gnupg_spawn_agent_sentinel.lock", "gnupg_spawn_keyboxd_sentinel.lock"
DATABASE_LOCK = "public-keys.d/pubring.db.lock"
SHORT = {"DOCKER_CREDENTIAL_PASS_TIMEOUT": "2"}  # gpg waits for a lock without a timeout


def stop_daemons(user):
    user.end_agent()


# --- locks ----------------------------------------------------------------------------------------------------


def lock(name, pid, host=None, is_old=False):
    """Makes a lock file of GnuPG that names this process and host."""
    def make(user):
        stop_daemons(user)
        path = user.gnupg / name
        for old in path.parent.glob(".#lk*"):
            old.unlink()
        path.write_text(f"{pid:10d}\n{host or socket.gethostname()}\n")
        if is_old:
            os.utime(path, (1_000_000_000, 1_000_000_000))
    return make


def dead_pid():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def with_keyboxd(make=None):
    """Moves the user's keys into keyboxd, as in new homes of GnuPG 2.4."""
    def both(user):
        keyboxd = user.run(["gpgconf", "--list-components"]).out.decode()
        if not any(line.startswith("keyboxd:") and os.access(line.split(":")[2], os.X_OK) for line in keyboxd.splitlines()):
            raise Skip("this GnuPG has no keyboxd")
        keys = user.run(["gpg", "--batch", "--export"], check=True).out
        (user.gnupg / "common.conf").write_text("use-keyboxd\n")
        user.run(["gpg", "--batch", "--quiet", "--import"], keys, check=True)
        return make(user) if make else None
    return both


LOCKS = [
    Row("gpg-agent's start lock, its process gone", "https://github.com/linuxboot/heads/issues/1021", lock(AGENT_LOCK, dead_pid()), is_long=True),
    Row("gpg-agent's start lock, its process gone and its number in use again", OWN, lock(AGENT_LOCK, os.getpid(), is_old=True),
        {"gnupg-lock"}, words=(AGENT_LOCK,), deletes=True, env=SHORT, before="gpg did not end in time; the lock was not named"),
    Row("gpg-agent's start lock of a container that is gone", "https://github.com/linuxboot/heads/issues/1021",
        lock(AGENT_LOCK, 7, "buildkitsandbox"), {"gnupg-lock"}, words=("process 7", "buildkitsandbox"), has_cure=False, env=SHORT, before="gpg did not end in time; the lock was not named"),
    Row("gpg-agent's start lock, its process running", OWN, lock(AGENT_LOCK, os.getpid()), {"gnupg-lock"},
        words=(f"process {os.getpid()}",), has_cure=False, env=SHORT, before="gpg did not end in time; the lock was not named", is_long=True),
    Row("keyboxd runs and holds its database's lock", "https://github.com/IJHack/QtPass/issues/815", with_keyboxd()),
    Row("keyboxd's start lock, its process gone and its number in use again", "https://github.com/containers/common/issues/2433",
        with_keyboxd(lock(KEYBOXD_LOCK, os.getpid(), is_old=True)), {"gnupg-lock"}, words=(KEYBOXD_LOCK,), deletes=True, env=SHORT, before="gpg did not end in time; the lock was not named"),
    Row("keyboxd's database lock, its process gone", "https://github.com/userbradley/documentation.breadnet.co.uk/issues/659",
        with_keyboxd(lock(DATABASE_LOCK, dead_pid()))),
    Row("keyboxd's database lock, its process gone and its number in use again", "https://github.com/rockstor/rockstor-core/issues/3117",
        with_keyboxd(lock(DATABASE_LOCK, os.getpid(), is_old=True)), {"gnupg-lock"}, words=(DATABASE_LOCK,), deletes=True, env=SHORT),
    Row("keyboxd's database lock of a container that is gone", "https://github.com/linuxboot/heads/issues/1021",
        with_keyboxd(lock(DATABASE_LOCK, 7, "buildkitsandbox")), {"gnupg-lock"}, words=("buildkitsandbox",), has_cure=False,
        env=SHORT),
    Row("use-keyboxd was switched on, and the keys are still in pubring.kbx", "https://github.com/canonical/cloud-init/issues/4989",
        with_keyboxd(lambda user: (stop_daemons(user), (user.gnupg / "public-keys.d/pubring.db").unlink())[0]),
        {"keyboxd-empty"}),
]


# --- the agent ------------------------------------------------------------------------------------------------


def conf(name, text):
    def make(user):
        with open(user.gnupg / name, "a") as file:
            file.write(text.format(user=user))
        stop_daemons(user)
    return make


def kill_agent(user):
    """Kills the agent, which leaves its socket."""
    user.run(["gpg-connect-agent", "/bye"], check=True)
    os.kill(agent_pid(user), signal.SIGKILL)


def agent_pid(user):
    return int(user.run(["gpg-connect-agent", "/decode", "GETINFO pid", "/bye"], check=True).out.split()[1])


def stop_agent(user):
    pid = agent_pid(user)
    state = ""
    while "T (stopped)" not in state:  # the kernel continues a process that has just become an orphan
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.2)
        state = pathlib.Path(f"/proc/{pid}/status").read_text()
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def hide_agent(user):
    """Hides gpg-agent, as in a container image with only gpg."""
    need("unshare")
    stop_daemons(user)
    user.namespace = "mount --bind /dev/null /usr/bin/gpg-agent"
    if user.run(["true"]).rc != 0:
        raise Skip("mounting needs root here")


def read_only_home(user):
    """Mounts GNUPGHOME read-only, like a mounted secret: no socket can be created in it."""
    need("unshare")
    stop_daemons(user)
    user.namespace = f"mount --bind {user.gnupg} {user.gnupg} && mount -o remount,bind,ro {user.gnupg}"
    if user.run(["true"]).rc != 0:
        raise Skip("mounting needs root here")


def redirected_socket(user):
    """Redirects the sockets, as in a home directory on NFS, where no socket can be created."""
    stop_daemons(user)
    place = user.dir / "sockets"
    place.mkdir(mode=0o700)
    for name in ("S.gpg-agent", "S.gpg-agent.extra", "S.gpg-agent.ssh", "S.gpg-agent.browser"):
        (user.gnupg / name).write_text(f"%Assuan%\nsocket={place}/{name}\n")


def forward_agent(user):
    """Moves the secret key to another agent, which is reached through its restricted socket."""
    with Patient() as here:
        user.import_key(here.export_key(here.key))
        user.make_store(here.key)
        (user.gnupg / "gpg.conf").write_text("no-autostart\n")
        here.run(["gpg-connect-agent", "/bye"], check=True)
        extra = here.run(["gpgconf", "--list-dirs", "agent-extra-socket"], check=True).out.decode().strip()
        path = pathlib.Path(user.run(["gpgconf", "--list-dirs", "agent-socket"], check=True).out.decode().strip())
        stop_daemons(user)
        path.write_text(f"%Assuan%\nsocket={extra}\n")
        user.store(URL, "me", "secret")
        yield
        path.unlink()


def mounted_socket(user):
    """Mounts the agent's own socket into a container that has only the public key."""
    with Patient() as here:
        user.import_key(here.export_key(here.key))
        user.make_store(here.key)
        here.run(["gpg-connect-agent", "/bye"], check=True)
        there = here.run(["gpgconf", "--list-dirs", "agent-socket"], check=True).out.decode().strip()
        path = pathlib.Path(user.run(["gpgconf", "--list-dirs", "agent-socket"], check=True).out.decode().strip())
        stop_daemons(user)
        path.symlink_to(there)
        user.store(URL, "me", "secret")
        yield
        path.unlink()


def entry_of_unknown_key(user):
    """Makes an entry for an unknown key; no agent runs."""
    with Patient() as other:
        user.entry(URL, "me").write_bytes(other.entry(URL, "me").read_bytes())
    stop_daemons(user)


def lose_socket(user):
    """Removes the socket of an agent that runs."""
    user.run(["gpg-connect-agent", "/bye"], check=True)
    socket_path(user).unlink()


def socket_path(user):
    return pathlib.Path(user.run(["gpgconf", "--list-dirs", "agent-socket"], check=True).out.decode().strip())


def relay(answers):
    """Puts the socket of a relay to an agent on Windows in the agent's place: it is dead, or ends each connection."""
    def make(user):
        stop_daemons(user)
        path = socket_path(user)
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            if not answers:
                listener.close()
                yield
                return
            relaying = threading.Thread(target=hang_up, args=(listener,), daemon=True)
            relaying.start()
            yield
            listener.shutdown(socket.SHUT_RDWR)
            relaying.join()
            path.unlink()
    return make


def hang_up(listener):
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


def broken_pinentry(script):
    """Needs a passphrase, and has a pinentry that cannot ask for it."""
    def make(user):
        user.make_store(user.key)
        user.store(URL, "me", "secret")
        program = user.dir / "pinentry"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        (user.gnupg / "gpg-agent.conf").write_text(f"pinentry-program {program}\n")
        stop_daemons(user)
    return make


NO_TERMINAL = """echo OK
while read -r word rest; do
    case $word in
    GETPIN) echo 'S ERROR curses.isatty 83918950'; echo 'ERR 83918950 Inappropriate ioctl for device <Pinentry>' ;;
    BYE) echo OK; exit ;;
    *) echo OK ;;
    esac
done
"""

PASSPHRASE = dict(store=False, passphrase="pw 1", options=("--prompt",))

AGENTS = [
    Row("no gpg-agent runs yet", OWN, stop_daemons),
    Row("gpg-agent died and left its socket", OWN, kill_agent),
    Row("gpg-agent does not answer", OWN, stop_agent, {"agent-hangs"}, env=SHORT, before="told to use gpgconf --kill, which hangs too"),
    Row("gpg-agent is not installed", "https://github.com/goreleaser/goreleaser/pull/6763", hide_agent, {"agent-missing"}, reader="root", before="a command that does not help"),
    Row("agent-program in gpg.conf names no program", OWN, conf("gpg.conf", "agent-program /nonexistent\n"), {"agent-program-wrong"}, before="a command that helps until the agent ends"),
    Row("no-autostart in gpg.conf, and no agent", OWN, conf("gpg.conf", "no-autostart\n"), {"agent-not-started"}),
    Row("the sockets are redirected elsewhere, as on NFS and WSL", "https://github.com/sobolevn/git-secret/issues/806", redirected_socket),
    Row("GNUPGHOME is read-only, so no agent can listen in it", "https://github.com/sobolevn/git-secret/issues/806", read_only_home, {"agent-unreachable"}, has_cure=False, before="a command that does not help"),
    Row("an agent of another machine, by ssh and its restricted socket, with --prompt", YUBIKEY + "issues/85", forward_agent, key=None, options=("--prompt",)),
    Row("an agent's socket mounted into a container", "https://github.com/vv9k/pkger/issues/59", mounted_socket, key=None),
    Row("gpg-agent runs, and its socket was removed", "https://github.com/cruegge/pam-gnupg/issues/19", lose_socket),
    Row("the socket of a relay (socat) that has ended, in WSL", "https://github.com/BlackReloaded/wsl2-ssh-pageant/issues/12", relay(False)),
    Row("the socket of a relay that ends each connection, in WSL", "https://github.com/BlackReloaded/wsl2-ssh-pageant/issues/31",
        relay(True), is_long=True),
    Row("the pinentry needs a display and ends, with --prompt", "https://github.com/t-8ch/pinentry-bemenu/issues/12",
        broken_pinentry("exit 15\n"), {"no-terminal", "decrypt-failed"}, has_cure=False, words=("pinentry-program",), **PASSPHRASE),
    Row("the pinentry finds no terminal, with --prompt", "https://github.com/quexten/goldwarden/issues/67",
        broken_pinentry(NO_TERMINAL), {"no-terminal", "decrypt-failed"}, has_cure=False, words=("no terminal to ask",), is_long=True, **PASSPHRASE),
    Row("an entry for an unknown key, and no agent runs", "https://github.com/docker/docker-credential-helpers/issues/299",
        entry_of_unknown_key, {"entry-unreadable"}, is_typed=False, before="gpg-agent cannot be reached"),
]

# --- smartcards -----------------------------------------------------------------------------------------------


def card(change=None, uses=0):
    """Puts the key on a card, then changes something. At the end, the card was used at most as often as the row says."""
    def make(user):
        with Sandbox() as owner:
            hand_over_card(user, owner)
            (user.card / "log").write_text("")
            if change:
                change(user)
                stop_daemons(user)
            yield
            used = count(user, "log", "PKDECRYPT")
            asked = count(user, "pinentry-log", "GETPIN")
            assert used <= uses and asked <= uses, f"the card was used {used} times, its PIN asked for {asked} times"
    return make


def touch(name):
    return lambda user: (user.card / name).touch()


def another_card(user):
    """Inserts a second card with the same key: gpg expects the serial number of the first."""
    (user.card / "serial").write_text("D2760001240102000006876543210000")


PROMPT = ("--prompt",)
CARDS = [
    Row("the key is on a card: no PIN and no touch without --prompt", YUBIKEY + "issues/85", card(), {"no-terminal"}, rc=2, has_cure=False, key=None, before="the card was used if it knew its PIN"),
    Row("the same, decrypted by gpg", YUBIKEY + "issues/85", card(), {"no-terminal"}, rc=2, has_cure=False, key=None, fast="0", before="the card was used if it knew its PIN"),
    Row("the key is on a card, with --prompt", YUBIKEY + "issues/85", card(uses=6), key=None, options=PROMPT),
    Row("the card is not in the reader", "https://github.com/drduh/YubiKey-Guide/issues/19", card(touch("missing")),
        {"card-fails"}, words=("0006 12345678", "insert it"), has_cure=False, key=None),
    Row("the card is not in the reader, and gpg decrypts", "https://github.com/drduh/YubiKey-Guide/issues/19", card(touch("missing")),
        {"card-fails"}, words=("0006 12345678", "insert it"), has_cure=False, key=None, fast="0"),
    Row("another card with the same key is in the reader", YUBIKEY + "issues/233", card(another_card), {"card-fails"},
        words=("0006 12345678", "insert it"), has_cure=False, key=None, before="the key needs its passphrase"),
    Row("scdaemon is not installed", "https://github.com/dainnilsson/forwagent/issues/1", card(lambda user: (user.dir / "scdaemon").unlink()),
        {"scdaemon-missing"}, reader="root", key=None, before="no command"),
    Row("the card's PIN is blocked, with --prompt", OWN, card(touch("blocked"), uses=3), {"card-fails"},
        words=("PIN is blocked",), has_cure=False, key=None, options=PROMPT, before="the card was asked again for each entry"),
    Row("a wrong PIN, with --prompt", OWN, card(lambda user: (user.card / "typed").write_text("D 654321\n"), uses=3),
        {"card-fails"}, words=("PIN was wrong",), has_cure=False, key=None, options=PROMPT, before="the PIN was asked for again for each entry"),
]

run_table("agents", [*LOCKS, *AGENTS, *CARDS])
