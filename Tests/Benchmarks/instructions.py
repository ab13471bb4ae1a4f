#!/usr/bin/env python3
"""Counts the instructions of the deterministic micro benchmarks under valgrind's callgrind and compares them with the committed numbers.

usage: instructions.py BINARY THRESHOLDS [--write] [--only PREFIX]

A benchmark that takes over 5 % more than the committed number fails, as does one that is not in the file. --write rewrites the file with
what was counted. The counts are of this compiler and this processor's instruction set; after a change of either, write them anew.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ALLOWED = 0.05
TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def names(binary):
    lines = subprocess.run([binary, "--list"], check=True, capture_output=True, text=True).stdout.splitlines()
    pairs = [line.split("\t") for line in lines]
    return {name: int(calls) for name, calls in pairs if int(calls) > 0}


def without_debug_information(binary, folder):
    """A copy that valgrind can read: its reader stumbles over the newer DWARF forms. Symbols stay."""
    copy = Path(folder) / Path(binary).name
    subprocess.run(["strip", "--strip-debug", "-o", copy, binary], check=True)
    return copy


def count(binary, name):
    """Instructions of all counted calls: only what runs inside `countedRegion`, by the pattern of its mangled name."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = [
            "valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*countedRegion*",
            f"--callgrind-out-file={out}", "-q", binary, "--count", name,
        ]
        environment = {**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1", "SWIFT_BACKTRACE": "enable=no"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
        totals = [int(value) for path in out.parent.glob("callgrind.out*") for value in TOTAL.findall(path.read_text())]
        if not totals or max(totals) == 0:
            raise RuntimeError(f"{name}: nothing was counted")
        return max(totals)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("binary")
    parser.add_argument("thresholds", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    chosen = {name: calls for name, calls in names(arguments.binary).items() if name.startswith(arguments.only)}
    committed = json.loads(arguments.thresholds.read_text()) if arguments.thresholds.exists() else {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool, tempfile.TemporaryDirectory() as folder:
        binary = without_debug_information(arguments.binary, folder)
        totals = pool.map(lambda name: count(binary, name), chosen)
        counted = {name: total // calls for (name, calls), total in zip(chosen.items(), totals)}
    passed, failed = 0, 0
    for name, instructions in counted.items():
        before = committed.get(name)
        change = None if before is None else instructions / before - 1
        good = arguments.write or (change is not None and change <= ALLOWED)
        passed, failed = (passed + 1, failed) if good else (passed, failed + 1)
        told = "not in the file" if change is None else f"{change:+.1%}"
        print(f"{'ok  ' if good else 'FAIL'} {name:44} {instructions:14,} instructions a call  {told}")
    if arguments.write:
        kept = {name: value for name, value in committed.items() if arguments.only and name not in counted}
        arguments.thresholds.write_text(json.dumps({**kept, **counted}, indent=2, sort_keys=True) + "\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
