"""What a relay is told: keys, defaults, and where each value came from (relays.md 6).

Called by edge, client and cli before any socket is touched. `load` is the way in; nothing here
opens sockets, makes directories or reads argv.

Layers, later over earlier: built-in, the domain's defaults, $RELAYS_RUNTIME_DIR (that key only),
[relay], [DOMAIN], environment RELAYS_<DOMAIN>_<KEY>, flags.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relays.config.access import Principal, plain
from relays.config.keys import DEFAULT_RUNTIME_DIR, DEFAULTS, KEYS, RELOADABLE, Key, RelayConfig
from relays.config.layers import (
    SYSTEM_FILE,
    Layer,
    environment_layers,
    file_layers,
    flag_layer,
    read_value,
    show_value,
)
from relays.config.rules import contradictions, shared_port
from relays.domains import DOMAINS, Domain
from relays.errors import ConfigError

__all__ = [
    "KEYS",
    "RELOADABLE",
    "ConfigError",
    "Key",
    "Loaded",
    "Principal",
    "RelayConfig",
    "diff",
    "load",
    "load_all",
    "plain",
    "read_value",
    "runtime_dir",
    "show_value",
]

BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that passed every check, and where each of its values came from."""

    domain: Domain
    config: RelayConfig
    origins: Mapping[str, str]
    path: Path | None

    @property
    def socket_path(self) -> str:
        """The path of the relay's socket."""
        return self.domain.socket(self.config.runtime_dir)


def load(
    domain: Domain | str,
    path: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Loaded:
    """The configuration of one relay (relays.md 6).

    `path` is --config; without it /etc/alphapulse/relays.toml is read if it exists. `environ`
    defaults to the process's. `flags` are typed values by key; text from argv goes through
    `read_value` first. Raises ConfigError, one line naming origin, key, value and what was
    expected.

    >>> load("execution", environ={}, flags={"circuit_breaker": 500}).config.circuit_breaker
    500
    """
    domain = DOMAINS[domain] if isinstance(domain, str) else domain
    file = _file(path)
    values: dict[str, Any] = {}
    raw: dict[str, object] = {}
    origins: dict[str, str] = {}
    for layer in _layers(domain, file, os.environ if environ is None else environ, flags or {}):
        for key, value in layer.values.items():
            values[key], raw[key] = _read(layer.origin, key, value), value
            origins[key] = layer.origin
    config = RelayConfig(**values)
    for key, expected, other in contradictions(domain, config):
        because = "" if other == key else f" ({other} is from {origins[other].rstrip(':')})"
        raise _error(origins[key], key, raw[key], expected + because)
    return Loaded(domain, config, {key: origins[key].rstrip(":") for key in KEYS}, file)


def load_all(
    path: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> dict[str, Loaded]:
    """The configurations of all three relays, which must not want the same metrics port.

    Raises ConfigError as `load` does.

    >>> sorted(load_all(environ={}))
    ['execution', 'market_data', 'signals']
    """
    every = {name: load(name, path, environ, flags) for name in DOMAINS}
    for name, expected in shared_port({name: loaded.config for name, loaded in every.items()}):
        loaded = every[name]
        origin, port = loaded.origins["metrics_port"], loaded.config.metrics_port
        raise _error(f"{origin}:", "metrics_port", port, f"{expected}, for {name}")
    return every


def diff(old: RelayConfig, new: RelayConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys whose values differ: those SIGHUP applies, and those that need a restart.

    >>> told = {"log_level": "debug"}
    >>> diff(load("signals", environ={}).config, load("signals", environ={}, flags=told).config)
    (('log_level',), ())
    """
    changed = [key for key in KEYS if getattr(old, key) != getattr(new, key)]
    applied = tuple(key for key in changed if key in RELOADABLE)
    return applied, tuple(key for key in changed if key not in RELOADABLE)


def runtime_dir(environ: Mapping[str, str] | None = None) -> str:
    """Where sockets are when no configuration says so: $RELAYS_RUNTIME_DIR or /tmp/alphapulse.

    For clients, which read no configuration file (relays.md 1).

    >>> runtime_dir({})
    '/tmp/alphapulse'
    """
    given = (os.environ if environ is None else environ).get("RELAYS_RUNTIME_DIR")
    return os.path.abspath(given) if given else DEFAULT_RUNTIME_DIR


def _file(path: Path | str | None) -> Path | None:
    if path is not None:
        return Path(path)
    return SYSTEM_FILE if SYSTEM_FILE.exists() else None


def _layers(
    domain: Domain, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]
) -> Iterator[Layer]:
    yield Layer(BUILT_IN, DEFAULTS)
    yield Layer(f"{BUILT_IN} {domain.name}", domain.defaults)
    if environ.get("RELAYS_RUNTIME_DIR"):
        yield Layer("environment RELAYS_RUNTIME_DIR:", {"runtime_dir": runtime_dir(environ)})
    if file:
        yield from file_layers(file, domain)
    yield from environment_layers(environ, domain)
    yield flag_layer(flags)


def _read(origin: str, key: str, value: object) -> object:
    try:
        return KEYS[key].read(value)
    except ValueError as error:
        reason = f" ({error})" if error.args else ""
        raise _error(origin, key, value, KEYS[key].expected + reason) from None


def _error(origin: str, key: str, value: object, expected: str) -> ConfigError:
    return ConfigError(f"{origin} {key} = {show_value(value)}: expected {expected}")
