#!/usr/bin/env python3
"""Accounts under settings of their own: guests, tokens, approval, closed registration, limits, and what happens without Redis.

usage: own_accounts.py FOLDER BINARIES
"""

import hashlib
import hmac
import re
import secrets
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from deactivation import deactivate, until
from harness import PASSWORD, V3, Checks, Client, at_once, own_server, path

REGISTER = path("register")

OPEN = """
allow_guest_access: true
registration_requires_token: true
rc_profile: {per_second: 0.001, burst_count: 5}
"""

APPROVED = """
experimental_features:
  msc3866: {enabled: true, require_approval_for_new_accounts: true}
inhibit_user_in_use_error: true
refreshable_access_token_lifetime: 1s
rc_message: {per_second: 0.001, burst_count: 5}
rc_login:
  address: {per_second: 100000, burst_count: 1000000}
  account: {per_second: 100000, burst_count: 1000000}
  failed_attempts: {per_second: 0.001, burst_count: 3}
"""

CLOSED = """
enable_registration: false
enable_registration_without_verification: false
"""


def token_auth(token, session=None):
    auth = {"type": "m.login.registration_token", "token": token}
    return {**auth, "session": session} if session else auth


def add_token(server, uses):
    token = "t" + secrets.token_hex(6)
    server.sql(f"INSERT INTO registration_tokens (token, uses_allowed, pending, completed) VALUES ('{token}', {uses}, 0, 0)")
    return token


def token_counts(server, token):
    return [int(n) for n in server.sql(f"SELECT pending, completed FROM registration_tokens WHERE token = '{token}'")[0]]


def register_with_token(server, token=None):
    """Registers a user on a server that demands tokens."""
    token = token or add_token(server, 1)
    client = server.anonymous()
    session = client.post(REGISTER, {"auth": token_auth(token), "password": PASSWORD}, token=None)["session"]
    made = client.ok("POST", REGISTER, {"auth": {"type": "m.login.dummy", "session": session}, "password": PASSWORD}, token=None)
    return Client(server.address, made["access_token"], made["user_id"], made["device_id"])


def registration_tokens(server, checks):
    token, places = add_token(server, 1), server.workers + [server.address]
    sessions = [Client(places[n % len(places)]).post(REGISTER, {}, token=None)["session"] for n in range(8)]

    def stages(number):
        client = Client(places[number % len(places)])
        client.post(REGISTER, {"auth": token_auth(token, sessions[number])}, token=None)
        body = {"auth": {"type": "m.login.dummy", "session": sessions[number]}, "password": PASSWORD}
        return client.post(REGISTER, body, token=None)

    answers = at_once(8, stages)
    checks.equal("tokens: one use makes one account of parallel sessions", [a.status for a in answers].count(200), 1)
    checks.equal("tokens: it is counted", token_counts(server, token), [0, 1])
    # One session that passes the stage several times at once holds one use, and makes one account.
    token = add_token(server, 2)
    session = server.anonymous().post(REGISTER, {}, token=None)["session"]
    passed = at_once(6, lambda n: Client(places[n % len(places)]).post(REGISTER, {"auth": token_auth(token, session)}, token=None))
    checks.equal("tokens: the stage is passed by all", [a.json.get("completed") for a in passed], [["m.login.registration_token"]] * 6)
    checks.equal("tokens: a session reserves one use", token_counts(server, token), [1, 0])
    body = {"auth": {"type": "m.login.dummy", "session": session}, "password": PASSWORD}
    made = at_once(6, lambda n: Client(places[n % len(places)]).post(REGISTER, body, token=None))
    checks.equal("tokens: all get the same account", len({a.json.get("user_id") for a in made}), 1)
    checks.equal("tokens: one use is counted", token_counts(server, token), [0, 1])
    server.anonymous().post(REGISTER, {"auth": token_auth(token, session), "password": PASSWORD}, token=None)
    checks.equal("tokens: a repetition counts nothing", token_counts(server, token), [0, 1])
    other = add_token(server, 1)
    session = server.anonymous().post(REGISTER, {"auth": token_auth(token)}, token=None)["session"]
    server.anonymous().post(REGISTER, {"auth": token_auth(other, session)}, token=None)
    checks.equal("tokens: another token gives the first back", token_counts(server, token) + token_counts(server, other), [0, 1, 1, 0])


