#!/usr/bin/env python3
"""Two people with two devices each write encrypted messages with matrix-nio and vodozemac, against a running server.

usage: encryption.py BASE_URL

They verify each other by short authentication strings, cross-sign their devices, and restore a device from the key backup. What matrix-nio
has not (cross-signing, backups) is done here with vodozemac's keys, and checked by the rules of the specification.

Each check prints a line; the last line is `N passed, M failed`. The exit status is 1 when a check failed.
"""

import asyncio
import json
import secrets
import sys
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import vodozemac
from chat import PASSWORD, Checks
from nio import (
    AsyncClient,
    AsyncClientConfig,
    KeyVerificationKey,
    KeyVerificationStart,
    MegolmEvent,
    RoomMessageText,
    SyncResponse,
    ToDeviceError,
)
from nio.crypto.key_export import decrypt_and_read, encrypt_and_save

ROUNDS = 6
BACKUP = "m.megolm_backup.v1.curve25519-aes-sha2"


class Device:
    """One device of a person."""

    def __init__(self, base_url, name, folder):
        self.base_url, self.folder = base_url, Path(folder) / secrets.token_hex(4)
        self.folder.mkdir(parents=True)
        config = AsyncClientConfig(encryption_enabled=True, request_timeout=60, max_limit_exceeded=20)
        self.client = AsyncClient(base_url, name, store_path=str(self.folder), config=config)
        self.messages, self.unreadable, self.verification = {}, [], None

    async def log_in(self, device):
        response = await self.client.login(PASSWORD, device_name=device)
        await self.settle()
        return response

    @property
    def user(self):
        return self.client.user_id

    @property
    def device(self):
        return self.client.device_id

    async def step(self, timeout=0):
        """One sync, and what a client does after it."""
        response = await self.client.sync(timeout=timeout, full_state=False)
        assert isinstance(response, SyncResponse), response
        # What the client answers by itself goes first: the other side takes the messages of a verification in their order.
        await self.client.send_to_device_messages()
        for event in response.to_device_events:
            await self.verify(event)
        if self.client.should_upload_keys:
            await self.client.keys_upload()
        if self.client.should_query_keys:
            await self.client.keys_query()
        for room in response.rooms.join.values():
            for event in room.timeline.events:
                self.note(event)

    def note(self, event):
        if isinstance(event, RoomMessageText):
            self.messages[event.event_id] = (event.body, event.decrypted)
        elif isinstance(event, MegolmEvent):
            self.unreadable.append(event.event_id)

    async def settle(self, rounds=2):
        for _ in range(rounds):
            await self.step()

    async def verify(self, event):
        """Follows a verification as the side that is asked, and confirms what the other side shows."""
        transaction = getattr(event, "transaction_id", None)
        verification = self.client.key_verifications.get(transaction)
        if verification is None:
            return
        self.verification = verification
        if isinstance(event, KeyVerificationStart):
            response = await self.client.accept_key_verification(transaction)
            assert not isinstance(response, ToDeviceError), response
        elif isinstance(event, KeyVerificationKey):
            await self.client.confirm_short_auth_string(transaction)

    def call(self, method, path, body=None):
        """A request that matrix-nio has no function for: status and JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.base_url}/_matrix/client/v3/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    async def say(self, room, text):
        response = await self.client.room_send(
            room, "m.room.message", {"msgtype": "m.text", "body": text}, ignore_unverified_devices=True)
        return response.event_id


async def everybody(devices, rounds=ROUNDS):
    """Lets all of them sync in turn, so that what one sends the next has."""
    for _ in range(rounds):
        for device in devices:
            await device.step()


def canonical(value):
    bare = {key: part for key, part in value.items() if key not in ("signatures", "unsigned")}
    return json.dumps(bare, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def is_signed(value, user, key):
    """Whether the signature of an Ed25519 key is there and right."""
    signature = value.get("signatures", {}).get(user, {}).get(f"ed25519:{key}")
    if signature is None:
        return False
    try:
        vodozemac.Ed25519PublicKey.from_base64(key).verify_signature(canonical(value), vodozemac.Ed25519Signature.from_base64(signature))
        return True
    except ValueError:
        return False


class Identity:
    """A person's three keys. An account of vodozemac serves as each: it has an Ed25519 key that signs."""

    def __init__(self, device):
        self.device, self.user = device, device.user
        self.keys = {usage: vodozemac.Account() for usage in ("master", "self_signing", "user_signing")}

    def public(self, usage):
        return self.keys[usage].ed25519_key.to_base64()

    def sign(self, usage, value):
        signature = self.keys[usage].sign(canonical(value)).to_base64()
        mine = value.setdefault("signatures", {}).setdefault(self.user, {})
        mine[f"ed25519:{self.public(usage)}"] = signature
        return value

    def upload(self):
        body = {}
        for usage in self.keys:
            key = self.public(usage)
            body[f"{usage}_key"] = {"user_id": self.user, "usage": [usage], "keys": {f"ed25519:{key}": key}}
            if usage != "master":
                self.sign("master", body[f"{usage}_key"])
        return self.device.call("POST", "keys/device_signing/upload", body)

    def sign_device(self, device):
        keys = self.query([self.user])["device_keys"][self.user][device.device]
        keys.pop("unsigned", None)
        return self.device.call("POST", "keys/signatures/upload", {self.user: {device.device: self.sign("self_signing", keys)}})

    def sign_person(self, other):
        master = self.query([other.user])["master_keys"][other.user]
        return self.device.call("POST", "keys/signatures/upload", {other.user: {other.public("master"): self.sign("user_signing", master)}})

    def query(self, users):
        return self.device.call("POST", "keys/query", {"device_keys": {user: [] for user in users}})[1]


