/* A consumer that is never the bottleneck: drains, counts, verifies or times frames.
 *
 *   consumer --socket PATH --board FILE --index I --count FRAMES --timeout SECONDS
 *            [--mode count|verify|latency] [--skip FRAMES] [--read-bytes N] [--protocol NAME]
 *
 * count:   frames are bytes / 64 (built with QUOTES: 80); magic and sequence of the last whole
 *          frame of every read must be those of a run in which nothing was lost, repeated or
 *          reordered up to there.
 * verify:  every frame's magic, size, sequence and checksum.
 * latency: verify, and now - header timestamp of every frame after the first --skip.
 *
 * With --protocol each frame comes in a message of it (protocols.h), whose every byte is compared,
 * and counting looks at magic and sequence of every frame.
 *
 * FRAMES is exact: the end of input before it, or one byte beyond it, fails the run.
 */
#include "bench.h"
#include "protocols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum mode { COUNT, VERIFY, LATENCY };
enum { MOST_HELD = 4096 }; /* of what is not all there */

struct consumer {
    int fd;
    enum mode mode;
    struct slot *slot;
    uint64_t count, skip, read_bytes;
    uint64_t bytes, frames, reads;
    uint64_t first_ns, last_ns; /* monotonic: the first byte, the last frame */
    uint8_t *buffer;
    uint64_t held; /* bytes of an unfinished message at the buffer's start */
    const struct protocol *protocol;
    uint64_t stride; /* bytes of a message */
    uint64_t *latency;
};

static void check_header(const uint8_t *frame, uint64_t index)
{
    uint32_t payload = load32(frame + AT_PAYLOAD_SIZE);
    if (load32(frame) != FRAME_MAGIC || payload != FRAME_BYTES - HEADER_BYTES)
        fail("frame %llu: not the header of what is sent", (unsigned long long)index);
    if (load64(frame + AT_SEQUENCE) != FIRST_SEQUENCE + index)
        fail("frame %llu: sequence %llu, expected %llu", (unsigned long long)index,
             (unsigned long long)load64(frame + AT_SEQUENCE),
             (unsigned long long)(FIRST_SEQUENCE + index));
}

static void check_frame(const uint8_t *frame, uint64_t index)
{
    check_header(frame, index);
    uint32_t expected = frame_checksum(frame);
    if (load32(frame + AT_CHECKSUM) != expected)
        fail("frame %llu: checksum %08x, expected %08x", (unsigned long long)index,
             load32(frame + AT_CHECKSUM), expected);
}

/* Counting: the last frame that begins and ends in this read stands for all before it. */
static void count_frames(struct consumer *consumer, uint64_t got)
{
    uint64_t before = consumer->bytes;
    consumer->bytes += got;
    consumer->frames = consumer->bytes / FRAME_BYTES;
    if (consumer->frames && (consumer->frames - 1) * FRAME_BYTES >= before)
        check_header(consumer->buffer + (consumer->frames - 1) * FRAME_BYTES - before,
                     consumer->frames - 1);
}

static void time_frame(struct consumer *consumer, const uint8_t *frame, uint64_t now)
{
    uint64_t sent = load64(frame + AT_TIMESTAMP);
    if (consumer->frames >= consumer->skip)
        consumer->latency[consumer->frames - consumer->skip] = now > sent ? now - sent : 0;
}

/* The frame of the message at `at`, past whatever else the server says; NULL when it is not all
 * there. */
static const uint8_t *next_frame(struct consumer *consumer, uint64_t *at, uint64_t end)
{
    const struct protocol *protocol = consumer->protocol;
    while (end > *at) {
        const uint8_t *message = consumer->buffer + *at;
        uint64_t bytes = end - *at, compared = protocol->deliver_bytes;
        compared = bytes < compared ? bytes : compared;
        if (memcmp(message, protocol->deliver, compared) == 0) {
            const uint8_t *frame = message + protocol->deliver_bytes;
            if (bytes < consumer->stride)
                return NULL;
            if (memcmp(frame + FRAME_BYTES, protocol->end, protocol->end_bytes) != 0)
                fail("frame %llu: not a message's end", (unsigned long long)consumer->frames);
            return frame;
        }
        uint64_t passed = protocol->between(consumer->fd, message, bytes);
        if (!passed)
            return NULL;
        *at += passed;
        consumer->bytes -= passed;
    }
    return NULL;
}

static void check_and_time(struct consumer *consumer, const uint8_t *frame, uint64_t now)
{
    check_frame(frame, consumer->frames);
    if (consumer->mode == LATENCY)
        time_frame(consumer, frame, now);
    consumer->frames++;
}

/* Where nothing stands between frames: what a relay is measured with costs nothing for others. */
static uint64_t verify_raw(struct consumer *consumer, uint64_t end, uint64_t now)
{
    uint64_t at = 0;
    for (; end - at >= FRAME_BYTES && consumer->frames < consumer->count; at += FRAME_BYTES)
        check_and_time(consumer, consumer->buffer + at, now);
    return at;
}

static uint64_t verify_messages(struct consumer *consumer, uint64_t end, uint64_t now)
{
    uint64_t at = 0;
    const uint8_t *frame;
    while ((frame = next_frame(consumer, &at, end)) && consumer->frames < consumer->count) {
        if (consumer->mode == COUNT)
            check_header(frame, consumer->frames++);
        else
            check_and_time(consumer, frame, now);
        at += consumer->stride;
    }
    return at;
}

