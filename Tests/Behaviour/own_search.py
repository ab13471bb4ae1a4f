#!/usr/bin/env python3
"""The list of published rooms: no room spoils it for others, and its search ignores case in every script.

usage: own_search.py FOLDER BINARIES
"""

import secrets
import sys

from harness import V3, Checks, own_server, path

# What is looked for, and the name that has it: in Latin, Cyrillic, Greek, Armenian, Georgian, Deseret, with letters of two lengths, and in two forms.
PAIRS = [
    ("öach", "Öach"), ("ÖACH", "Öach"), ("o\u0308ach", "Öach"), ("öach", "O\u0308ach"), ("rOOM", "Room"),
    ("привет", "ПРИВЕТ мир"), ("ПРИВЕТ М", "привет мир"), ("οδυσσευσ", "ΟΔΥΣΣΕΥΣ"), ("ΟΔΥΣΣΕΎΣ", "Οδυσσεύς"),
    ("strasse", "Straße"), ("STRAẞE", "Straße"), ("հայ", "ՀԱՅ"), ("𐐨", "\U00010400"), ("kelvin", "\u212aelvin"),
    ("ångström", "\u212bngström"), ("ﬁnd", "FIND"), ("ｆｕｌｌ", "Full"), ("각", "\u1100\u1161\u11a8"), ("\u1100\u1161\u11a8", "각"),
]
DIFFERENT = [("oach", "Öach"), ("привет", "privet"), ("ss", "s"), ("%", "percent"), ("_", "line"), ("각", "가")]


def rooms_of(answer):
    return {room["room_id"]: room for room in (answer or {}).get("chunk", [])}