async def verification(checks, one, other):
    device = one.client.device_store[other.user][other.device]
    checks.answered("a verification begins", await one.client.start_key_verification(device))
    await everybody([other, one])
    ours, theirs = one.verification, other.verification
    checks.that("both sides came to an end", ours and theirs and ours.verified and theirs.verified)
    if ours and theirs:
        checks.that("both saw the same signs", ours.get_emoji() == theirs.get_emoji())
    checks.that("one trusts the other", one.client.device_store[other.user][other.device].verified)
    checks.that("the other trusts the one", other.client.device_store[one.user][one.device].verified)


async def conversation(checks, room, devices):
    said = {}
    for number, device in enumerate(devices):
        said[await device.say(room, f"message {number}")] = f"message {number}"
        await everybody(devices, 2)
    await everybody(devices, 2)
    for device in devices:
        for event, text in said.items():
            found = device.messages.get(event)
            checks.that(f"{device.user} on {device.device} reads {text!r}", found is not None and found[0] == text, found)
            checks.that("which came encrypted", found is not None and (found[1] or text == f"message {devices.index(device)}"), found)
        checks.that(f"{device.device} has read everything", device.unreadable == [], device.unreadable)
    return said


def cross_signing(checks, alice, bob, devices):
    mine, theirs = Identity(alice), Identity(bob)
    checks.that("keys to sign with", mine.upload()[0] == 200 and theirs.upload()[0] == 200)
    checks.that("once more is no change", mine.upload()[0] == 200)
    status, asked = Identity(alice).upload()
    checks.that("other ones need the password", status == 401 and "flows" in asked, asked)
    for identity in (mine, theirs):
        for device in devices:
            if device.user == identity.user:
                status, answer = identity.sign_device(device)
                checks.that(f"{device.device} is signed", status == 200 and not answer["failures"], answer)
    status, answer = mine.sign_person(theirs)
    checks.that("alice signs bob", status == 200 and not answer["failures"], answer)
    seen = theirs.query([alice.user, bob.user])
    for identity in (mine, theirs):
        signing = seen["self_signing_keys"][identity.user]
        checks.that("the master key vouches for the self-signing key", is_signed(signing, identity.user, identity.public("master")))
        for device in devices:
            if device.user == identity.user:
                found = seen["device_keys"][identity.user][device.device]
                checks.that(f"which vouches for {device.device}", is_signed(found, identity.user, identity.public("self_signing")))
    checks.that("whom bob trusts is not shown of alice", alice.user not in seen["user_signing_keys"])
    own = mine.query([alice.user, bob.user])
    checks.that("alice sees that she signed bob", is_signed(own["master_keys"][bob.user], alice.user, mine.public("user_signing")))
    checks.that("bob does not", not is_signed(seen["master_keys"][bob.user], alice.user, mine.public("user_signing")))


def base64(data):
    """Unpadded Base64, as Matrix has it."""
    return b64encode(bytes(data)).decode().rstrip("=")


