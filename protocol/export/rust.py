"""Writes alphapulse.rs: packed structs, constants and functions in plain Rust.

Called by `protocol.export`. What does not depend on the message classes is in
`rust_text` and `rust_frames`; facts about messages come from `protocol.export.facts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from protocol.export import rust_frames as frames
from protocol.export import rust_text as text
from protocol.export.facts import (
    WIDTH,
    Item,
    Names,
    Part,
    about,
    comment,
    domains,
    enumerations,
    extensions,
    header_items,
    messages,
    notes,
)

# For each kind of tail: its type, how it is made of bytes, its bytes, and how long it is.
TAILS = {
    "UTF-8 text": ("&'a str", "utf8({})?", "{}.as_bytes()", "{}.len()"),
    "UTF-8 JSON": ("&'a str", "utf8({})?", "{}.as_bytes()", "{}.len()"),
    "TLVs": ("Tlvs<'a>", "Tlvs::checked({})?", "{}.0", "{}.0.len()"),
    "levels": ("Levels<'a>", "Levels({})", "{}.0", "{}.len()"),
    "bytes": ("&'a [u8]", "{}", "{}", "{}.len()"),
}
# Words of Rust that a field may not be called.
TAKEN = {"as", "box", "do", "final", "in", "loop", "match", "mod", "move", "override", "priv"}
TAKEN |= {"pub", "ref", "static", "struct", "trait", "type", "typeof", "use", "virtual", "where"}
# rustfmt puts a struct's fields on one line up to this many characters.
SHORT = 18


def render() -> str:
    """The whole module.

    >>> render().startswith("//! alphapulse.rs: ")
    True
    """
    parts = messages()
    return "\n".join([
        text.TOP,
        *(_enumeration(*one) for one in enumerations().values()),
        text.BASIC,
        _structure("Header", "The 32 bytes before every payload.", 32, header_items()),
        text.LOOSE,
        _title("Checksum"),
        frames.CHECKSUM,
        _title("Frames"),
        frames.FRAMES,
        _title("What follows the fixed part"),
        frames.TAILS,
        *_sections(parts),
        _title("TLV payloads"),
        *map(_extension, extensions()),
        _title("Any message"),
        _fits(parts),
        _any(parts),
        _decode(parts).rstrip("\n"),
        "",
    ])  # fmt: skip


def member(name: str) -> str:
    """A field's name as Rust allows it.

    >>> member("price"), member("type")
    ('price', 'r#type')
    """
    return f"r#{name}" if name in TAKEN else name


def _title(words: str) -> str:
    return f"// {'-' * 94}\n// {words}\n// {'-' * 94}\n"


def _enumeration(names: Names, size: int) -> str:
    lines = comment(about(names), "    /// ", "    /// ")
    lines += [f"    {names.__name__}: u{8 * size} {{"]
    for one in names:
        lines += [f"        // {note}" for note in _notes(names, one.value)]
        lines += [f"        {one.name} = {one.value},"]
    return "\n".join(["names! {", *lines, "    }", "}", ""])


def _notes(names: Names, number: int) -> list[str]:
    return wrap(notes(names).get(number, ""), WIDTH - len("        // "))


def _structure(name: str, says: str, size: int, items: Iterable[Item]) -> str:
    lines = [*comment(says, "    /// ", "    /// "), f"    {name}, {size} bytes {{"]
    for item in items:
        lines += comment(f"{item.offset}: {item.says}", "        /// ", "        /// ")
        lines += [f"        {member(item.name)}: {_type(item)},"]
    return "\n".join(["structure! {", *lines, "    }", "}", ""])


def _type(item: Item) -> str:
    if is_named(item) and item.names:
        return item.names.__name__
    named = {"instrument": "InstrumentId", "bytes": f"[u8; {item.size}]"}
    return named.get(item.type, item.type)


def is_named(item: Item) -> bool:
    """Whether a field has its enumeration's type: that has one width, which may be another."""
    return item.names is not None and enumerations()[item.names.__name__].size == item.size


def _sections(parts: list[Part]) -> Iterator[str]:
    for heading, some in domains(parts):
        yield _title(f"Messages of {heading}")
        yield from map(_message, some)


def _message(part: Part) -> str:
    says = f"Message type {part.number}, version {part.version}: {part.says}"
    pieces = [_structure(part.title, says, part.size, part.fixed)]
    if part.tails:
        pieces.append(_tails_struct(part))
    methods = [_parse_tails(part), _frame_tails(part)] if part.tails else [PARSE, FRAME]
    methods.append(_wrong(part))
    numbers = [f"    pub const TYPE: u8 = {part.number};"]
    numbers += [f"    pub const VERSION: u8 = {part.version};\n"]
    body = "\n".join([*numbers, *methods])
    return "\n".join([*pieces, f"impl {part.title} {{\n{body}}}\n"])


