#!/usr/bin/env python3
"""Whatever a client can make grow has a bound, and what is too much is refused before it costs anything (Docs/limits.md).

usage: bounds.py CLUSTER_FOLDER
"""

import json
import secrets
import sys
import time

from harness import V3, Checks, Server, path


class Bounds:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice, self.bob = server.register(), server.register()
        self.mark = secrets.token_hex(4)

    def refused(self, name, answer, status=400, errcode=None):
        self.checks.that(name, answer.status == status and (errcode is None or answer.errcode == errcode), answer)

    def account_data(self):
        alice = self.alice
        user = alice.user
        answer = alice.put(path("user", user, "account_data", "big"), {"text": "x" * (1 << 20)})
        self.refused("global account data of over 1 MB", answer, 413, "M_TOO_LARGE")
        answer = alice.put(path("user", user, "account_data", "big"), {"text": "x" * 1_000_000})
        self.checks.equal("global account data of just under 1 MB", answer.status, 200)
        self.refused("a type of 256 bytes", alice.put(path("user", user, "account_data", "x" * 256), {}), 400)
        room = alice.create_room()
        target = path("user", user, "rooms", room, "account_data")
        self.refused("account data of a room of over 64 KB", alice.put(f"{target}/big", {"text": "x" * 65_536}), 413)
        self.checks.equal("account data of a room of 60 KB", alice.put(f"{target}/big", {"text": "x" * 60_000}).status, 200)
        for number in range(500):
            answer = alice.put(path("user", user, "account_data", f"t{number}"), {})
            if answer.status != 200:
                break
        self.refused("the 501st type of account data", answer, 400)
        self.checks.equal("500 types are there", len(alice.sync()["account_data"]["events"]) >= 500, True)
        self.checks.equal("a type that is there is changed", alice.put(path("user", user, "account_data", "t3"), {"a": 1}).status, 200)
        stale = "SELECT count(*) FROM cache_invalidation_stream_by_instance"
        before = int(self.server.sql(stale)[0][0])
        ignored = {f"@u{number}:localhost": {} for number in range(10_000)}
        answer = self.bob.put(path("user", self.bob.user, "account_data", "m.ignored_user_list"), {"ignored_users": ignored})
        self.checks.equal("10,000 ignored users", answer.status, 200)
        rows = int(self.server.sql(stale)[0][0]) - before
        self.checks.that("do not make thousands of rows for every process", rows < 1_000, rows)
        ignored["@one-more:localhost"] = {}
        answer = self.bob.put(path("user", self.bob.user, "account_data", "m.ignored_user_list"), {"ignored_users": ignored})
        self.refused("10,001 ignored users", answer, 400)

    def tags(self):
        room = self.alice.create_room()
        target = path("user", self.alice.user, "rooms", room, "tags")
        statuses = [self.alice.put(f"{target}/u.{number}", {}).status for number in range(101)]
        self.checks.equal("100 tags and no more", statuses, [200] * 100 + [400])
        self.checks.equal("a tag that is there is changed", self.alice.put(f"{target}/u.7", {"order": 0.5}).status, 200)
        self.refused("a tag of over 64 KB", self.alice.put(f"{target}/u.1", {"x": "y" * 65_536}), 413)
        self.alice.delete(f"{target}/u.1")
        self.checks.equal("there is room again", self.alice.put(f"{target}/new", {}).status, 200)

    def filters(self):
        target = path("user", self.alice.user, "filter")
        many = [f"t{number}" for number in range(50_000)]
        for name, body in (
            ("50,000 types", {"room": {"timeline": {"types": many}}}), ("50,000 senders", {"presence": {"senders": [f"@{t}:x" for t in many]}}),
            ("50,000 rooms", {"room": {"rooms": [f"!{t}:x" for t in many]}}), ("50,000 fields", {"event_fields": many}),
            ("unknown members of 100 KB", {"x": "y" * 100_000})):
            self.refused(f"a filter with {name}", self.alice.post(target, body), 413, "M_TOO_LARGE")
        some = many[:501]
        for name, body in (
            ("types", {"room": {"timeline": {"types": some}}}), ("not_types", {"room": {"state": {"not_types": some}}}),
            ("account data", {"account_data": {"types": some}}), ("event_fields", {"event_fields": some}),
            ("labels", {"room": {"timeline": {"org.matrix.labels": some}}}),
            ("relations", {"room": {"timeline": {"related_by_rel_types": some}}})):
            self.refused(f"a filter with 501 {name}", self.alice.post(target, body), 400)
            inline = self.alice.get(f"{V3}/sync?filter=" + json.dumps(body, separators=(",", ":")))
            self.refused(f"an inline filter with 501 {name}", inline, 400)
        fits = {"room": {"timeline": {"types": many[:500]}, "rooms": [f"!{t}:x" for t in many[:2000]]}}
        self.checks.equal("500 types and 2,000 rooms fit", self.alice.post(target, fits).status, 200)
        room = self.alice.create_room()
        filter = json.dumps({"types": some}, separators=(",", ":"))
        self.refused("501 types for /messages", self.alice.get(path("rooms", room, "messages") + f"?dir=b&filter={filter}"), 400)

    def filter_count(self):
        """The 5,001st filter is refused; the rows of the first ones are put into the table, since sending them takes long."""
        user, local = self.bob.user, self.bob.user[1:].split(":")[0]
        self.server.sql(
            "INSERT INTO user_filters (full_user_id, user_id, filter_id, filter_json) "
            f"SELECT '{user}', '{local}', n, convert_to('{{\"n\":' || n || '}}', 'UTF8') FROM generate_series(0, 4998) AS n")
        target = path("user", user, "filter")
        self.checks.equal("the 5,000th filter", self.bob.post(target, {"room": {"rooms": []}}).status, 200)
        self.refused("the 5,001st filter", self.bob.post(target, {"room": {"not_rooms": []}}), 400)
        self.checks.equal("an equal filter", self.bob.post(target, {"room": {"rooms": []}}).json, {"filter_id": "4999"})

    def presence(self):
        target = path("presence", self.alice.user, "status")
        answer = self.alice.put(target, {"presence": "online", "status_msg": "x" * 4_097})
        self.refused("a status message of over 4 KB", answer, 413, "M_TOO_LARGE")
        self.checks.equal("a status message of 4 KB", self.alice.put(target, {"presence": "online", "status_msg": "x" * 4_096}).status, 200)

    def to_device(self):
        alice, bob = self.alice, self.bob
        target = path("sendToDevice", "m.test", "t")
        self.refused("a transaction id of 2 KB", alice.put(path("sendToDevice", "m.test", "t" * 2_000), {"messages": {}}))
        sending = path("rooms", alice.create_room(), "send", "m.room.message", "t" * 2_000)
        self.refused("a transaction id of 2 KB of an event", alice.put(sending, {"msgtype": "m.text", "body": "b"}))
        self.refused("a type of 300 bytes", alice.put(path("sendToDevice", "m" * 300, "t"), {"messages": {}}))
        # 9 MB for servers that do not exist, in different shapes; nothing of it may stay.
        text = "x" * 60_000
        for name, messages in (
            ("many servers", {f"@u:s{number}.{self.mark}.example": {"D": {"a": 1}} for number in range(101)}),
            ("many devices", {f"@u:many.{self.mark}.example": {f"D{number}": {"a": text} for number in range(150)}}),
            ("many users", {f"@u{number}:users.{self.mark}.example": {"D": {"a": text}} for number in range(150)})):
            self.refused(f"{name} of other servers", alice.put(target + name[5:7], {"messages": messages}), 413, "M_TOO_LARGE")
        rows = self.server.sql(f"SELECT count(*) FROM device_federation_outbox WHERE destination LIKE '%.{self.mark}.example'")
        self.checks.equal("nothing waits of what was refused", rows, [["0"]])
        large, other = f"fits.{self.mark}.example", f"other.{self.mark}.example"
        fits = {f"@u:{large}": {f"D{number}": {"a": text} for number in range(20)}, f"@u:{other}": {"D": {}}}
        self.checks.equal("20 large messages", alice.put(target + "fits", {"messages": fits}).status, 200)
        rows = self.server.sql(
            "SELECT destination, stream_id, octet_length(messages_json), messages_json FROM device_federation_outbox "
            f"WHERE destination IN ('{large}', '{other}')")
        self.checks.equal("each EDU has a stream id of its own", len({(row[0], row[1]) for row in rows}), 21)
        self.checks.that("no EDU is over 64 KB and what names it", all(int(row[2]) < 66_000 for row in rows), [row[2] for row in rows])
        devices = [device for row in rows if row[0] == large for device in json.loads(row[3])["messages"][f"@u:{large}"]]
        self.checks.equal("all messages are in some EDU", sorted(devices), sorted(f"D{number}" for number in range(20)))
        self.refused("a message of over 64 KB", alice.put(target + "big", {"messages": {bob.user: {bob.device: {"a": "x" * 65_536}}}}), 413)

    def outbox(self):
        """What waits for servers to which nobody sends is cut to the newest 2,000."""
        self.server.sql(
            "INSERT INTO device_federation_outbox (destination, stream_id, queued_ts, messages_json, instance_name) "
            "SELECT 'never.example', -n, 0, '{}', 'master' FROM generate_series(1, 3000) AS n")
        deadline = time.monotonic() + 70
        while time.monotonic() < deadline:
            count = int(self.server.sql("SELECT count(*) FROM device_federation_outbox")[0][0])
            if count <= 2_000:
                break
            time.sleep(2)
        self.checks.that("what waits for other servers is bounded", count <= 2_000, count)
        newest = self.server.sql(f"SELECT count(*) FROM device_federation_outbox WHERE destination = 'other.{self.mark}.example'")
        self.checks.equal("the newest stay", newest, [["1"]])

    def devices(self):
        """Names of devices that do not exist make no rows."""
        before = self.server.sql(f"SELECT count(*) FROM device_lists_stream WHERE user_id = '{self.bob.user}'")
        body = {"devices": [f"D{number}" for number in range(5_000)]}
        first = self.bob.post(f"{V3}/delete_devices", body)
        auth = {"type": "m.login.password", "session": (first.json or {}).get("session"), "password": self.bob.password,
                "identifier": {"type": "m.id.user", "user": self.bob.user}}
        answer = self.bob.post(f"{V3}/delete_devices", {**body, "auth": auth})
        self.checks.equal("devices that do not exist are deleted", answer.status, 200)
        after = self.server.sql(f"SELECT count(*) FROM device_lists_stream WHERE user_id = '{self.bob.user}'")
        self.checks.equal("nobody is told of them", after, before)

    def aliases(self):
        room = self.alice.create_room()
        self.server.sql(
            "INSERT INTO room_aliases (room_alias, room_id, creator) "
            f"SELECT '#many' || n || '-{room[1:12]}:{self.server.name}', '{room}', '{self.alice.user}' FROM generate_series(1, 999) AS n")
        made = [self.alice.put(path("directory", "room", f"#{room[1:9]}-{n}:{self.server.name}"), {"room_id": room}) for n in range(2)]
        self.checks.equal("the 1,000th alias", made[0].status, 200)
        self.refused("the 1,001st alias of a room", made[1])

    def push_rules(self):
        """Ten thousand rules do not hold up a message of 64 KB; those that a message can afford are followed."""
        carol = self.server.register()
        room = self.alice.create_room(invite=[carol.user])
        carol.join(room)
        user = carol.user
        base = secrets.randbelow(1 << 40) * 20_000
        conditions = '[{"kind":"event_match","key":"content.body","pattern":"*a' + "?" * 60 + "b' || n || '*\"}]"
        self.server.sql(
            "INSERT INTO push_rules (id, user_name, rule_id, priority_class, priority, conditions, actions) "
            f"SELECT {base} + n, '{user}', 'global/override/r' || n, 5, n, '{conditions}', '[]' FROM generate_series(1, 9998) AS n")
        carol.put(path("pushrules", "global", "content", "word"), {"pattern": "kumquat", "actions": ["notify", {"set_tweak": "highlight"}]})
        since = carol.sync()["next_batch"]
        started = time.monotonic()
        self.alice.say(room, ("a " * 30_000).strip())
        took = time.monotonic() - started
        short = self.alice.say(room, "is this a Kumquat or not")
        answer = carol.sync_until(lambda a: short in json.dumps(a), since=since)
        counts = answer.get("rooms", {}).get("join", {}).get(room, {}).get("unread_notifications", {})
        self.checks.that("a rule behind others highlights a message of usual length", counts.get("highlight_count", 0) >= 1, counts)
        print(f"  64 KB against 9,999 rules: {took:.2f} s", flush=True)


def main():
    server, checks = Server(sys.argv[1]), Checks()
    bounds = Bounds(server, checks)
    for part in (
            bounds.account_data, bounds.tags, bounds.filters, bounds.filter_count, bounds.presence, bounds.to_device, bounds.outbox,
            bounds.devices, bounds.aliases, bounds.push_rules):
        part()
    checks.end()


if __name__ == "__main__":
    main()
