"""Does a lookup cost more in a store that has grown? Two Redis servers in one run, one of them with 500 times the triplets."""
from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench, command_usec, fill, load, only, used_memory

# The kinds of mail: the reason of each answer, the command that stands for it, how many lookups against the others.
KINDS = [("known", "greylist_known", "hmget", 2), ("new", "greylist_new", "hsetnx", 1)]


def usec(redis, command):
    calls, total = command_usec(redis)[command]
    return total / calls


class Store:
    """A server with so many triplets, and a node on it."""

    def __init__(self, bench, triplets, **more):
        self.triplets = triplets
        self.redis = bench.redis()
        self.node = bench.bench_node({"mode": "single", "address": self.redis.address, **more}, f"of-{triplets}", cache=0)
        before = used_memory(self.redis)
        fill(self.redis, triplets, "net")
        self.bytes_each = (used_memory(self.redis) - before) / triplets

    def slice(self, mix, reason, command, count):
        """(lookups a second, usec a call of the command)."""
        self.redis.command("CONFIG", "RESETSTAT")
        got = only(load(self.node.lookups, "--prepared", population=self.triplets, count=count, mix=mix, identity="net"), reason)
        return got["per_second"], usec(self.redis, command)


class Results:
    """The rounds' results, by kind of mail and store."""

    def __init__(self, stores, rounds, count):
        runners = {}
        for kind, reason, command, lookups in KINDS:
            for name, store in stores.items():
                if (kind, name) == ("new", "dense"):
                    continue  # first tries fill its few buckets in no time
                runners[kind, name] = lambda at=store, how=(f"{kind}=1", reason, command, lookups * count // 2): at.slice(*how)
        self.got = alternate(rounds, runners)

    def rate(self, kind, name, other):
        """The rate with one store as a share of that with another."""
        return median_of(lambda one, two: one[0] / two[0], self.got[kind, name], self.got[kind, other])

    def speed(self, kind, name, other):
        """The same of the speed of the kind's command inside Redis."""
        return median_of(lambda one, two: two[1] / one[1], self.got[kind, name], self.got[kind, other])

    def usec(self, kind, name):
        return median_of(lambda one: one[1], self.got[kind, name])


def add(report, stores, results):
    big, small = stores["big"], stores["small"]
    words = f"with {big.triplets:,} triplets, of that with {small.triplets:,}"
    for kind, _, command, _ in KINDS:
        report.add(f"lookups, {kind}, {words}", results.rate(kind, "big", "small"), "", ">= 0.85")
        report.add(f"speed of {command.upper()} {words}", results.speed(kind, "big", "small"), "", ">= 0.85")
    report.add(f"speed of HMGET {words} in buckets as full", results.speed("known", "big", "dense"), "")
    for kind, name in results.got:
        command = {each[0]: each[2].upper() for each in KINDS}[kind]
        report.add(f"{command} with {stores[name].triplets:,} triplets, {name}", results.usec(kind, name), "us a call")
    report.add(f"memory of Redis, {big.triplets:,} identities stored", big.bytes_each, "bytes an identity")


def run(report, options):
    big, small, count, rounds = (20000, 1000, 200, 1) if options.quick else (5000000, 10000, 10000, 9)
    dense_buckets = 4 if options.quick else 128  # the default is 65,536: these are as full with the small number
    bench = Bench()
    try:
        stores = {"small": Store(bench, small), "dense": Store(bench, small, buckets=dense_buckets), "big": Store(bench, big)}
        results = Results(stores, rounds, count)
    finally:
        bench.close()
    add(report, stores, results)
