"""The known TLVs as classes: one for every row of the table (SPEC.md, TLV extensions).

Called by programs that build or read extended messages, above all DeFiSignal. The bytes around a
payload and their order in a message are `protocol.tlv`'s; the TLVs of Hello have numbers of their
own and are `protocol.control`'s. What a strategy puts into its own TLVs
(100-199) is declared by that strategy: `class Mine(Extension, type=150)`, then `register(Mine)`.
"""

from enum import IntEnum
from typing import Any, Self, TypeVar

from protocol.chains import Lender, PoolType
from protocol.errors import FieldError, SchemaError, TlvError
from protocol.fields import (
    I64,
    U8,
    U16,
    U32,
    U64,
    U128,
    Bytes8,
    Bytes16,
    Bytes20,
    Bytes32,
    field,
    pad,
)
from protocol.framing import Buffer
from protocol.structure import Extension
from protocol.tlv import Tlv, iterate

CUSTOM = range(100, 200)
TRACEPARENT = "00-<32 hex digits>-<16 hex digits>-<2 hex digits>, lower case"
NOBODY = bytes(20)

E = TypeVar("E", bound=Extension | Tlv)


class Submission(IntEnum):
    """The way a bundle goes to block builders; other numbers are data.

    * NOT_SET: the sender does not mind.
    * FLASHBOTS: the relay of Flashbots.
    * MEV_SHARE: MEV-Share, which gives users a part.
    """

    NOT_SET = 0
    FLASHBOTS = 1
    MEV_SHARE = 2


class SlippageCurve(IntEnum):
    """The shape of expected slippage over size; other numbers are data.

    * NOT_SET: not said.
    * CONSTANT: the same for every size.
    * LINEAR: grows with size.
    * SQUARE_ROOT: grows with the square root of size.
    * POWER: grows with size to the power of exponent.
    """

    NOT_SET = 0
    CONSTANT = 1
    LINEAR = 2
    SQUARE_ROOT = 3
    POWER = 4


class LendingProtocol(IntEnum):
    """Where a loan is that can be liquidated; other numbers are data.

    * NOT_SET: not said.
    * AAVE_V2: Aave version 2.
    * AAVE_V3: Aave version 3.
    * COMPOUND_V2: Compound version 2.
    * COMPOUND_V3: Compound version 3.
    * MAKER: a vault of Maker.
    """

    NOT_SET = 0
    AAVE_V2 = 1
    AAVE_V3 = 2
    COMPOUND_V2 = 3
    COMPOUND_V3 = 4
    MAKER = 5


class GasStrategy(IntEnum):
    """What matters more, time or gas; other numbers are data.

    * NOT_SET: not said.
    * FASTEST: the next block, whatever it costs up to max_fee_per_gas_wei.
    * BALANCED: within a few blocks.
    * CHEAPEST: as cheap as it gets within wait_blocks.
    """

    NOT_SET = 0
    FASTEST = 1
    BALANCED = 2
    CHEAPEST = 3


class Bridge(IntEnum):
    """What carries tokens between chains; other numbers are data.

    * NOT_SET: not said.
    * CANONICAL: the bridge of the layer 2 itself.
    * ACROSS: Across.
    * STARGATE: Stargate.
    * CCTP: Circle's transfer of USDC.
    * WORMHOLE: Wormhole.
    * HOP: Hop.
    """

    NOT_SET = 0
    CANONICAL = 1
    ACROSS = 2
    STARGATE = 3
    CCTP = 4
    WORMHOLE = 5
    HOP = 6


class Rollup(IntEnum):
    """How a layer 2 proves its state to layer 1; other numbers are data.

    * NOT_SET: not said.
    * OPTIMISTIC: taken as right until somebody proves it wrong.
    * ZERO_KNOWLEDGE: proven right with every batch.
    * VALIDIUM: proven right, its data kept elsewhere.
    """

    NOT_SET = 0
    OPTIMISTIC = 1
    ZERO_KNOWLEDGE = 2
    VALIDIUM = 3


class PoolAddresses(Extension, type=1):
    """The pools of a signal's two venues, 42 bytes; for quoter calls.

    >>> pools = PoolAddresses(venue_a_pool=b"a" * 20, venue_b_pool=b"b" * 20)
    >>> len(pools.payload), pools.tlv().type
    (42, 1)
    """

    venue_a_pool: Bytes20 = field("pool contract on venue A")
    venue_b_pool: Bytes20 = field("pool contract on venue B; zeros = none", default=NOBODY)
    _reserved = pad(2)


