#!/usr/bin/env python3
"""Kills parts of a running cluster in the middle of many concurrent sends and checks that nothing is lost or doubled.

usage: kill.py CLUSTER_FOLDER [PART ...]

CLUSTER_FOLDER is the base folder of a cluster started by Deploy/cluster/cluster. For each part (a process of the
cluster, `redis` or `postgres`), 1,000 messages are sent by 50 senders through nginx; after 300 answers the part is
killed with SIGKILL and started again. Senders repeat a request that was not answered 200 with the same transaction
id, as clients do. In the end:

- every event answered 200 is in the room's history exactly once,
- every transaction made exactly one event,
- two syncing clients, which kept following with `since`, saw every event exactly once,
- every event has exactly one push action for each other member of the room, and there are none without an event.

Prints a line a check and ends with `N passed, M failed`.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import aiohttp

MESSAGES = 1_000
SENDERS = 50
KILL_AFTER = 300
# Members who only listen, so that there are push actions for them.
LISTENERS = 10
LIMIT_SECONDS = 240
CLUSTER = Path(__file__).resolve().parents[2] / "Deploy" / "cluster" / "cluster"


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def that(self, name, condition, detail=""):
        if condition:
            self.passed += 1
            print(f"  ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"  FAIL  {name} {detail}", flush=True)


class Client:
    """A logged-in user who repeats what fails until it is answered."""

    def __init__(self, session, base, token=None, user=None):
        self.session, self.base, self.token, self.user = session, base, token, user

    async def call(self, method, path, body=None, timeout=30):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        limit = aiohttp.ClientTimeout(total=timeout)
        async with self.session.request(
            method, self.base + path, json=body, headers=headers, timeout=limit
        ) as response:
            text = await response.text()
            try:
                return response.status, json.loads(text)
            except ValueError:
                return response.status, {}

    async def persist(self, method, path, body=None, deadline=None, timeout=30):
        """Repeats the same request until it is answered 200."""
        wait = 0.1
        while True:
            try:
                status, answer = await self.call(method, path, body, timeout)
                if status == 200:
                    return answer
                if status in (400, 401, 403, 404):
                    raise AssertionError(f"{method} {path}: {status} {answer}")
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
                pass
            if deadline and time.monotonic() > deadline:
                raise AssertionError(f"{method} {path} was not answered in time")
            await asyncio.sleep(wait)
            wait = min(wait * 2, 2)

    async def register(self):
        body = {
            "username": "k" + secrets.token_hex(6),
            "password": secrets.token_hex(8),
            "auth": {"type": "m.login.dummy"},
        }
        answer = await self.persist("POST", "/_matrix/client/v3/register", body)
        self.token, self.user = answer["access_token"], answer["user_id"]
        return self


def control(folder, *arguments):
    """Runs the cluster's driver."""
    command = [str(CLUSTER), "--base", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


async def follow(client, room, since, seen, stop):
    """Follows with /sync and collects every event of the room, filling gaps by paging back."""
    filters = quote(json.dumps({"room": {"timeline": {"limit": 500}}, "presence": {"types": []}}))
    while not stop.is_set():
        path = f"/_matrix/client/v3/sync?timeout=2000&since={since}&filter={filters}"
        answer = await client.persist("GET", path)
        timeline = answer.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {})
        if timeline.get("limited"):
            seen.extend(await gap(client, room, timeline["prev_batch"], since))
        seen.extend(event["event_id"] for event in timeline.get("events", []))
        since = answer["next_batch"]
    return since


async def gap(client, room, start, end):
    found = []
    while start:
        path = f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&from={start}&to={end}&limit=500"
        page = await client.persist("GET", path)
        found = [event["event_id"] for event in reversed(page["chunk"])] + found
        start = page.get("end") if page["chunk"] else None
    return found


async def history(client, room):
    events, start = [], ""
    while start is not None:
        path = f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=500{start}"
        page = await client.persist("GET", path)
        events += page["chunk"]
        start = f"&from={page['end']}" if page.get("end") and page["chunk"] else None
    return events


