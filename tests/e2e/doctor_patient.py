"""A user for the doctor topics: a fault is made, found, repaired with the printed command, and no longer found."""

import contextlib
import json
import os
import shutil
import subprocess

from harness import Sandbox, Skip, helper_argv, helper_path, need

URL = "https://example.com"


class Patient(Sandbox):
    """A user without faults: a key, a store, one login, docker's file, the program on PATH."""

    def __init__(self, key="me@example.com", store=True, **more):
        super().__init__()
        self.uid = None
        self.namespace = None  # a command that sets up a mount namespace for this user
        folder = self.dir / "bin"
        folder.mkdir()
        (folder / "docker-credential-pass").symlink_to(helper_path())
        self.env["PATH"] = f"{folder}:{self.env['PATH']}"
        self.env["LC_ALL"] = "C"
        (self.docker / "config.json").write_text('{"credsStore": "pass"}')
        self.key = self.make_key(key, **more) if key else None
        if store and key:
            self.make_store(self.key)
            self.store(URL, "me", "secret")

    def doctor(self, *options, **more):
        """Returns the findings by id, and the exit status."""
        argv = ["docker-credential-pass", "doctor", "--json", *options] if self.uid else helper_argv("doctor", "--json", *options)
        return self.read_report(self.run(argv, **more))

    def read_report(self, result):
        assert result.err == b"", result
        found, rc = self.read_text(result.out.decode())
        assert result.rc == rc, result
        return found, rc

    def read_text(self, text):
        """Returns the same from a report in a file."""
        assert text.count("\n") == 1, text
        report = json.loads(text)
        self.steps = report["steps"]
        for finding in report["findings"]:
            assert set(finding) == {"id", "status", "what", "why", "commands", "fixable"}, finding
            assert finding["why"].endswith((".", ":") if finding["commands"] else "."), finding
        self.commands = [command for finding in report["findings"] for command in finding["commands"]]
        found = {finding["id"]: finding for finding in report["findings"]}
        return found, {True: 0, False: 1, None: 2}[report["ok"]]

    def run_command(self, command):
        return self.run(["sh", "-c", command], env={"USER": "me"})

    def type_and_ask_again(self, commands):
        """Runs the printed commands unchanged in a shell, then doctor in the same shell; returns its findings."""
        script = self.dir / "typed"
        script.write_text("".join(f"({command}) >&2\n" if " && " in command or "|" in command else f"{command} >&2\n"
                                  for command in commands))
        typed = f". {script} 2>{self.dir}/said || exit 99; exec docker-credential-pass doctor --json"
        result = self.run(["sh", "-ec", typed], env={"USER": "me"})
        assert result.rc != 99, (commands, (self.dir / "said").read_text())
        return self.read_report(result)

    def become(self, uid=4711):
        """Changes to an ordinary user without a passwd entry, who gets all files of the sandbox."""
        if os.geteuid() != 0:
            raise Skip("only root can change the user")
        need("setpriv")
        self.end_agent()
        program = self.dir / "bin/docker-credential-pass"
        program.unlink()
        shutil.copy2(helper_path(), program)
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(self.dir)], check=True)
        self.uid = uid

    def as_this_user(self, argv):
        """Returns the command prefix that runs a program as the user, in the user's namespace."""
        if self.uid:
            argv = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *argv]
        if self.namespace:
            argv = ["unshare", "-m", "sh", "-c", f'{self.namespace} && exec "$@"', "sh", *argv]
        return argv

    def run(self, argv, *more, **named):
        return super().run(self.as_this_user(argv), *more, **named)

    @contextlib.contextmanager
    def spawn(self, argv, terminal, env):
        """Starts a program as this user on a new terminal; the end of the block stops it."""
        merged = {name: str(value) for name, value in {**self.env, **env}.items() if value is not None}
        process = subprocess.Popen(self.as_this_user(argv), stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave,
                                   env=merged, cwd=self.home, start_new_session=True, preexec_fn=terminal.take)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def as_root(self, *argv):
        uid, self.uid = self.uid, None
        try:
            return self.run(argv, check=True)
        finally:
            self.uid = uid


def check(user, wanted, status, mended_by="command", options=(), **more):
    """Checks that exactly the wanted findings are reported, and that they are gone after the repair."""
    found, rc = user.doctor(*options, **more)
    assert wanted in found, (wanted, found)
    assert found[wanted]["status"] == status, found[wanted]
    assert (rc == 1) == any(finding["status"] == "bad" for finding in found.values()), found
    assert found[wanted]["commands"] or mended_by == "nothing", found[wanted]
    if mended_by == "command":
        for command in found[wanted]["commands"]:
            result = user.run_command(command)
            assert result.rc == 0, (command, result)
    elif mended_by == "--fix":
        assert found[wanted]["fixable"], found[wanted]
        fixed, _ = user.doctor("--fix")
        assert fixed[wanted]["status"] == "fixed", fixed
    elif callable(mended_by):
        mended_by(found[wanted]["commands"])
    if mended_by != "nothing":
        found, _ = user.doctor(*options, **more)
        assert wanted not in found, found[wanted]
    return found


def both_ways(make, wanted, status):
    """Checks the repair by the printed command and by --fix."""
    for way in ("command", "--fix"):
        with Patient() as user:
            make(user)
            left = check(user, wanted, status, way)
            assert not left, left


def skip_without_mounts():
    raise Skip("mounting needs root here")


def said(result):
    """Returns doctor's output with line ends as spaces, because line breaks depend on the length of paths and numbers."""
    return " ".join(result.out.decode().split())
