#!/usr/bin/env python3
"""Sessions and their tokens: what ends them, and what may not keep them alive.

usage: sessions.py CLUSTER_FOLDER
"""

import sys
import threading

from harness import PASSWORD, V3, Checks, Client, Server, at_once, path

CHANGED = "another horse entirely"


def password_auth(user, password=PASSWORD, session=None):
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}
    return {**auth, "session": session} if session else auth


def log_in(server, user, password=PASSWORD, address=None, **options):
    """Logs in at one process; answers the response."""
    identifier = {"type": "m.id.user", "user": user}
    body = {"type": "m.login.password", "identifier": identifier, "password": password, **options}
    return Client(address or server.address).post(path("login"), body, token=None)


def refresh(server, token):
    return server.anonymous().post(path("refresh"), {"refresh_token": token}, token=None)


def is_alive(server, token):
    return server.anonymous().get(path("account", "whoami"), token=token).status == 200


def change_password(client, new, **options):
    body = {"new_password": new, "auth": password_auth(client.user, client.password), **options}
    return client.post(path("account", "password"), body)


def password_change(server, checks):
    alice = server.register()
    own = log_in(server, alice.user, refresh_token=True, device_id="OWN").json
    other = log_in(server, alice.user, refresh_token=True, device_id="OTHER").json
    client = Client(server.address, own["access_token"], alice.user, "OWN")
    # Another session of the same device, as a process of Synapse leaves it behind when the device logs in anew.
    server.sql(f"""
        WITH refresh AS (
          INSERT INTO refresh_tokens (id, user_id, device_id, token)
          SELECT max(id) + 1000000, '{alice.user}', 'OWN', 'stray-{alice.device}' FROM refresh_tokens RETURNING id)
        INSERT INTO access_tokens (id, user_id, device_id, token, refresh_token_id, used)
        SELECT refresh.id, '{alice.user}', 'OWN', 'stray-access-{alice.device}', refresh.id, false FROM refresh""")
    checks.equal("password: the change is accepted", change_password(client, CHANGED).status, 200)
    checks.that("password: another session's token ends", not is_alive(server, other["access_token"]))
    checks.that("password: another session's refresh token ends", refresh(server, other["refresh_token"]).status in (401, 403))
    stray = refresh(server, f"stray-{alice.device}").status
    checks.that("password: so does one of another session of the same device", stray in (401, 403), stray)
    checks.that("password: with its access token", not is_alive(server, f"stray-access-{alice.device}"))
    checks.that("password: the own token stays", is_alive(server, own["access_token"]))
    checks.equal("password: the own refresh token stays", refresh(server, own["refresh_token"]).status, 200)
    client.password = CHANGED
    third = log_in(server, alice.user, CHANGED, refresh_token=True).json
    checks.equal("password: others may stay logged in", change_password(client, PASSWORD, logout_devices=False).status, 200)
    checks.equal("password: then their refresh tokens stay", refresh(server, third["refresh_token"]).status, 200)


def logins_under_way(server, checks):
    """Logins with the old password run while it is changed: none of their sessions outlives the change."""
    survivors = 0
    for _ in range(6):
        alice = server.register()
        done, answers = threading.Event(), []

        def work(number):
            if number == 0:
                status = change_password(alice, CHANGED).status
                done.set()
                return status
            last = False
            while not last:
                last = done.is_set()
                answer = log_in(server, alice.user, address=server.workers[number % len(server.workers)])
                if answer.status == 200:
                    answers.append(answer["access_token"])
            return None

        checks.equal("race: the password is changed", at_once(9, work)[0], 200)
        survivors += sum(is_alive(server, token) for token in answers)
        checks.that("race: the new password works", log_in(server, alice.user, CHANGED).status == 200)
    checks.equal("race: sessions of the old password that live on", survivors, 0)


def same_device(server, checks):
    alice = server.register()
    first = log_in(server, alice.user, device_id="PHONE", refresh_token=True).json
    checks.that("device: the first token works", is_alive(server, first["access_token"]))
    second = log_in(server, alice.user, device_id="PHONE", refresh_token=True).json
    checks.that("device: a new login ends the device's old token", not is_alive(server, first["access_token"]))
    checks.that("device: and its refresh token", refresh(server, first["refresh_token"]).status in (401, 403))
    checks.that("device: the new token works", is_alive(server, second["access_token"]))
    checks.that("device: another device is left alone", is_alive(server, alice.token))
    tokens = [answer["access_token"] for answer in at_once(8, lambda _: log_in(server, alice.user, device_id="TABLET"))]
    checks.equal("device: of parallel logins one token lives", sum(is_alive(server, token) for token in tokens), 1)


def locked(server, checks):
    for target in ("logout", "logout/all"):
        alice = server.register()
        server.sql(f"UPDATE users SET locked = true WHERE name = '{alice.user}'")
        checks.equal(f"locked: {target}: other requests are refused", alice.get(path("account", "whoami")).errcode, "M_USER_LOCKED")
        checks.equal(f"locked: {target} is allowed", alice.post(f"{V3}/{target}").status, 200)
        rows = server.sql(f"SELECT count(*) FROM access_tokens WHERE user_id = '{alice.user}'")
        checks.equal(f"locked: {target} ends the session", rows, [["0"]])


