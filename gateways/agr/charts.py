"""An aggregator's own rows for its charts: assets, plans and copies of limits as the hub last confirmed them (F3)."""

from typing import Final

from documents.codes import CANCELLING
from documents.values import Identifier, Interval, Period
from gateways import charts
from gateways.agr.rows import ASSETS, LIMITS, SCHEDULES, PlannedSchedule, ReceivedLimit
from gateways.reading import Reader
from gateways.rows import Registration
from hub.web.own import Own, OwnAsset


async def read(reader: Reader, span: Interval) -> Own:
    """What holds in a span."""
    assets = [one.row.confirmed for one in await reader.every(ASSETS, Registration)]
    curves: dict[Identifier, tuple[Period, ...]] = {}
    for found in await reader.every(SCHEDULES, PlannedSchedule, overlapping=span):
        for plan in found.row.series:
            if plan.confirmed and plan.confirmed.resource:
                curves[plan.confirmed.resource] = (*curves.get(plan.confirmed.resource, ()), *plan.confirmed.periods)
    limits = [one.row.document for one in await reader.every(LIMITS, ReceivedLimit, overlapping=span)]
    return Own(
        assets=[
            OwnAsset(
                id=one.resource,
                point=one.specific[0] if one.specific else Identifier(""),
                max_production=one.max_production or 0,
                max_consumption=one.max_consumption or 0,
            )
            for one in assets
            if one
        ],
        curves=curves,
        limits=[charts.limit(one, cancelled=one.status in CANCELLING) for one in limits],
    )


CHARTS: Final = charts.Charts((ASSETS, SCHEDULES, LIMITS), read)
