/* What the bench's programs share: options, clocks, sockets, the frame and the board.
 *
 * Used by all programs here, linked with bench.c, checksum.c and protocols.c. Nothing here
 * may be taken from the product: the bench must not measure a relay with the relay's own code.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <string.h>

enum {
    HEADER_BYTES = 32,
#ifdef QUOTES
    FRAME_BYTES = 80,
#else
    FRAME_BYTES = 64, /* a Trade */
#endif
    AT_TYPE = 4,
    AT_PAYLOAD_SIZE = 8,
    AT_SEQUENCE = 12,
    AT_TIMESTAMP = 20,
    AT_CHECKSUM = 28,
    LINE_BYTES = 64,
    MAX_CONSUMERS = 4096,
    PRODUCER_BITS = 40, /* where several produce: sequence = producer << 40 | number */
};

#define FRAME_MAGIC 0xDEADBEEFu
#define FIRST_SEQUENCE 1u
#define FRAMES_OF_ONE (1ull << PRODUCER_BITS)
#define NS_PER_S 1000000000ull

/* One cache line each, so that a consumer's count costs nobody else a miss. */
struct slot {
    _Atomic uint64_t frames;    /* frames this consumer has read */
    _Atomic uint64_t connected; /* 1 once connect() returned */
    _Atomic uint64_t ready;     /* 1 once everybody has read what this sender sent first */
    _Atomic uint64_t go;        /* 1 when that sender may begin */
    _Atomic uint64_t done;      /* 1 once all consumers of many.c have everything */
    _Atomic uint64_t leave;     /* 1 when who stays to the end may leave */
    _Atomic uint64_t sent;      /* frames a sender has sent: who stays behind looks at it */
    uint64_t spare[1];
};

/* The board: a file mapped by the producer and all consumers of one run. */
struct board {
    struct slot slots[MAX_CONSUMERS];
};

/* An option `--name VALUE`: exactly one of number and text is set. */
struct option_entry {
    const char *name;
    uint64_t *number;
    const char **text;
};

noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void parse_options(int argc, char **argv, const struct option_entry *table);

uint64_t monotonic_ns(void);
uint64_t realtime_ns(void);
uint64_t cpu_ns(void); /* user + system of this process */

/* Ends the process with SIGALRM after that many seconds, and with SIGTERM if its parent dies. */
void bound_lifetime(uint64_t seconds);

/* To a Unix socket, or, at HOST:PORT, over TCP with TCP_NODELAY. */
int connect_to(const char *path);
int listen_on(const char *path);
/* SO_SNDBUF as a privileged process may set it, else as anybody may; 0 leaves the default. */
void set_send_buffer(int fd, uint64_t bytes);

struct board *map_board(const char *path);
/* Frames read by the slowest of the first `consumers`. */
uint64_t slowest(const struct board *board, uint64_t consumers);

/* Picks the fastest frame_checksum this machine has, after comparing it with the plain one. */
void choose_checksum(void);
uint32_t frame_checksum(const uint8_t *frame);
/* The same of a frame of any size, by the library. */
uint32_t checksum_of(const uint8_t *frame, uint64_t payload);

/* The protocol is little-endian and so is every machine this bench is built for. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the bench's programs are written for little-endian machines"
#endif

static inline uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store32(uint8_t *at, uint32_t value) { memcpy(at, &value, sizeof value); }
static inline void store64(uint8_t *at, uint64_t value) { memcpy(at, &value, sizeof value); }

#endif
