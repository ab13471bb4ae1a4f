#!/usr/bin/env python3
"""Rooms that are replaced by rooms of another version: what goes over, what happens to the old one, and that it happens once.

usage: upgrades.py CLUSTER_FOLDER
"""

import sys
from urllib.parse import quote

from harness import V3, Checks, Server, at_once, path


class Upgrades:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice = server.register()

    def upgrade(self, room, version="11", client=None, **more):
        return (client or self.alice).post(path("rooms", room, "upgrade"), {"new_version": version, **more})

    def content(self, room, kind, key="", client=None):
        answer = (client or self.alice).get(path("rooms", room, "state", kind, key))
        return answer.json if answer.status == 200 else answer.errcode

    def whole(self, old_version, new_version):
        label = f"{old_version} to {new_version}:"
        bob = self.server.register()
        alias = "old" + self.alice.transaction().replace("-", "")
        room = self.alice.create_room(
            room_version=old_version, preset="public_chat", visibility="private", name="Name", topic="Topic", room_alias_name=alias,
            initial_state=[
                {"type": "m.room.avatar", "content": {"url": "mxc://localhost/a"}},
                {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
                {"type": "m.room.history_visibility", "content": {"history_visibility": "invited"}},
                {"type": "org.example.own", "content": {"a": 1}}])
        bob.join(room)
        full = f"#{alias}:{self.server.name}"
        self.alice.ok("POST", path("rooms", room, "ban"), {"user_id": f"@enemy:{self.server.name}", "reason": "spam"})
        bob.ok("PUT", path("user", bob.user, "rooms", room, "tags", "u.mine"), {"order": 0.25})
        bob.ok("PUT", path("user", bob.user, "account_data", "m.direct"), {self.alice.user: [room]})
        bob.ok("PUT", path("pushrules", "global", "room", room), {"actions": ["notify"]})
        last = self.alice.say(room, "last words")
        answer = self.upgrade(room, new_version)
        if not self.checks.equal(f"{label} is replaced", answer.status, 200):
            return
        new = answer["replacement_room"]
        self.checks.equal(f"{label} the tombstone names the new room", self.content(room, "m.room.tombstone")["replacement_room"], new)
        create = self.content(new, "m.room.create")
        self.checks.equal(f"{label} the new room's version", create["room_version"], new_version)
        self.checks.equal(f"{label} the predecessor", create["predecessor"]["room_id"], room)
        if new_version != "12":
            event = self.alice.get(path("rooms", room, "state", "m.room.tombstone") + "?format=event")
            self.checks.equal(f"{label} the predecessor's last event", create["predecessor"].get("event_id"), event["event_id"])
        for kind in ("name", "topic", "avatar", "encryption", "history_visibility", "join_rules"):
            self.checks.equal(f"{label} {kind} goes over", self.content(new, f"m.room.{kind}"), self.content(room, f"m.room.{kind}"))
        self.checks.equal(f"{label} unknown state does not", self.content(new, "org.example.own"), "M_NOT_FOUND")
        self.checks.equal(f"{label} bans go over", self.content(new, "m.room.member", f"@enemy:{self.server.name}").get("membership"), "ban")
        self.checks.equal(f"{label} the alias goes over", self.alice.ok("GET", path("directory", "room", full))["room_id"], new)
        self.checks.equal(f"{label} the canonical alias goes over", self.content(new, "m.room.canonical_alias").get("alias"), full)
        self.checks.that(f"{label} and leaves the old room", "alias" not in self.content(room, "m.room.canonical_alias"))
        levels = self.content(new, "m.room.power_levels")
        self.checks.equal(f"{label} the levels are the old ones at last", levels.get("events_default", 0), 0)
        self.checks.equal(f"{label} the creator's level", levels["users"].get(self.alice.user), None if new_version == "12" else 150 if old_version == "12" else 100)
        self.checks.equal(f"{label} the old room falls silent", self.content(room, "m.room.power_levels")["events_default"], 50)
        refused = bob.call("PUT", path("rooms", room, "send", "m.room.message", "x"), {"msgtype": "m.text", "body": "x"})
        self.checks.equal(f"{label} nobody speaks there", refused.status, 403)
        bob.join(new)
        bob.say(new, "hello")
        self.checks.equal(f"{label} tags", bob.ok("GET", path("user", bob.user, "rooms", new, "tags"))["tags"], {"u.mine": {"order": 0.25}})
        direct = bob.ok("GET", path("user", bob.user, "account_data", "m.direct"))
        self.checks.equal(f"{label} direct rooms", direct, {self.alice.user: [room, new]})
        self.checks.equal(f"{label} push rules", bob.call("GET", path("pushrules", "global", "room", new)).status, 200)
        self.checks.that(f"{label} the old messages stay", last in str(self.alice.get(path("rooms", room, "messages") + "?dir=b&limit=50").json))

    def listed(self):
        room = self.alice.create_room(preset="public_chat", room_version="11")
        self.server.sql(f"UPDATE rooms SET is_public = true WHERE room_id = '{room}'")
        new = self.upgrade(room)["replacement_room"]
        listed = {row[0] for row in self.server.sql("SELECT room_id FROM rooms WHERE is_public")}
        self.checks.that("the list has the new room in place of the old", new in listed and room not in listed, listed)

    def power(self):
        """Who may send the tombstone may replace the room, however high its other state stands; nobody else may."""
        bob = self.server.register()
        levels = {"users": {self.alice.user: 60, bob.user: 50}, "events": {"m.room.tombstone": 50, "m.room.name": 90, "m.room.power_levels": 60}}
        room = self.alice.create_room(room_version="10", preset="public_chat", name="High")
        bob.join(room)
        whole = self.content(room, "m.room.power_levels")
        self.alice.state(room, "m.room.power_levels", {**whole, **levels, "events": {**whole["events"], **levels["events"]}})
        carol = self.server.register()
        carol.join(room)
        self.checks.equal("a plain member", (self.upgrade(room, client=carol).status, self.upgrade(room, client=self.server.register()).status), (403, 403))
        answer = self.upgrade(room, client=bob)
        if self.checks.equal("a moderator below some state", answer.status, 200):
            new = answer["replacement_room"]
            self.checks.equal("has copied it", self.content(new, "m.room.name", client=bob), {"name": "High"})
            self.checks.equal("and is a moderator again", self.content(new, "m.room.power_levels", client=bob)["users"].get(bob.user), 50)

    def refusals(self):
        room = self.alice.create_room()
        for label, version, wanted in (
            ("an unknown version", "77", (400, "M_UNSUPPORTED_ROOM_VERSION")), ("no text", 5, (400, "M_UNSUPPORTED_ROOM_VERSION")),
            ("a list", ["11"], (400, "M_UNSUPPORTED_ROOM_VERSION")), ("U+0000", "\0", (400, "M_UNSUPPORTED_ROOM_VERSION")),
        ):
            answer = self.upgrade(room, version)
            self.checks.equal(label, (answer.status, answer.errcode), wanted)
        answer = self.alice.post(path("rooms", room, "upgrade"), {})
        self.checks.equal("no version", (answer.status, answer.errcode), (400, "M_MISSING_PARAM"))
        self.checks.equal("an unknown room", self.upgrade("!none:localhost").status, 404)
        for creators in ("x", [5], ["x"], ["@a:b"] * 2000, {"a": 1}):
            answer = self.upgrade(room, "12", additional_creators=creators)
            self.checks.that(f"creators {str(creators)[:20]}", 400 <= answer.status < 500, answer)
        self.checks.equal("none of it has replaced the room", self.content(room, "m.room.tombstone"), "M_NOT_FOUND")

    def creators(self):
        bob = self.server.register()
        room = self.alice.create_room(room_version="11", preset="public_chat")
        bob.join(room)
        levels = self.content(room, "m.room.power_levels")
        self.alice.state(room, "m.room.power_levels", {**levels, "users": {**levels["users"], bob.user: 100}})
        new = self.upgrade(room, "12", additional_creators=[bob.user])["replacement_room"]
        self.checks.equal("further creators", self.content(new, "m.room.create").get("additional_creators"), [bob.user])
        self.checks.equal("who are in no list of levels", self.content(new, "m.room.power_levels").get("users"), {})
        bob.join(new)
        bob.state(new, "m.room.name", {"name": "Bob's too"})

    def space(self):
        children = [self.alice.create_room(), self.alice.create_room()]
        space = self.alice.create_room(creation_content={"type": "m.space", "m.federate": False}, room_version="11")
        self.alice.state(space, "m.space.child", {"via": ["localhost"], "order": "a"}, children[0])
        self.alice.state(space, "m.space.child", {}, children[1])
        new = self.upgrade(space)["replacement_room"]
        create = self.content(new, "m.room.create")
        self.checks.equal("type and federation go over", (create.get("type"), create.get("m.federate")), ("m.space", False))
        self.checks.equal("children go over", self.content(new, "m.space.child", children[0]), {"via": ["localhost"], "order": "a"})
        self.checks.equal("but those taken out", self.content(new, "m.space.child", children[1]), "M_NOT_FOUND")

    def at_once(self):
        """Asked at once by one user, and by another, there is one new room, or the other is told to wait."""
        bob = self.server.register()
        room = self.alice.create_room(room_version="11", preset="public_chat")
        bob.join(room)
        levels = self.content(room, "m.room.power_levels")
        self.alice.state(room, "m.room.power_levels", {**levels, "users": {**levels["users"], bob.user: 100}})
        answers = at_once(8, lambda number: self.upgrade(room, "11", self.alice.at(self.server.workers[number % len(self.server.workers)])))
        self.checks.equal("all are answered", {answer.status for answer in answers}, {200})
        rooms = {answer["replacement_room"] for answer in answers}
        made = self.server.sql(f"SELECT count(*) FROM state_events WHERE room_id = '{room}' AND type = 'm.room.tombstone'")
        self.checks.equal("there are as many tombstones as rooms", made, [[str(len(rooms))]])

    def once(self):
        """A transaction id of createRoom makes one room."""
        target = f"{V3}/createRoom/{quote(self.alice.transaction())}"
        rooms = {answer["room_id"] for answer in at_once(4, lambda _: self.alice.put(target, {}))}
        rooms.add(self.alice.put(target, {})["room_id"])
        self.checks.equal("one room for one transaction", len(rooms), 1)
        self.checks.that("another device makes another", self.server.login(self.alice.user).put(target, {})["room_id"] not in rooms)


def main():
    checks = Checks()
    upgrades = Upgrades(Server(sys.argv[1]), checks)
    for old, new in (("1", "10"), ("10", "11"), ("11", "12"), ("12", "12"), ("12", "11")):
        upgrades.whole(old, new)
    for part in (upgrades.listed, upgrades.power, upgrades.refusals, upgrades.creators, upgrades.space, upgrades.at_once, upgrades.once):
        part()
    checks.end()


if __name__ == "__main__":
    main()
