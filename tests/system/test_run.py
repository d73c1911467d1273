"""scripts/run: the two commands of a first user, and what a second look, a wrong word or a taken port gets."""
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from tests.support import harness

RUN = harness.TOP / "scripts" / "run"


def is_running(name, pid):
    """A process of that name, that has not ended. A pid file may name anybody's."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            head, rest = stat.read().rsplit(")", 1)
    except OSError:
        return False
    return head.split("(", 1)[1] == name and rest.split()[0] != "Z"


class Pair:
    """A runtime folder and what scripts/run does there."""

    def __init__(self, folder):
        self.folder = folder
        self.base = harness.free_ports(3)

    def run(self, *words, **environment):
        values = dict(os.environ, BUILD=str(harness.BUILD), REEVE_RUN_DIR=str(self.folder), REEVE_PORT_BASE=str(self.base))
        values.update(environment)
        return subprocess.run([RUN, *words], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
                              cwd=self.folder, env=values)

    def start(self):
        result = self.run()
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def pids(self):
        return {name: int((self.folder / f"{name}.pid").read_text()) for name in ("reeved", "reeve-policyd")}

    def end(self):
        """As `stop` does, but a node that is told twice waits for nobody."""
        for path in sorted(self.folder.glob("*.pid")):  # reeve-policyd first, which asks the node
            pid = int(path.read_text())
            for _ in range(2):
                if is_running(path.stem, pid):
                    os.kill(pid, signal.SIGTERM)
                    time.sleep(0.03)
            harness.wait_for(lambda name=path.stem, pid=pid: not is_running(name, pid), f"{path.stem} to end")

    def ask(self, **attributes):
        with harness.PolicyClient(("127.0.0.1", self.base + 2)) as client:
            return client.ask(**attributes)


@pytest.fixture
def pair(tmp_path):
    one = Pair(tmp_path)
    yield one
    one.end()


def test_first_start_shows_a_first_lookup(pair):
    said = pair.start()
    assert "greylist would decide (in shadow)" in said
    assert "< action=DUNNO" in said
    assert f"check_policy_service inet:127.0.0.1:{pair.base + 2}" in said
    assert "access_map_defer_code = 451" in said
    assert len(said.splitlines()) < 60
    assert pair.run("status").returncode == 0
    assert pair.ask() == "DUNNO"


def test_second_start_finds_the_running_pair(pair):
    pair.start()
    before = pair.pids()
    said = pair.start()
    assert "restarting" not in said
    assert "< action=DUNNO" in said
    assert pair.pids() == before


def test_printed_way_to_enforce_enforces(pair):
    said = pair.start()
    (change,) = re.findall(r"^ +(sed -i .*)$", said, re.MULTILINE)
    (reload,) = re.findall(r"^ +(kill -HUP \d+)$", said, re.MULTILINE)
    subprocess.run(f"{change}\n{reload}", shell=True, check=True, timeout=10)
    answer = harness.wait_for(lambda: (said := pair.ask(instance="a.1")) != "DUNNO" and said, "the new policy to hold")
    assert answer.startswith("DEFER_IF_PERMIT ") or answer.startswith("defer_if_permit ")
    assert "< action=" in pair.start(), "a policy of the postmaster's is kept by the next start"
    assert pair.ask(instance="a.2") != "DUNNO"


def test_changed_setting_restarts_what_reads_it(pair):
    pair.start()
    before = pair.pids()
    (pair.folder / "reeve-policyd.yaml").write_text("prepend: true\n")  # what the sample says comes back
    said = pair.start()
    assert "reeve-policyd has changed; restarting it" in said
    after = pair.pids()
    assert after["reeved"] == before["reeved"]
    assert after["reeve-policyd"] != before["reeve-policyd"]


def test_killed_node_is_started_again(pair):
    pair.start()
    before = pair.pids()
    os.kill(before["reeved"], signal.SIGKILL)
    harness.wait_for(lambda: pair.run("status").returncode == 1, "the node to be gone")
    pair.start()
    assert pair.pids()["reeve-policyd"] == before["reeve-policyd"]
    assert pair.run("status").returncode == 0


def test_stop_stops_both(pair):
    pair.start()
    result = pair.run("stop")
    assert result.returncode == 0
    assert result.stdout.splitlines() == ["run: reeve-policyd stopped", "run: reeved stopped"]
    status = pair.run("status")
    assert status.returncode == 1
    assert status.stdout.splitlines() == ["run: reeved does not run", "run: reeve-policyd does not run"]


def test_stop_of_nothing_is_no_error(pair):
    assert pair.run("stop").returncode == 0


def test_old_pid_file_names_somebody_else(pair):
    """After a reboot the number may be anybody's: here it is this test's."""
    (pair.folder / "reeved.pid").write_text(f"{os.getpid()}\n")
    pair.start()
    assert pair.pids()["reeved"] != os.getpid()


@pytest.mark.parametrize("step, program", [(0, "reeved"), (1, "reeved"), (2, "reeve-policyd")])
def test_port_of_somebody_else(pair, step, program):
    with socket.socket() as other:
        other.bind(("127.0.0.1", pair.base + step))
        other.listen()
        result = pair.run()
    assert result.returncode == 1
    assert f"port {pair.base + step}, which {program} needs, is taken" in result.stderr
    assert "REEVE_PORT_BASE=" in result.stderr


@pytest.mark.parametrize("base", ["abc", "0", "-1", "65534", "99999", "7170 ", "1e3"])
def test_port_base_that_is_none(pair, base):
    result = pair.run(REEVE_PORT_BASE=base)
    assert result.returncode == 1
    assert "REEVE_PORT_BASE must be a port number" in result.stderr
    assert result.stdout == ""


def test_unknown_command(pair):
    result = pair.run("begin")
    assert result.returncode == 1
    assert '"begin"' in result.stderr and "start" in result.stderr


def test_folder_that_cannot_be(pair):
    result = pair.run(REEVE_RUN_DIR="/proc/nowhere")
    assert result.returncode == 1
    assert "REEVE_RUN_DIR" in result.stderr


def test_relative_folder_is_the_callers(pair):
    result = pair.run("status", REEVE_RUN_DIR="somewhere")
    assert result.returncode == 1
    assert pair.run(REEVE_RUN_DIR=".").returncode == 0
    assert (pair.folder / "reeved.pid").exists()
