#!/usr/bin/env python3
"""Addresses: proved by mail and by telephone, added, deleted, bound; a new password by mail; what a mail server that fails does.

usage: own_mail.py FOLDER BINARIES
"""

import secrets
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from harness import PASSWORD, V3, Checks, Client, at_once, own_server, path
from outside import MailTrap, Outside

SECRET = "client-secret_1"


def settings(trap, outside, identity, more=""):
    return f"""
email:
  smtp_host: 127.0.0.1
  smtp_port: {trap.port}
  smtp_user: mailer
  smtp_pass: pass
  enable_tls: false
  notif_from: "%(app)s server <noreply@example.org>"
  app_name: Synapsis
account_threepid_delegates:
  msisdn: http://127.0.0.1:{outside.port}/
use_insecure_ssl_client_just_for_testing_do_not_use: true
ip_range_whitelist: [127.0.0.1]
next_link_domain_whitelist: [good.example]
allowed_local_3pids:
  - {{medium: email, pattern: '^[^@]+@example\\.org$'}}
  - {{medium: msisdn, pattern: '\\+?49'}}
{more}
"""


def address():
    return f"u{secrets.token_hex(5)}@example.org"


def ask(client, kind, mail, attempt=1, secret=SECRET, **more):
    return client.post(f"{V3}/{kind}/email/requestToken", {"client_secret": secret, "email": mail, "send_attempt": attempt, **more}, token=None)


def sid_of(link):
    return parse_qs(urlsplit(link).query)["sid"][0]


def prove(server, trap, mail, kind="account/3pid"):
    """Proves an address; answers what names the proof."""
    client = server.anonymous()
    sid = ask(client, kind, mail)["sid"]
    assert client.get(trap.link(mail)).status == 200
    return {"sid": sid, "client_secret": SECRET}


def auth(client, session=None):
    found = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user}, "password": client.password}
    return {**found, "session": session} if session else found


def give(server, trap, client, mail):
    client.ok("POST", path("account", "3pid", "add"), {**prove(server, trap, mail), "auth": auth(client)})


def mails(server, trap, checks):
    client, mail = server.anonymous(), address()
    first = ask(client, "account/3pid", mail.upper().replace("EXAMPLE", "Example"))
    checks.equal("mail: is sent to the address in small letters", (first.status, len(trap.to(mail))), (200, 1))
    message = trap.to(mail)[0]
    checks.equal("mail: its sender is the setting's", message["From"], "Synapsis server <noreply@example.org>")
    checks.equal("mail: its subject is the setting's", message["Subject"], f"[{server.name}] Validate your email")
    checks.equal("mail: has both parts", [part.get_content_type() for part in message.iter_parts()], ["text/plain", "text/html"])
    checks.that("mail: both name the link", all("submit_token" in part.get_content() for part in message.iter_parts()))
    checks.equal("mail: the login is the setting's", trap.logins[-1], b"\0mailer\0pass")
    again = ask(client, "account/3pid", mail)
    checks.equal("mail: a repeated request sends nothing", (again["sid"], len(trap.to(mail))), (first["sid"], 1))
    answers = at_once(8, lambda _: ask(Client(client.address), "account/3pid", mail, attempt=2))
    checks.equal("mail: eight at once send one", ({a.json.get("sid") for a in answers}, len(trap.to(mail))), ({first["sid"]}, 2))
    for name, body in [("secret", {"client_secret": "no/slash"}), ("long secret", {"client_secret": "a" * 256}), ("address", {"email": "nobody"}),
                       ("name", {"email": "1<somebody@example.org>"}),
                       ("control character", {"email": "a\r\nb@example.org"}), ("attempt", {"send_attempt": "1"}),
                       ("file", {"next_link": "file:///etc/passwd"}), ("script", {"next_link": "javascript://good.example/%0aalert(1)"}),
                       ("other host", {"next_link": "https://good.example@evil.example/"}), ("line", {"next_link": "https://good.example/\r\nX: y"})]:
        full = {"client_secret": SECRET, "email": address(), "send_attempt": 1, **body}
        answer = client.post(f"{V3}/account/3pid/email/requestToken", full, token=None)
        checks.equal(f"mail: refused for its {name}", answer.status, 400)
    answer = ask(client, "account/3pid", "u@example.com")
    checks.equal("mail: refused for a domain that is not allowed", (answer.status, answer.errcode), (403, "M_THREEPID_DENIED"))
    answer = ask(client, "account/password", address())
    checks.equal("mail: no new password for nobody's address", (answer.status, answer.errcode), (400, "M_THREEPID_NOT_FOUND"))


