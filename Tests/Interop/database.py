#!/usr/bin/env python3
"""One database, two servers: what Myelin wrote a real Synapse goes on with, and the other way round.

usage: database.py FOLDER BINARIES          (with a Python that has matrix-synapse 1.163.2)

A chat is held on the one server; everything is stopped; the other is started with the same configuration on the same
database: old access tokens work, passwords work, rooms, members, messages, receipts, counts and account data are the same, the
sync token goes on where it was, and new messages can be sent. Then back again. Both beginnings are tried.
"""

import secrets
import sys
from pathlib import Path
from urllib.parse import quote

from parts.checks import Checks
from parts.person import Person, Refused
from parts.servers import Myelin, Synapse, settings


def chat(base):
    """Two people, two rooms, and a bit of everything; answers the people and the room they share."""
    suffix = secrets.token_hex(4)
    alice, bob = Person(base, f"alice{suffix}").register(), Person(base, f"bob{suffix}").register()
    alice.call("PUT", f"profile/{quote(alice.user)}/displayname", {"displayname": "Alice"})
    room = alice.call("POST", "createRoom", {"name": "Tea", "topic": "Two o'clock", "invite": [bob.user]})["room_id"]
    bob.call("POST", f"join/{quote(room)}", {})
    for turn in range(10):
        last = (alice if turn % 2 else bob).say(room, f"message {turn}")
    slip = alice.say(room, "a slip")
    alice.call("PUT", f"rooms/{quote(room)}/redact/{quote(slip)}/r1", {"reason": "slip"})
    alice.call("PUT", f"rooms/{quote(room)}/state/org.example.thing/key", {"value": 7})
    reply = {"msgtype": "m.text", "body": "hm", "m.relates_to": {"m.in_reply_to": {"event_id": last}}}
    bob.call("PUT", f"rooms/{quote(room)}/send/m.room.message/reply", reply)
    bob.call("POST", f"rooms/{quote(room)}/receipt/m.read/{quote(last)}", {})
    bob.call("POST", f"rooms/{quote(room)}/read_markers", {"m.fully_read": last})
    alice.call("PUT", f"user/{quote(alice.user)}/account_data/org.example.data", {"colour": "blue"})
    bob.call("PUT", f"user/{quote(bob.user)}/rooms/{quote(room)}/account_data/org.example.data", {"pinned": True})
    bob.call("PUT", f"user/{quote(bob.user)}/rooms/{quote(room)}/tags/m.favourite", {"order": 0.5})
    public = {"preset": "public_chat", "room_alias_name": f"square{suffix}", "room_version": "11"}
    square = bob.call("POST", "createRoom", public)["room_id"]
    alice.call("POST", f"join/{quote(f'#square{suffix}:localhost')}", {})
    alice.call("POST", f"rooms/{quote(square)}/leave", {})
    alice.call("POST", "createRoom", {"room_version": "12", "preset": "private_chat", "invite": [bob.user]})
    return alice, bob, room


def hand_over(checks, what, people, room, stop, start):
    """Compares what people are told before and after, then has them go on talking."""
    before = {person.name: person.facts() for person in people}
    tokens = {person.name: person.call("GET", "sync?timeout=0")["next_batch"] for person in people}
    stop()
    start()
    for person in people:
        try:
            after = person.facts()
        except Refused as refused:
            checks.that(f"{what}: {person.name}'s old token works", False, refused)
            continue
        for key, fact in before[person.name].items():
            if key != "rooms":
                checks.same(f"{what}: {person.name}'s {key}", fact, after[key])
        checks.same(f"{what}: {person.name}'s list of rooms", sorted(before[person.name]["rooms"]), sorted(after["rooms"]))
        for shared, facts in before[person.name]["rooms"].items():
            for key, fact in facts.items():
                checks.same(f"{what}: {person.name}'s {key} of {shared}", fact, after["rooms"].get(shared, {}).get(key))
        again = person.log_in()
        checks.that(f"{what}: {person.name}'s password works", again.user == person.user)
    sent = [person.say(room, f"after {what}") for person in people]
    for person in people:
        sync = person.call("GET", f"sync?timeout=5000&since={tokens[person.name]}")
        news = [event["event_id"] for event in sync["rooms"]["join"].get(room, {}).get("timeline", {}).get("events", [])]
        checks.same(f"{what}: {person.name}'s sync goes on from the old token", sent, news)


def from_ours(checks, base, binaries):
    server = Myelin(base / "ours-first", binaries, "monolith")
    server.control("up")
    try:
        people, room = (lambda a, b, r: ([a, b], r))(*chat(server.address))
        theirs = synapse(server)
        stop_ours, start_ours = lambda: server.control("stop", "homeserver"), lambda: server.control("start", "homeserver")
        try:
            hand_over(checks, "Myelin to Synapse", people, room, stop_ours, theirs.start)
            hand_over(checks, "and back to Myelin", people, room, theirs.stop, start_ours)
        finally:
            theirs.stop()
        checks.same("Synapse logged no error on our database", [], theirs.errors())
    finally:
        server.control("down")


def from_theirs(checks, base, binaries):
    server = Myelin(base / "theirs-first", binaries, "monolith")
    server.control("services")
    theirs = synapse(server)
    try:
        theirs.start()
        people, room = (lambda a, b, r: ([a, b], r))(*chat(server.address))
        stop_ours, start_ours = lambda: server.control("stop", "homeserver"), lambda: server.control("start", "homeserver")
        hand_over(checks, "Synapse to Myelin", people, room, theirs.stop, start_ours)
        hand_over(checks, "and back to Synapse", people, room, stop_ours, theirs.start)
        checks.same("Synapse logged no error after us", [], theirs.errors())
    finally:
        theirs.stop()
        server.control("down")


def synapse(server):
    port = settings(server.base)["ports"]["homeserver"] if (server.base / "cluster.json").exists() else None
    log = server.base / "logs" / "synapse.log"
    return Synapse("synapse.app.homeserver", server.configs, log, f"http://127.0.0.1:{port}/health")


def main():
    base, binaries = Path(sys.argv[1]).resolve(), sys.argv[2]
    checks = Checks()
    from_ours(checks, base, binaries)
    from_theirs(checks, base, binaries)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
