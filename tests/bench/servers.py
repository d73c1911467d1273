"""The servers that benches measure, and the programs that measure them. One Site a part; it stops everything at the end."""
import json
import re
import subprocess

from tests.support.harness import Site, sample_policy
from tests.support.processes import Process, free_port, program

DELAY = "1s"
# What a node asks a store for its own sake: greeting, clock, agreement.
HOUSEKEEPING = {"time", "info", "ping", "hgetall", "config", "config|get", "hello", "auth", "flushall", "command"}


class Bench(Site):
    """The servers of one part."""

    def bench_node(self, store, name="node", cache=None):
        """A node on a store (the `store` section). cache: bytes of the near cache; 0 = off."""
        policy = sample_policy(greylist={"mode": "enforce", "delay": DELAY})
        policy["settings"]["tracking"] = {"sample": 0}
        if cache is not None and self.knows_cache():
            store = dict(store, cache=cache)
        return self.node(name, policy=policy, store=store)

    def knows_cache(self):
        """True if this node has a near cache."""
        path = self.folder / "cache.yaml"
        path.write_text("store: {cache: 0}\n")
        text = subprocess.run([program("reeved"), "-c", str(path), "-t"], capture_output=True, text=True, check=False)
        return "cache" not in text.stdout + text.stderr

    def echo(self, reply):
        """A bare ROUTER that answers with these bytes. Returns its endpoint."""
        folder = self._folder("echo")
        folder.mkdir()
        (folder / "reply").write_bytes(reply)
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        server = Process("echo", [program("bench/echo"), endpoint, folder / "reply"], folder / "log")
        self._add(server, True).wait_log("ready")
        return endpoint


def load(endpoint, *words, **options):
    """Runs reeve-load against one endpoint; its report. options: seconds=3 is --seconds 3."""
    argv = [program("reeve-load"), "--node", endpoint, "--json", *words]
    for name, value in options.items():
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