async def round_of(part, folder, base, checks):
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        owner, other = await Client(session, base).register(), await Client(session, base).register()
        room = (await owner.persist("POST", "/_matrix/client/v3/createRoom", {"preset": "public_chat"}))["room_id"]
        listeners = [await Client(session, base).register() for _ in range(LISTENERS)]
        for member in [other, *listeners]:
            await member.persist("POST", f"/_matrix/client/v3/join/{quote(room)}", {})
        since = (await owner.persist("GET", "/_matrix/client/v3/sync?timeout=0"))["next_batch"]
        other_since = (await other.persist("GET", "/_matrix/client/v3/sync?timeout=0"))["next_batch"]
        stop, seen = asyncio.Event(), {owner.user: [], other.user: []}
        followers = [
            asyncio.create_task(follow(owner, room, since, seen[owner.user], stop)),
            asyncio.create_task(follow(other, room, other_since, seen[other.user], stop)),
        ]
        answered = await send_all(part, folder, owner, other, room)
        await settle(answered, seen, stop, followers)
        await judge(part, owner, room, answered, seen, checks)
        await judge_push_actions(part, folder, room, checks)


async def send_all(part, folder, owner, other, room):
    """Sends everything, killing and restarting the part on the way; answers {transaction: event id}."""
    answered, counter, killed = {}, iter(range(MESSAGES)), asyncio.Event()
    deadline = time.monotonic() + LIMIT_SECONDS

    async def sender(client):
        for number in counter:
            txn = f"t{number}"
            path = f"/_matrix/client/v3/rooms/{quote(room)}/send/m.room.message/{txn}"
            body = {"msgtype": "m.text", "body": f"message {number}"}
            answered[txn] = (await client.persist("PUT", path, body, deadline))["event_id"]
            if len(answered) >= KILL_AFTER:
                killed.set()

    async def killer():
        await killed.wait()
        await asyncio.to_thread(control, folder, "kill", part)
        await asyncio.to_thread(control, folder, "start", part)

    senders = [sender(owner if index % 2 else other) for index in range(SENDERS)]
    await asyncio.gather(killer(), *senders)
    return answered


async def settle(answered, seen, stop, followers):
    """Waits until the followers have seen everything, or long enough to be sure that they will not."""
    wanted = set(answered.values())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(wanted <= set(events) for events in seen.values()):
        await asyncio.sleep(0.2)
    stop.set()
    await asyncio.gather(*followers)


async def judge(part, owner, room, answered, seen, checks):
    events = await history(owner, room)
    messages = [event for event in events if event["type"] == "m.room.message"]
    ids = [event["event_id"] for event in messages]
    bodies = [event["content"]["body"] for event in messages]
    checks.that(f"{part}: all sends are answered", len(answered) == MESSAGES, len(answered))
    missing = set(answered.values()) - set(ids)
    checks.that(f"{part}: every answered event is in the history", not missing, sorted(missing)[:3])
    checks.that(f"{part}: no event is there twice", len(ids) == len(set(ids)), len(ids) - len(set(ids)))
    doubled = sorted({body for body in bodies if bodies.count(body) > 1})
    checks.that(f"{part}: every transaction made one event", not doubled, doubled[:3])
    for user, events in seen.items():
        own = [event for event in events if event in set(ids)]
        lost = set(ids) - set(own)
        checks.that(f"{part}: {user} saw every event", not lost, f"{len(lost)} lost, {sorted(lost)[:3]}")
        checks.that(f"{part}: {user} saw each once", len(own) == len(set(own)), len(own) - len(set(own)))


def ask(folder, query):
    settings = json.loads((folder / "cluster.json").read_text())
    command = ["psql", "-h", settings["postgres_socket"], "-d", settings["database"]]
    if os.geteuid() == 0:
        command += ["-U", "postgres"]
    return subprocess.run([*command, "-Atc", query], capture_output=True, text=True, timeout=60, check=True).stdout.strip()


async def judge_push_actions(part, folder, room, checks):
    wrong = f"""
        SELECT count(*) FROM (
          SELECT e.event_id FROM events AS e LEFT JOIN event_push_actions AS a USING (event_id)
          WHERE e.room_id = '{room}' AND e.type = 'm.room.message'
          GROUP BY e.event_id HAVING count(a.user_id) <> {LISTENERS + 1} OR count(DISTINCT a.user_id) <> {LISTENERS + 1}
        ) AS wrong"""
    orphans = """
        SELECT count(*) FROM event_push_actions AS a
        WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.stream_ordering = a.stream_ordering)"""
    deadline = time.monotonic() + 20
    while (left := ask(folder, orphans)) != "0" and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
    checks.that(f"{part}: no push action is without its event", left == "0", left)
    found = ask(folder, wrong)
    checks.that(f"{part}: every event has one push action for each other member", found == "0", found)


def main():
    folder = Path(sys.argv[1]).resolve()
    parts = sys.argv[2:] or ["event_persister1", "generic_worker1", "homeserver", "redis", "postgres"]
    base = control(folder, "address").strip()
    checks = Checks()
    for part in parts:
        asyncio.run(round_of(part, folder, base, checks))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
