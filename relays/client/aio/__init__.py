"""What `relays.client` has, for asyncio: the same names, options and meaning, no threads.

Imported by users' programs. Only names are for here.
"""

from relays.client.aio.consumer import Consumer
from relays.client.aio.multi import MultiConsumer
from relays.client.aio.producer import Producer

__all__ = ["Consumer", "MultiConsumer", "Producer"]
