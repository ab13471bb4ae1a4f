#!/usr/bin/env python3
"""Checks a cluster in which every stream has a writer of its own and events have two.

usage: writers.py CLUSTER_FOLDER

CLUSTER_FOLDER is the base folder of a cluster started by `Deploy/cluster/cluster --mode wide`. Bob acts through nginx,
which routes to the writers; alice follows on both generic workers, each sync continuing with the token of the other's.

- What bob does is shown by both workers, and the tables name the configured writer.
- Two rooms that belong to different persisters, talked in at once: each event is seen exactly once.
- While one persister is held up in the middle of a transaction, and then dead, the other's room goes on and its messages
  are seen, by tokens that name the positions of both persisters. What the dead one had begun is seen exactly once when
  it is back.

Prints a line a check and ends with `N passed, M failed`.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import aiohttp

from kill import Checks, Client, control

MESSAGES = 60
SHOWN_SECONDS = 15
V3 = "/_matrix/client/v3"


class Follower:
    """A user who syncs on one process after the other and keeps what was shown."""

    # A first sync is answered from memory for two minutes when an equal one came before.
    numbers = itertools.count(500)

    def __init__(self, client, bases):
        self.session, self.token, self.user, self.bases = client.session, client.token, client.user, bases
        self.since, self.turn, self.tokens = None, 0, []
        self.filters = quote(json.dumps({"room": {"timeline": {"limit": next(self.numbers)}}}))
        self.events, self.kinds = [], set()

    async def sync(self, timeout):
        on = Client(self.session, self.bases[self.turn % len(self.bases)], self.token, self.user)
        self.turn += 1
        since = f"&since={self.since}" if self.since else ""
        answer = await on.persist("GET", f"{V3}/sync?timeout={timeout}&filter={self.filters}{since}")
        self.since = answer["next_batch"]
        self.tokens.append(self.since)
        self.read(answer)

    def read(self, answer):
        for room in answer.get("rooms", {}).get("join", {}).values():
            self.events += [event["event_id"] for event in room["timeline"]["events"]]
            for part in ("ephemeral", "account_data"):
                self.kinds |= {event["type"] for event in room.get(part, {}).get("events", [])}
        for part in ("to_device", "account_data"):
            self.kinds |= {event["type"] for event in answer.get(part, {}).get("events", [])}
        self.kinds |= {f"presence of {event['sender']}" for event in answer.get("presence", {}).get("events", [])}
        self.kinds |= {f"devices of {user}" for user in answer.get("device_lists", {}).get("changed", [])}

    async def until(self, condition, seconds=SHOWN_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            await self.sync(1000)
        return condition()


class Database:
    def __init__(self, settings):
        self.command = ["psql", "-h", settings["postgres_socket"], "-d", settings["database"], "-Atc"]
        if os.geteuid() == 0:
            self.command[1:1] = ["-U", "postgres"]

    def column(self, query):
        return subprocess.run([*self.command, query], capture_output=True, text=True, check=True).stdout.split()

    def hold(self, room):
        """Locks what a persister of the room has to change; the lock goes with the process that is answered."""
        holder = subprocess.Popen(self.command[:-1] + ["-At"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lock = f"SELECT 'held' FROM event_forward_extremities WHERE room_id = '{room}' FOR UPDATE;"
        holder.stdin.write(f"BEGIN; {lock}\n")
        holder.stdin.flush()
        while holder.stdout.readline().strip() != "held":
            pass
        return holder

    async def someone_waits(self):
        """Returns when a transaction waits for a lock."""
        while not self.column("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            await asyncio.sleep(0.02)


async def streams(alice, bob, room, workers, database, checks):
    """Each stream's way from its writer to both workers."""
    followers = [Follower(alice, order) for order in (workers, workers[::-1])]
    for follower in followers:
        await follower.sync(0)
        follower.kinds.clear()
    last = (await send(bob, room, "read-", 1))[0]
    acts = [
        (bob, "PUT", f"rooms/{quote(room)}/typing/{quote(bob.user)}", {"typing": True, "timeout": 30000}),
        (bob, "POST", f"rooms/{quote(room)}/receipt/m.read/{quote(last)}", {}),
        (bob, "PUT", "sendToDevice/org.example.hello/1", {"messages": {alice.user: {"*": {"a": 1}}}}),
        (bob, "PUT", f"presence/{quote(bob.user)}/status", {"presence": "online", "status_msg": "tea"}),
        (alice, "PUT", f"user/{quote(alice.user)}/account_data/org.example.x", {"a": 1}),
        (alice, "PUT", f"user/{quote(alice.user)}/rooms/{quote(room)}/tags/m.favourite", {"order": 0.5}),
        (alice, "PUT", "pushrules/global/content/org.example.word", {"pattern": "tea", "actions": ["notify"]}),
    ]
    for client, method, path, body in acts:
        await client.persist(method, f"{V3}/{path}", body)
    device = (await bob.persist("GET", f"{V3}/account/whoami"))["device_id"]
    await bob.persist("PUT", f"{V3}/devices/{device}", {"display_name": "kettle"})
    expected = {
        "m.typing", "m.receipt", "org.example.hello", f"presence of {bob.user}", "org.example.x", "m.tag", "m.push_rules",
        f"devices of {bob.user}",
    }
    for follower in followers:
        # A message to a device is given to whoever syncs first.
        shown = await follower.until(lambda: expected - {"org.example.hello"} <= follower.kinds)
        checks.that(f"{follower.bases[0]} and the other show every stream", shown, expected - follower.kinds)
    seen = set().union(*(follower.kinds for follower in followers))
    checks.that("the message to her device came", "org.example.hello" in seen, seen)
    for table, writer in (
        ("receipts_linearized", "receipts_writer"), ("presence_stream", "presence_writer"),
        ("account_data", "account_data_writer"), ("room_tags_revisions", "account_data_writer"),
        ("push_rules_stream", "push_rules_writer"), ("device_lists_stream", "device_lists_writer"),
        ("events", "event_persister"),
    ):
        names = set(database.column(f"SELECT DISTINCT instance_name FROM {table}"))
        checks.that(f"{table} is written by its writer", {name[:-1] for name in names} == {writer}, names)
    inbox = set(database.column("SELECT DISTINCT instance_name FROM stream_positions WHERE stream_name = 'to_device'"))
    checks.that("messages to devices are written by their writer", inbox == {"to_device_writer1"}, inbox)


