"""The base of every end-to-end test: a temporary user, the programs under test, and TAP output.

A test file contains functions marked with @case("what must be true") and ends with main().
A case fails by raising an exception (assert is enough); raise Skip("reason") if it cannot run.

    from harness import Sandbox, case, main

    @case("get returns the stored login")
    def _():
        with Sandbox() as user:
            user.make_store()
            user.store("https://example.com", "me", "secret")
            assert user.get("https://example.com") == ("me", "secret")

    main()

Environment variables name the programs, so that the same files can test any helper:
    HELPER          the helper (default: build/helper/docker-credential-pass of this checkout)
    HELPER_WRAPPER  a command prefix, for example "valgrind -q --error-exitcode=99"
    GO_HELPER       Docker's own helper (default: the path of Debian's package)
    DOCKER_CREDENTIAL_PASS_FAST  0 makes the helper decrypt only with gpg, as users can do
"""

import atexit
import contextlib
import functools
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

from caller import answer_help, for_all_users, leave_nothing_of_the_caller, scratch_parent

answer_help()
leave_nothing_of_the_caller()

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 300
CAP_SYS_PTRACE = 19  # linux/capability.h

NOT_FOUND = b"credentials not found in native keychain\n"
NO_SERVER_URL = b"no credentials server URL\n"
NO_USERNAME = b"no credentials username\n"


class Skip(Exception):
    """Raised by a case that cannot run here; the text says why."""


class Result:
    """The result of a program: rc, out and err (bytes)."""

    def __init__(self, rc, out, err):
        self.rc, self.out, self.err = rc, out, err

    def __repr__(self):
        return f"rc={self.rc} stdout={self.out!r} stderr={self.err!r}"


def helper_path():
    path = os.environ.get("HELPER") or ROOT / "build/helper/docker-credential-pass"
    return for_all_users(pathlib.Path(path).resolve())


def helper_argv(*args):
    wrapper = shlex.split(os.environ.get("HELPER_WRAPPER", ""))
    if wrapper:  # use its full path, for cases that run the helper with another PATH
        wrapper[0] = shutil.which(wrapper[0]) or wrapper[0]
    return [*wrapper, helper_path(), *args]


def is_wrapped():
    """Returns True under valgrind and similar programs, with which everything is many times slower."""
    return bool(os.environ.get("HELPER_WRAPPER"))


def is_sanitized(program=None):
    """Returns whether a program (default: the helper) has AddressSanitizer: it is slower, and freed memory is kept."""
    return b"__asan_init" in pathlib.Path(program or helper_path()).read_bytes()


def go_helper():
    """Returns the path of Docker's Go helper, or raises Skip."""
    path = os.environ.get("GO_HELPER", "/usr/bin/docker-credential-pass")
    if not os.access(path, os.X_OK):
        raise Skip("Docker's Go helper (golang-docker-credential-helpers) is not installed")
    with open(path, "rb") as program:
        if b"Go build" not in program.read():
            raise Skip(f"{path} is not Docker's Go helper")
    return path


