#!/usr/bin/env python3
"""What Complement and sytest ask of members: joining, inviting, removing, forgetting, rooms that were left, knocking, rooms that let in members of others.

Each function is named by a row of Docs/conformance.md.

usage: conformance_members.py CLUSTER_FOLDER
"""

import json
import secrets

from harness import all_of, path


def alias(server, stem="a"):
    return f"#{stem}{secrets.token_hex(6)}:{server.name}"


def content(client, room, kind, key=""):
    return client.ok("GET", path("rooms", room, "state", kind, key))


def membership(client, room, user):
    answer = client.get(path("rooms", room, "state", "m.room.member", user))
    return answer.json.get("membership") if answer.status == 200 else None


def state(kind, key="", **content):
    return {"type": kind, "state_key": key, "content": content}


def joining(server, checks):
    alice = server.register()
    name = alias(server)
    room = alice.create_room(preset="public_chat", room_alias_name=name[1:].split(":")[0])
    ways = {"rooms/join": path("rooms", room, "join"), "join by id": path("join", room), "join by alias": path("join", name)}
    for way, target in ways.items():
        bob = server.register()
        checks.equal(f"{way}: the room", bob.ok("POST", target, {"foo": "bar"})["room_id"], room)
        found = content(bob, room, "m.room.member", bob.user)
        checks.equal(f"{way}: membership", found["membership"], "join")
        if way != "rooms/join":
            checks.equal(f"{way}: content of one's own", found.get("foo"), "bar")
    bob.leave(room)
    checks.equal("leaving", membership(alice, room, bob.user), "leave")
    alice.ok("POST", path("rooms", room, "ban"), {"user_id": bob.user, "reason": "testing"})
    found = content(alice, room, "m.room.member", bob.user)
    checks.equal("banning", (found["membership"], found["reason"]), ("ban", "testing"))
    checks.equal("who is banned stays out", bob.post(path("join", room)).status, 403)
    alice.ok("POST", path("rooms", room, "unban"), {"user_id": bob.user})
    checks.equal("until that is over", bob.post(path("join", room)).status, 200)


