"""The bench: relays measured beside a relay that only copies, with real processes.

Called by `scripts/bench` as `python -m tests.bench`; README.md says how to read its figures.
Nothing of the product may be imported here: a relay is what `relays run` starts.
"""
