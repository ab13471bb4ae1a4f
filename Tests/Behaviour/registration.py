#!/usr/bin/env python3
"""Registration: one completed session makes one account, names are taken as bytes, and nothing grows without a bound.

usage: registration.py CLUSTER_FOLDER
"""

import secrets
import sys

from harness import PASSWORD, V3, Checks, Client, Server, at_once, path

REGISTER = path("register")


def begin(server, **options):
    """Begins a registration; answers its session."""
    answer = server.anonymous().post(REGISTER, options, token=None)
    assert answer.status == 401, answer
    return answer["session"]


def complete(address, session, **options):
    body = {"auth": {"type": "m.login.dummy", "session": session}, "password": PASSWORD, **options}
    return Client(address).post(REGISTER, body, token=None)


def accounts(server):
    return int(server.sql("SELECT count(*) FROM users")[0][0])


def one_account(server, checks):
    """Parallel requests of one session, at all processes, with a name of its own, a server's name, a device, and a refresh token."""
    for name, options in (
        ("generated name", {}),
        ("chosen name", {"username": "one" + secrets.token_hex(5)}),
        ("device", {"username": "one" + secrets.token_hex(5), "device_id": "DEVICE", "refresh_token": True}),
        ("no login", {"username": "one" + secrets.token_hex(5), "inhibit_login": True}),
    ):
        before, session = accounts(server), begin(server, **options)
        places = server.workers + [server.address]
        answers = at_once(8, lambda number: complete(places[number % len(places)], session, **options))
        checks.equal(f"one session, {name}: all are answered", [a.status for a in answers], [200] * 8)
        members = ("user_id", "access_token", "device_id", "refresh_token")
        given = {tuple(a.json.get(member) for member in members) for a in answers if a.status == 200}
        checks.equal(f"one session, {name}: the same answer", len(given), 1)
        checks.equal(f"one session, {name}: accounts", accounts(server) - before, 1)
        again = complete(server.address, session, **options)
        checks.equal(f"one session, {name}: a later repetition", tuple(again.json.get(member) for member in members), given.pop())
        token = again.json.get("access_token")
        if token:
            client = Client(server.address, token)
            checks.equal(f"one session, {name}: the token works", client.get(path("account", "whoami")).status, 200)
            client.ok("POST", path("logout"))
            after = complete(server.address, session, **options)
            checks.equal(f"one session, {name}: an ended session does not come back", after.status, 403)


def several_sessions(server, checks):
    """Parallel sessions that want one name: one gets it."""
    name = "several" + secrets.token_hex(4)
    sessions = [begin(server, username=name) for _ in range(6)]
    answers = at_once(6, lambda number: complete(server.workers[number % len(server.workers)], sessions[number], username=name))
    checks.equal("several sessions: one account", [a.status for a in answers].count(200), 1)
    checks.equal("several sessions: the others learn why", [a.errcode for a in answers].count("M_USER_IN_USE"), 5)


def nothing_by_halves(server, checks):
    """A registration whose session cannot be opened makes no account."""
    for name, options in (
        ("a device's name of 101 characters", {"initial_device_display_name": "x" * 101}),
        ("a device ID of 600 bytes", {"device_id": "x" * 600}),
        ("a device ID with U+0000", {"device_id": "a\0b"}),
    ):
        username = "half" + secrets.token_hex(5)
        body = {"auth": {"type": "m.login.dummy"}, "username": username, "password": PASSWORD, **options}
        answer = server.anonymous().post(REGISTER, body, token=None)
        checks.equal(f"halves: {name} is refused", answer.status, 400)
        rows = server.sql(f"SELECT count(*) FROM users WHERE name = '@{username}:{server.name}'")
        checks.equal(f"halves: {name} makes no account", rows, [["0"]])


def bounds(server, checks):
    before = server.sql("SELECT coalesce(max(length(clientdict)), 0) FROM ui_auth_sessions")[0][0]
    answer = server.anonymous().post(REGISTER, {"username": "big" + secrets.token_hex(4), "x": "a" * (12 << 20)}, token=None)
    checks.that("bounds: a body of 12 MB is refused", answer.status == 413, answer)
    answer = server.anonymous().post(REGISTER, {"x": "a" * 40_000}, token=None)
    checks.equal("bounds: parameters that are too large to keep", (answer.status, answer.errcode), (413, "M_TOO_LARGE"))
    after = server.sql("SELECT coalesce(max(length(clientdict)), 0) FROM ui_auth_sessions")[0][0]
    checks.that("bounds: nothing large is kept", int(after) <= max(int(before), 16_384), after)
    session = begin(server)
    for number in range(60):
        server.anonymous().post(REGISTER, {"auth": {"session": session}}, token=None, headers={"User-Agent": f"agent {number}"})
    rows = server.sql(f"SELECT count(*) FROM ui_auth_sessions_ips WHERE session_id = '{session}'")
    checks.that("bounds: programs of a session", 0 < int(rows[0][0]) <= 20, rows)


def available(server, checks):
    target = f"{V3}/register/available?username="
    free = server.anonymous().get(target + "free" + secrets.token_hex(4), token=None)
    checks.equal("available: a free name", (free.status, free.json), (200, {"available": True}))
    kelvin = server.anonymous().get(target + "%E2%84%AAim" + secrets.token_hex(4), token=None)
    checks.equal("available: K (U+212A) is no letter of names", kelvin.errcode, "M_INVALID_USERNAME")
    statuses = at_once(40, lambda number: server.anonymous().get(target + f"flood{number}", token=None).status)
    checks.that("available: a flood of questions is refused", statuses.count(429) >= 20, statuses)
    checks.that("available: but some are answered", statuses.count(200) >= 1, statuses)


def kinds(server, checks):
    guest = server.anonymous().post(f"{REGISTER}?kind=guest", {}, token=None)
    checks.equal("kinds: guests are closed by default", guest.status, 403)
    other = server.anonymous().post(f"{REGISTER}?kind=robot", {}, token=None)
    checks.equal("kinds: an unknown kind", (other.status, other.errcode), (400, "M_UNRECOGNIZED"))


def main():
    server, checks = Server(sys.argv[1]), Checks()
    for case in (one_account, several_sessions, nothing_by_halves, bounds, kinds, available):
        case(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
