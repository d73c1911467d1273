"""Redis commands a lookup, as the server itself counts them."""
from tests.bench.servers import Bench, command_calls, load, only

READINGS_MAX = 3  # while one row is counted: of the agreement one each ten seconds, of the roots of reputation each five
IDENTITIES = {"net": "net alone", "name": "with a name", "spf": "with a name and SPF"}


def calls_of(redis, count, run):
    """Calls of each command that run() caused with so many lookups, without what is nobody's: the counts of retries, which a node
    adds up and writes once a second (HINCRBY, and an EXPIREAT with it), its reading of the agreement (HGETALL), and its look whether
    anybody has ever reported (MGET)."""
    before = command_calls(redis)
    run()
    after = command_calls(redis)
    calls = {name: number - before.get(name, 0) for name, number in after.items()}
    counted = calls.pop("hincrby", 0)
    if counted:
        calls["expireat"] -= min(counted, calls["expireat"])
    for name in ("hgetall", "mget"):
        if calls.get(name, 0) % count <= READINGS_MAX:
            calls[name] = calls.get(name, 0) // count * count
    return {name: number for name, number in calls.items() if number > 0}


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
        calls = calls_of(redis, count, lambda: ask(cached, "cached=1", "greylist_known", "name"))
        add(report, "known, from the near cache", calls, count, "<= 2")
        calls = calls_of(redis, count, lambda: ask(plain, "known=1", "greylist_known", "name"))
        add(report, "known, from Redis", calls, count, "<= 4")
        for identity, words in IDENTITIES.items():
            calls = calls_of(redis, count, lambda which=identity: ask(plain, "new=1", "greylist_new", which))
            add(report, f"new, {words}", calls, count, "<= 12")
    finally:
        bench.close()
