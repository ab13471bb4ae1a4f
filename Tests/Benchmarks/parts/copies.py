"""Multiplies a room in the database, where making each room through a server would take too long.

A copy has the same events as its original in a room of another name. Event ids are made anew from the events' reference
hashes, since Synapse compares them when it reads; stream positions, state groups and auth chains go on behind the last ones.
Content hashes and signatures stay those of the originals: no server checks them for what is in its database. Push actions are not copied: 300 rooms would have two million of them. Both servers get the same database.
"""

import base64
import hashlib
import json
import subprocess
from pathlib import Path

from parts import Failure

EVENT_ID = "(SELECT new FROM bench_copies found WHERE found.k = copies.k AND found.old = {0})"
# What redaction leaves of an event, in room version 10.
KEPT = {
    "type", "room_id", "sender", "state_key", "content", "hashes", "depth", "prev_events", "auth_events", "origin", "origin_server_ts",
    "membership", "prev_state",
}
KEPT_CONTENT = {
    "m.room.member": {"membership", "join_authorised_via_users_server"},
    "m.room.create": {"creator"},
    "m.room.join_rules": {"join_rule", "allow"},
    "m.room.history_visibility": {"history_visibility"},
    "m.room.power_levels": {
        "ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"},
}
IDENTIFIERS = {"event_id", "prev_event_id", "auth_id", "membership_event_id", "prev_state"}
POSITIONS = {"stream_ordering", "event_stream_ordering", "bump_stamp"}
CHAINS = {"chain_id", "origin_chain_id", "target_chain_id"}
GROUPS = {"state_group", "prev_state_group"}
# Tables that follow a room's events without naming the room.
BESIDE = {
    "event_auth_chains": "event_id IN (SELECT event_id FROM events WHERE room_id = '{room}')",
    "event_auth_chain_links": "origin_chain_id IN (SELECT c.chain_id FROM event_auth_chains c JOIN events e USING (event_id) "
                              "WHERE e.room_id = '{room}')",
    "event_edges": "event_id IN (SELECT event_id FROM events WHERE room_id = '{room}')",
    "event_to_state_groups": "event_id IN (SELECT event_id FROM events WHERE room_id = '{room}')",
    "state_group_edges": "state_group IN (SELECT id FROM state_groups WHERE room_id = '{room}')",
}
LEFT_OUT = {"event_push_actions", "event_push_actions_staging", "user_directory"}
SEQUENCES = {
    "events_stream_seq": "SELECT max(stream_ordering) FROM events",
    "state_group_id_seq": "SELECT max(id) FROM state_groups",
    "event_auth_chain_id": "SELECT max(chain_id) FROM event_auth_chains",
}


