"""What a program needs to talk to a relay: connections over its Unix socket.

Imported by users' programs and by `relays.cli`. May import protocol, relays.domains and
relays.config; never the daemon.
"""

from relays.client.link import ClientError, Link, LinkClosed, NotListening
from relays.client.stream import Batch

__all__ = ["Batch", "ClientError", "Link", "LinkClosed", "NotListening"]
