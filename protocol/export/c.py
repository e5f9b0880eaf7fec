"""Writes alphapulse.h: packed structs, constants and functions in C11 that is C++ too.

Called by `protocol.export`. What does not depend on the message classes is in
`c_text` and `c_frames`; facts about messages come from `protocol.export.facts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntFlag

from protocol.export import c_frames as frames
from protocol.export import c_text as text
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
    snake,
)
from protocol.reject import Reject

EIGHTS = range(0, 256, 8)
# Levels are the only tails that are counted in anything but bytes.
LEVEL = "AP_LEVEL_SIZE"
LARGEST_INT = 2**31 - 1
TYPES = {
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "u64": "uint64_t",
    "u128": "ap_u128",
    "i32": "int32_t",
    "i64": "int64_t",
    "i128": "ap_i128",
    "instrument": "ap_instrument_id",
    "bytes": "uint8_t",
}
SOUND = {
    "UTF-8 text": ("ap_utf8_sound", "AP_BAD_TEXT"),
    "UTF-8 JSON": ("ap_utf8_sound", "AP_BAD_TEXT"),
    "TLVs": ("ap_tlvs_sound", "AP_BAD_TLV"),
}
# Words of C and C++ that a field may not be called.
TAKEN = {"class", "default", "delete", "new", "operator", "private", "public", "register", "union"}


def render() -> str:
    """The whole header file.

    >>> render().startswith("/* alphapulse.h: ")
    True
    """
    parts = messages()
    return "\n".join([
        text.TOP,
        _title("Constants"),
        text.CONSTANTS,
        *(_enumeration(one.names) for one in enumerations().values()),
        _title("Basic structures"),
        "#pragma pack(push, 1)\n",
        text.BASIC,
        text.INSTRUMENT,
        _struct("header", "The 32 bytes before every payload.", header_items()),
        "#pragma pack(pop)\n",
        _asserts("header", 32, header_items()),
        text.BASIC_ASSERTS,
        text.LOOSE,
        text.SYMBOLS,
        _title("Checksum"),
        _crc_table(),
        frames.CRC,
        _title("Frames"),
        frames.FRAMES,
        _title("What follows the fixed part"),
        frames.TAILS,
        *_sections(parts),
        _title("TLV payloads: " + "ap_tlv_put what they are, read with ap_..._from what is found"),
        *map(_extension, extensions()),
        _title("Any message"),
        _sizes(parts),
        frames.CHECK,
        frames.NEXT,
        _type_names(parts),
        _fault_names(),
        text.BOTTOM,
    ])  # fmt: skip


def member(name: str) -> str:
    """A field's name as C and C++ allow it.

    >>> member("price"), member("class")
    ('price', 'class_')
    """
    return f"{name}_" if name in TAKEN else name


def _title(words: str) -> str:
    return f"/* {'-' * 94} */\n/* {words:<94} */\n/* {'-' * 94} */\n"


def _enumeration(names: Names) -> str:
    prefix = f"AP_{snake(names.__name__).upper()}"
    kind = " Bits, any of them together." if issubclass(names, IntFlag) else ""
    opening = comment(f"{about(names)}{kind} */", "/* ", " * ")
    if any(one.value > LARGEST_INT for one in names):
        lines = [f"#define {prefix}_{one.name} UINT64_C({one.value})" for one in names]
        return "\n".join([*opening, *lines, ""])
    lines = []
    for one in names:
        if note := notes(names).get(one.value):
            lines += comment(f"{note} */", "    /* ", "     * ")
        lines.append(f"    {prefix}_{one.name} = {one.value},")
    lines[-1] = lines[-1].rstrip(",")
    return "\n".join([*opening, f"enum ap_{snake(names.__name__)} {{", *lines, "};", ""])


def _struct(name: str, says: str, items: Iterable[Item]) -> str:
    opening = comment(f"{says} */", "/* ", " * ")
    fields = _declarations([(_code(item), f"{item.offset}: {item.says}") for item in items])
    return "\n".join([*opening, f"typedef struct ap_{name} {{", *fields, f"}} ap_{name};", ""])


def _code(item: Item) -> str:
    size = f"[{item.size}]" if item.type == "bytes" else ""
    return f"    {TYPES[item.type]} {member(item.name)}{size};"


def _declarations(fields: list[tuple[str, str]]) -> list[str]:
    """Fields, and what they mean in a column beside them."""
    column = max(len(code) for code, _ in fields) + 1
    lines = []
    for code, says in fields:
        indent = " " * (column + 1) + "* "
        first, *more = comment(f"{says} */", f"{code:<{column}}/* ", indent)
        lines += [first, *more]
    return lines


def _asserts(name: str, size: int, items: Iterable[Item]) -> str:
    lines = [f"AP_SIZE(ap_{name}, {size});"]
    lines += [f"AP_OFFSET(ap_{name}, {member(item.name)}, {item.offset});" for item in items]
    return "\n".join([*lines, ""])


def _sections(parts: list[Part]) -> Iterator[str]:
    for heading, some in domains(parts):
        yield _title(f"Messages of {heading}")
        yield from map(_message, some)


def _message(part: Part) -> str:
    title = f"{part.title} (type {part.number}, version {part.version}): {part.says}"
    upper = part.name.upper()
    pieces = [
        f"#define AP_{upper}_TYPE {part.number}\n#define AP_{upper}_VERSION {part.version}\n",
        _packed(part, title),
    ]
    if part.tails:
        pieces.append(_tails_struct(part))
    return "\n".join([*pieces, _read(part), _frame(part), _wrong(part)])


def _packed(part: Part, title: str) -> str:
    if not part.fixed:
        # C has no empty struct; a message that is all tail needs none.
        return "\n".join([*comment(f"{title} */", "/* ", " * "), ""])
    struct = _struct(part.name, title, part.fixed)
    asserts = _asserts(part.name, part.size, part.fixed)
    return f"#pragma pack(push, 1)\n{struct}#pragma pack(pop)\n{asserts}"


def _tails_struct(part: Part) -> str:
    lines = [f"/* What follows the fixed part of {part.title}. */"]
    lines.append(f"typedef struct ap_{part.name}_tails {{")
    fields = [(f"    ap_span {tail.name};", f"{tail.type}: {tail.says}") for tail in part.tails]
    lines += _declarations(fields)
    return "\n".join([*lines, f"}} ap_{part.name}_tails;", ""])


def _size_of(part: Part) -> str:
    return f"sizeof(ap_{part.name})" if part.fixed else "0"


def _read(part: Part) -> str:
    given = f"const void *frame, size_t size, {_parameters(part, '', '*out', '*tails')}"
    lines = _fit(f"static inline int ap_{part.name}_read({given}) {{")
    lines += ["    ap_span rest;"]
    schema = f"{_schema(part)}, {_size_of(part)}"
    lines += _fit(f"    int code = ap_open(frame, size, {schema}, &rest);")
    lines += ["    if (code != AP_OK) return code;"]
    if not part.tails:
        lines += ["    if (rest.size != sizeof *out) return AP_OTHER_SCHEMA;"]
    if part.fixed:
        lines += ["    memcpy(out, rest.data, sizeof *out);"]
    if part.tails:
        lines += _read_tails(part)
    return "\n".join([*lines, "    return AP_OK;", "}", ""])


def _read_tails(part: Part) -> Iterator[str]:
    if part.fixed:
        yield "    rest.data += sizeof *out;"
        yield "    rest.size -= sizeof *out;"
    for tail in part.tails:
        counted = part.counter(tail)
        if counted is None:
            yield f"    ap_take(&rest, rest.size, &tails->{tail.name});"
            continue
        times = f" * {LEVEL}" if tail.unit > 1 else ""
        take = f"!ap_take(&rest, (size_t)out->{counted.name}{times}, &tails->{tail.name})"
        yield f"    if ({take}) return AP_BAD_TAILS;"
    yield "    if (rest.size) return AP_BAD_TAILS;"
    for item in part.starts():
        yield f"    if (out->{item.name} != {_start(part, item)}) return AP_BAD_TAILS;"
    for tail in part.tails:
        if tail.type in SOUND:
            sound, fault = SOUND[tail.type]
            yield f"    if (!{sound}(tails->{tail.name})) return {fault};"


def _start(part: Part, item: Item) -> str:
    """Where the tail that `item` points to begins, in bytes from the start of the frame."""
    before = [tail.name for tail in part.tails]
    before = before[: before.index(item.of)]
    return " + ".join(
        [f"AP_HEADER_SIZE + {_size_of(part)}", *(f"tails->{one}.size" for one in before)]
    )


def _parameters(part: Part, const: str, fields: str, tails: str) -> str:
    """The parameters for the fixed part and the tails, of those that a message has."""
    given = [f"{const}ap_{part.name} {fields}"] if part.fixed else []
    given += [f"{const}ap_{part.name}_tails {tails}"] if part.tails else []
    return ", ".join(given)


def _fit(line: str, width: int = WIDTH) -> list[str]:
    """A declaration or call, its arguments on several lines where one is too short."""
    if len(line) <= width:
        return [line]
    indent = " " * (line.index("(") + 1)
    lines = [""]
    for part in line.split(", "):
        if len(f"{lines[-1]}, {part},") > width:
            lines[-1] += ","
            lines.append(indent + part)
        else:
            lines[-1] += (", " if lines[-1] else "") + part
    return lines


def _frame(part: Part) -> str:
    given = _parameters(part, "const ", "*fields", "*tails")
    given = f"void *out, size_t room, {given}, const ap_stamp *stamp"
    lines = _fit(f"static inline size_t ap_{part.name}_frame({given}) {{")
    lines += [f"    {line}" for line in (_whole(part) if part.tails else _plain(part))]
    return "\n".join([*lines, "}", ""])


def _plain(part: Part) -> list[str]:
    return [
        *_fit(f"uint8_t *at = ap_begin(out, room, {_schema(part)}, sizeof *fields, stamp);", 96),
        "if (at == NULL) return 0;",
        "memcpy(at, fields, sizeof *fields);",
        "ap_seal(out);",
        "return AP_HEADER_SIZE + sizeof *fields;",
    ]


def _whole(part: Part) -> Iterator[str]:
    """The body of a function that puts fixed part and tails together."""
    names = [tail.name for tail in part.tails]
    if part.fixed:
        yield f"ap_{part.name} fixed = *fields;"
    sizes = [_size_of(part)] if part.fixed else []
    yield f"size_t size = {' + '.join(sizes + [f'tails->{name}.size' for name in names])};"
    yield "uint8_t *at;"
    for tail in part.tails:
        yield from _count(part, tail)
    for item in part.starts():
        yield f"fixed.{item.name} = ({TYPES[item.type]})({_start(part, item)});"
    yield from _fit(f"at = ap_begin(out, room, {_schema(part)}, size, stamp);", 96)
    yield "if (at == NULL) return 0;"
    if part.fixed:
        yield "at = ap_append(at, &fixed, sizeof fixed);"
    for name in names:
        move = "" if name == names[-1] else "at = "
        yield f"{move}ap_append(at, tails->{name}.data, tails->{name}.size);"
    yield "ap_seal(out);"
    yield "return AP_HEADER_SIZE + size;"


def _schema(part: Part) -> str:
    return f"AP_{part.name.upper()}_TYPE, AP_{part.name.upper()}_VERSION"


def _count(part: Part, tail: Item) -> Iterator[str]:
    counted = part.counter(tail)
    if counted is None:
        return
    number = f"tails->{tail.name}.size"
    if tail.unit > 1:
        yield f"if ({number} % {LEVEL}) return 0;"
        number += f" / {LEVEL}"
    yield f"if ({number} > UINT{8 * counted.size}_MAX) return 0;"
    yield f"fixed.{counted.name} = ({TYPES[counted.type]})({number});"


def _wrong(part: Part) -> str:
    if not part.fixed:
        return ""
    rules = [(item, rule) for item in part.fixed if (rule := _rule(item))]
    lines = [f"static inline const char *ap_{part.name}_wrong(const ap_{part.name} *m) {{"]
    lines += [line for item, rule in rules for line in _if(rule, f'return "{item.name}";')]
    if not rules:
        lines += ["    (void)m;"]
    return "\n".join([*lines, "    return NULL;", "}", ""])


def _if(rule: str, then: str) -> list[str]:
    line = f"    if ({rule}) {then}"
    if len(line) <= WIDTH:
        return [line]
    lines = f"    if ({rule})".replace(" || ", " ||\n          ").split("\n")
    return [*lines, f"        {then}"]


def _rule(item: Item) -> str:
    """The condition under which a field's value is not allowed, or ''."""
    value = f"m->{member(item.name)}"
    if item.kind == "pad":
        return f"!ap_is_zero({value}, {item.size})"
    if item.mask is not None:
        return f"{value} & ~UINT{8 * item.size}_C({item.mask:#x})"
    if not item.ranges:
        return ""
    inside = [_inside(value, item, *ends) for ends in item.ranges]
    return f"!({' || '.join(inside)})"


