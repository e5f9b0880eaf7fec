"""What the figures were measured on: figures without it mean nothing.

Called for the JSON file and the line above each table.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SEEN = 0.05  # a bench that is alone finds some 1 %: the kernel's own work


def describe() -> dict[str, Any]:
    """Processor, memory, kernel and Python of this machine, and the time now (UTC)."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        "shmem_huge_pages": _text("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        # Where a guest gives free memory back to its host, memory that the kernel takes anew may
        # cost ten times as much.
        "free_pages_reported": Path("/sys/module/page_reporting").exists(),
        "send_buffer_limit": _text("/proc/sys/net/core/wmem_max"),
    }


def one_line(machine: dict[str, Any]) -> str:
    """Processor, memory, kernel and load, for a heading."""
    words = "{processor}, {cores} cores, {memory}, Linux {kernel}, load {load_average:.2f}"
    return words.format(**{**machine, "memory": _gibibytes(machine["memory"])})


def busy(machine: dict[str, Any]) -> str:
    """A line where others use this machine, or nothing."""
    if machine["load_average"] <= machine["cores"]:
        return ""
    return "more is waiting for processors than there are: figures will be of the others' work too"


class Others:
    """What is taken of the processors, from here on, by who has nothing to do with the bench: its
    host and other processes. All that this one has started and waited for is its own."""

    def __init__(self) -> None:
        self._begin = _ticks()

    def part(self) -> float:
        """Of the time that all processors had, 0 to 1."""
        there, used, own = (now - then for now, then in zip(_ticks(), self._begin, strict=True))
        return max(0.0, used - own) / there if there else 0.0


def disturbed(part: float) -> str:
    """A line where others took so much of the processors that it is seen, or nothing."""
    if part <= SEEN:
        return ""
    return f"others took {part:.0%} of the processors meanwhile: figures are of their work too"


def _ticks() -> tuple[float, float, float]:
    """What the processors had, what was used of it, what of that by this process and its children,
    since they began."""
    user, nice, system, idle, waiting, *rest = map(int, _text("/proc/stat").split()[1:9])
    used = user + nice + system + sum(rest)
    return used + idle + waiting, used, sum(os.times()[:4]) * os.sysconf("SC_CLK_TCK")


def commit(root: Path) -> str:
    """The version of a checkout, or nothing where there is none."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _gibibytes(memory: str) -> str:
    amount, _, unit = memory.partition(" ")
    return f"{int(amount) / 2**20:.1f} GiB" if unit == "kB" else memory


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return "unknown"


def _field(path: str, name: str) -> str:
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
