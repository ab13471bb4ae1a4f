#!/usr/bin/env python3
"""Runs a cluster with synctl, as an administrator of Synapse does, and has systemd judge the units.

usage: administration.py FOLDER BINARIES

FOLDER is where Deploy/cluster/cluster makes PostgreSQL, Redis and the configuration; synctl does the rest.

Prints a line a check and ends with `N passed, M failed`.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLUSTER, SYNCTL, UNITS = (ROOT / "Deploy" / name for name in ("cluster/cluster", "synctl", "systemd"))
WORKERS = ["event_persister1", "generic_worker1", "generic_worker2"]


class Checks:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def that(self, name, condition, detail=""):
        self.passed, self.failed = (self.passed + 1, self.failed) if condition else (self.passed, self.failed + 1)
        print(f"  {'ok   ' if condition else 'FAIL '} {name} {'' if condition else detail}", flush=True)


class Server:
    """A configured server whose processes synctl starts and stops."""

    def __init__(self, base, binaries):
        self.base, self.binaries, self.config = base, binaries, base / "config"

    def cluster(self, *words):
        options = ["--base", self.base, "--binaries", self.binaries, "--mode", "cluster"]
        command = [CLUSTER, *options, "--extra", ROOT / "Tests" / "unlimited.yaml", *words]
        subprocess.run([*map(str, command)], check=True, capture_output=True)

    def synctl(self, action, *words):
        """Answers (exit code, output). The folder is a CONFIGFILE: its *.yaml files are merged."""
        environment = {**os.environ, "PATH": f"{self.binaries}:{os.environ['PATH']}"}
        command = [str(SYNCTL), action, str(self.config), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        return done.returncode, done.stdout + done.stderr

    def ports(self):
        return json.loads((self.base / "cluster.json").read_text())["ports"]

    def pid(self, name):
        """The process that runs under a name, by its pid file; None when there is none."""
        try:
            pid = int((self.base / "pids" / f"{name}.daemon.pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def call(self, name, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.ports()[name]}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as response:
            return json.load(response)


def start(server, checks):
    status, output = server.synctl("start")
    checks.that("synctl start starts the main process", status == 0 and server.pid("homeserver"), output)
    status, output = server.synctl("start", "-a", server.config / "workers")
    running = {name: server.pid(name) for name in WORKERS}
    checks.that("synctl start -a starts every worker", status == 0 and all(running.values()), (running, output))
    status, output = server.synctl("start")
    checks.that("what runs is left alone", status == 0 and "already running" in output, output)
    body = {"username": "a" + secrets.token_hex(4), "password": "a long password", "auth": {"type": "m.login.dummy"}}
    token = server.call("generic_worker1", "POST", "/_matrix/client/v3/register", body)["access_token"]
    room = server.call("generic_worker1", "POST", "/_matrix/client/v3/createRoom", {}, token)["room_id"]
    rooms = server.call("generic_worker2", "GET", "/_matrix/client/v3/joined_rooms", token=token)["joined_rooms"]
    checks.that("together they serve", rooms == [room], rooms)


def restart(server, checks):
    before = {name: server.pid(name) for name in ("homeserver", *WORKERS)}
    status, output = server.synctl("restart", "-w", server.config / "workers" / "generic_worker1.yaml")
    after = {name: server.pid(name) for name in before}
    changed = [name for name in before if before[name] != after[name]]
    checks.that("synctl restart -w restarts that worker alone", status == 0 and changed == ["generic_worker1"], output)
    versions = server.call("generic_worker1", "GET", "/_matrix/client/versions")
    checks.that("and it answers again", "versions" in versions, versions)
    broken = server.base / "broken.yaml"
    text = (server.config / "workers" / "generic_worker1.yaml").read_text().replace("generic_worker1", "broken")
    broken.write_text(text.replace("port: ", "port: nonsense", 1))
    status, output = server.synctl("start", "-w", broken)
    checks.that("a worker that does not start is told of", status == 1 and "nonsense" in output, output)


def arguments(server, checks):
    """A setting that shuts something and is not supported: refused, unless synctl hands on that it is accepted."""
    worker, shut = server.config / "workers" / "generic_worker1.yaml", server.base / "shut.yaml"
    server.synctl("stop", "-w", worker)
    shut.write_text(worker.read_text() + "hs_disabled: true\n")
    status, output = server.synctl("start", "-w", shut)
    checks.that("what shuts the server is not passed over", status == 1 and "hs_disabled" in output, output)
    status, output = server.synctl("start", "-w", shut, "--", "--accept-unsupported")
    checks.that("unless it is accepted by way of synctl", status == 0 and server.pid("generic_worker1"), output)
    said = (server.base / "pids" / "generic_worker1.daemon.out").read_text()
    checks.that("and then it is named", "hs_disabled: this setting" in said, said)
    server.synctl("restart", "-w", worker)


def stop(server, checks):
    status, output = server.synctl("stop", "-a", server.config / "workers")
    left = [name for name in WORKERS if server.pid(name)]
    checks.that("synctl stop -a stops every worker", status == 0 and not left, (left, output))
    checks.that("and no other process", server.pid("homeserver"))
    status, output = server.synctl("stop")
    checks.that("synctl stop stops the main process", status == 0 and not server.pid("homeserver"), output)
    logs = [path.read_text(errors="replace") for path in (server.base / "pids").glob("*.out")]
    checks.that("all say goodbye", len(logs) >= 4 and sum("Stopped" in log for log in logs) == 4, logs)


def units(server, checks):
    """systemd's own judgement, with the programs where they were built."""
    folder = server.base / "systemd"
    folder.mkdir()
    for unit in UNITS.iterdir():
        (folder / unit.name).write_text(unit.read_text().replace("=/usr/bin/", f"={server.binaries}/"))
    shutil.copy(folder / "myelin-worker@.service", folder / "myelin-worker@generic_worker1.service")
    names = ["myelin.target", "myelin.service", "myelin-worker@generic_worker1.service"]
    command = ["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True)
    # The other units that these name are the system's own; only what is said of ours counts.
    said = [line for line in done.stderr.splitlines() if "myelin" in line]
    checks.that("systemd finds no fault with the units", done.returncode == 0 and not said, done.stderr)


def main():
    server, checks = Server(Path(sys.argv[1]).resolve(), str(Path(sys.argv[2]).resolve())), Checks()
    server.cluster("services")
    try:
        units(server, checks)
        start(server, checks)
        restart(server, checks)
        arguments(server, checks)
        stop(server, checks)
    finally:
        server.synctl("stop", "-a", server.config / "workers")
        server.synctl("stop")
        server.cluster("down")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
