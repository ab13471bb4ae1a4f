#!/usr/bin/env python3
"""Settings that are not followed: refused where their absence opens something, named once at the start otherwise.

usage: own_settings.py FOLDER BINARIES
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from harness import Checks, Client, own_server

NAMED = {
    "pusher_instances": "[]", "start_pushers": "true", "federation_sender_instances": "[]", "send_federation": "false",
    "notify_appservices_from_worker": "null_worker",
    "task_scheduler": "{max_concurrent_tasks: 3}", "user_agent_suffix": "a",
    "worker_main_http_uri": "http://localhost:1",
}
NESTED = {"push": ("include_content", "false"), "experimental_features": ("msc3890_enabled", "true")}
SILENT = {"event_cache_size": "20K", "enable_metrics": "true", "print_pidfile": "true"}
SHUT = {
    "hs_disabled": "true", "modules": "[{module: a.b, config: {}}]", "matrix_authentication_service": "{enabled: true, secret: a}",
    "retention": "{enabled: true}", "app_service_config_files": "[a.yaml]", "limit_usage_by_mau": "true",
}


def named(log):
    """The lines about each setting that has no effect: `{name: count}`."""
    found = {}
    for name in re.findall(r": ([a-z_0-9.]+): this setting of Synapse is not supported and has no effect", log):
        found[name] = found.get(name, 0) + 1
    return found


def lines(checks, server):
    log = server.log()
    found = named(log)
    for name in [*NAMED, *(f"{section}.{key}" for section, (key, _) in NESTED.items())]:
        checks.equal(f"{name} is named once", found.get(name), 1)
    for name in SILENT:
        checks.that(f"{name} is not named", name not in found)
    checks.that("and none is called unknown", "unknown setting" not in log, [line for line in log.splitlines() if "unknown setting" in line])


def refusals(checks, server, binaries):
    """Asks the main process and a worker, whose configurations are complete but for one setting."""
    config = server.folder / "config"
    worker = server.folder / "worker.yaml"
    worker.write_text(
        "worker_app: synapse.app.generic_worker\nworker_name: w\nredis: {enabled: true, port: 1}\n"
        "instance_map: {main: {host: localhost, port: 1}}\n")
    more = server.folder / "more.yaml"
    for binary, files in (("homeserver", []), ("generic_worker", [worker])):
        for name, value in SHUT.items():
            more.write_text(f"{name}: {value}\n")
            command = [f"{binaries}/{binary}"]
            for file in (config / "homeserver.yaml", *files, more):
                command += ["--config-path", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            said = done.stderr.strip().splitlines()
            checks.that(f"{binary} does not start with {name}", done.returncode == 1 and len(said) == 1, done)
            checks.that(f"{binary} says why", said and name in said[0] and "--accept-unsupported" in said[0], said)


def acceptance(checks, server, binaries):
    """The same settings and the word of the administrator."""
    server.control("stop", "homeserver")
    more, log = server.folder / "more.yaml", server.folder / "accepted.log"
    more.write_text("".join(f"{name}: {value}\n" for name, value in SHUT.items()))
    command = [f"{binaries}/homeserver", "--accept-unsupported"]
    for file in (server.folder / "config" / "homeserver.yaml", server.folder / "config" / "extra.yaml", more):
        command += ["--config-path", str(file)]
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=server.folder)
    try:
        status, deadline = None, time.monotonic() + 60
        while status != 200 and process.poll() is None and time.monotonic() < deadline:
            try:
                status = Client(server.address).get("/_matrix/client/versions").status
            except OSError:
                time.sleep(0.2)
        checks.equal("it starts when they are accepted", status, 200)
    finally:
        process.terminate()
        process.wait(30)
    found = named(log.read_text(errors="replace"))
    for name in SHUT:
        checks.equal(f"{name} is named then", found.get(name), 1)
    checks.that("the pid file is told of", str(server.folder / "pids" / "homeserver.daemon.pid") in log.read_text(errors="replace"))


def main():
    folder, binaries = sys.argv[1:3]
    checks = Checks()
    settings = "".join(f"{name}: {value}\n" for name, value in {**NAMED, **SILENT}.items())
    settings += "".join(f"{section}: {{{key}: {value}}}\n" for section, (key, value) in NESTED.items())
    with own_server(folder, binaries, settings=settings) as server:
        lines(checks, server)
        refusals(checks, server, Path(binaries).resolve())
        acceptance(checks, server, Path(binaries).resolve())
    checks.end()


if __name__ == "__main__":
    main()