async def rooms_of_both(alice, bob, database):
    """Two rooms, the first written by event_persister1, the second by event_persister2."""
    found = {}
    while len(found) < 2:
        room = (await alice.persist("POST", f"{V3}/createRoom", {"preset": "public_chat"}))["room_id"]
        writer = database.column(f"SELECT DISTINCT instance_name FROM events WHERE room_id = '{room}'")[0]
        found.setdefault(writer, room)
    for room in found.values():
        await bob.persist("POST", f"{V3}/join/{quote(room)}", {})
    return [found[f"event_persister{number}"] for number in (1, 2)]


async def send(client, room, prefix, count, seconds=120):
    """Sends messages at once; answers their event ids."""

    async def one(number):
        path = f"{V3}/rooms/{quote(room)}/send/m.room.message/{prefix}{number}"
        body = {"msgtype": "m.text", "body": f"{prefix} {number}"}
        return (await client.persist("PUT", path, body, time.monotonic() + seconds))["event_id"]

    return await asyncio.gather(*(one(number) for number in range(count)))


async def both_at_once(alice, bob, rooms, workers, checks):
    follower = Follower(bob, workers)
    await follower.sync(0)
    follower.events.clear()
    sending = asyncio.gather(*(send(alice, room, f"both{index}-", MESSAGES) for index, room in enumerate(rooms)))
    while not sending.done():
        await follower.sync(500)
    sent = {event for events in await sending for event in events}
    shown = await follower.until(lambda: sent <= set(follower.events))
    checks.that("every event of both persisters is seen", shown, len(sent - set(follower.events)))
    own = [event for event in follower.events if event in sent]
    checks.that("and each once", len(own) == len(set(own)), len(own) - len(set(own)))


