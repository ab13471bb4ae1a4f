#!/usr/bin/env python3
"""Repeated requests: the same transaction id on the same path is a repetition and makes nothing new; on another path it is another
request, which is carried out (matrix-org/matrix-spec#1133).

usage: transactions.py CLUSTER_FOLDER
"""

import sys

from harness import Checks, Server, at_once, path


class Case:
    """A room, and the processes through which requests go in turn."""

    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice, self.bob = server.register(), server.register()
        self.room = self.alice.create_room(preset="public_chat")

    def through(self, number):
        workers = self.server.workers
        return self.alice.at(workers[number % len(workers)])

    def send(self, transaction, text="hello", kind="m.room.message", through=0, room=None):
        target = path("rooms", room or self.room, "send", kind, transaction)
        return self.through(through).ok("PUT", target, {"msgtype": "m.text", "body": text})["event_id"]

    def redact(self, event, transaction, through=0):
        return self.through(through).ok("PUT", path("rooms", self.room, "redact", event, transaction), {})["event_id"]

    def change(self, action, transaction, user, through=0):
        # These paths are the main process' in a cluster, so they go through the proxy.
        target = path("rooms", self.room, action, transaction)
        return self.alice.ok("PUT", target, {"user_id": user})

    def is_redacted(self, event):
        return "redacted_because" in self.alice.ok("GET", path("rooms", self.room, "event", event)).get("unsigned", {})

    def membership(self, user):
        found = self.alice.get(path("rooms", self.room, "state", "m.room.member", user))
        return found.json.get("membership") if found.status == 200 else None

    def events(self):
        answer = self.alice.ok("GET", path("rooms", self.room, "messages") + "?dir=b&limit=1000")
        return [event["event_id"] for event in answer["chunk"]]


def same_path(case):
    checks = case.checks
    first = case.send("once")
    for through in (0, 1):
        checks.equal(f"a repeated send has the same event, process {through}", case.send("once", through=through), first)
        checks.equal("also with another text", case.send("once", "other", through=through), first)
    before = len(case.events())
    found = at_once(8, lambda number: case.send("together", through=number))
    checks.equal("sends at once with one id have one event", len(set(found)), 1)
    checks.equal("and one is stored", len(case.events()), before + 1)
    other = case.alice.create_room()
    checks.that("another room is another request", case.send("once", room=other) != first)
    session = case.server.login(case.alice.user)
    again = session.ok("PUT", path("rooms", case.room, "send", "m.room.message", "once"), {"body": "b", "msgtype": "m.text"})
    checks.that("another device is another request", again["event_id"] != first)


def other_path(case):
    checks = case.checks
    first, second = case.send("one"), case.send("two")
    redaction = case.redact(first, "one")
    checks.that("a redaction with the id of the message has an event of its own", redaction != first)
    checks.that("and redacts", case.is_redacted(first))
    another = case.redact(second, "one", through=1)
    checks.that("a redaction of another event with the same id as well", another not in (first, redaction))
    checks.that("and redacts, too", case.is_redacted(second))
    typed = case.send("one", kind="org.example.other", through=1)
    checks.that("another type is another request", typed not in (first, redaction, another))
    for through in (0, 1):
        checks.equal("the message is repeated", case.send("one", through=through), first)
        checks.equal("the redaction is repeated", case.redact(first, "one", through=through), redaction)
        checks.equal("the other redaction is repeated", case.redact(second, "one", through=through), another)
        kind = "org.example.other"
        checks.equal("the other type is repeated", case.send("one", kind=kind, through=through), typed)
    return {"one": first}, {first: redaction, second: another}, typed


def memberships(case):
    checks, bob = case.checks, case.bob.user
    case.change("invite", "9", bob)
    case.bob.join(case.room)
    case.change("kick", "9", bob)
    checks.equal("a kick with the id of the invite removes", case.membership(bob), "leave")
    case.change("ban", "9", bob)
    checks.equal("a ban with it bans", case.membership(bob), "ban")
    case.change("unban", "9", bob)
    checks.equal("taking the ban back with it does so", case.membership(bob), "leave")
    case.bob.join(case.room)
    for action in ("invite", "kick", "ban", "unban"):
        case.change(action, "9", bob)
        checks.equal(f"repeating {action} changes nothing", case.membership(bob), "join")


def at_the_same_time(case):
    checks = case.checks
    events = [case.send(f"m{number}") for number in range(4)]
    redactions = at_once(8, lambda number: case.redact(events[number % 4], "all", through=number // 4))
    checks.equal("redactions at once with one id are told apart by their path", len(set(redactions)), 4)
    checks.that("and all redact", all(case.is_redacted(event) for event in events))
    kinds = [f"org.example.k{number}" for number in range(4)]
    sent = at_once(8, lambda number: case.send("all", kind=kinds[number % 4], through=number // 4))
    checks.equal("types at once with one id are told apart", len(set(sent)), 4)
    for number in range(8):
        checks.equal("each is repeated", case.send("all", kind=kinds[number % 4], through=number), sent[number])


def hostile_ids(case):
    checks = case.checks
    first = case.send("plain")
    redaction = case.redact(first, "plain")
    odd = f"plain\nredact/{first}"
    message = case.send(odd)
    checks.that("an id that looks like a stored name is another request", message not in (first, redaction))
    checks.equal("and is repeated", case.send(odd, through=1), message)
    checks.equal("without confusing the other", case.redact(first, "plain", through=1), redaction)


def after_restart(case, messages, redactions, typed):
    checks, server = case.checks, case.server
    for part in (["generic_worker1", "generic_worker2", "event_persister1", "homeserver"] if server.is_cluster else ["homeserver"]):
        if part in server.processes or part == "homeserver":
            server.control("restart", part)
    for transaction, event in messages.items():
        checks.equal("after a restart the message is repeated", case.send(transaction), event)
    for event, redaction in redactions.items():
        checks.equal("after a restart the redactions are repeated", case.redact(event, "one"), redaction)
    checks.equal("after a restart the other type is repeated", case.send("one", kind="org.example.other"), typed)
    before = case.events()
    case.change("kick", "9", case.bob.user)
    checks.equal("after a restart the kick is repeated", case.events(), before)


def main():
    server, checks = Server(sys.argv[1]), Checks()
    case = Case(server, checks)
    same_path(case)
    sent = other_path(case)
    memberships(case)
    at_the_same_time(case)
    hostile_ids(case)
    after_restart(case, *sent)
    checks.end()


if __name__ == "__main__":
    main()
