/* A relay's peer written from protocol.md alone: no header of the project, its own CRC-32.
 *
 *   c_peer produce SOCKET COUNT PRODUCER_ID   a session that sends COUNT Trades, each acknowledged
 *   c_peer consume SOCKET COUNT               a session that verifies COUNT Trades and positions
 *
 * The consumer prints "ready" after its Welcome. Both print one line of figures at the end and
 * exit 0; anything that is not as the protocol says is one line on stderr and exit 1. Trade number
 * i of producer p has sequence i, price p * 1000000 + i and volume 3 * i, so that a consumer can
 * tell from one frame what it should contain.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADER = 32,
    MAX_PAYLOAD = 65536,
    TRADE = 1,
    HEARTBEAT = 100,
    ERROR = 102,
    HELLO = 104,
    WELCOME = 105,
    ACK = 106,
    BURST = 500,
};

typedef struct {
    uint8_t type, version, flags;
    uint32_t payload_size;
    uint64_t sequence, timestamp;
    uint8_t payload[MAX_PAYLOAD];
} frame;

typedef struct {
    uint64_t position, last_sequence;
} welcome;

static uint32_t crc_table[256];
static frame incoming;

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* CRC-32, IEEE 802.3: reflected polynomial, one byte at a time. */
static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0xEDB88320u : value >> 1;
        crc_table[i] = value;
    }
}

static uint32_t crc_step(uint32_t value, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        value = crc_table[(value ^ bytes[i]) & 0xFF] ^ value >> 8;
    return value;
}

/* Bytes 0..27, then the payload: the checksum field itself is left out. */
static uint32_t checksum_of(const uint8_t *header, const uint8_t *payload, size_t payload_size)
{
    uint32_t value = crc_step(0xFFFFFFFFu, header, 28);
    return crc_step(value, payload, payload_size) ^ 0xFFFFFFFFu;
}

static void put(uint8_t *at, int bytes, uint64_t value)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Writes the header before a payload that is already in place; returns the frame's size. */
static size_t seal(uint8_t *at, uint8_t type, uint64_t sequence, uint32_t payload_size)
{
    put(at, 4, 0xDEADBEEF);
    at[4] = type;
    at[5] = 1;   /* version */
    at[6] = 100; /* External */
    at[7] = 0;
    put(at + 8, 4, payload_size);
    put(at + 12, 8, sequence);
    put(at + 20, 8, now_ns());
    put(at + 28, 4, checksum_of(at, at + HEADER, payload_size));
    return HEADER + payload_size;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (strlen(path) >= sizeof address.sun_path)
        die("socket path too long: %s", path);
    strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect %s: %s", path, strerror(errno));
    return fd;
}

static void write_all(int fd, const uint8_t *at, size_t bytes)
{
    while (bytes) {
        ssize_t wrote = write(fd, at, bytes);
        if (wrote <= 0)
            die("write: %s", strerror(errno));
        at += wrote;
        bytes -= (size_t)wrote;
    }
}

/* A few big reads instead of two small ones a frame. */
static void read_all(int fd, uint8_t *into, size_t bytes)
{
    static uint8_t buffer[65536];
    static size_t held, taken;
    while (bytes) {
        if (taken == held) {
            ssize_t got = read(fd, buffer, sizeof buffer);
            if (got <= 0)
                die("read: %s", got ? strerror(errno) : "the relay closed the connection");
            held = (size_t)got;
            taken = 0;
        }
        size_t piece = bytes < held - taken ? bytes : held - taken;
        memcpy(into, buffer + taken, piece);
        into += piece;
        taken += piece;
        bytes -= piece;
    }
}

static const frame *read_frame(int fd)
{
    uint8_t header[HEADER];
    read_all(fd, header, HEADER);
    if (get(header, 4) != 0xDEADBEEF)
        die("bad magic %08x", (unsigned)get(header, 4));
    incoming.type = header[4];
    incoming.version = header[5];
    incoming.flags = header[7];
    incoming.payload_size = (uint32_t)get(header + 8, 4);
    incoming.sequence = get(header + 12, 8);
    incoming.timestamp = get(header + 20, 8);
    if (incoming.payload_size > MAX_PAYLOAD)
        die("payload of %u bytes", incoming.payload_size);
    read_all(fd, incoming.payload, incoming.payload_size);
    if (get(header + 28, 4) != checksum_of(header, incoming.payload, incoming.payload_size))
        die("bad checksum in a frame of type %d", incoming.type);
    if (incoming.type >= 100 && incoming.type < 110 && incoming.sequence != 0)
        die("control frame of type %d with a sequence", incoming.type);
    return &incoming;
}

static void say_hello(int fd, uint8_t role, uint64_t producer_id)
{
    static const char name[] = "c_peer";
    uint8_t hello[HEADER + 64 + 2 + sizeof name - 1] = {0};
    uint8_t *payload = hello + HEADER;
    payload[0] = role; /* 1 consume, 2 produce */
    put(payload + 8, 8, producer_id);
    payload[64] = 1; /* TLV: client name */
    payload[65] = sizeof name - 1;
    memcpy(payload + 66, name, sizeof name - 1);
    write_all(fd, hello, seal(hello, HELLO, 0, sizeof hello - HEADER));
}

