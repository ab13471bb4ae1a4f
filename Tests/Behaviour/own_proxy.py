#!/usr/bin/env python3
"""Reverse proxies as `homeserver nginx` and `homeserver haproxy` configure them: what they answer by themselves, and whom they choose.

usage: own_proxy.py FOLDER BINARIES
"""

import base64
import contextlib
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness import CLUSTER, Checks, Client, own_server, path

FRAME = """
global
  log stdout format raw local0
defaults
  log global
"""
LIMIT = 200_000
WORKERS = {"generic_worker1", "generic_worker2"}


class Nginx:
    """The proxy of the cluster itself."""

    name = "nginx"
    line = re.compile(r'"(?P<method>\S+) (?P<path>\S+)" (?P<status>\d+) \d+ \S+ (?P<process>\S+) user=(?P<user>\S*)')

    def __init__(self, server):
        self.address = server.address
        self.log = server.folder / "logs" / "nginx-access.log"
        self.names = {address.split("//")[1]: name for name, address in server.processes.items()}

    def served(self, mark):
        """Which processes answered the requests whose path contains a mark, by the log."""
        found = (self.line.search(line) for line in self.log.read_text(errors="replace").splitlines())
        return [self.names.get(hit["process"].split(",")[-1].strip(), hit["process"]) for hit in found if hit and mark in hit["path"]]


class HAProxy(Nginx):
    name = "haproxy"
    line = re.compile(r'"(?P<method>\S+) (?P<path>\S+)" (?P<status>\d+) \d+ \S+ \S+/(?P<process>\S+)')

    def __init__(self, server, address):
        super().__init__(server)
        self.address = address
        self.log = server.folder / "logs" / "haproxy.log"
        self.names = {}


