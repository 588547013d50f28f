#!/usr/bin/env python3
"""Functions that this project does not use, with the reasons."""

import re

from checks import check, code_of, main, numbered, sources

UNBOUNDED = "does not know the size of the buffer: use snprintf, asprintf or memcpy with a size"
SHELL = "runs a shell: use process.h"
BANNED = {
    "strcpy": UNBOUNDED, "stpcpy": UNBOUNDED, "strcat": UNBOUNDED, "sprintf": UNBOUNDED, "vsprintf": UNBOUNDED,
    "gets": UNBOUNDED, "strncpy": "may leave text without a terminator: use memcpy with a size",
    "strncat": "takes the remaining size, not the size of the buffer: use snprintf",
    "strtok": "keeps hidden state: use strtok_r",
    "atoi": "does not report errors: use strtol", "atol": "does not report errors: use strtol",
    "atoll": "does not report errors: use strtoll",
    "alloca": "can overflow the stack", "strdupa": "can overflow the stack",
    "system": SHELL, "popen": SHELL,
    "memset": "is removed by the compiler before a free: use explicit_bzero, or = {0} at the declaration",
    "bzero": "is removed by the compiler before a free: use explicit_bzero",
    "tmpnam": "is predictable", "mktemp": "is predictable", "tempnam": "is predictable",
    "rand": "is predictable: use getrandom",
    "random": "is predictable: use getrandom", "srand": "is predictable: use getrandom",
}

# These grow a list without secrets; realloc() would leave a copy of a secret.
MAY_REALLOC = {
    "common/directory-names.c", "gpg/keys.c", "helper/client/config-logins.c", "helper/client/leftovers.c", "helper/client/podman.c",
    "helper/client/registries-conf.c", "helper/doctor/report.c", "helper/pass/change.c", "helper/client/survey.c",
    "registry/api/text.c", "registry/config/settings-http.c",
    "registry/config/text-list.c", "registry/config/yaml-tree.c", "registry/config/yaml.c", "registry/http/response.c",
    "registry/api/body.c", "registry/core/digest-set.c", "registry/storage/filesystem/write.c",
    "registry/storage/s3/cache-directory.c", "registry/storage/storage.c",
    "registry/cli/content/image.c", "registry/cli/table.c", "registry/cli/doctor/report.c",
    "registry/core/lists.c", "registry/access/rules-words.c", "registry/access/robots.c",
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


@check("realloc() is called only for memory without secrets")
def _(root):
    return [f"{path}:{number}: {name}()" for path, number, name in calls(root)
            if name in ("realloc", "reallocarray") and str(path) not in MAY_REALLOC]


@check("every file that may call realloc() does call it")
def _(root):
    callers = {str(path) for path, _, name in calls(root) if name in ("realloc", "reallocarray")}
    return [f"{path} does not call it" for path in sorted(MAY_REALLOC - callers)]


main()
