#!/usr/bin/env python3
"""What Complement and sytest ask of accounts: registration, login, logout, passwords, deactivation, devices, profiles, versions, encoding.

Each function is named by a row of Docs/conformance.md.

usage: conformance_accounts.py CLUSTER_FOLDER
"""

import hashlib
import hmac
import re
import secrets

from harness import PASSWORD, V3, Client, all_of, path


def name():
    return "u" + secrets.token_hex(6)


def dummy(**more):
    return {"password": PASSWORD, "auth": {"type": "m.login.dummy"}, **more}


def by_password(user, password=PASSWORD, **more):
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password, **more}


def proof(user, password, session):
    return {"auth": {**by_password(user, password), "session": session}}


def registration(server, checks):
    nobody = server.anonymous()
    answer = nobody.post(path("register"), {})
    checks.equal("an empty body asks for flows", answer.status, 401)
    checks.that("each flow is a list of stages", all(isinstance(flow["stages"], list) for flow in answer["flows"]), answer)
    checks.that("and the session has a name", isinstance(answer["session"], str), answer)
    local = name()
    made = nobody.ok("POST", path("register"), dummy(username=local))
    checks.equal("the name is taken as asked", made["user_id"], f"@{local}:{server.name}")
    checks.that("with a token and a device", made["access_token"] and made["device_id"], made)
    checks.equal("and a server's name", made.get("home_server"), server.name)
    shouted = nobody.ok("POST", path("register"), dummy(username=f"U-{local}".upper()))
    checks.equal("capitals become small letters", shouted["user_id"], f"@u-{local}:{server.name}")
    made = nobody.ok("POST", path("register"), dummy(username=name(), device_id="PHONE"))
    checks.equal("the device is the one asked for", made["device_id"], "PHONE")
    for character in "!\":?\\@[]{|}£é\n'%&#()*,;<>~^`$ ":
        answer = nobody.post(path("register"), dummy(username=f"u{character}{local}"))
        checks.that(f"{character!r} is not for names", answer.status == 400 and answer.errcode == "M_INVALID_USERNAME", answer)
    for character in "q3._=-/+":
        answer = nobody.post(path("register"), dummy(username=f"u{character}{name()}"))
        checks.equal(f"{character!r} is", answer.status, 200)
    answer = nobody.post(path("register"), dummy(username=f"_{local}"))
    checks.that("nor is an underscore at the beginning", answer.status == 400, answer)
    answer = nobody.post(path("register"), dummy(username=local))
    checks.that("a name that is taken is refused", answer.status == 400 and answer.errcode == "M_USER_IN_USE", answer)
    password = "übergeheim 密码 🔑"
    local = name()
    nobody.ok("POST", path("register"), dummy(username=local, password=password))
    checks.equal("a password in any script works", nobody.post(path("login"), by_password(local, password)).status, 200)
    answer = nobody.ok("POST", path("register"), dummy(username=name(), inhibit_login=True))
    checks.that("who wants no session gets none", "access_token" not in answer and "device_id" not in answer, answer)


def registration_again(server, checks):
    """A session that is complete gives the same account again, and remembers what it was asked for first."""
    nobody = server.anonymous()
    for more in ({}, {"username": name()}):
        body = {"password": PASSWORD, **more}
        session = nobody.post(path("register"), body)["session"]
        auth = {"auth": {"type": "m.login.dummy", "session": session}}
        first = nobody.ok("POST", path("register"), {**body, **auth})
        again = nobody.ok("POST", path("register"), {**body, **auth})
        checks.equal(f"a repetition {'with' if more else 'without'} a name is the same account", again["user_id"], first["user_id"])
    local = name()
    session = nobody.post(path("register"), {"username": local, "password": PASSWORD})["session"]
    made = nobody.ok("POST", path("register"), {"auth": {"type": "m.login.dummy", "session": session}})
    checks.equal("a session remembers the name", made["user_id"], f"@{local}:{server.name}")
    checks.equal("and the password", nobody.post(path("login"), by_password(local)).status, 200)


