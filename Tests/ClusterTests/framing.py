#!/usr/bin/env python3
"""Sends a running cluster HTTP that is malformed, slow, ambiguous or unusual, and checks that it stays polite and alive.

usage: framing.py CLUSTER_FOLDER

Everything is sent twice: through nginx, and to a worker itself, which has to be as strong where another proxy is in front.
"""

import gzip
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

CLUSTER = Path(__file__).resolve().parents[2] / "Deploy" / "cluster" / "cluster"
CONNECTIONS = 200
HOST = b"Host: localhost\r\n"
LOGIN = b"POST /_matrix/client/v3/login HTTP/1.1\r\n" + HOST
VERSIONS = b"GET /_matrix/client/versions HTTP/1.1\r\n" + HOST
WHOAMI = b"GET /_matrix/client/v3/account/whoami HTTP/1.1\r\n" + HOST
CLOSE = b"Connection: close\r\n"

# What is sent, and the statuses that may come back; None stands for a closed connection without an answer.
CASES = {
    "HTTP/1.0": (b"GET /_matrix/client/versions HTTP/1.0\r\n\r\n", {200}),
    "HTTP/0.9": (b"GET /_matrix/client/versions\r\n\r\n", {200, 400, None}),
    "HTTP/3.0": (b"GET /_matrix/client/versions HTTP/3.0\r\n" + HOST + b"\r\n", {400, 505, None}),
    "no host": (b"GET /_matrix/client/versions HTTP/1.1\r\n" + CLOSE + b"\r\n", {200, 400}),
    "no method": (b" / HTTP/1.1\r\n\r\n", {400, None}),
    "unknown method": (b"BREW /_matrix/client/versions HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 405, 501, None}),
    "TRACE": (b"TRACE /_matrix/client/versions HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {404, 405}),
    "CONNECT": (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 404, 405, None}),
    "absolute target": (b"GET http://localhost/_matrix/client/versions HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {200, 400, 404}),
    "asterisk target": (b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {200, 204, 400, 404}),
    "no slash": (b"GET x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 404, None}),
    "dots": (b"GET /_matrix/../../etc/passwd HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 404}),
    "binary": (bytes(range(256)) * 8, {400, None}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), {400, None}),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505, None}),
    "long header": (VERSIONS + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n", {400, 431, None}),
    "many headers": (VERSIONS + CLOSE + b"".join(b"X-%d: x\r\n" % n for n in range(5_000)) + b"\r\n", {200, 400, 431, None}),
    "header without colon": (VERSIONS + CLOSE + b"x\r\n\r\n", {200, 400, None}),
    "NUL in a header": (VERSIONS + CLOSE + b"X: a\0b\r\n\r\n", {200, 400, None}),
    "folded header": (VERSIONS + CLOSE + b"X: a\r\n b\r\n\r\n", {200, 400, None}),
    "bare line feeds": (VERSIONS.replace(b"\r", b"") + b"Connection: close\n\n", {200, 400, None}),
    "two tokens": (WHOAMI + CLOSE + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", {400, 401}),
    "other scheme": (WHOAMI + CLOSE + b"Authorization: Basic YTpi\r\n\r\n", {401}),
    "empty token": (WHOAMI + CLOSE + b"Authorization: Bearer \r\n\r\n", {401}),
    "bytes as a token": (WHOAMI + CLOSE + b"Authorization: Bearer \xff\xfe\r\n\r\n", {400, 401, None}),
    "negative length": (LOGIN + CLOSE + b"Content-Length: -1\r\n\r\n{}", {400, None}),
    "huge length": (LOGIN + CLOSE + b"Content-Length: 99999999999999999999\r\n\r\n{}", {400, 413, None}),
    "length of another type": (LOGIN + CLOSE + b"Content-Length: x\r\n\r\n{}", {400, None}),
    "two lengths": (LOGIN + CLOSE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", {400, None}),
    "length and chunks": (LOGIN + CLOSE + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", {400, None}),
    "no length": (LOGIN + CLOSE + b"\r\n", {400}),
    "length too short": (LOGIN + CLOSE + b"Content-Length: 1\r\n\r\n{}", {400}),
    "chunks": (LOGIN + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nX: y\r\n\r\n", {400}),
    "chunk of no number": (LOGIN + CLOSE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", {400, None}),
    "huge chunk": (LOGIN + CLOSE + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}", {400, 413, None}),
    "unknown encoding": (LOGIN + CLOSE + b"Transfer-Encoding: x\r\n\r\n{}", {400, 501, None}),
    "gzip body": (LOGIN + CLOSE + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(b"{}", mtime=0))
                  + gzip.compress(b"{}", mtime=0), {400, 415}),
    "unknown expectation": (LOGIN + CLOSE + b"Expect: x\r\nContent-Length: 2\r\n\r\n{}", {400, 417}),
    "GET with a body": (VERSIONS + CLOSE + b"Content-Length: 2\r\n\r\n{}", {200}),
}


class Checks:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def that(self, name, condition, detail=""):
        self.passed, self.failed = (self.passed + 1, self.failed) if condition else (self.passed, self.failed + 1)
        if not condition:
            print(f"  FAIL  {name} {str(detail)[:300]}", flush=True)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def read_all(connection, wait=2.0):
    """Reads until the peer closes, or nothing has come for a while."""
    connection.settimeout(wait)
    data = b""
    try:
        while chunk := connection.recv(65_536):
            data += chunk
    except OSError:
        pass
    return data


def read_response(connection):
    """Reads one response with a Content-Length: (status, body, what came behind)."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        if not chunk:
            return None, b"", b""
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(rest) < length:
        rest += connection.recv(65_536)
    return status_of(head), rest[:length], rest[length:]


def status_of(data):
    if not data:
        return None
    if not data.startswith(b"HTTP/1."):
        return 200  # HTTP/0.9 has a body only
    return int(data.split(b" ", 2)[1])


def exchange(port, data):
    with connect(port) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass
        return status_of(read_all(connection))


def cases(port, where, checks):
    for name, (data, allowed) in CASES.items():
        status = exchange(port, data)
        checks.that(f"{where}: {name}", status in allowed, status)


def is_alive(port, where, checks, after):
    checks.that(f"{where}: answers after {after}", exchange(port, VERSIONS + CLOSE + b"\r\n") == 200)


def pipelined(port, where, checks):
    with connect(port) as connection:
        body = b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        connection.sendall((VERSIONS + b"\r\n" + body) * 20 + VERSIONS + CLOSE + b"\r\n")
        data = read_all(connection)
    statuses = [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]
    checks.that(f"{where}: pipelined requests are answered in order", statuses == [200, 400] * 20 + [200], statuses)


def smuggled(port, where, checks):
    """A refused request's body must not be read as the next request."""
    with connect(port) as connection:
        connection.sendall(LOGIN + b"Content-Length: 60\r\n\r\n" + (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + b" " * 60)[:60])
        connection.sendall(VERSIONS + CLOSE + b"\r\n")
        data = read_all(connection)
    statuses = [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]
    checks.that(f"{where}: a body is not taken for a request", statuses == [400, 200], statuses)


def slow(port, where, checks):
    """A body that comes byte by byte is waited for."""
    with connect(port) as connection:
        connection.sendall(LOGIN + b"Content-Length: 10\r\n\r\n")
        for byte in b'{"type":1}':
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
        status, body, _ = read_response(connection)
        checks.that(f"{where}: a slow body is read to its end", status == 400 and b"errcode" in body, (status, body))


def abandoned(port, where, checks):
    """Clients that go in the middle: of the head, of the body, before the answer."""
    for data in (VERSIONS, LOGIN + b"Content-Length: 1000\r\n\r\n{", LOGIN + b"Content-Length: 2\r\n\r\n{}", LOGIN + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"):
        for _ in range(10):
            connection = connect(port)
            connection.sendall(data)
            # Linger of zero: the close is a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
    is_alive(port, where, checks, "resets")


def crowd(port, where, checks):
    """Many connections at once, each stuck in another place, do not keep a good client out."""
    beginnings = [b"", b"GET", VERSIONS, LOGIN + b"Content-Length: 1000\r\n\r\n{", LOGIN + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"]
    beginnings += [data for data, _ in CASES.values()]
    crowd = []
    for number in range(CONNECTIONS):
        connection = connect(port)
        try:
            connection.sendall(beginnings[number % len(beginnings)])
        except OSError:
            pass
        crowd.append(connection)
    is_alive(port, where, checks, f"{CONNECTIONS} stuck connections opened")
    for connection in crowd:
        connection.close()
    is_alive(port, where, checks, f"{CONNECTIONS} stuck connections closed")


def gzip_bomb(port, where, checks):
    """A small body that would unfold into much must not be unfolded."""
    body = gzip.compress(b'{"a":"' + b"x" * (64 << 20) + b'"}', mtime=0)
    status = exchange(port, LOGIN + CLOSE + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    checks.that(f"{where}: gzip bomb", status in (400, 413, 415), status)


def oversized_chunks(port, where, checks):
    """A body of undeclared length is cut off at the limit."""
    with connect(port) as connection:
        try:
            connection.sendall(LOGIN + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(1_000):
                connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        except OSError:
            pass
        status = status_of(read_all(connection))
    checks.that(f"{where}: endless chunks", status in (400, 413, None), status)


def main():
    folder = Path(sys.argv[1]).resolve()
    settings = json.loads((folder / "cluster.json").read_text())
    checks = Checks()

    def processes():
        return subprocess.run([CLUSTER, "--base", folder, "status"], capture_output=True, text=True, check=True).stdout

    before = processes()
    for where, port in (("nginx", settings["port"]), ("worker", settings["ports"]["generic_worker1"])):
        for attack in (cases, pipelined, smuggled, slow, abandoned, crowd, gzip_bomb, oversized_chunks):
            attack(port, where, checks)
        is_alive(port, where, checks, "everything")
    checks.that("no process has ended", before == processes(), processes())
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
