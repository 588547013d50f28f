"""Makes the tests independent of the caller: environment, umask, signals and standard streams.

harness.py imports this module first and calls answer_help() and leave_nothing_of_the_caller().
"""

import atexit
import functools
import os
import pathlib
import shutil
import signal
import stat
import sys
import tempfile

# Variables that configure the programs under test, or programs that those run.
PREFIXES = ("BUILDAH_", "CONTAINERS_", "DOCKER_", "GIT_", "GPG_", "LC_", "PASSWORD_STORE_", "REGISTRY_", "XDG_")
NAMES = {"BASH_ENV", "CDPATH", "CONTAINER_HOST", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "EDITOR", "ENV", "GNUPGHOME", "HTPASSWD",
         "LANGUAGE", "LISTEN_FDS", "LISTEN_PID", "MALLOC_PERTURB_", "NOTIFY_SOCKET", "PINENTRY_USER_DATA", "SSH_AUTH_SOCK",
         "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "VISUAL", "WAYLAND_DISPLAY"}
PROXIES = {"all_proxy", "ftp_proxy", "http_proxy", "https_proxy", "no_proxy"}
KEPT = {"DOCKER_CREDENTIAL_PASS_FAST"}  # meson.build sets it to test a topic without the fast path

# Python ignores these signals, and resets them to the default in programs that it starts.
IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


def answer_help():
    """Explains the test that was started and exits, if its only argument is --help or -h."""
    script = pathlib.Path(sys.argv[0]).resolve()
    if sys.argv[1:] not in (["--help"], ["-h"]) or script.parent != pathlib.Path(__file__).resolve().parent:
        return
    print(f"usage: tests/e2e/{script.name} [WORDS]\n\n{sys.modules['__main__'].__doc__.strip()}\n")
    print("Runs the cases whose name contains WORDS; without WORDS, all cases. harness.py describes the")
    print(f"environment variables. `meson test -C build {script.stem}` sets them.")
    sys.exit()


def is_callers(name):
    return name not in KEPT and (name.startswith(PREFIXES) or name in NAMES or name.lower() in PROXIES)


def leave_nothing_of_the_caller():
    for name in filter(is_callers, list(os.environ)):
        del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"  # the tests compare messages
    os.environ.setdefault("TERM", "xterm")
    tempfile.tempdir = None
    os.umask(0o022)
    for number in signal.valid_signals() - IGNORED_BY_PYTHON - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) == signal.SIG_IGN:  # as under nohup, or in a shell's background
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    open_standard_streams()


def open_standard_streams():
    """Opens closed standard streams, because the first file that a test opens would take such a descriptor."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def can_others_run(program):
    path = pathlib.Path(program)
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))


@functools.cache
def for_all_users(program):
    """Returns a path from which every user can run the program: a copy if other users cannot enter its directory.

    Root's clone is usually in a home directory of mode 0700, but a test that drops root's privileges
    must be able to run the program. The modules beside the program are copied, too.
    """
    if os.geteuid() != 0 or not os.path.isfile(program) or can_others_run(program):
        return str(program)
    directory = tempfile.mkdtemp(prefix="dcp-program.", dir="/tmp")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.chmod(directory, 0o755)
    for file in (program, *pathlib.Path(program).parent.glob("registryd-*.so")):
        os.chmod(shutil.copy(file, directory), 0o755)
    return os.path.join(directory, os.path.basename(program))


ENOUGH_MIB = 2048


@functools.cache
def scratch_parent():
    """Returns the parent of temporary directories: SCRATCH if it has space and programs can run there, else /tmp.

    meson.build sets it to a file system in memory for the slower of two runs of the same tests.
    TMPDIR is ignored, because the path must be short: the path of gpg-agent's socket is limited to 107 bytes.
    """
    wanted = os.environ.get("SCRATCH", "/tmp")
    try:
        found = os.statvfs(wanted)
    except OSError:
        return "/tmp"
    is_usable = os.access(wanted, os.W_OK) and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
    return wanted if is_usable and found.f_bavail * found.f_frsize >> 20 >= ENOUGH_MIB else "/tmp"
