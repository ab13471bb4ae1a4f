#!/usr/bin/env python3
"""The user directory and the statistics: the tables that Myelin keeps are those that a real Synapse keeps.

usage: directory.py FOLDER BINARIES          (with a Python that has matrix-synapse 1.163.2)

The same is done in two parts on servers with databases of their own: both by Synapse, both by Myelin, one by each in either order. Afterwards the tables
hold the same, and searches find the same in the same order. Then Myelin fills the tables anew, as for a database that has none.
"""

import sys
import time
from pathlib import Path
from urllib.parse import quote

from parts.caller import Caller, person
from parts.checks import Checks
from parts.servers import Myelin, Synapse, settings

PEOPLE = ["alice", "bob", "carol", "dave", "erin", "frank"]
TABLES = {
    "user_directory": "user_id, display_name, avatar_url",
    "user_directory_search": "user_id, vector",
    "users_in_public_rooms": "user_id, room_id",
    "users_who_share_private_rooms": "user_id, other_user_id, room_id",
    "room_stats_state": "room_id, name, canonical_alias, join_rules, history_visibility, encryption, avatar, guest_access, is_federatable, topic, room_type",
    "room_stats_current": "room_id, current_state_events, joined_members, invited_members, left_members, banned_members, local_users_in_room, knocked_members",
    "user_stats_current": "user_id, joined_rooms",
}
FILLING = [
    "populate_user_directory_createtables", "populate_user_directory_process_rooms", "populate_user_directory_process_users",
    "populate_user_directory_cleanup",
]
SEARCHES = ["alice", "ali", "böse", "BÖSE", "bob localhost", "user-71", "@carol:localhost", "カタ", "zz", "o'neil", "localhost", "éa", "frank.x"]


class Unrecorded:
    """Takes the place of a recorder: only the tables matter here."""

    def __init__(self, base):
        self.base = base

    def note(self, label, status, body):
        if status != 200:
            raise AssertionError(f"{label}: {status} {body}")


class Town:
    """People and rooms on one server, which may be another one in the second part."""

    def __init__(self, server):
        self.server, self.people, self.rooms, self.turn = server, {}, {}, 0

    def at(self, base):
        for caller in self.people.values():
            caller.recorder = Unrecorded(base)
        self.base = base

    def room(self, label, creator, **options):
        self.rooms[label] = self.people[creator].post("", "createRoom", options)["room_id"]

    def does(self, who, what, room, **body):
        self.people[who].post("", f"rooms/{quote(self.rooms[room])}/{what}", body)

    def state(self, who, room, kind, **content):
        self.people[who].put("", f"rooms/{quote(self.rooms[room])}/state/{kind}/", content)

    def named(self, who, field, value):
        self.people[who].put("", f"profile/@{who}:localhost/{field}", {field: value})

    def first(self, base):
        self.base = base
        for name in PEOPLE:
            self.people[name] = person(Unrecorded(base), name)
        self.named("bob", "displayname", "Böse ÄRGER user-71")
        self.named("carol", "displayname", "カタカナ Ünïcode O'Neil")
        self.named("erin", "displayname", "Alice's ﬁrst friend éA ①")
        self.named("erin", "avatar_url", "mxc://localhost/erin")
        self.room("square", "alice", preset="public_chat", name="Square", topic="For all", room_alias_name="square")
        self.room("den", "alice", preset="private_chat", name="Den")
        self.room("shop", "bob", preset="public_chat", creation_content={"type": "m.space", "m.federate": False})
        self.room("attic", "carol", preset="private_chat", invite=["@dave:localhost", "@erin:localhost"])
        self.room("alone", "frank", preset="private_chat")
        for who in ("bob", "carol", "dave"):
            self.does(who, "join", "square")
        for who in ("bob", "carol", "erin"):
            self.does("alice", "invite", "den", user_id=f"@{who}:localhost")
            self.does(who, "join", "den")
        self.does("dave", "join", "attic")
        self.does("erin", "join", "attic")
        self.does("carol", "kick", "attic", user_id="@erin:localhost")
        self.does("dave", "leave", "square")
        self.does("alice", "ban", "den", user_id="@erin:localhost")
        self.state("alice", "den", "m.room.encryption", algorithm="m.megolm.v1.aes-sha2")
        self.state("alice", "square", "m.room.avatar", url="mxc://localhost/square")
        self.state("alice", "square", "m.room.topic", topic="plain", **{"m.topic": {"m.text": [{"body": "rich"}]}})

    def second(self, base):
        self.at(base)
        # A private room that everybody may read, a public one that closes, and one that does both.
        self.state("carol", "attic", "m.room.history_visibility", history_visibility="world_readable")
        self.state("alice", "square", "m.room.join_rules", join_rule="invite")
        self.state("alice", "den", "m.room.join_rules", join_rule="public")
        self.does("dave", "join", "den")
        self.state("alice", "den", "m.room.join_rules", join_rule="knock")
        self.people["frank"].post("", f"knock/{quote(self.rooms['den'])}", {})
        self.does("frank", "join", "shop")
        self.named("frank", "displayname", "frank.x")
        self.named("alice", "displayname", "Alice A.")
        self.does("bob", "leave", "square")
        self.does("frank", "leave", "alone")
        self.state("alice", "den", "m.room.name", name="Den of thieves")
        self.state("alice", "den", "m.room.guest_access", guest_access="can_join")
        done = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "dave"}, "password": "a long password"}
        self.people["dave"].post("", "account/deactivate", {"auth": done})

    def settled(self):
        """Waits until everything is in the tables. Synapse may leave the end of a burst until there is another event, so one is sent now and then."""
        query = """SELECT m.id <= d.stream_id AND m.id <= s.stream_id AND u.left_ = 0 AND p.pending = 0, m.id, d.stream_id, s.stream_id, u.left_, p.pending
            FROM (SELECT max(stream_id) AS id FROM current_state_delta_stream) AS m, user_directory_stream_pos AS d, stats_incremental_position AS s,
            (SELECT count(*) AS left_ FROM users_pending_deactivation) AS u,
            (SELECT count(*) AS pending FROM background_updates WHERE update_name LIKE 'populate_%') AS p"""
        deadline = time.monotonic() + 90
        while (found := self.server.query(query))[0] != "t":
            if time.monotonic() > deadline:
                raise AssertionError(f"not settled: {found}")
            time.sleep(0.1)
            self.turn += 1
            if self.turn % 50 == 0:
                path = f"rooms/{quote(self.rooms['den'])}/send/m.room.message/{self.turn}"
                self.people["alice"].put("", path, {"msgtype": "m.text", "body": "well?"})

    def tables(self):
        self.settled()
        names = {room: name for name, room in self.rooms.items()}
        return {table: sorted(self.named_row(row, names) for row in self.rows(table, columns)) for table, columns in TABLES.items()}

    def rows(self, table, columns):
        row = self.server.query(f"SELECT COALESCE(string_agg(t::text, '\x1f'), '') FROM (SELECT {columns} FROM {table}) AS t")
        return "|".join(row).split("\x1f") if row else []

    @staticmethod
    def named_row(row, names):
        for room, name in names.items():
            row = row.replace(room, name)
        return row

    def found(self):
        """What each person finds for each of the searches."""
        result = {}
        for name in PEOPLE:
            for term in SEARCHES:
                if name == "dave":
                    continue
                answer = self.people[name].post("", "user_directory/search", {"search_term": term, "limit": 5})
                users = [entry["user_id"] for entry in answer["results"]]
                # All match the name of the server alike, and equal matches have no order.
                result[f"{name} finds {term}"] = sorted(users) if term == "localhost" else (users, answer["results"][:1]), answer["limited"]
        return result


