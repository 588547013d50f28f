#!/usr/bin/env python3
"""Every finding of `doctor` is in a row of a table, and docs/doctor-situations.md says what the tables say.

With --write as the second argument the document is written anew.
"""

import importlib.util
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from checks import check, main

DOCUMENT = "docs/doctor-situations.md"
MARKER = "<!-- The tables below are made by: python3 tests/static/doctor-document.py . --write -->\n"
TABLES = (("doctor-situations", "gpg, its keys, the environment and docker's configuration"),
          ("doctor-agents", "gpg-agent, keyboxd, pinentries and smartcards"),
          ("doctor-shared", "Stores that are shared, mounted, copied or hostile"))

# Findings without a row, and where they are tested instead.
ELSEWHERE = {
    "config-leftovers": "what other clients left: tests/e2e/client-situations.py",
    "config-relative-link": "a link that docker does not follow: tests/e2e/client-situations.py",
    "docker-snap": "docker from a snap: tests/e2e/client-situations.py",
    "podman-docker-config": "podman with DOCKER_CONFIG: tests/e2e/client-situations.py",
    "gpg-id-owner": "an owner other than the user and root: tests/e2e/hostile-store.py",
    "git-not-run": "a git that hangs: tests/e2e/hostile-programs.py",
    "terminal-of-another": "a shell in a shell: tests/e2e/doctor-keys.py",
    "unchecked": "an error of the disk: tests/e2e/hostile-faults.py",
}

VERDICTS = {0: "works", 1: "fails", 2: "unknown"}
READERS = {"anyone": "", "root": " by root", "sudo": " with sudo", "su": " with su"}


def load_tables():
    """The rows of each file of tests, without running them."""
    import situations
    kept = {}
    for name, _ in TABLES:
        situations.run_table = lambda title, rows, name=name: kept.update({name: rows})
        spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / f"tests/e2e/{name}.py")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return kept


def describe_cure(row):
    if not row.has_cure:
        return "none"
    return ("typed" if row.is_typed and row.reader != "root" else "shown" if not row.is_typed else "shown or typed") + READERS[row.reader]


def format_row(row):
    source = row.source
    if source.startswith("https://"):
        _, repository, _, number = source.rsplit("/", 3)
        source = f"[{repository} {number}]({source})"
    found = ", ".join(f"`{one}`" for one in sorted(row.found)) or "nothing"
    if row.refused:
        found += "; fails where GnuPG refuses it (2.4): " + ", ".join(f"`{one}`" for one in sorted(row.refused[1]))
    name = row.name.replace("|", "\\|")
    return f"| {name} | {source} | {VERDICTS[row.rc]}: {found} | {describe_cure(row)} | {row.before or 'the same'} |"


def format_tables():
    lines = []
    for name, rows in load_tables().items():
        lines += ["", f"## {dict(TABLES)[name]}", "", f"`tests/e2e/{name}.py`", "",
                  "| situation | reported in | verdict and findings | command | before |", "|---|---|---|---|---|"]
        lines += [format_row(row) for row in rows]
    return "\n".join(lines[1:]) + "\n"


@check("docs/doctor-situations.md has the tables of the tests")
def _(root):
    head, _, tables = (root / DOCUMENT).read_text().partition(MARKER)
    if tables.strip() == format_tables().strip():
        return []
    return [f"{DOCUMENT} is out of date: python3 tests/static/doctor-document.py . --write"]


@check("each finding of doctor is in a table, or tested elsewhere")
def _(root):
    code = "".join(path.read_text() for path in sorted((root / "helper/doctor").glob("*.c")))
    ids = set(re.findall(r'report_add\(\s*&doctor->report,\s*"([a-z0-9-]+)"', code))
    ids |= set(re.findall(r'"([a-z]+-[a-z0-9-]+)"', "".join(re.findall(r'report_add\(\s*&doctor->report,[^;]*?FINDING', code))))
    ids |= {one for pair in re.findall(r'\[GPG_KEY_\w+\] = "([a-z-]+)"|\{STEP_\w+, "([a-z-]+)"', code) for one in pair if one}
    found = {one for rows in load_tables().values() for row in rows for one in row.found | (row.refused[1] if row.refused else set())}
    return ([f"{one} is in no table" for one in sorted(ids - found - set(ELSEWHERE))]
            + [f"{one} is in a table" for one in sorted(set(ELSEWHERE) & found)]
            + [f"{one} is no finding" for one in sorted(set(ELSEWHERE) - ids)])


if "--write" in sys.argv:
    document = ROOT / DOCUMENT
    head = document.read_text().partition(MARKER)[0] if document.exists() else ""
    document.write_text(head + MARKER + "\n" + format_tables())
else:
    main()
