/* How a frame travels through each server: as it is, or as a message of the server's protocol.
 *
 * Used by producer.c and consumer.c. Every peer is spoken to over its own protocol without its
 * client library, so that a driver costs as little as with a relay: what stands before and
 * behind a frame of one size is always the same, and only a greeting has to be understood.
 */
#ifndef PROTOCOLS_H
#define PROTOCOLS_H

#include "bench.h"

/* Who is connecting, for greetings that have to say it. */
struct greeter {
    const char *board;
    uint64_t consumers, index;
};

struct protocol {
    const char *name;
    const char *publish; /* before a frame that a producer sends, */
    size_t publish_bytes;
    const char *deliver; /* before a frame that a consumer gets, */
    size_t deliver_bytes;
    const char *end; /* and behind both. */
    size_t end_bytes;
    void (*greet_as_producer)(int fd, const struct greeter *greeter);
    /* Returns when the server has the subscription, or a producer can find out. */
    void (*greet_as_consumer)(int fd, const struct greeter *greeter);
    /* What stands where a frame should begin and is none: its size, 0 for "not all there". */
    size_t (*between)(int fd, const uint8_t *at, size_t bytes);
};

/* The protocol of that name: raw, nats, resp (Redis), zmtp (ZeroMQ) or mqtt. */
const struct protocol *find_protocol(const char *name);

#endif
