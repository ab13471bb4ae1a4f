"""Scenes of what can be asked of rooms beyond joining and talking: summaries, spaces, replacement, the public list."""

from urllib.parse import quote

from parts.caller import Caller, person
from parts.scenes.core import room_path, say


def summary_of(caller, label, room, query=""):
    caller.get(label, f"/_matrix/client/v1/room_summary/{quote(room)}{query}")


def summaries(recorder):
    ilse, jens, nobody = person(recorder, "ilse.r"), person(recorder, "jens.r"), Caller(recorder)
    public = ilse.post("public", "createRoom", {
        "preset": "public_chat", "name": "Square", "topic": "All", "room_alias_name": "square.r", "room_version": "11"})["room_id"]
    private = ilse.post("private", "createRoom", {"name": "Den", "room_version": "11", "invite": [jens.user]})["room_id"]
    closed = ilse.post("closed", "createRoom", {"room_version": "11", "initial_state": [
        {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]})["room_id"]
    knock = ilse.post("knock", "createRoom", {"room_version": "11", "initial_state": [
        {"type": "m.room.join_rules", "content": {"join_rule": "knock"}}]})["room_id"]
    restricted = ilse.post("restricted", "createRoom", {"room_version": "11", "initial_state": [
        {"type": "m.room.join_rules", "content": {"join_rule": "restricted", "allow": [
            {"type": "m.room_membership", "room_id": public}, {"type": "other"}, 5]}}]})["room_id"]
    open_ = ilse.post("readable", "createRoom", {"room_version": "11", "initial_state": [
        {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}]})["room_id"]
    for name, room in (("public", public), ("private", private), ("closed", closed), ("knock", knock), ("restricted", restricted), ("readable", open_)):
        for who, caller in (("its creator", ilse), ("another", jens), ("nobody", nobody)):
            summary_of(caller, f"{name} for {who}", room)
    jens.post("joins", f"join/{quote(public)}", {})
    summary_of(jens, "restricted for a member", restricted)
    summary_of(ilse, "by alias", "#square.r:localhost")
    summary_of(ilse, "unknown alias", "#none:localhost")
    summary_of(ilse, "no identifier", "none")
    summary_of(ilse, "unknown room", "!none:localhost")
    summary_of(ilse, "unknown room with a server", "!none:localhost", "?via=localhost")
    ilse.get("old path", f"/_matrix/client/unstable/im.nheko.summary/summary/{quote(public)}")
    ilse.get("oldest path", f"/_matrix/client/unstable/im.nheko.summary/rooms/{quote(public)}/summary")
    wrong = Caller(recorder)
    wrong.token = "nonsense"
    summary_of(wrong, "with an unknown token", public)
    ilse.post("leaves", f"{room_path(closed)}/leave", {})
    summary_of(ilse, "of a room that all have left", closed)


def child(caller, space, room, content, label="adds a child"):
    caller.put(label, f"{room_path(space)}/state/m.space.child/{quote(room)}", content)


def hierarchy(recorder):
    klara, lars, milo, nils = (person(recorder, name) for name in ("klara.r", "lars.r", "milo.r", "nils.r"))
    def make(label, **more):
        return klara.post(label, "createRoom", {"room_version": "11", "name": label, **more})["room_id"]
    public = {"preset": "public_chat"}
    top = make("top", creation_content={"type": "m.space"}, **public)
    below = make("below", creation_content={"type": "m.space"}, **public)
    first, second, third, hidden = make("first", **public), make("second", **public), make("third", **public), make("hidden")
    via = {"via": ["localhost"]}
    child(klara, top, below, {**via, "order": "b", "suggested": True})
    child(klara, top, first, {**via, "order": "a"})
    child(klara, top, hidden, {**via, "order": "c"})
    child(klara, top, "!none:localhost", {**via, "order": "d"})
    child(klara, top, third, {"via": "localhost"}, "adds a child badly")
    child(klara, below, second, {**via, "suggested": True})
    child(klara, below, top, via, "adds a circle")
    path = f"/_matrix/client/v1/rooms/{quote(top)}/hierarchy"
    klara.get("everything", path)
    klara.get("suggested", f"{path}?suggested_only=true")
    klara.get("depth 0", f"{path}?max_depth=0")
    klara.get("depth 1", f"{path}?max_depth=1")
    klara.get("badly limited", f"{path}?limit=x")
    page = klara.get("first page", f"{path}?limit=2")
    klara.get("second page", f"{path}?limit=2&from={quote(page['next_batch'])}")
    klara.get("second page at length", f"{path}?limit=50&from={quote(page['next_batch'])}")
    lars.get("another's page", f"{path}?limit=2&from={quote(page['next_batch'])}")
    klara.get("page of another question", f"{path}?limit=2&max_depth=1&from={quote(page['next_batch'])}")
    lars.get("for a stranger", path)
    lars.get("page of nothing", f"{path}?from=nonsense")
    milo.get("of a room that is no space", f"/_matrix/client/v1/rooms/{quote(first)}/hierarchy")
    milo.get("of a hidden room", f"/_matrix/client/v1/rooms/{quote(hidden)}/hierarchy")
    milo.get("of an unknown room", f"/_matrix/client/v1/rooms/{quote('!none:localhost')}/hierarchy")
    Caller(recorder).get("for nobody", path)
    klara.put("closes", f"{room_path(first)}/state/m.room.join_rules", {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": top}]})
    nils.get("without a restricted room", path)
    nils.post("joins", f"join/{quote(top)}", {})
    # Not the members: theirs are counted some time later.
    seen = nils.get("", path, record=False)["rooms"]
    recorder.note("with a restricted room", 200, [[room["room_id"], room.get("join_rule")] for room in seen])


def upgrades(recorder):
    olga, paul, quinn = (person(recorder, name) for name in ("olga.r", "paul.r", "quinn.r"))
    room = olga.post("old room", "createRoom", {
        "preset": "public_chat", "visibility": "private", "name": "Old", "topic": "Ago", "room_alias_name": "old", "room_version": "10",
        "power_level_content_override": {"users": {olga.user: 100, paul.user: 50}},
        "initial_state": [
            {"type": "m.room.avatar", "content": {"url": "mxc://localhost/a"}},
            {"type": "org.example.kept", "content": {"not": "kept"}},
            {"type": "m.room.server_acl", "content": {"allow": ["*"]}}]})["room_id"]
    path = room_path(room)
    for who in (paul, quinn):
        who.post("joins", f"join/{quote(room)}", {})
    olga.post("bans", f"{path}/ban", {"user_id": "@enemy:localhost", "reason": "spam"})
    paul.put("tags", f"user/{quote(paul.user)}/rooms/{quote(room)}/tags/m.favourite", {"order": 0.5})
    paul.put("talks", f"user/{quote(paul.user)}/account_data/m.direct", {olga.user: [room], quinn.user: ["!other:localhost"]})
    paul.put("mutes", f"pushrules/global/room/{quote(room)}", {"actions": ["dont_notify"]})
    paul.put("mutes otherwise", "pushrules/global/override/quiet", {
        "actions": ["dont_notify"], "conditions": [{"kind": "event_match", "key": "room_id", "pattern": room}]})
    say(olga, room, "before", "u1")
    paul.post("may not", f"{path}/upgrade", {"new_version": "11"})
    olga.post("no version", f"{path}/upgrade", {})
    olga.post("unknown version", f"{path}/upgrade", {"new_version": "77"})
    olga.post("version of a wrong type", f"{path}/upgrade", {"new_version": []})
    olga.post("unknown room", f"rooms/{quote('!none:localhost')}/upgrade", {"new_version": "11"})
    new = olga.post("upgrades", f"{path}/upgrade", {"new_version": "11"})["replacement_room"]
    olga.get("state of the old room", f"{path}/state")
    olga.get("state of the new room", f"{room_path(new)}/state")
    olga.get("alias leads to the new room", "directory/room/%23old:localhost")
    olga.get("aliases of the old room", f"{path}/aliases")
    olga.get("aliases of the new room", f"{room_path(new)}/aliases")
    paul.get("tags", f"user/{quote(paul.user)}/rooms/{quote(new)}/tags")
    paul.get("talks", f"user/{quote(paul.user)}/account_data/m.direct")
    paul.get("rules", "pushrules/global/room")
    paul.get("overriding rules", "pushrules/global/override")
    quinn.put("says into the old room", f"{path}/send/m.room.message/q1", {"msgtype": "m.text", "body": "late"})
    paul.put("moderates the old room", f"{path}/send/m.room.message/p1", {"msgtype": "m.text", "body": "late"})
    paul.post("joins the new room", f"join/{quote(new)}", {})
    last = olga.post("upgrades to 12", f"{room_path(new)}/upgrade", {"new_version": "12", "additional_creators": [paul.user]})["replacement_room"]
    olga.get("state of the last room", f"{room_path(last)}/state")
    olga.post("creators of a wrong type", f"{room_path(last)}/upgrade", {"new_version": "12", "additional_creators": "x"})
    olga.post("creators that are none", f"{room_path(last)}/upgrade", {"new_version": "12", "additional_creators": ["x"]})
    again = olga.post("upgrades 12 to 12", f"{room_path(last)}/upgrade", {"new_version": "12"})["replacement_room"]
    olga.get("state of that", f"{room_path(again)}/state")
    space = olga.post("space", "createRoom", {"room_version": "11", "creation_content": {"type": "m.space", "m.federate": False}, "invite": [paul.user]})["room_id"]
    child(olga, space, room, {"via": ["localhost"]})
    child(olga, space, new, {})
    newer = olga.post("upgrades a space", f"{room_path(space)}/upgrade", {"new_version": "11"})["replacement_room"]
    olga.get("state of the new space", f"{room_path(newer)}/state")
    olga.get("state of the old space", f"{room_path(space)}/state")


SCENES = [summaries, hierarchy, upgrades]
