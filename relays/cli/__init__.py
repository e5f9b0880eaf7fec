"""The command `relays`: finds the subcommand, and turns errors into one line and an exit code.

Called by the console script. Each module of this folder is a subcommand: a click command named
`command`, imported only when it is used, so that `relays --help` is quick. Commands do not import
each other: what they share, or are too long for, is in the folders.
"""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from protocol.errors import ProtocolError
from relays import __version__
from relays.errors import RelayError

COMMANDS = {
    "run": "Run one relay in the foreground.",
    "up": "Run all three relays, for a workstation.",
    "status": "Show what the relays are doing.",
    "top": "Show all relays live, on the whole screen.",
    "why": "Show what happened to a consumer, and why.",
    "tap": "Show what flows through a relay.",
    "publish": "Send the messages of a file to a relay.",
    "replay": "Replay recordings with their timing.",
    "journal": "Look into what a relay has written to disk.",
    "check-config": "Check the configuration of all three relays.",
    "show-config": "Show every value and where it came from.",
    "convert": "Recorded venue data to a file of frames.",
    "export": "Write the C header or the Rust module.",
    "completion": "Print the completion script of a shell.",
}
INTERRUPTED = 130

EXAMPLES = """\b
Examples:
  relays run market_data --runtime-dir /tmp/alphapulse
  relays up
  relays status --json
  relays tap market_data --type trade
  relays replay morning.frames --to market_data
  relays show-config execution
"""


@contextmanager
def _ends() -> Iterator[None]:
    """Left to click, an interrupt would print an empty line, also into a file, and a reader that
    has gone would be exit code 1."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.Abort from None
    except BrokenPipeError:
        _leave_quietly()


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when it is called, not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"relays.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """One that is not there is refused with the name that was meant, perhaps."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # where nothing is wrong, a start has no use for it

            if near := difflib.get_close_matches(args[0], COMMANDS, n=1):
                raise click.UsageError(f"{error.message} Did you mean {near[0]}?", ctx) from None
            raise

    @_ends()
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        return super().make_context(*args, **extra)

    @_ends()
    def invoke(self, ctx: click.Context) -> object:
        return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The subcommands and own options that begin like that; no module is imported for it."""
        own = click.Command.shell_complete(self, ctx, incomplete)
        found = (item for item in COMMANDS.items() if item[0].startswith(incomplete))
        return [CompletionItem(name, help=text) for name, text in found] + own

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="relays", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """Message relays over Unix sockets: market data, signals and execution."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and end the process (relays.md 8).

    A subcommand returns None or an exit code, or raises: RelayError has its own code, a usage
    error is 64, anything unforeseen 70. Every error is one line on stderr.
    """
    try:
        result = group.main(args=argv, prog_name="relays", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except Exception as error:
        code, text = explain(error)
        print(f"relays: {' '.join(text.split())}", file=sys.stderr)
        sys.exit(code)
    sys.exit(result if isinstance(result, int) else os.EX_OK)


def explain(error: Exception) -> tuple[int, str]:
    """The exit code and the sentence for an error that ended a command.

    >>> explain(RelayError("the directory is not ours", exit_code=77))
    (77, 'the directory is not ours')
    """
    match error:
        case RelayError():
            return error.exit_code, str(error)
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "relays"
            return os.EX_USAGE, f"{error.format_message()} (try '{command} --help')"
        case click.ClickException():
            return os.EX_USAGE, error.format_message()
        case ProtocolError():
            return os.EX_SOFTWARE, str(error)
        case PermissionError():
            return os.EX_NOPERM, str(error)
    return os.EX_SOFTWARE, f"internal error: {type(error).__name__}: {error}{_where(error)}"


def _where(error: Exception) -> str:
    """The innermost line the error came through: enough to report it, without a traceback."""
    frames = extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _leave_quietly() -> NoReturn:
    """End when the reader of our output (say `head`) has gone."""
    # Python flushes stdout at exit, and would complain about the same pipe again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(os.EX_OK)
