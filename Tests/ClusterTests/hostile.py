#!/usr/bin/env python3
"""Feeds every endpoint of a running cluster what no client should send, and checks that it stays polite and alive.

usage: hostile.py CLUSTER_FOLDER

The endpoints are those that `homeserver endpoints` lists. Each is called through nginx with broken bodies, wrong types under
every key that any endpoint reads, deep nesting, huge numbers, over-long and mis-encoded path parameters, hostile query
parameters and tokens. No answer may be a 5xx or a dropped connection; a body that is no JSON object is answered 4xx;
every error is a JSON object with `errcode`; and in the end every process is the one that was there in the beginning.
"""

import http.client
import json
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
DEEP = 100
VALUES = {
    "null": "null", "true": "true", "number": "7", "negative": "-1", "huge": "1e400", "big": "9" * 30, "float": "0.5",
    "text": '"x"', "empty text": '""', "nul text": '"a\\u0000b"', "list": "[]", "nested list": "[[1]]", "object": "{}",
    "object in object": '{"a":{"b":null}}', "long text": json.dumps("x" * 70_000),
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
    """Parses the table: [(method, path, needs a user)]."""
    text = subprocess.run([f"{binaries}/homeserver", "endpoints"], capture_output=True, text=True, check=True).stdout
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or not re.fullmatch("GET|POST|PUT|DELETE", cells[1]):
            continue
        paths = re.findall(r"`([^`]+)`", cells[2])
        path = next((path for path in paths if "/v3/" in path), paths[0])
        if not path.startswith("/_synapse/replication"):
            found.append((cells[1], path, "users" in cells[3]))
    return found


class Attack:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.name = "h" + secrets.token_hex(5)
        status, answer = self.post("register", {"username": self.name, "password": "pw", "auth": {"type": "m.login.dummy"}})
        assert status == 200, (status, answer)
        self.token, self.user = answer["access_token"], answer["user_id"]
        self.enter_room()

    def post(self, path, body, token=None):
        status, answer = self.server.call("POST", f"/_matrix/client/v3/{path}", json.dumps(body).encode(), token)
        return status, json.loads(answer or b"{}")

    def enter_room(self):
        self.room = self.post("createRoom", {"preset": "public_chat"}, self.token)[1]["room_id"]
        target = f"/_matrix/client/v3/rooms/{quote(self.room)}/send/m.room.message/{secrets.token_hex(4)}"
        body = json.dumps({"msgtype": "m.text", "body": "hello"}).encode()
        self.event = json.loads(self.server.call("PUT", target, body, self.token)[1])["event_id"]

    def renew(self):
        """Logs in again after an endpoint that ended the session, registers anew after one that ended the account."""
        if self.server.call("GET", "/_matrix/client/v3/account/whoami", token=self.token)[0] == 200:
            return
        identifier = {"type": "m.id.user", "user": self.name}
        status, answer = self.post("login", {"type": "m.login.password", "identifier": identifier, "password": "pw"})
        if status != 200:
            self.__init__(self.server, self.checks)
            return
        self.token = answer["access_token"]

    def fill(self, path, replacement=None):
        """Fills the parameters with good values, or one after the other with a bad one: yields targets."""
        good = {"roomID": self.room, "userID": self.user, "eventID": self.event, "roomIDOrAlias": self.room}
        names = re.findall(r"\{([^}]+)\}", path)
        for bad in names if replacement is not None else [None]:
            target = path
            for name in names:
                value = replacement if name == bad else quote(good.get(name, "x"), safe="")
                target = target.replace("{" + name + "}", value)
            yield target

    def expect(self, what, method, target, body=None, client_error=False, token=None):
        self.checks.requests += 1
        token = self.token if token is None else token
        status, answer = self.server.call(method, target, body, token)
        name = f"{method} {target[:120]} with {what}"
        self.checks.that(name, 200 <= status < 500, (status, answer))
        if client_error:
            self.checks.that(f"{name} is refused", 400 <= status < 500, (status, answer))
        if 400 <= status < 500:
            try:
                polite = "errcode" in json.loads(answer) or status == 401
            except ValueError:
                # nginx itself refuses what is no HTTP.
                polite = b"nginx" in answer and status in (400, 413, 414, 431)
            self.checks.that(f"{name} is told why", polite, (status, answer))

    def run(self, method, path, needs_user):
        query = "timeout=0" if path.endswith(("/sync", "/events")) else ""
        plain = next(self.fill(path))
        if method in ("POST", "PUT"):
            self.bodies(method, plain, path)
        for what, value in PARAMETERS.items():
            for target in self.fill(path, value):
                self.expect(f"parameter {what}", method, f"{target}?{query}", b"{}" if method != "GET" else None)
        if method == "GET":
            for item in QUERIES:
                self.expect("a hostile query", method, f"{plain}?{query}&{item}" if "timeout" not in item else f"{plain}?{item}")
        if needs_user:
            for what, token in (("a wrong token", "syt_eA_wrong_000000"), ("a long token", "x" * 3_000), ("another token", "ä")):
                token = token.encode().decode("latin-1")
                self.expect(what, method, plain, b"{}", client_error=True, token=token)
        self.renew()

    def bodies(self, method, target, path):
        # These do not read a body, or accept an empty one.
        lenient = re.search(r"/(logout(/all)?|leave|forget|join/[^/]+|join|knock/[^/]+|delete_devices)$", path)
        for what, body in NOT_OBJECTS.items():
            self.expect(f"body {what}", method, target, body, client_error=not lenient)
        for what, value in VALUES.items():
            body = "{" + ",".join(f"{json.dumps(key)}:{value}" for key in KEYS) + "}"
            self.expect(f"every key {what}", method, target, body.encode())
        for key in KEYS:
            self.expect(f"{key} an object", method, target, json.dumps({key: {"a": [None]}}).encode())
        self.expect("a body over the limit", method, target, b'{"a":"' + b"x" * (14 << 20) + b'"}')


def processes(folder):
    return subprocess.run([CLUSTER, "--base", folder, "status"], capture_output=True, text=True, check=True).stdout


def main():
    folder = Path(sys.argv[1]).resolve()
    server, checks = Server(folder), Checks()
    before = processes(folder)
    attack = Attack(server, checks)
    listed = endpoints(server.settings["binaries"], folder)
    checks.that("endpoints are listed", len(listed) > 50, len(listed))
    for method, path, needs_user in listed:
        attack.run(method, path, needs_user)
    after = processes(folder)
    checks.that("no process has ended", before == after, after)
    print(f"{checks.requests} requests to {len(listed)} endpoints")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
