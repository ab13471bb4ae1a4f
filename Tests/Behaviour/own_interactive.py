#!/usr/bin/env python3
"""Interactive authentication with every stage, its pages, and the kinds of login: captcha, policy, address, token; sessions that survive a
restart; tokens for another client, signed tokens, tokens of OpenID.

usage: own_interactive.py FOLDER BINARIES
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from harness import PASSWORD, V3, Checks, Client, at_once, own_server, path
from outside import MailTrap, Outside
from own_mail import address, ask, auth, sid_of

REGISTER = path("register")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STAGES = ["m.login.recaptcha", "m.login.terms", "m.login.email.identity"]


def everything(trap, outside, pages):
    return f"""
enable_registration_without_verification: false
enable_registration_captcha: true
recaptcha_public_key: captcha-public
recaptcha_private_key: captcha-secret
recaptcha_siteverify_api: http://127.0.0.1:{outside.port}/siteverify
registrations_require_3pid: [email]
enable_registration_token_3pid_bypass: true
user_consent: {{template_dir: {pages}, version: '1.0', require_at_registration: true, policy_name: Rules}}
email: {{smtp_host: 127.0.0.1, smtp_port: {trap.port}, enable_tls: false, notif_from: noreply@example.org}}
"""


LOGINS = """
login_via_existing_session: {enabled: true, token_timeout: 1m}
jwt_config: {enabled: true, secret: shared, algorithm: HS256, issuer: them, audiences: [us], display_name_claim: name}
ui_auth: {session_timeout: 1h}
"""


def page_form(client, stage, fields):
    return client.post(f"{V3}/auth/{stage}/fallback/web", urlencode(fields).encode(), headers=FORM, token=None)


def registration(server, trap, checks):
    client, mail = server.anonymous(), address()
    asked = client.post(REGISTER, {"username": "u" + secrets.token_hex(4), "password": PASSWORD}, token=None)
    flows = [flow["stages"] for flow in asked["flows"]]
    checks.equal("stages: the flows", flows, [STAGES, STAGES[:2] + ["m.login.registration_token"]])
    policy = asked["params"]["m.login.terms"]["policies"]["privacy_policy"]
    checks.equal("stages: the policy", (policy["version"], policy["en"]["name"]), ("1.0", "Rules"))
    checks.that("stages: its address", policy["en"]["url"].endswith("/_matrix/consent?v=1.0"), policy)
    checks.equal("stages: the captcha's key", asked["params"]["m.login.recaptcha"], {"public_key": "captcha-public"})
    session = asked["session"]

    def stage(kind, **more):
        return client.post(REGISTER, {"auth": {"type": kind, "session": session, **more}}, token=None)

    wrong = stage("m.login.recaptcha", response="wrong")
    checks.equal("captcha: a wrong answer", (wrong.status, wrong.errcode, wrong["completed"]), (401, "M_UNAUTHORIZED", []))
    none = stage("m.login.recaptcha")
    checks.equal("captcha: no answer", (none.status, none.errcode), (401, "M_CAPTCHA_NEEDED"))
    checks.equal("captcha: the right one", stage("m.login.recaptcha", response="right")["completed"], ["m.login.recaptcha"])
    server.control("restart", "homeserver") if not server.is_cluster else None
    checks.equal("stages: a session survives a restart", set(stage("m.login.terms")["completed"]), set(STAGES[:2]))
    sid = ask(client, "register", mail)["sid"]
    creds = {"threepid_creds": {"sid": sid, "client_secret": "client-secret_1"}}
    early = stage("m.login.email.identity", **creds)
    checks.equal("address: not before the link is followed", (early.status, early.errcode), (401, "M_UNAUTHORIZED"))
    checks.equal("address: the link", client.get(trap.link(mail)).status, 200)
    answers = at_once(8, lambda _: Client(client.address).post(
        REGISTER, {"auth": {"type": "m.login.email.identity", "session": session, **creds}}, token=None))
    checks.equal("stages: eight last requests make one account", ({a.status for a in answers}, len({a.json.get("user_id") for a in answers})), ({200}, 1))
    user = answers[0]["user_id"]
    rows = server.sql(f"SELECT consent_version, address FROM users JOIN user_threepids ON user_id = name WHERE name = '{user}'")
    checks.equal("stages: agreement and address are the account's", rows, [["1.0", mail]])
    other = client.post(REGISTER, {"password": PASSWORD}, token=None)["session"]
    again = client.post(REGISTER, {"auth": {"type": "m.login.email.identity", "session": other, **creds}}, token=None)
    checks.equal("address: a proof is good for one session", (again.status, again.errcode), (401, "M_UNAUTHORIZED"))


def pages(server, checks):
    client = server.anonymous()
    token = "t" + secrets.token_hex(4)
    server.sql(f"INSERT INTO registration_tokens (token, uses_allowed, pending, completed) VALUES ('{token}', 1, 0, 0)")
    session = client.post(REGISTER, {"password": PASSWORD}, token=None)["session"]
    for kind, sign in [("m.login.recaptcha", b"captcha-public"), ("m.login.terms", b"consent?v=1.0"), ("m.login.registration_token", b'name="token"')]:
        page = client.get(f"{V3}/auth/{kind}/fallback/web?session={session}")
        checks.that(f"pages: {kind}", page.status == 200 and sign in page.body and page.headers["x-frame-options"] == "DENY", page)
        odd = client.get(f"{V3}/auth/{kind}/fallback/web?session=%22%3E%3Cscript%3E")
        checks.that(f"pages: {kind} shows nothing as HTML", b'"><script>' not in odd.body, odd)
        checks.equal(f"pages: {kind} without a session", client.get(f"{V3}/auth/{kind}/fallback/web").status, 400)
    checks.equal("pages: another stage has none", client.get(f"{V3}/auth/m.login.dummy/fallback/web?session={session}").status, 404)
    unknown = page_form(client, "m.login.terms", {"session": "unknown"})
    checks.equal("pages: an unknown session", (unknown.status, unknown.errcode), (400, "M_UNKNOWN"))
    failed = page_form(client, "m.login.recaptcha", {"session": session, "g-recaptcha-response": "wrong"})
    checks.that("pages: a wrong captcha may be repeated", failed.status == 200 and b"captcha-public" in failed.body and b"failed" in failed.body, failed)
    page_form(client, "m.login.recaptcha", {"session": session, "g-recaptcha-response": "right"})
    checks.that("pages: agreement", b"authDone" in page_form(client, "m.login.terms", {"session": session}).body)
    failed = page_form(client, "m.login.registration_token", {"session": session, "token": "wrong"})
    checks.that("pages: a wrong token may be repeated", failed.status == 200 and b'name="token"' in failed.body, failed)
    page_form(client, "m.login.registration_token", {"session": session, "token": token})
    page_form(client, "m.login.registration_token", {"session": session, "token": token})
    made = client.post(REGISTER, {"auth": {"session": session}}, token=None)
    checks.equal("pages: what they brought registers", made.status, 200)
    counts = server.sql(f"SELECT pending, completed FROM registration_tokens WHERE token = '{token}'")
    checks.equal("pages: the token is counted once", counts, [["0", "1"]])


def consent(server, checks, secret):
    client = server.anonymous()
    checks.that("consent: anybody reads it", b"Rules 1.0 public=True" in client.get("/_matrix/consent").body, client.get("/_matrix/consent"))
    checks.equal("consent: a version that is not there", client.get("/_matrix/consent?v=2.0").status, 404)
    for odd in ("..%2Fsecret", "%2Fetc%2Fhostname", "x%00", "."):
        checks.equal(f"consent: {odd} leads nowhere", client.get(f"/_matrix/consent?v={odd}").status, 404)
    user = server.sql("SELECT name FROM users WHERE consent_version IS NOT NULL LIMIT 1")[0][0]
    server.sql(f"UPDATE users SET consent_version = NULL WHERE name = '{user}'")
    mac = hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()
    target = f"/_matrix/consent?u={quote(user)}&h="
    checks.equal("consent: with another's hash", client.get(target + "0" * 64).status, 403)
    page = client.get(target + mac)
    checks.that("consent: the user's own page", f"user={user.replace('@', '@')}".encode() in page.body and b"has=False" in page.body, page)
    form = urlencode({"v": "1.0", "u": user, "h": mac}).encode()
    agreed = client.post("/_matrix/consent", form, headers=FORM, token=None)
    checks.equal("consent: agreed", (agreed.status, b"Thanks" in agreed.body), (200, True))
    checks.equal("consent: noted", server.sql(f"SELECT consent_version FROM users WHERE name = '{user}'"), [["1.0"]])
    checks.that("consent: shown", b"has=True" in client.get(target + mac).body)


def login_tokens(server, checks):
    alice, client, target = server.register(), server.anonymous(), "/_matrix/client/v1/login/get_token"
    flows = client.get(path("login")).json["flows"]
    checks.that("tokens: are offered", {"type": "m.login.token", "get_login_token": True} in flows and {"type": "org.matrix.login.jwt"} in flows, flows)
    checks.equal("tokens: capabilities say so", alice.ok("GET", path("capabilities"))["capabilities"]["m.get_login_token"], {"enabled": True})
    asked = alice.post(target)
    checks.equal("tokens: want the password", (asked.status, asked["flows"]), (401, [{"stages": ["m.login.password"]}]))
    made = alice.ok("POST", target, {"auth": auth(alice, asked["session"])})
    checks.that("tokens: their form", made["login_token"].startswith("syl_") and made["expires_in_ms"] == 60000, made)
    limited = alice.post(target, {"auth": auth(alice)})
    checks.equal("tokens: one a minute", (limited.status, limited.errcode), (429, "M_LIMIT_EXCEEDED"))
    body = {"type": "m.login.token", "token": made["login_token"]}
    places = server.workers + [server.address]
    answers = at_once(8, lambda n: Client(places[n % len(places)]).post(path("login"), body, token=None))
    checks.equal("tokens: of eight logins one succeeds", sorted(a.status for a in answers), [200] + [403] * 7)
    checks.equal("tokens: as the user", [a["user_id"] for a in answers if a.status == 200], [alice.user])
    bob = server.register()
    late = bob.ok("POST", target, {"auth": auth(bob)})["login_token"]
    server.sql(f"UPDATE login_tokens SET expiry_ts = 1 WHERE token = '{late}'")
    answer = client.post(path("login"), {"type": "m.login.token", "token": late}, token=None)
    checks.equal("tokens: too late", (answer.status, answer.errcode), (403, "M_FORBIDDEN"))


def encoded(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def web_token(claims, secret=b"shared", algorithm="HS256"):
    signed = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def web_tokens(server, checks):
    client, name = server.anonymous(), "j" + secrets.token_hex(4)
    good = {"sub": name, "iss": "them", "aud": ["us"], "name": "Jay", "exp": int(time.time()) + 60}

    def login(token):
        return client.post(path("login"), {"type": "org.matrix.login.jwt", "token": token}, token=None)

    made = login(web_token(good))
    checks.equal("signed tokens: make an account", (made.status, made.json.get("user_id")), (200, f"@{name}:{server.name}"))
    shown = client.get(path("profile", f"@{name}:{server.name}")).json
    checks.equal("signed tokens: with its name", shown.get("displayname"), "Jay")
    checks.equal("signed tokens: and log in again", login(web_token(good)).json.get("user_id"), made["user_id"])
    answers = at_once(8, lambda _: Client(client.address).post(
        path("login"), {"type": "m.login.jwt", "token": web_token({**good, "sub": name + "x"})}, token=None))
    checks.equal("signed tokens: eight first logins make one account", {a.status for a in answers}, {200})
    none = f"{encoded({'alg': 'none'})}.{encoded(good)}."
    wrong = [web_token(good, b"other"), none, web_token(good, algorithm="none"), web_token({**good, "exp": 1}), web_token({**good, "iss": "x"}),
             web_token({**good, "aud": "x"}), web_token({k: v for k, v in good.items() if k != "aud"}), web_token({**good, "nbf": time.time() + 600}),
             web_token({k: v for k, v in good.items() if k != "sub"}), "a.b", "..", "", "a.b.c", web_token(good) + "A"]
    checks.equal("signed tokens: what is wrong is refused", {(a.status, a.errcode) for a in map(login, wrong)}, {(403, "M_FORBIDDEN")})
    checks.equal("signed tokens: nor names that cannot be", login(web_token({**good, "sub": "not a name"})).status, 400)


def openid(server, checks):
    alice, bob, client = server.register(), server.register(), server.anonymous()
    target = path("user", alice.user, "openid", "request_token")
    made = alice.ok("POST", target)
    checks.equal("openid: the token", (made["token_type"], made["matrix_server_name"], made["expires_in"]), ("Bearer", server.name, 3600))
    info = "/_matrix/federation/v1/openid/userinfo"
    checks.equal("openid: says who the user is", client.get(f"{info}?access_token={made['access_token']}").json, {"sub": alice.user})
    checks.equal("openid: for the user alone", bob.post(target).status, 403)
    checks.equal("openid: no token", (client.get(info).status, client.get(info).errcode), (401, "M_MISSING_TOKEN"))
    unknown = client.get(f"{info}?access_token=x")
    checks.equal("openid: an unknown one", (unknown.status, unknown.errcode), (401, "M_UNKNOWN_TOKEN"))


def shown_before(server, checks):
    alice = server.register()
    server.sql(f"UPDATE access_tokens SET last_validated = 1 WHERE token = '{alice.token}'")
    devices = [server.login(alice.user).device for _ in range(2)]
    asked = alice.delete(path("devices", devices[0]), {})
    checks.equal("shown before: the password is asked for", asked.status, 401)
    checks.equal("shown before: and shown", alice.delete(path("devices", devices[0]), {"auth": auth(alice, asked["session"])}).status, 200)
    checks.equal("shown before: the next time it counts", alice.delete(path("devices", devices[1]), {}).status, 200)
    checks.equal("shown before: not for what cannot be undone", alice.post(path("account", "deactivate")).status, 401)


def main():
    folder, binaries, checks = Path(sys.argv[1]), sys.argv[2], Checks()
    trap, outside = MailTrap(), Outside()
    folder.mkdir(parents=True, exist_ok=True)
    policy = folder.resolve() / "policy"
    (policy / "en").mkdir(parents=True, exist_ok=True)
    (policy / "secret.html").write_text("secret")
    (policy / "en" / "1.0.html").write_text("Rules {{ version }} public={{ public_version }} user={{ user }} has={{ has_consented }}")
    (policy / "en" / "success.html").write_text("Thanks")
    secret = "form-secret-of-tests"
    for mode in ("monolith", "cluster"):
        with own_server(folder / mode, binaries, mode, everything(trap, outside, policy) + f"form_secret: {secret}\n") as server:
            registration(server, trap, checks)
            pages(server, checks)
            consent(server, checks, secret)
        with own_server(folder / f"logins-{mode}", binaries, mode, LOGINS) as server:
            for case in (login_tokens, web_tokens, openid, shown_before):
                case(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
