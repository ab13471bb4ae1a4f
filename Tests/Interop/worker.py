#!/usr/bin/env python3
"""A generic worker of Synapse joins a running cluster of ours, in which each stream has a writer of its own; it serves what
we write, and writes through us.

usage: worker.py FOLDER BINARIES            (with a Python that has matrix-synapse 1.163.2)
"""

import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

from parts import keys
from parts.checks import Checks
from parts.person import Person
from parts.servers import Myelin, Synapse


def join_worker(server):
    """Writes a worker file as Synapse's documentation has it and starts the worker beside ours."""
    port = server.control("free-port")
    config = server.base / "config" / "synapse_worker1.yaml"
    config.write_text(
        f"""worker_app: synapse.app.generic_worker
worker_name: synapse_worker1
worker_listeners:
  - type: http
    port: {port}
    bind_addresses: ['127.0.0.1']
    resources:
      - names: [client, health]
"""
    )
    log = server.base / "logs" / "synapse_worker1.log"
    address = f"http://127.0.0.1:{port}"
    worker = Synapse("synapse.app.generic_worker", [*server.configs, config], log, f"{address}/health")
    worker.start()
    return worker, address


def events_of(answer, room):
    return answer["rooms"].get("join", {}).get(room, {}).get("timeline", {}).get("events", []) if "rooms" in answer else []


def delay(reader, reader_base, writer, room, text):
    """Sends while a sync waits on another process; answers the seconds until the sync shows it, or None."""
    since = reader.call("GET", "sync?timeout=0", base=reader_base)["next_batch"]
    seen = {}

    def follow():
        token = since
        while "at" not in seen and time.monotonic() < deadline:
            answer = reader.call("GET", f"sync?timeout=10000&since={token}", base=reader_base)
            token = answer["next_batch"]
            if any(event["content"].get("body") == text for event in events_of(answer, room)):
                seen["at"] = time.monotonic()

    deadline = time.monotonic() + 20
    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    writer.say(room, text)
    thread.join(30)
    return seen["at"] - start if "at" in seen else None


def writes_through_theirs(checks, alice, bob, room, theirs):
    """Writes whose handlers on their worker hand over to our processes; what came of them is asked of ours."""
    state = f"rooms/{quote(room)}/state/m.room.name/"
    alice.call("PUT", state, {"name": "Tea"}, base=theirs)
    checks.same("a room's name set through theirs", "Tea", alice.call("GET", state)["name"])
    made = alice.call("POST", "createRoom", {"name": "Made there", "invite": [bob.user]}, base=theirs)["room_id"]
    bob.call("POST", f"join/{quote(made)}", {}, base=theirs)
    members = sorted(alice.call("GET", f"rooms/{quote(made)}/joined_members")["joined"])
    checks.same("a room made and joined through theirs", [alice.user, bob.user], members)
    last = alice.say(made, "hello")
    bob.call("POST", f"rooms/{quote(made)}/read_markers", {"m.fully_read": last}, base=theirs)
    facts = bob.facts()["rooms"][made]
    checks.same("the marker set through theirs", {"event_id": last}, facts["account data"].get("m.fully_read"))
    path = f"user/{quote(bob.user)}/rooms/{quote(made)}/tags/m.favourite"
    bob.call("PUT", path, {"order": 0.25}, base=theirs)
    tags = bob.call("GET", path.rsplit("/", 1)[0])["tags"]
    checks.same("a tag set through theirs", {"m.favourite": {"order": 0.25}}, tags)


def memberships_through_theirs(checks, alice, bob, theirs):
    """Every change of a membership, made on their worker and looked at on ours."""
    room = alice.call("POST", "createRoom", {})["room_id"]
    path, member = f"rooms/{quote(room)}", f"rooms/{quote(room)}/state/m.room.member/{quote(bob.user)}"
    steps = [
        ("invite", alice, {"user_id": bob.user}), ("join", bob, {}), ("leave", bob, {}),
        ("invite", alice, {"user_id": bob.user}), ("leave", bob, {}), ("invite", alice, {"user_id": bob.user}),
        ("join", bob, {}), ("kick", alice, {"user_id": bob.user, "reason": "loud"}), ("ban", alice, {"user_id": bob.user}),
        ("unban", alice, {"user_id": bob.user}),
    ]
    after = {"kick": "leave", "unban": "leave"}
    for number, (action, person, body) in enumerate(steps):
        person.call("POST", f"{path}/{action}", body, base=theirs)
        expected = after.get(action, action)
        checks.same(
            f"{action} through theirs, step {number}", expected, alice.call("GET", member)["membership"])
        lists = bob.facts()
        kind = {"invite": "invites", "leave": "left rooms", "ban": "left rooms"}.get(expected, "rooms")
        shown = [name for name in ("invites", "rooms", "left rooms") if room in lists[name]]
        checks.same(f"{action} is in bob's sync on ours, step {number}", [kind], shown)


