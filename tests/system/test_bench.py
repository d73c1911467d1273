"""reeve-load against real nodes, and the benches of tests/bench with tiny counts: that they run, that what they print is well formed,
and the one thing in them that does not depend on the machine: how many commands a lookup sends to Redis."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from tests.support.harness import BUILD, TOP, free_port, program, sample_policy, wait_for

POLICY = sample_policy(greylist={"mode": "enforce", "delay": "1s"})


def load(*words):
    return subprocess.run([program("reeve-load"), *map(str, words)], capture_output=True, text=True, timeout=60)


def report(*words):
    done = load("--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- reeve-load

def test_load_counts_every_lookup_by_its_reason(site):
    redis = site.redis()
    store = {"mode": "single", "address": redis.address}
    nodes = [site.node(name, policy=POLICY, store=store) for name in ("one", "two")]
    both = [word for node in nodes for word in ("--node", node.lookups)]
    got = report(*both, "--count", 400, "--window", 20, "--population", 30, "--mix", "known=2,new=1,cached=1", "--seed", 7)
    assert (got["lookups"], got["nodes"], got["window"], got["seed"]) == (400, 2, 20, 7)
    assert set(got["reasons"]) == {"greylist_known", "greylist_new"} and sum(got["reasons"].values()) == 400
    kinds = {kind: row["count"] for kind, row in got["us"].items()}
    assert kinds["new"] == got["reasons"]["greylist_new"] > 50
    assert kinds["known"] > kinds["cached"] > 50 and kinds["all"] == 400
    for row in got["us"].values():
        assert 0 < row["p50"] <= row["p90"] <= row["p99"] <= row["p99.9"] <= row["max"]
    assert not any(got[word] for word in ("timed_out", "refused", "damaged", "degraded", "shadowed", "late"))

    again = report(*both, "--count", 400, "--window", 20, "--population", 30, "--mix", "known=2,new=1,cached=1", "--seed", 7,
                   "--prepared")
    assert {kind: row["count"] for kind, row in again["us"].items()} == kinds, "the same seed asks the same questions"
    assert "greylist_new" not in again["reasons"], "so its new senders are not new any more"

    plain = load("--node", nodes[0].lookups, "--count", 5, "--mix", "new=1")
    assert re.match(r"5 lookups in \d+\.\d\d s: \d+/s \(window 64, seed \d+\)\n", plain.stdout), plain.stdout
    assert "reasons  greylist_new 5\n" in plain.stdout


def test_load_says_what_a_gateway_would_not_have_got(site):
    fake = site.fake_node(lambda check: None)
    done = load("--node", fake.lookups, "--count", 3, "--mix", "new=1", "--deadline", 50, "--json")
    assert done.returncode == 1 and "no question was answered in time" in done.stderr
    got = json.loads(done.stdout)
    assert (got["lookups"], got["timed_out"]) == (0, 3)


def test_load_gives_up_on_senders_that_never_become_known(site):
    fake = site.fake_node(lambda check: {"reason": "greylist_new", "action": 2, "retry_after_s": 600})
    done = load("--node", fake.lookups, "--population", 2, "--mix", "known=1")
    assert done.returncode == 1 and done.stdout == ""
    assert "2 senders do not become known (the last one got 'greylist_new')" in done.stderr


def test_load_is_interrupted_and_reports(site):
    fake = site.fake_node(lambda check: {})
    child = subprocess.Popen([program("reeve-load"), "--node", fake.lookups, "--seconds", "600", "--mix", "new=1", "--json"],
                             stdout=subprocess.PIPE, text=True)
    wait_for(lambda: len(fake.checks) > 10, "some questions")
    child.send_signal(signal.SIGINT)
    got = json.loads(child.communicate(timeout=20)[0])
    assert child.returncode == 0 and got["lookups"] == len(fake.checks) and got["reasons"] == {"accept": got["lookups"]}


def test_load_without_a_node():
    done = load("--node", f"tcp://127.0.0.1:{free_port()}", "--count", 1)
    assert done.returncode == 1 and "no node answers at 'tcp://127.0.0.1:" in done.stderr


@pytest.mark.parametrize("words, said", [
    (["--window", "0"], "--window: expected a whole number from 1 to 4096, not '0'; see reeve-load --help"),
    (["--node", "nonsense"], "nonsense"),
])
def test_load_with_a_wrong_line(words, said):
    done = load(*words)
    assert done.returncode in (1, 2) and said in done.stderr and done.stdout == ""


def test_load_options_are_in_the_manual():
    page = (TOP / "client/load/reeve-load.1").read_text()
    for words, begin, end in ((["--help"], ".Sh DESCRIPTION", ".Sh THE REPORT"), (["replay", "--help"], ".Sh REPLAY", ".Ss The file")):
        options = set(re.findall(r"  --([a-z-]+)", load(*words).stdout)) - {"help", "version"}
        assert len(options) > 8
        part = page[page.index(begin):page.index(end)]
        assert options == set(re.findall(r"^\.It Fl -([a-z-]+)(?:$| Ar)", part, re.MULTILINE))


# ---- the benches

@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """What the quick benches wrote, by name."""
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    done = subprocess.run([sys.executable, "tests/bench/run", "--quick", "--out", str(out), "lookups", "commands"],
                          cwd=TOP, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "BUILD": str(BUILD), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return {row["name"]: row for row in json.loads(pathlib.Path(out).read_text())}


def test_bench_rows_are_well_formed(rows):
    assert len(rows) > 15
    for row in rows.values():
        assert {"part", "name", "value", "unit", "goal", "holds"} <= set(row), row
        assert row["part"] in ("lookups", "commands") and isinstance(row["unit"], str)
        assert row["value"] is None and "note" in row or row["value"] >= 0
        if row["goal"] is not None and row["value"] is not None:
            word, bound = row["goal"].split()
            assert row["holds"] is (row["value"] >= float(bound) if word == ">=" else row["value"] <= float(bound))


@pytest.mark.parametrize("name, most", [
    ("known, from the near cache", 2),
    ("known, from Redis", 4),
    ("new, net alone", 12),
    ("new, with a name", 12),
    ("new, with a name and SPF", 12),
])
def test_commands_a_lookup_sends(rows, name, most):
    row = rows[f"Redis commands a lookup, {name}"]
    assert row["value"] <= most
    assert row["value"] == pytest.approx(round(row["value"]), abs=.05), "housekeeping was counted"
