"""What the same PostgreSQL does with as many commits and rows as sends need, without a server in front of it.

A message into a room of 40 members whom it concerns is at least one transaction with a row each in events and event_json and
39 rows in event_push_actions, with the tables' indexes. pgbench runs just that, on a copy of the schema.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from parts import Failure

NAME = "bench_physical"
# A message a transaction; or 16 messages a transaction, as a server commits that collects what waits.
SCRIPT = """\\set room random(1, 16)
BEGIN;
INSERT INTO events (topological_ordering, event_id, type, room_id, processed, outlier, depth, origin_server_ts, received_ts,
  sender, contains_url, instance_name, stream_ordering)
  SELECT n, '$' || md5(n::text) || 'abcdefghijk', 'm.room.message', '!room' || :room || '.bench.test', true, false, n, n, n,
  '@user.bench.test', false, 'master', n FROM (SELECT nextval('events_stream_seq') n FROM generate_series(1, {batch})) s;
INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)
  SELECT '$' || md5(n::text) || 'abcdefghijk', '!room' || :room || '.bench.test', '{{}}', repeat('x', 700), 3
  FROM (SELECT nextval('bench_second') n FROM generate_series(1, {batch})) s;
INSERT INTO event_push_actions (room_id, event_id, user_id, profile_tag, actions, topological_ordering, stream_ordering, notif,
  highlight, unread, thread_id)
  SELECT '!room' || :room || '.bench.test', '$' || md5(n::text) || 'abcdefghijk', '@user-' || u || '.bench.test', '', '', n, n,
  1, 0, 1, 'main' FROM (SELECT nextval('bench_third') n FROM generate_series(1, {batch})) s, generate_series(1, 39) u;
COMMIT;
"""


def measure(databases, base, say, seconds=4):
    """Rows of figures: clients, messages a transaction, messages a second."""
    results = []
    databases.create(NAME, "bench_data")
    try:
        run(databases, "psql", "-qX", "-d", NAME, "-c",
            "TRUNCATE events, event_json, event_push_actions CASCADE; CREATE SEQUENCE bench_second; CREATE SEQUENCE bench_third; "
            "SELECT setval('events_stream_seq', 1, false)")
        for batch, clients in ((1, 1), (1, 16), (16, 1), (16, 4)):
            with tempfile.TemporaryDirectory() as folder:
                Path(folder).chmod(0o755)
                path = Path(folder) / "send.sql"
                path.write_text(SCRIPT.format(batch=batch))
                before = databases.counters(NAME)
                output = run(
                    databases, "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", 1, "-T", seconds, "-f", path, NAME)
                after = databases.counters(NAME)
            rate = float(re.search(r"tps = ([\d.]+) \(without", output).group(1))
            count = int(re.search(r"actually processed: (\d+)", output).group(1)) * batch
            results.append({
                "batch": batch, "clients": clients, "messages_per_second": rate * batch, "commits_per_second": rate,
                "postgres_cpu_ms": (after["cpu"] - before["cpu"]) * 1000 / max(1, count),
                "wal_bytes": (after["wal_bytes"] - before["wal_bytes"]) / max(1, count),
            })
            say(f"pgbench: {clients} clients, {batch} messages a commit: {rate * batch:,.0f} messages/s")
    finally:
        databases.drop(NAME)
    return results


def run(databases, program, *arguments):
    command = databases.server.as_user(
        databases.server.binary(program), "-h", databases.socket, *map(str, arguments))
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        raise Failure(f"{program}: {done.stderr.strip()[-500:]}")
    return done.stdout
