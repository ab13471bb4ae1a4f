#!/usr/bin/env python3
"""Compares the room rules with a real Synapse's, on random rooms of every version.

usage: rules.py FOLDER BINARIES [ROOMS [EVENTS [SEED]]]            (with a Python that has matrix-synapse 1.163.2)

For each room version ROOMS rooms (4) of about EVENTS events (50) are made. Each event is sealed by both sides (content hash, signature,
event id, reference hash, redacted form), checked by the auth rules against its own auth events and against states, and forks are
resolved; whatever differs is shown with the seed of its room. What counts as compared is printed.
"""

import copy
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from signedjson.key import decode_signing_key_base64, encode_verify_key_base64, get_verify_key
from signedjson.sign import sign_json

VERSIONS = [str(number) for number in range(1, 13)]
USERS = ["@alice:a.example", "@bob:b.example", "@carol:c.example", "@dave:a.example"]
INVITE_KEY = decode_signing_key_base64("ed25519", "0", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")


class Side:
    """One of the two that answer, a process of its own."""

    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, line):
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended")
        return json.loads(line)

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


class Comparison:
    """Asks both sides and counts."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.compared, self.different, self.outcomes = Counter(), Counter(), Counter()
        self.room = ""

    def ask(self, op, fields=None, **question):
        """Answers (ours, theirs); the fields, or whether there was an error, must be the same."""
        line = json.dumps({"op": op, **question}).encode()
        self.ours.send(line)
        self.theirs.send(line)
        ours, theirs = self.ours.read(), self.theirs.read()
        for field in fields or []:
            self.compared[field] += 1
            one, other = [answer.get(field, "error" if "error" in answer else None) for answer in (ours, theirs)]
            if field == "allowed" and "error" in theirs:
                other = False  # what makes Synapse stumble is not let in
            if one != other:
                self.different[field] += 1
                if self.different[field] <= 5:
                    print(f"DIFFERENT {field} ({self.room}): {line.decode()[:1500]}\n  ours   {ours}\n  theirs {theirs}")
        return ours, theirs


class RandomRoom:
    """Builds one room: branches that change by turns, fork and are resolved."""

    def __init__(self, comparison, version, seed):
        self.both, self.version, self.number = comparison, version, int(version)
        self.random = random.Random(f"{version} {seed}")
        self.both.room = f"version {version}, seed {seed}"
        self.both.ask("room", version=version)
        self.events, self.time, self.is_careful = {}, 1000, True
        self.room_id = "!room:a.example"

    # making events

    def number_value(self):
        values = [0, 0, 10, 50, 50, 100, 100, 101, -5]
        if self.number < 10:
            values += ["50", " 10 ", "+7", "x", None, True] + ([50.7] if self.number < 6 else [])
        elif self.random.random() < 0.1:
            values += ["50", None, [], True]
        return self.random.choice(values)

    def json_value(self, depth=2):
        values = [None, True, False, 0, -1, 2**53 - 1, "", "x", "é", "e\u0301", "😀", "\u0000\u001f\"\\/", "\u2028"]
        if self.number < 6:
            values += [1.5, 1e10, -0.0, 1e-7, 2**53, 2**70, 123456789.123]
        if depth and self.random.random() < 0.4:
            keys = self.random.sample(["a", "b", "é", "\U0001f600", "\uffff", "", "B"], 3)
            return self.random.choice(
                [{key: self.json_value(depth - 1) for key in keys}, [self.json_value(depth - 1) for _ in range(2)]])
        return self.random.choice(values)

    def references(self, ids):
        return [[id, {"sha256": "x"}] for id in ids] if self.number < 3 else list(ids)

    def selected(self, event, state):
        """The slots the specification wants cited, by this script's own reading of it."""
        type, content = event["type"], event["content"]
        if type == "m.room.create":
            return []
        keys = [("m.room.create", "")] if self.number < 12 else []
        keys += [("m.room.power_levels", ""), ("m.room.member", event["sender"])]
        if type == "m.room.member" and isinstance(content, dict):
            membership = content.get("membership")
            keys.append(("m.room.member", event.get("state_key")))
            if membership in ("join", "invite", "knock"):
                keys.append(("m.room.join_rules", ""))
            if membership == "invite" and "third_party_invite" in content:
                keys.append(("m.room.third_party_invite", content["third_party_invite"]["signed"]["token"]))
            if membership == "join" and self.number >= 8 and "join_authorised_via_users_server" in content:
                keys.append(("m.room.member", content["join_authorised_via_users_server"]))
        return [state[key] for key in dict.fromkeys(keys) if key in state]

    def seal(self, type, state_key, sender, content, state, prev=None, **extra):
        """Has both sides make the event; answers its id, or None where neither can."""
        self.time += self.random.choice([0, 1, 1, 5])
        event = {
            "type": type, "sender": sender, "content": content, "room_id": self.room_id,
            "origin_server_ts": self.time, "depth": self.random.randint(1, 8),
            "prev_events": self.references(["$prev:a.example"] if prev is None else prev), **extra,
        }
        if state_key is not None:
            event["state_key"] = state_key
        if type == "m.room.create" and self.number >= 12:
            del event["room_id"]
        cited = self.selected(event, state)
        if not self.is_careful and self.random.random() < 0.05:
            cited = cited + [self.random.choice(list(self.events))]
        if not self.is_careful and self.random.random() < 0.03:
            cited = cited[1:]
        event["auth_events"] = self.references(cited)
        if self.random.random() < 0.3:
            event["unsigned"] = {"age_ts": self.time, "x": 1}
        for key in ("origin", "prev_state", "membership", "foo"):
            if self.random.random() < 0.1:
                event[key] = self.json_value()
        server = sender.split(":", 1)[1]
        if self.number < 3:
            event["event_id"] = f"$e{len(self.events)}:{server}"
        fields = ["content_hash", "id", "redacted", "reference_hash", "room_id", "signature"]
        ours, theirs = self.both.ask("seal", fields, event=copy.deepcopy(event), server=server)
        if "id" not in ours or "id" not in theirs:
            return None
        event["hashes"] = {"sha256": ours["content_hash"]}
        event["signatures"] = {server: {"ed25519:1": ours["signature"]}}
        self.events[ours["id"]] = event
        return ours["id"]

    def begin(self):
        content = {"room_version": self.version}
        if self.number < 11 or self.random.random() < 0.2:
            content["creator"] = USERS[0]
        if self.random.random() < 0.2:
            content["m.federate"] = self.random.choice([True, False])
        if self.number >= 12 and self.random.random() < 0.5:
            content["additional_creators"] = [USERS[1]]
        create = self.seal("m.room.create", "", USERS[0], content, {}, prev=[])
        if self.number >= 12:
            self.room_id = "!" + create[1:]
        state = {("m.room.create", ""): create}
        self.check(create, state)
        join = self.seal("m.room.member", USERS[0], USERS[0], {"membership": "join"}, state, prev=[create])
        self.check(join, state)
        state[("m.room.member", USERS[0])] = join
        users = {} if self.number >= 12 else {USERS[0]: 100}
        users[USERS[2]] = 50
        for type, body in [
            ("m.room.power_levels", {"users": users, "events": {"m.room.name": 50}, "state_default": 0}),
            ("m.room.join_rules", {"join_rule": "public"}),
        ]:
            state[(type, "")] = self.seal(type, "", USERS[0], body, state)
        for user in USERS[1:3]:
            state[("m.room.member", user)] = self.seal("m.room.member", user, user, {"membership": "join"}, state)
        return state

    def random_event(self, state):
        pick, sender = self.random.choice, self.random.choice(USERS)
        kind = self.random.randrange(16)
        if kind < 3:
            return self.power_levels(sender, state)
        if kind == 3:
            rule = pick(["public", "invite", "knock", "restricted", "knock_restricted", "private", 5, None])
            content = {"join_rule": rule, "allow": [{"type": "m.room_membership", "room_id": "!x:y"}]}
            return self.seal("m.room.join_rules", "", sender, content, state)
        if kind < 10:
            return self.membership(sender, state)
        if kind == 10:
            body = {"aliases": [f"#x:{sender.split(':')[1]}"]}
            return self.seal("m.room.aliases", pick(["a.example", "b.example", "", None]), sender, body, state)
        if kind == 11:
            target = pick(list(self.events))
            body = {"reason": "r", "redacts": target} if self.number >= 11 else {"reason": "r"}
            return self.seal("m.room.redaction", None, sender, body, state, redacts=target)
        if kind == 12:
            key = encode_verify_key_base64(get_verify_key(INVITE_KEY))
            body = {"display_name": "x", "public_key": key, "key_validity_url": "https://x", "public_keys": []}
            return self.seal("m.room.third_party_invite", "token", sender, body, state)
        if kind == 13:
            owner, body = pick(USERS + ["@zoe:z.example"]), {"v": self.json_value()}
            return self.seal("org.example.own", owner, sender, body, state)
        type = pick(["m.room.topic", "m.room.name", "m.room.history_visibility", "m.room.server_acl"])
        body = {"topic": self.json_value(), "history_visibility": "joined", "allow": ["*"], "v": self.json_value()}
        return self.seal(type, pick(["", "", "", None]), sender, body, state)

    def power_levels(self, sender, state):
        current = state.get(("m.room.power_levels", ""))
        content = copy.deepcopy(self.events[current]["content"]) if current else {}
        for _ in range(self.random.randint(1, 2)):
            where = self.random.randrange(8)
            if where < 3 and isinstance(content.get("users", {}), dict):
                content.setdefault("users", {})[self.random.choice(USERS[1:])] = self.number_value()
            elif where == 3 and isinstance(content.get("users"), dict) and content["users"]:
                del content["users"][self.random.choice(list(content["users"]))]
            elif where == 4:
                content.setdefault("events", {})[self.random.choice(["m.room.name", "x"])] = self.number_value()
            elif where == 5:
                content.setdefault("notifications", {})["room"] = self.number_value()
            elif where == 6:
                name = self.random.choice(["ban", "kick", "invite", "redact", "users_default", "state_default"])
                content[name] = self.number_value()
            elif self.random.random() < 0.1:
                content["users"] = self.random.choice([{"nobody": 1}, [], {USERS[0]: 100}, {"@é:x": 1}])
        return self.seal("m.room.power_levels", "", sender, content, state)

    def membership(self, sender, state):
        membership = self.random.choice(["join", "join", "leave", "invite", "ban", "knock", "other"])
        target = sender if membership in ("join", "knock") and self.random.random() < 0.9 else self.random.choice(USERS)
        content = {"membership": membership, "displayname": self.json_value(0)}
        if membership == "join" and self.random.random() < 0.5:
            content["join_authorised_via_users_server"] = self.random.choice(USERS)
        if membership == "invite" and self.random.random() < 0.4:
            invited, token = self.random.choice([target, target, USERS[0]]), self.random.choice(["token", "token", "no"])
            signed = {"mxid": invited, "token": token}
            sign_json(signed, "id.example", INVITE_KEY)
            if self.random.random() < 0.2:
                signed["changed"] = True
            content["third_party_invite"] = {"display_name": "x", "signed": signed}
        return self.seal("m.room.member", target, sender, content, state)

    # comparing

    def check(self, id, state):
        """Compares what both say about an event in a state; tells whether it is allowed."""
        self.both.ask("select", ["keys"], id=id)
        well_cited, _ = self.both.ask("independent", ["allowed"], id=id)
        ours, _ = self.both.ask("auth", ["allowed"], id=id, state=list(state.values()))
        self.both.outcomes["allowed" if ours.get("allowed") else "refused"] += 1
        return ours.get("allowed") and well_cited.get("allowed")

    def tamper(self, id):
        event = copy.deepcopy(self.events[id])
        server = event["sender"].split(":", 1)[1]
        change = self.random.randrange(4)
        if change == 1:
            event["content"]["changed"] = 1
        elif change == 2:
            event["depth"] += 1
        elif change == 3:
            event["unsigned"] = {"age": 1}
        self.both.ask("verify", ["hash", "signature"], event=event, server=server)

    def resolve(self, states):
        ours, _ = self.both.ask("resolve", ["state"], sets=[list(state.values()) for state in states])
        self.both.outcomes["disputed events"] += ours.get("conflicts", 0)
        return {(type, key): id for type, key, id in ours.get("state", [])}

    def live(self, events):
        branches = [self.begin()]
        self.is_careful = False
        branches += [dict(branches[0]) for _ in range(self.random.randint(1, 3))]
        for _ in range(events):
            index = self.random.randrange(len(branches))
            if self.random.random() < 0.12:
                branches[index] = self.resolve(self.random.sample(branches, self.random.randint(2, len(branches))))
                continue
            id = self.random_event(branches[index])
            if id is None:
                continue
            if self.random.random() < 0.4:
                self.tamper(id)
            self.check(id, self.random.choice(branches))
            event = self.events[id]
            if self.check(id, branches[index]) and "state_key" in event:
                branches[index] = {**branches[index], (event["type"], event["state_key"]): id}
        self.resolve(branches)