def event_id(event):
    """The id of an event of room version 10: the hash of what redaction leaves, in canonical JSON."""
    redacted = {name: value for name, value in event.items() if name in KEPT}
    kept = KEPT_CONTENT.get(event["type"], set())
    redacted["content"] = {name: value for name, value in event["content"].items() if name in kept}
    text = json.dumps(redacted, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "$" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def copied(events, room):
    """Events, by old id in the order of their depth, as they are in another room: triples of old id, new id, event."""
    names, result = {}, []
    for old, event in events:
        event = {**event, "room_id": room}
        for field in ("prev_events", "auth_events"):
            event[field] = [names[name] for name in event[field]]
        names[old] = event_id(event)
        result.append((old, names[old], event))
    return result


class Copier:
    def __init__(self, databases, name):
        self.databases, self.name = databases, name

    def sql(self, text):
        command = self.databases.server.as_user(
            self.databases.server.binary("psql"), "-AtqX", "-v", "ON_ERROR_STOP=1", "-h", self.databases.socket, "-d", self.name)
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise Failure(f"copying rooms: {done.stderr.strip()}")
        return [line.split("|") for line in done.stdout.splitlines()]

    def tables(self):
        """Tables with their columns, but for generated ones."""
        tables = {}
        for table, column in self.sql(
                "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t "
                "USING (table_schema, table_name) WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' "
                "AND c.is_generated = 'NEVER' ORDER BY 1, c.ordinal_position"):
            tables.setdefault(table, []).append(column)
        return tables

    def extent(self, expression, source):
        """The first value of the room, how many its values span, and the last value of all rooms."""
        low, high, last = self.sql(f"SELECT min({expression}) FILTER (WHERE mine), max({expression}) FILTER (WHERE mine), "
                                   f"max({expression}) FROM ({source}) found")[0]
        return int(low), int(high) - int(low) + 1, int(last)

    def copy(self, room, letter, count):
        """Adds copies of a room and gives their ids."""
        tables = self.tables()
        moved = {
            **dict.fromkeys(POSITIONS, self.extent(
                "stream_ordering", f"SELECT stream_ordering, room_id = '{room}' AS mine FROM events")),
            **dict.fromkeys(GROUPS, self.extent("id", f"SELECT id, room_id = '{room}' AS mine FROM state_groups")),
            **dict.fromkeys(CHAINS, self.extent(
                "chain_id", f"SELECT chain_id, e.room_id = '{room}' AS mine FROM event_auth_chains JOIN events e USING (event_id)")),
        }
        rooms = [f"!{letter}{number:03}{room[5:]}" for number in range(1, count + 1)]
        self.load(room, rooms)
        statements = ["SET session_replication_role = replica", "BEGIN"]
        for table, columns in tables.items():
            where = BESIDE.get(table) or ("room_id = '{room}'" if "room_id" in columns else None)
            if where and table not in LEFT_OUT:
                values = ", ".join(self.value(table, column, room, moved) for column in columns)
                names = ", ".join(f'"{column}"' for column in columns)
                statements.append(
                    f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, (SELECT k, '{letter}' || lpad(k::text, 3, '0') "
                    f"AS code FROM generate_series(1, {count}) k) copies WHERE {where.format(room=room)}")
        statements += [f"SELECT setval('{sequence}', ({query}))" for sequence, query in SEQUENCES.items()]
        statements += [
            "UPDATE stream_positions SET stream_id = (SELECT max(stream_ordering) FROM events) WHERE stream_name = 'events'",
            "DROP TABLE bench_copies",
            "COMMIT",
        ]
        self.sql(";\n".join(statements) + ";\n")
        return rooms

    def load(self, room, rooms):
        """Puts the copies' ids and JSON into a table."""
        found = self.sql(
            "SELECT encode(convert_to(event_id, 'UTF8'), 'hex'), encode(convert_to(json, 'UTF8'), 'hex') FROM event_json "
            f"JOIN events USING (event_id) WHERE events.room_id = '{room}' ORDER BY events.topological_ordering, events.stream_ordering")
        events = [(bytes.fromhex(old).decode(), json.loads(bytes.fromhex(text))) for old, text in found]
        wrong = [old for old, event in events if event_id(event) != old]
        if wrong:
            raise Failure(f"copying rooms: {wrong[0]} is not the hash of its event")
        lines = []
        for number, name in enumerate(rooms, 1):
            for old, new, event in copied(events, name):
                text = json.dumps(event, separators=(",", ":"), ensure_ascii=False).replace("\\", "\\\\")
                lines.append(f"{number}\t{old}\t{new}\t{text}")
        self.sql(
            "CREATE TABLE bench_copies (k bigint, old text, new text, json text);\nCOPY bench_copies FROM STDIN;\n"
            + "\n".join(lines) + "\n\\.\nCREATE UNIQUE INDEX ON bench_copies (k, old);\nANALYZE bench_copies;\n")

    @staticmethod
    def value(table, column, room, moved):
        name = f'{table}."{column}"'
        if column == "room_id":
            return f"'!' || code || substr({name}, 6)"
        if column in IDENTIFIERS:
            return EVENT_ID.format(name)
        if table == "state_groups" and column == "id":
            column = "state_group"
        if table == "current_state_delta_stream" and column == "stream_id":
            column = "stream_ordering"
        if column in moved:
            low, span, last = moved[column]
            return f"{name} - {low} + 1 + {last} + (k - 1) * {span}"
        if table == "event_json" and column == "json":
            return f"(SELECT found.json FROM bench_copies found WHERE found.k = copies.k AND found.old = {table}.event_id)"
        return name


def make(databases, name, data, copies):
    """Gives groups of one room as many as they should have, in the database and in the generator's data file."""
    copier = Copier(databases, name)
    found = json.loads(Path(data).read_text())
    for letter, (group, count) in zip("wxyz", copies.items()):
        rooms = found["groups"][group]["rooms"]
        found["groups"][group]["rooms"] = rooms + copier.copy(rooms[0], letter, count - len(rooms))
    Path(data).write_text(json.dumps(found))
