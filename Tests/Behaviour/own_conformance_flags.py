#!/usr/bin/env python3
"""What Complement asks of delayed events and of blocking invitations, which settings switch on.

Each function is named by a row of Docs/conformance.md.

usage: own_conformance_flags.py FOLDER BINARIES
"""

import json
import sys
import time

from harness import Checks, own_server, path

SETTINGS = """
max_event_delay_duration: 24h
rc_delayed_event_mgmt: {per_second: 9999, burst_count: 9999}
experimental_features:
  msc4155_enabled: true
"""
DELAYED = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def later(client, room, target, content, delay=900):
    return client.ok("PUT", path("rooms", room, *target) + f"?org.matrix.msc4140.delay={delay}", content)["delay_id"]


def pending(client):
    return client.ok("GET", DELAYED).get("delayed_events", [])


def state_of(client, room, kind="com.example.test", key="1"):
    answer = client.get(path("rooms", room, "state", kind, key))
    return answer.json if answer.status == 200 else None


def act(client, delay, action, **options):
    return client.post(f"{DELAYED}/{delay}/{action}", {}, **options)


def delayed(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    checks.equal("at first there are none", pending(alice), [])
    checks.equal("nobody else asks", server.anonymous().get(DELAYED, token=None).status, 401)
    since = bob.sync()["next_batch"]
    target = ("send", "com.example.test", "txn")
    delay = later(alice, room, target, {"n": 1})
    checks.equal("the same transaction is the same delay", later(alice, room, target, {"n": 1}), delay)
    found = pending(alice)
    checks.that("it is listed", [e["delay_id"] for e in found] == [delay] and found[0]["content"] == {"n": 1} and found[0]["delay"] == 900, found)
    checks.equal("to no other", pending(bob), [])
    answer = bob.sync_until(lambda a: "com.example.test" in str(a), since)
    checks.that("it is sent in time", '"n": 1' in json.dumps(answer.get("rooms")), answer)
    checks.equal("and listed no more", until(lambda: pending(alice) == []), True)
    delay = later(alice, room, ("state", "com.example.test", "1"), {"n": 2})
    checks.equal("state is not there at first", state_of(alice, room), None)
    checks.equal("but in time", until(lambda: state_of(alice, room)), {"n": 2})
    delayed_actions(server, checks, alice, room)


def delayed_actions(server, checks, alice, room):
    delay = later(alice, room, ("state", "com.example.test", "none"), {}, 600000)
    for body in ({}, {"action": "oops"}):
        answer = alice.post(f"{DELAYED}/{delay}", body)
        checks.that(f"an action that is none: {body}", answer.status == 400 and answer.errcode in ("M_MISSING_PARAM", "M_INVALID_PARAM"), answer)
    for action in ("cancel", "restart", "send"):
        checks.equal(f"{action} of nothing", act(alice, "0", action).status, 404)
    cancelled = later(alice, room, ("state", "com.example.test", "cancelled"), {}, 1000)
    checks.equal("one is cancelled", act(alice, cancelled, "cancel").status, 200)
    checks.that("and no more there", cancelled not in [e["delay_id"] for e in pending(alice)])
    checks.equal("and never sent", until(lambda: state_of(alice, room, key="cancelled") is not None, 2), False)
    sent = later(alice, room, ("state", "com.example.test", "sent"), {"n": 3}, 600000)
    checks.equal("one is sent at once", act(alice, sent, "send").status, 200)
    checks.equal("and is there", until(lambda: state_of(alice, room, key="sent")), {"n": 3})
    again = later(alice, room, ("state", "com.example.test", "again"), {"n": 4}, 2500)
    begun = [e["running_since"] for e in pending(alice) if e["delay_id"] == again][0]
    until(lambda: int(time.time() * 1000) > begun + 1000)
    checks.equal("one begins again", act(alice, again, "restart").status, 200)
    checks.that("later than before", [e["running_since"] for e in pending(alice) if e["delay_id"] == again][0] >= begun + 1000)
    checks.equal("and is sent", until(lambda: state_of(alice, room, key="again")), {"n": 4})


def delayed_restart(server, checks):
    """What is to be sent is sent though the server was away."""
    alice = server.register()
    room = alice.create_room()
    soon = later(alice, room, ("state", "com.example.test", "soon"), {"n": 1}, 1500)
    far = later(alice, room, ("state", "com.example.test", "far"), {"n": 2}, 600000)
    server.control("kill", "homeserver")
    server.control("start", "homeserver")
    checks.equal("in time", until(lambda: state_of(alice, room, key="soon")), {"n": 1})
    checks.that("and what is far still is", until(lambda: [e["delay_id"] for e in pending(alice)] == [far]) and soon, pending(alice))
    checks.equal("and can be sent", (act(alice, far, "send").status, until(lambda: state_of(alice, room, key="far"))), (200, {"n": 2}))


def invite_filters(server, checks):
    bob, evil = server.register(), server.register()
    whole = {who: who.create_room(preset="private_chat") for who in (bob, evil)}
    users = lambda *who: [each.user for each in who]
    cases = {
        "no rules": ({}, {bob: "yes", evil: "yes"}),
        "one is blocked": ({"blocked_users": users(bob)}, {bob: "blocked", evil: "yes"}),
        "the server is blocked": ({"blocked_servers": [server.name]}, {bob: "blocked", evil: "blocked"}),
        "servers by a pattern": ({"blocked_servers": [server.name[:2] + "*"]}, {bob: "blocked", evil: "blocked"}),
        "users by a pattern": ({"blocked_users": ["@u?*"]}, {bob: "blocked", evil: "blocked"}),
        "one of a blocked server": ({"allowed_users": users(bob), "blocked_servers": [server.name]}, {bob: "yes", evil: "blocked"}),
        "all but one of a server": ({"blocked_users": users(evil), "allowed_servers": [server.name]}, {bob: "yes", evil: "blocked"}),
        "rules that are null": ({f"{a}_{b}": None for a in ("allowed", "ignored", "blocked") for b in ("users", "servers")}, {bob: "yes"}),
        "allowing wins": ({"ignored_users": users(bob), "blocked_users": users(evil), "allowed_users": users(bob, evil)}, {bob: "yes", evil: "yes"}),
    }
    for name, (rules, wanted) in cases.items():
        alice = server.register()
        alice.ok("PUT", path("user", alice.user, "account_data", "org.matrix.msc4155.invite_permission_config"), rules)
        for who, outcome in wanted.items():
            answer = who.post(path("rooms", whole[who], "invite"), {"user_id": alice.user})
            checks.equal(f"{name}: {'it is refused' if outcome == 'blocked' else 'it is taken'}", answer.status, 403 if outcome == "blocked" else 200)
        shown = alice.sync().get("rooms", {}).get("invite", {})
        checks.equal(f"{name}: what is shown", {who for who in wanted if whole[who] in shown}, {who for who, outcome in wanted.items() if outcome == "yes"})


PARTS = (delayed, invite_filters, delayed_restart)


def main():
    checks = Checks()
    with own_server(sys.argv[1], sys.argv[2], settings=SETTINGS) as server:
        for part in PARTS:
            try:
                part(server, checks)
            except Exception as error:  # whatever an answer made the part trip over
                checks.that(f"{part.__name__} goes on to its end", False, repr(error))
    checks.end()


if __name__ == "__main__":
    main()