static welcome await_welcome(int fd, uint8_t role)
{
    const frame *got = read_frame(fd);
    while (got->type != WELCOME) { /* a client skips what precedes Welcome */
        if (got->type == ERROR)
            die("Error %d: %.*s", (int)get(got->payload, 2), (int)got->payload_size - 24,
                (const char *)got->payload + 24);
        got = read_frame(fd);
    }
    if (got->payload_size != 56 || got->payload[47] != role)
        die("Welcome with %u bytes of payload and role %d", got->payload_size, got->payload[47]);
    return (welcome){.position = get(got->payload + 8, 8),
                     .last_sequence = get(got->payload + 32, 8)};
}

static size_t write_trade(uint8_t *at, uint64_t sequence, uint64_t producer_id)
{
    uint8_t *payload = at + HEADER;
    memset(payload, 0, 32);
    put(payload, 2, 1);                       /* venue Binance */
    payload[2] = 4;                           /* Spot */
    put(payload + 4, 8, 0x4254435553445400u); /* "BTCUSDT", left-aligned, big-endian */
    put(payload + 12, 8, producer_id * 1000000 + sequence);
    put(payload + 20, 8, 3 * sequence);
    payload[28] = sequence % 2 ? 1 : 2;
    return seal(at, TRADE, sequence, 32);
}

/* Reads until everything up to `sequence` is acknowledged; returns the Acks that took. */
static uint64_t await_ack(int fd, uint64_t sequence)
{
    uint64_t acks = 0, acknowledged = 0;
    while (acknowledged < sequence) {
        const frame *got = read_frame(fd);
        if (got->type == HEARTBEAT)
            continue;
        if (got->type == ERROR)
            die("Error %d", (int)get(got->payload, 2));
        if (got->type != ACK || got->payload_size != 24)
            die("type %d with %u bytes instead of an Ack", got->type, got->payload_size);
        if (get(got->payload, 8) < acknowledged || get(got->payload, 8) > sequence)
            die("Ack of %llu", (unsigned long long)get(got->payload, 8));
        acknowledged = get(got->payload, 8);
        acks++;
    }
    return acks;
}

static void produce(int fd, uint64_t count, uint64_t producer_id)
{
    static uint8_t burst[BURST * 64];
    say_hello(fd, 2, producer_id);
    uint64_t first = await_welcome(fd, 2).last_sequence + 1, acks = 0;
    uint64_t next = first, end = first + count;
    while (next < end) {
        size_t bytes = 0;
        while (next < end && bytes < sizeof burst)
            bytes += write_trade(burst + bytes, next++, producer_id);
        write_all(fd, burst, bytes);
        acks += await_ack(fd, next - 1);
    }
    printf("first=%llu last=%llu acks=%llu\n", (unsigned long long)first,
           (unsigned long long)(end - 1), (unsigned long long)acks);
}

static void check_trade(const frame *got, uint64_t producer_id, uint64_t sequence)
{
    uint8_t wanted[64];
    write_trade(wanted, sequence, producer_id);
    if (got->version != 1 || got->flags != 0 || got->payload_size != 32)
        die("Trade of version %d, flags %d, %u bytes", got->version, got->flags, got->payload_size);
    if (got->sequence != sequence)
        die("sequence %llu, expected %llu", (unsigned long long)got->sequence,
            (unsigned long long)sequence);
    if (memcmp(got->payload, wanted + HEADER, 32) != 0)
        die("Trade %llu is not what was sent", (unsigned long long)sequence);
}

/* A Trade says who made it: its price is p * 1000000 + its sequence. */
static uint64_t producer_of(const frame *got)
{
    return (get(got->payload + 12, 8) - got->sequence) / 1000000;
}

static void check_heartbeat(const frame *got, uint64_t position)
{
    if (got->payload_size < 16 || get(got->payload, 8) != position)
        die("Heartbeat with position %llu, expected %llu",
            (unsigned long long)get(got->payload, 8), (unsigned long long)position);
}

static void consume(int fd, uint64_t count)
{
    uint64_t heartbeats = 0, taken = 0, producer_id = 0, first = 0;
    say_hello(fd, 1, 0);
    uint64_t position = await_welcome(fd, 1).position;
    puts("ready");
    fflush(stdout);
    while (taken < count) {
        const frame *got = read_frame(fd);
        if (got->type == HEARTBEAT) {
            check_heartbeat(got, position + taken);
            heartbeats++;
            continue;
        }
        if (got->type != TRADE)
            die("type %d where a Trade was expected", got->type);
        if (!taken) {
            producer_id = producer_of(got);
            first = got->sequence;
        }
        check_trade(got, producer_id, first + taken++);
    }
    printf("producer=%llu first=%llu trades=%llu position=%llu heartbeats=%llu\n",
           (unsigned long long)producer_id, (unsigned long long)first, (unsigned long long)taken,
           (unsigned long long)(position + taken), (unsigned long long)heartbeats);
}

int main(int argc, char **argv)
{
    make_crc_table();
    if (crc_step(0xFFFFFFFFu, (const uint8_t *)"123456789", 9) != (0xCBF43926u ^ 0xFFFFFFFFu))
        die("the CRC's check value is wrong");
    alarm(60);
    if (argc == 5 && strcmp(argv[1], "produce") == 0)
        produce(connect_to(argv[2]), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    else if (argc == 4 && strcmp(argv[1], "consume") == 0)
        consume(connect_to(argv[2]), strtoull(argv[3], NULL, 10));
    else
        die("usage: c_peer produce SOCKET COUNT PRODUCER_ID | consume SOCKET COUNT");
    return 0;
}