@functools.cache
def preloadable(library):
    """Returns a path of the library that works in LD_PRELOAD, where spaces and colons cannot be quoted."""
    if not re.search(r"[\s:]", str(library)):
        return str(library)
    folder = tempfile.mkdtemp(prefix="dcp-preload.", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = os.path.join(folder, os.path.basename(library))
    os.symlink(library, link)
    return link


def descriptors_of(process):
    """Returns how many descriptors a non-dumpable program has open; skips without root."""
    try:
        return len(os.listdir(f"/proc/{process.pid}/fd"))
    except PermissionError:
        raise Skip("only root can count the descriptors of a non-dumpable program") from None


def need_tracing():
    """Skips without CAP_SYS_PTRACE, which root lacks in many containers: it is needed to read the helper's memory."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    capabilities = int(re.search(r"^CapEff:\s*(\w+)$", status, re.MULTILINE)[1], 16)
    if not capabilities >> CAP_SYS_PTRACE & 1:
        raise Skip("only root with CAP_SYS_PTRACE can read the helper's memory")


def need(program):
    """Returns the path of a program on PATH, or raises Skip."""
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def is_readable(directory):
    """Returns False for a directory on PATH that the user cannot read, for example in another user's home."""
    return os.access(directory or ".", os.R_OK | os.X_OK)


def need_fast_path():
    """Skips if the helper was built without the fast path (-Dfast_decrypt=false)."""
    if os.environ.get("HAS_FAST_PATH") == "0":
        raise Skip("this helper was built without the fast path")


def assert_refused(result, *words):
    """The helper failed with one line on stdout that contains every word and is not a text that clients compare."""
    assert result.rc == 1, f"exit status must be 1: {result}"
    assert result.out.endswith(b"\n") and result.out.count(b"\n") == 1 and result.out.strip(), f"not one line: {result}"
    assert result.out not in (NOT_FOUND, NO_SERVER_URL, NO_USERNAME), f"this text has a special meaning for clients: {result}"
    for word in words:
        assert str(word).encode().lower() in result.out.lower(), f"does not say {word!r}: {result}"


@contextlib.contextmanager
def open_process(pid):
    """Returns a descriptor that becomes readable when the process exits; None if there is no such process."""
    try:
        descriptor = os.pidfd_open(pid) if pid else None
    except ProcessLookupError:
        descriptor = None
    yield descriptor
    if descriptor is not None:
        os.close(descriptor)


def shared_sandbox():
    """Returns a Sandbox that all cases of a file share, to save the time of creating one for each."""
    user = Sandbox()
    atexit.register(user.close)
    return user


class Sandbox:
    """A temporary user: home, gpg keys and agent, password store, docker configuration.

    Everything is in one new directory with a short path, because gpg-agent's socket path is limited
    to 107 bytes. The end of the `with` block removes it and stops the agent.
    """

    KEPT = ("PATH", "LANG", "LC_ALL", "TERM", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
            "LLVM_PROFILE_FILE", "GCOV_PREFIX", "DOCKER_CREDENTIAL_PASS_FAST")

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dcp.", dir=scratch_parent()))
        self.home = self.dir / "home"
        self.gnupg = self.dir / "gnupg"
        self.docker = self.home / ".docker"
        self.prefix = self.home / ".password-store"
        self.folder = self.prefix / "docker-credential-helpers"
        self.docker.mkdir(parents=True)
        self.gnupg.mkdir(mode=0o700)
        (self.gnupg / "gpg.conf").write_text("no-auto-key-locate\ndisable-dirmngr\n")
        self.env = {name: os.environ[name] for name in self.KEPT if name in os.environ}
        self.env.update(HOME=str(self.home), GNUPGHOME=str(self.gnupg),
                        DOCKER_CONFIG=str(self.docker), GIT_CONFIG_NOSYSTEM="1",
                        GIT_CONFIG_GLOBAL=str(self.home / ".gitconfig"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.run(["gpgconf", "--kill", "all"])
        for file in self.dir.rglob("pause.pid"):  # of the process by which rootless podman keeps its namespaces
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(file.read_text(encoding="ascii")), signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def end_agent(self):
        """Stops GnuPG's daemons, and waits until gpg-agent and keyboxd have exited.

        An agent that is about to exit keeps its socket, and on a busy machine the next client could wait for it in vain.
        A keyboxd that is about to exit removes the lock file of its database, even if a test has just written one.
        """
        with contextlib.ExitStack() as opened:
            daemons = {name: opened.enter_context(open_process(self.find_daemon(*option)))
                       for name, option in (("gpg-agent", []), ("keyboxd", ["--keyboxd"]))}
            self.run(["gpgconf", "--kill", "all"])
            for name, daemon in daemons.items():
                if daemon is not None:
                    assert select.select([daemon], [], [], TIMEOUT_S)[0], f"{name} does not exit"

    def find_daemon(self, *option):
        """The process id of gpg-agent, or of the daemon that an option of gpg-connect-agent names; None if it does not run."""
        answer = self.run(["gpg-connect-agent", *option, "--no-autostart", "getinfo pid", "/bye"])
        pid = re.search(rb"^D (\d+)$", answer.out, re.MULTILINE)
        return int(pid[1]) if pid else None

    def run(self, argv, stdin=b"", check=False, env=None, **more):
        """Runs a program as this user. env adds variables to the user's environment; None removes one.

        stdin is bytes, or the descriptor of an open file to hand over; stdout=FILE sends it there.
        """
        merged = {**self.env, **(env or {})}
        merged = {name: str(value) for name, value in merged.items() if value is not None}
        source = {"stdin": stdin} if isinstance(stdin, int) else {"input": stdin}
        done = subprocess.run([str(word) for word in argv], **source, env=merged, cwd=more.pop("cwd", self.dir),
                              stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                              timeout=more.pop("timeout", TIMEOUT_S), **more)
        result = Result(done.returncode, done.stdout or b"", done.stderr)
        assert not check or result.rc == 0, f"{argv} failed: {result}"
        return result

    # --- gpg ---------------------------------------------------------------

    def make_key(self, uid="Test User <test@example.com>", algo="cv25519", passphrase=""):
        """Makes a key with an encryption subkey; returns its fingerprint."""
        if algo.startswith("rsa"):
            primary, sub = (f"{which}-Type: rsa\n{which}-Length: {algo[3:]}" for which in ("Key", "Subkey"))
        else:
            primary, sub = "Key-Type: eddsa\nKey-Curve: ed25519", f"Subkey-Type: ecdh\nSubkey-Curve: {algo}"
        name, _, mail = uid.rstrip(">").partition(" <")
        protection = f"Passphrase: {passphrase}" if passphrase else "%no-protection"
        batch = (f"{primary}\nKey-Usage: sign\n{sub}\nSubkey-Usage: encrypt\nName-Real: {name}\n"
                 + (f"Name-Email: {mail}\n" if mail else "") + f"Expire-Date: 0\n{protection}\n%commit\n")
        done = self.run(["gpg", "--batch", "--status-fd=1", "--pinentry-mode=loopback", "--gen-key"],
                        batch.encode(), check=True)
        return next(line.split()[3] for line in done.out.decode().splitlines() if " KEY_CREATED " in line)

    def export_key(self, fingerprint):
        return self.run(["gpg", "--armor", "--export", fingerprint], check=True).out

    def import_key(self, exported, trust=True):
        """Imports a public key; with trust=True it gets ultimate trust."""
        self.run(["gpg", "--batch", "--import"], exported, check=True)
        if trust:
            shown = self.run(["gpg", "--batch", "--with-colons", "--show-keys"], exported, check=True).out.decode()
            fingerprint = next(line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:"))
            self.run(["gpg", "--batch", "--import-ownertrust"], f"{fingerprint}:6:\n".encode(), check=True)

    def encrypt(self, secret, *ids):
        """Returns the secret as gpg encrypts it for these recipients."""
        recipients = [word for one in ids for word in ("-r", one)]
        return self.run(["gpg", "--batch", "-q", "--compress-algo=none", *recipients, "-e"], secret, check=True).out

    def decrypt(self, path):
        return self.run(["gpg", "--batch", "-qd", path], check=True).out

    # --- the store ---------------------------------------------------------

    def make_store(self, *ids, git=False):
        """Creates a store as `pass init IDS` does; makes a key if no id is given. Returns the ids."""
        ids = ids or (self.make_key(),)
        self.prefix.mkdir(mode=0o700, exist_ok=True)
        (self.prefix / ".gpg-id").write_text("".join(f"{one}\n" for one in ids))
        if git:
            self.make_git()
        return ids

    def make_git(self):
        self.run(["git", "config", "--global", "user.name", "Test User"], check=True)
        self.run(["git", "config", "--global", "user.email", "test@example.com"], check=True)
        self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "Add current contents of password store.")

    def git(self, *args):
        """Runs git in the store; returns its output as text."""
        return self.run(["git", "-C", self.prefix, *args], check=True).out.decode()

    def server_folder(self, url):
        import base64
        raw = url if isinstance(url, bytes) else url.encode()
        return self.folder / base64.urlsafe_b64encode(raw).decode()

    def entry(self, url, username):
        return self.server_folder(url) / f"{username}.gpg"

    def snapshot(self):
        """Returns mode and content of everything in the store by path, for comparisons."""
        found = {}
        for path in [self.prefix, *self.prefix.rglob("*")] if self.prefix.exists() else []:
            if ".git" in path.relative_to(self.prefix).parts:
                continue
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[str(path)] = (path.lstat().st_mode, content)
        return found

    def path_without(self, *programs):
        """Returns a PATH with all programs of the user's PATH except these."""
        folder = self.dir / ("path-without-" + "-".join(programs))
        if not folder.exists():
            folder.mkdir()
            for place in filter(is_readable, self.env["PATH"].split(":")):
                for program in pathlib.Path(place).glob("*"):
                    link = folder / program.name
                    if program.name not in programs and not link.is_symlink():
                        link.symlink_to(program)
        return str(folder)

    def leftovers(self):
        """Returns files and empty directories below docker-credential-helpers that are not entries (.gpg-id is fine)."""
        odd = []
        for path in self.folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    odd.append(path)
            elif path.name != ".gpg-id" and not path.name.endswith(".gpg"):
                odd.append(path)
        return odd

    # --- the helper --------------------------------------------------------

    def helper(self, *args, stdin=b"", **more):
        """Runs the helper under test."""
        return self.run(helper_argv(*args), stdin, **more)

    def store(self, url, username, secret, check=True, argv=None, **more):
        document = json.dumps({"ServerURL": url, "Username": username, "Secret": secret}).encode()
        result = self.run([*(argv or helper_argv()), "store"], document, **more)
        assert not check or (result.rc == 0 and result.out == b"" and result.err == b""), f"store: {result}"
        return result

    def get(self, url, argv=None, **more):
        """Returns (username, secret), or None if the helper reports not-found."""
        result = self.run([*(argv or helper_argv()), "get"], url.encode(), **more)
        if result.rc == 1 and result.out == b"credentials not found in native keychain\n":
            assert result.err == b"", f"stderr must stay empty: {result}"
            return None
        assert result.rc == 0, f"get: {result}"
        answer = json.loads(result.out)
        assert answer["ServerURL"] == url.strip(), f"get: {result}"
        return answer["Username"], answer["Secret"]

    def erase(self, url, argv=None, **more):
        result = self.run([*(argv or helper_argv()), "erase"], url.encode(), **more)
        assert result.rc == 0 and result.out == b"", f"erase: {result}"

    def list(self, argv=None, **more):
        result = self.run([*(argv or helper_argv()), "list"], **more)
        assert result.rc == 0 and result.err == b"", f"list: {result}"
        return json.loads(result.out)


_cases = []


def case(name):
    """Marks a function as a test case, one line of the TAP output."""
    def mark(function):
        _cases.append((name, function))
        return function
    return mark


def main(under_valgrind_each=1):
    """Runs the file's cases (only those whose name contains argv[1], if given) and exits.

    under_valgrind_each=N runs only every Nth case under valgrind, to save time; LOAD=full runs all.
    """
    wanted = [(n, f) for n, f in _cases if len(sys.argv) < 2 or sys.argv[1] in n]
    if is_wrapped() and len(sys.argv) < 2 and os.environ.get("LOAD") != "full":
        wanted = wanted[::under_valgrind_each]
    print(f"1..{len(wanted)}", flush=True)
    failed = 0
    for number, (name, function) in enumerate(wanted, 1):
        verdict, remark = "ok", ""
        try:
            function()
        except Skip as why:
            remark = f" # SKIP {' '.join(str(why).split())}"  # one line of TAP, also if the reason contains a program's output
        except Exception:
            verdict, failed = "not ok", failed + 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
        print(f"{verdict} {number} - {name.replace('#', 'no.')}{remark}", flush=True)
    sys.exit(1 if failed else 0)
