"""The log and state files: where they are, made, adopted, or set aside (relays.md 2).

Called by `relays.edge.relay` at start, and by the metrics process and `relays status`, which open
the state read-only. What the bytes mean is the compiled state's business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from protocol._core.connection import abandon, producer_write
from protocol._core.journal_words import journal_set
from protocol._core.places import layout
from protocol._core.ring import PAGE, Mapping, Ring
from protocol._core.state import State
from protocol.header import HEADER_SIZE
from relays.config import RelayConfig
from relays.core.adoption import crashes
from relays.core.decisions import relay_died
from relays.core.hub import KEPT_PLACES
from relays.edge.listener import prepare_directory
from relays.errors import ConfigError, RelayError

if TYPE_CHECKING:
    from relays.core.journal.recovery import Recovered
    from relays.edge.journal.start import Found

SHARED_MEMORY = "/dev/shm"
FILE_MODE = 0o640
WINDOW_BYTES = 8192
FRAMES_THAT_FIT = 4
DEATHS = 3


@dataclass(frozen=True, slots=True)
class Files:
    """Where one relay's memory files are; `letter` is what it has left for its successor."""

    log: Path
    state: Path
    letter: Path


def files(domain: str, runtime_dir: str) -> Files:
    """In the runtime directory if that is on tmpfs, else in a directory of its own in /dev/shm."""
    place = Path(runtime_dir)
    if not on_tmpfs(runtime_dir):
        owner = os.stat(runtime_dir).st_uid if os.path.isdir(runtime_dir) else os.geteuid()
        name = f"alphapulse-{owner}-{crc32(os.path.abspath(runtime_dir).encode()):08x}"
        place = Path(SHARED_MEMORY, name)
    return Files(*(place / f"{domain}.{kind}" for kind in ("log", "state", "letter")))


def on_tmpfs(path: str) -> bool:
    """Whether this is in memory, and gone with the machine.

    >>> on_tmpfs("/dev/shm"), on_tmpfs("/proc")
    (True, False)
    """
    try:
        device = os.stat(path).st_dev
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == wanted:
                return fields[fields.index("-") + 1] == "tmpfs"
    return False


@dataclass(frozen=True, slots=True)
class Memory:
    """An open state, and how it came about: `adopted` or new, `damage` when one was set aside."""

    state: State
    adopted: bool
    damage: str
    remarks: tuple[str, ...]


Claim = Callable[[State], Container[int]]


def open_memory(
    domain: str, config: RelayConfig, now_ns: int, journal: Found | None = None,
    window_ns: int = 0, claim: Claim = lambda state: (),
) -> Memory:  # fmt: skip
    """Adopt what a predecessor left, or begin a new log, where the journal ends if there is one.
    The caller holds the relay's lock. `window_ns` and `claim` are as in `adopt`.

    Raises RelayError when there is no room for the files.
    """
    where = files(domain, config.runtime_dir)
    prepare_directory(str(where.log.parent), config.gid)
    _forget_half_made(where)
    damage = ""
    if where.state.exists() or where.log.exists():
        try:
            state = adopt(_found(where), journal, now_ns, window_ns, claim)
        except (ValueError, OSError, AssertionError) as error:
            damage = str(error)
            _set_aside(where)
        else:
            _see_that_it_fits(state, config, where)
            return Memory(state, True, "", _differences(state, config))
    return Memory(_create(where, config, journal, now_ns), False, damage, ())


