#!/usr/bin/env python3
"""Keys of devices and users: uploaded, queried, claimed once, signed; who has to look again, and who has left.

usage: keys.py CLUSTER_FOLDER
"""

import sys
import threading

from harness import Checks, Server, at_once, path
from keymaking import CrossSigning, Device, Key

UPLOAD, QUERY, CLAIM = path("keys", "upload"), path("keys", "query"), path("keys", "claim")
CROSS_SIGNING, SIGNATURES = path("keys", "device_signing", "upload"), path("keys", "signatures", "upload")
ALGORITHM = "signed_curve25519"


def equipped(server, one_time=0, name=None):
    """Registers a user whose device has keys; answers session and keys."""
    user = server.register(name)
    device = Device(user.user, user.device)
    user.ok("POST", UPLOAD, {"device_keys": device.identity(), "one_time_keys": device.one_time(one_time)})
    return user, device


def another_session(server, user, device):
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user.user}, "password": user.password}
    made = server.anonymous().ok("POST", path("login"), {**body, "device_id": device}, token=None)
    other = user.at(user.address)
    other.token, other.device = made["access_token"], device
    return other


def query(client, *users):
    return client.ok("POST", QUERY, {"device_keys": {user: [] for user in users}})


def claim(client, user, device, algorithm=ALGORITHM):
    answer = client.ok("POST", CLAIM, {"one_time_keys": {user: {device: algorithm}}})
    return list(answer["one_time_keys"].get(user, {}).get(device, {}))


def confirmation(user, session=None):
    identifier = {"type": "m.id.user", "user": user.user}
    auth = {"type": "m.login.password", "identifier": identifier, "password": user.password}
    return {"auth": {**auth, "session": session} if session else auth}


def uploads(server, checks):
    alice = server.register()
    device = Device(alice.user, alice.device)
    identity = device.identity()
    answer = alice.post(UPLOAD, {"device_keys": identity, "one_time_keys": device.one_time(3)})
    checks.equal("upload: the keys left are counted", answer.json, {"one_time_key_counts": {ALGORITHM: 3}})
    checks.equal("upload: nothing is answered with the counts", alice.post(UPLOAD, {}).json, answer.json)
    for label, change in {"user": {"user_id": "@other:localhost"}, "device": {"device_id": "OTHER"}}.items():
        refused = alice.post(UPLOAD, {"device_keys": {**identity, **change}})
        checks.equal(f"upload: keys of another {label} are refused", (refused.status, refused.errcode), (400, "M_BAD_JSON"))
    keys = device.one_time(1)
    name, key = next(iter(keys.items()))
    alice.ok("POST", UPLOAD, {"one_time_keys": keys})
    again = alice.post(UPLOAD, {"one_time_keys": {name: {**key, "signatures": {alice.user: {"ed25519:X": "b3RoZXI"}}}}})
    checks.equal("upload: the same key again changes nothing", (again.status, again.json), (200, {"one_time_key_counts": {ALGORITHM: 4}}))
    other = alice.post(UPLOAD, {"one_time_keys": {name: {**key, "key": "another"}}})
    checks.equal("upload: another key of that name is refused", (other.status, other.errcode), (400, "M_UNKNOWN"))
    for label, body in {
        "name without algorithm": {"one_time_keys": {"name": key}},
        "name with NUL": {"one_time_keys": {"signed_curve25519:\0": key}},
        "algorithm with NUL": {"fallback_keys": {"\0:a": key}},
        "name too long": {"one_time_keys": {f"{ALGORITHM}:{'x' * 3000}": key}},
        "key without signatures": {"one_time_keys": {"signed_curve25519:a": {"key": "x"}}},
        "key that is a number": {"one_time_keys": {"signed_curve25519:a": 5}},
        "keys in a list": {"one_time_keys": []},
        "keys that are no strings": {"device_keys": {**identity, "keys": {"a": 1}}},
        "fallback that is no boolean": {"fallback_keys": {"signed_curve25519:a": {**key, "fallback": "yes"}}},
    }.items():
        refused = alice.post(UPLOAD, body)
        checks.equal(f"upload: {label} is refused", (refused.status, refused.errcode), (400, "M_BAD_JSON"))
    refused = alice.post(UPLOAD, {"device_keys": None})
    checks.equal("upload: no device keys are refused", (refused.status, refused.errcode), (400, "M_INVALID_PARAM"))
    refused = alice.post(UPLOAD, {"device_keys": {part: identity[part] for part in identity if part != "keys"}})
    checks.equal("upload: device keys without keys are refused", (refused.status, refused.errcode), (400, "M_MISSING_PARAM"))
    many = alice.post(UPLOAD, {"one_time_keys": device.one_time(500)})
    checks.equal("upload: more than 500 keys are refused", (many.status, many.errcode), (400, "M_TOO_LARGE"))
    algorithms = {f"algorithm{number}:a": key for number in range(30)}
    refused = alice.post(UPLOAD, {"one_time_keys": algorithms})
    checks.equal("upload: too many algorithms are refused", (refused.status, refused.errcode), (400, "M_TOO_LARGE"))
    checks.equal("upload: what was refused left nothing", alice.post(UPLOAD, {}).json, {"one_time_key_counts": {ALGORITHM: 4}})
    large = alice.post(UPLOAD, {"one_time_keys": {"signed_curve25519:a": {**key, "key": "x" * 10_000}}})
    checks.equal("upload: a huge key is refused", (large.status, large.errcode), (400, "M_TOO_LARGE"))
    found = alice.sync()["device_one_time_keys_count"]
    checks.equal("sync: shows how many keys are left", found, {ALGORITHM: 4})


