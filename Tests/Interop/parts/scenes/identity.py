"""Scenes of addresses, kinds of login and tokens, with the settings that a server has of itself: no mails, no delegate, no captcha."""

from urllib.parse import quote

from parts.caller import Caller, person

MAIL = {"client_secret": "secret", "email": "a@example.org", "send_attempt": 1}
PHONE = {"client_secret": "secret", "country": "DE", "phone_number": "01701234567", "send_attempt": 1}


def addresses(recorder):
    nobody, caller = Caller(recorder), person(recorder, "ida.m")
    for kind in ("register", "account/password", "account/3pid"):
        nobody.post("without mails", f"{kind}/email/requestToken", MAIL)
    nobody.post("without a delegate", "register/msisdn/requestToken", PHONE)
    nobody.post("without a delegate", "account/3pid/msisdn/requestToken", PHONE)
    nobody.post("a number that is none", "register/msisdn/requestToken", {**PHONE, "phone_number": "letters"})
    nobody.post("a bad secret", "register/msisdn/requestToken", {**PHONE, "client_secret": "no/slash"})
    nobody.post("without a delegate", "/_matrix/client/unstable/add_threepid/msisdn/submit_token", {"client_secret": "s", "sid": "s", "token": "t"})
    nobody.get("without mails", "/_matrix/client/unstable/registration/email/submit_token?sid=s&client_secret=s&token=t")
    nobody.get("another medium", "/_matrix/client/unstable/registration/msisdn/submit_token?sid=s&client_secret=s&token=t")
    nobody.get("without mails", "/_matrix/client/unstable/add_threepid/email/submit_token?sid=s&client_secret=s&token=t")
    caller.get("", "account/3pid")
    caller.post("without credentials", "account/3pid", {})
    caller.post("without a proof", "account/3pid", {"three_pid_creds": {"sid": "s", "client_secret": "s"}})
    caller.post("a bad secret", "account/3pid", {"three_pid_creds": {"sid": "s", "client_secret": "no/slash"}})
    caller.post("without a password", "account/3pid/add", {"sid": "s", "client_secret": "s"})
    caller.post("without a session", "account/3pid/add", {"client_secret": "s"})
    password = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "ida.m"}, "password": "a long password"}
    caller.post("without a proof", "account/3pid/add", {"sid": "s", "client_secret": "s", "auth": password})
    caller.post("of nothing", "account/3pid/delete", {"medium": "email", "address": "a@example.org"})
    caller.post("of an unknown medium", "account/3pid/delete", {"medium": "post", "address": "a@example.org"})
    caller.post("of no address", "account/3pid/delete", {"medium": "email"})
    caller.post("of nothing", "account/3pid/unbind", {"medium": "email", "address": "a@example.org"})
    caller.post("without a server", "account/3pid/bind", {"sid": "s", "client_secret": "s", "id_access_token": "t"})
    caller.post("a bad server", "account/3pid/bind", {"sid": "s", "client_secret": "s", "id_server": "no place", "id_access_token": "t"})
    nobody.post("without a token", "account/3pid/add", {"sid": "s", "client_secret": "s"})


def resets(recorder):
    nobody = Caller(recorder)
    asked = nobody.post("asks for an address", "account/password", {"new_password": "other"})
    stage = {"type": "m.login.email.identity", "session": asked.get("session")}
    nobody.post("without mails", "account/password", {"auth": {**stage, "threepid_creds": {"sid": "s", "client_secret": "s"}}})
    nobody.post("without a proof's name", "account/password", {"auth": stage})


def tokens(recorder):
    caller, other, nobody = person(recorder, "olga.m"), person(recorder, "otto.m"), Caller(recorder)
    made = caller.post("", f"user/{quote('@olga.m:localhost')}/openid/request_token", {}, record=False)
    recorder.note("openid token", 200, {**made, "access_token": "a token"})
    other.post("of another user", f"user/{quote('@olga.m:localhost')}/openid/request_token", {})
    caller.ask("no JSON", "POST", f"user/{quote('@olga.m:localhost')}/openid/request_token", raw=b"{")
    nobody.post("unknown token", "login", {"type": "m.login.token", "token": "syl_unknown"})
    nobody.post("signed tokens are off", "login", {"type": "org.matrix.login.jwt", "token": "a.b.c"})
    caller.post("is off", "/_matrix/client/v1/login/get_token", {})
    nobody.post("no number", "login", {"type": "m.login.password", "identifier": {"type": "m.id.phone", "country": "DE"}, "password": "x"})
    address = {"type": "m.id.thirdparty", "medium": "email", "address": "a@example.org"}
    nobody.post("nobody's address", "login", {"type": "m.login.password", "identifier": address, "password": "x"})


SCENES = [addresses, resets, tokens]
