"""Nodes that play recorded mail again (reeved --replay), and reeve-load replay, which plays it to them."""
import csv
import json
import pathlib
import subprocess

import yaml

from tests.support.harness import TOP, program

MAIL = TOP / "tests" / "data" / "sa2002.csv"


def replay_nodes(site, redis, count=2):
    """Nodes on one Redis whose time is that of what they are asked. Their deadlines are long: a machine that stalls makes a replay slow
    instead of degraded."""
    nodes = []
    for number in range(count):
        node = site.node(f"replay{number}", start=False, store={"mode": "single", "address": redis.address, "deadline": "5s"})
        config = yaml.safe_load(node.config_path.read_text())
        config["lookups"]["budget"] = "10s"
        node.config_path.write_text(yaml.safe_dump(config))
        node.argv.append("--replay")
        nodes.append(node.start())
    return nodes


def replay(nodes, *words, path=MAIL, seconds=120):
    """Runs reeve-load replay through these nodes."""
    doors = [word for node in nodes for word in ("--node", node.lookups)]
    return subprocess.run([program("reeve-load"), "replay", *doors, *map(str, words), str(path)], capture_output=True, text=True,
                          timeout=seconds, check=False)


def replay_report(nodes, *words, path=MAIL, seconds=120):
    """Its report."""
    done = replay(nodes, "--json", *words, path=path, seconds=seconds)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read_scores(path):
    """What --scores wrote: a dict a message, in the order of time."""
    with pathlib.Path(path).open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))
