#!/usr/bin/env python3
"""Functions that this project does without, and why."""

import re

from checks import check, code_of, main, numbered, sources

UNBOUNDED = "does not know how much room there is: snprintf, asprintf or memcpy with a size"
SHELL = "runs a shell: process.h starts programs"
BANNED = {
    "strcpy": UNBOUNDED, "stpcpy": UNBOUNDED, "strcat": UNBOUNDED, "sprintf": UNBOUNDED, "vsprintf": UNBOUNDED,
    "gets": UNBOUNDED, "strncpy": "leaves text without its end: memcpy with a size",
    "strncat": "counts what is left, not what there is: snprintf",
    "strtok": "keeps hidden state: strtok_r",
    "atoi": "cannot fail: strtol", "atol": "cannot fail: strtol", "atoll": "cannot fail: strtoll",
    "alloca": "overflows the stack", "strdupa": "overflows the stack",
    "system": SHELL, "popen": SHELL,
    "memset": "is removed by the compiler before a free: explicit_bzero, or = {0} at the declaration",
    "bzero": "is removed by the compiler before a free: explicit_bzero",
    "tmpnam": "can be foreseen", "mktemp": "can be foreseen", "tempnam": "can be foreseen",
    "rand": "can be foreseen: getrandom", "random": "can be foreseen: getrandom", "srand": "can be foreseen: getrandom",
}

# These grow a list of something that is no secret; of a secret realloc() would leave a copy.
MAY_REALLOC = {
    "common/folder-names.c", "gpg/keys.c", "helper/client/config-logins.c", "helper/client/leftovers.c", "helper/client/podman.c",
    "helper/client/registries-conf.c", "helper/doctor/report.c", "helper/pass/change.c", "helper/client/survey.c",
    "registry/api/text.c", "registry/config/settings-http.c",
    "registry/config/text-list.c", "registry/config/yaml-tree.c", "registry/config/yaml.c", "registry/http/response.c",
    "registry/api/dispatch.c", "registry/core/digest-set.c", "registry/storage/filesystem/write.c",
    "registry/storage/storage.c",
    "registry/core/lists.c",
}

CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")


def calls(root):
    """Yields (file, line number, name) for everything that looks like a call in the layers."""
    for path in sources(root, ".c", ".h"):
        for number, line in numbered(code_of((root / path).read_text())):
            for name in CALL.findall(line):
                yield path, number, name


@check("no banned function is called")
def _(root):
    return [f"{path}:{number}: {name}() {BANNED[name]}" for path, number, name in calls(root) if name in BANNED]


@check("realloc() is called only where no secret lies")
def _(root):
    return [f"{path}:{number}: {name}()" for path, number, name in calls(root)
            if name in ("realloc", "reallocarray") and str(path) not in MAY_REALLOC]


@check("the list of files that may call realloc() is no longer than needed")
def _(root):
    callers = {str(path) for path, _, name in calls(root) if name in ("realloc", "reallocarray")}
    return [f"{path} does not call it" for path in sorted(MAY_REALLOC - callers)]


main()
