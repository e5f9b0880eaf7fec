# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The compiled scanner: headers walked in place, refused frames closed over in the same pass.

Called once per read by `ingress`. It does what `protocol.scan` says in readable Python,
and every test of one runs on the other. It neither allocates nor calls back: what it decides is in
the Tally when it returns. Nothing that happens once per connection belongs here.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from protocol._core.crc cimport crc_frame, right_checksums

cdef enum:
    MAGIC = 0xDEADBEEF
    COMPRESSED = 0x03
    FIRST_CONTROL = 100
    LAST_CONTROL = 109
    ALIKE = 32                         # frames of a run that are looked at twice, in the cache

cdef enum Code:
    OK = 0
    BAD_MAGIC = 1
    PAYLOAD_TOO_LARGE = 2
    WRONG_DOMAIN = 3
    BAD_SIZE = 4
    BAD_CHECKSUM = 5
    SEQUENCE_GAP = 6
    SEQUENCE_DUPLICATE = 7
    SOURCE_NOT_ALLOWED = 8
    SEQUENCE_CONFLICT = 19
    CONTROL = 64
    LIMIT = 65

STOP_CONTROL = CONTROL
STOP_LIMIT = LIMIT


cdef class Rules:
    """What one domain accepts; see `protocol.scan.Rules` for the fields."""

    def __init__(self, bint checksums, bint strict, int first_type, int last_type,
                 uint32_t max_payload, dict sizes):
        self.checksums, self.strict = checksums, strict
        self.first_type, self.last_type = first_type, last_type
        self.max_payload = max_payload
        memset(self.least, 0, sizeof(self.least))
        for (kind, version), (payload, exact) in sizes.items():
            if version < VERSIONS:
                self.least[kind * VERSIONS + version] = payload + 1
                self.exact[kind * VERSIONS + version] = exact


cdef class Track:
    """How far one producer's sequence has come; see `protocol.scan.Track`."""

    def __init__(self, *, uint64_t last=0, bint known=False, bint identified=False,
                 bint fail_fast=False, sources=None, window=None):
        cdef uint8_t[::1] memory
        self.last, self.known, self.identified = last, known, identified
        self.fail_fast, self.gap_open = fail_fast, False
        memset(self.sources, 1 if sources is None else 0, 256)
        for source in sources or ():
            self.sources[<uint8_t>source] = 1
        self.window, self.window_owner = NULL, window
        if window is not None:
            if len(window) != WINDOW * 8:
                raise ValueError(f"a window has {WINDOW * 8} bytes, got {len(window)}")
            memory = window
            self.window = <uint64_t *>&memory[0]


cdef sparse(uint32_t *row):
    return {n: row[n] for n in range(256) if row[n]}


cdef class Tally:
    """What one scan did; overwritten by the next one that is handed it."""

    def counts(self):
        """The counted by type, source, gaps by source and duplicates by source, as dicts."""
        return (sparse(self.by_type), sparse(self.by_source), sparse(self.gaps_by_source),
                sparse(self.duplicates_by_source))

    def reasons(self):
        """{code: (frames, first sequence, last sequence)} of what was refused."""
        return {code: (self.by_reason[code].count, self.by_reason[code].first,
                       self.by_reason[code].last)
                for code in range(32) if self.by_reason[code].count}

    def offences_kept(self):
        """[(code, frame bytes, first bytes)] of the last 16 offenders, oldest first."""
        cdef uint64_t n, first = 0
        cdef Offence *row
        if self.offence_count > OFFENCES:
            first = self.offence_count - OFFENCES
        found = []
        for n in range(first, self.offence_count):
            row = &self.offences[n % OFFENCES]
            found.append((row.reason, row.size,
                          <bytes>row.head[:min(row.size, <uint64_t>OFFENCE_BYTES)]))
        return found

    def mark_list(self):
        """Offsets (from the scan's base) of every 240th accepted frame after the first."""
        return [self.marks[n] for n in range(self.mark_count)]


