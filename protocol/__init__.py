"""The language of the relays: bytes and types, and nothing that runs (SPEC.md has the rules).

Import the module you need (`from protocol.market_data import Trade`): this one stays empty, so that
a program pays only for what it uses. No sockets, clock, logging or metrics in this package.
"""
