"""The compiled part (Cython): what runs once per frame, and the memory it runs on.

Called by `protocol` and by `relays.core`. No sockets, no clock, no Python
object per frame: whatever is decided once per read or per connection belongs in Python instead.

    crc      CRC-32 over ISA-L, sealing frames
    scan     walks headers in place: accepts, rejects, closes over what is refused
    ring     the log's memory, mapped twice in a row, so that every span is contiguous
    state    the fixed-size records beside the log: end, index, cursors, producers, counters
    connection  a connection's record there: its cursor, and what it counts
    gather   filtered consumers: the frames they asked for, copied together once per send
    slot     one fixed field of a payload: its value out of the bytes and into them
    record   messages as values over bytes: opened, checked, built, sealed, viewed
    frames   frames found in a buffer: views of one class, one decoded by its type
    batch    many frames to arrays and back
    journal_words  the journal's words in the state
    journal_check  commit records and their frames: what of a journal's segment is good
"""
