"""Scenes of clients that encrypt: keys of devices and users, who claims them, who signs them, who has to look again."""

import sys
from pathlib import Path
from urllib.parse import quote

from parts.caller import Caller, person

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Behaviour"))

from keymaking import CrossSigning, Device, Key  # noqa: E402

ALGORITHM = "signed_curve25519"


def sign(key, value, user, name=None):
    """A copy of an object with nothing but this key's signature."""
    return key.sign({part: value[part] for part in value if part not in ("signatures", "unsigned")}, user, name)


class FixedDevice(Device):
    """Keys that are the same at every server, so that answers can be compared."""

    def __init__(self, user, device):
        super().__init__(user, device)
        self.key = Key(f"{user} {device}".encode().ljust(32))

    def identity(self):
        keys = {f"ed25519:{self.device}": self.key.public, f"curve25519:{self.device}": "Y3VydmUyNTUxOQ"}
        value = {"user_id": self.user, "device_id": self.device, "algorithms": ["m.megolm.v1.aes-sha2"], "keys": keys}
        self.identity_keys = self.key.sign(value, self.user, self.device)
        return self.identity_keys

    def one_time(self, count, prefix="K"):
        keys = {}
        for _ in range(count):
            self.made += 1
            signatures = {self.user: {f"ed25519:{self.device}": "c2ln"}}
            keys[f"{ALGORITHM}:{prefix}{self.made:05}"] = {"key": f"key{self.made}", "signatures": signatures}
        return keys


def fixed_cross_signing(user, word):
    keys = CrossSigning(user)
    keys.master, keys.self_signing, keys.user_signing = (
        Key(f"{user} {word} {use}".encode().ljust(32)) for use in ("master", "self", "user"))
    return keys


def device_of(caller):
    return caller.get("", "account/whoami", record=False)["device_id"]


def device_keys(recorder):
    anna, bert = person(recorder, "annakeys"), person(recorder, "bertkeys")
    name = device_of(anna)
    device = FixedDevice(anna.user, name)
    identity = device.identity()

    def upload(label, body):
        return anna.post(label, "keys/upload", body)

    def query(label, users, caller=bert):
        return caller.post(label, "keys/query", {"device_keys": users})

    def claim(label, user, algorithm=ALGORITHM, which=name):
        return bert.post(label, "keys/claim", {"one_time_keys": {user: {which: algorithm}}})

    upload("nothing", {})
    query("nobody has keys", {anna.user: [], bert.user: [], "@nobody:localhost": [], "nonsense": []})
    upload("keys of another user", {"device_keys": {**identity, "user_id": bert.user}})
    upload("keys of another device", {"device_keys": {**identity, "device_id": "OTHER"}})
    for label, body in {
        "null": {"device_keys": None},
        "a list": {"device_keys": []},
        "without keys": {"device_keys": {part: identity[part] for part in identity if part != "keys"}},
        "empty": {"device_keys": {}},
        "keys that are numbers": {"device_keys": {**identity, "keys": {"a": 1}}},
        "algorithms that are numbers": {"device_keys": {**identity, "algorithms": [1]}},
        "signatures in a list": {"device_keys": {**identity, "signatures": []}},
        "one-time keys in a list": {"one_time_keys": []},
        "one-time keys null": {"one_time_keys": None},
        "one-time key without algorithm": {"one_time_keys": {"a": "b"}},
        "one-time key with two colons": {"one_time_keys": {"a:b:c": "b"}},
        "one-time key that is a number": {"one_time_keys": {"a:b": 5}},
        "one-time key without signatures": {"one_time_keys": {"a:b": {"key": "x"}}},
        "one-time key without key": {"one_time_keys": {"a:b": {"signatures": {}}}},
        "fallback key that says it with a number": {"fallback_keys": {"a:b": {"key": "x", "signatures": {}, "fallback": 1}}},
        "fallback key without algorithm": {"fallback_keys": {"a": "b"}},
    }.items():
        upload(label, body)
    upload("whole", {"device_keys": {**identity, "more": [1, {"a": None}]}, "one_time_keys": device.one_time(2)})
    query("of all devices", {anna.user: []})
    query("of one", {anna.user: [name]})
    query("of one that is not there", {anna.user: ["NONE"]})
    anna.put("", f"devices/{name}", {"display_name": "Telefon"}, record=False)
    query("with a name", {anna.user: []})
    for label, body in {"nothing": {}, "a list": {"device_keys": []}, "a device": {"device_keys": {anna.user: "x"}},
                        "numbers": {"device_keys": {anna.user: [1]}}}.items():
        bert.post(label, "keys/query", body)
    upload("a string", {"one_time_keys": {"curve25519:a": "b"}})
    upload("the same string", {"one_time_keys": {"curve25519:a": "b"}})
    upload("another string", {"one_time_keys": {"curve25519:a": "c"}})
    first = {f"{ALGORITHM}:K00001": {"key": "key1", "signatures": {anna.user: {"ed25519:other": "x"}}}}
    upload("with another signature", {"one_time_keys": first})
    upload("with another key", {"one_time_keys": {f"{ALGORITHM}:K00001": {"key": "other", "signatures": {}}}})
    upload("too many", {"one_time_keys": device.one_time(500)})
    fallback = {f"{ALGORITHM}:F": {"key": "f", "fallback": True, "signatures": {}}}
    upload("fallback", {"fallback_keys": fallback})
    counts = anna.sync("", record=False)
    recorder.note("what is left", 200, {key: counts.get(key) for key in ("device_one_time_keys_count", "device_unused_fallback_key_types")})
    claim("unknown algorithm", anna.user, "none")
    claim("unknown device", anna.user, which="NONE")
    claim("unknown user", "@nobody:localhost")
    claim("the string", anna.user, "curve25519")
    for label in ("first", "second", "fallback", "fallback again"):
        claim(label, anna.user)
    counts = anna.sync("", since=counts["next_batch"], record=False)
    recorder.note("nothing is left", 200, {key: counts.get(key) for key in ("device_one_time_keys_count", "device_unused_fallback_key_types")})
    bert.post("of nobody", "keys/claim", {"one_time_keys": {"nonsense": {"A": ALGORITHM}}})
    bert.post("nothing", "keys/claim", {})
    Caller(recorder).post("asked by nobody", "keys/query", {"device_keys": {}})


