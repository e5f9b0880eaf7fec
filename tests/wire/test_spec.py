"""SPEC.md is what the code says, hangs together, and holds each correction to its sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocol import as_json, extensions, schema
from protocol.control import Heartbeat
from protocol.errors import ProtocolError, SchemaError
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side, Trade
from protocol.message import catalogue, decode
from protocol.spec import SPEC, enumerations, render, sections
from protocol.tlv import build
from relays.config import load
from relays.domains import DOMAINS

TEXT = SPEC.read_text()
ROOT = SPEC.parent.parent
HEADINGS = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
YES = {True: "yes", False: "no"}
EXAMPLES = re.findall(r"```json\n(.+?)```", TEXT, re.DOTALL)


def anchor(heading: str) -> str:
    """What a heading is linked as, on the usual places where Markdown is shown."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def sources() -> list[Path]:
    return [path for room in ("protocol", "relays") for path in (ROOT / room).rglob("*.py")]


def test_the_tables_of_the_specification_are_those_of_the_code() -> None:
    assert render(TEXT) == TEXT, "stale: run python -m protocol.spec"


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("| 44 | 8 | price |", "| 45 | 8 | price |"),
        ("| 1 | BUY | the aggressor or the order buys |", "| 1 | BUY | buys |"),
        ("| 5 | TraceContext | 25 |", "| 5 | TraceContext | 26 |"),
    ],
)
def test_a_stale_table_is_noticed(was: str, is_now: str) -> None:
    assert was in TEXT
    assert render(TEXT.replace(was, is_now, 1)) == TEXT


def test_every_table_stands_in_the_specification_once() -> None:
    for name in sections():
        assert TEXT.count(f"<!-- begin {name} -->") == 1


def test_a_table_nobody_can_write_is_an_error() -> None:
    with pytest.raises(ProtocolError, match=r"SPEC\.md, table nonsense: expected header or "):
        render("<!-- begin nonsense -->\n<!-- end nonsense -->")


def test_every_field_of_every_message_says_what_it_means() -> None:
    for cls in [*catalogue().values(), *extensions.catalogue().values()]:
        assert cls.__doc__
        assert all(field.declared.meaning for field in cls.FIELDS)


def test_every_class_and_enumeration_has_its_heading_once() -> None:
    titles = [f"{c.__name__}, type {c.TYPE} version {c.VERSION}" for c in catalogue().values()]
    titles += [f"{c.__name__}, TLV {c.TYPE}" for c in extensions.catalogue().values()]
    titles += [names.__name__ for names in enumerations()]
    assert {title: HEADINGS.count(title) for title in titles} == dict.fromkeys(titles, 1)


def test_every_link_within_the_specification_leads_to_a_heading() -> None:
    anchors = [anchor(heading) for heading in HEADINGS]
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert {link: anchors.count(link) for link in links} == dict.fromkeys(links, 1)


def test_every_section_that_the_code_names_is_there() -> None:
    named = {
        (path.name, " ".join(section.split()))
        for path in sources()
        for found in re.findall(r"\(SPEC\.md, ([^();.]+)\)", path.read_text())
        for section in found.split(",")
    }
    assert {one for one in named if one[1] not in HEADINGS and "types " not in one[1]} == set()


def test_the_examples_in_json_are_true() -> None:
    message, declaration = EXAMPLES
    pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    trade = Trade(pair, price=6123450000000, volume=25000000, side=Side.BUY)
    assert as_json.load(message) == trade
    assert as_json.read(message) == as_json.plain(trade)
    pulse = schema.register(declaration)
    try:
        assert as_json.read(declaration) == {"name": "Pulse"} | schema.declaration(pulse)
    finally:
        schema.forget(pulse.TYPE, pulse.VERSION)


@pytest.mark.parametrize(
    "said",
    ["`repr(C)` and 32 bytes", "`message[..len-4]`", "`repr(C)`, 12 bytes", "LiquidityImbalance 96",
     "DeFiSignal base 256", "TertiaryVenue TLV 24", "bijective", "never collide", "chain id in u8",
     "1 ETH in wei", "41 hex digits", "hex::decode", "symbol_to_u64", "cached by `to_u64`",
     "from_utf8_lossy", "find_tlv_extension", "register_dynamic_schema", "profit_usd"],
)  # fmt: skip
def test_the_specification_corrects_what_the_source_documents_say(said: str) -> None:
    corrections = TEXT.split("## Corrections")[1]
    rows = [row for row in corrections.splitlines() if said in row]
    assert len(rows) == 1
    assert all(cell.strip() for cell in rows[0].strip("|").split("|")), "what, why, what holds"


def test_the_specification_has_the_defaults_of_the_relays() -> None:
    section = TEXT[TEXT.index("## Sessions") : TEXT.index("## Reject codes")]
    text = " ".join(section.split())
    for domain in DOMAINS.values():
        config = load(domain.name, environ={}).config
        assert Path(domain.socket("/")).name == f"{domain.name}.sock"
        said = [domain.name, f"`{domain.name}.sock`", f"{domain.types[0]}-{domain.types[-1]}"]
        said += [YES[config.validate_checksums], YES[config.require_sequence], config.on_lag]
        assert f"| {' | '.join(said)} |" in text
        assert f"max_payload {config.max_payload:,} bytes" in text
        assert f"frame_timeout {config.frame_timeout:g} s" in text
        assert f"plain_after {config.plain_after * 1000:g} ms" in text
        assert f"heartbeat_ms {config.heartbeat_ms:,}" in text
        assert f"else in `{config.runtime_dir}`" in text
        assert domain.name.upper() in text


def test_a_known_tlv_of_another_size_is_refused_by_its_reader_only() -> None:
    assert "a frame with a known TLV of another size" in TEXT
    beat = Heartbeat(position=7, tlvs=build([(1, b"short"), (5, bytes(25))]))
    assert decode(beat.frame()) == beat
    with pytest.raises(SchemaError):
        extensions.of(beat.tlvs)