def failing(server, trap, checks):
    client, mail = server.anonymous(), f"refused{address()}"
    answers = [ask(client, "account/3pid", mail) for _ in range(2)]
    checks.equal("failing: the client is told each time, so it may repeat", [a.status for a in answers], [500, 500])
    rows = server.sql(f"SELECT count(*) FROM threepid_validation_session WHERE address = '{mail}'")
    checks.equal("failing: nothing is left", rows, [["0"]])


def links(server, trap, checks):
    client, mail = server.anonymous(), address()
    ask(client, "account/3pid", mail, next_link="https://good.example/next?a=1")
    link = trap.link(mail)
    wrong = link.replace("token=", "token=x")
    checks.equal("links: another token is refused with a page", (client.get(wrong).status, b"<html" in client.get(wrong).body), (400, True))
    checks.equal("links: another secret too", client.get(link.replace(SECRET, "other")).status, 400)
    checks.equal("links: a session that is none too", client.get(link.replace("sid=", "sid=x")).status, 400)
    followed = client.get(link)
    checks.equal("links: lead on", (followed.status, followed.headers.get("location")), (302, f"https://good.example/next?a=1&sid={sid_of(link)}"))
    checks.equal("links: again", client.get(link).status, 302)
    late = address()
    ask(client, "account/3pid", late)
    server.sql(f"UPDATE threepid_validation_token SET expires = 1 WHERE session_id = '{sid_of(trap.link(late))}'")
    checks.equal("links: too late", client.get(trap.link(late)).status, 400)
    html = client.get(trap.link(late).replace("token=", "token=%3Cscript%3E"))
    checks.that("links: pages show nothing of them as HTML", b"<script>" not in html.body and html.headers["x-frame-options"] == "DENY")


def additions(server, trap, checks):
    alice, bob, mail = server.register(), server.register(), address()
    creds = prove(server, trap, mail)
    asked = alice.post(path("account", "3pid", "add"), creds)
    checks.equal("add: asks for the password", (asked.status, asked["flows"]), (401, [{"stages": ["m.login.password"]}]))
    done = alice.post(path("account", "3pid", "add"), {**creds, "auth": auth(alice, asked["session"])})
    checks.equal("add: with it the address is there", (done.status, [t["address"] for t in alice.ok("GET", path("account", "3pid"))["threepids"]]), (200, [mail]))
    other = prove_again = bob.post(path("account", "3pid"), {"three_pid_creds": creds})
    checks.equal("add: another account does not get it", (other.status, prove_again.errcode), (400, "M_THREEPID_IN_USE"))
    answer = bob.post(path("account", "3pid"), {"three_pid_creds": {"sid": "none", "client_secret": "none"}})
    checks.equal("add: without a proof", (answer.status, answer.errcode), (400, "M_THREEPID_AUTH_FAILED"))
    answer = ask(bob, "account/3pid", mail, secret="another")
    checks.equal("add: no mail for an address in use", (answer.status, answer.errcode), (400, "M_THREEPID_IN_USE"))
    body = {"type": "m.login.password", "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": mail.upper()}, "password": PASSWORD}
    checks.equal("add: one logs in with it", bob.post(path("login"), body, token=None).json.get("user_id"), alice.user)
    contested = address()
    proofs = []
    for number in range(8):
        ask(bob, "account/3pid", contested, secret=f"s{number}")
        bob.get(trap.link(contested))
        proofs.append({"sid": sid_of(trap.link(contested)), "client_secret": f"s{number}"})
    users = [server.register() for _ in proofs]
    answers = at_once(8, lambda n: users[n].post(path("account", "3pid"), {"three_pid_creds": proofs[n]}))
    checks.equal("add: of eight accounts at once one gets it", sorted(a.status for a in answers), [200] + [400] * 7)
    gone = alice.ok("POST", path("account", "3pid", "delete"), {"medium": "email", "address": mail.upper()})
    checks.equal("delete: answers", (gone, alice.ok("GET", path("account", "3pid"))["threepids"]), ({"id_server_unbind_result": "no-support"}, []))
    checks.equal("delete: again", alice.post(path("account", "3pid", "delete"), {"medium": "email", "address": mail}).status, 200)
    checks.equal("delete: of what is none", alice.post(path("account", "3pid", "delete"), {"medium": "x", "address": mail}).status, 400)


