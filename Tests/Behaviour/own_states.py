#!/usr/bin/env python3
"""Accounts that are locked, suspended or shadow-banned, and what administrators learn of accounts.

usage: own_states.py FOLDER BINARIES
"""

import sys
import time

from harness import V3, Checks, own_server, path

ADMIN = "/_matrix/client/v1/admin"


def administrator(server, name):
    client = server.register(name)
    server.sql(f"UPDATE users SET admin = 1 WHERE name = '{client.user}'")
    return client


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def everywhere(server, client, target):
    """Statuses of a request on every process that serves clients."""
    return {client.at(worker).get(target).status for worker in server.workers}


def locked(checks, server, admin):
    bob = server.register("lockbob")
    whoami = f"{V3}/account/whoami"
    everywhere(server, bob, whoami)
    checks.equal("not locked", admin.ok("GET", f"{ADMIN}/lock/{bob.user}"), {"locked": False})
    checks.equal("locks", admin.ok("PUT", f"{ADMIN}/lock/{bob.user}", {"locked": True}), {"locked": True})
    checks.equal("is locked", admin.ok("GET", f"{ADMIN}/lock/{bob.user}"), {"locked": True})
    checks.that("on every worker", until(lambda: everywhere(server, bob, whoami) == {401}))
    answer = bob.get(whoami)
    checks.that("with a soft logout", answer.errcode == "M_USER_LOCKED" and answer["soft_logout"] is True, answer)
    checks.equal("may not sync", bob.get(f"{V3}/sync").errcode, "M_USER_LOCKED")
    checks.equal("sees the versions", bob.get("/_matrix/client/versions").status, 200)
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": bob.user}, "password": bob.password}
    checks.equal("may not log in", server.anonymous().post(path("login"), body).errcode, "M_USER_LOCKED")
    admin.ok("PUT", f"{ADMIN}/lock/{bob.user}", {"locked": False})
    checks.that("the session works again when unlocked", until(lambda: everywhere(server, bob, whoami) == {200}))
    admin.ok("PUT", f"{ADMIN}/lock/{bob.user}", {"locked": True})
    checks.that("locked again", until(lambda: everywhere(server, bob, whoami) == {401}))
    checks.equal("may log out", bob.post(path("logout")).status, 200)


def suspended(checks, server, admin):
    alice, bob = server.register("susalice"), server.register("susbob")
    room = alice.create_room(preset="public_chat")
    other = alice.create_room(preset="public_chat")
    bob.join(room)
    mine, theirs = bob.say(room, "mine"), alice.say(room, "theirs")
    checks.equal("suspends", admin.ok("PUT", f"{ADMIN}/suspend/{bob.user}", {"suspended": True}), {"suspended": True})
    checks.equal("is suspended", admin.ok("GET", f"{ADMIN}/suspend/{bob.user}"), {"suspended": True})

    def send():
        return bob.put(path("rooms", room, "send", "m.room.message", bob.transaction()), {"msgtype": "m.text", "body": "x"})

    checks.that("may not send", until(lambda: send().errcode == "M_USER_SUSPENDED"), send())
    refused = {
        "join": bob.post(path("join", other)), "invite": bob.post(path("rooms", room, "invite"), {"user_id": admin.user}),
        "knock": bob.post(path("knock", other)), "create rooms": bob.post(path("createRoom")),
        "change the name": bob.put(path("profile", bob.user, "displayname"), {"displayname": "x"}),
        "redact what others sent": bob.put(path("rooms", room, "redact", theirs, "r1")),
        "change the state": bob.put(path("rooms", room, "state", "m.room.topic", ""), {"topic": "x"}),
    }
    for what, answer in refused.items():
        checks.that(f"may not {what}", answer.status == 403 and answer.errcode == "M_USER_SUSPENDED", answer)
    allowed = {
        "read": bob.get(path("rooms", room, "messages") + "?dir=b"), "sync": bob.get(f"{V3}/sync"),
        "redact their own": bob.put(path("rooms", room, "redact", mine, "r2")), "leave": bob.post(path("rooms", room, "leave")),
    }
    for what, answer in allowed.items():
        checks.that(f"may {what}", answer.status == 200, answer)
    target = f"/_synapse/admin/v1/suspend/{bob.user}"
    checks.equal("Synapse's way", admin.ok("PUT", target, {"suspend": False}), {f"user_{bob.user}_suspended": False})
    checks.that("may join again", until(lambda: bob.post(path("join", other)).status == 200))