cdef inline void offend(Tally tally, int code, const uint8_t *frame, size_t size,
                        size_t there) noexcept nogil:
    cdef Offence *row = &tally.offences[tally.offence_count % OFFENCES]
    row.reason = code
    row.size = min(size, there)
    memcpy(row.head, frame, min(row.size, <uint64_t>OFFENCE_BYTES))
    tally.offence_count += 1


cdef inline void refuse(Tally tally, int code, const uint8_t *frame, size_t size) noexcept nogil:
    cdef const FrameHeader *header = <const FrameHeader *>frame
    cdef Reason *row = &tally.by_reason[code]
    if row.count == 0:
        row.first = header.sequence
    row.last = header.sequence
    row.count += 1
    tally.rejected += 1
    tally.rejected_bytes += size
    offend(tally, code, frame, size, size)


cdef inline void lose_framing(Tally tally, int code, const uint8_t *frame,
                              size_t there) noexcept nogil:
    """Counted, but its bytes are neither accepted nor rejected: all that follows is discarded."""
    cdef const FrameHeader *header = <const FrameHeader *>frame
    tally.by_reason[code].count = 1
    tally.by_reason[code].first = tally.by_reason[code].last = header.sequence
    offend(tally, code, frame, HEADER + <size_t>header.payload_size, there)


cdef inline int framing(const FrameHeader *header, Rules rules) noexcept nogil:
    """The checks that need only a header, in the order of SPEC, Reject codes: 1, 2, 4."""
    cdef uint32_t least
    cdef size_t rule
    if header.magic != <uint32_t>MAGIC:
        return BAD_MAGIC
    if header.payload_size > rules.max_payload:
        return PAYLOAD_TOO_LARGE
    if header.version >= VERSIONS or header.flags & COMPRESSED:
        return OK
    rule = <size_t>header.message_type * VERSIONS + header.version
    least = rules.least[rule]
    if least == 0 or header.payload_size + 1 == least:
        return OK
    return BAD_SIZE if rules.exact[rule] or header.payload_size + 1 < least else OK


cdef inline int duplicate(const FrameHeader *header, const uint8_t *frame, Rules rules,
                          Track track, Tally tally) noexcept nogil:
    cdef uint64_t kept
    tally.duplicates += 1
    tally.duplicates_by_source[header.source] += 1
    if not track.identified:
        return SEQUENCE_DUPLICATE if rules.strict else OK
    if track.window != NULL and track.last - header.sequence < WINDOW:
        kept = track.window[header.sequence % WINDOW]
        if kept != 0 and <uint32_t>(kept >> 32) == <uint32_t>header.sequence:
            if <uint32_t>kept != crc_frame(frame, header.payload_size):
                return SEQUENCE_CONFLICT
    return SEQUENCE_DUPLICATE


cdef inline int order(const FrameHeader *header, const uint8_t *frame, Rules rules, Track track,
                      Tally tally) noexcept nogil:
    """Checks 7 and 6. No subtraction that a duplicate could turn negative."""
    if not track.known:
        return OK
    if header.sequence <= track.last:
        return duplicate(header, frame, rules, track, tally)
    if header.sequence - track.last == 1:
        return OK
    if not rules.strict or not track.gap_open:
        tally.gaps += 1
        tally.gaps_by_source[header.source] += 1
    if not rules.strict:
        return OK
    track.gap_open = True
    tally.expected = track.last + 1
    return SEQUENCE_GAP


cdef inline void consume(const FrameHeader *header, const uint8_t *frame, Track track,
                         bint checked) noexcept nogil:
    """This sequence number is spent: accepted, or refused for good."""
    cdef uint32_t crc
    if track.known and header.sequence <= track.last:
        return
    track.known = True
    track.gap_open = False
    track.last = header.sequence
    if track.window != NULL:
        crc = header.checksum if checked else crc_frame(frame, header.payload_size)
        track.window[header.sequence % WINDOW] = (header.sequence << 32) | crc


