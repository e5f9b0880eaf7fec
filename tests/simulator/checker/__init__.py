"""What must hold of a relay, judged from outside: bytes in, bytes out, and the state's counters.

Used by the simulator after every step. It knows the protocol's documents and nothing of the relay's
code; the one function it borrows is `relays.core.accounting`, which is itself under test here.
"""
