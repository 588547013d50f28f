"""The command lines of the benchmarks. A wrong argument or a missing program is refused in one
line, with exit status 2.
"""

import argparse
import os
import pathlib
import shutil


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")

    def need(self, *names):
        """Refuses to run without these programs."""
        missing = [name for name in names
                   if not shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")]
        if missing:
            self.error(f"not installed: {', '.join(missing)}; run .ci/install-dependencies bench")

    def check_program(self, path):
        """For a program that no argument names: returns its absolute path."""
        try:
            return program(path)
        except argparse.ArgumentTypeError as why:
            return self.error(str(why))


def program(path):
    """A type of arguments: the absolute path of a program."""
    path = pathlib.Path(path).resolve()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{path} does not exist; build it first")
    if not path.is_file() or not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"{path} is not a program")
    return str(path)


def directory(path):
    if not pathlib.Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"{path} is not a directory")
    return path


def count(text):
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"\"{text}\" is not a whole number of at least 1")
    return int(text)


def seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"\"{text}\" is not a number of seconds")
    return value


def sizes(text):
    """Whole numbers with commas between them."""
    return [count(size) for size in text.split(",")]