def synapse(server):
    port = settings(server.base)["ports"]["homeserver"]
    return Synapse("synapse.app.homeserver", server.configs, server.base / "logs" / "synapse.log", f"http://127.0.0.1:{port}/health")


def history(base, binaries, name, first, second):
    """Does both parts, each on Myelin or Synapse; answers tables after each, and what is found in the end."""
    server = Myelin(base / name, binaries, "monolith")
    town = Town(server)
    server.control("up" if first == "ours" else "services")
    address = f"http://127.0.0.1:{settings(server.base)['ports']['homeserver']}"
    theirs = synapse(server)
    try:
        if first == "theirs":
            theirs.start()
        town.first(address)
        after_first = town.tables()
        if first != second:
            theirs.stop() if first == "theirs" else server.control("stop", "homeserver")
            theirs.start() if second == "theirs" else server.control("start", "homeserver")
        town.second(address)
        after_second, found = town.tables(), town.found()
        anew = filled(town, second) if first == second == "ours" else None
        return after_first, after_second, found, anew, theirs.errors()
    finally:
        theirs.stop()
        server.control("down")


def filled(town, second):
    """Has the server fill the directory and the statistics; answers the tables."""
    town.server.control("stop", "homeserver")
    rows = [f"('{name}', '{{}}', {repr(FILLING[place - 1]) if place else 'NULL'}, {place})" for place, name in enumerate(FILLING)]
    rows += [f"('{name}', '{{}}', NULL, 9)" for name in ("populate_stats_process_rooms", "populate_stats_process_users")]
    town.server.query(
        f"""WITH a AS (INSERT INTO background_updates (update_name, progress_json, depends_on, ordering) VALUES {', '.join(rows)}),
        b AS (UPDATE user_directory_stream_pos SET stream_id = NULL), c AS (DELETE FROM user_directory),
        d AS (DELETE FROM users_who_share_private_rooms), e AS (DELETE FROM room_stats_current), f AS (DELETE FROM room_stats_state),
        g AS (DELETE FROM user_stats_current) SELECT 1""")
    town.server.control("start", "homeserver")
    return town.tables()


def same(checks, what, one, other):
    for table in one:
        checks.that(f"{what}: {table}", one[table] == other[table],
                    f"\n    theirs only {[row for row in one[table] if row not in other[table]]}\n    ours only   {[row for row in other[table] if row not in one[table]]}")


def main():
    base, binaries = Path(sys.argv[1]).resolve(), sys.argv[2]
    checks = Checks()
    wanted = history(base, binaries, "theirs", "theirs", "theirs")
    for name, parts in {"ours": ("ours", "ours"), "ours then theirs": ("ours", "theirs"), "theirs then ours": ("theirs", "ours")}.items():
        try:
            found = history(base, binaries, name.replace(" ", "-"), *parts)
        except Exception as error:
            checks.that(f"{name}: is gone through", False, repr(error))
            continue
        same(checks, f"{name}, first part", wanted[0], found[0])
        same(checks, f"{name}, second part", wanted[1], found[1])
        for label, result in wanted[2].items():
            checks.same(f"{name}: {label}", result, found[2][label])
        checks.same(f"{name}: Synapse logs no errors", [], found[4])
        if found[3]:
            # Of a room that everybody has left nothing is there to be counted.
            left = {table: [row for row in rows if not row.startswith("(alone,")] for table, rows in wanted[1].items()}
            same(checks, "filled anew", left, found[3])
    sys.exit(checks.end())


if __name__ == "__main__":
    main()
