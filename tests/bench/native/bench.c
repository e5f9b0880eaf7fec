/* The shared helpers of bench.h. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t parse_number(const char *name, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-')
        fail("--%s: expected a whole number, got '%s'", name, text);
    return value;
}

static void set_option(const struct option_entry *entry, const char *value)
{
    if (entry->number)
        *entry->number = parse_number(entry->name, value);
    else
        *entry->text = value;
}

void parse_options(int argc, char **argv, const struct option_entry *table)
{
    for (int i = 1; i < argc; i += 2) {
        const struct option_entry *entry = table;
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
            fail("expected --option VALUE, got '%s'", argv[i]);
        while (entry->name && strcmp(entry->name, argv[i] + 2) != 0)
            entry++;
        if (!entry->name)
            fail("unknown option '%s'", argv[i]);
        set_option(entry, argv[i + 1]);
    }
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }
uint64_t cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

void bound_lifetime(uint64_t seconds)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    alarm((unsigned)seconds);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        fail("socket path too long: %s", path);
    strcpy(address.sun_path, path);
    return address;
}

static int connect_over_tcp(const char *address)
{
    char host[64] = "";
    uint16_t port = 0;
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (sscanf(address, "%63[0-9.]:%hu", host, &port) != 2 || !inet_aton(host, &to.sin_addr))
        fail("expected a path or IPv4:PORT, got '%s'", address);
    to.sin_port = htons(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect %s: %s", address, strerror(errno));
    return fd;
}

int connect_to(const char *path)
{
    if (!strchr(path, '/'))
        return connect_over_tcp(path);
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect %s: %s", path, strerror(errno));
    return fd;
}

int listen_on(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
        fail("listen %s: %s", path, strerror(errno));
    return fd;
}

void set_send_buffer(int fd, uint64_t bytes)
{
    int value = (int)bytes;
    if (!bytes)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof value) == 0)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof value) < 0)
        fail("SO_SNDBUF: %s", strerror(errno));
}

struct board *map_board(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail("board %s: %s", path, strerror(errno));
    void *memory = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        fail("board %s: %s", path, strerror(errno));
    close(fd);
    return memory;
}

uint64_t slowest(const struct board *board, uint64_t consumers)
{
    uint64_t least = UINT64_MAX;
    for (uint64_t i = 0; i < consumers; i++) {
        uint64_t frames = atomic_load_explicit(&board->slots[i].frames, memory_order_acquire);
        if (frames < least)
            least = frames;
    }
    return least;
}
