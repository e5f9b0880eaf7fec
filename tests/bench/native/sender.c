/* One of several producers, of frames of any size: what many.c reads.
 *
 *   sender --socket PATH --board FILE --frames FILE --count FRAMES --timeout SECONDS
 *          [--producer K] [--slot S] [--slots N] [--warmup FRAMES] [--block BYTES]
 *          [--window FRAMES] [--send-buffer BYTES] [--interval NS]
 *
 * FILE has whole frames, which are sent over and over; sequences go on, and the time of the
 * block and a right checksum are in each. Producer K begins with sequence K << 40 | 1.
 * Blocks are of as many frames as BYTES hold (one at least), and are sent while fewer than the
 * window are not yet read, as N slots of the board from S on say; with --interval one frame is
 * sent each so many nanoseconds.
 * When everybody has read the warm-up, it says `ready` in slot S, and the clock starts when it is
 * told to go; it stays connected until it is told to leave.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct sender {
    int fd;
    struct slot *slot;
    uint64_t slots, producer, count, warmup, block, window, interval;
    uint64_t sent, bytes, waits;
    uint8_t *frames;  /* the file's */
    uint64_t *starts; /* where each frame begins, and where the last one ends */
    uint64_t known, next;
};

static void nap(uint64_t ns)
{
    struct timespec duration = {.tv_sec = 0, .tv_nsec = (long)ns};
    nanosleep(&duration, NULL);
}

static uint64_t load_file(struct sender *sender, const char *path)
{
    struct stat of;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &of) < 0 || of.st_size < HEADER_BYTES)
        fail("%s: not a file of frames", path);
    sender->frames = mmap(NULL, (size_t)of.st_size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (sender->frames == MAP_FAILED)
        fail("%s: %s", path, strerror(errno));
    close(fd);
    return (uint64_t)of.st_size;
}

static void find_frames(struct sender *sender, uint64_t size)
{
    uint64_t at = 0;
    sender->starts = calloc(size / HEADER_BYTES + 1, sizeof *sender->starts);
    if (!sender->starts)
        fail("out of memory");
    while (size - at >= HEADER_BYTES && load32(sender->frames + at) == FRAME_MAGIC) {
        sender->starts[sender->known++] = at;
        at += HEADER_BYTES + load32(sender->frames + at + AT_PAYLOAD_SIZE);
        if (at > size)
            break;
    }
    if (at != size)
        fail("--frames: expected whole frames and nothing else");
    sender->starts[sender->known] = at;
}

static void stamp(uint8_t *frame, uint64_t sequence, uint64_t now)
{
    store64(frame + AT_SEQUENCE, sequence);
    store64(frame + AT_TIMESTAMP, now);
    uint32_t payload = load32(frame + AT_PAYLOAD_SIZE);
    bool small = payload == FRAME_BYTES - HEADER_BYTES;
    store32(frame + AT_CHECKSUM, small ? frame_checksum(frame) : checksum_of(frame, payload));
}

static void send_all(struct sender *sender, const uint8_t *at, uint64_t bytes)
{
    sender->bytes += bytes;
    while (bytes) {
        ssize_t sent = send(sender->fd, at, bytes, MSG_NOSIGNAL);
        if (sent < 0)
            fail("send after %llu frames: %s", (unsigned long long)sender->sent, strerror(errno));
        at += sent;
        bytes -= (uint64_t)sent;
    }
}

/* Frames of the next block: one, and as many more as fit, up to the file's end. */
static uint64_t fitting(const struct sender *sender, uint64_t left)
{
    uint64_t frames = 1, first = sender->starts[sender->next];
    uint64_t most = sender->known - sender->next;
    most = left < most ? left : most;
    most = sender->window < most ? sender->window : most;
    while (!sender->interval && frames < most &&
           sender->starts[sender->next + frames + 1] - first <= sender->block)
        frames++;
    return frames;
}

static uint64_t read_by_all(const struct sender *sender)
{
    uint64_t least = UINT64_MAX;
    for (uint64_t i = 0; i < sender->slots; i++) {
        uint64_t frames = atomic_load_explicit(&sender->slot[i].frames, memory_order_acquire);
        least = frames < least ? frames : least;
    }
    return least;
}

static void tell_sent(struct sender *sender, uint64_t frames)
{
    for (uint64_t i = 0; i < sender->slots; i++)
        atomic_store_explicit(&sender->slot[i].sent, frames, memory_order_release);
}

