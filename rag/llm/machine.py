"""What this machine offers a language model: processor cores and memory, within the limits of a container."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def physical_cores() -> int:
    """Cores that this process may use; two threads of one core count once, since they share its arithmetic."""
    if sys.platform == "darwin":
        # Threads on the efficient cores would hold up those on the fast ones.
        names = ("hw.perflevel0.physicalcpu", "hw.physicalcpu")
        cores = next((number for name in names if (number := _sysctl(name))), os.cpu_count() or 1)
    elif sys.platform == "linux":
        cores = len({_siblings(cpu) for cpu in os.sched_getaffinity(0)})
    else:
        cores = (os.cpu_count() or 2) // 2
    return max(1, min(cores, _quota() or cores))


def memory_gib() -> float:
    """The memory of this machine or container, in GiB; 0 where the system does not say."""
    try:
        total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return 0.0
    limit = _read(_CGROUP / "memory.max")
    return min(total, float(limit) if limit.isdecimal() else total) / 2**30


def _siblings(cpu: int) -> str:
    return _read(_TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list") or str(cpu)


def _quota() -> int | None:
    """Whole cores that a container may use at most; more threads than that wait for each other."""
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    return max(1, int(quota) // int(period)) if quota.isdecimal() and period.isdecimal() else None


def _sysctl(name: str) -> int | None:
    run = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    said = run.stdout.strip()
    return int(said) if said.isdecimal() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
