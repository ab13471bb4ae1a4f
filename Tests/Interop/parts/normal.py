"""Replaces in an answer what no two servers have in common, and finds where two answers differ."""

import json
import re

TIMES = {"age", "age_ts", "origin_server_ts", "ts", "last_active_ago", "last_seen_ts", "valid_until_ms", "creation_ts", "expires_in_ms"}
TOKENS = {"next_batch", "prev_batch", "start", "end", "access_token", "refresh_token", "session", "next_token", "prev_content_token", "pos"}
# Sentences are each server's own; what clients act on is `errcode`.
SENTENCES = {"error"}
IDENTIFIER = re.compile(r"^[$!][A-Za-z0-9_\-+/=]{16,}(:localhost)?$")
INSIDE = re.compile(r"[$!][A-Za-z0-9_\-]{16,}(:localhost)?")
# Synapse sometimes counts the invite too, sometimes not; database.py compares the counts of one database.
COUNTS = {"notification_count"}
# Made with each server's own key.
SIGNED = {"signatures", "hashes"}
# Lists of events without an order.
SETS = {"auth_events", "highlights"}


class Normal:
    """Gives every identifier a number in the order in which it was first seen, and the server's address a name."""

    def __init__(self, base):
        self.base, self.names = base, {}

    def name(self, identifier):
        return self.names.setdefault(identifier, f"{identifier[0]}{len(self.names) + 1}")

    def value(self, value, key=None):
        if key in SIGNED:
            return "made with a key"
        if isinstance(value, dict):
            pairs = ((self.text(name), self.value(part, name)) for name, part in sorted(value.items(), key=self.rank))
            return dict(pairs)
        if isinstance(value, list):
            # Sorted before identifiers are named, so that both sides name them in one order.
            if key in SETS:
                return sorted(self.value(part) for part in value)
            parts = sorted(value, key=self.stable) if is_unordered(value) else value
            return [self.value(part) for part in parts]
        if key in TIMES and isinstance(value, (int, float)) and not isinstance(value, bool):
            return "a time"
        if key in COUNTS:
            return "a count"
        if key in TOKENS and isinstance(value, str):
            return "a token"
        if key in SENTENCES and isinstance(value, str):
            return "a sentence"
        return self.text(value) if isinstance(value, str) else value

    def rank(self, pair):
        """Known identifiers first, by number, so that keys that are identifiers come in the same order on both sides."""
        return (0, int(self.names[pair[0]][1:]), "") if pair[0] in self.names else (1, 0, pair[0])

    def stable(self, value):
        """A key by which both sides sort alike: identifiers by the names that they have been given."""
        if isinstance(value, str):
            return value
        key = value.get("state_key") or ""
        return json.dumps([value.get("type"), self.names.get(key, key), value.get("sender") or ""])

    def text(self, text):
        if IDENTIFIER.match(text):
            return self.name(text)
        return INSIDE.sub(lambda found: self.name(found.group(0)), text.replace(self.base, "the server"))


def is_unordered(values):
    """Tells whether a list is a room's state, account data, presence or users, whose order says nothing."""
    if all(isinstance(value, str) and value.startswith("@") for value in values):
        return True
    if len(values) < 2 or not all(isinstance(value, dict) for value in values):
        return False
    if all("state_key" in value for value in values):
        return len({(value.get("type"), value["state_key"]) for value in values}) == len(values)
    return all(set(value) == {"type", "content"} or value.get("type") == "m.presence" for value in values)


def differences(one, other, path=""):
    """Lines `path: theirs is ours`."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for key in sorted(set(one) | set(other)):
            if key not in other:
                found.append(f"{path}.{key}: {json.dumps(one[key])[:300]} is missing")
            elif key not in one:
                found.append(f"{path}.{key}: {json.dumps(other[key])[:300]} is too much")
            else:
                found += differences(one[key], other[key], f"{path}.{key}")
        return found
    if isinstance(one, list) and isinstance(other, list):
        found = [] if len(one) == len(other) else [f"{path}: {len(one)} elements are {len(other)}"]
        for index, (mine, yours) in enumerate(zip(one, other)):
            found += differences(mine, yours, f"{path}[{index}]")
        return found
    same = one == other and isinstance(one, bool) == isinstance(other, bool)
    return [] if same else [f"{path}: {json.dumps(one)[:300]} is {json.dumps(other)[:300]}"]
