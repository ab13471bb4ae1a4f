#!/usr/bin/env python3
"""What Complement and sytest ask of the directory of users, pushers and OpenID.

Each function is named by a row of Docs/conformance.md.

usage: conformance_more.py CLUSTER_FOLDER
"""

import secrets
import time

from harness import PASSWORD, all_of, path


def state(kind, key="", **content):
    return {"type": kind, "state_key": key, "content": content}


def until(condition, seconds=15):
    """What a condition answers once it is true, or at last."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def directory(server, checks):
    """Users find each other by name or id where they share a room, and in public rooms."""
    mark = "z" + secrets.token_hex(5)
    alice, bob, eve = server.register(f"alice-{mark}"), server.register(f"bob-{mark}"), server.register(f"eve-{mark}")
    alice.ok("PUT", path("profile", alice.user, "displayname"), {"displayname": f"Alice Cooper{mark}"})
    private = alice.create_room(preset="private_chat", invite=[bob.user])
    bob.join(private)
    public = alice.create_room(preset="public_chat")
    eve.join(public)
    alice.state(private, "m.room.member", {"membership": "join", "displayname": f"Freddy{mark}"}, alice.user)
    ask = lambda who, term: {e["user_id"]: e.get("display_name") for e in who.ok("POST", path("user_directory", "search"), {"search_term": term})["results"]}
    for name, who in (("eve", eve), ("bob", bob)):
        checks.equal(f"{name} finds by name", until(lambda: ask(who, f"Alice Cooper{mark}")).get(alice.user), f"Alice Cooper{mark}")
        checks.equal(f"{name} finds by id", until(lambda: ask(who, alice.user)).get(alice.user), f"Alice Cooper{mark}")
    checks.that("nobody finds by a name of a private room", alice.user not in ask(eve, f"Freddy{mark}"))
    dora = server.register(f"dora-{mark}")
    checks.that("who shares no room is not found", not ask(dora, f"dora-{mark}").get(dora.user) and bob.user not in ask(eve, f"bob-{mark}"))
    dora.join(public)
    checks.that("who enters a public room is", until(lambda: dora.user in ask(eve, f"dora-{mark}")))
    dora.leave(public)
    checks.that("and who leaves it no more", until(lambda: dora.user not in ask(eve, f"dora-{mark}")))
    bob.leave(private)
    checks.that("nor who shares a private one no more", until(lambda: bob.user not in ask(alice, f"bob-{mark}")))
    alice.state(public, "m.room.join_rules", {"join_rule": "invite"})
    outside = server.register(f"otto-{mark}")
    checks.that("a room that closes takes its members along", until(lambda: alice.user not in ask(outside, alice.user)))
    alice.state(public, "m.room.history_visibility", {"history_visibility": "world_readable"})
    checks.that("unless all may read it", until(lambda: alice.user in ask(outside, alice.user)))


def pushers(server, checks):
    alice = server.register()
    other = server.login(alice.user)
    body = lambda key: {
        "kind": "http", "app_id": "complement", "app_display_name": "c", "device_display_name": "d", "pushkey": key, "lang": "en", "profile_tag": "tag",
        "data": {"url": "https://dummy.example.com/_matrix/push/v1/notify"}}
    alice.ok("POST", path("pushers", "set"), body("own"))
    other.ok("POST", path("pushers", "set"), body("other"))
    listed = lambda: {each["pushkey"] for each in alice.ok("GET", path("pushers"))["pushers"]}
    checks.equal("pushers are listed", listed(), {"own", "other"})
    found = [each for each in alice.ok("GET", path("pushers"))["pushers"] if each["pushkey"] == "own"][0]
    checks.that("as they were set", body("own").items() <= found.items(), found)
    session = alice.post(path("account", "password"), {"new_password": "new"})["session"]
    proof = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": PASSWORD, "session": session}
    alice.ok("POST", path("account", "password"), {"new_password": "new", "auth": proof})
    checks.equal("a new password ends those of other sessions", listed(), {"own"})
    alice.ok("POST", path("pushers", "set"), {"kind": None, "app_id": "complement", "pushkey": "own"})
    checks.equal("and one ends one's own", listed(), set())


def openid(server, checks):
    alice = server.register()
    found = alice.ok("POST", path("user", alice.user, "openid", "request_token"))
    checks.that("a token for others", found["token_type"] == "Bearer" and found["matrix_server_name"] == server.name and found["expires_in"] > 0, found)
    bob = server.register()
    checks.equal("of oneself only", bob.post(path("user", alice.user, "openid", "request_token")).status, 403)


if __name__ == "__main__":
    all_of(directory, pushers, openid)
