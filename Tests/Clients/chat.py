#!/usr/bin/env python3
"""Two people chat with matrix-nio against a running server.

usage: chat.py BASE_URL [SUFFIX]

The two are alice and bob with SUFFIX, or with a random one.

Each check prints a line; the last line is `N passed, M failed`. The exit status is 1 when a check failed.
"""

import asyncio
import secrets
import sys

from nio import (
    AsyncClient,
    AsyncClientConfig,
    InviteMemberEvent,
    ReceiptEvent,
    RedactedEvent,
    RedactionEvent,
    RoomMemberEvent,
    RoomMessageText,
    SyncResponse,
    TypingNoticeEvent,
)
from nio.responses import ErrorResponse

PASSWORD = "correct horse battery staple"


class Checks:
    """Counts what held and what did not."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def that(self, name, condition, detail=""):
        if condition:
            self.passed += 1
            print(f"  ok    {name}")
        else:
            self.failed += 1
            print(f"  FAIL  {name} {detail}")

    def answered(self, name, response):
        self.that(name, not isinstance(response, ErrorResponse), repr(response))
        return response


class Person:
    """A client that syncs once at a time and keeps what it saw."""

    def __init__(self, base_url, name):
        config = AsyncClientConfig(request_timeout=60, max_limit_exceeded=20)
        self.client = AsyncClient(base_url, name, config=config)
        self.events = []
        self.ephemeral = []

    async def sync(self, timeout=10_000, **arguments):
        response = await self.client.sync(timeout=timeout, **arguments)
        if isinstance(response, SyncResponse):
            for room in response.rooms.join.values():
                self.events += room.timeline.events
                self.ephemeral += room.ephemeral
            for room in response.rooms.leave.values():
                self.events += room.timeline.events
        return response

    async def until(self, condition, rounds=20):
        """Syncs until the condition holds."""
        for _ in range(rounds):
            if condition():
                return True
            await self.sync(timeout=2_000)
        return condition()

    def texts(self):
        return [e.body for e in self.events if isinstance(e, RoomMessageText)]


async def chat(base_url, suffix, checks):
    alice, bob = Person(base_url, f"alice{suffix}"), Person(base_url, f"bob{suffix}")
    try:
        room = await meet(alice, bob, suffix, checks)
        await talk(alice, bob, room, checks)
        await signals(alice, bob, room, checks)
        await history(alice, bob, room, checks)
        await part(alice, bob, room, checks)
        await accounts(alice, bob, base_url, suffix, checks)
    finally:
        await alice.client.close()
        await bob.client.close()


async def meet(alice, bob, suffix, checks):
    for person, name in ((alice, f"alice{suffix}"), (bob, f"bob{suffix}")):
        response = await person.client.register(name, PASSWORD, device_name="tests")
        checks.answered(f"{name} registers", response)
    checks.answered("alice sets a display name", await alice.client.set_displayname("Alice"))
    name = await alice.client.get_displayname(alice.client.user_id)
    checks.that("the display name is read back", getattr(name, "displayname", None) == "Alice", repr(name))
    created = checks.answered(
        "alice creates a room", await alice.client.room_create(name="Tea", topic="Two o'clock", invite=[bob.client.user_id])
    )
    room = created.room_id
    await bob.sync(timeout=5_000, full_state=True)
    checks.that("bob sees the invitation", await bob.until(lambda: room in bob.client.invited_rooms))
    invited = bob.client.invited_rooms.get(room)
    checks.that("the invitation tells who invites", invited is not None and invited.inviter == alice.client.user_id)
    checks.answered("bob joins", await bob.client.join(room))
    await alice.sync(timeout=0, full_state=True)
    joined = lambda: bob.client.user_id in getattr(alice.client.rooms.get(room), "users", {})
    checks.that("alice sees bob in the room", await alice.until(joined))
    checks.that("bob has the room", await bob.until(lambda: room in bob.client.rooms))
    checks.that("bob knows the room's name", bob.client.rooms[room].name == "Tea", repr(bob.client.rooms[room].name))
    return room


async def say(person, room, text):
    return await person.client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": text})


async def talk(alice, bob, room, checks):
    for turn in range(5):
        checks.answered(f"alice says {turn}", await say(alice, room, f"alice {turn}"))
        checks.answered(f"bob says {turn}", await say(bob, room, f"bob {turn}"))
    expected = [f"{who} {turn}" for turn in range(5) for who in ("alice", "bob")]
    for person, name in ((alice, "alice"), (bob, "bob")):
        checks.that(f"{name} reads everything", await person.until(lambda: len(person.texts()) >= 10), person.texts())
        checks.that(f"{name} reads it in order and once", person.texts() == expected, person.texts())
    waiting = asyncio.create_task(bob.sync(timeout=20_000))
    await asyncio.sleep(0)
    await say(alice, room, "wake up")
    await asyncio.wait_for(waiting, 15)
    checks.that("a waiting sync is woken", await bob.until(lambda: "wake up" in bob.texts()))
    first = await alice.client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": "once"}, tx_id="same")
    again = await alice.client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": "once"}, tx_id="same")
    checks.that("a repeated transaction gives the same event", first.event_id == again.event_id)
    checks.that("bob reads it once", await bob.until(lambda: "once" in bob.texts()) and bob.texts().count("once") == 1)


async def signals(alice, bob, room, checks):
    checks.answered("alice types", await alice.client.room_typing(room, True, timeout=30_000))
    typing = lambda: any(isinstance(e, TypingNoticeEvent) and alice.client.user_id in e.users for e in bob.ephemeral)
    checks.that("bob sees alice typing", await bob.until(typing))
    checks.answered("alice stops typing", await alice.client.room_typing(room, False))
    last = [e for e in bob.events if isinstance(e, RoomMessageText)][-1]
    checks.answered("bob reads the last message", await bob.client.room_read_markers(room, last.event_id, last.event_id))
    read = lambda: any(
        r.user_id == bob.client.user_id and r.event_id == last.event_id
        for e in alice.ephemeral
        if isinstance(e, ReceiptEvent)
        for r in e.receipts
    )
    checks.that("alice sees the receipt", await alice.until(read))
    slip = await say(alice, room, "a slip")
    checks.answered("alice redacts", await alice.client.room_redact(room, slip.event_id, reason="slip"))
    redacted = lambda: any(isinstance(e, RedactionEvent) and e.redacts == slip.event_id for e in bob.events)
    checks.that("bob sees the redaction", await bob.until(redacted))
    event = await bob.client.room_get_event(room, slip.event_id)
    checks.that("the redacted event has lost its text", isinstance(getattr(event, "event", None), RedactedEvent), repr(event))


async def history(alice, bob, room, checks):
    page = await bob.client.room_messages(room, start=bob.client.next_batch, limit=50)
    checks.answered("bob pages back", page)
    bodies = [e.body for e in page.chunk if isinstance(e, RoomMessageText)]
    checks.that("the history holds the whole talk", {"alice 0", "bob 4"} <= set(bodies), bodies)
    checks.that("the history is newest first", bodies.index("bob 4") < bodies.index("alice 0"))
    members = await bob.client.joined_members(room)
    checks.that("two are joined", {m.user_id for m in members.members} == {alice.client.user_id, bob.client.user_id})
    state = await bob.client.room_get_state_event(room, "m.room.topic")
    checks.that("the topic is readable", getattr(state, "content", {}).get("topic") == "Two o'clock", repr(state))
    rooms = await bob.client.joined_rooms()
    checks.that("bob's rooms are listed", rooms.rooms == [room], repr(rooms))


async def part(alice, bob, room, checks):
    checks.answered("bob leaves", await bob.client.room_leave(room))
    gone = lambda: any(
        isinstance(e, RoomMemberEvent) and e.state_key == bob.client.user_id and e.membership == "leave"
        for e in alice.events
    )
    checks.that("alice sees bob leave", await alice.until(gone))
    refused = await say(bob, room, "still here?")
    checks.that("bob can no longer speak", getattr(refused, "status_code", None) == "M_FORBIDDEN", repr(refused))
    checks.answered("bob forgets the room", await bob.client.room_forget(room))


async def accounts(alice, bob, base_url, suffix, checks):
    again = Person(base_url, f"alice{suffix}")
    try:
        wrong = await again.client.login("not the password")
        checks.that("a wrong password is refused", getattr(wrong, "status_code", None) == "M_FORBIDDEN", repr(wrong))
        checks.answered("alice logs in again", await again.client.login(PASSWORD, device_name="second"))
        who = await again.client.whoami()
        checks.that("she is who she was", who.user_id == alice.client.user_id, repr(who))
        checks.that("with another device", who.device_id != alice.client.device_id)
        checks.answered("she logs out", await again.client.logout())
    finally:
        await again.client.close()
    shouting = Person(base_url, f"ALICE{suffix}")
    try:
        checks.answered("alice logs in whatever the case of her name", await shouting.client.login(PASSWORD))
        who = await shouting.client.whoami()
        checks.that("and is the same", who.user_id == alice.client.user_id, repr(who))
        checks.answered("and logs out", await shouting.client.logout())
    finally:
        await shouting.client.close()
    checks.answered("bob logs out", await bob.client.logout(all_devices=True))
    who = await bob.client.whoami()
    checks.that("his token is void", getattr(who, "status_code", None) == "M_UNKNOWN_TOKEN", repr(who))


def main():
    checks = Checks()
    suffix = sys.argv[2] if len(sys.argv) > 2 else secrets.token_hex(4)
    asyncio.run(chat(sys.argv[1], suffix, checks))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
