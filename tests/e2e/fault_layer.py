"""Makes selected calls of a running program fail, by rules for fault-layer.c.

    layer = FaultLayer()
    with Registry(**layer.settings()) as registry:
        with layer.failing("fdatasync", errno.EIO):
            ...
"""

import contextlib
import mmap
import os
import pathlib
import struct
import subprocess
import tempfile

from harness import ROOT, Skip, preloadable
from registry import registryd

CALLS = ("openat", "write", "pwrite", "pread", "read", "fdatasync", "fsync", "renameat", "mkdirat", "unlinkat", "fstatat",
         "fstat", "utimensat", "futimens", "flock", "ftruncate", "thread", "memory", "accept", "fchmod")
RULE = struct.Struct("=iiii")


def skip_if_sanitized():
    needed = subprocess.run(["ldd", registryd()], capture_output=True, text=True, check=False).stdout
    if "libasan" in needed or "libtsan" in needed or b"__asan_init" in pathlib.Path(registryd()).read_bytes():
        raise Skip("a sanitizer and an LD_PRELOAD library must both come first")


class FaultLayer:
    def __init__(self):
        self.library = pathlib.Path(os.environ.get("FAULT_LAYER_LIBRARY") or ROOT / "build/tests/fault-layer.so").resolve()
        if not self.library.is_file():
            raise Skip(f"{self.library} is not built")
        skip_if_sanitized()
        self.file = tempfile.NamedTemporaryFile(prefix="dcp-fault.", dir="/tmp")
        self.file.truncate(len(CALLS) * RULE.size)
        self.map = mmap.mmap(self.file.fileno(), len(CALLS) * RULE.size)

    def environment(self):
        return {"LD_PRELOAD": preloadable(self.library), "FAULT_LAYER": self.file.name}

    def set(self, call, code, after=0, count=-1):
        RULE.pack_into(self.map, CALLS.index(call) * RULE.size, code, after, count, 0)

    def clear(self):
        self.map[:] = bytes(len(self.map))

    def failed(self, call):
        """Returns how many calls of this kind have failed since the rule was set."""
        return RULE.unpack_from(self.map, CALLS.index(call) * RULE.size)[3]

    @contextlib.contextmanager
    def failing(self, call, code, after=0, count=-1):
        """Makes one or several kinds of calls fail inside the block."""
        for each in [call] if isinstance(call, str) else call:
            self.set(each, code, after, count)
        try:
            yield self
        finally:
            self.clear()
