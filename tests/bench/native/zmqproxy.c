/* ZeroMQ's own broker for publish and subscribe: zmq_proxy between XSUB and XPUB, in a process of
 * its own, messages never leaving libzmq.
 *
 *   zmqproxy --producers IN.sock --consumers OUT.sock [--io-threads N]
 *
 * No high-water mark: with one, libzmq drops what a consumer has not read.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <signal.h>
#include <zmq.h>

static void *bound(void *context, int type, const char *path)
{
    void *socket = zmq_socket(context, type);
    char address[256];
    int none = 0;
    if (snprintf(address, sizeof address, "ipc://%s", path) >= (int)sizeof address)
        fail("socket path too long: %s", path);
    if (!socket || zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none) ||
        zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none) || zmq_bind(socket, address))
        fail("%s: %s", address, zmq_strerror(zmq_errno()));
    return socket;
}

int main(int argc, char **argv)
{
    const char *producers = NULL, *consumers = NULL;
    uint64_t io_threads = 1;
    const struct option_entry options[] = {
        {"producers", NULL, &producers},
        {"consumers", NULL, &consumers},
        {"io-threads", &io_threads, NULL},
        {NULL, NULL, NULL},
    };
    parse_options(argc, argv, options);
    if (!producers || !consumers)
        fail("needs --producers PATH --consumers PATH");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    void *context = zmq_ctx_new();
    if (!context || zmq_ctx_set(context, ZMQ_IO_THREADS, (int)io_threads))
        fail("context: %s", zmq_strerror(zmq_errno()));
    void *from = bound(context, ZMQ_XSUB, producers), *to = bound(context, ZMQ_XPUB, consumers);
    zmq_proxy(from, to, NULL);
    fail("proxy: %s", zmq_strerror(zmq_errno()));
}
