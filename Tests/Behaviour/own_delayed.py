#!/usr/bin/env python3
"""Events that are sent later (MSC4140): in time, once, also when processes end, and not when they are taken back or overtaken.

usage: own_delayed.py FOLDER BINARIES
"""

import sys
import time
from urllib.parse import quote

from harness import V3, Checks, own_server, path

SETTINGS = """
max_event_delay_duration: 1h
experimental_features: {msc4140_max_delayed_events_per_user: 5}
"""
BASE = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


class Delayed:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice, self.bob = server.register(), server.register()
        self.room = self.alice.create_room(preset="public_chat", power_level_content_override={"state_default": 0}, room_version="12")
        self.bob.join(self.room)

    def send(self, delay, text, client=None):
        client = client or self.alice
        target = path("rooms", self.room, "send", "m.room.message", client.transaction()) + f"?org.matrix.msc4140.delay={delay}"
        return client.put(target, {"msgtype": "m.text", "body": text})

    def state(self, delay, key, content, client=None, kind="org.example.state"):
        return (client or self.alice).put(path("rooms", self.room, "state", kind, key) + f"?org.matrix.msc4140.delay={delay}", content)

    def change(self, answer, action, client=None, address=None):
        client = client or self.server.anonymous()
        client = client.at(address) if address else client
        return client.post(f"{BASE}/{quote(answer['delay_id'])}/{action}")

    def pending(self, client=None):
        return (client or self.alice).ok("GET", BASE)["delayed_events"]

    def said(self):
        chunk = self.alice.ok("GET", path("rooms", self.room, "messages") + "?dir=b&limit=100")["chunk"]
        return [event["content"].get("body") for event in chunk if event["type"] == "m.room.message"]

    def value(self, key, kind="org.example.state"):
        return self.alice.get(path("rooms", self.room, "state", kind, key)).json.get("value")

    def in_time(self):
        answer = self.send(300, "soon")
        self.checks.that("a name is given", answer.status == 200 and answer["delay_id"].startswith("syd_"), answer)
        own = self.state(300, "soon", {"value": 1})
        self.checks.that("the event comes", until(lambda: "soon" in self.said()))
        self.checks.that("the state comes", until(lambda: self.value("soon") == 1))
        self.checks.that("nothing is pending then", until(lambda: not self.pending()))
        self.checks.equal("once", self.said().count("soon"), 1)
        self.checks.equal("what was sent can be changed no more", [self.change(own, action).status for action in ("cancel", "restart", "send")], [404] * 3)

    def listed(self):
        first, second = self.send(50000, "a"), self.state(40000, "key", {"value": 2})
        listed = self.pending()
        self.checks.equal("pending events, those first that come first", [entry["delay_id"] for entry in listed], [second["delay_id"], first["delay_id"]])
        entry = listed[0]
        self.checks.equal("what is told", {key: entry.get(key) for key in ("room_id", "type", "state_key", "delay_ms", "delay", "content")}, {
            "room_id": self.room, "type": "org.example.state", "state_key": "key", "delay_ms": 40000, "delay": 40000, "content": {"value": 2}})
        one = self.alice.ok("GET", f"{BASE}/{second['delay_id']}")
        self.checks.that("one alone", one["delay_id"] == second["delay_id"] and "running_since" not in one, one)
        self.checks.equal("others are told nothing", (self.pending(self.bob), self.bob.get(f"{BASE}/{second['delay_id']}").status), ([], 404))
        self.checks.equal("nobody is told nothing", self.server.anonymous().get(BASE).status, 401)
        since = entry["delayed_since_ts"]
        for worker in self.server.workers:
            self.checks.equal("it is restarted", self.change(second, "restart", address=worker).status, 200)
        self.checks.that("the time begins anew", self.pending()[0]["delayed_since_ts"] > since)
        self.checks.equal("it is sent", self.change(second, "send").status, 200)
        self.checks.that("before its time", until(lambda: self.value("key") == 2))
        self.checks.equal("the other is cancelled", self.change(first, "cancel", self.alice).status, 200)
        self.checks.equal("nothing is pending", self.pending(), [])
        self.checks.that("what was cancelled never comes", "a" not in self.said())
        for action, wanted in (("cancel", 200), ("nonsense", 400)):
            answer = self.send(50000, "b")
            found = self.server.anonymous().post(f"{BASE}/{answer['delay_id']}", {"action": action})
            self.checks.equal(f"the older form: {action}", found.status, wanted)
        self.change(answer, "cancel")

    def overtaken(self):
        """State that another user sets in the meantime cancels; one's own does not."""
        self.state(60000, "call", {"value": "mine"})
        self.alice.state(self.room, "org.example.state", {"value": "own"}, "call")
        other = self.state(60000, "other", {"value": "mine"})
        self.bob.state(self.room, "org.example.state", {"value": "elsewhere"}, "elsewhere")
        self.checks.equal("other state and one's own cancel nothing", len(self.pending()), 2)
        self.bob.state(self.room, "org.example.state", {"value": "bob's"}, "call")
        self.checks.that("another's cancels", until(lambda: [entry["state_key"] for entry in self.pending()] == ["other"]), self.pending())
        self.change(other, "cancel")

    def limits(self):
        answers = [self.send(60000, f"{number}") for number in range(6)]
        self.checks.equal("no more than the limit", [answer.status for answer in answers], [200] * 5 + [429])
        self.checks.that("with the time to wait", 0 < answers[-1].json.get("retry_after_ms", 0) <= 60000, answers[-1])
        for answer in answers[:5]:
            self.change(answer, "cancel")
        answer = self.send(3600001, "x")
        self.checks.equal("a longer delay than is allowed", (answer.status, answer.errcode), (400, "ORG.MATRIX.MSC4140_DELAY_TOO_LARGE"))
        for delay in ("-1", "x", "9" * 30, "1.5"):
            self.checks.equal(f"a delay of {delay}", self.send(delay, "x").status, 400)
        self.checks.equal("an unknown room", self.alice.put(path("rooms", "!none:localhost", "send", "m.room.message", "1") + "?org.matrix.msc4140.delay=1", {
            "msgtype": "m.text", "body": "x"}).status, 404)
        self.checks.equal("content that may not be", self.alice.put(path("rooms", self.room, "send", "m.room.message", "1") + "?org.matrix.msc4140.delay=1", {}).status, 400)
        for key in ("\0", "x" * 300):
            self.checks.that(f"a state key {key[:3]!r}", 400 <= self.state(1000, key, {}).status < 500)
        for name in ("none", "\0", "x" * 5000):
            self.checks.that(f"an event {name[:5]!r}", self.server.anonymous().post(f"{BASE}/{quote(name)}/restart").status in (400, 404))
        versions = self.server.anonymous().ok("GET", "/_matrix/client/versions")
        self.checks.equal("the feature is told of", versions["unstable_features"].get("org.matrix.msc4140"), True)
        self.checks.equal("nothing is pending", self.pending(), [])

    def memberships(self):
        carol = self.server.register()
        carol.join(self.room)
        answer = self.state(200, carol.user, {"membership": "leave"}, carol, "m.room.member")
        self.checks.equal("a membership later", answer.status, 200)
        self.checks.that("comes", until(lambda: self.alice.get(path("rooms", self.room, "state", "m.room.member", carol.user)).json.get("membership") == "leave"))
        refused = self.send(200, "from outside", carol)
        self.checks.equal("what is going to be refused is taken", refused.status, 200)
        self.checks.that("and goes", until(lambda: not self.pending(carol)))
        self.checks.that("unsent", "from outside" not in self.said())

    def deactivated(self):
        dora = self.server.register()
        dora.join(self.room)
        self.send(60000, "from beyond", dora)
        proof = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": dora.user}, "password": dora.password}
        dora.ok("POST", f"{V3}/account/deactivate", {"auth": proof})
        name = dora.user[1:].split(":")[0]
        count = lambda: self.server.sql(f"SELECT count(*) FROM delayed_events WHERE user_localpart = '{name}'")
        self.checks.that("who is gone says nothing later", until(lambda: count() == [["0"]]), count())

    def restarts(self, part):
        """What was due while the process was away comes when it is back, once; the rest keeps its time."""
        self.send(1000, "while away")
        taken = self.send(600000, "taken")
        later = self.send(600000, "much later")
        self.state(600000, "away", {"value": "mine"})
        self.server.control("kill", part)
        # As if the process had ended just after it had taken the event.
        self.server.sql(f"UPDATE delayed_events SET is_processed = true WHERE delay_id = '{taken['delay_id']}'")
        time.sleep(1.2)
        self.server.control("start", part)
        until(lambda: self.server.anonymous().get("/_matrix/client/versions").status == 200, 60)
        self.checks.that("what was due comes", until(lambda: "while away" in self.said(), 30))
        self.checks.that("what was taken comes", until(lambda: "taken" in self.said(), 30))
        self.checks.equal("each once", (self.said().count("while away"), self.said().count("taken")), (1, 1))
        self.checks.that("the rest waits", later["delay_id"] in [entry["delay_id"] for entry in self.pending()])
        for entry in self.pending():
            self.change(entry, "cancel")


def main():
    checks = Checks()
    for mode in ("monolith", "cluster"):
        with own_server(sys.argv[1], sys.argv[2], mode, SETTINGS) as server:
            delayed = Delayed(server, checks)
            for part in (delayed.in_time, delayed.listed, delayed.overtaken, delayed.limits, delayed.memberships, delayed.deactivated):
                part()
            delayed.restarts("homeserver")
    checks.end()


if __name__ == "__main__":
    main()
