#!/usr/bin/env python3
"""What a bucket costs as a registry grows: the tables of docs/scale.md.

    tests/model/scale.py            prints the tables
    tests/model/scale.py --check    fails if the page has others

The costs of single requests were counted by tests/bench/s3-bench.py. The rest is arithmetic, and a
simulation with a fixed seed: servers that read the list of a collector.
"""

import math
import pathlib
import random
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/scale.md"
SEED = 17

# What stores publish.
GETS_S, PUTS_S = 5500, 3500     # Amazon S3: requests a second for each partition of the keys
LIST_PAGE = 1000                # names in an answer
SHARD_KEYS, SHARDS = 100_000, 1999  # Ceph: keys in a shard of a bucket's index; shards by default

# What was counted.
BLOBS = 5                       # of an image: a configuration and four layers
TAG_GETS, MANIFEST_GETS, BLOB_GETS = 1, 1, 2  # with the bytes of manifests in memory
# Reads and lists, writes and deletes: of a blob that is pushed with POST, PATCH and PUT, and of a
# manifest.
BLOB_PUSH, MANIFEST_PUSH = (1, 7), (12, 5)
# The shared claim of a server on a repository: to take and to give back, to renew, and how long it
# stays after a push. A server that has claims looks each second whether others want them.
CLAIM, RENEWAL, KEPT_S, RENEWED_S, WISHES_S = 3, 1, 10, 10, 1
COLLECT_REPOSITORY = 8          # lists: revisions and referrers, layers twice; of two algorithms
COLLECT_MANIFEST = 3            # link twice, bytes
COLLECT_LINK = 3                # its time, and promises on the two days of a grace of 24 h
LOOKS_S, RENEWALS_S = 1, 0.25   # of each server: reads of a collector's list, writes of its lease
BATCH = 64                      # removals that a collector publishes together
AT_ONCE = 8                     # requests that a collector sends at a time for them