PARSE = """\
    /// The message in a whole frame, whose checksum is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let (fields, rest) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;
        expect(rest.is_empty(), Fault::OtherSchema)?;
        Ok(fields)
    }
"""
FRAME = """\
    /// The whole frame, sealed.
    pub fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let fields = to_bytes(*self);
        seal(Self::TYPE, Self::VERSION, &[&fields], stamp).unwrap_or_default()
    }
"""


def _tails_struct(part: Part) -> str:
    lines = [f"/// What follows the fixed part of {part.title}."]
    lines += ["#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]"]
    lines += [f"pub struct {part.title}Tails<'a> {{"]
    for tail in part.tails:
        lines += comment(tail.says, "    /// ", "    /// ")
        lines += [f"    pub {tail.name}: {TAILS[tail.type][0]},"]
    return "\n".join([*lines, "}", ""])


def _parse_tails(part: Part) -> str:
    name, last = part.title, part.tails[-1]
    lines = ["    /// The message in a whole frame, whose checksum is not looked at."]
    lines += [f"    pub fn parse(frame: &[u8]) -> Result<(Self, {name}Tails<'_>), Fault> {{"]
    rest = "mut rest" if any(part.counter(tail) for tail in part.tails) else "rest"
    fields = "fields"
    lines += [f"        let ({fields}, {rest}) = open::<Self>(frame, Self::TYPE, Self::VERSION)?;"]
    for tail in part.tails:
        counted = part.counter(tail)
        times = " * LEVEL_SIZE" if tail.unit > 1 else ""
        if counted:
            taken = f"take(&mut rest, fields.{member(counted.name)} as usize{times})?"
            lines += [f"        let {tail.name} = {taken};"]
    if part.counter(last):
        lines += ["        expect(rest.is_empty(), Fault::Tails)?;"]
    else:
        lines += [f"        let {last.name} = rest;"]
    for item in part.starts():
        lines += [f"        let begin = {_start(part, item, '')};"]
        begins = f"fields.{member(item.name)} as usize == begin"
        lines += [f"        expect({begins}, Fault::Tails)?;"]
    lines += _literal(f"{name}Tails", [_made(tail) for tail in part.tails])
    return "\n".join([*lines, "        Ok((fields, tails))", "    }", ""])


def _made(tail: Item) -> str:
    made = TAILS[tail.type][1].format(tail.name)
    return tail.name if made == tail.name else f"{tail.name}: {made}"


def _literal(name: str, fields: list[str]) -> list[str]:
    """A struct's value, as rustfmt has it."""
    if len(", ".join(fields)) <= SHORT:
        return [f"        let tails = {name} {{ {', '.join(fields)} }};"]
    lines = [f"            {field}," for field in fields]
    return [f"        let tails = {name} {{", *lines, "        };"]


def _start(part: Part, item: Item, of: str) -> str:
    """Where the tail that `item` points to begins, in bytes from the start of the frame."""
    names = [tail.name for tail in part.tails]
    before = part.tails[: names.index(item.of)]
    sizes = [f"{TAILS[t.type][2].format(of + t.name) if of else t.name}.len()" for t in before]
    return " + ".join(["HEADER_SIZE + Self::SIZE", *sizes])


def _frame_tails(part: Part) -> str:
    lines = ["    /// The whole frame, sealed; counts are those of `tails`, which can be too long."]
    given = ["&self", f"tails: &{part.title}Tails<'_>", "stamp: &Stamp"]
    head = f"    pub fn frame({', '.join(given)}) -> Result<Vec<u8>, Fault> {{"
    if len(head) > WIDTH:
        inner = "".join(f"        {one},\n" for one in given)
        head = f"    pub fn frame(\n{inner}    ) -> Result<Vec<u8>, Fault> {{"
    lines += [head]
    computed = list(_computed(part))
    if part.fixed:
        lines += [f"        let {'mut ' if computed else ''}fields = *self;"]
    lines += [f"        {line}" for line in computed]
    parts = ["&to_bytes(fields)"] if part.fixed else []
    parts += [TAILS[tail.type][2].format(f"tails.{tail.name}") for tail in part.tails]
    lines += [f"        let payload: &[&[u8]] = &[{', '.join(parts)}];"]
    lines += ["        seal(Self::TYPE, Self::VERSION, payload, stamp).ok_or(Fault::Tails)"]
    return "\n".join([*lines, "    }", ""])


