"""Multiplies a room in the database, where making each room through a server would take too long.

A copy has the same events as its original under other identifiers: four characters behind the sigil of room and event ids
are replaced, in columns as in the events' JSON, and stream positions, state groups and auth chains go on behind the last
ones. Content hashes and signatures are then not those of the events; no server checks them for what is in its database.
Push actions are not copied: 300 rooms would have two million of them. Both servers get the same database.
"""

import json
import subprocess
from pathlib import Path

from parts import Failure

EVENT_ID = "'$' || code || substr({0}, 6)"
IDENTIFIERS = {"event_id", "prev_event_id", "auth_id", "membership_event_id", "prev_state"}
POSITIONS = {"stream_ordering", "event_stream_ordering", "bump_stamp"}
CHAINS = {"chain_id", "origin_chain_id", "target_chain_id"}
GROUPS = {"state_group", "prev_state_group"}
# Tables that follow a room's events without naming the room.
BESIDE = {
    "event_auth_chains": "event_id IN (SELECT event_id FROM events WHERE room_id = '{room}')",
    "event_auth_chain_links": "origin_chain_id IN (SELECT c.chain_id FROM event_auth_chains c JOIN events e USING (event_id) "
                              "WHERE e.room_id = '{room}')",
    "event_to_state_groups": "event_id IN (SELECT event_id FROM events WHERE room_id = '{room}')",
    "state_group_edges": "state_group IN (SELECT id FROM state_groups WHERE room_id = '{room}')",
}
LEFT_OUT = {"event_push_actions", "event_push_actions_staging", "user_directory"}
SEQUENCES = {
    "events_stream_seq": "SELECT max(stream_ordering) FROM events",
    "state_group_id_seq": "SELECT max(id) FROM state_groups",
    "event_auth_chain_id": "SELECT max(chain_id) FROM event_auth_chains",
}


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
            "COMMIT",
        ]
        self.sql(";\n".join(statements) + ";\n")
        return [f"!{letter}{number:03}{room[5:]}" for number in range(1, count + 1)]

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
            identifiers = f"regexp_replace({name}, '\\$[A-Za-z0-9_-]{{4}}([A-Za-z0-9_-]{{39}}\")', '$' || code || '\\1', 'g')"
            return f"replace({identifiers}, '{room}', '!' || code || substr('{room}', 6))"
        return name


def make(databases, name, data, copies):
    """Gives groups of one room as many as they should have, in the database and in the generator's data file."""
    copier = Copier(databases, name)
    found = json.loads(Path(data).read_text())
    for letter, (group, count) in zip("wxyz", copies.items()):
        rooms = found["groups"][group]["rooms"]
        found["groups"][group]["rooms"] = rooms + copier.copy(rooms[0], letter, count - len(rooms))
    Path(data).write_text(json.dumps(found))
