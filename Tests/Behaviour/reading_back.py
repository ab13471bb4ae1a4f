#!/usr/bin/env python3
"""What a client has just done, it reads back by every process, also under load.

usage: reading_back.py CLUSTER_FOLDER
"""

import sys
import threading

from harness import V3, Checks, Server, at_once, path

ROUNDS = 40


class Stale:
    """Counts reads that did not show what had been written before."""

    def __init__(self):
        self.lock, self.counts, self.examples = threading.Lock(), {}, {}

    def look(self, name, is_right, answer):
        with self.lock:
            right, wrong = self.counts.get(name, (0, 0))
            self.counts[name] = (right + is_right, wrong + (not is_right))
            if not is_right:
                self.examples.setdefault(name, repr(answer)[:200])


def write_and_read(server, stale):
    """One user's writes, each read back at once by every process that serves clients."""
    user = server.register()
    readers = [user.at(address) for address in server.workers]
    room = user.create_room()
    own = path("user", user.user)
    for number in range(ROUNDS):
        user.ok("PUT", f"{own}/account_data/org.example.number", {"value": number})
        each(stale, "account data", readers, f"{own}/account_data/org.example.number", lambda a: a["value"] == number)
        user.ok("PUT", f"{own}/rooms/{room}/account_data/org.example.number", {"value": number})
        each(stale, "account data of a room", readers, f"{own}/rooms/{room}/account_data/org.example.number",
             lambda a: a["value"] == number)
        user.ok("PUT", f"{own}/rooms/{room}/tags/u.tag", {"order": number / ROUNDS})
        each(stale, "tags", readers, f"{own}/rooms/{room}/tags", lambda a: a["tags"]["u.tag"]["order"] == number / ROUNDS)
        user.ok("PUT", path("pushrules", "global", "content", f"rule{number}"), {"pattern": "word", "actions": []})
        each(stale, "push rules", readers, V3 + "/pushrules/", lambda a: f"rule{number}" in str(a))
        user.ok("PUT", path("presence", user.user, "status"), {"presence": "online", "status_msg": f"number {number}"})
        each(stale, "presence", readers, path("presence", user.user, "status"),
             lambda a: a.get("status_msg") == f"number {number}")
        user.state(room, "m.room.topic", {"topic": f"number {number}"})
        each(stale, "a state event", readers, path("rooms", room, "state", "m.room.topic"),
             lambda a: a["topic"] == f"number {number}")
        user.state(room, "org.example.state", {"number": number}, f"key {number}")
        each(stale, "the state", readers, path("rooms", room, "state"), lambda a: f"key {number}" in str(a))
        user.state(room, "m.room.member", {"membership": "join", "displayname": f"number {number}"}, user.user)
        each(stale, "members", readers, path("rooms", room, "members"), lambda a: f"number {number}" in str(a))
        each(stale, "joined members", readers, path("rooms", room, "joined_members"), lambda a: f"number {number}" in str(a))
        event = user.say(room, f"number {number}")
        each(stale, "messages", readers, path("rooms", room, "messages") + "?dir=b&limit=1",
             lambda a: a["chunk"][0]["event_id"] == event)
        each(stale, "an event", readers, path("rooms", room, "event", event), lambda a: a["event_id"] == event)
        if number % 8 == 0:
            other = user.create_room()
            each(stale, "joined rooms", readers, V3 + "/joined_rooms", lambda a: other in a["joined_rooms"])
            each(stale, "a new room", readers, path("rooms", other, "state", "m.room.create"), lambda a: True)
            user.leave(other)
            each(stale, "joined rooms without one", readers, V3 + "/joined_rooms", lambda a: other not in a["joined_rooms"])
            user.ok("POST", path("rooms", other, "forget"))


def each(stale, name, readers, target, is_right):
    for reader in readers:
        answer = reader.get(target)
        try:
            stale.look(name, answer.status == 200 and bool(is_right(answer.json)), answer)
        except (KeyError, IndexError):  # What was written is not there at all.
            stale.look(name, False, answer)


def main():
    server, checks, stale = Server(sys.argv[1]), Checks(), Stale()
    at_once(4, lambda number: write_and_read(server, stale))
    for name, (right, wrong) in sorted(stale.counts.items()):
        checks.that(f"{name}: {wrong} of {right + wrong} reads were stale", wrong == 0, stale.examples.get(name))
    checks.end()


if __name__ == "__main__":
    main()
