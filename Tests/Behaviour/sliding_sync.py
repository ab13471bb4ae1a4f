#!/usr/bin/env python3
"""Sliding sync as a client follows it: windows that grow, news, every filter and extension, a connection that goes on elsewhere.

usage: sliding_sync.py CLUSTER_FOLDER
"""

import sys
import threading
import time
from urllib.parse import quote

from harness import Checks, Server, path

PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
EVERYTHING = {name: {"enabled": True} for name in ("to_device", "e2ee", "account_data", "receipts", "typing")}
LAZY = [["m.room.member", "$LAZY"], ["m.room.member", "$ME"], ["m.room.create", ""], ["m.room.name", ""]]


def listing(last=99, limit=3, state=(), filters=None, extensions=None, first=0, **more):
    wanted = {"ranges": [[first, last]], "timeline_limit": limit, "required_state": list(state), "filters": filters or {}}
    return {"lists": {"all": wanted}, "extensions": extensions or {}, **more}


def ask(user, body, pos=None, timeout=0, **query):
    words = "".join(f"&{name}={quote(str(value), safe='')}" for name, value in query.items())
    return user.post(f"{PATH}?timeout={timeout}{words}" + (f"&pos={quote(pos, safe='')}" if pos else ""), body)


def slide(user, body, pos=None, timeout=0, **query):
    answer = ask(user, body, pos, timeout, **query)
    assert answer.status == 200, answer
    return answer.json


def slide_until(user, body, condition, pos=None, seconds=15):
    """Syncs on until an answer meets a condition; answers it, or the last one. A client that is answered by one process may be ahead of another."""
    deadline = time.monotonic() + seconds
    while True:
        answer = slide(user, body, pos, timeout=1000 if pos else 0)
        if condition(answer) or time.monotonic() > deadline:
            return answer
        pos = answer["pos"] if pos else None


def bodies(answer, room):
    timeline = answer["rooms"].get(room, {}).get("timeline", [])
    return [event["content"].get("body") for event in timeline if event["type"] == "m.room.message"]


def listed(answer):
    return answer["lists"]["all"]["ops"][0]["room_ids"]


def is_offered(server, checks):
    features = server.anonymous().ok("GET", "/_matrix/client/versions")["unstable_features"]
    checks.equal("clients are told of it", features.get("org.matrix.simplified_msc3575"), True)
    checks.equal("nobody without a token", ask(server.anonymous(), listing()).status, 401)


