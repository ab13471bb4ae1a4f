#!/usr/bin/env python3
"""Feeds every endpoint of a running cluster what no client should send, and checks that it stays polite and alive.

usage: hostile.py CLUSTER_FOLDER

The endpoints are those that `homeserver endpoints` lists. Each is called through nginx with broken bodies, with wrong types,
deep nesting and huge numbers in every place of a right body (from bodies.json) and under every key that any endpoint reads,
with over-long and mis-encoded path parameters, hostile query parameters and tokens. No answer may be a 5xx or a dropped
connection; a body that is no JSON object is answered 4xx; every error is a JSON object with `errcode`; users can still read
what they could; and in the end every process is the one that was there in the beginning.
"""

import http.client
import json
import random
import re
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

CLUSTER = Path(__file__).resolve().parents[2] / "Deploy" / "cluster" / "cluster"
KEYS = """auth username password device_id initial_device_display_name inhibit_login refresh_token type identifier user token
logout_devices new_password devices display_name displayname avatar_url reason user_id id_server medium address visibility
preset invite invite_3pid initial_state creation_content power_level_content_override room_version room_alias_name name topic
is_direct msgtype body url membership third_party_signed typing timeout event_id m.fully_read m.read m.read.private thread_id
presence status_msg messages tags order filter limit since generic_search_term include_all_networks room aliases alias room_id
servers content state_key users users_default events events_default state_default ban kick redact join_rule allow
event_fields event_format account_data creator additional_creators actions conditions pattern enabled nonce mac admin""".split()
# What compresses badly is what an index refuses.
LONG = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=50_000))
DEEP = 100
VALUES = {
    "null": "null", "true": "true", "number": "7", "negative": "-1", "huge": "1e400", "big": "9" * 30, "float": "0.5",
    "text": '"x"', "empty text": '""', "nul text": '"a\\u0000b"', "list": "[]", "nested list": "[[1]]", "object": "{}",
    "object in object": '{"a":{"b":null}}', "long text": json.dumps(LONG),
    "deep": "[" * DEEP + "]" * DEEP, "deep object": '{"a":' * DEEP + "1" + "}" * DEEP,
}
NOT_OBJECTS = {
    "empty": b"", "no JSON": b"{", "trailing": b"{} x", "list": b"[]", "text": b'"x"', "number": b"1", "null": b"null",
    "not UTF-8": b'{"a":"\xff\xfe"}', "lone surrogate": b'{"a":"\\ud800"}', "control byte": b'{"a":"\x01"}',
    "very deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "very deep list": b"[" * 100_000,
}
PARAMETERS = {
    "too long": "a" * 3_000, "bad percent": "%zz", "not UTF-8": "%ff%fe", "nul": "a%00b", "empty": "", "dots": "..",
    "only sigil": "%21", "long id": quote("!" + "a" * 300 + ":x", safe=""), "user": quote("@nobody:elsewhere", safe=""),
    "emoji": quote("💥" * 70), "slash": "a%2Fb",
}
QUERIES = [
    "limit=-1", "limit=99999999999999999999", "limit=abc", "from=s", "from=%ff", "since=x", "since=s1_2", "since=" + "_" * 50,
    "since=s" + "9" * 40, "since=t9-9_9", "timeout=-5", "timeout=abc&since=s1_1_1", "dir=x", "dir=b&from=" + "9" * 400, "filter=7",
    "filter=%7B", "filter=" + quote('{"room":7}'), "filter=" + quote('{"room":{"timeline":{"limit":-1}}}'), "filter=" + quote('{"room":{"rooms":[1]}}'),
    "user_id=x", "full_state=7", "set_presence=x", "at=x", "membership=x", "username=%00", "kind=x", "format=x", "a" * 3_000,
    "access_token=" + "x" * 3_000, "&&==&%", "ts=" + "9" * 30,
]


GOOD = {
    "roomID": "$room", "room": "$room", "userID": "$user", "eventID": "$event", "deviceID": "$device", "txnID": "$txn",
    "eventType": "org.example", "type": "org.example", "field": "displayname", "receiptType": "m.read", "roomAlias": "%23x:localhost",
    "path...": "global/override/x",
}
ENDS_MEMBERSHIP = re.compile("/(leave|forget|kick|ban|unban)(/|$)|/state/")
# These do not read a body: there is nothing in it for them. The same with a transaction behind.
LENIENT = re.compile(r"/(logout(/all)?|forget(/[^/]+)?)$")
# These read a body and take none for an empty object, as all of it is optional.
EMPTY = re.compile(r"/(publicRooms|(leave|join|knock)(/[^/]+)*|redact/.*|createRoom|receipt/.*)$")


class Checks:
    def __init__(self):
        self.passed, self.failed, self.requests, self.shown = 0, 0, 0, 0

    def that(self, name, condition, detail=""):
        self.passed, self.failed = (self.passed + 1, self.failed) if condition else (self.passed, self.failed + 1)
        if not condition:
            self.shown += 1
            if self.shown < 60:
                print(f"  FAIL  {name} {str(detail)[:300]}", flush=True)


class Server:
    def __init__(self, folder):
        self.settings = json.loads((folder / "cluster.json").read_text())
        self.connection = None

    def call(self, method, target, body=None, token=None, headers=None):
        """Answers (status, body); status 0 when the connection was dropped."""
        all_headers = dict(headers or {})
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.settings["port"], timeout=60)
            try:
                self.connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in all_headers.items():
                    self.connection.putheader(name, value)
                self.connection.putheader("Content-Length", str(len(body or b"")))
                self.connection.endheaders(body or b"")
                response = self.connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                self.connection.close()
                self.connection = None
                # An idle connection may have been closed by nginx; a fresh one must be answered.
                if attempt == 2:
                    return 0, repr(error).encode()


