"""Ours as a cluster: nginx, main process, event persister and 1, 2 or 4 workers, on a copy of the same database."""

import json
import shutil
import time

from parts import database, processes, rows, summary

COUNTS = (1, 2, 4)


class Cluster:
    """The cluster driver's parts on the PostgreSQL that is there already. Looks like a server to the generator."""

    title = "Myelin cluster"
    name = "ours"

    def __init__(self, run, workers):
        self.databases, self.database = run.databases, "bench_cluster"
        base = run.base / f"cluster{workers}"
        shutil.rmtree(base, ignore_errors=True)
        self.driver = database.driver(base, run.arguments.binaries, "cluster", workers=workers)
        self.driver.settings.update(database=self.database, postgres_socket=run.databases.socket)
        self.driver.settings_file.write_text(json.dumps(self.driver.settings))
        shutil.copy(run.base / "config" / "unlimited.yaml", base / "config" / "extra.yaml")
        with open(base / "config" / "extra.yaml", "a") as file:
            file.write((run.base / "config" / "common.yaml").read_text())
        (base / "config" / "log.yaml").write_text(
            (run.base / "config" / "log.yaml").read_text().replace("ours.log", "cluster.log"))
        del self.driver.parts["postgres"]

    def start(self):
        self.databases.create(self.database, "bench_data")
        self.driver.configure()
        for part in self.driver.parts.values():
            part.start(wait=part.name in ("redis", "homeserver", "nginx"))
        for server in self.driver.servers:
            server.wait()

    def stop(self):
        for part in reversed(list(self.driver.parts.values())):
            part.stop()
        self.databases.drop(self.database)
        shutil.rmtree(self.driver.base, ignore_errors=True)

    @property
    def address(self):
        return self.driver.address()

    def worker(self, number):
        return f"http://127.0.0.1:{self.driver.settings['ports'][f'generic_worker{number}']}"

    @property
    def pids(self):
        return [pid for part in self.driver.parts.values() if part.pid for pid in processes.family(part.pid)]

    def counters(self):
        servers = [part.pid for part in self.driver.parts.values() if part.pid]
        return {**self.databases.counters(self.database), "server_cpu": processes.cpu(servers)}

    def memory(self, kind="VmRSS"):
        return processes.memory(self.pids, kind)


class Follower(Cluster):
    """The same cluster, seen as the one worker that no client talks to; load goes to the other."""

    def __init__(self, cluster):
        self.__dict__.update(cluster.__dict__)

    @property
    def address(self):
        return self.worker(1)

    @property
    def pids(self):
        return [self.driver.parts["generic_worker2"].pid]

    def counters(self):
        return {**self.databases.counters(self.database), "server_cpu": processes.cpu(self.pids)}


def measure(run, template):
    run.result["cluster"] = []
    for count in COUNTS:
        cluster = Cluster(run, count)
        try:
            cluster.start()
            for row in rows.CLUSTER:
                run.attempt(f"cluster of {count}: {row.id}", lambda: one(run, cluster, count, row))
            if count == 2:
                run.attempt("echo between workers", lambda: one(
                    run, cluster, count, rows.ECHO, ["--base-url", cluster.worker(1), "--second-url", cluster.worker(2)]))
                for rate in rows.FOLLOW_RATES:
                    run.attempt(f"following {rate} events/s", lambda: follow(run, cluster, rate))
        finally:
            cluster.stop()


def one(run, cluster, workers, row, words=()):
    report = run.generator.measure(cluster, [
        "--scenario", row.scenario, "--seconds", run.arguments.seconds, "--warm-up", 1, "--tag", f"c{workers}{row.id}",
        *row.options, *words], row.timeout)
    found = summary.side([report], row.figure)
    run.result["cluster"].append({
        "id": f"{row.id}-{workers}", "title": row.title, "workers": workers, "figure": row.figure, "ours": found})
    run.say(f"cluster of {workers}: {row.id}: {summary.number(found['value'])}{summary.unit({'figure': row.figure})}"
            + (f", errors {report['errors']}" if report["errors"] else ""))


def follow(run, cluster, rate):
    """The share of a core of a worker that only follows what others write, and what it idles at is taken off by the reader."""
    report = run.generator.measure(Follower(cluster), [
        "--scenario", "send-many-rooms", "--rate", rate, "--seconds", max(5, run.arguments.seconds), "--warm-up", 2,
        "--tag", f"f{rate}"], 60)
    run.result.setdefault("following", []).append({
        "rate": rate, "reached": report["perSecond"], "share": report["server_cpu_share"], "errors": report["errors"]})
    run.say(f"following {rate} events/s ({report['perSecond']:.0f} reached): {report['server_cpu_share']:.2%} of a core")
    time.sleep(1)