def availability(server, checks):
    nobody, user = server.anonymous(), server.register()
    answer = nobody.get(f"{V3}/register/available?username={name()}")
    checks.that("a free name is free", answer.status == 200 and answer.json == {"available": True}, answer)
    answer = nobody.get(f"{V3}/register/available?username={user.user[1:].split(':')[0]}")
    checks.that("a taken one is not", answer.status == 400 and answer.errcode == "M_USER_IN_USE", answer)
    answer = nobody.get(f"{V3}/register/available?username=bad%20name%21")
    checks.that("and a bad one is none", answer.status == 400 and answer.errcode == "M_INVALID_USERNAME", answer)


def shared_secret(server, checks):
    config = "".join(file.read_text() for file in (server.folder / "config").glob("*.yaml"))
    secret = re.search(r"""^registration_shared_secret: ["']?([^"'\s]+)""", config, re.M).group(1)
    target, nobody = "/_synapse/admin/v1/register", server.anonymous()

    def register(local, admin, key=secret):
        nonce = nobody.ok("GET", target)["nonce"]
        parts = b"\0".join(part.encode() for part in (nonce, local, PASSWORD, "admin" if admin else "notadmin"))
        mac = hmac.new(key.encode(), parts, hashlib.sha1).hexdigest()
        return nobody.post(target, {"nonce": nonce, "username": local, "password": PASSWORD, "admin": admin, "mac": mac})

    for admin in (True, False):
        answer = register(name(), admin)
        checks.that(f"an account is made, administrator: {admin}", answer.status == 200 and answer["user_id"], answer)
        stored = server.sql(f"SELECT admin FROM users WHERE name = '{answer['user_id']}'")
        checks.equal(f"and is one as told: {admin}", stored, [["1" if admin else "0"]])
    local = name()
    checks.equal("capitals become small letters", register(local.upper(), False)["user_id"], f"@{local}:{server.name}")
    checks.equal("symbols are refused", register("us,er", False).status, 400)
    checks.equal("another secret is refused", register(name(), False, "another").status, 403)


def login(server, checks):
    nobody, user = server.anonymous(), server.register()
    flows = nobody.ok("GET", path("login"))["flows"]
    checks.that("logging in by password is a way", {"type": "m.login.password"} in flows, flows)
    made = nobody.ok("POST", path("login"), by_password(user.user))
    checks.equal("one logs in by the whole name", made["user_id"], user.user)
    local = user.user[1:].split(":")[0]
    made = nobody.ok("POST", path("login"), by_password(local, device_id="LAPTOP"))
    checks.equal("and by its first part", (made["user_id"], made["device_id"]), (user.user, "LAPTOP"))
    made = nobody.ok("POST", path("login"), by_password(local.upper()))
    who = Client(server.address, made["access_token"]).ok("GET", path("account", "whoami"))
    checks.equal("in capitals, and the server knows who that is", who["user_id"], user.user)
    for case, body in {"another password": by_password(local, "wrong"), "nobody": by_password(name())}.items():
        answer = nobody.post(path("login"), body)
        checks.that(f"{case} is refused", answer.status == 403 and answer.errcode == "M_FORBIDDEN", answer)


def logout(server, checks):
    user = server.register()
    other = server.login(user.user)
    checks.equal("one device logs out", other.post(path("logout")).status, 200)
    answer = other.get(path("account", "whoami"))
    checks.that("and is out", answer.status == 401 and answer.errcode == "M_UNKNOWN_TOKEN", answer)
    checks.equal("while the other is not", user.get(path("account", "whoami")).status, 200)
    checks.equal("the device is gone", user.get(path("devices", other.device)).status, 404)
    sessions = [server.login(user.user) for _ in range(2)]
    checks.equal("all log out", user.post(path("logout", "all")).status, 200)
    for session in (user, *sessions):
        checks.equal("each is out", session.get(path("account", "whoami")).errcode, "M_UNKNOWN_TOKEN")
    answer = server.anonymous().post(path("logout"), token="nonsense")
    checks.that("an unknown token logs nobody out", answer.status == 401 and answer.errcode == "M_UNKNOWN_TOKEN", answer)
    answer = server.anonymous().post(path("logout"), token=None)
    checks.that("nor does none", answer.status == 401 and answer.errcode == "M_MISSING_TOKEN", answer)


