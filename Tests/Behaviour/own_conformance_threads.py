#!/usr/bin/env python3
"""What Complement asks of subscriptions to threads, of deleting account data and of the state after a timeline, which settings switch on.

Each function is named by a row of Docs/conformance.md.

usage: own_conformance_threads.py FOLDER BINARIES
"""

import sys
from urllib.parse import quote

from harness import V3, Checks, own_server, path

SETTINGS = """
experimental_features:
  msc3391_enabled: true
  msc4222_enabled: true
  msc4306_enabled: true
"""


def subscription(client, room, root, method="GET", body=None):
    target = f"/_matrix/client/unstable/io.element.msc4306/rooms/{quote(room)}/thread/{quote(root)}/subscription"
    return client.call(method, target, body)


def relates(root):
    return {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": root}}


def threads(server, checks):
    alice = server.register()
    room = alice.create_room()
    ask = lambda root: subscription(alice, room, root)
    put = lambda root, **body: subscription(alice, room, root, "PUT", body)
    drop = lambda root: subscription(alice, room, root, "DELETE")
    conflict, outside = "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION", "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD"
    root, other = alice.say(room, "root"), alice.say(room, "other")
    checks.equal("subscribing", (put(root).status, ask(root).json), (200, {"automatic": False}))
    checks.equal("unsubscribing", (drop(root).status, ask(root).status, ask(root).errcode), (200, 404, "M_NOT_FOUND"))
    checks.equal("without a subscription", drop(other).status, 200)
    checks.equal("the root is no cause", (put(other, automatic=other).status, put(other, automatic=other).errcode), (400, outside))
    reply = alice.send(room, relates(other))
    fresh = alice.say(room, "fresh")
    cause = alice.send(room, relates(fresh))
    checks.equal("a reply is", (put(fresh, automatic=cause).status, ask(fresh).json), (200, {"automatic": True}))
    checks.equal("one's own subscription wins", (put(fresh).status, ask(fresh).json), (200, {"automatic": False}))
    answer = put(fresh, automatic=reply)
    checks.equal("a reply elsewhere is no cause", (answer.status, answer.errcode), (400, outside))
    none = "$notathread:example.org"
    checks.equal("a thread that is not there", (put(none).status, ask(none).status), (404, 404))
    root = alice.say(room, "root")
    first = alice.send(room, relates(root))
    put(root, automatic=first)
    second = alice.send(room, relates(root))
    drop(root)
    third = alice.send(room, relates(root))
    for cause in (first, second):
        answer = put(root, automatic=cause)
        checks.equal("what came before unsubscribing subscribes no more", (answer.status, answer.errcode, ask(root).status), (409, conflict, 404))
    checks.equal("what comes after does", (put(root, automatic=third).status, ask(root).json), (200, {"automatic": True}))


def sliding_threads(server, checks):
    alice = server.register()
    room = alice.create_room()
    name = "io.element.msc4308.thread_subscriptions"

    def sync(pos=None):
        target = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync" + (f"?pos={pos}" if pos else "")
        answer = alice.ok("POST", target, {"extensions": {name: {"enabled": True, "limit": 2}}})
        return answer["pos"], answer.get("extensions", {}).get(name, {})

    root = alice.say(room, "root")
    pos, found = sync()
    checks.that("at first there are none", "subscribed" not in found, found)
    subscription(alice, room, root, "PUT", {})
    _, found = sync(pos)
    one = found.get("subscribed", {}).get(room, {}).get(root, {})
    checks.that("then it comes", one.get("automatic") is False and isinstance(one.get("bump_stamp"), int), found)
    _, found = sync()
    one = found.get("subscribed", {}).get(room, {}).get(root, {})
    checks.that("and in a first sync", one.get("automatic") is False and isinstance(one.get("bump_stamp"), int), found)


def deleting(server, checks):
    alice = server.register()
    room = alice.create_room()
    unstable = f"/_matrix/client/unstable/org.matrix.msc3391/user/{quote(alice.user)}"
    places = {
        "all": (path("user", alice.user, "account_data", "org.example.test"), f"{unstable}/account_data/org.example.test",
                lambda a: a.get("account_data", {}).get("events", [])),
        "a room": (path("user", alice.user, "rooms", room, "account_data", "org.example.test"), f"{unstable}/rooms/{quote(room)}/account_data/org.example.test",
                   lambda a: a.get("rooms", {}).get("join", {}).get(room, {}).get("account_data", {}).get("events", []))}
    count = 2
    for name, (target, delete, shown) in places.items():
        for way in (lambda: alice.ok("DELETE", delete), lambda: alice.ok("PUT", target, {})):
            told = lambda a: [e["content"] for e in shown(a) if e["type"] == "org.example.test"]
            alice.ok("PUT", target, {"a": 1})
            count += 1
            since = alice.sync(filter='{"room":{"timeline":{"limit":%d}}}' % count)["next_batch"]
            way()
            checks.equal(f"{name}: it is told", told(alice.sync_until(told, since)), [{}])
            checks.equal(f"{name}: it is gone", alice.get(target).status, 404)
            count += 1
            checks.equal(f"{name}: also in a first sync", told(alice.sync(filter='{"room":{"timeline":{"limit":%d}}}' % count)), [])


def state_after(server, checks):
    for preset in ("public_chat", "private_chat"):
        alice, bob = server.register(), server.register()
        room = alice.create_room(preset=preset, invite=[bob.user])
        bob.join(room)
        alice.sync_until(lambda a: bob.user in str(a))
        wanted = '{"room":{"timeline":{"limit":20},"state":{"lazy_load_members":true}}}'
        answer = alice.ok("GET", f"{V3}/sync?timeout=0&org.matrix.msc4222.use_state_after=true&filter={quote(wanted)}")
        part = answer["rooms"]["join"][room]
        found = part.get("org.matrix.msc4222.state_after", {}).get("events", [])
        members = {e["state_key"]: e["content"]["membership"] for e in found if e["type"] == "m.room.member"}
        checks.equal(f"{preset}: those who write are in the state after it", members, {alice.user: "join", bob.user: "join"})
        checks.that(f"{preset}: and there is none before it", "state" not in part, list(part))


PARTS = (threads, sliding_threads, deleting, state_after)


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
