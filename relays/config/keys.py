"""The configuration keys: name, type, default, what is accepted and what it means (relays.md 6).

`RelayConfig` is the one list; the reader, `relays show-config` and the table in the README are
made from it. Rules that concern several keys belong in `relays.config.rules`.
"""

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from relays.config.access import Principal, group, principals, source_table

MIB = 1 << 20
DEFAULT_RUNTIME_DIR = "/tmp/alphapulse"
KEPT_PLACES = 16
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Key:
    """How one key is read: `read` gives the value or raises ValueError (with a reason, or bare).

    `expected` completes "expected ..."; `live` keys are applied by SIGHUP.
    """

    expected: str
    read: Callable[[object], Any]
    meaning: str
    live: bool = False


def _whole(low: int, high: int, meaning: str, live: bool = False) -> Key:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return Key(f"a whole number from {low} to {high}", read, meaning, live)


def _seconds(low: float, high: float, meaning: str, live: bool = False) -> Key:
    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            raise ValueError
        if not low <= value <= high:
            raise ValueError
        return float(value)

    return Key(f"seconds from {low:g} to {high:g}", read, meaning, live)


def _choice(choices: tuple[str, ...], meaning: str, live: bool = False) -> Key:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    *most, last = (f'"{choice}"' for choice in choices)
    return Key(f"{', '.join(most)} or {last}", read, meaning, live)


