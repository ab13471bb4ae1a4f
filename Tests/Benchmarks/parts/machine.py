"""What a run was made on."""

import os
import platform
import subprocess
import time
from pathlib import Path

from parts import ROOT


def first(command):
    try:
        found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    except OSError:
        return "unknown"
    return (found.stdout or found.stderr).strip().splitlines()[0] if (found.stdout or found.stderr).strip() else ""


def describe():
    processor = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    memory = Path("/proc/meminfo").read_text().split()[1]
    changed = first(["git", "status", "--porcelain", "--untracked-files=no"])
    return {
        "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": first(["git", "rev-parse", "--short=12", "HEAD"]) + (" with changes" if changed else ""),
        "processor": processor, "cores": os.cpu_count(), "memory": f"{int(memory) / 1048576:.0f} GB",
        "kernel": platform.release(), "system": system(), "swift": first(["swift", "--version"]),
        "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def system():
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return platform.system()
