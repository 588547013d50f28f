#!/usr/bin/env python3
"""Turns the files of the web page into one C file, compressed with gzip.

The result depends on the files only: no times, no host names, a sorted order. Each file below
locales/ is a language; index.html gets a <link> for each in place of its line "<!-- locales -->",
and one for each module in place of "<!-- modules -->". A text that a language lacks is taken from
en.json. A language with a text that en.json does not have is an error.
"""

import argparse
import gzip
import hashlib
import html
import json
import pathlib
import sys

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8", ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml",
}
DOCUMENT = "index.html"
LOCALES_MARK, MODULES_MARK, VERSION_MARK = "<!-- locales -->", "<!-- modules -->", "@VERSION@"
BYTES_PER_LINE = 20


def read_locales(directory):
    """Returns the texts of each language by its code, complete."""
    english = json.loads((directory / "en.json").read_text(encoding="utf-8"))
    found = {}
    for path in sorted(directory.glob("*.json")):
        texts = json.loads(path.read_text(encoding="utf-8"))
        # Languages differ in which plural forms they have: "tags.few" needs "tags.other".
        unknown = [key for key in texts
                   if key not in english and f"{key.rpartition('.')[0]}.other" not in english]
        if unknown:
            raise ValueError(f"{path}: en.json has no text {', '.join(unknown)}")
        # A language's own plural forms are complete: English forms would mix with them.
        own = {key.rpartition(".")[0] for key in texts if key.endswith(".other")}
        filled = {key: text for key, text in english.items() if key.rpartition(".")[0] not in own}
        found[path.stem] = {**filled, **texts}
    return found


def locale_links(locales):
    return "\n".join(
        f'<link rel="alternate" type="application/json" hreflang="{html.escape(code)}" '
        f'title="{html.escape(texts["language"])}" '
        f'href="_page/{VERSION_MARK}/locales/{html.escape(code)}.json">'
        for code, texts in locales.items())


def module_links(files):
    """Links by which a browser loads all modules at once, instead of one after the other."""
    return "\n".join(f'<link rel="modulepreload" href="_page/{VERSION_MARK}/{path}">'
                     for path in files if path.endswith(".js"))


def read_files(source):
    """Returns the content of each file by its path in the page, without the version."""
    files = {}
    for path in sorted(source.rglob("*")):
        if path.suffix in MEDIA_TYPES and path.parent.name != "locales":
            files[path.relative_to(source).as_posix()] = path.read_bytes()
    locales = read_locales(source / "locales")
    for code, texts in locales.items():
        short = json.dumps(texts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        files[f"locales/{code}.json"] = short.encode()
    page = files[DOCUMENT].decode().replace(LOCALES_MARK, locale_links(locales))
    files[DOCUMENT] = page.replace(MODULES_MARK, module_links(files)).encode()
    return dict(sorted(files.items()))


def digest(*parts):
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()[:16]


def hex_lines(data):
    for at in range(0, len(data), BYTES_PER_LINE):
        yield "    " + ",".join(f"0x{byte:02x}" for byte in data[at:at + BYTES_PER_LINE]) + ","


def c_source(files, version):
    lines = ['#include "registry/page/assets.h"', "", "#include <string.h>", "",
             f'const char page_version[] = "{version}";', ""]
    rows = []
    for number, (path, content) in enumerate(files.items()):
        packed = gzip.compress(content, 9, mtime=0)
        lines += [f"static const unsigned char data_{number}[] = {{", *hex_lines(packed), "};", ""]
        media_type = MEDIA_TYPES[pathlib.PurePath(path).suffix]
        name = "" if path == DOCUMENT else path
        rows.append(f'    {{"{name}", "{media_type}", data_{number}, sizeof(data_{number}), '
                    f'"{digest(content)}"}},')
    return "\n".join([
        *lines, "static const struct page_asset assets[] = {", *rows, "};", "",
        "const struct page_asset *page_find_asset(const char *path)", "{",
        "    for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)",
        "        if (strcmp(assets[i].path, path) == 0)", "            return &assets[i];",
        "    return NULL;", "}", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="the directory with the page's files")
    parser.add_argument("output", type=pathlib.Path, help="the C file to write")
    parser.add_argument("--depfile", type=pathlib.Path, help="a file for the names of all inputs")
    arguments = parser.parse_args()
    try:
        files = read_files(arguments.source)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"embed.py: {error}")
    version = digest(*(part for item in files.items() for part in (item[0].encode(), item[1])))
    files[DOCUMENT] = files[DOCUMENT].replace(VERSION_MARK.encode(), version.encode())
    arguments.output.write_text(c_source(files, version), encoding="ascii")
    if arguments.depfile:
        # With the directories, so that a new file builds the page again.
        inputs = [arguments.source, *sorted(arguments.source.rglob("*"))]
        names = " ".join(str(path).replace(" ", "\\ ") for path in inputs)
        arguments.depfile.write_text(f"{arguments.output}: {names}\n", encoding="utf-8")


main()
