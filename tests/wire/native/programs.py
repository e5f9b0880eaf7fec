"""Writes what golden.c and golden.rs need to know about fields, compiles them, and runs them.

Called by tests/wire/test_export.py and test_export_frames.py. The text that the programs should
print is in `expected`, from the values that Python has: nothing of it comes from the generated
files.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from protocol.export import c, rust
from protocol.export.facts import Item, Part, extensions, messages
from protocol.extensions import known
from protocol.fields import Field
from protocol.instruments import InstrumentId
from protocol.message import Message
from protocol.structure import Structure
from protocol.tails import LEVELS, TLVS
from protocol.tlv import iterate

HERE = Path(__file__).parent
README = Path(c.__file__).with_name("README.md")
PATIENCE = 120
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]
RUST = ["--edition", "2021", "-D", "warnings", "-C", "opt-level=0"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# The message whose TLVs are those of the catalogue.
TYPED = "DeFiSignal"


def compiler(name: str) -> str | None:
    """Where a compiler is; rustup's place counts too."""
    return shutil.which(name) or shutil.which(str(Path.home() / ".cargo" / "bin" / name))


def compile_c(folder: Path, compiler: str, options: list[str]) -> Path:
    """The program of golden.c; its sanitizers on where the compiler has them."""
    (folder / "fields.h").write_text(c_fields())
    (folder / "alphapulse.h").write_text(c.render())
    program = folder / f"golden_{Path(compiler).name}"
    command = [compiler, *options, *WARNINGS, "-I", str(folder), "-o", str(program)]
    source = HERE / "golden.c"
    if not _runs([*command, *SANITIZERS, str(source)]):
        run([*command, str(source)])
    return program


def compile_rust(folder: Path, compiler: str) -> Path:
    """The program of golden.rs."""
    (folder / "fields.rs").write_text(rust_fields())
    (folder / "alphapulse.rs").write_text(rust.render())
    main = folder / "golden.rs"
    main.write_text((HERE / "golden.rs").read_text())
    program = folder / "golden_rust"
    run([compiler, *RUST, "-o", str(program), str(main)])
    return program


def example(folder: Path, compiler: str) -> Path:
    """The program of the export's README for a compiler, word for word."""
    language = "rust" if Path(compiler).name == "rustc" else "c"
    _, _, rest = README.read_text().partition(f"```{language}\n")
    (folder / "example").write_text(rest.partition("```")[0])
    program = folder / "example.out"
    if language == "rust":
        (folder / "alphapulse.rs").write_text(rust.render())
        run([compiler, *RUST, "-o", str(program), str(folder / "example")])
        return program
    (folder / "alphapulse.h").write_text(c.render())
    kind = ["-std=c++11", "-x", "c++"] if compiler.endswith("++") else ["-std=c11", "-x", "c"]
    command = [compiler, *kind, *WARNINGS, "-I", str(folder), "-o", str(program)]
    if not _runs([*command, *SANITIZERS, str(folder / "example")]):
        run([*command, str(folder / "example")])
    return program


