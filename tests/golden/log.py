"""A golden log as files: events, rows, and every document that came or left, as it travelled.

log.jsonl   the events as they are stored (`state` is MessagePack in base64) with the hash chain
rows.jsonl  every row with the position of its event
came.jsonl  what the transport said of each document that came; the document is came/MESSAGE.xml
left.jsonl  of which rows each document was made, when, and how far the log was; it is left/MESSAGE.xml
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from documents.packing import plain
from hub.ports import Row, StoredEvent
from tests.golden.day import Day
from tests.golden.hub import Came, Hub, Left

T = TypeVar("T")
D = TypeVar("D", Came, Left)


class Golden(Struct, frozen=True):
    """Everything a version wrote on the day. `rows` are lines of JSON."""

    events: tuple[StoredEvent, ...]
    rows: tuple[bytes, ...]
    came: tuple[Came, ...]
    left: tuple[Left, ...]


async def played() -> Golden:
    """What the present version writes."""
    async with Hub.working() as hub:
        await Day(hub).play()
        events = [event async for event in hub.store.log.read()]
    return Golden(tuple(events), tuple(line(*each) for each in hub.rows), tuple(hub.came), tuple(hub.left))


def line(position: int, row: Row) -> bytes:
    """A row with its position, as a line of JSON."""
    return msgspec.json.encode({"position": position, **plain(row)})


def save(golden: Golden, folder: Path) -> None:
    """Write the files into a new folder."""
    folder.mkdir(parents=True)
    _write(folder / "log.jsonl", map(msgspec.json.encode, golden.events))
    _write(folder / "rows.jsonl", golden.rows)
    for name, documents in (("came", golden.came), ("left", golden.left)):
        (folder / name).mkdir()
        _write(
            folder / f"{name}.jsonl",
            (msgspec.json.encode(msgspec.structs.replace(one, content=b"")) for one in documents),
        )
        for one in documents:
            (folder / name / f"{one.message_id}.xml").write_bytes(one.content)


def load(folder: Path) -> Golden:
    """Read what some version wrote."""
    return Golden(
        _read(folder / "log.jsonl", StoredEvent),
        tuple((folder / "rows.jsonl").read_bytes().splitlines()),
        tuple(_with_content(folder / "came", _read(folder / "came.jsonl", Came))),
        tuple(_with_content(folder / "left", _read(folder / "left.jsonl", Left))),
    )


def _write(file: Path, lines: Iterable[bytes]) -> None:
    file.write_bytes(b"".join(each + b"\n" for each in lines))


def _read(file: Path, kind: type[T]) -> tuple[T, ...]:
    return tuple(msgspec.json.decode(each, type=kind) for each in file.read_bytes().splitlines())


def _with_content(folder: Path, documents: Sequence[D]) -> Iterable[D]:
    for one in documents:
        yield msgspec.structs.replace(one, content=(folder / f"{one.message_id}.xml").read_bytes())
