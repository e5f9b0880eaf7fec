"""The service manager that started this relay, if one did: what it hands over and what it is told.

Called by `relays.edge.service`. Plain sd_notify(3) and sd_listen_fds(3): one datagram, some
descriptors and four variables, so that any manager that speaks them will do and no library is
needed. Nothing here knows what a relay is; journal fields are in `relays.edge.logs`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import MutableMapping
from pathlib import Path

from relays.errors import ConfigError

FIRST_HANDED = 3
READY_PATIENCE = 5.0
ASKING = 2.0


class Manager:
    """What a service manager gave this process; of no effect where there is none.

    Takes its variables out of `environ`, so that no child mistakes them for its own. `handed` are
    the descriptors by name that nobody has taken yet. relays.md 1, 9.

    >>> Manager({}).tell(STATUS="nobody listens")
    False
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.watched = _watched(environ)
        self.handed = _handed(environ)

    def tell(self, patience: float = 0.0, **fields: object) -> bool:
        """Tell the manager these fields (READY=1, STATUS=...); whether it was told.

        Never waits longer than `patience` seconds and never fails: a relay does not stop because
        its manager does not listen.
        """
        if self._socket is None:
            return False
        lines = (f"{key}={' '.join(str(value).split())}" for key, value in fields.items())
        self._socket.settimeout(patience)
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), self._address)
            return True
        return False

    @property
    def keeps(self) -> str:
        """The address at which it takes copies of descriptors; empty where nobody does."""
        return self._address

    async def restarts(self) -> bool:
        """Whether this process is told to end because another follows at once: the manager's job
        for its unit is a restart. False where nobody can say."""
        unit = _unit() if self._address else ""
        if not unit:
            return False
        command = ("systemctl", "list-jobs", "--no-legend", "--plain", "--no-pager", unit)
        with contextlib.suppress(OSError, TimeoutError):
            asked = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
            said, _ = await asyncio.wait_for(asked.communicate(), ASKING)
            return "restart" in said.decode(errors="replace").split()
        return False

    def listening(self, path: str) -> socket.socket | None:
        """The socket that already listens at `path`, if it was handed over; it is not ours to
        unlink. ConfigError where one was handed over that listens somewhere else."""
        for name, fds in self.handed.items():
            for fd in fds:
                if not _listens(fd):
                    continue
                fds.remove(fd)
                found = socket.socket(fileno=fd)
                if not _same(found.getsockname(), path):
                    where = found.getsockname()
                    found.close()
                    raise ConfigError(
                        f"the service manager handed over a socket ({name}) at {where!r}, and this "
                        f"relay's is {path}: set runtime_dir to match, or change the socket unit"
                    )
                found.setblocking(False)
                return found
        return None


def _unit() -> str:
    """The unit that this process is the main one of, by its control group."""
    with contextlib.suppress(OSError):
        path = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2]
        name = path.rpartition("/")[2]
        return name if name.endswith(".service") else ""
    return ""


def _watched(environ: MutableMapping[str, str]) -> bool:
    """Whether the manager expects WATCHDOG=1 of this process."""
    every, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    return bool(every) and pid in ("", str(os.getpid()))


def _handed(environ: MutableMapping[str, str]) -> dict[str, list[int]]:
    """The descriptors that were handed to this process, by their names, in their order."""
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "")
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    fds = range(FIRST_HANDED, FIRST_HANDED + int(count))
    called = names.split(":") if names else ["unknown"] * len(fds)
    found: dict[str, list[int]] = {}
    for name, fd in zip(called, fds, strict=False):
        os.set_inheritable(fd, False)
        found.setdefault(name, []).append(fd)
    return found


def _listens(fd: int) -> bool:
    """Whether it is a stream socket of the Unix family on which somebody listens."""
    with socket.socket(fileno=os.dup(fd)) as found:
        if (found.family, found.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
            return False
        return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _same(one: object, other: str) -> bool:
    return isinstance(one, str) and os.path.realpath(one) == os.path.realpath(other)
