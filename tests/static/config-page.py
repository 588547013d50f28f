#!/usr/bin/env python3
"""The configuration's man page describes exactly the settings that the parser knows."""

import re

from checks import check, main, without_comments

SCHEMA = "registry/config/schema.c"
PAGE = "man/registryd-config.5.scd"

ROW = re.compile(r'\{"([^"]+)", SCHEMA_(\w+), (\w+),\s')
TERM = re.compile(r"\*([a-z]\w*(?:\.[\w*]+)*)\*(?!\()")
HEADINGS = {"POINTLESS": "UNNECESSARY SETTINGS", "IGNORED": "IGNORED", "REFUSED": "REFUSED"}
# Settings of one word without a dot; other such words are names of programs and the like.
SINGLE = {"version", "loglevel", "middleware", "redis"}


def table(root):
    """Returns the parser's settings without mere sections: {path: treatment}."""
    rows = ROW.findall(without_comments((root / SCHEMA).read_text()))
    return {path: treatment for path, kind, treatment in rows if kind in ("VALUE", "OPEN")}


def sections(root):
    """Returns each heading of the page with the settings at the start of lines or in a list below it."""
    text = (root / PAGE).read_text().replace("\\*", "*").replace("\\_", "_")
    found = {}
    for heading, body in re.findall(r"^# ([^\n]+)\n(.*?)(?=^# |\Z)", text, re.DOTALL | re.MULTILINE):
        lines = body if heading == "UNNECESSARY SETTINGS" else "\n".join(re.findall(r"^\*.*", body, re.MULTILINE))
        found[heading] = {term for term in TERM.findall(lines) if "." in term or term in SINGLE}
    return found


@check("the parser's table of settings is understood")
def _(root):
    text = without_comments((root / SCHEMA).read_text())
    rows, lines = len(ROW.findall(text)), len(re.findall(r'^\s+\{"[\w.*]+", SCHEMA_', text, re.MULTILINE))
    return [] if rows == lines and table(root) else [f"{SCHEMA}: {lines} rows, of which {rows} were understood"]


@check("the page has every setting below the heading of its treatment")
def _(root):
    page, findings = sections(root), []
    described = set().union(*(terms for heading, terms in page.items() if heading not in HEADINGS.values()))
    for path, treatment in table(root).items():
        terms = page.get(HEADINGS[treatment], set()) if treatment in HEADINGS else described
        if path not in terms:
            findings.append(f"{path} ({treatment}) is missing in {HEADINGS.get(treatment, 'the sections of settings')}")
    return findings


@check("the page has no unknown setting and no duplicate")
def _(root):
    known, seen, findings = table(root), set(), []
    for heading, terms in sections(root).items():
        findings += [f"{heading}: there is no setting {term}" for term in sorted(terms - set(known))]
        findings += [f"{heading}: {term} is in another section, too" for term in sorted(terms & seen)]
        seen |= terms
    return findings


@check("registryd(1) points to the page")
def _(root):
    return [] if "*registryd-config*(5)" in (root / "man/registryd.1.scd").read_text() else ["no pointer to it"]


main()
