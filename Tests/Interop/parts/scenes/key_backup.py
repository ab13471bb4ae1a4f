"""Scenes of backups of room keys, pushers and networks.

Left out, where Synapse does otherwise than the specification: which of two keys is kept when one is verified and the other is not, and the member
`current_version` of `M_WRONG_ROOM_KEYS_VERSION`, in which Synapse names the version that was asked for.
"""

from parts.caller import person

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"


def session(index=0, forwarded=0, verified=False, data="x"):
    return {"first_message_index": index, "forwarded_count": forwarded, "is_verified": verified, "session_data": data}


def backup(recorder):
    caller = person(recorder, "backupper")
    body = {"algorithm": ALGORITHM, "auth_data": {"public_key": "abc", "signatures": {}}}
    caller.get("none yet", "room_keys/version")
    caller.get("none of a number", "room_keys/version/1")
    caller.get("none of a name", "room_keys/version/one")
    caller.delete("none to delete", "room_keys/version/1")
    caller.put("no keys yet", "room_keys/keys/!r:x/s?version=1", session())
    caller.get("no keys yet", "room_keys/keys?version=1")
    caller.post("a version", "room_keys/version", body)
    caller.get("a version", "room_keys/version")
    caller.get("a version by number", "room_keys/version/1")
    caller.put("changes it", "room_keys/version/1", {**body, "auth_data": {"public_key": "def"}})
    caller.put("with its version", "room_keys/version/1", {**body, "version": "1"})
    caller.put("with another version", "room_keys/version/1", {**body, "version": "2"})
    caller.put("with another algorithm", "room_keys/version/1", {**body, "algorithm": "m.other"})
    caller.put("that is not there", "room_keys/version/7", {**body})
    caller.put("without data", "room_keys/version/1", {"algorithm": ALGORITHM})
    caller.get("after that", "room_keys/version")
    caller.get("nothing in it", "room_keys/keys?version=1")
    caller.get("nothing in a room", "room_keys/keys/!r:x?version=1")
    caller.get("not this session", "room_keys/keys/!r:x/s?version=1")
    caller.get("no version named", "room_keys/keys")
    caller.put("one", "room_keys/keys/!r:x/s?version=1", session(5, 5))
    caller.put("of a room", "room_keys/keys/!r:x?version=1", {"sessions": {"t": session(), "u": session(data={"a": 1})}})
    caller.put("of rooms", "room_keys/keys?version=1", {"rooms": {"!q:x": {"sessions": {"v": session()}}}})
    caller.put("nothing", "room_keys/keys?version=1", {"rooms": {}})
    caller.put("an empty room", "room_keys/keys/!r:x?version=1", {"sessions": {}})
    offers = ((6, 5, False), (5, 6, False), (5, 5, False), (4, 9, False), (4, 8, False), (9, 9, True), (9, 9, True), (9, 8, True))
    for number, (index, forwarded, verified) in enumerate(offers):
        caller.put(f"offer {number}", "room_keys/keys/!r:x/s?version=1", session(index, forwarded, verified, str(number)))
        caller.get(f"after offer {number}", "room_keys/keys/!r:x/s?version=1")
    caller.put("not a boolean", "room_keys/keys/!r:x/s?version=1", {**session(), "is_verified": "true"})
    caller.get("all", "room_keys/keys?version=1")
    caller.get("a room", "room_keys/keys/!r:x?version=1")
    caller.delete("one", "room_keys/keys/!r:x/s?version=1")
    caller.delete("it is gone", "room_keys/keys/!r:x/s?version=1")
    caller.delete("a room", "room_keys/keys/!r:x?version=1")
    caller.get("a room left", "room_keys/keys?version=1")
    caller.delete("all", "room_keys/keys?version=1")
    caller.delete("of a version that is not there", "room_keys/keys?version=7")
    caller.post("another version", "room_keys/version", body)
    caller.get("is the current one", "room_keys/version")
    caller.put("to one that was never there", "room_keys/keys/!r:x/s?version=9", session())
    caller.put("to a name", "room_keys/keys/!r:x/s?version=one", session())
    caller.put("to the new one", "room_keys/keys/!r:x/s?version=2", session())
    caller.delete("the new one", "room_keys/version/2")
    caller.delete("once more", "room_keys/version/2")
    caller.get("the old one", "room_keys/version")
    caller.get("its keys are gone", "room_keys/keys?version=2")
    caller.post("a third", "room_keys/version", body)


def pushers(recorder):
    one, two = person(recorder, "pushed"), person(recorder, "pushedtoo")
    body = {"kind": "http", "app_id": "org.example", "pushkey": "key", "app_display_name": "App", "device_display_name": "Phone",
            "lang": "en", "data": {"url": "https://push.example.org/_matrix/push/v1/notify"}}
    one.get("none", "pushers")
    one.post("one", "pushers/set", body)
    one.get("one", "pushers")
    one.post("changed", "pushers/set", {**body, "profile_tag": "p", "lang": "fr", "device_display_name": "Tablet"})
    one.get("changed", "pushers")
    two.post("beside", "pushers/set", {**body, "append": True})
    one.get("beside", "pushers")
    two.post("instead", "pushers/set", {**body, "append": False})
    one.get("instead", "pushers")
    two.get("instead", "pushers")
    two.post("deletes", "pushers/set", {"kind": None, "app_id": "org.example", "pushkey": "key"})
    two.get("deleted", "pushers")
    two.post("deletes nothing", "pushers/set", {"kind": None, "app_id": "org.example", "pushkey": "key"})
    for name in body:
        one.post(f"without {name}", "pushers/set", {key: value for key, value in body.items() if key != name})
    for data in ({}, {"url": 7}, {"url": "https://push.example.org/"}, {"url": "x"}, {"url": "https://a/_matrix/push/v1/notify?a=b#c"}):
        one.post(f"with {data}", "pushers/set", {**body, "data": data})
    one.post("of another kind", "pushers/set", {**body, "kind": "pigeon"})
    one.post("of somebody else's mailbox", "pushers/set", {**body, "kind": "email", "pushkey": "a@b.example"})
    one.get("at the end", "pushers")


def networks(recorder):
    caller = person(recorder, "networker")
    caller.get("", "thirdparty/protocols")
    for kind in ("user", "location"):
        caller.get("", f"thirdparty/{kind}")
        caller.get("", f"thirdparty/{kind}/irc?a=b")
    caller.get("", "/_matrix/client/v1/auth_metadata")
    caller.get("", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata")
    caller.get("", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device")
    caller.get("", "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports")
    caller.post("", "/_matrix/client/unstable/org.matrix.msc4108/rendezvous", {})
    caller.get("", "/_matrix/client/unstable/io.element.msc4388/rendezvous")


SCENES = [backup, pushers, networks]
