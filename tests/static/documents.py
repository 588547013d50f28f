#!/usr/bin/env python3
"""The Markdown files: links and paths are valid, and both READMEs show the same commands. The man pages: no tables."""

import re
import unicodedata
import urllib.parse

from checks import check, main, numbered

FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*$")
LINK = re.compile(r"!?\[(?:[^\]\\]|\\.)*\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE_SPAN = re.compile(r"(`+)(.+?)\1")
# Paths in a code span that start with a top-level directory of the project.
TOP_LEVEL = ("common", "debian", "docs", "gpg", "helper", "man", "registry", "tests", ".ci")
PATH = re.compile(rf"(?:{'|'.join(map(re.escape, TOP_LEVEL))})/[\w./-]+")


def documents(root):
    """Returns the Markdown files of the project, as paths relative to root, without build directories."""
    found = [*root.glob("*.md"), *(path for name in TOP_LEVEL for path in (root / name).rglob("*.md"))]
    return sorted(path.relative_to(root) for path in found)


class Document:
    """A Markdown file: its prose as (line number, text), its code blocks as lists of lines."""

    def __init__(self, path):
        self.prose, self.blocks = [], []
        fence = ""
        is_indented, is_after_blank = False, True
        for number, line in numbered(path.read_text()):
            found = FENCE.match(line)
            if fence and not (found and found[1].startswith(fence)):
                self.blocks[-1].append(line)
            elif found:
                fence = "" if fence else found[1]
                if fence:
                    self.blocks.append([])
                is_indented = False
            elif line.startswith("    ") and (is_indented or is_after_blank):
                if not is_indented:
                    self.blocks.append([])
                self.blocks[-1].append(line[4:])
                is_indented = True
            else:
                self.prose.append((number, line))
                is_indented = False
            is_after_blank = not line.strip()

    def anchors(self):
        """Returns GitHub's anchors of headings: a repeated one gets a number."""
        seen, found = {}, set()
        for _, line in self.prose:
            heading = HEADING.match(line)
            if not heading:
                continue
            text = LINK.sub(lambda m: re.match(r"!?\[(.*?)\]", m[0])[1], heading[2])
            slug = "".join(c for c in text.lower().replace(" ", "-")
                           if c in "-_" or unicodedata.category(c)[0] in "LNM")
            times = seen.get(slug, 0)
            seen[slug] = times + 1
            found.add(f"{slug}-{times}" if times else slug)
        return found

    def links(self):
        for number, line in self.prose:
            for found in LINK.finditer(CODE_SPAN.sub("", line)):
                yield number, urllib.parse.unquote(found[1])

    def named_paths(self):
        for number, line in self.prose:
            for span in CODE_SPAN.finditer(line):
                if PATH.fullmatch(span[2]):
                    yield number, span[2]

    def names(self):
        """Returns the code spans and the link targets of the prose."""
        spans = {span[2] for _, line in self.prose for span in CODE_SPAN.finditer(line)}
        return spans | {link for _, link in self.links()}


@check("every relative link leads to an existing file and heading")
def _(root):
    findings = []
    for name in documents(root):
        for number, link in Document(root / name).links():
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (root / name).parent / file if file else root / name
            if not target.exists():
                findings.append(f"{name}:{number}: {link}: no such file")
            elif anchor and target.suffix == ".md" and anchor not in Document(target).anchors():
                findings.append(f"{name}:{number}: {link}: no such heading")
    return findings


@check("every path that a document names exists")
def _(root):
    return [f"{name}:{number}: {path}" for name in documents(root)
            for number, path in Document(root / name).named_paths()
            if not (root / path.rstrip(".")).exists()]


@check("README.md and README.zh-CN.md show the same commands in the same order")
def _(root):
    english, chinese = (Document(root / name).blocks for name in ("README.md", "README.zh-CN.md"))
    if not english:
        return ["README.md: no code block found"]
    findings = [f"README.md has {ours}, README.zh-CN.md has {theirs}"
                for ours, theirs in zip(english, chinese) if ours != theirs]
    if len(english) != len(chinese):
        findings.append(f"README.md has {len(english)} code blocks, README.zh-CN.md {len(chinese)}")
    return findings


@check("README.zh-CN.md has every option, file and link of README.md")
def _(root):
    english, chinese = (Document(root / name).names() for name in ("README.md", "README.zh-CN.md"))
    return [f"README.zh-CN.md lacks {name}" for name in sorted(english - chinese - {"README.zh-CN.md"})]


@check("README's first screen shows the installation and a login")
def _(root):
    lines = (root / "README.md").read_text().splitlines()[:45]
    commands = [line.strip() for line in lines if line.startswith("    ")]
    return [f"not among the first {len(lines)} lines: {start}"
            for start in ("apt install ", "docker-credential-pass setup", "docker login ")
            if not any(command.startswith(start) for command in commands)]


@check("no man page has a table: scdoc does not say that tbl has to format it")
def _(root):
    return [f"{path.relative_to(root)}:{number}: {line}" for path in sorted((root / "man").glob("*.scd"))
            for number, line in numbered(path.read_text()) if re.match(r"[|\[\]][\[\-\] ] ?", line)]


main()
