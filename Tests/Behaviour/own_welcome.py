#!/usr/bin/env python3
"""Rooms that new users join of themselves, invitations that users do not want, and those that are accepted for them.

usage: own_welcome.py FOLDER BINARIES
"""

import sys

from harness import V3, Checks, Client, own_server, path

JOINS = """
auto_join_rooms: ["#lobby:localhost", "#second:localhost", "#elsewhere:example.org"]
allow_guest_access: true
"""


def joined(client):
    return set(client.ok("GET", f"{V3}/joined_rooms")["joined_rooms"])


def alias(server, name):
    return server.anonymous().get(path("directory", "room", name)).json.get("room_id")


def guest(server):
    made = server.anonymous().ok("POST", f"{V3}/register?kind=guest", {}, token=None)
    return Client(server.address, made["access_token"], made["user_id"], made["device_id"])


def open_rooms(server, checks):
    first = server.register()
    rooms = {alias(server, "#lobby:localhost"), alias(server, "#second:localhost")}
    checks.that("the first user has the rooms created", None not in rooms, rooms)
    checks.equal("and is in them", joined(first), rooms)
    checks.equal("which are public", first.ok("GET", path("rooms", sorted(rooms)[0], "state", "m.room.join_rules"))["join_rule"], "public")
    second = server.register()
    checks.equal("the next one joins them", joined(second), rooms)
    checks.equal("so does a guest", joined(guest(server)), rooms)
    checks.equal("and no further rooms are made", len(server.sql("SELECT 1 FROM rooms")), 2)


def invited(server, checks):
    host = server.register("host")
    checks.equal("whoever creates the room is in it", joined(host), {alias(server, "#lobby:localhost")})
    room = alias(server, "#lobby:localhost")
    guest_user = server.register()
    checks.equal("others are invited and join", joined(guest_user), {room})
    checks.equal("by that user", host.ok("GET", path("rooms", room, "state", "m.room.join_rules"))["join_rule"], "invite")
    create = host.ok("GET", path("rooms", room, "state", "m.room.create"))
    checks.equal("the room is of this server only", create.get("m.federate"), False)
    checks.equal("a guest is left alone", joined(guest(server)), set())


def unwanted(server, checks):
    """`m.invite_permission_config` refuses all invitations, and nothing else does."""
    alice, bob = server.register(), server.register()
    room = alice.create_room()
    wish = path("user", bob.user, "account_data", "m.invite_permission_config")
    invite = lambda where=None: alice.post(path("rooms", where or room, "invite"), {"user_id": bob.user})
    for content in ({}, {"default_action": "allow"}, {"default_action": 5}, {"default_action": "nonsense"}):
        bob.ok("PUT", wish, content)
        checks.equal(f"{content} refuses nothing", invite(alice.create_room()).status, 200)
    bob.ok("PUT", wish, {"default_action": "block"})
    answer = invite()
    checks.equal("blocked", (answer.status, answer.errcode), (403, "M_INVITE_BLOCKED"))
    made = alice.post(path("createRoom"), {"invite": [bob.user]})
    checks.equal("a new room with the invitation", (made.status, made.errcode), (403, "M_INVITE_BLOCKED"))
    bob.ok("PUT", wish, {"default_action": "allow"})
    checks.equal("allowed again", invite().status, 200)


ACCEPTS = """
auto_accept_invites: {enabled: true, only_for_direct_messages: true, worker_to_run_on: %s}
"""


def accepted(server, checks):
    """Invitations to talks with one user are accepted, others are not."""
    alice, bob = server.register(), server.register()
    direct, other = (alice.create_room(invite=[bob.user], is_direct=is_direct) for is_direct in (True, False))
    answer = bob.sync_until(lambda answer: direct in answer.get("rooms", {}).get("join", {}))
    checks.that("an invitation to talk is accepted", direct in joined(bob), answer.get("rooms"))
    wanted = {alice.user: [direct]}
    data = lambda: bob.get(path("user", bob.user, "account_data", "m.direct")).json
    bob.sync_until(lambda _: data() == wanted)
    checks.equal("and the room is such a talk", data(), wanted)
    checks.that("another one waits", other not in joined(bob))


def main():
    checks = Checks()
    folder, binaries = sys.argv[1], sys.argv[2]
    for mode in ("monolith", "cluster"):
        with own_server(folder, binaries, mode, JOINS) as server:
            open_rooms(server, checks)
            unwanted(server, checks)
    for mode, worker in (("monolith", "null"), ("cluster", "generic_worker1")):
        with own_server(folder, binaries, mode, ACCEPTS % worker) as server:
            accepted(server, checks)
    private = """
auto_join_rooms: ["#lobby:localhost"]
auto_join_rooms_for_guests: false
autocreate_auto_join_room_preset: private_chat
autocreate_auto_join_rooms_federated: false
auto_join_mxid_localpart: host
allow_guest_access: true
"""
    with own_server(folder, binaries, "monolith", private) as server:
        invited(server, checks)
    with own_server(folder, binaries, "monolith", 'auto_join_rooms: ["#lobby:localhost"]\nautocreate_auto_join_rooms: false\n') as server:
        checks.equal("rooms that do not exist are no obstacle", joined(server.register()), set())
    checks.end()


if __name__ == "__main__":
    main()