cdef inline int verdict(const FrameHeader *header, const uint8_t *frame, Rules rules,
                        Track track, Tally tally) noexcept nogil:
    """The checks of a whole domain frame: 5, then 7 and 6, then 3 and 8."""
    cdef int code
    if rules.checksums and crc_frame(frame, header.payload_size) != header.checksum:
        return BAD_CHECKSUM
    code = order(header, frame, rules, track, tally)
    if code != OK:
        return code
    consume(header, frame, track, rules.checksums)
    if header.message_type < rules.first_type or header.message_type > rules.last_type:
        return WRONG_DOMAIN
    if not track.sources[header.source]:
        return SOURCE_NOT_ALLOWED
    return OK


cdef inline void accept(const FrameHeader *header, Tally tally, size_t size,
                        size_t lands) noexcept nogil:
    if tally.accepted == 0:
        tally.first_timestamp = header.timestamp
    elif tally.accepted % MARK_EVERY == 0 and tally.mark_count < MARKS:
        tally.marks[tally.mark_count] = lands
        tally.mark_count += 1
    tally.accepted += 1
    tally.accepted_bytes += size
    tally.by_type[header.message_type] += 1
    tally.types |= block_of(header.message_type)


cdef inline uint64_t kind_of(const uint8_t *frame) noexcept nogil:
    """Magic, type, version, source and flags."""
    cdef uint64_t kind                 # a frame begins at any byte
    memcpy(&kind, frame, 8)
    return kind


cdef inline uint64_t followers(const uint8_t *first, const uint8_t *next, size_t size,
                               uint64_t most, uint64_t last) noexcept nogil:
    """How many of `most` frames of `size` bytes from `next` on are of the same type, version,
    source, flags and size as `first`, and number on from `last`."""
    cdef uint64_t kind = kind_of(first), n = 0
    cdef uint32_t payload = (<const FrameHeader *>first).payload_size
    cdef const FrameHeader *header = <const FrameHeader *>next
    while n < most and header.sequence == last + n + 1 and header.sequence:
        if kind_of(<const uint8_t *>header) != kind or header.payload_size != payload:
            break
        n += 1
        header = <const FrameHeader *>(next + n * size)
    return n


cdef inline void remember(const uint8_t *frame, size_t size, uint64_t count, Track track,
                          bint checked) noexcept nogil:
    """The checksums of frames of `size` bytes that follow the last in sequence."""
    cdef const FrameHeader *header
    cdef uint64_t n, last = track.last
    for n in range(count):
        header = <const FrameHeader *>(frame + n * size)
        last += 1
        track.window[last % WINDOW] = (last << 32) | (
            header.checksum if checked else crc_frame(<const uint8_t *>header, size - HEADER))