def without_device(server, checks):
    """A session whose device has gone, as a process leaves it that dies between device and tokens, can still be logged out."""
    alice = server.register()
    session = log_in(server, alice.user, refresh_token=True).json
    server.sql(f"DELETE FROM devices WHERE user_id = '{alice.user}' AND device_id = '{session['device_id']}'")
    client = Client(server.address, session["access_token"])
    checks.equal("no device: logging out is answered", client.post(path("logout")).status, 200)
    checks.that("no device: and ends the token", not is_alive(server, session["access_token"]))
    rows = server.sql(f"SELECT count(*) FROM refresh_tokens WHERE user_id = '{alice.user}' AND device_id = '{session['device_id']}'")
    checks.equal("no device: and the refresh token", rows, [["0"]])


def interactive(server, checks):
    alice, mallory = server.register(), server.register()
    for name, target, body in (
        ("password", path("account", "password"), {"new_password": CHANGED}),
        ("deactivate", path("account", "deactivate"), {}),
        ("delete_devices", path("delete_devices"), {"devices": [mallory.device]}),
    ):
        answer = mallory.post(target, {**body, "auth": password_auth(alice.user)})
        checks.equal(f"interactive: {name} completed by another user", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))
        answer = mallory.post(target, {**body, "auth": password_auth(mallory.user, "wrong")})
        checks.equal(f"interactive: {name} with a wrong password", answer.status, 401)
    # A completed session authorises one request.
    others = [log_in(server, alice.user)["device_id"] for _ in range(9)]
    session = alice.post(path("delete_devices"), {"devices": others})["session"]
    body = {"devices": others[:1], "auth": password_auth(alice.user, session=session)}
    checks.equal("interactive: a session authorises a request", alice.post(path("delete_devices"), body).status, 200)
    again = alice.post(path("delete_devices"), {"devices": others[1:2], "auth": {"session": session}})
    checks.that("interactive: and no second one", again.status != 200, again)
    session = alice.post(path("delete_devices"), {"devices": others})["session"]
    statuses = at_once(8, lambda number: alice.post(path("delete_devices"), {
        "devices": others[number + 1:number + 2], "auth": password_auth(alice.user, session=session)}).status)
    checks.equal("interactive: nor one of several at the same time", statuses.count(200), 1)


def refreshing(server, checks):
    alice = server.register()
    session = log_in(server, alice.user, refresh_token=True).json
    answers = [a.json for a in at_once(8, lambda _: refresh(server, session["refresh_token"])) if a.status == 200]
    checks.that("refresh: a token is exchanged", answers)
    checks.equal("refresh: of parallel exchanges one access token lives",
                 sum(is_alive(server, answer["access_token"]) for answer in answers), 1)
    alive = [answer for answer in answers if is_alive(server, answer["access_token"])]
    checks.that("refresh: the exchanged token is spent", refresh(server, session["refresh_token"]).status in (401, 403))
    token = alive[0]["refresh_token"]
    for _ in range(12):
        answer = refresh(server, token)
        is_alive(server, answer["access_token"])
        token = answer["refresh_token"]
    rows = server.sql(f"SELECT count(*) FROM refresh_tokens WHERE user_id = '{alice.user}'")
    checks.that("refresh: spent tokens do not pile up", int(rows[0][0]) <= 4, rows)
    rows = server.sql(f"SELECT count(*) FROM access_tokens WHERE user_id = '{alice.user}'")
    checks.that("refresh: nor do their access tokens", int(rows[0][0]) <= 5, rows)


def folded_names(server, checks):
    import secrets
    name = "kim" + secrets.token_hex(4)
    server.register(name)
    kelvin = "\u212a" + name[1:]
    checks.equal("names: K (U+212A) is no k in a login", log_in(server, kelvin).status, 403)
    checks.equal("names: nor in a whole user ID", log_in(server, f"@{kelvin}:{server.name}").status, 403)
    checks.equal("names: but K is", log_in(server, name.upper()).status, 200)
    answer = server.anonymous().post(path("register"), {
        "username": "\u212a" + secrets.token_hex(4), "password": PASSWORD, "auth": {"type": "m.login.dummy"}}, token=None)
    checks.equal("names: nor in a registration", (answer.status, answer.errcode), (400, "M_INVALID_USERNAME"))


def atomic_devices(server, checks):
    """A device and its tokens go together: when the tokens cannot be deleted, the device stays."""
    alice = server.register()
    device = log_in(server, alice.user)["device_id"]
    server.sql(f"""
        CREATE FUNCTION refuse_token() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER refuse_token BEFORE DELETE ON access_tokens FOR EACH ROW
        WHEN (OLD.user_id = '{alice.user}') EXECUTE FUNCTION refuse_token()""")
    try:
        answer = alice.post(path("delete_devices"), {"devices": [device], "auth": password_auth(alice.user)})
    finally:
        server.sql("DROP TRIGGER refuse_token ON access_tokens; DROP FUNCTION refuse_token()")
    checks.equal("atomic: the request fails", answer.status, 500)
    rows = server.sql(f"SELECT count(*) FROM devices WHERE user_id = '{alice.user}' AND device_id = '{device}'")
    checks.equal("atomic: the device is still there", rows, [["1"]])


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for case in (password_change, logins_under_way, same_device, locked, without_device, interactive, refreshing, folded_names, atomic_devices):
        case(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
