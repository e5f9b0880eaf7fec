"""Decode and view of every type: they agree, with the arrays too, and what was decoded is written
as the same bytes, also through JSON. Checksums are right unless an input says otherwise.
"""

from __future__ import annotations

from typing import Any

from protocol import batch
from protocol.as_json import dump, load
from protocol.errors import ProtocolError
from protocol.header import HEADER_SIZE, Header
from protocol.message import Message, decode, find
from tests.fuzz.target import Target, exact, golden, packed, unpacked


def run(data: bytes) -> None:
    stream = exact(unpacked(data))
    at = 0
    while at < len(stream):
        message = _one(stream, at)
        if message is None:
            break
        header = Header.unpack(stream, at)
        end = at + HEADER_SIZE + header.payload_size
        made = message.frame(header.sequence, header.timestamp, header.source, header.flags)
        assert made == bytes(stream[at:end]), message
        if isinstance(message, Message):
            assert load(dump(message)) == message
        at = end
    _array(stream, at)


def _one(stream: memoryview, at: int) -> Any:
    """The message there, whichever way it is read; None when it is refused."""
    try:
        message = decode(stream, at)
    except ProtocolError as error:
        _refused(stream, at, str(error))
        return None
    if isinstance(message, Message):
        cls = type(message)
        assert cls.decode(stream, at) == message
        view = cls.view(stream, at, verify=True)
        assert view == message
        assert view.detach() == message
        for field in cls.FIELDS:
            assert getattr(view, field.name, None) == getattr(message, field.name, None)
    return message


def _refused(stream: memoryview, at: int, said: str) -> None:
    """What a view does not look at (values and pads) is refused when it is detached."""
    cls = find(stream[at + 4], stream[at + 5]) if len(stream) >= at + 6 else None
    if cls is None:
        return
    try:
        view = cls.view(stream, at, verify=True)
        for field in cls.FIELDS:
            _read(view, field.name)
        view.detach()
    except ProtocolError:
        return
    raise AssertionError(f"a view is sound, though: {said}")


def _read(view: Message, name: str) -> None:
    try:
        getattr(view, name, None)
    except ProtocolError:
        return


def _array(stream: memoryview, good: int) -> None:
    """Of many at once: sound up to `good` bytes, and with the same messages."""
    whole = batch.decode(stream[:good])
    assert sum(len(column) for column in whole.columns.values()) + len(whole.unread) == len(whole)
    for column in whole.columns.values():
        for row in range(len(column)):
            assert column.message(row) == decode(stream, int(column.offsets[row]))
    if good < len(stream):
        try:
            batch.decode(stream)
        except ProtocolError:
            return


def seeds() -> list[bytes]:
    return [packed(stream) for stream in golden("valid", "opaque", "invalid")]


TARGET = Target(run, seeds)