class TertiaryVenue(Extension, type=2):
    """The third venue of a triangular arbitrage, 30 bytes.

    >>> third = TertiaryVenue(venue_c_router=b"c" * 20, venue_c_type=2, fee_c_ppm=3_000)
    >>> third.venue_c_type.name, len(third.payload)
    ('UNISWAP_V3', 30)
    """

    venue_c_router: Bytes20 = field("router contract")
    venue_c_type: U8 = field("how its pools price", names=PoolType)
    fee_c_ppm: U32 = field("fee of a swap", unit="1e-6", within=((0, 1_000_000),))
    _reserved = pad(5)


class MEVBundle(Extension, type=3):
    """How a bundle is sent to block builders, 43 bytes.

    >>> bundle = MEVBundle(target_builder=4, bundle_uuid=5, priority_fee_gwei=2)
    >>> bundle.target_block_range, len(bundle.payload)
    (1, 43)
    """

    target_builder: U32 = field("the builder preferred; 0 any", default=0)
    bundle_uuid: U32 = field("ties the bundle's signals together", default=0)
    max_bundle_size: U8 = field("most transactions; 0 any", unit="transactions", default=0)
    priority_fee_gwei: U64 = field("tip per gas", unit="gwei", default=0)
    target_block_range: U8 = field("how far ahead to aim", unit="blocks", default=1)
    submission_strategy: U8 = field("the way it goes", names=Submission, default=0)
    relay_preferences: U64 = field("bit n = the relay with number n will do", default=0)
    _reserved = pad(16)


class SlippageModel(Extension, type=4):
    """Slippage expected of a trade of some size, 48 bytes.

    With r = size / reference_size, it is intercept + slope * f(r), where f(r) is 0 (CONSTANT),
    r (LINEAR), the square root of r (SQUARE_ROOT) or r to the power of exponent (POWER).

    >>> model = SlippageModel(SlippageCurve.LINEAR, intercept=5_000, slope=200_000,
    ...     reference_size_q=10 << 64)
    >>> model.model.name, len(model.payload)
    ('LINEAR', 48)
    """

    model: U8 = field("the curve", names=SlippageCurve)
    _start = pad(7)
    intercept: I64 = field("slippage of an infinitely small trade", unit="1e-8", default=0)
    slope: I64 = field("what f(r) is multiplied by", unit="1e-8", default=0)
    exponent: U64 = field("of POWER only", unit="1e-8", default=0)
    reference_size_q: U128 = field("what size is divided by", unit="Q64.64 base token", default=0)


class TraceContext(Extension, type=5):
    """W3C trace context (the fields of `traceparent`), 25 bytes: ties messages to a trace.

    A trace_id or parent_id of zeros names none and is refused. Unknown flags are passed on.

    >>> trace = TraceContext(trace_id=bytes(range(16)), parent_id=b"span-007", flags=1)
    >>> trace.traceparent
    '00-000102030405060708090a0b0c0d0e0f-7370616e2d303037-01'
    >>> TraceContext.of(trace.traceparent) == trace, len(trace.payload)
    (True, 25)
    """

    trace_id: Bytes16 = field("the trace, not zeros")
    parent_id: Bytes8 = field("the span that sent this, not zeros")
    flags: U8 = field("bit 0 = sampled", default=0)

    @classmethod
    def of(cls, traceparent: str) -> Self:
        """From the text of an HTTP header `traceparent`; FieldError when it is not one."""
        version, *parts = traceparent.split("-")
        sizes = [len(part) for part in parts]
        digits = set("".join(parts)) <= set("0123456789abcdef")
        if version != "00" or sizes != [32, 16, 2] or not digits:
            raise FieldError("TraceContext", expected=TRACEPARENT, got=traceparent)
        trace, parent, flags = map(bytes.fromhex, parts)
        return cls(trace, parent, flags[0])

    @property
    def traceparent(self) -> str:
        """The text of an HTTP header `traceparent`, version 00."""
        return f"00-{self.trace_id.hex()}-{self.parent_id.hex()}-{self.flags:02x}"

    @property
    def sampled(self) -> bool:
        """Whether the caller may have recorded the trace."""
        return bool(self.flags & 1)

    def check(self) -> None:
        for name in ("trace_id", "parent_id"):
            if not any(getattr(self, name)):
                raise FieldError(f"TraceContext.{name}", expected="not only zeros")


class FlashLoanParams(Extension, type=11):
    """A loan taken and repaid within the transaction, 64 bytes.

    >>> loan = FlashLoanParams(Lender.AAVE_V3, fee_ppm=500, pool=b"p" * 20, token=b"t" * 20,
    ...     amount_wei=10**21)
    >>> loan.amount_wei * loan.fee_ppm // 1_000_000
    500000000000000000
    """

    provider: U8 = field("who lends", names=Lender)
    _start = pad(3)
    fee_ppm: U32 = field("fee on amount_wei", unit="1e-6", within=((0, 1_000_000),))
    pool: Bytes20 = field("contract that lends")
    token: Bytes20 = field("contract of the token borrowed")
    amount_wei: U128 = field("amount borrowed", unit="smallest unit of token")


