#!/usr/bin/env python3
"""Memberships: what is asked for several times at once happens once, also through several workers; what a join's body says; deep
content; messages that are to be sent later; versions.

usage: membership.py CLUSTER_FOLDER
"""

import json
import sys

from harness import V3, Checks, Server, at_once, path


def changes(client, room, user):
    """Lists the membership events of a user, oldest first."""
    found = client.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=1000")["chunk"]
    return [event for event in reversed(found) if event["type"] == "m.room.member" and event["state_key"] == user]


def everywhere(server, client, count, work):
    workers = server.workers
    return at_once(count, lambda number: work(client.at(workers[number % len(workers)])))


def once_only(server, checks):
    for turn in range(4):
        alice, bob = server.register(), server.register()
        room = alice.create_room(preset="public_chat")
        steps = [
            ("join", bob, lambda client: client.post(path("join", room)), "join", 1),
            ("leave", bob, lambda client: client.post(path("rooms", room, "leave")), "leave", 2),
            ("invite", alice, lambda client: client.post(path("rooms", room, "invite"), {"user_id": bob.user}), "invite", 3),
            ("join after it", bob, lambda client: client.post(path("rooms", room, "join")), "join", 4),
            ("ban", alice, lambda client: client.post(path("rooms", room, "ban"), {"user_id": bob.user}), "ban", 5),
        ]
        for name, client, work, membership, count in steps:
            answers = everywhere(server, client, 10, work)
            checks.that(f"{name}: all ten are answered", all(answer.status == 200 for answer in answers), answers)
            found = changes(alice, room, bob.user)
            checks.equal(f"{name}: one event is made", len(found), count)
            checks.equal(f"{name}: of the right kind", found[-1]["content"]["membership"], membership)
            checks.equal(f"{name}: nothing but what there was before", len({event["event_id"] for event in found}), count)
        alice.say(room, "still works")
        ends = server.sql(f"SELECT count(*) FROM event_forward_extremities WHERE room_id = '{room}'")
        checks.equal("the room has one end", ends, [["1"]])


def state_once_only(server, checks):
    alice = server.register()
    room = alice.create_room()
    for number in range(4):
        content = {"topic": f"topic {number}"}
        answers = everywhere(server, alice, 10, lambda client: client.put(path("rooms", room, "state", "m.room.topic"), content))
        checks.equal("the same state at once is one event", len({answer.json["event_id"] for answer in answers}), 1)
    # What differs is not lost, and every process sees the same in the end.
    answers = at_once(
        8, lambda number: alice.at(server.workers[number % len(server.workers)]).put(
            path("rooms", room, "state", "org.example", str(number)), {"n": number}))
    checks.that("different state is all stored", all(answer.status == 200 for answer in answers), answers)
    for number in range(8):
        checks.equal("each has its content", alice.ok("GET", path("rooms", room, "state", "org.example", str(number))), {"n": number})


