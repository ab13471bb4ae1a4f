"""Runs the load generator for one row and reads the counters of server and database at the same moments as it."""

import json
import subprocess
import threading
import time

from parts import Failure, processes


class Generator:
    def __init__(self, binary, data, log):
        self.binary, self.data, self.log = str(binary), str(data), log

    def setup(self, address, options):
        self.run("setup", "--base-url", address, "--data", self.data, *options)

    def run(self, *arguments, timeout=900):
        command = [self.binary, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def calibrate(self, connections, seconds):
        return json.loads(self.run("calibrate", "--connections", connections, "--seconds", seconds, "--warm-up", 0.5))

    def measure(self, server, arguments, timeout):
        """Runs a scenario. `server` gives counters, process ids and memory."""
        command = [self.binary, "run", "--paced", "--base-url", server.address, "--data", self.data, *map(str, arguments)]
        begun = time.monotonic()
        with open(self.log, "ab") as log:
            log.write((" ".join(command) + "\n").encode())
            log.flush()
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        # Whatever hangs, the run goes on.
        limit = threading.Timer(timeout, process.kill)
        limit.start()
        moments, report = {}, None
        try:
            for line in process.stdout:
                found = json.loads(line)
                if "phase" not in found:
                    report = found
                    continue
                moments[found["phase"]] = self.moment(server, found["phase"])
                process.stdin.write("\n")
                process.stdin.flush()
            process.wait()
        finally:
            limit.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
        if not report:
            why = "took too long" if time.monotonic() - begun >= timeout else f"see {self.log}"
            raise Failure(f"{server.title}: the scenario gave no result ({why})")
        return self.joined(report, moments)

    @staticmethod
    def moment(server, phase):
        if phase == "measuring":
            processes.forget_peaks(server.pids)
            return {**server.counters(), "rss": server.memory(), "at": time.monotonic()}
        return {
            **server.counters(), "rss": server.memory(), "peak": server.memory("VmHWM"), "at": time.monotonic(),
        }

    @staticmethod
    def joined(report, moments):
        """Adds what server and database spent to the generator's report."""
        before, after = moments.get("measuring"), moments.get("measured")
        if not before or not after:
            return report
        requests = max(1, report["requests"])
        spent = {name: after[name] - before[name] for name in before if name in after}
        # The load goes on while the counters are read: scale to the window that was counted.
        scale = min(1.0, report["seconds"] / spent["at"]) if report["mode"] == "closed" else 1.0
        report["server_cpu_ms"] = spent["server_cpu"] * 1000 / requests * scale
        # In an open-loop round what is answered late is answered behind its window.
        report["reached_per_second"] = report["requests"] / max(report["seconds"], spent["at"])
        report["server_cpu_share"] = spent["server_cpu"] / spent["at"]
        report["postgres_cpu_ms"] = spent["cpu"] * 1000 / requests * scale
        report["queries"] = spent["queries"] / requests * scale
        report["wal_bytes"] = spent["wal_bytes"] / requests * scale
        report["flushes"] = spent["flushes"] / requests * scale
        report["rss_mb"], report["rss_before_mb"], report["peak_mb"] = after["rss"], before["rss"], after["peak"]
        return report