def cross_signing(recorder):
    cara, dirk = person(recorder, "carakeys"), person(recorder, "dirkkeys")
    devices = {}
    for caller in (cara, dirk):
        devices[caller] = FixedDevice(caller.user, device_of(caller))
        caller.post("", "keys/upload", {"device_keys": devices[caller].identity()}, record=False)
    keys, other, dirks = fixed_cross_signing(cara.user, "one"), fixed_cross_signing(cara.user, "two"), fixed_cross_signing(dirk.user, "one")
    body = keys.upload()
    target = "keys/device_signing/upload"

    def query(label, caller, user):
        return caller.post(label, "keys/query", {"device_keys": {user: []}})

    cara.post("signature before there are keys", "keys/signatures/upload", {cara.user: {devices[cara].device: devices[cara].identity_keys}})
    cara.post("nothing", target, {})
    cara.post("no master key", target, {"self_signing_key": body["self_signing_key"]})
    for label, change in {
        "another user's": {"master_key": dirks.upload()["master_key"]},
        "another use": {"master_key": {**body["master_key"], "usage": ["other"]}},
        "no keys": {"master_key": {**body["master_key"], "keys": {}}},
        "two keys": {"master_key": {**body["master_key"], "keys": {"ed25519:a": "a", "ed25519:b": "b"}}},
        "a strange key": {"master_key": {**body["master_key"], "keys": {"ed25519:a": "b"}}},
        "a signature of another key": {"self_signing_key": other.upload()["self_signing_key"]},
    }.items():
        cara.post(label, target, {**body, **change})
    cara.post("first", target, body)
    cara.post("again", target, body)
    query("by the owner", cara, cara.user)
    query("by another", dirk, cara.user)
    asked = cara.post("other keys", target, other.upload())
    identifier = {"type": "m.id.user", "user": cara.user}
    auth = {"type": "m.login.password", "identifier": identifier, "password": "a long password", "session": asked["session"]}
    cara.post("wrong password", target, {**other.upload(), "auth": {**auth, "password": "wrong"}})
    cara.post("with the password", target, {**other.upload(), "auth": auth})
    keys = other
    query("replaced", dirk, cara.user)
    dirk.post("first", target, dirks.upload(), record=False)

    def signatures(label, uploaded, caller=cara):
        return caller.post(label, "keys/signatures/upload", uploaded)

    device, identity = devices[cara].device, devices[cara].identity_keys
    master, theirs = keys.upload()["master_key"], dirks.upload()["master_key"]
    mine = sign(keys.self_signing, identity, cara.user)
    signatures("unknown device", {cara.user: {"NONE": mine}})
    signatures("different keys", {cara.user: {device: sign(keys.self_signing, {**identity, "algorithms": []}, cara.user)}})
    signatures("wrong key", {cara.user: {device: sign(keys.user_signing, identity, cara.user, keys.self_signing.public)}})
    signatures("not signed", {cara.user: {device: {"user_id": cara.user}}})
    signatures("own device", {cara.user: {device: mine}})
    signatures("own device again", {cara.user: {device: mine}})
    query("signed device", dirk, cara.user)
    signatures("master key, unknown device", {cara.user: {keys.master.public: sign(Key(), master, cara.user, "NONE")}})
    signatures("master key, wrong key", {cara.user: {keys.master.public: sign(Key(b"x" * 32), master, cara.user, device)}})
    signatures("master key", {cara.user: {keys.master.public: sign(devices[cara].key, master, cara.user, device)}})
    query("signed master key", cara, cara.user)
    query("signed master key by another", dirk, cara.user)
    signatures("another's device", {dirk.user: {devices[dirk].device: sign(keys.user_signing, devices[dirk].identity_keys, cara.user)}})
    signatures("another's master key, wrong key", {dirk.user: {dirks.master.public: sign(Key(b"x" * 32), theirs, cara.user, keys.user_signing.public)}})
    signatures("another's master key", {dirk.user: {dirks.master.public: sign(keys.user_signing, theirs, cara.user)}})
    query("signed other", cara, dirk.user)
    query("signed other by the other", dirk, dirk.user)
    signatures("nobody's key", {"@nobody:localhost": {"X": sign(keys.user_signing, theirs, cara.user)}})
    signatures("a list", {cara.user: [1]})
    signatures("a number", {cara.user: {"A": 1}})
    signatures("nothing", {})
    cara.get("keys are no devices", "devices")


