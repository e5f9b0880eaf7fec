"""What a seed decides before anything happens: the domain, its limits, who takes part.

Logs are so small that everything wraps and is overtaken often, limits so low that breakers trip.
Used by `run`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import msgspec

from protocol._core.ring import PAGE
from relays.config import RelayConfig, load
from relays.core.hub import KEPT_PLACES
from relays.domains import DOMAINS, Domain

PLACES = 40
PRODUCERS = 32
ENDLESS = 1 << 40


@dataclass(frozen=True)
class Setup:
    """One run's relay and peers."""

    domain: Domain
    config: RelayConfig
    producers: int
    consumers: int
    burst: int
    lies: float
    deaths: float

    def __str__(self) -> str:
        config = self.config
        return (
            f"{self.domain.name}: log {config.log_bytes} bytes, breaker {config.circuit_breaker} "
            f"of {config.max_queue_size}, on_lag {config.on_lag}, {self.producers} producers, "
            f"{self.consumers} consumers, journal {config.journal}/{config.journal_sync}"
            f"{'+' * config.journal_before_delivery} {config.journal_bytes} bytes "
            f"{config.journal_age} s {config.journal_hard_limit} at most"
        )


def journaled(seed: int) -> bool:
    """Whether the relay of this seed has a journal."""
    return setup(random.Random(seed)).config.journal == "on"


def managed(seed: int) -> bool:
    """Whether the relay of this seed has a service manager, which keeps its connections."""
    return seed % 2 == 1


def with_manager(chance: random.Random, one: Setup) -> Setup:
    """With a service manager relays end often, and by a window that is long enough too often."""
    window = chance.choice([0, 0, 0.05, 1.0, 30.0])
    config = msgspec.structs.replace(one.config, crash_window=window)
    return replace(one, config=config, deaths=chance.choice([0.005, 0.01, 0.02]))


def setup(chance: random.Random) -> Setup:
    """One of many."""
    domain = chance.choice(["market_data", "market_data", "signals", "execution", "execution"])
    pages = chance.choice([4, 8, 16])
    breaker = chance.choice([20, 40, 60])
    config = msgspec.structs.replace(
        load(domain, environ={}).config,
        log_bytes=pages * PAGE,
        max_payload=chance.choice([512, 900, pages * PAGE // 4 - 64]),
        circuit_breaker=breaker,
        max_queue_size=breaker * 3 // 2,
        on_lag=chance.choice(["gap", "gap", "disconnect", "catch_up"]),
        allow_loss=True,
        max_connections=PLACES - KEPT_PLACES,
        max_producers=PRODUCERS,
        recovery_timeout=chance.choice([0.2, 1.0, 3.0]),
        producer_breaker=chance.choice([5, 20, 1000]),
        snapshots=domain == "market_data",
        journal="on" if chance.random() < 0.4 else "off",
        journal_sync=chance.choice(["batch", "batch", "interval", "none"]),
        journal_segment=pages * PAGE,
        journal_bytes=ENDLESS,
        journal_hard_limit=ENDLESS,
    )  # fmt: skip
    journaled = config.journal == "on"
    if journaled:
        config = _kept(config, chance)
    return Setup(
        domain=DOMAINS[domain],
        config=config,
        producers=chance.randint(1, 4),
        consumers=chance.randint(2, 7),
        burst=chance.choice([3, 15, 40]),
        lies=chance.choice([0, 0, 0.02, 0.1]),
        deaths=chance.choice([0.002, 0.01, 0.01] if journaled else [0, 0.002, 0.01]),
    )


def _kept(config: RelayConfig, chance: random.Random) -> RelayConfig:
    """What is delivered only when it is safe, and what of the journal stays for how long."""
    segment = config.journal_segment
    most = chance.choice([ENDLESS, ENDLESS, 2 * segment, 3 * segment])
    return msgspec.structs.replace(
        config,
        journal_before_delivery=not config.snapshots and chance.random() < 0.4,
        journal_bytes=most,
        journal_age=chance.choice([0.0, 0.0, 1.0]),
        journal_hard_limit=chance.choice([ENDLESS, ENDLESS, min(ENDLESS, most + segment)]),
    )
