#!/usr/bin/env python3
"""The claims that servers keep (docs/storage-s3.md), checked in all interleavings of two servers.

Each server has a request that shares the claim, again and again, and one that wants it alone. The server's shared line in the
claim's object is taken for the first, and kept after the last of them. A server may be stopped at any point for longer than its lease: then others ignore its line, and the
next one who writes the object drops it. A server may be killed, too, which is the same here: it does nothing any more.

Each step is one request to the store, or what a thread does while it holds the mutex. What a request looks at when it begins, it
relies on when it writes: so nobody may have had the claim in the other mode and have written in between.

The rules: a request that is acknowledged never overlapped with one of the other mode that wrote while it worked; and when a server
rests, it keeps no line that another one waits for.

Each change that is listed in BROKEN takes out one precaution. The check must find what goes wrong then.
"""

import collections
import sys

BROKEN = {
    "a request relies on a line that was taken after it began": "any-generation",
    "a request is acknowledged without a look at its claim": "no-check",
    "a line is renewed without a look whether it is still there": "renew-blindly",
    "a line that has not run out is dropped": "drop-live",
    "a line that another server wants is kept": "ignore-wish",
}

# A line in the object: its server, shared or alone, whether its lease holds, and its generation.
Line = collections.namedtuple("Line", "server mode is_live generation")
# A request: idle, working (begun), wrote, done; the generation with which it began; whether one of the other mode wrote meanwhile.
Request = collections.namedtuple("Request", "mode state generation has_overlap")
# A server: the generation of the line that it thinks it has (0: none), whether it is fresh by its clock, the number of the last
# generation, whether it knows that another one waits.
Server = collections.namedtuple("Server", "generation is_fresh last knows_wish requests")
State = collections.namedtuple("State", "lines wants servers stops")

GENERATIONS, STOPS = 3, 2


def start():
    requests = (Request("shared", "idle", 0, False), Request("alone", "idle", 0, False))
    return State(frozenset(), frozenset(), (Server(0, False, 0, False, requests),) * 2, STOPS)


def with_server(state, i, **changes):
    servers = list(state.servers)
    servers[i] = servers[i]._replace(**changes)
    return state._replace(servers=tuple(servers))


def with_request(world, i, j, **changes):
    requests = list(world.servers[i].requests)
    requests[j] = requests[j]._replace(**changes)
    return with_server(world, i, requests=tuple(requests))


def other(mode):
    return "alone" if mode == "shared" else "shared"


def users(server, mode=None):
    return [r for r in server.requests if r.state in ("working", "wrote") and (mode is None or r.mode == mode)]


def is_prevented(state, i, mode, broken):
    """Whether lines of others keep server i from the claim. Lines that have run out do not."""
    for line in state.lines:
        if line.server != i and (line.is_live and broken != "drop-live"):
            if "alone" in (mode, line.mode):
                return True
    return mode == "shared" and any(k != i for k in state.wants)


def live(state):
    return frozenset(line for line in state.lines if line.is_live)


def write_line(state, i, mode):
    """The compare-and-swap that takes the claim: it drops what has run out, and the server's own line."""
    generation = state.servers[i].last + 1
    lines = frozenset(line for line in live(state) if line.server != i) | {Line(i, mode, True, generation)}
    return with_server(state._replace(lines=lines, wants=state.wants - {i}), i, generation=generation, is_fresh=True,
                       last=generation, knows_wish=False)


def drop_line(state, i, generation):
    return state._replace(lines=frozenset(line for line in state.lines if (line.server, line.generation) != (i, generation)))


def has_line(state, i, generation):
    return any((line.server, line.generation) == (i, generation) for line in state.lines)


def steps_of_line(state, i, broken):
    """What a server does with its shared line: take, renew, give back, and learn of others' wishes."""
    s = state.servers[i]
    has_own_alone = bool(users(s, "alone")) or i in state.wants
    if s.generation == 0 and s.last < GENERATIONS and not has_own_alone and not is_prevented(state, i, "shared", broken):
        yield write_line(state, i, "shared")
    if s.generation and not s.is_fresh:
        if has_line(state, i, s.generation) or broken == "renew-blindly":
            mine = Line(i, "alone" if users(s, "alone") else "shared", True, s.generation)
            lines = frozenset(line for line in live(state) if line.server != i) | {mine}
            yield with_server(state._replace(lines=lines), i, is_fresh=True)
        else:
            yield with_server(state, i, generation=0, knows_wish=False)  # it is lost
    if s.generation and not users(s, "alone") and not users(s):
        if s.knows_wish or not state.wants:  # or it is kept for long enough
            yield with_server(drop_line(state, i, s.generation), i, generation=0, is_fresh=False, knows_wish=False)
    if s.generation and any(k != i for k in state.wants) and not s.knows_wish and broken != "ignore-wish":
        yield with_server(state, i, knows_wish=True)


