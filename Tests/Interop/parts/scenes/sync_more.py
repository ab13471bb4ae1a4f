"""Scenes of what `/sync` has beside the common case, of account data that is deleted, and of the endpoints that were before `/sync`."""

from itertools import count
from urllib.parse import quote

from parts.caller import person
from parts.scenes.core import room_path, say
from parts.scenes.threads import couple

QUIET = {"presence": {"types": []}}


NUMBERS = count(100)


def fresh():
    """A filter that no request had before: Synapse answers equal requests alike for two minutes, whatever the user has done."""
    return {**QUIET, "room": {"timeline": {"limit": next(NUMBERS)}}}


def synced(caller, label, query):
    return caller.get(label, f"sync?timeout=0&{query}")


def state_after(recorder):
    """By the name that the proposal had; Synapse does not know the one of the specification yet."""
    name = "org.matrix.msc4222.use_state_after"
    anja, bodo, room = couple(recorder, "anja", "bodo", name="Den")
    path = room_path(room)
    anja.put("", f"{path}/state/m.room.topic/", {"topic": "old"})
    whole = quote('{"presence":{"types":[]}}')
    short = quote('{"presence":{"types":[]},"room":{"timeline":{"limit":1}}}')
    lazy = quote('{"presence":{"types":[]},"room":{"timeline":{"limit":2},"state":{"lazy_load_members":true}}}')
    since = synced(bodo, "first", f"{name}=true&filter={short}")["next_batch"]
    synced(bodo, "first, lazily", f"{name}=true&filter={lazy}")
    anja.put("", f"{path}/state/m.room.topic/", {"topic": "new"})
    say(anja, room, "after the topic", "t1")
    synced(bodo, "news", f"{name}=true&since={quote(since)}&filter={whole}")
    synced(bodo, "a gap", f"{name}=true&since={quote(since)}&filter={short}")
    synced(bodo, "lazily", f"{name}=true&since={quote(since)}&filter={lazy}")
    synced(bodo, "full state", f"{name}=true&full_state=true&since={quote(since)}&filter={short}")
    synced(bodo, "not wanted", f"{name}=false&since={quote(since)}&filter={short}")
    synced(bodo, "nonsense", f"{name}=nonsense")
    since = synced(bodo, "again", f"{name}=true&since={quote(since)}&filter={short}")["next_batch"]
    anja.post("kicks", f"{path}/kick", {"user_id": bodo.user})
    anja.put("", f"{path}/state/m.room.topic/", {"topic": "unseen"})
    synced(bodo, "kicked", f"{name}=true&since={quote(since)}&filter={short}")
    left = quote('{"presence":{"types":[]},"room":{"include_leave":true,"timeline":{"limit":1}}}')
    synced(bodo, "first, with left rooms", f"{name}=true&filter={left}")


