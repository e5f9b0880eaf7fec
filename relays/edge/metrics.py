"""The process that serves /metrics, /healthz and /readyz of one relay (relays.md 7).

Started by `relays.edge.metrics_child` as `python -m relays.edge.metrics DOMAIN RUNTIME_DIR --fd N`
with a listening socket; it only reads the relay's state, and ends when the relay ends. The daemon
never imports this module: rendering and its libraries stay out of the message path's process.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gzip
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer, choose_encoder, gzip_accepted
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from protocol._core.state import State
from relays.edge.exposition import RelayCollector
from relays.edge.health import faults, in_trouble, unready
from relays.edge.memory import open_state
from relays.edge.status import look
from relays.errors import RelayError

PR_SET_PDEATHSIG = 1
CLIENT_TIMEOUT = 10
NICE = 10
FASTEST = 1  # of gzip: a page of many consumers is the same few words again and again
END = b"# EOF\n"  # of OpenMetrics
OK, UNAVAILABLE, NOT_FOUND = "200 OK", "503 Service Unavailable", "404 Not Found"
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

Answer = tuple[str, list[str]]


class Handler(WSGIRequestHandler):
    """One request: not logged, and a client that says nothing is let go."""

    timeout = CLIENT_TIMEOUT

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line."""


class Server(ThreadingWSGIServer):
    """HTTP on a socket that already listens."""

    def __init__(self, listening: socket.socket, application: WSGIApplication) -> None:
        super().__init__(listening.getsockname()[:2], Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = listening.getsockname()[:2]
        self.setup_environ()
        self.set_app(application)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or fell silent is nothing; anything else is one line."""
        error = sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"metrics: {type(error).__name__}: {error}", file=sys.stderr)


def application(domain: str, state: State) -> WSGIApplication:
    """The three pages of one relay as a WSGI application; any other path is 404."""
    metrics = {kind: exposed(domain, state, kind) for kind in (False, True)}
    pages: dict[str, Callable[[State], Answer]] = {"/healthz": healthz, "/readyz": readyz}

    def serve(environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        try:
            if path == "/metrics":
                return metrics[wants_openmetrics(environ)](environ, respond)
            status, lines = pages.get(path, nothing_here)(state)
        except RelayError as error:
            status, lines = UNAVAILABLE, [str(error)]
        respond(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [("\n".join(lines) + "\n").encode()]

    return serve


def exposed(domain: str, state: State, openmetrics: bool) -> WSGIApplication:
    """/metrics in one of the two formats."""
    collector = RelayCollector(domain, state, openmetrics)
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    whatever: WSGIApplication = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
            return whatever(environ, respond)
        kind, body = page(collector, environ.get("HTTP_ACCEPT", ""))
        headers = [("Content-Type", kind)]
        if gzip_accepted(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = gzip.compress(body, FASTEST)
            headers.append(("Content-Encoding", "gzip"))
        respond(OK, headers)
        return [body]

    return answer


def page(collector: RelayCollector, accept: str) -> tuple[str, bytes]:
    """Content type and text of /metrics, as prometheus_client would have them. RelayError as
    `relays.edge.status.look`."""
    encode, kind = choose_encoder(accept)
    seen = look(collector.state)
    body = encode(Once(collector.of_all(seen)))
    end = END if body.endswith(END) else b""
    return kind, body.removesuffix(end) + collector.consumers_text(seen).encode() + end


class Once(Collector):
    """Families that are there already, for an encoder."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._families


def wants_openmetrics(environ: WSGIEnvironment) -> bool:
    """Whether prometheus_client will answer this request in OpenMetrics."""
    return "openmetrics" in choose_encoder(environ.get("HTTP_ACCEPT", ""))[1]


def nothing_here(_: State) -> Answer:
    """What any other path gets."""
    return NOT_FOUND, ["nothing here: try /metrics, /healthz or /readyz"]


def healthz(state: State) -> Answer:
    """503 only for the relay's own faults, a line each."""
    found = faults(state, look(state))
    return (UNAVAILABLE, found) if found else (OK, ["ok"])


def readyz(state: State) -> Answer:
    """503 for faults, and while the relay starts or drains; consumers in trouble are listed."""
    seen = look(state)
    found = unready(seen) + faults(state, seen)
    return (UNAVAILABLE if found else OK), (found or ["ready"]) + in_trouble(seen)


def serve(domain: str, runtime_dir: str, fd: int) -> None:
    """Serve on the listening socket `fd` until standard input ends; RelayError without a state."""
    die_with_parent()
    give_way()
    for number in IGNORED:
        # A terminal or a service manager sends these to all; the relay says when it is over,
        # and its last seconds are the ones to look at.
        signal.signal(number, signal.SIG_IGN)
    server = Server(socket.socket(fileno=fd), application(domain, open_state(domain, runtime_dir)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.read(sys.stdin.fileno(), 64):
        pass


def give_way() -> None:
    """Wait for a processor that a relay wants: a page for many consumers takes tens of ms of one,
    and whoever shares it would have its messages that much later."""
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(mine, NICE))


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, however that happens."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """What `python -m relays.edge.metrics` does."""
    parser = argparse.ArgumentParser(prog="python -m relays.edge.metrics", description=__doc__)
    parser.add_argument("domain")
    parser.add_argument("runtime_dir")
    parser.add_argument("--fd", type=int, required=True, help="a TCP socket that listens")
    given = parser.parse_args()
    try:
        serve(given.domain, given.runtime_dir, given.fd)
    except RelayError as error:
        print(f"metrics: {error}", file=sys.stderr)
        os._exit(error.exit_code)
    os._exit(os.EX_OK)  # requests being served are not waited for


if __name__ == "__main__":
    main()