def streams_reach_theirs(checks, alice, bob, room, theirs):
    """What only the writers of a stream take from clients; their worker hears of it by the stream alone."""
    since = alice.call("GET", "sync?timeout=0", base=theirs)["next_batch"]
    bob.call("POST", f"rooms/{quote(room)}/receipt/m.read/{quote(alice.say(room, 'read this'))}", {})
    bob.call("PUT", f"rooms/{quote(room)}/typing/{quote(bob.user)}", {"typing": True, "timeout": 20000})
    bob.call("PUT", "sendToDevice/org.example.hello/1", {"messages": {alice.user: {"*": {"a": 1}}}})
    seen, deadline = set(), time.monotonic() + 10
    expected = {"m.receipt", "m.typing", "org.example.hello"}
    while not expected <= seen and time.monotonic() < deadline:
        answer = alice.call("GET", f"sync?timeout=1000&since={since}", base=theirs)
        since = answer["next_batch"]
        there = answer.get("rooms", {}).get("join", {}).get(room, {}).get("ephemeral", {}).get("events", [])
        seen |= {event["type"] for event in [*there, *answer.get("to_device", {}).get("events", [])]}
    checks.that("their worker shows our receipts, typing and messages to devices", expected <= seen, seen)
    # Their worker has read the old name just now: our invalidation must have reached its cache.
    path = f"profile/{quote(alice.user)}/displayname"
    alice.call("GET", path, base=theirs)
    alice.call("PUT", path, {"displayname": "Alice anew"})
    time.sleep(0.5)
    checks.same("their worker shows our new display name", "Alice anew", bob.call("GET", path, base=theirs)["displayname"])


def main():
    base, binaries = Path(sys.argv[1]).resolve(), sys.argv[2]
    checks = Checks()
    server = Myelin(base, binaries, "wide")
    server.control("up")
    worker = None
    try:
        ours = server.address
        alice, bob = Person(ours, "alice").register(), Person(ours, "bob").register()
        room = alice.call("POST", "createRoom", {"invite": [bob.user]})["room_id"]
        bob.call("POST", f"join/{quote(room)}", {})
        worker, theirs = join_worker(server)
        checks.same(
            "their worker knows our tokens", bob.user, bob.call("GET", "account/whoami", base=theirs)["user_id"])
        # The first messages warm their caches.
        delays = [delay(bob, theirs, alice, room, f"ours {turn}") for turn in range(8)]
        late = [seconds for seconds in delays[2:] if seconds is None or seconds > 1]
        checks.that("their worker shows our messages within a second", not late, delays)
        through = Person(theirs, "alice")
        through.token, through.user = alice.token, alice.user
        delays = [delay(bob, ours, through, room, f"theirs {turn}") for turn in range(8)]
        late = [seconds for seconds in delays[2:] if seconds is None or seconds > 1]
        checks.that("our worker shows what was sent through theirs within a second", not late, delays)
        writes_through_theirs(checks, alice, bob, room, theirs)
        memberships_through_theirs(checks, alice, bob, theirs)
        streams_reach_theirs(checks, alice, bob, room, theirs)
        keys.shared(checks, alice, bob, theirs)
        alice.call("PUT", f"user/{quote(alice.user)}/account_data/org.example.x", {"a": 1})
        time.sleep(0.5)
        # One with timeout=0 was asked for before and would be answered from memory.
        answer = alice.call("GET", "sync?timeout=1", base=theirs)
        data = {event["type"]: event["content"] for event in answer["account_data"]["events"]}
        checks.same("their worker shows our account data", {"a": 1}, data.get("org.example.x"))
        in_one, in_other = alice.facts(), alice_on(theirs, alice).facts()
        checks.same("both tell alice the same of her room", in_one["rooms"], in_other["rooms"])
        alice.call("POST", "logout", {})
        time.sleep(0.5)
        try:
            alice.call("GET", "account/whoami", base=theirs)
            checks.that("a token that we ended is void on their worker", False)
        except Exception as refused:
            checks.that("a token that we ended is void on their worker", "401" in str(refused), refused)
        checks.same("their worker logged no error", [], worker.errors())
    finally:
        if worker:
            worker.stop()
        server.control("down")
    return checks.end()


def alice_on(base, alice):
    other = Person(base, alice.name)
    other.token, other.user = alice.token, alice.user
    return other


if __name__ == "__main__":
    sys.exit(main())
