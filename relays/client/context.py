"""What a message was based on, carried from consumer to producer in a TraceContext TLV.

Called by both fronts of Producer (`send(..., trace=received)`) and by programs that read it back.
What a TraceContext is stands in `protocol.extensions`; nothing here is sent.
"""

from __future__ import annotations

from typing import NamedTuple

from protocol.catalogue import type_name
from protocol.extensions import TraceContext, find
from protocol.message import Message, Unknown
from protocol.tlv import build
from relays.client.delivery import Received
from relays.client.errors import ClientError

U64_BYTES = 8


class Origin(NamedTuple):
    """A place in a log: the log's id, and the position in messages."""

    log_id: int
    position: int


def context_of(message: Message | Unknown) -> TraceContext | None:
    """The TraceContext a message carries, None where it has none.

    >>> from protocol.control import Heartbeat
    >>> context_of(Heartbeat()) is None
    True
    """
    tlvs = getattr(message, "tlvs", b"")
    return next(iter(find(tlvs, TraceContext)), None)


def caused_by(received: Received) -> TraceContext:
    """The context for a message that is based on this one.

    One that carries a trace goes on with it. Another one begins a trace named by its place: the
    log's id and the position, both also in `origin_of`. The span is that position + 1. ClientError
    where there is neither: a filtered consumer does not know positions.
    """
    trace = None if not isinstance(received.message, Message) else context_of(received.message)
    if received.position is None:
        if trace is None:
            raise ClientError("its position is not known (the consumer has a filter): no trace")
        return trace
    span = (received.position + 1).to_bytes(U64_BYTES, "big")
    trace_id = trace.trace_id if trace else received.log_id.to_bytes(U64_BYTES, "big") + span
    return TraceContext(trace_id, span, trace.flags if trace else 0)


def origin_of(message: Message | Unknown) -> Origin | None:
    """The place at which the trace of a message began, as `caused_by` named it; None without one.

    A trace that began elsewhere has an id that names no log here: compare `log_id`.
    """
    trace = context_of(message)
    if trace is None:
        return None
    log_id, after = trace.trace_id[:U64_BYTES], trace.trace_id[U64_BYTES:]
    return Origin(int.from_bytes(log_id, "big"), int.from_bytes(after, "big") - 1)


def traced(message: Message | Unknown, trace: Received | TraceContext) -> Message:
    """The message with this context. ClientError where its class has no room for TLVs."""
    context = trace if isinstance(trace, TraceContext) else caused_by(trace)
    if isinstance(message, Unknown) or all(one.name != "tlvs" for one in message.FIELDS):
        kind = type_name(message.message_type if isinstance(message, Unknown) else message.TYPE)
        raise ClientError(f"a {kind} has no TLVs: no trace can travel in it")
    there: bytes = message.tlvs  # type: ignore[attr-defined]
    return message.replace(tlvs=there + build([context]))
