#!/usr/bin/env python3
"""Creating rooms: a request that is refused leaves nothing behind, whatever it is refused for; long lists are refused before work is done.

usage: room_creation.py CLUSTER_FOLDER
"""

import secrets
import sys

from harness import Checks, Server, at_once, path


def name():
    return "alias-" + secrets.token_hex(6)


def stored(server, *users):
    """What is stored of what users made: rooms, those of them without events, aliases, events."""
    names = ", ".join(f"'{user.user}'" for user in users)
    return [int(server.sql(statement)[0][0]) for statement in (
        f"SELECT count(*) FROM rooms WHERE creator IN ({names})",
        f"SELECT count(*) FROM rooms AS r WHERE creator IN ({names}) AND NOT EXISTS (SELECT FROM events AS e WHERE e.room_id = r.room_id)",
        f"SELECT count(*) FROM room_aliases WHERE creator IN ({names})",
        f"SELECT count(*) FROM events WHERE sender IN ({names})")]


def member(user, membership):
    return {"type": "m.room.member", "state_key": user, "content": {"membership": membership}}


def refused(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    domain = server.name
    other_alias = f"#{name()}:{domain}"
    trusted = {"preset": "trusted_private_chat", "room_version": "10"}
    cases = {
        "inviting oneself": ({"invite": [bob.user, alice.user]}, {403}),
        "inviting a user of a server that is not there": ({"invite": [bob.user, "@someone:no-such-server.invalid"]}, {403}),
        "inviting a user whom the initial state bans": (
            {"invite": [bob.user, carol.user], "initial_state": [member(carol.user, "ban")]}, {403}),
        "the same in an old room version": (
            {"room_version": "6", "invite": [bob.user, carol.user], "initial_state": [member(carol.user, "ban")]}, {403}),
        "inviting oneself as one with power": ({**trusted, "invite": [bob.user, alice.user]}, {403}),
        "an alias of the initial state that leads elsewhere": (
            {"invite": [bob.user], "initial_state": [
                {"type": "m.room.canonical_alias", "content": {"alias": other_alias}}]}, {400}),
        "power levels that are none": ({"invite": [bob.user], "power_level_content_override": {"events": {"a": "x"}}}, {400}),
        "a member who is let in by nobody": ({"invite": [bob.user], "initial_state": [member(carol.user, "join")]}, {403}),
        "an access control list that locks the server out": (
            {"invite": [bob.user], "initial_state": [
                {"type": "m.room.server_acl", "content": {"allow": [], "deny": ["*"]}}]}, {400}),
        "a state event that is too large": (
            {"invite": [bob.user], "initial_state": [{"type": "a", "content": {"a": "x" * 70_000}}]}, {413}),
        "a topic that is too large": ({"invite": [bob.user], "topic": "x" * 70_000}, {413}),
        "initial state without power to send it": (
            {"invite": [bob.user], "room_version": "10", "power_level_content_override": {"users": {alice.user: 0}},
             "initial_state": [{"type": "m.room.name", "content": {"name": "n"}}]}, {403}),
    }
    for case, (body, wanted) in cases.items():
        alias = name()
        answer = alice.post(path("createRoom"), {"room_alias_name": alias, **body})
        checks.that(f"{case} is refused", answer.status in wanted, answer)
        found = alice.get(path("directory", "room", f"#{alias}:{domain}"))
        checks.equal(f"{case}: the alias is free", found.status, 404)
    checks.equal("no refused room is stored, nor an alias or an event", stored(server, alice), [0, 0, 0, 0])
    checks.equal("nobody is invited", bob.sync()["rooms"].get("invite", {}) if "rooms" in bob.sync() else {}, {})
    checks.equal("the creator is in no room", alice.ok("GET", path("joined_rooms"))["joined_rooms"], [])


def accepted(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    for version in ("1", "6", "10", "11", "12"):
        alias = f"#{name()}:{server.name}"
        local = alias[1:].split(":")[0]
        room = alice.create_room(
            room_version=version, room_alias_name=local, invite=[bob.user, carol.user, bob.user], is_direct=True, name="N",
            topic="T", initial_state=[{"type": "org.example", "state_key": "k", "content": {"a": 1}}])
        checks.equal(f"{version}: the alias leads there", alice.ok("GET", path("directory", "room", alias))["room_id"], room)
        content = alice.ok("GET", path("rooms", room, "state", "m.room.canonical_alias"))
        checks.equal(f"{version}: and is the canonical one", content, {"alias": alias})
        for user in (bob, carol):
            content = alice.ok("GET", path("rooms", room, "state", "m.room.member", user.user))
            checks.that(
                f"{version}: each is invited", content["membership"] == "invite" and content["is_direct"] is True, content)
            answer = user.sync_until(lambda found: room in found.get("rooms", {}).get("invite", {}))
            shown = answer.get("rooms", {}).get("invite", {}).get(room, {}).get("invite_state", {}).get("events", [])
            kinds = {event["type"] for event in shown}
            checks.that(f"{version}: the invitation shows the room", {"m.room.create", "m.room.name"} <= kinds, kinds)
        bob.join(room)
        alice.say(room, "welcome")
        answer = bob.sync_until(lambda found: room in found.get("rooms", {}).get("join", {}))
        events = answer["rooms"]["join"][room]["timeline"]["events"]
        checks.equal(f"{version}: and can be joined", events[-1]["content"].get("body"), "welcome")
    room = alice.create_room(preset="trusted_private_chat", room_version="12", invite=[bob.user])
    creators = alice.ok("GET", path("rooms", room, "state", "m.room.create"))["additional_creators"]
    checks.equal("a trusted guest is a creator", creators, [bob.user])


def same_alias_at_once(server, checks):
    sessions = [server.register() for _ in range(4)]
    alias = name()
    answers = at_once(4, lambda number: sessions[number].post(path("createRoom"), {"room_alias_name": alias}))
    made = [answer.json["room_id"] for answer in answers if answer.status == 200]
    checks.equal("of several rooms with one alias one is made", len(made), 1)
    found = sessions[0].ok("GET", path("directory", "room", f"#{alias}:{server.name}"))
    checks.equal("and the alias leads to it", [found["room_id"]], made)
    checks.equal("nothing is left of the others", stored(server, *sessions)[:3], [1, 0, 1])


def long_lists(server, checks):
    alice = server.register()
    users = [f"@u{number}:{server.name}" for number in range(1001)]
    states = [{"type": "org.example", "state_key": str(number), "content": {}} for number in range(1001)]
    for case, body in {"invite": {"invite": users}, "initial_state": {"initial_state": states}}.items():
        answer = alice.post(path("createRoom"), body)
        checks.that(f"a long {case} is refused", answer.status == 413 and answer.errcode == "M_TOO_LARGE", answer)
    checks.equal("without a room", stored(server, alice), [0, 0, 0, 0])
    room = alice.create_room(initial_state=states[:1000])
    found = alice.ok("GET", path("rooms", room, "state"))
    checks.equal("a shorter one is taken", sum(event["type"] == "org.example" for event in found), 1000)
    room = alice.create_room(invite=users[:300])
    found = alice.ok("GET", path("rooms", room, "members") + "?membership=invite")
    checks.equal("many are invited", len(found["chunk"]), 300)


def aliases_by_bytes(server, checks):
    alice = server.register()
    stem = secrets.token_hex(6)
    composed, combined = f"#{stem}\u00e9:{server.name}", f"#{stem}e\u0301:{server.name}"
    room = alice.create_room()
    alice.ok("PUT", path("directory", "room", composed), {"room_id": room})
    alice.state(room, "m.room.canonical_alias", {"alias": composed, "alt_aliases": [composed]})
    for content in ({"alias": combined}, {"alt_aliases": [combined]}, {"alias": composed, "alt_aliases": [composed, combined]}):
        answer = alice.put(path("rooms", room, "state", "m.room.canonical_alias"), content)
        checks.that("an alias that looks like a verified one is not", answer.status == 400 and answer.errcode == "M_BAD_ALIAS", answer)
    alice.ok("PUT", path("directory", "room", combined), {"room_id": room})
    alice.state(room, "m.room.canonical_alias", {"alias": composed, "alt_aliases": [composed, combined]})
    alice.ok("DELETE", path("directory", "room", combined))
    content = alice.ok("GET", path("rooms", room, "state", "m.room.canonical_alias"))
    checks.equal("removing one leaves the other", content, {"alias": composed, "alt_aliases": [composed]})


def main():
    server, checks = Server(sys.argv[1]), Checks()
    refused(server, checks)
    accepted(server, checks)
    same_alias_at_once(server, checks)
    long_lists(server, checks)
    aliases_by_bytes(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