def queries(server, checks):
    alice, device = equipped(server)
    bob = server.register()
    laptop = another_session(server, alice, "LAPTOP")
    keys = Device(alice.user, "LAPTOP")
    laptop.ok("POST", UPLOAD, {"device_keys": keys.identity()})
    laptop.ok("PUT", path("devices", "LAPTOP"), {"display_name": "Läptop"})
    answer = query(bob, alice.user, "@nobody:" + server.name)
    found = answer["device_keys"]
    checks.equal("query: names the devices with keys", set(found[alice.user]), {alice.device, "LAPTOP"})
    checks.equal("query: a user who does not exist has none", found["@nobody:" + server.name], {})
    wanted = {**keys.identity_keys, "unsigned": {"device_display_name": "Läptop"}}
    checks.equal("query: keys come as they went, with the name", found[alice.user]["LAPTOP"], wanted)
    checks.equal("query: nobody else failed", answer["failures"], {})
    for member in ("master_keys", "self_signing_keys", "user_signing_keys"):
        checks.equal(f"query: there are no {member}", answer[member], {})
    one = bob.ok("POST", QUERY, {"device_keys": {alice.user: ["LAPTOP", "NONE", "\0"]}})["device_keys"]
    checks.equal("query: of one device", set(one[alice.user]), {"LAPTOP"})
    strange = bob.ok("POST", QUERY, {"device_keys": {"nobody": [], "@a\0:b": []}})
    checks.equal("query: users that cannot be are passed over", strange["device_keys"], {})
    far = bob.ok("POST", QUERY, {"device_keys": {"@far:elsewhere.example": []}}, timeout=60)
    checks.equal("query: a server that is not there fails", list(far["failures"]), ["elsewhere.example"])
    for label, body in {"nothing": {}, "a list": {"device_keys": []}, "a device": {"device_keys": {alice.user: "A"}},
                        "a number": {"device_keys": {alice.user: [1]}}}.items():
        refused = bob.post(QUERY, body)
        checks.equal(f"query: {label} is refused", (refused.status, refused.errcode), (400, "M_BAD_JSON"))
    laptop.ok("PUT", path("devices", "LAPTOP"), {"display_name": "Other"})
    for address in server.workers:
        name = query(bob.at(address), alice.user)["device_keys"][alice.user]["LAPTOP"]["unsigned"]
        checks.equal("query: a new name is seen by every process", name, {"device_display_name": "Other"})
    laptop.ok("POST", path("logout"))
    for address in server.workers:
        found = query(bob.at(address), alice.user)["device_keys"][alice.user]
        checks.equal("query: a device that logged out is gone for every process", set(found), {alice.device})
    laptop = another_session(server, alice, "LAPTOP")
    checks.equal("query: nor does it come back with the next session", set(query(bob, alice.user)["device_keys"][alice.user]), {alice.device})


