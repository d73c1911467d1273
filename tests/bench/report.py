"""What the benches found: rows of name, value, unit, goal and whether it holds, printed as a table and kept in bench.json."""
import json
import operator
import statistics

COMPARE = {">=": operator.ge, "<=": operator.le}


class Report:
    """The rows of one run. path: bench.json; rows that it holds of other parts stay there."""

    def __init__(self, path):
        self.path = path
        self.rows = []
        self.part = None

    def begin(self, part):
        self.part = part
        print(f"---- {part}", flush=True)

    def add(self, name, value, unit, goal=None, note=None):
        """goal: None, or like ">= 0.35". A value of None was not measured; the note says why."""
        row = {"part": self.part, "name": name, "value": None if value is None else float(f"{value:.4g}"), "unit": unit,
               "goal": goal, "holds": None if goal is None or value is None else holds(value, goal)}
        if note:
            row["note"] = note
        self.rows.append(row)
        print(line_of(row), flush=True)

    def skip(self, why):
        self.add("not run", None, "", note=why)

    def write(self):
        ran = {row["part"] for row in self.rows}
        kept = json.loads(self.path.read_text()) if self.path.exists() else []
        rows = [row for row in kept if row["part"] not in ran] + self.rows
        self.path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")

    def print_table(self):
        print(f"\n{'':4} {'name':58} {'value':>10} {'unit':24} {'goal':>9}  holds")
        for row in self.rows:
            print(line_of(row))


def holds(value, goal):
    word, bound = goal.split()
    return COMPARE[word](value, float(bound))


def line_of(row):
    value = "-" if row["value"] is None else f"{row['value']:g}"
    verdict = {True: "yes", False: "NO", None: ""}[row["holds"]]
    note = f"  ({row['note']})" if "note" in row else ""
    return f"     {row['name']:58} {value:>10} {row['unit']:24} {row['goal'] or '':>9}  {verdict}{note}".rstrip()


def alternate(rounds, runners):
    """Runs every runner once a round, in turn, so that the machine's noise meets all of them. The results of each, by its name,
    in the order of the rounds."""
    results = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            results[name].append(run())
    return results


def median_of(function, *series):
    """The median over the rounds of what the function makes of one round's results."""
    return statistics.median(function(*one_round) for one_round in zip(*series))
