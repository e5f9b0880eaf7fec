"""The errors of the relays package, each with the exit code the command line ends with.

Raised by config, edge and client; turned into one line on stderr by `relays.cli`. What a peer
does wrong on a socket is data (`protocol.reject`), never one of these.
"""

import os


class RelayError(Exception):
    """A relay or a tool cannot go on; the text is one line that says what to do about it.

    `exit_code` is from sysexits (relays.md 8): 64 usage, 69 in use, 70 internal, 77 permission,
    78 configuration.

    >>> RelayError("market_data.sock is served by pid 12", exit_code=69).exit_code
    69
    """

    exit_code = os.EX_SOFTWARE

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(" ".join(message.split()))
        if exit_code is not None:
            self.exit_code = exit_code


class ConfigError(RelayError):
    """A configuration that cannot be used: names the file (or variable, or flag), key and value."""

    exit_code = os.EX_CONFIG
