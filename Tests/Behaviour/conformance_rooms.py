#!/usr/bin/env python3
"""What Complement and sytest ask of rooms: making them, their state, aliases, levels, versions, creators.

Each function is named by a row of Docs/conformance.md.

usage: conformance_rooms.py CLUSTER_FOLDER
"""

import json
import secrets

from harness import all_of, path

ROOM_VERSIONS = [str(number) for number in range(1, 13)]


def alias(server, stem="a"):
    return f"#{stem}{secrets.token_hex(6)}:{server.name}"


def content(client, room, kind, key=""):
    return client.ok("GET", path("rooms", room, "state", kind, key))


def membership(client, room, user):
    answer = client.get(path("rooms", room, "state", "m.room.member", user))
    return answer.json.get("membership") if answer.status == 200 else None


def state(kind, key="", **content):
    return {"type": kind, "state_key": key, "content": content}


def set_alias(client, name, room):
    return client.put(path("directory", "room", name), {"room_id": room})


def creation(server, checks):
    alice, bob = server.register(), server.register()
    name = alias(server)
    room = alice.create_room(preset="public_chat", room_alias_name=name[1:].split(":")[0])
    checks.equal("a public room has its alias", alice.ok("GET", path("directory", "room", name))["room_id"], room)
    room = alice.create_room(visibility="private")
    checks.equal("a private room is not listed", alice.ok("GET", path("directory", "list", "room", room))["visibility"], "private")
    room = alice.create_room(topic="Test Room", name="Name")
    found = content(alice, room, "m.room.topic")
    checks.equal("a topic is set", found["topic"], "Test Room")
    checks.equal("and written richly", found.get("m.topic"), {"m.text": [{"body": "Test Room"}]})
    checks.equal("a name is set", content(alice, room, "m.room.name"), {"name": "Name"})
    given = state("m.room.topic", topic="of the state")
    room = alice.create_room(initial_state=[given])
    found = content(alice, room, "m.room.topic")
    checks.equal("a topic of the initial state is taken as it is", found, {"topic": "of the state"})
    room = alice.create_room(initial_state=[given], topic="of the request")
    found = content(alice, room, "m.room.topic")
    checks.equal("that of the request wins", (found["topic"], found.get("m.topic")), ("of the request", {"m.text": [{"body": "of the request"}]}))
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    checks.equal("who is asked is invited", membership(alice, room, bob.user), "invite")
    bob.join(room)
    checks.equal("and may come", membership(alice, room, bob.user), "join")
    since = alice.sync()["next_batch"]
    room = alice.create_room()
    answer = alice.sync_until(lambda a: room in a.get("rooms", {}).get("join", {}), since)
    events = answer["rooms"]["join"][room]["timeline"]["events"] + answer["rooms"]["join"][room]["state"]["events"]
    checks.that("a new room is synced, with its making and its member", {"m.room.create", "m.room.member"} <= {e["type"] for e in events}, events)
    creation_of_versions(server, checks, alice)
    room = alice.create_room(creation_content={"m.federate": False, "org.example": [1]})
    found = content(alice, room, "m.room.create")
    checks.that("content of the creation is kept", found["m.federate"] is False and found["org.example"] == [1], found)


def creation_of_versions(server, checks, alice):
    for version in ROOM_VERSIONS:
        room = alice.create_room(room_version=version)
        checks.equal(f"version {version} is made", content(alice, room, "m.room.create").get("room_version", "1"), version)
    answer = alice.post(path("createRoom"), {"room_version": 1})
    checks.that("a number is no version", answer.status == 400 and answer.errcode == "M_BAD_JSON", answer)
    answer = alice.post(path("createRoom"), {"room_version": "ahfgwjyerhgiuveisbruvybseyrugvi"})
    checks.that("nor is a word", answer.status == 400 and answer.errcode == "M_UNSUPPORTED_ROOM_VERSION", answer)
    room = alice.create_room(creation_content={"room_version": "ahfgwjyerhgiuveisbruvybseyrugvi"})
    checks.that("and the content does not choose one", content(alice, room, "m.room.create")["room_version"] in ROOM_VERSIONS)


