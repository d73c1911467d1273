"""The servers that benches measure, and the programs that measure them. One Site a part; it stops everything at the end."""
import json
import re
import signal
import subprocess

import yaml

from tests.support.harness import Node, Site, sample_policy
from tests.support.processes import Process, free_port, program, wait_for

DELAY = "1s"
# What a node asks a store for its own sake: greeting, clock, agreement, what the near cache must forget, who is spared.
HOUSEKEEPING = {"time", "xrange", "hscan", "info", "ping", "config", "config|get", "hello", "auth", "flushall", "command"}


class Bench(Site):
    """The servers of one part."""

    def bench_node(self, store, name="node", cache=None, kind=Node, policy_path=None):
        """A node on a store (the `store` section). cache: bytes of the near cache; 0 = off. kind: a class like Node. policy_path:
        instead of the benches' own policy set. Its deadlines are long: a machine that stalls makes a slice slow instead of
        degraded."""
        store = dict(store, deadline="2s") if cache is None else dict(store, deadline="2s", cache=cache)
        node = kind(self._folder(name), name, self.bench_policy(), store)
        config = yaml.safe_load(node.config_path.read_text())
        if policy_path is not None:
            config["policy"] = [str(policy_path)]
        config["lookups"]["budget"] = "5s"
        node.config_path.write_text(yaml.safe_dump(config))
        return self.add(node)

    def add(self, server):
        """Starts a server of any kind, to be stopped with the others."""
        return self._add(server, True)

    def close(self):
        """All at once: nothing here minds who goes first."""
        for server in self.servers:
            if server.is_running():
                server.signal(signal.SIGTERM)
        super().close()

    @staticmethod
    def bench_policy():
        policy = sample_policy(greylist={"mode": "enforce", "delay": DELAY, "new_per_hour": 0})
        policy["settings"]["tracking"] = {"sample": 0}
        return policy

    def echo(self, reply):
        """A bare ROUTER that answers with these bytes. Returns its endpoint."""
        folder = self._folder("echo")
        folder.mkdir()
        (folder / "reply").write_bytes(reply)
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        self.add(Process("echo", [program("bench/echo"), endpoint, folder / "reply"], folder / "log")).wait_log("ready")
        return endpoint


def load(endpoint, *words, **options):
    """Runs reeve-load against one endpoint; its report. options: seconds=3 is --seconds 3."""
    argv = [program("reeve-load"), "--node", endpoint, "--json", *words]
    for name, value in {"deadline": 5000, **options}.items():
        argv += [f"--{name}", str(value)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return json.loads(done.stdout)


def only(report, *reasons):
    """The report, if every lookup was answered, with these reasons alone: else something else would have been measured."""
    assert set(report["reasons"]) <= set(reasons), f"answers {report['reasons']}, expected {reasons}"
    lost = {word: report[word] for word in ("timed_out", "refused", "damaged", "degraded") if report[word]}
    assert not lost, f"lookups were lost: {lost}"
    return report


def pipeline(socket, recording, window, count):
    """Plays a recording to a Redis; lookups a second."""
    argv = [program("bench/pipeline"), socket, str(recording), str(window), str(count)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return json.loads(done.stdout)["per_second"]


def command_calls(redis):
    """Calls of each command since the server's start, without housekeeping."""
    text = redis.command("INFO", "commandstats")
    calls = {name: int(count) for name, count in re.findall(r"cmdstat_([^:]+):calls=(\d+)", text)}
    return {name: count for name, count in calls.items() if name not in HOUSEKEEPING}


def command_usec(redis):
    """usec of each command since the last CONFIG RESETSTAT, and its calls."""
    text = redis.command("INFO", "commandstats")
    return {name: (int(calls), int(usec)) for name, calls, usec in
            re.findall(r"cmdstat_([^:]+):calls=(\d+),usec=(\d+)", text)}


def fill(redis, count, identity):
    """Makes so many of reeve-load's known senders known, as a node would have left them; what was written."""
    argv = [program("bench/fill"), redis.socket, str(count), identity]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return json.loads(done.stdout)


def used_memory(redis):
    """used_memory when it has come to rest: while a table grows, the old one is there beside the new one."""
    seen = []

    def is_at_rest():
        seen.append(int(re.search(r"^used_memory:(\d+)", redis.command("INFO", "memory"), re.MULTILINE).group(1)))
        return len(seen) > 3 and max(seen[-3:]) - min(seen[-3:]) < 4096
    wait_for(is_at_rest, "Redis to need no more memory or less", seconds=60, every=.3)
    return seen[-1]