def password(server, checks):
    user = server.register()
    other, nobody = server.login(user.user), server.anonymous()
    local = user.user[1:].split(":")[0]
    session = user.post(path("account", "password"), {"new_password": "second"})["session"]
    body = {"new_password": "second", **proof(user.user, PASSWORD, session)}
    checks.equal("a password changes", user.post(path("account", "password"), body).status, 200)
    checks.equal("the old one is void", nobody.post(path("login"), by_password(local)).status, 403)
    checks.equal("the new one is good", nobody.post(path("login"), by_password(local, "second")).status, 200)
    checks.equal("the session that changed it stays", user.get(path("account", "whoami")).status, 200)
    checks.equal("another does not", other.get(path("account", "whoami")).status, 401)
    other = server.login(user.user, "second")
    body = {"new_password": "third", "logout_devices": False}
    session = user.post(path("account", "password"), body)["session"]
    checks.equal("unless it is told to", user.post(path("account", "password"), {**body, **proof(user.user, "second", session)}).status, 200)
    checks.equal("stay", other.get(path("account", "whoami")).status, 200)


def deactivation(server, checks):
    user, nobody = server.register(), server.anonymous()
    answer = user.post(path("account", "deactivate"), {})
    checks.equal("closing an account wants a proof", answer.status, 401)
    checks.that("such as the password", ["m.login.password"] in [flow["stages"] for flow in answer["flows"]], answer)
    session = answer["session"]
    answer = user.post(path("account", "deactivate"), proof(user.user, "wrong", session))
    checks.that("another password closes nothing", answer.status in (401, 403) and answer.errcode == "M_FORBIDDEN", answer)
    checks.equal("so that one stays", user.get(path("account", "whoami")).status, 200)
    answer = user.post(path("account", "deactivate"), proof(user.user, PASSWORD, session))
    checks.equal("the password does", answer.status, 200)
    answer = nobody.post(path("login"), by_password(user.user))
    checks.that("nobody logs in any more", answer.status == 403, answer)
    checks.equal("and the token is void", user.get(path("account", "whoami")).status, 401)
    answer = nobody.post(path("register"), dummy(username=user.user[1:].split(":")[0]))
    checks.equal("the name is not given again", answer.errcode, "M_USER_IN_USE")


def interactive(server, checks):
    """One who begins is the one who ends, and what was begun is what ends."""
    user, mallory = server.register(), server.register()
    phone, tablet = server.login(user.user, device_id="PHONE"), server.login(user.user, device_id="TABLET")
    session = user.delete(path("devices", phone.device), {})["session"]
    answer = user.delete(path("devices", tablet.device), proof(user.user, PASSWORD, session))
    checks.that("a proof for one device is none for another", answer.status in (401, 403), answer)
    checks.equal("which is there", user.get(path("devices", tablet.device)).status, 200)
    session = user.delete(path("devices", phone.device), {})["session"]
    answer = user.delete(path("devices", phone.device), proof(mallory.user, PASSWORD, session))
    checks.that("another's password proves nothing", answer.status in (401, 403), answer)
    checks.equal("nothing is deleted", user.get(path("devices", phone.device)).status, 200)


