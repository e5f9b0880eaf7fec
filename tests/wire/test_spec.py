"""SPEC.md is what the code says, and holds each correction to the source documents."""

from __future__ import annotations

import pytest

from protocol.errors import ProtocolError
from protocol.message import catalogue
from protocol.spec import SPEC, render, sections

TEXT = SPEC.read_text()


def test_the_tables_of_the_specification_are_those_of_the_code() -> None:
    assert render(TEXT) == TEXT, "stale: run python -m protocol.spec"


def test_a_stale_table_is_noticed() -> None:
    assert render(TEXT.replace("| 44 | 8 | price |", "| 45 | 8 | price |", 1)) == TEXT


def test_every_table_stands_in_the_specification_once() -> None:
    for name in sections():
        assert TEXT.count(f"<!-- begin {name} -->") == 1


def test_a_table_nobody_can_write_is_an_error() -> None:
    with pytest.raises(ProtocolError, match=r"SPEC\.md, table nonsense: expected header or "):
        render("<!-- begin nonsense -->\n<!-- end nonsense -->")


def test_every_field_of_every_message_says_what_it_means() -> None:
    for cls in catalogue().values():
        assert cls.__doc__
        assert all(field.declared.meaning for field in cls.FIELDS)


@pytest.mark.parametrize(
    "said",
    ["`repr(C)` and 32 bytes", "`message[..len-4]`", "`repr(C)`, 12 bytes", "LiquidityImbalance 96",
     "DeFiSignal base 256", "TertiaryVenue TLV 24", "bijective", "never collide", "chain id in u8",
     "1 ETH in wei", "41 hex digits"],
)  # fmt: skip
def test_the_specification_corrects_what_the_source_documents_say(said: str) -> None:
    corrections = TEXT.split("## Corrections")[1]
    assert said in corrections
