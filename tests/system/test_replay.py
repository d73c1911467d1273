"""Recorded mail, played again through two real nodes on one Redis: how well they tell spam from ham, that they say what the serial
reference says, and what a gateway that lies can do. tests/bench/README.md has the same with more figures."""
import collections
import json
import re
import subprocess
import xml.etree.ElementTree

import pytest

from tests.bench import reputation
from tests.support import reputation_reference
from tests.support.harness import free_port, program
from tests.support.replaying import MAIL, read_scores, replay, replay_nodes, replay_report

HEAD = "ts,ip,label\n"


@pytest.fixture
def play(site):
    """Nodes that replay, on a Redis of their own. They keep nothing, so nobody waits for them to drain."""
    started = []

    def start(redis=None, count=2):
        started.extend(replay_nodes(site, redis or site.redis(), count))
        return started
    yield start
    for node in started:
        node.kill()


class Reeve:
    """The serial reference as a method of tests/bench/reputation.py."""

    def __init__(self):
        self.reference = reputation_reference.Reference()

    @staticmethod
    def client(row):
        return reputation_reference.Client(row["ip"], int(row["asn"] or 0), row["cc"], reputation_reference.registrable(row["dom"]))

    def judge(self, row):
        return self.reference.judge(self.client(row), int(row["ts"]))

    def learn(self, row):
        self.reference.report(self.client(row), "replay-1", bool(row["label"]), 1.0, int(row["learnt"]))


def test_real_mail_through_two_nodes(site, play, tmp_path):
    redis = site.redis()
    nodes = play(redis)
    report = replay_report(nodes, "--serial", "--scores", tmp_path / "scores.csv", "--svg", tmp_path / "mail.svg", "--redis", redis.address)

    # The goals.
    assert report["address"]["auc"] >= .97 and report["address"]["tpr_at_1%"] >= .70
    assert report["both"]["auc"] >= .975 and report["both"]["tpr_at_1%"] >= .78
    assert report["ip"]["auc"] < report["address"]["auc"] < report["both"]["auc"]
    assert (report["messages"], report["spam"], report["reports"], report["nodes"]) == (5260, 1896, 5260, 2)
    assert report["bytes_an_entity"] <= 170

    # Each prediction is that of the reference.
    rows, scores = reputation.read(MAIL), read_scores(tmp_path / "scores.csv")
    expected = [judgement for judgement, _ in reputation.replay(rows, Reeve(), 3600)]
    assert len(scores) == len(expected) == 5260
    for score, judgement in zip(scores, expected):
        assert float(score["both"]) == pytest.approx(judgement.p, abs=1e-6), score
        assert float(score["address"]) == pytest.approx(judgement.address, abs=1e-6), score
        assert float(score["ip"]) == pytest.approx(judgement.ip, abs=1e-6), score

    # The figures are those of the scores, counted in another language.
    for kind, found in reputation.read_scores(tmp_path / "scores.csv").items():
        for figure, value in reputation.figures(rows, found, True).items():
            assert report[kind][figure] == pytest.approx(value, abs=1e-9), (kind, figure)
    bands = collections.Counter((score["band"], score["label"]) for score in scores)
    assert report["bands"] == {band: {"ham": bands[band, "0"], "spam": bands[band, "1"]} for band in {band for band, _ in bands}}

    # So are the points of the diagram.
    root = xml.etree.ElementTree.parse(tmp_path / "mail.svg").getroot()
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [f"{row['count']} messages, {row['spam']} spam" for kind in ("both", "address", "ip")
                      for row in report[kind]["bins"] if row["count"]]

    # What was learnt is not judged again.
    again = replay(nodes)
    assert again.returncode == 1 and again.stdout == ""
    assert "the nodes know reputations already (" in again.stderr and "start them with an empty store, or say --continue" in again.stderr


@pytest.mark.parametrize("what", ["flip", "spam"])
def test_one_gateway_of_five_lies(play, what):
    report = replay_report(play(), "--gateways", 5, "--poison", f"5={what}")
    assert report["both"]["tpr_at_1%"] >= .785 - .07
    assert report["gateways"][4]["trust"] < .5 and report["gateways"][4]["says"] == what
    assert all(gateway["trust"] > .9 for gateway in report["gateways"][:4])


# ---- what cannot be replayed

def run(path, *words):
    return subprocess.run([program("reeve-load"), "replay", *map(str, words), str(path)], capture_output=True, text=True, timeout=30,
                          check=False)