def permissions(checks, server, admin):
    alice, second = server.register("permalice"), administrator(server, "permadmin")
    for kind, key in (("lock", "locked"), ("suspend", "suspended")):
        for method, body in (("GET", None), ("PUT", {key: True})):
            checks.equal(f"{method} {kind} is for administrators", alice.call(method, f"{ADMIN}/{kind}/{alice.user}", body).errcode, "M_FORBIDDEN")
            checks.equal(f"{method} {kind} not of others of them", admin.call(method, f"{ADMIN}/{kind}/{second.user}", body).errcode, "M_FORBIDDEN")
            checks.equal(f"{method} {kind} of nobody", admin.call(method, f"{ADMIN}/{kind}/@none:localhost", body).errcode, "M_NOT_FOUND")
            checks.equal(f"{method} {kind} elsewhere", admin.call(method, f"{ADMIN}/{kind}/@a:example.org", body).errcode, "M_INVALID_PARAM")
        checks.equal(f"not of oneself ({kind})", admin.put(f"{ADMIN}/{kind}/{admin.user}", {key: True}).errcode, "M_FORBIDDEN")
        checks.equal(f"{kind} badly", admin.put(f"{ADMIN}/{kind}/{alice.user}", {key: "yes"}).status, 400)
    target = f"/_synapse/admin/v1/suspend/{alice.user}"
    checks.equal("Synapse's way is for administrators", alice.put(target, {"suspend": True}).errcode, "M_FORBIDDEN")
    checks.equal("and for users of this server", admin.put("/_synapse/admin/v1/suspend/@a:example.org", {"suspend": True}).status, 400)
    checks.equal("who exist", admin.put("/_synapse/admin/v1/suspend/@none:localhost", {"suspend": True}).status, 404)


def whois(checks, server, admin):
    alice = server.register("whoalice")
    alice.call("GET", f"{V3}/account/whoami", headers={"User-Agent": "whois test"})
    for target in (path("admin", "whois", alice.user), f"/_synapse/admin/v1/whois/{alice.user}"):
        for client in (alice, admin):
            def uses():
                answer = client.ok("GET", target)
                sessions = answer["devices"][""]["sessions"]
                return answer["user_id"], [(use["ip"], isinstance(use["last_seen"], int)) for use in sessions[0]["connections"]]
            checks.that(f"{client.user} by {target}", until(lambda: uses() == (alice.user, [("127.0.0.1", True)])), uses())
    checks.equal("of others only administrators", alice.get(path("admin", "whois", admin.user)).errcode, "M_FORBIDDEN")


def shadow_banned(checks, server):
    alice, bob = server.register("shaalice"), server.register("shabob")
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    server.sql(f"UPDATE users SET shadow_banned = true WHERE name = '{bob.user}'")
    again = server.login(bob.user)
    event = again.say(room, "nobody hears this")
    checks.that("what is sent looks as if", event.startswith("$"))
    checks.equal("and goes nowhere", alice.get(path("rooms", room, "event", event)).status, 404)
    checks.equal("invitations too", again.post(path("rooms", room, "invite"), {"user_id": server.register("shacarol").user}).status, 200)
    again.ok("PUT", path("profile", bob.user, "displayname"), {"displayname": "Shadow"})
    member = alice.ok("GET", path("rooms", room, "state", "m.room.member", bob.user))
    checks.that("a new name does not reach rooms", member.get("displayname") != "Shadow", member)


def account_status(checks, folder, binaries):
    target = "/_matrix/client/unstable/org.matrix.msc3720/account_status"
    with own_server(folder / "status", binaries, settings="experimental_features: {msc3720_enabled: true}\n") as server:
        alice, bob = server.register("alice"), server.register("bob")
        server.sql(f"UPDATE users SET deactivated = 1 WHERE name = '{bob.user}'")
        asked = {"user_ids": [alice.user, bob.user, "@none:localhost", "@a:example.org"]}
        wanted = {
            "account_statuses": {
                alice.user: {"exists": True, "deactivated": False}, bob.user: {"exists": True, "deactivated": True},
                "@none:localhost": {"exists": False},
            },
            "failures": ["@a:example.org"],
        }
        checks.equal("states of accounts", alice.ok("POST", target, asked), wanted)
        for body in ({}, {"user_ids": "a"}, {"user_ids": [5]}, {"user_ids": ["nonsense"]}, {"user_ids": [alice.user] * 1001}):
            checks.equal(f"{str(body)[:30]} is refused", alice.post(target, body).status, 400)
    with own_server(folder / "plain", binaries) as server:
        checks.equal("not without the flag", server.register("alice").post(target, {"user_ids": []}).status, 404)


def main():
    from pathlib import Path
    folder, binaries = Path(sys.argv[1]), sys.argv[2]
    checks = Checks()
    with own_server(folder / "cluster", binaries, mode="cluster") as server:
        admin = administrator(server, "boss")
        locked(checks, server, admin)
        suspended(checks, server, admin)
        permissions(checks, server, admin)
        whois(checks, server, admin)
        shadow_banned(checks, server)
    account_status(checks, folder, binaries)
    checks.end()


if __name__ == "__main__":
    main()
