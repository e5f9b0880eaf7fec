# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Commit records and the frames they cover, checked: what of a journal's segment is good.

Called by `relays.core.journal`, which reads the bytes; the format is in its README. No byte outside
of the buffers is looked at, whatever they hold, also where checksums are right. No files, and no
policy: whether something that is wrong is a torn tail or damage is decided there.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from protocol._core.crc cimport crc32_gzip_refl, crc_frame
from protocol._core.journal cimport RECORD_SIZE, CommitRecord
from protocol._core.scan cimport HEADER, FrameHeader

cdef enum:
    MAGIC = 0xDEADBEEF
    RECORD_CHECKED = 76

cdef enum Fault:
    GOOD = 0
    END = 1
    RECORD = 2
    POSITION = 3
    PLACE = 4
    SIZE = 5
    FRAMES = 6
    CHAIN = 7
    FRAME = 8
    COUNT = 9
    CHECKSUM = 10

SOUND, NO_RECORD, BAD_FRAMES = GOOD, END, FRAMES
REASONS = {
    GOOD: "nothing is wrong",
    END: "no record was written here",
    RECORD: "the record's checksum is not right",
    POSITION: "the record does not begin at the next position",
    PLACE: "the record's frames do not begin where those before end",
    SIZE: "the record's frames have no room in the file",
    FRAMES: "the checksum of the frames is not right",
    CHAIN: "the frames are not the ones that followed those before: the chain differs",
    FRAME: "a frame of the record has no right header",
    COUNT: "the record has another number of frames than it says",
    CHECKSUM: "the checksum of one frame is not right",
}


cdef inline bint is_zero(const uint8_t *record) noexcept nogil:
    return record[0] == 0 and memcmp(record, record + 1, RECORD_SIZE - 1) == 0


