"""Instructions a lookup costs, counted by callgrind: the same from run to run, on a loaded machine too, so that a change in the
code can be held against what is kept in cpu.txt."""
import pathlib
import re
import shutil
import subprocess

from tests.bench.servers import Bench, load, only
from tests.support.harness import Node
from tests.support.processes import program

KEPT = pathlib.Path(__file__).with_name("cpu.txt")
HEADER = """\
# Instructions a lookup costs, one question under way, by callgrind: written by `tests/bench/run cpu --keep`, compared by
# `tests/bench/run cpu`. On Debian 12's libraries. All threads of the process are counted, ZeroMQ's too; the kernel and
# Redis are not.
"""
LOOKUPS = {"known, from the near cache": ("cached", "cached=1", "greylist_known"),
           "known, from Redis": ("plain", "known=1", "greylist_known"),
           "new": ("plain", "new=1", "greylist_new")}


class CountedNode(Node):
    """A node under callgrind."""

    def __init__(self, folder, name, policy, store):
        super().__init__(folder, name, policy, store)
        self.out = self.folder / "callgrind"
        self.argv = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.out}", *self.argv]

    def instructions(self, run):
        """What run() makes it execute."""
        self.control("--zero")
        run()
        before = set(self.folder.glob("callgrind.*"))
        self.control("--dump")
        (dump,) = set(self.folder.glob("callgrind.*")) - before
        return int(re.search(r"^(?:totals|summary): (\d+)", dump.read_text(), re.MULTILINE).group(1))

    def control(self, word):
        subprocess.run(["callgrind_control", word, str(self.pid)], check=True, capture_output=True, timeout=60)


def count_lookups(bench, count):
    """Instructions of the node a lookup, by name. Two runs of different length: what their difference is not, is idle work."""
    redis = bench.redis()
    store = {"mode": "single", "address": redis.address}
    nodes = {"plain": bench.bench_node(store, "plain", 0, CountedNode),
             "cached": bench.bench_node(store, "cached", None, CountedNode)}
    figures = {}
    for node in nodes.values():
        load(node.lookups, population=16, count=50, mix="known=1", window=1, deadline=60000)
    for name, (which, mix, reason) in LOOKUPS.items():
        node = nodes[which]

        def ask(lookups, at=node, what=mix, expected=reason):
            only(load(at.lookups, "--prepared", population=16, count=lookups, mix=what, window=1, deadline=60000), expected)

        ask(20)
        few, many = (node.instructions(lambda each=lookups: ask(each)) for lookups in (count, 3 * count))
        figures[f"reeved, {name}"] = (many - few) / (2 * count)
    return figures


def count_calls(bench, count):
    """Instructions of a gateway a call of libreeve."""
    node = bench.bench_node({"mode": "single", "address": bench.redis().address})
    load(node.lookups, population=1, count=1, mix="known=1", identity="net")

    def instructions(calls):
        out = bench.folder / f"calls-{calls}"
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program("bench/calls"), node.lookups,
                        str(calls)], check=True, capture_output=True)
        return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.MULTILINE).group(1))

    few, many = (instructions(calls) for calls in (count, 3 * count))
    return {"libreeve, a call": (many - few) / (2 * count)}


def read_kept():
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    return {name: float(value) for value, name in (line.split(None, 1) for line in lines if not line.startswith("#"))}


def write_kept(figures):
    KEPT.write_text(HEADER + "".join(f"{value:9.0f}  {name}\n" for name, value in figures.items()))


def run(report, options):
    if shutil.which("valgrind") is None:
        report.skip("valgrind is not installed: scripts/install-deps bench")
        return
    count = 20 if options.quick else 1000
    bench = Bench()
    try:
        figures = count_calls(bench, count) | count_lookups(bench, count)
    finally:
        bench.close()
    kept = read_kept()
    for name, value in figures.items():
        report.add(f"instructions, {name}", value, "instructions")
        if name in kept:
            report.add(f"instructions, {name}, of those kept", value / kept[name], "", "<= 1.05")
    if options.keep:
        write_kept(figures)
