"""Scenes of profiles: names, pictures and further fields, and their limits."""

from urllib.parse import quote

from parts.caller import Caller, person


def profile_fields(recorder):
    nora, otto = person(recorder, "prfnora"), person(recorder, "prfotto")
    nobody = Caller(recorder)
    path = f"profile/{quote(nora.user)}"

    def put(label, field, value, caller=nora, **more):
        caller.put(label, f"{path}/{field}", {field: value}, **more)

    nobody.get("after registering", path)
    for name in ("Nora", "  Nora  ", "\u3000Nora\n", " ", "", "x" * 256, "x" * 257, "é" * 256):
        put(f"is called {name[:10]!r}", "displayname", name)
        nobody.get("is called", f"{path}/displayname")
    for value in (5, ["a"], {}, True):
        put(f"is called {value}", "displayname", value)
        put(f"looks like {value}", "avatar_url", value)
    for value in ("mxc://localhost/a", "no address", "", "m" * 1001):
        put(f"looks like {value[:20]}", "avatar_url", value)
        nobody.get("looks like", f"{path}/avatar_url")
    nora.put("says nothing", f"{path}/displayname", {})
    nora.put("says something else", f"{path}/m.tz", {"m.example": "a"})
    for value in ("Europe/Berlin", 5, None, True, {"a": [1, None]}, [], ""):
        put(f"field of {value}", "m.tz", value)
        nobody.get("field", f"{path}/m.tz")
    nobody.get("whole", path)
    for field in ("M.tz", "ä", "a b", "1a", "_a", "a" * 255, "a" * 256, "a-b_c.d9", "%20"):
        nora.put(f"field {field[:10]}", f"{path}/{quote(field)}", {field: "x"})
        nobody.get(f"field {field[:10]}", f"{path}/{quote(field)}")
    nora.ask("removes", "DELETE", f"{path}/m.tz")
    nora.ask("removes again", "DELETE", f"{path}/m.tz")
    nobody.get("removed", f"{path}/m.tz")
    nora.ask("removes the name", "DELETE", f"{path}/displayname")
    nobody.get("no name", f"{path}/displayname")
    nobody.get("without a name", path)
    put("another's name", "displayname", "x", otto)
    put("another's field", "m.tz", "x", otto)
    otto.ask("removes another's field", "DELETE", f"{path}/m.tz")
    nora.put("a user elsewhere", "profile/@a:example.org/m.tz", {"m.tz": "x"})
    nora.put("no user", "profile/nonsense/m.tz", {"m.tz": "x"})
    put("U+0000 in a field", "m.tz", "a\0b")
    for size in (65_000, 65_200, 65_536, 70_000):
        put(f"{size} bytes", "m.large", "x" * size)
        nora.ask("goes again", "DELETE", f"{path}/m.large")
    for number in range(3):
        put(f"large field {number}", f"m.large{number}", "x" * 30_000)
    put("and a name", "displayname", "x" * 200)
    nobody.get("a user whom nobody knows", "profile/@nobody:localhost")
    nobody.get("their name", "profile/@nobody:localhost/displayname")


SCENES = [profile_fields]
