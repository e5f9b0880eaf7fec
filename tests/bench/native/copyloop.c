/* The floor: a relay that only copies.
 *
 * The relay's sockets, ring, cursors and event loop without a look at a header: one thread,
 * epoll, a ring mapped twice, one recv straight into it, one send of its memory per consumer,
 * EPOLLOUT only while a consumer is blocked. What a relay costs above this is what it does
 * with the frames; what this costs is the kernel's.
 *
 *   copyloop --producers IN.sock --consumers OUT.sock
 *            [--log-bytes N] [--read-bytes N] [--send-buffer N]
 *
 * A consumer that is overtaken (the ring comes round to its cursor) ends the program with 3:
 * a run that lost bytes is no measurement. SIGTERM ends it with 0 and counters on stdout.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { PRODUCER_LISTENER, CONSUMER_LISTENER, PRODUCER, CONSUMER };

struct peer {
    enum kind kind;
    int fd;
    bool blocked;
    uint64_t cursor;
};

struct loop {
    int epoll;
    uint8_t *ring;
    uint64_t log_bytes;
    uint64_t read_bytes;
    uint64_t send_buffer;
    uint64_t end;
    uint64_t reads, sends, blocks;
    unsigned consumers;
    struct peer *consumer[MAX_CONSUMERS];
    struct peer listener[2];
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static uint8_t *map_ring(uint64_t bytes)
{
    int fd = memfd_create("copyloop", MFD_CLOEXEC);
    uint8_t *at = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fd < 0 || at == MAP_FAILED || ftruncate(fd, (off_t)bytes) < 0)
        fail("ring: %s", strerror(errno));
    for (int i = 0; i < 2; i++)
        if (mmap(at + (uint64_t)i * bytes, bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == MAP_FAILED)
            fail("ring: %s", strerror(errno));
    close(fd);
    return at;
}

static void watch(struct loop *loop, struct peer *peer, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(loop->epoll, operation, peer->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void drop(struct loop *loop, struct peer *peer)
{
    close(peer->fd);
    if (peer->kind == PRODUCER) {
        free(peer);
        return;
    }
    unsigned i = 0;
    while (loop->consumer[i] != peer)
        i++;
    loop->consumer[i] = loop->consumer[--loop->consumers];
    free(peer);
}

static void set_blocked(struct loop *loop, struct peer *peer, bool blocked)
{
    if (peer->blocked == blocked)
        return;
    peer->blocked = blocked;
    loop->blocks += blocked;
    watch(loop, peer, EPOLL_CTL_MOD, blocked ? EPOLLRDHUP | EPOLLOUT : EPOLLRDHUP);
}

/* One send of everything the consumer has not had. */
static void deliver(struct loop *loop, struct peer *peer)
{
    const uint8_t *from = loop->ring + peer->cursor % loop->log_bytes;
    ssize_t sent = send(peer->fd, from, loop->end - peer->cursor, MSG_DONTWAIT | MSG_NOSIGNAL);
    loop->sends++;
    if (sent > 0)
        peer->cursor += (uint64_t)sent;
    else if (errno != EAGAIN)
        return; /* gone: epoll says so next */
    set_blocked(loop, peer, peer->cursor != loop->end);
}

static void refuse_overtaking(const struct loop *loop, const struct peer *peer)
{
    if (loop->end - peer->cursor <= loop->log_bytes)
        return;
    fprintf(stderr, "copyloop: a consumer was overtaken: %llu bytes behind in a ring of %llu\n",
            (unsigned long long)(loop->end - peer->cursor), (unsigned long long)loop->log_bytes);
    exit(3);
}

static void commit(struct loop *loop)
{
    for (unsigned i = 0; i < loop->consumers; i++) {
        struct peer *peer = loop->consumer[i];
        refuse_overtaking(loop, peer);
        if (!peer->blocked)
            deliver(loop, peer);
    }
}

