#!/usr/bin/env python3
"""Robots: logins of programs, with passwords that registryd makes.

REGISTRYD names the program under test (default: build/registry/registryd of this checkout).
"""

import base64
import http.client
import os
import pathlib
import re
import stat
import subprocess
import threading

from harness import case, main, need
from plain_registry import PROGRAM, TIMEOUT_S, Server, line, wait_for

USER_PASSWORD = "secret"


class Manned:
    """A registry whose robots file does not exist at first."""

    def __init__(self, rules=None, **settings):
        if rules is not None:
            settings.update(files={"access": rules}, AUTH_HTPASSWD_ACCESS="access")
        self.server = Server(line("alice", USER_PASSWORD) + line("robot+old", USER_PASSWORD),
                             AUTH_HTPASSWD_ROBOTS="robots",
                             STORAGE_DELETE_ENABLED="true", **settings)
        self.file = self.server.dir / "robots"

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def run(self, *words, expected=0):
        """What `registryd robot` prints on standard output and standard error."""
        done = subprocess.run([PROGRAM, "robot", *words, "--config", self.server.config],
                              cwd=self.server.dir, env=self.server.env,
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == expected, done
        return done.stdout, done.stderr

    def create(self, name, *words):
        """The password of a new robot."""
        return self.run("create", name, "--quiet", *words)[0].strip()

    def call(self, user, password, method, path):
        return self.server.call(user, password, method, path)[0]

    def may(self, user, password, repository):
        """Which of pull, push and delete the server gives; None if the login is refused."""
        statuses = {"pull": self.call(user, password, "GET", f"/v2/{repository}/tags/list"),
                    "push": self.call(user, password, "POST", f"/v2/{repository}/blobs/uploads/"),
                    "delete": self.call(user, password, "DELETE",
                                        f"/v2/{repository}/manifests/none")}
        if set(statuses.values()) == {401}:
            return None
        assert 401 not in statuses.values(), statuses
        return {action for action, status in statuses.items() if status != 403}


@case("a robot has the rights from --allow and no others, without a restart of the server")
def _():
    with Manned() as registry:
        assert registry.may("robot+ci", "x", "team/app") is None
        password = registry.create("ci", "--allow", "team/**:pull,push", "--allow", "base:pull")
        assert re.fullmatch(r"registryd_robot_[\w-]{43}", password), password
        assert password not in registry.file.read_text()
        assert (stat.S_IMODE(registry.file.stat().st_mode)
                == stat.S_IMODE(registry.server.file.stat().st_mode))
        assert registry.may("robot+ci", password, "team/app") == {"pull", "push"}
        assert registry.may("robot+ci", password, "base") == {"pull"}
        assert registry.may("robot+ci", password, "other") == set()
        assert registry.call("robot+ci", password, "GET", "/v2/") == 200
        assert registry.may("robot+ci", password + "x", "team/app") is None
        assert registry.may("robot+other", password, "team/app") is None
        assert registry.may("ci", password, "team/app") is None
        # A line of the password file makes no robot, and users are as before.
        assert registry.may("robot+old", USER_PASSWORD, "team/app") is None
        assert registry.may("alice", USER_PASSWORD, "other") == {"pull", "push", "delete"}
        assert "revoked" in registry.run("revoke", "ci")[1]
        assert registry.may("robot+ci", password, "team/app") is None


@case("a robot's mount and catalog show only what it may pull")
def _():
    with Manned() as registry:
        password = registry.create("ci", "--allow", "team/**:pull,push")
        for name in ("team/app", "secret/app"):
            status, headers, _ = registry.server.get("alice", USER_PASSWORD,
                                                     f"/v2/{name}/tags/list")
            assert status == 404
            connection = http.client.HTTPConnection("127.0.0.1", registry.server.port,
                                                    timeout=TIMEOUT_S)
            login = base64.b64encode(f"alice:{USER_PASSWORD}".encode()).decode()
            digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            connection.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", b"",
                               {"Authorization": "Basic " + login})
            assert connection.getresponse().status == 201
            connection.close()
        body = registry.server.get("robot+ci", password, "/v2/_catalog")[2]
        assert b"team/app" in body and b"secret" not in body, body
        mount = f"/v2/team/b/blobs/uploads/?mount={digest}"
        assert registry.call("robot+ci", password, "POST", mount + "&from=secret/app") == 202
        assert registry.call("robot+ci", password, "POST", mount) == 202
        assert registry.call("robot+ci", password, "POST", mount + "&from=team/app") == 201


@case("rules of the access file apply to robots as well, and access explain knows both")
def _():
    rules = ("group team robot+ci\nallow @team pull shared\nallow users pull users-only\nallow "
             "alice all **\n")
    with Manned(rules) as registry:
        password = registry.create("ci", "-a", "team/**:pull,push-new")
        assert registry.may("robot+ci", password, "team/app") == {"pull", "push"}
        assert registry.may("robot+ci", password, "shared") == {"pull"}
        assert registry.may("robot+ci", password, "users-only") == set()

        def explain(*words):
            done = subprocess.run([PROGRAM, "access", "explain", "-c", registry.server.config,
                                   *words], cwd=registry.server.dir,
                                  env=registry.server.env, capture_output=True, text=True,
                                  timeout=TIMEOUT_S, check=False)
            return done.returncode, done.stdout + done.stderr

        code, text = explain("robot+ci", "push-new", "team/app")
        assert code == 0 and "--allow team/**:pull,push-new" in text, text
        code, text = explain("robot+ci", "pull", "shared")
        assert code == 0 and "line 2" in text and "but" not in text, text
        code, text = explain("robot+ci", "push", "team/app")
        assert code == 1 and text.startswith("no: ") and "--allow" in text, text
        registry.server.write(rules + "allow robot+gone pull **\n", registry.server.dir / "access")
        code, text = explain("robot+gone", "pull", "x")
        assert code == 0 and "does not have this robot" in text, text


