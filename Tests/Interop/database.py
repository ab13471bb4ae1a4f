#!/usr/bin/env python3
"""One database, two servers: what Myelin wrote a real Synapse goes on with, and the other way round.

usage: database.py FOLDER BINARIES          (with a Python that has matrix-synapse 1.163.2)

A chat is held on the one server; everything is stopped; the other is started with the same configuration on the same
database: old access tokens work, passwords work, rooms, members, messages, receipts, counts and account data are the same, the
sync token goes on where it was, and new messages can be sent. Then back again. Both beginnings are tried.
"""

import secrets
import sys
import time
from pathlib import Path
from urllib.parse import quote

from parts import keys
from parts.checks import Checks
from parts.person import Person, Refused
from parts.servers import Myelin, Synapse, settings


def chat(base):
    """Two people, two rooms, and a bit of everything; answers the people and the room they share."""
    suffix = secrets.token_hex(4)
    alice, bob = Person(base, f"alice{suffix}").register(), Person(base, f"bob{suffix}").register()
    alice.call("PUT", f"profile/{quote(alice.user)}/displayname", {"displayname": "Alice"})
    room = alice.call("POST", "createRoom", {"name": "Tea", "topic": "Two o'clock", "invite": [bob.user]})["room_id"]
    bob.call("POST", f"join/{quote(room)}", {})
    for turn in range(10):
        last = (alice if turn % 2 else bob).say(room, f"message {turn}")
    slip = alice.say(room, "a slip")
    alice.call("PUT", f"rooms/{quote(room)}/redact/{quote(slip)}/r1", {"reason": "slip"})
    alice.call("PUT", f"rooms/{quote(room)}/state/org.example.thing/key", {"value": 7})
    reply = {"msgtype": "m.text", "body": "hm", "m.relates_to": {"m.in_reply_to": {"event_id": last}}}
    bob.call("PUT", f"rooms/{quote(room)}/send/m.room.message/reply", reply)
    bob.call("POST", f"rooms/{quote(room)}/receipt/m.read/{quote(last)}", {})
    bob.call("POST", f"rooms/{quote(room)}/read_markers", {"m.fully_read": last})
    alice.call("PUT", f"user/{quote(alice.user)}/account_data/org.example.data", {"colour": "blue"})
    bob.call("PUT", f"user/{quote(bob.user)}/rooms/{quote(room)}/account_data/org.example.data", {"pinned": True})
    bob.call("PUT", f"user/{quote(bob.user)}/rooms/{quote(room)}/tags/m.favourite", {"order": 0.5})
    public = {"preset": "public_chat", "room_alias_name": f"square{suffix}", "room_version": "11"}
    square = bob.call("POST", "createRoom", public)["room_id"]
    alice.call("POST", f"join/{quote(f'#square{suffix}:localhost')}", {})
    alice.call("POST", f"rooms/{quote(square)}/leave", {})
    alice.call("POST", "createRoom", {"room_version": "12", "preset": "private_chat", "invite": [bob.user]})
    relate(alice, bob, room)
    manage(alice, bob, room, suffix)
    keys.equip_all([alice, bob])
    keep(alice, room)
    return alice, bob, room


def relate(alice, bob, room):
    """Events about events, a mention, and receipts in a thread."""

    def send(person, kind, transaction, content):
        path = f"rooms/{quote(room)}/send/{kind}/{transaction}"
        return person.call("PUT", path, content)["event_id"]

    def text(body, **more):
        return {"msgtype": "m.text", "body": body, **more}

    root = alice.say(room, "root")
    send(bob, "m.reaction", "like", {"m.relates_to": {"rel_type": "m.annotation", "event_id": root, "key": "\U0001f44d"}})
    change = {"rel_type": "m.replace", "event_id": root}
    send(alice, "m.room.message", "edit", text("* Root", **{"m.new_content": text("Root"), "m.relates_to": change}))
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    first = send(bob, "m.room.message", "thread1", text("first", **thread))
    send(bob, "m.room.message", "thread2", text("second", **thread))
    alice.call("POST", f"rooms/{quote(room)}/receipt/m.read/{quote(first)}", {"thread_id": root})
    alice.call("POST", f"rooms/{quote(room)}/receipt/m.read.private/{quote(root)}", {})
    send(bob, "m.room.message", "mention", text("you there?", **{"m.mentions": {"user_ids": [alice.user]}}))


