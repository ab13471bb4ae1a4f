#!/usr/bin/env python3
"""Threads of a room and what users were notified of, asked of every process; the endpoints that were before `/sync`.

usage: threads.py CLUSTER_FOLDER
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from harness import V3, Checks, Server, path

V1 = V3.replace("v3", "v1")


def thread_target(room, **options):
    query = "&".join(f"{name}={quote(str(value))}" for name, value in options.items())
    return f"{V1}/rooms/{quote(room)}/threads?{query}"


def reply(user, room, root, text):
    return user.send(room, {"msgtype": "m.text", "body": text, "m.relates_to": {"rel_type": "m.thread", "event_id": root}})


def listing(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    roots = [alice.say(room, f"root {number}") for number in range(7)]
    for root in [*roots, roots[0], roots[3]]:
        last = reply(bob if root in roots[:3] else alice, room, root, "reply")
    wanted = [roots[number] for number in (3, 0, 6, 5, 4, 2, 1)]
    for address in server.workers:
        here = bob.at(address)
        found, token = [], {}
        while True:
            page = here.ok("GET", thread_target(room, limit=3, **token))
            found += [event["event_id"] for event in page["chunk"]]
            if "next_batch" not in page or len(found) > len(roots):
                break
            token = {"from": page["next_batch"]}
        checks.equal("every thread once, newest first, page by page", found, wanted)
        mine = here.ok("GET", thread_target(room, limit=50, include="participated"))["chunk"]
        checks.equal("those that the user wrote into", [event["event_id"] for event in mine], [wanted[1], wanted[5], wanted[6]])
    summary = bob.ok("GET", thread_target(room, limit=1))["chunk"][0]["unsigned"]["m.relations"]["m.thread"]
    checks.equal("count", summary["count"], 2)
    checks.equal("newest event", summary["latest_event"]["event_id"], last)
    checks.equal("took part", summary["current_user_participated"], False)
    alice.put(path("rooms", room, "redact", last, alice.transaction()))
    summary = bob.ok("GET", thread_target(room, limit=3))["chunk"]
    checks.that("a redacted reply counts no more", all(
        event["unsigned"]["m.relations"]["m.thread"]["count"] == 1 for event in summary if event["event_id"] == roots[3]))
    stranger = server.register()
    checks.equal("strangers", stranger.get(thread_target(room)).status, 403)
    for name, value in {"include": "some", "limit": "-1", "from": "x", "from ": "1_2_3"}.items():
        checks.equal(f"{name} {value}", bob.get(thread_target(room, **{name.strip(): value})).status, 400)


def recursion(server, checks):
    """Relations of relations come once each, whatever the direction and the page."""
    alice = server.register()
    room = alice.create_room()
    root = alice.say(room, "root")
    known, parents = [], [root]
    for level in range(3):
        below = []
        for parent in parents:
            for number in range(2):
                content = {"msgtype": "m.text", "body": f"{level}", "m.relates_to": {"rel_type": "m.reference", "event_id": parent}}
                below.append(alice.send(room, content))
        known += below
        parents = below
    too_deep = alice.send(room, {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.reference", "event_id": parents[0]}})
    target = f"{V1}/rooms/{quote(room)}/relations/{quote(root)}?recurse=true&limit=3"
    for direction in ("f", "b"):
        found, token = [], ""
        while len(found) <= len(known):
            page = alice.ok("GET", f"{target}&dir={direction}{token}")
            found += [event["event_id"] for event in page["chunk"]]
            if "next_batch" not in page:
                break
            token = f"&from={quote(page['next_batch'])}"
        checks.equal(f"all that relates, {direction}", found, known if direction == "f" else known[::-1])
        checks.that("down to the depth that is told", too_deep not in found and page["recursion_depth"] == 3)
    direct = alice.ok("GET", target.replace("recurse=true", "recurse=false"))["chunk"]
    checks.equal("without recursion", sorted(event["event_id"] for event in direct), sorted(known[:2]))


def notified(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    sent = [alice.say(room, f"{number}") for number in range(5)]
    bob.sync_until(lambda answer: sent[-1] in str(answer))
    for address in server.workers:
        here, found, token = bob.at(address), [], ""
        while True:
            page = here.ok("GET", f"{V3}/notifications?limit=2{token}")
            if not page["notifications"]:
                break
            found += [(entry["event"]["event_id"], entry["read"]) for entry in page["notifications"]]
            token = f"&from={page['next_token']}"
        checks.equal("all, newest first, page by page", found, [(event, False) for event in sent[::-1]])
    bob.ok("POST", path("rooms", room, "receipt", "m.read", sent[2]), {})
    entries = bob.ok("GET", f"{V3}/notifications")["notifications"]
    checks.equal("read as far as the receipt", [entry["read"] for entry in entries], [False, False, True, True, True])
    checks.that("names the room", all(entry["room_id"] == room for entry in entries))
    checks.equal("a token of nobody's", bob.get(f"{V3}/notifications?from=x").status, 400)


def snapshots(server, checks):
    """What one process answers can be gone on with at another."""
    alice, bob = server.register(), server.register()
    rooms = [alice.create_room(preset="public_chat", name=f"{number}") for number in range(30)]
    for room in rooms:
        bob.join(room)
    last = alice.say(rooms[0], "hello")
    bob.sync_until(lambda answer: last in str(answer))
    for address in server.workers:
        whole = bob.at(address).ok("GET", f"{V3}/initialSync?limit=3")
        checks.equal("every room", sorted(room["room_id"] for room in whole["rooms"]), sorted(rooms))
        shown = next(room for room in whole["rooms"] if room["room_id"] == rooms[0])
        checks.equal("its newest event", shown["messages"]["chunk"][-1]["event_id"], last)
        page = bob.at(address).ok("GET", path("rooms", rooms[0], "messages") + f"?dir=b&limit=1&from={quote(shown['messages']['start'])}")
        checks.that("goes on before it", page["chunk"][0]["event_id"] not in [event["event_id"] for event in shown["messages"]["chunk"]])
    token = whole["end"]
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(bob.at(address).ok, "GET", f"{V3}/events?timeout=20000&from={quote(token)}") for address in server.workers]
        said = alice.say(rooms[3], "news")
        for answer in waiting:
            chunk = answer.result()["chunk"]
            checks.that("who waits is woken", said in str(chunk) or chunk, chunk)
    seen, token = [], token
    while said not in seen:
        answer = bob.ok("GET", f"{V3}/events?timeout=5000&from={quote(token)}")
        if not answer["chunk"]:
            break
        seen += [event.get("event_id") for event in answer["chunk"]]
        token = answer["end"]
    checks.that("and gets it", said in seen, seen)
    guest = server.anonymous().ok("POST", f"{V3}/register?kind=guest") if server.anonymous().post(f"{V3}/register?kind=guest").status == 200 else None
    if guest:
        asked = server.anonymous().get(f"{V3}/events?timeout=0", token=guest["access_token"])
        checks.equal("guests name a room", asked.status, 400)


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for part in (listing, recursion, notified, snapshots):
        try:
            part(server, checks)
        except Exception as error:  # A part that breaks is a failure; the others are still tried.
            checks.that(part.__name__, False, repr(error))
    checks.end()


if __name__ == "__main__":
    main()