@pytest.mark.parametrize("text, words, code, said", [
    (HEAD + "1017612000,192.0.2.1,2\n", [], 1, "mail.csv:2: label: expected spam or ham, 1 or 0, not '2'; with --skip-bad"),
    ("1017612000,192.0.2.1,1\n", [], 1, "mail.csv:1: there is no column ts; the first line must name the columns"),
    (HEAD, [], 1, "there are no messages in it"),
    (HEAD, ["--delay", "1y"], 2, "--delay: expected a time like 0, 90s, 30m, 1h or 1d"),
    (HEAD + "1017612000,192.0.2.1,1\n", ["--svg", "/nowhere/a.svg"], 1, "/nowhere/a.svg: No such file"),
])
def test_replay_says_what_is_wrong(tmp_path, text, words, code, said):
    path = tmp_path / "mail.csv"
    path.write_text(text)
    done = run(path, "--node", f"tcp://127.0.0.1:{free_port()}", *words)
    assert done.returncode == code and done.stdout == ""
    assert said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_file_that_is_not_there():
    done = run("/nowhere/mail.csv")
    assert done.returncode == 1 and "/nowhere/mail.csv: No such file" in done.stderr


@pytest.fixture
def one(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(HEAD + "1017612000,192.0.2.1,spam\n1017612010,192.0.2.1,ham\n")
    return path


def test_a_node_with_a_clock_of_its_own(site, one):
    node = site.node()
    done = replay([node], path=one)
    assert done.returncode == 1 and f"{node.lookups} refused: " in done.stderr and "--replay" in done.stderr


def test_a_node_that_says_nothing_of_reputation(site, one):
    fake = site.fake_node(lambda check: {})
    done = replay([fake], path=one)
    assert done.returncode == 1 and "node fake does not say how it judges any message (the first is line 2)" in done.stderr
    assert fake.checks[0].dry_run and fake.checks[0].trace and fake.checks[0].client_ip == "192.0.2.1"


def test_a_node_that_is_silent(site, one):
    fake = site.fake_node(lambda check: None)
    done = replay([fake], "--deadline", 100, path=one)
    assert done.returncode == 1 and "did not answer within 100 ms" in done.stderr


def test_fewer_columns_and_words(play, tmp_path):
    """The least that a file may hold: no AS, no country, no sender, IPv6 as well, and rows in any order."""
    path = tmp_path / "words.csv"
    path.write_text("Class;Client;Timestamp\n" + "".join(
        f"{'Spam' if number % 2 else 'ham'};{'2001:db8:1::' if number % 2 else '203.0.113.'}{number % 7 + 1};2024-03-0{number % 5 + 1}T10:00:{number:02}Z\n"
        for number in range(40)))
    nodes = play(count=1)
    done = replay(nodes, "--delay", 0, path=path)
    assert done.returncode == 0, done.stderr
    assert "40 messages (20 spam, 20 ham) from 14 addresses, 2024-03-01 to 2024-03-05" in done.stdout
    assert "\nboth_ipv4 " in done.stdout
    report = json.loads(replay(nodes, "--delay", 0, "--continue", "--json", path=late(path)).stdout)
    assert report["both"]["auc"] == 1 and report["both"]["mean_spam_until_flagged"] == 1


def test_clients_that_are_trusted_are_not_judged(play, tmp_path):
    path = tmp_path / "mail.csv"
    path.write_text("ts,ip,label,dom\n" + "".join(
        f"{1017612000 + number},{'198.51.100.1' if number % 3 else '203.0.113.1'},{'spam' if number % 2 else 'ham'},sender.example\n"
        for number in range(30)))
    done = replay(play(count=1), "--delay", 0, "--gateways", 3, "--scores", tmp_path / "scores.csv", path=path)
    assert done.returncode == 0, done.stderr
    assert "not judged, and not counted below: 20 messages (the first is line 3), of clients whom the nodes trust" in done.stdout
    assert "replay-3" in done.stdout and "replay-4" not in done.stdout
    scores = read_scores(tmp_path / "scores.csv")
    assert [score["line"] for score in scores] == [str(line) for line in range(2, 32, 3)]
    assert {score["gateway"] for score in scores} == {"1"}, "they take turns, and every third message is judged"


def test_chance_deals_the_messages(play, tmp_path):
    path = tmp_path / "mail.csv"
    path.write_text(HEAD + "".join(f"{1017612000 + number},203.0.113.{number},{number % 2}\n" for number in range(60)))
    nodes, dealt = play(count=1), []
    for seed in (0, 7, 7, 8):
        done = replay(nodes, "--gateways", 5, "--seed", seed, "--poison", "2=silent", "--delay", "1d", "--continue", "--json",
                      "--scores", tmp_path / "scores.csv", path=path)
        assert done.returncode == 0, done.stderr
        dealt.append([score["gateway"] for score in read_scores(tmp_path / "scores.csv")])
        assert json.loads(done.stdout)["reports"] == 60 - dealt[-1].count("2")
        path = late(path)
    assert dealt[0] == list("12345") * 12
    assert dealt[1] == dealt[2] != dealt[3] and all(set(deal) == set("12345") for deal in dealt)


def late(path):
    """The same a month later, for nodes whose clock does not go back."""
    later = path.with_name("late-" + path.name)
    later.write_text(re.sub(r"^10\d{8}|2024-03", lambda found: "2024-04" if "-" in found[0] else str(int(found[0]) + 2600000), path.read_text(), flags=re.M))
    return later
