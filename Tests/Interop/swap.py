#!/usr/bin/env python3
"""A cluster of Synapse in which single processes are exchanged for ours and back again, as Docs/swap.md describes.

usage: swap.py FOLDER BINARIES              (with a Python that has matrix-synapse 1.163.2)

The main process is Synapse's all the time. Each exchanged process has the same name, files and ports as the one before it.
"""

import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

from parts.checks import Checks
from parts.person import Person
from parts.servers import Myelin, Synapse, settings

WORKERS = ["event_persister1", "generic_worker1", "generic_worker2"]


class Mixed:
    """The processes of one cluster, each of which is Synapse's or ours."""

    def __init__(self, server):
        self.server = server
        self.ports = settings(server.base)["ports"]
        self.theirs = {name: self.process(name) for name in ["homeserver", *WORKERS]}
        # What a process logs when it is stopped (Redis goes away under its last command) is no fault.
        self.faults, self.judged = [], dict.fromkeys(self.theirs, 0)

    def process(self, name):
        app, configs = "synapse.app.homeserver", self.server.configs
        if name != "homeserver":
            app, configs = "synapse.app.generic_worker", [*configs, self.server.base / "config" / "workers" / f"{name}.yaml"]
        log = self.server.base / "logs" / f"synapse_{name}.log"
        return Synapse(app, configs, log, f"{self.address(name)}/health")

    def address(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, *names):
        threads = [threading.Thread(target=self.theirs[name].start) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self, name):
        process = self.theirs[name]
        self.faults += [f"{name}: {line}" for line in process.errors()[self.judged[name]:]]
        process.stop()
        self.judged[name] = len(process.errors())

    def exchange(self, name):
        self.stop(name)
        self.server.control("start", name)

    def take_back(self):
        for name in WORKERS:
            self.server.control("stop", name)
        self.start(*WORKERS)


def until_seen(reader, base, since, event):
    """Syncs on from a token until an event is in the answer; whether it came."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = reader.call("GET", f"sync?timeout=5000&since={since}", base=base)
        since = answer["next_batch"]
        rooms = answer.get("rooms", {}).get("join", {}).values()
        if event in [known["event_id"] for data in rooms for known in data.get("timeline", {}).get("events", [])]:
            return True
    return False


def talk(checks, when, cluster, alice, bob, room, tokens):
    """Each process that serves clients takes a message and a piece of data; every process shows them, from the token of before."""
    doors = {name: cluster.address(name) for name in ["homeserver", "generic_worker1", "generic_worker2"]}
    for number, (name, base) in enumerate(doors.items()):
        writer = Person(base, "alice")
        writer.token, writer.user = alice.token, alice.user
        event = writer.say(room, f"{when} by {name}")
        for reader, there in doors.items():
            seen = until_seen(bob, there, tokens[reader], event)
            checks.that(f"{when}: a message sent by {name} is in a sync of {reader}", seen)
        writer.call("PUT", f"user/{quote(alice.user)}/account_data/org.example.{number}", {"when": when})
        writer.call("PUT", f"rooms/{quote(room)}/state/org.example.state/{number}", {"when": when})
        made = writer.call("POST", "createRoom", {"invite": [bob.user]})["room_id"]
        bob.call("POST", f"join/{quote(made)}", {}, base=base)
    for name, base in doors.items():
        tokens[name] = bob.call("GET", "sync?timeout=1", base=base)["next_batch"]
    facts = {name: told(base, alice) for name, base in doors.items()}
    for name in doors:
        # A worker of Synapse does not serve pushers; see `Person.pushers`.
        unserved = {"pushers"} if isinstance(facts[name]["pushers"], int) else set()
        told_by = [{key: fact for key, fact in facts[door].items() if key not in unserved} for door in ("homeserver", name)]
        checks.same(f"{when}: {name} tells of alice what the main process tells", *told_by)


def told(base, person):
    other = Person(base, person.name, person.password)
    other.token, other.user = person.token, person.user
    return other.facts()


def main():
    base, binaries = Path(sys.argv[1]).resolve(), sys.argv[2]
    checks = Checks()
    server = Myelin(base, binaries, "cluster")
    server.control("services")
    cluster = Mixed(server)
    try:
        # The main process makes the database's tables.
        cluster.start("homeserver")
        cluster.start(*WORKERS)
        theirs = cluster.address("homeserver")
        alice, bob = Person(theirs, "alice").register(), Person(theirs, "bob").register()
        room = alice.call("POST", "createRoom", {"invite": [bob.user]})["room_id"]
        bob.call("POST", f"join/{quote(room)}", {})
        doors = ["homeserver", "generic_worker1", "generic_worker2"]
        tokens = {name: bob.call("GET", "sync?timeout=1", base=cluster.address(name))["next_batch"] for name in doors}
        for name in WORKERS:
            cluster.exchange(name)
            talk(checks, f"{name} is ours", cluster, alice, bob, room, tokens)
        cluster.take_back()
        talk(checks, "all theirs again", cluster, alice, bob, room, tokens)
    finally:
        for name in cluster.theirs:
            cluster.stop(name)
        server.control("down")
    checks.same("their processes logged no error", [], cluster.faults)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
