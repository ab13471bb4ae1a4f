"""Scenes of what every client does: accounts, rooms, events, syncing, settings, directory."""

import json
import time
from urllib.parse import quote

from parts.caller import Caller, person


def room_path(room):
    return f"rooms/{quote(room)}"


def say(caller, room, text, transaction, label="says", **more):
    body = {"msgtype": "m.text", "body": text, **more}
    return caller.put(label, f"{room_path(room)}/send/m.room.message/{transaction}", body).get("event_id", "$refused")


def server(recorder):
    nobody = Caller(recorder)
    nobody.get("", "/_matrix/client/v3/nothing")
    nobody.get("", "/_matrix/client/v3/rooms")
    nobody.get("", "/_matrix/nothing")
    nobody.post("", "logout", {})
    nobody.get("without a token", "account/whoami")
    nobody.get("with an unknown token", "account/whoami?access_token=nonsense")
    nobody.get("", "register/available?username=free")
    nobody.get("", "register/available?username=NOT%20FREE")
    nobody.get("", "register/available")
    nobody.ask("wrong method", "PATCH", "account/whoami")
    nobody.get("wrong method", "createRoom")


def accounts(recorder):
    nobody = Caller(recorder)
    first = nobody.post("asks for flows", "register", {"username": "alva", "password": "a long password"})
    nobody.post("unknown stage", "register", {"auth": {"type": "m.login.sso", "session": first["session"]}})
    whole = {"username": "alva", "password": "a long password", "device_id": "ALVAPHONE"}
    done = nobody.post("dummy stage", "register", {**whole, "auth": {"type": "m.login.dummy", "session": first["session"]}})
    nobody.post("name taken", "register", {"username": "alva", "password": "x", "auth": {"type": "m.login.dummy"}})
    nobody.post("bad name", "register", {"username": "Älva", "password": "x", "auth": {"type": "m.login.dummy"}})
    nobody.post("digits", "register", {"username": "123", "password": "x", "auth": {"type": "m.login.dummy"}})
    nobody.post("underscore", "register", {"username": "_alva", "password": "x", "auth": {"type": "m.login.dummy"}})
    nobody.post("no password", "register", {"username": "berta", "auth": {"type": "m.login.dummy"}})
    nobody.post("password of a wrong type", "register", {"username": "berta", "password": 5})
    nobody.post("name of a wrong type", "register", {"username": 5, "password": "x", "auth": {"type": "m.login.dummy"}})
    nobody.ask("no JSON", "POST", "register", raw=b"{")
    nobody.ask("a list", "POST", "register", raw=b"[]")
    nobody.post("inhibit_login", "register", {"username": "cora", "password": "x", "inhibit_login": True, "auth": {"type": "m.login.dummy"}})
    nobody.post("kind guest", "register?kind=guest", {})
    nobody.post("kind nonsense", "register?kind=nonsense", {})

    def log_in(label, user, password, **more):
        return nobody.post(label, "login", {"type": "m.login.password", "password": password, **user, **more})

    def named(name):
        return {"identifier": {"type": "m.id.user", "user": name}}

    log_in("wrong password", named("alva"), "wrong")
    log_in("nobody of that name", named("nobody"), "wrong")
    log_in("other server", named("@alva:example.org"), "a long password")
    log_in("unknown identifier", {"identifier": {"type": "m.id.nothing"}}, "x")
    log_in("no identifier", {}, "x")
    log_in("empty name", named(""), "x")
    nobody.post("no type", "login", {})
    nobody.post("unknown type", "login", {"type": "m.login.nothing"})
    nobody.post("no password", "login", {"type": "m.login.password", **named("alva")})
    log_in("upper case", named("ALVA"), "a long password", device_id="TABLET", initial_device_display_name="Tablet")
    log_in("old form", {"user": "alva"}, "a long password", device_id="TABLET")
    caller = Caller(recorder, "alva")
    caller.token = done["access_token"]
    laptop = Caller(recorder, "alva")
    laptop.token = log_in("again", named("@alva:localhost"), "a long password", device_id="LAPTOP")["access_token"]
    laptop.get("", "account/whoami")
    laptop.get("", "devices/LAPTOP")
    laptop.get("", "devices/NONE")
    laptop.put("renames", "devices/LAPTOP", {"display_name": "Laptop"})
    laptop.put("renames nothing", "devices/NONE", {"display_name": "Laptop"})
    laptop.put("renames badly", "devices/LAPTOP", {"display_name": 5})
    laptop.put("renames at length", "devices/LAPTOP", {"display_name": "x" * 200})
    laptop.get("", "devices/LAPTOP")
    answer = laptop.ask("deletes without proof", "DELETE", "devices/TABLET", {})
    proof = {"type": "m.login.password", **named("alva"), "password": "a long password", "session": answer["session"]}
    laptop.ask("deletes with a wrong password", "DELETE", "devices/TABLET", {"auth": {**proof, "password": "wrong"}})
    laptop.ask("deletes", "DELETE", "devices/TABLET", {"auth": proof})
    laptop.get("", "devices/TABLET")
    laptop.get("", "account/3pid")
    answer = laptop.post("new password without proof", "account/password", {"new_password": "another password"})
    proof["session"] = answer["session"]
    laptop.post("new password", "account/password", {"new_password": "another password", "auth": proof})
    caller.get("logged out by it", "account/whoami")
    log_in("old password", named("alva"), "a long password")
    laptop.post("logs out", "logout", {})
    laptop.get("is logged out", "account/whoami")
    last = Caller(recorder, "alva")
    last.token = log_in("new password", named("alva"), "another password", device_id="LAST")["access_token"]
    last.get("", "capabilities", record=False)
    last.post("logs out everywhere", "logout/all", {})
    last.get("is logged out", "devices")


