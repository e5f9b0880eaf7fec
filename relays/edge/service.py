"""One relay from configuration to exit code (relays.md 1, 9).

Called by `relays run`. Checks come in an order in which nothing is harmed by the one that fails:
compiled code, directory, lock, metrics port, memory, socket. What the relay then does is
`relays.edge.relay`'s.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from protocol import checksum, scan
from protocol._core import scan as compiled_scan
from protocol._core.journal_words import journal_words
from protocol.errors import ProtocolError
from relays.config import Loaded, RelayConfig, diff
from relays.core.hub import KEPT_PLACES
from relays.edge import listener
from relays.edge.handover import Inheritance, inherited, make_way
from relays.edge.logs import Log, open_log
from relays.edge.manager import Manager
from relays.edge.memory import Memory, Windows, files, on_tmpfs, open_memory
from relays.edge.notices import Notices
from relays.edge.relay import Relay
from relays.edge.store import Store
from relays.errors import ConfigError, RelayError

if TYPE_CHECKING:
    from relays.edge.journal.start import Found
    from relays.edge.journal.writer import JournalThread
    from relays.edge.metrics_child import MetricsChild

SPARE_DESCRIPTORS = 64
CHECK_EVERY = 1.0
SECOND = 1_000_000_000
MAKING_WAY = 0.1
# Objects made between two looks for cycles. What a message needs is given back by counting, and to
# look at a thousand connections takes milliseconds, in which nothing is passed on.
COLLECT_EVERY = 50_000


def self_test() -> None:
    """The compiled checksum and scan against the readable ones; RelayError (70) if they differ."""
    try:
        checksum.self_test()
        scan.self_test(compiled_scan)
    except ProtocolError as error:
        raise RelayError(f"this build must not run: {error}", os.EX_SOFTWARE) from None


def fit_descriptors(config: RelayConfig, log: Log) -> RelayConfig:
    """Raise the soft limit of descriptors; lower max_connections where the hard one is short."""
    wanted = config.max_connections + KEPT_PLACES + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most >= wanted:
        return config
    fits = max(1, most - KEPT_PLACES - SPARE_DESCRIPTORS)
    log.line("max_connections lowered", to=fits, wanted=config.max_connections, descriptors=most)
    return _replaced(config, max_connections=fits)


def _replaced(config: RelayConfig, **values: object) -> RelayConfig:
    import msgspec

    return msgspec.structs.replace(config, **values)


def run(load: Callable[[], Loaded], accept_damage: bool = False) -> int:
    """Run one relay until it is told to stop; gives the exit code. `load` reads the configuration,
    now and at each SIGHUP; `accept_damage` starts it although its journal has lost something.
    Raises RelayError and ConfigError.

    >>> run(lambda: load("signals"))  # doctest: +SKIP
    0
    """
    manager = Manager(os.environ)
    if manager.watched:
        faulthandler.enable()  # a loop that is stuck gets SIGABRT: where it stood is logged
    loaded = load()
    self_test()
    domain, config = loaded.domain, loaded.config
    log = open_log(domain.name, config.log_level)
    config = fit_descriptors(config, log)
    listener.prepare_directory(config.runtime_dir, config.gid)
    lock = listener.Lock(Path(config.runtime_dir, f"{domain.name}.lock"))
    metrics, found = _metrics(loaded), None
    try:
        socket_path = domain.socket(config.runtime_dir)
        handed = manager.listening(socket_path)
        listening = handed or listener.bind(socket_path, config.mode, config.gid)
        try:
            manager.tell(STATUS="opening the log")
            found = _find_journal(loaded, accept_damage)
            _say_journal(log, found)
            letter = files(domain.name, config.runtime_dir).letter
            heritage = inherited(manager.handed, letter)
            window = round(config.crash_window * SECOND) if manager.keeps else 0
            memory = open_memory(
                domain.name, config, time.time_ns(), found, window, heritage.claim
            )  # fmt: skip
            _say_memory(log, memory)
            if found is not None and found.journal.damage:
                memory.state.set_status(damaged=1)
            service = Service(
                loaded, config, memory, listening, log, metrics, load, manager, found, heritage
            )
            code = uvloop.run(service.main())
            if service.makes_way:
                _hand_over(log, service.relay, letter)
                if metrics is not None:
                    metrics.stop()
                os._exit(code)  # clients wait: thousands of objects need not be taken down first
            return code
        finally:
            listening.close()
            if handed is None:
                Path(socket_path).unlink(missing_ok=True)
    finally:
        if found is not None:
            found.folder.release()
        if metrics is not None:
            metrics.stop()
        lock.release()


def _hand_over(log: Log, relay: Relay, letter: Path) -> None:
    """Without a letter the successor does what it does after a crash."""
    try:
        log.line("handed over", connections=make_way(relay, letter))
    except OSError as error:
        log.line("handed over", connections="those that are idle", why=f"no letter: {error}")


def _metrics(loaded: Loaded) -> MetricsChild | None:
    config = loaded.config
    if config.metrics_port == "off":
        return None
    from relays.edge.metrics_child import MetricsChild

    port = int(config.metrics_port)
    return MetricsChild(loaded.domain.name, config.runtime_dir, config.metrics_host, port)


def _say_memory(log: Log, memory: Memory) -> None:
    state = memory.state
    if memory.damage:
        log.line("state set aside", why=memory.damage, kept_as="*.bad")
        state.set_status(damaged=1)
    what = "log adopted" if memory.adopted else "log begun"
    log.line(what, log_id=f"{state.log_id:016x}", end=state.end_position)
    for remark in memory.remarks:
        log.line("restart cannot apply", what=remark)


def _find_journal(loaded: Loaded, accept_damage: bool) -> Found | None:
    """The journal of a relay that has one; others do not load what it takes."""
    if loaded.config.journal == "off":
        return None
    from relays.edge.journal.start import find

    return find(loaded.domain.name, loaded.config, accept_damage)


def _say_journal(log: Log, found: Found | None) -> None:
    if found is None:
        return
    journal = found.journal
    for fault in journal.damage:
        log.line("journal damaged", where=str(fault), what="accepted: the rest is kept")
    if journal.torn is not None:
        log.line("journal cut", where=str(journal.torn), end=journal.position, seen=journal.seen)
    if journal.seen > journal.position:
        log.line("journal lost", positions=f"{journal.position} to {journal.seen - 1}",
                 what="were written, but nothing says that they were synced")  # fmt: skip
    log.line("journal", directory=str(found.folder.path), oldest=journal.oldest,
             end=journal.position, synced=journal.synced)  # fmt: skip
    if on_tmpfs(str(found.folder.path)):
        text = "is in memory (tmpfs): it does not outlive the machine; set journal_dir"
        log.line("journal", directory=str(found.folder.path), what=text)


class Service:
    """The signals, the metrics child and the relay of one process."""

    def __init__(
        self, loaded: Loaded, config: RelayConfig, memory: Memory, listening: socket.socket,
        log: Log, metrics: MetricsChild | None, load: Callable[[], Loaded], manager: Manager,
        found: Found | None, heritage: Inheritance,
    ) -> None:  # fmt: skip
        self.manager, self.found, self.heritage = manager, found, heritage
        self.makes_way = False
        self.domain, self.config, self.memory = loaded.domain, config, memory
        self.listening, self.log, self.metrics, self.load = listening, log, metrics, load

    async def main(self) -> int:
        """Serve until SIGTERM or SIGINT, then drain; gives the exit code."""
        loop = asyncio.get_running_loop()
        stop, hurry = asyncio.Event(), asyncio.Event()
        state = self.memory.state
        windows = Windows(state, files(self.domain.name, self.config.runtime_dir).state)
        kick, done = (os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(2))
        journal = self._journal(loop, (kick, done))
        self.relay = Relay(
            self.domain, self.config, self.memory, self.listening, self.log, windows, journal, done,
            self.found.lineage if self.found is not None else (),
        )  # fmt: skip
        self.notices = Notices(self.manager, self.relay.hub)
        self.relay.turned = self.notices.turned
        if self.manager.keeps:
            self.relay.store = Store(loop, self.manager.keeps)

        def ask() -> None:
            (hurry if stop.is_set() else stop).set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ask)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_signal_handler(signal.SIGUSR1, self._say_status)
        port = self.metrics.port if self.metrics else 0
        state.set_status(pid=os.getpid(), started_ns=time.time_ns(), metrics_port=port)
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_EVERY)
        self._take_over()
        self.relay.start()
        if self.metrics:
            self.metrics.start()
        self._say_ready(port)
        watching = asyncio.create_task(self._watch_metrics())
        spinning = asyncio.create_task(self._spin()) if self.config.busy_poll else None
        await stop.wait()
        self.makes_way = await self.manager.restarts()
        self.log.line("stopping", what="another follows" if self.makes_way else "draining")
        self.notices.stopping(self.config)
        if self.makes_way:
            loop.call_later(MAKING_WAY, hurry.set)
            await self.relay.settle(MAKING_WAY, hurry)
        else:
            await self.relay.drain(hurry)
        await self._end_journal(journal, hurry)
        if self.relay.reader is not None:
            self.relay.reader.close()
        for task in (watching, spinning):
            if task is not None:
                task.cancel()
        if not self.makes_way:
            state.set_status(ready=0, pid=0)
        return os.EX_OK

    def _take_over(self) -> None:
        """Go on with the connections that a predecessor had."""
        kept, closed = self.heritage.enter(self.relay, self.relay.store)
        if kept or closed:
            self.log.line("connections adopted", adopted=kept, closed=closed)

    def _journal(
        self, loop: asyncio.AbstractEventLoop, events: tuple[int, int]
    ) -> JournalThread | None:
        if self.found is None:
            return None

        from relays.edge.journal.start import attach

        def report(event: str, **fields: Any) -> None:
            loop.call_soon_threadsafe(lambda: self.log.line(event, **fields))

        return attach(self.found, self.memory.state, self.config, events, report)

    async def _end_journal(self, journal: JournalThread | None, hurry: asyncio.Event) -> None:
        """What was accepted is written and synced, however the disk does, or nobody waits."""
        if journal is None:
            return
        journal.stop()
        while journal.is_alive() and not hurry.is_set():
            await asyncio.sleep(0.002)
        words = journal_words(self.memory.state)
        left = words["made"] - words["safe"]
        self.log.line("journal closed", complete=not left, commits_left=left)
        if journal.is_alive():
            journal.folder.keep_locked()

    def _say_ready(self, port: int) -> None:
        path = self.domain.socket(self.config.runtime_dir)
        where = {"metrics": f"http://{self.config.metrics_host}:{port}/metrics"} if port else {}
        self.log.line("ready", socket=path, pid=os.getpid(), **where)
        self.notices.ready()

    async def _watch_metrics(self) -> None:
        while self.metrics is not None:
            await asyncio.sleep(CHECK_EVERY)
            said = self.metrics.check(time.monotonic())
            if said:
                self.log.line("metrics process", what=said)

    async def _spin(self) -> None:
        """busy_poll: never sleep in the kernel; a core for microseconds."""
        while True:
            await asyncio.sleep(0)

    def _reload(self) -> None:
        self.notices.reloading()
        try:
            self._apply(self.load().config)
        except ConfigError as error:
            self.log.line("reload refused", why=str(error))
        self.notices.ready()

    def _apply(self, new: RelayConfig) -> None:
        applied, restart = diff(self.config, new)
        values = {key: getattr(new, key) for key in applied}
        self.config = _replaced(self.config, **values)
        self.relay.reload(self.config)
        self.log.logger.setLevel(self.config.log_level.upper())
        self.log.line(
            "reloaded", applied=",".join(applied) or "nothing", restart=",".join(restart) or "none"
        )

    def _say_status(self) -> None:
        from relays.edge.status import status

        name = self.domain.name
        where = files(name, self.config.runtime_dir).state
        self.log.line("status", json=json.dumps(status(name, self.memory.state, where)))
