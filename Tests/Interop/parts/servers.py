"""Starts Myelin and a real Synapse on the same configuration, database and Redis, one after the other or together."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CLUSTER = ROOT / "Deploy" / "cluster" / "cluster"


class Myelin:
    """A server of the cluster's driver; see Deploy/cluster/cluster."""

    def __init__(self, base, binaries, mode):
        self.base, self.binaries, self.mode = Path(base), binaries, mode

    def control(self, *words):
        options = ["--base", self.base, "--binaries", self.binaries, "--mode", self.mode]
        extra = ["--extra", self.extra()]
        command = list(map(str, [CLUSTER, *options, *extra, *words]))
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def extra(self):
        """The settings that both servers get beside their own: no limits, and what is behind flags."""
        file = self.base.parent / f"{self.base.name}.yaml"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((ROOT / "Tests" / "unlimited.yaml").read_text() + (ROOT / "Tests" / "Interop" / "flags.yaml").read_text())
        return file

    def query(self, query):
        """The columns of the first row that a query brings."""
        known = settings(self.base)
        command = ["psql", "-h", known["postgres_socket"], "-d", known["database"], "-Atc", query]
        if os.geteuid() == 0:
            command += ["-U", "postgres"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[0].split("|")

    @property
    def address(self):
        return self.control("address")

    @property
    def configs(self):
        return [self.base / "config" / "homeserver.yaml", self.base / "config" / "extra.yaml"]


class Synapse:
    """One process of Synapse, from the environment that runs this script."""

    def __init__(self, app, configs, log, health):
        self.app, self.configs, self.log, self.health = app, configs, Path(log), health
        self.process = None

    def start(self):
        paths = [argument for config in self.configs for argument in ("-c", str(config))]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.app, *paths], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.log.parent,
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Synapse does not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)

    def answers(self):
        try:
            with urllib.request.urlopen(self.health, timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
            self.process.wait(60)

    def errors(self):
        """Lines of the log that an administrator would worry about."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if " - ERROR - " in line or " - CRITICAL - " in line or "Traceback" in line]


def settings(base):
    return json.loads((Path(base) / "cluster.json").read_text())
