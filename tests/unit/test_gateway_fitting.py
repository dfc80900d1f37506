"""What no message can carry is refused at once, and the client is told how much would fit (R34, R35)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from documents import registry, xml
from documents.model import GlMarketDocument, GlSeries
from documents.values import Identifier, Interval, Period, Point
from gateways.fitting import fitting
from hub.mades.codec import DEFAULT_LIMITS
from tests.gateway_bench import ALPHA as SENDER
from tests.gateway_bench import HUB
from tests.gateway_world import ALPHA, NORTH, P1, World, asset, period

START = datetime(2026, 1, 16, 12, tzinfo=UTC)
DAY = ("2026-01-16T12:00:00Z", "2026-01-17T12:00:00Z")


def day_ahead(assets: int) -> GlMarketDocument:
    """A day of quarters of an hour, another value in each, written out; each asset with all an AGR's gateway writes."""
    span = Interval(START, START + timedelta(days=1))
    points = tuple(Point(position, -487_000 - position) for position in range(1, 97))
    area = Identifier("A01:10YDK-2--------M")
    series = tuple(
        GlSeries(
            mrid=str(number),
            in_domain=area,
            out_domain=area,
            resource=Identifier(f"A10:5713131{number:011}"),
            periods=(Period(span, "PT15M", points),),
        )
        for number in range(1, assets + 1)
    )
    return GlMarketDocument(
        mrid="f" * 32, revision=1, sender=SENDER, receiver=HUB, created=START, interval=span, series=series
    )


def test_the_bound_is_that_of_the_transport() -> None:
    assert DEFAULT_LIMITS.max_content_bytes == xml.MAX_BYTES


def test_what_fits_is_counted_to_the_byte() -> None:
    document = day_ahead(3)
    size = len(registry.render(document))

    assert [fitting(document, most_bytes=most) for most in (size, size - 1, 1_000)] == [3, 2, 0]


@pytest.mark.slow
def test_about_1600_assets_with_a_day_of_quarters_of_an_hour_fit() -> None:
    """As docs/documents.md says."""
    fit = fitting(day_ahead(1_700))

    assert 1_600 <= fit < 1_700
    assert len(registry.render(replace(day_ahead(fit)))) <= xml.MAX_BYTES


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that a test can pass."""
    monkeypatch.setattr(fitting, "__kwdefaults__", {"most_bytes": 6_000})


def schedule(*assets: str, steps: int = 24) -> dict[str, Any]:
    watts = [-100 - step for step in range(steps)]
    resolution = f"PT{24 * 60 // steps}M"
    return {"series": [{"asset": one, "periods": [period(*DAY, *watts, resolution=resolution)]} for one in assets]}


@pytest.mark.usefixtures("small")
async def test_r35_a_schedule_too_long_for_a_message_is_422_with_what_fits_and_leaves_no_trace() -> None:
    names = [f"57131310000000{number:04}" for number in range(4)]
    async with World.running() as world:
        alpha = await world.agr(ALPHA)

        refused = await alpha.call("POST", "/schedules", {"mrid": "long", **schedule(*names)})
        longer = await alpha.call("POST", "/schedules", {"mrid": "long", **schedule(names[0], steps=96)})
        taken = await alpha.call("POST", "/schedules", {"mrid": "long", **schedule(names[0])})

    assert (refused.status, longer.status, taken.status) == (422, 422, 202)
    assert refused.body["detail"] == (
        "The document would have more than 16777216 bytes: only the first 1 of its 4 series fit. "
        "Send about 1 at a time."
    )
    assert "its first series alone does not fit. Send it for a shorter time" in longer.body["detail"]


@pytest.mark.usefixtures("small")
async def test_r35_what_is_refused_as_too_long_may_be_sent_again_under_its_key() -> None:
    async with World.running() as world:
        alpha, key = await world.agr(ALPHA), {"Idempotency-Key": "k1"}
        assets = [asset(f"57131310000000{number:04}", P1, consumes=1000) for number in range(20)]

        refused = await alpha.call("PUT", "/assets", {"assets": assets}, headers=key)
        taken = await alpha.call("PUT", "/assets", {"assets": assets[:3]}, headers=key)

    assert (refused.status, taken.status) == (422, 202)


@pytest.mark.usefixtures("small")
async def test_r35_a_grid_operator_is_told_so_too() -> None:
    async with World.running() as world:
        north = await world.dso(NORTH)

        points = {"connectionPoints": [{"id": f"57131319900000{number:04}"} for number in range(20)]}
        refused = await north.call("PUT", "/connection-points", points)

    assert refused.status == 422
    assert "series fit" in refused.body["detail"]
