"""The servers that are measured, each as one process on its own copy of the same database."""

import http.client
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

from parts import ROOT, Failure, database, processes, script

START_SECONDS = 90
COMMON = """# What both servers read behind the main configuration.
log_config: {base}/config/log.yaml
caches:
  # Equal first syncs would otherwise be answered from memory for two minutes, by both.
  sync_response_cache_duration: 0
"""
LOGGING = """version: 1
formatters:
  plain: {{format: '%(asctime)s - %(name)s - %(levelname)s - %(message)s'}}
handlers:
  file: {{class: logging.FileHandler, formatter: plain, filename: {base}/logs/{name}.log}}
root: {{level: WARNING, handlers: [file]}}
disable_existing_loggers: false
"""
OWN = """# Written by Tests/Benchmarks.
pid_file: {base}/pids/{name}.daemon.pid
listeners:
  - port: {port}
    bind_addresses: ['127.0.0.1']
    type: http
    resources:
      - names: [client, health]
database:
  name: psycopg2
  args:
    user: {user}
    dbname: {database}
    host: {socket}
    cp_min: 5
    cp_max: 10
"""


def answers(port, path="/_matrix/client/versions"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def many_files():
    """Five thousand clients need more descriptors than shells usually allow."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """One process. `databases` and configuration belong to the run; the copy of the database to this turn."""

    def __init__(self, name, title, databases, base, command):
        self.name, self.title, self.databases, self.base = name, title, databases, Path(base)
        self.prefix = command
        self.database = f"bench_{name}"
        self.port = database.cluster.free_port()
        self.process = None

    def configure(self):
        folder = self.base / "config"
        (folder / "log.yaml").unlink(missing_ok=True)
        (folder / "common.yaml").write_text(COMMON.format(base=self.base))
        shutil.copy(ROOT / "Tests" / "unlimited.yaml", folder / "unlimited.yaml")
        (folder / "log.yaml").write_text(LOGGING.format(base=self.base, name=self.name))
        (folder / f"{self.name}.yaml").write_text(OWN.format(
            base=self.base, name=self.name, port=self.port, user=self.databases.user, database=self.database,
            socket=self.databases.socket))
        names = ["homeserver", "unlimited", "common", self.name]
        return [word for name in names for word in ("--config-path", str(folder / f"{name}.yaml"))]

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self):
        return processes.family(self.process.pid)

    def start(self):
        """Starts the process and gives the milliseconds until its first answer."""
        arguments = self.configure()
        with open(self.base / "logs" / f"{self.name}.out", "ab") as log:
            begun = time.monotonic()
            self.process = subprocess.Popen(
                [*self.prefix, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.base,
                preexec_fn=many_files)
        (self.base / "pids" / f"{self.name}.pid").write_text(f"{self.process.pid}\n")
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                tail = (self.base / "logs" / f"{self.name}.out").read_text(errors="replace")[-1500:]
                self.stop()
                raise Failure(f"{self.title} does not start: {tail}")
            time.sleep(0.002)
        return (time.monotonic() - begun) * 1000

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ends the process, if need be by force."""
        if self.runs:
            os.kill(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
        (self.base / "pids" / f"{self.name}.pid").unlink(missing_ok=True)

    def counters(self):
        return {**self.databases.counters(self.database), "server_cpu": processes.cpu([self.process.pid])}

    def memory(self, kind="VmRSS"):
        return processes.memory(self.pids, kind)


def ours(databases, base, binaries):
    binary = Path(binaries) / "homeserver"
    if not binary.exists():
        raise Failure(f"{binary} is not built; `make release` builds it")
    return Server("ours", "Myelin", databases, base, [str(binary)])


def theirs(databases, base):
    """Synapse, in the environment of SYNAPSE_PYTHON or the one that `make test` makes; None where it cannot be installed."""
    python = os.environ.get("SYNAPSE_PYTHON")
    if not python:
        tests = script("Tests/run", "tests_run")
        python = str(tests.Suites(None, tests.Results()).python("synapse"))
    if version(python) is None:
        return None
    return Server("theirs", f"Synapse {version(python)}", databases, base, [python, "-m", "synapse.app.homeserver"])


def version(python):
    code = "from importlib.metadata import version; import synapse, psycopg2; print(version('matrix-synapse'))"
    try:
        found = subprocess.run([python, "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None
