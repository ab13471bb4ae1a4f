#!/usr/bin/env python3
"""What Synapse's guide promises of workers: any of them answers a client, whoever writes the stream, under each of the old names.

usage: own_workers.py FOLDER BINARIES

Requests go to the processes themselves, past the proxy, which would choose another one.
"""

import contextlib
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

from harness import CLUSTER, V3, Checks, Client, own_server, path

ALIASES = ("client_reader", "event_creator", "federation_reader", "frontend_proxy", "synchrotron")


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def follow(client, since, condition, seconds=20):
    """Syncs on until an answer fulfils a condition; None when none does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = client.ok("GET", f"{V3}/sync?timeout=1000&since={since}")
        since = answer["next_batch"]
        if condition(answer):
            return answer
    return None


class Replication(Client):
    """Another process of the cluster, as it calls one of ours."""

    def __init__(self, server, name):
        config = (server.folder / "config" / "homeserver.yaml").read_text()
        secret = re.search(r"^worker_replication_secret: (\S+)$", config, re.MULTILINE).group(1)
        super().__init__(f"http://127.0.0.1:{server.settings['replication_ports'][name]}", secret)

    def ask(self, name, argument, body):
        target = path(argument).removeprefix(V3)
        return self.post(f"/_synapse/replication/{name}{target}", body)


def sending(server, checks, worker, alice, bob):
    """Every route that sends an event, on a process that persists none."""
    alice, bob = alice.at(worker), bob.at(worker)
    room = alice.create_room(preset="private_chat", initial_state=[], power_level_content_override={"invite": 0})
    knocking = alice.create_room(initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}])
    def act(action, target=None, who=alice, where=room):
        return who.post(path("rooms", where, action), {"user_id": target.user} if target else {})
    sent = alice.put(path("rooms", room, "send", "m.room.message", "a"), {"msgtype": "m.text", "body": "a"})
    steps = {
        "send": sent,
        "redact": alice.put(path("rooms", room, "redact", sent.json.get("event_id", "$x"), "b")),
        "state": alice.put(path("rooms", room, "state", "m.room.topic"), {"topic": "a"}),
        "invite": act("invite", bob), "join": act("join", who=bob), "leave": act("leave", who=bob),
        "ban": act("ban", bob), "unban": act("unban", bob), "invite again": act("invite", bob),
        "join by its other address": bob.post(path("join", room)), "kick": act("kick", bob),
        "knock": bob.post(path("knock", knocking)), "profile": alice.put(path("profile", alice.user, "displayname"), {"displayname": "A"}),
    }
    for name, answer in steps.items():
        checks.equal(f"{name} is served by a worker", (name, answer.status), (name, 200))
    writers = server.sql(f"SELECT DISTINCT instance_name FROM events WHERE room_id IN ('{room}', '{knocking}')")
    checks.equal("and the persister wrote every event", writers, [["event_persister1"]])


def logins(server, checks, worker):
    anonymous, name = Client(worker), "w" + secrets.token_hex(5)
    answers = {
        "login": anonymous.get(path("login")), "available": anonymous.get(f"{path('register', 'available')}?username={name}"),
        "token validity": anonymous.get("/_matrix/client/v1/register/m.login.registration_token/validity?token=none"),
        "password policy": anonymous.get(path("password_policy")),
        "register": anonymous.post(path("register"), {"username": name, "password": "a long password", "auth": {"type": "m.login.dummy"}}),
    }
    identifier = {"type": "m.id.user", "user": name}
    answers["login by password"] = anonymous.post(path("login"), {"type": "m.login.password", "identifier": identifier, "password": "a long password"})
    for kind, answer in answers.items():
        checks.equal(f"{kind} is served by a worker", (kind, answer.status), (kind, 200))
    checks.equal("an unknown registration token is not valid", answers["token validity"].json, {"valid": False})


def account_data(checks, workers, alice):
    """The stream's writer is generic_worker2; the write comes to the other one."""
    here, there = alice.at(workers["generic_worker1"]), alice.at(workers["generic_worker2"])
    room, since = here.create_room(), there.ok("GET", f"{V3}/sync")["next_batch"]
    writes = {
        "account data": (path("user", alice.user, "account_data", "a.b"), {"c": 1}),
        "account data of a room": (path("user", alice.user, "rooms", room, "account_data", "d.e"), {"f": 2}),
        "a tag": (path("user", alice.user, "rooms", room, "tags", "u.g"), {"order": 0.5}),
    }
    for name, (target, content) in writes.items():
        answer = here.put(target, content)
        checks.equal(f"{name} is passed on to the writer", (name, answer.status), (name, 200))
    seen = {}
    def complete(answer):
        seen.update({item["type"]: item["content"] for item in answer.get("account_data", {}).get("events", [])})
        joined = answer.get("rooms", {}).get("join", {}).get(room, {})
        seen.update({item["type"]: item["content"] for item in joined.get("account_data", {}).get("events", [])})
        return seen.keys() >= {"a.b", "d.e", "m.tag"}
    checks.that("and all of it arrives", follow(there, since, complete), seen)
    checks.equal("as it was written", [seen.get("a.b"), seen.get("d.e"), seen.get("m.tag")], [{"c": 1}, {"f": 2}, {"tags": {"u.g": {"order": 0.5}}}])
    checks.equal("a tag goes again by way of the other", here.delete(writes["a tag"][0]).status, 200)


