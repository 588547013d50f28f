#!/usr/bin/env python3
"""Authentication with an htpasswd file: registryd reads it as registry:2 does, and follows changes
of the file.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import concurrent.futures
import json
import os
import signal
import statistics
import subprocess
import time

from harness import case, main, need
from plain_registry import TIMEOUT_S, Server, line, wait_for

TAIL = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"  # of password U*U at cost 5


@case("without a login the answer is 401 with the realm and the spec's JSON")
def _():
    with Server(line("me", "secret")) as server:
        for path in ("/v2/", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/latest"):
            status, headers, body = server.get(path=path)
            assert status == 401, (path, status)
            assert headers["WWW-Authenticate"] == 'Basic realm="Registry Realm"', (
                headers["WWW-Authenticate"])
            assert json.loads(body)["errors"][0]["code"] == "UNAUTHORIZED", body


@case("the right password is accepted, any other is rejected")
def _():
    with Server(line("me", "secret") + line("you", "other")) as server:
        assert server.status("me", "secret") == 200
        for user, password in (("me", "Secret"), ("me", ""), ("me", "other"), ("nobody", "secret"),
                               ("", ""), ("me", "secret\0"),
                               ("Me", "secret"), ("me ", "secret")):
            assert server.status(user, password) == 401, (user, password)
        assert server.status("me", "secret") == 200


@case("an invalid Authorization header is rejected, and harms nothing")
def _():
    with Server(line("me", "secret")) as server:
        for text in ("Basic", "Basic ", "Basic !!!", "Basic bWU=", "Bearer abc",
                     "Basic " + "A" * 7000, "x"):
            assert server.status(authorization=text) in (400, 401), text
        assert server.status("me", "secret") == 200


FILE_OF_ALL_KINDS = (
    "# a comment: with a colon\n\n"
    + "".join(f"{kind}:$2{kind}$05${TAIL}\n" for kind in "abxy")
    + f"zed:$2z$05${TAIL}\n"
    + f"  indented:$2a$05${TAIL}  \r\n"
    + f"fields:$2a$05${TAIL}:1:2\nlonger:$2a$05${TAIL}abc\n"
    + f"twice:$2a$05${TAIL}\ntwice:gone\nback:gone\nback:$2a$05${TAIL}\n"
    + f"short:$2a$05${TAIL[:-1]}\ncheap:$2a$03${TAIL}\n"
    + f"salt:$2a$05$CCCCCCCCCCCCCCCCCCCCC/{TAIL[22:]}\n"
    + "apr1:$apr1$TyXgrfV2$wVX2naLcJUcqnSmarl7lA1\nsha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"
    + "plain:U*U\nnone:\n"
    + f"two words:$2a$05${TAIL}\n:$2a$05${TAIL}\nü:$2a$05${TAIL}\n")
USERS = ["a", "b", "x", "y", "indented", "fields", "longer", "twice", "back", "short", "cheap",
         "salt", "apr1", "sha", "plain",
         "none", "two words", "", "ü", "#", "# a comment", " indented", "nobody"]


@case("registryd accepts and rejects the same users as registry:2 for the same file")
def _():
    with Server(FILE_OF_ALL_KINDS) as ours, Server(FILE_OF_ALL_KINDS,
                                                   need("docker-registry")) as theirs:
        for user in USERS:
            for password in ("U*U", "U*u", ""):
                answers = ours.status(user, password), theirs.status(user, password)
                assert answers[0] == answers[1], (user, password, answers)


@case("passwords of any characters and lengths match as in registry:2")
def _():
    passwords = ["", " ", "a:b", "pässwörd 日本", "x" * 72, "y" * 255]
    text = "".join(line(f"u{i}", password) for i, password in enumerate(passwords))
    with Server(text) as ours, Server(text, need("docker-registry")) as theirs:
        for i, password in enumerate(passwords):
            for tried in (password, password + "x", password[:-1]):
                answers = ours.status(f"u{i}", tried), theirs.status(f"u{i}", tried)
                assert answers[0] == answers[1], (tried, answers)
            assert ours.status(f"u{i}", password) == 200, password


@case("the next request uses the changed file")
def _():
    with Server(line("me", "secret") + line("you", "other")) as server:
        assert server.status("me", "secret") == 200 and server.status("you", "other") == 200
        server.write(line("me", "changed") + line("new", "third"))
        assert server.status("me", "secret") == 401
        assert server.status("me", "changed") == 200
        assert server.status("you", "other") == 401
        assert server.status("new", "third") == 200


@case("Apache's htpasswd may change the file in place under load, and no valid login is rejected")
def _():
    with Server(line("me", "secret")) as server, concurrent.futures.ThreadPoolExecutor(
            3) as threads:
        is_over = False

        def ask():
            statuses = set()
            while not is_over:
                statuses.add(server.status("me", "secret"))
            return statuses

        asking = [threads.submit(ask) for _ in range(2)]
        for i in range(20):
            subprocess.run([need("htpasswd"), "-bB", "-C4", server.file, f"user{i}", "p"],
                           check=True, capture_output=True)
        assert server.status("user19", "p") == 200
        is_over = True
        statuses = {status for done in asking for status in done.result()}
        assert statuses == {200}, statuses


@case("the users stay valid when the file disappears, and one warning is logged")
def _():
    with Server(line("me", "secret")) as server:
        server.file.unlink()
        for _ in range(5):
            assert server.status("me", "secret") == 200
            assert server.status("me", "wrong") == 401
        assert server.log().count("No such file") == 1, server.log()
        server.write(line("new", "secret"))
        assert server.status("new", "secret") == 200 and server.status("me", "secret") == 401


@case("invalid lines are reported by number, and their content is never logged")
def _():
    text = "hunter2\n" + line("me", "secret") + "old:$apr1$hunter2$hunter2\n"
    with Server(text) as server:
        assert server.status("me", "secret") == 200
        log = server.log()
        assert "line 1:" in log and "line 3:" in log and "line 2:" not in log, log
        assert "hunter2" not in log and "old" not in log, log


@case("a world-readable file causes a warning")
def _():
    with Server(line("me", "secret")) as server:
        assert "can be read by every user" not in server.log()
        server.file.chmod(0o644)
        server.file.write_text(line("me", "changed"))
        assert server.status("me", "changed") == 200
        assert "can be read by every user" in server.log(), server.log()


@case("a missing file prevents the start; no file is created, and the error names the command "
      "that creates one")
def _():
    server = Server(None)
    assert server.process.wait(TIMEOUT_S) == 1
    assert "registryd htpasswd" in server.log() and str(server.file) in server.log(), server.log()
    assert not server.file.exists()
    server.__exit__()


@case("SIGHUP reloads the users, and no password appears in the log")
def _():
    with Server(line("me", "a-secret-word")) as server:
        server.status("me", "a-secret-word")
        server.status("me", "a-wrong-word")
        server.file.write_text("nonsense\n" + line("me", "a-secret-word"))
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "line 1:" in server.log(), "SIGHUP did not reload the file")
        assert "-word" not in server.log()
        assert base64.b64encode(b"me:a-secret-word").decode() not in server.log()


@case("a password is hashed once, not once per request")
def _():
    with Server(line("me", "secret")) as server:
        for _ in range(30):
            assert server.status("me", "secret") == 200
        assert server.metric("registry_auth_bcrypt_total") == 1
        assert server.metric("registry_auth_granted_total") == 30
        assert server.metric("registry_auth_remembered_total") == 29


@case("200 concurrent clients with the same password cost at most one bcrypt per computing thread")
def _():
    # SPARE_COMPUTERS in registry/cli/serve/service.c
    computers = max(2, len(os.sched_getaffinity(0))) + 2
    with Server(line("me", "secret",
                     10)) as server, concurrent.futures.ThreadPoolExecutor(200) as threads:
        assert set(threads.map(lambda _: server.status("me", "secret"), range(200))) == {200}
        assert server.metric("registry_auth_bcrypt_total") <= computers


@case("rejecting an unknown user costs as much as rejecting a known one, whatever the "
      "known user's hash")
def _():
    text = line("ten", "secret", 10) + line("five", "secret",
                                            5) + "apr1:$apr1$TyXgrfV2$wVX2naLcJUcqnSmarl7lA1\n"
    with Server(text, AUTH_HTPASSWD_GUESSES="0") as server:
        taken = {}
        for _ in range(9):
            for user in ("ten", "five", "apr1", "nobody", "n" * 200):
                # CPU time: it includes what a client can measure, but not the load of other
                # processes.
                begin = server.cpu_ns()
                assert server.status(user, "wrong") == 401
                taken.setdefault(user, []).append(server.cpu_ns() - begin)
        usual = {user: statistics.median(times) / 1e6 for user, times in taken.items()}
        print("# milliseconds of CPU time for a rejected login:",
              {user[:6]: round(ms, 2) for user, ms in usual.items()})
        assert max(usual.values()) < 1.15 * min(usual.values()), usual


@case("a client that guesses passwords delays neither cached nor new logins")
def _():
    text = line("victim", "secret", 11) + line("known", "secret", 4) + line("new", "secret", 4)
    with Server(text, AUTH_HTPASSWD_GUESSES="0") as server, concurrent.futures.ThreadPoolExecutor(
            100) as threads:
        assert server.status("known", "secret") == 200
        began = time.monotonic()
        guesses = [threads.submit(server.status, "victim", f"guess{i}") for i in range(100)]
        wait_for(lambda: server.metric("registry_auth_bcrypt_total") > 2, "nobody guesses")
        slowest = 0
        for _ in range(20):
            begin = time.monotonic()
            assert server.status("known", "secret") == 200
            slowest = max(slowest, time.monotonic() - begin)
        begin = time.monotonic()
        assert server.status("new", "secret") == 200
        of_new = time.monotonic() - begin
        left = sum(not guess.done() for guess in guesses)
        assert {guess.result() for guess in guesses} <= {401, 429}
        of_all = time.monotonic() - began
        assert left > 10, f"the guessing ended too early to prove anything: {left}"
        assert slowest < of_all / 10 and of_new < of_all / 4, (slowest, of_new, of_all)


@case("guesses above the limit are delayed for that user at that address only")
def _():
    text = line("victim", "secret", 4) + line("other", "secret", 4)
    with Server(text, AUTH_HTPASSWD_GUESSES="5") as server:
        assert server.status("victim", "secret") == 200  # cached from here on
        assert [server.status("victim", f"guess{i}") for i in range(7)] == 5 * [401] + 2 * [429]
        status, headers, body = server.get("victim", "one more")
        assert status == 429 and 1 <= int(headers["Retry-After"]) <= 12, headers
        assert json.loads(body)["errors"][0]["code"] == "TOOMANYREQUESTS", body
        assert server.status("victim", "secret") == 200, (
            "a cached password must not count as a guess")
        assert server.status("other", "secret") == 200, "another user at the same address"
        server.write(text + "# changed: this empties the password cache\n")
        assert server.status("victim", "secret") == 429
        assert server.status("victim", "secret", source="127.0.0.2") == 200, (
            "the same user at another address")


@case("thousands of concurrent guesses are limited to the same number")
def _():
    with Server(line("victim", "secret", 8), AUTH_HTPASSWD_GUESSES="5") as server, \
            concurrent.futures.ThreadPoolExecutor(60) as threads:
        statuses = list(threads.map(lambda i: server.status("victim", f"guess{i}"), range(300)))
        # When the fifth guess fails, each worker thread may already be checking one more.
        assert 5 <= statuses.count(401) <= 5 + os.cpu_count() + 1, statuses.count(401)
        assert statuses.count(401) + statuses.count(429) == 300, statuses
        assert server.metric("registry_auth_bcrypt_total") <= 5 + os.cpu_count() + 1


@case("an address that a client claims in a header is ignored")
def _():
    with Server(line("victim", "secret", 4), AUTH_HTPASSWD_GUESSES="3") as server:
        for i in range(6):
            said = {name: f"192.0.2.{i}"
                    for name in ("X-Forwarded-For", "X-Real-IP", "True-Client-IP",
                                 "CF-Connecting-IP")}
            status = server.status("victim", f"guess{i}",
                                   headers={**said, "Forwarded": f"for=192.0.2.{i}"})
            assert status == (401 if i < 3 else 429), (i, status)


main()