def reset(server, trap, checks):
    alice, mail = server.register(), address()
    second = server.login(alice.user)
    give(server, trap, alice, mail)
    client = server.anonymous()
    sid = ask(client, "account/password", mail, secret="reset")["sid"]
    link = trap.link(mail)
    stage = {"type": "m.login.email.identity", "threepid_creds": {"sid": sid, "client_secret": "reset"}}
    asked = client.post(path("account", "password"), {"new_password": "another one"}, token=None)
    checks.equal("reset: asks for the address", (asked.status, asked["flows"]), (401, [{"stages": ["m.login.email.identity"]}]))
    session = {"session": asked["session"]}
    early = client.post(path("account", "password"), {"auth": {**stage, **session}}, token=None)
    checks.equal("reset: not before the link is followed", (early.status, early.errcode), (401, "M_UNAUTHORIZED"))
    page = client.get(link)
    checks.that("reset: the link only asks", page.status == 200 and b"<form" in page.body, page)
    still = client.post(path("account", "password"), {"auth": {**stage, **session}}, token=None)
    checks.equal("reset: a program that looks at links proves nothing", still.status, 401)
    form = urlsplit(link).query.encode()
    posted = client.post(urlsplit(link).path, form, headers={"Content-Type": "application/x-www-form-urlencoded"}, token=None)
    checks.equal("reset: the button does", posted.status, 200)
    done = client.post(path("account", "password"), {"auth": {**stage, **session}}, token=None)
    checks.equal("reset: the password of the first request is set", done.status, 200)
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}}
    checks.equal("reset: it is good", client.post(path("login"), {**body, "password": "another one"}, token=None).status, 200)
    checks.equal("reset: the old one is not", client.post(path("login"), {**body, "password": PASSWORD}, token=None).status, 403)
    checks.equal("reset: sessions have ended", [c.get(path("account", "whoami")).status for c in (alice, second)], [401, 401])
    again = client.post(path("account", "password"), {"new_password": "third", "auth": stage}, token=None)
    checks.equal("reset: a proof is good once", again.status, 401)


def telephones(server, outside, checks):
    alice, client = server.register(), server.anonymous()
    body = {"client_secret": SECRET, "country": "DE", "phone_number": "0170 1234567", "send_attempt": 1}
    asked = client.post(f"{V3}/account/3pid/msisdn/requestToken", body, token=None)
    checks.equal("telephones: the delegate is asked", (asked.status, outside.numbers[asked["sid"]]["body"]["phone_number"]), (200, "0170 1234567"))
    checks.that("telephones: the code comes back here", asked["submit_url"].endswith("/_matrix/client/unstable/add_threepid/msisdn/submit_token"))
    submit = urlsplit(asked["submit_url"]).path
    creds = {"sid": asked["sid"], "client_secret": SECRET}
    checks.equal("telephones: a wrong code", client.post(submit, {**creds, "token": "1"}, token=None).status, 400)
    checks.equal("telephones: the right one", client.post(submit, {**creds, "token": "123456"}, token=None).json, {"success": True})
    outside.numbers[asked["sid"]]["body"]["phone_number"] = "01701234567"
    added = alice.post(path("account", "3pid", "add"), {**creds, "auth": auth(alice)})
    checks.equal("telephones: is added", (added.status, alice.ok("GET", path("account", "3pid"))["threepids"][0]["address"]), (200, "491701234567"))
    phone = {"type": "m.id.phone", "country": "DE", "phone": "0170/1234567"}
    login = client.post(path("login"), {"type": "m.login.password", "identifier": phone, "password": PASSWORD}, token=None)
    checks.equal("telephones: one logs in with it", login.json.get("user_id"), alice.user)
    for name, change in [("country", {"country": "XX"}), ("number", {"phone_number": "letters"}), ("short number", {"phone_number": "1"})]:
        answer = client.post(f"{V3}/account/3pid/msisdn/requestToken", {**body, **change}, token=None)
        checks.equal(f"telephones: refused for its {name}", (answer.status, answer.errcode), (400, "M_INVALID_PARAM"))


