"""Processor cores and memory of this machine, within the limits of a container."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def physical_cores() -> int:
    """Return the number of physical cores that this process may use.

    Two hardware threads of a core share its arithmetic units, so they count once.
    """
    if sys.platform == "darwin":
        # Threads on the slow efficiency cores would delay those on the performance cores.
        names = ("hw.perflevel0.physicalcpu", "hw.physicalcpu")
        cores = next((number for name in names if (number := _sysctl(name))), os.cpu_count() or 1)
    elif sys.platform == "linux":
        cores = len({_siblings(cpu) for cpu in os.sched_getaffinity(0)})
    else:
        cores = (os.cpu_count() or 2) // 2
    return max(1, min(cores, _quota() or cores))


def memory_gib() -> float:
    """Return the memory of this machine or container in GiB; 0 if the system does not report it."""
    try:
        total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return 0.0
    limit = _read(_CGROUP / "memory.max")
    return min(total, float(limit) if limit.isdecimal() else total) / 2**30


def _siblings(cpu: int) -> str:
    return _read(_TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list") or str(cpu)


def _quota() -> int | None:
    """Return the maximum number of full cores of a container, or None without a limit.

    More threads than that would wait for each other.
    """
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    return max(1, int(quota) // int(period)) if quota.isdecimal() and period.isdecimal() else None


def _sysctl(name: str) -> int | None:
    run = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    output = run.stdout.strip()
    return int(output) if output.isdecimal() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
