#!/usr/bin/env python3
"""Each shell's completions offer every verb and long option of --help and the man page, and are valid.

Further arguments: the programs, each with its installed name.
"""

import pathlib
import re
import shutil
import subprocess
import sys

from checks import check, main

FOLDERS = {"docker-credential-pass": "helper/completions", "registryd": "registry/completions"}

# The completion file of a program, and the commands that make the shell complete a line.
FILES = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}

BASH = """source "$1"; COMP_WORDS=($2 ''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"$(complete -p "${COMP_WORDS[0]}" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"; printf '%s\\n' "${COMPREPLY[@]}" """
FISH = 'source $argv[1]; complete -C "$argv[2] "'


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def long_option(option):
    """Returns an option as a completion file has it: `--key` in bash and zsh, `-l key` in fish."""
    return re.compile(rf"(?<![\w-])(?:{option}|-l {option[2:]})(?![\w-])")


def add_checks(program):
    name = pathlib.Path(program).name
    files = {shell: f"{FOLDERS[name]}/{file.format(name)}" for shell, file in FILES.items()}

    def help_text():
        return run(program, "--help").stdout

    def verbs():
        return set(re.findall(r"[a-z-]+", help_text().partition(">")[0].partition("<")[2]))

    def offered(root, shell):
        """Returns the first words that the shell itself offers; None if it is not installed."""
        words = {"bash": ("bash", "-c", BASH, "bash"), "fish": ("fish", "--no-config", "-c", FISH)}[shell]
        if not shutil.which(shell):
            return None
        return {line.split("\t")[0] for line in run(*words, str(root / files[shell]), name).stdout.splitlines()}

    @check(f"{name}: each completion file names each verb of the help")
    def _(root):
        wanted = verbs()
        texts = {path: re.findall(r"[\w-]+", (root / path).read_text()) for path in files.values()}
        missing = [f"{path} lacks {verb}" for path, text in texts.items() for verb in sorted(wanted - set(text))]
        return missing if wanted else ["the help lists no verbs"]

    @check(f"{name}: each completion file names each long option of the help and the man page")
    def _(root):
        page = (root / "man" / f"{name}.1.scd").read_text().partition("# COMMANDS")[2].partition("\n# ")[0]
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", help_text()))
        options |= {option for line in re.findall(r"^\t?\*-.*", page, re.MULTILINE)
                    for option in re.findall(r"--[a-z][a-z-]*", line)}
        return [f"{path} lacks {option}" for path in files.values() for option in sorted(options)
                if not long_option(option).search((root / path).read_text())]

    @check(f"{name}: bash and fish offer the verbs as the first word")
    def _(root):
        return [f"{shell} does not offer {verb}" for shell in ("bash", "fish")
                for found in [offered(root, shell)] if found is not None for verb in sorted(verbs() - found)]

    @check(f"{name}: each completion file is valid for its shell, if that is installed")
    def _(root):
        findings = []
        for shell, path in files.items():
            if shutil.which(shell):
                done = run(shell, "-n", str(root / path))
                findings += [f"{path}: {done.stderr.strip()}"] if done.returncode or done.stderr else []
        return findings


for path in sys.argv[2:]:
    add_checks(path)
main()