def manage(alice, bob, room, suffix):
    """A third person who comes and goes, and settings of the room, the device and the account."""
    path = f"rooms/{quote(room)}"
    carol = Person(alice.base, f"carol{suffix}").register()
    alice.call("POST", f"{path}/invite", {"user_id": carol.user, "reason": "hi"})
    carol.call("POST", f"join/{quote(room)}", {})
    alice.call("POST", f"{path}/ban", {"user_id": carol.user, "reason": "no"})
    alice.call("POST", f"{path}/unban", {"user_id": carol.user})
    carol.call("POST", f"{path}/forget", {})
    alias = f"#tea{suffix}:localhost"
    alice.call("PUT", f"directory/room/{quote(alias)}", {"room_id": room})
    alice.call("PUT", f"{path}/state/m.room.canonical_alias/", {"alias": alias})
    alice.call("PUT", f"profile/{quote(alice.user)}/avatar_url", {"avatar_url": "mxc://localhost/picture"})
    alice.call("PUT", f"devices/{alice.device}", {"display_name": "telephone"})
    bob.call("PUT", "sendToDevice/org.example.hello/1", {"messages": {alice.user: {alice.device: {"a": 1}}}})
    quiet = {"conditions": [{"kind": "event_match", "key": "room_id", "pattern": "!none"}], "actions": []}
    alice.call("PUT", "pushrules/global/override/quiet", quiet)
    alice.call("PUT", "pushrules/global/content/word", {"pattern": "word", "actions": ["notify"]})
    alice.call("PUT", "pushrules/global/underride/.m.rule.encrypted/enabled", {"enabled": False})
    alice.call("PUT", "pushrules/global/override/.m.rule.reaction/actions", {"actions": ["notify"]})
    secret = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    bob.call("POST", "createRoom", {"is_direct": True, "preset": "trusted_private_chat", "initial_state": [secret]})


