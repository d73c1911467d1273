"""How well two nodes tell spam from ham: recorded mail, played again through them, beside what others would have made of it."""
import csv
import itertools
import math
import pathlib

from tests.bench import reputation
from tests.bench.servers import Bench
from tests.support.replaying import MAIL, replay_nodes, replay_report

DELAYS = {"at once": 0, "1 h late": 3600, "24 h late": 86400}
# What is promised of tests/data/sa2002.csv with labels that are an hour late: (figure, kind) -> goal. Other files have none.
GOALS = {("auc", "both"): ">= 0.975", ("tpr_at_1%", "both"): ">= 0.78", ("auc", "address"): ">= 0.97",
         ("tpr_at_1%", "address"): ">= 0.7"}
FIGURES = {"auc": "AUC", "auc_first": "AUC, first contact", "tpr_at_0.1%": "TPR at .1 % of ham", "tpr_at_1%": "TPR at 1 % of ham",
           "brier": "Brier", "ece": "ECE"}
POISONS = ["flip", "spam", "ham"]


def play(path, *words):
    """One replay through two nodes and a Redis that know nothing yet."""
    bench = Bench()
    try:
        redis = bench.redis()
        return replay_report(replay_nodes(bench, redis), "--redis", redis.address, *words, path=path, seconds=3600)
    finally:
        bench.close()


def add(report, name, value, unit="", goal=None):
    report.add(name, None if value is None or math.isnan(value) else value, unit, goal)


def compare(report, path, when, delay, goals):
    found = play(path, "--delay", f"{delay}s")
    others = reputation.compare(reputation.read(path), delay)
    for figure, title in FIGURES.items():
        for kind in ("both", "address", "ip"):
            add(report, f"{title}, labels {when}: {kind}", found[kind][figure], goal=goals.get((figure, kind)))
        for name, figures in others.items():
            if not math.isnan(figures[figure]):  # scores that are no probabilities have no calibration
                add(report, f"... {name}", figures[figure])
    report.add(f"spam until first flagged, labels {when}: both", found["both"]["mean_spam_until_flagged"], "messages of an address")
    report.add("replayed through two nodes", found["messages"] / found["seconds"], "messages/s, two requests each")
    report.add("memory of Redis", found["bytes_an_entity"], f"bytes an entity of {found['entities']:,}")


def poison(report, path, goal):
    clean = play(path, "--gateways", "5")["both"]["tpr_at_1%"]
    silent = play(path, "--gateways", "5", "--poison", "5=silent")["both"]["tpr_at_1%"]
    add(report, "TPR at 1 % of ham, five gateways in turn", clean)
    add(report, "... lost where one of them is silent", clean - silent)
    for what in POISONS:
        found = play(path, "--gateways", "5", "--poison", f"5={what}")
        add(report, f"... lost where it says {what}", clean - found["both"]["tpr_at_1%"], goal=goal)
        add(report, "... how far it is trusted in the end", found["gateways"][4]["trust"])


def first_rows(path, count, folder):
    """A file of the first rows."""
    short = pathlib.Path(folder) / "short.csv"
    with open(path, encoding="utf-8", newline="") as file, open(short, "w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(itertools.islice(csv.reader(file), count + 1))
    return short


def run(report, options):
    path = pathlib.Path(options.csv or MAIL)
    goals = GOALS if options.csv is None and not options.quick else {}
    if options.quick:
        bench = Bench()
        try:
            path = first_rows(path, 300, bench.folder)
            compare(report, path, "1 h late", 3600, goals)
        finally:
            bench.close()
        return
    for when, delay in DELAYS.items():
        compare(report, path, when, delay, goals if delay == 3600 else {})
    poison(report, path, "<= 0.07" if goals else None)
