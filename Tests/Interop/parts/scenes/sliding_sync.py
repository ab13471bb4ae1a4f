"""Scenes of simplified sliding sync, in rooms of version 11: of version 12 Synapse alone gives creation events a `room_id`."""

import json
from urllib.parse import quote

from parts.caller import person
from parts.scenes.core import room_path, say

PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
EVERYTHING = {name: {"enabled": True} for name in ("to_device", "e2ee", "account_data", "receipts", "typing")}
LAZY = [["m.room.member", "$LAZY"], ["m.room.member", "$ME"], ["m.room.create", ""], ["m.room.name", ""], ["m.room.topic", ""]]


def listing(ranges=((0, 99),), limit=3, state=(), filters=None, **more):
    wanted = {"ranges": ranges, "timeline_limit": limit, "required_state": state, "filters": filters}
    return {"lists": {"all": {key: value for key, value in wanted.items() if value is not None}}, **more}


def subscribed(room, limit=3, state=(), **more):
    return {"room_subscriptions": {room: {"timeline_limit": limit, "required_state": state}}, **more}


def slide(caller, label, body, pos=None, query=""):
    """One sliding sync; answers its body. Theirs does not sort a list that the client sees whole."""
    path = f"{PATH}?timeout=0{query}" + (f"&pos={quote(pos)}" if pos is not None else "")
    answer = caller.post(label, path, body, record=False)
    status = 500 if answer.get("error") == "Internal server error" else 400 if "errcode" in answer else 200
    shown = json.loads(json.dumps(answer))
    for known in shown.get("lists", {}).values():
        for op in known.get("ops", []):
            if op["range"][0] == 0 and op["range"][1] >= known["count"] - 1:
                op["room_ids"].sort(key=lambda room: caller.recorder.normal.name(room))
    for room in shown.get("rooms", {}).values():
        if "bump_stamp" in room:
            room["bump_stamp"] = "a place"
    caller.recorder.note(f"{label} (sliding)", status, {**shown, "pos": "a token"} if "pos" in shown else shown)
    return answer