def _inside(value: str, item: Item, low: int, high: int) -> str:
    """That a value is in a range; a bound that the type has anyhow is not said."""
    if low == high:
        return f"{value} == {_literal(low, item)}"
    sides = [f"{value} >= {_literal(low, item)}"] if low > item.limits[0] else []
    sides += [f"{value} <= {_literal(high, item)}"] if high < item.limits[1] else []
    both = " && ".join(sides) or "1"
    return f"({both})" if len(sides) > 1 and len(item.ranges) > 1 else both


def _literal(number: int, item: Item) -> str:
    if item.size < 4:
        return str(number)
    return f"{'' if item.type[0] == 'i' else 'U'}INT{8 * item.size}_C({number})"


def _extension(part: Part) -> str:
    name, says = part.name, f"{part.title} (TLV type {part.number}): {part.says}"
    return "\n".join([
        f"#define AP_{name.upper()}_TLV {part.number}\n",
        _packed(part, says),
        f"/* From the payload of a TLV; 0 when it has another size. */\n"
        f"static inline int ap_{name}_from(ap_span payload, ap_{name} *out) {{\n"
        f"    if (payload.size != sizeof *out) return 0;\n"
        f"    memcpy(out, payload.data, sizeof *out);\n"
        f"    return 1;\n}}\n",
        _wrong(part),
    ])  # fmt: skip


