"""A relay whose memory file system is full: it says so to who needs more, and goes on."""

from __future__ import annotations

import errno
import os

import pytest

from protocol.control import Error, Welcome
from protocol.message import decode
from protocol.reject import Reject
from tests.daemon.fake_edge import World
from tests.harness import frame, hello, split


def test_a_producer_for_whom_there_is_no_memory_is_told_and_takes_no_place_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(require_sequence=True, max_producers=1)

    def full(place: int) -> memoryview:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(world.relay.hub.producers, "_window", full)
        for _ in range(3):
            _, sock = world.connect()
            world.send(sock, hello(2, producer_id=7))
            (said,) = split(bytes(sock.got))
            error = decode(said)
            assert isinstance(error, Error)
            assert error.code == Reject.TOO_MANY_CONNECTIONS
            assert error.text == "there is no memory for another producer: No space left on device"
            assert sock.closed
    _, sock = world.connect()
    world.send(sock, hello(2, producer_id=7), frame(1))
    welcome = decode(next(split(bytes(sock.got))))
    assert isinstance(welcome, Welcome)
    assert world.relay.hub.log.end == 1
    world.accounted()
