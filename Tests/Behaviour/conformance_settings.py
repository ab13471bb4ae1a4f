#!/usr/bin/env python3
"""What Complement and sytest ask of what users keep and are told of: account data, tags, push rules, counts of what is unread, ignored users.

Each function is named by a row of Docs/conformance.md.

usage: conformance_settings.py CLUSTER_FOLDER
"""

import json
import time

from harness import V3, all_of, path


def room_of(answer, room, section="join"):
    return answer.get("rooms", {}).get(section, {}).get(room, {})


def of_type(answer, room, kind, section="ephemeral"):
    return [event for event in room_of(answer, room).get(section, {}).get("events", []) if event["type"] == kind]


def limited(count, **more):
    """A filter; each limit makes a request of its own, which no answer that is kept satisfies."""
    return json.dumps({"room": {"timeline": {"limit": count}, **more}})


def account_data(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room()
    own = path("user", alice.user, "account_data", "my.test.type")
    local = path("user", alice.user, "rooms", room, "account_data", "my.test.type")
    of_all = lambda a: [e["content"] for e in a.get("account_data", {}).get("events", []) if e["type"] == "my.test.type"]
    of_room = lambda a: [e["content"] for e in of_type(a, room, "my.test.type", "account_data")]
    since = alice.sync()["next_batch"]
    for number in (1, 2):
        for name, target, shown in (("all", own, of_all), ("a room", local, of_room)):
            alice.ok("PUT", target, {"value": number})
            checks.equal(f"{name}: it is kept", alice.ok("GET", target), {"value": number})
            answer = alice.sync_until(shown, since)
            checks.equal(f"{name}: it comes", shown(answer)[-1:], [{"value": number}])
            since = answer["next_batch"]
            checks.equal(f"{name}: the newest is in a first sync", shown(alice.sync(filter=limited(10 * number + len(name)))), [{"value": number}])
    checks.equal("what is not there is 404", alice.get(path("user", alice.user, "account_data", "none")).status, 404)
    for target in (own, local):
        checks.equal("others' is not read", bob.get(target).status, 403)
        checks.equal("nor written", bob.put(target, {}).status, 403)


def tags(server, checks):
    alice = server.register()
    room = alice.create_room()
    target = path("user", alice.user, "rooms", room, "tags")
    told = lambda a: [e["content"]["tags"] for e in of_type(a, room, "m.tag", "account_data")]
    since = alice.sync()["next_batch"]
    alice.ok("PUT", target + "/u.test_tag", {"order": 0.5})
    checks.equal("a tag is listed", alice.ok("GET", target)["tags"], {"u.test_tag": {"order": 0.5}})
    answer = alice.sync_until(told, since)
    checks.equal("and told", told(answer), [{"u.test_tag": {"order": 0.5}}])
    checks.equal("in a first sync as well", told(alice.sync(filter=limited(3))), [{"u.test_tag": {"order": 0.5}}])
    alice.ok("DELETE", target + "/u.test_tag")
    checks.equal("and taken away", alice.ok("GET", target)["tags"], {})
    checks.equal("which is told", told(alice.sync_until(told, answer["next_batch"])), [{}])


def push_rules(server, checks):
    alice = server.register()
    rules = lambda a: [e["content"]["global"] for e in a.get("account_data", {}).get("events", []) if e["type"] == "m.push_rules"]
    first = alice.sync()
    checks.that("rules are in a first sync", rules(first) and {"override", "underride", "room", "sender", "content"} <= set(rules(first)[0]), first)
    room = alice.create_room()
    target = path("pushrules", "global", "room", room)
    since = alice.sync()["next_batch"]
    steps = {
        "a new one": lambda: alice.ok("PUT", target, {"actions": ["dont_notify"]}),
        "switching it off": lambda: alice.ok("PUT", target + "/enabled", {"enabled": False}),
        "switching it on": lambda: alice.ok("PUT", target + "/enabled", {"enabled": True}),
        "other actions": lambda: alice.ok("PUT", target + "/actions", {"actions": ["notify"]}),
        "deleting it": lambda: alice.ok("DELETE", target),
    }
    for name, step in steps.items():
        step()
        answer = alice.sync_until(rules, since)
        checks.that(f"{name} is told", rules(answer), answer)
        since = answer["next_batch"]
    for _ in range(3):
        before = alice.ok("GET", V3 + "/pushrules/")
    checks.equal("reading them changes nothing", alice.ok("GET", V3 + "/pushrules/"), before)
    order(checks, alice)


def order(checks, alice):
    rule = {"conditions": [{"kind": "event_match", "key": "type", "pattern": "x"}], "actions": ["notify"]}
    put = lambda name, query="": alice.put(path("pushrules", "global", "override", name) + query, rule).status
    checks.equal("rules", [put("one"), put("two"), put("three", "?before=one"), put("four", "?after=two")], [200] * 4)
    found = [r["rule_id"] for r in alice.ok("GET", V3 + "/pushrules/")["global"]["override"] if not r["default"]]
    checks.equal("stand where they were put", found, ["two", "four", "three", "one"])
    checks.equal("the same rule again is the same", put("one"), 200)
    for kind, body in {"content": {"pattern": "w", "actions": []}, "sender": {"actions": []}, "room": {"actions": []}, "underride": rule}.items():
        name = {"sender": "@a:b", "room": "!a:b"}.get(kind, "mine")
        checks.equal(f"a {kind} rule", alice.put(path("pushrules", "global", kind, name), body).status, 200)
        checks.equal(f"is there: {kind}", alice.ok("GET", path("pushrules", "global", kind, name))["rule_id"], name)
    wrong(checks, alice, rule)


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


def counts(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    event = alice.say(room, "first")
    bob.ok("POST", path("rooms", room, "receipt", "m.read", event))
    number = 0

    def unread():
        found = room_of(bob.sync(filter=limited(20 + number)), room)["unread_notifications"]
        return found["notification_count"], found["highlight_count"]

    def becomes(name, wanted):
        nonlocal number
        for _ in range(100):
            number += 1
            if unread() == wanted:
                break
            time.sleep(0.05)
        checks.equal(name, unread(), wanted)

    becomes("nothing is unread", (0, 0))
    for body, wanted in (("two", (1, 0)), ("three", (2, 0)), (f"hello {bob.user[1:].split(':')[0]}", (3, 1))):
        event = alice.say(room, body)
        becomes(f"{wanted[0]} unread", wanted)
    bob.ok("POST", path("rooms", room, "receipt", "m.read", event))
    becomes("what is read is not", (0, 0))


def thread_counts(server, checks):
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = bob.sync()["next_batch"]
    relates = lambda kind, event, body: {"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": kind, "event_id": event}}
    name = bob.user[1:].split(":")[0]
    a = alice.say(room, "Hello world!")
    b = alice.send(room, relates("m.thread", a, "Start thread!"))
    alice.send(room, relates("m.thread", a, f"Thread response {name}!"))
    d = alice.say(room, f"Hello {name}!")
    alice.send(room, relates("m.thread", a, "End thread"))
    f = alice.send(room, relates("m.reference", a, "Reference!"))
    alice.send(room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": f, "key": "test"}}, "m.reaction")
    wanted = '{"room":{"timeline":{"unread_thread_notifications":true}}}'

    def found(threads):
        part = room_of(bob.sync(since, **({"filter": wanted} if threads else {})), room)
        main = part.get("unread_notifications", {})
        rest = part.get("unread_thread_notifications", {})
        number = lambda each: (each.get("highlight_count"), each.get("notification_count"))
        return number(main), {key: number(value) for key, value in rest.items()}

    def both(step, main, own, thread):
        """Other processes hear of a receipt a little later."""
        for name, threads, right in ((f"{step}: all together", False, (main, {})), (f"{step}: by thread", True, (own, {a: thread} if thread else {}))):
            deadline = time.monotonic() + 10
            while found(threads) != right and time.monotonic() < deadline:
                time.sleep(0.05)
            checks.equal(name, found(threads), right)

    read = lambda event, **body: bob.ok("POST", path("rooms", room, "receipt", "m.read", event), body)
    both("nothing read", (2, 6), (1, 3), (1, 3))
    read(a, thread_id="main")
    both("the root read", (2, 5), (1, 2), (1, 3))
    read(b, thread_id=a)
    both("a reply read", (2, 4), (1, 2), (1, 2))
    read(d)
    both("all read until then", (0, 2), (0, 1), (0, 1))
    unthreaded_receipts(server, checks, alice, room)


def unthreaded_receipts(server, checks, alice, room):
    """A receipt of no thread wins over one of a thread for the same event."""
    a = alice.say(room, "Hello world!")
    b = alice.send(room, {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": a}})
    alice.ok("POST", path("rooms", room, "receipt", "m.read", b), {})
    alice.ok("POST", path("rooms", room, "receipt", "m.read", b), {"thread_id": a})
    told = lambda x: [e["content"][b]["m.read"] for e in of_type(x, room, "m.receipt") if b in e["content"] and alice.user in e["content"][b].get("m.read", {})]
    answer = alice.sync_until(told, filter=limited(1))
    checks.that("it is the one that is told", told(answer) and "thread_id" not in told(answer)[-1][alice.user], told(answer))


def ignored(server, checks):
    alice, bob = server.register(), server.register()
    ignore = lambda users: alice.ok("PUT", path("user", alice.user, "account_data", "m.ignored_user_list"), {"ignored_users": {user: {} for user in users}})
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    since = alice.sync()["next_batch"]
    ignore([bob.user])
    hidden = bob.say(room, "noise")
    shown = alice.say(room, "mine")
    answer = alice.sync_until(lambda a: shown in str(a), since)
    checks.that("what they write is not seen", hidden not in str(answer), answer)
    checks.that("nor in a first sync", hidden not in str(alice.sync(filter=limited(12))))
    since = alice.sync()["next_batch"]
    unwanted = bob.create_room(invite=[alice.user])
    carol = server.register()
    welcome = carol.create_room(invite=[alice.user])
    answer = alice.sync_until(lambda a: room_of(a, welcome, "invite"), since)
    checks.that("nor are they invited by them", not room_of(answer, unwanted, "invite"), answer)
    whole = alice.sync(filter=limited(13))
    checks.that("also not in a first sync", room_of(whole, welcome, "invite") and not room_of(whole, unwanted, "invite"), whole.get("rooms"))


if __name__ == "__main__":
    all_of(account_data, tags, push_rules, counts, thread_counts, ignored)