class LiquidationTarget(Extension, type=12):
    """A loan that can be liquidated, 96 bytes.

    >>> target = LiquidationTarget(LendingProtocol.AAVE_V3, close_factor_ppm=500_000,
    ...     bonus_ppm=50_000, borrower=b"b" * 20, debt_token=b"d" * 20, collateral_token=b"c" * 20,
    ...     health_factor=97_000_000, debt_to_cover_wei=10**24)
    >>> target.health_factor < 10**8, len(target.payload)
    (True, 96)
    """

    protocol: U8 = field("where the loan is", names=LendingProtocol)
    _start = pad(3)
    close_factor_ppm: U32 = field(
        "part of the debt that may be repaid", unit="1e-6", within=((0, 1_000_000),)
    )
    bonus_ppm: U32 = field("collateral paid on top", unit="1e-6", within=((0, 1_000_000),))
    borrower: Bytes20 = field("account that owes")
    debt_token: Bytes20 = field("contract of the token owed")
    collateral_token: Bytes20 = field("contract of the token pledged")
    health_factor: U64 = field("below 1e8 it can be liquidated", unit="1e-8")
    debt_to_cover_wei: U128 = field("debt to repay", unit="smallest unit of debt_token")


class SandwichParams(Extension, type=13):
    """A transaction to be surrounded, and how, 112 bytes.

    >>> around = SandwichParams(victim_tx_hash=b"h" * 32, victim_amount_in_wei=10**19,
    ...     victim_min_out_wei=9 * 10**18, frontrun_amount_wei=10**18, backrun_amount_wei=10**18)
    >>> len(around.payload)
    112
    """

    victim_tx_hash: Bytes32 = field("hash of the pending transaction")
    victim_amount_in_wei: U128 = field("what it sells", unit="smallest unit")
    victim_min_out_wei: U128 = field("the least it accepts", unit="smallest unit")
    frontrun_amount_wei: U128 = field("to sell before it", unit="smallest unit")
    backrun_amount_wei: U128 = field("to sell after it", unit="smallest unit")
    max_gas_price_gwei: U64 = field("most to pay per gas; 0 any", unit="gwei", default=0)
    victim_slippage_bps: U16 = field("slippage it allows", unit="1/10,000", default=0)
    _end = pad(6)


class GasOptimization(Extension, type=21):
    """Hints on gas and its price (EIP-1559), 40 bytes.

    >>> hints = GasOptimization(gas_limit=350_000, max_fee_per_gas_wei=30 * 10**9)
    >>> hints.gas_limit * hints.max_fee_per_gas_wei, len(hints.payload)
    (10500000000000000, 40)
    """

    gas_limit: U64 = field("most gas to use", unit="gas")
    max_fee_per_gas_wei: U64 = field("most to pay per gas, tip included", unit="wei")
    max_priority_fee_wei: U64 = field("most to tip per gas", unit="wei", default=0)
    base_fee_wei: U64 = field("base fee of the block observed", unit="wei", default=0)
    wait_blocks: U32 = field("how long to wait for cheaper gas", unit="blocks", default=0)
    strategy: U8 = field("time or gas first", names=GasStrategy, default=0)
    _end = pad(3)


class CrossChain(Extension, type=22):
    """A transfer to another chain, 96 bytes.

    >>> over = CrossChain(source_chain_id=1, destination_chain_id=42161, bridge=Bridge.ACROSS,
    ...     bridge_fee_ppm=400, bridge_contract=b"b" * 20, recipient=b"r" * 20,
    ...     destination_token=b"t" * 20, max_seconds=60, min_received_wei=10**18)
    >>> over.bridge.name, len(over.payload)
    ('ACROSS', 96)
    """

    source_chain_id: U32 = field("EVM chain id it leaves")
    destination_chain_id: U32 = field("EVM chain id it goes to")
    bridge: U8 = field("what carries it", names=Bridge)
    _start = pad(3)
    bridge_fee_ppm: U32 = field("fee", unit="1e-6", within=((0, 1_000_000),))
    bridge_contract: Bytes20 = field("the bridge, on the chain it leaves")
    recipient: Bytes20 = field("account it goes to")
    destination_token: Bytes20 = field("contract of the token received")
    max_seconds: U32 = field("longest it may take; 0 any", unit="s")
    min_received_wei: U128 = field("the least to receive", unit="smallest unit")


