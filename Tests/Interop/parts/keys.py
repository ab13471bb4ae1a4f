"""Keys of devices and users, which two servers on one database, or beside each other in one cluster, must tell alike."""

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Behaviour"))

from keymaking import CrossSigning, Device  # noqa: E402

ALGORITHM = "signed_curve25519"


def sign(key, value, user, name=None):
    """A copy of an object with nothing but this key's signature."""
    return key.sign({part: value[part] for part in value if part not in ("signatures", "unsigned")}, user, name)


def query(person, *users, **where):
    return person.call("POST", "keys/query", {"device_keys": {user: [] for user in users}}, **where)


def claim(person, user, device, **where):
    answer = person.call("POST", "keys/claim", {"one_time_keys": {user: {device: ALGORITHM}}}, **where)
    return list(answer["one_time_keys"].get(user, {}).get(device, {}))


def equip(person, one_time=3, **where):
    """Gives a person's device keys, and the person cross-signing keys that have signed the device and were signed by it."""
    device = person.keys = Device(person.user, person.device)
    body = {"device_keys": device.identity(), "one_time_keys": device.one_time(one_time), "fallback_keys": device.fallback()}
    person.call("POST", "keys/upload", body, **where)
    person.cross_signing = keys = CrossSigning(person.user)
    upload = keys.upload()
    person.call("POST", "keys/device_signing/upload", upload, **where)
    signed = {person.device: sign(keys.self_signing, device.identity_keys, person.user)}
    signed[keys.master.public] = sign(device.key, upload["master_key"], person.user, person.device)
    answer = person.call("POST", "keys/signatures/upload", {person.user: signed}, **where)
    assert answer == {"failures": {}}, answer
    person.claimed = 0


def trust(person, other, **where):
    """Signs another's master key."""
    key = sign(person.cross_signing.user_signing, other.cross_signing.upload()["master_key"], person.user)
    answer = person.call("POST", "keys/signatures/upload", {other.user: {other.cross_signing.master.public: key}}, **where)
    assert answer == {"failures": {}}, answer


def equip_all(people):
    for person in people:
        equip(person)
    for person in people:
        for other in people:
            if other is not person:
                trust(person, other)


def facts(person, sync, others):
    """What a person is told of keys."""
    return {
        "keys": query(person, person.user, *others),
        "keys left": (sync.get("device_one_time_keys_count"), sync.get("device_unused_fallback_key_types")),
    }


def claimed_on(checks, what, people):
    """Each claims a key of the next: the oldest that is left, then the fallback key."""
    for person, other in zip(people, [*people[1:], people[0]]):
        other.claimed += 1
        names = [f"{ALGORITHM}:K{other.claimed:05}"] if other.claimed <= 3 else [f"{ALGORITHM}:F1"]
        checks.same(f"{what}: {person.name} claims the next key of {other.name}", names, claim(person, other.user, other.device))


# A process of theirs beside ours


def until(read, wanted, seconds=10):
    """Reads until the answer is as wanted; answers the last one. What one process writes others learn by replication."""
    deadline = time.monotonic() + seconds
    while (found := read()) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def looked_at_again(reader, base, since, seconds=10):
    """Syncs on until somebody's devices have to be looked at again; answers whose."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = reader.call("GET", f"sync?timeout=1000&since={since}", base=base)
        since = answer["next_batch"]
        if changed := answer.get("device_lists", {}).get("changed"):
            return changed
    return []


def shared(checks, alice, bob, theirs):
    """Two people in one room: keys written on ours and read on theirs, and the other way round."""
    ours = alice.base
    equip(alice)
    equip(bob, base=theirs)
    for reader in (alice, bob):
        for user in (alice.user, bob.user):
            wanted = query(reader, user, base=ours)
            found = until(lambda: query(reader, user, base=theirs), wanted)
            checks.same(f"both tell {reader.name} the same keys of {user}", wanted, found)
    trust(alice, bob, base=theirs)
    trust(bob, alice)
    for reader, other in ((alice, bob), (bob, alice)):
        key = reader.cross_signing.user_signing.public
        for base in (ours, theirs):
            def signatures():
                return list(query(reader, other.user, base=base)["master_keys"][other.user].get("signatures", {}).get(reader.user, {}))

            checks.same(f"{reader.name} sees the own signature", [f"ed25519:{key}"], until(signatures, [f"ed25519:{key}"]))
    news(checks, alice, bob, ours, theirs)
    sixteen(checks, alice, bob, ours, theirs)


def news(checks, alice, bob, ours, theirs):
    """Changes through one that syncs on the other are told of, and caches that must not answer what was."""
    for writer, writes, reader, reads in ((alice, ours, bob, theirs), (bob, theirs, alice, ours)):
        time.sleep(1)
        since = reader.call("GET", "sync?timeout=1", base=reads)["next_batch"]
        keys = Device(writer.user, writer.device)
        writer.call("POST", "keys/upload", {"device_keys": keys.identity()}, base=writes)
        checks.same(f"{reader.name} is told that {writer.name}'s keys changed", [writer.user], looked_at_again(reader, reads, since))

        def shown():
            return query(reader, writer.user, base=reads)["device_keys"][writer.user][writer.device]["keys"]

        checks.same(f"{reader.name} is shown the new keys", keys.identity_keys["keys"], until(shown, keys.identity_keys["keys"]))
        writer.call("PUT", f"devices/{writer.device}", {"display_name": f"of {writer.name}"}, base=writes)

        def name():
            device = query(reader, writer.user, base=reads)["device_keys"][writer.user][writer.device]
            return device["unsigned"].get("device_display_name")

        checks.same(f"{reader.name} is shown the new name", f"of {writer.name}", until(name, f"of {writer.name}"))


def sixteen(checks, alice, bob, ours, theirs):
    """16 claimers, every other one on their process: no one-time key goes to two."""
    keys = Device(alice.user, alice.device)
    alice.call("POST", "keys/upload", {"one_time_keys": keys.one_time(160, prefix="S")})
    taken, lock = [], threading.Lock()

    def work(number):
        for _ in range(11):
            mine = claim(bob, alice.user, alice.device, base=theirs if number % 2 else ours)
            with lock:
                taken.extend(mine)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one_time = [name for name in taken if not name.endswith(":F1")]
    checks.same("16 claimers on both got a key each time", 176, len(taken))
    # Of two claims at once through Synapse the second gets the fallback key although others are left.
    checks.same("and no one-time key twice", len(one_time), len(set(one_time)))
    checks.that("most of them one-time keys", len(one_time) > 80, len(one_time))
    wanted = {ALGORITHM: 163 - len(one_time)}
    for base in (ours, theirs):
        def left():
            # With a timeout of its own the answer is not one that was given before.
            return alice.call("GET", "sync?timeout=2", base=base)["device_one_time_keys_count"]

        checks.same("and both know how many are left", wanted, until(left, wanted))
