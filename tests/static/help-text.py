#!/usr/bin/env python3
"""The help is an interface: it fits a terminal, and says what the man page says.

Second argument: the helper.
"""

import re
import subprocess
import sys

from checks import check, main, numbered, sources, without_comments

MAN_PAGE = "man/docker-credential-pass.1.scd"
WIDTH = 80

# Words in capitals that are environment variables: with an underscore, or one of these.
VARIABLE = re.compile(r"\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|HOME|PATH|GNUPGHOME)\b")
# What each program has from its system, and what is no choice of the user's.
NEED_NO_WORDS = {"HOME", "PATH", "TERM"}


def helper(*words):
    return subprocess.run([sys.argv[2], *words], stdin=subprocess.DEVNULL, capture_output=True)


def help_text():
    return helper("--help").stdout.decode(errors="replace")


def man_text(root):
    """The man page's source without scdoc's escapes."""
    return (root / MAN_PAGE).read_text().replace("\\", "")


def man_section(root, title):
    found = re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", man_text(root), re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def usage_verbs():
    """The verbs of the first line, `Usage: docker-credential-pass <store|get|...>`."""
    return set(re.findall(r"[a-z]+", help_text().partition("\n")[0].partition("<")[2]))


def difference(ours, theirs, where):
    return [f"{word} is missing in {where}" for word in sorted(ours - theirs)]


@check("--help and -h answer the same on stdout, with exit status 0")
def _(root):
    long, short = helper("--help"), helper("-h")
    if long.returncode or long.stderr or not long.stdout:
        return [f"--help: {long}"]
    return [] if (short.returncode, short.stdout, short.stderr) == (0, long.stdout, b"") else [f"-h: {short}"]


@check(f"the help fits {WIDTH} columns and is plain ASCII")
def _(root):
    return [f"line {number}: {line}" for number, line in numbered(help_text())
            if len(line) > WIDTH or not re.fullmatch(r"[ -~]*", line) or line != line.rstrip()]


@check("the help begins with the usage that Docker's helpers print")
def _(root):
    first = help_text().partition("\n")[0]
    return [] if first.startswith("Usage: docker-credential-pass <") and first.endswith(">") else [first]


@check("the help explains each verb of its usage")
def _(root):
    verbs, rest = usage_verbs(), help_text().partition("\n")[2]
    explained = set(re.findall(r"^\s+([a-z]+)\s", rest, re.MULTILINE))
    return difference(verbs, explained, "the help") if verbs else ["the first line names no verbs"]


@check("the help and the man page have the same verbs")
def _(root):
    synopsis = set(re.findall(r"\*([a-z]+)\*", man_section(root, "SYNOPSIS")))
    explained = set(re.findall(r"^\*([a-z]+)\*", man_section(root, "COMMANDS"), re.MULTILINE))
    verbs = usage_verbs()
    return (difference(verbs, synopsis, "the man page's SYNOPSIS") + difference(synopsis, verbs, "the help")
            + difference(verbs, explained, "the man page's COMMANDS") + difference(explained, verbs, "the help"))


@check("the help and the man page have the same environment variables")
def _(root):
    ours = set(VARIABLE.findall(help_text()))
    explained = set(re.findall(r"^\*(\w+)\*", man_section(root, "ENVIRONMENT"), re.MULTILINE))
    return (difference(ours, explained, "the man page's ENVIRONMENT")
            + difference(explained - NEED_NO_WORDS, ours, "the help"))


@check("the man page names every environment variable that the sources read")
def _(root):
    text, findings = man_text(root), []
    for path in sources(root, ".c", folders=("common", "gpg", "helper")):
        for name in re.findall(r'getenv\("(\w+)"\)', without_comments((root / path).read_text())):
            if name not in NEED_NO_WORDS and not re.search(rf"\b{name}\b", text):
                findings.append(f"{path} reads {name}")
    return findings


main()
