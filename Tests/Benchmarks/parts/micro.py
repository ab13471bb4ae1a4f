"""The rules of rooms by themselves: what `microbench` measures, without network and database.

Each state resolution has a process of its own, since the memory that one takes is told rightly only there.
"""

import json
import subprocess
import time

from parts import Failure

RATES = [
    ("event/parse-received", "events read: size, numbers, id"),
    ("event/content-hash", "content hashes"),
    ("event/id", "event ids, by reference hash"),
    ("event/verify", "events verified: a signature and the content hash"),
    ("event/sign", "events signed"),
    ("auth/message", "auth checks: a message"),
    ("auth/join", "auth checks: a join"),
    ("auth/ban", "auth checks: a ban"),
    ("auth/power-levels", "auth checks: power levels"),
]
# Room version, state events, conflicted entries in each of two branches; the first of a series is what the others are compared with.
RESOLUTIONS = [
    ("the room grows", [(11, 1_000, 1_000), (11, 10_000, 1_000), (11, 50_000, 1_000), (11, 100_000, 1_000)]),
    ("other algorithms", [(11, 50_000, 1_000), (12, 50_000, 1_000), (1, 50_000, 1_000)]),
    ("the dispute grows", [(11, 50_000, 100), (11, 50_000, 1_000), (11, 50_000, 10_000), (11, 100_000, 100_000)]),
]
# All together stay below this; what does not fit is left out.
SECONDS = 60


def measure(binary, say):
    """Rates of what is done to every event, and time and memory of resolutions."""
    begun = time.monotonic()
    rates = [{"title": title, **(run(binary, name, begun) or {})} for name, title in RATES]
    rates = [row for row in rates if "per_second" in row]
    say("microbench: " + ", ".join(f"{row['title']} {row['per_second']:,.0f}/s" for row in rates))
    known, resolutions = {}, []
    for series, sizes in RESOLUTIONS:
        for version, state, conflicted in sizes:
            name = f"resolution/v{version}/{state}-state/{conflicted}-conflicted"
            if name not in known:
                # The first call tells the memory and warms up, the others are measured.
                samples = 1 if conflicted == 100_000 else 3
                known[name] = run(binary, name, begun, "--samples", samples, "--sample-milliseconds", 1)
                found = known[name] and f"{known[name]['nanoseconds'] / 1e6:,.1f} ms"
                say(f"microbench: {name}: {found or f'does not fit into {SECONDS} s'}")
            if known[name]:
                resolutions.append(
                    {"series": series, "version": version, "state": state, "conflicted": conflicted, **known[name]})
    return {"rates": rates, "resolutions": resolutions}


def run(binary, name, begun, *options):
    """One benchmark in a process of its own; None when there is no time left for it."""
    left = SECONDS - (time.monotonic() - begun)
    words = [binary, "--json", "--only", name, *(options or ("--samples", 5, "--sample-milliseconds", 100))]
    try:
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=max(1, left))
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        raise Failure(f"{name}: {done.stderr.strip()[-500:]}")
    for benchmark in json.loads(done.stdout)["benchmarks"]:
        if benchmark["name"] == name:
            return {key: benchmark[key] for key in ("name", "per_second", "nanoseconds", "spread", "peak_bytes")}
    raise Failure(f"{binary} knows no {name}")


def tables(micro, number):
    """The tables of a result: rates, then resolutions with how many times the first of the series they take."""
    rates = [
        [row["title"], number(row["per_second"]), number(row["nanoseconds"] / 1000), f"{row['spread']:.0%}"]
        for row in micro["rates"]]
    lines, first = [], {}
    for row in micro["resolutions"]:
        base = first.setdefault(row["series"], row)
        memory = row["peak_bytes"]
        lines.append([
            f"{row['series']}: version {row['version']}", f"{row['state']:,}", f"{row['conflicted']:,}",
            number(row["nanoseconds"] / 1e6), number(row["nanoseconds"] / base["nanoseconds"]),
            number(memory / 1e6) if memory else "–",
            number(memory / base["peak_bytes"]) if memory and base["peak_bytes"] else "–"])
    return [
        ("The rules of rooms by themselves, on one thread", ["", "a second", "µs each", "spread"], rates),
        ("State resolution of two branches: time, memory that it takes at most, and how both grow",
         ["", "state events", "conflicted", "ms", "times the first", "MB", "times the first"], lines),
    ]