def _computed(part: Part) -> Iterator[str]:
    """The lines that fill in counts and starts."""
    for tail in part.tails:
        counted, name = part.counter(tail), f"tails.{tail.name}"
        if tail.unit > 1:
            yield f"expect({name}.is_whole(), Fault::Tails)?;"
        if counted:
            length = TAILS[tail.type][3].format(name)
            yield f"fields.{member(counted.name)} = count({length})?;"
    for item in part.starts():
        yield f"fields.{member(item.name)} = count({_start(part, item, 'tails.')})?;"


def _wrong(part: Part) -> str:
    rules = [(item, rule) for item in part.fixed if (rule := _rule(item))]
    lines = ["    /// The first field whose value is not allowed."]
    lines += ["    pub fn wrong(&self) -> Option<&'static str> {"]
    for item, rule in rules:
        lines += [f"        if {rule} {{", f'            return Some("{item.name}");', "        }"]
    return "\n".join([*lines, "        None", "    }", ""])


def _rule(item: Item) -> str:
    """The condition under which a field's value is not allowed, or ''."""
    value = f"self.{member(item.name)}"
    if item.kind == "pad":
        return f"{value} != [0; {item.size}]"
    value += ".0" if is_named(item) else ""
    if item.mask is not None:
        return f"{value} & !{item.mask:#x} != 0"
    if not item.ranges:
        return ""
    ranges = (f"{low}" if low == high else f"{low}..={high}" for low, high in item.ranges)
    return f"!matches!({value}, {' | '.join(ranges)})"


def _extension(part: Part) -> str:
    says = f"TLV type {part.number}: {part.says}"
    body = [
        f"    pub const TLV: u8 = {part.number};\n",
        "    /// From the payload of a TLV; None when it has another size.\n"
        "    pub fn from_tlv(payload: &[u8]) -> Option<Self> {\n"
        "        (payload.len() == Self::SIZE).then(|| Self::get(payload))\n    }\n",
        _wrong(part),
    ]
    impl = f"impl {part.title} {{\n{chr(10).join(body)}}}\n"
    return "\n".join([_structure(part.title, says, part.size, part.fixed), impl])


def _fits(parts: list[Part]) -> str:
    lines = [
        "/// Whether a payload of this type and version can have this size; an unknown one: any."
    ]
    lines += ["pub fn fits(message_type: u8, version: u8, payload_size: u32) -> bool {"]
    lines += ["    match (message_type, version) {"]
    for part in parts:
        least = part.size + sum(tail.size for tail in part.tails)
        sign = ">=" if part.tails else "=="
        lines += [f"        ({part.number}, {part.version}) => payload_size {sign} {least},"]
    return "\n".join([*lines, "        _ => true,", "    }", "}", ""])


def _any(parts: list[Part]) -> str:
    lines = ["/// A message of any type, as `decode` gives it."]
    lines += ["#[derive(Clone, Copy, Debug, PartialEq, Eq)]", "pub enum Message<'a> {"]
    for part in parts:
        tails = f", {part.title}Tails<'a>" if part.tails else ""
        lines += [f"    {part.title}({part.title}{tails}),"]
    lines += ["    /// A type or version that is not known here, or a compressed payload."]
    return "\n".join([*lines, "    Unknown(Header, &'a [u8]),", "}", ""])


def _decode(parts: list[Part]) -> str:
    lines = ["/// The message in a whole frame, whose checksum is not looked at: `check` it first."]
    lines += ["pub fn decode(frame: &[u8]) -> Result<Message<'_>, Fault> {"]
    lines += ["    let (header, payload) = split(frame)?;"]
    lines += ["    if header.flags & FLAGS_COMPRESSED != 0 {"]
    lines += ["        return Ok(Message::Unknown(header, payload));", "    }"]
    lines += ["    Ok(match (header.message_type, header.version) {"]
    for part in parts:
        first, *more = _arm(part)
        lines += [f"        ({part.number}, {part.version}) => {first}", *more]
    return "\n".join([*lines, "        _ => Message::Unknown(header, payload),", "    })", "}", ""])


def _arm(part: Part) -> list[str]:
    name = part.title
    if not part.tails:
        return [f"Message::{name}({name}::parse(frame)?),"]
    inner = [f"let (fields, tails) = {name}::parse(frame)?;", f"Message::{name}(fields, tails)"]
    return ["{", *(" " * 12 + line for line in inner), "        }"]