def _sizes(parts: list[Part]) -> str:
    lines = [
        "/* Whether a payload of this type and version can have this size; of one that is not",
        " * known here: any. */",
        "static inline int ap_size_fits(uint8_t message_type, uint8_t version, uint32_t size) {",
        "    switch (message_type << 8 | version) {",
    ]
    for part in parts:
        least = part.size + sum(tail.size for tail in part.tails)
        lines.append(f"    case {part.number} << 8 | {part.version}:")
        sign = ">=" if part.tails else "=="
        lines.append(f"        return size {sign} {least}; /* {part.title} */")
    return "\n".join([*lines, "    default: return 1;", "    }", "}", ""])


def _type_names(parts: list[Part]) -> str:
    lines = ["/* The name of a message type, NULL for one that is not known here. */"]
    lines += ["static inline const char *ap_type_name(uint8_t message_type) {"]
    lines += ["    switch (message_type) {"]
    names = {part.number: part.title for part in reversed(parts)}
    newest = {part.number: part.title for part in parts}
    lines += [f'    case {number}: return "{newest[number]}";' for number in sorted(names)]
    return "\n".join([*lines, "    default: return NULL;", "    }", "}", ""])


def _fault_names() -> str:
    names = {name: name for name in re.findall(r"AP_(\w+) = -?\d", text.CONSTANTS)}
    names |= {f"REJECT_{code.name}": code.name for code in Reject}
    return "\n".join([
        "/* The name of what a function here returns, and of Error.code: never NULL. */",
        "static inline const char *ap_fault_name(int code) {",
        "    switch (code) {",
        *(f'    case AP_{key}: return "{name}";' for key, name in names.items()),
        '    default: return "UNKNOWN";',
        "    }",
        "}",
        "",
    ])  # fmt: skip


def _crc_table() -> str:
    tables = [[_crc_byte(byte) for byte in range(256)]]
    for _ in range(7):
        last = tables[-1]
        tables.append([tables[0][value & 0xFF] ^ value >> 8 for value in last])
    lines = ["static const uint32_t AP_CRC[8][256] = {"]
    for table in tables:
        rows = [", ".join(f"0x{value:08x}" for value in table[at : at + 8]) for at in EIGHTS]
        lines += ["    {", *(f"    {row}," for row in rows), "    },"]
    return "\n".join([*lines, "};", ""])


def _crc_byte(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value