static void take(struct loop *loop, struct peer *peer)
{
    uint8_t *into = loop->ring + loop->end % loop->log_bytes;
    ssize_t got = recv(peer->fd, into, loop->read_bytes, MSG_DONTWAIT);
    if (got > 0) {
        loop->reads++;
        loop->end += (uint64_t)got;
        commit(loop);
    } else if (got == 0 || errno != EAGAIN) {
        drop(loop, peer);
    }
}

static struct peer *add_peer(struct loop *loop, enum kind kind, int fd)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        fail("out of memory");
    *peer = (struct peer){.kind = kind, .fd = fd, .cursor = loop->end};
    watch(loop, peer, EPOLL_CTL_ADD, kind == PRODUCER ? EPOLLIN : EPOLLRDHUP);
    return peer;
}

static void accept_consumers(struct loop *loop)
{
    int fd;
    while ((fd = accept4(loop->listener[1].fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (loop->consumers == MAX_CONSUMERS)
            fail("more than %d consumers", MAX_CONSUMERS);
        set_send_buffer(fd, loop->send_buffer);
        loop->consumer[loop->consumers++] = add_peer(loop, CONSUMER, fd);
    }
}

/* Consumers that connected before a producer did are accepted before it, as with one socket. */
static void accept_producers(struct loop *loop)
{
    int fd;
    accept_consumers(loop);
    while ((fd = accept4(loop->listener[0].fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        add_peer(loop, PRODUCER, fd);
}

static void serve_consumer(struct loop *loop, struct peer *peer, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        drop(loop, peer);
    else
        deliver(loop, peer);
}

static void dispatch(struct loop *loop, struct peer *peer, uint32_t events)
{
    switch (peer->kind) {
    case PRODUCER_LISTENER:
        accept_producers(loop);
        break;
    case CONSUMER_LISTENER:
        accept_consumers(loop);
        break;
    case PRODUCER:
        take(loop, peer);
        break;
    case CONSUMER:
        serve_consumer(loop, peer, events);
        break;
    }
}

static void run(struct loop *loop)
{
    struct epoll_event events[256];
    sigset_t none;
    sigemptyset(&none);
    while (!stopping) {
        int ready = epoll_pwait(loop->epoll, events, 256, -1, &none);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait: %s", strerror(errno));
        /* A peer is dropped only while its own event, one per turn, is handled. */
        for (int i = 0; i < ready; i++)
            dispatch(loop, events[i].data.ptr, events[i].events);
    }
}

static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigprocmask(SIG_BLOCK, &ours, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static void add_listener(struct loop *loop, enum kind kind, const char *path)
{
    struct peer *peer = &loop->listener[kind];
    *peer = (struct peer){.kind = kind, .fd = listen_on(path)};
    watch(loop, peer, EPOLL_CTL_ADD, EPOLLIN);
}

static void report(const struct loop *loop)
{
    printf("{\"bytes\": %llu, \"reads\": %llu, \"sends\": %llu, \"blocks\": %llu}\n",
           (unsigned long long)loop->end, (unsigned long long)loop->reads,
           (unsigned long long)loop->sends, (unsigned long long)loop->blocks);
}

int main(int argc, char **argv)
{
    static struct loop loop = {
        .log_bytes = 128u << 20, .read_bytes = 256u << 10, .send_buffer = 4u << 20};
    const char *producers = NULL, *consumers = NULL;
    const struct option_entry options[] = {
        {"producers", NULL, &producers},
        {"consumers", NULL, &consumers},
        {"log-bytes", &loop.log_bytes, NULL},
        {"read-bytes", &loop.read_bytes, NULL},
        {"send-buffer", &loop.send_buffer, NULL},
        {NULL, NULL, NULL},
    };
    parse_options(argc, argv, options);
    if (!producers || !consumers || loop.log_bytes % (uint64_t)sysconf(_SC_PAGESIZE) != 0)
        fail("needs --producers PATH --consumers PATH, and --log-bytes in whole pages");
    handle_signals();
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop.ring = map_ring(loop.log_bytes);
    add_listener(&loop, CONSUMER_LISTENER, consumers);
    add_listener(&loop, PRODUCER_LISTENER, producers);
    run(&loop);
    report(&loop);
    return 0;
}
