/* Many consumers in one process, where a process each would be the bench's own cost.
 *
 *   many --socket PATH --board FILE --connections N --count FRAMES --timeout SECONDS
 *        [--index SLOT] [--producers P] [--mode count|verify] [--wanted FILE] [--read-bytes N]
 *        [--greeting FILE] [--heartbeat FILE] [--hold-ms MS] [--stay 1]
 *        [--behind FRAMES] [--after N] [--stop-after FRAMES]
 *
 * Every connection must have FRAMES frames exactly, of P producers together and of any size. Of
 * each frame are looked at: magic, size, and its sequence, which says whose it is (bench.h) and
 * must be that producer's next one; with verify its checksum too.
 * With --wanted only some may come, and of these all: FILE has a byte for each frame of a round of
 * the one producer's, 1 where it is wanted.
 * In slot SLOT + k of the board stands how many frames of producer k all connections have.
 *
 * The greeting (a Hello) is sent by each connection at once, and answered by a Welcome; control
 * frames are counted, and Error, Gap or Snapshot fail the run. With --heartbeat a connection
 * answers each of the server's with that frame. FRAMES = 0: reads for --hold-ms, then says what
 * came.
 * With --behind a connection reads only while it is more than so many frames behind what its
 * sender has sent, or that has sent everything.
 * With --stay it says `done` on the board and keeps its connections until it is told to leave: to
 * close a thousand costs the server time that has nothing to do with frames.
 *
 * With --after they connect when the first N of the board are connected, and are served after them.
 * With --stop-after the process stops itself (SIGSTOP) when each connection has so many frames, of
 * one producer. Whoever continues it (SIGCONT) is told what became of them: a connection that said
 * nothing may have ended between two frames (closed), one that sent a greeting may have had one Gap
 * (gapped), which names all that it has not had. Everything else fails the run as ever.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PAYLOAD = 1 << 20, MOST_GREETING = 4096, MOST_READY = 256 };
enum { CONTROL_FIRST = 100, CONTROL_LAST = 109, HEARTBEAT = 100, WELCOME = 105, GAP = 107 };
enum { AT_WELCOME_POSITION = 40, AT_GAP_FIRST = 32, AT_GAP_LAST = 40, AT_GAP_COUNT = 48 };
/* By then a relay takes who has said nothing for a consumer (plain_after is 100 ms). */
enum { SERVED_AFTER_NS = 150000000 };
#define NEVER UINT64_MAX

struct connection {
    int fd;
    bool welcomed, closed;
    uint64_t begin;   /* position of the first frame, as Welcome says */
    uint64_t frames;  /* had, or skipped */
    uint64_t skipped; /* by a Gap */
    uint64_t held; /* bytes of an unfinished frame, kept in rest */
    uint8_t *rest;
    uint64_t *seen; /* of each producer: how many frames, or the number of the last one */
};

struct message {
    uint8_t bytes[MOST_GREETING];
    uint64_t size;
};

struct many {
    int epoll;
    bool verify, stopped;
    uint64_t stop_after, gapped, closed;
    uint64_t connections, producers, count, behind, read_bytes, hold_ms;
    struct message greeting, heartbeat;
    uint8_t *wanted; /* of a round of frames, NULL: all */
    uint64_t round;
    struct slot *slots;
    struct connection *each;
    uint8_t *buffer;
    uint64_t unwelcomed, unfinished;
    uint64_t bytes, reads, controls, heartbeats;
    uint64_t first_ns, last_ns;
    uint64_t beats;
};

static void load_message(struct message *message, const char *path)
{
    if (!path)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, message->bytes, sizeof message->bytes);
    if (got < HEADER_BYTES || got == sizeof message->bytes)
        fail("%s: expected a frame of less than %d bytes", path, MOST_GREETING);
    message->size = (uint64_t)got;
    close(fd);
}

static void load_wanted(struct many *many, const char *path)
{
    struct stat of;
    if (!path)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &of) < 0)
        fail("%s: %s", path, strerror(errno));
    many->round = (uint64_t)of.st_size;
    many->wanted = mmap(NULL, many->round, PROT_READ, MAP_PRIVATE, fd, 0);
    if (many->wanted == MAP_FAILED || !memchr(many->wanted, 1, many->round))
        fail("%s: no frame is wanted", path);
    close(fd);
}

static void say(const struct connection *connection, const struct message *message)
{
    if (send(connection->fd, message->bytes, message->size, MSG_NOSIGNAL) !=
        (ssize_t)message->size)
        fail("send: %s", strerror(errno));
}

