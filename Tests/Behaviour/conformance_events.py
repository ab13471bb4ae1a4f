#!/usr/bin/env python3
"""What Complement and sytest ask of events: sending and reading them, who may see them, transactions, relations, redactions, typing, receipts.

Each function is named by a row of Docs/conformance.md.

usage: conformance_events.py CLUSTER_FOLDER
"""

import json
import time
from urllib.parse import quote

from harness import Client, all_of, path

V1 = "/_matrix/client/v1"


def text(body, **more):
    return {"msgtype": "m.text", "body": body, **more}


def relating(kind, event, body="more", **more):
    return text(body, **{"m.relates_to": {"rel_type": kind, "event_id": event, **more}})


def page(client, room, query="?dir=b&limit=100"):
    return client.ok("GET", path("rooms", room, "messages") + query)


def ids(events):
    return [event["event_id"] for event in events]


def refused(checks, name, answer, status=403, code="M_FORBIDDEN"):
    checks.equal(name, (answer.status, answer.errcode), (status, code))


def timeline(answer, room):
    return answer.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {}).get("events", [])


def visible(visibility, owner, **more):
    state = [{"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}}]
    return owner.create_room(preset="public_chat", initial_state=state, **more)


def messages(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = {who: who.sync()["next_batch"] for who in (alice, bob, carol)}
    answer = alice.ok("PUT", path("rooms", room, "send", "m.room.message", "1"), text("Here is the message"))
    checks.that("a message has a name", answer["event_id"].startswith("$"), answer)
    checks.equal("which is the same for the same transaction",
                 alice.ok("PUT", path("rooms", room, "send", "m.room.message", "1"), text("Here is the message")), answer)
    other = alice.ok("POST", path("rooms", room, "send", "m.room.message"), text("without a transaction"))["event_id"]
    for who in (alice, bob):
        seen = who.sync_until(lambda a: other in ids(timeline(a, room)), since[who])
        checks.that("members see both", {answer["event_id"], other} & set(ids(timeline(seen, room))), seen)
        again = who.sync(seen["next_batch"])
        checks.that("and not a second time", other not in str(again), again)
    checks.that("strangers see nothing", room not in str(carol.sync(since[carol])))
    refused(checks, "nor read it", carol.get(path("rooms", room, "messages") + "?dir=b"))
    refused(checks, "nor what is not there", carol.get(path("rooms", "!0:nowhere", "messages") + "?dir=b"))
    found = page(bob, room)
    checks.equal("members read it, the newest first", ids(found["chunk"])[:2], [other, answer["event_id"]])
    checks.that("with where it begins", {"start", "chunk"} <= set(found), found)
    event = [e for e in found["chunk"] if e["event_id"] == other][0]
    checks.that("as events are", {"type", "sender", "content", "origin_server_ts", "event_id", "room_id"} <= set(event), event)


def paging(server, checks):
    alice = server.register()
    room = alice.create_room()
    sent = [alice.say(room, f"Message number {number}") for number in range(20)]
    first = page(alice, room, "?dir=b&limit=8")
    checks.equal("a page", ids(first["chunk"]), sent[:11:-1])
    second = page(alice, room, f"?dir=b&limit=8&from={first['end']}")
    checks.equal("and the next", ids(second["chunk"]), sent[11:3:-1])
    back = page(alice, room, f"?dir=f&limit=8&from={second['end']}")
    checks.equal("and the way back", ids(back["chunk"]), sent[4:12])
    whole, start = [], None
    while True:
        found = page(alice, room, "?dir=b&limit=7" + (f"&from={start}" if start else ""))
        whole += found["chunk"]
        if "end" not in found:
            break
        start = found["end"]
    checks.equal("until the room begins", whole[-1]["type"], "m.room.create")
    checks.that("each event once", len(set(ids(whole))) == len(whole), len(whole))
    synced = alice.sync(filter='{"room":{"timeline":{"limit":5}}}')
    before = synced["rooms"]["join"][room]["timeline"]["prev_batch"]
    checks.equal("a token of a sync pages as well", ids(page(alice, room, f"?dir=b&limit=3&from={before}")["chunk"]), sent[14:11:-1])
    later = alice.say(room, "later")
    checks.equal("as does the one to go on from", ids(page(alice, room, f"?dir=f&from={synced['next_batch']}")["chunk"]), [later])
    event = alice.sync(synced["next_batch"])
    end = event["rooms"]["join"][room]["timeline"].get("prev_batch")
    if end:
        checks.equal("and that of a later one", ids(page(alice, room, f"?dir=b&limit=1&from={end}")["chunk"]), [sent[-1]])


def lazy_members(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    for who in (bob, carol):
        who.join(room)
    for who in (bob, carol):
        who.say(room, "hello")
    wanted = quote(json.dumps({"lazy_load_members": True}))
    found = page(alice, room, f"?dir=b&limit=1&filter={wanted}")
    checks.equal("a page has the members who write in it", [e["state_key"] for e in found["state"]], [carol.user])
    found = page(alice, room, f"?dir=b&limit=2&filter={wanted}&from={found['end']}")
    checks.that("and the next those of it", bob.user in [e["state_key"] for e in found["state"]], found.get("state"))
    checks.that("all are memberships", {e["type"] for e in found["state"]} == {"m.room.member"}, found)


def contexts(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    sent = [alice.say(room, f"{number}") for number in range(9)]
    found = alice.ok("GET", path("rooms", room, "context", sent[4]) + "?limit=4")
    checks.equal("an event", found["event"]["event_id"], sent[4])
    checks.equal("what comes before, newest first", ids(found["events_before"]), [sent[3], sent[2]])
    checks.equal("what comes after", ids(found["events_after"]), sent[5:7])
    checks.that("and where to go on", found["start"] and found["end"], found)
    checks.equal("before", ids(page(alice, room, f"?dir=b&limit=1&from={found['start']}")["chunk"]), [sent[1]])
    checks.equal("and after", ids(page(alice, room, f"?dir=f&limit=1&from={found['end']}")["chunk"]), [sent[7]])
    checks.that("with the state", "m.room.create" in {e["type"] for e in found["state"]}, found["state"])
    for count in (0, 1, 5):
        found = alice.ok("GET", path("rooms", room, "context", sent[4]) + f"?limit={count}")
        checks.that(f"no more than {count} around it", len(found["events_before"]) + len(found["events_after"]) <= count, found)
    checks.that("strangers see none", bob.get(path("rooms", room, "context", sent[4])).status in (403, 404))
    bob.join(room)
    bob.say(room, "mine")
    lazy = quote('{"lazy_load_members":true}')
    found = alice.ok("GET", path("rooms", room, "context", sent[4]) + f"?limit=2&filter={lazy}")
    members = [e["state_key"] for e in found["state"] if e["type"] == "m.room.member"]
    checks.equal("if one wants with the members who write only", members, [alice.user])


def seeing(server, checks):
    alice, bob = server.register(), server.register()
    read = lambda room, event, who=bob: who.get(path("rooms", room, "event", event)).status
    room = visible("shared", alice)
    before = alice.say(room, "before")
    checks.equal("strangers see no event", read(room, before), 404)
    bob.join(room)
    checks.equal("shared: what was before one came", read(room, before), 200)
    event = bob.ok("GET", path("rooms", room, "event", alice.say(room, "Hello")))
    checks.that("an event is whole", event["content"] == text("Hello") and event["type"] == "m.room.message" and event["room_id"] == room
                and event["sender"] == alice.user and isinstance(event["origin_server_ts"], int), event)
    checks.equal("one that is not there", read(room, "$" + "A" * 43), 404)
    room = visible("joined", alice)
    before = alice.say(room, "before")
    bob.join(room)
    checks.equal("joined: what was before one came is not seen", read(room, before), 404)
    checks.equal("joined: what came then is", read(room, alice.say(room, "now")), 200)
    room = visible("invited", alice)
    before = alice.say(room, "before")
    alice.invite(room, bob.user)
    between = alice.say(room, "between")
    bob.join(room)
    checks.equal("invited: what was before the invitation is not", read(room, before), 404)
    checks.equal("invited: what was after it is", read(room, between), 200)
    room = visible("world_readable", alice)
    checks.equal("world_readable: everybody sees", read(room, alice.say(room, "all")), 200)
    boundaries(server, checks, alice, bob)


def boundaries(server, checks, alice, bob):
    """Whoever comes later sees each change of who may see if they may see either side of it."""
    room = visible("joined", alice)
    hidden = alice.say(room, "hidden")
    change = alice.state(room, "m.room.history_visibility", {"history_visibility": "shared"})
    shown = alice.say(room, "shown")
    back = alice.state(room, "m.room.history_visibility", {"history_visibility": "joined"})
    again = alice.say(room, "hidden again")
    bob.join(room)
    found = set(ids(page(bob, room)["chunk"]))
    checks.that("what is shared is seen", shown in found)
    checks.that("with both changes", {change, back} <= found)
    checks.that("and nothing else", not {hidden, again} & found)


def memberships_of_events(server, checks):
    """Each event says what one was when it came."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    before = alice.say(room, "before")
    bob.join(room)
    after = alice.say(room, "after")
    answer = bob.sync_until(lambda a: after in ids(timeline(a, room)))
    events = timeline(answer, room)
    checks.that("both are there", {before, after} <= set(ids(events)), events)
    joined = False
    for event in events:
        joined = joined or (event["type"] == "m.room.member" and event["state_key"] == bob.user)
        checks.equal(f"{event['type']}", event["unsigned"].get("membership"), "join" if joined else "leave")
    found = {event["event_id"]: event["unsigned"].get("membership") for event in page(bob, room)["chunk"]}
    checks.equal("the history says it as well", (found[before], found[after]), ("leave", "join"))


def transactions(server, checks):
    alice = server.register()
    refreshing = server.login(alice.user)
    room, other = alice.create_room(), alice.create_room()
    put = lambda client, room, name, body: client.ok("PUT", path("rooms", room, "send", "m.room.message", name), text(body))["event_id"]
    event = put(alice, room, "abc", "first")
    checks.equal("the same again is the same event", put(alice, room, "abc", "first"), event)
    checks.equal("whatever it says", put(alice, room, "abc", "second"), event)
    checks.that("in another room it is another", put(alice, other, "abc", "first") != event)
    checks.that("from another device it is another", put(refreshing, room, "abc", "first") != event)
    same = server.login(alice.user, device_id=alice.device)
    checks.equal("a second session of the device is the same device", put(same, room, "abc", "first"), event)
    shown = lambda client: {e["event_id"]: e["unsigned"].get("transaction_id") for e in timeline(client.sync(), room)}
    checks.equal("which is told the transaction", shown(same).get(event), "abc")
    checks.equal("as an event too", same.ok("GET", path("rooms", room, "event", event))["unsigned"].get("transaction_id"), "abc")
    checks.equal("another device is not", shown(refreshing).get(event), None)
    made = server.anonymous().ok("POST", path("login"), {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": alice.password, "refresh_token": True})
    client = Client(server.address, made["access_token"], alice.user, made["device_id"])
    event = put(client, room, "def", "first")
    fresh = server.anonymous().ok("POST", path("refresh"), {"refresh_token": made["refresh_token"]})
    client = Client(server.address, fresh["access_token"], alice.user, made["device_id"])
    checks.equal("a new token is the same device", put(client, room, "def", "first"), event)
    checks.equal("and is told the transaction", shown(client).get(event), "def")
    liked = client.ok("PUT", path("rooms", room, "redact", event, "ghi"), {})["event_id"]
    checks.equal("taking away is done once", client.ok("PUT", path("rooms", room, "redact", event, "ghi"), {})["event_id"], liked)


def relations(server, checks):
    alice = server.register()
    room = alice.create_room(preset="public_chat")
    since = alice.sync()["next_batch"]
    root = alice.say(room, "root")
    thread = alice.send(room, relating("m.thread", root, "reply"))
    dummy = alice.send(room, relating("m.thread", root), "m.dummy")
    edit = alice.send(room, relating("m.replace", root, "* edited", **{}) | {"m.new_content": text("edited")})
    ask = lambda more="", query="": ids(alice.ok("GET", f"{V1}/rooms/{room}/relations/{quote(root)}{more}{query}")["chunk"])
    checks.equal("all that relates", set(ask()), {thread, dummy, edit})
    checks.equal("of one kind", set(ask("/m.thread")), {thread, dummy})
    checks.equal("and type", ask("/m.thread/m.room.message"), [thread])
    root = alice.say(room, "root")
    before = [alice.send(room, relating("m.thread", root, f"{number}")) for number in range(5)]
    token = alice.sync_until(lambda a: before[-1] in str(a), since)["next_batch"]
    after = [alice.send(room, relating("m.thread", root, f"{number}")) for number in range(5, 10)]
    sent = before + after
    target = f"{V1}/rooms/{room}/relations/{quote(root)}?limit=3"
    found = alice.ok("GET", target)
    checks.equal("a page, newest first", ids(found["chunk"]), sent[:6:-1])
    found = alice.ok("GET", f"{target}&from={found['next_batch']}")
    checks.equal("and the next", ids(found["chunk"]), sent[6:3:-1])
    found = alice.ok("GET", f"{target}&dir=f")
    checks.equal("a page from the beginning", ids(found["chunk"]), sent[:3])
    found = alice.ok("GET", f"{target}&dir=f&from={found['next_batch']}")
    checks.equal("and the next there", ids(found["chunk"]), sent[3:6])
    found = alice.ok("GET", f"{target}&dir=f&from={token}")
    checks.equal("a page from a sync on", ids(found["chunk"]), after[:3])
    found = alice.ok("GET", f"{target}&dir=f&from={found['next_batch']}")
    checks.equal("and its next", ids(found["chunk"]), after[3:])


def redactions(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room, other = alice.create_room(preset="public_chat"), alice.create_room()
    for who in (bob, carol):
        who.join(room)
    redact = lambda client, event, place=None, **body: client.put(path("rooms", place or room, "redact", event, client.transaction()), body)
    own, mine = bob.say(room, "his"), bob.say(room, "his too")
    refused(checks, "others take nothing away", redact(carol, own))
    checks.equal("it is whole", alice.ok("GET", path("rooms", room, "event", own))["content"]["body"], "his")
    first = redact(bob, own, reason="slip")
    checks.equal("whoever wrote it takes it away", first.status, 200)
    event = alice.ok("GET", path("rooms", room, "event", own))
    checks.equal("its content is gone", event["content"], {})
    checks.equal("and it says why", event["unsigned"]["redacted_because"]["content"]["reason"], "slip")
    checks.equal("whoever has the power does", redact(alice, mine).status, 200)
    elsewhere = alice.say(other, "elsewhere")
    answer = redact(alice, elsewhere)
    checks.that("not from another room", answer.status in (400, 403, 404) and alice.ok("GET", path("rooms", other, "event", elsewhere))["content"], answer)
    redact(alice, first["event_id"])
    event = alice.ok("GET", path("rooms", room, "event", first["event_id"]))
    checks.that("a reason is taken away as well", "reason" not in event["content"], event)
    stranger = server.register()
    checks.equal("who is not in it takes nothing away", redact(stranger, alice.say(room, "x")).status, 403)


def typing(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since, strange = bob.sync()["next_batch"], carol.sync()["next_batch"]
    told = lambda a: [e for e in a.get("rooms", {}).get("join", {}).get(room, {}).get("ephemeral", {}).get("events", []) if e["type"] == "m.typing"]
    alice.ok("PUT", path("rooms", room, "typing", alice.user), {"typing": True, "timeout": 10000})
    answer = bob.sync_until(lambda a: told(a), since)
    checks.equal("members see who types", told(answer)[-1]["content"], {"user_ids": [alice.user]})
    checks.that("without the room's name", "room_id" not in told(answer)[-1], told(answer))
    checks.that("a first sync tells it", told(bob.sync(filter='{"room":{"timeline":{"limit":2}}}')), "")
    checks.that("strangers see nothing", room not in str(carol.sync(strange)))
    alice.ok("PUT", path("rooms", room, "typing", alice.user), {"typing": False})
    answer = bob.sync_until(lambda a: told(a), answer["next_batch"])
    checks.equal("and who has stopped", told(answer)[-1]["content"], {"user_ids": []})
    refused(checks, "who is not in it does not type", carol.put(path("rooms", room, "typing", carol.user), {"typing": True, "timeout": 1}))
    answer = bob.put(path("rooms", room, "typing", alice.user), {"typing": True, "timeout": 1})
    checks.that("nor for another", answer.status in (400, 403) and answer.errcode == "M_FORBIDDEN", answer)


def receipts(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.say(room, "read me")
    since = alice.sync()["next_batch"]
    told = lambda a: [e for e in a.get("rooms", {}).get("join", {}).get(room, {}).get("ephemeral", {}).get("events", []) if e["type"] == "m.receipt"]
    bob.ok("POST", path("rooms", room, "receipt", "m.read", event))
    answer = alice.sync_until(lambda a: told(a), since)
    found = told(answer)[-1]
    checks.that("who has read is told", isinstance(found["content"][event]["m.read"][bob.user]["ts"], int), found)
    checks.that("without the room's name", "room_id" not in found, found)
    checks.that("a first sync tells it", event in str(told(alice.sync(filter='{"room":{"timeline":{"limit":2}}}'))))
    refused(checks, "there are no other receipts", bob.post(path("rooms", room, "receipt", "m.nonsense", event)), 400, "M_UNKNOWN")
    refused(checks, "and none of nothing", bob.post(path("rooms", room, "receipt", "m.read", "nonsense")), 400, "M_UNKNOWN")


def read_markers(server, checks):
    alice = server.register()
    room = alice.create_room()
    first, second = alice.say(room, "one"), alice.say(room, "two")
    since = alice.sync()["next_batch"]
    marked = lambda a: [e["content"]["event_id"] for e in a.get("rooms", {}).get("join", {}).get(room, {}).get("account_data", {}).get("events", []) if e["type"] == "m.fully_read"]
    for event in (first, second):
        alice.ok("POST", path("rooms", room, "read_markers"), {"m.fully_read": event, "m.read": event})
        answer = alice.sync_until(lambda a: marked(a), since)
        checks.equal("a marker is told", marked(answer), [event])
        since = answer["next_batch"]
    checks.equal("in a first sync as well", marked(alice.sync(filter='{"room":{"timeline":{"limit":2}}}')), [second])
    alice.ok("POST", path("rooms", room, "read_markers"), {"m.fully_read": first})
    checks.equal("which does not go back", marked(alice.sync(filter='{"room":{"timeline":{"limit":3}}}')), [second])


def sizes(server, checks):
    alice = server.register()
    room = alice.create_room()
    large = {"msgtype": "m.text", "body": "and they dont stop coming " * 2700}
    for target in (path("rooms", room, "send", "m.room.message", "1"), path("rooms", room, "state", "marked_large", "")):
        refused(checks, "what is too large", alice.put(target, large), 413, "M_TOO_LARGE")


def numbers(server, checks):
    alice = server.register()
    room = alice.create_room(room_version="6")
    send = lambda raw: alice.put(path("rooms", room, "send", "complement.dummy", alice.transaction()), raw)
    for raw in (b'{"body": 9007199254740992}', b'{"body": -9007199254740992}', b'{"body": 1.1}'):
        refused(checks, f"{raw} is no number of Matrix", send(raw), 400, "M_BAD_JSON")
    for raw in (b'{"body": Infinity}', b'{"body": -Infinity}', b'{"body": NaN}'):
        checks.equal(f"{raw} is no JSON", send(raw).status, 400)
    for raw in (b'{"body": 9007199254740991}', b'{"body": -9007199254740991}'):
        checks.equal(f"{raw} is", send(raw).status, 200)


def by_time(server, checks):
    alice, bob = server.register(), server.register()
    before = int(time.time() * 1000)
    room = alice.create_room(preset="public_chat")
    ask = lambda ts, way, who=alice, place=room: who.get(f"{V1}/rooms/{place}/timestamp_to_event?ts={ts}&dir={way}")
    first = alice.say(room, "first")
    stamp = alice.ok("GET", path("rooms", room, "event", first))["origin_server_ts"]
    while int(time.time() * 1000) <= stamp:
        pass
    second = alice.say(room, "second")
    after = alice.ok("GET", path("rooms", room, "event", second))["origin_server_ts"]
    checks.equal("the first after a time", ask(stamp + 1, "f")["event_id"], second)
    checks.equal("the last before one", ask(after - 1, "b")["event_id"], first)
    refused(checks, "nothing before the room", ask(before - 1000, "b"), 404, "M_NOT_FOUND")
    refused(checks, "nothing after the last", ask(after + 10000, "f"), 404, "M_NOT_FOUND")
    for visibility in ("public_chat", "private_chat"):
        other = alice.create_room(preset=visibility)
        answer = ask(stamp, "b", bob, other)
        checks.equal(f"who is not in a {visibility} is not told", answer.status, 403)


def json_of_bodies(server, checks):
    """Bodies that are no objects."""
    alice = server.register()
    room = alice.create_room()
    for raw in (b"", b"[]", b"7", b'"text"', b"null", b"{", b'{"a":}'):
        answer = alice.put(path("rooms", room, "send", "m.room.message", "1"), raw)
        checks.that(f"{raw} is refused", answer.status == 400 and answer.errcode in ("M_NOT_JSON", "M_BAD_JSON"), answer)


if __name__ == "__main__":
    all_of(messages, paging, lazy_members, contexts, seeing, memberships_of_events, transactions, relations, redactions, typing,
           receipts, read_markers, sizes, numbers, by_time, json_of_bodies)
