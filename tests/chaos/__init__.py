"""Relays, producers and consumers as processes that are killed, stopped and starved under load.

Run by `scripts/chaos`; README.md says what is done and what must hold afterwards.
"""
