/* A producer that is never the bottleneck: sealed 64-byte Trades (built with QUOTES: 80-byte
 * Quotes of several instruments in turn), flat out or one at a time.
 *
 *   producer --socket PATH --board FILE --consumers N --count FRAMES --timeout SECONDS
 *            [--warmup FRAMES] [--block BYTES] [--window FRAMES] [--send-buffer BYTES]
 *            [--interval NS] [--due 1] [--instruments N] [--protocol NAME] [--stopped N]
 *
 * It waits until N consumers are on the board, connects, sends the warm-up and waits until all
 * have read it: from then on everybody is connected, fed and awake, and the clock starts.
 * The last --stopped of them stop then, and nobody waits for them any more.
 * Flat out, blocks are sent while the slowest consumer is less than the window behind.
 * With --interval, one frame is sent each so many nanoseconds, stamped just before; with --due,
 * stamped with the time at which it should have been sent: an open loop, in which a server that
 * holds the producer up pays for every frame that has to wait behind.
 * With --protocol, each frame is a message of it (protocols.h); the block is of so many frames.
 *
 * Frames are sealed without computing a CRC each: CRC-32 is linear, so the checksum of a
 * prepared frame with another sequence and timestamp is the prepared one XOR the effects of
 * the two fields, which are looked up.
 */
#include "bench.h"
#include "protocols.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum { LOW_BITS = 12, LOW_COUNT = 1 << LOW_BITS };

struct producer {
    int fd;
    struct board *board;
    const struct protocol *protocol;
    uint64_t consumers, count, warmup, block, window, interval, due, instruments, stopped;
    uint64_t sent;   /* frames, warm-up included */
    uint64_t waits;  /* times the window held it back */
    uint64_t late;   /* frames sent an interval or more behind the time */
    uint8_t *messages; /* one block: each has its frame behind what the protocol wants first */
    uint64_t stride;   /* bytes of a message */
    uint32_t *plain; /* checksum of each prepared frame with sequence and timestamp 0 */
    uint32_t zero;   /* checksum of a frame of zeros */
    uint32_t low[LOW_COUNT];
};

static void nap(uint64_t ns)
{
    struct timespec duration = {.tv_sec = 0, .tv_nsec = (long)ns};
    nanosleep(&duration, NULL);
}

/* What a field with this value adds to the checksum of a frame where it was 0. */
static uint32_t effect(const struct producer *producer, size_t offset, uint64_t value)
{
    uint8_t frame[FRAME_BYTES] = {0};
    store64(frame + offset, value);
    return frame_checksum(frame) ^ producer->zero;
}

/* Binance spot BTCUSDT, price and volume different in every frame of the block. Of Quotes the
 * instruments are taken in an order that is no order, the same in every run. */
static void prepare_frame(uint8_t *frame, uint64_t i, uint64_t instruments)
{
    memset(frame, 0, FRAME_BYTES);
    store32(frame, FRAME_MAGIC);
    frame[4] = FRAME_BYTES == 64 ? 1 : 2; /* Trade or Quote */
    frame[5] = 1; /* version */
    frame[6] = 1; /* BinanceCollector */
    store32(frame + AT_PAYLOAD_SIZE, FRAME_BYTES - HEADER_BYTES);
    frame[32] = 1; /* venue Binance */
    frame[34] = 4; /* Spot */
    memcpy(frame + 36, "\0TDSUCTB", 8); /* BTCUSDT: big-endian ASCII, written little-endian */
    if (instruments > 1)
        store64(frame + 36, (i * 2654435761u + 12345) % instruments);
    store64(frame + 44, 6000000000000ull + i * 1000000);
    store64(frame + 52, 100000 + i);
    if (FRAME_BYTES == 64)
        frame[60] = (uint8_t)(1 + i % 2);
}

static uint8_t *frame_at(const struct producer *producer, uint64_t i)
{
    return producer->messages + i * producer->stride + producer->protocol->publish_bytes;
}

