#!/usr/bin/env python3
"""Overviews of rooms, and the rooms below a space: order, pages on any process, and who may see what.

usage: spaces.py CLUSTER_FOLDER
"""

import sys
import time
from urllib.parse import quote

from harness import Checks, Server, path

VIA = {"via": ["localhost"]}


class Spaces:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice = server.register()

    def space(self, **options):
        return self.alice.create_room(preset="public_chat", creation_content={"type": "m.space"}, **options)

    def put(self, space, room, **content):
        self.alice.state(space, "m.space.child", {**VIA, **content}, room)

    def rooms(self, space, client=None, address=None, **query):
        client = client or self.server.register()
        client = client.at(address) if address else client
        text = "&".join(f"{key}={quote(str(value))}" for key, value in query.items())
        return client.get(f"/_matrix/client/v1/rooms/{quote(space)}/hierarchy?{text}")

    def order(self):
        """By `order`, then by age; an order that may not be counts as none."""
        space = self.space()
        named = {}
        for name, content in {
            "late": {}, "later": {"order": "x" * 51}, "latest": {"order": "\u00e9"}, "b": {"order": "b"}, "a": {"order": "a"}, "upper": {"order": "Z"},
            "number": {"order": 1},
        }.items():
            room = self.alice.create_room(preset="public_chat", name=name)
            named[room] = name
            self.put(space, room, **content)
            # Ties of one millisecond are no order.
            start = time.time()
            while time.time() < start + 0.002:
                pass
        found = self.rooms(space)
        names = [named.get(room["room_id"]) for room in found["rooms"]]
        self.checks.equal("children in their order", names, [None, "upper", "a", "b", "late", "later", "latest", "number"])
        keys = [child["state_key"] for child in found["rooms"][0]["children_state"]]
        self.checks.equal("children_state in the same order", [named[key] for key in keys], names[1:])

    def pages(self):
        """Depth first, each room once, in pages that any process goes on with."""
        top, inner = self.space(), self.space()
        rooms = [self.alice.create_room(preset="public_chat") for _ in range(6)]
        self.put(top, rooms[0], order="a")
        self.put(top, inner, order="b")
        self.put(top, rooms[1], order="c")
        for number, room in enumerate(rooms[2:]):
            self.put(inner, room, order=str(number))
        self.put(inner, top, order="z")
        self.put(inner, rooms[0], order="z")
        wanted = [top, rooms[0], inner, *rooms[2:], rooms[1]]
        reader = self.server.register()
        whole = self.rooms(top, reader)
        self.checks.equal("all rooms once, depth first", [room["room_id"] for room in whole["rooms"]], wanted)
        self.checks.that("the last page has no token", "next_batch" not in whole.json)
        seen, token = [], None
        for number in range(6):
            address = self.server.workers[number % len(self.server.workers)]
            page = self.rooms(top, reader, address, limit=3, **({"from": token} if token else {}))
            if not self.checks.equal("a page", page.status, 200):
                return
            seen += [room["room_id"] for room in page["rooms"]]
            token = page.json.get("next_batch")
            if not token:
                break
        self.checks.equal("the pages together", seen, wanted)
        first = self.rooms(top, reader, limit=2)["next_batch"]
        one, other = (self.rooms(top, reader, limit=2, **{"from": first}) for _ in range(2))
        self.checks.equal("a page that is asked for again is the same", other["rooms"], one["rooms"])
        for label, client, query in (
            ("another user", self.server.register(), {}), ("another depth", reader, {"max_depth": 1}), ("another choice", reader, {"suggested_only": "true"}),
        ):
            answer = self.rooms(top, client, **{"from": first, **query})
            self.checks.equal(f"a token of {label}", (answer.status, answer.errcode), (400, "M_INVALID_PARAM"))
        for token in ("", "nonsense", "\0", "x" * 5000):
            answer = self.rooms(top, self.server.register(), **{"from": token})
            self.checks.that(f"a token {token[:9]!r}", answer.status in (400, 200) and (answer.status == 400 or token == ""), answer)

    def depth(self):
        chain = [self.space() for _ in range(4)]
        for outer, inner in zip(chain, chain[1:]):
            self.put(outer, inner)
        for depth in range(4):
            found = self.rooms(chain[0], max_depth=depth)
            self.checks.equal(f"depth {depth}", [room["room_id"] for room in found["rooms"]], chain[: depth + 1])
        for wrong in ("-1", "x", "1.5"):
            self.checks.equal(f"depth {wrong}", self.rooms(chain[0], max_depth=wrong).status, 400)

    def access(self):
        """Rooms that one may not know of are left out, and what is below them too."""
        top, secret = self.space(), self.alice.create_room(creation_content={"type": "m.space"})
        below = self.alice.create_room(preset="public_chat")
        members = self.alice.create_room(room_version="11", initial_state=[
            {"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": top}]}}])
        for room in (secret, members, "!unknown:localhost", "!unknown:example.org"):
            self.put(top, room)
        self.put(secret, below)
        stranger, member, invited = (self.server.register() for _ in range(3))
        member.join(top)
        self.alice.invite(secret, invited.user)
        for label, client, wanted in (
            ("a stranger", stranger, {top}), ("a member", member, {top, members}), ("who is invited", invited, {top, secret, below}),
            ("the creator", self.alice, {top, members, secret, below}),
        ):
            found = self.rooms(top, client)
            self.checks.equal(f"what {label} sees", {room["room_id"] for room in found["rooms"]}, wanted)
        self.checks.equal("a space one may not see", self.rooms(secret, stranger).status, 403)
        self.checks.equal("a summary one may not see", self.summary(secret, stranger).status, 404)
        self.checks.equal("a summary with an invitation", self.summary(secret, invited).json.get("membership"), "invite")
        self.checks.equal("the rooms that let one in", self.summary(members, member)["allowed_room_ids"], [top])
        anonymous = self.summary(top, self.server.anonymous())
        self.checks.that("a summary without an account", anonymous.status == 200 and "membership" not in anonymous.json, anonymous)
        self.checks.equal("no summary without an account", self.summary(members, self.server.anonymous()).status, 404)
        self.put(top, below)
        self.alice.state(top, "m.space.child", {}, below)
        self.checks.that("a child taken out", below not in str(self.rooms(top)["rooms"]))
        self.alice.leave(members)
        self.checks.equal("a room that all have left", self.summary(members, member).status, 400)

    def summary(self, room, client):
        return client.get(f"/_matrix/client/v1/room_summary/{quote(room)}")

    def hostile(self):
        """Whatever is in the state of a space, its hierarchy is answered."""
        space = self.space()
        good = self.alice.create_room(preset="public_chat")
        for number, content in enumerate((
            {"via": []}, {"via": [5]}, {"via": "x"}, {"via": None}, {"via": ["x"], "order": []}, {"via": ["x"], "suggested": "true"}, {"via": ["\0"]},
            {"via": ["x"] * 1000},
        )):
            self.alice.state(space, "m.space.child", content, f"!child{number}:localhost")
        self.alice.call("PUT", path("rooms", space, "state", "m.space.child", "no room"), VIA)
        self.alice.state(space, "m.room.name", {"name": "n\0l"})
        self.put(space, good)
        for query in ({}, {"limit": 1}, {"suggested_only": "true"}):
            self.checks.equal(f"a space full of nonsense {query}", self.rooms(space, **query).status, 200)
        self.checks.that("its good child", good in [room["room_id"] for room in self.rooms(space)["rooms"]])

    def limit(self):
        reader = self.server.register()
        space = self.space()
        answers = [self.rooms(space, reader, self.server.workers[0]) for _ in range(30)]
        refused = [answer for answer in answers if answer.status == 429]
        self.checks.that("who asks too often waits", refused and refused[0].json.get("retry_after_ms", 0) > 0, answers[-1])


def main():
    checks = Checks()
    spaces = Spaces(Server(sys.argv[1]), checks)
    for part in (spaces.order, spaces.pages, spaces.depth, spaces.access, spaces.hostile, spaces.limit):
        part()
    checks.end()


if __name__ == "__main__":
    main()
