"""The daemon's side of the metrics process: its port, its start, its restart, its end.

Used by `relays.edge.service`. It holds the listening socket, so that the port stays the relay's
while the process is replaced. Nothing here may import prometheus_client or wait for the child.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time

from relays.errors import RelayError

BIND_PATIENCE = 2.0
BIND_AGAIN = 0.05
BACKLOG = 64
LONGEST_WAIT = 30.0
SETTLED = 60.0
GOODBYE = 1.0


class MetricsChild:
    """The process that serves a relay's metrics; times are seconds of the monotonic clock.

    Raises RelayError (69) when the port is taken, after 2 s: a predecessor's process may be about
    to end. Port 0 is any free one. relays.md 7.

    >>> child = MetricsChild("signals", "/tmp/alphapulse", "127.0.0.1", 0)  # doctest: +SKIP
    """

    def __init__(self, domain: str, runtime_dir: str, host: str, port: int) -> None:
        self.domain, self.runtime_dir = domain, runtime_dir
        self._listening = bind(host, port)
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._due: float | None = None
        self._wait = 0.0

    @property
    def port(self) -> int:
        """The TCP port, known also where any was asked for."""
        return int(self._listening.getsockname()[1])

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the process; where that fails, `check` says so and tries again."""
        self._spawn(time.monotonic())

    def check(self, now: float) -> str:
        """Start the process again if it ended; gives what to log, mostly nothing.

        At once the first time, then 1, 2, 4 ... 30 s after it ended, until one has lived 60 s.
        """
        if self._child is not None:
            how = self._ended()
            return self._lost(how, now) if how else ""
        if self._due is None or now < self._due:
            return ""
        failed = self._spawn(now)
        return failed or f"pid {self.pid} serves port {self.port} again"

    def _ended(self) -> str:
        assert self._child is not None
        code = self._child.poll()
        if code is None:
            return ""
        how = f"exit {code}" if code >= 0 else signal.Signals(-code).name
        return f"pid {self._child.pid} ended ({how})"

    def _lost(self, how: str, now: float) -> str:
        self._release()
        if now - self._began >= SETTLED:
            self._wait = 0.0
        if self._wait:
            return f"{how}, {self._later(now)}"
        self._wait = 1.0
        return f"{how}, {self._spawn(now) or f'pid {self.pid} serves in its place'}"

    def _later(self, now: float) -> str:
        wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT)
        self._due = now + wait
        return f"the next starts in {wait:g} s"

    def _spawn(self, now: float) -> str:
        """Start one; gives what went wrong, if anything did."""
        fd = self._listening.fileno()
        # -P: what lies in the daemon's working directory is not imported.
        command = [sys.executable, "-P", "-m", "relays.edge.metrics", self.domain]
        command += [self.runtime_dir, "--fd", str(fd)]
        try:
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(fd,)
            )
        except OSError as error:
            self._wait = self._wait or 1.0
            return f"cannot be started: {error.strerror}, {self._later(now)}"
        self._began, self._due = now, None
        return ""

    def _release(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
        self._child = None

    def stop(self, patience: float = GOODBYE) -> None:
        """End the process and free the port. The end of its standard input tells it; after
        `patience` seconds it is killed."""
        self._listening.close()
        child = self._child
        self._release()
        self._due = None
        if child is None:
            return
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; tries for up to 2 s while the port is in use. RelayError (69, 77)."""
    deadline = time.monotonic() + BIND_PATIENCE
    while True:
        try:
            return _listen(host, port)
        except PermissionError as error:
            raise RelayError(_refused(host, port, error), os.EX_NOPERM) from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise RelayError(_refused(host, port, error), os.EX_UNAVAILABLE) from None
        time.sleep(BIND_AGAIN)


def _refused(host: str, port: int, error: OSError) -> str:
    return (
        f"cannot serve metrics on {host}:{port}: {error.strerror or error} "
        '(another --metrics-port, or "off")'
    )


def _listen(host: str, port: int) -> socket.socket:
    where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = where[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
