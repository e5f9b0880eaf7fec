"""The bench: relays beside a relay that only copies, messages beside other formats.

Called by `scripts/bench` as `python -m tests.bench`; README.md says how to read its figures.
Nothing of the relays may be imported here: one is what `relays run` starts. Only the protocol
suite imports the protocol, which is what it measures, and instruction_rows the relay, in a process
of its own, to count what it does.
"""