def follows(server, checks):
    """As Element X does: a small window that grows, a room that is opened, news, away for a while, back."""
    alice, bob = server.register(), server.register()
    rooms = []
    for number in range(12):
        room = alice.create_room(preset="public_chat", name=f"Room {number}")
        bob.join(room)
        alice.say(room, f"in {number}")
        rooms.append(room)
    newest = list(reversed(rooms))
    body = lambda last, **more: listing(last, 1, LAZY, extensions=EVERYTHING, **more)
    first = slide_until(bob, body(3), lambda a: listed(a) == newest[:4])
    checks.equal("the newest four", listed(first), newest[:4])
    checks.equal("of twelve", first["lists"]["all"]["count"], 12)
    checks.equal("come whole", sorted(first["rooms"]), sorted(newest[:4]))
    checks.that("with a name", all(first["rooms"][room]["name"] == f"Room {rooms.index(room)}" for room in newest[:4]))
    second = slide(bob, body(7), first["pos"])
    checks.equal("then the next four", sorted(second["rooms"]), sorted(newest[4:8]))
    third = slide(bob, body(99), second["pos"])
    checks.equal("then the rest", sorted(third["rooms"]), sorted(newest[8:]))
    opened = {newest[5]: {"timeline_limit": 20, "required_state": [["*", "*"]]}}
    fourth = slide(bob, body(99, room_subscriptions=opened), third["pos"])
    checks.equal("an opened room comes with more", list(fourth["rooms"]), [newest[5]])
    room = fourth["rooms"][newest[5]]
    checks.equal("of its timeline", room.get("unstable_expanded_timeline"), True)
    types = {event["type"] for event in room["timeline"]}
    checks.that("all of it", {"m.room.create", "m.room.message"} <= types, types)
    checks.that("and of its state", "m.room.power_levels" in {event["type"] for event in room["required_state"]})

    result = {}

    def wait():
        result["answer"] = slide(bob, body(99), fourth["pos"], timeout=20000)

    waiting = threading.Thread(target=wait)
    waiting.start()
    alice.say(newest[7], "news")
    waiting.join()
    checks.equal("news wakes the client", bodies(result["answer"], newest[7]), ["news"])
    checks.equal("and brings its room to the top", listed(result["answer"])[0], newest[7])
    last = result["answer"]
    for text in ("a", "b", "c"):
        alice.say(newest[2], text)
    alice.say(newest[9], "also")
    back = slide_until(bob, body(3), lambda a: newest[9] in a["rooms"], last["pos"])
    checks.equal("after a while away the newest come first", listed(back)[:2], [newest[9], newest[2]])
    checks.that("with a gap", back["rooms"].get(newest[2], {}).get("limited") in (True, None), back["rooms"].get(newest[2]))
    checks.equal("the same request gets the same answer", sorted(slide(bob, body(3), last["pos"])["rooms"]), sorted(back["rooms"]) if set(back["rooms"]) >= {newest[2]} else sorted({newest[2], newest[9]}))
    gone = ask(bob, body(3), f"999999999/{back['pos'].split('/')[1]}")
    checks.equal("an unknown position", (gone.status, gone.errcode), (400, "M_UNKNOWN_POS"))
    own = {room: data["timeline"]["events"] for room, data in bob.sync()["rooms"]["join"].items()}
    anew = slide(bob, listing(99, 50, [["*", "*"]]))
    checks.equal("begun anew it tells the same rooms as /sync", sorted(anew["rooms"]), sorted(own))
    for room, events in own.items():
        told = [event["event_id"] for event in anew["rooms"][room]["timeline"]]
        checks.equal("and the same events", told[-len(events):], [event["event_id"] for event in events])


def filters(server, checks):
    alice, bob = server.register(), server.register()
    plain = alice.create_room(preset="public_chat", name="Plain")
    secret = alice.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])
    space = alice.create_room(preset="public_chat", creation_content={"type": "m.space"}, name="Space")
    for room in (plain, secret, space):
        bob.join(room)
    alice.state(space, "m.space.child", {"via": [server.name]}, secret)
    invited = alice.create_room(name="Invited", invite=[bob.user])
    data = path("user", bob.user)
    bob.ok("PUT", f"{data}/account_data/m.direct", {alice.user: [plain]})
    bob.ok("PUT", f"{data}/rooms/{quote(secret)}/tags/m.favourite", {"order": 0.5})
    everything = slide_until(bob, listing(), lambda a: a["lists"]["all"]["count"] == 4)
    checks.equal("all rooms", set(listed(everything)), {plain, secret, space, invited})
    for name, filter, wanted in (
        ("direct", {"is_dm": True}, {plain}), ("not direct", {"is_dm": False}, {secret, space, invited}),
        ("encrypted", {"is_encrypted": True}, {secret}), ("not encrypted", {"is_encrypted": False}, {plain, space, invited}),
        ("invitations", {"is_invite": True}, {invited}), ("no invitations", {"is_invite": False}, {plain, secret, space}),
        ("spaces", {"room_types": ["m.space"]}, {space}), ("no spaces", {"not_room_types": ["m.space"]}, {plain, secret, invited}),
        ("ordinary", {"room_types": [None]}, {plain, secret, invited}), ("by name", {"room_name_like": "PLAI"}, {plain}),
        ("favourites", {"tags": ["m.favourite"]}, {secret}), ("no favourites", {"not_tags": ["m.favourite"]}, {plain, space, invited}),
        ("of a space", {"spaces": [space]}, {secret}), ("of no space", {"spaces": ["!none:x"]}, set()),
    ):
        answer = slide(bob, listing(limit=0, filters=filter))
        checks.equal(f"filter {name}", set(listed(answer)), wanted)
        checks.equal(f"filter {name}: count", answer["lists"]["all"]["count"], len(wanted))