def _found(where: Files) -> State:
    with _opened(where.state) as state_fd, _opened(where.log) as log_fd:
        memory = Mapping(state_fd, os.fstat(state_fd).st_size // PAGE * PAGE, True)
        ring = Ring(log_fd, os.fstat(log_fd).st_size // PAGE * PAGE, True)
    return State(memory, ring)


def adopt(
    state: State, journal: Found | None, now_ns: int,
    window_ns: int = 0, claim: Claim = lambda state: (),
) -> State:  # fmt: skip
    """Go on with a dead relay's memory: what it had begun is finished, and its connections have
    ended but those in the places that `claim` names. It names none after the second death in a row
    within `window_ns` of an adoption; after the third nothing is adopted.
    Raises ValueError where it cannot be what it says it is."""
    state.recover()
    state.check()
    deaths = crashes(state.read_status(), now_ns, window_ns)
    if deaths >= DEATHS:
        text = f"{deaths} relays in a row died within {window_ns / 1e9:g} s of having adopted it"
        raise ValueError(text)
    if journal is not None and journal.is_ahead_of(state):
        end = journal.journal.position
        raise ValueError(f"the journal has positions up to {end}, the log to {state.end_position}")
    if journal is None:
        journal_set(state, on=0)
    places = claim(state) if deaths < DEATHS - 1 else ()
    relay_died(state, now_ns, places)
    abandon(state, places)
    state.set_status(
        adoptions=state.read_status()["adoptions"] + 1, damaged=0, handed=0, adopted_ns=now_ns,
        crashes=deaths,
    )  # fmt: skip
    return state


@contextmanager
def _opened(path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _set_aside(where: Files) -> None:
    for path in (where.log, where.state):
        if os.path.lexists(path):
            os.replace(path, path.with_name(path.name + ".bad"))


def _see_that_it_fits(state: State, config: RelayConfig, where: Files) -> None:
    """The adopted log keeps its size, and a frame must never be a large part of it."""
    least = FRAMES_THAT_FIT * (config.max_payload + HEADER_SIZE)
    if state.log_bytes < least:
        raise ConfigError(
            f"max_payload = {config.max_payload} needs log_bytes of at least {least}, and the log "
            f"that was adopted has {state.log_bytes}: lower it, or remove {where.log} and "
            f"{where.state} to begin a new log"
        )


def _differences(state: State, config: RelayConfig) -> tuple[str, ...]:
    geometry = state.read_geometry()
    wanted = {"log_bytes": config.log_bytes, "connections": config.max_connections + KEPT_PLACES}
    remarks = [
        f"{name} stays {geometry[name]}: the adopted state was made with it ({size} is wanted)"
        for name, size in wanted.items()
        if geometry[name] != size
    ]
    if config.require_sequence and not geometry["windows"]:
        remarks.append("SEQUENCE_CONFLICT is not found: the adopted state keeps no checksums")
    return tuple(remarks)


def _create(where: Files, config: RelayConfig, journal: Found | None, now_ns: int) -> State:
    connections = config.max_connections + KEPT_PLACES
    places = layout(config.log_bytes, connections, config.max_producers, config.require_sequence)
    try:
        log_fd = _new_file(_half(where.log), config.log_bytes, config.log_bytes, config.gid)
        state_fd = _new_file(_half(where.state), places["end"], places["windows"], config.gid)
        memory, ring = Mapping(state_fd, places["end"], True), Ring(log_fd, config.log_bytes, True)
        os.close(log_fd)
        os.close(state_fd)
        log_id = int.from_bytes(os.urandom(8), "little") >> 1 | 1
        state = begin(memory, ring, config, journal, log_id, now_ns)
        for path in (where.log, where.state):
            os.replace(_half(path), path)
        return state
    except BaseException as error:
        _forget_half_made(where)
        if not isinstance(error, OSError):
            raise
        size = config.log_bytes + places["windows"]
        raise RelayError(
            f"no room for {size} bytes of log and state in {where.log.parent} ({error.strerror}): "
            "make that tmpfs larger, or set a smaller log_bytes",
            os.EX_OSFILE,
        ) from None


def _half(path: Path) -> Path:
    """What a file is called until both are made: the state gets its name last."""
    return path.with_name(path.name + ".new")


def _forget_half_made(where: Files) -> None:
    """Who made these files was interrupted: there is no log in them yet, and nothing is lost."""
    if _half(where.state).exists() and not where.state.exists():
        where.log.unlink(missing_ok=True)
    _half(where.log).unlink(missing_ok=True)
    _half(where.state).unlink(missing_ok=True)


def begin(
    memory: Mapping, ring: Ring, config: RelayConfig, journal: Found | None, log_id: int,
    now_ns: int,
) -> State:  # fmt: skip
    """A new log in new memory, which begins where the journal ends, if there is one."""
    found = journal.journal if journal is not None else None
    State.format(
        memory,
        log_bytes=config.log_bytes,
        connections=config.max_connections + KEPT_PLACES,
        producers=config.max_producers,
        windows=config.require_sequence,
        log_id=log_id,
        now_ns=now_ns,
        position=found.position if found is not None else 0,
        offset=found.offset if found is not None else 0,
    )
    state = State(memory, ring)
    if found is not None:
        _restore_producers(state, found, config.max_producers)
    return state


def _restore_producers(state: State, journal: Recovered, most: int) -> None:
    """The producers that the journal knows, those heard of last where they are too many."""
    known = sorted(journal.producers.items(), key=lambda item: item[1][1])[-most:]
    for place, ((uid, producer_id), (last, seen)) in enumerate(known):
        producer_write(state, place, uid, producer_id, last, seen)


def _new_file(path: Path, size: int, kept: int, gid: int | None) -> int:
    """A file of `size` bytes of which the first `kept` have their memory: a full tmpfs is an error
    here, not a signal at the first write."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    os.fchmod(fd, FILE_MODE)
    if gid is not None:
        os.fchown(fd, -1, gid)
    os.ftruncate(fd, size)
    os.posix_fallocate(fd, 0, kept)
    return fd


class Windows:
    """The checksum windows of identified producers, where order is required (relays.md 4).

    Their memory is taken from the tmpfs when a producer first needs it.
    """

    def __init__(self, state: State, path: Path) -> None:
        geometry = state.read_geometry()
        places = layout(
            geometry["log_bytes"], geometry["connections"], geometry["producers"],
            bool(geometry["windows"]),
        )  # fmt: skip
        self._view = memoryview(state.memory) if geometry["windows"] else None
        self._begin, self._path = places["windows"], path

    def __call__(self, place: int) -> memoryview | None:
        """The window of a producer's place; None where order is not required."""
        if self._view is None:
            return None
        begin = self._begin + place * WINDOW_BYTES
        with _opened(self._path) as fd:
            os.posix_fallocate(fd, begin, WINDOW_BYTES)
        return self._view[begin : begin + WINDOW_BYTES]


def open_state(domain: str, runtime_dir: str) -> State:
    """The state of a relay, read-only, for those who look from outside. RelayError if it cannot be.

    Needs neither a socket nor a running relay, and disturbs nobody.
    """
    path = files(domain, runtime_dir).state
    try:
        with _opened(path, os.O_RDONLY) as fd:
            return State(Mapping(fd, os.fstat(fd).st_size // PAGE * PAGE, False), None)
    except FileNotFoundError:
        text = f"no relay has run here: {path} does not exist (start it: relays run {domain})"
        raise RelayError(text, os.EX_UNAVAILABLE) from None
    except PermissionError:
        text = f"{path} may be read by the relay's own user and group only"
        raise RelayError(text, os.EX_NOPERM) from None
    except ValueError as error:
        raise RelayError(f"{path}: {error}", os.EX_SOFTWARE) from None
