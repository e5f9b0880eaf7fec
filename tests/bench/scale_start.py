"""`bench scale`: from the start of a relay's process until it says READY to its service manager.

Called by scale_suite. No journal to recover; the datagram READY=1 comes on a NOTIFY_SOCKET that is
made here. What of it are the interpreter and the imports is measured beside, in processes of their
own. Compiled modules are written by a first start that is not counted, as an installation does.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .bars import Judged
from .children import RunFailed
from .native import ROOT
from .runs import Load, workspace
from .scale_rows import Result
from .statistic import median_interval

NAME, TITLE = "start", "start of a market_data relay until READY"
MS_BAR = 250
PATIENCE = 30.0
# What `relays run` has loaded when it is ready: said with -X importtime.
IMPORTS = "import relays.cli.run, relays.edge.service, protocol.message as m; m.catalogue()"
RELAYS = Path(sys.executable).parent / "relays"


def run(load: Load, rounds: int, progress: Callable[[str], None]) -> Result:
    """Measures `rounds` starts, each with a new runtime directory."""
    taken: dict[str, list[dict[str, float]]] = {"relay": [], "interpreter": [], "imports": []}
    for turn in range(-1, rounds):
        progress(f"scale: {TITLE}: {turn + 1} of {rounds}")
        made = {"relay": _start(load.pins.server), "interpreter": _interpreter("pass")}
        made["imports"] = _imports()
        if turn >= 0:
            for name, one in made.items():
                taken[name].append(one)
    seconds = {name: [one["seconds"] for one in each] for name, each in taken.items()}
    milliseconds = median_interval([each * 1000 for each in seconds["relay"]])
    return Result(
        NAME, TITLE,
        (Judged("start to READY: ms", "", milliseconds, MS_BAR, False),),
        figures={
            "relay": {"seconds": seconds["relay"]},
            "of it, its processor time": {"seconds": [one["cpu"] for one in taken["relay"]]},
            "of it, the interpreter": {"seconds": seconds["interpreter"]},
            "of it, imports (-X importtime)": {"seconds": seconds["imports"]},
        },
        samples=taken,
    )  # fmt: skip


def _environment(**added: str) -> dict[str, str]:
    """Where Python may write what it compiled: else each start would compile everything."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **added}


def _start(cpus: str) -> dict[str, float]:
    with workspace() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(PATIENCE)
        command = [str(RELAYS), "run", "market_data", "--runtime-dir", str(folder / "run"),
                   "--metrics-port", "off"]  # fmt: skip
        pinned = ["taskset", "-c", cpus, *command] if cpus else command
        begun = time.perf_counter()
        process = subprocess.Popen(
            pinned, env=_environment(NOTIFY_SOCKET=str(folder / "notify")),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            _wait_until_ready(manager, process)
            seconds = time.perf_counter() - begun
            return {"seconds": seconds, "cpu": _cpu_seconds(process.pid)}
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _wait_until_ready(manager: socket.socket, process: subprocess.Popen[str]) -> None:
    try:
        while b"READY=1" not in manager.recv(4096).split(b"\n"):
            pass
    except TimeoutError:
        process.terminate()
        said = process.communicate(timeout=PATIENCE)[1]
        raise RunFailed(f"not READY after {PATIENCE:.0f} s: {said[-500:]}") from None


def _cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _interpreter(code: str, options: Sequence[str] = ()) -> dict[str, Any]:
    command = [sys.executable, *options, "-c", code]
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=True
    )
    return {"seconds": time.perf_counter() - begun, "said": done.stderr}


def _imports() -> dict[str, Any]:
    """The sum of what each module takes by itself, and the slowest ten, in seconds."""
    said = _interpreter(IMPORTS, ("-X", "importtime"))["said"]
    each: dict[str, float] = {}
    for line in said.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if own.strip().isdigit():
            each[rest.partition("|")[2].strip()] = int(own) / 1e6
    return {"seconds": sum(each.values()), "slowest": _most(each)}


def _most(each: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(each.items(), key=lambda one: -one[1])[:10])
