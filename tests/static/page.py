#!/usr/bin/env python3
"""The web page: nothing in it parses HTML or keeps a login, its languages are complete, and it is built deterministically."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

from checks import check, main, numbered

WEB = "registry/page/web"
# What could turn a text into HTML or a script, leave a login behind, or needs what the policy of the page forbids.
BANNED = {
    r"\b(inner|outer)HTML\b": "parses HTML: use dom.js", r"\binsertAdjacentHTML\b": "parses HTML: use dom.js",
    r"\bdocument\.write": "parses HTML: use dom.js", r"\bDOMParser\b": "parses HTML: use dom.js",
    r"\bcreateContextualFragment\b": "parses HTML: use dom.js", r"\bsrcdoc\b(?!\$)": "parses HTML: use dom.js",
    r"\beval\(": "runs a text", r"\bnew Function\b": "runs a text", r"\bsetTimeout\(['\"`]": "runs a text",
    r"\b(local|session)Storage\b": "outlives the page", r"\bdocument\.cookie\b": "outlives the page",
    r"\bindexedDB\b": "outlives the page", r"\.style\b": "the policy forbids inline styles: use a class",
    r"https?://(?!www\.w3\.org/2000/svg)[\w.]": "the page loads nothing from elsewhere",
}
# Only dom.js creates elements and sets attributes, so that its checks hold for all.
OF_DOM_ONLY = re.compile(r"\b(setAttribute(NS)?|createElement(NS)?)\(")
KEY = re.compile(r"""['"`]([a-z]+\.[A-Za-z]+)['"`]""")
PLURAL_FORMS = ("zero", "one", "two", "few", "many", "other")
COLUMNS = 100


def files(root, *suffixes):
    return sorted(path for path in (root / WEB).rglob("*") if path.suffix in suffixes)


def locales(root):
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files(root, ".json")}


def stem(key):
    """The key of a text without its plural form."""
    base, _, form = key.rpartition(".")
    return base if form in PLURAL_FORMS and base.count(".") else key


@check("the page has no call that parses HTML, runs a text or keeps something after a reload")
def _(root):
    return [f"{path.relative_to(root)}:{number}: {reason}" for path in files(root, ".js")
            for number, line in numbered(path.read_text()) for pattern, reason in BANNED.items() if re.search(pattern, line)]


@check("only dom.js creates elements and sets attributes")
def _(root):
    return [f"{path.relative_to(root)}:{number}" for path in files(root, ".js") if path.name != "dom.js"
            for number, line in numbered(path.read_text()) if OF_DOM_ONLY.search(line)]


@check("the document has no inline script or style")
def _(root):
    text = (root / WEB / "index.html").read_text()
    return [found[0] for found in re.finditer(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", text)]


@check("every text that a module names exists, and every text is used")
def _(root):
    texts = {stem(key) for key in locales(root)["en"]}
    used = set().union(*(KEY.findall(path.read_text()) for path in files(root, ".js")))
    topics = {text.split(".")[0] for text in texts if "." in text}
    missing = {key for key in used if key.split(".")[0] in topics and stem(key) not in texts and key not in NOT_TEXTS}
    built = ("kind.", "config.")  # keys that modules put together
    unused = {text for text in texts if text not in used and "." in text and not text.startswith(built)}
    return [f"en.json lacks {key}" for key in sorted(missing)] + [f"no module uses {key}" for key in sorted(unused)]


# The examples of words.js.
NOT_TEXTS = {"tags.one", "tags.other"}


@check("every language has every text, with the same names in braces")
def _(root):
    found, findings = locales(root), []
    english = {stem(key): text for key, text in found["en"].items()}
    for code, texts in found.items():
        own = {stem(key): text for key, text in texts.items()}
        findings += [f"{code}.json lacks {key}" for key in sorted(english.keys() - own.keys())]
        findings += [f"{code}.json: {key} has other names in braces" for key, text in own.items()
                     if set(re.findall(r"\{\w+\}", text)) != set(re.findall(r"\{\w+\}", english.get(key, "")))]
    return findings


@check("lines of the page have at most 100 columns, and files at most 400 lines")
def _(root):
    findings = [f"{path.relative_to(root)}:{number}: {len(line)} columns" for path in files(root, ".js", ".css")
                for number, line in numbered(path.read_text()) if len(line) > COLUMNS]
    return findings + [str(path) for path in files(root, ".js", ".css", ".html") if len(path.read_text().splitlines()) > 400]


def embed(root, source, output):
    return subprocess.run([sys.executable, root / "registry/page/embed.py", source, output], capture_output=True, text=True)


def copy_web(root, target):
    for path in (root / WEB).rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(root / WEB)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


@check("equal files of the page give an equal C file, wherever and whenever they are compressed")
def _(root):
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        copy_web(root, place / "copy")
        for source, output in ((root / WEB, place / "1.c"), (place / "copy", place / "2.c")):
            done = embed(root, source, output)
            if done.returncode != 0:
                return [done.stderr]
        return [] if (place / "1.c").read_bytes() == (place / "2.c").read_bytes() else ["the C files differ"]


@check("a new language is one file; a language with an unknown text is refused")
def _(root):
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        copy_web(root, place)
        (place / "locales/ar.json").write_text('{"language": "العربية", "direction": "rtl", "tags.count.few": "{n}", '
                                               '"tags.count.other": "{n}"}', encoding="utf-8")
        done = embed(root, place, place / "1.c")
        findings = [] if done.returncode == 0 and '"locales/ar.json"' in (place / "1.c").read_text() else [done.stderr]
        (place / "locales/ar.json").write_text('{"language": "x", "tags.cuont": "{n}"}')
        done = embed(root, place, place / "2.c")
        if done.returncode == 0 or "tags.cuont" not in done.stderr:
            findings.append(f"the unknown text is accepted: {done}")
        return findings


main()
