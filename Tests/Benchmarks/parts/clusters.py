"""Both servers as clusters: nginx, main process, event persister and workers, on a copy of the same database.

Ours is measured with 1, 2 and 4 workers, Synapse with 2. Synapse reads the same configuration files.
"""

import json
import shutil
import time

from parts import database, processes, rows, summary

CLUSTERS = (("ours", 1), ("ours", 2), ("theirs", 2), ("ours", 4))


class Cluster:
    """The cluster driver's parts on the PostgreSQL that is there already. Looks like a server to the generator."""

    def __init__(self, run, name, workers, python=None):
        self.name, self.title = name, f"the cluster of {name}"
        self.databases, self.database = run.databases, "bench_cluster"
        base = run.base / f"cluster-{name}-{workers}"
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
        for server in self.driver.servers if python else []:
            self.replace(server, python)

    def replace(self, server, python):
        """Lets Synapse take the place of one of our processes; it takes the same arguments."""
        app = "homeserver" if server.name == "homeserver" else "generic_worker"
        arguments = server.command()[1:]
        server.command = lambda: [python, "-m", f"synapse.app.{app}", *arguments]

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


def measure(run, python):
    run.result.update(cluster=[], following=[])
    for name, count in CLUSTERS:
        if name == "ours" or python:
            run.attempt(f"cluster of {name}, {count} workers", lambda: turn(run, name, count, python if name == "theirs" else None))


def turn(run, name, count, python):
    cluster = Cluster(run, name, count, python)
    try:
        cluster.start()
        for row in rows.CLUSTER:
            run.attempt(f"cluster of {name}, {count} workers: {row.id}", lambda: one(run, cluster, count, row))
        if count != 2:
            return
        for row in rows.ECHO:
            run.attempt(f"cluster of {name}: {row.id}", lambda: one(
                run, cluster, count, row, ["--base-url", cluster.worker(1), "--second-url", cluster.worker(2)]))
        # Synapse does not get as far as the higher rates.
        for rate in rows.FOLLOW_RATES[:1 if python else None]:
            run.attempt(f"cluster of {name}, following {rate} events/s", lambda: follow(run, cluster, rate))
    finally:
        cluster.stop()


def one(run, cluster, workers, row, words=()):
    report = run.generator.measure(cluster, [
        "--scenario", row.scenario, "--seconds", run.arguments.seconds, "--warm-up", 1, "--tag", f"c{workers}{row.id}",
        *row.options, *words], row.timeout)
    found = summary.side([report], row.figure)
    place = next((entry for entry in run.result["cluster"] if entry["id"] == f"{row.id}-{workers}"), None)
    if place is None:
        place = {"id": f"{row.id}-{workers}", "title": row.title, "workers": workers, "figure": row.figure}
        run.result["cluster"].append(place)
    place[cluster.name] = found
    place["ratio"] = summary.ratio(place.get("ours"), place.get("theirs"), row.figure)
    run.say(f"cluster of {cluster.name}, {workers} workers: {row.id}: {summary.number(found['value'])}"
            f"{summary.unit({'figure': row.figure})}" + (f", errors {report['errors']}" if report["errors"] else ""))
    run.store()


def follow(run, cluster, rate):
    """The share of a core that a worker takes which no client asks, while others write events."""
    report = run.generator.measure(Follower(cluster), [
        "--scenario", "send-many-rooms", "--rate", rate, "--seconds", max(5, run.arguments.seconds), "--warm-up", 2,
        "--tag", f"f{rate}"], 60)
    run.result["following"].append({
        "server": cluster.name, "rate": rate, "reached": report["reached_per_second"], "share": report["server_cpu_share"],
        "errors": report["errors"]})
    run.say(f"a worker of {cluster.name} follows {rate} events/s ({report['reached_per_second']:.0f} reached): "
            f"{report['server_cpu_share']:.2%} of a core")
    time.sleep(1)
