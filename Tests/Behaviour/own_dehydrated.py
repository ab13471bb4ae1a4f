#!/usr/bin/env python3
"""Devices that users leave behind to receive messages while they are logged out (MSC3814).

usage: own_dehydrated.py FOLDER BINARIES
"""

import secrets
import sys
from pathlib import Path

from harness import Checks, at_once, own_server, path

DEVICE = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"
SETTINGS = "experimental_features: {msc3814_enabled: true}\n"


def keys(client, device, one_time=()):
    identity = {"user_id": client.user, "device_id": device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"], "dehydrated": True,
                "keys": {f"ed25519:{device}": "a", f"curve25519:{device}": "b"}, "signatures": {client.user: {f"ed25519:{device}": "c"}}}
    signed = {"key": "d", "signatures": {client.user: {f"ed25519:{device}": "e"}}}
    return {"device_keys": identity, "one_time_keys": {f"signed_curve25519:{name}": signed for name in one_time},
            "fallback_keys": {"signed_curve25519:F": {**signed, "fallback": True}}}


def dehydrated(server, checks):
    alice, bob = server.register(), server.register()
    since = alice.sync()["next_batch"]
    checks.equal("none at first", alice.get(DEVICE).errcode, "M_NOT_FOUND")
    checks.equal("none to delete", alice.delete(DEVICE).errcode, "M_NOT_FOUND")
    checks.equal("none to read for", alice.get(f"{DEVICE}/DRY/events").errcode, "M_FORBIDDEN")
    body = {"device_id": "DRY", "device_data": {"algorithm": "m.dehydration.v2", "secret": "x"},
            "initial_device_display_name": "Dry", **keys(alice, "DRY", ["1"])}
    checks.equal("one is left", alice.ok("PUT", DEVICE, body), {"device_id": "DRY"})
    checks.equal("and read", alice.ok("GET", DEVICE), {"device_id": "DRY", "device_data": body["device_data"]})
    names = {device["device_id"]: device["display_name"] for device in alice.ok("GET", path("devices"))["devices"]}
    checks.equal("it is among the devices", names.get("DRY"), "Dry")
    found = bob.ok("POST", path("keys", "query"), {"device_keys": {alice.user: []}})["device_keys"][alice.user]
    checks.equal("others find its keys", found["DRY"]["keys"], body["device_keys"]["keys"])
    changed = alice.sync_until(lambda answer: alice.user in answer.get("device_lists", {}).get("changed", []), since)
    checks.that("the others are told", alice.user in changed.get("device_lists", {}).get("changed", []))
    claim = {"one_time_keys": {alice.user: {"DRY": "signed_curve25519"}}}
    claimed = [list(bob.ok("POST", path("keys", "claim"), claim)["one_time_keys"][alice.user]["DRY"])[0] for _ in range(3)]
    checks.equal("its keys are claimed", claimed, ["signed_curve25519:1", "signed_curve25519:F", "signed_curve25519:F"])

    for number in range(130):
        target = path("sendToDevice", "org.example", secrets.token_hex(6))
        bob.ok("PUT", target, {"messages": {alice.user: {"DRY": {"n": number}}}})
    for attempt in ("first", "second"):
        one = alice.ok("GET", f"{DEVICE}/DRY/events")
        two = alice.ok("GET", f"{DEVICE}/DRY/events?from={one['next_batch']}")
        numbers = [event["content"]["n"] for event in one["events"] + two["events"]]
        checks.equal(f"{attempt} reading: all, in order", numbers, list(range(130)))
        checks.that(f"{attempt} reading: no next place at the end", "next_batch" not in two, two.get("next_batch"))
        checks.equal(f"{attempt} reading: the form", one["events"][0], {"type": "org.example", "sender": bob.user, "content": {"n": 0}})
    page = alice.ok("POST", f"{DEVICE}/DRY/events?limit=7", {})
    checks.equal("a page of the earlier form", (len(page["events"]), "next_batch" in page), (7, True))
    rest = alice.ok("POST", f"{DEVICE}/DRY/events?limit=500", {"next_batch": page["next_batch"]})
    checks.equal("its rest", (len(rest["events"]), "next_batch" in rest), (123, True))
    for bad in ("x1", "d", "dx", "d99999999999999999999"):
        checks.equal(f"the place {bad}", alice.get(f"{DEVICE}/DRY/events?from={bad}").errcode, "M_INVALID_PARAM")
    checks.equal("another device", alice.get(f"{DEVICE}/{alice.device}/events").errcode, "M_FORBIDDEN")
    checks.equal("somebody else", bob.get(f"{DEVICE}/DRY/events").errcode, "M_FORBIDDEN")

    second = {"device_id": "DRY2", "device_data": {"algorithm": "m.dehydration.v2"}, **keys(alice, "DRY2")}
    alice.ok("PUT", DEVICE, second)
    found = bob.ok("POST", path("keys", "query"), {"device_keys": {alice.user: []}})["device_keys"][alice.user]
    checks.equal("a new one takes the place of the old one", sorted(set(found) & {"DRY", "DRY2"}), ["DRY2"])
    left = server.sql(f"SELECT count(*) FROM device_inbox WHERE user_id = '{alice.user}'")
    checks.equal("whose messages go", left, [["0"]])
    for label, change in (("no keys", {"device_keys": None}), ("no ID", {"device_id": None}), ("an empty ID", {"device_id": ""}),
                          ("no data", {"device_data": None}), ("no algorithm", {"device_data": {}}), ("its own device", {"device_id": alice.device}),
                          ("keys of another device", {"device_id": "DRY3"}), ("NUL", {"device_id": "\0"})):
        refused = alice.put(DEVICE, {name: value for name, value in {**second, **change}.items() if value is not None})
        checks.equal(f"{label} is refused", refused.status, 400)
    checks.equal("a refusal changes nothing", alice.ok("GET", DEVICE)["device_id"], "DRY2")
    checks.equal("it is deleted", alice.ok("DELETE", DEVICE), {"device_id": "DRY2"})
    checks.equal("it is gone", alice.get(DEVICE).status, 404)
    checks.that("from the devices too", "DRY2" not in str(alice.ok("GET", path("devices"))))
    alice.ok("PUT", DEVICE, second)
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": alice.password}
    alice.ok("POST", path("delete_devices"), {"devices": ["DRY2"], "auth": auth})
    checks.equal("deleted like any device", alice.get(DEVICE).status, 404)
    at_once(6, lambda number: alice.ok("PUT", DEVICE, {**second, "device_id": f"D{number}", **keys(alice, f"D{number}")}))
    stored = server.sql(f"SELECT device_id FROM dehydrated_devices WHERE user_id = '{alice.user}'")
    devices = {device["device_id"] for device in alice.ok("GET", path("devices"))["devices"]}
    checks.equal("at the same time, one stays", {stored[0][0], alice.device}, devices)


def main():
    folder, binaries, checks = Path(sys.argv[1]), sys.argv[2], Checks()
    for mode in ("monolith", "cluster"):
        with own_server(folder / mode, binaries, mode, SETTINGS) as server:
            dehydrated(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
