#!/usr/bin/env python3
"""The help is an interface: it fits a terminal, and agrees with the man page.

Further arguments: the programs, each with its installed name.
"""

import pathlib
import re
import subprocess
import sys

from checks import check, main, numbered, sources, without_comments

WIDTH = 80

# Words in capitals that are environment variables: those with an underscore, and these.
VARIABLE = re.compile(r"\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|HOME|PATH|DISPLAY|GNUPGHOME)\b")
# Variables that come from the system, and that users do not set for these programs.
NEED_NO_WORDS = {"HOME", "PATH", "TERM"}

# The source directories of each program.
FOLDERS = {
    "docker-credential-pass": ("common", "gpg", "helper"),
    "registryd": ("common", "registry"),
}


def difference(ours, theirs, where):
    return [f"{word} is missing in {where}" for word in sorted(ours - theirs)]


class Program:
    def __init__(self, path):
        self.path = path
        self.name = pathlib.Path(path).name

    def run(self, *words):
        return subprocess.run([self.path, *words], stdin=subprocess.DEVNULL, capture_output=True)

    def help_text(self):
        return self.run("--help").stdout.decode(errors="replace")

    def man_text(self, root):
        """Returns the man page's source without scdoc's escapes."""
        return (root / "man" / f"{self.name}.1.scd").read_text().replace("\\", "")

    def man_section(self, root, title):
        found = re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", self.man_text(root), re.DOTALL | re.MULTILINE)
        return found[1] if found else ""

    def man_terms(self, root, title):
        """Returns the bold words of lines that start with one."""
        lines = re.findall(r"^\*.*", self.man_section(root, title), re.MULTILINE)
        return {word for line in lines for word in re.findall(r"\*([\w-]+)\*", line)}

    def verbs(self):
        """Returns the verbs of the usage, and those that the help explains (lines with two spaces and the word)."""
        return self.usage_verbs() | set(re.findall(r"^  ([a-z-]+)\s", self.help_text(), re.MULTILINE))

    def usage(self):
        """Returns the first paragraph, `Usage: NAME <store|get|...>`, as one line."""
        return re.sub(r"\n *", "", self.help_text().partition("\n\n")[0])

    def usage_verbs(self):
        return set(re.findall(r"[a-z-]+", self.usage().partition("<")[2]))


def add_checks(program):
    def check_of_program(name):
        return check(f"{program.name}: {name}")

    @check_of_program("--help and -h print the same on stdout, with exit status 0")
    def _(root):
        long, short = program.run("--help"), program.run("-h")
        if long.returncode or long.stderr or not long.stdout:
            return [f"--help: {long}"]
        return [] if (short.returncode, short.stdout, short.stderr) == (0, long.stdout, b"") else [f"-h: {short}"]

    @check_of_program(f"the help fits {WIDTH} columns and is plain ASCII")
    def _(root):
        texts = [program.help_text(), *(program.run(verb, "--help").stdout.decode() for verb in sorted(program.usage_verbs()))]
        return [f"line {number}: {line}" for text in texts for number, line in numbered(text)
                if len(line) > WIDTH or not re.fullmatch(r"[ -~]*", line) or line != line.rstrip()]

    @check_of_program("the help starts with the usage, as in Docker's helpers")
    def _(root):
        first = program.usage()
        return [] if first.startswith(f"Usage: {program.name} <") and first.endswith(">") else [first]

    @check_of_program("the help explains each verb of its usage")
    def _(root):
        verbs, rest = program.usage_verbs(), program.help_text().partition("\n\n")[2]
        explained = set(re.findall(r"^\s+([a-z-]+)\s", rest, re.MULTILINE))
        return difference(verbs, explained, "the help") if verbs else ["the usage has no verbs"]

    @check_of_program("the help and the man page have the same verbs")
    def _(root):
        verbs = program.verbs()
        synopsis = program.man_terms(root, "SYNOPSIS") - {program.name}
        explained = {word for word in program.man_terms(root, "COMMANDS") if not word.startswith("-")}
        return (difference(verbs, synopsis, "the man page's SYNOPSIS") + difference(synopsis, verbs, "the help")
                + difference(verbs, explained, "the man page's COMMANDS") + difference(explained, verbs, "the help"))

    @check_of_program("the help and the man page have the same environment variables")
    def _(root):
        ours = set(VARIABLE.findall(program.help_text()))
        explained = program.man_terms(root, "ENVIRONMENT")
        return (difference(ours, explained, "the man page's ENVIRONMENT")
                + difference(explained - NEED_NO_WORDS, ours, "the help"))

    @check_of_program("the man page names every environment variable that the sources read")
    def _(root):
        text, findings = program.man_text(root), []
        for path in sources(root, ".c", folders=FOLDERS[program.name]):
            for name in re.findall(r'getenv\("(\w+)"\)', without_comments((root / path).read_text())):
                if name not in NEED_NO_WORDS and not re.search(rf"\b{name}\b", text):
                    findings.append(f"{path} reads {name}")
        return findings


for path in sys.argv[2:]:
    add_checks(Program(path))
main()
