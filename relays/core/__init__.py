"""The relay without its edges: no asyncio, no sockets, no clock; bytes and time are handed in.

Read in this order:

    log         frames in order, each with a position; `protocol._core.ingress` brings them in
    fanout      a consumer's bytes out: rest, control frames, then the log from its cursor
    breaker     when a slow consumer is cut off, and how it comes back
    feeds       all consumers together: who is live, who is behind, who must give way
    session     what a Hello asks for, and whether it can be had
    outbox      the control frames that wait to be written to one session
    handshake   control frames in: Hello opens a session
    refusals    what a scan refused: said, kept, held against the producer
    snapshot    the state of instruments for those who come late
    producers   (uid, producer_id) and the last sequence of each, across reconnects and restarts
    access      who may produce and consume, and as which source
    deadlines   what is due when
    peer        one connection: its phase, and the parts above it uses
    hub         all of it together: what `relays.edge` and the simulator drive
    accounting  every message accounted for, from the records alone
"""
