"""Memory: of Redis for each stored identity of a client, and of the node itself."""
import json
import subprocess

from tests.bench.servers import Bench, fill, load, only, used_memory
from tests.support.processes import program, tool

MIX = "known=96,new=2,cached=2"


def passed_keys(redis):
    """What is stored of passed triplets: key -> (its fields, when it expires)."""
    def ask(*words):
        return subprocess.run([tool("redis-cli"), "-s", redis.socket, "--raw", *words], capture_output=True,
                              check=True).stdout.splitlines()
    return {key: (sorted(ask("HKEYS", key)), ask("EXPIRETIME", key)) for key in ask("KEYS", "p:*")}


def check_fill(bench):
    """Holds the loader against a node: both make the same senders known, on two servers of one secret."""
    by_node, by_fill = bench.redis(), bench.redis()
    node = bench.bench_node({"mode": "single", "address": by_node.address}, "founder")
    load(node.lookups, population=40, count=1, mix="known=1", identity="spf")
    fields = by_node.command("HGETALL", "meta").split("\n")
    by_fill.command("HSET", "meta", *filter(None, fields))
    fill(by_fill, 40, "spf")
    ours, theirs = passed_keys(by_fill), passed_keys(by_node)
    assert len(theirs) > 20 and ours == theirs, "the loader does not write what the node writes"


def measure_redis(report, bench, triplets):
    redis = bench.redis()
    node = bench.bench_node({"mode": "single", "address": redis.address}, cache=0)
    before = used_memory(redis)
    identities = fill(redis, triplets, "name")["identities"]
    used = used_memory(redis) - before
    report.add(f"memory of Redis, {identities:,} identities stored", used / identities, "bytes an identity", "<= 36")
    only(load(node.lookups, "--prepared", population=triplets, count=min(triplets, 20000), mix="known=1"), "greylist_known")
    return redis


def measure_reputation(report, bench, options):
    """What an entity of reputation takes, and a report that counted: few of them, and as many as fill their hashes."""
    entities, few, many = (2000, 1000, 4000) if options.quick else (500000, 10000, 10000000 if options.long else 1000000)
    for what, count, goal in (("entities", entities, "<= 170"), ("events", few, None), ("events", many, "<= 60")):
        redis = bench.redis()
        before = used_memory(redis)
        done = subprocess.run([program("bench/entities"), redis.socket, str(count), what], capture_output=True, text=True, check=True)
        report.add(f"memory of Redis, {count:,} {what} of reputation", (used_memory(redis) - before) / count, "bytes each", goal,
                   f"{json.loads(done.stdout)['usec']} us of Redis a script")


def measure_node(report, node, triplets, options):
    """Resident memory after so many lookups, and after many times that; the store is what measure_redis left."""
    first, last = (2000, 10000) if options.quick else (1000000, 10000000 if options.long else 3000000)
    asked, resident = 0, {}
    for goal in (first, last):
        load(node.lookups, "--prepared", population=triplets, count=goal - asked, mix=MIX)
        asked = goal
        resident[goal] = node.resident_mib()
    note = None if options.long else "--long asks 10,000,000"
    report.add(f"memory of reeved after {last:,} lookups", resident[last], "MiB resident", "<= 40", note)
    report.add(f"... of that after {first:,} lookups", resident[last] / resident[first], "", "<= 1.05", note)


def run(report, options):
    triplets = 5000 if options.quick else 500000
    bench = Bench()
    try:
        check_fill(bench)
        measure_reputation(report, bench, options)
        redis = measure_redis(report, bench, triplets)
        measure_node(report, bench.bench_node({"mode": "single", "address": redis.address}, "cached"), triplets, options)
    finally:
        bench.close()
