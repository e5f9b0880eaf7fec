"""The demonstration's command line: options in, exit code out. Called by `scripts/demo`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType

from relays.domains import DOMAINS
from relays.errors import RelayError
from scripts.demonstration.recording import choose
from scripts.demonstration.session import Session, Wishes
from scripts.demonstration.stage import Stage, answers
from scripts.demonstration.summary import Summary
from scripts.demonstration.table import screen

SPEEDS = {"1": 1, "10": 10, "max": 0}
RELAYS = ".venv/bin/relays"
SHOWN = """
What was shown: market data went through the first relay to a strategy, its signals through the
second to a portfolio, its orders and their fills through the third to and from a paper engine, each
a process of its own; a verifier at each relay checked every message."""
NEXT = f"""
Now yourself:
  scripts/demo --keep        the same, and the relays stay; it says how to look at them
  {RELAYS} up       the three relays, empty; then, in other terminals:
  {RELAYS} top      all of them, live
  {RELAYS} --help   tap, publish, replay, status, why and more"""
NOT_ACCOUNTED, INTERRUPTED = 1, 130
DESCRIPTION = """\
Starts the three relays as three processes and plays recorded Binance trades and quotes through
them: a strategy reads market_data and sends opportunities to signals, a portfolio turns these into
orders on execution, a paper engine answers with fills. Consumers of all three verify every frame.
Exit code 0 when every message is accounted for, 1 when not."""
EXAMPLES = """\
examples:
  scripts/demo
  scripts/demo --speed max --seconds 5
  scripts/demo --keep --runtime-dir /tmp/alphapulse"""


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="scripts/demo",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument(
        "--speed",
        choices=SPEEDS,
        default="10",
        help="1 and 10 keep the recording's rhythm, so that latencies mean something; max sends as"
        " fast as the demonstration's own consumers confirm (default: 10, which shows bursts and"
        " pauses without waiting for them)",
    )
    found.add_argument(
        "--seconds",
        type=_seconds,
        default=20.0,
        help="how long to play, of your time; a recording that is shorter begins again; 0: once"
        " through (default: 20)",
    )
    found.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="PATH",
        help="a recording named spot_... or usdm_..., plain or .gz, lines `<receive ns> <JSON>`;"
        " may be repeated (default: those of $RELAYS_DATA or ../shared/data, else a generated"
        " session)",
    )
    found.add_argument(
        "--runtime-dir",
        metavar="DIR",
        help="where the sockets are; relays that run there are used and left running (default: a"
        " new directory that is removed)",
    )
    found.add_argument(
        "--keep", action="store_true", help="leave the relays running and say how to connect"
    )
    found.add_argument("--json", action="store_true", help="the summary as JSON on stdout")
    return found


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 86_400:
        raise argparse.ArgumentTypeError("from 0 to a day")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; gives the exit code. Errors are one line on stderr."""
    given = parser().parse_args(argv)
    # However it is told to end, everything it started is ended.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        return run(given)
    except KeyboardInterrupt:
        print(f"interrupted; {_left(given)}", file=sys.stderr)
        return INTERRUPTED
    except RelayError as error:
        print(f"scripts/demo: {error}", file=sys.stderr)
        return error.exit_code


def _left(given: argparse.Namespace) -> str:
    """What is there after an interrupt: relays that listen now were not started here."""
    place = given.runtime_dir and os.path.abspath(given.runtime_dir)
    if place and any(answers(name, place) for name in DOMAINS):
        said = f"the demonstration's processes were ended, the relays in {place} still run"
    else:
        said = "every process was ended"
    return said + ("; --keep: nothing was kept" if given.keep else "")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(given: argparse.Namespace) -> int:
    """The demonstration from beginning to end, cleared away whatever happens."""
    choice = choose(given.file)
    shown = sys.stderr if given.json else sys.stdout
    stage = Stage(given.runtime_dir, given.keep)
    session = Session(Wishes(choice, SPEEDS[given.speed], given.seconds), stage, screen(shown))
    summary: Summary | None = None
    trouble: list[str] = []
    try:
        with session.screen:
            summary = perform(session, stage)
    finally:
        with Deaf():
            session.end()
            if not (given.keep and summary):
                trouble = stage.stop(hurry=summary is None)
                stage.clear()
    return conclude(given, stage, summary.with_trouble(trouble))


def perform(session: Session, stage: Stage) -> Summary:
    """Start everything, say where it is, and play."""
    session.screen.say(f"playing     {session.wishes.choice.title}")
    session.begin()
    for line in connections(stage):
        session.screen.say(line)
    return session.run()


class Deaf:
    """While it is cleared away, no signal comes between."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, signal.SIG_IGN) for number in self.NUMBERS}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def conclude(given: argparse.Namespace, stage: Stage, summary: Summary) -> int:
    """Say what came of it; gives the exit code."""
    if given.json:
        print(json.dumps(summary.data(), indent=2))
    else:
        for line in summary.lines():
            print(line)
    shown = sys.stderr if given.json else sys.stdout
    print(SHOWN, file=shown)
    print("\n".join(kept(stage)) if given.keep else NEXT, file=shown)
    return os.EX_OK if summary.whole else NOT_ACCOUNTED


def connections(stage: Stage) -> Iterator[str]:
    """Where everything is, while it runs."""
    for name, seen in stage.look().items():
        port = seen.status["metrics_port"]
        metrics = f"http://127.0.0.1:{port}/metrics" if port else "off"
        yield f"{name:<12}{DOMAINS[name].socket(stage.runtime_dir)}"
        yield f"{'':<12}metrics {metrics}"


def kept(stage: Stage) -> Iterator[str]:
    """How to connect to relays that were left running, and how to end them."""
    place = f"--runtime-dir {stage.runtime_dir}"
    port = stage.look()["market_data"].status["metrics_port"]
    pids = " ".join(str(process.pid) for process in stage.relays.values())
    yield ""
    yield "The relays are still running, with everything that went through them. Look at it:"
    yield f"  {RELAYS} tap market_data --from -10 {place}"
    yield f"  {RELAYS} tap execution --from oldest --count 10 {place}"
    yield f"  {RELAYS} status {place}"
    if port:
        yield f"  curl -s http://127.0.0.1:{port}/metrics"
    yield "See them live in one terminal, and send more through them from another:"
    yield f"  {RELAYS} top {place}"
    yield f"  scripts/demo {place}"
    if pids:
        yield "End them, and remove their files, with:"
        yield f"  kill {pids}"
        for folder in stage.folders():
            yield f"  rm -r {folder}"


if __name__ == "__main__":
    sys.exit(main())
