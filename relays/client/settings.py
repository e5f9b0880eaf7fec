"""A file that says which relays a program listens to, and to what of them (YAML or TOML).

Called by MultiConsumer. Gives the options of each Consumer; reading a relay's own configuration is
`relays.config`'s.

    dashboard:                      # any name
      subscriptions:
        market_data:                # a domain, or any name that has a path
          enabled: true
          path: /tmp/alphapulse/market_data.sock
          message_types: [Trade, Quote, OrderBook]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relays.client.errors import ClientError
from relays.client.subscription import subscription
from relays.domains import DOMAINS
from relays.errors import ConfigError

# What a subscription may say, and the option of a Consumer that it is.
KEYS: dict[str, tuple[str, tuple[type, ...]]] = {
    "path": ("target", (str,)),
    "message_types": ("types", (list,)),
    "start": ("start", (str, int)),
    "on_lag": ("on_lag", (str,)),
    "replayed": ("replayed", (str,)),
    "snapshot": ("snapshot", (bool,)),
    "heartbeat_ms": ("heartbeat_ms", (int,)),
    "verify": ("verify", (bool,)),
}
YAML = (".yml", ".yaml")


def read_settings(path: str | Path) -> dict[str, dict[str, Any]]:
    """The options of a Consumer for each relay that is enabled, by its name in the file.

    ConfigError names the file, the key, and what was expected of it.
    """
    file = Path(path)
    found: dict[str, dict[str, Any]] = {}
    for name, one in _subscriptions(file, _document(file)).items():
        options = _options(f"{file}: subscriptions.{name}", name, one)
        if options is not None:
            found[name] = options
    if not found:
        raise ConfigError(f"{file}: no subscription is enabled")
    return found


def _document(file: Path) -> object:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    if file.suffix not in YAML:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{file}: not TOML: {error}") from None
    try:
        import yaml  # an extra: TOML needs nothing
    except ModuleNotFoundError:
        hint = "pip install 'alphapulse-relays[yaml]', or write it as TOML"
        raise ConfigError(f"{file}: YAML needs PyYAML: {hint}") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not YAML: {error}") from None


def _subscriptions(file: Path, document: object) -> Mapping[str, object]:
    """The table named so, at the top or under one name."""
    top = document if isinstance(document, Mapping) else {}
    inner = next(iter(top.values()), None) if len(top) == 1 else None
    for table in (top, inner):
        if isinstance(table, Mapping) and isinstance(table.get("subscriptions"), Mapping):
            unknown = [key for key in table if key != "subscriptions"]
            if unknown:
                raise ConfigError(f"{file}: {unknown[0]}: only subscriptions is expected here")
            return {str(name): one for name, one in table["subscriptions"].items()}
    raise ConfigError(f"{file}: expected a table subscriptions, with a table for each relay")


def _options(where: str, name: str, given: object) -> dict[str, Any] | None:
    """A Consumer's options for one subscription; None where it is not enabled."""
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where}: expected a table with {', '.join(['enabled', *KEYS])}")
    options: dict[str, Any] = {}
    for key, value in given.items():
        if key == "enabled":
            _expect(f"{where}.enabled", value, (bool,))
            continue
        if key not in KEYS:
            raise ConfigError(f"{where}.{key}: expected one of {', '.join(['enabled', *KEYS])}")
        option, kinds = KEYS[key]
        _expect(f"{where}.{key}", value, kinds)
        options[option] = value
    if "target" not in options and name not in DOMAINS:
        raise ConfigError(f"{where}: expected a path, for {name} is none of {', '.join(DOMAINS)}")
    try:
        subscription(types=options.get("types", ()), start=options.get("start", "live"))
    except (ClientError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from None
    return options if given.get("enabled", True) else None


def _expect(where: str, value: object, kinds: tuple[type, ...]) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = {bool: "true or false", str: "text", int: "a number", list: "a list"}
        expected = " or ".join(names[each] for each in kinds)
        raise ConfigError(f"{where}: expected {expected}, got {value!r}")