def claims(server, checks):
    alice, device = equipped(server, one_time=3)
    bob = server.register()
    checks.equal("fallback: none is unused", alice.sync()["device_unused_fallback_key_types"], [])
    fallback = device.fallback()
    alice.ok("POST", UPLOAD, {"fallback_keys": fallback})
    checks.equal("fallback: one is unused", alice.sync()["device_unused_fallback_key_types"], [ALGORITHM])
    names = [claim(bob, alice.user, alice.device) for _ in range(5)]
    oldest = [[f"{ALGORITHM}:K{number:05}"] for number in (1, 2, 3)]
    checks.equal("claim: the oldest first, then the fallback key", names, oldest + [[f"{ALGORITHM}:F1"]] * 2)
    synced = alice.sync()
    checks.equal("sync: no key is left", synced["device_one_time_keys_count"], {ALGORITHM: 0})
    checks.equal("sync: the fallback key is used", synced["device_unused_fallback_key_types"], [])
    alice.ok("POST", UPLOAD, {"fallback_keys": fallback})
    checks.equal("fallback: the same key again stays used", alice.sync()["device_unused_fallback_key_types"], [])
    alice.ok("POST", UPLOAD, {"fallback_keys": device.fallback("F2")})
    checks.equal("fallback: a new one is unused", alice.sync()["device_unused_fallback_key_types"], [ALGORITHM])
    checks.equal("fallback: and takes the place of the old one", claim(bob, alice.user, alice.device), [f"{ALGORITHM}:F2"])
    alice.ok("POST", UPLOAD, {"one_time_keys": device.one_time(1)})
    last = f"{ALGORITHM}:K{device.made:05}"
    checks.equal("claim: one-time keys go before the fallback key", claim(bob, alice.user, alice.device), [last])
    checks.equal("claim: of an unknown algorithm", claim(bob, alice.user, alice.device, "none"), [])
    checks.equal("claim: of an unknown device", claim(bob, alice.user, "NONE"), [])
    checks.equal("claim: with NUL", claim(bob, alice.user, "\0", "\0"), [])
    far = bob.ok("POST", CLAIM, {"one_time_keys": {"@far:elsewhere.example": {"A": ALGORITHM}}})
    checks.equal("claim: a server that is not there fails", list(far["failures"]), ["elsewhere.example"])
    for label, body, code in (("an array", {"one_time_keys": []}, "M_BAD_JSON"), ("no user", {"one_time_keys": {"a": {}}}, "M_INVALID_PARAM"),
                              ("a number", {"one_time_keys": {alice.user: {"A": 1}}}, "M_BAD_JSON")):
        refused = bob.post(CLAIM, body)
        checks.equal(f"claim: {label} is refused", (refused.status, refused.errcode), (400, code))


def sixteen_claimers(server, checks):
    """No key goes to two, whichever processes are asked at once."""
    alice, device = equipped(server, one_time=200)
    alice.ok("POST", UPLOAD, {"fallback_keys": device.fallback()})
    taken, lock = [], threading.Lock()
    addresses = server.workers

    def work(number):
        client = server.register().at(addresses[number % len(addresses)])
        for _ in range(15):
            mine = claim(client, alice.user, alice.device)
            with lock:
                taken.extend(mine)

    at_once(16, work)
    one_time = [name for name in taken if not name.endswith(":F1")]
    checks.equal("16 claimers: every claim got a key", len(taken), 240)
    checks.equal("16 claimers: every one-time key was handed out", len(one_time), 200)
    checks.equal("16 claimers: none of them twice", len(set(one_time)), 200)


def upload_cross_signing(user):
    keys = CrossSigning(user.user)
    user.ok("POST", CROSS_SIGNING, keys.upload())
    return keys


