#!/usr/bin/env python3
"""The user directory in a cluster: who is found through which worker, restarts of the process that keeps it, and the statistics.

usage: own_user_directory.py FOLDER BINARIES
"""

import sys
import time

from harness import V3, Checks, own_server, path


def found(client, term, **more):
    return [entry["user_id"] for entry in client.ok("POST", f"{V3}/user_directory/search", {"search_term": term, **more})["results"]]


def until(condition, seconds=20):
    """Waits until a condition holds; answers whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def visibility(checks, server):
    """Who is found, on every worker, as rooms change."""
    alice, bob, carol = (server.register(name) for name in ("visalice", "visbob", "viscarol"))
    workers = server.workers

    def sees(client, term, user, wanted=True):
        return all(until(lambda: (user in found(client.at(worker), term)) == wanted) for worker in workers)

    checks.that("nobody is found without a room", sees(alice, "visbob", bob.user, wanted=False))
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(room)
    checks.that("members of a private room find each other", sees(alice, "visbob", bob.user) and sees(bob, "visalice", alice.user))
    checks.that("and others do not", sees(carol, "visbob", bob.user, wanted=False))
    alice.state(room, "m.room.history_visibility", {"history_visibility": "world_readable"})
    checks.that("who is in a room that everybody reads is found by everybody", sees(carol, "visbob", bob.user))
    alice.state(room, "m.room.history_visibility", {"history_visibility": "shared"})
    checks.that("until it is closed", sees(carol, "visbob", bob.user, wanted=False))
    alice.state(room, "m.room.join_rules", {"join_rule": "public"})
    checks.that("who is in a room that everybody may join is found", sees(carol, "visbob", bob.user))
    bob.ok("PUT", path("profile", bob.user, "displayname"), {"displayname": "Ünïque"})
    checks.that("by a new name at once", bob.user in found(carol, "ünï"))
    checks.that("and still by the old identifier", bob.user in found(carol, "visbob"))
    bob.leave(room)
    checks.that("who has left is not found", sees(carol, "visbob", bob.user, wanted=False) and sees(alice, "visbob", bob.user, wanted=False))
    bob.join(room)
    checks.that("who has come back is", sees(carol, "visbob", bob.user))
    server.sql(f"UPDATE users SET locked = true WHERE name = '{bob.user}'")
    checks.that("who is locked is not", bob.user not in found(carol, "visbob"))
    server.sql(f"UPDATE users SET locked = false WHERE name = '{bob.user}'")
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": bob.user}, "password": bob.password}
    bob.ok("POST", path("account", "deactivate"), {"auth": auth})
    checks.that("who is gone is not", sees(carol, "visbob", bob.user, wanted=False))


def requests(checks, server):
    """What is asked badly, and limits."""
    alice = server.register("reqalice")
    guest = server.anonymous().ok("POST", path("register") + "?kind=guest", {})
    search = f"{V3}/user_directory/search"
    checks.equal("guests may not search", alice.post(search, {"search_term": "a"}, token=guest["access_token"]).errcode, "M_GUEST_ACCESS_FORBIDDEN")
    for body in ({}, {"search_term": 5}, {"search_term": ["a"]}, {"search_term": "a", "limit": "x"}, {"search_term": "a", "limit": {}}, []):
        answer = alice.post(search, body)
        checks.that(f"{body} is refused", answer.status == 400 and answer.errcode, answer)
    for term in ("", "\0", "'", "\\", ":*", "a:*|b", "!(", "<->", "x" * 100_000, "a " * 50_000, "\ud83c\udf75"):
        answer = alice.post(search, {"search_term": term})
        checks.that(f"{term[:10]!r} is searched", answer.status == 200 and answer["results"] == [] and answer["limited"] is False, answer)


def restart(checks, server):
    """The process that keeps the directory is killed; what happens meanwhile is in the directory afterwards, once."""
    alice, bob = server.register("resalice"), server.register("resbob")
    room = alice.create_room(preset="public_chat")
    checks.that("before", until(lambda: alice.user in found(bob, "resalice")))
    server.control("kill", "generic_worker2")
    client = bob.at(server.workers[0])
    client.join(room)
    checks.that("nobody else keeps it", bob.user not in found(client, "resbob"))
    server.control("start", "generic_worker2")
    checks.that("what happened meanwhile is there", until(lambda: bob.user in found(client, "resbob")))
    rows = server.sql(f"SELECT count(*) FROM users_in_public_rooms WHERE room_id = '{room}'")
    checks.equal("once", rows, [["2"]])


def statistics(checks, server):
    """Numbers of rooms and users."""
    alice, bob = server.register("staalice"), server.register("stabob")
    room = alice.create_room(preset="public_chat", name="Numbers", topic="Count")
    bob.join(room)
    for _ in range(2):
        bob.leave(room)
        bob.join(room)
    carol = server.register("stacarol")
    alice.invite(room, carol.user)
    alice.ok("POST", path("rooms", room, "ban"), {"user_id": carol.user})

    def numbers():
        return server.sql(
            f"""SELECT c.joined_members, c.invited_members, c.left_members, c.banned_members, c.local_users_in_room,
            c.current_state_events = (SELECT count(*) FROM current_state_events WHERE room_id = c.room_id), s.name, s.topic, s.join_rules
            FROM room_stats_current c JOIN room_stats_state s USING (room_id) WHERE room_id = '{room}'""")

    checks.that("of a room", until(lambda: numbers() == [["2", "0", "0", "1", "2", "t", "Numbers", "Count", "public"]]), numbers())
    rows = server.sql("SELECT user_id, joined_rooms FROM user_stats_current WHERE user_id LIKE '@sta%' ORDER BY 1")
    checks.equal("of users", rows, [[alice.user, "1"], [bob.user, "1"]])


def mutual(checks, server):
    alice, bob = server.register("mutalice"), server.register("mutbob")
    rooms = sorted(alice.create_room(preset="public_chat") for _ in range(3))
    for room in rooms:
        bob.join(room)
    target = f"/_matrix/client/v1/mutual_rooms?user_id={bob.user}"
    for worker in server.workers:
        checks.that("mutual rooms on every worker", until(lambda: alice.at(worker).ok("GET", target) == {"joined": rooms, "count": 3}))
    bob.leave(rooms[0])
    checks.that("a room that one has left is none", until(lambda: alice.ok("GET", target)["joined"] == rooms[1:]))


def reports(checks, server):
    alice, bob, carol = (server.register(f"rep{name}") for name in ("alice", "bob", "carol"))
    room = alice.create_room(preset="public_chat")
    event = alice.say(room, "bad")
    bob.join(room)
    body = {"reason": "rude", "score": -100}
    checks.equal("a member reports an event", bob.post(path("rooms", room, "report", event), body).status, 200)
    checks.equal("nobody else does", carol.post(path("rooms", room, "report", event), body).status, 404)
    checks.equal("anybody reports a room", carol.post(path("rooms", room, "report"), {"reason": "spam"}).status, 200)
    checks.equal("and a user", carol.post(path("users", alice.user, "report"), {"reason": "spam"}).status, 200)
    checks.equal("or nobody", carol.post(path("users", "@none:localhost", "report"), {"reason": "spam"}).status, 200)
    checks.equal("a reason with U+0000 is refused", carol.post(path("users", alice.user, "report"), {"reason": "\0"}).status, 400)
    checks.equal("a large one too", carol.post(path("rooms", room, "report"), {"reason": "x" * 70_000}).status, 413)
    checks.equal("events are kept", server.sql("SELECT room_id, event_id, user_id, reason FROM event_reports"), [[room, event, bob.user, "rude"]])
    checks.equal("rooms are kept", server.sql("SELECT room_id, user_id, reason FROM room_reports"), [[room, carol.user, "spam"]])
    checks.equal("users are kept", server.sql("SELECT target_user_id, user_id, reason FROM user_reports"), [[alice.user, carol.user, "spam"]])


def limits(checks, folder, binaries):
    """`rc_user_directory` and `rc_reports`, and a directory that is switched off."""
    limit = "rc_user_directory: {per_second: 0.001, burst_count: 2}\nrc_reports: {per_second: 0.001, burst_count: 2}\n"
    with own_server(folder / "limits", binaries, settings=limit, unlimited=False) as server:
        alice = server.register("alice")
        search = [alice.post(f"{V3}/user_directory/search", {"search_term": "a"}) for _ in range(3)]
        checks.equal("searches are limited", [answer.status for answer in search], [200, 200, 429])
        report = [alice.post(path("users", "@none:localhost", "report"), {"reason": "a"}) for _ in range(3)]
        checks.equal("reports are limited", [answer.errcode for answer in report], [None, None, "M_LIMIT_EXCEEDED"])
    with own_server(folder / "off", binaries, settings="user_directory: {enabled: false}\nstats: {enabled: false}\n") as server:
        alice, bob = server.register("alice"), server.register("bob")
        bob.join(alice.create_room(preset="public_chat"))
        answer = alice.post(f"{V3}/user_directory/search", {"search_term": "bob"})
        checks.equal("nobody is found where the directory is off", (answer.status, answer.json), (200, {"limited": False, "results": []}))
        checks.that("the directory is kept all the same", until(lambda: server.sql("SELECT count(*) FROM users_in_public_rooms") == [["2"]]))
        checks.equal("statistics are not", server.sql("SELECT count(*) FROM room_stats_current"), [["0"]])


def main():
    from pathlib import Path
    folder, binaries = Path(sys.argv[1]), sys.argv[2]
    checks = Checks()
    settings = "update_user_directory_from_worker: generic_worker2\nallow_guest_access: true\n"
    with own_server(folder / "cluster", binaries, mode="cluster", settings=settings) as server:
        visibility(checks, server)
        requests(checks, server)
        statistics(checks, server)
        mutual(checks, server)
        reports(checks, server)
        restart(checks, server)
    limits(checks, folder, binaries)
    checks.end()


if __name__ == "__main__":
    main()
