#!/usr/bin/env python3
"""Settings about rooms: rate limits, rules for aliases, and the lines that name what is not followed.

usage: own_rooms.py FOLDER BINARIES
"""

import secrets
import sys

from harness import Checks, own_server, path

LOOSE = "{per_second: 1000, burst_count: 1000}"
UNLIMITED = "".join(f"{name}: {LOOSE}\n" for name in ("rc_registration", "rc_room_creation", "rc_joins_per_room", "rc_profile")) + f"""
rc_joins: {{local: {LOOSE}}}
rc_invites: {{per_room: {LOOSE}, per_user: {LOOSE}, per_issuer: {LOOSE}}}
rc_login: {{address: {LOOSE}, account: {LOOSE}, failed_attempts: {LOOSE}}}
"""


def limited(checks, name, answer):
    good = answer.status == 429 and answer.errcode == "M_LIMIT_EXCEEDED" and answer.json.get("retry_after_ms", 0) > 0
    checks.that(f"{name} has to wait", good, answer)


def memberships_count(server, checks):
    """With five events at once (and next to none later), whatever makes an event is one of the five."""
    alice = server.register()
    room = alice.create_room(preset="public_chat")

    def fresh():
        user = server.register()
        user.join(room)
        return user

    def profile(user, number):
        return user.put(path("rooms", room, "state", "m.room.member", user.user), {"membership": "join", "displayname": f"n{number}"})

    user = fresh()
    answers = [profile(user, number) for number in range(5)]
    checks.equal("own profile as state counts", [answer.status for answer in answers], [200] * 4 + [429])
    limited(checks, "who then writes", user.put(path("rooms", room, "send", "m.room.message", "1"), {"msgtype": "m.text", "body": "b"}))
    limited(checks, "who then leaves", user.post(path("rooms", room, "leave")))

    user = fresh()
    answers = [user.post(path(*target)) for target in [("rooms", room, "leave"), ("join", room)] * 2 + [("rooms", room, "leave")]]
    checks.equal("leaving and joining count", [answer.status for answer in answers], [200] * 4 + [429])
    found = user.ok("GET", path("rooms", room, "state", "m.room.member", user.user))
    checks.equal("what had to wait was not done", found["membership"], "join")
    checks.equal("what changes nothing is free", user.post(path("join", room)).status, 200)

    owner, victim = server.register(), server.register()
    mine = owner.create_room()
    answers = [owner.post(path("rooms", mine, action), {"user_id": victim.user}) for action in ["ban", "unban"] * 2 + ["ban"]]
    checks.equal("banning and taking it back count", [answer.status for answer in answers], [200] * 4 + [429])

    host, knocker = server.register(), server.register()
    knocked = host.create_room(room_version="10", initial_state=[
        {"type": "m.room.join_rules", "content": {"join_rule": "knock"}}])
    answers = []
    for _ in range(3):
        answers += [knocker.post(path("knock", knocked)), knocker.post(path("rooms", knocked, "leave"))]
    checks.equal("knocking and taking it back count", [answer.status for answer in answers], [200] * 5 + [429])

    inviter = server.register()
    own = inviter.create_room()
    answers = [inviter.post(path("rooms", own, "invite"), {"user_id": server.register().user}) for _ in range(5)]
    checks.equal("inviting counts", [answer.status for answer in answers], [200] * 4 + [429])

    creator = server.register()
    answers = [creator.post(path("createRoom"), {}) for _ in range(6)]
    checks.equal("a room counts as one event", [answer.status for answer in answers], [200] * 5 + [429])
    limited(checks, "a malformed request for one, which is not even read,", creator.post(path("createRoom"), {"invite": 7}))

    late = server.register()
    somewhere = late.create_room()
    target = path("rooms", somewhere, "send", "m.room.message", "1") + "?org.matrix.msc4140.delay=1000"
    answers = [late.put(target, {"msgtype": "m.text", "body": "b"}) for _ in range(5)]
    checks.equal("messages for later count", [answer.status for answer in answers], [403] * 4 + [429])

    moved = server.register()
    rooms = [moved.create_room() for _ in range(3)]
    checks.equal("a new display name", moved.put(path("profile", moved.user, "displayname"), {"displayname": "new"}).status, 200)
    for each in rooms:
        content = moved.ok("GET", path("rooms", each, "state", "m.room.member", moved.user))
        checks.equal("reaches all rooms and counts in none", content.get("displayname"), "new")


