"""Situations of `doctor`'s users as rows of a table: each is made, diagnosed, repaired as printed, and diagnosed again.

A row says how to create the situation and what doctor must find. run_table() makes each row a case with these steps:

 1. doctor runs in English and in German (unless gpg must time out): the findings and the exit status must be the same.
 2. The commands are read from doctor's text output.
 3. They are typed on a terminal in sequence, exactly as printed, by the user who reads them: root, a user with sudo, or a
    user without sudo. Questions are answered as the row says.
 4. doctor runs again in the same shell, and must report only the findings that the row leaves, usually none.

Commands that a test cannot type are in UNTYPED, with the reasons.
"""

import contextlib
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import atexit

from doctor_patient import URL, Patient
from harness import Skip, case, helper_argv, main, need
from registry import Registry
from terminal import Shell, Terminal

# Printed commands that cannot be typed here, with the reasons.
UNTYPED = {
    r"(sudo |su -c ')?apt-get install -y [a-z-]+'?": "it would install a package on the machine that runs the tests",
    r"install \S+ /usr/local/bin/docker-credential-pass": "it would install the program on the machine that runs the tests",
}

# Commands that remove something or log out; only rows with a certain cause may have one.
DELETES = re.compile(r"(^|[;&' ])(rm|rmdir|docker logout)\b")

READERS = ("anyone", "root", "sudo", "su")


class Row:
    """A situation.

    name    a description, as in docs/doctor-situations.md
    source  the public report
    make    a function of the Patient that creates the situation, or a generator that also ends it
    found   the ids of the findings; rc is the exit status (0 works, 1 fails, 2 unknown)
    refused a program of GnuPG (its arguments) and the ids of the findings if this GnuPG fails with the situation
    words   texts that doctor's output must contain
    reader  the user: "root", "sudo" and "su" (an ordinary user with or without sudo), or "anyone": the user of the tests
    answers pairs of a question of a typed command (a regular expression) and the answer
    left    the ids that remain after all commands; after is the exit status then
    has_cure    whether doctor prints a command
    is_typed    False if another row types the same commands at lower cost
    is_long     whether the row runs only with LOAD=full
    fast        the value of DOCKER_CREDENTIAL_PASS_FAST, if any
    deletes     whether a command deletes something, because the cause is certain
    """

    def __init__(self, name, source, make=None, found=(), rc=None, words=(), reader="anyone", answers=(), left=(), after=0,
                 has_cure=None, deletes=False, refused=None, options=(), env=None, fast=None, is_typed=True, is_long=False, before="", **patient):
        assert reader in READERS, reader
        self.name, self.source, self.make, self.found, self.words = name, source, make, set(found), words
        self.rc = rc if rc is not None else (1 if found else 0)
        self.reader, self.answers, self.left, self.after = reader, answers, set(left), after
        self.has_cure = bool(found) if has_cure is None else has_cure
        self.deletes, self.options, self.env, self.before, self.patient = deletes, options, env, before, patient
        self.fast, self.is_typed, self.is_long, self.refused = fast, is_typed, is_long, refused

    def expect(self, user):
        """Asks GnuPG itself whether it refuses the situation, because versions differ; if so, expects what the row says."""
        if self.refused and user.run(self.refused[0]).rc != 0:
            self.found, self.rc, self.has_cure = set(self.refused[1]), 1, False


# --- languages ------------------------------------------------------------------------------------------------


@functools.cache
def german_locale():
    place = pathlib.Path(tempfile.mkdtemp(prefix="dcp.", dir="/tmp"))
    place.chmod(0o755)
    atexit.register(shutil.rmtree, place, True)
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", place / "de_DE.UTF-8"], capture_output=True)
    return {"LOCPATH": str(place), "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"} if made.returncode == 0 else None


def german():
    """Returns an environment with gpg's German messages; None if the locale cannot be made."""
    return german_locale() if shutil.which("localedef") else None


# --- readers --------------------------------------------------------------------------------------------------


def prepare_etc(user, has_sudo):
    """Prepares an /etc for an ordinary user who can become root with sudo, or with su, which needs no password here."""
    upper = user.dir / "etc"
    upper.mkdir()
    for name in ("passwd", "shadow", "group"):
        shutil.copy2(f"/etc/{name}", upper)
    with open(upper / "passwd", "a") as passwd:
        passwd.write(f"me:x:{user.uid}:{user.uid}::{user.home}:/bin/sh\n")
    with open(upper / "group", "a") as group:
        group.write(f"me:x:{user.uid}:\n")
    shadow = re.sub(r"^root:[^:]*:", "root::", (upper / "shadow").read_text(), flags=re.M)
    (upper / "shadow").write_text(shadow + "me:*:19000:0:99999:7:::\n")
    if has_sudo:
        (upper / "sudoers.d").mkdir(mode=0o750)
        (upper / "sudoers.d/me").write_text("me ALL=(ALL:ALL) NOPASSWD: ALL\n")
        (upper / "sudoers.d/me").chmod(0o440)
    (user.dir / "etc-work").mkdir()
    for path in (user.dir, upper):
        os.chown(path, 0, 0)
        path.chmod(0o755)
    return f"mount -t overlay etc -o lowerdir=/etc,upperdir={upper},workdir={user.dir}/etc-work /etc"


