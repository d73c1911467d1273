"""What a policy set costs a lookup: a node without any policy beside one with a hundred and one with a hundred thousand and a
million members of groups, in one run, in turn; and what the big one takes to load."""
import pathlib
import shutil
import subprocess
import time

import yaml

from tests.bench import commands
from tests.bench.cpu import CountedNode
from tests.bench.policy_sets import write_set
from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench, load, only
from tests.support.processes import program

WINDOW = 64
# What is asked: the words and options of reeve-load, whether the node has its near cache, the reason of the answers.
LOOKUPS = {
    "known, from the near cache": ({"mix": "cached=1"}, True, "greylist_known"),
    "known, from Redis": ({"mix": "known=1"}, False, "greylist_known"),
    "new": ({"mix": "new=1"}, False, "greylist_new"),
    "submission, RCPT": ({"mix": "known=1", "identity": "login"}, True, "accept"),
    "submission, MAIL": ({"mix": "known=1", "identity": "login", "stage": "mail"}, True, "accept"),
}


class Sizes:
    def __init__(self, quick):
        self.rounds = 1 if quick else 9
        self.count = 100 if quick else 8000
        self.counted = 20 if quick else 500
        self.population = 20 if quick else 1000
        self.sets = {"none": (0, 0), "100": (100, 1000), "100,000": (1000, 2000) if quick else (100000, 1000000)}


def head_of(bench):
    """The settings of every bench's node, as YAML."""
    policy = bench.bench_policy()
    return yaml.safe_dump({name: policy[name] for name in ("settings", "trusted_sources")})


def nodes_of(bench, store, sizes, wanted, kind=None):
    """A node for each set and near cache: {(set, cached): node}."""
    nodes = {}
    for name in wanted:
        path = write_set(bench.folder / f"set-{name.replace(',', '')}", *sizes.sets[name], head=head_of(bench))
        for cached in (True, False):
            options = {"kind": kind} if kind else {}
            nodes[name, cached] = bench.bench_node(store, f"{'counted' if kind else 'node'}-{name.replace(',', '')}-{cached}",
                                                   cache=None if cached else 0, policy_path=path, **options)
    return nodes


def ask(node, what, count, **options):
    words, _, reason = LOOKUPS[what]
    return only(load(node.lookups, "--prepared", count=count, **words, **options), reason)


def cpu_ns(node):
    """What the node's threads have spent on a processor."""
    tasks = pathlib.Path(f"/proc/{node.pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in tasks)


def add_rates(report, nodes, sizes):
    def runner(name, what):
        node = nodes[name, LOOKUPS[what][1]]

        def run():
            before = cpu_ns(node)
            rate = ask(node, what, sizes.count, window=WINDOW, population=sizes.population)["per_second"]
            return rate, (cpu_ns(node) - before) / sizes.count
        return run

    rates = alternate(sizes.rounds, {(name, what): runner(name, what) for what in LOOKUPS for name in sizes.sets})
    for what in LOOKUPS:
        for name in list(sizes.sets)[1:]:
            report.add(f"{name} policies, {what}, {WINDOW} under way",
                       median_of(lambda one, none: one[0] / none[0], rates[name, what], rates["none", what]),
                       "of no policy", ">= 0.9")
            report.add(f"{name} policies, {what}, processor time of the node",
                       median_of(lambda one, none: one[1] / none[1], rates[name, what], rates["none", what]), "of no policy")
    for what in LOOKUPS:
        report.add(f"no policy, {what}", median_of(lambda one: one[0], rates["none", what]), "lookups/s")
        report.add(f"no policy, {what}, processor time of the node", median_of(lambda one: one[1] / 1000, rates["none", what]), "us")


def add_commands(report, redis, nodes, sizes):
    for what in LOOKUPS:
        calls = {name: commands.calls_of(redis, sizes.counted, lambda at=nodes[name, LOOKUPS[what][1]], which=what:
                                         ask(at, which, sizes.counted, population=16)) for name in sizes.sets}
        a_lookup = {name: sum(of.values()) / sizes.counted for name, of in calls.items()}
        report.add(f"Redis commands, {what}, more than without a policy",
                   max(abs(a_lookup[name] - a_lookup["none"]) for name in sizes.sets), "commands", "<= 0.02",
                   f"{a_lookup['none']:.2f}")


def add_instructions(report, bench, store, sizes):
    """The same without the machine's noise: what callgrind counts. The big set would take it minutes to load."""
    if shutil.which("valgrind") is None:
        report.add("instructions", None, "", note="valgrind is not installed: scripts/install-deps bench")
        return
    nodes = nodes_of(bench, store, sizes, ("none", "100"), CountedNode)
    for what in LOOKUPS:
        figures = {}
        for name in ("none", "100"):
            node = nodes[name, LOOKUPS[what][1]]

            def run(count, at=node, which=what):
                ask(at, which, count, window=1, population=16, deadline=60000)
            run(20)
            few, many = (node.instructions(lambda each=count: run(each)) for count in (sizes.counted, 3 * sizes.counted))
            figures[name] = (many - few) / (2 * sizes.counted)
        report.add(f"instructions, 100 policies, {what}", figures["100"] / figures["none"], "of no policy", "<= 1.11",
                   f"{figures['100']:.0f} and {figures['none']:.0f}")


def load_seconds(bench, path, rounds):
    """What `reeved -t` takes with this set, at best."""
    config = bench.folder / "load.yaml"
    config.write_text(yaml.safe_dump({"policy": [str(path)], "state_dir": str(bench.folder)}))
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        subprocess.run([program("reeved"), "-c", str(config), "-t"], check=True, capture_output=True)
        times.append(time.monotonic() - began)
    return min(times)


def add_loads(report, bench, sizes):
    name = "100,000"
    policies, members = sizes.sets[name]
    path = bench.folder / "set-100000" / "set.yaml"
    report.add(f"load of {policies:,} policies and {members:,} members", load_seconds(bench, path, 1 if sizes.rounds == 1 else 3),
               "s", "<= 5")


def run(report, options):
    sizes = Sizes(options.quick)
    bench = Bench()
    try:
        redis = bench.redis()
        store = {"mode": "single", "address": redis.address}
        nodes = nodes_of(bench, store, sizes, sizes.sets)
        add_loads(report, bench, sizes)
        load(nodes["none", False].lookups, count=sizes.population, mix="known=1", population=sizes.population)
        for (_, cached), node in nodes.items():
            if cached:
                load(node.lookups, "--prepared", count=200, mix="cached=1", population=sizes.population)
        add_rates(report, nodes, sizes)
        for (name, cached), node in nodes.items():
            report.add(f"resident memory, {name} policies", node.resident_mib(), "MiB") if cached else None
        add_commands(report, redis, nodes, sizes)
        add_instructions(report, bench, store, sizes)
    finally:
        bench.close()
