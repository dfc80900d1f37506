"""What the benches say: figures with their spread and their bound, as a table for people and as lines of JSON."""

import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, Literal, TypeVar

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from hub.version import VERSION
from tests.bench import measures

T = TypeVar("T")
LIBRARIES: Final = ("aio-pika", "aiohttp", "asyncpg", "cryptography", "lxml", "msgspec")

HEADINGS: Final[Sequence[tuple[str, Literal["left", "right"]]]] = (
    ("what", "left"),
    ("", "right"),
    ("unit", "left"),
    ("spread", "right"),
    ("bound", "right"),
    ("ratio", "right"),
    ("bound is; parts", "left"),
)

KEPT: Final[Mapping[bool | None, str]] = {None: "", True: "as it must be", False: "WRONG"}


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing measured: the median of `repeats` values, how far they were apart, and what it is measured against.

    `bound` is the median of the bound in the same unit, from the same run; `ratio` the median of value / bound, each
    repeat with its own. `parts` are what the value is the sum of. `holds` says of a promise whether it was kept.
    """

    family: str
    what: str
    unit: str
    value: float
    spread: float = 0.0
    repeats: int = 1
    bound_is: str = ""
    bound: float | None = None
    ratio: float | None = None
    parts: dict[str, float] = {}
    holds: bool | None = None


def figure(
    family: str, what: str, unit: str, values: Sequence[float], *, bound: Sequence[float] = (), bound_is: str = ""
) -> Figure:
    """The figure of repeated measurements; `bound` has as many values, or is empty."""
    return Figure(
        family=family,
        what=what,
        unit=unit,
        value=measures.middle(values),
        spread=measures.spread(values),
        repeats=len(values),
        bound_is=bound_is if bound else "",
        bound=measures.middle(bound) if bound else None,
        ratio=measures.middle([value / of for value, of in zip(values, bound, strict=True)]) if bound else None,
    )


def promise(family: str, what: str, unit: str, value: float, *, holds: bool) -> Figure:
    """A figure that must be as it is promised, and whether it is."""
    return Figure(family=family, what=what, unit=unit, value=value, holds=holds)


def by_process(
    family: str,
    what: str,
    unit: str,
    runs: Sequence[dict[str, float]],
    *,
    bound: Sequence[float] = (),
    bound_is: str = "",
) -> Figure:
    """The figure of what all processes have taken together, with that of each kind of them."""
    whole = figure(family, what, unit, [sum(run.values()) for run in runs], bound=bound, bound_is=bound_is)
    return replace(whole, parts={name: measures.middle([run[name] for run in runs]) for name in runs[0]})


def steps(of: Sequence[T], label: str) -> Iterator[T]:
    """Each of them, with a bar and the time left on a terminal, and a line anywhere else."""
    with click.progressbar(of, label=f"  {label}", file=sys.stderr) as bar:
        yield from bar


def show(figures: Iterable[Figure]) -> None:
    """A table on the terminal, or without colour in a file."""
    table = Table(box=None, pad_edge=False, title_justify="left")
    for heading, justify in HEADINGS:
        table.add_column(heading, justify=justify, overflow="fold")
    for each in figures:
        spread = f"{each.spread:.0%}" if each.repeats > 1 else ""
        bound = ("", "") if each.bound is None else (number(each.bound), number(each.ratio or 0.0))
        parts = ", ".join(f"{name} {number(value)}" for name, value in each.parts.items())
        words = "; ".join(filter(None, (KEPT[each.holds], each.bound_is, parts)))
        table.add_row(each.what, number(each.value), each.unit, spread, *bound, words)
    Console(width=None if os.isatty(1) else 160, highlight=False).print(table)


def lines(figures: Iterable[Figure]) -> None:
    """One line of JSON for each figure."""
    for each in figures:
        click.echo(msgspec.json.encode(each))


def environment() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def number(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