class Search:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice = server.register()

    def publish(self, **options):
        return self.alice.create_room(preset="public_chat", visibility="public", **options)

    def find(self, term, client=None, **options):
        return (client or self.alice).call("POST", f"{V3}/publicRooms", {"filter": {"generic_search_term": term}, **options})

    def ill_content(self):
        """Whatever stands in a room's state, the list is answered, to everybody, and has the other rooms."""
        mark = secrets.token_hex(4)
        good = self.publish(name=f"good {mark}")
        bad = self.publish(name=f"bad {mark}")
        kinds = {
            "m.room.name": "name", "m.room.topic": "topic", "m.room.avatar": "url", "m.room.guest_access": "guest_access",
            "m.room.history_visibility": "history_visibility"}
        for text in (f"nul \0 {mark}", f"\ufffe {mark}", f"\U0010ffff {mark}", 7, None, [], {"\0": "\0"}):
            for kind, key in kinds.items():
                answer = self.alice.call("PUT", path("rooms", bad, "state", kind, ""), {key: text, "\0": "\0"})
                self.checks.that(f"a {kind} of {text!r} is taken or refused", answer.status in (200, 400), answer)
            for who, client in (("its author", self.alice), ("a stranger", self.server.register())):
                answer = client.get(f"{V3}/publicRooms")
                self.checks.equal(f"the list with {text!r} for {who}", answer.status, 200)
                found = self.find(mark, client)
                if self.checks.equal(f"a search with {text!r} for {who}", found.status, 200):
                    self.checks.that(f"the other room is found beside {text!r}", good in rooms_of(found.json), found)
        self.alice.state(bad, "m.room.name", {"name": f"n\0l {mark}"})
        listed = rooms_of(self.find(mark).json)
        self.checks.equal("a name with U+0000 is shown as it is", listed.get(bad, {}).get("name"), f"n\0l {mark}")
        # Joined rooms have a row of their own with name and type, which is made of the whole state when a room is joined again.
        bob = self.server.register()
        bob.join(bad)
        for client in (bob, self.alice):
            client.leave(bad)
        rejoined = bob.call("POST", path("join", bad))
        self.checks.that("a room with such state is joined again, or has nobody who could let one in", rejoined.status in (200, 403, 404), rejoined)

    def case(self):
        for term, name in PAIRS:
            mark = secrets.token_hex(4)
            room = self.publish(name=f"{mark} {name}")
            topical = self.publish(topic=f"{mark} {name} and more")
            found = self.find(f"{mark} {term}")
            self.checks.that(f"{term!r} finds the name {name!r}", found.status == 200 and room in rooms_of(found.json), found)
            self.checks.that(f"{term!r} finds the topic {name!r}", found.status == 200 and topical in rooms_of(found.json), found)
            self.checks.equal(f"{term!r}: the number of rooms", found["total_room_count_estimate"], 2)
        for term, name in DIFFERENT:
            mark = secrets.token_hex(4)
            room = self.publish(name=f"{mark} {name}")
            self.checks.that(f"{term!r} does not find {name!r}", room not in rooms_of(self.find(f"{mark} {term}").json))

    def alias(self):
        mark = secrets.token_hex(4)
        room = self.publish(room_alias_name=f"{mark}-Ärger")
        self.checks.that("a canonical alias is found in any case", room in rooms_of(self.find(f"{mark}-äRGER").json))

    def changes(self):
        """A name that changes or is redacted is found by what it is now."""
        mark = secrets.token_hex(4)
        room = self.publish(name=f"first {mark}")
        self.checks.that("the first name is found", room in rooms_of(self.find(f"FIRST {mark}").json))
        event = self.alice.state(room, "m.room.name", {"name": f"second {mark}"})
        self.checks.that("the old name is not found", room not in rooms_of(self.find(f"first {mark}").json))
        self.checks.that("the new name is found", room in rooms_of(self.find(f"second {mark}").json))
        self.alice.ok("PUT", path("rooms", room, "redact", event, self.alice.transaction()), {})
        self.checks.that("a redacted name is not found", room not in rooms_of(self.find(mark).json))
        self.alice.state(room, "m.room.join_rules", {"join_rule": "invite"})
        self.alice.state(room, "m.room.name", {"name": f"third {mark}"})
        self.checks.that("a room that one cannot join is not listed", room not in rooms_of(self.find(mark).json))
        self.alice.state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
        self.checks.that("a room that everybody reads is listed", room in rooms_of(self.find(mark).json))

    def pages(self):
        mark = secrets.token_hex(4)
        rooms = [self.publish(name=f"{mark} {number}") for number in range(7)]
        self.server.register().join(rooms[3])
        seen, since = [], None
        for _ in range(10):
            page = self.find(mark.upper(), limit=3, **({"since": since} if since else {})).json
            self.checks.equal("the number of rooms on each page", page["total_room_count_estimate"], 7)
            seen.append([room["room_id"] for room in page["chunk"]])
            since = page.get("next_batch")
            if not since:
                break
        self.checks.equal("pages hold", [len(page) for page in seen], [3, 3, 1])
        self.checks.equal("all rooms are on the pages, once", sorted(sum(seen, [])), sorted(rooms))
        self.checks.equal("the room with most members comes first", seen[0][0], rooms[3])
        back = self.find(mark, limit=3, since=page["prev_batch"]).json
        self.checks.equal("the page before", [room["room_id"] for room in back["chunk"]], seen[1])

    def types(self):
        mark = secrets.token_hex(4)
        space = self.publish(name=f"{mark} space", creation_content={"type": "m.space"})
        plain = self.publish(name=f"{mark} plain")
        for types, wanted in ((["m.space"], {space}), ([None], {plain}), ([None, "m.space"], {space, plain}), (["m.spac\u0435"], set())):
            body = {"filter": {"generic_search_term": mark, "room_types": types}}
            found = self.alice.ok("POST", f"{V3}/publicRooms", body)
            self.checks.equal(f"rooms of the types {types}", set(rooms_of(found)), wanted)
            self.checks.equal("and their number", found["total_room_count_estimate"], len(wanted))


def main():
    checks = Checks()
    for mode in ("monolith", "cluster"):
        with own_server(sys.argv[1], sys.argv[2], mode, "room_list_publication_rules: [{action: allow}]\n") as server:
            search = Search(server, checks)
            for part in (search.ill_content, search.case, search.alias, search.changes, search.pages, search.types):
                part()
    checks.end()


if __name__ == "__main__":
    main()