static void prepare(struct producer *producer)
{
    uint8_t zeros[FRAME_BYTES] = {0};
    uint64_t frames = producer->block / FRAME_BYTES;
    const struct protocol *protocol = producer->protocol;
    producer->stride = protocol->publish_bytes + FRAME_BYTES + protocol->end_bytes;
    producer->messages = aligned_alloc(4096, (frames * producer->stride + 4095) / 4096 * 4096);
    producer->plain = calloc(frames, sizeof *producer->plain);
    if (!producer->messages || !producer->plain)
        fail("out of memory");
    producer->zero = frame_checksum(zeros);
    for (uint64_t i = 0; i < LOW_COUNT; i++)
        producer->low[i] = effect(producer, AT_SEQUENCE, i);
    for (uint64_t i = 0; i < frames; i++) {
        uint8_t *frame = frame_at(producer, i);
        memcpy(frame - protocol->publish_bytes, protocol->publish, protocol->publish_bytes);
        prepare_frame(frame, i, producer->instruments);
        memcpy(frame + FRAME_BYTES, protocol->end, protocol->end_bytes);
        producer->plain[i] = frame_checksum(frame);
    }
}

/* Gives the block's first `frames` their sequences, that time and right checksums. */
static void stamp(struct producer *producer, uint64_t frames, uint64_t now)
{
    uint64_t sequence = FIRST_SEQUENCE + producer->sent;
    uint32_t time_effect = effect(producer, AT_TIMESTAMP, now);
    uint32_t shared = 0;
    uint8_t *frame = frame_at(producer, 0);
    const uint64_t stride = producer->stride;
    for (uint64_t i = 0; i < frames; i++, sequence++, frame += stride) {
        uint64_t low = sequence % LOW_COUNT;
        if (i == 0 || low == 0)
            shared = time_effect ^ effect(producer, AT_SEQUENCE, sequence - low);
        store64(frame + AT_SEQUENCE, sequence);
        store64(frame + AT_TIMESTAMP, now);
        store32(frame + AT_CHECKSUM, producer->plain[i] ^ producer->low[low] ^ shared);
    }
}

static void send_all(struct producer *producer, uint64_t bytes)
{
    const uint8_t *at = producer->messages;
    while (bytes) {
        ssize_t sent = send(producer->fd, at, bytes, MSG_NOSIGNAL);
        if (sent < 0)
            fail("send after %llu frames: %s", (unsigned long long)producer->sent, strerror(errno));
        at += sent;
        bytes -= (uint64_t)sent;
    }
}

static void send_frames(struct producer *producer, uint64_t frames, uint64_t now)
{
    stamp(producer, frames, now);
    send_all(producer, frames * producer->stride);
    producer->sent += frames;
}

static void wait_for_room(struct producer *producer, uint64_t frames)
{
    while (producer->sent + frames >
           slowest(producer->board, producer->consumers) + producer->window) {
        producer->waits++;
        nap(50000);
    }
}

static void wait_until_read(const struct producer *producer)
{
    while (slowest(producer->board, producer->consumers) < producer->sent)
        nap(50000);
}

static void wait_for_consumers(const struct producer *producer)
{
    for (uint64_t i = 0; i < producer->consumers; i++)
        while (!atomic_load(&producer->board->slots[i].connected))
            nap(200000);
}

static void send_flat_out(struct producer *producer, uint64_t until)
{
    uint64_t most = producer->block / FRAME_BYTES;
    while (producer->sent < until) {
        uint64_t left = until - producer->sent;
        uint64_t frames = left < most ? left : most;
        wait_for_room(producer, frames);
        send_frames(producer, frames, realtime_ns());
    }
}

/* To sleep takes up to 20 us of a processor on a virtual machine (arming the timer leaves to its
 * host), as much as an open loop has for a frame: there, others are let run instead. */