static void open_connection(struct many *many, struct connection *connection, const char *path)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    connection->fd = connect_to(path);
    connection->seen = calloc(many->producers, sizeof *connection->seen);
    if (!connection->seen)
        fail("out of memory");
    if (many->greeting.size)
        say(connection, &many->greeting);
    else
        connection->welcomed = true;
    if (epoll_ctl(many->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void tell_all_connected(struct many *many)
{
    for (uint64_t k = 0; k < many->producers; k++)
        atomic_store(&many->slots[k].connected, 1);
}

/* Frames that one connection has had or is told that it will not have. */
static void pass(struct many *many, struct connection *connection, uint64_t frames)
{
    connection->frames += frames;
    if (connection->frames == many->count)
        many->unfinished--;
    else if (many->count && connection->frames > many->count)
        fail("frame %llu: more than were sent", (unsigned long long)connection->frames - 1);
}

static void check_checksum(const uint8_t *frame, uint32_t payload)
{
    uint32_t expected = payload == FRAME_BYTES - HEADER_BYTES ? frame_checksum(frame)
                                                              : checksum_of(frame, payload);
    if (load32(frame + AT_CHECKSUM) != expected)
        fail("frame with sequence %llu: checksum %08x, expected %08x",
             (unsigned long long)load64(frame + AT_SEQUENCE), load32(frame + AT_CHECKSUM),
             expected);
}

static void take_gap(struct many *many, struct connection *connection, const uint8_t *gap)
{
    uint64_t next = connection->begin + connection->frames;
    uint64_t first = load64(gap + AT_GAP_FIRST), last = load64(gap + AT_GAP_LAST);
    check_checksum(gap, load32(gap + AT_PAYLOAD_SIZE));
    if (connection->skipped || first != next || last < first ||
        load64(gap + AT_GAP_COUNT) != last - first + 1)
        fail("a Gap from %llu to %llu, expected one Gap at most, from %llu on",
             (unsigned long long)first, (unsigned long long)last, (unsigned long long)next);
    many->gapped++;
    connection->skipped = last - first + 1;
    connection->seen[0] += connection->skipped;
    pass(many, connection, connection->skipped);
}

static void beat(struct many *many, struct connection *connection)
{
    many->heartbeats++;
    if (!many->heartbeat.size)
        return;
    say(connection, &many->heartbeat);
    many->beats++;
}

static void take_control(struct many *many, struct connection *connection, const uint8_t *frame)
{
    many->controls++;
    if (frame[AT_TYPE] == HEARTBEAT)
        beat(many, connection);
    if (frame[AT_TYPE] == GAP && many->stopped && many->greeting.size)
        take_gap(many, connection, frame);
    else if (frame[AT_TYPE] != HEARTBEAT && frame[AT_TYPE] != WELCOME)
        fail("a control frame of type %d", frame[AT_TYPE]);
    if (frame[AT_TYPE] != WELCOME || connection->welcomed)
        return;
    connection->welcomed = true;
    connection->begin = load64(frame + AT_WELCOME_POSITION);
    if (--many->unwelcomed == 0)
        tell_all_connected(many);
}

static uint64_t next_wanted(const struct many *many, uint64_t number)
{
    while (many->wanted && !many->wanted[(number - FIRST_SEQUENCE) % many->round])
        number++;
    return number;
}

static void take_domain(struct many *many, struct connection *connection, const uint8_t *frame)
{
    uint64_t sequence = load64(frame + AT_SEQUENCE);
    uint64_t producer = sequence >> PRODUCER_BITS, number = sequence % FRAMES_OF_ONE;
    if (!connection->welcomed || producer >= many->producers)
        fail("frame %llu: sequence %llx, not of a producer of this run",
             (unsigned long long)connection->frames, (unsigned long long)sequence);
    uint64_t expected = next_wanted(many, connection->seen[producer] + FIRST_SEQUENCE);
    if (number != expected)
        fail("frame %llu: of producer %llu number %llu, expected %llu",
             (unsigned long long)connection->frames, (unsigned long long)producer,
             (unsigned long long)number, (unsigned long long)expected);
    connection->seen[producer] = number;
    pass(many, connection, 1);
}

/* Takes the whole frames at `at`; returns the bytes they have. */
static uint64_t take_frames(
    struct many *many, struct connection *connection, const uint8_t *at, uint64_t bytes)
{
    uint64_t done = 0;
    while (bytes - done >= HEADER_BYTES) {
        const uint8_t *frame = at + done;
        uint32_t payload = load32(frame + AT_PAYLOAD_SIZE);
        if (load32(frame) != FRAME_MAGIC || payload > MOST_PAYLOAD)
            fail("frame %llu: not a header", (unsigned long long)connection->frames);
        if (bytes - done < HEADER_BYTES + payload)
            break;
        if (many->verify)
            check_checksum(frame, payload);
        if (frame[AT_TYPE] >= CONTROL_FIRST && frame[AT_TYPE] <= CONTROL_LAST)
            take_control(many, connection, frame);
        else
            take_domain(many, connection, frame);
        done += HEADER_BYTES + payload;
    }
    return done;
}

static void keep_rest(struct connection *connection, const uint8_t *at, uint64_t bytes)
{
    connection->held = bytes;
    if (!bytes)
        return;
    connection->rest = realloc(connection->rest, bytes);
    if (!connection->rest)
        fail("out of memory");
    memcpy(connection->rest, at, bytes);
}

/* Whether the end of input is how one that was stopped is told that it lost what follows. */
static bool may_end(const struct many *many, const struct connection *connection)
{
    return many->stopped && !many->greeting.size && !connection->held &&
           connection->frames < many->count;
}

static void end(struct many *many, struct connection *connection)
{
    connection->closed = true;
    many->closed++;
    many->unfinished--;
    if (epoll_ctl(many->epoll, EPOLL_CTL_DEL, connection->fd, NULL) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void read_connection(struct many *many, struct connection *connection)
{
    if (connection->held)
        memcpy(many->buffer, connection->rest, connection->held);
    uint8_t *into = many->buffer + connection->held;
    ssize_t got = recv(connection->fd, into, many->read_bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got == 0 && may_end(many, connection)) {
        end(many, connection);
        return;
    }
    if (got <= 0)
        fail("%s after %llu of %llu frames", got ? strerror(errno) : "end of input",
             (unsigned long long)connection->frames, (unsigned long long)many->count);
    if (!many->reads++)
        many->first_ns = monotonic_ns();
    many->bytes += (uint64_t)got;
    uint64_t bytes = connection->held + (uint64_t)got;
    uint64_t done = take_frames(many, connection, many->buffer, bytes);
    keep_rest(connection, many->buffer + done, bytes - done);
}

/* What the slowest connection has of each producer, for the producers to pace themselves by. */
static void tell_progress(struct many *many)
{
    for (uint64_t k = 0; k < many->producers; k++) {
        uint64_t least = UINT64_MAX;
        for (uint64_t i = 0; i < many->connections; i++)
            if (many->each[i].seen[k] < least)
                least = many->each[i].seen[k];
        atomic_store_explicit(&many->slots[k].frames, least, memory_order_release);
    }
}

static uint64_t fewest_frames(const struct many *many)
{
    uint64_t least = UINT64_MAX;
    for (uint64_t i = 0; i < many->connections; i++)
        if (many->each[i].frames < least)
            least = many->each[i].frames;
    return least;
}

static void stop_when_due(struct many *many)
{
    if (!many->stop_after || many->stopped || fewest_frames(many) < many->stop_after)
        return;
    many->stopped = true;
    raise(SIGSTOP);
}

static void read_ready(struct many *many, uint64_t now, uint64_t until)
{
    struct epoll_event events[MOST_READY];
    int wait = until == NEVER ? -1 : until <= now ? 0 : (int)((until - now) / 1000000) + 1;
    int ready = epoll_wait(many->epoll, events, MOST_READY, wait);
    if (ready < 0 && errno != EINTR)
        fail("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < ready; i++)
        read_connection(many, events[i].data.ptr);
    if (ready > 0)
        tell_progress(many);
    stop_when_due(many);
}

static void nap(uint64_t ns)
{
    const struct timespec duration = {.tv_nsec = (long)ns};
    nanosleep(&duration, NULL);
}

static void drain_behind(struct many *many)
{
    while (many->unfinished) {
        uint64_t sent = atomic_load_explicit(&many->slots[0].sent, memory_order_acquire);
        for (uint64_t i = 0; i < many->connections; i++)
            if (many->each[i].seen[0] + many->behind < sent)
                read_connection(many, &many->each[i]);
        tell_progress(many);
        nap(20000);
    }
}

static void drain(struct many *many)
{
    uint64_t now = monotonic_ns();
    if (many->behind)
        drain_behind(many);
    uint64_t end = many->count ? NEVER : now + many->hold_ms * 1000000;
    while (many->unfinished && now < end) {
        read_ready(many, now, end);
        now = monotonic_ns();
    }
    many->last_ns = monotonic_ns();
    for (uint64_t i = 0; many->count && i < many->connections; i++) {
        if (many->each[i].closed)
            continue;
        read_connection(many, &many->each[i]);
        if (many->each[i].held)
            fail("connection %llu: bytes beyond the last frame", (unsigned long long)i);
    }
}

static void stay(const struct many *many)
{
    atomic_store(&many->slots[0].done, 1);
    while (!atomic_load(&many->slots[0].leave))
        nap(1000000);
}

static void report(const struct many *many)
{
    uint64_t had = 0;
    for (uint64_t i = 0; i < many->connections; i++)
        had += many->each[i].frames - many->each[i].skipped;
    printf("{\"connections\": %llu, \"count\": %llu, \"bytes\": %llu, \"reads\": %llu, "
           "\"controls\": %llu, \"heartbeats\": %llu, \"beats\": %llu, "
           "\"had\": %llu, \"gapped\": %llu, \"closed\": %llu, "
           "\"first_ns\": %llu, \"last_ns\": %llu, \"cpu_ns\": %llu}\n",
           (unsigned long long)many->connections, (unsigned long long)fewest_frames(many),
           (unsigned long long)many->bytes, (unsigned long long)many->reads,
           (unsigned long long)many->controls, (unsigned long long)many->heartbeats,
           (unsigned long long)many->beats, (unsigned long long)had,
           (unsigned long long)many->gapped, (unsigned long long)many->closed,
           (unsigned long long)many->first_ns,
           (unsigned long long)many->last_ns, (unsigned long long)cpu_ns());
}

static void allocate(struct many *many, const char *board, uint64_t index)
{
    if (!many->connections || !many->producers || index + many->producers > MAX_CONSUMERS)
        fail("--connections, --producers: expected at least 1, and slots below %d", MAX_CONSUMERS);
    if (!many->count == !many->hold_ms)
        fail("needs either --count or --hold-ms");
    many->slots = &map_board(board)->slots[index];
    many->each = calloc(many->connections, sizeof *many->each);
    many->buffer = malloc(HEADER_BYTES + MOST_PAYLOAD + many->read_bytes);
    many->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!many->each || !many->buffer || many->epoll < 0)
        fail("out of memory");
    many->unfinished = many->connections;
    many->unwelcomed = many->greeting.size ? many->connections : 0;
}

static void wait_for_others(const char *board, uint64_t others)
{
    const struct timespec nap = {.tv_nsec = 200000}, served = {.tv_nsec = SERVED_AFTER_NS};
    const struct board *all = map_board(board);
    for (uint64_t i = 0; i < others; i++)
        while (!atomic_load(&all->slots[i].connected))
            nanosleep(&nap, NULL);
    if (others)
        nanosleep(&served, NULL);
}

int main(int argc, char **argv)
{
    static struct many many = {
        .connections = 1, .producers = 1, .read_bytes = 256u << 10};
    const char *socket_path = NULL, *board = NULL, *mode = "count";
    const char *greeting = NULL, *heartbeat = NULL, *wanted = NULL;
    uint64_t timeout = 60, index = 0, after = 0, staying = 0;
    const struct option_entry options[] = {
        {"socket", NULL, &socket_path},
        {"board", NULL, &board},
        {"mode", NULL, &mode},
        {"index", &index, NULL},
        {"connections", &many.connections, NULL},
        {"producers", &many.producers, NULL},
        {"count", &many.count, NULL},
        {"behind", &many.behind, NULL},
        {"wanted", NULL, &wanted},
        {"read-bytes", &many.read_bytes, NULL},
        {"greeting", NULL, &greeting},
        {"heartbeat", NULL, &heartbeat},
        {"after", &after, NULL},
        {"stop-after", &many.stop_after, NULL},
        {"hold-ms", &many.hold_ms, NULL},
        {"stay", &staying, NULL},
        {"timeout", &timeout, NULL},
        {NULL, NULL, NULL},
    };
    parse_options(argc, argv, options);
    if (!socket_path || !board)
        fail("needs --socket PATH --board FILE");
    many.verify = strcmp(mode, "verify") == 0;
    if (!many.verify && strcmp(mode, "count") != 0)
        fail("--mode: expected count or verify, got '%s'", mode);
    bound_lifetime(timeout);
    if (many.stop_after)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* stopped, it would not hear of SIGTERM */
    choose_checksum();
    load_message(&many.greeting, greeting);
    load_message(&many.heartbeat, heartbeat);
    load_wanted(&many, wanted);
    allocate(&many, board, index);
    wait_for_others(board, after);
    for (uint64_t i = 0; i < many.connections; i++)
        open_connection(&many, &many.each[i], socket_path);
    if (!many.unwelcomed)
        tell_all_connected(&many);
    drain(&many);
    report(&many);
    if (staying)
        stay(&many);
    return 0;
}