# The registry of this page.
REPOSITORIES, MANIFESTS, LAYERS = 10**6, 10**7, 9 * 10**7
TAG_KEYS = 2                    # the link of a tag, and its history
REPOSITORY_KEYS = (LAYERS + 3 * MANIFESTS) // REPOSITORIES
IN_PAGE = LIST_PAGE // REPOSITORY_KEYS  # whole repositories in a page of keys
CATALOG = math.ceil(REPOSITORIES / IN_PAGE) + math.ceil(REPOSITORIES / LIST_PAGE)
DAY_S = 24 * 60 * 60


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds):
    for unit, length in (("days", DAY_S), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


# --- arithmetic -----------------------------------------------------------------------------------

def keys_table():
    rows = [("bytes of blobs and manifests", LAYERS + MANIFESTS), ("links to layers", LAYERS),
            ("manifests: revision, tag, and the tag's history", 3 * MANIFESTS)]
    total = sum(count for _, count in rows)
    counts = [(name, number(count)) for name, count in [*rows, ("all", total)]]
    shards = f"{number(total / SHARD_KEYS)}; at most {number(SHARDS)} are made"
    return table(("keys", "count"), [*counts, ("shards of Ceph's index", shards)])


def requests_table():
    pull = TAG_GETS + MANIFEST_GETS + BLOBS * BLOB_GETS
    push = [BLOBS * blob + manifest for blob, manifest in zip(BLOB_PUSH, MANIFEST_PUSH)]
    rows = []
    for servers in (1, 10, 100, 1000):
        purge = REPOSITORIES / DAY_S  # one server does it
        looks, renewals = servers * LOOKS_S, servers * RENEWALS_S
        rows.append((number(servers), number(looks), f"{looks / GETS_S:.1%}", number(renewals),
                     f"{renewals / PUTS_S:.1%}", number(purge)))
    servers = table(("servers", "reads of the list/s", "of a partition's limit",
                     "writes of leases/s", "of a partition's limit",
                     "purging of uploads, lists/s"), rows)
    rows = []
    for pulls in (100, 1000, 10_000, 100_000):
        reads, writes = pulls * pull, pulls / 10 * push[1]
        rows.append((number(pulls), number(reads), number(math.ceil(reads / GETS_S)),
                     number(writes), number(math.ceil(writes / PUTS_S))))
    load = table(("pulls/s", "reads/s", "partitions for reads",
                  "writes/s of a tenth as many pushes", "partitions for writes"), rows)
    hottest = [("its tag", TAG_GETS), ("its manifest", MANIFEST_GETS), ("each of its layers", 1)]
    hot = table(("object of one image", "reads for a pull", "pulls/s until a partition is full"),
                [(name, reads, number(GETS_S / reads)) for name, reads in hottest])
    return servers, load, hot


def with_times(rows):
    return [(name, number(count), duration(count * 0.005), duration(count * 0.05))
            for name, count in rows]


def lists_table():
    rows = [("the whole catalog", CATALOG), ("a page of 100 of it", 2 + math.ceil(100 / IN_PAGE)),
            ("a list of 100 tags", 2),
            ("a list of 10,000 tags", 1 + 10_000 * TAG_KEYS // LIST_PAGE),
            ("the same list again, from memory", 1)]
    return table(("list", "requests", "one after another, at 5 ms", "at 50 ms"), with_times(rows))


def collection_table():
    parts = [
        ("find the repositories", CATALOG),
        ("lists of each repository, to mark and to sweep", COLLECT_REPOSITORY * REPOSITORIES),
        ("each manifest: link and bytes", COLLECT_MANIFEST * MANIFESTS),
        ("each link to a layer: when it was written or promised", COLLECT_LINK * LAYERS),
        ("two lists of all blobs", 2 * (LAYERS + MANIFESTS) / LIST_PAGE),
    ]
    parts.append(("all", sum(count for _, count in parts)))
    return table(("reads of a collection", "requests", "one after another, at 5 ms", "at 50 ms"),
                 with_times(parts))


# --- a simulation and claims ----------------------------------------------------------------------------------

def wait_for_leases(servers, latency_s):
    """Returns how long the collector waits until all leases name its list, its requests, and its
    longest look at them.
    """
    chance = random.Random(SEED)
    told = sorted(chance.random() * LOOKS_S + 2 * latency_s for _ in range(servers))
    chance.shuffle(told)
    now, requests, longest = 0.0, 0, 0.0
    while True:
        begin = now
        now += latency_s * math.ceil(servers / LIST_PAGE)
        requests += math.ceil(servers / LIST_PAGE)
        for first in range(0, servers, AT_ONCE):
            together = told[first:first + AT_ONCE]
            now += latency_s
            requests += len(together)
            if max(together) > now:
                break
        else:
            return now, requests, max(longest, now - begin)
        longest = max(longest, now - begin)
        now += 0.1


def waiting_table():
    rows = []
    for servers in (2, 10, 100, 1000):
        for latency_ms in (5, 20, 100):
            waited, requests, longest = wait_for_leases(servers, latency_ms / 1000)
            removed = BATCH / (waited + latency_ms / 1000 * (5 + 2 * BATCH / AT_ONCE))
            rows.append((number(servers), f"{latency_ms} ms", duration(waited), number(requests),
                         duration(longest), number(removed)))
    return table(("servers", "a request takes", "all leases have seen the list after", "requests",
                  "longest look", "removals/s"), rows)


def claims_table():
    rows = []
    for pushes in (0.05, 0.2, 1, 10, 100):  # a second, at regular intervals
        is_kept = 1 / pushes <= KEPT_S
        claim = RENEWAL / RENEWED_S if is_kept else CLAIM * pushes
        looks = WISHES_S * (1 if is_kept else KEPT_S * pushes)
        rows.append((number(pushes), number(claim / pushes), number(looks),
                     f"{pushes / PUTS_S:.1%}"))
    return table(("pushes/s to one repository by one server", "requests for the claim of each",
                  "reads/s of what others want", "writes of the tags' mark, of a partition's limit"),
                 rows)


def main():
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("scale.py: takes no arguments, or --check")
    tables = [keys_table(), *requests_table(), claims_table(), lists_table(), collection_table(),
              waiting_table()]
    if not sys.argv[1:]:
        print("\n\n".join(tables))
        return 0
    page = PAGE.read_text()
    missing = [text for text in tables if text not in page]
    for text in missing:
        print(f"docs/scale.md does not have this table:\n\n{text}\n")
    return 1 if missing else 0


sys.exit(main())
