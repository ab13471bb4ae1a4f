#!/usr/bin/env python3
"""What Complement and sytest ask of search, spaces, summaries and upgrades of rooms.

Each function is named by a row of Docs/conformance.md.

usage: conformance_spaces.py CLUSTER_FOLDER
"""

import secrets
import time
from urllib.parse import quote

from harness import all_of, path

V1 = "/_matrix/client/v1"


def ids(events):
    return [event["event_id"] for event in events]


def state(kind, key="", **content):
    return {"type": kind, "state_key": key, "content": content}


def content(client, room, kind, key=""):
    answer = client.get(path("rooms", room, "state", kind, key))
    return answer.json if answer.status == 200 else None


def until(condition, seconds=15):
    """What a condition answers once it is true, or at last."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def find(client, term, rooms, batch="", **criteria):
    body = {"search_categories": {"room_events": {"keys": ["content.body"], "search_term": term, "filter": {"rooms": rooms}, **criteria}}}
    return client.ok("POST", path("search") + batch, body)["search_categories"]["room_events"]


def found_ids(found):
    return [each["result"]["event_id"] for each in found["results"]]


def search(server, checks):
    alice = server.register()
    room = alice.create_room()
    event = alice.say(room, "hello, world")
    found = find(alice, "hello", [room])
    checks.equal("an event is found by a word", (found["count"], found_ids(found)), (1, [event]))
    checks.equal("whole", found["results"][0]["result"]["content"]["body"], "hello, world")
    sent = [alice.say(room, f"Message number {number}") for number in range(1, 8)]
    found = find(alice, "number 4", [room], order_by="recent", event_context={"before_limit": 2, "after_limit": 2})
    result = [each for each in found["results"] if each["result"]["event_id"] == sent[3]][0]["context"]
    checks.equal("with what stands before it", ids(result["events_before"]), [sent[2], sent[1]])
    checks.equal("and after it", ids(result["events_after"]), sent[4:6])
    checks.that("and where to go on", result["start"] and result["end"], result)
    sent = [alice.say(room, f"Find me {number}") for number in range(20)]
    seen, batch = [], ""
    for _ in range(10):
        found = find(alice, "Find", [room], batch, order_by="recent")
        checks.equal("each page says how many there are", found["count"], 20)
        seen += found_ids(found)
        if "next_batch" not in found:
            break
        batch = f"?next_batch={quote(found['next_batch'])}"
    checks.equal("pages, the newest first", seen, sent[::-1])
    for order in ("rank", "recent"):
        word = f"word{order}"
        kept, lost = alice.say(room, f"{word} kept"), alice.say(room, f"{word} lost")
        alice.ok("PUT", path("rooms", room, "redact", lost, "r" + order), {})
        checks.equal(f"what is redacted is not found: {order}", found_ids(find(alice, word, [room], order_by=order)), [kept])
    old = alice.say(room, "needle before")
    new = alice.ok("POST", path("rooms", room, "upgrade"), {"new_version": "11"})["replacement_room"]
    young = alice.say(new, "needle after")
    found = find(alice, "needle", [new], order_by="recent", include_state=True)
    checks.equal("rooms before an upgrade are searched too", set(found_ids(found)), {old, young})


def space(client, **options):
    return client.create_room(creation_content={"type": "m.space"}, **options)


def child(client, parent, room, **more):
    return client.state(parent, "m.space.child", {"via": ["localhost"], **more}, room)


def hierarchy(client, room, query=""):
    """Asks for a tree; a server may want one to wait between two."""
    while True:
        answer = client.get(f"{V1}/rooms/{quote(room)}/hierarchy{query}")
        if answer.status != 429:
            assert answer.status == 200, answer
            return answer.json
        time.sleep(answer["retry_after_ms"] / 1000)


def rooms_of(found):
    return [room["room_id"] for room in found["rooms"]]


def spaces(server, checks):
    """The tree: root has r1, ss1, r5 (hidden); ss1 has r2, r3, ss2; ss2 has r4."""
    alice, bob = server.register(), server.register()
    world = {"preset": "public_chat", "initial_state": [state("m.room.history_visibility", history_visibility="world_readable")]}
    root = space(alice, name="Root", **world)
    rooms = {name: alice.create_room(name=name, **world) for name in ("r1", "r2", "r3", "r4")}
    ss1, ss2 = space(alice, name="SS1", **world), space(alice, name="SS2", preset="public_chat")
    r5 = bob.create_room(preset="private_chat")
    child(alice, root, rooms["r1"], suggested=True)
    child(alice, root, ss1, suggested=True)
    child(alice, root, r5)
    child(alice, ss1, rooms["r2"], suggested=True)
    link = child(alice, ss1, rooms["r3"])
    child(alice, ss1, ss2, suggested=True)
    child(alice, ss2, rooms["r4"], suggested=True)
    everything = {root, ss1, ss2, *rooms.values()}
    found = hierarchy(alice, root)
    checks.equal("the whole tree", set(rooms_of(found)), everything)
    each = {room["room_id"]: room for room in found["rooms"]}
    checks.equal("with the children of spaces", {e["state_key"] for e in each[ss1]["children_state"]}, {rooms["r2"], rooms["r3"], ss2})
    checks.equal("and their kinds", (each[root].get("room_type"), each[rooms["r1"]].get("room_type")), ("m.space", None))
    checks.that("and what is in a list", each[rooms["r1"]]["name"] == "r1" and each[rooms["r1"]]["num_joined_members"] == 1, each[rooms["r1"]])
    checks.equal("to a depth of one", set(rooms_of(hierarchy(alice, root, "?max_depth=1"))), {root, rooms["r1"], ss1})
    checks.equal("what is suggested", set(rooms_of(hierarchy(alice, root, "?suggested_only=true"))), everything - {rooms["r3"]})
    seen, start = [], ""
    while True:
        page = hierarchy(alice, root, f"?limit=3{start}")
        checks.that("a page is as long as asked", len(page["rooms"]) <= 3)
        seen += rooms_of(page)
        if "next_batch" not in page:
            break
        start = f"&from={page['next_batch']}"
    checks.equal("pages have each once", (len(seen), set(seen)), (len(everything), everything))
    alice.ok("PUT", path("rooms", ss1, "redact", link, "1"), {})
    checks.equal("a link that is redacted is none", set(rooms_of(hierarchy(alice, root))), everything - {rooms["r3"]})


def space_rules(server, checks):
    """Who sees which room of a tree."""
    alice, bob = server.register(), server.register()
    root = space(alice, preset="public_chat", name="Space")
    made = {
        "public": alice.create_room(preset="public_chat"), "knock": alice.create_room(room_version="10", initial_state=[state("m.room.join_rules", join_rule="knock")]),
        "private": alice.create_room(preset="private_chat"), "invited": alice.create_room(preset="private_chat"),
        "readable": alice.create_room(preset="private_chat", initial_state=[state("m.room.history_visibility", history_visibility="world_readable")]),
        "restricted": alice.create_room(room_version="10", initial_state=[
            state("m.room.join_rules", join_rule="restricted", allow=[{"type": "m.room_membership", "room_id": root}])])}
    for room in made.values():
        child(alice, root, room)
    alice.invite(made["invited"], bob.user)
    seen = lambda: {name for name, room in made.items() if room in rooms_of(hierarchy(bob, root))}
    checks.equal("from outside", seen(), {"public", "knock", "readable", "invited"})
    bob.join(root)
    checks.equal("from within", seen(), {"public", "knock", "readable", "invited", "restricted"})
    bob.join(made["invited"])
    alice.invite(made["private"], bob.user)
    bob.join(made["private"])
    checks.equal("of one's own", seen(), set(made))
    stranger = server.register()
    answer = stranger.get(f"{V1}/rooms/{quote(made['private'])}/hierarchy")
    checks.equal("not from a room one may not see", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))


def summary(server, checks):
    alice, bob = server.register(), server.register()
    root = space(alice, preset="public_chat")
    rule = state("m.room.join_rules", join_rule="restricted", allow=[{"type": "m.room_membership", "room_id": root}])
    room, other = alice.create_room(name="R", room_version="10", initial_state=[rule]), alice.create_room(preset="public_chat", name="P")
    bob.join(root)
    ask = lambda place: bob.ok("GET", f"{V1}/room_summary/{quote(place)}")
    found = ask(room)
    checks.equal("a restricted room tells what lets one in", (found["join_rule"], found["allowed_room_ids"]), ("restricted", [root]))
    found = ask(other)
    checks.that("another does not", "allowed_room_ids" not in found and found["name"] == "P" and found["num_joined_members"] == 1, found)


def upgrade(client, room, version="11", **more):
    return client.ok("POST", path("rooms", room, "upgrade"), {"new_version": version, **more})["replacement_room"]


def upgrades(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    for version in ("1", "6", "11"):
        room = alice.create_room(preset="public_chat", room_version="10", name="N", topic="T", initial_state=[
            state("m.room.avatar", url="mxc://example.org/a"), state("m.room.guest_access", guest_access="forbidden"),
            state("m.room.history_visibility", history_visibility="joined"), state("m.room.encryption", algorithm="m.megolm.v1.aes-sha2")])
        bob.join(room)
        levels = content(alice, room, "m.room.power_levels")
        levels = {**levels, "users": {**levels["users"], bob.user: 50}, "ban": 40}
        alice.state(room, "m.room.power_levels", levels)
        alice.ok("POST", path("rooms", room, "ban"), {"user_id": carol.user})
        last = alice.say(room, "last")
        new = upgrade(alice, room, version)
        made = content(alice, new, "m.room.create")
        checks.equal(f"{version}: the new room's version", made.get("room_version", "1"), version)
        checks.equal(f"{version}: and the old room", made["predecessor"]["room_id"], room)
        checks.equal(f"{version}: which ends", content(alice, room, "m.room.tombstone")["replacement_room"], new)
        for kind in ("m.room.name", "m.room.topic", "m.room.avatar", "m.room.guest_access", "m.room.history_visibility", "m.room.encryption", "m.room.join_rules"):
            checks.equal(f"{version}: {kind} is carried over", content(alice, new, kind), content(alice, room, kind))
        after = content(alice, new, "m.room.power_levels")
        checks.equal(f"{version}: levels are", (after["users"], after["ban"]), (levels["users"], levels["ban"]))
        checks.equal(f"{version}: bans are", content(alice, new, "m.room.member", carol.user)["membership"], "ban")
        closed = content(alice, room, "m.room.power_levels")
        checks.that(f"{version}: in the old room nobody speaks", closed["events_default"] >= 50 and closed["invite"] >= 50, closed)
        checks.that(f"{version}: the end is behind what was said", last in ids(alice.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=5")["chunk"]))
    upgrades_of_names(server, checks, alice, bob)
    upgrade_refusals(server, checks, alice, bob)


def upgrades_of_names(server, checks, alice, bob):
    name = f"#{secrets.token_hex(6)}:{server.name}"
    room = alice.create_room(preset="public_chat", room_alias_name=name[1:].split(":")[0])
    bob.join(room)
    for who in (alice, bob):
        who.ok("PUT", path("user", who.user, "rooms", room, "tags", "u.tag"), {"order": 0.5})
        who.ok("PUT", path("user", who.user, "account_data", "m.direct"), {who.user: [room]})
        who.ok("PUT", path("pushrules", "global", "room", room), {"actions": ["dont_notify"]})
    new = upgrade(alice, room)
    checks.equal("aliases lead to the new room", alice.ok("GET", path("directory", "room", name))["room_id"], new)
    checks.equal("and are canonical there", content(alice, new, "m.room.canonical_alias"), {"alias": name})
    checks.that("and not in the old one", "alias" not in (content(alice, room, "m.room.canonical_alias") or {}))
    bob.join(new)
    for who in (alice, bob):
        tagged = until(lambda: who.ok("GET", path("user", who.user, "rooms", new, "tags"))["tags"])
        checks.equal("tags go along", tagged, {"u.tag": {"order": 0.5}})
        checks.that("push rules do", until(lambda: who.get(path("pushrules", "global", "room", new)).status == 200))
        direct = until(lambda: new in str(who.ok("GET", path("user", who.user, "account_data", "m.direct"))))
        checks.that("whom one talks to alone does", direct)
    unfederated = alice.create_room(creation_content={"m.federate": False})
    checks.equal("a room of this server alone stays one", content(alice, upgrade(alice, unfederated), "m.room.create").get("m.federate"), False)


def upgrade_refusals(server, checks, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    target = path("rooms", room, "upgrade")
    answer = alice.post(target, {"new_version": "my_version"})
    checks.equal("to a version that is none", (answer.status, answer.errcode), (400, "M_UNSUPPORTED_ROOM_VERSION"))
    answer = bob.post(target, {"new_version": "11"})
    checks.equal("by one without the power", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    answer = alice.post(path("rooms", f"!fail:{server.name}", "upgrade"), {"new_version": "11"})
    checks.that("of a room that is not there", answer.status in (403, 404), answer)
    answer = alice.put(path("rooms", room, "state", "m.room.tombstone", ""), {"replacement_room": room})
    checks.that("to itself", answer.status == 400, answer)


def upgraded_creators(server, checks):
    """Upgrades to version 12: whoever upgrades is the creator, and named in the levels no more."""
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat", room_version="11")
    bob.join(room)
    carol.join(room)
    levels = content(alice, room, "m.room.power_levels")
    alice.state(room, "m.room.power_levels", {**levels, "users": {alice.user: 100, bob.user: 100, carol.user: 50}})
    new = upgrade(bob, room, "12")
    after = content(bob, new, "m.room.power_levels")
    checks.equal("who upgrades is not named, others are", after["users"], {alice.user: 100, carol.user: 50})
    whole = bob.ok("GET", path("rooms", new, "state"))
    checks.equal("but is the creator", [e["sender"] for e in whole if e["type"] == "m.room.create"], [bob.user])
    again = upgrade(bob, new, "12", additional_creators=[alice.user])
    checks.equal("with those who are named", content(bob, again, "m.room.create")["additional_creators"], [alice.user])
    checks.equal("and are not in the levels", content(bob, again, "m.room.power_levels")["users"], {carol.user: 50})
    checks.that("the new room names the old one's end or not", content(bob, again, "m.room.create")["predecessor"]["room_id"] == new)


if __name__ == "__main__":
    all_of(search, spaces, space_rules, summary, upgrades, upgraded_creators)
