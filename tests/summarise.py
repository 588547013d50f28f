#!/usr/bin/env python3
"""Counts the cases of all test runs; prints the reasons of skips, the durations, and the reasons of failures.

    tests/summarise.py DIRECTORY

DIRECTORY contains a file for each run NAME: NAME.json is meson's test log, NAME.tap a script's
TAP output, in which a line `# seconds: N` is the duration. The last line
of the output is `N passed, N failed, N skipped`, without the last part if it is zero. The exit
status is 0 only if something ran and nothing failed.
"""

import json
import pathlib
import re
import sys

TAP_LINE = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*)$")
TAP_SKIP = re.compile(r"#\s*skip\S*\s*(.*)$", re.IGNORECASE)
CMOCKA_LINE = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] ([\w-]+)$")
CMOCKA_REASON = re.compile(r"^\[\s*(ERROR|LINE)\s*\]|^[^\[\s]")
TAP_SECONDS = re.compile(r"^# seconds: (\d+)$", re.MULTILINE)
TAIL_LINES = 40
LISTED_S = 1.0  # topics that take less in every run are only counted

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Case:
    def __init__(self, verdict, name, reason=""):
        self.verdict, self.name, self.reason = verdict, name, reason


def tap_cases(text):
    """TAP: a failed case's reason is the comment lines before it."""
    cases, remarks = [], []
    for line in text.splitlines():
        found = TAP_LINE.match(line)
        if line.startswith("#"):
            remarks.append(line[1:].strip())
        elif found:
            skip = TAP_SKIP.search(found[2])
            if found[1]:
                cases.append(Case(FAILED, found[2], "\n".join(remarks[-TAIL_LINES:])))
            elif skip:
                cases.append(Case(SKIPPED, found[2][:skip.start()].strip(), skip[1]))
            else:
                cases.append(Case(PASSED, found[2]))
            remarks = []
    return cases


def cmocka_cases(text):
    """cmocka names a failed test at its end and again in the summary. The reasons are on
    stderr without the tests' names, so each failed test is shown with all of them."""
    verdicts = {"OK": PASSED, "FAILED": FAILED, "SKIPPED": SKIPPED}
    lines = text.splitlines()
    found = list(filter(None, map(CMOCKA_LINE.match, lines)))
    reason = "\n".join(line for line in lines if CMOCKA_REASON.match(line))
    return [Case(verdicts[word], name, reason if word == "FAILED" else "")
            for word, name in dict.fromkeys((one[1], one[2]) for one in found)]


def tail(text):
    return "\n".join(text.rstrip().splitlines()[-TAIL_LINES:])


def program_cases(entry):
    """Returns the cases of one program in meson's log. A program without cases is itself the case."""
    output = "\n".join(filter(None, (entry.get("stdout"), entry.get("stderr"))))
    cases = tap_cases(entry.get("stdout") or "") or cmocka_cases(output)
    result = entry["result"]
    whole = f"as a whole ({result})"
    if result == "SKIP" and not any(case.verdict == SKIPPED for case in cases):
        cases.append(Case(SKIPPED, whole, re.sub(r"^1\.\.0 # SKIP ", "", tail(output))))
    elif result not in ("OK", "SKIP") and not any(case.verdict == FAILED for case in cases):
        cases.append(Case(FAILED, whole, tail(output)))
    elif not cases:
        cases.append(Case(PASSED, whole))
    for case in cases:
        case.name = f"{entry['name']}: {case.name}"
    return cases


def read_log(path):
    """Returns the entries of meson's log, one for each program."""
    return [json.loads(line) for line in path.read_text(errors="replace").splitlines() if line]


def run_cases(path):
    if path.suffix == ".tap":
        return tap_cases(path.read_text(errors="replace"))
    return [case for entry in read_log(path) for case in program_cases(entry)]


# --- durations -----------------------------------------------------------------

def suite_and_topic(entry):
    """Returns the first suite and the topic of `project:suite+suite / topic`."""
    suites, _, topic = entry["name"].rpartition(" / ")
    return suites.rpartition(":")[2].partition("+")[0] or "-", topic


def table(title, columns, rows):
    """Prints a table. rows: for each name, the seconds by column; the longest is first."""
    print(f"\n{title}")
    width = max(map(len, rows), default=0)
    print(f"  {'':{width}}" + "".join(f"{column:>15}" for column in columns))
    for name in sorted(rows, key=lambda name: -max(rows[name].values())):
        cells = (f"{rows[name][column]:15.1f}" if column in rows[name] else " " * 15 for column in columns)
        print(f"  {name:{width}}{''.join(cells)}".rstrip())


def tell_times(paths):
    """Prints a table by suite and one by topic. Parallel topics are each counted with their full duration."""
    suites, topics, columns = {}, {}, []
    for path in paths:
        if path.suffix == ".tap":
            found = TAP_SECONDS.search(path.read_text(errors="replace"))
            if found:
                suites.setdefault("building", {})[path.stem.removesuffix("-build")] = int(found[1])
            continue
        columns.append(path.stem)
        for entry in read_log(path):
            suite, topic = suite_and_topic(entry)
            sums = suites.setdefault(suite, {})
            sums[path.stem] = sums.get(path.stem, 0) + entry["duration"]
            topics.setdefault(f"{suite} {topic}", {})[path.stem] = entry["duration"]
    listed = {name: row for name, row in topics.items() if max(row.values()) >= LISTED_S}
    if suites:
        columns += [column for column in suites.get("building", {}) if column not in columns]
        table("Seconds by suite:", columns, suites)
        table("Seconds by topic:", columns, listed)
        print(f"  ({len(topics) - len(listed)} topics took less than {LISTED_S:g} s)")


# --- output --------------------------------------------------------------------

def tell(title, told):
    """Prints pairs of a line and its explanation."""
    if told:
        print(f"\n{title}:")
    for line, text in told:
        print(f"  {line}")
        for more in text.splitlines():
            print(f"      {more}")


def tell_skipped(runs):
    """Prints each reason once, with the skipped cases."""
    reasons = {}
    for name, cases in runs.items():
        for case in cases:
            if case.verdict == SKIPPED:
                reasons.setdefault(case.reason or "no reason given", []).append(f"{name}: {case.name}")
    tell("Skipped", [(f"{len(names)} x {reason.splitlines()[-1]}", "\n".join(names)) for reason, names in reasons.items()])


def count(cases, verdict):
    return sum(case.verdict == verdict for case in cases)


def summary(cases):
    skipped = count(cases, SKIPPED)
    return f"{count(cases, PASSED)} passed, {count(cases, FAILED)} failed" + (f", {skipped} skipped" if skipped else "")


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("--help", "-h"):
        print(__doc__.strip())
        sys.exit(0 if len(sys.argv) == 2 else 1)
    paths = sorted(pathlib.Path(sys.argv[1]).iterdir())
    runs = {path.stem: run_cases(path) for path in paths}
    every = [case for cases in runs.values() for case in cases]
    tell_skipped(runs)
    tell_times(paths)
    # Close to the end, because logs of continuous integration are cut at the front.
    tell("Failed", [(f"{name}: {case.name}", case.reason) for name, cases in runs.items() for case in cases
                    if case.verdict == FAILED])
    print("\nBy run:")
    for name, cases in runs.items():
        print(f"  {name + ':':24}{summary(cases)}")
    print(f"\n{summary(every)}")
    sys.exit(0 if count(every, PASSED) and not count(every, FAILED) else 1)


main()