def presence(checks, workers, alice, bob):
    """The stream's writer is generic_worker1; the write comes to the other one, and is seen on both."""
    room = alice.create_room(invite=[bob.user])
    bob.ok("POST", path("join", room))
    readers = {name: (bob.at(address), bob.at(address).ok("GET", f"{V3}/sync")["next_batch"]) for name, address in workers.items()}
    status = secrets.token_hex(6)
    answer = alice.at(workers["generic_worker2"]).put(path("presence", alice.user, "status"), {"presence": "unavailable", "status_msg": status})
    checks.equal("presence is passed on to the writer", answer.status, 200)
    for name, (client, since) in readers.items():
        arrived = follow(client, since, lambda answer: status in str(answer.get("presence")))
        checks.that(f"and seen on {name}", arrived)
        found = client.get(path("presence", alice.user, "status")).json
        checks.equal(f"and read on {name}", found.get("status_msg"), status)


def together(checks, workers, alice):
    """One user, each request on the other worker than the one before."""
    both = [alice.at(address) for address in workers.values()]
    room, since = both[0].create_room(), both[1].ok("GET", f"{V3}/sync")["next_batch"]
    sent, seen = [], []
    for number in range(6):
        here, there = both[number % 2], both[(number + 1) % 2]
        sent.append(here.say(room, str(number)))
        def arrived(answer):
            timeline = answer.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {}).get("events", [])
            seen.extend(event["event_id"] for event in timeline if event["type"] == "m.room.message")
            return sent[-1] in seen
        answer = follow(there, since, arrived)
        if not checks.that(f"message {number} arrives at the other worker", answer):
            return
        since = answer["next_batch"]
    checks.equal("each once and in order", seen, sent)


def profiles(server, checks, alice):
    """A process of Synapse that writes no events asks the first writer to set profiles."""
    persister = Replication(server, "event_persister1")
    room = alice.create_room()
    def name_in_room():
        return alice.ok("GET", path("rooms", room, "state", "m.room.member", alice.user)).get("displayname")
    def change(field, value, **more):
        body = {"requester": alice.user, "field_name": field, "new_value": value, "by_admin": False, "propagate": True, **more}
        return persister.ask("profile_set_field", alice.user, body)
    first, second = secrets.token_hex(4), secrets.token_hex(4)
    checks.equal("profile_set_field is answered", change("displayname", first).status, 200)
    checks.equal("the profile has the name", alice.ok("GET", path("profile", alice.user)).get("displayname"), first)
    checks.that("and the room", until(lambda: name_in_room() == first), name_in_room())
    checks.equal("without propagation", change("displayname", second, propagate=False).status, 200)
    checks.equal("the profile has it", alice.ok("GET", path("profile", alice.user)).get("displayname"), second)
    checks.equal("and the room has not", name_in_room(), first)
    server.sql(f"UPDATE users SET shadow_banned = true WHERE name = '{alice.user}'")
    checks.equal("of a shadow-banned user", change("displayname", "Buy now").status, 200)
    checks.equal("no room hears", name_in_room(), first)
    server.sql(f"UPDATE users SET shadow_banned = false WHERE name = '{alice.user}'")
    checks.equal("other fields are set", change("org.example.mood", {"a": [1]}).status, 200)
    checks.equal("and read", alice.ok("GET", path("profile", alice.user)).get("org.example.mood"), {"a": [1]})
    body = {"requester": alice.user, "field_name": "org.example.mood", "by_admin": False}
    checks.equal("profile_delete_field is answered", persister.ask("profile_delete_field", alice.user, body).status, 200)
    checks.that("and the field is gone", "org.example.mood" not in alice.ok("GET", path("profile", alice.user)))
    stranger = change("displayname", "x", requester="@stranger:localhost")
    checks.that("nobody else sets it", stranger.status in (400, 403), stranger)
    checks.equal("but an administrator", change("displayname", "x", requester="@stranger:localhost", by_admin=True).status, 200)
    for wrong in ({"requester": "nobody"}, {"field_name": 5}, {"field_name": ""}):
        answer = persister.ask("profile_set_field", alice.user, {"requester": alice.user, "field_name": "displayname", "new_value": "a", **wrong})
        checks.that(f"{wrong} is refused", 400 <= answer.status < 500, answer)
    checks.equal("a call without the secret is refused", Client(persister.address).post(f"/_synapse/replication/profile_set_field/{alice.user}").status, 401)


