#!/usr/bin/env python3
"""A key on a smartcard: one PIN and one touch per get, and accurate errors without a card or scdaemon or with a wrong PIN."""

import json

from card_holder import URL, card_holder, count
from harness import assert_refused, case, main, need_fast_path


def get(user, **env):
    return user.helper("get", stdin=URL.encode(), env=env)


@case("get asks for one PIN and uses the card once; store and list do neither")
def _():
    need_fast_path()
    with card_holder() as user:
        user.list()
        user.store(URL, "me", "secret")
        assert count(user, "log", "PKDECRYPT") == 0 and count(user, "pinentry-log", "GETPIN") == 0, (user.card / "log").read_text()
        result = get(user)
        assert result.rc == 0 and json.loads(result.out)["Secret"] == "secret", result
        assert count(user, "log", "PKDECRYPT") == 1 and count(user, "pinentry-log", "GETPIN") == 1
        assert get(user, DOCKER_CREDENTIAL_PASS_FAST="0").rc == 0
        assert count(user, "log", "PKDECRYPT") == 2


def fail_with(code):
    """Makes scdaemon fail with an error code of libgpg-error."""
    return lambda user: (user.card / "missing").write_text(str(code))


ENODEV, CONFLICT, EACCES, CARD_RESET = 1 << 15 | 80, 70, 1 << 15 | 1, 109
ENDED = ("0006 12345678", "another program uses it", "gpgconf --kill scdaemon")

# Words of the error, and how often the card may be used. docs/clients-situations.md has the reports.
SITUATIONS = {
    "a reader that another program holds, for example ykman or opensc": (fail_with(ENODEV), ENDED, 0),
    "a card that another connection uses": (fail_with(CONFLICT), ENDED, 0),
    "a reader that only root may open": (fail_with(EACCES), ("0006 12345678", "may not use the reader"), 0),
    "a card that was reset": (fail_with(CARD_RESET), ("0006 12345678", "try again"), 0),
    "no card": (lambda user: (user.card / "missing").touch(), ("smartcard", "0006 12345678", "insert it"), 0),
    "a wrong PIN": (lambda user: (user.card / "typed").write_text("D 654321\n"), ("0006 12345678", "PIN was wrong"), 1),
    "a blocked PIN": (lambda user: (user.card / "blocked").touch(), ("0006 12345678", "PIN is blocked"), 1),
    "no scdaemon": (lambda user: (user.dir / "scdaemon").unlink(), ("install scdaemon",), 0),
    "no pinentry": (lambda user: (user.dir / "pinentry").unlink(), ("0006 12345678", "install pinentry"), 1),
    "no pinentry and no card": (lambda user: ((user.dir / "pinentry").unlink(), (user.card / "missing").touch()),
                                ("0006 12345678", "insert it"), 0),
    "a cancelled PIN prompt": (lambda user: (user.card / "typed").write_text("ERR 83886179 cancelled\n# "),
                                ("0006 12345678", "cancelled"), 1),
}

for name, (prepare, words, most) in SITUATIONS.items():
    @case(f"{name}: an accurate error, and the card is not used again")
    def _(prepare=prepare, words=words, most=most):
        need_fast_path()
        with card_holder() as user:
            prepare(user)
            user.end_agent()  # this also ends a running scdaemon
            user.run(["gpg-connect-agent", "/bye"], check=True)
            result = get(user)
            assert_refused(result, *words)
            assert result.err == b"", result
            assert count(user, "log", "PKDECRYPT") <= most, (user.card / "log").read_text()
            assert user.list() == {URL: "me"}


main()