def room_versions(server, checks):
    """In every version one writes, reads, invites, joins, leaves and comes back."""
    alice, bob = server.register(), server.register()
    for version in ROOM_VERSIONS:
        room = alice.create_room(room_version=version, preset="private_chat")
        alice.invite(room, bob.user)
        bob.join(room)
        event = alice.say(room, f"in {version}")
        answer = bob.sync_until(lambda a: event in str(a))
        checks.that(f"{version}: the message arrives", event in str(answer))
        bob.leave(room)
        alice.invite(room, bob.user)
        bob.join(room)
        text = bob.say(room, "back")
        checks.equal(f"{version}: one is back", alice.ok("GET", path("rooms", room, "event", text))["content"]["body"], "back")
        alice.ok("PUT", path("rooms", room, "redact", text, alice.transaction()), {})
        checks.equal(f"{version}: a redaction takes it away", bob.ok("GET", path("rooms", room, "event", text))["content"], {})


def reading_state(server, checks):
    alice, bob = server.register(), server.register()
    name = alias(server)
    room = alice.create_room(preset="public_chat", name="N", topic="T", room_alias_name=name[1:].split(":")[0])
    checks.equal("one's membership", content(alice, room, "m.room.member", alice.user)["membership"], "join")
    event = alice.ok("GET", path("rooms", room, "state", "m.room.member", alice.user) + "?format=event")
    wanted = {"type": "m.room.member", "state_key": alice.user, "sender": alice.user, "room_id": room}
    checks.that("as an event", wanted.items() <= event.items() and {"content", "event_id", "origin_server_ts"} <= set(event), event)
    levels = content(alice, room, "m.room.power_levels")
    checks.that("levels are numbers", all(isinstance(levels[key], int) for key in (
        "ban", "kick", "redact", "state_default", "events_default", "users_default")), levels)
    checks.that("of all kinds", all(isinstance(value, int) for key in ("users", "events") for value in levels[key].values()), levels)
    joined = alice.ok("GET", path("rooms", room, "joined_members"))["joined"]
    checks.that("members", list(joined) == [alice.user] and "display_name" in joined[alice.user], joined)
    answer = alice.ok("GET", path("directory", "room", name))
    checks.equal("the alias leads there", (answer["room_id"], answer["servers"]), (room, [server.name]))
    checks.that("it is among one's rooms", room in alice.ok("GET", path("joined_rooms"))["joined_rooms"])
    checks.equal("name", content(alice, room, "m.room.name"), {"name": "N"})
    alice.state(room, "m.room.name", {"name": "new"})
    checks.equal("name set", content(alice, room, "m.room.name"), {"name": "new"})
    alice.state(room, "m.room.topic", {"topic": "new"})
    checks.equal("topic set", content(alice, room, "m.room.topic"), {"topic": "new"})
    whole = alice.ok("GET", path("rooms", room, "state"))
    kinds = {"m.room.create", "m.room.join_rules", "m.room.name", "m.room.power_levels", "m.room.member", "m.room.history_visibility"}
    checks.that("all state", kinds <= {each["type"] for each in whole}, whole)
    checks.that("each once", len({(each["type"], each["state_key"]) for each in whole}) == len(whole), whole)
    alice.leave(room)
    checks.equal("who has left reads no members", alice.get(path("rooms", room, "joined_members")).status, 403)
    checks.equal("nor has it among their rooms", alice.ok("GET", path("joined_rooms"))["joined_rooms"], [])


def state_twice(server, checks):
    alice = server.register()
    room = alice.create_room(preset="public_chat")
    one = alice.state(room, "a.test.state.type", {"a": 1})
    checks.equal("state set twice is one event", alice.state(room, "a.test.state.type", {"a": 1}), one)
    bob = server.register()
    bob.join(room)
    event = alice.ok("GET", path("rooms", room, "state", "m.room.member", bob.user) + "?format=event")["event_id"]
    bob.join(room)
    again = alice.ok("GET", path("rooms", room, "state", "m.room.member", bob.user) + "?format=event")["event_id"]
    checks.equal("joining twice is one event", again, event)


