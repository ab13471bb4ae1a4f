#!/usr/bin/env python3
"""What is behind switches: channels to new devices, transports of conferences, pushers that can be disabled.

usage: own_devices.py FOLDER BINARIES
"""

import sys
from pathlib import Path

from harness import Checks, Client, at_once, own_server, path

UNSTABLE = "/_matrix/client/unstable"
OLDER = f"{UNSTABLE}/org.matrix.msc4108/rendezvous"
NEWER = f"{UNSTABLE}/io.element.msc4388/rendezvous"
SETTINGS = """
experimental_features:
  msc3881_enabled: true
  msc4108_enabled: true
  msc4143_enabled: true
  msc4388_mode: open
matrix_rtc:
  transports:
    - {type: livekit, livekit_service_url: "https://rtc.example.org", more: [1]}
"""


def older_channels(server, checks):
    nobody, plain = Client(server.address), {"Content-Type": "text/plain"}
    made = nobody.call("POST", OLDER, b"one", headers=plain)
    checks.equal("a channel", made.status, 201)
    target, tag = "/_synapse" + made["url"].split("/_synapse", 1)[1], made.headers["etag"]
    for header in ("expires", "last-modified", "cache-control", "pragma", "access-control-allow-origin"):
        checks.that(f"has {header}", made.headers.get(header))
    read = nobody.get(target)
    checks.equal("its text", (read.status, read.body, read.headers["content-type"], read.headers["etag"]), (200, b"one", "text/plain", tag))
    checks.equal("unchanged", nobody.get(target, headers={"If-None-Match": tag}).status, 304)
    checks.equal("any", nobody.get(target, headers={"If-None-Match": "*"}).status, 304)
    checks.equal("changed", nobody.get(target, headers={"If-None-Match": '"other"'}).status, 200)
    checks.equal("no tag", nobody.call("PUT", target, b"two", headers=plain).errcode, "M_MISSING_PARAM")
    refused = nobody.call("PUT", target, b"two", headers={**plain, "If-Match": '"other"'})
    checks.equal("a wrong tag", (refused.status, refused.errcode, refused["org.matrix.msc4108.errcode"]), (412, "M_UNKNOWN", "M_CONCURRENT_WRITE"))
    checks.equal("names the right one", refused.headers["etag"], tag)
    written = nobody.call("PUT", target, b"two", headers={**plain, "If-Match": tag})
    checks.equal("the right one", written.status, 202)
    checks.that("is another one then", written.headers["etag"] != tag)
    checks.equal("the new text", nobody.get(target).body, b"two")
    writers = at_once(8, lambda number: Client(server.address).call(
        "PUT", target, f"w{number}".encode(), headers={**plain, "If-Match": written.headers["etag"]}).status)
    checks.equal("of several, one", sorted(writers), [202] + [412] * 7)
    other = {"Content-Type": "application/json"}
    for label, body, headers, status in (("too large", b"x" * 4097, plain, 413), ("the largest", b"x" * 4096, plain, 201),
                                         ("empty", b"", plain, 201), ("another type", b"{}", other, 400)):
        checks.equal(label, nobody.call("POST", OLDER, body, headers=headers).status, status)
    checks.equal("closed", nobody.delete(target).status, 204)
    for again in (nobody.delete(target), nobody.get(target), nobody.call("PUT", target, b"", headers={**plain, "If-Match": "*"})):
        checks.equal("gone", (again.status, again.errcode), (404, "M_NOT_FOUND"))
    preflight = nobody.call("OPTIONS", target)
    checks.that("browsers may send the tag", "If-Match" in preflight.headers["access-control-allow-headers"])
    checks.that("and read it", "ETag" in preflight.headers["access-control-expose-headers"])


def newer_channels(server, checks):
    nobody = Client(server.address)
    checks.equal("available", nobody.ok("GET", NEWER), {"create_available": True})
    made = nobody.ok("POST", NEWER, {"data": "one"})
    target = f"{NEWER}/{made['id']}"
    checks.that("two minutes", 110_000 < made["expires_in_ms"] <= 120_000, made["expires_in_ms"])
    read = nobody.ok("GET", target)
    checks.equal("its data", (read["data"], read["sequence_token"]), ("one", made["sequence_token"]))
    refused = nobody.put(target, {"data": "two", "sequence_token": "other"})
    checks.equal("a wrong token", (refused.status, refused.errcode), (409, "IO_ELEMENT_MSC4388_CONCURRENT_WRITE"))
    first = nobody.ok("PUT", target, {"data": "two", "sequence_token": made["sequence_token"]})
    checks.equal("repeated", nobody.ok("PUT", target, {"data": "two", "sequence_token": made["sequence_token"]}), first)
    checks.equal("the new data", nobody.ok("GET", target)["data"], "two")
    for label, body, status in (("no data", {}, 400), ("a number", {"data": 7}, 400), ("too large", {"data": "x" * 4097}, 413),
                                ("the largest", {"data": "x" * 4096}, 200)):
        checks.equal(label, nobody.post(NEWER, body).status, status)
    checks.equal("closed", nobody.delete(target).status, 200)
    checks.equal("gone", nobody.get(target).errcode, "M_NOT_FOUND")


def transports(server, checks):
    alice = server.register()
    target = f"{UNSTABLE}/org.matrix.msc4143/rtc/transports"
    wanted = {"rtc_transports": [{"type": "livekit", "livekit_service_url": "https://rtc.example.org", "more": [1]}]}
    checks.equal("where conferences are", alice.ok("GET", target), wanted)
    checks.equal("for users only", Client(server.address).get(target).errcode, "M_MISSING_TOKEN")


def pushers(server, checks):
    alice = server.register()
    pusher = {"kind": "http", "app_id": "org.example", "pushkey": alice.device, "app_display_name": "App", "device_display_name": "Phone",
              "lang": "en", "data": {"url": "https://push.example.org/_matrix/push/v1/notify"}}
    for enabled in (None, False, True):
        more = {} if enabled is None else {"org.matrix.msc3881.enabled": enabled}
        alice.ok("POST", path("pushers", "set"), {**pusher, **more})
        found = alice.ok("GET", path("pushers"))["pushers"][0]
        seen = (found["org.matrix.msc3881.enabled"], found["org.matrix.msc3881.device_id"])
        checks.equal(f"enabled {enabled}", seen, (enabled is not False, alice.device))


def main():
    folder, binaries, checks = Path(sys.argv[1]), sys.argv[2], Checks()
    for mode in ("monolith", "cluster"):
        with own_server(folder / mode, binaries, mode, SETTINGS) as server:
            for part in (older_channels, newer_channels, transports, pushers):
                part(server, checks)
    closed = "experimental_features: {msc4388_mode: authenticated, msc4108_delegation_endpoint: 'https://elsewhere.example.org/x'}\n"
    with own_server(folder / "closed", binaries, "monolith", closed) as server:
        alice, nobody = server.register(), Client(server.address)
        checks.equal("not for everybody", nobody.post(NEWER, {"data": "x"}).errcode, "M_MISSING_TOKEN")
        made = alice.ok("POST", NEWER, {"data": "x"})
        checks.equal("a channel is for whoever knows it", nobody.ok("GET", f"{NEWER}/{made['id']}")["data"], "x")
        sent = nobody.call("POST", OLDER, b"x", headers={"Content-Type": "text/plain"})
        checks.equal("sent elsewhere", (sent.status, sent.headers.get("location")), (307, "https://elsewhere.example.org/x"))
    checks.end()


if __name__ == "__main__":
    main()
