"""The runtime directory, the lock and the socket of one relay (relays.md 1).

Called by `relays.edge.relay` at start. Only the holder of the lock may unlink the socket. Nothing
here reads or writes a connection.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import stat
import struct
import termios
import time
from pathlib import Path

from relays.core.access import Credentials
from relays.errors import RelayError

SO_PEERGROUPS = 59
LONGEST_OPTION = 1024  # bytes: Python asks for no more
SO_SNDBUFFORCE = 32
BACKLOG = 4096
DIRECTORY_MODE = 0o750
HOLDER_LOOKS, HOLDER_LOOK_AGAIN = 50, 0.01
PEERCRED = struct.Struct("3i")


def prepare_directory(path: str, gid: int | None) -> None:
    """Make the runtime directory, or see that it can be trusted. RelayError (77) where it cannot.

    It must be owned by the effective user or root and not be writable by others; links are not
    followed.
    """
    try:
        os.makedirs(path, DIRECTORY_MODE)
        os.chmod(path, DIRECTORY_MODE)
        if gid is not None:
            os.chown(path, -1, gid)
    except FileExistsError:
        pass
    except OSError as error:
        raise RelayError(f"cannot make {path}: {error.strerror}", os.EX_NOPERM) from None
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise RelayError(f"{path} is not a directory (links are not followed)", os.EX_NOPERM)
    if found.st_uid not in (os.geteuid(), 0):
        text = f"{path} is owned by uid {found.st_uid}, expected {os.geteuid()} or root"
        raise RelayError(text, os.EX_NOPERM)
    if found.st_mode & stat.S_IWOTH:
        text = f"{path} is writable by others: chmod o-w {path}, or name another --runtime-dir"
        raise RelayError(text, os.EX_NOPERM)


class Lock:
    """The lock file of one relay, held for life; RelayError (69) names the pid that has it."""

    def __init__(self, path: Path) -> None:
        try:
            flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
            self.fd = os.open(path, flags, 0o640)
        except PermissionError as error:
            raise RelayError(f"cannot open {path}: {error.strerror}", os.EX_NOPERM) from None
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _holder(self.fd)
            os.close(self.fd)
            text = f"{path.stem} in {path.parent} is already served by pid {pid}"
            raise RelayError(text, os.EX_UNAVAILABLE) from None
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self.fd)


def _holder(fd: int) -> str:
    """The pid of whoever holds the lock. It may be about to write it: an old one is not taken."""
    for _ in range(HOLDER_LOOKS):
        pid = os.pread(fd, 20, 0).decode(errors="replace").strip()
        if pid.isdigit() and os.path.exists(f"/proc/{pid}"):
            return pid
        time.sleep(HOLDER_LOOK_AGAIN)
    return "unknown"


def bind(path: str, mode: int, gid: int | None) -> socket.socket:
    """A listening socket at `path`, whose lock the caller holds. RelayError (69): it is served."""
    _clear(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    # The socket appears with no permission at all, and gets its own before anybody may connect.
    before = os.umask(0o777)
    try:
        listening.bind(path)
    except OSError as error:
        listening.close()
        raise RelayError(f"cannot bind {path}: {error.strerror or error}", os.EX_NOPERM) from None
    finally:
        os.umask(before)
    if gid is not None:
        os.chown(path, -1, gid)
    os.chmod(path, mode)
    listening.listen(BACKLOG)
    return listening


def _clear(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise RelayError(f"{path} is in the way and is not a socket", os.EX_UNAVAILABLE)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(path)
            pid = credentials(asking).pid
            raise RelayError(f"{path} is already served by pid {pid}", os.EX_UNAVAILABLE)
        except BlockingIOError:
            text = f"{path} is already served: its backlog is full"
            raise RelayError(text, os.EX_UNAVAILABLE) from None
        except ConnectionRefusedError:
            os.unlink(path)
        except PermissionError:
            # Ours, and of mode 000: a predecessor was killed between binding it and opening it.
            if os.lstat(path).st_uid != os.geteuid():
                raise RelayError(f"{path} is somebody else's", os.EX_UNAVAILABLE) from None
            os.unlink(path)
        except OSError as error:
            text = f"{path} is in the way and cannot be asked: {error.strerror}"
            raise RelayError(text, os.EX_UNAVAILABLE) from None


def credentials(connected: socket.socket) -> Credentials:
    """What the kernel says of the peer: uid, pid, and every group it is in (256 at most: of more
    groups only the first one counts)."""
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEERCRED.size)
    pid, uid, gid = PEERCRED.unpack(raw)
    groups = array.array("I")
    try:
        groups.frombytes(connected.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, LONGEST_OPTION))
    except OSError:
        groups = array.array("I")
    return Credentials(uid & 0xFFFFFFFF, pid, frozenset([gid, *groups]))


def set_send_buffer(connected: socket.socket, size: int) -> int:
    """Ask for `size` bytes of send buffer, past the machine's limit where that is allowed."""
    try:
        connected.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, size // 2)
    except PermissionError:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size // 2)
    return connected.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def unread(connected: socket.socket) -> int:
    """Bytes that wait to be read from this socket (SIOCINQ)."""
    return _queue(connected, termios.FIONREAD)


def unsent(connected: socket.socket) -> int:
    """Bytes the kernel holds for the peer to read (SIOCOUTQ)."""
    return _queue(connected, termios.TIOCOUTQ)


def _queue(connected: socket.socket, request: int) -> int:
    size = array.array("i", [0])
    try:
        fcntl.ioctl(connected, request, size)
    except OSError:
        return 0
    return size[0]
