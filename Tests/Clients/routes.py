#!/usr/bin/env python3
"""Proves from nginx's access log and the database which processes served a chat in a cluster.

usage: routes.py CLUSTER_FOLDER

Runs Tests/Clients/chat.py with fresh users until alice's and bob's syncs are kept on different generic workers (nginx
spreads users by a hash of their names, so that takes a few pairs), and then checks that

- each user's syncs were all served by one worker,
- sending, syncing and what only the main process does went to different processes,
- no client request reached the event persister, and yet it wrote the events of the room.
"""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LINE = re.compile(r'"(?P<method>\S+) (?P<path>\S+)" (?P<status>\d+) \d+ \S+ (?P<upstream>\S+) user=(?P<user>\S*)')


def served(log, start, names):
    """Reads the log from an offset: {user: {path kind: {process}}}."""
    kinds = {"sync": r"/sync$", "send": r"/send/|/createRoom|/state/|/join", "logout": r"/logout"}
    found = {}
    with open(log) as file:
        file.seek(start)
        for match in filter(None, map(LINE.search, file)):
            user, process = match["user"], names.get(match["upstream"], match["upstream"])
            for kind, pattern in kinds.items():
                if re.search(pattern, match["path"]):
                    found.setdefault(user, {}).setdefault(kind, set()).add(process)
    return found


def writers(settings):
    query = "SELECT DISTINCT instance_name FROM events"
    command = ["psql", "-h", settings["postgres_socket"], "-d", settings["database"], "-Atc", query]
    if os.geteuid() == 0:
        command += ["-U", "postgres"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def main():
    folder = Path(sys.argv[1]).resolve()
    settings = json.loads((folder / "cluster.json").read_text())
    names = {f"127.0.0.1:{port}": name for name, port in settings["ports"].items()}
    base, log = f"http://127.0.0.1:{settings['port']}", folder / "logs" / "nginx-access.log"
    passed = failed = 0

    def check(name, condition, detail=""):
        nonlocal passed, failed
        passed, failed = (passed + 1, failed) if condition else (passed, failed + 1)
        print(f"  {'ok   ' if condition else 'FAIL '} {name} {'' if condition else detail}", flush=True)

    for _ in range(20):
        suffix, start = secrets.token_hex(4), log.stat().st_size
        done = subprocess.run([sys.executable, HERE / "chat.py", base, suffix], capture_output=True, text=True)
        check("two people chat", done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:])
        key = lambda name: base64.b64encode(f"{name}{suffix}".encode()).decode().rstrip("=")
        routes = served(log, start, names)
        alice, bob = routes.get(key("alice"), {}), routes.get(key("bob"), {})
        if failed or alice.get("sync") != bob.get("sync"):
            break
    check("all of alice's syncs are served by one process", len(alice.get("sync", ())) == 1, alice)
    check("all of bob's syncs are served by one process", len(bob.get("sync", ())) == 1, bob)
    check("and by different ones", alice.get("sync") != bob.get("sync"), (alice, bob))
    check("workers serve sends", all("homeserver" not in who.get("send", {"homeserver"}) for who in (alice, bob)))
    check("the main process serves logout", alice.get("logout") == {"homeserver"}, alice)
    everyone = {process for who in routes.values() for group in who.values() for process in group}
    check("no client is served by the persister", "event_persister1" not in everyone, everyone)
    check("and the persister wrote every event", writers(settings) == {"event_persister1"}, writers(settings))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
