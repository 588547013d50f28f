"""Shared by the static checks: the sources without comments and strings, and TAP output.

A check is a function that takes the source root and returns a list of findings, each a line of
text; an empty list is a pass. A file of checks marks them with @check("what must be true") and
ends with main(). meson runs it with the source root as the first argument.
"""

import pathlib
import re
import sys

LAYERS = ("common", "gpg", "helper", "registry")

# Comments, strings and character constants; the latter two because "//" in them is not a comment.
TOKENS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

_checks = []


def sources(root, *suffixes, folders=LAYERS):
    """Returns the files of the layers with one of the suffixes, as paths relative to root."""
    return sorted(path.relative_to(root) for folder in folders for path in (root / folder).rglob("*")
                  if path.suffix in suffixes)


def blank(text):
    """Returns the text's line ends only."""
    return "\n" * text.count("\n")


def code_of(text):
    """Returns C without comments and without the content of strings; the line numbers stay."""
    return TOKENS.sub(lambda m: '""' if m[0][0] == '"' else "' '" if m[0][0] == "'" else blank(m[0]) or " ", text)


def without_comments(text):
    return TOKENS.sub(lambda m: m[0] if m[0][0] in "\"'" else blank(m[0]) or " ", text)


def numbered(text):
    return enumerate(text.splitlines(), 1)


def check(name):
    def mark(function):
        _checks.append((name, function))
        return function
    return mark


def main():
    """Runs the file's checks and exits."""
    if len(sys.argv) < 2 or sys.argv[1] in ("--help", "-h"):
        print(f"usage: {sys.argv[0]} SOURCE-ROOT [ARGUMENT...]\n\n{sys.modules['__main__'].__doc__.strip()}")
        sys.exit(0 if len(sys.argv) > 1 else 1)
    root = pathlib.Path(sys.argv[1]).resolve()
    print(f"1..{len(_checks)}")
    failed = 0
    for number, (name, function) in enumerate(_checks, 1):
        findings = function(root)
        for finding in findings:
            print(f"# {finding}")
        print(f"{'not ok' if findings else 'ok'} {number} - {name}", flush=True)
        failed += bool(findings)
    sys.exit(1 if failed else 0)
