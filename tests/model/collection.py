#!/usr/bin/env python3
"""The collection of garbage in a bucket (docs/storage-s3.md), checked in all interleavings of two servers and a collector.

The model is small enough to visit every state that can be reached: one object that is garbage when the collector begins, two
servers that may promise it to a client, and a collector that may be killed at any point and begin anew. The quick run has two
servers with one collection, and one server with two; LOAD=full has two of both.

A collection may take so long that promises of its time are older than eight days, and others delete such promises. The record of
the collection forbids that. It is written before the collection begins, runs out if its collector stops for days, and then the
collector must end. A promise that is deleted while there is no record has ended: nobody relies on it any more.

Each step is one request to the store, or one step of a server's thread. A server may be stopped at any point for longer than its
lease: then its lease runs out, and it may go on later. Requests take effect in one step, but a server may be stopped before and
after it.

The rule: when a server has told its client that the object exists, the object exists, and no collector that decided before the
promise deletes it.

Each change that is listed in BROKEN and BROKEN_BY_DAYS takes out one precaution. The check must find what goes wrong then: a check that cannot fail
proves nothing.
"""

import collections
import os
import sys

# Servers, collections, and whether days may pass.
SIZES = [(2, 2, True)] if os.environ.get("LOAD") == "full" else [(2, 1, False), (1, 2, True)]
SIZE_OF_DAYS = (1, 1, True)

BROKEN = {
    "a lease can be used before the doomed keys were looked at": "usable-before-look",
    "a server acknowledges while it still works on a doomed key": "ack-while-busy",
    "a server answers although its lease has run out": "answer-without-lease",
    "a server answers with a lease that is not the one with which it began": "answer-after-gap",
    "the collector does not wait for leases": "no-wait",
    "the collector takes every lease for one that has run out": "no-lease",
    "the collector decides before it has waited": "decide-early",
    "a delete can come after the list has run out": "late-delete",
    "work begins on a doomed key": "begin-doomed",
    "the collector writes its list again after it has run out, and goes on": "renew-late",
}

BROKEN_BY_DAYS = {
    "promises are deleted although a collection is running that needs them": "purge-needed",
    "a collector decides although its record has run out": "decide-without-record",
    "a collection begins before its record is written": "record-late",
}

# A server: what its thread does (idle, leased: the lease is written and the doomed keys were not looked at since), whether its lease
# can be used, what it knows, what its request does (idle, working: begun, promised, told), and whether the lease ran out since that
# began.
Server = collections.namedtuple("Server", "thread is_live is_usable is_doomed told work has_gap")

# The bucket: the object, the promise and whether it is older than eight days, the record of the collection, the number of the list
# and whether the object is on it.
# The collector: where it is, whether it has decided to delete, whether its list has run out, how many more collections may begin.
State = collections.namedtuple("State", "exists is_promised is_old has_record number is_listed collector will_delete has_run_out "
                                        "left servers")


def start(servers, collections_left):
    server = Server("idle", False, False, False, 0, "idle", False)
    return State(True, False, False, False, 0, False, "idle", False, False, collections_left, (server,) * servers)


def with_server(state, number, **changes):
    servers = list(state.servers)
    servers[number] = servers[number]._replace(**changes)
    return state._replace(servers=tuple(sorted(servers)))  # which server is which makes no difference


def steps_of_server(state, i, broken):
    """Yields the states after each step that server i can make."""
    s = state.servers[i]
    is_busy = s.work in ("working", "promised")

    # The thread: first the lease, which names what was seen, then a look at the doomed keys; then it can be used.
    if s.thread == "idle":
        yield with_server(state, i, thread="leased", is_live=True, is_usable=s.is_usable or broken == "usable-before-look")
    else:
        yield with_server(state, i, thread="idle", is_doomed=state.is_listed and not state.has_run_out,
                          is_usable=s.is_live, told=s.told if s.told == state.number else -1)
    # It has seen another number, and tells that once it works on no doomed key any more.
    if s.thread == "idle" and s.told == -1 and (not is_busy or not s.is_doomed or broken == "ack-while-busy"):
        yield with_server(state, i, told=seen_number(state, s))
    # It is stopped for longer than its lease.
    if s.is_live:
        yield with_server(state, i, is_live=False, is_usable=False, has_gap=is_busy)

    # A request of a client: begins, looks at the object and promises it, and answers.
    if s.work == "idle" and s.is_usable and (not s.is_doomed or broken == "begin-doomed"):
        yield with_server(state, i, work="working", has_gap=False)
    if s.work == "working":
        if state.exists:
            yield with_server(state._replace(is_promised=True, is_old=False), i, work="promised")
        else:
            yield with_server(state, i, work="idle")  # 404: the client uploads it
    if s.work == "promised":
        if (s.is_usable and (not s.has_gap or broken == "answer-after-gap")) or broken == "answer-without-lease":
            yield with_server(state, i, work="told", has_gap=False)
        else:
            yield with_server(state, i, work="idle", has_gap=False)  # 503: the client was told nothing


