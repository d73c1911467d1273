"""What mail turned out to be: five thousand reports a second at one node beside its lookups, and what a report costs."""
import json
import pathlib
import subprocess
import time

from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench, command_calls, load, only, program

RATE = 5000  # a second
KNOWN = ("greylist_known",)


class Sizes:
    """How much is done. Slices are short, so that a noisy second meets both sides of a ratio."""

    def __init__(self, quick):
        self.rounds = 1 if quick else 9
        self.population = 50 if quick else 1000
        self.known = 200 if quick else 12000
        self.counted = 100 if quick else 2000
        self.costed = 200 if quick else 20000
        self.ahead = 1 if quick else 4  # seconds that reports go on at least


def begin_reports(node, seconds):
    """reeve-load that reports, at the rate, beside what comes next: half spam, of senders that nobody has reported before."""
    argv = [program("reeve-load"), "--node", node.lookups, "--json", "--verb", "report", "--mix", "new=1", "--rate", str(RATE),
            "--seconds", str(seconds), "--deadline", "5000"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end_reports(process):
    """Its report; each was counted, or something else would have been measured."""
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return only(json.loads(out), "recorded")


def measure_all(node, sizes):
    def lookups():
        return only(load(node.lookups, "--prepared", window=64, count=sizes.known, mix="known=1", population=sizes.population), *KNOWN)

    def beside():
        process = begin_reports(node, sizes.ahead)
        time.sleep(.3)  # until it has begun; it ends after the lookups have
        report = lookups()
        return {"lookups": report, "reports": end_reports(process)}

    load(node.lookups, count=sizes.population, mix="known=1", population=sizes.population)
    only(load(node.lookups, "--verb", "report", count=sizes.counted, mix="new=1"), "recorded")  # the roots are not empty any more
    return alternate(sizes.rounds, {"alone": lookups, "beside": beside})


def add_rates(report, rates):
    alone, beside = rates["alone"], rates["beside"]

    report.add("reports a second, beside lookups", median_of(lambda both: both["reports"]["per_second"], beside), "reports/s", ">= 4900")
    report.add("lookups, known, beside reports",
               median_of(lambda one, both: both["lookups"]["per_second"] / one["per_second"], alone, beside), "of lookups alone", ">= 0.8")
    report.add("p99 of a lookup, known, beside reports",
               median_of(lambda one, both: both["lookups"]["us"]["all"]["p99"] / one["us"]["all"]["p99"], alone, beside), "of lookups alone")
    report.add("p50 of a report", median_of(lambda both: both["reports"]["us"]["all"]["p50"], beside), "us")
    report.add("lookups, known, alone", median_of(lambda one: one["per_second"], alone), "lookups/s")


def cpu_ns(*processes):
    """Processor time so far of all threads of each, in nanoseconds."""
    return [sum(int(file.read_text().split()[0]) for file in pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat"))
            for process in processes]


def cost(node, redis, count, do):
    """Microseconds of processor time that one of them costs node and Redis."""
    before = cpu_ns(node, redis)
    do()
    return [(after - then) / count / 1000 for after, then in zip(cpu_ns(node, redis), before)]


def add_costs(report, node, redis, sizes):
    """What each costs, and what that leaves of the lookups where node and Redis have a core each: whatever else the machine does."""
    a_report = cost(node, redis, sizes.costed, lambda: only(load(node.lookups, "--verb", "report", count=sizes.costed, mix="new=1"), "recorded"))
    a_lookup = cost(node, redis, sizes.costed, lambda: only(
        load(node.lookups, "--prepared", window=64, count=sizes.costed, mix="known=1", population=sizes.population), *KNOWN))
    for what, (of_node, of_redis) in (("a report", a_report), ("a known lookup", a_lookup)):
        report.add(f"processor time of {what}: node", of_node, "us")
        report.add(f"processor time of {what}: Redis", of_redis, "us")
    alone = min(1 / lookup for lookup in a_lookup)
    beside = min((1 - RATE * reported / 1e6) / lookup for reported, lookup in zip(a_report, a_lookup))
    report.add("lookups, known, beside reports, by processor time, a core each for node and Redis", beside / alone, "of lookups alone", ">= 0.8")


def run(report, options):
    sizes = Sizes(options.quick)
    bench = Bench()
    try:
        redis = bench.redis()
        node = bench.bench_node({"mode": "single", "address": redis.address}, cache=0)
        add_rates(report, measure_all(node, sizes))
        add_costs(report, node, redis, sizes)
        before = command_calls(redis)
        only(load(node.lookups, "--verb", "report", count=sizes.counted, mix="new=1", window=1), "recorded")
        after = command_calls(redis)
        report.add("Redis commands a report", sum(after.get(name, 0) - before.get(name, 0) for name in ("eval", "evalsha", "mget")) / sizes.counted,
                   "commands", "<= 6")
        most = only(load(node.lookups, "--verb", "report", count=sizes.costed, mix="new=1"), "recorded")
        report.add("reports, as much as goes, 64 under way", most["per_second"], "reports/s", ">= 5000")
    finally:
        bench.close()