def endpoints(binaries, config):
    """Parses the table: [(method, path, needs a user, who serves it)]."""
    text = subprocess.run([f"{binaries}/homeserver", "endpoints"], capture_output=True, text=True, check=True).stdout
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 7 or not re.fullmatch("GET|POST|PUT|DELETE", cells[1]):
            continue
        paths = re.findall(r"`([^`]+)`", cells[3])
        path = next((path for path in paths if "/v3/" in path), paths[0])
        if not path.startswith("/_synapse/replication"):
            found.append((cells[1], path, "users" in cells[4], cells[5]))
    return found


class Attack:
    """Two users in one room, of whom the first sends what is hostile."""

    def __init__(self, server, checks):
        self.server, self.checks, self.number = server, checks, 0
        self.bodies = json.loads((Path(__file__).parent / "bodies.json").read_text())
        self.friend_token, self.friend = self.register()[:2]
        self.become_new()

    def become_new(self):
        self.token, self.user, self.device = self.register()
        self.enter_room()

    def register(self):
        name = "h" + secrets.token_hex(5)
        status, answer = self.post("register", {"username": name, "password": "pw", "auth": {"type": "m.login.dummy"}})
        assert status == 200, (status, answer)
        return answer["access_token"], answer["user_id"], answer["device_id"]

    def post(self, path, body, token=None):
        status, answer = self.server.call("POST", f"/_matrix/client/v3/{path}", json.dumps(body).encode(), token)
        return status, json.loads(answer or b"{}")

    def enter_room(self):
        status, answer = self.post("createRoom", {"preset": "public_chat"}, self.token)
        assert status == 200, (status, answer)
        self.room = answer["room_id"]
        self.post(f"join/{quote(self.room)}", {}, self.friend_token)
        self.event = self.say(self.token)

    def say(self, token):
        self.number += 1
        target = f"/_matrix/client/v3/rooms/{quote(self.room)}/send/m.room.message/say{self.number}"
        body = json.dumps({"msgtype": "m.text", "body": "hello"}).encode()
        return json.loads(self.server.call("PUT", target, body, token)[1]).get("event_id", "$x")

    def renew(self):
        """Logs in again after an endpoint that ended the session, registers anew after one that ended the account."""
        if self.server.call("GET", "/_matrix/client/v3/account/whoami", token=self.token)[0] == 200:
            return
        identifier = {"type": "m.id.user", "user": self.user}
        status, answer = self.post("login", {"type": "m.login.password", "identifier": identifier, "password": "pw"})
        if status == 200:
            self.token, self.device = answer["access_token"], answer["device_id"]
        else:
            self.become_new()

    def stay(self):
        """Returns to the room after an endpoint that ended the membership, or finds a new one."""
        if self.post(f"join/{quote(self.room)}", {}, self.token)[0] != 200:
            self.enter_room()

    def put_in(self, text, encode=lambda value: quote(value, safe="")):
        self.number += 1
        for name in ("user", "friend", "room", "event", "device"):
            text = text.replace("$" + name, encode(getattr(self, name)))
        return text.replace("$txn", f"t{self.number}")

    def fill(self, path, replacement=None):
        """Fills the parameters with good values, or one after the other with a bad one: yields targets."""
        names = re.findall(r"\{([^}]+)\}", path)
        for bad in names if replacement is not None else [None]:
            target = path
            for name in names:
                value = replacement if name == bad else GOOD.get(name, "x")
                target = target.replace("{" + name + "}", value)
            yield target

    def expect(self, what, method, target, body=None, client_error=False, token=None):
        """Sends one request; `$user` and the like in the target are put in."""
        filled = self.put_in(target)
        status, answer = self.server.call(method, filled, body, self.token if token is None else token)
        if status == 401 and token is None and b"M_UNKNOWN_TOKEN" in answer:
            # The request before ended the session.
            self.renew()
            filled = self.put_in(target)
            status, answer = self.server.call(method, filled, body, self.token)
        self.checks.requests += 1
        name = f"{method} {filled[:120]} with {what}"
        self.checks.that(name, 200 <= status < 500, (status, answer))
        if client_error:
            self.checks.that(f"{name} is refused", 400 <= status < 500, (status, answer))
        if 400 <= status < 500:
            try:
                told = json.loads(answer)
                # A user-interactive challenge lists flows instead.
                polite = "errcode" in told or (status == 401 and "flows" in told)
            except ValueError:
                # nginx itself refuses what is no HTTP.
                polite = b"nginx" in answer and status in (400, 413, 414, 431)
            self.checks.that(f"{name} is told why", polite, (status, answer))
        if status == 200 and ENDS_MEMBERSHIP.search(filled):
            self.stay()

    def run(self, method, path, needs_user, oversized):
        query = "timeout=0" if path.endswith(("/sync", "/events")) else ""
        plain = next(self.fill(path))
        if method in ("POST", "PUT"):
            self.no_objects(method, plain, path, oversized)
            self.wrong_types(method, path)
        for what, value in PARAMETERS.items():
            for target in self.fill(path, value):
                self.expect(f"parameter {what}", method, f"{target}?{query}", b"{}" if method != "GET" else None)
        if method == "GET":
            for item in QUERIES:
                self.expect("a hostile query", method, f"{plain}?{query}&{item}" if "timeout" not in item else f"{plain}?{item}")
        if path.endswith(("/sync", "/messages")):
            self.filters(f"{plain}?{query}")
        if needs_user:
            for what, token in (("a wrong token", "syt_eA_wrong_000000"), ("a long token", "x" * 3_000), ("another token", "ä")):
                token = token.encode().decode("latin-1")
                self.expect(what, method, plain, b"{}", client_error=True, token=token)
        self.renew()
        self.still_works(f"{method} {path}")

    def no_objects(self, method, target, path, oversized):
        lenient = LENIENT.search(path)
        for what, body in NOT_OBJECTS.items():
            self.expect(f"body {what}", method, target, body, client_error=not (lenient or (what == "empty" and EMPTY.search(path))))
        for what, value in VALUES.items():
            body = "{" + ",".join(f"{json.dumps(key)}:{value}" for key in KEYS) + "}"
            self.expect(f"every key {what}", method, target, body.encode())
        if oversized:
            self.expect("a body over the limit", method, target, b'{"a":"' + b"x" * (14 << 20) + b'"}', client_error=True)

    def wrong_types(self, method, path):
        """Sends bodies that are right but for one value or name."""
        pattern = re.compile("/".join("[^/]*" if s.startswith("{") else re.escape(s) for s in path.replace("...}", "}").split("/")))
        pattern = re.compile(pattern.pattern + "(/.*)?$") if path.endswith("...}") else re.compile(pattern.pattern + "$")
        matching = [(place, body) for verb, place, body in self.bodies if verb == method and pattern.match(prefixed(place, path).partition("?")[0])]
        self.checks.that(f"{method} {path} has a body in bodies.json", matching)
        for place, body in matching:
            target = prefixed(place, path)
            for location in locations(body):
                if "/state/" in place:
                    self.enter_room()
                for what, text in variants(body, location):
                    self.expect(f"{what} at {location}", method, target, self.put_in(text, lambda value: value).encode())
            self.say(self.friend_token)
            self.renew()
            self.still_works(f"{method} {place}")

    def filters(self, target):
        body = next(body for _, place, body in self.bodies if place.endswith("/filter"))
        for location in locations(body):
            for what, text in variants(body, location):
                if len(text) < 5_000:
                    self.expect(f"filter: {what} at {location}", "GET", f"{target}&filter={quote(self.put_in(text, lambda value: value))}")

    def still_works(self, after):
        """Checks that nothing that was stored keeps others, or the user, from reading."""
        room = quote(self.room)
        for target in ("sync?timeout=0&full_state=true", f"rooms/{room}/members", f"rooms/{room}/messages?dir=b", "publicRooms"):
            status, answer = self.server.call("GET", f"/_matrix/client/v3/{target}", token=self.friend_token)
            # The friend may have been kicked or banned.
            self.checks.that(f"after {after} a friend can GET {target}", status in (200, 403), (status, answer))
            status, answer = self.server.call("GET", f"/_matrix/client/v3/{target}", token=self.token)
            self.checks.that(f"after {after} the user can GET {target}", status in (200, 403), (status, answer))