def profiles(recorder):
    dora, emil = person(recorder, "dora"), person(recorder, "emil")
    mine = f"profile/{quote(dora.user)}"
    emil.get("", mine)
    dora.put("", f"{mine}/displayname", {"displayname": "Dora"})
    dora.put("", f"{mine}/avatar_url", {"avatar_url": "mxc://localhost/face"})
    dora.put("not hers", f"profile/{quote(emil.user)}/displayname", {"displayname": "x"})
    dora.put("wrong type", f"{mine}/displayname", {"displayname": 5})
    dora.put("missing", f"{mine}/displayname", {})
    dora.put("too long", f"{mine}/displayname", {"displayname": "x" * 300})
    dora.put("no mxc", f"{mine}/avatar_url", {"avatar_url": "http://localhost/face"})
    dora.put("own field", f"{mine}/org.example.field", {"org.example.field": {"a": [1]}})
    dora.put("own field, other key", f"{mine}/org.example.field", {"other": 1})
    emil.get("", mine)
    emil.get("", f"{mine}/displayname")
    emil.get("", f"{mine}/avatar_url")
    emil.get("", f"{mine}/org.example.field")
    emil.get("unknown field", f"{mine}/org.example.none")
    emil.get("nobody", f"profile/{quote('@nobody:localhost')}")
    emil.get("no identifier", "profile/nonsense")
    dora.ask("", "DELETE", f"{mine}/org.example.field")
    dora.put("clears", f"{mine}/displayname", {"displayname": ""})
    Caller(recorder).get("asked by nobody", mine)