def join_body(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.ok("POST", path("join", room), {"org.example.key": {"a": [1]}, "reason": "because", "membership": "ban"})
    content = alice.ok("GET", path("rooms", room, "state", "m.room.member", bob.user))
    checks.equal("what the body of a join says is in the event", content.get("org.example.key"), {"a": [1]})
    checks.equal("the reason as well", content.get("reason"), "because")
    checks.equal("but not the membership", content["membership"], "join")
    carol.ok("POST", path("rooms", room, "join"), {"org.example.key": 1, "reason": "so"})
    content = alice.ok("GET", path("rooms", room, "state", "m.room.member", carol.user))
    checks.that("on the other path only the reason is", content.get("reason") == "so" and "org.example.key" not in content, content)
    dave = server.register()
    answer = dave.post(path("join", room), {"join_authorised_via_users_server": alice.user})
    content = alice.ok("GET", path("rooms", room, "state", "m.room.member", dave.user))
    checks.that("nobody vouches for themself", answer.status == 200 and "join_authorised_via_users_server" not in content, content)
    erin = server.register()
    for body in ({"displayname": 7}, {"reason": 7}, {"avatar_url": "x" * 1001}, {"n": 1.5}):
        checks.equal(f"{str(body)[:30]} is refused", erin.post(path("join", room), body).status, 400)


def delays(server, checks):
    alice = server.register()
    room = alice.create_room()
    before = alice.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=100")["chunk"]
    targets = {
        "a message": path("rooms", room, "send", "m.room.message", "1"),
        "a state event": path("rooms", room, "state", "org.example", "k"),
        "a membership": path("rooms", room, "state", "m.room.member", alice.user),
    }
    for case, target in targets.items():
        body = {"msgtype": "m.text", "body": "later", "membership": "join"}
        answer = alice.put(target + "?org.matrix.msc4140.delay=60000", body)
        checks.that(f"{case} to be sent later is refused", answer.status == 403 and answer.errcode == "M_FORBIDDEN", answer)
        for delay in ("x", "-1", ""):
            answer = alice.put(target + f"?org.matrix.msc4140.delay={delay}", body)
            checks.that(f"{case} with the delay '{delay}' as well", answer.status == 400, answer)
    after = alice.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=100")["chunk"]
    checks.equal("nothing is sent", len(after), len(before))


def nested(levels):
    """Content of that many levels, the outermost one included, as text: Python's own writer gives up before a thousand."""
    return b'{"body":"deep","msgtype":"m.text","d":' + b'{"d":' * (levels - 2) + b"{}" + b"}" * (levels - 1)


def deep(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    for number, worker in enumerate(server.workers):
        client = alice.at(worker)
        for levels, status in ((96, 200), (97, 200), (98, 200), (99, 200), (100, 400), (101, 400), (5000, 400)):
            target = path("rooms", room, "send", "m.room.message", f"{levels}-{number}")
            answer = client.put(target, nested(levels))
            checks.equal(f"{levels} levels through process {number}", answer.status, status)
            target = path("rooms", room, "state", "org.example", f"{levels}-{number}")
            if levels <= 100:
                checks.equal(f"{levels} levels of state through process {number}", client.put(target, nested(levels)).status, status)
    alice.state(room, "m.room.name", {"name": "deep", "d": json.loads(nested(98))})
    alice.invite(room, bob.user)
    answer = bob.sync_until(lambda found: room in found.get("rooms", {}).get("invite", {}))
    checks.that("into a room with a deep name one is invited", room in answer.get("rooms", {}).get("invite", {}), answer.get("rooms"))
    bob.join(room)
    stored(server, checks, alice, room)


def stored(server, checks, alice, room):
    """An event that Synapse stored, deeper than ours are, is read like any other."""
    event = alice.say(room, "to become deep")
    depth = 900
    inner = '{"d":' * (depth - 1) + "{}" + "}" * (depth - 1)
    server.sql(
        "UPDATE event_json SET json = replace(json, '\"body\":\"to become deep\"', "
        f"'\"body\":\"to become deep\",\"d\":{inner}') WHERE event_id = '{event}'")
    # Processes that have the event in memory forget it.
    for part in (["event_persister1", "generic_worker1", "generic_worker2", "homeserver"] if server.is_cluster else ["homeserver"]):
        server.control("restart", part)
    for number, worker in enumerate(server.workers):
        client = alice.at(worker)
        answer = client.get(path("rooms", room, "event", event))
        checks.that(f"a deep stored event is read, process {number}", answer.status == 200 and b"to become deep" in answer.body, answer)
        answer = client.get(f"{V3}/sync?timeout=0")
        checks.that(f"and is in a sync, process {number}", event.encode() in answer.body, answer)
        answer = client.get(f'{V3}/sync?timeout=0&filter={{"event_fields":["content.body","event_id"]}}')
        checks.that(f"and in one of wanted fields, process {number}", b"to become deep" in answer.body, answer)
        answer = client.get(path("rooms", room, "messages") + "?dir=b&limit=10")
        checks.that(f"and in the history, process {number}", event.encode() in answer.body, answer)
        answer = client.get(path("rooms", room, "context", event))
        checks.that(f"and in its context, process {number}", event.encode() in answer.body, answer)
    answer = alice.put(path("rooms", room, "redact", event, "deep"), {})
    checks.equal("it can be redacted", answer.status, 200)
    answer = alice.ok("GET", path("rooms", room, "event", event))
    checks.that("and is", answer["content"] == {} and "redacted_because" in answer["unsigned"], answer)


def versions(server, checks):
    answer = server.anonymous().ok("GET", "/_matrix/client/versions")
    checks.that("clients find the least version that they need", "v1.1" in answer["versions"], answer)
    alice = server.register()
    room = alice.create_room()
    probes = {
        "v1.2": f"/_matrix/client/v1/rooms/{room}/hierarchy",
        "v1.4": f"/_matrix/client/v1/rooms/{room}/threads",
        "v1.11": "/_matrix/client/v1/media/config",
    }
    missing = False
    for version, target in probes.items():
        missing = missing or alice.get(target).errcode == "M_UNRECOGNIZED"
        checks.that(f"{version} is named only if what it brought is there", not (missing and version in answer["versions"]), answer)
    features = answer["unstable_features"]
    event = alice.say(room, "root")
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": event}, "msgtype": "m.text", "body": "in it"}
    reply = alice.send(room, thread)
    shown = alice.ok("GET", path("rooms", room, "event", event))["unsigned"].get("m.relations", {})
    checks.equal("threads are claimed if they are there", features.get("org.matrix.msc3440.stable", False), "m.thread" in shown)
    receipt = alice.post(path("rooms", room, "receipt", "m.read.private", reply), {"thread_id": event})
    for feature in ("org.matrix.msc2285.stable", "org.matrix.msc3771"):
        checks.equal(f"{feature} is claimed if it is there", features.get(feature, False), receipt.status == 200)
    field = alice.put(path("profile", alice.user, "org.example.field"), {"org.example.field": "x"})
    checks.equal("fields of profiles are claimed if they are there", features.get("uk.tcpip.msc4133.stable", False), field.status == 200)
    found = alice.post(path("publicRooms"), {"filter": {"room_types": ["m.space"]}})
    checks.equal("types of rooms are claimed if they are there", features.get("org.matrix.msc3827.stable", False), found.status == 200)


def main():
    server, checks = Server(sys.argv[1]), Checks()
    once_only(server, checks)
    state_once_only(server, checks)
    join_body(server, checks)
    delays(server, checks)
    versions(server, checks)
    deep(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
