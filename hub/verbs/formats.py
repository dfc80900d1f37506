"""How exported events are written: as JSON Lines, or as a Parquet file (extra `parquet`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, Protocol

import click
import msgspec
from msgspec import UNSET

from hub.history.exporting import Exported

GROUP: Final = 10_000
"""Events in one group of rows: what is held in memory at once."""


class Sink(Protocol):
    """Takes exported events, one after the other."""

    def __call__(self, event: Exported) -> None:
        """Write one."""


@contextmanager
def parquet(file: IO[bytes]) -> Iterator[Sink]:
    """Write events as a table; `says` is JSON. Ends with 2 when the library is not installed."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415 - has no types; an extra
        from pyarrow import parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise click.UsageError("Parquet needs pyarrow. Install the extra `parquet`, or export JSON Lines.") from error
    texts = [(name, pa.string()) for name in ("cause", "digest", "chain", "stream", "says")]
    schema = pa.schema(
        [
            ("position", pa.int64()),
            ("at", pa.timestamp("us", tz="UTC")),
            ("type", pa.string()),
            ("participants", pa.list_(pa.string())),
            *texts,
        ]
    )
    held: list[dict[str, Any]] = []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:

        def take(event: Exported) -> None:
            held.append(_record(event))
            if len(held) == GROUP:
                flush()

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(held, schema=schema))
            held.clear()

        yield take
        if held:
            flush()


@contextmanager
def json_lines(file: IO[bytes]) -> Iterator[Sink]:
    """Write events as JSON, one a line."""

    def take(event: Exported) -> None:
        file.write(msgspec.json.encode(event) + b"\n")

    yield take


def _record(event: Exported) -> dict[str, Any]:
    return {
        "position": event.position,
        "at": event.at,
        "type": event.type,
        "participants": list(event.participants),
        "cause": event.cause,
        "digest": event.digest,
        "chain": event.chain,
        "stream": None if event.stream is UNSET else event.stream,
        "says": None if event.says is UNSET else msgspec.json.encode(event.says).decode(),
    }


FORMATS: Final = {"jsonl": json_lines, "parquet": parquet}
