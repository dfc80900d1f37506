"""`python -m tests.bench.implications`: how much it costs to judge limits against plans, beside bare sums of the lists.

Made up: every asset with a plan by quarter-hour over two days, spread over limits of equal size whose shares change by
the hour. The bare sum adds all plans up by quarter-hour and does nothing else; time is CPU time of this process.
"""

import asyncio
import gc
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add
from statistics import median
from typing import Final

import click
import msgspec
from msgspec import Struct

from documents.packing import packed
from documents.values import Identifier, Interval, Period, Point
from hub.implications import Board, findings
from hub.ports import OPERATOR, Item
from hub.rows import (
    LIMIT_CONTENTS,
    OPERATOR_ASSETS,
    OPERATOR_LIMITS,
    OPERATOR_SCHEDULES,
    LimitContent,
    OperatorAsset,
    OperatorLimit,
    OperatorSchedule,
)
from hub.values import AssetShare, Capability, Direction, LimitKind
from hub.web import views
from hub.web.picture import Pictures
from hub.web.snapshot import Snapshot

START: Final = datetime(2026, 10, 24, 22, tzinfo=UTC)
QUARTERS: Final = 192
SPAN: Final = Interval(START, START + timedelta(days=2))
DSO, AGR = Identifier("A01:45X-DSO-NORTH--2"), Identifier("A01:45X-AGR-ALPHA--N")
RATED_W: Final = 5_000
REVISIONS: Final = 5
EVERY: Final = 7
"""One limit in so many has plans that leave it."""


class Market(Struct, frozen=True):
    """What is judged."""

    assets: dict[Identifier, OperatorAsset]
    curves: dict[Identifier, tuple[Period, ...]]
    limits: list[LimitContent]


class Result(Struct):
    """CPU in seconds for each stage, the ratio of judging to a bare sum, and the most resident memory in MB."""

    assets: int
    limits: int
    bare_s: float
    grid_s: float
    judged_s: float
    judged_to_bare: float
    decoded_s: float
    first_picture_s: float
    revised_plan_s: float
    peak_mb: int


def made_up(assets: int, limits: int) -> Market:
    """A market in which every asset stands under one limit, at 3 kW by share and less than that by plan, mostly."""
    names = [Identifier(f"NDK:{number:06d}") for number in range(assets)]
    return Market(
        {name: _asset(name) for name in names},
        {name: (_plan(number),) for number, name in enumerate(names)},
        [_limit(number, names[number::limits]) for number in range(limits)],
    )


def _asset(name: Identifier) -> OperatorAsset:
    capability = Capability(0, RATED_W)
    return OperatorAsset(resource=name, operator=AGR, point=Identifier("NDK:point"), dso=DSO, capability=capability)


def _plan(number: int, less: int = 0) -> Period:
    """Between 1 and 3 kW of consumption, another in every quarter-hour."""
    return Period(
        SPAN, "PT15M", tuple(Point(at + 1, less - 1_000 - (at * 37 + number) % 2_000) for at in range(QUARTERS))
    )


