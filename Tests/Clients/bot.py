#!/usr/bin/env python3
"""A bot of mautrix (with libolm) answers a person of matrix-nio (with vodozemac) in an encrypted room.

usage: bot.py BASE_URL

Each check prints a line; the last line is `N passed, M failed`. The exit status is 1 when a check failed.
"""

import asyncio
import secrets
import sys
import tempfile

from chat import PASSWORD, Checks
from encryption import Device, everybody
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore, MemorySyncStore
from mautrix.crypto import MemoryCryptoStore, OlmMachine
from mautrix.types import EventType, MessageType, TextMessageEventContent
from nio import AsyncClient


class RoomsOfTheBot(MemoryStateStore):
    """What the bot's encryption asks of the rooms that the bot knows."""

    async def find_shared_rooms(self, user):
        return [room for room, members in self.members.items() if user in members]


class Bot:
    """Answers each text with the same text."""

    def __init__(self, base_url, user):
        self.state, self.heard = RoomsOfTheBot(), []
        self.client = Client(mxid=user, base_url=base_url, state_store=self.state, sync_store=MemorySyncStore())

    async def start(self, localpart):
        await self.client.login(identifier=localpart, password=PASSWORD, device_name="bot", store_access_token=True)
        crypto = MemoryCryptoStore(account_id=self.client.mxid, pickle_key="key")
        await crypto.put_device_id(self.client.device_id)
        self.client.crypto = OlmMachine(self.client, crypto, self.state)
        await self.client.crypto.load()
        await self.client.crypto.share_keys()
        self.client.add_event_handler(EventType.ROOM_MESSAGE, self.answer)
        self.running = self.client.start(None)

    async def answer(self, event):
        if event.sender == self.client.mxid:
            return
        self.heard.append(event.content.body)
        content = TextMessageEventContent(msgtype=MessageType.NOTICE, body=f"echo: {event.content.body}")
        await self.client.send_message(event.room_id, content)

    async def stop(self):
        self.client.stop()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.client.api.session.close()


async def main():
    base_url, checks, suffix = sys.argv[1].rstrip("/"), Checks(), secrets.token_hex(3)
    names = [f"person{suffix}", f"bot{suffix}"]
    for name in names:
        registering = AsyncClient(base_url, name)
        checks.answered(f"{name} registers", await registering.register(name, PASSWORD, "unused"))
        user = registering.user_id
        await registering.close()
    bot = Bot(base_url, user)
    await bot.start(names[1])
    person = Device(base_url, names[0], tempfile.mkdtemp())
    await person.log_in("phone")
    initial = [{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
    room = (await person.client.room_create(initial_state=initial)).room_id
    await person.client.room_invite(room, user)
    await bot.client.join_room(room)
    await everybody([person], 3)
    answers = []
    for number in range(3):
        await person.say(room, f"question {number}")
        for _ in range(60):
            await person.step(timeout=500)
            page = await person.client.room_messages(room, limit=20)
            answers = [event.body for event in page.chunk if getattr(event, "decrypted", False) and event.sender == user]
            if len(answers) > number:
                break
    checks.that("the bot could read", bot.heard == [f"question {number}" for number in range(3)], bot.heard)
    checks.that("its answers could be read", sorted(answers) == [f"echo: question {number}" for number in range(3)], answers)
    await bot.stop()
    await person.client.close()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