@contextlib.contextmanager
def haproxy(server, binaries):
    """HAProxy before the same cluster."""
    binary = shutil.which("haproxy") or "/usr/sbin/haproxy"
    port = int(subprocess.run([CLUSTER, "free-port"], capture_output=True, text=True, check=True).stdout)
    config = server.folder / "config"
    arguments = ["haproxy", "--config-path", config / "homeserver.yaml", "--config-path", config / "extra.yaml"]
    for worker in sorted((config / "workers").glob("*.yaml")):
        arguments += ["--worker-config", worker]
    command = [f"{binaries}/homeserver", *map(str, arguments), "--bind", f"127.0.0.1:{port}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    frame, routes = server.folder / "haproxy-frame.cfg", server.folder / "haproxy.cfg"
    frame.write_text(FRAME)
    routes.write_text(text)
    with open(server.folder / "logs" / "haproxy.log", "w") as log:
        process = subprocess.Popen([binary, "-db", "-f", frame, "-f", routes], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield HAProxy(server, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def raw(proxy, request):
    """Sends bytes; answers the status, the header fields in lower case and the body."""
    host, port = proxy.address.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode(errors="replace").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]) if " " in lines[0] else 0, fields, body


def readable(checks, name, answer, statuses, codes):
    """Whether a client in a browser can read an answer as a Matrix error."""
    status, fields, body = answer
    checks.that(f"{name}: status", status in statuses, answer)
    try:
        error = json.loads(body)
    except ValueError:
        error = {}
    checks.that(f"{name}: a Matrix error", error.get("errcode") in codes and error.get("error"), answer)
    checks.that(f"{name}: said to be JSON", fields.get("content-type", "").startswith("application/json"), fields)
    checks.equal(f"{name}: readable from everywhere", fields.get("access-control-allow-origin"), "*")
    checks.that(f"{name}: with its headers", "Authorization" in fields.get("access-control-allow-headers", ""), fields)


def errors(proxy, checks):
    def get(target):
        return raw(proxy, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    start = b"/_matrix/client/v3/rooms/"
    for name, target in (("%zz", start + b"%zz/state"), ("%00", start + b"%00/state"), ("a long path", start + b"a" * 20_000 + b"/state")):
        answer = get(target)
        # What a proxy lets pass is answered by the server, in the same form.
        readable(checks, f"{proxy.name}: {name}", answer, {400, 401, 404, 414}, {"M_INVALID_PARAM", "M_TOO_LARGE", "M_MISSING_TOKEN", "M_UNRECOGNIZED"})
    body = f"PUT /_matrix/client/v3/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode()
    readable(checks, f"{proxy.name}: a large body", raw(proxy, body + b"a" * 1000), {413}, {"M_TOO_LARGE"})
    if proxy.name == "nginx":  # HAProxy has one answer to what is no HTTP, which cannot be changed.
        no_http = b"G\x01T / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        readable(checks, f"{proxy.name}: no HTTP", raw(proxy, no_http), {400}, {"M_INVALID_PARAM"})
    for target in (b"/_synapse/replication/get_repl_stream_updates/events/a", b"/_synapse/metrics"):
        readable(checks, f"{proxy.name}: {target.decode()}", get(target), {404}, {"M_UNRECOGNIZED"})


def absent(proxy, checks):
    """No process answers: the browser's question passes, so that the error can be read."""
    target = b"/_matrix/client/versions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    readable(checks, f"{proxy.name}: no process", raw(proxy, b"GET " + target + b"\r\n"), {502, 503, 504}, {"M_UNKNOWN"})
    asked = b"OPTIONS " + target + b"Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\r\n"
    status, fields, body = raw(proxy, asked)
    checks.that(f"{proxy.name}: browsers may ask nevertheless", status in (200, 204) and not body, (status, body))
    checks.that(f"{proxy.name}: and may send a token", "Authorization" in fields.get("access-control-allow-headers", ""), fields)
    checks.that(f"{proxy.name}: and change", "PUT" in fields.get("access-control-allow-methods", ""), fields)


def settle(proxy):
    """Waits until the proxy uses both workers: it was there before them, and leaves alone for a moment what did not answer."""
    deadline = time.monotonic() + 30
    while set(proxy.served("/client/versions")[-4:]) != WORKERS and time.monotonic() < deadline:
        Client(proxy.address).get("/_matrix/client/versions")
        time.sleep(0.05)


def logged(proxy, mark, count):
    deadline = time.monotonic() + 20
    while len(found := proxy.served(mark)) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def routing(server, proxy, checks):
    """Who serves what is in the proxy's log."""
    alice, bob = server.register(), server.register()
    rooms = [alice.create_room(preset="public_chat") for _ in range(12)]
    by_room, by_user = [], []
    for number, room in enumerate(rooms):
        for _ in range(3):
            mark = f"r{number}x{secrets.token_hex(6)}"
            target = path("rooms", room, "send", "m.room.message", mark)
            client = Client(proxy.address, alice.token)
            checks.that(f"{proxy.name}: a message is sent", client.put(target, {"msgtype": "m.text", "body": "a"}).status == 200)
            by_room.append((room, mark))
    served = {}
    for room, mark in by_room:
        served.setdefault(room, set()).update(logged(proxy, mark, 1))
    checks.that(f"{proxy.name}: sends into one room go to one worker", all(len(found) == 1 for found in served.values()), served)
    checks.equal(f"{proxy.name}: and rooms are spread over them", set().union(*served.values()), WORKERS)
    # A user's syncs, however the token comes.
    for token in (alice.token, bob.token, *(f"syt_{base64.b64encode(secrets.token_bytes(6)).decode().rstrip('=')}_x" for _ in range(12))):
        marks = [f"/sync{secrets.token_hex(8)}", "/_matrix/client/v3/sync"]
        before = len(proxy.served("/v3/sync"))
        anonymous = Client(proxy.address)
        anonymous.get("/_matrix/client/v3/sync?timeout=0", token=token)
        anonymous.get(f"/_matrix/client/v3/sync?timeout=0&access_token={token}")
        anonymous.get(f"/_matrix/client/r0/sync?access_token={token}&timeout=0")
        both = logged(proxy, "/v3/sync", before + 2)[before:]
        by_user.append(both)
    checks.that(f"{proxy.name}: a user's syncs go to one worker, the token in the query or in a header",
                all(len(both) == 2 and len(set(both)) == 1 for both in by_user), by_user)
    checks.equal(f"{proxy.name}: and users are spread over them", {name for both in by_user for name in both}, WORKERS)
    # The writer of a stream, and the main process.
    mark = secrets.token_hex(8)
    client = Client(proxy.address, alice.token)
    client.put(path("rooms", rooms[0], "typing", alice.user) + f"?{mark}", {"typing": False})
    client.put(path("user", alice.user, "account_data", f"m.{mark}"), {})
    checks.equal(f"{proxy.name}: account data goes to its writer", logged(proxy, mark, 1)[-1:], ["generic_worker2"])
    client.put(path("presence", alice.user, "status") + f"?{mark}", {"presence": "online"})
    checks.equal(f"{proxy.name}: presence goes to its writer", set(logged(proxy, "/presence/", 1)), {"generic_worker1"})
    checks.equal(f"{proxy.name}: logout is the main process'", client.post(path("logout")).status, 200)
    checks.equal(f"{proxy.name}: and served by it", set(logged(proxy, "/logout", 1)), {"homeserver" if proxy.name == "nginx" else "master"})
    text = proxy.log.read_text(errors="replace")
    leaks = [token for token in (alice.token, bob.token) if token in text]
    checks.that(f"{proxy.name}: no token is logged", not leaks and "access_token=" not in text, text[-500:])


def main():
    folder, binaries = sys.argv[1:3]
    checks = Checks()
    with own_server(folder, binaries, mode="cluster", settings=f"max_upload_size: {LIMIT}\n") as server:
        with haproxy(server, Path(binaries).resolve()) as second:
            proxies = [Nginx(server), second]
            for proxy in proxies:
                settle(proxy)
                errors(proxy, checks)
                routing(server, proxy, checks)
            for name in ("homeserver", "generic_worker1", "generic_worker2"):
                server.control("stop", name)
            for proxy in proxies:
                absent(proxy, checks)
    checks.end()


if __name__ == "__main__":
    main()
