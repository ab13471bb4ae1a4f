#!/usr/bin/env python3
"""The same requests to Myelin and to a real Synapse: status, error code and body must be the same.

usage: answers.py FOLDER BINARIES          (with a Python that has matrix-synapse 1.163.2)

Each server has a database of its own and is asked what the modules of parts/scenes say, in the same order. What differs by nature
(identifiers, times, tokens, signatures, sentences of errors) is replaced by a name first; see parts/normal.py. Where Synapse fails with 500
any other answer is right; and an error code may say more than theirs.
"""

import sys
from pathlib import Path
from urllib.parse import unquote

from parts.checks import Checks
from parts.normal import Normal, differences
from parts.scenes import SCENES
from parts.servers import Myelin, Synapse, settings


# What an error code of theirs may be here: one that says more.
SAYS_MORE = {"M_UNKNOWN": None, "M_INVALID_PARAM": {"M_MISSING_PARAM"}}
BROKEN = "broken off"


class Recorder:
    """Asks one server and keeps what it answered, in a form that can be compared."""

    def __init__(self, base):
        self.base, self.answers, self.normal = base, [], Normal(base)

    def note(self, label, status, body):
        self.answers.append((self.normal.text(unquote(label)), status, self.normal.value(body)))


def held(base):
    """Every scene's answers on one server; a scene that breaks off is an answer too."""
    scenes = {}
    for scene in SCENES:
        recorder = Recorder(base)
        try:
            scene(recorder)
        except Exception as error:  # whatever a server's answer made the scene trip over is a difference to show
            recorder.answers.append((BROKEN, 0, f"{type(error).__name__}: {error}"))
        scenes[scene.__name__] = recorder.answers
    return scenes


def compared(status, body, my_status, my_body):
    """Lines that tell how an answer differs from theirs."""
    if status == 500 and my_status < 500:
        return []
    if status != my_status:
        return [f"status {status} is {my_status}: {my_body}"]
    if status >= 400 and isinstance(body, dict) and isinstance(my_body, dict):
        better = SAYS_MORE.get(body.get("errcode"), set())
        if better is None or my_body.get("errcode") in better:
            body = {**body, "errcode": my_body.get("errcode")}
    return differences(body, my_body)


def ours(base, binaries):
    server = Myelin(base / "ours", binaries, "monolith")
    server.control("up")
    try:
        return held(server.address)
    finally:
        server.control("down")


def theirs(base, binaries):
    server = Myelin(base / "theirs", binaries, "monolith")
    server.control("services")
    port = settings(server.base)["ports"]["homeserver"]
    log = server.base / "logs" / "synapse.log"
    synapse = Synapse("synapse.app.homeserver", server.configs, log, f"http://127.0.0.1:{port}/health")
    try:
        synapse.start()
        return held(f"http://127.0.0.1:{port}")
    finally:
        synapse.stop()
        server.control("down")


def main():
    base, binaries = Path(sys.argv[1]).resolve(), sys.argv[2]
    expected, actual = theirs(base, binaries), ours(base, binaries)
    checks = Checks()
    for scene, answers in expected.items():
        mine = actual[scene]
        broken = [body for label, _, body in answers + mine if label == BROKEN]
        checks.same(f"{scene}: goes on to its end", [], broken)
        checks.same(f"{scene}: the same questions", [label for label, *_ in answers], [label for label, *_ in mine])
        for (label, *expected_answer), (_, *my_answer) in zip(answers, mine):
            found = compared(*expected_answer, *my_answer)
            checks.that(f"{scene}: {label}", not found, "".join(f"\n    {line}" for line in found[:12]))
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