def joins_count(server, checks):
    alice = server.register()
    room, other = alice.create_room(preset="public_chat"), alice.create_room(preset="public_chat")
    barred = [server.register() for _ in range(6)]
    private = alice.create_room()
    for user in barred:
        checks.equal("nobody joins uninvited", user.post(path("join", private)).status, 403)
    checks.equal("and that keeps nobody out", alice.post(path("rooms", private, "invite"), {"user_id": barred[0].user}).status, 200)
    checks.equal("who is invited", barred[0].post(path("join", private)).status, 200)
    workers = server.workers
    statuses = []
    for number in range(6):
        user = server.register()
        statuses.append(user.at(workers[number % len(workers)]).post(path("join", room)).status)
    # The creator's own join is the first of four.
    checks.equal("joins of a room count, through all processes", statuses, [200] * 3 + [429] * 3)
    checks.equal("of another room as well, apart", server.register().post(path("join", other)).status, 200)


def invites_count(server, checks):
    alice = server.register()
    users = [server.register().user for _ in range(5)]
    answer = alice.post(path("createRoom"), {"invite": users})
    checks.that("nobody invites more at once than into one room", answer.status == 400 and answer.errcode == "M_UNKNOWN", answer)
    checks.equal("fewer are invited", alice.post(path("createRoom"), {"invite": users[:3]}).status, 200)
    room = alice.create_room()
    answers = [alice.post(path("rooms", room, "invite"), {"user_id": user}) for user in users]
    checks.equal("invites into a room count", [answer.status for answer in answers], [200] * 3 + [429] * 2)


def aliases(server, checks):
    alice = server.register()

    def attempt(local):
        return alice.post(path("createRoom"), {"room_alias_name": local})

    stem = secrets.token_hex(4)
    answer = attempt(f"secret-{stem}")
    checks.that("an alias that may not be is refused with its room", answer.status == 403 and answer.errcode == "M_FORBIDDEN", answer)
    rooms = server.sql(f"SELECT count(*) FROM rooms WHERE creator = '{alice.user}'")
    checks.equal("and the room is not there", rooms, [["0"]])
    checks.equal("another is given", attempt(f"open-{stem}").status, 200)
    room = alice.create_room()
    answer = alice.put(path("directory", "room", f"#secret-{stem}:{server.name}"), {"room_id": room})
    checks.equal("as without a new room", answer.status, 403)


def named_at_start(server, checks):
    log = server.log()
    for name in ("rc_joins.remote", "rc_third_party_invite"):
        checks.that(f"{name} is named at the start", f"{name}: this setting of Synapse is not supported" in log, log[-2000:])
    for name in ("rc_message", "rc_joins_per_room", "rc_joins.local"):
        checks.that(f"{name} is not", f"{name}: this setting of Synapse" not in log)


def main():
    folder, binaries, checks = sys.argv[1], sys.argv[2], Checks()
    rules = """
rc_message: {per_second: 0.001, burst_count: 5}
rc_joins: {local: %(loose)s, remote: %(loose)s}
rc_third_party_invite: %(loose)s
alias_creation_rules:
  - {alias: "#secret-*", action: deny}
  - {action: allow}
""" % {"loose": LOOSE}
    settings = UNLIMITED.replace(f"rc_joins: {{local: {LOOSE}}}\n", "") + rules
    with own_server(folder, binaries, settings=settings, unlimited=False) as server:
        memberships_count(server, checks)
        aliases(server, checks)
        named_at_start(server, checks)
    per_room = """
rc_joins_per_room: {per_second: 0.001, burst_count: 4}
rc_invites: {per_room: {per_second: 0.001, burst_count: 3}, per_user: %(loose)s, per_issuer: %(loose)s}
""" % {"loose": LOOSE}
    kept = "".join(
        line + "\n" for line in UNLIMITED.splitlines() if not line.startswith(("rc_joins_per_room", "rc_invites")))
    with own_server(folder, binaries, mode="cluster", settings=kept + f"rc_message: {LOOSE}\n" + per_room, unlimited=False) as server:
        joins_count(server, checks)
        invites_count(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
