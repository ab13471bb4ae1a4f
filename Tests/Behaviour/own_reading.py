#!/usr/bin/env python3
"""Reading with settings of its own: how long redacted content is kept.

usage: own_reading.py FOLDER BINARIES
"""

import sys
import time

from harness import Checks, own_server, path


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def ageless(value):
    """A value without what counts from now, at whatever depth."""
    if isinstance(value, dict):
        return {key: ageless(member) for key, member in value.items() if key != "age"}
    return value


def censoring(server, checks):
    """The content of redacted events goes after a time, that of others stays, and clients see no difference."""
    alice, bob = server.register(), server.register()
    room = alice.create_room(invite=[bob.user])
    bob.join(room)
    kept = alice.say(room, "stays here")
    gone = alice.say(room, "goes away")
    state = alice.state(room, "m.room.topic", {"topic": "goes away, too"})
    old_name = alice.state(room, "m.room.name", {"name": "renamed"})

    def redact(event, who=alice):
        return who.put(path("rooms", room, "redact", event, who.transaction()), {"reason": "why not"})

    def stored(event):
        return server.sql(f"SELECT json FROM event_json WHERE event_id = '{event}'")[0][0]

    def redacted(answer):
        assert answer.status == 200, answer
        return answer["event_id"]

    checks.equal("somebody else's redaction is refused", redact(kept, bob).status, 403)
    made = [redacted(redact(event)) for event in (gone, state, old_name)]
    shown = {event: alice.ok("GET", path("rooms", room, "event", event)) for event in (gone, state, old_name)}
    unseen = f"SELECT count(*) FROM redactions WHERE NOT have_censored AND redacts = ANY('{{{gone},{state},{old_name}}}')"
    checks.that("all are dealt with", until(lambda: server.sql(unseen) == [["0"]]), server.sql(unseen))
    for event, word in ((gone, "goes away"), (state, "goes away"), (old_name, "renamed")):
        checks.that("the content is gone", word not in stored(event), stored(event))
        checks.that("the rest is there", '"hashes"' in stored(event) and '"signatures"' in stored(event))
    checks.that("other content stays", "stays here" in stored(kept))
    checks.that("why it went stays", "why not" in stored(made[0]))
    checks.equal("it is not found any more", server.sql(
        f"SELECT count(*) FROM event_search WHERE event_id = ANY('{{{gone},{state},{old_name}}}')"), [["0"]])
    server.control("down")
    server.control("up")
    for event, before in shown.items():
        after = alice.ok("GET", path("rooms", room, "event", event))
        checks.equal("clients see the same", ageless(after), ageless(before))


def main():
    folder, binaries = sys.argv[1:3]
    checks = Checks()
    with own_server(folder, binaries, mode="cluster", settings="redaction_retention_period: 2s\n") as server:
        censoring(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