def extensions(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.say(room, "read this")
    body = listing(extensions=EVERYTHING)
    first = slide_until(bob, body, lambda a: bodies(a, room))
    checks.equal("all of them answer", set(first["extensions"]), set(EVERYTHING))
    checks.that("keys are counted", "signed_curve25519" in first["extensions"]["e2ee"]["device_one_time_keys_count"])
    happenings = {
        "account data": (lambda: bob.ok("PUT", f"{path('user', bob.user)}/account_data/org.example", {"a": 1}),
                         lambda e: "org.example" in {item["type"] for item in e["account_data"]["global"]}),
        "account data of a room": (lambda: bob.ok("PUT", f"{path('user', bob.user)}/rooms/{quote(room)}/account_data/org.example", {"a": 1}),
                                   lambda e: room in e["account_data"]["rooms"]),
        "a receipt": (lambda: alice.ok("POST", path("rooms", room, "receipt", "m.read", event)),
                      lambda e: event in e["receipts"]["rooms"].get(room, {}).get("content", {})),
        "typing": (lambda: alice.ok("PUT", path("rooms", room, "typing", alice.user), {"typing": True, "timeout": 20000}),
                   lambda e: e["typing"]["rooms"].get(room, {}).get("content") == {"user_ids": [alice.user]}),
        "a message for the device": (lambda: alice.ok("PUT", path("sendToDevice", "org.example", "1"), {"messages": {bob.user: {"*": {"a": 1}}}}),
                                     lambda e: e["to_device"]["events"]),
        "a new member": (lambda: server.register().join(room), lambda e: e["e2ee"].get("device_lists", {}).get("changed")),
    }
    pos = first["pos"]
    for name, (happen, condition) in happenings.items():
        happen()
        answer = slide_until(bob, body, lambda a: condition(a["extensions"]), pos)
        checks.that(f"{name} comes", condition(answer["extensions"]), answer["extensions"])
        pos = answer["pos"]
    since = answer["extensions"]["to_device"]["next_batch"]
    wanted = {"extensions": {"to_device": {"enabled": True, "since": since}}}
    checks.equal("what was acknowledged is gone", slide(bob, wanted)["extensions"]["to_device"], {"next_batch": since, "events": []})
    offline = slide(bob, listing(), pos, set_presence="offline")
    checks.that("presence may be asked for", "pos" in offline)
    checks.equal("but not any", ask(bob, listing(), pos, set_presence="dancing").status, 400)


def elsewhere(server, checks):
    """A connection goes on at another process, and after a restart."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat", name="Moving")
    bob.join(room)
    alice.say(room, "before")
    body = listing(limit=1, state=LAZY, extensions=EVERYTHING, conn_id="moving")
    last = slide_until(bob, body, lambda a: bodies(a, room) == ["before"])
    for number, address in enumerate([*server.workers, *server.workers]):
        there = bob.at(address)
        alice.say(room, f"at {number}")
        answer = slide_until(there, body, lambda a: bodies(a, room), last["pos"])
        checks.equal(f"goes on at {address}", bodies(answer, room), [f"at {number}"])
        checks.that("as the same connection", "initial" not in answer["rooms"][room] and not answer["rooms"][room].get("required_state"), answer["rooms"])
        last = answer
    if not server.is_cluster:
        server.control("kill", "homeserver")
        server.control("start", "homeserver")
        alice.say(room, "restarted")
        answer = slide_until(bob, body, lambda a: bodies(a, room), last["pos"])
        checks.equal("goes on after a restart", bodies(answer, room), ["restarted"])
        checks.that("as the same connection", "initial" not in answer["rooms"][room] and not answer["rooms"][room].get("required_state"), answer["rooms"])


def at_large(server, checks):
    """An answer of very many rooms is sent piece by piece, and is whole."""
    alice, bob = server.register(), server.register()
    rooms = {alice.create_room(preset="public_chat", invite=[bob.user]) for _ in range(70)}
    answer = slide_until(bob, listing(999, 1, LAZY, extensions=EVERYTHING), lambda a: len(a["rooms"]) == 70)
    checks.equal("all are there", set(answer["rooms"]), rooms)
    checks.equal("and listed", set(listed(answer)), rooms)
    checks.equal("none comes twice", slide(bob, listing(999, 1, LAZY), answer["pos"])["rooms"], {})


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for part in (is_offered, follows, filters, extensions, at_large, elsewhere):
        part(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
