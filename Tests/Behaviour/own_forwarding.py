#!/usr/bin/env python3
"""A request that reaches a process which may not answer it is answered all the same: that process asks the one that may.

usage: own_forwarding.py FOLDER BINARIES

Requests go to the processes themselves, past the proxy, in a cluster where each stream has a writer of its own.
"""

import re
import sys

from harness import V3, Checks, Client, own_server, path


def requests(alice, room, event):
    """What only certain processes answer: `name: (method, target, body)`."""
    return {
        "typing": ("PUT", path("rooms", room, "typing", alice.user), {"typing": True, "timeout": 1000}),
        "receipt": ("POST", path("rooms", room, "receipt", "m.read", event), {}),
        "read markers": ("POST", path("rooms", room, "read_markers"), {"m.fully_read": event, "m.read": event}),
        "presence": ("PUT", path("presence", alice.user, "status"), {"presence": "online"}),
        "to-device": ("PUT", path("sendToDevice", "org.example", alice.transaction()), {"messages": {}}),
        "push rule": ("PUT", path("pushrules", "global", "content", "tea"), {"pattern": "tea", "actions": ["notify"]}),
        "device": ("PUT", path("devices", alice.device), {"display_name": "Phone"}),
        "account data": ("PUT", path("user", alice.user, "account_data", "org.example"), {"a": "é"}),
        "published": ("GET", path("directory", "list", "room", room), None),
        "publish": ("PUT", path("directory", "list", "room", room), {"visibility": "private"}),
        "event by id": ("GET", path("events", event), None),
        "join once": ("PUT", path("rooms", room, "join", alice.transaction()), {}),
    }


def everywhere(server, checks, places, alice, bob):
    room = alice.create_room(preset="public_chat")
    event = alice.say(room, "hello")
    for place, address in places.items():
        here = alice.at(address)
        for name, (method, target, body) in requests(alice, room, event).items():
            answer = here.call(method, target, body)
            checks.equal(f"{name} at {place}", answer.status, 200)
            checks.equal(f"{name} at {place}: one field of CORS", answer.headers.get("access-control-allow-origin"), "*")
        checks.equal(f"HEAD at {place}", (lambda a: (a.status, a.body))(here.call("HEAD", path("directory", "list", "room", room))), (200, b""))
        # What the other process refuses is refused.
        checks.equal(f"another's typing at {place}", here.put(path("rooms", room, "typing", bob.user), {"typing": True}).status, 400)
        checks.equal(f"no JSON at {place}", here.call("PUT", path("pushrules", "global", "content", "tea"), b"{").errcode, "M_NOT_JSON")
        checks.equal(f"no token at {place}", here.put(path("rooms", room, "typing", alice.user), {"typing": True}, token=None).errcode, "M_MISSING_TOKEN")
        checks.equal(f"a wrong token at {place}", here.post(path("logout"), token="wrong").errcode, "M_UNKNOWN_TOKEN")
        checks.equal(f"a token in the query at {place}", here.put(f"{path('rooms', room, 'typing', alice.user)}?access_token={alice.token}", {"typing": True}, token=None).status, 200)
        # Sessions end on the main process, wherever that is asked.
        user = server.register()
        checks.equal(f"log out at {place}", user.at(address).post(path("logout")).status, 200)
        checks.equal(f"logged out at {place}", user.at(address).get(path("account", "whoami")).status, 401)
    found = alice.ok("GET", path("user", alice.user, "account_data", "org.example"))
    checks.equal("bytes are as they were sent", found, {"a": "é"})


def away(server, checks, places, alice):
    """While the process that may answer is away the client hears that, and nobody else is held up."""
    room = alice.create_room()
    server.control("kill", "typing_writer1")
    place, address = next((name, address) for name, address in places.items() if name != "typing_writer1")
    answer = alice.at(address).put(path("rooms", room, "typing", alice.user), {"typing": True})
    checks.equal(f"its writer is away, at {place}", (answer.status, answer.errcode), (502, "M_UNKNOWN"))
    checks.equal("others are answered", alice.at(address).get(path("account", "whoami")).status, 200)


def strangers(server, checks, alice):
    """The way between processes is theirs alone."""
    port = server.settings["replication_ports"]["typing_writer1"]
    config = (server.folder / "config" / "homeserver.yaml").read_text()
    secret = re.search(r"^worker_replication_secret: (\S+)$", config, re.MULTILINE).group(1)
    back = Client(f"http://127.0.0.1:{port}", secret)
    target = f"/_synapse/replication/forward{V3}/account/whoami"
    checks.equal("without the secret", back.get(target, token=alice.token).status, 401)
    checks.equal("with it, without the user's token", back.get(target).errcode, "M_MISSING_TOKEN")
    fields = {"X-Forwarded-Authorization": f"Bearer {alice.token}"}
    checks.equal("with both", back.get(target, headers=fields).json.get("user_id"), alice.user)
    checks.equal("no calls between processes", back.get("/_synapse/replication/forward/_synapse/replication/forward" + V3 + "/account/whoami").status, 404)
    room = alice.create_room()
    twice = back.put("/_synapse/replication/forward" + path("pushrules", "global", "content", "tea"), {"pattern": "tea", "actions": ["notify"]}, headers=fields)
    checks.equal("nothing is passed on twice", (twice.status, twice.errcode), (500, "M_UNKNOWN"))
    checks.equal("what is for that process", back.put("/_synapse/replication/forward" + path("rooms", room, "typing", alice.user), {"typing": True}, headers=fields).status, 200)


def main():
    folder, binaries = sys.argv[1:3]
    checks = Checks()
    with own_server(folder, binaries, mode="wide") as server:
        alice, bob = server.register(), server.register()
        strangers(server, checks, alice)
        # Persisters have no listener for clients.
        places = {name: address for name, address in server.processes.items() if not name.startswith("event_persister")}
        everywhere(server, checks, places, alice, bob)
        away(server, checks, places, alice)
    checks.end()


if __name__ == "__main__":
    main()
