#!/usr/bin/env python3
"""What Complement and sytest ask of encryption: device keys, one-time keys, cross-signing, lists of devices, key backup, messages to devices.

Each function is named by a row of Docs/conformance.md.

usage: conformance_encryption.py CLUSTER_FOLDER
"""

import base64
import secrets

from harness import PASSWORD, V3, all_of, path


def key():
    return base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def device_keys(client, user=None, device=None):
    user, device = user or client.user, device or client.device
    return {
        "user_id": user, "device_id": device, "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {f"curve25519:{device}": key(), f"ed25519:{device}": key()}, "signatures": {user: {f"ed25519:{device}": key()}}}


def one_time(name):
    signatures = {"@somebody:example.org": {"ed25519:DEVICE": key()}}
    return {f"signed_curve25519:{name}": {"key": key(), "signatures": signatures}}


def upload(client, **body):
    return client.post(path("keys", "upload"), body)


def query(client, users):
    return client.ok("POST", path("keys", "query"), {"device_keys": users})


def claim(client, user, device, algorithm="signed_curve25519"):
    return client.ok("POST", path("keys", "claim"), {"one_time_keys": {user: {device: algorithm}}})["one_time_keys"]


def uploads(server, checks):
    alice, bob = server.register(), server.register()
    keys = device_keys(alice)
    answer = upload(alice, device_keys=keys, one_time_keys=one_time("a"))
    checks.equal("keys are uploaded and counted", (answer.status, answer["one_time_key_counts"].get("signed_curve25519")), (200, 1))
    answer = upload(alice, device_keys={"user_id": "50", "device_id": alice.device})
    checks.equal("those that are none are refused", answer.status, 400)
    answer = upload(alice, device_keys=device_keys(alice, bob.user))
    checks.equal("those of another as well", answer.status, 400)
    answer = upload(alice, device_keys=device_keys(alice, device="OTHER"))
    checks.equal("or of another device", answer.status, 400)
    found = query(alice, {alice.user: []})["device_keys"][alice.user]
    checks.equal("they are queried", found[alice.device]["keys"], keys["keys"])
    checks.that("with the signatures", found[alice.device]["signatures"] == keys["signatures"], found)
    found = query(bob, {alice.user: [alice.device]})["device_keys"][alice.user]
    checks.equal("those of one device", found[alice.device]["algorithms"], keys["algorithms"])
    checks.equal("whoever has none has none", query(bob, {bob.user: []})["device_keys"], {bob.user: {}})
    answer = alice.post(path("keys", "query"), {"device_keys": {bob.user: {"device_id1": True}}})
    checks.equal("devices are a list", (answer.status, answer.errcode), (400, "M_BAD_JSON"))


def claims(server, checks):
    alice, bob = server.register(), server.register()
    upload(alice, device_keys=device_keys(alice))
    for name in ("0", "1", "2"):
        keys = one_time(name)
        upload(alice, one_time_keys=keys)
        again = upload(alice, one_time_keys=keys)
        checks.equal(f"the same key again is no change: {name}", (again.status, again["one_time_key_counts"]["signed_curve25519"]), (200, int(name) + 1))
    answer = upload(alice, one_time_keys=one_time("0"))
    checks.equal("another one of that name is refused", answer.status, 400)
    for name in ("0", "1", "2"):
        found = claim(bob, alice.user, alice.device)
        checks.equal("the oldest is claimed", list(found[alice.user][alice.device]), [f"signed_curve25519:{name}"])
    checks.equal("then there is none", claim(bob, alice.user, alice.device), {})
    fallback = one_time("back")
    upload(alice, fallback_keys={name: {**value, "fallback": True} for name, value in fallback.items()})
    checks.equal("an unused one to fall back on", alice.sync()["device_unused_fallback_key_types"], ["signed_curve25519"])
    for _ in range(2):
        checks.equal("is given again and again", list(claim(bob, alice.user, alice.device)[alice.user][alice.device]), list(fallback))
    overlap(server, checks)


def overlap(server, checks):
    """Keys that are partly there already: the others are taken."""
    alice = server.register()
    first, second, third = one_time("0"), one_time("1"), one_time("2")
    upload(alice, device_keys=device_keys(alice), one_time_keys={**first, **second})
    answer = upload(alice, one_time_keys={**second, **third})
    checks.equal("keys that overlap", (answer.status, answer["one_time_key_counts"]["signed_curve25519"]), (200, 3))


def changed(answer, user):
    return user in answer.get("device_lists", {}).get("changed", [])


def gone(answer, user):
    return user in answer.get("device_lists", {}).get("left", [])


def changes(client, since, until):
    return client.ok("GET", f"{V3}/keys/changes?from={since}&to={until}")


def device_lists(server, checks):
    """Who shares a room is told of each other's devices."""
    alice, bob = server.register(), server.register()
    for who in (alice, bob):
        upload(who, device_keys=device_keys(who))
    room = alice.create_room(preset="public_chat")
    since = alice.sync()["next_batch"]
    own = bob.sync()["next_batch"]
    bob.join(room)
    for name, client, token, other in (("another joins", alice, since, bob), ("one joins", bob, own, alice)):
        answer = client.sync_until(lambda a: changed(a, other.user), token)
        checks.that(name, changed(answer, other.user), answer.get("device_lists"))
        checks.that(f"{name}, asked for", other.user in changes(client, token, answer["next_batch"])["changed"])
        checks.that(f"{name}: the keys are there", other.device in query(client, {other.user: []})["device_keys"][other.user])
    steps = {
        "a login": lambda: later.append(server.login(bob.user, device_id="SECOND")),
        "its keys": lambda: upload(later[0], device_keys=device_keys(later[0])),
        "its name": lambda: bob.ok("PUT", path("devices", "SECOND"), {"display_name": "new"}),
        "its end": lambda: later[0].ok("POST", path("logout")),
    }
    later = []
    for name, step in steps.items():
        since, own = alice.sync()["next_batch"], bob.sync()["next_batch"]
        step()
        answer = alice.sync_until(lambda a: changed(a, bob.user), since)
        checks.that(f"{name} is a change", changed(answer, bob.user), answer.get("device_lists"))
        checks.that(f"{name}, asked for", bob.user in changes(alice, since, answer["next_batch"])["changed"])
        checks.that(f"{name}, to oneself", changed(bob.sync_until(lambda a: changed(a, bob.user), own), bob.user))
    leaving(server, checks, alice, bob, room)


def leaving(server, checks, alice, bob, room):
    lazy = '{"room":{"state":{"lazy_load_members":true}}}'
    since, own = alice.sync(filter=lazy)["next_batch"], bob.sync()["next_batch"]
    bob.leave(room)
    for name, client, token, other in (("another leaves", alice, since, bob), ("one leaves", bob, own, alice)):
        answer = client.sync_until(lambda a: gone(a, other.user), token, filter=lazy)
        checks.that(name, gone(answer, other.user), answer.get("device_lists"))
        checks.that(f"{name}, asked for", other.user in changes(client, token, answer["next_batch"])["left"])
        if client is alice:
            since = answer["next_batch"]
    again = server.login(bob.user, device_id="THIRD")
    upload(again, device_keys=device_keys(again))
    mark = alice.say(room, "mark")
    answer = alice.sync_until(lambda a: mark in str(a), since)
    checks.that("what they do then is not told", not changed(answer, bob.user), answer.get("device_lists"))
    bob.join(room)
    answer = alice.sync_until(lambda a: changed(a, bob.user), answer["next_batch"])
    checks.that("until they come back", changed(answer, bob.user), answer.get("device_lists"))
    checks.that("asked for as well", bob.user in changes(alice, since, answer["next_batch"])["changed"])


def new_login(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = alice.sync()["next_batch"]
    bob.ok("PUT", path("profile", bob.user, "displayname"), {"displayname": "x"})
    again = server.login(bob.user)
    keys = device_keys(again)
    upload(again, device_keys=keys)
    answer = alice.sync_until(lambda a: changed(a, bob.user), since)
    checks.that("a new login is told", changed(answer, bob.user), answer)
    checks.equal("with its keys", query(alice, {bob.user: []})["device_keys"][bob.user][again.device]["keys"], keys["keys"])


def signing_keys(user):
    made = {}
    for usage in ("master", "self_signing", "user_signing"):
        public = key()
        made[f"{usage}_key"] = {"user_id": user, "usage": [usage], "keys": {f"ed25519:{public}": public}}
    return made


def cross_signing(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    upload(alice, device_keys=device_keys(alice))
    target = path("keys", "device_signing", "upload")
    keys = only_master(alice.user)
    since = bob.sync()["next_batch"]
    answer = alice.post(target, {"self_signing_key": signing_keys(alice.user)["self_signing_key"]})
    checks.that("no other key before the master key", answer.status in (400, 401), answer)
    answer = alice.post(target, keys)
    checks.equal("the first is uploaded without a proof", answer.status, 200)
    answer = bob.sync_until(lambda a: changed(a, alice.user), since)
    checks.that("which others are told", changed(answer, alice.user), answer.get("device_lists"))
    found = query(bob, {alice.user: []})
    checks.equal("and query", found["master_keys"][alice.user]["keys"], keys["master_key"]["keys"])
    checks.equal("the same again needs none", alice.post(target, keys).status, 200)
    other = only_master(alice.user)
    answer = alice.post(target, other)
    checks.that("another one does", answer.status == 401 and answer["flows"], answer)
    checks.equal("the first is still there", query(bob, {alice.user: []})["master_keys"][alice.user]["keys"], keys["master_key"]["keys"])
    proof = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": PASSWORD, "session": answer["session"]}
    since = bob.sync()["next_batch"]
    answer = alice.post(target, {**other, "auth": proof})
    checks.equal("and is taken with it", answer.status, 200)
    checks.that("which others are told as well", changed(bob.sync_until(lambda a: changed(a, alice.user), since), alice.user))


def only_master(user):
    return {"master_key": signing_keys(user)["master_key"]}


def backup_keys(client, version, room, session, **data):
    body = {"first_message_index": 1, "forwarded_count": 0, "is_verified": False, "session_data": {"a": "b"}, **data}
    return client.put(path("room_keys", "keys", room, session) + f"?version={version}", body)


def new_version(client):
    return client.ok("POST", path("room_keys", "version"), {"algorithm": "m.megolm_backup.v1", "auth_data": {"some_data": secrets.token_hex(3)}})["version"]


def backups(server, checks):
    alice = server.register()
    room = "!room:example.org"
    first = new_version(alice)
    found = alice.ok("GET", path("room_keys", "version"))
    checks.equal("a version is made", (found["version"], found["algorithm"], found["count"]), (first, "m.megolm_backup.v1", 0))
    body = {"algorithm": "m.megolm_backup.v1", "auth_data": {"other": "data"}, "version": first}
    alice.ok("PUT", path("room_keys", "version", first), body)
    checks.equal("and changed", alice.ok("GET", path("room_keys", "version", first))["auth_data"], {"other": "data"})
    checks.equal("with nothing in it", alice.ok("GET", path("room_keys", "keys") + f"?version={first}"), {"rooms": {}})
    checks.equal("nor of a room", alice.ok("GET", path("room_keys", "keys", room) + f"?version={first}"), {"sessions": {}})
    checks.equal("or a session", alice.get(path("room_keys", "keys", room, "s") + f"?version={first}").errcode, "M_NOT_FOUND")
    answer = backup_keys(alice, first, room, "s")
    checks.that("a key is kept and counted", answer.status == 200 and answer["count"] == 1 and answer["etag"], answer)
    found = alice.ok("GET", path("room_keys", "keys", room, "s") + f"?version={first}")
    checks.equal("and given back", (found["first_message_index"], found["session_data"]), (1, {"a": "b"}))
    second = new_version(alice)
    answer = backup_keys(alice, first, room, "s")
    checks.that("none is kept in an old version", answer.status == 403 and answer.errcode == "M_WRONG_ROOM_KEYS_VERSION" and answer["current_version"], answer)
    alice.ok("DELETE", path("room_keys", "version", second))
    checks.equal("a version is deleted", alice.get(path("room_keys", "version", second)).status, 404)
    third = new_version(alice)
    checks.equal("the next is empty", alice.ok("GET", path("room_keys", "keys") + f"?version={third}"), {"rooms": {}})
    for _ in range(10):
        newest = new_version(alice)
    checks.equal("of more than ten the newest is the newest", alice.ok("GET", path("room_keys", "version"))["version"], newest)


def better_keys(server, checks):
    """Of two keys of a session the verified one is kept, then the one with the lower index, then the one that was forwarded less."""
    alice = server.register()
    version = new_version(alice)
    given = {"first_message_index": 10, "forwarded_count": 5, "is_verified": False}
    cases = [
        ({"is_verified": True}, True), ({"first_message_index": 9}, True), ({"forwarded_count": 4}, True),
        ({"first_message_index": 11}, False), ({"forwarded_count": 6}, False),
        ({"is_verified": True, "first_message_index": 12, "forwarded_count": 9}, True)]
    for number, (difference, wins) in enumerate(cases):
        room, session = f"!r{number}:example.org", f"s{number}"
        backup_keys(alice, version, room, session, **given)
        backup_keys(alice, version, room, session, **{**given, **difference})
        found = alice.ok("GET", path("room_keys", "keys", room, session) + f"?version={version}")
        wanted = {**given, **difference} if wins else given
        checks.equal(f"{difference} {'wins' if wins else 'loses'}", {name: found[name] for name in given}, wanted)


def to_device(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    second = server.login(bob.user)
    events = lambda a: [e["content"] for e in a.get("to_device", {}).get("events", []) if e["type"] == "my.test.type"]
    send = lambda messages, transaction: alice.ok("PUT", path("sendToDevice", "my.test.type", transaction), {"messages": messages})
    since = {who: who.sync()["next_batch"] for who in (bob, second, carol)}
    send({bob.user: {bob.device: {"n": 1}}, carol.user: {carol.device: {"n": 2}}}, "1")
    for who, wanted in ((bob, {"n": 1}), (carol, {"n": 2})):
        answer = who.sync_until(events, since[who])
        checks.equal("a message arrives", events(answer), [wanted])
        sender = [e["sender"] for e in answer["to_device"]["events"]]
        checks.equal("with who sent it", sender, [alice.user])
        checks.equal("again until it is acknowledged", events(who.sync(since[who])), [wanted])
        since[who] = answer["next_batch"]
        checks.equal("and then no more", events(who.sync(since[who])), [])
    checks.equal("not on another device", events(second.sync(since[second])), [])
    send({bob.user: {bob.device: {"n": 3}}}, "2")
    send({bob.user: {bob.device: {"n": 3}}}, "2")
    answer = bob.sync_until(events, since[bob])
    since[bob] = answer["next_batch"]
    checks.equal("a transaction is done once", events(answer) + events(bob.sync(since[bob])), [{"n": 3}])
    send({bob.user: {"*": {"n": 4}}}, "3")
    for who in (bob, second):
        checks.equal("to all devices", events(who.sync_until(events, since[who])), [{"n": 4}])


if __name__ == "__main__":
    all_of(uploads, claims, device_lists, new_login, cross_signing, backups, better_keys, to_device)
