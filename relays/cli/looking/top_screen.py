"""The screen of `relays top`: relays, their consumers and producers, one of them in detail.

Made by `relays.cli.top`, which gives it a source of readings; the only module that imports Textual.
What is shown is worked out in `top_model` and `sentences`. Nothing in here reads a state, and what
a peer chose (its name) reaches the terminal only escaped.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from relays.cli.looking.sentences import heading, present, sentence, style
from relays.cli.looking.top_model import (
    History,
    Latency,
    Order,
    Reading,
    Row,
    View,
    compare,
    short,
    span,
)
from relays.cli.looking.words import clock, duration, plain, troubles

NARROW = 80
MOST_ROWS = 300
IN_HEADING = {"name", "id", "uid", "pid", "phase"}
SPARK, MOST_SPARK = 12, 60
# Orange and blue: told apart by every kind of colour blindness, and never without a word.
BAD, GOOD, QUIET = "bold #e69f00", "#56b4e9", "dim"
ORDERS = (
    Order("behind"), Order("lag_seconds"), Order("breaker"), Order("dropped"), Order("rate"),
    Order("name", False), Order("domain", False),
)  # fmt: skip
TITLES = {"behind": "lag", "lag_seconds": "age"}
NO_CONSUMER = "no consumer is connected (one to look at: relays tap DOMAIN)"
NO_PRODUCER = "no producer is connected (one to look at: relays publish DOMAIN FILE)"


class Source(Protocol):
    """Where readings come from."""

    def read(self) -> list[Reading]:
        """One of each relay, now."""

    def connection(self, row: Row) -> tuple[Row, Row] | None:
        """(the relay's status, what `relays.edge.history` knows of this connection)."""


class Column:
    """One column: its title, its width in characters, and the text of a row in it."""

    def __init__(
        self, title: str, width: int, text: Callable[[Row], str], *, left: bool = False,
        style: Callable[[Row], str] = lambda row: "",
    ) -> None:  # fmt: skip
        self.title, self.width, self.text, self.left, self.style = title, width, text, left, style

    def cell(self, row: Row, width: int) -> Text:
        """What stands in a row, in exactly so many characters and a blank."""
        return Text(self.fit(self.text(row), width), self.style(row))

    def fit(self, text: str, width: int) -> str:
        """A text in exactly `width` characters and a blank; a cut one ends in an ellipsis."""
        cut = text if len(text) <= width else text[: width - 1] + "…"
        return f"{cut:{'<' if self.left else '>'}{width}} "


def _name(row: Row) -> str:
    return plain(row["name"]) if row["name"] else f"#{row['id']} {row['phase']}"


def _breaker(row: Row) -> str:
    return "OPEN" if row["breaker"] == "open" else str(row["breaker"])


def _trouble(row: Row) -> str:
    return BAD if row["breaker"] in ("open", "half_open") else ""


def _worse(row: Row) -> str:
    return BAD if row["worse"] else ""


CONSUMERS = (
    Column("CONSUMER", 16, _name, left=True),
    Column("relay", 11, lambda row: str(row["domain"]), left=True),
    Column("pid", 7, lambda row: str(row["pid"])),
    Column("lag", 7, lambda row: short(row["behind"]), style=_trouble),
    Column("age", 6, lambda row: span(row["lag_seconds"])),
    Column("breaker", 9, _breaker, style=_trouble),
    Column("msg/s", 6, lambda row: short(row["rate"])),
    Column("dropped", 7, lambda row: short(row["dropped"]), style=_worse),
)
PRODUCERS = (
    Column("PRODUCER", 16, _name, left=True),
    Column("relay", 11, lambda row: str(row["domain"]), left=True),
    Column("pid", 7, lambda row: str(row["pid"])),
    Column("sequence", 15, lambda row: f"{row['last_sequence']:,}"),
    Column("msg/s", 6, lambda row: short(row["rate"])),
    Column("rejects", 7, lambda row: short(row["rejected"]), style=_worse),
    Column("rej/s", 6, lambda row: short(row["worse"]), style=_worse),
)


class Rows(DataTable[Text]):
    """A table whose rows move while the same one stays selected."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "detail")]

    def __init__(self, columns: Sequence[Column], name: str, empty: str) -> None:
        super().__init__(id=name, cursor_type="row", cell_padding=0, zebra_stripes=False)
        self.shape, self.empty = columns, empty
        self.rows_shown: list[Row] = []
        self._widths: list[int] = []

    def show(self, rows: Sequence[Row], width: int) -> None:
        """Show these rows, in this order, in a terminal so wide."""
        chosen = self.chosen
        key = _key(chosen) if chosen is not None else None
        self.rows_shown = list(rows[:MOST_ROWS])
        widths = [column.width for column in self.shape]
        longest = max((len(_name(row)) for row in self.rows_shown), default=0)
        widths[0] += max(0, min(width - NARROW, longest - widths[0]))
        if widths != self._widths:
            self._rebuild(widths)
        lines = [
            [column.cell(row, size) for column, size in zip(self.shape, widths, strict=True)]
            for row in self.rows_shown
        ] or [_across(self.empty, widths)]
        while self.row_count > len(lines):
            self.remove_row(str(self.row_count - 1))
        for number, cells in enumerate(lines):
            self._put(number, cells)
        for number, row in enumerate(self.rows_shown):
            if _key(row) == key and number != self.cursor_row:
                self.move_cursor(row=number)

    def _rebuild(self, widths: list[int]) -> None:
        self.clear(columns=True)
        self._widths = widths
        for number, (column, size) in enumerate(zip(self.shape, widths, strict=True)):
            self.add_column(column.fit(column.title, size), width=size + 1, key=str(number))

    def _put(self, number: int, cells: list[Text]) -> None:
        if number >= self.row_count:
            self.add_row(*cells, key=str(number))
            return
        for place, cell in enumerate(cells):
            if self.get_cell(str(number), str(place)) != cell:
                self.update_cell(str(number), str(place), cell)

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        if 0 <= self.cursor_row < len(self.rows_shown):
            return self.rows_shown[self.cursor_row]
        return None


def _across(text: str, widths: Sequence[int]) -> list[Text]:
    """A text instead of rows, over all the cells."""
    cells, at = [], 0
    for width in widths:
        cells.append(Text(f"{text[at : at + width + 1]:{width + 1}}", QUIET))
        at += width + 1
    return cells


def _key(row: Row) -> tuple[Any, ...]:
    return row["domain"], row["relay_pid"], row["id"]


class Detail(Screen[None]):
    """One connection: what it is now, and everything that is known to have happened to it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left", "app.pop_screen", "back"),
    ]

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.row = row

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="detail")
        yield Footer()

    def show(self, found: tuple[Row, Row] | None) -> None:
        """Show what is known of it now."""
        text = Text(f"{_name(self.row)}: nothing is known of it any more")
        if found is not None:
            text = Text("\n").join(detail(self.row["domain"], *found))
        self.query_one("#detail", Static).update(text)


