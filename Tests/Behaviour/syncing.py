#!/usr/bin/env python3
"""What `/sync` answers: sections, tokens, answers that are given again; and which thread a receipt is for.

usage: syncing.py CLUSTER_FOLDER
"""

import itertools
import sys
import threading
import time

from harness import Checks, Server, at_once, path

LEAVES = '{"room":{"include_leave":true}}'


def sections(answer, room):
    return sorted(name for name, rooms in answer.get("rooms", {}).items() if room in rooms)


def one_section(server, checks):
    """Whatever happens between two syncs, a room is in the one section of the newest membership."""
    steps = {
        "invite": lambda owner, user, room: owner.invite(room, user.user),
        "join": lambda owner, user, room: user.join(room),
        "leave": lambda owner, user, room: user.leave(room),
        "kick": lambda owner, user, room: owner.ok("POST", path("rooms", room, "kick"), {"user_id": user.user}),
        "ban": lambda owner, user, room: owner.ok("POST", path("rooms", room, "ban"), {"user_id": user.user}),
        "unban": lambda owner, user, room: owner.ok("POST", path("rooms", room, "unban"), {"user_id": user.user}),
        "knock": lambda owner, user, room: user.ok("POST", path("knock", room)),
    }
    following = {
        None: ["invite", "knock", "ban"], "invite": ["join", "leave", "kick", "ban"], "join": ["leave", "kick", "ban"],
        "leave": ["invite", "knock", "ban"], "kick": ["invite", "knock", "ban"], "ban": ["unban"],
        "unban": ["invite", "knock"], "knock": ["leave", "kick", "invite"],
    }
    section = {"invite": "invite", "join": "join", "knock": "knock"}
    owner = server.register()
    rule = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}

    def walks(last, length):
        if length == 0:
            return [[]]
        return [[step, *rest] for step in following[last] for rest in walks(step, length - 1)]

    # Before the first sync comes the first part of a walk, after it the second, of at least two steps.
    whole = [walk for length in (3, 4) for walk in walks(None, length)]
    chosen = [walk for number, walk in enumerate(whole) if number % 3 == 0 or walk[-2:] == ["kick", "invite"]]
    for walk in chosen:
        user = server.register()
        room = owner.create_room(preset="private_chat", initial_state=[rule])
        name = " → ".join(walk)
        for step in walk[:-2]:
            steps[step](owner, user, room)
        wanted = section.get(walk[-1], "leave")
        marked = user.sync_until(
            lambda a: sections(a, room) == [section.get(walk[-3], "leave")], seconds=5, filter=LEAVES)
        for step in walk[-2:]:
            steps[step](owner, user, room)
        answer = user.sync_until(lambda a: sections(a, room), marked["next_batch"], seconds=5)
        checks.equal(f"{name}: one section", sections(answer, room), [wanted])
        first = user.sync(filter='{"room":{"include_leave":true,"timeline":{"limit":1}}}')
        checks.equal(f"{name}: one section of a first sync", sections(first, room), [wanted])


def previous_batch(server, checks):
    """Where all of a room is shown, the token to page back from is its end, as on Synapse."""
    alice = server.register()
    room = alice.create_room()
    sent = [alice.say(room, f"text {number}") for number in range(3)]
    answer = alice.sync_until(lambda a: sent[-1] in str(a), filter='{"room":{"timeline":{"limit":50}}}')
    timeline = answer["rooms"]["join"][room]["timeline"]
    checks.equal("all is shown", timeline["limited"], False)
    checks.equal("as far as the first event", timeline["events"][0]["type"], "m.room.create")
    target = path("rooms", room, "messages") + f"?dir=b&limit=3&from={timeline['prev_batch']}"
    page = alice.ok("GET", target)
    checks.equal("the page has what was shown", [e["event_id"] for e in page["chunk"]], sent[::-1])
    checks.that("and goes on", "end" in page, page)
    cut = alice.sync(filter='{"room":{"timeline":{"limit":2}}}')["rooms"]["join"][room]["timeline"]
    page = alice.ok("GET", path("rooms", room, "messages") + f"?dir=b&limit=1&from={cut['prev_batch']}")
    checks.equal("of a cut timeline, what comes before", [e["event_id"] for e in page["chunk"]], [sent[0]])


