# cython: language_level=3, boundscheck=False, wraparound=False
"""CRC-32 (IEEE 802.3) by ISA-L, and sealing: writing a frame's checksum into its header.

Called by `protocol.checksum`, which holds it against crcmod at start, and by the other compiled
modules. Nothing but checksums belongs here.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    CHECKSUM_AT = 28
    HEADER_SIZE = 32


def crc32(const uint8_t[::1] data not None, uint32_t value=0):
    """CRC-32 of `data`, continued from `value`; `crc32(b"123456789") == 0xCBF43926`."""
    if data.shape[0] == 0:
        return value
    return crc32_gzip_refl(value, &data[0], data.shape[0])


def frame_checksum(const uint8_t[::1] frame not None):
    """The checksum one whole frame should carry. Raises ValueError when shorter than a header."""
    if frame.shape[0] < HEADER_SIZE:
        raise ValueError(f"a frame has at least {HEADER_SIZE} bytes, got {frame.shape[0]}")
    return crc_frame(&frame[0], frame.shape[0] - HEADER_SIZE)


def seal(uint8_t[::1] buffer not None, size_t offset=0):
    """Write the checksum of the frame at `offset`; its header says how long it is.

    Raises ValueError when the buffer ends before the frame does.
    """
    cdef uint32_t payload, value
    cdef size_t size = buffer.shape[0]
    if size < HEADER_SIZE or offset > size - HEADER_SIZE:
        raise ValueError(f"no header at {offset}: the buffer has {size} bytes")
    memcpy(&payload, &buffer[offset + 8], 4)
    if payload > size - offset - HEADER_SIZE:
        raise ValueError(f"frame at {offset} has {payload} payload bytes, the buffer ends before")
    value = crc_frame(&buffer[offset], payload)
    memcpy(&buffer[offset + CHECKSUM_AT], &value, 4)


def seal_all(uint8_t[::1] buffer not None):
    """Write the checksum of every frame in a buffer of whole frames; gives their number."""
    cdef size_t at = 0, count = 0, size = buffer.shape[0]
    cdef uint32_t payload
    while at < size:
        seal(buffer, at)
        memcpy(&payload, &buffer[at + 8], 4)
        at += HEADER_SIZE + payload
        count += 1
    return count


def count_right(const uint8_t[::1] buffer not None, size_t size):
    """How many of the frames of `size` bytes in a buffer have the right checksum before the first
    that has not. Raises ValueError for a size that no frame has, and for one cut short."""
    if size < HEADER_SIZE or buffer.shape[0] % size:
        raise ValueError(f"want whole frames of {size} bytes, at least {HEADER_SIZE}, got "
                         f"{buffer.shape[0]} bytes")
    return right_checksums(&buffer[0], size, buffer.shape[0] // size) if buffer.shape[0] else 0
