"""Scenes of threads: their list, their summaries, relations of relations, following them, and what users are notified of."""

from urllib.parse import quote

from parts.caller import Caller, person
from parts.scenes.core import room_path, say

UNSTABLE = "/_matrix/client/unstable"


def relation(kind, event, **more):
    return {"m.relates_to": {"rel_type": kind, "event_id": event, **more}}


def couple(recorder, one, other, **options):
    """Two users and a room of version 11 in which both are."""
    first, second = person(recorder, one), person(recorder, other)
    room = first.post("", "createRoom", {"preset": "public_chat", "room_version": "11", **options})["room_id"]
    second.post("", f"join/{quote(room)}", {})
    return first, second, room


def reply(caller, room, root, text, transaction, **more):
    return say(caller, room, text, transaction, "replies in a thread", **relation("m.thread", root, **more))


def thread_list(recorder):
    mara, nils, room = couple(recorder, "mara.t", "nils.t")
    path = f"/_matrix/client/v1/{room_path(room)}"
    mara.get("no threads", f"{path}/threads")
    roots = [say(mara if number % 2 else nils, room, f"root {number}", f"r{number}") for number in range(4)]
    for number, root in enumerate([*roots, roots[1]]):
        reply(nils if number < 2 else mara, room, root, f"reply {number}", f"a{number}")
    for caller in (mara, nils):
        caller.get("all", f"{path}/threads")
        caller.get("all by name", f"{path}/threads?include=all")
        caller.get("participated", f"{path}/threads?include=participated")
    page = mara.get("first page", f"{path}/threads?limit=2", record=False)
    recorder.note("first page", 200, [event["content"]["body"] for event in page["chunk"]])
    page = mara.get("second page", f"{path}/threads?limit=2&from={quote(page.get('next_batch', ''))}", record=False)
    recorder.note("second page", 200, [[event["content"]["body"] for event in page["chunk"]], "next_batch" in page])
    for query in ("include=nonsense", "limit=x", "limit=-1", "from=nonsense", "from=1", "from=1_x", "from=99999_99999"):
        mara.get(query, f"{path}/threads?{query}")
    person(recorder, "olga.t").get("of another's room", f"{path}/threads")
    Caller(recorder).get("without a token", f"{path}/threads")
    mara.get("of no room", f"/_matrix/client/v1/{room_path('!nothinghereatall:localhost')}/threads")
    mara.put("redacts a root", f"{room_path(room)}/redact/{quote(roots[2])}/x1", {})
    mara.put("ignores", f"user/{quote(mara.user)}/account_data/m.ignored_user_list", {"ignored_users": {nils.user: {}}})
    mara.get("without ignored users", f"{path}/threads")
    mara.put("ignores nobody", f"user/{quote(mara.user)}/account_data/m.ignored_user_list", {"ignored_users": {}})
    nils.post("leaves", f"{room_path(room)}/leave", {})
    nils.get("has left", f"{path}/threads")


def relating(recorder):
    paul, rosa, room = couple(recorder, "paul.t", "rosa.t")
    path = f"/_matrix/client/v1/{room_path(room)}/relations"
    root = say(paul, room, "root", "r")
    replies = [reply(rosa if number % 2 else paul, room, root, f"{number}", f"a{number}") for number in range(4)]
    rosa.put("reacts", f"{room_path(room)}/send/m.reaction/k", relation("m.annotation", replies[0], key="+"))
    say(paul, room, "refers", "f", "refers", **relation("m.reference", replies[1]))
    say(paul, room, "* 2", "e", "edits", **relation("m.replace", replies[2]), **{"m.new_content": {"msgtype": "m.text", "body": "two"}})
    target = f"{path}/{quote(root)}"
    for query in ("", "?dir=f", "?dir=b", "?dir=x", "?limit=2", "?limit=0", "?limit=x", "?recurse=true", "?recurse=true&dir=f",
                  "?recurse=x", "?recurse=false", "?from=nonsense", "?to=nonsense"):
        paul.get(f"relations{query}", target + query)
    for below in ("/m.thread", "/m.thread/m.room.message", "/m.annotation", "/m.annotation/m.reaction?recurse=true", "/m.thread?recurse=true"):
        paul.get(f"relations{below}", target + below)
    paul.get("old path", f"/_matrix/client/unstable/{room_path(room)}/relations/{quote(root)}/m.thread")
    paul.get("old name of recurse", f"{target}?org.matrix.msc3981.recurse=true")
    for dir in ("f", "b"):
        seen, token, pages = [], "", 0
        while pages < 5:
            page = paul.get("a page", f"{target}?dir={dir}&limit=2{token}", record=False)
            seen.append([event["content"].get("body") for event in page["chunk"]])
            pages += 1
            if "next_batch" not in page:
                break
            token = f"&from={quote(page['next_batch'])}"
        recorder.note(f"pages {dir}", 200, seen)
    paul.get("root", f"{room_path(room)}/event/{quote(root)}")
    rosa.get("root of another", f"{room_path(room)}/event/{quote(root)}")
    rosa.put("redacts the last", f"{room_path(room)}/redact/{quote(replies[3])}/x", {})
    paul.get("root without the last", f"{room_path(room)}/event/{quote(root)}")
    paul.get("of no event", f"{path}/{quote('$nothinghereatallnothingatall')}")