async def one_dead(folder, alice, bob, rooms, workers, database, dead, checks):
    """Kills a room's persister in the middle of a transaction; the other room goes on meanwhile."""
    name, lost, alive = f"event_persister{dead + 1}", rooms[dead], rooms[1 - dead]
    follower = Follower(bob, workers)
    await follower.sync(0)
    follower.events.clear()
    holder = await asyncio.to_thread(database.hold, lost)
    stalled = asyncio.create_task(send(alice, lost, f"dead{dead}-", MESSAGES))
    try:
        await asyncio.wait_for(database.someone_waits(), SHOWN_SECONDS)
        await goes_on(f"{name} is held up", alice, bob, alive, f"held{dead}-", workers, follower, checks)
        # `m<least>~<instance>.<position>`: one persister is ahead of the other.
        vectors = [token for token in follower.tokens if token.startswith("m") and "~" in token.split("_")[0]]
        checks.that("tokens name the positions of both persisters", vectors, follower.tokens)
        await asyncio.to_thread(control, folder, "kill", name)
        await goes_on(f"{name} is dead", alice, bob, alive, f"alive{dead}-", workers, follower, checks)
        # Its transaction is still there: PostgreSQL learns of the death when it has an answer to give.
        await asyncio.to_thread(control, folder, "start", name)
        for _ in workers:
            await follower.sync(1000)
    finally:
        holder.kill()
    sent = set(await stalled)
    shown = await follower.until(lambda: sent <= set(follower.events))
    checks.that(f"what waited for {name} is seen when it is back", shown, len(sent - set(follower.events)))
    own = [event for event in follower.events if event in sent]
    checks.that("and each once", len(own) == len(set(own)), len(own) - len(set(own)))


async def goes_on(when, alice, bob, room, prefix, workers, follower, checks):
    """Talks in a room whose persister is well, and looks at it in every way."""
    try:
        sent = set(await asyncio.wait_for(send(alice, room, prefix, MESSAGES), SHOWN_SECONDS))
    except (AssertionError, asyncio.TimeoutError) as error:
        return checks.that(f"while {when} the other room goes on", False, repr(error))
    shown = await follower.until(lambda: sent <= set(follower.events))
    checks.that(f"while {when} the other room is seen", shown, len(sent - set(follower.events)))
    fresh = Follower(bob, workers[::-1])
    await fresh.sync(0)
    checks.that(f"while {when} a first sync has it", sent <= set(fresh.events), len(sent - set(fresh.events)))
    path = f"{V3}/rooms/{quote(room)}/messages?dir=b&limit=500"
    page = await Client(bob.session, workers[0], bob.token).persist("GET", path, deadline=time.monotonic() + SHOWN_SECONDS)
    old = {event["event_id"] for event in page["chunk"]}
    checks.that(f"while {when} the history has it", sent <= old, len(sent - old))


async def run(folder, checks):
    settings = json.loads((folder / "cluster.json").read_text())
    workers = [f"http://127.0.0.1:{settings['ports'][name]}" for name in ("generic_worker1", "generic_worker2")]
    base, database = control(folder, "address").strip(), Database(settings)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        alice, bob = await Client(session, base).register(), await Client(session, base).register()
        rooms = await rooms_of_both(alice, bob, database)
        await streams(alice, bob, rooms[0], workers, database, checks)
        await both_at_once(alice, bob, rooms, workers, checks)
        for dead in (0, 1):
            await one_dead(folder, alice, bob, rooms, workers, database, dead, checks)


def main():
    checks = Checks()
    asyncio.run(run(Path(sys.argv[1]).resolve(), checks))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