def guests(server, checks):
    answer = server.anonymous().post(f"{REGISTER}?kind=guest", {"initial_device_display_name": "kiosk"}, token=None)
    checks.equal("guests: they register", answer.status, 200)
    guest = Client(server.address, answer["access_token"], answer["user_id"], answer["device_id"])
    who = guest.get(path("account", "whoami")).json
    checks.equal("guests: they are known as such", who, {"user_id": guest.user, "is_guest": True, "device_id": "guest_device"})
    checks.equal("guests: the account says so", server.sql(f"SELECT is_guest FROM users WHERE name = '{guest.user}'"), [["1"]])
    for name, call in (
        ("make rooms", lambda: guest.post(path("createRoom"), {})),
        ("change the password", lambda: guest.post(path("account", "password"), {})),
        ("close the account", lambda: guest.post(path("account", "deactivate"), {})),
        ("write account data", lambda: guest.put(path("user", guest.user, "account_data", "org.example"), {})),
        ("write push rules", lambda: guest.put(f"{V3}/pushrules/global/content/a", {"pattern": "a", "actions": []})),
    ):
        answer = call()
        checks.equal(f"guests: they do not {name}", (answer.status, answer.errcode), (403, "M_GUEST_ACCESS_FORBIDDEN"))
    host = register_with_token(server)
    barred = host.create_room(preset="public_chat")
    checks.equal("guests: a room that bars them", guest.post(path("join", barred)).status, 403)
    room = host.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "can_join"}}])
    checks.equal("guests: a room that admits them", guest.post(path("join", room)).status, 200)
    member = host.ok("GET", path("rooms", room, "state", "m.room.member", guest.user))
    checks.equal("guests: the room knows", member.get("kind"), "guest")
    guest.say(room, "hello")
    answer = guest.post(path("rooms", room, "invite"), {"user_id": host.user})
    checks.equal("guests: they do not invite", answer.errcode, "M_GUEST_ACCESS_FORBIDDEN")
    host.state(room, "m.room.guest_access", {"guest_access": "forbidden"})
    member = host.ok("GET", path("rooms", room, "state", "m.room.member", guest.user))
    checks.equal("guests: they leave a room that bars them from now on", member["membership"], "leave")
    checks.equal("guests: others stay", host.ok("GET", path("rooms", room, "state", "m.room.member", host.user))["membership"], "join")
    checks.equal("guests: they sync", guest.get(f"{V3}/sync?timeout=0").status, 200)


def profile_limit(server, checks):
    user = register_with_token(server).at(server.workers[0])
    statuses = [user.put(path("profile", user.user, "org.example.field"), {"org.example.field": n}).status for n in range(8)]
    checks.equal("profile: changes count against rc_profile", statuses, [200] * 5 + [429] * 3)


def without_redis(server, checks):
    """A token that ends while Redis is away ends at the workers too, though nobody tells them."""
    user = register_with_token(server)
    places = [user.at(address) for address in server.workers]
    checks.equal("redis: the token works", [p.get(path("account", "whoami")).status for p in places], [200] * len(places))
    checks.equal("redis: and again", [p.get(path("account", "whoami")).status for p in places], [200] * len(places))
    server.control("kill", "redis")
    try:
        checks.equal("redis: logging out works", user.at(server.processes["homeserver"]).post(path("logout")).status, 200)
        ended = until(lambda: all(p.get(path("account", "whoami")).status == 401 for p in places), 90)
        checks.that("redis: the token ends at the workers", ended)
    finally:
        server.control("start", "redis")