def sections(recorder):
    """What `/sync` shows of rooms, case by case."""
    cleo, dirk, room = couple(recorder, "cleo", "dirk")
    elin = person(recorder, "elin")
    path = room_path(room)
    since = dirk.sync("first", filter=QUIET)["next_batch"]
    other = cleo.post("another room", "createRoom", {"preset": "private_chat", "room_version": "11", "name": "Other", "invite": [dirk.user]})["room_id"]
    say(cleo, room, "here", "s1")
    for label, rooms in {
        "not that room": {"not_rooms": [room]}, "only that room": {"rooms": [room]}, "both": {"rooms": [room], "not_rooms": [room]},
        "no ephemeral": {"ephemeral": {"types": []}}, "no senders": {"timeline": {"not_senders": [cleo.user]}},
        "no account data": {"account_data": {"types": []}}, "state only of a type": {"state": {"types": ["m.room.name"]}},
        "with urls": {"timeline": {"contains_url": True}},
    }.items():
        dirk.sync(label, since, {**QUIET, "room": rooms})
    dirk.put("room data", f"user/{quote(dirk.user)}/{path}/account_data/org.example", {"a": 1})
    dirk.put("tag", f"user/{quote(dirk.user)}/{path}/tags/m.favourite", {"order": 0.5})
    dirk.put("global data", f"user/{quote(dirk.user)}/account_data/org.example", {"a": 1})
    dirk.sync("account data", since, QUIET)
    dirk.sync("account data by type", since, {**QUIET, "account_data": {"types": ["org.other"]}, "room": {"account_data": {"types": ["org.example"]}}})
    since = dirk.sync("invited", since, fresh())["next_batch"]
    dirk.post("declines", f"{room_path(other)}/leave", {})
    dirk.sync("declined", since, {**QUIET, "room": {"rooms": [room]}})
    since = dirk.sync("declined", since, fresh(), record=False)["next_batch"]
    lazy = {**QUIET, "room": {"state": {"lazy_load_members": True}, "timeline": {"limit": 1}}}
    dirk.sync("summary", filter=lazy)
    elin.post("", f"join/{quote(room)}", {})
    found = dirk.sync("summary of three", since, lazy, record=False)
    recorder.note("summary of three", 200, found["rooms"]["join"][room]["summary"])
    since = found["next_batch"]
    elin.post("", f"{path}/leave", {})
    cleo.post("", f"{path}/leave", {})
    since = dirk.sync("summary of one", since, lazy)["next_batch"]
    dirk.sync("alone", filter=lazy)
    elin.post("asks for a room", f"knock/{quote(room)}", {})
    dirk.put("names it", f"{path}/state/m.room.name/", {"name": "Named"})
    dirk.sync("summary of a named room", filter=lazy)
    knocked = cleo.post("to knock at", "createRoom", {"room_version": "11", "initial_state": [
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]})["room_id"]
    since = elin.sync("before", filter=QUIET)["next_batch"]
    elin.post("knocks", f"knock/{quote(knocked)}", {"reason": "please"})
    since = elin.sync("knocking", since, QUIET)["next_batch"]
    cleo.post("is refused", f"{room_path(knocked)}/kick", {"user_id": elin.user})
    elin.sync("refused", since, QUIET)


def ignoring(recorder):
    fynn, gesa, room = couple(recorder, "fynn", "gesa")
    mine = f"user/{quote(fynn.user)}/account_data/m.ignored_user_list"
    since = fynn.sync("before", filter=QUIET)["next_batch"]
    fynn.put("ignores", mine, {"ignored_users": {gesa.user: {}}})
    say(gesa, room, "not to be seen", "g1")
    gesa.put("", f"{room_path(room)}/state/org.example/", {"a": 1})
    say(fynn, room, "own", "f1")
    invited = gesa.post("", "createRoom", {"preset": "private_chat", "room_version": "11", "invite": [fynn.user]})["room_id"]
    fynn.sync("ignoring", since, QUIET)
    fynn.sync("first while ignoring", filter=QUIET)
    fynn.put("ignores no more", mine, {"ignored_users": {}})
    fynn.sync("no more", since, fresh())
    fynn.sync("first", filter={**QUIET, "room": {"not_rooms": [invited]}})


def deleted_data(recorder):
    hugo = person(recorder, "hugo")
    room = hugo.post("", "createRoom", {"room_version": "11"})["room_id"]
    mine, deleting = f"user/{quote(hugo.user)}", f"/_matrix/client/unstable/org.matrix.msc3391/user/{quote(hugo.user)}"
    for place in ("account_data", f"{room_path(room)}/account_data"):
        hugo.put("keeps", f"{mine}/{place}/org.example", {"a": 1})
        hugo.put("keeps another", f"{mine}/{place}/org.other", {"a": 1})
    since = hugo.sync("before", filter=QUIET)["next_batch"]
    for place in ("account_data", f"{room_path(room)}/account_data"):
        hugo.ask("deletes", "DELETE", f"{deleting}/{place}/org.example")
        hugo.ask("deletes again", "DELETE", f"{deleting}/{place}/org.example")
        hugo.ask("deletes nothing", "DELETE", f"{deleting}/{place}/org.none")
        hugo.put("empties", f"{mine}/{place}/org.other", {})
        hugo.put("empties nothing", f"{mine}/{place}/org.none", {})
        for name in ("example", "other", "none"):
            hugo.get("gone", f"{mine}/{place}/org.{name}")
        hugo.ask("deletes what is not to be deleted", "DELETE", f"{deleting}/{place}/m.push_rules")
        hugo.ask("deletes a marker", "DELETE", f"{deleting}/{place}/m.fully_read")
    hugo.ask("another's", "DELETE", f"/_matrix/client/unstable/org.matrix.msc3391/user/{quote('@nobody:localhost')}/account_data/org.example")
    hugo.sync("deletions", since, QUIET)
    hugo.sync("first", filter=fresh())