def cross_signing(server, checks):
    alice, _ = equipped(server)
    bob = server.register()
    keys = CrossSigning(alice.user)
    body = keys.upload()
    checks.equal("cross-signing: the first keys need no password", alice.post(CROSS_SIGNING, body).status, 200)
    checks.equal("cross-signing: nor the same keys again", alice.post(CROSS_SIGNING, body).status, 200)
    checks.equal("cross-signing: nor none", alice.post(CROSS_SIGNING, {}).status, 200)
    mine, theirs = query(alice, alice.user), query(bob, alice.user)
    for member, name in (("master_keys", "master_key"), ("self_signing_keys", "self_signing_key")):
        checks.equal(f"cross-signing: others see {member}", theirs[member], {alice.user: body[name]})
        checks.equal(f"cross-signing: the owner sees {member}", mine[member], {alice.user: body[name]})
    checks.equal("cross-signing: the owner sees the user-signing key", mine["user_signing_keys"], {alice.user: body["user_signing_key"]})
    checks.equal("cross-signing: nobody else does", theirs["user_signing_keys"], {})
    hidden = [device["device_id"] for device in alice.ok("GET", path("devices"))["devices"]]
    checks.equal("cross-signing: keys are no devices", hidden, [alice.device])
    other = CrossSigning(alice.user)
    asked = alice.post(CROSS_SIGNING, other.upload())
    checks.equal("cross-signing: other keys need the password", (asked.status, asked["flows"]), (401, [{"stages": ["m.login.password"]}]))
    wrong = confirmation(alice, asked["session"])
    wrong["auth"]["password"] = "wrong"
    refused = alice.post(CROSS_SIGNING, {**other.upload(), **wrong})
    checks.equal("cross-signing: not a wrong one", (refused.status, refused.errcode), (401, "M_FORBIDDEN"))
    checks.equal("cross-signing: nothing has changed", query(bob, alice.user)["master_keys"], {alice.user: body["master_key"]})
    body = other.upload()
    accepted = alice.post(CROSS_SIGNING, {**body, **confirmation(alice, asked["session"])})
    checks.equal("cross-signing: with it they are replaced", accepted.status, 200)
    for address in server.workers:
        found = query(bob.at(address), alice.user)
        checks.equal("cross-signing: for every process", found["master_keys"], {alice.user: body["master_key"]})
    mallory = server.register()
    keys = CrossSigning(mallory.user)
    good = keys.upload()
    for label, change, code in (
        ("another user's key", {"master_key": CrossSigning(alice.user).upload()["master_key"]}, (400, "M_INVALID_PARAM")),
        ("a key for something else", {"master_key": {**good["master_key"], "usage": ["other"]}}, (400, "M_INVALID_PARAM")),
        ("a key without keys", {"master_key": {**good["master_key"], "keys": {}}}, (400, "M_INVALID_PARAM")),
        ("a key with a strange name", {"master_key": {**good["master_key"], "keys": {"ed25519:a": "b"}}}, (400, "M_INVALID_PARAM")),
        ("a key that is no object", {"master_key": 5}, (400, "M_INVALID_PARAM")),
        ("no master key", {"master_key": None}, (400, "M_INVALID_PARAM")),
        ("a signature of another key", {"self_signing_key": CrossSigning(mallory.user).upload()["self_signing_key"]}, (400, "M_INVALID_SIGNATURE")),
    ):
        refused = mallory.post(CROSS_SIGNING, {**good, **change})
        checks.equal(f"cross-signing: {label} is refused", (refused.status, refused.errcode), code)
    del good["master_key"]
    refused = mallory.post(CROSS_SIGNING, good)
    checks.equal("cross-signing: without a master key is refused", (refused.status, refused.errcode), (400, "M_MISSING_PARAM"))
    name = keys.master.public
    another_session(server, mallory, name)
    refused = mallory.post(CROSS_SIGNING, keys.upload())
    checks.equal("cross-signing: a key with a device's name is refused", (refused.status, refused.errcode), (403, "M_FORBIDDEN"))
    keys.user_signing = keys.self_signing = Key()
    refused = mallory.post(CROSS_SIGNING, keys.upload())
    checks.equal("cross-signing: one key for two uses is refused", refused.status, 403)


