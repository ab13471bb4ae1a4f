#!/usr/bin/env python3
"""What Complement and sytest ask of the list of published rooms, which nobody publishes in by default.

Each function is named by a row of Docs/conformance.md.

usage: own_conformance.py FOLDER BINARIES
"""

import secrets
import sys

from harness import V3, Checks, own_server, path

SETTINGS = "room_list_publication_rules: [{action: allow}]\n"


def state(kind, key="", **content):
    return {"type": kind, "state_key": key, "content": content}


def published(server, checks):
    alice = server.register()
    room = alice.create_room(visibility="public")
    target = path("directory", "list", "room", room)
    checks.equal("a public room is listed", alice.ok("GET", target)["visibility"], "public")
    alice.ok("PUT", target, {"visibility": "private"})
    checks.equal("until it is not", alice.ok("GET", target)["visibility"], "private")
    alice.ok("PUT", target, {"visibility": "public"})
    checks.equal("and again", alice.ok("GET", target)["visibility"], "public")


def room_list(server, checks):
    alice = server.register()
    mark = secrets.token_hex(4)
    rooms = {
        "plain": {"name": f"plain {mark}"}, "topical": {"topic": f"about {mark}"},
        "both": {"name": f"both {mark}", "topic": f"about both {mark}"}, "alias": {"room_alias_name": f"alias{mark}"}}
    made = {key: alice.create_room(preset="public_chat", visibility="public", **body) for key, body in rooms.items()}
    listed = {each["room_id"]: each for each in alice.ok("GET", V3 + "/publicRooms?limit=1000")["chunk"]}
    for key, room in made.items():
        each = listed.get(room, {})
        wanted = rooms[key]
        checks.equal(f"{key}: name", each.get("name"), wanted.get("name"))
        checks.equal(f"{key}: topic", each.get("topic"), wanted.get("topic"))
        checks.equal(f"{key}: members", each.get("num_joined_members"), 1)
        checks.that(f"{key}: whether it may be read and entered", each.get("world_readable") is False and each.get("guest_can_join") is False, each)
        checks.equal(f"{key}: how one enters", each.get("join_rule"), "public")
        checks.equal(f"{key}: alias", each.get("canonical_alias"), f"#alias{mark}:{server.name}" if key == "alias" else None)
    alice.state(made["plain"], "m.room.avatar", {"url": "mxc://example.org/picture"})
    listed = {each["room_id"]: each for each in alice.ok("GET", V3 + "/publicRooms?limit=1000")["chunk"]}
    checks.equal("a picture is shown", listed[made["plain"]].get("avatar_url"), "mxc://example.org/picture")
    found = alice.ok("POST", path("publicRooms"), {"filter": {"generic_search_term": mark}})
    checks.equal("a search finds them all", {each["room_id"] for each in found["chunk"]}, set(made.values()))
    seen, since = [], ""
    while True:
        page = alice.ok("GET", f"{V3}/publicRooms?limit=2{since}")
        seen += [each["room_id"] for each in page["chunk"]]
        if "next_batch" not in page:
            break
        since = f"&since={page['next_batch']}"
    checks.that("pages have every room once", len(seen) == len(set(seen)) and set(made.values()) <= set(seen), seen)
    same = alice.ok("GET", f"{V3}/publicRooms?limit=1000&server={server.name}")
    checks.that("under our own name as well", set(made.values()) <= {each["room_id"] for each in same["chunk"]})


def knock_list(server, checks):
    alice = server.register()
    for rule in ("knock", "knock_restricted"):
        room = alice.create_room(visibility="public", room_version="10", name=f"listed {rule}", initial_state=[state("m.room.join_rules", join_rule=rule)])
        found = {e["room_id"]: e for e in alice.ok("GET", V3 + "/publicRooms?limit=1000")["chunk"]}
        checks.equal(f"a room with the rule {rule} is listed with it", found.get(room, {}).get("join_rule"), rule)


def main():
    checks = Checks()
    with own_server(sys.argv[1], sys.argv[2], settings=SETTINGS) as server:
        for part in (published, room_list, knock_list):
            part(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
