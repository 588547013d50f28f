#!/usr/bin/env python3
"""Directories are layers: the allowed includes, and the files that may use a library's header."""

import fnmatch
import re

from checks import check, main, numbered, sources, without_comments

PICTURE = "docs/design/layers.md"
THREADS = "docs/design/threads.md"
THREAD_OR_LOCK = re.compile(r"\bpthread_(?:mutex_t|rwlock_t|spinlock_t|create\()")
ARROW = "<-"


def names(text):
    """The layers in a part of the picture, such as "gpg, helper/{pass, client}"."""
    found = []
    for prefix, group, name in re.findall(r"([\w/]+/)\{([^}]*)\}|([\w./]+)", text):
        found += [prefix + part.strip() for part in group.split(",")] if group else [name]
    return found


def read_picture(root):
    """What each layer may include: itself, common, and every layer to its left on a line."""
    allowed = {"common": {"common"}}
    for line in (root / PICTURE).read_text().splitlines():
        if not line.startswith("    ") or ARROW not in line:
            continue
        left = {"common"}
        for part in line.split(ARROW):
            for layer in names(part):
                allowed.setdefault(layer, {"common", layer})
                allowed[layer] |= left
            left |= set(names(part))
    return allowed


# The files that may include a library's header. Of the registry's files one may see
# libgcrypt, the one that checks passwords; which one is checked apart. In gpg/ it is the files that
# decrypt without gpg (two hashes of a key, its session key, the data sealed with that, the name of a directory) and
# the one that measures how fast the agent hashes.
CERTIFICATES = ("registry/cli/init/certificate.c", "registry/cli/init/host-names.*", "registry/cli/init/pem.*")

DOCTOR = ("registry/cli/doctor/check-certificate.c", "registry/cli/doctor/request.c")

TOKENS = ("registry/jwt/*", "tests/unit/registry-jwt/*")

FENCES = {
    "gpgme.h": ["gpg/*"],
    "cJSON.h": ["common/json*"],
    "gcrypt.h": ["common/secbuf*", "common/digest*", "common/hmac*", "common/random*", "registry/*", "gpg/keygrip.c",
                 "gpg/session-key.c", "gpg/sealed.c", "gpg/home.c", "gpg/s2k-time.c"],
    "gnutls.h": ["registry/http/tls*", "registry/http/client-ca.*", *CERTIFICATES, *DOCTOR, *TOKENS,
                 "tests/*"],
    "x509.h": ["registry/x509/*", "registry/http/client-ca.*", *CERTIFICATES, *DOCTOR, *TOKENS,
               "tests/*"],
    "abstract.h": ["registry/http/tls*", *TOKENS],
    "crypto.h": [*TOKENS],
    "seccomp.h": ["registry/confine/calls.c", "tests/unit/test-confine-calls.c"],
    "yaml.h": ["registry/config/yaml.*"],
    "crypt.h": ["registry/access/bcrypt.*", "tests/unit/registry-access/test-bcrypt-missing.c"],
    "curl.h": ["registry/storage/s3/curl-calls.h"],
    "expat.h": ["registry/storage/s3/xml.c"],
    "cmocka.h": ["tests/*"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
TESTS = ("tests",)


def layer_of(path, layers):
    """The longest name in the picture that fits: a directory, or a file that is a layer of its own."""
    fitting = [layer for layer in layers if str(path) == layer or str(path).startswith(layer + "/")]
    return max(fitting, key=len, default=None)


def includes(root, paths):
    """Yields (file, line number, True for <...>, name) for each #include."""
    for path in paths:
        for number, line in numbered(without_comments((root / path).read_text())):
            found = INCLUDE.match(line)
            if found:
                yield path, number, found[1] == "<", found[2]


def every_include(root):
    return includes(root, sources(root, ".c", ".h") + sources(root, ".c", ".h", folders=TESTS))


@check("sources to check exist")
def _(root):
    return [] if sources(root, ".c") else ["no .c file in any layer"]


@check("includes name our headers by their path from the source root")
def _(root):
    return [f'{path}:{number}: "{name}" is no file of the source root'
            for path, number, is_system, name in every_include(root)
            if not is_system and ("/" not in name or ".." in name or not (root / name).is_file())]


@check("includes with angle brackets name no header of ours")
def _(root):
    layers = read_picture(root)
    return [f"{path}:{number}: <{name}>" for path, number, is_system, name in every_include(root)
            if is_system and layer_of(name, layers)]


@check("the picture has every directory with sources, and no layer that does not exist")
def _(root):
    layers = read_picture(root)
    findings = [f"{PICTURE}: {layer} does not exist" for layer in layers if not (root / layer).exists()]
    return findings + [f"{path} is in no layer of {PICTURE}" for path in sources(root, ".c", ".h") if not layer_of(path, layers)]


@check("dependencies go the way that the picture shows")
def _(root):
    layers = read_picture(root)
    return [f'{path}:{number}: {layer_of(path, layers)} may not include "{name}"'
            for path, number, is_system, name in includes(root, sources(root, ".c", ".h"))
            if not is_system and layer_of(name, layers) not in layers[layer_of(path, layers)]]


@check("each library's header is included only by its allowed files")
def _(root):
    findings = []
    for path, number, is_system, name in every_include(root):
        fence = FENCES.get(name.rpartition("/")[2]) if is_system else None
        if fence and not any(fnmatch.fnmatch(str(path), pattern) for pattern in fence):
            findings.append(f"{path}:{number}: <{name}> belongs to {', '.join(fence)}")
    return findings


@check("at most one file of the registry, and one of its module for buckets, includes libgcrypt")
def _(root):
    files = sources(root, ".c", ".h", folders=("registry",))
    paths = sorted({str(path) for path, _, _, name in includes(root, files)
                    if name.endswith("gcrypt.h")})
    of_module = [path for path in paths if path.startswith("registry/storage/s3/")]
    return paths if len(of_module) > 1 or len(paths) - len(of_module) > 1 else []


# The module for buckets is one backend: the tables name its threads and the locks that others meet.
@check("the tables of threads and locks name each file of the registry that has one")
def _(root):
    named = set(re.findall(r"`(registry/[\w/-]+)\.[ch]`", (root / THREADS).read_text()))
    return [f"{path} is not in {THREADS}"
            for path in sources(root, ".c", ".h", folders=("registry",))
            if not str(path).startswith("registry/storage/s3/")
            and THREAD_OR_LOCK.search(without_comments((root / path).read_text()))
            and str(path.with_suffix("")).removesuffix("-private") not in named]


@check("each .c file includes its own header first")
def _(root):
    findings = []
    for path in sources(root, ".c"):
        own = path.with_suffix(".h")
        first = next((name for _, _, _, name in includes(root, [path])), None)
        # The files of a module share x-private.h, which includes x.h.
        if (root / own).is_file() and first not in (str(own), f"{path.with_suffix('')}-private.h"):
            findings.append(f'{path}: includes {first} before "{own}"')
    return findings


@check("source files have kebab-case names")
def _(root):
    return [str(path) for path in sources(root, ".c", ".h") if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", path.stem)]


main()
