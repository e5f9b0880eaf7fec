"""`relays completion`: the script that lets a shell complete relays' commands (relays.md 8).

Called through `relays.cli`. The script comes from click; what it completes, each command says of
its own arguments. Nothing is written anywhere: where the script goes is the user's to choose.
"""

import os

import click
from click.shell_completion import get_completion_class

from relays.errors import RelayError

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_RELAYS_COMPLETE"

EXAMPLES = """\b
Examples:
  eval "$(relays completion bash)"          this shell only
  relays completion bash > ~/.local/share/bash-completion/completions/relays
  relays completion zsh > "${fpath[1]}/_relays"
  relays completion fish > ~/.config/fish/completions/relays.fish
"""


@click.command("completion", epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
def command(context: click.Context, shell: str | None) -> None:
    """Print the completion script for SHELL; without one, for the shell in $SHELL.

    It completes commands, options, the three domains, files, and the clients that `relays why`
    knows of. Needs bash 4.4, any zsh or any fish.

    Exit codes: 0 printed; 64 wrong usage, or $SHELL is none of the three.
    """
    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    if name not in SHELLS:
        expected = ", ".join(SHELLS)
        raise RelayError(f"which shell? $SHELL is {name!r}; expected {expected}", os.EX_USAGE)
    click.echo(script(context.find_root().command, name))


def script(group: click.Command, shell: str) -> str:
    """What the shell is to run. It asks `relays` itself for what fits, at each Tab."""
    found = get_completion_class(shell)
    assert found is not None, shell
    completion = found(group, {}, "relays", VARIABLE)
    # click's source() also looks for the version of the shell, which need not be installed here.
    return completion.source_template % completion.source_vars()
