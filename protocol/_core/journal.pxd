from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    RECORD_SIZE = 80

cdef struct CommitRecord:              # one commit in a segment; relays/core/journal/README.md
    uint64_t first_position
    uint64_t producer_id               # 0: anonymous
    uint64_t last_sequence
    uint64_t receive_ns
    uint64_t synced                    # the position up to which all was synced by then
    uint64_t connection
    uint32_t file_offset, count, size  # of the frames: where, how many, bytes
    uint32_t uid, pid
    uint32_t frames_crc                # of these bytes alone
    uint32_t chain                     # of all bytes of the log up to here
    uint32_t record_crc                # of the 76 bytes before, continuing the header's checksum