def first_uploads_meet(server, checks):
    alice = server.register()
    bodies = [CrossSigning(alice.user).upload() for _ in range(8)]
    addresses = server.workers
    answers = at_once(8, lambda number: alice.at(addresses[number % len(addresses)]).post(CROSS_SIGNING, bodies[number]))
    statuses = sorted(answer.status for answer in answers)
    checks.equal("cross-signing: of eight first uploads at once one needs no password", statuses, [200] + [401] * 7)


def sign(key, value, user, name=None):
    """A copy of an object with nothing but this key's signature."""
    return key.sign({part: value[part] for part in value if part not in ("signatures", "unsigned")}, user, name)


def signatures(server, checks):
    alice, device = equipped(server)
    bob, bobs_device = equipped(server)
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    carol = server.register()
    nothing = alice.post(SIGNATURES, {alice.user: {alice.device: device.identity_keys}})
    failure = nothing["failures"][alice.user][alice.device]
    checks.equal("signatures: without keys there is nothing to sign with", (failure["status"], failure["errcode"]), (404, "M_NOT_FOUND"))
    keys, bobs = upload_cross_signing(alice), upload_cross_signing(bob)
    before = {user: user.sync()["next_batch"] for user in (alice, bob)}
    mine = sign(keys.self_signing, device.identity_keys, alice.user)
    answer = alice.ok("POST", SIGNATURES, {alice.user: {alice.device: mine}})
    checks.equal("signatures: of the own device", answer, {"failures": {}})
    for client, address in [(c, a) for c in (alice, bob, carol) for a in server.workers]:
        found = query(client.at(address), alice.user)["device_keys"][alice.user][alice.device]["signatures"][alice.user]
        wanted = {**device.identity_keys["signatures"][alice.user], **mine["signatures"][alice.user]}
        checks.equal("signatures: everybody sees it beside the device's own", found, wanted)
    for user in (alice, bob):
        news = user.sync_until(lambda answer: answer.get("device_lists", {}).get("changed"), before[user])
        checks.equal("signatures: whoever shares a room looks again", news["device_lists"]["changed"], [alice.user])
        before[user] = news["next_batch"]
    master = query(alice, alice.user)["master_keys"][alice.user]
    by_device = sign(device.key, master, alice.user, alice.device)
    alice.ok("POST", SIGNATURES, {alice.user: {keys.master.public: by_device}})
    found = query(alice, alice.user)["master_keys"][alice.user].get("signatures")
    checks.equal("signatures: of the master key by a device", found, by_device["signatures"])
    checks.equal("signatures: which others do not see", query(bob, alice.user)["master_keys"][alice.user].get("signatures"), None)
    theirs = query(alice, bob.user)["master_keys"][bob.user]
    mine = sign(keys.user_signing, theirs, alice.user)
    before[alice] = alice.sync(before[alice])["next_batch"]
    before[bob] = bob.sync(before[bob])["next_batch"]
    answer = alice.ok("POST", SIGNATURES, {bob.user: {bobs.master.public: mine}})
    checks.equal("signatures: of another user", answer, {"failures": {}})
    for address in server.workers:
        found = query(alice.at(address), bob.user)["master_keys"][bob.user].get("signatures")
        checks.equal("signatures: who made it sees it", found, mine["signatures"])
    checks.equal("signatures: nobody else does, not even the other", query(bob, bob.user)["master_keys"][bob.user].get("signatures"), None)
    news = alice.sync_until(lambda answer: answer.get("device_lists", {}).get("changed"), before[alice])
    checks.equal("signatures: the own devices look again", news["device_lists"]["changed"], [bob.user])
    checks.equal("signatures: those of the other do not", bob.sync(before[bob]).get("device_lists", {}).get("changed", []), [])
    refusals(checks, alice, device, keys, bob, bobs, bobs_device)


