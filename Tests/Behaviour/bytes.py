#!/usr/bin/env python3
"""Text is bytes: what Unicode counts as equivalent is different wherever identifiers, keys, types and content are compared (Docs/text.md).

usage: bytes.py CLUSTER_FOLDER
"""

import base64
import hashlib
import itertools
import json
import secrets
import sys
import time
from urllib.parse import quote

from harness import V3, Checks, Client, Server, path

# Each pair is equivalent and differs in its bytes: composed Latin, Hangul syllables and jamo, the signs for ångström and kelvin.
PAIRS = [("\u00e9", "e\u0301"), ("\uac00", "\u1100\u1161"), ("\u212b", "\u00c5"), ("\u212a", "K")]
# Marks that attach at different places, in any order: all permutations are equivalent.
MARKS = "\u0301\u0323\u0327\u0334\u031b\u0345\u0315\u0360"


def canonical(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def hash_of(value):
    return base64.b64encode(hashlib.sha256(canonical(value)).digest()).decode().rstrip("=")


class Bytes:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice, self.bob = server.register(), server.register()
        self.room = self.alice.create_room(invite=[self.bob.user])
        self.bob.join(self.room)

    def each_worker(self, client):
        return [client.at(address) for address in self.server.workers]

    # Rights and tokens

    def power_levels(self):
        alice, bob = self.alice, self.bob
        for one, other in PAIRS + [(b, a) for a, b in PAIRS]:
            room = alice.create_room(invite=[bob.user])
            bob.join(room)
            known, new = f"@{one}:{self.server.name}", f"@{other}:{self.server.name}"
            content = alice.ok("GET", path("rooms", room, "state", "m.room.power_levels", ""))
            content["users"] = {bob.user: 50, known: 100}  # the creator stands above levels
            content["events"] = {"m.room.power_levels": 50, f"x.{one}": 1000}
            content["notifications"] = {one: 1000}
            alice.state(room, "m.room.power_levels", content)
            target = path("rooms", room, "state", "m.room.power_levels", "")
            for name, changed in (
                ("a user", {**content, "users": {**content["users"], new: 100}}),
                ("an event type", {**content, "events": {**content["events"], f"x.{other}": 1000}}),
                ("a notification", {**content, "notifications": {**content["notifications"], other: 1000}}),
                ("a user in exchange", {**content, "users": {bob.user: 50, new: 100}})):
                answer = bob.put(target, changed)
                self.checks.equal(f"a moderator raises {name}, {other!r} for {one!r}", answer.status, 403)
                self.checks.equal("and nothing has changed", alice.get(target).json, content)

    def tokens(self):
        """U+212A instead of K, asked after the real token and before it."""
        def token():
            for _ in range(40):
                client = self.server.login(self.alice.user)
                if "K" in client.token:
                    return client
            raise AssertionError("no token with a K")

        def status(address, text):
            return Client(address).get(f"{V3}/account/whoami?access_token={quote(text)}").status

        for address in self.server.workers + [self.server.address]:
            for order in ("after", "before"):
                client = token()
                false = client.token.replace("K", "\u212a", 1)
                if order == "after":
                    self.checks.equal("the real token", status(address, client.token), 200)
                self.checks.equal(f"a token with U+212A {order} the real one", status(address, false), 401)
                self.checks.equal(f"the real token, U+212A {order} it", status(address, client.token), 200)
                self.checks.equal(f"again U+212A ({order})", status(address, false), 401)

    # Content

    def event_content(self):
        for one, other in PAIRS:
            content = {"msgtype": "m.text", "body": one, one: other, other: one, "deep": [{one: 1, other: 2}]}
            for order in (content, dict(reversed(content.items()))):
                event = self.alice.send(self.room, order)
                target = path("rooms", self.room, "event", event)
                for client in self.each_worker(self.bob):
                    self.checks.equal(f"both keys of {one!r} are kept", client.get(target).json["content"], content)
                page = self.alice.ok("GET", path("rooms", self.room, "messages") + "?dir=b&limit=5")
                found = [e["content"] for e in page["chunk"] if e["event_id"] == event]
                self.checks.equal("by /messages too", found, [content])
                answer = self.bob.sync_until(lambda a: event in json.dumps(a))
                timeline = answer["rooms"]["join"][self.room]["timeline"]["events"]
                self.checks.equal("by /sync too", [e["content"] for e in timeline if e["event_id"] == event], [content])
                self.hashes(event, content)

    def hashes(self, event, content):
        """What is stored hashes to what it says, and to its own id; the signature is over the same bytes."""
        stored = json.loads(self.server.sql(f"SELECT json FROM event_json WHERE event_id = '{event}'")[0][0])
        self.checks.equal("what is stored has both keys", stored["content"], content)
        hashed = {key: value for key, value in stored.items() if key not in ("hashes", "signatures", "unsigned", "event_id")}
        self.checks.equal("the content hash is right", stored["hashes"]["sha256"], hash_of(hashed))
        kept = {"type", "room_id", "sender", "state_key", "hashes", "depth", "prev_events", "auth_events", "origin_server_ts"}
        redacted = {**{key: value for key, value in stored.items() if key in kept}, "content": {}}
        version = self.server.sql(f"SELECT room_version FROM rooms WHERE room_id = '{self.room}'")[0][0]
        if int(version) < 11:
            redacted.update({key: stored[key] for key in ("origin", "prev_state", "membership") if key in stored})
        wanted = "$" + hash_of(redacted).replace("+", "-").replace("/", "_")
        self.checks.equal("the id is the hash", event, wanted)

    def changes(self):
        """A change to an equivalent text is a change."""
        alice = self.alice
        for one, other in PAIRS:
            for key in (one, other):
                before = None
                for text in (one, other, one):
                    event = alice.state(self.room, f"x.{one}", {"text": text, text: 1}, key)
                    self.checks.that(f"state {text!r} is new", event != before)
                    before = event
                    found = self.bob.get(path("rooms", self.room, "state", f"x.{one}", key)).json
                    self.checks.equal(f"state {text!r} is taken", found, {"text": text, text: 1})
            self.checks.equal(f"no state of the type x.{other}", alice.get(path("rooms", self.room, "state", f"x.{other}", one)).status, 404)
            state = alice.ok("GET", path("rooms", self.room, "state"))
            keys = sorted(e["state_key"] for e in state if e["type"] == f"x.{one}")
            self.checks.equal("/state has both state keys", keys, sorted([one, other]))
            for text in (one, other, one):
                alice.ok("PUT", path("profile", alice.user, "displayname"), {"displayname": text})
                self.checks.equal(f"display name {text!r}", alice.get(path("profile", alice.user, "displayname")).json, {"displayname": text})
                member = path("rooms", self.room, "state", "m.room.member", alice.user)
                deadline = time.monotonic() + 10
                while self.bob.get(member).json.get("displayname") != text and time.monotonic() < deadline:
                    time.sleep(0.1)
                self.checks.equal(f"display name {text!r} in the room", self.bob.get(member).json.get("displayname"), text)
                status = path("presence", alice.user, "status")
                alice.ok("PUT", status, {"presence": "online", "status_msg": text})
                self.checks.equal(f"presence {text!r}", alice.get(status).json.get("status_msg"), text)
                device = path("devices", alice.device)
                alice.ok("PUT", device, {"display_name": text})
                self.checks.equal(f"device name {text!r}", alice.get(device).json.get("display_name"), text)

    def transactions(self):
        texts = ["A\u030a\u0323", "A\u0323\u030a", "\u00c5\u0323", "\u1ea0\u030a"]
        events = [self.alice.ok("PUT", path("rooms", self.room, "send", "m.room.message", text), {"msgtype": "m.text", "body": text})
                  for text in texts]
        self.checks.equal("four transaction ids make four events", len({event["event_id"] for event in events}), 4)
        again = self.alice.ok("PUT", path("rooms", self.room, "send", "m.room.message", texts[2]), {"msgtype": "m.text", "body": "?"})
        self.checks.equal("and each is repeated as itself", again, events[2])

    # Devices

    def to_device(self):
        for one, other in PAIRS:
            carol = self.server.register()
            first = self.server.login(carol.user, device_id=f"D{one}")
            second = self.server.login(carol.user, device_id=f"D{other}")
            devices = {device["device_id"] for device in carol.ok("GET", path("devices"))["devices"]}
            self.checks.that(f"devices {one!r} and {other!r} are two", {f"D{one}", f"D{other}"} <= devices, devices)
            for device, to, client in ((first, one, second), (second, other, first)):
                messages = {carol.user: {f"D{to}": {"for": to}}}
                self.alice.ok("PUT", path("sendToDevice", "x.test", self.alice.transaction()), {"messages": messages})
                got = device.sync_until(lambda a: a.get("to_device", {}).get("events"), seconds=5).get("to_device", {}).get("events", [])
                self.checks.equal(f"the device {to!r} has its message", [event["content"] for event in got], [{"for": to}])
                other_got = client.sync().get("to_device", {}).get("events", [])
                self.checks.that(f"the other device has no message for {to!r}", {"for": to} not in [e["content"] for e in other_got], other_got)
            both = {carol.user: {f"D{one}": {"both": one}, f"D{other}": {"both": other}}}
            for _ in range(2):
                self.alice.ok("PUT", path("sendToDevice", f"x.{one}", "same"), {"messages": both})
                self.alice.ok("PUT", path("sendToDevice", f"x.{other}", "same"), {"messages": both})
            rows = self.server.sql(f"SELECT count(*) FROM device_inbox WHERE user_id = '{carol.user}' AND message_json LIKE '%both%'")
            self.checks.equal("messages of two types for both, each once", rows, [["4"]])
            first.ok("POST", f"{V3}/logout")
            self.checks.equal("the end of one device is not the other's", second.get(f"{V3}/account/whoami").status, 200)

    def many_equivalent(self):
        """20,000 equivalent ids are 20,000 ids: each of some devices gets its own message and no other."""
        dora = self.server.register()
        devices = ["D" + "".join(marks) for marks in itertools.islice(itertools.permutations(MARKS), 20_000)]
        some = devices[::4_000]
        values = ", ".join(f"('{dora.user}', '{device}', false)" for device in some)
        self.server.sql(f"INSERT INTO devices (user_id, device_id, hidden) VALUES {values}")
        times = {}
        for name, users in (
            ("equivalent", {f"@{device}:{self.server.name}": {"D": {}} for device in devices}),
            ("different", {f"@{number:018}:{self.server.name}": {"D": {}} for number in range(20_000)}),
            ("equivalent devices", {dora.user: {device: {"n": number} for number, device in enumerate(devices)}})):
            started = time.monotonic()
            answer = self.alice.put(path("sendToDevice", "x.many", self.alice.transaction()), {"messages": users})
            times[name] = f"{time.monotonic() - started:.2f} s"
            self.checks.equal(f"20,000 ids, {name}", answer.status, 200)
        print(f"  20,000 ids in sendToDevice: {times}", flush=True)
        rows = self.server.sql(f"SELECT device_id, message_json FROM device_inbox WHERE user_id = '{dora.user}'")
        found = {device: json.loads(message)["content"]["n"] for device, message in rows}
        self.checks.equal("each device has its own message", found, {device: 4_000 * n for n, device in enumerate(some)})
        self.checks.equal("and one", len(rows), len(some))

    # What users keep

    def account_data(self):
        for one, other in PAIRS:
            user = self.server.register()
            room = user.create_room()
            for place, shown in (
                (path("user", user.user, "account_data"), lambda a: a.get("account_data", {})),
                (path("user", user.user, "rooms", room, "account_data"), lambda a: a["rooms"]["join"][room]["account_data"])):
                user.ok("PUT", f"{place}/{quote('x.' + one)}", {"is": one})
                self.checks.equal(f"account data of {other!r}", user.get(f"{place}/{quote('x.' + other)}").status, 404)
                user.ok("PUT", f"{place}/{quote('x.' + other)}", {"is": other})
                for text in (one, other):
                    self.checks.equal(f"account data {text!r}", user.get(f"{place}/{quote('x.' + text)}").json, {"is": text})
                events = shown(user.sync()).get("events", [])
                found = sorted((e["type"], e["content"]["is"]) for e in events if e["type"].startswith("x."))
                self.checks.equal("both are in /sync", found, sorted(("x." + text, text) for text in (one, other)))
            tags = path("user", user.user, "rooms", room, "tags")
            for text in (one, other):
                user.ok("PUT", f"{tags}/{quote('u.' + text)}", {"is": text})
            wanted = {"u." + text: {"is": text} for text in (one, other)}
            self.checks.equal("both tags", user.get(tags).json, {"tags": wanted})
            user.ok("DELETE", f"{tags}/{quote('u.' + one)}")
            self.checks.equal("one tag is removed", user.get(tags).json, {"tags": {"u." + other: {"is": other}}})

    def filters(self):
        for one, other in PAIRS:
            events = {text: self.alice.send(self.room, {"text": text}, kind=f"f.{text}") for text in (one, other)}
            mark = secrets.token_hex(4)
            numbers = {}
            for client in (self.alice, self.bob):
                for text in (one, other):
                    body = {"room": {"timeline": {"types": [f"f.{text}"], "not_types": [mark]}}}
                    number = client.ok("POST", path("user", client.user, "filter"), body)["filter_id"]
                    numbers[client.user, text] = number
                    self.checks.equal(f"the filter {text!r}", client.get(path("user", client.user, "filter", number)).json, body)
                    for given in (number, json.dumps(body)):
                        answer = client.sync(filter=given)
                        timeline = answer["rooms"].get("join", {}).get(self.room, {}).get("timeline", {}).get("events", [])
                        found = [e["event_id"] for e in timeline if e["event_id"] in events.values()]
                        self.checks.equal(f"/sync with the filter {text!r}", found, [events[text]])
                    filter = quote(json.dumps({"types": [f"f.{text}"]}))
                    page = client.ok("GET", path("rooms", self.room, "messages") + f"?dir=b&filter={filter}")
                    found = [e["event_id"] for e in page["chunk"] if e["event_id"] in events.values()]
                    self.checks.equal(f"/messages with the filter {text!r}", found, [events[text]])
            self.checks.that("a user's two filters are two", numbers[self.alice.user, one] != numbers[self.alice.user, other])

    def event_fields(self):
        for one, other in PAIRS:
            event = self.alice.send(self.room, {one: 1, other: 2}, kind="x.fields")
            for text, number in ((one, 1), (other, 2)):
                filter = {"event_fields": [f"content.{text}", "event_id"], "room": {"timeline": {"types": ["x.fields"]}}}
                timeline = self.bob.sync(filter=json.dumps(filter))["rooms"]["join"][self.room]["timeline"]["events"]
                found = [e.get("content") for e in timeline if e.get("event_id") == event]
                self.checks.equal(f"the field {text!r}", found, [{text: number}])
        event = self.alice.send(self.room, {"a": {"\u0301b": 1}}, kind="x.fields")
        filter = {"event_fields": ["content.a.\u0301b", "event_id"], "room": {"timeline": {"types": ["x.fields"]}}}
        timeline = self.bob.sync(filter=json.dumps(filter))["rooms"]["join"][self.room]["timeline"]["events"]
        self.checks.equal("a dot before a combining mark", [e.get("content") for e in timeline if e.get("event_id") == event], [{"a": {"\u0301b": 1}}])

    def lists(self):
        """A filter's `*` is a wildcard before a combining mark, and `%` is none."""
        types = ["w.%\u0301x", "w.Z\u0301x", "w._\u0301x", "w.\\\u0301x", "w.*\u0301y"]
        events = {type: self.alice.send(self.room, {}, kind=type) for type in types}
        wanted = {
            "w.%\u0301*": types[:1], "w._\u0301*": types[2:3], "w.\\\u0301*": types[3:4], "w.%\u0301x": types[:1], "w.*": types,
            "w.*\u0301*": types}
        inner = {"w.*\u0301x": types[:4], "*\u0301y": types[4:], "w.%*x": types[:1]}
        for pattern, found in {**wanted, **inner}.items():
            filter = {"room": {"timeline": {"types": [pattern], "limit": 50}}}
            timeline = self.bob.sync(filter=json.dumps(filter))["rooms"].get("join", {}).get(self.room, {}).get("timeline", {}).get("events", [])
            self.checks.equal(f"/sync with {pattern!r}", {e["type"] for e in timeline}, set(found))
            filter = quote(json.dumps({"types": [pattern]}))
            page = self.bob.ok("GET", path("rooms", self.room, "messages") + f"?dir=b&limit=50&filter={filter}")
            self.checks.equal(f"/messages with {pattern!r}", {e["type"] for e in page["chunk"]}, set(found))
        self.checks.equal("five events", len(set(events.values())), 5)

    # Rooms

    def aliases(self):
        for one, other in PAIRS:
            mark = secrets.token_hex(4)
            real, false = f"#{mark}{one}:{self.server.name}", f"#{mark}{other}:{self.server.name}"
            room = self.alice.create_room()
            self.alice.ok("PUT", path("directory", "room", real), {"room_id": room})
            target = path("rooms", room, "state", "m.room.canonical_alias", "")
            self.checks.equal(f"the alias {other!r} leads nowhere", self.alice.get(path("directory", "room", false)).status, 404)
            self.alice.ok("PUT", target, {"alias": real, "alt_aliases": [real]})
            for body in ({"alias": false}, {"alias": real, "alt_aliases": [false]}, {"alias": real, "alt_aliases": [real, false]}):
                answer = self.alice.put(target, body)
                self.checks.equal(f"an alias {other!r} that was never made: {sorted(body)}", (answer.status, answer.errcode), (400, "M_BAD_ALIAS"))
            self.alice.ok("PUT", path("directory", "room", false), {"room_id": room})
            self.alice.ok("PUT", target, {"alias": false, "alt_aliases": [real, false]})
            self.checks.equal("both can be shown", self.alice.get(target).json, {"alias": false, "alt_aliases": [real, false]})

    def reactions(self):
        event = self.alice.say(self.room, "what do you think")
        for one, other in PAIRS:
            for key in (one, other):
                relation = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": key}}
                target = path("rooms", self.room, "send", "m.reaction", self.bob.transaction())
                self.checks.equal(f"a reaction with {key!r}", self.bob.put(target, relation).status, 200)
        page = self.bob.ok("GET", f"/_matrix/client/v1/rooms/{quote(self.room)}/relations/{quote(event)}?limit=50")
        found = sorted(e["content"]["m.relates_to"]["key"] for e in page["chunk"])
        self.checks.equal("all of them are relations", found, sorted(text for pair in PAIRS for text in pair))

    def members(self):
        """Users whose names are equivalent are different members, also of a room that is loaded lazily.

        Such names cannot be registered here; they come from older servers and over federation. So they are invited: another server's
        users need not exist, but then need federation, and this server's are only named.
        """
        for one, other in PAIRS:
            users = [f"@{text}:{self.server.name}" for text in (one, other)]
            # With a name, or the members would be shown as heroes.
            room = self.alice.create_room(name="named")
            for user in users:
                content = {"membership": "ban", "displayname": user}
                self.alice.ok("PUT", path("rooms", room, "state", "m.room.member", user), content)
            state = self.alice.ok("GET", path("rooms", room, "members"))["chunk"]
            found = sorted(e["state_key"] for e in state if e["content"]["membership"] == "ban")
            self.checks.equal(f"/members has {one!r} and {other!r}", found, sorted(users))
            for user in users:
                got = self.alice.get(path("rooms", room, "state", "m.room.member", user)).json
                self.checks.equal(f"/state has {user!r}", (got or {}).get("displayname"), user)
            for lazy in (False, True):
                filter = json.dumps({"room": {"state": {"lazy_load_members": lazy}, "timeline": {"limit": 1}}, "for": room})
                joined = self.alice.sync(filter=filter, full_state="true")["rooms"]["join"][room]
                events = joined["state"]["events"] + joined["timeline"]["events"]
                banned = {e["state_key"] for e in events if e["type"] == "m.room.member" and e["content"]["membership"] == "ban"}
                shown = set(users) if not lazy else {e["state_key"] for e in joined["timeline"]["events"]}
                self.checks.equal(f"/sync has the members, lazily: {lazy}", banned, shown)
            self.alice.ok("POST", path("rooms", room, "unban"), {"user_id": users[0]})
            got = self.alice.get(path("rooms", room, "state", "m.room.member", users[1])).json
            self.checks.equal("the other stays banned", (got or {}).get("membership"), "ban")

    # Push rules

    def push_rules(self):
        for one, other in PAIRS:
            user = self.server.register()
            room = self.alice.create_room(invite=[user.user])
            user.join(room)
            rules = path("pushrules", "global")
            tweak = ["notify", {"set_tweak": "highlight"}]
            for text in (one, other):
                user.ok("PUT", f"{rules}/content/{quote(text)}", {"pattern": f"never {text}", "actions": tweak})
            listed = {rule["rule_id"]: rule["pattern"] for rule in user.ok("GET", f"{V3}/pushrules/")["global"]["content"]}
            for text in (one, other):
                self.checks.equal(f"the rule {text!r} is there", listed.get(text), f"never {text}")
                self.checks.equal("and answers for itself", user.get(f"{rules}/content/{quote(text)}").json["pattern"], f"never {text}")
            conditions = [
                {"kind": "event_property_is", "key": "content.is", "value": one},
                {"kind": "event_property_contains", "key": "content.has", "value": one},
                {"kind": "event_property_is", "key": f"content.{one}", "value": "key"}]
            if not {one, other} & {"\u212a", "\u212b"}:  # K and U+212A, and both Å, are one letter when case is ignored
                conditions.append({"kind": "event_match", "key": "content.match", "pattern": one})
            for number, condition in enumerate(conditions):
                user.ok("PUT", f"{rules}/override/r{number}", {"conditions": [condition], "actions": tweak})
            wrong = [{"is": other}, {"has": [other]}, {other: "key"}, {"match": other}][:len(conditions)]
            right = [{"is": one}, {"has": [one]}, {one: "key"}, {"match": one}][:len(conditions)]
            for content in wrong:
                last = self.alice.send(room, {"msgtype": "m.text", "body": "x", **content})
            answer = user.sync_until(lambda a: last in json.dumps(a))
            self.checks.equal(f"{other!r} matches no rule of {one!r}", self.highlights(answer, room), 0)
            for content in right:
                last = self.alice.send(room, {"msgtype": "m.text", "body": "x", **content})
            answer = user.sync_until(lambda a: last in json.dumps(a))
            self.checks.equal(f"{one!r} matches its rules", self.highlights(answer, room), len(right))

    @staticmethod
    def highlights(answer, room):
        return answer["rooms"]["join"][room]["unread_notifications"]["highlight_count"]


def main():
    server, checks = Server(sys.argv[1]), Checks()
    cases = Bytes(server, checks)
    for part in (
            cases.power_levels, cases.tokens, cases.event_content, cases.changes, cases.transactions, cases.to_device,
            cases.account_data, cases.filters, cases.event_fields, cases.lists, cases.aliases,
            cases.reactions, cases.members, cases.push_rules, cases.many_equivalent):
        try:
            part()
        except (AssertionError, KeyError, TypeError, IndexError, OSError) as error:
            checks.that(f"{part.__name__} goes on to its end", False, repr(error))
    checks.end()


if __name__ == "__main__":
    main()
