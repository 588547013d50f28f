#!/usr/bin/env python3
"""Checks docs/session.md: runs each of its commands, and compares the output with the page.

Paths of the temporary user, the registry's port and the key's fingerprint are replaced by those of the page. Line breaks
depend on the length of paths, so the comparison treats all white space as one space.
"""

import re
import shlex

from docker_user import DockerUser
from harness import ROOT, case, main, need
from registry import Registry

PAGE = ROOT / "docs/session.md"


def steps():
    """Returns the commands of the page with their output."""
    block = re.search(r"```\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    assert parts[0] == ""
    return list(zip(parts[1::2], parts[2::2]))


def plain(text, user, registry):
    """Returns the text with the page's paths, port and fingerprint."""
    for ours, theirs in ((str(user.home), "/home/ada"), (registry.host, "localhost:5000")):
        text = text.replace(ours, theirs)
    text = re.sub(r"\b[0-9A-F]{40}\b", "FINGERPRINT", text)
    return " ".join(text.split())


@case("every command of the page has the output that the page shows")
def _():
    need("docker")
    with Registry() as registry, DockerUser(registry, config={}, store=False) as user:
        user.config_file.unlink()
        (user.home / "password").write_text(registry.password)
        assert len(steps()) >= 5
        for command, expected in steps():
            line = command.replace("localhost:5000", registry.host)
            result = user.run(["sh", "-c", f"cd {shlex.quote(str(user.home))} && {line} 2>&1"])
            assert result.rc == 0, (command, result)
            assert plain(result.out.decode(), user, registry) == " ".join(expected.split()), (command, result.out.decode())


main()