def refusals(checks, alice, device, keys, bob, bobs, bobs_device):
    """What may not be signed, or is not signed."""
    theirs = query(alice, bob.user)["master_keys"][bob.user]
    master = query(alice, alice.user)["master_keys"][alice.user]
    laptop = {**device.identity_keys, "device_id": "OTHER"}
    for label, user, name, value, wanted in (
        ("a device that is not there", alice.user, "NONE", sign(keys.self_signing, device.identity_keys, alice.user), (404, "M_NOT_FOUND")),
        ("other keys than the device has", alice.user, alice.device, sign(keys.self_signing, laptop, alice.user), (400, "M_UNKNOWN")),
        ("a device by the wrong key", alice.user, alice.device, sign(keys.user_signing, device.identity_keys, alice.user), (400, "M_INVALID_SIGNATURE")),
        ("a device without a signature", alice.user, alice.device, {"user_id": alice.user}, (400, "M_INVALID_SIGNATURE")),
        ("the master key by a device that is not there", alice.user, keys.master.public, sign(Key(), master, alice.user, "NONE"), (400, "M_INVALID_SIGNATURE")),
        ("the master key badly", alice.user, keys.master.public, sign(Key(), master, alice.user, alice.device), (400, "M_INVALID_SIGNATURE")),
        ("another's master key badly", bob.user, bobs.master.public, sign(Key(), theirs, alice.user, keys.user_signing.public), (400, "M_INVALID_SIGNATURE")),
        ("another's device", bob.user, bob.device, sign(keys.user_signing, bobs_device.identity_keys, alice.user), (404, "M_NOT_FOUND")),
        ("somebody without keys", "@nobody:" + bob.user.split(":", 1)[1], "X", sign(keys.user_signing, theirs, alice.user), (404, "M_NOT_FOUND")),
    ):
        if label == "a device by the wrong key":
            value["signatures"][alice.user] = {f"ed25519:{keys.self_signing.public}": next(iter(value["signatures"][alice.user].values()))}
        answer = alice.ok("POST", SIGNATURES, {user: {name: value}})
        failure = answer["failures"].get(user, {}).get(name, {})
        checks.equal(f"signatures: {label}", (failure.get("status"), failure.get("errcode")), wanted)
    for label, body in {"a list": {alice.user: []}, "a number": {alice.user: {"A": 1}}}.items():
        refused = alice.post(SIGNATURES, body)
        checks.equal(f"signatures: {label} is refused", (refused.status, refused.errcode), (400, "M_INVALID_PARAM"))


def lists(client, since, condition=lambda lists: lists.get("changed") or lists.get("left")):
    answer = client.sync_until(lambda answer: condition(answer.get("device_lists", {})), since)
    found = answer.get("device_lists", {})
    return set(found.get("changed", [])), set(found.get("left", [])), answer["next_batch"]


def changes_since(client, since):
    answer = client.ok("GET", f"{path('keys', 'changes')}?from={since}&to={since}")
    return set(answer["changed"]), set(answer["left"])


