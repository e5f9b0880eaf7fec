"""How a client finds a relay and when it tries again.

Called by Link, Producer and Consumer in both fronts. Only where, how and when to connect: what is
said on the connection is for those who made it. (relays.md 1)
"""

from __future__ import annotations

import os
import random
import socket
import struct
from pathlib import Path

from relays.client.errors import ClientError, NotListening
from relays.config import runtime_dir
from relays.domains import DOMAINS

SNDTIMEO = struct.Struct("ll")


def locate(target: str | os.PathLike[str]) -> str:
    """The socket's path: of a domain's relay in the runtime directory, or the path that is given.

    The runtime directory is $RELAYS_RUNTIME_DIR or /tmp/alphapulse.

    >>> locate("signals").endswith("/signals.sock"), locate("/run/mine.sock")
    (True, '/run/mine.sock')
    """
    name = os.fspath(target)
    return DOMAINS[name].socket(runtime_dir()) if name in DOMAINS else name


def not_listening(path: str, error: OSError) -> ClientError:
    """The error for a connection that was not made: what was tried, and what starts the relay."""
    if isinstance(error, PermissionError):
        return ClientError(f"{path}: this user may not open it", os.EX_NOPERM)
    if os.sep not in path and not os.path.exists(path):
        import difflib  # nothing else here needs it

        near = difflib.get_close_matches(path, DOMAINS, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(DOMAINS)} or a socket"
        return NotListening(f"there is no relay or socket {path!r}: {hint}")
    domain = Path(path).stem if Path(path).stem in DOMAINS else "DOMAIN"
    command = f"relays run {domain} --runtime-dir {Path(path).parent}"
    text = f"nothing listens at {path} ({error.strerror or error}); start it: {command}"
    return NotListening(text)


def connect(path: str, timeout: float | None = None) -> socket.socket:
    """A blocking socket connected to `path`; waits `timeout` seconds for a place in its backlog.

    NotListening when nobody answers, ClientError when this user may not.
    """
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise ClientError(f"{path}: no socket can be made ({error.strerror or error})") from None
    try:
        if timeout is not None:
            # The kernel bounds a connect to a Unix socket by the time allowed for sending.
            _send_timeout(sock, max(0.001, timeout))
        sock.connect(path)
        _send_timeout(sock, 0.0)
    except OSError as error:
        sock.close()
        raise not_listening(path, error) from None
    return sock


def _send_timeout(sock: socket.socket, seconds: float) -> None:
    value = SNDTIMEO.pack(int(seconds), int(seconds % 1 * 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


class Backoff:
    """How long to wait before each next try: doubling from `least` to `most` seconds, each time a
    random part of up to a half taken off, so that many clients do not come back at once.

    >>> wait = Backoff(0.5, 2.0, random.Random(1))
    >>> [0.25 <= wait.next() <= 0.5, 0.5 <= wait.next() <= 1, wait.next() <= 2, wait.next() <= 2]
    [True, True, True, True]
    """

    def __init__(
        self, least: float = 0.05, most: float = 2.0, source: random.Random | None = None
    ) -> None:
        self.least, self.most = least, most
        self._random = source or random.Random()
        self._tries = 0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        whole = min(self.most, self.least * 2.0 ** min(self._tries, 60))
        self._tries += 1
        return whole * (1 - self._random.random() / 2)

    def reset(self) -> None:
        """It worked: the next failure waits the least again."""
        self._tries = 0
