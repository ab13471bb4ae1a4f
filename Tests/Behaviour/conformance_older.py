#!/usr/bin/env python3
"""What Complement and sytest ask of threads, notifications and the old ways to sync.

Each function is named by a row of Docs/conformance.md.

usage: conformance_older.py CLUSTER_FOLDER
"""

import time
from urllib.parse import quote

from harness import V3, all_of, path

V1 = "/_matrix/client/v1"
R0 = "/_matrix/client/r0"


def ids(events):
    return [event["event_id"] for event in events]


def until(condition, seconds=15):
    """What a condition answers once it is true, or at last."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def threads(server, checks):
    alice = server.register()
    room = alice.create_room()
    relates = lambda event: {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": event}}
    roots = [alice.say(room, f"root {number}") for number in range(2)]
    for root in roots:
        alice.send(room, relates(root))
    ask = lambda query="": alice.ok("GET", f"{V1}/rooms/{quote(room)}/threads{query}")
    checks.equal("threads, the last to be written in first", ids(ask()["chunk"]), roots[::-1])
    last = alice.send(room, relates(roots[0]))
    found = ask()["chunk"]
    checks.equal("a reply brings one to the front", ids(found), roots)
    bundle = found[0]["unsigned"]["m.relations"]["m.thread"]
    checks.equal("with its summary", (bundle["count"], bundle["latest_event"]["event_id"], bundle["current_user_participated"]), (2, last, True))
    page = ask("?limit=1")
    checks.equal("pages", ids(page["chunk"]) + ids(ask(f"?limit=1&from={page['next_batch']}")["chunk"]), roots)


def notifications(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    sent = [alice.say(room, f"{number}") for number in range(3)]
    ask = lambda query="": bob.ok("GET", path("notifications") + query)
    found = until(lambda: [each for each in ask()["notifications"] if each["event"]["event_id"] == sent[-1]] and ask())
    events = [each["event"]["event_id"] for each in found["notifications"]]
    checks.equal("what notifies is listed, the newest first", events[:3], sent[::-1])
    checks.that("with its room, time, actions", all({"room_id", "ts", "actions", "read", "event"} <= set(each) for each in found["notifications"]), found)
    page = ask("?limit=1")
    checks.equal("in pages", [each["event"]["event_id"] for each in ask(f"?limit=1&from={page['next_token']}")["notifications"]], [sent[1]])
    bob.ok("POST", path("rooms", room, "receipt", "m.read", sent[-1]))
    checks.that("then they are read", all(each["read"] for each in ask()["notifications"] if each["room_id"] == room))


def old_sync(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat", name="N")
    alice.ok("PUT", path("user", alice.user, "rooms", room, "tags", "u.tag"), {})
    alice.ok("PUT", path("user", alice.user, "account_data", "my.type"), {"a": 1})
    event = alice.say(room, "old")
    alice.ok("POST", path("rooms", room, "receipt", "m.read", event))
    alice.ok("PUT", path("presence", alice.user, "status"), {"presence": "online"})
    whole = alice.ok("GET", V3 + "/initialSync")
    part = [each for each in whole["rooms"] if each["room_id"] == room][0]
    checks.equal("a room of the whole", part["membership"], "join")
    checks.that("with messages and state", event in ids(part["messages"]["chunk"]) and "m.room.name" in {e["type"] for e in part["state"]}, part)
    checks.that("presence, receipts, account data", whole["presence"] and "my.type" in str(whole["account_data"]) and "receipts" in whole and "u.tag" in str(part), whole)
    none = alice.ok("GET", V3 + "/initialSync?limit=0")
    checks.equal("no messages on demand", [each["messages"]["chunk"] for each in none["rooms"]], [[]])
    one = alice.ok("GET", path("rooms", room, "initialSync"))
    checks.that("a room alone", one["room_id"] == room and event in ids(one["messages"]["chunk"]) and one["membership"] == "join" and one["presence"], one)
    checks.equal("without messages", alice.ok("GET", path("rooms", room, "initialSync") + "?limit=0")["messages"]["chunk"], [])
    checks.equal("not for strangers", bob.get(path("rooms", room, "initialSync")).status, 403)
    first = alice.ok("GET", f"{R0}/events?timeout=0")
    checks.that("a stream begins", first["start"] and first["end"], first)
    later = alice.say(room, "later")
    found = until(lambda: later in str(alice.ok("GET", f"{R0}/events?timeout=0&from={whole['end']}")))
    checks.that("and goes on", found)
    for query in ("limit=hello", "timeout=hello"):
        checks.equal(f"{query} is none", alice.get(f"{R0}/events?{query}").status, 400)
    checks.equal("nor for a beginning", alice.get(f"{R0}/initialSync?limit=hello").status, 400)
    old_departed(server, checks, alice, bob, room)


def old_departed(server, checks, alice, bob, room):
    bob.join(room)
    seen = alice.say(room, "seen")
    bob.leave(room)
    alice.say(room, "unseen")
    whole = bob.ok("GET", V3 + "/initialSync?archived=true")
    checks.equal("a room that one has left", [each["membership"] for each in whole["rooms"] if each["room_id"] == room], ["leave"])
    one = bob.ok("GET", path("rooms", room, "initialSync"))
    checks.that("alone, as it was then", one["membership"] == "leave" and seen in ids(one["messages"]["chunk"]) and "unseen" not in str(one), one)


if __name__ == "__main__":
    all_of(threads, notifications, old_sync)