def ended(program: Path, *arguments: Path) -> tuple[int, str, str]:
    """How a program ended, and what it said on standard output and error."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def feed(program: Path, frames: Iterable[bytes], out: Path) -> tuple[list[str], list[bytes]]:
    """What the program says about each frame, and the frames it built again."""
    data = b"".join(struct.pack("<I", len(frame)) + frame for frame in frames)
    said = run([str(program), str(out)], data).decode()
    return said.split("\n\n")[:-1], list(_parts(out.read_bytes()))


def run(command: list[str], data: bytes = b"") -> bytes:
    """Run to the end; what went wrong is in the error."""
    done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr.decode()[-4000:]}"
    return done.stdout


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=PATIENCE).returncode == 0


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def expected(message: Message) -> str:
    """What the programs should say about a sound frame of this message."""
    lines = ["check 0", "read 0", type(message).__name__]
    for field in type(message).FIELDS:
        if field.kind != "pad":
            lines += _lines(field, getattr(message, field.name), type(message).__name__ == TYPED)
    fixed = any(field.wire for field in type(message).FIELDS)
    return "\n".join([*lines, "wrong -"] if fixed else lines)


def _lines(field: Field, value: Any, typed: bool) -> Iterator[str]:
    if field.tail is LEVELS:
        yield "".join([field.name, *(f" {price}:{size}" for price, size in value)])
    elif field.tail is TLVS:
        for kind, payload in iterate(value):
            yield f"{field.name} {kind} is 0x{payload.hex()}"
            cls = known(kind) if typed else None
            if cls:
                yield from _extension(cls.from_payload(payload))
    elif isinstance(value, InstrumentId):
        yield f"{field.name} {value.venue}/{value.asset_type}/{value.reserved}/{value.asset_id}"
    elif isinstance(value, str | bytes):
        yield f"{field.name} 0x{(value.encode() if isinstance(value, str) else value).hex()}"
    elif field.size == 16:
        yield f"{field.name} 0x{value & (1 << 128) - 1:032x}"
    else:
        yield f"{field.name} {int(value)}"


def _extension(structure: Structure) -> Iterator[str]:
    yield type(structure).__name__
    for field in type(structure).FIELDS:
        if field.kind != "pad":
            yield from _lines(field, getattr(structure, field.name), False)
    yield "wrong -"


def c_fields() -> str:
    """fields.h: how each message and extension is shown and built again, and CASES."""
    parts = messages()
    cases = "".join(
        f" \\\n    case {part.number} << 8 | {part.version}: return pass_{part.name}(frame, size,"
        " again, &stamp);"
        for part in parts
    )
    return "\n".join([
        *map(_c_extension, extensions()),
        _c_tlvs("static int show_tlv(ap_tlv tlv)", "show_{}(tlv)"),
        _c_tlvs(
            "static size_t rebuild_tlv(ap_tlv tlv, uint8_t *out, size_t room)",
            "rebuild_{}(tlv, out, room)",
        ),
        *map(_c_message, parts),
        f"#define CASES{cases}\n",
    ])  # fmt: skip


def _c_tlvs(head: str, call: str) -> str:
    cases = "".join(
        f"    case AP_{part.name.upper()}_TLV: return {call.format(part.name)};\n"
        for part in extensions()
    )
    return f"{head} {{\n    switch (tlv.type) {{\n{cases}    default: return 0;\n    }}\n}}\n"


def _c_extension(part: Part) -> str:
    name = part.name
    read = f"    ap_{name} m, n;\n    if (!ap_{name}_from(tlv.payload, &m)) return 0;\n"
    return (
        f"static int show_{name}(ap_tlv tlv) {{\n{read.replace(', n', '')}"
        f'    printf("{part.title}\\n");\n{_c_show(part)}'
        f"    show_wrong(ap_{name}_wrong(&m));\n    return 1;\n}}\n\n"
        f"static size_t rebuild_{name}(ap_tlv tlv, uint8_t *out, size_t room) {{\n{read}"
        f"    memset(&n, 0, sizeof n);\n{_c_copy(part)}"
        f"    return ap_tlv_put(out, room, tlv.type, ap_bytes(&n, sizeof n));\n}}\n"
    )


def _c_message(part: Part) -> str:
    name = part.name
    tails = ", &t" if part.tails else ""
    given = f"{'&m, ' if part.fixed else ''}{tails[2:]}".rstrip(", ")
    again = f"{'&n, ' if part.fixed else ''}{tails[2:]}".rstrip(", ")
    lines = [f"    ap_{name} m, n;"] if part.fixed else []
    lines += [f"    ap_{name}_tails t;"] if part.tails else []
    lines += ["    static uint8_t room[ROOM];"] if _has_tlvs(part) else []
    lines += [f"    int code = ap_{name}_read(frame, size, {given});"]
    lines += ['    printf("read %d\\n", code);', "    if (code != AP_OK) return 0;"]
    lines += [f'    printf("{part.title}\\n");', _c_show(part)]
    lines += [f"    show_wrong(ap_{name}_wrong(&m));"] if part.fixed else []
    lines += ["    memset(&n, 0, sizeof n);"] if part.fixed else []
    lines += [_c_copy(part), f"    return ap_{name}_frame(again, ROOM, {again}, stamp);"]
    head = f"static size_t pass_{name}(const uint8_t *frame, size_t size, uint8_t *again,"
    body = "\n".join(lines)
    return f"{head}\n    const ap_stamp *stamp) {{\n{body}\n}}\n"


def _has_tlvs(part: Part) -> bool:
    return any(item.type == "TLVs" for item in part.tails)


def _c_show(part: Part) -> str:
    shown = (_c_show_one(part, item) for item in part.items if item.kind != "pad")
    return "".join(f"    {line}\n" for line in shown)


def _c_show_one(part: Part, item: Item) -> str:
    name, value = f'"{item.name}"', f"m.{c.member(item.name)}"
    if item.type == "TLVs":
        typed = int(part.title == TYPED)
        call = f"pass_tlvs({name}, t.{item.name}, {typed}, room, ROOM)"
        return f"t.{item.name} = ap_bytes(room, {call});"
    if item.type == "levels":
        return f"show_levels({name}, t.{item.name});"
    if item.kind == "tail":
        return f"show_bytes({name}, t.{item.name}.data, t.{item.name}.size);"
    if item.type == "bytes":
        return f"show_bytes({name}, {value}, sizeof {value});"
    if item.type in ("u128", "i128"):
        return f"show_u128({name}, {value}.hi, {value}.lo);"
    if item.type == "instrument":
        return f"show_instrument({name}, {value});"
    letter = "d" if item.type[0] == "i" else "u"
    return f'printf("%s %" PRI{letter}{8 * item.size} "\\n", {name}, {value});'


def _c_copy(part: Part) -> str:
    """Every value into the other struct; pads, counts and starts are left to the library."""
    names = [(c.member(item.name), item.type) for item in part.fixed if item.kind == "value"]
    return "".join(
        f"    memcpy(n.{name}, m.{name}, sizeof n.{name});\n"
        if kind == "bytes"
        else f"    n.{name} = m.{name};\n"
        for name, kind in names
    )


def rust_fields() -> str:
    """fields.rs: how each message and extension is shown and built again."""
    arms = "".join(map(_rust_arm, messages()))
    tlvs = "".join(map(_rust_tlv, extensions()))
    return (
        "use crate::alphapulse::*;\nuse crate::*;\n\n"
        f"pub fn pass(message: Message, stamp: &Stamp) -> Vec<u8> {{\n"
        f"    if !matches!(message, Message::Unknown(..)) {{\n"
        f'        println!("read 0");\n    }}\n'
        f"    match message {{\n{arms}"
        "        Message::Unknown(header, payload) => {\n"
        '            println!("unknown");\n'
        "            seal(header.message_type, header.version, &[payload], stamp).unwrap()\n"
        "        }\n    }\n}\n\n"
        "pub fn pass_tlv(kind: u8, payload: &[u8]) -> Option<Vec<u8>> {\n"
        f"    match kind {{\n{tlvs}        _ => None,\n    }}\n}}\n"
    )


def _rust_arm(part: Part) -> str:
    fields = "m" if part.fixed else "_"
    lines = [f'println!("{part.title}");']
    lines += [_rust_show(part, item) for item in part.items if item.kind != "pad"]
    lines += ["show_wrong(m.wrong());"] if part.fixed else []
    if not part.tails:
        lines += [f"let n = {_rust_copy(part)};", "n.frame(stamp)"]
        return _arm(f"Message::{part.title}(m)", lines)
    tails = ", ".join(_rust_tail(item) for item in part.tails)
    lines += [f"let n = {_rust_copy(part)};", f"let u = {part.title}Tails {{ {tails} }};"]
    lines += ["n.frame(&u, stamp).unwrap()"]
    return _arm(f"Message::{part.title}({fields}, t)", lines)


def _rust_tail(item: Item) -> str:
    return f"{item.name}: {'Tlvs(&again)' if item.type == 'TLVs' else f't.{item.name}'}"


def _rust_tlv(part: Part) -> str:
    lines = [f"let m = {part.title}::from_tlv(payload)?;", f'println!("{part.title}");']
    lines += [_rust_show(part, item) for item in part.items if item.kind != "pad"]
    lines += ["show_wrong(m.wrong());", f"Some(to_bytes({_rust_copy(part)}))"]
    return _arm(f"{part.title}::TLV", lines)


def _arm(head: str, lines: list[str]) -> str:
    body = "".join(f"            {line}\n" for line in lines)
    return f"        {head} => {{\n{body}        }}\n"


def _rust_show(part: Part, item: Item) -> str:
    name, value = f'"{item.name}"', f"m.{rust.member(item.name)}"
    if item.type == "TLVs":
        typed = str(part.title == TYPED).lower()
        return f"let again = pass_tlvs({name}, t.{item.name}, {typed});"
    if item.type == "levels":
        return f"show_levels({name}, t.{item.name});"
    if item.kind == "tail":
        raw = f"t.{item.name}" + ("" if item.type == "bytes" else ".as_bytes()")
        return f"show_bytes({name}, {raw});"
    if item.type == "bytes":
        return f"show_bytes({name}, &{{ {value} }});"
    if item.type == "instrument":
        return f"show_instrument({name}, {value});"
    value += ".0" if rust.is_named(item) else ""
    if item.type in ("u128", "i128"):
        return f'println!("{item.name} 0x{{:032x}}", {{ {value} }});'
    return f'println!("{item.name} {{}}", {{ {value} }});'


def _rust_copy(part: Part) -> str:
    names = [rust.member(item.name) for item in part.fixed if item.kind == "value"]
    given = "".join(f"{name}: m.{name}, " for name in names)
    return f"{part.title} {{ {given}..Default::default() }}"