cdef inline size_t alike(const uint8_t *frame, size_t size, size_t end, Rules rules, Track track,
                         Tally tally, uint64_t limit, size_t lands) noexcept nogil:
    """Accept what follows a frame just accepted, at `frame`, as long as it is alike and the next in
    sequence: all that is left to check is the checksum. Gives the bytes; `end` were there, and the
    first of them lands at `lands`."""
    cdef const FrameHeader *header = <const FrameHeader *>frame
    cdef uint64_t n = ALIKE
    cdef size_t at = size, mark
    while n == ALIKE:
        n = min(min(<uint64_t>ALIKE, limit), <uint64_t>((end - at) // size))
        n = followers(frame, frame + at, size, n, track.last)
        if rules.checksums:
            n = right_checksums(frame + at, size, n)
        if track.window != NULL:
            remember(frame + at, size, n, track, rules.checksums)
        track.last += n
        at += n * size
        limit -= n
    at -= size
    if at:
        mark = MARK_EVERY - 1 - (tally.accepted - 1) % MARK_EVERY
        while mark < at // size and tally.mark_count < MARKS:
            tally.marks[tally.mark_count] = lands + mark * size
            tally.mark_count += 1
            mark += MARK_EVERY
        tally.accepted += at // size
        tally.accepted_bytes += at
        tally.by_type[header.message_type] += at // size
        tally.by_source[header.source] += at // size
    return at


cdef inline void clear_some(uint32_t *counted, uint32_t blocks) noexcept nogil:
    while blocks:
        memset(counted + 8 * lowest(blocks), 0, 8 * sizeof(uint32_t))
        blocks &= blocks - 1


cdef inline void clear(Tally tally) noexcept nogil:
    """As new. Most of the tables is so already: only what the last scan counted is cleared."""
    clear_some(tally.by_type, tally.types)
    clear_some(tally.by_source, tally.sources)
    if tally.gaps:
        clear_some(tally.gaps_by_source, tally.sources)
    if tally.duplicates:
        clear_some(tally.duplicates_by_source, tally.sources)
    if tally.offence_count:
        memset(tally.by_reason, 0, sizeof(tally.by_reason))
    tally.types = tally.sources = 0
    tally.accepted = tally.accepted_bytes = tally.rejected = tally.rejected_bytes = 0
    tally.control_bytes = tally.duplicates = tally.gaps = tally.expected = 0
    tally.first_timestamp = tally.offence_count = tally.need = 0
    tally.mark_count = 0


cdef inline bint is_fatal(int code, Track track) noexcept nogil:
    return code == SEQUENCE_CONFLICT or track.fail_fast


cdef int scan_frames(uint8_t *base, size_t dst, size_t src, size_t end, Rules rules, Track track,
                     Tally tally, uint64_t limit) noexcept nogil:
    cdef size_t run = src, size
    cdef FrameHeader *header
    cdef int code = OK
    clear(tally)
    while end - src >= HEADER:
        header = <FrameHeader *>(base + src)
        code = framing(header, rules)
        if code != OK:
            lose_framing(tally, code, base + src, end - src)
            break
        size = HEADER + header.payload_size
        if end - src < size:
            tally.need = size - (end - src)
            break
        if FIRST_CONTROL <= header.message_type <= LAST_CONTROL:
            if crc_frame(base + src, header.payload_size) == header.checksum:
                code = CONTROL
            else:
                code = BAD_CHECKSUM
        elif tally.accepted == limit:
            code = LIMIT
            break
        else:
            tally.by_source[header.source] += 1
            tally.sources |= block_of(header.source)
            code = verdict(header, base + src, rules, track, tally)
            if code == OK:
                accept(header, tally, size, dst + (src - run))
                src += size
                if end - src >= HEADER and kind_of(base + src) == kind_of(<uint8_t *>header):
                    src += alike(<uint8_t *>header, size, end - (src - size), rules, track, tally,
                                 limit - tally.accepted, dst + (src - run))
                continue
        if src > run:
            if dst != run:
                memmove(base + dst, base + run, src - run)
            dst += src - run
        if code == CONTROL:
            tally.control_bytes += size
        else:
            refuse(tally, code, base + src, size)
        src += size
        run = src
        if code == CONTROL or is_fatal(code, track):
            break
        code = OK
    if src > run:
        if dst != run:
            memmove(base + dst, base + run, src - run)
        dst += src - run
    tally.dst, tally.src = dst, src
    return code


def scan(uint8_t[::1] buffer not None, size_t dst, size_t src, size_t end, Rules rules not None,
         Track track not None, Tally tally not None, uint64_t limit):
    """See `protocol.scan.scan`, which this equals. Raises ValueError for offsets out of order."""
    cdef int code
    if not dst <= src <= end <= <size_t>buffer.shape[0]:
        raise ValueError(f"want dst <= src <= end <= {buffer.shape[0]}, got {dst}, {src}, {end}")
    if end == src:
        clear(tally)
        tally.dst, tally.src = dst, src
        return 0
    with nogil:
        code = scan_frames(&buffer[0], dst, src, end, rules, track, tally, limit)
    return code
