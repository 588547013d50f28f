"""The steps of the registry's benchmarks: the same load on several servers in turn, their rates,
and the ratio of ours to each.
"""

import statistics
import subprocess

ROW = "{:<34} {:<18} {:>10} {:>6} {:>8} {:>8} {:>7} {:>6}"


def verdict(ratio, bar):
    """Returns ok or SHORT. Without a ratio, the peer answered no request."""
    if not bar:
        return ""
    return f"{'ok' if not ratio or ratio >= bar else 'SHORT'} {bar}"


class Step:
    """name, unit, the load, the servers (the first is ours), the bars: {peer: minimum ratio}, and
    what is done with a server before the load.
    """

    def __init__(self, name, unit, load, servers, bars=None, prepare=None):
        self.name, self.unit, self.load, self.prepare = name, unit, load, prepare
        self.servers, self.bars = servers, bars or {}
        self.rates = {server: [] for server in servers}
        self.cpu_us = {server: [] for server in servers}
        self.p99_ms = {server: [] for server in servers}

    def run(self, servers):
        for name in self.servers:
            server = servers[name]
            if self.prepare:
                self.prepare(server)
            before = server.cpu_s()
            try:
                seen = self.load(server)
            except (RuntimeError, subprocess.CalledProcessError) as why:
                print(f"# {self.name}: {name}: {why}", flush=True)
                seen = {"count": 0, "per_s": 0.0}
            spent = server.cpu_s() - before
            server.wait_until_idle()
            self.rates[name].append(seen["mib_per_s"] if self.unit == "MiB/s"
                                    and "mib_per_s" in seen else seen["per_s"])
            self.cpu_us[name].append(spent / seen["count"] * 1e6 if seen["count"] else 0)
            self.p99_ms[name].append(seen.get("p99_ms", 0))

    def ratio(self, peer):
        ours, theirs = self.rates[self.servers[0]], self.rates[peer]
        ratios = [a / b for a, b in zip(ours, theirs) if b]
        return statistics.median(ratios) if ratios else None

    def report(self):
        for name in self.servers:
            rate, cpu = statistics.median(self.rates[name]), statistics.median(self.cpu_us[name])
            p99 = statistics.median(self.p99_ms[name])
            ratio = None if name == self.servers[0] else self.ratio(name)
            print(ROW.format(self.name, name, f"{rate:.1f}" if rate >= 10 else f"{rate:.3g}",
                             self.unit, f"{cpu:.1f}", f"{p99:.1f}" if p99 else "",
                             f"{ratio:.2f}" if ratio else "", verdict(ratio, self.bars.get(name))))
