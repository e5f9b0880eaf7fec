"""Options that several subcommands share, and what they come to: a configuration.

Called by the subcommand modules. No subcommand's own options, and no output, belong here.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from protocol.catalogue import CONTROL, MessageType, SourceType
from relays.config import Loaded, load, load_all, read_value
from relays.domains import DOMAINS, Domain

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says about the configuration: the file, and values by key."""

    path: str | None
    flags: dict[str, object]

    def load(self, domain: Domain | str) -> Loaded:
        """The configuration of one relay; ConfigError (exit 78) when it cannot be used."""
        return load(domain, self.path, flags=self.flags)

    def load_all(self) -> dict[str, Loaded]:
        """The configurations of all three; ConfigError (exit 78) when one cannot be used."""
        return load_all(self.path, flags=self.flags)

    def socket(self, domain: str) -> str:
        """The path of a relay's socket; ConfigError (exit 78) when the configuration is wrong."""
        return DOMAINS[domain].socket(self.load(domain).config.runtime_dir)


def _setting(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, object]:
    settings: dict[str, object] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE.")
        settings[key.strip()] = read_value(text)
    return settings


_OPTIONS = (
    click.option("--config", metavar="FILE", help="TOML file [/etc/alphapulse/relays.toml]"),
    click.option("--runtime-dir", metavar="DIR", help="Where sockets and state are."),
    click.option("--metrics-port", metavar="PORT", help='Port of /metrics, 0 for any, or "off".'),
    click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
    click.option(
        "--set",
        "settings",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_setting,
        help="Set any key of the configuration; may be repeated.",
    ),
)


def configured(function: Function) -> Function:
    """Add the configuration options to a command; it gets them as one keyword, `given: Given`.

    Flags are the last word on a value (relays.md 6); the options named after a key win over --set.
    """

    @functools.wraps(function)
    def wrapper(
        *args: Any,
        config: str | None,
        runtime_dir: str | None,
        metrics_port: str | None,
        log_level: str | None,
        settings: dict[str, object],
        **rest: Any,
    ) -> Any:
        flags = dict(settings)
        port = None if metrics_port is None else read_value(metrics_port)
        named = {"runtime_dir": runtime_dir, "metrics_port": port, "log_level": log_level}
        flags |= {key: value for key, value in named.items() if value is not None}
        return function(*args, given=Given(config, flags), **rest)

    for option in reversed(_OPTIONS):
        option(wrapper)
    return wrapper  # type: ignore[return-value]


def located(function: Function) -> Function:
    """Add what a client needs to find a relay, the first two of the options above; the command
    gets them as one keyword, `given: Given`."""

    @functools.wraps(function)
    def wrapper(*args: Any, config: str | None, runtime_dir: str | None, **rest: Any) -> Any:
        flags: dict[str, object] = {} if runtime_dir is None else {"runtime_dir": runtime_dir}
        return function(*args, given=Given(config, flags), **rest)

    for option in reversed(_OPTIONS[:2]):
        option(wrapper)
    return wrapper  # type: ignore[return-value]


def complete_types(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The message types that begin so, of the command's domain if it has one, for a shell."""
    domain = DOMAINS.get(str(context.params.get("domain")))
    carried = [kind for kind in MessageType if kind not in CONTROL]
    wanted = [kind for kind in carried if domain is None or kind in domain.types]
    return [name for kind in wanted if (name := kind.name.lower()).startswith(begun)]


def complete_sources(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """The sources that begin so, for a shell."""
    return [name for one in SourceType if (name := one.name.lower()).startswith(begun)]


domain_argument = click.argument("domain", type=click.Choice(list(DOMAINS)))
optional_domain = click.argument("domain", type=click.Choice(list(DOMAINS)), required=False)
accept_damage_option = click.option(
    "--accept-damage", is_flag=True, help="Start although the journal has lost something."
)
