"""Scenes of finding users: searches of the directory, rooms that two users share."""

import time
from urllib.parse import quote

from parts.caller import Caller, person


def found(caller, label, term, **more):
    return caller.post(label, "user_directory/search", {"search_term": term, **more})


def until_found(caller, term, user, wanted=True):
    """Waits until a search finds somebody, or no longer does; searches meanwhile are not recorded."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = caller.ask("", "POST", "user_directory/search", {"search_term": term}, record=False)
        if any(entry["user_id"] == user for entry in answer.get("results", [])) == wanted:
            return
        time.sleep(0.1)


def directory(recorder):
    doris, emil, fritz = (person(recorder, name) for name in ("dirdoris", "diremil", "dirfritz"))
    emil.put("is called", f"profile/{emil.user}/displayname", {"displayname": "Emil Größe O'Neil"})
    emil.put("looks", f"profile/{emil.user}/avatar_url", {"avatar_url": "mxc://localhost/emil"})
    found(doris, "finds nobody", "diremil")
    room = doris.post("", "createRoom", {"preset": "private_chat", "invite": [emil.user]})["room_id"]
    found(doris, "finds nobody who is only invited", "diremil")
    emil.post("", f"join/{quote(room)}", {})
    until_found(doris, "diremil", emil.user)
    for term in ("diremil", "dire", "DIREMIL", "emil größe", "GRÖSSE", "größ", "o'neil", "@diremil:localhost", "irem", "localhost", "", "  ", "&|!()", "x" * 3000):
        found(doris, f"searches {term[:20]}", term)
    found(fritz, "finds nobody in others' rooms", "diremil")
    public = emil.post("", "createRoom", {"preset": "public_chat"})["room_id"]
    until_found(fritz, "diremil", emil.user)
    found(fritz, "finds who is in a public room", "diremil")
    emil.put("closes", f"rooms/{quote(public)}/state/m.room.join_rules/", {"join_rule": "invite"})
    until_found(fritz, "diremil", emil.user, wanted=False)
    found(fritz, "finds nobody any more", "diremil")
    found(doris, "limited", "dir", limit=0)
    found(doris, "with a text for a number", "diremil", limit="1")
    found(doris, "with no number", "diremil", limit="many")
    found(doris, "with a list", "diremil", limit=[])
    found(doris, "below nothing", "diremil", limit=-5)
    doris.post("without a term", "user_directory/search", {})
    doris.post("with a number for a term", "user_directory/search", {"search_term": 5})
    doris.ask("no JSON", "POST", "user_directory/search", raw=b"{")
    doris.get("wrong method", "user_directory/search")
    Caller(recorder).post("nobody", "user_directory/search", {"search_term": "a"})


def mutual(recorder):
    greta, hanna = person(recorder, "mutgreta"), person(recorder, "muthanna")
    path = "/_matrix/client/v1/mutual_rooms"
    greta.get("none", f"{path}?user_id={quote(hanna.user)}")
    room = greta.post("", "createRoom", {"preset": "public_chat"})["room_id"]
    hanna.post("", f"join/{quote(room)}", {})
    greta.get("one", f"{path}?user_id={quote(hanna.user)}")
    greta.get("after it", f"{path}?user_id={quote(hanna.user)}&from=!!!")
    greta.get("from the start", f"{path}?user_id={quote(hanna.user)}&from=")
    greta.get("twice from", f"{path}?user_id={quote(hanna.user)}&from=YQ&from=YQ")
    hanna.post("", f"rooms/{quote(room)}/leave", {})
    greta.get("left", f"{path}?user_id={quote(hanna.user)}")
    greta.get("with nobody", path)
    greta.get("with herself", f"{path}?user_id={quote(greta.user)}")
    greta.get("with nonsense", f"{path}?user_id=nonsense")
    greta.get("with two", f"{path}?user_id={quote(hanna.user)}&user_id={quote(greta.user)}")
    greta.get("with a stranger", f"{path}?user_id=@nobody:localhost")
    greta.get("unstable path", f"/_matrix/client/unstable/mutual_rooms?user_id={quote(hanna.user)}")
    Caller(recorder).get("nobody", f"{path}?user_id={quote(hanna.user)}")


SCENES = [directory, mutual]
