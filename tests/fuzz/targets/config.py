"""Configuration files: any text is a configuration of all three relays, or one line that says why
it is none.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from relays.config import KEYS, ConfigError, RelayConfig, load, load_all, read_value, show_value
from relays.domains import DOMAINS
from tests.fuzz.target import Target

TABLES = tuple(f"[{name}]" for name in ("relay", *DOMAINS, "relay.sources", "execution.sources"))
WORDS = (*TABLES, *KEYS, '"off"', "true", "false", '"user:root"', '"uid:0"', '"group:root"',
         '"catch_up"', '"disconnect"', '"gap"', "1048576", "inf", "nan", '"0660"')  # fmt: skip
EXAMPLES = (
    "[relay]\nmax_connections = 100\nsocket_mode = '0600'\n",
    "[execution]\non_lag = \"disconnect\"\nlog_bytes = 67108864\nmetrics_port = 0\n",
    "[signals]\nproducers = ['user:root', 'uid:5', 'group:root']\n[signals.sources]\n'uid:5' = [1]",
    "[market_data]\nsnapshots = true\nsnapshot_bytes = 1048576\nheartbeat_ms = 500\n",
    "[relay]\nproducer_window = 1e1\nproducer_cooldown = 0\nmetrics_host = '::1'\n",
    "runtime_dir = '/tmp'\n", "[relay]\ncircuit_braker = 5\n", "[relay", "relay = 1\n",
    "[relay]\nruntime_dir = '/" + "x" * 120 + "'\n", "[market_data]\ncircuit_breaker = 2000000\n",
)  # fmt: skip


@cache
def memory() -> tuple[int, Path]:
    """A file that is in no folder."""
    number = os.memfd_create("relays.toml")
    return number, Path(f"/proc/self/fd/{number}")


def run(data: bytes) -> None:
    number, path = memory()
    os.ftruncate(number, 0)
    os.pwrite(number, data, 0)
    loaded: dict[str, RelayConfig] = {}
    refused = 0
    for name in DOMAINS:
        try:
            loaded[name] = load(name, path, environ={}).config
        except ConfigError as error:
            _is_one_line(error)
            refused += 1
    for name, config in loaded.items():
        _comes_back(name, path, config)
    try:
        load_all(path, environ={})
    except ConfigError as error:
        _is_one_line(error)
    else:
        assert not refused
    _as_flag(data)


def _is_one_line(error: ConfigError) -> None:
    assert not {"\n", "\r"} & set(str(error)), repr(str(error))


def _comes_back(name: str, path: Path, config: RelayConfig) -> None:
    """Each value, given again as a flag, is itself."""
    flags = {key: getattr(config, key) for key in KEYS if key not in {"sources", "producers",
                                                                       "consumers"}}  # fmt: skip
    again = load(name, path, environ={}, flags=flags).config
    assert again == config


def _as_flag(data: bytes) -> None:
    """The same text as the value of `--set`."""
    try:
        value = read_value(data.decode(errors="surrogateescape"))
    except ConfigError as error:
        _is_one_line(error)
        return
    show_value(value)


def seeds() -> list[bytes]:
    return [text.encode() for text in EXAMPLES]


TARGET = Target(run, seeds, largest=512, words=WORDS)
