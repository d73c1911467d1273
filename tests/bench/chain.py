"""The whole chain beside greylisting alone: a node that heeds personal lists, Auto Allow and a recipient directory, and one that heeds
none of them, in one run, in turn."""
import subprocess
import time

import yaml

from tests.bench import commands
from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench, load, only
from tests.support.processes import program

WINDOW = 64
RECIPIENT, DOMAIN = "bob@recipient.example", "recipient.example"
ALONE = {"personal_lists": False, "auto_allow": {"scope": "off"}}
# What is asked: the mix of reeve-load, and the reason that each node gives for all of it.
LOOKUPS = {
    "correspondent": ("known=1", {"alone": "greylist_known", "chain": "auto_allow"}),
    "known": ("known=1", {"alone": "greylist_known", "unwritten": "greylist_known"}),
    "new": ("new=1", {"alone": "greylist_new", "chain": "greylist_new"}),
}


class Sizes:
    def __init__(self, quick):
        self.rounds = 1 if quick else 9
        self.count = 100 if quick else 8000
        self.counted = 20 if quick else 1000
        self.population = 20 if quick else 1000


def node_of(bench, store, name, domain=None, **settings):
    policy = bench.bench_policy()
    policy["settings"].update(settings)
    policy["domains"] = {DOMAIN: domain or {}}
    path = bench.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(policy))
    return bench.bench_node(store, name, policy_path=path)


def import_directory(bench, node):
    """A directory with the recipient in it and some more."""
    path = bench.folder / "people.csv"
    path.write_text(f"{RECIPIENT}\n" + "".join(f"user{number}@{DOMAIN}\n" for number in range(1000)))
    subprocess.run([program("reevectl"), "--admin", node.admin, "directory", "import", str(path)], check=True,
                   capture_output=True)


def write_to_all(redis, sizes):
    """The recipient has written to every known sender."""
    senders = subprocess.run([program("bench/senders"), str(sizes.population)], check=True, capture_output=True, text=True)
    stamp = f"{int(time.time() * 1000)} 0"
    fields = [word for sender in senders.stdout.split() for word in (sender, stamp)]
    redis.command("HSET", f"a:{{{RECIPIENT}}}", *fields)


def ask(node, mix, reason, count, sizes, **options):
    return only(load(node.lookups, "--prepared", count=count, mix=mix, population=sizes.population, **options), reason)


def measure(report, redis, nodes, sizes, what):
    mix, reasons = LOOKUPS[what]

    def runner(name):
        return lambda: ask(nodes[name], mix, reasons[name], sizes.count, sizes, window=WINDOW)["per_second"]

    rates = alternate(sizes.rounds, {name: runner(name) for name in reasons})
    whole = next(name for name in reasons if name != "alone")
    report.add(f"{what}, whole chain, {WINDOW} under way", median_of(lambda one, alone: one / alone, rates[whole], rates["alone"]),
               "of greylisting alone", ">= 0.6")
    report.add(f"{what}, whole chain", median_of(lambda one: one, rates[whole]), "lookups/s")
    calls = commands.calls_of(redis, sizes.counted, lambda: ask(nodes[whole], mix, reasons[whole], sizes.counted, sizes))
    commands.add(report, f"{what}, whole chain", calls, sizes.counted, "<= 12" if what == "new" else "<= 4")


def run(report, options):
    sizes = Sizes(options.quick)
    bench = Bench()
    try:
        redis = bench.redis()
        store = {"mode": "single", "address": redis.address}
        nodes = {"alone": node_of(bench, store, "alone", **ALONE), "chain": node_of(bench, store, "chain", {"recipients": "directory"})}
        nodes["unwritten"] = nodes["chain"]
        import_directory(bench, nodes["chain"])
        for name in ("alone", "chain"):  # the first makes them known, the second fills its cache
            load(nodes[name].lookups, count=sizes.population, mix="known=1", population=sizes.population)
        measure(report, redis, nodes, sizes, "known")
        measure(report, redis, nodes, sizes, "new")
        write_to_all(redis, sizes)
        measure(report, redis, nodes, sizes, "correspondent")
    finally:
        bench.close()
