"""What messages look like, as data: written from classes, and classes made of it at run time
(SPEC.md, Schemas).

Called by programs that take or offer message types which were not known when they were installed.
The registry itself is that of `protocol.message`, keyed (type, version): what is registered here is
decoded, listed and sized like the catalogue. How a declaration is taken apart is
`protocol.declarations`.

Reading needs no lock: every look is one operation of one dict, which the interpreter does as a
whole. Registering has one, so that two threads that register the same get the same class.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from threading import Lock
from types import new_class
from typing import Any

from protocol import message
from protocol.as_json import read
from protocol.catalogue import CONTROL
from protocol.declarations import Draft, describe, parse
from protocol.errors import SchemaError
from protocol.message import REGISTRY, Message

MOST_TEXT = 65_536
MOST_DECLARED = 1_024
# What may differ between two declarations of the same: words for people.
WORDS = {"meaning", "fix"}

_declared: dict[tuple[int, int], type[Message]] = {}
_registering = Lock()


def find(message_type: int, version: int) -> type[Message] | None:
    """The class of a type and version, None when there is none.

    >>> find(1, 1).__name__, find(1, 77)
    ('Trade', None)
    """
    return message.find(message_type, version)


def newest(message_type: int) -> type[Message] | None:
    """The class of a type's highest version, None when there is none.

    >>> newest(1).VERSION
    1
    """
    versions = [cls for (kind, _), cls in message.catalogue().items() if kind == message_type]
    return versions[-1] if versions else None


def declaration(cls: type[Message]) -> dict[str, object]:
    """What a class declares, as JSON can say it: `register` makes a class with the same bytes,
    names and rules of it. What its `check` demands beyond single fields is not in it. SchemaError
    for a class that declares no message.

    >>> from protocol.control import Snapshot
    >>> declaration(Snapshot)["fields"][:2]
    [{'name': 'kind', 'type': 'u8', 'meaning': 'begin or end', 'enum': {'BEGIN': 1, 'END': 2}}, \
{'pad': 3}]
    """
    if not _is_message(cls):
        raise SchemaError("declaration", expected="a message class or data", got=cls)
    return describe(cls.__name__, cls.TYPE, cls.VERSION, cls.FIELDS)


def register(declared: type[Message] | Mapping[str, object] | str | bytes) -> type[Message]:
    """The class for a declaration, which from now on is known under its type and version.

    A declaration is a message class, or an object or JSON text (at most 65,536 bytes) with `name`,
    `type`, `version` and `fields`. A field has `name` and `type` (u8 to u128, i32 to i128,
    instrument, bytesN; after these text, json, tlvs, bytes, levels) and perhaps `meaning`, `unit`,
    `fix`, `default` and one of `within` (pairs), `enum`, `flags`, `names` (objects of numbers);
    instead of those `counts` or `starts` (u8 to u32) names a tail; `{"pad": n}` are n zero bytes.

    Types are 1-255 without the control range 100-109, versions 1-255; 200-255 are free for own
    use. The same again (other words do not count) gives the class that is there. SchemaError for a
    declaration that makes no sense, for one that contradicts what is there (it names both), and for
    more than 1,024 declared from data; ProtocolError for text that is not JSON.

    >>> beat = {"name": "Pulse", "type": 250, "version": 1}
    >>> fields = [{"name": "rate", "type": "u32", "unit": "1/min"}, {"pad": 4}]
    >>> Pulse = register(beat | {"fields": fields})
    >>> message.decode(Pulse(rate=60).frame()), register(beat | {"fields": fields}) is Pulse
    (Pulse(rate=60), True)
    >>> register(beat | {"name": "Throb", "fields": [{"name": "rate", "type": "u16"}]})
    Traceback (most recent call last):
    ...
    protocol.errors.SchemaError: the declaration Throb contradicts the class Pulse, type 250 ...
    >>> forget(250, 1)
    """
    if isinstance(declared, type):
        said = declaration(declared)
        with _registering:
            return _agreed(said) or _enter(declared)
    draft = parse(_data(declared))
    said = describe(draft.name, draft.type, draft.version, draft.fields)
    with _registering:
        return _agreed(said) or _make(draft, said)


def forget(message_type: int, version: int) -> None:
    """Take a class that was declared from data out of the registry again; frames of it come back
    as Unknown from then on. SchemaError when there is none."""
    with _registering:
        if _declared.pop((message_type, version), None) is None:
            what = f"type {message_type} version {version}"
            raise SchemaError(what, expected="one that was declared from data")
        REGISTRY.pop((message_type, version), None)


def _is_message(cls: object) -> bool:
    """Whether a class declares a message; the base of all of them does not."""
    return isinstance(cls, type) and issubclass(cls, Message) and cls is not Message


def _data(declared: Mapping[str, object] | str | bytes) -> object:
    if isinstance(declared, str | bytes):
        size = (
            len(declared) if isinstance(declared, bytes) else len(declared.encode(errors="replace"))
        )
        if size > MOST_TEXT:
            raise SchemaError("declaration", expected=f"at most {MOST_TEXT} bytes", got=size)
        return read(declared)
    return dict(declared) if isinstance(declared, Mapping) else declared


def _make(draft: Draft, said: dict[str, Any]) -> type[Message]:
    """A class of a draft that nothing contradicts; one that a program made meanwhile stays."""
    if len(_declared) >= MOST_DECLARED:
        raise SchemaError(f"{draft.name}, one more declared", expected=f"at most {MOST_DECLARED}")
    body = {"__doc__": draft.doc or None, "__module__": __name__, "__annotations__": draft.hints}
    try:
        made: type[Message] = new_class(
            draft.name,
            (Message,),
            {"type": draft.type, "version": draft.version},
            lambda namespace: namespace.update(body | draft.declared),
        )
    except SchemaError:
        there = _agreed(said)
        if there is None:
            raise
        return there
    except (TypeError, ValueError, OverflowError) as error:
        raise SchemaError(f"{draft.name}: {error}") from None
    _declared[draft.type, draft.version] = made
    return made


def _enter(cls: type[Message]) -> type[Message]:
    """A class of Python's that was made before but is not there any more."""
    if cls.TYPE in CONTROL:
        raise SchemaError(f"type of {cls.__name__}", expected="not 100 to 109", got=cls.TYPE)
    message.register(cls)
    return cls


def _agreed(said: dict[str, Any]) -> type[Message] | None:
    """The class that is there and declares the same, None when there is none; SchemaError, naming
    both, when the one that is there says something else."""
    there = find(said["type"], said["version"])
    if there is None:
        return None
    ours, theirs = _essence(said), _essence(declaration(there))
    if ours != theirs:
        both = f"the declaration {said['name']} contradicts the class {there.__name__}"
        what = f"{both}, type {said['type']} version {said['version']}"
        pairs = zip_longest(theirs["fields"], ours["fields"], fillvalue="no field more")
        names = f"the name {there.__name__}", said["name"]
        wanted, got = next((pair for pair in pairs if pair[0] != pair[1]), names)
        raise SchemaError(what, expected=wanted, got=got)
    return there


def _essence(said: dict[str, Any]) -> dict[str, Any]:
    """A declaration without the words that are for people."""
    fields = [
        {name: said for name, said in one.items() if name not in WORDS} for one in said["fields"]
    ]
    return said | {"fields": fields}
