"""The table of keys in relays/README.md, made from the code so that it cannot drift.

`python -m relays.config.table` prints it; a test compares it with the file. Explanations beyond
one line a key belong in the README around the table.
"""

from collections.abc import Iterator

from relays.config.access import plain
from relays.config.keys import DEFAULTS, KEYS
from relays.config.layers import show_value
from relays.domains import DOMAINS


def markdown() -> str:
    """One row a key: default, what is accepted, whether SIGHUP applies it, what it means."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "| key | default | accepted | SIGHUP | meaning |"
    yield "|---|---|---|---|---|"
    for name, key in KEYS.items():
        live = "yes" if key.live else "restart"
        yield f"| {name} | {_default(name)} | {key.expected} | {live} | {key.meaning} |"


def _default(name: str) -> str:
    if name in DEFAULTS:
        return show_value(plain(DEFAULTS[name]))
    each = [show_value(domain.defaults[name]) for domain in DOMAINS.values()]
    return each[0] if len(set(each)) == 1 else " / ".join(each)


if __name__ == "__main__":
    print(markdown())
