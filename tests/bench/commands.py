"""Redis commands a lookup, as the server itself counts them."""
from tests.bench.servers import Bench, command_calls, load, only

IDENTITIES = {"net": "net alone", "name": "with a name", "spf": "with a name and SPF"}


def calls_of(redis, run):
    """Calls of each command that run() caused."""
    before = command_calls(redis)
    run()
    after = command_calls(redis)
    return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}


def add(report, name, calls, count, goal):
    words = ", ".join(f"{name} {calls[name] / count:g}" for name in sorted(calls))
    report.add(f"Redis commands a lookup, {name}", sum(calls.values()) / count, "commands", goal, words or None)


def run(report, options):
    count = 100 if options.quick else 2000
    bench = Bench()
    try:
        redis = bench.redis()
        store = {"mode": "single", "address": redis.address}
        plain, cached = bench.bench_node(store, "plain", cache=0), bench.bench_node(store, "cached")

        def ask(node, mix, reason, identity):
            only(load(node.lookups, "--prepared", count=count, mix=mix, population=20, identity=identity), reason)

        load(plain.lookups, count=1, mix="known=1", population=20)
        load(cached.lookups, count=1, mix="known=1", population=20)
        calls = calls_of(redis, lambda: ask(cached, "cached=1", "greylist_known", "name"))
        add(report, "known, from the near cache", calls, count, "<= 0")
        calls = calls_of(redis, lambda: ask(plain, "known=1", "greylist_known", "name"))
        add(report, "known, from Redis", calls, count, "<= 2")
        for identity, words in IDENTITIES.items():
            calls = calls_of(redis, lambda which=identity: ask(plain, "new=1", "greylist_new", which))
            add(report, f"new, {words}", calls, count, "<= 9")
    finally:
        bench.close()
