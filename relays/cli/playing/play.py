"""What publish and replay have in common: the options of playing files, and the run from file to
report.

Called by both. Joins the parts: `message_files` reads, `player` plays and reports, `sending` sends.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

import click

from relays.cli.common.interrupts import Interrupts
from relays.cli.common.options import Given
from relays.cli.playing.ahead import Ahead
from relays.cli.playing.message_files import FORMATS, MessageFile
from relays.cli.playing.pacing import Speed
from relays.cli.playing.player import Player, Report, meter, pieces, show
from relays.cli.playing.sending import Sender

DONE = {"publish": "published", "replay": "replayed"}
Function = TypeVar("Function", bound=Callable[..., Any])


class SpeedType(click.ParamType[Speed]):
    """`1`, `N`, `max` or a rate such as `1000/s`."""

    name = "SPEED"

    def convert(self, value: Any, _: Any, __: Any) -> Speed:
        try:
            return value if isinstance(value, Speed) else Speed.parse(value)
        except ValueError as error:
            return self.fail(str(error))


def playing(speed: str) -> Callable[[Function], Function]:
    """Add the options of everything that is played; they come as one keyword, `how: How`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, **given: Any) -> Any:
            how = How(**{name: given.pop(name) for name in How._fields})
            return function(*args, how=how, **given)

        for option in reversed(_options(speed)):
            option(wrapper)
        return wrapper  # type: ignore[return-value]

    return decorate


class How(NamedTuple):
    """How files are played, as the command line has it."""

    speed: Speed
    kind: str | None
    recorded: bool
    ahead: int | None
    as_json: bool


def _options(speed: str) -> list[Callable[[Function], Function]]:
    return [
        click.option(
            "--speed", type=SpeedType(), default=speed, help="1: as recorded; N: N times as fast;"
            f" max; or so many a second: 1000/s, 50k/s. [{speed}]",
        ),
        click.option("--format", "kind", type=click.Choice(FORMATS), help="What a FILE is."),
        click.option(
            "--recorded-times", "recorded", is_flag=True, help="Leave the times in headers."
        ),
        click.option(
            "--ahead", type=click.IntRange(1), metavar="N", help="Wait while a consumer is N"
            " messages behind (looks at the relay's state).",
        ),
        click.option("--json", "as_json", is_flag=True, help="The report as JSON."),
    ]  # fmt: skip


def play(name: str, given: Given, domain: str, files: list[MessageFile], how: How) -> int:
    """Send what is in the files as the producer `name`, report it, and give the exit code."""
    report = Report(DONE[name], domain, files)
    try:
        _play(name, given, report, how)
    finally:
        if sys.exc_info()[0] is None or report.sent:
            show(report, how.as_json)
    return report.exit_code


def _play(name: str, given: Given, report: Report, how: How) -> None:
    domain, files = report.domain, report.files
    runtime_dir = given.load(domain).config.runtime_dir
    with meter(files) as shown, closing(Sender(given.socket(domain), name)) as sender:
        ahead = None if how.ahead is None else Ahead(domain, runtime_dir, how.ahead)
        player = Player(sender, how.speed, report, shown, recorded=how.recorded, ahead=ahead)
        try:
            with Interrupts() as interrupts:
                player.play(pieces(files, how.speed, ahead), interrupts)
        finally:
            sender.close()
            player.hear()
