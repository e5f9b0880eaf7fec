"""The ends of a round trip: of this project, of pyzmq and of nats-py, all saying the same.

Called by client_hops. A question is a Trade and an answer a Quote, built for each; every end puts
them into a sealed frame with a sequence and the time, and decodes what comes, checksum included. So
all carry and check the same bytes, and what differs is who carries them. pyzmq and nats-py are
imported when they are used: client_brokers says who is there.

pyzmq: PUB and SUB over ipc; a subscription is the first five bytes of a frame, magic and type.
nats-py: a subject for questions and one for answers, over TCP on the loopback (the server has no
Unix sockets); asyncio and the server both set TCP_NODELAY. Every queue limit is the default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from itertools import count
from time import time_ns
from typing import Any, Self

from protocol.market_data import Quote, Side, Trade
from relays.client import Consumer, Producer, aio

from .client_board import PAIR

Kind = type[Trade] | type[Quote]
TYPE_BYTES = 5


def build(kind: Kind, number: int) -> Trade | Quote:
    """Question or answer `number`, from 0 on."""
    if kind is Trade:
        return Trade(PAIR, number + 1, 1, Side.BUY)
    return Quote(PAIR, number + 1, number + 2, 1, 1)


def number_of(message: Any) -> int:
    price: int = message.price if isinstance(message, Trade) else message.bid_price
    return price - 1


class BlockingEnd(AbstractContextManager["BlockingEnd"], ABC):
    """`asks`: it sends questions and gets answers; else the other way round."""

    def __init__(self, address: str, asks: bool) -> None:
        self.sends: Kind = Trade if asks else Quote
        self.gets: Kind = Quote if asks else Trade
        self.sequences = count(1)
        self.open(address)

    @abstractmethod
    def open(self, address: str) -> None: ...

    @abstractmethod
    def send(self, number: int) -> None: ...

    @abstractmethod
    def receive(self) -> int: ...

    @abstractmethod
    def arrives(self, seconds: float) -> bool:
        """Whether something comes within so many seconds; it is still there for `receive`."""

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...


class AsyncioEnd(AbstractAsyncContextManager["AsyncioEnd"], ABC):
    """The same in a loop; `open` is awaited."""

    def __init__(self, address: str, asks: bool) -> None:
        self.address = address
        self.sends: Kind = Trade if asks else Quote
        self.gets: Kind = Quote if asks else Trade
        self.sequences = count(1)

    @abstractmethod
    async def open(self, address: str) -> None: ...

    @abstractmethod
    async def send(self, number: int) -> None: ...

    @abstractmethod
    async def receive(self) -> int: ...

    async def __aenter__(self) -> Self:
        await self.open(self.address)
        return self

    @abstractmethod
    async def __aexit__(self, *_: object) -> None: ...


def seal(end: BlockingEnd | AsyncioEnd, number: int) -> bytes:
    """What a Producer does with a message, for those who carry only bytes."""
    return build(end.sends, number).frame(next(end.sequences), time_ns(), 1)


# --- this project ---


class RelayEnd(BlockingEnd):
    def open(self, address: str) -> None:
        self._consumer = Consumer(address, types=self.gets)
        self._producer = Producer(address)
        self._messages = iter(self._consumer)
        self._first: list[Any] = []

    def send(self, number: int) -> None:
        self._producer.send(build(self.sends, number))

    def receive(self) -> int:
        if self._first:
            return number_of(self._first.pop(0))
        return number_of(next(self._messages))

    def arrives(self, seconds: float) -> bool:
        self._first += [one.message for one in self._consumer.read(seconds)]
        return bool(self._first)

    def __exit__(self, *_: object) -> None:
        self._consumer.close()
        self._producer.close()


class AsyncioRelayEnd(AsyncioEnd):
    async def open(self, address: str) -> None:
        self._consumer = await aio.Consumer(address, types=self.gets).connect()
        self._producer = await aio.Producer(address).connect()
        self._messages = aiter(self._consumer)

    async def send(self, number: int) -> None:
        await self._producer.send(build(self.sends, number))

    async def receive(self) -> int:
        return number_of(await anext(self._messages))

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.close()
        await self._producer.close()


# --- pyzmq ---


def _zmq_sockets(context: Any, address: str, gets: Kind) -> tuple[Any, Any]:
    """PUB to the proxy's XSUB, SUB from its XPUB."""
    import zmq

    out, into = context.socket(zmq.PUB), context.socket(zmq.SUB)
    into.setsockopt(zmq.SUBSCRIBE, build(gets, 0).frame()[:TYPE_BYTES])
    out.connect(f"{address}.in")
    into.connect(f"{address}.out")
    return out, into


class ZmqEnd(BlockingEnd):
    def open(self, address: str) -> None:
        import zmq

        self._context = zmq.Context()
        self._out, self._into = _zmq_sockets(self._context, address, self.gets)

    def send(self, number: int) -> None:
        self._out.send(seal(self, number))

    def receive(self) -> int:
        return number_of(self.gets.decode(self._into.recv()))

    def arrives(self, seconds: float) -> bool:
        return bool(self._into.poll(round(seconds * 1000)))

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


class AsyncioZmqEnd(AsyncioEnd):
    async def open(self, address: str) -> None:
        import zmq.asyncio

        self._context = zmq.asyncio.Context()
        self._out, self._into = _zmq_sockets(self._context, address, self.gets)

    async def send(self, number: int) -> None:
        await self._out.send(seal(self, number))

    async def receive(self) -> int:
        return number_of(self.gets.decode(await self._into.recv()))

    async def __aexit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


# --- nats-py ---


class NatsEnd(AsyncioEnd):
    async def open(self, address: str) -> None:
        import nats

        self._client = await nats.connect(address, allow_reconnect=False)
        self._subject = self.sends.__name__
        subscription = await self._client.subscribe(self.gets.__name__)
        self._messages = aiter(subscription.messages)

    async def send(self, number: int) -> None:
        await self._client.publish(self._subject, seal(self, number))

    async def receive(self) -> int:
        return number_of(self.gets.decode((await anext(self._messages)).data))

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


BLOCKING: dict[str, type[BlockingEnd]] = {"relays": RelayEnd, "pyzmq": ZmqEnd}
ASYNCIO: dict[str, type[AsyncioEnd]] = {
    "relays, asyncio": AsyncioRelayEnd,
    "pyzmq, asyncio": AsyncioZmqEnd,
    "nats-py, asyncio": NatsEnd,
}
