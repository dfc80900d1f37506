"""Documents by size: parsed, checked and read as the hub does it, beside lxml parsing and validating the same bytes.

One process on one core; the time is that of its CPU, so that a busy machine disturbs little.
"""

import gc
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from lxml import etree

from documents import content_model, registry
from documents.codes import PsrType, Role
from documents.model import GlMarketDocument, GlSeries, Party, RefMarketDocument, RefSeries
from documents.values import Identifier, Interval, Period, Point, Power
from hub.commands import SubmitSchedules
from hub.intake.door import Envelope, read
from hub.mades.message import BusinessType
from tests.bench.product import RATED_W, asset, point
from tests.bench.report import Figure, figure

FAMILY: Final = "documents"
SENDER: Final = Party(Identifier("A10:5790000000012"), Role.RESOURCE_PROVIDER.value)
HUB: Final = Party(Identifier("A01:45X-TPS-HUB-DEM8"), Role.INFORMATION_AGGREGATOR.value)
AREA: Final = Identifier("A01:10YDK-2--------M")
BOUND: Final = "lxml: parse and validate"
ENOUGH_S: Final = 0.2
"""CPU of one measurement, at least: small documents are read again and again."""
_BEGIN: Final = datetime(2026, 6, 10, tzinfo=UTC)


async def measured(_: Path, assets: Sequence[int], repeats: int) -> list[Figure]:
    """A figure for each size, given as the number of assets with a day of quarters of an hour each."""
    return [_of(number, repeats) for number in assets]


def schedules(assets: int) -> GlMarketDocument:
    """A day of quarters of an hour, another value in each, for so many assets."""
    span = Interval(_BEGIN, _BEGIN + timedelta(days=1))
    points = tuple(Point(position, -487_000 - position) for position in range(1, 97))
    series = tuple(
        GlSeries(
            mrid=str(number + 1),
            in_domain=AREA,
            out_domain=AREA,
            resource=Identifier(f"A10:{asset(number)}"),
            periods=(Period(span, "PT15M", points),),
        )
        for number in range(assets)
    )
    return GlMarketDocument(
        mrid="f" * 32, revision=1, sender=SENDER, receiver=HUB, created=_BEGIN, interval=span, series=series
    )


def registrations(assets: int) -> RefMarketDocument:
    """So many assets as an AGR's gateway registers them."""
    series = tuple(
        RefSeries(
            resource=Identifier(f"A10:{asset(number)}"),
            name=f"Asset {number}",
            psr_type=PsrType.PRODUCES_AND_CONSUMES.value,
            owner=SENDER.id,
            start_lifetime=_BEGIN.date(),
            max_consumption=Power(RATED_W),
            domains=(AREA,),
            specific=(Identifier(f"A10:{point(number)}"),),
        )
        for number in range(assets)
    )
    return RefMarketDocument(mrid="f" * 32, process="A36", sender=SENDER, receiver=HUB, created=_BEGIN, series=series)


def bare_ms(document: GlMarketDocument | RefMarketDocument) -> float:
    """CPU of parsing and validating a document with lxml alone."""
    data = registry.render(document)
    schema = _schema(data)
    return _cpu_ms(lambda: _bare(data, schema))


def _of(assets: int, repeats: int) -> Figure:
    data = registry.render(schedules(assets))
    schema = _schema(data)
    ours, bound = [], []
    for _ in range(repeats):
        bound.append(_cpu_ms(lambda: _bare(data, schema)))
        ours.append(_cpu_ms(lambda: _read(data)))
    what = f"plans of {assets:,} assets, {len(data) / 1e6:.3g} MB, read"
    return figure(FAMILY, what, "ms of CPU", ours, bound=bound, bound_is=BOUND)


def _schema(data: bytes) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(content_model.schema_text(registry.identify(data))))


def _bare(data: bytes, schema: etree.XMLSchema) -> None:
    schema.assertValid(etree.fromstring(data))


def _read(data: bytes) -> None:
    envelope = Envelope(sender=SENDER.id, business_type=BusinessType.SCHEDULES, message_id="f" * 32)
    command = read(data, envelope=envelope, hub=HUB.id)
    if not isinstance(command, SubmitSchedules):
        raise TypeError(f"The hub would refuse a document of the bench: {command}")


def _cpu_ms(work: Callable[[], None]) -> float:
    """CPU of doing it once, as the mean of many."""
    work()
    gc.collect()
    times, begun, spent = 0, time.process_time(), 0.0
    while spent < ENOUGH_S:
        work()
        times, spent = times + 1, time.process_time() - begun
    return 1000 * spent / times
