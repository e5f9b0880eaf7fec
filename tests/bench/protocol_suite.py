"""`bench protocol`: encoding and decoding one Trade beside other formats, and many at once.

Called by __main__. Every sample of a task is a loop of one statement in this process; contenders
take turns in a seeded random order, so that each round's ratios share the machine's mood. The
peers' forms are in protocol_peers, arrays and the import time in protocol_many.
"""

import random
import timeit
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from protocol.header import Header
from protocol.instruments import InstrumentId
from protocol.market_data import Side, Trade

from . import protocol_peers as peers
from .bars import Judged
from .children import RunFailed
from .protocol_peers import Form, Tasks
from .statistic import Interval, median_interval, ratio

OURS = "protocol"
SEED = 20240601
TRIES = 5


@dataclass(frozen=True)
class Task:
    """What is compared. `bar` is how many times as fast as the fastest peer we are to be; peers in
    `aside` are shown but do other work. None where there is no bar."""

    name: str
    title: str
    bar: float | None = None
    aside: tuple[str, ...] = ()


TASKS = (
    Task("encode", "(a) encode an object", 1.0),
    Task("build", "(b) build and encode"),
    Task("decode", "(c) decode to an object", 1.0),
    Task("fields", "(d) decode, read every field"),
    Task("view", "(e) two fields of a frame", 2.0, ("struct, by hand",)),
    Task("walk", "(f) two fields of each frame", 2.0, ("struct, by hand",)),
)


@dataclass(frozen=True)
class Result:
    """Nanoseconds an operation, by contender, a sample a round; and the form each was given."""

    task: Task
    samples: dict[str, list[float]]
    forms: dict[str, str]

    @property
    def fastest(self) -> str:
        """The quickest peer, of those that do the same work."""
        same = [name for name in self.samples if name not in (OURS, *self.task.aside)]
        return min(same, key=lambda name: median_interval(self.samples[name]).median)

    def times(self, peer: str) -> Interval:
        """How many times as fast as a peer we are, by rounds."""
        return ratio(self.samples[peer], self.samples[OURS])

    @property
    def judged(self) -> list[Judged]:
        """Beside the fastest peer; nothing where there is no bar."""
        if self.task.bar is None:
            return []
        name, times = self.fastest, self.times(self.fastest)
        return [Judged(f"{self.task.title}, times as fast", name, times, self.task.bar, True)]

    def as_json(self) -> dict[str, Any]:
        """Everything measured, with what the table says."""
        made: dict[str, Any] = asdict(self)
        made["ns"] = {name: asdict(median_interval(each)) for name, each in self.samples.items()}
        compared = [name for name in self.samples if name != OURS]
        made["times_as_fast"] = {name: asdict(self.times(name)) for name in compared}
        return made | {"fastest_peer": self.fastest}


def ours(frame: bytes) -> Tasks:
    """The product: the identifier is an object that is there already, as in a program."""
    message = Trade.decode(frame)
    names: dict[str, Any] = {"new": Trade, "o": message, "decode": Trade.decode, "frame": frame}
    names |= peers.GIVEN | {"i": message.instrument_id, "side": Side.BUY, "unpack": Header.unpack}
    find = {"buffer": bytearray(frame * peers.PLACES), "at": peers.PLACE * 64}
    find["view"] = Trade.view
    seal = "frame(sequence, timestamp, source, flags)"
    head = "h = unpack(frame); h.sequence; h.timestamp; h.source; h.flags"
    every = "out.instrument_id; out.price; out.volume; out.side; out.flags"
    keywords = "i, price=price, volume=volume, side=side, flags=marks"
    making = [f"out = new({given}).{seal}" for given in ("i, price, volume, side, marks", keywords)]
    writing = {name: value for name, value in names.items() if name != "frame"}
    return {
        "encode": [Form(f"out = o.{seal}", writing, lambda out: out == frame)],
        "build": [Form(statement, writing, lambda out: out == frame) for statement in making],
        "decode": [Form("out = decode(frame)", names, lambda out: out == message)],
        "fields": [
            Form(f"out = decode(frame); {head}; {every}", names, lambda out: out == message)
        ],
        "view": [
            Form(
                "o = view(buffer, at); o.price; out = o.volume",
                find,
                lambda out: out == peers.GIVEN["volume"],
            )
        ],
        "walk": [
            Form(
                "for o in walk(buffer): o.price; out = o.volume",
                {"buffer": find["buffer"], "walk": Trade.views},
                lambda out: out == peers.GIVEN["volume"],
                peers.PLACES,
            )
        ],
    }


