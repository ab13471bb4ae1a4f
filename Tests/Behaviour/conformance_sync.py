#!/usr/bin/env python3
"""What Complement and sytest ask of syncing: rooms joined, left, invited, filters, state, lazy members, summaries, presence.

Each function is named by a row of Docs/conformance.md.

usage: conformance_sync.py CLUSTER_FOLDER
"""

import json
import threading

from harness import V3, all_of, at_once, path

LEAVES = '{"room":{"include_leave":true}}'


def room_of(answer, room, section="join"):
    return answer.get("rooms", {}).get(section, {}).get(room, {})


def timeline(answer, room, section="join"):
    return room_of(answer, room, section).get("timeline", {}).get("events", [])


def state(answer, room, section="join"):
    return room_of(answer, room, section).get("state", {}).get("events", [])


def keys(events):
    return {(event["type"], event["state_key"]) for event in events if "state_key" in event}


def ids(events):
    return [event["event_id"] for event in events]


def limited(count, **more):
    """A filter; each limit makes a request of its own, which no answer that is kept satisfies."""
    return json.dumps({"room": {"timeline": {"limit": count}, **more}})


def joined(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    answer = alice.sync_until(lambda a: room_of(a, room))
    parts = room_of(answer, room)
    checks.that("a joined room has its parts", isinstance(parts["timeline"]["events"], list) and "limited" in parts["timeline"]
                and isinstance(parts["state"]["events"], list) and isinstance(parts["ephemeral"]["events"], list), parts)
    since = answer["next_batch"]
    checks.that("the whole state on demand", room_of(alice.sync(since, full_state="true"), room), since)
    other = bob.create_room(preset="public_chat")
    event = bob.say(other, "before")
    alice.join(other)
    answer = alice.sync_until(lambda a: room_of(a, other), since)
    checks.that("a room that is new to one comes whole", ("m.room.create", "") in keys(state(answer, other) + timeline(answer, other)))
    checks.that("with what was said", event in ids(timeline(answer, other)), timeline(answer, other))
    checks.equal("and one's own joining last", timeline(answer, other)[-1]["state_key"], alice.user)
    third = bob.create_room(preset="public_chat")
    bob.say(third, "x")
    alice.join(third)
    answer = alice.sync_until(lambda a: room_of(a, third), answer["next_batch"], filter=limited(1))
    checks.equal("as many events as one wants", (len(timeline(answer, third)), room_of(answer, third)["timeline"]["limited"]), (1, True))
    whole = alice.sync(filter=limited(100))
    checks.equal("all of it is not cut", room_of(whole, third)["timeline"]["limited"], False)
    checks.equal("two calls at once are both answered", [a.status for a in at_once(6, lambda _: alice.get(f"{V3}/sync?timeout=0"))], [200] * 6)


def incremental(server, checks):
    alice = server.register()
    room = alice.create_room()
    since = alice.sync()["next_batch"]
    event = alice.say(room, "one")
    answer = alice.sync(since)
    checks.equal("what is new", ids(timeline(answer, room)), [event])
    checks.that("has a token of its own", answer["next_batch"] != since)
    topic = alice.state(room, "m.room.topic", {"topic": "t"})
    answer = alice.sync(answer["next_batch"])
    checks.equal("state that changes is in the timeline", ids(timeline(answer, room)), [topic])
    checks.equal("and not beside it", state(answer, room), [])
    since = answer["next_batch"]
    hidden = alice.state(room, "a.madeup.test.state", {"my_key": 1})
    for number in range(5):
        last = alice.say(room, f"{number}")
    answer = alice.sync(since, filter=limited(1))
    checks.equal("where much is new the last is shown", (ids(timeline(answer, room)), room_of(answer, room)["timeline"]["limited"]), ([last], True))
    checks.equal("and state of the gap beside it", ids(state(answer, room)), [hidden])
    wanted = alice.sync(since, filter=json.dumps({"room": {"timeline": {"limit": 2, "types": ["a.madeup.test.state"]}}}))
    checks.equal("of a kind only those count", ids(timeline(wanted, room)), [hidden])
    answer = alice.sync(since, filter=limited(1), full_state="true")
    checks.that("with all state on demand", ("m.room.create", "") in keys(state(answer, room)), state(answer, room))
    checks.equal("and the new events only", ids(timeline(answer, room)), [last])
    nothing = alice.sync(alice.sync()["next_batch"])
    checks.that("where nothing is new there is none", room not in str(nothing), nothing)


def names(server, checks):
    """A name that changes is one event, not the whole state again."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = alice.sync()["next_batch"]
    bob.ok("PUT", path("profile", bob.user, "displayname"), {"displayname": "Bob"})
    answer = alice.sync_until(lambda a: room_of(a, room), since)
    checks.equal("the event", [e["content"].get("displayname") for e in timeline(answer, room)], ["Bob"])
    checks.equal("and no state", state(answer, room), [])


def gapped_join(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    alice.state(room, "a.madeup.test.state", {"my_key": 1})
    since = bob.sync()["next_batch"]
    bob.join(room)
    for number in range(5):
        alice.say(room, f"{number}")
    answer = bob.sync_until(lambda a: room_of(a, room), since, filter=limited(1))
    checks.that("a room entered a while ago comes with its state", {("a.madeup.test.state", ""), ("m.room.member", bob.user)} <= keys(state(answer, room)), state(answer, room))
    other = alice.create_room(preset="public_chat")
    since = answer["next_batch"]
    bob.join(other)
    bob.leave(other)
    bob.join(other)
    answer = bob.sync_until(lambda a: room_of(a, other), since)
    found = keys(state(answer, other) + timeline(answer, other))
    checks.that("as does one that was left in between", {("m.room.create", ""), ("m.room.member", alice.user)} <= found, found)


def private_history(server, checks):
    """Where members see from their joining on, current state is known nevertheless."""
    for before, after in ((0, 0), (30, 0), (0, 30)):
        alice, bob = server.register(), server.register()
        room = alice.create_room(preset="private_chat", name="N", initial_state=[
            {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}])
        for number in range(before):
            alice.say(room, f"{number}")
        alice.invite(room, bob.user)
        bob.join(room)
        for number in range(after):
            alice.say(room, f"{number}")
        answer = bob.sync_until(lambda a: room_of(a, room))
        found = keys(state(answer, room) + timeline(answer, room))
        checks.that(f"{before} events before and {after} after", {("m.room.name", ""), ("m.room.create", ""), ("m.room.member", bob.user)} <= found, found)


def left(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    for number in range(3):
        alice.say(room, f"{number}")
    bob.leave(room)
    alice.say(room, "after")
    answer = bob.sync_until(lambda a: room_of(a, room, "leave"), since)
    checks.equal("a room that one leaves is among those left", timeline(answer, room, "leave")[-1]["content"]["membership"], "leave")
    checks.that("without what comes then", "after" not in str(room_of(answer, room, "leave")))
    checks.that("in a first sync not", not room_of(bob.sync(filter=limited(4)), room, "leave"))
    checks.that("unless one asks", room_of(bob.sync(filter=LEAVES), room, "leave"))
    checks.that("nor later", not room_of(bob.sync(answer["next_batch"]), room, "leave"))
    checks.that("not even if one asks", not room_of(bob.sync(answer["next_batch"], filter=LEAVES), room, "leave"))
    checks.that("but with all state", room_of(bob.sync(filter=LEAVES, full_state="true"), room, "leave"))
    cut = bob.sync(since, filter=limited(1))
    checks.that("also where much has happened", room_of(cut, room, "leave"), cut)
    banned(server, checks, alice, bob)


def banned(server, checks, alice, bob):
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    alice.ok("POST", path("rooms", room, "ban"), {"user_id": bob.user})
    answer = bob.sync_until(lambda a: room_of(a, room, "leave"), since)
    checks.equal("whoever is banned has left", timeline(answer, room, "leave")[-1]["content"]["membership"], "ban")
    checks.that("in a first sync that asks for it as well", room_of(bob.sync(filter='{"room":{"include_leave":true,"timeline":{"limit":3}}}'), room, "leave"))
    since = bob.sync()["next_batch"]
    alice.ok("POST", path("rooms", room, "unban"), {"user_id": bob.user})
    bob.join(room)
    alice.say(room, "x")
    alice.ok("POST", path("rooms", room, "ban"), {"user_id": bob.user})
    answer = bob.sync_until(lambda a: room_of(a, room, "leave"), since, filter=limited(1))
    checks.that("once more in one sync", room_of(answer, room, "leave") and not room_of(answer, room), answer)


def archived_history(server, checks):
    alice, bob = server.register(), server.register()
    wanted = {"room": {"timeline": {"types": ["m.room.message", "a.madeup.test.state"]}, "state": {"types": ["a.madeup.test.state"]}, "include_leave": True}}
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync(filter=json.dumps(wanted))["next_batch"]
    for body, my_key in (("before", "before"), ("after", "after")):
        sent = alice.say(room, body), alice.state(room, "a.madeup.test.state", {"my_key": my_key})
        if body == "before":
            shown = list(sent)
            bob.leave(room)
    for name, answer in {"first": bob.sync(filter=json.dumps(wanted)), "later": bob.sync(since, filter=json.dumps(wanted))}.items():
        checks.equal(f"{name}: what was before one left", ids(timeline(answer, room, "leave")), shown)
        checks.equal(f"{name}: and no state beside it", state(answer, room, "leave"), [])
    answer = bob.sync(filter='{"room":{"timeline":{"limit":0},"include_leave":true}}')
    found = {(e["type"], e["state_key"]): e["content"] for e in state(answer, room, "leave")}
    checks.equal("without events the state is that of then", found.get(("a.madeup.test.state", "")), {"my_key": "before"})
    checks.equal("with one's leaving", found.get(("m.room.member", bob.user), {}).get("membership"), "leave")
    checks.equal("and no events", timeline(answer, room, "leave"), [])


def own_leave(server, checks):
    """One sees one's own leaving whoever may see what."""
    for visibility in ("joined", "invited", "shared", "world_readable"):
        alice, bob = server.register(), server.register()
        rule = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": visibility}}
        room = alice.create_room(preset="public_chat", initial_state=[rule])
        bob.join(room)
        since = bob.sync(filter=LEAVES)["next_batch"]
        bob.leave(room)
        answer = bob.sync(since, filter=LEAVES)
        checks.equal(f"{visibility}: leaving", [e["content"]["membership"] for e in timeline(answer, room, "leave")], ["leave"])
        checks.equal(f"{visibility}: no state", state(answer, room, "leave"), [])
        room = alice.create_room(preset="private_chat", initial_state=[rule])
        since = bob.sync()["next_batch"]
        alice.invite(room, bob.user)
        bob.sync_until(lambda a: room_of(a, room, "invite"), since)
        bob.leave(room)
        answer = bob.sync_until(lambda a: room_of(a, room, "leave"), since)
        checks.equal(f"{visibility}: declining", [e["content"]["membership"] for e in timeline(answer, room, "leave") if e["state_key"] == bob.user][-1:], ["leave"])


def memberships(server, checks):
    """One who joins, leaves and joins again is in; one who declines and joins is in."""
    alice, bob = server.register(), server.register()
    room = bob.create_room(preset="public_chat")
    since = alice.sync()["next_batch"]
    for step in ("join", "leave", "join"):
        alice.join(room) if step == "join" else alice.leave(room)
    answer = alice.sync(since)
    checks.that("joined, left, joined", room_of(answer, room) and not room_of(answer, room, "leave"), answer)
    room = alice.create_room(preset="public_chat")
    alice.invite(room, bob.user)
    since = bob.sync_until(lambda a: room_of(a, room, "invite"))["next_batch"]
    bob.leave(room)
    answer = bob.sync(since, full_state="true")
    checks.that("declined", room_of(answer, room, "leave"), answer)
    bob.join(room)
    answer = bob.sync(answer["next_batch"], full_state="true")
    checks.that("and joined after all", room_of(answer, room) and not room_of(answer, room, "leave"), answer)


def invited(server, checks):
    alice, bob = server.register(), server.register()
    since = bob.sync()["next_batch"]
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    answer = bob.sync_until(lambda a: room_of(a, room, "invite"), since)
    checks.that("an invitation comes", room_of(answer, room, "invite"), answer)
    checks.that("and stands in a first sync", room_of(bob.sync(filter=limited(5)), room, "invite"))
    bob.join(room)
    answer = bob.sync_until(lambda a: room_of(a, room), answer["next_batch"])
    checks.that("then the room comes whole", ("m.room.create", "") in keys(state(answer, room) + timeline(answer, room)), answer)
    checks.that("and the invitation is gone", not room_of(bob.sync(filter=limited(6)), room, "invite"))


def waiting(server, checks):
    """A sync that waits is woken by a message, by leaving, by a message to the device."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    steps = {
        "a message": lambda: alice.say(room, "wake up"),
        "a message to the device": lambda: alice.ok("PUT", path("sendToDevice", "my.test.type", alice.transaction()), {"messages": {bob.user: {bob.device: {"n": 1}}}}),
        "a message to all devices": lambda: alice.ok("PUT", path("sendToDevice", "my.test.type", alice.transaction()), {"messages": {bob.user: {"*": {"n": 2}}}}),
        "a departure": lambda: bob.at(server.workers[0]).leave(room),
    }
    for name, step in steps.items():
        since, answers = bob.sync()["next_batch"], []
        def wait(since=since, answers=answers):
            answers.append(bob.sync(since, timeout=20000))
        waiter = threading.Thread(target=wait)
        waiter.start()
        step()
        waiter.join(25)
        found = answers[0] if answers else {}
        # Presence or a receipt may have come first.
        since = found.get("next_batch", since)
        wanted = lambda a: a.get("rooms") or a.get("to_device", {}).get("events")
        checks.that(f"{name} wakes", wanted(found) or wanted(bob.sync_until(wanted, since, seconds=5)), found)


def filters(server, checks):
    alice, bob = server.register(), server.register()
    body = {"room": {"timeline": {"limit": 10}}}
    number = alice.ok("POST", path("user", alice.user, "filter"), body)["filter_id"]
    checks.that("a filter is kept under a text", isinstance(number, str) and number, number)
    checks.equal("and given back", alice.ok("GET", path("user", alice.user, "filter", number)), body)
    checks.that("to nobody else", bob.get(path("user", alice.user, "filter", number)).status in (400, 403))
    no_object, no_list = "not_an_object", "not_a_list"
    wrong = [{"presence": no_object}, {"room": no_object}] + [{"room": {part: no_object}} for part in ("timeline", "state", "ephemeral", "account_data")]
    wrong += [{"room": {"timeline": {key: no_list}}} for key in ("rooms", "not_rooms", "senders", "not_senders", "types", "not_types")]
    wrong += [{"room": {"timeline": part}} for part in ({"types": [1]}, {"rooms": ["not_a_room_id"]}, {"senders": ["not_a_sender_id"]})]
    wrong += [{"room": {"state": {"lazy_load_members": value}}} for value in ("true", 1)]
    wrong += [{"room": {"state": {"lazy_load_members": True, "include_redundant_members": value}}} for value in ("true", 1)]
    for each in wrong:
        status = alice.post(path("user", alice.user, "filter"), each).status
        checks.that(f"{each} is none", 400 <= status < 500, status)
    room = alice.create_room()
    alice.say(room, "x")
    answer = alice.sync(filter=json.dumps({"room": {"rooms": [room], "state": {"types": ["m.room.create"]}, "timeline": {"types": ["m.room.member"]}}}))
    checks.equal("a filter in the request", ({e["type"] for e in timeline(answer, room)}, {e["type"] for e in state(answer, room)}), ({"m.room.member"}, {"m.room.create"}))
    answer = alice.sync(filter=json.dumps({"event_format": "federation", "room": {"timeline": {"limit": 2}}}))
    checks.that("events as servers exchange them", all({"auth_events", "prev_events", "hashes", "signatures", "depth"} <= set(e) for e in timeline(answer, room)), timeline(answer, room))


def lazy(server, checks):
    alice, bob, carol, dave = (server.register() for _ in range(4))
    # A room without a name brings along those who are named in its stead.
    room = alice.create_room(preset="public_chat", name="N")
    for who in (bob, carol, dave):
        who.join(room)
    for number in range(10):
        alice.say(room, f"{number}")
    for who in (bob, carol):
        who.say(room, "hello")
    wanted = lambda count, redundant=False: limited(count, state={"lazy_load_members": True, "include_redundant_members": redundant})
    members = lambda a: {e["state_key"] for e in state(a, room) if e["type"] == "m.room.member"}
    first = alice.sync(filter=wanted(2))
    checks.equal("a first sync has those who write, and oneself", members(first), {alice.user, bob.user, carol.user})
    dave.say(room, "hello")
    answer = alice.sync(first["next_batch"], filter=wanted(2))
    checks.equal("a later one those who write", members(answer), {dave.user})
    since = answer["next_batch"]
    dave.say(room, "again")
    answer = alice.sync(since, filter=wanted(2))
    checks.equal("whom one knows already not again", members(answer), set())
    answer = alice.sync(since, filter=wanted(2, True))
    checks.equal("unless one wants them", members(answer), {dave.user})
    gap(server, checks, alice, bob, carol, room, wanted, members, alice.sync()["next_batch"])


def gap(server, checks, alice, bob, carol, room, wanted, members, since):
    erin, frank = server.register(), server.register()
    erin.join(room)
    carol.leave(room)
    alice.state(room, "m.room.topic", {"topic": "of the gap"})
    frank.join(room)
    for number in range(6):
        bob.say(room, f"{number}")
    answer = alice.sync(since, filter=wanted(2))
    checks.that("after a gap there are those who write and those who came or went in it", {erin.user, frank.user, carol.user} <= members(answer), members(answer))
    gone = [e["content"]["membership"] for e in state(answer, room) if e["type"] == "m.room.member" and e["state_key"] == carol.user]
    checks.equal("who has left has", gone, ["leave"])
    checks.that("other state as well", ("m.room.topic", "") in keys(state(answer, room)), state(answer, room))
    since = answer["next_batch"]
    erin.leave(room)
    answer = alice.sync_until(lambda a: room_of(a, room), since, filter=wanted(10))
    checks.equal("a departure without a gap is in the timeline", [(e["state_key"], e["content"]["membership"]) for e in timeline(answer, room)], [(erin.user, "leave")])


def summaries(server, checks):
    alice = server.register()
    others = [server.register() for _ in range(7)]
    room = alice.create_room(preset="public_chat", invite=[others[0].user])
    summary = lambda a: room_of(a, room).get("summary", {})
    lazy_filter = lambda count: limited(count, state={"lazy_load_members": True})
    found = summary(alice.sync(filter=lazy_filter(1)))
    checks.equal("one is in, one invited", (found.get("m.joined_member_count"), found.get("m.invited_member_count")), (1, 1))
    checks.equal("who is named", found.get("m.heroes"), [others[0].user])
    for other in others:
        other.join(room)
    found = summary(alice.sync(filter=lazy_filter(2)))
    checks.equal("eight are in, none invited", (found.get("m.joined_member_count"), found.get("m.invited_member_count")), (8, 0))
    checks.that("five of the others are named", len(found.get("m.heroes", [])) == 5 and alice.user not in found["m.heroes"], found)
    since = alice.sync(filter=lazy_filter(3))["next_batch"]
    others[6].leave(room)
    found = summary(alice.sync_until(lambda a: room_of(a, room), since, filter=lazy_filter(3)))
    checks.equal("one less", found.get("m.joined_member_count"), 7)
    alice.state(room, "m.room.name", {"name": "N"})
    named = lambda a: any(event["type"] == "m.room.name" for event in room_of(a, room).get("timeline", {}).get("events", []))
    alice.sync_until(named, since)
    found = summary(alice.sync(filter=lazy_filter(4)))
    checks.that("a room with a name needs nobody named", "m.heroes" not in found and found.get("m.joined_member_count") == 7, found)


def presence_of_rooms(server, checks):
    """Members of different rooms are all told of; who joins is."""
    alice, bob, carol = server.register(), server.register(), server.register()
    rooms = alice.create_room(invite=[bob.user]), alice.create_room(invite=[carol.user])
    bob.join(rooms[0])
    carol.join(rooms[1])
    since = alice.sync()["next_batch"]
    for who in (bob, carol):
        who.ok("PUT", path("presence", who.user, "status"), {"presence": "online"})
    seen = set()

    def both(answer):
        seen.update(e["sender"] for e in answer.get("presence", {}).get("events", []) if e["content"]["presence"] == "online")
        return {bob.user, carol.user} <= seen

    alice.sync_until(both, since)
    checks.that("both are seen", {bob.user, carol.user} <= seen, seen)
    dave = server.register()
    dave.ok("PUT", path("presence", dave.user, "status"), {"presence": "online"})
    room = alice.create_room(preset="public_chat")
    since, own = alice.sync()["next_batch"], dave.sync()["next_batch"]
    dave.join(room)
    present = lambda who: lambda a: who.user in [e["sender"] for e in a.get("presence", {}).get("events", [])]
    checks.that("who joins is seen", present(dave)(alice.sync_until(present(dave), since)))
    checks.that("and sees", present(alice)(dave.sync_until(present(alice), own)))


def wrong(checks, alice, rule):
    base = V3 + "/pushrules"
    bad = {
        "scope": ("/other/override/x", rule), "kind": ("/global/other/x", rule), "name": ("/global/override/", rule), "no actions": ("/global/override/x", {"conditions": []}),
        "slash": ("/global/override/a\\b", rule), "reserved": ("/global/override/.x", rule), "actions": ("/global/override/x", {**rule, "actions": ["stomp", 7]}),
        "no template": ("/global", rule)}
    for name, (target, body) in bad.items():
        answer = alice.put(base + target, body)
        checks.that(f"a rule with a bad {name} is refused", answer.status in (400, 404) and answer.errcode, answer)
    for target in ("/other/", "/global/other/", "/global/override/none", "/global/override/.m.rule.master/other", "/global/override/none/actions"):
        answer = alice.get(base + target)
        checks.that(f"{target} is not there", answer.status in (400, 404) and answer.errcode, answer)
    for target in ("/global/override/none/actions", "/global/override/.m.rule.none/actions", "/global/override/.m.rule.none/enabled"):
        answer = alice.put(base + target, {"actions": [], "enabled": True})
        checks.equal(f"nor changed: {target}", (answer.status, answer.errcode), (404, "M_NOT_FOUND"))
    for target in ("/global/override/.m.rule.master", "/global/underride/.m.rule.message"):
        alice.ok("PUT", base + target + "/enabled", {"enabled": True})
        checks.equal("rules of the server are switched", alice.ok("GET", base + target + "/enabled"), {"enabled": True})
        alice.ok("PUT", base + target + "/actions", {"actions": ["notify"]})
        checks.equal("and do something else", alice.ok("GET", base + target + "/actions"), {"actions": ["notify"]})


if __name__ == "__main__":
    all_of(joined, incremental, names, gapped_join, private_history, left, archived_history, own_leave, memberships, invited, waiting, filters, lazy, summaries, presence_of_rooms)