def replicated_session(server, checks):
    """A worker of Synapse opens sessions at our main process with these bodies."""
    config = "".join(file.read_text() for file in (server.folder / "config").glob("*.yaml"))
    secret = re.search(r"worker_replication_secret: (\S+)", config).group(1)
    port = server.settings["replication_ports"]["homeserver"]
    user = register_with_token(server)
    before = server.sql(f"SELECT count(*) FROM refresh_tokens WHERE user_id = '{user.user}'")

    def open_session(**fields):
        body = {"device_id": None, "initial_display_name": None, "is_guest": False, "is_appservice_ghost": False,
                "should_issue_refresh_token": False, "auth_provider_id": None, "auth_provider_session_id": None, **fields}
        target = f"/_synapse/replication/device_check_registered/{quote(user.user, safe='')}/{secrets.token_hex(8)}"
        return Client(f"http://127.0.0.1:{port}", secret).post(target, body)

    made = open_session(device_id="SSO", auth_provider_id="oidc-test", auth_provider_session_id="sid")
    checks.equal("replication: a session of a provider", made.status, 200)
    rows = server.sql(f"SELECT device_id, auth_provider_id, auth_provider_session_id FROM device_auth_providers WHERE user_id = '{user.user}'")
    checks.equal("replication: the provider is kept", rows, [["SSO", "oidc-test", "sid"]])
    guest = open_session(is_guest=True, should_issue_refresh_token=True, device_id="guest_device")
    checks.equal("replication: a guest's session is not refreshed", (guest.status, guest.json.get("refresh_token")), (200, None))
    after = server.sql(f"SELECT count(*) FROM refresh_tokens WHERE user_id = '{user.user}'")
    checks.equal("replication: and nothing is stored for it", after, before)
    told = Client(f"http://127.0.0.1:{port}", secret).post(
        f"/_synapse/replication/notify_account_deactivated/{quote(user.user, safe='')}/{secrets.token_hex(8)}", {"by_admin": False})
    checks.equal("replication: a worker tells of a deactivation", told.status, 200)


def killed_in_the_middle(server, checks):
    """The main process dies while a deactivated user leaves rooms; it goes on when it is back."""
    user = register_with_token(server)
    for _ in range(40):
        user.create_room()
    stop = threading.Event()

    def kill():
        while not stop.is_set():
            rows = server.sql(f"SELECT deactivated FROM users WHERE name = '{user.user}'")
            if rows == [["1"]]:
                return server.control("kill", "homeserver")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        deactivate(user.at(server.workers[0]))
    except OSError:
        pass  # the process that answers may be the one that dies
    killer.join(30)
    stop.set()
    joined = f"SELECT count(*) FROM local_current_membership WHERE user_id = '{user.user}' AND membership = 'join'"
    checks.that("kill: it dies in the middle", int(server.sql(joined)[0][0]) > 0)
    server.control("start", "homeserver")
    checks.that("kill: all rooms are left afterwards", until(lambda: server.sql(joined) == [["0"]], 90), server.sql(joined))
    pending = f"SELECT count(*) FROM users_pending_deactivation WHERE user_id = '{user.user}'"
    checks.that("kill: and nothing is pending", until(lambda: server.sql(pending) == [["0"]]))


