#!/usr/bin/python3
"""The same messages judged by what others do: plain counts, and the formulas of rspamd's and SpamAssassin's reputations.

Usage: tests/bench/reputation.py FILE.csv [--delay SECONDS] [--scores FILE ...]
--scores: what `reeve-load replay --scores` wrote of the same file; its columns stand beside the others.

FILE.csv is what reeve-load replay reads (reeve-load(1)), with the names of tests/data/sa2002.csv. The others are written from their
descriptions: docs.rspamd.com, modules/reputation, and the manual page Mail::SpamAssassin::Plugin::TxRep. Both learn from what a message
scored; here it scores what its label is worth. As with reeve-load, a message is judged before its label is known, and that is so long after it came."""
import argparse
import bisect
import collections
import csv
import datetime
import math

DAY = 86400.0
SPAM_WORDS = {"1", "1.0", "spam", "true", "yes", "junk"}
OTHER_NAMES = {
    "ts": "timestamp time date at unixtime", "ip": "client_ip client addr address ip_address source_ip", "label": "class is_spam spam verdict y",
    "asn": "as as_number", "cc": "country country_code", "dom": "domain sender_domain mail_from_domain mfrom_dom from_domain",
    "mfrom_h": "mfrom sender_h sender_local local", "helo": "ehlo"}
NAMES = {other: name for name, others in OTHER_NAMES.items() for other in others.split()}


