"""Where a relay's journal is, when nobody says where.

Called by the relay, which makes the directory, and by `relays journal`, which looks for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from relays.config import RelayConfig
from relays.config.keys import DEFAULT_RUNTIME_DIR

SYSTEM = Path("/var/lib/alphapulse")


def journal_folder(
    domain: str, config: RelayConfig, environ: Mapping[str, str] = os.environ
) -> Path:
    """The directory of a relay's segments: on a disk, however short-lived the runtime directory is.

    That of the configuration; else in $STATE_DIRECTORY, as service managers set it; else, where the
    runtime directory is the usual one, in /var/lib (root) or ~/.local/state; else in the runtime
    directory.

    >>> from relays.config import load
    >>> config = load("execution", flags={"runtime_dir": "/x"}, environ={}).config
    >>> str(journal_folder("execution", config, {})), str(
    ...     journal_folder("execution", config, {"STATE_DIRECTORY": "/s"})
    ... )
    ('/x/journal/execution', '/s/journal/execution')
    """
    if config.journal_dir:
        return Path(config.journal_dir, domain)
    base = Path(config.runtime_dir)
    if state := environ.get("STATE_DIRECTORY"):
        base = Path(state.split(":")[0])
    elif config.runtime_dir == DEFAULT_RUNTIME_DIR:
        base = SYSTEM if os.geteuid() == 0 else Path.home() / ".local/state/alphapulse"
    return base / "journal" / domain
