#!/usr/bin/env python3
"""Other topics of the registry, with their registries' data in buckets of Ceph's gateway:
the results are those on a directory.

LOAD=full runs whole topics; otherwise a few of their cases.
"""

import os
import pathlib
import subprocess
import sys

from ceph_gateway import CephGateway
from harness import case, main

IS_FULL = os.environ.get("LOAD") == "full"
HERE = pathlib.Path(__file__).parent

# The topics, and words of the case that is run without LOAD=full; None: it is not run then. Topics
# that look into files of the storage are left out.
TOPICS = {
    "registry-differential": "deletes: same answers",
    "registry-conformance": None,
    "registry-push": "end-13",
    "registry-pull": None,
    "registry-manifests": None,
    "registry-lists": None,
    "registry-chores": "rm and tag beside a server",
    "registry-crash": None,
    "registry-clients": None,
}


class World:
    gateway = None

    @classmethod
    def endpoint(cls):
        if not cls.gateway:
            cls.gateway = CephGateway().__enter__()
        return cls.gateway.endpoint

    @classmethod
    def end(cls):
        if cls.gateway:
            cls.gateway.__exit__()


def run_on_bucket(topic, words):
    env = {**os.environ, "TEST_STORAGE": "bucket", "TEST_GATEWAY": World.endpoint()}
    done = subprocess.run([sys.executable, HERE / f"{topic}.py", *([words] if words else [])],
                          env=env, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    print("".join(f"# {line}\n" for line in lines if line.startswith("ok")), end="")
    wrong = [line for line in lines if line.startswith(("not ok", "#"))]
    assert done.returncode == 0, "\n".join([*wrong[-40:], done.stderr[-2000:]])
    assert "\nok 1" in done.stdout, done.stdout


def add_case(topic, words):
    @case(f"{topic} has the same result on a bucket" + (f": {words}" if words else ""))
    def _():
        run_on_bucket(topic, words)


for name, part in TOPICS.items():
    if IS_FULL:
        add_case(name, "")
    elif part is not None:
        add_case(name, part)

try:
    main()
finally:
    World.end()