def rooms(recorder):
    frida, gero, hilde = (person(recorder, name) for name in ("frida", "gero", "hilde"))
    frida.put("", f"profile/{quote(frida.user)}/displayname", {"displayname": "Frida"})
    room = frida.post("private", "createRoom", {"name": "Tea", "topic": "Two", "room_version": "11", "invite": [gero.user]})["room_id"]
    path = room_path(room)
    frida.get("state of a private room", f"{path}/state")
    for preset in ("private_chat", "trusted_private_chat", "public_chat"):
        for version in ("10", "11", "12"):
            body = {"preset": preset, "room_version": version, "invite": [gero.user], "is_direct": preset != "public_chat"}
            made = frida.post(f"{preset} {version}", "createRoom", body)["room_id"]
            frida.get(f"state of {preset} {version}", f"{room_path(made)}/state")
    for label, body in {
        "unknown preset": {"preset": "nonsense"},
        "unknown version": {"room_version": "77"},
        "version of a wrong type": {"room_version": 10},
        "invite of a wrong type": {"invite": "x"},
        "invite of nobody": {"invite": ["nobody"]},
        "initial_state of a wrong type": {"initial_state": "x"},
        "initial_state without type": {"initial_state": [{}]},
        "creation_content of a wrong type": {"creation_content": "x"},
        "power levels of a wrong type": {"power_level_content_override": "x"},
        "alias with a colon": {"room_alias_name": "a:b"},
        "alias with a space": {"room_alias_name": "a b"},
        "name of a wrong type": {"name": 5},
        "topic of a wrong type": {"topic": []},
        "creator among the levels": {"room_version": "12", "power_level_content_override": {"users": {frida.user: 100}}},
        "everything": {
            "preset": "public_chat", "room_version": "11", "name": "All", "topic": "Everything", "room_alias_name": "all", "visibility": "public",
            "creation_content": {"m.federate": False, "org.example.x": 1},
            "initial_state": [
                {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
                {"type": "org.example.s", "state_key": "k", "content": {"v": 1}},
            ],
            "power_level_content_override": {"users": {frida.user: 100, gero.user: 50}, "events_default": 1},
        },
        "alias taken": {"room_alias_name": "all"},
    }.items():
        answer = frida.post(label, "createRoom", body)
        if "room_id" in answer:
            frida.get(f"state after {label}", f"{room_path(answer['room_id'])}/state")
            frida.get(f"levels after {label}", f"{room_path(answer['room_id'])}/state/m.room.power_levels/")
    membership(frida, gero, hilde, room)


def membership(frida, gero, hilde, room):
    path = room_path(room)
    hilde.post("joins uninvited", f"join/{quote(room)}", {})
    hilde.get("reads uninvited", f"{path}/state")
    hilde.get("reads uninvited", f"{path}/messages?dir=b")
    gero.sync("invited")
    gero.get("invited, reads", f"{path}/members")
    gero.post("joins", f"join/{quote(room)}", {"reason": "invited"})
    gero.post("joins again", f"{path}/join", {})
    frida.post("invites one who is in", f"{path}/invite", {"user_id": gero.user})
    gero.post("invites", f"{path}/invite", {"user_id": hilde.user, "reason": "come"})
    gero.post("invites without name", f"{path}/invite", {})
    gero.post("invites nonsense", f"{path}/invite", {"user_id": "nonsense"})
    hilde.post("declines", f"{path}/leave", {"reason": "no"})
    hilde.post("leaves again", f"{path}/leave", {})
    gero.post("kicks above", f"{path}/kick", {"user_id": frida.user})
    frida.post("kicks one who is not in", f"{path}/kick", {"user_id": hilde.user})
    frida.post("bans", f"{path}/ban", {"user_id": hilde.user, "reason": "spam"})
    frida.post("invites a banned one", f"{path}/invite", {"user_id": hilde.user})
    hilde.post("joins though banned", f"{path}/join", {})
    frida.post("unbans", f"{path}/unban", {"user_id": hilde.user})
    frida.post("unbans again", f"{path}/unban", {"user_id": hilde.user})
    frida.get("", f"{path}/members")
    frida.get("", f"{path}/members?membership=join")
    frida.get("", f"{path}/members?not_membership=join")
    frida.get("", f"{path}/members?membership=nonsense")
    frida.get("", f"{path}/joined_members")
    frida.get("", "joined_rooms", record=False)
    gero.post("forgets though in", f"{path}/forget", {})
    frida.post("kicks", f"{path}/kick", {"user_id": gero.user, "reason": "bye"})
    gero.get("kicked, reads", f"{path}/state/m.room.name/")
    gero.sync("kicked", filter={"room": {"include_leave": True}})
    gero.post("forgets", f"{path}/forget", {})
    gero.get("forgotten, reads", f"{path}/members")
    frida.post("joins nothing", f"join/{quote('!nothinghereatall:localhost')}", {})
    frida.post("joins no alias", f"join/{quote('#none:localhost')}", {})
    frida.post("joins nonsense", "join/nonsense", {})
    frida.get("not known", f"{room_path('!nothinghereatall:localhost')}/state")
    public = frida.post("public", "createRoom", {"preset": "public_chat", "room_version": "11", "room_alias_name": "square"})["room_id"]
    hilde.post("joins by alias", f"join/{quote('#square:localhost')}", {})
    hilde.put("sets own member event", f"{room_path(public)}/state/m.room.member/{quote(hilde.user)}", {"membership": "join", "displayname": "H"})
    hilde.put("sets another's member event", f"{room_path(public)}/state/m.room.member/{quote(gero.user)}", {"membership": "join"})
    hilde.put("wrong membership", f"{room_path(public)}/state/m.room.member/{quote(hilde.user)}", {"membership": "nonsense"})
    hilde.post("leaves", f"{room_path(public)}/leave", {})
    hilde.sync("left", filter={"room": {"rooms": [public]}})
    hilde.sync("left, with leave", filter={"room": {"include_leave": True, "rooms": [public]}})


def events(recorder):
    ida, jan = person(recorder, "ida"), person(recorder, "jan")
    room = ida.post("", "createRoom", {"preset": "public_chat", "invite": [jan.user]})["room_id"]
    path = room_path(room)
    jan.post("", f"join/{quote(room)}", {})
    first = say(ida, room, "one", "t1")
    say(ida, room, "again", "t1", "the same transaction")
    say(jan, room, "two", "t1")
    ida.get("", f"{path}/event/{quote(first)}")
    jan.get("another's event", f"{path}/event/{quote(first)}")
    ida.get("no event", f"{path}/event/{quote('$nothinghereatallnothingatall')}")
    ida.ask("no JSON", "PUT", f"{path}/send/m.room.message/t2", raw=b"{")
    ida.ask("a list", "PUT", f"{path}/send/m.room.message/t2", raw=b"[]")
    ida.put("a float", f"{path}/send/m.room.message/t2", {"n": 1.5})
    ida.put("too large a number", f"{path}/send/m.room.message/t2", {"n": 2**60})
    ida.put("too large", f"{path}/send/m.room.message/t2", {"body": "x" * 70000})
    ida.put("type too long", f"{path}/send/{'x' * 300}/t2", {})
    ida.put("no room", f"{room_path('!nothinghereatall:localhost')}/send/m.room.message/t2", {})
    ida.put("no message", f"{path}/send/m.room.message/t3", {})
    ida.put("own type", f"{path}/send/org.example.event/t4", {"a": {"b": [1, None, True, "ü\u0000x"[:1]]}})
    ida.put("state", f"{path}/state/org.example.state", {"v": 1})
    ida.put("the same state", f"{path}/state/org.example.state/", {"v": 1})
    ida.put("other state", f"{path}/state/org.example.state/key", {"v": 2})
    ida.get("", f"{path}/state/org.example.state")
    ida.get("", f"{path}/state/org.example.state/key")
    ida.get("as an event", f"{path}/state/org.example.state/key?format=event")
    ida.get("none", f"{path}/state/org.example.none/key")
    jan.put("may not", f"{path}/state/m.room.name/", {"name": "Jan's"})
    jan.put("another's key", f"{path}/state/org.example.own/{quote(ida.user)}", {})
    ida.put("name", f"{path}/state/m.room.name/", {"name": "Ida's"})
    ida.put("levels of a wrong type", f"{path}/state/m.room.power_levels/", {"users": {ida.user: "100"}})
    ida.put("alias that is none", f"{path}/state/m.room.canonical_alias/", {"alias": "#none:localhost"})
    ida.put("topic", f"{path}/state/m.room.topic/", {"topic": "t"})
    slip = say(jan, room, "slip", "t5")
    jan.put("redacts", f"{path}/redact/{quote(slip)}/r1", {"reason": "slip"})
    jan.put("redacts again, same transaction", f"{path}/redact/{quote(slip)}/r1", {"reason": "slip"})
    jan.put("redacts another's", f"{path}/redact/{quote(first)}/r2", {})
    jan.put("redacts nothing", f"{path}/redact/{quote('$nothinghereatallnothingatall')}/r3", {})
    ida.get("redacted", f"{path}/event/{quote(slip)}")
    relations(ida, jan, room, first)
    history(ida, jan, room, first)


def relations(ida, jan, room, first):
    path = room_path(room)
    like = {"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "+"}}
    jan.put("likes", f"{path}/send/m.reaction/l1", like)
    jan.put("likes twice", f"{path}/send/m.reaction/l2", like)
    change = {"m.new_content": {"msgtype": "m.text", "body": "One"}, "m.relates_to": {"rel_type": "m.replace", "event_id": first}}
    say(ida, room, "* One", "e1", "edits", **change)
    root = say(ida, room, "root", "h0")
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    inside = say(jan, room, "in the thread", "h1", "in a thread", **thread)
    say(ida, room, "in the thread", "h2", "in a thread", **thread)
    say(jan, room, "thread in thread", "h3", "thread below a thread", **{"m.relates_to": {"rel_type": "m.thread", "event_id": inside}})
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": root}}}
    say(jan, room, "reply", "h4", "replies", **reply)
    say(jan, room, "refers", "h5", "refers", **{"m.relates_to": {"rel_type": "m.reference", "event_id": root}})
    faulty_relations(ida, jan, room, first, root)
    for event in (first, root):
        ida.get("with relations", f"{path}/event/{quote(event)}")
        below = f"/_matrix/client/v1/{path}/relations/{quote(event)}"
        for rest in ("", "/m.annotation", "/m.replace", "/m.thread", "/m.reference", "/m.annotation/m.reaction", "/m.thread?dir=f", "?limit=1", "?limit=0", "?limit=x", "?recurse=true"):
            ida.get("relations", below + rest)


def faulty_relations(ida, jan, room, first, root):
    """Relations that break a rule: refused, or sent and not shown."""
    path = room_path(room)

    def relation(kind, event, **more):
        return {"m.new_content": {"msgtype": "m.text", "body": "new"}, "m.relates_to": {"rel_type": kind, "event_id": event, **more}}

    for number, event in enumerate(("nonsense", "$nothinghereatallnothingatall", "")):
        for kind in ("m.annotation", "m.thread", "m.replace", "m.reference", "org.example.x"):
            say(jan, room, "no parent", f"f{number}{kind}", f"relates by {kind} to '{event}'", **relation(kind, event, key="+"))
    for number, relates in enumerate(("x", [], {"rel_type": "m.thread"}, {"event_id": root}, {"rel_type": 1, "event_id": root})):
        say(jan, room, "no relation", f"g{number}", f"relates as {relates}", **{"m.relates_to": relates})
    for number, key in enumerate((None, 1, "x" * 500, "x" * 501)):
        jan.put(f"key {str(key)[:9]}", f"{path}/send/m.reaction/k{number}", relation("m.annotation", first, key=key))
    elsewhere = ida.post("another room", "createRoom", {}).get("room_id", "!refused")
    for kind in ("m.annotation", "m.thread", "m.replace", "m.reference"):
        say(ida, elsewhere, "from elsewhere", f"o{kind}", f"relates by {kind} from elsewhere", **relation(kind, first, key="+"))
    say(jan, room, "another's", "e2", "edits another's", **relation("m.replace", first))
    ida.put("sticker", f"{path}/send/m.sticker/e3", relation("m.replace", first))
    edit = say(ida, room, "* Two", "e4", "edits again", **relation("m.replace", first))
    say(ida, room, "* Three", "e5", "edits the edit", **relation("m.replace", edit))
    say(ida, room, "about the edit", "e6", "refers to the edit", **relation("m.reference", edit))
    say(ida, room, "at the edit", "e7", "thread at the edit", **relation("m.thread", edit))
    ida.get("the edit", f"{path}/event/{quote(edit)}")
    begun = say(ida, room, "begins", "b0")
    say(ida, room, "* begins", "b1", "edits", **relation("m.replace", begun))
    say(jan, room, "goes on", "b2", "in a thread", **relation("m.thread", begun))
    say(jan, room, "refers", "b3", "refers", **relation("m.reference", begun))
    for caller in (ida, jan):
        caller.get("thread", f"{path}/event/{quote(begun)}")
    ida.put("redacts the root", f"{path}/redact/{quote(begun)}/b4", {})
    ida.get("redacted root", f"{path}/event/{quote(begun)}")


def history(ida, jan, room, first):
    path = room_path(room)
    for query in (
        "dir=b&limit=5", "dir=f&limit=5", "dir=b&limit=100", "dir=b", "limit=3", "dir=x", "dir=b&limit=x", "dir=b&limit=-1",
        "dir=b&from=nonsense", "dir=b&filter=" + quote('{"types":["m.room.member"]}'), "dir=b&filter=nonsense",
        "dir=b&filter=" + quote(json.dumps({"not_senders": [ida.user]})), "dir=b&filter=" + quote('{"lazy_load_members":true}'),
        "dir=b&limit=3&filter=" + quote('{"related_by_rel_types":["m.thread"]}'),
    ):
        jan.get(f"messages {query}", f"{path}/messages?{query}")
    chunk = jan.get("first page", f"{path}/messages?dir=b&limit=4")
    if "end" in chunk:
        chunk = jan.get("second page", f"{path}/messages?dir=b&limit=4&from={quote(chunk['end'])}")
    if "start" in chunk:
        jan.get("and forwards", f"{path}/messages?dir=f&limit=4&from={quote(chunk['start'])}")
    for query in ("", "?limit=4", "?limit=0", "?limit=x", "?filter=" + quote('{"lazy_load_members":true}')):
        jan.get(f"context {query}", f"{path}/context/{quote(first)}{query}")
    jan.get("context of nothing", f"{path}/context/{quote('$nothinghereatallnothingatall')}")
    later = f"/_matrix/client/v1/{path}/timestamp_to_event"
    jan.get("first event", f"{later}?ts=0&dir=f")
    jan.get("before all", f"{later}?ts=0&dir=b")
    jan.get("no time", f"{later}?dir=f")
    jan.get("aliases", f"{path}/aliases")


def syncing(recorder):
    """In rooms of version 11: of version 12 Synapse alone gives creation events a `room_id` in sync, and filters lose them."""
    karl, lena = person(recorder, "karl"), person(recorder, "lena")
    karl.sync("of an empty account")
    room = karl.post("", "createRoom", {"preset": "private_chat", "name": "Sync", "room_version": "11", "invite": [lena.user]})["room_id"]
    path = room_path(room)
    invited = lena.sync("with an invite")
    lena.post("", f"join/{quote(room)}", {})
    since = lena.sync("after the join", invited["next_batch"])["next_batch"]
    for number in range(3):
        last = say(karl, room, f"{number}", f"s{number}")
    lena.sync("news", since)
    lena.sync("gap", since, {"room": {"timeline": {"limit": 1}}})
    lena.sync("news without timeline", since, {"room": {"timeline": {"not_types": ["m.room.message"]}}})
    lena.sync("from the beginning", filter={"room": {"timeline": {"limit": 2}}})
    lena.sync("lazy", filter={"room": {"timeline": {"limit": 1}, "state": {"lazy_load_members": True}}})
    lena.sync("no presence, few rooms", filter={"presence": {"types": []}, "room": {"rooms": []}})
    lena.sync("only some fields", filter={"event_fields": ["type", "state_key", "content.body"], "room": {"timeline": {"limit": 1}}})
    lena.sync("federation format", filter={"event_format": "federation", "room": {"timeline": {"limit": 1, "types": ["m.room.message"]}, "state": {"types": []}}})
    lena.get("full state", f"sync?timeout=0&full_state=true&since={quote(since)}")
    lena.get("bad token", "sync?since=nonsense")
    lena.get("bad filter", "sync?filter=nonsense")
    lena.get("filter that is none", "sync?filter=77")
    lena.get("bad timeout", "sync?timeout=x")
    lena.get("bad presence", "sync?timeout=0&set_presence=nonsense")
    since = lena.sync("again", since)["next_batch"]
    karl.put("types", f"{path}/typing/{quote(karl.user)}", {"typing": True, "timeout": 20000})
    karl.put("types for another", f"{path}/typing/{quote(lena.user)}", {"typing": True})
    karl.put("types badly", f"{path}/typing/{quote(karl.user)}", {})
    since = lena.get("typing", f"sync?timeout=5000&since={quote(since)}")["next_batch"]
    lena.post("reads", f"{path}/receipt/m.read/{quote(last)}", {})
    lena.post("reads privately", f"{path}/receipt/m.read.private/{quote(last)}", {})
    lena.post("unknown receipt", f"{path}/receipt/m.nonsense/{quote(last)}", {})
    lena.post("reads nothing", f"{path}/receipt/m.read/{quote('$nothinghereatallnothingatall')}", {})
    lena.post("reads in a thread", f"{path}/receipt/m.read/{quote(last)}", {"thread_id": 5})
    lena.post("markers", f"{path}/read_markers", {"m.fully_read": last, "m.read": last})
    lena.post("markers of a wrong type", f"{path}/read_markers", {"m.fully_read": 5})
    karl.put("stops typing", f"{path}/typing/{quote(karl.user)}", {"typing": False})
    lena.sync("receipts", since, {"presence": {"types": []}})
    say(karl, room, "lena: ping", "p1", **{"m.mentions": {"user_ids": [lena.user]}})
    lena.sync("a mention", since, {"presence": {"types": []}, "room": {"timeline": {"limit": 5}}})
    lena.get("", "notifications", record=False)
    karl.post("leaves", f"{path}/leave", {})
    lena.sync("after a leave", since, {"presence": {"types": []}, "room": {"timeline": {"limit": 5}}})


def settings_of_users(recorder):
    mia, nils = person(recorder, "mia"), person(recorder, "nils")
    room = mia.post("", "createRoom", {})["room_id"]
    mine = f"user/{quote(mia.user)}"
    mia.put("", f"{mine}/account_data/org.example.a", {"a": 1})
    mia.get("", f"{mine}/account_data/org.example.a")
    mia.get("none", f"{mine}/account_data/org.example.none")
    mia.put("reserved", f"{mine}/account_data/m.push_rules", {})
    mia.put("reserved", f"{mine}/account_data/m.fully_read", {})
    mia.ask("a list", "PUT", f"{mine}/account_data/org.example.a", raw=b"[]")
    mia.put("another's", f"user/{quote(nils.user)}/account_data/org.example.a", {})
    mia.get("another's", f"user/{quote(nils.user)}/account_data/org.example.a")
    mia.put("", f"{mine}/rooms/{quote(room)}/account_data/org.example.r", {"r": 1})
    mia.get("", f"{mine}/rooms/{quote(room)}/account_data/org.example.r")
    mia.put("no room", f"{mine}/rooms/nonsense/account_data/org.example.r", {"r": 1})
    mia.put("reserved", f"{mine}/rooms/{quote(room)}/account_data/m.fully_read", {})
    mia.put("", f"{mine}/rooms/{quote(room)}/tags/m.favourite", {"order": 0.25})
    mia.put("no order", f"{mine}/rooms/{quote(room)}/tags/u.own", {})
    mia.put("bad order", f"{mine}/rooms/{quote(room)}/tags/u.own", {"order": "x"})
    mia.get("", f"{mine}/rooms/{quote(room)}/tags")
    mia.ask("", "DELETE", f"{mine}/rooms/{quote(room)}/tags/u.own")
    mia.ask("again", "DELETE", f"{mine}/rooms/{quote(room)}/tags/u.own")
    mia.get("", f"{mine}/rooms/{quote(room)}/tags")
    made = mia.post("", f"{mine}/filter", {"room": {"timeline": {"limit": 3}}})
    mia.get("", f"{mine}/filter/{made['filter_id']}")
    mia.get("none", f"{mine}/filter/77")
    mia.get("nonsense", f"{mine}/filter/nonsense")
    mia.post("wrong type", f"{mine}/filter", {"room": 5})
    mia.post("bad limit", f"{mine}/filter", {"room": {"timeline": {"limit": "x"}}})
    mia.post("bad rooms", f"{mine}/filter", {"room": {"rooms": ["nonsense"]}})
    mia.post("another's", f"user/{quote(nils.user)}/filter", {})
    mia.sync("account data", filter={"presence": {"types": []}, "room": {"state": {"types": []}, "timeline": {"limit": 1}}})
    push_rules(mia)
    presence(mia, nils)


def push_rules(mia):
    mia.get("", "pushrules/")
    mia.get("", "pushrules/global/")
    mia.get("", "pushrules/global/override/.m.rule.master")
    mia.get("", "pushrules/global/override/.m.rule.master/enabled")
    mia.get("", "pushrules/global/override/.m.rule.master/actions")
    mia.get("none", "pushrules/global/override/none")
    mia.get("no kind", "pushrules/global/nonsense/x")
    mia.get("no scope", "pushrules/device/")
    rule = {"conditions": [{"kind": "event_match", "key": "type", "pattern": "x"}], "actions": ["notify"]}
    mia.put("", "pushrules/global/override/mine", rule)
    mia.put("before", "pushrules/global/override/first?before=mine", rule)
    mia.put("before none", "pushrules/global/override/second?before=none", rule)
    mia.put("no actions", "pushrules/global/override/bad", {"conditions": []})
    mia.put("bad action", "pushrules/global/override/bad", {"conditions": [], "actions": [5]})
    mia.put("reserved", "pushrules/global/override/.m.own", rule)
    mia.put("content", "pushrules/global/content/word", {"pattern": "word", "actions": [{"set_tweak": "highlight"}]})
    mia.put("content without pattern", "pushrules/global/content/word2", {"actions": []})
    mia.put("room", f"pushrules/global/room/{quote('!a:localhost')}", {"actions": ["dont_notify"]})
    mia.put("disable", "pushrules/global/override/mine/enabled", {"enabled": False})
    mia.put("disable badly", "pushrules/global/override/mine/enabled", {"enabled": "x"})
    mia.put("actions", "pushrules/global/override/mine/actions", {"actions": []})
    mia.put("unknown attribute", "pushrules/global/override/mine/nonsense", {})
    mia.get("", "pushrules/global/override/mine")
    mia.ask("", "DELETE", "pushrules/global/override/first")
    mia.ask("again", "DELETE", "pushrules/global/override/first")
    mia.ask("reserved", "DELETE", "pushrules/global/override/.m.rule.master")
    mia.get("", "pushrules/")


def presence(mia, nils):
    mine = f"presence/{quote(mia.user)}/status"
    mia.put("", mine, {"presence": "unavailable", "status_msg": "tea"})
    mia.get("", mine)
    mia.put("unknown", mine, {"presence": "nonsense"})
    mia.put("none", mine, {})
    mia.put("bad message", mine, {"presence": "online", "status_msg": 5})
    mia.put("another's", f"presence/{quote(nils.user)}/status", {"presence": "online"})
    nils.get("a stranger's", mine)


def directory(recorder):
    olga, paul = person(recorder, "olga"), person(recorder, "paul")
    room = olga.post("", "createRoom", {"preset": "public_chat", "name": "Market", "visibility": "public"})["room_id"]
    alias = f"directory/room/{quote('#market:localhost')}"
    olga.get("none", alias)
    olga.put("", alias, {"room_id": room})
    olga.put("again", alias, {"room_id": room})
    olga.put("no room", f"directory/room/{quote('#other:localhost')}", {})
    olga.put("other server", f"directory/room/{quote('#other:example.org')}", {"room_id": room})
    olga.put("no alias", "directory/room/nonsense", {"room_id": room})
    paul.get("", alias)
    paul.ask("not his", "DELETE", alias)
    olga.get("", f"{room_path(room)}/aliases")
    paul.get("not in it", f"{room_path(room)}/aliases")
    listed = f"directory/list/room/{quote(room)}"
    paul.get("", listed)
    paul.put("not his", listed, {"visibility": "private"})
    olga.put("nonsense", listed, {"visibility": "nonsense"})
    olga.put("", f"{room_path(room)}/state/m.room.canonical_alias/", {"alias": "#market:localhost"})
    paul.post("by name", "publicRooms", {"filter": {"generic_search_term": "market"}})
    paul.post("by nothing", "publicRooms", {"filter": {"generic_search_term": "nothing of the kind"}})
    paul.post("bad limit", "publicRooms", {"limit": "x"})
    olga.put("hides", listed, {"visibility": "private"})
    paul.get("hidden", listed)
    paul.post("hidden", "publicRooms", {"filter": {"generic_search_term": "market"}})
    olga.ask("", "DELETE", alias)
    olga.ask("again", "DELETE", alias)
    paul.get("deleted", alias)


def to_devices(recorder):
    rosa, sven = person(recorder, "rosa"), person(recorder, "sven")
    rosa.put("", "sendToDevice/org.example.a/1", {"messages": {sven.user: {"SVENPHONE": {"n": 1}, "NONE": {"n": 2}}}})
    rosa.put("again", "sendToDevice/org.example.a/1", {"messages": {sven.user: {"SVENPHONE": {"n": 1}}}})
    rosa.put("to all", "sendToDevice/org.example.a/2", {"messages": {sven.user: {"*": {"n": 3}}}})
    rosa.put("no messages", "sendToDevice/org.example.a/3", {})
    rosa.put("bad messages", "sendToDevice/org.example.a/4", {"messages": []})
    rosa.put("bad messages", "sendToDevice/org.example.a/5", {"messages": {sven.user: 5}})
    since = sven.sync("messages")["next_batch"]
    sven.sync("no more", since)


# Each pair is one text to Unicode and two to Matrix: composed Latin, Hangul syllables and jamo, the signs for ångström and kelvin.
EQUIVALENT = [("\u00e9", "e\u0301"), ("\uac00", "\u1100\u1161"), ("\u212b", "\u00c5"), ("\u212a", "K")]


def equivalents(recorder):
    tora, ulf = person(recorder, "tora"), person(recorder, "ulf")
    entered = []
    for number, (one, other) in enumerate(EQUIVALENT):
        room = tora.post("", "createRoom", {"preset": "public_chat", "room_version": "11"})["room_id"]
        entered.append(room)
        here = room_path(room)
        ulf.post("", f"{here}/join", {})
        content = {"msgtype": "m.text", "body": one, one: other, other: one, "deep": [{one: 1, other: 2}]}
        event = tora.put("both keys", f"{here}/send/m.room.message/{quote(one)}", content)["event_id"]
        ulf.get("both keys", f"{here}/event/{quote(event)}")
        tora.put("an equivalent transaction", f"{here}/send/m.room.message/{quote(other)}", {"msgtype": "m.text", "body": other})
        tora.put("the same transaction", f"{here}/send/m.room.message/{quote(one)}", {"msgtype": "m.text", "body": "again"})
        for key in (one, other):
            for text in (one, other):
                tora.put("state", f"{here}/state/org.example.{quote(one)}/{quote(key)}", {text: 1, "text": text})
                ulf.get("state", f"{here}/state/org.example.{quote(one)}/{quote(key)}")
        ulf.get("a type that is not there", f"{here}/state/org.example.{quote(other)}/{quote(one)}")
        levels = {"users": {tora.user: 100, ulf.user: 50, f"@{one}:localhost": 100}, "events": {f"org.example.{one}": 90}, "state_default": 50,
                  "notifications": {one: 90}}
        target = f"{here}/state/m.room.power_levels/"
        tora.put("levels", target, {**levels, "events": {**levels["events"], "m.room.power_levels": 50}})
        levels["events"]["m.room.power_levels"] = 50
        ulf.put("raises a user", target, {**levels, "users": {**levels["users"], f"@{other}:localhost": 100}})
        ulf.put("raises a type", target, {**levels, "events": {**levels["events"], f"org.example.{other}": 90}})
        ulf.put("raises a notification", target, {**levels, "notifications": {**levels["notifications"], other: 90}})
        ulf.put("exchanges a user", target, {**levels, "users": {tora.user: 100, ulf.user: 50, f"@{other}:localhost": 100}})
        ulf.get("levels", target)
        alias = f"directory/room/{quote(f'#{number}{one}:localhost')}"
        tora.put("alias", alias, {"room_id": room})
        ulf.get("an equivalent alias", f"directory/room/{quote(f'#{number}{other}:localhost')}")
        for names in ({"alias": f"#{number}{other}:localhost"}, {"alt_aliases": [f"#{number}{other}:localhost"]}, {"alias": f"#{number}{one}:localhost"}):
            tora.put("canonical alias", f"{here}/state/m.room.canonical_alias/", names)
        kept_by_name(tora, entered, one, other)
        for key in (one, other):
            relation = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": key}}
            ulf.put("reacts", f"{here}/send/m.reaction/{quote('r' + key)}", relation)
        for types in ([f"org.example.{one}"], [f"org.example.{other}"], ["org.example.%\u0301*"]):
            ulf.get("by type", f"{here}/messages?dir=b&limit=50&filter={quote(json.dumps({'types': types}))}")
    tora.get("", "pushrules/")
    # Whole timelines: of one that begins with a state event Synapse tells the state behind that event, not the one before it.
    tora.sync("everything", filter={"room": {"timeline": {"limit": 100}}})


def shown(caller, rooms, name):
    """Waits until the caller's name is shown in rooms: Synapse answers before it is."""
    for room in rooms:
        for _ in range(100):
            member = caller.get("", f"{room_path(room)}/state/m.room.member/{quote(caller.user)}", record=False)
            if member.get("displayname") == name:
                break
            time.sleep(0.1)


def kept_by_name(caller, rooms, one, other):
    """What is kept under a name: account data, tags, rules, filters, and the caller's own names."""
    mine, room = f"user/{quote(caller.user)}", rooms[-1]
    for place in (f"{mine}/account_data/org.example.", f"{mine}/{room_path(room)}/account_data/org.example.", f"{mine}/{room_path(room)}/tags/u."):
        caller.put("keeps", place + quote(one), {"is": one})
        if "tags" not in place:
            caller.get("not kept", place + quote(other))
        caller.put("keeps", place + quote(other), {"is": other})
        if "tags" not in place:
            caller.get("kept", place + quote(one))
            caller.get("kept", place + quote(other))
    caller.get("both tags", f"{mine}/{room_path(room)}/tags")
    caller.ask("one tag", "DELETE", f"{mine}/{room_path(room)}/tags/u.{quote(one)}")
    caller.get("the other", f"{mine}/{room_path(room)}/tags")
    for text in (one, other):
        rule = {"pattern": text, "actions": ["notify"]}
        caller.put("rule", f"pushrules/global/content/{quote(text)}", rule)
        caller.get("rule", f"pushrules/global/content/{quote(text)}")
        number = caller.post("filter", f"{mine}/filter", {"room": {"timeline": {"types": [text]}}})["filter_id"]
        caller.get("filter", f"{mine}/filter/{number}")
        caller.put("name", f"profile/{quote(caller.user)}/displayname", {"displayname": text})
        caller.get("name", f"profile/{quote(caller.user)}/displayname")
        shown(caller, rooms, text)
        caller.put("status", f"presence/{quote(caller.user)}/status", {"presence": "online", "status_msg": text})
        caller.get("status", f"presence/{quote(caller.user)}/status")
        caller.put("device", f"devices/{caller.name.upper()}PHONE", {"display_name": text})
        caller.get("device", f"devices/{caller.name.upper()}PHONE")


SCENES = [server, accounts, profiles, rooms, events, syncing, settings_of_users, directory, to_devices, equivalents]
