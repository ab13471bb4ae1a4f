#!/usr/bin/env python3
"""Checks a cluster that reaches PostgreSQL and Redis by TLS and serves HTTPS.

usage: secure.py CLUSTER_FOLDER

CLUSTER_FOLDER is the base folder of a cluster started by `Deploy/cluster/cluster --tls`. Two people chat; what was encrypted
is asked of PostgreSQL and Redis, and what must be refused is tried.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from kill import Checks

CHAT = Path(__file__).resolve().parents[1] / "Clients" / "chat.py"


def sessions(settings):
    """Every process's sessions on PostgreSQL, as (encrypted?, TLS version)."""
    query = """SELECT s.ssl, s.version FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
        WHERE a.application_name = 'myelin'"""
    command = ["psql", "-h", settings["postgres_socket"], "-p", str(settings["postgres_port"]), "-d", settings["database"]]
    if os.geteuid() == 0:
        command += ["-U", "postgres"]
    done = subprocess.run([*command, "-Atc", query], capture_output=True, text=True, check=True)
    return [line.split("|") for line in done.stdout.split()]


def subscribers(settings):
    """The addresses from which Redis has subscribers."""
    environment = {**os.environ, "REDISCLI_AUTH": settings["password"]}
    command = ["redis-cli", "-s", settings["redis_socket"], "CLIENT", "LIST", "TYPE", "pubsub"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in done.stdout.splitlines() if line]


def fetched(url, authority):
    """The status of a GET, or the error that ended it."""
    context = ssl.create_default_context(cafile=authority)
    try:
        with urllib.request.urlopen(url, timeout=10, context=context) as response:
            return response.status
    except OSError as error:
        return getattr(error, "reason", error)


def answer_in_the_clear(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        try:
            return connection.recv(100)
        except ConnectionError:
            return b""


def refused_start(folder, settings, **changes):
    """Starts another main process with other settings of the database; answers what it said on its way out."""
    arguments = {
        "user": "postgres", "dbname": settings["database"], "host": "localhost", "port": settings["postgres_port"],
        "password": settings["password"], "sslmode": "verify-full", "sslrootcert": str(folder / "tls" / "ca.pem"), **changes,
    }
    config = folder / "config" / "refused.yaml"
    # JSON is YAML; a later file replaces a whole key.
    config.write_text(json.dumps({"database": {"name": "psycopg2", "args": arguments}, "pid_file": None}))
    command = [settings["binaries"] + "/homeserver", "--config-path", str(folder / "config" / "homeserver.yaml")]
    done = subprocess.run([*command, "--config-path", str(config)], capture_output=True, text=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()[-1]


def main():
    folder = Path(sys.argv[1]).resolve()
    settings = json.loads((folder / "cluster.json").read_text())
    checks, authority = Checks(), str(folder / "tls" / "ca.pem")
    https = f"https://localhost:{settings['https_port']}"
    chat = subprocess.run([sys.executable, CHAT, f"http://127.0.0.1:{settings['port']}"], capture_output=True, text=True)
    checks.that("two people chat", chat.returncode == 0, chat.stdout[-2000:] + chat.stderr[-2000:])
    found = sessions(settings)
    checks.that("every session on PostgreSQL is encrypted", len(found) > 4 and all(row[0] == "t" for row in found), found)
    found = subscribers(settings)
    inside = all(client["laddr"].endswith(f":{settings['redis_port']}") for client in found)
    checks.that("every process follows Redis on its TLS port", len(found) == 4 and inside, found)
    versions = f"{https}/_matrix/client/versions"
    checks.that("HTTPS answers", fetched(versions, authority) == 200)
    unknown = fetched(versions, None)
    checks.that("a client that does not know the authority refuses", isinstance(unknown, ssl.SSLCertVerificationError), unknown)
    address = fetched(versions.replace("localhost", "127.0.0.1"), authority)
    checks.that("so does one that uses another name", isinstance(address, ssl.SSLCertVerificationError), address)
    clear = answer_in_the_clear(settings["https_port"], b"GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\n\r\n")
    checks.that("HTTP in the clear is not answered there", b"200" not in clear, clear)
    status, line = refused_start(folder, settings, sslrootcert=str(folder / "tls" / "missing.pem"))
    checks.that("without the authority's certificate no process starts", status == 1 and "root certificate" in line, line)
    status, line = refused_start(folder, settings, host="127.0.0.1")
    checks.that("nor with a database of another name", status == 1 and "does not match host name" in line, line)
    status, line = refused_start(folder, settings, sslmode="disable")
    checks.that("nor without encryption", status == 1 and "no encryption" in line, line)
    status, line = refused_start(folder, settings, password="wrong")
    checks.that("nor with a wrong password", status == 1 and "password authentication failed" in line, line)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
