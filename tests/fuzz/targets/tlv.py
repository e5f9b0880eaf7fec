"""TLVs: read forwards, found and written again they are the same bytes, or they are refused.

With what is known of their payloads: every extension comes back as it was, and through JSON too.
"""

from __future__ import annotations

from protocol import extensions, tlv
from protocol.as_json import dump, load_extension
from protocol.control import Heartbeat
from protocol.errors import ProtocolError, TlvError
from protocol.structure import Extension
from protocol.tlv import Tlv
from tests.fuzz.target import Target, exact, golden

MOST = 4  # of a long list only the first are looked at one by one


def run(data: bytes) -> None:
    buffer = exact(data)
    try:
        found = list(tlv.iterate(buffer))
    except TlvError as error:
        _refused_everywhere(data, str(error))
        return
    assert tlv.build(found) == data
    assert [(kind, bytes(payload)) for kind, payload in tlv.views(buffer)] == found
    for kind in {one.type for one in found[:MOST]}:
        assert tlv.find(buffer, kind) == [one.payload for one in found if one.type == kind]
    if len(data) < 65_536 - 64:
        longer = Heartbeat.decode(tlv.append(Heartbeat(position=7).frame(), found))
        assert longer.tlvs == data
    _typed(data, found)


def _refused_everywhere(data: bytes, said: str) -> None:
    for read in (tlv.views, tlv.iterate, extensions.of):
        try:
            list(read(data))
        except ProtocolError as error:
            if read is not extensions.of and str(error) != said:
                raise AssertionError(f"{said}, and: {error}") from None
        else:
            raise AssertionError(f"only one of two refuses: {said}")


def _typed(data: bytes, found: list[Tlv]) -> None:
    """Each with what its payload says, where that is known."""
    for one in found[:MOST]:
        try:
            (typed,) = extensions.of(tlv.build([one]))
        except ProtocolError:
            continue
        assert typed.tlv() == one if isinstance(typed, Extension) else typed == one
        if isinstance(typed, Extension):
            assert load_extension(dump(typed)) == typed
    try:
        extensions.of(data)
    except ProtocolError:
        return


def seeds() -> list[bytes]:
    kept = [b"", tlv.build([(1, b"desk-7"), (2, b""), (150, bytes(255))])]
    for cls in extensions.catalogue().values():
        kept.append(tlv.build([(cls.TYPE, bytes(cls.PAYLOAD_SIZE))]))
    for frame in golden("valid"):
        if (frame + bytes(5))[4] in (37, 100, 104):
            kept += [frame[at:] for at in (48, 96, 312) if len(frame) > at]
    return kept


TARGET = Target(run, seeds, largest=2048)