def prefixed(place, path):
    """The place in bodies.json with the prefix of an endpoint's path."""
    return place if place.startswith("/") else re.match("/_matrix/client/[^/]+/|/", path)[0] + place


def locations(value, above=()):
    """Lists the ways to all values inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield (*above, key)
        yield from locations(child, (*above, key))


def variants(body, location):
    """Yields (what, text) of the body with the value at a location replaced by each hostile one, without it, and renamed."""
    text = json.dumps(body)
    *way, last = location
    for what, value in VALUES.items():
        copy = json.loads(text)
        parent = copy
        for key in way:
            parent = parent[key]
        parent[last] = "@@"
        yield what, json.dumps(copy).replace('"@@"', value)
    del parent[last]
    yield "nothing", json.dumps(copy)
    if isinstance(parent, dict):
        yield "a long name", json.dumps(copy).replace("{", '{"' + LONG + '":1,', 1).replace(",}", "}")


def processes(folder):
    return subprocess.run([CLUSTER, "--base", folder, "status"], capture_output=True, text=True, check=True).stdout


def main():
    folder = Path(sys.argv[1]).resolve()
    server, checks = Server(folder), Checks()
    before = processes(folder)
    attack = Attack(server, checks)
    listed = endpoints(server.settings["binaries"], folder)
    checks.that("endpoints are listed", len(listed) > 50, len(listed))
    fed = set()
    for method, path, needs_user, server_role in listed:
        # A body over the limit takes long; one endpoint of each kind of process has to refuse it.
        oversized = method in ("POST", "PUT") and server_role not in fed
        attack.run(method, path, needs_user, oversized)
        if oversized:
            fed.add(server_role)
    after = processes(folder)
    checks.that("no process has ended", before == after, after)
    print(f"{checks.requests} requests to {len(listed)} endpoints")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
