"""What the behaviour tests share: a client of the HTTP API, checks that are counted, and servers with settings of their own.

A script is either called with the folder of a server that runs (`NAME.py CLUSTER_FOLDER`; once with a single process, once with a cluster), or,
when it needs settings of its own, with a folder and the binaries (`own_NAME.py FOLDER BINARIES`).
"""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "Deploy" / "cluster" / "cluster"
UNLIMITED = ROOT / "Tests" / "unlimited.yaml"
PASSWORD = "correct horse battery staple"
V3 = "/_matrix/client/v3"


def path(*parts):
    """Joins path segments, each percent-encoded."""
    return V3 + "".join("/" + quote(part, safe="") for part in parts)


class Checks:
    """Counts what held and what did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, name, condition, detail=""):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"  FAIL  {name} {str(detail)[:600]}", flush=True)
        return bool(condition)

    def equal(self, name, found, wanted):
        return self.that(name, found == wanted, f"found {found!r}, wanted {wanted!r}")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


class Answer:
    """One response: status, body as bytes and, where it is JSON, as a value; headers in lower case."""

    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None

    @property
    def errcode(self):
        return self.json.get("errcode") if isinstance(self.json, dict) else None

    def __getitem__(self, key):
        return self.json[key]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Client:
    """A user of one base address; usable from several threads, each with a connection of its own."""

    def __init__(self, address, token=None, user=None, device=None, password=PASSWORD):
        self.address, self.token, self.user, self.device, self.password = address, token, user, device, password
        self.local = threading.local()
        self.transactions = 0

    def at(self, address):
        """The same session at another process."""
        return Client(address, self.token, self.user, self.device, self.password)

    def call(self, method, target, body=None, token=..., headers=None, timeout=60):
        """Sends one request. A `body` that is not bytes is sent as JSON; the token is the session's unless another (or None) is given."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        everything = {"Content-Type": "application/json", **(headers or {})} if data is not None else dict(headers or {})
        token = self.token if token is ... else token
        if token is not None:
            everything["Authorization"] = f"Bearer {token}"
        if method in ("POST", "PUT") and data is None:
            data = b""
        for attempt in (1, 2):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                host = self.address.split("//", 1)[1].rstrip("/")
                connection = self.local.connection = http.client.HTTPConnection(host, timeout=timeout)
            try:
                connection.request(method, target, data, everything)
                response = connection.getresponse()
                return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
            except (OSError, http.client.HTTPException):
                connection.close()
                self.local.connection = None
                if attempt == 2:
                    raise

    def get(self, target, **options):
        return self.call("GET", target, **options)

    def post(self, target, body=None, **options):
        return self.call("POST", target, {} if body is None else body, **options)

    def put(self, target, body=None, **options):
        return self.call("PUT", target, {} if body is None else body, **options)

    def delete(self, target, body=None, **options):
        return self.call("DELETE", target, body, **options)

    def ok(self, method, target, body=None, **options):
        """Sends one request that has to be answered 200; answers its JSON."""
        answer = self.call(method, target, {} if body is None and method in ("POST", "PUT") else body, **options)
        assert answer.status == 200, f"{method} {target}: {answer}"
        return answer.json

    # What most tests do

    def create_room(self, **options):
        return self.ok("POST", path("createRoom"), options)["room_id"]

    def join(self, room):
        return self.ok("POST", path("join", room))["room_id"]

    def invite(self, room, user):
        self.ok("POST", path("rooms", room, "invite"), {"user_id": user})

    def leave(self, room):
        self.ok("POST", path("rooms", room, "leave"))

    def transaction(self):
        self.transactions += 1
        return f"t{self.transactions}-{secrets.token_hex(3)}"

    def send(self, room, content, kind="m.room.message"):
        return self.ok("PUT", path("rooms", room, "send", kind, self.transaction()), content)["event_id"]

    def say(self, room, text):
        return self.send(room, {"msgtype": "m.text", "body": text})

    def state(self, room, kind, content, key=""):
        return self.ok("PUT", path("rooms", room, "state", kind, key), content)["event_id"]

    def sync(self, since=None, timeout=0, **options):
        query = "".join(f"&{name}={quote(str(value), safe='')}" for name, value in options.items())
        since = f"&since={quote(since, safe='')}" if since else ""
        return self.ok("GET", f"{V3}/sync?timeout={timeout}{since}{query}")

    def sync_until(self, condition, since=None, seconds=15, **options):
        """Syncs on until an answer meets a condition; answers it, or the last one."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.sync(since, timeout=1000, **options)
            if condition(answer) or time.monotonic() > deadline:
                return answer
            since = answer["next_batch"]


class Server:
    """A server that runs, by its folder."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.settings = json.loads((self.folder / "cluster.json").read_text())
        self.address = f"http://127.0.0.1:{self.settings['port']}"
        self.name = self.settings["server_name"]
        self.is_cluster = self.settings["mode"] != "monolith"

    @property
    def processes(self):
        """Addresses of the processes themselves, past the proxy: `{name: address}`."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.settings["ports"].items()}

    @property
    def workers(self):
        """Addresses of the processes that serve clients: the workers of a cluster, or the single process."""
        found = [address for name, address in self.processes.items() if name.startswith("generic_worker")]
        return found or [self.address]

    def anonymous(self):
        return Client(self.address)

    def register(self, name=None, **options):
        """Registers a user and answers its session."""
        name = name or "u" + secrets.token_hex(5)
        body = {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}, **options}
        made = self.anonymous().ok("POST", path("register"), body, token=None)
        return Client(self.address, made["access_token"], made["user_id"], made["device_id"])

    def login(self, user, password=PASSWORD, **options):
        identifier = {"type": "m.id.user", "user": user}
        body = {"type": "m.login.password", "identifier": identifier, "password": password, **options}
        made = self.anonymous().ok("POST", path("login"), body)
        return Client(self.address, made["access_token"], made["user_id"], made["device_id"], password)

    def sql(self, statement):
        """Runs one statement; answers its rows as lists of texts."""
        command = ["psql", "-h", self.settings["postgres_socket"], "-p", str(self.settings["postgres_port"]),
                   "-d", self.settings["database"], "-v", "ON_ERROR_STOP=1", "-AtF", "\x1f", "-c", statement]
        if os.geteuid() == 0:
            command[1:1] = ["-U", "postgres"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [line.split("\x1f") for line in output.splitlines()]

    def control(self, command, *part):
        """One command of `Deploy/cluster/cluster`, such as `kill generic_worker1`."""
        return subprocess.run([CLUSTER, "--base", self.folder, command, *part], capture_output=True, text=True, check=True).stdout

    def log(self, name="homeserver"):
        """What a process has logged so far."""
        return "".join(file.read_text(errors="replace") for file in sorted((self.folder / "logs").glob(f"{name}*")))


@contextlib.contextmanager
def own_server(folder, binaries, mode="monolith", settings="", unlimited=True, options=()):
    """Starts a server with settings (YAML) of its own and stops it afterwards; the folder is emptied first.

    `options` are further ones of Deploy/cluster/cluster, such as `--tls`.
    """
    folder = Path(folder)
    stop = [CLUSTER, "--base", folder, "down"]
    if (folder / "cluster.json").exists():
        subprocess.run(stop, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    extra = folder / "settings.yaml"
    extra.write_text((UNLIMITED.read_text() if unlimited else "") + settings)
    up = [CLUSTER, "--base", folder, "--mode", mode, "--binaries", binaries, "--extra", extra, *options, "up"]
    try:
        subprocess.run(up, check=True, stdout=subprocess.DEVNULL)
        yield Server(folder)
    finally:
        subprocess.run(stop, capture_output=True)


def at_once(count, work):
    """Runs `work(number)` on that many threads at the same moment; answers what they return, in order."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def all_of(*parts):
    """Runs `part(server, checks)` for each on the server of the command line; one that breaks is a failure, and the others are tried nevertheless."""
    server, checks = Server(sys.argv[1]), Checks()
    for part in parts:
        try:
            part(server, checks)
        except Exception as error:  # whatever an answer made the part trip over
            checks.that(f"{part.__name__} goes on to its end", False, repr(error))
    checks.end()
