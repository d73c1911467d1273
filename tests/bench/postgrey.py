"""reeve-policyd beside Debian's postgrey: the same requests to both, in turn, in one run, with the same verdicts."""
import getpass
import grp
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from tests.bench.report import alternate, median_of
from tests.bench.servers import Bench
from tests.support.harness import sample_policy
from tests.support.processes import Process, accepts, free_port, program, wait_for

CONNECTIONS = 16
DELAY_S = 1
PHASES = {"first try": "defer", "retry": "pass", "known": "pass"}
POSTGREY = "/usr/sbin/postgrey"


def start_postgrey(bench, name, folder):
    """Its own database, the delay of the bench, and no client let in for its merits: that would be another verdict."""
    (folder / "db").mkdir(parents=True)
    port = free_port()
    argv = [POSTGREY, f"--inet=127.0.0.1:{port}", f"--dbdir={folder}/db", f"--delay={DELAY_S}", "--auto-whitelist-clients=0",
            f"--user={getpass.getuser()}", f"--group={grp.getgrgid(os.getgid()).gr_name}", f"--pidfile={folder}/pid", "--quiet"]
    server = bench.add(Process(name, argv, bench.folder / f"{name}.log"))
    wait_for(lambda: server.is_running() and accepts(("127.0.0.1", port)), lambda: f"postgrey to listen: {server.log()}")
    return port


def start_reeve(bench):
    """As shipped, but enforcing, with the same delay, and without SPF, of which postgrey knows nothing: a node with its embedded
    store, and reeve-policyd."""
    node = bench.node(policy=sample_policy(greylist={"mode": "enforce", "delay": f"{DELAY_S}s", "new_per_hour": 0}))
    return bench.policyd(node, spf={"evaluate": False}).port


def verdict(action):
    """What Postfix would do: both defer by DEFER_IF_PERMIT; a pass is DUNNO, or PREPEND with a header."""
    word = action.removeprefix("action=").split(" ", 1)[0].upper()
    return {"DEFER_IF_PERMIT": "defer", "DUNNO": "pass", "PREPEND": "pass"}.get(word, action)


class Client:
    """Asks one of the two; keeps its verdicts by question."""

    def __init__(self, bench, port):
        self.port = port
        self.path = bench.folder / f"answers-{port}"
        self.verdicts = {}

    def ask(self, phase, first, count):
        argv = [program("bench/policy"), str(self.port), str(CONNECTIONS), str(first), str(count), str(self.path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        for number, action in enumerate(self.path.read_text().splitlines(), first):
            self.verdicts[phase, number] = verdict(action)
        return json.loads(done.stdout)


def measure(clients, rounds, count):
    """The results of each phase and client, by round. Every question goes through its phases in order; between the first tries and
    the retries the delay passes."""
    results = {}
    for phase in PHASES:
        numbers = {name: iter(range(0, rounds * count, count)) for name in clients}
        runners = {name: lambda at=client, its=numbers[name], now=phase: at.ask(now, next(its), count)
                   for name, client in clients.items()}
        results[phase] = alternate(rounds, runners)
        if phase == "first try":
            time.sleep(DELAY_S + 1)  # the delay itself is what is waited for
    return results


def add(report, results):
    for phase, got in results.items():
        ours, its, memory = got["reeve"], got["postgrey"], got["postgrey in memory"]
        report.add(f"reeve-policyd, {phase}, {CONNECTIONS} connections",
                   median_of(lambda one, other: one["per_second"] / other["per_second"], ours, its), "of postgrey's rate", ">= 10")
        report.add("... postgrey's database in memory",
                   median_of(lambda one, other: one["per_second"] / other["per_second"], ours, memory), "of postgrey's rate")
        report.add(f"its p99, {phase}", median_of(lambda one, other: one["p99"] / other["p50"], ours, its),
                   "of postgrey's p50", "<= 1")
    for phase, got in results.items():
        for name, each in got.items():
            report.add(f"{name}, {phase}", median_of(lambda one: one["per_second"], each), "requests/s", None,
                       f"p50 {median_of(lambda one: one['p50'], each):g} us, p99 {median_of(lambda one: one['p99'], each):g} us")


def run(report, options):
    if shutil.which(POSTGREY) is None:
        report.skip("postgrey is not installed: scripts/install-deps bench")
        return
    rounds, count = (1, 32) if options.quick else (9, 600)
    bench = Bench()
    try:
        with tempfile.TemporaryDirectory(prefix="reeve-bench-", dir="/dev/shm", ignore_cleanup_errors=True) as memory:
            clients = {"postgrey": Client(bench, start_postgrey(bench, "postgrey", bench.folder / "postgrey")),
                       "postgrey in memory": Client(bench, start_postgrey(bench, "postgrey-2", pathlib.Path(memory))),
                       "reeve": Client(bench, start_reeve(bench))}
            results = measure(clients, rounds, count)
    finally:
        bench.close()
    expected = {each: PHASES[each[0]] for each in clients["reeve"].verdicts}
    same = sum(all(client.verdicts[each] == verdict for client in clients.values()) for each, verdict in expected.items())
    report.add("same and expected verdicts", same / len(expected), f"of {len(expected)} answers", ">= 1")
    add(report, results)