static void wait_until(const struct producer *producer, uint64_t due)
{
    struct timespec at = {(time_t)(due / NS_PER_S), (long)(due % NS_PER_S)};
    if (!producer->due)
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    while (producer->due && monotonic_ns() < due)
        sched_yield();
}

static void send_one_by_one(struct producer *producer, uint64_t until)
{
    uint64_t due = monotonic_ns(), clocks_apart = realtime_ns() - due;
    while (producer->sent < until) {
        due += producer->interval;
        wait_until(producer, due);
        producer->late += monotonic_ns() - due > producer->interval;
        send_frames(producer, 1, producer->due ? due + clocks_apart : realtime_ns());
    }
}

static void send_some(struct producer *producer, uint64_t frames)
{
    if (producer->interval)
        send_one_by_one(producer, producer->sent + frames);
    else
        send_flat_out(producer, producer->sent + frames);
}

static void check(const struct producer *producer)
{
    if (!producer->consumers || producer->consumers > MAX_CONSUMERS)
        fail("--consumers: expected 1 to %d", MAX_CONSUMERS);
    if (producer->stopped >= producer->consumers)
        fail("--stopped: expected fewer than --consumers");
    if (!producer->block || producer->block % FRAME_BYTES)
        fail("--block: expected a multiple of %d bytes", FRAME_BYTES);
    if (producer->block / FRAME_BYTES > producer->window)
        fail("--window: expected at least one block");
}

static void report(const struct producer *producer, uint64_t start, uint64_t cpu)
{
    printf("{\"start_ns\": %llu, \"sent_ns\": %llu, \"frames\": %llu, \"waits\": %llu, "
           "\"late\": %llu, \"cpu_ns\": %llu}\n",
           (unsigned long long)start, (unsigned long long)monotonic_ns(),
           (unsigned long long)producer->count, (unsigned long long)producer->waits,
           (unsigned long long)producer->late, (unsigned long long)(cpu_ns() - cpu));
}

int main(int argc, char **argv)
{
    static struct producer producer = {
        .consumers = 1, .block = 256u << 10, .window = 200000};
    const char *socket_path = NULL, *board = NULL, *protocol = "raw";
    uint64_t timeout = 60, send_buffer = 0;
    const struct option_entry options[] = {
        {"socket", NULL, &socket_path},
        {"board", NULL, &board},
        {"consumers", &producer.consumers, NULL},
        {"count", &producer.count, NULL},
        {"warmup", &producer.warmup, NULL},
        {"block", &producer.block, NULL},
        {"window", &producer.window, NULL},
        {"interval", &producer.interval, NULL},
        {"due", &producer.due, NULL},
        {"protocol", NULL, &protocol},
        {"instruments", &producer.instruments, NULL},
        {"stopped", &producer.stopped, NULL},
        {"send-buffer", &send_buffer, NULL},
        {"timeout", &timeout, NULL},
        {NULL, NULL, NULL},
    };
    parse_options(argc, argv, options);
    if (!socket_path || !board)
        fail("needs --socket PATH --board FILE");
    check(&producer);
    bound_lifetime(timeout);
    prctl(PR_SET_TIMERSLACK, 1);
    choose_checksum();
    producer.protocol = find_protocol(protocol);
    prepare(&producer);
    producer.board = map_board(board);
    wait_for_consumers(&producer);
    producer.fd = connect_to(socket_path);
    set_send_buffer(producer.fd, send_buffer);
    const struct greeter greeter = {.board = board, .consumers = producer.consumers};
    producer.protocol->greet_as_producer(producer.fd, &greeter);
    send_some(&producer, producer.warmup);
    wait_until_read(&producer);
    producer.consumers -= producer.stopped;
    producer.late = 0;
    uint64_t cpu = cpu_ns(), start = monotonic_ns();
    send_some(&producer, producer.count);
    report(&producer, start, cpu);
    wait_until_read(&producer);
    return 0;
}
