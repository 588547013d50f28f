"""Directories that `registryd init` creates, and registries that serve them.

    with scratch() as place:
        port = make(place / "r")
        with serving(place / "r", port):
            assert ask(place / "r", port) == 200
"""

import contextlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from registry import free_port, registryd

TIMEOUT_S = 300


@contextlib.contextmanager
def scratch():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="registry-init.", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def init(directory, *words, password=b"secret\n", check=True):
    result = subprocess.run([registryd(), "init", directory, *words], input=password,
                            capture_output=True, timeout=TIMEOUT_S)
    assert not check or (result.returncode == 0 and result.stderr == b""), result
    return result


def make(directory, *words, host="localhost", **more):
    port = free_port()
    init(directory, "--host", host, "--user", "me", "--port", str(port), "--password-stdin", *words,
         **more)
    return port


@contextlib.contextmanager
def serving(directory, port, program=None):
    log = open(directory.parent / "log", "wb")
    process = subprocess.Popen([program or registryd(), "serve", directory / "config.yml"],
                               stdin=subprocess.DEVNULL, stdout=log,
                               stderr=log, env={"PATH": os.environ["PATH"]})
    try:
        end = time.monotonic() + TIMEOUT_S
        while not is_open(port):
            assert time.monotonic() < end and process.poll() is None, (
                directory.parent / "log").read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
        log.close()


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(directory, port, user="me", password="secret", host="localhost", is_strict=True):
    """Returns the status of GET /v2/ with the directory's authority trusted; None if no server
    answers.
    """
    trust = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    trust.verify_flags |= ssl.VERIFY_X509_STRICT if is_strict else 0  # Python 3.13's default
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, f"https://{host}:{port}/", user, password, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust),
                                         urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPBasicAuthHandler(passwords))
    try:
        return opener.open(f"https://{host}:{port}/v2/", timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise error.reason
        return None
    except ValueError:  # urllib does not retry a refused password
        return 401