def inviting(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="private_chat", name="Invites room", topic="T",
                             initial_state=[state("m.room.avatar", url="mxc://example.org/a"), state("m.room.encryption", algorithm="x")])
    checks.equal("nobody comes uninvited", carol.post(path("join", room)).status, 403)
    since = bob.sync()["next_batch"]
    alice.invite(room, bob.user)
    checks.equal("who is invited is", membership(alice, room, bob.user), "invite")
    answer = bob.sync_until(lambda a: room in a.get("rooms", {}).get("invite", {}), since)
    shown = {(e["type"], e["state_key"]): e for e in answer["rooms"]["invite"][room]["invite_state"]["events"]}
    for kind in ("m.room.create", "m.room.name", "m.room.join_rules", "m.room.avatar", "m.room.encryption", "m.room.topic"):
        checks.that(f"an invitation shows the {kind}", (kind, "") in shown, list(shown))
    checks.equal("and one's own membership", shown[("m.room.member", bob.user)]["content"]["membership"], "invite")
    checks.that("a first sync has it as well", room in bob.sync()["rooms"]["invite"])
    bob.leave(room)
    checks.equal("an invitation is declined", membership(alice, room, bob.user), "leave")
    answer = bob.sync_until(lambda a: room in a.get("rooms", {}).get("leave", {}), answer["next_batch"])
    checks.that("and the client told so", room in answer.get("rooms", {}).get("leave", {}), answer)
    answer = alice.post(path("rooms", room, "invite"), {"user_id": alice.user})
    checks.equal("nobody invites themself", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    alice.invite(room, bob.user)
    bob.join(room)
    answer = alice.post(path("rooms", room, "invite"), {"user_id": bob.user})
    checks.equal("nor whoever is in", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    checks.equal("who stays in", membership(alice, room, bob.user), "join")
    empty = alice.create_room(preset="private_chat")
    alice.invite(empty, bob.user)
    alice.leave(empty)
    checks.equal("an invitation into an empty room is declined", bob.post(path("rooms", empty, "leave")).status, 200)
    reinvited(server, checks)


def reinvited(server, checks):
    """One who made a room leaves it and is asked back by another."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="private_chat")
    alice.invite(room, bob.user)
    bob.join(room)
    levels = content(alice, room, "m.room.power_levels")
    alice.state(room, "m.room.power_levels", {**levels, "invite": 0})
    alice.leave(room)
    checks.equal("who left does not come back uninvited", alice.post(path("join", room)).status, 403)
    bob.invite(room, alice.user)
    checks.equal("but invited", alice.post(path("join", room)).status, 200)


def kicking(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    answer = alice.post(path("rooms", room, "kick"), {"user_id": bob.user})
    checks.equal("nobody is kicked who is not in", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    bob.join(room)
    bob.leave(room)
    answer = alice.post(path("rooms", room, "kick"), {"user_id": bob.user})
    checks.equal("nor who has left", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    bob.join(room)
    for action in ("kick", "ban"):
        answer = carol.post(path("rooms", room, action), {"user_id": bob.user})
        checks.equal(f"who is not in does not {action}", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    alice.ok("POST", path("rooms", room, "kick"), {"user_id": bob.user, "reason": "r"})
    checks.equal("who is kicked is out", membership(alice, room, bob.user), "leave")


def forgetting(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    answer = alice.post(path("rooms", room, "forget"))
    checks.equal("one does not forget where one is", (answer.status, answer.errcode), (400, "M_UNKNOWN"))
    since = alice.sync()["next_batch"]
    alice.say(room, "hello")
    alice.leave(room)
    alice.ok("POST", path("rooms", room, "forget"))
    answer = alice.get(path("rooms", room, "messages") + "?dir=b")
    checks.equal("a forgotten room is not read", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    bob.say(room, "alone")
    leaves = '{"room":{"include_leave":true}}'
    whole = alice.sync(filter=leaves)
    checks.that("nor in a first sync", all(room not in part for part in whole.get("rooms", {}).values()), whole.get("rooms"))
    later = alice.sync(since, filter=leaves)
    checks.that("but the departure is in a later one", room in later["rooms"]["leave"], later)
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    alice.ok("POST", path("rooms", room, "kick"), {"user_id": bob.user})
    checks.equal("who was kicked forgets", bob.post(path("rooms", room, "forget")).status, 200)
    forgotten_and_back(server, checks, alice, bob)


def forgotten_and_back(server, checks, alice, bob):
    room = alice.create_room(preset="private_chat")
    alice.invite(room, bob.user)
    bob.join(room)
    before = alice.say(room, "before")
    bob.leave(room)
    bob.ok("POST", path("rooms", room, "forget"))
    checks.equal("one does not come back uninvited", bob.post(path("join", room)).status, 403)
    alice.invite(room, bob.user)
    bob.join(room)
    read = lambda: [e["event_id"] for e in bob.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=100")["chunk"]]
    checks.that("who is back reads what was", before in read())
    after = alice.say(room, "after")
    checks.equal("and what comes", read()[0], after)
    room = alice.create_room(preset="private_chat")
    alice.invite(room, bob.user)
    bob.leave(room)
    checks.equal("who was only invited forgets", bob.post(path("rooms", room, "forget")).status, 200)
    alice.leave(room)
    checks.equal("and who made it", alice.post(path("rooms", room, "forget")).status, 200)


def departed(server, checks):
    """What one reads of a room that one has left is what it was then."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat", name="N1", topic="T1")
    bob.join(room)
    first = [alice.say(room, f"M{number}") for number in range(3)]
    alice.state(room, "m.room.name", {"name": "N2"})
    token = bob.sync()["next_batch"]
    bob.leave(room)
    alice.state(room, "m.room.name", {"name": "N3"})
    alice.say(room, "later")
    checks.equal("the name of then", content(bob, room, "m.room.name"), {"name": "N2"})
    whole = {(e["type"], e["state_key"]): e["content"] for e in bob.ok("GET", path("rooms", room, "state"))}
    checks.equal("in the whole as well", whole[("m.room.name", "")], {"name": "N2"})
    members = {e["state_key"]: e["content"]["membership"] for e in bob.ok("GET", path("rooms", room, "members"))["chunk"]}
    checks.equal("the members of then", members, {alice.user: "join", bob.user: "leave"})
    page = bob.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=100")["chunk"]
    checks.that("messages until then", set(first) <= {e["event_id"] for e in page} and "later" not in str(page), page)
    page = bob.ok("GET", path("rooms", room, "messages") + f"?dir=f&from={token}&limit=100")["chunk"]
    checks.equal("and not further", [e["type"] for e in page], ["m.room.member"])


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


def knocking(server, checks):
    for version, rule in (("7", "knock"), ("10", "knock"), ("10", "knock_restricted"), ("12", "knock")):
        knocking_in(server, checks, version, rule)


def knocking_in(server, checks, version, rule):
    name = f"knock {version} {rule}"
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="private_chat", name="knock knock", room_version=version)
    answer = bob.post(path("knock", room), {"reason": "let me in"})
    checks.equal(f"{name}: where the rule is another", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    alice.state(room, "m.room.join_rules", {"join_rule": rule})
    checks.equal(f"{name}: one does not just join", bob.post(path("join", room)).status, 403)
    since, own = alice.sync()["next_batch"], bob.sync()["next_batch"]
    checks.equal(f"{name}: the room is answered", bob.ok("POST", path("knock", room), {"reason": "let me in"}), {"room_id": room})
    answer = alice.sync_until(lambda a: bob.user in str(a.get("rooms", {}).get("join", {}).get(room)), since)
    event = [e for e in answer["rooms"]["join"][room]["timeline"]["events"] if e.get("state_key") == bob.user][-1]
    checks.equal(f"{name}: members see it", (event["content"]["membership"], event["content"]["reason"]), ("knock", "let me in"))
    answer = bob.sync_until(lambda a: room in a.get("rooms", {}).get("knock", {}), own)
    shown = {e["type"] for e in answer["rooms"]["knock"][room]["knock_state"]["events"]}
    checks.that(f"{name}: the one who knocks sees what there is", {"m.room.create", "m.room.join_rules", "m.room.name"} <= shown, shown)
    checks.equal(f"{name}: again", bob.post(path("knock", room)).status, 200)
    bob.leave(room)
    checks.equal(f"{name}: taken back", membership(alice, room, bob.user), "leave")
    checks.equal(f"{name}: without a reason", bob.post(path("knock", room)).status, 200)
    alice.ok("POST", path("rooms", room, "kick"), {"user_id": bob.user, "reason": "no"})
    checks.equal(f"{name}: refused", membership(alice, room, bob.user), "leave")
    bob.ok("POST", path("knock", room))
    alice.invite(room, bob.user)
    checks.equal(f"{name}: accepted", membership(alice, room, bob.user), "invite")
    checks.equal(f"{name}: who is invited does not knock", bob.post(path("knock", room)).status, 403)
    bob.join(room)
    checks.equal(f"{name}: nor who is in", bob.post(path("knock", room)).status, 403)
    alice.ok("POST", path("rooms", room, "ban"), {"user_id": bob.user})
    checks.equal(f"{name}: nor who is banned", bob.post(path("knock", room)).status, 403)


def restricted_joins(server, checks):
    for version, rule in (("8", "restricted"), ("11", "restricted"), ("12", "restricted"), ("10", "knock_restricted")):
        restricted_in(server, checks, version, rule)


def restricted_in(server, checks, version, rule):
    name = f"{rule} {version}"
    alice, bob = server.register(), server.register()
    space = alice.create_room(preset="public_chat", creation_content={"type": "m.space"})
    allow = [{"type": "m.room_membership", "room_id": space}]
    room = alice.create_room(preset="public_chat", room_version=version, initial_state=[state("m.room.join_rules", join_rule=rule, allow=allow)])
    enter = lambda: bob.post(path("join", room))
    checks.equal(f"{name}: at first one does not enter", enter().status, 403)
    bob.join(space)
    checks.equal(f"{name}: whoever is in the other room does", enter().status, 200)
    found = content(alice, room, "m.room.member", bob.user)
    checks.equal(f"{name}: and it says who let one in", found.get("join_authorised_via_users_server"), alice.user)
    bob.ok("PUT", path("rooms", room, "state", "m.room.member", bob.user), {"membership": "join", "displayname": "new"})
    checks.that(f"{name}: which no later event does", "join_authorised_via_users_server" not in content(alice, room, "m.room.member", bob.user))
    bob.leave(room)
    bob.leave(space)
    checks.equal(f"{name}: whoever has left the other one does not", enter().status, 403)
    alice.invite(room, bob.user)
    checks.equal(f"{name}: an invitation is enough", enter().status, 200)
    bob.leave(room)
    bob.join(space)
    for broken in ("invalid", [], ["invalid"], [{"type": "m.room_membership", "room_id": 7}]):
        alice.state(room, "m.room.join_rules", {"join_rule": rule, "allow": broken})
        checks.equal(f"{name}: rules that are none let nobody in: {broken}", enter().status, 403)
    without_creators(server, checks, version, rule, name)


def without_creators(server, checks, version, rule, name):
    """Whoever may invite lets in, also when the one who made the room is gone."""
    alice, bob, carol = server.register(), server.register(), server.register()
    space = alice.create_room(preset="public_chat")
    for who in (bob, carol):
        who.join(space)
    allow = [{"type": "m.room_membership", "room_id": space}]
    room = alice.create_room(preset="public_chat", room_version=version, initial_state=[state("m.room.join_rules", join_rule=rule, allow=allow)],
                             power_level_content_override={"invite": 50})
    bob.join(room)
    found = content(alice, room, "m.room.power_levels")
    alice.state(room, "m.room.power_levels", {**found, "users": {**found.get("users", {}), bob.user: 50}})
    alice.leave(room)
    checks.equal(f"{name}: one with the power lets in", carol.post(path("join", room)).status, 200)
    checks.equal(f"{name}: and is named", content(carol, room, "m.room.member", carol.user).get("join_authorised_via_users_server"), bob.user)


def joined_and_members(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    joined, invited, left = (alice.create_room(preset="public_chat") for _ in range(3))
    alice.invite(invited, bob.user)
    for room in (joined, left):
        bob.join(room)
    bob.leave(left)
    checks.equal("one's rooms are those one is in", bob.ok("GET", path("joined_rooms"))["joined_rooms"], [joined])
    bob.ok("PUT", path("profile", bob.user, "displayname"), {"displayname": "Bob"})
    alice.sync_until(lambda a: "Bob" in str(a))
    found = alice.ok("GET", path("rooms", joined, "joined_members"))["joined"]
    checks.equal("members with their names", (set(found), found[bob.user].get("display_name")), ({alice.user, bob.user}, "Bob"))
    token = alice.sync(filter='{"room":{"timeline":{"limit":1}}}')["next_batch"]
    carol.join(joined)
    bob.leave(joined)
    members = lambda query: {e["state_key"] for e in alice.ok("GET", path("rooms", joined, "members") + query)["chunk"]}
    checks.equal("all that ever were", members(""), {alice.user, bob.user, carol.user})
    checks.equal("those who are in", members("?membership=join"), {alice.user, carol.user})
    checks.equal("those who have left", members("?membership=leave"), {bob.user})
    checks.equal("those who have not", members("?not_membership=leave"), {alice.user, carol.user})
    checks.equal("and those of then", members(f"?at={token}"), {alice.user, bob.user})


def member_events(server, checks):
    """Whoever enters and whoever is there see the entry and each other's presence."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    alice.ok("PUT", path("presence", alice.user, "status"), {"presence": "online"})
    bob.ok("PUT", path("presence", bob.user, "status"), {"presence": "online"})
    since = alice.sync()["next_batch"]
    bob.join(room)

    def sees(client, since):
        answer = client.sync_until(lambda a: any(e.get("state_key") == bob.user for e in timeline(a, room)), since)
        return any(e.get("state_key") == bob.user and e["content"]["membership"] == "join" for e in timeline(answer, room))

    checks.that("who enters sees it", sees(bob, None))
    checks.that("who is there sees it", sees(alice, since))
    present = lambda a, who: who.user in [e["sender"] for e in a.get("presence", {}).get("events", [])]
    checks.that("and that they are there", present(alice.sync_until(lambda a: present(a, bob), since), bob))
    checks.that("in a first sync as well", present(alice.sync(filter='{"room":{"timeline":{"limit":1}}}'), bob))
    checks.that("as the other way round", present(bob.sync(filter='{"room":{"timeline":{"limit":1}}}'), alice))


def timeline(answer, room):
    return answer.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {}).get("events", [])


def direct(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="trusted_private_chat", invite=[bob.user], is_direct=True)
    answer = bob.sync_until(lambda a: room in a.get("rooms", {}).get("invite", {}))
    shown = [e for e in answer["rooms"]["invite"][room]["invite_state"]["events"] if e.get("state_key") == bob.user]
    checks.equal("an invitation to talk alone says so", shown[-1]["content"].get("is_direct"), True)
    bob.ok("PUT", path("user", bob.user, "account_data", "m.direct"), {alice.user: [room]})
    answer = bob.sync_until(lambda a: "m.direct" in str(a.get("account_data")), answer["next_batch"])
    found = [e["content"] for e in answer["account_data"]["events"] if e["type"] == "m.direct"]
    checks.equal("whom one talks to alone is kept", found[-1:], [{alice.user: [room]}])


if __name__ == "__main__":
    all_of(joining, inviting, kicking, forgetting, departed, knocking, restricted_joins, joined_and_members, member_events, direct)