def limits(both, version):
    """Events at and beyond every limit, as they come from another server."""
    number = int(version)
    both.ask("room", version=version)
    base = {
        "type": "m.room.message", "room_id": "!r:a.example", "sender": "@a:a.example", "content": {"body": "x"},
        "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [], "hashes": {"sha256": "x"},
        "signatures": {"a.example": {"ed25519:1": "x"}}, "unsigned": {},
    }
    if number < 3:
        base["event_id"] = "$e:a.example"
    if number >= 12:
        base["room_id"] = "!" + "h" * 43
    lengths = {"type": "t{}", "state_key": "{}"}
    if number < 12:
        lengths["room_id"] = "!{}:a.example"
    if number < 3:
        lengths["event_id"] = "${}:a.example"
    cases = []
    for key, form in lengths.items():
        room = 255 - len(form.format(""))
        for letter in "xé":
            for count in (room // 2, room // 2 + 1, room, room + 1):
                cases.append({**base, key: form.format(letter * count)})
    cases += [{**base, "sender": f"@{'x' * count}:a.example"} for count in (244, 245)]
    size = len(json.dumps(base, separators=(",", ":")))
    cases += [{**base, "content": {"body": "x" * (65536 - size + more)}} for more in (0, 1, 2)]
    numbers = [0, -0.0, 1.0, 1.5, 1e10, 2**53 - 1, 2**53, -(2**53) + 1, -(2**53), 2**63 - 1, 2**63, 2**64]
    cases += [{**base, "content": {"a": [{"n": value}]}} for value in numbers]
    # Between 2^53 and 2^63 the specification lets rooms before version 6 be as deep as Synapse does not; no room is.
    deep = [2**53, 2**63 - 1] if number >= 6 else []
    cases += [{**base, "depth": value} for value in [0, -1, 2**53 - 1, *deep, 2**63, 1.0, "1", None]]
    both.room = f"limits of version {version}"
    for case in cases:
        both.ask("accept", ["accepted"], text=json.dumps(case, ensure_ascii=False))


def main():
    binaries = Path(sys.argv[2])
    rooms, events, seed = (int(value) for value in (sys.argv[3:] + ["4", "50", "1"][len(sys.argv) - 3 :]))
    theirs = Side(sys.executable, Path(__file__).parent / "parts" / "oracle.py")
    both = Comparison(Side(binaries / "rules_probe"), theirs)
    for version in VERSIONS:
        limits(both, version)
        for room in range(rooms):
            RandomRoom(both, version, seed + room).live(events)
    both.ours.end()
    both.theirs.end()
    for field, count in sorted(both.compared.items()):
        print(f"{field:16} {count:6} compared, {both.different[field]} different")
    print(f"outcomes: {dict(both.outcomes)}")
    print(f"{sum(both.compared.values()) - sum(both.different.values())} passed, {sum(both.different.values())} failed")
    return 1 if sum(both.different.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
