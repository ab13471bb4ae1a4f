#!/usr/bin/env python3
"""Backups of room keys, messages for devices, pushers, networks: as clients use them.

usage: key_backup.py CLUSTER_FOLDER
"""

import secrets
import sys

from harness import V3, Checks, Client, Server, at_once, path

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"


def make(client, **auth_data):
    return client.ok("POST", path("room_keys", "version"), {"algorithm": ALGORITHM, "auth_data": auth_data})["version"]


def session(index=0, forwarded=0, verified=False, **data):
    return {"first_message_index": index, "forwarded_count": forwarded, "is_verified": verified, "session_data": data}


def keys(version, *part):
    return path("room_keys", "keys", *part) + f"?version={version}"


def versions(server, checks):
    alice, bob = server.register(), server.register()
    checks.equal("no backup at first", alice.get(path("room_keys", "version")).errcode, "M_NOT_FOUND")
    numbers = [make(alice, number=number) for number in range(12)]
    checks.equal("versions are texts, counted up", numbers, [str(number) for number in range(1, 13)])
    current = alice.ok("GET", path("room_keys", "version"))
    wanted = {"version": "12", "algorithm": ALGORITHM, "auth_data": {"number": 11}, "count": 0, "etag": "0"}
    checks.equal("the newest is the current one", current, wanted)
    checks.equal("an old one is readable", alice.ok("GET", path("room_keys", "version", "3"))["auth_data"], {"number": 2})
    checks.equal("nobody else's", bob.get(path("room_keys", "version", "3")).status, 404)
    body = {"algorithm": ALGORITHM, "auth_data": {"number": 99}, "version": "12"}
    alice.ok("PUT", path("room_keys", "version", "12"), body)
    checks.equal("it is changed", alice.ok("GET", path("room_keys", "version"))["auth_data"], {"number": 99})
    for label, change in (("version", {"version": "11"}), ("algorithm", {"algorithm": "other"})):
        checks.equal(f"another {label} is refused", alice.put(path("room_keys", "version", "12"), {**body, **change}).errcode, "M_INVALID_PARAM")
    checks.equal("what is not there is not changed", alice.put(path("room_keys", "version", "77"), {**body, "version": "77"}).status, 404)
    alice.ok("DELETE", path("room_keys", "version", "12"))
    checks.equal("a deleted one is gone", alice.get(path("room_keys", "version", "12")).errcode, "M_NOT_FOUND")
    checks.equal("the one before is the current one", alice.ok("GET", path("room_keys", "version"))["version"], "11")
    checks.equal("the number is not given again", make(alice), "13")
    for label, body in (("nothing", {}), ("no algorithm", {"auth_data": {}}), ("no auth_data", {"algorithm": "a"}),
                        ("a wrong type", {"algorithm": 1, "auth_data": {}}), ("NUL", {"algorithm": "\0", "auth_data": {}})):
        checks.equal(f"{label} makes no version", alice.post(path("room_keys", "version"), body).status, 400)
    made = at_once(8, lambda _: make(bob))
    checks.equal("at the same time, each another number", sorted(map(int, made)), list(range(1, 9)))