CONTENDERS: dict[str, Callable[[bytes], Tasks]] = {
    OURS: ours,
    "struct": peers.of_struct,
    "struct, named tuple": peers.of_struct_named,
    "struct, by hand": peers.of_struct_by_hand,
    "ctypes": peers.of_ctypes,
    "msgspec": peers.of_msgspec,
    "protobuf": peers.of_protobuf,
}


def a_frame() -> bytes:
    """The Trade of protocol_peers as a sealed frame."""
    venue, asset_type, _, asset_id, price, volume, side, marks = peers.BODY
    trade = Trade(InstrumentId(venue, asset_type, asset_id), price, volume, Side(side), marks)
    given = peers.GIVEN
    return trade.frame(given["sequence"], given["timestamp"], given["source"], given["flags"])


def run(count: int, rounds: int, progress: Callable[[str], None]) -> list[Result]:
    """Every task, `rounds` samples of `count` operations each. Raises RunFailed when a contender
    gives a wrong result or takes a damaged frame."""
    frame = a_frame()
    tasks = {name: make(frame) for name, make in CONTENDERS.items()}
    return [_measure(task, tasks, count, rounds, progress) for task in TASKS]


def _measure(
    task: Task,
    tasks: dict[str, Tasks],
    count: int,
    rounds: int,
    progress: Callable[[str], None],
) -> Result:
    progress(f"protocol: {task.name}, looking for each one's quickest form")
    there = {name: made[task.name] for name, made in tasks.items() if task.name in made}
    chosen = {name: quickest(forms, max(count // 10, 1)) for name, forms in there.items()}
    samples: dict[str, list[float]] = {name: [] for name in chosen}
    chance = random.Random(SEED)
    for turn in range(rounds):
        progress(f"protocol: {task.name}, round {turn + 1} of {rounds}")
        for name in chance.sample(list(chosen), len(chosen)):
            samples[name].append(_time(chosen[name], count))
    forms = {name: _described(form) for name, form in chosen.items()}
    return Result(task, samples, forms)


def quickest(forms: Sequence[Form], count: int) -> Form:
    """The form that takes the least time, each with each CRC it may use; all are checked."""
    every = [variant for form in forms for variant in variants(form)]
    for form in every:
        check(form)
    return min(every, key=lambda form: min(_time(form, count) for _ in range(TRIES)))


def variants(form: Form) -> list[Form]:
    """The form with each of the CRCs, where it calls one."""
    if "crc(" not in form.statement:
        return [form]
    every = peers.CRCS.values()
    return [replace(form, names={**form.names, "crc": each}) for each in every]


def check(form: Form) -> None:
    """RunFailed unless the form gives what is right and, where it reads, refuses a damaged frame.

    A Form may not be fast because it leaves something out."""
    names = dict(form.names)
    exec(form.statement, names)
    if not form.right(names["out"]):
        raise RunFailed(f"wrong result of: {form.statement}")
    if "frame" not in form.names:
        return
    frame = bytearray(form.names["frame"])
    frame[len(frame) // 2] ^= 4
    try:
        exec(form.statement, {**form.names, "frame": bytes(frame)})
    except ValueError:
        return
    raise RunFailed(f"a damaged frame passes: {form.statement}")


def _time(form: Form, count: int) -> float:
    """Nanoseconds an operation; names are local variables, garbage collection is off."""
    setup = "; ".join(f"{name} = names[{name!r}]" for name in form.names)
    timer = timeit.Timer(form.statement, setup, globals={"names": form.names})
    times = max(count // form.each, 1)
    return timer.timeit(times) / (times * form.each) * 1e9


def _described(form: Form) -> str:
    known = {id(function): name for name, function in peers.CRCS.items()}
    crc = known.get(id(form.names.get("crc")))
    return " ".join(form.statement.split()) + (f"  (crc: {crc})" if crc else "")
