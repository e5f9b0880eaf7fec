from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    HEADER = 32
    MARK_EVERY = 240     # with index entries at least 16 frames apart, no walk passes 256 headers
    MARKS = 256
    VERSIONS = 8
    OFFENCES = 16
    OFFENCE_BYTES = 256
    WINDOW = 1024

cdef packed struct FrameHeader:
    uint32_t magic
    uint8_t message_type
    uint8_t version
    uint8_t source
    uint8_t flags
    uint32_t payload_size
    uint64_t sequence
    uint64_t timestamp
    uint32_t checksum

cdef struct Reason:
    uint64_t count
    uint64_t first
    uint64_t last

cdef struct Offence:
    uint64_t reason
    uint64_t size
    uint8_t head[OFFENCE_BYTES]

cdef extern from *:
    int lowest "__builtin_ctz"(uint32_t bits) noexcept nogil

cdef inline uint32_t block_of(uint8_t place) noexcept nogil:
    """The bit of the eight places of a table of 256 that this one is in."""
    return <uint32_t>1 << (place >> 3)

cdef class Rules:
    cdef readonly bint checksums, strict
    cdef readonly int first_type, last_type
    cdef readonly uint32_t max_payload
    cdef uint32_t least[256 * VERSIONS]      # payload bytes + 1; 0 where the schema is unknown
    cdef bint exact[256 * VERSIONS]

cdef class Track:
    cdef public uint64_t last
    cdef public bint known, identified, fail_fast, gap_open
    cdef uint8_t sources[256]
    cdef uint64_t *window
    cdef object window_owner

cdef class Tally:
    cdef readonly size_t dst, src, need
    cdef readonly uint64_t accepted, accepted_bytes, rejected, rejected_bytes
    cdef readonly uint64_t control_bytes, duplicates, gaps, expected, first_timestamp
    cdef readonly uint64_t offence_count
    cdef uint32_t by_type[256]
    cdef uint32_t by_source[256]
    cdef uint32_t gaps_by_source[256]
    cdef uint32_t duplicates_by_source[256]
    cdef uint32_t types, sources       # which eights of those tables are not all 0
    cdef Reason by_reason[32]
    cdef size_t marks[MARKS]
    cdef int mark_count
    cdef Offence offences[OFFENCES]

cdef int scan_frames(uint8_t *base, size_t dst, size_t src, size_t end, Rules rules, Track track,
                     Tally tally, uint64_t limit) noexcept nogil

cdef inline bint eight_of(const uint8_t *frame, uint64_t size, uint32_t payload) noexcept nogil:
    """Whether eight frames in a row, `size` bytes apart, say that they have so many of payload."""
    cdef uint32_t other = (<const FrameHeader *>frame).payload_size ^ payload
    cdef uint64_t n
    for n in range(1, 8):
        other |= (<const FrameHeader *>(frame + n * size)).payload_size ^ payload
    return other == 0


cdef inline uint64_t run_of(const uint8_t *frame, uint64_t size, uint64_t there) noexcept nogil:
    """How many frames of the `size` of the first there are in a row, at least 1, in `there` bytes:
    looked at eight at a time, since each size that is read before one can go on is waited for."""
    cdef uint32_t payload = (<const FrameHeader *>frame).payload_size
    cdef uint64_t n = 1
    while (n + 8) * size <= there and eight_of(frame + n * size, size, payload):
        n += 8
    return n