def become(user, reader):
    """Makes the patient an ordinary user in a mount namespace with an /etc of their own."""
    need("unshare")
    if reader == "sudo":
        need("sudo")
    user.become()
    if reader == "su":
        user.env["PATH"] = f"{user.dir / 'bin'}:{user.path_without('sudo')}"
    user.namespace = prepare_etc(user, reader == "sudo")
    if user.run(["true"]).rc != 0:
        raise Skip("cannot mount an overlay here")


def log_in_again(make):
    """Makes the server a running registry, so that docker login can be typed to repair what `make` does to the entry."""
    def both(user):
        need("docker")
        with Registry() as registry:
            user.env.update(SSL_CERT_FILE=str(registry.ca), DOCKER_HOST="unix:///nonexistent/docker.sock")
            user.store(registry.host, registry.username, "secret")
            shutil.rmtree(user.server_folder(URL))
            make(user, user.entry(registry.host, registry.username))
            user.answers = ((r"Username", registry.username + "\n"), (r"Password", registry.password + "\n"))
            yield
    return both


# --- a row ----------------------------------------------------------------------------------------------------


def read_commands(text):
    """Returns the commands in doctor's text output: the lines that are indented by nine columns."""
    return [line[9:] for line in text.splitlines() if line.startswith(" " * 9)]


def check_judgement(row, user):
    """Checks both languages and both output formats; returns the printed commands."""
    found, rc = user.doctor(*row.options, env=row.env)
    assert (set(found), rc) == (row.found, row.rc), (row.name, rc, found, user.steps)
    said = " ".join(" ".join((one["what"], one["why"])) for one in found.values())
    assert all(word in said for word in row.words), (row.words, said)
    if german() and not row.env:
        other, other_rc = user.doctor(*row.options, env={**(row.env or {}), **german()})
        assert (set(other), other_rc) == (row.found, row.rc), (row.name, "in German", other_rc, other)
    person = user.run([*(["docker-credential-pass"] if user.uid else helper_argv()), "doctor", *row.options], env=row.env)
    commands = read_commands(person.out.decode())
    assert person.rc == row.rc and commands == user.commands, (person, user.commands)
    assert bool(commands) == row.has_cure, (row.name, commands)
    assert row.deletes or not any(DELETES.search(command) for command in commands), (row.name, commands)
    return commands


def is_untyped(command):
    return any(re.fullmatch(pattern, command) for pattern in UNTYPED)


def type_cure(row, user, commands):
    """Types the commands as printed, and runs doctor again in the same shell."""
    report = user.home / ".report"
    with Terminal() as terminal:
        if user.uid:
            os.chown(terminal.name, user.uid, -1)
        env = {**(row.env or {}), "USER": "me", "PS1": Shell.PROMPT, "SHELL": "/bin/sh", "TERM": "xterm"}
        with user.spawn(["sh", "-i"], terminal, env) as process:
            shell = Shell(terminal, process)
            for command in commands:
                status = shell.type(command, getattr(user, "answers", row.answers))
                assert status == 0, (row.name, command, status, shell.last)
            options = " ".join(row.options)
            shell.type(f"docker-credential-pass doctor --json {options} >{report} 2>&1")
            shell.end()
    found, rc = user.read_text(report.read_text())
    assert (set(found), rc) == (row.left, row.after), (row.name, commands, rc, found)


def run_row(row):
    with contextlib.ExitStack() as stack:
        user = stack.enter_context(Patient(**row.patient))
        if row.reader != "anyone":
            if os.geteuid() != 0:
                raise Skip("only root can change the user")
            if row.reader != "root":
                become(user, row.reader)
        if row.fast is not None:
            user.env["DOCKER_CREDENTIAL_PASS_FAST"] = row.fast
        if row.make:
            made = row.make(user)
            if made is not None and hasattr(made, "__next__"):
                stack.enter_context(contextlib.contextmanager(lambda: made)())
        row.expect(user)
        commands = check_judgement(row, user)
        typed = [command for command in commands if not is_untyped(command)]
        if row.is_typed and typed and len(typed) == len(commands):
            type_cure(row, user, typed)


def run_table(title, rows):
    names = [row.name for row in rows]
    assert len(names) == len(set(names)), "two rows have the same name"
    for row in rows:
        if row.is_long and os.environ.get("LOAD") != "full":
            continue
        case(f"{title}: {row.name}" + ("" if row.reader == "anyone" else f" ({row.reader})"))(functools.partial(run_row, row))
    main(under_valgrind_each=12)
