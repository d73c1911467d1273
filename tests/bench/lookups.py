"""Lookups a second: the node against what ZeroMQ alone and Redis alone can do with the same bytes, in one run."""
from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench, load, only, pipeline
from tests.bench.tap import Tap

WINDOW = 64
KNOWN, NEW = ("greylist_known",), ("greylist_new",)


class Sizes:
    """How much is done. Slices are short, so that a noisy second meets both sides of a ratio."""

    def __init__(self, quick):
        self.rounds = 1 if quick else 9
        self.population = 50 if quick else 1000
        self.recorded = 20 if quick else 4000
        self.echo, self.known, self.new = (200, 200, 100) if quick else (16000, 12000, 4000)
        self.single = 50 if quick else 800


def record(bench, tap, node, mix, reasons, sizes):
    """The reply of one lookup and what all of them sent to Redis."""
    tap.clear()
    only(load(tap.lookups, "--prepared", window=1, count=sizes.recorded, mix=mix, population=sizes.population), *reasons)
    return tap.replies[-1], tap.write(bench.folder / f"{mix}.recording")


def measure_all(bench, sizes):
    """The rates of every round, by name."""
    redis, fresh = bench.redis(), bench.redis()
    tap = Tap(bench.folder / "tap", redis).start()
    tapped = bench.bench_node({"mode": "single", "address": f"unix:{tap.socket}"}, "tapped", cache=0)
    tap.watch(tapped)
    plain = bench.bench_node({"mode": "single", "address": redis.address}, "plain", cache=0)
    cached = bench.bench_node({"mode": "single", "address": redis.address}, "cached")
    options = {"population": sizes.population}

    for node in (plain, cached):  # the first makes them known, the second fills its cache
        load(node.lookups, count=sizes.population, mix="known=1", **options)
    known_reply, known_bytes = record(bench, tap, tapped, "known=1", KNOWN, sizes)
    new_reply, new_bytes = record(bench, tap, tapped, "new=1", NEW, sizes)
    echo_known, echo_new = bench.echo(known_reply), bench.echo(new_reply)

    def rate(endpoint, mix, count, window, reasons=None):
        report = load(endpoint, "--prepared", window=window, count=count, mix=mix, **options)
        return (only(report, *reasons) if reasons else report)["per_second"]

    def play_new(window, count):
        fresh.command("FLUSHALL", "SYNC")
        return pipeline(fresh.socket, new_bytes, window, min(count, sizes.recorded))

    def runners(window, echo, known, new):
        return {
            f"echo known {window}": lambda: rate(echo_known, "known=1", echo, window),
            f"redis known {window}": lambda: pipeline(redis.socket, known_bytes, window, known),
            f"node known {window}": lambda: rate(plain.lookups, "known=1", known, window, KNOWN),
            f"echo new {window}": lambda: rate(echo_new, "new=1", echo, window),
            f"redis new {window}": lambda: play_new(window, new),
            f"node new {window}": lambda: rate(plain.lookups, "new=1", new, window, NEW),
            f"node cached {window}": lambda: rate(cached.lookups, "cached=1", echo, window, KNOWN),
        }

    rates = alternate(sizes.rounds, {**runners(WINDOW, sizes.echo, sizes.known, sizes.new),
                                     **runners(1, sizes.single, sizes.single, sizes.single)})
    tap.stop()
    return rates


def add_rates(report, rates):
    def share(name, kind, echo, goal):
        report.add(f"lookups, {name}, {WINDOW} under way",
                   median_of(lambda node, bare: node / bare, rates[f"node {kind} {WINDOW}"], rates[f"echo {echo} {WINDOW}"]),
                   "of a bare ROUTER echo", goal)

    share("known, from the near cache", "cached", "known", ">= 0.35")
    share("known, from Redis", "known", "known", ">= 0.2")
    share("new", "new", "new", ">= 0.06")


def add_sums(report, rates):
    for kind, goal in (("known", ">= 0.5"), ("new", None)):
        report.add(f"(time echo + time Redis) / time node, {kind}, {WINDOW} under way",
                   median_of(lambda echo, redis, node: (1 / echo + 1 / redis) * node, rates[f"echo {kind} {WINDOW}"],
                             rates[f"redis {kind} {WINDOW}"], rates[f"node {kind} {WINDOW}"]), "", goal)
    for kind in ("known", "new"):
        report.add(f"time node / (round trip echo + round trip Redis), {kind}, 1 under way",
                   median_of(lambda echo, redis, node: 1 / node / (1 / echo + 1 / redis), rates[f"echo {kind} 1"],
                             rates[f"redis {kind} 1"], rates[f"node {kind} 1"]), "", "<= 2")
    report.add("time node / round trip echo, cached, 1 under way",
               median_of(lambda echo, node: echo / node, rates["echo known 1"], rates["node cached 1"]), "")


def add_absolute(report, rates):
    """For orientation: absolute figures belong to this machine and this hour."""
    for name in sorted(rates, key=lambda name: (int(name.rsplit(" ", 1)[1]), name)):
        what, window = name.rsplit(" ", 1)
        report.add(f"{what}, {window} under way", median_of(lambda rate: rate, rates[name]), "lookups/s")


def run(report, options):
    bench = Bench()
    try:
        rates = measure_all(bench, Sizes(options.quick))
    finally:
        bench.close()
    add_rates(report, rates)
    add_sums(report, rates)
    add_absolute(report, rates)