def _limit(number: int, names: Sequence[Identifier]) -> LimitContent:
    watts = 2_900 if number % EVERY == 0 else 3_000
    hours = tuple(Point(hour + 1, watts + hour) for hour in range(QUARTERS // 4))
    return LimitContent(
        dso=DSO,
        mrid=f"{number:032x}",
        revision=1,
        kind=LimitKind.FORESEEN,
        direction=Direction.CONSUMPTION,
        interval=SPAN,
        shares=tuple(AssetShare(name, RATED_W, (Period(SPAN, "PT1H", hours),)) for name in names),
    )


def items(market: Market) -> Iterator[Item]:
    """The same as rows of the operator."""
    yield from (_item(OPERATOR_ASSETS, name, one) for name, one in market.assets.items())
    yield from (
        _item(OPERATOR_SCHEDULES, f"{AGR}/plan/{name}", _schedule(name, curve)) for name, curve in market.curves.items()
    )
    for one in market.limits:
        key = f"{DSO}/{one.mrid}"
        yield _item(LIMIT_CONTENTS, key, one)
        yield _item(
            OPERATOR_LIMITS,
            key,
            OperatorLimit(
                dso=DSO,
                mrid=one.mrid,
                revision=1,
                kind=one.kind,
                direction=one.direction,
                interval=SPAN,
                cancelled=False,
                resources=(),
            ),
        )


def _schedule(name: Identifier, periods: tuple[Period, ...]) -> OperatorSchedule:
    return OperatorSchedule(operator=AGR, mrid="plan", revision=1, resource=name, curve=packed(periods))


def _item(view: str, key: str, payload: Struct) -> Item:
    return Item(
        view=view,
        audience=OPERATOR,
        key=key,
        sequence=1,
        payload=msgspec.msgpack.encode(payload),
        valid=SPAN,
        issued=START,
        position=1,
    )


class Stopwatch:
    """CPU seconds of blocks by name; of several of a name the middle one."""

    def __init__(self) -> None:
        self._taken: dict[str, list[float]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        gc.collect()
        begun = time.process_time()
        yield
        self._taken.setdefault(name, []).append(time.process_time() - begun)

    def of(self, name: str) -> float:
        """Seconds of the middle block."""
        return median(self._taken[name])


async def measured(assets: int, limits: int, repeats: int) -> Result:
    """Every stage, `repeats` times."""
    watch, market = Stopwatch(), made_up(assets, limits)
    rows = list(items(market))
    columns = [[-point.quantity for point in curve[0].points] for curve in market.curves.values()]
    for _ in range(repeats):
        with watch("bare"):
            reduce(lambda sums, column: list(map(add, sums, column)), columns)
        with watch("grid"):
            board = Board.of(SPAN, market.assets, market.curves)
        with watch("judged"):
            found = findings(market.limits, board)
        assert found, "one limit in seven is left"
        del board, found
        await _watched(rows, watch)
    return Result(
        assets=assets,
        limits=limits,
        bare_s=watch.of("bare"),
        grid_s=watch.of("grid"),
        judged_s=watch.of("judged"),
        judged_to_bare=watch.of("judged") / watch.of("bare"),
        decoded_s=watch.of("decoded"),
        first_picture_s=watch.of("first picture"),
        revised_plan_s=watch.of("revised plan"),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


async def _watched(rows: Sequence[Item], watch: Stopwatch) -> None:
    """What the pages do: read the rows, make the first picture, and another one after each revision of a plan."""
    snapshot, pictures = Snapshot(), Pictures()
    with watch("decoded"):
        for row in rows:
            snapshot.take(row)
    with watch("first picture"):
        views.sums(await pictures.of(snapshot, SPAN))
    for number in range(REVISIONS):
        name = Identifier(f"NDK:{number:06d}")
        snapshot.take(_item(OPERATOR_SCHEDULES, f"{AGR}/plan/{name}", _schedule(name, (_plan(number, less=-500),))))
        with watch("revised plan"):
            await pictures.of(snapshot, SPAN)


@click.command()
@click.option("--assets", default=10_000, show_default=True, help="How many, each with 192 values.")
@click.option("--limits", default=50, show_default=True, help="Over how many limits they are spread.")
@click.option("--repeats", default=3, show_default=True, help="The middle one counts.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def bench(assets: int, limits: int, repeats: int, *, as_json: bool) -> None:
    """Judge limits against plans, and make the operator's picture of them; all times are CPU."""
    result = asyncio.run(measured(assets, limits, repeats))
    text = msgspec.json.encode(result).decode() if as_json else "\n".join(table(result))
    sys.stdout.write(f"{text}\n")


def table(result: Result) -> list[str]:
    """What people read."""
    return [
        f"implications: {result.assets:,} assets over two days, {result.limits} limits, CPU in ms",
        f"  bare sum of the plans        {1000 * result.bare_s:9.1f}",
        f"  plans on the grid            {1000 * result.grid_s:9.1f}",
        f"  limits judged                {1000 * result.judged_s:9.1f}, {result.judged_to_bare:.1f} times the bare sum",
        f"  rows read                    {1000 * result.decoded_s:9.1f}",
        f"  first picture of all         {1000 * result.first_picture_s:9.1f}",
        f"  picture after a revised plan {1000 * result.revised_plan_s:9.1f}",
        f"  peak MB                      {result.peak_mb:9}",
        "",
    ]


if __name__ == "__main__":
    bench(auto_envvar_prefix="TPS_BENCH_IMPLICATIONS")
