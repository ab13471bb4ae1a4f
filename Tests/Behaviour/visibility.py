#!/usr/bin/env python3
"""Who may see what: strangers, those who have left, and what comes along with an event.

usage: visibility.py CLUSTER_FOLDER
"""

import sys
import time

from harness import V3, Checks, Server, path

V1 = "/_matrix/client/v1"
SECRET = "kept among members"


def room_of(owner, visibility="shared", **options):
    """Makes a room with some history; answers its id and the events by name."""
    state = [{"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}}]
    room = owner.create_room(preset="private_chat", initial_state=state + options.pop("initial_state", []), **options)
    first = owner.say(room, f"{SECRET} 1")
    return room, first


def relates(kind, event, body="more"):
    return {"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": kind, "event_id": event}}


def edit(event, body):
    return {**relates("m.replace", event, f"* {body}"), "m.new_content": {"msgtype": "m.text", "body": body}}


def reads(room, event, token):
    """All the ways to read a room, by name."""
    now = int(time.time() * 1000)
    return {
        "messages": path("rooms", room, "messages") + "?dir=b&limit=50",
        "messages forward": path("rooms", room, "messages") + "?dir=f&limit=50",
        "state": path("rooms", room, "state"),
        "state event": path("rooms", room, "state", "m.room.create"),
        "state event, named": path("rooms", room, "state", "m.room.create", ""),
        "members": path("rooms", room, "members"),
        "members at": path("rooms", room, "members") + f"?at={token}",
        "joined_members": path("rooms", room, "joined_members"),
        "context": path("rooms", room, "context", event),
        "event": path("rooms", room, "event", event),
        "relations": f"{V1}/rooms/{room}/relations/{event}",
        "timestamp_to_event": f"{V1}/rooms/{room}/timestamp_to_event?ts={now}&dir=b",
        "aliases": path("rooms", room, "aliases"),
    }


def strangers(server, checks):
    """Whoever never was a member sees nothing, whatever became of an invitation or a knock."""
    owner, stranger, knocker, guest, banned = (server.register() for _ in range(5))
    rule = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
    room, first = room_of(owner, initial_state=[rule])
    knocker.ok("POST", path("knock", room))
    owner.invite(room, guest.user)
    within = owner.say(room, f"{SECRET} 2")
    token = owner.sync()["next_batch"]
    pending = {"invited": guest, "knocking": knocker}
    for name, who in pending.items():
        refused(checks, name, who, room, first, token)
    knocker.leave(room)
    guest.leave(room)
    owner.ok("POST", path("rooms", room, "ban"), {"user_id": banned.user})
    owner.ok("POST", path("rooms", room, "unban"), {"user_id": banned.user})
    for name, who in {"stranger": stranger, "knocked": knocker, "rejected": guest, "unbanned": banned}.items():
        refused(checks, name, who, room, first, token)
        refused(checks, name, who, room, within, token)
        whole = who.sync(filter='{"room":{"include_leave":true}}')
        shows_only_leave(checks, f"{name}: first sync", whole, room, who, needed=who in (knocker, guest))
    for name, who in {"knocked": knocker, "rejected": guest, "unbanned": banned}.items():
        own_leave_tells_nothing(checks, name, owner, who, room)


def refused(checks, name, who, room, event, token):
    for what, target in reads(room, event, token).items():
        answer = who.get(target)
        checks.that(f"{name}: {what} is refused", answer.status in (403, 404), answer)
        checks.that(f"{name}: {what} says nothing", SECRET.encode() not in answer.body, answer)


def shows_only_leave(checks, name, answer, room, who, needed):
    left = answer.get("rooms", {}).get("leave", {}).get(room)
    if left is None:
        checks.that(f"{name}: the room is there", not needed, answer.get("rooms"))
        return
    events = left["timeline"]["events"] + left["state"]["events"]
    others = [event for event in events if event.get("state_key") != who.user or event["type"] != "m.room.member"]
    checks.equal(f"{name}: nothing but the own membership", [event["type"] for event in others], [])
    checks.that(f"{name}: the own membership", len(events) > 0)


def own_leave_tells_nothing(checks, name, owner, who, room):
    event = [event for event in owner.ok("GET", path("rooms", room, "state"))
             if event["type"] == "m.room.member" and event["state_key"] == who.user][0]["event_id"]
    answer = who.get(path("rooms", room, "context", event) + "?limit=20")
    if answer.status == 200:
        checks.equal(f"{name}: the state beside the own leave", answer["state"], [])
        checks.that(f"{name}: nothing around the own leave", SECRET.encode() not in answer.body, answer)
    else:
        checks.equal(f"{name}: context of the own leave", answer.status, 403)


def strangers_sync(server, checks):
    """An invitation that is rejected between two syncs, and one that is withdrawn, bring no history along."""
    owner, guest, other = server.register(), server.register(), server.register()
    room, _ = room_of(owner)
    since = guest.sync()["next_batch"], other.sync()["next_batch"]
    for who in (guest, other):
        owner.invite(room, who.user)
    owner.say(room, f"{SECRET} between")
    guest.leave(room)
    owner.ok("POST", path("rooms", room, "kick"), {"user_id": other.user})
    for name, who, token in (("rejected", guest, since[0]), ("withdrawn", other, since[1])):
        answer = who.sync_until(lambda a: room in a.get("rooms", {}).get("leave", {}), token)
        shows_only_leave(checks, f"{name} between two syncs", answer, room, who, needed=True)


def world_readable(server, checks):
    owner, stranger, guest = server.register(), server.register(), server.register()
    room, first = room_of(owner, "world_readable")
    owner.invite(room, guest.user)
    guest.leave(room)
    token = owner.sync()["next_batch"]
    for name, who in {"stranger": stranger, "rejected": guest}.items():
        for what, target in reads(room, first, token).items():
            answer = who.get(target)
            checks.equal(f"world readable, {name}: {what}", answer.status, 200)
        page = who.ok("GET", reads(room, first, token)["messages"])
        checks.that(f"world readable, {name}: history", any(SECRET in str(e) for e in page["chunk"]), page)


def departed(server, checks):
    """Who has left reads what was, and nothing that came later."""
    for visibility in ("shared", "joined"):
        owner, member = server.register(), server.register()
        room, _ = room_of(owner, visibility)
        owner.invite(room, member.user)
        member.join(room)
        text = owner.say(room, "seen")
        owner.say(room, "seen, too")
        member.say(room, "goodbye")
        lazy = '{"room":{"state":{"lazy_load_members":true},"include_leave":true,"timeline":{"limit":20}}}'
        since = member.sync(filter=lazy)["next_batch"]
        member.leave(room)
        edited = owner.send(room, edit(text, f"{SECRET} edit"))
        owner.send(room, relates("m.thread", text, f"{SECRET} thread"))
        owner.send(room, relates("m.reference", text, f"{SECRET} reference"))
        owner.state(room, "m.room.topic", {"topic": SECRET})
        owner.state(room, "m.room.member", {"membership": "join", "displayname": f"{SECRET} name"}, owner.user)
        last = owner.say(room, f"{SECRET} later")
        name = f"departed, {visibility}"
        for what, target in reads(room, text, since).items():
            answer = member.get(target)
            if what in ("joined_members", "aliases", "timestamp_to_event"):
                checks.equal(f"{name}: {what}", answer.status, 403)
            else:
                checks.equal(f"{name}: {what}", answer.status, 200)
            checks.that(f"{name}: {what} says nothing later", SECRET.encode() not in after_join(answer), answer)
            checks.that(f"{name}: {what} bundles nothing later", edited.encode() not in answer.body, answer)
        answer = member.get(path("rooms", room, "event", last))
        checks.that(f"{name}: a later event", answer.status in (403, 404), answer)
        synced = member.sync(since, filter=lazy)
        left = synced["rooms"]["leave"][room]
        checks.that(f"{name}: sync says nothing later", SECRET not in str(left), left)
        whole = member.sync(filter=lazy)["rooms"]["leave"][room]
        checks.that(f"{name}: a first sync says nothing later", SECRET not in str(whole["state"]), whole)
        checks.that(f"{name}: a first sync bundles nothing later", f"{SECRET} edit" not in str(whole), whole)
        checks.that(f"{name}: a first sync has the member", any(
            event["type"] == "m.room.member" and event["state_key"] == owner.user
            for event in whole["state"]["events"] + whole["timeline"]["events"]), whole)


def after_join(answer):
    """The body without what was said before the member joined, which it may see in shared rooms."""
    return answer.body.replace(f"{SECRET} 1".encode(), b"")


def departed_lazily(server, checks):
    """A room left since the last sync comes with the members of that time."""
    owner, writer, member = server.register(), server.register(), server.register()
    room, _ = room_of(owner)
    for who in (writer, member):
        owner.invite(room, who.user)
        who.join(room)
    lazy = '{"room":{"state":{"lazy_load_members":true,"include_redundant_members":true},"timeline":{"limit":5}}}'
    since = member.sync(filter=lazy)["next_batch"]
    writer.say(room, "words of the writer")
    member.leave(room)
    writer.state(room, "m.room.member", {"membership": "join", "displayname": SECRET}, writer.user)
    left = member.sync(since, filter=lazy)["rooms"]["leave"][room]
    checks.that("the member of then", SECRET not in str(left), left)
    checks.that("a member is there", writer.user in [event.get("state_key") for event in left["state"]["events"]], left)


def departed_twice(server, checks):
    """An invitation after a departure, and its rejection, show nothing of the time between."""
    owner, member = server.register(), server.register()
    room, first = room_of(owner)
    owner.invite(room, member.user)
    member.join(room)
    text = member.say(room, "mine")
    since = member.sync()["next_batch"]
    member.leave(room)
    topic = owner.state(room, "m.room.topic", {"topic": f"{SECRET} topic"})
    between = owner.send(room, relates("m.thread", text, f"{SECRET} thread"))
    owner.invite(room, member.user)
    owner.say(room, f"{SECRET} again")
    member.leave(room)
    token = owner.sync()["next_batch"]
    for what, target in reads(room, text, token).items():
        body = after_join(member.get(target))
        checks.that(f"left twice: {what}", SECRET.encode() not in body and between.encode() not in body, body)
    checks.that("left twice: the topic", member.get(path("rooms", room, "state", "m.room.topic")).status == 404, topic)
    for name, answer in {"since then": member.sync(since),
                         "first": member.sync(filter='{"room":{"include_leave":true}}')}.items():
        left = answer["rooms"]["leave"][room]
        checks.that(f"left twice: sync, {name}", SECRET not in str(left).replace(f"{SECRET} 1", ""), left)
        newest = [event for event in left["timeline"]["events"] if event.get("state_key") == member.user][-1]
        checks.equal(f"left twice: sync, {name}, the leave", newest["content"]["membership"], "leave")


def latecomers(server, checks):
    """Where members see from their join on, time and aggregations tell nothing about before."""
    owner, late = server.register(), server.register()
    room, first = room_of(owner, "joined")
    hidden = owner.say(room, f"{SECRET} 2")
    owner.invite(room, late.user)
    late.join(room)
    seen = owner.say(room, "seen")
    answer = late.get(f"{V1}/rooms/{room}/timestamp_to_event?ts=0&dir=f")
    checks.that("time tells no event of before", first not in str(answer) and hidden not in str(answer), answer)
    if answer.status == 200:
        checks.equal("the event is one to see", late.get(path("rooms", room, "event", answer["event_id"])).status, 200)
    now = int(time.time() * 1000)
    checks.equal("time tells what may be seen",
                 late.ok("GET", f"{V1}/rooms/{room}/timestamp_to_event?ts={now}&dir=b")["event_id"], seen)


def away_for_a_while(server, checks):
    """A thread goes on while somebody is away, where members see from their join on."""
    owner, member = server.register(), server.register()
    room, _ = room_of(owner, "joined")
    owner.invite(room, member.user)
    member.join(room)
    root = owner.say(room, "root")
    seen = owner.send(room, relates("m.thread", root, "seen"))
    referred = owner.send(room, relates("m.reference", root, "seen"))
    shown = owner.send(room, edit(root, "first edit"))
    member.leave(room)
    hidden = [owner.send(room, relates(kind, root, SECRET)) for kind in ("m.thread", "m.reference")]
    for number in range(7):
        hidden.append(owner.send(room, edit(root, f"{SECRET} edit {number}")))
    for name in ("away", "back"):
        event = member.ok("GET", path("rooms", room, "event", root))
        bundle = event["unsigned"].get("m.relations", {})
        checks.equal(f"{name}: the thread", (bundle["m.thread"]["latest_event"]["event_id"], bundle["m.thread"]["count"]),
                     (seen, 1))
        checks.equal(f"{name}: references", [e["event_id"] for e in bundle["m.reference"]["chunk"]], [referred])
        checks.equal(f"{name}: the edit", bundle["m.replace"]["event_id"], shown)
        related = member.ok("GET", f"{V1}/rooms/{room}/relations/{root}?limit=50")
        checks.that(f"{name}: relations", not set(hidden) & {e["event_id"] for e in related["chunk"]}, related)
        page = member.ok("GET", path("rooms", room, "messages") + "?dir=b&limit=50")
        checks.that(f"{name}: messages", not any(e in str(page) for e in hidden), page)
        if name == "away":
            owner.invite(room, member.user)
            member.join(room)
    newest = owner.send(room, relates("m.thread", root, "visible again"))
    member.sync_until(lambda a: newest in str(a))
    bundle = member.ok("GET", path("rooms", room, "event", root))["unsigned"]["m.relations"]["m.thread"]
    checks.equal("back: the thread goes on", (bundle["latest_event"]["event_id"], bundle["count"]), (newest, 2))


def ignored(server, checks):
    """What ignored users write is in no summary of a thread and in no list of references."""
    owner, member, bore = server.register(), server.register(), server.register()
    room, _ = room_of(owner)
    for who in (member, bore):
        owner.invite(room, who.user)
        who.join(room)
    root = owner.say(room, "root")
    seen = owner.send(room, relates("m.thread", root, "seen"))
    bore.send(room, relates("m.thread", root, "boring"))
    bore.send(room, relates("m.reference", root, "boring"))
    member.ok("PUT", path("user", member.user, "account_data", "m.ignored_user_list"),
              {"ignored_users": {bore.user: {}}})
    read = lambda: member.ok("GET", path("rooms", room, "event", root))["unsigned"]["m.relations"]
    deadline = time.monotonic() + 5  # Other processes hear of the list a little later.
    while read()["m.thread"]["count"] > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    bundle = read()
    checks.equal("ignored: the thread", (bundle["m.thread"]["latest_event"]["event_id"], bundle["m.thread"]["count"]),
                 (seen, 1))
    checks.that("ignored: no reference", "m.reference" not in bundle, bundle)


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for part in (strangers, strangers_sync, world_readable, departed, departed_lazily, departed_twice, latecomers,
                 away_for_a_while, ignored):
        try:
            part(server, checks)
        except Exception as error:  # A part that breaks is a failure; the others are still tried.
            checks.that(part.__name__, False, repr(error))
    checks.end()


if __name__ == "__main__":
    main()