def devices(server, checks):
    user = server.register()
    phone = server.login(user.user, device_id="PHONE", initial_device_display_name="my phone")
    found = user.ok("GET", path("devices", "PHONE"))
    checks.equal("a device tells its names", (found["device_id"], found["display_name"]), ("PHONE", "my phone"))
    checks.equal("one that is not there is 404", user.get(path("devices", "NONE")).status, 404)
    found = {device["device_id"] for device in user.ok("GET", path("devices"))["devices"]}
    checks.equal("all are listed", found, {user.device, "PHONE"})
    user.ok("PUT", path("devices", "PHONE"), {"display_name": "renamed"})
    checks.equal("a name changes", user.ok("GET", path("devices", "PHONE"))["display_name"], "renamed")
    checks.equal("that of none does not", user.put(path("devices", "NONE"), {"display_name": "x"}).status, 404)
    answer = user.delete(path("devices", "PHONE"))
    checks.that("deleting without a body asks for a proof", answer.status == 401 and answer["flows"] and answer["session"], answer)
    session = answer["session"]
    answer = user.delete(path("devices", "PHONE"), proof(user.user, "wrong", session))
    checks.that("a wrong one is said to be wrong", answer.status in (401, 403) and answer.errcode == "M_FORBIDDEN", answer)
    checks.equal("a right one deletes", user.delete(path("devices", "PHONE"), proof(user.user, PASSWORD, session)).status, 200)
    checks.equal("it is gone", user.get(path("devices", "PHONE")).status, 404)
    checks.equal("and its token void", phone.get(path("account", "whoami")).status, 401)


def profile(server, checks):
    user, other, nobody = server.register(), server.register(), server.anonymous()
    for field, value in (("displayname", "Alice Ä"), ("avatar_url", "mxc://example.org/face")):
        user.ok("PUT", path("profile", user.user, field), {field: value})
        checks.equal(f"{field} is read by all", nobody.ok("GET", path("profile", user.user, field))[field], value)
        answer = other.put(path("profile", user.user, field), {field: value})
        checks.that(f"{field} of another is not written", answer.status in (400, 403) and answer.errcode == "M_FORBIDDEN", answer)
    checks.equal("the whole has both", nobody.ok("GET", path("profile", user.user)), {"displayname": "Alice Ä", "avatar_url": "mxc://example.org/face"})
    rooms = [user.create_room() for _ in range(2)]
    since = user.sync()["next_batch"]
    for field, value in (("displayname", "Alice the second"), ("avatar_url", "mxc://example.org/other")):
        user.ok("PUT", path("profile", user.user, field), {field: value})
        for room in rooms:
            user.sync_until(lambda a: value in str(a["rooms"]["join"].get(room)) if "rooms" in a else False, since)
            content = user.ok("GET", path("rooms", room, "state", "m.room.member", user.user))
            checks.equal(f"a new {field} reaches the rooms", content.get(field), value)


