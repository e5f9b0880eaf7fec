"""Discovered objects: kinds, facts, collisions with both names, threads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import FrozenInstanceError
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FieldError, ProtocolError
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, PoolDiscovered
from protocol.message import Unknown, decode
from protocol.objects import Custom, IdCollisionError, Instrument, Known, Objects, Pool, Token
from tests.wire.strategies import ANY_MESSAGE

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
POOL_5 = "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"
POOL_30 = "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8"
TOKENS = InstrumentId.ethereum_token(USDC), InstrumentId.ethereum_token(WETH)
BY_TOKENS = InstrumentId.pool(VenueId.UNISWAP_V3, *TOKENS)
FACTS: dict[str, Any] = {
    "chain_id": 1,
    "address": POOL_5,
    "version": 3,
    "token0": USDC,
    "token1": WETH,
    "symbol0": "USDC",
    "symbol1": "WETH",
    "decimals0": 6,
    "decimals1": 18,
    "fee_ppm": 500,
}


def instrument(
    key: InstrumentId = BTC, symbol: str = "BTC-USDT", decimals: int = 8, **facts: object
) -> InstrumentDiscovered:
    metadata = json.dumps(facts).encode() if facts else b""
    return InstrumentDiscovered(key, decimals, symbol, metadata)


def pool(
    key: InstrumentId = BY_TOKENS, symbol: str = "USDC/WETH", **facts: object
) -> PoolDiscovered:
    metadata = json.dumps(facts).encode() if facts else b""
    return PoolDiscovered(key, 0, symbol, metadata)


def test_what_is_fed_is_found_by_its_id() -> None:
    objects = Objects()
    found = objects.feed(instrument())
    assert found == objects[BTC] == objects.get(BTC) == Instrument(BTC, "BTC-USDT", 8)
    assert objects.get(BY_TOKENS) is None
    with pytest.raises(KeyError):
        objects[BY_TOKENS]
    assert (BTC in objects, BY_TOKENS in objects, len(objects), list(objects)) == (
        True,
        False,
        1,
        [BTC],
    )


def test_a_pool_has_the_facts_of_its_metadata() -> None:
    objects = Objects()
    objects.feed(decode(pool(**FACTS, extra="kept").frame()))
    found = objects[BY_TOKENS]
    assert isinstance(found, Pool)
    lower = {name: v.lower() for name, v in FACTS.items() if isinstance(v, str) and v[:2] == "0x"}
    assert {name: getattr(found, name) for name in FACTS} == FACTS | lower
    assert found.metadata["extra"] == "kept"
    assert found.name == f"USDC/WETH at {POOL_5.lower()} on chain 1, fee 500 ppm"
    assert objects.feed(pool(InstrumentId(301, 3, 1))) == Pool(
        InstrumentId(301, 3, 1), "USDC/WETH", 0
    )


def test_each_kind_of_asset_has_its_class() -> None:
    objects = Objects()
    for kind in AssetType:
        objects.feed(instrument(InstrumentId(1, kind, 1), symbol=kind.name))
    objects.feed(instrument(InstrumentId(1, 99, 1), symbol="odd"))
    objects.feed(pool(InstrumentId(1, 99, 2), symbol="odd pool"))
    classes = {one.symbol: type(one) for one in objects.values()}
    assert classes.pop("TOKEN") is Token
    assert classes.pop("POOL") is Pool
    assert classes.pop("odd") is Custom
    assert classes.pop("odd pool") is Pool
    assert set(classes.values()) == {Instrument}
    assert [one.symbol for one in objects.of(Pool)] == ["POOL", "odd pool"]
    assert len(objects.of(Known)) == len(objects) == 10


def test_a_token_is_known_by_its_contract() -> None:
    objects = Objects()
    key = TOKENS[0]
    objects.feed(instrument(key, "USDC", 6, chain_id=1, address=USDC))
    renamed = objects.feed(instrument(key, "USDCoin", 6, address=USDC.lower()))
    assert (
        renamed
        == objects[key]
        == Token(key, "USDCoin", 6, {"chain_id": 1, "address": USDC.lower()}, 1, USDC.lower())
    )
    other = USDC[:18] + "00" * 12
    with pytest.raises(IdCollisionError) as info:
        objects.feed(instrument(key, "USDCoin", 6, address=other))
    assert f"USDCoin at {USDC.lower()} on chain 1" in str(info.value)
    assert f"USDCoin at {other.lower()}" in str(info.value)


@given(ANY_MESSAGE)
def test_other_messages_are_ignored(message: object) -> None:
    objects = Objects()
    if not isinstance(message, InstrumentDiscovered | PoolDiscovered):
        assert objects.feed(message) is None
        assert len(objects) == 0
    assert objects.feed(Unknown(10, 2, b"")) is None


def test_the_same_name_again_updates_and_keeps_what_is_not_said_again() -> None:
    objects = Objects()
    objects.feed(instrument(decimals=8, tick="0.01", lot="1"))
    assert objects.feed(instrument(decimals=5, lot="2")) is objects[BTC]
    assert (objects[BTC].decimals, dict(objects[BTC].metadata)) == (5, {"tick": "0.01", "lot": "2"})
    objects.feed(pool(**FACTS))
    objects.feed(pool(decimals1=17, fee_ppm=500))
    objects.feed(pool())
    found = objects[BY_TOKENS]
    assert isinstance(found, Pool)
    assert (found.fee_ppm, found.address, found.decimals1) == (500, POOL_5.lower(), 17)
    assert len(objects) == 2


def test_an_id_of_two_symbols_raises_with_both_names_and_keeps_the_first() -> None:
    objects = Objects()
    objects.feed(instrument())
    with pytest.raises(IdCollisionError) as info:
        objects.feed(instrument(symbol="BTCU-SDT"))
    assert "Binance spot BTCUSDT: expected BTC-USDT, got 'BTCU-SDT'" in str(info.value)
    assert isinstance(info.value, ProtocolError)
    assert objects[BTC].symbol == "BTC-USDT"


def test_pools_of_one_pair_and_two_fees_collide_when_their_ids_come_from_the_tokens() -> None:
    objects = Objects()
    objects.feed(pool(**FACTS))
    with pytest.raises(IdCollisionError) as info:
        objects.feed(pool(**FACTS | {"address": POOL_30, "fee_ppm": 3_000}))
    assert POOL_5.lower() in str(info.value)
    assert POOL_30.lower() in str(info.value)
    by_address = [InstrumentId.pool_from_address(VenueId.UNISWAP_V3, a) for a in (POOL_5, POOL_30)]
    objects.feed(pool(by_address[0], **FACTS))
    objects.feed(pool(by_address[1], **FACTS | {"address": POOL_30}))
    assert len(objects) == 3


def test_one_address_on_two_chains_is_two_pools() -> None:
    objects = Objects()
    objects.feed(pool(address=POOL_5))
    objects.feed(pool(address=POOL_5.lower(), chain_id=1, symbol="renamed"))
    with pytest.raises(IdCollisionError, match="on chain 137"):
        objects.feed(pool(address=POOL_5, chain_id=137))


def test_a_pool_without_an_address_is_known_by_its_symbol() -> None:
    objects = Objects()
    objects.feed(pool())
    objects.feed(pool(**FACTS))
    with pytest.raises(IdCollisionError, match="got 'WBTC/WETH'"):
        objects.feed(pool(symbol="WBTC/WETH"))
    with pytest.raises(IdCollisionError):
        objects.feed(pool(address=POOL_30))


@pytest.mark.parametrize("with_address", [False, True])
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("address", POOL_30),
        ("chain_id", 137),
        ("version", 2),
        ("token0", WETH),
        ("token1", USDC),
        ("fee_ppm", 3_000),
    ],
)
def test_pools_that_differ_in_what_both_say_of_themselves_are_two(
    name: str, other: Any, with_address: bool
) -> None:
    kept = set(FACTS) if with_address else set(FACTS) - {"address"} | {name}
    facts: dict[str, Any] = {fact: value for fact, value in FACTS.items() if fact in kept}
    objects = Objects()
    before = objects.feed(pool(**facts))
    with pytest.raises(IdCollisionError, match=f"two things have this id: {name} .* and ") as info:
        objects.feed(pool(**facts | {name: other}))
    assert before is not None
    assert before.name in str(info.value)
    assert objects[BY_TOKENS] is before
    del facts[name]
    objects.feed(pool(**facts))
    with pytest.raises(IdCollisionError):
        objects.feed(pool(**{"symbol": "USDC/WETH", name: other}))


def test_ids_of_two_fee_tiers_made_from_one_pair_collide_with_both_names() -> None:
    objects = Objects()
    objects.feed(pool(fee_ppm=500))
    with pytest.raises(IdCollisionError) as info:
        objects.feed(pool(fee_ppm=3_000))
    text = "expected USDC/WETH, fee 500 ppm, got 'USDC/WETH, fee 3000 ppm' (two things have this id"
    assert text in str(info.value)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        (b"{", "pool_discovered.metadata: expected nothing or a JSON object, got b'{' ("),
        (b"\xff", "pool_discovered.metadata: expected nothing or a JSON object"),
        (b"[]", "pool_discovered.metadata: expected nothing or a JSON object, got b'[]'"),
        (b'{"a":1,"a":1}', "pool_discovered.metadata: expected nothing or a JSON object"),
        (b'{"address":"0x12"}', "pool_discovered.metadata.address: expected 0x and 40 hex digits"),
        (b'{"token0":5}', "pool_discovered.metadata.token0: expected 0x and 40 hex digits, got 5"),
        (b'{"symbol0":5}', "pool_discovered.metadata.symbol0: expected text, got 5"),
        (b'{"fee_ppm":-1}', "pool_discovered.metadata.fee_ppm: expected 0 to 1000000, got -1"),
        (b'{"fee_ppm":true}', "pool_discovered.metadata.fee_ppm: expected 0 to 1000000, got True"),
        (b'{"version":3.0}', "pool_discovered.metadata.version: expected 0 to 255, got 3.0"),
    ],
)
def test_metadata_that_break_the_convention_are_refused(metadata: bytes, text: str) -> None:
    objects = Objects()
    before = objects.feed(pool(**FACTS))
    with pytest.raises(FieldError) as info:
        objects.feed(PoolDiscovered(BY_TOKENS, 0, "USDC/WETH", metadata))
    assert str(info.value).startswith(text)
    assert objects[BY_TOKENS] is before


def test_a_programs_own_objects_are_kept_under_their_names() -> None:
    objects = Objects()
    key = InstrumentId(900, 200, 5)
    assert objects.put(key, "basket", [1]) == Custom(key, "basket", 0, value=[1])
    assert objects.put(key, "basket", [2]).value == [2]
    assert objects[key] == Custom(key, "basket", 0, value=[2])
    with pytest.raises(IdCollisionError, match="expected basket, got 'other'"):
        objects.put(key, "other", [3])
    objects.feed(instrument())
    with pytest.raises(IdCollisionError):
        objects.put(BTC, "BTC-USDT", [4])
    assert objects.of(Custom) == [Custom(key, "basket", 0, value=[2])]


def test_what_is_known_does_not_change_in_somebodys_hands() -> None:
    objects = Objects()
    found = objects.feed(instrument(lot="1"))
    assert found is not None
    with pytest.raises(FrozenInstanceError):
        found.symbol = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.metadata["lot"] = "2"  # type: ignore[index]
    assert len({found, objects[BTC]}) == 1


def test_there_is_a_most_and_what_is_known_can_still_be_updated() -> None:
    objects = Objects(most=1)
    objects.feed(instrument())
    with pytest.raises(ProtocolError, match="discovered objects: expected at most 1"):
        objects.feed(pool())
    assert objects.feed(instrument(decimals=3)) is objects[BTC]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 9))))
def test_an_id_never_has_two_names(fed: list[tuple[int, str, int]]) -> None:
    objects, names = Objects(), dict[int, str]()
    for key, symbol, decimals in fed:
        message = instrument(InstrumentId(1, 4, key), symbol, decimals)
        if names.setdefault(key, symbol) == symbol:
            found = objects.feed(message)
            assert found is not None
            assert found.decimals == decimals
        else:
            with pytest.raises(IdCollisionError):
                objects.feed(message)
    assert {one.id.asset_id: one.symbol for one in objects.values()} == names


def test_threads_read_while_others_feed_and_every_collision_is_found() -> None:
    objects, together, count = Objects(), Barrier(5), 500
    keys = [InstrumentId(1, 4, n) for n in range(count)]

    def feed(symbol: str) -> int:
        together.wait(60)
        collisions = 0
        for key in keys:
            try:
                objects.feed(instrument(key, symbol))
            except IdCollisionError:
                collisions += 1
        return collisions

    def look() -> set[str]:
        together.wait(60)
        seen: set[str] = set()
        while len(objects) < count:
            seen |= {one.symbol for one in objects.values()}
            for key in objects:
                assert objects[key].id == key
        return seen

    with ThreadPoolExecutor(5) as pool:
        feeders = [pool.submit(feed, symbol) for symbol in ("a", "a", "b")]
        readers = [pool.submit(look) for _ in range(2)]
        same, again, other = (feeder.result(timeout=60) for feeder in feeders)
        assert all(reader.result(timeout=60) <= {"a", "b"} for reader in readers)
    with_b = sum(one.symbol == "b" for one in objects.values())
    assert len(objects) == count
    assert same == again == with_b
    assert other == count - with_b


class Hurried(dict[InstrumentId, Known]):
    """A dict whose every look waits for another thread to look too, as long as that may come."""

    def __init__(self, known: dict[InstrumentId, Known]) -> None:
        super().__init__(known)
        self._together = Barrier(2)

    def _wait(self) -> None:
        with suppress(BrokenBarrierError):
            self._together.wait(0.3)

    def get(self, key: InstrumentId, default: Any = None) -> Any:
        found = super().get(key, default)
        self._wait()
        return found

    def setdefault(self, key: InstrumentId, default: Any = None) -> Any:
        found = super().setdefault(key, default)
        self._wait()
        return found

    def __getitem__(self, key: InstrumentId) -> Known:
        found = super().__getitem__(key)
        self._wait()
        return found

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        self._wait()
        return found

    def __len__(self) -> int:
        found = super().__len__()
        self._wait()
        return found


def fed_by_two(objects: Objects, messages: list[Any]) -> Iterator[Known | IdCollisionError]:
    """What each of two threads gets that feed a message each and look before either replaces."""
    objects._known = Hurried(objects._known)

    def feed(message: Any) -> Known | IdCollisionError | None:
        try:
            return objects.feed(message)
        except IdCollisionError as error:
            return error

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(feed, one) for one in messages]:
            result = done.result(timeout=60)
            assert result is not None
            yield result


@pytest.mark.parametrize("known", [[], [pool()]], ids=["first sight", "update"])
def test_of_two_feeders_with_different_things_for_one_id_one_is_told(known: list[Any]) -> None:
    objects = Objects()
    for message in known:
        objects.feed(message)
    different = [pool(address=POOL_5), pool(address=POOL_30)]
    results = list(fed_by_two(objects, different))
    kept = [one for one in results if isinstance(one, Pool)]
    assert len(kept) == 1
    assert objects[BY_TOKENS] == kept[0]
    other = {POOL_5.lower(), POOL_30.lower()} - {kept[0].address}
    refused = next(one for one in results if isinstance(one, IdCollisionError))
    assert other.pop() in str(refused)


def test_of_two_feeders_with_different_facts_of_one_thing_both_are_kept() -> None:
    objects = Objects()
    objects.feed(pool())
    list(fed_by_two(objects, [pool(symbol0="USDC"), pool(symbol1="WETH")]))
    found = objects[BY_TOKENS]
    assert isinstance(found, Pool)
    assert (found.symbol0, found.symbol1) == ("USDC", "WETH")


def test_two_feeders_do_not_get_past_the_most() -> None:
    objects = Objects(most=1)
    objects._known = Hurried({})
    messages = [instrument(InstrumentId(1, 4, n)) for n in range(2)]
    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(objects.feed, one) for one in messages]
        errors = [one.exception(timeout=60) for one in done]
    assert sorted(type(one).__name__ for one in errors) == ["NoneType", "ProtocolError"]
    assert len(list(objects)) == 1


def test_threads_with_addresses_leave_one_pool_an_id_and_tell_all_others() -> None:
    addresses, count, together = [f"0x{n:040x}" for n in range(1, 5)], 100, Barrier(4)
    objects, keys = Objects(), [InstrumentId(301, 3, n) for n in range(count)]
    for key in keys:
        objects.feed(pool(key))

    def feed(address: str) -> dict[InstrumentId, str]:
        together.wait(60)
        won = {}
        for key in keys:
            with suppress(IdCollisionError):
                objects.feed(pool(key, address=address))
                won[key] = address
        return won

    with ThreadPoolExecutor(4) as threads:
        won = [one.result(timeout=60) for one in [threads.submit(feed, a) for a in addresses]]
    assert sum(map(len, won)) == count
    kept = {key: one.address for key, one in objects.items() if isinstance(one, Pool)}
    assert kept == {key: address for one in won for key, address in one.items()}
