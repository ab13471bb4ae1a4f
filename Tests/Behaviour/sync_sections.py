#!/usr/bin/env python3
"""What `/sync` says of state: whoever follows it has the room's state, in either form, lazily or not, at whichever process; and summaries.

usage: sync_sections.py CLUSTER_FOLDER
"""

import json
import random
import sys

from harness import Checks, Server, path

LIMITS = (1, 3, 20)


class Follower:
    """A client that keeps the state of one room by what `/sync` says."""

    def __init__(self, user, room, after, limit, addresses):
        self.user, self.room, self.after, self.addresses = user, room, after, addresses
        self.filter = json.dumps({"presence": {"types": []}, "room": {"rooms": [room], "timeline": {"limit": limit}}})
        self.state, self.token, self.section = {}, None, None

    def step(self, number):
        user = self.user.at(self.addresses[number % len(self.addresses)])
        options = {"use_state_after": "true"} if self.after else {}
        answer = user.sync(self.token, filter=self.filter, **options)
        self.token = answer["next_batch"]
        for section in ("join", "leave"):
            shown = answer.get("rooms", {}).get(section, {}).get(self.room)
            if shown:
                self.section = section
                self.take(shown)

    def take(self, shown):
        events = shown["state_after" if self.after else "state"]["events"]
        if not self.after:
            events = events + [event for event in shown["timeline"]["events"] if "state_key" in event]
        for event in events:
            self.state[event["type"], event["state_key"]] = event["event_id"]


def following(server, checks):
    """A walk through changes of a room, followed by clients that look at different moments."""
    for seed in (11, 23):
        choice = random.Random(seed)
        owner, others = server.register(), [server.register() for _ in range(3)]
        room = owner.create_room(preset="public_chat")
        watcher = server.register()
        watcher.join(room)
        followers = [Follower(watcher, room, after, limit, server.workers) for after in (False, True) for limit in LIMITS]
        inside = set()
        for number in range(40):
            other = choice.randrange(3)
            match choice.randrange(5):
                case 0: owner.state(room, "m.room.topic", {"topic": f"{seed} {number}"})
                case 1: owner.state(room, "org.example", {"n": number}, key=choice.choice("abc"))
                case 2: owner.say(room, f"{number}")
                case 3:
                    others[other].leave(room) if other in inside else others[other].join(room)
                    inside ^= {other}
                case 4: watcher.say(room, f"own {number}")
            for follower in followers:
                if choice.random() < 0.3:
                    follower.step(number)
        last = owner.say(room, "last")
        watcher.sync_until(lambda answer: last in str(answer), filter=followers[-1].filter)
        wanted = {(event["type"], event["state_key"]): event["event_id"] for event in owner.ok("GET", path("rooms", room, "state"))}
        for follower in followers:
            for number in range(len(server.workers)):
                follower.step(number)
            missing = {key: (follower.state.get(key), value) for key, value in wanted.items() if follower.state.get(key) != value}
            checks.that(f"walk {seed}: the state, {'after' if follower.after else 'before'}, {follower.filter}", not missing, missing)


def leaving(server, checks):
    """Who is removed has the state as it was then, with the own membership, and nothing that came later."""
    owner, user = server.register(), server.register()
    room = owner.create_room(preset="public_chat")
    user.join(room)
    follower = Follower(user, room, True, 1, server.workers)
    follower.step(0)
    owner.state(room, "m.room.topic", {"topic": "seen"})
    kicked = owner.ok("POST", path("rooms", room, "kick"), {"user_id": user.user})
    later = owner.state(room, "m.room.topic", {"topic": "not seen"})
    answer = user.sync_until(lambda a: room in a.get("rooms", {}).get("leave", {}), follower.token, filter=follower.filter, use_state_after="true")
    shown = answer["rooms"]["leave"][room]
    checks.that("the section has the name of the specification", "state_after" in shown and "state" not in shown, list(shown))
    events = {(event["type"], event["state_key"]): event for event in shown["state_after"]["events"]}
    checks.equal("own membership", events["m.room.member", user.user]["content"]["membership"], "leave")
    checks.equal("the topic of then", events["m.room.topic", ""]["content"]["topic"], "seen")
    checks.that("nothing later", later not in str(shown) and kicked == {})
    checks.equal("a wrong value", user.get(path("sync") + "?use_state_after=maybe").status, 400)
    checks.that("the proposal's name is not followed unasked", "state" in user.sync(
        filter='{"room":{"include_leave":true}}', **{"org.matrix.msc4222.use_state_after": "true"})["rooms"]["leave"][room])


def summaries(server, checks):
    """Rooms without a name are called after others, and after those who left when nobody is left."""
    lazy = json.dumps({"room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 1}}})
    alice, bob, carol = (server.register() for _ in range(3))
    room = alice.create_room(preset="public_chat", invite=[carol.user])
    bob.join(room)

    def summary(since=None):
        last = alice.say(room, "x")
        answer = alice.sync_until(lambda a: last in str(a), since, filter=lazy)
        shown = answer["rooms"]["join"][room]
        members = {event["state_key"] for event in shown["state"]["events"] + shown["timeline"]["events"] if event["type"] == "m.room.member"}
        return shown["summary"], members, answer["next_batch"]

    found, members, _ = summary()
    checks.equal("joined", found["m.joined_member_count"], 2)
    checks.equal("invited", found["m.invited_member_count"], 1)
    checks.equal("called after both", set(found["m.heroes"]), {bob.user, carol.user})
    checks.that("whose memberships come along", {bob.user, carol.user} <= members, members)
    bob.leave(room)
    carol.leave(room)
    found, members, _ = summary()
    checks.equal("called after those who were there", set(found["m.heroes"]), {bob.user, carol.user})
    checks.equal("alone", found["m.joined_member_count"], 1)
    alice.state(room, "m.room.name", {"name": "Named"})
    found, _, token = summary()
    checks.that("a named room needs nobody", "m.heroes" not in found, found)
    found, _, _ = summary(token)
    checks.equal("nothing new of the summary", found, {})


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for part in (following, leaving, summaries):
        try:
            part(server, checks)
        except Exception as error:  # A part that breaks is a failure; the others are still tried.
            checks.that(part.__name__, False, repr(error))
    checks.end()


if __name__ == "__main__":
    main()
