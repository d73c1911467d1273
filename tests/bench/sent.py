"""Mail that was sent: fifty thousand a minute at one node beside its lookups, and what becomes of them."""
import json
import subprocess
import time

from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench, command_calls, load, only, program

RATE = 50_000 / 60  # a second
KNOWN = ("greylist_known",)


class Sizes:
    """How much is done. Slices are short, so that a noisy second meets both sides of a ratio."""

    def __init__(self, quick):
        self.rounds = 1 if quick else 9
        self.population = 50 if quick else 1000
        self.known = 200 if quick else 12000
        self.counted = 100 if quick else 2000
        self.ahead = 1 if quick else 4  # seconds that sent mail goes on at least


def begin_sent(node, seconds):
    """reeve-load that says that mail was sent, at the rate, beside what comes next."""
    argv = [program("reeve-load"), "--node", node.lookups, "--json", "--verb", "sent", "--mix", "known=50,new=50", "--rate", str(round(RATE)),
            "--seconds", str(seconds), "--deadline", "5000"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end_sent(process):
    """Its report; every mail was recorded, or something else would have been measured."""
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return only(json.loads(out), "recorded")


def measure_all(node, sizes):
    def lookups():
        return only(load(node.lookups, "--prepared", window=64, count=sizes.known, mix="known=1", population=sizes.population), *KNOWN)

    def beside():
        process = begin_sent(node, sizes.ahead)
        time.sleep(.3)  # until it has begun; it ends after the lookups have
        report = lookups()
        return {"lookups": report, "sent": end_sent(process)}

    load(node.lookups, count=sizes.population, mix="known=1", population=sizes.population)
    return alternate(sizes.rounds, {"alone": lookups, "beside": beside})


def add_rates(report, rates):
    alone, beside = rates["alone"], rates["beside"]

    report.add("sent mail a minute, beside lookups", median_of(lambda both: both["sent"]["per_second"] * 60, beside), "mails", ">= 49000")
    report.add("lookups, known, beside sent mail",
               median_of(lambda one, both: both["lookups"]["per_second"] / one["per_second"], alone, beside), "of lookups alone", ">= 0.6")
    report.add("p99 of a lookup, known, beside sent mail",
               median_of(lambda one, both: both["lookups"]["us"]["all"]["p99"] / one["us"]["all"]["p99"], alone, beside), "of lookups alone")
    report.add("p50 of a sent mail", median_of(lambda both: both["sent"]["us"]["all"]["p50"], beside), "us")


def run(report, options):
    sizes = Sizes(options.quick)
    bench = Bench()
    try:
        redis = bench.redis()
        node = bench.bench_node({"mode": "single", "address": redis.address}, cache=0)
        add_rates(report, measure_all(node, sizes))
        before = command_calls(redis).get("eval", 0)
        only(load(node.lookups, "--verb", "sent", count=sizes.counted, mix="new=1"), "recorded")
        report.add("Redis scripts a sent mail of one recipient", (command_calls(redis)["eval"] - before) / sizes.counted, "commands", "<= 1")
        most = only(load(node.lookups, "--verb", "sent", count=sizes.counted * 4, mix="new=1"), "recorded")
        report.add("sent mail, as much as goes, 64 under way", most["per_second"], "mails/s")
    finally:
        bench.close()