def keep(alice, room):
    """A backup of keys in its second version, and a pusher."""

    def session(index, verified, **data):
        return {"first_message_index": index, "forwarded_count": 1, "is_verified": verified, "session_data": data}

    for number in (1, 2):
        body = {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": str(number), "signatures": {}}}
        version = alice.call("POST", "room_keys/version", body)["version"]
        for index, verified in ((7, False), (5, False), (6, False), (9, True)):
            alice.call("PUT", f"room_keys/keys/{quote(room)}/one?version={version}", session(index, verified, ciphertext=f"{index} \u00e9"))
    sessions = {f"s{index}": session(index, True, number=index) for index in range(20)}
    alice.call("PUT", f"room_keys/keys?version={version}", {"rooms": {room: {"sessions": sessions}, "!other:x": {"sessions": sessions}}})
    alice.call("DELETE", f"room_keys/keys/{quote(room)}/s3?version={version}")
    pusher = {"kind": "http", "app_id": "org.example", "pushkey": alice.device, "app_display_name": "App", "device_display_name": "Phone",
              "profile_tag": "t", "lang": "en", "data": {"url": "http://127.0.0.1:9/_matrix/push/v1/notify", "format": "event_id_only"}}
    alice.call("POST", "pushers/set", pusher)


def hand_over(checks, what, people, room, stop, start):
    """Compares what people are told before and after, then has them go on talking."""
    before = {person.name: person.facts() for person in people}
    tokens = {person.name: person.call("GET", "sync?timeout=0")["next_batch"] for person in people}
    stop()
    start()
    for person in people:
        try:
            after = person.facts()
        except Refused as refused:
            checks.that(f"{what}: {person.name}'s old token works", False, refused)
            continue
        for key, fact in before[person.name].items():
            if key != "rooms":
                checks.same(f"{what}: {person.name}'s {key}", fact, after[key])
        checks.same(f"{what}: {person.name}'s list of rooms", sorted(before[person.name]["rooms"]), sorted(after["rooms"]))
        for shared, facts in before[person.name]["rooms"].items():
            for key, fact in facts.items():
                checks.same(f"{what}: {person.name}'s {key} of {shared}", fact, after["rooms"].get(shared, {}).get(key))
        again = person.log_in()
        checks.that(f"{what}: {person.name}'s password works", again.user == person.user)
    keys.claimed_on(checks, what, people)
    keep(people[0], room)
    sent = [person.say(room, f"after {what}") for person in people]
    for person in people:
        sync = person.call("GET", f"sync?timeout=5000&since={tokens[person.name]}")
        news = [event["event_id"] for event in sync["rooms"]["join"].get(room, {}).get("timeline", {}).get("events", [])]
        checks.same(f"{what}: {person.name}'s sync goes on from the old token", sent, news)


def summed_up(checks, server):
    """Waits until everything that people were told of before has been summed up."""
    query = """SELECT s.stream_ordering >= (SELECT max(stream_ordering) FROM events),
        (SELECT count(*) FROM event_push_summary WHERE notif_count > 0) FROM event_push_summary_stream_ordering s"""
    deadline = time.monotonic() + 20
    while (found := server.query(query))[0] != "t" and time.monotonic() < deadline:
        time.sleep(0.1)
    checks.that("unread events are summed up", found[0] == "t" and found[1] != "0", found)


def from_ours(checks, base, binaries):
    server = Myelin(base / "ours-first", binaries, "monolith")
    server.control("up")
    try:
        people, room = (lambda a, b, r: ([a, b], r))(*chat(server.address))
        # Registering is a session of user-interactive authentication; both servers note from where each was used.
        sessions = """SELECT count(DISTINCT s.session_id), count(DISTINCT i.session_id) FROM ui_auth_sessions s
            LEFT JOIN ui_auth_sessions_ips i ON i.session_id = s.session_id AND i.ip = '127.0.0.1'
            AND i.user_agent LIKE 'Python-urllib/%'"""
        found = server.query(sessions)
        checks.that("sessions are noted with address and program", found[0] == found[1] != "0", found)
        theirs = synapse(server)
        stop_ours, start_ours = lambda: server.control("stop", "homeserver"), lambda: server.control("start", "homeserver")
        try:
            # At its start a server sums unread events up, so that the other one counts on from sums that it has not made.
            hand_over(checks, "Myelin to itself", people, room, stop_ours, lambda: (start_ours(), summed_up(checks, server)))
            hand_over(checks, "Myelin to Synapse", people, room, stop_ours, theirs.start)
            hand_over(checks, "and back to Myelin", people, room, theirs.stop, start_ours)
        finally:
            theirs.stop()
        checks.same("Synapse logged no error on our database", [], theirs.errors())
    finally:
        server.control("down")


def from_theirs(checks, base, binaries):
    server = Myelin(base / "theirs-first", binaries, "monolith")
    server.control("services")
    theirs = synapse(server)
    try:
        theirs.start()
        people, room = (lambda a, b, r: ([a, b], r))(*chat(server.address))
        stop_ours, start_ours = lambda: server.control("stop", "homeserver"), lambda: server.control("start", "homeserver")
        hand_over(checks, "Synapse to Myelin", people, room, theirs.stop, start_ours)
        hand_over(checks, "and back to Synapse", people, room, stop_ours, theirs.start)
        checks.same("Synapse logged no error after us", [], theirs.errors())
    finally:
        theirs.stop()
        server.control("down")


def synapse(server):
    port = settings(server.base)["ports"]["homeserver"] if (server.base / "cluster.json").exists() else None
    log = server.base / "logs" / "synapse.log"
    return Synapse("synapse.app.homeserver", server.configs, log, f"http://127.0.0.1:{port}/health")


def main():
    base, binaries = Path(sys.argv[1]).resolve(), sys.argv[2]
    checks = Checks()
    from_ours(checks, base, binaries)
    from_theirs(checks, base, binaries)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