def may_begin(state, i, mode):
    s = state.servers[i]
    if mode == "alone":
        return not users(s)
    return bool(s.generation and not s.knows_wish and i not in state.wants and not users(s, "alone"))


def is_valid(state, i, request, broken):
    """The check: the line of the request is the one that the server has, and it is fresh. Otherwise it is renewed first."""
    s = state.servers[i]
    same = request.generation == s.generation or (broken == "any-generation" and s.generation)
    return broken == "no-check" or bool(same and s.is_fresh)


def write(state, i, j):
    """A write of request j. All requests of the other mode that are under way overlap with it, on both servers."""
    mode = state.servers[i].requests[j].mode
    for k, server in enumerate(state.servers):
        for n, request in enumerate(server.requests):
            if request.state in ("working", "wrote") and request.mode == other(mode) and (k, n) != (i, j):
                state = with_request(state, k, n, has_overlap=True)
    return with_request(state, i, j, state="wrote")


def steps_of_request(state, i, j, broken):
    s = state.servers[i]
    request = s.requests[j]
    if request.state == "idle" and may_begin(state, i, request.mode):
        if request.mode == "shared":
            yield with_request(state, i, j, state="working", generation=s.generation, has_overlap=False)
        elif s.last < GENERATIONS and not is_prevented(state, i, "alone", broken):
            taken = write_line(state, i, "alone")
            yield with_request(taken, i, j, state="working", generation=taken.servers[i].generation, has_overlap=False)
        elif i not in state.wants:
            # It says that it waits, which replaces its server's own line.
            dropped = drop_line(state, i, s.generation)
            yield with_server(dropped._replace(wants=state.wants | {i}), i, generation=0, is_fresh=False, knows_wish=False)
    if request.mode == "alone" and request.state == "idle" and i in state.wants:
        yield state._replace(wants=state.wants - {i})  # its patience is over
    if request.state == "working":
        if is_valid(state, i, request, broken):
            yield write(state, i, j)
        elif request.generation != s.generation:
            yield finish(state, i, j, "idle")
    if request.state == "wrote":
        if is_valid(state, i, request, broken):
            yield finish(state, i, j, "wrong" if request.has_overlap else "idle")
        elif request.generation != s.generation:
            yield finish(state, i, j, "idle")  # the client is told that it failed


def finish(state, i, j, result):
    request, s = state.servers[i].requests[j], state.servers[i]
    if request.mode == "alone":
        state = drop_line(state, i, request.generation)
        if s.generation == request.generation:
            state = with_server(state, i, generation=0, is_fresh=False, knows_wish=False)
    return with_request(state, i, j, state=result, generation=0, has_overlap=False)


def steps(state, broken):
    for i in range(2):
        yield from steps_of_line(state, i, broken)
        for j in range(2):
            yield from steps_of_request(state, i, j, broken)
        if state.stops > 0 and state.servers[i].generation:
            # More than half of the lease passes; or all of it, and others ignore the line.
            aged = with_server(state._replace(stops=state.stops - 1), i, is_fresh=False)
            yield aged
            yield aged._replace(lines=frozenset(line._replace(is_live=line.is_live and line.server != i) for line in state.lines))


def is_wrong(state, broken):
    if any(r.state == "wrong" for s in state.servers for r in s.requests):
        return True
    # Nobody works, one waits, and the other one's line stays although nothing will change that.
    is_resting = not any(users(s) for s in state.servers)
    return is_resting and bool(state.wants) and any(
        line.is_live and line.mode == "shared" and line.server not in state.wants for line in state.lines) and not any(
        len(after.lines) < len(state.lines) or after.servers != state.servers
        for i in range(2) for after in steps_of_line(state, i, broken))


def search(broken=None):
    """Visits all states. Returns their number, and the shortest way to one that is wrong (None: there is none)."""
    first = start()
    before, queue = {first: None}, collections.deque([first])
    while queue:
        state = queue.popleft()
        if is_wrong(state, broken):
            way = []
            while state:
                way.append(state)
                state = before[state]
            return len(before), way[::-1]
        for after in steps(state, broken):
            if after not in before:
                before[after] = state
                queue.append(after)
    return len(before), None


def main():
    print(f"1..{1 + len(BROKEN)}")
    count, way = search()
    for state in way or []:
        print(f"# {state}")
    print(f"{'not ok' if way else 'ok'} 1 - claims keep their promise in {count} states of two servers")
    failed = bool(way)
    for number, (name, broken) in enumerate(BROKEN.items(), 2):
        count, way = search(broken)
        print(f"{'ok' if way else 'not ok'} {number} - it is found if {name} ({len(way) if way else count} states)")
        failed = failed or not way
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