def aliases(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    name, unicode = alias(server), alias(server, "コミュニティ老虎🐯")
    for each in (name, unicode):
        checks.equal("an alias is made", set_alias(alice, each, room).status, 200)
        checks.equal("and leads to the room", carol.ok("GET", path("directory", "room", each))["room_id"], room)
    checks.equal("members list both", sorted(bob.ok("GET", path("rooms", room, "aliases"))["aliases"]), sorted([name, unicode]))
    answer = carol.get(path("rooms", room, "aliases"))
    checks.that("strangers do not", answer.status == 403 and answer.errcode == "M_FORBIDDEN", answer)
    taken = set_alias(carol, name, carol.create_room())
    checks.that("one that is taken stays", taken.status == 409 and carol.ok("GET", path("directory", "room", name))["room_id"] == room, taken)
    own = alias(server)
    checks.equal("ordinary members make aliases", set_alias(bob, own, room).status, 200)
    answer = carol.delete(path("directory", "room", own))
    checks.that("others do not delete them", answer.status == 403, answer)
    checks.equal("who made one does", bob.delete(path("directory", "room", own)).status, 200)
    checks.equal("then it is gone", bob.get(path("directory", "room", own)).status, 404)
    answer = bob.delete(path("directory", "room", own))
    checks.that("deleting nothing is 404", answer.status == 404 and answer.errcode == "M_NOT_FOUND", answer)
    set_alias(bob, own, room)
    checks.equal("who has the power deletes others'", alice.delete(path("directory", "room", own)).status, 200)
    restricted(server, checks, alice, bob, room)


def restricted(server, checks, alice, bob, room):
    """Where a level is set for aliases, members make and delete theirs nevertheless."""
    levels = content(alice, room, "m.room.power_levels")
    levels["events"]["m.room.aliases"] = 50
    alice.state(room, "m.room.power_levels", levels)
    name = alias(server)
    checks.equal("an alias where they are restricted", set_alias(bob, name, room).status, 200)
    checks.equal("is deleted by who made it", bob.delete(path("directory", "room", name)).status, 200)


def canonical_aliases(server, checks):
    alice, bob = server.register(), server.register()
    room, other = alice.create_room(preset="public_chat"), alice.create_room(preset="public_chat")
    here, elsewhere, nowhere = alias(server), alias(server), alias(server)
    set_alias(alice, here, room)
    set_alias(alice, elsewhere, other)
    target = path("rooms", room, "state", "m.room.canonical_alias", "")
    cases = {
        "one that leads there": ({"alias": here}, 200, None),
        "as another": ({"alias": here, "alt_aliases": [here]}, 200, None),
        "one that leads nowhere": ({"alias": nowhere}, 400, "M_BAD_ALIAS"),
        "one that is none": ({"alias": "%a#ha"}, 400, "M_INVALID_PARAM"),
        "one that leads elsewhere": ({"alias": elsewhere}, 400, "M_BAD_ALIAS"),
        "another that leads nowhere": ({"alt_aliases": [nowhere]}, 400, "M_BAD_ALIAS"),
        "another that is none": ({"alt_aliases": ["%a#ha"]}, 400, "M_INVALID_PARAM"),
        "another that leads elsewhere": ({"alt_aliases": [elsewhere]}, 400, "M_BAD_ALIAS"),
    }
    for case, (body, status, code) in cases.items():
        answer = alice.put(target, body)
        checks.equal(f"a canonical alias, {case}", (answer.status, answer.errcode), (status, code))
    deleted = alias(server)
    set_alias(alice, deleted, room)
    alice.state(room, "m.room.canonical_alias", {"alias": deleted})
    checks.equal("a canonical alias is deleted", alice.delete(path("directory", "room", deleted)).status, 200)
    checks.equal("and is canonical no more", content(alice, room, "m.room.canonical_alias"), {})
    answer = alice.put(target, {"alias": deleted})
    checks.equal("nor can be", (answer.status, answer.errcode), (400, "M_BAD_ALIAS"))
    # Whoever made an alias deletes it even where it is the canonical one and they may not write that.
    bob.join(room)
    own = alias(server)
    set_alias(bob, own, room)
    alice.state(room, "m.room.canonical_alias", {"alias": own})
    checks.equal("one who may not write it deletes it", bob.delete(path("directory", "room", own)).status, 200)
    checks.equal("then it leads nowhere", bob.get(path("directory", "room", own)).status, 404)


def levels(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat", room_version="11")
    bob.join(room)
    given = {"invite": 100, "users": {alice.user: 100, "@random-other-user:their.home": 20}}
    event = alice.state(room, "m.room.power_levels", given)
    checks.equal("levels are set as given", alice.ok("GET", path("rooms", room, "event", event))["content"], given)
    for body in ({"users": {alice.user: 100}}, {"users": {alice.user: 100}, "events": {"m.room.name": 50}}):
        checks.equal("also after empty ones", alice.put(path("rooms", room, "state", "m.room.power_levels", ""), body).status, 200)
    override = {"users_default": 100, "users": {alice.user: 100}, "events": {}, "notifications": {}}
    other = alice.create_room(preset="public_chat", room_version="11", power_level_content_override=override)
    answer = alice.put(path("rooms", other, "state", "m.room.power_levels", ""), {**override, "users_default": 40})
    checks.equal("the level of all is lowered by one who has it", answer.status, 200)
    base = {"users": {alice.user: 100, bob.user: 50}, "state_default": 50, "events": {"m.room.topic": 0, "m.room.power_levels": 50}}
    alice.state(room, "m.room.power_levels", base)
    lower = server.register()
    lower.join(room)
    checks.equal("what needs nothing everybody does", lower.put(path("rooms", room, "state", "m.room.topic", ""), {"topic": "t"}).status, 200)
    checks.equal("what needs more not", lower.put(path("rooms", room, "state", "m.room.name", ""), {"name": "n"}).status, 403)
    target = path("rooms", room, "state", "m.room.power_levels", "")
    for key in ("ban", "kick", "redact", "invite", "events_default", "state_default", "users_default"):
        answer = bob.put(target, {**base, key: 100})
        checks.equal(f"nobody sets {key} above their own level", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    answer = bob.put(target, {**base, "notifications": {"room": 100}})
    checks.equal("nor that of notifications", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    answer = bob.put(target, {**base, "users": {**base["users"], lower.user: 100}})
    checks.equal("nor lifts another above it", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    answer = bob.put(target, {**base, "users": {alice.user: 100, bob.user: 50, lower.user: 50}})
    checks.equal("but up to it", answer.status, 200)
    answer = bob.put(target, {**base, "users": {alice.user: 100, bob.user: 50, lower.user: 0}})
    checks.equal("nor takes it from an equal", answer.status, 403)
    checks.equal("nor kicks one", bob.post(path("rooms", room, "kick"), {"user_id": lower.user}).status, 403)


def owned_state(server, checks):
    """State whose key is a user is that user's."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0})
    bob.join(room)

    def write(client, key):
        return client.put(path("rooms", room, "state", "com.example.test", key), {}).status

    checks.equal("one's own", write(bob, bob.user), 200)
    for key in (alice.user + "_state_key_suffix", bob.user, bob.user + "_state_key_suffix", f"@other:{server.name}", "@oops"):
        checks.equal(f"of another: {key.split(':')[0][:6]}", write(alice, key), 403)


def creators(server, checks):
    """Version 12: those who made a room have more power than any number."""
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat", room_version="12")
    found = content(alice, room, "m.room.power_levels")
    checks.that("the levels do not name them", alice.user not in found.get("users", {}), found)
    checks.equal("to end a room needs 150", found["events"].get("m.room.tombstone"), 150)
    target = path("rooms", room, "state", "m.room.power_levels", "")
    answer = alice.put(target, {**found, "users": {alice.user: 100}})
    checks.that("nor may they", answer.status in (400, 403), answer)
    bob.join(room)
    for level in (100, 150, 2**53 - 1):
        alice.state(room, "m.room.power_levels", {**found, "users": {bob.user: level}})
        checks.equal(f"who made it is not kicked by {level}", bob.post(path("rooms", room, "kick"), {"user_id": alice.user}).status, 403)
        checks.equal(f"but kicks {level}", alice.post(path("rooms", room, "kick"), {"user_id": bob.user}).status, 200)
        bob.join(room)
    answer = alice.put(target, {**found, "users": {bob.user: 2**53}})
    checks.equal("more than that is no number", answer.status, 400)
    answer = alice.post(path("createRoom"), {"room_version": "12", "power_level_content_override": {"users": {alice.user: 100}}})
    checks.equal("not in the request either", answer.status, 400)
    room = alice.create_room(room_version="12", power_level_content_override={"users": {bob.user: 60}, "ban": 70})
    found = content(alice, room, "m.room.power_levels")
    checks.equal("others are named there", (found["users"], found["ban"]), ({bob.user: 60}, 70))
    additional_creators(server, checks, alice, bob, carol)


def additional_creators(server, checks, alice, bob, carol):
    room = alice.create_room(preset="public_chat", room_version="12", creation_content={"additional_creators": [bob.user]})
    bob.join(room)
    carol.join(room)
    checks.equal("a second one has the power", bob.put(path("rooms", room, "state", "m.room.name", ""), {"name": "n"}).status, 200)
    found = content(alice, room, "m.room.power_levels")
    alice.state(room, "m.room.power_levels", {**found, "users": {carol.user: 2**53 - 1}})
    for who in (alice, bob):
        checks.equal("and is as safe", carol.post(path("rooms", room, "kick"), {"user_id": who.user}).status, 403)
    checks.equal("also from the first", alice.post(path("rooms", room, "kick"), {"user_id": bob.user}).status, 403)
    answer = alice.put(path("rooms", room, "state", "m.room.power_levels", ""), {**found, "users": {bob.user: 100}})
    checks.that("is not named in the levels either", answer.status in (400, 403), answer)
    room = alice.create_room(preset="trusted_private_chat", room_version="12", invite=[bob.user], creation_content={"additional_creators": [carol.user]})
    found = content(alice, room, "m.room.create")["additional_creators"]
    checks.equal("whoever is trusted and invited is one too", sorted(found), sorted([bob.user, carol.user]))
    for wrong in ("not an array", [1, 2], ["not a user"], ["@bob:not a domain"], [bob.user, None]):
        answer = alice.post(path("createRoom"), {"room_version": "12", "creation_content": {"additional_creators": wrong}})
        checks.equal(f"creators that are none: {wrong}", answer.status, 400)


def room_ids(server, checks):
    """Version 12: a room is named by the event that made it."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat", room_version="12", name="N")
    checks.that("its name has no server", ":" not in room, room)
    text = alice.say(room, "text")
    whole = alice.ok("GET", path("rooms", room, "state"))
    made = [e for e in whole if e["type"] == "m.room.create"][0]
    checks.equal("and is that of the event", made["event_id"], "$" + room[1:])
    shown = {
        "state": made, "event": alice.ok("GET", path("rooms", room, "event", made["event_id"])),
        "messages": alice.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=100")["chunk"][-1],
        "context": alice.ok("GET", path("rooms", room, "context", made["event_id"]))["event"],
        "around another": [e for e in alice.ok("GET", path("rooms", room, "context", text) + "?limit=100")["events_before"] if e["type"] == "m.room.create"][0],
        "state around": [e for e in alice.ok("GET", path("rooms", room, "context", text) + "?limit=0")["state"] if e["type"] == "m.room.create"][0],
        "as an event": alice.ok("GET", path("rooms", room, "state", "m.room.create", "") + "?format=event"),
    }
    for way, event in shown.items():
        checks.equal(f"it tells its room: {way}", event.get("room_id"), room)
    for version in ("11", "12"):
        again = path("rooms", alice.create_room(room_version=version), "state", "m.room.create", "")
        checks.equal("nobody makes it a second time", alice.put(again, {"room_version": version, "org.example.entropy": 100}).status, 400)
    bob_sees = server.register()
    alice.invite(room, bob_sees.user)
    answer = bob_sees.sync_until(lambda a: room in a.get("rooms", {}).get("invite", {}))
    checks.that("an invitation shows it", "m.room.create" in [e["type"] for e in answer["rooms"]["invite"][room]["invite_state"]["events"]])


if __name__ == "__main__":
    all_of(creation, room_versions, reading_state, state_twice, aliases, canonical_aliases, levels, owned_state, creators, room_ids)