static void send_block(struct sender *sender, uint64_t frames)
{
    uint64_t now = realtime_ns(), first = sender->next;
    for (uint64_t i = 0; i < frames; i++)
        stamp(sender->frames + sender->starts[first + i],
              (sender->producer << PRODUCER_BITS) + FIRST_SEQUENCE + sender->sent + i, now);
    send_all(sender, sender->frames + sender->starts[first],
             sender->starts[first + frames] - sender->starts[first]);
    sender->sent += frames;
    tell_sent(sender, sender->sent);
    sender->next = (first + frames) % sender->known;
}

static void wait_for_room(struct sender *sender, uint64_t frames)
{
    while (sender->sent + frames > read_by_all(sender) + sender->window) {
        sender->waits++;
        nap(50000);
    }
}

/* Who stays behind must not while everything is to be read. */
static void wait_until_read(struct sender *sender)
{
    tell_sent(sender, UINT64_MAX);
    while (read_by_all(sender) < sender->sent)
        nap(50000);
    tell_sent(sender, sender->sent);
}

static void wait_for_word(const _Atomic uint64_t *word)
{
    while (!atomic_load(word))
        nap(200000);
}

static void wait_for_consumers(const struct sender *sender)
{
    for (uint64_t i = 0; i < sender->slots; i++)
        wait_for_word(&sender->slot[i].connected);
}

static void send_some(struct sender *sender, uint64_t frames)
{
    uint64_t until = sender->sent + frames, due = monotonic_ns();
    while (sender->sent < until) {
        uint64_t block = fitting(sender, until - sender->sent);
        due += sender->interval;
        struct timespec at = {(time_t)(due / NS_PER_S), (long)(due % NS_PER_S)};
        if (sender->interval)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        wait_for_room(sender, block);
        send_block(sender, block);
    }
}

static void report(const struct sender *sender, uint64_t start, uint64_t cpu, uint64_t bytes)
{
    printf("{\"start_ns\": %llu, \"sent_ns\": %llu, \"frames\": %llu, \"bytes\": %llu, "
           "\"waits\": %llu, \"cpu_ns\": %llu}\n",
           (unsigned long long)start, (unsigned long long)monotonic_ns(),
           (unsigned long long)sender->count, (unsigned long long)(sender->bytes - bytes),
           (unsigned long long)sender->waits, (unsigned long long)(cpu_ns() - cpu));
}

int main(int argc, char **argv)
{
    static struct sender sender = {.slots = 1, .block = 256u << 10, .window = 200000};
    const char *socket_path = NULL, *board = NULL, *frames = NULL;
    uint64_t timeout = 60, send_buffer = 0, slot = 0;
    const struct option_entry options[] = {
        {"socket", NULL, &socket_path},
        {"board", NULL, &board},
        {"frames", NULL, &frames},
        {"producer", &sender.producer, NULL},
        {"slot", &slot, NULL},
        {"slots", &sender.slots, NULL},
        {"count", &sender.count, NULL},
        {"warmup", &sender.warmup, NULL},
        {"block", &sender.block, NULL},
        {"window", &sender.window, NULL},
        {"interval", &sender.interval, NULL},
        {"send-buffer", &send_buffer, NULL},
        {"timeout", &timeout, NULL},
        {NULL, NULL, NULL},
    };
    parse_options(argc, argv, options);
    if (!socket_path || !board || !frames)
        fail("needs --socket PATH --board FILE --frames FILE");
    if (!sender.slots || slot + sender.slots > MAX_CONSUMERS)
        fail("--slots: expected at least 1, and slots below %d", MAX_CONSUMERS);
    bound_lifetime(timeout);
    prctl(PR_SET_TIMERSLACK, 1);
    choose_checksum();
    find_frames(&sender, load_file(&sender, frames));
    sender.slot = &map_board(board)->slots[slot];
    wait_for_consumers(&sender);
    sender.fd = connect_to(socket_path);
    set_send_buffer(sender.fd, send_buffer);
    send_some(&sender, sender.warmup);
    wait_until_read(&sender);
    atomic_store(&sender.slot->ready, 1);
    wait_for_word(&sender.slot->go);
    uint64_t cpu = cpu_ns(), bytes = sender.bytes, start = monotonic_ns();
    send_some(&sender, sender.count);
    report(&sender, start, cpu, bytes);
    wait_until_read(&sender);
    fflush(stdout);
    wait_for_word(&sender.slot->leave);
    return 0;
}
