"""What reputation costs a lookup: a node that reads the levels of address and sender, and one that reads none, in turn. Their parents are
warm: the nodes have read them within five seconds."""
import yaml

from tests.bench import commands
from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench, load, only

WINDOW = 64
KINDS = {"known": ("known=1", "greylist_known"), "new": ("new=1", "greylist_new")}


class Sizes:
    def __init__(self, quick):
        self.rounds = 1 if quick else 9
        self.count = 100 if quick else 8000
        self.counted = 20 if quick else 1000
        self.population = 20 if quick else 1000


def node_of(bench, store, name, mode, **options):
    policy = bench.bench_policy()
    policy["settings"]["reputation"] = {"mode": mode}
    path = bench.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(policy))
    return bench.bench_node(store, name, policy_path=path, **options)


def measure(report, nodes, sizes, kind, window):
    mix, reason = KINDS[kind]

    def runner(node):
        return lambda: only(load(node.lookups, "--prepared", window=window, count=sizes.count if window > 1 else sizes.count // 4, mix=mix,
                                 population=sizes.population), reason)["per_second"]

    rates = alternate(sizes.rounds, {name: runner(node) for name, node in nodes.items()})
    report.add(f"time of a lookup, {kind}, with its levels, {window} under way",
               median_of(lambda off, warm: off / warm, rates["off"], rates["warm"]), "of one without", "<= 1.5")


def run(report, options):
    sizes = Sizes(options.quick)
    bench = Bench()
    try:
        redis = bench.redis()
        store = {"mode": "single", "address": redis.address}
        nodes = {name: node_of(bench, store, name, mode, cache=0) for name, mode in (("off", "off"), ("warm", "enforce"))}
        for node in nodes.values():
            load(node.lookups, count=sizes.population, mix="known=1", population=sizes.population)
        only(load(nodes["warm"].lookups, "--verb", "report", count=sizes.counted, mix="new=1"), "recorded")
        for kind in KINDS:
            for window in (WINDOW, 1):
                measure(report, nodes, sizes, kind, window)
        for kind, (mix, reason) in KINDS.items():
            calls = commands.calls_of(redis, sizes.counted, lambda which=mix, why=reason: only(
                load(nodes["warm"].lookups, "--prepared", window=WINDOW, count=sizes.counted, mix=which, population=sizes.population), why))
            commands.add(report, f"{kind}, the whole chain with its levels", calls, sizes.counted, "<= 6" if kind == "known" else "<= 13")
    finally:
        bench.close()