cdef class Check:
    """Where a check of one segment has come to, and what is wrong there.

    `number`, `position`, `place` and `chain` are of the next record: its number in the segment, the
    position and the file offset of its first frame, the CRC-32 of all frames before. `room` is the
    file's size as its header says it, `until` the position at which something else goes on.
    Records are given as they are in the file, the first one last: the last byte of the buffer is
    the last one of record `number`.
    """
    cdef readonly uint64_t number, position, place, synced, until, room, need
    cdef readonly uint64_t size, count          # of the commit that was looked at last
    cdef readonly uint64_t fault_place          # in the file, of what is wrong
    cdef readonly uint32_t chain
    cdef readonly bint chained
    cdef readonly int fault
    cdef uint32_t seed, next_chain
    cdef bint checksums

    def __init__(self, *, uint32_t seed, uint64_t room, uint64_t position, uint64_t place,
                 uint32_t chain, uint64_t number=0, uint64_t synced=0,
                 uint64_t until=0xFFFFFFFFFFFFFFFF, bint chained=True, bint checksums=False):
        self.seed, self.room, self.until = seed, room, until
        self.number, self.position, self.place = number, position, place
        self.chain, self.chained, self.checksums = chain, chained, checksums
        self.synced = synced

    @property
    def reason(self):
        """What is wrong with the next record, as a sentence."""
        return REASONS[self.fault]

    @property
    def done(self):
        """Whether the position at which something else goes on has been reached."""
        return self.position >= self.until

    @property
    def slots(self):
        """How many records from `number` on the file has room for behind the frames before."""
        return self.left()

    cdef inline uint64_t left(self) noexcept nogil:
        if self.room < self.place or (self.room - self.place) // RECORD_SIZE <= self.number:
            return 0
        return (self.room - self.place) // RECORD_SIZE - self.number

    # --- in order ---

    def skim(self, const uint8_t[::1] records not None):
        """Go over the records alone, up to the first that is wrong; gives how many were good."""
        cdef const uint8_t *end = &records[0] + records.shape[0] if records.shape[0] else NULL
        cdef uint64_t most = records.shape[0] // RECORD_SIZE, taken
        with nogil:
            taken = self.go(NULL, 0, 0, end, most)
        return taken

    def run(self, const uint8_t[::1] frames not None, uint64_t at,
            const uint8_t[::1] records not None):
        """Go over records and frames, of which the file's bytes from `at` on are given; gives how
        many were good. It ends at the first that is wrong (`fault`), or whose frames are not all
        there: then the `need` bytes from `place` on are wanted."""
        cdef const uint8_t *first = &frames[0] if frames.shape[0] else <const uint8_t *>b""
        cdef const uint8_t *end = &records[0] + records.shape[0] if records.shape[0] else NULL
        cdef uint64_t most = records.shape[0] // RECORD_SIZE, size = frames.shape[0], taken
        with nogil:
            taken = self.go(first, at, size, end, most)
        return taken

    cdef uint64_t go(self, const uint8_t *frames, uint64_t at, uint64_t size,
                     const uint8_t *end, uint64_t most) noexcept nogil:
        cdef CommitRecord record
        cdef uint64_t taken = 0
        self.fault, self.need = GOOD, 0
        while taken < most and self.position < self.until and self.left():
            end -= RECORD_SIZE
            memcpy(&record, end, RECORD_SIZE)
            self.fault = self.look(&record, end)
            if self.fault != GOOD:
                self.fault_place = self.room - RECORD_SIZE * (self.number + 1)
                break
            self.next_chain, self.size, self.count = record.chain, record.size, record.count
            self.synced = max(self.synced, record.synced)
            if frames != NULL and record.size:
                if self.place < at or self.place - at > size or (
                        record.size > size - (self.place - at)):
                    self.need, self.fault_place = record.size, self.place
                    break
                self.fault = self.compare(&record, frames + (self.place - at))
                if self.fault != GOOD:
                    break
            self.advance(record.count, record.size)
            taken += 1
        return taken

    cdef inline void advance(self, uint64_t count, uint64_t size) noexcept nogil:
        self.number += 1
        self.position += count
        self.place += size
        self.chain, self.chained = self.next_chain, True

    cdef inline int look(self, const CommitRecord *record, const uint8_t *raw) noexcept nogil:
        """What is wrong with a record by itself, and beside the one before."""
        if crc32_gzip_refl(self.seed, raw, RECORD_CHECKED) != record.record_crc:
            return END if is_zero(raw) else RECORD
        if record.first_position != self.position or (
                self.position + record.count < self.position):
            return POSITION
        if record.file_offset != self.place:
            return PLACE
        return GOOD if self.fits(record) else SIZE

    cdef inline bint fits(self, const CommitRecord *record) noexcept nogil:
        # One without frames says that a producer's sequence went on: what it sent was refused.
        cdef uint64_t records = RECORD_SIZE * (self.number + 1)
        return ((record.count > 0) == (record.size > 0)
                and record.count <= record.size // HEADER and records <= self.room
                and <uint64_t>record.file_offset + record.size <= self.room - records)

    cdef inline int compare(self, const CommitRecord *record, const uint8_t *frame) noexcept nogil:
        """What is wrong with a record's frames."""
        cdef const uint8_t *end = frame + record.size
        cdef uint64_t count = 0, size
        cdef FrameHeader header
        self.fault_place = self.place
        if crc32_gzip_refl(0, frame, record.size) != record.frames_crc:
            return FRAMES
        if self.chained and crc32_gzip_refl(self.chain, frame, record.size) != record.chain:
            return CHAIN
        while frame < end:
            if end - frame < HEADER:
                return FRAME
            memcpy(&header, frame, HEADER)
            size = HEADER + <uint64_t>header.payload_size
            if header.magic != <uint32_t>MAGIC or size > <uint64_t>(end - frame):
                return FRAME
            if self.checksums and crc_frame(frame, size - HEADER) != header.checksum:
                return CHECKSUM
            frame += size
            self.fault_place += size
            count += 1
        return GOOD if count == record.count else COUNT

    # --- over what is wrong ---

    def step_over(self):
        """Go on behind the commit whose frames are wrong or not there, but whose record is good."""
        if self.fault < FRAMES and not self.need:
            raise ValueError(f"there are no wrong frames here: {self.reason}")
        self.advance(self.count, self.size)
        self.fault, self.need = GOOD, 0

    def search(self, const uint8_t[::1] records not None):
        """Look for a record to go on with, from `number` on; False when these hold none.

        One that is good by itself, and not of what was before. `number` is then that of the record,
        or of the one behind the last. The chain is unknown there, and taken from the record."""
        cdef const uint8_t *end = &records[0] + records.shape[0] if records.shape[0] else NULL
        cdef uint64_t most = records.shape[0] // RECORD_SIZE, n
        cdef CommitRecord record
        cdef bint found = False
        self.chained = False
        with nogil:
            for n in range(min(most, self.left())):
                end -= RECORD_SIZE
                memcpy(&record, end, RECORD_SIZE)
                # One without frames tells nothing of what is wrong, but where it is behind that.
                if ((record.count or record.first_position > self.position)
                        and record.first_position >= self.position
                        and record.file_offset >= self.place and self.fits(&record)
                        and crc32_gzip_refl(self.seed, end, RECORD_CHECKED) == record.record_crc):
                    found = True
                    break
                self.number += 1
        if found:
            self.position, self.place = record.first_position, record.file_offset
            self.fault = GOOD
        return found


def walk(const uint8_t[::1] frames not None, uint64_t count):
    """Where frame `count` of a run of whole frames begins; its end for as many as there are.

    Raises ValueError where the bytes do not hold so many frames."""
    cdef uint64_t at = 0, n, size = frames.shape[0], whole
    cdef FrameHeader header
    for n in range(count):
        if size - at < HEADER:
            raise ValueError(f"the bytes end at {size}, in frame {n} of {count}")
        memcpy(&header, &frames[at], HEADER)
        whole = HEADER + <uint64_t>header.payload_size
        if header.magic != <uint32_t>MAGIC or whole > size - at:
            raise ValueError(f"no frame at byte {at} of {size}, the {n}. of {count}")
        at += whole
    return at


def learn_producers(const uint8_t[::1] records not None, dict table not None):
    """Note what these records, checked before, say of identified producers:
    table[uid, producer_id] = (last sequence, receive time ns)."""
    cdef CommitRecord record, kept
    cdef uint64_t n
    kept.producer_id = kept.uid = 0
    for n in range(<uint64_t>records.shape[0] // RECORD_SIZE):
        memcpy(&record, &records[records.shape[0] - RECORD_SIZE * (n + 1)], RECORD_SIZE)
        if kept.producer_id and (record.producer_id != kept.producer_id
                                 or record.uid != kept.uid):
            table[kept.uid, kept.producer_id] = (kept.last_sequence, kept.receive_ns)
            kept.producer_id = 0
        if record.producer_id:
            kept = record
    if kept.producer_id:
        table[kept.uid, kept.producer_id] = (kept.last_sequence, kept.receive_ns)