def contents(server, checks):
    alice = server.register()
    version = make(alice)
    room, other = "!one:example.org", "!two:example.org"
    answer = alice.ok("PUT", keys(version, room, "a"), session(5, text="a"))
    checks.equal("one session", answer, {"etag": "1", "count": 1})
    answer = alice.ok("PUT", keys(version, room), {"sessions": {"b": session(text="b"), "c": session(text="c")}})
    checks.equal("those of a room", answer, {"etag": "2", "count": 3})
    answer = alice.ok("PUT", keys(version), {"rooms": {other: {"sessions": {"d": session(text="d")}}}})
    checks.equal("those of several", answer, {"etag": "3", "count": 4})
    checks.equal("nothing", alice.ok("PUT", keys(version), {"rooms": {}}), {"etag": "3", "count": 4})
    checks.equal("one is read", alice.ok("GET", keys(version, room, "a")), session(5, text="a"))
    of_room = {"a": session(5, text="a"), "b": session(text="b"), "c": session(text="c")}
    checks.equal("those of a room are", alice.ok("GET", keys(version, room)), {"sessions": of_room})
    everything = {"rooms": {room: {"sessions": of_room}, other: {"sessions": {"d": session(text="d")}}}}
    checks.equal("all are", alice.ok("GET", keys(version)), everything)
    checks.equal("an unknown session", alice.get(keys(version, room, "x")).errcode, "M_NOT_FOUND")
    checks.equal("an unknown room is empty", alice.ok("GET", keys(version, "!x:y")), {"sessions": {}})
    checks.equal("an unknown version", alice.get(keys("9", room)).errcode, "M_NOT_FOUND")
    checks.equal("no version", alice.get(path("room_keys", "keys")).errcode, "M_MISSING_PARAM")
    checks.equal("one is deleted", alice.ok("DELETE", keys(version, room, "a")), {"etag": "4", "count": 3})
    checks.equal("those of a room are", alice.ok("DELETE", keys(version, room)), {"etag": "5", "count": 1})
    checks.equal("all are", alice.ok("DELETE", keys(version)), {"etag": "6", "count": 0})
    checks.equal("all of nothing", alice.ok("GET", keys(version)), {"rooms": {}})
    for label, body in (("nothing", {}), ("a text", {**session(), "is_verified": "yes"}), ("null data", {**session(), "session_data": None}),
                        ("a fraction", {**session(), "first_message_index": 1.5}), ("too much", {**session(), "forwarded_count": 1 << 40})):
        status = alice.put(keys(version, room, "a"), body).status
        checks.equal(f"{label} for a session", status, 200 if label == "null data" else 400)
    newer = make(alice)
    refused = alice.put(keys(version, room, "a"), session())
    checks.equal("an old version takes none", (refused.status, refused.errcode), (403, "M_WRONG_ROOM_KEYS_VERSION"))
    checks.equal("and names the current one", refused["current_version"], newer)
    checks.equal("a new version is empty", alice.ok("GET", keys(newer)), {"rooms": {}})
    alice.ok("DELETE", path("room_keys", "version", newer))
    checks.equal("its keys are gone", alice.get(keys(newer)).status, 404)


def rules(server, checks):
    alice = server.register()
    version = make(alice)
    offers = ((False, 10, 5, True), (False, 11, 5, False), (False, 10, 6, False), (False, 11, 6, False), (False, 9, 99, True),
              (True, 50, 50, True), (False, 0, 0, False), (True, 51, 0, False), (True, 50, 49, True))
    held = None
    for number, (verified, index, forwarded, replaces) in enumerate(offers):
        offered = session(index, forwarded, verified, number=number)
        alice.ok("PUT", keys(version, "!r:x", "s"), offered)
        held = offered if replaces else held
        checks.equal(f"offer {number}", alice.ok("GET", keys(version, "!r:x", "s")), held)


def many(server, checks):
    alice = server.register()
    version = make(alice)
    rooms = {f"!{room}:x": {"sessions": {f"s{number}": session(data="x" * 200) for number in range(120)}} for room in range(25)}
    checks.equal("3,000 sessions at once", alice.ok("PUT", keys(version), {"rooms": rooms}), {"etag": "1", "count": 3000})
    checks.that("all are read", alice.ok("GET", keys(version)) == {"rooms": rooms})
    checks.that("a room's are read", alice.ok("GET", keys(version, "!7:x")) == rooms["!7:x"])
    processes = [Client(address, alice.token) for address in server.workers]
    at_once(12, lambda number: processes[number % len(processes)].ok("PUT", keys(version, "!n:x", f"n{number}"), session()))
    found = alice.ok("GET", path("room_keys", "version"))
    checks.equal("whoever is asked, each change counts", (found["etag"], found["count"]), ("13", 3012))


