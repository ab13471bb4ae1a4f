#!/usr/bin/env python3
"""Connections of sliding sync that begin on Myelin go on at a real Synapse on the same database, and back.

usage: sliding.py FOLDER BINARIES           (with a Python that has matrix-synapse 1.163.2)

Every hand-over happens while rooms are behind, members are loaded lazily, and account data and receipts are withheld: the server
that takes over must send just what is missing.
"""

import json
import secrets
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

from parts.checks import Checks
from parts.person import Person
from parts.servers import Myelin, Synapse, settings

PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
EVERYTHING = {name: {"enabled": True} for name in ("to_device", "e2ee", "account_data", "receipts", "typing")}
LAZY = [["m.room.member", "$LAZY"], ["m.room.create", ""], ["m.room.topic", ""]]


def slide(person, body, pos=None):
    """Answers a sliding sync, or the error's code."""
    url = f"{person.base}{PATH}?timeout=0" + (f"&pos={quote(pos)}" if pos else "")
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {person.token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return {"errcode": json.load(error)["errcode"], "rooms": {}, "pos": "", "extensions": {}}


def listing(last=99, state=LAZY):
    wanted = {"ranges": [[0, last]], "timeline_limit": 2, "required_state": state}
    return {"lists": {"all": wanted}, "extensions": EVERYTHING, "conn_id": "moving"}


def told(room):
    """What an answer says of a room, without what each server may do its own way."""
    state = sorted((event["type"], event["state_key"]) for event in room.get("required_state", []))
    timeline = [event["event_id"] for event in room.get("timeline", [])]
    return {"initial": room.get("initial", False), "state": state, "timeline": timeline, "limited": room.get("limited")}


def happen(alice, bob, carol, near, far):
    """Things for bob's client to hear of: news in the room that it looks at, and in the one that it does not."""
    mark = secrets.token_hex(4)
    missed = alice.say(far, f"far {mark}")
    alice.call("POST", f"rooms/{quote(far)}/receipt/m.read/{quote(missed)}", {})
    bob.call("PUT", f"user/{quote(bob.user)}/rooms/{quote(far)}/account_data/org.example", {"mark": mark})
    seen = [alice.say(near, f"near {mark}")]
    return missed, seen, mark


def hand_over(checks, what, people, rooms, pos, exchange):
    """Lets one room fall behind, exchanges the server, and looks at both; answers the token."""
    alice, bob, carol = people
    near, far = rooms
    missed, seen, mark = happen(alice, bob, carol, near, far)
    behind = slide(bob, listing(0), pos)
    checks.same(f"{what}: the near room has news", [(near, seen)], [(room, told(data)["timeline"]) for room, data in behind["rooms"].items()])
    exchange()
    after = slide(bob, listing(99), behind["pos"])
    expected = {far: {"initial": False, "state": [], "timeline": [missed], "limited": False}}
    checks.same(f"{what}: the far room comes with what it missed, and nothing else does", expected, {room: told(data) for room, data in after["rooms"].items()})
    extensions = after["extensions"]
    data = {room: {item["type"]: item["content"] for item in items} for room, items in extensions.get("account_data", {}).get("rooms", {}).items()}
    checks.same(f"{what}: with its account data", {far: {"org.example": {"mark": mark}}}, data)
    receipts = extensions.get("receipts", {}).get("rooms", {})
    checks.same(f"{what}: with its receipt", [[far, [missed]]], [[room, list(event["content"])] for room, event in receipts.items()])
    # Alice's membership is known to the client, Carol's is not.
    first = carol.say(near, "carol here")
    spoken = slide(bob, listing(99), after["pos"])
    checks.same(f"{what}: a member is sent once", [("m.room.member", carol.user)] if what.endswith("first") else [], told(spoken["rooms"].get(near, {}))["state"])
    checks.same(f"{what}: with the message", [first], told(spoken["rooms"].get(near, {}))["timeline"])
    more = slide(bob, listing(99, [*LAZY, ["m.room.power_levels", ""]]), spoken["pos"])
    checks.same(f"{what}: more state is sent", {near: [("m.room.power_levels", "")], far: [("m.room.power_levels", "")]}, {room: told(data)["state"] for room, data in more["rooms"].items()})
    again = slide(bob, listing(99), more["pos"])
    checks.same(f"{what}: and not twice", {}, slide(bob, listing(99, [*LAZY, ["m.room.power_levels", ""]]), again["pos"])["rooms"])
    alice.call("PUT", f"rooms/{quote(near)}/state/m.room.power_levels/", {"users": {alice.user: 100}, "org.example": mark})
    alice.call("PUT", f"rooms/{quote(far)}/state/m.room.power_levels/", {"users": {alice.user: 100}, "org.example": mark})
    alice.say(near, "the newest")
    return slide(bob, listing(99), again["pos"])["pos"]


def begin(server):
    base, suffix = server.address, secrets.token_hex(4)
    people = [Person(base, f"{name}{suffix}").register() for name in ("alice", "bob", "carol")]
    alice, bob, carol = people
    rooms = [alice.call("POST", "createRoom", {"preset": "public_chat", "topic": "Tea", "room_version": "11"})["room_id"] for _ in range(2)]
    for person in (bob, carol):
        for room in rooms:
            person.call("POST", f"join/{quote(room)}", {})
    far, near = rooms
    alice.say(far, "first")
    for number in range(3):
        alice.say(near, f"first {number}")
    return people, (near, far)


def main():
    base, binaries = Path(sys.argv[1]).resolve(), sys.argv[2]
    checks = Checks()
    server = Myelin(base, binaries, "monolith")
    server.control("up")
    port = settings(server.base)["ports"]["homeserver"]
    theirs = Synapse("synapse.app.homeserver", server.configs, server.base / "logs" / "synapse.log", f"http://127.0.0.1:{port}/health")
    try:
        people, rooms = begin(server)
        first = slide(people[1], listing(99))
        checks.same("the connection begins", sorted(rooms), sorted(first["rooms"]))

        def to_theirs():
            server.control("stop", "homeserver")
            theirs.start()

        def to_ours():
            theirs.stop()
            server.control("start", "homeserver")

        def to_itself():
            server.control("stop", "homeserver")
            server.control("start", "homeserver")

        pos = hand_over(checks, "ours to theirs, first", people, rooms, first["pos"], to_theirs)
        pos = hand_over(checks, "theirs to ours", people, rooms, pos, to_ours)
        pos = hand_over(checks, "ours to ours", people, rooms, pos, to_itself)
        hand_over(checks, "ours to theirs", people, rooms, pos, to_theirs)
        anew = slide(people[1], listing(99))
        to_ours()
        checks.same("a connection that begins on theirs goes on at ours", {}, slide(people[1], listing(99), anew["pos"])["rooms"])
        checks.same("Synapse logged no error", [], theirs.errors())
    finally:
        theirs.stop()
        server.control("down")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
