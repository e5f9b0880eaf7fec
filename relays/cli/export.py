"""`relays export`: the C header or the Rust module of the protocol.

Called through `relays.cli`. What is written comes from `protocol.export`; here it only gets to
where it is wanted, whole or not at all.
"""

import os
from errno import ELOOP
from itertools import zip_longest
from pathlib import Path

import click

from protocol.export import LANGUAGES, committed, render
from relays.errors import RelayError

STALE = 1
STDOUT = "-"


@click.command(
    "export",
    epilog="\b\nExamples:\n  relays export c -o include/alphapulse.h\n"
    "  relays export rust > src/alphapulse.rs\n  relays export c --check -o include/alphapulse.h",
)
@click.argument("language", type=click.Choice(list(LANGUAGES)))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default=STDOUT,
    help="Where to write it; '-' is standard output, and the default.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing: end with 1 when FILE (or, without it, this package's copy) is stale.",
)
def command(language: str, output: str, check: bool) -> None:
    """Write the C header (alphapulse.h) or the Rust module (alphapulse.rs).

    Both are made from the message classes, and need no other file and no library.

    Exit codes: 0 written, or up to date; 1 stale; 64 wrong usage; 66 FILE cannot be read;
    73 FILE cannot be written; 77 not permitted.
    """
    text = render(language)
    if check:
        compare(committed(language) if output == STDOUT else Path(output), text, language)
    elif output == STDOUT:
        click.echo(text, nl=False)
    else:
        write(Path(output), text)


def compare(path: Path, text: str, language: str) -> None:
    """RelayError (1, 66, 77), naming the first line that differs, unless the file has this text."""
    try:
        there = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise _failed(path, "read", error, os.EX_NOINPUT) from None
    lines = enumerate(zip_longest(there, text.splitlines()), 1)
    differs = next((number for number, (old, new) in lines if old != new), None)
    if differs:
        again = f"relays export {language} -o {path}"
        raise RelayError(f"{path} is stale from line {differs} on: run {again}", exit_code=STALE)
    click.echo(f"{path} is up to date")


def write(path: Path, text: str) -> None:
    """Put the text into a file at once: a reader sees the old or the new one, never a part.

    RelayError (73, 77) when it cannot be written."""
    target = Path(os.path.realpath(path))
    try:
        if target.is_symlink():
            raise OSError(ELOOP, os.strerror(ELOOP))
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
        else:
            _replace(target, text)
    except OSError as error:
        raise _failed(path, "written", error, os.EX_CANTCREAT) from None


def _failed(path: Path, what: str, error: OSError, code: int) -> RelayError:
    code = os.EX_NOPERM if isinstance(error, PermissionError) else code
    return RelayError(f"{path} cannot be {what}: {error.strerror or error}", code)


def _replace(target: Path, text: str) -> None:
    made = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        made.write_text(text, encoding="utf-8")
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)
