#!/usr/bin/env python3
"""Bounds towards the network and the file system: versions of TLS, open files, permissions, and tokens that must not be logged.

usage: own_limits.py FOLDER BINARIES
"""

import os
import resource
import secrets
import socket
import ssl
import stat
import sys
import tempfile
import time
import warnings
from pathlib import Path

from harness import Checks, own_server, path

FILES = 300
LOGGING = """
version: 1
formatters: {plain: {format: '%(name)s %(message)s'}}
handlers: {file: {class: logging.FileHandler, filename: FILE, formatter: plain}}
root: {level: INFO, handlers: [file]}
"""


def handshake(server, version):
    """Says whether the HTTPS listener speaks exactly this version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(server.folder / "tls" / "ca.pem")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("localhost", server.settings["https_port"]), timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                return connection.version() is not None
        except (ssl.SSLError, ConnectionError):
            return False


def versions(server, checks):
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        checks.that(f"{version.name} is refused", not handshake(server, version))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        checks.that(f"{version.name} is spoken", handshake(server, version))


class Process:
    """The server's process, as the system sees it."""

    def __init__(self, server):
        self.pid = int((server.folder / "pids" / "homeserver.pid").read_text())

    @property
    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def busy(self, seconds):
        """The share of one processor's time that it takes while nothing is asked of it."""
        before, start = self.work, time.monotonic()
        time.sleep(seconds)
        return (self.work - before) / (time.monotonic() - start)

    @property
    def work(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def limit(self, files):
        hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (files, hard))


def answers(server):
    """Asks on a connection of its own; None when there is no answer within five seconds."""
    with socket.create_connection(("127.0.0.1", server.settings["port"]), timeout=5) as connection:
        connection.sendall(b"GET /_matrix/client/versions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return connection.recv(12) == b"HTTP/1.1 200"
        except (TimeoutError, ConnectionError):
            return None


def flood(server, process, checks, name, count):
    """Opens idle connections until no more are accepted, and lets them go."""
    idle = [socket.create_connection(("127.0.0.1", server.settings["port"]), timeout=20) for _ in range(count)]
    try:
        time.sleep(1)
        used = process.files
        checks.that(f"{name}: idle connections are accepted to a bound", used < FILES, used)
        checks.that(f"{name}: the process does not spin", process.busy(3) < 0.5)
        checks.that(f"{name}: and who comes now has to wait", not answers(server))
    finally:
        for connection in idle:
            connection.close()
    deadline = time.monotonic() + 60
    while not (answered := answers(server)) and time.monotonic() < deadline:
        time.sleep(0.2)
    checks.that(f"{name}: it answers again when they have gone", answered)
    return used


def files(server, checks):
    process = Process(server)
    used = process.files
    process.limit(used + 12)
    flood(server, process, checks, "no descriptor left", 60)
    process.limit(FILES)
    most = flood(server, process, checks, "more connections than the process may have", 2 * FILES)
    checks.that("descriptors are left for what is not a client's connection", most <= FILES - 50, most)


def permissions(server, checks, log):
    """The test's umask forbids nothing, so that the server's own choice shows."""
    modes = {name: stat.S_IMODE(os.stat(file).st_mode) for name, file in (
        ("log", log), ("pid", server.folder / "pids" / "homeserver.daemon.pid"))}
    checks.equal("a log file is for the server and its group", oct(modes["log"]), oct(0o640))
    checks.equal("a pid file is written by the server alone", oct(modes["pid"]), oct(0o644))


def tokens(server, checks, log):
    """Every way to write the parameter's name that the server itself understands."""
    user, marks = server.register(), []
    names = ("access_token", "access%5Ftoken", "%61ccess_token", "access%5ftoken", "%61%63%63%65%73%73%5F%74%6F%6B%65%6E")
    for name in names:
        answer = server.anonymous().get(f"{path('account', 'whoami')}?{name}={user.token}")
        checks.equal(f"{name} carries a token", answer.status, 200)
        mark = secrets.token_hex(8)
        marks.append(mark)
        checks.equal(f"{name} is read", server.anonymous().get(f"{path('sync')}?a=b&{name}={mark}&c=d").status, 401)
    done = f"/_matrix/client/v3/done{secrets.token_hex(8)}"
    server.anonymous().get(done)
    deadline = time.monotonic() + 30
    while done not in (text := log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    checks.that("requests are logged", done in text and "a=b" in text)
    for name, mark in zip(names, marks):
        checks.that(f"{name} is not logged", mark not in text)
    checks.that("and no token", user.token not in text)


def main():
    folder, binaries = sys.argv[1:3]
    checks = Checks()
    os.umask(0)
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        log, config = Path(place) / "server.log", Path(place) / "log.yaml"
        config.write_text(LOGGING.replace("FILE", str(log)))
        settings = f"soft_file_limit: {FILES}\nlog_config: {config}\n"
        with own_server(folder, binaries, settings=settings, options=["--tls"]) as server:
            versions(server, checks)
            permissions(server, checks, log)
            tokens(server, checks, log)
            files(server, checks)
    checks.end()


if __name__ == "__main__":
    main()