def room_names(server, checks):
    """A name for one room."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    alice.state(room, "m.room.member", {"membership": "join", "displayname": "Alice here"}, alice.user)
    checks.equal("is the name there", alice.ok("GET", path("rooms", room, "joined_members"))["joined"][alice.user]["display_name"], "Alice here")
    checks.that("and not elsewhere", alice.get(path("profile", alice.user)).json.get("displayname") != "Alice here")
    bob.ok("PUT", path("rooms", room, "state", "m.room.member", bob.user), {"membership": "join", "displayname": "Bob here"})
    checks.equal("one may enter with it", alice.ok("GET", path("rooms", room, "state", "m.room.member", bob.user))["displayname"], "Bob here")


def versions(server, checks):
    answer = server.anonymous().ok("GET", "/_matrix/client/versions")
    checks.that("versions are named as such", answer["versions"] and all(
        re.fullmatch(r"v[1-9]\d*\.\d+|r0\.\d+\.\d+", version) for version in answer["versions"]), answer)
    checks.that("features are true or false", all(isinstance(value, bool) for value in answer["unstable_features"].values()), answer)
    checks.that("and named after whom they come from", all("." in key for key in answer["unstable_features"]), answer)


def capabilities(server, checks):
    found = server.register().ok("GET", path("capabilities"))["capabilities"]
    checks.that("a default room version is there", found["m.room_versions"]["default"] in found["m.room_versions"]["available"], found)
    checks.that("passwords change or do not", isinstance(found["m.change_password"]["enabled"], bool), found)
    answer = server.anonymous().get(path("capabilities"))
    checks.that("strangers are told nothing", answer.status == 401 and answer.errcode == "M_MISSING_TOKEN", answer)


def encoding(server, checks):
    user = server.register()
    room = user.create_room()
    for target in (path("rooms", room, "send", "m.room.message", "1"), path("rooms", room, "state", "a", "")):
        answer = user.put(target, b'{"body":"\xff\xfe","msgtype":"m.text"}')
        checks.that("what is no UTF-8 is no JSON", answer.status == 400 and answer.errcode == "M_NOT_JSON", answer)
    answer = server.anonymous().post(path("register"), b'{"username":"a\x81"}')
    checks.that("not before one has an account either", answer.status == 400 and answer.errcode == "M_NOT_JSON", answer)


def unknown_endpoints(server, checks):
    user = server.register()
    for target in ("/_matrix/unknown", "/_matrix/client/unknown", "/_matrix/client/v3/unknown", "/_matrix/client/v1/unknown",
                   "/_matrix/federation/unknown", "/_matrix/key/unknown", "/_matrix/media/unknown", "/_matrix/media/v3/unknown"):
        for method in ("GET", "PUT", "POST"):
            answer = user.call(method, target, None if method == "GET" else {})
            checks.that(f"{method} {target} is unknown", answer.status == 404 and answer.errcode == "M_UNRECOGNIZED", answer)
    for method, target in (("PATCH", path("login")), ("DELETE", path("login")), ("PUT", path("publicRooms")), ("GET", path("createRoom"))):
        answer = user.call(method, target, None)
        checks.that(f"{method} {target} is another method", answer.status == 405 and answer.errcode == "M_UNRECOGNIZED", answer)


def presence(server, checks):
    alice, bob, carol = server.register(), server.register(), server.register()
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    found = alice.ok("GET", path("presence", alice.user, "status"))
    checks.that("somebody new has a presence", found["presence"] in ("offline", "online", "unavailable"), found)
    since = bob.sync()["next_batch"]
    for state in ("online", "unavailable"):
        alice.ok("PUT", path("presence", alice.user, "status"), {"presence": state, "status_msg": f"it is {state}"})
        found = alice.ok("GET", path("presence", alice.user, "status"))
        checks.equal(f"{state} is what one is then", (found["presence"], found["status_msg"]), (state, f"it is {state}"))
        answer = bob.sync_until(lambda a: shows(a, alice, state), since)
        checks.that(f"and others see it: {state}", shows(answer, alice, state), answer.get("presence"))
    # A first sync that was asked before may be answered as it was; this one was not.
    whole = bob.sync(filter='{"room":{"timeline":{"limit":1}}}')
    checks.that("a first sync tells the others", shows(whole, alice, "unavailable"), whole.get("presence"))
    alice.sync(set_presence="online")
    answer = alice.sync_until(lambda a: shows(a, alice, "online"))
    checks.that("one sees oneself", shows(answer, alice, "online"), answer.get("presence"))
    checks.that("strangers see nothing", not shows(carol.sync(), alice, "online"))
    dave = server.register()
    since = alice.sync()["next_batch"]
    dave.sync(set_presence="offline")
    checks.equal("a sync may leave one offline", dave.ok("GET", path("presence", dave.user, "status"))["presence"], "offline")
    dave.sync(set_presence="unavailable")
    dave.join(room)
    answer = alice.sync_until(lambda a: any(e["sender"] == dave.user for e in a.get("presence", {}).get("events", [])), since)
    checks.that("who joins is told of", any(e["sender"] == dave.user for e in answer.get("presence", {}).get("events", [])), answer.get("presence"))
    checks.equal("as the sync has set it", dave.ok("GET", path("presence", dave.user, "status"))["presence"], "unavailable")


def shows(answer, who, state):
    return any(event["sender"] == who.user and event["content"]["presence"] == state
               for event in answer.get("presence", {}).get("events", []))


if __name__ == "__main__":
    all_of(registration, registration_again, availability, shared_secret, login, logout, password, deactivation, interactive, devices,
           profile, room_names, versions, capabilities, encoding, unknown_endpoints, presence)
