#!/usr/bin/env python3
"""What Synapse has behind flags, in a cluster: threads that users follow, account data that is deleted, counts of MSC2654 and MSC3773.

usage: own_threads.py FOLDER BINARIES
"""

import sys
from urllib.parse import quote

from harness import V3, Checks, at_once, own_server, path

UNSTABLE = V3.replace("v3", "unstable")
FLAGS = "msc2654_enabled msc3391_enabled msc3773_enabled msc4222_enabled msc4306_enabled".split()


def target(room, root):
    return f"{UNSTABLE}/io.element.msc4306/rooms/{quote(room)}/thread/{quote(root)}/subscription"


def reply(user, room, root, text="reply"):
    return user.send(room, {"msgtype": "m.text", "body": text, "m.relates_to": {"rel_type": "m.thread", "event_id": root}})


def following(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    root = alice.say(room, "root")
    cause = reply(alice, room, root)
    workers = [bob.at(address) for address in server.workers]
    answers = at_once(16, lambda number: workers[number % len(workers)].put(target(room, root), {}).status)
    checks.equal("sixteen at once", answers, [200] * 16)
    rows = server.sql(f"SELECT count(*), bool_and(subscribed), bool_or(automatic) FROM thread_subscriptions WHERE event_id = '{root}'")
    checks.equal("make one row", rows, [["1", "t", "f"]])
    for here in workers:
        checks.equal("every process knows", here.ok("GET", target(room, root)), {"automatic": False})
    for number, here in enumerate(workers * 2):
        root = alice.say(room, f"root {number}")
        here.ok("PUT", target(room, root), {"automatic": reply(alice, room, root)})
        checks.equal("at once, elsewhere", workers[(number + 1) % len(workers)].ok("GET", target(room, root)), {"automatic": True})
        checks.equal("ends", workers[(number + 1) % len(workers)].delete(target(room, root)).status, 200)
        checks.equal("at once, here", here.get(target(room, root)).status, 404)
        conflict = here.put(target(room, root), {"automatic": cause})
        checks.equal("of another thread", conflict.status, 400)
    listed = workers[0].ok("GET", f"{UNSTABLE}/io.element.msc4308/thread_subscriptions?dir=b")
    checks.equal("all that are followed", len(listed["subscribed"][room]), 1)
    checks.equal("all that are no longer", len(listed["unsubscribed"][room]), 2 * len(workers))
    bob.ok("POST", path("account", "deactivate"), {"auth": {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": bob.user}, "password": bob.password}})
    checks.equal("closed accounts follow nothing", server.sql(
        f"SELECT count(*) FROM thread_subscriptions WHERE user_id = '{bob.user}'"), [["0"]])


def notifying(server, checks):
    """Whom a reply notifies is decided on whatever process it is sent, by what was said on another just before."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    filter = '{"room":{"timeline":{"unread_thread_notifications":true}}}'
    for number, address in enumerate(server.workers):
        root = alice.say(room, f"root {number}")
        reply(alice.at(address), room, root)
        bob.at(server.workers[-1 - number]).ok("PUT", target(room, root))
        last = reply(alice.at(address), room, root, "counts")
        answer = bob.sync_until(lambda a: last in str(a), filter=filter)
        threads = answer["rooms"]["join"][room].get("unread_thread_notifications", {})
        checks.equal("only what came after", threads.get(root, {}).get("notification_count"), 1)


def deleting(server, checks):
    alice = server.register()
    room = alice.create_room()
    mine = ["user", alice.user]
    workers = [alice.at(address) for address in server.workers]
    for place in (["account_data", "org.example"], ["rooms", room, "account_data", "org.example"]):
        deletion = f"{UNSTABLE}/org.matrix.msc3391" + path(*mine, *place)[len(V3):]
        for number, here in enumerate(workers):
            there = workers[(number + 1) % len(workers)]
            here.ok("PUT", path(*mine, *place), {"n": number})
            checks.equal("is there", there.ok("GET", path(*mine, *place)), {"n": number})
            checks.equal("is deleted", there.delete(deletion).status, 200)
            checks.equal("is gone", here.get(path(*mine, *place)).status, 404)
            checks.equal("again", here.delete(deletion).status, 200)
    checks.that("first syncs do not have it", "org.example" not in str(alice.sync()))


def unset(server, checks):
    """Without the flags nothing of it is there."""
    alice = server.register()
    room = alice.create_room()
    root = alice.say(room, "root")
    checks.equal("following", alice.put(target(room, root)).errcode, "M_UNRECOGNIZED")
    checks.equal("the list", alice.get(f"{UNSTABLE}/io.element.msc4308/thread_subscriptions?dir=b").status, 404)
    deletion = f"{UNSTABLE}/org.matrix.msc3391" + path("user", alice.user, "account_data", "org.example")[len(V3):]
    checks.equal("deleting", alice.delete(deletion).errcode, "M_UNRECOGNIZED")
    alice.ok("PUT", path("user", alice.user, "account_data", "org.example"), {})
    checks.equal("empty data is data", alice.ok("GET", path("user", alice.user, "account_data", "org.example")), {})
    shown = alice.sync()["rooms"]["join"][room]
    checks.that("no counts of proposals", not [name for name in shown if name.startswith("org.matrix")], list(shown))


def main():
    folder, binaries = sys.argv[1:3]
    checks = Checks()
    flags = "experimental_features: {" + ", ".join(f"{flag}: true" for flag in FLAGS) + "}\n"
    with own_server(folder, binaries, mode="cluster", settings=flags) as server:
        for part in (following, notifying, deleting):
            part(server, checks)
    with own_server(folder, binaries) as server:
        unset(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
