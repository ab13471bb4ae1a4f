"""Scenes of reports, and of what is told about accounts."""

from urllib.parse import quote

from parts.caller import Caller, person


def reports(recorder):
    ida, jule, karl = (person(recorder, name) for name in ("repida", "repjule", "repkarl"))
    room = ida.post("", "createRoom", {"preset": "public_chat"})["room_id"]
    path = f"rooms/{quote(room)}"
    event = ida.put("", f"{path}/send/m.room.message/1", {"msgtype": "m.text", "body": "bad"})["event_id"]
    jule.post("", f"{path}/join", {})
    there = f"{path}/report/{quote(event)}"
    jule.post("an event", there, {"reason": "rude", "score": -100})
    jule.post("without reason", there, {})
    jule.post("with more", there, {"reason": "rude", "org.example.more": {"a": 1}})
    jule.post("score of a text", there, {"score": "a"})
    jule.post("score of a fraction", there, {"score": 1.5})
    jule.post("score of a truth", there, {"score": True})
    jule.post("reason of a number", there, {"reason": 5})
    jule.post("no event", f"{path}/report/$none", {"reason": "x"})
    jule.post("no event id", f"{path}/report/none", {"reason": "x"})
    jule.post("in another room", f"rooms/!none:localhost/report/{quote(event)}", {"reason": "x"})
    karl.post("not a member", there, {"reason": "x"})
    jule.ask("no JSON", "POST", there, raw=b"{")
    jule.post("a room", f"{path}/report", {"reason": "rude"})
    karl.post("a room from outside", f"{path}/report", {"reason": "rude"})
    karl.post("a room, empty reason", f"{path}/report", {"reason": ""})
    jule.post("a room without reason", f"{path}/report", {})
    jule.post("a room, reason of a number", f"{path}/report", {"reason": 5})
    jule.post("no room", "rooms/!none:localhost/report", {"reason": "x"})
    jule.post("a user", f"users/{quote(ida.user)}/report", {"reason": "rude"})
    jule.post("a user at length", f"users/{quote(ida.user)}/report", {"reason": "x" * 1001})
    jule.post("a user, just so long", f"users/{quote(ida.user)}/report", {"reason": "ä" * 1000})
    jule.post("nobody", "users/@nobody:localhost/report", {"reason": "x"})
    jule.post("somebody elsewhere", "users/@a:example.org/report", {"reason": "x"})
    jule.post("a user without reason", f"users/{quote(ida.user)}/report", {})
    for what in (there, f"{path}/report", f"users/{quote(ida.user)}/report"):
        Caller(recorder).post("nobody reports", what, {"reason": "x"})
        jule.get("wrong method", what)


def whois(recorder):
    lena, mona = person(recorder, "wholena"), person(recorder, "whomona")
    answer = lena.ask("", "GET", f"admin/whois/{quote(lena.user)}", record=False)
    devices = answer.get("devices", {})
    shape = {device: [sorted(use) for session in rest["sessions"] for use in session["connections"][:1]] for device, rest in devices.items()}
    recorder.note("looks herself up", 200, {"user_id": answer.get("user_id"), "devices": shape})
    lena.get("looks another up", f"admin/whois/{quote(mona.user)}")
    lena.get("looks a stranger up", "admin/whois/@a:example.org")
    lena.get("looks nonsense up", "admin/whois/nonsense")
    lena.get("through the other path", f"/_synapse/admin/v1/whois/{quote(mona.user)}")
    lena.put("suspends", f"/_synapse/admin/v1/suspend/{quote(mona.user)}", {"suspend": True})
    Caller(recorder).get("nobody", f"admin/whois/{quote(mona.user)}")


SCENES = [reports, whois]
