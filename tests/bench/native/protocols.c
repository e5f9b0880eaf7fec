/* The protocols of protocols.h. The subject, channel or topic is `t` everywhere: the shortest. */
#include "protocols.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define LITERAL(text) (text), sizeof(text) - 1

static void say(int fd, const void *what, size_t bytes)
{
    if (send(fd, what, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
        fail("greeting: %s", strerror(errno));
}

static void hear(int fd, void *into, size_t bytes)
{
    ssize_t got = recv(fd, into, bytes, MSG_WAITALL);
    if (got != (ssize_t)bytes)
        fail("greeting: %s", got < 0 ? strerror(errno) : "end of input");
}

static void expect(int fd, const char *what, size_t bytes)
{
    char got[128];
    hear(fd, got, bytes);
    if (memcmp(got, what, bytes) != 0)
        fail("greeting: the server said '%.*s'", (int)bytes, got);
}

/* A byte at a time: what stands behind the line belongs to somebody else. */
static void expect_line(int fd, const char *beginning)
{
    char line[4096];
    size_t length = 0;
    do {
        if (length == sizeof line)
            fail("greeting: an endless line");
        hear(fd, line + length, 1);
    } while (line[length++] != '\n');
    if (strncmp(line, beginning, strlen(beginning)) != 0)
        fail("greeting: the server said '%.*s'", (int)length, line);
}

static noreturn void refuse(const uint8_t *at, size_t bytes)
{
    const uint8_t *end = memchr(at, '\r', bytes);
    fail("frame expected, the server said '%.*s'", end ? (int)(end - at) : (int)bytes, at);
}

static size_t nothing_between(int fd, const uint8_t *at, size_t bytes)
{
    (void)fd;
    refuse(at, bytes < 40 ? bytes : 40);
}

/* --- raw: the relay and the copy loop --- */

static void no_greeting(int fd, const struct greeter *greeter) { (void)fd, (void)greeter; }

/* --- NATS --- */

static void greet_nats(int fd)
{
    expect_line(fd, "INFO ");
    say(fd, LITERAL("CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,"
                    "\"lang\":\"c\",\"version\":\"1\",\"protocol\":1}\r\n"));
}

static void greet_nats_producer(int fd, const struct greeter *greeter)
{
    (void)greeter;
    greet_nats(fd);
    say(fd, LITERAL("PING\r\n"));
    expect_line(fd, "PONG");
}

static void greet_nats_consumer(int fd, const struct greeter *greeter)
{
    (void)greeter;
    greet_nats(fd);
    say(fd, LITERAL("SUB t 1\r\nPING\r\n"));
    expect_line(fd, "PONG");
}

/* The server asks now and then whether somebody is there. If it has gone itself, a read says so. */
static size_t between_nats(int fd, const uint8_t *at, size_t bytes)
{
    static const char ping[] = "PING\r\n", info[] = "INFO ";
    const uint8_t *end = memchr(at, '\n', bytes);
    if (memcmp(at, ping, bytes < 6 ? bytes : 6) == 0) {
        if (end)
            send(fd, LITERAL("PONG\r\n"), MSG_NOSIGNAL);
    } else if (memcmp(at, info, bytes < 5 ? bytes : 5) != 0) {
        refuse(at, bytes);
    }
    return end ? (size_t)(end - at) + 1 : 0;
}

/* --- RESP: Redis --- */

static void greet_resp_producer(int fd, const struct greeter *greeter)
{
    (void)greeter;
    say(fd, LITERAL("PING\r\n"));
    expect_line(fd, "+PONG");
    say(fd, LITERAL("CLIENT REPLY OFF\r\n"));
}

static void greet_resp_consumer(int fd, const struct greeter *greeter)
{
    (void)greeter;
    say(fd, LITERAL("SUBSCRIBE t\r\n"));
    expect(fd, LITERAL("*3\r\n$9\r\nsubscribe\r\n$1\r\nt\r\n:1\r\n"));
}

/* --- ZMTP 3.0: ZeroMQ --- */

enum { ZMTP_COMMAND = 4, ZMTP_GREETING_BYTES = 64 };

static void greet_zmtp(int fd, const char *ready, size_t ready_bytes)
{
    uint8_t greeting[ZMTP_GREETING_BYTES] = {[0] = 0xff, [9] = 0x7f, [10] = 3};
    uint8_t head[2], body[255];
    memcpy(greeting + 12, "NULL", 4);
    say(fd, greeting, sizeof greeting);
    say(fd, ready, ready_bytes);
    hear(fd, greeting, sizeof greeting);
    hear(fd, head, sizeof head);
    hear(fd, body, head[1]);
    if (greeting[10] != 3 || head[0] != ZMTP_COMMAND || memcmp(body, "\5READY", 6) != 0)
        fail("greeting: not the ZMTP 3 of a server without security");
}

/* Subscriptions are not acknowledged. But the proxy passes each new topic on to the producer, in
 * order: a second one of its own, behind that of the frames, says that a consumer is in. */
static int topic_of(const struct greeter *greeter, uint64_t index, char *into, size_t bytes)
{
    int length =
        snprintf(into, bytes, "\1%s %llu", greeter->board, (unsigned long long)index);
    if (length < 0 || (size_t)length >= bytes)
        fail("the board's path is too long for a topic");
    return length;
}

static void greet_zmtp_consumer(int fd, const struct greeter *greeter)
{
    char topic[256];
    int length = topic_of(greeter, greeter->index, topic, sizeof topic);
    uint8_t head[2] = {0, (uint8_t)length};
    greet_zmtp(fd, LITERAL("\4\31\5READY\13Socket-Type\0\0\0\3SUB"));
    say(fd, LITERAL("\0\5\1\xef\xbe\xad\xde")); /* a frame's magic */
    say(fd, head, sizeof head);
    say(fd, topic, (size_t)length);
}

static bool is_topic_of(const struct greeter *greeter, const char *body, int length)
{
    char topic[256];
    for (uint64_t i = 0; i < greeter->consumers; i++)
        if (topic_of(greeter, i, topic, sizeof topic) == length && !memcmp(topic, body, length))
            return true;
    return false;
}

static void greet_zmtp_producer(int fd, const struct greeter *greeter)
{
    uint8_t head[2];
    char body[255];
    greet_zmtp(fd, LITERAL("\4\31\5READY\13Socket-Type\0\0\0\3PUB"));
    for (uint64_t found = 0; found < greeter->consumers;) {
        hear(fd, head, sizeof head);
        hear(fd, body, head[1]);
        found += is_topic_of(greeter, body, head[1]);
    }
}

/* --- MQTT 3.1.1: Mosquitto --- */

static void greet_mqtt(int fd, const struct greeter *greeter)
{
    (void)greeter;
    say(fd, LITERAL("\x10\x0c\0\4MQTT\4\2\0\0\0\0"));
    expect(fd, LITERAL("\x20\2\0\0"));
}

static void greet_mqtt_consumer(int fd, const struct greeter *greeter)
{
    greet_mqtt(fd, greeter);
    say(fd, LITERAL("\x82\6\0\1\0\1t\0"));
    expect(fd, LITERAL("\x90\3\0\1\0"));
}

static const struct protocol protocols[] = {
    {"raw", LITERAL(""), LITERAL(""), LITERAL(""), no_greeting, no_greeting, nothing_between},
    {"nats", LITERAL("PUB t 64\r\n"), LITERAL("MSG t 1 64\r\n"), LITERAL("\r\n"),
     greet_nats_producer, greet_nats_consumer, between_nats},
    {"resp", LITERAL("*3\r\n$7\r\nPUBLISH\r\n$1\r\nt\r\n$64\r\n"),
     LITERAL("*3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$64\r\n"), LITERAL("\r\n"), greet_resp_producer,
     greet_resp_consumer, nothing_between},
    {"zmtp", LITERAL("\0\x40"), LITERAL("\0\x40"), LITERAL(""), greet_zmtp_producer,
     greet_zmtp_consumer, nothing_between},
    {"mqtt", LITERAL("\x30\x43\0\1t"), LITERAL("\x30\x43\0\1t"), LITERAL(""), greet_mqtt,
     greet_mqtt_consumer, nothing_between},
};

const struct protocol *find_protocol(const char *name)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        if (strcmp(protocols[i].name, name) != 0)
            continue;
        if (i > 0 && FRAME_BYTES != 64)
            fail("--protocol %s: only for frames of 64 bytes", name);
        return &protocols[i];
    }
    fail("--protocol: expected raw, nats, resp, zmtp or mqtt, got '%s'", name);
}
