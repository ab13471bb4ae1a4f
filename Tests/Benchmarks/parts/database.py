"""The private PostgreSQL that both servers use, and what it counts."""

import argparse
import subprocess

from parts import Failure, processes, script

SETTINGS = """
# Written by Tests/Benchmarks. fsync and synchronous_commit stay on, as they are by default.
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.max = 20000
max_wal_size = '4GB'
checkpoint_timeout = '30min'
"""
COUNTERS = """SELECT coalesce(sum(calls), 0), coalesce(sum(total_exec_time), 0), pg_current_wal_lsn() - '0/0',
  (SELECT wal_sync FROM pg_stat_wal)
  FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '{}';"""
cluster = script("Deploy/cluster/cluster", "cluster")


def driver(base, binaries, mode, server_name="bench.test", workers=None):
    """The cluster driver's own object for a base folder."""
    arguments = argparse.Namespace(
        base=str(base), binaries=str(binaries), mode=mode, server_name=server_name, workers=workers, extra=None,
        tls=False)
    return cluster.Cluster(arguments)


class Postgres(cluster.Postgres):
    """The driver's PostgreSQL with pg_stat_statements."""

    def prepare(self):
        super().prepare()
        with open(f"{self.cluster.settings['postgres_data']}/postgresql.conf", "r+") as file:
            if "pg_stat_statements" not in file.read():
                file.write(SETTINGS)


class Database:
    """Copies of the prepared database, and counters before and after a load."""

    def __init__(self, base, binaries):
        self.driver = driver(base, binaries, "monolith")
        self.server = Postgres(self.driver)
        self.session = None

    def start(self):
        self.driver.configure()
        self.server.start()
        self.session = subprocess.Popen(
            self.server.as_user(
                self.server.binary("psql"), "-AtqX", "-F", "|", "-h", self.socket, "-d", "postgres"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.ask("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def stop(self):
        if self.session:
            self.session.stdin.close()
            self.session.wait(10)
            self.session = None
        self.server.stop()

    @property
    def socket(self):
        return self.driver.settings["postgres_socket"]

    @property
    def user(self):
        return self.server.user

    def ask(self, query):
        """Runs a query and gives its rows as lists of words."""
        self.session.stdin.write(query.rstrip("; \n") + ";\n\\echo --end--\n")
        self.session.stdin.flush()
        rows = []
        for line in self.session.stdout:
            line = line.rstrip("\n")
            if line == "--end--":
                errors = [row for row in rows if row.startswith("ERROR")]
                if errors:
                    raise Failure(f"PostgreSQL: {errors[0]}")
                return [row.split("|") for row in rows]
            rows.append(line)
        raise Failure("psql ended")

    def version(self):
        return self.ask("SHOW server_version")[0][0]

    def settings(self):
        names = ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "checkpoint_timeout"]
        return {name: self.ask(f"SHOW {name}")[0][0] for name in names}

    def exists(self, name):
        return self.ask(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != []

    def create(self, name, template="template0"):
        self.drop(name)
        options = " ENCODING 'UTF8' LOCALE 'C'" if template == "template0" else " STRATEGY FILE_COPY"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template}{options}")
        self.ask("CHECKPOINT")

    def drop(self, name):
        self.ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def rename(self, old, new):
        self.drop(new)
        self.ask(f"ALTER DATABASE {old} RENAME TO {new}")

    def tidy(self, name):
        """Leaves nothing for autovacuum to do in the first minutes of a measurement."""
        self.server.run("psql", "-qX", "-h", self.socket, "-d", name, "-c", "VACUUM (ANALYZE)")

    def forget(self):
        self.ask("SELECT pg_stat_statements_reset()")

    def counters(self, name):
        calls, milliseconds, wal, flushes = self.ask(COUNTERS.format(name))[0]
        return {
            "queries": int(calls), "statement_ms": float(milliseconds), "wal_bytes": int(wal), "flushes": int(flushes),
            "cpu": processes.cpu([self.server.pid]),
        }

    def worst_statements(self, name, count=5):
        """The statements that took the most time since the counters were last forgotten."""
        rows = self.ask(
            "SELECT calls, round(total_exec_time::numeric, 1), translate(left(regexp_replace(query, '\\s+', ' ', 'g'), 110), '|', '/') "
            f"FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '{name}' "
            f"ORDER BY total_exec_time DESC LIMIT {count}")
        return [{"calls": int(row[0]), "ms": float(row[1]), "query": row[2]} for row in rows]
