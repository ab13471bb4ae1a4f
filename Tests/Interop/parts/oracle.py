#!/usr/bin/env python3
"""Answers the questions that `rules_probe` answers, with a real Synapse's own functions: a line of JSON each.

usage: oracle.py            (with a Python that has matrix-synapse 1.163.2)
"""

import json
import sys
import traceback

from canonicaljson import encode_canonical_json
from signedjson.key import decode_signing_key_base64, get_verify_key
from signedjson.sign import SignatureVerifyException, verify_signed_json
from synapse import event_auth
from synapse.api.errors import SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, StateResolutionVersions
from synapse.crypto.event_signing import (
    add_hashes_and_signatures,
    check_event_content_hash,
    compute_event_reference_hash,
    redact_event_dict,
)
from synapse.events import make_event_from_dict
from synapse.federation.federation_base import event_from_pdu_json
from synapse.state import v1, v2
from synapse.storage.databases.main.event_federation import StateDifference
from unpaddedbase64 import encode_base64

KEY = decode_signing_key_base64("ed25519", "1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")


def run(coroutine):
    """Runs a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the coroutine waits")


class Clock:
    async def sleep(self, _):
        pass


class Oracle:
    """Stands in for the stores that the functions ask for events."""

    def __init__(self):
        self.version, self.events = None, {}

    async def get_events(self, ids, redact_behaviour=None, get_prev_content=False, allow_rejected=False):
        return {id: self.events[id] for id in ids if id in self.events}

    def chain(self, ids):
        seen, pending = set(), list(ids)
        while pending:
            id = pending.pop()
            if id not in seen:
                seen.add(id)
                if id in self.events:
                    pending.extend(self.events[id].auth_event_ids())
        return seen

    async def get_auth_chain_difference(self, _room, state_sets, conflicted, extra):
        chains = [self.chain(ids) for ids in state_sets]
        difference = set.union(*chains) - set.intersection(*chains)
        if conflicted is None:
            return StateDifference(difference, None)
        below = self.chain(conflicted | (extra or set()))
        return StateDifference(difference, {id for id in below if self.chain([id]) & conflicted})

    # the questions

    def room(self, question):
        self.version, self.events = KNOWN_ROOM_VERSIONS[question["version"]], {}
        return {}

    def seal(self, question):
        source, server = question["event"], question["server"]
        add_hashes_and_signatures(self.version, source, server, KEY)
        event = make_event_from_dict(source, self.version)
        self.events[event.event_id] = event
        return {
            "content_hash": source["hashes"]["sha256"],
            "id": event.event_id,
            "redacted": encode_canonical_json(redact_event_dict(self.version, source)).decode(),
            "reference_hash": encode_base64(compute_event_reference_hash(event)[1]),
            "room_id": event.room_id,
            "signature": source["signatures"][server]["ed25519:1"],
        }

    def select(self, question):
        keys = event_auth.auth_types_for_event(self.version, self.events[question["id"]])
        return {"keys": sorted(map(list, keys))}

    def auth(self, question):
        event, state = self.events[question["id"]], [self.events[id] for id in question["state"]]
        return self.verdict(lambda: event_auth.check_state_dependent_auth_rules(event, state))

    def independent(self, question):
        event = self.events[question["id"]]
        return self.verdict(lambda: run(event_auth.check_state_independent_auth_rules(self, event)))

    def verdict(self, check):
        try:
            check()
            return {"allowed": True}
        except SynapseError as error:
            return {"allowed": False, "why": error.msg}

    def resolve(self, question):
        sets = [{(self.events[id].type, self.events[id].state_key): id for id in ids} for ids in question["sets"]]
        room = next(iter(self.events.values())).room_id
        if self.version.state_res == StateResolutionVersions.V1:
            state = run(v1.resolve_events_with_store(room, self.version, sets, {}, self.get_events))
        else:
            state = run(v2.resolve_events_with_store(Clock(), room, self.version, sets, {}, self))
        return {"state": sorted([type, key, id] for (type, key), id in state.items())}

    def verify(self, question):
        source, server = question["event"], question["server"]
        event = make_event_from_dict(source, self.version)
        try:
            verify_signed_json(redact_event_dict(self.version, event.get_pdu_json()), server, get_verify_key(KEY))
            good = True
        except SignatureVerifyException:
            good = False
        try:
            whole = check_event_content_hash(event)
        except SynapseError:
            whole = False
        return {"hash": whole, "signature": good}

    def accept(self, question):
        try:
            event = event_from_pdu_json(json.loads(question["text"]), self.version)
            event_auth.validate_event_for_room_version(event)
            return {"accepted": True}
        except event_auth.EventSizeError as error:
            # What older versions took is kept as a rejected event, so as not to break the room.
            return {"accepted": not error.unpersistable}
        except (SynapseError, ValueError):
            return {"accepted": False}


def main():
    oracle = Oracle()
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = getattr(oracle, question["op"])(question)
        except Exception as error:  # what Synapse cannot answer is an answer
            answer = {"error": f"{type(error).__name__}: {error}", "where": traceback.format_exc(limit=-2)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
