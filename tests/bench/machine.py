"""What the figures were measured on: figures without it mean nothing.

Called for the JSON file and the line above each table.
"""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


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
    return "{processor}, {cores} cores, {memory}, Linux {kernel}, load {load_average:.2f}".format(
        **machine
    )


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