def read(path):
    """The rows of a file of messages, in the order of time, as dicts with every column that the formulas use; label is 0 or 1."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        separator = next((mark for mark in ",;\t" if mark in file.readline()), ",")
        file.seek(0)
        rows = []
        for fields in csv.DictReader(file, delimiter=separator):
            row = collections.defaultdict(str)
            for key, value in fields.items():
                key = (key or "").strip().lower()
                row[NAMES.get(key, key)] = "" if value is None or value.strip() == "-" else value.strip()
            row["ts"], row["label"] = read_time(row["ts"]), int(row["label"].lower() in SPAM_WORDS)
            if not row["dom"] and "@" in row["sender"]:
                row["mfrom_h"], _, row["dom"] = row["sender"].rpartition("@")
            rows.append(row)
    return sorted(rows, key=lambda row: row["ts"])


def read_time(text):
    """Unix seconds, of a number or of UTC."""
    try:
        number = float(text)
        return number / 1000 if number >= 1e11 else number
    except ValueError:
        stamp = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=datetime.timezone.utc)).timestamp()


# ---- how good scores are: lists of (score, label). Written anew, to be compared with client/load/score.c.

def auc(scores):
    """Of a spam and a ham, how often the spam has the higher score; an equal one is half."""
    ham = sorted(score for score, label in scores if not label)
    spam = [score for score, label in scores if label]
    if not ham or not spam:
        return math.nan
    return sum(bisect.bisect_left(ham, score) + bisect.bisect_right(ham, score) for score in spam) / 2 / len(ham) / len(spam)


def threshold(scores, rate):
    """The lowest that no more than rate of ham is above."""
    ham = sorted((score for score, label in scores if not label), reverse=True)
    return ham[min(int(rate * len(ham) + 1e-9), len(ham) - 1)] if ham else math.nan


def tpr(scores, rate):
    """The share of spam above that threshold: ties are against us."""
    spam = [score for score, label in scores if label]
    bound = threshold(scores, rate)
    return sum(score > bound for score in spam) / len(spam) if spam and not math.isnan(bound) else math.nan


def brier(scores):
    return sum((score - label) ** 2 for score, label in scores) / len(scores)


def ece(scores, bins=10):
    """Expected calibration error, in bins of equal width."""
    sums = collections.defaultdict(lambda: [0.0, 0])
    for score, label in scores:
        entry = sums[min(int(score * bins), bins - 1)]
        entry[0] += score
        entry[1] += label
    return sum(abs(predicted - spam) for predicted, spam in sums.values()) / len(scores)


# ---- methods: judge(row) gives a score, learn(row, is_spam) is told the label at row["learnt"]

class Counts:
    """Spams and hams of the very address, each begun with one: what a list of addresses would know."""

    def __init__(self):
        self.counts = collections.defaultdict(lambda: [1, 1])

    def judge(self, row):
        ham, spam = self.counts[row["ip"]]
        return spam / (ham + spam)

    def learn(self, row):
        self.counts[row["ip"]][row["label"]] += 1


class Rspamd:
    """Selector `ip` of rspamd's module reputation, with its defaults: an exponential average of the scores of the address, its AS and its
    country over 30 days, of which one that has seen 10 messages says tanh(average / reject * atanh .95 - atanh .5), with the weights 1, .4 and .01.
    What was not seen for 10 days is forgotten. A spam scores what makes rspamd reject, a ham nothing."""
    WEIGHTS = {"ip": 1.0, "asn": .4, "cc": .01}
    LEAST, WINDOW, EXPIRY, REJECT, HAM = 10, 30 * DAY, 10 * DAY, 15.0, 0.0

    def __init__(self):
        self.kept = {}

    def find(self, key, now):
        entry = self.kept.get(key)
        return entry if entry and now - entry["at"] <= self.EXPIRY else None

    def judge(self, row):
        score = 0.0
        for column, weight in self.WEIGHTS.items():
            entry = self.find((column, row[column]), row["ts"]) if row[column] else None
            if entry and entry["count"] >= self.LEAST:
                score += weight * math.tanh(entry["value"] / self.REJECT * math.atanh(.95) - math.atanh(.5))
        return score

    def learn(self, row):
        score = self.REJECT if row["label"] else self.HAM
        for column in self.WEIGHTS:
            if not row[column]:
                continue
            entry = self.find((column, row[column]), row["learnt"])
            if entry is None:
                entry = self.kept[column, row[column]] = {"count": 0, "value": score, "at": row["learnt"]}
            alpha = 1 - math.exp(-(row["learnt"] - entry["at"]) / self.WINDOW)
            entry["value"] += alpha * (score - entry["value"])
            entry["count"] += 1
            entry["at"] = row["learnt"]


class KindRspamd(Rspamd):
    """The same at its best on mail as rare as that of a data set: counts from the first message on, forgets nobody, and hams score below nothing."""
    LEAST, EXPIRY, HAM = 1, math.inf, -5.0


class TxRep:
    """SpamAssassin's TxRep with its defaults: each of the sender's address at its /16, that address, its domain at the /16, the client's address and the
    HELO name moves the score, which is 0 here, towards (total + score) / (count + 1), with the weights 10, 3, 2, 4 and .5. Learning adds
    20 for spam and takes 20 for ham; totals are watered down by .98 with each."""
    WEIGHTS = {"email_ip": 10.0, "email": 3.0, "domain": 2.0, "ip": 4.0, "helo": .5}
    FACTOR, DILUTION, LEARNT = .5, .98, 20.0

    def __init__(self):
        self.kept = collections.defaultdict(lambda: [0.0, 0])

    @staticmethod
    def names(row):
        """What identifies the sender; the mask for IPv6 is /48."""
        ip = row["ip"]
        net = ":".join(ip.split(":")[:3]) if ":" in ip else ".".join(ip.split(".")[:2])
        domain = row["from_dom"] or row["dom"]
        email = f"{row['from_h'] or row['mfrom_h']}@{domain}" if domain else ""
        if email:
            yield "email_ip", (email, net)
            yield "email", email
            yield "domain", (domain, net)
        yield "ip", ip
        if row["helo"] and domain not in row["helo"]:
            yield "helo", row["helo"]

    def judge(self, row):
        moved = weights = 0.0
        for name, value in self.names(row):
            total, count = self.kept[name, value]
            moved += self.WEIGHTS[name] * total / (count + 1)
            weights += self.WEIGHTS[name]
        return self.FACTOR * moved / weights

    def learn(self, row):
        score = self.LEARNT if row["label"] else -self.LEARNT
        for name, value in self.names(row):
            entry = self.kept[name, value]
            entry[0] = (entry[1] + 1) * (score + self.DILUTION * entry[0]) / (self.DILUTION * entry[1] + 1)
            entry[1] += 1


METHODS = {"plain counts": Counts, "rspamd": Rspamd, "rspamd, kind": KindRspamd, "TxRep": TxRep}


def replay(rows, method, delay):
    """The scores of all rows, each judged before its label was known."""
    scores, told = [], 0
    for row in rows:
        row["learnt"] = row["ts"] + delay
    for number, row in enumerate(rows):
        while told < number and rows[told]["learnt"] <= row["ts"]:
            method.learn(rows[told])
            told += 1
        scores.append((method.judge(row), row["label"]))
    return scores


def figures(rows, scores, is_probability):
    """AUC of all, of the first mail of an address, of the others; TPR at .1 % and 1 %; Brier and ECE where the scores are probabilities."""
    seen, first = set(), []
    for row in rows:
        first.append(row["ip"] not in seen)
        seen.add(row["ip"])
    return {"auc": auc(scores),
            "auc_first": auc([score for score, is_first in zip(scores, first) if is_first]),
            "auc_repeat": auc([score for score, is_first in zip(scores, first) if not is_first]),
            "tpr_at_0.1%": tpr(scores, .001), "tpr_at_1%": tpr(scores, .01),
            "brier": brier(scores) if is_probability else math.nan,
            "ece": ece(scores) if is_probability else math.nan}


def compare(rows, delay):
    """What each of the others would have been worth: name -> figures."""
    return {name: figures(rows, replay(rows, method(), delay), method is Counts) for name, method in METHODS.items()}


def read_scores(path):
    """What reeve-load replay wrote, column -> scores in the order of time."""
    with open(path, encoding="ascii", newline="") as file:
        found = list(csv.DictReader(file))
    return {kind: [(float(row[kind]), int(row["label"])) for row in found] for kind in ("both", "address", "ip")}


def print_figures(name, found):
    print(f"{name:14}" + "".join(f" {'-' if math.isnan(value) else format(value, '.4f'):>8}" for value in found.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE.csv")
    parser.add_argument("--delay", type=float, default=3600, metavar="SECONDS", help="of the labels (3600)")
    parser.add_argument("--scores", action="append", default=[], metavar="FILE", help="of reeve-load replay --scores")
    options = parser.parse_args()
    rows = read(options.file)
    print(f"{'':14}" + "".join(f" {word:>8}" for word in ("AUC", "first", "repeat", "TPR@.1%", "TPR@1%", "Brier", "ECE")))
    for path in options.scores:
        for kind, scores in read_scores(path).items():
            print_figures(kind, figures(rows, scores, True))
    for name, found in compare(rows, options.delay).items():
        print_figures(name, found)


if __name__ == "__main__":
    main()
