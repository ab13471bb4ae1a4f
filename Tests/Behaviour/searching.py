#!/usr/bin/env python3
"""The search in messages: what is found by whom, in which order, on which pages, and what it does with nonsense.

usage: searching.py CLUSTER_FOLDER
"""

import secrets
import sys
from urllib.parse import quote

from harness import V3, Checks, Server, path


class Searching:
    def __init__(self, server, checks):
        self.server, self.checks = server, checks
        self.alice, self.bob = server.register(), server.register()

    def ask(self, client, term, token=None, **options):
        body = {"search_categories": {"room_events": {"search_term": term, **options}}}
        return client.post(f"{V3}/search" + (f"?next_batch={quote(token)}" if token else ""), body)

    def find(self, client, term, token=None, **options):
        answer = self.ask(client, term, token, order_by=options.pop("order_by", "recent"), **options)
        if not self.checks.equal(f"a search for {term!r}", answer.status, 200):
            return {"results": [], "count": -1}
        return answer["search_categories"]["room_events"]

    def ids(self, *arguments, **options):
        return [result["result"]["event_id"] for result in self.find(*arguments, **options)["results"]]

    def visible(self):
        """Found is what one could read by other means, in rooms that one is in."""
        word = "w" + secrets.token_hex(5)
        room = self.alice.create_room(preset="private_chat", initial_state=[
            {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}])
        before = self.alice.say(room, f"{word} before")
        self.alice.invite(room, self.bob.user)
        self.bob.join(room)
        after = self.alice.say(room, f"{word} after")
        self.checks.equal("a member finds all", self.ids(self.alice, word), [after, before])
        self.checks.equal("who came later finds what came later", self.ids(self.bob, word), [after])
        self.checks.equal("a stranger finds nothing", self.ids(self.server.register(), word), [])
        self.bob.leave(room)
        self.checks.equal("who has left finds nothing", self.ids(self.bob, word), [])
        self.alice.ok("PUT", path("rooms", room, "redact", after, "r" + word), {})
        self.checks.equal("what is redacted is not found", self.ids(self.alice, word), [before])
        ignoring = self.server.register()
        open_room = self.alice.create_room(preset="public_chat")
        ignoring.join(open_room)
        said = self.alice.say(open_room, f"{word} aloud")
        self.checks.equal("others are found", self.ids(ignoring, word), [said])
        ignoring.ok("PUT", path("user", ignoring.user, "account_data", "m.ignored_user_list"), {"ignored_users": {self.alice.user: {}}})
        self.checks.equal("who is ignored is not", self.ids(ignoring, word), [])

    def words(self):
        mark = "m" + secrets.token_hex(5)
        room = self.alice.create_room(preset="public_chat", name=f"{mark} room of wonders", topic=f"{mark} topics")
        say = {text: self.alice.say(room, f"{mark} {text}") for text in ("running dogs", "a dog ran", "cats and dogs", "Çava Straße", "x_y%z", "nul\0dog")}
        for term, wanted in (
            ("dogs", {"running dogs", "a dog ran", "cats and dogs", "nul\0dog"}), ("run", {"running dogs"}), ('"cats and dogs"', {"cats and dogs"}),
            ("dogs -cats", {"running dogs", "a dog ran", "nul\0dog"}), ("straße", {"Çava Straße"}), ("cats or ran", {"cats and dogs", "a dog ran"}),
            ("dog\0nul", {"nul\0dog"}),
        ):
            found = set(self.ids(self.alice, f"{mark} {term}" if " or " not in term else term, filter={"rooms": [room]}, keys=["content.body"]))
            self.checks.equal(f"{term!r} finds", found, {say[text] for text in wanted})
        for key, count in (("content.name", 1), ("content.topic", 1), ("content.body", len(say)), ("content.other", 0)):
            self.checks.equal(f"in {key}", len(self.ids(self.alice, mark, keys=[key])), count)
        self.checks.equal("highlights", set(self.find(self.alice, "dogs", filter={"rooms": [room]})["highlights"]), {"dog", "dogs"})
        by_rank = self.find(self.alice, f"{mark} dogs", order_by="rank", filter={"rooms": [room]})
        ranks = [result["rank"] for result in by_rank["results"]]
        self.checks.equal("in the order of ranks", ranks, sorted(ranks, reverse=True))

    def pages(self):
        mark = "p" + secrets.token_hex(5)
        rooms = [self.alice.create_room(preset="public_chat") for _ in range(2)]
        said = [self.alice.say(rooms[number % 2], f"{mark} {number}") for number in range(25)]
        seen, token = [], None
        for number in range(10):
            page = self.find(self.alice.at(self.server.workers[number % len(self.server.workers)]), mark, token, filter={"limit": 4})
            self.checks.equal("the number of all", page["count"], 25)
            seen += [result["result"]["event_id"] for result in page["results"]]
            token = page.get("next_batch")
            if not token:
                break
        self.checks.equal("all pages, newest first", seen, said[::-1])
        grouped = self.find(self.alice, mark, filter={"limit": 4}, groupings={"group_by": [{"key": "room_id"}]})
        token = grouped["groups"]["room_id"][rooms[0]]["next_batch"]
        own = []
        while token:
            page = self.find(self.alice, mark, token, filter={"limit": 5}, groupings={"group_by": [{"key": "room_id"}]})
            own += [result["result"]["event_id"] for result in page["results"]]
            token = page.get("next_batch")
        first = [event for event in (result["result"]["event_id"] for result in grouped["results"]) if event in said[::2]]
        self.checks.equal("a group goes on by itself", first + own, said[::2][::-1])

    def context(self):
        mark = "c" + secrets.token_hex(5)
        room = self.alice.create_room(preset="public_chat")
        events = [self.alice.say(room, f"{number}") for number in range(3)]
        center = self.alice.say(room, mark)
        later = [self.alice.say(room, f"{number}") for number in range(3)]
        found = self.find(self.alice, mark, event_context={"before_limit": 2, "after_limit": 2, "include_profile": True})["results"][0]
        around = found["context"]
        self.checks.equal("the result", found["result"]["event_id"], center)
        self.checks.equal("before", [event["event_id"] for event in around["events_before"]], events[:0:-1])
        self.checks.equal("after", [event["event_id"] for event in around["events_after"]], later[:2])
        self.checks.equal("the senders", set(around["profile_info"]), {self.alice.user})
        page = self.alice.ok("GET", path("rooms", room, "messages") + f"?dir=b&limit=1&from={quote(around['start'])}")
        self.checks.equal("one goes on before", [event["event_id"] for event in page["chunk"]], events[:1])
        page = self.alice.ok("GET", path("rooms", room, "messages") + f"?dir=f&limit=1&from={quote(around['end'])}")
        self.checks.equal("and after", [event["event_id"] for event in page["chunk"]], later[2:])
        self.checks.that("no context unless asked for", self.find(self.alice, mark)["results"][0]["context"] == {})
        state = self.find(self.alice, mark, include_state=True)["state"]
        self.checks.that("the state of the room", any(event["type"] == "m.room.create" for event in state[room]))

    def upgraded(self):
        mark = "u" + secrets.token_hex(5)
        room = self.alice.create_room(room_version="11")
        said = self.alice.say(room, mark)
        new = self.alice.ok("POST", path("rooms", room, "upgrade"), {"new_version": "12"})["replacement_room"]
        newer = self.alice.ok("POST", path("rooms", new, "upgrade"), {"new_version": "12"})["replacement_room"]
        self.checks.equal("rooms before an upgrade are searched with it", self.ids(self.alice, mark, filter={"rooms": [newer]}), [said])

    def nonsense(self):
        self.checks.equal("a term that nobody can read", self.ask(self.alice, "-" * 300).status, 400)
        for term in ("", " ", "\0", "'", "\"", "a" * 4096, "& | ! ( )", "<-> *:A", "\\", "\U0010ffff", "\"" * 301):
            for order in ("recent", "rank"):
                self.checks.equal(f"{order} {term[:9]!r}", self.ask(self.alice, term, order_by=order).status, 200)
        self.checks.equal("a term without end", self.ask(self.alice, "a" * 5000).status, 413)
        for label, options in {
            "order": {"order_by": "nonsense"}, "order type": {"order_by": 5}, "term type": {"search_term": 5}, "keys type": {"keys": "x"}, "key type": {"keys": [5]},
            "filter type": {"filter": 5}, "filter": {"filter": {"limit": "x"}}, "groupings": {"groupings": 5}, "group": {"groupings": {"group_by": [{"key": "x"}]}},
            "group type": {"groupings": {"group_by": "x"}}, "context": {"event_context": 5}, "context limit": {"event_context": {"before_limit": -1}},
            "context type": {"event_context": {"after_limit": "x"}}, "state": {"include_state": "x"},
        }.items():
            answer = self.ask(self.alice, options.pop("search_term", "x"), **options)
            self.checks.equal(f"a wrong {label}", answer.status, 400)
        for token in ("x", "bm9uc2Vuc2U", "YWxsCgp4", "YWxsCgo5OTk5OTk5OTk5OTk5OTk5OTk5OTksMQ", "\0"):
            self.checks.equal(f"a token {token!r}", self.ask(self.alice, "x", token, order_by="recent").status, 400)
        huge = {"limit": 10 ** 9}
        self.checks.equal("a limit without end", self.ask(self.alice, "x", filter=huge, order_by="recent").status, 200)
        self.checks.equal("nobody", self.ask(self.server.anonymous(), "x").status, 401)


def main():
    checks = Checks()
    searching = Searching(Server(sys.argv[1]), checks)
    for part in (searching.visible, searching.words, searching.pages, searching.context, searching.upgraded, searching.nonsense):
        part()
    checks.end()


if __name__ == "__main__":
    main()
