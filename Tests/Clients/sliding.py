#!/usr/bin/env python3
"""A client that follows sliding sync as Element X does, while others talk; what it knows in the end is compared with what `/v3/sync` tells the same user.

usage: sliding.py ADDRESS [SEED [ROUNDS]]

The client keeps rooms as the proposal has it: what comes with `initial` replaces, everything else is laid over what is there. It begins with a small window
that grows, opens rooms by subscription, goes away and comes back with a small window, repeats requests whose answer "was lost", and begins anew when its position is
gone.
"""

import json
import random
import secrets
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import quote

PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
STATE = [["m.room.name", ""], ["m.room.topic", ""], ["m.room.power_levels", ""], ["m.room.create", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"]]
KINDS = {kind for kind, key in STATE if key == ""}
EXTENSIONS = {name: {"enabled": True} for name in ("e2ee", "account_data", "receipts", "typing")}


class Unknown(Exception):
    """The client's position is gone."""


class Person:
    def __init__(self, base, name):
        self.base, self.token = base, None
        made = self.call("POST", "/_matrix/client/v3/register", {"username": name, "password": "a long password", "auth": {"type": "m.login.dummy"}})
        self.token, self.user = made["access_token"], made["user_id"]

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers, method=method), timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
            if answer.get("errcode") == "M_UNKNOWN_POS":
                raise Unknown from None
            raise RuntimeError(f"{method} {path}: {error.code} {answer}") from None

    def ask(self, method, path, body=None):
        return self.call(method, f"/_matrix/client/v3/{path}", body)

    def say(self, room, text):
        return self.ask("PUT", f"rooms/{quote(room)}/send/m.room.message/{secrets.token_hex(6)}", {"msgtype": "m.text", "body": text})["event_id"]

    def set(self, room, kind, content):
        self.ask("PUT", f"rooms/{quote(room)}/state/{kind}/", content)


class Client:
    """What an app keeps."""

    def __init__(self, person, dice):
        self.person, self.dice = person, dice
        self.forget()

    def forget(self):
        self.pos, self.rooms, self.data, self.order, self.members = None, {}, {}, [], {}

    def request(self, last, limit, opened=()):
        subscriptions = {room: {"timeline_limit": 20, "required_state": [["*", "*"]]} for room in opened}
        wanted = {"ranges": [[0, last]], "timeline_limit": limit, "required_state": STATE}
        body = {"conn_id": "room-list", "lists": {"all": wanted}, "room_subscriptions": subscriptions, "extensions": EXTENSIONS}
        return self.person.call("POST", f"{PATH}?timeout=0" + (f"&pos={quote(self.pos)}" if self.pos else ""), body)

    def sync(self, last, limit, opened=()):
        try:
            if self.dice.random() < 0.2:
                self.request(last, limit, opened)  # its answer is lost
            answer = self.request(last, limit, opened)
        except Unknown:
            self.forget()
            answer = self.request(last, limit, opened)
        self.pos = answer["pos"]
        for room, update in answer["rooms"].items():
            self.take(room, update)
        for room, items in answer["extensions"]["account_data"]["rooms"].items():
            self.data.setdefault(room, {}).update({item["type"]: item["content"] for item in items})
        self.order = answer["lists"]["all"]["ops"][0]["room_ids"]
        return answer

    def fresh(self, room):
        """The members whom the client must know as they are: the one who spoke last."""
        return {("m.room.member", event["sender"]) for event in self.rooms[room]["timeline"][-1:]}

    def take(self, room, update):
        known = self.rooms.get(room)
        if known is None and not update.get("initial"):
            raise AssertionError(f"{room} comes for the first time without initial")
        if update.get("initial"):
            known = self.rooms[room] = {"state": {}, "timeline": [], "invite": None, "joined_count": None, "name": None}
        if update.get("limited") or update.get("unstable_expanded_timeline"):
            known["timeline"] = []
        seen = {event["event_id"] for event in known["timeline"]}
        known["timeline"] += [event for event in update.get("timeline", []) if event["event_id"] not in seen]
        for event in update.get("required_state", []):
            known["state"][event["type"], event["state_key"]] = event["event_id"]
        known["invite"] = update.get("invite_state")
        for key in ("joined_count", "name"):
            known[key] = update.get(key, known[key])


class World:
    """Others, and what they do."""

    def __init__(self, base, dice):
        self.dice, suffix = dice, secrets.token_hex(4)
        self.me, self.others = Person(base, f"me{suffix}"), [Person(base, f"other{number}{suffix}") for number in range(3)]
        self.rooms = []
        for _ in range(14):
            self.create()

    def create(self):
        owner = self.dice.choice(self.others)
        room = owner.ask("POST", "createRoom", {"preset": "public_chat", "name": f"Room {len(self.rooms)}"})["room_id"]
        self.rooms.append((owner, room))
        for person in [self.me, *self.dice.sample(self.others, 2)]:
            person.ask("POST", f"join/{quote(room)}", {})
        owner.say(room, "welcome")

    def happen(self):
        owner, room = self.dice.choice(self.rooms)
        what, mark = self.dice.random(), secrets.token_hex(3)
        other = self.dice.choice(self.others)
        if what < 0.5:
            owner.say(room, f"text {mark}")
        elif what < 0.6:
            owner.set(room, self.dice.choice(["m.room.name", "m.room.topic"]), {"name": mark, "topic": mark})
        elif what < 0.7:
            if other is not owner:
                other.ask("POST", f"join/{quote(room)}", {})
                other.say(room, f"joined {mark}")
        elif what < 0.75:
            if other is not owner:
                other.ask("POST", f"join/{quote(room)}", {})
                other.ask("POST", f"rooms/{quote(room)}/leave", {})
        elif what < 0.85:
            self.me.ask("PUT", f"user/{quote(self.me.user)}/rooms/{quote(room)}/account_data/org.example", {"mark": mark})
        elif what < 0.9:
            self.me.ask("POST", f"rooms/{quote(room)}/leave", {})
            self.me.ask("POST", f"join/{quote(room)}", {})
        elif what < 0.93:
            self.create()
        elif what < 0.97:
            for number in range(6):
                owner.say(room, f"burst {number} {mark}")
        else:
            self.me.say(room, f"mine {mark}")


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def same(self, name, wanted, found):
        if wanted == found:
            self.passed += 1
        else:
            self.failed += 1
            print(f"  FAIL  {name}\n    v3:      {str(wanted)[:400]}\n    sliding: {str(found)[:400]}", flush=True)


def compare(checks, world, client):
    """Compares what the client knows with a first `/v3/sync` of the same user."""
    me = world.me
    filter = {"room": {"timeline": {"limit": 30, "not_types": [secrets.token_hex(4)]}, "include_leave": False}}
    whole = me.ask("GET", "sync?timeout=0&filter=" + quote(json.dumps(filter)))["rooms"].get("join", {})
    checks.same("the rooms", sorted(whole), sorted(set(client.order)))
    for room, data in whole.items():
        known = client.rooms[room]
        state = {(event["type"], event["state_key"]): event["event_id"] for event in data["state"]["events"]}
        content = {event["event_id"]: event for event in [*data["state"]["events"], *data["timeline"]["events"]]}
        for event in data["timeline"]["events"]:
            if "state_key" in event:
                state[event["type"], event["state_key"]] = event["event_id"]
        wanted = {key: event for key, event in state.items() if key[0] in KINDS or key == ("m.room.member", me.user)}
        found = {key: event for key, event in known["state"].items() if key[0] in KINDS or key == ("m.room.member", me.user)}
        checks.same(f"state of {room}", wanted, found)
        others = {key: event for key, event in known["state"].items() if key[0] == "m.room.member"}
        checks.same(f"members of {room}", {key: state.get(key) for key in others if key in client.fresh(room)}, {key: event for key, event in others.items() if key in client.fresh(room)})
        checks.same(f"name of {room}", content[state["m.room.name", ""]]["content"]["name"], known["name"])
        events = [event["event_id"] for event in data["timeline"]["events"]]
        mine = [event["event_id"] for event in known["timeline"]][-len(events):]
        checks.same(f"timeline of {room}", events[len(events) - len(mine):], mine)
        checks.same(f"timeline of {room} is there", True, bool(mine))
        checks.same(f"members of {room}, counted", len(me.ask("GET", f"rooms/{quote(room)}/joined_members")["joined"]), known["joined_count"])
        wanted = {event["type"]: event["content"] for event in data["account_data"]["events"]}
        checks.same(f"account data of {room}", wanted, client.data.get(room, {}))
        speakers = {("m.room.member", event["sender"]) for event in known["timeline"]}
        checks.same(f"members who speak in {room}", set(), speakers - set(known["state"]))


def main():
    base = sys.argv[1].rstrip("/")
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 25
    print(f"seed {seed}", flush=True)
    dice, checks = random.Random(seed), Checks()
    world = World(base, dice)
    client = Client(world.me, dice)
    for window in (2, 5, 11):
        client.sync(window, 1)
        world.happen()
    for number in range(rounds):
        for _ in range(dice.randrange(6)):
            world.happen()
        opened = dice.sample(sorted(client.rooms), dice.randrange(3)) if client.rooms else []
        if number % 10 == 9:
            client.pos = client.pos and f"999999{client.pos}"  # as if the server had thrown it away
        client.sync(dice.choice([0, 2, 5, 11, 99]), dice.choice([1, 1, 3, 20]), opened)
    deadline = time.monotonic() + 20
    # Through a proxy the answer of one process may be some milliseconds behind another's.
    while client.sync(999, 1)["rooms"] and time.monotonic() < deadline:
        pass
    compare(checks, world, client)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
