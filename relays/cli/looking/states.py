"""The state of a relay, for the commands that only look.

Called by status, top and why. What is in a state is `relays.edge.status`' and `history`'s affair.
"""

import os

from protocol._core.state import State
from relays.edge.memory import open_state
from relays.errors import RelayError


def opened(domain: str, runtime_dir: str) -> State | None:
    """The state of a relay, None when it has never run here; RelayError if it may not be read."""
    try:
        return open_state(domain, runtime_dir)
    except RelayError as error:
        if error.exit_code != os.EX_UNAVAILABLE:
            raise
        return None