def _flag(meaning: str) -> Key:
    def read(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    return Key("true or false", read, meaning)


def _directory(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return os.path.abspath(value)


def _mode(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("0?[0-7]{3}", value):
        raise ValueError
    return value


def _group(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    if value:
        group(value)
    return value


def _journal(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value not in ("on", "off"):
        raise ValueError
    return str(value)


def _optional_directory(value: object) -> str:
    return "" if value == "" else _directory(value)


def _host(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    try:
        ipaddress.ip_address(value)
    except ValueError:
        # Digits and dots only is a mistyped address, never a name.
        if not _HOST.fullmatch(value) or not re.search("[A-Za-z]", value):
            raise ValueError from None
    return value


def _port(value: object) -> int | str:
    if value == "off":
        return "off"
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise ValueError
    return value


_PEOPLE = 'a list of "user:NAME", "group:NAME" or "uid:N"'


class RelayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What one relay is told: one attribute per key of relays.md 6, in its order.

    Durations are seconds, sizes bytes, limits messages or connections. Keys without a default
    here have one per domain in `relays.domains`. Made by `relays.config.load`, which checks.

    >>> from relays.config import load
    >>> load("signals", environ={}).config.circuit_breaker
    80000
    """

    runtime_dir: Annotated[
        str, Key("a directory", _directory, "where sockets, locks and state are")
    ] = DEFAULT_RUNTIME_DIR
    socket_mode: Annotated[
        str, Key('octal text such as "0660"', _mode, "permissions of the socket")
    ] = "0660"
    socket_group: Annotated[
        str,
        Key("the name of a group", _group, "group of directory and socket; empty: the process's"),
    ] = ""
    max_connections: Annotated[
        int,
        _whole(KEPT_PLACES + 1, MIB, f"connections at once; {KEPT_PLACES} kept for root and own"),
    ] = 4096
    max_connections_per_user: Annotated[int, _whole(1, MIB, "connections at once of one uid")] = (
        1024
    )
    max_queue_size: Annotated[
        int, _whole(2, 2**32 - 1, "most messages a breaker-guarded consumer may lag", live=True)
    ]
    circuit_breaker: Annotated[
        int, _whole(1, 2**32 - 1, "lag in messages at which the breaker opens", live=True)
    ]
    recovery_timeout: Annotated[
        float, _seconds(0.001, 30, "how long a breaker stays open at first", live=True)
    ] = 1.0
    plain_after: Annotated[
        float, _seconds(0.001, 60, "silence after which a connection is a plain consumer")
    ] = 0.1
    frame_timeout: Annotated[
        float, _seconds(0.001, 3600, "how long a frame may stay incomplete")
    ] = 5.0
    validate_checksums: Annotated[bool, _flag("check the CRC-32 of every domain frame")]
    require_sequence: Annotated[bool, _flag("accept only the last sequence + 1 of a producer")]
    max_payload: Annotated[int, _whole(64, MIB, "largest payload in bytes")] = 65_536
    log_bytes: Annotated[int, _whole(MIB, 2**40, "size of the log in bytes, a multiple of 1048576")]
    send_buffer: Annotated[int, _whole(4096, 2**30, "SO_SNDBUF of a consumer in bytes")]
    on_lag: Annotated[
        Literal["gap", "disconnect", "catch_up"],
        _choice(("gap", "disconnect", "catch_up"), "what happens to a consumer that lags"),
    ]
    allow_loss: Annotated[bool, _flag('let execution have on_lag = "gap"')] = False
    snapshots: Annotated[bool, _flag("keep the state of instruments for sessions that come late")]
    snapshot_instruments: Annotated[
        int, _whole(1, MIB // 4, "instruments whose state is kept, those seen first")
    ] = 65_536
    snapshot_bytes: Annotated[
        int, _whole(MIB, 2**40, "memory for the state of instruments, in bytes")
    ] = 256 * MIB
    journal: Annotated[
        Literal["on", "off"], Key('"on" or "off"', _journal, "keep the log on disk too")
    ]
    journal_dir: Annotated[
        str,
        Key("a directory or empty", _optional_directory, "where journals are; empty: by rule"),
    ] = ""
    journal_sync: Annotated[
        Literal["none", "interval", "batch"],
        _choice(("none", "interval", "batch"), "what an Ack waits for, and when the disk is asked"),
    ] = "batch"
    journal_interval: Annotated[
        float, _seconds(0.001, 60, 'time between two syncs where journal_sync = "interval"')
    ] = 0.1
    journal_segment: Annotated[int, _whole(8 * MIB, 2**31, "size of a segment file in bytes")] = (
        64 * MIB
    )
    journal_bytes: Annotated[
        int, _whole(16 * MIB, 2**50, "segments kept, in bytes; the oldest go first")
    ] = 8192 * MIB
    journal_age: Annotated[
        float, _seconds(0, 3_155_760_000, "how long segments are kept; 0: as long as they fit")
    ] = 0.0
    journal_hard_limit: Annotated[
        int, _whole(0, 2**50, "segments kept for a consumer; 0: 16 GiB or half of the file system")
    ] = 0
    journal_before_delivery: Annotated[
        bool, _flag("deliver only what an Ack could be sent for")
    ] = False
    heartbeat_ms: Annotated[
        int, _whole(100, 60_000, "heartbeat of sessions that ask for none, in milliseconds")
    ] = 1000
    producer_breaker: Annotated[
        int, _whole(1, 2**31 - 1, "rejects that cut a producer off", live=True)
    ] = 100
    producer_window: Annotated[
        float, _seconds(0.001, 3600, "window in which rejects are counted", live=True)
    ] = 10.0
    producer_cooldown: Annotated[
        float, _seconds(0, 3600, "how long one cut off is refused", live=True)
    ] = 5.0
    max_producers: Annotated[int, _whole(1, MIB, "identified producers remembered")] = 65_536
    producers: Annotated[
        tuple[Principal, ...], Key(_PEOPLE, principals, "who may produce; empty: all", live=True)
    ] = ()
    consumers: Annotated[
        tuple[Principal, ...], Key(_PEOPLE, principals, "who may consume; empty: all", live=True)
    ] = ()
    sources: Annotated[
        Mapping[Principal, frozenset[int]],
        Key(
            'a table of "user:NAME", "group:NAME" or "uid:N" = list of sources',
            source_table,
            "the sources a user or group may speak as; absent: any",
            live=True,
        ),
    ] = {}
    drain_timeout: Annotated[float, _seconds(0, 3600, "time consumers get at shutdown")] = 5.0
    crash_window: Annotated[
        float,
        _seconds(
            0, 3600,
            "under a service manager: a relay that dies so soon after it was started again closes "
            "its connections, and one that dies so a third time begins a new log; 0 = never",
        ),
    ] = 30.0  # fmt: skip
    busy_poll: Annotated[
        bool, _flag("never sleep in the kernel: a whole core for microseconds of latency")
    ] = False
    metrics_host: Annotated[
        str, Key("an IP address or host name", _host, "where metrics are served")
    ] = "127.0.0.1"
    metrics_port: Annotated[
        int | Literal["off"],
        Key('a port from 0 (any) to 65535 or "off"', _port, "port of /metrics and /healthz"),
    ]
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _choice(("debug", "info", "warning", "error"), "least level that is logged", live=True),
    ] = "info"

    @property
    def mode(self) -> int:
        """`socket_mode` as a number."""
        return int(self.socket_mode, 8)

    @property
    def gid(self) -> int | None:
        """`socket_group` as a number, None when the process's own group is to be kept."""
        return group(self.socket_group) if self.socket_group else None


def _keys() -> dict[str, Key]:
    hints = get_type_hints(RelayConfig, include_extras=True)
    return {name: hints[name].__metadata__[0] for name in RelayConfig.__struct_fields__}


KEYS: Mapping[str, Key] = _keys()
RELOADABLE = frozenset(name for name, key in KEYS.items() if key.live)
DEFAULTS: Mapping[str, object] = {
    field.name: field.default_factory()
    if field.default_factory is not msgspec.NODEFAULT
    else field.default
    for field in msgspec.structs.fields(RelayConfig)
    if not field.required
}