def approval(server, checks):
    name = "new" + secrets.token_hex(4)
    body = {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
    answer = server.anonymous().post(REGISTER, body, token=None)
    waiting = (403, "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL", "org.matrix.msc3866.none")
    checks.equal("approval: a registration waits", (answer.status, answer.errcode, answer.json.get("approval_notice_medium")), waiting)
    user = f"@{name}:{server.name}"
    checks.equal("approval: the account is stored so", server.sql(f"SELECT approved FROM users WHERE name = '{user}'"), [["f"]])
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": PASSWORD}
    answer = server.anonymous().post(path("login"), login, token=None)
    checks.equal("approval: a login is refused", (answer.status, answer.errcode, answer.json.get("approval_notice_medium")), waiting)
    answer = server.anonymous().post(path("login"), {**login, "password": "wrong"}, token=None)
    checks.equal("approval: and says nothing to strangers", answer.errcode, "M_FORBIDDEN")
    server.sql(f"UPDATE users SET approved = true WHERE name = '{user}'")
    checks.equal("approval: then it works", server.anonymous().post(path("login"), login, token=None).status, 200)
    taken = server.anonymous().get(f"{V3}/register/available?username={name}", token=None)
    checks.equal("approval: a name in use is hidden", (taken.status, taken.json), (200, {"available": True}))
    # An access token that has ended may still log out.
    session = server.anonymous().ok("POST", path("login"), {**login, "refresh_token": True}, token=None)
    client = Client(server.address, session["access_token"])
    checks.that("expiry: the token ends", until(lambda: client.get(path("account", "whoami")).status == 401))
    checks.equal("expiry: it may log out", client.post(path("logout")).status, 200)
    answer = server.anonymous().post(path("refresh"), {"refresh_token": session["refresh_token"]}, token=None)
    checks.that("expiry: which ends the session", answer.status in (401, 403), answer)


def counted_at_once(server, checks):
    """Attempts at the same time are counted like attempts one after the other."""
    name = "victim" + secrets.token_hex(4)
    server.anonymous().post(REGISTER, {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}, token=None)
    server.sql(f"UPDATE users SET approved = true WHERE name = '@{name}:{server.name}'")
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}}
    for _ in range(5):
        session = server.anonymous().ok("POST", path("login"), {**login, "password": PASSWORD}, token=None)
    user = Client(server.address, session["access_token"], session["user_id"])
    statuses = [user.put(path("profile", user.user, "displayname"), {"displayname": f"Name {n}"}).status for n in range(7)]
    checks.equal("at once: a profile that rooms see counts against rc_message", statuses, [200] * 5 + [429] * 2)
    statuses = at_once(20, lambda n: server.anonymous().post(path("login"), {**login, "password": f"guess {n}"}, token=None).status)
    checks.equal("at once: no more passwords are tried than allowed", (statuses.count(403), statuses.count(429)), (3, 17))


def shared_secret(server, checks):
    """Nonces: a flood of questions takes nobody's away, and each is good for one account."""
    config = "".join(file.read_text() for file in (server.folder / "config").glob("*.yaml"))
    secret = re.search(r"""^registration_shared_secret: ["']?([^"'\s]+)""", config, re.M).group(1)
    target = "/_synapse/admin/v1/register"
    nonce = server.anonymous().ok("GET", target, token=None)["nonce"]

    def flood(_):
        client = server.anonymous()
        return {client.get(target, token=None).status for _ in range(1_300)}

    with ThreadPoolExecutor(8) as pool:
        checks.equal("nonces: ten thousand are given out", set().union(*pool.map(flood, range(8))), {200})

    def register(number):
        name = "admin" + secrets.token_hex(4)
        parts = b"\0".join(part.encode() for part in (nonce, name, PASSWORD, "notadmin"))
        mac = hmac.new(secret.encode(), parts, hashlib.sha1).hexdigest()
        return server.anonymous().post(target, {
            "nonce": nonce, "username": name, "password": PASSWORD, "admin": False, "mac": mac}, token=None)

    answers = at_once(8, register)
    checks.equal("nonces: an earlier one makes one account of parallel requests", [a.status for a in answers].count(200), 1)
    checks.equal("nonces: the others are told", [a.json.get("error") for a in answers].count("unrecognised nonce"), 7)
    made = [server.sql(f"SELECT approved FROM users WHERE name = '{a['user_id']}'") for a in answers if a.status == 200]
    checks.equal("approval: an administrator's account needs none", made, [[["t"]]])


def closed(server, checks):
    answer = server.anonymous().get(f"{V3}/register/available?username=anybody", token=None)
    checks.equal("closed: names are not told", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
    answer = server.anonymous().post(f"{REGISTER}?kind=guest", {}, token=None)
    checks.equal("closed: nor guests admitted", answer.status, 403)


def main():
    folder, binaries, checks = Path(sys.argv[1]), sys.argv[2], Checks()
    with own_server(folder / "open", binaries, "cluster", OPEN) as server:
        for case in (registration_tokens, guests, replicated_session, profile_limit, without_redis, killed_in_the_middle):
            case(server, checks)
    with own_server(folder / "approved", binaries, "monolith", APPROVED) as server:
        for case in (approval, counted_at_once, shared_secret):
            case(server, checks)
    with own_server(folder / "closed", binaries, "monolith", CLOSED) as server:
        closed(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
