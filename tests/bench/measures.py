"""What a run has cost, from /proc (Linux), and what it has brought, as rates and percentiles."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

OfProcess = Callable[[int], float]
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, parent = int(stat.parent.name), int(_fields(stat)[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(number)
    found = [pid]
    for each in found:
        found.extend(parents.get(each, ()))
    return found


def named(name: str) -> int | None:
    """The process of this name below ours."""
    for pid in tree(os.getpid()):
        if (Path("/proc") / str(pid) / "comm").read_text().strip() == name:
            return pid
    return None


def cpu_ms(pid: int) -> float:
    """CPU of a process and all below it until now, those that have ended too, in milliseconds."""
    return sum(_cpu_ms(each) for each in tree(pid))


def memory_mb(pid: int) -> float:
    """Peak resident memory, added up; pages that processes share count in each but PostgreSQL's, see there."""
    return sum(_status_kb(each, "VmHWM") for each in tree(pid)) / 1024


def present_mb(pid: int) -> float:
    """Resident memory of one process now."""
    return _status_kb(pid, "VmRSS") / 1024


def shared_memory_mb(pid: int) -> float:
    """Present memory with shared pages counted once: of PostgreSQL, whose processes share their buffers."""
    total = 0
    for each in tree(pid):
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def middle(values: Sequence[float]) -> float:
    return float(f"{median(values):.4g}")


def spread(values: Sequence[float]) -> float:
    """How far the extremes are apart, as a part of the median."""
    return round((max(values) - min(values)) / median(values), 2) if median(values) else 0.0


def _cpu_ms(pid: int) -> float:
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) * TICK_MS


def _fields(stat: Path) -> list[str]:
    """What follows the name: state, parent, ...; CPU times are fields 11 to 14 of these."""
    return stat.read_text().rpartition(")")[2].split()


def _status_kb(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
