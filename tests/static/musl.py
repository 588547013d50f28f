#!/usr/bin/env python3
"""Every file of the programs and of their unit tests compiles with musl's headers.

Needs musl-gcc (Debian: musl-tools). Nothing is linked, because the installed libraries are built for glibc. Their headers
and the kernel's come after musl's in the search path. The third argument is the build directory, whose commands are used.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from checks import check, main

# Headers in /usr/include or in its subdirectory for the architecture.
HEADERS = ("asm", "asm-generic", "cjson", "cmocka.h", "cmocka_pbc.h", "curl", "expat.h", "expat_config.h",
           "expat_external.h", "gcrypt.h", "gnutls", "gpg-error.h", "gpgme.h", "gpgrt.h", "linux", "mtd",
           "seccomp-syscalls.h", "seccomp.h", "yaml.h")
# Debian's musl-dev lacks this header, although the library has the functions.
CRYPT_H = """struct crypt_data { int initialized; char __buf[256]; };
char *crypt(const char *, const char *);
char *crypt_r(const char *, const char *, struct crypt_data *);
"""
# These replace functions of glibc in a running program, which is not possible with another C library.
OF_GLIBC = {"tests/e2e/fail-allocation.c"}
# The functions that meson finds with musl; glibc has more.
FOUND = {"-DHAVE_MALLOPT=1": "-DHAVE_MALLOPT=0", "-DHAVE_CRYPT_RN=1": "-DHAVE_CRYPT_RN=0"}


def library_headers(directory):
    multiarch = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    for name in HEADERS:
        for place in (pathlib.Path("/usr/include"), pathlib.Path("/usr/include", multiarch)):
            if (place / name).exists() and not (directory / name).exists():
                (directory / name).symlink_to(place / name)
    (directory / "crypt.h").write_text(CRYPT_H)
    return directory


def kept(command):
    words = shlex.split(command)  # pkg-config names /usr/include for some libraries: there is glibc
    return [FOUND.get(word, word) for word in words if re.match(r"-(D(?!_FORTIFY)|I(?!/usr/include/[\w-]+$)|std=)", word)]


def compile_all(root, build, headers):
    commands = json.loads((build / "compile_commands.json").read_text())
    files = {}
    for entry in commands:
        path = os.path.relpath(build / entry["file"], root)
        if path not in OF_GLIBC and not path.startswith(".."):
            files[path] = kept(entry["command"])

    def compile_one(item):
        path, options = item
        words = ["musl-gcc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *options, "-idirafter", headers,
                 "-idirafter", headers / "cjson", root / path]
        done = subprocess.run(words, cwd=build, capture_output=True, text=True)
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
        return [] if done.returncode == 0 else [f"{path}: {first}"]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return files, sum(pool.map(compile_one, sorted(files.items())), [])


if not shutil.which("musl-gcc"):
    print("1..0 # SKIP musl-gcc is not installed (Debian: musl-tools)")
    sys.exit(0)


@check("every file compiles with musl's headers, without a warning")
def _(root):
    with tempfile.TemporaryDirectory() as directory:
        files, findings = compile_all(root, pathlib.Path(sys.argv[2]), library_headers(pathlib.Path(directory)))
    return findings if len(files) > 100 else ["the build has no commands"]


main()