def to_device(server, checks):
    alice, bob = server.register(), server.register()
    phone, tablet = bob, server.login(bob.user, device_id="TABLET")
    since = {client.device: client.sync()["next_batch"] for client in (phone, tablet)}

    def send(messages, kind="org.example", transaction=None):
        target = path("sendToDevice", kind, transaction or secrets.token_hex(6))
        return alice.put(target, {"messages": messages})

    def messages(answer):
        return answer.get("to_device", {}).get("events", []), answer["next_batch"]

    def received(client, since, **options):
        return messages(client.sync(since, **options))

    def arrived(client, since):
        """The messages that come, by way of a process that may hear of them somewhat later."""
        return messages(client.sync_until(lambda answer: messages(answer)[0], since))

    checks.equal("a device, all and nobody", send({bob.user: {"*": {"n": 1}}, "@nobody:x": {}, "nonsense": {"*": {}}}).status, 200)
    wanted = [{"type": "org.example", "sender": alice.user, "content": {"n": 1}}]
    for client in (phone, tablet):
        events, _ = arrived(client, since[client.device])
        checks.equal(f"{client.device}: a wildcard reaches each device", events, wanted)
        events, following = received(client, since[client.device])
        checks.equal(f"{client.device}: once more until it is acknowledged", events, wanted)
        events, since[client.device] = received(client, following)
        checks.equal(f"{client.device}: not again after that", events, [])
    send({bob.user: {"TABLET": {"n": 2}, "NONE": {"n": 3}}})
    checks.equal("only the device named", received(phone, since[phone.device])[0], [])
    events, since["TABLET"] = arrived(tablet, since["TABLET"])
    checks.equal("a device by name", [event["content"] for event in events], [{"n": 2}])
    send({bob.user: {"TABLET": {"n": 4}}}, transaction="same")
    send({bob.user: {"TABLET": {"n": 5}}}, transaction="same")
    events, since["TABLET"] = arrived(tablet, since["TABLET"])
    checks.equal("a repeated request does nothing", [event["content"] for event in events], [{"n": 4}])
    large = send({bob.user: {"TABLET": {"x": "y" * 66_000}}})
    checks.equal("too large a message", (large.status, large.errcode), (413, "M_TOO_LARGE"))
    checks.equal("a message of a wrong type", send({bob.user: {"TABLET": 7}}).status, 400)

    for number in range(250):
        send({bob.user: {"TABLET": {"n": number}}})
    # One process tells of all messages, in order: whoever hears of the last has heard of all.
    send({bob.user: {phone.device: {"n": "last"}}})
    arrived(phone, since[phone.device])
    pages, found = [], []
    while not pages or pages[-1]:
        events, since["TABLET"] = received(tablet, since["TABLET"])
        pages.append(len(events))
        found += [event["content"]["n"] for event in events]
    checks.equal("pages of 100", pages, [100, 100, 50, 0])
    checks.equal("in order", found, list(range(250)))
    left = server.sql(f"SELECT count(*) FROM device_inbox WHERE user_id = '{bob.user}' AND device_id = 'TABLET'")
    checks.equal("what was acknowledged is deleted", left, [["0"]])
    send({bob.user: {"TABLET": {"n": 6}}})
    tablet.ok("POST", path("logout"))
    left = server.sql(f"SELECT count(*) FROM device_inbox WHERE user_id = '{bob.user}' AND device_id = 'TABLET'")
    checks.equal("messages go with their device", left, [["0"]])