def device_lists(server, checks):
    alice, bob, carol = (equipped(server)[0] for _ in range(3))
    room = alice.create_room(preset="public_chat")
    start = alice.sync()
    checks.that("lists: a first sync has none", "device_lists" not in start or not start["device_lists"].get("changed"))
    token = start["next_batch"]
    bob.join(room)
    changed, left, after = lists(alice, token)
    checks.equal("lists: who comes has to be looked at", (changed, left), ({bob.user}, set()))
    checks.equal("changes: name who came", changes_since(alice, token), ({bob.user}, set()))
    bobs_token = bob.sync()["next_batch"]
    carol.join(room)
    changed, _, _ = lists(bob, bobs_token)
    checks.equal("lists: each sees who comes", changed, {carol.user})
    _, _, token = lists(alice, after)
    another_session(server, bob, "NEW")
    changed, _, after = lists(alice, token)
    checks.equal("lists: a new session", changed, {bob.user})
    keys = Device(bob.user, "NEW")
    laptop = another_session(server, bob, "NEW")
    laptop.ok("POST", UPLOAD, {"device_keys": keys.identity()})
    changed, _, token = lists(alice, after)
    checks.equal("lists: new keys", changed, {bob.user})
    token = alice.sync(token)["next_batch"]
    laptop.ok("POST", UPLOAD, {"device_keys": keys.identity_keys, "one_time_keys": keys.one_time(1)})
    checks.equal("lists: the same keys again, and one-time keys, are no news", alice.sync(token).get("device_lists", {}).get("changed", []), [])
    upload_cross_signing(bob)
    changed, _, after = lists(alice, token)
    checks.equal("lists: new cross-signing keys", changed, {bob.user})
    laptop.ok("POST", path("logout"))
    changed, _, after = lists(alice, after)
    checks.equal("lists: a session that ends", changed, {bob.user})
    dora, _ = equipped(server)
    stranger = alice.sync(after)["next_batch"]
    another_session(server, dora, "DORA2")
    checks.equal("lists: strangers are no news", changes_since(alice, stranger), (set(), set()))
    second = alice.create_room(preset="public_chat")
    carol.join(second)
    token = alice.sync(stranger)["next_batch"]
    carol.leave(second)
    changed, left = changes_since(alice, token)
    checks.that("lists: who is in another room has not left", carol.user not in left, left)
    carol.leave(room)
    changed, left, after = lists(alice, token, lambda lists: lists.get("left"))
    checks.equal("lists: who shares no room any more has left", left, {carol.user})
    checks.equal("changes: name who left", changes_since(alice, token)[1], {carol.user})
    token = bob.sync()["next_batch"]
    bob.leave(room)
    _, left, _ = lists(bob, token, lambda lists: lists.get("left"))
    checks.equal("lists: who leaves follows nobody there any more", left, {alice.user})
    checks.equal("changes: say so as well", changes_since(bob, token)[1], {alice.user})
    token = alice.sync()["next_batch"]
    bob.join(room)
    bob.leave(room)
    checks.that("lists: who came and went is not followed", bob.user not in changes_since(alice, token)[0])
    token = dora.sync()["next_batch"]
    dora.join(room)
    changed, _, _ = lists(dora, token)
    checks.that("lists: who comes looks at all who are there", alice.user in changed, changed)
    alice.invite(room, carol.user)
    token = dora.sync()["next_batch"]
    eve = server.register()
    alice.invite(room, eve.user)
    changed, _, _ = lists(dora, token)
    checks.equal("lists: who is invited has to be looked at", changed, {eve.user})
    refused = alice.get(path("keys", "changes") + "?from=nonsense&to=x")
    checks.equal("changes: of a token that is none", (refused.status, refused.errcode), (400, "M_UNKNOWN"))
    refused = alice.get(path("keys", "changes"))
    checks.equal("changes: without a token", (refused.status, refused.errcode), (400, "M_MISSING_PARAM"))


def lists_with_gaps(server, checks):
    """A client that loads members lazily and gets a gap in the timeline learns who came all the same."""
    alice, bob = (equipped(server)[0] for _ in range(2))
    room = alice.create_room(preset="public_chat")
    options = {"filter": '{"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}}'}
    token = alice.sync(**options)["next_batch"]
    bob.join(room)
    for number in range(5):
        alice.say(room, str(number))
    answer = alice.sync_until(lambda answer: answer.get("device_lists", {}).get("changed"), token, **options)
    checks.equal("lists: who came within a gap", answer.get("device_lists", {}).get("changed"), [bob.user])
    token = alice.sync(answer["next_batch"], **options)["next_batch"]
    bob.leave(room)
    for number in range(5):
        alice.say(room, str(number))
    answer = alice.sync_until(lambda answer: answer.get("device_lists", {}).get("left"), token, **options)
    checks.equal("lists: who left within a gap", answer.get("device_lists", {}).get("left"), [bob.user])


def endings(server, checks):
    """What is left of the keys of devices and accounts that go."""
    alice, device = equipped(server, one_time=2)
    bob = server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    upload_cross_signing(alice)
    alice.ok("POST", UPLOAD, {"fallback_keys": device.fallback()})
    token = bob.sync()["next_batch"]
    alice.ok("POST", path("account", "deactivate"), {**confirmation(alice), "erase": False})
    changed, left, _ = lists(bob, token)
    checks.that("deactivation: others learn of it", alice.user in changed | left, (changed, left))
    checks.equal("deactivation: no device is left", query(bob, alice.user)["device_keys"][alice.user], {})
    checks.equal("deactivation: nor a key to claim", claim(bob, alice.user, alice.device), [])


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for part in (uploads, queries, claims, sixteen_claimers, cross_signing, first_uploads_meet, signatures, device_lists,
                 lists_with_gaps, endings):
        part(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
