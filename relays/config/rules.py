"""The rules that concern several keys: contradictions (relays.md 1, 5 and 6).

Called by `relays.config.load` once every value is known to be good by itself. What one key
accepts belongs in `relays.config.keys`.
"""

import os
from collections.abc import Callable, Iterator, Mapping

from relays.config.keys import MIB, RelayConfig
from relays.domains import Domain

HEADER_SIZE = 32
KNOWN_SIZE = 32
LONGEST_SOCKET_PATH = 107

# The key that is wrong, what was expected of it, and the key that makes it so.
Complaint = tuple[str, str, str]


def contradictions(domain: Domain, config: RelayConfig) -> Iterator[Complaint]:
    """What is wrong with these values together."""
    for rule in _RULES:
        yield from rule(domain, config)


def _breaker(_: Domain, config: RelayConfig) -> Iterator[Complaint]:
    if config.circuit_breaker >= config.max_queue_size:
        expected = f"less than max_queue_size, {config.max_queue_size}"
        yield "circuit_breaker", expected, "max_queue_size"


def _log_size(_: Domain, config: RelayConfig) -> Iterator[Complaint]:
    if config.log_bytes % MIB:
        yield "log_bytes", f"a multiple of {MIB}", "log_bytes"
    least = 4 * (config.max_payload + HEADER_SIZE)
    if config.log_bytes < least:
        yield "log_bytes", f"at least {least}, four frames of max_payload", "max_payload"


def _loss(domain: Domain, config: RelayConfig) -> Iterator[Complaint]:
    if domain.name == "execution" and config.on_lag == "gap" and not config.allow_loss:
        expected = '"catch_up" or "disconnect" on execution, unless allow_loss = true'
        yield "on_lag", expected, "on_lag"


def _socket_path(domain: Domain, config: RelayConfig) -> Iterator[Complaint]:
    room = LONGEST_SOCKET_PATH - len(os.fsencode(domain.socket("/")))
    if len(os.fsencode(config.runtime_dir)) > room:
        expected = f"at most {room} bytes, since the kernel bounds socket paths"
        yield "runtime_dir", expected, "runtime_dir"


def _snapshots(domain: Domain, config: RelayConfig) -> Iterator[Complaint]:
    if config.snapshots and domain.name != "market_data":
        expected = "false: only market_data has messages that snapshots are made of"
        yield "snapshots", expected, "snapshots"


def _journal(_: Domain, config: RelayConfig) -> Iterator[Complaint]:
    known = config.max_producers * KNOWN_SIZE  # each segment has the table of producers
    least = 2 * (config.max_payload + HEADER_SIZE) + 2 * MIB + known
    if config.journal_segment < least:
        what = f"frames of max_payload and {config.max_producers} producers"
        yield "journal_segment", f"at least {least}, for {what}", "max_payload"
    if config.journal_bytes < 2 * config.journal_segment:
        expected = f"at least {2 * config.journal_segment}, two segments"
        yield "journal_bytes", expected, "journal_segment"
    if 0 < config.journal_hard_limit < config.journal_bytes:
        expected = f"0, or at least journal_bytes, {config.journal_bytes}"
        yield "journal_hard_limit", expected, "journal_bytes"
    if config.journal_before_delivery and config.journal == "off":
        yield "journal_before_delivery", 'false, unless journal = "on"', "journal"
    if config.journal_before_delivery and config.snapshots:
        expected = "false: a snapshot has what is committed, also before it is safe"
        yield "snapshots", expected, "journal_before_delivery"


_RULES: tuple[Callable[[Domain, RelayConfig], Iterator[Complaint]], ...] = (
    _breaker,
    _log_size,
    _loss,
    _socket_path,
    _snapshots,
    _journal,
)


def shared_port(configs: Mapping[str, RelayConfig]) -> Iterator[tuple[str, str]]:
    """Relays that would serve metrics on the port of another: (domain, what was expected)."""
    taken: dict[tuple[str, object], str] = {}
    for name, config in configs.items():
        place = (config.metrics_host, config.metrics_port)
        if config.metrics_port in (0, "off"):
            continue
        if place in taken:
            yield name, f"another port than that of {taken[place]}"
        taken.setdefault(place, name)
