"""A Ceph object store with its S3 gateway, for the tests of the S3 backend: everything in memory, on loopback.

    with CephGateway() as gateway:
        gateway.endpoint, gateway.access_key, gateway.secret_key

It consists of one monitor, one OSD and one gateway (radosgw), which run as children and end with the test. A manager is not
needed to store objects. The start takes three seconds, of which one is CPU time; the three take 120 MiB of memory.
"""

import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

from harness import Skip, need
from registry import free_port

TIMEOUT_S = 600  # a loaded machine that is much slower than ours still starts it
PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
STORE_BYTES = 4 << 30
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None)

CONFIGURATION = """[global]
fsid = {fsid}
mon initial members = a
mon host = [v1:127.0.0.1:{monitor_port}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = {dir}/run
admin socket = {dir}/run/$name.asok
log file = {dir}/log/$name.log
crash dir = {dir}/crash
mon data = {dir}/mon
osd data = {dir}/osd
keyring = {dir}/keyring
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
mon osd min down reporters = 1
paxos propose interval = 0.02
paxos min wait = 0.01
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = {store_bytes}
osd max object name len = 2048
osd max object namespace len = 256
osd class update on start = false
osd crush update on start = false
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw data = {dir}/rgw
rgw thread pool size = 64
rgw enable gc threads = true
rgw enable lc threads = false
rgw enable quota threads = false
rgw run sync thread = false
rgw dns name = localhost
"""


def end_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class CephGateway:
    """Starts with the with statement. Skips the case if Ceph is not installed."""

    access_key, secret_key, region = "AKIDTEST", "test+secret/key", "default"

    def __init__(self):
        missing = [program for program in PROGRAMS if not shutil.which(program)]
        if missing:
            raise Skip(f"{missing[0]} is not installed")
        self.port, self.monitor_port = free_port(), free_port()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ceph.", dir="/tmp"))
        self.daemons = {}
        # AWS_* would change what clients in this process do; Ceph's own variables would change this configuration.
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.dir)}

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        try:
            self._create()
            self._start("mon", "ceph-mon", "-i", "a")
            self._create_osd()
            self._start("osd", "ceph-osd", "-i", "0")
            self._run("radosgw-admin", "user", "create", "--uid", "test", "--display-name", "test",
                      "--access-key", self.access_key, "--secret-key", self.secret_key)
            self._start("gateway", "radosgw", "-n", "client.rgw.a")
            self._wait_for_gateway()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons.values()):  # nothing is kept, so nothing has to be shut down cleanly
            daemon.kill()
        for daemon in self.daemons.values():
            daemon.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill(self, name):
        """Ends "mon", "osd" or "gateway" as a crash does."""
        self.daemons[name].kill()
        self.daemons[name].wait()

    def restart_gateway(self):
        self.kill("gateway")
        self._start("gateway", "radosgw", "-n", "client.rgw.a")
        self._wait_for_gateway()

    def _create(self):
        for name in ("mon", "osd", "rgw", "run", "log", "crash"):
            (self.dir / name).mkdir()
        self.fsid = str(uuid.uuid4())
        (self.dir / "ceph.conf").write_text(CONFIGURATION.format(
            fsid=self.fsid, monitor_port=self.monitor_port, port=self.port, dir=self.dir, store_bytes=STORE_BYTES))
        keyring, monitors = self.dir / "keyring", self.dir / "monmap"
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self._run("monmaptool", "--create", "--addv", "a", f"[v1:127.0.0.1:{self.monitor_port}]", "--fsid", self.fsid, monitors)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors, "--keyring", keyring)

    def _create_osd(self):
        osd = str(uuid.uuid4())
        # An OSD that places itself in the map may ask before it knows the cluster, and ends with "wrong fsid".
        # A monitor that is still starting answers EPERM. Both commands may be repeated.
        self._wait("mon", lambda: self._call(
            "ceph", "--connect-timeout", str(TIMEOUT_S),
            commands=f"osd create {osd}\nosd crush add 0 1.0 root=default host=localhost\n").returncode == 0)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, "--no-mon-config")

    def _command(self, program, *words):
        return [need(program), *(["-c", self.dir / "ceph.conf"] if program not in ("ceph-authtool", "monmaptool") else []), *words]

    def _call(self, *words, commands=""):
        return subprocess.run(self._command(*words), env=self.env, cwd="/", input=commands.encode(),
                              capture_output=True, timeout=TIMEOUT_S, check=False)

    def _run(self, *words, commands=""):
        done = self._call(*words, commands=commands)
        assert done.returncode == 0, f"{words[0]}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode()

    def _start(self, name, *words):
        # Ceph 18 of Debian 13 looks for its object classes in a path relative to the working directory.
        with open(self.dir / "log" / f"{name}.out", "ab") as log:
            self.daemons[name] = subprocess.Popen([*self._command(*words), "-f"], env=self.env, cwd="/",
                                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  preexec_fn=end_with_parent)

    def _wait_for_gateway(self):
        def answers():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
            try:
                connection.request("GET", "/")
                return connection.getresponse().status < 500
            except OSError:
                return False
            finally:
                connection.close()

        self._wait("gateway", answers)

    def _wait(self, name, condition):
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert self.daemons[name].poll() is None, f"{name} has ended: {self.log(name)}"
            assert time.monotonic() < end, f"{name} is not ready: {self.log(name)}"
            time.sleep(0.1)

    def log(self, name):
        return (self.dir / "log" / f"{name}.out").read_text(errors="replace")[-2000:]
