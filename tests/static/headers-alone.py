#!/usr/bin/env python3
"""Each header compiles on its own, and when it is included twice."""

import os
import shlex
import subprocess

from checks import check, main, sources

LIBRARIES = ("gpgme", "libgcrypt", "libcjson")


def compiler():
    return [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
            "-fsyntax-only"]


def library_flags():
    """Returns the include flags of the installed libraries."""
    flags = []
    for library in LIBRARIES:
        found = subprocess.run(["pkg-config", "--cflags", library], capture_output=True, text=True)
        flags += shlex.split(found.stdout) if found.returncode == 0 else []
    return flags


def complaint(command, header):
    """Returns the compiler's first error for a file that includes only the header, or None."""
    text = f'#include "{header}"\n' * 2
    done = subprocess.run([*command, "-x", "c", "-"], input=text, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if "error: " in line] or done.stderr.splitlines()
    return f"{header}: {lines[0] if lines else 'the compiler failed'}"


@check("each header compiles on its own")
def _(root):
    headers = sources(root, ".h")
    if not headers:
        return ["no header in any layer"]
    command = [*compiler(), "-I", str(root), *library_flags()]
    complaints = (complaint(command, header) for header in headers)
    return [text for text in complaints if text]


main()
