"""What goes wrong between a program and a relay: the one tree that ClientError begins.

Raised by everything in `relays.client`, caught by users' programs. What a relay refuses or could
not keep is data first (Error, Gap): here are only the exceptions that carry it.
"""

from __future__ import annotations

import os

from relays.errors import RelayError


class ClientError(RelayError):
    """A program's connection to a relay: cannot be made, or is over."""

    exit_code = os.EX_UNAVAILABLE


class NotListening(ClientError):
    """Nobody answers at this path; says which command starts the relay."""


class LinkClosed(ClientError):
    """The relay ended the connection; says why, where it said so."""