def detail(domain: str, status: Row, one: Row) -> list[Text]:
    """The lines of a connection in detail."""
    now = present(status, one)
    lines = [Text(heading(domain, one), "bold"), Text(f"now: {now}" if now else "it is gone", GOOD)]
    for key, value in (one["now"] or {}).items():
        if key not in IN_HEADING:
            lines.append(Text(f"  {key.replace('_', ' '):14} {_shown(value)}"))
    lines.append(Text("what happened, the newest first:", "bold"))
    for row in reversed(one["decisions"]):
        lines.append(Text.assemble(f"  {clock(row['at_ns'])[11:]}  ", (sentence(row), style(row))))
    return lines


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else plain(str(value))


class Top(App[None]):
    """The whole: `source` is read every `interval` seconds, by a clock of its own."""

    CSS = """
    #relays { height: auto; }
    Rows { scrollbar-size-vertical: 1; overflow-x: hidden; background: $background; }
    #consumers { height: 3fr; min-height: 4; }
    #producers { height: 2fr; min-height: 3; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit", priority=True),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
        Binding("s", "sort", "sort by"),
        Binding("r", "reverse", "reverse"),
        Binding("p", "pause", "pause"),
        Binding("tab", "app.focus_next", "other table", show=False),
    ]

    def __init__(self, source: Source, interval: float) -> None:
        super().__init__()
        self.source, self.interval = source, interval
        self.before: dict[str, Reading] = {}
        self.views: list[View] = []
        self.history = History()
        self.order = ORDERS[0]
        self.paused = False
        self.failure: Exception | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="relays")
        yield Rows(CONSUMERS, "consumers", NO_CONSUMER)
        yield Rows(PRODUCERS, "producers", NO_PRODUCER)
        yield Footer()

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError, RuntimeError):  # not the main thread: a test's
                loop.add_signal_handler(number, self.exit)
        self.query_one("#consumers").focus()
        self.look()
        self.set_interval(self.interval, self.look)

    def look(self) -> None:
        """Read every relay and show what happened since."""
        if self.paused:
            return
        try:
            readings = self.source.read()
            self.views = [compare(self.before.get(one.domain), one) for one in readings]
        except Exception as error:  # said in one line by who called us, the terminal restored
            self.failure = error
            self.exit()
            return
        self.before = {one.domain: one for one in readings}
        for view in self.views:
            self.history.add(view)
        self.show()

    def show(self) -> None:
        """Lay out what was read last."""
        base = self.screen_stack[0]
        width = self.size.width
        base.query_one("#relays", Static).update(self.summary())
        consumers = [row for view in self.views for row in view.consumers]
        producers = [row for view in self.views for row in view.producers]
        base.query_one("#consumers", Rows).show(self.order.sorted(consumers), width)
        by_rate = Order("rate").sorted(producers)
        base.query_one("#producers", Rows).show(by_rate, width)
        if isinstance(self.screen, Detail):
            self.screen.show(self.source.connection(self.screen.row))

    def on_resize(self) -> None:
        if self.views:
            self.call_after_refresh(self.show)

    def summary(self) -> Text:
        """The title and the relays."""
        by = TITLES.get(self.order.key, self.order.key)
        arrow = "largest first" if self.order.falling else "smallest first"
        paused = "  PAUSED" if self.paused else ""
        title = f"relays top, every {self.interval:g} s  consumers by {by}, {arrow}{paused}"
        lines = [Text(title, "bold")]
        for view in self.views:
            lines += relay_lines(view, self.history, self.size.width)
        return Text("\n").join(lines)

    # --- keys ---

    def action_sort(self) -> None:
        """The next order of consumers."""
        keys = [order.key for order in ORDERS]
        self.order = ORDERS[(keys.index(self.order.key) + 1) % len(ORDERS)]
        self.show()

    def action_reverse(self) -> None:
        """The same order, from the other end."""
        self.order = Order(self.order.key, not self.order.falling)
        self.show()

    def action_pause(self) -> None:
        """Stop reading, or go on."""
        self.paused = not self.paused
        self.show()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter on a row."""
        row = event.data_table.chosen if isinstance(event.data_table, Rows) else None
        if row is not None:
            screen = Detail(row)
            self.push_screen(screen)
            self.call_after_refresh(self.show)