def device_lists(recorder):
    emma, finn = person(recorder, "emmakeys"), person(recorder, "finnkeys")
    for caller in (emma, finn):
        caller.post("", "keys/upload", {"device_keys": FixedDevice(caller.user, device_of(caller)).identity()}, record=False)
    room = emma.post("", "createRoom", {"preset": "public_chat"}, record=False)["room_id"]

    # Only the first sync of all: an answer without a token is given again for a while.
    token = emma.sync("", record=False)["next_batch"]

    def step(label, act):
        nonlocal token
        since = token
        act()
        answer = emma.get("", f"sync?timeout=5000&since={quote(since)}", record=False)
        token = answer["next_batch"]
        recorder.note(label, 200, {key: sorted(users) for key, users in answer.get("device_lists", {}).items()})
        changes = emma.get(f"{label}: changes", f"keys/changes?from={quote(since)}&to={quote(since)}", record=False)
        recorder.note(f"{label}: changes", 200, {key: sorted(users) for key, users in changes.items()})

    step("joins", lambda: finn.post("", f"join/{quote(room)}", {}, record=False))
    keys = fixed_cross_signing(finn.user, "one")
    step("cross-signing", lambda: finn.post("", "keys/device_signing/upload", keys.upload(), record=False))
    step("renames", lambda: finn.put("", f"devices/{device_of(finn)}", {"display_name": "x"}, record=False))
    step("own cross-signing", lambda: emma.post(
        "", "keys/device_signing/upload", fixed_cross_signing(emma.user, "one").upload(), record=False))
    step("leaves", lambda: finn.post("", f"rooms/{quote(room)}/leave", {}, record=False))
    emma.get("no token", "keys/changes")
    emma.get("a strange token", "keys/changes?from=nonsense&to=nonsense")


SCENES = [device_keys, cross_signing, device_lists]