def kept(server, checks):
    """An answer that is given again says what is true now, and hides nothing that the user has just done."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(invite=[bob.user])
    bob.join(room)
    text = alice.say(room, "text")
    repeated = lambda: bob.sync(filter=LEAVES)
    alice.ok("PUT", path("presence", alice.user, "status"), {"presence": "online"})
    bob.sync_until(lambda a: text in str(a))
    first = repeated()
    time.sleep(0.4)
    again = repeated()
    checks.equal("an answer that is given again", again["next_batch"], first["next_batch"])
    ages = [event["unsigned"]["age"] for answer in (first, again)
            for event in answer["rooms"]["join"][room]["timeline"]["events"] if event["event_id"] == text]
    checks.that("is older by the time between", ages[1] - ages[0] >= 350, ages)
    active = [event["content"]["last_active_ago"] for answer in (first, again)
              for event in answer.get("presence", {}).get("events", []) if event["sender"] == alice.user]
    checks.that("so is what was last active", len(active) == 2 and active[1] - active[0] >= 300, active)
    mine = bob.say(room, "mine")
    checks.that("shows what was sent", found(repeated, mine))
    bob.ok("PUT", path("user", bob.user, "account_data", "org.example.one"), {"value": 17})
    checks.that("shows account data", found(repeated, "org.example.one"))
    bob.ok("PUT", path("user", bob.user, "rooms", room, "tags", "u.mine"), {})
    checks.that("shows a tag", found(repeated, "u.mine"))
    bob.ok("PUT", path("pushrules", "global", "content", "rule-of-bob"), {"pattern": "bob", "actions": []})
    checks.that("shows a push rule", found(repeated, "rule-of-bob"))
    bob.ok("POST", path("rooms", room, "receipt", "m.read", text))
    checks.that("shows a receipt", found(repeated, '"m.read"', '\'m.read\''))
    checks.that("shows a receipt in counts", until(
        lambda: repeated()["rooms"]["join"][room]["unread_notifications"]["notification_count"] == 0))
    bob.leave(room)
    checks.that("shows a departure", until(lambda: sections(repeated(), room) == ["leave"]))
    bob.ok("POST", path("rooms", room, "forget"))
    checks.that("shows that a room was forgotten", until(lambda: sections(repeated(), room) == []))
    second = bob.create_room()
    checks.that("shows a new room", until(lambda: sections(repeated(), second) == ["join"]))
    since = bob.sync()["next_batch"]
    news = bob.say(second, "news")
    checks.that("a sync from a token", found(lambda: bob.sync(since), news))
    later = bob.say(second, "later")
    checks.that("a repeated sync from a token shows what was sent", found(lambda: bob.sync(since), later))


def found(read, *texts):
    return until(lambda: any(text in str(read()) for text in texts))


def until(condition, seconds=3):
    """Whether a condition comes true soon: other processes hear of a change a little later."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def joining(server, checks):
    """Rooms that are joined while a client syncs come whole, each one."""
    owner, user = server.register(), server.register()
    rooms = [owner.create_room(preset="public_chat") for _ in range(100)]
    whole, is_done = set(), threading.Event()

    def follow(since):
        quiet = 0
        while quiet < 2:
            answer = user.sync(since, timeout=300)
            since = answer["next_batch"]
            joined = answer.get("rooms", {}).get("join", {})
            for room, part in joined.items():
                if any(event["type"] == "m.room.create" for event in part["state"]["events"] + part["timeline"]["events"]):
                    whole.add(room)
            quiet = quiet + 1 if is_done.is_set() and not joined else 0

    def join(number):
        for room in rooms[number::4]:
            user.at(server.workers[number % len(server.workers)]).join(room)

    follower = threading.Thread(target=follow, args=[user.sync()["next_batch"]])
    follower.start()
    at_once(4, join)
    is_done.set()
    follower.join()
    checks.equal("rooms that did not come whole", sorted(set(rooms) - whole), [])


def threads(server, checks):
    """A receipt counts for the thread its event is in; the root and what relates to the root otherwise are in none."""
    alice = server.register()
    room = alice.create_room()

    def relates(kind, event, **more):
        return {"msgtype": "m.text", "body": "text", "m.relates_to": {"rel_type": kind, "event_id": event, **more}}

    root = alice.say(room, "root")
    reply = alice.send(room, relates("m.thread", root))
    events = {
        "root": (root, "main"),
        "reaction to the root": (alice.send(room, relates("m.annotation", root, key="+"), "m.reaction"), "main"),
        "reference to the root": (alice.send(room, relates("m.reference", root)), "main"),
        "edit of the root": (
            alice.send(room, {**relates("m.replace", root), "m.new_content": {"msgtype": "m.text", "body": "new"}}), "main"),
        "reply in the thread": (reply, root),
        "reaction in the thread": (alice.send(room, relates("m.annotation", reply, key="+"), "m.reaction"), root),
        "another message": (alice.say(room, "other"), "main"),
    }
    for (name, (event, thread)), kind in itertools.product(events.items(), ("m.read", "m.read.private")):
        for asked in (root, "main", event):
            answer = alice.post(path("rooms", room, "receipt", kind, event), {"thread_id": asked})
            wanted = 200 if asked == thread else 400
            checks.equal(f"{kind} of the {name} in {'main' if asked == 'main' else 'a thread'}", answer.status, wanted)
            if wanted == 400:
                checks.equal(f"{kind} of the {name}: code", answer.errcode, "M_INVALID_PARAM")


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for part in (one_section, previous_batch, kept, joining, threads):
        try:
            part(server, checks)
        except Exception as error:  # A part that breaks is a failure; the others are still tried.
            checks.that(part.__name__, False, repr(error))
    checks.end()


if __name__ == "__main__":
    main()
