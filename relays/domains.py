"""What the three relays are: name, types, source and the defaults that differ (relays.md 1).

Used by config, core, edge, client and cli. Only facts belong here: nothing that reads a file,
the environment or the clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from protocol.catalogue import SourceType

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Domain:
    """One of the three relays.

    `types` are the message types it accepts; `defaults` the configuration values (messages,
    bytes) in which it differs from the others.

    >>> DOMAINS["signals"].socket("/run/alphapulse")
    '/run/alphapulse/signals.sock'
    """

    name: str
    relay_class: str
    source: SourceType
    types: range
    defaults: Mapping[str, object]

    def socket(self, runtime_dir: str | Path) -> str:
        """The path of this relay's socket in a runtime directory."""
        return str(Path(runtime_dir, f"{self.name}.sock"))


_MARKET_DATA = Domain(
    name="market_data",
    relay_class="MarketDataRelay",
    source=SourceType(20),
    types=range(1, 20),
    defaults=MappingProxyType(
        {
            "max_queue_size": 1_000_000,
            "circuit_breaker": 800_000,
            "validate_checksums": False,
            "require_sequence": False,
            "log_bytes": 128 * MIB,
            "send_buffer": 4 * MIB,
            "on_lag": "gap",
            "journal": "off",
            "snapshots": True,
            "metrics_port": 9461,
        }
    ),
)

_SIGNALS = Domain(
    name="signals",
    relay_class="SignalRelay",
    source=SourceType(21),
    types=range(20, 40),
    defaults=MappingProxyType(
        {
            "max_queue_size": 100_000,
            "circuit_breaker": 80_000,
            "validate_checksums": True,
            "require_sequence": False,
            "log_bytes": 64 * MIB,
            "send_buffer": 1 * MIB,
            "on_lag": "gap",
            "journal": "off",
            "snapshots": False,
            "metrics_port": 9462,
        }
    ),
)

_EXECUTION = Domain(
    name="execution",
    relay_class="ExecutionRelay",
    source=SourceType(22),
    types=range(40, 60),
    defaults=MappingProxyType(
        {
            "max_queue_size": 10_000,
            "circuit_breaker": 8_000,
            "validate_checksums": True,
            "require_sequence": True,
            "log_bytes": 64 * MIB,
            "send_buffer": 256 * 1024,
            "on_lag": "catch_up",
            "journal": "on",
            "snapshots": False,
            "metrics_port": 9463,
        }
    ),
)

DOMAINS: Mapping[str, Domain] = MappingProxyType(
    {domain.name: domain for domain in (_MARKET_DATA, _SIGNALS, _EXECUTION)}
)
