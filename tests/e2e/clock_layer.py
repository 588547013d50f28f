"""Moves the clocks of a running program forward, by clock-layer.c.

    clock = ClockLayer()
    with Server(..., **clock.settings()) as server:
        clock.move(24 * 60 * 60)
"""

import mmap
import os
import pathlib
import struct
import tempfile

from fault_layer import skip_if_sanitized
from harness import ROOT, Skip, preloadable

SECONDS = struct.Struct("=q")


class ClockLayer:
    def __init__(self):
        self.library = pathlib.Path(os.environ.get("CLOCK_LAYER_LIBRARY") or ROOT / "build/tests/clock-layer.so").resolve()
        if not self.library.is_file():
            raise Skip(f"{self.library} is not built")
        skip_if_sanitized()
        self.file = tempfile.NamedTemporaryFile(prefix="dcp-clock.", dir="/tmp")
        self.file.truncate(SECONDS.size)
        self.map = mmap.mmap(self.file.fileno(), SECONDS.size)
        self.seconds = 0

    def environment(self):
        return {"LD_PRELOAD": preloadable(self.library), "CLOCK_LAYER": self.file.name}

    def move(self, seconds):
        self.seconds += seconds
        SECONDS.pack_into(self.map, 0, self.seconds)
