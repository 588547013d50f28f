#!/usr/bin/env python3
"""Every script answers --help and -h with a text and exit status 0, and does nothing else.

The scripts run with programs in their PATH that fail and record that they were called.
"""

import os
import pathlib
import runpy
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback

# Imported here for the scripts: in a fork of this process, their own imports take no time.
import argparse, base64, concurrent.futures, http.client, json, urllib.request  # noqa: E401, F401

from checks import check, main

DIRECTORIES = (".ci", "common", "debian", "docs", "gpg", "helper", "man", "registry", "tests")
# make and dpkg run these, with arguments of their own.
RUN_BY_OTHERS = {"debian/rules", "debian/registryd.postrm"}
# Programs that a script could start before it reads its arguments.
CHANGERS = ("apt-get", "cp", "curl", "debootstrap", "docker", "dockerd", "git", "gpg", "gpgconf",
            "install", "ip", "meson", "mkdir", "mktemp", "mount", "ninja", "rm", "strace", "sudo",
            "systemd-sysusers", "tar", "touch", "unshare", "useradd", "valgrind", "wrk")


def scripts(root):
    """Returns the files that start with #!, as paths relative to root."""
    for name in DIRECTORIES:
        for path in sorted((root / name).rglob("*")):
            if path.is_file() and str(path.relative_to(root)) not in RUN_BY_OTHERS:
                with path.open("rb") as file:
                    if file.read(2) == b"#!":
                        yield path.relative_to(root)


class Place:
    """A temporary home directory, and programs that record their name in a file and fail."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.called = self.directory / "called"
        self.home = self.directory / "home"
        programs = self.directory / "programs"
        programs.mkdir()
        for name in CHANGERS:
            program = programs / name
            program.write_text(f'#!/bin/sh\necho {name} >> "{self.called}"\nexit 1\n')
            program.chmod(0o755)
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(self.home),
                            "TMPDIR": str(self.home), "LC_ALL": "C.UTF-8"}

    def ask(self, script, word):
        """Returns what is wrong with the script's answer, or nothing."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        self.called.unlink(missing_ok=True)
        run = run_python if script.suffix == ".py" else run_program
        with open(self.directory / "out", "w+b") as out, open(self.directory / "err", "w+b") as err:
            status = run(script, word, self, out, err)
            texts = [pathlib.Path(file.name).read_text(errors="replace") for file in (out, err)]
        if self.called.exists():
            return "calls " + ", ".join(sorted(set(self.called.read_text().split())))
        if status != 0 or texts[1] or not texts[0].strip():
            return f"exit status {status}, {texts[1][-200:]!r}"
        return "".join(f"creates {path.name} " for path in self.home.iterdir())


def run_program(script, word, place, out, err):
    return subprocess.run([script, word], cwd=place.home, env=place.environment, stdin=subprocess.DEVNULL,
                          stdout=out, stderr=err).returncode


def run_python(script, word, place, out, err):
    """Runs the script in a fork of this process, which is much faster than starting an interpreter."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        run_as_main(script, word, place, out, err)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_as_main(script, word, place, out, err):
    """Does not return."""
    status = 1
    try:
        with open(os.devnull, "rb") as nothing:
            for number, file in enumerate((nothing, out, err)):
                os.dup2(file.fileno(), number)
        os.chdir(place.home)
        os.environ.clear()
        os.environ.update(place.environment)
        sys.argv, sys.path[0] = [str(script), word], str(script.parent)
        sys.modules.pop("checks")
        runpy.run_path(str(script), run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@check("every script answers --help and -h, and does nothing else")
def _(root):
    findings = []
    with tempfile.TemporaryDirectory() as directory:
        place = Place(directory)
        for script in scripts(root):
            for word in ("--help", "-h"):
                finding = place.ask(root / script, word)
                if finding:
                    findings.append(f"{script} {word}: {finding}")
    return findings


@check("a benchmark refuses a wrong argument in one line")
def _(root):
    wrong = [(script.name, ("--rounds", "0")) for script in sorted((root / "tests/bench").glob("*-*.py"))]
    wrong += [(name, (str(root), *more)) for name, more in (
        ("big-repository.py", ()), ("registry-bench.py", ()), ("two-registryd.py", (str(root),)), ("zb-load.py", ()))]
    findings = []
    for name, words in wrong:
        done = subprocess.run([sys.executable, root / "tests/bench" / name, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode != 2 or done.stdout or done.stderr.count("\n") != 1:
            findings.append(f"{name} {' '.join(words)}: exit status {done.returncode}, {done.stderr[-200:]!r}")
    return findings


@check("every script that people run by its name is executable")
def _(root):
    """Most tests are run through meson, and their files need not be."""
    return [f"{script}: not executable" for script in scripts(root)
            if script.suffix != ".py" or script.parent == pathlib.Path("tests/bench")
            if not (root / script).stat().st_mode & stat.S_IXUSR]


main()