@case("an expired robot is refused; a file with a mistake is ignored")
def _():
    with Manned() as registry:
        password = registry.create("ci", "--allow", "**:pull")
        good = registry.file.read_text()
        assert registry.may("robot+ci", password, "x") == {"pull"}
        registry.server.write(good + "nonsense\n", registry.file)
        assert registry.may("robot+ci", password, "x") == {"pull"}
        wait_for(lambda: "robots line 3" in registry.server.log(), "a warning that names the line")
        out, err = registry.run("create", "more", expected=1)
        assert not out and "line 3" in err and registry.file.read_text() == good + "nonsense\n", (
            out, err)
        registry.server.write(re.sub("expires=[^ ]*", "expires=2020-01-01T00:00:00Z", good),
                              registry.file)
        assert registry.may("robot+ci", password, "x") is None
        assert "expired" in registry.run("list")[0]


@case("list shows rights, expiry and the last use")
def _():
    with Manned() as registry:
        assert registry.run("list")[0].count("\n") == 1
        password = registry.create("ci", "--allow", "team/**:pull", "--expires", "never")
        registry.create("idle", "--allow", "x:pull")

        def rows():
            return {words[0]: words[1:]
                    for words in map(str.split, registry.run("list")[0].splitlines()[1:])}

        assert rows()["ci"] == ["never", "never", "team/**:pull"], rows()
        assert registry.call("robot+ci", password, "GET", "/v2/") == 200
        # A server notes the last use after some seconds, and when it stops
        registry.server.restart()
        assert rows()["ci"][1].endswith("Z"), rows()
        assert rows()["idle"][1] == "never"
        assert password not in registry.run("list")[0] + registry.server.log()


@case("create prints lines to paste, and refuses invalid arguments")
def _():
    with Manned(HTTP_HOST="https://registry.test:5000") as registry:
        out, err = registry.run("create", "ci", "--allow", "team/**:pull")
        password = re.search(r"registryd_robot_[\w-]{43}", out)[0]
        assert not err and out.count(password) == 2 and "shown only now" in out, (out, err)
        assert "docker login --username robot+ci --password-stdin registry.test:5000" in out
        login = f'{{"username":"robot+ci","password":"{password}"}}'
        assert f'{{"auths":{{"registry.test:5000":{login}}}}}' in out
        assert "docker/login-action" in out
        before = registry.file.read_text()
        for words in (("create", "ci"), ("create",), ("create", "CI"), ("create", "a", "b"),
                      ("revoke", "none"), ("fly",), (),
                      ("create", "x", "--allow", "team"), ("create", "x", "--allow", "team:fly"),
                      ("create", "x", "--allow", "T:pull"),
                      ("create", "x", "--allow", "a:pull b:pull"),
                      ("create", "x", "--expires", "90"), ("create", "x", "--oops"),
                      ("create", "x", "--allow"), ("list", "x")):
            out, err = registry.run(*words, expected=1)
            assert not out and err.count("\n") == 1, (words, out, err)
        out, err = registry.run("create", "x", "--allow", "**:health", expected=1)
        assert "health, which robots cannot have" in err, err
        assert registry.file.read_text() == before
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([PROGRAM, "robot", "create", "lost", "-c",
                                   registry.server.config], cwd=registry.server.dir,
                                  env=registry.server.env, stdout=full, stderr=subprocess.PIPE,
                                  check=False)
        assert done.returncode == 1 and b"revoke" in done.stderr, done


@case("robots can be created concurrently")
def _():
    with Manned() as registry:
        threads = [threading.Thread(target=registry.create, args=(f"r{i}",)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert registry.run("list")[0].count("\nr") == 8
        assert (sorted(path.name for path in registry.server.dir.iterdir()
                       if "registryd-" in path.name)
                == [])


@case("guesses at a robot's password are limited")
def _():
    with Manned(AUTH_HTPASSWD_GUESSES="3") as registry:
        registry.create("ci", "--allow", "**:pull")
        statuses = [registry.call("robot+ci", f"wrong{i}", "GET", "/v2/") for i in range(6)]
        assert statuses[0] == 401 and statuses[-1] == 429, statuses


@case("without auth.htpasswd.robots a robot is a user of the password file, as before")
def _():
    with Server(line("robot+ci", USER_PASSWORD)) as server:
        assert server.status("robot+ci", USER_PASSWORD) == 200
        done = subprocess.run([PROGRAM, "robot", "list", "-c", server.config], cwd=server.dir,
                              env=server.env, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 1 and "auth.htpasswd.robots" in done.stderr, done


@case("skopeo logs in as a robot")
def _():
    with Manned() as registry:
        password = registry.create("ci", "--allow", "team/**:pull")
        home = registry.server.dir / "home"
        home.mkdir()
        env = {"PATH": os.environ["PATH"], "HOME": str(home),
               "REGISTRY_AUTH_FILE": str(pathlib.Path(home) / "auth.json")}
        done = subprocess.run([need("skopeo"), "login", "--tls-verify=false", "-u", "robot+ci",
                               "--password-stdin",
                               f"127.0.0.1:{registry.server.port}"], input=password, text=True,
                              env=env, capture_output=True,
                              check=False)
        assert done.returncode == 0, done


main()
