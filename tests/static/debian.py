#!/usr/bin/env python3
"""The Debian packages have every file that is installed, and every build dependency.

Further arguments: the programs. The first one is in the build directory, whose meson-info lists what is installed.
"""

import json
import pathlib
import re
import sys

from checks import check, main

# debian/rules removes it, because Debian has this licence in /usr/share/common-licenses.
REMOVED = {"share/doc/docker-credential-pass/LICENSE"}
UNITS = {"${env:UNIT_DIRECTORY}": "lib/systemd/system"}
# build-essential and meson bring these to the build of a package.
IMPLIED = {"gcc", "libc6-dev", "ninja-build"}
# Only the build of a package needs these: for the packaging, and for the unit tests.
OF_PACKAGES = {"debhelper", "libcmocka-dev", "procps", "python3"}


def installed():
    """Returns the paths below the prefix, or below /usr, of all files that `meson install` installs."""
    info = pathlib.Path(sys.argv[2]).parents[1] / "meson-info"
    prefix = next(option["value"] for option in json.loads((info / "intro-buildoptions.json").read_text())
                  if option["name"] == "prefix")
    files = json.loads((info / "intro-installed.json").read_text()).values()
    return {path.removeprefix(prefix).removeprefix("/usr").lstrip("/") for path in files} - REMOVED


def packaged(root):
    """Returns the paths below /usr in the lists of debhelper."""
    found = set()
    for path in [*(root / "debian").glob("*.install"), root / "debian/not-installed"]:
        for line in path.read_text().split("\n"):
            word = line.partition(" ")[0]
            for variable, directory in UNITS.items():
                word = word.replace(variable, directory)
            found.add(word.removeprefix("usr/"))
    return found


def build_dependencies(root):
    text = re.search(r"^Build-Depends:\n((?: .*\n)+)", (root / "debian/control").read_text(), re.MULTILINE)[1]
    return {re.match(r"[a-z0-9+.-]+", line.strip())[0].replace("debhelper-compat", "debhelper") for line in text.splitlines()}


def installed_by_script(root):
    """Returns the first name of each package in the group "build" of .ci/install-dependencies."""
    text = (root / ".ci/install-dependencies").read_text()
    group = re.search(r"^    build\)\n(.*?)^        ;;", text, re.MULTILINE | re.DOTALL)[1]
    return set(re.findall(r'^ +echo "?([a-z0-9+.-]+)', group, re.MULTILINE))


@check("each file that is installed is in a Debian package")
def _(root):
    return [f"debian/*.install lack {path}" for path in sorted(installed() - packaged(root))]


@check("the packages' build dependencies are those of .ci/install-dependencies")
def _(root):
    control, script = build_dependencies(root), installed_by_script(root)
    return ([f"debian/control lacks {name}" for name in sorted(script - control - IMPLIED)]
            + [f".ci/install-dependencies lacks {name}" for name in sorted(control - script - OF_PACKAGES)])


main()
