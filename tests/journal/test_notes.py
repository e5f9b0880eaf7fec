"""What the notes of commits in memory say beside the files: of producers, of times, and of
what consumers were shown."""

from __future__ import annotations

from protocol._core.journal import INTERVAL, Writer, journal_set
from protocol._core.journal_words import noted_since
from protocol._core.state import State
from tests.daemon.fake_edge import World
from tests.harness import frame, hello
from tests.journal.handmade import PAGE


def test_a_producer_that_came_back_has_what_it_said_last_also_where_the_clock_was_set_back() -> (
    None
):
    place = World(max_producers=2)
    journal_set(place.state, on=1)
    writer = Writer(place.state, -1, -1)
    writer.begin(0, header_size=PAGE, file_size=1 << 20, first_offset=0, seed=0, chain=0)

    def sends(producer_id: int, *sequences: int) -> None:
        peer, sock = place.connect(uid=7)
        place.send(sock, hello(2, producer_id=producer_id))
        place.send(sock, *(frame(n, timestamp=5) for n in sequences))
        sock.over = True
        place.relay._let_go(place.relay.connections[peer.number])
        while writer.take():
            writer.wrote(safe=True)

    sends(1, 1, 2, 3)
    sends(2, 1)
    sends(3)  # the first is forgotten for it
    place.clock.set(-3600 * 10**9)
    sends(1, 8, 9)  # and comes back, in the place of the second
    known = {producer_id: last for _, producer_id, last, _ in writer.producers()}
    assert known[1] == 9


def test_a_time_is_found_also_where_only_memory_has_it() -> None:
    place = World()
    journal_set(place.state, on=1)
    _, sock = place.connect()
    for number in range(1, 11):
        place.clock.time += 1000
        place.send(sock, frame(number, timestamp=5))
    begin, found = place.clock.time - 10_000, []
    for files_say in (6, 8, 10):  # they begin there, or end
        found.append(
            [noted_since(place.state, files_say, begin + ago) for ago in (0, 3500, 99_000)]
        )
    assert found == [[0, 3, 10]] * 3


def test_what_consumers_were_shown_stays_shown_when_a_file_failed_and_the_relay_died() -> None:
    place = World()
    journal_set(place.state, on=1)
    writer = Writer(place.state, -1, -1)
    writer.begin(0, header_size=PAGE, file_size=1 << 20, first_offset=0, seed=0, chain=0)
    writer.show(INTERVAL)
    _, sock = place.connect()
    place.send(sock, *(frame(n, timestamp=5) for n in (1, 2, 3)))
    assert writer.take()
    writer.wrote()
    writer.show(INTERVAL)
    place.send(sock, frame(4, timestamp=5))
    writer.rewind()
    adopted = State(place.state.memory, place.state.ring)
    Writer(adopted, -1, -1).show(INTERVAL)
    assert adopted.shown_position == 3
