#!/usr/bin/env python3
"""Deactivation: what goes with an account, and what others see of it; and what a shadow-banned user's rooms do not see.

usage: deactivation.py CLUSTER_FOLDER
"""

import sys
import time

from harness import V3, Checks, Server, path


def deactivate(client, **options):
    identifier = {"type": "m.id.user", "user": client.user}
    auth = {"type": "m.login.password", "identifier": identifier, "password": client.password}
    return client.post(path("account", "deactivate"), {"auth": auth, **options})


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def count(server, table, column, user):
    return int(server.sql(f"SELECT count(*) FROM {table} WHERE {column} = '{user}'")[0][0])


def bodies(client, room):
    """What a reader's pages say of messages: `{event: content}`."""
    chunk = client.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=50")["chunk"]
    return {event["event_id"]: event["content"] for event in chunk if event["type"] == "m.room.message"}


def erasure(server, checks):
    for erase in (True, False):
        name = "erased" if erase else "kept"
        alice, bob, carol = server.register(), server.register(), server.register()
        room = alice.create_room(preset="public_chat")
        bob.join(room)
        event = alice.say(room, "a secret")
        edited = alice.send(room, {"msgtype": "m.text", "body": "first words"})
        alice.send(room, {"msgtype": "m.text", "body": "* last words", "m.new_content": {"msgtype": "m.text", "body": "last words"},
                          "m.relates_to": {"rel_type": "m.replace", "event_id": edited}})
        other = bob.say(room, "no secret")
        alice.send(room, {"msgtype": "m.text", "body": "thread words",
                          "m.relates_to": {"rel_type": "m.thread", "event_id": other}})
        alice.ok("PUT", path("profile", alice.user, "displayname"), {"displayname": "Alice"})
        carol.join(room)
        checks.equal(f"{name}: before, whoever joins sees the message", bodies(carol, room)[event].get("body"), "a secret")
        checks.equal(f"{name}: the account is closed", deactivate(alice, erase=erase).status, 200)
        checks.equal(f"{name}: its token ends", alice.get(path("account", "whoami")).status, 401)
        checks.equal(f"{name}: who was there still sees the message", bodies(bob, room)[event].get("body"), "a secret")
        later = server.register()
        later.join(room)
        for reader in (carol, later):
            wanted = {} if erase else {"msgtype": "m.text", "body": "a secret"}
            checks.equal(f"{name}: who was not", bodies(reader, room)[event], wanted)
            single = reader.ok("GET", path("rooms", room, "event", event))
            checks.equal(f"{name}: nor by itself", single["content"], wanted)
            whole = reader.ok("GET", path("rooms", room, "event", edited))
            checks.that(f"{name}: nor what it was edited to", not erase or "words" not in str(whole), whole)
            root = reader.ok("GET", path("rooms", room, "event", other))
            checks.equal(f"{name}: nor beside the root of a thread", "thread words" in str(root), not erase)
            checks.equal(f"{name}: the thread is there", root["unsigned"]["m.relations"]["m.thread"]["count"], 1)
            checks.equal(f"{name}: others' messages are left alone", bodies(reader, room)[other].get("body"), "no secret")
        first = later.sync(filter='{"room":{"timeline":{"limit":50}}}')
        shown = [e["content"] for e in first["rooms"]["join"][room]["timeline"]["events"] if e["event_id"] == event]
        checks.equal(f"{name}: nor in a sync", shown, [{} if erase else {"msgtype": "m.text", "body": "a secret"}])
        checks.equal(f"{name}: table erased_users", count(server, "erased_users", "user_id", alice.user), int(erase))
        profile = bob.get(path("profile", alice.user))
        checks.equal(f"{name}: the profile", profile.status, 404 if erase else 200)
        gone = until(lambda: count(server, "users_pending_deactivation", "user_id", alice.user) == 0)
        checks.that(f"{name}: the rooms are left", gone)
        member = bob.ok("GET", path("rooms", room, "state", "m.room.member", alice.user))
        checks.equal(f"{name}: the room says so", member["membership"], "leave")


def belongings(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room()
    invited = bob.create_room()
    bob.invite(invited, alice.user)
    alice.ok("PUT", path("user", alice.user, "account_data", "org.example"), {"a": 1})
    alice.ok("PUT", path("user", alice.user, "account_data", "m.ignored_user_list"), {"ignored_users": {bob.user: {}}})
    carol.ok("PUT", path("user", carol.user, "account_data", "m.ignored_user_list"), {"ignored_users": {alice.user: {}}})
    alice.ok("PUT", path("user", alice.user, "rooms", room, "account_data", "org.example"), {"a": 1})
    alice.ok("PUT", f"{V3}/pushrules/global/content/word", {"pattern": "word", "actions": ["notify"]})
    alice.ok("PUT", f"{V3}/pushrules/global/content/word/enabled", {"enabled": False})
    # What a process of Synapse has stored.
    event = alice.say(room, "root")
    server.sql(f"""
        INSERT INTO e2e_room_keys_versions (user_id, version, algorithm, auth_data) VALUES ('{alice.user}', 1, 'a', '{{}}');
        INSERT INTO e2e_room_keys (user_id, room_id, session_id, version, session_data) VALUES ('{alice.user}', '{room}', 's', 1, '{{}}');
        INSERT INTO thread_subscriptions (stream_id, instance_name, room_id, event_id, user_id, subscribed, automatic)
        VALUES (1, 'master', '{room}', '{event}', '{alice.user}', true, false)""")
    tables = (("account_data", "user_id"), ("room_account_data", "user_id"), ("ignored_users", "ignorer_user_id"),
              ("e2e_room_keys_versions", "user_id"), ("e2e_room_keys", "user_id"), ("thread_subscriptions", "user_id"),
              ("push_rules", "user_name"), ("push_rules_enable", "user_name"), ("devices", "user_id"),
              ("access_tokens", "user_id"))
    for table, column in tables:
        checks.that(f"belongings: {table} has rows before", count(server, table, column, alice.user) > 0)
    checks.equal("belongings: the account is closed", deactivate(alice).status, 200)
    for table, column in tables:
        checks.equal(f"belongings: {table} afterwards", count(server, table, column, alice.user), 0)
    checks.equal("belongings: others' lists stay", count(server, "ignored_users", "ignored_user_id", alice.user), 1)
    left = until(lambda: server.sql(
        f"SELECT DISTINCT membership FROM local_current_membership WHERE user_id = '{alice.user}'") == [["leave"]])
    checks.that("belongings: rooms and invites are left", left)


def shadow_ban(server, checks):
    alice, bob = server.register(), server.register()
    room = bob.create_room(preset="public_chat")
    server.sql(f"UPDATE users SET shadow_banned = true WHERE name = '{alice.user}'")
    alice.join(room)
    name = bob.ok("GET", path("rooms", room, "state", "m.room.member", alice.user)).get("displayname")
    for field, value in (("displayname", "Buy now"), ("avatar_url", "mxc://example.org/spam")):
        answer = alice.put(path("profile", alice.user, field), {field: value})
        checks.equal(f"shadow ban: {field} is answered", answer.status, 200)
    checks.equal("shadow ban: joining again is answered", alice.post(path("join", room)).status, 200)
    alice.put(path("rooms", room, "state", "m.room.member", alice.user), {"membership": "join", "displayname": "Buy now"})
    member = bob.ok("GET", path("rooms", room, "state", "m.room.member", alice.user))
    checks.equal("shadow ban: the room keeps the name", member.get("displayname"), name)
    checks.equal("shadow ban: and the picture", member.get("avatar_url"), None)


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for case in (erasure, belongings, shadow_ban):
        case(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
