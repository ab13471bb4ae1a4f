"""Processor time and memory of processes, from /proc."""

import os
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def fields(pid):
    """The fields of /proc/PID/stat behind the command's name; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def family(pid):
    """A process and its descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = fields(name)
            if found:
                parents.setdefault(int(found[1]), []).append(int(name))
    members, todo = [], [pid]
    while todo:
        member = todo.pop()
        members.append(member)
        todo += parents.get(member, [])
    return members


def cpu(pids):
    """Seconds of processor time used by processes and their descendants, also by those that have ended since.

    Of the ended ones a parent's own counters tell, once it has waited for them, in hundredths of a second; of the others
    their clocks, in nanoseconds."""
    seconds = 0
    for pid in pids:
        for member in family(pid):
            try:
                seconds += time.clock_gettime(~member << 3 | 2)  # CPUCLOCK_SCHED of clock_getcpuclockid(3)
            except OSError:
                continue
            found = fields(member)
            if found and member == pid:
                seconds += sum(map(int, found[13:15])) / TICK
    return seconds


def memory(pids, name):
    """Megabytes by a line of /proc/PID/status (VmRSS, VmHWM), summed over processes."""
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(name + ":"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


def forget_peaks(pids):
    """Lets VmHWM begin anew."""
    for pid in pids:
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            pass