def seen_number(state, server):
    """The number of the list that the thread read last: the current one, unless the list has changed since."""
    return state.number if server.is_doomed == (state.is_listed and not state.has_run_out) else -1


def may_go_on(state, broken):
    """Whether each live lease names the collector's list."""
    if broken in ("no-wait", "no-lease"):
        return True
    return all(not s.is_live or s.told == state.number for s in state.servers)


def steps_of_collector(state, broken):
    at = state.collector
    if at == "idle" and state.left > 0:
        yield state._replace(collector="begun", has_record=broken != "record-late", left=state.left - 1)
    if at == "begun" and not (state.is_listed and not state.has_run_out):
        yield state._replace(collector="listed", has_record=state.has_record or broken == "record-late", number=state.number + 1,
                             is_listed=True, has_run_out=False, will_delete=not state.is_promised)
    if at == "listed" and not state.has_record and broken != "decide-without-record":
        yield state._replace(collector="done", will_delete=False)
    elif at == "listed" and may_go_on(state, broken):
        decided = state.will_delete if broken == "decide-early" else not state.is_promised
        yield state._replace(collector="decided", will_delete=decided)
    if at == "decided":
        # The store refuses a delete that was signed before the list ran out and comes later.
        if state.will_delete and (not state.has_run_out or broken == "late-delete"):
            yield state._replace(exists=False, collector="done")
        else:
            yield state._replace(collector="done")
    if at == "done":
        if state.has_run_out:
            yield state._replace(collector="idle", has_record=False)
        else:
            yield state._replace(collector="idle", has_record=False, number=state.number + 1, is_listed=False)
    if at in ("listed", "decided") and state.has_run_out and broken == "renew-late":
        yield state._replace(has_run_out=False)
    # It is killed, or stopped: its list runs out, and another one may begin.
    if at not in ("idle", "begun") and state.is_listed and not state.has_run_out:
        yield state._replace(has_run_out=True)
    if at not in ("idle", "begun") and state.has_run_out:
        yield state._replace(collector="idle")


def steps_of_days(state, broken):
    """Yields the states after days have passed, and after another process has deleted old promises."""
    if state.is_promised and not state.is_old:
        yield state._replace(is_old=True)
    # The record of a collector that was killed, or stopped for days, runs out.
    if state.has_record and state.collector != "decided":
        yield state._replace(has_record=False)
    if state.is_old and (not state.has_record or broken == "purge-needed"):
        servers = state.servers if needs_promise(state, broken) else tuple(sorted(
            s._replace(work="idle") if s.work in ("promised", "told") else s for s in state.servers))
        yield state._replace(is_promised=False, is_old=False, servers=servers)


def needs_promise(state, broken):
    """Whether a collector that may still decide relies on the promise."""
    return state.collector in ("begun", "listed") and (state.has_record or broken in ("decide-without-record", "record-late"))


def steps(state, broken, has_days):
    for number in range(len(state.servers)):
        yield from steps_of_server(state, number, broken)
    yield from steps_of_collector(state, broken)
    if has_days:
        yield from steps_of_days(state, broken)


def is_wrong(state):
    return not state.exists and any(s.work == "told" for s in state.servers)


def search(servers, collections_left, has_days, broken=None):
    """Visits all states. Returns their number, and the shortest way to one that is wrong (None: there is none)."""
    first = start(servers, collections_left)
    before, queue = {first: None}, collections.deque([first])
    while queue:
        state = queue.popleft()
        if is_wrong(state):
            way = []
            while state:
                way.append(state)
                state = before[state]
            return len(before), way[::-1]
        for after in steps(state, broken, has_days):
            if after not in before:
                before[after] = state
                queue.append(after)
    return len(before), None


def main():
    mistakes = [(SIZES[0], *mistake) for mistake in BROKEN.items()]
    mistakes += [(SIZE_OF_DAYS, *mistake) for mistake in BROKEN_BY_DAYS.items()]
    print(f"1..{len(SIZES) + len(mistakes)}")
    failed = False
    for number, size in enumerate(SIZES, 1):
        count, way = search(*size)
        for state in way or []:
            print(f"# {state}")
        print(f"{'not ok' if way else 'ok'} {number} - no promise is broken in {count} states of {size[0]} servers, {size[1]} collections"
              + (", and days that pass" if size[2] else ""))
        failed = failed or bool(way)
    for number, (size, name, broken) in enumerate(mistakes, len(SIZES) + 1):
        count, way = search(*size, broken)
        print(f"{'ok' if way else 'not ok'} {number} - it is found if {name} ({len(way) if way else count} states)")
        failed = failed or not way
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
