"""Where configuration values come from: the file, the environment, the flags (relays.md 6).

Called by `relays.config.load`, which lays the layers over one another. Here values are only
found and named, with unknown keys refused; whether a value is good is `relays.config.keys`' part.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from relays.config.keys import KEYS
from relays.domains import DOMAINS, Domain
from relays.errors import ConfigError

SYSTEM_FILE = Path("/etc/alphapulse/relays.toml")
SECTIONS = ("relay", *DOMAINS)
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Layer:
    """Some values and where they are from; `origin` begins the error lines about them."""

    origin: str
    values: Mapping[str, object]


def read_value(text: str) -> object:
    """A value as in a TOML file; what is no TOML value (a bare word, a path) is text.

    >>> read_value("8_000"), read_value("off"), read_value('["uid:0"]')
    (8000, 'off', ['uid:0'])
    """
    if not text.strip() or re.search(r"[\r\n]", text):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text.lstrip()[0] in "[{\"'":
            raise ConfigError(f"{text}: not a TOML value: {error}") from None
        return text


def show_value(value: object) -> str:
    """A value as one short line, as it would stand in the file."""
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 3] + "..."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an "unknown ..." line: the nearest known name, or where they are listed."""
    import difflib  # where nothing is wrong, a start has no use for it

    near = difflib.get_close_matches(name, list(known), n=1)
    return f'did you mean "{near[0]}"?' if near else "relays/README.md lists the keys"


def file_layers(path: Path, domain: Domain) -> Iterator[Layer]:
    """The [relay] and [DOMAIN] tables of a file, after all of it was checked for unknown names."""
    tables = _read_file(path)
    for section, values in tables.items():
        for key, value in values.items():
            _check_key(f"{path}: [{section}]", key, value)
    for section in ("relay", domain.name):
        yield Layer(f"{path}: [{section}]", tables.get(section, {}))


def _read_file(path: Path) -> dict[str, dict[str, object]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
    for section, values in document.items():
        _check_section(path, section, values)
    return document


def _check_section(path: Path, section: str, values: object) -> None:
    if section in KEYS:
        raise ConfigError(
            f"{path}: {section} = {show_value(values)}: expected under [relay] or a relay's table"
        )
    if section not in SECTIONS:
        expected = ", ".join(f"[{name}]" for name in SECTIONS)
        raise ConfigError(f"{path}: [{section}]: unknown table, expected one of {expected}")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: {section} = {show_value(values)}: expected a table [{section}]")


def _check_key(origin: str, key: str, value: object) -> None:
    if key not in KEYS:
        hint = did_you_mean(key, KEYS)
        raise ConfigError(f"{origin} {key} = {show_value(value)}: unknown key, {hint}")


def environment_layers(environ: Mapping[str, str], domain: Domain) -> Iterator[Layer]:
    """A layer for each RELAYS_<DOMAIN>_<KEY>; of other domains' only the names are checked."""
    for name, text in sorted(environ.items()):
        for owner in DOMAINS.values():
            prefix = f"RELAYS_{owner.name.upper()}_"
            if name.startswith(prefix):
                key = name.removeprefix(prefix).lower()
                _check_key(f"environment {name}:", key, text)
                if owner is domain:
                    yield Layer(f"environment {name}:", {key: _named(name, text)})


def _named(name: str, text: str) -> object:
    try:
        return read_value(text)
    except ConfigError as error:
        raise ConfigError(f"environment {name}: {error}") from None


def flag_layer(flags: Mapping[str, object]) -> Layer:
    """The values given on the command line."""
    for key, value in flags.items():
        _check_key("command line:", key, value)
    return Layer("command line:", flags)
