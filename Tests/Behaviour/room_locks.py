#!/usr/bin/env python3
"""Locks between processes: while events are sent into a room no other process deletes it, and while one does nothing is sent.

A process of Synapse that deletes a room is played by rows in its table of locks.

usage: room_locks.py CLUSTER_FOLDER
"""

import subprocess
import sys
import threading
import time

from harness import Checks, Server, at_once, path

NAME = "new_event_during_purge_lock"


class Locks:
    """The table of locks, as another process sees it."""

    def __init__(self, server, room):
        self.server, self.room = server, room

    def held(self):
        rows = self.server.sql(
            f"SELECT write_lock FROM worker_read_write_locks WHERE lock_name = '{NAME}' AND lock_key = '{self.room}'")
        return [row[0] for row in rows]

    def take(self):
        now = int(time.time() * 1000)
        try:
            self.server.sql(
                "INSERT INTO worker_read_write_locks (lock_name, lock_key, instance_name, write_lock, token, last_renewed_ts) "
                f"VALUES ('{NAME}', '{self.room}', 'other', true, 'token', {now})")
            return True
        except subprocess.CalledProcessError:
            return False

    def take_in_the_end(self, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.take():
                return True
            time.sleep(0.1)
        return False

    def give_back(self):
        self.server.sql(f"DELETE FROM worker_read_write_locks WHERE lock_key = '{self.room}' AND token = 'token'")


def in_cluster(server, checks):
    alice, bob = server.register(), server.register()
    room, other = alice.create_room(preset="public_chat"), alice.create_room()
    locks = Locks(server, room)
    alice.say(room, "one")
    checks.equal("a room into which somebody writes is locked for reading", set(locks.held()), {"f"})
    checks.equal("so that nobody deletes it", locks.take(), False)
    checks.that("one process holds it once", len(locks.held()) <= len(server.processes), locks.held())
    checks.that("after a while it is free", locks.take_in_the_end())
    answers = []

    def work(number):
        if number == 0:
            answers.append(alice.put(path("rooms", room, "send", "m.room.message", "waits"), {"msgtype": "m.text", "body": "waits"}))
        elif number == 1:
            answers.append(bob.post(path("join", room)))
        else:
            answers.append(alice.put(path("rooms", room, "state", "m.room.topic"), {"topic": "waits"}))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    alice.say(other, "does not wait")
    time.sleep(1)
    checks.equal("what is sent while a room is being deleted waits", len(answers), 0)
    checks.equal("and nothing is stored", server.sql(f"SELECT count(*) FROM events WHERE room_id = '{room}' AND sender = '{bob.user}'"), [["0"]])
    locks.give_back()
    for thread in threads:
        thread.join(30)
    checks.equal("until that is over", [answer.status for answer in answers], [200] * 3)
    workers = server.workers
    at_once(8, lambda number: [alice.at(workers[number % len(workers)]).say(room, f"{number} {turn}") for turn in range(10)])
    checks.that("many writers share few locks", 1 <= len(locks.held()) <= len(server.processes), locks.held())
    checks.that("and all are given back", locks.take_in_the_end())
    locks.give_back()
    alice.say(room, "before the process stops")
    for name in [name for name in server.processes if name.startswith("generic_worker")] + ["homeserver"]:
        server.control("restart", name)
    checks.equal("a process that stops leaves no lock behind", locks.held(), [])


def main():
    server, checks = Server(sys.argv[1]), Checks()
    if server.is_cluster:
        in_cluster(server, checks)
    else:
        alice = server.register()
        room = alice.create_room()
        alice.say(room, "one")
        checks.equal("a process alone locks nothing", Locks(server, room).held(), [])
    checks.end()


if __name__ == "__main__":
    main()
