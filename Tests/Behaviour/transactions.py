#!/usr/bin/env python3
"""Repeated requests: the same transaction id on the same path is a repetition and makes nothing new.

usage: transactions.py CLUSTER_FOLDER
"""

import sys

from harness import Checks, Server, path


def main():
    server, checks = Server(sys.argv[1]), Checks()
    alice = server.register()
    room = alice.create_room()
    target = path("rooms", room, "send", "m.room.message", "once")
    first = alice.ok("PUT", target, {"msgtype": "m.text", "body": "one"})
    again = alice.ok("PUT", target, {"msgtype": "m.text", "body": "one"})
    checks.equal("a repeated send has the same event", again["event_id"], first["event_id"])
    checks.end()


if __name__ == "__main__":
    main()
