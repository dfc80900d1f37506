"""A grid operator's own rows for its charts: what hangs on its grid, its plans, and the limits it sent (F3, F5, F9)."""

from typing import Final

from documents.values import Identifier, Interval, Period
from gateways import charts
from gateways.dso.rows import ASSETS, LIMITS, SCHEDULES, AssetOnGrid, PlanOnGrid, SentLimit
from gateways.reading import Reader
from hub.web.own import Own, OwnAsset


async def read(reader: Reader, span: Interval) -> Own:
    """What holds in a span: limits as the hub last accepted them."""
    assets = [one.row for one in await reader.every(ASSETS, AssetOnGrid)]
    curves: dict[Identifier, tuple[Period, ...]] = {}
    for found in await reader.every(SCHEDULES, PlanOnGrid, overlapping=span):
        if not found.row.withdrawn:
            curves[found.row.resource] = (*curves.get(found.row.resource, ()), *found.row.periods)
    limits = [one.row for one in await reader.every(LIMITS, SentLimit, overlapping=span)]
    return Own(
        assets=[
            OwnAsset(
                id=one.resource, point=one.point, max_production=one.max_production, max_consumption=one.max_consumption
            )
            for one in assets
            if not one.withdrawn
        ],
        curves=curves,
        limits=[
            charts.limit(one.confirmed, cancelled=one.state == "cancelled")
            for one in limits
            if one.confirmed is not None
        ],
    )


CHARTS: Final = charts.Charts((ASSETS, SCHEDULES, LIMITS), read)