def relay_lines(view: View, history: History, width: int = NARROW) -> list[Text]:
    """One relay: what it is, what comes in, what goes out; a wider terminal shows more of the
    past."""
    status = view.status
    if status is None:
        never = f"has never run here (start it: relays run {view.domain})"
        return [Text(f"{view.domain}  {view.problem or never}", QUIET)]
    log, lost = status["log"], status["unaccounted"]
    verb = "up" if status["alive"] else "ran"
    process = f"pid {status['pid']} " if status["pid"] else ""
    line = f"{view.domain}  {status['state']} {process}{verb} {duration(status['uptime_seconds'])}"
    line += f"  position {log['end_position']:,}  log {log['filled']:.0%}"
    wrong = " UNACCOUNTED" if any(lost.values()) else ""
    wrong += "".join(f" {trouble}" for trouble in troubles(status))
    wrong += " DAMAGED" if status["damaged"] else ""
    bad = wrong or status["state"] == "dead"
    came, went = (
        (history.bars(view.domain, key, SPARK + max(0, min(MOST_SPARK, width - NARROW))))
        for key in ("received", "delivered")
    )
    return [
        Text(line + wrong, BAD if bad else GOOD),
        _flow("in", view.rates, "received", came, view.ingress, ("rejected", "rej ")),
        _flow("out", view.rates, "delivered", went, view.forward, ("dropped", "drop")),
    ]


def _flow(
    title: str, rates: Mapping[str, float], key: str, bars: str, late: Latency,
    lost: tuple[str, str],
) -> Text:  # fmt: skip
    count, size = short(rates.get(key)), short(rates.get(f"{key}_bytes"))
    p50, p99, p999 = (span(part) for part in late)
    worse = rates.get(lost[0])
    return Text.assemble(
        f"  {title:3} {count:>5}/s {size:>5}B/s ",
        (bars, GOOD),
        f" p50 {p50:>5} p99 {p99:>5} p99.9 {p999:>5}",
        (f" {lost[1]} {short(worse):>5}", BAD if worse else ""),
    )