def signatures(server, checks, workers, alice, bob):
    """Who signed somebody's keys hears of it on every device, and nobody else does."""
    main, (_, worker) = Replication(server, "homeserver"), next(iter(workers.items()))
    mine, others = alice.at(worker), bob.at(worker)
    since, elsewhere = mine.ok("GET", f"{V3}/sync")["next_batch"], others.ok("GET", f"{V3}/sync")["next_batch"]
    answer = main.ask("notify_user_signature_update", alice.user, {"user_ids": [bob.user]})
    checks.equal("notify_user_signature_update is answered", answer.status, 200)
    told = follow(mine, since, lambda answer: bob.user in answer.get("device_lists", {}).get("changed", []))
    checks.that("the signer is told whose keys", told)
    other = others.ok("GET", f"{V3}/sync?since={elsewhere}")
    checks.that("the other is not", bob.user not in other.get("device_lists", {}).get("changed", []), other)
    wrong = main.ask("notify_user_signature_update", alice.user, {"user_ids": [5]})
    checks.equal("what is no user is refused", wrong.status, 400)


@contextlib.contextmanager
def started(server, binaries, name, text):
    """One more worker of the cluster."""
    config, log = server.folder / f"{name}.yaml", server.folder / "logs" / f"{name}.log"
    config.write_text(text)
    command = [f"{binaries}/generic_worker"]
    for file in (server.folder / "config" / "homeserver.yaml", server.folder / "config" / "extra.yaml", config):
        command += ["--config-path", str(file)]
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=server.folder)
    try:
        yield process, log
    finally:
        process.terminate()
        process.wait(30)


def ports(count):
    return [int(subprocess.run([CLUSTER, "free-port"], capture_output=True, text=True, check=True).stdout) for _ in range(count)]


def status(address, target="/health", **options):
    with contextlib.suppress(OSError):
        return Client(address).get(target, **options).status
    return None


def aliases(server, checks, binaries, alice):
    """Each old kind of worker is a generic one."""
    with contextlib.ExitStack() as stack:
        for alias, port in zip(ALIASES, ports(len(ALIASES))):
            text = f"""worker_app: synapse.app.{alias}
worker_name: {alias}1
worker_listeners:
  - {{type: http, port: {port}, bind_addresses: ['127.0.0.1'], resources: [{{names: [client, health]}}]}}
"""
            process, log = stack.enter_context(started(server, binaries, alias, text))
            address = f"http://127.0.0.1:{port}"
            checks.that(f"synapse.app.{alias} starts", until(lambda: status(address) == 200 or process.poll() is not None) and process.poll() is None, log.read_text()[-500:])
            answer = alice.at(address).get(path("account", "whoami"))
            checks.equal(f"synapse.app.{alias} serves clients", (answer.status, (answer.json or {}).get("user_id")), (200, alice.user))


def listeners(server, checks, binaries):
    """What a listener's entry says is done: address, forwarded address, the request's identifier, its name in the log."""
    first, second = ports(2)
    text = f"""worker_app: synapse.app.generic_worker
worker_name: listening1
worker_listeners:
  - type: http
    port: {first}
    bind_address: 127.0.0.2
    x_forwarded: true
    request_id_header: X-Request-ID
    tag: front
    resources: [{{names: [client, health]}}]
  - {{type: http, port: {second}, bind_addresses: ['127.0.0.1'], resources: [{{names: [health]}}]}}
"""
    with started(server, binaries, "listening", text) as (process, log):
        front, back = f"http://127.0.0.2:{first}", f"http://127.0.0.1:{second}"
        until(lambda: status(front) == 200 and status(back) == 200)
        checks.equal("bind_address alone is listened on", (status(front), status(f"http://127.0.0.1:{first}")), (200, None))
        mark, fields = secrets.token_hex(6), {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "given-7"}
        for address in (front, back):
            Client(address).get(f"/_matrix/client/versions?{mark}", headers=fields)
        lines = until(lambda: found if len(found := [line for line in log.read_text().splitlines() if mark in line]) == 2 else None) or ["", ""]
        checks.that("x_forwarded believes the proxy", "203.0.113.9 - front - " in lines[0], lines[0])
        checks.that("request_id_header names the request", "GET-given-7" in lines[0], lines[0])
        checks.that("without them neither is believed", f"127.0.0.1 - {second} - " in lines[1] and "given-7" not in lines[1], lines[1])
        checks.equal("a resource that is not named is not served", status(back, "/_matrix/client/versions"), 404)


def main():
    folder, binaries = sys.argv[1:3]
    checks = Checks()
    with own_server(folder, binaries, mode="cluster") as server:
        workers = {name: address for name, address in server.processes.items() if name.startswith("generic_worker")}
        alice, bob = server.register(), server.register()
        sending(server, checks, workers["generic_worker1"], alice, bob)
        logins(server, checks, workers["generic_worker1"])
        account_data(checks, workers, alice)
        presence(checks, workers, alice, bob)
        together(checks, workers, alice)
        profiles(server, checks, alice)
        signatures(server, checks, workers, alice, bob)
        aliases(server, checks, Path(binaries).resolve(), alice)
        listeners(server, checks, Path(binaries).resolve())
    checks.end()


if __name__ == "__main__":
    main()