class Layer2Params(Extension, type=23):
    """What executing on a layer 2 costs and how final it is, 56 bytes.

    >>> rollup = Layer2Params(Rollup.OPTIMISTIC, chain_id=8453, l1_base_fee_wei=20 * 10**9)
    >>> rollup.rollup.name, len(rollup.payload)
    ('OPTIMISTIC', 56)
    """

    rollup: U8 = field("how it proves its state", names=Rollup)
    _start = pad(3)
    chain_id: U32 = field("EVM chain id of the layer 2")
    l1_base_fee_wei: U64 = field("base fee of layer 1 per gas", unit="wei", default=0)
    l1_blob_base_fee_wei: U64 = field("blob base fee of layer 1 per gas", unit="wei", default=0)
    l1_data_fee_wei: U128 = field("fee for the transaction's data", unit="wei", default=0)
    l1_block: U64 = field("layer 1 block these are of; 0 unknown", default=0)
    finality_seconds: U32 = field("until layer 1 has it for good", unit="s", default=0)
    sequencer_ms: U32 = field("until the sequencer answers", unit="ms", default=0)


class CustomStrategy(Tlv):
    """A TLV of a strategy's own, type 100-199, whose content only that strategy knows.

    TlvError for another type. Give it a class with `register` to read its fields.

    >>> CustomStrategy(150, b"mine").payload
    b'mine'
    """

    __slots__ = ()

    def __new__(cls, type: int, payload: bytes) -> Self:
        if type not in CUSTOM:
            raise TlvError("TLV type of a custom strategy", expected="100 to 199", got=type)
        return super().__new__(cls, type, payload)


_known: dict[int, type[Extension]] = {
    value.TYPE: value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Extension) and value is not Extension
}


def known(kind: int) -> type[Extension] | None:
    """The class of a TLV type, None when there is none."""
    return _known.get(kind)


def catalogue() -> dict[int, type[Extension]]:
    """Every class by its TLV type, in the order of types."""
    return dict(sorted(_known.items()))


def register(cls: type[Extension]) -> type[Extension]:
    """Let `of` and `find` read a strategy's own TLVs (types 100-199) as this class; returns it.

    The same class statement run again (a module that is reloaded) takes the place of the first.
    SchemaError, naming both, when the type has another class, and for what is no extension.
    """
    if not (isinstance(cls, type) and issubclass(cls, Extension) and cls is not Extension):
        raise SchemaError("registered", expected="a class of an extension", got=cls)
    if cls.TYPE not in CUSTOM and _known.get(cls.TYPE) is not cls:
        raise SchemaError(f"TLV type of {cls.__name__}", expected="100 to 199", got=cls.TYPE)
    there = _known.setdefault(cls.TYPE, cls)
    if there is not cls:
        if _statement(there) != _statement(cls):
            raise SchemaError(f"TLV {cls.TYPE} is {there.__name__} already", got=cls.__name__)
        _known[cls.TYPE] = cls
    return cls


def of(data: Buffer) -> list[Extension | Tlv]:
    """The TLVs in `data`, in order, each as the class of its type; others as Tlv, or as
    CustomStrategy where their type is 100-199.

    TlvError for one that is cut short; SchemaError (size) or FieldError (value) for a payload that
    its class does not accept.

    >>> from protocol.tlv import build
    >>> [type(one).__name__ for one in of(build([(1, bytes(42)), (99, b""), (150, b"mine")]))]
    ['PoolAddresses', 'Tlv', 'CustomStrategy']
    """
    return [_typed(tlv) for tlv in iterate(data)]


def find(data: Buffer, cls: type[E]) -> list[E]:
    """The TLVs in `data` of one class, in order; payloads of other types are not looked at.
    Errors as `of`.

    >>> from protocol.tlv import build
    >>> find(build([(1, bytes(42)), (2, b"damaged")]), PoolAddresses)[0].venue_a_pool == bytes(20)
    True
    """
    if not issubclass(cls, Extension):
        return [one for tlv in iterate(data) if isinstance(one := _plain(tlv), cls)]
    return [_read(cls, tlv.payload) for tlv in iterate(data) if tlv.type == cls.TYPE]


def _statement(cls: type[Extension]) -> tuple[object, ...]:
    """Where a class is from, and what its payload is."""
    fields = ((f.name, f.kind, f.type_name, f.declared.unit, f.ranges, f.mask) for f in cls.FIELDS)
    return cls.__module__, cls.__qualname__, *fields


def _typed(tlv: Tlv) -> Extension | Tlv:
    cls = _known.get(tlv.type)
    return _plain(tlv) if cls is None else _read(cls, tlv.payload)


def _plain(tlv: Tlv) -> Tlv:
    return CustomStrategy(*tlv) if tlv.type in CUSTOM else tlv


def _read(cls: Any, payload: bytes) -> Any:
    return cls.from_payload(payload)