def sliding_lists(recorder):
    ines, jule = person(recorder, "slide_ines"), person(recorder, "slide_jule")
    slide(ines, "of one without rooms", listing(extensions=EVERYTHING))
    rooms = [ines.post(f"room {number}", "createRoom", {"name": f"Room {number}", "preset": "public_chat", "room_version": "11"})["room_id"] for number in range(4)]
    space = ines.post("space", "createRoom", {"creation_content": {"type": "m.space"}, "room_version": "11"})["room_id"]
    ines.put("encrypts", f"{room_path(rooms[0])}/state/m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    invited = jule.post("invites", "createRoom", {"invite": [ines.user], "is_direct": True, "name": "For Ines", "room_version": "11"})["room_id"]
    for number, room in enumerate(rooms):
        say(ines, room, f"newest {number}", f"n{number}")
    say(ines, rooms[1], "newest of all", "n9")
    slide(ines, "two of them", listing([[0, 1]], 1))
    slide(ines, "ranges", listing([[0, 0], [2, 3]], 1))
    slide(ines, "beyond the end", listing([[9, 20]], 1))
    slide(ines, "backwards", listing([[2, 1]], 1))
    slide(ines, "no ranges", {"lists": {"all": {"timeline_limit": 1, "required_state": []}}})
    slide(ines, "empty ranges", listing([], 1))
    first = slide(ines, "one", listing([[0, 0]], 1))
    second = slide(ines, "grows", listing([[0, 2]], 1), first["pos"])
    slide(ines, "grows again", listing([[0, 99]], 1), second["pos"])
    ines.put("direct", f"user/{quote(ines.user)}/account_data/m.direct", {jule.user: [rooms[2], 5], "x": "y"})
    ines.put("tags", f"user/{quote(ines.user)}/rooms/{quote(rooms[3])}/tags/m.favourite", {"order": 0.5})
    for label, filters in {
        "direct": {"is_dm": True}, "not direct": {"is_dm": False}, "encrypted": {"is_encrypted": True},
        "not encrypted": {"is_encrypted": False}, "invites": {"is_invite": True}, "no invites": {"is_invite": False},
        "spaces": {"room_types": ["m.space"]}, "rooms": {"room_types": [None]}, "no spaces": {"not_room_types": ["m.space"]},
        "both types": {"room_types": ["m.space", None], "not_room_types": [None]}, "favourites": {"tags": ["m.favourite", "x"]},
        "no favourites": {"not_tags": ["m.favourite"]}, "nothing": {"is_dm": True, "is_encrypted": True},
        "of spaces": {"spaces": [space]}, "by name": {"room_name_like": "room"},
    }.items():
        slide(ines, f"filter {label}", listing([[0, 99]], 0, filters=filters))
    two = listing([[0, 1]], 1)["lists"]["all"]
    slide(ines, "two lists", {"lists": {"a": two, "b": {**two, "ranges": [[1, 2]]}, "c": {**two, "filters": {"is_dm": True}}}, "conn_id": "two"})
    slide(jule, "invitation seen by its sender", subscribed(invited, state=LAZY))


def sliding_rooms(recorder):
    karl, lena, marc = (person(recorder, f"slide_{name}") for name in ("karl", "lena", "marc"))
    room = karl.post("public", "createRoom", {"preset": "public_chat", "topic": "Two", "room_version": "11"})["room_id"]
    lena.post("joins", f"join/{quote(room)}", {})
    for number in range(5):
        say(karl, room, f"message {number}", f"m{number}")
    first = slide(lena, "first", listing([[0, 9]], 2, LAZY))
    nothing = slide(lena, "nothing new", listing([[0, 9]], 2, LAZY), first["pos"])
    say(karl, room, "more", "m5")
    second = slide(lena, "a message", listing([[0, 9]], 2, LAZY), nothing["pos"])
    karl.put("a name", f"{room_path(room)}/state/m.room.name", {"name": "Kitchen"})
    karl.put("an avatar", f"{room_path(room)}/state/m.room.avatar", {"url": "mxc://localhost/face"})
    marc.post("joins", f"join/{quote(room)}", {})
    say(marc, room, "hello", "h1")
    third = slide(lena, "many changes", listing([[0, 9]], 9, LAZY), second["pos"])
    slide(lena, "many changes, with a gap", listing([[0, 9]], 1, LAZY), second["pos"])
    third = slide(lena, "again", listing([[0, 9]], 9, LAZY), second["pos"])
    say(marc, room, "hello again", "h2")
    fourth = slide(lena, "member known", listing([[0, 9]], 9, LAZY), third["pos"])
    fifth = slide(lena, "more state", listing([[0, 9]], 9, [*LAZY, ["m.room.power_levels", ""]]), fourth["pos"])
    sixth = slide(lena, "more timeline", listing([[0, 9]], 12, LAZY), fifth["pos"])
    slide(lena, "all state", listing([[0, 9]], 12, [["*", "*"]]), sixth["pos"])
    slide(lena, "any type of a key", listing([[0, 9]], 12, [["*", lena.user]]), sixth["pos"])
    slide(lena, "all members", listing([[0, 9]], 0, [["m.room.member", "*"]], conn_id="once"))
    slide(lena, "no timeline", listing([[0, 9]], 0, conn_id="once"))
    slide(lena, "negative timeline", listing([[0, 9]], -1, conn_id="once"))
    slide(lena, "a room", subscribed(room, 1, [["m.room.member", lena.user]], conn_id="once"))
    other = karl.post("private", "createRoom", {"name": "Private", "room_version": "11"})["room_id"]
    slide(lena, "a room of others", subscribed(other, 1, [["*", "*"]], conn_id="once"))
    slide(lena, "no room", subscribed("!none:localhost", 1, conn_id="once"))
    karl.post("invites", f"{room_path(other)}/invite", {"user_id": lena.user})
    invited = slide(lena, "invitation", listing([[0, 9]], 2, LAZY), sixth["pos"])
    lena.post("accepts", f"join/{quote(other)}", {})
    joined = slide(lena, "accepted", listing([[0, 9]], 2, LAZY), invited["pos"])
    lena.post("leaves", f"{room_path(other)}/leave", {})
    left = slide(lena, "left", listing([[0, 9]], 2, LAZY), joined["pos"])
    slide(lena, "gone", listing([[0, 9]], 2, LAZY), left["pos"])
    slide(lena, "subscribed to after leaving", subscribed(other, 2, [["m.room.name", ""]], conn_id="once"))
    karl.post("kicks", f"{room_path(room)}/kick", {"user_id": lena.user})
    say(karl, room, "unseen", "m6")
    kicked = slide(lena, "kicked", listing([[0, 9]], 2, [["m.room.name", ""]]), left["pos"])
    say(karl, room, "unseen again", "m7")
    slide(lena, "still kicked", listing([[0, 9]], 2, [["m.room.name", ""]]), kicked["pos"])
    slide(lena, "kicked, at first", listing([[0, 9]], 2, [["m.room.name", ""]], conn_id="once"))
    lena.post("joins again", f"join/{quote(room)}", {})
    again = slide(lena, "back", listing([[0, 9]], 2, [["m.room.name", ""]]), kicked["pos"])
    karl.post("bans", f"{room_path(room)}/ban", {"user_id": lena.user})
    banned = slide(lena, "banned", listing([[0, 9]], 2, [["m.room.name", ""]]), again["pos"])
    lena.post("forgets", f"{room_path(room)}/forget", {})
    slide(lena, "forgotten", listing([[0, 9]], 2), banned["pos"])
    knocking = karl.post("knocking", "createRoom", {"room_version": "11", "initial_state": [{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]})["room_id"]
    lena.post("knocks", f"knock/{quote(knocking)}", {})
    slide(lena, "knocked", listing([[0, 9]], 2, [["*", "*"]], conn_id="once"))


def sliding_extensions(recorder):
    nora, otto = person(recorder, "slide_nora"), person(recorder, "slide_otto")
    rooms = [nora.post(f"room {number}", "createRoom", {"preset": "public_chat", "room_version": "11"})["room_id"] for number in range(2)]
    for room in rooms:
        otto.post("joins", f"join/{quote(room)}", {})
    sent = [say(nora, room, "read this", f"r{number}") for number, room in enumerate(rooms)]
    otto.post("reads", f"{room_path(rooms[1])}/receipt/m.read/{quote(sent[1])}", {})
    data = f"user/{quote(otto.user)}"
    otto.put("data", f"{data}/account_data/org.example.data", {"a": 1})
    otto.put("data of a room", f"{data}/rooms/{quote(rooms[0])}/account_data/org.example.data", {"b": 2})
    otto.put("a tag", f"{data}/rooms/{quote(rooms[0])}/tags/u.tag", {"order": 0.5})
    first = slide(otto, "everything", listing([[0, 9]], 2, extensions=EVERYTHING))
    second = slide(otto, "nothing", listing([[0, 9]], 2, extensions=EVERYTHING), first["pos"])
    otto.put("other data", f"{data}/account_data/org.example.data", {"a": 2})
    otto.put("other data of a room", f"{data}/rooms/{quote(rooms[0])}/account_data/org.example.data", {"b": 3})
    otto.ask("no tag", "DELETE", f"{data}/rooms/{quote(rooms[0])}/tags/u.tag")
    nora.post("reads", f"{room_path(rooms[0])}/receipt/m.read/{quote(sent[0])}", {})
    nora.put("types", f"{room_path(rooms[1])}/typing/{quote(nora.user)}", {"typing": True, "timeout": 30000})
    third = slide(otto, "all kinds", listing([[0, 9]], 2, extensions=EVERYTHING), second["pos"])
    nora.put("sends", "sendToDevice/org.example.hello/1", {"messages": {otto.user: {"*": {"a": 1}}}})
    asked = slide(otto, "a message", {"extensions": {"to_device": {"enabled": True}}}, third["pos"])
    since = asked["extensions"]["to_device"]["next_batch"]
    answer = slide(otto, "acknowledged", {"extensions": {"to_device": {"enabled": True, "since": since}}}, asked["pos"])
    recorder.note("the position stays", 200, answer["extensions"]["to_device"]["next_batch"] == since)
    slide(otto, "nothing wanted", {"extensions": {name: {"enabled": False} for name in EVERYTHING}}, asked["pos"])
    scoped = {"account_data": {"enabled": True, "rooms": [rooms[0]], "lists": []}, "receipts": {"enabled": True, "rooms": [], "lists": []}}
    slide(otto, "scoped to rooms", listing([[0, 9]], 2, extensions=scoped))
    scoped = {"account_data": {"enabled": True, "rooms": [], "lists": ["all"]}, "receipts": {"enabled": True, "rooms": None, "lists": ["*"]}}
    slide(otto, "scoped to lists", listing([[0, 9]], 2, extensions=scoped))
    otto.post("leaves", f"{room_path(rooms[0])}/leave", {})
    slide(nora, "device lists", {"extensions": {"e2ee": {"enabled": True}}})


def sliding_refusals(recorder):
    paul = person(recorder, "slide_paul")
    paul.post("a room", "createRoom", {})
    first = slide(paul, "first", listing([[0, 9]], 1))
    position, streams = first["pos"].split("/")
    for label, pos in {
        "unknown": f"99999999/{streams}", "negative": f"-1/{streams}", "no number": f"x/{streams}", "no streams": position,
        "nonsense": "nonsense", "empty": "", "bad streams": f"{position}/x",
    }.items():
        slide(paul, f"position {label}", listing([[0, 9]], 1), pos)
    slide(paul, "other connection", listing([[0, 9]], 1, conn_id="other"), first["pos"])
    slide(paul, "begins anew", listing([[0, 9]], 1))
    slide(paul, "position before", listing([[0, 9]], 1), first["pos"])
    slide(paul, "without rooms", {}, f"0/{streams}")
    paul.post("negative timeout", f"{PATH}?timeout=-1", listing())
    paul.post("no timeout", f"{PATH}?timeout=x", listing())
    paul.ask("no JSON", "POST", PATH, raw=b"{")
    paul.ask("a list", "POST", PATH, raw=b"[]")
    paul.ask("empty", "POST", PATH, raw=b"")
    good = {"timeline_limit": 1, "required_state": []}
    for label, body in {
        "no timeline_limit": {"lists": {"a": {"required_state": []}}}, "no required_state": {"lists": {"a": {"timeline_limit": 1}}},
        "neither": {"lists": {"a": {}}}, "list of a wrong type": {"lists": {"a": 5}}, "lists of a wrong type": {"lists": []},
        "too long a timeline": {"lists": {"a": {**good, "timeline_limit": 1001}}}, "timeline of a wrong type": {"lists": {"a": {**good, "timeline_limit": "5"}}},
        "half a timeline": {"lists": {"a": {**good, "timeline_limit": 1.5}}}, "state of a wrong type": {"lists": {"a": {**good, "required_state": "x"}}},
        "state of one": {"lists": {"a": {**good, "required_state": [["a"]]}}}, "state of numbers": {"lists": {"a": {**good, "required_state": [["a", 5]]}}},
        "range of one": {"lists": {"a": {**good, "ranges": [[0]]}}}, "negative range": {"lists": {"a": {**good, "ranges": [[-1, 5]]}}},
        "range of a wrong type": {"lists": {"a": {**good, "ranges": [["a", "b"]]}}}, "filter of a wrong type": {"lists": {"a": {**good, "filters": {"is_dm": "x"}}}},
        "tags of a wrong type": {"lists": {"a": {**good, "filters": {"tags": "x"}}}}, "long name": {"lists": {"x" * 65: good}},
        "many lists": {"lists": {f"l{number}": good for number in range(101)}}, "conn_id of a wrong type": {"conn_id": 5},
        "subscription of a wrong type": {"room_subscriptions": {"!a:localhost": 5}}, "extensions of a wrong type": {"extensions": 5},
        "since of a wrong type": {"extensions": {"to_device": {"enabled": True, "since": 5}}}, "since that is no number": {"extensions": {"to_device": {"enabled": True, "since": "x"}}},
        "limit of a wrong type": {"extensions": {"to_device": {"enabled": True, "limit": "x"}}}, "enabled of a wrong type": {"extensions": {"typing": {"enabled": 1}}},
        "nulls": {"lists": None, "room_subscriptions": None, "extensions": None, "conn_id": None},
        "nulls within": {"lists": {"a": {**good, "ranges": None, "filters": None}}, "extensions": {"typing": None, "to_device": {"enabled": None, "since": None}}},
        "unknown members": {"lists": {"a": {**good, "org.example": 1}}, "org.example": 2, "extensions": {"org.example": {"enabled": True}}},
    }.items():
        slide(paul, label, body)


SCENES = [sliding_lists, sliding_rooms, sliding_extensions, sliding_refusals]