def subscriptions(recorder):
    sven, tina, room = couple(recorder, "sven.t", "tina.t")
    root, other = say(sven, room, "root", "r"), say(sven, room, "other", "o")
    first = reply(sven, room, root, "first", "a1")
    base = f"{UNSTABLE}/io.element.msc4306/{room_path(room)}/thread"
    target = f"{base}/{quote(root)}/subscription"
    tina.get("not yet", target)
    tina.put("automatically", target, {"automatic": first})
    tina.get("automatic", target)
    tina.put("by hand", target, {})
    tina.get("by hand", target)
    tina.put("automatically again", target, {"automatic": first})
    tina.get("still by hand", target)
    tina.ask("ends", "DELETE", target)
    tina.ask("ends again", "DELETE", target)
    tina.get("ended", target)
    tina.put("overtaken", target, {"automatic": first})
    later = reply(sven, room, root, "later", "a2")
    tina.put("by a later event", target, {"automatic": later})
    tina.get("automatic again", target)
    tina.put("not in the thread", target, {"automatic": other})
    tina.put("no event", target, {"automatic": "$" + "nothing" * 6 + "n"})
    tina.put("no identifier", target, {"automatic": "nonsense"})
    tina.put("of a wrong type", target, {"automatic": 5})
    tina.ask("no JSON", "PUT", target, raw=b"{")
    tina.get("no root", f"{base}/{quote('$nothinghereatallnothingatall')}/subscription")
    tina.get("no identifier", f"{base}/nonsense/subscription")
    person(recorder, "udo.t").put("of another's room", target, {})
    tina.put("another", f"{base}/{quote(other)}/subscription", {})
    tina.ask("ends that", "DELETE", f"{base}/{quote(other)}/subscription")
    listed = f"{UNSTABLE}/io.element.msc4308/thread_subscriptions"
    for query in ("", "?dir=f", "?dir=b&limit=0", "?dir=b&limit=x", "?dir=b&from=nonsense", "?dir=b&to=nonsense", "?dir=b&from=tsx"):
        tina.get(f"list {query}", listed + query)
    whole = tina.get("whole list", f"{listed}?dir=b", record=False)
    recorder.note("whole list", 200, shape(whole))
    page = tina.get("a page", f"{listed}?dir=b&limit=1", record=False)
    recorder.note("first page", 200, shape(page))
    page = tina.get("a page", f"{listed}?dir=b&limit=1&from={quote(page.get('end', ''))}", record=False)
    recorder.note("second page", 200, shape(page))
    tina.get("rules", "pushrules/global/postcontent/")
    tina.put("own rule", "pushrules/global/postcontent/mine", {"conditions": [], "actions": []})
    for name in ("subscribed", "unsubscribed"):
        tina.get("a rule", f"pushrules/global/postcontent/.io.element.msc4306.rule.{name}_thread")
    tina.put("switches off", "pushrules/global/postcontent/.io.element.msc4306.rule.subscribed_thread/enabled", {"enabled": False})
    tina.get("switched off", "pushrules/global/postcontent/.io.element.msc4306.rule.subscribed_thread/enabled")
    tina.put("switches on", "pushrules/global/postcontent/.io.element.msc4306.rule.subscribed_thread/enabled", {"enabled": True})
    reply(sven, room, root, "notifies", "a3")
    reply(sven, room, other, "does not notify", "a4")
    filter = {"presence": {"types": []}, "room": {"timeline": {"unread_thread_notifications": True, "limit": 3}}}
    tina.sync("threads that notify", filter=filter)


def shape(answer):
    """Which threads are followed and which no longer, without positions."""
    return {name: {room: {root: value.get("automatic") for root, value in threads.items()} for room, threads in rooms.items()}
            for name, rooms in answer.items() if isinstance(rooms, dict)} | {"end": "end" in answer}


def notified(recorder):
    vera, wim, room = couple(recorder, "vera.t", "wim.t")
    wim.get("none", "notifications")
    texts = [say(vera, room, f"{number}", f"m{number}") for number in range(3)]
    ping = say(vera, room, "ping", "p", **{"m.mentions": {"user_ids": [wim.user]}})
    wim.get("all", "notifications")
    wim.get("highlights", "notifications?only=highlight")
    wim.get("only nonsense", "notifications?only=nonsense")
    page = wim.get("first page", "notifications?limit=2", record=False)
    recorder.note("first page", 200, [entry["event"]["content"]["body"] for entry in page["notifications"]])
    page = wim.get("second page", f"notifications?limit=2&from={page['next_token']}", record=False)
    recorder.note("second page", 200, [entry["event"]["content"]["body"] for entry in page["notifications"]])
    for query in ("from=nonsense", "limit=x", "limit=-1", "limit=0", "from=0"):
        wim.get(query, f"notifications?{query}")
    wim.post("reads", f"{room_path(room)}/receipt/m.read/{quote(texts[1])}", {})
    wim.get("read so far", "notifications")
    wim.post("reads privately", f"{room_path(room)}/receipt/m.read.private/{quote(ping)}", {})
    wim.get("all read", "notifications")
    vera.put("redacts", f"{room_path(room)}/redact/{quote(ping)}/x", {})
    wim.get("without the redacted one", "notifications")


SCENES = [thread_list, relating, subscriptions, notified]