def before_sync(recorder):
    """`/initialSync` and `/events`."""
    inge, jens, room = couple(recorder, "inge", "jens")
    nora = person(recorder, "nora")
    path = room_path(room)
    for number in range(3):
        last = say(inge, room, f"{number}", f"i{number}")
    jens.post("", f"{path}/receipt/m.read/{quote(last)}", {})
    jens.put("", f"user/{quote(jens.user)}/{path}/tags/u.x", {})
    jens.put("", f"user/{quote(jens.user)}/account_data/org.example", {"a": 1})
    for query in ("", "?limit=1", "?limit=0", "?limit=x", "?from=nonsense", "?archived=x", "?dir=x"):
        jens.get(f"initialSync{query}", f"initialSync{query}")
    jens.get("of the room, wrongly", f"{path}/initialSync?limit=x")
    shown = jens.get("of the room", f"{path}/initialSync?limit=2", record=False)
    shown["presence"] = sorted(event["content"]["user_id"] for event in shown["presence"])
    recorder.note("of the room", 200, shown)
    nora.get("of another's room", f"{path}/initialSync")
    nora.get("events of another's room", f"events?timeout=0&room_id={quote(room)}")
    nora.get("initialSync of nobody's rooms", "initialSync")
    token = jens.get("events from now", "events?timeout=0")["end"]
    jens.get("nothing yet", f"events?timeout=0&from={quote(token)}")
    say(inge, room, "news", "i8")
    token = chunk(recorder, jens, "a message", f"events?timeout=0&from={quote(token)}")
    inge.put("", f"{path}/state/m.room.topic/", {"topic": "x"})
    token = chunk(recorder, jens, "state", f"events?timeout=0&from={quote(token)}&room_id={quote(room)}")
    for query in ("from=nonsense", "timeout=x", "limit=x", "room_id=nonsense"):
        jens.get(query, f"events?{query}")
    inge.put("", f"{path}/state/m.room.history_visibility/", {"history_visibility": "world_readable"})
    say(inge, room, "for all", "i9")
    peeked = nora.get("peeks", f"{path}/initialSync?limit=1", record=False)
    recorder.note("peeks", 200, [sorted(peeked), [event["content"].get("body") for event in peeked["messages"]["chunk"]]])
    jens.post("leaves", f"{path}/leave", {})
    left = jens.get("has left", f"{path}/initialSync?limit=2", record=False)
    recorder.note("has left", 200, [sorted(left), left["membership"], [event["type"] for event in left["messages"]["chunk"]]])
    left = jens.get("initialSync of a left room", "initialSync?archived=true&limit=1", record=False)["rooms"][0]
    recorder.note("initialSync of a left room", 200, [left["membership"], left["visibility"], sorted(event["type"] for event in left["state"])])


def chunk(recorder, caller, label, path):
    """Records the room events of a part of the stream; what else came meanwhile (presence, receipts) depends on the moment."""
    answer = caller.get(label, path, record=False)
    recorder.note(label, 200, [event for event in answer["chunk"] if "event_id" in event])
    return answer["end"]


SCENES = [state_after, sections, ignoring, deleted_data, before_sync]