def back_up(checks, device, sessions):
    secret = vodozemac.Curve25519SecretKey()
    auth_data = {"public_key": secret.public_key().to_base64(), "signatures": {}}
    status, made = device.call("POST", "room_keys/version", {"algorithm": BACKUP, "auth_data": auth_data})
    checks.that("a backup", status == 200, made)
    lock, rooms = vodozemac.PkEncryption.from_key(secret.public_key()), {}
    for session in sessions:
        inner = {key: value for key, value in session.items() if key not in ("room_id", "session_id")}
        message = lock.encrypt(json.dumps(inner).encode())
        data = {"ciphertext": base64(message.ciphertext), "mac": base64(message.mac), "ephemeral": base64(message.ephemeral_key)}
        rooms.setdefault(session["room_id"], {"sessions": {}})["sessions"][session["session_id"]] = {
            "first_message_index": 0, "forwarded_count": 0, "is_verified": True, "session_data": data}
    status, answer = device.call("PUT", f"room_keys/keys?version={made['version']}", {"rooms": rooms})
    checks.that("takes the keys", status == 200 and answer["count"] == len(sessions), answer)
    return secret


def restore(checks, device, secret):
    status, current = device.call("GET", "room_keys/version")
    checks.that("the new device finds the backup", status == 200 and current["algorithm"] == BACKUP, current)
    checks.that("whose key it has", current["auth_data"]["public_key"] == secret.public_key().to_base64())
    status, found = device.call("GET", f"room_keys/keys?version={current['version']}")
    opener, sessions = vodozemac.PkDecryption.from_key(secret), []
    for room, keys in found["rooms"].items():
        for session, key in keys["sessions"].items():
            data = key["session_data"]
            inner = opener.decrypt(vodozemac.Message.from_base64(data["ciphertext"], data["mac"], data["ephemeral"]))
            sessions.append({**json.loads(inner), "room_id": room, "session_id": session})
    return sessions


async def backup(checks, room, old, base_url, said, folder):
    file, phrase = str(Path(folder) / "keys"), "a phrase"
    await old.client.export_keys(file, phrase, 1000)
    secret = back_up(checks, old, json.loads(decrypt_and_read(file, phrase)))
    new = Device(base_url, old.user, folder)
    await new.log_in("restored")
    await new.settle()
    page = await new.client.room_messages(room, limit=100)
    checks.that("without keys nothing can be read", all(isinstance(e, MegolmEvent) for e in page.chunk if e.event_id in said))
    file = str(Path(folder) / "restored")
    encrypt_and_save(json.dumps(restore(checks, new, secret)).encode(), file, phrase, 1000)
    await new.client.import_keys(file, phrase)
    page = await new.client.room_messages(room, limit=100)
    read = {event.event_id: event.body for event in page.chunk if isinstance(event, RoomMessageText)}
    for event, text in said.items():
        checks.that(f"the new device reads {text!r} of old", read.get(event) == text, read.get(event))
    return new


async def main():
    base_url, checks, folder = sys.argv[1].rstrip("/"), Checks(), tempfile.mkdtemp()
    suffix = secrets.token_hex(3)
    devices = []
    for name in (f"alice{suffix}", f"bob{suffix}"):
        registering = AsyncClient(base_url, name)
        checks.answered(f"{name} registers", await registering.register(name, PASSWORD, "unused"))
        await registering.close()
        for number in (1, 2):
            device = Device(base_url, name, folder)
            checks.answered(f"device {number} logs in", await device.log_in(f"device {number}"))
            devices.append(device)
    alice, _, bob, _ = devices
    initial = [{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
    room = (await alice.client.room_create(invite=[bob.user], initial_state=initial)).room_id
    checks.answered("bob joins", await bob.client.join(room))
    await everybody(devices)
    checks.that("the room is encrypted", bob.client.rooms[room].encrypted)
    for device in devices:
        known = {(user, name) for user in (alice.user, bob.user) for name in device.client.device_store[user]}
        wanted = {(other.user, other.device) for other in devices if other is not device}
        checks.that(f"{device.device} knows all others", wanted <= known, wanted - known)
    await verification(checks, alice, bob)
    said = await conversation(checks, room, devices)
    cross_signing(checks, alice, bob, devices)
    devices.append(await backup(checks, room, alice, base_url, said, folder))
    await everybody(devices, 3)
    late = await bob.say(room, "after all that")
    await everybody(devices, 2)
    for device in devices:
        checks.that(f"{device.device} reads on", device.messages.get(late, ("",))[0] == "after all that")
    gone = devices.pop(1)
    status, _ = gone.call("POST", "logout", {})
    checks.that("a device logs out", status == 200)
    await everybody(devices, 2)
    checks.that("and is known no more", gone.device not in {name for name in bob.client.device_store[gone.user]
                                                         if not bob.client.device_store[gone.user][name].deleted})
    for device in devices:
        await device.client.close()
    await gone.client.close()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
