#!/usr/bin/env python3
"""The sources contain no markers of unfinished work and no paths of one machine."""

import re

from checks import check, main, numbered

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
OF_ONE_MACHINE = re.compile(r"(?<![\w.$}~*])/(?:root\b|work\b|Users/|home/[a-z])")

# Allowed paths: the reader's own directory in a page, and directories of a test's chroot.
OF_NO_MACHINE = re.compile(r"/home/(?:ada|newcomer)\b|HOME=/root\b|\"/root\"")

# This file must name what it searches for.
SELF = "tests/static/markers.py"
SKIPPED = re.compile(r"^(\.git|build.*|__pycache__)$")


def texts(root, folder=None):
    """Yields (path, text) of every text file of the checkout, build directories left out."""
    for path in sorted((folder or root).iterdir()):
        if SKIPPED.match(path.name) or path.is_symlink() or path == root / SELF:
            continue
        if path.is_dir():
            yield from texts(root, path)
        elif path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                yield path.relative_to(root), content.decode(errors="replace")


def finding(path, number, line):
    return f"{path}:{number}: {line.strip()[:100]}"


@check("nothing is marked as unfinished")
def _(root):
    return [finding(path, number, line) for path, text in texts(root) for number, line in numbered(text)
            if UNFINISHED.search(line)]


@check("no path of a particular machine is named")
def _(root):
    return [finding(path, number, line) for path, text in texts(root) for number, line in numbered(text)
            if OF_ONE_MACHINE.search(OF_NO_MACHINE.sub("", line))]


@check("text files end in a newline, without spaces at the ends of lines")
def _(root):
    findings = []
    for path, text in texts(root):
        if {"fuzz", "openpgp"} & set(path.parts) or path.suffix == ".patch":
            continue  # inputs are what they are
        findings += [finding(path, number, line) for number, line in numbered(text) if line != line.rstrip()]
        if text and not text.endswith("\n"):
            findings.append(f"{path}: no newline at the end")
    return findings


main()