static void verify_frames(struct consumer *consumer, uint64_t got)
{
    uint64_t now = consumer->mode == LATENCY ? realtime_ns() : 0;
    uint64_t end = consumer->held + got;
    bool raw = consumer->stride == FRAME_BYTES;
    consumer->bytes += got;
    uint64_t at = (raw ? verify_raw : verify_messages)(consumer, end, now);
    consumer->held = end - at;
    if (consumer->held > MOST_HELD && consumer->frames < consumer->count)
        fail("the server said too much that is no frame");
    memmove(consumer->buffer, consumer->buffer + at, consumer->held);
}

static void drain(struct consumer *consumer)
{
    while (consumer->frames < consumer->count) {
        uint8_t *into = consumer->buffer + consumer->held;
        ssize_t got = recv(consumer->fd, into, consumer->read_bytes, 0);
        if (got <= 0)
            fail("%s after %llu of %llu frames", got ? strerror(errno) : "end of input",
                 (unsigned long long)consumer->frames, (unsigned long long)consumer->count);
        if (!consumer->reads++)
            consumer->first_ns = monotonic_ns();
        if (consumer->mode == COUNT && consumer->stride == FRAME_BYTES)
            count_frames(consumer, (uint64_t)got);
        else
            verify_frames(consumer, (uint64_t)got);
        atomic_store_explicit(&consumer->slot->frames, consumer->frames, memory_order_release);
    }
    consumer->last_ns = monotonic_ns();
    if (consumer->bytes != consumer->count * consumer->stride)
        fail("%llu bytes, expected %llu frames and not one byte more",
             (unsigned long long)consumer->bytes, (unsigned long long)consumer->count);
}

static int ascending(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void report_latency(const struct consumer *consumer)
{
    static const struct {
        const char *name;
        unsigned per_mille;
    } rows[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p99_9", 999}, {"max", 1000}};
    uint64_t samples = consumer->count - consumer->skip;
    qsort(consumer->latency, samples, sizeof *consumer->latency, ascending);
    printf(", \"latency_ns\": {\"samples\": %llu", (unsigned long long)samples);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t at = samples * rows[i].per_mille / 1000;
        at = at < samples ? at : samples - 1;
        printf(", \"%s\": %llu", rows[i].name, (unsigned long long)consumer->latency[at]);
    }
    printf("}");
}

static void report(const struct consumer *consumer)
{
    printf("{\"count\": %llu, \"bytes\": %llu, \"reads\": %llu, \"first_ns\": %llu, "
           "\"last_ns\": %llu, \"cpu_ns\": %llu",
           (unsigned long long)consumer->frames, (unsigned long long)consumer->bytes,
           (unsigned long long)consumer->reads, (unsigned long long)consumer->first_ns,
           (unsigned long long)consumer->last_ns, (unsigned long long)cpu_ns());
    if (consumer->mode == LATENCY)
        report_latency(consumer);
    printf("}\n");
}

static enum mode parse_mode(const char *text)
{
    static const char *const names[] = {"count", "verify", "latency"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0)
            return (enum mode)i;
    fail("--mode: expected count, verify or latency, got '%s'", text);
}

static void allocate(struct consumer *consumer)
{
    if (!consumer->count || consumer->skip >= consumer->count)
        fail("--count: expected more frames than --skip");
    consumer->stride =
        consumer->protocol->deliver_bytes + FRAME_BYTES + consumer->protocol->end_bytes;
    consumer->buffer = malloc(consumer->read_bytes + MOST_HELD);
    consumer->latency = calloc(consumer->mode == LATENCY ? consumer->count : 1, sizeof(uint64_t));
    if (!consumer->buffer || !consumer->latency)
        fail("out of memory");
}

int main(int argc, char **argv)
{
    static struct consumer consumer = {.read_bytes = 256u << 10};
    const char *socket_path = NULL, *board = NULL, *mode = "count", *protocol = "raw";
    uint64_t timeout = 60, index = 0;
    const struct option_entry options[] = {
        {"socket", NULL, &socket_path},
        {"board", NULL, &board},
        {"mode", NULL, &mode},
        {"index", &index, NULL},
        {"count", &consumer.count, NULL},
        {"skip", &consumer.skip, NULL},
        {"read-bytes", &consumer.read_bytes, NULL},
        {"timeout", &timeout, NULL},
        {"protocol", NULL, &protocol},
        {NULL, NULL, NULL},
    };
    parse_options(argc, argv, options);
    if (!socket_path || !board || index >= MAX_CONSUMERS)
        fail("needs --socket PATH --board FILE, and --index below %d", MAX_CONSUMERS);
    consumer.mode = parse_mode(mode);
    consumer.protocol = find_protocol(protocol);
    bound_lifetime(timeout);
    choose_checksum();
    allocate(&consumer);
    consumer.slot = &map_board(board)->slots[index];
    consumer.fd = connect_to(socket_path);
    const struct greeter greeter = {.board = board, .index = index};
    consumer.protocol->greet_as_consumer(consumer.fd, &greeter);
    atomic_store(&consumer.slot->connected, 1);
    drain(&consumer);
    report(&consumer);
    return 0;
}