def identity_servers(server, identity, checks):
    alice, place = server.register(), f"localhost:{identity.port}"
    body = {"sid": "s", "client_secret": SECRET, "id_server": place, "id_access_token": "is-token"}
    bound = alice.post(path("account", "3pid", "bind"), body)
    checks.equal("bind: the identity server is told", (bound.status, identity.requests[-1][0]), (200, "/_matrix/identity/v2/3pid/bind"))
    checks.equal("bind: with the client's token", identity.requests[-1][2]["Authorization"], "Bearer is-token")
    refused = alice.post(path("account", "3pid", "bind"), {**body, "sid": "unproved"})
    checks.equal("bind: its refusal is passed on", (refused.status, refused.errcode), (400, "M_SESSION_NOT_VALIDATED"))
    for wrong in ("localhost:1", "nowhere.invalid", "bad host", "a/../b?c", f"{place}/large", "http://x"):
        answer = alice.post(path("account", "3pid", "bind"), {**body, "id_server": wrong})
        checks.equal(f"bind: {wrong} is the client's fault", answer.status, 400)
    blocked = alice.post(path("account", "3pid", "bind"), {**body, "id_server": "10.0.0.1"})
    checks.equal("bind: networks that are blocked are not asked", (blocked.status, blocked.errcode), (403, "M_FORBIDDEN"))
    identifier = {"medium": "email", "address": "bound@example.org"}
    identity.status = 500
    checks.equal("unbind: a failing server", alice.post(path("account", "3pid", "unbind"), identifier).status, 400)
    identity.status = 200
    done = alice.post(path("account", "3pid", "unbind"), identifier)
    checks.equal("unbind: the servers that were told forget", done.json, {"id_server_unbind_result": "success"})
    checks.that("unbind: the request is signed", identity.requests[-1][2]["Authorization"].startswith("X-Matrix origin="))
    alice.post(path("account", "3pid", "bind"), body)
    asked = alice.post(path("account", "deactivate"))
    gone = alice.post(path("account", "deactivate"), {"auth": auth(alice, asked["session"])})
    checks.equal("unbind: with the account", (gone.json, identity.requests[-1][0]), ({"id_server_unbind_result": "success"}, "/_matrix/identity/v2/3pid/unbind"))
    alice = server.register()
    checks.equal("unbind: nothing is left", alice.post(path("account", "3pid", "unbind"), identifier).json, {"id_server_unbind_result": "no-support"})


def hidden(server, trap, checks):
    alice, mail, client = server.register(), address(), server.anonymous()
    give(server, trap, alice, mail)
    count = len(trap.to(mail))
    checks.equal("hidden: an address in use looks free", ask(client, "account/3pid", mail, secret="x").status, 200)
    checks.equal("hidden: without a mail", len(trap.to(mail)), count)
    checks.equal("hidden: registration tells the owner alone", (ask(client, "register", mail, secret="x").status, trap.to(mail)[-1]["Subject"]),
                 (200, f"[{server.name}] Email already in use"))
    checks.equal("hidden: an address of nobody looks known", ask(client, "account/password", address()).status, 200)


def forbidden(server, checks):
    alice = server.register()
    for target in ("add", "delete"):
        answer = alice.post(path("account", "3pid", target), {"sid": "s", "client_secret": "s", "medium": "email", "address": "a@b"})
        checks.equal(f"forbidden: {target}", (answer.status, answer.errcode), (400, "M_FORBIDDEN"))
    checks.equal("forbidden: capabilities say so", alice.ok("GET", path("capabilities"))["capabilities"]["m.3pid_changes"], {"enabled": False})
    answer = ask(alice, "account/password", address())
    checks.equal("forbidden: no mails without a section", (answer.status, answer.errcode), (400, "M_UNKNOWN"))


def limits(server, trap, checks):
    statuses = [ask(server.anonymous(), "account/3pid", address()).status for _ in range(4)]
    checks.equal("limits: as the setting says", statuses, [200, 200, 429, 429])


def main():
    folder, binaries, checks = Path(sys.argv[1]), sys.argv[2], Checks()
    with tempfile.TemporaryDirectory() as keys:
        trap, outside, identity = MailTrap(), Outside(), Outside(Path(keys))
        for mode in ("monolith", "cluster"):
            with own_server(folder / mode, binaries, mode, settings(trap, outside, identity)) as server:
                for case in (mails, failing, links, additions, reset):
                    case(server, trap, checks)
                telephones(server, outside, checks)
                identity_servers(server, identity, checks)
        with own_server(folder / "hidden", binaries, "monolith", settings(trap, outside, identity, "request_token_inhibit_3pid_errors: true")) as server:
            hidden(server, trap, checks)
        with own_server(folder / "forbidden", binaries, "monolith", "enable_3pid_changes: false\n") as server:
            forbidden(server, checks)
        slow = settings(trap, outside, identity, "rc_3pid_validation: {per_second: 0.0001, burst_count: 2}\nbcrypt_rounds: 4")
        with own_server(folder / "limits", binaries, "monolith", slow, unlimited=False) as server:
            limits(server, trap, checks)
    checks.end()


if __name__ == "__main__":
    main()
