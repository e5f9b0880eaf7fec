"""A seeded simulator of a relay: one seed, one run, the same every time (see README.md here).

Used by `scripts/simulate` and the tests of this room. The relay's own code runs; clock, sockets,
loop, memory and peers are the simulator's.
"""