def pushers(server, checks):
    alice, bob = server.register(), server.register()
    key = secrets.token_hex(8)
    data = {"url": "https://push.example.org/_matrix/push/v1/notify", "format": "event_id_only"}
    pusher = {"kind": "http", "app_id": "org.example", "pushkey": key, "app_display_name": "App", "device_display_name": "Phone",
              "profile_tag": "tag", "lang": "en", "data": data}
    checks.equal("none at first", alice.ok("GET", path("pushers")), {"pushers": []})
    alice.ok("POST", path("pushers", "set"), pusher)
    checks.equal("one is added", alice.ok("GET", path("pushers")), {"pushers": [pusher]})
    alice.ok("POST", path("pushers", "set"), {**pusher, "lang": "fr"})
    checks.equal("and replaced", [p["lang"] for p in alice.ok("GET", path("pushers"))["pushers"]], ["fr"])
    bob.ok("POST", path("pushers", "set"), {**pusher, "append": True})
    checks.equal("appended, others stay", len(alice.ok("GET", path("pushers"))["pushers"]), 1)
    bob.ok("POST", path("pushers", "set"), pusher)
    checks.equal("else they go", alice.ok("GET", path("pushers"))["pushers"], [])
    bob.ok("POST", path("pushers", "set"), {"kind": None, "app_id": "org.example", "pushkey": key})
    checks.equal("null deletes", bob.ok("GET", path("pushers"))["pushers"], [])
    bob.ok("POST", path("pushers", "set"), {"kind": None, "app_id": "org.example", "pushkey": key})
    for missing in ("kind", "app_id", "pushkey", "app_display_name", "device_display_name", "lang", "data"):
        refused = alice.post(path("pushers", "set"), {name: value for name, value in pusher.items() if name != missing})
        checks.equal(f"no {missing}", (refused.status, refused.errcode), (400, "M_MISSING_PARAM"))
    for url in (None, 7, "https://push.example.org/", "https://push.example.org/_matrix/push/v1/notify/", "/", ""):
        bad = {} if url is None else {"url": url}
        checks.equal(f"the address {url!r}", alice.post(path("pushers", "set"), {**pusher, "data": bad}).status, 400)
    mail = {**pusher, "kind": "email", "app_id": "m.email", "pushkey": "someone@example.org"}
    checks.equal("a mailbox of somebody else", alice.post(path("pushers", "set"), mail).errcode, "M_THREEPID_NOT_FOUND")

    tablet = server.login(alice.user, device_id="TABLET")
    for client in (alice, tablet):
        client.ok("POST", path("pushers", "set"), {**pusher, "pushkey": client.device})
    checks.equal("each device has one", len(alice.ok("GET", path("pushers"))["pushers"]), 2)
    identifier = {"type": "m.id.user", "user": alice.user}
    auth = {"type": "m.login.password", "identifier": identifier, "password": alice.password}
    alice.ok("POST", path("account", "password"), {"new_password": "another long one", "auth": auth})
    left = [p["pushkey"] for p in alice.ok("GET", path("pushers"))["pushers"]]
    checks.equal("a new password ends those of other sessions", left, [alice.device])
    alice.ok("POST", path("logout"))
    checks.equal("a logout ends its own", server.sql(f"SELECT count(*) FROM pushers WHERE user_name = '{alice.user}'"), [["0"]])


def networks(server, checks):
    alice = server.register()
    checks.equal("no networks", alice.ok("GET", path("thirdparty", "protocols")), {})
    checks.equal("not this one either", alice.get(path("thirdparty", "protocol", "irc")).status, 404)
    for kind in ("user", "location"):
        checks.equal(f"no {kind}", alice.ok("GET", path("thirdparty", kind)), [])
        checks.equal(f"no {kind} of a network", alice.ok("GET", path("thirdparty", kind, "irc")), [])
    for hidden in ("org.matrix.msc3814.v1/dehydrated_device", "org.matrix.msc4143/rtc/transports"):
        answer = alice.get("/_matrix/client/unstable/" + hidden)
        checks.equal(f"{hidden} is off", (answer.status, answer.errcode), (404, "M_UNRECOGNIZED"))


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for part in (versions, contents, rules, many, to_device, pushers, networks):
        part(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
